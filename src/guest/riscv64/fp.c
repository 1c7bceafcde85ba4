// F and D arithmetic (Unprivileged 20, 21): exact results, flags and rounding by Berkeley SoftFloat
// 3e with its RISC-V specialisation, whose rounding modes and flag bits have RISC-V's numbering.
//
// Fast paths use the host's arithmetic, which rounds to nearest even, when the outcome is provably
// the same: rounding to nearest even is asked for, the result is finite and at least twice the
// smallest normal (so no overflow, no underflow, no invalid operation), and inexact is either
// raised already or known. Host and wasm both compute IEEE 754 singles and doubles; there is no
// excess precision.
//
// SoftFloat's mode and flags are per-thread globals: they are set before and collected after every
// operation, never kept.
#include <softfloat.h>

#include "guest/riscv64/state.h"

#define NX      1u
#define BOX     0xffffffff00000000u
#define NAN32   0x7fc00000u
#define NAN64   0x7ff8000000000000u
#define SIGN32  0x80000000u
#define SIGN64  0x8000000000000000u
#define QUIET32 0x00400000u
#define QUIET64 0x0008000000000000u

// A helper: named by helpers.def, its operands a, b, c and imm, the state in s.
#define FP_HELPER(id)                                                                              \
    static u64 do_##id(struct rv64_state *s, u64 a, u64 b, u64 c, u64 imm);                        \
    u64 rv64_help_##id(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {                      \
        return do_##id(rv64_of(g), a, b, c, imm);                                                  \
    }                                                                                              \
    static u64 do_##id(__attribute__((unused)) struct rv64_state *s,                               \
                       __attribute__((unused)) u64 a, __attribute__((unused)) u64 b,               \
                       __attribute__((unused)) u64 c, __attribute__((unused)) u64 imm)

// ---- values

static inline float32_t f32_in(u64 v) { return (float32_t){v >= BOX ? (u32)v : NAN32}; }
static inline float64_t f64_in(u64 v) { return (float64_t){v}; }
static inline u64 box(u32 v) { return BOX | v; }
static inline bool is_nan32(u32 v) { return (v & ~SIGN32) > 0x7f800000u; }
static inline bool is_nan64(u64 v) { return (v & ~SIGN64) > 0x7ff0000000000000u; }
static inline bool is_snan32(u32 v) { return is_nan32(v) && !(v & QUIET32); }
static inline bool is_snan64(u64 v) { return is_nan64(v) && !(v & QUIET64); }

// Finite and at least twice the smallest normal.
static inline bool is_plain32(u32 v) { return (v >> 23 & 0xff) - 2u < 0xff - 2u; }
static inline bool is_plain64(u64 v) { return (u32)(v >> 52 & 0x7ff) - 2u < 0x7ff - 2u; }
// Significant bits of a normal number's fraction.
static inline unsigned width64(u64 v) {
    return 53 - (unsigned)__builtin_ctzll((v & 0xfffffffffffffu) | (u64)1 << 52);
}

// ---- SoftFloat around an operation

static inline unsigned mode_of(const struct rv64_state *s, u64 imm) {
    unsigned rm = imm & 7;
    return rm == RM_DYN ? (unsigned)s->frm : rm;
}
static inline void soft_begin(const struct rv64_state *s, u64 imm) {
    softfloat_roundingMode = (uint_fast8_t)mode_of(s, imm);
    softfloat_exceptionFlags = 0;
}
static inline void soft_end(struct rv64_state *s) { s->fflags |= softfloat_exceptionFlags; }

static inline bool nearest(u64 imm) { return (imm & 7) == RM_RNE; }
static inline bool nearest_nx(const struct rv64_state *s, u64 imm) {
    return nearest(imm) && (s->fflags & NX);
}

// ---- add, subtract, multiply, divide, root

// Sums are plain or zero; a zero sum is exact. The error of a sum is found with Knuth's TwoSum,
// which is exact unless it overflows: operands near the end of the range take the slow path.
static inline bool fast_sum64(struct rv64_state *s, double x, double y, u64 *out) {
    double sum = x + y;
    u64 bits = ir_bits_of_f64(sum);
    if (!is_plain64(bits) && bits << 1) return false;
    if (!(s->fflags & NX)) {
        if ((bits >> 52 & 0x7ff) > 0x7f0) return false;
        double yy = sum - x;
        double error = (x - (sum - yy)) + (y - yy);
        if (error != error) return false;
        if (error != 0) s->fflags |= NX;
    }
    *out = bits;
    return true;
}

