// The helpers of x87 instructions while all exceptions are masked and none is pending (else the
// code mode says so, and those of x87.c are called): they fault nowhere and touch no cell of IR, so
// calls of them cost no more than calls.
//
// The common case comes first: operands there, numbers that are normal or zero, nearest rounding to
// 64 bits, results within the range. Whatever else is left to x87.c, which starts anew.
//
// b is the instruction's address in all of them, c that of an operand in memory.
#include "base/compiler.h"
#include "guest/x86_64/x87.h"

#define HELPER(id)                                                                                 \
    u64 x86_help_##id(struct guest_state *g, __attribute__((unused)) u64 a,                        \
                      __attribute__((unused)) u64 b, __attribute__((unused)) u64 c,                \
                      __attribute__((unused)) u64 imm)

#define TOP   ((u64)1 << 63)
#define CW_RC 0xc00u

// A number as it lies in a register.
struct reg {
    u64 sig;
    u32 se;
};

static ALWAYS_INLINE u32 exponent(struct reg r) { return r.se & 0x7fff; }
static ALWAYS_INLINE bool is_normal(struct reg r) {
    return exponent(r) - 1 < 0x7ffe && (i64)r.sig < 0;
}
static ALWAYS_INLINE bool is_zero(struct reg r) { return !exponent(r) && !r.sig; }

static ALWAYS_INLINE unsigned top(const struct x86_state *s) { return (unsigned)s->fpu_top; }
static ALWAYS_INLINE unsigned at(const struct x86_state *s, unsigned i) { return (top(s) + i) & 7; }
static ALWAYS_INLINE bool full(const struct x86_state *s, unsigned p) {
    return s->fpu_tag >> p & 1;
}
static ALWAYS_INLINE struct reg get(const struct x86_state *s, unsigned p) {
    return (struct reg){s->mm[p], (u32)s->st_exp[p]};
}
static ALWAYS_INLINE void put(struct x86_state *s, unsigned p, struct reg r) {
    s->mm[p] = r.sig;
    s->st_exp[p] = r.se;
}
static ALWAYS_INLINE void pop(struct x86_state *s) {
    s->fpu_tag &= ~((u64)1 << top(s));
    s->fpu_top = at(s, 1);
}

// Rounding to nearest, 64 bits.
static ALWAYS_INLINE bool usual(const struct x86_state *s) { return (s->fpu_cw & 0xf00) == 0x300; }

static ALWAYS_INLINE void done(struct x86_state *s, u64 ip, u64 imm, bool up, bool inexact) {
    s->fpu_sw = (s->fpu_sw & ~(u64)SW_C1) | (up ? SW_C1 : 0) | (inexact ? FPU_PE : 0);
    s->fpu_ip = ip;
    s->fpu_op = X87_OP(imm) & 0x7ff;
}

static ALWAYS_INLINE bool push(struct x86_state *s, struct reg r, u64 ip, u64 imm) {
    unsigned p = at(s, 7);
    if (full(s, p)) return false;
    s->fpu_top = p;
    put(s, p, r);
    s->fpu_tag |= (u64)1 << p;
    done(s, ip, imm, false, false);
    return true;
}

static void exchange(struct x86_state *s, u64 ip, u64 imm) {
    unsigned p = top(s), q = at(s, X87_REG(imm));
    if (unlikely(!full(s, p) || !full(s, q))) {
        x87_reg(s, false, (imm & ~(u64)0xff) | X87_FXCH, ip);
        return;
    }
    struct reg x = get(s, p), y = get(s, q);
    put(s, p, y);
    put(s, q, x);
    done(s, ip, imm, false, false);
}

static void push_copy(struct x86_state *s, u64 ip, u64 imm) {
    unsigned q = at(s, X87_REG(imm));
    if (unlikely(!full(s, q) || !push(s, get(s, q), ip, imm)))
        x87_reg(s, false, (imm & ~(u64)0xff) | X87_FLD, ip);
}

