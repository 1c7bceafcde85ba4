// Helpers that have an inline form (enum ir_fast): floating-point operations whose result stands if
// no exception flag of the guest's changes, which is looked at in emitted code. Else the helper is
// called. Depends on emit.h.
//
// Three looks, from the likely to the rare: inexact is set already and the result is a normal
// number; the result was exact (error-free transformations: what rounding took away is computed, in
// the same or a wider type); the call. Operands and results are floats in locals of their own, so
// that chains of operations stay in the processor's floating-point registers.
//
// A guest whose denormal operands raise a flag (abi->denormals) has them looked at, except results
// of this block: their helpers note in the word for inexact when they return a denormal.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "emit/wasm/emit.h"

enum form { F_ARITH, F_SUM, F_MADD, F_COMPARE, F_CHECK, F_FROM_INT, F_TO_INT, F_WIDEN, F_NARROW };

struct fast_row {
    u8 operands;
    bool single; // what is computed in, or converted from or to an integer
    u8 opcode;
    u8 form;
    u8 rounding; // the imm it must have
};

static const struct fast_row fast_rows[] = {
    [FAST_ADD64] = {2, false, 0xa0, F_SUM, 0},
    [FAST_SUB64] = {2, false, 0xa1, F_SUM, 0},
    [FAST_MUL64] = {2, false, 0xa2, F_ARITH, 0},
    [FAST_DIV64] = {2, false, 0xa3, F_ARITH, 0},
    [FAST_SQRT64] = {1, false, 0x9f, F_ARITH, 0},
    [FAST_MADD64] = {3, false, 0, F_MADD, 0},
    [FAST_EQ64] = {2, false, 0x61, F_COMPARE, 0},
    [FAST_LT64] = {2, false, 0x63, F_COMPARE, 0},
    [FAST_LE64] = {2, false, 0x65, F_COMPARE, 0},
    [FAST_F64_S64] = {1, false, 0xb9, F_FROM_INT, 0},
    [FAST_F64_U64] = {1, false, 0xba, F_FROM_INT, 0},
    [FAST_S64_F64] = {1, false, 6, F_TO_INT, 1},
    [FAST_S32_F64] = {1, false, 2, F_TO_INT, 1},
    [FAST_ADD32] = {2, true, 0x92, F_SUM, 0},
    [FAST_SUB32] = {2, true, 0x93, F_SUM, 0},
    [FAST_MUL32] = {2, true, 0x94, F_ARITH, 0},
    [FAST_DIV32] = {2, true, 0x95, F_ARITH, 0},
    [FAST_SQRT32] = {1, true, 0x91, F_ARITH, 0},
    [FAST_MADD32] = {3, true, 0, F_MADD, 0},
    [FAST_EQ32] = {2, true, 0x5b, F_COMPARE, 0},
    [FAST_LT32] = {2, true, 0x5d, F_COMPARE, 0},
    [FAST_LE32] = {2, true, 0x5f, F_COMPARE, 0},
    [FAST_CHECK64] = {2, false, 0, F_CHECK, 0},
    [FAST_CHECK32] = {2, true, 0, F_CHECK, 0},
    [FAST_F64_F32] = {1, true, W_F64_PROMOTE_F32, F_WIDEN, 0},
    [FAST_F32_F64] = {1, false, W_F32_DEMOTE_F64, F_NARROW, 0},
    [FAST_F32_S64] = {1, true, 0xb4, F_FROM_INT, 0},
    [FAST_S64_F32] = {1, true, 4, F_TO_INT, 1},
    [FAST_S32_F32] = {1, true, 0, F_TO_INT, 1},
};

// The row, if the inline form may be used.
static const struct fast_row *row_of(const struct emit *e, const struct ir_insn *o) {
    unsigned kind = e->r->fast[o->aux];
    if (!kind || !e->abi->passes.floats) return NULL;
    assert(kind < sizeof fast_rows / sizeof *fast_rows);
    const struct fast_row *f = &fast_rows[kind];
    if (f->form == F_MADD && !e->abi->fused_madd) return NULL;
    bool any = f->form == F_COMPARE || f->form == F_CHECK;
    return any || (o->imm & 7) == f->rounding ? f : NULL;
}

static bool float_result(const struct fast_row *f) {
    return f->form != F_COMPARE && f->form != F_CHECK && f->form != F_TO_INT;
}
static bool single_result(const struct fast_row *f) {
    return f->form == F_NARROW || (f->single && f->form != F_WIDEN);
}

