// IR to uops: one forward walk that gives every value a cell (its own state cell where it is about
// to be set, else a temporary), and fuses what fits one uop: immediates, sign extension of 32-bit
// results, compare and branch. Depends on ir/ and guest/guest.h for the layout of the temporaries.
//
// Invariants: a cell is overwritten only after every value still needed from it was moved away; a
// set never moves across an operation that may fault or a mark, so the state is exact at each of
// them.
#include <assert.h>
#include <string.h>

#include "exec/lower.h"
#include "ir/ops.h"

// Lets the uop that is about to stand at l->n run together with those before it.
static void fuse(struct lower *l, enum uop_code code) {
    enum uop_code head = l->run ? (enum uop_code)l->out[l->n - l->run].code : UOP_INVALID;
    enum uop_code to = l->flags ? fuse_flags(head, code) : fuse_plain(head, code);
    if (to) {
        l->out[l->n - l->run].code = (u16)to;
        l->run++;
    } else {
        l->run = 1;
    }
}

struct uop *lower_put(struct lower *l, enum uop_code code, u16 d, u16 a, u16 b, u64 imm) {
    if (l->n >= l->cap) {
        l->failed = true;
        return &l->sink;
    }
    struct uop *u = &l->out[l->n];
    u->code = (u16)code;
    u->d = d;
    u->a = a;
    u->b = b;
    u->imm = imm;
    fuse(l, code);
    l->n++;
    return u;
}

static void put_meta(struct lower *l, enum uop_code code, u16 d, u16 a, u16 b, i32 disp) {
    struct uop *u = lower_put(l, code, d, a, b, 0);
    u->disp = disp;
    u->meta = l->meta;
}

static u16 tmp_cell(unsigned i) { return (u16)(offsetof(struct guest_state, tmp) + 8 * i); }

static u16 vtmp_cell(unsigned i) { return (u16)(offsetof(struct guest_state, vtmp) + 16 * i); }

// A temporary whose content is not read by operation `from` or later. For the result of the current
// operation `from` is the one after it (operands are read first); for anything made before the
// operation runs it is the operation itself.
static u16 take_tmp_from(struct lower *l, u32 until, u32 from) {
    for (unsigned i = 0; i < GUEST_TEMPS; i++)
        if (l->tmp_until[i] < from) {
            l->tmp_until[i] = (u16)until;
            return tmp_cell(i);
        }
    l->failed = true;
    return tmp_cell(0);
}

static u16 take_tmp(struct lower *l, u32 until) { return take_tmp_from(l, until, l->at); }

static u16 take_vtmp_from(struct lower *l, u32 until, u32 from) {
    for (unsigned i = 0; i < GUEST_VTEMPS; i++)
        if (l->vtmp_until[i] < from) {
            l->vtmp_until[i] = (u16)until;
            return vtmp_cell(i);
        }
    l->failed = true;
    return vtmp_cell(0);
}

static u16 take_vtmp(struct lower *l, u32 until) { return take_vtmp_from(l, until, l->at); }

static bool is_tmp(u16 cell, unsigned *i) {
    u32 base = offsetof(struct guest_state, tmp);
    if (cell < base || cell >= base + 8 * GUEST_TEMPS) return false;
    *i = (cell - base) / 8;
    return true;
}

static bool is_vtmp(u16 cell, unsigned *i) {
    u32 base = offsetof(struct guest_state, vtmp);
    if (cell < base || cell >= base + 16 * GUEST_VTEMPS) return false;
    *i = (cell - base) / 16;
    return true;
}

// Value r now lives in `cell`.
void lower_home(struct lower *l, ir_ref r, u16 cell) {
    l->v[r].loc = cell;
    unsigned t;
    if (is_tmp(cell, &t)) {
        if (l->tmp_until[t] < l->v[r].last_use) l->tmp_until[t] = l->v[r].last_use;
    } else if (is_vtmp(cell, &t)) {
        if (l->vtmp_until[t] < l->v[r].last_use) l->vtmp_until[t] = l->v[r].last_use;
    } else if (cell / 8 < CELLS) {
        l->next[r] = l->head[cell / 8];
        l->head[cell / 8] = r;
    }
}

