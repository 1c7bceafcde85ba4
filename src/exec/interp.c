// The interpreter: a loop over pre-decoded uops. One switch, because V8 compiles that best (a
// switch over pre-decoded operations ran four times as fast as tail-call threading there; natively
// they are close), and short runs, because V8 replaces a function's code only when it is called
// again.
//
// Invariants: state cells are exact at every uop; pc and the count are made current before anything
// that may fault; the budget is charged at exits only, by whole blocks.
#include <string.h>

#include "emit/wasm/region.h"
#include "exec/uop_do.h"

// The address is not in the jump cache for this context: finds or decodes its block. 0: raised.
static NOINLINE u32 jump_miss(struct cpu *c, gva pc, const struct uop *from) {
    bool called = (from->code == UOP_JUMPIND || from->code == UOP_FAR) && from->b == IR_JUMP_CALL;
    u32 i = code_at(c, pc);
    if (!i) return 0;
    if (called) code_called(c, i);
    if (from->code == UOP_JUMPIND && from->b == IR_JUMP_PLAIN) block_of(c, i)->jumped = true;
    if (unlikely(!jump_canonical(pc))) return i;
    struct jump_entry *e = &c->jumps[(pc >> 1) & ((1u << JUMPS_BITS) - 1)];
    e->tag = pc ^ c->run.mix;
    e->index = i;
    e->function = c->arena[i].code == UOP_REGION ? (u32)c->arena[i].imm : 0;
    return i;
}

// A slow access or helper left something for the run loop to see: end at the next exit, by setting
// the rest of the budget aside.
static ALWAYS_INLINE void heed(struct cpu *c) {
    if (likely(!c->attention)) return;
    end_run(c);
}

// Where and when execution is, for whoever may raise, count or ask for the time (devices do, too).
static ALWAYS_INLINE void place(struct cpu *c, const struct uop *u) {
    c->s->pc = c->run.page + u->meta % GUEST_PAGE_SIZE;
    c->s->insn_index = u->meta >> UOP_META_SHIFT;
    c->s->icount = c->run.icount + run_count(c);
}

NOINLINE bool uop_slow_load(struct cpu *c, const struct uop *u, gva va, unsigned size,
                            bool for_write, u64 *val) {
    place(c, u);
    if (!mem_load(c, va, size, for_write, val)) return false;
    heed(c);
    return true;
}

NOINLINE bool uop_slow_store(struct cpu *c, const struct uop *u, gva va, unsigned size, u64 val) {
    place(c, u);
    if (!mem_store(c, va, size, val)) return false;
    heed(c);
    return true;
}

NOINLINE bool uop_slow_loadv(struct cpu *c, const struct uop *u, gva va, v128 *val) {
    u64 lo, hi;
    if (!uop_slow_load(c, u, va, 8, false, &lo) || !uop_slow_load(c, u, va + 8, 8, false, &hi))
        return false;
    *val = (v128){lo, hi};
    return true;
}

NOINLINE bool uop_slow_storev(struct cpu *c, const struct uop *u, gva va, v128 val) {
    u64 old; // both halves must be writable before one is written
    return uop_slow_load(c, u, va, 8, true, &old) && uop_slow_load(c, u, va + 8, 8, true, &old) &&
           uop_slow_store(c, u, va, 8, val[0]) && uop_slow_store(c, u, va + 8, 8, val[1]);
}

// A link is taken for the first time: finds or decodes its target and makes this uop, and the
// branch it is a way of, go there directly. 0: an exception was raised.
static NOINLINE u32 resolve(struct cpu *c, struct uop *u, gva pc) {
    u32 generation = c->arena_generation;
    u32 ppn = block_of(c, u->meta)->ppn;
    u32 to = code_in_page(c, ppn, (u16)(pc % GUEST_PAGE_SIZE), pc);
    if (!to || c->arena_generation != generation) return to;
    if (u->b == IR_JUMP_CALL) code_called(c, to);
    // What crosses into the next page depends on the mapping: through the jump cache each time.
    if (block_of(c, to)->ppn != ppn) {
        u->imm = pc % GUEST_PAGE_SIZE;
        u->code = UOP_FAR;
        return to;
    }
    i32 way = (i32)((u8 *)&c->arena[to] - (u8 *)u), step = (i32)sizeof *u;
    if (u->a == LINK_TAKEN) u[-1].target = way + step;
    if (u->a == LINK_OTHER) u[-2].other = way + 2 * step;
    u->code = UOP_JUMP;
    u->target = way;
    return to;
}

