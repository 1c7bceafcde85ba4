// What the general-purpose instructions mean: moves, arithmetic, logic, shifts, bits (SDM 2). Rows
// name these functions; flags are set as flags.h describes.
#include "guest/x86_64/lift.h"

#define B (l->b)

static ir_ref k(struct lift *l, u64 v) { return ir_const64(l->b, v); }
static ir_ref bit_of(struct lift *l, ir_ref cond) { return ir_ZEXT32(B, cond); }

// ---- moves

void xlift_nop(struct lift *l, unsigned arg) {
    (void)l;
    (void)arg;
}

void xlift_mov(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = xlift_read(l, 1);
    xlift_assign(l, 0, v);
}

// The second operand with its sign repeated.
static ir_ref read_signed(struct lift *l, unsigned size) {
    struct place p = xlift_place(l, 1);
    if (p.mem && size < 8) return xlift_load_signed(l, p.ea, size);
    return xlift_sext(l, p.mem ? xlift_load(l, p.ea, size) : xlift_reg(l, p.reg, size), size);
}

void xlift_movx(struct lift *l, unsigned is_signed) {
    unsigned size = x86_operand_size(&l->d, 1);
    xlift_assign(l, 0,
                 is_signed ? xlift_zext(l, read_signed(l, size), l->d.opsize) : xlift_read(l, 1));
}

void xlift_movsxd(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned size = x86_operand_size(&l->d, 1);
    ir_ref v = size == 4 ? read_signed(l, 4) : xlift_sext(l, xlift_read(l, 1), 4);
    xlift_assign(l, 0, xlift_zext(l, v, l->d.opsize));
}

void xlift_lea(struct lift *l, unsigned arg) {
    (void)arg;
    i32 disp;
    ir_ref a = xlift_offset(l, l->d.opsize < l->d.adsize ? l->d.opsize : l->d.adsize, &disp);
    if (disp) a = ir_ADD64(B, a, k(l, (u64)(i64)disp));
    xlift_assign(l, 0, xlift_zext(l, a, l->d.opsize));
}

void xlift_xchg(struct lift *l, unsigned arg) {
    (void)arg;
    if (l->d.opcode == 0x90 && !l->d.rexb) return; // nop
    struct place p, q = xlift_place(l, 1);
    ir_ref x = xlift_open(l, 0, &p), y = xlift_reg(l, q.reg, q.size);
    xlift_write(l, &p, y);
    xlift_write(l, &q, x);
}

void xlift_bswap(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = xlift_read(l, 0);
    if (l->d.opsize == 8)
        v = ir_BSWAP64(B, v);
    else if (l->d.opsize == 4)
        v = ir_ZEXT32(B, ir_BSWAP32(B, ir_TRUNC32(B, v)));
    else
        v = k(l, 0); // undefined; what processors do
    xlift_assign(l, 0, v);
}

void xlift_movbe(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = ir_BSWAP64(B, xlift_read(l, 1));
    xlift_assign(l, 0, ir_SHRU64(B, v, k(l, 64 - 8 * l->d.opsize)));
}

void xlift_cbw(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned n = l->d.opsize;
    ir_ref v = xlift_sext(l, xlift_reg(l, RAX, 8), n / 2);
    xlift_set_reg(l, RAX, n, xlift_zext(l, v, n));
}

void xlift_cwd(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned n = l->d.opsize;
    if (n == 4) {
        ir_ref low = ir_TRUNC32(B, ir_get(B, X86_R(RAX)));
        ir_set(B, X86_R(RDX), ir_ZEXT32(B, ir_SHRS32(B, low, ir_const32(B, 31))));
        return;
    }
    ir_ref v = ir_SHRS64(B, xlift_sext(l, xlift_reg(l, RAX, 8), n), k(l, 63));
    xlift_set_reg(l, RDX, n, xlift_zext(l, v, n));
}

