// Vector operations that are more than one WebAssembly instruction, or have immediates. Depends on
// emit.h.
#include "emit/wasm/emit.h"

// lane i of the result: byte `lanes[i]` of the first operand, from 16 on of the second.
static void shuffle(struct emit *e, const u8 lanes[16]) {
    simd(e, W_I8X16_SHUFFLE);
    for (unsigned i = 0; i < 16; i++) w_op(out(e), lanes[i]);
}

static void shuffle_of(struct emit *e, const struct ir_insn *o) {
    u8 lanes[16];
    push(e, o->a);
    push(e, o->b);
    for (unsigned i = 0; i < 16; i++) {
        if (o->op == IR_VSHUF16)
            lanes[i] = (u8)((o->imm >> (4 * (i / 2)) & 15) * 2 + i % 2);
        else if (o->op == IR_VALIGN8)
            lanes[i] = (u8)(i + (o->imm & 15));
        else
            lanes[i] = (u8)(i / 2 + i % 2 * 16 + (o->op == IR_VUNHI8 ? 8 : 0));
    }
    shuffle(e, lanes);
}

// The upper halves of the eight products.
static void high_products(struct emit *e, const struct ir_insn *o) {
    static const u8 upper[16] = {2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31};
    bool sign = o->op == IR_VMULHS16;
    u32 a = take_local(e, W_T_V128), b = take_local(e, W_T_V128);
    push(e, o->a);
    w_local(out(e), W_LOCAL_SET, a);
    push(e, o->b);
    w_local(out(e), W_LOCAL_SET, b);
    for (unsigned high = 0; high < 2; high++) {
        w_local(out(e), W_LOCAL_GET, a);
        w_local(out(e), W_LOCAL_GET, b);
        simd(e, (sign ? W_I32X4_EXTMUL_LOW_I16X8_S : W_I32X4_EXTMUL_LOW_I16X8_U) + high);
    }
    shuffle(e, upper);
    e->busy[a] = e->busy[b] = 0;
}

// Pushes the value with its even dwords in the lower half.
static void push_even(struct emit *e, ir_ref r) {
    static const u8 even[16] = {0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11};
    u32 x = take_local(e, W_T_V128);
    push(e, r);
    w_local(out(e), W_LOCAL_TEE, x);
    w_local(out(e), W_LOCAL_GET, x);
    shuffle(e, even);
    e->busy[x] = 0;
}

void vector_constant(struct emit *e, u64 lo, u64 hi) {
    simd(e, W_V128_CONST);
    for (unsigned i = 0; i < 16; i++) w_op(out(e), (u8)((i < 8 ? lo : hi) >> (8 * (i % 8))));
}

// splat.i64x2 or zext.v128
static void from_i64(struct emit *e, const struct ir_insn *o) {
    const struct ir_insn *x = &e->b->ops[o->a];
    bool splat = o->op == IR_VSPLAT64;
    if (x->op == IR_CONST64) {
        drop_use(e, o->a);
        vector_constant(e, x->imm, splat ? x->imm : 0);
    } else if (splat) {
        push(e, o->a);
        simd(e, W_I64X2_SPLAT);
    } else {
        vector_constant(e, 0, 0);
        bool is_float = e->kind[o->a] == V_FLOAT;
        u8 type = is_float ? e->types[e->local[o->a]] : W_T_I64;
        if (type == W_T_I64 || (type == W_T_F32 && e->abi->boxed)) {
            push(e, o->a);
            simd_lane(e, W_I64X2_REPLACE_LANE, 0);
            return;
        }
        w_local(out(e), W_LOCAL_GET, e->local[o->a]);
        drop_use(e, o->a);
        simd_lane(e, type == W_T_F64 ? W_F64X2_REPLACE_LANE : W_F32X4_REPLACE_LANE, 0);
    }
}

bool pure_vector(struct emit *e, const struct ir_insn *o) {
    switch (o->op) {
    case IR_VSHUF16:
    case IR_VALIGN8:
    case IR_VUNLO8:
    case IR_VUNHI8:
        shuffle_of(e, o);
        return true;
    case IR_VSPLAT64:
    case IR_VZEXT64:
        from_i64(e, o);
        return true;
    case IR_VMULHS16:
    case IR_VMULHU16:
        high_products(e, o);
        return true;
    case IR_VMULS32:
    case IR_VMULU32:
        push_even(e, o->a);
        push_even(e, o->b);
        simd(e, o->op == IR_VMULS32 ? W_I64X2_EXTMUL_LOW_I32X4_S : W_I64X2_EXTMUL_LOW_I32X4_U);
        return true;
    default:
        return false;
    }
}
