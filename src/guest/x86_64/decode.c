// Decoding (SDM 2A ch. 2, APM 3 ch. 1): prefixes, REX, VEX, opcode maps, ModRM, SIB, immediates.
// Pure.
//
// The search is a switch over map and opcode of each table and then a chain of row tests in the
// table's order.
// Differences between vendors are decided as AMD does: 66 on a near branch makes it a 16-bit one.
#include "guest/x86_64/decode.h"

#include "base/buf.h"

// The short names that the table uses.
enum { LOCK = X86A_LOCK, I64 = X86A_I64, O64 = X86A_O64, D64 = X86A_D64, PRIV = X86A_PRIV };
enum { REP = X86A_REP, GPR = X86A_GPR };
enum { ANY = X86P_ANY, NP = X86P_NP, P66 = X86P_66, PF3 = X86P_F3, PF2 = X86P_F2 };
enum { W0 = X86P_W0, W1 = X86P_W1, L0 = X86P_L0, L1 = X86P_L1 };
enum { NOM = 0, R = X86F_MODRM, MEM = X86F_MEM, REG = X86F_REG };
#define D(n)  (X86F_MODRM | X86F_DIGIT | (n) << 4)
#define RM(n) (X86F_RM | (n) << 8)

#define KEY(map, opcode) ((map) << 8 | (opcode))

// Whether an operand has bytes behind ModRM.
enum {
#define X86_OPERAND(name, type, size)                                                              \
    BEHIND_##name = X86T_##type == X86T_IMM || X86T_##type == X86T_IMMS ||                         \
                    X86T_##type == X86T_IMM2 || X86T_##type == X86T_REL ||                         \
                    X86T_##type == X86T_FAR || X86T_##type == X86T_OFFS ||                         \
                    X86T_##type == X86T_XIMM,
#include "guest/x86_64/operands.def"
};

