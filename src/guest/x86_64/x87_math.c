// x87's transcendental functions (SDM 1 8.3.5 to 8.3.10), computed with 128-bit significands by
// series and rounded once: at most a little more than half a unit in the last place off, in every
// rounding mode. So they differ from a processor's in the last bit now and then, which the manuals
// allow. Angles are reduced with the 66-bit pi of the processors, so sine and cosine of large
// angles agree with theirs. Pure.
#include "guest/x86_64/x87_num.h"

// sig / 2^127 * 2^exp; sig 0 is zero, else its top bit is set.
struct num {
    bool neg;
    i32 exp;
    u128 sig;
};

enum { ENOUGH = 90 }; // terms smaller than the sum by so many bits end a series

static const struct num PI = {false, 1, (u128)0xc90fdaa22168c234 << 64 | 0xc4c6628b80dc1cd1};
static const struct num LN2 = {false, -1, (u128)0xb17217f7d1cf79ab << 64 | 0xc9e3b39803f2f6af};
static const struct num LOG2E = {false, 0, (u128)0xb8aa3b295c17f0bb << 64 | 0xbe87fed0691d3e89};
static const struct num LOG2_10 = {false, 1, (u128)0xd49a784bcd1b8afe << 64 | 0x492bf6ff4dafdb4d};
static const struct num LG2 = {false, -2, (u128)0x9a209a84fbcff798 << 64 | 0x8f8959ac0b7c9178};
static const struct num ATAN[9] = {
    // of n/8
    {false, 0, 0},
    {false, -4, (u128)0xfeadd4d5617b6e32 << 64 | 0xc897989f3e888ef8},
    {false, -3, (u128)0xfadbafc96406eb15 << 64 | 0x6dc79ef5f7a217e6},
    {false, -2, (u128)0xb7b0ca0f26f78473 << 64 | 0x8aa32122dcfe4483},
    {false, -2, (u128)0xed63382b0dda7b45 << 64 | 0x6fe445ecbc3a8d03},
    {false, -1, (u128)0x8f005d5ef7f59f9b << 64 | 0x5c835e1665c43748},
    {false, -1, (u128)0xa4bc7d1934f70924 << 64 | 0x19a87f2a457dac9f},
    {false, -1, (u128)0xb8053e2bc2319e73 << 64 | 0xcb2da55210a4443d},
    {false, -1, (u128)0xc90fdaa22168c234 << 64 | 0xc4c6628b80dc1cd1},
};

static struct num norm(bool neg, i32 exp, u128 v) {
    if (v == 0) return (struct num){neg, 0, 0};
    u64 hi = (u64)(v >> 64);
    unsigned sh = hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((u64)v);
    return (struct num){neg, exp - (i32)sh, v << sh};
}

static struct num from_f80(struct f80 a) {
    if (f80_classify(a) == F80_ZERO) return (struct num){f80_neg(a), 0, 0};
    struct wide w = f80_unpack(a);
    return (struct num){w.neg, w.exp - F80_BIAS, (u128)w.hi << 64};
}

static struct f80 to_f80(struct fx *x, struct num a, bool inexact) {
    if (!a.sig) return f80_zero(a.neg);
    u8 bits = x->bits;
    x->bits = 64;
    struct wide w = {(u64)(a.sig >> 64), (u64)a.sig | inexact, a.exp + F80_BIAS, a.neg};
    struct f80 r = f80_round(x, w);
    x->bits = bits;
    return r;
}

static struct num neg(struct num a) {
    a.neg = !a.neg;
    return a;
}

static struct num scale(struct num a, i32 by) {
    a.exp += by;
    return a;
}

static struct num add(struct num a, struct num b) {
    if (!a.sig) return b;
    if (!b.sig) return a;
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        struct num t = a;
        a = b;
        b = t;
    }
    i32 d = a.exp - b.exp;
    u128 vb = d < 127 ? b.sig >> 1 >> d : 0;
    u128 v = a.neg == b.neg ? (a.sig >> 1) + vb : (a.sig >> 1) - vb;
    return norm(a.neg, a.exp + 1, v);
}

