// Values: pure operations as expression trees where they are used once, else in locals; inline
// forms of helpers. Depends on emit.h; the rows of wops.def are the operations that are one
// instruction.
#include <assert.h>
#include <string.h>

#include "emit/wasm/emit.h"

u8 wasm_type(enum ir_type t) {
    switch (t) {
    case IR_I32:
        return W_T_I32;
    case IR_F32:
        return W_T_F32;
    case IR_F64:
        return W_T_F64;
    case IR_V128:
        return W_T_V128;
    default:
        return W_T_I64;
    }
}

u32 take_local(struct emit *e, u8 type) {
    for (unsigned i = e->first_value; i < e->nlocals; i++)
        if (!e->busy[i] && e->types[i] == type) {
            e->busy[i] = 1;
            return i;
        }
    if (e->nlocals == sizeof e->types) {
        e->failed = true;
        return e->first_value;
    }
    e->types[e->nlocals] = type;
    e->busy[e->nlocals] = 1;
    return e->nlocals++;
}

static void drop_use(struct emit *e, ir_ref r) {
    assert(e->uses[r]);
    if (--e->uses[r] == 0 && e->kind[r] == V_LOCAL) e->busy[e->local[r]] = 0;
}

static void canonical_nan(struct emit *e, enum ir_type t) {
    u32 x = take_local(e, wasm_type(t));
    w_local(out(e), W_LOCAL_TEE, x);
    if (t == IR_F64) {
        w_i64_const(out(e), 0x7ff8000000000000);
        w_op(out(e), W_F64_REINTERPRET_I64);
    } else {
        w_i32_const(out(e), 0x7fc00000);
        w_op(out(e), W_F32_REINTERPRET_I32);
    }
    w_local(out(e), W_LOCAL_GET, x);
    w_local(out(e), W_LOCAL_GET, x);
    w_op(out(e), t == IR_F64 ? W_F64_EQ : W_F32_EQ);
    w_op(out(e), W_SELECT);
    e->busy[x] = 0;
}

// Division: total in the IR, trapping in wasm. The operands are in locals a and b.
static void divide(struct emit *e, enum ir_op op, u32 a, u32 b) {
    bool w = op == IR_DIVU32 || op == IR_DIVS32 || op == IR_REMU32 || op == IR_REMS32;
    bool sign = op == IR_DIVS64 || op == IR_REMS64 || op == IR_DIVS32 || op == IR_REMS32;
    bool rem = op == IR_REMU64 || op == IR_REMS64 || op == IR_REMU32 || op == IR_REMS32;
    u8 base = w ? W_I32_DIV_S : W_I64_DIV_S;
    u8 opcode = (u8)(base + (sign ? 0 : 1) + (rem ? 2 : 0));
    struct buf *o = out(e);
    // Divisors 0 and (signed) -1 are the odd ones: b + sign <=u sign.
    w_local(o, W_LOCAL_GET, b);
    if (w)
        w_i32_const(o, sign);
    else
        w_i64_const(o, sign);
    w_op(o, w ? W_I32_ADD : W_I64_ADD);
    if (w)
        w_i32_const(o, sign);
    else
        w_i64_const(o, sign);
    w_op(o, w ? 0x4d : W_I64_LE_U);
    w_op(o, W_IF);
    w_op(o, w ? W_T_I32 : W_T_I64);
    // b == 0: x / 0 = -1, x % 0 = x;  b == -1: -x and 0
    if (rem)
        w_local(o, W_LOCAL_GET, a);
    else if (w)
        w_i32_const(o, -1);
    else
        w_i64_const(o, -1);
    if (w)
        w_i32_const(o, 0);
    else
        w_i64_const(o, 0);
    if (!rem) {
        w_local(o, W_LOCAL_GET, a);
        w_op(o, w ? W_I32_SUB : W_I64_SUB);
    }
    w_local(o, W_LOCAL_GET, b);
    w_op(o, w ? W_I32_EQZ : W_I64_EQZ);
    w_op(o, W_SELECT);
    w_op(o, W_ELSE);
    w_local(o, W_LOCAL_GET, a);
    w_local(o, W_LOCAL_GET, b);
    w_op(o, opcode);
    w_op(o, W_END);
}

