// Helpers that take vectors of floats (IR_VCALL), computed in place where no exception flag of the
// guest's changes: inexact is set already and all elements of the result are normal numbers, or on
// a second look exact zeros; or, for minima, maxima and comparisons, no operand is a NaN. Else the
// helper is called. Depends on emit.h.
#include <assert.h>

#include "emit/wasm/emit.h"

enum form { V_ARITH, V_SUM, V_MADD, V_MIN_MAX, V_CMP };

// `code`: of doubles.
struct row {
    u8 operands, form;
    u8 code, code32;
};

static const struct row rows[] = {
    {2, V_SUM, 240, 228},     {2, V_SUM, 241, 229},     {2, V_ARITH, 242, 230},
    {2, V_ARITH, 243, 231},   {1, V_ARITH, 239, 227},   {3, V_MADD, 0, 0},
    {2, V_MIN_MAX, 246, 234}, {2, V_MIN_MAX, 247, 235}, {2, V_CMP, 0, 0},
};
static_assert(sizeof rows / sizeof *rows == FAST_VCMP64 - FAST_VADD64 + 1,
              "the order of enum ir_fast");

// Instructions on lanes, of doubles and singles.
static const struct lanes {
    u32 neg, eq, ne, lt, gt, le, ge, madd;
    u32 shl, add, less, more, all_true; // less, more: of signed integers
} lanes[2] = {
    {237, 71, 72, 73, 74, 75, 76, W_F64X2_RELAXED_MADD, 203, 206, 216, 217, 195},
    {225, 65, 66, 67, 68, 69, 70, W_F32X4_RELAXED_MADD, 171, 174, 57, 59, 163},
};
enum { V128_AND = 78, V128_OR = 80, V128_ANY_TRUE = 83 };
enum { ROOT = 239, PRODUCT = 242 }; // rows by `code`

struct vcall {
    const struct row *row;
    const struct lanes *in;
    bool single;
    u32 imm;
    unsigned n; // operands
    ir_ref ref[3];
    u32 x[3], r; // locals
};

static void get(struct emit *e, u32 local) { w_local(out(e), W_LOCAL_GET, local); }

static void splat(struct emit *e, bool single, u64 v) {
    if (single) v = (u32)v | v << 32;
    simd(e, W_V128_CONST);
    for (unsigned i = 0; i < 16; i++) w_op(out(e), (u8)(v >> (8 * (i % 8))));
}

// Pushes a mask of the lanes whose bits, twice, less `lo`, are below `n`, or of the others:
// unsigned, by a signed comparison with the sign turned.
static void compare_bits(struct emit *e, const struct vcall *v, u32 local, u64 lo, u64 n,
                         bool below) {
    u64 turn = v->single ? (u64)1 << 31 : (u64)1 << 63;
    get(e, local);
    w_i32_const(out(e), 1);
    simd(e, v->in->shl);
    splat(e, v->single, turn - lo);
    simd(e, v->in->add);
    splat(e, v->single, (below ? n : n - 1) ^ turn);
    simd(e, below ? v->in->less : v->in->more);
}

static void out_unless_all(struct emit *e, const struct vcall *v, unsigned label) {
    simd(e, v->in->all_true);
    w_op(out(e), W_I32_EQZ);
    br_unlikely(e, label);
}

// Pushes masks of the operands' denormal lanes and joins them with the mask pushed before, if any.
static unsigned or_denormals(struct emit *e, const struct vcall *v, bool all, unsigned pushed) {
    if (!e->abi->denormals) return pushed;
    for (unsigned k = 0; k < v->n; k++) {
        u8 clean = v->single ? CLEAN_SINGLES : CLEAN_DOUBLES;
        if (!all && e->clean[v->ref[k]] & clean) continue;
        if (k && v->ref[k] == v->ref[k - 1]) continue;
        compare_bits(e, v, v->x[k], 1, v->single ? 0xffffff : ((u64)1 << 53) - 1, true);
        if (pushed++) simd(e, V128_OR);
    }
    return pushed;
}

// To `label` when an operand has a denormal lane.
static void out_if_denormals(struct emit *e, const struct vcall *v, unsigned label) {
    if (!or_denormals(e, v, true, 0)) return;
    simd(e, V128_ANY_TRUE);
    br_unlikely(e, label);
}

// Pushes a mask of the lanes of r that are normal with an exponent of lo or more, or of the others.
static void compare_normal(struct emit *e, const struct vcall *v, unsigned lo, bool normal) {
    unsigned shift = v->single ? 24 : 53, top = v->single ? 0xff : 0x7ff;
    compare_bits(e, v, v->r, (u64)lo << shift, (u64)(top - lo) << shift, normal);
}

// Sums are exact when they are tiny; others must be clearly normal.
static unsigned lowest(const struct vcall *v) { return v->row->form == V_SUM ? 1 : 2; }

// To 0 for the second look, to 1 for the call.
static void arithmetic(struct emit *e, const struct vcall *v) {
    bool madd = v->row->form == V_MADD;
    for (unsigned k = 0; k < v->n; k++) {
        get(e, v->x[k]);
        if (madd && ((k == 0 && v->imm >> 24 & 1) || (k == 2 && v->imm >> 25 & 1)))
            simd(e, v->in->neg);
    }
    simd(e, madd ? v->in->madd : v->single ? v->row->code32 : v->row->code);
    w_local(out(e), W_LOCAL_SET, v->r);
    compare_normal(e, v, lowest(v), false);
    or_denormals(e, v, false, 1);
    simd(e, V128_ANY_TRUE);
    br_unlikely(e, 0);
    out_unless_inexact(e, 1);
}

