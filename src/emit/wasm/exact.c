// Was a result exact? The second look of inline forms of floating-point operations (fast.c):
// error-free transformations compute what rounding took away, in the same or a wider type. What is
// exact changes no flag, however small it is.
#include <math.h>

#include "emit/wasm/fast.h"

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
    bool mul = is_product(f), root = f->operands == 1;
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

void exact_arith(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r,
                 u64 imm) {
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
