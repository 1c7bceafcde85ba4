// x87's 80-bit arithmetic (SDM 1 ch. 4 and 8): exact results, rounded once, with exact flags.
// Pure. Tininess is found after rounding; a NaN result is the operand with the larger significand.
// Berkeley SoftFloat was considered: it reports neither DE nor the direction of rounding (C1) nor
// the results of unmasked overflow and underflow.
#include "guest/x86_64/x87_num.h"

#define TOP ((u64)1 << 63)

enum f80_class f80_classify(struct f80 a) {
    unsigned e = f80_exp(a);
    if (e == 0) return a.sig ? F80_FINITE : F80_ZERO;
    if (!(a.sig & TOP)) return F80_BAD;
    if (e < 0x7fff) return F80_FINITE;
    if (a.sig << 1 == 0) return F80_INF;
    return a.sig & TOP >> 1 ? F80_QNAN : F80_SNAN;
}

struct wide f80_unpack(struct f80 a) {
    struct wide w = {a.sig, 0, (i32)f80_exp(a), f80_neg(a)};
    if (w.exp == 0) w.exp = 1;
    unsigned sh = (unsigned)__builtin_clzll(w.hi);
    w.hi <<= sh;
    w.exp -= (i32)sh;
    return w;
}

static void shift_right(struct wide *w, u32 n) {
    if (n == 0) return;
    u128 v = (u128)w->hi << 64 | w->lo;
    u128 out = n < 128 ? v >> n : 0;
    bool lost = n >= 128 ? v != 0 : v << (128 - n) != 0;
    w->hi = (u64)(out >> 64);
    w->lo = (u64)out | lost;
}

static bool rounds_up(unsigned rc, bool neg, bool odd, u64 rest, u64 half, bool sticky) {
    switch (rc) {
    case RC_NEAREST:
        return rest > half || (rest == half && (sticky || odd));
    case RC_DOWN:
        return neg && (rest || sticky);
    case RC_UP:
        return !neg && (rest || sticky);
    default:
        return false;
    }
}

// Cuts w to `bits`; true: the significand carried out (and is 1000.. now). *inexact, *up.
static bool round_sig(unsigned rc, unsigned bits, struct wide *w, bool *inexact, bool *up) {
    u64 unit = bits == 64 ? 1 : (u64)1 << (64 - bits), rest, half;
    bool sticky;
    if (bits == 64) {
        rest = w->lo;
        half = TOP;
        sticky = false;
    } else {
        rest = w->hi & (unit - 1);
        half = unit >> 1;
        sticky = w->lo != 0;
    }
    *inexact = rest || sticky;
    *up = rounds_up(rc, w->neg, w->hi & unit, rest, half, sticky);
    w->hi &= ~(unit - 1);
    w->lo = 0;
    if (!*up) return false;
    w->hi += unit;
    if (w->hi) return false;
    w->hi = TOP;
    return true;
}

// Overflow to infinity or the largest number.
static struct f80 overflow(struct fx *x, bool neg) {
    x->flags |= FPU_OE | FPU_PE;
    bool inf = x->rc == RC_NEAREST || x->rc == (neg ? RC_DOWN : RC_UP);
    x->up = inf;
    if (inf) return f80_inf(neg);
    return f80_make(neg, 0x7ffe, ~(u64)0 << (64 - x->bits));
}

static struct f80 underflow(struct fx *x, struct wide w, bool tiny) {
    bool inexact;
    shift_right(&w, (u32)(1 - w.exp));
    bool carry = round_sig(x->rc, x->bits, &w, &inexact, &x->up);
    if (inexact) x->flags |= FPU_PE | (tiny ? FPU_UE : 0);
    return f80_make(w.neg, carry || w.hi & TOP ? 1 : 0, w.hi);
}