// Moves those values of one kind that live in `cell` and are read after operation `at` out of the
// way: vectors, or what is no vector (which may be the low half of one).
static void vacate_kind(struct lower *l, u16 cell, u32 at, bool vec) {
    u16 *head = &l->head[cell / 8], gone = 0;
    u32 until = 0;
    for (u16 *link = head; *link;) {
        u16 r = *link;
        if ((ir_type_of(l->b, r) == IR_V128) != vec) {
            link = &l->next[r];
            continue;
        }
        *link = l->next[r];
        l->next[r] = gone;
        gone = r;
        if (l->v[r].last_use > at && l->v[r].last_use > until) until = l->v[r].last_use;
    }
    if (!until) return;
    u16 moved = vec ? take_vtmp(l, until) : take_tmp(l, until);
    lower_put(l, vec ? UOP_MOVV : UOP_MOV, moved, cell, 0, 0);
    for (u16 r = gone; r; r = l->next[r])
        if (l->v[r].last_use > at) l->v[r].loc = moved;
}

static void vacate_one(struct lower *l, u16 cell, u32 at) {
    if (!l->head[cell / 8]) return;
    vacate_kind(l, cell, at, false);
    vacate_kind(l, cell, at, true);
}

// `cell` is about to be overwritten by operation `at`.
void lower_vacate(struct lower *l, u16 cell, u32 at, bool vec) {
    assert(cell / 8 + 1 < CELLS && "a state cell beyond what the lowering tracks");
    if (cell == GUEST_FLAGS + 8 * FLAG_B) l->b_known = false;
    vacate_one(l, cell, at);
    if (vec)
        vacate_one(l, (u16)(cell + 8), at);
    else if (cell % 16 == 8)
        vacate_kind(l, (u16)(cell - 8), at, true);
}

// The operations whose value may be another's, in its cell.
static bool keeps_alive(unsigned op) {
    switch (op) {
    case IR_TRUNC32:
    case IR_ZEXT32:
    case IR_F64BITS:
    case IR_BITSF64:
    case IR_F32BITS:
    case IR_BITSF32:
        return true;
    default:
        return false;
    }
}

static bool is_cell(unsigned op) { return op >= IR_GET && op <= IR_SETV; }

static bool is_made_where_used(unsigned op) { return op >= IR_CONST32 && op <= IR_PCREL; }

static bool is_left(const struct lower *l, ir_ref r) {
    return l->v[r].done && l->v[r].loc == UOP_NOWHERE;
}

// Value r is read by operation `until`, and what it only renames with it.
void lower_keep(struct lower *l, ir_ref r, u32 until) {
    while (r && l->v[r].last_use < until) {
        l->v[r].last_use = (u16)until;
        r = keeps_alive(l->b->ops[r].op) ? l->b->ops[r].a : 0;
    }
}

// A shift by a constant that only a sum needs is done with it. All its uses are counted.
static void leave_shift(struct lower *l, u32 i) {
    const struct ir_insn *s = &l->b->ops[i], *o = &l->b->ops[l->v[i].last_use];
    u64 k;
    if (l->v[i].uses != 1 || o->op != IR_ADD64 || o->b != i || !ir_is_const(l->b, s->b, &k)) return;
    l->v[i].done = true;
    lower_keep(l, s->a, l->v[i].last_use);
}

static inline void count_use(struct lower_value *v, u32 by) {
    v->last_use = v->last_use ? v->last_use : (u16)by;
    v->uses += v->uses != 255;
}

// Cells that can be homes: pc's and those behind the head up to `top`; behind that there is the
// other half of a vector, and the other flags.
static void empty_cells(struct lower *l, u32 top) {
    u32 end = top / 8 + GUEST_FLAG_CELLS + 1;
    if (end > CELLS) end = CELLS;
    memset(&l->head[GUEST_FLAGS / 8], 0, (end - GUEST_FLAGS / 8) * sizeof l->head[0]);
    l->head[0] = l->head[offsetof(struct guest_state, pc) / 8] = 0;
}

