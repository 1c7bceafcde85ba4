// virtio console: the handshake of ports as Linux does it, data and back-pressure both ways, sizes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "support/vguest.h"
#include "virtio/console.h"

enum { F_SIZE = 1, F_MULTIPORT = 2, F_EMERG = 4 };
enum { RX0 = 0, TX0 = 1, CTL_RX = 2, CTL_TX = 3, RX1 = 4, TX1 = 5 };

struct fixture {
    struct vg g;
    struct virtio_device *dev;
    struct buf out[2];
    size_t limit; // bytes port 1 takes in all
    bool call_back;
};

static size_t output(void *arg, unsigned port, const u8 *p, size_t n) {
    struct fixture *f = arg;
    if (port == 1) {
        size_t room = f->limit > f->out[1].len ? f->limit - f->out[1].len : 0;
        if (n > room) n = room;
        // A host that answers from inside the callback must not confuse the device.
        if (f->call_back) {
            virtio_console_ready(f->dev, 1);
            virtio_console_input(f->dev, 1, (const u8 *)"r", 1);
        }
    }
    buf_put(&f->out[port], p, n);
    return n;
}

static void begin(struct fixture *f, u64 features) {
    memset(f, 0, sizeof *f);
    f->limit = 1 << 20;
    vg_init(&f->g);
    struct virtio_console_settings s = {"chan", 80, 24, f, output};
    f->dev = virtio_console_create(&s, f->g.bus, NULL);
    vg_attach(&f->g, f->dev);
    assert_true(vg_start(&f->g, features));
    for (unsigned q = 0; q < (features & F_MULTIPORT ? 6u : 2u); q++) vg_queue(&f->g, q, 16);
    vg_go(&f->g);
}

static void end(struct fixture *f) {
    vg_free(&f->g);
    buf_free(&f->out[0]);
    buf_free(&f->out[1]);
}

static void control(struct fixture *f, u32 id, u16 event, u16 value) {
    u8 m[8];
    put_le32(m, id), put_le16(m + 4, event), put_le16(m + 6, value);
    struct vg_seg seg = {vg_put(&f->g, m, 8), 8, false};
    vg_add(&f->g, CTL_TX, &seg, 1);
    vg_kick(&f->g, CTL_TX);
    u16 head;
    u32 len;
    assert_true(vg_used(&f->g, CTL_TX, &head, &len));
}

static gpa post(struct fixture *f, unsigned queue, u32 len) {
    struct vg_seg seg = {vg_alloc(&f->g, len), len, true};
    vg_add(&f->g, queue, &seg, 1);
    vg_kick(&f->g, queue);
    return seg.addr;
}

// The next control message from the device as "id:event:value[:payload]".
static void expect_control(struct fixture *f, gpa at, const char *want) {
    u16 head;
    u32 len;
    assert_true(vg_used(&f->g, CTL_RX, &head, &len));
    const u8 *m = bus_ram_ptr(f->g.bus, at, 80);
    struct buf b = {0};
    buf_printf(&b, "%u:%u:%u", (unsigned)get_le32(m), get_le16(m + 4), get_le16(m + 6));
    if (len > 8 && get_le16(m + 4) == 7) buf_printf(&b, ":%.*s", (int)len - 8, (const char *)m + 8);
    if (get_le16(m + 4) == 5) buf_printf(&b, ":%ux%u", get_le16(m + 8), get_le16(m + 10));
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void send_text(struct fixture *f, unsigned queue, const char *text) {
    u32 n = (u32)strlen(text);
    struct vg_seg seg = {vg_put(&f->g, text, n), n, false};
    vg_add(&f->g, queue, &seg, 1);
    vg_kick(&f->g, queue);
}

static void handshake(struct fixture *f) {
    gpa at[7];
    for (unsigned i = 0; i < 7; i++) at[i] = post(f, CTL_RX, 80);
    control(f, 0xffffffff, 0, 1);
    expect_control(f, at[0], "0:1:0");
    expect_control(f, at[1], "1:1:0");
    control(f, 0, 3, 1);
    expect_control(f, at[2], "0:4:1");
    expect_control(f, at[3], "0:6:1");
    expect_control(f, at[4], "0:5:0:80x24");
    control(f, 1, 3, 1);
    expect_control(f, at[5], "1:7:1:chan");
    expect_control(f, at[6], "1:6:1");
    control(f, 0, 6, 1);
}

static void test_multiport(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, F_SIZE | F_MULTIPORT);
    assert_int_equal(vg_config(&f.g, 0, 2), 80);
    assert_int_equal(vg_config(&f.g, 2, 2), 24);
    assert_int_equal(vg_config(&f.g, 4, 4), 2);
    handshake(&f);
    send_text(&f, TX0, "console");
    send_text(&f, TX1, "control");
    assert_string_equal(buf_cstr(&f.out[0]), "console");
    assert_string_equal(buf_cstr(&f.out[1]), "control");
    // Input waits until the guest has opened the port.
    gpa at = post(&f, RX1, 4);
    gpa at2 = post(&f, RX1, 4);
    assert_int_equal(virtio_console_input(f.dev, 1, (const u8 *)"abcdefghij", 10), 0);
    control(&f, 1, 6, 1);
    assert_int_equal(virtio_console_input(f.dev, 1, (const u8 *)"abcdefghij", 10), 8);
    assert_memory_equal(bus_ram_ptr(f.g.bus, at, 4), "abcd", 4);
    assert_memory_equal(bus_ram_ptr(f.g.bus, at2, 4), "efgh", 4);
    assert_int_equal(virtio_console_input(f.dev, 1, (const u8 *)"ij", 2), 0);
    u16 head;
    u32 len;
    assert_true(vg_used(&f.g, RX1, &head, &len));
    assert_int_equal(len, 4);
    assert_true(f.g.irq);
    control(&f, 1, 6, 0);
    post(&f, RX1, 4);
    assert_int_equal(virtio_console_input(f.dev, 1, (const u8 *)"ij", 2), 0);
    end(&f);
}

