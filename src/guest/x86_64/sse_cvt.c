// Conversions of SSE and AVX (SDM 2, CVT*): exact, with their flags; what does not fit an integer
// is the integer indefinite and invalid. Depends on SoftFloat, as sse_fp.c.
#include <softfloat.h>

#include "base/compiler.h"
#include "guest/x86_64/sse.h"

#define OP(name) void x86_vop_##name(struct x86_vec *o)

static void soft_begin(void) { softfloat_exceptionFlags = 0; }

static u8 mode_of(const struct x86_vec *o, bool truncate) {
    static const u8 mode[4] = {softfloat_round_near_even, softfloat_round_min, softfloat_round_max,
                               softfloat_round_minMag};
    return truncate ? softfloat_round_minMag : mode[MXC_RC(o->s->mxcsr)];
}

static bool is_denormal32(u32 v) { return v << 1 && !(v & 0x7f800000u); }
static bool is_denormal64(u64 v) { return v << 1 && !(v & (u64)0x7ff << 52); }

// ---- to integers. Denormals raise nothing of their own.

static u64 to_int(struct x86_vec *o, bool wide, u64 r, u64 lowest) {
    unsigned f = softfloat_exceptionFlags;
    if (f & softfloat_flag_invalid) {
        o->pre |= MXC_IE;
        return lowest;
    }
    if (f & softfloat_flag_inexact) o->post |= MXC_PE;
    return wide ? r : (u32)r;
}

static u64 from_single(struct x86_vec *o, u32 v, bool wide, bool truncate) {
    u8 mode = mode_of(o, truncate);
    float32_t f = {is_denormal32(v) && o->s->mxcsr & MXC_DAZ ? v & 0x80000000u : v};
    soft_begin();
    if (wide) return to_int(o, true, (u64)f32_to_i64(f, mode, true), (u64)1 << 63);
    return to_int(o, false, (u64)f32_to_i32(f, mode, true), 0x80000000u);
}

static u64 from_double(struct x86_vec *o, u64 v, bool wide, bool truncate) {
    u8 mode = mode_of(o, truncate);
    float64_t f = {is_denormal64(v) && o->s->mxcsr & MXC_DAZ ? v & (u64)1 << 63 : v};
    soft_begin();
    if (wide) return to_int(o, true, (u64)f64_to_i64(f, mode, true), (u64)1 << 63);
    return to_int(o, false, (u64)f64_to_i32(f, mode, true), 0x80000000u);
}

OP(cvtss2si) { o->r = from_single(o, o->b.d[0], o->imm, false); } // imm: 64 bits
OP(cvttss2si) { o->r = from_single(o, o->b.d[0], o->imm, true); }
OP(cvtsd2si) { o->r = from_double(o, o->b.q[0], o->imm, false); }
OP(cvttsd2si) { o->r = from_double(o, o->b.q[0], o->imm, true); }
OP(cvtps2dq) {
    for (unsigned i = 0; i < 4; i++) o->d.d[i] = (u32)from_single(o, o->b.d[i], false, false);
}
OP(cvttps2dq) {
    for (unsigned i = 0; i < 4; i++) o->d.d[i] = (u32)from_single(o, o->b.d[i], false, true);
}
OP(cvtpd2dq) {
    o->d.v = (v128){0, 0};
    for (unsigned i = 0; i < 2; i++) o->d.d[i] = (u32)from_double(o, o->b.q[i], false, false);
}
OP(cvttpd2dq) {
    o->d.v = (v128){0, 0};
    for (unsigned i = 0; i < 2; i++) o->d.d[i] = (u32)from_double(o, o->b.q[i], false, true);
}

// ---- from integers

static u32 to_single(struct x86_vec *o, i64 v) {
    soft_begin();
    softfloat_roundingMode = mode_of(o, false);
    u32 r = i64_to_f32(v).v;
    if (softfloat_exceptionFlags & softfloat_flag_inexact) o->post |= MXC_PE;
    return r;
}

static u64 to_double(struct x86_vec *o, i64 v) {
    soft_begin();
    softfloat_roundingMode = mode_of(o, false);
    u64 r = i64_to_f64(v).v;
    if (softfloat_exceptionFlags & softfloat_flag_inexact) o->post |= MXC_PE;
    return r;
}

