// Lazy flags: sets of the flag cells (GUEST_FLAGS) that stand together become one uop, which also
// makes the result where that is the difference of the two values, and extends what it sets. A part
// of the lowering; depends on ir/ and the layout of the cells.
//
// Invariants: nothing but constants stands between the sets of a group, so doing them at the last
// one changes no state that can be seen. A value is left to the group's uop (its own operation
// makes no code) only when nothing before the group reads it.
#include <assert.h>
#include <string.h>

#include "exec/lower.h"

enum { MOST_BACK = 40 }; // operations that a value left to the uop may lie before its group

enum width { W64, W32, W8 };

// ---- looking for groups

static bool is_flag_set(const struct ir_insn *o, unsigned *cell) {
    if (o->op != IR_SET || o->imm < GUEST_FLAGS) return false;
    *cell = (unsigned)(o->imm - GUEST_FLAGS) / 8;
    return *cell < GUEST_FLAG_CELLS;
}

// Nothing between the value and operation `to` reads it, but `except`.
static bool unread(const struct lower *l, ir_ref v, u32 to, ir_ref except) {
    if (to - v > MOST_BACK) return false;
    for (u32 i = v + 1u; i < to; i++) {
        const struct ir_insn *o = &l->b->ops[i];
        if ((o->a == v || o->b == v || o->c == v) && i != except && !l->v[i].dead) return false;
    }
    return true;
}

static bool is_byte(const struct lower *l, ir_ref v, ir_ref *from) {
    const struct ir_insn *o = &l->b->ops[v];
    u64 k;
    *from = v;
    if (ir_is_const(l->b, v, &k)) return k <= 0xff;
    if (o->op == IR_LDU8 || o->op == IR_LDW8) return true;
    if (o->op != IR_AND64 || !ir_is_const(l->b, o->b, &k) || k > 0xff) return false;
    if (k == 0xff) *from = o->a;
    return true;
}

static bool is_word(const struct lower *l, ir_ref v, ir_ref *from) {
    const struct ir_insn *o = &l->b->ops[v];
    u64 k;
    *from = v;
    if (ir_is_const(l->b, v, &k)) return k >> 32 == 0;
    switch (o->op) {
    case IR_ZEXT32:
        *from = o->a;
        return true;
    case IR_LDU8:
    case IR_LDU16:
    case IR_LDU32:
    case IR_LDW8:
    case IR_LDW16:
    case IR_LDW32:
        return true;
    case IR_AND64:
        return ir_is_const(l->b, o->b, &k) && k >> 32 == 0;
    default:
        return false;
    }
}

// What v is the low part of, with zeros above.
static bool is_low(const struct lower *l, enum width w, ir_ref v, ir_ref *from) {
    *from = v;
    return !v || w == W64 || (w == W32 ? is_word(l, v, from) : is_byte(l, v, from));
}

static bool same(const struct lower *l, ir_ref x, ir_ref y) {
    u64 a, b;
    return x == y || (ir_is_const(l->b, x, &a) && ir_is_const(l->b, y, &b) && a == b);
}

// x is an i32: the low half of what the group takes from `from`.
static bool same_low(const struct lower *l, ir_ref x, ir_ref from) {
    const struct ir_insn *o = &l->b->ops[x];
    return same(l, x, from) || (o->op == IR_TRUNC32 && o->a == from);
}

// The subtraction when the result is the difference of both values; 0: it is not. `first`: the
// group's first set.
static ir_ref difference(const struct lower *l, const struct flag_group *g, enum width w,
                         u32 first) {
    const struct ir_insn *r = &l->b->ops[g->res];
    if (!g->a || !unread(l, g->res, first, 0)) return 0;
    if (w == W64) return r->op == IR_SUB64 && r->a == g->a && same(l, r->b, g->b) ? g->res : 0;
    if (g->in[0] == g->res) return 0;
    ir_ref s = r->a;
    const struct ir_insn *o = &l->b->ops[s];
    if (w == W32)
        return o->op == IR_SUB32 && same_low(l, o->a, g->in[1]) && same_low(l, o->b, g->in[2]) &&
                       unread(l, s, first, g->res)
                   ? s
                   : 0;
    return o->op == IR_SUB64 && o->a == g->a && same(l, o->b, g->b) && l->v[s].uses == 1 ? s : 0;
}

