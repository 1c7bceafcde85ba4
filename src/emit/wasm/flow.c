// Dataflow over a region's state cells. Depends on ir/ only.
//
// Dirty (forward): a cell is dirty where, on some way, its local was set after memory was. Exits
// and faulting operations store what is dirty there, so on every way to them such a cell must have
// its value in the local: they count as uses in the second analysis. Live (backward): the value is
// used before it is set. Late (forward): the local has no value yet, on any way; at the entry and
// after calls all cells are. A late cell is loaded where it is used, or on the way to a block
// where it is live and not late.
#include "emit/wasm/flow.h"

#include <string.h>

#include "ir/ops.h"

static bool is_cell_op(const struct ir_insn *o, u32 pc_cell) {
    if (o->op == IR_GETV || o->op == IR_SETV) return true;
    return (o->op == IR_GET || o->op == IR_SET) && o->imm != pc_cell;
}

static bool add_cell(struct flow *f, u64 offset, bool vector) {
    u32 at = (u32)(offset / 8);
    if (at + 1 >= IR_KNOWN_CELLS) return false;
    if (f->index[at]) return true;
    if (f->n == REGION_CELLS) return false;
    f->offset[f->n] = (u16)offset;
    f->vector[f->n] = vector;
    f->index[at] = (u8)++f->n;
    if (vector) f->index[at + 1] = (u8)f->n;
    return true;
}

// Vectors first, so that accesses to their halves find them.
static bool find_cells(const struct region *r, u32 pc_cell, struct flow *f) {
    for (int vector = 1; vector >= 0; vector--)
        for (unsigned k = 0; k < r->n; k++)
            for (u32 i = 1; i < r->blocks[k].nops; i++) {
                const struct ir_insn *o = &r->blocks[k].ops[i];
                if (!is_cell_op(o, pc_cell)) continue;
                bool v = o->op == IR_GETV || o->op == IR_SETV;
                if (v == vector && !add_cell(f, o->imm, v)) return false;
            }
    return f->n < 255;
}

static unsigned cell_of(const struct flow *f, const struct ir_insn *o) {
    return f->index[o->imm / 8] - 1u;
}

static bool is_set(const struct flow *f, const struct ir_insn *o, bool *whole) {
    if (o->op != IR_SET && o->op != IR_SETV) return false;
    *whole = o->op == IR_SETV || !f->vector[cell_of(f, o)];
    return true;
}

static bool helper_call(const struct region *r, const struct ir_insn *o, bool *changes) {
    u8 effects = o->op == IR_CALL ? r->helper_effects[o->aux] : 0;
    *changes = helper_changes(effects);
    return helper_sees(effects);
}

// Walks block k forward. at: NULL or room for what is dirty before each operation. Returns what is
// dirty at the end.
static struct cellset dirty_after(const struct region *r, unsigned k, u32 pc_cell,
                                  const struct flow *f, struct cellset *at) {
    const struct region_block *b = &r->blocks[k];
    struct cellset dirty = f->dirty_in[k];
    bool whole, changes;
    for (u32 i = 1; i < b->nops; i++) {
        const struct ir_insn *o = &b->ops[i];
        if (at) at[i] = dirty;
        if (is_cell_op(o, pc_cell)) {
            if (is_set(f, o, &whole)) cell_add(&dirty, cell_of(f, o));
        } else if (helper_call(r, o, &changes)) {
            memset(&dirty, 0, sizeof dirty);
        }
    }
    return dirty;
}

static void find_dirty(const struct region *r, u32 pc_cell, struct flow *f) {
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = 0; k < r->n; k++) {
            const struct region_block *b = &r->blocks[k];
            struct cellset d = dirty_after(r, k, pc_cell, f, NULL);
            if (b->end == END_CALL) continue; // everything is stored, and memory is newer then
            for (int s = 0; s < 2; s++)
                if (b->succ[s] >= 0) changed |= cells_or(&f->dirty_in[b->succ[s]], &d);
        }
    }
}

