// riscv64 programs: registers, and a board with a console that SBI calls reach.
#include <stdio.h>
#include <string.h>

#include "exec/engine.h"
#include "guest/riscv64/state.h"
#include "program.h"

static const char *reg_name(unsigned i, char *buf, size_t cap) {
    static const char *const names[REG_X] = {"pc",      "priv", "satp",     "stvec", "sscratch",
                                             "sstatus", "sie",  "stimecmp", "frm"};
    if (i < REG_X) return names[i];
    snprintf(buf, cap, "%c%u", i < REG_F ? 'x' : 'f', (i - REG_X) % 32);
    return buf;
}

static void defaults(struct program *p) {
    p->reg[REG_PRIV] = PRIV_S;
    p->reg[REG_STIMECMP] = ~(u64)0;
}

static void console_write(void *arg, const u8 *p, size_t n) {
    struct bare *m = arg;
    for (size_t i = 0; i < n; i++) m->sum = (m->sum ^ p[i]) * 31;
}

static int console_read(void *arg) {
    (void)arg;
    return -1;
}

static void board(struct bare *m, struct cpu_board *b) {
    (void)m;
    b->console_write = console_write;
    b->console_read = console_read;
}

static void start(const struct program *p, struct bare *m) {
    struct rv64_state *s = rv64_of(m->cpu->s);
    s->priv = p->reg[REG_PRIV];
    s->satp = p->reg[REG_SATP];
    s->stvec = p->reg[REG_STVEC];
    s->sscratch = p->reg[REG_SSCRATCH];
    s->sstatus = p->reg[REG_SSTATUS];
    s->sie = p->reg[REG_SIE];
    s->stimecmp = p->reg[REG_STIMECMP];
    s->frm = p->reg[REG_FRM];
    memcpy(s->x, &p->reg[REG_X], sizeof s->x);
    memcpy(s->f, &p->reg[REG_F], sizeof s->f);
}

static void set_line(struct bare *m, int level) {
    if (level < 2) cpu_set_irq(m->cpu, 9, level);
}

const struct program_guest program_riscv64 = {.arch = &guest_riscv64,
                                              .nregs = REG_F + 32,
                                              .reg_name = reg_name,
                                              .defaults = defaults,
                                              .board = board,
                                              .start = start,
                                              .set_line = set_line,
                                              .max_insn = 4};
