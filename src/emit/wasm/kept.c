// Which accesses look at a kept page before the TLB. Depends on flow.h.
//
// An address register that in a loop only moves by constants points to the same page most of the
// time, and so does such a register with another one as its index. The page it was last in is kept
// in locals, and the accesses of that loop compare with it first. All this decides what is fast
// only: a kept page is looked at with the whole address.
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

unsigned flow_page(const struct flow *f, unsigned block, const struct ir_insn *ops, ir_ref address,
                   const u8 *bases) {
    const struct ir_insn *o = &ops[address];
    if (steady(f, block, bases[address])) return bases[address];
    // A constant as the index of the sum, too.
    if (o->op == IR_ADD64 && ops[o->b].op == IR_CONST64) o = &ops[o->a];
    if (o->op != IR_ADD64) return 0;
    const struct ir_insn *x = &ops[o->a], *y = &ops[o->b];
    u8 a = bases[x->op == IR_SHL64 ? x->a : o->a], b = bases[y->op == IR_SHL64 ? y->a : o->b];
    if (!steady(f, block, a) || !steady(f, block, b)) return 0;
    return x->op == IR_SHL64 ? b : a;
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

static void count_uses(const struct region *r, unsigned k, const struct flow *f, u32 weight,
                       u32 uses[2][REGION_CELLS]) {
    const struct region_block *b = &r->blocks[k];
    u8 bases[IR_BLOCK_CAP] = {0};
    for (u32 i = 1; i < b->nops; i++) {
        const struct ir_insn *o = &b->ops[i];
        flow_base(f, b->ops, i, bases);
        unsigned page =
            ir_access_bytes((enum ir_op)o->op) ? flow_page(f, k, b->ops, o->a, bases) : 0;
        if (!page) continue;
        bool write = ir_ops[o->op].result == IR_NONE || (o->op >= IR_LDW8 && o->op <= IR_LDW64);
        uses[write][page - 1] += weight;
    }
}

// The first access after the entry pays for two looks and each is twice the code: outside of loops
// a few must follow.
enum { PAYS = 4 };

static void choose(struct flow *f, u32 uses[2][REGION_CELLS]) {
    while (f->nkept < REGION_KEPT) {
        u32 best = 0;
        unsigned cell = 0, write = 0;
        for (unsigned w = 0; w < 2; w++)
            for (unsigned c = 0; c < f->n; c++)
                if (!f->kept[w][c] && uses[w][c] > best) best = uses[w][c], cell = c, write = w;
        if (best < PAYS) return;
        f->kept[write][cell] = (u8)++f->nkept;
    }
}

void flow_keep(const struct region *r, u32 pc_cell, struct flow *f) {
    struct loops l = {.r = r};
    struct cellset jumps[REGION_BLOCKS];
    u32 uses[2][REGION_CELLS] = {{0}};
    find_loops(&l, 0);
    for (unsigned k = 0; k < r->n; k++) jumps[k] = jumping(r, k, pc_cell, f);
    for (unsigned k = 0; k < r->n; k++) {
        unsigned depth;
        const struct blockset *loop = loop_around(&l, k, &depth);
        memset(&f->steady[k], 0xff, sizeof f->steady[k]);
        for (unsigned i = 0; i < r->n; i++)
            if (!loop || block_in(loop, i)) cells_and_not(&f->steady[k], &jumps[i]);
        count_uses(r, k, f, (u32)1 << 3 * (depth < 4 ? depth : 4), uses);
    }
    choose(f, uses);
}
