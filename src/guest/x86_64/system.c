// Control registers, flags with rights, ports and the other privileged instructions (SDM 2;
// 3A 2.5). Helpers of rows with PRIV are called at CPL 0 only (xlift_privileged before them), real
// mode included.
#include "guest/x86_64.h"
#include "guest/x86_64/decode.h"
#include "guest/x86_64/state.h"
#include "guest/x86_64/view.h"
#include "host/host.h"

#define UNUSED3(a, b, c) ((void)(a), (void)(b), (void)(c))

static unsigned iopl(const struct x86_state *s) { return (unsigned)(s->eflags & FL_IOPL) >> 12; }

// ---- flags

u64 x86_help_pushf(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    (void)imm;
    if (s->eflags & FL_VM && iopl(s) < 3) x86_gp(s, 0);
    return x86_eflags(s) & ~(u64)(FL_VM | FL_RF);
}

u64 x86_help_popf(struct guest_state *g, u64 v, u64 b, u64 c, u64 size) {
    struct x86_state *s = x86_of(g);
    (void)b;
    (void)c;
    if (s->eflags & FL_VM && iopl(s) < 3) {
        x86_gp(s, 0);
        return 0;
    }
    u64 m = FL_TF | FL_NT;
    if (size > 2) m |= FL_AC | FL_ID;
    if (s->cpl <= iopl(s)) m |= FL_IF;
    if (s->cpl == 0) m |= FL_IOPL;
    s->eflags = (s->eflags & ~m & ~(u64)FL_RF) | (v & m);
    s->df = v & FL_DF ? ~(u64)0 : 1;
    x86_set_status_flags(s, v);
    return 0;
}

// In 64-bit mode, where nothing of it can be refused.
u64 x86_help_rflags(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    UNUSED3(a, b, c);
    (void)imm;
    return x86_of(g)->eflags;
}

u64 x86_help_cli(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    (void)imm;
    if (s->cpl > iopl(s)) return 1;
    s->eflags &= ~(u64)FL_IF;
    return 0;
}

// STI ends its block only when an interrupt waits: then it is told as STI_LOOK, with the
// instruction not counted and the next one, which comes before the interrupt, a block of its own.
// `ends`: it does so anyway.
u64 x86_help_sti(struct guest_state *g, u64 a, u64 b, u64 c, u64 ends) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    if (s->cpl > iopl(s)) return STI_REFUSED;
    if (s->eflags & FL_IF) return STI_DONE;
    s->eflags |= FL_IF;
    s->shadow_at = guest_icount(g) + 1;
    s->shadow_ss = false;
    if (ends || (!s->irq_told && !s->nmi) || !x86_interrupt_held(s)) return STI_DONE;
    s->shadow_at--;
    s->held = true;
    return STI_LOOK;
}

u64 x86_help_set_ac(struct guest_state *g, u64 a, u64 b, u64 c, u64 on) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    s->eflags = on ? s->eflags | FL_AC : s->eflags & ~(u64)FL_AC;
    return 0;
}

// With interrupts off only an NMI could end it: that is how a kernel stops a machine that it cannot
// switch off (docs/x86_64_board.md).
u64 x86_help_hlt(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    const struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    (void)imm;
    g->idle = g->stop = true; // the run loop decides whether to wait
    if (!(s->eflags & FL_IF) && !s->nmi && g->board->shutdown)
        g->board->shutdown(g->board->arg, 0, false);
    return 0;
}

// ---- control registers

static u64 cr4_valid(void) {
    return CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
           CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP |
           CR4_SMAP | 3; // VME and PVI can be set; virtual 8086 mode is not there
}

static bool write_cr0(struct x86_state *s, u64 v) {
    v |= CR0_ET;
    if (v >> 32 || (v & CR0_PG && !(v & CR0_PE)) || (v & CR0_NW && !(v & CR0_CD))) return false;
    bool was = s->cr0 & CR0_PG, on = v & CR0_PG;
    if (!was && on && s->efer & EFER_LME) {
        if (!(s->cr4 & CR4_PAE) || s->seg[SEG_CS].attr & SEGA_L) return false;
        s->efer |= EFER_LMA;
    }
    if (was && !on) {
        if (s->code == X86_CODE64 || s->cr4 & CR4_PCIDE) return false;
        s->efer &= ~(u64)EFER_LMA;
    }
    u64 changed = s->cr0 ^ v;
    s->cr0 = v;
    if (changed & (CR0_PG | CR0_WP)) x86_flush_all(s);
    x86_update_mode(s);
    return true;
}

static bool write_cr4(struct x86_state *s, u64 v) {
    if (v & ~cr4_valid()) return false;
    bool lma = s->efer & EFER_LMA;
    if (lma && !(v & CR4_PAE)) return false;
    if (v & CR4_PCIDE && !(s->cr4 & CR4_PCIDE) && (!lma || s->cr3 & 0xfff)) return false;
    u64 changed = s->cr4 ^ v;
    s->cr4 = v;
    x86_keep_control(s);
    if (changed & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP)) x86_flush_all(s);
    return true;
}

