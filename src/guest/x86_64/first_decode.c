// The opcodes that are executed from their bytes, and what prefixes other than REX do to them (SDM
// 2A ch. 2). decode.c is the decoder of everything.
//
// Invariant: at most 15 bytes of an instruction are read.
#include "guest/x86_64/first_decode.h"

#define ALU(base, lk)                                                                              \
    [(base)] = A_ALU_MR | M | B | (lk), [(base) + 1] = A_ALU_MR | M | (lk),                        \
    [(base) + 2] = A_ALU_RM | M | B, [(base) + 3] = A_ALU_RM | M,                                  \
    [(base) + 4] = A_ALU_AI | B | IB, [(base) + 5] = A_ALU_AI | IZ

// clang-format off
const u16 first_forms[512] = {
    ALU(0x00, LK), ALU(0x08, LK), ALU(0x10, LK), ALU(0x18, LK),
    ALU(0x20, LK), ALU(0x28, LK), ALU(0x30, LK), ALU(0x38, 0),
    [0x0f] = A_0F,
    [0x26] = A_PREFIX, [0x2e] = A_PREFIX, [0x36] = A_PREFIX, [0x3e] = A_PREFIX,
    [0x40 ... 0x4f] = A_INCDEC, // in 64-bit mode REX comes before the opcode is looked up
    [0x50 ... 0x57] = A_PUSH_R | N16,
    [0x58 ... 0x5f] = A_POP_R | N16,
    [0x63] = A_MOVSXD | M,
    [0x64 ... 0x67] = A_PREFIX,
    [0x68] = A_PUSH_I | IZ | N16,
    [0x69] = A_IMUL3 | M | IZ,
    [0x6a] = A_PUSH_I | IB | N16,
    [0x6b] = A_IMUL3 | M | IB,
    [0x70 ... 0x7f] = A_JCC | IB | N16,
    [0x80] = A_ALU_MI | M | B | IB | LK,
    [0x81] = A_ALU_MI | M | IZ | LK,
    [0x83] = A_ALU_MI | M | IB | LK,
    [0x84] = A_TEST_MR | M | B, [0x85] = A_TEST_MR | M,
    [0x86] = A_XCHG_MR | M | B | LK, [0x87] = A_XCHG_MR | M | LK,
    [0x88] = A_MOV_MR | M | B, [0x89] = A_MOV_MR | M,
    [0x8a] = A_MOV_RM | M | B, [0x8b] = A_MOV_RM | M,
    [0x8d] = A_LEA | M,
    [0x90 ... 0x97] = A_XCHG_AR | F3,
    [0x98] = A_CBW, [0x99] = A_CWD,
    [0xa8] = A_TEST_AI | B | IB, [0xa9] = A_TEST_AI | IZ,
    [0xb0 ... 0xb7] = A_MOV_RI | B, [0xb8 ... 0xbf] = A_MOV_RI,
    [0xc0] = A_SHIFT_I | M | B | IB, [0xc1] = A_SHIFT_I | M | IB,
    [0xc2] = A_RET_I | N16, [0xc3] = A_RET | N16 | F3,
    [0xc6] = A_MOV_MI | M | B | IB, [0xc7] = A_MOV_MI | M | IZ,
    [0xc9] = A_LEAVE | N16,
    [0xd0] = A_SHIFT_1 | M | B, [0xd1] = A_SHIFT_1 | M,
    [0xd2] = A_SHIFT_C | M | B, [0xd3] = A_SHIFT_C | M,
    [0xe8] = A_CALL | IZ | N16,
    [0xe9] = A_JMP | IZ | N16, [0xeb] = A_JMP | IB | N16,
    [0xf0] = A_PREFIX, [0xf2 ... 0xf3] = A_PREFIX,
    [0xf5] = A_CARRY, [0xf8 ... 0xf9] = A_CARRY,
    [0xf6] = A_GROUP3 | M | B | LK, [0xf7] = A_GROUP3 | M | LK,
    [0xfc ... 0xfd] = A_DIRECTION,
    [0xfe] = A_GROUP45 | M | B | LK, [0xff] = A_GROUP45 | M | LK,
    // ---- 0f
    [0x10d] = A_NOP | M, [0x118 ... 0x11f] = A_NOP | M | F3,
    [0x140 ... 0x14f] = A_CMOV | M,
    [0x180 ... 0x18f] = A_JCC | IZ | N16,
    [0x190 ... 0x19f] = A_SETCC | M | B,
    [0x1a3] = A_BT_R | M, [0x1ab] = A_BT_R | M | LK, [0x1b3] = A_BT_R | M | LK, [0x1bb] = A_BT_R | M | LK,
    [0x1a4] = A_SHIFTD_I | M | IB, [0x1a5] = A_SHIFTD_C | M,
    [0x1ac] = A_SHIFTD_I | M | IB, [0x1ad] = A_SHIFTD_C | M,
    [0x1af] = A_IMUL2 | M,
    [0x1b0] = A_CMPXCHG | M | B | LK, [0x1b1] = A_CMPXCHG | M | LK,
    [0x1b6 ... 0x1b7] = A_MOVX | M, [0x1be ... 0x1bf] = A_MOVX | M,
    [0x1ba] = A_BT_I | M | IB | LK,
    [0x1bc ... 0x1bd] = A_SCAN | M | F3,
    [0x1c0] = A_XADD | M | B | LK, [0x1c1] = A_XADD | M | LK,
    [0x1c8 ... 0x1cf] = A_BSWAP | N16,
};
// clang-format on

// Not more of them than leave room for the longest instruction; others only before NOPs.
unsigned first_prefixed(struct first *x, u8 first) {
    unsigned n = 0;
    for (u8 b = first;; b = *x->p++) {
        if (first_forms[b] != A_PREFIX) {
            x->op = b;
            break;
        }
        if (++n > 5 || b == 0x67) return A_UNKNOWN;
        if (b == 0x66)
            x->p66 = true, x->size = 2;
        else if (b == 0xf0)
            x->lock = true;
        else if (b >= 0xf2)
            x->rep = b;
        else if (b == 0x64 || b == 0x65)
            x->seg = b == 0x64 ? SEG_FS : SEG_GS;
        else if (b == 0x2e && !x->wide)
            return A_UNKNOWN; // of the others only CS is not as without
    }
    unsigned form = first_opcode(x);
    unsigned action = form & ACTION;
    if (n > 3 && action != A_NOP) return A_UNKNOWN;
    if (x->rep && (x->rep == 0xf2 || !(form & F3))) return A_UNKNOWN;
    if (x->p66 && form & N16 && x->size == 2) return A_UNKNOWN;
    if (x->seg && (!x->wide || action == A_LEA)) return A_UNKNOWN;
    return action <= A_0F || (x->wide && action == A_INCDEC) ? A_UNKNOWN : form;
}

// LOCK is for some instructions with a destination in memory.
static bool may_lock(const struct first *x) {
    unsigned digit = x->reg & 7;
    if (!x->mem || !(x->form & LK)) return false;
    switch (x->form & ACTION) {
    case A_ALU_MI:
        return digit != 7;
    case A_GROUP3:
        return digit == 2 || digit == 3;
    case A_GROUP45:
        return digit < 2;
    case A_BT_I:
        return digit > 4;
    default:
        return true;
    }
}

bool first_settle(struct first *x) {
    if (x->lock && !may_lock(x)) return false;
    if (x->seg && x->mem) x->ea += x->s->seg_base[x->seg];
    return true;
}