static struct num mul(struct num a, struct num b) {
    if (!a.sig || !b.sig) return (struct num){a.neg != b.neg, 0, 0};
    u64 ah = (u64)(a.sig >> 64), al = (u64)a.sig, bh = (u64)(b.sig >> 64), bl = (u64)b.sig;
    u128 low = (u128)al * bl, m1 = (u128)ah * bl, m2 = (u128)al * bh;
    u128 mid = (low >> 64) + (u64)m1 + (u64)m2;
    u128 high = (u128)ah * bh + (m1 >> 64) + (m2 >> 64) + (mid >> 64);
    // Products of numbers with few bits stay exact: what is lost here is below bit 128.
    if (!(high >> 127)) return norm(a.neg != b.neg, a.exp + b.exp, high << 1 | ((u64)mid >> 63));
    return norm(a.neg != b.neg, a.exp + b.exp + 1, high);
}

static struct num div_small(struct num a, u32 n) {
    u128 q = a.sig / n, r = a.sig % n;
    unsigned sh = q >> 64 ? (unsigned)__builtin_clzll((u64)(q >> 64)) : 0; // n < 2^32: q >= 2^95
    q = q << sh | (r << sh) / n;
    return norm(a.neg, a.exp - (i32)sh, q);
}

static struct num divide(struct num a, struct num b) {
    if (!a.sig) return a;
    i32 exp = a.exp - b.exp;
    u128 rem = a.sig, q = 0;
    if (rem < b.sig) exp--;
    bool out = false;
    if (rem < b.sig) {
        out = rem >> 127;
        rem <<= 1;
    }
    for (int i = 0; i < 128; i++) {
        bool take = out || rem >= b.sig;
        q = q << 1 | take;
        if (take) rem -= b.sig;
        out = rem >> 127;
        rem <<= 1;
    }
    return norm(a.neg != b.neg, exp, q);
}

// A little nearer to 0, where a series that ended has only smaller terms of the other sign.
static struct num below(struct num a) {
    return a.sig ? norm(a.neg, a.exp, a.sig - 1) : a;
}

static struct num one(void) { return (struct num){false, 0, (u128)1 << 127}; }

static struct num from_int(i32 v) {
    u32 m = v < 0 ? -(u32)v : (u32)v;
    return norm(v < 0, 127, m);
}

static bool negligible(struct num term, struct num sum) {
    return !term.sig || term.exp < sum.exp - ENOUGH;
}

// ---- exponential

struct f80 f80_2xm1(struct fx *x, struct f80 a) {
    enum f80_class c = f80_classify(a);
    if (c == F80_ZERO) return a;
    if (c == F80_INF) return f80_neg(a) ? f80_make(true, F80_BIAS, (u64)1 << 63) : a;
    f80_note_denormals(x, a, a);
    if (f80_exp(a) >= F80_BIAS) { // 1 and -1; beyond, undefined
        bool exactly = f80_exp(a) == F80_BIAS && a.sig << 1 == 0;
        return exactly && f80_neg(a) ? f80_make(true, F80_BIAS - 1, (u64)1 << 63) : a;
    }
    struct num y = mul(from_f80(a), LN2), term = y, sum = y;
    for (u32 k = 2; !negligible(term, sum); k++) {
        term = div_small(mul(term, y), k);
        sum = add(sum, term);
    }
    return to_f80(x, sum, true);
}

// ---- logarithm

// 2 * atanh(z) * log2(e), |z| < 0.18
static struct num log2_series(struct num z) {
    struct num zz = mul(z, z), power = z, sum = z, term = z;
    for (u32 k = 3; !negligible(term, sum); k += 2) {
        power = mul(power, zz);
        term = div_small(power, k);
        sum = add(sum, term);
    }
    return scale(mul(sum, LOG2E), 1);
}

static struct num log2_of(struct num a) {
    static const u128 sqrt2 = (u128)0xb504f333f9de6484 << 64;
    i32 e = a.exp;
    a.exp = 0;
    if (a.sig > sqrt2) {
        a.exp = -1;
        e++;
    }
    struct num z = divide(add(a, neg(one())), add(a, one()));
    return add(from_int(e), log2_series(z));
}

