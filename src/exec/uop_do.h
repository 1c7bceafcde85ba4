// What the uops do that neither end a block nor call a helper: one function for each, do_NAME, made
// from the rows of ops.def, so that a handler of fused uops is a sequence of calls. For interp.c.
// False: an exception was raised.
#ifndef BERTH_EXEC_UOP_DO_H
#define BERTH_EXEC_UOP_DO_H

#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"
#include "ir/ops.h"

// Accesses that do not hit (interp.c).
bool uop_slow_load(struct cpu *c, const struct uop *u, gva va, unsigned size, bool for_write,
                   u64 *val);
bool uop_slow_store(struct cpu *c, const struct uop *u, gva va, unsigned size, u64 val);
bool uop_slow_loadv(struct cpu *c, const struct uop *u, gva va, v128 *val);
bool uop_slow_storev(struct cpu *c, const struct uop *u, gva va, v128 val);

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

// An access that hits: all its bytes in the page the entry is for (tlb.h).
#define HIT(e, va, bytes) likely(((va) ^ (e)->tag) <= GUEST_PAGE_SIZE - (bytes))
#define SLOT(table, va)   (&(table)[(va) >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)])
#define HOST(e, va)       ((void *)((e)->addend + (uintptr_t)(va)))

#define DO(n)                                                                                      \
    static ALWAYS_INLINE bool do_##n(struct cpu *c, u8 *st, const struct tlb_context *tlb,         \
                                     struct uop *u)
#define DO_PURE(n, what)                                                                           \
    DO(n) {                                                                                        \
        (void)c, (void)tlb;                                                                        \
        what;                                                                                      \
        return true;                                                                               \
    }
#define LOAD(n, bytes, table, for_write, e)                                                        \
    DO(n) {                                                                                        \
        u64 va = CELL(u->a) + (u64)(i64)u->disp, m = 0;                                            \
        const struct tlb_entry *x = SLOT(tlb->table, va);                                          \
        if (HIT(x, va, bytes))                                                                     \
            memcpy(&m, HOST(x, va), bytes);                                                        \
        else if (!uop_slow_load(c, u, va, bytes, for_write, &c->run.datum))                        \
            return false;                                                                          \
        else                                                                                       \
            m = c->run.datum;                                                                      \
        CELL(u->d) = (e);                                                                          \
        return true;                                                                               \
    }

