// Hostile guest code: the input is memory that the CPU executes at CPL 0, descriptor tables, page
// tables and all. The first byte says in which mode it starts. Every block lifted is verified, both
// engines run it and must agree, nothing may crash, hang or reach outside of guest RAM.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"
#include "guest/x86_64.h"
#include "guest/x86_64/state.h"

enum { RAM_SIZE = 16 * 4096, INSNS = 1000, LIFTED_MAX = 16, CODE = 0x1000 };

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

// Not running, for how often an engine asks is its own business.
static u64 time_ns(void *arg) {
    (void)arg;
    return 12345678;
}
static void on_shutdown(void *arg, int type, bool failed) {
    (void)arg;
    (void)type;
    (void)failed;
}
static u32 port_read(void *arg, u16 port, unsigned size) {
    (void)arg;
    return port * size;
}
static void port_write(void *arg, u16 port, unsigned size, u32 val) {
    (void)arg;
    (void)port;
    (void)size;
    (void)val;
}
static bool pending;
static bool irq_pending(void *arg) {
    (void)arg;
    return pending;
}
static int irq_ack(void *arg) {
    (void)arg;
    if (!pending) return -1;
    pending = false;
    return 0x30;
}

static void lift(const u8 *data, size_t len) {
    static struct ir_block b;
    static u8 effects[HELPER_COUNT];
    struct err err;
    for (unsigned i = 0; i < HELPER_COUNT; i++) effects[i] = guest_x86_64.helpers[i].effects;
    for (u32 mode = 0; mode < 32; mode++) {
        size_t at = 0;
        ir_begin(&b, 0, effects, HELPER_COUNT);
        while (!b.ended && b.ninsns < LIFTED_MAX && b.n + IR_BLOCK_ROOM < IR_BLOCK_CAP) {
            size_t left = len - at;
            unsigned n = x86_lift(&b, data + at, left < 16 ? (unsigned)left : 16, (i32)at, mode);
            if (n == LIFT_SHORT) break;
            at += n;
        }
        if (!b.ended) ir_jump(&b, (i64)at);
        if (b.ninsns == 0) continue;
        if (ir_verify(&b, &err) < 0) abort();
        ir_drop_dead(&b);
        if (ir_verify(&b, &err) < 0) abort();
    }
    char text[64];
    for (size_t at = 0; at + 15 <= len && at < 256; at++)
        (void)x86_disassemble(data + at, 15, 0, text, at % sizeof text + 1);
}

// FIRST executes from the bytes, so it sees what a block writes into itself, which the others do
// not (docs/x86_64.md): it is not compared.
enum { INTERP, EVAL, FIRST };

// One CPU an engine for all inputs, as making one takes long. Rewriting all of RAM makes it forget
// what it decoded. What it looks like after the run goes to `text`.
static void run(const u8 *data, size_t len, unsigned how, char text[4096]) {
    static struct bus *buses[3];
    static struct cpu *cpus[3];
    static u8 ram[RAM_SIZE];
    static const struct cpu_board board = {.time_ns = time_ns,
                                           .shutdown = on_shutdown,
                                           .port_read = port_read,
                                           .port_write = port_write,
                                           .irq_pending = irq_pending,
                                           .irq_ack = irq_ack};
    if (!cpus[how]) {
        struct err err;
        struct cpu_settings set = {.tlb_bits = 2, .max_block_insns = 16};
        set.engine = how == EVAL ? ENGINE_EVAL : ENGINE_INTERP;
        if (how == FIRST)
            set.torture = TORTURE_FIRST;
        else
            set.disabled = PASS_FIRST;
        buses[how] = bus_create(0, RAM_SIZE, &err);
        if (!buses[how]) abort();
        cpus[how] = cpu_create(&guest_x86_64, buses[how], &board, &set, &err);
        if (!cpus[how]) abort();
    }
    struct cpu *cpu = cpus[how];
    u8 kind = data[0];
    memset(ram, 0, sizeof ram);
    // The first 512 MiB at their own addresses, that is, RAM and what lies behind it; the input may
    // change that.
    put_le64(ram + X86_BOOT_CR3, 0xa007);
    put_le64(ram + 0xa000, 0xb007);
    for (u64 i = 0; i < 256; i++) put_le64(ram + 0xb000 + 8 * i, i << 21 | 0x87);
    put_le64(ram + X86_BOOT_GDT + X86_BOOT_CS, kind & 1 ? 0x00af9b000000ffff : 0x00cf9b000000ffff);
    put_le64(ram + X86_BOOT_GDT + X86_BOOT_DS, 0x00cf93000000ffff);
    // Behind the input HLT: zeros are an addition each, and lifting thousands of those would be most
    // of the time.
    memset(ram + CODE, 0xf4, X86_BOOT_CR3 - CODE);
    memset(ram + 0xc000, 0xf4, 0x2000);
    size_t from = kind & 2 ? 0 : CODE;
    memcpy(ram + from, data + 1, len - 1 < RAM_SIZE - from ? len - 1 : RAM_SIZE - from);
    bus_write(buses[how], 0, ram, RAM_SIZE);
    cpu->s->halted = cpu->s->idle = false;
    pending = false;
    cpu_boot(cpu, CODE, kind & 1 ? X86_BOOT_LONG : 0, 0x2000);
    struct x86_state *s = x86_of(cpu->s);
    s->r[RSP] = 0xf000;
    if (kind & 4) s->eflags |= FL_TF;
    if (kind & 8) { // real mode
        s->cr0 = CR0_ET;
        s->cr4 = s->efer = 0;
        for (unsigned i = 0; i < 6; i++) s->seg[i] = (struct x86_seg){0, 0x93, 0xffff};
        s->idt.limit = 0x3ff;
        x86_update_mode(s);
    }
    for (unsigned i = 0; i < 4; i++) {
        (void)cpu_run(cpu, INSNS / 4);
        pending = i & 1;
        cpu_set_irq(cpu, X86_LINE_INTR, pending);
    }
    (void)cpu_describe(cpu, text, 4096);
}

static bool is_random(const u8 *data, size_t len) { // RDRAND, RDSEED
    for (size_t i = 0; i + 1 < len; i++)
        if (data[i] == 0x0f && data[i + 1] == 0xc7) return true;
    return false;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len) {
    static char interp[4096], eval[4096];
    if (len < 2) return 0;
    lift(data + 1, len - 1);
    run(data, len, FIRST, eval);
    run(data, len, INTERP, interp);
    if (is_random(data, len)) return 0;
    run(data, len, EVAL, eval);
    if (strcmp(interp, eval) != 0) {
        fprintf(stderr, "interp %s\neval   %s\n", interp, eval);
        abort();
    }
    return 0;
}
