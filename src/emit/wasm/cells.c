// The guest's cells and the engine's variables in emitted code: loads, stores, and the ways out of
// an access. Depends on emit.h and on where struct region_abi says that things are.
#include <assert.h>
#include <string.h>

#include "emit/wasm/emit.h"

void mem_at(struct emit *e, u8 op, u32 align, u32 address) { w_mem(out(e), op, align, address); }

void push_base(struct emit *e) { w_i32_const(out(e), 0); }

static void simd_at(struct emit *e, u32 code, u32 address) {
    w_op(out(e), W_SIMD);
    w_u32(out(e), code);
    w_u32(out(e), 3);
    w_u32(out(e), address);
}

void store_cell(struct emit *e, unsigned i) {
    push_base(e);
    push_cell(e, i);
    if (e->flow.vector[i])
        simd_at(e, W_V128_STORE, e->abi->state + e->flow.offset[i]);
    else
        mem_at(e, W_I64_STORE, 3, e->abi->state + e->flow.offset[i]);
}

void store_cells(struct emit *e, const struct cellset *set) {
    for (unsigned i = 0; i < e->flow.n; i++)
        if (cell_in(set, i)) store_cell(e, i);
}

// Pops the cell's new value into its locals. `boxed`: it is a single in a NaN box, if singles have
// one.
static void set_locals(struct emit *e, unsigned i, bool boxed) {
    struct buf *o = out(e);
    u32 shadow = e->flow.vector[i] ? 0 : e->shadow[i];
    w_local(o, shadow ? W_LOCAL_TEE : W_LOCAL_SET, L_CELLS + i);
    if (!shadow) return;
    bool single = e->types[shadow] == W_T_F32;
    if (single) w_op(o, W_I32_WRAP_I64);
    w_op(o, single ? W_F32_REINTERPRET_I32 : W_F64_REINTERPRET_I64);
    if (single && e->abi->boxed && !boxed) {
        w_i32_const(o, 0x7fc00000);
        w_op(o, W_F32_REINTERPRET_I32);
        w_local(o, W_LOCAL_GET, L_CELLS + i);
        w_i64_const(o, (i64)0xffffffff00000000u);
        w_op(o, W_I64_GE_U);
        w_op(o, W_SELECT);
    }
    w_local(o, W_LOCAL_SET, shadow);
}

// The cell becomes the value r.
void set_cell(struct emit *e, unsigned i, ir_ref r) {
    u32 shadow = e->flow.vector[i] ? 0 : e->shadow[i];
    bool same = shadow && e->kind[r] == V_FLOAT && e->types[e->local[r]] == e->types[shadow];
    if (same) w_local(out(e), W_LOCAL_GET, e->local[r]);
    bool boxed = shadow && fast_boxes(e, r);
    push(e, r);
    vacate(e, L_CELLS + i);
    if (!same) {
        set_locals(e, i, boxed);
        return;
    }
    w_local(out(e), W_LOCAL_SET, L_CELLS + i);
    w_local(out(e), W_LOCAL_SET, shadow);
}

// The cell's local is about to be read.
void need_cell(struct emit *e, unsigned i) {
    if (!cell_in(&e->late, i)) return;
    cell_remove(&e->late, i);
    push_base(e);
    if (e->flow.vector[i])
        simd_at(e, W_V128_LOAD, e->abi->state + e->flow.offset[i]);
    else
        mem_at(e, W_I64_LOAD, 3, e->abi->state + e->flow.offset[i]);
    set_locals(e, i, false);
}

// On the way to block `to`, where e->late is late: loads what that block expects in locals.
void need_cells(struct emit *e, int to) {
    for (unsigned i = 0; i < e->flow.n; i++)
        if (cell_in(&e->flow.live_in[to], i) && !cell_in(&e->flow.late_in[to], i)) need_cell(e, i);
}

void forget_cells(struct emit *e) {
    memset(&e->late, 0xff, sizeof e->late);
    memset(&e->stale, 0, sizeof e->stale);
}

// L_DIRTY has a bit for each of the cells that may be dirty at such an exit, in their order, and
// above the first DIRTY_BITS of them the place of a miss; what is left is in the second local. So
// an access that misses needs a single constant: most of a region's code are such accesses.
enum { DIRTY_BITS = 40, DONE_BITS = 8, REL_SHIFT = DIRTY_BITS + DONE_BITS };
_Static_assert(FLOW_DIRTY == DIRTY_BITS + 64, "two locals");
_Static_assert((REGION_PAGES + 1) * PAGE <= 1 << 15, "a place in a region has 16 bits");

// A vector with a shadow has a second bit: that is newer.
static bool has_scalar(const struct emit *e, unsigned i) {
    return e->flow.vector[i] && e->shadow[i];
}

static void store_scalar(struct emit *e, unsigned i) {
    bool single = e->types[e->shadow[i]] == W_T_F32;
    push_base(e);
    w_local(out(e), W_LOCAL_GET, e->shadow[i]);
    mem_at(e, single ? W_F32_STORE : W_F64_STORE, single ? 2 : 3,
           e->abi->state + e->flow.offset[i]);
}

