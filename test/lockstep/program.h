// A bare-metal riscv64 program as data: RAM and the registers it starts with. Made at random
// (random.c) or read from a file (cases/). The file's lines:
//
//   ram BASE SIZE            insns N                 line PERIOD   (the external interrupt toggles
//   every so many chunks) chunk LO HI SEED         torture NAMES           how it was run when it
//   failed (lockstep_plan, --torture) fill ADDRESS LENGTH SEED                         random bytes
//   NAME VALUE               pc priv satp stvec sscratch sstatus sie stimecmp frm x1..x31 f0..f31,
//   in hex ADDRESS: BYTES           in hex # remark, also at the end of a line
#ifndef BERTH_TEST_LOCKSTEP_PROGRAM_H
#define BERTH_TEST_LOCKSTEP_PROGRAM_H

#include "lockstep.h"

enum { PROGRAM_REGS = 9 + 64, PROGRAM_FILLS = 4 };

struct program {
    gpa base;
    u64 size;
    u64 insns;
    u32 line; // 0: no external interrupts
    u32 chunk_lo, chunk_hi;
    u64 chunk_seed;
    char torture[80];
    u64 reg[PROGRAM_REGS];
    struct {
        gpa at;
        u64 len, seed;
    } fill[PROGRAM_FILLS];
    unsigned nfill;
    u8 *ram;            // without the fills
    gpa code, code_end; // where instructions are, for the text
};

enum program_reg {
    REG_PC,
    REG_PRIV,
    REG_SATP,
    REG_STVEC,
    REG_SSCRATCH,
    REG_SSTATUS,
    REG_SIE,
    REG_STIMECMP,
    REG_FRM,
    REG_X,
    REG_F = REG_X + 32,
};

bool program_init(struct program *p, gpa base, u64 size);
void program_free(struct program *p);
bool program_load(struct program *p, const char *text, size_t len, struct err *err);
void program_save(const struct program *p, struct buf *out);

// Where it runs: RAM, and at PROGRAM_MMIO a device that counts its accesses: reads give numbers
// that depend on all accesses before, a write to offset 0 drops interrupt line 9, one to 8 raises
// it.
#define PROGRAM_MMIO 0x10000000u
struct lockstep_world program_world(const struct program *p);

#endif
