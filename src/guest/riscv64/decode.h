// From bytes to a row of insns.def.
#ifndef BERTH_GUEST_RISCV64_DECODE_H
#define BERTH_GUEST_RISCV64_DECODE_H

#include "base/types.h"

enum rv_id {
    RV_ILLEGAL,
#define RV(ext, id, name, match, mask, format, lifter, arg) RV_##id,
#include "guest/riscv64/insns.def"
    RV_COUNT
};

// Operands, for printing and for making random instructions.
enum rv_format {
    RVF_NONE,
    RVF_R,   // rd, rs1, rs2
    RVF_R1,  // rd, rs1
    RVF_I,   // rd, rs1, imm
    RVF_SH6, // rd, rs1, shift amount
    RVF_SH5,
    RVF_LOAD,   // rd, imm(rs1)
    RVF_FLOAD,  // fd, imm(rs1)
    RVF_STORE,  // rs2, imm(rs1)
    RVF_FSTORE, // fs2, imm(rs1)
    RVF_BRANCH, // rs1, rs2, target
    RVF_U,      // rd, upper immediate
    RVF_J,      // rd, target
    RVF_JALR,   // rd, imm(rs1)
    RVF_LR,     // rd, (rs1)
    RVF_AMO,    // rd, rs2, (rs1)
    RVF_FENCE,  // predecessors, successors
    RVF_SFENCE, // rs1, rs2
    RVF_CSR,    // rd, csr, rs1
    RVF_CSRI,   // rd, csr, 5-bit immediate
    RVF_F4,     // fd, fs1, fs2, fs3, rm
    RVF_F3,     // fd, fs1, fs2, rm
    RVF_F3N,    // fd, fs1, fs2
    RVF_F2,     // fd, fs1, rm
    RVF_XFF,    // rd, fs1, fs2
    RVF_XF,     // rd, fs1
    RVF_FX,     // fd, rs1
    RVF_XFRM,   // rd, fs1, rm
    RVF_FXRM,   // fd, rs1, rm
};

struct rv_row {
    const char *name;
    u32 match, mask;
    u8 format; // enum rv_format
    char ext;
};
extern const struct rv_row rv_rows[RV_COUNT];

// The length in bytes that the first two bytes announce: 2 or 4. Longer ones do not exist here:
// they are illegal 4-byte ones.
static inline unsigned rv_length(u32 low16) { return (low16 & 3) == 3 ? 4 : 2; }
enum rv_id rv_decode(u32 insn);
// The 32-bit instruction a compressed one stands for; 0 (never valid) when it is reserved.
u32 rv_expand(u32 insn16);

static inline unsigned rv_rd(u32 i) { return i >> 7 & 31; }
static inline unsigned rv_rs1(u32 i) { return i >> 15 & 31; }
static inline unsigned rv_rs2(u32 i) { return i >> 20 & 31; }
static inline unsigned rv_rs3(u32 i) { return i >> 27; }
static inline unsigned rv_funct3(u32 i) { return i >> 12 & 7; }
static inline i32 rv_imm_i(u32 i) { return (i32)i >> 20; }
static inline i32 rv_imm_s(u32 i) { return ((i32)i >> 25) * 32 + (i32)(i >> 7 & 31); }
static inline i32 rv_imm_u(u32 i) { return (i32)(i & 0xfffff000u); }
static inline i32 rv_imm_b(u32 i) {
    return ((i32)i >> 31) * 4096 +
           (i32)((i >> 7 & 1) << 11 | (i >> 25 & 63) << 5 | (i >> 8 & 15) << 1);
}
static inline i32 rv_imm_j(u32 i) {
    return ((i32)i >> 31) * 0x100000 +
           (i32)((i >> 12 & 255) << 12 | (i >> 20 & 1) << 11 | (i >> 21 & 1023) << 1);
}

#endif
