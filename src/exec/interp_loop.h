// The interpreter's loop, a function for each table of fused uops: guests with lazy flags have
// another mix of them. Included by interp.c twice, with LOOP (its name), LOOP_FLAGS (which table)
// and FUSED (how the table's uops are called). What is live across uops is kept to four locals (u,
// st, tlb, c): more would be spilled at every dispatch. The rest of a run's state is in c->run.
static NOINLINE u64 LOOP(struct cpu *c, u32 limit) {
    struct guest_state *const s = c->s;
    u8 *const st = (u8 *)s;
    struct tlb_context *tlb;
    struct uop *u;
    gva pc;
    u64 m;
    u32 to;
#if BERTH_COMPUTED_GOTO
    static const void *const labels[UOP_COUNT] = {
        [UOP_INVALID] = &&L_INVALID,
#define UOP(n) [UOP_##n] = &&L_##n,
#if LOOP_FLAGS
#define UOP_FUSED(n)
#else
#define UOP_FUSED_FLAGS(n)
#endif
#include "exec/uops.def"
    };
#endif
    static struct uop nowhere; // what the first jump is from
    c->run.start = limit;
    c->run.sample = c->jit ? jit_start(c) : limit;
    split_budget(c, limit, c->run.sample);
    c->run.stash = 0;
    c->run.last = c->run.raised = 0;
    c->run.icount = s->icount;

relook: // state.pc says where; mode and mappings may have changed
    u = &nowhere;
    pc = s->pc;
    look_again(c);
    tlb = c->tlb.cur;
jump : { // to the guest address pc
    const struct jump_entry *e = &c->jumps[(pc >> 1) & ((1u << JUMPS_BITS) - 1)];
    to = e->index;
    if (unlikely(e->tag != (pc ^ c->run.mix) || !jump_canonical(pc))) {
        if (!(to = jump_miss(c, pc, u))) goto excepted;
    }
    c->run.page = pc & ~(u64)(GUEST_PAGE_SIZE - 1);
}
enter: // the block at arena index `to`, whose guest address is pc
    u = &c->arena[to];
    if (unlikely(c->run.budget <= 0)) {
        s->pc = pc;
        c->run.last = to;
        if (c->jit && jit_pause(c)) goto relook;
        goto out;
    }
dispatch:
#if BERTH_COMPUTED_GOTO
    DISPATCH;
    {
        {
#else
    for (;;) {
        switch (u->code) {
#endif
// Handlers: of uops by themselves, ...
#define RUN(n, k)                                                                                  \
    if (unlikely(!do_##n(c, st, tlb, u + (k)))) goto faulted
#define PLAIN(n)                                                                                   \
    OP(n) : RUN(n, 0);                                                                             \
    NEXT(1);
// the branch at u[k], ...
#define BRANCH(n, k) BRANCH_IF(taken_##n(st, u), k)
#define BRANCH_IF(e, k)                                                                            \
    u += (k);                                                                                      \
    c->run.budget -= u->d;                                                                         \
    if (e) {                                                                                       \
        KEEP_BRANCH;                                                                               \
        WAY(u->target, 1)                                                                          \
    }                                                                                              \
    WAY(u->other, 2)
#if BERTH_COMPUTED_GOTO
#define UOP_PLAIN(n)  PLAIN(n)
#define UOP_BRANCH(n) OP(BR_##n) : BRANCH(n, 0)
#define UOP_FUSED(n)
#define UOP_FUSED_FLAGS(n)
#include "exec/uops.def"
#else
#define FUSE1(n)    PLAIN(n)
#define FUSE1_BR(n) OP(BR_##n) : BRANCH(n, 0)
#endif
// ... and of fused ones.
#define FUSE2(a, b)                                                                                \
    OP(FUSED(a##__##b)) : RUN(a, 0);                                                               \
    RUN(b, 1);                                                                                     \
    NEXT(2);
#define FUSE2_BR(a, b)                                                                             \
    OP(FUSED(a##__##b)) : RUN(a, 0);                                                               \
    BRANCH(b, 1)
#define FUSE2_TO(a, b)                                                                             \
    OP(FUSED(a##__##b)) : RUN(a, 0);                                                               \
    u += 1;                                                                                        \
    goto exit_##b;
#define FUSE3(a, b, c_)                                                                            \
    OP(FUSED(a##__##b##__##c_)) : RUN(a, 0);                                                       \
    RUN(b, 1);                                                                                     \
    RUN(c_, 2);                                                                                    \
    NEXT(3);
#define FUSE3_BR(a, b, c_)                                                                         \
    OP(FUSED(a##__##b##__##c_)) : RUN(a, 0);                                                       \
    RUN(b, 1);                                                                                     \
    BRANCH(c_, 2)
#define FUSE3_TO(a, b, c_)                                                                         \
    OP(FUSED(a##__##b##__##c_)) : RUN(a, 0);                                                       \
    RUN(b, 1);                                                                                     \
    u += 2;                                                                                        \
    goto exit_##c_;
#if LOOP_FLAGS
#include "exec/fuse_flags.def"
#else
#include "exec/fuse.def"
#endif
            OP(TRAPIF) : {
                if (unlikely(GET_I32(u->a))) {
                    place(c, u);
                    guest_raise(s, (u64)(u32)u->disp, CELL(u->b));
                    goto faulted;
                }
                NEXT(1);
            }
            OP(CALL) : {
                CELL(u->d) = c->arch->helpers[u[1].a].fn(s, CELL(u->a), CELL(u->b),
                                                         CELL((u16)u->disp), u[1].imm);
                u += 2;
                DISPATCH;
            }
            OP(CALL_PC) : {
                place(c, u);
                m = c->arch->helpers[u[1].a].fn(s, CELL(u->a), CELL(u->b), CELL((u16)u->disp),
                                                u[1].imm);
                if (unlikely(s->exc)) goto faulted;
                CELL(u->d) = m;
                heed(c);
                u += 2;
                DISPATCH;
            }
            OP(BRNZ) : BRANCH_IF(GET_I32(u->a), 0);
            OP(JUMP) : {
                c->run.budget -= u->d;
                WAY(u->target, 0)
            spent: // at the block's first uop
                s->pc = c->run.page + block_of(c, (u32)(u - c->arena))->start;
                c->run.last = (u32)(u - c->arena);
                if (c->jit && jit_pause(c)) goto relook;
                goto out;
            }
            OP(LINK) : {
                pc = c->run.page + (u64)(i64)u->disp;
                c->run.budget -= u->d;
                if (!(to = resolve(c, u, pc))) goto excepted;
                goto enter;
            }
            OP(FAR) : exit_FAR : pc = c->run.page + u->imm;
            c->run.budget -= u->d;
            goto jump;
            OP(JUMPIND) : exit_JUMPIND : pc = CELL(u->a);
            c->run.budget -= u->d;
            goto jump;
            OP(LEAVE) : c->run.budget -= u->d;
            goto left;
            OP(STALE) : pc = c->run.page + block_of(c, (u32)(u - c->arena))->start;
            // Not through the jump cache, which may have led here.
            if (!(to = jump_miss(c, pc, &nowhere))) goto excepted;
            goto enter;
            OP(REGION) : {
                u32 id = (u32)(u->imm >> 32);
                if (likely(!c->run.interp_only)) {
                    // Samples are taken of what is interpreted.
                    i64 before = c->run.budget, all = before + c->run.more;
                    u64 count = run_count(c);
                    c->run.more = 0;
                    c->run.inner = INNER_NONE;
                    i32 rest =
                        ((region_fn)(uintptr_t)(u32)u->imm)(c->run.page, (i32)all, REGION_DEPTH);
                    pc = s->pc;
                    tlb = c->tlb.cur;
                    split_budget(c, rest > 0 ? rest : c->run.budget, before);
                    note_exit(c, rest > 0, run_count(c) - count);
                    if (rest > 0) goto jump;
                    if (c->run.how == REGION_JUMP || c->run.how == REGION_LEFT) goto jump;
                    if (c->run.how == REGION_FAULT) goto faulted;
                    if (c->run.how == REGION_LEAVE) goto left;
                    if ((c->run.how & 0xff) == REGION_MISS) goto missed;
                    id = c->run.region;
                    c->run.page = pc & ~(u64)(GUEST_PAGE_SIZE - 1);
                }
                u = (struct uop *)(uintptr_t)jit_shadow(c, id);
                DISPATCH;
            }
#if BERTH_COMPUTED_GOTO
        L_INVALID:
            __builtin_unreachable();
#else
        default: {
            enum rare how = run_rare(c, st, tlb, u);
            if (unlikely(how == RARE_FAULT)) goto faulted;
            if (likely(how == RARE_PLAIN)) {
                NEXT(1);
            }
            BRANCH_IF(how == RARE_TAKEN, 0)
        }
#endif
        }
    }

left: // an instruction that may have changed anything is complete
    if (c->attention || s->stop || !has_budget(c)) goto out;
    s->icount = c->run.icount + run_count(c); // guests and boards ask when it is
    s->insn_index = 0;
    take_interrupt(c);
    goto relook;

missed : { // in translated code: the rest of the block is interpreted
    bool gone;
    u = (struct uop *)(uintptr_t)jit_missed(c, c->run.how >> 8, &gone);
    if (gone) c->run.mix = jump_mix(c);
    c->run.page = pc & ~(u64)(GUEST_PAGE_SIZE - 1);
    if (!u) {
        if (!(to = jump_miss(c, pc, &nowhere))) goto excepted;
        u = &c->arena[to];
        if (u->code == UOP_REGION) u = (struct uop *)(uintptr_t)jit_shadow(c, (u32)(u->imm >> 32));
    }
    goto dispatch;
}

faulted: // inside a block: the instructions before this one are done
    c->run.budget -= s->insn_index;
excepted: // an exception was raised: every cell is in memory now, so it can be delivered
    s->icount = c->run.icount + run_count(c);
    // Charged like an instruction, but not counted: a handler that faults for ever must not run for
    // ever.
    c->run.budget--;
    c->run.start--;
    c->run.raised++;
    deliver(c);
    if (c->attention || s->stop || !has_budget(c)) goto out;
    goto relook;

out : {
    u64 n = run_count(c);
    s->icount = c->run.icount + n;
    s->insn_index = 0;
    return n + c->run.raised;
}
}

#undef RUN
#undef PLAIN
#undef BRANCH
#undef BRANCH_IF
