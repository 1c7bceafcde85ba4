// The virtio-mmio registers and the device status, with the entropy device behind them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "support/vguest.h"
#include "virtio/rng.h"

static void begin(struct vg *g) {
    vg_init(g);
    vg_attach(g, virtio_rng_create(g->bus, NULL));
}

static void test_identity(void **state) {
    (void)state;
    struct vg g;
    begin(&g);
    assert_int_equal(vg_reg(&g, 0), 0x74726976);
    assert_int_equal(vg_reg(&g, 4), 2);
    assert_int_equal(vg_reg(&g, 8), VIRTIO_ID_RNG);
    assert_int_equal(vg_reg(&g, 0xb0), 0xffffffff); // no shared memory
    assert_int_equal(vg_reg(&g, 0xbc), 0xffffffff);
    assert_int_equal(vg_config(&g, 0, 8), 0); // no configuration
    u64 v = 1;
    assert_true(bus_mmio_read(g.bus, VG_MMIO, 1, &v));
    assert_int_equal(v, 0); // registers are 32 bits wide
    assert_true(bus_mmio_write(g.bus, VG_MMIO + VR_STATUS, 1, 1));
    assert_int_equal(vg_reg(&g, VR_STATUS), 0);
    vg_free(&g);
}

static void test_features(void **state) {
    (void)state;
    struct vg g;
    begin(&g);
    u64 features = 0;
    for (u32 i = 0; i < 3; i++) {
        vg_set(&g, VR_FEATURES_SEL, i);
        if (i < 2)
            features |= (u64)vg_reg(&g, VR_FEATURES) << (32 * i);
        else
            assert_int_equal(vg_reg(&g, VR_FEATURES), 0);
    }
    assert_int_equal(features, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
    assert_true(vg_start(&g, 0));
    assert_true(vg_start(&g, features));
    assert_false(vg_start(&g, 1)); // not offered
    vg_go(&g);
    assert_int_equal(vg_reg(&g, VR_STATUS) & VIRTIO_DRIVER_OK, 0); // not without FEATURES_OK
    // A driver that does not accept VERSION_1 is refused.
    vg_set(&g, VR_STATUS, 0);
    vg_set(&g, VR_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    assert_int_equal(vg_reg(&g, VR_STATUS), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    vg_free(&g);
}

static void test_queue_registers(void **state) {
    (void)state;
    struct vg g;
    begin(&g);
    vg_set(&g, VR_QUEUE_SEL, 0);
    assert_int_equal(vg_reg(&g, VR_QUEUE_NUM_MAX), 8);
    vg_set(&g, VR_QUEUE_SEL, 1);
    assert_int_equal(vg_reg(&g, VR_QUEUE_NUM_MAX), 0);
    vg_set(&g, VR_QUEUE_READY, 1);
    assert_int_equal(vg_reg(&g, VR_QUEUE_READY), 0);
    vg_set(&g, VR_QUEUE_SEL, 0xffffffff);
    vg_set(&g, VR_QUEUE_NUM, 4);
    vg_set(&g, VR_QUEUE_READY, 1);
    vg_set(&g, VR_NOTIFY, 0xffffffff);
    vg_start(&g, 0);
    vg_queue(&g, 0, 4);
    assert_int_equal(vg_reg(&g, VR_QUEUE_READY), 1);
    vg_set(&g, VR_QUEUE_NUM, 3); // ignored while ready
    vg_go(&g);
    struct vg_seg seg = {vg_alloc(&g, 16), 16, true};
    u16 head;
    u32 len;
    vg_add(&g, 0, &seg, 1);
    vg_kick(&g, 0);
    assert_true(vg_used(&g, 0, &head, &len));
    vg_set(&g, VR_QUEUE_READY, 0);
    vg_add(&g, 0, &seg, 1);
    vg_kick(&g, 0);
    assert_false(vg_used(&g, 0, &head, &len));
    assert_int_equal(vg_reg(&g, VR_STATUS) & VIRTIO_NEEDS_RESET, 0);
    vg_free(&g);
}

static void test_rng(void **state) {
    (void)state;
    struct vg g;
    begin(&g);
    vg_start(&g, 0);
    vg_queue(&g, 0, 8);
    gpa a = vg_alloc(&g, 64), b = vg_alloc(&g, 100000);
    struct vg_seg one[] = {{a, 20, true}, {a + 32, 20, true}};
    struct vg_seg two = {b, 100000, true};
    u16 h1 = vg_add(&g, 0, one, 2), h2 = vg_add(&g, 0, &two, 1), head;
    u32 len;
    assert_false(vg_used(&g, 0, &head, &len));
    vg_go(&g); // what was available before is served now
    assert_true(vg_used(&g, 0, &head, &len));
    assert_int_equal(head, h1);
    assert_int_equal(len, 40);
    assert_true(vg_used(&g, 0, &head, &len));
    assert_int_equal(head, h2);
    assert_in_range(len, 256, 100000);
    assert_int_equal(g.irq_edges, 1); // one interrupt for both
    u8 zero[20] = {0};
    assert_memory_not_equal(bus_ram_ptr(g.bus, a, 20), zero, 20);
    assert_memory_not_equal(bus_ram_ptr(g.bus, a + 32, 20), zero, 20);
    assert_memory_equal(bus_ram_ptr(g.bus, a + 20, 12), zero, 12); // not between the segments
    struct vg_seg none = {a, 10, false};
    vg_add(&g, 0, &none, 1);
    vg_kick(&g, 0);
    assert_true(vg_reg(&g, VR_STATUS) & VIRTIO_NEEDS_RESET);
    vg_free(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_queue_registers),
        cmocka_unit_test(test_rng),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
