// The x86_64 board around a CPU that only records: kernels of every kind and damaged ones, what
// they find in low memory, and the devices through the CPU's hooks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "guest/x86_64.h"
#include "machine/internal.h"
#include "machine/load_elf.h"
#include "machine/x86_64.h"
#include "virtio/rng.h"

// The CPU. Everything of exec/cpu.h that the board and machine.c use is defined here, so the real
// one is not linked.

struct guest_arch {
    int unused;
};
extern const struct guest_arch guest_x86_64, guest_riscv64;
const struct guest_arch guest_x86_64 = {0}, guest_riscv64 = {0};

struct cpu {
    struct cpu_board board;
    u64 pc, arg0, arg1;
    unsigned intr, nmi;
};

struct cpu *cpu_create(const struct guest_arch *arch, struct bus *bus,
                       const struct cpu_board *board, const struct cpu_settings *settings,
                       struct err *err) {
    (void)bus, (void)settings, (void)err;
    assert_ptr_equal(arch, &guest_x86_64);
    struct cpu *c = calloc(1, sizeof *c);
    c->board = *board;
    return c;
}
void cpu_destroy(struct cpu *c) { free(c); }
void cpu_boot(struct cpu *c, gva pc, u64 arg0, u64 arg1) {
    c->pc = pc, c->arg0 = arg0, c->arg1 = arg1;
}
enum cpu_stop cpu_run(struct cpu *c, u64 max) {
    (void)c, (void)max;
    return CPU_STOP_IDLE;
}
void cpu_set_irq(struct cpu *c, unsigned line, bool level) {
    assert_true(level && (line == X86_LINE_INTR || line == X86_LINE_NMI));
    (*(line == X86_LINE_INTR ? &c->intr : &c->nmi))++;
}
u64 cpu_next_timer(struct cpu *c) {
    (void)c;
    return ~0ull;
}
bool cpu_has_work(struct cpu *c) {
    (void)c;
    return false;
}
void cpu_request_stop(struct cpu *c) { (void)c; }
u64 cpu_icount(const struct cpu *c) {
    (void)c;
    return 0;
}
size_t cpu_describe(struct cpu *c, char *buf, size_t cap) {
    (void)c, (void)buf, (void)cap;
    return 0;
}

// Images.

enum { MB = 1 << 20, MEMORY = 64 * MB, FILE_MAX_SIZE = 16384 };

struct image {
    u8 bytes[FILE_MAX_SIZE];
    size_t len;
};

enum { CODE = 0x1000, NOTES = 0x2000 }; // offsets in the files below

static void note(struct image *im, const char *name, u32 type, u32 desc) {
    u8 *p = im->bytes + NOTES;
    size_t n = strlen(name) + 1;
    put_le32(p, (u32)n);
    put_le32(p + 4, 4);
    put_le32(p + 8, type);
    memcpy(p + 12, name, n);
    put_le32(p + 12 + (n + 3) / 4 * 4, desc);
}

// One segment of 0x100 bytes of file and 0x3000 of memory at 2 MiB; virtual addresses high for 64
// bits.
static void elf64(struct image *im, bool with_note) {
    memset(im, 0, sizeof *im);
    u8 *p = im->bytes;
    im->len = 0x2100;
    memcpy(p, "\177ELF\2\1\1", 7);
    put_le16(p + 16, 2);
    put_le16(p + 18, EM_X86_64);
    put_le64(p + 24, 0xffffffff80200010);
    put_le64(p + 32, 64);
    put_le16(p + 54, 56);
    put_le16(p + 56, with_note ? 2 : 1);
    u8 *h = p + 64;
    put_le32(h, 1);
    put_le64(h + 8, CODE);
    put_le64(h + 16, 0xffffffff80200000);
    put_le64(h + 24, 2 * MB);
    put_le64(h + 32, 0x100);
    put_le64(h + 40, 0x3000);
    put_le32(h + 56, 4);
    put_le64(h + 56 + 8, NOTES);
    put_le64(h + 56 + 32, 0x40);
    memset(p + CODE, 0x90, 0x100);
}

