// 32-bit arithmetic of 64-bit guests: a pass over a region's IR before it is emitted. Depends on
// ir/ only.
//
// Facts of a value: it is its low half with the sign repeated (SIGN), or with zeros above (ZERO).
// They come from operations and, forward over the region's edges, from cells; an entry from outside
// and what follows a call know nothing. With them extensions of what is extended vanish, operations
// of which only the low half is used become 32-bit ones, so do operations on sign-extended values
// (their own sign then comes last), and two shifts of one value become a rotation.
//
// Of flags kept lazily a difference's result is not set: its kind then says that it follows from
// the operands (struct ir_flags).
//
// Each block is built anew from its operations, in order and with the same effects; pure operations
// that nothing uses any more are dropped, effects never. A block too long stays as it is.
#include "emit/wasm/narrow.h"

#include <stdlib.h>
#include <string.h>

#include "ir/ops.h"

enum { SIGN = 1, ZERO = 2, BOTH = SIGN | ZERO };

// Values that a block may have before narrowing, so that what it becomes has room.
enum { MOST_OPS = IR_BLOCK_CAP / 4, MOST_DEPTH = 16 };

// What becomes of a set of flags.
enum { AS_IS, BARE, DROPPED };

typedef u8 cell_facts[IR_KNOWN_CELLS];

struct narrow {
    const struct region *r;
    u32 pc_cell; // the engine writes it, too
    cell_facts in[REGION_BLOCKS];
    cell_facts now;            // where the walk over a block is
    u8 facts[IR_BLOCK_CAP];    // of the old operations
    u16 uses[IR_BLOCK_CAP];    // of the old operations
    ir_ref user[IR_BLOCK_CAP]; // the last one
    ir_ref to[IR_BLOCK_CAP];   // old to new
    u8 flags[IR_BLOCK_CAP];    // of the old operations: AS_IS, ...
    ir_ref low[IR_BLOCK_CAP];  // old: its low half as a new i32, 0: not made yet
    const struct ir_insn *ops; // the old ones
    struct ir_block b;         // the new ones
};

static bool is_const(const struct ir_insn *ops, ir_ref r, u64 *v) {
    if (ops[r].op != IR_CONST64 && ops[r].op != IR_CONST32) return false;
    *v = ops[r].imm;
    return true;
}

// ---- facts

static u8 facts_of_const(u64 v) {
    return (u8)((v == (u64)(i64)(i32)v ? SIGN : 0) | (v >> 32 ? 0 : ZERO));
}

// An i32 that is not negative.
static bool not_negative(const struct ir_insn *ops, ir_ref r) {
    const struct ir_insn *o = &ops[r];
    u64 k;
    if ((o->op >= IR_EQ64 && o->op <= IR_GEU64) || (o->op >= IR_EQ32 && o->op <= IR_GEU32))
        return true;
    if (o->op == IR_FEQ32 || o->op == IR_FLT32 || o->op == IR_FLE32) return true;
    if (o->op == IR_FEQ64 || o->op == IR_FLT64 || o->op == IR_FLE64) return true;
    if (o->op == IR_SHRU32) return is_const(ops, o->b, &k) && k & 31;
    if (o->op == IR_AND32) return is_const(ops, o->b, &k) && !(k >> 31);
    return false;
}

static u8 facts_of_shift(const struct ir_insn *ops, const struct ir_insn *o, u8 a) {
    u64 k;
    if (!is_const(ops, o->b, &k)) return o->op == IR_SHRS64 || a & ZERO ? a : 0;
    k &= 63;
    if (o->op == IR_SHRS64) return k >= 32 ? a | SIGN : a;
    if (k >= 33 || (a & ZERO && k)) return BOTH;
    return k == 32 || a & ZERO ? a | ZERO : k ? 0 : a;
}