static void test_back_pressure(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, F_SIZE | F_MULTIPORT);
    handshake(&f);
    char text[10001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    f.limit = 4500;
    send_text(&f, TX1, text);
    send_text(&f, TX1, "second");
    u16 head;
    u32 len;
    assert_int_equal(f.out[1].len, 4500);
    assert_false(vg_used(&f.g, TX1, &head, &len));
    f.limit = 9000;
    vg_kick(&f.g, TX1); // a kick offers again too
    assert_int_equal(f.out[1].len, 9000);
    f.limit = 10003;
    virtio_console_ready(f.dev, 1);
    assert_int_equal(f.out[1].len, 10003);
    assert_true(vg_used(&f.g, TX1, &head, &len));
    assert_false(vg_used(&f.g, TX1, &head, &len));
    f.limit = 1 << 20;
    virtio_console_ready(f.dev, 1);
    assert_true(vg_used(&f.g, TX1, &head, &len));
    assert_memory_equal(f.out[1].data + 10000, "second", 6);
    // A reset in the middle drops what was not taken.
    f.limit = f.out[1].len;
    send_text(&f, TX1, "lost");
    vg_start(&f.g, F_MULTIPORT);
    f.limit = 1 << 20;
    virtio_console_ready(f.dev, 1);
    assert_int_equal(f.out[1].len, 10006);
    end(&f);
}

static void test_call_back(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, F_SIZE | F_MULTIPORT);
    handshake(&f);
    control(&f, 1, 6, 1);
    gpa at = post(&f, RX1, 4);
    f.call_back = true;
    send_text(&f, TX1, "ping");
    assert_string_equal(buf_cstr(&f.out[1]), "ping");
    assert_memory_equal(bus_ram_ptr(f.g.bus, at, 1), "r", 1);
    end(&f);
}

static void test_resize(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, F_SIZE | F_MULTIPORT);
    handshake(&f);
    u32 generation = vg_reg(&f.g, VR_GENERATION);
    vg_ack(&f.g);
    // No buffers: sizes are coalesced and the last one is sent when there is one.
    virtio_console_resize(f.dev, 100, 30);
    virtio_console_resize(f.dev, 132, 50);
    assert_int_equal(vg_config(&f.g, 0, 2), 132);
    assert_int_not_equal(vg_reg(&f.g, VR_GENERATION), generation);
    assert_true(vg_reg(&f.g, VR_INT) & VIRTIO_INT_CONFIG);
    gpa at = post(&f, CTL_RX, 80);
    expect_control(&f, at, "0:5:0:132x50");
    post(&f, CTL_RX, 80);
    u16 head;
    u32 len;
    assert_false(vg_used(&f.g, CTL_RX, &head, &len));
    end(&f);
}

static void test_single_port(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, F_SIZE);
    send_text(&f, TX0, "plain");
    assert_string_equal(buf_cstr(&f.out[0]), "plain");
    gpa at = post(&f, RX0, 8);
    assert_int_equal(virtio_console_input(f.dev, 0, (const u8 *)"in", 2), 2);
    assert_memory_equal(bus_ram_ptr(f.g.bus, at, 2), "in", 2);
    assert_int_equal(virtio_console_input(f.dev, 1, (const u8 *)"no", 2), 0);
    vg_ack(&f.g);
    virtio_console_resize(f.dev, 81, 25);
    assert_int_equal(vg_reg(&f.g, VR_INT), VIRTIO_INT_CONFIG);
    assert_int_equal(vg_config(&f.g, 2, 2), 25);
    end(&f);
}

static void test_emergency_write(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, F_EMERG);
    vg_set(&f.g, VR_CONFIG + 8, '!');
    assert_string_equal(buf_cstr(&f.out[0]), "!");
    vg_set(&f.g, VR_CONFIG + 0, 0x11223344); // read-only
    vg_set(&f.g, VR_CONFIG + 4, 99);
    assert_int_equal(vg_config(&f.g, 0, 2), 80);
    assert_int_equal(vg_config(&f.g, 4, 4), 2);
    end(&f);
}

// A guest that floods the control queue without ever taking an answer is held up, nothing else.
static void test_control_flood(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, F_SIZE | F_MULTIPORT);
    u8 m[8] = {0, 0, 0, 0, 3, 0, 1, 0};
    gpa msg = vg_put(&f.g, m, 8);
    unsigned used = 0;
    u16 head;
    u32 len;
    for (unsigned i = 0; i < 16; i++) {
        struct vg_seg seg = {msg, 8, false};
        vg_add(&f.g, CTL_TX, &seg, 1);
        vg_kick(&f.g, CTL_TX);
    }
    while (vg_used(&f.g, CTL_TX, &head, &len)) used++;
    assert_in_range(used, 1, 15);
    // Answers begin to flow: the rest is processed.
    for (unsigned i = 0; i < 64; i++) {
        post(&f, CTL_RX, 80);
        vg_used(&f.g, CTL_RX, &head, &len);
    }
    while (vg_used(&f.g, CTL_TX, &head, &len)) used++;
    assert_int_equal(used, 16);
    assert_int_equal(vg_reg(&f.g, VR_STATUS) & VIRTIO_NEEDS_RESET, 0);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_multiport),     cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_call_back),     cmocka_unit_test(test_resize),
        cmocka_unit_test(test_single_port),   cmocka_unit_test(test_emergency_write),
        cmocka_unit_test(test_control_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
