// The reference evaluator: executes a block operation by operation, as docs/ir.md defines them.
// Slow and obvious; the other engines are compared with it.
#ifndef BERTH_IR_EVAL_H
#define BERTH_IR_EVAL_H

#include "ir/ops.h"

// What a block reaches outside of itself. Each returns false when a guest exception was raised.
struct ir_env {
    void *arg;
    u8 *state; // cells
    u64 page;  // what pcrel 0 means
    bool (*load)(void *arg, u64 va, unsigned size, bool for_write, u64 *val);
    bool (*store)(void *arg, u64 va, unsigned size, u64 val);
    bool (*call)(void *arg, unsigned helper, u64 a, u64 b, u64 c, u64 imm, u64 *result);
    void (*trap)(void *arg, u64 cause, u64 tval);
    // Before anything that may fault or call: where execution is.
    void (*at)(void *arg, u64 pc, u32 insns_done);
};

enum ir_exit_kind { IR_EXIT_JUMP, IR_EXIT_LEAVE, IR_EXIT_FAULT };

struct ir_exit {
    enum ir_exit_kind kind;
    u64 pc;    // IR_EXIT_JUMP: where to go on
    u32 insns; // instructions retired
};

struct ir_exit ir_eval(const struct ir_block *b, const struct ir_env *env);

#endif
