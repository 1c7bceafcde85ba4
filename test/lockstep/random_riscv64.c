// Random riscv64 shapes and their layout. Registers: x31 points to the window that items access,
// x27 is the stack, x30 and x29 count inner and outer loops; no random instruction writes these.
// x25, x26, x28 are nodes' scratch.
//
// RAM (0x80000000), by pages: 0 trap handler, 1 its save area, 2 stack, 3-4 window, 5 read-only, 6
// not mapped, 7 tables, 8-15 code, 16-17 the window of the second address space, 18-24 page tables.
// With paging also: pages 32-39 are the code again, writable only; everything again at 0x40000000;
// devices below that in one large page.
#include "random.h"

#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "guest/riscv64/state.h"

#define RAM_BASE   0x80000000u
#define CODE_ALIAS 0x18000u // from a code address to the same bytes, writable

enum {
    RAM_SIZE = 0x20000,
    PAGE = 4096,
    HANDLER = 0,
    SAVE = 0x1000,
    STACK = 0x3000 - 512,
    WINDOW = 0x4000,
    READ_ONLY = 0x5000,
    UNMAPPED = 0x6000,
    TABLES = 0x7000,
    CODE = 0x8000,
    CODE_END = 0x10000,
    WINDOW_B = 0x10000,
    ROOT_A = 0x12000,
    ROOT_B = 0x15000,
};

enum { STACK_REG = 27, OUTER = 29, INNER = 30, WINDOW_REG = 31 };

enum kind {
    N_ITEM,
    N_COUNT,  // loop counter arg := to
    N_BACK,   // loop: back over `to` nodes while counter arg is not 0
    N_CALL,   // function `to`; arg: 0 jal, 1 auipc + jalr, 2 through a pointer in memory
    N_SWITCH, // to one of the next four nodes, by a register
    N_PATCH,  // changes the N_SLOT after it that is `to` slots away; arg bit 0: through the other
              // mapping
    N_SLOT,   // an addi whose immediate is changed
    N_SYSTEM, // variant arg
    N_EDGE,   // so that the next instruction crosses into the next page, or (arg) starts it
    N_KINDS
};

// ---- shapes

static bool reserved(unsigned r) {
    return r == STACK_REG || r == OUTER || r == INNER || r == WINDOW_REG;
}

static bool item_keeps(const struct item *it) {
    for (unsigned i = 0; i < it->n; i++) {
        u32 x = (it->w[i] & 3) == 3 ? it->w[i] : rv_expand(it->w[i]);
        enum rv_id id = rv_decode(x);
        if (rv_writes_x(rv_rows[id].format) && reserved(rv_rd(x))) return false;
    }
    return true;
}

enum { SYSTEM_VARIANTS = 32 };

static void node_random(struct node *n, struct rng *r, unsigned func, unsigned nfuncs) {
    *n = (struct node){.kind = N_ITEM};
    u32 k = rng_below(r, 100);
    if (k < 62) {
        do item_random(&n->item, r);
        while (!item_keeps(&n->item));
    } else if (k < 68) {
        n->kind = N_COUNT;
        n->arg = (u8)rng_below(r, 2);
        n->to = (u16)(1 + rng_below(r, n->arg ? 6 : 40));
    } else if (k < 76) {
        n->kind = N_BACK;
        n->arg = (u8)rng_below(r, 2);
        n->to = (u16)(1 + rng_below(r, 6));
    } else if (k < 84 && func + 1 < nfuncs) {
        n->kind = N_CALL;
        n->arg = (u8)rng_below(r, 3);
        n->to = (u16)(func + 1 + rng_below(r, nfuncs - func - 1));
    } else if (k < 87) {
        n->kind = N_SWITCH;
        n->arg = (u8)rng_below(r, 32);
    } else if (k < 89) {
        n->kind = N_PATCH;
        n->arg = (u8)rng_below(r, 2);
        n->to = (u16)rng_below(r, 4);
    } else if (k < 92) {
        n->kind = N_SLOT;
        n->arg = (u8)(5 + rng_below(r, 20));
    } else if (k < 98) {
        n->kind = N_SYSTEM;
        n->arg = (u8)rng_below(r, SYSTEM_VARIANTS);
    } else {
        n->kind = N_EDGE;
        n->arg = (u8)rng_below(r, 2);
    }
}

