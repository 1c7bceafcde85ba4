// The guest physical bus: bounds of RAM accesses, MMIO dispatch, the watcher of writes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mem/bus.h"

enum { BASE = 0x80000000, SIZE = 0x10000 };

struct seen {
    gpa pa;
    u64 len, off, val;
    unsigned size, count;
};

static void written(void *arg, gpa pa, u64 len) {
    struct seen *s = arg;
    s->pa = pa, s->len = len, s->count++;
}

static u64 dev_read(void *dev, u64 off, unsigned size) {
    struct seen *s = dev;
    s->off = off, s->size = size;
    return 0x1122334455667788;
}
static void dev_write(void *dev, u64 off, unsigned size, u64 val) {
    struct seen *s = dev;
    s->off = off, s->size = size, s->val = val, s->count++;
}
static const struct mmio_ops dev_ops = {dev_read, dev_write};

static void test_ram_bounds(void **state) {
    (void)state;
    struct bus *b = bus_create(BASE, SIZE, NULL);
    assert_non_null(b);
    assert_int_equal(bus_ram_base(b), BASE);
    assert_int_equal(bus_ram_size(b), SIZE);
    u8 bytes[16] = "0123456789abcde";
    assert_true(bus_write(b, BASE + SIZE - 16, bytes, 16));
    assert_false(bus_write(b, BASE + SIZE - 15, bytes, 16));
    assert_false(bus_write(b, BASE - 1, bytes, 16));
    assert_false(bus_write(b, ~0ull - 7, bytes, 16));
    u8 back[16] = {0};
    assert_true(bus_read(b, BASE + SIZE - 16, back, 16));
    assert_memory_equal(back, bytes, 16);
    assert_false(bus_read(b, BASE + SIZE, back, 1));
    assert_non_null(bus_ram_ptr(b, BASE, SIZE));
    assert_null(bus_ram_ptr(b, BASE, SIZE + 1));
    assert_null(bus_ram_ptr(b, BASE + 8, ~0ull));
    assert_non_null(bus_ram_ptr(b, BASE + SIZE, 0));
    bus_destroy(b);
}

static void test_watcher(void **state) {
    (void)state;
    struct bus *b = bus_create(BASE, SIZE, NULL);
    struct seen s = {0};
    bus_set_watcher(b, written, &s);
    u8 bytes[8] = {0};
    bus_write(b, BASE + 100, bytes, 8);
    assert_int_equal(s.pa, BASE + 100);
    assert_int_equal(s.len, 8);
    bus_write(b, BASE + SIZE, bytes, 1);
    bus_write(b, BASE, bytes, 0);
    bus_read(b, BASE, bytes, 8);
    assert_int_equal(s.count, 1);
    bus_ram_written(b, BASE + 4096, 3);
    assert_int_equal(s.pa, BASE + 4096);
    bus_destroy(b);
}

static void test_mmio(void **state) {
    (void)state;
    struct bus *b = bus_create(BASE, SIZE, NULL);
    struct seen one = {0}, two = {0};
    bus_add_mmio(b, 0x1000, 0x100, &dev_ops, &one);
    bus_add_mmio(b, 0x1100, 0x100, &dev_ops, &two);
    u64 v = 0;
    assert_true(bus_mmio_read(b, 0x1104, 4, &v));
    assert_int_equal(v, 0x55667788); // cut to the size of the access
    assert_int_equal(two.off, 4);
    assert_int_equal(two.size, 4);
    assert_true(bus_mmio_write(b, 0x10ff, 1, 7));
    assert_int_equal(one.off, 0xff);
    assert_int_equal(one.val, 7);
    assert_false(bus_mmio_write(b, 0x10ff, 2, 7)); // not across two devices
    assert_false(bus_mmio_read(b, 0x1200, 1, &v));
    assert_false(bus_mmio_read(b, 0xfff, 1, &v));
    assert_false(bus_mmio_read(b, BASE, 4, &v)); // RAM is not MMIO
    assert_int_equal(one.count, 1);
    bus_destroy(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ram_bounds),
        cmocka_unit_test(test_watcher),
        cmocka_unit_test(test_mmio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
