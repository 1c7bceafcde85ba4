// Values: pure operations as expression trees where they are used once, else in locals. Depends on
// emit.h; the rows of wops.def are the operations that are one instruction.
#include <assert.h>
#include <string.h>

#include "emit/wasm/emit.h"

u8 wasm_type(enum ir_type t) {
    switch (t) {
    case IR_I32:
        return W_T_I32;
    case IR_F32:
        return W_T_F32;
    case IR_F64:
        return W_T_F64;
    case IR_V128:
        return W_T_V128;
    default:
        return W_T_I64;
    }
}

u32 take_local(struct emit *e, u8 type) {
    for (unsigned i = e->first_value; i < e->nlocals; i++)
        if (!e->busy[i] && e->types[i] == type) {
            e->busy[i] = 1;
            return i;
        }
    if (e->nlocals == sizeof e->types) {
        e->failed = true;
        return e->first_value;
    }
    e->types[e->nlocals] = type;
    e->busy[e->nlocals] = 1;
    return e->nlocals++;
}

static void forget(ir_ref *list, unsigned *n, ir_ref r) {
    for (unsigned i = 0; i < *n; i++)
        if (list[i] == r) {
            list[i] = list[--*n];
            return;
        }
}

void drop_use(struct emit *e, ir_ref r) {
    assert(e->uses[r]);
    if (--e->uses[r]) return;
    if (e->kind[r] == V_LOCAL || e->kind[r] == V_FLOAT) e->busy[e->local[r]] = 0;
    if (e->kind[r] == V_CELL) forget(e->aliases, &e->naliases, r);
}

static void canonical_nan(struct emit *e, enum ir_type t) {
    u32 x = take_local(e, wasm_type(t));
    w_local(out(e), W_LOCAL_TEE, x);
    if (t == IR_F64) {
        w_i64_const(out(e), 0x7ff8000000000000);
        w_op(out(e), W_F64_REINTERPRET_I64);
    } else {
        w_i32_const(out(e), 0x7fc00000);
        w_op(out(e), W_F32_REINTERPRET_I32);
    }
    w_local(out(e), W_LOCAL_GET, x);
    w_local(out(e), W_LOCAL_GET, x);
    w_op(out(e), t == IR_F64 ? W_F64_EQ : W_F32_EQ);
    w_op(out(e), W_SELECT);
    e->busy[x] = 0;
}

// Division: total in the IR, trapping in wasm. The operands are in locals a and b.
static void divide(struct emit *e, enum ir_op op, u32 a, u32 b) {
    bool w = op == IR_DIVU32 || op == IR_DIVS32 || op == IR_REMU32 || op == IR_REMS32;
    bool sign = op == IR_DIVS64 || op == IR_REMS64 || op == IR_DIVS32 || op == IR_REMS32;
    bool rem = op == IR_REMU64 || op == IR_REMS64 || op == IR_REMU32 || op == IR_REMS32;
    u8 base = w ? W_I32_DIV_S : W_I64_DIV_S;
    u8 opcode = (u8)(base + (sign ? 0 : 1) + (rem ? 2 : 0));
    struct buf *o = out(e);
    // Divisors 0 and (signed) -1 are the odd ones: b + sign <=u sign.
    w_local(o, W_LOCAL_GET, b);
    if (w)
        w_i32_const(o, sign);
    else
        w_i64_const(o, sign);
    w_op(o, w ? W_I32_ADD : W_I64_ADD);
    if (w)
        w_i32_const(o, sign);
    else
        w_i64_const(o, sign);
    w_op(o, w ? 0x4d : W_I64_LE_U);
    w_op(o, W_IF);
    w_op(o, w ? W_T_I32 : W_T_I64);
    // b == 0: x / 0 = -1, x % 0 = x;  b == -1: -x and 0
    if (rem)
        w_local(o, W_LOCAL_GET, a);
    else if (w)
        w_i32_const(o, -1);
    else
        w_i64_const(o, -1);
    if (w)
        w_i32_const(o, 0);
    else
        w_i64_const(o, 0);
    if (!rem) {
        w_local(o, W_LOCAL_GET, a);
        w_op(o, w ? W_I32_SUB : W_I64_SUB);
    }
    w_local(o, W_LOCAL_GET, b);
    w_op(o, w ? W_I32_EQZ : W_I64_EQZ);
    w_op(o, W_SELECT);
    w_op(o, W_ELSE);
    w_local(o, W_LOCAL_GET, a);
    w_local(o, W_LOCAL_GET, b);
    w_op(o, opcode);
    w_op(o, W_END);
}

