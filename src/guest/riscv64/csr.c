// Control and status registers, and what lifted code depends on through them (Privileged 2, 4.1;
// Unprivileged 20.2). Registers are rows of csr.def. There is no M mode: its registers do not
// exist.
#include "guest/riscv64/decode.h"
#include "guest/riscv64/state.h"

// ---- fields that take only some values (WARL)

static u64 read_sstatus(const struct rv64_state *s) {
    return s->sstatus | SSTATUS_UXL64 | (s->sstatus & SSTATUS_FS ? SSTATUS_SD : 0);
}

// FS is off or dirty: the guest is told that registers may have changed whenever they can.
static void write_sstatus(struct rv64_state *s, u64 v) {
    v &= SSTATUS_STORED;
    if (v & SSTATUS_FS) v |= SSTATUS_FS;
    s->sstatus = v;
}

static void write_fcsr(struct rv64_state *s, u64 v) {
    s->fflags = v & 31;
    s->frm = v >> 5 & 7;
}

// Modes above 1 are reserved; the old mode stays. A vectored base needs no more alignment than 4.
static void write_stvec(struct rv64_state *s, u64 v) {
    u64 mode = (v & 3) < 2 ? v & 3 : s->stvec & 3;
    s->stvec = (v & ~(u64)3) | mode;
}

// What became enabled may be due already.
static void write_sie(struct rv64_state *s, u64 v) {
    s->sie = v & SIP_ALL;
    (void)rv64_interrupt_pending(&s->g);
    guest_timer_changed(&s->g);
}

// A write that selects a mode which does not exist has no effect at all.
static void write_satp(struct rv64_state *s, u64 v) {
    unsigned mode = SATP_MODE(v);
    if (mode != SATP_BARE && mode != SATP_SV39 && mode != SATP_SV48) return;
    s->satp = v & ((u64)15 << 60 | (u64)0xffff << 44 | (((u64)1 << SATP_PPN_BITS) - 1));
}

// ---- rights beyond those in the number

static bool access_any(const struct rv64_state *s, unsigned csr) {
    (void)s;
    (void)csr;
    return true;
}

static bool access_fp(const struct rv64_state *s, unsigned csr) {
    (void)csr;
    return (s->sstatus & SSTATUS_FS) != 0;
}

static bool access_counter(const struct rv64_state *s, unsigned csr) {
    return s->priv == PRIV_S || (s->scounteren >> (csr & 31) & 1);
}

static bool may_access(const struct rv64_state *s, unsigned csr) {
    return (csr >> 8 & 3) <= s->priv;
}

// ---- the table

bool rv64_csr_read(struct rv64_state *s, unsigned csr, u64 *val) {
    if (!may_access(s, csr)) return false;
    switch (csr) {
#define CSR(number, name, access, read, write, effect)                                             \
    case number:                                                                                   \
        if (!access_##access(s, csr)) return false;                                                \
        *val = (read);                                                                             \
        return true;
#include "guest/riscv64/csr.def"
    default:
        return false;
    }
}

bool rv64_csr_write(struct rv64_state *s, unsigned csr, u64 v) {
    if (!may_access(s, csr) || csr >> 10 == 3) return false;
    switch (csr) {
#define CSR(number, name, access, read, write, effect)                                             \
    case number:                                                                                   \
        if (!access_##access(s, csr)) return false;                                                \
        write;                                                                                     \
        return true;
#include "guest/riscv64/csr.def"
    default:
        return false;
    }
}

bool rv64_csr_changes_mode(unsigned csr) {
    enum { PLAIN, MODE };
    switch (csr) {
#define CSR(number, name, access, read, write, effect)                                             \
    case number:                                                                                   \
        return effect == MODE;
#include "guest/riscv64/csr.def"
    default:
        return false;
    }
}

const char *rv64_csr_name(unsigned csr) {
    switch (csr) {
#define CSR(number, name, access, read, write, effect)                                             \
    case number:                                                                                   \
        return name;
#include "guest/riscv64/csr.def"
    default:
        return NULL;
    }
}

u32 rv64_code_mode(const struct guest_state *g) {
    const struct rv64_state *s = rv64_const(g);
    u32 mode = s->priv == PRIV_S ? MODE_S : 0;
    if (!(s->sstatus & SSTATUS_FS)) return mode | MODE_FS_OFF;
    if (s->frm == RM_RNE) return mode | MODE_RM_RNE;
    return mode | (s->frm <= RM_RMM ? MODE_RM_OTHER : MODE_RM_INVALID);
}

// ---- the instructions

static u64 csr_access(struct guest_state *g, u64 operand, u64 insn) {
    struct rv64_state *s = rv64_of(g);
    unsigned csr = (u32)insn >> 20, how = rv_funct3((u32)insn) & 3;
    bool writes = how == 1 || rv_rs1((u32)insn) != 0;
    u64 old;
    // csrrw to x0 does not read, which no register here could tell.
    if (!rv64_csr_read(s, csr, &old) || (writes && csr >> 10 == 3)) {
        guest_raise(g, EXC_ILLEGAL, insn);
        return 0;
    }
    if (!writes) return old;
    // Bits of sip that a device sets must not be written back as software's; SSIP is the only
    // writable.
    u64 v = how == 1 ? operand : how == 2 ? old | operand : old & ~operand;
    rv64_csr_write(s, csr, v);
    return old;
}

u64 rv64_help_csr(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b;
    (void)c;
    return csr_access(g, a, imm);
}

u64 rv64_help_csr_mode(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b;
    (void)c;
    return csr_access(g, a, imm);
}
