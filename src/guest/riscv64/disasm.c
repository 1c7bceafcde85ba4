// Instructions as text, in the notation of the usual assemblers without aliases. Compressed ones
// are printed as what they expand to. Made from insns.def; for dumps and tests.
#include <stdio.h>

#include "base/buf.h"
#include "guest/riscv64/decode.h"
#include "guest/riscv64/state.h"

static const char *const xname[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};
static const char *const fname[32] = {
    "ft0", "ft1", "ft2", "ft3", "ft4",  "ft5",  "ft6", "ft7", "fs0",  "fs1",  "fa0",
    "fa1", "fa2", "fa3", "fa4", "fa5",  "fa6",  "fa7", "fs2", "fs3",  "fs4",  "fs5",
    "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
};
static const char *const rmname[8] = {",rne", ",rtz", ",rdn", ",rup", ",rmm", ",?5", ",?6", ""};

struct text {
    char *buf;
    size_t cap;
};
#define OUT(...) (void)snprintf(t->buf, t->cap, __VA_ARGS__)

static void fence_set(u32 bits, char out[8]) {
    size_t n = 0;
    for (unsigned i = 0; i < 4; i++)
        if (bits >> (3 - i) & 1) out[n++] = "iorw"[i];
    if (n == 0) {
        out[0] = '0';
        n = 1;
    }
    out[n] = 0;
}

static void fence(struct text *t, const char *n, u32 i) {
    char pred[8], succ[8];
    fence_set(i >> 24 & 15, pred);
    fence_set(i >> 20 & 15, succ);
    if (i >> 28 == 8)
        OUT("fence.tso");
    else
        OUT("%s %s,%s", n, pred, succ);
}

static void csr(struct text *t, const char *n, u32 i, bool immediate) {
    char number[16], imm[16];
    const char *name = rv64_csr_name(i >> 20);
    (void)snprintf(number, sizeof number, "0x%x", i >> 20);
    (void)snprintf(imm, sizeof imm, "%u", rv_rs1(i));
    OUT("%s %s,%s,%s", n, xname[rv_rd(i)], name ? name : number,
        immediate ? imm : xname[rv_rs1(i)]);
}

static const char *ordering(u32 i) {
    static const char *const suffix[4] = {"", ".rl", ".aq", ".aqrl"};
    return suffix[i >> 25 & 3];
}

static void print(struct text *t, const struct rv_row *row, u32 i, gva pc) {
    const char *n = row->name, *d = xname[rv_rd(i)], *s1 = xname[rv_rs1(i)], *s2 = xname[rv_rs2(i)];
    const char *fd = fname[rv_rd(i)], *f1 = fname[rv_rs1(i)], *f2 = fname[rv_rs2(i)];
    const char *rm = rmname[rv_funct3(i)];
    switch ((enum rv_format)row->format) {
    case RVF_NONE:
        OUT("%s", n);
        break;
    case RVF_R:
        OUT("%s %s,%s,%s", n, d, s1, s2);
        break;
    case RVF_R1:
        OUT("%s %s,%s", n, d, s1);
        break;
    case RVF_I:
        OUT("%s %s,%s,%d", n, d, s1, rv_imm_i(i));
        break;
    case RVF_SH6:
        OUT("%s %s,%s,0x%x", n, d, s1, i >> 20 & 63);
        break;
    case RVF_SH5:
        OUT("%s %s,%s,0x%x", n, d, s1, rv_rs2(i));
        break;
    case RVF_LOAD:
    case RVF_JALR:
        OUT("%s %s,%d(%s)", n, d, rv_imm_i(i), s1);
        break;
    case RVF_FLOAD:
        OUT("%s %s,%d(%s)", n, fd, rv_imm_i(i), s1);
        break;
    case RVF_STORE:
        OUT("%s %s,%d(%s)", n, s2, rv_imm_s(i), s1);
        break;
    case RVF_FSTORE:
        OUT("%s %s,%d(%s)", n, f2, rv_imm_s(i), s1);
        break;
    case RVF_BRANCH:
        OUT("%s %s,%s,%llx", n, s1, s2, (unsigned long long)(pc + (u64)(i64)rv_imm_b(i)));
        break;
    case RVF_U:
        OUT("%s %s,0x%x", n, d, i >> 12);
        break;
    case RVF_J:
        OUT("%s %s,%llx", n, d, (unsigned long long)(pc + (u64)(i64)rv_imm_j(i)));
        break;
    case RVF_LR:
        OUT("%s%s %s,(%s)", n, ordering(i), d, s1);
        break;
    case RVF_AMO:
        OUT("%s%s %s,%s,(%s)", n, ordering(i), d, s2, s1);
        break;
    case RVF_FENCE:
        fence(t, n, i);
        break;
    case RVF_SFENCE:
        OUT("%s %s,%s", n, s1, s2);
        break;
    case RVF_CSR:
        csr(t, n, i, false);
        break;
    case RVF_CSRI:
        csr(t, n, i, true);
        break;
    case RVF_F4:
        OUT("%s %s,%s,%s,%s%s", n, fd, f1, f2, fname[rv_rs3(i)], rm);
        break;
    case RVF_F3:
        OUT("%s %s,%s,%s%s", n, fd, f1, f2, rm);
        break;
    case RVF_F3N:
        OUT("%s %s,%s,%s", n, fd, f1, f2);
        break;
    case RVF_F2:
        OUT("%s %s,%s%s", n, fd, f1, rm);
        break;
    case RVF_XFF:
        OUT("%s %s,%s,%s", n, d, f1, f2);
        break;
    case RVF_XF:
        OUT("%s %s,%s", n, d, f1);
        break;
    case RVF_FX:
        OUT("%s %s,%s", n, fd, s1);
        break;
    case RVF_XFRM:
        OUT("%s %s,%s%s", n, d, f1, rm);
        break;
    case RVF_FXRM:
        OUT("%s %s,%s%s", n, fd, s1, rm);
        break;
    }
}

unsigned rv64_disassemble(const u8 *code, unsigned avail, gva pc, char *buf, size_t cap) {
    if (avail < 2) return 0;
    u32 i = get_le16(code);
    unsigned len = rv_length(i);
    if (avail < len) return 0;
    if (len == 4) i = get_le32(code);
    u32 insn = len == 2 ? rv_expand(i) : i;
    enum rv_id id = rv_decode(insn);
    struct text text = {buf, cap}, *t = &text;
    if (id == RV_ILLEGAL)
        OUT(".%ubyte 0x%x", len, i);
    else
        print(t, &rv_rows[id], insn, pc);
    return len;
}
