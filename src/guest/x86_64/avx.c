// Helpers that access memory element by element: masked moves and gathers of AVX and AVX2 (SDM 2).
// What a mask leaves out is not touched and does not fault. Depends on sse.h.
#include "guest/x86_64/sse.h"

struct elements {
    struct x86_state *s;
    u64 imm, offset;
    unsigned size, n; // bytes of an element; how many
};

static struct elements elements(struct guest_state *g, u64 offset, u64 imm) {
    struct elements e = {.s = x86_of(g), .imm = imm, .offset = offset};
    e.size = imm & ELEM_8 ? 8 : 4;
    e.n = (imm & VEC_L ? 32 : 16) / e.size;
    return e;
}

// The linear address of what lies `more` bytes from the operand. False: raised.
static bool address(const struct elements *e, u64 more, bool write, u64 *va) {
    struct guest_state *g = &e->s->g;
    u64 off = e->offset + more, seg = e->imm >> ELEM_SEG_SHIFT & 7;
    u64 how = seg | (u64)e->size << 8 | (u64)write << 16;
    if (!(e->imm & ELEM_ADDR_8)) off &= e->imm & ELEM_ADDR_2 ? 0xffff : 0xffffffff;
    if (e->imm & ELEM_CODE64)
        *va = seg >= SEG_FS ? off + e->s->seg_base[seg] : off;
    else
        *va = x86_help_linear(g, off, 0, 0, how);
    if (!g->exc && e->imm & ELEM_CAREFUL) x86_help_check(g, *va, 0, 0, how);
    return !g->exc;
}

// Both lanes of a register as an array.
union both {
    v128 v[2];
    u32 d[8];
    u64 q[4];
};

static union both fetch(const struct x86_state *s, u32 n) {
    return (union both){{s->x[n], s->yh[n]}};
}

static bool chosen(const union both *mask, unsigned i, unsigned size) {
    return size == 8 ? mask->q[i] >> 63 : mask->d[i] >> 31;
}

static void put(union both *v, unsigned i, unsigned size, u64 x) {
    if (size == 8)
        v->q[i] = x;
    else
        v->d[i] = (u32)x;
}

// a: offset; imm: VEC_D destination, VEC_A mask, ELEM_*
u64 x86_help_elements_load(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b, (void)c;
    struct elements e = elements(g, a, imm);
    union both mask = fetch(e.s, VEC_A(imm)), r = {{{0}, {0}}};
    for (unsigned i = 0; i < e.n; i++) {
        u64 va, v;
        if (!chosen(&mask, i, e.size)) continue;
        if (!address(&e, i * e.size, false, &va) || !guest_load(g, va, e.size, &v)) return 0;
        put(&r, i, e.size, v);
    }
    e.s->x[VEC_D(imm)] = r.v[0];
    e.s->yh[VEC_D(imm)] = r.v[1];
    return 0;
}

// a: offset; imm: VEC_D what is stored, VEC_A mask, ELEM_*
u64 x86_help_elements_store(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b, (void)c;
    struct elements e = elements(g, a, imm);
    union both mask = fetch(e.s, VEC_A(imm)), v = fetch(e.s, VEC_D(imm));
    u64 va[8], old;
    for (unsigned i = 0; i < e.n; i++) // nothing is written when one faults
        if (chosen(&mask, i, e.size) && (!address(&e, i * e.size, true, &va[i]) ||
                                         !guest_load_for_write(g, va[i], e.size, &old)))
            return 0;
    for (unsigned i = 0; i < e.n; i++)
        if (chosen(&mask, i, e.size) &&
            !guest_store(g, va[i], e.size, e.size == 8 ? v.q[i] : v.d[i]))
            return 0;
    return 0;
}

// ---- gathers: an element that was loaded leaves the mask, so that after a fault the instruction
// goes on where it was

static u64 index_of(const union both *v, unsigned i, u64 imm) {
    u64 x = imm & ELEM_INDEX_8 ? v->q[i] : (u64)(i64)(i32)v->d[i];
    return x << (imm >> ELEM_SCALE_SHIFT & 3);
}

// a: offset; imm: VEC_D destination, VEC_A mask, VEC_B indices, ELEM_*
u64 x86_help_gather(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b, (void)c;
    struct elements e = elements(g, a, imm);
    u32 d = VEC_D(imm), m = VEC_A(imm);
    bool few = e.size == 4 && imm & ELEM_INDEX_8; // as many as there are indices
    if (few) e.n /= 2;
    union both mask = fetch(e.s, m), index = fetch(e.s, VEC_B(imm)), r = fetch(e.s, d);
    for (unsigned i = 0; i < e.n; i++) {
        u64 va, v;
        if (chosen(&mask, i, e.size)) {
            bool ok = address(&e, index_of(&index, i, imm), false, &va);
            if (!ok || !guest_load(g, va, e.size, &v)) break;
            put(&r, i, e.size, v);
        }
        put(&mask, i, e.size, 0);
    }
    if (!g->exc) {
        mask = (union both){{{0}, {0}}};
        if (few && !(imm & VEC_L)) r.q[1] = 0;
        if (few || !(imm & VEC_L)) r.v[1] = (v128){0, 0};
    }
    e.s->x[d] = r.v[0];
    e.s->yh[d] = r.v[1];
    e.s->x[m] = mask.v[0];
    e.s->yh[m] = mask.v[1];
    return 0;
}