static void min_max(struct emit *e, enum ir_op op, u32 a, u32 b) {
    static const u8 compare[] = {[IR_MINS64 - IR_MINS64] = 0x53,
                                 [IR_MAXS64 - IR_MINS64] = 0x55,
                                 [IR_MINU64 - IR_MINS64] = 0x54,
                                 [IR_MAXU64 - IR_MINS64] = 0x56};
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_op(out(e), compare[op - IR_MINS64]);
    w_op(out(e), W_SELECT);
}

// An operation on operands in locals of their own.
static bool with_locals(struct emit *e, enum ir_op op, ir_ref x, ir_ref y) {
    bool div = op == IR_DIVU64 || op == IR_DIVS64 || op == IR_REMU64 || op == IR_REMS64 ||
               op == IR_DIVU32 || op == IR_DIVS32 || op == IR_REMU32 || op == IR_REMS32;
    bool mm = op >= IR_MINS64 && op <= IR_MAXU64;
    if (!div && !mm) return false;
    u8 t = wasm_type(ir_operand_type(op, 0));
    u32 a = take_local(e, t), b = take_local(e, t);
    push(e, x);
    w_local(out(e), W_LOCAL_SET, a);
    push(e, y);
    w_local(out(e), W_LOCAL_SET, b);
    if (div)
        divide(e, op, a, b);
    else
        min_max(e, op, a, b);
    e->busy[a] = e->busy[b] = 0;
    return true;
}

static void fallback(struct emit *e, const struct ir_insn *o) {
    enum ir_type rt = (enum ir_type)ir_ops[o->op].result;
    u32 f = rt == IR_I64 || rt == IR_I32 ? e->abi->fallback((enum ir_op)o->op) : 0;
    if (!f) {
        e->failed = true;
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        ir_ref x = i ? o->b : o->a;
        enum ir_type t = ir_operand_type((enum ir_op)o->op, i);
        if (x)
            push(e, x);
        else
            w_i64_const(out(e), 0);
        if (x && t == IR_I32)
            w_op(out(e), W_I64_EXTEND_I32_U);
        else if (x && t != IR_I64)
            e->failed = true;
    }
    call_indirect(e, T_BINARY, f);
    if (rt == IR_I32) w_op(out(e), W_I32_WRAP_I64);
}

static void operands(struct emit *e, const struct ir_insn *o) {
    if (o->a) push(e, o->a);
    if (o->b) push(e, o->b);
    if (o->c) push(e, o->c);
}

void push_pcrel(struct emit *e, i64 rel) {
    w_local(out(e), W_LOCAL_GET, L_PAGE);
    if (!rel) return;
    w_i64_const(out(e), rel);
    w_op(out(e), W_I64_ADD);
}

// ---- the high half of products

