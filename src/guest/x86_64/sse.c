// The helpers through which lifted code calls vector operations: they fetch the operands from the
// state's cells, run the operation on each lane of 128 bits, raise what is not masked, and write
// the result. Depends on sse.h.
#include "guest/x86_64/sse.h"

#include <assert.h>

#include "base/compiler.h"

static x86_vop *const vops[VOP_COUNT] = {
#define VOP(name) x86_vop_##name,
#include "guest/x86_64/sse_ops.def"
};

static v128 fetch(const struct x86_state *s, u32 n, u32 lane) {
    if (n >= VEC_SCRATCH) return s->xs[lane];
    return lane ? s->yh[n] : s->x[n];
}

// Takes the exceptions over into MXCSR, up to the first step in which one is raised. False: it is,
// and nothing is to be written.
static bool finish(const struct x86_vec *o) {
    struct x86_state *s = o->s;
    u32 unmasked = ~(u32)s->mxcsr >> 7 & 0x3f;
    for (unsigned i = 0; i < ARRAY_LEN(o->steps); i++) {
        u32 pre = o->steps[i].pre, post = o->steps[i].post;
        s->mxcsr |= pre & unmasked ? pre : pre | post;
        if (!((pre | post) & unmasked)) continue;
        guest_raise(&s->g, s->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD, 0);
        return false;
    }
    return true;
}

// Runs the operation. False: an exception is raised and nothing is to be written.
static bool run(struct x86_state *s, u64 imm, u64 r, v128 out[2], u64 *result) {
    struct x86_vec o = {.imm = VEC_IMM8(imm), .r = r, .s = s};
    x86_vop *f = vops[VEC_OP(imm)];
    for (o.lane = 0; o.lane <= (imm & VEC_L ? 1u : 0u); o.lane++) {
        o.a.v = fetch(s, VEC_A(imm), o.lane);
        o.b.v = fetch(s, VEC_B(imm), imm & VEC_WIDEN ? 0 : o.lane);
        o.c.v = fetch(s, VEC_C(imm), o.lane);
        o.b_other.v = fetch(s, VEC_B(imm), !o.lane);
        o.d = o.a;
        o.step = 0;
        f(&o);
        x86_vec_step(&o);
        out[o.lane] = o.d.v;
    }
    if (imm & VEC_NARROW && imm & VEC_L) {
        out[0] = (v128){out[0][0], out[1][0]};
        out[1] = (v128){0, 0};
    }
    *result = o.r;
    return finish(&o);
}

// A vector to a register.
static inline u64 vec(struct guest_state *g, u64 r, u64 imm) {
    struct x86_state *s = x86_of(g);
    v128 out[2] = {{0}, {0}};
    u64 result;
    if (!run(s, imm, r, out, &result)) return 0;
    u32 d = VEC_D(imm);
    if (d == VEC_SCRATCH) {
        s->xs[0] = out[0];
        return 0;
    }
    s->x[d] = out[0];
    if (imm & VEC_VEX) s->yh[d] = out[1];
    return 0;
}

// A value: for general registers and flags.
static inline u64 value(struct guest_state *g, u64 r, u64 imm) {
    v128 out[2];
    u64 result;
    return run(x86_of(g), imm, r, out, &result) ? result : 0;
}

#define HELPER(id, what)                                                                           \
    u64 x86_help_##id(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {                       \
        (void)b, (void)c;                                                                          \
        return what(g, a, imm);                                                                    \
    }
HELPER(vec, vec)
HELPER(vec_float, vec)
HELPER(vec_value, value)

static inline u64 scalar(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_vec o = {.a.q = {a}, .b.q = {b}, .imm = VEC_IMM8(imm), .r = c, .s = x86_of(g)};
    o.d = o.a;
    vops[VEC_OP(imm)](&o);
    x86_vec_step(&o);
    if (!finish(&o)) return 0;
    return imm & SCALAR_R ? o.r : o.d.q[0];
}

u64 x86_scalar(struct x86_state *s, u32 vop, u64 a, u64 b, u64 imm) {
    bool integer = imm & SCALAR_C;
    return scalar(&s->g, a, integer ? 0 : b, integer ? b : 0, vop | imm);
}

u64 x86_help_scalar(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    return scalar(g, a, b, c, imm);
}
u64 x86_help_scalar_check(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    return scalar(g, a, b, c, imm);
}

// ---- fused multiply-add of scalars. imm: bit 3 negates the product, bit 4 the summand

