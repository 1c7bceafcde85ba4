// A region as a WebAssembly function: control flow, calls, exits. Guest registers live in locals,
// loaded where they are live and stored where they are dirty (flow.c). Depends on ir/ and the
// encoder; knows the engine only through struct region_abi.
//
// Invariants: the budget counts whole blocks, charged at their ends and looked at on backward ways
// and on ways out; all state is in memory around calls of other regions, so whoever finds that
// everything must unwind just returns 0; a faulting access, or one that misses the TLB, leaves
// through one shared exit that stores the cells which it says are dirty.
#include "emit/wasm/region.h"

#include <assert.h>
#include <string.h>

#include "emit/wasm/emit.h"
#include "emit/wasm/narrow.h"
#include "emit/wasm/structure.h"

void call_indirect(struct emit *e, u32 type, u32 function) {
    w_i32_const(out(e), (i32)function);
    w_op(out(e), W_CALL_INDIRECT);
    w_u32(out(e), type);
    w_u32(out(e), 0);
}

void br_exit(struct emit *e, u8 op, unsigned exit) {
    w_op(out(e), op);
    w_u32(out(e), e->depth + exit);
}

static void hint_unlikely(struct emit *e) {
    if (!e->abi->passes.hints) return;
    u32 at = (u32)e->code.len;
    buf_put(&e->hints, &at, sizeof at);
    e->nhints++;
}

void br_unlikely(struct emit *e, unsigned label) {
    hint_unlikely(e);
    w_op(out(e), W_BR_IF);
    w_u32(out(e), label);
}

void open_block(struct emit *e) {
    w_op(out(e), W_BLOCK);
    w_op(out(e), W_T_VOID);
    e->depth++;
}

void open_if(struct emit *e, u8 type, bool unlikely) {
    if (unlikely) hint_unlikely(e);
    w_op(out(e), W_IF);
    w_op(out(e), type);
    e->depth++;
}

void close_if(struct emit *e) {
    e->depth--;
    w_op(out(e), W_END);
}

// ---- operations

// Operation i sets half of the vector in cell c.
static void set_half(struct emit *e, u32 i, unsigned c) {
    const struct ir_insn *o = &e->b->ops[i];
    struct buf *w = out(e);
    u32 l = L_CELLS + c;
    need_cell(e, c);
    settle_trees(e);
    ir_ref single = fast_merged(e, i), v = single ? single : o->a;
    if (scalar_set(e, i, c, v, single != 0)) return;
    w_local(w, W_LOCAL_GET, l);
    if (single || (e->kind[v] == V_FLOAT && e->types[e->local[v]] == W_T_F64)) {
        w_local(w, W_LOCAL_GET, e->local[v]);
        drop_use(e, v);
        if (single)
            simd_lane(e, W_F32X4_REPLACE_LANE, o->imm / 8 % 2 * 2);
        else
            simd_lane(e, W_F64X2_REPLACE_LANE, o->imm / 8 % 2);
    } else {
        push(e, o->a);
        simd_lane(e, W_I64X2_REPLACE_LANE, o->imm / 8 % 2);
    }
    vacate(e, l);
    w_local(w, W_LOCAL_SET, l);
}

static void emit_set(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    if (o->op == IR_SET && o->imm == e->abi->pc_cell) {
        push_base(e);
        push(e, o->a);
        mem_at(e, W_I64_STORE, 3, e->abi->state + e->abi->pc_cell);
        return;
    }
    unsigned c = e->flow.index[o->imm / 8] - 1u;
    if (o->op == IR_SET && e->flow.vector[c])
        set_half(e, i, c);
    else if (o->op == IR_SET || !scalar_set_all(e, i, c))
        set_cell(e, c, o->a);
    cell_remove(&e->late, c);
    if (flow_at_once(&e->flow, (unsigned)(e->b - e->r->blocks), i)) {
        store_cell(e, c);
        cell_remove(&e->dirty, c);
    } else {
        cell_add(&e->dirty, c);
    }
}

