// The riscv64 guest without an engine: the instruction table and its lifter, compressed
// instructions, CSRs, translation and its keys, interrupts, SBI on hostile arguments, floating
// point fast paths against SoftFloat.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <softfloat.h>

#include "base/compiler.h"
#include "exec/engine.h"
#include "guest/riscv64/decode.h"
#include "guest/riscv64/state.h"

#define RAM 0x80000000u
enum { RAM_SIZE = 64 * 4096 };

static u64 rng_state;
static u64 rng(void) { // splitmix64
    u64 z = rng_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// ---- a CPU whose state tests look into

struct fixture {
    struct bus *bus;
    struct cpu *cpu;
    struct rv64_state *s;
    u64 now;
    char console[64];
    size_t console_len;
    int shutdowns;
};

static u64 time_ns(void *arg) { return ((struct fixture *)arg)->now; }
static void console_write(void *arg, const u8 *p, size_t n) {
    struct fixture *f = arg;
    for (size_t i = 0; i < n; i++)
        if (f->console_len < sizeof f->console) f->console[f->console_len++] = (char)p[i];
}
static int console_read(void *arg) {
    (void)arg;
    return 'k';
}
static void on_shutdown(void *arg, int type, bool failed) {
    struct fixture *f = arg;
    f->shutdowns += 1 + 10 * type + 100 * failed;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;
    f->bus = bus_create(RAM, RAM_SIZE, &err);
    struct cpu_board board = {.arg = f,
                              .time_ns = time_ns,
                              .console_write = console_write,
                              .console_read = console_read,
                              .shutdown = on_shutdown};
    struct cpu_settings set = {.engine = ENGINE_EVAL};
    f->cpu = cpu_create(&guest_riscv64, f->bus, &board, &set, &err);
    cpu_boot(f->cpu, RAM, 0, 0);
    f->s = rv64_of(f->cpu->s);
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

// ---- decoding and lifting

static u8 effects[HELPER_COUNT];

static unsigned lift_one(u32 word, u32 mode, struct ir_block *b) {
    for (unsigned i = 0; i < HELPER_COUNT; i++) effects[i] = guest_riscv64.helpers[i].effects;
    u8 code[4];
    put_le32(code, word);
    ir_begin(b, 0x100, effects, HELPER_COUNT);
    unsigned n = rv64_lift(b, code, 4, 0x100, mode);
    if (!b->ended) ir_jump(b, 0x100 + n);
    struct err err = {0};
    if (ir_verify(b, &err) < 0) fail_msg("%08x in mode %u: %s", word, mode, err.msg);
    assert_int_equal(b->ninsns, 1);
    return n;
}

static bool raises_illegal(const struct ir_block *b) {
    return b->n >= 4 && b->ops[b->n - 2].op == IR_TRAPIF && b->ops[b->n - 2].imm == EXC_ILLEGAL;
}

static struct ir_block block;

static void test_rows(void **state) {
    (void)state;
    for (enum rv_id id = 1; id < RV_COUNT; id++) {
        const struct rv_row *row = &rv_rows[id];
        assert_int_equal(row->match & ~row->mask, 0);
        assert_int_equal(rv_decode(row->match), id);
        for (unsigned i = 0; i < 300; i++) {
            u32 word = row->match | ((u32)rng() & ~row->mask);
            enum rv_id got = rv_decode(word);
            // Only a more special row may take its encodings.
            if (got != id) fail_msg("%08x is %s, not %s", word, rv_rows[got].name, row->name);
            for (u32 mode = 0; mode < 8; mode++) assert_int_equal(lift_one(word, mode, &block), 4);
        }
    }
}

static void test_modes(void **state) {
    (void)state;
    u32 dynamic = rv_rows[RV_FADD_D].match | 7 << 12, fixed = rv_rows[RV_FADD_D].match | 1 << 12;
    static const bool dynamic_illegal[4] = {true, false, false, true};
    for (u32 mode = 0; mode < 4; mode++) {
        lift_one(dynamic, mode, &block);
        assert_int_equal(raises_illegal(&block), dynamic_illegal[mode]);
        lift_one(fixed, mode, &block);
        assert_int_equal(raises_illegal(&block), mode == MODE_FS_OFF);
        lift_one(rv_rows[RV_FADD_D].match | 5 << 12, mode, &block);
        assert_true(raises_illegal(&block));
        lift_one(rv_rows[RV_FLD].match, mode, &block);
        assert_int_equal(raises_illegal(&block), mode == MODE_FS_OFF);
    }
}

// Fields of x0 are never written.
static void test_x0(void **state) {
    (void)state;
    for (enum rv_id id = 1; id < RV_COUNT; id++) {
        lift_one(rv_rows[id].match & ~(31u << 7), MODE_RM_RNE, &block);
        for (u32 i = 1; i < block.n; i++)
            assert_false(block.ops[i].op == IR_SET && block.ops[i].imm == RV_X(0));
    }
}

static void test_short_code(void **state) {
    (void)state;
    u8 addi[4] = {0x13, 0x05, 0x15, 0x00}, nop[2] = {0x01, 0x00};
    ir_begin(&block, 0, effects, HELPER_COUNT);
    assert_int_equal(rv64_lift(&block, addi, 0, 0, 0), LIFT_SHORT);
    assert_int_equal(rv64_lift(&block, addi, 1, 0, 0), LIFT_SHORT);
    assert_int_equal(rv64_lift(&block, addi, 2, 0, 0), LIFT_SHORT);
    assert_int_equal(rv64_lift(&block, addi, 3, 0, 0), LIFT_SHORT);
    assert_int_equal(block.n, 1);
    assert_int_equal(rv64_lift(&block, nop, 2, 0, 0), 2);
}

static void test_compressed(void **state) {
    (void)state;
    static const struct {
        u16 half;
        u32 word;
    } rows[] = {
        {0x0000, 0},          // defined to be illegal
        {0x1141, 0xff010113}, // addi sp,sp,-16
        {0xe406, 0x00113423}, // sd ra,8(sp)
        {0x60a2, 0x00813083}, // ld ra,8(sp)
        {0x8082, 0x00008067}, // ret
        {0x4501, 0x00000513}, // li a0,0
        {0x852e, 0x00b00533}, // mv a0,a1
        {0x952e, 0x00b50533}, // add a0,a0,a1
        {0x6505, 0x00001537}, // lui a0,1
        {0x6501, 0},          // lui with 0: reserved
        {0x6101, 0},          // addi16sp 0: reserved
        {0x2001, 0},          // addiw x0: reserved
        {0x4002, 0},          // lwsp x0: reserved
        {0x6002, 0},          // ldsp x0: reserved
        {0x8002, 0},          // jr x0: reserved
        {0x9002, 0x00100073}, // ebreak
        {0x9c41, 0},          // reserved
        {0x8000, 0},          // quadrant 0, funct3 4: reserved
        {0xa001, 0x0000006f}, // j .
        {0xbffd, 0xfffff06f}, // j .-2
        {0xdd7d, 0xfe050fe3}, // beqz a0,.-2
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rv_expand(rows[i].half) != rows[i].word)
            fail_msg("%04x expands to %08x, not %08x", rows[i].half, rv_expand(rows[i].half),
                     rows[i].word);
    for (u32 half = 0; half < 0x10000; half++) {
        if ((half & 3) == 3) continue;
        u32 word = rv_expand(half);
        assert_true(word == 0 || rv_decode(word) != RV_ILLEGAL);
        assert_int_equal(lift_one(half, MODE_RM_RNE, &block), 2);
        assert_int_equal(raises_illegal(&block), word == 0);
    }
}

static void test_disassemble(void **state) {
    (void)state;
    static const struct {
        u32 word;
        const char *text;
    } rows[] = {
        {0x00150513, "addi a0,a0,1"},        {0xfe050fe3, "beq a0,zero,ffe"},
        {0x00a5b023, "sd a0,0(a1)"},         {0x10500073, "wfi"},
        {0x02a57553, "fadd.d fa0,fa0,fa0"},  {0x180025f3, "csrrs a1,satp,zero"},
        {0x7c0025f3, "csrrs a1,0x7c0,zero"}, {0x0ff0000f, "fence iorw,iorw"},
        {0xffffffff, ".4byte 0xffffffff"},   {0x060ab52f, "amoadd.d.aqrl a0,zero,(s5)"},
        {0x00008082, "jalr zero,0(ra)"},     {0x00000000, ".2byte 0x0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        u8 code[4];
        put_le32(code, rows[i].word);
        assert_int_equal(rv64_disassemble(code, 4, 0x1000, text, sizeof text),
                         (rows[i].word & 3) == 3 ? 4 : 2);
        assert_string_equal(text, rows[i].text);
    }
}

// ---- CSRs

static u64 csr(struct fixture *f, unsigned n) {
    u64 v = 0;
    assert_true(rv64_csr_read(f->s, n, &v));
    return v;
}

static void test_csrs(void **state) {
    struct fixture *f = *state;
    u64 v;
    assert_true(rv64_csr_write(f->s, 0x100, ~(u64)0));
    assert_int_equal(csr(f, 0x100), SSTATUS_STORED | SSTATUS_SD | SSTATUS_UXL64);
    assert_true(rv64_csr_write(f->s, 0x100, (u64)1 << 13)); // initial is reported as dirty
    assert_int_equal(csr(f, 0x100), SSTATUS_FS | SSTATUS_SD | SSTATUS_UXL64);
    assert_true(rv64_csr_write(f->s, 0x003, ~(u64)0));
    assert_int_equal(csr(f, 0x003), 0xff);
    assert_int_equal(csr(f, 0x002), 7);
    assert_int_equal(csr(f, 0x001), 31);
    assert_true(rv64_csr_write(f->s, 0x100, 0));
    assert_false(rv64_csr_read(f->s, 0x003, &v)); // F is off
    assert_true(rv64_csr_write(f->s, 0x105, RAM | 1));
    assert_true(rv64_csr_write(f->s, 0x105, 0x1000 | 3)); // a reserved mode keeps the old
    assert_int_equal(csr(f, 0x105), 0x1001);
    assert_true(rv64_csr_write(f->s, 0x180, (u64)8 << 60 | (u64)0xffff << 44 | 0x80000));
    assert_true(rv64_csr_write(f->s, 0x180, (u64)10 << 60)); // no Sv57
    assert_int_equal(csr(f, 0x180), (u64)8 << 60 | (u64)0xffff << 44 | 0x80000);
    assert_false(rv64_csr_write(f->s, 0xc00, 0)); // read-only
    assert_false(rv64_csr_read(f->s, 0x300, &v)); // mstatus
    assert_false(rv64_csr_read(f->s, 0x5c0, &v));
    f->s->priv = PRIV_U;
    assert_false(rv64_csr_read(f->s, 0x100, &v));
    assert_int_equal(f->s->scounteren, 7); // as firmware leaves it
    f->s->scounteren = 0;
    assert_false(rv64_csr_read(f->s, 0xc01, &v));
    f->s->scounteren = 2;
    f->now = 12345678;
    assert_int_equal(csr(f, 0xc01), 123456);
    assert_false(rv64_csr_read(f->s, 0xc00, &v));
}

static void test_every_csr_number(void **state) {
    struct fixture *f = *state;
    f->s->sstatus = SSTATUS_FS;
    for (unsigned n = 0; n < 4096; n++) {
        u64 v;
        bool known = rv64_csr_name(n) != NULL;
        assert_int_equal(rv64_csr_read(f->s, n, &v), known);
        assert_int_equal(rv64_csr_write(f->s, n, 0), known && n >> 10 != 3);
        if (!known) assert_false(rv64_csr_changes_mode(n));
        f->s->sstatus = SSTATUS_FS;
    }
}

// ---- translation

static void put_pte(struct fixture *f, gpa at, u64 v) { bus_write(f->bus, at, &v, 8); }
static u64 get_pte(struct fixture *f, gpa at) {
    u64 v = 0;
    bus_read(f->bus, at, &v, 8);
    return v;
}

static void test_walk(void **state) {
    struct fixture *f = *state;
    struct guest_translation t;
    u64 cause = 0, ppn = RAM >> 12;
    gva va = ((u64)3 << 30) + (5 << 21) + (7 << 12) + 0x123;
    put_pte(f, RAM + 3 * 8, (ppn + 1) << 10 | 1);
    put_pte(f, RAM + 4096 + 5 * 8, (ppn + 2) << 10 | 1);
    put_pte(f, RAM + 8192 + 7 * 8, (ppn + 9) << 10 | 0x7); // V R W, not accessed
    f->s->satp = (u64)8 << 60 | ppn;
    assert_true(rv64_translate(f->cpu->s, va, ACCESS_READ, &t, &cause));
    assert_int_equal(t.pa, RAM + 9 * 4096 + 0x123);
    assert_true(t.read && !t.write && !t.exec); // clean: the first write comes back
    assert_int_equal(get_pte(f, RAM + 8192 + 7 * 8) & 0xc0, 0x40);
    assert_true(rv64_translate(f->cpu->s, va, ACCESS_WRITE, &t, &cause));
    assert_true(t.read && t.write && !t.exec);
    assert_int_equal(get_pte(f, RAM + 8192 + 7 * 8) & 0xc0, 0xc0);
    assert_false(rv64_translate(f->cpu->s, va, ACCESS_EXEC, &t, &cause));
    assert_int_equal(cause, EXC_INSN_PAGE);
    assert_false(rv64_translate(f->cpu->s, va + 4096, ACCESS_READ, &t, &cause));
    assert_int_equal(cause, EXC_LOAD_PAGE);
    f->s->priv = PRIV_U;
    assert_false(rv64_translate(f->cpu->s, va, ACCESS_WRITE, &t, &cause));
    assert_int_equal(cause, EXC_STORE_PAGE);
    f->s->priv = PRIV_S;
    f->s->satp = (u64)8 << 60 | 0x12345; // tables where no RAM is
    assert_false(rv64_translate(f->cpu->s, va, ACCESS_WRITE, &t, &cause));
    assert_int_equal(cause, EXC_STORE_ACCESS);
    f->s->satp = 0;
    assert_true(rv64_translate(f->cpu->s, ~(u64)0, ACCESS_READ, &t, &cause));
    assert_int_equal(t.pa, ~(u64)0);
}

// Every pair of different contexts has different keys.
static void test_keys(void **state) {
    struct fixture *f = *state;
    static u64 keys[256];
    static const u64 satps[] = {(u64)8 << 60,
                                (u64)9 << 60,
                                (u64)8 << 60 | (u64)1 << 44,
                                (u64)8 << 60 | (u64)0x8000 << 44,
                                (u64)8 << 60 | 1,
                                (u64)8 << 60 | (u64)1 << 35,
                                (u64)9 << 60 | (u64)0xffff << 44 | (((u64)1 << 36) - 1)};
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_LEN(satps); i++)
        for (unsigned bits = 0; bits < 8; bits++) {
            f->s->satp = satps[i];
            f->s->priv = bits & 1 ? PRIV_S : PRIV_U;
            f->s->sstatus = (bits & 2 ? SSTATUS_SUM : 0) | (bits & 4 ? SSTATUS_MXR : 0);
            if (!(bits & 1) && bits & 2) continue; // SUM says nothing about U mode
            keys[n++] = rv64_tlb_key(f->cpu->s);
        }
    f->s->satp = 0;
    keys[n++] = rv64_tlb_key(f->cpu->s);
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < i; k++) assert_true(keys[i] != keys[k]);
}

// ---- interrupts

static void test_interrupts(void **state) {
    struct fixture *f = *state;
    struct guest_state *g = f->cpu->s;
    assert_int_equal(rv64_next_timer(g), ~(u64)0);
    f->s->sie = SIP_ALL;
    f->s->stimecmp = 100;
    assert_int_equal(rv64_next_timer(g), 10000);
    f->now = 9999;
    assert_false(rv64_interrupt_pending(g));
    f->now = 10000;
    assert_true(rv64_interrupt_pending(g));
    assert_false(rv64_take_interrupt(g)); // SIE is off
    rv64_set_irq(g, IRQ_SEI, true);
    f->s->ssip = IRQ_BIT(IRQ_SSI);
    f->s->sstatus = SSTATUS_SIE;
    f->s->stvec = RAM + 0x100;
    g->pc = RAM + 0x40;
    assert_true(rv64_take_interrupt(g));
    assert_int_equal(f->s->scause, (u64)1 << 63 | IRQ_SEI); // external first
    assert_int_equal(f->s->sepc, RAM + 0x40);
    assert_int_equal(g->pc, RAM + 0x100);
    assert_int_equal(f->s->sstatus, SSTATUS_SPP | SSTATUS_SPIE);
    rv64_set_irq(g, IRQ_SEI, false);
    f->s->priv = PRIV_U;
    f->s->stvec |= 1;
    assert_true(rv64_take_interrupt(g));
    assert_int_equal(f->s->scause, (u64)1 << 63 | IRQ_SSI);
    assert_int_equal(g->pc, RAM + 0x104);
    f->s->stimecmp = ~(u64)0 / 50; // beyond what nanoseconds can count
    assert_int_equal(rv64_next_timer(g), ~(u64)0);
}

// ---- SBI

static i64 sbi(struct fixture *f, u64 ext, u64 fn, u64 a0, u64 a1, u64 a2) {
    f->s->x[17] = ext;
    f->s->x[16] = fn;
    f->s->x[10] = a0;
    f->s->x[11] = a1;
    f->s->x[12] = a2;
    f->s->x[13] = ~(u64)0;
    rv64_sbi_call(f->s);
    return (i64)f->s->x[10];
}

static void test_sbi_console(void **state) {
    struct fixture *f = *state;
    enum { DBCN = 0x4442434e };
    bus_write(f->bus, RAM + 100, "hello", 5);
    assert_int_equal(sbi(f, DBCN, 0, 5, RAM + 100, 0), 0);
    assert_int_equal(f->s->x[11], 5);
    assert_memory_equal(f->console, "hello", 5);
    assert_int_equal(sbi(f, DBCN, 0, 5, 0x1000, 0), -3);         // no memory there
    assert_int_equal(sbi(f, DBCN, 0, ~(u64)0, RAM, 0), -3);      // too long
    assert_int_equal(sbi(f, DBCN, 0, RAM_SIZE + 1, RAM, 0), -3); // one too long
    assert_int_equal(sbi(f, DBCN, 0, 16, RAM + RAM_SIZE - 8, 0), -3);
    assert_int_equal(sbi(f, DBCN, 1, 16, ~(u64)7, 0), -3);
    assert_int_equal(sbi(f, DBCN, 1, 1, RAM, 1), -3);       // above 64 bits
    assert_int_equal(sbi(f, DBCN, 1, RAM_SIZE, RAM, 0), 0); // more than one chunk
    assert_int_equal(f->s->x[11], 4096);
    assert_int_equal(*bus_ram_ptr(f->bus, RAM + 4095, 1), 'k');
    assert_int_equal(*bus_ram_ptr(f->bus, RAM + 4096, 1), 0);
    assert_int_equal(sbi(f, DBCN, 0, 0, 0, 0), 0);
}

static void test_sbi_calls(void **state) {
    struct fixture *f = *state;
    assert_int_equal(sbi(f, 0x10, 0, 0, 0, 0), 0);
    assert_int_equal(f->s->x[11], 0x2000000);
    assert_int_equal(sbi(f, 0x53525354, 0, 1, 0, 0), 0);
    assert_int_equal(f->shutdowns, 11);
    assert_int_equal(sbi(f, 0x53525354, 0, 0, 1, 0), 0);
    assert_int_equal(f->shutdowns, 11 + 101);
    assert_int_equal(sbi(f, 0x53525354, 0, 7, 0, 0), -3);
    assert_int_equal(sbi(f, 0x735049, 0, 1, 0, 0), 0);
    assert_int_equal(f->s->ssip, IRQ_BIT(IRQ_SSI));
    assert_int_equal(sbi(f, 0x735049, 0, 2, 0, 0), -3); // no such hart
    assert_int_equal(sbi(f, 0x735049, 0, 1, 7, 0), -3);
    assert_int_equal(sbi(f, 0x735049, 0, 0, ~(u64)0, 0), 0);
    // Ranges at the end of the address space end.
    assert_int_equal(sbi(f, 0x52464e43, 1, 1, 0, ~(u64)0 - 4096), 0);
    f->s->x[13] = 0;
    for (u64 fn = 0; fn < 8; fn++) (void)sbi(f, 0x52464e43, fn, 1, 0, ~(u64)0);
    for (u64 ext = 0; ext < 16; ext++) (void)sbi(f, ext, 0, RAM, RAM, RAM);
    assert_int_equal(sbi(f, 0x48534d, 1, 0, 0, 0), 0);
    assert_true(f->cpu->s->halted);
}

// ---- floating point: what helpers answer against SoftFloat itself

static u64 random_double(void) {
    static const u64 special[] = {0,
                                  0x3ff0000000000000,
                                  0x7ff0000000000000,
                                  0x7ff8000000000000,
                                  0x7ff0000000000001,
                                  1,
                                  0x000fffffffffffff,
                                  0x0010000000000000,
                                  0x0020000000000000,
                                  0x7fefffffffffffff,
                                  0x7fe0000000000000,
                                  0x0030000000000000,
                                  0x4340000000000000,
                                  0x3cb0000000000000};
    u64 v = rng(), sign = v & (u64)1 << 63;
    switch (rng() % 5) {
    case 0:
        return special[rng() % ARRAY_LEN(special)] ^ sign;
    case 1:
        return v;
    case 2:
        return (v & 0x800fffffffffffff) | (1023 - 40 + rng() % 80) << 52;
    case 3:
        return (v & 0x800ff00000000000) | (1023 - 5 + rng() % 10) << 52;
    default:
        return (v & 0x800fffffffffffff) | (rng() % 4 + (rng() & 1 ? 0 : 2043)) << 52;
    }
}

static u64 random_single(void) {
    static const u32 special[] = {0,          0x3f800000, 0x7f800000, 0x7fc00000,
                                  0x7f800001, 1,          0x007fffff, 0x00800000,
                                  0x01000000, 0x7f7fffff, 0x4b800000, 0x33800000};
    u32 v = (u32)rng();
    switch (rng() % 4) {
    case 0:
        v = special[rng() % ARRAY_LEN(special)] ^ (v & 0x80000000);
        break;
    case 1:
        break;
    case 2:
        v = (v & 0x807fffff) | (u32)(127 - 20 + rng() % 40) << 23;
        break;
    default:
        v = (v & 0x807fffff) | (u32)(rng() % 4 + (rng() & 1 ? 0 : 251)) << 23;
        break;
    }
    return rng() % 50 ? 0xffffffff00000000u | v : (u64)v | (u64)(u32)rng() << 32;
}

static float32_t single(u64 v) { return (float32_t){v >> 32 == 0xffffffff ? (u32)v : 0x7fc00000}; }
static u64 boxed(float32_t v) { return 0xffffffff00000000u | v.v; }

typedef u64 reference(u64 a, u64 b, unsigned rm);
#define REF2(id, body)                                                                             \
    static u64 ref_##id(u64 a, u64 b, unsigned rm) {                                               \
        (void)a, (void)b, (void)rm;                                                                \
        return body;                                                                               \
    }
