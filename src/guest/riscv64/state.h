// The architected state of one RV64 hart. What IR touches are u64 cells addressed by byte offset;
// the rest belongs to helpers.
#ifndef BERTH_GUEST_RISCV64_STATE_H
#define BERTH_GUEST_RISCV64_STATE_H

#include <assert.h>

#include "guest/guest.h"

enum rv64_priv { PRIV_U = 0, PRIV_S = 1 };

struct rv64_state {
    struct guest_state g;
    // ---- cells of IR
    u64 x[32];    // x[0] is never written and stays 0
    u64 f[32];    // single precision NaN-boxed
    u64 res_addr; // address of the last LR, RES_NONE when there is no reservation
    u64 res_val;  // what LR loaded there
    // What a trap handler begins and ends with. IR changes only SIE of sstatus.
    u64 sstatus; // bits SSTATUS_STORED; FS is held as off or dirty
    u64 sscratch, sepc, scause, stval;
    // ---- not touched by IR
    u64 priv;            // enum rv64_priv
    u64 fflags;          // 5 bits
    u64 frm;             // 3 bits, also the reserved values
    u64 sie, ssip, seip; // ssip, seip: 0 or the bit in sip
    u64 stvec, satp;
    u64 scounteren, senvcfg;
    u64 stimecmp;
    u64 stip; // 0 or the bit in sip, as of the last look at the clock (trap.c)
    // Addresses of both halves of the address space (by sign) where superpages may be cached as 4
    // KiB ones: lo to hi, both included. Empty when lo > hi.
    struct {
        u64 lo, hi;
    } super[2];
};

static_assert(offsetof(struct rv64_state, g) == 0, "the head comes first");
static_assert(offsetof(struct rv64_state, x) % 16 == 0, "registers are aligned cells");
static_assert(offsetof(struct rv64_state, f) == offsetof(struct rv64_state, x) + 256, "f after x");
static_assert(offsetof(struct rv64_state, res_addr) == offsetof(struct rv64_state, x) + 512,
              "reservation after f");

#define RV_X(r)     ((u32)(offsetof(struct rv64_state, x) + 8 * (r)))
#define RV_F(r)     ((u32)(offsetof(struct rv64_state, f) + 8 * (r)))
#define RV_PC       ((u32)offsetof(struct rv64_state, g.pc))
#define RV_RES_ADDR ((u32)offsetof(struct rv64_state, res_addr))
#define RV_RES_VAL  ((u32)offsetof(struct rv64_state, res_val))
#define RV_SSTATUS  ((u32)offsetof(struct rv64_state, sstatus))
#define RES_NONE    (~(u64)0)

static inline struct rv64_state *rv64_of(struct guest_state *s) { return (struct rv64_state *)s; }
static inline const struct rv64_state *rv64_const(const struct guest_state *s) {
    return (const struct rv64_state *)s;
}

// ---- exceptions and interrupts (Privileged 4.1.8)
enum {
    EXC_INSN_ACCESS = 1,
    EXC_ILLEGAL = 2,
    EXC_BREAKPOINT = 3,
    EXC_LOAD_MISALIGNED = 4,
    EXC_LOAD_ACCESS = 5,
    EXC_STORE_MISALIGNED = 6,
    EXC_STORE_ACCESS = 7,
    EXC_ECALL_U = 8,
    EXC_INSN_PAGE = 12,
    EXC_LOAD_PAGE = 13,
    EXC_STORE_PAGE = 15,
};
enum { IRQ_SSI = 1, IRQ_STI = 5, IRQ_SEI = 9 };
#define IRQ_BIT(n) ((u64)1 << (n))
#define SIP_ALL    (IRQ_BIT(IRQ_SSI) | IRQ_BIT(IRQ_STI) | IRQ_BIT(IRQ_SEI))

