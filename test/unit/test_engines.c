// Engine against engine: a toy guest whose instructions are random IR (the bytes of an instruction
// seed a generator), run by the evaluator and by the interpreter, compared state for state. Covers
// the lowering, the loop, links, faults in mid-block, page-crossing instructions and invalidation
// without depending on any real guest.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "guest/guest.h"
#include "ir/ops.h"
#ifdef __wasm__
#include "jit_host.h"
#endif

enum { NREGS = 12, NVREGS = 4, INSN = 6, RAM_PAGES = 16, CODE_PAGES = 6, RAM_BASE = 0x10000 };

struct toy {
    struct guest_state g;
    u64 r[NREGS];
    v128 v[NVREGS];
    u64 traps;
};

#define R(i) (u32)(offsetof(struct toy, r) + 8 * (i))
#define V(i) (u32)(offsetof(struct toy, v) + 16 * (i))

// Is there anything of vectors in the code? Without, blocks have more of everything else.
static bool vectors = true;
// May the code change itself? When a change is seen depends on where blocks end.
static bool changes = true;
// Are the first cells lazy flags, set as x86 does?
static bool lazy;

struct rng {
    u64 s;
};

static u64 next(struct rng *r) {
    r->s ^= r->s << 13;
    r->s ^= r->s >> 7;
    r->s ^= r->s << 17;
    return r->s * 0x2545f4914f6cdd1du;
}

static u32 below(struct rng *r, u32 n) { return (u32)(next(r) >> 33) % n; }

static u64 interesting(struct rng *r) {
    static const u64 v[] = {0,
                            1,
                            2,
                            31,
                            32,
                            63,
                            64,
                            0x7f,
                            0x80,
                            0xff,
                            0x7fffffff,
                            0x80000000u,
                            0xffffffffu,
                            0x7fffffffffffffffu,
                            0x8000000000000000u,
                            ~(u64)0,
                            ~(u64)1};
    return below(r, 3) ? v[below(r, ARRAY_LEN(v))] : next(r);
}

// ---- helpers of the toy guest

static u64 h_pure(struct guest_state *s, u64 a, u64 b, u64 c, u64 imm) {
    (void)s;
    return a * 3 + (b ^ c) + imm;
}

static u64 h_writes(struct guest_state *s, u64 a, u64 b, u64 c, u64 imm) {
    struct toy *t = (struct toy *)s;
    t->r[imm % NREGS] += a ^ b;
    t->v[imm % NVREGS][0] ^= c;
    return t->r[(imm + 1) % NREGS];
}

static u64 h_faults(struct guest_state *s, u64 a, u64 b, u64 c, u64 imm) {
    if ((a & 7) == 3) {
        guest_raise(s, 5, b);
        return 0;
    }
    return guest_icount(s) + (s->pc ^ c) + imm;
}

static u64 h_mode(struct guest_state *s, u64 a, u64 b, u64 c, u64 imm) {
    struct toy *t = (struct toy *)s;
    (void)b, (void)c;
    t->r[imm % NREGS] ^= a;
    guest_tlb_flush(s);
    return a + 1;
}

// Of vectors: what stands in x[0] afterwards is the result.
static u64 h_vmix(struct guest_state *s, u64 a, u64 b, u64 c, u64 imm) {
    v128 *x = (v128 *)(uintptr_t)a;
    (void)s, (void)b, (void)c;
    x[0] = x[0] * 3 + (x[1] ^ x[2] * imm);
    return 0;
}

#define PER_DOUBLE(name, expr)                                                                     \
    static u64 name(struct guest_state *s, u64 a, u64 b, u64 c, u64 imm) {                         \
        v128 *v = (v128 *)(uintptr_t)a;                                                            \
        (void)s, (void)b, (void)c, (void)imm;                                                      \
        for (unsigned i = 0; i < 2; i++) {                                                         \
            double x = ir_f64_of(v[0][i]), y = ir_f64_of(v[1][i]);                                 \
            (void)y;                                                                               \
            v[0][i] = (expr);                                                                      \
        }                                                                                          \
        return 0;                                                                                  \
    }
