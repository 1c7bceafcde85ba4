// Building a block: appends operations, folds constants, forwards state cells, removes identities.
// Depends on ir/ops.h. What is folded here is what every engine profits from without a pass; passes
// over whole regions belong to compilers.
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "ir/ops.h"

static void forget_all(struct ir_block *b) {
    if (b->known_end)
        memset(&b->known[b->known_first], 0, (b->known_end - b->known_first) * sizeof b->known[0]);
    b->known_first = IR_KNOWN_CELLS;
    b->known_end = 0;
}

static void know(struct ir_block *b, u32 i, ir_ref v) {
    b->known[i] = v;
    if (i < b->known_first) b->known_first = i;
    if (i >= b->known_end) b->known_end = i + 1;
}

void ir_begin(struct ir_block *b, i32 start, const u8 *helper_effects, unsigned nhelpers) {
    b->helper_effects = helper_effects;
    b->nhelpers = nhelpers;
    b->n = 1;
    b->ninsns = 0;
    b->ended = false;
    b->start = start;
    b->ops[0] = (struct ir_insn){0};
    memset(b->constants, 0, sizeof b->constants);
    if (b->known_end == IR_KNOWN_CELLS) b->known_first = 0;
    forget_all(b);
}

bool ir_is_const(const struct ir_block *b, ir_ref r, u64 *v) {
    const struct ir_insn *i = &b->ops[r];
    if (i->op != IR_CONST64 && i->op != IR_CONST32) return false;
    *v = i->imm;
    return true;
}

static inline ir_ref append(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y, ir_ref z,
                            u32 aux, u64 imm) {
    assert(b->n < IR_BLOCK_CAP && "an instruction needed more than IR_BLOCK_ROOM operations");
    assert(!b->ended && "an operation after the block's exit");
    struct ir_insn *o = &b->ops[b->n];
    o->op = (u16)op;
    o->a = x;
    o->b = y;
    o->c = z;
    o->aux = aux;
    o->imm = imm;
    return (ir_ref)b->n++;
}

ir_ref ir_append(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y, ir_ref z, u32 aux,
                 u64 imm) {
    return append(b, op, x, y, z, aux, imm);
}

// A constant made just before (the common zero, or a repeated mask) is found again: the last one of
// its kind is remembered, and what stands there says whether it is the same.
ir_ref ir_constant(struct ir_block *b, enum ir_op op, u64 v) {
    enum { NEAR = 8 };
    ir_ref *last = &b->constants[(u32)v * 0x9e3779b1u >> (32 - IR_CONSTANT_BITS)];
    const struct ir_insn *o = &b->ops[*last];
    if (o->op == op && o->imm == v && b->n - *last <= NEAR) return *last;
    return *last = append(b, op, 0, 0, 0, 0, v);
}

static bool is_int(enum ir_type t) { return t == IR_I32 || t == IR_I64; }

// Both operands constant and integer: the result, through the table's own expression.
static bool fold(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y, ir_ref *out) {
    const struct ir_op_info *o = &ir_ops[op];
    if (o->effects || o->noperands == 0 || o->noperands > 2 || !is_int((enum ir_type)o->result))
        return false;
    u64 vx, vy = 0;
    if (!ir_is_const(b, x, &vx) || (o->noperands == 2 && !ir_is_const(b, y, &vy))) return false;
    union ir_value a = {.i64 = vx}, c = {.i64 = vy}, r = {.i64 = 0};
    if (!ir_apply(op, &r, &a, &c, NULL)) return false;
    *out = o->result == IR_I32 ? ir_const32(b, r.i32) : ir_const64(b, r.i64);
    return true;
}

// x op constant with a known answer.
static bool identity(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y, ir_ref *out) {
    u64 v;
    if (!y || !ir_is_const(b, y, &v)) return false;
    switch (op) {
    case IR_ADD64:
    case IR_SUB64:
    case IR_OR64:
    case IR_XOR64:
    case IR_SHL64:
    case IR_SHRU64:
    case IR_SHRS64:
    case IR_ADD32:
    case IR_SUB32:
    case IR_OR32:
    case IR_XOR32:
    case IR_SHL32:
    case IR_SHRU32:
    case IR_SHRS32:
        if (v != 0) return false;
        *out = x;
        return true;
    case IR_AND64:
    case IR_AND32:
        if (v == (op == IR_AND32 ? (u32)~0u : ~(u64)0))
            *out = x;
        else if (v == 0)
            *out = y;
        else
            return false;
        return true;
    default:
        return false;
    }
}