static u8 facts_of(const struct narrow *n, ir_ref i) {
    const struct ir_insn *o = &n->ops[i];
    u8 a = n->facts[o->a], b = n->facts[o->b];
    switch (o->op) {
    case IR_CONST64:
        return facts_of_const(o->imm);
    case IR_SEXT32:
        return not_negative(n->ops, o->a) ? BOTH : SIGN;
    case IR_ZEXT32:
        return not_negative(n->ops, o->a) ? BOTH : ZERO;
    case IR_LDU8:
    case IR_LDU16:
    case IR_LDW8:
    case IR_LDW16:
    case IR_CLZ64:
    case IR_CTZ64:
    case IR_POPCNT64:
        return BOTH;
    case IR_LDS8:
    case IR_LDS16:
    case IR_LDS32:
    case IR_SEXT8:
    case IR_SEXT16:
        return SIGN;
    case IR_LDU32:
    case IR_LDW32:
        return ZERO;
    case IR_AND64:
        if (a == BOTH || b == BOTH) return BOTH;
        return (a & b & SIGN) | ((a | b) & ZERO);
    case IR_ANDN64:
        return a == BOTH ? BOTH : (a & b & SIGN) | (a & ZERO);
    case IR_OR64:
    case IR_XOR64:
        return a & b;
    case IR_SHRU64:
    case IR_SHRS64:
        return facts_of_shift(n->ops, o, a);
    case IR_MINS64:
    case IR_MAXS64:
    case IR_MINU64:
    case IR_MAXU64:
        return a & b;
    case IR_SEL64:
        return b & n->facts[o->c];
    case IR_GET:
        return o->imm / 8 < IR_KNOWN_CELLS && o->imm != n->pc_cell ? n->now[o->imm / 8] : 0;
    default:
        return 0;
    }
}

// What operation i leaves in the cells.
static void pass_over(struct narrow *n, ir_ref i) {
    const struct ir_insn *o = &n->ops[i];
    u64 cell = o->imm / 8;
    if (o->op == IR_SET && cell < IR_KNOWN_CELLS) {
        n->now[cell] = n->facts[o->a];
    } else if (o->op == IR_SETV && cell + 1 < IR_KNOWN_CELLS) {
        n->now[cell] = n->now[cell + 1] = 0;
    } else if (o->op == IR_CALL && helper_changes(n->r->helper_effects[o->aux])) {
        memset(n->now, 0, sizeof n->now);
    }
}

// Fills in the facts of block k, and in `now` those of the cells at its end.
static void walk(struct narrow *n, unsigned k) {
    const struct region_block *b = &n->r->blocks[k];
    n->ops = b->ops;
    memcpy(n->now, n->in[k], sizeof n->now);
    n->facts[0] = 0;
    for (u32 i = 1; i < b->nops; i++) {
        n->facts[i] = facts_of(n, (ir_ref)i);
        pass_over(n, (ir_ref)i);
    }
    if (b->end == END_CALL) memset(n->now, 0, sizeof n->now);
}

static void find_facts(struct narrow *n) {
    memset(n->in, BOTH, n->r->n * sizeof n->in[0]);
    memset(n->in[0], 0, sizeof n->in[0]);
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned k = 0; k < n->r->n; k++) {
            walk(n, k);
            for (int s = 0; s < 2; s++) {
                i16 to = n->r->blocks[k].succ[s];
                for (unsigned c = 0; to >= 0 && c < IR_KNOWN_CELLS; c++) {
                    changed |= (n->in[to][c] & ~n->now[c]) != 0;
                    n->in[to][c] &= n->now[c];
                }
            }
        }
    }
}

// ---- building anew

static const struct ir_insn *new_op(const struct narrow *n, ir_ref r) { return &n->b.ops[r]; }