static void min_max(struct emit *e, enum ir_op op, u32 a, u32 b) {
    static const u8 compare[] = {[IR_MINS64 - IR_MINS64] = 0x53,
                                 [IR_MAXS64 - IR_MINS64] = 0x55,
                                 [IR_MINU64 - IR_MINS64] = 0x54,
                                 [IR_MAXU64 - IR_MINS64] = 0x56};
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_op(out(e), compare[op - IR_MINS64]);
    w_op(out(e), W_SELECT);
}

// An operation on operands in locals of their own.
static bool with_locals(struct emit *e, enum ir_op op, ir_ref x, ir_ref y) {
    bool div = op == IR_DIVU64 || op == IR_DIVS64 || op == IR_REMU64 || op == IR_REMS64 ||
               op == IR_DIVU32 || op == IR_DIVS32 || op == IR_REMU32 || op == IR_REMS32;
    bool mm = op >= IR_MINS64 && op <= IR_MAXU64;
    if (!div && !mm) return false;
    u8 t = wasm_type(ir_operand_type(op, 0));
    u32 a = take_local(e, t), b = take_local(e, t);
    push(e, x);
    w_local(out(e), W_LOCAL_SET, a);
    push(e, y);
    w_local(out(e), W_LOCAL_SET, b);
    if (div)
        divide(e, op, a, b);
    else
        min_max(e, op, a, b);
    e->busy[a] = e->busy[b] = 0;
    return true;
}

static void fallback(struct emit *e, const struct ir_insn *o) {
    enum ir_type rt = (enum ir_type)ir_ops[o->op].result;
    u32 f = rt == IR_I64 || rt == IR_I32 ? e->abi->fallback((enum ir_op)o->op) : 0;
    if (!f) {
        e->failed = true;
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        ir_ref x = i ? o->b : o->a;
        enum ir_type t = ir_operand_type((enum ir_op)o->op, i);
        if (x)
            push(e, x);
        else
            w_i64_const(out(e), 0);
        if (x && t == IR_I32)
            w_op(out(e), W_I64_EXTEND_I32_U);
        else if (x && t != IR_I64)
            e->failed = true;
    }
    call_indirect(e, T_BINARY, f);
    if (rt == IR_I32) w_op(out(e), W_I32_WRAP_I64);
}

static void operands(struct emit *e, const struct ir_insn *o) {
    if (o->a) push(e, o->a);
    if (o->b) push(e, o->b);
    if (o->c) push(e, o->c);
}

void push_pcrel(struct emit *e, i64 rel) {
    w_local(out(e), W_LOCAL_GET, L_PAGE);
    if (!rel) return;
    w_i64_const(out(e), rel);
    w_op(out(e), W_I64_ADD);
}

// ---- the high half of products