static bool is_flag_set(const struct ir_insn *o) {
    return o->op == IR_SET && o->imm - GUEST_FLAGS < 8 * GUEST_FLAG_CELLS;
}

// One walk backwards: of a value all uses are known when it is reached. What nobody needs is left
// out, with what only that needs. A value that only renames another keeps it alive as long.
static void count_uses(struct lower *l) {
    const struct ir_block *b = l->b;
    struct lower_value *v = l->v;
    for (u32 i = 0; i < b->n; i++) v[i] = (struct lower_value){.loc = UOP_NOWHERE};
    u32 top = GUEST_FLAGS;
    unsigned norder = 0, nflag_ops = 0;
    ir_live_all(&l->live);
    for (u32 i = b->n - 1; i; i--) {
        const struct ir_insn *o = &b->ops[i];
        if (!ir_live_needed(&l->live, b, i, v[i].last_use)) {
            v[i].done = v[i].dead = true;
            continue;
        }
        if (is_made_where_used(o->op)) continue;
        l->order[norder++] = (u16)i;
        if (o->a) count_use(&v[o->a], i);
        if (o->b) count_use(&v[o->b], i);
        if (o->c) count_use(&v[o->c], i);
        if (is_cell(o->op)) {
            if (o->imm > top) top = (u32)o->imm;
            if (l->flags && is_flag_set(o)) l->flag_ops[nflag_ops++] = (u16)i;
        } else if (o->op == IR_CALL) {
            if (l->flags && b->helper_effects[o->aux] & (HELPER_WRITES | HELPER_MODE))
                l->flag_ops[nflag_ops++] = (u16)i;
        } else if (o->op == IR_SHL64) {
            leave_shift(l, i);
        } else if (keeps_alive(o->op)) {
            lower_keep(l, o->a, v[i].last_use);
        }
    }
    l->norder = norder;
    l->nflag_ops = nflag_ops;
    empty_cells(l, top);
    l->b_known = false;
    if (l->flags) lower_find_flags(l);
}

// The cell that holds operand r, making constants on the way.
u16 lower_operand(struct lower *l, ir_ref r) {
    if (!r) return offsetof(struct guest_state, zero);
    if (l->v[r].loc != UOP_NOWHERE) return l->v[r].loc;
    const struct ir_insn *o = &l->b->ops[r];
    u64 v;
    if (ir_is_const(l->b, r, &v)) {
        u16 held = v ? lower_flag_const(l, v, o->op == IR_CONST64 ? 64 : 32) : 0;
        if (!v || held) return v ? held : offsetof(struct guest_state, zero);
    }
    u16 t = take_tmp(l, l->v[r].last_use);
    if (o->op == IR_PCREL)
        lower_put(l, UOP_MOVPC, t, 0, 0, o->imm);
    else {
        assert((o->op == IR_CONST64 || o->op == IR_CONST32) && "a value without a cell");
        lower_put(l, UOP_MOVI, t, 0, 0, o->imm);
    }
    l->v[r].loc = t;
    return t;
}

static bool renames(enum ir_op op) {
    switch (op) {
    case IR_TRUNC32:
    case IR_F64BITS:
    case IR_BITSF64:
    case IR_F32BITS:
    case IR_BITSF32:
        return true;
    default:
        return false;
    }
}

// Where the result of `value` (operation index `i`) should go: the state cell it is set into next,
// if nothing stands between, else a temporary. `cleaned`: its upper half is zero, so zext32 renames
// it.
static u16 result_cell(struct lower *l, ir_ref value, u32 i, bool cleaned) {
    const struct ir_block *b = l->b;
    ir_ref alias = value;
    for (u32 j = i + 1; j < b->n; j++) {
        const struct ir_insn *o = &b->ops[j];
        if (lower_skips(l, j)) continue;
        if (o->op == IR_ZEXT32 && cleaned && o->a == alias) {
            alias = (ir_ref)j;
            continue;
        }
        if (renames((enum ir_op)o->op) && o->a == alias) {
            alias = (ir_ref)j;
            continue;
        }
        if (l->flags && l->v[j].in_group) break;
        if (o->op == IR_SET && (o->a == value || o->a == alias)) {
            lower_vacate(l, (u16)o->imm, i, false);
            l->v[j].done = true;
            // The set's value is homed when the walk reaches the renaming operations, all at this
            // cell.
            return (u16)o->imm;
        }
        break;
    }
    return take_tmp_from(l, l->v[value].last_use, l->at + 1);
}