// What a block does to the sets of the analyses after find_dirty.
struct summary {
    struct cellset uses, sets; // live at its start: those live at its end without `sets`, or `uses`
    struct cellset touched;    // no longer late at its end
    bool late;                 // all are late at its end, but for those touched since
};

static void summarise(const struct region *r, unsigned k, u32 pc_cell, struct flow *f,
                      struct summary *m) {
    const struct region_block *b = &r->blocks[k];
    struct cellset at[IR_BLOCK_CAP];
    bool whole, changes;
    memset(m, 0, sizeof *m);
    // Exits store what is dirty.
    m->uses = dirty_after(r, k, pc_cell, f, at);
    if (b->cold) cells_or(&f->fault, &m->uses);
    for (u32 i = b->nops; i-- > 1;) {
        const struct ir_insn *o = &b->ops[i];
        if (is_cell_op(o, pc_cell)) {
            unsigned c = cell_of(f, o);
            if (is_set(f, o, &whole) && whole) {
                cell_remove(&m->uses, c);
                cell_add(&m->sets, c);
            } else {
                cell_add(&m->uses, c);
            }
            if (!m->late) cell_add(&m->touched, c);
        } else if (helper_call(r, o, &changes)) {
            if (changes) {
                memset(&m->uses, 0, sizeof m->uses);
                memset(&m->sets, 0xff, sizeof m->sets);
                m->late = true;
            }
            cells_or(&m->uses, &at[i]);
        } else if (ir_ops[o->op].effects & IR_FAULTS) {
            cells_or(&m->uses, &at[i]);
            cells_or(&f->fault, &at[i]);
        }
    }
    if (b->end == END_CALL) {
        memset(&m->touched, 0, sizeof m->touched);
        m->late = true;
    }
}

static void find_live(const struct region *r, const struct summary *m, struct flow *f) {
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = r->n; k-- > 0;) {
            const struct region_block *b = &r->blocks[k];
            struct cellset live = {{0}};
            for (int s = 0; s < 2 && b->end != END_CALL; s++)
                if (b->succ[s] >= 0) cells_or(&live, &f->live_in[b->succ[s]]);
            cells_and_not(&live, &m[k].sets);
            cells_or(&live, &m[k].uses);
            changed |= cells_or(&f->live_in[k], &live);
        }
    }
}

// Late cells: on every way here still in memory only. Assumed of all, then taken back.
static void find_late(const struct region *r, const struct summary *m, struct flow *f) {
    memset(f->late_in, 0xff, r->n * sizeof f->late_in[0]);
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = 0; k < r->n; k++) {
            const struct region_block *b = &r->blocks[k];
            struct cellset late = f->late_in[k], seen;
            if (m[k].late) memset(&late, 0xff, sizeof late);
            cells_and_not(&late, &m[k].touched);
            memset(&seen, 0xff, sizeof seen);
            cells_and_not(&seen, &late);
            for (int s = 0; s < 2; s++)
                if (b->succ[s] >= 0) changed |= cells_and_not(&f->late_in[b->succ[s]], &seen);
        }
    }
}

bool flow_analyse(const struct region *r, u32 pc_cell, bool keep, struct flow *f) {
    memset(f, 0, sizeof *f);
    if (!find_cells(r, pc_cell, f)) return false;
    for (unsigned k = 0; k < r->n; k++)
        for (u32 i = 1; i < r->blocks[k].nops; i++)
            f->memory |= ir_access_bytes((enum ir_op)r->blocks[k].ops[i].op) != 0;
    if (f->memory && keep) flow_keep(r, pc_cell, f);
    find_dirty(r, pc_cell, f);
    struct summary m[REGION_BLOCKS];
    for (unsigned k = 0; k < r->n; k++) summarise(r, k, pc_cell, f, &m[k]);
    find_live(r, m, f);
    find_late(r, m, f);
    return cells_count(&f->fault) <= FLOW_DIRTY;
}
