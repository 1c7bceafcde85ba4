// x87's environment and whole states in memory: FSTENV, FSAVE, FXSAVE, XSAVE and what loads them
// (SDM 1 8.1, 10.5, 13; APM 2 11.5). An area is built or read whole, after every byte of it was
// found accessible, so that a fault changes nothing.
//
// As on AMD, FXSAVE keeps the pointers to the last instruction only while an exception is pending.
// What XSAVE finds in use is what differs from the state after reset. There are no components that
// only a supervisor may save. Environments have their protected mode form also in real mode.
#include "base/buf.h"
#include "guest/x86_64/isa.h"
#include "guest/x86_64/x87.h"

#define UNUSED3(a, b, c) ((void)(a), (void)(b), (void)(c))

enum { FX_SIZE = 512, XHEADER = 512, XAVX = 576, XALL = 832, MXCSR_MASK = 0xffff };
enum { X_FP = 1, X_SSE = 2, X_AVX = 4 };
#define XCOMPACT ((u64)1 << 63) // of XCOMP_BV

// ---- memory, any number of bytes

static bool probe(struct guest_state *g, u64 a, unsigned n, bool write) {
    u64 v;
    for (u64 p = a;; p = (p | 4095) + 1) {
        if (!(write ? guest_load_for_write(g, p, 1, &v) : guest_load(g, p, 1, &v))) return false;
        if ((p | 4095) >= a + n - 1) return true;
    }
}

// All of them, when that is plain memory of one page. False: otherwise.
static bool in_bulk(struct guest_state *g, u64 a, unsigned n, u8 *in, const u8 *out) {
    if ((a & 4095) + n > 4096) return false;
    u8 *host = guest_host_page(g, a, out ? ACCESS_WRITE : ACCESS_READ);
    if (host && out) {
        memcpy(host, out, n);
        guest_host_written(g, host, n);
    }
    if (host && in) memcpy(in, host, n);
    return host;
}

static bool put_bytes(struct guest_state *g, u64 a, const u8 *p, unsigned n) {
    if (in_bulk(g, a, n, NULL, p)) return true;
    for (unsigned i = 0; i < n;) {
        unsigned k = n - i >= 8 ? 8 : n - i >= 4 ? 4 : n - i >= 2 ? 2 : 1;
        u64 v = 0;
        memcpy(&v, p + i, k);
        if (!guest_store(g, a + i, k, v)) return false;
        i += k;
    }
    return true;
}

static bool get_bytes(struct guest_state *g, u64 a, u8 *p, unsigned n) {
    if (in_bulk(g, a, n, p, NULL)) return true;
    for (unsigned i = 0; i < n;) {
        unsigned k = n - i >= 8 ? 8 : n - i >= 4 ? 4 : n - i >= 2 ? 2 : 1;
        u64 v;
        if (!guest_load(g, a + i, k, &v)) return false;
        memcpy(p + i, &v, k);
        i += k;
    }
    return true;
}

// ---- control word, status word

u64 x86_help_fninit(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    UNUSED3(a, b, c);
    (void)imm;
    x87_init(x86_of(g));
    return 0;
}

u64 x86_help_fnclex(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    UNUSED3(a, b, c);
    (void)imm;
    x86_of(g)->fpu_sw &= SW_C0 | SW_C1 | SW_C2 | SW_C3;
    return 0;
}

u64 x86_help_fldcw(struct guest_state *g, u64 v, u64 b, u64 c, u64 imm) {
    (void)b, (void)c, (void)imm;
    struct x86_state *s = x86_of(g);
    x87_set_control(s, v);
    return s->fpu_sw & SW_ES || ~s->fpu_cw & 0x3f;
}

u64 x86_help_fnstcw(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    UNUSED3(a, b, c);
    (void)imm;
    return x86_of(g)->fpu_cw;
}

u64 x86_help_fnstsw(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    UNUSED3(a, b, c);
    (void)imm;
    return x87_status(x86_of(g));
}

// ---- environment and FSAVE

static unsigned full_tag(const struct x86_state *s) {
    unsigned t = 0;
    for (unsigned p = 0; p < 8; p++) {
        struct f80 v = {s->mm[p], (u16)s->st_exp[p]};
        unsigned e = f80_exp(v), k = 2;
        if (!(s->fpu_tag >> p & 1))
            k = 3;
        else if (e == 0)
            k = v.sig ? 2 : 1;
        else if (e < 0x7fff && v.sig >> 63)
            k = 0;
        t |= k << (2 * p);
    }
    return t;
}

