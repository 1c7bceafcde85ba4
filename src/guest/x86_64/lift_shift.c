// Shifts and rotations (SDM 2: SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD, and those of BMI2).
//
// A count of zero changes no flag, though a 32-bit destination is still zero-extended. Where the
// count is not known the flags are selected cell by cell.
#include "guest/x86_64/lift.h"

#define B (l->b)

static ir_ref k(struct lift *l, u64 v) { return ir_const64(l->b, v); }

static ir_ref masked_count(struct lift *l, unsigned i, unsigned size) {
    return ir_AND64(B, xlift_read(l, i), k(l, size == 8 ? 63 : 31));
}

static ir_ref bit_at(struct lift *l, ir_ref v, ir_ref n) {
    return ir_AND64(B, ir_SHRU64(B, v, n), k(l, 1));
}

// Sets a cell to v, or keeps it when the count c is zero. c constant: not zero.
static void set_counted(struct lift *l, ir_ref c, u32 cell, ir_ref v) {
    u64 n;
    if (!ir_is_const(B, c, &n)) {
        ir_ref some = ir_NE64(B, c, k(l, 0));
        v = ir_SEL64(B, some, v, ir_get(B, cell));
    }
    ir_set(B, cell, v);
}

static void flags_counted(struct lift *l, ir_ref c, enum cc_kind kind, unsigned size, ir_ref r,
                          ir_ref cf) {
    u64 n;
    if (ir_is_const(B, c, &n)) {
        xlift_cc(l, kind, size, r);
        xlift_cc_carry_bit(l, cf);
        return;
    }
    set_counted(l, c, X86_CELL(cc_op), k(l, CC(kind, size)));
    set_counted(l, c, X86_CELL(cc_res), r);
    set_counted(l, c, X86_CELL(cc_a), k(l, 0));
    set_counted(l, c, X86_CELL(cc_b), cf);
}

static bool known_zero(struct lift *l, ir_ref c) {
    u64 n;
    return ir_is_const(B, c, &n) && n == 0;
}

void xlift_shift(struct lift *l, unsigned how) {
    struct place p;
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref c = masked_count(l, 1, size), a = xlift_open(l, 0, &p), r, cf;
    if (known_zero(l, c)) {
        xlift_write(l, &p, a);
        return;
    }
    u64 n;
    if (size == 4 && ir_is_const(B, c, &n)) {
        static const u16 op[] = {
            [SHIFT_L] = IR_SHL32, [SHIFT_R] = IR_SHRU32, [SHIFT_A] = IR_SHRS32};
        r = xlift_alu_op(l, IR_OP_INVALID, (enum ir_op)op[how], a, c, 4);
        cf = bit_at(l, a, k(l, how == SHIFT_L ? 32 - n : n - 1));
    } else if (how == SHIFT_L) {
        r = ir_SHL64(B, a, c);
        cf = size == 8 ? bit_at(l, a, ir_SUB64(B, k(l, 64), c)) : bit_at(l, r, k(l, 8 * size));
        r = xlift_zext(l, r, size);
    } else if (how == SHIFT_R) {
        r = ir_SHRU64(B, a, c);
        cf = bit_at(l, a, ir_SUB64(B, c, k(l, 1))); // count 0: the carry is not used
    } else {
        ir_ref s = xlift_sext(l, a, size);
        r = xlift_zext(l, ir_SHRS64(B, s, c), size);
        cf = ir_AND64(B, ir_SHRS64(B, s, ir_SUB64(B, c, k(l, 1))), k(l, 1));
    }
    xlift_write(l, &p, r);
    flags_counted(l, c, how == SHIFT_L ? CC_SHL : CC_SHR, size, r, cf);
}

// ---- rotations: CF and OF only

// The new CF and OF (at its place) unless the count is zero.
static void flags_rotated(struct lift *l, ir_ref c, ir_ref cf, ir_ref of) {
    u64 n;
    if (ir_is_const(B, c, &n)) {
        xlift_cc_patch(l, cf, of);
        return;
    }
    ir_ref f = xlift_status(l), some = ir_NE64(B, c, k(l, 0));
    ir_ref rest = ir_AND64(B, f, k(l, FL_STATUS & ~(FL_CF | FL_OF)));
    ir_ref changed = ir_OR64(B, rest, ir_OR64(B, cf, of));
    xlift_set_status(l, ir_SEL64(B, some, changed, f));
}

static ir_ref top_xor(struct lift *l, ir_ref r, unsigned size, ir_ref other) {
    ir_ref top = ir_SHRU64(B, r, k(l, 8 * size - 1));
    return ir_SHL64(B, ir_AND64(B, ir_XOR64(B, top, other), k(l, 1)), k(l, 11));
}

// Bit n of v at the place of OF, among others.
static ir_ref at_of(struct lift *l, ir_ref v, unsigned n) {
    return n < 11 ? ir_SHL64(B, v, k(l, 11 - n)) : ir_SHRU64(B, v, k(l, n - 11));
}

static ir_ref rotated(struct lift *l, unsigned how, unsigned size, ir_ref a, ir_ref c) {
    if (size == 8) return how == ROT_L ? ir_ROTL64(B, a, c) : ir_ROTR64(B, a, c);
    // 8 and 16 bits: of as many copies as fill 32.
    if (size == 2) a = ir_OR64(B, a, ir_SHL64(B, a, k(l, 16)));
    if (size == 1) a = ir_MUL64(B, a, k(l, 0x01010101));
    ir_ref x = ir_TRUNC32(B, a), n = ir_TRUNC32(B, c);
    ir_ref r = ir_ZEXT32(B, how == ROT_L ? ir_ROTL32(B, x, n) : ir_ROTR32(B, x, n));
    return xlift_zext(l, r, size);
}

