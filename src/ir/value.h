// The C side of IR values: vector types and the total forms of operations C leaves undefined.
#ifndef BERTH_IR_VALUE_H
#define BERTH_IR_VALUE_H

#include <string.h>

#include "base/types.h"

typedef u64 v128 __attribute__((vector_size(16)));
typedef u8 v16u8 __attribute__((vector_size(16)));
typedef u16 v8u16 __attribute__((vector_size(16)));
typedef u32 v4u32 __attribute__((vector_size(16)));
typedef i8 v16i8 __attribute__((vector_size(16)));
typedef i16 v8i16 __attribute__((vector_size(16)));
typedef i32 v4i32 __attribute__((vector_size(16)));

static inline u64 ir_mulhu64(u64 a, u64 b) { return (u64)((unsigned __int128)a * b >> 64); }
static inline u64 ir_mulhs64(u64 a, u64 b) {
    return (u64)((__int128)(i64)a * (__int128)(i64)b >> 64);
}
static inline u64 ir_mulhsu64(u64 a, u64 b) { return ir_mulhu64(a, b) - ((i64)a < 0 ? b : 0); }
static inline u64 ir_divs64(u64 a, u64 b) {
    if (b == 0) return ~(u64)0;
    if (b == ~(u64)0) return -a;
    return (u64)((i64)a / (i64)b);
}
static inline u64 ir_rems64(u64 a, u64 b) {
    if (b == 0) return a;
    if (b == ~(u64)0) return 0;
    return (u64)((i64)a % (i64)b);
}
static inline u32 ir_divs32(u32 a, u32 b) {
    if (b == 0) return ~(u32)0;
    if (b == ~(u32)0) return -a;
    return (u32)((i32)a / (i32)b);
}
static inline u32 ir_rems32(u32 a, u32 b) {
    if (b == 0) return a;
    if (b == ~(u32)0) return 0;
    return (u32)((i32)a % (i32)b);
}
static inline u64 ir_orcb64(u64 a) {
    u64 low = 0x0101010101010101u;
    u64 any = a | a >> 4;
    any |= any >> 2;
    any |= any >> 1;
    return (any & low) * 0xff;
}
static inline double ir_f64_of(u64 v) {
    double d;
    memcpy(&d, &v, 8);
    return d;
}
static inline u64 ir_bits_of_f64(double d) {
    u64 v;
    memcpy(&v, &d, 8);
    return v;
}
static inline float ir_f32_of(u32 v) {
    float f;
    memcpy(&f, &v, 4);
    return f;
}
static inline u32 ir_bits_of_f32(float f) {
    u32 v;
    memcpy(&v, &f, 4);
    return v;
}
static inline double ir_nan64(double d) { return d == d ? d : ir_f64_of(0x7ff8000000000000u); }
static inline float ir_nan32(float f) { return f == f ? f : ir_f32_of(0x7fc00000u); }
static inline u64 ir_sat_s64(double d) {
    if (d != d) return 0;
    if (d >= 9223372036854775808.0) return 0x7fffffffffffffffu;
    if (d < -9223372036854775808.0) return 0x8000000000000000u;
    return (u64)(i64)d;
}
static inline v128 ir_swizzle(v128 a, v128 b) {
    v16u8 x = (v16u8)a, i = (v16u8)b, r = {0};
    for (int k = 0; k < 16; k++) r[k] = i[k] < 16 ? x[i[k]] : 0;
    return (v128)r;
}
static inline v128 ir_pick(v128 mask, v128 a, v128 b) { return (a & mask) | (b & ~mask); }
static inline int ir_clamp(int v, int lo, int hi) { return v < lo ? lo : v > hi ? hi : v; }
#define IR_SATURATED(name, type, n, op, lo, hi)                                                    \
    static inline v128 name(v128 a, v128 b) {                                                      \
        type x = (type)a, y = (type)b;                                                             \
        for (int k = 0; k < (n); k++)                                                              \
            x[k] = (__typeof__(x[0]))ir_clamp((int)x[k] op(int) y[k], lo, hi);                     \
        return (v128)x;                                                                            \
    }
