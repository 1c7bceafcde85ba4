// Operations as functions: the pure rows of ops.def applied to values. For the evaluator, constant
// folding and tests.
#ifndef BERTH_IR_OPS_H
#define BERTH_IR_OPS_H

#include "ir/ir.h"
#include "ir/value.h"

union ir_value {
    u32 i32;
    u64 i64;
    float f32;
    double f64;
    v128 v;
};

// r <- op(x, y, z), of IR_VIMM rows z the immediate; false when `op` is not pure (loads, state, calls, exits). Operands beyond the
// operation's count are ignored and may be NULL.
bool ir_apply(enum ir_op op, union ir_value *r, const union ir_value *x, const union ir_value *y,
              const union ir_value *z);

// What a load of `op` gives for the zero-extended datum `m`.
u64 ir_load_extend(enum ir_op op, u64 m);

// Type of operand `i`; IR_NONE beyond the last.
enum ir_type ir_operand_type(enum ir_op op, unsigned i);

// Bytes a memory operation touches, 0 for others.
unsigned ir_access_bytes(enum ir_op op);

#endif