// What the instruction before does, when that is left to this one.
static ALWAYS_INLINE void first(struct x86_state *s, u64 ip, u64 imm) {
    u64 reg = imm >> X87_FIRST_SHIFT << 8 & 0x700;
    if (imm & X87_FXCH_FIRST)
        exchange(s, ip, reg);
    else if (imm & X87_FLD_FIRST)
        push_copy(s, ip, reg);
}

// ---- arithmetic: false, and nothing is done, where it is not the common case

struct sum {
    u64 hi, lo; // lo's lowest bit is sticky
    i32 exp;
    u32 sign;
};

// Rounds w, whose top bit is set, into *r.
static ALWAYS_INLINE bool round_to(struct sum w, struct reg *r, bool *up, bool *inexact) {
    if (unlikely((u32)(w.exp - 1) >= 0x7ffd)) return false;
    *inexact = w.lo != 0;
    *up = (w.lo >> 63) & ((w.lo << 1 != 0) | (w.hi & 1)); // half and more, or half and odd
    u64 hi = w.hi + *up;
    if (unlikely(!hi)) {
        hi = TOP;
        w.exp++;
    }
    *r = (struct reg){hi, w.sign | (u32)w.exp};
    return true;
}

static bool add_zero(struct reg a, struct reg b, struct reg *r, bool *up, bool *inexact) {
    *up = *inexact = false;
    *r = is_zero(b) ? a : b;
    return (is_zero(b) && is_normal(a)) || (is_zero(a) && is_normal(b));
}

// Signs and which number is the larger are anybody's guess, so there are no branches on them. In
// 128 bits, one above, the sum is exact up to a distance of 63.
static ALWAYS_INLINE bool add(struct reg a, struct reg b, struct reg *r, bool *up, bool *inexact) {
    if (unlikely(!is_normal(a) || !is_normal(b))) return add_zero(a, b, r, up, inexact);
    u64 ea = exponent(a), eb = exponent(b);
    u64 swap = -(u64)((ea < eb) | ((ea == eb) & (a.sig < b.sig)));
    u64 sigs = (a.sig ^ b.sig) & swap, ses = (a.se ^ b.se) & swap;
    a.sig ^= sigs, b.sig ^= sigs;
    a.se ^= (u32)ses, b.se ^= (u32)ses;
    u32 d = exponent(a) - exponent(b);
    u64 hi = b.sig >> 1 >> (d & 63), lo = b.sig << (63 - (d & 63));
    if (unlikely(d > 63)) {
        lo = d < 127 ? b.sig >> (d - 63) | (b.sig << (127 - d) != 0) : 1;
        hi = 0;
    }
    u64 minus = -(u64)((a.se ^ b.se) >> 15 & 1), al = a.sig << 63;
    hi ^= minus, lo ^= minus;
    u64 s = lo - minus; // and one more when negated
    u64 carry = s < lo;
    struct sum w = {.lo = al + s, .sign = a.se & 0x8000};
    w.hi = (a.sig >> 1) + hi + carry + (w.lo < s);
    if (unlikely(!w.hi)) { // zero, or 64 bits gone
        *up = *inexact = false;
        *r = (struct reg){0, 0};
        return !w.lo;
    }
    u32 n = (u32)__builtin_clzll(w.hi);
    w.hi = w.hi << n | w.lo >> 1 >> (63 - n);
    w.lo <<= n;
    w.exp = (i32)exponent(a) + 1 - (i32)n;
    return round_to(w, r, up, inexact);
}

// a * b with the upper half in *hi. By halves: the compiler's own way to 128 bits is a call in
// wasm.
static ALWAYS_INLINE u64 product(u64 a, u64 b, u64 *hi) {
    u64 al = (u32)a, ah = a >> 32, bl = (u32)b, bh = b >> 32;
    u64 low = al * bl, mid = ah * bl + (low >> 32), mid2 = al * bh + (u32)mid;
    *hi = ah * bh + (mid >> 32) + (mid2 >> 32);
    return mid2 << 32 | (u32)low;
}

