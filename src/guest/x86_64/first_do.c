// What instructions executed from their bytes compute (the frequent ones: first_do.h): the same
// values and flags as lift_int.c, lift_shift.c and flags.c make as IR, where operands are values of
// C instead of operations. Values are zero-extended from their size. Depends on state.h and flags.h
// only.
//
// Invariant: the six flags that the cells stand for afterwards are those that the lifted
// instruction leaves, undefined ones included; engines are compared by them.
#include "guest/x86_64/first_do.h"

void first_logic_flags(struct x86_state *s, unsigned size, u64 r) { do_logic_flags(s, size, r); }
u64 first_alu(struct x86_state *s, unsigned how, unsigned size, u64 a, u64 b) {
    return do_alu(s, how, size, a, b);
}
u64 first_incdec(struct x86_state *s, bool inc, unsigned size, u64 a) {
    return do_incdec(s, inc, size, a);
}
u64 first_multiply(struct x86_state *s, unsigned size, u64 a, u64 b) {
    return do_multiply(s, size, a, b);
}
void first_mul(struct x86_state *s, bool is_signed, unsigned size, u64 b) {
    do_mul(s, is_signed, size, b);
}

// ---- conditions

static bool by_kind(const struct x86_state *s, unsigned cc) {
    bool c;
    return do_compared(s, cc, &c) ? c : x86_help_cond((struct guest_state *)&s->g, 0, 0, 0, cc);
}

bool first_condition(const struct x86_state *s, unsigned cc) {
    bool zero, c;
    switch (cc & 14) {
    case COND_B:
        c = s->cc_a < s->cc_b;
        break;
    case COND_Z:
    case COND_BE:
        zero = do_is_zero(s);
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
    unsigned c = count & (size == 8 ? 63 : 31);
    if (how < 2) return rotate(s, how == 1, size, a, c);
    return c ? do_shift(s, how, size, a, c) : a;
}

u64 first_shift_double(struct x86_state *s, bool left, unsigned size, u64 a, u64 b,
                       unsigned count) {
    unsigned c = count & (size == 8 ? 63 : 31);
    return c ? do_shift_double(s, left, size, a, b, c) : a;
}

// ---- multiply, divide

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
    do_put_halves(s, size, q & mask, r & mask);
    return true;
}

// ---- bits

void first_bit_flags(struct x86_state *s, bool carry) {
    bool zero = do_is_zero(s);
    do_flags(s, CC_LOGIC, 8, !zero, 0, carry);
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
    do_flags(s, CC_LOGIC, size, r, 0, v == 0);
    return r;
}

void first_carry(struct x86_state *s, unsigned how) {
    u64 f = x86_status_flags(s), cf = how == CARRY_CMC ? ~f & FL_CF : how == CARRY_STC ? FL_CF : 0;
    x86_set_status_flags(s, (f & ~(u64)FL_CF) | cf);
}