static void push_zeros(struct emit *e, const struct vcall *v, u32 local) {
    get(e, local);
    splat(e, v->single, 0);
    simd(e, v->in->eq);
}

// Pushes a mask of the lanes that are zero and exactly that. No operand is denormal.
static void exact_zeros(struct emit *e, const struct vcall *v) {
    push_zeros(e, v, v->r);
    if (v->row->form == V_SUM || v->row->code == ROOT) return;
    push_zeros(e, v, v->x[0]);
    if (v->row->code == PRODUCT) {
        push_zeros(e, v, v->x[1]);
        simd(e, V128_OR);
    }
    simd(e, V128_AND);
}

// Falls through for the call, else to 1.
static void second_look(struct emit *e, const struct vcall *v) {
    if (v->row->form == V_MADD) return;
    out_if_denormals(e, v, 0);
    compare_normal(e, v, lowest(v), true);
    exact_zeros(e, v);
    simd(e, V128_OR);
    out_unless_all(e, v, 0);
    out_unless_inexact(e, 0);
    w_op(out(e), W_BR);
    w_u32(out(e), 1);
}

static void compare(struct emit *e, const struct vcall *v) {
    const struct lanes *in = v->in;
    const u32 how[8] = {in->eq, in->lt, in->le, 0, in->ne, in->ge, in->gt, 0};
    unsigned p = v->imm >> 16 & 7;
    if (v->row->form == V_MIN_MAX) { // pmin(b, a) is a < b ? a : b
        get(e, v->x[1]);
        get(e, v->x[0]);
        simd(e, v->single ? v->row->code32 : v->row->code);
    } else if (how[p]) {
        get(e, v->x[0]);
        get(e, v->x[1]);
        simd(e, how[p]);
    } else {
        splat(e, false, p == 3 ? 0 : ~(u64)0);
    }
    w_local(out(e), W_LOCAL_SET, v->r);
    for (unsigned k = 0; k < 2; k++) {
        get(e, v->x[k]);
        get(e, v->x[k]);
        simd(e, in->eq);
    }
    simd(e, V128_AND);
    out_unless_all(e, v, 1);
    out_if_denormals(e, v, 1);
}

static void call(struct emit *e, const struct vcall *v, const struct ir_insn *o) {
    for (unsigned k = 0; k < v->n; k++) {
        w_i32_const(out(e), 0);
        get(e, v->x[k]);
        simd(e, W_V128_STORE);
        w_u32(out(e), 4);
        w_u32(out(e), e->abi->operands + 16 * k);
    }
    w_i32_const(out(e), (i32)e->abi->state);
    w_i64_const(out(e), (i64)e->abi->operands);
    w_i64_const(out(e), 0);
    w_i64_const(out(e), 0);
    w_i64_const(out(e), (i64)o->imm);
    call_indirect(e, T_HELPER, e->abi->helper(e->abi->arg, o->aux));
    w_op(out(e), W_DROP);
    w_i32_const(out(e), 0);
    simd(e, W_V128_LOAD);
    w_u32(out(e), 4);
    w_u32(out(e), e->abi->operands);
    w_local(out(e), W_LOCAL_SET, v->r);
}

// The row of an inline form that may be used here.
static const struct row *row_of(const struct emit *e, unsigned kind, bool *single) {
    if (kind < FAST_VADD64 || !e->abi->passes.floats) return NULL;
    *single = kind >= FAST_VADD32;
    const struct row *r = &rows[kind - (*single ? FAST_VADD32 : FAST_VADD64)];
    return r->form == V_MADD && !e->abi->fused_madd ? NULL : r;
}

u8 fast_vector_clean(const struct emit *e, const struct ir_insn *o) {
    bool single;
    const struct row *r = row_of(e, e->r->fast[o->aux], &single);
    if (!r || r->form > V_MADD) return 0;
    return single ? CLEAN_SINGLE | CLEAN_SINGLES : CLEAN_DOUBLE | CLEAN_DOUBLES;
}

void emit_vcall(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    struct vcall v = {.imm = (u32)o->imm, .ref = {o->a, o->b, o->c}};
    v.row = row_of(e, e->r->fast[o->aux], &v.single);
    v.in = &lanes[v.single];
    for (; v.n < 3 && v.ref[v.n]; v.n++) {
        v.x[v.n] = take_local(e, W_T_V128);
        push(e, v.ref[v.n]);
        w_local(out(e), W_LOCAL_SET, v.x[v.n]);
    }
    v.r = take_local(e, W_T_V128);
    if (v.row) {
        assert(v.n == v.row->operands);
        for (unsigned k = 0; k < 3; k++) open_block(e);
        if (v.row->form == V_CMP || v.row->form == V_MIN_MAX)
            compare(e, &v);
        else
            arithmetic(e, &v);
        w_op(out(e), W_BR);
        w_u32(out(e), 2);
        close_if(e);
        if (v.row->form <= V_MADD) second_look(e, &v);
        close_if(e);
    }
    call(e, &v, o);
    if (v.row) close_if(e);
    for (unsigned k = 0; k < v.n; k++) e->busy[v.x[k]] = 0;
    e->kind[i] = V_LOCAL;
    e->local[i] = (u16)v.r;
    if (!e->uses[i]) e->busy[v.r] = 0;
}
