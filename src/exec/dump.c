// What --dump shows: decoded blocks, their IR and micro-operations, traps. Text goes to the
// settings' trace; nothing here runs unless it was asked for. Depends on engine.h and the text form
// of IR.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exec/engine.h"
#include "ir/ops.h"

static char letter_of(enum cpu_dump bit) {
    switch (bit) {
#define DUMP(letter, id, what)                                                                     \
    case DUMP_##id:                                                                                \
        return letter;
#include "exec/switches.def"
    }
    return '?';
}

void dump_bytes(struct cpu *c, enum cpu_dump bit, const void *p, size_t n) {
    if (!(c->set.dump & bit) || !c->set.trace || !c->set.trace->dump) return;
    c->set.trace->dump(c->set.trace->arg, letter_of(bit), p, n);
}

void dump_text(struct cpu *c, enum cpu_dump bit, const char *fmt, ...) {
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n > 0) dump_bytes(c, bit, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static void guest_text(struct cpu *c, gva pc, const struct ir_block *b, struct buf *out) {
    for (u32 i = 1; i < b->n; i++) {
        if (b->ops[i].op != IR_INSN) continue;
        char text[128] = "?";
        u8 code[16];
        u32 len = b->ops[i].aux;
        gva at = (pc & ~(u64)(GUEST_PAGE_SIZE - 1)) + b->ops[i].imm;
        bool fault;
        u64 cause;
        gpa pa;
        u8 *page = mem_page(c, at, ACCESS_EXEC, &pa, &fault, &cause);
        // What crosses into the next page is left as "?": this must not touch anything.
        if (page && at % GUEST_PAGE_SIZE + len <= GUEST_PAGE_SIZE && len <= sizeof code &&
            c->arch->disassemble) {
            memcpy(code, page + at % GUEST_PAGE_SIZE, len);
            c->arch->disassemble(code, len, at, text, sizeof text);
        }
        buf_printf(out, "%llx  %s\n", (unsigned long long)at, text);
    }
}

void dump_block(struct cpu *c, gva pc, const struct ir_block *b) {
    struct buf out = {0};
    buf_printf(&out, "block at %llx, %u instructions\n", (unsigned long long)pc, b->ninsns);
    guest_text(c, pc, b, &out);
    dump_bytes(c, DUMP_GUEST, out.data, out.len);
    out.len = 0;
    buf_printf(&out, "IR of %llx\n", (unsigned long long)pc);
    ir_print(b, &out);
    dump_bytes(c, DUMP_IR, out.data, out.len);
    buf_free(&out);
}

static const char *const uop_names[UOP_COUNT] = {
    [UOP_INVALID] = "INVALID",
#define UOP(n) [UOP_##n] = #n,
#include "exec/uops.def"
};

void dump_uops(struct cpu *c, u32 index, unsigned n) {
    struct buf out = {0};
    buf_printf(&out, "uops at %u\n", index);
    for (unsigned i = 0; i < n; i++) {
        const struct uop *u = &c->arena[index + i];
        const char *name = u->code < UOP_COUNT ? uop_names[u->code] : NULL;
        buf_printf(&out, "%5u  %-24s d=%u a=%u b=%u imm=%llx\n", i, name ? name : "?", u->d, u->a,
                   u->b, (unsigned long long)u->imm);
    }
    dump_bytes(c, DUMP_UOPS, out.data, out.len);
    buf_free(&out);
}

void dump_trap(struct cpu *c, const char *what, u64 cause, u64 tval) {
    dump_text(c, DUMP_TRAPS, "%s %llu value %llx, instruction %llx, count %llu\n", what,
              (unsigned long long)cause, (unsigned long long)tval, (unsigned long long)c->s->pc,
              (unsigned long long)cpu_icount(c));
}