struct f80 f80_round(struct fx *x, struct wide w) {
    struct wide r = w;
    bool inexact;
    if (round_sig(x->rc, x->bits, &r, &inexact, &x->up)) r.exp++;
    if (w.exp < 1) {
        bool tiny = r.exp < 1;
        if (!tiny || x->masked & FPU_UE) return underflow(x, w, tiny);
        x->flags |= FPU_UE;
        x->biased = true;
        r.exp += 24576;
    } else if (r.exp >= 0x7fff) {
        if (x->masked & FPU_OE) return overflow(x, w.neg);
        x->flags |= FPU_OE;
        x->biased = true;
        r.exp -= 24576;
    }
    if (r.exp < 1 || r.exp >= 0x7fff) { // out of reach of the bias too (fscale)
        x->flags |= FPU_PE;
        x->up = r.exp >= 0x7fff;
        return r.exp < 1 ? f80_zero(w.neg) : f80_inf(w.neg);
    }
    if (inexact) x->flags |= FPU_PE;
    return f80_make(r.neg, (unsigned)r.exp, r.hi);
}

// ---- NaNs

struct f80 f80_invalid(struct fx *x) {
    x->flags |= FPU_IE;
    return f80_indefinite();
}

static struct f80 quiet(struct f80 a) {
    a.sig |= TOP >> 1;
    return a;
}

bool f80_nan1(struct fx *x, struct f80 a, struct f80 *r) {
    enum f80_class c = f80_classify(a);
    if (!f80_is_nan(c)) return false;
    if (c != F80_QNAN) x->flags |= FPU_IE;
    *r = c == F80_BAD ? f80_indefinite() : quiet(a);
    return true;
}

bool f80_nan2(struct fx *x, struct f80 a, struct f80 b, struct f80 *r) {
    enum f80_class ca = f80_classify(a), cb = f80_classify(b);
    if (!f80_is_nan(ca) && !f80_is_nan(cb)) return false;
    if (ca >= F80_SNAN || cb >= F80_SNAN) x->flags |= FPU_IE;
    if (ca == F80_BAD || cb == F80_BAD) {
        *r = f80_indefinite();
    } else if (!f80_is_nan(cb) || (ca == F80_QNAN && cb == F80_SNAN)) {
        *r = quiet(a);
    } else if (!f80_is_nan(ca) || (ca == F80_SNAN && cb == F80_QNAN)) {
        *r = quiet(b);
    } else { // the larger significand; of equal ones the positive
        struct f80 qa = quiet(a), qb = quiet(b);
        *r = qa.sig != qb.sig ? (qa.sig > qb.sig ? qa : qb) : (f80_neg(qa) ? qb : qa);
    }
    return true;
}

void f80_note_denormals(struct fx *x, struct f80 a, struct f80 b) {
    if (f80_denormal(a) || f80_denormal(b)) x->flags |= FPU_DE;
}

// ---- addition

static struct f80 exact_zero(const struct fx *x) { return f80_zero(x->rc == RC_DOWN); }

static struct f80 add_finite(struct fx *x, struct wide a, struct wide b) {
    if (a.exp < b.exp || (a.exp == b.exp && a.hi < b.hi)) {
        struct wide t = a;
        a = b;
        b = t;
    }
    // One bit of room above; 63 bits below and a sticky one are enough for the difference.
    u128 va = (u128)a.hi << 63;
    struct wide t = {b.hi >> 1, b.hi << 63, 0, false};
    shift_right(&t, (u32)(a.exp - b.exp));
    u128 vb = (u128)t.hi << 64 | t.lo;
    u128 v = a.neg == b.neg ? va + vb : va - vb;
    if (v == 0) return exact_zero(x);
    a.exp++;
    while (!(v >> 127)) {
        unsigned sh = v >> 64 ? (unsigned)__builtin_clzll((u64)(v >> 64)) : 64;
        v <<= sh;
        a.exp -= (i32)sh;
    }
    a.hi = (u64)(v >> 64);
    a.lo = (u64)v;
    return f80_round(x, a);
}

