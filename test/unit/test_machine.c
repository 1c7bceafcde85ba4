// The machine around a CPU that is a script: loaders and their complaints, the device tree, slices,
// idle time, the ways a guest ends, and bytes between host and devices.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "host/host.h"
#include "machine/fdt_riscv64.h"
#include "machine/machine.h"
#include "p9/fs.h"

// The CPU. Everything of exec/cpu.h is defined here, so the real one is not linked.

struct guest_arch {
    int unused;
};
extern const struct guest_arch guest_riscv64, guest_x86_64;
const struct guest_arch guest_riscv64 = {0}, guest_x86_64 = {0};

struct cpu {
    struct bus *bus;
    struct cpu_board board;
    u64 pc, a0, a1, icount, timer;
    bool seip, work, stop;
    unsigned runs;
    u64 last_budget;
    enum cpu_stop (*script)(struct cpu *c, u64 max);
};

static unsigned cpus_alive;
static enum cpu_stop (*next_script)(struct cpu *c, u64 max);

struct cpu *cpu_create(const struct guest_arch *arch, struct bus *bus,
                       const struct cpu_board *board, const struct cpu_settings *settings,
                       struct err *err) {
    (void)settings, (void)err;
    assert_ptr_equal(arch, &guest_riscv64);
    struct cpu *c = calloc(1, sizeof *c);
    c->bus = bus;
    c->board = *board;
    c->timer = ~0ull;
    c->script = next_script;
    cpus_alive++;
    return c;
}
void cpu_destroy(struct cpu *c) {
    cpus_alive--;
    free(c);
}
void cpu_boot(struct cpu *c, gva pc, u64 arg0, u64 arg1) { c->pc = pc, c->a0 = arg0, c->a1 = arg1; }
enum cpu_stop cpu_run(struct cpu *c, u64 max) {
    c->runs++;
    c->last_budget = max;
    c->stop = false;
    return c->script(c, max);
}
void cpu_set_irq(struct cpu *c, unsigned line, bool level) {
    assert_int_equal(line, 9);
    c->seip = c->work = level;
}
u64 cpu_next_timer(struct cpu *c) { return c->timer; }
bool cpu_has_work(struct cpu *c) { return c->work; }
void cpu_request_stop(struct cpu *c) { c->stop = true; }
u64 cpu_icount(const struct cpu *c) { return c->icount; }
void cpu_get_stats(const struct cpu *c, struct cpu_stats *out) {
    *out = (struct cpu_stats){.insns = c->icount};
}
size_t cpu_describe(struct cpu *c, char *buf, size_t cap) {
    (void)c;
    return (size_t)snprintf(buf, cap, "pc=0");
}

// Images.

enum { KERNEL_FILE = 4096, TEXT_OFFSET = 0x200000, IMAGE_SIZE = 0x300000 };

static u8 *flat_image(void) {
    u8 *p = calloc(1, KERNEL_FILE);
    put_le64(p + 8, TEXT_OFFSET);
    put_le64(p + 16, IMAGE_SIZE);
    memcpy(p + 48, "RISCV\0\0\0", 8);
    memcpy(p + 56, "RSC\x05", 4);
    memset(p + 64, 0xab, KERNEL_FILE - 64);
    return p;
}

enum { ELF_FILE = 512, ELF_CODE = 200 };

static u8 *elf_image(void) {
    u8 *p = calloc(1, ELF_FILE), *ph = p + 64;
    memcpy(p,
           "\x7f"
           "ELF\x02\x01\x01",
           7);
    put_le16(p + 16, 2), put_le16(p + 18, 243);
    put_le64(p + 24, 0xffffffff80000010); // entry, virtual
    put_le64(p + 32, 64);
    put_le16(p + 54, 56), put_le16(p + 56, 2);
    put_le32(ph, 4); // PT_NOTE: to be passed over
    ph += 56;
    put_le32(ph, 1);
    put_le64(ph + 8, ELF_CODE);
    put_le64(ph + 16, 0xffffffff80000000);
    put_le64(ph + 24, 0x80001000);
    put_le64(ph + 32, ELF_FILE - ELF_CODE);
    put_le64(ph + 40, 0x5000);
    memset(p + ELF_CODE, 0xcd, ELF_FILE - ELF_CODE);
    return p;
}

// Machines.

struct host {
    struct buf console;
};

static void console(void *arg, const u8 *p, size_t n) {
    struct host *h = arg;
    buf_put(&h->console, p, n);
}