static void elf32(struct image *im, bool multiboot) {
    memset(im, 0, sizeof *im);
    u8 *p = im->bytes;
    im->len = 0x1100;
    memcpy(p, "\177ELF\1\1\1", 7);
    put_le16(p + 16, 2);
    put_le16(p + 18, EM_386);
    put_le32(p + 24, 0x200020);
    put_le32(p + 28, 52);
    put_le16(p + 42, 32);
    put_le16(p + 44, 1);
    u8 *h = p + 52;
    put_le32(h, 1);
    put_le32(h + 4, CODE);
    put_le32(h + 8, 2 * MB);
    put_le32(h + 12, 2 * MB);
    put_le32(h + 16, 0x100);
    put_le32(h + 20, 0x4000);
    memset(p + CODE, 0x90, 0x100);
    if (!multiboot) return;
    put_le32(p + CODE, 0x1badb002);
    put_le32(p + CODE + 4, 3);
    put_le32(p + CODE + 8, (u32) - (0x1badb002 + 3));
}

static void bzimage(struct image *im) {
    memset(im, 0, sizeof *im);
    u8 *p = im->bytes;
    im->len = 0x1000;
    p[0x1f1] = 2; // sectors besides the first: the kernel is at 0x600
    put_le16(p + 0x1fe, 0xaa55);
    p[0x201] = 0x6a;
    memcpy(p + 0x202, "HdrS", 4);
    put_le16(p + 0x206, 0x20f);
    p[0x211] = 1;
    put_le32(p + 0x22c, 0x7fffffff);
    put_le32(p + 0x230, 0x200000);
    put_le16(p + 0x236, 1);
    put_le32(p + 0x238, 2047);
    put_le64(p + 0x258, 0x1000000);
    put_le32(p + 0x260, 0x10000);
    memset(p + 0x600, 0xcc, 0xa00);
}

// Machines.

struct fixture {
    struct machine m;
    struct err err;
    u8 out[64];
    size_t nout;
    struct image image;
    struct machine_settings s;
};

static void console(void *arg, const u8 *p, size_t n) {
    struct fixture *f = arg;
    assert_true(f->nout + n <= sizeof f->out);
    memcpy(f->out + f->nout, p, n);
    f->nout += n;
}

static const u8 initrd[5000] = {[0] = 'i', [4999] = 'd'};

static struct fixture *fixture(void (*make)(struct image *im)) {
    struct fixture *f = calloc(1, sizeof *f);
    if (make) make(&f->image);
    f->s = (struct machine_settings){
        .arch = "x86_64",
        .memory = MEMORY,
        .kernel = f->image.bytes,
        .kernel_len = f->image.len,
        .initrd = initrd,
        .initrd_len = sizeof initrd,
        .cmdline = "quiet",
    };
    return f;
}

static int start(struct fixture *f, unsigned nvirtio) {
    f->m.ops = &board_x86_64;
    f->m.arg = f;
    f->m.console_out = console;
    f->m.cpu_board.arg = &f->m;
    assert_true(buf_reserve(&f->m.out, 4096));
    int rc = board_x86_64.create(&f->m, &f->s, &f->err);
    for (unsigned i = 0; rc == 0 && i < nvirtio; i++)
        assert_true(board_x86_64.attach(&f->m, virtio_rng_create(f->m.bus, NULL)));
    return rc ? rc : board_x86_64.boot(&f->m, &f->s, &f->err);
}

static void finish(struct fixture *f) {
    for (unsigned i = 0; i < f->m.nvirtio; i++) virtio_mmio_destroy(f->m.virtio[i]);
    board_x86_64.destroy(&f->m);
    buf_free(&f->m.out);
    free(f);
}

static const u8 *ram(struct fixture *f, gpa at) { return bus_ram_ptr(f->m.bus, at, 1); }
static const char *text(struct fixture *f, gpa at) { return (const char *)ram(f, at); }

static void make_linux(struct image *im) {
    elf64(im, true);
    note(im, "Linux", 0x101, 0);
}
static void make_pvh(struct image *im) {
    elf64(im, true);
    note(im, "Xen", 18, 0x200abc);
}
static void make_elf64(struct image *im) { elf64(im, false); }
static void make_elf32(struct image *im) { elf32(im, false); }
static void make_multiboot(struct image *im) { elf32(im, true); }