static void emit_get(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    if (o->op == IR_GET && o->imm == e->abi->pc_cell) {
        push_base(e);
        mem_at(e, W_I64_LOAD, 3, e->abi->state + e->abi->pc_cell);
        keep(e, (ir_ref)i);
        return;
    }
    if (!e->uses[i]) return;
    unsigned c = e->flow.index[o->imm / 8] - 1u;
    need_cell(e, c);
    if (scalar_get(e, i, c)) return;
    if (o->op == IR_GET && e->flow.vector[c]) {
        w_local(out(e), W_LOCAL_GET, L_CELLS + c);
        if (e->singles[i] == e->uses[i]) {
            simd_lane(e, W_F32X4_EXTRACT_LANE, o->imm / 8 % 2 * 2);
            keep_float(e, (ir_ref)i, W_T_F32);
        } else if (e->floats[i]) {
            simd_lane(e, W_F64X2_EXTRACT_LANE, o->imm / 8 % 2);
            keep_float(e, (ir_ref)i, W_T_F64);
        } else {
            simd_lane(e, W_I64X2_EXTRACT_LANE, o->imm / 8 % 2);
            keep(e, (ir_ref)i);
        }
        return;
    }
    e->kind[i] = V_CELL;
    e->local[i] = (u16)(L_CELLS + c);
    if (e->naliases == sizeof e->aliases / sizeof *e->aliases) {
        w_local(out(e), W_LOCAL_GET, L_CELLS + c);
        keep(e, (ir_ref)i);
    } else {
        e->aliases[e->naliases++] = (ir_ref)i;
    }
}

static void emit_call(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    u8 eff = e->r->helper_effects[o->aux];
    bool visible = helper_sees(eff), changes = helper_changes(eff);
    struct buf *w = out(e);
    if (changes) {
        settle_trees(e);
        for (unsigned k = 0; k < e->flow.n; k++) vacate(e, L_CELLS + k);
    }
    if (visible) {
        store_cells(e, &e->dirty);
        memset(&e->dirty, 0, sizeof e->dirty);
    }
    if (eff & (HELPER_FAULTS | HELPER_PC)) {
        store_budget(e);
        push_pcrel(e, e->rel);
        w_i32_const(w, (i32)place_info(e));
        call_indirect(e, T_PLACE, e->abi->place);
    }
    w_i32_const(w, (i32)e->abi->state);
    const ir_ref args[3] = {o->a, o->b, o->c};
    for (unsigned k = 0; k < 3; k++) {
        if (args[k])
            push(e, args[k]);
        else
            w_i64_const(w, 0);
    }
    w_i64_const(w, (i64)o->imm);
    call_indirect(e, T_HELPER, e->abi->helper(e->abi->arg, o->aux));
    keep(e, (ir_ref)i);
    if (changes) forget_cells(e);
    if (!(eff & HELPER_FAULTS)) return;
    push_base(e);
    mem_at(e, W_I32_LOAD8_U, 0, e->abi->exc);
    open_if(e, W_T_VOID, true);
    unwind(e, REGION_FAULT);
    close_if(e);
    push_base(e);
    mem_at(e, W_I32_LOAD8_U, 0, e->abi->attention);
    open_if(e, W_T_VOID, true);
    w_i64_const(w, 0);
    w_i32_const(w, 0);
    call_indirect(e, T_PLACE, e->abi->heed);
    close_if(e);
    load_budget(e);
}

static void emit_trapif(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    struct buf *w = out(e);
    u32 t = take_local(e, W_T_I64);
    push(e, o->b);
    w_local(w, W_LOCAL_SET, t);
    push(e, o->a);
    open_if(e, W_T_VOID, true);
    store_budget(e);
    push_pcrel(e, e->rel);
    w_local(w, W_LOCAL_GET, t);
    w_i64_const(w, (i64)o->imm);
    w_i32_const(w, (i32)place_info(e));
    call_indirect(e, T_RAISE, e->abi->raise);
    br_fault(e);
    close_if(e);
    e->busy[t] = 0;
}