// ---- sstatus (Privileged 4.1.1)
#define SSTATUS_SIE   ((u64)1 << 1)
#define SSTATUS_SPIE  ((u64)1 << 5)
#define SSTATUS_SPP   ((u64)1 << 8)
#define SSTATUS_FS    ((u64)3 << 13)
#define SSTATUS_SUM   ((u64)1 << 18)
#define SSTATUS_MXR   ((u64)1 << 19)
#define SSTATUS_UXL64 ((u64)2 << 32)
#define SSTATUS_SD    ((u64)1 << 63)
#define SSTATUS_STORED                                                                             \
    (SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP | SSTATUS_FS | SSTATUS_SUM | SSTATUS_MXR)

// ---- satp (Privileged 4.1.11). PPN has the 36 bits that 48-bit physical addresses need; ASID
// all 16.
enum { SATP_BARE = 0, SATP_SV39 = 8, SATP_SV48 = 9 };
#define SATP_PPN_BITS 36
#define SATP_MODE(v)  ((unsigned)((v) >> 60))
#define SATP_ASID(v)  ((v) >> 44 & 0xffff)
#define SATP_PPN(v)   ((v) & (((u64)1 << SATP_PPN_BITS) - 1))

// What code depends on besides its bytes (rv64_code_mode): whether F and D may be used and what
// a dynamic rounding mode means; and whether it runs in S mode.
enum { MODE_FS_OFF, MODE_RM_RNE, MODE_RM_OTHER, MODE_RM_INVALID, MODE_FP = 3, MODE_S = 4 };

enum { RM_RNE, RM_RTZ, RM_RDN, RM_RUP, RM_RMM, RM_DYN = 7 };

enum { RV64_TICK_NS = 100 }; // timebase 10 MHz

// ---- helpers called from lifted code
enum rv64_helper {
#define RV_HELPER(id, effects) HELPER_##id,
#include "guest/riscv64/helpers.def"
    HELPER_COUNT
};
#define RV_HELPER(id, effects)                                                                     \
    u64 rv64_help_##id(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm);
#include "guest/riscv64/helpers.def"

// ---- trap.c
void rv64_raise(struct guest_state *g, u64 cause, u64 tval);
bool rv64_take_interrupt(struct guest_state *g);
bool rv64_interrupt_pending(struct guest_state *g);
void rv64_set_irq(struct guest_state *g, unsigned line, bool level);
u64 rv64_next_timer(const struct guest_state *g);
u64 rv64_time(const struct rv64_state *s); // the time CSR
u64 rv64_sip(struct rv64_state *s);
void rv64_set_timer(struct rv64_state *s, u64 stimecmp);

// ---- mmu.c
#define RV64_TLB_SPACE (((u64)1 << 52) - 1) // bits of the key that are satp's PPN and ASID
u64 rv64_tlb_key(const struct guest_state *g);
bool rv64_translate(struct guest_state *g, gva va, enum guest_access access,
                    struct guest_translation *out, u64 *cause);
u64 rv64_bus_fault(enum guest_access access);
void rv64_mmu_reset(struct rv64_state *s);
// sfence.vma: NULL means all.
void rv64_sfence(struct rv64_state *s, const u64 *va, const u64 *asid);

// ---- csr.c
// False: no such CSR, no right to it, or a write to a read-only one.
bool rv64_csr_read(struct rv64_state *s, unsigned csr, u64 *val);
bool rv64_csr_write(struct rv64_state *s, unsigned csr, u64 val);
// A write (or what it changes) needs the block to end.
bool rv64_csr_changes_mode(unsigned csr);
const char *rv64_csr_name(unsigned csr); // NULL when unknown
u32 rv64_code_mode(const struct guest_state *g);

// ---- sbi.c
void rv64_sbi_call(struct rv64_state *s);

// ---- lift.c, disasm.c
unsigned rv64_lift(struct ir_block *b, const u8 *code, unsigned avail, i32 rel, u32 mode);
unsigned rv64_disassemble(const u8 *code, unsigned avail, gva pc, char *buf, size_t cap);

#endif