// Boot protocols.

static void check_map(const u8 *p, unsigned stride) {
    assert_int_equal(get_le64(p), 0);
    assert_int_equal(get_le64(p + 8), 0x9fc00);
    assert_int_equal(get_le32(p + 16), 1);
    assert_int_equal(get_le32(p + stride + 16), 2);
    assert_int_equal(get_le64(p + stride) + get_le64(p + stride + 8), MB);
    assert_int_equal(get_le64(p + 2 * stride), MB);
    assert_int_equal(get_le64(p + 2 * stride + 8), MEMORY - MB);
    assert_int_equal(get_le32(p + 2 * stride + 16), 1);
}

static void check_initrd(struct fixture *f, u64 at, u64 len) {
    assert_int_equal(at, MEMORY - 8192);
    assert_int_equal(len, sizeof initrd);
    assert_memory_equal(ram(f, at), initrd, sizeof initrd);
}

static void check_long_mode(struct fixture *f) {
    assert_int_equal(get_le64(ram(f, 0x510)), 0x00af9b000000ffff);
    assert_int_equal(get_le64(ram(f, 0x518)), 0x00cf93000000ffff);
    // A walk of some addresses.
    static const u64 at[] = {0, 0x1000000, 0x7fe00000, 0xfee00000};
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        u64 e = get_le64(ram(f, X86_BOOT_CR3));
        assert_int_equal(e & 0xfff, 3);
        e = get_le64(ram(f, (e & ~0xfffull) + 8 * (at[i] >> 30)));
        e = get_le64(ram(f, (e & ~0xfffull) + 8 * (at[i] >> 21 & 511)));
        assert_int_equal(e, (at[i] & ~0x1fffffull) | 0x83);
    }
}

static void test_linux(void **state) {
    (void)state;
    struct fixture *f = fixture(make_linux);
    assert_int_equal(start(f, 2), 0);
    assert_int_equal(f->m.cpu->pc, 0x200010);
    assert_int_equal(f->m.cpu->arg0, X86_BOOT_LONG);
    gpa z = f->m.cpu->arg1;
    assert_int_equal(*ram(f, 0x2000ff), 0x90);
    assert_int_equal(*ram(f, 0x200100), 0);
    assert_int_equal(get_le16(ram(f, z + 0x1fe)), 0xaa55);
    assert_memory_equal(ram(f, z + 0x202), "HdrS", 4);
    assert_int_equal(*ram(f, z + 0x1ef), 0); // the sentinel: we filled all the fields
    assert_int_equal(*ram(f, z + 0x210), 0xff);
    check_initrd(f, get_le32(ram(f, z + 0x218)), get_le32(ram(f, z + 0x21c)));
    assert_string_equal(text(f, get_le32(ram(f, z + 0x228))),
                        "quiet virtio_mmio.device=4K@0xfed00000:16 "
                        "virtio_mmio.device=4K@0xfed01000:17");
    assert_int_equal(*ram(f, z + 0x1e8), 3);
    check_map(ram(f, z + 0x2d0), 20);
    const u8 *seed = ram(f, get_le64(ram(f, z + 0x250)));
    assert_int_equal(get_le64(seed), 0);
    assert_int_equal(get_le32(seed + 8), 9);
    assert_int_equal(get_le32(seed + 12), 32);
    u8 zero[32] = {0};
    assert_memory_not_equal(seed + 16, zero, 32);
    check_long_mode(f);
    finish(f);
}

static void test_bzimage(void **state) {
    (void)state;
    struct fixture *f = fixture(bzimage);
    f->s.cmdline = NULL;
    assert_int_equal(start(f, 0), 0);
    assert_int_equal(f->m.cpu->pc, 0x1000200);
    assert_int_equal(f->m.cpu->arg0, X86_BOOT_LONG);
    gpa z = f->m.cpu->arg1;
    assert_int_equal(*ram(f, 0x10009ff), 0xcc);
    assert_int_equal(*ram(f, 0x1000a00), 0);
    assert_int_equal(*ram(f, z + 0x1f1), 2); // its own header
    assert_int_equal(get_le32(ram(f, z + 0x230)), 0x200000);
    assert_int_equal(get_le64(ram(f, z + 0x258)), 0x1000000);
    assert_int_equal(*ram(f, z + 0x210), 0xff);
    check_initrd(f, get_le32(ram(f, z + 0x218)), get_le32(ram(f, z + 0x21c)));
    assert_string_equal(text(f, get_le32(ram(f, z + 0x228))), "");
    finish(f);

    f = fixture(bzimage); // an old kernel's initramfs must lie low
    put_le32(f->image.bytes + 0x22c, 0x02ffffff);
    assert_int_equal(start(f, 0), 0);
    assert_int_equal(get_le32(ram(f, f->m.cpu->arg1 + 0x218)), 0x3000000 - 8192);
    finish(f);
}

