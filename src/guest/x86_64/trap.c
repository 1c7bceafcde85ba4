// Exceptions and interrupts (SDM 3A ch. 6): delivery through the IDT in long, protected and real
// mode, double and triple faults, and what of interrupts the CPU has itself. Task gates are not
// there: in legacy mode they end in #GP.
#include "base/buf.h"
#include "guest/x86_64/decode.h"
#include "guest/x86_64/state.h"
#include "guest/x86_64/view.h"

#define GATE_TYPE(d) ((unsigned)((d) >> 40 & 15))
#define GATE_DPL(d)  ((unsigned)((d) >> 45 & 3))
#define GATE_P(d)    ((d) >> 47 & 1)

struct event {
    unsigned vector;
    bool soft;     // int n, int3, into: the gate's privilege counts
    bool external; // neither soft nor caused by an instruction
    bool has_code;
    u16 code;
    u64 rflags; // as pushed
    u64 ip;
};

static bool fail(struct x86_fault *f, unsigned vector, u32 code) {
    f->cause = CAUSE_WITH(vector, code);
    f->cr2 = 0;
    return false;
}

static bool gate_fault(const struct event *e, struct x86_fault *f, unsigned vector) {
    return fail(f, vector, e->vector * 8 + 2 + !e->soft);
}

// Where the new stack is and what must be pushed.
struct frame {
    u64 sp;
    unsigned cpl, item; // bytes an item
    bool wide;          // SS and SP are pushed
};

// All of it, or none.
static bool push_frame(struct x86_state *s, struct frame *fr, const struct event *e,
                       struct x86_fault *f) {
    u8 bytes[6 * 8 + 8];
    u64 items[6] = {e->code, e->ip, s->seg[SEG_CS].sel, e->rflags, s->r[RSP], s->seg[SEG_SS].sel};
    unsigned first = !e->has_code, last = fr->wide ? 6 : 4, n = fr->item, size = (last - first) * n;
    for (unsigned i = first; i < last; i++) put_le64(bytes + (i - first) * n, items[i]);
    u64 bottom = fr->sp - size;
    if (!x86_stack_write(s, bottom, size, bytes, fr->cpl == 3, f)) {
        // What is pushed first tells the address.
        for (unsigned i = 1; i <= last - first; i++)
            if (!x86_stack_write(s, fr->sp - (u64)i * n, n, NULL, fr->cpl == 3, f)) break;
        return false;
    }
    fr->sp = n < 8 ? (u32)bottom : bottom;
    return true;
}

static void enter(struct x86_state *s, u16 sel, u64 desc, unsigned cpl, u64 ip, bool trap_gate) {
    s->eflags &= ~(u64)(FL_TF | FL_NT | FL_RF | FL_VM);
    if (!trap_gate) s->eflags &= ~(u64)FL_IF;
    x86_set_cs(s, sel, desc, cpl);
    x86_set_eip(s, ip);
}

// The code segment of a gate: its descriptor and the privilege it will run with.
static bool gate_code(struct x86_state *s, const struct event *e, u16 sel, u64 *desc, unsigned *cpl,
                      struct x86_fault *f) {
    u16 ext = !e->soft;
    if ((sel & ~3u) == 0) return fail(f, EXC_GP, ext);
    if (!x86_read_desc(s, sel, desc, f, EXC_GP)) {
        if (CAUSE_VECTOR(f->cause) == EXC_GP) f->cause |= (u64)ext << 16;
        return false;
    }
    unsigned type = (unsigned)(*desc >> 40 & 31), dpl = (unsigned)(*desc >> 45 & 3);
    bool lma = s->efer & EFER_LMA, is_long = *desc >> 53 & 1, db = *desc >> 54 & 1;
    if ((type & 0x18) != 0x18 || dpl > s->cpl || (lma && (!is_long || db)))
        return fail(f, EXC_GP, (sel & ~3u) + ext);
    if (!(*desc >> 47 & 1)) return fail(f, EXC_NP, (sel & ~3u) + ext);
    *cpl = type & 4 ? s->cpl : dpl; // conforming: stays
    return true;
}

