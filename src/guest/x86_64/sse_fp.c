// Arithmetic of singles and doubles as SSE and AVX have it (SDM 1 11.5, 4.8; SDM 2): exact results,
// flags, rounding, denormals as zeros, flush to zero, NaNs of x86. Depends on Berkeley SoftFloat
// 3e, whose mode and flags are set before and collected after each operation, never kept.
//
// NaN operands, denormals and comparisons are decided here, before SoftFloat is asked: its build
// has another architecture's NaNs. The host's arithmetic is used where its result is provably the
// same: nearest rounding, PE set already, operands and result normal and clear of the ends.
#include "guest/x86_64/sse_fp.h"

#define OP(name) void x86_vop_##name(struct x86_vec *o)

// ---- SoftFloat around an operation

void x86_soft_begin(u32 rounding) {
    static const u8 mode[4] = {softfloat_round_near_even, softfloat_round_min, softfloat_round_max,
                               softfloat_round_minMag};
    softfloat_roundingMode = mode[rounding];
    softfloat_exceptionFlags = 0;
}

// Takes the flags over and finishes the result: indefinite when invalid, tiny ones flushed.
u64 x86_soft_end(struct x86_vec *o, u64 r, bool dbl, u32 denormal) {
    unsigned f = softfloat_exceptionFlags;
    u32 m = mxcsr(o);
    if (f & softfloat_flag_invalid) {
        o->pre |= MXC_IE;
        return indefinite(dbl);
    }
    if (f & softfloat_flag_infinite) {
        o->pre |= MXC_ZE;
        return r;
    }
    o->pre |= denormal;
    bool tiny = f & softfloat_flag_underflow || is_denormal(r, dbl);
    if (f & softfloat_flag_overflow) o->post |= MXC_OE;
    if (f & softfloat_flag_inexact) o->post |= MXC_PE;
    bool masked = m & MXC_UE << 7;
    if (tiny && (f & softfloat_flag_underflow || !masked)) o->post |= MXC_UE;
    if (tiny && masked && m & MXC_FTZ) {
        o->post |= MXC_UE | MXC_PE;
        r &= sign_bit(dbl);
    }
    return r;
}

enum fp_op { FP_ADD, FP_SUB, FP_MUL, FP_DIV };

static u64 soft(enum fp_op op, u64 a, u64 b, bool dbl) {
    switch (op) {
    case FP_ADD:
        return dbl ? f64_add(f64(a), f64(b)).v : bits32(f32_add(f32(a), f32(b)));
    case FP_SUB:
        return dbl ? f64_sub(f64(a), f64(b)).v : bits32(f32_sub(f32(a), f32(b)));
    case FP_MUL:
        return dbl ? f64_mul(f64(a), f64(b)).v : bits32(f32_mul(f32(a), f32(b)));
    default:
        return dbl ? f64_div(f64(a), f64(b)).v : bits32(f32_div(f32(a), f32(b)));
    }
}

static ALWAYS_INLINE u64 host(enum fp_op op, u64 a, u64 b, bool dbl) {
    if (dbl) {
        double x = ir_f64_of(a), y = ir_f64_of(b);
        return ir_bits_of_f64(op == FP_ADD   ? x + y
                              : op == FP_SUB ? x - y
                              : op == FP_MUL ? x * y
                                             : x / y);
    }
    float x = ir_f32_of((u32)a), y = ir_f32_of((u32)b);
    return ir_bits_of_f32(op == FP_ADD   ? x + y
                          : op == FP_SUB ? x - y
                          : op == FP_MUL ? x * y
                                         : x / y);
}

static ALWAYS_INLINE u64 arith(struct x86_vec *o, enum fp_op op, u64 a, u64 b, bool dbl) {
    u64 r;
    u32 denormal = 0;
    if (relaxed(o) && !is_denormal(a, dbl) && !is_denormal(b, dbl)) {
        r = host(op, a, b, dbl);
        if (is_plain(r, dbl)) return r;
    }
    if (nan_result(o, a, b, dbl, &r)) return r;
    a = operand(o, a, dbl, &denormal);
    b = operand(o, b, dbl, &denormal);
    x86_soft_begin(MXC_RC(mxcsr(o)));
    return x86_soft_end(o, soft(op, a, b, dbl), dbl, denormal);
}

static u64 root(struct x86_vec *o, u64 a, bool dbl) {
    u64 r;
    u32 denormal = 0;
    if (relaxed(o) && is_plain(a, dbl) && !(a & sign_bit(dbl)))
        return dbl ? ir_bits_of_f64(__builtin_sqrt(ir_f64_of(a)))
                   : ir_bits_of_f32(__builtin_sqrtf(ir_f32_of((u32)a)));
    if (nan_result(o, a, a, dbl, &r)) return r;
    a = operand(o, a, dbl, &denormal);
    x86_soft_begin(MXC_RC(mxcsr(o)));
    return x86_soft_end(o, dbl ? f64_sqrt(f64(a)).v : bits32(f32_sqrt(f32(a))), dbl, denormal);
}

