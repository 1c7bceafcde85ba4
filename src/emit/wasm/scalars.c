// Scalars of floating point in vectors' cells: the lower half or quarter of a cell that operations
// take as a float has a local of its own (`shadow`), and what they give goes there only. The
// vector's local is stale then, and put together where the whole of it is wanted: by another
// operation, on the way to a block that begins with such, or in memory, where the float is stored
// over it (cells.c). So a loop of scalars never touches the vector. Depends on emit.h.
//
// Which cells are stale at a block's start is settled before it is emitted (scalars_plan): those
// of which the next thing read is the scalar, and those that are stale on a way in and not read
// whole next. Ways between blocks make it so.
#include <string.h>

#include "emit/wasm/emit.h"

static u32 shadow_of(const struct emit *e, unsigned c) {
    return e->flow.vector[c] ? e->shadow[c] : 0;
}

static bool is_single(const struct emit *e, unsigned c) {
    return e->types[e->shadow[c]] == W_T_F32;
}

static bool is_low(const struct emit *e, const struct ir_insn *o, unsigned c) {
    return o->imm == e->flow.offset[c];
}

void push_cell(struct emit *e, unsigned c) {
    w_local(out(e), W_LOCAL_GET, L_CELLS + c);
    if (!cell_in(&e->stale, c)) return;
    w_local(out(e), W_LOCAL_GET, e->shadow[c]);
    simd_lane(e, is_single(e, c) ? W_F32X4_REPLACE_LANE : W_F64X2_REPLACE_LANE, 0);
}

static void put_together(struct emit *e, unsigned c) {
    push_cell(e, c);
    w_local(out(e), W_LOCAL_SET, L_CELLS + c);
    cell_remove(&e->stale, c);
}

void whole_cell(struct emit *e, unsigned c) {
    if (!cell_in(&e->stale, c)) return;
    vacate(e, L_CELLS + c);
    put_together(e, c);
}

// ---- operations

// Is operation i, which reads a vector, all that the set of another cell with a shadow after it
// needs?
static bool copied(const struct emit *e, u32 i, unsigned c) {
    const struct ir_insn *o = &e->b->ops[i], *set = o + 1;
    if (o->op != IR_GETV || i + 1 == e->b->nops || set->op != IR_SETV || set->a != i) return false;
    unsigned to = e->flow.index[set->imm / 8] - 1u;
    u32 from_shadow = shadow_of(e, c), to_shadow = shadow_of(e, to);
    return from_shadow && to_shadow && e->types[from_shadow] == e->types[to_shadow];
}

bool scalar_get(struct emit *e, u32 i, unsigned c) {
    const struct ir_insn *o = &e->b->ops[i];
    if (!cell_in(&e->stale, c)) return false;
    if (o->op == IR_GETV && e->uses[i] == 1 && copied(e, i, c)) return true; // scalar_set has it
    bool single = e->singles[i] == e->uses[i];
    if (o->op == IR_GET && !is_low(e, o, c)) return false;
    if (o->op == IR_GETV || single != is_single(e, c) || (!single && !e->floats[i])) {
        whole_cell(e, c);
        return false;
    }
    w_local(out(e), W_LOCAL_GET, e->shadow[c]);
    keep_float(e, (ir_ref)i, e->types[e->shadow[c]]);
    return true;
}

// All of cell c becomes what cell `from` is.
static void copy(struct emit *e, unsigned c, unsigned from, ir_ref r) {
    drop_use(e, r);
    vacate(e, L_CELLS + c);
    w_local(out(e), W_LOCAL_GET, L_CELLS + from);
    w_local(out(e), W_LOCAL_SET, L_CELLS + c);
    w_local(out(e), W_LOCAL_GET, e->shadow[from]);
    w_local(out(e), W_LOCAL_SET, e->shadow[c]);
}

// Of the float in a local: cell c becomes it, with zeros above.
static void extend(struct emit *e, unsigned c, ir_ref r) {
    w_local(out(e), W_LOCAL_GET, e->local[e->b->ops[r].a]);
    use_unseen(e, r);
    vacate(e, L_CELLS + c);
    w_local(out(e), W_LOCAL_SET, e->shadow[c]);
    vector_constant(e, 0, 0);
    w_local(out(e), W_LOCAL_SET, L_CELLS + c);
}

bool scalar_set_all(struct emit *e, u32 i, unsigned c) {
    const struct ir_insn *ops = e->b->ops, *o = &ops[i], *x = &ops[o->a];
    u32 shadow = shadow_of(e, c);
    bool stale = cell_in(&e->stale, c);
    cell_remove(&e->stale, c);
    if (!shadow) return false;
    if (x->op == IR_GETV && e->kind[o->a] == V_NONE) {
        unsigned from = e->flow.index[x->imm / 8] - 1u;
        if (from != c)
            copy(e, c, from, o->a);
        else
            drop_use(e, o->a);
        if (from != c || stale) cell_add(&e->stale, c);
        return true;
    }
    if (x->op != IR_VZEXT64 || e->kind[o->a] != V_TREE || e->kind[x->a] != V_FLOAT) return false;
    if (e->types[e->local[x->a]] != e->types[shadow]) return false;
    extend(e, c, o->a);
    cell_add(&e->stale, c);
    return true;
}

