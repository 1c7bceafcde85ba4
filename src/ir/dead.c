// Removing what a block computes for nothing: sets of state cells that are overwritten before
// anyone can see them, and pure values that nothing uses (live.h). For guests with lazy flags,
// whose every arithmetic instruction sets cells that the next one sets again. The lowering to uops
// leaves such operations out by itself. Depends on ir/ir.h.
//
// One walk backwards and one forwards.
#include <string.h>

#include "ir/live.h"

void ir_drop_dead(struct ir_block *b) {
    struct ir_live v;
    u8 used[IR_BLOCK_CAP]; // by operation: its result is; then: it stays
    ir_ref to[IR_BLOCK_CAP];
    memset(used, 0, b->n);
    ir_live_all(&v);
    u32 first = 0; // that goes
    for (u32 i = b->n; i-- > 1;) {
        const struct ir_insn *o = &b->ops[i];
        if (!ir_live_needed(&v, b, i, used[i])) {
            first = i;
            used[i] = 0;
            continue;
        }
        used[i] = used[o->a] = used[o->b] = used[o->c] = 1;
    }
    if (!first) return;
    for (u32 i = 0; i < first; i++) to[i] = (ir_ref)i;
    u32 n = first;
    for (u32 i = first + 1; i < b->n; i++) {
        if (!used[i]) continue;
        struct ir_insn *o = &b->ops[n];
        *o = b->ops[i];
        o->a = to[o->a];
        o->b = to[o->b];
        o->c = to[o->c];
        to[i] = (ir_ref)n++;
    }
    b->n = n;
}
