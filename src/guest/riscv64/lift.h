// Shared by the files that give instructions their meaning.
#ifndef BERTH_GUEST_RISCV64_LIFT_H
#define BERTH_GUEST_RISCV64_LIFT_H

#include "guest/riscv64/decode.h"
#include "guest/riscv64/state.h"

// One instruction being lifted.
struct lift {
    struct ir_block *b;
    u32 insn; // expanded to 32 bits
    u32 raw;  // as it lies in memory, for stval
    i32 rel, next;
    u32 mode; // MODE_*, floating point's part
    bool s_mode;
};

static inline ir_ref lift_x(struct lift *l, unsigned r) {
    return r ? ir_get(l->b, RV_X(r)) : ir_const64(l->b, 0);
}
static inline ir_ref lift_rs1(struct lift *l) { return lift_x(l, rv_rs1(l->insn)); }
static inline ir_ref lift_rs2(struct lift *l) { return lift_x(l, rv_rs2(l->insn)); }
static inline void lift_set_rd(struct lift *l, ir_ref v) {
    unsigned rd = rv_rd(l->insn);
    if (rd) ir_set(l->b, RV_X(rd), v);
}
static inline ir_ref lift_f(struct lift *l, unsigned r) { return ir_get(l->b, RV_F(r)); }
static inline void lift_set_fd(struct lift *l, ir_ref v) { ir_set(l->b, RV_F(rv_rd(l->insn)), v); }

void lift_illegal(struct lift *l); // raises and ends the block

// One function a value of the lifter column.
typedef void lift_fn(struct lift *l, unsigned arg);
#define RV(ext, id, name, match, mask, format, lifter, arg) lift_fn lift_##lifter;
#include "guest/riscv64/insns.def"

#endif
