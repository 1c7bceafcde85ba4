// What cached translations and decoded code depend on, computed from the state: short, because
// every system call asks twice. Shared by mmu.c, seg.c and trap.c.
//
// The key of a cached translation is everything the walk's answer depends on besides the tables,
// packed without loss:
//   bits 0..27 CR3 page | 28..39 PCID | 40 user | 41 WP | 42 SMEP | 43 SMAP | 44 NXE |
//   45..46 paging mode | 47 PSE | 48 addresses are cut to 32 bits
#ifndef BERTH_GUEST_X86_64_VIEW_H
#define BERTH_GUEST_X86_64_VIEW_H

#include "base/compiler.h"
#include "guest/x86_64/decode.h"
#include "guest/x86_64/state.h"
#include "guest/x86_64/x87.h"

#define X86_PAGE_MASK ((((u64)1 << X86_PHYS_BITS) - 1) & ~(u64)0xfff)

enum x86_paging { PAGING_NONE, PAGING_32, PAGING_PAE, PAGING_LONG };

#define KEY_PCID_SHIFT 28
#define KEY_USER_SHIFT 40
#define KEY_PAGE_MASK  (((u64)1 << 28) - 1)
#define KEY_PCID_MASK  ((u64)0xfff << KEY_PCID_SHIFT)

static inline enum x86_paging x86_paging(const struct x86_state *s) {
    if (!(s->cr0 & CR0_PG)) return PAGING_NONE;
    if (s->efer & EFER_LMA) return PAGING_LONG;
    return s->cr4 & CR4_PAE ? PAGING_PAE : PAGING_32;
}

static inline u64 x86_key_of_cr3(const struct x86_state *s, u64 cr3) {
    u64 pcid = s->cr4 & CR4_PCIDE ? cr3 & 0xfff : 0;
    return (cr3 & X86_PAGE_MASK) >> 12 | pcid << KEY_PCID_SHIFT;
}

// What of both depends on control registers, XCR0 and DR7 only. Their writers call
// x86_keep_control.
static inline u64 x86_key_control(const struct x86_state *s) {
    if (!(s->cr0 & CR0_PG)) return 0;
    u64 key = x86_key_of_cr3(s, s->cr3) | (u64)x86_paging(s) << 45;
    key |= (s->cr0 / CR0_WP & 1) << 41 | (s->efer / EFER_NXE & 1) << 44;
    return key | (s->cr4 / CR4_SMEP & 3) << 42 | (s->cr4 / CR4_PSE & 1) << 47;
}
static_assert(CR4_SMAP == 2 * CR4_SMEP, "the two bits lie as in the key");

static inline u32 x86_mode_control(const struct x86_state *s) {
    const u64 cr4 = CR4_OSFXSR | CR4_OSXSAVE;
    bool fpu = !(s->cr0 & (CR0_EM | CR0_TS)) && (s->cr4 & cr4) == cr4 && (s->xcr0 & 7) == 7;
    return (fpu ? 0 : MODE_FPU_CHECK) | (s->dr7 & 0xff ? MODE_CAREFUL : 0);
}

static inline void x86_keep_control(struct x86_state *s) {
    s->key_control = x86_key_control(s);
    s->mode_control = x86_mode_control(s);
}

static inline u64 x86_key_with(const struct x86_state *s, u64 control) {
    bool user = s->cpl == 3 && control; // without paging privilege does not matter
    return control | (u64)user << KEY_USER_SHIFT | (u64)(s->code != X86_CODE64) << 48;
}

static inline u32 x86_mode_with(const struct x86_state *s, u32 control) {
    u32 m = control;
    if (unlikely(s->code != X86_CODE64))
        m |= s->code == X86_CODE16 ? MODE_16_SEG : s->flat ? MODE_32 : MODE_32_SEG;
    if (unlikely(s->eflags & (FL_TF | FL_AC))) {
        bool ac = s->eflags & FL_AC && s->cpl == 3 && s->cr0 & CR0_AM;
        if (s->eflags & FL_TF || ac) m |= MODE_CAREFUL;
    }
    if (unlikely(s->held)) m |= MODE_CAREFUL;
    if (unlikely((s->fpu_sw & SW_ES) | (~s->fpu_cw & 0x3f))) m |= MODE_FPU_CHECK;
    if (unlikely((s->mxcsr & 0xffc0) != 0x1f80)) m |= MODE_MXCSR;
    return m;
}
static_assert(MODE_64 == 0, "is the usual");

#endif
