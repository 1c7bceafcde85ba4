// What instructions executed from their bytes compute: the same values and flags as lift_int.c,
// lift_shift.c and flags.c make as IR, where operands are values of C instead of operations. Values
// are zero-extended from their size. Depends on state.h and flags.h only.
//
// Invariant: the six flags that the cells stand for afterwards are those that the lifted
// instruction leaves, undefined ones included; engines are compared by them.
#include "guest/x86_64/first.h"

static void set_flags(struct x86_state *s, enum cc_kind kind, unsigned size, u64 res, u64 a,
                      u64 b) {
    s->cc_op = CC(kind, size);
    s->cc_res = res;
    s->cc_a = a;
    s->cc_b = b;
}

void first_logic_flags(struct x86_state *s, unsigned size, u64 r) {
    s->cc_op = CC(CC_LOGIC, size);
    s->cc_res = r;
    s->cc_b = 0;
}

// ---- add to compare

static u64 with_carry(struct x86_state *s, bool sub, unsigned size, u64 a, u64 b) {
    u64 cin = s->cc_a < s->cc_b, t, r, cf;
    if (sub) {
        t = a - b, r = t - cin;
        cf = a < b || t < cin;
    } else {
        t = a + b, r = t + cin;
        cf = size < 8 ? r >> (8 * size) : t < a || r < t;
    }
    r &= first_mask(size);
    set_flags(s, CC_CARRY, size, r, 0, cf);
    s->cc_x = a ^ b ^ r;
    return r;
}

