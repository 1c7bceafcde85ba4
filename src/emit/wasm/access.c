// Loads and stores: the TLB's hit path in emitted code, the rest in a C function that gives the
// host address to go on with. Depends on emit.h and the TLB's layout (exec/tlb.h), which it knows
// from struct region_abi.
#include <assert.h>
#include <string.h>

#include "emit/wasm/emit.h"

u32 place_info(const struct emit *e) { return e->done & 0xff; }

enum { INFO_BYTES = 8, INFO_WRITE = 16, INFO_LEAVE }; // shifts; see exec/jit_abi.c

void probe(struct emit *e, u32 table, unsigned bytes) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_GET, L_VA);
    w_op(o, W_I32_WRAP_I64);
    w_i32_const(o, 8); // page number times 16, the size of an entry
    w_op(o, W_I32_SHR_U);
    w_i32_const(o, (i32)((e->abi->tlb_slots - 1) << 4));
    w_op(o, W_I32_AND);
    w_local(o, W_LOCAL_GET, L_TLB);
    w_op(o, W_I32_ADD);
    w_local(o, W_LOCAL_TEE, L_ENTRY);
    w_mem(o, W_I32_LOAD, 2, table + 8);
    w_local(o, W_LOCAL_GET, L_VA);
    w_op(o, W_I32_WRAP_I64);
    w_op(o, W_I32_ADD);
    w_local(o, W_LOCAL_SET, L_PTR);
    w_local(o, W_LOCAL_GET, L_ENTRY);
    w_mem(o, W_I64_LOAD, 3, table);
    w_local(o, W_LOCAL_GET, L_VA);
    w_op(o, W_I64_XOR);
    w_i64_const(o, PAGE - (i64)bytes);
    w_op(o, W_I64_GT_U);
}

static void simd_mem(struct emit *e, u32 code, u32 offset) {
    w_op(out(e), W_SIMD);
    w_u32(out(e), code);
    w_u32(out(e), 0);
    w_u32(out(e), offset);
}

// The miss: calls `function`, with `value` (a local, 0: none) among its arguments, or for a vector
// in the engine's scratch vector. It gives 0 after an exception and 1 where code would be written:
// then the interpreter goes on, so that what comes next is the new code.
static void miss(struct emit *e, u32 type, u32 function, u32 value, u32 info) {
    struct buf *o = out(e);
    if (e->r->misses != MISSES_STAY && !e->begun) {
        br_miss(e);
        return;
    }
    bool may_leave = !e->begun && info >> INFO_WRITE & 1;
    info |= (u32)may_leave << INFO_LEAVE;
    store_budget(e);
    bool vector = value && e->types[value] == W_T_V128;
    if (vector) {
        w_i32_const(o, (i32)e->abi->vector);
        w_local(o, W_LOCAL_GET, value);
        simd_mem(e, W_V128_STORE, 0);
    }
    push_pcrel(e, e->rel);
    w_local(o, W_LOCAL_GET, L_VA);
    if (value && !vector) w_local(o, W_LOCAL_GET, value);
    if (value && e->types[value] == W_T_F64) w_op(o, W_I64_REINTERPRET_F64);
    if (value && e->types[value] == W_T_F32) {
        w_op(o, W_I32_REINTERPRET_F32);
        w_op(o, W_I64_EXTEND_I32_U);
    }
    w_i32_const(o, (i32)info);
    call_indirect(e, type, function);
    w_local(o, W_LOCAL_TEE, L_PTR);
    w_i32_const(o, may_leave);
    w_op(o, W_I32_LE_U);
    open_if(e, W_T_VOID, true);
    if (may_leave) {
        w_local(o, W_LOCAL_GET, L_PTR);
        open_if(e, W_T_VOID, true);
        br_miss(e);
        close_if(e);
    }
    br_fault(e);
    close_if(e);
    load_budget(e);
}

// Pushes whether the address in L_VA is outside of the page kept in local `tag`, or not aligned.
static void outside(struct emit *e, u32 tag, unsigned bytes) {
    w_local(out(e), W_LOCAL_GET, L_VA);
    w_i64_const(out(e), -(i64)PAGE | (bytes - 1));
    w_op(out(e), W_I64_AND);
    w_local(out(e), W_LOCAL_GET, tag);
    w_op(out(e), W_I64_NE);
}

