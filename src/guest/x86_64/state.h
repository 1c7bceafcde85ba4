// The architected state of one x86 CPU. What IR touches are u64 and v128 cells addressed by byte
// offset; the rest belongs to helpers.
//
// Status flags are lazy: five cells that are set to values which exist anyway (flags.h).
#ifndef BERTH_GUEST_X86_64_STATE_H
#define BERTH_GUEST_X86_64_STATE_H

#include <assert.h>

#include "guest/guest.h"
#include "guest/x86_64/decode.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

// A segment register with its hidden part. The bases of FS and GS are cells (seg_base).
struct x86_seg {
    u16 sel;
    u16 attr;  // bits 40..47 and 52..55 of the descriptor: type S DPL P, and AVL L D G from bit 12
    u32 limit; // in bytes
};
#define SEGA_TYPE   0x000f
#define SEGA_S      0x0010
#define SEGA_DPL(a) ((a) >> 5 & 3)
#define SEGA_P      0x0080
#define SEGA_L      0x2000
#define SEGA_DB     0x4000
#define SEGA_G      0x8000

struct x86_table {
    u64 base;
    u16 limit;
};

enum { X86_USER_PAGES = 32 };

struct x86_state {
    struct guest_state g;
    // ---- cells of IR
    u64 cc_op, cc_res, cc_a, cc_b; // flags.h; where the engines look for flags (guest.h)
    u64 r[16];
    u64 cc_x;
    u64 df;          // what a string index moves by: 1 or -1
    u64 seg_base[6]; // by SEG_*; in 64-bit mode only FS and GS count
    v128 x[16];      // XMM
    v128 yh[16];     // upper halves of YMM
    v128 xs[2];      // an operand from memory, for helpers
    u64 cpl;
    u64 kernel_gs; // what SWAPGS puts into GS's base
    // ---- not touched by IR
    // x87: by register, not by stack position. mm[i] is the significand (and the MMX register).
    u64 mm[8];
    u64 st_exp[8];                        // sign and exponent, 16 bits
    u64 fpu_top, fpu_sw, fpu_cw, fpu_tag; // sw without TOP; tag: bit set = not empty
    u64 fpu_ip, fpu_dp, fpu_op;
    u64 mxcsr;
    u64 eflags; // without the status flags and DF; bit 1 set
    u64 cr0, cr2, cr3, cr4, efer, xcr0;
    u64 dr[4], dr6, dr7;
    struct x86_seg seg[6];
    u8 code;   // enum x86_code_size, of CS
    bool flat; // ES, CS, SS, DS: base 0, limit 4 GiB, 32-bit stack; false in 64-bit mode
    bool nmi, nmi_blocked;
    bool delivering; // an exception is being delivered: what faults now is a double fault
    // At this instruction count no interrupt is taken (the instruction after STI or MOV SS comes
    // first), after MOV SS (shadow_ss) no debug trap either. held: an interrupt was refused, so
    // that instruction is a block of its own (careful mode).
    u64 shadow_at;
    bool shadow_ss, held;
    u64 step_dr6; // debug traps to raise at the end of the instruction (careful mode)
    struct x86_seg ldt, tr;
    u64 ldt_base, tr_base;
    struct x86_table gdt, idt;
    u64 star, lstar, cstar, fmask;
    u64 sysenter_cs, sysenter_esp, sysenter_eip;
    u64 tsc_aux, tsc_offset, pat, apic_base, misc_enable;
    u64 mtrr_def, mtrr_fixed[11], mtrr_var[16];
    // Addresses of both halves of the address space (by sign) where large pages may be cached as 4
    // KiB ones: lo to hi, both included. Empty when lo > hi.
    struct {
        u64 lo, hi;
    } large[2];
    u64 fpu_upper;    // of an operand of 80 bits, between two helpers
    u32 fp_quick;     // X86_QUICK or 0: follows from MXCSR and what was computed (sse_scalar.c)
    bool fp_denormal; // a result was denormal since MXCSR was written
    u32 mode_control; // kept by x86_keep_control (view.h)
    u64 key_control;
    bool irq_told; // the board has said that interrupts changed and may have one
    // User pages that a supervisor accessed with EFLAGS.AC set under SMAP (mmu.c). Valid with the
    // stamp of now.
    u64 user_stamp;
    struct x86_user_page {
        u64 page, space, stamp;
        gpa pa;
        bool write;
    } user_pages[X86_USER_PAGES];
};

#define X86_QUICK FAST_RANGE

static_assert(offsetof(struct x86_state, g) == 0, "the head comes first");
static_assert(offsetof(struct x86_state, cc_op) == GUEST_FLAGS, "flags lie right behind the head");
static_assert(offsetof(struct x86_state, r) % 16 == 0, "registers are aligned cells");
static_assert(offsetof(struct x86_state, x) % 16 == 0, "vectors are aligned cells");
static_assert(offsetof(struct x86_state, mm) < 4096, "cells take part in forwarding");

