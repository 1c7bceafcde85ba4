// Decoding: which row of insns.def a word is, and the expansion of compressed instructions
// (Unprivileged 16). Depends on nothing but the tables; all of it is pure.
//
// The search is a switch over the opcode and then a chain of compare-with-mask in the table's
// order; the compiler makes straight code of it. A generated tree would win little: code is decoded
// once a page.
#include "guest/riscv64/decode.h"

#include "base/compiler.h"

const struct rv_row rv_rows[RV_COUNT] = {
#define RV(ext, id, name, match, mask, format, lifter, arg)                                        \
    [RV_##id] = {name, match, mask, RVF_##format, #ext[0]},
#include "guest/riscv64/insns.def"
};

enum rv_id rv_decode(u32 insn) {
    switch (insn & 0x7f) {
#define RV_GROUP(opcode)                                                                           \
    break;                                                                                         \
    case opcode:
#define RV(ext, id, name, match, mask, format, lifter, arg)                                        \
    if ((insn & (mask)) == (match)) return RV_##id;
    default:
#include "guest/riscv64/insns.def"
        break;
    }
    return RV_ILLEGAL;
}

// ---- compressed

enum rvc_reg {
    RVCR_NONE,
    RVCR_RD,
    RVCR_RS2,
    RVCR_PRD,
    RVCR_PRS1,
    RVCR_ZERO,
    RVCR_RA,
    RVCR_SP,
};

enum rvc_imm {
    RVCI_NONE,
    RVCI_ADDI4SPN,
    RVCI_LW,
    RVCI_LD,
    RVCI_SW,
    RVCI_SD,
    RVCI_I6,
    RVCI_ADDI16SP,
    RVCI_LUI,
    RVCI_SH6,
    RVCI_J,
    RVCI_B,
    RVCI_LDSP,
    RVCI_LWSP,
    RVCI_SDSP,
    RVCI_SWSP,
};

enum rvc_need { RVCN_ANY, RVCN_NZIMM, RVCN_NZRD };

struct rvc_row {
    u16 match, mask;
    u32 base;
    u8 rd, rs1, rs2, imm, need;
};

static const struct rvc_row rvc_rows[] = {
#define RVC(id, match, mask, base, rd, rs1, rs2, imm, need)                                        \
    {match, mask, base, RVCR_##rd, RVCR_##rs1, RVCR_##rs2, RVCI_##imm, RVCN_##need},
#include "guest/riscv64/rvc.def"
};

static u32 rvc_reg(enum rvc_reg from, u32 i) {
    switch (from) {
    case RVCR_RD:
        return i >> 7 & 31;
    case RVCR_RS2:
        return i >> 2 & 31;
    case RVCR_PRD:
        return 8 + (i >> 2 & 7);
    case RVCR_PRS1:
        return 8 + (i >> 7 & 7);
    case RVCR_RA:
        return 1;
    case RVCR_SP:
        return 2;
    case RVCR_NONE:
    case RVCR_ZERO:
        break;
    }
    return 0;
}

// `n` bits of i from bit `from` on, moved to bit `to`.
static u32 field(u32 i, unsigned from, unsigned n, unsigned to) {
    return (i >> from & ((1u << n) - 1)) << to;
}

// The immediate's value, before it is packed into the 32-bit form.
static i32 rvc_imm_value(enum rvc_imm kind, u32 i) {
    i32 sign = (i32)(i << 19) >> 31; // bit 12
    switch (kind) {
    case RVCI_NONE:
        break;
    case RVCI_ADDI4SPN:
        return (i32)(field(i, 11, 2, 4) | field(i, 7, 4, 6) | field(i, 6, 1, 2) |
                     field(i, 5, 1, 3));
    case RVCI_LW:
    case RVCI_SW:
        return (i32)(field(i, 10, 3, 3) | field(i, 6, 1, 2) | field(i, 5, 1, 6));
    case RVCI_LD:
    case RVCI_SD:
        return (i32)(field(i, 10, 3, 3) | field(i, 5, 2, 6));
    case RVCI_I6:
        return sign * 32 + (i32)field(i, 2, 5, 0);
    case RVCI_ADDI16SP:
        return sign * 512 +
               (i32)(field(i, 6, 1, 4) | field(i, 5, 1, 6) | field(i, 3, 2, 7) | field(i, 2, 1, 5));
    case RVCI_LUI:
        return sign * 0x20000 + (i32)field(i, 2, 5, 12);
    case RVCI_SH6:
        return (i32)(field(i, 12, 1, 5) | field(i, 2, 5, 0));
    case RVCI_J:
        return sign * 2048 + (i32)(field(i, 11, 1, 4) | field(i, 9, 2, 8) | field(i, 8, 1, 10) |
                                   field(i, 7, 1, 6) | field(i, 6, 1, 7) | field(i, 3, 3, 1) |
                                   field(i, 2, 1, 5));
    case RVCI_B:
        return sign * 256 + (i32)(field(i, 10, 2, 3) | field(i, 5, 2, 6) | field(i, 3, 2, 1) |
                                  field(i, 2, 1, 5));
    case RVCI_LDSP:
        return (i32)(field(i, 12, 1, 5) | field(i, 5, 2, 3) | field(i, 2, 3, 6));
    case RVCI_LWSP:
        return (i32)(field(i, 12, 1, 5) | field(i, 4, 3, 2) | field(i, 2, 2, 6));
    case RVCI_SDSP:
        return (i32)(field(i, 10, 3, 3) | field(i, 7, 3, 6));
    case RVCI_SWSP:
        return (i32)(field(i, 9, 4, 2) | field(i, 7, 2, 6));
    }
    return 0;
}

static u32 rvc_pack_imm(enum rvc_imm kind, i32 imm) {
    u32 v = (u32)imm;
    switch (kind) {
    case RVCI_NONE:
        return 0;
    case RVCI_LUI:
        return v & 0xfffff000u;
    case RVCI_SW:
    case RVCI_SD:
    case RVCI_SWSP:
    case RVCI_SDSP:
        return field(v, 5, 7, 25) | field(v, 0, 5, 7);
    case RVCI_J:
        return field(v, 20, 1, 31) | field(v, 1, 10, 21) | field(v, 11, 1, 20) |
               field(v, 12, 8, 12);
    case RVCI_B:
        return field(v, 12, 1, 31) | field(v, 5, 6, 25) | field(v, 1, 4, 8) | field(v, 11, 1, 7);
    default:
        return v << 20;
    }
}

u32 rv_expand(u32 insn16) {
    u32 i = insn16 & 0xffff;
    for (size_t k = 0; k < ARRAY_LEN(rvc_rows); k++) {
        const struct rvc_row *r = &rvc_rows[k];
        if ((i & r->mask) != r->match) continue;
        i32 imm = rvc_imm_value(r->imm, i);
        if (r->need == RVCN_NZIMM && imm == 0) return 0;
        if (r->need == RVCN_NZRD && (i >> 7 & 31) == 0) return 0;
        return r->base | rvc_reg(r->rd, i) << 7 | rvc_reg(r->rs1, i) << 15 |
               rvc_reg(r->rs2, i) << 20 | rvc_pack_imm(r->imm, imm);
    }
    return 0;
}
