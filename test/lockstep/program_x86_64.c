// x86_64 programs: registers, and a board with an interrupt line (vector 0x20, until the device
// drops it), a timer (vector 0x21, TSC deadlines) and ports that answer. The TSC is board time.
#include <stdio.h>
#include <string.h>

#include "exec/engine.h"
#include "guest/x86_64.h"
#include "guest/x86_64/state.h"
#include "program.h"

enum { MSR_DEADLINE = 0x6e0, VECTOR_LINE = 0x20, VECTOR_TIMER = 0x21 };

static const char *reg_name(unsigned i, char *buf, size_t cap) {
    static const char *const names[XREG_X] = {
        "pc",      "flags",     "cr0",   "cr3",   "cr4",   "efer",  "gdt", "gdt_limit",
        "idt",     "idt_limit", "cs",    "ss",    "ds",    "es",    "tr",  "fs_base",
        "gs_base", "star",      "lstar", "cstar", "fmask", "mxcsr", "rax", "rcx",
        "rdx",     "rbx",       "rsp",   "rbp",   "rsi",   "rdi",   "r8",  "r9",
        "r10",     "r11",       "r12",   "r13",   "r14",   "r15"};
    if (i < XREG_X) return names[i];
    snprintf(buf, cap, "xmm%u%c", (i - XREG_X) / 2, (i - XREG_X) % 2 ? 'h' : 'l');
    return buf;
}

static void defaults(struct program *p) { p->reg[XREG_MXCSR] = 0x1f80; }

// ---- the board

static u64 now(struct bare *m) { return (m->cpu ? cpu_icount(m->cpu) * 10 : 0) + m->skipped_ns; }

static bool irq_pending(void *arg) {
    struct bare *m = arg;
    if (m->deadline && now(m) >= m->deadline) m->deadline = 0, m->timer = true;
    return m->level || m->timer;
}

static int irq_ack(void *arg) {
    struct bare *m = arg;
    if (!irq_pending(m)) return -1;
    if (!m->timer) return VECTOR_LINE;
    m->timer = false;
    return VECTOR_TIMER;
}

static u64 irq_timer(void *arg) {
    struct bare *m = arg;
    return m->deadline ? m->deadline : ~(u64)0;
}

static bool msr_read(void *arg, u32 msr, u64 *v) {
    struct bare *m = arg;
    if (msr != X86_MSR_TSC && msr != MSR_DEADLINE && msr != X86_MSR_TPR) return false;
    *v = msr == X86_MSR_TSC ? now(m) : msr == MSR_DEADLINE ? m->deadline : 0;
    return true;
}

static bool msr_write(void *arg, u32 msr, u64 v) {
    struct bare *m = arg;
    if (msr == X86_MSR_TPR) return v == 0;
    if (msr != MSR_DEADLINE) return false;
    m->deadline = v;
    cpu_set_irq(m->cpu, X86_LINE_INTR, true);
    return true;
}

static u32 port_read(void *arg, u16 port, unsigned size) {
    struct bare *m = arg;
    m->sum = (m->sum ^ port ^ size) * 0x9e3779b97f4a7c15u;
    return (u32)(m->sum >> 9);
}

static void port_write(void *arg, u16 port, unsigned size, u32 v) {
    struct bare *m = arg;
    m->sum = (m->sum ^ port ^ size ^ v) * 0x9e3779b97f4a7c15u;
}

static void board(struct bare *m, struct cpu_board *b) {
    (void)m;
    b->irq_pending = irq_pending;
    b->irq_ack = irq_ack;
    b->irq_timer = irq_timer;
    b->msr_read = msr_read;
    b->msr_write = msr_write;
    b->port_read = port_read;
    b->port_write = port_write;
}

// 0 drops the line, 1 raises it, 2 is an NMI.
static void set_line(struct bare *m, int level) {
    if (level < 2) m->level = level;
    cpu_set_irq(m->cpu, level < 2 ? X86_LINE_INTR : X86_LINE_NMI, true);
}

// ---- the start

static u64 descriptor(const struct program *p, u16 sel) {
    u64 at = p->reg[XREG_GDT] + (sel & ~7u) - p->base;
    return at < p->size - 8 ? get_le64(p->ram + at) : 0;
}

static void load_seg(const struct program *p, struct x86_state *s, unsigned seg, u16 sel) {
    x86_desc_to_seg(descriptor(p, sel), sel, &s->seg[seg], &s->seg_base[seg]);
}

static void start(const struct program *p, struct bare *m) {
    struct x86_state *s = x86_of(m->cpu->s);
    const u64 *r = p->reg;
    s->cr0 = r[XREG_CR0];
    s->cr3 = r[XREG_CR3];
    s->cr4 = r[XREG_CR4];
    s->efer = r[XREG_EFER];
    s->xcr0 = 7;
    s->gdt = (struct x86_table){r[XREG_GDT], (u16)r[XREG_GDT_LIMIT]};
    s->idt = (struct x86_table){r[XREG_IDT], (u16)r[XREG_IDT_LIMIT]};
    load_seg(p, s, SEG_CS, (u16)r[XREG_CS]);
    load_seg(p, s, SEG_SS, (u16)r[XREG_SS]);
    load_seg(p, s, SEG_DS, (u16)r[XREG_DS]);
    load_seg(p, s, SEG_ES, (u16)r[XREG_ES]);
    x86_null_seg(s, SEG_FS, 0);
    x86_null_seg(s, SEG_GS, 0);
    s->cpl = r[XREG_CS] & 3;
    u16 tr = (u16)r[XREG_TR];
    x86_desc_to_seg(descriptor(p, tr), tr, &s->tr, &s->tr_base);
    s->tr_base |= descriptor(p, tr + 8) << 32;
    s->seg_base[SEG_FS] = r[XREG_FS_BASE];
    s->seg_base[SEG_GS] = r[XREG_GS_BASE];
    s->star = r[XREG_STAR];
    s->lstar = r[XREG_LSTAR];
    s->cstar = r[XREG_CSTAR];
    s->fmask = r[XREG_FMASK];
    s->mxcsr = r[XREG_MXCSR];
    memcpy(s->r, &r[XREG_R], sizeof s->r);
    memcpy(s->x, &r[XREG_X], sizeof s->x);
    s->eflags = (r[XREG_FLAGS] & ~(u64)(FL_STATUS | FL_DF)) | 2;
    s->df = r[XREG_FLAGS] & FL_DF ? ~(u64)0 : 1;
    x86_set_status_flags(s, r[XREG_FLAGS]);
    x86_update_mode(s);
    s->g.pc = r[XREG_PC];
}

const struct program_guest program_x86_64 = {.arch = &guest_x86_64,
                                             .nregs = XREG_COUNT,
                                             .reg_name = reg_name,
                                             .defaults = defaults,
                                             .board = board,
                                             .start = start,
                                             .set_line = set_line,
                                             .max_insn = 15};