// ---- operands

struct operand {
    ir_ref ref;
    u32 local; // float; an integer of F_FROM_INT
    u32 bits;  // with NaN boxes: the i64, 0 when it is known to be boxed
    bool own;  // the local is free afterwards
    bool clean;
};

// The single that was put into the lower half of something to make `r`, else 0.
static ir_ref inserted(const struct emit *e, ir_ref r) {
    const struct ir_insn *ops = e->b->ops, *o = &ops[r];
    u64 upper = 0xffffffff00000000u;
    if (e->abi->boxed || o->op != IR_OR64) return 0;
    if (ops[o->a].op != IR_AND64 || ops[o->b].op != IR_CALL) return 0;
    const struct ir_insn *mask = &ops[ops[o->a].b];
    if (mask->op != IR_CONST64 || mask->imm != upper) return 0;
    const struct fast_row *g = row_of(e, &ops[o->b]);
    return g && float_result(g) && single_result(g) ? o->b : 0;
}

// A value with the same lower half.
static ir_ref lower_half(const struct emit *e, ir_ref r) {
    const struct ir_insn *ops = e->b->ops, *o = &ops[r];
    if (e->abi->boxed) return r;
    if (o->op == IR_ZEXT32 && ops[o->a].op == IR_TRUNC32) r = ops[o->a].a;
    ir_ref single = inserted(e, r);
    return single ? single : r;
}

// Where operand `r` comes from.
static ir_ref source(const struct emit *e, const struct fast_row *f, ir_ref r) {
    bool half = f->single && f->form != F_FROM_INT;
    return half ? lower_half(e, r) : r;
}

ir_ref fast_stored(const struct emit *e, const struct ir_insn *o) {
    return o->op == IR_ST32 ? lower_half(e, o->b) : o->b;
}

// Is `r` what the half of a vector's cell holds before operation i?
static bool held(const struct emit *e, u32 i, u64 cell, ir_ref r) {
    const struct ir_insn *ops = e->b->ops;
    for (u32 k = i; k-- > 1;) {
        const struct ir_insn *o = &ops[k];
        if (k == r) return o->op == IR_GET && o->imm == cell;
        if (o->op == IR_SET && o->imm == cell) return o->a == r;
        if (o->op == IR_SETV && o->imm == cell)
            return ops[o->a].op == IR_VZEXT64 && ops[o->a].a == r;
        if (o->op == IR_SETV && o->imm + 8 == cell) return false;
        if (o->op == IR_CALL && helper_changes(e->r->helper_effects[o->aux])) return false;
    }
    return false;
}

ir_ref fast_merged(const struct emit *e, u32 i) {
    const struct ir_insn *ops = e->b->ops, *o = &ops[i];
    ir_ref single = inserted(e, o->a);
    return single && held(e, i, o->imm, ops[ops[o->a].a].a) ? single : 0;
}

enum as { AS_BITS, AS_DOUBLE, AS_SINGLE };

static void count(struct emit *e, ir_ref r, enum as as) {
    if (!r) return;
    e->uses[r]++;
    e->floats[r] += as == AS_DOUBLE;
    e->singles[r] += as == AS_SINGLE;
}

static bool vector_cell(const struct emit *e, u64 cell) {
    return e->flow.index[cell / 8] && e->flow.vector[e->flow.index[cell / 8] - 1];
}

static void count_call(struct emit *e, const struct ir_insn *o, const struct fast_row *f) {
    const ir_ref refs[3] = {o->a, o->b, o->c};
    enum as as = f->form == F_FROM_INT ? AS_BITS : f->single ? AS_SINGLE : AS_DOUBLE;
    for (unsigned k = 0; k < 3; k++)
        if (refs[k]) count(e, source(e, f, refs[k]), k < f->operands ? as : AS_BITS);
}

// An i64 with zeros above its lower half, which is a single where anything wants that.
static bool zero_extended(const struct emit *e, ir_ref r) {
    const struct ir_insn *o = &e->b->ops[r];
    if (e->abi->boxed) return false;
    if (o->op == IR_LDU32 || o->op == IR_LDW32) return true;
    const struct fast_row *f = o->op == IR_CALL ? row_of(e, o) : NULL;
    return f && float_result(f) && single_result(f);
}