bool scalar_set(struct emit *e, u32 i, unsigned c, ir_ref v, bool single) {
    const struct ir_insn *o = &e->b->ops[i];
    if (!shadow_of(e, c) || !is_low(e, o, c)) return false;
    bool is_float = e->kind[v] == V_FLOAT && e->types[e->local[v]] == e->types[e->shadow[c]];
    if (single != is_single(e, c) || !is_float) {
        if (single) whole_cell(e, c);
        cell_remove(&e->stale, c); // all of the half is set
        return false;
    }
    w_local(out(e), W_LOCAL_GET, e->local[v]);
    drop_use(e, v);
    w_local(out(e), W_LOCAL_SET, e->shadow[c]);
    cell_add(&e->stale, c);
    return true;
}

// ---- ways between blocks

void scalars_edge(struct emit *e, int to) {
    for (unsigned c = 0; c < e->flow.n; c++) {
        bool is = cell_in(&e->stale, c), wanted = cell_in(&e->stale_in[to], c);
        if (!shadow_of(e, c) || is == wanted || !cell_in(&e->flow.live_in[to], c)) continue;
        if (!wanted) {
            if (!cell_in(&e->flow.late_in[to], c)) put_together(e, c);
            continue;
        }
        w_local(out(e), W_LOCAL_GET, L_CELLS + c);
        simd_lane(e, is_single(e, c) ? W_F32X4_EXTRACT_LANE : W_F64X2_EXTRACT_LANE, 0);
        w_local(out(e), W_LOCAL_SET, e->shadow[c]);
    }
}

// What a block does to the cells with shadows. scalar, whole: what it reads first. stale, kept: as
// it leaves them.
struct use {
    struct cellset scalar, whole, touched;
    struct cellset stale, left;
};

static void read_first(struct use *u, struct cellset *how, unsigned c) {
    if (!cell_in(&u->touched, c)) cell_add(how, c);
    cell_add(&u->touched, c);
}

static void leave_as(struct use *u, unsigned c, bool stale) {
    cell_add(&u->touched, c);
    cell_add(&u->left, c);
    if (stale)
        cell_add(&u->stale, c);
    else
        cell_remove(&u->stale, c);
}

static void use_of(struct emit *e, u32 i, struct use *u) {
    const struct ir_insn *ops = e->b->ops, *o = &ops[i];
    if (o->op == IR_CALL && helper_changes(e->r->helper_effects[o->aux])) {
        u->touched = u->left = cells_all();
        memset(&u->stale, 0, sizeof u->stale);
    }
    bool all = o->op == IR_GETV || o->op == IR_SETV;
    if (!all && o->op != IR_GET && o->op != IR_SET) return;
    if (o->imm == e->abi->pc_cell) return;
    unsigned c = e->flow.index[o->imm / 8] - 1u;
    if (!shadow_of(e, c) || (!all && !is_low(e, o, c))) return;
    if (o->op == IR_GET) {
        read_first(u, &u->scalar, c);
    } else if (o->op == IR_GETV) {
        if (copied(e, i, c)) return;
        read_first(u, &u->whole, c);
        leave_as(u, c, false);
    } else if (o->op == IR_SETV) {
        leave_as(u, c, ops[o->a].op == IR_VZEXT64 || (ops[o->a].op == IR_GETV && o->a + 1u == i));
    } else {
        ir_ref single = fast_merged(e, i);
        leave_as(u, c, single ? is_single(e, c) : !is_single(e, c));
    }
}

// What is read next on ways from block k: `in` of the blocks there.
static struct cellset next_read(const struct emit *e, unsigned k, const struct cellset *in) {
    struct cellset s = {{0}};
    const struct region_block *b = &e->r->blocks[k];
    for (int way = 0; way < 2 && b->end != END_CALL; way++)
        if (b->succ[way] >= 0) cells_or(&s, &in[b->succ[way]]);
    return s;
}

// Which reads come first after the start of blocks: of `first`, else those of the blocks after it.
static void find_reads(const struct emit *e, const struct use *uses, bool whole,
                       struct cellset *in) {
    for (unsigned k = 0; k < e->r->n; k++) in[k] = whole ? uses[k].whole : uses[k].scalar;
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = e->r->n; k-- > 0;) {
            struct cellset next = next_read(e, k, in);
            cells_and_not(&next, &uses[k].touched);
            changed |= cells_or(&in[k], &next);
        }
    }
}

void scalars_plan(struct emit *e) {
    struct use uses[REGION_BLOCKS];
    struct cellset whole[REGION_BLOCKS];
    memset(uses, 0, e->r->n * sizeof uses[0]);
    for (unsigned k = 0; k < e->r->n; k++) {
        e->b = &e->r->blocks[k];
        for (u32 i = 1; i < e->b->nops; i++) use_of(e, i, &uses[k]);
    }
    find_reads(e, uses, false, e->stale_in);
    find_reads(e, uses, true, whole);
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = 0; k < e->r->n; k++) {
            const struct region_block *b = &e->r->blocks[k];
            struct cellset stale = e->stale_in[k];
            cells_and_not(&stale, &uses[k].left);
            cells_or(&stale, &uses[k].stale);
            for (int way = 0; way < 2 && b->end != END_CALL; way++) {
                if (b->succ[way] < 0) continue;
                struct cellset more = stale;
                cells_and_not(&more, &whole[b->succ[way]]);
                changed |= cells_or(&e->stale_in[b->succ[way]], &more);
            }
        }
    }
    for (unsigned k = 0; k < e->r->n; k++) {
        e->stale_in[k] = cells_both(e->stale_in[k], &e->flow.live_in[k]);
        cells_and_not(&e->stale_in[k], &e->flow.late_in[k]);
    }
}
