// Integer vector operations of SSSE3, SSE4.1 and SSE4.2 (SDM 2), by lanes of 128 bits. Pure.
#include "guest/x86_64/sse.h"

#define OP(name) void x86_vop_##name(struct x86_vec *o)
// One expression an element: x and y are the elements of a and b.
#define EACH(name, field, n, type, expr)                                                           \
    OP(name) {                                                                                     \
        for (unsigned i = 0; i < (n); i++) {                                                       \
            type x = o->a.field[i], y = o->b.field[i];                                             \
            (void)x;                                                                               \
            o->d.field[i] = (__typeof__(o->d.field[0]))(expr);                                     \
        }                                                                                          \
    }

static inline int clamp(int v, int lo, int hi) { return v < lo ? lo : v > hi ? hi : v; }
static inline int sat16(int v) { return clamp(v, -32768, 32767); }

// ---- SSSE3

OP(pshufb) {
    for (unsigned i = 0; i < 16; i++) o->d.b[i] = o->b.b[i] & 0x80 ? 0 : o->a.b[o->b.b[i] & 15];
}

#define HORIZONTAL(name, field, n, expr)                                                           \
    OP(name) {                                                                                     \
        for (unsigned i = 0; i < (n); i++) {                                                       \
            const union xvec *v = i < (n) / 2 ? &o->a : &o->b;                                     \
            unsigned k = 2 * (i % ((n) / 2));                                                      \
            __typeof__(v->field[0] + 0) x = v->field[k], y = v->field[k + 1];                      \
            o->d.field[i] = (__typeof__(o->d.field[0]))(expr);                                     \
        }                                                                                          \
    }
HORIZONTAL(phaddw, w, 8, x + y)
HORIZONTAL(phaddd, d, 4, x + y)
HORIZONTAL(phaddsw, sw, 8, sat16(x + y))
HORIZONTAL(phsubw, w, 8, x - y)
HORIZONTAL(phsubd, d, 4, x - y)
HORIZONTAL(phsubsw, sw, 8, sat16(x - y))

OP(pmaddubsw) {
    for (unsigned i = 0; i < 8; i++)
        o->d.sw[i] =
            (i16)sat16(o->a.b[2 * i] * o->b.sb[2 * i] + o->a.b[2 * i + 1] * o->b.sb[2 * i + 1]);
}
EACH(psignb, sb, 16, int, y < 0 ? -x : y ? x : 0)
EACH(psignw, sw, 8, int, y < 0 ? -x : y ? x : 0)
EACH(psignd, d, 4, u32, (i32)y < 0 ? -x : y ? x : 0)
EACH(pmulhrsw, sw, 8, int, ((x * y >> 14) + 1) >> 1)
EACH(pabsb, sb, 16, int, y < 0 ? -y : y)
EACH(pabsw, sw, 8, int, y < 0 ? -y : y)
EACH(pabsd, d, 4, u32, (i32)y < 0 ? -y : y)

OP(palignr) {
    u8 both[32];
    memcpy(both, o->b.b, 16);
    memcpy(both + 16, o->a.b, 16);
    for (unsigned i = 0; i < 16; i++) o->d.b[i] = i + o->imm < 32 ? both[i + o->imm] : 0;
}

// ---- SSE4.1

OP(phminposuw) {
    unsigned at = 0;
    for (unsigned i = 1; i < 8; i++)
        if (o->b.w[i] < o->b.w[at]) at = i;
    o->d.q[0] = o->b.w[at] | at << 16;
    o->d.q[1] = 0;
}
// The upper lane has bits 3 to 5.
OP(mpsadbw) {
    unsigned imm = (unsigned)o->imm >> (3 * o->lane), from = imm & 4, to = 4 * (imm & 3);
    for (unsigned i = 0; i < 8; i++) {
        u32 sum = 0;
        for (unsigned k = 0; k < 4; k++) {
            int x = o->a.b[from + i + k] - o->b.b[to + k];
            sum += (u32)(x < 0 ? -x : x);
        }
        o->d.w[i] = (u16)sum;
    }
}

