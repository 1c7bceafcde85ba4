// What arithmetic of singles and doubles shares: values as bits, NaN and denormal operands,
// SoftFloat around an operation. `dbl` is a constant wherever these are used. Included by sse_fp.c
// and sse_fma.c.
#ifndef BERTH_GUEST_X86_64_SSE_FP_H
#define BERTH_GUEST_X86_64_SSE_FP_H

#include <softfloat.h>

#include "base/compiler.h"
#include "guest/x86_64/sse.h"

// ---- values, as bits

static ALWAYS_INLINE u64 sign_bit(bool dbl) { return dbl ? (u64)1 << 63 : 0x80000000u; }
static ALWAYS_INLINE u64 infinity(bool dbl) { return dbl ? (u64)0x7ff << 52 : 0x7f800000u; }
static ALWAYS_INLINE u64 quiet_bit(bool dbl) { return dbl ? (u64)1 << 51 : 0x400000u; }
static ALWAYS_INLINE u64 smallest_normal(bool dbl) { return dbl ? (u64)1 << 52 : 0x800000u; }
static ALWAYS_INLINE u64 magnitude(u64 v, bool dbl) { return v & ~sign_bit(dbl); }
static ALWAYS_INLINE u64 indefinite(bool dbl) {
    return sign_bit(dbl) | infinity(dbl) | quiet_bit(dbl);
}
static ALWAYS_INLINE bool is_nan(u64 v, bool dbl) { return magnitude(v, dbl) > infinity(dbl); }
static ALWAYS_INLINE bool is_snan(u64 v, bool dbl) {
    return is_nan(v, dbl) && !(v & quiet_bit(dbl));
}
static ALWAYS_INLINE bool is_denormal(u64 v, bool dbl) {
    u64 m = magnitude(v, dbl);
    return m && m < smallest_normal(dbl);
}
// Normal and not next to the ends of the range.
static ALWAYS_INLINE bool is_plain(u64 v, bool dbl) {
    return dbl ? (u32)(v >> 52 & 0x7ff) - 2u < 0x7ff - 2u : (u32)(v >> 23 & 0xff) - 2u < 0xff - 2u;
}
static ALWAYS_INLINE u64 get(const union xvec *v, unsigned i, bool dbl) {
    return dbl ? v->q[i] : v->d[i];
}
static ALWAYS_INLINE void put(union xvec *v, unsigned i, bool dbl, u64 x) {
    if (dbl)
        v->q[i] = x;
    else
        v->d[i] = (u32)x;
}
static inline u32 mxcsr(const struct x86_vec *o) { return (u32)o->s->mxcsr; }
static inline u64 bits32(float32_t v) { return v.v; }
static inline float32_t f32(u64 v) { return (float32_t){(u32)v}; }
static inline float64_t f64(u64 v) { return (float64_t){v}; }

// ---- before: NaNs and denormals

// The result when an operand is a NaN: the first that is one, made quiet.
static ALWAYS_INLINE bool nan_result(struct x86_vec *o, u64 a, u64 b, bool dbl, u64 *out) {
    if (likely(!is_nan(a, dbl) && !is_nan(b, dbl))) return false;
    if (is_snan(a, dbl) || is_snan(b, dbl)) o->pre |= MXC_IE;
    *out = (is_nan(a, dbl) ? a : b) | quiet_bit(dbl);
    return true;
}

// A denormal operand: zero with DAZ, else DE in *flags.
static ALWAYS_INLINE u64 operand(struct x86_vec *o, u64 v, bool dbl, u32 *flags) {
    if (likely(!is_denormal(v, dbl))) return v;
    if (mxcsr(o) & MXC_DAZ) return v & sign_bit(dbl);
    *flags |= MXC_DE;
    return v;
}

// ---- SoftFloat

void x86_soft_begin(u32 rounding); // MXC_RC
// Takes the flags over and finishes the result: indefinite when invalid, tiny ones flushed.
u64 x86_soft_end(struct x86_vec *o, u64 r, bool dbl, u32 denormal);

// Nothing but PE could be set, and it is; all masked.
static ALWAYS_INLINE bool relaxed(const struct x86_vec *o) {
    return (mxcsr(o) & (0xffc0 | MXC_PE)) == (0x1f80 | MXC_PE);
}

#endif