// a and b are locals; leaves the unsigned high half on the stack.
static void mulhu(struct emit *e, u32 a, u32 b) {
    struct buf *o = out(e);
    u32 x = take_local(e, W_T_I64), y = take_local(e, W_T_I64), t = take_local(e, W_T_I64);
    static const i64 low = 0xffffffff;
    // t = ah * bl + (al * bl >> 32)
    w_local(o, W_LOCAL_GET, a);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_local(o, W_LOCAL_TEE, x);
    w_local(o, W_LOCAL_GET, b);
    w_i64_const(o, low);
    w_op(o, W_I64_AND);
    w_local(o, W_LOCAL_TEE, y);
    w_op(o, W_I64_MUL);
    w_local(o, W_LOCAL_GET, a);
    w_i64_const(o, low);
    w_op(o, W_I64_AND);
    w_local(o, W_LOCAL_GET, y);
    w_op(o, W_I64_MUL);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_op(o, W_I64_ADD);
    w_local(o, W_LOCAL_SET, t);
    // ah * bh + (t >> 32) + (al * bh + (t & low) >> 32)
    w_local(o, W_LOCAL_GET, x);
    w_local(o, W_LOCAL_GET, b);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_local(o, W_LOCAL_TEE, y);
    w_op(o, W_I64_MUL);
    w_local(o, W_LOCAL_GET, t);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_op(o, W_I64_ADD);
    w_local(o, W_LOCAL_GET, a);
    w_i64_const(o, low);
    w_op(o, W_I64_AND);
    w_local(o, W_LOCAL_GET, y);
    w_op(o, W_I64_MUL);
    w_local(o, W_LOCAL_GET, t);
    w_i64_const(o, low);
    w_op(o, W_I64_AND);
    w_op(o, W_I64_ADD);
    w_i64_const(o, 32);
    w_op(o, W_I64_SHR_U);
    w_op(o, W_I64_ADD);
    e->busy[x] = e->busy[y] = e->busy[t] = 0;
}

// Subtracts y where x is negative.
static void less_if_negative(struct emit *e, u32 x, u32 y) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_GET, x);
    w_i64_const(o, 63);
    w_op(o, W_I64_SHR_S);
    w_local(o, W_LOCAL_GET, y);
    w_op(o, W_I64_AND);
    w_op(o, W_I64_SUB);
}

static void high_product(struct emit *e, const struct ir_insn *op) {
    u32 a = take_local(e, W_T_I64), b = take_local(e, W_T_I64);
    push(e, op->a);
    w_local(out(e), W_LOCAL_SET, a);
    push(e, op->b);
    w_local(out(e), W_LOCAL_SET, b);
    mulhu(e, a, b);
    if (op->op != IR_MULHU64) less_if_negative(e, a, b);
    if (op->op == IR_MULHS64) less_if_negative(e, b, a);
    e->busy[a] = e->busy[b] = 0;
}

// ---- pure operations

void simd(struct emit *e, u32 code) {
    w_op(out(e), W_SIMD);
    w_u32(out(e), code);
}

void simd_lane(struct emit *e, u32 code, u8 lane) {
    simd(e, code);
    w_op(out(e), lane);
}

// Pushes the result of a pure operation.
static void pure(struct emit *e, ir_ref r) {
    const struct ir_insn *o = &e->b->ops[r];
    struct buf *w = out(e);
    switch (o->op) {
#define WOP(n, code)                                                                               \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        w_op(w, code);                                                                             \
        return;
#define WOPFC(n, code)                                                                             \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        w_op(w, 0xfc);                                                                             \
        w_u32(w, code);                                                                            \
        return;
#define WOPFD(n, code)                                                                             \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        simd(e, code);                                                                             \
        return;
#define WOPNAN(n, code)                                                                            \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        w_op(w, code);                                                                             \
        canonical_nan(e, (enum ir_type)ir_ops[o->op].result);                                      \
        return;
#include "emit/wasm/wops.def"
    case IR_VLO64:
    case IR_VHI64:
        operands(e, o);
        simd_lane(e, W_I64X2_EXTRACT_LANE, o->op == IR_VHI64);
        return;
    case IR_ANDN64:
        operands(e, o);
        w_i64_const(w, -1);
        w_op(w, W_I64_XOR);
        w_op(w, W_I64_AND);
        return;
    case IR_MULHU64:
    case IR_MULHS64:
    case IR_MULHSU64:
        high_product(e, o);
        return;
    case IR_SEL64:
    case IR_SEL32:
    case IR_SELF64:
    case IR_SELV:
        push(e, o->b);
        push(e, o->c);
        push(e, o->a);
        w_op(w, W_SELECT);
        return;
    case IR_PCREL:
        push_pcrel(e, (i64)o->imm);
        return;
    default:
        if (with_locals(e, (enum ir_op)o->op, o->a, o->b) || pure_vector(e, o)) return;
        fallback(e, o);
    }
}