// a and b are locals; leaves the unsigned high half on the stack.
static void mulhu(struct emit *e, u32 a, u32 b) {
    struct buf *o = out(e);
    u32 x = take_local(e, W_T_I64), y = take_local(e, W_T_I64), t = take_local(e, W_T_I64);
    static const i64 low = 0xffffffff;
    // t = ah * bl + (al * bl >> 32)
    w_local(o, W_LOCAL_GET, a);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_local(o, W_LOCAL_TEE, x);
    w_local(o, W_LOCAL_GET, b);
    w_i64_const(o, low);
    w_op(o, W_I64_AND);
    w_local(o, W_LOCAL_TEE, y);
    w_op(o, W_I64_MUL);
    w_local(o, W_LOCAL_GET, a);
    w_i64_const(o, low);
    w_op(o, W_I64_AND);
    w_local(o, W_LOCAL_GET, y);
    w_op(o, W_I64_MUL);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_op(o, W_I64_ADD);
    w_local(o, W_LOCAL_SET, t);
    // ah * bh + (t >> 32) + (al * bh + (t & low) >> 32)
    w_local(o, W_LOCAL_GET, x);
    w_local(o, W_LOCAL_GET, b);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_local(o, W_LOCAL_TEE, y);
    w_op(o, W_I64_MUL);
    w_local(o, W_LOCAL_GET, t);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_op(o, W_I64_ADD);
    w_local(o, W_LOCAL_GET, a);
    w_i64_const(o, low);
    w_op(o, W_I64_AND);
    w_local(o, W_LOCAL_GET, y);
    w_op(o, W_I64_MUL);
    w_local(o, W_LOCAL_GET, t);
    w_i64_const(o, low);
    w_op(o, W_I64_AND);
    w_op(o, W_I64_ADD);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_op(o, W_I64_ADD);
    e->busy[x] = e->busy[y] = e->busy[t] = 0;
}

// Subtracts y where x is negative.
static void less_if_negative(struct emit *e, u32 x, u32 y) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_GET, x);
    w_i64_const(o, 63);
    w_op(o, W_I64_SHR_S);
    w_local(o, W_LOCAL_GET, y);
    w_op(o, W_I64_AND);
    w_op(o, W_I64_SUB);
}

static void high_product(struct emit *e, const struct ir_insn *op) {
    u32 a = take_local(e, W_T_I64), b = take_local(e, W_T_I64);
    push(e, op->a);
    w_local(out(e), W_LOCAL_SET, a);
    push(e, op->b);
    w_local(out(e), W_LOCAL_SET, b);
    mulhu(e, a, b);
    if (op->op != IR_MULHU64) less_if_negative(e, a, b);
    if (op->op == IR_MULHS64) less_if_negative(e, b, a);
    e->busy[a] = e->busy[b] = 0;
}

// ---- pure operations

static void simd(struct emit *e, u32 code) {
    w_op(out(e), W_SIMD);
    w_u32(out(e), code);
}

static void simd_lane(struct emit *e, u32 code, u8 lane) {
    simd(e, code);
    w_op(out(e), lane);
}

// Pushes the result of a pure operation.
static void pure(struct emit *e, ir_ref r) {
    const struct ir_insn *o = &e->b->ops[r];
    struct buf *w = out(e);
    switch (o->op) {
#define WOP(n, code)                                                                               \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        w_op(w, code);                                                                             \
        return;
#define WOPFC(n, code)                                                                             \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        w_op(w, 0xfc);                                                                             \
        w_u32(w, code);                                                                            \
        return;
#define WOPFD(n, code)                                                                             \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        simd(e, code);                                                                             \
        return;
#define WOPNAN(n, code)                                                                            \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        w_op(w, code);                                                                             \
        canonical_nan(e, (enum ir_type)ir_ops[o->op].result);                                      \
        return;
#include "emit/wasm/wops.def"
    case IR_VLO64:
    case IR_VHI64:
        operands(e, o);
        simd_lane(e, W_I64X2_EXTRACT_LANE, o->op == IR_VHI64);
        return;
    case IR_VZEXT64:
        simd(e, W_V128_CONST);
        for (int i = 0; i < 16; i++) w_op(w, 0);
        operands(e, o);
        simd_lane(e, W_I64X2_REPLACE_LANE, 0);
        return;
    case IR_ANDN64:
        operands(e, o);
        w_i64_const(w, -1);
        w_op(w, W_I64_XOR);
        w_op(w, W_I64_AND);
        return;
    case IR_MULHU64:
    case IR_MULHS64:
    case IR_MULHSU64:
        high_product(e, o);
        return;
    case IR_SEL64:
    case IR_SEL32:
    case IR_SELF64:
    case IR_SELV:
        push(e, o->b);
        push(e, o->c);
        push(e, o->a);
        w_op(w, W_SELECT);
        return;
    case IR_PCREL:
        push_pcrel(e, (i64)o->imm);
        return;
    default:
        if (!with_locals(e, (enum ir_op)o->op, o->a, o->b)) fallback(e, o);
    }
}