static void keep_page(struct emit *e, u32 tag) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_GET, L_VA);
    w_i64_const(o, -(i64)PAGE);
    w_op(o, W_I64_AND);
    w_local(o, W_LOCAL_SET, tag);
    w_local(o, W_LOCAL_GET, L_PTR);
    w_local(o, W_LOCAL_GET, L_VA);
    w_op(o, W_I32_WRAP_I64);
    w_op(o, W_I32_SUB);
    w_local(o, W_LOCAL_SET, tag + 1);
}

// ---- windows

// By window, loaded from the context on entry: where it begins, its rooms by size, where it is on
// the host; those that are used.
enum { WINDOW_LO, WINDOW_ROOM, WINDOW_HOST = WINDOW_ROOM + WINDOW_ROOMS };
_Static_assert(WINDOW_HOST + 1 == WINDOW_LOCALS, "all of them");

static unsigned room_for(unsigned bytes) {
    static const u16 sizes[WINDOW_ROOMS] = WINDOW_SIZES;
    unsigned k = 0;
    while (sizes[k] < bytes) k++;
    return WINDOW_ROOM + k;
}

bool is_write(const struct ir_insn *o) {
    return ir_ops[o->op].result == IR_NONE || (o->op >= IR_LDW8 && o->op <= IR_LDW64);
}

static void use_part(struct emit *e, u32 window, unsigned part) {
    if (e->windows[window - 1][part]) return;
    e->types[e->nlocals] = part == WINDOW_HOST ? W_T_I32 : W_T_I64;
    e->windows[window - 1][part] = (u16)e->nlocals++;
}

void windows_plan(struct emit *e) {
    memset(e->windows, 0, sizeof e->windows);
    if (!e->r->windows) return;
    for (unsigned k = 0; k < e->r->n; k++) {
        const struct region_block *b = &e->r->blocks[k];
        i32 rel = b->start;
        for (u32 i = 1; i < b->nops; i++) {
            const struct ir_insn *o = &b->ops[i];
            unsigned bytes = ir_access_bytes((enum ir_op)o->op);
            if (o->op == IR_INSN) rel = (i32)o->imm;
            u32 w = bytes ? e->abi->window(e->abi->arg, rel, is_write(o)) : 0;
            if (!w) continue;
            use_part(e, w, WINDOW_LO);
            use_part(e, w, WINDOW_HOST);
            use_part(e, w, room_for(bytes));
            // What is looked up at once, which is known later.
            for (unsigned q = room_for(17); q < WINDOW_HOST; q++) use_part(e, w, q);
        }
    }
}

void windows_load(struct emit *e) {
    for (unsigned k = 0; k < sizeof e->windows / sizeof e->windows[0]; k++)
        for (unsigned q = 0; q < WINDOW_LOCALS; q++) {
            if (!e->windows[k][q]) continue;
            w_local(out(e), W_LOCAL_GET, L_TLB);
            w_mem(out(e), q == WINDOW_HOST ? W_I32_LOAD : W_I64_LOAD, 2,
                  e->abi->windows + k * e->abi->window_size + 8 * q);
            w_local(out(e), W_LOCAL_SET, e->windows[k][q]);
        }
}

u32 window_of(const struct emit *e, u32 i) {
    if (!e->r->windows || e->r->misses == MISSES_STAY) return 0;
    u32 w = e->abi->window(e->abi->arg, e->rel, is_write(&e->b->ops[i]));
    return w && e->windows[w - 1][WINDOW_LO] ? w : 0;
}

void ask_window(struct emit *e, u32 window, unsigned bytes) {
    struct buf *o = out(e);
    const u16 *at = e->windows[window - 1];
    assert(at[room_for(bytes)] && "its room was planned");
    w_local(o, W_LOCAL_GET, at[WINDOW_LO]);
    w_op(o, W_I64_SUB);
    w_local(o, W_LOCAL_TEE, L_VA);
    w_op(o, W_I32_WRAP_I64);
    w_local(o, W_LOCAL_GET, at[WINDOW_HOST]);
    w_op(o, W_I32_ADD);
    w_local(o, W_LOCAL_SET, L_PTR);
    w_local(o, W_LOCAL_GET, L_VA);
    w_local(o, W_LOCAL_GET, at[room_for(bytes)]);
    w_op(o, W_I64_GE_U);
}

