// The interpreter: a loop over pre-decoded uops. One switch, because V8 compiles that best (a
// switch over pre-decoded operations ran four times as fast as tail-call threading there; natively
// they are close), and short runs, because V8 replaces a function's code only when it is called
// again.
//
// Invariants: state cells are exact at every uop; pc and the count are made current before anything
// that may fault; the budget is charged at exits only, by whole blocks.
#include <string.h>

#include "base/compiler.h"
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

struct run {
    struct cpu *c;
    i64 start;  // budget at entry
    i64 stash;  // budget set aside so that the loop ends at the next exit
    u64 icount; // at entry
};

// Address translation of jumps: the arena index cached for `pc` in this context, or 0.
static ALWAYS_INLINE u64 jump_mix(const struct cpu *c, u32 mode) {
    return (c->tlb.cur->jumps << JUMP_MODE_BITS | mode) << JUMP_TAG_SHIFT;
}

static NOINLINE u32 jump_miss(struct cpu *c, gva pc, u64 mix) {
    u32 i = code_at(c, pc);
    if (!i) return 0;
    struct jump_entry *e = &c->jumps[(pc >> 1) & ((1u << JUMPS_BITS) - 1)];
    e->tag = pc ^ mix;
    e->index = i;
    return i;
}

// A slow load or store left something for the run loop to see: end at the next exit.
static ALWAYS_INLINE i64 heed(struct run *r, i64 budget) {
    if (likely(!r->c->attention)) return budget;
    r->stash += budget;
    return 0;
}

static NOINLINE bool slow_load(struct cpu *c, u64 page, const struct uop *u, gva va, unsigned size,
                               bool for_write, u64 *val) {
    c->s->pc = page + u->meta % GUEST_PAGE_SIZE;
    c->s->insn_index = u->meta >> UOP_META_SHIFT;
    return mem_load(c, va, size, for_write, val);
}

static NOINLINE bool slow_store(struct cpu *c, u64 page, const struct uop *u, gva va, unsigned size,
                                u64 val) {
    c->s->pc = page + u->meta % GUEST_PAGE_SIZE;
    c->s->insn_index = u->meta >> UOP_META_SHIFT;
    return mem_store(c, va, size, val);
}

static NOINLINE bool slow_loadv(struct cpu *c, u64 page, const struct uop *u, gva va, v128 *val) {
    u64 lo, hi;
    if (!slow_load(c, page, u, va, 8, false, &lo) || !slow_load(c, page, u, va + 8, 8, false, &hi))
        return false;
    *val = (v128){lo, hi};
    return true;
}

static NOINLINE bool slow_storev(struct cpu *c, u64 page, const struct uop *u, gva va, v128 val) {
    u64 old; // both halves must be writable before one is written
    return slow_load(c, page, u, va, 8, true, &old) &&
           slow_load(c, page, u, va + 8, 8, true, &old) && slow_store(c, page, u, va, 8, val[0]) &&
           slow_store(c, page, u, va + 8, 8, val[1]);
}

// A link is taken for the first time: finds or decodes its target and makes this uop go there
// directly. 0: an exception was raised.
static NOINLINE u32 resolve(struct cpu *c, struct uop *u, u32 from_block, gva pc) {
    u32 generation = c->arena_generation;
    u32 ppn = block_of(c, from_block)->ppn;
    u32 to = code_in_page(c, ppn, (u16)(pc % GUEST_PAGE_SIZE), pc);
    if (!to || c->arena_generation != generation) return to;
    // What crosses into the next page depends on the mapping: through the jump cache each time.
    bool same = block_of(c, to)->ppn == ppn;
    u->code = same ? UOP_JUMP : UOP_FAR;
    if (same) u->target = to;
    return to;
}