static bool mul_zero(struct reg a, struct reg b, struct reg *r, bool *up, bool *inexact) {
    *up = *inexact = false;
    *r = (struct reg){0, (a.se ^ b.se) & 0x8000};
    return (is_zero(a) && (is_normal(b) || is_zero(b))) || (is_zero(b) && is_normal(a));
}

static ALWAYS_INLINE bool mul(struct reg a, struct reg b, struct reg *r, bool *up, bool *inexact) {
    if (unlikely(!is_normal(a) || !is_normal(b))) return mul_zero(a, b, r, up, inexact);
    struct sum w = {.sign = (a.se ^ b.se) & 0x8000};
    w.lo = product(a.sig, b.sig, &w.hi);
    u32 n = !(w.hi >> 63);
    w.hi = w.hi << n | (w.lo >> 63 & n);
    w.lo <<= n;
    w.exp = (i32)(exponent(a) + exponent(b)) - F80_BIAS + 1 - (i32)n;
    return round_to(w, r, up, inexact);
}

// n1 * 2^64 / d with its remainder; n1 < d, d's top bit set. Two digits of 32 bits.
static ALWAYS_INLINE u64 divide(u64 n, u64 d, u64 *rest) {
    u64 dh = d >> 32, dl = (u32)d, q = 0;
    for (int i = 0; i < 2; i++) {
        u64 digit = n / dh, r = n - digit * dh;
        // At most two too large.
        while (digit >> 32 || digit * dl > r << 32) {
            digit--;
            r += dh;
            if (r >> 32) break;
        }
        n = (n << 32) - digit * d;
        q = q << 32 | digit;
    }
    *rest = n;
    return q;
}

static ALWAYS_INLINE bool div(struct reg a, struct reg b, struct reg *r, bool *up, bool *inexact) {
    u32 sign = (a.se ^ b.se) & 0x8000;
    if (unlikely(!is_normal(a) || !is_normal(b))) {
        *up = *inexact = false;
        *r = (struct reg){0, sign};
        return is_zero(a) && is_normal(b);
    }
    struct sum w = {.exp = (i32)exponent(a) - (i32)exponent(b) + F80_BIAS, .sign = sign};
    u64 n = a.sig, rest, odd = 0;
    if (n < b.sig) {
        w.exp--;
    } else { // halved: the quotient's last bit comes from the one cut off
        odd = n << 63;
        n >>= 1;
    }
    w.hi = divide(n, b.sig, &rest);
    if (odd) { // the quotient is too small by odd / d, which is less than 1
        u64 sum = rest + odd;
        bool more = sum < rest || sum >= b.sig;
        rest = more ? sum - b.sig : sum;
        w.hi += more;
    }
    u64 other = b.sig - rest;
    w.lo = !rest ? 0 : rest > other ? TOP | 1 : rest == other ? TOP : 1;
    return round_to(w, r, up, inexact);
}

static ALWAYS_INLINE bool root(struct reg a, struct reg *r, bool *up, bool *inexact) {
    if (!is_normal(a) || a.se & 0x8000) return false;
    i32 e = (i32)exponent(a) - F80_BIAS;
    // The root of v = hi * 2^64 + lo, which is a's significand times 2^63 or 2^64.
    u64 hi = e & 1 ? a.sig : a.sig >> 1, lo = e & 1 ? 0 : a.sig << 63;
    double estimate = __builtin_sqrt((double)hi * 0x1p64);
    u64 q = estimate >= 0x1p64 ? ~(u64)0 : (u64)estimate;
    for (int i = 0; i < 2; i++) { // the second time for the last bits only
        u64 sh, sl = product(q, q, &sh);
        i64 high = (i64)(hi - sh - (lo < sl));
        double rest = (double)high * 0x1p64 + (double)(lo - sl);
        i64 more = (i64)(rest / (2.0 * (double)q));
        if (more > 0 && q + (u64)more < q)
            q = ~(u64)0;
        else
            q += (u64)more;
    }
    // Exact: q^2 <= v < (q + 1)^2
    u64 sh, sl = product(q, q, &sh);
    while (sh > hi || (sh == hi && sl > lo)) { // (q - 1)^2 = q^2 - 2q + 1
        u64 by = 2 * q - 1, borrow = sl < by;
        sh -= (q >> 63) + borrow;
        sl -= by;
        q--;
    }
    for (;;) {
        u64 rh = hi - sh - (lo < sl), rl = lo - sl; // v - q^2
        bool next = rh > q >> 63 || (rh == q >> 63 && rl > 2 * q);
        if (!next) {
            // More than half a unit when the rest is more than q: never exactly half.
            struct sum w = {q, !rh && !rl ? 0 : rh || rl > q ? TOP | 1 : 1, (e >> 1) + F80_BIAS, 0};
            return round_to(w, r, up, inexact);
        }
        u64 by = 2 * q + 1;
        sl += by;
        sh += (q >> 63) + (sl < by);
        q++;
    }
}