static struct machine_settings settings(struct host *h, const u8 *kernel, size_t len) {
    return (struct machine_settings){
        .arch = "riscv64",
        .memory = 64u << 20,
        .kernel = kernel,
        .kernel_len = len,
        .cmdline = "console=ttyS0",
        .arg = h,
        .console = console,
    };
}

static struct machine *machine_of(struct host *h, enum cpu_stop (*script)(struct cpu *c, u64 max)) {
    u8 *kernel = flat_image();
    struct machine_settings s = settings(h, kernel, KERNEL_FILE);
    struct err err = {0};
    next_script = script;
    struct machine *m = machine_create(&s, &err);
    assert_string_equal(err.msg, "");
    assert_non_null(m);
    free(kernel);
    return m;
}

static void store(struct cpu *c, gpa pa, unsigned size, u64 v) {
    assert_true(bus_mmio_write(c->bus, pa, size, v));
}
static u64 load(struct cpu *c, gpa pa, unsigned size) {
    u64 v = 0;
    assert_true(bus_mmio_read(c->bus, pa, size, &v));
    return v;
}

// Loaders.

static void test_flat(void **state) {
    (void)state;
    struct host h = {0};
    u8 *kernel = flat_image();
    struct machine_settings s = settings(&h, kernel, KERNEL_FILE);
    s.initrd = (const u8 *)"initramfs!";
    s.initrd_len = 10;
    struct err err = {0};
    struct machine *m = machine_create(&s, &err);
    assert_non_null(m);
    struct cpu *c = machine_cpu(m);
    assert_int_equal(c->pc, 0x80000000u + TEXT_OFFSET);
    assert_int_equal(c->a0, 0);
    u8 *at = bus_ram_ptr(c->bus, c->pc, KERNEL_FILE);
    assert_memory_equal(at, kernel, KERNEL_FILE);
    const void *fdt = bus_ram_ptr(c->bus, c->a1, RV_FDT_MAX);
    assert_non_null(fdt);
    int chosen = fdt_path_offset(fdt, "/chosen");
    const fdt64_t *start = fdt_getprop(fdt, chosen, "linux,initrd-start", NULL);
    const fdt64_t *end = fdt_getprop(fdt, chosen, "linux,initrd-end", NULL);
    u64 initrd = fdt64_ld(start); // properties are aligned to 4 bytes only
    assert_int_equal(fdt64_ld(end) - initrd, 10);
    assert_int_equal(initrd % 4096, 0);
    assert_true(initrd >= c->pc + IMAGE_SIZE && initrd + 10 <= c->a1);
    assert_memory_equal(bus_ram_ptr(c->bus, initrd, 10), "initramfs!", 10);
    machine_destroy(m);
    free(kernel);
}

static void test_elf(void **state) {
    (void)state;
    struct host h = {0};
    u8 *kernel = elf_image();
    struct machine_settings s = settings(&h, kernel, ELF_FILE);
    s.memory = 2u << 20;
    struct err err = {0};
    struct machine *m = machine_create(&s, &err);
    assert_string_equal(err.msg, "");
    assert_non_null(m);
    struct cpu *c = machine_cpu(m);
    assert_int_equal(c->pc, 0x80001010);
    assert_memory_equal(bus_ram_ptr(c->bus, 0x80001000, 312), kernel + ELF_CODE, 312);
    machine_destroy(m);
    free(kernel);
}

static void expect_error(struct machine_settings *s, const char *complaint) {
    struct err err = {0};
    assert_null(machine_create(s, &err));
    if (!strstr(err.msg, complaint)) fail_msg("'%s' does not say '%s'", err.msg, complaint);
    assert_int_not_equal(err.code, 0);
    assert_int_equal(cpus_alive, 0);
}

static void test_bad_settings(void **state) {
    (void)state;
    struct host h = {0};
    u8 *kernel = flat_image();
    struct machine_settings good = settings(&h, kernel, KERNEL_FILE), s = good;
    s.arch = "vax";
    expect_error(&s, "'vax'");
    s = good, s.memory = 0;
    expect_error(&s, "multiple of 2 MiB");
    s = good, s.memory += 4096;
    expect_error(&s, "multiple of 2 MiB");
    s = good, s.kernel_len = 0;
    expect_error(&s, "no kernel image");
    char *line = malloc(2000);
    memset(line, 'x', 1999);
    line[1999] = 0;
    s = good, s.cmdline = line;
    expect_error(&s, "1999 bytes");
    free(line);
    struct machine_blk blk = {.size = 513};
    s = good, s.blk = &blk, s.nblk = 1;
    expect_error(&s, "multiple of 512");
    struct machine_blk many[30];
    for (unsigned i = 0; i < 30; i++) many[i] = (struct machine_blk){.size = 512};
    s = good, s.blk = many, s.nblk = 30;
    expect_error(&s, "at most 24");
    struct machine_9p p9 = {.tag = ""};
    s = good, s.p9 = &p9, s.np9 = 1;
    expect_error(&s, "mount tag");
    free(kernel);
}

