// Helpers that have an inline form (enum ir_fast): floating-point operations whose result stands if
// no exception flag of the guest's changes, which is looked at in emitted code. Else the helper is
// called. Depends on emit.h.
//
// Three looks, from the likely to the rare: inexact is set already and the result is a normal
// number, or it is a zero that must be one; the result was exact (exact.c); the call. Operands and
// results are floats in locals of their own, so that chains of operations stay in the processor's
// floating-point registers.
//
// A guest whose denormal operands raise a flag (abi->denormals) has them looked at, except results
// of such operations (clean.c): their helpers note in the word for inexact when they return a
// denormal.
#include <assert.h>
#include <string.h>

#include "emit/wasm/fast.h"

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
// ---- operands

ir_ref fast_inserted(const struct emit *e, ir_ref r) {
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
    ir_ref single = fast_inserted(e, r);
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
    ir_ref single = fast_inserted(e, o->a);
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
                if (from->op != IR_GET || from->imm == e->abi->pc_cell) continue;
                unsigned c = e->flow.index[from->imm / 8] - 1u;
                if (from->imm == e->flow.offset[c]) votes[c][f->single]++;
            }
        }
    }
    unsigned bits = cells_count(&e->flow.fault);
    for (unsigned i = 0; i < e->flow.n; i++) {
        const u16 *v = votes[i];
        e->shadow[i] = 0;
        if (!v[0] && !v[1]) continue;
        if (e->flow.vector[i] && bits++ >= FLOW_DIRTY) continue; // exits have no bit for it
        e->types[e->nlocals] = v[1] > v[0] ? W_T_F32 : W_T_F64;
        e->shadow[i] = (u16)e->nlocals++;
    }
}

u8 fast_clean(const struct emit *e, const struct ir_insn *o) {
    const struct fast_row *f = row_of(e, o);
    if (!f || !float_result(f) || f->form == F_MADD) return 0;
    return single_result(f) ? CLEAN_SINGLE : CLEAN_DOUBLE;
}

bool fast_boxes(const struct emit *e, ir_ref r) {
    const struct ir_insn *ops = e->b->ops, *o = &ops[r];
    return o->op == IR_OR64 && ops[o->b].op == IR_CONST64 && ops[o->b].imm == 0xffffffff00000000u;
}