static u16 vresult_cell(struct lower *l, ir_ref value, u32 i) {
    u32 next = i + 1;
    while (next < l->b->n && l->v[next].dead) next++;
    const struct ir_insn *o = &l->b->ops[next];
    if (next < l->b->n && o->op == IR_SETV && o->a == value) {
        lower_vacate(l, (u16)o->imm, i, true);
        l->v[next].done = true;
        return (u16)o->imm;
    }
    return take_vtmp_from(l, l->v[value].last_use, l->at + 1);
}

static bool has_imm(enum ir_type t) { return t == IR_I64 || t == IR_I32; }

// The next operation that makes code, if it is `op` on value r.
static u32 followed_by(struct lower *l, u32 i, enum ir_op op) {
    for (u32 j = i + 1; j < l->b->n; j++) {
        const struct ir_insn *o = &l->b->ops[j];
        if (lower_skips(l, j)) continue;
        return o->op == op && o->a == i ? j : 0;
    }
    return 0;
}

static void lower_bin(struct lower *l, u32 i, enum uop_code base, enum ir_type t) {
    const struct ir_insn *o = &l->b->ops[i];
    if (t == IR_V128) {
        u16 a = lower_operand(l, o->a), b = lower_operand(l, o->b);
        u16 d = vresult_cell(l, (ir_ref)i, i);
        lower_put(l, base, d, a, b, o->imm);
        lower_home(l, (ir_ref)i, d);
        return;
    }
    u64 imm = 0;
    if (o->op == IR_ADD64 && is_left(l, o->b)) {
        const struct ir_insn *s = &l->b->ops[o->b];
        u16 x = lower_operand(l, o->a), y = lower_operand(l, s->a);
        u16 to = result_cell(l, (ir_ref)i, i, false);
        lower_put(l, UOP_ADDSH64, to, x, y, l->b->ops[s->b].imm);
        lower_home(l, (ir_ref)i, to);
        return;
    }
    bool by_imm = has_imm(t) && ir_is_const(l->b, o->b, &imm);
    u16 a = lower_operand(l, o->a), b = by_imm ? 0 : lower_operand(l, o->b);
    u32 sx = t == IR_I32 ? followed_by(l, i, IR_SEXT32) : 0;
    ir_ref value = (ir_ref)(sx ? sx : i);
    u16 d = result_cell(l, value, value, !sx && t == IR_I32);
    lower_put(l, (enum uop_code)(base + (by_imm ? 1 : 0) + (sx ? 2 : 0)), d, a, b, imm);
    if (sx) l->v[sx].done = true;
    lower_home(l, value, d);
    if (sx)
        lower_home(l, (ir_ref)i,
                   d); // the low half is the 32-bit value itself, should it be used again
    l->v[i].clean = t == IR_I32 && !sx;
}

// Exits: counted by the block's instructions; targets in this page get linked when first taken.
static void put_goto(struct lower *l, i64 rel, u32 count, enum uop_link way, u16 hint) {
    bool near = l->self && rel >= 0 && rel < GUEST_PAGE_SIZE;
    if (near) {
        struct uop *u = lower_put(l, UOP_LINK, (u16)count, (u16)way, hint, 0);
        u->disp = (i32)rel;
        u->meta = l->self;
    } else {
        lower_put(l, UOP_FAR, (u16)count, 0, hint, (u64)rel);
    }
}

static void put_branch(struct lower *l, enum uop_code code, u16 a, u16 b,
                       const struct ir_insn *br) {
    // The two ways follow as uops of their own; once linked, the branch goes to their targets
    // directly.
    lower_put(l, code, (u16)l->insns, a, b, 0);
    put_goto(l, (i64)br->imm, 0, LINK_TAKEN, 0);
    put_goto(l, (i64)(i32)br->aux, 0, LINK_OTHER, 0);
}

