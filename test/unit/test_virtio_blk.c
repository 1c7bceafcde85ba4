// virtio block: every request type, odd framings, bounds, errors of the storage.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "support/vguest.h"
#include "virtio/blk.h"

enum { SECTORS = 1024, T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_ID = 8, T_DISCARD = 11, T_ZERO = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2 };

struct fixture {
    struct vg g;
    u8 *disk;
    bool broken; // the storage fails
    unsigned flushes;
    u32 used_len;
};

static bool disk_read(void *arg, u64 off, u8 *dst, u32 len) {
    struct fixture *f = arg;
    assert_true(off % 512 == 0 && len % 512 == 0 && off + len <= SECTORS * 512);
    memcpy(dst, f->disk + off, len);
    return !f->broken;
}
static bool disk_write(void *arg, u64 off, const u8 *src, u32 len) {
    struct fixture *f = arg;
    assert_true(off % 512 == 0 && len % 512 == 0 && off + len <= SECTORS * 512);
    if (!f->broken) memcpy(f->disk + off, src, len);
    return !f->broken;
}
static bool disk_flush(void *arg) {
    struct fixture *f = arg;
    f->flushes++;
    return !f->broken;
}

static void begin(struct fixture *f, bool readonly) {
    memset(f, 0, sizeof *f);
    f->disk = malloc(SECTORS * 512);
    for (u32 i = 0; i < SECTORS * 512; i++) f->disk[i] = (u8)(i / 512 + i);
    vg_init(&f->g);
    struct virtio_blk_backend b = {f, SECTORS * 512, readonly, disk_read, disk_write, disk_flush};
    vg_attach(&f->g, virtio_blk_create(&b, "serial", f->g.bus, NULL));
    assert_true(vg_start(&f->g, 0));
    vg_queue(&f->g, 0, 16);
    vg_go(&f->g);
}

static void end(struct fixture *f) {
    vg_free(&f->g);
    free(f->disk);
}

static gpa header(struct fixture *f, u32 type, u64 sector) {
    u8 h[16] = {0};
    put_le32(h, type);
    put_le64(h + 8, sector);
    return vg_put(&f->g, h, 16);
}

static u8 submit(struct fixture *f, const struct vg_seg *segs, unsigned n, gpa status) {
    u8 none = 0xee;
    bus_write(f->g.bus, status, &none, 1);
    u16 head = vg_add(&f->g, 0, segs, n), id;
    vg_kick(&f->g, 0);
    assert_true(vg_used(&f->g, 0, &id, &f->used_len));
    assert_int_equal(id, head);
    bus_read(f->g.bus, status, &none, 1);
    return none;
}

// The usual framing: header, data, status.
static u8 run(struct fixture *f, u32 type, u64 sector, gpa data, u32 len) {
    gpa status = vg_alloc(&f->g, 1);
    struct vg_seg segs[] = {{header(f, type, sector), 16, false},
                            {data, len, type == T_IN || type == T_ID},
                            {status, 1, true}};
    return submit(f, segs, 3, status);
}

static void test_config(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, false);
    assert_int_equal(vg_config(&f.g, 0, 8), SECTORS);
    assert_int_equal(vg_config(&f.g, 20, 4), 512);
    assert_int_equal(vg_reg(&f.g, VR_FEATURES) & (1 << 5), 0);
    end(&f);
    begin(&f, true);
    assert_int_equal(vg_reg(&f.g, VR_FEATURES) & (1 << 5), 1 << 5);
    assert_int_equal(vg_reg(&f.g, VR_FEATURES) & (1 << 13 | 1 << 14), 0);
    gpa data = vg_alloc(&f.g, 512);
    assert_int_equal(run(&f, T_OUT, 0, data, 512), IOERR);
    end(&f);
}

static void test_read_write(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, false);
    enum { LEN = 200 * 512 }; // several bounce buffers
    gpa data = vg_alloc(&f.g, LEN);
    assert_int_equal(run(&f, T_IN, 7, data, LEN), OK);
    assert_int_equal(f.used_len, LEN + 1);
    assert_memory_equal(bus_ram_ptr(f.g.bus, data, LEN), f.disk + 7 * 512, LEN);
    u8 *p = bus_ram_ptr(f.g.bus, data, LEN);
    for (u32 i = 0; i < LEN; i++) p[i] = (u8)(i * 31);
    assert_int_equal(run(&f, T_OUT, SECTORS - 200, data, LEN), OK);
    assert_int_equal(f.used_len, 1);
    assert_memory_equal(f.disk + (SECTORS - 200) * 512, p, LEN);
    assert_int_equal(run(&f, T_FLUSH, 0, data, 0), OK);
    assert_int_equal(f.flushes, 1);
    end(&f);
}