static bool read_tss(struct x86_state *s, unsigned off, unsigned size, u64 *v,
                     struct x86_fault *f) {
    if (off + size - 1 > s->tr.limit) return fail(f, EXC_TS, s->tr.sel & ~3u);
    return x86_sys_read(s, s->tr_base + off, size, v, f);
}

static bool deliver_long(struct x86_state *s, const struct event *e, struct x86_fault *f) {
    u64 desc, sp = s->r[RSP];
    unsigned cpl;
    if (e->vector * 16 + 15 > s->idt.limit) return gate_fault(e, f, EXC_GP);
    u8 gate[16];
    if (!x86_sys_read_bytes(s, s->idt.base + e->vector * 16, 16, gate, f)) return false;
    u64 lo = get_le64(gate), hi = get_le64(gate + 8);
    if (GATE_TYPE(lo) != 14 && GATE_TYPE(lo) != 15) return gate_fault(e, f, EXC_GP);
    if (lo >> 44 & 1 || (e->soft && GATE_DPL(lo) < s->cpl)) return gate_fault(e, f, EXC_GP);
    if (!GATE_P(lo)) return gate_fault(e, f, EXC_NP);
    u16 sel = (u16)(lo >> 16);
    if (!gate_code(s, e, sel, &desc, &cpl, f)) return false;
    unsigned ist = lo >> 32 & 7;
    bool inner = cpl < s->cpl;
    if (ist ? !read_tss(s, 36 + 8 * (ist - 1), 8, &sp, f)
            : inner && !read_tss(s, 4 + 8 * cpl, 8, &sp, f))
        return false;
    if (!x86_canonical(sp)) return fail(f, EXC_SS, !e->soft);
    struct frame fr = {sp & ~(u64)15, cpl, 8, true};
    if (!push_frame(s, &fr, e, f)) return false;
    u64 ip = (lo & 0xffff) | (lo >> 32 & 0xffff0000) | hi << 32;
    s->r[RSP] = fr.sp;
    if (inner) {
        x86_null_seg(s, SEG_SS, (u16)cpl);
        s->seg[SEG_SS].attr = (u16)(cpl << 5);
    }
    enter(s, sel, desc, cpl, ip, GATE_TYPE(lo) == 15);
    return true;
}

// The stack of an inner privilege level in legacy mode (32-bit TSS).
static bool inner_stack(struct x86_state *s, unsigned cpl, struct frame *fr, u64 *ss, u64 *desc,
                        struct x86_fault *f) {
    if ((s->tr.attr & 15) != 11) return fail(f, EXC_TS, s->tr.sel & ~3u); // 16-bit TSS: not there
    if (!read_tss(s, 4 + 8 * cpl, 4, &fr->sp, f) || !read_tss(s, 8 + 8 * cpl, 2, ss, f))
        return false;
    if ((*ss & ~3u) == 0) return fail(f, EXC_TS, 0);
    if (!x86_read_desc(s, (u16)*ss, desc, f, EXC_TS)) return false;
    unsigned type = (unsigned)(*desc >> 40 & 31), dpl = (unsigned)(*desc >> 45 & 3);
    if ((type & 0x1a) != 0x12 || dpl != cpl || (*ss & 3) != cpl) return fail(f, EXC_TS, *ss & ~3u);
    if (!(*desc >> 47 & 1)) return fail(f, EXC_SS, *ss & ~3u);
    return true;
}

