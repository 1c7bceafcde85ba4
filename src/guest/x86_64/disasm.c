// Instructions as text, in the manual's operand order. Made from insns.def; for dumps and tests.
#include <stdio.h>

#include "guest/x86_64/decode.h"
#include "guest/x86_64/state.h"

struct text {
    char *buf;
    size_t cap, n;
};

static void put(struct text *t, const char *s) {
    while (*s && t->n + 1 < t->cap) t->buf[t->n++] = *s++;
    if (t->cap) t->buf[t->n] = 0;
}

static void put_hex(struct text *t, u64 v) {
    char b[24];
    (void)snprintf(b, sizeof b, "0x%llx", (unsigned long long)v);
    put(t, b);
}

static void put_signed(struct text *t, i64 v) {
    put(t, v < 0 ? "-" : "+");
    put_hex(t, v < 0 ? -(u64)v : (u64)v);
}

static const char *const seg_name[6] = {"es", "cs", "ss", "ds", "fs", "gs"};

static void put_reg(struct text *t, const struct x86_insn *d, unsigned n, unsigned size) {
    static const char *const old[8] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    static const char *const low[8] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
    static const char *const high[4] = {"ah", "ch", "dh", "bh"};
    char b[8];
    if (n >= 8) {
        (void)snprintf(b, sizeof b, "r%u%s", n,
                       size == 8   ? ""
                       : size == 4 ? "d"
                       : size == 2 ? "w"
                                   : "b");
        put(t, b);
    } else if (size == 1) {
        put(t, n >= 4 && !d->rex && !d->vex ? high[n - 4] : low[n]);
    } else {
        if (size > 2) put(t, size == 8 ? "r" : "e");
        put(t, old[n]);
    }
}

static void put_vector(struct text *t, unsigned n, unsigned size);

// The indices of a gather are dwords for even opcodes.
static void put_index(struct text *t, const struct x86_insn *d) {
    bool half = !(d->opcode & 1) && d->w;
    if (d->vsib)
        put_vector(t, d->index, d->l && !half ? 32 : 16);
    else
        put_reg(t, d, d->index, d->adsize);
}

static void put_memory(struct text *t, const struct x86_insn *d, unsigned size, gva next) {
    static const char *const name[] = {"byte ", "word ", "dword ", "qword ", "oword ", "yword "};
    static const u8 bytes[] = {1, 2, 4, 8, 16, 32};
    for (unsigned i = 0; i < 6; i++)
        if (bytes[i] == size) put(t, name[i]);
    if (size == 10) put(t, "tbyte ");
    put(t, "[");
    if (d->seg < 6) {
        put(t, seg_name[d->seg]);
        put(t, ":");
    }
    if (d->base == X86_RIP) {
        put_hex(t, next + (u64)d->disp);
        put(t, "]");
        return;
    }
    bool any = false;
    if (d->base != X86_NOREG) {
        put_reg(t, d, d->base, d->adsize);
        any = true;
    }
    if (d->index != X86_NOREG) {
        if (any) put(t, "+");
        put_index(t, d);
        static const char *const scale[4] = {"*1", "*2", "*4", "*8"};
        put(t, scale[d->scale]);
        any = true;
    }
    if (!any)
        put_hex(t, (u64)d->disp);
    else if (d->disp)
        put_signed(t, d->disp);
    put(t, "]");
}

static void put_numbered(struct text *t, const char *prefix, unsigned n) {
    char b[16];
    (void)snprintf(b, sizeof b, "%s%u", prefix, n);
    put(t, b);
}

static void put_vector(struct text *t, unsigned n, unsigned size) {
    put_numbered(t, size == 32 ? "ymm" : "xmm", n);
}