static void emit_end(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    if (o->op == IR_JUMPIND) {
        push(e, o->a);
        w_local(out(e), W_LOCAL_SET, L_PC);
    }
    charge(e);
    if (o->op == IR_LEAVE) {
        leave(e);
    } else if (e->b->end == END_CALL) {
        guest_call(e, o->op == IR_JUMP, (i64)o->imm);
    } else if (o->op == IR_JUMPIND && e->b->end == END_RETURN) {
        inlined_return(e);
    } else if (o->op == IR_JUMPIND && e->b->end == END_SWITCH) {
        return;
    } else if (o->op == IR_JUMPIND) {
        store_cells(e, &e->dirty);
        if (o->imm == IR_JUMP_RETURN && e->abi->passes.calls)
            return_to_caller(e);
        else
            br_exit(e, W_BR, EXIT_CHAIN);
    }
}

static void emit_op(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    switch (o->op) {
    case IR_CONST32:
    case IR_CONST64:
        e->kind[i] = V_CONST;
        return;
    case IR_GET:
    case IR_GETV:
        emit_get(e, i);
        return;
    case IR_SET:
    case IR_SETV:
        emit_set(e, i);
        e->begun = true;
        return;
    case IR_INSN:
        e->rel = (i32)o->imm;
        e->done++;
        e->begun = false;
        return;
    case IR_TRAPIF:
        emit_trapif(e, i);
        return;
    case IR_CALL:
        emit_fast_call(e, i, e->r->fast[o->aux], emit_call);
        e->begun |= e->r->helper_effects[o->aux] != 0;
        return;
    case IR_VCALL:
        emit_vcall(e, i);
        return;
    case IR_JUMP:
    case IR_BRANCH:
    case IR_JUMPIND:
    case IR_LEAVE:
        emit_end(e, i);
        return;
    default:
        break;
    }
    if (emit_access(e, i)) return;
    if (ir_ops[o->op].effects || ir_ops[o->op].result == IR_NONE) {
        e->failed = true;
        return;
    }
    if (!e->uses[i]) return;
    if (e->uses[i] == 1 && e->ntrees < sizeof e->trees / sizeof *e->trees) {
        e->kind[i] = V_TREE;
        e->trees[e->ntrees++] = (ir_ref)i;
    } else {
        settle(e, (ir_ref)i);
    }
}

void emit_ops(struct emit *e, u32 from, u32 to) {
    for (u32 i = from; i < to && !e->failed; i++) {
        flow_base(&e->flow, e->b->ops, i, e->bases);
        emit_op(e, i);
    }
}

// ---- structure callbacks

static void on_block(void *arg) {
    struct emit *e = arg;
    w_op(out(e), W_BLOCK);
    w_op(out(e), W_T_VOID);
    e->depth++;
}

static void on_loop(void *arg) {
    struct emit *e = arg;
    w_op(out(e), W_LOOP);
    w_op(out(e), W_T_VOID);
    e->depth++;
}

static void on_end(void *arg) { close_if(arg); }

static void on_node(void *arg, int node) {
    struct emit *e = arg;
    const struct region_block *b = e->b = &e->r->blocks[node];
    e->dirty = e->flow.dirty_in[node];
    e->late = e->flow.late_in[node];
    e->stale = e->stale_in[node];
    memset(e->kind, V_NONE, b->nops);
    memset(e->busy, 0, e->nlocals);
    e->ntrees = e->naliases = 0;
    e->rel = b->start;
    e->done = (u32)-1;
    fast_count_uses(e);
    clean_block(e);
    memset(e->bases, 0, b->nops);
    groups_plan(e);
    for (u32 i = 1, next; i < b->nops && !e->failed; i = next) {
        next = groups_run(e, i);
        if (next) continue;
        next = i + 1;
        emit_ops(e, i, next);
    }
    e->out_dirty[node] = e->dirty;
    e->out_late[node] = e->late;
    e->out_stale[node] = e->stale;
}