enum op { ADD, SUB, SUBR, MUL, DIV, DIVR };

static ALWAYS_INLINE bool compute(enum op op, struct reg a, struct reg b, struct reg *r, bool *up,
                                  bool *inexact) {
    if (op == SUB) b.se ^= 0x8000;
    if (op == SUBR) a.se ^= 0x8000;
    return op == MUL    ? mul(a, b, r, up, inexact)
           : op == DIV  ? div(a, b, r, up, inexact)
           : op == DIVR ? div(b, a, r, up, inexact)
                        : add(a, b, r, up, inexact);
}

static ALWAYS_INLINE u64 arith(struct guest_state *g, enum op op, u64 ip, u64 imm) {
    struct x86_state *s = x86_of(g);
    first(s, ip, imm);
    unsigned p = top(s), q = at(s, X87_REG(imm));
    struct reg r;
    bool up, inexact;
    if (likely(full(s, p) && full(s, q) && usual(s)) &&
        compute(op, get(s, p), get(s, q), &r, &up, &inexact)) {
        put(s, imm & X87_TO_STI ? q : p, r);
        if (imm & X87_POP) pop(s);
        done(s, ip, imm, up, inexact);
        return 0;
    }
    return x87_arith(s, imm, ip);
}

HELPER(fadd) { return arith(g, ADD, b, imm); }
HELPER(fsub) { return arith(g, SUB, b, imm); }
HELPER(fsubr) { return arith(g, SUBR, b, imm); }
HELPER(fmul) { return arith(g, MUL, b, imm); }
HELPER(fdiv) { return arith(g, DIV, b, imm); }
HELPER(fdivr) { return arith(g, DIVR, b, imm); }

HELPER(fsqrt) {
    struct x86_state *s = x86_of(g);
    unsigned p = top(s);
    struct reg r;
    bool up, inexact;
    if (full(s, p) && usual(s) && root(get(s, p), &r, &up, &inexact)) {
        put(s, p, r);
        done(s, b, imm, up, inexact);
        return 0;
    }
    return x87_reg(s, 0, imm, b);
}

// ---- from memory's formats: false for NaNs and denormals

static ALWAYS_INLINE bool from_f64(u64 v, struct reg *r) {
    u32 sign = (u32)(v >> 48) & 0x8000, e = (u32)(v >> 52) & 0x7ff;
    u64 f = v << 12 >> 1;
    if (likely(e - 1 < 0x7fe)) {
        *r = (struct reg){f | TOP, sign | (e + (F80_BIAS - 1023))};
        return true;
    }
    if (f) return false;
    *r = e ? (struct reg){TOP, sign | 0x7fff} : (struct reg){0, sign};
    return true;
}

static ALWAYS_INLINE bool from_f32(u32 v, struct reg *r) {
    u32 sign = v >> 16 & 0x8000, e = v >> 23 & 0xff;
    u64 f = (u64)(v & 0x7fffff) << 40;
    if (likely(e - 1 < 0xfe)) {
        *r = (struct reg){f | TOP, sign | (e + (F80_BIAS - 127))};
        return true;
    }
    if (f) return false;
    *r = e ? (struct reg){TOP, sign | 0x7fff} : (struct reg){0, sign};
    return true;
}