static void shape_random(struct shape *s, u64 seed) {
    struct rng r = {seed * 0x9e3779b97f4a7c15u + 12345};
    *s = (struct shape){.seed = seed};
    s->paging = rng_below(&r, 3) > 0;
    s->user = rng_below(&r, 3) == 0;
    s->moved = s->paging && rng_below(&r, 2);
    s->interrupts = rng_below(&r, 2);
    s->nfuncs = 1 + rng_below(&r, SHAPE_FUNCS);
    unsigned edges = 0;
    for (unsigned f = 0; f < s->nfuncs; f++) {
        struct shape_func *p = &s->func[f];
        p->n = (u8)(4 + rng_below(&r, SHAPE_NODES - 3));
        p->leaf = rng_below(&r, 6) == 0;
        for (unsigned i = 0; i < p->n; i++) {
            do node_random(&p->node[i], &r, f, s->nfuncs);
            while (p->node[i].kind == N_EDGE && edges == 5);
            edges += p->node[i].kind == N_EDGE;
        }
    }
}

// ---- layout

struct layout {
    const struct shape *s;
    struct program *p;
    u32 at;      // offset in RAM
    u32 tables;  // next free byte of the tables
    gva code_va; // of offset 0, as code sees it
    u32 func[SHAPE_FUNCS];
    u32 node[SHAPE_FUNCS][SHAPE_NODES + 1];
    bool full;
};

static void put(struct layout *l, u32 w) {
    unsigned n = (w & 3) == 3 ? 4 : 2;
    if (l->at + n > CODE_END) {
        l->full = true;
        return;
    }
    if (n == 4)
        put_le32(l->p->ram + l->at, w);
    else
        put_le16(l->p->ram + l->at, (u16)w);
    l->at += n;
}

static u32 u_type(enum rv_id row, unsigned rd, u32 upper) {
    return rv_rows[row].match | rd << 7 | (upper & 0xfffff000u);
}

static u32 csr(enum rv_id row, unsigned rd, unsigned number, unsigned rs1) {
    return rv_rows[row].match | rd << 7 | rs1 << 15 | number << 20;
}

// rd = the address of the byte at offset `to`, as code sees it.
static void put_la(struct layout *l, unsigned rd, i64 to) {
    i64 d = to - (i64)l->at, lo = (d & 0xfff) >= 0x800 ? (d & 0xfff) - 0x1000 : (d & 0xfff);
    put(l, u_type(RV_AUIPC, rd, (u32)(d - lo)));
    put(l, enc_i(RV_ADDI, rd, rd, (i32)lo));
}

static void put_jump(struct layout *l, unsigned rd, u32 to) {
    put(l, enc_j(rv_rows[RV_JAL].match | rd << 7, (i32)(to - l->at)));
}

static u32 table(struct layout *l, const u32 *to, unsigned n) {
    u32 at = l->tables;
    if (at + 8 * n > TABLES + PAGE) at = TABLES; // used twice then: a jump elsewhere
    for (unsigned i = 0; i < n; i++) put_le64(l->p->ram + at + 8 * i, l->code_va + to[i]);
    l->tables = at + 8 * n;
    return at;
}

static void put_item(struct layout *l, unsigned f, unsigned i) {
    const struct shape_func *p = &l->s->func[f];
    const struct item *it = &p->node[i].item;
    unsigned next = i + 1 + it->skip < p->n ? i + 1 + it->skip : p->n;
    u32 target = l->node[f][next], start = l->at;
    for (unsigned k = 0; k < it->n; k++) {
        u32 w = it->w[k];
        i32 d = (i32)(target - l->at);
        if (k + 1u == it->n && it->patch != PATCH_NONE) {
            // A page edge between may make it too far: then to the next instruction.
            bool wide = (w & 3) == 3;
            if (it->patch == PATCH_JALR) {
                d = (i32)(target - start);
                if (d < 0 || d > 2000) d = 8;
                w = (w & 0xfffffu) | (u32)d << 20;
            } else if (it->patch == PATCH_BRANCH) {
                if (d < 0 || d > (wide ? 4000 : 250)) d = wide ? 4 : 2;
                w = wide ? enc_b(w, d) : enc_c(w, d);
            } else {
                if (d < 0 || d > 2000) d = wide ? 4 : 2;
                w = wide ? enc_j(w, d) : enc_c(w, d);
            }
        }
        put(l, w);
    }
}

