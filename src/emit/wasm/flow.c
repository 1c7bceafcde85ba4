// Dataflow over a region's state cells. Depends on ir/ only.
//
// At once (backward): on every way from here the cell is stored before it is set again. So a set
// can store it where it is, and a way to a block of which that is true can if it is dirty: no way
// has a store more, and the value need not wait in a local for an exit. Dirty (forward): a cell is
// dirty where, on some way, its local was set after memory was. Exits and faulting operations store
// what is dirty there, so on every way to them such a cell must have its value in the local: they
// count as uses in the last analysis. Live (backward): the value is used before it is set. Late
// (forward): memory has the value, and no local on any way; at the entry and after calls all cells
// are. A late cell is loaded where it is used, or on the way to a block where it is live and not
// late. What calls in a loop put into memory on every way back to its head stays there for the next
// round, and a way in stores it if it is dirty.
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
            if (!is_set(f, o, &whole)) continue;
            if (flow_at_once(f, k, i))
                cell_remove(&dirty, cell_of(f, o));
            else
                cell_add(&dirty, cell_of(f, o));
        } else if (helper_call(r, o, &changes)) {
            memset(&dirty, 0, sizeof dirty);
        }
    }
    return dirty;
}

// What a block does to the sets of an analysis: before it are those after it without `without`,
// and `with`; or the other way round.
struct summary {
    struct cellset without, with;
};

static struct cellset apply(const struct summary *m, struct cellset s) {
    cells_and_not(&s, &m->without);
    cells_or(&s, &m->with);
    return s;
}

static struct summary stores_of(const struct region *r, unsigned k, u32 pc_cell,
                                const struct flow *f) {
    const struct region_block *b = &r->blocks[k];
    struct summary m = {0};
    bool whole, changes;
    for (u32 i = b->nops; i-- > 1;) {
        const struct ir_insn *o = &b->ops[i];
        if (is_cell_op(o, pc_cell)) {
            if (!is_set(f, o, &whole)) continue;
            cell_add(&m.without, cell_of(f, o));
            cell_remove(&m.with, cell_of(f, o));
        } else if (helper_call(r, o, &changes)) {
            m.with = cells_all();
        }
    }
    return m;
}

// Ways out of the region and calls store everything that is dirty.
static struct cellset stored_after(const struct region *r, unsigned k, const struct cellset *in) {
    const struct region_block *b = &r->blocks[k];
    struct cellset s = cells_all();
    for (int way = 0; way < 2 && b->end != END_CALL; way++)
        if (b->succ[way] >= 0) s = cells_both(s, &in[b->succ[way]]);
    return s;
}

static void note_at_once(const struct region *r, unsigned k, u32 pc_cell, struct cellset stored,
                         struct flow *f) {
    const struct region_block *b = &r->blocks[k];
    bool whole, changes;
    for (u32 i = b->nops; i-- > 1;) {
        const struct ir_insn *o = &b->ops[i];
        if (is_cell_op(o, pc_cell)) {
            if (!is_set(f, o, &whole)) continue;
            unsigned c = cell_of(f, o);
            if (cell_in(&stored, c)) f->at_once[k][i / 64] |= (u64)1 << i % 64;
            cell_remove(&stored, c);
        } else if (helper_call(r, o, &changes)) {
            stored = cells_all();
        }
    }
}

static void find_at_once(const struct region *r, u32 pc_cell, struct flow *f) {
    struct summary m[REGION_BLOCKS];
    struct cellset in[REGION_BLOCKS];
    for (unsigned k = 0; k < r->n; k++) {
        m[k] = stores_of(r, k, pc_cell, f);
        in[k] = cells_all();
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = r->n; k-- > 0;) {
            struct cellset now = apply(&m[k], stored_after(r, k, in)), gone = in[k];
            cells_and_not(&gone, &now);
            changed |= cells_and_not(&in[k], &gone);
        }
    }
    for (unsigned k = 0; k < r->n; k++) {
        note_at_once(r, k, pc_cell, stored_after(r, k, in), f);
        f->clean_in[k] = in[k];
    }
}

// ---- late

struct lates {
    struct summary m[REGION_BLOCKS]; // late after a block, by those before it
    struct cellset in[REGION_BLOCKS];
    // Of heads of loops: late there although ways in have them in locals.
    struct cellset always[REGION_BLOCKS];
    u8 back[REGION_BLOCKS]; // bit s: way s leads to a block that the walk has come through
    u8 seen[REGION_BLOCKS];
    u8 heads[REGION_BLOCKS]; // outer ones first
    unsigned nheads;
};

static void find_heads(const struct region *r, unsigned k, struct lates *l) {
    enum { OPEN = 1, HEAD, SEEN };
    unsigned at = l->nheads;
    l->seen[k] = OPEN;
    for (int s = 0; s < 2; s++) {
        i16 to = r->blocks[k].succ[s];
        if (to < 0) continue;
        if (!l->seen[to]) find_heads(r, (unsigned)to, l);
        if (l->seen[to] == SEEN) continue;
        l->back[k] |= (u8)(1 << s);
        l->seen[to] = HEAD;
    }
    if (l->seen[k] == HEAD) {
        memmove(l->heads + at + 1, l->heads + at, l->nheads++ - at);
        l->heads[at] = (u8)k;
    }
    l->seen[k] = SEEN;
}