// An extension that only the group needs, or that is first read after it.
static void leave_extension(struct lower *l, ir_ref v, ir_ref from, u32 first, ir_ref except) {
    if (v && v != from && unread(l, v, first, except)) l->v[v].done = true;
}

// held: the constant that the last cell holds, which is then as good as set; 0: not known.
static bool kind_of(struct lower *l, struct flag_group *g, const ir_ref set[GUEST_FLAG_CELLS],
                    u64 kind, ir_ref held) {
    if (set[FLAG_KIND]) kind = l->b->ops[set[FLAG_KIND]].imm;
    g->kind = (u32)kind;
    g->res = set[FLAG_RESULT];
    g->a = set[FLAG_A];
    g->b = set[FLAG_B] ? set[FLAG_B] : held;
    return kind >> 32 == 0;
}

// Which uop does it; false: none does.
static bool classify(struct lower *l, struct flag_group *g, u32 first) {
    u64 k;
    if (!g->res || !g->b) return false;
    bool nothing = ir_is_const(l->b, g->b, &k) && k == 0;
    if (!g->a && !nothing) return false;
    const ir_ref v[3] = {g->res, g->a, g->b};
    enum width w = W8;
    while (!is_low(l, w, v[0], &g->in[0]) || !is_low(l, w, v[1], &g->in[1]) ||
           !is_low(l, w, v[2], &g->in[2]))
        w--;
    ir_ref sub = difference(l, g, w, first);
    g->subtracts = sub != 0;
    if (sub) l->v[sub].done = l->v[g->res].done = true;
    for (unsigned i = sub ? 1 : 0; i < 3; i++)
        leave_extension(l, v[i], g->in[i], first, w == W8 ? sub : 0);
    static const u16 sets[] = {UOP_FLAGS64, UOP_FLAGS32, UOP_FLAGS8};
    static const u16 subs[] = {UOP_CMP64, UOP_CMP32, UOP_CMP8};
    static const u16 logic[] = {UOP_LOGIC64, UOP_LOGIC32, UOP_LOGIC8};
    g->code = g->a ? (sub ? subs : sets)[w] : logic[w];
    return true;
}

// What the group reads lives until then.
static void keep_until(struct lower *l, const struct flag_group *g) {
    for (unsigned i = g->subtracts ? 1 : 0; i < 3; i++) {
        const ir_ref r[2] = {g->in[i], i == 0 ? g->res : i == 1 ? g->a : g->b};
        for (unsigned k = 0; k < 2; k++) lower_keep(l, r[k], g->last);
    }
}

// The group whose first set is the k-th of flag_ops from the end: its sets, and where it ends.
static unsigned collect(const struct lower *l, unsigned k, u32 *last, ir_ref set[GUEST_FLAG_CELLS],
                        ir_ref at[GUEST_FLAG_CELLS]) {
    memset(set, 0, GUEST_FLAG_CELLS * sizeof set[0]);
    u32 i = l->flag_ops[k - 1];
    for (; k; k--) {
        while (i < l->flag_ops[k - 1] && lower_skips(l, i)) i++;
        const struct ir_insn *o = &l->b->ops[i];
        unsigned cell;
        if (i != l->flag_ops[k - 1] || !is_flag_set(o, &cell) || set[cell]) break;
        set[cell] = o->a;
        at[cell] = (ir_ref)i;
        *last = i++;
    }
    return k;
}