OP(insertps) {
    o->d.d[o->imm >> 4 & 3] = o->b.d[o->imm >> 6 & 3];
    for (unsigned i = 0; i < 4; i++)
        if (o->imm >> i & 1) o->d.d[i] = 0;
}

// ---- SSE4.2: strings (SDM 1 21.3, SDM 2 4.1)

enum { STR_WORDS = 1, STR_SIGNED = 2 };

static int string_element(const union xvec *v, unsigned i, unsigned imm) {
    if (imm & STR_WORDS) return imm & STR_SIGNED ? v->sw[i] : v->w[i];
    return imm & STR_SIGNED ? v->sb[i] : v->b[i];
}

// Elements before the first that is zero, or as a register says.
static unsigned string_length(const union xvec *v, unsigned imm, bool explicit_, i64 given) {
    unsigned n = imm & STR_WORDS ? 8 : 16, i = 0;
    if (explicit_) {
        u64 k = given < 0 ? -(u64)given : (u64)given;
        return k > n ? n : (unsigned)k;
    }
    while (i < n && string_element(v, i, imm)) i++;
    return i;
}

// Does element j of b match, with `la` elements of a?
static bool string_match(const struct x86_vec *o, unsigned j, unsigned la, unsigned lb) {
    unsigned imm = (unsigned)o->imm, n = imm & STR_WORDS ? 8 : 16;
    int y = string_element(&o->b, j, imm);
    switch (imm >> 2 & 3) {
    case 0: // equal to any
        for (unsigned i = 0; i < la && j < lb; i++)
            if (string_element(&o->a, i, imm) == y) return true;
        return false;
    case 1: // in a range
        for (unsigned i = 0; i + 1 < la && j < lb; i += 2)
            if (string_element(&o->a, i, imm) <= y && y <= string_element(&o->a, i + 1, imm))
                return true;
        return false;
    case 2: // equal each; both ended is equal
        if (j >= la || j >= lb) return j >= la && j >= lb;
        return string_element(&o->a, j, imm) == y;
    default: // a is found at j
        for (unsigned i = 0; i < la && i + j < n; i++)
            if (i + j >= lb || string_element(&o->a, i, imm) != string_element(&o->b, i + j, imm))
                return false;
        return true;
    }
}

// r: the lengths given (RAX in the low half, RDX in the high one, saturated to 32 bits); result:
// index in bits 16 on, flags below. d: the mask.
static void string_compare(struct x86_vec *o, bool explicit_) {
    unsigned imm = (unsigned)o->imm, n = imm & STR_WORDS ? 8 : 16;
    unsigned la = string_length(&o->a, imm, explicit_, (i32)o->r);
    unsigned lb = string_length(&o->b, imm, explicit_, (i32)(o->r >> 32));
    u32 bits = 0, all = n == 16 ? 0xffff : 0xff;
    for (unsigned j = 0; j < n; j++) bits |= (u32)string_match(o, j, la, lb) << j;
    if (imm & 16) bits ^= imm & 32 ? (1u << lb) - 1 : all; // negated: all, or those inside b
    unsigned index = !bits      ? n
                     : imm & 64 ? 31 - (unsigned)__builtin_clz(bits)
                                : (unsigned)__builtin_ctz(bits);
    o->r = (bits ? FL_CF : 0) | (lb < n ? FL_ZF : 0) | (la < n ? FL_SF : 0) |
           (bits & 1 ? FL_OF : 0) | (u64)index << 16;
    o->d.v = (v128){bits, 0};
    if (!(imm & 64)) return;
    for (unsigned j = 0; j < n; j++) {
        if (imm & STR_WORDS)
            o->d.w[j] = bits >> j & 1 ? 0xffff : 0;
        else
            o->d.b[j] = bits >> j & 1 ? 0xff : 0;
    }
}
OP(pcmpistr) { string_compare(o, false); }
OP(pcmpestr) { string_compare(o, true); }