u64 interp_run(struct cpu *c, u32 limit) {
    struct guest_state *const s = c->s;
    u8 *const st = (u8 *)s;
    struct uop *const arena = c->arena;
    const u32 mask = c->tlb.mask;
    struct run r = {c, limit, 0, s->icount};
    i64 budget = limit;
    u64 page = 0, mix, va, m;
    u32 block = 0; // arena index of the block being run, for links and for its address
    struct tlb_context *tlb;
    struct uop *u;
    gva pc;

relook: // state.pc says where; mode and mappings may have changed
    pc = s->pc;
    if (c->tlb.jumps_wrapped) {
        memset(c->jumps, 0xff, ((size_t)1 << JUMPS_BITS) * sizeof *c->jumps);
        c->tlb.jumps_wrapped = false;
    }
    tlb_switch(&c->tlb, c->arch->tlb_key(s));
    tlb = c->tlb.cur;
    mix = jump_mix(c, c->arch->code_mode(s));
jump : { // to the guest address pc
    const struct jump_entry *e = &c->jumps[(pc >> 1) & ((1u << JUMPS_BITS) - 1)];
    block = e->index;
    if (unlikely(e->tag != (pc ^ mix))) {
        if (!(block = jump_miss(c, pc, mix))) goto excepted;
    }
    page = pc & ~(u64)(GUEST_PAGE_SIZE - 1);
    u = &arena[block];
}
    if (unlikely(budget <= 0)) {
        s->pc = pc;
        goto out;
    }

#define NEXT                                                                                       \
    u++;                                                                                           \
    continue
    for (;;) {
        switch (u->code) {
#define IR_BIN(n, t, ty, e)                                                                        \
    case UOP_##n: {                                                                                \
        T_##ty a = GET_##ty(u->a), b = GET_##ty(u->b);                                             \
        PUT_##ty(u->d, e);                                                                         \
        NEXT;                                                                                      \
    }                                                                                              \
        IR_BIN_##ty(n, e)
#define IR_BIN_INT(n, ty, e)                                                                       \
    case UOP_##n##_I: {                                                                            \
        T_##ty a = GET_##ty(u->a), b = IMM_##ty(u);                                                \
        PUT_##ty(u->d, e);                                                                         \
        NEXT;                                                                                      \
    }
#define IR_BIN_I64(n, e) IR_BIN_INT(n, I64, e)
#define IR_BIN_I32(n, e)                                                                           \
    IR_BIN_INT(n, I32, e)                                                                          \
    case UOP_##n##_X: {                                                                            \
        u32 a = GET_I32(u->a), b = GET_I32(u->b);                                                  \
        SX_I32(u->d, e);                                                                           \
        NEXT;                                                                                      \
    }                                                                                              \
    case UOP_##n##_XI: {                                                                           \
        u32 a = GET_I32(u->a), b = IMM_I32(u);                                                     \
        SX_I32(u->d, e);                                                                           \
        NEXT;                                                                                      \
    }
#define IR_BIN_F32(n, e)
#define IR_BIN_F64(n, e)
#define IR_BIN_V128(n, e)
#define IR_CMP(n, t, ty, e)                                                                        \
    case UOP_##n: {                                                                                \
        T_##ty a = GET_##ty(u->a), b = GET_##ty(u->b);                                             \
        CELL(u->d) = (e);                                                                          \
        NEXT;                                                                                      \
    }                                                                                              \
    case UOP_##n##_I: {                                                                            \
        T_##ty a = GET_##ty(u->a), b = IMM_##ty(u);                                                \
        CELL(u->d) = (e);                                                                          \
        NEXT;                                                                                      \
    }                                                                                              \
    case UOP_BR_##n: {                                                                             \
        T_##ty a = GET_##ty(u->a), b = GET_##ty(u->b);                                             \
        budget -= u->d;                                                                            \
        u += (e) ? 1 : 2;                                                                          \
        if (likely(u->code == UOP_JUMP)) goto jump_in_page;                                        \
        continue;                                                                                  \
    }
#define IR_UN(n, t, rt, ty, e)                                                                     \
    case UOP_##n: {                                                                                \
        T_##ty a = GET_##ty(u->a);                                                                 \
        PUT_##rt(u->d, e);                                                                         \
        NEXT;                                                                                      \
    }
