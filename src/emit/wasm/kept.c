// Which accesses look at a kept page before the TLB. Depends on flow.h.
//
// An address register that in a loop only moves by constants points to the same page most of the
// time, and so does such a register with another one as its index. The page it was last in is kept
// in locals, and the accesses of that loop compare with it first. One register may be the index of
// several arrays at constant addresses: what is a page or more apart is kept apart. All this
// decides what is fast only: a kept page is looked at with the whole address.
#include <string.h>

#include "emit/wasm/flow.h"
#include "ir/ops.h"

struct blockset {
    u64 w[(REGION_BLOCKS + 63) / 64];
};

static bool block_in(const struct blockset *s, unsigned k) { return s->w[k / 64] >> k % 64 & 1; }
static void block_add(struct blockset *s, unsigned k) { s->w[k / 64] |= (u64)1 << k % 64; }

struct loops {
    const struct region *r;
    struct blockset at[REGION_BLOCKS]; // of the loop with this head, none without
    struct blockset seen, open;        // of the walk
};

// Adds what reaches `from` without passing `head`.
static void add_way(struct loops *l, unsigned from, unsigned head) {
    struct blockset *body = &l->at[head];
    block_add(body, head);
    block_add(body, from);
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = 0; k < l->r->n; k++) {
            if (block_in(body, k)) continue;
            for (int s = 0; s < 2; s++) {
                i16 to = l->r->blocks[k].succ[s];
                if (to < 0 || to == (int)head || !block_in(body, (unsigned)to)) continue;
                block_add(body, k);
                changed = true;
                break;
            }
        }
    }
}

static void find_loops(struct loops *l, unsigned k) {
    block_add(&l->seen, k);
    block_add(&l->open, k);
    for (int s = 0; s < 2; s++) {
        i16 to = l->r->blocks[k].succ[s];
        if (to < 0) continue;
        if (block_in(&l->open, (unsigned)to))
            add_way(l, k, (unsigned)to);
        else if (!block_in(&l->seen, (unsigned)to))
            find_loops(l, (unsigned)to);
    }
    l->open.w[k / 64] &= ~((u64)1 << k % 64);
}

static unsigned size_of(const struct blockset *s) {
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof s->w / sizeof s->w[0]; i++)
        n += (unsigned)__builtin_popcountll(s->w[i]);
    return n;
}

// The innermost loop around block k, NULL: none. depth: how many there are.
static const struct blockset *loop_around(const struct loops *l, unsigned k, unsigned *depth) {
    const struct blockset *best = NULL;
    *depth = 0;
    for (unsigned h = 0; h < l->r->n; h++) {
        if (!block_in(&l->at[h], k)) continue;
        ++*depth;
        if (!best || size_of(&l->at[h]) < size_of(best)) best = &l->at[h];
    }
    return best;
}

// ---- registers

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

static unsigned steady(const struct flow *f, unsigned block, u8 base) {
    return base && cell_in(&f->steady[block], base - 1u) ? base : 0;
}

// What is added to the address's cell last.
static i64 displacement(const struct ir_insn *ops, u32 i) {
    const struct ir_insn *o = &ops[ops[i].a];
    i64 more = o->op == IR_ADD64 && ops[o->b].op == IR_CONST64 ? (i64)ops[o->b].imm : 0;
    return (i64)((u64)more + ops[i].imm);
}

static struct flow_page page_of(const struct flow *f, unsigned block, const struct ir_insn *ops,
                                u32 i, const u8 *bases) {
    const struct ir_insn *o = &ops[ops[i].a];
    enum ir_op op = (enum ir_op)ops[i].op;
    bool write = ir_ops[op].result == IR_NONE || (op >= IR_LDW8 && op <= IR_LDW64);
    struct flow_page p = {0, write, (i32)((displacement(ops, i) + 2048) >> 12)};
    p.cell = (u8)steady(f, block, bases[ops[i].a]);
    if (p.cell) return p;
    // A constant as the index of the sum, too.
    if (o->op == IR_ADD64 && ops[o->b].op == IR_CONST64) o = &ops[o->a];
    if (o->op == IR_SHL64) p.cell = (u8)steady(f, block, bases[o->a]);
    if (o->op != IR_ADD64) return p;
    const struct ir_insn *x = &ops[o->a], *y = &ops[o->b];
    u8 a = bases[x->op == IR_SHL64 ? x->a : o->a], b = bases[y->op == IR_SHL64 ? y->a : o->b];
    if (!steady(f, block, a) || !steady(f, block, b)) return p;
    p.cell = x->op == IR_SHL64 ? b : a;
    return p;
}

