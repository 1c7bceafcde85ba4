// Decoding for code that is executed from its bytes: what stands behind an opcode; ModRM, SIB and
// immediates. For first.c.
#ifndef BERTH_GUEST_X86_64_FIRST_DECODE_H
#define BERTH_GUEST_X86_64_FIRST_DECODE_H

#include "guest/x86_64/first.h"

// What is done, and what stands behind the opcode.
enum action {
    A_UNKNOWN,
    A_PREFIX,
    A_0F,
    A_ALU_MR, // rm, reg
    A_ALU_RM, // reg, rm
    A_ALU_AI, // accumulator, immediate
    A_ALU_MI,
    A_TEST_MR,
    A_TEST_AI,
    A_MOV_MR,
    A_MOV_RM,
    A_MOV_MI,
    A_MOV_RI,
    A_LEA,
    A_MOVX, // MOVZX, MOVSX
    A_MOVSXD,
    A_XCHG_MR,
    A_XCHG_AR,
    A_PUSH_R,
    A_PUSH_I,
    A_POP_R,
    A_LEAVE,
    A_JCC,
    A_JMP,
    A_CALL,
    A_RET,
    A_RET_I,
    A_SETCC,
    A_CMOV,
    A_SHIFT_I,
    A_SHIFT_1,
    A_SHIFT_C,
    A_SHIFTD_I,
    A_SHIFTD_C,
    A_IMUL2,
    A_IMUL3,
    A_GROUP3,
    A_GROUP45,
    A_INCDEC,
    A_CBW,
    A_CWD,
    A_NOP,
    A_BT_R,
    A_BT_I,
    A_SCAN,
    A_BSWAP,
    A_CMPXCHG,
    A_XADD,
    A_CARRY,
    A_DIRECTION,
    ACTION = 0x3f,
    // Of an opcode.
    M = 0x40,    // ModRM
    B = 0x80,    // bytes
    IB = 0x100,  // an immediate byte
    IZ = 0x200,  // an immediate of the operand's size, at most 4 bytes
    LK = 0x400,  // may have LOCK
    F3 = 0x800,  // the same with F3 (which is counted as unknown elsewhere)
    N16 = 0x1000 // not with 66
};

extern const u16 first_forms[512]; // by opcode; the second half are those behind 0f

static ALWAYS_INLINE unsigned imm_bytes(const struct first *x, unsigned form) {
    return form & IB ? 1 : form & IZ ? (x->size == 2 ? 2 : 4) : 0;
}

static ALWAYS_INLINE void address(struct first *x, unsigned modrm, unsigned form) {
    unsigned mod = modrm >> 6, low = modrm & 7;
    const u64 *r = x->s->r;
    u64 ea;
    if (low == 4) {
        unsigned sib = *x->p++, index = (sib >> 3 & 7) | (x->rex & 2) << 2;
        ea = index == 4 ? 0 : r[index] << (sib >> 6);
        if ((sib & 7) == 5 && mod == 0)
            mod = 2;
        else
            ea += r[(sib & 7) | (x->rex & 1) << 3];
    } else if (low == 5 && mod == 0) {
        ea = x->wide ? x->shift + (uintptr_t)x->p + 4 + imm_bytes(x, form) : 0;
        mod = 2;
    } else {
        ea = r[low | (x->rex & 1) << 3];
    }
    if (mod == 1) {
        ea += (u64)(i8)*x->p++;
    } else if (mod == 2) {
        ea += (u64)first_i32(x->p);
        x->p += 4;
    }
    x->ea = x->wide ? ea : (u32)ea;
}

static ALWAYS_INLINE void operands(struct first *x, unsigned form) {
    if (form & M) {
        unsigned modrm = *x->p++;
        x->reg = (u8)((modrm >> 3 & 7) | (x->rex & 4) << 1);
        x->mem = modrm < 0xc0;
        if ((form & ACTION) == A_GROUP3 && !(modrm & 0x30)) // TEST
            form |= form & B ? IB : IZ;
        if (x->mem)
            address(x, modrm, form);
        else
            x->rm = (u8)((modrm & 7) | (x->rex & 1) << 3);
    }
    if (form & IB) {
        x->imm = (u64)(i8)*x->p++;
    } else if (form & IZ) {
        x->imm = x->size == 2 ? (u64)(i16)(x->p[0] | x->p[1] << 8) : (u64)first_i32(x->p);
        x->p += x->size == 2 ? 2 : 4;
    }
}

// Of the instruction, that are not read yet.
static ALWAYS_INLINE unsigned more_bytes(const struct first *x, unsigned form) {
    unsigned action = form & ACTION;
    return action == A_MOV_RI ? x->size : action == A_RET_I ? 2 : 0;
}

// x->op is the first byte of REX, if there is one, and opcode: the last, and its form.
static ALWAYS_INLINE unsigned first_opcode(struct first *x) {
    if (x->wide && (x->op & 0xf0) == 0x40) {
        x->rex = x->op;
        if (x->rex & 8) x->size = 8;
        x->op = *x->p++;
    }
    if (first_forms[x->op] != A_0F) return first_forms[x->op];
    x->op = *x->p++;
    return first_forms[0x100 + x->op];
}

// Opcode and its form, when prefixes other than REX come before it; x->p is behind the first one.
unsigned first_prefixed(struct first *x, u8 first);
// What such prefixes mean for the operands. False: unknown.
bool first_settle(struct first *x);

#endif