#define PER_SINGLE(name, expr)                                                                     \
    static u64 name(struct guest_state *s, u64 a, u64 b, u64 c, u64 imm) {                         \
        v128 *v = (v128 *)(uintptr_t)a;                                                            \
        v4u32 p = (v4u32)v[0], q = (v4u32)v[1];                                                    \
        (void)s, (void)b, (void)c, (void)imm;                                                      \
        for (unsigned i = 0; i < 4; i++) {                                                         \
            float x = ir_f32_of(p[i]), y = ir_f32_of(q[i]);                                        \
            p[i] = (expr);                                                                         \
        }                                                                                          \
        v[0] = (v128)p;                                                                            \
        return 0;                                                                                  \
    }
static bool compares(u64 imm, bool eq, bool lt, bool unordered) {
    bool r[4] = {eq, lt, eq || lt, unordered};
    return r[imm >> 16 & 3] != (imm >> 18 & 1);
}
PER_DOUBLE(h_vadd64, ir_bits_of_f64(ir_nan64(x + y)))
PER_DOUBLE(h_vmul64, ir_bits_of_f64(ir_nan64(x *y)))
PER_DOUBLE(h_vsqrt64, ir_bits_of_f64(ir_nan64(__builtin_sqrt(x))))
PER_DOUBLE(h_vmax64, x > y ? v[0][i] : v[1][i])
PER_DOUBLE(h_vcmp64, compares(imm, x == y, x < y, x != x || y != y) ? ~(u64)0 : 0)
PER_SINGLE(h_vsub32, ir_bits_of_f32(ir_nan32(x - y)))
PER_SINGLE(h_vdiv32, ir_bits_of_f32(ir_nan32(x / y)))
PER_SINGLE(h_vmin32, x < y ? p[i] : q[i])
PER_SINGLE(h_vcmp32, compares(imm, x == y, x < y, x != x || y != y) ? ~0u : 0)

static const struct guest_helper helpers[] = {
    {"pure", h_pure, 0, 0},
    {"writes", h_writes, HELPER_WRITES | HELPER_READS, 0},
    {"faults", h_faults, HELPER_FAULTS | HELPER_PC, 0},
    {"mode", h_mode, HELPER_MODE | HELPER_WRITES | HELPER_READS, 0},
    {"vmix", h_vmix, 0, 0},
    {"vsqrt64", h_vsqrt64, 0, FAST_VSQRT64},
    {"vadd64", h_vadd64, 0, FAST_VADD64},
    {"vmul64", h_vmul64, 0, FAST_VMUL64},
    {"vmax64", h_vmax64, 0, FAST_VMAX64},
    {"vcmp64", h_vcmp64, 0, FAST_VCMP64},
    {"vsub32", h_vsub32, 0, FAST_VSUB32},
    {"vdiv32", h_vdiv32, 0, FAST_VDIV32},
    {"vmin32", h_vmin32, 0, FAST_VMIN32},
    {"vcmp32", h_vcmp32, 0, FAST_VCMP32},
};

// ---- random instructions

struct pool {
    struct ir_block *b;
    struct rng *rng;
    ir_ref have[6][64];
    unsigned n[6];
};

static ir_ref add(struct pool *p, ir_ref r) {
    enum ir_type t = ir_type_of(p->b, r);
    if (t != IR_NONE && p->n[t] < 64) p->have[t][p->n[t]++] = r;
    return r;
}