static ALWAYS_INLINE struct reg from_int(i64 v) {
    if (!v) return (struct reg){0, 0};
    u64 m = v < 0 ? -(u64)v : (u64)v;
    u32 n = (u32)__builtin_clzll(m);
    return (struct reg){m << n, (v < 0 ? 0x8000 : 0) | (F80_BIAS + 63 - n)};
}

static ALWAYS_INLINE bool from_memory(u64 v, unsigned fmt, struct reg *r) {
    if (fmt == X87_F64) return from_f64(v, r);
    if (fmt == X87_F32) return from_f32((u32)v, r);
    *r = from_int(fmt == X87_I16 ? (i16)v : fmt == X87_I32 ? (i32)v : (i64)v);
    return true;
}

static ALWAYS_INLINE u64 arith_mem(struct guest_state *g, enum op op, u64 v, u64 ip, u64 addr,
                                   u64 imm) {
    struct x86_state *s = x86_of(g);
    unsigned p = top(s);
    struct reg m, r;
    bool up, inexact;
    if (likely(full(s, p) && usual(s)) && from_memory(v, (unsigned)imm >> 8 & 7, &m) &&
        compute(op, get(s, p), m, &r, &up, &inexact)) {
        put(s, p, r);
        s->fpu_dp = addr;
        done(s, ip, imm, up, inexact);
    } else {
        x87_arith_mem(s, v, addr, imm, ip);
    }
    return 0;
}

HELPER(fadd_m) { return arith_mem(g, ADD, a, b, c, imm); }
HELPER(fsub_m) { return arith_mem(g, SUB, a, b, c, imm); }
HELPER(fsubr_m) { return arith_mem(g, SUBR, a, b, c, imm); }
HELPER(fmul_m) { return arith_mem(g, MUL, a, b, c, imm); }
HELPER(fdiv_m) { return arith_mem(g, DIV, a, b, c, imm); }
HELPER(fdivr_m) { return arith_mem(g, DIVR, a, b, c, imm); }

// ---- comparisons: status flags for EFLAGS

// -1, 0, 1 of numbers that are normal or zero.
static ALWAYS_INLINE int order(struct reg a, struct reg b) {
    if (is_zero(a) && is_zero(b)) return 0;
    if ((a.se ^ b.se) & 0x8000) return a.se & 0x8000 ? -1 : 1;
    int c = a.se != b.se ? (a.se > b.se ? 1 : -1) : a.sig != b.sig ? (a.sig > b.sig ? 1 : -1) : 0;
    return a.se & 0x8000 ? -c : c;
}

static ALWAYS_INLINE bool comparable(struct reg r) { return is_normal(r) || is_zero(r); }

static ALWAYS_INLINE u64 compared(struct x86_state *s, int c, u64 ip, u64 imm) {
    static const u16 codes[3] = {SW_C0, SW_C3, 0};
    static const u8 flags[3] = {FL_CF, FL_ZF, 0};
    if (imm & X87_EFLAGS) { // C1 is kept
        s->fpu_ip = ip;
        s->fpu_op = X87_OP(imm) & 0x7ff;
    } else {
        s->fpu_sw = (s->fpu_sw & ~(u64)(SW_C0 | SW_C2 | SW_C3)) | codes[c + 1];
        done(s, ip, imm, false, false);
    }
    if (imm & (X87_POP | X87_POP2) || (imm & 7) == X87_COMP) pop(s);
    if (imm & X87_POP2) pop(s);
    return flags[c + 1];
}

HELPER(fcom) {
    struct x86_state *s = x86_of(g);
    first(s, b, imm);
    unsigned p = top(s), q = at(s, X87_REG(imm));
    struct reg x = get(s, p), y = get(s, q);
    u64 flags;
    if (likely(full(s, p) && full(s, q) && comparable(x) && comparable(y)))
        flags = compared(s, order(x, y), b, imm);
    else
        flags = x87_arith(s, imm, b);
    if (imm & X87_POP_AFTER) {
        if (full(s, top(s))) {
            pop(s);
            done(s, b, imm, false, false);
        } else {
            x87_reg(s, false, X87_FST | X87_POP | (imm >> 32 << 32), b);
        }
    }
    return flags;
}

