// Accesses of a block off one base: one look at the TLB for all of them. Depends on emit.h.
//
// Such accesses (a frame's saves and restores, fields of a structure, pushes) have addresses that
// differ by constants. Before the first one it is looked up whether all bytes that any of them
// touches lie in one page that the TLB knows; if so their host address stays in a local, and they
// are plain loads and stores off it. Else it is 0 and each access goes its own slow way, with
// everything that may happen to it. A run of them with nothing but simple operations in between is
// written twice, so that it asks once; the copy for the slow way comes out of the same functions
// from the same state. But first it is tried without a slow way (MISSES_LEAVE): if not all lie in
// one page that the TLB knows the region is left, as for a single access that misses. A third of
// all code was slow ways of groups.
//
// Right for the reason that kept pages are: translations change only in helpers after which
// everything unwinds. A page with code in it is no hit for writing. Where a group writes, its loads
// use the write table, too: what may be written may be read.
#include <assert.h>
#include <string.h>

#include "emit/wasm/emit.h"
#include "ir/ops.h"

// A group that crosses pages is slow: far fields are not worth more of that.
enum { SPAN = 512 };
// Operations that a run has twice, beside its accesses, for each of them.
enum { BETWEEN = 6 };

// ---- planning

struct known {
    ir_ref root;
    i64 off;
};

struct plan {
    struct known at[IR_BLOCK_CAP];      // what a value is a constant away from
    struct known cells[IR_KNOWN_CELLS]; // by offset / 8; root 0: not known yet
};

static void follow(struct emit *e, u32 i, struct plan *p) {
    const struct ir_insn *ops = e->b->ops, *o = &ops[i];
    bool cell = (o->op == IR_GET || o->op == IR_SET) && o->imm / 8 < IR_KNOWN_CELLS;
    p->at[i] = (struct known){(ir_ref)i, 0};
    if (o->op == IR_ADD64 && ops[o->b].op == IR_CONST64) {
        i64 by = (i64)ops[o->b].imm;
        if (by == (i32)by) p->at[i] = (struct known){p->at[o->a].root, p->at[o->a].off + by};
    } else if (cell && o->op == IR_SET) {
        p->cells[o->imm / 8] = p->at[o->a];
    } else if (cell && p->cells[o->imm / 8].root) {
        p->at[i] = p->cells[o->imm / 8];
    } else if (cell) {
        p->cells[o->imm / 8] = p->at[i];
    } else if (o->op == IR_SETV && o->imm / 8 + 1 < IR_KNOWN_CELLS) {
        p->cells[o->imm / 8].root = p->cells[o->imm / 8 + 1].root = 0;
    } else if (o->op == IR_CALL && helper_changes(e->r->helper_effects[o->aux])) {
        memset(p->cells, 0, sizeof p->cells);
    }
}

static void add_access(struct emit *e, u32 i, const struct plan *p) {
    const struct ir_insn *o = &e->b->ops[i];
    if (o->imm != (u64)(i64)(i32)o->imm) return;
    struct known k = p->at[o->a];
    i64 lo = k.off + (i64)o->imm, hi = lo + ir_access_bytes((enum ir_op)o->op);
    if (lo != (i32)lo || hi != (i32)hi) return;
    struct group *g = e->groups, *end = g + e->ngroups;
    for (; g < end; g++) {
        i64 a = lo < g->lo ? lo : g->lo, b = hi > g->hi ? hi : g->hi;
        if (g->root != k.root || b - a > SPAN) continue;
        g->lo = (i32)a;
        g->hi = (i32)b;
        break;
    }
    if (g == end) {
        if (e->ngroups == GROUPS) return;
        *g = (struct group){
            .root = k.root, .lo = (i32)lo, .hi = (i32)hi, .window = (u8)window_of(e, i)};
        e->ngroups++;
    } else if (g->window != window_of(e, i)) {
        g->window = 0;
    }
    g->n++;
    g->write |= is_write(o);
    e->group[i] = (u8)(1 + (g - e->groups));
    e->off[i] = (i32)lo;
}

void groups_plan(struct emit *e) {
    struct plan p;
    memset(p.cells, 0, sizeof p.cells);
    memset(e->group, 0, e->b->nops);
    e->ngroups = 0;
    const i32 rel = e->rel;
    if (!e->abi->passes.pages) return;
    for (u32 i = 1; i < e->b->nops; i++) {
        if (e->b->ops[i].op == IR_INSN) e->rel = (i32)e->b->ops[i].imm;
        follow(e, i, &p);
        if (ir_access_bytes((enum ir_op)e->b->ops[i].op)) add_access(e, i, &p);
    }
    e->rel = rel;
}