static struct f80 times_log(struct fx *x, struct num log, struct f80 y, bool exact) {
    x->flags |= FPU_PE; // as processors do, of exact results too
    return to_f80(x, mul(log, from_f80(y)), !exact);
}

// Where x is 0, 1 or infinite or y is 0 or infinite. True: *r is it.
static bool log_special(struct fx *x, struct f80 a, struct f80 y, bool plus1, struct f80 *r) {
    enum f80_class ca = f80_classify(a), cy = f80_classify(y);
    struct f80 unit = f80_make(false, F80_BIAS, (u64)1 << 63);
    struct fx scratch = {.masked = 0x3f};
    int against1 = plus1 ? (ca == F80_ZERO ? 0
                            : f80_neg(a)   ? -1
                                           : 1)
                         : f80_compare(&scratch, a, unit, true);
    bool below = plus1 ? f80_neg(a) : against1 < 0; // the logarithm is negative
    bool flip = below != f80_neg(y), pole = !plus1 && ca == F80_ZERO;
    bool log_inf = pole || ca == F80_INF, log_zero = against1 == 0;
    if ((log_inf && cy == F80_ZERO) || (log_zero && cy == F80_INF)) {
        *r = f80_invalid(x);
        return true;
    }
    if (!log_inf && !log_zero && cy != F80_ZERO && cy != F80_INF) return false;
    if (pole && cy == F80_FINITE)
        x->flags |= FPU_ZE;
    else
        f80_note_denormals(x, a, y);
    *r = log_inf || cy == F80_INF ? f80_inf(flip) : f80_zero(flip);
    return true;
}

struct f80 f80_yl2x(struct fx *x, struct f80 a, struct f80 y, bool plus1) {
    struct f80 r;
    if (f80_neg(a) && f80_classify(a) != F80_ZERO) {
        bool beyond = f80_exp(a) >= F80_BIAS; // -1 and less
        if (!plus1 || beyond) return f80_invalid(x);
    }
    if (log_special(x, a, y, plus1, &r)) return r;
    f80_note_denormals(x, a, y);
    struct num v = from_f80(a);
    if (!plus1) {
        bool power = a.sig << 1 == 0;
        return times_log(x, power ? from_int(v.exp) : log2_of(v), y, power);
    }
    bool small = v.exp < -2;
    if (!small) return times_log(x, log2_of(add(one(), v)), y, false);
    return times_log(x, log2_series(divide(v, add(v, scale(one(), 1)))), y, false);
}

// ---- arc tangent

// 0 <= t <= 1
static struct num atan_unit(struct num t) {
    if (!t.sig) return t;
    u32 k = t.exp < -4 ? 0 : (u32)((t.sig >> 120) >> (unsigned)(-t.exp)) + 8;
    k = k / 16; // nearest of n/8: sig >> 120 is t * 128
    if (k > 8) k = 8;
    struct num c = scale(from_int((i32)k), k ? -3 : 0);
    struct num z = k ? divide(add(t, neg(c)), add(one(), mul(t, c))) : t;
    struct num zz = neg(mul(z, z)), power = z, sum = z, term = z;
    for (u32 n = 3; !negligible(term, sum); n += 2) {
        power = mul(power, zz);
        term = div_small(power, n);
        sum = add(sum, term);
    }
    return add(ATAN[k], below(sum));
}

static struct f80 signed_by(struct fx *x, struct num v, bool minus) {
    v.neg = minus;
    return to_f80(x, v, true);
}