// ---- minimum, maximum: the second operand when either is a NaN or both are zeros

// a < b, neither a NaN.
static ALWAYS_INLINE bool less(u64 a, u64 b, bool dbl) {
    return dbl ? ir_f64_of(a) < ir_f64_of(b) : ir_f32_of((u32)a) < ir_f32_of((u32)b);
}
static ALWAYS_INLINE bool equal(u64 a, u64 b, bool dbl) {
    return dbl ? ir_f64_of(a) == ir_f64_of(b) : ir_f32_of((u32)a) == ir_f32_of((u32)b);
}

static u64 min_max(struct x86_vec *o, u64 a, u64 b, bool dbl, bool max) {
    u32 denormal = 0;
    if (is_nan(a, dbl) || is_nan(b, dbl)) {
        o->pre |= MXC_IE;
        return is_denormal(b, dbl) && mxcsr(o) & MXC_DAZ ? b & sign_bit(dbl) : b;
    }
    a = operand(o, a, dbl, &denormal);
    b = operand(o, b, dbl, &denormal);
    o->pre |= denormal;
    return (max ? less(b, a, dbl) : less(a, b, dbl)) ? a : b;
}

// ---- comparisons

enum { CMP_LT, CMP_EQ, CMP_GT, CMP_UNORDERED };

static unsigned compare(struct x86_vec *o, u64 a, u64 b, bool dbl, bool signalling) {
    u32 denormal = 0;
    if (is_nan(a, dbl) || is_nan(b, dbl)) {
        if (signalling || is_snan(a, dbl) || is_snan(b, dbl)) o->pre |= MXC_IE;
        return CMP_UNORDERED;
    }
    a = operand(o, a, dbl, &denormal);
    b = operand(o, b, dbl, &denormal);
    o->pre |= denormal;
    return equal(a, b, dbl) ? CMP_EQ : less(a, b, dbl) ? CMP_LT : CMP_GT;
}

// The predicates' truth for LT, EQ, GT, unordered (bits 0..3), and whether quiet NaNs signal.
static u64 predicate(struct x86_vec *o, u64 a, u64 b, bool dbl) {
    enum { LT = 1, EQ = 2, GT = 4, UN = 8 };
    static const u8 truth[16] = {
        EQ,      LT,      LT | EQ,      UN, LT | GT | UN, EQ | GT | UN, GT | UN, LT | EQ | GT,
        EQ | UN, LT | UN, LT | EQ | UN, 0,  LT | GT,      EQ | GT,      GT,      LT | EQ | GT | UN};
    static const u32 signals =
        1u << 1 | 1u << 2 | 1u << 5 | 1u << 6 | 1u << 9 | 1u << 10 | 1u << 13 | 1u << 14;
    unsigned p = o->imm & 31;
    bool s = signals >> (p & 15) & 1;
    unsigned c = compare(o, a, b, dbl, p & 16 ? !s : s);
    return truth[p & 15] >> c & 1 ? ~(u64)0 : 0;
}

static u64 compare_flags(struct x86_vec *o, bool dbl, bool signalling) {
    static const u8 flags[4] = {FL_CF, FL_ZF, 0, FL_ZF | FL_PF | FL_CF};
    return flags[compare(o, get(&o->a, 0, dbl), get(&o->b, 0, dbl), dbl, signalling)];
}

OP(ucomiss) { o->r = compare_flags(o, false, false); }
OP(ucomisd) { o->r = compare_flags(o, true, false); }
OP(comiss) { o->r = compare_flags(o, false, true); }
OP(comisd) { o->r = compare_flags(o, true, true); }

// ---- the instructions of two operands: packed and scalar, single and double