static inline bool has_budget(const struct cpu *c) { return c->run.budget + c->run.more > 0; }

static inline void note_exit(struct cpu *c, bool returned, u64 insns) {
    c->stats.insns_translated += insns;
    if (!returned && c->run.how == REGION_FAULT) {
        c->stats.exits_fault++;
    } else if (!returned && (c->run.how == REGION_LEAVE || c->run.how == REGION_LEFT)) {
        c->stats.exits_leave++;
    } else if (!returned && (c->run.how & 0xff) == REGION_MISS) {
        c->stats.exits_miss++;
        return;
    } else if (!has_budget(c)) {
        c->stats.exits_budget++;
        return;
    } else {
        c->stats.exits_jump++;
    }
    jit_count_exit(c);
}

typedef i32 (*region_fn)(u64 page, i32 budget, i32 depth); // emit/wasm/region.h

// Dispatch. Natively each handler jumps to the next by itself, which predicts better; V8 has
// nothing like it and compiles the switch well.
#if BERTH_COMPUTED_GOTO
#define OP(n)    L_##n
#define DISPATCH goto *labels[u->code]
#else
#define OP(n)    case UOP_##n
#define DISPATCH continue
#endif
#define NEXT(n)                                                                                    \
    u += (n);                                                                                      \
    DISPATCH

#if !BERTH_COMPUTED_GOTO
// Uops without a handler of their own in the loop (fuse.def).
enum rare { RARE_FAULT, RARE_PLAIN, RARE_TAKEN, RARE_NOT_TAKEN };

static NOINLINE enum rare run_rare(struct cpu *c, u8 *st, const struct tlb_context *tlb,
                                   struct uop *u) {
    switch (u->code) {
#define UOP_PLAIN(n)                                                                               \
    case UOP_##n:                                                                                  \
        return do_##n(c, st, tlb, u) ? RARE_PLAIN : RARE_FAULT;
#define UOP_BRANCH(n)                                                                              \
    case UOP_BR_##n:                                                                               \
        return taken_##n(st, u) ? RARE_TAKEN : RARE_NOT_TAKEN;
#include "exec/uops.def"
    default:
        __builtin_unreachable();
    }
}
#endif

// To the block that an exit is linked with, or to the uop `n` further that will link it. The two
// ways of a branch must stay two: with one computed target the next uop's address would wait for
// the comparison's operands, where a predicted branch does not.
#define WAY(to, n)                                                                                 \
    {                                                                                              \
        i32 way = (to);                                                                            \
        if (unlikely((n) && !way)) {                                                               \
            NEXT(n);                                                                               \
        }                                                                                          \
        u = (struct uop *)(void *)((u8 *)u + way);                                                 \
        if (unlikely(c->run.budget <= 0)) goto spent;                                              \
        DISPATCH;                                                                                  \
    }
#define KEEP_BRANCH __asm__ volatile("")

// What is live across uops is kept to four locals (u, st, tlb, c): more would be spilled at every
// dispatch. The rest of a run's state is in c->run.
u64 interp_run(struct cpu *c, u32 limit) {
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
#include "exec/uops.def"
#else
#define FUSE1(n)    PLAIN(n)
#define FUSE1_BR(n) OP(BR_##n) : BRANCH(n, 0)
#endif
// ... and of fused ones.
#define FUSE2(a, b)                                                                                \
    OP(a##__##b) : RUN(a, 0);                                                                      \
    RUN(b, 1);                                                                                     \
    NEXT(2);
#define FUSE2_BR(a, b)                                                                             \
    OP(a##__##b) : RUN(a, 0);                                                                      \
    BRANCH(b, 1)
#define FUSE2_TO(a, b)                                                                             \
    OP(a##__##b) : RUN(a, 0);                                                                      \
    u += 1;                                                                                        \
    goto exit_##b;
#define FUSE3(a, b, c_)                                                                            \
    OP(a##__##b##__##c_) : RUN(a, 0);                                                              \
    RUN(b, 1);                                                                                     \
    RUN(c_, 2);                                                                                    \
    NEXT(3);
#define FUSE3_BR(a, b, c_)                                                                         \
    OP(a##__##b##__##c_) : RUN(a, 0);                                                              \
    RUN(b, 1);                                                                                     \
    BRANCH(c_, 2)
#define FUSE3_TO(a, b, c_)                                                                         \
    OP(a##__##b##__##c_) : RUN(a, 0);                                                              \
    RUN(b, 1);                                                                                     \
    u += 2;                                                                                        \
    goto exit_##c_;
#include "exec/fuse.def"
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