void tell_window(struct emit *e) {
    push_base(e);
    w_local(out(e), W_LOCAL_GET, L_VA);
    mem_at(e, W_I64_STORE, 3, e->abi->missed);
    push_base(e);
    w_local(out(e), W_LOCAL_GET, L_ENTRY);
    mem_at(e, W_I32_STORE, 2, e->abi->missed_window);
}

void leave_window(struct emit *e, u32 window) {
    open_if(e, W_T_VOID, true);
    w_local(out(e), W_LOCAL_GET, L_VA);
    w_local(out(e), W_LOCAL_GET, e->windows[window - 1][WINDOW_LO]);
    w_op(out(e), W_I64_ADD);
    w_local(out(e), W_LOCAL_SET, L_VA);
    w_i32_const(out(e), (i32)window);
    w_local(out(e), W_LOCAL_SET, L_ENTRY);
    br_miss(e);
    close_if(e);
}

struct slow {
    u32 type, function, value;
};

// On the host: an i32 local and a constant.
struct host {
    u32 local, offset;
};

// Operation i's address on the host.
static struct host translate(struct emit *e, u32 i, unsigned bytes, bool write, struct slow slow) {
    const struct ir_insn *op = &e->b->ops[i];
    struct buf *o = out(e);
    u32 table = write ? e->abi->tlb_w : e->abi->tlb_r;
    u32 info = place_info(e) | bytes << INFO_BYTES | (u32)write << INFO_WRITE;
    const struct host there = {L_PTR, 0};
    unsigned kept = 0;
    const struct group *g = e->group[i] ? &e->groups[e->group[i] - 1] : NULL;
    e->accesses += e->access != ACCESS_APART;
    if (e->access == ACCESS_NEAR || (g && g->sure)) {
        use_unseen(e, op->a);
        return (struct host){g->local, (u32)(e->off[i] - g->lo)};
    }
    u32 window = e->begun ? 0 : window_of(e, i);
    if (e->access == ACCESS_ANY && !window)
        kept = flow_kept(&e->flow, (unsigned)(e->b - e->r->blocks), e->b->ops, i, e->bases);
    push(e, op->a);
    if (op->imm) {
        w_i64_const(o, (i64)op->imm);
        w_op(o, W_I64_ADD);
    }
    if (window) {
        ask_window(e, window, bytes);
        leave_window(e, window);
        return there;
    }
    w_local(o, W_LOCAL_SET, L_VA);
    if (!kept) {
        e->probes += e->access == ACCESS_ANY;
        probe(e, table, bytes);
        open_if(e, W_T_VOID, true);
        miss(e, slow.type, slow.function, slow.value, info);
        close_if(e);
        return there;
    }
    u32 tag = e->first_kept + 2 * (kept - 1);
    outside(e, tag, bytes);
    open_if(e, W_T_VOID, true);
    probe(e, table, bytes);
    open_if(e, W_T_VOID, true);
    miss(e, slow.type, slow.function, slow.value, info);
    w_op(o, W_ELSE);
    keep_page(e, tag);
    close_if(e);
    w_op(o, W_ELSE);
    w_local(o, W_LOCAL_GET, L_VA);
    w_op(o, W_I32_WRAP_I64);
    w_local(o, W_LOCAL_GET, tag + 1);
    w_op(o, W_I32_ADD);
    w_local(o, W_LOCAL_SET, L_PTR);
    close_if(e);
    return there;
}

static void load(struct emit *e, u32 i, u8 opcode, unsigned bytes, bool for_write) {
    struct host h =
        translate(e, i, bytes, for_write, (struct slow){T_SLOW_LOAD, e->abi->slow_load, 0});
    w_local(out(e), W_LOCAL_GET, h.local);
    // As a float when nothing wants the bits.
    bool dbl = e->floats[i] && e->floats[i] == e->uses[i];
    bool single = e->singles[i] && e->singles[i] == e->uses[i];
    if (dbl && opcode == W_I64_LOAD) {
        w_mem(out(e), W_F64_LOAD, 0, h.offset);
        keep_float(e, (ir_ref)i, W_T_F64);
    } else if (single && opcode == W_I64_LOAD32_U && !e->abi->boxed) {
        w_mem(out(e), W_F32_LOAD, 0, h.offset);
        keep_float(e, (ir_ref)i, W_T_F32);
    } else {
        w_mem(out(e), opcode, 0, h.offset);
        keep(e, (ir_ref)i);
    }
}

