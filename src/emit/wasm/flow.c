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

#include "base/compiler.h"
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

u8 flow_base(const struct flow *f, const struct ir_insn *ops, u32 i, u8 *bases) {
    const struct ir_insn *o = &ops[i];
    u8 base = 0;
    if (o->op == IR_GET && o->imm / 8 < IR_KNOWN_CELLS) base = f->index[o->imm / 8];
    if (o->op == IR_ADD64 && ops[o->b].op == IR_CONST64) base = bases[o->a];
    if (base && f->vector[base - 1]) base = 0;
    // What is set into a register is used from there.
    if (o->op == IR_SET && o->imm / 8 < IR_KNOWN_CELLS && f->index[o->imm / 8] && !bases[o->a])
        bases[o->a] = f->index[o->imm / 8];
    return bases[i] = base;
}

// Marks the blocks that can be reached from themselves.
static void find_loops(const struct region *r, bool *loops) {
    u64 from[REGION_BLOCKS][(REGION_BLOCKS + 63) / 64] = {{0}};
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = r->n; k-- > 0;)
            for (int s = 0; s < 2; s++) {
                i16 to = r->blocks[k].succ[s];
                for (unsigned w = 0; to >= 0 && w < ARRAY_LEN(from[0]); w++) {
                    u64 more = from[to][w] | ((unsigned)to / 64 == w ? (u64)1 << to % 64 : 0);
                    changed |= (more & ~from[k][w]) != 0;
                    from[k][w] |= more;
                }
            }
    }
    for (unsigned k = 0; k < r->n; k++) loops[k] = from[k][k / 64] >> k % 64 & 1;
}

// Finds the address registers whose page is worth keeping. The first access pays for two looks and
// every one is twice the code: in a region without loops a few must follow.
static void find_kept(const struct region *r, u32 pc_cell, struct flow *f) {
    u16 uses[2][REGION_CELLS] = {{0}};
    bool jumps[REGION_CELLS] = {false}, loops[REGION_BLOCKS];
    find_loops(r, loops);
    for (unsigned k = 0; k < r->n; k++) {
        const struct region_block *b = &r->blocks[k];
        u8 bases[IR_BLOCK_CAP] = {0};
        for (u32 i = 1; i < b->nops; i++) {
            const struct ir_insn *o = &b->ops[i];
            if (o->op == IR_SET && is_cell_op(o, pc_cell)) {
                unsigned c = cell_of(f, o);
                jumps[c] |= bases[o->a] != c + 1;
            }
            flow_base(f, b->ops, i, bases);
            unsigned bytes = ir_access_bytes((enum ir_op)o->op);
            if (!bytes || !bases[o->a]) continue;
            bool write = ir_ops[o->op].result == IR_NONE || (o->op >= IR_LDW8 && o->op <= IR_LDW64);
            uses[write][bases[o->a] - 1] += loops[k] ? KEPT_USES : 1;
        }
    }
    while (f->nkept < REGION_KEPT) {
        unsigned best = 0, cell = 0, write = 0;
        for (unsigned w = 0; w < 2; w++)
            for (unsigned c = 0; c < f->n; c++)
                if (!jumps[c] && !f->kept[w][c] && uses[w][c] > best)
                    best = uses[w][c], cell = c, write = w;
        if (best < KEPT_USES) return;
        f->kept[write][cell] = (u8)++f->nkept;
    }
}

bool flow_analyse(const struct region *r, u32 pc_cell, bool keep, struct flow *f) {
    memset(f, 0, sizeof *f);
    if (!find_cells(r, pc_cell, f)) return false;
    for (unsigned k = 0; k < r->n; k++)
        for (u32 i = 1; i < r->blocks[k].nops; i++)
            f->memory |= ir_access_bytes((enum ir_op)r->blocks[k].ops[i].op) != 0;
    if (f->memory && keep) find_kept(r, pc_cell, f);
    find_dirty(r, pc_cell, f);
    struct summary m[REGION_BLOCKS];
    for (unsigned k = 0; k < r->n; k++) summarise(r, k, pc_cell, f, &m[k]);
    find_live(r, m, f);
    find_late(r, m, f);
    return cells_count(&f->fault) <= FLOW_DIRTY;
}