FP_HELPER(fadd_d) {
    u64 r;
    if (nearest(imm) && fast_sum64(s, ir_f64_of(a), ir_f64_of(b), &r)) return r;
    soft_begin(s, imm);
    r = f64_add(f64_in(a), f64_in(b)).v;
    soft_end(s);
    return r;
}

FP_HELPER(fsub_d) {
    u64 r;
    if (nearest(imm) && fast_sum64(s, ir_f64_of(a), -ir_f64_of(b), &r)) return r;
    soft_begin(s, imm);
    r = f64_sub(f64_in(a), f64_in(b)).v;
    soft_end(s);
    return r;
}

FP_HELPER(fmul_d) {
    if (nearest(imm)) {
        u64 bits = ir_bits_of_f64(ir_f64_of(a) * ir_f64_of(b));
        bool exact = is_plain64(a) && is_plain64(b) && width64(a) + width64(b) <= 53;
        if (is_plain64(bits) && (s->fflags & NX || exact)) return bits;
    }
    soft_begin(s, imm);
    u64 r = f64_mul(f64_in(a), f64_in(b)).v;
    soft_end(s);
    return r;
}

FP_HELPER(fdiv_d) {
    if (nearest_nx(s, imm)) {
        u64 bits = ir_bits_of_f64(ir_f64_of(a) / ir_f64_of(b));
        if (is_plain64(bits)) return bits;
    }
    soft_begin(s, imm);
    u64 r = f64_div(f64_in(a), f64_in(b)).v;
    soft_end(s);
    return r;
}

FP_HELPER(fsqrt_d) {
    if (nearest_nx(s, imm) && is_plain64(a) && !(a & SIGN64))
        return ir_bits_of_f64(__builtin_sqrt(ir_f64_of(a)));
    soft_begin(s, imm);
    u64 r = f64_sqrt(f64_in(a)).v;
    soft_end(s);
    return r;
}

#define FP_ARITH_S(id, op, soft)                                                                   \
    FP_HELPER(id) {                                                                                \
        float32_t x = f32_in(a), y = f32_in(b);                                                    \
        if (nearest_nx(s, imm)) {                                                                  \
            u32 bits = ir_bits_of_f32(ir_f32_of(x.v) op ir_f32_of(y.v));                           \
            if (is_plain32(bits)) return box(bits);                                                \
        }                                                                                          \
        soft_begin(s, imm);                                                                        \
        u32 r = soft(x, y).v;                                                                      \
        soft_end(s);                                                                               \
        return box(r);                                                                             \
    }
FP_ARITH_S(fadd_s, +, f32_add)
FP_ARITH_S(fsub_s, -, f32_sub)
FP_ARITH_S(fmul_s, *, f32_mul)
FP_ARITH_S(fdiv_s, /, f32_div)

FP_HELPER(fsqrt_s) {
    float32_t x = f32_in(a);
    if (nearest_nx(s, imm) && is_plain32(x.v) && !(x.v & SIGN32))
        return box(ir_bits_of_f32(__builtin_sqrtf(ir_f32_of(x.v))));
    soft_begin(s, imm);
    u32 r = f32_sqrt(x).v;
    soft_end(s);
    return box(r);
}

// imm bits 3 and 4: the signs of product and addend (lift_fma).
FP_HELPER(fma_d) {
    if (imm & 8) a ^= SIGN64;
    if (imm & 16) c ^= SIGN64;
    soft_begin(s, imm);
    u64 r = f64_mulAdd(f64_in(a), f64_in(b), f64_in(c)).v;
    soft_end(s);
    return r;
}

FP_HELPER(fma_s) {
    float32_t x = f32_in(a), y = f32_in(b), z = f32_in(c);
    if (imm & 8) x.v ^= SIGN32;
    if (imm & 16) z.v ^= SIGN32;
    soft_begin(s, imm);
    u32 r = f32_mulAdd(x, y, z).v;
    soft_end(s);
    return box(r);
}

// ---- minimum and maximum: a number wins over a NaN, -0 is below +0, a signalling NaN is invalid