static unsigned make_env(const struct x86_state *s, u8 *p, unsigned opsize) {
    if (opsize == 2) {
        put_le16(p, (u16)s->fpu_cw);
        put_le16(p + 2, (u16)x87_status(s));
        put_le16(p + 4, (u16)full_tag(s));
        put_le16(p + 6, (u16)s->fpu_ip);
        put_le16(p + 8, 0);
        put_le16(p + 10, (u16)s->fpu_dp);
        put_le16(p + 12, 0);
        return 14;
    }
    put_le32(p, 0xffff0000 | (u32)s->fpu_cw);
    put_le32(p + 4, 0xffff0000 | (u32)x87_status(s));
    put_le32(p + 8, 0xffff0000 | full_tag(s));
    put_le32(p + 12, (u32)s->fpu_ip);
    put_le32(p + 16, (u32)s->fpu_op << 16);
    put_le32(p + 20, (u32)s->fpu_dp);
    put_le32(p + 24, 0xffff0000);
    return 28;
}

static unsigned read_env(struct x86_state *s, const u8 *p, unsigned opsize) {
    unsigned step = opsize == 2 ? 2 : 4, tag = get_le16(p + 2 * step);
    s->fpu_tag = 0;
    for (unsigned i = 0; i < 8; i++)
        if ((tag >> (2 * i) & 3) != 3) s->fpu_tag |= (u64)1 << i;
    s->fpu_cw = (get_le16(p) & 0x1f7f) | 0x40;
    x87_set_status(s, get_le16(p + step));
    if (opsize == 2) {
        s->fpu_ip = get_le16(p + 6);
        s->fpu_dp = get_le16(p + 10);
        return 14;
    }
    s->fpu_ip = get_le32(p + 12);
    s->fpu_op = get_le16(p + 18) & 0x7ff;
    s->fpu_dp = get_le32(p + 20);
    return 28;
}

// a: address; imm: operand size | with registers (FSAVE) << 8
u64 x86_help_fnstenv(struct guest_state *g, u64 addr, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    u8 area[108];
    (void)b, (void)c;
    unsigned n = make_env(s, area, (unsigned)imm & 0xff);
    for (unsigned i = 0; imm >> 8 && i < 8; i++, n += 10) {
        struct f80 v = x87_get(s, i);
        put_le64(area + n, v.sig);
        put_le16(area + n + 8, v.se);
    }
    if (!probe(g, addr, n, true) || !put_bytes(g, addr, area, n)) return 0;
    if (imm >> 8)
        x87_init(s);
    else
        x87_set_control(s, s->fpu_cw | 0x3f);
    return 0;
}

u64 x86_help_fldenv(struct guest_state *g, u64 addr, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    u8 area[108];
    (void)b, (void)c;
    unsigned opsize = (unsigned)imm & 0xff, n = (opsize == 2 ? 14 : 28) + (imm >> 8 ? 80 : 0);
    if (!get_bytes(g, addr, area, n)) return 0;
    n = read_env(s, area, opsize);
    for (unsigned i = 0; imm >> 8 && i < 8; i++, n += 10) {
        unsigned p = x87_phys(s, i);
        s->mm[p] = get_le64(area + n);
        s->st_exp[p] = get_le16(area + n + 8);
    }
    return 0;
}

// ---- FXSAVE's area

static void put_fp(const struct x86_state *s, u8 *p, bool wide) {
    put_le16(p, (u16)s->fpu_cw);
    put_le16(p + 2, (u16)x87_status(s));
    put_le16(p + 4, (u16)s->fpu_tag);
    bool pending = s->fpu_sw & SW_ES;
    put_le16(p + 6, pending ? (u16)s->fpu_op : 0);
    put_le64(p + 8, !pending ? 0 : wide ? s->fpu_ip : (u32)s->fpu_ip);
    put_le64(p + 16, !pending ? 0 : wide ? s->fpu_dp : (u32)s->fpu_dp);
    for (unsigned i = 0; i < 8; i++) {
        struct f80 v = x87_get(s, i);
        put_le64(p + 32 + 16 * i, v.sig);
        put_le64(p + 40 + 16 * i, v.se);
    }
}

static void take_fp(struct x86_state *s, const u8 *p, bool wide) {
    s->fpu_cw = (get_le16(p) & 0x1f7f) | 0x40;
    x87_set_status(s, get_le16(p + 2));
    s->fpu_tag = get_le16(p + 4) & 0xff;
    if (s->fpu_sw & SW_ES) {
        s->fpu_op = get_le16(p + 6) & 0x7ff;
        s->fpu_ip = wide ? get_le64(p + 8) : get_le32(p + 8);
        s->fpu_dp = wide ? get_le64(p + 16) : get_le32(p + 16);
    }
    for (unsigned i = 0; i < 8; i++) {
        unsigned k = x87_phys(s, i);
        s->mm[k] = get_le64(p + 32 + 16 * i);
        s->st_exp[k] = get_le16(p + 40 + 16 * i);
    }
}