struct f80 f80_add(struct fx *x, struct f80 a, struct f80 b) {
    struct f80 r;
    if (f80_nan2(x, a, b, &r)) return r;
    enum f80_class ca = f80_classify(a), cb = f80_classify(b);
    if (ca == F80_INF && cb == F80_INF && f80_neg(a) != f80_neg(b)) return f80_invalid(x);
    f80_note_denormals(x, a, b);
    if (ca == F80_INF) return a;
    if (cb == F80_INF) return b;
    if (ca == F80_ZERO && cb == F80_ZERO) return f80_neg(a) == f80_neg(b) ? a : exact_zero(x);
    if (cb == F80_ZERO) return f80_round(x, f80_unpack(a));
    if (ca == F80_ZERO) return f80_round(x, f80_unpack(b));
    return add_finite(x, f80_unpack(a), f80_unpack(b));
}

// ---- multiplication, division, root

struct f80 f80_mul(struct fx *x, struct f80 a, struct f80 b) {
    struct f80 r;
    if (f80_nan2(x, a, b, &r)) return r;
    enum f80_class ca = f80_classify(a), cb = f80_classify(b);
    bool neg = f80_neg(a) != f80_neg(b), zero = ca == F80_ZERO || cb == F80_ZERO;
    bool inf = ca == F80_INF || cb == F80_INF;
    if (zero && inf) return f80_invalid(x);
    f80_note_denormals(x, a, b);
    if (inf) return f80_inf(neg);
    if (zero) return f80_zero(neg);
    struct wide wa = f80_unpack(a), wb = f80_unpack(b);
    u128 v = (u128)wa.hi * wb.hi;
    i32 exp = wa.exp + wb.exp - F80_BIAS + 1;
    if (!(v >> 127)) {
        v <<= 1;
        exp--;
    }
    return f80_round(x, (struct wide){(u64)(v >> 64), (u64)v, exp, neg});
}

struct f80 f80_div(struct fx *x, struct f80 a, struct f80 b) {
    struct f80 r;
    if (f80_nan2(x, a, b, &r)) return r;
    enum f80_class ca = f80_classify(a), cb = f80_classify(b);
    bool neg = f80_neg(a) != f80_neg(b);
    if ((ca == F80_INF && cb == F80_INF) || (ca == F80_ZERO && cb == F80_ZERO))
        return f80_invalid(x);
    if (ca != F80_INF && cb == F80_ZERO) {
        x->flags |= FPU_ZE;
        return f80_inf(neg);
    }
    f80_note_denormals(x, a, b);
    if (ca == F80_INF) return f80_inf(neg);
    if (cb == F80_INF || ca == F80_ZERO) return f80_zero(neg);
    struct wide wa = f80_unpack(a), wb = f80_unpack(b);
    i32 exp = wa.exp - wb.exp + F80_BIAS;
    u128 n = (u128)wa.hi << 63; // the quotient has 63 or 64 bits
    if (wa.hi >= wb.hi)
        n = (u128)wa.hi << 63;
    else {
        n = (u128)wa.hi << 64;
        exp--;
    }
    u64 q = (u64)(n / wb.hi), rem = (u64)(n % wb.hi);
    // The next 64 bits only have to tell less than, equal to, more than a half.
    u128 m = (u128)rem << 64;
    u64 lo = (u64)(m / wb.hi) | (m % wb.hi != 0);
    return f80_round(x, (struct wide){q, lo, exp, neg});
}

struct f80 f80_sqrt(struct fx *x, struct f80 a) {
    struct f80 r;
    if (f80_nan1(x, a, &r)) return r;
    enum f80_class c = f80_classify(a);
    if (c == F80_ZERO) return a;
    if (f80_neg(a)) return f80_invalid(x);
    if (c == F80_INF) return a;
    f80_note_denormals(x, a, a);
    struct wide w = f80_unpack(a);
    i32 e = w.exp - F80_BIAS;
    u128 v = (u128)w.hi << 63; // value * 2^126, an even power
    if (e & 1) v <<= 1;
    u128 rem = 0;
    u64 root = 0;
    for (int i = 0; i < 64; i++) { // schoolbook, two bits a step
        rem = rem << 2 | (u64)(v >> 126);
        v <<= 2;
        u128 t = (u128)root << 2 | 1;
        root <<= 1;
        if (rem >= t) {
            rem -= t;
            root |= 1;
        }
    }
    // More than half a unit when root^2 + root < v: never exactly half.
    u64 lo = rem == 0 ? 0 : rem > root ? TOP | 1 : 1;
    return f80_round(x, (struct wide){root, lo, (e >> 1) + F80_BIAS, false});
}