#define FORMS(name, ...)                                                                           \
    OP(name##ps) {                                                                                 \
        for (unsigned i = 0; i < 4; i++) ONE(i, false, __VA_ARGS__);                               \
    }                                                                                              \
    OP(name##pd) {                                                                                 \
        for (unsigned i = 0; i < 2; i++) ONE(i, true, __VA_ARGS__);                                \
    }                                                                                              \
    OP(name##ss) { ONE(0, false, __VA_ARGS__); }                                                   \
    OP(name##sd) { ONE(0, true, __VA_ARGS__); }
#define ONE(i, dbl_, ...)                                                                          \
    do {                                                                                           \
        const bool dbl = dbl_;                                                                     \
        u64 x = get(&o->a, i, dbl), y = get(&o->b, i, dbl);                                        \
        (void)x, (void)y;                                                                          \
        put(&o->d, i, dbl, __VA_ARGS__);                                                           \
    } while (0)
FORMS(add, arith(o, FP_ADD, x, y, dbl))
FORMS(sub, arith(o, FP_SUB, x, y, dbl))
FORMS(mul, arith(o, FP_MUL, x, y, dbl))
FORMS(div, arith(o, FP_DIV, x, y, dbl))
FORMS(min, min_max(o, x, y, dbl, false))
FORMS(max, min_max(o, x, y, dbl, true))
FORMS(sqrt, root(o, y, dbl))
FORMS(cmp, predicate(o, x, y, dbl))

// Approximations, here as exact as a single can be: without flags, denormals as zeros.
static u32 approximate(u32 v, bool is_root) {
    bool dbl = false;
    u32 sign = v & 0x80000000u;
    if (is_nan(v, dbl)) return v | 0x400000u;
    if (is_denormal(v, dbl) || v == sign) return sign | 0x7f800000u;
    if (is_root && sign) return (u32)indefinite(dbl);
    float x = ir_f32_of(v);
    u32 r = ir_bits_of_f32(is_root ? (float)(1.0 / __builtin_sqrt((double)x)) : 1.0f / x);
    return is_denormal(r, dbl) ? sign : r;
}
OP(rcpps) {
    for (unsigned i = 0; i < 4; i++) o->d.d[i] = approximate(o->b.d[i], false);
}
OP(rsqrtps) {
    for (unsigned i = 0; i < 4; i++) o->d.d[i] = approximate(o->b.d[i], true);
}
OP(rcpss) { o->d.d[0] = approximate(o->b.d[0], false); }
OP(rsqrtss) { o->d.d[0] = approximate(o->b.d[0], true); }

// ---- SSE3, SSE4.1

OP(addsubps) {
    for (unsigned i = 0; i < 4; i++)
        o->d.d[i] = (u32)arith(o, i & 1 ? FP_ADD : FP_SUB, o->a.d[i], o->b.d[i], false);
}
OP(addsubpd) {
    for (unsigned i = 0; i < 2; i++)
        o->d.q[i] = arith(o, i & 1 ? FP_ADD : FP_SUB, o->a.q[i], o->b.q[i], true);
}

static void horizontal(struct x86_vec *o, enum fp_op op, bool dbl) {
    unsigned n = dbl ? 1 : 2;
    for (unsigned i = 0; i < 2 * n; i++) {
        const union xvec *v = i < n ? &o->a : &o->b;
        unsigned k = 2 * (i % n);
        put(&o->d, i, dbl, arith(o, op, get(v, k, dbl), get(v, k + 1, dbl), dbl));
    }
}
OP(haddps) { horizontal(o, FP_ADD, false); }
OP(haddpd) { horizontal(o, FP_ADD, true); }
OP(hsubps) { horizontal(o, FP_SUB, false); }
OP(hsubpd) { horizontal(o, FP_SUB, true); }

static u64 product(struct x86_vec *o, unsigned i, bool dbl) {
    if (!(o->imm >> (4 + i) & 1)) return 0;
    return arith(o, FP_MUL, get(&o->a, i, dbl), get(&o->b, i, dbl), dbl);
}
OP(dpps) {
    u64 p[4];
    for (unsigned i = 0; i < 4; i++) p[i] = product(o, i, false);
    x86_vec_step(o);
    u64 lo = arith(o, FP_ADD, p[0], p[1], false), hi = arith(o, FP_ADD, p[2], p[3], false);
    x86_vec_step(o);
    u64 sum = arith(o, FP_ADD, lo, hi, false);
    for (unsigned i = 0; i < 4; i++) o->d.d[i] = o->imm >> i & 1 ? (u32)sum : 0;
}
OP(dppd) {
    u64 p[2];
    for (unsigned i = 0; i < 2; i++) p[i] = product(o, i, true);
    x86_vec_step(o);
    u64 sum = arith(o, FP_ADD, p[0], p[1], true);
    for (unsigned i = 0; i < 2; i++) o->d.q[i] = o->imm >> i & 1 ? sum : 0;
}

// imm: rounding mode, bit 2: MXCSR's instead, bit 3: no PE.
static u64 round_int(struct x86_vec *o, u64 v, bool dbl) {
    u64 r;
    if (nan_result(o, v, v, dbl, &r)) return r;
    if (is_denormal(v, dbl) && mxcsr(o) & MXC_DAZ) v &= sign_bit(dbl);
    x86_soft_begin(o->imm & 4 ? MXC_RC(mxcsr(o)) : o->imm & 3);
    bool exact = !(o->imm & 8);
    r = dbl ? f64_roundToInt(f64(v), softfloat_roundingMode, exact).v
            : bits32(f32_roundToInt(f32(v), softfloat_roundingMode, exact));
    if (softfloat_exceptionFlags & softfloat_flag_inexact) o->post |= MXC_PE;
    return r;
}
FORMS(round, round_int(o, y, dbl))