static void put_call(struct layout *l, const struct node *n) {
    u32 to = l->func[n->to];
    if (n->arg == 0) {
        put_jump(l, 1, to);
    } else if (n->arg == 1) {
        i64 d = (i64)to - (i64)l->at,
            lo = (d & 0xfff) >= 0x800 ? (d & 0xfff) - 0x1000 : (d & 0xfff);
        put(l, u_type(RV_AUIPC, 1, (u32)(d - lo)));
        put(l, enc_i(RV_JALR, 1, 1, (i32)lo));
    } else {
        put_la(l, 28, table(l, &to, 1));
        put(l, enc_i(RV_LD, 28, 28, 0));
        put(l, enc_i(RV_JALR, 1, 28, 0));
    }
}

static void put_switch(struct layout *l, unsigned f, unsigned i) {
    u32 to[4];
    for (unsigned k = 0; k < 4; k++) {
        unsigned at = i + 1 + k;
        to[k] = l->node[f][at < l->s->func[f].n ? at : l->s->func[f].n];
    }
    put_la(l, 26, table(l, to, 4));
    put(l, enc_i(RV_ANDI, 28, l->s->func[f].node[i].arg, 3));
    put(l, enc_r(RV_SH3ADD, 26, 28, 26));
    put(l, enc_i(RV_LD, 26, 26, 0));
    put(l, enc_i(RV_JALR, 0, 26, 0));
}

static void put_patch(struct layout *l, unsigned f, unsigned i) {
    const struct node *n = &l->s->func[f].node[i];
    unsigned pf = f, pi = i;
    if (!shape_find(l->s, N_SLOT, n->to, &pf, &pi)) return;
    bool alias = n->arg && l->s->paging;
    put_la(l, 28, (i64)l->node[pf][pi] + (alias ? CODE_ALIAS : 0));
    put(l, enc_i(RV_LW, 26, 28, 0));
    put(l, u_type(RV_LUI, 25, 0x00100000));
    put(l, enc_r(RV_XOR, 26, 26, 25));
    put(l, enc_s(RV_SW, 26, 28, 0));
    put(l, rv_rows[RV_FENCE_I].match);
}

enum {
    CSR_FRM = 2,
    CSR_SSTATUS = 0x100,
    CSR_SIE = 0x104,
    CSR_SEPC = 0x141,
    CSR_SCAUSE = 0x142,
    CSR_STVAL = 0x143,
    CSR_SIP = 0x144,
    CSR_STIMECMP = 0x14d,
    CSR_SATP = 0x180,
    CSR_CYCLE = 0xc00,
    CSR_TIME = 0xc01,
    CSR_INSTRET = 0xc02,
    CSR_SSCRATCH = 0x140
};

static void put_timer(struct layout *l, i32 ticks) {
    put(l, csr(RV_CSRRS, 28, CSR_TIME, 0));
    put(l, enc_i(RV_ADDI, 28, 28, ticks));
    put(l, csr(RV_CSRRW, 0, CSR_STIMECMP, 28));
    put(l, enc_i(RV_ADDI, 28, 0, 0x222));
    put(l, csr(RV_CSRRW, 0, CSR_SIE, 28));
}

// x28 = the window page before the one at `offset`, so that an access at +4090 crosses into it.
static void put_near(struct layout *l, u32 offset) {
    put(l, u_type(RV_LUI, 28, (offset - WINDOW) & ~0xfffu));
    put(l, enc_r(RV_ADD, 28, 28, WINDOW_REG));
}