static void count_operands(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    const struct fast_row *f = o->op == IR_CALL ? row_of(e, o) : NULL;
    if (f) {
        count_call(e, o, f);
        return;
    }
    bool half = o->op == IR_SET && o->imm / 8 < IR_KNOWN_CELLS && vector_cell(e, o->imm);
    ir_ref single = half ? fast_merged(e, i) : 0;
    bool as_double = half || o->op == IR_F64BITS || o->op == IR_VZEXT64;
    if (single)
        count(e, single, AS_SINGLE);
    else if (o->op == IR_VZEXT64 && zero_extended(e, o->a))
        count(e, o->a, AS_SINGLE);
    else
        count(e, o->a, as_double ? AS_DOUBLE : AS_BITS);
    ir_ref b = fast_stored(e, o);
    count(e, b, o->op == IR_ST64 ? AS_DOUBLE : o->op == IR_ST32 ? AS_SINGLE : AS_BITS);
    count(e, o->c, AS_BITS);
}

// From the end, so that what nothing uses does not count what it would.
void fast_count_uses(struct emit *e) {
    const struct region_block *b = e->b;
    memset(e->uses, 0, b->nops * sizeof e->uses[0]);
    memset(e->floats, 0, b->nops * sizeof e->floats[0]);
    memset(e->singles, 0, b->nops * sizeof e->singles[0]);
    memset(e->clean, 0, b->nops);
    for (u32 i = b->nops; i-- > 1;) {
        const struct ir_insn *o = &b->ops[i];
        bool pure = !ir_ops[o->op].effects && ir_ops[o->op].result != IR_NONE;
        if (!pure || e->uses[i]) count_operands(e, i);
    }
}

// A cell has one when operations take its value as it was at a block's start, and where they want
// it as a single and as a double, as what more of them do.
void fast_shadows(struct emit *e) {
    u16 votes[REGION_CELLS][2] = {0};
    for (unsigned n = 0; n < e->r->n; n++) {
        const struct region_block *b = e->b = &e->r->blocks[n];
        for (u32 i = 1; i < b->nops; i++) {
            const struct ir_insn *o = &b->ops[i];
            const struct fast_row *f = o->op == IR_CALL ? row_of(e, o) : NULL;
            const ir_ref refs[3] = {o->a, o->b, o->c};
            if (!f || f->form == F_FROM_INT) continue;
            for (unsigned k = 0; k < f->operands; k++) {
                const struct ir_insn *from = &b->ops[source(e, f, refs[k])];
                if (from->op == IR_GET && from->imm != e->abi->pc_cell)
                    votes[e->flow.index[from->imm / 8] - 1][f->single]++;
            }
        }
    }
    for (unsigned i = 0; i < e->flow.n; i++) {
        const u16 *v = votes[i];
        e->shadow[i] = 0;
        if (e->flow.vector[i] || (!v[0] && !v[1])) continue;
        e->types[e->nlocals] = v[1] > v[0] ? W_T_F32 : W_T_F64;
        e->shadow[i] = (u16)e->nlocals++;
    }
}

static bool is_clean(const struct emit *e, ir_ref r) {
    const struct ir_insn *ops = e->b->ops, *o = &ops[r];
    if (o->op == IR_CONST64) return !o->imm;
    if (o->op == IR_BITSF64) return ops[o->a].op == IR_F64S32 || ops[o->a].op == IR_F64S64;
    return e->clean[r];
}

bool fast_boxes(const struct emit *e, ir_ref r) {
    const struct ir_insn *ops = e->b->ops, *o = &ops[r];
    return o->op == IR_OR64 && ops[o->b].op == IR_CONST64 && ops[o->b].imm == 0xffffffff00000000u;
}

// Takes operand `r` off the values into x.
static void take(struct emit *e, const struct fast_row *f, ir_ref r, struct operand *x) {
    bool integer = f->form == F_FROM_INT;
    u8 type = integer ? W_T_I64 : f->single ? W_T_F32 : W_T_F64;
    *x = (struct operand){.ref = r, .clean = is_clean(e, r)};
    if (e->kind[r] == V_FLOAT && e->types[e->local[r]] == type) {
        x->local = e->local[r];
        drop_use(e, r);
        x->own = !e->uses[r];
        e->busy[x->local] = 1;
        return;
    }
    u32 shadow = e->kind[r] == V_CELL ? e->shadow[e->local[r] - L_CELLS] : 0;
    if (shadow && e->types[shadow] == type) {
        x->local = shadow;
        drop_use(e, r);
        return;
    }
    bool known = fast_boxes(e, r);
    push(e, r);
    if (f->single && !integer) {
        if (e->abi->boxed && !known) {
            x->bits = take_local(e, W_T_I64);
            w_local(out(e), W_LOCAL_TEE, x->bits);
        }
        w_op(out(e), W_I32_WRAP_I64);
        w_op(out(e), W_F32_REINTERPRET_I32);
    } else if (!integer) {
        w_op(out(e), W_F64_REINTERPRET_I64);
    }
    x->local = take_local(e, type);
    x->own = true;
    w_local(out(e), W_LOCAL_SET, x->local);
}