static void test_bad_flat(void **state) {
    (void)state;
    struct host h = {0};
    u8 *kernel = flat_image();
    struct machine_settings s = settings(&h, kernel, KERNEL_FILE);
    s.memory = 4u << 20;
    expect_error(&s, "the kernel needs 5 MiB of memory and the machine has 4");
    s.memory = 6u << 20, s.initrd = kernel, s.initrd_len = 2u << 20;
    u8 *initrd = calloc(1, s.initrd_len);
    s.initrd = initrd;
    expect_error(&s, "the kernel with its initramfs needs 8 MiB of memory and the machine has 6");
    free(initrd);
    s = settings(&h, kernel, KERNEL_FILE);
    put_le64(kernel + 16, ~0ull);
    expect_error(&s, "not a riscv64 kernel image: its header");
    put_le64(kernel + 16, 0), put_le64(kernel + 8, ~0ull);
    expect_error(&s, "not a riscv64 kernel image: its header");
    put_le64(kernel + 8, 0), put_le64(kernel + 24, 1);
    expect_error(&s, "big-endian");
    static const struct {
        const char *head, *complaint;
    } others[] = {
        {"\x1f\x8b\x08", "gzip"},       {"\x28\xb5\x2f\xfd", "zstd"}, {"\xfd\x37zXZ", "xz"},
        {"MZ", "another architecture"}, {"hello", "neither"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        memset(kernel, 0, 64);
        memcpy(kernel, others[i].head, strlen(others[i].head));
        expect_error(&s, others[i].complaint);
    }
    s.kernel_len = 1;
    expect_error(&s, "not a riscv64 kernel image");
    free(kernel);
}

static void test_bad_elf(void **state) {
    (void)state;
    enum { LOAD = 64 + 56 };
    static const struct {
        unsigned at, size;
        u64 value;
        const char *complaint;
    } cases[] = {
        {4, 1, 1, "64-bit"},
        {5, 1, 2, "little-endian"},
        {18, 2, 62, "machine 62 (expected 243)"},
        {16, 2, 1, "type 1, not an executable"},
        {32, 8, ~0ull, "program headers"},
        {32, 8, ELF_FILE - 60, "program headers"},
        {54, 2, 32, "program headers"},
        {56, 2, 0, "program headers"},
        {56, 2, 0xffff, "program headers"},
        {56, 2, 1, "without code"},
        {24, 8, 0x1000, "entry point 0x1000"},
        {LOAD + 8, 8, ELF_FILE, "truncated"},
        {LOAD + 8, 8, ~0ull, "truncated"},
        {LOAD + 32, 8, ~0ull, "truncated"},
        {LOAD + 40, 8, 1, "larger than its memory"},
        {LOAD + 40, 8, 1ull << 30, "needs 1025 MiB of memory"},
        {LOAD + 40, 8, ~0ull, "outside RAM"},
        {LOAD + 24, 8, 0, "outside RAM"},
        {LOAD + 24, 8, ~0ull, "outside RAM"},
    };
    struct host h = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        u8 *kernel = elf_image(), v[8];
        put_le64(v, cases[i].value);
        memcpy(kernel + cases[i].at, v, cases[i].size);
        struct machine_settings s = settings(&h, kernel, ELF_FILE);
        expect_error(&s, cases[i].complaint);
        free(kernel);
    }
    // Every truncation of a good file is refused, none of them read past its end.
    u8 *kernel = elf_image();
    for (size_t len = 1; len < ELF_FILE; len++) {
        u8 *cut = malloc(len);
        memcpy(cut, kernel, len);
        struct machine_settings s = settings(&h, cut, len);
        struct err err = {0};
        assert_null(machine_create(&s, &err));
        assert_true(strlen(err.msg) > 20);
        free(cut);
    }
    free(kernel);
}

// The device tree.