static bool deliver_protected(struct x86_state *s, const struct event *e, struct x86_fault *f) {
    u64 g, desc, ss = 0, ss_desc = 0;
    unsigned cpl;
    if (e->vector * 8 + 7 > s->idt.limit) return gate_fault(e, f, EXC_GP);
    if (!x86_sys_read(s, s->idt.base + e->vector * 8, 8, &g, f)) return false;
    unsigned type = GATE_TYPE(g);
    if (g >> 44 & 1 || (type & 6) != 6 || (e->soft && GATE_DPL(g) < s->cpl))
        return gate_fault(e, f, EXC_GP);
    if (!GATE_P(g)) return gate_fault(e, f, EXC_NP);
    u16 sel = (u16)(g >> 16);
    if (!gate_code(s, e, sel, &desc, &cpl, f)) return false;
    if (s->eflags & FL_VM) return fail(f, EXC_GP, sel & ~3u); // virtual 8086 mode: not there
    bool inner = cpl < s->cpl;
    struct frame fr = {s->r[RSP], cpl, type & 8 ? 4 : 2, inner};
    u64 base = s->seg_base[SEG_SS];
    struct x86_seg stack = s->seg[SEG_SS];
    if (inner) {
        if (!inner_stack(s, cpl, &fr, &ss, &ss_desc, f)) return false;
        x86_desc_to_seg(ss_desc, (u16)ss, &stack, &base);
    }
    u64 mask = stack.attr & SEGA_DB ? 0xffffffff : 0xffff, before = fr.sp & mask;
    fr.sp = base + before;
    u64 top = fr.sp;
    if (!push_frame(s, &fr, e, f)) return false;
    u64 ip = (g & 0xffff) | (type & 8 ? g >> 32 & 0xffff0000 : 0);
    u64 sp = (before - (top - fr.sp)) & mask;
    s->r[RSP] = mask == 0xffff ? (s->r[RSP] & ~mask) | sp : sp;
    s->seg[SEG_SS] = stack;
    s->seg_base[SEG_SS] = base;
    enter(s, sel, desc, cpl, ip, type & 1);
    return true;
}

static bool deliver_real(struct x86_state *s, const struct event *e, struct x86_fault *f) {
    u64 v;
    if (e->vector * 4 + 3u > s->idt.limit) return fail(f, EXC_GP, 0);
    if (!x86_sys_read(s, s->idt.base + e->vector * 4, 4, &v, f)) return false;
    u64 items[3] = {e->rflags, s->seg[SEG_CS].sel, e->ip};
    u64 sp = s->r[RSP] & 0xffff;
    for (unsigned i = 0; i < 3; i++) {
        u8 item[8];
        put_le64(item, items[i]);
        sp = (sp - 2) & 0xffff;
        if (!x86_stack_write(s, s->seg_base[SEG_SS] + sp, 2, item, false, f)) return false;
    }
    s->r[RSP] = (s->r[RSP] & ~(u64)0xffff) | sp;
    s->eflags &= ~(u64)(FL_IF | FL_TF | FL_AC | FL_RF);
    s->seg[SEG_CS].sel = (u16)(v >> 16);
    s->seg_base[SEG_CS] = (v >> 16) << 4;
    x86_set_eip(s, v & 0xffff);
    return true;
}

static bool deliver(struct x86_state *s, const struct event *e, struct x86_fault *f) {
    if (!(s->cr0 & CR0_PE)) return deliver_real(s, e, f);
    return s->efer & EFER_LMA ? deliver_long(s, e, f) : deliver_protected(s, e, f);
}

static void shut_down(struct x86_state *s) {
    log_write(s->g.log, LOG_ERROR, "the guest stopped: triple fault at 0x%llx",
              (unsigned long long)s->g.pc);
    s->g.halted = s->g.stop = true;
    const struct cpu_board *b = s->g.board;
    if (b->shutdown) b->shutdown(b->arg, 1, false);
}

static bool contributory(unsigned v) { return v == EXC_DE || (v >= EXC_TS && v <= EXC_GP); }

// What a second exception during the delivery of `first` becomes (SDM 3A table 6-5).
static bool doubles(unsigned first, unsigned second) {
    if (first == EXC_PF) return second == EXC_PF || contributory(second);
    return contributory(first) && contributory(second);
}

// Delivers, and what goes wrong while delivering. True: handled, or the CPU was shut down.
static void deliver_all(struct x86_state *s, struct event e) {
    struct x86_fault f;
    while (!deliver(s, &e, &f)) {
        unsigned second = CAUSE_VECTOR(f.cause);
        if (e.vector == EXC_DF) {
            shut_down(s);
            return;
        }
        bool twice = !e.soft && doubles(e.vector, second);
        if (second == EXC_PF) s->cr2 = f.cr2;
        // The saved address is the instruction's, which has not been executed.
        if (e.soft) e.ip = x86_eip(s);
        e.vector = twice ? EXC_DF : second;
        e.code = twice ? 0 : CAUSE_CODE(f.cause);
        e.has_code = true;
        e.soft = e.external = false;
        if (s->efer & EFER_LMA || s->cr0 & CR0_PE) continue;
        e.has_code = false;
    }
}

