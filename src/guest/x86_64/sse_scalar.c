// Arithmetic, comparisons and conversions of one element with MXCSR at its usual masks and
// rounding: what lifted code calls where the code mode says so. Nothing here can fault.
//
// Translated code does without the call when no flag changes (enum ir_fast); the same conditions
// are looked at here first, then the operations of sse_fp.c and sse_cvt.c are asked, which know
// everything. Depends on sse.h.
//
// Invariant (fp_quick, state.h): while it is X86_QUICK, PE is set and no result of such an
// operation was denormal since MXCSR was written, so results need not be looked at again when they
// become operands. That saves translated code half of its tests.
#include "base/compiler.h"
#include "guest/x86_64/sse.h"
#include "ir/value.h"

#define HELPER(id)                                                                                 \
    u64 x86_help_##id(struct guest_state *g, u64 a, __attribute__((unused)) u64 b,                 \
                      __attribute__((unused)) u64 c, __attribute__((unused)) u64 imm)

// ---- values as bits; `dbl` is a constant wherever these are used

static ALWAYS_INLINE bool is_denormal(u64 v, bool dbl) {
    u64 m = dbl ? v << 1 : v << 33;
    return m && m < (dbl ? (u64)1 << 53 : (u64)1 << 56);
}
// Normal and not next to the ends of the range.
static ALWAYS_INLINE bool is_plain(u64 v, bool dbl) {
    return dbl ? (u32)(v >> 52 & 0x7ff) - 2u < 0x7ff - 2u : (u32)(v >> 23 & 0xff) - 2u < 0xff - 2u;
}
static ALWAYS_INLINE bool is_nan(u64 v, bool dbl) {
    return dbl ? v << 1 > (u64)0xffe << 52 : v << 33 > (u64)0xff << 56;
}
static ALWAYS_INLINE bool is_zero(u64 v, bool dbl) { return dbl ? !(v << 1) : !(v << 33); }
static ALWAYS_INLINE bool is_inf(u64 v, bool dbl) {
    return dbl ? v << 1 == (u64)0xffe << 52 : v << 33 == (u64)0xff << 56;
}

static bool quick(const struct guest_state *g) { return x86_const(g)->fp_quick == X86_QUICK; }

// ---- the long way

static u64 result(struct guest_state *g, u64 r, bool dbl) {
    struct x86_state *s = x86_of(g);
    if (!dbl) r = (u32)r;
    s->fp_denormal |= is_denormal(r, dbl);
    x86_look_quick(s);
    return r;
}

static u64 slow(struct guest_state *g, u32 vop, u64 a, u64 b, bool dbl) {
    return result(g, x86_scalar(x86_of(g), vop, a, b, 0), dbl);
}

// ---- arithmetic

enum op { ADD, SUB, MUL, DIV };

static ALWAYS_INLINE u64 host(enum op op, u64 a, u64 b, bool dbl) {
    if (dbl) {
        double x = ir_f64_of(a), y = ir_f64_of(b);
        return ir_bits_of_f64(op == ADD ? x + y : op == SUB ? x - y : op == MUL ? x * y : x / y);
    }
    float x = ir_f32_of((u32)a), y = ir_f32_of((u32)b);
    return ir_bits_of_f32(op == ADD ? x + y : op == SUB ? x - y : op == MUL ? x * y : x / y);
}

// A result of zero that is exact. No operand is denormal.
static ALWAYS_INLINE bool exact_zero(enum op op, u64 a, u64 b, u64 r, bool dbl) {
    if (!is_zero(r, dbl)) return false;
    if (op == ADD || op == SUB) return true;
    return is_zero(a, dbl) || (op == MUL ? is_zero(b, dbl) : is_inf(b, dbl));
}

static ALWAYS_INLINE u64 arith(struct guest_state *g, enum op op, u32 vop, u64 a, u64 b, bool dbl) {
    if (likely(!is_denormal(a, dbl) && !is_denormal(b, dbl))) {
        u64 r = host(op, a, b, dbl);
        if (quick(g) && is_plain(r, dbl)) return r;
        if (exact_zero(op, a, b, r, dbl)) return r;
    }
    return slow(g, vop, a, b, dbl);
}