static void test_framing(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, false);
    // Header cut in two with data behind it, data cut at odd places, data and status together.
    u8 sector[512];
    for (unsigned i = 0; i < 512; i++) sector[i] = (u8)(i ^ 0x5a);
    u8 first[8 + 100];
    gpa h = header(&f, T_OUT, 3), status = vg_alloc(&f.g, 1);
    bus_read(f.g.bus, h + 8, first, 8);
    memcpy(first + 8, sector, 100);
    struct vg_seg out[] = {{h, 8, false},
                           {vg_put(&f.g, first, sizeof first), sizeof first, false},
                           {vg_put(&f.g, sector + 100, 412), 412, false},
                           {status, 1, true}};
    assert_int_equal(submit(&f, out, 4, status), OK);
    assert_memory_equal(f.disk + 3 * 512, sector, 512);
    gpa in = vg_alloc(&f.g, 513);
    struct vg_seg rd[] = {{header(&f, T_IN, 3), 16, false}, {in, 1, true}, {in + 1, 512, true}};
    assert_int_equal(submit(&f, rd, 3, in + 512), OK);
    assert_memory_equal(bus_ram_ptr(f.g.bus, in, 512), sector, 512);
    end(&f);
}

static void test_bounds(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, false);
    gpa data = vg_alloc(&f.g, 1024);
    assert_int_equal(run(&f, T_IN, SECTORS - 1, data, 512), OK);
    assert_int_equal(run(&f, T_IN, SECTORS - 1, data, 1024), IOERR);
    assert_int_equal(run(&f, T_IN, SECTORS, data, 512), IOERR);
    assert_int_equal(run(&f, T_IN, ~0ull, data, 512), IOERR);
    assert_int_equal(run(&f, T_IN, 1ull << 55, data, 512), IOERR);
    assert_int_equal(run(&f, T_OUT, ~0ull / 512, data, 1024), IOERR);
    assert_int_equal(run(&f, T_IN, 0, data, 511), IOERR);
    assert_int_equal(run(&f, T_OUT, 0, data, 100), IOERR);
    assert_int_equal(run(&f, 77, 0, data, 512), UNSUPP);
    f.broken = true;
    assert_int_equal(run(&f, T_IN, 0, data, 512), IOERR);
    assert_int_equal(run(&f, T_OUT, 0, data, 512), IOERR);
    assert_int_equal(run(&f, T_FLUSH, 0, data, 0), IOERR);
    end(&f);
}

static u8 range(struct fixture *f, u32 type, u64 sector, u32 count, u32 flags) {
    u8 r[16];
    put_le64(r, sector), put_le32(r + 8, count), put_le32(r + 12, flags);
    return run(f, type, 0, vg_put(&f->g, r, 16), 16);
}

static void test_ranges(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, false);
    u8 zeros[512 * 2] = {0};
    u8 after = f.disk[12 * 512];
    assert_int_equal(range(&f, T_ZERO, 10, 2, 0), OK);
    assert_memory_equal(f.disk + 10 * 512, zeros, sizeof zeros);
    assert_int_equal(f.disk[12 * 512], after);
    assert_int_equal(range(&f, T_ZERO, 0, SECTORS, 1), OK);
    assert_int_equal(f.disk[SECTORS * 512 - 1], 0);
    assert_int_equal(range(&f, T_ZERO, SECTORS - 1, 2, 0), IOERR);
    assert_int_equal(range(&f, T_ZERO, ~0ull, 2, 0), IOERR);
    assert_int_equal(range(&f, T_ZERO, 0, 1, 2), UNSUPP);
    assert_int_equal(range(&f, T_DISCARD, 0, SECTORS, 0), OK);
    assert_int_equal(range(&f, T_DISCARD, 0, 1, 1), UNSUPP);
    assert_int_equal(range(&f, T_DISCARD, SECTORS, 1, 0), IOERR);
    assert_int_equal(run(&f, T_ZERO, 0, vg_alloc(&f.g, 32), 32), IOERR); // one range only
    end(&f);
}

static void test_id(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, false);
    gpa data = vg_alloc(&f.g, 20);
    assert_int_equal(run(&f, T_ID, 0, data, 20), OK);
    assert_string_equal((char *)bus_ram_ptr(f.g.bus, data, 20), "serial");
    assert_int_equal(run(&f, T_ID, 0, data, 19), IOERR);
    end(&f);
}

static void test_no_header(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, false);
    struct vg_seg segs[] = {{header(&f, T_IN, 0), 15, false}, {vg_alloc(&f.g, 513), 513, true}};
    vg_add(&f.g, 0, segs, 2);
    vg_kick(&f.g, 0);
    assert_true(vg_reg(&f.g, VR_STATUS) & VIRTIO_NEEDS_RESET);
    assert_true(vg_start(&f.g, 0));
    vg_queue(&f.g, 0, 16);
    vg_go(&f.g);
    struct vg_seg no_status = {header(&f, T_OUT, 0), 16, false};
    vg_add(&f.g, 0, &no_status, 1);
    vg_kick(&f.g, 0);
    assert_true(vg_reg(&f.g, VR_STATUS) & VIRTIO_NEEDS_RESET);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),    cmocka_unit_test(test_read_write),
        cmocka_unit_test(test_framing),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_ranges),    cmocka_unit_test(test_id),
        cmocka_unit_test(test_no_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
