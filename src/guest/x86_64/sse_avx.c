// Vector operations that came with AVX and AVX2 (SDM 2), by lanes of 128 bits. Pure.
#include "guest/x86_64/sse.h"

#define OP(name) void x86_vop_##name(struct x86_vec *o)

OP(permilps) {
    for (unsigned i = 0; i < 4; i++) o->d.d[i] = o->a.d[o->b.d[i] & 3];
}
OP(permilpd) {
    for (unsigned i = 0; i < 2; i++) o->d.q[i] = o->a.q[o->b.q[i] >> 1 & 1];
}
// a: indices of b's dwords in both lanes.
OP(permd) {
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = o->a.d[i] & 7;
        const union xvec *v = n / 4 == o->lane ? &o->b : &o->b_other;
        o->d.d[i] = v->d[n % 4];
    }
}

#define SHIFT(name, field, n, width, in_range, beyond)                                             \
    OP(name) {                                                                                     \
        for (unsigned i = 0; i < (n); i++) {                                                       \
            __typeof__(o->a.field[0]) x = o->a.field[i], k = o->b.field[i];                        \
            bool inside = (u64)k < (width);                                                        \
            o->d.field[i] = inside ? (in_range) : (beyond);                                        \
        }                                                                                          \
    }
SHIFT(psllvd, d, 4, 32, x << k, 0)
SHIFT(psllvq, q, 2, 64, x << k, 0)
SHIFT(psrlvd, d, 4, 32, x >> k, 0)
SHIFT(psrlvq, q, 2, 64, x >> k, 0)
SHIFT(psravd, sd, 4, 32, x >> k, x >> 31)
