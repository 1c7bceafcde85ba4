// What the frequent instructions compute, to be part of whoever executes them: where operation and
// size are constants little of it is left. first.h has the same as functions, and the rest.
#ifndef BERTH_GUEST_X86_64_FIRST_DO_H
#define BERTH_GUEST_X86_64_FIRST_DO_H

#include "guest/x86_64/first.h"

static ALWAYS_INLINE void do_flags(struct x86_state *s, enum cc_kind kind, unsigned size, u64 res,
                                   u64 a, u64 b) {
    s->cc_op = CC(kind, size);
    s->cc_res = res;
    s->cc_a = a;
    s->cc_b = b;
}

static ALWAYS_INLINE void do_logic_flags(struct x86_state *s, unsigned size, u64 r) {
    s->cc_op = CC(CC_LOGIC, size);
    s->cc_res = r;
    s->cc_b = 0;
}

static ALWAYS_INLINE u64 do_with_carry(struct x86_state *s, bool sub, unsigned size, u64 a, u64 b) {
    u64 cin = s->cc_a < s->cc_b, t, r, cf;
    if (sub) {
        t = a - b, r = t - cin;
        cf = a < b || t < cin;
    } else {
        t = a + b, r = t + cin;
        cf = size < 8 ? r >> (8 * size) : t < a || r < t;
    }
    r &= first_mask(size);
    do_flags(s, CC_CARRY, size, r, 0, cf);
    s->cc_x = a ^ b ^ r;
    return r;
}

static ALWAYS_INLINE u64 do_alu(struct x86_state *s, unsigned how, unsigned size, u64 a, u64 b) {
    u64 r;
    b &= first_mask(size);
    switch (how) {
    case ALU_ADD:
        r = (a + b) & first_mask(size);
        do_flags(s, CC_ADD, size, r, r, b);
        return r;
    case ALU_SUB:
    case ALU_CMP:
        r = (a - b) & first_mask(size);
        do_flags(s, CC_SUB, size, r, a, b);
        return r;
    case ALU_ADC:
    case ALU_SBB:
        return do_with_carry(s, how == ALU_SBB, size, a, b);
    case ALU_OR:
        r = a | b;
        break;
    case ALU_AND:
        r = a & b;
        break;
    default:
        r = a ^ b;
        break;
    }
    do_logic_flags(s, size, r);
    return r;
}

static ALWAYS_INLINE u64 do_incdec(struct x86_state *s, bool inc, unsigned size, u64 a) {
    u64 r = (inc ? a + 1 : a - 1) & first_mask(size);
    s->cc_op = CC(inc ? CC_INC : CC_DEC, size);
    s->cc_res = r;
    return r;
}

static ALWAYS_INLINE bool do_is_zero(const struct x86_state *s) {
    return s->cc_op & CC_BARE << 6 ? s->cc_a == s->cc_b : s->cc_res == 0;
}

// COND_S, COND_L and COND_LE of a comparison, subtraction or logical operation. False: of something
// else.
static ALWAYS_INLINE bool do_compared(const struct x86_state *s, unsigned cc, bool *c) {
    unsigned kind = (unsigned)(s->cc_op >> 6), sh = s->cc_op & 63;
    bool logic = kind == CC_LOGIC;
    if ((kind & ~(unsigned)CC_BARE) != CC_SUB && !logic) return false;
    u64 a = logic ? s->cc_res : s->cc_a, b = logic ? 0 : s->cc_b;
    i64 x = (i64)(a << sh), y = (i64)(b << sh);
    if (cc == COND_S)
        *c = (i64)((a - b) << sh) < 0;
    else if (cc == COND_L)
        *c = x < y;
    else if (cc == COND_LE)
        *c = x <= y;
    else
        return false;
    return true;
}