#define IR_SHV(n, t, e)                                                                            \
    case UOP_##n: {                                                                                \
        v128 a = VCELL(u->a);                                                                      \
        u32 b = GET_I32(u->b);                                                                     \
        VCELL(u->d) = (e);                                                                         \
        NEXT;                                                                                      \
    }
#define IR_SEL(n, t, ty)                                                                           \
    case UOP_##n: {                                                                                \
        T_##ty x = GET_I32(u->a) ? GET_##ty(u->b) : GET_##ty((u16)u->imm);                         \
        PUT_##ty(u->d, x);                                                                         \
        NEXT;                                                                                      \
    }
#define IR_LOAD(n, t, ty, bytes, e)                                                                \
    case UOP_##n: {                                                                                \
        va = CELL(u->a) + (u64)(i64)u->disp;                                                       \
        const struct tlb_entry *x = &tlb->r[(va >> GUEST_PAGE_SHIFT) & mask];                      \
        if (likely(x->tag == (va + (bytes - 1)) >> GUEST_PAGE_SHIFT)) {                            \
            m = 0;                                                                                 \
            memcpy(&m, (const void *)(x->addend + (uintptr_t)va), bytes);                          \
        } else {                                                                                   \
            if (!slow_load(c, page, u, va, bytes, false, &m)) goto faulted;                        \
            budget = heed(&r, budget);                                                             \
        }                                                                                          \
        CELL(u->d) = (e);                                                                          \
        NEXT;                                                                                      \
    }
#define IR_STORE(n, t, ty, bytes)                                                                  \
    case UOP_##n: {                                                                                \
        va = CELL(u->a) + (u64)(i64)u->disp;                                                       \
        m = CELL(u->b);                                                                            \
        const struct tlb_entry *x = &tlb->w[(va >> GUEST_PAGE_SHIFT) & mask];                      \
        if (likely(x->tag == (va + (bytes - 1)) >> GUEST_PAGE_SHIFT)) {                            \
            memcpy((void *)(x->addend + (uintptr_t)va), &m, bytes);                                \
        } else {                                                                                   \
            if (!slow_store(c, page, u, va, bytes, m)) goto faulted;                               \
            budget = heed(&r, budget);                                                             \
        }                                                                                          \
        NEXT;                                                                                      \
    }