static ir_ref pick(struct pool *p, enum ir_type t) {
    struct rng *g = p->rng;
    if (p->n[t] && below(g, 4)) return p->have[t][below(g, p->n[t])];
    switch (t) {
    case IR_I64:
        if (vectors && !below(g, 8)) // half of a vector's cell
            return add(p, ir_get(p->b, V(below(g, NVREGS)) + 8 * below(g, 2)));
        return add(p, below(g, 3) ? ir_get(p->b, R(below(g, NREGS)))
                                  : ir_const64(p->b, interesting(g)));
    case IR_I32:
        return add(p, below(g, 2) ? ir_TRUNC32(p->b, pick(p, IR_I64))
                                  : ir_const32(p->b, (u32)interesting(g)));
    case IR_F64:
        return add(p, ir_F64BITS(p->b, pick(p, IR_I64)));
    case IR_F32:
        return add(p, ir_F32BITS(p->b, pick(p, IR_I32)));
    case IR_V128:
        return add(p, ir_getv(p->b, V(below(g, NVREGS))));
    default:
        assert_true(false);
        return 0;
    }
}

static const enum ir_op pure_ops[] = {
#define IR_BIN(n, t, ty, e)   IR_##n,
#define IR_CMP(n, t, ty, e)   IR_##n,
#define IR_UN(n, t, r, ty, e) IR_##n,
#define IR_SHV(n, t, e)       IR_##n,
#define IR_VIMM(n, t, e)      IR_##n,
#define IR_SEL(n, t, ty)      IR_##n,
#include "ir/ops.def"
};

static const enum ir_op loads[] = {IR_LDU8, IR_LDS8, IR_LDU16, IR_LDS16, IR_LDU32, IR_LDS32,
                                   IR_LD64, IR_LDV,  IR_LDW8,  IR_LDW16, IR_LDW32, IR_LDW64};
static const enum ir_op stores[] = {IR_ST8, IR_ST16, IR_ST32, IR_ST64, IR_STV};

static bool touches_vector(enum ir_op op) {
    bool any = ir_ops[op].result == IR_V128;
    for (unsigned i = 0; i < ir_ops[op].noperands; i++) any |= ir_operand_type(op, i) == IR_V128;
    return any;
}

// Mostly data pages, sometimes the code itself, sometimes nothing at all.
static ir_ref address(struct pool *p) {
    u64 pages = below(p->rng, 16) ? RAM_PAGES - CODE_PAGES : RAM_PAGES;
    u64 base = pages == RAM_PAGES ? RAM_BASE : RAM_BASE + CODE_PAGES * 4096;
    if (!changes) {
        pages = RAM_PAGES - CODE_PAGES;
        base = RAM_BASE + (CODE_PAGES + 2) * 4096;
    }
    ir_ref a = ir_AND64(p->b, pick(p, IR_I64), ir_const64(p->b, pages * 4096 / 2 - 1));
    a = ir_ADD64(p->b, a, ir_const64(p->b, base));
    return below(p->rng, 40) || !changes ? a : pick(p, IR_I64);
}

// A value extended from `size` bytes.
static ir_ref canonical(struct pool *p, unsigned size) {
    struct rng *g = p->rng;
    u64 mask = ~(u64)0 >> (64 - 8 * size);
    if (!below(g, 4)) return ir_const64(p->b, interesting(g) & mask);
    if (size == 4) return ir_ZEXT32(p->b, pick(p, IR_I32));
    return ir_AND64(p->b, pick(p, IR_I64), ir_const64(p->b, mask));
}

static ir_ref difference(struct ir_block *b, ir_ref x, ir_ref y, unsigned size) {
    if (size == 4) return ir_ZEXT32(b, ir_SUB32(b, ir_TRUNC32(b, x), ir_TRUNC32(b, y)));
    return ir_AND64(b, ir_SUB64(b, x, y), ir_const64(b, ~(u64)0 >> (64 - 8 * size)));
}