static void lower_cmp(struct lower *l, u32 i, enum uop_code base, enum ir_type t) {
    const struct ir_insn *o = &l->b->ops[i];
    u32 br = l->v[i].uses == 1 ? followed_by(l, i, IR_BRANCH) : 0;
    if (br) {
        u16 a = lower_operand(l, o->a), b = lower_operand(l, o->b);
        put_branch(l, (enum uop_code)(base + 2), a, b, &l->b->ops[br]);
        l->v[br].done = true;
        return;
    }
    u64 imm = 0;
    bool by_imm = has_imm(t) && ir_is_const(l->b, o->b, &imm);
    u16 a = lower_operand(l, o->a), b = by_imm ? 0 : lower_operand(l, o->b);
    u16 d = result_cell(l, (ir_ref)i, i, true);
    lower_put(l, (enum uop_code)(base + (by_imm ? 1 : 0)), d, a, b, imm);
    lower_home(l, (ir_ref)i, d);
    l->v[i].clean = true;
}

static void lower_un(struct lower *l, u32 i, enum uop_code code, enum ir_type rt) {
    const struct ir_insn *o = &l->b->ops[i];
    if (renames((enum ir_op)o->op) || (o->op == IR_ZEXT32 && l->v[o->a].clean)) {
        lower_home(l, (ir_ref)i, lower_operand(l, o->a));
        return;
    }
    u16 a = lower_operand(l, o->a);
    u16 d =
        rt == IR_V128 ? vresult_cell(l, (ir_ref)i, i) : result_cell(l, (ir_ref)i, i, rt == IR_I32);
    lower_put(l, code, d, a, 0, 0);
    lower_home(l, (ir_ref)i, d);
    l->v[i].clean = rt == IR_I32;
}

static void lower_sel(struct lower *l, u32 i, enum uop_code code, enum ir_type t) {
    const struct ir_insn *o = &l->b->ops[i];
    u16 a = lower_operand(l, o->a), b = lower_operand(l, o->b), c = lower_operand(l, o->c);
    u16 d =
        t == IR_V128 ? vresult_cell(l, (ir_ref)i, i) : result_cell(l, (ir_ref)i, i, t == IR_I32);
    lower_put(l, code, d, a, b, c);
    lower_home(l, (ir_ref)i, d);
    l->v[i].clean = t == IR_I32;
}

// The next operation after i that makes code, 0: none.
static u32 next_op(const struct lower *l, u32 i) {
    for (u32 j = i + 1; j < l->b->n; j++) {
        if (!lower_skips(l, j) && !l->v[j].done) return j;
    }
    return 0;
}

// After the access of operation i through `address`: does a constant go onto the register that this
// is, as when a stack is pushed or popped? The operations that do it are done then, and *by is it.
static bool moves_address(struct lower *l, u32 i, ir_ref address, i64 *by) {
    u16 cell = l->v[address].loc;
    u32 j = next_op(l, i), k = j ? next_op(l, j) : 0;
    u64 v;
    if (!k || l->b->ops[j].op != IR_ADD64 || l->b->ops[k].op != IR_SET) return false;
    if (l->b->ops[j].a != address || !ir_is_const(l->b, l->b->ops[j].b, &v)) return false;
    if (l->b->ops[k].a != j || l->b->ops[k].imm != cell || l->v[k].in_group) return false;
    if (v != (u64)(i64)(i16)v || (*by && (u64)*by != v)) return false;
    *by = (i64)v;
    lower_vacate(l, cell, j, false);
    l->v[j].done = l->v[k].done = true;
    lower_home(l, (ir_ref)j, cell);
    return true;
}

static void lower_load(struct lower *l, u32 i, enum uop_code code, bool vec) {
    const struct ir_insn *o = &l->b->ops[i];
    u16 a = lower_operand(l, o->a);
    u16 d = vec ? vresult_cell(l, (ir_ref)i, i) : result_cell(l, (ir_ref)i, i, false);
    i64 by = 0;
    bool moves = l->flags && code == UOP_LD64 && d != a && moves_address(l, i, o->a, &by);
    put_meta(l, moves ? UOP_LD64_U : code, d, a, (u16)by, (i32)o->imm);
    lower_home(l, (ir_ref)i, d);
}