HELPER(addsd) { return arith(g, ADD, VOP_addsd, a, b, true); }
HELPER(subsd) { return arith(g, SUB, VOP_subsd, a, b, true); }
HELPER(mulsd) { return arith(g, MUL, VOP_mulsd, a, b, true); }
HELPER(divsd) { return arith(g, DIV, VOP_divsd, a, b, true); }
HELPER(addss) { return arith(g, ADD, VOP_addss, a, b, false); }
HELPER(subss) { return arith(g, SUB, VOP_subss, a, b, false); }
HELPER(mulss) { return arith(g, MUL, VOP_mulss, a, b, false); }
HELPER(divss) { return arith(g, DIV, VOP_divss, a, b, false); }

HELPER(sqrtsd) {
    if (quick(g) && is_plain(a, true) && !(a >> 63))
        return ir_bits_of_f64(__builtin_sqrt(ir_f64_of(a)));
    return slow(g, VOP_sqrtsd, 0, a, true);
}
HELPER(sqrtss) {
    if (quick(g) && is_plain(a, false) && !(a & 0x80000000u))
        return ir_bits_of_f32(__builtin_sqrtf(ir_f32_of((u32)a)));
    return slow(g, VOP_sqrtss, 0, a, false);
}

// ---- what comparisons, minimum and maximum raise; FL_PF when the operands are unordered.
// imm: quiet NaNs raise IE too.

static ALWAYS_INLINE u64 ordered(struct guest_state *g, u64 a, u64 b, u64 imm, bool dbl) {
    if (likely(!is_nan(a, dbl) && !is_nan(b, dbl) && !is_denormal(a, dbl) && !is_denormal(b, dbl)))
        return 0;
    u32 vop = dbl ? (imm ? VOP_comisd : VOP_ucomisd) : imm ? VOP_comiss : VOP_ucomiss;
    return x86_scalar(x86_of(g), vop, a, b, SCALAR_R) & FL_PF;
}
HELPER(ordered_sd) { return ordered(g, a, b, imm, true); }
HELPER(ordered_ss) { return ordered(g, a, b, imm, false); }

// ---- conversions

HELPER(cvtss2sd) {
    if (likely(!is_nan(a, false) && !is_denormal(a, false)))
        return ir_bits_of_f64((double)ir_f32_of((u32)a));
    return slow(g, VOP_cvtss2sd, 0, a, true);
}
HELPER(cvtsd2ss) {
    if (quick(g) && !is_denormal(a, true)) {
        u32 r = ir_bits_of_f32((float)ir_f64_of(a));
        if (is_plain(r, false)) return r;
    }
    if (is_zero(a, true)) return a >> 32 & 0x80000000u;
    return slow(g, VOP_cvtsd2ss, 0, a, false);
}
HELPER(cvtsq2sd) { // of 64 bits; one of 32 is always exact
    if (quick(g) || a + ((u64)1 << 53) <= (u64)1 << 54) return ir_bits_of_f64((double)(i64)a);
    return result(g, x86_scalar(x86_of(g), VOP_cvtsq2sd, 0, a, SCALAR_C), true);
}
HELPER(cvtsq2ss) {
    if (quick(g) || a + ((u64)1 << 24) <= (u64)1 << 25) return ir_bits_of_f32((float)(i64)a);
    return result(g, x86_scalar(x86_of(g), VOP_cvtsq2ss, 0, a, SCALAR_C), false);
}

// Truncates. Those of 32 bits give the result sign-extended.
static ALWAYS_INLINE u64 to_int(struct guest_state *g, double x, u64 v, bool wide, bool dbl) {
    double limit = wide ? 0x1p63 : 0x1p31;
    if (x > -limit && x < limit) { // the lowest integer is left to the long way
        i64 t = (i64)x;
        if (quick(g) || (double)t == x) return (u64)t;
    }
    u32 vop = dbl ? VOP_cvttsd2si : VOP_cvttss2si;
    u64 r = x86_scalar(x86_of(g), vop, 0, v, (u64)wide << VEC_IMM_SHIFT | SCALAR_R);
    x86_look_quick(x86_of(g));
    return wide ? r : (u64)(i64)(i32)r;
}
HELPER(cvttsd2sl) { return to_int(g, ir_f64_of(a), a, false, true); }
HELPER(cvttsd2sq) { return to_int(g, ir_f64_of(a), a, true, true); }
HELPER(cvttss2sl) { return to_int(g, (double)ir_f32_of((u32)a), a, false, false); }
HELPER(cvttss2sq) { return to_int(g, (double)ir_f32_of((u32)a), a, true, false); }