static u32 cell_at(const void *fdt, int node, const char *name, int index) {
    int len;
    const fdt32_t *p = fdt_getprop(fdt, node, name, &len);
    if (!p || len < 4 * (index + 1)) fail_msg("no cell %d in property %s", index, name);
    return fdt32_to_cpu(p[index]);
}

static void test_device_tree(void **state) {
    (void)state;
    struct host h = {0};
    u8 *kernel = flat_image();
    struct machine_settings s = settings(&h, kernel, KERNEL_FILE);
    s.virtio_console = true;
    struct err err = {0};
    struct machine *m = machine_create(&s, &err);
    assert_non_null(m);
    struct cpu *c = machine_cpu(m);
    const void *fdt = bus_ram_ptr(c->bus, c->a1, RV_FDT_MAX);
    assert_int_equal(fdt_check_full(fdt, RV_FDT_MAX), 0);
    int chosen = fdt_path_offset(fdt, "/chosen");
    assert_string_equal(fdt_getprop(fdt, chosen, "bootargs", NULL), "console=ttyS0");
    assert_null(fdt_getprop(fdt, chosen, "linux,initrd-start", NULL));
    int seed_len;
    assert_non_null(fdt_getprop(fdt, chosen, "rng-seed", &seed_len));
    assert_int_equal(seed_len, 64);
    int uart = fdt_path_offset(fdt, fdt_getprop(fdt, chosen, "stdout-path", NULL));
    assert_int_equal(fdt_node_check_compatible(fdt, uart, "ns16550a"), 0);
    assert_int_equal(cell_at(fdt, uart, "interrupts", 0), 10);
    int memory = fdt_path_offset(fdt, "/memory@80000000");
    assert_int_equal(cell_at(fdt, memory, "reg", 1), 0x80000000);
    assert_int_equal(cell_at(fdt, memory, "reg", 3), 64u << 20);
    int cpu = fdt_path_offset(fdt, "/cpus/cpu@0");
    assert_int_equal(cell_at(fdt, fdt_path_offset(fdt, "/cpus"), "timebase-frequency", 0),
                     10000000);
    assert_string_equal(fdt_getprop(fdt, cpu, "mmu-type", NULL), "riscv,sv48");
    assert_int_equal(fdt_stringlist_count(fdt, cpu, "riscv,isa-extensions"), 14);
    // The interrupt tree hangs together: device -> PLIC -> line 9 of the CPU's controller.
    int plic = fdt_node_offset_by_phandle(fdt, cell_at(fdt, uart, "interrupt-parent", 0));
    assert_int_equal(fdt_node_check_compatible(fdt, plic, "sifive,plic-1.0.0"), 0);
    assert_int_equal(cell_at(fdt, plic, "interrupts-extended", 1), 9);
    int intc = fdt_node_offset_by_phandle(fdt, cell_at(fdt, plic, "interrupts-extended", 0));
    assert_int_equal(fdt_parent_offset(fdt, intc), cpu);
    int off = fdt_path_offset(fdt, "/poweroff");
    int test = fdt_node_offset_by_phandle(fdt, cell_at(fdt, off, "regmap", 0));
    assert_int_equal(fdt_node_check_compatible(fdt, test, "sifive,test0"), 0);
    assert_int_equal(cell_at(fdt, off, "value", 0), 0x5555);
    // Every virtio node has a device behind it: entropy, then the console.
    static const u32 ids[] = {4, 3};
    unsigned n = 0;
    for (int at = fdt_node_offset_by_compatible(fdt, -1, "virtio,mmio"); at >= 0;
         at = fdt_node_offset_by_compatible(fdt, at, "virtio,mmio"), n++) {
        u64 base = cell_at(fdt, at, "reg", 1);
        assert_true(n < 2);
        assert_int_equal(load(c, base, 4), 0x74726976);
        assert_int_equal(load(c, base + 8, 4), ids[n]);
        assert_int_equal(cell_at(fdt, at, "interrupts", 0), RV_VIRTIO_IRQ + n);
    }
    assert_int_equal(n, 2);
    machine_destroy(m);
    free(kernel);
}

// Running.

static enum cpu_stop run_idle(struct cpu *c, u64 max) {
    (void)max;
    c->icount += 10;
    return CPU_STOP_IDLE;
}