static unsigned vectors(const struct x86_state *s) { return s->code == X86_CODE64 ? 16 : 8; }

static bool enabled(struct guest_state *g) {
    if (!(x86_of(g)->cr0 & (CR0_EM | CR0_TS))) return true;
    guest_raise(g, EXC_NM, 0);
    return false;
}

// imm: REX.W
u64 x86_help_fxsave(struct guest_state *g, u64 addr, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    u8 area[FX_SIZE];
    (void)b, (void)c;
    if (!enabled(g)) return 0;
    if (addr & 15) {
        x86_gp(s, 0);
        return 0;
    }
    unsigned n = 160 + 16 * vectors(s);
    memset(area, 0, sizeof area);
    put_fp(s, area, imm);
    put_le32(area + 24, (u32)s->mxcsr);
    put_le32(area + 28, MXCSR_MASK);
    memcpy(area + 160, s->x, 16 * vectors(s));
    if (probe(g, addr, FX_SIZE, true)) put_bytes(g, addr, area, n);
    return 0;
}

u64 x86_help_fxrstor(struct guest_state *g, u64 addr, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    u8 area[FX_SIZE];
    (void)b, (void)c;
    if (!enabled(g)) return 0;
    if (addr & 15) {
        x86_gp(s, 0);
        return 0;
    }
    if (!get_bytes(g, addr, area, FX_SIZE)) return 0;
    if (get_le32(area + 24) & ~(u32)MXCSR_MASK) {
        x86_gp(s, 0);
        return 0;
    }
    take_fp(s, area, imm);
    x86_set_mxcsr(s, get_le32(area + 24));
    memcpy(s->x, area + 160, 16 * vectors(s));
    return 0;
}

// ---- XSAVE (SDM 1 13)

static bool xsave_enabled(struct guest_state *g, u64 addr) {
    struct x86_state *s = x86_of(g);
    if (!(s->cr4 & CR4_OSXSAVE)) {
        guest_raise(g, EXC_UD, 0);
    } else if (s->cr0 & CR0_TS) {
        guest_raise(g, EXC_NM, 0);
    } else if (addr & 63) {
        x86_gp(s, 0);
    } else {
        return true;
    }
    return false;
}

static u64 requested(const struct x86_state *s) {
    return ((u32)s->r[RAX] | s->r[RDX] << 32) & s->xcr0;
}

static bool all_zero(const v128 *v, unsigned n) {
    u64 bits = 0;
    for (unsigned i = 0; i < n; i++) bits |= v[i][0] | v[i][1];
    return !bits;
}

// The components that are not as after reset. MXCSR is none of them.
u64 x86_xinuse(const struct x86_state *s) {
    u64 in_use = all_zero(s->x, 16) ? 0 : X_SSE;
    if (!all_zero(s->yh, 16)) in_use |= X_AVX;
    bool fp = s->fpu_cw != 0x37f || s->fpu_tag || x87_status(s);
    for (unsigned i = 0; i < 8; i++) fp |= s->mm[i] || s->st_exp[i];
    return in_use | (fp ? X_FP : 0);
}

// The components of `want` into the area; all of it is accessible.
static void put_components(struct guest_state *g, u64 addr, u64 want, bool mxcsr, bool wide) {
    const struct x86_state *s = x86_of(g);
    unsigned n = 16 * vectors(s);
    if (want & X_FP) {
        u8 fp[160] = {0};
        put_fp(s, fp, wide);
        put_bytes(g, addr, fp, 24);
        put_bytes(g, addr + 32, fp + 32, 128);
    }
    if (mxcsr) {
        guest_store(g, addr + 24, 4, s->mxcsr);
        guest_store(g, addr + 28, 4, MXCSR_MASK);
    }
    if (want & X_SSE) put_bytes(g, addr + 160, (const u8 *)s->x, n);
    if (want & X_AVX) put_bytes(g, addr + XAVX, (const u8 *)s->yh, n);
}