// Sets of flags as an arithmetic instruction has them, and what may stand around them.
static void random_flags(struct pool *p) {
    struct rng *g = p->rng;
    struct ir_block *b = p->b;
    unsigned size = 1u << below(g, 4);
    ir_ref x = canonical(p, size), y = canonical(p, size), r;
    r = below(g, 4) ? difference(b, x, y, size) : canonical(p, size);
    bool sub = below(g, 2), first = below(g, 3) == 0;
    if (!below(g, 3)) add(p, x);
    if (!below(g, 3)) add(p, y);
    if (first) ir_set(b, R(below(g, NREGS)), add(p, r));
    if (below(g, 8))
        ir_set(b, R(FLAG_KIND), below(g, 8) ? ir_const64(b, below(g, 4)) : pick(p, IR_I64));
    if (below(g, 12)) ir_set(b, R(FLAG_RESULT), r);
    if (sub || below(g, 2)) ir_set(b, R(FLAG_A), x);
    if (below(g, 12)) ir_set(b, R(FLAG_B), sub ? y : ir_const64(b, 0));
    if (!first && below(g, 2)) ir_set(b, R(below(g, NREGS)), r);
    add(p, r);
    if (below(g, 2)) add(p, ir_LTU64(b, x, y));
    if (size == 4 && below(g, 2)) add(p, ir_EQ32(b, ir_TRUNC32(b, r), ir_TRUNC32(b, y)));
}

static void random_op(struct pool *p) {
    struct rng *g = p->rng;
    struct ir_block *b = p->b;
    u32 k = below(g, 100);
    if (lazy && !below(g, 3)) {
        random_flags(p);
        return;
    }
    if (k < 50) {
        enum ir_op op = pure_ops[below(g, ARRAY_LEN(pure_ops))];
        if (!vectors && touches_vector(op)) return;
        ir_ref x[3] = {0, 0, 0};
        for (unsigned i = 0; i < ir_ops[op].noperands; i++) x[i] = pick(p, ir_operand_type(op, i));
        add(p, ir_emit(b, op, x[0], x[1], x[2], 0, ir_ops[op].imm ? next(g) : 0));
    } else if (k < 75) {
        u32 half = V(below(g, NVREGS)) + 8 * below(g, 2);
        ir_set(b, vectors && !below(g, 6) ? half : R(below(g, NREGS)), pick(p, IR_I64));
    } else if (k < 80 && vectors) {
        ir_setv(b, V(below(g, NVREGS)), pick(p, IR_V128));
    } else if (k < 88) {
        ir_ref a = address(p);
        enum ir_op op = loads[below(g, ARRAY_LEN(loads))];
        if (!vectors && op == IR_LDV) op = IR_LD64;
        add(p, ir_emit(b, op, a, 0, 0, 0, (u64)(i64)((i32)below(g, 64) - 32)));
    } else if (k < 94) {
        enum ir_op op = stores[below(g, ARRAY_LEN(stores))];
        if (!vectors && op == IR_STV) op = IR_ST64;
        ir_ref a = address(p), v = pick(p, op == IR_STV ? IR_V128 : IR_I64);
        ir_emit(b, op, a, v, 0, 0, (u64)(i64)((i32)below(g, 64) - 32));
    } else if (k < 96) {
        ir_ref c = ir_EQ64(b, ir_AND64(b, pick(p, IR_I64), ir_const64(b, 15)), ir_const64(b, 9));
        ir_trapif(b, c, 7, pick(p, IR_I64));
    } else if (k < 98 && vectors) {
        enum { VMIX = 4, VSQRT64 = 5 };
        unsigned h = VMIX + below(g, ARRAY_LEN(helpers) - VMIX);
        ir_ref x[3] = {pick(p, IR_V128), 0, 0};
        if (h != VSQRT64) x[1] = pick(p, IR_V128);
        if (h == VMIX) x[2] = pick(p, IR_V128);
        add(p, ir_vcall(b, h, x[0], x[1], x[2], (u32)next(g)));
    } else if (k < 99) {
        unsigned h = below(g, 3);
        ir_ref x = below(g, 4) ? pick(p, IR_I64) : 0, y = x ? pick(p, IR_I64) : 0;
        add(p, ir_call(b, h, x, y, 0, next(g) & 0xffff));
        // The forwarded values of cells are gone, but values stay values.
    } else {
        add(p, ir_pcrel(b, (i64)below(g, 4096)));
    }
}

static gva random_target(struct rng *g) {
    return RAM_BASE + below(g, CODE_PAGES * 4096 / INSN - 2) * INSN;
}