void xlift_xlat(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref a = ir_ADD64(B, ir_get(B, X86_R(RBX)), ir_AND64(B, ir_get(B, X86_R(RAX)), k(l, 0xff)));
    struct ea ea = xlift_ea_at(l, xlift_zext(l, a, l->d.adsize), SEG_DS);
    xlift_set_reg(l, RAX, 1, xlift_load(l, ea, 1));
}

void xlift_setcc(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref c = bit_of(l, xlift_cond(l, l->d.opcode & 15));
    xlift_assign(l, 0, c);
}

void xlift_cmov(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = xlift_read(l, 1), old = xlift_read(l, 0);
    ir_ref c = xlift_cond(l, l->d.opcode & 15), r;
    if (l->d.opsize == 4)
        r = ir_ZEXT32(B, ir_SEL32(B, c, ir_TRUNC32(B, v), ir_TRUNC32(B, old)));
    else
        r = ir_SEL64(B, c, v, old);
    xlift_assign(l, 0, r);
}

// ---- add to compare

static ir_ref sum(struct lift *l, ir_ref a, ir_ref b, ir_ref cin, unsigned size, ir_ref *cf) {
    ir_ref t = ir_ADD64(B, a, b), r = ir_ADD64(B, t, cin);
    if (size < 8) {
        *cf = ir_SHRU64(B, r, k(l, 8 * size));
        return xlift_zext(l, r, size);
    }
    *cf = bit_of(l, ir_OR32(B, ir_LTU64(B, t, a), ir_LTU64(B, r, t)));
    return r;
}

static ir_ref difference(struct lift *l, ir_ref a, ir_ref b, ir_ref cin, unsigned size,
                         ir_ref *cf) {
    ir_ref t = ir_SUB64(B, a, b), r = ir_SUB64(B, t, cin);
    if (size < 8) {
        *cf = ir_SHRU64(B, r, k(l, 63));
        return xlift_zext(l, r, size);
    }
    *cf = bit_of(l, ir_OR32(B, ir_LTU64(B, a, b), ir_LTU64(B, t, cin)));
    return r;
}

static void with_carry(struct lift *l, bool sub) {
    struct place p;
    ir_ref b = xlift_read(l, 1), a = xlift_open(l, 0, &p), cin = xlift_carry(l), cf;
    ir_ref r = sub ? difference(l, a, b, cin, p.size, &cf) : sum(l, a, b, cin, p.size, &cf);
    ir_ref x = ir_XOR64(B, ir_XOR64(B, a, b), r);
    xlift_write(l, &p, r);
    xlift_cc(l, CC_CARRY, p.size, r);
    xlift_cc_carry_bit(l, cf);
    xlift_cc_x(l, x);
}

static void flags_sub(struct lift *l, unsigned size, ir_ref a, ir_ref b, ir_ref r) {
    xlift_cc(l, CC_SUB, size, r);
    xlift_cc_carry(l, a, b);
}

static ir_ref add(struct lift *l, ir_ref a, ir_ref b, unsigned size) {
    return xlift_alu_op(l, IR_ADD64, IR_ADD32, a, b, size);
}

static ir_ref subtract(struct lift *l, ir_ref a, ir_ref b, unsigned size) {
    return a == b ? k(l, 0) : xlift_alu_op(l, IR_SUB64, IR_SUB32, a, b, size);
}

static ir_ref logic64(struct lift *l, unsigned op, ir_ref a, ir_ref b) {
    enum ir_op op64 = op == ALU_AND ? IR_AND64 : op == ALU_OR ? IR_OR64 : IR_XOR64;
    return ir_emit(B, op64, a, b, 0, 0, 0);
}

static ir_ref logic(struct lift *l, unsigned op, ir_ref a, ir_ref b, unsigned size) {
    if (a == b) return op == ALU_XOR ? k(l, 0) : a;
    if (size != 4) return logic64(l, op, a, b); // of canonical operands it is canonical
    enum ir_op op32 = op == ALU_AND ? IR_AND32 : op == ALU_OR ? IR_OR32 : IR_XOR32;
    return xlift_alu_op(l, IR_OP_INVALID, op32, a, b, 4);
}