static bool same(struct flow_page a, struct flow_page b) {
    return a.cell == b.cell && a.write == b.write && a.far == b.far;
}

unsigned flow_kept(const struct flow *f, unsigned block, const struct ir_insn *ops, u32 i,
                   const u8 *bases) {
    struct flow_page p = page_of(f, block, ops, i, bases);
    for (unsigned k = 0; p.cell && k < f->nkept; k++)
        if (same(f->kept[k], p)) return k + 1;
    return 0;
}

// Cells that block k sets to something else than themselves and a constant.
static struct cellset jumping(const struct region *r, unsigned k, u32 pc_cell,
                              const struct flow *f) {
    const struct region_block *b = &r->blocks[k];
    struct cellset jumps = {{0}};
    u8 bases[IR_BLOCK_CAP] = {0};
    for (u32 i = 1; i < b->nops; i++) {
        const struct ir_insn *o = &b->ops[i];
        if (o->op == IR_SET && o->imm != pc_cell) {
            unsigned c = f->index[o->imm / 8] - 1u;
            if (bases[o->a] != c + 1) cell_add(&jumps, c);
        }
        flow_base(f, b->ops, i, bases);
    }
    return jumps;
}

// Candidates, and how much they are used.
struct candidates {
    unsigned n;
    struct {
        struct flow_page page;
        u32 uses;
    } c[128];
};

static void add_use(struct candidates *all, struct flow_page p, u32 weight) {
    unsigned k = 0;
    while (k < all->n && !same(all->c[k].page, p)) k++;
    if (k == sizeof all->c / sizeof all->c[0]) return;
    if (k == all->n) {
        all->c[k].page = p;
        all->c[k].uses = 0;
        all->n++;
    }
    all->c[k].uses += weight;
}

static void count_uses(const struct region *r, unsigned k, const struct flow *f, u32 weight,
                       struct candidates *all) {
    const struct region_block *b = &r->blocks[k];
    u8 bases[IR_BLOCK_CAP] = {0};
    for (u32 i = 1; i < b->nops; i++) {
        flow_base(f, b->ops, i, bases);
        if (!ir_access_bytes((enum ir_op)b->ops[i].op)) continue;
        struct flow_page p = page_of(f, k, b->ops, i, bases);
        if (p.cell) add_use(all, p, weight);
    }
}

// The first access after the entry pays for two looks and each is twice the code: outside of loops
// a few must follow.
enum { PAYS = 4 };

static void choose(struct flow *f, struct candidates *all) {
    while (f->nkept < REGION_KEPT) {
        unsigned best = 0;
        for (unsigned k = 1; k < all->n; k++)
            if (all->c[k].uses > all->c[best].uses) best = k;
        if (!all->n || all->c[best].uses < PAYS) return;
        f->kept[f->nkept++] = all->c[best].page;
        all->c[best].uses = 0;
    }
}

void flow_keep(const struct region *r, u32 pc_cell, struct flow *f) {
    struct loops l = {.r = r};
    struct cellset jumps[REGION_BLOCKS];
    struct candidates all;
    all.n = 0;
    find_loops(&l, 0);
    for (unsigned k = 0; k < r->n; k++) jumps[k] = jumping(r, k, pc_cell, f);
    for (unsigned k = 0; k < r->n; k++) {
        unsigned depth;
        const struct blockset *loop = loop_around(&l, k, &depth);
        memset(&f->steady[k], 0xff, sizeof f->steady[k]);
        for (unsigned i = 0; i < r->n; i++)
            if (!loop || block_in(loop, i)) cells_and_not(&f->steady[k], &jumps[i]);
        count_uses(r, k, f, (u32)1 << 3 * (depth < 4 ? depth : 4), &all);
    }
    choose(f, &all);
}