static void check_start_info(struct fixture *f) {
    gpa i = f->m.cpu->arg1;
    assert_int_equal(get_le32(ram(f, i)), 0x336ec578);
    assert_int_equal(get_le32(ram(f, i + 4)), 1);
    assert_int_equal(get_le32(ram(f, i + 12)), 1);
    const u8 *mod = ram(f, get_le64(ram(f, i + 16)));
    check_initrd(f, get_le64(mod), get_le64(mod + 8));
    assert_string_equal(text(f, get_le64(ram(f, i + 24))),
                        "quiet virtio_mmio.device=4K@0xfed00000:16");
    assert_int_equal(get_le64(ram(f, i + 32)), 0);
    assert_int_equal(get_le32(ram(f, i + 48)), 3);
    check_map(ram(f, get_le64(ram(f, i + 40))), 24);
}

static void test_pvh(void **state) {
    (void)state;
    struct fixture *f = fixture(make_pvh);
    assert_int_equal(start(f, 1), 0);
    assert_int_equal(f->m.cpu->pc, 0x200abc);
    assert_int_equal(f->m.cpu->arg0, 0);
    assert_int_equal(get_le64(ram(f, 0x510)), 0x00cf9b000000ffff);
    check_start_info(f);
    finish(f);
    f = fixture(make_pvh); // entry outside RAM
    note(&f->image, "Xen", 18, 0xfffffff0);
    assert_int_not_equal(start(f, 0), 0);
    assert_non_null(strstr(f->err.msg, "outside RAM"));
    finish(f);
}

static void test_plain_elf(void **state) {
    (void)state;
    struct fixture *f = fixture(make_elf64);
    assert_int_equal(start(f, 1), 0);
    assert_int_equal(f->m.cpu->pc, 0x200010);
    assert_int_equal(f->m.cpu->arg0, X86_BOOT_LONG);
    check_start_info(f);
    check_long_mode(f);
    finish(f);
    f = fixture(make_elf32);
    assert_int_equal(start(f, 1), 0);
    assert_int_equal(f->m.cpu->pc, 0x200020);
    assert_int_equal(f->m.cpu->arg0, 0);
    check_start_info(f);
    finish(f);
}

static void check_multiboot_info(struct fixture *f) {
    gpa i = f->m.cpu->arg1;
    assert_int_equal(f->m.cpu->arg0, 0x2badb002);
    assert_int_equal(get_le32(ram(f, i)), 1 | 4 | 8 | 1 << 6 | 1 << 9);
    assert_int_equal(get_le32(ram(f, i + 4)), 639);
    assert_int_equal(get_le32(ram(f, i + 8)), (MEMORY - MB) >> 10);
    assert_string_equal(text(f, get_le32(ram(f, i + 16))), "kernel quiet");
    assert_int_equal(get_le32(ram(f, i + 20)), 1);
    const u8 *mod = ram(f, get_le32(ram(f, i + 24)));
    check_initrd(f, get_le32(mod), get_le32(mod + 4) - get_le32(mod));
    assert_int_equal(get_le32(ram(f, i + 44)), 3 * 24);
    const u8 *map = ram(f, get_le32(ram(f, i + 48)));
    assert_int_equal(get_le32(map), 20);
    check_map(map + 4, 24);
    assert_string_equal(text(f, get_le32(ram(f, i + 64))), "berth");
}