static void release(struct emit *e, const struct operand *x) {
    if (x->own) e->busy[x->local] = 0;
    if (x->bits) e->busy[x->bits] = 0;
}

// Pushes the operand's float.
static void push_float(struct emit *e, bool single, const struct operand *x, bool negate) {
    w_local(out(e), W_LOCAL_GET, x->local);
    if (negate) w_op(out(e), single ? W_F32_NEG : W_F64_NEG);
}

// Pushes what a helper takes: all of the i64 that matters.
static void push_argument(struct emit *e, const struct operand *x) {
    w_local(out(e), W_LOCAL_GET, x->bits ? x->bits : x->local);
    u8 type = x->bits ? W_T_I64 : e->types[x->local];
    if (type == W_T_F64) w_op(out(e), W_I64_REINTERPRET_F64);
    if (type != W_T_F32) return;
    w_op(out(e), W_I32_REINTERPRET_F32);
    w_op(out(e), W_I64_EXTEND_I32_U);
    if (!e->abi->boxed) return;
    w_i64_const(out(e), (i64)0xffffffff00000000u);
    w_op(out(e), W_I64_OR);
}

// ---- looking at numbers. Labels: 0 is the innermost block.

static void float_const64(struct emit *e, double v) {
    w_op(out(e), W_F64_CONST);
    buf_put(out(e), &v, 8);
}

static void float_constant(struct emit *e, bool single, double v) {
    float narrow = (float)v;
    if (!single) {
        float_const64(e, v);
        return;
    }
    w_op(out(e), W_F32_CONST);
    buf_put(out(e), &narrow, 4);
}

// Pushes the float's bits, an i32 or i64.
static void push_bits(struct emit *e, bool single, u32 local) {
    w_local(out(e), W_LOCAL_GET, local);
    w_op(out(e), single ? W_I32_REINTERPRET_F32 : W_I64_REINTERPRET_F64);
}

static void constant(struct emit *e, bool single, i64 v) {
    if (single)
        w_i32_const(out(e), (i32)v);
    else
        w_i64_const(out(e), v);
}

// To `label` when it is a denormal: twice the bits less one is below twice the smallest normal
// less one (0 becomes the largest).
static void out_if_denormal(struct emit *e, bool single, u32 local, unsigned label) {
    push_bits(e, single, local);
    constant(e, single, 1);
    w_op(out(e), single ? W_I32_SHL : W_I64_SHL);
    constant(e, single, 1);
    w_op(out(e), single ? W_I32_SUB : W_I64_SUB);
    constant(e, single, single ? 0xffffff : ((i64)1 << 53) - 1);
    w_op(out(e), single ? 0x49 : W_I64_LT_U);
    br_unlikely(e, label);
}

// To `label` unless the exponent is lo or more and the number finite.
static void out_unless_normal(struct emit *e, bool single, u32 local, unsigned lo, unsigned label) {
    // Of a double's upper half, without the sign.
    unsigned at = single ? 24 : 21, hi = single ? 0xff : 0x7ff;
    push_bits(e, single, local);
    if (!single) {
        w_i64_const(out(e), 32);
        w_op(out(e), W_I64_SHR_U);
        w_op(out(e), W_I32_WRAP_I64);
    }
    w_i32_const(out(e), 1);
    w_op(out(e), W_I32_SHL);
    w_i32_const(out(e), (i32)(lo << at));
    w_op(out(e), W_I32_SUB);
    w_i32_const(out(e), (i32)((hi - lo) << at));
    w_op(out(e), 0x4f); // i32.ge_u
    br_unlikely(e, label);
}