#define D(v) ((float64_t){v})
REF2(fadd_d, f64_add(D(a), D(b)).v)
REF2(fsub_d, f64_sub(D(a), D(b)).v)
REF2(fmul_d, f64_mul(D(a), D(b)).v)
REF2(fdiv_d, f64_div(D(a), D(b)).v)
REF2(fsqrt_d, f64_sqrt(D(a)).v)
REF2(fadd_s, boxed(f32_add(single(a), single(b))))
REF2(fsub_s, boxed(f32_sub(single(a), single(b))))
REF2(fmul_s, boxed(f32_mul(single(a), single(b))))
REF2(fdiv_s, boxed(f32_div(single(a), single(b))))
REF2(fsqrt_s, boxed(f32_sqrt(single(a))))
REF2(feq_d, f64_eq(D(a), D(b)))
REF2(flt_d, f64_lt(D(a), D(b)))
REF2(fle_d, f64_le(D(a), D(b)))
REF2(feq_s, f32_eq(single(a), single(b)))
REF2(flt_s, f32_lt(single(a), single(b)))
REF2(fle_s, f32_le(single(a), single(b)))
REF2(fcvt_w_d, (u64)(i64)(i32)f64_to_i32(D(a), (uint_fast8_t)rm, true))
REF2(fcvt_wu_d, (u64)(i64)(i32)f64_to_ui32(D(a), (uint_fast8_t)rm, true))
REF2(fcvt_l_d, (u64)f64_to_i64(D(a), (uint_fast8_t)rm, true))
REF2(fcvt_lu_d, f64_to_ui64(D(a), (uint_fast8_t)rm, true))
REF2(fcvt_w_s, (u64)(i64)(i32)f32_to_i32(single(a), (uint_fast8_t)rm, true))
REF2(fcvt_wu_s, (u64)(i64)(i32)f32_to_ui32(single(a), (uint_fast8_t)rm, true))
REF2(fcvt_l_s, (u64)f32_to_i64(single(a), (uint_fast8_t)rm, true))
REF2(fcvt_lu_s, f32_to_ui64(single(a), (uint_fast8_t)rm, true))
REF2(fcvt_d_l, i64_to_f64((i64)a).v)
REF2(fcvt_d_lu, ui64_to_f64(a).v)
REF2(fcvt_s_l, boxed(i64_to_f32((i64)a)))
REF2(fcvt_s_lu, boxed(ui64_to_f32(a)))
REF2(fcvt_s_w, boxed(i32_to_f32((i32)a)))
REF2(fcvt_s_wu, boxed(ui32_to_f32((u32)a)))
REF2(fcvt_s_d, boxed(f64_to_f32(D(a))))
REF2(fcvt_d_s, f32_to_f64(single(a)).v)

