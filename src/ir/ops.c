// What the table of operations says, as data; constant folding. Depends on base only.
#include "ir/ops.h"

#define NARGS_OF(s) (sizeof(s) - 1)

static const char *const misc_operands[IR_OP_COUNT] = {
#define IR_MISC(n, t, r, ops, eff) [IR_##n] = ops,
#include "ir/ops.def"
};

const struct ir_op_info ir_ops[IR_OP_COUNT] = {
    [IR_OP_INVALID] = {"invalid", IR_NONE, 0, {0}, 0, 0, false},
#define INFO(n, t, r, k, e, bytes, ...) [IR_##n] = {t, IR_##r, k, {__VA_ARGS__}, e, bytes, false},
#define IR_BIN(n, t, ty, e)             INFO(n, t, ty, 2, 0, 0, IR_##ty, IR_##ty)
#define IR_CMP(n, t, ty, e)             INFO(n, t, I32, 2, 0, 0, IR_##ty, IR_##ty)
#define IR_UN(n, t, r, ty, e)           INFO(n, t, r, 1, 0, 0, IR_##ty)
#define IR_SHV(n, t, e)                 INFO(n, t, V128, 2, 0, 0, IR_V128, IR_I32)
#define IR_VIMM(n, t, e)                [IR_##n] = {t, IR_V128, 2, {IR_V128, IR_V128}, 0, 0, true},
#define IR_SEL(n, t, ty)                INFO(n, t, ty, 3, 0, 0, IR_I32, IR_##ty, IR_##ty)
#define IR_LOAD(n, t, ty, bytes, e)     INFO(n, t, ty, 1, IR_FAULTS, bytes, IR_I64)
#define IR_STORE(n, t, ty, bytes)       INFO(n, t, NONE, 2, IR_FAULTS, bytes, IR_I64, IR_##ty)
#define IR_MISC(n, t, r, ops, eff)      INFO(n, t, r, NARGS_OF(ops), eff, 0, 0)
#include "ir/ops.def"
};

static enum ir_type type_of_letter(char c) {
    switch (c) {
    case 'i':
        return IR_I32;
    case 'l':
        return IR_I64;
    case 'f':
        return IR_F32;
    case 'd':
        return IR_F64;
    case 'v':
        return IR_V128;
    default:
        return IR_NONE;
    }
}

enum ir_type ir_operand_type(enum ir_op op, unsigned i) {
    if (op == IR_CALL) return IR_I64;
    if (misc_operands[op])
        return i < ir_ops[op].noperands ? type_of_letter(misc_operands[op][i]) : IR_NONE;
    return i < ir_ops[op].noperands ? (enum ir_type)ir_ops[op].operands[i] : IR_NONE;
}

unsigned ir_access_bytes(enum ir_op op) {
    switch (op) {
    case IR_LDW8:
        return 1;
    case IR_LDW16:
        return 2;
    case IR_LDW32:
        return 4;
    case IR_LDW64:
        return 8;
    case IR_LDV:
    case IR_STV:
        return 16;
    default:
        return ir_ops[op].mem_bytes;
    }
}

// C types and union fields of the IR's types, for the rows' expressions.
#define CT_I32  u32
#define CT_I64  u64
#define CT_F32  float
#define CT_F64  double
#define CT_V128 v128

#define FIELD_I32(p)  (p)->i32
#define FIELD_I64(p)  (p)->i64
#define FIELD_F32(p)  (p)->f32
#define FIELD_F64(p)  (p)->f64
#define FIELD_V128(p) (p)->v

bool ir_apply(enum ir_op op, union ir_value *r, const union ir_value *x, const union ir_value *y,
              const union ir_value *z) {
    switch (op) {
#define IR_BIN(n, t, ty, e)                                                                        \
    case IR_##n: {                                                                                 \
        CT_##ty a = FIELD_##ty(x), b = FIELD_##ty(y);                                              \
        FIELD_##ty(r) = (e);                                                                       \
        return true;                                                                               \
    }
#define IR_CMP(n, t, ty, e)                                                                        \
    case IR_##n: {                                                                                 \
        CT_##ty a = FIELD_##ty(x), b = FIELD_##ty(y);                                              \
        r->i32 = (e) ? 1 : 0;                                                                      \
        return true;                                                                               \
    }
#define IR_UN(n, t, rt, ty, e)                                                                     \
    case IR_##n: {                                                                                 \
        CT_##ty a = FIELD_##ty(x);                                                                 \
        FIELD_##rt(r) = (CT_##rt)(e);                                                              \
        return true;                                                                               \
    }
#define IR_SHV(n, t, e)                                                                            \
    case IR_##n: {                                                                                 \
        v128 a = x->v;                                                                             \
        u32 b = y->i32;                                                                            \
        r->v = (e);                                                                                \
        return true;                                                                               \
    }
#define IR_VIMM(n, t, e)                                                                           \
    case IR_##n: {                                                                                 \
        v128 a = x->v, b = y->v;                                                                   \
        u64 k = z->i64;                                                                            \
        r->v = (e);                                                                                \
        return true;                                                                               \
    }
#define IR_SEL(n, t, ty)                                                                           \
    case IR_##n:                                                                                   \
        FIELD_##ty(r) = x->i32 ? FIELD_##ty(y) : FIELD_##ty(z);                                    \
        return true;
#include "ir/ops.def"
    default:
        return false;
    }
}

u64 ir_load_extend(enum ir_op op, u64 m) {
    switch (op) {
#define IR_LOAD(n, t, ty, bytes, e)                                                                \
    case IR_##n:                                                                                   \
        return e;
#include "ir/ops.def"
    default:
        return m;
    }
}
