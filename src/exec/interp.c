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

// The block at pc, or one to go on with elsewhere when code had to be executed that is none yet:
// state.pc says where. 0: none (run.no_block).
static u32 find_block(struct cpu *c, gva pc, enum first_end way) {
    if (c->seen) return first_go(c, pc, way);
    c->s->pc = pc;
    c->run.no_block = NO_BLOCK_RAISED;
    u32 i = code_at(c, pc);
    if (i && way == FIRST_CALLED) code_called(c, i);
    if (i && way == FIRST_JUMPED) block_of(c, i)->jumped = true;
    return i;
}

// How an exit reaches what it goes to.
static enum first_end way_of(const struct uop *from) {
    bool far = from->code == UOP_JUMPIND || from->code == UOP_FAR;
    if ((far || from->code == UOP_LINK) && from->b == IR_JUMP_CALL) return FIRST_CALLED;
    if (from->code == UOP_JUMPIND && from->b == IR_JUMP_PLAIN) return FIRST_JUMPED;
    return FIRST_WENT;
}

// The address is not in the jump cache for this context: finds or decodes its block, or one to go
// on with elsewhere: state.pc says where. 0: none (run.no_block).
static NOINLINE u32 jump_miss(struct cpu *c, gva pc, const struct uop *from) {
    u32 i = find_block(c, pc, way_of(from));
    if (!i) return 0;
    pc = c->s->pc;
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
// branch it is a way of, go there directly. The block may be another one, at state.pc, and the link
// stays as it is, when the target is none yet. 0: none (run.no_block).
static NOINLINE u32 resolve(struct cpu *c, struct uop *u, gva pc) {
    u32 generation = c->arena_generation;
    u32 ppn = block_of(c, u->meta)->ppn;
    u64 before = run_count(c);
    u32 to = code_find(c, ppn, (u16)(pc % GUEST_PAGE_SIZE), c->arch->code_mode(c->s));
    c->s->pc = pc;
    if (!to)
        to = find_block(c, pc, way_of(u));
    else if (u->b == IR_JUMP_CALL)
        code_called(c, to);
    if (!to || c->arena_generation != generation || run_count(c) != before) return to;
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
    if (!returned && (c->run.how == REGION_FAULT || c->run.how == REGION_RAISED)) {
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

// Dispatch. Natively each handler jumps to the next by itself, which predicts better; V8 has
// nothing like it and compiles the switch well.
#if BERTH_COMPUTED_GOTO
#define OP(n)    OP_(n)
#define OP_(n)   L_##n
#define DISPATCH goto *labels[u->code]
#else
#define OP(n)    OP_(n)
#define OP_(n)   case UOP_##n
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

#define LOOP       run_plain
#define LOOP_FLAGS 0
#define FUSED(n)   n
#include "exec/interp_loop.def"
#undef LOOP
#undef LOOP_FLAGS
#undef FUSED
#define LOOP       run_flags
#define LOOP_FLAGS 1
#define FUSED(n)   F_##n
#include "exec/interp_loop.def"

u64 interp_run(struct cpu *c, u32 limit) {
    return c->arch->lazy_flags ? run_flags(c, limit) : run_plain(c, limit);
}