// `a` is the low part of a register: is the rest easily kept as it is?
static bool is_low_part(const struct lift *l, const struct place *p, ir_ref a, ir_ref b) {
    return !p->mem && p->size < 4 && a != b && !xlift_high_byte(l, p->reg, p->size);
}

// On the whole register, with an operand that leaves the rest of it as it is; the low part.
static ir_ref logic_low(struct lift *l, unsigned op, const struct place *p, ir_ref b) {
    if (op == ALU_AND) b = ir_OR64(B, b, k(l, ~xlift_mask(p->size)));
    ir_ref all = logic64(l, op, ir_get(B, X86_R(p->reg)), b);
    ir_set(B, X86_R(p->reg), all);
    return xlift_zext(l, all, p->size);
}

void xlift_alu(struct lift *l, unsigned op) {
    if (op == ALU_ADC || op == ALU_SBB) {
        with_carry(l, op == ALU_SBB);
        return;
    }
    struct place p;
    ir_ref b = xlift_read(l, 1), a, r;
    if (op == ALU_CMP) {
        p.size = (u8)x86_operand_size(&l->d, 0);
        a = xlift_read(l, 0);
        flags_sub(l, p.size, a, b, subtract(l, a, b, p.size));
        return;
    }
    a = xlift_open(l, 0, &p);
    if (op != ALU_ADD && op != ALU_SUB && is_low_part(l, &p, a, b)) {
        xlift_cc_logic(l, p.size, logic_low(l, op, &p, b));
        return;
    }
    if (op == ALU_ADD)
        r = add(l, a, b, p.size);
    else if (op == ALU_SUB)
        r = subtract(l, a, b, p.size);
    else
        r = logic(l, op, a, b, p.size);
    // The difference goes to a register last: then the flags' operands are still where they were.
    if (op == ALU_SUB) {
        if (p.mem) xlift_write(l, &p, r);
        flags_sub(l, p.size, a, b, r);
        if (!p.mem) xlift_write(l, &p, r);
        return;
    }
    xlift_write(l, &p, r);
    if (op == ALU_ADD) {
        xlift_cc(l, CC_ADD, p.size, r);
        xlift_cc_carry(l, r, b);
    } else {
        xlift_cc_logic(l, p.size, r);
    }
}

void xlift_test(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref a = xlift_read(l, 0), b = xlift_read(l, 1);
    unsigned size = x86_operand_size(&l->d, 0);
    xlift_cc_logic(l, size, logic(l, ALU_AND, a, b, size));
}

void xlift_incdec(struct lift *l, unsigned inc) {
    struct place p;
    ir_ref a = xlift_open(l, 0, &p);
    ir_ref r = add(l, a, k(l, inc ? 1 : ~(u64)0), p.size);
    xlift_write(l, &p, r);
    xlift_cc(l, inc ? CC_INC : CC_DEC, p.size, r);
}

void xlift_not(struct lift *l, unsigned arg) {
    (void)arg;
    struct place p;
    ir_ref a = xlift_open(l, 0, &p), ones = k(l, xlift_mask(p.size));
    if (is_low_part(l, &p, a, ones))
        logic_low(l, ALU_XOR, &p, ones);
    else
        xlift_write(l, &p, logic(l, ALU_XOR, a, ones, p.size));
}

void xlift_neg(struct lift *l, unsigned arg) {
    (void)arg;
    struct place p;
    ir_ref a = xlift_open(l, 0, &p), zero = k(l, 0);
    ir_ref r = xlift_alu_op(l, IR_SUB64, IR_SUB32, zero, a, p.size);
    xlift_write(l, &p, r);
    flags_sub(l, p.size, zero, a, r);
}

