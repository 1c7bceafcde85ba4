// Which values are not denormal while the guest's word for inexact says so (guest.h): what inline
// forms of floating-point operations gave, as long as it stays in the lower half of a vector's
// cell, or all of a vector. Such operands need no look, which are four instructions each. Forward
// over the region's blocks; of what a call may have changed nothing is known. Depends on emit.h.
#include <string.h>

#include "emit/wasm/emit.h"

struct walk {
    struct emit *e;
    struct clean_cells *now;
    u8 value[IR_BLOCK_CAP];
};

static void put(struct clean_cells *s, unsigned cell, u8 clean) {
    for (unsigned k = 0; k < CLEAN_KINDS; k++) {
        if (clean >> k & 1)
            cell_add(&s->as[k], cell);
        else
            cell_remove(&s->as[k], cell);
    }
}

static u8 take(const struct clean_cells *s, unsigned cell) {
    u8 clean = 0;
    for (unsigned k = 0; k < CLEAN_KINDS; k++) clean |= (u8)(cell_in(&s->as[k], cell) << k);
    return clean;
}

// The vector cell that has the cell at `imm`, else -1.
static int vector_of(const struct flow *f, u64 imm) {
    u8 i = imm / 8 < IR_KNOWN_CELLS ? f->index[imm / 8] : 0;
    return i && f->vector[i - 1] ? i - 1 : -1;
}

static u8 of_get(const struct walk *w, const struct ir_insn *o) {
    const struct flow *f = &w->e->flow;
    int cell = vector_of(f, o->imm);
    if (cell < 0) return 0;
    u8 clean = take(w->now, (unsigned)cell);
    if (o->op == IR_GETV) return clean;
    if (f->offset[cell] == o->imm) return clean & (CLEAN_DOUBLE | CLEAN_SINGLE);
    return (u8)((clean & CLEAN_DOUBLES ? CLEAN_DOUBLE : 0) |
                (clean & CLEAN_SINGLES ? CLEAN_SINGLE : 0));
}

static void set(struct walk *w, const struct ir_insn *o) {
    const struct flow *f = &w->e->flow;
    int cell = vector_of(f, o->imm);
    u8 value = w->value[o->a];
    if (cell < 0) return;
    if (o->op == IR_SET) { // half of it
        u8 old = take(w->now, (unsigned)cell);
        u8 doubles = value & CLEAN_DOUBLE ? old & CLEAN_DOUBLES : 0;
        bool low = f->offset[cell] == o->imm;
        value = (u8)(((low ? value : old) & (CLEAN_DOUBLE | CLEAN_SINGLE)) | doubles);
    }
    put(w->now, (unsigned)cell, value);
}

static u8 of_constant(u64 v) {
    u64 dbl = v << 1, single = v << 33;
    u8 as_double = !dbl || dbl >> 53, as_single = !single || single >> 56;
    return (u8)(as_double * CLEAN_DOUBLE | as_single * CLEAN_SINGLE);
}

// What operation i gives.
static u8 value_of(const struct walk *w, u32 i) {
    const struct ir_insn *ops = w->e->b->ops, *o = &ops[i];
    switch (o->op) {
    case IR_CONST64:
        return of_constant(o->imm);
    case IR_GET:
    case IR_GETV:
        return of_get(w, o);
    case IR_VZEXT64:
        return (u8)(w->value[o->a] | (w->value[o->a] & CLEAN_DOUBLE ? CLEAN_DOUBLES : 0));
    case IR_VLO64:
        return w->value[o->a] & (CLEAN_DOUBLE | CLEAN_SINGLE);
    case IR_ZEXT32:
        return ops[o->a].op == IR_TRUNC32 ? w->value[ops[o->a].a] & CLEAN_SINGLE : 0;
    case IR_OR64:
        return fast_inserted(w->e, (ir_ref)i) ? CLEAN_SINGLE : 0;
    case IR_BITSF64:
        return ops[o->a].op == IR_F64S32 || ops[o->a].op == IR_F64S64 ? CLEAN_DOUBLE : 0;
    case IR_CALL:
        return fast_clean(w->e, o);
    case IR_VCALL:
        return fast_vector_clean(w->e, o);
    default:
        return 0;
    }
}

static void operation(struct walk *w, u32 i) {
    const struct ir_insn *o = &w->e->b->ops[i];
    w->value[i] = value_of(w, i);
    if (o->op == IR_SET || o->op == IR_SETV) {
        set(w, o);
    } else if (o->op == IR_CALL && !fast_clean(w->e, o) && w->e->r->helper_effects[o->aux]) {
        memset(w->now, 0, sizeof *w->now);
    }
}

// Walks block k from what is clean at its start to what is at its end.
static void walk(struct emit *e, unsigned k, struct clean_cells *now, struct walk *w) {
    const struct region_block *b = e->b = &e->r->blocks[k];
    w->e = e;
    w->now = now;
    for (u32 i = 1; i < b->nops; i++) operation(w, i);
    if (b->end == END_CALL) memset(now, 0, sizeof *now);
}

// Does anything ask? Most regions have no such operations.
static bool asked(const struct emit *e) {
    if (!e->abi->denormals) return false;
    for (unsigned k = 0; k < e->r->n; k++) {
        const struct region_block *b = &e->r->blocks[k];
        for (u32 i = 1; i < b->nops; i++) {
            const struct ir_insn *o = &b->ops[i];
            if ((o->op == IR_CALL || o->op == IR_VCALL) && e->r->fast[o->aux]) return true;
        }
    }
    return false;
}

void clean_block(struct emit *e) {
    struct walk w;
    struct clean_cells now = e->clean_in[e->b - e->r->blocks];
    memset(e->clean, 0, e->b->nops);
    if (!e->clean_asked) return;
    w.value[0] = 0;
    walk(e, (unsigned)(e->b - e->r->blocks), &now, &w);
    memcpy(e->clean, w.value, e->b->nops);
}

// Assumed of all blocks but the entry, then taken back.
void clean_find(struct emit *e) {
    struct walk w;
    e->clean_asked = asked(e);
    if (!e->clean_asked) return;
    for (unsigned k = 0; k < e->r->n; k++)
        for (unsigned q = 0; q < CLEAN_KINDS; q++)
            e->clean_in[k].as[q] = k ? cells_all() : (struct cellset){{0}};
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = 0; k < e->r->n; k++) {
            struct clean_cells out = e->clean_in[k];
            walk(e, k, &out, &w);
            for (int s = 0; s < 2; s++) {
                i16 to = e->r->blocks[k].succ[s];
                for (unsigned q = 0; to >= 0 && q < CLEAN_KINDS; q++) {
                    struct cellset gone = e->clean_in[to].as[q];
                    cells_and_not(&gone, &out.as[q]);
                    changed |= cells_and_not(&e->clean_in[to].as[q], &gone);
                }
            }
        }
    }
}