static void on_cond(void *arg, int node) {
    struct emit *e = arg;
    const struct region_block *b = &e->r->blocks[node];
    if (b->end == END_TEST) {
        w_local(out(e), W_LOCAL_GET, L_PC);
        push_pcrel(e, e->r->blocks[b->succ[0]].start);
        w_op(out(e), W_I64_EQ);
    } else {
        push(e, b->ops[b->nops - 1].a);
    }
    open_if(e, W_T_VOID, false);
}

static void on_else(void *arg) {
    struct emit *e = arg;
    w_op(out(e), W_ELSE);
}

static void on_leave(void *arg, int node, int way) {
    struct emit *e = arg;
    const struct region_block *b = &e->r->blocks[node];
    const struct ir_insn *x = &b->ops[b->nops - 1];
    e->stale = e->out_stale[node];
    if (b->end == END_CALL) { // a way cut for structure: the return site has a region of its own
        go_to(e, b->end_rel);
        return;
    }
    if (b->cold >> way & 1) {
        br_cold(e, way == 0 ? (i64)x->imm : (i64)(i32)x->aux, &e->out_dirty[node]);
        return;
    }
    store_cells(e, &e->out_dirty[node]);
    if (b->end == END_SWITCH || b->end == END_TEST)
        br_exit(e, W_BR, EXIT_CHAIN);
    else if (b->end == END_RETURN)
        go_to(e, e->r->blocks[b->succ[0]].start);
    else
        go_to(e, way == 0 ? (i64)x->imm : (i64)(i32)x->aux);
}

static void on_edge(void *arg, int node, int to, bool backward) {
    struct emit *e = arg;
    e->stale = e->out_stale[node];
    if (backward) {
        push_budget_gone(e);
        open_if(e, W_T_VOID, true);
        store_cells(e, &e->out_dirty[node]);
        store_pc(e, e->r->blocks[to].start);
        br_exit(e, W_BR, EXIT_STOP);
        close_if(e);
    }
    struct cellset stored = cells_both(e->out_dirty[node], &e->flow.clean_in[to]);
    store_cells(e, &stored);
    e->late = e->out_late[node];
    need_cells(e, to);
    scalars_edge(e, to);
}

static void on_branch(void *arg, int node, int to, unsigned depth) {
    (void)node, (void)to;
    struct emit *e = arg;
    w_op(out(e), W_BR);
    w_u32(out(e), depth);
}

// ---- the function

static void graph(const struct region *r, struct structure_node *nodes) {
    for (unsigned i = 0; i < r->n; i++) {
        const struct region_block *b = &r->blocks[i];
        const struct ir_insn *x = &b->ops[b->nops - 1];
        bool one = b->end != END_OUT ? b->succ[0] >= 0 : x->op == IR_JUMP;
        nodes[i].nsucc = b->end == END_TEST || x->op == IR_BRANCH ? 2 : one ? 1 : 0;
        for (int k = 0; k < nodes[i].nsucc; k++) nodes[i].succ[k] = b->succ[k];
    }
}

static void tell_region(struct emit *e) {
    store_budget(e);
    push_base(e);
    w_i32_const(out(e), (i32)e->r->id);
    mem_at(e, W_I32_STORE, 2, e->abi->region);
}

