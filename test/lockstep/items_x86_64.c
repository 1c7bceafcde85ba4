// Random x86_64 instructions for programs: any row of the guest's table that stays in the program,
// its memory operand in the window or at its edges.
#include <string.h>

#include "base/compiler.h"
#include "guest/x86_64/decode.h"
#include "guest/x86_64/isa.h"
#include "x86.h"

struct enc {
    u8 b[32];
    unsigned n;
    unsigned disp_at;
    bool rip;
};

static bool one_in(struct rng *r, u32 n) { return rng_below(r, n) == 0; }
static void put(struct enc *e, unsigned v) { e->b[e->n++] = (u8)v; }

static bool excluded(unsigned id, bool bits32) {
    const struct x86_row *row = &x86_rows[id];
    if (row->attr & (X86A_PRIV | X86A_D64 | X86A_REP)) return true;
    if (row->attr & (bits32 ? X86A_O64 : X86A_I64)) return true;
    if (!x86_isa_present((enum x86_isa)row->isa)) return true;
    for (unsigned i = 0; i < 4; i++) switch (x86_operands[row->op[i]].type) {
        case X86T_SEG0:
        case X86T_SEG1:
        case X86T_SEG2:
        case X86T_SEG3:
        case X86T_SEG4:
        case X86T_SEG5:
        case X86T_CREG:
        case X86T_DREG:
        case X86T_OFFS:
        case X86T_FAR:
        case X86T_REL:
            return true;
        default:
            break;
        }
    switch (id) {
    case X86_ILLEGAL:
    case X86_TOO_LONG:
    case X86_PUSHA:
    case X86_POPA:
    case X86_LES:
    case X86_LDS:
    case X86_LSS:
    case X86_LFS:
    case X86_LGS:
    case X86_CALL_Mp:
    case X86_JMP_Mp:
    case X86_RETF:
    case X86_RETF_Iw:
    case X86_IRET:
    case X86_INT3:
    case X86_INT:
    case X86_INTO:
    case X86_INT1:
    case X86_XLAT:
    case X86_CLI:
    case X86_STI:
    case X86_MOV_SwEw:
    case X86_RDRAND:
    case X86_RDSEED:
    case X86_SYSCALL:
    case X86_SYSENTER:
    case X86_FXRSTOR:
    case X86_XRSTOR:
    case X86_MASKMOVQ:
    case X86_MASKMOVDQU:
    case X86_IN_ALIb:
    case X86_IN_AXIb:
    case X86_IN_ALDX:
    case X86_IN_AXDX:
    case X86_OUT_IbAL:
    case X86_OUT_IbAX:
    case X86_OUT_DXAL:
    case X86_OUT_DXAX:
        return true;
    default:
        return false;
    }
}

// Where in the window: mostly aligned and well inside, else at the edges of pages that may be
// accessed differently.
static u32 place(struct rng *r) {
    u32 any = rng_below(r, X86_COUNTERS - 64);
    switch (rng_below(r, 20)) {
    case 0:
        return X86_PAGE - rng_below(r, 32);
    case 1:
        return one_in(r, 2) ? 2 * X86_PAGE - rng_below(r, 8)
                            : X86_READ_ONLY - X86_WINDOW + X86_PAGE - rng_below(r, 32);
    case 2:
        return 0u - rng_below(r, 16);
    case 3:
    case 4:
    case 5:
        return any;
    case 6:
    case 7:
    case 8: // few places, so that what was written is read again
        return 64 + 16 * rng_below(r, 8);
    default:
        return any & ~15u;
    }
}

static void put32(struct enc *e, u32 v) {
    for (unsigned i = 0; i < 4; i++) put(e, v >> 8 * i & 0xff);
}

// ModRM for a memory operand in the window; the base's extension bit is in *b.
static void memory64(struct enc *e, unsigned reg, unsigned *b, struct rng *r) {
    unsigned how = rng_below(r, 16);
    *b = 0;
    if (how < 3) {
        put(e, reg << 3 | 5);
        e->rip = true;
        e->disp_at = e->n;
        put32(e, place(r));
    } else if (how == 3) { // below the stack
        put(e, 0x44 | reg << 3);
        put(e, 0x24);
        put(e, 0u - 8 - rng_below(r, 56));
    } else if (how == 4) {
        put(e, 0x84 | reg << 3);
        put(e, rng_below(r, 4) << 6 | rng_below(r, 8) << 3 | 7);
        *b = 1;
        put32(e, place(r));
    } else {
        put(e, 0x87 | reg << 3);
        *b = 1;
        put32(e, place(r));
    }
}

static void memory32(struct enc *e, unsigned reg, struct rng *r) {
    unsigned how = rng_below(r, 16);
    if (how < 6) {
        put(e, reg << 3 | 5);
        put32(e, X86_WINDOW + place(r));
    } else if (how == 6) {
        put(e, 0x84 | reg << 3);
        put(e, rng_below(r, 4) << 6 | rng_below(r, 8) << 3 | 5);
        put32(e, place(r));
    } else {
        put(e, 0x85 | reg << 3);
        put32(e, place(r));
    }
}

static void legacy_prefixes(struct enc *e, const struct x86_row *row, struct rng *r) {
    unsigned p = row->pfx & X86P_ANY;
    if (one_in(r, 24)) put(e, one_in(r, 2) ? 0x65 : 0x64);
    if (one_in(r, 50)) put(e, 0x67);
    if (row->attr & X86A_LOCK && one_in(r, 4)) put(e, 0xf0);
    if (p == X86P_66 || (p == X86P_ANY && one_in(r, 5))) put(e, 0x66);
    if (p == X86P_F3) put(e, 0xf3);
    if (p == X86P_F2) put(e, 0xf2);
}

