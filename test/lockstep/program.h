// A bare-metal program as data: RAM and the registers it starts with. Made at random
// (random_*.c) or read from a file (cases/). The file's lines:
//
//   guest NAME                   x86_64; riscv64 when there is none
//   ram BASE SIZE
//   insns N
//   line PERIOD                  the external interrupt toggles every so many chunks
//   chunk LO HI SEED             how it was run when it failed: lockstep_plan,
//   torture NAMES                --torture
//   fill ADDRESS LENGTH SEED     random bytes
//   NAME VALUE                   a register, in hex (program_riscv64.c, program_x86_64.c)
//   ADDRESS: BYTES               in hex
//   # remark                     also at the end of a line
#ifndef BERTH_TEST_LOCKSTEP_PROGRAM_H
#define BERTH_TEST_LOCKSTEP_PROGRAM_H

#include "lockstep.h"

enum { PROGRAM_REGS = 96, PROGRAM_FILLS = 4 };

struct program;

// The machine around it: a side's world.
struct bare {
    struct cpu *cpu;
    struct bus *bus;
    u64 skipped_ns, sum; // sum: of the device's accesses
    u64 deadline;        // x86_64: the timer's, board time; 0: not armed
    bool level, timer;   // x86_64: of the line; the timer has fired and was not taken
};

// What a guest's programs need: their registers by name, and how they start.
struct program_guest {
    const struct guest_arch *arch;
    unsigned nregs;
    const char *(*reg_name)(unsigned i, char *buf, size_t cap);
    void (*defaults)(struct program *p);
    void (*board)(struct bare *m, struct cpu_board *b);
    void (*start)(const struct program *p, struct bare *m);
    void (*set_line)(struct bare *m, int level);
    unsigned max_insn;
};
extern const struct program_guest program_riscv64, program_x86_64;
const struct program_guest *program_guest_named(const char *name); // NULL: there is none

struct program {
    const struct program_guest *guest;
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

bool program_init(struct program *p, const struct program_guest *guest, gpa base, u64 size);
void program_free(struct program *p);
bool program_load(struct program *p, const char *text, size_t len, struct err *err);
void program_save(const struct program *p, struct buf *out);

// Where it runs: RAM, and at PROGRAM_MMIO a device that counts its accesses: reads give numbers
// that depend on all accesses before, a write to offset 0 drops the interrupt line, one to 8 raises
// it, one to 16 is an NMI where the guest has one.
#define PROGRAM_MMIO 0x10000000u
struct lockstep_world program_world(const struct program *p);

// ---- riscv64
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

// ---- x86_64: registers and what descriptors are loaded from. Segment bases come from the
// descriptors, then fs_base and gs_base.
enum program_x86_reg {
    XREG_PC,
    XREG_FLAGS,
    XREG_CR0,
    XREG_CR3,
    XREG_CR4,
    XREG_EFER,
    XREG_GDT,
    XREG_GDT_LIMIT,
    XREG_IDT,
    XREG_IDT_LIMIT,
    XREG_CS,
    XREG_SS,
    XREG_DS,
    XREG_ES,
    XREG_TR,
    XREG_FS_BASE,
    XREG_GS_BASE,
    XREG_STAR,
    XREG_LSTAR,
    XREG_CSTAR,
    XREG_FMASK,
    XREG_MXCSR,
    XREG_R,
    XREG_X = XREG_R + 16, // low and high half of each
    XREG_COUNT = XREG_X + 32,
};

#endif