// Leaves unless each further page is what the region was made from.
static void guards(struct emit *e) {
    struct buf *o = out(e);
    const struct region_abi *a = e->abi;
    for (unsigned i = 0; i < e->r->npages; i++) {
        i32 rel = e->r->pages[i].rel;
        push_pcrel(e, rel);
        w_local(o, W_LOCAL_TEE, L_VA);
        w_op(o, W_I32_WRAP_I64);
        w_i32_const(o, 8);
        w_op(o, W_I32_SHR_U);
        w_i32_const(o, (i32)((a->tlb_slots - 1) << 4));
        w_op(o, W_I32_AND);
        push_base(e);
        mem_at(e, W_I32_LOAD, 2, a->tlb_cur);
        w_op(o, W_I32_ADD);
        w_local(o, W_LOCAL_TEE, L_ENTRY);
        w_mem(o, W_I64_LOAD, 3, a->tlb_x);
        w_local(o, W_LOCAL_GET, L_VA);
        w_op(o, W_I64_NE);
        w_local(o, W_LOCAL_GET, L_ENTRY);
        w_mem(o, W_I32_LOAD, 2, a->tlb_x + 8);
        w_local(o, W_LOCAL_GET, L_VA);
        w_op(o, W_I32_WRAP_I64);
        w_op(o, W_I32_ADD);
        w_i32_const(o, (i32)e->r->pages[i].host);
        w_op(o, W_I32_NE);
        w_op(o, W_I32_OR);
        open_if(e, W_T_VOID, true);
        w_local(o, W_LOCAL_GET, L_VA);
        w_i32_const(o, (i32)e->r->pages[i].host);
        call_indirect(e, T_GUARD, a->guard);
        w_op(o, W_I32_EQZ);
        open_if(e, W_T_VOID, true);
        store_pc(e, e->r->blocks[0].start);
        store_budget(e);
        push_base(e);
        w_i32_const(o, (i32)e->r->id);
        mem_at(e, W_I32_STORE, 2, a->region);
        unwind(e, REGION_REFUSED);
        close_if(e);
        close_if(e);
    }
}

// The ways out, in the order of their labels.
static void exits(struct emit *e) {
    struct buf *o = out(e);
    w_op(o, W_UNREACHABLE);
    w_op(o, W_END); // EXIT_MISS
    if (e->flow.memory) {
        if (e->r->windows) tell_window(e);
        place_missed(e);
        tell_region(e);
    } else {
        w_op(o, W_UNREACHABLE);
    }
    w_op(o, W_END); // EXIT_DIRTY
    store_dirty(e);
    w_local(o, W_LOCAL_GET, L_HOW);
    open_if(e, W_T_VOID, false);
    push_base(e);
    w_local(o, W_LOCAL_GET, L_HOW);
    mem_at(e, W_I32_STORE, 2, e->abi->how);
    leave_faulted(e);
    close_if(e);
    w_op(o, W_END); // EXIT_CHAIN
    chain(e);
    w_op(o, W_END); // EXIT_STOP: state.pc says where to go on
    tell_region(e);
    unwind(e, REGION_JUMP);
    w_op(o, W_END);
}

static bool function(struct emit *e) {
    struct structure_node nodes[REGION_BLOCKS];
    graph(e->r, nodes);
    if (e->r->ahead) {
        w_op(out(e), W_BLOCK);
        w_op(out(e), W_T_VOID);
        w_local(out(e), W_LOCAL_GET, L_DEPTH);
        w_i32_const(out(e), 0);
        w_op(out(e), W_I32_LT_S);
        w_op(out(e), W_BR_IF);
        w_u32(out(e), 0);
    }
    guards(e);
    forget_cells(e);
    need_cells(e, 0);
    scalars_edge(e, 0);
    if (e->flow.memory) {
        push_base(e);
        mem_at(e, W_I32_LOAD, 2, e->abi->tlb_cur);
        w_local(out(e), W_LOCAL_SET, L_TLB);
    }
    windows_load(e);
    for (unsigned i = 0; i < e->flow.nkept; i++) {
        w_i64_const(out(e), NO_PAGE);
        w_local(out(e), W_LOCAL_SET, e->first_kept + 2 * i);
    }
    for (int i = 0; i < EXITS; i++) {
        w_op(out(e), W_BLOCK);
        w_op(out(e), W_T_VOID);
    }
    const struct structure_ops ops = {e,       on_block, on_loop,  on_end,  on_node,  on_cond,
                                      on_else, on_end,   on_leave, on_edge, on_branch};
    structure_walk(nodes, (int)e->r->n, &ops);
    assert(e->failed || e->depth == 0);
    memset(&e->stale, 0, sizeof e->stale);
    exits(e);
    // V8 takes the place where a function returns for what was executed of it, so that is its end.
    if (e->r->ahead) {
        w_i32_const(out(e), 0);
        w_op(out(e), W_END);
    }
    return !e->failed && !out(e)->oom;
}