// how: 4 SHL, 5 SHR, 7 SAR; c: neither 0 nor more than the size allows.
static ALWAYS_INLINE u64 do_shift(struct x86_state *s, unsigned how, unsigned size, u64 a,
                                  unsigned c) {
    unsigned bits = 8 * size;
    u64 r, cf;
    if (how == 5) {
        r = a >> c;
        cf = a >> (c - 1) & 1;
        do_flags(s, CC_SHR, size, r, 0, cf);
        return r;
    }
    if (how == 7) {
        i64 v = (i64)first_sext(a, size);
        r = (u64)(v >> c) & first_mask(size);
        cf = (u64)(v >> (c - 1)) & 1;
        do_flags(s, CC_SHR, size, r, 0, cf);
        return r;
    }
    r = a << c;
    cf = size == 8 ? a >> (64 - c) & 1 : r >> bits & 1;
    r &= first_mask(size);
    do_flags(s, CC_SHL, size, r, 0, cf);
    return r;
}

// 16 and 32 bits: in one 64-bit word. Beyond 16 the first operand follows again, as lifted code has
// it.
static ALWAYS_INLINE u64 do_double_narrow(bool left, unsigned bits, u64 a, u64 b, unsigned c,
                                          u64 *cf) {
    u64 pair;
    if (!left) {
        pair = b << bits | a;
        if (bits == 16) pair |= a << 32;
        *cf = pair >> (c - 1) & 1;
        return pair >> c & first_mask(bits / 8);
    }
    pair = a << bits | b;
    if (bits == 32) {
        *cf = pair >> (64 - c) & 1;
        return pair << c >> 32;
    }
    pair = (pair << 16 | a) << c;
    *cf = pair >> 48 & 1;
    return pair >> 32 & 0xffff;
}

// c: not 0.
static ALWAYS_INLINE u64 do_shift_double(struct x86_state *s, bool left, unsigned size, u64 a,
                                         u64 b, unsigned c) {
    u64 r, cf;
    if (size < 8) {
        r = do_double_narrow(left, 8 * size, a, b, c, &cf);
    } else if (left) {
        r = a << c | b >> (64 - c);
        cf = a >> (64 - c) & 1;
    } else {
        r = a >> c | b << (64 - c);
        cf = a >> (c - 1) & 1;
    }
    do_flags(s, CC_TOP, size, r, 0, cf);
    s->cc_x = r ^ a;
    return r;
}

static ALWAYS_INLINE u64 do_product(bool is_signed, unsigned size, u64 a, u64 b, u64 *hi,
                                    bool *overflow) {
    if (size == 8) {
        u64 lo = a * b;
        *hi = is_signed ? ir_mulhs64(a, b) : ir_mulhu64(a, b);
        *overflow = *hi != (is_signed ? (u64)((i64)lo >> 63) : 0);
        return lo;
    }
    if (is_signed) a = first_sext(a, size), b = first_sext(b, size);
    u64 p = a * b;
    *hi = p >> (8 * size) & first_mask(size);
    *overflow = is_signed ? first_sext(p, size) != p : *hi != 0;
    return p & first_mask(size);
}

static ALWAYS_INLINE u64 do_multiply(struct x86_state *s, unsigned size, u64 a, u64 b) {
    u64 hi;
    bool overflow;
    u64 lo = do_product(true, size, a, b & first_mask(size), &hi, &overflow);
    do_flags(s, CC_MUL, size, lo, 0, overflow);
    return lo;
}

// Both halves, in AX or in rDX and rAX.
static ALWAYS_INLINE void do_put_halves(struct x86_state *s, unsigned size, u64 lo, u64 hi) {
    if (size >= 4) {
        s->r[RAX] = lo;
        s->r[RDX] = hi;
    } else if (size == 2) {
        first_put((u8 *)&s->r[RAX], 2, lo);
        first_put((u8 *)&s->r[RDX], 2, hi);
    } else {
        first_put((u8 *)&s->r[RAX], 2, hi << 8 | lo);
    }
}

static ALWAYS_INLINE void do_mul(struct x86_state *s, bool is_signed, unsigned size, u64 b) {
    u64 hi, a = s->r[RAX] & first_mask(size);
    bool overflow;
    u64 lo = do_product(is_signed, size, a, b, &hi, &overflow);
    do_put_halves(s, size, lo, hi);
    do_flags(s, CC_MUL, size, lo, 0, overflow);
}

#endif