void xlift_xadd(struct lift *l, unsigned arg) {
    (void)arg;
    struct place p, q = xlift_place(l, 1);
    ir_ref a = xlift_open(l, 0, &p), b = xlift_reg(l, q.reg, q.size);
    ir_ref r = add(l, a, b, p.size);
    if (p.mem) xlift_write(l, &p, r);
    xlift_write(l, &q, a);
    if (!p.mem) xlift_write(l, &p, r);
    xlift_cc(l, CC_ADD, p.size, r);
    xlift_cc_carry(l, r, b);
}

void xlift_cmpxchg(struct lift *l, unsigned arg) {
    (void)arg;
    struct place p;
    ir_ref old = xlift_open(l, 0, &p), src = xlift_read(l, 1), acc = xlift_reg(l, RAX, p.size);
    ir_ref eq = ir_EQ64(B, acc, old), r = xlift_alu_op(l, IR_SUB64, IR_SUB32, acc, old, p.size);
    // A register is not written when the comparison fails, not even extended.
    ir_ref keep = p.mem || p.size < 4 ? old : ir_get(B, X86_R(p.reg));
    ir_ref put = ir_SEL64(B, eq, src, keep);
    if (p.mem) xlift_write(l, &p, put);
    if (p.size >= 4)
        ir_set(B, X86_R(RAX), ir_SEL64(B, eq, ir_get(B, X86_R(RAX)), old));
    else
        xlift_set_reg(l, RAX, p.size, ir_SEL64(B, eq, acc, old));
    if (!p.mem) xlift_write(l, &p, put);
    flags_sub(l, p.size, acc, old, r);
}

static void set_zero_flag(struct lift *l, ir_ref eq, ir_ref status) {
    ir_ref z = ir_SHL64(B, bit_of(l, eq), k(l, 6));
    ir_ref rest = ir_AND64(B, status, k(l, FL_STATUS & ~FL_ZF));
    xlift_set_status(l, ir_OR64(B, rest, z));
}

static void select_reg(struct lift *l, ir_ref eq, unsigned reg, ir_ref v) {
    ir_set(B, X86_R(reg), ir_SEL64(B, eq, ir_get(B, X86_R(reg)), v));
}

void xlift_cmpxchg8b(struct lift *l, unsigned arg) {
    (void)arg;
    struct ea ea = xlift_ea(l);
    ir_ref old = xlift_load_rmw(l, ea, 8), status = xlift_status(l);
    ir_ref want = ir_OR64(B, ir_SHL64(B, ir_get(B, X86_R(RDX)), k(l, 32)), xlift_reg(l, RAX, 4));
    ir_ref put = ir_OR64(B, ir_SHL64(B, ir_get(B, X86_R(RCX)), k(l, 32)), xlift_reg(l, RBX, 4));
    ir_ref eq = ir_EQ64(B, old, want);
    xlift_store(l, ea, 8, ir_SEL64(B, eq, put, old));
    select_reg(l, eq, RAX, xlift_zext(l, old, 4));
    select_reg(l, eq, RDX, ir_SHRU64(B, old, k(l, 32)));
    set_zero_flag(l, eq, status);
}

void xlift_cmpxchg16b(struct lift *l, unsigned arg) {
    (void)arg;
    struct ea ea = xlift_ea(l);
    ir_ref low = ir_AND64(B, ir_ADD64(B, ea.addr, k(l, (u64)(i64)ea.disp)), k(l, 15));
    ir_trapif(B, ir_NE64(B, low, k(l, 0)), CAUSE_GP0, k(l, 0));
    struct ea up = xlift_ea_plus(l, ea, 8);
    ir_ref lo = xlift_load_rmw(l, ea, 8), hi = xlift_load_rmw(l, up, 8), status = xlift_status(l);
    ir_ref eq =
        ir_AND32(B, ir_EQ64(B, lo, ir_get(B, X86_R(RAX))), ir_EQ64(B, hi, ir_get(B, X86_R(RDX))));
    xlift_store(l, ea, 8, ir_SEL64(B, eq, ir_get(B, X86_R(RBX)), lo));
    xlift_store(l, up, 8, ir_SEL64(B, eq, ir_get(B, X86_R(RCX)), hi));
    select_reg(l, eq, RAX, lo);
    select_reg(l, eq, RDX, hi);
    set_zero_flag(l, eq, status);
}