// x >> k | x << (32 - k), or 0.
static ir_ref rotation(struct narrow *n, ir_ref x, ir_ref y) {
    if (new_op(n, x)->op == IR_SHL32) {
        ir_ref t = x;
        x = y;
        y = t;
    }
    const struct ir_insn *right = new_op(n, x), *left = new_op(n, y);
    u64 i, k;
    if (right->op != IR_SHRU32 || left->op != IR_SHL32 || right->a != left->a) return 0;
    if (!is_const(n->b.ops, right->b, &i) || !is_const(n->b.ops, left->b, &k)) return 0;
    return i && k && i + k == 32 ? ir_ROTR32(&n->b, right->a, right->b) : 0;
}

static ir_ref emit32(struct narrow *n, enum ir_op op, ir_ref x, ir_ref y) {
    bool joins = op == IR_OR32 || op == IR_XOR32 || op == IR_ADD32;
    ir_ref r = joins ? rotation(n, x, y) : 0;
    return r ? r : ir_emit(&n->b, op, x, y, 0, 0, 0);
}

static enum ir_op half_of(enum ir_op op) {
    switch (op) {
    case IR_ADD64:
        return IR_ADD32;
    case IR_SUB64:
        return IR_SUB32;
    case IR_MUL64:
        return IR_MUL32;
    case IR_AND64:
        return IR_AND32;
    case IR_OR64:
        return IR_OR32;
    case IR_XOR64:
        return IR_XOR32;
    default:
        return IR_OP_INVALID;
    }
}

// The low half of old value r.
static ir_ref low(struct narrow *n, ir_ref r, unsigned depth) {
    if (n->low[r]) return n->low[r];
    const struct ir_insn *o = &n->ops[r];
    ir_ref x = n->to[r];
    enum ir_op half = half_of((enum ir_op)o->op);
    bool alone = n->uses[r] == 1 && depth < MOST_DEPTH;
    u64 k;
    if (new_op(n, x)->op == IR_SEXT32 || new_op(n, x)->op == IR_ZEXT32) {
        x = new_op(n, x)->a;
    } else if (alone && half) {
        ir_ref a = low(n, o->a, depth + 1);
        x = emit32(n, half, a, low(n, o->b, depth + 1));
    } else if (alone && (o->op == IR_SHL64 || o->op == IR_SHRU64 || o->op == IR_SHRS64) &&
               is_const(n->ops, o->b, &k) && k < 32 &&
               (o->op == IR_SHL64 || n->facts[o->a] & (o->op == IR_SHRU64 ? ZERO : SIGN))) {
        enum ir_op op = o->op == IR_SHL64 ? IR_SHL32 : o->op == IR_SHRU64 ? IR_SHRU32 : IR_SHRS32;
        ir_ref a = low(n, o->a, depth + 1);
        x = ir_emit(&n->b, op, a, ir_const32(&n->b, (u32)k), 0, 0, 0);
    } else {
        x = ir_TRUNC32(&n->b, x);
    }
    return n->low[r] = x;
}

static bool extends(const struct narrow *n, ir_ref r) {
    return new_op(n, n->to[r])->op == IR_SEXT32 || new_op(n, n->to[r])->op == IR_ZEXT32;
}

// An operation whose operands are both sign-extended, one of them by an operation that is not
// needed then.
static ir_ref signed_logic(struct narrow *n, const struct ir_insn *o) {
    if (o->op != IR_AND64 && o->op != IR_OR64 && o->op != IR_XOR64) return 0;
    if (!(n->facts[o->a] & n->facts[o->b] & SIGN)) return 0;
    if (new_op(n, n->to[o->a])->op != IR_SEXT32 && new_op(n, n->to[o->b])->op != IR_SEXT32)
        return 0;
    ir_ref a = low(n, o->a, MOST_DEPTH);
    return ir_SEXT32(&n->b, emit32(n, half_of((enum ir_op)o->op), a, low(n, o->b, MOST_DEPTH)));
}

