// From bytes to a row of insns.def and its operands. Pure; depends on the tables only.
#ifndef BERTH_GUEST_X86_64_DECODE_H
#define BERTH_GUEST_X86_64_DECODE_H

#include "base/types.h"

enum x86_id {
    X86_ILLEGAL,
    X86_TOO_LONG, // more than 15 bytes: #GP
#define X86(id, name, pfx, form, o1, o2, o3, o4, attr, isa, flags, lifter, arg) X86_##id,
#include "guest/x86_64/insns.def"
    X86_ROWS
};

enum x86_operand_kind {
#define X86_OPERAND(name, type, size) X86O_##name,
#include "guest/x86_64/operands.def"
    X86_OPERAND_KINDS
};

enum x86_operand_type {
    X86T_NONE,
    X86T_RM,    // general register or memory
    X86T_REG,   // general register of ModRM.reg
    X86T_VVVV,  // general register of VEX.vvvv
    X86T_RMREG, // general register of ModRM.rm, whatever mod says
    X86T_CREG,
    X86T_DREG,
    X86T_SREG,
    X86T_OPREG, // general register in the opcode
    X86T_AX,
    X86T_CL,
    X86T_DX,
    X86T_ONE,
    X86T_SEG0,
    X86T_SEG1,
    X86T_SEG2,
    X86T_SEG3,
    X86T_SEG4,
    X86T_SEG5,
    X86T_SRC, // string source, [rsi]
    X86T_DST, // string destination, es:[rdi]
    X86T_IMM,
    X86T_IMMS, // sign-extended
    X86T_IMM2, // a second immediate byte
    X86T_REL,
    X86T_FAR,  // selector and offset
    X86T_OFFS, // memory at an address in the instruction
    X86T_XREG,
    X86T_XRM,
    X86T_XVVVV,
    X86T_XIMM,
    X86T_XMM0,
    X86T_VSIB, // memory at addresses of which a vector holds the indices
    X86T_MREG,
    X86T_MRM,
    X86T_ST0,
    X86T_STI,
};

enum x86_isa {
    ISA_I,
    ISA_SYS,
    ISA_FSGSBASE,
    ISA_CLFLUSH,
    ISA_POPCNT,
    ISA_LZCNT,
    ISA_BMI1,
    ISA_BMI2,
    ISA_MOVBE,
    ISA_ADX,
    ISA_CX16,
    ISA_RDRAND,
    ISA_RDSEED,
    ISA_RDPID,
    ISA_INVPCID,
    ISA_XSAVE,
    ISA_X87,
    ISA_MMX,
    ISA_SSE,
    ISA_SSE2,
    ISA_SSE3,
    ISA_SSSE3,
    ISA_SSE41,
    ISA_SSE42,
    ISA_AES,
    ISA_PCLMUL,
    ISA_SHA,
    ISA_AVX,
    ISA_AVX2,
    ISA_F16C,
    ISA_FMA,
    ISA_COUNT
};

// Attributes of rows.
enum {
    X86A_LOCK = 1,
    X86A_I64 = 2,
    X86A_O64 = 4,
    X86A_D64 = 8,
    X86A_PRIV = 16,
    X86A_REP = 32,
    X86A_GPR = 64,
};

// Form: bits 0..3 what is checked, digit and rm above.
enum {
    X86F_MODRM = 1,
    X86F_MEM = 2,
    X86F_REG = 4,
    X86F_DIGIT = 8, // digit in bits 4..6
    X86F_RM = 128,  // rm in bits 8..10
};

// Prefixes that select a row.
enum {
    X86P_NP = 1,
    X86P_66 = 2,
    X86P_F3 = 4,
    X86P_F2 = 8,
    X86P_ANY = 15,
    X86P_W0 = 16,
    X86P_W1 = 32,
    X86P_L0 = 64,
    X86P_L1 = 128,
};

struct x86_row {
    const char *name, *flags;
    u16 form;
    u8 op[4]; // enum x86_operand_kind
    u8 pfx, attr, isa;
    u8 behind; // which operands have bytes behind ModRM
};
extern const struct x86_row x86_rows[X86_ROWS];

// Where a row stands: its map, first opcode and how many opcodes it has.
struct x86_place {
    u8 map, opcode, span;
};
struct x86_place x86_row_place(enum x86_id id);

// Sizes of operands: bytes, or what it depends on.
enum {
    X86Z_N,
    X86Z_B = 1,
    X86Z_W = 2,
    X86Z_D = 4,
    X86Z_Q = 8,
    X86Z_T = 10,
    X86Z_O = 16,
    X86Z_QQ = 32,
    X86Z_VARIES,
    X86Z_V = X86Z_VARIES,
    X86Z_A,
    X86Z_Z,
    X86Z_Y,
    X86Z_M,
    X86Z_X,
    X86Z_H,
};

struct x86_operand_info {
    const char *name;
    u8 type; // enum x86_operand_type
    u8 size; // X86Z_*
};
extern const struct x86_operand_info x86_operands[X86_OPERAND_KINDS];

// How code is decoded.
enum x86_code_size { X86_CODE16, X86_CODE32, X86_CODE64 };

enum { X86_NOREG = 0xff, X86_RIP = 16 };
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_NONE = 7 };

struct x86_insn {
    u16 row;                      // enum x86_id
    u8 len;                       // 1..15
    u8 code;                      // enum x86_code_size
    u8 opcode;                    // last opcode byte
    u8 opsize;                    // 2, 4, 8
    u8 adsize;                    // 2, 4, 8
    bool lock, p66, vex, rex;     // rex: any REX prefix (SPL..DIL instead of AH..BH)
    u8 rep;                       // 0, 0xf2, 0xf3
    u8 seg;                       // override, SEG_NONE
    bool w;                       // REX.W or VEX.W
    u8 l;                         // VEX.L
    u8 modrm, mod, reg, rm, vvvv; // register numbers 0..15
    u8 rexb;                      // 0 or 8, for registers in the opcode
    u8 base, index, scale;        // memory operand; base X86_RIP: relative to the next instruction
    bool vsib;                    // index is a vector register
    i64 disp;
    u64 imm, imm2; // imm2: a far pointer's selector, or the second immediate
};

// Decodes at most `avail` bytes; false: more are needed. Otherwise d->row says what it is
// (X86_ILLEGAL, X86_TOO_LONG included) and d->len how long.
bool x86_decode(struct x86_insn *d, const u8 *code, unsigned avail, enum x86_code_size size);

unsigned x86_varying_size(const struct x86_insn *d, unsigned size); // X86Z_Z and on
// Size in bytes of operand i of the instruction; 0 when it has none.
static inline unsigned x86_operand_size(const struct x86_insn *d, unsigned i) {
    unsigned size = x86_operands[x86_rows[d->row].op[i]].size;
    if (size < X86Z_VARIES) return size;
    return size <= X86Z_A ? d->opsize : x86_varying_size(d, size);
}
static inline enum x86_operand_type x86_operand_type(const struct x86_insn *d, unsigned i) {
    return (enum x86_operand_type)x86_operands[x86_rows[d->row].op[i]].type;
}
static inline bool x86_is_mem(const struct x86_insn *d) { return d->mod != 3; }
// The segment its memory operand is in, when nothing overrides it.
static inline u8 x86_default_seg(const struct x86_insn *d) {
    return d->base == 4 || d->base == 5 ? SEG_SS : SEG_DS;
}

#endif
