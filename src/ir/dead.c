// Removing what a block computes for nothing: sets of state cells that are overwritten before
// anyone can see them, and pure values that nothing uses. For guests with lazy flags, whose every
// arithmetic instruction sets cells that the next one sets again. Depends on ir/ops.h.
//
// A cell can be seen by a get, by an exit, by an operation that may fault (all state is exact then)
// and by a helper with any effect. So a set is dead only when the same cell is set again with none
// of these between, or when it is forgotten so. One walk backwards and one forwards; of helpers
// only HELPER_PURE ones are removed.
#include <string.h>

#include "ir/ops.h"

struct liveness {
    u64 live[IR_KNOWN_CELLS / 64]; // by cell: its value may still be seen
    u64 used[IR_BLOCK_CAP / 64];   // by operation: its result is
};

static bool bit(const u64 *map, u32 i) { return map[i / 64] >> (i % 64) & 1; }
static void set_bit(u64 *map, u32 i) { map[i / 64] |= (u64)1 << (i % 64); }
static void clear_bit(u64 *map, u32 i) { map[i / 64] &= ~((u64)1 << (i % 64)); }

static void all_live(struct liveness *v) { memset(v->live, 0xff, sizeof v->live); }

// A set: is it seen? Its cell is dead before it.
static bool set_needed(struct liveness *v, const struct ir_insn *o) {
    u32 cell = (u32)(o->imm / 8), n = o->op == IR_SETV ? 2 : 1;
    if (cell + n > IR_KNOWN_CELLS) return true;
    bool needed = bit(v->live, cell) || (n == 2 && bit(v->live, cell + 1));
    clear_bit(v->live, cell);
    if (n == 2) clear_bit(v->live, cell + 1);
    return needed && o->aux != IR_SET_FORGETS;
}

static void get_seen(struct liveness *v, const struct ir_insn *o) {
    u32 cell = (u32)(o->imm / 8);
    if (cell + 1 >= IR_KNOWN_CELLS) return;
    set_bit(v->live, cell);
    if (o->op == IR_GETV) set_bit(v->live, cell + 1);
}

static bool needed(struct liveness *v, const struct ir_block *b, u32 i) {
    const struct ir_insn *o = &b->ops[i];
    switch (o->op) {
    case IR_SET:
    case IR_SETV:
        return set_needed(v, o);
    case IR_GET:
    case IR_GETV:
        if (!bit(v->used, i)) return false;
        get_seen(v, o);
        return true;
    case IR_CALL:
        if (b->helper_effects[o->aux] & HELPER_PURE && !bit(v->used, i)) return false;
        if (b->helper_effects[o->aux]) all_live(v);
        return true;
    default:
        break;
    }
    unsigned effects = ir_ops[o->op].effects;
    if (effects & (IR_FAULTS | IR_ENDS)) all_live(v);
    return effects || bit(v->used, i);
}

void ir_drop_dead(struct ir_block *b) {
    struct liveness v;
    u64 keep[IR_BLOCK_CAP / 64];
    ir_ref to[IR_BLOCK_CAP];
    memset(v.used, 0, sizeof v.used);
    memset(keep, 0, sizeof keep);
    all_live(&v);
    u32 kept = 1;
    for (u32 i = b->n; i-- > 1;) {
        if (!needed(&v, b, i)) continue;
        const struct ir_insn *o = &b->ops[i];
        set_bit(keep, i);
        kept++;
        set_bit(v.used, o->a);
        set_bit(v.used, o->b);
        set_bit(v.used, o->c);
    }
    if (kept == b->n) return;
    to[0] = 0;
    u32 n = 1;
    for (u32 i = 1; i < b->n; i++) {
        if (!bit(keep, i)) continue;
        struct ir_insn o = b->ops[i];
        o.a = to[o.a];
        o.b = to[o.b];
        o.c = to[o.c];
        to[i] = (ir_ref)n;
        b->ops[n++] = o;
    }
    b->n = n;
    memset(b->known, 0, sizeof b->known);
}
