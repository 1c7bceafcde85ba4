// Operations on MMX registers: those of SSE on half a vector.
#include "guest/x86_64/sse.h"
#include "guest/x86_64/x87.h"

static x86_vop *const vops[VOP_COUNT] = {
#define VOP(name) x86_vop_##name,
#include "guest/x86_64/sse_ops.def"
};

// Pure. a: destination, b: source; imm: operation | MMX_* | immediate << 32
u64 x86_help_mmx(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_vec o = {.imm = imm >> 32, .s = x86_of(g)};
    (void)c;
    o.a.q[0] = a;
    o.b.q[0] = b;
    if (imm & MMX_PACK) o.a.q[1] = b;
    if (imm & MMX_INDEX) o.b.q[0] &= 0x8787878787878787u;
    if (imm & MMX_CONCAT) {
        o.b.q[1] = a;
        o.a.q[0] = 0;
    }
    o.d = o.a;
    vops[imm & 0x3ff](&o);
    if (imm & MMX_VALUE) return o.r;
    return o.d.q[imm & MMX_HIGH ? 1 : 0];
}

u64 x86_help_mmx_mask_store(struct guest_state *g, u64 a, u64 v, u64 mask, u64 imm) {
    u64 old;
    (void)imm;
    gva page = (a + 7) & ~(u64)4095;
    if (!guest_load_for_write(g, a, 1, &old)) return 0;
    if (page > a && !guest_load_for_write(g, page, 1, &old)) return 0;
    for (unsigned i = 0; i < 8; i++)
        if (mask >> (8 * i) & 0x80 && !guest_store(g, a + i, 1, v >> (8 * i) & 0xff)) return 0;
    return 0;
}

u64 x86_help_mm_get(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)a, (void)b, (void)c;
    return x86_of(g)->mm[imm];
}

static void mmx_mode(struct x86_state *s) {
    s->fpu_top = 0;
    s->fpu_tag = 0xff;
}

u64 x86_help_mm_set(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)b, (void)c;
    mmx_mode(s);
    s->mm[imm] = a;
    s->st_exp[imm] = 0xffff;
    return 0;
}

u64 x86_help_mm_mode(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)a, (void)b, (void)c, (void)imm;
    mmx_mode(x86_of(g));
    return 0;
}

u64 x86_help_emms(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)a, (void)b, (void)c, (void)imm;
    x86_of(g)->fpu_top = x86_of(g)->fpu_tag = 0;
    return 0;
}
