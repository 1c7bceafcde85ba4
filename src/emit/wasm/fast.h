// Between fast.c and exact.c: inline forms of floating-point helpers.
#ifndef BERTH_EMIT_WASM_FAST_H
#define BERTH_EMIT_WASM_FAST_H

#include "emit/wasm/emit.h"

enum form { F_ARITH, F_SUM, F_MADD, F_COMPARE, F_CHECK, F_FROM_INT, F_TO_INT, F_WIDEN, F_NARROW };

struct fast_row {
    u8 operands;
    bool single; // what is computed in, or converted from or to an integer
    u8 opcode;
    u8 form;
    u8 rounding; // the imm it must have
};

struct operand {
    ir_ref ref;
    u32 local; // float; an integer of F_FROM_INT
    u32 bits;  // with NaN boxes: the i64, 0 when it is known to be boxed
    bool own;  // the local is free afterwards
    bool clean;
};

static inline bool single_result(const struct fast_row *f) {
    return f->form == F_NARROW || (f->single && f->form != F_WIDEN);
}
static inline bool is_product(const struct fast_row *f) {
    return f->opcode == 0xa2 || f->opcode == 0x94;
}

// Labels of the blocks around a form: of the second look, of the call, and behind it.
enum { SECOND, CALL, DONE };

void float_const64(struct emit *e, double v);
void float_constant(struct emit *e, bool single, double v);
// To `label` if an operand is denormal; but for `all`, not those that are known to be none.
void out_if_denormals(struct emit *e, const struct fast_row *f, const struct operand *x, bool all,
                      unsigned label);
void out_unless(struct emit *e, unsigned label); // what is on the stack

// ---- exact.c
// The second look, in the block of the call: to behind it if the result in local r is exact.
void exact_arith(struct emit *e, const struct fast_row *f, const struct operand *x, u32 r, u64 imm);

#endif
