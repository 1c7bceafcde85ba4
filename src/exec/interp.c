// The interpreter: a loop over pre-decoded uops. One switch, because V8 compiles that best (a
// switch over pre-decoded operations ran four times as fast as tail-call threading there; natively
// they are close), and short runs, because V8 replaces a function's code only when it is called
// again.
//
// Invariants: state cells are exact at every uop; pc and the count are made current before anything
// that may fault; the budget is charged at exits only, by whole blocks.
#include <string.h>

#include "base/compiler.h"
#include "emit/wasm/region.h"
#include "exec/engine.h"
#include "ir/ops.h"

#define CELL(off)  (*(u64 *)(void *)(st + (off)))
#define VCELL(off) (*(v128 *)(void *)(st + (off)))

// Reading and writing a cell as a value of each type.
#define GET_I64(o)     CELL(o)
#define GET_I32(o)     (u32) CELL(o)
#define GET_F64(o)     ir_f64_of(CELL(o))
#define GET_F32(o)     ir_f32_of((u32)CELL(o))
#define GET_V128(o)    VCELL(o)
#define PUT_I64(o, v)  (CELL(o) = (v))
#define PUT_I32(o, v)  (CELL(o) = (u32)(v))
#define PUT_F64(o, v)  (CELL(o) = ir_bits_of_f64(v))
#define PUT_F32(o, v)  (CELL(o) = ir_bits_of_f32(v))
#define PUT_V128(o, v) (VCELL(o) = (v128)(v))
#define T_I64          u64
#define T_I32          u32
#define T_F64          double
#define T_F32          float
#define T_V128         v128
// Sign-extending and immediate forms exist for integers; the other types' codes are never emitted.
#define SX_I32(o, v) (CELL(o) = (u64)(i64)(i32)(v))
#define SX_I64(o, v) (CELL(o) = (u64)(v))
#define SX_F64(o, v) PUT_F64(o, v)
#define SX_F32(o, v) PUT_F32(o, v)
#define IMM_I32(u)   (u32)(u)->imm
#define IMM_I64(u)   (u)->imm
#define IMM_F64(u)   ir_f64_of((u)->imm)
#define IMM_F32(u)   ir_f32_of((u32)(u)->imm)

// The address is not in the jump cache for this context: finds or decodes its block. 0: raised.
static NOINLINE u32 jump_miss(struct cpu *c, gva pc) {
    u32 i = code_at(c, pc);
    if (!i) return 0;
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
    c->run.stash += c->run.budget;
    c->run.budget = 0;
}

// Where execution is, for whoever may raise or count.
static ALWAYS_INLINE void place(struct cpu *c, const struct uop *u) {
    c->s->pc = c->run.page + u->meta % GUEST_PAGE_SIZE;
    c->s->insn_index = u->meta >> UOP_META_SHIFT;
}

static NOINLINE bool slow_load(struct cpu *c, const struct uop *u, gva va, unsigned size,
                               bool for_write, u64 *val) {
    place(c, u);
    if (!mem_load(c, va, size, for_write, val)) return false;
    heed(c);
    return true;
}

static NOINLINE bool slow_store(struct cpu *c, const struct uop *u, gva va, unsigned size,
                                u64 val) {
    place(c, u);
    if (!mem_store(c, va, size, val)) return false;
    heed(c);
    return true;
}

static NOINLINE bool slow_loadv(struct cpu *c, const struct uop *u, gva va, v128 *val) {
    u64 lo, hi;
    if (!slow_load(c, u, va, 8, false, &lo) || !slow_load(c, u, va + 8, 8, false, &hi))
        return false;
    *val = (v128){lo, hi};
    return true;
}

static NOINLINE bool slow_storev(struct cpu *c, const struct uop *u, gva va, v128 val) {
    u64 old; // both halves must be writable before one is written
    return slow_load(c, u, va, 8, true, &old) && slow_load(c, u, va + 8, 8, true, &old) &&
           slow_store(c, u, va, 8, val[0]) && slow_store(c, u, va + 8, 8, val[1]);
}

// A link is taken for the first time: finds or decodes its target and makes this uop, and the
// branch it is a way of, go there directly. 0: an exception was raised.
static NOINLINE u32 resolve(struct cpu *c, struct uop *u, gva pc) {
    u32 generation = c->arena_generation;
    u32 ppn = block_of(c, u->meta)->ppn;
    u32 to = code_in_page(c, ppn, (u16)(pc % GUEST_PAGE_SIZE), pc);
    if (!to || c->arena_generation != generation) return to;
    // What crosses into the next page depends on the mapping: through the jump cache each time.
    if (block_of(c, to)->ppn != ppn) {
        u->imm = pc % GUEST_PAGE_SIZE;
        u->code = UOP_FAR;
        return to;
    }
    if (u->a == LINK_TAKEN) u[-1].target = to;
    if (u->a == LINK_OTHER) u[-2].other = to;
    u->code = UOP_JUMP;
    u->target = to;
    return to;
}