static void test_idle(void **state) {
    (void)state;
    struct host h = {0};
    struct machine *m = machine_of(&h, run_idle);
    struct cpu *c = machine_cpu(m);
    struct machine_status st = machine_run(m, 1000000);
    assert_int_equal(st.state, MACHINE_IDLE);
    assert_true(st.wake_ns == ~0ull);
    u64 now = host_monotonic_ns(), guest = c->board.time_ns(c->board.arg);
    c->timer = guest + 5000000000ull;
    st = machine_run(m, 1000000);
    assert_int_equal(st.state, MACHINE_IDLE);
    assert_true(st.wake_ns >= now + 4000000000ull && st.wake_ns <= now + 60000000000ull);
    c->timer = 0; // already due: run on until the budget is gone
    unsigned before = c->runs;
    st = machine_run(m, 200000);
    assert_int_equal(st.state, MACHINE_RUNNING);
    assert_true(c->runs > before);
    machine_destroy(m);
}

static enum cpu_stop run_icount(struct cpu *c, u64 max) {
    (void)max;
    c->icount += 100;
    if (c->board.time_ns(c->board.arg) >= c->timer) {
        c->timer += 1000000000; // a clock of one tick a second
        if (c->timer > 3600000000000ull) c->board.shutdown(c->board.arg, 0, false);
    }
    return CPU_STOP_IDLE;
}

static void test_icount_time(void **state) {
    (void)state;
    struct host h = {0};
    u8 *kernel = flat_image();
    struct machine_settings s = settings(&h, kernel, KERNEL_FILE);
    s.cpu.icount_time = true;
    next_script = run_icount;
    struct machine *m = machine_create(&s, NULL);
    struct cpu *c = machine_cpu(m);
    assert_int_equal(c->board.time_ns(c->board.arg), 0);
    c->timer = 1000000000;
    // An hour of guest time in which nothing happens passes at once.
    struct machine_status st = {.state = MACHINE_RUNNING};
    for (int i = 0; i < 100 && st.state == MACHINE_RUNNING; i++) st = machine_run(m, 1000000000);
    assert_int_equal(st.state, MACHINE_POWEROFF);
    assert_true(c->board.time_ns(c->board.arg) >= 3600000000000ull);
    machine_destroy(m);
    free(kernel);
}

static enum cpu_stop run_busy(struct cpu *c, u64 max) {
    // A CPU of 500 million instructions a second.
    u64 until = host_monotonic_ns() + max * 2;
    while (host_monotonic_ns() < until) continue;
    c->icount += max;
    return CPU_STOP_BUDGET;
}

static void test_slices(void **state) {
    (void)state;
    struct host h = {0};
    struct machine *m = machine_of(&h, run_busy);
    struct cpu *c = machine_cpu(m);
    for (int i = 0; i < 20; i++) machine_run(m, 2000000);
    unsigned before = c->runs;
    u64 i0 = c->icount;
    for (int i = 0; i < 10; i++) assert_int_equal(machine_run(m, 2000000).state, MACHINE_RUNNING);
    // Once the speed is known a call is a few slices; loose bounds, as other programs run here too.
    assert_in_range(c->runs - before, 10, 400);
    assert_in_range((c->icount - i0) / 10, 2000, 4000000);
    machine_destroy(m);
}

static u32 finish_with;
static enum cpu_stop run_finish(struct cpu *c, u64 max) {
    (void)max;
    store(c, 0x100000, 4, finish_with);
    store(c, 0x100000, 4, 0x5555); // the first word counts
    return c->stop ? CPU_STOP_REQUEST : CPU_STOP_BUDGET;
}

static void test_finisher(void **state) {
    (void)state;
    static const struct {
        u32 value;
        enum machine_state state;
        int code;
    } cases[] = {
        {0x5555, MACHINE_POWEROFF, 0},
        {0x7777, MACHINE_REBOOT, 0},
        {42u << 16 | 0x3333, MACHINE_FAILED, 42},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct host h = {0};
        finish_with = cases[i].value;
        struct machine *m = machine_of(&h, run_finish);
        struct machine_status st = machine_run(m, 1000000);
        assert_int_equal(st.state, cases[i].state);
        assert_int_equal(st.exit_code, cases[i].code);
        unsigned runs = machine_cpu(m)->runs;
        assert_int_equal(runs, 1);
        st = machine_run(m, 1000000); // it stays ended
        assert_int_equal(st.state, cases[i].state);
        assert_int_equal(machine_cpu(m)->runs, runs);
        machine_destroy(m);
    }
}