static void vex_prefix(struct enc *e, const struct x86_row *row, unsigned map, bool bits32,
                       unsigned high, struct rng *r) {
    static const u8 pp[9] = {[X86P_NP] = 0, [X86P_66] = 1, [X86P_F3] = 2, [X86P_F2] = 3};
    unsigned w = rng_below(r, 2), l = rng_below(r, 2), vvvv = 15;
    if (row->pfx & X86P_W1) w = 1;
    if (row->pfx & X86P_W0) w = 0;
    if (row->pfx & X86P_L1) l = 1;
    if (row->pfx & X86P_L0) l = 0;
    for (unsigned i = 0; i < 4; i++) {
        u8 t = x86_operands[row->op[i]].type;
        if (t == X86T_VVVV || t == X86T_XVVVV) vvvv = rng_below(r, 16);
    }
    if (bits32) vvvv |= 8, high &= ~5u; // the first two bits as in no LES or LDS
    put(e, 0xc4);
    put(e, (~high & 7) << 5 | map);
    put(e, w << 7 | vvvv << 3 | l << 2 | pp[row->pfx & X86P_ANY]);
}

static void encode(struct enc *e, unsigned id, bool bits32, struct rng *r) {
    const struct x86_row *row = &x86_rows[id];
    struct x86_place at = x86_row_place((enum x86_id)id);
    struct enc m = {.n = 0}; // ModRM and what belongs to it
    unsigned b = rng_below(r, 2), reg = rng_below(r, 8);
    *e = (struct enc){.n = 0};
    if (row->form & X86F_MODRM) {
        bool mem = row->form & X86F_MEM || (!(row->form & (X86F_REG | X86F_RM)) && one_in(r, 3));
        if (row->form & X86F_DIGIT) reg = row->form >> 4 & 7;
        if (!mem)
            put(&m, 0xc0 | reg << 3 | (row->form & X86F_RM ? row->form >> 8 & 7 : rng_below(r, 8)));
        else if (bits32)
            memory32(&m, reg, r);
        else
            memory64(&m, reg, &b, r);
    }
    unsigned high = rng_below(r, 2) << 2 | b; // R, X, B; an index of r12 and up is rare enough
    if (at.map > 3) {
        vex_prefix(e, row, at.map - 3u, bits32, high, r);
    } else {
        legacy_prefixes(e, row, r);
        unsigned w = row->pfx & X86P_W1 ? 8 : row->pfx & X86P_W0 ? 0 : rng_below(r, 2) * 8;
        if (!bits32 && (w || b || !one_in(r, 3))) put(e, 0x40 | w | high);
        if (at.map) put(e, 0x0f);
        if (at.map == 2) put(e, 0x38);
        if (at.map == 3) put(e, 0x3a);
    }
    put(e, at.opcode + rng_below(r, at.span));
    e->rip = m.rip;
    e->disp_at = m.disp_at ? e->n + m.disp_at : 0;
    memcpy(e->b + e->n, m.b, m.n);
    e->n += m.n;
    for (unsigned i = 0; i < 8; i++) put(e, rng_below(r, one_in(r, 2) ? 256 : 8));
}

static bool reserved(unsigned n, bool bits32) { return n == 4 || (bits32 ? n == 5 : n >= 13); }

static bool keeps(const struct x86_insn *d, bool bits32) {
    for (unsigned i = 0; i < 4; i++) {
        unsigned n;
        switch (x86_operand_type(d, i)) {
        case X86T_RM:
            if (d->mod != 3) continue;
            n = d->rm;
            break;
        case X86T_RMREG:
            n = d->rm;
            break;
        case X86T_REG:
            n = d->reg;
            break;
        case X86T_VVVV:
            n = d->vvvv;
            break;
        case X86T_OPREG:
            n = (d->opcode & 7) | d->rexb;
            break;
        default:
            continue;
        }
        if (x86_operand_size(d, i) == 1 && !d->rex && !d->vex && n >= 4 && n < 8) n -= 4;
        if (reserved(n, bits32)) return false;
    }
    return true;
}

static unsigned random_row(struct rng *r) {
    switch (rng_below(r, 8)) {
    case 0:
    case 1: // arithmetic and logic of the first rows
        return 2 + rng_below(r, X86_PUSH_ES - 2);
    case 2:
        return X86_ADD_EbIb + rng_below(r, X86_LEA - X86_ADD_EbIb);
    case 3:
    case 4:
    case 5:
        return 2 + rng_below(r, X86_RORX - 2);
    default:
        return X86_RORX + rng_below(r, X86_ROWS - X86_RORX);
    }
}

void x86_item_random(struct x86_item *it, bool bits32, struct rng *r) {
    for (;;) {
        struct enc e;
        struct x86_insn d;
        unsigned id = random_row(r);
        if (excluded(id, bits32)) continue;
        encode(&e, id, bits32, r);
        if (!x86_decode(&d, e.b, 15, bits32 ? X86_CODE32 : X86_CODE64)) continue;
        if (d.row != id || !keeps(&d, bits32)) continue;
        *it = (struct x86_item){.len = d.len, .disp_at = (u8)e.disp_at, .rip = e.rip};
        memcpy(it->b, e.b, d.len);
        return;
    }
}