static void out_if_nan(struct emit *e, bool single, u32 local, unsigned label) {
    w_local(out(e), W_LOCAL_GET, local);
    w_local(out(e), W_LOCAL_GET, local);
    w_op(out(e), single ? W_F32_NE : W_F64_NE);
    br_unlikely(e, label);
}

// To `label` unless the word for inexact has its value.
void out_unless_inexact(struct emit *e, unsigned label) {
    w_i32_const(out(e), 0);
    w_mem(out(e), W_I32_LOAD, 2, e->abi->inexact);
    if (~e->abi->inexact_mask) {
        w_i32_const(out(e), (i32)e->abi->inexact_mask);
        w_op(out(e), W_I32_AND);
    }
    w_i32_const(out(e), (i32)e->abi->inexact_bit);
    w_op(out(e), W_I32_NE);
    br_unlikely(e, label);
}

static void out_unless_boxed(struct emit *e, const struct operand *x, unsigned n, unsigned label) {
    for (unsigned k = 0; k < n; k++) {
        if (!x[k].bits) continue;
        w_local(out(e), W_LOCAL_GET, x[k].bits);
        w_i64_const(out(e), (i64)0xffffffff00000000u);
        w_op(out(e), W_I64_LT_U);
        br_unlikely(e, label);
    }
}

static void out_if_denormals(struct emit *e, const struct fast_row *f, const struct operand *x,
                             bool all, unsigned label) {
    if (!e->abi->denormals) return;
    for (unsigned k = 0; k < f->operands; k++) {
        bool seen = k && x[k].ref == x[0].ref;
        if (!seen && (all || !x[k].clean)) out_if_denormal(e, f->single, x[k].local, label);
    }
}

static void out_unless(struct emit *e, unsigned label) {
    w_op(out(e), W_I32_EQZ);
    br_unlikely(e, label);
}

// ---- was a result exact?

// Pushes whether a + b is d exactly (locals of doubles; Knuth's TwoSum).
static void sum_exact(struct emit *e, u32 a, u32 b, u32 d) {
    struct buf *o = out(e);
    u32 s = take_local(e, W_T_F64), t = take_local(e, W_T_F64);
    w_local(o, W_LOCAL_GET, a);
    w_local(o, W_LOCAL_GET, b);
    w_op(o, W_F64_ADD);
    w_local(o, W_LOCAL_TEE, s);
    w_local(o, W_LOCAL_GET, a);
    w_op(o, W_F64_SUB);
    w_local(o, W_LOCAL_SET, t);
    w_local(o, W_LOCAL_GET, a);
    w_local(o, W_LOCAL_GET, s);
    w_local(o, W_LOCAL_GET, t);
    w_op(o, W_F64_SUB);
    w_op(o, W_F64_SUB);
    w_local(o, W_LOCAL_GET, b);
    w_local(o, W_LOCAL_GET, t);
    w_op(o, W_F64_SUB);
    w_op(o, W_F64_ADD);
    float_const64(e, 0);
    w_op(o, W_F64_EQ);
    w_local(o, W_LOCAL_GET, s);
    w_local(o, W_LOCAL_GET, d);
    w_op(o, W_F64_EQ);
    w_op(o, W_I32_AND);
    e->busy[s] = e->busy[t] = 0;
}

// Pushes whether a * b == p exactly and p is so large that the rest would have been seen (doubles).
static void product_exact(struct emit *e, u32 a, u32 b, u32 p) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_GET, a);
    simd(e, W_F64X2_SPLAT);
    w_local(o, W_LOCAL_GET, b);
    simd(e, W_F64X2_SPLAT);
    w_local(o, W_LOCAL_GET, p);
    w_op(o, W_F64_NEG);
    simd(e, W_F64X2_SPLAT);
    simd(e, W_F64X2_RELAXED_MADD);
    simd_lane(e, W_F64X2_EXTRACT_LANE, 0);
    float_const64(e, 0);
    w_op(o, W_F64_EQ);
    w_local(o, W_LOCAL_GET, p);
    w_op(o, W_F64_ABS);
    float_const64(e, 0x1p-900);
    w_op(o, W_F64_GT);
    w_op(o, W_I32_AND);
}

// The product of two singles is exact as a double; pushes whether it is p.
static void wide_product_is(struct emit *e, u32 a, u32 b, u32 p) {
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_op(out(e), W_F64_MUL);
    w_local(out(e), W_LOCAL_GET, p);
    w_op(out(e), W_F64_EQ);
}