static void forget(ir_ref *list, unsigned *n, ir_ref r) {
    for (unsigned i = 0; i < *n; i++)
        if (list[i] == r) {
            list[i] = list[--*n];
            return;
        }
}

void push(struct emit *e, ir_ref r) {
    const struct ir_insn *o = &e->b->ops[r];
    switch (e->kind[r]) {
    case V_CONST:
        if (o->op == IR_CONST32)
            w_i32_const(out(e), (i32)o->imm);
        else
            w_i64_const(out(e), (i64)o->imm);
        break;
    case V_CELL:
    case V_LOCAL:
        w_local(out(e), W_LOCAL_GET, e->local[r]);
        break;
    case V_TREE:
        forget(e->trees, &e->ntrees, r);
        pure(e, r);
        break;
    default:
        assert(0 && "a value that was never emitted");
    }
    drop_use(e, r);
    if (e->kind[r] == V_CELL && !e->uses[r]) forget(e->aliases, &e->naliases, r);
}

void keep(struct emit *e, ir_ref r) {
    u32 l = take_local(e, wasm_type((enum ir_type)ir_ops[e->b->ops[r].op].result));
    w_local(out(e), W_LOCAL_SET, l);
    e->kind[r] = V_LOCAL;
    e->local[r] = (u16)l;
    if (!e->uses[r]) e->busy[l] = 0;
}

void settle(struct emit *e, ir_ref r) {
    pure(e, r);
    keep(e, r);
}

void settle_trees(struct emit *e) {
    while (e->ntrees) settle(e, e->trees[--e->ntrees]);
}

// Does the tree of r read `local`?
static bool reads(struct emit *e, ir_ref r, u32 local) {
    const struct ir_insn *o = &e->b->ops[r];
    const ir_ref refs[3] = {o->a, o->b, o->c};
    for (int i = 0; i < 3; i++) {
        if (!refs[i]) continue;
        u8 k = e->kind[refs[i]];
        if (k == V_CELL && e->local[refs[i]] == local) return true;
        if (k == V_TREE && reads(e, refs[i], local)) return true;
    }
    return false;
}

void vacate(struct emit *e, u32 local) {
    for (unsigned i = 0; i < e->ntrees;) {
        ir_ref r = e->trees[i];
        if (reads(e, r, local)) {
            e->trees[i] = e->trees[--e->ntrees];
            settle(e, r); // may settle trees inside it: start again
            i = 0;
        } else {
            i++;
        }
    }
    for (unsigned i = 0; i < e->naliases;) {
        ir_ref r = e->aliases[i];
        if (e->local[r] == local) {
            e->aliases[i] = e->aliases[--e->naliases];
            w_local(out(e), W_LOCAL_GET, local);
            keep(e, r);
        } else {
            i++;
        }
    }
}

// ---- helpers that have an inline form

static void float_const64(struct emit *e, double v) {
    w_op(out(e), W_F64_CONST);
    buf_put(out(e), &v, 8);
}

// Pushes local `x` (an i64) as a float of the kind's width.
static void push_float(struct emit *e, bool single, u32 x, bool negate) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_GET, x);
    if (single) w_op(o, W_I32_WRAP_I64);
    w_op(o, single ? W_F32_REINTERPRET_I32 : W_F64_REINTERPRET_I64);
    if (negate) w_op(o, single ? W_F32_NEG : W_F64_NEG);
}

#define BOX ((i64)0xffffffff00000000u)

// The float on the stack as the bits of a register.
static void to_bits(struct emit *e, bool single) {
    if (!single) {
        w_op(out(e), W_I64_REINTERPRET_F64);
        return;
    }
    w_op(out(e), W_I32_REINTERPRET_F32);
    w_op(out(e), W_I64_EXTEND_I32_U);
    w_i64_const(out(e), BOX);
    w_op(out(e), W_I64_OR);
}