static void lower_store(struct lower *l, u32 i, enum uop_code code) {
    const struct ir_insn *o = &l->b->ops[i];
    u16 a = lower_operand(l, o->a), b = lower_operand(l, o->b);
    i64 by = (i32)o->imm;
    bool moves = l->flags && code == UOP_ST64 && by && moves_address(l, i, o->a, &by);
    put_meta(l, moves ? UOP_ST64_U : code, 0, a, b, (i32)o->imm);
}

static void lower_set(struct lower *l, u32 i) {
    const struct ir_insn *o = &l->b->ops[i];
    u16 cell = (u16)o->imm;
    bool vec = o->op == IR_SETV;
    if (l->flags && l->v[i].in_group) {
        lower_flags(l, i);
        return;
    }
    if (l->v[o->a].loc == cell) return;
    u64 v;
    bool imm = l->v[o->a].loc == UOP_NOWHERE && ir_is_const(l->b, o->a, &v);
    bool pc = l->v[o->a].loc == UOP_NOWHERE && l->b->ops[o->a].op == IR_PCREL;
    u16 from = imm || pc ? 0 : lower_operand(l, o->a);
    lower_vacate(l, cell, i, vec);
    if (imm)
        lower_put(l, UOP_MOVI, cell, 0, 0, v);
    else if (pc)
        lower_put(l, UOP_MOVPC, cell, 0, 0, l->b->ops[o->a].imm);
    else
        lower_put(l, vec ? UOP_MOVV : UOP_MOV, cell, from, 0, 0);
    // A constant lives on in the cell it was put into.
    if ((imm || pc) && l->v[o->a].last_use > i) lower_home(l, o->a, cell);
}

static void lower_call(struct lower *l, u32 i) {
    const struct ir_insn *o = &l->b->ops[i];
    u8 eff = l->b->helper_effects[o->aux];
    u16 a = lower_operand(l, o->a), b = lower_operand(l, o->b), c = lower_operand(l, o->c);
    bool faults = eff & (HELPER_FAULTS | HELPER_PC | HELPER_MODE);
    if (eff & (HELPER_WRITES | HELPER_MODE)) {
        // Values living in state cells must survive the helper.
        l->b_known = false;
        for (ir_ref r = 1; r < i; r++)
            if (l->v[r].last_use > i && l->v[r].loc != UOP_NOWHERE && l->head[l->v[r].loc / 8])
                vacate_one(l, l->v[r].loc, i);
        a = lower_operand(l, o->a), b = lower_operand(l, o->b), c = lower_operand(l, o->c);
    }
    // The result is written after the helper's exception was looked for, so it may go to its cell.
    u16 d = l->v[i].uses ? result_cell(l, (ir_ref)i, i, false) : take_tmp(l, l->at);
    put_meta(l, faults ? UOP_CALL_PC : UOP_CALL, d, a, b, c);
    lower_put(l, UOP_INVALID, 0, (u16)o->aux, 0, o->imm);
    lower_home(l, (ir_ref)i, d);
}

// An operand that is not there is read all the same.
static void lower_vcall(struct lower *l, u32 i) {
    const struct ir_insn *o = &l->b->ops[i];
    u16 a = o->a ? lower_operand(l, o->a) : vtmp_cell(0), b = o->b ? lower_operand(l, o->b) : a;
    u16 c = o->c ? lower_operand(l, o->c) : a, d = vresult_cell(l, (ir_ref)i, i);
    lower_put(l, UOP_VCALL, d, a, b, c | (u64)o->aux << 16 | o->imm << 32);
    lower_home(l, (ir_ref)i, d);
}