// The float in `local` as a double in a local of its own.
static u32 as_double(struct emit *e, bool single, u32 local, bool negate) {
    u32 d = take_local(e, W_T_F64);
    w_local(out(e), W_LOCAL_GET, local);
    if (negate) w_op(out(e), single ? W_F32_NEG : W_F64_NEG);
    if (single) w_op(out(e), W_F64_PROMOTE_F32);
    w_local(out(e), W_LOCAL_SET, d);
    return d;
}

static void madd_exact(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r,
                       u64 imm) {
    u32 a = as_double(e, f->single, x[0].local, imm & 8);
    u32 b = as_double(e, f->single, x[1].local, false);
    u32 c = as_double(e, f->single, x[2].local, imm & 16), d = as_double(e, f->single, r, false);
    u32 p = take_local(e, W_T_F64);
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_op(out(e), W_F64_MUL);
    w_local(out(e), W_LOCAL_SET, p);
    sum_exact(e, p, c, d);
    if (!f->single) {
        product_exact(e, a, b, p);
        w_op(out(e), W_I32_AND);
    }
    e->busy[a] = e->busy[b] = e->busy[c] = e->busy[d] = e->busy[p] = 0;
}

static void arith_exact(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r) {
    bool minus = f->opcode == 0xa1 || f->opcode == 0x93;
    bool mul = f->opcode == 0xa2 || f->opcode == 0x94, root = f->operands == 1;
    u32 a = as_double(e, f->single, x[0].local, false), d = as_double(e, f->single, r, false);
    u32 b = root ? d : as_double(e, f->single, x[1].local, minus);
    if (f->form == F_SUM)
        sum_exact(e, a, b, d);
    else if (f->single)
        wide_product_is(e, mul ? a : d, b, mul ? d : a);
    else
        product_exact(e, mul ? a : d, b, mul ? d : a);
    e->busy[a] = e->busy[b] = e->busy[d] = 0;
}

// ---- the forms. Each computes into local r and branches: falls through when the result stands,
// to SECOND for the second look, to CALL for the call.

enum { SECOND, CALL, DONE };

static void first_arith(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r,
                        u64 imm) {
    if (f->form == F_MADD) {
        for (int i = 0; i < 3; i++) {
            push_float(e, f->single, &x[i], (i == 0 && imm & 8) || (i == 2 && imm & 16));
            simd(e, f->single ? W_F32X4_SPLAT : W_F64X2_SPLAT);
        }
        simd(e, f->single ? W_F32X4_RELAXED_MADD : W_F64X2_RELAXED_MADD);
        simd_lane(e, f->single ? W_F32X4_EXTRACT_LANE : W_F64X2_EXTRACT_LANE, 0);
    } else {
        for (unsigned i = 0; i < f->operands; i++) push_float(e, f->single, &x[i], false);
        w_op(out(e), f->opcode);
    }
    w_local(out(e), W_LOCAL_SET, r);
    out_unless_boxed(e, x, f->operands, CALL);
    out_if_denormals(e, f, x, false, CALL);
    // Sums are exact when they are tiny; others must be clearly normal (the smallest normal may
    // have been rounded up to).
    unsigned lo = f->form != F_SUM ? 2 : e->abi->denormals ? 1 : 0;
    out_unless_normal(e, single_result(f), r, lo, SECOND);
    out_unless_inexact(e, SECOND);
}

// The second look compares as floats what the first has as integers: V8 moves nothing down into
// rare code, so what both have in common would be computed early.
static void push_is_zero(struct emit *e, bool single, u32 local) {
    w_local(out(e), W_LOCAL_GET, local);
    float_constant(e, single, 0);
    w_op(out(e), single ? W_F32_EQ : W_F64_EQ);
}

// To 0 unless the magnitude is below infinity, and zero or not a denormal.
static void out_unless_exact_sort(struct emit *e, bool single, u32 local) {
    for (int tiny = 0; tiny <= e->abi->denormals; tiny++) {
        w_local(out(e), W_LOCAL_GET, local);
        w_op(out(e), single ? W_F32_ABS : W_F64_ABS);
        float_constant(e, single, !tiny ? INFINITY : single ? 0x1p-126 : 0x1p-1022);
        w_op(out(e), single ? W_F32_LT : W_F64_LT);
        if (tiny) {
            push_is_zero(e, single, local);
            w_op(out(e), W_I32_GT_U); // below and not zero
        } else {
            w_op(out(e), W_I32_EQZ);
        }
        br_unlikely(e, 0);
    }
}