static void put_system(struct layout *l, const struct node *n) {
    static const u16 fs[] = {RV_CSRRS, RV_CSRRS, RV_CSRRS, RV_CSRRC};
    unsigned v = n->arg;
    struct rng r = {l->s->seed + l->at};
    switch (v) {
    case 0:
    case 1:
    case 2:
        put(l, csr(RV_CSRRS, 5 + v, v == 0 ? CSR_CYCLE : v == 1 ? CSR_TIME : CSR_INSTRET, 0));
        return;
    case 3:
    case 4:
        put(l, csr(RV_CSRRWI, 9, CSR_FRM, rng_below(&r, 2) ? 0 : rng_below(&r, 8)));
        return;
    case 5: // FS off is a trap at each instruction that uses it, so it is mostly put on
        put(l, u_type(RV_LUI, 28, 0x6000));
        put(l, csr((enum rv_id)fs[rng_below(&r, 4)], 0, CSR_SSTATUS, 28));
        return;
    case 6:
    case 7:
        put(l, csr(v == 6 ? RV_CSRRSI : RV_CSRRCI, 0, CSR_SSTATUS, 2));
        return;
    case 8:
        put(l, csr(RV_CSRRSI, 0, CSR_SIP, 2));
        return;
    case 9:
    case 10:
        put_timer(l, (i32)rng_below(&r, 200));
        return;
    case 11:
        put_timer(l, (i32)rng_below(&r, 2000));
        put(l, rv_rows[RV_WFI].match);
        return;
    case 12:
        put(l, rv_rows[RV_SFENCE_VMA].match);
        return;
    case 13:
        put(l, rv_rows[RV_SFENCE_VMA].match | WINDOW_REG << 15);
        return;
    case 14:
        put(l, enc_i(RV_ADDI, 28, 0, (i32)rng_below(&r, 3)));
        put(l, rv_rows[RV_SFENCE_VMA].match | 28 << 20);
        return;
    case 15:
    case 16: { // the other address space; without paging there is none
        if (!l->s->paging) return;
        put_la(l, 28, SAVE + 64 + 8 * (v - 15));
        put(l, enc_i(RV_LD, 28, 28, 0));
        put(l, csr(RV_CSRRW, 0, CSR_SATP, 28));
        return;
    }
    case 17: {
        static const u16 what[] = {CSR_SEPC, CSR_SCAUSE, CSR_STVAL, CSR_SIP, CSR_SIE, CSR_SSTATUS};
        put(l, csr(RV_CSRRS, 11, what[rng_below(&r, ARRAY_LEN(what))], 0));
        return;
    }
    case 18: // not 0x53525354 or another that exists: "not supported" comes back
        put(l, enc_i(RV_ADDI, 17, 0, 0x700));
        put(l, rv_rows[RV_ECALL].match);
        return;
    case 19:
        put(l, rv_rows[RV_EBREAK].match);
        return;
    case 20:
        put(l, 0xffffffffu);
        return;
    case 21:
        put(l, 0); // c.unimp
        return;
    case 22: // MXR, SUM
        put(l, u_type(RV_LUI, 28, rng_below(&r, 2) ? 1 << 18 : 1 << 19));
        put(l, csr(rng_below(&r, 2) ? RV_CSRRS : RV_CSRRC, 0, CSR_SSTATUS, 28));
        return;
    case 23:
        put(l, rv_rows[RV_FENCE_I].match);
        return;
    case 24: // misaligned
        put(l, enc_i(RV_ADDI, 28, WINDOW_REG, 4 + (i32)rng_below(&r, 3) + 1));
        put(l, enc_r(rng_below(&r, 2) ? RV_AMOADD_D : RV_LR_W, 6, 28, 0));
        return;
    case 25:
        put_near(l, UNMAPPED);
        put(l, enc_i(RV_LD, 7, 28, (i32)rng_below(&r, 2) * 8));
        return;
    case 26:
        put_near(l, READ_ONLY);
        put(l, enc_s(RV_SD, 8, 28, 16));
        return;
    case 27: // half of it may be written, so nothing is
        put_near(l, READ_ONLY);
        put(l, enc_s(RV_SD, 8, 28, -3));
        return;
    case 28: // half of it may be read
        put_near(l, UNMAPPED);
        put(l, enc_i(RV_LD, 9, 28, -5));
        return;
    case 29:
        if (!l->s->paging) return; // zeros, a trap each
        put_near(l, UNMAPPED);
        put(l, enc_i(RV_JALR, 1, 28, 0));
        return;
    case 30:
        put(l, u_type(RV_LUI, 28, PROGRAM_MMIO));
        put(l, enc_i(RV_LW, 12, 28, 32));
        return;
    default: // may raise the external interrupt
        put(l, u_type(RV_LUI, 28, PROGRAM_MMIO));
        put(l, enc_s(RV_SW, 13, 28, (i32)rng_below(&r, 4) * 8));
    }
}