// ---- multiply, divide

static void flags_mul(struct lift *l, unsigned size, ir_ref lo, ir_ref overflow) {
    xlift_cc(l, CC_MUL, size, lo);
    xlift_cc_carry_bit(l, bit_of(l, overflow));
}

// Low and high half of a product, and whether the high one says anything.
static ir_ref product(struct lift *l, bool is_signed, unsigned size, ir_ref a, ir_ref b, ir_ref *hi,
                      ir_ref *overflow) {
    if (size == 8) {
        ir_ref lo = ir_MUL64(B, a, b);
        *hi = is_signed ? ir_MULHS64(B, a, b) : ir_MULHU64(B, a, b);
        *overflow = ir_NE64(B, *hi, is_signed ? ir_SHRS64(B, lo, k(l, 63)) : k(l, 0));
        return lo;
    }
    if (is_signed) a = xlift_sext(l, a, size), b = xlift_sext(l, b, size);
    ir_ref p = ir_MUL64(B, a, b);
    *hi = xlift_zext(l, ir_SHRU64(B, p, k(l, 8 * size)), size);
    *overflow = is_signed ? ir_NE64(B, xlift_sext(l, p, size), p) : ir_NE64(B, *hi, k(l, 0));
    return xlift_zext(l, p, size);
}

void xlift_mul(struct lift *l, unsigned is_signed) {
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref b = xlift_read(l, 0), a = xlift_reg(l, RAX, size), hi, overflow;
    ir_ref lo = product(l, is_signed, size, a, b, &hi, &overflow);
    if (size == 1) {
        xlift_set_reg(l, RAX, 2, ir_OR64(B, ir_SHL64(B, hi, k(l, 8)), lo));
    } else {
        xlift_set_reg(l, RAX, size, lo);
        xlift_set_reg(l, RDX, size, hi);
    }
    flags_mul(l, size, lo, overflow);
}

static void multiply(struct lift *l, ir_ref a, ir_ref b) {
    ir_ref hi, overflow, lo = product(l, true, l->d.opsize, a, b, &hi, &overflow);
    // Without the 64-bit product when nobody asks for the flags.
    if (l->d.opsize == 4) lo = ir_ZEXT32(B, ir_MUL32(B, ir_TRUNC32(B, a), ir_TRUNC32(B, b)));
    xlift_assign(l, 0, lo);
    flags_mul(l, l->d.opsize, lo, overflow);
}

void xlift_imul2(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref b = xlift_read(l, 1);
    multiply(l, xlift_read(l, 0), b);
}

void xlift_imul3(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref a = xlift_read(l, 1);
    multiply(l, a, xlift_read(l, 2));
}

void xlift_mulx(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref b = xlift_read(l, 2), a = xlift_reg(l, RDX, size), hi, overflow;
    ir_ref lo = product(l, false, size, a, b, &hi, &overflow);
    xlift_assign(l, 1, lo);
    xlift_assign(l, 0, hi); // wins when both are the same register
}

// The dividend's upper half is known to be only an extension of the lower.
static bool narrow_dividend(struct lift *l, bool is_signed) {
    ir_ref hi = ir_get(B, X86_R(RDX)), lo = ir_get(B, X86_R(RAX));
    u64 v;
    if (!is_signed) return ir_is_const(B, hi, &v) && v == 0;
    const struct ir_insn *o = &B->ops[hi];
    return o->op == IR_SHRS64 && o->a == lo && ir_is_const(B, o->b, &v) && v == 63;
}