// ---- integers

struct f80 f80_rint(struct fx *x, struct f80 a) {
    struct f80 r;
    if (f80_nan1(x, a, &r)) return r;
    if (f80_classify(a) != F80_FINITE) return a;
    f80_note_denormals(x, a, a);
    if (f80_exp(a) >= F80_BIAS + 63) return a;
    struct wide w = f80_unpack(a);
    i32 drop = F80_BIAS + 63 - w.exp;
    bool inexact, up, neg = w.neg;
    shift_right(&w, (u32)drop);
    bool carry = round_sig(x->rc, 64, &w, &inexact, &up);
    if (inexact) x->flags |= FPU_PE;
    x->up = up;
    if (w.hi == 0) return f80_zero(neg);
    unsigned sh = (unsigned)__builtin_clzll(w.hi);
    return f80_make(neg, F80_BIAS + 63 - sh + (carry ? 1 : 0), w.hi << sh);
}

u64 f80_to_int(struct fx *x, struct f80 a, unsigned bytes, bool truncate) {
    u64 bad = (u64)1 << (8 * bytes - 1);
    enum f80_class c = f80_classify(a);
    if (c == F80_ZERO) return 0;
    if (c != F80_FINITE || f80_exp(a) > F80_BIAS + 63) {
        x->flags |= FPU_IE;
        return bad;
    }
    struct wide w = f80_unpack(a);
    bool inexact, up;
    shift_right(&w, (u32)(F80_BIAS + 63 - w.exp));
    bool carry = round_sig(truncate ? RC_ZERO : x->rc, 64, &w, &inexact, &up);
    u64 most = w.neg ? bad : bad - 1;
    if (carry || w.hi > most) {
        x->flags |= FPU_IE;
        return bad;
    }
    if (inexact) x->flags |= FPU_PE;
    x->up = up;
    u64 v = w.neg ? -w.hi : w.hi;
    return bytes == 8 ? v : v & (bad | (bad - 1));
}

struct f80 f80_from_int(i64 v) {
    if (v == 0) return f80_zero(false);
    u64 m = v < 0 ? -(u64)v : (u64)v;
    unsigned sh = (unsigned)__builtin_clzll(m);
    return f80_make(v < 0, F80_BIAS + 63 - sh, m << sh);
}

// a * 2^trunc(b)
struct f80 f80_scale(struct fx *x, struct f80 a, struct f80 b) {
    struct f80 r;
    if (f80_nan2(x, a, b, &r)) return r;
    enum f80_class ca = f80_classify(a), cb = f80_classify(b);
    if (cb == F80_INF) {
        if (f80_neg(b) ? ca == F80_INF : ca == F80_ZERO) return f80_invalid(x);
        f80_note_denormals(x, a, b);
        return f80_neg(b) ? f80_zero(f80_neg(a)) : f80_inf(f80_neg(a));
    }
    if (ca == F80_INF || ca == F80_ZERO) {
        f80_note_denormals(x, b, b);
        return a;
    }
    f80_note_denormals(x, a, b);
    struct wide w = f80_unpack(a);
    i32 by = 0;
    if (cb == F80_FINITE && f80_exp(b) >= F80_BIAS) {
        unsigned e = f80_exp(b) - F80_BIAS;
        by = e > 16 ? 0x20000 : (i32)(b.sig >> (63 - e));
        if (f80_neg(b)) by = -by;
    }
    w.exp += by;
    u8 bits = x->bits;
    x->bits = 64;
    r = f80_round(x, w);
    x->bits = bits;
    return r;
}