static void fused_madd(struct emit *e, bool single, const u32 *x, u64 imm) {
    for (int i = 0; i < 3; i++) {
        push_float(e, single, x[i], (i == 0 && imm & 8) || (i == 2 && imm & 16));
        simd(e, single ? W_F32X4_SPLAT : W_F64X2_SPLAT);
    }
    simd(e, single ? W_F32X4_RELAXED_MADD : W_F64X2_RELAXED_MADD);
    simd_lane(e, single ? W_F32X4_EXTRACT_LANE : W_F64X2_EXTRACT_LANE, 0);
}

// Pushes 1 when the guest's inexact flag is set already.
static void push_flag(struct emit *e) {
    struct buf *o = out(e);
    w_i32_const(o, 0);
    w_mem(o, W_I32_LOAD, 2, e->abi->inexact);
    w_i32_const(o, (i32)e->abi->inexact_bit);
    w_op(o, W_I32_AND);
    w_i32_const(o, 0);
    w_op(o, W_I32_NE);
}

static void and_boxed(struct emit *e, const u32 *x, int n) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_GET, x[0]);
    for (int i = 1; i < n; i++) {
        w_local(o, W_LOCAL_GET, x[i]);
        w_op(o, W_I64_AND);
    }
    w_i64_const(o, BOX);
    w_op(o, W_I64_GE_U);
    w_op(o, W_I32_AND);
}

// Is the result in local r (bits) of an exponent that excludes every flag but inexact? Sums are
// exact when they are tiny; others must be clearly normal (the smallest normal may have been
// rounded up to).
static void normal(struct emit *e, bool single, u32 r, bool sum) {
    struct buf *o = out(e);
    i64 lo = sum ? 0 : 2, hi = single ? 0xff : 0x7ff;
    w_local(o, W_LOCAL_GET, r);
    w_i64_const(o, single ? 23 : 52);
    w_op(o, W_I64_SHR_U);
    w_i64_const(o, hi);
    w_op(o, W_I64_AND);
    if (lo) {
        w_i64_const(o, lo);
        w_op(o, W_I64_SUB);
    }
    w_i64_const(o, hi - lo);
    w_op(o, W_I64_LT_U);
}

struct fast_row {
    u8 operands;
    bool single;
    u8 opcode;
    enum { F_ARITH, F_SUM, F_MADD, F_COMPARE, F_FROM_INT, F_TO_INT } form;
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
};

static bool fast_applies(const struct emit *e, const struct fast_row *f, u64 imm) {
    if (!e->abi->passes.floats) return false;
    if (f->form == F_MADD) return e->abi->fused_madd && (imm & 7) == f->rounding;
    return f->form == F_COMPARE || (imm & 7) == f->rounding;
}

