// The split virtqueue: chains as drivers make them, and rings and descriptors that break the rules.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "support/vguest.h"

enum { SIZE = 8, NEXT = 1, WRITE = 2, INDIRECT = 4 };

// A device that leaves its queue to the test.
struct idle {
    struct virtio_device dev;
    unsigned notified;
};

static void idle_notify(struct virtio_device *d, unsigned queue) {
    (void)queue;
    ((struct idle *)d)->notified++;
}
static void idle_destroy(struct virtio_device *d) { (void)d; }
static const struct virtio_ops idle_ops = {.notify = idle_notify, .destroy = idle_destroy};

struct fixture {
    struct vg g;
    struct idle dev;
    struct virtq *q;
    struct virtq_chain c;
};

static void begin(struct fixture *f, u64 features) {
    memset(f, 0, sizeof *f);
    vg_init(&f->g);
    virtio_init(&f->dev.dev, &idle_ops, 99, 0, 1, 64, f->g.bus, NULL);
    vg_attach(&f->g, &f->dev.dev);
    assert_true(vg_start(&f->g, features));
    vg_queue(&f->g, 0, SIZE);
    vg_go(&f->g);
    f->q = &f->dev.dev.queue[0];
}

static void test_chain(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    assert_int_equal(virtq_pop(f.q, &f.c), VIRTQ_EMPTY);
    gpa a = vg_put(&f.g, "hello ", 6), b = vg_put(&f.g, "world", 5), w = vg_alloc(&f.g, 10);
    struct vg_seg segs[] = {{a, 6, false}, {b, 5, false}, {w, 3, true}, {w + 3, 7, true}};
    u16 head = vg_add(&f.g, 0, segs, 4);
    assert_int_equal(virtq_pop(f.q, &f.c), VIRTQ_OK);
    assert_int_equal(f.c.head, head);
    assert_int_equal(f.c.nout, 2);
    assert_int_equal(f.c.nin, 2);
    assert_int_equal(f.c.out_len, 11);
    assert_int_equal(f.c.in_len, 10);
    char text[16] = {0};
    assert_int_equal(virtq_read(f.q, &f.c, 0, text, sizeof text), 11);
    assert_string_equal(text, "hello world");
    memset(text, 0, sizeof text);
    assert_int_equal(virtq_read(f.q, &f.c, 4, text, 4), 4);
    assert_string_equal(text, "o wo");
    assert_int_equal(virtq_read(f.q, &f.c, 11, text, 1), 0);
    assert_int_equal(virtq_write(f.q, &f.c, 2, "abcd", 4), 4);
    assert_memory_equal(bus_ram_ptr(f.g.bus, w, 10), "\0\0abcd\0\0\0\0", 10);
    assert_int_equal(virtq_write(f.q, &f.c, 8, "xyz", 3), 2);
    virtq_push(f.q, f.c.head, 10);
    u16 id;
    u32 len;
    assert_true(vg_used(&f.g, 0, &id, &len));
    assert_int_equal(id, head);
    assert_int_equal(len, 10);
    assert_false(vg_used(&f.g, 0, &id, &len));
    vg_free(&f.g);
}

static void test_wraps(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    gpa a = vg_alloc(&f.g, 4);
    // Enough rounds that the 16-bit ring indices wrap.
    for (unsigned i = 0; i < 70000; i++) {
        struct vg_seg seg = {a, 4, i & 1};
        u16 head = vg_add(&f.g, 0, &seg, 1), id;
        u32 len;
        assert_int_equal(virtq_pop(f.q, &f.c), VIRTQ_OK);
        virtq_push(f.q, f.c.head, i);
        assert_true(vg_used(&f.g, 0, &id, &len));
        assert_true(id == head && len == i);
    }
    vg_free(&f.g);
}

