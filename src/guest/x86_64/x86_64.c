// The x86_64 guest as the engines see it: reset, boot, dumps and the table of everything else.
#include <stdio.h>

#include "guest/x86_64.h"
#include "guest/x86_64/decode.h"
#include "guest/x86_64/flags.h"
#include "guest/x86_64/state.h"

static const struct guest_helper helpers[HELPER_COUNT] = {
#define X86_HELPER(id, effects) [HELPER_##id] = {#id, x86_help_##id, effects, FAST_NONE},
#define X86_FAST(id, fast)      [HELPER_##id] = {#id, x86_help_##id, 0, FAST_##fast},
#include "guest/x86_64/helpers.def"
};

// After reset (SDM 3A table 9-1).
static void reset(struct guest_state *g) {
    struct x86_state *s = x86_of(g);
    memset((u8 *)s + GUEST_FLAGS, 0, sizeof *s - GUEST_FLAGS);
    s->df = 1;
    x86_set_status_flags(s, 0);
    s->eflags = 2;
    s->cr0 = CR0_CD | CR0_NW | CR0_ET;
    s->xcr0 = 1;
    x86_set_mxcsr(s, 0x1f80);
    s->fpu_cw = 0x37f;
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x400;
    s->pat = 0x0007040600070406;
    s->misc_enable = 1;
    for (unsigned i = 0; i < 6; i++) s->seg[i] = (struct x86_seg){0, 0x93, 0xffff};
    s->seg[SEG_CS] = (struct x86_seg){0xf000, 0x9b, 0xffff};
    s->seg_base[SEG_CS] = 0xffff0000;
    s->gdt.limit = s->idt.limit = 0xffff;
    s->ldt = (struct x86_seg){0, 0x82, 0xffff};
    s->tr = (struct x86_seg){0, 0x8b, 0xffff};
    s->r[RDX] = 0x00830f10;
    g->pc = 0xfffffff0;
    x86_mmu_reset(s);
    x86_update_mode(s);
}

// As guest/x86_64.h says.
static void boot(struct guest_state *g, gva pc, u64 arg0, u64 arg1) {
    struct x86_state *s = x86_of(g);
    bool is_long = arg0 & X86_BOOT_LONG;
    memset(s->r, 0, sizeof s->r);
    s->r[RAX] = (u32)arg0;
    s->r[RBX] = s->r[RSI] = arg1;
    s->cr0 = CR0_PE | CR0_ET | (is_long ? CR0_PG : 0);
    if (is_long) {
        s->cr3 = X86_BOOT_CR3;
        s->cr4 = CR4_PAE;
        s->efer = EFER_LME | EFER_LMA;
    }
    for (unsigned i = 0; i < 6; i++) x86_set_flat_seg(s, i, X86_BOOT_DS, 0x93 | SEGA_G | SEGA_DB);
    x86_set_flat_seg(s, SEG_CS, X86_BOOT_CS, 0x9b | SEGA_G | (is_long ? SEGA_L : SEGA_DB));
    s->tr = (struct x86_seg){X86_BOOT_TR, 0x8b, 0x67};
    s->ldt = (struct x86_seg){0, 0, 0};
    s->gdt = (struct x86_table){X86_BOOT_GDT, X86_BOOT_GDT_LIMIT};
    s->idt = (struct x86_table){0, 0};
    x86_update_mode(s);
    g->pc = pc;
}

static size_t describe(const struct guest_state *g, char *buf, size_t cap) {
    static const char *const name[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                         "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    const struct x86_state *s = x86_const(g);
    if (cap == 0) return 0;
    size_t n = 0;
    int r = snprintf(buf, cap, "pc=%016llx cpl%u %s fl=%llx", (unsigned long long)g->pc,
                     (unsigned)s->cpl,
                     s->code == X86_CODE64   ? "64"
                     : s->code == X86_CODE32 ? "32"
                                             : "16",
                     (unsigned long long)x86_eflags(s));
    for (unsigned i = 0; r >= 0 && i <= 16; i++) {
        n += (size_t)r;
        if (n >= cap) return cap - 1;
        if (i < 16)
            r = snprintf(buf + n, cap - n, " %s=%llx", name[i], (unsigned long long)s->r[i]);
        else
            r = snprintf(
                buf + n, cap - n, " cr0=%llx cr2=%llx cr3=%llx cr4=%llx efer=%llx fs=%llx gs=%llx",
                (unsigned long long)s->cr0, (unsigned long long)s->cr2, (unsigned long long)s->cr3,
                (unsigned long long)s->cr4, (unsigned long long)s->efer,
                (unsigned long long)s->seg_base[SEG_FS], (unsigned long long)s->seg_base[SEG_GS]);
    }
    n += r > 0 ? (size_t)r : 0;
    return n < cap ? n : cap - 1;
}

// The same flags can lie in the lazy cells in several ways, and cells that their kind does not use
// may hold anything. A shadow that is over means nothing.
static void canonical(struct guest_state *copy) {
    struct x86_state *s = x86_of(copy);
    x86_set_status_flags(s, x86_status_flags(s));
    if (s->shadow_at != copy->icount) s->shadow_at = s->shadow_ss = 0;
    s->held = false; // whether an interrupt is pending is not the CPU's
}

const struct guest_arch guest_x86_64 = {
    .name = "x86_64",
    .state_size = sizeof(struct x86_state),
    .compare_from = offsetof(struct x86_state, cc_op),
    .compare_to = offsetof(struct x86_state, large),
    .canonical = canonical,
    .max_insn = 15,
    .open_bus = true,
    .lazy_flags = true,
    .hot_kernel = true,
    .flags = {X86_CELL(cc_op), X86_CELL(cc_res), ~(u64)63, CC_SUB << 6, CC_BARE << 6},
    .helpers = helpers,
    .nhelpers = HELPER_COUNT,
    .inexact_cell = offsetof(struct x86_state, fp_quick),
    .inexact_mask = ~0u,
    .inexact_bit = X86_QUICK,
    .denormals = true,
    .reset = reset,
    .boot = boot,
    .first = x86_first,
    .lift = x86_lift,
    .code_mode = x86_code_mode,
    .tlb_key = x86_tlb_key,
    .tlb_space = X86_KEY_SPACE,
    .translate = x86_translate,
    .bus_fault = x86_bus_fault,
    .raise = x86_raise,
    .take_interrupt = x86_take_interrupt,
    .view = x86_view,
    .settle = x86_settle,
    .interrupt_pending = x86_interrupt_pending,
    .set_irq = x86_set_irq,
    .next_timer = x86_next_timer,
    .describe = describe,
    .disassemble = x86_disassemble,
};