// ---- exceptions

static bool uses_stack(unsigned row) {
    switch (row) {
    case X86_PUSH_Za:
    case X86_PUSH_Ea:
    case X86_PUSH_Iz:
    case X86_PUSH_Ibs:
    case X86_PUSH_FS:
    case X86_PUSH_GS:
    case X86_PUSHF:
    case X86_POP_Za:
    case X86_POP_Ea:
    case X86_POP_FS:
    case X86_POP_GS:
    case X86_POPF:
    case X86_CALL_Jz:
    case X86_CALL_Ea:
    case X86_CALL_Mp:
    case X86_RET:
    case X86_RET_Iw:
    case X86_RETF:
    case X86_RETF_Iw:
    case X86_IRET:
    case X86_ENTER:
    case X86_LEAVE:
        return true;
    default:
        return false;
    }
}

// The address of an access was not canonical: which segment was it in? Looks at the instruction
// again.
static bool through_stack(struct x86_state *s, gva va) {
    u8 code[15];
    unsigned n = 0;
    u64 v;
    struct x86_fault f;
    struct x86_insn d;
    while (n < sizeof code && x86_sys_read(s, s->g.pc + n, 1, &v, &f)) code[n++] = (u8)v;
    if (!x86_decode(&d, code, n, X86_CODE64)) return false;
    u64 stack = d.row == X86_LEAVE ? s->r[RBP] : s->r[RSP];
    if (uses_stack(d.row) && va - stack + 512 < 1024) return true;
    if (d.row == X86_ENTER && va - s->r[RBP] + 512 < 1024) return true;
    return d.mod != 3 && d.seg == SEG_NONE && x86_default_seg(&d) == SEG_SS;
}

void x86_raise(struct guest_state *g, u64 cause, u64 tval) {
    struct x86_state *s = x86_of(g);
    if (cause & CAUSE_RESUME) {
        g->pc = tval;
        return;
    }
    struct event e = {.vector = CAUSE_VECTOR(cause),
                      .soft = cause & CAUSE_SOFT,
                      .has_code = cause & CAUSE_ERR && s->cr0 & CR0_PE,
                      .code = CAUSE_CODE(cause)};
    e.rflags = x86_eflags(s);
    u64 pc = g->pc;
    if (cause & CAUSE_TRAP) g->pc = tval;
    e.ip = x86_eip(s);
    g->pc = pc;
    if (cause & CAUSE_NONCANON && s->code == X86_CODE64 && through_stack(s, tval))
        e.vector = EXC_SS;
    if (e.vector == EXC_PF) s->cr2 = s->code == X86_CODE64 ? tval : (u32)tval;
    if (e.vector == EXC_DB) {
        s->dr6 |= s->step_dr6;
        s->step_dr6 = 0;
        s->dr7 &= ~(u64)0x2000; // GD
    }
    s->shadow_at = 0;
    // A fault's instruction will be tried again, without its breakpoint.
    if (!(cause & (CAUSE_TRAP | CAUSE_SOFT))) e.rflags |= FL_RF;
    deliver_all(s, e);
}

void x86_fault(struct x86_state *s, const struct x86_fault *f) {
    guest_raise(&s->g, f->cause, f->cr2);
}

// ---- interrupts

static void external(struct x86_state *s, unsigned vector) {
    struct event e = {
        .vector = vector, .external = true, .rflags = x86_eflags(s), .ip = x86_eip(s)};
    deliver_all(s, e);
}

// STI holds one off. The timer is looked at between runs; here, where every system call comes by, a
// look at the clock would cost as much as all the rest.
bool x86_interrupt_held(struct x86_state *s) {
    const struct cpu_board *b = s->g.board;
    if (s->nmi && !s->nmi_blocked) return true;
    if (!(s->eflags & FL_IF) || !s->irq_told) return false;
    return b->irq_ready ? b->irq_ready(b->arg) : b->irq_pending && b->irq_pending(b->arg);
}