static void test_indirect(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, VIRTIO_F_INDIRECT_DESC);
    enum { N = 200 }; // more than the queue has descriptors
    struct vg_seg segs[N];
    gpa at = vg_alloc(&f.g, N);
    for (u32 i = 0; i < N; i++) segs[i] = (struct vg_seg){at + i, 1, i >= N / 2};
    vg_add_indirect(&f.g, 0, segs, N);
    assert_int_equal(virtq_pop(f.q, &f.c), VIRTQ_OK);
    assert_int_equal(f.c.out_len, N / 2);
    assert_int_equal(f.c.in_len, N / 2);
    u8 bytes[N / 2];
    memset(bytes, 'b', sizeof bytes);
    assert_int_equal(virtq_write(f.q, &f.c, 0, bytes, sizeof bytes), N / 2);
    assert_memory_equal(bus_ram_ptr(f.g.bus, at + N / 2, N / 2), bytes, N / 2);
    vg_free(&f.g);
}

// Every way to break a chain: the driver's write, and then popping fails.
static void bad_loop(struct vg *g) {
    vg_desc(g, 0, 0, VG_RAM_BASE, 1, NEXT, 1);
    vg_desc(g, 0, 1, VG_RAM_BASE, 1, NEXT, 0);
    vg_avail(g, 0, 0);
}
static void bad_head(struct vg *g) { vg_avail(g, 0, SIZE); }
static void bad_next(struct vg *g) {
    vg_desc(g, 0, 0, VG_RAM_BASE, 1, NEXT, SIZE);
    vg_avail(g, 0, 0);
}
static void bad_idx(struct vg *g) { vg_store16(g, g->q[0].avail + 2, SIZE + 1); }
static void bad_addr(struct vg *g) {
    vg_desc(g, 0, 0, VG_RAM_BASE + VG_RAM_SIZE - 1, 2, 0, 0);
    vg_avail(g, 0, 0);
}
static void bad_addr_low(struct vg *g) {
    vg_desc(g, 0, 0, 0, 16, WRITE, 0);
    vg_avail(g, 0, 0);
}
static void bad_addr_wrap(struct vg *g) {
    vg_desc(g, 0, 0, ~0ull - 1, 0xffffffff, 0, 0);
    vg_avail(g, 0, 0);
}
static void bad_order(struct vg *g) {
    vg_desc(g, 0, 0, VG_RAM_BASE, 1, NEXT | WRITE, 1);
    vg_desc(g, 0, 1, VG_RAM_BASE, 1, 0, 0);
    vg_avail(g, 0, 0);
}
static void bad_nested(struct vg *g) {
    gpa t = vg_alloc(g, 16);
    u8 d[16] = {0};
    put_le64(d, t);
    put_le32(d + 8, 16);
    put_le16(d + 12, INDIRECT);
    bus_write(g->bus, t, d, 16);
    vg_desc(g, 0, 0, t, 16, INDIRECT, 0);
    vg_avail(g, 0, 0);
}
static void bad_indirect_next(struct vg *g) {
    vg_desc(g, 0, 0, VG_RAM_BASE, 16, INDIRECT | NEXT, 1);
    vg_avail(g, 0, 0);
}
static void bad_indirect_len(struct vg *g) {
    vg_desc(g, 0, 0, VG_RAM_BASE, 24, INDIRECT, 0);
    vg_avail(g, 0, 0);
}
static void bad_indirect_empty(struct vg *g) {
    vg_desc(g, 0, 0, VG_RAM_BASE, 0, INDIRECT, 0);
    vg_avail(g, 0, 0);
}
static void bad_indirect_long(struct vg *g) {
    vg_desc(g, 0, 0, VG_RAM_BASE, 16 * (VIRTQ_MAX_SEGS + 1), INDIRECT, 0);
    vg_avail(g, 0, 0);
}
static void bad_indirect_next_out(struct vg *g) {
    gpa t = vg_alloc(g, 16);
    u8 d[16] = {0};
    put_le64(d, VG_RAM_BASE);
    put_le16(d + 12, NEXT);
    put_le16(d + 14, 1);
    bus_write(g->bus, t, d, 16);
    vg_desc(g, 0, 0, t, 16, INDIRECT, 0);
    vg_avail(g, 0, 0);
}
static void bad_total(struct vg *g) {
    // Lengths that sum up to more than 32 bits, all of them inside RAM; much less is too much.
    enum { N = 256 };
    gpa t = vg_alloc(g, 16 * N);
    for (u16 i = 0; i < N; i++) {
        u8 d[16];
        put_le64(d, VG_RAM_BASE);
        put_le32(d + 8, VG_RAM_SIZE);
        put_le16(d + 12, i + 1 < N ? NEXT : 0);
        put_le16(d + 14, (u16)(i + 1));
        // The table lies inside what it describes: reading happens once, so that is harmless.
        bus_write(g->bus, t + 16u * i, d, 16);
    }
    _Static_assert((u64)VG_RAM_SIZE * N > UINT32_MAX, "the total must overflow");
    vg_desc(g, 0, 0, t, 16 * N, INDIRECT, 0);
    vg_avail(g, 0, 0);
}

