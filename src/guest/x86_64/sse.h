// Vector operations as C functions: one lane of 128 bits at a time, so that SSE, AVX and MMX share
// them.
#ifndef BERTH_GUEST_X86_64_SSE_H
#define BERTH_GUEST_X86_64_SSE_H

#include "guest/x86_64/state.h"

union xvec {
    v128 v;
    u8 b[16];
    i8 sb[16];
    u16 w[8];
    i16 sw[8];
    u32 d[4];
    i32 sd[4];
    u64 q[2];
    i64 sq[2];
};

// What an operation gets and gives. d starts as a, so that a scalar operation leaves the rest.
struct x86_vec {
    union xvec d, a, b, c; // c: the third operand of those that have one
    union xvec b_other;    // b's other lane
    u64 imm;
    u64 r; // a general register or flags: given, or the result
    struct x86_state *s;
    u32 lane;      // 0, or 1 for the upper half of YMM
    u32 pre, post; // exceptions found before and after computing (MXC_*), of this step and lane
    u32 step;      // of an operation that has several
    struct {
        u32 pre, post;
    } steps[3]; // of all lanes: those of a step come before those of the next
};

typedef void x86_vop(struct x86_vec *o);

// A step is done.
static inline void x86_vec_step(struct x86_vec *o) {
    o->steps[o->step].pre |= o->pre;
    o->steps[o->step].post |= o->post;
    o->pre = o->post = 0;
    o->step++;
}

enum x86_vop_id {
#define VOP(name) VOP_##name,
#include "guest/x86_64/sse_ops.def"
    VOP_COUNT
};
#define VOP(name) x86_vop x86_vop_##name;
#include "guest/x86_64/sse_ops.def"

// imm of the helpers: what to do on which registers. Register 16 is the scratch cell (memory).
enum { VEC_SCRATCH = 16 };
#define VEC_OP(imm)   ((u32)(imm)&0x3ff)
#define VEC_D(imm)    ((u32)((imm) >> 10) & 31)
#define VEC_A(imm)    ((u32)((imm) >> 15) & 31)
#define VEC_B(imm)    ((u32)((imm) >> 20) & 31)
#define VEC_C(imm)    ((u32)((imm) >> 25) & 31)
#define VEC_L         ((u64)1 << 30) // 256 bits
#define VEC_VEX       ((u64)1 << 31) // what lies above the result becomes 0
#define VEC_IMM8(imm) ((u32)((imm) >> 32) & 0xff)
#define VEC_WIDEN     ((u64)1 << 40) // b is its lower lane for both lanes
#define VEC_NARROW    ((u64)1 << 41) // lane i's lower half to half i of the result
#define SCALAR_R      ((u64)1 << 42) // the result is r
#define SCALAR_C      ((u64)1 << 43) // the operand is r
#define VEC_IMM_SHIFT 32

// imm of the helpers of avx.c beside registers and VEC_L.
#define ELEM_8           ((u64)1 << 32) // elements of 8 bytes, else of 4
#define ELEM_INDEX_8     ((u64)1 << 33) // indices of 8 bytes, else of 4
#define ELEM_CODE64      ((u64)1 << 34)
#define ELEM_CAREFUL     ((u64)1 << 35) // MODE_CAREFUL
#define ELEM_ADDR_8      ((u64)1 << 36) // size of addresses: 8, 2, else 4
#define ELEM_ADDR_2      ((u64)1 << 37)
#define ELEM_SEG_SHIFT   38
#define ELEM_SCALE_SHIFT 41
#define VEC_MAKE(op, d, a, b, c)                                                                   \
    ((u64)(op) | (u64)(d) << 10 | (u64)(a) << 15 | (u64)(b) << 20 | (u64)(c) << 25)

// An operation on one element whose exceptions are all masked. imm: VEC_IMM8, SCALAR_*.
u64 x86_scalar(struct x86_state *s, u32 vop, u64 a, u64 b, u64 imm);

// imm of helpers of vectors beside operation and immediate (<< 16): as enum ir_fast has it for
// MADD, and that there is one operand.
#define VFN_NEG_PRODUCT (1u << 24)
#define VFN_NEG_SUM     (1u << 25)
#define VFN_ONE         (1u << 26)

// MXCSR
#define MXC_IE    0x01u
#define MXC_DE    0x02u
#define MXC_ZE    0x04u
#define MXC_OE    0x08u
#define MXC_UE    0x10u
#define MXC_PE    0x20u
#define MXC_DAZ   0x40u
#define MXC_MASKS 0x1f80u // each flag's mask is 7 bits above it
#define MXC_RC(m) ((u32)(m) >> 13 & 3)
#define MXC_FTZ   0x8000u
#define MXC_VALID 0xffffu

// After an operation that may have set PE or given a denormal (fp_denormal): fp_quick.
static inline void x86_look_quick(struct x86_state *s) {
    s->fp_quick = s->mxcsr & MXC_PE && !s->fp_denormal ? X86_QUICK : 0;
}

#endif