HELPER(fcom_m) {
    struct x86_state *s = x86_of(g);
    unsigned p = top(s);
    struct reg x = get(s, p), y;
    if (likely(full(s, p)) && from_memory(a, (unsigned)imm >> 8 & 7, &y) && comparable(x) &&
        comparable(y)) {
        s->fpu_dp = c;
        compared(s, order(x, y), b, imm);
    } else {
        x87_arith_mem(s, a, c, imm, b);
    }
    return 0;
}

// ---- loads

static ALWAYS_INLINE u64 load(struct guest_state *g, u64 v, u64 ip, u64 addr, u64 imm,
                              unsigned fmt) {
    struct x86_state *s = x86_of(g);
    struct reg r;
    if (likely(from_memory(v, fmt, &r) && push(s, r, ip, imm)))
        s->fpu_dp = addr;
    else
        x87_load(s, v, 0, addr, imm, ip);
    return 0;
}

HELPER(fld_m64) { return load(g, a, b, c, imm, X87_F64); }
HELPER(fld_m32) { return load(g, a, b, c, imm, X87_F32); }
HELPER(fild) { return load(g, a, b, c, imm, imm & 7); }

// The upper 16 bits of an 80-bit operand, before the load that takes the rest; after a store.
HELPER(x87_upper) {
    struct x86_state *s = x86_of(g);
    u64 old = s->fpu_upper;
    if (imm) s->fpu_upper = a;
    return old;
}

HELPER(fld_m80) {
    struct x86_state *s = x86_of(g);
    struct reg r = {a, (u32)s->fpu_upper};
    if ((imm & 7) == X87_F80 && push(s, r, b, imm))
        s->fpu_dp = c;
    else
        x87_load(s, a, s->fpu_upper, c, imm, b);
    return 0;
}

// ---- stores: the value, with everything else done

static ALWAYS_INLINE bool to_f64(struct reg r, u64 *v, bool *up, bool *inexact) {
    u64 sign = (u64)(r.se & 0x8000) << 48;
    *up = *inexact = false;
    *v = sign;
    if (!is_normal(r)) return is_zero(r);
    i32 e = (i32)exponent(r) - F80_BIAS + 1023;
    if ((u32)(e - 2) >= 0x7fb) return false;
    u64 rest = r.sig & 0x7ff, f = r.sig >> 11;
    *up = rest > 0x400 || (rest == 0x400 && f & 1);
    *inexact = rest != 0;
    *v = sign | (((u64)(e - 1) << 52) + f + *up); // a carry goes to the exponent
    return true;
}

static ALWAYS_INLINE bool to_f32(struct reg r, u64 *v, bool *up, bool *inexact) {
    u32 sign = (r.se & 0x8000) << 16;
    *up = *inexact = false;
    *v = sign;
    if (!is_normal(r)) return is_zero(r);
    i32 e = (i32)exponent(r) - F80_BIAS + 127;
    if ((u32)(e - 2) >= 0xfb) return false;
    u64 rest = r.sig & 0xffffffffff, f = r.sig >> 40, half = (u64)1 << 39;
    *up = rest > half || (rest == half && f & 1);
    *inexact = rest != 0;
    *v = sign | (u32)(((u64)(e - 1) << 23) + f + *up);
    return true;
}