static void test_broken(void **state) {
    (void)state;
    static void (*const cases[])(struct vg *) = {
        bad_loop,          bad_head,
        bad_next,          bad_idx,
        bad_addr,          bad_addr_low,
        bad_addr_wrap,     bad_order,
        bad_nested,        bad_indirect_next,
        bad_indirect_len,  bad_indirect_empty,
        bad_indirect_long, bad_indirect_next_out,
        bad_total,
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        begin(&f, VIRTIO_F_INDIRECT_DESC);
        cases[i](&f.g);
        assert_int_equal(virtq_pop(f.q, &f.c), VIRTQ_BROKEN);
        // The device wrapper turns that into a needed reset, and says so by a configuration
        // interrupt.
        virtio_enter(&f.dev.dev);
        assert_false(virtio_pop(&f.dev.dev, 0, &f.c));
        assert_int_equal(vg_reg(&f.g, VR_STATUS) & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
        assert_int_equal(vg_reg(&f.g, VR_INT), VIRTIO_INT_CONFIG);
        assert_true(f.g.irq);
        unsigned before = f.dev.notified;
        vg_kick(&f.g, 0);
        assert_int_equal(f.dev.notified, before);
        // A reset brings it back.
        assert_true(vg_start(&f.g, 0));
        assert_false(f.g.irq);
        vg_queue(&f.g, 0, SIZE);
        vg_go(&f.g);
        vg_kick(&f.g, 0);
        assert_int_equal(f.dev.notified, before + 2); // at DRIVER_OK and by the kick
        assert_int_equal(virtq_pop(f.q, &f.c), VIRTQ_EMPTY);
        vg_free(&f.g);
    }
}

static void test_bad_setup(void **state) {
    (void)state;
    static const struct {
        u32 size;
        gpa desc, avail, used;
    } cases[] = {
        {0, VG_RAM_BASE, VG_RAM_BASE, VG_RAM_BASE},
        {3, VG_RAM_BASE, VG_RAM_BASE, VG_RAM_BASE},
        {128, VG_RAM_BASE, VG_RAM_BASE, VG_RAM_BASE},
        {0x10008, VG_RAM_BASE, VG_RAM_BASE, VG_RAM_BASE},
        {8, VG_RAM_BASE + 8, VG_RAM_BASE, VG_RAM_BASE},
        {8, VG_RAM_BASE, VG_RAM_BASE + 1, VG_RAM_BASE},
        {8, VG_RAM_BASE, VG_RAM_BASE, VG_RAM_BASE + 2},
        {8, 0, VG_RAM_BASE, VG_RAM_BASE},
        {8, VG_RAM_BASE, VG_RAM_BASE + VG_RAM_SIZE - 4, VG_RAM_BASE},
        {8, VG_RAM_BASE, VG_RAM_BASE, ~0ull << 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        begin(&f, 0);
        vg_start(&f.g, 0);
        vg_set(&f.g, VR_QUEUE_SEL, 0);
        vg_set(&f.g, VR_QUEUE_NUM, cases[i].size);
        vg_set(&f.g, VR_DESC, (u32)cases[i].desc);
        vg_set(&f.g, VR_DESC + 4, (u32)(cases[i].desc >> 32));
        vg_set(&f.g, VR_DRIVER, (u32)cases[i].avail);
        vg_set(&f.g, VR_DRIVER + 4, (u32)(cases[i].avail >> 32));
        vg_set(&f.g, VR_DEVICE, (u32)cases[i].used);
        vg_set(&f.g, VR_DEVICE + 4, (u32)(cases[i].used >> 32));
        vg_set(&f.g, VR_QUEUE_READY, 1);
        assert_int_equal(vg_reg(&f.g, VR_QUEUE_READY), 0);
        assert_int_equal(vg_reg(&f.g, VR_STATUS) & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
        vg_free(&f.g);
    }
}

static void push_one(struct fixture *f) {
    struct vg_seg seg = {VG_RAM_BASE, 1, false};
    vg_add(&f->g, 0, &seg, 1);
    virtio_enter(&f->dev.dev);
    assert_true(virtio_pop(&f->dev.dev, 0, &f->c));
    virtq_push(f->q, f->c.head, 0);
}

static void test_interrupt_flag(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    virtio_flush(&f.dev.dev, 0);
    assert_false(f.g.irq); // nothing was used
    push_one(&f);
    virtio_flush(&f.dev.dev, 0);
    assert_true(f.g.irq);
    assert_int_equal(vg_reg(&f.g, VR_INT), VIRTIO_INT_USED);
    vg_ack(&f.g);
    assert_false(f.g.irq);
    vg_store16(&f.g, f.g.q[0].avail, 1); // NO_INTERRUPT
    push_one(&f);
    virtio_flush(&f.dev.dev, 0);
    assert_false(f.g.irq);
    vg_free(&f.g);
}

static void test_event_idx(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, VIRTIO_F_EVENT_IDX);
    gpa used_event = f.g.q[0].avail + 4 + 2 * SIZE, avail_event = f.g.q[0].used + 4 + 8 * SIZE;
    vg_store16(&f.g, used_event, 2); // tell me when the third is used
    push_one(&f), push_one(&f);
    virtio_flush(&f.dev.dev, 0);
    assert_false(f.g.irq);
    push_one(&f);
    virtio_flush(&f.dev.dev, 0);
    assert_true(f.g.irq);
    vg_ack(&f.g);
    push_one(&f);
    virtio_flush(&f.dev.dev, 0);
    assert_false(f.g.irq); // the event has passed
    vg_store16(&f.g, used_event, 5);
    push_one(&f), push_one(&f), push_one(&f); // a batch that passes it
    virtio_flush(&f.dev.dev, 0);
    assert_true(f.g.irq);
    // When the device finds the ring empty it asks for the very next buffer.
    assert_int_equal(virtq_pop(f.q, &f.c), VIRTQ_EMPTY);
    assert_int_equal(vg_load16(&f.g, avail_event), 7);
    vg_free(&f.g);
}

// The used ring's index lies on the available ring's: every buffer returned makes one available.
static void test_overlapping_rings(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    struct vg_queue *q = &f.g.q[0];
    assert_true(vg_start(&f.g, 0));
    vg_queue(&f.g, 0, SIZE);
    vg_set(&f.g, VR_QUEUE_READY, 0);
    vg_set(&f.g, VR_DEVICE, (u32)q->avail);
    vg_set(&f.g, VR_QUEUE_READY, 1);
    vg_go(&f.g);
    vg_desc(&f.g, 0, 0, VG_RAM_BASE, 1, 0, 0);
    vg_store16(&f.g, q->avail + 2, 1);
    unsigned served = 0;
    virtio_enter(&f.dev.dev);
    while (served < 1000 && virtio_pop(&f.dev.dev, 0, &f.c)) {
        virtq_push(f.q, f.c.head, 0);
        vg_store16(&f.g, q->avail + 2, (u16)(f.q->next_avail + 1)); // as a device's write could
        served++;
    }
    assert_in_range(served, 1, SIZE);
    vg_free(&f.g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_wraps),
        cmocka_unit_test(test_indirect),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_bad_setup),
        cmocka_unit_test(test_interrupt_flag),
        cmocka_unit_test(test_overlapping_rings),
        cmocka_unit_test(test_event_idx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