#define IR_BIN_I64(n, e) DO_PURE(n##_I, u64 a = CELL(u->a); u64 b = u->imm; CELL(u->d) = (e))
#define IR_BIN_I32(n, e)                                                                           \
    DO_PURE(n##_I, u32 a = GET_I32(u->a); u32 b = (u32)u->imm; PUT_I32(u->d, e))                   \
    DO_PURE(n##_X, u32 a = GET_I32(u->a); u32 b = GET_I32(u->b); SX_I32(u->d, e))                  \
    DO_PURE(n##_XI, u32 a = GET_I32(u->a); u32 b = (u32)u->imm; SX_I32(u->d, e))
#define IR_BIN_F32(n, e)
#define IR_BIN_F64(n, e)
#define IR_BIN_V128(n, e)
#define IR_BIN(n, t, ty, e)                                                                        \
    DO_PURE(n, T_##ty a = GET_##ty(u->a); T_##ty b = GET_##ty(u->b); PUT_##ty(u->d, e))            \
    IR_BIN_##ty(n, e)
// A comparison with its branch is only asked whether that is taken.
#define IR_CMP(n, t, ty, e)                                                                        \
    DO_PURE(n, T_##ty a = GET_##ty(u->a); T_##ty b = GET_##ty(u->b); CELL(u->d) = (e))             \
    DO_PURE(n##_I, T_##ty a = GET_##ty(u->a); T_##ty b = IMM_##ty(u); CELL(u->d) = (e))            \
    static ALWAYS_INLINE bool taken_##n(u8 *st, const struct uop *u) {                             \
        T_##ty a = GET_##ty(u->a);                                                                 \
        T_##ty b = GET_##ty(u->b);                                                                 \
        return (e);                                                                                \
    }
#define IR_UN(n, t, rt, ty, e) DO_PURE(n, T_##ty a = GET_##ty(u->a); PUT_##rt(u->d, e))
#define IR_SHV(n, t, e)        DO_PURE(n, v128 a = VCELL(u->a); u32 b = GET_I32(u->b); VCELL(u->d) = (e))
#define IR_VIMM(n, t, e)                                                                           \
    DO_PURE(n, v128 a = VCELL(u->a); v128 b = VCELL(u->b); u64 k = u->imm; VCELL(u->d) = (e))
#define IR_SEL(n, t, ty)                                                                           \
    DO_PURE(n, T_##ty x = GET_I32(u->a) ? GET_##ty(u->b) : GET_##ty((u16)u->imm); PUT_##ty(u->d, x))
#define IR_LOAD(n, t, ty, bytes, e) LOAD(n, bytes, r, false, e)
#define IR_STORE(n, t, ty, bytes)                                                                  \
    DO(n) {                                                                                        \
        u64 va = CELL(u->a) + (u64)(i64)u->disp, m = CELL(u->b);                                   \
        const struct tlb_entry *x = SLOT(tlb->w, va);                                              \
        if (!HIT(x, va, bytes)) return uop_slow_store(c, u, va, bytes, m);                         \
        memcpy(HOST(x, va), &m, bytes);                                                            \
        return true;                                                                               \
    }
#include "ir/ops.def"
LOAD(LDW8, 1, w, true, m)
LOAD(LDW16, 2, w, true, m)
LOAD(LDW32, 4, w, true, m)
LOAD(LDW64, 8, w, true, m)
DO(LDV) {
    u64 va = CELL(u->a) + (u64)(i64)u->disp;
    const struct tlb_entry *x = SLOT(tlb->r, va);
    if (!HIT(x, va, 16)) return uop_slow_loadv(c, u, va, &VCELL(u->d));
    memcpy(&VCELL(u->d), HOST(x, va), 16);
    return true;
}
DO(STV) {
    u64 va = CELL(u->a) + (u64)(i64)u->disp;
    const struct tlb_entry *x = SLOT(tlb->w, va);
    if (!HIT(x, va, 16)) return uop_slow_storev(c, u, va, VCELL(u->b));
    memcpy(HOST(x, va), &VCELL(u->b), 16);
    return true;
}
// imm: cell of the third operand, helper << 16, the helper's imm << 32
DO(VCALL) {
    v128 x[3] = {VCELL(u->a), VCELL(u->b), VCELL(u->imm & 0xffff)};
    (void)tlb;
    c->arch->helpers[u->imm >> 16 & 0xffff].fn(c->s, (u64)(uintptr_t)x, 0, 0, u->imm >> 32);
    VCELL(u->d) = x[0];
    return true;
}
DO_PURE(ADDSH64, CELL(u->d) = CELL(u->a) + (CELL(u->b) << (u->imm & 63)))
// Accesses that move their address register: of a stack. Nothing moves when they fault.
DO(LD64_U) {
    u16 a = u->a;
    u64 moved = CELL(a) + (u64)(i64)(i16)u->b;
    if (!do_LD64(c, st, tlb, u)) return false;
    CELL(a) = moved;
    return true;
}
DO(ST64_U) {
    u16 a = u->a;
    u64 moved = CELL(a) + (u64)(i64)u->disp;
    if (!do_ST64(c, st, tlb, u)) return false;
    CELL(a) = moved;
    return true;
}
// Lazy flags; operands are read before anything is set.
#define FLAG(i) CELL(GUEST_FLAGS + 8 * (i))
#define SET_FLAGS(r, x, y)                                                                         \
    FLAG(FLAG_KIND) = (u32)u->disp, FLAG(FLAG_RESULT) = (r), FLAG(FLAG_A) = (x), FLAG(FLAG_B) = (y)
#define FLAGS(w, ty)                                                                               \
    DO_PURE(FLAGS##w, ty r = (ty)CELL(u->d); ty a = (ty)CELL(u->a); ty b = (ty)CELL(u->b);         \
            SET_FLAGS(r, a, b))                                                                    \
    DO_PURE(FLAGS##w##_I, ty r = (ty)CELL(u->d); ty a = (ty)CELL(u->a); ty b = (ty)(i32)u->meta;   \
            SET_FLAGS(r, a, b))                                                                    \
    DO_PURE(CMP##w, ty a = (ty)CELL(u->a); ty b = (ty)CELL(u->b); ty r = (ty)(a - b);              \
            SET_FLAGS(r, a, b); CELL(u->d) = r)                                                    \
    DO_PURE(CMP##w##_I, ty a = (ty)CELL(u->a); ty b = (ty)(i32)u->meta; ty r = (ty)(a - b);        \
            SET_FLAGS(r, a, b); CELL(u->d) = r)                                                    \
    DO_PURE(LOGIC##w, ty r = (ty)CELL(u->d); FLAG(FLAG_KIND) = (u32)u->disp;                       \
            FLAG(FLAG_RESULT) = r; FLAG(FLAG_B) = 0)
FLAGS(64, u64)
FLAGS(32, u32)
FLAGS(8, u8)
#undef FLAGS
DO_PURE(MOV, CELL(u->d) = CELL(u->a))
DO_PURE(MOVI, CELL(u->d) = u->imm)
DO_PURE(MOVPC, CELL(u->d) = c->run.page + u->imm)
DO_PURE(MOVV, VCELL(u->d) = VCELL(u->a))
#undef LOAD

#endif