// ---- runs

// May be written twice: no ways out, no code of its own to speak of.
static bool is_simple(const struct emit *e, const struct ir_insn *o) {
    if (o->op == IR_GET || o->op == IR_SET) return o->imm != e->abi->pc_cell;
    if (o->op == IR_INSN || o->op == IR_GETV || o->op == IR_SETV) return true;
    if (ir_ops[o->op].effects || ir_ops[o->op].result == IR_NONE) return false;
    return o->op < IR_MUL64 || o->op > IR_REMS64;
}

// The end of the run that begins with access i: after its last access. *n: how many it has.
static u32 run_end(const struct emit *e, u32 i, unsigned *n) {
    u32 end = i + 1, between = 0;
    *n = 1;
    for (u32 k = i + 1; k < e->b->nops && between <= BETWEEN; k++) {
        if (e->group[k] == e->group[i]) {
            end = k + 1;
            ++*n;
            between = 0;
        } else if (is_simple(e, &e->b->ops[k])) {
            between += e->b->ops[k].op != IR_INSN;
        } else {
            break;
        }
    }
    return end;
}

// Instructions of x86 on the fast way: a look is 11, an access off it 1, a run's question 2, an
// access by itself 9, one with a kept page 7; with a window a look is 6, an access 5.
static bool pays(struct emit *e, u32 first, const struct group *g, bool sure) {
    unsigned runs = 0, n, alone = 9, look = g->window ? 6 : 11,
             block = (unsigned)(e->b - e->r->blocks);
    for (u32 i = first, seen = 0; seen < g->n; i++) {
        if (e->group[i] != e->group[first]) continue;
        if (flow_kept(&e->flow, block, e->b->ops, i, e->bases)) alone = 7;
        if (g->window) alone = 5;
        i = run_end(e, i, &n) - 1;
        seen += n;
        runs += !sure;
    }
    return look + 2 * runs + g->n < alone * g->n;
}

static struct group *group_of(struct emit *e, u32 i) {
    struct group *g = e->group[i] ? &e->groups[e->group[i] - 1] : NULL;
    if (!g || g->local) return g && g->n ? g : NULL;
    bool sure = e->r->misses == MISSES_LEAVE && !e->begun;
    if (g->n < 2 || !pays(e, i, g, sure))
        g->n = 0;
    else
        g->sure = sure;
    return g && g->n ? g : NULL;
}

// What emitting operations changes, but for code.
struct saved {
    u8 kind[IR_BLOCK_CAP], busy[sizeof((struct emit *)0)->busy];
    u16 local[IR_BLOCK_CAP], uses[IR_BLOCK_CAP];
    ir_ref trees[256], aliases[256];
    unsigned ntrees, naliases, nlocals;
    struct cellset dirty, late, stale;
    i32 rel;
    u32 done;
    bool begun;
};

static void save(const struct emit *e, struct saved *s) {
    u32 n = e->b->nops;
    memcpy(s->kind, e->kind, n);
    memcpy(s->local, e->local, n * sizeof s->local[0]);
    memcpy(s->uses, e->uses, n * sizeof s->uses[0]);
    memcpy(s->busy, e->busy, e->nlocals);
    memcpy(s->trees, e->trees, e->ntrees * sizeof s->trees[0]);
    memcpy(s->aliases, e->aliases, e->naliases * sizeof s->aliases[0]);
    s->ntrees = e->ntrees;
    s->naliases = e->naliases;
    s->nlocals = e->nlocals;
    s->dirty = e->dirty;
    s->late = e->late;
    s->stale = e->stale;
    s->rel = e->rel;
    s->done = e->done;
    s->begun = e->begun;
}

// Locals that were made since are free again, so that the second copy takes the same ones.
static void restore(struct emit *e, const struct saved *s) {
    u32 n = e->b->nops;
    memcpy(e->kind, s->kind, n);
    memcpy(e->local, s->local, n * sizeof s->local[0]);
    memcpy(e->uses, s->uses, n * sizeof s->uses[0]);
    memcpy(e->busy, s->busy, s->nlocals);
    memset(e->busy + s->nlocals, 0, e->nlocals - s->nlocals);
    memcpy(e->trees, s->trees, s->ntrees * sizeof s->trees[0]);
    memcpy(e->aliases, s->aliases, s->naliases * sizeof s->aliases[0]);
    e->ntrees = s->ntrees;
    e->naliases = s->naliases;
    e->dirty = s->dirty;
    e->late = s->late;
    e->stale = s->stale;
    e->rel = s->rel;
    e->done = s->done;
    e->begun = s->begun;
}

