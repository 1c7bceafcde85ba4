// Shared by the files that execute instructions from their bytes: the instruction that is being
// executed, its operands, and what the other file computes.
#ifndef BERTH_GUEST_X86_64_FIRST_H
#define BERTH_GUEST_X86_64_FIRST_H

#include <string.h>

#include "base/compiler.h"
#include "guest/x86_64/flags.h"
#include "guest/x86_64/lift.h"
#include "guest/x86_64/state.h"

enum { FIRST_LONGEST = 15 }; // bytes of an instruction

struct first {
    struct x86_state *s;
    struct guest_first *f;
    const struct tlb_entry *reads, *writes;
    const u8 *last;  // no instruction that begins here or before reaches the end
    const u8 *end;   // of the bytes
    const u8 *p;     // next byte
    const u8 *start; // of the instruction
    u64 shift;       // guest address of byte q: shift + (uintptr_t)q
    u64 mask;        // of addresses
    const u16 *row;  // of first_hot.c's table
    u32 rex_bits;    // upper half of the byte that is REX; nothing in 32-bit code
    u64 next;        // where a block's last instruction goes
    u64 ea;          // linear address of an operand in memory
    u64 imm;         // sign-extended
    u64 datum;       // the operand, when it came through the slow path
    u8 *at;          // where the r/m operand is, once open
    u32 done;        // instructions of the block
    u16 form;        // of the opcode (first_decode.c)
    u8 op;           // last opcode byte
    u8 size;         // of the operation
    u8 reg, rm, rex;
    bool wide; // 64-bit mode
    bool mem;  // the r/m operand is in memory
    bool slow; // and to be written through the slow path
    // Prefixes, seldom.
    bool p66, lock;
    u8 rep, seg; // seg: SEG_FS, SEG_GS or 0
};

static inline u64 first_mask(unsigned size) { return ~(u64)0 >> (64 - 8 * size); }
static inline u64 first_sext(u64 v, unsigned size) {
    unsigned sh = 64 - 8 * size;
    return (u64)((i64)(v << sh) >> sh);
}

// Values of `size` bytes on the host, zero-extended.
static ALWAYS_INLINE u64 first_get(const u8 *at, unsigned size) {
    u64 v;
    u32 d;
    u16 w;
    switch (size) {
    case 8:
        memcpy(&v, at, 8);
        return v;
    case 4:
        memcpy(&d, at, 4);
        return d;
    case 2:
        memcpy(&w, at, 2);
        return w;
    default:
        return *at;
    }
}
static ALWAYS_INLINE void first_put(u8 *at, unsigned size, u64 v) {
    u32 d = (u32)v;
    u16 w = (u16)v;
    switch (size) {
    case 8:
        memcpy(at, &v, 8);
        break;
    case 4:
        memcpy(at, &d, 4);
        break;
    case 2:
        memcpy(at, &w, 2);
        break;
    default:
        *at = (u8)v;
        break;
    }
}

static ALWAYS_INLINE i32 first_i32(const u8 *p) {
    i32 v;
    memcpy(&v, p, 4);
    return v;
}

static ALWAYS_INLINE u32 first_u32(const u8 *p) {
    u32 v;
    memcpy(&v, p, 4);
    return v;
}

// Where a register of `size` bytes lies.
static ALWAYS_INLINE u8 *first_place(const struct first *x, unsigned n, unsigned size) {
    if (size == 1 && !x->rex && n >= 4) return (u8 *)&x->s->r[n - 4] + 1;
    return (u8 *)&x->s->r[n];
}
static ALWAYS_INLINE u64 first_reg(const struct first *x, unsigned n, unsigned size) {
    return first_get(first_place(x, n, size), size);
}
static ALWAYS_INLINE void first_set_reg(struct first *x, unsigned n, unsigned size, u64 v) {
    if (size == 4)
        x->s->r[n] = (u32)v;
    else
        first_put(first_place(x, n, size), size, v);
}

// ---- first_do.c: results, with the flags set as lifted code sets them
u64 first_alu(struct x86_state *s, unsigned how, unsigned size, u64 a, u64 b); // how: ALU_*
void first_logic_flags(struct x86_state *s, unsigned size, u64 r);
u64 first_incdec(struct x86_state *s, bool inc, unsigned size, u64 a);
bool first_condition(const struct x86_state *s, unsigned cc);
// how: the digit of the opcode; rotations through the carry are none of them.
u64 first_shift(struct x86_state *s, unsigned how, unsigned size, u64 a, unsigned count);
u64 first_shift_double(struct x86_state *s, bool left, unsigned size, u64 a, u64 b, unsigned count);
u64 first_multiply(struct x86_state *s, unsigned size, u64 a, u64 b); // signed, low half
void first_mul(struct x86_state *s, bool is_signed, unsigned size, u64 b);
bool first_div_known(const struct x86_state *s, bool is_signed, unsigned size);
bool first_div(struct x86_state *s, bool is_signed, unsigned size, u64 d); // false: #DE
void first_bit_flags(struct x86_state *s, bool carry);
u64 first_scan(struct x86_state *s, bool reverse, unsigned size, u64 v);        // BSF, BSR; v not 0
u64 first_count_zeros(struct x86_state *s, bool leading, unsigned size, u64 v); // TZCNT, LZCNT
void first_carry(struct x86_state *s, unsigned how);                            // CARRY_*

// The code from x->p on is that at `pc`, `room` bytes of it.
static inline void first_at(struct first *x, const u8 *p, u64 pc, u32 room) {
    x->p = p;
    x->shift = pc - (uintptr_t)p;
    x->end = p + room;
    x->last = x->end - FIRST_LONGEST;
}

// The block is over, which goes to x->next. False: the engine has to look there.
static inline bool first_over(struct first *x, enum first_end how) {
    struct guest_first *f = x->f;
    f->left -= x->done + 1;
    f->most = f->most_insns;
    x->done = 0;
    const u8 *p = first_next(f, x->next, how);
    if (unlikely(!p)) return false;
    first_at(x, p, x->next, 4096 - (u32)(x->next & 4095));
    return true;
}

// ---- first_hot.c: goes on from x->p as long as instructions are of its forms, block after block.
// FULL; UNKNOWN: the one at x->p is left to others; or how it goes to x->next, where the engine has
// to look.
enum first_end first_hot(struct first *x);

#endif