static void divide64(struct lift *l, bool is_signed) {
    ir_ref d = xlift_read(l, 0), n = ir_get(B, X86_R(RAX));
    if (!narrow_dividend(l, is_signed)) {
        ir_call(B, HELPER_div64, d, 0, 0, is_signed);
        return;
    }
    ir_ref bad = ir_EQ64(B, d, k(l, 0));
    if (is_signed) {
        ir_ref least = ir_EQ64(B, n, k(l, (u64)1 << 63)), minus1 = ir_EQ64(B, d, k(l, ~(u64)0));
        bad = ir_OR32(B, bad, ir_AND32(B, least, minus1));
    }
    ir_trapif(B, bad, EXC_DE, k(l, 0));
    ir_ref q = is_signed ? ir_DIVS64(B, n, d) : ir_DIVU64(B, n, d);
    ir_ref r = is_signed ? ir_REMS64(B, n, d) : ir_REMU64(B, n, d);
    ir_set(B, X86_R(RAX), q);
    ir_set(B, X86_R(RDX), r);
}

void xlift_div(struct lift *l, unsigned is_signed) {
    unsigned size = x86_operand_size(&l->d, 0);
    if (size == 8) {
        divide64(l, is_signed);
        return;
    }
    ir_ref d = xlift_read(l, 0), n = xlift_reg(l, RAX, size == 1 ? 2 : size), bad, q, r;
    if (size > 1) n = ir_OR64(B, ir_SHL64(B, xlift_reg(l, RDX, size), k(l, 8 * size)), n);
    if (is_signed) {
        n = xlift_sext(l, n, 2 * size);
        ir_ref zero = ir_EQ64(B, d, k(l, 0));
        d = xlift_sext(l, d, size);
        q = ir_DIVS64(B, n, d);
        bad = ir_OR32(B, zero, ir_NE64(B, xlift_sext(l, q, size), q));
        r = ir_REMS64(B, n, d);
    } else {
        q = ir_DIVU64(B, n, d); // by 0: all ones
        bad = ir_LTU64(B, k(l, xlift_mask(size)), q);
        r = ir_REMU64(B, n, d);
    }
    ir_trapif(B, bad, EXC_DE, k(l, 0));
    q = xlift_zext(l, q, size), r = xlift_zext(l, r, size);
    if (size == 1) {
        xlift_set_reg(l, RAX, 2, ir_OR64(B, ir_SHL64(B, r, k(l, 8)), q));
    } else {
        xlift_set_reg(l, RAX, size, q);
        xlift_set_reg(l, RDX, size, r);
    }
}

// ---- bits

void xlift_bit(struct lift *l, unsigned how) {
    unsigned size = l->d.opsize, bits = 8 * size;
    struct place p = {.size = (u8)size};
    ir_ref n = xlift_read(l, 1), v;
    if (l->d.mod != 3) {
        p.mem = true;
        if (x86_operand_type(&l->d, 1) == X86T_REG) {
            // A bit string: the number reaches beyond the operand, in both directions.
            ir_ref unit = ir_SHRS64(B, xlift_sext(l, n, size),
                                    k(l, size == 8   ? 6
                                         : size == 4 ? 5
                                                     : 4));
            p.ea = xlift_ea_indexed(l, ir_SHL64(B, unit, k(l, size == 8 ? 3 : size / 2)));
        } else {
            p.ea = xlift_ea(l);
        }
        v = how == BIT_TEST ? xlift_load(l, p.ea, size) : xlift_load_rmw(l, p.ea, size);
    } else {
        v = xlift_open(l, 0, &p);
    }
    n = ir_AND64(B, n, k(l, bits - 1));
    ir_ref cf = ir_AND64(B, ir_SHRU64(B, v, n), k(l, 1)), one = ir_SHL64(B, k(l, 1), n);
    if (how == BIT_SET) xlift_write(l, &p, ir_OR64(B, v, one));
    if (how == BIT_RESET) xlift_write(l, &p, ir_ANDN64(B, v, one));
    if (how == BIT_COMPLEMENT) xlift_write(l, &p, ir_XOR64(B, v, one));
    xlift_cc_keep_zero(l, cf);
}