void push(struct emit *e, ir_ref r) {
    const struct ir_insn *o = &e->b->ops[r];
    switch (e->kind[r]) {
    case V_CONST:
        if (o->op == IR_CONST32)
            w_i32_const(out(e), (i32)o->imm);
        else
            w_i64_const(out(e), (i64)o->imm);
        break;
    case V_CELL:
    case V_LOCAL:
        w_local(out(e), W_LOCAL_GET, e->local[r]);
        break;
    case V_FLOAT:
        w_local(out(e), W_LOCAL_GET, e->local[r]);
        if (e->types[e->local[r]] == W_T_F64) {
            w_op(out(e), W_I64_REINTERPRET_F64);
            break;
        }
        w_op(out(e), W_I32_REINTERPRET_F32);
        w_op(out(e), W_I64_EXTEND_I32_U);
        if (e->abi->boxed) {
            w_i64_const(out(e), (i64)0xffffffff00000000u);
            w_op(out(e), W_I64_OR);
        }
        break;
    case V_TREE:
        forget(e->trees, &e->ntrees, r);
        pure(e, r);
        break;
    default:
        assert(0 && "a value that was never emitted");
    }
    drop_use(e, r);
}

i64 push_address(struct emit *e, ir_ref r) {
    const struct ir_insn *ops = e->b->ops;
    i64 off = 0;
    while (e->kind[r] == V_TREE && ops[r].op == IR_ADD64 && e->kind[ops[r].b] == V_CONST) {
        off += (i64)ops[ops[r].b].imm;
        r = ops[r].a;
    }
    if (e->kind[r] == V_TREE) {
        forget(e->trees, &e->ntrees, r);
        settle(e, r);
    }
    e->uses[r]++;
    push(e, r);
    return off;
}

void use_unseen(struct emit *e, ir_ref r) {
    size_t len = e->code.len;
    push(e, r);
    e->code.len = len;
}

static void keep_as(struct emit *e, ir_ref r, u8 kind, u8 type) {
    u32 l = take_local(e, type);
    w_local(out(e), W_LOCAL_SET, l);
    e->kind[r] = kind;
    e->local[r] = (u16)l;
    if (!e->uses[r]) e->busy[l] = 0;
}

void keep(struct emit *e, ir_ref r) {
    keep_as(e, r, V_LOCAL, wasm_type((enum ir_type)ir_ops[e->b->ops[r].op].result));
}

void keep_float(struct emit *e, ir_ref r, u8 type) { keep_as(e, r, V_FLOAT, type); }

void settle(struct emit *e, ir_ref r) {
    pure(e, r);
    keep(e, r);
}

void settle_trees(struct emit *e) {
    while (e->ntrees) settle(e, e->trees[--e->ntrees]);
}

// Does the tree of r read `local`?
static bool reads(struct emit *e, ir_ref r, u32 local) {
    const struct ir_insn *o = &e->b->ops[r];
    const ir_ref refs[3] = {o->a, o->b, o->c};
    for (int i = 0; i < 3; i++) {
        if (!refs[i]) continue;
        u8 k = e->kind[refs[i]];
        if (k == V_CELL && e->local[refs[i]] == local) return true;
        if (k == V_TREE && reads(e, refs[i], local)) return true;
    }
    return false;
}

void vacate(struct emit *e, u32 local) {
    for (unsigned i = 0; i < e->ntrees;) {
        ir_ref r = e->trees[i];
        if (reads(e, r, local)) {
            e->trees[i] = e->trees[--e->ntrees];
            settle(e, r); // may settle trees inside it: start again
            i = 0;
        } else {
            i++;
        }
    }
    for (unsigned i = 0; i < e->naliases;) {
        ir_ref r = e->aliases[i];
        if (e->local[r] == local) {
            e->aliases[i] = e->aliases[--e->naliases];
            w_local(out(e), W_LOCAL_GET, local);
            keep(e, r);
        } else {
            i++;
        }
    }
}