static void random_exit(struct pool *p, i32 rel, i32 next_rel) {
    struct rng *g = p->rng;
    struct ir_block *b = p->b;
    i32 near = (i32)below(g, 4096 / INSN) * INSN + rel % INSN;
    switch (below(g, 6)) {
    case 0:
        ir_jump(b, near);
        break;
    case 1:
        ir_branch(b, pick(p, IR_I32), near, next_rel);
        break;
    case 2:
        ir_branch(b, ir_LTU64(b, pick(p, IR_I64), pick(p, IR_I64)), near, next_rel);
        break;
    case 3:
        ir_jumpind(b, ir_const64(b, random_target(g)), IR_JUMP_PLAIN);
        break;
    case 4:
        ir_branch(b, ir_NE32(b, pick(p, IR_I32), pick(p, IR_I32)), next_rel, near);
        break;
    default: {
        ir_ref r = ir_call(b, 3, pick(p, IR_I64), 0, 0, below(g, 100));
        ir_set(b, R(below(g, NREGS)), r);
        ir_set(b, offsetof(struct guest_state, pc), ir_const64(b, random_target(g)));
        ir_leave(b);
    }
    }
}

static unsigned toy_lift(struct ir_block *b, const u8 *code, unsigned avail, i32 rel, u32 mode) {
    (void)mode;
    if (avail < INSN) return LIFT_SHORT;
    u64 seed = 0;
    memcpy(&seed, code, INSN);
    struct rng g = {seed * 0x9e3779b97f4a7c15u | 1};
    next(&g);
    struct pool p = {.b = b, .rng = &g};
    ir_insn_start(b, rel, INSN);
    for (u32 n = 1 + below(&g, 9); n; n--) random_op(&p);
    if (below(&g, 5) == 0) random_exit(&p, rel, rel + INSN);
    return INSN;
}

static bool toy_translate(struct guest_state *s, gva va, enum guest_access access,
                          struct guest_translation *out, u64 *cause) {
    (void)s;
    *cause = 20 + (u64)access;
    // The last page is read-only; nothing else is mapped.
    if (va < RAM_BASE || va >= RAM_BASE + RAM_PAGES * 4096) return false;
    bool last = va >= RAM_BASE + (RAM_PAGES - 1) * 4096;
    if (last && access != ACCESS_READ) return false;
    *out = (struct guest_translation){va, true, !last, true, .global = va / 4096 % 3 != 0};
    return true;
}

static void toy_raise(struct guest_state *s, u64 cause, u64 tval) {
    struct toy *t = (struct toy *)s;
    t->traps = t->traps * 31 + cause + tval + s->pc;
    t->r[0] ^= tval + s->pc + guest_icount(s);
    struct rng g = {(t->traps * 0x9e3779b97f4a7c15u) | 1};
    s->pc = random_target(&g);
}

static u64 toy_bus_fault(enum guest_access a) { return 30 + (u64)a; }
static u32 toy_mode(const struct guest_state *s) {
    (void)s;
    return 0;
}
static u64 toy_key(const struct guest_state *s) { return ((const struct toy *)s)->r[1] & 3; }
static bool toy_no(struct guest_state *s) {
    (void)s;
    return false;
}
static void toy_irq(struct guest_state *s, unsigned line, bool level) {
    (void)s, (void)line, (void)level;
}
static u64 toy_timer(const struct guest_state *s) {
    (void)s;
    return ~(u64)0;
}
static void toy_reset(struct guest_state *s) {
    struct toy *t = (struct toy *)s;
    memset(t->r, 0, sizeof t->r);
}
static void toy_boot(struct guest_state *s, gva pc, u64 a, u64 b) {
    (void)a, (void)b;
    s->pc = pc;
}
static size_t toy_describe(const struct guest_state *s, char *buf, size_t cap) {
    return (size_t)snprintf(buf, cap, "pc=%llx", (unsigned long long)s->pc);
}