static void test_multiboot(void **state) {
    (void)state;
    struct fixture *f = fixture(make_multiboot);
    assert_int_equal(start(f, 1), 0);
    assert_int_equal(f->m.cpu->pc, 0x200020);
    check_multiboot_info(f);
    finish(f);

    // By the header's addresses: not an ELF file at all.
    f = fixture(make_multiboot);
    u8 *h = f->image.bytes + CODE;
    memset(f->image.bytes, 0, CODE);
    put_le32(h + 4, 1 << 16);
    put_le32(h + 8, (u32) - (0x1badb002 + (1 << 16)));
    put_le32(h + 12, 0x300100); // header
    put_le32(h + 16, 0x300000); // load: 0x100 before it
    put_le32(h + 20, 0);        // up to the file's end
    put_le32(h + 24, 0x310000);
    put_le32(h + 28, 0x300140);
    assert_int_equal(start(f, 0), 0);
    assert_int_equal(f->m.cpu->pc, 0x300140);
    assert_int_equal(get_le32(ram(f, 0x300100)), 0x1badb002);
    check_multiboot_info(f);
    finish(f);

    f = fixture(make_multiboot); // a feature nobody has
    put_le32(f->image.bytes + CODE + 4, 8);
    put_le32(f->image.bytes + CODE + 8, (u32) - (0x1badb002 + 8));
    assert_int_equal(start(f, 0), -ERR_UNSUPPORTED);
    finish(f);
}

static u8 sum(const u8 *p, size_t n) {
    u8 s = 0;
    while (n--) s += *p++;
    return s;
}

static void test_mp_table(void **state) {
    (void)state;
    struct fixture *f = fixture(make_linux);
    f->s.cmdline = "";
    assert_int_equal(start(f, MACHINE_MAX_VIRTIO), 0);
    const u8 *p = ram(f, 0x9fc00);
    assert_memory_equal(p, "_MP_", 4);
    assert_int_equal(sum(p, 16), 0);
    const u8 *t = ram(f, get_le32(p + 4));
    unsigned len = get_le16(t + 4), n = get_le16(t + 34), at = 44, ints = 0;
    assert_memory_equal(t, "PCMP", 4);
    assert_int_equal(sum(t, len), 0);
    assert_int_equal(get_le32(t + 36), 0xfee00000);
    for (unsigned i = 0; i < n; i++) {
        const u8 *e = t + at;
        at += e[0] == 0 ? 20 : 8;
        if (e[0] == 2) assert_int_equal(get_le32(e + 4), 0xfec00000);
        if (e[0] != 3) continue;
        assert_int_equal(e[5], e[7]); // identity
        assert_int_equal(get_le16(e + 2), e[5] >= 16 ? 0xd : 0);
        assert_int_equal(e[5], ints ? 15 + ints : 4);
        ints++;
    }
    assert_int_equal(at, len);
    assert_int_equal(ints, 1 + MACHINE_MAX_VIRTIO);
    finish(f);
}

// Images and settings that cannot be.

struct change {
    unsigned off, size;
    u64 val;
    const char *says;
};

static void refused(void (*make)(struct image *im), const struct change *c) {
    struct fixture *f = fixture(make);
    u8 v[8];
    put_le64(v, c->val);
    memcpy(f->image.bytes + c->off, v, c->size);
    assert_int_not_equal(start(f, 0), 0);
    if (!strstr(f->err.msg, c->says)) fail_msg("'%s' has no '%s'", f->err.msg, c->says);
    finish(f);
}

static void test_refused(void **state) {
    (void)state;
    static const struct change elf[] = {
        {18, 2, EM_RISCV, "machine 243"},
        {5, 1, 2, "little-endian"},
        {16, 2, 1, "type 1"},
        {56, 2, 0, "program headers"},
        {32, 8, ~0ull - 8, "program headers"},
        {64 + 8, 8, 0x10000, "truncated"},
        {64 + 24, 8, 0x8000, "0x8000"},
        {64 + 24, 8, 0xfec00000, "MiB of memory"},
        {64 + 40, 8, 0x10000000, "MiB of memory"},
        {64 + 40, 8, 0x10, "damaged"},
        {24, 8, 1ull << 40, "entry point"},
        {0, 1, 0, "neither a bzImage nor an ELF file"},
        {0, 4, 0x088b1f, "gzip"},
    };
    for (size_t i = 0; i < ARRAY_LEN(elf); i++) refused(make_linux, &elf[i]);
    static const struct change bz[] = {
        {0x206, 2, 0x20b, "64-bit entry"},  {0x236, 2, 0, "64-bit entry"},
        {0x211, 1, 0, "64-bit entry"},      {0x1f1, 1, 100, "truncated"},
        {0x258, 8, 0x1000, "damaged"},      {0x258, 8, ~0ull - 4096, "damaged"},
        {0x260, 4, ~0u, "MiB of memory"},   {0x258, 8, 0xf0000000, "MiB of memory"},
        {0x22c, 4, 0x100ffff, "initramfs"}, {0x22c, 4, 0, "initramfs"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bz); i++) refused(bzimage, &bz[i]);
}

