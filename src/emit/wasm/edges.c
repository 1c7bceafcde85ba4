// From a region to other code: jumps, guest calls and returns as WebAssembly's, and back to the run
// loop. Depends on emit.h; all state is in memory on every way here.
#include "emit/wasm/emit.h"

void charge(struct emit *e) {
    w_local(out(e), W_LOCAL_GET, L_BUDGET);
    w_i32_const(out(e), (i32)e->b->ninsns);
    w_op(out(e), W_I32_SUB);
    w_local(out(e), W_LOCAL_SET, L_BUDGET);
}

void push_budget_gone(struct emit *e) {
    w_local(out(e), W_LOCAL_GET, L_BUDGET);
    w_i32_const(out(e), 0);
    w_op(out(e), W_I32_LE_S);
}

// Calls the pushed function of a region; its arguments are below it.
static void call_region(struct emit *e, u8 op) {
    w_op(out(e), op);
    w_u32(out(e), T_REGION);
    w_u32(out(e), 0);
}

// Pops what such a call, or a question to exec/, has given. 0: everything unwinds, run.how says
// why.
static void unwind_if_zero(struct emit *e) {
    w_op(out(e), W_I32_EQZ);
    open_if(e, W_T_VOID, true);
    w_i32_const(out(e), 0);
    w_op(out(e), W_RETURN);
    close_if(e);
}

// Pushes the page that `rel` lies in.
static void push_page_of(struct emit *e, i64 rel) { push_pcrel(e, rel & -(i64)PAGE); }

// The cells are in memory: on to `rel`, directly when its slot is known.
void go_to(struct emit *e, i64 rel) {
    struct buf *o = out(e);
    u32 slot = e->abi->entry(e->abi->arg, (i32)rel);
    if (!slot) {
        push_pcrel(e, rel);
        w_local(o, W_LOCAL_SET, L_PC);
        br_exit(e, W_BR, EXIT_CHAIN);
        return;
    }
    store_pc(e, rel);
    push_budget_gone(e);
    br_exit(e, W_BR_IF, EXIT_STOP);
    push_page_of(e, rel);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_local(o, W_LOCAL_GET, L_DEPTH);
    w_i32_const(o, (i32)slot);
    call_region(e, W_RETURN_CALL_INDIRECT);
}

// The function of the jump cache's entry for L_PC, into L_PTR; without one, to label `none`.
static void look_up(struct emit *e, unsigned none) {
    struct buf *o = out(e);
    const struct region_abi *a = e->abi;
    w_local(o, W_LOCAL_GET, L_PC);
    w_op(o, W_I32_WRAP_I64);
    w_i32_const(o, 3); // (pc >> 1) entries of 16 bytes
    w_op(o, W_I32_SHL);
    w_i32_const(o, (i32)(a->jump_mask << 4));
    w_op(o, W_I32_AND);
    w_local(o, W_LOCAL_TEE, L_ENTRY);
    w_mem(o, W_I64_LOAD, 3, a->jumps);
    w_local(o, W_LOCAL_GET, L_PC);
    push_base(e);
    mem_at(e, W_I64_LOAD, 3, a->mix);
    w_op(o, W_I64_XOR);
    w_op(o, W_I64_NE);
    br_unlikely(e, none);
    // The bits in which tags differ between contexts must repeat the address's sign (exec/tlb.h).
    w_local(o, W_LOCAL_GET, L_PC);
    w_i64_const(o, 64 - (i64)a->jump_bits);
    w_op(o, W_I64_SHL);
    w_i64_const(o, 64 - (i64)a->jump_bits);
    w_op(o, W_I64_SHR_S);
    w_local(o, W_LOCAL_GET, L_PC);
    w_op(o, W_I64_NE);
    br_unlikely(e, none);
    w_local(o, W_LOCAL_GET, L_ENTRY);
    w_mem(o, W_I32_LOAD, 2, a->jumps + 12);
    w_local(o, W_LOCAL_TEE, L_PTR);
    w_op(o, W_I32_EQZ);
    br_unlikely(e, none);
}