void xlift_popcnt(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref r = ir_POPCNT64(B, xlift_read(l, 1));
    xlift_assign(l, 0, r);
    xlift_cc(l, CC_FLAGS, 8, r);
    xlift_cc_carry_bit(l, k(l, 0));
    xlift_cc_x(l, k(l, 0));
}

static ir_ref count_zeros(struct lift *l, ir_ref v, bool leading) {
    unsigned bits = 8u * l->d.opsize;
    if (leading) {
        ir_ref n = ir_CLZ64(B, v);
        return bits == 64 ? n : ir_SUB64(B, n, k(l, 64 - bits));
    }
    if (bits < 64) v = ir_OR64(B, v, k(l, (u64)1 << bits));
    return ir_CTZ64(B, v);
}

void xlift_tzcnt(struct lift *l, unsigned leading) {
    ir_ref v = xlift_read(l, 1), r = count_zeros(l, v, leading);
    xlift_assign(l, 0, r);
    xlift_cc(l, CC_LOGIC, l->d.opsize, r);
    xlift_cc_carry_bit(l, bit_of(l, ir_EQ64(B, v, k(l, 0))));
}

void xlift_bsf(struct lift *l, unsigned reverse) {
    unsigned size = l->d.opsize, reg = l->d.reg;
    ir_ref v = xlift_read(l, 1), n = count_zeros(l, v, reverse);
    if (reverse) n = ir_XOR64(B, n, k(l, 8 * size - 1));
    // Of 0 it leaves the destination alone, all of it.
    ir_ref zero = ir_EQ64(B, v, k(l, 0)),
           old = size >= 4 ? ir_get(B, X86_R(reg)) : xlift_reg(l, reg, size);
    xlift_set_reg(l, reg, size, ir_SEL64(B, zero, old, n));
    xlift_cc_logic(l, size, v);
}

void xlift_andn(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = xlift_read(l, 2), r = ir_ANDN64(B, v, xlift_read(l, 1));
    xlift_assign(l, 0, r);
    xlift_cc_logic(l, x86_operand_size(&l->d, 0), r);
}

void xlift_bls(struct lift *l, unsigned how) {
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref v = xlift_read(l, 1), r, zero = ir_EQ64(B, v, k(l, 0));
    if (how == BLS_I) {
        r = ir_AND64(B, v, ir_SUB64(B, k(l, 0), v));
        zero = ir_XOR32(B, zero, ir_const32(B, 1));
    } else {
        ir_ref less = ir_SUB64(B, v, k(l, 1));
        r = how == BLS_R ? ir_AND64(B, v, less) : xlift_zext(l, ir_XOR64(B, v, less), size);
    }
    xlift_assign(l, 0, r);
    xlift_cc(l, CC_LOGIC, size, r);
    xlift_cc_carry_bit(l, bit_of(l, zero));
}

// All ones below bit n, for any n.
static ir_ref ones_below(struct lift *l, ir_ref n) {
    ir_ref m = ir_SUB64(B, ir_SHL64(B, k(l, 1), n), k(l, 1));
    return ir_SEL64(B, ir_LTU64(B, n, k(l, 64)), m, k(l, ~(u64)0));
}

void xlift_bzhi(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref v = xlift_read(l, 1), n = ir_AND64(B, xlift_read(l, 2), k(l, 0xff));
    ir_ref r = ir_AND64(B, v, ones_below(l, n));
    xlift_assign(l, 0, r);
    xlift_cc(l, CC_LOGIC, size, r);
    xlift_cc_carry_bit(l, bit_of(l, ir_GEU64(B, n, k(l, 8 * size))));
}