static void put_operand(struct text *t, const struct x86_insn *d, unsigned i, gva next) {
    unsigned size = x86_operand_size(d, i);
    switch (x86_operand_type(d, i)) {
    case X86T_NONE:
        break;
    case X86T_RM:
        if (d->mod != 3)
            put_memory(t, d, size, next);
        else
            put_reg(t, d, d->rm, size);
        break;
    case X86T_REG:
        put_reg(t, d, d->reg, size);
        break;
    case X86T_VVVV:
        put_reg(t, d, d->vvvv, size);
        break;
    case X86T_RMREG:
        put_reg(t, d, d->rm, size);
        break;
    case X86T_CREG:
        put_numbered(t, "cr", d->reg);
        break;
    case X86T_DREG:
        put_numbered(t, "dr", d->reg);
        break;
    case X86T_SREG:
        put(t, (d->reg & 7) < 6 ? seg_name[d->reg & 7] : "?");
        break;
    case X86T_OPREG:
        put_reg(t, d, (d->opcode & 7u) | d->rexb, size);
        break;
    case X86T_AX:
        put_reg(t, d, 0, size);
        break;
    case X86T_CL:
        put(t, "cl");
        break;
    case X86T_DX:
        put(t, "dx");
        break;
    case X86T_ONE:
        put(t, "1");
        break;
    case X86T_SEG0:
    case X86T_SEG1:
    case X86T_SEG2:
    case X86T_SEG3:
    case X86T_SEG4:
    case X86T_SEG5:
        put(t, seg_name[x86_operand_type(d, i) - X86T_SEG0]);
        break;
    case X86T_SRC:
        put(t, "[rsi]");
        break;
    case X86T_DST:
        put(t, "[rdi]");
        break;
    case X86T_IMM:
    case X86T_IMMS: {
        // Sign-extended to the operation's size, not beyond.
        unsigned n = i ? x86_operand_size(d, 0) : d->opsize;
        put_hex(t, n < 8 ? d->imm & (((u64)1 << 8 * n) - 1) : d->imm);
        break;
    }
    case X86T_IMM2:
        put_hex(t, d->imm2);
        break;
    case X86T_REL:
        put_hex(t, next + d->imm);
        break;
    case X86T_FAR:
        put_hex(t, d->imm2);
        put(t, ":");
        put_hex(t, d->imm);
        break;
    case X86T_OFFS:
        put_memory(t, d, size, next);
        break;
    case X86T_XREG:
        put_vector(t, d->reg, size);
        break;
    case X86T_XRM:
        if (d->mod != 3)
            put_memory(t, d, size, next);
        else
            put_vector(t, d->rm, size);
        break;
    case X86T_VSIB:
        put_memory(t, d, size, next);
        break;
    case X86T_XVVVV:
        put_vector(t, d->vvvv, size);
        break;
    case X86T_XIMM:
        put_vector(t, d->imm >> 4 & 15, size);
        break;
    case X86T_XMM0:
        put(t, "xmm0");
        break;
    case X86T_MREG:
        put_numbered(t, "mm", d->reg & 7);
        break;
    case X86T_MRM:
        if (d->mod != 3)
            put_memory(t, d, size, next);
        else
            put_numbered(t, "mm", d->rm & 7);
        break;
    case X86T_ST0:
        put(t, "st");
        break;
    case X86T_STI:
        put_numbered(t, "st", d->modrm & 7);
        break;
    }
}

// "a|b|c" by operand size; "...cc" completed by the condition.
static void put_name(struct text *t, const struct x86_insn *d) {
    static const char *const cond[16] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                         "s", "ns", "p", "np", "l", "ge", "le", "g"};
    const char *n = x86_rows[d->row].name;
    unsigned skip = d->opsize == 8 ? 2 : d->opsize == 4 ? 1 : 0;
    char b[32];
    size_t k = 0;
    bool choice = false;
    for (const char *p = n; *p; p++) choice |= *p == '|';
    for (; choice && skip && *n; n++) skip -= *n == '|';
    for (; *n && *n != '|' && k + 1 < sizeof b; n++) b[k++] = *n;
    b[k] = 0;
    if (k > 2 && b[k - 1] == 'c' && b[k - 2] == 'c') {
        b[k - 2] = 0;
        put(t, b);
        put(t, cond[d->opcode & 15]);
        return;
    }
    put(t, b);
}

unsigned x86_disassemble_as(const u8 *code, unsigned avail, gva pc, enum x86_code_size size,
                            char *buf, size_t cap) {
    struct x86_insn d;
    struct text t = {buf, cap, 0};
    if (!x86_decode(&d, code, avail, size)) return 0;
    if (cap) buf[0] = 0;
    if (d.lock) put(&t, "lock ");
    if (d.rep && x86_rows[d.row].attr & X86A_REP) put(&t, d.rep == 0xf3 ? "rep " : "repne ");
    put_name(&t, &d);
    for (unsigned i = 0; i < 4 && x86_rows[d.row].op[i] != X86O__; i++) {
        put(&t, i ? "," : " ");
        put_operand(&t, &d, i, pc + d.len);
    }
    return d.len;
}

unsigned x86_disassemble(const u8 *code, unsigned avail, gva pc, char *buf, size_t cap) {
    return x86_disassemble_as(code, avail, pc, X86_CODE64, buf, cap);
}