// Late after block k: those before it or, with a call, all; without those touched since.
static struct summary lates_of(const struct region *r, unsigned k, u32 pc_cell,
                               const struct flow *f) {
    const struct region_block *b = &r->blocks[k];
    struct summary m = {0};
    bool changes;
    for (u32 i = 1; i < b->nops; i++) {
        const struct ir_insn *o = &b->ops[i];
        if (is_cell_op(o, pc_cell)) {
            cell_add(&m.without, cell_of(f, o));
            cell_remove(&m.with, cell_of(f, o));
        } else if (helper_call(r, o, &changes) && changes) {
            m.with = cells_all();
        }
    }
    if (b->end == END_CALL) m.with = cells_all();
    return m;
}

// Assumed of all, then taken back. At block `none` no cell is late.
static void solve_late(const struct region *r, struct lates *l, int none) {
    for (unsigned k = 0; k < r->n; k++) l->in[k] = cells_all();
    if (none >= 0) memset(&l->in[none], 0, sizeof l->in[none]);
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = 0; k < r->n; k++) {
            struct cellset late = apply(&l->m[k], l->in[k]);
            for (int s = 0; s < 2; s++) {
                i16 to = r->blocks[k].succ[s];
                if (to < 0) continue;
                struct cellset known = cells_all();
                cells_and_not(&known, &late);
                cells_and_not(&known, &l->always[to]);
                changed |= cells_and_not(&l->in[to], &known);
            }
        }
    }
}

static void find_late(const struct region *r, u32 pc_cell, struct flow *f) {
    struct lates l;
    memset(&l, 0, sizeof l);
    find_heads(r, 0, &l);
    for (unsigned k = 0; k < r->n; k++) l.m[k] = lates_of(r, k, pc_cell, f);
    for (unsigned i = l.nheads; i-- > 0;) {
        int head = l.heads[i];
        struct cellset always = cells_all();
        solve_late(r, &l, head);
        for (unsigned k = 0; k < r->n; k++) {
            struct cellset late = apply(&l.m[k], l.in[k]);
            for (int s = 0; s < 2; s++)
                if (l.back[k] >> s & 1 && r->blocks[k].succ[s] == head)
                    always = cells_both(always, &late);
        }
        l.always[head] = always;
    }
    solve_late(r, &l, -1);
    for (unsigned k = 0; k < r->n; k++) {
        f->late_in[k] = l.in[k];
        cells_or(&f->clean_in[k], &l.in[k]);
    }
}

// ---- dirty and live

static void find_dirty(const struct region *r, u32 pc_cell, struct flow *f, struct cellset *out) {
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = 0; k < r->n; k++) {
            const struct region_block *b = &r->blocks[k];
            out[k] = dirty_after(r, k, pc_cell, f, NULL);
            if (b->end == END_CALL) continue; // everything is stored, and memory is newer then
            for (int s = 0; s < 2; s++) {
                if (b->succ[s] < 0) continue;
                struct cellset d = out[k];
                cells_and_not(&d, &f->clean_in[b->succ[s]]);
                changed |= cells_or(&f->dirty_in[b->succ[s]], &d);
            }
        }
    }
}

static struct summary uses_of(const struct region *r, unsigned k, u32 pc_cell, struct flow *f) {
    const struct region_block *b = &r->blocks[k];
    struct cellset at[IR_BLOCK_CAP];
    struct summary m = {0};
    bool whole, changes;
    // Exits store what is dirty.
    m.with = dirty_after(r, k, pc_cell, f, at);
    if (b->cold) cells_or(&f->fault, &m.with);
    for (u32 i = b->nops; i-- > 1;) {
        const struct ir_insn *o = &b->ops[i];
        if (is_cell_op(o, pc_cell)) {
            unsigned c = cell_of(f, o);
            if (is_set(f, o, &whole) && whole) {
                cell_remove(&m.with, c);
                cell_add(&m.without, c);
            } else {
                cell_add(&m.with, c);
            }
        } else if (helper_call(r, o, &changes)) {
            if (changes) {
                memset(&m.with, 0, sizeof m.with);
                m.without = cells_all();
            }
            cells_or(&m.with, &at[i]);
        } else if (ir_ops[o->op].effects & IR_FAULTS) {
            cells_or(&m.with, &at[i]);
            cells_or(&f->fault, &at[i]);
        }
    }
    return m;
}

static void find_live(const struct region *r, u32 pc_cell, const struct cellset *dirty_out,
                      struct flow *f) {
    struct summary m[REGION_BLOCKS];
    for (unsigned k = 0; k < r->n; k++) m[k] = uses_of(r, k, pc_cell, f);
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = r->n; k-- > 0;) {
            const struct region_block *b = &r->blocks[k];
            struct cellset live = {{0}};
            for (int s = 0; s < 2 && b->end != END_CALL; s++) {
                if (b->succ[s] < 0) continue;
                struct cellset in = f->live_in[b->succ[s]];
                struct cellset stored = cells_both(dirty_out[k], &f->clean_in[b->succ[s]]);
                cells_and_not(&in, &f->late_in[b->succ[s]]);
                cells_or(&live, &in);
                cells_or(&live, &stored);
            }
            live = apply(&m[k], live);
            changed |= cells_or(&f->live_in[k], &live);
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
    struct cellset dirty_out[REGION_BLOCKS];
    find_at_once(r, pc_cell, f);
    find_late(r, pc_cell, f);
    find_dirty(r, pc_cell, f, dirty_out);
    find_live(r, pc_cell, dirty_out, f);
    return cells_count(&f->fault) <= FLOW_DIRTY;
}