// With a constant of 32 bits that 64-bit instructions of most hosts would have to load first.
static ir_ref with_wide_constant(struct narrow *n, const struct ir_insn *o) {
    u64 k;
    if (o->op != IR_AND64 && o->op != IR_OR64 && o->op != IR_XOR64) return 0;
    if (!is_const(n->ops, o->b, &k) || k >> 31 != 1) return 0;
    if (o->op != IR_AND64 && !(n->facts[o->a] & ZERO)) return 0;
    ir_ref a = low(n, o->a, MOST_DEPTH);
    return ir_ZEXT32(&n->b, emit32(n, half_of((enum ir_op)o->op), a, low(n, o->b, MOST_DEPTH)));
}

// A comparison of values that are extended alike.
static ir_ref comparison(struct narrow *n, const struct ir_insn *o) {
    static const u16 half[][2] = {{IR_EQ64, IR_EQ32},   {IR_NE64, IR_NE32},   {IR_LTS64, IR_LTS32},
                                  {IR_GES64, IR_GES32}, {IR_LTU64, IR_LTU32}, {IR_GEU64, IR_GEU32}};
    unsigned i = 0;
    while (i < 6 && half[i][0] != o->op) i++;
    if (i == 6) return 0;
    u8 facts = n->facts[o->a] & n->facts[o->b];
    if (!facts || (!extends(n, o->a) && !extends(n, o->b))) return 0;
    enum ir_op op = (enum ir_op)half[i][1];
    if (!(facts & SIGN) && op == IR_LTS32) op = IR_LTU32; // both have zeros above
    if (!(facts & SIGN) && op == IR_GES32) op = IR_GEU32;
    ir_ref a = low(n, o->a, MOST_DEPTH);
    return ir_emit(&n->b, op, a, low(n, o->b, MOST_DEPTH), 0, 0, 0);
}

// A load that is only used with its sign.
static enum ir_op load_op(const struct narrow *n, ir_ref i) {
    enum ir_op op = (enum ir_op)n->ops[i].op;
    if (n->uses[i] != 1) return op;
    enum ir_op user = (enum ir_op)n->ops[n->user[i]].op;
    if (op == IR_LDU8 && user == IR_SEXT8) return IR_LDS8;
    if (op == IR_LDU16 && user == IR_SEXT16) return IR_LDS16;
    return op;
}

static ir_ref copy(struct narrow *n, ir_ref i) {
    const struct ir_insn *o = &n->ops[i];
    return ir_emit(&n->b, load_op(n, i), n->to[o->a], n->to[o->b], n->to[o->c], o->aux, o->imm);
}

// ---- flags

static bool sets(const struct ir_insn *o, u32 cell) { return o->op == IR_SET && o->imm == cell; }

// Does the rest of the guest instruction set the result?
static bool result_follows(const struct narrow *n, u32 i, u32 nops) {
    while (++i < nops && n->ops[i].op != IR_INSN)
        if (sets(&n->ops[i], n->r->flags.result)) return true;
    return false;
}

// Differences whose result no later kind of the block refers to: a kind that is set without a
// result keeps the one before.
static void find_bare(struct narrow *n, u32 nops) {
    const struct ir_flags *f = &n->r->flags;
    memset(n->flags, AS_IS, nops);
    if (!f->mask) return;
    for (u32 i = 1; i < nops; i++) {
        u64 kind;
        if (!sets(&n->ops[i], f->kind) || !is_const(n->ops, n->ops[i].a, &kind)) continue;
        if ((kind & f->mask) != f->difference) continue;
        u32 next = i + 1;
        while (next < nops && !sets(&n->ops[next], f->kind)) next++;
        if (next < nops && !result_follows(n, next, nops)) continue;
        n->flags[i] = BARE;
        for (u32 k = i + 1; k < next; k++)
            if (sets(&n->ops[k], f->result)) n->flags[k] = DROPPED;
    }
}

static ir_ref set_of_flags(struct narrow *n, ir_ref i) {
    const struct ir_insn *o = &n->ops[i];
    if (n->flags[i] == DROPPED) return 0;
    ir_ref kind = ir_const64(&n->b, n->ops[o->a].imm | n->r->flags.bare);
    return ir_emit(&n->b, IR_SET, kind, 0, 0, 0, o->imm);
}