static u64 min_max64(struct rv64_state *s, u64 a, u64 b, bool max) {
    if (is_snan64(a) || is_snan64(b)) s->fflags |= softfloat_flag_invalid;
    if (is_nan64(a)) return is_nan64(b) ? NAN64 : b;
    if (is_nan64(b)) return a;
    double x = ir_f64_of(a), y = ir_f64_of(b);
    bool less = x < y || (x == y && (a & SIGN64)); // equal: only zeros can differ
    return less != max ? a : b;
}

static u64 min_max32(struct rv64_state *s, u64 va, u64 vb, bool max) {
    u32 a = f32_in(va).v, b = f32_in(vb).v;
    if (is_snan32(a) || is_snan32(b)) s->fflags |= softfloat_flag_invalid;
    if (is_nan32(a)) return box(is_nan32(b) ? NAN32 : b);
    if (is_nan32(b)) return box(a);
    float x = ir_f32_of(a), y = ir_f32_of(b);
    bool less = x < y || (x == y && (a & SIGN32));
    return box(less != max ? a : b);
}

FP_HELPER(fmin_d) { return min_max64(s, a, b, false); }
FP_HELPER(fmax_d) { return min_max64(s, a, b, true); }
FP_HELPER(fmin_s) { return min_max32(s, a, b, false); }
FP_HELPER(fmax_s) { return min_max32(s, a, b, true); }

// ---- comparisons: a NaN compares false; feq raises invalid for signalling ones only

static bool unordered64(struct rv64_state *s, u64 a, u64 b, bool quiet_too) {
    if (!is_nan64(a) && !is_nan64(b)) return false;
    if (quiet_too || is_snan64(a) || is_snan64(b)) s->fflags |= softfloat_flag_invalid;
    return true;
}

static bool unordered32(struct rv64_state *s, u32 a, u32 b, bool quiet_too) {
    if (!is_nan32(a) && !is_nan32(b)) return false;
    if (quiet_too || is_snan32(a) || is_snan32(b)) s->fflags |= softfloat_flag_invalid;
    return true;
}