static const struct guest_arch toy_arch = {
    .name = "toy",
    .state_size = sizeof(struct toy),
    .compare_from = offsetof(struct toy, r),
    .compare_to = offsetof(struct toy, v) + NVREGS * 16,
    .max_insn = INSN,
    .helpers = helpers,
    .nhelpers = ARRAY_LEN(helpers),
    .denormals = true,
    .reset = toy_reset,
    .boot = toy_boot,
    .lift = toy_lift,
    .code_mode = toy_mode,
    .tlb_key = toy_key,
    .tlb_space = 2,
    .translate = toy_translate,
    .bus_fault = toy_bus_fault,
    .raise = toy_raise,
    .take_interrupt = toy_no,
    .interrupt_pending = toy_no,
    .set_irq = toy_irq,
    .next_timer = toy_timer,
    .describe = toy_describe,
};

// ---- the comparison

struct side {
    struct bus *bus;
    struct cpu *cpu;
    struct toy *t;
};

static struct toy *found; // the state is private to the CPU: the first raise or helper shows it
static void find_boot(struct guest_state *s, gva pc, u64 a, u64 b) {
    toy_boot(s, pc, a, b);
    found = (struct toy *)s;
}

static struct guest_arch arch;

static struct side make(u64 seed, struct cpu_settings set) {
    struct side s;
    struct err err;
    arch.lazy_flags = lazy;
    s.bus = bus_create(RAM_BASE, RAM_PAGES * 4096, &err);
    assert_non_null(s.bus);
    struct rng g = {seed | 1};
    u8 *ram = bus_ram_ptr(s.bus, RAM_BASE, RAM_PAGES * 4096);
    for (unsigned i = 0; i < RAM_PAGES * 4096; i++) ram[i] = (u8)(next(&g) >> 40);
    struct cpu_board board = {0};
    s.cpu = cpu_create(&arch, s.bus, &board, &set, &err);
    assert_non_null(s.cpu);
    cpu_boot(s.cpu, RAM_BASE, 0, 0);
    s.t = found;
    for (unsigned i = 0; i < NREGS; i++) s.t->r[i] = interesting(&g);
    for (unsigned i = 0; i < NVREGS; i++) s.t->v[i] = (v128){next(&g), next(&g)};
    return s;
}

static void drop(struct side *s) {
    cpu_destroy(s->cpu);
    bus_destroy(s->bus);
}

static bool same(const struct side *a, const struct side *b) {
    return a->t->g.pc == b->t->g.pc && cpu_icount(a->cpu) == cpu_icount(b->cpu) &&
           !memcmp(a->t->r, b->t->r, sizeof a->t->r) && !memcmp(a->t->v, b->t->v, sizeof a->t->v) &&
           a->t->traps == b->t->traps &&
           !memcmp(bus_ram_ptr(a->bus, RAM_BASE, 1), bus_ram_ptr(b->bus, RAM_BASE, 1),
                   RAM_PAGES * 4096);
}

static void explain(const struct side *a, const struct side *b, const u8 *code_before, gva pc) {
    print_message("pc %llx/%llx count %llu/%llu traps %llx/%llx\n", (unsigned long long)a->t->g.pc,
                  (unsigned long long)b->t->g.pc, (unsigned long long)cpu_icount(a->cpu),
                  (unsigned long long)cpu_icount(b->cpu), (unsigned long long)a->t->traps,
                  (unsigned long long)b->t->traps);
    for (unsigned i = 0; i < NREGS; i++)
        if (a->t->r[i] != b->t->r[i])
            print_message("r%u (cell %u) %llx/%llx\n", i, R(i), (unsigned long long)a->t->r[i],
                          (unsigned long long)b->t->r[i]);
    const u8 *ma = bus_ram_ptr(a->bus, RAM_BASE, 1), *mb = bus_ram_ptr(b->bus, RAM_BASE, 1);
    for (unsigned i = 0, n = 0; i < RAM_PAGES * 4096 && n < 8; i++)
        if (ma[i] != mb[i]) print_message("memory %x: %x/%x\n", RAM_BASE + i, ma[i], mb[i]), n++;
    static struct ir_block blk;
    u8 effects[ARRAY_LEN(helpers)];
    for (size_t k = 0; k < ARRAY_LEN(helpers); k++) effects[k] = helpers[k].effects;
    i32 rel = (i32)(pc % 4096);
    ir_begin(&blk, rel, effects, ARRAY_LEN(helpers));
    while (!blk.ended && blk.n < 1500 && rel + INSN <= 4096 && blk.ninsns < 64)
        rel += (i32)toy_lift(&blk, code_before + (pc & ~(u64)4095) - RAM_BASE + (u64)rel, INSN, rel,
                             0);
    struct buf text = {0};
    ir_print(&blk, &text);
    print_message("block at %llx:\n%s", (unsigned long long)pc, buf_cstr(&text));
    buf_free(&text);
}