u64 first_alu(struct x86_state *s, unsigned how, unsigned size, u64 a, u64 b) {
    u64 r;
    b &= first_mask(size);
    switch (how) {
    case ALU_ADD:
        r = (a + b) & first_mask(size);
        set_flags(s, CC_ADD, size, r, r, b);
        return r;
    case ALU_SUB:
    case ALU_CMP:
        r = (a - b) & first_mask(size);
        set_flags(s, CC_SUB, size, r, a, b);
        return r;
    case ALU_ADC:
    case ALU_SBB:
        return with_carry(s, how == ALU_SBB, size, a, b);
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
    first_logic_flags(s, size, r);
    return r;
}

u64 first_incdec(struct x86_state *s, bool inc, unsigned size, u64 a) {
    u64 r = (inc ? a + 1 : a - 1) & first_mask(size);
    s->cc_op = CC(inc ? CC_INC : CC_DEC, size);
    s->cc_res = r;
    return r;
}

// ---- conditions

// Those of two numbers, where the flags are a comparison's: signed less, or sign and overflow.
static bool compared(unsigned cc, unsigned sh, u64 a, u64 b, u64 r) {
    i64 x = (i64)(a << sh), y = (i64)(b << sh);
    switch (cc) {
    case COND_S:
        return (i64)(r << sh) < 0;
    case COND_L:
        return x < y;
    default:
        return x <= y;
    }
}

static bool by_kind(const struct x86_state *s, unsigned cc) {
    unsigned kind = (unsigned)(s->cc_op >> 6), sh = s->cc_op & 63;
    if (cc == COND_S || cc == COND_L || cc == COND_LE) {
        if (kind == CC_SUB || kind == CC_CMP)
            return compared(cc, sh, s->cc_a, s->cc_b, s->cc_a - s->cc_b);
        if (kind == CC_LOGIC) return compared(cc, sh, s->cc_res, 0, s->cc_res);
    }
    return x86_help_cond((struct guest_state *)&s->g, 0, 0, 0, cc);
}

bool first_condition(const struct x86_state *s, unsigned cc) {
    bool zero, c;
    switch (cc & 14) {
    case COND_B:
        c = s->cc_a < s->cc_b;
        break;
    case COND_Z:
    case COND_BE:
        zero = s->cc_op & CC_BARE << 6 ? s->cc_a == s->cc_b : s->cc_res == 0;
        c = zero || ((cc & 14) == COND_BE && s->cc_a < s->cc_b);
        break;
    default:
        c = by_kind(s, cc & 14);
        break;
    }
    return c != (cc & 1);
}

// ---- shifts

static void rotated(struct x86_state *s, u64 cf, u64 of) {
    u64 f = x86_status_flags(s) & ~(u64)(FL_CF | FL_OF);
    x86_set_status_flags(s, f | (cf ? FL_CF : 0) | (of ? FL_OF : 0));
}

static u64 rotate(struct x86_state *s, bool right, unsigned size, u64 a, unsigned c) {
    unsigned bits = 8 * size, n = c % bits;
    if (right) n = (bits - n) % bits;
    u64 r = n ? (a << n | a >> (bits - n)) & first_mask(size) : a, top = r >> (bits - 1);
    if (!c) return r;
    if (right)
        rotated(s, top, (top ^ r >> (bits - 2)) & 1);
    else
        rotated(s, r & 1, (top ^ r) & 1);
    return r;
}

u64 first_shift(struct x86_state *s, unsigned how, unsigned size, u64 a, unsigned count) {
    unsigned c = count & (size == 8 ? 63 : 31), bits = 8 * size;
    u64 r, cf;
    if (how < 2) return rotate(s, how == 1, size, a, c);
    if (!c) return a;
    if (how == 5) {
        r = a >> c;
        cf = a >> (c - 1) & 1;
        set_flags(s, CC_SHR, size, r, 0, cf);
        return r;
    }
    if (how == 7) {
        i64 v = (i64)first_sext(a, size);
        r = (u64)(v >> c) & first_mask(size);
        cf = (u64)(v >> (c - 1)) & 1;
        set_flags(s, CC_SHR, size, r, 0, cf);
        return r;
    }
    r = a << c;
    cf = size == 8 ? a >> (64 - c) & 1 : r >> bits & 1;
    r &= first_mask(size);
    set_flags(s, CC_SHL, size, r, 0, cf);
    return r;
}

// 16 and 32 bits: in one 64-bit word. Beyond 16 the first operand follows again, as lifted code has
// it.
static u64 double_narrow(bool left, unsigned bits, u64 a, u64 b, unsigned c, u64 *cf) {
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

u64 first_shift_double(struct x86_state *s, bool left, unsigned size, u64 a, u64 b,
                       unsigned count) {
    unsigned c = count & (size == 8 ? 63 : 31);
    u64 r, cf;
    if (!c) return a;
    if (size < 8) {
        r = double_narrow(left, 8 * size, a, b, c, &cf);
    } else if (left) {
        r = a << c | b >> (64 - c);
        cf = a >> (64 - c) & 1;
    } else {
        r = a >> c | b << (64 - c);
        cf = a >> (c - 1) & 1;
    }
    set_flags(s, CC_TOP, size, r, 0, cf);
    s->cc_x = r ^ a;
    return r;
}

// ---- multiply, divide

static u64 product(bool is_signed, unsigned size, u64 a, u64 b, u64 *hi, bool *overflow) {
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

u64 first_multiply(struct x86_state *s, unsigned size, u64 a, u64 b) {
    u64 hi;
    bool overflow;
    u64 lo = product(true, size, a, b & first_mask(size), &hi, &overflow);
    set_flags(s, CC_MUL, size, lo, 0, overflow);
    return lo;
}

// Both halves, in AX or in rDX and rAX.
static void put_halves(struct x86_state *s, unsigned size, u64 lo, u64 hi) {
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

void first_mul(struct x86_state *s, bool is_signed, unsigned size, u64 b) {
    u64 hi, a = s->r[RAX] & first_mask(size);
    bool overflow;
    u64 lo = product(is_signed, size, a, b, &hi, &overflow);
    put_halves(s, size, lo, hi);
    set_flags(s, CC_MUL, size, lo, 0, overflow);
}

// A dividend of 128 bits is left to others.
bool first_div_known(const struct x86_state *s, bool is_signed, unsigned size) {
    if (size < 8) return true;
    return s->r[RDX] == (is_signed ? (u64)((i64)s->r[RAX] >> 63) : 0);
}

bool first_div(struct x86_state *s, bool is_signed, unsigned size, u64 d) {
    u64 n = s->r[RAX], q, r, mask = first_mask(size);
    if (d == 0) return false;
    if (size == 1)
        n &= 0xffff;
    else if (size < 8)
        n = (s->r[RDX] & mask) << (8 * size) | (n & mask);
    if (is_signed) {
        n = size < 8 ? first_sext(n, 2 * size) : n;
        d = first_sext(d, size);
        if (size == 8 && n == (u64)1 << 63 && d == ~(u64)0) return false;
        q = ir_divs64(n, d), r = ir_rems64(n, d);
        if (first_sext(q, size) != q) return false;
    } else {
        q = n / d, r = n % d;
        if (q > mask) return false;
    }
    put_halves(s, size, q & mask, r & mask);
    return true;
}

// ---- bits

void first_bit_flags(struct x86_state *s, bool carry) {
    bool zero = s->cc_op & CC_BARE << 6 ? s->cc_a == s->cc_b : s->cc_res == 0;
    set_flags(s, CC_LOGIC, 8, !zero, 0, carry);
}

// Zeros above or below the highest or lowest one; all of them of 0.
static u64 zeros(bool leading, unsigned size, u64 v) {
    if (!v) return 8 * size;
    return leading ? (u64)__builtin_clzll(v) - (64 - 8 * size) : (u64)__builtin_ctzll(v);
}

u64 first_scan(struct x86_state *s, bool reverse, unsigned size, u64 v) {
    first_logic_flags(s, size, v);
    return reverse ? 8 * size - 1 - zeros(true, size, v) : zeros(false, size, v);
}

u64 first_count_zeros(struct x86_state *s, bool leading, unsigned size, u64 v) {
    u64 r = zeros(leading, size, v);
    set_flags(s, CC_LOGIC, size, r, 0, v == 0);
    return r;
}

void first_carry(struct x86_state *s, unsigned how) {
    u64 f = x86_status_flags(s), cf = how == CARRY_CMC ? ~f & FL_CF : how == CARRY_STC ? FL_CF : 0;
    x86_set_status_flags(s, (f & ~(u64)FL_CF) | cf);
}