static void put_edge(struct layout *l, bool at_start) {
    u32 to = (l->at | (PAGE - 1)) + 1 - (at_start ? 0 : 2);
    if (to < l->at + 4) return;
    if (to >= CODE_END) return;
    put_jump(l, 0, to);
    l->at = to;
}

static void put_node(struct layout *l, unsigned f, unsigned i) {
    const struct node *n = &l->s->func[f].node[i];
    unsigned counter = n->arg ? OUTER : INNER;
    switch (n->kind) {
    case N_ITEM:
        put_item(l, f, i);
        break;
    case N_COUNT:
        put(l, enc_i(RV_ADDI, counter, 0, n->to));
        break;
    case N_BACK: {
        u32 to = l->node[f][i > n->to ? i - n->to : 0];
        put(l, enc_i(RV_ADDI, counter, counter, -1));
        i32 d = (i32)(to - l->at);
        // Greater than 0, so that a counter that was not set does not count for ever.
        put(l, enc_b(enc_r(RV_BLT, 0, 0, counter), d < -4000 ? 4 : d));
        break;
    }
    case N_CALL:
        put_call(l, n);
        break;
    case N_SWITCH:
        put_switch(l, f, i);
        break;
    case N_PATCH:
        put_patch(l, f, i);
        break;
    case N_SLOT:
        put(l, enc_i(RV_ADDI, n->arg, n->arg, 5));
        break;
    case N_SYSTEM:
        put_system(l, n);
        break;
    case N_EDGE:
        put_edge(l, n->arg);
        break;
    }
}

static void put_func(struct layout *l, unsigned f) {
    const struct shape_func *p = &l->s->func[f];
    l->func[f] = l->at;
    if (!p->leaf) {
        put(l, enc_i(RV_ADDI, STACK_REG, STACK_REG, -16));
        put(l, enc_s(RV_SD, 1, STACK_REG, 0));
    }
    for (unsigned i = 0; i < p->n; i++) {
        l->node[f][i] = l->at;
        put_node(l, f, i);
    }
    l->node[f][p->n] = l->at;
    if (!p->leaf) {
        put(l, enc_i(RV_LD, 1, STACK_REG, 0));
        put(l, enc_i(RV_ADDI, STACK_REG, STACK_REG, 16));
    }
    put(l, enc_i(RV_JALR, 0, 1, 0));
}

// Calls every function, for ever. A jump to nowhere is resumed here, so the stack starts anew.
static void put_main(struct layout *l) {
    u32 start = l->at;
    put_la(l, STACK_REG, STACK);
    put_la(l, WINDOW_REG, WINDOW);
    if (!l->s->user) {
        put(l, u_type(RV_LUI, 28, 0x6000));
        put(l, csr(RV_CSRRS, 0, CSR_SSTATUS, 28));
    }
    for (unsigned f = 0; f < l->s->nfuncs; f++) {
        struct node n = {.kind = N_CALL, .arg = (u8)(f % 3), .to = (u16)f};
        put_call(l, &n);
    }
    put_jump(l, 0, start);
}