static u64 evictions; // of decoded code, in all runs

// Runs both engines in steps of `budget` and compares after each. On a difference, runs again block
// by block and shows the block where it starts.
static bool run_pair(u64 seed, struct cpu_settings set, unsigned steps, unsigned budget) {
    set.engine = ENGINE_EVAL;
    struct side a = make(seed, set);
    set.engine = ENGINE_INTERP;
    struct side b = make(seed, set);
    u8 *code = malloc(RAM_PAGES * 4096);
    bool ok = true;
    for (unsigned i = 0; i < steps && ok; i++) {
        gva pc = a.t->g.pc;
        memcpy(code, bus_ram_ptr(a.bus, RAM_BASE, 1), RAM_PAGES * 4096);
        cpu_run(a.cpu, budget);
        cpu_run(b.cpu, budget);
        ok = same(&a, &b);
        if (!ok && budget == 1) explain(&a, &b, code, pc);
    }
    if (ok) assert_true(cpu_icount(a.cpu) > steps / 2);
    struct cpu_stats st;
    cpu_get_stats(b.cpu, &st);
    evictions += st.code_evictions;
    free(code);
    drop(&a);
    drop(&b);
    if (!ok && budget > 1) {
        print_message("seed %llu differs; block by block:\n", (unsigned long long)seed);
        if (run_pair(seed, set, steps * budget, 1)) print_message("no difference block by block\n");
    }
    return ok;
}

static unsigned scale(void) {
    const char *s = getenv("BERTH_TEST_SCALE");
    return s ? (unsigned)atoi(s) : 1;
}

static void test_engines_agree(void **state) {
    (void)state;
    for (u64 seed = 1; seed <= 150u * scale(); seed++)
        assert_true(
            run_pair(seed * 7919, (struct cpu_settings){0}, 30, 2 + (unsigned)(seed % 200)));
}

static void test_lazy_flags(void **state) {
    (void)state;
    assert_true(R(0) == GUEST_FLAGS);
    lazy = true;
    for (u64 seed = 1; seed <= 150u * scale(); seed++)
        assert_true(
            run_pair(seed * 15485863, (struct cpu_settings){0}, 30, 2 + (unsigned)(seed % 200)));
    lazy = false;
}

static void test_one_instruction_blocks(void **state) {
    (void)state;
    for (u64 seed = 1; seed <= 30u * scale(); seed++)
        assert_true(run_pair(seed * 104729, (struct cpu_settings){.max_block_insns = 1}, 20, 40));
}

static void test_tiny_tlb(void **state) {
    (void)state;
    for (u64 seed = 1; seed <= 30u * scale(); seed++)
        assert_true(run_pair(seed * 1299709, (struct cpu_settings){.tlb_bits = 2}, 20, 100));
}

// The arena is full again and again: blocks are evicted while others, and links, live on.
static void test_tiny_arena(void **state) {
    (void)state;
    for (u64 seed = 1; seed <= 80u * scale(); seed++) {
        struct cpu_settings set = {.torture = TORTURE_ARENA};
        if (seed % 4 == 0) set.max_block_insns = 1;
        assert_true(run_pair(seed * 32452843, set, 200, 150));
    }
    print_message("%llu evictions\n", (unsigned long long)evictions);
    assert_true(evictions > 100);
}