#define X86_CELL(field) ((u32)offsetof(struct x86_state, field))
#define X86_R(n)        ((u32)(offsetof(struct x86_state, r) + 8 * (n)))
#define X86_X(n)        ((u32)(offsetof(struct x86_state, x) + 16 * (n)))
#define X86_YH(n)       ((u32)(offsetof(struct x86_state, yh) + 16 * (n)))
#define X86_XS(n)       ((u32)(offsetof(struct x86_state, xs) + 16 * (n)))
#define X86_BASE(s)     ((u32)(offsetof(struct x86_state, seg_base) + 8 * (s)))
#define X86_PC          ((u32)offsetof(struct x86_state, g.pc))

static inline struct x86_state *x86_of(struct guest_state *s) { return (struct x86_state *)s; }
static inline const struct x86_state *x86_const(const struct guest_state *s) {
    return (const struct x86_state *)s;
}

// ---- RFLAGS
#define FL_CF     0x1u
#define FL_PF     0x4u
#define FL_AF     0x10u
#define FL_ZF     0x40u
#define FL_SF     0x80u
#define FL_TF     0x100u
#define FL_IF     0x200u
#define FL_DF     0x400u
#define FL_OF     0x800u
#define FL_IOPL   0x3000u
#define FL_NT     0x4000u
#define FL_RF     0x10000u
#define FL_VM     0x20000u
#define FL_AC     0x40000u
#define FL_VIF    0x80000u
#define FL_VIP    0x100000u
#define FL_ID     0x200000u
#define FL_STATUS (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF)

#define CR0_PE 0x1u
#define CR0_MP 0x2u
#define CR0_EM 0x4u
#define CR0_TS 0x8u
#define CR0_ET 0x10u
#define CR0_NE 0x20u
#define CR0_WP 0x10000u
#define CR0_AM 0x40000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u

#define CR4_TSD        0x4u
#define CR4_DE         0x8u
#define CR4_PSE        0x10u
#define CR4_PAE        0x20u
#define CR4_MCE        0x40u
#define CR4_PGE        0x80u
#define CR4_PCE        0x100u
#define CR4_OSFXSR     0x200u
#define CR4_OSXMMEXCPT 0x400u
#define CR4_UMIP       0x800u
#define CR4_FSGSBASE   0x10000u
#define CR4_PCIDE      0x20000u
#define CR4_OSXSAVE    0x40000u
#define CR4_SMEP       0x100000u
#define CR4_SMAP       0x200000u

#define EFER_SCE 0x1u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define EFER_NXE 0x800u

enum { X86_PHYS_BITS = 40 }; // MAXPHYADDR

// ---- exceptions. A cause is the vector with, for those that push one, ERR and the error code.
enum {
    EXC_DE = 0,
    EXC_DB = 1,
    EXC_NMI = 2,
    EXC_BP = 3,
    EXC_OF = 4,
    EXC_BR = 5,
    EXC_UD = 6,
    EXC_NM = 7,
    EXC_DF = 8,
    EXC_TS = 10,
    EXC_NP = 11,
    EXC_SS = 12,
    EXC_GP = 13,
    EXC_PF = 14,
    EXC_MF = 16,
    EXC_AC = 17,
    EXC_XM = 19,
};
#define CAUSE_ERR        0x100u  // an error code is pushed: bits 16..31
#define CAUSE_TRAP       0x200u  // the saved address is tval, not state.pc
#define CAUSE_SOFT       0x400u  // int n: privilege of the gate is checked
#define CAUSE_NONCANON   0x800u  // #GP of a memory address: #SS when through the stack segment
#define CAUSE_RESUME     0x1000u // no exception: goes on at tval, with the mode as it is now
#define CAUSE_WITH(v, e) ((u64)(v) | CAUSE_ERR | (u64)(u16)(e) << 16)
#define CAUSE_GP0        CAUSE_WITH(EXC_GP, 0)
#define CAUSE_VECTOR(c)  ((unsigned)((c)&0xff))
#define CAUSE_CODE(c)    ((u16)((c) >> 16))

// ---- what code depends on besides its bytes (x86_code_mode)
enum {
    // Bits 0..1: how memory is addressed.
    MODE_64,
    MODE_32,     // 32-bit code, all of ES CS SS DS flat
    MODE_32_SEG, // 32-bit code with other segments
    MODE_16_SEG,
    MODE_SIZE = 3,
    // TF, breakpoints, alignment checks, an interrupt held off by STI: one instruction a block,
    // helpers look at each access.
    MODE_CAREFUL = 4,
    // x87, MMX, SSE or AVX are not all there (CR0.TS, EM, CR4, XCR0), or an exception of x87 is
    // unmasked or pending: each such instruction checks.
    MODE_FPU_CHECK = 8,
    // MXCSR is not at "round to nearest, all exceptions masked, no FTZ, no DAZ".
    MODE_MXCSR = 16,
};

enum x86_sti { STI_DONE, STI_LOOK, STI_REFUSED }; // what the helper says

// ---- helpers called from lifted code
enum x86_helper {
#define X86_HELPER(id, effects) HELPER_##id,
#include "guest/x86_64/helpers.def"
    HELPER_COUNT
};
#define X86_HELPER(id, effects)                                                                    \
    u64 x86_help_##id(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm);
#include "guest/x86_64/helpers.def"