// Adds up what it sees, skips the instruction that trapped, resumes at the start after a fetch that
// failed.
static void put_handler(struct layout *l) {
    enum { T0 = 5, T1 = 6, T2 = 7, A = 31 };
    put(l, csr(RV_CSRRW, A, CSR_SSCRATCH, A));
    for (unsigned i = 0; i < 3; i++) put(l, enc_s(RV_SD, T0 + i, A, (i32)(8 * i)));
    put(l, csr(RV_CSRRS, T0, CSR_SCAUSE, 0));
    put(l, csr(RV_CSRRS, T1, CSR_STVAL, 0));
    put(l, enc_i(RV_LD, T2, A, 24));
    put(l, enc_r(RV_ADD, T2, T2, T0));
    put(l, enc_r(RV_XOR, T2, T2, T1));
    put(l, enc_i(RV_RORI, T2, T2, 7));
    put(l, enc_s(RV_SD, T2, A, 24));
    u32 irq_branch = l->at;
    put(l, 0x00000013); // a branch, when its target is known
    put(l, csr(RV_CSRRS, T1, CSR_SEPC, 0));
    u32 resume_branch[2];
    for (unsigned i = 0; i < 2; i++) {
        put(l, enc_i(RV_ADDI, T2, 0, i ? EXC_INSN_PAGE : EXC_INSN_ACCESS));
        resume_branch[i] = l->at;
        put(l, 0x00000013);
    }
    put(l, enc_i(RV_LHU, T2, T1, 0));
    put(l, enc_i(RV_ADDI, T1, T1, 2));
    put(l, enc_i(RV_ANDI, T2, T2, 3));
    put(l, enc_i(RV_ADDI, T2, T2, -3));
    put(l, enc_b(enc_r(RV_BNE, 0, T2, 0), 8));
    put(l, enc_i(RV_ADDI, T1, T1, 2));
    put(l, csr(RV_CSRRW, 0, CSR_SEPC, T1));
    u32 out = l->at;
    for (unsigned i = 0; i < 3; i++) put(l, enc_i(RV_LD, T0 + i, A, (i32)(8 * i)));
    put(l, csr(RV_CSRRW, A, CSR_SSCRATCH, A));
    put(l, rv_rows[RV_SRET].match);
    for (unsigned i = 0; i < 2; i++)
        put_le32(l->p->ram + resume_branch[i],
                 enc_b(enc_r(RV_BEQ, 0, T0, T2), (i32)(l->at - resume_branch[i])));
    put(l, enc_i(RV_LD, T1, A, 32));
    put(l, csr(RV_CSRRW, 0, CSR_SEPC, T1));
    put(l, enc_i(RV_LD, T1, A, 40)); // the program's own mode
    put(l, csr(RV_CSRRS, 0, CSR_SSTATUS, T1));
    put_jump(l, 0, out);
    put_le32(l->p->ram + irq_branch, enc_b(enc_r(RV_BLT, 0, T0, 0), (i32)(l->at - irq_branch)));
    put(l, csr(RV_CSRRS, T1, CSR_TIME, 0));
    put(l, enc_i(RV_ANDI, T2, T2, 0x7f));
    put(l, enc_r(RV_ADD, T1, T1, T2));
    put(l, csr(RV_CSRRW, 0, CSR_STIMECMP, T1));
    put(l, csr(RV_CSRRCI, 0, CSR_SIP, 2));
    put(l, u_type(RV_LUI, T1, PROGRAM_MMIO));
    put(l, enc_s(RV_SD, T2, T1, 0));
    put_jump(l, 0, out);
}

// ---- page tables

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_A = 64, PTE_D = 128 };

static void pte(struct program *p, u32 table, unsigned i, u64 pa, u32 flags) {
    put_le64(p->ram + table + 8 * i, pa >> 12 << 10 | flags);
}

static u32 flags_of(const struct shape *s, unsigned page, struct rng *r) {
    u32 at = page * PAGE, u = s->user ? PTE_U : 0, f = PTE_V | PTE_A | PTE_D;
    if (at == HANDLER) return f | PTE_R | PTE_X;
    if (at == SAVE) return f | PTE_R | PTE_W;
    if (at == READ_ONLY || at == TABLES) return f | PTE_R | u;
    if (at == UNMAPPED) return 0;
    if (at >= CODE && at < CODE_END) return f | PTE_R | PTE_W | PTE_X | u;
    // Accessed and dirty are for the walk to set in some.
    f = PTE_V | PTE_R | PTE_W | u;
    return f | (rng_below(r, 2) ? PTE_A | PTE_D : rng_below(r, 2) ? PTE_A : 0);
}