static void declare(struct emit *e, struct buf *f) {
    w_u32(f, e->nlocals - L_TLB);
    for (unsigned i = L_TLB; i < e->nlocals; i++) {
        w_u32(f, 1);
        w_op(f, e->types[i]);
    }
}

// The hints' offsets count from the start of the body, which the locals' declarations precede.
static void append_hints(const struct emit *e, u32 index, u32 before, struct module *m) {
    struct buf *h = &m->hints;
    w_u32(h, index);
    w_u32(h, e->nhints);
    const u32 *at = (const u32 *)(const void *)e->hints.data;
    for (u32 i = 0; i < e->nhints; i++) {
        w_u32(h, at[i] + before);
        w_u32(h, 1);
        w_op(h, 0);
    }
    m->nhints++;
}

static void append(struct emit *e, u32 slot, struct module *m) {
    struct buf f = {0};
    declare(e, &f);
    w_u32(&m->code, (u32)(f.len + e->code.len));
    buf_put(&m->code, f.data, f.len);
    buf_put(&m->code, e->code.data, e->code.len);
    if (e->nhints) append_hints(e, m->n, (u32)f.len, m);
    m->code.oom |= f.oom;
    buf_free(&f);
    m->slots[m->n++] = slot;
}

static const u8 fixed[L_CELLS] = {W_T_I64, W_T_I32, W_T_I32, W_T_I32, W_T_I32, W_T_I32,
                                  W_T_I64, W_T_I64, W_T_I32, W_T_I64, W_T_I64};

static void emit_shared(const struct region_abi *abi, void (*function_of)(struct emit *), u32 slot,
                        struct module *m) {
    struct emit em = {.abi = abi, .nlocals = L_CELLS};
    memcpy(em.types, fixed, sizeof fixed);
    function_of(&em);
    w_op(out(&em), W_END);
    append(&em, slot, m);
    m->code.oom |= em.code.oom;
    buf_free(&em.code);
    buf_free(&em.hints);
}

void region_emit_shared(const struct region_abi *abi, u32 chain, u32 faulted, struct module *m) {
    emit_shared(abi, chain_function, chain, m);
    emit_shared(abi, faulted_function, faulted, m);
}

bool region_emit(const struct region *r, const struct region_abi *abi, struct module *m) {
    struct emit em;
    assert(m->n < MODULE_FUNCTIONS);
    if (!abi->chain) return false;
    struct region *narrowed = abi->passes.narrow ? region_narrow(r, abi->pc_cell) : NULL;
    em.r = narrowed ? narrowed : r;
    em.abi = abi;
    em.index = m->n;
    em.code = em.hints = (struct buf){0};
    em.nhints = em.depth = 0;
    em.failed = false;
    em.access = ACCESS_ANY;
    em.accesses = em.probes = 0;
    bool ok = flow_analyse(em.r, abi->pc_cell, abi->passes.pages, &em.flow);
    if (ok) {
        memcpy(em.types, fixed, sizeof fixed);
        for (unsigned i = 0; i < em.flow.n; i++)
            em.types[L_CELLS + i] = em.flow.vector[i] ? W_T_V128 : W_T_I64;
        em.first_kept = L_CELLS + em.flow.n;
        for (unsigned i = 0; i < em.flow.nkept; i++) {
            em.types[em.first_kept + 2 * i] = W_T_I64;
            em.types[em.first_kept + 2 * i + 1] = W_T_I32;
        }
        em.nlocals = em.first_kept + 2 * em.flow.nkept;
        windows_plan(&em);
        fast_shadows(&em);
        scalars_plan(&em);
        clean_find(&em);
        em.first_value = em.nlocals;
        ok = function(&em);
    }
    if (ok) append(&em, r->slot, m);
    m->probed = em.accesses ? 100 * em.probes / em.accesses : 0;
    region_narrow_free(r, narrowed);
    buf_free(&em.code);
    buf_free(&em.hints);
    return ok;
}