IR_SATURATED(ir_add_sat_s8, v16i8, 16, +, -128, 127)
IR_SATURATED(ir_add_sat_u8, v16u8, 16, +, 0, 255)
IR_SATURATED(ir_sub_sat_s8, v16i8, 16, -, -128, 127)
IR_SATURATED(ir_sub_sat_u8, v16u8, 16, -, 0, 255)
IR_SATURATED(ir_add_sat_s16, v8i16, 8, +, -32768, 32767)
IR_SATURATED(ir_add_sat_u16, v8u16, 8, +, 0, 65535)
IR_SATURATED(ir_sub_sat_s16, v8i16, 8, -, -32768, 32767)
IR_SATURATED(ir_sub_sat_u16, v8u16, 8, -, 0, 65535)
#undef IR_SATURATED
// The lanes of a and then those of b, half as wide.
static inline v128 ir_narrow16(v128 a, v128 b, int lo, int hi) {
    v8i16 x = (v8i16)a, y = (v8i16)b;
    v16u8 r = {0};
    for (int k = 0; k < 8; k++) {
        r[k] = (u8)ir_clamp(x[k], lo, hi);
        r[k + 8] = (u8)ir_clamp(y[k], lo, hi);
    }
    return (v128)r;
}
static inline v128 ir_narrow32(v128 a, v128 b, int lo, int hi) {
    v4i32 x = (v4i32)a, y = (v4i32)b;
    v8u16 r = {0};
    for (int k = 0; k < 4; k++) {
        r[k] = (u16)ir_clamp(x[k], lo, hi);
        r[k + 4] = (u16)ir_clamp(y[k], lo, hi);
    }
    return (v128)r;
}
static inline v128 ir_dot16(v128 a, v128 b) {
    v8i16 x = (v8i16)a, y = (v8i16)b;
    v4u32 r = {0};
    for (int k = 0; k < 4; k++)
        r[k] = (u32)(x[2 * k] * y[2 * k]) + (u32)(x[2 * k + 1] * y[2 * k + 1]);
    return (v128)r;
}
static inline v128 ir_unpack8(v128 a, v128 b, int from) {
    v16u8 x = (v16u8)a, y = (v16u8)b, r = {0};
    for (int k = 0; k < 8; k++) {
        r[2 * k] = x[from + k];
        r[2 * k + 1] = y[from + k];
    }
    return (v128)r;
}
static inline v128 ir_mulhs16(v128 a, v128 b) {
    v8i16 x = (v8i16)a, y = (v8i16)b;
    for (int k = 0; k < 8; k++) x[k] = (i16)(x[k] * y[k] >> 16);
    return (v128)x;
}
static inline v128 ir_mulhu16(v128 a, v128 b) {
    v8u16 x = (v8u16)a, y = (v8u16)b;
    for (int k = 0; k < 8; k++) x[k] = (u16)((u32)x[k] * y[k] >> 16);
    return (v128)x;
}
static inline v128 ir_shuffle16(v128 a, v128 b, u64 how) {
    u16 in[16], r[8];
    memcpy(in, &a, 16);
    memcpy(in + 8, &b, 16);
    for (int k = 0; k < 8; k++) r[k] = in[how >> (4 * k) & 15];
    v128 v;
    memcpy(&v, r, 16);
    return v;
}
static inline v128 ir_align8(v128 a, v128 b, u64 from) {
    u8 in[32];
    memcpy(in, &a, 16);
    memcpy(in + 16, &b, 16);
    v128 v;
    memcpy(&v, in + from, 16);
    return v;
}
static inline v128 ir_extend8(v128 a, bool sign) {
    v16u8 x = (v16u8)a;
    v8u16 r = {0};
    for (int k = 0; k < 8; k++) r[k] = (u16)(sign ? (i8)x[k] : x[k]);
    return (v128)r;
}
static inline v128 ir_extend16(v128 a, bool sign) {
    v8u16 x = (v8u16)a;
    v4u32 r = {0};
    for (int k = 0; k < 4; k++) r[k] = (u32)(sign ? (i16)x[k] : x[k]);
    return (v128)r;
}
static inline u32 ir_mask32(v128 a) {
    v4u32 x = (v4u32)a;
    return x[0] >> 31 | x[1] >> 31 << 1 | x[2] >> 31 << 2 | x[3] >> 31 << 3;
}
static inline u32 ir_mask8(v128 a) {
    v16u8 x = (v16u8)a;
    u32 m = 0;
    for (int k = 0; k < 16; k++) m |= (u32)(x[k] >> 7) << k;
    return m;
}

#endif