static void test_limits(void **state) {
    (void)state;
    struct fixture *f = fixture(make_linux);
    f->s.memory = 4096ull * MB;
    assert_int_equal(start(f, 0), -ERR_LIMIT);
    assert_non_null(strstr(f->err.msg, "4064 MiB"));
    finish(f);
    f = fixture(make_linux);
    char *line = calloc(1, 2000);
    memset(line, 'x', 1999);
    f->s.cmdline = line;
    assert_int_equal(start(f, 2), -ERR_LIMIT);
    assert_non_null(strstr(f->err.msg, "command line"));
    free(line);
    finish(f);
    f = fixture(make_linux);
    f->s.initrd_len = MEMORY;
    assert_int_equal(start(f, 0), -ERR_NOMEM);
    finish(f);
}

// Devices, as the CPU reaches them.

static void out8(struct fixture *f, u16 port, u8 v) {
    f->m.cpu->board.port_write(&f->m, port, 1, v);
}
static u8 in8(struct fixture *f, u16 port) { return (u8)f->m.cpu->board.port_read(&f->m, port, 1); }
static void wrmsr(struct fixture *f, u32 msr, u64 v) {
    assert_true(f->m.cpu->board.msr_write(&f->m, msr, v));
}
static void route(struct fixture *f, unsigned pin, u32 entry) {
    assert_true(bus_mmio_write(f->m.bus, 0xfec00000, 4, 0x10 + 2 * pin));
    assert_true(bus_mmio_write(f->m.bus, 0xfec00010, 4, entry));
}

static void test_interrupts(void **state) {
    (void)state;
    struct fixture *f = fixture(make_linux);
    assert_int_equal(start(f, 1), 0);
    const struct cpu_board *b = &f->m.cpu->board;
    wrmsr(f, 0x1b, 0xfee00c00);
    wrmsr(f, 0x80f, 0x1ff);
    route(f, 4, 0x34);
    route(f, 16, 0x50 | 1 << 15);
    assert_false(b->irq_pending(&f->m));
    assert_int_equal(b->irq_ack(&f->m), -1);
    // The UART receives: pin 4, an edge.
    out8(f, 0x3f9, 1);
    assert_int_equal(board_x86_64.serial_input(&f->m, (const u8 *)"z", 1), 1);
    assert_int_equal(f->m.cpu->intr, 1);
    assert_true(b->irq_pending(&f->m));
    assert_int_equal(b->irq_ack(&f->m), 0x34);
    assert_int_equal(in8(f, 0x3f8), 'z');
    wrmsr(f, 0x80b, 0);
    // A device: pin 16, a level. The queue does not matter here, only the line.
    static const u32 driver[][2] = {{0x70, 1}, {0x70, 3},  {0x24, 1},
                                    {0x20, 1}, {0x70, 11}, {0x70, 15}};
    for (size_t i = 0; i < ARRAY_LEN(driver); i++)
        assert_true(bus_mmio_write(f->m.bus, 0xfed00000 + driver[i][0], 4, driver[i][1]));
    virtio_fail(virtio_mmio_device(f->m.virtio[0]), "test");
    assert_true(b->irq_pending(&f->m));
    assert_int_equal(b->irq_ack(&f->m), 0x50);
    wrmsr(f, 0x80b, 0);
    assert_int_equal(b->irq_ack(&f->m), 0x50); // not acknowledged at the device
    assert_true(bus_mmio_write(f->m.bus, 0xfed00064, 4, 3));
    wrmsr(f, 0x80b, 0);
    assert_false(b->irq_pending(&f->m));
    // The timer, far away and at once.
    assert_int_equal(b->irq_timer(&f->m), ~0ull);
    wrmsr(f, 0x832, 2 << 17 | 0xec);
    u64 tsc = 0, cr8 = 0;
    assert_true(b->msr_read(&f->m, X86_MSR_TSC, &tsc));
    wrmsr(f, 0x6e0, tsc + 1000000000000);
    assert_int_equal(b->irq_timer(&f->m), tsc + 1000000000000);
    wrmsr(f, X86_MSR_TPR, 14 << 4); // CR8 = 14 holds it back
    wrmsr(f, 0x6e0, 1);
    assert_false(b->irq_pending(&f->m));
    assert_true(b->msr_read(&f->m, X86_MSR_TPR, &cr8));
    assert_int_equal(cr8, 0xe0);
    wrmsr(f, X86_MSR_TPR, 0);
    assert_int_equal(b->irq_ack(&f->m), 0xec);
    wrmsr(f, 0x830, 4 << 8);
    assert_int_equal(f->m.cpu->nmi, 1);
    assert_false(b->msr_read(&f->m, 0x174, &tsc));
    assert_false(b->msr_write(&f->m, 0x174, 0));
    finish(f);
}

