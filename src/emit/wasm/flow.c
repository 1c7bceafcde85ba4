// Dataflow over a region's state cells. Depends on ir/ only.
//
// Dirty (forward): a cell is dirty where, on some way, its local was set after memory was. Exits
// store what is dirty there, so on every way to an exit such a cell must have its value in the
// local: exits count as uses in the second analysis. Live (backward): the value is used before it
// is set. Cells live at the entry are loaded there; after a guest call, those live where it
// returns.
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

// Walks a block forward from `dirty`; adds to `fault` what is dirty where it may fault.
static void forward(const struct region *r, const struct region_block *b, u32 pc_cell,
                    const struct flow *f, struct cellset *dirty, struct cellset *fault) {
    bool whole;
    for (u32 i = 1; i < b->nops; i++) {
        const struct ir_insn *o = &b->ops[i];
        if (is_cell_op(o, pc_cell)) {
            if (is_set(f, o, &whole)) cell_add(dirty, cell_of(f, o));
        } else if (o->op == IR_CALL && helper_sees(r->helper_effects[o->aux])) {
            memset(dirty, 0, sizeof *dirty);
        } else if (fault && ir_ops[o->op].effects & IR_FAULTS) {
            cells_or(fault, dirty);
        }
    }
}

static void find_dirty(const struct region *r, u32 pc_cell, struct flow *f) {
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = 0; k < r->n; k++) {
            const struct region_block *b = &r->blocks[k];
            struct cellset d = f->dirty_in[k];
            forward(r, b, pc_cell, f, &d, NULL);
            if (b->end == END_CALL) continue; // everything is stored, and memory is newer then
            for (int s = 0; s < 2; s++)
                if (b->succ[s] >= 0) changed |= cells_or(&f->dirty_in[b->succ[s]], &d);
        }
    }
    for (unsigned k = 0; k < r->n; k++) {
        struct cellset d = f->dirty_in[k];
        forward(r, &r->blocks[k], pc_cell, f, &d, &f->fault);
    }
}

// What is dirty before operation `at` of block k.
static struct cellset dirty_at(const struct region *r, unsigned k, u32 at, u32 pc_cell,
                               const struct flow *f) {
    struct region_block b = r->blocks[k];
    b.nops = at;
    struct cellset d = f->dirty_in[k];
    forward(r, &b, pc_cell, f, &d, NULL);
    return d;
}

static struct cellset live_before(const struct region *r, unsigned k, u32 pc_cell,
                                  const struct flow *f) {
    const struct region_block *b = &r->blocks[k];
    struct cellset live = dirty_at(r, k, b->nops, pc_cell, f);
    if (b->end != END_CALL)
        for (int s = 0; s < 2; s++)
            if (b->succ[s] >= 0) cells_or(&live, &f->live_in[b->succ[s]]);
    bool whole;
    for (u32 i = b->nops; i-- > 1;) {
        const struct ir_insn *o = &b->ops[i];
        if (is_cell_op(o, pc_cell)) {
            unsigned c = cell_of(f, o);
            if (is_set(f, o, &whole) && whole)
                cell_remove(&live, c);
            else
                cell_add(&live, c);
        } else if (o->op == IR_CALL && helper_sees(r->helper_effects[o->aux])) {
            if (helper_changes(r->helper_effects[o->aux])) memset(&live, 0, sizeof live);
            struct cellset d = dirty_at(r, k, i, pc_cell, f);
            cells_or(&live, &d);
        } else if (ir_ops[o->op].effects & IR_FAULTS) {
            cells_or(&live, &f->fault);
        }
    }
    return live;
}

static void find_live(const struct region *r, u32 pc_cell, struct flow *f) {
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = r->n; k-- > 0;) {
            struct cellset live = live_before(r, k, pc_cell, f);
            changed |= cells_or(&f->live_in[k], &live);
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

// Finds the address registers whose page is worth keeping.
static void find_kept(const struct region *r, u32 pc_cell, struct flow *f) {
    u16 uses[2][REGION_CELLS] = {{0}};
    bool jumps[REGION_CELLS] = {false};
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
            uses[write][bases[o->a] - 1]++;
        }
    }
    while (f->nkept < REGION_KEPT) {
        unsigned best = 0, cell = 0, write = 0;
        for (unsigned w = 0; w < 2; w++)
            for (unsigned c = 0; c < f->n; c++)
                if (!jumps[c] && !f->kept[w][c] && uses[w][c] > best)
                    best = uses[w][c], cell = c, write = w;
        if (!best) return;
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
    find_live(r, pc_cell, f);
    return true;
}