// optimized: what is not in use is not written.
static void xsave(struct guest_state *g, u64 addr, bool wide, bool optimized) {
    const struct x86_state *s = x86_of(g);
    u64 old, in_use = x86_xinuse(s);
    if (!xsave_enabled(g, addr)) return;
    u64 want = requested(s), what = optimized ? want & in_use : want;
    if (!probe(g, addr, what & X_AVX ? XALL : XAVX, true) ||
        !guest_load(g, addr + XHEADER, 8, &old))
        return;
    put_components(g, addr, what, want & (X_SSE | X_AVX), wide);
    guest_store(g, addr + XHEADER, 8, (old & ~want) | (want & in_use));
}

// imm: REX.W
u64 x86_help_xsave(struct guest_state *g, u64 addr, u64 b, u64 c, u64 imm) {
    (void)b, (void)c;
    xsave(g, addr, imm, false);
    return 0;
}

u64 x86_help_xsaveopt(struct guest_state *g, u64 addr, u64 b, u64 c, u64 imm) {
    (void)b, (void)c;
    xsave(g, addr, imm, true);
    return 0;
}

// XSAVEC and XSAVES: the compacted form, whose only extended component is where it is in the
// standard one. MXCSR goes with SSE.
u64 x86_help_xsavec(struct guest_state *g, u64 addr, u64 b, u64 c, u64 imm) {
    const struct x86_state *s = x86_of(g);
    (void)b, (void)c;
    if (!xsave_enabled(g, addr)) return 0;
    u64 want = requested(s), what = want & (x86_xinuse(s) | (s->mxcsr != 0x1f80 ? X_SSE : 0));
    if (!probe(g, addr, what & X_AVX ? XALL : XAVX, true)) return 0;
    put_components(g, addr, what, what & X_SSE, imm);
    guest_store(g, addr + XHEADER, 8, what);
    guest_store(g, addr + XHEADER + 8, 8, XCOMPACT | want);
    return 0;
}

// header: the 64 bytes. Is it one that may be restored?
static bool header_ok(const struct x86_state *s, const u8 *header, bool compact) {
    u64 have = get_le64(header), form = get_le64(header + 8), rest = 0;
    for (unsigned i = 16; i < 64; i += 8) rest |= get_le64(header + i);
    if (!compact) return !form && !get_le64(header + 16) && !(have & ~s->xcr0);
    form &= ~XCOMPACT;
    return !rest && !(form & ~s->xcr0) && !(have & ~form);
}

static void take_components(struct x86_state *s, const u8 *area, u64 want, u64 have, bool wide) {
    unsigned n = 16 * vectors(s);
    if (want & X_FP & have) take_fp(s, area, wide);
    if (want & X_FP & ~have) {
        x87_init(s);
        memset(s->mm, 0, sizeof s->mm);
        memset(s->st_exp, 0, sizeof s->st_exp);
    }
    if (want & X_SSE & have) memcpy(s->x, area + 160, n);
    if (want & X_SSE & ~have) memset(s->x, 0, n);
    if (want & X_AVX & have) memcpy(s->yh, area + XAVX, n);
    if (want & X_AVX & ~have) memset(s->yh, 0, n);
}

static void xrstor(struct guest_state *g, u64 addr, bool wide, bool must_be_compact) {
    struct x86_state *s = x86_of(g);
    u8 area[XALL];
    if (!xsave_enabled(g, addr) || !get_bytes(g, addr, area, XAVX)) return;
    const u8 *header = area + XHEADER;
    bool compact = get_le64(header + 8) & XCOMPACT;
    u64 want = requested(s), have = get_le64(header);
    u32 mxcsr = get_le32(area + 24);
    // Where MXCSR comes from: with SSE in the compacted form, else whatever is in use.
    bool takes_mxcsr = want & (compact ? X_SSE & have : X_SSE | X_AVX);
    if ((must_be_compact && !compact) || !header_ok(s, header, compact) ||
        (takes_mxcsr && mxcsr & ~(u32)MXCSR_MASK)) {
        x86_gp(s, 0);
        return;
    }
    if (want & have & X_AVX && !get_bytes(g, addr + XAVX, area + XAVX, XALL - XAVX)) return;
    take_components(s, area, want, have, wide);
    if (takes_mxcsr)
        x86_set_mxcsr(s, mxcsr);
    else if (compact && want & X_SSE)
        x86_set_mxcsr(s, 0x1f80);
}

u64 x86_help_xrstor(struct guest_state *g, u64 addr, u64 b, u64 c, u64 imm) {
    (void)b, (void)c;
    xrstor(g, addr, imm, false);
    return 0;
}

u64 x86_help_xrstors(struct guest_state *g, u64 addr, u64 b, u64 c, u64 imm) {
    (void)b, (void)c;
    xrstor(g, addr, imm, true);
    return 0;
}