static int shutdown_type;
static bool shutdown_failed;
static enum cpu_stop run_shutdown(struct cpu *c, u64 max) {
    (void)max;
    c->board.shutdown(c->board.arg, shutdown_type, shutdown_failed);
    return CPU_STOP_REQUEST;
}
static enum cpu_stop run_halt(struct cpu *c, u64 max) {
    (void)c, (void)max;
    return CPU_STOP_HALTED;
}

static enum cpu_stop run_request(struct cpu *c, u64 max) {
    (void)max;
    cpu_request_stop(c);
    return CPU_STOP_REQUEST;
}

// Somebody wants the event loop: control goes back at once, and the guest goes on afterwards.
static void test_request(void **state) {
    (void)state;
    struct host h = {0};
    struct machine *m = machine_of(&h, run_request);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(machine_run(m, ~0ull).state, MACHINE_RUNNING);
        assert_int_equal(machine_cpu(m)->runs, i);
    }
    machine_destroy(m);
}

static void test_shutdown(void **state) {
    (void)state;
    static const struct {
        int type;
        bool failed;
        enum machine_state state;
    } cases[] = {
        {0, false, MACHINE_POWEROFF}, {1, false, MACHINE_REBOOT}, {0, true, MACHINE_FAILED}};
    struct host h = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        shutdown_type = cases[i].type, shutdown_failed = cases[i].failed;
        struct machine *m = machine_of(&h, run_shutdown);
        assert_int_equal(machine_run(m, 1000000).state, cases[i].state);
        machine_destroy(m);
    }
    struct machine *m = machine_of(&h, run_halt);
    struct machine_status st = machine_run(m, 1000000);
    assert_int_equal(st.state, MACHINE_FAILED);
    assert_int_not_equal(st.exit_code, 0);
    machine_destroy(m);
}

// Bytes.

static enum cpu_stop run_echo(struct cpu *c, u64 max) {
    (void)max;
    store(c, 0x10000001, 1, 1);          // UART: interrupt on input
    store(c, 0x0c000000 + 4 * 10, 4, 1); // PLIC: priority
    store(c, 0x0c002000, 4, 1 << 10);    // enable
    if (!c->seip) return CPU_STOP_IDLE;
    assert_int_equal(load(c, 0x0c200004, 4), 10);
    assert_false(c->seip);
    while (load(c, 0x10000005, 1) & 1) store(c, 0x10000000, 1, load(c, 0x10000000, 1) ^ 0x20);
    store(c, 0x0c200004, 4, 10);
    return CPU_STOP_IDLE;
}

static void test_serial(void **state) {
    (void)state;
    struct host h = {0};
    struct machine *m = machine_of(&h, run_echo);
    struct cpu *c = machine_cpu(m);
    assert_int_equal(machine_run(m, 1000000).state, MACHINE_IDLE);
    assert_int_equal(machine_console_input(m, (const u8 *)"Hello", 5), 5);
    assert_true(c->seip);
    assert_int_equal(machine_run(m, 1000000).state, MACHINE_IDLE);
    assert_string_equal(buf_cstr(&h.console), "hELLO");
    assert_int_equal(machine_ctl_input(m, (const u8 *)"x", 1), 0); // there is no control port
    machine_ctl_ready(m);
    machine_console_resize(m, 100, 40);
    // The firmware console shares the line.
    machine_console_input(m, (const u8 *)"fw", 2);
    assert_int_equal(c->board.console_read(c->board.arg), 'f');
    assert_int_equal(c->board.console_read(c->board.arg), 'w');
    assert_int_equal(c->board.console_read(c->board.arg), -1);
    h.console.len = 0;
    u8 *big = malloc(10000);
    memset(big, 'z', 10000);
    c->board.console_write(c->board.arg, big, 10000);
    machine_run(m, 1000000);
    assert_int_equal(h.console.len, 10000);
    assert_memory_equal(h.console.data, big, 10000);
    free(big);
    machine_destroy(m);
    buf_free(&h.console);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat),         cmocka_unit_test(test_elf),
        cmocka_unit_test(test_bad_settings), cmocka_unit_test(test_bad_flat),
        cmocka_unit_test(test_bad_elf),      cmocka_unit_test(test_device_tree),
        cmocka_unit_test(test_idle),         cmocka_unit_test(test_icount_time),
        cmocka_unit_test(test_slices),       cmocka_unit_test(test_finisher),
        cmocka_unit_test(test_shutdown),     cmocka_unit_test(test_request),
        cmocka_unit_test(test_serial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