static void push_pc_page(struct emit *e) {
    w_local(out(e), W_LOCAL_GET, L_PC);
    w_i64_const(out(e), -PAGE);
    w_op(out(e), W_I64_AND);
}

// To the function in L_PTR, of the code at L_PC.
static void tail_call(struct emit *e) {
    push_pc_page(e);
    w_local(out(e), W_LOCAL_GET, L_BUDGET);
    w_local(out(e), W_LOCAL_GET, L_DEPTH);
    w_local(out(e), W_LOCAL_GET, L_PTR);
    call_region(e, W_RETURN_CALL_INDIRECT);
}

// Goes on at the pushed address by the function of all regions that asks the jump cache: in each of
// them that was a tenth of all code. `less`: frames that may nest less.
static void call_chain(struct emit *e, u8 op, unsigned less) {
    w_local(out(e), W_LOCAL_GET, L_BUDGET);
    w_local(out(e), W_LOCAL_GET, L_DEPTH);
    if (less) {
        w_i32_const(out(e), (i32)less);
        w_op(out(e), W_I32_SUB);
    }
    w_i32_const(out(e), (i32)e->abi->chain);
    call_region(e, op);
}

// L_PAGE is where to go, in a frame that L_DEPTH has room for; what cannot be done there the run
// loop does.
void chain_function(struct emit *e) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_GET, L_PAGE);
    w_local(o, W_LOCAL_SET, L_PC);
    store_lpc(e);
    open_block(e);
    push_budget_gone(e);
    w_local(o, W_LOCAL_GET, L_DEPTH);
    w_i32_const(o, 0);
    w_op(o, W_I32_LT_S);
    w_op(o, W_I32_OR);
    br_unlikely(e, 0);
    look_up(e, 0);
    tail_call(e);
    close_if(e);
    store_budget(e);
    unwind(e, REGION_JUMP);
}

// Do computed jumps end here, as those of a handler of threaded code? They ask in place, so that
// the processor predicts each from its own past.
static bool jumps_anywhere(const struct region *r) {
    for (unsigned i = 0; i < r->n; i++) {
        const struct ir_insn *x = &r->blocks[i].ops[r->blocks[i].nops - 1];
        if (x->op == IR_JUMPIND && x->imm == IR_JUMP_PLAIN) return true;
    }
    return false;
}

// End of the chain exit: L_PC is where to go. To another region directly if the jump cache knows
// one.
void chain(struct emit *e) {
    if (!jumps_anywhere(e->r)) {
        push_base(e);
        w_i32_const(out(e), (i32)e->r->id);
        mem_at(e, W_I32_STORE, 2, e->abi->region);
        w_local(out(e), W_LOCAL_GET, L_PC);
        call_chain(e, W_RETURN_CALL_INDIRECT, 0);
        return;
    }
    const unsigned stop = EXIT_STOP - EXIT_CHAIN - 1; // the labels up to the chain's are closed
    store_lpc(e);
    push_budget_gone(e);
    br_unlikely(e, stop);
    look_up(e, stop);
    tail_call(e);
}

// The guest returns (L_PC): to the caller's frame when there is one.
void return_to_caller(struct emit *e) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_GET, L_DEPTH);
    w_i32_const(o, REGION_DEPTH);
    w_op(o, W_I32_EQ);
    br_unlikely(e, e->depth + EXIT_CHAIN);
    push_budget_gone(e);
    br_unlikely(e, e->depth + EXIT_CHAIN);
    store_lpc(e);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_op(o, W_RETURN);
}