static void lower_op(struct lower *l, u32 i) {
    const struct ir_insn *o = &l->b->ops[i];
    switch (o->op) {
#define IR_BIN(n, t, ty, e)                                                                        \
    case IR_##n:                                                                                   \
        lower_bin(l, i, UOP_##n, IR_##ty);                                                         \
        break;
#define IR_CMP(n, t, ty, e)                                                                        \
    case IR_##n:                                                                                   \
        lower_cmp(l, i, UOP_##n, IR_##ty);                                                         \
        break;
#define IR_UN(n, t, r, ty, e)                                                                      \
    case IR_##n:                                                                                   \
        lower_un(l, i, UOP_##n, IR_##r);                                                           \
        break;
#define IR_SHV(n, t, e)                                                                            \
    case IR_##n:                                                                                   \
        lower_bin(l, i, UOP_##n, IR_V128);                                                         \
        break;
#define IR_VIMM(n, t, e)                                                                           \
    case IR_##n:                                                                                   \
        lower_bin(l, i, UOP_##n, IR_V128);                                                         \
        break;
#define IR_SEL(n, t, ty)                                                                           \
    case IR_##n:                                                                                   \
        lower_sel(l, i, UOP_##n, IR_##ty);                                                         \
        break;
#define IR_LOAD(n, t, ty, by, e)                                                                   \
    case IR_##n:                                                                                   \
        lower_load(l, i, UOP_##n, false);                                                          \
        break;
#define IR_STORE(n, t, ty, by)                                                                     \
    case IR_##n:                                                                                   \
        lower_store(l, i, UOP_##n);                                                                \
        break;
#include "ir/ops.def"
    case IR_GET:
    case IR_GETV:
        lower_home(l, (ir_ref)i, (u16)o->imm);
        break;
    case IR_SET:
    case IR_SETV:
        lower_set(l, i);
        break;
    case IR_INSN:
        l->meta = (u32)o->imm % GUEST_PAGE_SIZE | l->insns << UOP_META_SHIFT;
        l->insns++;
        break;
    case IR_TRAPIF: {
        u16 a = lower_operand(l, o->a), b = lower_operand(l, o->b);
        put_meta(l, UOP_TRAPIF, 0, a, b, (i32)o->imm);
        break;
    }
    case IR_CALL:
        lower_call(l, i);
        break;
    case IR_VCALL:
        lower_vcall(l, i);
        break;
    case IR_LDV:
        lower_load(l, i, UOP_LDV, true);
        break;
    case IR_STV:
        lower_store(l, i, UOP_STV);
        break;
    case IR_LDW8:
        lower_load(l, i, UOP_LDW8, false);
        break;
    case IR_LDW16:
        lower_load(l, i, UOP_LDW16, false);
        break;
    case IR_LDW32:
        lower_load(l, i, UOP_LDW32, false);
        break;
    case IR_LDW64:
        lower_load(l, i, UOP_LDW64, false);
        break;
    case IR_JUMP:
        put_goto(l, (i64)o->imm, l->insns, LINK_JUMP, (u16)o->aux);
        break;
    case IR_BRANCH:
        put_branch(l, UOP_BRNZ, lower_operand(l, o->a), 0, o);
        break;
    case IR_JUMPIND:
        lower_put(l, UOP_JUMPIND, (u16)l->insns, lower_operand(l, o->a), (u16)o->imm, 0);
        break;
    case IR_LEAVE:
        lower_put(l, UOP_LEAVE, (u16)l->insns, 0, 0, 0);
        break;
    default:
        assert(0 && "an operation the lowering does not know");
    }
}

unsigned lower_block(const struct ir_block *b, struct uop *out, unsigned cap, u32 self,
                     bool flags) {
    struct lower l;
    l.b = b;
    l.out = out;
    l.n = 0;
    l.cap = cap;
    l.failed = false;
    l.self = self;
    l.flags = flags;
    l.meta = l.insns = 0;
    l.run = 0;
    memset(l.tmp_until, 0, sizeof l.tmp_until);
    memset(l.vtmp_until, 0, sizeof l.vtmp_until);
    count_uses(&l);
    for (unsigned k = l.norder; k && !l.failed; k--) {
        l.at = l.order[k - 1];
        if (!l.v[l.at].done) lower_op(&l, l.at);
    }
    return l.failed ? 0 : l.n;
}
