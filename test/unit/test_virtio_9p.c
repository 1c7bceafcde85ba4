// The virtio 9P transport: gathering, late and reordered replies, bounds, reset with requests in
// flight.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "support/vguest.h"
#include "virtio/9p.h"

enum { MAX_KEPT = 300 };

struct kept {
    void (*reply)(void *arg, const u8 *msg, size_t len);
    void *arg;
    size_t max_reply;
};

struct fixture {
    struct vg g;
    bool at_once;
    struct buf last; // the last request
    struct kept kept[MAX_KEPT];
    unsigned nkept, resets;
};

static void submit(void *arg, const u8 *msg, size_t len, size_t max_reply,
                   void (*reply)(void *reply_arg, const u8 *msg, size_t len), void *reply_arg) {
    struct fixture *f = arg;
    f->last.len = 0;
    buf_put(&f->last, msg, len);
    if (f->at_once) {
        reply(reply_arg, msg, len < max_reply ? len : max_reply);
        return;
    }
    assert_true(f->nkept < MAX_KEPT);
    f->kept[f->nkept++] = (struct kept){reply, reply_arg, max_reply};
}

static void reset(void *arg) {
    struct fixture *f = arg;
    f->nkept = 0;
    f->resets++;
}

static void begin(struct fixture *f) {
    memset(f, 0, sizeof *f);
    vg_init(&f->g);
    struct virtio_9p_server s = {f, submit, reset};
    vg_attach(&f->g, virtio_9p_create("tag-name", &s, f->g.bus, NULL));
    assert_true(vg_start(&f->g, 1 | VIRTIO_F_INDIRECT_DESC));
    vg_queue(&f->g, 0, 64);
    vg_go(&f->g);
}

static void end(struct fixture *f) {
    vg_free(&f->g);
    buf_free(&f->last);
}

// A message of `len` bytes in two pieces, with `room` bytes for the reply in two pieces.
static gpa request(struct fixture *f, u32 len, u32 room, u16 *head) {
    u8 *msg = calloc(1, len);
    put_le32(msg, len);
    for (u32 i = 4; i < len; i++) msg[i] = (u8)i;
    gpa out = vg_put(&f->g, msg, len), in = vg_alloc(&f->g, room);
    free(msg);
    struct vg_seg segs[] = {
        {out, 5, false}, {out + 5, len - 5, false}, {in, 6, true}, {in + 6, room - 6, true}};
    *head = vg_add(&f->g, 0, segs, 4);
    vg_kick(&f->g, 0);
    return in;
}

static void test_config(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    assert_int_equal(vg_config(&f.g, 0, 2), 8);
    char tag[9] = {0};
    for (u32 i = 0; i < 8; i++) tag[i] = (char)vg_config(&f.g, 2 + i, 1);
    assert_string_equal(tag, "tag-name");
    assert_int_equal(vg_config(&f.g, 10, 4), 0);
    end(&f);
}

static void test_at_once(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.at_once = true;
    u16 head, id;
    u32 len;
    gpa in = request(&f, 40, 64, &head);
    assert_int_equal(f.last.len, 40);
    assert_true(vg_used(&f.g, 0, &id, &len));
    assert_int_equal(id, head);
    assert_int_equal(len, 40);
    assert_memory_equal(bus_ram_ptr(f.g.bus, in, 40), f.last.data, 40);
    assert_true(f.g.irq);
    end(&f);
}

static void test_reordered(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    u16 head[3], id;
    u32 len;
    gpa in[3];
    for (unsigned i = 0; i < 3; i++) in[i] = request(&f, 20 + i, 32 + i, &head[i]);
    assert_int_equal(f.nkept, 3);
    assert_false(vg_used(&f.g, 0, &id, &len));
    static const unsigned order[] = {2, 0, 1};
    for (unsigned i = 0; i < 3; i++) {
        unsigned k = order[i];
        assert_int_equal(f.kept[k].max_reply, 32 + k);
        u8 msg[16];
        memset(msg, 'a' + (int)k, sizeof msg);
        f.kept[k].reply(f.kept[k].arg, msg, sizeof msg);
        assert_true(vg_used(&f.g, 0, &id, &len));
        assert_int_equal(id, head[k]);
        assert_int_equal(len, 16);
        assert_memory_equal(bus_ram_ptr(f.g.bus, in[k], 16), msg, 16);
    }
    end(&f);
}

static void test_reset_in_flight(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    u16 head;
    request(&f, 20, 32, &head);
    request(&f, 20, 32, &head);
    unsigned before = f.resets;
    assert_true(vg_start(&f.g, 1));
    assert_int_equal(f.resets, before + 1);
    assert_int_equal(f.nkept, 0);
    vg_queue(&f.g, 0, 64);
    vg_go(&f.g);
    request(&f, 20, 32, &head);
    assert_int_equal(f.nkept, 1); // destroyed with one in flight: the leak checker watches
    end(&f);
}

static bool needs_reset(struct fixture *f) { return vg_reg(&f->g, VR_STATUS) & VIRTIO_NEEDS_RESET; }

static void test_bad_requests(void **state) {
    (void)state;
    static const struct {
        u32 out, in, size;
    } cases[] = {
        {0, 64, 0},   {6, 64, 6},  {20, 10, 20},  {20, 0, 20},
        {20, 64, 21}, {20, 64, 3}, {20, 64, ~0u}, {VIRTIO_9P_MSIZE + 1, 64, 20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        begin(&f);
        gpa out = vg_alloc(&f.g, cases[i].out + 8), in = vg_alloc(&f.g, 64);
        u8 size[4];
        put_le32(size, cases[i].size);
        bus_write(f.g.bus, out, size, 4);
        struct vg_seg segs[] = {{out, cases[i].out, false}, {in, cases[i].in, true}};
        vg_add(&f.g, 0, segs, 2);
        vg_kick(&f.g, 0);
        assert_true(needs_reset(&f));
        assert_int_equal(f.nkept, 0);
        end(&f);
    }
}

static void test_largest(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.at_once = true;
    u16 head, id;
    u32 len;
    request(&f, VIRTIO_9P_MSIZE, VIRTIO_9P_MSIZE + 100, &head);
    assert_true(vg_used(&f.g, 0, &id, &len));
    assert_int_equal(len, VIRTIO_9P_MSIZE);
    end(&f);
}

// The same buffer made available over and over while it is in flight.
static void test_flood(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    u16 head;
    request(&f, 20, 32, &head);
    for (unsigned i = 0; i < MAX_KEPT && !needs_reset(&f); i++) {
        vg_avail(&f.g, 0, head);
        vg_kick(&f.g, 0);
    }
    assert_true(needs_reset(&f));
    assert_int_equal(f.nkept, 128);
    // Replies that come now are dropped.
    u16 id;
    u32 len;
    for (unsigned i = 0; i < 128; i++)
        f.kept[i].reply(f.kept[i].arg, (const u8 *)"0123456789a", 11);
    assert_false(vg_used(&f.g, 0, &id, &len));
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),       cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_reordered),    cmocka_unit_test(test_reset_in_flight),
        cmocka_unit_test(test_bad_requests), cmocka_unit_test(test_largest),
        cmocka_unit_test(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
