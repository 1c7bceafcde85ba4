// Modules of region functions (core specification, chapter 5; branch hints: the custom section
// metadata.code.branch_hint). Depends on emit.h.
#include <string.h>

#include "emit/wasm/emit.h"

static void types(struct buf *o) {
    static const u8 t[] = {
        8,                                                                      // types
        0x60, 3, W_T_I64, W_T_I32, W_T_I32, 1,       W_T_I32,                   // T_REGION
        0x60, 5, W_T_I32, W_T_I64, W_T_I64, W_T_I64, W_T_I64, 1,       W_T_I64, // T_HELPER
        0x60, 3, W_T_I64, W_T_I64, W_T_I32, 1,       W_T_I32,                   // T_SLOW_LOAD
        0x60, 4, W_T_I64, W_T_I64, W_T_I64, W_T_I32, 1,       W_T_I32,          // T_SLOW_STORE
        0x60, 2, W_T_I64, W_T_I64, 1,       W_T_I64,                            // T_BINARY
        0x60, 4, W_T_I64, W_T_I64, W_T_I64, W_T_I32, 0,                         // T_RAISE
        0x60, 2, W_T_I64, W_T_I32, 0,                                           // T_PLACE
        0x60, 2, W_T_I64, W_T_I32, 1,       W_T_I32,                            // T_GUARD
    };
    struct buf b = {0};
    buf_put(&b, t, sizeof t);
    w_section(o, 1, &b);
    buf_free(&b);
}

static void imports(const struct region_abi *abi, struct buf *o) {
    struct buf b = {0};
    w_u32(&b, 2);
    w_name(&b, "e");
    w_name(&b, "m");
    buf_put(&b, (const u8[]){2, 0}, 2); // memory, with a least size
    w_u32(&b, abi->memory_pages);
    w_name(&b, "e");
    w_name(&b, "t");
    buf_put(&b, (const u8[]){1, 0x70, 0, 1}, 4); // table of functions
    w_section(o, 2, &b);
    buf_free(&b);
}

static void functions(const struct module *m, struct buf *o) {
    struct buf b = {0};
    w_u32(&b, m->n);
    for (u32 i = 0; i < m->n; i++) w_u32(&b, T_REGION);
    w_section(o, 3, &b);
    buf_free(&b);
}

// Active segments, one for each run of adjacent slots.
static void elements(const struct module *m, struct buf *o) {
    struct buf b = {0}, runs = {0};
    u32 n = 0;
    for (u32 i = 0, end; i < m->n; i = end) {
        for (end = i + 1; end < m->n && m->slots[end] == m->slots[i] + (end - i);) end++;
        w_u32(&runs, 0);
        w_i32_const(&runs, (i32)m->slots[i]);
        w_op(&runs, W_END);
        w_u32(&runs, end - i);
        for (u32 k = i; k < end; k++) w_u32(&runs, k);
        n++;
    }
    w_u32(&b, n);
    buf_put(&b, runs.data, runs.len);
    w_section(o, 9, &b);
    buf_free(&b);
    buf_free(&runs);
}

static void branch_hints(const struct module *m, struct buf *o) {
    if (!m->nhints) return;
    struct buf b = {0};
    w_name(&b, "metadata.code.branch_hint");
    w_u32(&b, m->nhints);
    buf_put(&b, m->hints.data, m->hints.len);
    w_section(o, 0, &b);
    buf_free(&b);
}

// a * a + c, where only a fused operation leaves the last bit of the product.
static void probe_one(struct buf *f, bool single) {
    double a = 1 + 0x1p-30, c = -(1 + 0x1p-29), r = 0x1p-60;
    float sa = 1 + 0x1p-12f, sc = -(1 + 0x1p-11f), sr = 0x1p-24f;
    for (int i = 0; i < 3; i++) {
        w_op(f, single ? W_F32_CONST : W_F64_CONST);
        if (single)
            buf_put(f, i < 2 ? &sa : &sc, 4);
        else
            buf_put(f, i < 2 ? &a : &c, 8);
        w_op(f, W_SIMD);
        w_u32(f, single ? W_F32X4_SPLAT : W_F64X2_SPLAT);
    }
    w_op(f, W_SIMD);
    w_u32(f, single ? W_F32X4_RELAXED_MADD : W_F64X2_RELAXED_MADD);
    w_op(f, W_SIMD);
    w_u32(f, single ? W_F32X4_EXTRACT_LANE : W_F64X2_EXTRACT_LANE);
    w_op(f, 0);
    w_op(f, single ? W_F32_CONST : W_F64_CONST);
    buf_put(f, single ? (const void *)&sr : (const void *)&r, single ? 4 : 8);
    w_op(f, single ? W_F32_EQ : W_F64_EQ);
}

void module_add_madd_probe(struct module *m, u32 slot) {
    struct buf f = {0};
    w_u32(&f, 0); // no locals
    probe_one(&f, false);
    probe_one(&f, true);
    w_op(&f, W_I32_AND);
    w_op(&f, W_END);
    w_u32(&m->code, (u32)f.len);
    buf_put(&m->code, f.data, f.len);
    m->code.oom |= f.oom;
    buf_free(&f);
    m->slots[m->n++] = slot;
}

bool module_finish(struct module *m, const struct region_abi *abi, struct buf *o) {
    buf_put(o, "\0asm\1\0\0\0", 8);
    types(o);
    imports(abi, o);
    functions(m, o);
    elements(m, o);
    branch_hints(m, o);
    struct buf b = {0};
    w_u32(&b, m->n);
    buf_put(&b, m->code.data, m->code.len);
    w_section(o, 10, &b);
    bool ok = !m->code.oom && !m->hints.oom && !b.oom && !o->oom;
    buf_free(&b);
    module_free(m);
    return ok;
}

void module_free(struct module *m) {
    buf_free(&m->code);
    buf_free(&m->hints);
    memset(m, 0, sizeof *m);
}
