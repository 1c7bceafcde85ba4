// Hostile guest code: the input is memory that the CPU executes in S mode, page tables and all.
// Every block lifted is verified, both engines run it, nothing may crash, hang or reach outside of
// guest RAM.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"
#include "guest/riscv64/state.h"

#define RAM 0x80000000u
enum { RAM_SIZE = 16 * 4096, INSNS = 2000, LIFTED_MAX = 64 };

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

// Not running, for how often an engine asks is its own business.
static u64 time_ns(void *arg) {
    (void)arg;
    return 12345678;
}
static void console_write(void *arg, const u8 *p, size_t n) {
    // Reads what it was given, for the sanitizer.
    for (size_t i = 0; i < n; i++) *(volatile u8 *)arg = p[i];
}
static int console_read(void *arg) {
    (void)arg;
    return -1;
}
static void on_shutdown(void *arg, int type, bool failed) {
    (void)arg;
    (void)type;
    (void)failed;
}

static void lift(const u8 *data, size_t len) {
    static struct ir_block b;
    static u8 effects[HELPER_COUNT];
    for (unsigned i = 0; i < HELPER_COUNT; i++) effects[i] = guest_riscv64.helpers[i].effects;
    for (u32 mode = 0; mode < 4; mode++) {
        size_t at = 0;
        ir_begin(&b, 0, effects, HELPER_COUNT);
        while (!b.ended && b.ninsns < LIFTED_MAX && b.n + IR_BLOCK_ROOM < IR_BLOCK_CAP) {
            unsigned n = rv64_lift(&b, data + at, (unsigned)(len - at), (i32)at, mode);
            if (n == LIFT_SHORT) break;
            at += n;
        }
        if (!b.ended) ir_jump(&b, (i64)at);
        struct err err;
        if (ir_verify(&b, &err) < 0) abort();
    }
    char text[64];
    for (size_t at = 0; at + 4 <= len && at < 256; at += 2)
        (void)rv64_disassemble(data + at, 4, 0, text, at % sizeof text + 1);
}

// One CPU an engine for all inputs, as making one takes long. Rewriting all of RAM makes it forget
// what it decoded. What it looks like after the run goes to `text`.
static void run(const u8 *data, size_t len, enum exec_engine engine, char text[4096]) {
    static struct bus *buses[2];
    static struct cpu *cpus[2];
    static u8 sink, ram[RAM_SIZE];
    static const struct cpu_board board = {.arg = &sink,
                                           .time_ns = time_ns,
                                           .console_write = console_write,
                                           .console_read = console_read,
                                           .shutdown = on_shutdown};
    if (!cpus[engine]) {
        struct err err;
        struct cpu_settings set = {.engine = engine, .tlb_bits = 2};
        buses[engine] = bus_create(RAM, RAM_SIZE, &err);
        if (!buses[engine]) abort();
        cpus[engine] = cpu_create(&guest_riscv64, buses[engine], &board, &set, &err);
        if (!cpus[engine]) abort();
    }
    struct cpu *cpu = cpus[engine];
    memset(ram, 0, sizeof ram);
    memcpy(ram, data, len < RAM_SIZE ? len : RAM_SIZE);
    bus_write(buses[engine], RAM, ram, RAM_SIZE);
    cpu->s->halted = cpu->s->idle = false;
    cpu_boot(cpu, RAM, 0, RAM + 2048);
    for (unsigned i = 0; i < 4; i++) {
        (void)cpu_run(cpu, INSNS / 4);
        cpu_set_irq(cpu, IRQ_SEI, i & 1);
    }
    (void)cpu_describe(cpu, text, 4096);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len) {
    static char interp[4096], eval[4096];
    lift(data, len);
    run(data, len, ENGINE_INTERP, interp);
    run(data, len, ENGINE_EVAL, eval);
    if (strcmp(interp, eval) != 0) {
        fprintf(stderr, "interp %s\neval   %s\n", interp, eval);
        abort();
    }
    return 0;
}