bool x86_take_interrupt(struct guest_state *g) {
    struct x86_state *s = x86_of(g);
    bool nmi = s->nmi && !s->nmi_blocked;
    const struct cpu_board *b = g->board;
    s->held = false;
    if (!nmi && (!s->irq_told || !(s->eflags & FL_IF) || !b->irq_ack)) return false;
    if (s->shadow_at && s->shadow_at == g->icount) {
        s->held = x86_interrupt_held(s);
        return false;
    }
    if (nmi) {
        s->nmi = false;
        s->nmi_blocked = true;
        external(s, EXC_NMI);
        return true;
    }
    int vector = b->irq_ack(b->arg);
    if (vector < 0) {
        s->irq_told = false;
        return false;
    }
    external(s, (unsigned)vector & 0xff);
    return true;
}

void x86_view(const struct guest_state *g, struct guest_view *view) {
    const struct x86_state *s = x86_const(g);
    view->key = x86_key_with(s, s->key_control);
    view->mode = x86_mode_with(s, s->mode_control);
}

bool x86_settle(struct guest_state *g, struct guest_view *view) {
    struct x86_state *s = x86_of(g);
    s->held = false; // as x86_take_interrupt, which is asked only when there may be one
    bool maybe = s->nmi || (s->irq_told && s->eflags & FL_IF);
    bool taken = maybe && x86_take_interrupt(g);
    x86_view(g, view);
    return taken;
}

bool x86_interrupt_pending(struct guest_state *g) {
    struct x86_state *s = x86_of(g);
    const struct cpu_board *b = g->board;
    bool irq = b->irq_pending && b->irq_pending(b->arg); // brings timers up to date
    s->irq_told = irq;
    return (irq && s->eflags & FL_IF) || (s->nmi && !s->nmi_blocked);
}

void x86_set_irq(struct guest_state *g, unsigned line, bool level) {
    x86_of(g)->irq_told = true;
    if (line == 2 && level) x86_of(g)->nmi = true;
}

u64 x86_next_timer(const struct guest_state *g) {
    const struct cpu_board *b = g->board;
    return b->irq_timer ? b->irq_timer(b->arg) : ~(u64)0;
}

// ---- careful mode: single steps, breakpoints, alignment

u64 x86_help_before(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    (void)imm;
    s->step_dr6 = s->eflags & FL_TF ? 0x4000 : 0; // BS, if it gets to its end
    if (s->eflags & FL_RF) {
        s->eflags &= ~(u64)FL_RF;
        return 0;
    }
    u64 hit = 0;
    for (unsigned i = 0; i < 4; i++) {
        bool on = s->dr7 >> (2 * i) & 3, exec = (s->dr7 >> (16 + 4 * i) & 15) == 0;
        if (on && exec && s->dr[i] == g->pc) hit |= (u64)1 << i;
    }
    if (hit) {
        s->step_dr6 = hit;
        guest_raise(g, EXC_DB, 0);
    }
    return 0;
}

u64 x86_help_after(struct guest_state *g, u64 pc, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)b;
    (void)c;
    (void)imm;
    g->pc = pc;
    if (s->shadow_ss && s->shadow_at == guest_icount(g) + 1) s->step_dr6 = 0; // SDM 3A 6.8.3
    if (s->step_dr6) guest_raise(g, EXC_DB | CAUSE_TRAP, pc);
    return 0;
}

u64 x86_help_check(struct guest_state *g, u64 va, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    unsigned size = imm >> 8 & 0xff;
    bool write = imm >> 16 & 1;
    (void)b;
    (void)c;
    unsigned align = size > 8 ? 1 : size; // vectors have rules of their own
    if (s->cpl == 3 && s->eflags & FL_AC && s->cr0 & CR0_AM && va & (align - 1)) {
        guest_raise(g, CAUSE_WITH(EXC_AC, 0), 0);
        return 0;
    }
    static const u8 len[4] = {1, 2, 8, 4};
    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = s->dr7 >> (16 + 4 * i) & 3, n = len[s->dr7 >> (18 + 4 * i) & 3];
        if (!(s->dr7 >> (2 * i) & 3) || !(kind == 3 || (kind == 1 && write))) continue;
        u64 at = s->dr[i] & ~(u64)(n - 1);
        if (va < at + n && at < va + size) s->step_dr6 |= (u64)1 << i;
    }
    return 0;
}