// ---- remainder and comparison

static struct f80 from_sig(bool neg, i32 exp, u64 sig) {
    struct fx exact = {.bits = 64, .masked = 0x3f};
    unsigned sh = (unsigned)__builtin_clzll(sig);
    return f80_round(&exact, (struct wide){sig << sh, 0, exp - (i32)sh, neg});
}

static bool remainder_of(struct fx *x, struct f80 a, struct f80 b, bool nearest, struct f80 *r,
                         unsigned *q) {
    *q = 0;
    if (f80_nan2(x, a, b, r)) return true;
    enum f80_class ca = f80_classify(a), cb = f80_classify(b);
    if (ca == F80_INF || cb == F80_ZERO) {
        *r = f80_invalid(x);
        return true;
    }
    f80_note_denormals(x, a, b);
    *r = a;
    if (f80_exp(a) == 0 && a.sig & TOP) r->se |= 1; // a pseudo-denormal is normal
    if (ca == F80_ZERO || cb == F80_INF) return true;
    struct wide wa = f80_unpack(a), wb = f80_unpack(b);
    i32 d = wa.exp - wb.exp;
    if (d < -1 || (d < 0 && !nearest)) return true;
    u64 rem = wa.hi, quot = 0;
    i32 exp = wb.exp;
    bool done = d < 64;
    if (d < 0) {             // half of b or more, less than b: only for `nearest`
        u64 half = rem >> 1; // a in units of b's exponent, its last bit in `low`
        bool low = rem & 1;
        bool more = half > wb.hi >> 1 || (half == wb.hi >> 1 && low > (wb.hi & 1));
        if (!more) return true;
        // a - b, in units of a's exponent: 2 * wb.hi - wa.hi fits in 64 bits
        *r = from_sig(!wa.neg, wa.exp, (wb.hi << 1) - rem);
        *q = 1;
        return true;
    }
    i32 steps = done ? d : 32 + (d & 31); // a part: at least 32 bits less
    if (!done) exp = wa.exp - steps;
    bool out = false; // rem's 65th bit: it is less than twice the divisor
    for (i32 i = 0;; i++) {
        bool take = out || rem >= wb.hi;
        quot = quot << 1 | take;
        if (take) rem -= wb.hi;
        if (i == steps) break;
        out = rem >> 63;
        rem <<= 1;
    }
    bool neg = wa.neg;
    if (done && nearest && rem) {
        u64 other = wb.hi - rem;
        if (rem > other || (rem == other && quot & 1)) {
            rem = other;
            neg = !neg;
            quot++;
        }
    }
    *q = (unsigned)quot & 7;
    *r = rem ? from_sig(neg, exp, rem) : f80_zero(wa.neg);
    return done;
}

bool f80_rem(struct fx *x, struct f80 a, struct f80 b, bool nearest, struct f80 *r, unsigned *q) {
    bool done = remainder_of(x, a, b, nearest, r, q);
    // Exact, so an underflow shows only when it is unmasked.
    if (f80_denormal(*r) && !(x->masked & FPU_UE)) {
        u8 bits = x->bits;
        x->bits = 64;
        *r = f80_round(x, f80_unpack(*r));
        x->bits = bits;
    }
    return done;
}

int f80_compare(struct fx *x, struct f80 a, struct f80 b, bool is_quiet) {
    enum f80_class ca = f80_classify(a), cb = f80_classify(b);
    if (f80_is_nan(ca) || f80_is_nan(cb)) {
        if (!is_quiet || ca >= F80_SNAN || cb >= F80_SNAN) x->flags |= FPU_IE;
        return 2;
    }
    f80_note_denormals(x, a, b);
    if (ca == F80_ZERO && cb == F80_ZERO) return 0;
    if (f80_neg(a) != f80_neg(b)) return f80_neg(a) ? -1 : 1;
    unsigned ea = f80_exp(a) ? f80_exp(a) : 1, eb = f80_exp(b) ? f80_exp(b) : 1;
    int c = ea != eb ? (ea > eb ? 1 : -1) : a.sig != b.sig ? (a.sig > b.sig ? 1 : -1) : 0;
    return f80_neg(a) ? -c : c;
}

