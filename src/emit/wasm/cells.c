// The guest's cells and the engine's variables in emitted code: loads, stores, and the ways out of
// an access. Depends on emit.h and on where struct region_abi says that things are.
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
    w_local(out(e), W_LOCAL_GET, L_CELLS + i);
    if (e->flow.vector[i])
        simd_at(e, W_V128_STORE, e->abi->state + e->flow.offset[i]);
    else
        mem_at(e, W_I64_STORE, 3, e->abi->state + e->flow.offset[i]);
}

void store_cells(struct emit *e, const struct cellset *set) {
    for (unsigned i = 0; i < e->flow.n; i++)
        if (cell_in(set, i)) store_cell(e, i);
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
    w_local(out(e), W_LOCAL_SET, L_CELLS + i);
}

// On the way to block `to`, where e->late is late: loads what that block expects in locals.
void need_cells(struct emit *e, int to) {
    for (unsigned i = 0; i < e->flow.n; i++)
        if (cell_in(&e->flow.live_in[to], i) && !cell_in(&e->flow.late_in[to], i)) need_cell(e, i);
}

static void local_const(struct emit *e, u32 local, i32 value) {
    w_i32_const(out(e), value);
    w_local(out(e), W_LOCAL_SET, local);
}

// Says what is dirty here.
static void tell_dirty(struct emit *e, u32 how) {
    for (unsigned k = 0; k < REGION_CELLS / 64; k++) {
        if (!e->flow.fault.w[k]) continue;
        w_i64_const(out(e), (i64)e->dirty.w[k]);
        w_local(out(e), W_LOCAL_SET, L_DIRTY + k);
    }
    local_const(e, L_HOW, (i32)how);
}

void br_fault(struct emit *e, u8 op) {
    tell_dirty(e, REGION_FAULT);
    br_exit(e, op, EXIT_FAULT);
}

void br_miss(struct emit *e) {
    struct buf *o = out(e);
    tell_dirty(e, REGION_MISS | e->done << 8);
    push_pcrel(e, e->rel);
    w_local(o, W_LOCAL_SET, L_PC);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_i32_const(o, (i32)e->done);
    w_op(o, W_I32_SUB);
    w_local(o, W_LOCAL_SET, L_BUDGET);
    br_exit(e, W_BR, EXIT_MISS);
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
