// Exceptions, interrupts and the instructions around them (Privileged 4.1, 4.2, Sstc). Everything
// is handled in S mode: there is no M mode, its share is sbi.c. Interrupts pending: SEIP is the
// wire from the interrupt controller, STIP is time >= stimecmp, SSIP is software's.
#include "base/compiler.h"
#include "guest/riscv64/state.h"

#define CAUSE_INTERRUPT ((u64)1 << 63)

static void enter_s(struct rv64_state *s, u64 cause, u64 tval) {
    u64 st = s->sstatus & ~(SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE);
    if (s->priv == PRIV_S) st |= SSTATUS_SPP;
    if (s->sstatus & SSTATUS_SIE) st |= SSTATUS_SPIE;
    s->sstatus = st;
    s->sepc = s->g.pc;
    s->scause = cause;
    s->stval = tval;
    s->priv = PRIV_S;
    s->g.pc = s->stvec & ~(u64)3;
    if (cause & CAUSE_INTERRUPT && s->stvec & 1) s->g.pc += 4 * (cause & 63);
}

// When the handler's own first instruction raises, nothing can ever make progress again: the hart
// stops instead of trapping for ever without retiring an instruction.
void rv64_raise(struct guest_state *g, u64 cause, u64 tval) {
    struct rv64_state *s = rv64_of(g);
    if (s->priv == PRIV_S && g->pc == (s->stvec & ~(u64)3)) {
        log_write(g->log, LOG_ERROR,
                  "the guest stopped: its trap handler at 0x%llx raises exception %llu itself "
                  "(address 0x%llx)",
                  (unsigned long long)g->pc, (unsigned long long)cause, (unsigned long long)tval);
        g->halted = g->stop = true;
    }
    enter_s(s, cause, tval);
}

// ---- interrupts

u64 rv64_time(const struct rv64_state *s) {
    return s->g.board->time_ns(s->g.board->arg) / RV64_TICK_NS;
}

// The clock is a call to the host, so it is asked once a slice (rv64_interrupt_pending) and when
// the answer may change, not at every trap return.
static void look_at_clock(struct rv64_state *s) {
    bool due = s->stimecmp != ~(u64)0 && rv64_time(s) >= s->stimecmp;
    s->stip = due ? IRQ_BIT(IRQ_STI) : 0;
}

void rv64_set_timer(struct rv64_state *s, u64 stimecmp) {
    s->stimecmp = stimecmp;
    look_at_clock(s);
    guest_timer_changed(&s->g);
}

u64 rv64_sip(struct rv64_state *s) {
    look_at_clock(s);
    return s->ssip | s->seip | s->stip;
}

static u64 pending_and_enabled(const struct rv64_state *s) {
    return (s->ssip | s->seip | s->stip) & s->sie;
}

bool rv64_interrupt_pending(struct guest_state *g) {
    struct rv64_state *s = rv64_of(g);
    if (s->sie & IRQ_BIT(IRQ_STI)) look_at_clock(s);
    return pending_and_enabled(s) != 0;
}

bool rv64_take_interrupt(struct guest_state *g) {
    struct rv64_state *s = rv64_of(g);
    if (s->priv == PRIV_S && !(s->sstatus & SSTATUS_SIE)) return false;
    u64 pending = pending_and_enabled(s);
    if (!pending) return false;
    static const u8 order[] = {IRQ_SEI, IRQ_SSI, IRQ_STI};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (!(pending & IRQ_BIT(order[i]))) continue;
        enter_s(s, CAUSE_INTERRUPT | order[i], 0);
        break;
    }
    return true;
}

void rv64_set_irq(struct guest_state *g, unsigned line, bool level) {
    struct rv64_state *s = rv64_of(g);
    if (line == IRQ_SEI) s->seip = level ? IRQ_BIT(IRQ_SEI) : 0;
}

u64 rv64_next_timer(const struct guest_state *g) {
    const struct rv64_state *s = rv64_const(g);
    if (!(s->sie & IRQ_BIT(IRQ_STI))) return ~(u64)0;
    return s->stimecmp > ~(u64)0 / RV64_TICK_NS ? ~(u64)0 : s->stimecmp * RV64_TICK_NS;
}

// ---- instructions

u64 rv64_help_ecall(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct rv64_state *s = rv64_of(g);
    (void)a;
    (void)b;
    (void)c;
    (void)imm;
    if (s->priv == PRIV_U)
        guest_raise(g, EXC_ECALL_U, 0);
    else
        rv64_sbi_call(s);
    return 0;
}

u64 rv64_help_sret(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct rv64_state *s = rv64_of(g);
    (void)a;
    (void)b;
    (void)c;
    if (s->priv == PRIV_U) {
        guest_raise(g, EXC_ILLEGAL, imm);
        return 0;
    }
    u64 st = s->sstatus & ~(SSTATUS_SPP | SSTATUS_SIE);
    if (s->sstatus & SSTATUS_SPIE) st |= SSTATUS_SIE;
    s->priv = s->sstatus & SSTATUS_SPP ? PRIV_S : PRIV_U;
    s->sstatus = st | SSTATUS_SPIE;
    s->g.pc = s->sepc;
    s->res_addr = RES_NONE;
    return 0;
}

u64 rv64_help_wfi(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)a;
    (void)b;
    (void)c;
    // In U mode it may be waited for only a bounded time (Privileged 3.3.3): none.
    if (rv64_of(g)->priv == PRIV_U)
        guest_raise(g, EXC_ILLEGAL, imm);
    else
        g->idle = g->stop = true; // the run loop decides whether to wait
    return 0;
}

u64 rv64_help_fence_i(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)a;
    (void)b;
    (void)c;
    (void)imm;
    guest_code_barrier(g);
    return 0;
}