static void tell_dirty(struct emit *e, const struct cellset *dirty, u64 place) {
    u64 words[2] = {place << DIRTY_BITS, 0};
    unsigned bit = 0;
    for (unsigned i = 0; i < e->flow.n; i++) {
        if (!cell_in(&e->flow.fault, i)) continue;
        assert((!cell_in(dirty, i) || bit < DIRTY_BITS + 64) && "flow_analyse has counted them");
        for (unsigned part = 0; part <= has_scalar(e, i); part++, bit++)
            if (cell_in(dirty, i) && (!part || cell_in(&e->stale, i)))
                words[bit >= DIRTY_BITS] |= (u64)1 << (bit < DIRTY_BITS ? bit : bit - DIRTY_BITS);
    }
    for (unsigned k = 0; k < (bit > DIRTY_BITS ? 2 : 1); k++) {
        w_i64_const(out(e), (i64)words[k]);
        w_local(out(e), W_LOCAL_SET, L_DIRTY + k);
    }
}

void store_dirty(struct emit *e) {
    unsigned bit = 0;
    for (unsigned i = 0; i < e->flow.n; i++) {
        if (!cell_in(&e->flow.fault, i)) continue;
        for (unsigned part = 0; part <= has_scalar(e, i); part++) {
            unsigned second = bit >= DIRTY_BITS;
            unsigned place = bit++ - second * DIRTY_BITS;
            w_local(out(e), W_LOCAL_GET, L_DIRTY + second);
            w_i64_const(out(e), (i64)((u64)1 << place));
            w_op(out(e), W_I64_AND);
            w_op(out(e), place < 32 ? W_I32_WRAP_I64 : W_I64_EQZ);
            open_if(e, W_T_VOID, false);
            if (place >= 32) w_op(out(e), W_ELSE);
            if (part)
                store_scalar(e, i);
            else
                store_cell(e, i);
            close_if(e);
        }
    }
}

void br_fault(struct emit *e) {
    tell_dirty(e, &e->dirty, 0);
    w_i32_const(out(e), REGION_FAULT);
    w_local(out(e), W_LOCAL_SET, L_HOW);
    br_exit(e, W_BR, EXIT_DIRTY);
}

void br_miss(struct emit *e) {
    assert(e->done < 1 << DONE_BITS && e->rel == (i16)e->rel);
    tell_dirty(e, &e->dirty, (u64)(i64)e->rel << DONE_BITS | e->done);
    br_exit(e, W_BR, EXIT_MISS);
}

void place_missed(struct emit *e) {
    struct buf *o = out(e);
    push_base(e);
    w_local(o, W_LOCAL_GET, L_PAGE);
    w_local(o, W_LOCAL_GET, L_DIRTY);
    w_i64_const(o, REL_SHIFT);
    w_op(o, W_I64_SHR_S);
    w_op(o, W_I64_ADD);
    mem_at(e, W_I64_STORE, 3, e->abi->state + e->abi->pc_cell);
    w_local(o, W_LOCAL_GET, L_DIRTY);
    w_i64_const(o, DIRTY_BITS);
    w_op(o, W_I64_SHR_U);
    w_op(o, W_I32_WRAP_I64);
    w_i32_const(o, (1 << DONE_BITS) - 1);
    w_op(o, W_I32_AND);
    w_local(o, W_LOCAL_SET, L_HOW);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_local(o, W_LOCAL_GET, L_HOW);
    w_op(o, W_I32_SUB);
    w_local(o, W_LOCAL_SET, L_BUDGET);
    w_local(o, W_LOCAL_GET, L_HOW);
    w_i32_const(o, 8);
    w_op(o, W_I32_SHL);
    w_i32_const(o, REGION_MISS);
    w_op(o, W_I32_OR);
    w_local(o, W_LOCAL_SET, L_HOW);
}

void br_cold(struct emit *e, i64 rel, const struct cellset *dirty) {
    push_pcrel(e, rel);
    w_local(out(e), W_LOCAL_SET, L_PC);
    tell_dirty(e, dirty, 0);
    br_exit(e, W_BR, EXIT_DIRTY);
}

void store_budget(struct emit *e) {
    push_base(e);
    w_local(out(e), W_LOCAL_GET, L_BUDGET);
    w_op(out(e), W_I64_EXTEND_I32_S);
    mem_at(e, W_I64_STORE, 3, e->abi->budget);
}

void load_budget(struct emit *e) {
    push_base(e);
    mem_at(e, W_I64_LOAD, 3, e->abi->budget);
    w_op(out(e), W_I32_WRAP_I64);
    w_local(out(e), W_LOCAL_SET, L_BUDGET);
}

// Everything is in memory: unwinds to the run loop.
void unwind(struct emit *e, enum region_exit how) {
    push_base(e);
    w_i32_const(out(e), how);
    mem_at(e, W_I32_STORE, 2, e->abi->how);
    w_i32_const(out(e), 0);
    w_op(out(e), W_RETURN);
}

void store_pc(struct emit *e, i64 rel) {
    push_base(e);
    push_pcrel(e, rel);
    mem_at(e, W_I64_STORE, 3, e->abi->state + e->abi->pc_cell);
}

void store_lpc(struct emit *e) {
    push_base(e);
    w_local(out(e), W_LOCAL_GET, L_PC);
    mem_at(e, W_I64_STORE, 3, e->abi->state + e->abi->pc_cell);
}