#ifdef __wasm__
// Where code can be compiled at run time: the translator too. Its slices end where the budget is
// looked at, not at every block, so only whole runs to the same count are compared.
// Runs the translator in steps; whenever it stops, brings the evaluator to the same count, or both
// to the next one where both stop, and compares.
static bool follow(u64 seed, struct cpu_settings set, unsigned steps, unsigned budget) {
    set.engine = ENGINE_JIT;
    set.jit = &test_jit_host;
    set.hot_samples = 2;
    struct side b = make(seed, set);
    set.engine = ENGINE_EVAL;
    struct side a = make(seed, set);
    u8 *code = malloc(RAM_PAGES * 4096);
    bool ok = true;
    for (unsigned i = 0; i < steps && ok; i++) {
        gva pc = a.t->g.pc;
        memcpy(code, bus_ram_ptr(a.bus, RAM_BASE, 1), RAM_PAGES * 4096);
        cpu_run(b.cpu, budget);
        test_jit_settle(b.cpu);
        // A region's blocks may end inside of the evaluator's: then the translator goes on too.
        unsigned behind = 0;
        for (unsigned n = 0; n < 100000 && behind < 200 && !same(&a, &b); n++) {
            pc = a.t->g.pc;
            memcpy(code, bus_ram_ptr(a.bus, RAM_BASE, 1), RAM_PAGES * 4096);
            if (cpu_icount(a.cpu) <= cpu_icount(b.cpu)) {
                cpu_run(a.cpu, 1);
            } else {
                cpu_run(b.cpu, 1 + behind % 13);
                behind++;
            }
        }
        ok = same(&a, &b);
        if (!ok) {
            print_message("seed %llu step %u, translator's state second:\n",
                          (unsigned long long)seed, i);
            explain(&a, &b, code, pc);
        }
    }
    free(code);
    drop(&a);
    drop(&b);
    return ok;
}

static void test_translator(void **state) {
    (void)state;
    for (u64 seed = 1; seed <= 25u * scale(); seed++) {
        vectors = seed % 2;
        changes = !vectors;
        lazy = seed % 3 == 0;
        assert_true(
            follow(seed * 15485863, (struct cpu_settings){0}, 500, 20 + (unsigned)(seed % 400)));
    }
    // Translations outlive the eviction of the blocks that they were made from.
    for (u64 seed = 1; seed <= 25u * scale(); seed++) {
        vectors = seed % 2;
        changes = !vectors;
        lazy = seed % 3 == 0;
        assert_true(follow(seed * 49979687, (struct cpu_settings){.torture = TORTURE_ARENA}, 500,
                           20 + (unsigned)(seed % 400)));
    }
    print_message("%llu modules translated\n", (unsigned long long)test_jit_modules);
    assert_true(test_jit_modules > 20u * scale());
    vectors = changes = true;
    lazy = false;
}
#endif

// Two VMs in one process, run in turn, are what each is alone.
static void test_two_vms(void **state) {
    (void)state;
    struct side a = make(42, (struct cpu_settings){0}), b = make(43, (struct cpu_settings){0});
    struct side c = make(42, (struct cpu_settings){0});
    for (unsigned i = 0; i < 50; i++) {
        cpu_run(a.cpu, 100);
        cpu_run(b.cpu, 77);
    }
    for (unsigned i = 0; i < 50; i++) cpu_run(c.cpu, 100);
    assert_true(same(&a, &c));
    drop(&a);
    drop(&b);
    drop(&c);
}

int main(void) {
    arch = toy_arch;
    arch.boot = find_boot;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engines_agree),
        cmocka_unit_test(test_lazy_flags),
        cmocka_unit_test(test_one_instruction_blocks),
        cmocka_unit_test(test_tiny_tlb),
        cmocka_unit_test(test_two_vms),
        cmocka_unit_test(test_tiny_arena),
#ifdef __wasm__
        cmocka_unit_test(test_translator),
#endif
    };
    return cmocka_run_group_tests_name("engines", tests, NULL, NULL);
}