struct f80 f80_atan2(struct fx *x, struct f80 y, struct f80 a) {
    enum f80_class cy = f80_classify(y), ca = f80_classify(a);
    bool left = f80_neg(a), sy = f80_neg(y);
    f80_note_denormals(x, y, a);
    if (cy == F80_INF && ca == F80_INF) {
        struct num quarter = scale(PI, -2);
        return signed_by(x, left ? add(PI, neg(quarter)) : quarter, sy);
    }
    if (cy == F80_ZERO || ca == F80_INF) return left ? signed_by(x, PI, sy) : f80_zero(sy);
    if (cy == F80_INF || ca == F80_ZERO) return signed_by(x, scale(PI, -1), sy);
    struct num ny = from_f80(y), na = from_f80(a), r;
    ny.neg = na.neg = false;
    bool steep = ny.exp > na.exp || (ny.exp == na.exp && ny.sig > na.sig);
    r = atan_unit(steep ? divide(na, ny) : divide(ny, na));
    if (steep) r = add(scale(PI, -1), neg(r));
    if (left) r = add(PI, neg(r));
    return signed_by(x, r, sy);
}

// ---- sine, cosine, tangent

// |a| - *quadrant * pi/2, between -pi/4 and pi/4.
static struct num reduce(struct f80 a, unsigned *quadrant) {
    const u128 half_pi = (u128)3 << 64 | 0x243f6a8885a308d3; // pi/2 * 2^65, the 66 bits there are
    struct num v = from_f80(a);
    v.neg = false;
    *quadrant = 0;
    if (v.exp < -1) return v;
    u128 n = v.sig >> (62 - v.exp); // in units of 2^-65: exact, as 64 bits of sig are 0
    u128 q = n / half_pi, r = n % half_pi;
    bool over = r > half_pi / 2;
    *quadrant = (unsigned)(q + over) & 3;
    return norm(over, 127 - 65, over ? half_pi - r : r);
}

static struct num sine_series(struct num r) {
    struct num rr = neg(mul(r, r)), term = r, sum = r;
    for (u32 k = 2; !negligible(term, sum); k += 2) {
        term = div_small(mul(term, rr), k * (k + 1));
        sum = add(sum, term);
    }
    return below(sum);
}

static struct num cosine_series(struct num r) {
    struct num rr = neg(mul(r, r)), term = one(), sum = one();
    for (u32 k = 1; !negligible(term, sum); k += 2) {
        term = div_small(mul(term, rr), k * (k + 1));
        sum = add(sum, term);
    }
    return below(sum);
}

static void both(struct f80 a, struct num *sine, struct num *cosine) {
    unsigned quadrant;
    struct num r = reduce(a, &quadrant);
    struct num sn = sine_series(r), cs = cosine_series(r);
    *sine = quadrant & 1 ? cs : sn;
    *cosine = quadrant & 1 ? sn : cs;
    if (quadrant & 2) *sine = neg(*sine);
    if (quadrant == 1 || quadrant == 2) *cosine = neg(*cosine);
    if (f80_neg(a)) *sine = neg(*sine);
}

bool f80_sincos(struct fx *x, struct f80 a, struct f80 *sine, struct f80 *cosine) {
    enum f80_class c = f80_classify(a);
    if (c == F80_INF) {
        struct f80 bad = f80_invalid(x);
        if (sine) *sine = bad;
        if (cosine) *cosine = bad;
        return true;
    }
    if (f80_exp(a) >= F80_BIAS + 63) return false;
    if (c == F80_ZERO) {
        if (sine) *sine = a;
        if (cosine) *cosine = f80_make(false, F80_BIAS, (u64)1 << 63);
        return true;
    }
    f80_note_denormals(x, a, a);
    struct num sn, cs;
    both(a, &sn, &cs);
    if (cosine) *cosine = to_f80(x, cs, true);
    if (sine) *sine = to_f80(x, sn, true);
    return true;
}

struct f80 f80_tan(struct fx *x, struct f80 a) {
    enum f80_class c = f80_classify(a);
    if (c == F80_INF) return f80_invalid(x);
    if (c == F80_ZERO) return a;
    f80_note_denormals(x, a, a);
    struct num sn, cs;
    both(a, &sn, &cs);
    return to_f80(x, divide(sn, cs), true);
}

// ---- constants: rounded by the control word, and never inexact

struct f80 f80_constant(struct fx *x, unsigned which) {
    const struct num *const c[] = {&LOG2_10, &LOG2E, &PI, &LG2, &LN2};
    struct fx own = {.rc = x->rc, .bits = 64, .masked = 0x3f};
    return to_f80(&own, *c[which], true);
}
