// What x87's lifter and helpers agree on, and the register stack for helpers.
#ifndef BERTH_GUEST_X86_64_X87_H
#define BERTH_GUEST_X86_64_X87_H

#include "guest/x86_64/state.h"
#include "guest/x86_64/x87_num.h"

// Arithmetic in the order of its opcode extension; the others are operations of x87_reg.
enum { X87_ADD, X87_MUL, X87_COM, X87_COMP, X87_SUB, X87_SUBR, X87_DIV, X87_DIVR };

// Formats in memory.
enum { X87_I16, X87_I32, X87_I64, X87_F32, X87_F64, X87_F80, X87_BCD };

// imm of the helpers: what it is in bits 0..7, register in 8..10, options, opcode in 32..42.
#define X87_REG(imm) ((unsigned)(imm) >> 8 & 7)
#define X87_TO_STI   0x1000u // the result goes to ST(i)
#define X87_POP      0x2000u
#define X87_POP2     0x4000u
#define X87_TRUNC    0x8000u
#define X87_QUIET    0x10000u // unordered comparison
#define X87_EFLAGS   0x20000u // its result goes to EFLAGS
// Of x87_fast.c only: what the instructions before and after it do, which it does too.
#define X87_FXCH_FIRST  0x100000u // the register of these two is in bits 24..26
#define X87_FLD_FIRST   0x200000u
#define X87_FIRST_SHIFT 24
#define X87_POP_AFTER   0x400000u // FSTP ST(0), after a comparison
#define X87_OP(imm)     ((u16)((imm) >> 32))

enum x87_op {
    X87_FCHS,
    X87_FABS,
    X87_FTST,
    X87_FXAM,
    X87_FLD1,
    X87_FLDL2T,
    X87_FLDL2E,
    X87_FLDPI,
    X87_FLDLG2,
    X87_FLDLN2,
    X87_FLDZ,
    X87_F2XM1,
    X87_FYL2X,
    X87_FPTAN,
    X87_FPATAN,
    X87_FXTRACT,
    X87_FPREM1,
    X87_FDECSTP,
    X87_FINCSTP,
    X87_FPREM,
    X87_FYL2XP1,
    X87_FSQRT,
    X87_FSINCOS,
    X87_FRNDINT,
    X87_FSCALE,
    X87_FSIN,
    X87_FCOS,
    X87_FNOP,
    X87_FLD,
    X87_FXCH,
    X87_FST, // with X87_POP: FSTP
    X87_FSTPNCE,
    X87_FFREE,
    X87_FCMOV, // condition in bits 16..19 of imm
};

// x86_help_mmx's imm beside the operation.
#define MMX_HIGH   0x400u // the upper half of a result that has 128 bits
#define MMX_PACK   0x800u // both operands are one of 128 bits
#define MMX_VALUE  0x1000u
#define MMX_INDEX  0x2000u // b is indices of eight bytes
#define MMX_CONCAT 0x4000u // b with the destination above it

#define SW_SF 0x40u
#define SW_ES 0x80u
#define SW_C0 0x100u
#define SW_C1 0x200u
#define SW_C2 0x400u
#define SW_C3 0x4000u
#define SW_B  0x8000u

static inline unsigned x87_phys(const struct x86_state *s, unsigned i) {
    return (unsigned)(s->fpu_top + i) & 7;
}
static inline bool x87_empty(const struct x86_state *s, unsigned i) {
    return !(s->fpu_tag >> x87_phys(s, i) & 1);
}
static inline struct f80 x87_get(const struct x86_state *s, unsigned i) {
    unsigned p = x87_phys(s, i);
    return (struct f80){s->mm[p], (u16)s->st_exp[p]};
}
static inline void x87_put(struct x86_state *s, unsigned i, struct f80 v) {
    unsigned p = x87_phys(s, i);
    s->mm[p] = v.sig;
    s->st_exp[p] = v.se;
    s->fpu_tag |= (u64)1 << p;
}
static inline void x87_push(struct x86_state *s, struct f80 v) {
    s->fpu_top = (s->fpu_top - 1) & 7;
    x87_put(s, 0, v);
}
static inline void x87_pop(struct x86_state *s) {
    s->fpu_tag &= ~((u64)1 << s->fpu_top);
    s->fpu_top = (s->fpu_top + 1) & 7;
}
static inline u64 x87_status(const struct x86_state *s) { return s->fpu_sw | s->fpu_top << 11; }
void x87_set_control(struct x86_state *s, u64 cw); // ES follows
void x87_set_status(struct x86_state *s, u64 sw);
void x87_init(struct x86_state *s);

// x87.c: whole instructions; ip: their address.
u64 x87_arith(struct x86_state *s, u64 imm, u64 ip); // status flags of those for EFLAGS
void x87_arith_mem(struct x86_state *s, u64 v, u64 addr, u64 imm, u64 ip);
void x87_load(struct x86_state *s, u64 v, u64 exp, u64 addr, u64 imm, u64 ip);
u64 x87_store(struct x86_state *s, u64 addr, u64 imm, u64 ip); // the value; 80 bits: and fpu_upper
u64 x87_reg(struct x86_state *s, bool taken, u64 imm, u64 ip); // taken: FCMOV's condition

#endif