void xlift_bextr(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref v = xlift_read(l, 1), how = xlift_read(l, 2);
    ir_ref start = ir_AND64(B, how, k(l, 0xff));
    ir_ref len = ir_AND64(B, ir_SHRU64(B, how, k(l, 8)), k(l, 0xff));
    ir_ref r = ir_SEL64(B, ir_LTU64(B, start, k(l, 64)), ir_SHRU64(B, v, start), k(l, 0));
    r = ir_AND64(B, r, ones_below(l, len));
    xlift_assign(l, 0, r);
    xlift_cc_logic(l, size, r);
}

void xlift_pdep(struct lift *l, unsigned helper) {
    ir_ref mask = xlift_read(l, 2), v = xlift_read(l, 1);
    xlift_assign(l, 0, ir_call(B, helper, v, mask, 0, 0));
}

void xlift_crc32(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned size = x86_operand_size(&l->d, 1);
    ir_ref v = xlift_read(l, 1), crc = xlift_reg(l, l->d.reg, 4);
    xlift_assign(l, 0, ir_call(B, HELPER_crc32, crc, v, 0, size));
}

void xlift_adx(struct lift *l, unsigned by_overflow) {
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref b = xlift_read(l, 1), a = xlift_read(l, 0), cf;
    ir_ref cin = by_overflow ? bit_of(l, xlift_cond(l, COND_O)) : xlift_carry(l);
    ir_ref r = sum(l, a, b, cin, size, &cf);
    if (by_overflow)
        xlift_cc_patch(l, 0, ir_SHL64(B, cf, k(l, 11)));
    else
        xlift_cc_patch(l, cf, 0);
    xlift_assign(l, 0, r);
}

// ---- flags themselves

void xlift_set_carry(struct lift *l, unsigned how) {
    ir_ref cf = k(l, how == CARRY_STC);
    if (how == CARRY_CMC) cf = ir_XOR64(B, xlift_carry(l), k(l, 1));
    xlift_cc_patch(l, cf, 0);
}

void xlift_direction(struct lift *l, unsigned down) {
    ir_set(B, X86_CELL(df), k(l, down ? ~(u64)0 : 1));
}

void xlift_sahf(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref of = ir_SHL64(B, bit_of(l, xlift_cond(l, COND_O)), k(l, 11));
    ir_ref ah = ir_SHRU64(B, ir_get(B, X86_R(RAX)), k(l, 8));
    ah = ir_AND64(B, ah, k(l, FL_STATUS & 0xff));
    xlift_set_status(l, ir_OR64(B, ah, of));
}

void xlift_lahf(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref f = ir_AND64(B, xlift_status(l), k(l, 0xff));
    f = ir_SHL64(B, ir_OR64(B, f, k(l, 2)), k(l, 8));
    ir_ref old = ir_AND64(B, ir_get(B, X86_R(RAX)), k(l, ~(u64)0xff00));
    ir_set(B, X86_R(RAX), ir_OR64(B, old, f));
}

// ---- decimal (not in 64-bit mode)

void xlift_bcd(struct lift *l, unsigned how) { ir_call(B, HELPER_bcd, 0, 0, 0, how); }

void xlift_aam(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(B, HELPER_bcd, 0, 0, 0, BCD_AAM | l->d.imm << 8);
}

void xlift_aad(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(B, HELPER_bcd, 0, 0, 0, BCD_AAD | l->d.imm << 8);
}

void xlift_bound(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned n = l->d.opsize;
    struct ea ea = xlift_ea(l);
    ir_ref lo = xlift_sext(l, xlift_load(l, ea, n), n);
    ir_ref hi = xlift_sext(l, xlift_load(l, xlift_ea_plus(l, ea, (i32)n), n), n);
    ir_ref v = xlift_sext(l, xlift_read(l, 0), n);
    ir_trapif(B, ir_OR32(B, ir_LTS64(B, v, lo), ir_LTS64(B, hi, v)), EXC_BR, k(l, 0));
}