// Takes operand `r` off the values into x.
static void take(struct emit *e, const struct fast_row *f, ir_ref r, struct operand *x) {
    bool integer = f->form == F_FROM_INT;
    u8 type = integer ? W_T_I64 : f->single ? W_T_F32 : W_T_F64;
    *x = (struct operand){.ref = r,
                          .clean = e->clean[r] & (f->single ? CLEAN_SINGLE : CLEAN_DOUBLE)};
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

void float_const64(struct emit *e, double v) {
    w_op(out(e), W_F64_CONST);
    buf_put(out(e), &v, 8);
}

void float_constant(struct emit *e, bool single, double v) {
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

// To `label` when it is below a number, of which `twice` is twice the bits, and not 0: that becomes
// the largest when 1 is taken from it.
static void out_if_below(struct emit *e, bool single, u32 local, i64 twice, unsigned label) {
    push_bits(e, single, local);
    constant(e, single, 1);
    w_op(out(e), single ? W_I32_SHL : W_I64_SHL);
    constant(e, single, 1);
    w_op(out(e), single ? W_I32_SUB : W_I64_SUB);
    constant(e, single, twice - 1);
    w_op(out(e), single ? 0x49 : W_I64_LT_U);
    br_unlikely(e, label);
}

static void out_if_denormal(struct emit *e, bool single, u32 local, unsigned label) {
    out_if_below(e, single, local, (i64)1 << (single ? 24 : 53), label);
}

// Pushes whether the exponent is below lo or the number not finite; ranged: or the word for inexact
// has not its value.
static void push_odd(struct emit *e, bool single, u32 local, unsigned lo, bool ranged) {
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
    if (lo) {
        w_i32_const(out(e), (i32)(lo << at));
        w_op(out(e), W_I32_SUB);
    }
    assert(!ranged || FAST_RANGE <= (hi - lo) << at);
    w_i32_const(out(e), ranged ? 0 : (i32)((hi - lo) << at));
    if (ranged) w_mem(out(e), W_I32_LOAD, 2, e->abi->inexact);
    w_op(out(e), 0x4f); // i32.ge_u
}

static void push_zero(struct emit *e, bool single, u32 local) {
    push_bits(e, single, local);
    constant(e, single, 1);
    w_op(out(e), single ? W_I32_SHL : W_I64_SHL);
    w_op(out(e), single ? W_I32_EQZ : W_I64_EQZ);
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

void out_if_denormals(struct emit *e, const struct fast_row *f, const struct operand *x, bool all,
                      unsigned label) {
    if (!e->abi->denormals) return;
    for (unsigned k = 0; k < f->operands; k++) {
        bool seen = k && x[k].ref == x[0].ref;
        if (!seen && (all || !x[k].clean)) out_if_denormal(e, f->single, x[k].local, label);
    }
}

void out_unless(struct emit *e, unsigned label) {
    w_op(out(e), W_I32_EQZ);
    br_unlikely(e, label);
}

// ---- the forms. Each computes into local r and branches: falls through when the result stands,
// to SECOND for the second look, to CALL for the call.

// May it be zero that is exact because an operand is, or because it is a sum? Then the operands
// matter that are taken for clean.
static bool may_be_zero(const struct fast_row *f) {
    return f->form == F_SUM || (f->form == F_ARITH && f->operands == 2);
}
static bool any_clean(const struct fast_row *f, const struct operand *x) {
    for (unsigned k = 0; k < f->operands; k++)
        if (x[k].clean) return true;
    return false;
}

// Where the first look found the result odd: zeros are frequent (matrices), so this is not among
// the rare code, before which V8 puts all registers into memory.
static void first_zero(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r,
                       bool ranged) {
    open_if(e, W_T_VOID, false);
    push_zero(e, f->single, r);
    if (f->form != F_SUM) {
        push_zero(e, f->single, x[0].local);
        if (is_product(f)) {
            push_zero(e, f->single, x[1].local);
            w_op(out(e), W_I32_OR);
        }
        w_op(out(e), W_I32_AND);
    }
    w_op(out(e), W_I32_EQZ);
    br_unlikely(e, SECOND + 1);
    if (any_clean(f, x)) out_unless_inexact(e, SECOND + 1); // they may be denormal
    if (!ranged) {
        w_op(out(e), W_BR);
        w_u32(out(e), DONE + 1);
    }
    close_if(e);
}

// The product r of two numbers of which nothing is known, where range and inexact are one
// comparison: is each zero or so large that the product is no denormal? Then it is zero because one
// is, or a normal number unless it is too large. Neither zeros, which are frequent, nor denormals
// have a look of their own. Other products have one after this.
static bool quick_product(struct emit *e, const struct fast_row *f, const struct operand *x,
                          u32 r) {
    bool ranged = e->abi->inexact_bit == FAST_RANGE;
    if (!is_product(f) || !e->abi->denormals || !ranged || any_clean(f, x)) return false;
    i64 least = f->single ? (127 - 62) << 24 : (i64)(1023 - 510) << 53;
    open_block(e);
    for (unsigned k = 0; k < 2; k++)
        if (!k || x[1].ref != x[0].ref) out_if_below(e, f->single, x[k].local, least, 0);
    push_odd(e, f->single, r, 0, true);
    br_unlikely(e, 0);
    w_op(out(e), W_BR);
    w_u32(out(e), DONE + 1);
    close_if(e);
    return true;
}

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
    bool looked = quick_product(e, f, x, r);
    out_unless_boxed(e, x, f->operands, CALL);
    out_if_denormals(e, f, x, false, CALL);
    // Sums are exact when they are tiny; others must be clearly normal (the smallest normal may
    // have been rounded up to).
    unsigned lo = f->form != F_SUM ? 2 : e->abi->denormals ? 1 : 0;
    bool ranged = e->abi->inexact_bit == FAST_RANGE;
    push_odd(e, single_result(f), r, lo, ranged);
    if (may_be_zero(f) && lo && !looked)
        first_zero(e, f, x, r, ranged);
    else
        br_unlikely(e, SECOND);
    if (!ranged) out_unless_inexact(e, SECOND);
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
    out_if_denormals(e, f, x, false, CALL);
    // What is clean is so only while the word says so.
    if (x[0].clean || x[1].clean) out_unless_inexact(e, SECOND);
}

static void second_check(struct emit *e, const struct fast_row *f, const struct operand *x) {
    if (!e->abi->denormals || (!x[0].clean && !x[1].clean)) return;
    out_if_denormals(e, f, x, true, 0);
    w_op(out(e), W_BR);
    w_u32(out(e), DONE - 1);
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
    else if (f->form == F_CHECK)
        second_check(e, f, x);
    else if (f->form != F_COMPARE && f->form != F_WIDEN)
        exact_arith(e, f, x, r, op->imm);
    close_if(e); // CALL
    call(e, f, op, x, r);
    close_if(e);
    for (unsigned k = 0; k < f->operands; k++) release(e, &x[k]);
    e->kind[i] = float_result(f) ? V_FLOAT : V_LOCAL;
    e->local[i] = (u16)r;
    if (!e->uses[i]) e->busy[r] = 0;
}