static bool commutes(enum ir_op op) {
    switch (op) {
    case IR_ADD64:
    case IR_MUL64:
    case IR_AND64:
    case IR_OR64:
    case IR_XOR64:
    case IR_ADD32:
    case IR_MUL32:
    case IR_AND32:
    case IR_OR32:
    case IR_XOR32:
    case IR_EQ64:
    case IR_NE64:
    case IR_EQ32:
    case IR_NE32:
        return true;
    default:
        return false;
    }
}

// With a constant among its operands, which goes to the right.
static ir_ref emit_folded(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y) {
    ir_ref r;
    u64 v;
    if (commutes(op) && ir_is_const(b, x, &v)) {
        ir_ref t = x;
        x = y;
        y = t;
    }
    if (fold(b, op, x, y, &r) || identity(b, op, x, y, &r)) return r;
    return append(b, op, x, y, 0, 0, 0);
}

static bool is_constant(const struct ir_block *b, ir_ref r) {
    return b->ops[r].op == IR_CONST64 || b->ops[r].op == IR_CONST32;
}

ir_ref ir_emit(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y, ir_ref z, u32 aux, u64 imm) {
    if (op <= IR_BSWAP32) { // integers in, an integer out
        if (is_constant(b, x) || is_constant(b, y)) return emit_folded(b, op, x, y);
        if (op == IR_TRUNC32 && (b->ops[x].op == IR_SEXT32 || b->ops[x].op == IR_ZEXT32))
            return b->ops[x].a;
    } else if (op == IR_CONST64 || op == IR_CONST32) {
        return ir_constant(b, op, op == IR_CONST32 ? (u32)imm : imm);
    }
    return append(b, op, x, y, z, aux, imm);
}

// The i64 that is half of a vector: 0 when it is not known as such.
static ir_ref half_of(struct ir_block *b, ir_ref vector, bool high) {
    const struct ir_insn *o = &b->ops[vector];
    if (o->op == IR_VSPLAT64) return o->a;
    if (o->op != IR_VZEXT64) return 0;
    return high ? ir_const64(b, 0) : o->a;
}

ir_ref ir_get(struct ir_block *b, u32 cell) {
    assert(cell % 8 == 0);
    u32 i = cell / 8;
    if (i < IR_KNOWN_CELLS && ir_type_of(b, b->known[i]) == IR_I64) return b->known[i];
    if (i < IR_KNOWN_CELLS && i && !b->known[i] && ir_type_of(b, b->known[i - 1]) == IR_V128) {
        ir_ref half = half_of(b, b->known[i - 1], true);
        if (half) return half;
    } else if (i < IR_KNOWN_CELLS && ir_type_of(b, b->known[i]) == IR_V128) {
        ir_ref half = half_of(b, b->known[i], false);
        if (half) return half;
    }
    ir_ref r = append(b, IR_GET, 0, 0, 0, 0, cell);
    if (i < IR_KNOWN_CELLS) know(b, i, r);
    return r;
}

void ir_set(struct ir_block *b, u32 cell, ir_ref v) {
    assert(cell % 8 == 0 && ir_type_of(b, v) == IR_I64);
    u32 i = cell / 8;
    if (i < IR_KNOWN_CELLS && b->known[i] == v) return; // the cell holds it already
    append(b, IR_SET, v, 0, 0, 0, cell);
    if (i >= IR_KNOWN_CELLS) return;
    know(b, i, v);
    // The other half of a vector cell no longer is what a vector set said.
    if (i % 2 && ir_type_of(b, b->known[i - 1]) == IR_V128) b->known[i - 1] = 0;
}

// The set stands for what is known of the cell: no value, so that no set is taken for what the cell
// holds already, as this one may be gone then. Where nothing was set there is nothing to take away.
void ir_forget(struct ir_block *b, u32 cell) {
    u32 i = cell / 8;
    if (i >= IR_KNOWN_CELLS || !b->known[i]) return;
    const struct ir_insn *o = &b->ops[b->known[i]];
    if (o->op == IR_SET || (o->op == IR_GET && o->imm == cell)) return;
    ir_ref zero = ir_const64(b, 0);
    b->known[i] = append(b, IR_SET, zero, 0, 0, IR_SET_FORGETS, cell);
}