// To DONE, one label further out, when the result is zero because operands are, or is a sum.
static void done_if_zero(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r) {
    if (f->form != F_SUM && (f->form != F_ARITH || f->operands < 2)) return;
    bool mul = f->opcode == 0xa2 || f->opcode == 0x94, clean = false;
    for (unsigned k = 0; k < f->operands; k++) clean |= x[k].clean;
    open_block(e);
    push_is_zero(e, f->single, r);
    if (f->form != F_SUM) {
        push_is_zero(e, f->single, x[0].local);
        if (mul) {
            push_is_zero(e, f->single, x[1].local);
            w_op(out(e), W_I32_OR);
        }
        w_op(out(e), W_I32_AND);
    }
    w_op(out(e), W_I32_EQZ);
    w_op(out(e), W_BR_IF);
    w_u32(out(e), 0);
    if (clean) out_unless_inexact(e, 0); // they may be denormal
    w_op(out(e), W_BR);
    w_u32(out(e), DONE);
    close_if(e);
}

// What is exact changes no flag, however small it is.
static void second_arith(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r,
                         u64 imm) {
    done_if_zero(e, f, x, r);
    bool known = f->single || f->form == F_SUM || e->abi->fused_madd || f->form == F_NARROW;
    if (!known) return;
    out_if_denormals(e, f, x, true, 0);
    out_unless_exact_sort(e, single_result(f), r);
    if (f->form == F_MADD)
        madd_exact(e, f, x, r, imm);
    else if (f->form == F_NARROW) {
        w_local(out(e), W_LOCAL_GET, r);
        w_op(out(e), W_F64_PROMOTE_F32);
        w_local(out(e), W_LOCAL_GET, x[0].local);
        w_op(out(e), W_F64_EQ);
    } else {
        arith_exact(e, f, x, r);
    }
    out_unless(e, 0);
    w_op(out(e), W_BR);
    w_u32(out(e), DONE - 1);
}

static void first_compare(struct emit *e, const struct fast_row *f, const struct operand *x,
                          u32 r) {
    if (f->form == F_CHECK) {
        w_i64_const(out(e), 0);
    } else {
        for (unsigned i = 0; i < 2; i++) push_float(e, f->single, &x[i], false);
        w_op(out(e), f->opcode);
        w_op(out(e), W_I64_EXTEND_I32_U);
    }
    w_local(out(e), W_LOCAL_SET, r);
    out_unless_boxed(e, x, 2, CALL);
    for (unsigned i = 0; i < 2; i++)
        if (e->b->ops[x[i].ref].op != IR_CONST64 && !(i && x[1].ref == x[0].ref))
            out_if_nan(e, f->single, x[i].local, CALL);
    if (f->form != F_CHECK || !e->abi->denormals) return;
    // What this block computed is clean only while the word says so.
    out_if_denormals(e, f, x, true, CALL);
}

static void first_from_int(struct emit *e, const struct fast_row *f, const struct operand *x,
                           u32 r) {
    w_local(out(e), W_LOCAL_GET, x[0].local);
    w_op(out(e), f->opcode);
    w_local(out(e), W_LOCAL_SET, r);
    out_unless_inexact(e, SECOND);
}

// Those that fit the fraction are exact.
static void second_from_int(struct emit *e, const struct fast_row *f, const struct operand *x) {
    bool sign = f->opcode != 0xba;
    unsigned bits = f->single ? 24 : 53;
    w_local(out(e), W_LOCAL_GET, x[0].local);
    w_i64_const(out(e), sign ? (i64)1 << bits : 0);
    w_op(out(e), W_I64_ADD);
    w_i64_const(out(e), (i64)1 << (sign ? bits + 1 : bits));
    w_op(out(e), W_I64_LE_U);
    w_op(out(e), W_BR_IF);
    w_u32(out(e), DONE - 1);
}

static bool to_32_bits(const struct fast_row *f) { return f->opcode == 2 || f->opcode == 0; }