const struct x86_row x86_rows[X86_ROWS] = {
    [X86_ILLEGAL] = {"(bad)", "------", 0, {0}, 0, 0, 0, 0},
    [X86_TOO_LONG] = {"(bad)", "------", 0, {0}, 0, 0, 0, 0},
#define X86(id, name, pfx, form, o1, o2, o3, o4, attr, isa, flags, lifter, arg)                    \
    [X86_##                                                                                        \
        id] = {name,      flags,                                                                   \
               form,      {X86O_##o1, X86O_##o2, X86O_##o3, X86O_##o4},                            \
               pfx,       attr,                                                                    \
               ISA_##isa, BEHIND_##o1 | BEHIND_##o2 << 1 | BEHIND_##o3 << 2 | BEHIND_##o4 << 3},
#include "guest/x86_64/insns.def"
};

const struct x86_operand_info x86_operands[X86_OPERAND_KINDS] = {
#define X86_OPERAND(name, type, size) [X86O_##name] = {#name, X86T_##type, X86Z_##size},
#include "guest/x86_64/operands.def"
};

struct cursor {
    const u8 *p;
    unsigned at, avail;
    bool short_; // ran out of bytes
};

static u8 next(struct cursor *c) {
    if (c->at < c->avail) return c->p[c->at++];
    c->short_ = true;
    return 0;
}

static u64 next_n(struct cursor *c, unsigned n) {
    if (n > c->avail - c->at) {
        c->at = c->avail;
        c->short_ = true;
        return 0;
    }
    u64 v = 0;
    const u8 *p = c->p + c->at;
    c->at += n;
    if (n == 1) return *p;
    if (n == 4) return get_le32(p);
    for (unsigned i = 0; i < n; i++) v |= (u64)p[i] << (8 * i);
    return v;
}

static u64 sign_extend(u64 v, unsigned bytes) {
    unsigned sh = 64 - 8 * bytes;
    return (u64)((i64)(v << sh) >> sh);
}

// One of the prefix classes NP 66 F3 F2: F2 and F3 win over 66.
static unsigned prefix_class(const struct x86_insn *d) {
    if (d->rep) return d->rep == 0xf3 ? X86P_F3 : X86P_F2;
    return d->p66 ? X86P_66 : X86P_NP;
}

static bool fits(const struct x86_insn *d, unsigned pfx, unsigned form, unsigned attr) {
    if (!(pfx & prefix_class(d))) return false;
    if ((pfx & X86P_W0 && d->w) || (pfx & X86P_W1 && !d->w)) return false;
    if ((pfx & X86P_L0 && d->l) || (pfx & X86P_L1 && !d->l)) return false;
    if (attr & (d->code == X86_CODE64 ? X86A_I64 : X86A_O64)) return false;
    if ((form & X86F_MEM && d->mod == 3) || (form & X86F_REG && d->mod != 3)) return false;
    if (form & X86F_DIGIT && (d->modrm >> 3 & 7) != (form >> 4 & 7)) return false;
    return !(form & X86F_RM) || (d->modrm & 7) == (form >> 8 & 7);
}

// Whatever the prefixes, the ModRM byte and the mode are.
#define ALWAYS_FITS(pfx, form, attr)                                                               \
    ((pfx) == ANY && !((form) & ~X86F_MODRM) && !((attr) & (I64 | O64)))

// The row, or X86_ILLEGAL. *need: a ModRM byte decides and there is none yet. Each table has a
// search of its own, as an opcode may be general, MMX and SSE by prefix and ModRM.
#define X86_AT(m, opcode, span)                                                                    \
    break;                                                                                         \
    case KEY(m, opcode)... KEY(m, opcode) + (span)-1:
#define X86(id, name, pfx, form, o1, o2, o3, o4, attr, isa, flags, lifter, arg)                    \
    if ((form) != NOM && !have_modrm) {                                                            \
        *need = true;                                                                              \
        return X86_##id;                                                                           \
    }                                                                                              \
    if (ALWAYS_FITS(pfx, form, attr) || fits(d, pfx, form, attr)) return X86_##id;

static enum x86_id find_fp(const struct x86_insn *d, unsigned map, bool have_modrm, bool *need) {
    (void)have_modrm, (void)need; // a table may be empty
    switch (KEY(map, d->opcode)) {
    default:
#include "guest/x86_64/insns_fp.def"
        break;
    }
    switch (KEY(map, d->opcode)) {
    default:
#include "guest/x86_64/insns_avx.def"
#include "guest/x86_64/insns_sse.def"
        break;
    }
    return X86_ILLEGAL;
}

#define X86_GENERAL_ONLY
static enum x86_id find(const struct x86_insn *d, unsigned map, bool have_modrm, bool *need) {
    switch (KEY(map, d->opcode)) {
    default:
#include "guest/x86_64/insns.def"
        break;
    }
    return find_fp(d, map, have_modrm, need);
}
#undef X86_GENERAL_ONLY

static void prefixes(struct x86_insn *d, struct cursor *c) {
    static const u64 is_prefix[4] = {
        (u64)1 << 0x26 | (u64)1 << 0x2e | (u64)1 << 0x36 | (u64)1 << 0x3e,
        (u64)1 << (0x64 - 64) | (u64)1 << (0x65 - 64) | (u64)1 << (0x66 - 64) |
            (u64)1 << (0x67 - 64),
        0,
        (u64)1 << (0xf0 - 192) | (u64)1 << (0xf2 - 192) | (u64)1 << (0xf3 - 192),
    };
    u8 rex = 0;
    bool p67 = false;
    for (;;) {
        u8 b = c->at < c->avail ? c->p[c->at] : 0;
        if (c->at >= c->avail) {
            c->short_ = true;
            return;
        }
        if (d->code == X86_CODE64 && (b & 0xf0) == 0x40) {
            rex = b; // counts only when the opcode follows at once
            c->at++;
            continue;
        }
        if (!(is_prefix[b / 64] >> b % 64 & 1)) break;
        switch (b) {
        case 0x26:
            d->seg = d->code == X86_CODE64 ? d->seg : SEG_ES;
            break;
        case 0x2e:
            d->seg = d->code == X86_CODE64 ? d->seg : SEG_CS;
            break;
        case 0x36:
            d->seg = d->code == X86_CODE64 ? d->seg : SEG_SS;
            break;
        case 0x3e:
            d->seg = d->code == X86_CODE64 ? d->seg : SEG_DS;
            break;
        case 0x64:
            d->seg = SEG_FS;
            break;
        case 0x65:
            d->seg = SEG_GS;
            break;
        case 0x66:
            d->p66 = true;
            break;
        case 0x67:
            p67 = true;
            break;
        case 0xf0:
            d->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            d->rep = b;
            break;
        default:
            break;
        }
        rex = 0;
        c->at++;
    }
    d->rex = rex != 0;
    d->w = rex >> 3 & 1;
    d->reg = (u8)((rex & 4) << 1);   // completed by ModRM
    d->index = (u8)((rex & 2) << 2); // completed by SIB
    d->rexb = (u8)((rex & 1) << 3);
    if (d->code == X86_CODE64)
        d->adsize = p67 ? 4 : 8;
    else
        d->adsize = (d->code == X86_CODE32) != p67 ? 4 : 2;
}

// C4 or C5 was read. False: not VEX but LES, LDS. Sets *map.
static bool vex(struct x86_insn *d, struct cursor *c, u8 first, unsigned *map, bool *bad) {
    u8 b1 = c->at < c->avail ? c->p[c->at] : 0;
    if (c->at >= c->avail) c->short_ = true;
    if (c->short_ || (d->code != X86_CODE64 && (b1 & 0xc0) != 0xc0)) return false;
    *bad = d->lock || d->p66 || d->rep || d->rex || d->code == X86_CODE16;
    c->at++;
    u8 last = b1;
    unsigned m = 1;
    d->vex = true;
    d->reg = b1 & 0x80 ? 0 : 8;
    if (first == 0xc4) {
        d->index = b1 & 0x40 ? 0 : 8;
        d->rexb = b1 & 0x20 ? 0 : 8;
        m = b1 & 31;
        last = next(c);
        d->w = last >> 7;
    }
    if (d->code != X86_CODE64) d->reg = d->index = d->rexb = 0;
    d->vvvv = ~(last >> 3) & 15;
    if (d->code != X86_CODE64) d->vvvv &= 7;
    d->l = last >> 2 & 1;
    static const u8 rep[4] = {0, 0, 0xf3, 0xf2};
    d->p66 = (last & 3) == 1;
    d->rep = rep[last & 3];
    if (m < 1 || m > 3) *bad = true;
    *map = m + 3;
    d->opcode = next(c);
    return true;
}

static void sib(struct x86_insn *d, struct cursor *c) {
    u8 s = next(c);
    d->scale = s >> 6;
    d->index |= s >> 3 & 7;
    d->base = (u8)((s & 7) | d->rexb);
    if (d->index == 4 && !d->vsib) d->index = X86_NOREG;
    if ((s & 7) == 5 && d->mod == 0) {
        d->base = X86_NOREG;
        d->disp = (i64)sign_extend(next_n(c, 4), 4);
    }
}

static void memory16(struct x86_insn *d, struct cursor *c) {
    static const u8 base[8] = {3, 3, 5, 5, 6, 7, 5, 3};
    static const u8 index[8] = {6, 7, 6, 7, X86_NOREG, X86_NOREG, X86_NOREG, X86_NOREG};
    d->base = base[d->rm];
    d->index = index[d->rm];
    d->scale = 0;
    if (d->mod == 0 && d->rm == 6) {
        d->base = X86_NOREG;
        d->disp = (i64)sign_extend(next_n(c, 2), 2);
    }
    if (d->mod == 1) d->disp = (i64)sign_extend(next(c), 1);
    if (d->mod == 2) d->disp = (i64)sign_extend(next_n(c, 2), 2);
}

static void memory(struct x86_insn *d, struct cursor *c) {
    if (d->adsize == 2) {
        memory16(d, c);
        return;
    }
    if ((d->modrm & 7) == 4) {
        sib(d, c);
    } else {
        d->base = (u8)((d->modrm & 7) | d->rexb);
        d->index = X86_NOREG;
        if (d->mod == 0 && (d->modrm & 7) == 5) {
            d->base = d->code == X86_CODE64 ? X86_RIP : X86_NOREG;
            d->disp = (i64)sign_extend(next_n(c, 4), 4);
        }
    }
    if (d->mod == 1) d->disp = (i64)sign_extend(next(c), 1);
    if (d->mod == 2) d->disp = (i64)sign_extend(next_n(c, 4), 4);
}

static void modrm(struct x86_insn *d, struct cursor *c) {
    next(c);
    d->reg |= d->modrm >> 3 & 7;
    d->rm = (u8)((d->modrm & 7) | d->rexb);
    u8 second = x86_rows[d->row].op[1];
    d->vsib = second == X86O_VMd || second == X86O_VMq;
    if (d->mod != 3) memory(d, c);
}

static void immediate(struct x86_insn *d, struct cursor *c, unsigned i) {
    unsigned n = x86_operand_size(d, i);
    switch (x86_operand_type(d, i)) {
    case X86T_IMM:
        d->imm = next_n(c, n);
        break;
    case X86T_IMMS:
    case X86T_REL:
        d->imm = sign_extend(next_n(c, n), n);
        break;
    case X86T_IMM2:
        d->imm2 = next_n(c, n);
        break;
    case X86T_XIMM:
        d->imm = next(c);
        break;
    case X86T_FAR:
        d->imm = next_n(c, d->opsize);
        d->imm2 = next_n(c, 2);
        break;
    case X86T_OFFS:
        d->base = d->index = X86_NOREG;
        d->mod = 0;
        d->disp = (i64)next_n(c, d->adsize);
        break;
    default:
        break;
    }
}

static void immediates(struct x86_insn *d, struct cursor *c) {
    unsigned behind = x86_rows[d->row].behind;
    for (unsigned i = 0; behind; i++, behind >>= 1)
        if (behind & 1) immediate(d, c, i);
}

static bool uses_vvvv(const struct x86_insn *d) {
    for (unsigned i = 0; i < 4; i++) {
        enum x86_operand_type t = x86_operand_type(d, i);
        if (t == X86T_VVVV || t == X86T_XVVVV) return true;
    }
    return false;
}

static void set_opsize(struct x86_insn *d, const struct x86_row *r) {
    bool p66 = d->p66 && !d->vex && r->pfx & X86P_ANY && (r->pfx & X86P_ANY) != X86P_66;
    if (d->code != X86_CODE64)
        d->opsize = (d->code == X86_CODE32) != p66 ? 4 : 2;
    else if (d->w)
        d->opsize = 8;
    else if (p66)
        d->opsize = 2;
    else
        d->opsize = r->attr & X86A_D64 ? 8 : 4;
}

// LOCK is for a memory destination only.
static bool lock_ok(const struct x86_insn *d, const struct x86_row *r) {
    return !d->lock || (r->attr & X86A_LOCK && d->mod != 3);
}

static unsigned opcode_map(struct x86_insn *d, struct cursor *c, bool *bad) {
    unsigned map = 0;
    d->opcode = next(c);
    if ((d->opcode == 0xc4 || d->opcode == 0xc5) && vex(d, c, d->opcode, &map, bad)) return map;
    if (d->opcode == 0x0f) {
        map = 1;
        d->opcode = next(c);
        if (d->opcode == 0x38 || d->opcode == 0x3a) {
            map = d->opcode == 0x38 ? 2 : 3;
            d->opcode = next(c);
        }
    }
    return map;
}

bool x86_decode(struct x86_insn *d, const u8 *code, unsigned avail, enum x86_code_size size) {
    *d = (struct x86_insn){.code = (u8)size, .seg = SEG_NONE, .base = X86_NOREG, .mod = 3};
    struct cursor c = {code, 0, avail < 15 ? avail : 15, false};
    bool bad = false, need = false;
    d->row = X86_ILLEGAL;
    d->len = 1;
    prefixes(d, &c);
    unsigned map = opcode_map(d, &c, &bad);
    if (!c.short_) {
        bool have = c.at < c.avail;
        d->modrm = have ? c.p[c.at] : 0;
        d->mod = d->modrm >> 6;
        enum x86_id id = bad ? X86_ILLEGAL : find(d, map, have, &need);
        if (id == X86_ILLEGAL) {
            d->len = (u8)c.at;
            return true;
        }
        d->row = id;
        if (need)
            c.short_ = true;
        else if (x86_rows[id].form & X86F_MODRM)
            modrm(d, &c);
        else
            d->mod = 3;
    }
    if (!c.short_) {
        set_opsize(d, &x86_rows[d->row]);
        immediates(d, &c);
    }
    if (c.short_) {
        d->row = X86_TOO_LONG;
        d->len = 15;
        return avail >= 15;
    }
    d->len = (u8)c.at;
    if (d->row == X86_PAUSE && d->rexb) d->row = X86_XCHG_NOP; // xchg r8,rax after all
    if (!lock_ok(d, &x86_rows[d->row]) || (d->vex && d->vvvv && !uses_vvvv(d)) ||
        (d->vsib && ((d->modrm & 7) != 4 || d->adsize == 2)))
        d->row = X86_ILLEGAL;
    return true;
}

unsigned x86_varying_size(const struct x86_insn *d, unsigned size) {
    switch (size) {
    case X86Z_Z:
        return d->opsize > 4 ? 4 : d->opsize;
    case X86Z_Y:
        return d->w && d->code == X86_CODE64 ? 8 : 4;
    case X86Z_M:
        return d->code == X86_CODE64 ? 8 : 4;
    case X86Z_X:
        return d->l ? 32 : 16;
    default: // X86Z_H
        return d->l ? 16 : 8;
    }
}

struct x86_place x86_row_place(enum x86_id want) {
    struct x86_place at = {0, 0, 0};
#define X86_AT(m, o, s) at = (struct x86_place){m, o, s};
#define X86(id, name, pfx, form, o1, o2, o3, o4, attr, isa, flags, lifter, arg)                    \
    if (want == X86_##id) return at;
#include "guest/x86_64/insns.def"
    return at;
}