bool x86_write_cr(struct x86_state *s, unsigned cr, u64 v) {
    const struct cpu_board *b = s->g.board;
    switch (cr) {
    case 0:
        return write_cr0(s, v);
    case 2:
        s->cr2 = v;
        return true;
    case 3: {
        bool keep = s->cr4 & CR4_PCIDE;
        if (s->efer & EFER_LMA && (v & ~((u64)keep << 63)) >> X86_PHYS_BITS) return false;
        x86_write_cr3(s, v);
        return true;
    }
    case 4:
        return write_cr4(s, v);
    case 8:
        return !(v >> 4) && (!b->msr_write || b->msr_write(b->arg, X86_MSR_TPR, v << 4));
    default:
        return false;
    }
}

static bool cr_exists(unsigned n) { return n == 0 || (n >= 2 && n <= 4) || n == 8; }

u64 x86_help_read_cr(struct guest_state *g, u64 a, u64 b, u64 c, u64 n) {
    const struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    return n == 0 ? s->cr0 : n == 2 ? s->cr2 : n == 3 ? s->cr3 : s->cr4;
}

u64 x86_help_read_cr8(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    const struct cpu_board *board = g->board;
    UNUSED3(a, b, c);
    (void)imm;
    u64 v = 0;
    if (board->msr_read && board->msr_read(board->arg, X86_MSR_TPR, &v)) v = v >> 4 & 15;
    return v;
}

u64 x86_help_write_cr(struct guest_state *g, u64 v, u64 b, u64 c, u64 n) {
    struct x86_state *s = x86_of(g);
    (void)b;
    (void)c;
    if (!cr_exists((unsigned)n))
        guest_raise(g, EXC_UD, 0);
    else if (!x86_write_cr(s, (unsigned)n, s->code == X86_CODE64 ? v : (u32)v))
        x86_gp(s, 0);
    return 0;
}

u64 x86_help_clts(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    (void)imm;
    s->cr0 &= ~(u64)CR0_TS;
    x86_keep_control(s);
    return 0;
}

u64 x86_help_lmsw(struct guest_state *g, u64 v, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)b;
    (void)c;
    (void)imm;
    u64 pe = s->cr0 & CR0_PE; // cannot be cleared
    if (!write_cr0(s, (s->cr0 & ~(u64)15) | (v & 15) | pe)) x86_gp(s, 0);
    return 0;
}

// ---- debug registers

static bool dr_ok(struct x86_state *s, u64 n) {
    if (n > 7 || (s->cr4 & CR4_DE && (n == 4 || n == 5))) {
        guest_raise(&s->g, EXC_UD, 0);
        return false;
    }
    if (s->dr7 & 0x2000) { // GD
        s->step_dr6 |= 0x2000;
        guest_raise(&s->g, EXC_DB, 0);
        return false;
    }
    return true;
}

u64 x86_help_read_dr(struct guest_state *g, u64 a, u64 b, u64 c, u64 n) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    if (!dr_ok(s, n)) return 0;
    return n < 4 ? s->dr[n] : n & 1 ? s->dr7 : s->dr6;
}

static void write_dr7(struct x86_state *s, u64 v) {
    s->dr7 = (v & 0xffff2bffu) | 0x400;
    x86_keep_control(s);
}

u64 x86_help_write_dr(struct guest_state *g, u64 v, u64 b, u64 c, u64 n) {
    struct x86_state *s = x86_of(g);
    (void)b;
    (void)c;
    if (!dr_ok(s, n)) return 0;
    if (n < 4)
        s->dr[n] = v;
    else if (v >> 32)
        x86_gp(s, 0);
    else if (n & 1)
        write_dr7(s, v);
    else
        s->dr6 = (v & 0xe00fu) | 0xffff0ff0u;
    return 0;
}

// ---- bases, counters, randomness

u64 x86_help_base_ok(struct guest_state *g, u64 base, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)b;
    (void)c;
    (void)imm;
    if (!(s->cr4 & CR4_FSGSBASE))
        guest_raise(g, EXC_UD, 0);
    else if (!x86_canonical(base))
        x86_gp(s, 0);
    return 0;
}

u64 x86_tsc(const struct x86_state *s) {
    const struct cpu_board *b = s->g.board;
    u64 v;
    if (b->msr_read && b->msr_read(b->arg, X86_MSR_TSC, &v)) return v;
    return b->time_ns ? b->time_ns(b->arg) : 0;
}

static bool may_read_tsc(struct x86_state *s) {
    if (!(s->cr4 & CR4_TSD) || s->cpl == 0) return true;
    x86_gp(s, 0);
    return false;
}

u64 x86_help_rdtsc(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    (void)imm;
    if (!may_read_tsc(s)) return 0;
    u64 t = x86_tsc(s);
    s->r[RAX] = (u32)t;
    s->r[RDX] = t >> 32;
    return 0;
}

u64 x86_help_rdtscp(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    if (!may_read_tsc(s)) return 0;
    x86_help_rdtsc(g, a, b, c, imm);
    s->r[RCX] = (u32)s->tsc_aux;
    return 0;
}