// ---- flags.c
u64 x86_status_flags(const struct x86_state *s);           // from the cells
void x86_set_status_flags(struct x86_state *s, u64 flags); // FL_STATUS of `flags`
u64 x86_eflags(const struct x86_state *s);                 // all of RFLAGS

// ---- sse.c
void x86_set_mxcsr(struct x86_state *s, u64 v);

// ---- mmu.c
#define X86_KEY_SPACE (((u64)1 << 40) - 1) // CR3's page and PCID in a translation's key
u64 x86_tlb_key(const struct guest_state *g);
bool x86_translate(struct guest_state *g, gva va, enum guest_access access,
                   struct guest_translation *out, u64 *cause);
void x86_mmu_reset(struct x86_state *s);
void x86_write_cr3(struct x86_state *s, u64 v);
void x86_flush_all(struct x86_state *s);
void x86_flush_address(struct x86_state *s, gva va);
// Accesses the CPU makes itself: to tables as a supervisor whatever CPL is, to stacks with the
// privilege `user`. False: *cause and *cr2 say which exception (nothing raised).
struct x86_fault {
    u64 cause, cr2;
};
bool x86_sys_read(struct x86_state *s, gva va, unsigned size, u64 *v, struct x86_fault *f);
bool x86_sys_write(struct x86_state *s, gva va, unsigned size, u64 v, struct x86_fault *f);
bool x86_sys_read_bytes(struct x86_state *s, gva va, unsigned size, u8 *data, struct x86_fault *f);
// At most 64 bytes, all or none; without data only whether they can be written.
bool x86_stack_write(struct x86_state *s, gva va, unsigned size, u8 *data, bool user,
                     struct x86_fault *f);
static inline bool x86_canonical(u64 va) { return (u64)((i64)(va << 16) >> 16) == va; }

// ---- seg.c
// False: *f says which exception.
bool x86_load_seg(struct x86_state *s, unsigned seg, u16 sel, struct x86_fault *f);
void x86_set_flat_seg(struct x86_state *s, unsigned seg, u16 sel, u16 attr);
void x86_null_seg(struct x86_state *s, unsigned seg, u16 sel);
bool x86_read_desc(struct x86_state *s, u16 sel, u64 *desc, struct x86_fault *f, unsigned vector);
void x86_desc_to_seg(u64 desc, u16 sel, struct x86_seg *seg, u64 *base);
void x86_set_cs(struct x86_state *s, u16 sel, u64 desc, unsigned cpl);
void x86_mark_accessed(struct x86_state *s, u16 sel, u64 *desc);
void x86_update_code(struct x86_state *s); // after a change of segments
void x86_update_mode(struct x86_state *s); // or of CR0 or EFER, too
u32 x86_code_mode(const struct guest_state *g);
static inline u64 x86_eip(const struct x86_state *s) { // the instruction pointer the guest sees
    return s->code == 2 ? s->g.pc : (u32)(s->g.pc - s->seg_base[1]);
}
void x86_set_eip(struct x86_state *s, u64 eip);

// ---- trap.c
void x86_raise(struct guest_state *g, u64 cause, u64 tval);
bool x86_take_interrupt(struct guest_state *g);
void x86_view(const struct guest_state *g, struct guest_view *view);
bool x86_settle(struct guest_state *g, struct guest_view *view);
bool x86_interrupt_pending(struct guest_state *g);
bool x86_interrupt_held(
    struct x86_state *s); // one waits that may be taken; timers are not looked at
void x86_set_irq(struct guest_state *g, unsigned line, bool level);
u64 x86_next_timer(const struct guest_state *g);
u64 x86_bus_fault(enum guest_access access);
// From inside a helper: notes the exception (state.pc is the instruction's).
void x86_fault(struct x86_state *s, const struct x86_fault *f);
static inline void x86_gp(struct x86_state *s, u16 code) {
    guest_raise(&s->g, CAUSE_WITH(EXC_GP, code), 0);
}

// ---- control.c, msr.c, cpuid.c
bool x86_write_cr(struct x86_state *s, unsigned cr, u64 v); // false: #GP(0)
bool x86_msr_read(struct x86_state *s, u32 msr, u64 *v);
bool x86_msr_write(struct x86_state *s, u32 msr, u64 v);
void x86_cpuid(struct x86_state *s, u32 leaf, u32 sub, u32 out[4]);
u64 x86_tsc(const struct x86_state *s);
bool x86_port_allowed(struct x86_state *s, u16 port, unsigned size); // by IOPL or task state

// ---- fpstate.c
u64 x86_xinuse(const struct x86_state *s); // XINUSE: components of XSAVE not in their first state

// ---- first.c
enum first_end x86_first(struct guest_state *g, struct guest_first *f);

// ---- lift.c, disasm.c
unsigned x86_lift(struct ir_block *b, const u8 *code, unsigned avail, i32 rel, u32 mode);
unsigned x86_disassemble_as(const u8 *code, unsigned avail, gva pc, enum x86_code_size size,
                            char *buf, size_t cap);
unsigned x86_disassemble(const u8 *code, unsigned avail, gva pc, char *buf, size_t cap);

#endif