// Both copies must leave values in the same places: those that are still to be used, that is.
static bool same_places(const struct emit *e, const struct saved *s) {
    for (u32 i = 1; i < e->b->nops; i++) {
        bool lies = e->kind[i] == V_LOCAL || e->kind[i] == V_FLOAT || e->kind[i] == V_CELL;
        if (lies && e->uses[i] && e->local[i] != s->local[i]) return false;
    }
    return !memcmp(e->trees, s->trees, e->ntrees * sizeof s->trees[0]) &&
           !memcmp(e->aliases, s->aliases, e->naliases * sizeof s->aliases[0]);
}

static bool same(const struct emit *e, const struct saved *s) {
    return e->ntrees == s->ntrees && e->naliases == s->naliases && e->done == s->done &&
           e->begun == s->begun && !memcmp(e->kind, s->kind, e->b->nops) &&
           !memcmp(e->uses, s->uses, e->b->nops * sizeof s->uses[0]) &&
           !memcmp(&e->dirty, &s->dirty, sizeof e->dirty) &&
           !memcmp(&e->late, &s->late, sizeof e->late) &&
           !memcmp(&e->stale, &s->stale, sizeof e->stale) &&
           !memcmp(e->busy, s->busy, s->nlocals) && same_places(e, s);
}

// Cells that the run reads are loaded before it, not in both copies.
static void need_before(struct emit *e, u32 from, u32 end) {
    struct cellset set = {{0}};
    for (u32 i = from; i < end; i++) {
        const struct ir_insn *o = &e->b->ops[i];
        bool get = o->op == IR_GET || o->op == IR_GETV;
        if (!get && o->op != IR_SET && o->op != IR_SETV) continue;
        if (o->imm == e->abi->pc_cell) continue;
        unsigned c = e->flow.index[o->imm / 8] - 1u;
        if (get && e->uses[i] && !cell_in(&set, c)) need_cell(e, c);
        if (!get) cell_add(&set, c);
    }
}

// The group's first access: where it is on the host, or 0, into its local; if one run is all of it,
// that into L_PTR, and on the stack whether it is nowhere.
static void look(struct emit *e, u32 i, struct group *g, bool alone) {
    struct buf *o = out(e);
    const struct ir_insn *op = &e->b->ops[i];
    e->probes++;
    g->local = alone ? L_PTR : take_local(e, W_T_I32);
    i64 off = (i64)op->imm + g->lo - e->off[i] + push_address(e, op->a);
    if (off) {
        w_i64_const(o, off);
        w_op(o, W_I64_ADD);
    }
    if (g->window) {
        ask_window(e, g->window, (unsigned)(g->hi - g->lo > 16 ? g->hi - g->lo : 17));
    } else {
        w_local(o, W_LOCAL_SET, L_VA);
        probe(e, g->write ? e->abi->tlb_w : e->abi->tlb_r, (unsigned)(g->hi - g->lo));
    }
    if (alone) return;
    if (g->sure) {
        if (g->window) {
            leave_window(e, g->window);
        } else {
            open_if(e, W_T_VOID, true);
            br_miss(e);
            close_if(e);
        }
        w_local(o, W_LOCAL_GET, L_PTR);
        w_local(o, W_LOCAL_SET, g->local);
        return;
    }
    open_if(e, W_T_I32, true);
    w_i32_const(o, 0);
    w_op(o, W_ELSE);
    w_local(o, W_LOCAL_GET, L_PTR);
    close_if(e);
    w_local(o, W_LOCAL_SET, g->local);
}

u32 groups_run(struct emit *e, u32 i) {
    struct group *g = group_of(e, i);
    if (!g) return 0;
    if (g->sure) {
        if (!g->local) look(e, i, g, false);
        return 0;
    }
    unsigned n;
    u32 end = run_end(e, i, &n);
    struct saved before, after;
    need_before(e, i, end);
    bool alone = !g->local && n == g->n;
    if (!g->local) look(e, i, g, alone);
    if (!alone) {
        w_local(out(e), W_LOCAL_GET, g->local);
        w_op(out(e), W_I32_EQZ);
    }
    open_if(e, W_T_VOID, true);
    save(e, &before);
    e->access = ACCESS_APART;
    emit_ops(e, i, end);
    save(e, &after);
    w_op(out(e), W_ELSE);
    restore(e, &before);
    e->access = ACCESS_NEAR;
    emit_ops(e, i, end);
    close_if(e);
    e->access = ACCESS_ANY;
    assert((e->failed || same(e, &after)) && "one state, two copies");
    return end;
}