static void store(struct emit *e, u32 i, u8 opcode, unsigned bytes) {
    ir_ref r = fast_stored(e, &e->b->ops[i]);
    u8 type = e->kind[r] == V_FLOAT ? e->types[e->local[r]] : W_T_I64;
    bool is_float =
        (opcode == W_I64_STORE && type == W_T_F64) || (opcode == W_I64_STORE32 && type == W_T_F32);
    u32 v = take_local(e, is_float ? type : W_T_I64);
    if (is_float) {
        w_local(out(e), W_LOCAL_GET, e->local[r]);
        drop_use(e, r);
    } else {
        push(e, r);
    }
    w_local(out(e), W_LOCAL_SET, v);
    struct host h =
        translate(e, i, bytes, true, (struct slow){T_SLOW_STORE, e->abi->slow_store, v});
    w_local(out(e), W_LOCAL_GET, h.local);
    w_local(out(e), W_LOCAL_GET, v);
    w_mem(out(e), !is_float ? opcode : type == W_T_F64 ? W_F64_STORE : W_F32_STORE, 0, h.offset);
    e->busy[v] = 0;
    e->begun = true;
}

static void loadv(struct emit *e, u32 i) {
    struct host h = translate(e, i, 16, false, (struct slow){T_SLOW_LOAD, e->abi->slow_loadv, 0});
    w_local(out(e), W_LOCAL_GET, h.local);
    simd_mem(e, W_V128_LOAD, h.offset);
    keep(e, (ir_ref)i);
}

static void storev(struct emit *e, u32 i) {
    u32 v = take_local(e, W_T_V128);
    push(e, e->b->ops[i].b);
    w_local(out(e), W_LOCAL_SET, v);
    struct host h = translate(e, i, 16, true, (struct slow){T_SLOW_LOAD, e->abi->slow_storev, v});
    w_local(out(e), W_LOCAL_GET, h.local);
    w_local(out(e), W_LOCAL_GET, v);
    simd_mem(e, W_V128_STORE, h.offset);
    e->busy[v] = 0;
    e->begun = true;
}

bool emit_access(struct emit *e, u32 i) {
    switch (e->b->ops[i].op) {
    case IR_LDU8:
        load(e, i, W_I64_LOAD8_U, 1, false);
        return true;
    case IR_LDS8:
        load(e, i, W_I64_LOAD8_S, 1, false);
        return true;
    case IR_LDU16:
        load(e, i, W_I64_LOAD16_U, 2, false);
        return true;
    case IR_LDS16:
        load(e, i, W_I64_LOAD16_S, 2, false);
        return true;
    case IR_LDU32:
        load(e, i, W_I64_LOAD32_U, 4, false);
        return true;
    case IR_LDS32:
        load(e, i, W_I64_LOAD32_S, 4, false);
        return true;
    case IR_LD64:
        load(e, i, W_I64_LOAD, 8, false);
        return true;
    case IR_LDW8:
        load(e, i, W_I64_LOAD8_U, 1, true);
        return true;
    case IR_LDW16:
        load(e, i, W_I64_LOAD16_U, 2, true);
        return true;
    case IR_LDW32:
        load(e, i, W_I64_LOAD32_U, 4, true);
        return true;
    case IR_LDW64:
        load(e, i, W_I64_LOAD, 8, true);
        return true;
    case IR_ST8:
        store(e, i, W_I64_STORE8, 1);
        return true;
    case IR_ST16:
        store(e, i, W_I64_STORE16, 2);
        return true;
    case IR_ST32:
        store(e, i, W_I64_STORE32, 4);
        return true;
    case IR_ST64:
        store(e, i, W_I64_STORE, 8);
        return true;
    case IR_LDV:
        loadv(e, i);
        return true;
    case IR_STV:
        storev(e, i);
        return true;
    default:
        return false;
    }
}