// Computes into local r and pushes whether no flag but inexact can change with it.
static void fast_value(struct emit *e, const struct fast_row *f, const u32 *x, u32 r, u64 imm) {
    struct buf *o = out(e);
    switch (f->form) {
    case F_COMPARE:
        push_float(e, f->single, x[0], false);
        push_float(e, f->single, x[1], false);
        w_op(o, f->opcode);
        w_op(o, W_I64_EXTEND_I32_U);
        w_local(o, W_LOCAL_SET, r);
        for (int i = 0; i < 2; i++) {
            push_float(e, f->single, x[i], false);
            push_float(e, f->single, x[i], false);
            w_op(o, f->single ? W_F32_EQ : W_F64_EQ);
        }
        w_op(o, W_I32_AND);
        if (f->single) and_boxed(e, x, 2);
        return;
    case F_FROM_INT:
        w_local(o, W_LOCAL_GET, x[0]);
        w_op(o, f->opcode);
        to_bits(e, f->single);
        w_local(o, W_LOCAL_SET, r);
        w_i32_const(o, 1);
        return;
    case F_TO_INT:
        push_float(e, false, x[0], false);
        w_op(o, 0xfc);
        w_u32(o, f->opcode);
        if (f->opcode == 2) w_op(o, W_I64_EXTEND_I32_S);
        w_local(o, W_LOCAL_SET, r);
        // Clearly in range, which excludes NaN.
        push_float(e, false, x[0], false);
        w_op(o, W_F64_ABS);
        float_const64(e, f->opcode == 2 ? 2147483647.0 : 9223372036854774784.0);
        w_op(o, W_F64_LT);
        return;
    case F_MADD:
        fused_madd(e, f->single, x, imm);
        break;
    default:
        for (int i = 0; i < f->operands; i++) push_float(e, f->single, x[i], false);
        w_op(o, f->opcode);
        break;
    }
    to_bits(e, f->single);
    w_local(o, W_LOCAL_SET, r);
    normal(e, f->single, r, f->form == F_SUM);
    if (f->single) and_boxed(e, x, f->operands);
}

// ---- was a result exact? Error-free transformations: what rounding took away is computed, in the
// same or a wider type.

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
    w_local(out(e), W_LOCAL_GET, a);
    simd(e, W_F64X2_SPLAT);
    w_local(out(e), W_LOCAL_GET, b);
    simd(e, W_F64X2_SPLAT);
    w_local(out(e), W_LOCAL_GET, p);
    w_op(o, W_F64_NEG);
    simd(e, W_F64X2_SPLAT);
    simd(e, W_F64X2_RELAXED_MADD);
    simd_lane(e, W_F64X2_EXTRACT_LANE, 0);
    float_const64(e, 0);
    w_op(o, W_F64_EQ);
    w_local(out(e), W_LOCAL_GET, p);
    w_op(o, W_F64_ABS);
    float_const64(e, 0x1p-900);
    w_op(o, W_F64_GT);
    w_op(o, W_I32_AND);
}

// Operand i as a double in a local of its own.
static u32 as_double(struct emit *e, const struct fast_row *f, u32 x, bool negate) {
    u32 d = take_local(e, W_T_F64);
    push_float(e, f->single, x, negate);
    if (f->single) w_op(out(e), W_F64_PROMOTE_F32);
    w_local(out(e), W_LOCAL_SET, d);
    return d;
}

// The product of two singles is exact as a double; pushes whether it is p.
static void wide_product_is(struct emit *e, u32 a, u32 b, u32 p) {
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_op(out(e), W_F64_MUL);
    w_local(out(e), W_LOCAL_GET, p);
    w_op(out(e), W_F64_EQ);
}

static void madd_exact(struct emit *e, const struct fast_row *f, const u32 *x, u32 r, u64 imm) {
    struct buf *o = out(e);
    u32 a = as_double(e, f, x[0], imm & 8), b = as_double(e, f, x[1], false);
    u32 c = as_double(e, f, x[2], imm & 16), d = as_double(e, f, r, false);
    u32 p = take_local(e, W_T_F64);
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_op(o, W_F64_MUL);
    w_local(out(e), W_LOCAL_SET, p);
    sum_exact(e, p, c, d);
    if (!f->single) {
        product_exact(e, a, b, p);
        w_op(o, W_I32_AND);
    }
    e->busy[a] = e->busy[b] = e->busy[c] = e->busy[d] = e->busy[p] = 0;
}

