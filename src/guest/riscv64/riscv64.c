// The riscv64 guest as the engines see it: reset, boot, dumps and the table of everything else.
// RV64GC_Zicsr_Zifencei_Zicntr_Zba_Zbb_Zbs_Sstc, S and U mode, Sv39 and Sv48.
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "guest/riscv64/decode.h"
#include "guest/riscv64/state.h"

static const struct guest_helper helpers[HELPER_COUNT] = {
#define RV_HELPER(id, effects) [HELPER_##id] = {#id, rv64_help_##id, effects, FAST_NONE},
#define RV_FAST(id, fast)      [HELPER_##id] = {#id, rv64_help_##id, 0, FAST_##fast},
#include "guest/riscv64/helpers.def"
};

static void reset(struct guest_state *g) {
    struct rv64_state *s = rv64_of(g);
    memset((u8 *)s + offsetof(struct rv64_state, x), 0, sizeof *s - offsetof(struct rv64_state, x));
    g->pc = 0;
    s->priv = PRIV_S;
    s->res_addr = RES_NONE;
    s->stimecmp = ~(u64)0;
    rv64_mmu_reset(s);
}

static void boot(struct guest_state *g, gva pc, u64 arg0, u64 arg1) {
    struct rv64_state *s = rv64_of(g);
    g->pc = pc;
    s->x[10] = arg0;
    s->x[11] = arg1;

    s->scounteren = 7; // as OpenSBI leaves it: cycle, time and instret are readable from user mode
}

static size_t describe(const struct guest_state *g, char *buf, size_t cap) {
    const struct rv64_state *s = rv64_const(g);
    if (cap == 0) return 0;
    size_t n = 0;
    int r = snprintf(buf, cap, "pc=%016llx %c", (unsigned long long)g->pc,
                     s->priv == PRIV_S ? 'S' : 'U');
    for (unsigned i = 1; r >= 0 && i <= 32; i++) {
        n += (size_t)r;
        if (n >= cap) return cap - 1;
        if (i < 32)
            r = snprintf(buf + n, cap - n, " x%u=%llx", i, (unsigned long long)s->x[i]);
        else
            r = snprintf(buf + n, cap - n, " satp=%llx sstatus=%llx scause=%llx stval=%llx",
                         (unsigned long long)s->satp, (unsigned long long)s->sstatus,
                         (unsigned long long)s->scause, (unsigned long long)s->stval);
    }
    n += r > 0 ? (size_t)r : 0;
    return n < cap ? n : cap - 1;
}

const struct guest_arch guest_riscv64 = {
    .name = "riscv64",
    .state_size = sizeof(struct rv64_state),
    .compare_from = offsetof(struct rv64_state, x),
    .compare_to = offsetof(struct rv64_state, super), // which depends on what was cached
    .max_insn = 4,
    .helpers = helpers,
    .nhelpers = HELPER_COUNT,
    .inexact_cell = offsetof(struct rv64_state, fflags),
    .inexact_mask = 1, // NX
    .inexact_bit = 1,
    .boxed = true,
    .reset = reset,
    .boot = boot,
    .lift = rv64_lift,
    .code_mode = rv64_code_mode,
    .tlb_key = rv64_tlb_key,
    .tlb_space = RV64_TLB_SPACE,
    .translate = rv64_translate,
    .bus_fault = rv64_bus_fault,
    .raise = rv64_raise,
    .take_interrupt = rv64_take_interrupt,
    .interrupt_pending = rv64_interrupt_pending,
    .set_irq = rv64_set_irq,
    .next_timer = rv64_next_timer,
    .describe = describe,
    .disassemble = rv64_disassemble,
};