u64 x86_help_rdpid(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    UNUSED3(a, b, c);
    (void)imm;
    return (u32)x86_of(g)->tsc_aux;
}

u64 x86_help_rdpmc(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    UNUSED3(a, b, c);
    (void)imm;
    x86_gp(x86_of(g), 0); // there are no counters
    return 0;
}

u64 x86_help_random(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    u64 v;
    (void)g;
    UNUSED3(a, b, c);
    (void)imm;
    host_random(&v, sizeof v);
    return v;
}

u64 x86_help_cpuid(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    (void)imm;
    u32 out[4] = {0};
    x86_cpuid(s, (u32)s->r[RAX], (u32)s->r[RCX], out);
    s->r[RAX] = out[0];
    s->r[RBX] = out[1];
    s->r[RCX] = out[2];
    s->r[RDX] = out[3];
    return 0;
}

// ---- extended state

u64 x86_help_xgetbv(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    (void)imm;
    u32 n = (u32)s->r[RCX];
    if (!(s->cr4 & CR4_OSXSAVE)) {
        guest_raise(g, EXC_UD, 0);
    } else if (n > 1) {
        x86_gp(s, 0);
    } else {
        s->r[RAX] = (u32)(n ? s->xcr0 & x86_xinuse(s) : s->xcr0);
        s->r[RDX] = 0;
    }
    return 0;
}

u64 x86_help_xsetbv(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    (void)imm;
    u64 v = (u32)s->r[RAX] | s->r[RDX] << 32;
    if (!(s->cr4 & CR4_OSXSAVE)) {
        guest_raise(g, EXC_UD, 0);
    } else if ((u32)s->r[RCX] || !(v & 1) || v & ~(u64)7 || (v & 4 && !(v & 2))) {
        x86_gp(s, 0);
    } else {
        s->xcr0 = v;
        x86_keep_control(s);
    }
    return 0;
}

static bool needs_xsave(enum x86_isa isa) {
    return isa == ISA_AVX || isa == ISA_AVX2 || isa == ISA_F16C || isa == ISA_FMA;
}

u64 x86_help_fpu_check(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    const struct x86_state *s = x86_of(g);
    UNUSED3(a, b, c);
    enum x86_isa isa = (enum x86_isa)imm;
    if (isa == ISA_COUNT || isa == ISA_XSAVE) { // fwait waits when MP says so
        if ((s->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) guest_raise(g, EXC_NM, 0);
        return 0;
    }
    bool sse = isa >= ISA_SSE;
    bool ud = needs_xsave(isa) ? !(s->cr4 & CR4_OSXSAVE) || (s->xcr0 & 6) != 6 || !(s->cr0 & CR0_PE)
              : sse            ? s->cr0 & CR0_EM || !(s->cr4 & CR4_OSFXSR)
                               : isa == ISA_MMX && s->cr0 & CR0_EM;
    if (ud)
        guest_raise(g, EXC_UD, 0);
    else if (s->cr0 & CR0_TS || (isa == ISA_X87 && s->cr0 & CR0_EM))
        guest_raise(g, EXC_NM, 0);
    return 0;
}

// ---- ports

// The I/O permission bitmap of the task state (SDM 1 19.5.2).
bool x86_port_allowed(struct x86_state *s, u16 port, unsigned size) {
    struct x86_fault f;
    u64 at, bits;
    if (!(s->cr0 & CR0_PE) || (s->cpl <= iopl(s) && !(s->eflags & FL_VM))) return true;
    bool ok = (s->tr.attr & SEGA_P) && (s->tr.attr & 13) == 9 && s->tr.limit >= 103;
    if (!ok || !x86_sys_read(s, s->tr_base + 102, 2, &at, &f)) return false;
    at += port / 8;
    if (at + 1 > s->tr.limit || !x86_sys_read(s, s->tr_base + at, 2, &bits, &f)) return false;
    return !(bits >> (port % 8) & ((1u << size) - 1));
}

u64 x86_help_in(struct guest_state *g, u64 port, u64 b, u64 c, u64 size) {
    struct x86_state *s = x86_of(g);
    const struct cpu_board *board = g->board;
    (void)b;
    (void)c;
    u64 ones = ((u64)1 << (8 * size)) - 1;
    if (!x86_port_allowed(s, (u16)port, (unsigned)size)) {
        x86_gp(s, 0);
        return 0;
    }
    return board->port_read ? board->port_read(board->arg, (u16)port, (unsigned)size) & ones : ones;
}

u64 x86_help_out(struct guest_state *g, u64 port, u64 v, u64 c, u64 size) {
    struct x86_state *s = x86_of(g);
    const struct cpu_board *board = g->board;
    (void)c;
    if (!x86_port_allowed(s, (u16)port, (unsigned)size))
        x86_gp(s, 0);
    else if (board->port_write)
        board->port_write(board->arg, (u16)port, (unsigned)size, (u32)v);
    return 0;
}
