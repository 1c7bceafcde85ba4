// AES-NI, PCLMULQDQ and the SHA instructions (SDM 2; FIPS 197, FIPS 180-4), by lanes of 128 bits.
// Pure; not constant in time.
#include "guest/x86_64/sse.h"

#define OP(name) void x86_vop_##name(struct x86_vec *o)

// ---- AES. The boxes are computed: inverse in GF(2^8), then the affine map.

static u8 times2(u8 v) { return (u8)(v << 1 ^ (v & 0x80 ? 0x1b : 0)); }

static u8 times(u8 a, u8 b) {
    u8 r = 0;
    for (; b; b >>= 1, a = times2(a))
        if (b & 1) r ^= a;
    return r;
}

static u8 inverse(u8 v) { // v^254
    u8 r = 1;
    for (unsigned i = 0; i < 7; i++) {
        v = times(v, v);
        r = times(r, v);
    }
    return r;
}

static u8 rotate8(u8 v, unsigned n) { return (u8)(v << n | v >> (8 - n)); }

static u8 sub(u8 v) {
    u8 x = inverse(v);
    return (u8)(x ^ rotate8(x, 1) ^ rotate8(x, 2) ^ rotate8(x, 3) ^ rotate8(x, 4) ^ 0x63);
}

static u8 inverse_sub(u8 v) {
    return inverse((u8)(rotate8(v, 1) ^ rotate8(v, 3) ^ rotate8(v, 6) ^ 0x05));
}

// Byte i of a row-shifted state comes from byte shift(i).
static unsigned shifted(unsigned i) { return (i + 4 * (i % 4)) % 16; }
static unsigned shifted_back(unsigned i) { return (i + 16 - 4 * (i % 4)) % 16; }

static void mix(union xvec *v, const u8 k[4]) {
    for (unsigned c = 0; c < 16; c += 4) {
        u8 in[4];
        memcpy(in, v->b + c, 4);
        for (unsigned i = 0; i < 4; i++)
            v->b[c + i] = times(in[i], k[0]) ^ times(in[(i + 1) % 4], k[1]) ^
                          times(in[(i + 2) % 4], k[2]) ^ times(in[(i + 3) % 4], k[3]);
    }
}
static const u8 forward[4] = {2, 3, 1, 1}, backward[4] = {14, 11, 13, 9};

static void encrypt(struct x86_vec *o, bool last) {
    for (unsigned i = 0; i < 16; i++) o->d.b[i] = sub(o->a.b[shifted(i)]);
    if (!last) mix(&o->d, forward);
    o->d.v ^= o->b.v;
}
static void decrypt(struct x86_vec *o, bool last) {
    for (unsigned i = 0; i < 16; i++) o->d.b[i] = inverse_sub(o->a.b[shifted_back(i)]);
    if (!last) mix(&o->d, backward);
    o->d.v ^= o->b.v;
}
OP(aesenc) { encrypt(o, false); }
OP(aesenclast) { encrypt(o, true); }
OP(aesdec) { decrypt(o, false); }
OP(aesdeclast) { decrypt(o, true); }
OP(aesimc) {
    o->d = o->b;
    mix(&o->d, backward);
}
OP(aeskeygenassist) {
    for (unsigned i = 0; i < 2; i++) {
        u32 x = o->b.d[2 * i + 1], s = 0;
        for (unsigned k = 0; k < 4; k++) s |= (u32)sub((u8)(x >> (8 * k))) << (8 * k);
        o->d.d[2 * i] = s;
        o->d.d[2 * i + 1] = (s >> 8 | s << 24) ^ (u32)o->imm;
    }
}

// ---- carry-less product of one half of each

OP(pclmulqdq) {
    u64 x = o->a.q[o->imm & 1], y = o->b.q[o->imm >> 4 & 1], lo = 0, hi = 0;
    for (unsigned i = 0; i < 64; i++) {
        if (!(y >> i & 1)) continue;
        lo ^= x << i;
        if (i) hi ^= x >> (64 - i);
    }
    o->d.v = (v128){lo, hi};
}

// ---- SHA: a is the first operand, the state's words stand from the upper end on

static u32 rotr(u32 v, unsigned n) { return v >> n | v << (32 - n); }
static u32 rotl(u32 v, unsigned n) { return v << n | v >> (32 - n); }

OP(sha1rnds4) {
    static const u32 constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    unsigned kind = o->imm & 3;
    u32 a = o->a.d[3], b = o->a.d[2], c = o->a.d[1], d = o->a.d[0], e = 0;
    for (unsigned i = 0; i < 4; i++) {
        u32 f = kind == 0   ? (b & c) ^ (~b & d)
                : kind == 2 ? (b & c) ^ (b & d) ^ (c & d)
                            : b ^ c ^ d;
        u32 t = f + rotl(a, 5) + o->b.d[3 - i] + e + constants[kind];
        e = d;
        d = c;
        c = rotl(b, 30);
        b = a;
        a = t;
    }
    o->d.d[3] = a;
    o->d.d[2] = b;
    o->d.d[1] = c;
    o->d.d[0] = d;
}
OP(sha1nexte) {
    o->d = o->b;
    o->d.d[3] += rotl(o->a.d[3], 30);
}
OP(sha1msg1) {
    for (unsigned i = 0; i < 4; i++)
        o->d.d[i] = o->a.d[i] ^ (i > 1 ? o->a.d[i - 2] : o->b.d[i + 2]);
}
OP(sha1msg2) {
    u32 w16 = rotl(o->a.d[3] ^ o->b.d[2], 1);
    o->d.d[3] = w16;
    o->d.d[2] = rotl(o->a.d[2] ^ o->b.d[1], 1);
    o->d.d[1] = rotl(o->a.d[1] ^ o->b.d[0], 1);
    o->d.d[0] = rotl(o->a.d[0] ^ w16, 1);
}
// c: XMM0, the round's words and constants.
OP(sha256rnds2) {
    u32 a = o->b.d[3], b = o->b.d[2], c = o->a.d[3], d = o->a.d[2];
    u32 e = o->b.d[1], f = o->b.d[0], g = o->a.d[1], h = o->a.d[0];
    for (unsigned i = 0; i < 2; i++) {
        u32 t = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + o->c.d[i];
        u32 u = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t;
        d = c;
        c = b;
        b = a;
        a = t + u;
    }
    o->d.d[3] = a;
    o->d.d[2] = b;
    o->d.d[1] = e;
    o->d.d[0] = f;
}
OP(sha256msg1) {
    for (unsigned i = 0; i < 4; i++) {
        u32 w = i < 3 ? o->a.d[i + 1] : o->b.d[0];
        o->d.d[i] = o->a.d[i] + (rotr(w, 7) ^ rotr(w, 18) ^ w >> 3);
    }
}
OP(sha256msg2) {
    for (unsigned i = 0; i < 4; i++) {
        u32 w = i < 2 ? o->b.d[i + 2] : o->d.d[i - 2];
        o->d.d[i] = o->a.d[i] + (rotr(w, 17) ^ rotr(w, 19) ^ w >> 10);
    }
}