// In every rounding mode.
static ALWAYS_INLINE bool to_int(struct reg r, unsigned fmt, unsigned rc, u64 *v, bool *up,
                                 bool *inexact) {
    bool neg = r.se & 0x8000;
    *up = *inexact = false;
    *v = 0;
    if (!is_normal(r)) return is_zero(r);
    u32 n = F80_BIAS + 63 - exponent(r); // bits behind the point
    if (n - 1 >= 127 || n < (fmt == X87_I64 ? 1 : fmt == X87_I32 ? 33 : 49)) return false;
    u64 rest = n < 64 ? r.sig << (64 - n) : n == 64 ? r.sig : r.sig >> (n - 64) | 1;
    u64 m = n < 64 ? r.sig >> n : 0;
    *inexact = rest != 0;
    *up = rc == RC_NEAREST ? rest > TOP || (rest == TOP && m & 1)
          : rc == RC_ZERO  ? false
                           : rest && (rc == RC_DOWN) == neg;
    m += *up;
    u64 most = fmt == X87_I64 ? ~TOP : fmt == X87_I32 ? 0x7fffffff : 0x7fff;
    if (m > most) return false;
    *v = neg ? -m : m;
    if (fmt != X87_I64) *v &= 2 * most + 1;
    return true;
}

static ALWAYS_INLINE u64 store(struct guest_state *g, u64 ip, u64 addr, u64 imm, unsigned fmt) {
    struct x86_state *s = x86_of(g);
    unsigned p = top(s);
    u64 v = 0;
    bool up = false, inexact = false, ok = full(s, p);
    if (likely(ok)) {
        struct reg r = get(s, p);
        if (fmt == X87_F64 || fmt == X87_F32)
            ok = !(s->fpu_cw & CW_RC) &&
                 (fmt == X87_F64 ? to_f64(r, &v, &up, &inexact) : to_f32(r, &v, &up, &inexact));
        else
            ok = to_int(r, fmt, imm & X87_TRUNC ? RC_ZERO : s->fpu_cw >> 10 & 3, &v, &up, &inexact);
    }
    if (unlikely(!ok)) return x87_store(s, addr, imm, ip);
    if (imm & X87_POP) pop(s);
    s->fpu_dp = addr;
    done(s, ip, imm, up, inexact);
    return v;
}

HELPER(fst_m64) { return store(g, b, c, imm, X87_F64); }
HELPER(fst_m32) { return store(g, b, c, imm, X87_F32); }
HELPER(fist) { return store(g, b, c, imm, imm & 7); }
HELPER(fst_m80) {
    struct x86_state *s = x86_of(g);
    unsigned p = top(s);
    if (!full(s, p) || (imm & 7) != X87_F80) return x87_store(s, c, imm, b);
    u64 v = s->mm[p];
    s->fpu_upper = s->st_exp[p];
    if (imm & X87_POP) pop(s);
    s->fpu_dp = c;
    done(s, b, imm, false, false);
    return v;
}

// ---- moves

HELPER(fld) {
    push_copy(x86_of(g), b, imm);
    return 0;
}

HELPER(fst) {
    struct x86_state *s = x86_of(g);
    unsigned p = top(s), q = at(s, X87_REG(imm));
    if (!full(s, p)) return x87_reg(s, 0, imm, b);
    put(s, q, get(s, p));
    s->fpu_tag |= (u64)1 << q;
    if (imm & X87_POP) pop(s);
    done(s, b, imm, false, false);
    return 0;
}

HELPER(fxch) {
    exchange(x86_of(g), b, imm);
    return 0;
}

HELPER(fchs) {
    struct x86_state *s = x86_of(g);
    unsigned p = top(s);
    if (!full(s, p)) return x87_reg(s, 0, imm, b);
    s->st_exp[p] ^= 0x8000;
    done(s, b, imm, false, false);
    return 0;
}

HELPER(fabs) {
    struct x86_state *s = x86_of(g);
    unsigned p = top(s);
    if (!full(s, p)) return x87_reg(s, 0, imm, b);
    s->st_exp[p] &= 0x7fff;
    done(s, b, imm, false, false);
    return 0;
}

HELPER(fconst) { // 0 or 1
    struct reg r = (imm & 0xff) == X87_FLD1 ? (struct reg){TOP, F80_BIAS} : (struct reg){0, 0};
    if (push(x86_of(g), r, b, imm)) return 0;
    return x87_reg(x86_of(g), 0, imm, b);
}

// All others; a: FCMOV's condition.
HELPER(x87_other) { return x87_reg(x86_of(g), a, imm, b); }
