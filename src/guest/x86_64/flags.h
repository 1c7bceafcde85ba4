// Lazy status flags. Five cells, set to values that exist anyway, so that flags nobody looks at
// cost nothing once the sets are dead:
//
//   cc_op   kind << 6 | (64 - bits of the operand): CC(kind, size)
//   cc_res  the result, zero-extended from its size
//   cc_a, cc_b   zero-extended;  CF = cc_a < cc_b, unsigned, whatever cc_op is
//   cc_x    of the kinds FLAGS and X: flags as in RFLAGS; of CARRY and TOP what OF and AF are bits of
//
//   ZF = cc_res == 0 for every kind; SF and PF are cc_res's, but of FLAGS (from cc_x); OF and AF:
//
//   kind     cc_a     cc_b     OF                                  AF
//   FLAGS    0        CF       cc_x                                cc_x
//   X        0        CF       cc_x                                cc_x
//   LOGIC    0        CF       0                                   0
//   ADD      result   src      ((res - b) ^ res) & (b ^ res)       (res - b) ^ b ^ res
//   SUB      first    second   (a ^ b) & (a ^ res)                 a ^ b ^ res
//   INC      kept     kept     res == 80..0                        low digit 0
//   DEC      kept     kept     res == 7f..f                        low digit f
//   SHL      0        CF       top bit of the result ^ CF          0
//   SHR      0        CF       top bit of res ^ (res << 1)         0
//   MUL      0        CF       CF                                  0
//   CARRY    0        CF       top bit of cc_x ^ CF                bit 4 of cc_x
//   TOP      0        CF       top bit of cc_x                     bit 4 of cc_x
//   CMP      as SUB, but cc_res may hold anything: the result is that of cc_a and cc_b
//
// CARRY: of ADC and SBB, cc_x = first ^ second ^ result, which is the carries into each bit.
// Only translated code makes CMP, of SUB (emit/wasm/narrow.c): so comparisons need not keep a
// result. cc_x of other kinds than FLAGS, X, CARRY and TOP may hold anything, and so may cc_a where cc_b is 0.
//
// After a comparison of floats the kind is FLAGS, with CF as cc_a < 1.
// So INC and DEC keep the carry for nothing, CF needs no look at cc_op and ZF one at CMP. Where the manual
// leaves a flag undefined it is what comes out of this.
#ifndef BERTH_GUEST_X86_64_FLAGS_H
#define BERTH_GUEST_X86_64_FLAGS_H

enum cc_kind {
    CC_FLAGS,
    CC_X,
    CC_LOGIC,
    CC_ADD,
    CC_SUB,
    CC_INC,
    CC_DEC,
    CC_SHL,
    CC_SHR,
    CC_MUL,
    CC_CARRY,
    CC_TOP
};
enum { CC_BARE = 16, CC_CMP = CC_SUB | CC_BARE };
#define CC(kind, size) ((u64)(kind) << 6 | (64 - 8 * (size)))
#define CC_KIND(op)    ((enum cc_kind)((op) >> 6))
#define CC_BITS(op)    (64 - (unsigned)((op)&63))

// Conditions as encoded; the odd ones are the negations.
enum {
    COND_O,
    COND_B = 2,
    COND_Z = 4,
    COND_BE = 6,
    COND_S = 8,
    COND_P = 10,
    COND_L = 12,
    COND_LE = 14
};

#endif
