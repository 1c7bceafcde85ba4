// What F and D instructions mean (Unprivileged 20, 21). Moves, loads, stores and sign injection are
// plain IR; whatever raises flags is a helper of fp.c. The rounding mode is part of the code mode,
// so a dynamic mode that is reserved, or F and D being off, is known here and no helper needs to
// fault.
#include "guest/riscv64/lift.h"

#define BOX    0xffffffff00000000u
#define SIGN32 0x80000000u
#define SIGN64 ((u64)1 << 63)

// The rounding mode for a helper (RM_DYN: frm at that time), or -1 after raising illegal
// instruction.
static int rounding(struct lift *l) {
    unsigned rm = rv_funct3(l->insn);
    if (rm <= RM_RMM) return (int)rm;
    if (rm == RM_DYN && l->mode == MODE_RM_RNE) return RM_RNE;
    if (rm == RM_DYN && l->mode == MODE_RM_OTHER) return RM_DYN;
    lift_illegal(l);
    return -1;
}

// ---- moves

void lift_fload(struct lift *l, unsigned bytes) {
    u64 disp = (u64)(i64)rv_imm_i(l->insn);
    ir_ref addr = lift_rs1(l);
    ir_ref v = ir_emit(l->b, bytes == 8 ? IR_LD64 : IR_LDU32, addr, 0, 0, 0, disp);
    lift_set_fd(l, bytes == 8 ? v : ir_OR64(l->b, v, ir_const64(l->b, BOX)));
}

void lift_fstore(struct lift *l, unsigned op) {
    ir_ref addr = lift_rs1(l), v = lift_f(l, rv_rs2(l->insn));
    ir_emit(l->b, op, addr, v, 0, 0, (u64)(i64)rv_imm_s(l->insn));
}

void lift_fmv_x(struct lift *l, unsigned bytes) {
    ir_ref v = lift_f(l, rv_rs1(l->insn));
    lift_set_rd(l, bytes == 8 ? v : ir_SEXT32(l->b, ir_TRUNC32(l->b, v)));
}

void lift_fmv_f(struct lift *l, unsigned bytes) {
    ir_ref v = lift_rs1(l);
    lift_set_fd(l, bytes == 8 ? v : ir_OR64(l->b, v, ir_const64(l->b, BOX)));
}

// how: 0 the sign of rs2, 1 its opposite, 2 the product of both.
void lift_fsgnj_d(struct lift *l, unsigned how) {
    struct ir_block *b = l->b;
    unsigned r1 = rv_rs1(l->insn), r2 = rv_rs2(l->insn);
    ir_ref x = lift_f(l, r1), sign = ir_const64(b, SIGN64);
    if (r1 == r2) { // fmv, fneg, fabs
        ir_ref v = how == 0   ? x
                   : how == 1 ? ir_XOR64(b, x, sign)
                              : ir_AND64(b, x, ir_const64(b, ~SIGN64));
        lift_set_fd(l, v);
        return;
    }
    ir_ref s = ir_AND64(b, lift_f(l, r2), sign);
    if (how == 1) s = ir_XOR64(b, s, sign);
    ir_ref v = how == 2 ? ir_XOR64(b, x, s) : ir_OR64(b, ir_AND64(b, x, ir_const64(b, ~SIGN64)), s);
    lift_set_fd(l, v);
}

// A single's bits; the canonical NaN when the register is not NaN-boxed.
static ir_ref unbox(struct lift *l, unsigned r) {
    struct ir_block *b = l->b;
    ir_ref v = lift_f(l, r);
    ir_ref boxed = ir_GEU64(b, v, ir_const64(b, BOX));
    return ir_SEL64(b, boxed, v, ir_const64(b, BOX | 0x7fc00000u));
}

void lift_fsgnj_s(struct lift *l, unsigned how) {
    struct ir_block *b = l->b;
    ir_ref x = unbox(l, rv_rs1(l->insn));
    ir_ref sign = ir_const64(b, SIGN32), y = unbox(l, rv_rs2(l->insn));
    ir_ref s = ir_AND64(b, y, sign);
    if (how == 1) s = ir_XOR64(b, s, sign);
    ir_ref v =
        how == 2 ? ir_XOR64(b, x, s) : ir_OR64(b, ir_AND64(b, x, ir_const64(b, ~(u64)SIGN32)), s);
    lift_set_fd(l, v);
}

// ---- arithmetic

void lift_f_ffrm(struct lift *l, unsigned helper) {
    int rm = rounding(l);
    if (rm < 0) return;
    // Operations of one operand ignore the second.
    ir_ref x = lift_f(l, rv_rs1(l->insn)), y = lift_f(l, rv_rs2(l->insn));
    lift_set_fd(l, ir_call(l->b, helper, x, y, 0, (u64)rm));
}

void lift_f_ff(struct lift *l, unsigned helper) {
    ir_ref x = lift_f(l, rv_rs1(l->insn)), y = lift_f(l, rv_rs2(l->insn));
    lift_set_fd(l, ir_call(l->b, helper, x, y, 0, 0));
}

void lift_x_ff(struct lift *l, unsigned helper) {
    ir_ref x = lift_f(l, rv_rs1(l->insn)), y = lift_f(l, rv_rs2(l->insn));
    lift_set_rd(l, ir_call(l->b, helper, x, y, 0, 0));
}

void lift_x_frm(struct lift *l, unsigned helper) {
    int rm = rounding(l);
    if (rm < 0) return;
    ir_ref x = lift_f(l, rv_rs1(l->insn));
    lift_set_rd(l, ir_call(l->b, helper, x, 0, 0, (u64)rm));
}

void lift_f_xrm(struct lift *l, unsigned helper) {
    int rm = rounding(l);
    if (rm < 0) return;
    ir_ref x = lift_rs1(l);
    lift_set_fd(l, ir_call(l->b, helper, x, 0, 0, (u64)rm));
}

// Always exact.
void lift_fcvt_d_w(struct lift *l, unsigned is_unsigned) {
    if (rounding(l) < 0) return;
    ir_ref x = ir_TRUNC32(l->b, lift_rs1(l));
    ir_ref wide = is_unsigned ? ir_ZEXT32(l->b, x) : ir_SEXT32(l->b, x);
    lift_set_fd(l, ir_BITSF64(l->b, ir_F64S64(l->b, wide)));
}

// imm for the helpers: rounding mode, bit 3 negates the product, bit 4 the addend.
void lift_fma(struct lift *l, unsigned helper) {
    int rm = rounding(l);
    if (rm < 0) return;
    static const u8 signs[4] = {0, 2, 1, 3}; // fmadd, fmsub, fnmsub, fnmadd
    ir_ref x = lift_f(l, rv_rs1(l->insn)), y = lift_f(l, rv_rs2(l->insn));
    ir_ref z = lift_f(l, rv_rs3(l->insn));
    u64 imm = (u64)rm | (u64)signs[l->insn >> 2 & 3] << 3;
    lift_set_fd(l, ir_call(l->b, helper, x, y, z, imm));
}