#define FP_COMPARE(id, op, quiet_too)                                                              \
    FP_HELPER(id##_d) { return !unordered64(s, a, b, quiet_too) && ir_f64_of(a) op ir_f64_of(b); } \
    FP_HELPER(id##_s) {                                                                            \
        u32 x = f32_in(a).v, y = f32_in(b).v;                                                      \
        return !unordered32(s, x, y, quiet_too) && ir_f32_of(x) op ir_f32_of(y);                   \
    }
FP_COMPARE(feq, ==, false)
FP_COMPARE(flt, <, true)
FP_COMPARE(fle, <=, true)

// One bit of ten: -inf, -normal, -subnormal, -0, +0, +subnormal, +normal, +inf, sNaN, qNaN.
static u64 classify(bool negative, bool exp_zero, bool exp_max, u64 fraction, bool quiet) {
    if (exp_max && fraction) return quiet ? 1 << 9 : 1 << 8;
    unsigned size = exp_max ? 3 : !exp_zero ? 2 : fraction ? 1 : 0;
    return (u64)1 << (negative ? 3 - size : 4 + size);
}

FP_HELPER(fclass_d) {
    u64 e = a >> 52 & 0x7ff;
    return classify(a >> 63, e == 0, e == 0x7ff, a & 0xfffffffffffffu, a & QUIET64);
}

FP_HELPER(fclass_s) {
    u32 v = f32_in(a).v, e = v >> 23 & 0xff;
    return classify(v >> 31, e == 0, e == 0xff, v & 0x7fffff, v & QUIET32);
}

// ---- conversions to integers. `limit` bounds what truncates into range, exclusively.

#define SEXT(v) ((u64)(i64)(i32)(v))

#define FP_TO_INT(id, in, value, lo, hi, itype, soft, result)                                      \
    FP_HELPER(id) {                                                                                \
        double x = value;                                                                          \
        if (x > (lo) && x < (hi)) {                                                                \
            itype t = (itype)x;                                                                    \
            if ((double)t == x) return result(t);                                                  \
            if (mode_of(s, imm) == RM_RTZ) {                                                       \
                s->fflags |= NX;                                                                   \
                return result(t);                                                                  \
            }                                                                                      \
        }                                                                                          \
        soft_begin(s, imm);                                                                        \
        itype r = (itype)soft(in(a), softfloat_roundingMode, true);                                \
        soft_end(s);                                                                               \
        return result(r);                                                                          \
    }
#define VALUE_D ir_f64_of(a)
#define VALUE_S ((double)ir_f32_of(f32_in(a).v))
// Above 2^53 (double)t == x holds for integers x, as all doubles there are; the bounds are exact.
FP_TO_INT(fcvt_w_d, f64_in, VALUE_D, -2147483649.0, 2147483648.0, i32, f64_to_i32, SEXT)
FP_TO_INT(fcvt_wu_d, f64_in, VALUE_D, -1.0, 4294967296.0, u32, f64_to_ui32, SEXT)
FP_TO_INT(fcvt_l_d, f64_in, VALUE_D, -9223372036854775808.0, 9223372036854775808.0, i64, f64_to_i64,
          (u64))
FP_TO_INT(fcvt_lu_d, f64_in, VALUE_D, -1.0, 18446744073709551616.0, u64, f64_to_ui64, (u64))
FP_TO_INT(fcvt_w_s, f32_in, VALUE_S, -2147483649.0, 2147483648.0, i32, f32_to_i32, SEXT)
FP_TO_INT(fcvt_wu_s, f32_in, VALUE_S, -1.0, 4294967296.0, u32, f32_to_ui32, SEXT)
FP_TO_INT(fcvt_l_s, f32_in, VALUE_S, -9223372036854775808.0, 9223372036854775808.0, i64, f32_to_i64,
          (u64))
FP_TO_INT(fcvt_lu_s, f32_in, VALUE_S, -1.0, 18446744073709551616.0, u64, f32_to_ui64, (u64))

// ---- conversions from integers. Those that fit the fraction are exact.

#define EXACT_D ((u64)1 << 53)
#define EXACT_S ((u64)1 << 24)

FP_HELPER(fcvt_d_l) {
    if (a + EXACT_D <= 2 * EXACT_D) return ir_bits_of_f64((double)(i64)a);
    soft_begin(s, imm);
    u64 r = i64_to_f64((i64)a).v;
    soft_end(s);
    return r;
}

FP_HELPER(fcvt_d_lu) {
    if (a <= EXACT_D) return ir_bits_of_f64((double)a);
    soft_begin(s, imm);
    u64 r = ui64_to_f64(a).v;
    soft_end(s);
    return r;
}

static u64 s64_to_single(struct rv64_state *s, u64 v, u64 imm) {
    if (v + EXACT_S <= 2 * EXACT_S) return box(ir_bits_of_f32((float)(i64)v));
    soft_begin(s, imm);
    u32 r = i64_to_f32((i64)v).v;
    soft_end(s);
    return box(r);
}

static u64 u64_to_single(struct rv64_state *s, u64 v, u64 imm) {
    if (v <= EXACT_S) return box(ir_bits_of_f32((float)v));
    soft_begin(s, imm);
    u32 r = ui64_to_f32(v).v;
    soft_end(s);
    return box(r);
}

FP_HELPER(fcvt_s_w) { return s64_to_single(s, (u64)(i64)(i32)a, imm); }
FP_HELPER(fcvt_s_wu) { return u64_to_single(s, (u32)a, imm); }
FP_HELPER(fcvt_s_l) { return s64_to_single(s, a, imm); }
FP_HELPER(fcvt_s_lu) { return u64_to_single(s, a, imm); }

// ---- between the sizes

FP_HELPER(fcvt_s_d) {
    float f = (float)ir_f64_of(a);
    u32 bits = ir_bits_of_f32(f);
    if (is_plain32(bits) && (nearest_nx(s, imm) || (double)f == ir_f64_of(a))) return box(bits);
    soft_begin(s, imm);
    u32 r = f64_to_f32(f64_in(a)).v;
    soft_end(s);
    return box(r);
}

FP_HELPER(fcvt_d_s) {
    u32 v = f32_in(a).v;
    if (!is_nan32(v)) return ir_bits_of_f64((double)ir_f32_of(v));
    if (is_snan32(v)) s->fflags |= softfloat_flag_invalid;
    return NAN64;
}