static ir_ref rewritten(struct narrow *n, ir_ref i) {
    const struct ir_insn *o = &n->ops[i], *from = &n->ops[o->a];
    ir_ref r = 0;
    if (n->flags[i] != AS_IS) return set_of_flags(n, i);
    switch (o->op) {
    case IR_TRUNC32:
        return low(n, o->a, 0);
    case IR_SEXT32:
    case IR_ZEXT32:
        if (from->op == IR_TRUNC32 && n->facts[from->a] & (o->op == IR_SEXT32 ? SIGN : ZERO))
            return n->to[from->a];
        return copy(n, i);
    case IR_SEXT8:
    case IR_SEXT16: {
        enum ir_op op = (enum ir_op)new_op(n, n->to[o->a])->op;
        bool loaded = op == (o->op == IR_SEXT8 ? IR_LDS8 : IR_LDS16);
        return loaded ? n->to[o->a] : copy(n, i);
    }
    case IR_OR32:
    case IR_XOR32:
    case IR_ADD32:
        return emit32(n, (enum ir_op)o->op, n->to[o->a], n->to[o->b]);
    default:
        r = signed_logic(n, o);
        if (!r) r = with_wide_constant(n, o);
        if (!r) r = comparison(n, o);
        return r ? r : copy(n, i);
    }
}

static void count_uses(struct narrow *n, const struct region_block *b) {
    memset(n->uses, 0, b->nops * sizeof n->uses[0]);
    for (u32 i = 1; i < b->nops; i++) {
        const ir_ref refs[3] = {n->ops[i].a, n->ops[i].b, n->ops[i].c};
        for (int k = 0; k < 3; k++) {
            n->uses[refs[k]]++;
            n->user[refs[k]] = (ir_ref)i;
        }
    }
}

static bool rebuild(struct narrow *n, unsigned k, struct region_block *b) {
    walk(n, k);
    count_uses(n, b);
    find_bare(n, b->nops);
    memset(n->to, 0, b->nops * sizeof n->to[0]);
    memset(n->low, 0, b->nops * sizeof n->low[0]);
    ir_begin(&n->b, b->start, n->r->helper_effects, (unsigned)-1);
    for (u32 i = 1; i < b->nops; i++) n->to[i] = rewritten(n, (ir_ref)i);
    ir_drop_dead(&n->b);
    struct ir_insn *ops = malloc(n->b.n * sizeof *ops);
    if (!ops) return false;
    memcpy(ops, n->b.ops, n->b.n * sizeof *ops);
    b->ops = ops;
    b->nops = n->b.n;
    return true;
}

static bool fits(const struct region_block *b) { return b->nops > 1 && b->nops <= MOST_OPS; }

struct region *region_narrow(const struct region *r, u32 pc_cell) {
    struct narrow *n = malloc(sizeof *n);
    struct region *out = malloc(sizeof *out);
    if (!n || !out) {
        free(n);
        free(out);
        return NULL;
    }
    n->b.known_end = IR_KNOWN_CELLS; // not zeroed: ir_begin does it
    *out = *r;
    n->r = r;
    n->pc_cell = pc_cell;
    find_facts(n);
    bool ok = true;
    for (unsigned k = 0; ok && k < r->n; k++)
        if (fits(&r->blocks[k])) ok = rebuild(n, k, &out->blocks[k]);
    free(n);
    if (ok) return out;
    region_narrow_free(r, out);
    return NULL;
}

void region_narrow_free(const struct region *r, struct region *narrowed) {
    for (unsigned k = 0; narrowed && k < narrowed->n; k++)
        if (narrowed->blocks[k].ops != r->blocks[k].ops)
            free((void *)(uintptr_t)narrowed->blocks[k].ops);
    free(narrowed);
}
