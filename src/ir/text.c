// The text form of a block, both ways, so that tests are files. One operation a line:
//   %3 = add.i64 %1 %2            %4 = ld.u32 %3 imm=-8         %6 = st.64 %3 %4 imm=0
//   %5 = call %1 %2 imm=3 aux=7   %1 = insn imm=16 aux=4        %7 = branch %6 imm=32 aux=20
// A reference is the operation's number; numbers must be consecutive from 1.
#include <stdlib.h>
#include <string.h>

#include "ir/ops.h"

static bool uses_imm(enum ir_op op) {
    switch (op) {
    case IR_CONST32:
    case IR_CONST64:
    case IR_PCREL:
    case IR_GET:
    case IR_SET:
    case IR_GETV:
    case IR_SETV:
    case IR_INSN:
    case IR_TRAPIF:
    case IR_CALL:
    case IR_VCALL:
    case IR_JUMP:
    case IR_BRANCH:
    case IR_JUMPIND:
        return true;
    default:
        return ir_access_bytes(op) != 0 || ir_ops[op].imm;
    }
}

static bool uses_aux(enum ir_op op) {
    return op == IR_INSN || op == IR_CALL || op == IR_VCALL || op == IR_BRANCH || op == IR_JUMP;
}

void ir_print(const struct ir_block *b, struct buf *out) {
    for (u32 i = 1; i < b->n; i++) {
        const struct ir_insn *o = &b->ops[i];
        buf_printf(out, "%%%u = %s", i, ir_ops[o->op].text);
        if (o->a) buf_printf(out, " %%%u", o->a);
        if (o->b) buf_printf(out, " %%%u", o->b);
        if (o->c) buf_printf(out, " %%%u", o->c);
        if (uses_imm((enum ir_op)o->op) || (o->op == IR_LEAVE && o->imm))
            buf_printf(out, " imm=%lld", (long long)o->imm);
        if (uses_aux((enum ir_op)o->op)) buf_printf(out, " aux=%d", (i32)o->aux);
        buf_put_u8(out, '\n');
    }
}

static enum ir_op op_named(const char *s, size_t n) {
    for (unsigned op = 1; op < IR_OP_COUNT; op++)
        if (strlen(ir_ops[op].text) == n && memcmp(ir_ops[op].text, s, n) == 0)
            return (enum ir_op)op;
    return IR_OP_INVALID;
}

struct words {
    const char *p, *end;
};

static bool next_word(struct words *w, const char **s, size_t *n) {
    while (w->p < w->end && (*w->p == ' ' || *w->p == '\t' || *w->p == '\r')) w->p++;
    if (w->p == w->end || *w->p == '#') return false;
    *s = w->p;
    while (w->p < w->end && *w->p != ' ' && *w->p != '\t' && *w->p != '\r') w->p++;
    *n = (size_t)(w->p - *s);
    return true;
}

static int parse_line(struct ir_block *b, struct words w, unsigned line, struct err *err) {
    const char *s;
    size_t n;
    if (!next_word(&w, &s, &n)) return 0;
    if (b->n >= IR_BLOCK_CAP) return err_set(err, ERR_LIMIT, "line %u: too many operations", line);
    if (s[0] != '%' || strtoul(s + 1, NULL, 10) != b->n)
        return err_set(err, ERR_INVALID, "line %u: expected %%%u", line, b->n);
    if (!next_word(&w, &s, &n) || n != 1 || s[0] != '=')
        return err_set(err, ERR_INVALID, "line %u: expected =", line);
    struct ir_insn o = {0};
    if (!next_word(&w, &s, &n) || (o.op = (u16)op_named(s, n)) == IR_OP_INVALID)
        return err_set(err, ERR_INVALID, "line %u: no such operation", line);
    ir_ref *const refs[3] = {&o.a, &o.b, &o.c};
    unsigned nrefs = 0;
    while (next_word(&w, &s, &n)) {
        if (s[0] == '%' && nrefs < 3)
            *refs[nrefs++] = (ir_ref)strtoul(s + 1, NULL, 10);
        else if (n > 4 && memcmp(s, "imm=", 4) == 0)
            o.imm = (u64)strtoll(s + 4, NULL, 0);
        else if (n > 4 && memcmp(s, "aux=", 4) == 0)
            o.aux = (u32)strtol(s + 4, NULL, 0);
        else
            return err_set(err, ERR_INVALID, "line %u: unexpected \"%.*s\"", line, (int)n, s);
    }
    if (o.op == IR_INSN) b->ninsns++;
    if (ir_ops[o.op].effects & IR_ENDS) b->ended = true;
    b->ops[b->n++] = o;
    return 0;
}

int ir_parse(struct ir_block *b, const char *text, struct err *err) {
    unsigned line = 1;
    for (const char *p = text; *p; line++) {
        const char *end = strchr(p, '\n');
        if (!end) end = p + strlen(p);
        int rc = parse_line(b, (struct words){p, end}, line, err);
        if (rc) return rc;
        p = *end ? end + 1 : end;
    }
    return ir_verify(b, err);
}