OP(cvtsi2ss) { o->d.d[0] = to_single(o, (i32)o->r); }
OP(cvtsi2sd) { o->d.q[0] = to_double(o, (i32)o->r); }
OP(cvtsq2ss) { o->d.d[0] = to_single(o, (i64)o->r); }
OP(cvtsq2sd) { o->d.q[0] = to_double(o, (i64)o->r); }
// To and from MMX registers: halves of a and b hold what is one operand.
OP(cvtpi2ps) {
    for (unsigned i = 0; i < 2; i++) o->d.d[i] = to_single(o, o->b.sd[i]);
}
static void to_mmx(struct x86_vec *o, bool dbl, bool truncate) {
    for (unsigned i = 0; i < 2; i++)
        o->d.d[i] = (u32)(dbl ? from_double(o, i ? o->b.q[0] : o->a.q[0], false, truncate)
                              : from_single(o, o->b.d[i], false, truncate));
}
OP(cvtps2pi) { to_mmx(o, false, false); }
OP(cvttps2pi) { to_mmx(o, false, true); }
OP(cvtpd2pi) { to_mmx(o, true, false); }
OP(cvttpd2pi) { to_mmx(o, true, true); }
OP(cvtdq2ps) {
    for (unsigned i = 0; i < 4; i++) o->d.d[i] = to_single(o, o->b.sd[i]);
}
OP(cvtdq2pd) {
    for (unsigned i = 0; i < 2; i++) o->d.q[i] = to_double(o, o->b.sd[2 * o->lane + i]);
}

// ---- between the sizes

static u64 widen(struct x86_vec *o, u32 v) {
    u64 sign = (u64)(v & 0x80000000u) << 32;
    if ((v & 0x7fffffff) > 0x7f800000u) {
        if (!(v & 0x400000)) o->pre |= MXC_IE;
        return sign | (u64)0x7ff8 << 48 | (u64)(v & 0x7fffff) << 29;
    }
    if (is_denormal32(v)) {
        if (o->s->mxcsr & MXC_DAZ) return sign;
        o->pre |= MXC_DE;
    }
    soft_begin();
    return f32_to_f64((float32_t){v}).v;
}

static u32 narrow(struct x86_vec *o, u64 v) {
    u32 sign = (u32)(v >> 32) & 0x80000000u, m = (u32)o->s->mxcsr;
    if (v << 1 > (u64)0xffe << 52) {
        if (!(v >> 51 & 1)) o->pre |= MXC_IE;
        return sign | 0x7fc00000u | (u32)(v >> 29 & 0x7fffff);
    }
    if (is_denormal64(v)) {
        if (m & MXC_DAZ) return sign;
        o->pre |= MXC_DE;
    }
    soft_begin();
    softfloat_roundingMode = mode_of(o, false);
    u32 r = f64_to_f32((float64_t){v}).v;
    unsigned f = softfloat_exceptionFlags;
    bool masked = m & MXC_UE << 7, tiny = f & softfloat_flag_underflow || is_denormal32(r);
    if (f & softfloat_flag_overflow) o->post |= MXC_OE;
    if (f & softfloat_flag_inexact) o->post |= MXC_PE;
    if (tiny && (f & softfloat_flag_underflow || !masked)) o->post |= MXC_UE;
    if (tiny && masked && m & MXC_FTZ) {
        o->post |= MXC_UE | MXC_PE;
        r = sign;
    }
    return r;
}

OP(cvtss2sd) { o->d.q[0] = widen(o, o->b.d[0]); }
OP(cvtsd2ss) { o->d.d[0] = narrow(o, o->b.q[0]); }
OP(cvtps2pd) {
    for (unsigned i = 0; i < 2; i++) o->d.q[i] = widen(o, o->b.d[2 * o->lane + i]);
}
OP(cvtpd2ps) {
    o->d.v = (v128){0, 0};
    for (unsigned i = 0; i < 2; i++) o->d.d[i] = narrow(o, o->b.q[i]);
}