// The guest calls code that has a slot. A function that calls itself need not ask the table: what
// takes it out of there lets no frame go on to another call. Without room for a frame all unwind.
static void call_slot(struct emit *e, i64 target, u32 slot) {
    struct buf *o = out(e);
    store_pc(e, target);
    push_budget_gone(e);
    w_local(o, W_LOCAL_GET, L_DEPTH);
    w_op(o, W_I32_EQZ);
    w_op(o, W_I32_OR);
    br_unlikely(e, e->depth + EXIT_STOP);
    push_page_of(e, target);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_local(o, W_LOCAL_GET, L_DEPTH);
    w_i32_const(o, 1);
    w_op(o, W_I32_SUB);
    if (slot == e->r->slot) {
        w_op(o, W_CALL);
        w_u32(o, e->index);
    } else {
        w_i32_const(o, (i32)slot);
        call_region(e, W_CALL_INDIRECT);
    }
}

// In a loop of the region a call (to L_PC) asks the jump cache in place: a tenth less time than by
// the function of all regions where most of the time is calls.
static void call_cached(struct emit *e) {
    struct buf *o = out(e);
    store_lpc(e);
    look_up(e, e->depth + EXIT_STOP);
    push_budget_gone(e);
    w_local(o, W_LOCAL_GET, L_DEPTH);
    w_op(o, W_I32_EQZ);
    w_op(o, W_I32_OR);
    br_unlikely(e, e->depth + EXIT_STOP);
    push_pc_page(e);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_local(o, W_LOCAL_GET, L_DEPTH);
    w_i32_const(o, 1);
    w_op(o, W_I32_SUB);
    w_local(o, W_LOCAL_GET, L_PTR);
    call_region(e, W_CALL_INDIRECT);
}

static bool in_loop(const struct region *r, unsigned block) {
    bool seen[REGION_BLOCKS] = {false};
    u8 list[REGION_BLOCKS];
    unsigned n = 0;
    for (unsigned i = block, k = 0;; i = list[k++]) {
        for (int way = 0; way < 2; way++) {
            i16 to = r->blocks[i].succ[way];
            if (to < 0 || seen[to]) continue;
            seen[to] = true;
            list[n++] = (u8)to;
        }
        if (k == n) return seen[block];
    }
}

// A guest call: as a call of the callee's function when it has one, else out to the run loop. After
// it the guest is where it should be or this frame is left.
void guest_call(struct emit *e, bool direct, i64 target) {
    struct buf *o = out(e);
    store_cells(e, &e->dirty);
    memset(&e->dirty, 0, sizeof e->dirty);
    u32 slot = direct ? e->abi->entry(e->abi->arg, (i32)target) : 0;
    if (slot) {
        call_slot(e, target, slot);
    } else {
        bool loop = in_loop(e->r, (unsigned)(e->b - e->r->blocks));
        if (direct) push_pcrel(e, target);
        if (direct && loop) w_local(o, W_LOCAL_SET, L_PC);
        if (!direct && !loop) w_local(o, W_LOCAL_GET, L_PC);
        if (loop)
            call_cached(e);
        else
            call_chain(e, W_CALL_INDIRECT, 1);
    }
    w_local(o, W_LOCAL_TEE, L_BUDGET);
    unwind_if_zero(e);
    push_base(e);
    mem_at(e, W_I64_LOAD, 3, e->abi->state + e->abi->pc_cell);
    w_local(o, W_LOCAL_TEE, L_PC);
    push_pcrel(e, e->b->end_rel);
    w_op(o, W_I64_NE);
    br_unlikely(e, e->depth + EXIT_CHAIN);
    if (e->b->succ[0] < 0) go_to(e, e->b->end_rel);
    forget_cells(e);
}

// Calls `function` of exec/, which tells in run.how why when it gives 0.
static void ask(struct emit *e, u32 function) {
    call_indirect(e, T_GUARD, function);
    w_local(out(e), W_LOCAL_TEE, L_PTR);
    unwind_if_zero(e);
}

static void load_lpc(struct emit *e) {
    push_base(e);
    mem_at(e, W_I64_LOAD, 3, e->abi->state + e->abi->pc_cell);
    w_local(out(e), W_LOCAL_SET, L_PC);
}