ir_ref ir_getv(struct ir_block *b, u32 cell) {
    assert(cell % 16 == 0);
    u32 i = cell / 8;
    if (i < IR_KNOWN_CELLS && b->known[i] && ir_type_of(b, b->known[i]) == IR_V128)
        return b->known[i];
    return append(b, IR_GETV, 0, 0, 0, 0, cell);
}

void ir_setv(struct ir_block *b, u32 cell, ir_ref v) {
    assert(cell % 16 == 0 && ir_type_of(b, v) == IR_V128);
    append(b, IR_SETV, v, 0, 0, 0, cell);
    u32 i = cell / 8;
    if (i + 1 < IR_KNOWN_CELLS) {
        know(b, i, v);
        know(b, i + 1, 0);
    }
}

void ir_insn_start(struct ir_block *b, i32 rel, u32 len) {
    append(b, IR_INSN, 0, 0, 0, len, (u64)(i64)rel);
    b->ninsns++;
}

void ir_trapif(struct ir_block *b, ir_ref cond, u64 cause, ir_ref tval) {
    u64 v;
    if (ir_is_const(b, cond, &v) && v == 0) return;
    append(b, IR_TRAPIF, cond, tval, 0, 0, cause);
}

ir_ref ir_call(struct ir_block *b, unsigned helper, ir_ref x, ir_ref y, ir_ref z, u64 imm) {
    assert(helper < b->nhelpers);
    ir_ref r = append(b, IR_CALL, x, y, z, helper, imm);
    if (b->helper_effects[helper] & (HELPER_WRITES | HELPER_MODE)) forget_all(b);
    return r;
}

ir_ref ir_vcall(struct ir_block *b, unsigned helper, ir_ref x, ir_ref y, ir_ref z, u32 imm) {
    assert(helper < b->nhelpers && !b->helper_effects[helper]);
    return append(b, IR_VCALL, x, y, z, helper, imm);
}

void ir_jump(struct ir_block *b, i64 rel) {
    append(b, IR_JUMP, 0, 0, 0, 0, (u64)rel);
    b->ended = true;
}

void ir_jump_call(struct ir_block *b, i64 rel) {
    append(b, IR_JUMP, 0, 0, 0, IR_JUMP_CALL, (u64)rel);
    b->ended = true;
}

// The result of a comparison.
static bool is_bit(const struct ir_block *b, ir_ref r) {
    u16 op = b->ops[r].op;
    return (op >= IR_EQ64 && op <= IR_GEU64) || (op >= IR_EQ32 && op <= IR_GEU32) ||
           (op >= IR_FEQ32 && op <= IR_FLE64);
}

void ir_branch(struct ir_block *b, ir_ref cond, i64 taken, i64 fallthrough) {
    u64 v;
    if (ir_is_const(b, cond, &v)) {
        ir_jump(b, v ? taken : fallthrough);
        return;
    }
    if (b->ops[cond].op == IR_XOR32 && is_bit(b, b->ops[cond].a) &&
        ir_is_const(b, b->ops[cond].b, &v) && v == 1) { // of a negated condition: the other way
        cond = b->ops[cond].a;
        i64 t = taken;
        taken = fallthrough;
        fallthrough = t;
    }
    assert(fallthrough == (i32)fallthrough && taken == (i32)taken);
    append(b, IR_BRANCH, cond, 0, 0, (u32)fallthrough, (u64)taken);
    b->ended = true;
}

void ir_jumpind(struct ir_block *b, ir_ref addr, enum ir_jump_hint hint) {
    append(b, IR_JUMPIND, addr, 0, 0, 0, hint);
    b->ended = true;
}

void ir_leave_as(struct ir_block *b, enum ir_jump_hint hint) {
    append(b, IR_LEAVE, 0, 0, 0, 0, hint);
    b->ended = true;
}

void ir_leave(struct ir_block *b) { ir_leave_as(b, IR_JUMP_PLAIN); }