void xlift_rotate(struct lift *l, unsigned how) {
    struct place p;
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref c = masked_count(l, 1, size), a = xlift_open(l, 0, &p);
    ir_ref r = rotated(l, how, size, a, c), cf, of;
    xlift_write(l, &p, r);
    if (known_zero(l, c)) return;
    unsigned top = 8 * size - 1;
    cf = how == ROT_L ? ir_AND64(B, r, k(l, 1)) : bit_at(l, r, k(l, top));
    of = ir_XOR64(B, at_of(l, r, top), at_of(l, r, how == ROT_L ? 0 : top - 1));
    of = ir_AND64(B, of, k(l, FL_OF));
    flags_rotated(l, c, cf, of);
}

void xlift_rotate_carry(struct lift *l, unsigned how) {
    struct place p;
    unsigned size = x86_operand_size(&l->d, 0);
    u64 imm = 8 * size | (u64)(how == ROT_R) << 8;
    ir_ref c = masked_count(l, 1, size), a = xlift_open(l, 0, &p), cin = xlift_carry(l);
    ir_ref r = ir_call(B, HELPER_rotate_carry, a, c, cin, imm);
    ir_ref cf = ir_call(B, HELPER_rotate_carry_out, a, c, cin, imm);
    xlift_write(l, &p, r);
    if (known_zero(l, c)) return;
    ir_ref of = top_xor(l, r, size, how == ROT_L ? cf : ir_SHRU64(B, r, k(l, 8 * size - 2)));
    flags_rotated(l, c, cf, of);
}

// ---- double shifts

// 16 and 32 bits: in one 64-bit word.
static ir_ref double_narrow(struct lift *l, bool left, unsigned bits, ir_ref a, ir_ref b, ir_ref c,
                            ir_ref *cf) {
    if (left) {
        ir_ref pair = ir_OR64(B, ir_SHL64(B, a, k(l, bits)), b);
        if (bits == 32) {
            *cf = bit_at(l, pair, ir_SUB64(B, k(l, 64), c));
        } else {
            // Beyond 16 the manual leaves it open: the first operand follows again.
            pair = ir_OR64(B, ir_SHL64(B, pair, k(l, 16)), a);
            ir_ref t = ir_SHL64(B, pair, c);
            *cf = bit_at(l, t, k(l, 48));
            return xlift_zext(l, ir_SHRU64(B, t, k(l, 32)), 2);
        }
        return ir_SHRU64(B, ir_SHL64(B, pair, c), k(l, 32));
    }
    ir_ref pair = ir_OR64(B, ir_SHL64(B, b, k(l, bits)), a);
    if (bits == 16) pair = ir_OR64(B, pair, ir_SHL64(B, a, k(l, 32)));
    *cf = bit_at(l, pair, ir_SUB64(B, c, k(l, 1)));
    return xlift_zext(l, ir_SHRU64(B, pair, c), bits / 8);
}

static ir_ref double_wide(struct lift *l, bool left, ir_ref a, ir_ref b, ir_ref c, ir_ref *cf) {
    ir_ref rest = ir_SUB64(B, k(l, 63), c), one = k(l, 1);
    if (left) {
        *cf = bit_at(l, a, ir_SUB64(B, k(l, 64), c));
        return ir_OR64(B, ir_SHL64(B, a, c), ir_SHRU64(B, ir_SHRU64(B, b, one), rest));
    }
    *cf = bit_at(l, a, ir_SUB64(B, c, one));
    return ir_OR64(B, ir_SHRU64(B, a, c), ir_SHL64(B, ir_SHL64(B, b, one), rest));
}

void xlift_shiftd(struct lift *l, unsigned how) {
    struct place p;
    unsigned size = l->d.opsize;
    ir_ref c = masked_count(l, 2, size), a = xlift_open(l, 0, &p), b = xlift_read(l, 1), cf, r;
    if (known_zero(l, c)) {
        xlift_write(l, &p, a);
        return;
    }
    bool left = how == SHIFT_L;
    r = size == 8 ? double_wide(l, left, a, b, c, &cf)
                  : double_narrow(l, left, 8 * size, a, b, c, &cf);
    ir_ref x = ir_XOR64(B, r, a);
    xlift_write(l, &p, r);
    set_counted(l, c, X86_CELL(cc_x), x);
    flags_counted(l, c, CC_TOP, size, r, cf);
}

// ---- BMI2: no flags

void xlift_shiftx(struct lift *l, unsigned how) {
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref v = xlift_read(l, 1), c = masked_count(l, 2, size), r;
    if (how == SHIFT_L)
        r = ir_SHL64(B, v, c);
    else if (how == SHIFT_R)
        r = ir_SHRU64(B, v, c);
    else
        r = ir_SHRS64(B, xlift_sext(l, v, size), c);
    xlift_assign(l, 0, xlift_zext(l, r, size));
}

void xlift_rorx(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref v = xlift_read(l, 1);
    xlift_assign(l, 0, rotated(l, ROT_R, size, v, k(l, l->d.imm)));
}
