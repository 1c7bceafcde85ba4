// Arithmetic on x87's 80-bit numbers: pure functions of operands and a control.
#ifndef BERTH_GUEST_X86_64_X87_NUM_H
#define BERTH_GUEST_X86_64_X87_NUM_H

#include "base/types.h"

struct f80 {
    u64 sig; // with its integer bit
    u16 se;  // sign and biased exponent
};

typedef unsigned __int128 u128;

// Flags, masks and rounding as in the status and control words.
#define FPU_IE 0x01u
#define FPU_DE 0x02u
#define FPU_ZE 0x04u
#define FPU_OE 0x08u
#define FPU_UE 0x10u
#define FPU_PE 0x20u

enum { RC_NEAREST, RC_DOWN, RC_UP, RC_ZERO };

struct fx {
    u8 rc;       // RC_*
    u8 bits;     // precision of the significand: 24, 53, 64
    u8 masked;   // exceptions that are masked
    u8 flags;    // raised so far
    bool up;     // the last rounding increased the magnitude (C1)
    bool biased; // overflow or underflow gives the result with its exponent moved (unmasked)
};

enum f80_class { F80_ZERO, F80_FINITE, F80_INF, F80_QNAN, F80_SNAN, F80_BAD };

// A finite number that is not 0 as hi.lo * 2^(exp - 16383 - 63), bit 63 of hi set.
struct wide {
    u64 hi, lo; // lo's lowest bit is sticky
    i32 exp;
    bool neg;
};

#define F80_BIAS 16383
static inline bool f80_neg(struct f80 a) { return a.se >> 15; }
static inline unsigned f80_exp(struct f80 a) { return a.se & 0x7fffu; }
static inline struct f80 f80_make(bool neg, unsigned exp, u64 sig) {
    return (struct f80){sig, (u16)((unsigned)neg << 15 | exp)};
}
static inline struct f80 f80_indefinite(void) { return f80_make(true, 0x7fff, 0xc000000000000000); }
static inline struct f80 f80_zero(bool neg) { return f80_make(neg, 0, 0); }
static inline struct f80 f80_inf(bool neg) { return f80_make(neg, 0x7fff, (u64)1 << 63); }
static inline bool f80_denormal(struct f80 a) { return f80_exp(a) == 0 && a.sig; }
enum f80_class f80_classify(struct f80 a);
static inline bool f80_is_nan(enum f80_class c) { return c >= F80_QNAN; }
struct wide f80_unpack(struct f80 a); // of a finite number that is not 0

// Rounded to x->bits in the 80-bit format.
struct f80 f80_round(struct fx *x, struct wide w);
// True: *r is the result that follows from a NaN (or unsupported) operand.
bool f80_nan2(struct fx *x, struct f80 a, struct f80 b, struct f80 *r);
bool f80_nan1(struct fx *x, struct f80 a, struct f80 *r);
struct f80 f80_invalid(struct fx *x);
// DE when an operand is a denormal.
void f80_note_denormals(struct fx *x, struct f80 a, struct f80 b);

struct f80 f80_add(struct fx *x, struct f80 a, struct f80 b);
struct f80 f80_mul(struct fx *x, struct f80 a, struct f80 b);
struct f80 f80_div(struct fx *x, struct f80 a, struct f80 b);
struct f80 f80_sqrt(struct fx *x, struct f80 a);
struct f80 f80_rint(struct fx *x, struct f80 a);
struct f80 f80_scale(struct fx *x, struct f80 a, struct f80 b);
// Partial remainder; nearest: as IEEE wants it. *quotient: low bits; false: not complete.
bool f80_rem(struct fx *x, struct f80 a, struct f80 b, bool nearest, struct f80 *r, unsigned *q);
// -1, 0, 1, or 2 when unordered. quiet: no IE for quiet NaNs.
int f80_compare(struct fx *x, struct f80 a, struct f80 b, bool quiet);

struct f80 f80_from_int(i64 v);
struct f80 f80_from_f32(struct fx *x, u32 v);
struct f80 f80_from_f64(struct fx *x, u64 v);
u32 f80_to_f32(struct fx *x, struct f80 a);
u64 f80_to_f64(struct fx *x, struct f80 a);
u64 f80_to_int(struct fx *x, struct f80 a, unsigned bytes, bool truncate);

// x87_math.c: transcendental functions. Operands are neither NaN nor unsupported.
struct f80 f80_2xm1(struct fx *x, struct f80 a);
struct f80 f80_yl2x(struct fx *x, struct f80 a, struct f80 y, bool plus1);
struct f80 f80_atan2(struct fx *x, struct f80 y, struct f80 a);
// False: |a| is 2^63 or more, nothing done. sine or cosine may be NULL.
bool f80_sincos(struct fx *x, struct f80 a, struct f80 *sine, struct f80 *cosine);
struct f80 f80_tan(struct fx *x, struct f80 a);        // |a| < 2^63
struct f80 f80_constant(struct fx *x, unsigned which); // fldl2t fldl2e fldpi fldlg2 fldln2

#endif