static void address_space(struct program *p, const struct shape *s, u32 root, bool second,
                          struct rng *r) {
    u32 l1 = root + PAGE, leaf = root + 2 * PAGE, u = s->user ? PTE_U : 0;
    pte(p, root, 0, 0, PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | u);
    pte(p, root, 1, RAM_BASE + l1, PTE_V);
    pte(p, root, 2, RAM_BASE + l1, PTE_V);
    pte(p, l1, 0, RAM_BASE + leaf, PTE_V);
    for (unsigned i = 0; i < RAM_SIZE / PAGE; i++) {
        u64 pa = RAM_BASE + i * PAGE;
        bool window = i * PAGE == WINDOW || i * PAGE == WINDOW - PAGE;
        if (second && window) pa += WINDOW_B - (WINDOW - PAGE);
        pte(p, leaf, i, pa, flags_of(s, i, r));
    }
    for (u32 at = CODE; at < CODE_END; at += PAGE)
        pte(p, leaf, (at + CODE_ALIAS) / PAGE, RAM_BASE + at,
            PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | u);
}

static u64 satp_of(u32 root, unsigned asid) {
    return (u64)SATP_SV39 << 60 | (u64)asid << 44 | (RAM_BASE + root) >> 12;
}

static void set_start(struct layout *l, u32 main_at, struct rng *r) {
    struct program *p = l->p;
    const struct shape *s = l->s;
    u64 state[CASE_STATE];
    state_random(state, r);
    memcpy(&p->reg[REG_X], state, sizeof(u64) * 64);
    p->reg[REG_X + INNER] = p->reg[REG_X + OUTER] = 0;
    p->reg[REG_PC] = l->code_va + main_at;
    p->reg[REG_PRIV] = s->user ? PRIV_U : PRIV_S;
    p->reg[REG_STVEC] = RAM_BASE + HANDLER;
    p->reg[REG_SSCRATCH] = RAM_BASE + SAVE;
    p->reg[REG_SSTATUS] = SSTATUS_FS | SSTATUS_SUM | (s->interrupts ? SSTATUS_SIE : 0);
    p->reg[REG_SIE] = s->interrupts ? SIP_ALL : 0;
    p->reg[REG_STIMECMP] = s->interrupts ? rng_below(r, 100) : ~(u64)0;
    put_le64(p->ram + SAVE + 32, p->reg[REG_PC]);
    put_le64(p->ram + SAVE + 40, s->user ? 0 : SSTATUS_SPP);
    if (s->paging) {
        p->reg[REG_SATP] = satp_of(ROOT_A, 1);
        put_le64(p->ram + SAVE + 64, satp_of(ROOT_A, 1));
        put_le64(p->ram + SAVE + 72, satp_of(ROOT_B, 2));
        address_space(p, s, ROOT_A, false, r);
        address_space(p, s, ROOT_B, true, r);
    }
}

static bool shape_build(const struct shape *s, struct program *out) {
    struct layout l = {.s = s, .p = out};
    struct rng r = {s->seed ^ 0x5555};
    if (!program_init(out, &program_riscv64, RAM_BASE, RAM_SIZE)) return false;
    l.code_va = s->moved ? 0x40000000 : RAM_BASE;
    l.at = HANDLER;
    put_handler(&l);
    u32 main_at = CODE;
    for (unsigned pass = 0; pass < 2; pass++) { // the second knows all addresses
        l.at = CODE;
        l.tables = TABLES;
        memset(out->ram + CODE, 0, CODE_END - CODE);
        put_main(&l);
        for (unsigned f = 0; f < s->nfuncs; f++) put_func(&l, f);
    }
    out->code = RAM_BASE + CODE;
    out->code_end = RAM_BASE + ((l.at + 15) & ~15u);
    out->line = s->interrupts ? 1 + rng_below(&r, 20) : 0;
    out->nfill = 2;
    out->fill[0].at = RAM_BASE + WINDOW - PAGE;
    out->fill[1].at = RAM_BASE + WINDOW_B;
    for (unsigned i = 0; i < 2; i++) {
        out->fill[i].len = 2 * PAGE;
        out->fill[i].seed = s->seed + i;
    }
    set_start(&l, main_at, &r);
    return true;
}

const struct shape_maker shape_riscv64 = {"riscv64", shape_random, shape_build};
