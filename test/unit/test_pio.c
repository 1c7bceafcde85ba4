// Ports: dispatch, accesses that straddle devices, ports that are not there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mem/pio.h"

struct seen {
    u64 off, val;
    unsigned size;
};

static u64 dev_read(void *dev, u64 off, unsigned size) {
    struct seen *s = dev;
    s->off = off, s->size = size;
    return 0x1122334455667788;
}
static void dev_write(void *dev, u64 off, unsigned size, u64 val) {
    struct seen *s = dev;
    s->off = off, s->size = size, s->val = val;
}
static const struct mmio_ops dev_ops = {dev_read, dev_write};

static void test_whole(void **state) {
    (void)state;
    struct pio p = {0};
    struct seen dev = {0};
    pio_add(&p, 0x3f8, 8, &dev_ops, &dev);
    assert_int_equal(pio_read(&p, 0x3f9, 1), 0x88);
    assert_int_equal(dev.off, 1);
    assert_int_equal(pio_read(&p, 0x3fc, 4), 0x55667788);
    pio_write(&p, 0x3fe, 2, 0xffffabcd);
    assert_int_equal(dev.off, 6);
    assert_int_equal(dev.size, 2);
    assert_int_equal(dev.val, 0xabcd);
}

static void test_straddling(void **state) {
    (void)state;
    struct pio p = {0};
    struct seen one = {0}, two = {0};
    pio_add(&p, 0x3f8, 8, &dev_ops, &one);
    pio_add(&p, 0x400, 1, &dev_ops, &two);
    assert_int_equal(pio_read(&p, 0x3ff, 4), 0xffff8888);
    assert_int_equal(one.off, 7);
    assert_int_equal(one.size, 1);
    assert_int_equal(two.size, 1);
    pio_write(&p, 0x3f6, 4, 0x44332211);
    assert_int_equal(one.off, 1);
    assert_int_equal(one.val, 0x44);
    pio_write(&p, 0x3ff, 2, 0x6655);
    assert_int_equal(one.val, 0x55);
    assert_int_equal(two.val, 0x66);
}

static void test_absent(void **state) {
    (void)state;
    struct pio p = {0};
    struct seen last = {0};
    assert_int_equal(pio_read(&p, 0x60, 1), 0xff);
    assert_int_equal(pio_read(&p, 0x60, 4), 0xffffffff);
    pio_write(&p, 0x60, 4, 1);
    pio_add(&p, 0xfffe, 2, &dev_ops, &last);
    assert_int_equal(pio_read(&p, 0xffff, 2), 0xff88);
    assert_int_equal(last.off, 1);
    pio_write(&p, 0xffff, 2, 0x1234);
    assert_int_equal(last.val, 0x34);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_straddling),
        cmocka_unit_test(test_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