#include "ir/ops.def"
#define LDW(bits, bytes)                                                                           \
    case UOP_LDW##bits: {                                                                          \
        va = CELL(u->a) + (u64)(i64)u->disp;                                                       \
        const struct tlb_entry *x = &tlb->w[(va >> GUEST_PAGE_SHIFT) & mask];                      \
        if (likely(x->tag == (va + (bytes - 1)) >> GUEST_PAGE_SHIFT)) {                            \
            m = 0;                                                                                 \
            memcpy(&m, (const void *)(x->addend + (uintptr_t)va), bytes);                          \
        } else {                                                                                   \
            if (!slow_load(c, page, u, va, bytes, true, &m)) goto faulted;                         \
            budget = heed(&r, budget);                                                             \
        }                                                                                          \
        CELL(u->d) = m;                                                                            \
        NEXT;                                                                                      \
    }
            LDW(8, 1)
            LDW(16, 2)
            LDW(32, 4)
            LDW(64, 8)
        case UOP_LDV: {
            va = CELL(u->a) + (u64)(i64)u->disp;
            const struct tlb_entry *x = &tlb->r[(va >> GUEST_PAGE_SHIFT) & mask];
            v128 v;
            if (likely(x->tag == (va + 15) >> GUEST_PAGE_SHIFT)) {
                memcpy(&v, (const void *)(x->addend + (uintptr_t)va), 16);
            } else {
                if (!slow_loadv(c, page, u, va, &v)) goto faulted;
                budget = heed(&r, budget);
            }
            VCELL(u->d) = v;
            NEXT;
        }
        case UOP_STV: {
            va = CELL(u->a) + (u64)(i64)u->disp;
            const struct tlb_entry *x = &tlb->w[(va >> GUEST_PAGE_SHIFT) & mask];
            v128 v = VCELL(u->b);
            if (likely(x->tag == (va + 15) >> GUEST_PAGE_SHIFT)) {
                memcpy((void *)(x->addend + (uintptr_t)va), &v, 16);
            } else {
                if (!slow_storev(c, page, u, va, v)) goto faulted;
                budget = heed(&r, budget);
            }
            NEXT;
        }
        case UOP_MOV:
            CELL(u->d) = CELL(u->a);
            NEXT;
        case UOP_MOVI:
            CELL(u->d) = u->imm;
            NEXT;
        case UOP_MOVPC:
            CELL(u->d) = page + u->imm;
            NEXT;
        case UOP_MOVV:
            VCELL(u->d) = VCELL(u->a);
            NEXT;
        case UOP_TRAPIF:
            if (unlikely(GET_I32(u->a))) {
                s->pc = page + u->meta % GUEST_PAGE_SIZE;
                s->insn_index = u->meta >> UOP_META_SHIFT;
                guest_raise(s, (u64)(u32)u->disp, CELL(u->b));
                goto faulted;
            }
            NEXT;
        case UOP_CALL:
            m = c->arch->helpers[u[1].a].fn(s, CELL(u->a), CELL(u->b), CELL((u16)u->disp),
                                            u[1].imm);
            CELL(u->d) = m;
            u += 2;
            continue;
        case UOP_CALL_PC:
            s->pc = page + u->meta % GUEST_PAGE_SIZE;
            s->insn_index = u->meta >> UOP_META_SHIFT;
            s->icount = r.icount + (u64)(r.start - (budget + r.stash));
            m = c->arch->helpers[u[1].a].fn(s, CELL(u->a), CELL(u->b), CELL((u16)u->disp),
                                            u[1].imm);
            if (unlikely(s->exc)) goto faulted;
            CELL(u->d) = m;
            budget = heed(&r, budget);
            u += 2;
            continue;
        case UOP_BRNZ:
            budget -= u->d;
            u += GET_I32(u->a) ? 1 : 2;
            continue;
        case UOP_JUMP:
        jump_in_page:
            budget -= u->d;
            block = u->target;
            u = &arena[block];
            if (unlikely(budget <= 0)) {
                s->pc = page + block_of(c, block)->start;
                goto out;
            }
            continue;
        case UOP_LINK:
            pc = page + u->imm;
            budget -= u->d;
            goto link;
        case UOP_FAR:
            pc = page + u->imm;
            budget -= u->d;
            goto jump;
        case UOP_JUMPIND:
            pc = CELL(u->a);
            budget -= u->d;
            goto jump;
        case UOP_LEAVE:
            budget -= u->d;
            goto left;
        case UOP_STALE:
            pc = page + block_of(c, (u32)(u - arena))->start;
            goto jump;
        default:
            __builtin_unreachable();
        }
    link:
        block = resolve(c, u, block, pc);
        if (unlikely(!block)) goto excepted;
        u = &arena[block];
        if (unlikely(budget <= 0)) {
            s->pc = pc;
            goto out;
        }
    }
#undef NEXT

left: // an instruction that may have changed anything is complete
    if (c->attention || budget <= 0 || s->stop) goto out;
    if (c->arch->take_interrupt(s)) c->stats.traps++;
    goto relook;

faulted: // inside a block: the instructions before this one are done
    budget -= s->insn_index;
excepted: // an exception was raised: state.pc is the handler's
    s->exc = false;
    s->insn_index = 0;
    if (c->attention || budget <= 0 || s->stop) goto out;
    goto relook;

out : {
    u64 n = (u64)(r.start - (budget + r.stash));
    s->icount = r.icount + n;
    s->insn_index = 0;
    return n;
}
}