static void first_to_int(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r) {
    bool narrow = to_32_bits(f);
    push_float(e, f->single, &x[0], false);
    w_op(out(e), 0xfc); // trunc_sat
    w_u32(out(e), f->opcode);
    if (narrow) w_op(out(e), W_I64_EXTEND_I32_S);
    w_local(out(e), W_LOCAL_SET, r);
    // Clearly in range, which excludes NaN.
    push_float(e, f->single, &x[0], false);
    if (f->single) w_op(out(e), W_F64_PROMOTE_F32);
    w_op(out(e), W_F64_ABS);
    float_const64(e, narrow ? 2147483647.0 : 9223372036854774784.0);
    w_op(out(e), W_F64_LT);
    out_unless(e, CALL);
    out_unless_inexact(e, SECOND);
}

static void second_to_int(struct emit *e, const struct fast_row *f, const struct operand *x,
                          u32 r) {
    w_local(out(e), W_LOCAL_GET, r);
    w_op(out(e), W_F64_CONVERT_I64_S);
    push_float(e, f->single, &x[0], false);
    if (f->single) w_op(out(e), W_F64_PROMOTE_F32);
    w_op(out(e), W_F64_EQ);
    w_op(out(e), W_BR_IF);
    w_u32(out(e), DONE - 1);
}

static void first_look(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r,
                       u64 imm) {
    switch (f->form) {
    case F_COMPARE:
    case F_CHECK:
        first_compare(e, f, x, r);
        break;
    case F_FROM_INT:
        first_from_int(e, f, x, r);
        break;
    case F_TO_INT:
        first_to_int(e, f, x, r);
        break;
    case F_WIDEN:
        push_float(e, true, &x[0], false);
        w_op(out(e), f->opcode);
        w_local(out(e), W_LOCAL_SET, r);
        out_if_nan(e, false, r, CALL);
        out_if_denormals(e, f, x, true, CALL);
        break;
    default:
        first_arith(e, f, x, r, imm);
        break;
    }
}

static void call(struct emit *e, const struct fast_row *f, const struct ir_insn *op,
                 const struct operand *x, u32 r) {
    struct buf *o = out(e);
    w_i32_const(o, (i32)e->abi->state);
    for (unsigned k = 0; k < 3; k++) {
        if (k < f->operands)
            push_argument(e, &x[k]);
        else
            w_i64_const(o, 0);
    }
    w_i64_const(o, (i64)op->imm);
    call_indirect(e, T_HELPER, e->abi->helper(e->abi->arg, op->aux));
    if (e->types[r] == W_T_F64) w_op(o, W_F64_REINTERPRET_I64);
    if (e->types[r] == W_T_F32) {
        w_op(o, W_I32_WRAP_I64);
        w_op(o, W_F32_REINTERPRET_I32);
    }
    w_local(o, W_LOCAL_SET, r);
}

void emit_fast_call(struct emit *e, u32 i, u8 kind, void (*slow)(struct emit *e, u32 i)) {
    const struct ir_insn *op = &e->b->ops[i];
    const struct fast_row *f = kind ? row_of(e, op) : NULL;
    if (!f) {
        slow(e, i);
        return;
    }
    struct operand x[3];
    const ir_ref args[3] = {op->a, op->b, op->c};
    for (unsigned k = 0; k < 3; k++) {
        if (!args[k]) continue;
        if (k < f->operands) {
            take(e, f, source(e, f, args[k]), &x[k]);
        } else {
            push(e, source(e, f, args[k]));
            w_op(out(e), W_DROP);
        }
    }
    u8 type = !float_result(f) ? W_T_I64 : single_result(f) ? W_T_F32 : W_T_F64;
    u32 r = take_local(e, type);
    for (unsigned k = 0; k < 3; k++) open_block(e);
    first_look(e, f, x, r, op->imm);
    w_op(out(e), W_BR);
    w_u32(out(e), DONE);
    close_if(e); // SECOND
    if (f->form == F_FROM_INT)
        second_from_int(e, f, x);
    else if (f->form == F_TO_INT)
        second_to_int(e, f, x, r);
    else if (f->form != F_COMPARE && f->form != F_CHECK && f->form != F_WIDEN)
        second_arith(e, f, x, r, op->imm);
    close_if(e); // CALL
    call(e, f, op, x, r);
    close_if(e);
    for (unsigned k = 0; k < f->operands; k++) release(e, &x[k]);
    e->kind[i] = float_result(f) ? V_FLOAT : V_LOCAL;
    e->local[i] = (u16)r;
    e->clean[i] = float_result(f) && f->form != F_MADD;
    if (!e->uses[i]) e->busy[r] = 0;
}