void lower_find_flags(struct lower *l) {
    l->ngroups = 0;
    bool known = false;
    u64 kind = 0, v;
    ir_ref held = 0;
    for (unsigned k = l->nflag_ops; k;) {
        u32 first = l->flag_ops[k - 1], last = first;
        if (l->b->ops[first].op != IR_SET) { // anything may be in the flags now
            known = false, held = 0;
            k--;
            continue;
        }
        ir_ref set[GUEST_FLAG_CELLS], at[GUEST_FLAG_CELLS];
        k = collect(l, k, &last, set, at);
        if (set[FLAG_KIND]) known = ir_is_const(l->b, set[FLAG_KIND], &kind);
        if (set[FLAG_B]) held = ir_is_const(l->b, set[FLAG_B], &v) ? set[FLAG_B] : 0;
        struct flag_group *g = &l->groups[l->ngroups];
        if (!known || l->ngroups == FLAG_GROUPS - 1 || !kind_of(l, g, set, kind, held)) continue;
        g->last = (u16)last;
        if (!classify(l, g, first)) continue;
        keep_until(l, g);
        l->ngroups++;
        for (unsigned j = 0; j < GUEST_FLAG_CELLS; j++)
            if (set[j]) l->v[at[j]].in_group = (u8)l->ngroups;
    }
}

// ---- making the uop

static u16 flag_cell(enum guest_flag_cell i) { return (u16)(GUEST_FLAGS + 8 * i); }

// Where an operand is read: the value itself, or what it was to be extended from.
static u16 source(struct lower *l, ir_ref v, ir_ref from) {
    return lower_operand(l, l->v[v].done && l->v[v].loc == UOP_NOWHERE ? from : v);
}

// The value now lives in the flags if its operation made no code.
static void settle(struct lower *l, ir_ref v, u16 cell) {
    if (l->v[v].done && l->v[v].loc == UOP_NOWHERE) lower_home(l, v, cell);
}

// The register that a difference goes to next, else the flags' cell.
static u16 result_goes_to(struct lower *l, const struct flag_group *g) {
    for (u32 j = g->last + 1u; j < l->b->n; j++) {
        const struct ir_insn *o = &l->b->ops[j];
        if (lower_skips(l, j)) continue;
        if (o->op != IR_SET || o->a != g->res || l->v[j].in_group) break;
        lower_vacate(l, (u16)o->imm, g->last, false);
        l->v[j].done = true;
        return (u16)o->imm;
    }
    return flag_cell(FLAG_RESULT);
}

// The last operand as an immediate.
static bool fits(const struct lower *l, const struct flag_group *g, u64 *imm) {
    u64 k;
    if (!ir_is_const(l->b, g->b, &k)) return false;
    if (g->code == UOP_FLAGS64 || g->code == UOP_CMP64) {
        if (k != (u64)(i64)(i32)k) return false;
    }
    *imm |= k << 32;
    return true;
}

void lower_flags(struct lower *l, u32 i) {
    const struct flag_group *g = &l->groups[l->v[i].in_group - 1];
    if (g->last != i) return;
    bool logic = !g->a;
    for (unsigned k = 0; k < GUEST_FLAG_CELLS; k++)
        if (!(logic && k == FLAG_A)) lower_vacate(l, flag_cell(k), i, false);
    u64 imm = g->kind, b_value = 0;
    bool by_imm = !logic && fits(l, g, &imm);
    u16 a = logic ? 0 : source(l, g->a, g->in[1]);
    u16 b = logic || by_imm ? 0 : source(l, g->b, g->in[2]);
    u16 d = g->subtracts ? 0 : source(l, g->res, g->in[0]);
    if (g->subtracts) d = result_goes_to(l, g);
    lower_put(l, (enum uop_code)(g->code + (by_imm ? 1 : 0)), d, a, b, imm);
    if (g->subtracts) {
        ir_ref s = l->b->ops[g->res].op == IR_ZEXT32 ? l->b->ops[g->res].a : 0;
        lower_home(l, g->res, d);
        if (s) lower_home(l, s, d);
        if (s) l->v[s].clean = true;
    } else {
        settle(l, g->res, flag_cell(FLAG_RESULT));
    }
    if (!logic) settle(l, g->a, flag_cell(FLAG_A));
    if (!logic && !by_imm) settle(l, g->b, flag_cell(FLAG_B));
    l->b_known = ir_is_const(l->b, g->b, &b_value);
    l->b_value = b_value;
}

u16 lower_flag_const(const struct lower *l, u64 v, unsigned bits) {
    if (!l->b_known || (l->b_value ^ v) << (64 - bits)) return 0;
    return flag_cell(FLAG_B);
}