// More privileged code was called: so is its function, and it must have returned as such (go_back).
static void call_inner(struct emit *e) {
    struct buf *o = out(e);
    w_i64_const(o, 0);
    w_i32_const(o, 0);
    ask(e, e->abi->go_in);
    load_lpc(e);
    push_pc_page(e);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_i32_const(o, REGION_INNER_DEPTH);
    w_local(o, W_LOCAL_GET, L_PTR);
    call_region(e, W_CALL_INDIRECT);
    w_local(o, W_LOCAL_TEE, L_BUDGET);
    unwind_if_zero(e);
    push_base(e);
    mem_at(e, W_I32_LOAD, 2, e->abi->inner);
    w_i32_const(o, INNER_RETURNED);
    w_op(o, W_I32_NE);
    open_if(e, W_T_VOID, true);
    store_budget(e);
    unwind(e, REGION_JUMP);
    close_if(e);
    push_base(e);
    w_i32_const(o, INNER_NONE);
    mem_at(e, W_I32_STORE, 2, e->abi->inner);
    load_lpc(e); // compat system calls return elsewhere
    w_local(o, W_LOCAL_GET, L_PC);
    push_pcrel(e, e->b->end_rel);
    w_op(o, W_I64_NE);
    br_unlikely(e, e->depth + EXIT_CHAIN);
    if (!e->flow.memory) return;
    push_base(e); // the same translations, but maybe kept elsewhere
    mem_at(e, W_I32_LOAD, 2, e->abi->tlb_cur);
    w_local(o, W_LOCAL_SET, L_TLB);
}

void leave_faulted(struct emit *e) {
    struct buf *o = out(e);
    if (!e->abi->passes.calls) {
        w_i32_const(o, 0);
        w_op(o, W_RETURN);
        return;
    }
    w_i64_const(o, 0);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_local(o, W_LOCAL_GET, L_DEPTH);
    w_i32_const(o, (i32)e->abi->faulted);
    call_region(e, W_RETURN_CALL_INDIRECT);
}

void faulted_function(struct emit *e) {
    w_i64_const(out(e), 0);
    w_local(out(e), W_LOCAL_GET, L_DEPTH);
    ask(e, e->abi->go_raised);
    load_budget(e);
    load_lpc(e);
    tail_call(e);
}

// To where more privileged code has returned, or has called without a frame.
static void cross(struct emit *e) {
    struct buf *o = out(e);
    w_i64_const(o, 0);
    w_local(o, W_LOCAL_GET, L_DEPTH);
    ask(e, e->abi->go_back);
    w_local(o, W_LOCAL_GET, L_PTR);
    w_i32_const(o, 1);
    w_op(o, W_I32_EQ);
    open_if(e, W_T_VOID, false);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_op(o, W_RETURN);
    close_if(e);
    load_lpc(e);
    tail_call(e);
}

// The instruction may have changed anything: out to the run loop, or on when nothing has changed
// that code depends on, or on with other code.
void leave(struct emit *e) {
    u64 hint = e->b->ops[e->b->nops - 1].imm;
    store_cells(e, &e->dirty);
    memset(&e->dirty, 0, sizeof e->dirty);
    store_budget(e);
    if (e->b->end != END_CALL) {
        if (hint == IR_JUMP_PLAIN || !e->abi->passes.calls)
            unwind(e, REGION_LEAVE);
        else
            cross(e);
        return;
    }
    if (hint == IR_JUMP_CALL) {
        call_inner(e);
    } else {
        push_pcrel(e, e->b->end_rel);
        w_i32_const(out(e), 0);
        ask(e, e->abi->stay);
    }
    if (e->b->succ[0] < 0) go_to(e, e->b->end_rel);
    forget_cells(e);
}

// An inlined callee returns (L_PC): where it should, or out.
void inlined_return(struct emit *e) {
    w_local(out(e), W_LOCAL_GET, L_PC);
    push_pcrel(e, e->r->blocks[e->b->succ[0]].start);
    w_op(out(e), W_I64_NE);
    open_if(e, W_T_VOID, true);
    store_cells(e, &e->dirty);
    br_exit(e, W_BR, EXIT_CHAIN);
    close_if(e);
}