typedef u32 (*region_fn)(struct guest_state *s); // enum region_exit

// Dispatch. Natively each handler jumps to the next by itself, which predicts better; V8 has
// nothing like it and compiles the switch well.
#if BERTH_COMPUTED_GOTO
#define OP(n)    L_##n
#define DISPATCH goto *labels[u->code]
#else
#define OP(n)    case UOP_##n
#define DISPATCH continue
#endif
#define NEXT                                                                                       \
    u++;                                                                                           \
    DISPATCH

// An access that hits: all its bytes in the page the entry is for (tlb.h).
#define HIT(e, va, bytes) likely(((va) ^ (e)->tag) <= GUEST_PAGE_SIZE - (bytes))
#define SLOT(table, va)   (&(table)[(va) >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)])
#define HOST(e, va)       ((void *)((e)->addend + (uintptr_t)(va)))

// What is live across uops is kept to four locals (u, st, tlb, c): more would be spilled at every
// dispatch. The rest of a run's state is in c->run.
u64 interp_run(struct cpu *c, u32 limit) {
    struct guest_state *const s = c->s;
    u8 *const st = (u8 *)s;
    struct tlb_context *tlb;
    struct uop *u;
    gva pc;
    u64 va, m;
    u32 to;
#if BERTH_COMPUTED_GOTO
    static const void *const labels[UOP_COUNT] = {[UOP_INVALID] = &&L_INVALID,
#define IR_BIN(n, t, ty, e) [UOP_##n] = &&L_##n, IR_BIN_##ty(n)
#define IR_BIN_I64(n)       [UOP_##n##_I] = &&L_##n##_I,
#define IR_BIN_I32(n)                                                                              \
    [UOP_##n##_I] = &&L_##n##_I, [UOP_##n##_X] = &&L_##n##_X, [UOP_##n##_XI] = &&L_##n##_XI,
#define IR_BIN_F32(n)
#define IR_BIN_F64(n)
#define IR_BIN_V128(n)
#define IR_CMP(n, t, ty, e)                                                                        \
    [UOP_##n] = &&L_##n, [UOP_##n##_I] = &&L_##n##_I, [UOP_BR_##n] = &&L_BR_##n,
#define IR_UN(n, t, r, ty, e)    [UOP_##n] = &&L_##n,
#define IR_SHV(n, t, e)          [UOP_##n] = &&L_##n,
#define IR_SEL(n, t, ty)         [UOP_##n] = &&L_##n,
#define IR_LOAD(n, t, ty, by, e) [UOP_##n] = &&L_##n,
#define IR_STORE(n, t, ty, by)   [UOP_##n] = &&L_##n,
#include "ir/ops.def"
#undef IR_BIN_I64
#undef IR_BIN_I32
#undef IR_BIN_F32
#undef IR_BIN_F64
#undef IR_BIN_V128
#define UOP_MISC(n) [UOP_##n] = &&L_##n,
                                                  UOP_MISC_LIST
#undef UOP_MISC
    };
#endif
    c->run.budget = c->run.start = limit;
    c->run.stash = 0;
    c->run.last = c->run.raised = 0;
    c->run.icount = s->icount;

relook: // state.pc says where; mode and mappings may have changed
    pc = s->pc;
    if (c->tlb.jumps_wrapped) {
        memset(c->jumps, 0xff, ((size_t)1 << JUMPS_BITS) * sizeof *c->jumps);
        c->tlb.jumps_wrapped = false;
    }
    tlb_switch(&c->tlb, c->arch->tlb_key(s));
    tlb = c->tlb.cur;
    c->run.mix = (tlb->jumps << JUMP_MODE_BITS | c->arch->code_mode(s)) << JUMP_TAG_SHIFT;
jump : { // to the guest address pc
    const struct jump_entry *e = &c->jumps[(pc >> 1) & ((1u << JUMPS_BITS) - 1)];
    to = e->index;
    if (unlikely(e->tag != (pc ^ c->run.mix))) {
        if (!(to = jump_miss(c, pc))) goto excepted;
    }
    c->run.page = pc & ~(u64)(GUEST_PAGE_SIZE - 1);
}
enter: // the block at arena index `to`, whose guest address is pc
    u = &c->arena[to];
    if (unlikely(c->run.budget <= 0)) {
        s->pc = pc;
        c->run.last = to;
        goto out;
    }

#if BERTH_COMPUTED_GOTO
    DISPATCH;
    {
        {
#else
    for (;;) {
        switch (u->code) {
#endif
#define IR_BIN(n, t, ty, e)                                                                        \
    OP(n) : {                                                                                      \
        T_##ty a = GET_##ty(u->a), b = GET_##ty(u->b);                                             \
        PUT_##ty(u->d, e);                                                                         \
        NEXT;                                                                                      \
    }                                                                                              \
    IR_BIN_##ty(n, e)
#define IR_BIN_INT(n, ty, e)                                                                       \
    OP(n##_I) : {                                                                                  \
        T_##ty a = GET_##ty(u->a), b = IMM_##ty(u);                                                \
        PUT_##ty(u->d, e);                                                                         \
        NEXT;                                                                                      \
    }
#define IR_BIN_I64(n, e) IR_BIN_INT(n, I64, e)
#define IR_BIN_I32(n, e)                                                                           \
    IR_BIN_INT(n, I32, e)                                                                          \
    OP(n##_X) : {                                                                                  \
        u32 a = GET_I32(u->a), b = GET_I32(u->b);                                                  \
        SX_I32(u->d, e);                                                                           \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(n##_XI) : {                                                                                 \
        u32 a = GET_I32(u->a), b = IMM_I32(u);                                                     \
        SX_I32(u->d, e);                                                                           \
        NEXT;                                                                                      \
    }
#define IR_BIN_F32(n, e)
#define IR_BIN_F64(n, e)
#define IR_BIN_V128(n, e)
#define IR_CMP(n, t, ty, e)                                                                        \
    OP(n) : {                                                                                      \
        T_##ty a = GET_##ty(u->a), b = GET_##ty(u->b);                                             \
        CELL(u->d) = (e);                                                                          \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(n##_I) : {                                                                                  \
        T_##ty a = GET_##ty(u->a), b = IMM_##ty(u);                                                \
        CELL(u->d) = (e);                                                                          \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(BR_##n) : {                                                                                 \
        T_##ty a = GET_##ty(u->a), b = GET_##ty(u->b);                                             \
        bool taken = (e);                                                                          \
        to = taken ? u->target : u->other;                                                         \
        c->run.budget -= u->d;                                                                     \
        if (likely(to)) goto in_page;                                                              \
        u += taken ? 1 : 2;                                                                        \
        DISPATCH;                                                                                  \
    }
#define IR_UN(n, t, rt, ty, e)                                                                     \
    OP(n) : {                                                                                      \
        T_##ty a = GET_##ty(u->a);                                                                 \
        PUT_##rt(u->d, e);                                                                         \
        NEXT;                                                                                      \
    }
#define IR_SHV(n, t, e)                                                                            \
    OP(n) : {                                                                                      \
        v128 a = VCELL(u->a);                                                                      \
        u32 b = GET_I32(u->b);                                                                     \
        VCELL(u->d) = (e);                                                                         \
        NEXT;                                                                                      \
    }
#define IR_SEL(n, t, ty)                                                                           \
    OP(n) : {                                                                                      \
        T_##ty x = GET_I32(u->a) ? GET_##ty(u->b) : GET_##ty((u16)u->imm);                         \
        PUT_##ty(u->d, x);                                                                         \
        NEXT;                                                                                      \
    }
#define LOAD(n, bytes, table, for_write, e)                                                        \
    OP(n) : {                                                                                      \
        va = CELL(u->a) + (u64)(i64)u->disp;                                                       \
        const struct tlb_entry *x = SLOT(tlb->table, va);                                          \
        if (HIT(x, va, bytes)) {                                                                   \
            m = 0;                                                                                 \
            memcpy(&m, HOST(x, va), bytes);                                                        \
        } else if (!slow_load(c, u, va, bytes, for_write, &c->run.datum))                          \
            goto faulted;                                                                          \
        else                                                                                       \
            m = c->run.datum;                                                                      \
        CELL(u->d) = (e);                                                                          \
        NEXT;                                                                                      \
    }
#define IR_LOAD(n, t, ty, bytes, e) LOAD(n, bytes, r, false, e)
#define IR_STORE(n, t, ty, bytes)                                                                  \
    OP(n) : {                                                                                      \
        va = CELL(u->a) + (u64)(i64)u->disp;                                                       \
        m = CELL(u->b);                                                                            \
        const struct tlb_entry *x = SLOT(tlb->w, va);                                              \
        if (HIT(x, va, bytes))                                                                     \
            memcpy(HOST(x, va), &m, bytes);                                                        \
        else if (!slow_store(c, u, va, bytes, m))                                                  \
            goto faulted;                                                                          \
        NEXT;                                                                                      \
    }
#include "ir/ops.def"
            LOAD(LDW8, 1, w, true, m)
            LOAD(LDW16, 2, w, true, m)
            LOAD(LDW32, 4, w, true, m)
            LOAD(LDW64, 8, w, true, m)
            OP(LDV) : {
                va = CELL(u->a) + (u64)(i64)u->disp;
                const struct tlb_entry *x = SLOT(tlb->r, va);
                if (HIT(x, va, 16))
                    memcpy(&VCELL(u->d), HOST(x, va), 16);
                else if (!slow_loadv(c, u, va, &VCELL(u->d)))
                    goto faulted;
                NEXT;
            }
            OP(STV) : {
                va = CELL(u->a) + (u64)(i64)u->disp;
                const struct tlb_entry *x = SLOT(tlb->w, va);
                if (HIT(x, va, 16))
                    memcpy(HOST(x, va), &VCELL(u->b), 16);
                else if (!slow_storev(c, u, va, VCELL(u->b)))
                    goto faulted;
                NEXT;
            }
            OP(MOV) : CELL(u->d) = CELL(u->a);
            NEXT;
            OP(MOVI) : CELL(u->d) = u->imm;
            NEXT;
            OP(MOVPC) : CELL(u->d) = c->run.page + u->imm;
            NEXT;
            OP(MOVV) : VCELL(u->d) = VCELL(u->a);
            NEXT;
            OP(TRAPIF) : {
                if (unlikely(GET_I32(u->a))) {
                    place(c, u);
                    guest_raise(s, (u64)(u32)u->disp, CELL(u->b));
                    goto faulted;
                }
                NEXT;
            }
            OP(CALL) : {
                CELL(u->d) = c->arch->helpers[u[1].a].fn(s, CELL(u->a), CELL(u->b),
                                                         CELL((u16)u->disp), u[1].imm);
                u += 2;
                DISPATCH;
            }
            OP(CALL_PC) : {
                place(c, u);
                s->icount = c->run.icount + (u64)(c->run.start - (c->run.budget + c->run.stash));
                m = c->arch->helpers[u[1].a].fn(s, CELL(u->a), CELL(u->b), CELL((u16)u->disp),
                                                u[1].imm);
                if (unlikely(s->exc)) goto faulted;
                CELL(u->d) = m;
                heed(c);
                u += 2;
                DISPATCH;
            }
            OP(BRNZ) : {
                bool taken = GET_I32(u->a);
                to = taken ? u->target : u->other;
                c->run.budget -= u->d;
                if (likely(to)) goto in_page;
                u += taken ? 1 : 2;
                DISPATCH;
            }
            OP(JUMP) : {
                to = u->target;
                c->run.budget -= u->d;
            in_page:
                u = &c->arena[to];
                if (likely(c->run.budget > 0)) {
                    DISPATCH;
                }
                s->pc = c->run.page + block_of(c, to)->start;
                c->run.last = to;
                goto out;
            }
            OP(LINK) : {
                pc = c->run.page + (u64)(i64)u->disp;
                c->run.budget -= u->d;
                if (!(to = resolve(c, u, pc))) goto excepted;
                goto enter;
            }
            OP(FAR) : pc = c->run.page + u->imm;
            c->run.budget -= u->d;
            goto jump;
            OP(JUMPIND) : pc = CELL(u->a);
            c->run.budget -= u->d;
            goto jump;
            OP(LEAVE) : c->run.budget -= u->d;
            goto left;
            OP(STALE) : pc = c->run.page + block_of(c, (u32)(u - c->arena))->start;
            // Not through the jump cache, which may have led here.
            if (!(to = jump_miss(c, pc))) goto excepted;
            goto enter;
            OP(REGION) : {
                // Translated code keeps the budget in c->run and goes from region to region by
                // itself.
                u32 how = ((region_fn)(uintptr_t)u->imm)(s);
                pc = s->pc;
                if (how == REGION_JUMP) goto jump;
                if (how == REGION_FAULT) goto faulted;
                goto left;
            }
#if BERTH_COMPUTED_GOTO
        L_INVALID:
            __builtin_unreachable();
#else
        default:
            __builtin_unreachable();
#endif
        }
    }

left: // an instruction that may have changed anything is complete
    if (c->attention || c->run.budget <= 0 || s->stop) goto out;
    take_interrupt(c);
    goto relook;

faulted: // inside a block: the instructions before this one are done
    c->run.budget -= s->insn_index;
excepted: // an exception was raised: every cell is in memory now, so it can be delivered
    // Charged like an instruction, but not counted: a handler that faults for ever must not run for
    // ever.
    c->run.budget--;
    c->run.start--;
    c->run.raised++;
    deliver(c);
    if (c->attention || c->run.budget <= 0 || s->stop) goto out;
    goto relook;

out : {
    u64 n = (u64)(c->run.start - (c->run.budget + c->run.stash));
    s->icount = c->run.icount + n;
    s->insn_index = 0;
    return n + c->run.raised;
}
}
