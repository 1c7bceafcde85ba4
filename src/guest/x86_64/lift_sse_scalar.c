// What SSE's and AVX's instructions on one element mean: moves as IR on the cells' halves,
// arithmetic, comparisons and conversions through helpers that take and give values. Pure, as
// lift.c.
#include "guest/x86_64/lift_sse.h"

#define B l->b

// MOVSS, MOVSD, and MOVQ and MOVD to and from memory and general registers. Into a register from
// elsewhere: the rest becomes zero.
void xlift_vmov_scalar(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned size = x86_operand_size(&l->d, 0);
    if (is_vector(l, 0) && !in_memory(l, 0)) {
        ir_ref v;
        if (!is_vector(l, 1))
            v = xlift_read(l, 1);
        else if (in_memory(l, 1))
            v = xlift_load(l, xlift_ea(l), x86_operand_size(&l->d, 1));
        else
            v = get_lo(l, vreg(l, 1));
        ir_setv(B, X86_X(vreg(l, 0)), ir_VZEXT64(B, v));
        zero_above(l, vreg(l, 0));
        return;
    }
    ir_ref v = xlift_zext(l, get_lo(l, vreg(l, 1)), size);
    if (is_vector(l, 0))
        xlift_store(l, xlift_ea(l), size, v);
    else
        xlift_assign(l, 0, v);
}

// MOVSS and MOVSD between registers: the rest comes from the first source.
void xlift_vmov_merge(struct lift *l, unsigned size) {
    unsigned d = vreg(l, 0), a = l->d.vex ? vreg(l, 1) : d, b = vreg(l, l->d.vex ? 2 : 1);
    ir_ref v = get_lo(l, b);
    if (size == 4)
        v = ir_OR64(B, ir_AND64(B, get_lo(l, a), xlift_k(l, 0xffffffff00000000u)),
                    xlift_zext(l, v, 4));
    ir_ref hi = get_hi(l, a);
    set_lo(l, d, v);
    if (a != d) set_hi(l, d, hi);
    zero_above(l, d);
}

// ---- arithmetic: values in and out, so that no cell has to be in memory

static ir_ref low(struct lift *l, unsigned i) {
    if (in_memory(l, i)) return xlift_load(l, xlift_ea(l), x86_operand_size(&l->d, i));
    return get_lo(l, vreg(l, i));
}

// Only with an MXCSR out of the ordinary can it fault.
static ir_ref scalar(struct lift *l, unsigned op, ir_ref a, ir_ref b, ir_ref general, u64 more) {
    unsigned helper = l->mode & MODE_MXCSR ? HELPER_scalar_check : HELPER_scalar;
    return ir_call(B, helper, a, b, general, op | more);
}

static void scalar_to(struct lift *l, unsigned op, ir_ref b, ir_ref general, u64 imm) {
    unsigned d = vreg(l, 0), a = l->d.vex ? vreg(l, 1) : d;
    ir_ref upper = a != d ? get_hi(l, a) : 0;
    set_lo(l, d, scalar(l, op, get_lo(l, a), b, general, imm << VEC_IMM_SHIFT));
    if (upper) set_hi(l, d, upper);
    zero_above(l, d);
}

void xlift_scalar(struct lift *l, unsigned op) {
    bool has_imm = x86_operand_type(&l->d, l->d.vex ? 3 : 2) == X86T_IMM;
    u64 imm = !has_imm ? 0 : l->d.imm & 0xff;
    scalar_to(l, op, low(l, l->d.vex ? 2 : 1), 0, imm);
}

// Without VEX there are 8 predicates.
void xlift_scalar_cmp(struct lift *l, unsigned op) { scalar_to(l, op, low(l, 1), 0, l->d.imm & 7); }

// The result is the status flags.
void xlift_scalar_flags(struct lift *l, unsigned op) {
    ir_ref b = low(l, 1);
    xlift_set_status(l, scalar(l, op, get_lo(l, vreg(l, 0)), b, 0, SCALAR_R));
}

// From a general register or memory, of 4 or 8 bytes; and to a general register.
void xlift_cvt_from(struct lift *l, unsigned op) {
    unsigned at = l->d.vex ? 2 : 1;
    bool wide = x86_operand_size(&l->d, at) == 8;
    unsigned wider = op == VOP_cvtsi2ss ? VOP_cvtsq2ss : VOP_cvtsq2sd;
    scalar_to(l, wide ? wider : op, 0, xlift_read(l, at), 0);
}

void xlift_cvt_to(struct lift *l, unsigned op) {
    u64 wide = x86_operand_size(&l->d, 0) == 8;
    xlift_assign(l, 0, scalar(l, op, 0, low(l, 1), 0, wide << VEC_IMM_SHIFT | SCALAR_R));
}