// ---- the shorter formats

static struct f80 widen(struct fx *x, bool neg, unsigned exp, u64 frac, unsigned fbits, i32 bias) {
    unsigned top = 2 * (unsigned)bias + 1;
    u64 sig = frac << (63 - fbits);
    if (exp == top) {
        struct f80 r = f80_make(neg, 0x7fff, sig | TOP);
        if (frac && !(sig & TOP >> 1)) { // signaling
            x->flags |= FPU_IE;
            r = quiet(r);
        }
        return r;
    }
    if (exp) return f80_make(neg, (unsigned)((i32)exp - bias + F80_BIAS), sig | TOP);
    if (!frac) return f80_zero(neg);
    x->flags |= FPU_DE;
    unsigned sh = (unsigned)__builtin_clzll(sig);
    return f80_make(neg, (unsigned)(1 - bias + F80_BIAS - (i32)sh), sig << sh);
}

struct f80 f80_from_f32(struct fx *x, u32 v) {
    return widen(x, v >> 31, v >> 23 & 0xff, v & 0x7fffff, 23, 127);
}

struct f80 f80_from_f64(struct fx *x, u64 v) {
    return widen(x, v >> 63, v >> 52 & 0x7ff, v & 0xfffffffffffff, 52, 1023);
}

// To a format with fbits of fraction; the result without its sign.
static u64 narrow(struct fx *x, struct f80 a, unsigned fbits, i32 bias) {
    u64 inf = (2 * (u64)bias + 1) << fbits;
    switch (f80_classify(a)) {
    case F80_ZERO:
        return 0;
    case F80_INF:
        return inf;
    case F80_BAD:
        x->flags |= FPU_IE;
        return inf | (u64)1 << (fbits - 1);
    case F80_SNAN:
        x->flags |= FPU_IE;
        a = quiet(a);
        return inf | (a.sig << 1) >> (64 - fbits);
    case F80_QNAN:
        return inf | (a.sig << 1) >> (64 - fbits);
    case F80_FINITE:
        break;
    }
    struct wide w = f80_unpack(a), r = w;
    bool inexact, up;
    i32 exp = w.exp - F80_BIAS + bias;
    bool carry = round_sig(x->rc, fbits + 1, &r, &inexact, &up);
    i32 rexp = exp + carry;
    if (exp < 1) {
        bool tiny = rexp < 1;
        if (tiny && !(x->masked & FPU_UE)) {
            x->flags |= FPU_UE;
            return 0; // is not stored
        }
        r = w;
        shift_right(&r, (u32)(1 - exp));
        round_sig(x->rc, fbits + 1, &r, &inexact, &up);
        x->up = up;
        if (inexact) x->flags |= FPU_PE | (tiny ? FPU_UE : 0);
        return r.hi >> (63 - fbits); // a carry into the exponent is the smallest normal number
    }
    if (rexp > 2 * bias) {
        x->flags |= FPU_OE;
        if (!(x->masked & FPU_OE)) return 0;
        x->flags |= FPU_PE;
        bool to_inf = x->rc == RC_NEAREST || x->rc == (w.neg ? RC_DOWN : RC_UP);
        x->up = to_inf;
        return to_inf ? inf : inf - 1;
    }
    x->up = up;
    if (inexact) x->flags |= FPU_PE;
    return (u64)rexp << fbits | (r.hi << 1) >> (64 - fbits);
}

u32 f80_to_f32(struct fx *x, struct f80 a) {
    u32 sign = f80_classify(a) == F80_BAD ? 1 : f80_neg(a);
    return (u32)narrow(x, a, 23, 127) | sign << 31;
}

u64 f80_to_f64(struct fx *x, struct f80 a) {
    u64 sign = f80_classify(a) == F80_BAD ? 1 : f80_neg(a);
    return narrow(x, a, 52, 1023) | sign << 63;
}
