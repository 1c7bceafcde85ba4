// The x86_64 guest beside what diff_x86_64 compares with the hardware: the instruction table and
// its lifter in every mode, translation with its rights and error codes, exceptions through the
// IDT, fast system calls, segments, CPUID.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "exec/engine.h"
#include "guest/x86_64.h"
#include "guest/x86_64/decode.h"
#include "guest/x86_64/flags.h"
#include "guest/x86_64/isa.h"
#include "guest/x86_64/state.h"

static u64 rng_state;
static u64 rng(void) { // splitmix64
    u64 z = rng_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// ---- a CPU whose state tests look into

enum {
    PML4 = 0x1000,
    PDPT = 0x2000,
    PD = 0x3000,
    PT = 0x4000, // maps 0x400000 on
    GDT = 0x5000,
    IDT = 0x6000,
    TSS = 0x7000,
    CODE = 0x8000,
    HANDLER = 0x9000, // + 16 * vector: hlt
    STACK = 0xb000,
    IST1 = 0xc000,
    XAREA = 0xd000,
    RAM = 0x10000,
};
#define USER 0x400000u // virtual: pages of PT

struct fixture {
    struct bus *bus;
    struct cpu *cpu;
    struct x86_state *s;
    u8 *ram;
    int shutdowns;
    int vector;   // what irq_ack gives
    bool pending; // what irq_pending gives
};

static u64 time_ns(void *arg) {
    (void)arg;
    return 1000;
}
static void on_shutdown(void *arg, int type, bool failed) {
    struct fixture *f = arg;
    f->shutdowns += 1 + 10 * type + 100 * failed;
}
static bool irq_pending(void *arg) { return ((struct fixture *)arg)->pending; }
static int irq_ack(void *arg) {
    struct fixture *f = arg;
    f->pending = false;
    return f->vector;
}

static void put_gate(struct fixture *f, unsigned v, u64 to, unsigned dpl, unsigned ist) {
    put_le64(f->ram + IDT + v * 16, (to & 0xffff) | 0x10u << 16 | (u64)ist << 32 |
                                        (u64)(0x8e | dpl << 5) << 40 | (to >> 16 & 0xffff) << 48);
    put_le64(f->ram + IDT + v * 16 + 8, to >> 32);
}

static void make_tables(struct fixture *f) {
    put_le64(f->ram + PML4, PDPT | 7);
    put_le64(f->ram + PDPT, PD | 7);
    put_le64(f->ram + PD, 0x83);                       // the first 2 MiB as they are, supervisor
    put_le64(f->ram + PD + 16, PT | 7);                // 4 MiB on
    put_le64(f->ram + GDT + 0x10, 0x00af9b000000ffff); // kernel code
    put_le64(f->ram + GDT + 0x18, 0x00cf93000000ffff); // kernel data
    put_le64(f->ram + GDT + 0x20, 0x00cffb000000ffff); // user code, 32 bits
    put_le64(f->ram + GDT + 0x28, 0x00cff3000000ffff); // user data
    put_le64(f->ram + GDT + 0x30, 0x00affb000000ffff); // user code, 64 bits
    put_le64(f->ram + TSS + 4, STACK + 0x1000);
    put_le64(f->ram + TSS + 36, IST1 + 0x1000);
    put_le16(f->ram + TSS + 102, 0xffff);
    for (unsigned v = 0; v < 256; v++)
        put_gate(f, v, HANDLER + 16 * v, v == 3 || v == 0x80 ? 3 : 0, 0);
    for (unsigned v = 0; v < 256; v++) f->ram[HANDLER + 16 * v] = 0xf4;
}

static void kernel_mode(struct x86_state *s) {
    s->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET;
    s->cr3 = PML4;
    s->cr4 = CR4_PAE;
    s->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    s->gdt = (struct x86_table){GDT, 0x37};
    s->idt = (struct x86_table){IDT, 0xfff};
    s->tr = (struct x86_seg){0x38, 0x8b, 0x67};
    s->tr_base = TSS;
    s->eflags = 2;
    for (unsigned i = 0; i < 6; i++) x86_set_flat_seg(s, i, 0x18, 0x93 | SEGA_G | SEGA_DB);
    x86_set_flat_seg(s, SEG_CS, 0x10, 0x9b | SEGA_G | SEGA_L);
    s->cpl = 0;
    s->r[RSP] = STACK + 0x800;
    x86_update_mode(s);
}

static void user_mode(struct x86_state *s) {
    x86_set_flat_seg(s, SEG_CS, 0x33, 0xfb | SEGA_G | SEGA_L);
    x86_set_flat_seg(s, SEG_SS, 0x2b, 0xf3 | SEGA_G | SEGA_DB);
    s->cpl = 3;
    x86_update_mode(s);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;
    struct cpu_settings set = {.engine = ENGINE_INTERP};
    struct cpu_board board = {.arg = f,
                              .time_ns = time_ns,
                              .shutdown = on_shutdown,
                              .irq_pending = irq_pending,
                              .irq_ack = irq_ack};
    f->bus = bus_create(0, RAM, &err);
    f->cpu = cpu_create(&guest_x86_64, f->bus, &board, &set, &err);
    f->s = x86_of(f->cpu->s);
    f->ram = bus_ram_ptr(f->bus, 0, RAM);
    make_tables(f);
    kernel_mode(f->s);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    cpu_destroy(f->cpu);
    bus_destroy(f->bus);
    free(f);
    return 0;
}

// Runs `code` at CODE until a handler halts; returns its vector, 255 when it was the code itself.
static unsigned run(struct fixture *f, const void *code, size_t n) {
    bus_write(f->bus, CODE, code, n);
    f->s->g.pc = CODE;
    f->s->g.idle = false;
    for (unsigned i = 0; i < 10 && cpu_run(f->cpu, 1000) == CPU_STOP_BUDGET; i++) continue;
    u64 at = f->s->g.pc - HANDLER;
    return at < 16 * 256 ? (unsigned)(at / 16) : 255;
}
#define RUN(f, bytes) run(f, bytes, sizeof(bytes) - 1)

// ---- the table

static u8 effects[HELPER_COUNT];
static struct ir_block block;

// Lifts one instruction in a mode and verifies the block; its length, 0 when it needs more bytes.
static unsigned lift_one(const u8 *code, unsigned avail, u32 mode) {
    for (unsigned i = 0; i < HELPER_COUNT; i++) effects[i] = guest_x86_64.helpers[i].effects;
    ir_begin(&block, 0, effects, HELPER_COUNT);
    unsigned n = x86_lift(&block, code, avail, 0, mode);
    if (!n) return 0;
    if (!block.ended) ir_jump(&block, (i32)n);
    struct err err;
    if (ir_verify(&block, &err) < 0) fail_msg("%s", err.msg);
    assert_true(block.n < IR_BLOCK_ROOM);
    return n;
}

// The shortest bytes of a row.
static void encode(enum x86_id id, u8 mod, u8 *b) {
    const struct x86_row *r = &x86_rows[id];
    struct x86_place at = x86_row_place(id);
    unsigned n = 0, p = r->pfx & X86P_ANY;
    if (at.map > 3) {
        b[n++] = 0xc4;
        b[n++] = (u8)(0xe0 | (at.map - 3));
        b[n++] = (u8)((r->pfx & X86P_W1 ? 0x80 : 0) | 0x78 | (r->pfx & X86P_L1 ? 4 : 0) |
                      (p == X86P_66   ? 1
                       : p == X86P_F3 ? 2
                       : p == X86P_F2 ? 3
                                      : 0));
    } else {
        if (p == X86P_66) b[n++] = 0x66;
        if (p == X86P_F3) b[n++] = 0xf3;
        if (p == X86P_F2) b[n++] = 0xf2;
        if (r->pfx & X86P_W1) b[n++] = 0x48;
        if (at.map) b[n++] = 0x0f;
        if (at.map > 1) b[n++] = at.map == 2 ? 0x38 : 0x3a;
    }
    b[n++] = at.opcode;
    if (r->form & X86F_MODRM)
        b[n++] = (u8)((r->form & X86F_REG   ? 0xc0
                       : r->form & X86F_MEM ? 0
                                            : mod << 6) |
                      (r->form & X86F_DIGIT ? r->form >> 4 & 7 : 0) << 3 |
                      (r->form & X86F_RM ? r->form >> 8 & 7 : 0));
    if (x86_operands[r->op[1]].type != X86T_VSIB) return;
    b[n - 1] |= 4; // a SIB byte, whose index is another register than the rest
    b[n] = 1 << 3;
}

static void test_every_row(void **state) {
    (void)state;
    for (unsigned id = X86_TOO_LONG + 1; id < X86_ROWS; id++) {
        const struct x86_row *r = &x86_rows[id];
        u8 b[16] = {0};
        struct x86_insn d;
        bool only32 = r->attr & X86A_I64;
        for (u8 mod = 0; mod < 4; mod += 3) { // memory or register, whichever is not another row
            encode((enum x86_id)id, mod, b);
            assert_true(x86_decode(&d, b, 15, only32 ? X86_CODE32 : X86_CODE64));
            if (d.row == id) break;
        }
        if (d.row != id) fail_msg("row %u, %s, is shadowed by row %u", id, r->name, d.row);
        // It needs all of its bytes, and no more.
        struct x86_insn e;
        assert_true(x86_decode(&e, b, d.len, only32 ? X86_CODE32 : X86_CODE64));
        assert_int_equal(e.row, id);
        assert_false(x86_decode(&e, b, d.len - 1u, only32 ? X86_CODE32 : X86_CODE64));
        assert_int_equal(strlen(r->flags), 6);
        for (u32 mode = 0; mode < 32; mode++) lift_one(b, 15, mode);
    }
}

static void test_random_bytes(void **state) {
    (void)state;
    rng_state = 1;
    for (unsigned i = 0; i < 300000; i++) {
        u8 b[16];
        for (unsigned k = 0; k < 16; k += 8) put_le64(b + k, rng());
        if (i & 1) b[0] = 0x0f;
        u32 mode = (u32)rng() & 31;
        unsigned n = lift_one(b, 15, mode);
        assert_in_range(n, 1, 15);
        // Cut short it waits for more or is the same.
        unsigned cut = lift_one(b, n - 1, mode);
        assert_true(cut == 0 || cut < n);
        char text[80];
        assert_in_range(x86_disassemble(b, 15, 0, text, i % sizeof text), 1, 15);
    }
}

static void test_too_long(void **state) {
    struct fixture *f = *state;
    u8 b[16];
    memset(b, 0x66, sizeof b);
    b[14] = 0x90;
    struct x86_insn d;
    assert_true(x86_decode(&d, b, 16, X86_CODE64));
    assert_int_equal(d.row, X86_XCHG_NOP);
    assert_int_equal(d.len, 15);
    b[14] = 0x66;
    b[15] = 0x90;
    assert_int_equal(run(f, b, 16), EXC_GP);
}

// ---- translation

static bool translate(struct fixture *f, u64 va, enum guest_access access, u64 *cause) {
    struct guest_translation t;
    return x86_translate(&f->s->g, va, access, &t, cause);
}

static void set_pte(struct fixture *f, u64 pte) {
    put_le64(f->ram + PT, pte);
    x86_flush_address(f->s, USER);
}

static void expect(struct fixture *f, u64 pte, enum guest_access access, int code) {
    u64 cause = 0;
    set_pte(f, pte);
    bool ok = translate(f, USER, access, &cause);
    if (code < 0) {
        assert_true(ok);
        assert_int_equal(get_le64(f->ram + PT) & 0x60, access == ACCESS_WRITE ? 0x60 : 0x20);
    } else {
        assert_false(ok);
        assert_int_equal(CAUSE_VECTOR(cause), EXC_PF);
        assert_int_equal(CAUSE_CODE(cause), code);
        assert_int_equal(get_le64(f->ram + PT), pte); // nothing is marked
    }
}

static void expect_cached(struct fixture *f, u64 pte, bool cached) {
    struct guest_translation t;
    u64 cause;
    set_pte(f, pte);
    assert_true(x86_translate(&f->s->g, USER, ACCESS_WRITE, &t, &cause));
    assert_int_equal(t.read, cached);
    assert_int_equal(t.write, cached);
}

#define NX ((u64)1 << 63)

static void test_rights(void **state) {
    struct fixture *f = *state;
    struct x86_state *s = f->s;
    const u64 pa = 0x8000;
    expect(f, 0, ACCESS_READ, 0);
    expect(f, 0, ACCESS_WRITE, 2);
    expect(f, 0, ACCESS_EXEC, 0x10);
    expect(f, pa | 1, ACCESS_WRITE, 3); // WP
    s->cr0 &= ~(u64)CR0_WP;
    expect(f, pa | 1, ACCESS_WRITE, -1);
    s->cr0 |= CR0_WP;
    expect(f, pa | 3 | NX, ACCESS_EXEC, 0x11);
    expect(f, pa | 7, ACCESS_EXEC, -1);
    s->cr4 |= CR4_SMEP;
    expect(f, pa | 7, ACCESS_EXEC, 0x11);
    s->cr4 |= CR4_SMAP;
    expect(f, pa | 7, ACCESS_READ, 1);
    s->eflags |= FL_AC;
    expect(f, pa | 7, ACCESS_READ, -1);
    expect_cached(f, pa | 7, false); // AC may be off at the next access
    expect_cached(f, pa | 3, true);
    s->eflags &= ~(u64)FL_AC;
    s->cpl = 3;
    expect_cached(f, pa | 7, true);
    expect(f, pa | 7, ACCESS_WRITE, -1);
    expect(f, pa | 5, ACCESS_WRITE, 7);
    expect(f, pa | 3, ACCESS_READ, 5);
    expect(f, pa | 5, ACCESS_EXEC, -1);
    expect(f, pa | (u64)1 << 45 | 7, ACCESS_READ, 0xd); // reserved
    s->efer &= ~(u64)EFER_NXE;
    expect(f, pa | 7 | NX, ACCESS_READ, 0xd);
    put_le64(f->ram + PD + 16, PT | 3); // the level above says supervisor
    expect(f, pa | 7, ACCESS_READ, 5);
}

// What a supervisor accessed of user pages with AC set is remembered, but no longer than any
// translation, and not with AC clear.
static void test_user_pages(void **state) {
    struct fixture *f = *state;
    struct x86_state *s = f->s;
    struct guest_translation t;
    u64 cause;
    s->cr4 |= CR4_SMAP;
    s->eflags |= FL_AC;
    set_pte(f, 0x8007);
    assert_true(translate(f, USER, ACCESS_READ, &cause));
    put_le64(f->ram + PT, 0x9007);
    assert_true(x86_translate(&s->g, USER + 8, ACCESS_READ, &t, &cause));
    assert_int_equal(t.pa, 0x8008);
    assert_false(t.read || t.write || t.exec);
    // The first write looks at the tables: the page becomes dirty.
    assert_true(x86_translate(&s->g, USER, ACCESS_WRITE, &t, &cause));
    assert_int_equal(t.pa, 0x9000);
    assert_int_equal(get_le64(f->ram + PT), 0x9067);
    s->eflags &= ~(u64)FL_AC;
    assert_false(translate(f, USER, ACCESS_READ, &cause));
    s->eflags |= FL_AC;
    put_le64(f->ram + PT, 0);
    assert_true(translate(f, USER, ACCESS_WRITE, &cause));
    x86_flush_address(s, USER);
    assert_false(translate(f, USER, ACCESS_WRITE, &cause));
    set_pte(f, 0x8007);
    assert_true(translate(f, USER, ACCESS_READ, &cause));
    put_le64(f->ram + PT, 0);
    x86_write_cr3(s, s->cr3);
    assert_false(translate(f, USER, ACCESS_READ, &cause));
}

static void test_large_and_canonical(void **state) {
    struct fixture *f = *state;
    struct guest_translation t;
    u64 cause;
    assert_true(x86_translate(&f->s->g, 0x1234, ACCESS_READ, &t, &cause));
    assert_int_equal(t.pa, 0x1234);
    assert_false(t.global);
    put_le64(f->ram + PD, 0x183);
    f->s->cr4 |= CR4_PGE;
    assert_true(x86_translate(&f->s->g, 0x1234, ACCESS_READ, &t, &cause) && t.global);
    put_le64(f->ram + PD, 0x2083); // reserved bit of a large page
    assert_false(translate(f, 0x1234, ACCESS_READ, &cause));
    assert_int_equal(CAUSE_CODE(cause), 9);
    assert_false(translate(f, (u64)1 << 47, ACCESS_READ, &cause));
    assert_int_equal(CAUSE_VECTOR(cause), EXC_GP);
}

static void test_keys(void **state) {
    struct fixture *f = *state;
    struct x86_state *s = f->s;
    u64 key = x86_tlb_key(&s->g);
    s->cr4 |= CR4_SMAP;
    u64 smap = x86_tlb_key(&s->g);
    s->eflags |= FL_AC;
    assert_int_not_equal(smap, key);
    assert_int_equal(x86_tlb_key(&s->g), smap); // what AC allows is not cached
    s->cr4 |= CR4_PCIDE;
    s->cr3 |= 5;
    assert_int_not_equal(x86_tlb_key(&s->g), smap);
    assert_int_equal(x86_tlb_key(&s->g) & ~X86_KEY_SPACE, smap & ~X86_KEY_SPACE);
    s->cpl = 3;
    assert_int_not_equal(x86_tlb_key(&s->g) & ~X86_KEY_SPACE, smap & ~X86_KEY_SPACE);
}

// ---- exceptions and interrupts

static u64 frame(struct fixture *f, unsigned i) { return get_le64(f->ram + f->s->r[RSP] + 8 * i); }

static void test_exception_frames(void **state) {
    struct fixture *f = *state;
    f->s->r[RSP] = STACK + 0x7f3; // becomes aligned
    assert_int_equal(RUN(f, "\x0f\x0b"), EXC_UD);
    assert_int_equal(f->s->r[RSP], STACK + 0x7f0 - 40);
    assert_int_equal(frame(f, 0), CODE);
    assert_int_equal(frame(f, 1), 0x10);
    assert_int_equal(frame(f, 2), FL_RF | 2);
    assert_int_equal(frame(f, 3), STACK + 0x7f3);
    assert_int_equal(frame(f, 4), 0x18);
    // A page fault has an error code and CR2; an interrupt stack.
    put_gate(f, EXC_PF, HANDLER + 16 * EXC_PF, 0, 1);
    assert_int_equal(RUN(f, "\x8b\x04\x25\x00\x00\x60\x00"), EXC_PF); // mov eax,[0x600000]
    assert_int_equal(f->s->r[RSP], IST1 + 0x1000 - 48);
    assert_int_equal(frame(f, 0), 0);
    assert_int_equal(frame(f, 1), CODE);
    assert_int_equal(f->s->cr2, 0x600000);
    // A trap's address is after it.
    kernel_mode(f->s);
    assert_int_equal(RUN(f, "\xcc"), EXC_BP);
    assert_int_equal(frame(f, 0), CODE + 1);
}

// A frame of which only the lower page cannot be written: nothing is, and the address is that of
// the first item there.
static void test_frame_across_pages(void **state) {
    struct fixture *f = *state;
    put_le64(f->ram + PT, 0);
    put_le64(f->ram + PT + 8, IST1 | 3);
    put_gate(f, EXC_PF, HANDLER + 16 * EXC_PF, 0, 1);
    put_le64(f->ram + TSS + 36, STACK + 0x1000);
    put_le64(f->ram + IST1, 0x1122334455667788);
    f->s->r[RSP] = USER + 0x1010;
    assert_int_equal(RUN(f, "\x0f\x0b"), EXC_PF);
    assert_int_equal(f->s->cr2, USER + 0xff8);
    assert_int_equal(get_le64(f->ram + STACK + 0x1000 - 48), 2); // a write, not present
    assert_int_equal(get_le64(f->ram + IST1), 0x1122334455667788);
    // Across two pages that can be.
    put_le64(f->ram + PT, XAREA | 3);
    f->s->r[RSP] = USER + 0x1010;
    assert_int_equal(RUN(f, "\x0f\x0b"), EXC_UD);
    assert_int_equal(f->s->r[RSP], USER + 0x1010 - 40);
    assert_int_equal(get_le64(f->ram + XAREA + 0x1000 - 24), CODE);
    assert_int_equal(get_le64(f->ram + IST1), USER + 0x1010);
}

static void test_double_and_triple(void **state) {
    struct fixture *f = *state;
    memset(f->ram + IDT + 16 * EXC_UD, 0, 16); // #UD without a gate: #GP of it
    assert_int_equal(RUN(f, "\x0f\x0b"), EXC_GP);
    assert_int_equal(frame(f, 0), EXC_UD * 8 + 2 + 1);
    kernel_mode(f->s);
    memset(f->ram + IDT + 16 * EXC_PF, 0, 16);
    assert_int_equal(RUN(f, "\x8b\x04\x25\x00\x00\x60\x00"), EXC_DF);
    assert_int_equal(frame(f, 0), 0);
    kernel_mode(f->s);
    memset(f->ram + IDT + 16 * EXC_DF, 0, 16);
    f->shutdowns = 0; // the handlers' hlt counts too
    assert_int_equal(RUN(f, "\x8b\x04\x25\x00\x00\x60\x00"), 255);
    assert_int_equal(f->shutdowns, 11); // a reset, not a failure
    assert_true(f->s->g.halted);
}

static void test_software_interrupts(void **state) {
    struct fixture *f = *state;
    put_le64(f->ram + PT, CODE | 7);
    user_mode(f->s);
    bus_write(f->bus, CODE, "\xcd\x80", 2);
    f->s->g.pc = USER;
    cpu_run(f->cpu, 100);
    assert_int_equal(f->s->g.pc, HANDLER + 16 * 0x80 + 1);
    assert_int_equal(f->s->r[RSP], STACK + 0x1000 - 40);
    assert_int_equal(frame(f, 0), USER + 2);
    assert_int_equal(frame(f, 4), 0x2b);
    assert_int_equal(f->s->cpl, 0);
    // A gate that is not for users.
    user_mode(f->s);
    bus_write(f->bus, CODE, "\xcd\x81", 2);
    f->s->g.pc = USER;
    f->s->g.idle = false;
    cpu_run(f->cpu, 100);
    assert_int_equal(f->s->g.pc, HANDLER + 16 * EXC_GP + 1);
    assert_int_equal(frame(f, 0), 0x81 * 8 + 2);
    assert_int_equal(frame(f, 1), USER);
}

static void test_interrupts(void **state) {
    struct fixture *f = *state;
    f->vector = 0x41;
    f->pending = true;
    // Not while IF is off; sti holds it off for one more instruction.
    assert_int_equal(RUN(f, "\x31\xc0\xff\xc0\xfb\xff\xc0\xff\xc0\xf4"), 0x41);
    assert_int_equal(f->s->r[RAX], 2);
    assert_int_equal(frame(f, 0), CODE + 7);
    assert_int_equal(f->s->eflags & FL_IF, 0);
    // sti; hlt waits.
    kernel_mode(f->s);
    assert_int_equal(RUN(f, "\xfb\xf4"), 255);
    assert_int_equal(f->s->g.pc, CODE + 2);
    f->pending = true;
    cpu_run(f->cpu, 10);
    assert_int_equal(f->s->g.pc, HANDLER + 16 * 0x41 + 1);
    assert_int_equal(frame(f, 0), CODE + 2);
    // NMI comes with IF off, and no other until iret.
    kernel_mode(f->s);
    f->s->g.idle = false;
    cpu_set_irq(f->cpu, X86_LINE_NMI, true);
    assert_int_equal(RUN(f, "\x90\xf4"), EXC_NMI);
    assert_true(f->s->nmi_blocked);
}

static void test_single_step(void **state) {
    struct fixture *f = *state;
    // pushf; or dword [rsp],0x100; popf; nop; nop
    assert_int_equal(RUN(f, "\x9c\x81\x0c\x24\x00\x01\x00\x00\x9d\x90\x90"), EXC_DB);
    assert_int_equal(frame(f, 0), CODE + 10);
    assert_int_equal(f->s->dr6 & 0xe00f, 0x4000);
    assert_int_equal(frame(f, 2) & FL_TF, FL_TF);
    assert_int_equal(f->s->eflags & FL_TF, 0);
    // A data breakpoint on a write, after the instruction.
    kernel_mode(f->s);
    f->s->dr[1] = 0xd000;
    f->s->dr7 = 0x400 | 1 << 2 | 0xd << 20; // local 1, 4 bytes, writes
    x86_update_mode(f->s);
    assert_int_equal(RUN(f, "\x8b\x04\x25\x00\xd0\x00\x00\xc6\x04\x25\x02\xd0\x00\x00\x01\x90"),
                     EXC_DB);
    assert_int_equal(frame(f, 0), CODE + 15);
    assert_int_equal(f->s->dr6 & 15, 2 | (f->s->dr6 & 13));
    // An instruction breakpoint, before it; RF steps over it.
    kernel_mode(f->s);
    f->s->dr6 = 0xffff0ff0;
    f->s->dr[0] = CODE + 1;
    f->s->dr7 = 0x402;
    x86_update_mode(f->s);
    assert_int_equal(RUN(f, "\x90\x90\xf4"), EXC_DB);
    assert_int_equal(frame(f, 0), CODE + 1);
    assert_int_equal(frame(f, 2) & FL_RF, FL_RF);
}

// ---- what is kept of control registers

// After `code`, which changes what translations or code depend on, what is kept says so.
static void expect_kept(struct fixture *f, const char *code, size_t n) {
    struct guest_state *g = &f->s->g;
    struct guest_view before, now;
    assert_false(x86_settle(g, &before));
    assert_int_equal(run(f, code, n), 255);
    assert_false(x86_settle(g, &now));
    assert_true(now.key != before.key || now.mode != before.mode);
    assert_int_equal(now.key, x86_tlb_key(g));
    assert_int_equal(now.mode, x86_code_mode(g));
}
#define KEPT(f, bytes) expect_kept(f, bytes, sizeof(bytes) - 1)

static void test_kept_control(void **state) {
    struct fixture *f = *state;
    KEPT(f, "\x0f\x20\xc0\x0f\xba\xf0\x10\x0f\x22\xc0\xf4");                       // CR0: not WP
    KEPT(f, "\x0f\x20\xe0\x0f\xba\xe8\x14\x0f\x22\xe0\xf4");                       // CR4: SMEP
    KEPT(f, "\x0f\x20\xe0\x0f\xba\xe8\x15\x0f\x22\xe0\xf4");                       // CR4: SMAP
    KEPT(f, "\xb9\x80\x00\x00\xc0\x0f\x32\x0f\xba\xf0\x0b\x0f\x30\xf4");           // EFER: not NXE
    assert_int_equal(RUN(f, "\x0f\x20\xe0\x0f\xba\xe8\x11\x0f\x22\xe0\xf4"), 255); // PCIDE
    KEPT(f, "\x0f\x20\xd8\x0c\x05\x0f\x22\xd8\xf4");                               // CR3: PCID 5
    KEPT(f, "\xb8\x02\x04\x00\x00\x0f\x23\xf8\xf4"); // DR7: one enabled
    KEPT(f, "\xb8\x00\x04\x00\x00\x0f\x23\xf8\xf4"); // DR7: none
    assert_int_equal(RUN(f, "\x0f\x20\xe0\x0d\x00\x02\x04\x00\x0f\x22\xe0\xf4"), 255);
    KEPT(f, "\x31\xc9\x31\xd2\xb8\x07\x00\x00\x00\x0f\x01\xd1\xf4"); // XCR0
    KEPT(f, "\x0f\x20\xc0\x0c\x08\x0f\x22\xc0\xf4");                 // CR0: TS
    KEPT(f, "\x0f\x06\xf4");                                         // CLTS
}

// ---- system calls and segments

static void test_syscall(void **state) {
    struct fixture *f = *state;
    struct x86_state *s = f->s;
    s->star = (u64)0x23 << 48 | (u64)0x10 << 32;
    s->lstar = HANDLER + 16 * 0xf0; // halts
    s->fmask = FL_IF | FL_DF;
    put_le64(f->ram + PT, CODE | 7);
    user_mode(s);
    s->eflags |= FL_IF;
    s->df = ~(u64)0;
    bus_write(f->bus, CODE, "\x0f\x05", 2);
    s->g.pc = USER;
    cpu_run(f->cpu, 100);
    assert_int_equal(s->g.pc, s->lstar + 1);
    assert_int_equal(s->r[RCX], USER + 2);
    assert_true(s->r[11] & FL_IF && s->r[11] & FL_DF);
    assert_int_equal(x86_eflags(s) & (FL_IF | FL_DF), 0);
    assert_int_equal(s->cpl, 0);
    assert_int_equal(s->seg[SEG_SS].sel, 0x18);
    // And back, to the 64-bit segment.
    s->g.idle = false;
    s->r[RCX] = USER + 16;
    s->r[11] = 2;
    bus_write(f->bus, CODE, "\x48\x0f\x07", 3);
    bus_write(f->bus, CODE + 16, "\x0f\x0b", 2);
    s->g.pc = CODE;
    cpu_run(f->cpu, 100);
    assert_int_equal(s->g.pc, HANDLER + 16 * EXC_UD + 1);
    assert_int_equal(frame(f, 0), USER + 16);
    assert_int_equal(frame(f, 1), 0x33);
    assert_int_equal(frame(f, 4), 0x2b);
}

static void test_segments(void **state) {
    struct fixture *f = *state;
    struct x86_state *s = f->s;
    struct x86_fault fl;
    assert_true(x86_load_seg(s, SEG_DS, 0, &fl));
    assert_false(x86_load_seg(s, SEG_SS, 0x2b, &fl)); // DPL 3 at CPL 0
    assert_int_equal(CAUSE_VECTOR(fl.cause), EXC_GP);
    assert_int_equal(CAUSE_CODE(fl.cause), 0x28);
    assert_false(x86_load_seg(s, SEG_DS, 0x38, &fl)); // beyond the limit
    put_le64(f->ram + GDT + 0x28, 0x00cf73000000ffff);
    assert_false(x86_load_seg(s, SEG_DS, 0x2b, &fl)); // not present
    assert_int_equal(CAUSE_VECTOR(fl.cause), EXC_NP);
    put_le64(f->ram + GDT + 0x28, 0x12cff234567855aa);
    assert_true(x86_load_seg(s, SEG_FS, 0x2b, &fl));
    assert_int_equal(s->seg_base[SEG_FS], 0x12345678);
    assert_int_equal(get_le64(f->ram + GDT + 0x28) >> 40 & 1, 1); // accessed
    // A limit in 32-bit code: the segment makes it other code.
    put_le64(f->ram + GDT + 0x28, 0x0040f3010000000f); // base 0x10000, limit 15 bytes
    x86_set_flat_seg(s, SEG_CS, 0x20, 0x9b | SEGA_G | SEGA_DB);
    x86_set_flat_seg(s, SEG_DS, 0x18, 0x93 | SEGA_G | SEGA_DB);
    x86_update_mode(s);
    assert_int_equal(x86_code_mode(&s->g) & MODE_SIZE, MODE_32);
    assert_true(x86_load_seg(s, SEG_DS, 0x2b, &fl));
    assert_int_equal(x86_code_mode(&s->g) & MODE_SIZE, MODE_32_SEG);
    assert_int_equal(x86_help_linear(&s->g, 12, 0, 0, SEG_DS | 4 << 8), 0x1000c);
    assert_false(s->g.exc);
    x86_help_linear(&s->g, 13, 0, 0, SEG_DS | 4 << 8);
    assert_true(s->g.exc);
    s->g.exc = false;
}

// ---- XSAVE's forms

static void set_components(struct x86_state *s, u64 x, u64 yh) {
    memset(s->x, 0, sizeof s->x);
    memset(s->yh, 0, sizeof s->yh);
    s->x[3] = (v128){x, 0};
    s->yh[3] = (v128){yh, 0};
}

static void test_xsave(void **state) {
    struct fixture *f = *state;
    struct x86_state *s = f->s;
    const u8 *area = f->ram + XAREA;
    s->cr4 |= CR4_OSXSAVE | CR4_OSFXSR;
    s->xcr0 = 7;
    x86_update_mode(s);
    s->r[RAX] = 7;
    s->r[RDX] = 0;
    s->r[RBX] = XAREA;
    set_components(s, 0x1234, 0);
    memset(f->ram + XAREA, 0xee, 832);
    memset(f->ram + XAREA + 528, 0, 48);
    assert_int_equal(RUN(f, "\x0f\xc7\x23\xf4"), 255); // xsavec [rbx]; hlt
    assert_int_equal(get_le64(area + 512), 2);         // SSE is in use, x87 and AVX are not
    assert_int_equal(get_le64(area + 520), (u64)1 << 63 | 7);
    assert_int_equal(get_le64(area + 160 + 48), 0x1234);
    assert_int_equal(area[0], 0xee);
    assert_int_equal(area[576], 0xee);
    set_components(s, 5, 6);
    assert_int_equal(RUN(f, "\x0f\xc7\x1b\xf4"), 255); // xrstors: AVX becomes zero again
    assert_int_equal(s->x[3][0], 0x1234);
    assert_int_equal(s->yh[3][0], 0);
    set_components(s, 5, 6);
    s->mxcsr = 0x3f80;
    assert_int_equal(RUN(f, "\x0f\xae\x2b\xf4"), 255); // xrstor knows that form too, and its MXCSR
    assert_int_equal(s->x[3][0], 0x1234);
    assert_int_equal(s->mxcsr, 0x1f80);
    put_le64(f->ram + XAREA + 520, (u64)1 << 63 | 1); // SSE is there, but not in the form
    assert_int_equal(RUN(f, "\x0f\xc7\x1b\xf4"), EXC_GP);
    put_le64(f->ram + XAREA + 520, 0);
    assert_int_equal(RUN(f, "\x0f\xc7\x1b\xf4"), EXC_GP); // XRSTORS needs the compacted form
    set_components(s, 0, 9);
    memset(f->ram + XAREA, 0, 832);
    memset(f->ram + XAREA + 160, 0xee, 256);
    put_le64(f->ram + XAREA + 512, 2);
    assert_int_equal(RUN(f, "\x0f\xae\x33\xf4"), 255); // xsaveopt
    assert_int_equal(get_le64(area + 512), 4);
    assert_int_equal(get_le64(area + 576 + 48), 9);
    assert_int_equal(area[160], 0xee); // not in use: not written
    assert_int_equal(get_le32(area + 24), 0x1f80);
    assert_int_equal(RUN(f, "\x0f\xae\x23\xf4"), 255); // xsave writes all
    assert_int_equal(area[160], 0);
    s->r[RCX] = 1;
    s->r[RAX] = 0;
    assert_int_equal(RUN(f, "\x0f\x01\xd0\xf4"), 255); // xgetbv: what is in use
    assert_int_equal(s->r[RAX], 4);
    s->r[RBX] = XAREA + 32;
    assert_int_equal(RUN(f, "\x0f\xc7\x23\xf4"), EXC_GP);
}

static void test_cpuid(void **state) {
    struct fixture *f = *state;
    u32 out[4];
    x86_cpuid(f->s, 1, 0, out);
    assert_int_equal(!!(out[2] >> 23 & 1), x86_isa_present(ISA_POPCNT));
    assert_int_equal(!!(out[2] >> 28 & 1), x86_isa_present(ISA_AVX));
    assert_int_equal(!!(out[3] >> 26 & 1), x86_isa_present(ISA_SSE2));
    assert_int_equal(out[2] >> 27 & 1, 0); // OSXSAVE follows CR4
    f->s->cr4 |= CR4_OSXSAVE;
    x86_cpuid(f->s, 1, 0, out);
    assert_int_equal(out[2] >> 27 & 1, 1);
    x86_cpuid(f->s, 0xd, 1, out);
    assert_int_equal(out[0], 15);
    assert_int_equal(out[1], 576);
    x86_cpuid(f->s, 0xd, 2, out);
    assert_int_equal(out[0], 256);
    assert_int_equal(out[1], 576);
    // What has no row in the table is not promised.
    bool rows[ISA_COUNT] = {0};
    for (unsigned id = X86_TOO_LONG + 1; id < X86_ROWS; id++) rows[x86_rows[id].isa] = true;
    for (unsigned i = 0; i < ISA_COUNT; i++)
        assert_true(!x86_isa_present((enum x86_isa)i) || rows[i]);
}

// A comparison's flags are those of a difference, whatever lies in the result's cell.
static void test_flags_without_result(void **state) {
    (void)state;
    static const u64 values[] = {0,
                                 1,
                                 5,
                                 0x7f,
                                 0x80,
                                 0x7fff,
                                 0x7fffffff,
                                 0x80000000,
                                 0x7fffffffffffffff,
                                 0x8000000000000000,
                                 ~(u64)0};
    static struct x86_state with, bare;
    for (unsigned size = 1; size <= 8; size *= 2)
        for (unsigned i = 0; i < ARRAY_LEN(values); i++)
            for (unsigned k = 0; k < ARRAY_LEN(values); k++) {
                u64 mask = ~(u64)0 >> (64 - 8 * size);
                with.cc_a = bare.cc_a = values[i] & mask;
                with.cc_b = bare.cc_b = values[k] & mask;
                with.cc_op = CC(CC_SUB, size);
                with.cc_res = (with.cc_a - with.cc_b) & mask;
                bare.cc_op = CC(CC_CMP, size);
                bare.cc_res = ~with.cc_res & mask;
                assert_int_equal(x86_status_flags(&bare), x86_status_flags(&with));
            }
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_flags_without_result),
        T(test_too_long),
        T(test_rights),
        T(test_user_pages),
        T(test_large_and_canonical),
        T(test_keys),
        T(test_exception_frames),
        T(test_frame_across_pages),
        T(test_double_and_triple),
        T(test_software_interrupts),
        T(test_interrupts),
        T(test_single_step),
        T(test_kept_control),
        T(test_syscall),
        T(test_segments),
        T(test_xsave),
        T(test_cpuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
