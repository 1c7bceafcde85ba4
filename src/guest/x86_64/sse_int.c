// Integer vector operations of SSE and SSE2 (SDM 2), by lanes of 128 bits. Pure.
#include "guest/x86_64/sse.h"

#define OP(name) void x86_vop_##name(struct x86_vec *o)
// One expression an element: x and y are the elements of a and b.
#define EACH(name, field, n, type, expr)                                                           \
    OP(name) {                                                                                     \
        for (unsigned i = 0; i < (n); i++) {                                                       \
            type x = o->a.field[i], y = o->b.field[i];                                             \
            o->d.field[i] = (__typeof__(o->d.field[0]))(expr);                                     \
        }                                                                                          \
    }

static inline int clamp(int v, int lo, int hi) { return v < lo ? lo : v > hi ? hi : v; }
static inline int sat8(int v) { return clamp(v, -128, 127); }
static inline int sat16(int v) { return clamp(v, -32768, 32767); }
static inline int satu8(int v) { return clamp(v, 0, 255); }
static inline int satu16(int v) { return clamp(v, 0, 65535); }

EACH(paddsb, sb, 16, int, sat8(x + y))
EACH(paddsw, sw, 8, int, sat16(x + y))
EACH(paddusb, b, 16, int, satu8(x + y))
EACH(paddusw, w, 8, int, satu16(x + y))
EACH(psubsb, sb, 16, int, sat8(x - y))
EACH(psubsw, sw, 8, int, sat16(x - y))
EACH(psubusb, b, 16, int, satu8(x - y))
EACH(psubusw, w, 8, int, satu16(x - y))
EACH(pavgb, b, 16, int, (x + y + 1) >> 1)
EACH(pavgw, w, 8, int, (x + y + 1) >> 1)
EACH(pminub, b, 16, int, x < y ? x : y)
EACH(pmaxub, b, 16, int, x > y ? x : y)
EACH(pminsw, sw, 8, int, x < y ? x : y)
EACH(pmaxsw, sw, 8, int, x > y ? x : y)
EACH(pmulhw, sw, 8, int, (x * y) >> 16)
EACH(pmulhuw, w, 8, u32, (x * y) >> 16)
EACH(pmuludq, q, 2, u64, (x & 0xffffffff) * (y & 0xffffffff))

OP(pmaddwd) {
    for (unsigned i = 0; i < 4; i++)
        o->d.d[i] =
            (u32)(o->a.sw[2 * i] * o->b.sw[2 * i]) + (u32)(o->a.sw[2 * i + 1] * o->b.sw[2 * i + 1]);
}

OP(psadbw) {
    for (unsigned h = 0; h < 2; h++) {
        u32 sum = 0;
        for (unsigned i = 8 * h; i < 8 * h + 8; i++) {
            int x = o->a.b[i] - o->b.b[i];
            sum += (u32)(x < 0 ? -x : x);
        }
        o->d.q[h] = sum;
    }
}

// ---- packing and interleaving

#define PACK(name, to, from, n, sat)                                                               \
    OP(name) {                                                                                     \
        for (unsigned i = 0; i < (n); i++) {                                                       \
            o->d.to[i] = (__typeof__(o->d.to[0]))sat(o->a.from[i]);                                \
            o->d.to[i + (n)] = (__typeof__(o->d.to[0]))sat(o->b.from[i]);                          \
        }                                                                                          \
    }
PACK(packsswb, sb, sw, 8, sat8)
PACK(packuswb, b, sw, 8, satu8)
PACK(packssdw, sw, sd, 4, sat16)

#define UNPACK(name, field, n, from)                                                               \
    OP(name) {                                                                                     \
        for (unsigned i = 0; i < (n); i++) {                                                       \
            o->d.field[2 * i] = o->a.field[i + (from)];                                            \
            o->d.field[2 * i + 1] = o->b.field[i + (from)];                                        \
        }                                                                                          \
    }
UNPACK(punpcklbw, b, 8, 0)
UNPACK(punpcklwd, w, 4, 0)
UNPACK(punpckldq, d, 2, 0)

OP(pshuflw) {
    o->d.q[1] = o->b.q[1];
    for (unsigned i = 0; i < 4; i++) o->d.w[i] = o->b.w[o->imm >> (2 * i) & 3];
}

// ---- shifts: by the low 64 bits of b, or by an immediate

#define SHIFTS(name, field, n, width, in_range, beyond)                                            \
    static void shift_##name(struct x86_vec *o, u64 k) {                                           \
        for (unsigned i = 0; i < (n); i++) {                                                       \
            __typeof__(o->a.field[0]) x = o->a.field[i];                                           \
            o->d.field[i] = (__typeof__(x))(k < (width) ? (in_range) : (beyond));                  \
        }                                                                                          \
    }                                                                                              \
    OP(name) { shift_##name(o, o->b.q[0]); }                                                       \
    OP(name##i) { shift_##name(o, o->imm); }
SHIFTS(psllw, w, 8, 16, x << k, 0)
SHIFTS(pslld, d, 4, 32, x << k, 0)
SHIFTS(psllq, q, 2, 64, x << k, 0)
SHIFTS(psrlw, w, 8, 16, x >> k, 0)
SHIFTS(psrld, d, 4, 32, x >> k, 0)
SHIFTS(psrlq, q, 2, 64, x >> k, 0)
SHIFTS(psraw, sw, 8, 16, x >> k, x >> 15)
SHIFTS(psrad, sd, 4, 32, x >> k, x >> 31)

// ---- to and from general registers. Results of both lanes are put together.

OP(pmovmskb) { o->r |= (u64)ir_mask8(o->b.v) << (16 * o->lane); }
OP(pextrw) { o->r = o->b.w[o->imm & 7]; }
