// Model-specific registers (SDM 4; APM 2 appendix A). What is neither here, in msr.def nor the
// board's does not exist (#GP). Memory types are kept and mean nothing.
#include "base/compiler.h"
#include "guest/x86_64.h"
#include "guest/x86_64/decode.h"
#include "guest/x86_64/state.h"
#include "guest/x86_64/view.h"

enum {
    MSR_PATCH_LEVEL = 0x8b,
    MSR_MTRRCAP = 0xfe,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_MTRR_VAR = 0x200,
    MSR_MTRR_VAR_END = 0x210,
    MSR_PAT = 0x277,
    MSR_XSS = 0xda0, // components of XSAVES beside XCR0's: none
};
#define MSR_EFER   0xc0000080u
#define MSR_SYSCFG 0xc0010010u
#define MSR_HWCR   0xc0010015u
#define MSR_DE_CFG 0xc0011029u // bit 1: LFENCE waits for all before it, as it does here

static int fixed_mtrr(u32 msr) {
    static const u16 n[11] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                              0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    for (unsigned i = 0; i < ARRAY_LEN(n); i++)
        if (n[i] == msr) return (int)i;
    return -1;
}

bool x86_msr_read(struct x86_state *s, u32 msr, u64 *v) {
    const struct cpu_board *b = s->g.board;
    switch (msr) {
#define X86_MSR(number, field, bits, canonical)                                                    \
    case number:                                                                                   \
        *v = s->field;                                                                             \
        return true;
#include "guest/x86_64/msr.def"
    case MSR_EFER:
        *v = s->efer;
        return true;
    case MSR_PAT:
        *v = s->pat;
        return true;
    case MSR_MTRRCAP:
        *v = 8 | 1 << 8 | 1 << 10;
        return true;
    case MSR_HWCR:
        *v = 1 << 24;
        return true; // the TSC's frequency does not change
    case MSR_DE_CFG:
        *v = 2;
        return true;
    case MSR_PATCH_LEVEL:
    case MSR_MCG_CAP:
    case MSR_MCG_STATUS:
    case MSR_SYSCFG:
    case MSR_XSS:
        *v = 0;
        return true;
    default:
        break;
    }
    if (msr >= MSR_MTRR_VAR && msr < MSR_MTRR_VAR_END) {
        *v = s->mtrr_var[msr - MSR_MTRR_VAR];
        return true;
    }
    if (fixed_mtrr(msr) >= 0) {
        *v = s->mtrr_fixed[fixed_mtrr(msr)];
        return true;
    }
    return b->msr_read && b->msr_read(b->arg, msr, v);
}

static bool write_efer(struct x86_state *s, u64 v) {
    u64 can = EFER_SCE | EFER_LME | EFER_NXE;
    if (v & ~(can | EFER_LMA)) return false;
    if ((s->efer ^ v) & EFER_LME && s->cr0 & CR0_PG) return false;
    if ((s->efer ^ v) & EFER_NXE) x86_flush_all(s);
    s->efer = (s->efer & EFER_LMA) | (v & can);
    x86_keep_control(s);
    return true;
}

static bool write_pat(struct x86_state *s, u64 v) {
    for (unsigned i = 0; i < 8; i++) {
        unsigned t = v >> (8 * i) & 0xff;
        if (t > 7 || t == 2 || t == 3) return false;
    }
    s->pat = v;
    return true;
}

bool x86_msr_write(struct x86_state *s, u32 msr, u64 v) {
    const struct cpu_board *b = s->g.board;
    switch (msr) {
#define X86_MSR(number, field, bits, canonical)                                                    \
    case number:                                                                                   \
        if (v & ~(bits) || (canonical && !x86_canonical(v))) return false;                         \
        s->field = v;                                                                              \
        return true;
#include "guest/x86_64/msr.def"
    case MSR_EFER:
        return write_efer(s, v);
    case MSR_PAT:
        return write_pat(s, v);
    case MSR_MTRRCAP:
        return false;
    case MSR_XSS:
        return v == 0;
    case MSR_HWCR:
    case MSR_DE_CFG:
    case MSR_PATCH_LEVEL:
    case MSR_MCG_STATUS:
    case MSR_SYSCFG:
        return true;
    default:
        break;
    }
    if (msr >= MSR_MTRR_VAR && msr < MSR_MTRR_VAR_END) {
        s->mtrr_var[msr - MSR_MTRR_VAR] = v;
        return true;
    }
    if (fixed_mtrr(msr) >= 0) {
        s->mtrr_fixed[fixed_mtrr(msr)] = v;
        return true;
    }
    return b->msr_write && b->msr_write(b->arg, msr, v);
}

u64 x86_help_rdmsr(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    u64 v = 0;
    (void)a;
    (void)b;
    (void)c;
    (void)imm;
    if (!x86_msr_read(s, (u32)s->r[RCX], &v)) {
        x86_gp(s, 0);
        return 0;
    }
    s->r[RAX] = (u32)v;
    s->r[RDX] = v >> 32;
    return 0;
}

u64 x86_help_wrmsr(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    (void)imm;
    if (!x86_msr_write(s, (u32)s->r[RCX], (u32)s->r[RAX] | s->r[RDX] << 32)) x86_gp(s, 0);
    return 0;
}