static void test_clock(void **state) {
    (void)state;
    struct fixture *f = fixture(make_linux);
    assert_int_equal(start(f, 0), 0);
    wrmsr(f, 0x4b564d01, 0x300001);
    const u8 *t = ram(f, 0x300000);
    u64 before = get_le64(t + 8), tsc = 0;
    wrmsr(f, X86_MSR_TSC, before + 1000000000000); // what is published follows
    assert_true(get_le64(t + 8) >= before + 1000000000000);
    assert_true(f->m.cpu->board.msr_read(&f->m, X86_MSR_TSC, &tsc));
    assert_true(tsc >= get_le64(t + 8));
    wrmsr(f, 0x4b564d00, 0x300100);
    assert_true(get_le32(ram(f, 0x300104)) > 1700000000);
    finish(f);
}

static void test_ends(void **state) {
    (void)state;
    static const struct {
        u16 port;
        unsigned size;
        u32 val;
        enum machine_state state;
        int code;
    } ends[] = {
        {0xf4, 4, 0, MACHINE_FAILED, 1},      {0xf4, 1, 0x10, MACHINE_FAILED, 0x21},
        {0xf4, 4, 0x7f, MACHINE_FAILED, 255}, {0x604, 2, 0x2000, MACHINE_POWEROFF, 0},
        {0x64, 1, 0xfe, MACHINE_REBOOT, 0},   {0xcf9, 1, 6, MACHINE_REBOOT, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct fixture *f = fixture(make_linux);
        assert_int_equal(start(f, 0), 0);
        f->m.cpu->board.port_write(&f->m, ends[i].port, ends[i].size, ends[i].val);
        assert_int_equal(f->m.end.state, ends[i].state);
        assert_int_equal(f->m.end.exit_code, ends[i].code);
        finish(f);
    }
}

static void test_serial(void **state) {
    (void)state;
    struct fixture *f = fixture(make_linux);
    assert_int_equal(start(f, 0), 0);
    assert_int_equal(in8(f, 0x3fd), 0x60); // transmitter empty
    out8(f, 0x3f8, 'h');
    out8(f, 0x3f8, 'i');
    assert_int_equal(f->m.out.len, 2);
    assert_memory_equal(f->m.out.data, "hi", 2);
    assert_int_equal(in8(f, 0x21), 0xff); // no 8259
    assert_int_equal(in8(f, 0x71), 0xff); // no CMOS
    finish(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux),      cmocka_unit_test(test_bzimage),
        cmocka_unit_test(test_pvh),        cmocka_unit_test(test_plain_elf),
        cmocka_unit_test(test_multiboot),  cmocka_unit_test(test_mp_table),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_interrupts), cmocka_unit_test(test_clock),
        cmocka_unit_test(test_ends),       cmocka_unit_test(test_serial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
