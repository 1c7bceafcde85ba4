// Fused multiply-add, and conversions to and from half precision (SDM 2, VFMADD*, VCVTPH2PS; SDM 1
// 14.4, 14.5). Depends on SoftFloat, as sse_fp.c. The product and the sum are rounded once.
#include "guest/x86_64/sse_fp.h"

#define OP(name) void x86_vop_##name(struct x86_vec *o)

// ---- FMA: x * y + z, where the product or the summand may be negated

enum { FMA_NEG_PRODUCT = 1, FMA_NEG_SUM = 2 };

// The first operand that is a NaN, made quiet.
static ALWAYS_INLINE bool nan_of_three(struct x86_vec *o, u64 x, u64 y, u64 z, bool dbl, u64 *out) {
    if (likely(!is_nan(x, dbl) && !is_nan(y, dbl) && !is_nan(z, dbl))) return false;
    if (is_snan(x, dbl) || is_snan(y, dbl) || is_snan(z, dbl)) o->pre |= MXC_IE;
    *out = (is_nan(x, dbl) ? x : is_nan(y, dbl) ? y : z) | quiet_bit(dbl);
    return true;
}

static ALWAYS_INLINE u64 host_fma(u64 x, u64 y, u64 z, bool dbl) {
    if (dbl) return ir_bits_of_f64(__builtin_fma(ir_f64_of(x), ir_f64_of(y), ir_f64_of(z)));
    return ir_bits_of_f32(__builtin_fmaf(ir_f32_of((u32)x), ir_f32_of((u32)y), ir_f32_of((u32)z)));
}

static ALWAYS_INLINE u64 fma_one(struct x86_vec *o, u64 x, u64 y, u64 z, unsigned how, bool dbl) {
    u64 r;
    u32 denormal = 0;
    if (nan_of_three(o, x, y, z, dbl, &r)) return r;
    if (how & FMA_NEG_PRODUCT) x ^= sign_bit(dbl);
    if (how & FMA_NEG_SUM) z ^= sign_bit(dbl);
    if (relaxed(o) && !is_denormal(x, dbl) && !is_denormal(y, dbl) && !is_denormal(z, dbl)) {
        r = host_fma(x, y, z, dbl);
        if (is_plain(r, dbl)) return r;
    }
    x = operand(o, x, dbl, &denormal);
    y = operand(o, y, dbl, &denormal);
    z = operand(o, z, dbl, &denormal);
    x86_soft_begin(MXC_RC(mxcsr(o)));
    r = dbl ? f64_mulAdd(f64(x), f64(y), f64(z)).v : bits32(f32_mulAdd(f32(x), f32(y), f32(z)));
    return x86_soft_end(o, r, dbl, denormal);
}

static ALWAYS_INLINE void fma_packed(struct x86_vec *o, unsigned even, unsigned odd, bool dbl) {
    for (unsigned i = 0; i < (dbl ? 2 : 4); i++) {
        u64 x = get(&o->a, i, dbl), y = get(&o->b, i, dbl), z = get(&o->c, i, dbl);
        put(&o->d, i, dbl, fma_one(o, x, y, z, i & 1 ? odd : even, dbl));
    }
}

// The summand of a scalar is in r.
static ALWAYS_INLINE void fma_scalar(struct x86_vec *o, unsigned how, bool dbl) {
    u64 z = dbl ? o->r : (u32)o->r;
    put(&o->d, 0, dbl, fma_one(o, get(&o->a, 0, dbl), get(&o->b, 0, dbl), z, how, dbl));
}

#define FMA(name, how)                                                                             \
    OP(name##ps) { fma_packed(o, how, how, false); }                                               \
    OP(name##pd) { fma_packed(o, how, how, true); }                                                \
    OP(name##ss) { fma_scalar(o, how, false); }                                                    \
    OP(name##sd) { fma_scalar(o, how, true); }
FMA(fmadd, 0)
FMA(fmsub, FMA_NEG_SUM)
FMA(fnmadd, FMA_NEG_PRODUCT)
FMA(fnmsub, FMA_NEG_PRODUCT | FMA_NEG_SUM)
OP(fmaddsubps) { fma_packed(o, FMA_NEG_SUM, 0, false); }
OP(fmaddsubpd) { fma_packed(o, FMA_NEG_SUM, 0, true); }
OP(fmsubaddps) { fma_packed(o, 0, FMA_NEG_SUM, false); }
OP(fmsubaddpd) { fma_packed(o, 0, FMA_NEG_SUM, true); }

// ---- half precision

// Exact; denormals raise nothing.
static u32 from_half(struct x86_vec *o, u16 h) {
    u32 sign = (u32)(h & 0x8000) << 16;
    if ((h & 0x7fff) > 0x7c00) {
        if (!(h & 0x200)) o->pre |= MXC_IE;
        return sign | 0x7fc00000u | (u32)(h & 0x3ff) << 13;
    }
    return bits32(f16_to_f32((float16_t){h}));
}

// b is the lower lane of the source for both lanes of the result.
OP(cvtph2ps) {
    for (unsigned i = 0; i < 4; i++) o->d.d[i] = from_half(o, o->b.w[4 * o->lane + i]);
}

// imm: rounding mode, bit 2: MXCSR's instead. FTZ does not count.
static u16 to_half(struct x86_vec *o, u32 v) {
    u16 sign = (u16)(v >> 16 & 0x8000);
    if (is_nan(v, false)) {
        if (is_snan(v, false)) o->pre |= MXC_IE;
        return (u16)(sign | 0x7e00 | (v >> 13 & 0x3ff));
    }
    v = (u32)operand(o, v, false, &o->pre);
    x86_soft_begin(o->imm & 4 ? MXC_RC(mxcsr(o)) : o->imm & 3);
    u16 r = f32_to_f16(f32(v)).v;
    unsigned f = softfloat_exceptionFlags;
    bool tiny = f & softfloat_flag_underflow || (r & 0x7fff && !(r & 0x7c00));
    if (f & softfloat_flag_overflow) o->post |= MXC_OE;
    if (f & softfloat_flag_inexact) o->post |= MXC_PE;
    bool masked = mxcsr(o) & MXC_UE << 7;
    if (tiny && (f & softfloat_flag_underflow || !masked)) o->post |= MXC_UE;
    return r;
}

OP(cvtps2ph) {
    o->d.v = (v128){0, 0};
    for (unsigned i = 0; i < 4; i++) o->d.w[i] = to_half(o, o->a.d[i]);
}