static u64 fma_scalar(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm, bool dbl) {
    static const u16 op[2][4] = {{VOP_fmaddss, VOP_fnmaddss, VOP_fmsubss, VOP_fnmsubss},
                                 {VOP_fmaddsd, VOP_fnmaddsd, VOP_fmsubsd, VOP_fnmsubsd}};
    u64 r = scalar(g, a, b, c, op[dbl][imm >> 3 & 3]);
    x86_look_quick(x86_of(g));
    return dbl ? r : (u32)r;
}
u64 x86_help_fmasd(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    return fma_scalar(g, a, b, c, imm, true);
}
u64 x86_help_fmass(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    return fma_scalar(g, a, b, c, imm, false);
}

// ---- vectors as values, with MXCSR at its usual masks and rounding: nothing faults

static inline void vector(struct x86_state *s, v128 *x, u64 imm) {
    struct x86_vec o = {.a.v = x[0], .b.v = x[1], .c.v = x[2], .imm = imm >> 16 & 0xff, .s = s};
    if (imm & VFN_ONE) o.b = o.a;
    o.d = o.a;
    vops[imm & 0x3ff](&o);
    x86_vec_step(&o);
    (void)finish(&o);
    x[0] = o.d.v;
}

// Where results are not looked at again: see fp_quick.
static void note_denormals(struct x86_state *s, v128 v, bool dbl) {
    for (unsigned i = 0; i < 2; i++) {
        u64 m = v[i] << 1, lo = (u32)v[i] << 1, hi = v[i] >> 32 << 33;
        bool tiny =
            dbl ? m && m < (u64)1 << 53 : (lo && lo < 1u << 24) || (hi && hi < (u64)1 << 56);
        s->fp_denormal |= tiny;
    }
    x86_look_quick(s);
}

#define VECTOR(id, dbl)                                                                            \
    u64 x86_help_##id(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {                       \
        v128 *x = (v128 *)(uintptr_t)a;                                                            \
        (void)b, (void)c;                                                                          \
        vector(x86_of(g), x, imm);                                                                 \
        note_denormals(x86_of(g), x[0], dbl);                                                      \
        return 0;                                                                                  \
    }
VECTOR(v_addpd, true)
VECTOR(v_subpd, true)
VECTOR(v_mulpd, true)
VECTOR(v_divpd, true)
VECTOR(v_sqrtpd, true)
VECTOR(v_fmapd, true)
VECTOR(v_minpd, true)
VECTOR(v_maxpd, true)
VECTOR(v_addps, false)
VECTOR(v_subps, false)
VECTOR(v_mulps, false)
VECTOR(v_divps, false)
VECTOR(v_sqrtps, false)
VECTOR(v_fmaps, false)
VECTOR(v_minps, false)
VECTOR(v_maxps, false)

static u64 plain_vector(struct guest_state *g, u64 a, u64 imm) {
    vector(x86_of(g), (v128 *)(uintptr_t)a, imm);
    return 0;
}
HELPER(v_cmppd, plain_vector)
HELPER(v_cmpps, plain_vector)
HELPER(v_any, plain_vector)

void x86_set_mxcsr(struct x86_state *s, u64 v) {
    s->mxcsr = v;
    s->fp_denormal = false;
    x86_look_quick(s);
}

u64 x86_help_ldmxcsr(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b, (void)c, (void)imm;
    if (a & ~(u64)MXC_VALID)
        x86_gp(x86_of(g), 0);
    else
        x86_set_mxcsr(x86_of(g), a);
    return 0;
}

u64 x86_help_stmxcsr(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)a, (void)b, (void)c, (void)imm;
    return x86_of(g)->mxcsr;
}

// MASKMOVDQU. A page may not be written: a fault, whatever bytes of it are.
u64 x86_help_mask_store(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b, (void)c;
    const struct x86_state *s = x86_of(g);
    union xvec v = {.v = fetch(s, VEC_D(imm), 0)}, m = {.v = fetch(s, VEC_A(imm), 0)};
    gva page = (a + 15) & ~(u64)4095;
    u64 old;
    if (!guest_load_for_write(g, a, 1, &old)) return 0;
    if (page > a && !guest_load_for_write(g, page, 1, &old)) return 0;
    for (unsigned i = 0; i < 16; i++)
        if (m.b[i] & 0x80 && !guest_store(g, a + i, 1, v.b[i])) return 0;
    return 0;
}