// Pushes whether the result in r, which is in range, was exact; 0 when that is not known.
static void push_exact(struct emit *e, const struct fast_row *f, const u32 *x, u32 r, u64 imm) {
    struct buf *o = out(e);
    if (f->form == F_FROM_INT) {
        bool sign = f->opcode == 0xb9;
        w_local(o, W_LOCAL_GET, x[0]);
        w_i64_const(o, sign ? (i64)1 << 53 : 0);
        w_op(o, W_I64_ADD);
        w_i64_const(o, (i64)1 << (sign ? 54 : 53));
        w_op(o, W_I64_LE_U);
        return;
    }
    if (f->form == F_TO_INT) {
        w_local(o, W_LOCAL_GET, r);
        w_op(o, W_F64_CONVERT_I64_S);
        push_float(e, false, x[0], false);
        w_op(o, W_F64_EQ);
        return;
    }
    if (f->form == F_MADD) {
        madd_exact(e, f, x, r, imm);
        return;
    }
    if (f->form == F_ARITH && !f->single && !e->abi->fused_madd) {
        w_i32_const(o, 0);
        return;
    }
    bool minus = f->opcode == 0xa1 || f->opcode == 0x94 - 1;
    bool mul = f->opcode == 0xa2 || f->opcode == 0x94, root = f->operands == 1;
    u32 a = as_double(e, f, x[0], false), d = as_double(e, f, r, false);
    u32 b = root ? d : as_double(e, f, x[1], minus);
    if (f->form == F_SUM)
        sum_exact(e, a, b, d);
    else if (f->single)
        wide_product_is(e, mul ? a : d, b, mul ? d : a);
    else
        product_exact(e, mul ? a : d, b, mul ? d : a);
    e->busy[a] = e->busy[b] = e->busy[d] = 0;
}

void emit_fast_call(struct emit *e, u32 i, u8 kind, void (*slow)(struct emit *e, u32 i)) {
    const struct ir_insn *op = &e->b->ops[i];
    assert(kind < sizeof fast_rows / sizeof *fast_rows);
    const struct fast_row *f = &fast_rows[kind];
    if (!kind || !f->operands || !fast_applies(e, f, op->imm)) {
        slow(e, i);
        return;
    }
    struct buf *o = out(e);
    u32 r = take_local(e, W_T_I64), x[3];
    const ir_ref args[3] = {op->a, op->b, op->c};
    for (int k = 0; k < 3; k++) {
        if (!args[k]) continue;
        push(e, args[k]);
        if (k >= f->operands && f->form != F_MADD) {
            w_op(o, W_DROP);
            continue;
        }
        x[k] = take_local(e, W_T_I64);
        w_local(o, W_LOCAL_SET, x[k]);
    }
    fast_value(e, f, x, r, op->imm);
    bool flag = f->form != F_COMPARE;
    u32 valid = take_local(e, W_T_I32);
    if (flag) {
        w_local(o, W_LOCAL_TEE, valid);
        push_flag(e);
        w_op(o, W_I32_AND);
    }
    w_op(o, W_I32_EQZ);
    open_if(e, W_T_VOID, true);
    if (flag) {
        if (f->form == F_FROM_INT || f->form == F_TO_INT) {
            w_local(o, W_LOCAL_GET, valid);
        } else { // what is exact changes no flag, however small it is
            normal(e, f->single, r, true);
            if (f->single) and_boxed(e, x, f->operands);
        }
        push_exact(e, f, x, r, op->imm);
        w_op(o, W_I32_AND);
        w_op(o, W_I32_EQZ);
        open_if(e, W_T_VOID, true);
    }
    w_i32_const(o, (i32)e->abi->state);
    for (int k = 0; k < 3; k++) {
        if (args[k] && k < f->operands)
            w_local(o, W_LOCAL_GET, x[k]);
        else
            w_i64_const(o, 0);
    }
    w_i64_const(o, (i64)op->imm);
    call_indirect(e, T_HELPER, e->abi->helper(e->abi->arg, op->aux));
    w_local(o, W_LOCAL_SET, r);
    if (flag) close_if(e);
    close_if(e);
    e->busy[valid] = 0;
    for (int k = 0; k < f->operands; k++) e->busy[x[k]] = 0;
    w_local(o, W_LOCAL_GET, r);
    e->busy[r] = 0;
    keep(e, (ir_ref)i);
}
