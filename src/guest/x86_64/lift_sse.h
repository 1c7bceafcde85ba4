// What the lifters of SSE and AVX share: operands that are vector registers, and their cells.
#ifndef BERTH_GUEST_X86_64_LIFT_SSE_H
#define BERTH_GUEST_X86_64_LIFT_SSE_H

#include <assert.h>

#include "guest/x86_64/lift.h"

static inline bool is_vector(const struct lift *l, unsigned i) {
    enum x86_operand_type t = x86_operand_type(&l->d, i);
    return (t >= X86T_XREG && t <= X86T_XMM0);
}

static inline bool in_memory(const struct lift *l, unsigned i) {
    return x86_operand_type(&l->d, i) == X86T_XRM && l->d.mod != 3;
}

static inline unsigned vreg(const struct lift *l, unsigned i) {
    switch (x86_operand_type(&l->d, i)) {
    case X86T_XREG:
        return l->d.reg;
    case X86T_XRM:
        return l->d.rm;
    case X86T_XVVVV:
        return l->d.vvvv;
    case X86T_XIMM:
        return l->d.imm >> 4 & (xlift_64(l) ? 15 : 7);
    case X86T_XMM0:
        return 0;
    default:
        assert(0 && "an operand that is no vector register");
        return 0;
    }
}

// A vector of 128 or 256 bits.
struct vval {
    ir_ref lo, hi; // hi: 0 when there is none
};

// ---- lift_sse.c. Operand i, by the size that it has in the row.
struct vval xlift_load_vec(struct lift *l, unsigned i, bool aligned); // from memory
struct vval xlift_vec_read_at(struct lift *l, unsigned i, bool aligned);
struct vval xlift_vec_read(struct lift *l, unsigned i); // aligned unless VEX
void xlift_vec_store(struct lift *l, unsigned i, struct vval v, bool aligned);
void xlift_vec_write(struct lift *l, unsigned n, struct vval v); // to register n
// imm of the helpers for the operands in the row's order; *general: the value of one that is no
// vector, or 0.
u64 xlift_vec_operation(struct lift *l, unsigned op, ir_ref *general);

// An operation on the lanes of up to three vectors, whose exceptions are all masked. more:
// immediate << 16, VFN_*
struct vval xlift_vec_values(struct lift *l, unsigned op, u32 more, const struct vval x[3]);

// Masks and rounding are those of reset: floats can be computed without faults.
static inline bool xlift_mxcsr_usual(const struct lift *l) { return !(l->mode & MODE_MXCSR); }

static inline ir_ref get_lo(struct lift *l, unsigned n) { return ir_get(l->b, X86_X(n)); }
static inline ir_ref get_hi(struct lift *l, unsigned n) { return ir_get(l->b, X86_X(n) + 8); }
static inline void set_lo(struct lift *l, unsigned n, ir_ref v) { ir_set(l->b, X86_X(n), v); }
static inline void set_hi(struct lift *l, unsigned n, ir_ref v) { ir_set(l->b, X86_X(n) + 8, v); }
static inline ir_ref zero_vector(struct lift *l) { return ir_VZEXT64(l->b, xlift_k(l, 0)); }

static inline void zero_above(struct lift *l, unsigned n) {
    if (l->d.vex) ir_setv(l->b, X86_YH(n), zero_vector(l));
}

#endif
