// Which state cells may still be seen, for walks backwards over a block: what nothing can see or
// uses need not be done. A cell can be seen by a get, by an exit, by an operation that may fault
// (all state is exact then) and by a helper with any effect. So a set is dead only when the same
// cell is set again with none of these between, or when it is forgotten so.
#ifndef BERTH_IR_LIVE_H
#define BERTH_IR_LIVE_H

#include <string.h>

#include "ir/ir.h"

struct ir_live {
    u64 cells[IR_KNOWN_CELLS / 64];
};

static inline void ir_live_all(struct ir_live *v) { memset(v->cells, 0xff, sizeof v->cells); }

static inline bool ir_live_take(struct ir_live *v, u32 cell) {
    u64 *live = &v->cells[cell / 64], is = (u64)1 << cell % 64;
    bool seen = (*live & is) != 0;
    *live &= ~is;
    return seen;
}

static inline void ir_live_put(struct ir_live *v, u32 cell) {
    v->cells[cell / 64] |= (u64)1 << cell % 64;
}

// Nothing but a value: not needed when that is not used.
static inline bool ir_only_value(unsigned op) {
    return op < IR_LDU8 || (op >= IR_CONST32 && op <= IR_PCREL);
}

// Of what is neither a value alone nor a set.
static inline bool ir_live_effect(struct ir_live *v, const struct ir_block *b, u32 i, bool used) {
    const struct ir_insn *o = &b->ops[i];
    u32 cell = (u32)(o->imm / 8);
    switch (o->op) {
    case IR_VCALL:
        return true;
    case IR_SETV: { // its cells are dead before it
        if (cell + 2 > IR_KNOWN_CELLS) return true;
        bool low = ir_live_take(v, cell);
        return ir_live_take(v, cell + 1) || low;
    }
    case IR_GETV:
        if (used && cell + 2 <= IR_KNOWN_CELLS) {
            ir_live_put(v, cell);
            ir_live_put(v, cell + 1);
        }
        return used;
    case IR_CALL:
        if (b->helper_effects[o->aux] & HELPER_PURE && !used) return false;
        if (b->helper_effects[o->aux]) ir_live_all(v);
        return true;
    default: // faults or ends
        ir_live_all(v);
        return true;
    }
}

// Is operation i, whose value is used later or not, needed? Of helpers only HELPER_PURE ones are
// not. The frequent ones first.
static inline bool ir_live_needed(struct ir_live *v, const struct ir_block *b, u32 i, bool used) {
    const struct ir_insn *o = &b->ops[i];
    if (ir_only_value(o->op)) return used;
    u32 cell = (u32)(o->imm / 8);
    if (o->op == IR_SET)
        return cell >= IR_KNOWN_CELLS || (ir_live_take(v, cell) && o->aux != IR_SET_FORGETS);
    if (o->op == IR_INSN) return true;
    if (o->op == IR_GET) {
        if (used && cell < IR_KNOWN_CELLS) ir_live_put(v, cell);
        return used;
    }
    return ir_live_effect(v, b, i, used);
}

#endif