static const struct {
    const char *name;
    guest_helper_fn fn;
    reference *ref;
    char operands; // d, s, or l for integers
} fp_rows[] = {
#define FP(id, operands)                                                                           \
    { #id, rv64_help_##id, ref_##id, operands }
    FP(fadd_d, 'd'),   FP(fsub_d, 'd'),    FP(fmul_d, 'd'),   FP(fdiv_d, 'd'),
    FP(fsqrt_d, 'd'),  FP(fadd_s, 's'),    FP(fsub_s, 's'),   FP(fmul_s, 's'),
    FP(fdiv_s, 's'),   FP(fsqrt_s, 's'),   FP(feq_d, 'd'),    FP(flt_d, 'd'),
    FP(fle_d, 'd'),    FP(feq_s, 's'),     FP(flt_s, 's'),    FP(fle_s, 's'),
    FP(fcvt_w_d, 'd'), FP(fcvt_wu_d, 'd'), FP(fcvt_l_d, 'd'), FP(fcvt_lu_d, 'd'),
    FP(fcvt_w_s, 's'), FP(fcvt_wu_s, 's'), FP(fcvt_l_s, 's'), FP(fcvt_lu_s, 's'),
    FP(fcvt_d_l, 'l'), FP(fcvt_d_lu, 'l'), FP(fcvt_s_l, 'l'), FP(fcvt_s_lu, 'l'),
    FP(fcvt_s_w, 'l'), FP(fcvt_s_wu, 'l'), FP(fcvt_s_d, 'd'), FP(fcvt_d_s, 's'),
};

static u64 operand(char kind) {
    return kind == 'd' ? random_double() : kind == 's' ? random_single() : rng() >> rng() % 64;
}

static void test_fp_fast_paths(void **state) {
    struct fixture *f = *state;
    enum { TRIES = 40000 };
    for (size_t i = 0; i < ARRAY_LEN(fp_rows); i++) {
        for (unsigned k = 0; k < TRIES; k++) {
            u64 a = operand(fp_rows[i].operands), b = operand(fp_rows[i].operands);
            if (k % 7 == 0) b = a ^ (u64)(k & 1) << 63;
            unsigned rm = k % 2 ? 0 : (unsigned)(rng() % 5);
            u64 before = rng() % 2;
            f->s->fflags = before;
            u64 got = fp_rows[i].fn(f->cpu->s, a, b, 0, rm), flags = f->s->fflags;
            softfloat_roundingMode = (uint_fast8_t)rm;
            softfloat_exceptionFlags = 0;
            u64 want = fp_rows[i].ref(a, b, rm);
            u64 want_flags = before | softfloat_exceptionFlags;
            if (got != want || flags != want_flags)
                fail_msg("%s(%llx, %llx) rm %u: %llx flags %llx, SoftFloat %llx flags %llx",
                         fp_rows[i].name, (unsigned long long)a, (unsigned long long)b, rm,
                         (unsigned long long)got, (unsigned long long)flags,
                         (unsigned long long)want, (unsigned long long)want_flags);
        }
    }
}

static void test_fp_min_max_class(void **state) {
    struct fixture *f = *state;
    struct guest_state *g = f->cpu->s;
    const u64 one = 0x3ff0000000000000, minus0 = (u64)1 << 63, qnan = 0x7ff8000000000000,
              snan = 0x7ff0000000000001, inf = 0x7ff0000000000000;
    assert_int_equal(rv64_help_fmin_d(g, 0, minus0, 0, 0), minus0);
    assert_int_equal(rv64_help_fmin_d(g, minus0, 0, 0, 0), minus0);
    assert_int_equal(rv64_help_fmax_d(g, minus0, 0, 0, 0), 0);
    assert_int_equal(rv64_help_fmax_d(g, 0, minus0, 0, 0), 0);
    assert_int_equal(rv64_help_fmax_d(g, qnan, one, 0, 0), one);
    assert_int_equal(rv64_help_fmin_d(g, inf, one, 0, 0), one);
    assert_int_equal(f->s->fflags, 0);
    assert_int_equal(rv64_help_fmin_d(g, one, snan, 0, 0), one);
    assert_int_equal(f->s->fflags, 16);
    assert_int_equal(rv64_help_fmin_d(g, snan, qnan, 0, 0), qnan);
    static const struct {
        u64 v;
        unsigned bit;
    } classes[] = {{0xfff0000000000000, 0},
                   {0xbff0000000000000, 1},
                   {0x8000000000000001, 2},
                   {0x8000000000000000, 3},
                   {0, 4},
                   {1, 5},
                   {0x3ff0000000000000, 6},
                   {0x7ff0000000000000, 7},
                   {0x7ff0000000000001, 8},
                   {0x7ff8000000000000, 9},
                   {0xfff8000000000000, 9}};
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        assert_int_equal(rv64_help_fclass_d(g, classes[i].v, 0, 0, 0), 1 << classes[i].bit);
    assert_int_equal(rv64_help_fclass_s(g, 0xffffffff80000001, 0, 0, 0), 1 << 2);
    assert_int_equal(rv64_help_fclass_s(g, 0x3f800000, 0, 0, 0), 1 << 9); // not boxed
}

// ---- time from instructions

static u64 icount_ns(void *arg) {
    struct fixture *f = arg;
    return f->cpu ? cpu_icount(f->cpu) * CPU_ICOUNT_NS : 0;
}

// What 500 timer interrupts found in sepc and instret, as hashes in x6 and x7, when cpu_run is
// called for `chunk` instructions at a time.
static void timer_trace(enum exec_engine engine, u64 chunk, u64 hash[2]) {
    static const u32 loop[] = {
        0x00128293, // addi x5, x5, 1
        0x0072f413, // andi x8, x5, 7
        0xfe041ce3, // bne x8, x0, loop
        0x00348493, // addi x9, x9, 3
        0x0054c533, // xor x10, x9, x5
        0xfedff06f, // j loop
    };
    static const u32 handler[] = {
        0x141025f3, // csrr x11, sepc
        0xc0202673, // csrr x12, instret
        0x00531693, // slli x13, x6, 5
        0x00d30333, // add x6, x6, x13
        0x00b30333, // add x6, x6, x11
        0x00539693, // slli x13, x7, 5
        0x00d383b3, // add x7, x7, x13
        0x00c383b3, // add x7, x7, x12
        0xc0102773, // csrr x14, time
        0x02570713, // addi x14, x14, 37
        0xfff80813, // addi x16, x16, -1
        0x00081463, // bne x16, x0, .+8
        0xfff00713, // li x14, -1
        0x14d71073, // csrw stimecmp, x14
        0x10200073, // sret
    };
    struct fixture f = {0};
    struct err err;
    f.bus = bus_create(RAM, RAM_SIZE, &err);
    struct cpu_board board = {.arg = &f, .time_ns = icount_ns};
    struct cpu_settings set = {.engine = engine, .icount_time = true};
    f.cpu = cpu_create(&guest_riscv64, f.bus, &board, &set, &err);
    assert_true(bus_write(f.bus, RAM, loop, sizeof loop));
    assert_true(bus_write(f.bus, RAM + 0x100, handler, sizeof handler));
    cpu_boot(f.cpu, RAM, 0, 0);
    struct rv64_state *s = rv64_of(f.cpu->s);
    s->stvec = RAM + 0x100;
    s->x[16] = 500;
    assert_true(rv64_csr_write(s, 0x104, SIP_ALL));
    assert_true(rv64_csr_write(s, 0x100, SSTATUS_SIE));
    assert_true(rv64_csr_write(s, 0x14d, 41));
    for (unsigned i = 0; s->x[16] && i < 1000000; i++) cpu_run(f.cpu, chunk);
    assert_int_equal(s->x[16], 0);
    hash[0] = s->x[6];
    hash[1] = s->x[7];
    cpu_destroy(f.cpu);
    bus_destroy(f.bus);
}

static void test_timer_at_an_instruction(void **state) {
    (void)state;
    u64 first[2], other[2];
    timer_trace(ENGINE_EVAL, 1000000, first);
    for (u64 chunk = 1; chunk <= 100000; chunk = chunk * 7 + 3) {
        timer_trace(ENGINE_INTERP, chunk, other);
        assert_memory_equal(first, other, sizeof first);
    }
    timer_trace(ENGINE_EVAL, 17, other);
    assert_memory_equal(first, other, sizeof first);
}

int main(void) {
#define WITH_CPU(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_x0),
        cmocka_unit_test(test_short_code),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_disassemble),
        WITH_CPU(test_csrs),
        WITH_CPU(test_every_csr_number),
        WITH_CPU(test_walk),
        WITH_CPU(test_keys),
        WITH_CPU(test_interrupts),
        WITH_CPU(test_sbi_console),
        WITH_CPU(test_sbi_calls),
        WITH_CPU(test_fp_fast_paths),
        WITH_CPU(test_fp_min_max_class),
        cmocka_unit_test(test_timer_at_an_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
