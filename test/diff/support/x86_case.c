// Random cases: an encoding of a row, then registers so that its memory operand lies where
// something interesting is.
//
// Do-not-compare list: flags that the table marks undefined; OF of shifts by more than one;
// everything of double shifts by more than the width; what x86_case_excluded names.
#include "support/x86_case.h"

#include <string.h>

#include "base/compiler.h"
#include "guest/x86_64/state.h"

const char *x86_case_excluded(enum x86_id row, bool bits32) {
    if (x86_rows[row].attr & (bits32 ? X86A_O64 : X86A_I64)) return "not in this mode";
    switch (row) {
    case X86_ILLEGAL:
    case X86_TOO_LONG:
        return "no instruction";
    case X86_SYSCALL:
    case X86_SYSENTER:
    case X86_INT:
        return "calls the host's kernel";
    case X86_CPUID:
    case X86_RDTSC:
    case X86_RDTSCP:
    case X86_RDPID:
    case X86_RDPMC:
    case X86_RDRAND:
    case X86_RDSEED:
    case X86_XGETBV:
        return "depends on the machine";
    case X86_POP_ES:
    case X86_POP_SS:
    case X86_POP_DS:
    case X86_LES:
    case X86_LDS:
    case X86_CALL_Ap:
    case X86_JMP_Ap:
    case X86_POP_FS:
    case X86_POP_GS:
    case X86_MOV_SwEw:
    case X86_LSS:
    case X86_LFS:
    case X86_LGS:
    case X86_LAR:
    case X86_LSL:
    case X86_VERR:
    case X86_VERW:
    case X86_RETF:
    case X86_RETF_Iw:
    case X86_IRET:
    case X86_CALL_Mp:
    case X86_JMP_Mp:
        return "depends on the host's descriptors";
    case X86_SGDT:
    case X86_SIDT:
    case X86_SLDT_M:
    case X86_SLDT_R:
    case X86_STR_M:
    case X86_STR_R:
    case X86_SMSW_M:
    case X86_SMSW_R:
        return "the host's kernel answers (UMIP)";
    case X86_RDFSBASE:
    case X86_WRFSBASE:
        return "FS belongs to the test program";
    case X86_POPF:
        return "sets TF and AC of the test program";
    case X86_CLAC:
    case X86_STAC:
        return "#UD on a processor without SMAP, #GP or #UD with";
    case X86_INVPCID:
        return "#UD or #GP by the host's features";
    case X86_INT1:
        return "reported before the instruction by the hypervisor of some hosts";
    case X86_RCPPS:
    case X86_RCPSS:
    case X86_RSQRTPS:
    case X86_RSQRTSS:
    case X86_VRCPPS:
    case X86_VRCPSS:
    case X86_VRSQRTPS:
    case X86_VRSQRTSS:
        return "an approximation, each processor has its own";
    case X86_FLDENV:
    case X86_FRSTOR:
    case X86_FNSTENV:
    case X86_FNSAVE:
        return "holds addresses of instructions and operands, by the processor's model";
    case X86_FXSAVE:
    case X86_FXRSTOR:
    case X86_XSAVE:
    case X86_XRSTOR:
    case X86_XSAVEOPT:
    case X86_XSAVEC:
    case X86_XSAVES:
    case X86_XRSTORS:
        return "areas larger than what is compared";
    case X86_UD0:
        return "vendors differ in its length";
    default:
        return NULL;
    }
}

bool x86_case_inexact(enum x86_id row) {
    switch (row) {
    case X86_F2XM1:
    case X86_FYL2X:
    case X86_FYL2XP1:
    case X86_FPTAN:
    case X86_FPATAN:
    case X86_FSIN:
    case X86_FCOS:
    case X86_FSINCOS:
        return true;
    default:
        return false;
    }
}

// ---- bytes

struct enc {
    u8 b[32];
    unsigned n;
};

static void put(struct enc *e, unsigned v) { e->b[e->n++] = (u8)v; }
static bool one_in(struct rng *r, u32 n) { return rng_below(r, n) == 0; }

static void put_legacy(struct enc *e, const struct x86_row *row, struct x86_place at, bool bits32,
                       struct rng *r) {
    unsigned p = row->pfx & X86P_ANY;
    bool any = p == X86P_ANY, rep = row->attr & X86A_REP;
    if (one_in(r, 10)) put(e, 0x65);
    if (one_in(r, 20)) put(e, 0x67);
    if (row->attr & X86A_LOCK && one_in(r, 3)) put(e, 0xf0);
    if (p == X86P_66 || ((any || p == X86P_F3 || p == X86P_F2) && one_in(r, 4))) put(e, 0x66);
    if (p == X86P_F3 || (rep && one_in(r, 2))) put(e, 0xf3);
    if (p == X86P_F2 || (rep && one_in(r, 4))) put(e, 0xf2);
    unsigned rex = rng_below(r, 16);
    if (row->pfx & X86P_W1) rex |= 8;
    if (row->pfx & X86P_W0) rex &= 7;
    if (!bits32 && (row->pfx & X86P_W1 || !one_in(r, 3))) put(e, 0x40 | rex);
    if (at.map) put(e, 0x0f);
    if (at.map == 2) put(e, 0x38);
    if (at.map == 3) put(e, 0x3a);
}

static void put_vex(struct enc *e, const struct x86_row *row, struct x86_place at, bool bits32,
                    struct rng *r) {
    static const u8 pp[9] = {[X86P_NP] = 0, [X86P_66] = 1, [X86P_F3] = 2, [X86P_F2] = 3};
    unsigned w = rng_below(r, 2), l = rng_below(r, 2), vvvv = rng_below(r, 16);
    if (row->pfx & X86P_W1) w = 1;
    if (row->pfx & X86P_W0) w = 0;
    if (row->pfx & X86P_L1) l = 1;
    if (row->pfx & X86P_L0) l = 0;
    bool uses = false;
    for (unsigned i = 0; i < 4; i++) {
        u8 t = x86_operands[row->op[i]].type;
        uses |= t == X86T_VVVV || t == X86T_XVVVV;
    }
    if (one_in(r, 10)) put(e, 0x65);
    if (one_in(r, 20)) put(e, 0x67);
    put(e, 0xc4);
    put(e, (bits32 ? 6 | rng_below(r, 2) : rng_below(r, 8)) << 5 | (at.map - 3u));
    put(e, w << 7 | (uses ? vvvv : 15) << 3 | l << 2 | pp[row->pfx & X86P_ANY]);
}

static void encode(struct enc *e, enum x86_id id, bool bits32, struct rng *r) {
    const struct x86_row *row = &x86_rows[id];
    struct x86_place at = x86_row_place(id);
    e->n = 0;
    if (at.map > 3)
        put_vex(e, row, at, bits32, r);
    else
        put_legacy(e, row, at, bits32, r);
    put(e, at.opcode + rng_below(r, at.span));
    if (row->form & X86F_MODRM) {
        unsigned m = rng_below(r, 256);
        if (row->form & X86F_REG) m |= 0xc0;
        if (row->form & X86F_MEM && m >= 0xc0) m &= 0xbf;
        if (row->form & X86F_DIGIT) m = (m & 0xc7) | (row->form >> 4 & 7) << 3;
        if (row->form & X86F_RM) m = (m & 0xf8) | (row->form >> 8 & 7);
        put(e, m);
    }
    while (e->n < sizeof e->b) put(e, rng_below(r, one_in(r, 2) ? 256 : 8));
}

static unsigned immediate_bytes(const struct x86_insn *d) {
    unsigned n = 0;
    for (unsigned i = 0; i < 4; i++) switch (x86_operand_type(d, i)) {
        case X86T_IMM:
        case X86T_IMMS:
        case X86T_IMM2:
        case X86T_REL:
            n += x86_operand_size(d, i);
            break;
        case X86T_XIMM:
            n++;
            break;
        default:
            break;
        }
    return n;
}

// ---- values

static u64 value(struct rng *r) {
    static const u64 special[] = {0,
                                  1,
                                  2,
                                  7,
                                  8,
                                  15,
                                  31,
                                  32,
                                  63,
                                  64,
                                  0x7f,
                                  0x80,
                                  0xff,
                                  0x7fff,
                                  0x8000,
                                  0xffff,
                                  0x7fffffff,
                                  0x80000000,
                                  0xffffffff,
                                  0x7fffffffffffffff,
                                  0x8000000000000000,
                                  0xffffffffffffffff,
                                  0xffffffff80000000,
                                  0x9a,
                                  0x100000000};
    u64 v = rng_next(r);
    switch (rng_below(r, 4)) {
    case 0:
        return special[rng_below(r, ARRAY_LEN(special))];
    case 1:
        return v;
    case 2:
        return v >> rng_below(r, 64);
    default:
        return (u64)((i64)v >> rng_below(r, 64));
    }
}

// Elements of vectors: integers, or singles and doubles of all kinds.
static u64 element(struct rng *r) {
    static const u32 single[] = {0,          0x80000000, 1,          0x80000001, 0x007fffff,
                                 0x00800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
                                 0xffc12345, 0x7f812345, 0xff800001, 0x3f800000, 0xbf800000,
                                 0x4f000000, 0xcf000000, 0x5f000000, 0x3f000000, 0x4b000001};
    static const u64 twice[] = {0x8000000000000000, 0x0000000000000001, 0x800fffffffffffff,
                                0x0010000000000000, 0x7fefffffffffffff, 0x7ff0000000000000,
                                0xfff0000000000000, 0x7ff8000000000000, 0xfff8123456789abc,
                                0x7ff0123456789abc, 0xfff0000000000001, 0x3ff0000000000000,
                                0xbff0000000000000, 0x41e0000000000000, 0xc1e0000000200000,
                                0x43e0000000000000, 0x3fe0000000000000, 0x47efffffffffffff,
                                0x3810000000000000, 0x380fffffffffffff, 0x36a0000000000000};
    u64 v = rng_next(r);
    switch (rng_below(r, 8)) {
    case 0:
        return twice[rng_below(r, ARRAY_LEN(twice))];
    case 1: {
        u64 hi = single[rng_below(r, ARRAY_LEN(single))];
        return hi << 32 | single[rng_below(r, ARRAY_LEN(single))];
    }
    case 2: // singles near 1, with short fractions
        return (v & 0x80f0000080f00000) + 0x3c0000003c000000;
    case 3: // doubles near 1
        return (v & 0x80fff00000000000) + 0x3f80000000000000;
    case 4: // near the ends of the range
        return (v & 0x801fffffffffffff) | (one_in(r, 2) ? 0x7fe0000000000000 : 0);
    case 5:
        return (v & 0x80ffffff80ffffff) | (one_in(r, 2) ? 0x7f0000007f000000 : 0);
    case 6:
        return v;
    default:
        return value(r);
    }
}

// 80-bit numbers of all kinds, unsupported ones too.
static void extended(u64 *sig, u16 *se, struct rng *r) {
    static const u16 exps[] = {0,      0x3fff, 0x7fff, 1,      0x7ffe, 0x3ffe,
                               0x4000, 0x403e, 0x403d, 0x401e, 0x400e, 0x3c00,
                               0x3c01, 0x43fe, 0x3f81, 0x407e, 0x3f80, 0x3bcd};
    u64 v = rng_next(r), top = (u64)1 << 63;
    *se = exps[rng_below(r, ARRAY_LEN(exps))];
    if (one_in(r, 3)) *se = (u16)(0x3fff + (rng_next(r) & 127) - 64);
    if (one_in(r, 10)) *se = rng_next(r) & 0x7fff;
    *se = (u16)(*se | (rng_next(r) & 0x8000));
    if (one_in(r, 4)) v <<= rng_below(r, 64);
    if (one_in(r, 6)) v = ~(u64)0 << rng_below(r, 64);
    if (one_in(r, 6)) v = 0;
    *sig = (*se & 0x7fff) ? v | top : v & ~top;
    if (one_in(r, 12)) *sig ^= top;
    if (one_in(r, 12)) *sig = top, *se = 0x3fff;
    if (one_in(r, 12)) *sig = 0, *se &= 0x8000;
}

static void random_fpu(struct x86_fpu *f, struct rng *r) {
    for (unsigned i = 0; i < 8; i++) extended(&f->sig[i], &f->se[i], r);
    f->tag = one_in(r, 4) ? (u8)rng_next(r) : 0x3f << rng_below(r, 3) | 0x3f >> rng_below(r, 3);
    u32 top = rng_below(r, 8);
    if (!one_in(r, 4)) f->tag = (u8)(0x0f0f << top >> 8 | 0x0f << top); // half full
    f->cw = 0x37f;
    if (one_in(r, 2)) f->cw = (u16)(f->cw | (rng_next(r) & 0xc00));
    if (one_in(r, 3)) f->cw = (u16)((f->cw & ~0x300) | (one_in(r, 2) ? 0x200 : 0));
    if (one_in(r, 6)) f->cw = (u16)(f->cw & ~(rng_next(r) & 0x3f));
    f->sw = (u16)(top << 11 | (rng_next(r) & 0x477f & (one_in(r, 2) ? 0xffff : 0x4700)));
    if (!one_in(r, 12)) f->sw = (u16)(f->sw & ~(~f->cw & 0x3f));
    if (f->sw & ~f->cw & 0x3f) f->sw |= 0x8080;
}

// Indices of a gather: near the operand, or one of them far away.
static void random_indices(u64 x[4], bool wide, struct rng *r) {
    for (unsigned i = 0; i < 4; i++) {
        u64 lo = (u64)rng_below(r, 16) - 8, hi = (u64)rng_below(r, 16) - 8;
        if (one_in(r, 24)) lo = one_in(r, 2) ? element(r) : (u64)rng_below(r, 8192) - 4096;
        x[i] = wide ? lo : hi << 32 | (u32)lo;
    }
}

static u32 random_mxcsr(struct rng *r) {
    u32 v = 0x1f80 | (one_in(r, 2) ? rng_below(r, 64) : 0);
    if (one_in(r, 4)) v ^= (u32)rng_next(r) & 0xe040; // rounding, FTZ, DAZ
    if (one_in(r, 8)) v ^= (u32)rng_next(r) & 0x1f80;
    return v;
}

// Where an operand shall be: mostly well inside, else across the ends of what may be accessed.
static u64 place(struct rng *r, bool may_be_odd) { // odd: not canonical
    u32 mid = X86_WINDOW_AT + 512 + rng_below(r, X86_WINDOW_RW - 1024);
    if (!one_in(r, 4)) mid &= one_in(r, 2) ? ~31u : ~15u;
    switch (rng_below(r, 12)) {
    case 0:
        return X86_WINDOW_AT + 4096 - rng_below(r, 16); // between two pages
    case 1:
        return X86_WINDOW_AT + X86_WINDOW_RW - rng_below(r, 16); // into the read-only page
    case 2:
        return X86_WINDOW_AT + X86_WINDOW_ALL - rng_below(r, 16); // beyond the last
    case 3:
        return X86_WINDOW_AT - rng_below(r, 16); // before the first
    case 4:
        return may_be_odd && one_in(r, 2) ? (u64)1 << 47 | rng_next(r) >> 17 : mid;
    default:
        return mid;
    }
}

static void patch_disp(struct x86_case *c, const struct x86_insn *d, u32 disp) {
    put_le32(c->code + c->len - immediate_bytes(d) - 4, disp);
}

// Sets registers (or the displacement) so that the memory operand is at `t` or near; returns where.
static u64 aim(struct x86_case *c, const struct x86_insn *d, u64 t, struct rng *r) {
    u64 base = d->seg == SEG_GS && !c->bits32 ? c->gs : 0, off = t - base;
    if (d->base == X86_RIP) {
        patch_disp(c, d, (u32)(off - c->at - c->len));
        return t;
    }
    if (d->adsize == 2) return t; // anywhere in the first 64 KiB, where nothing is
    u8 index = d->vsib ? X86_NOREG : d->index;
    if (d->base == X86_NOREG && index == X86_NOREG) {
        patch_disp(c, d, (u32)off);
        return t;
    }
    u64 rest = off - (u64)d->disp;
    if (d->base == X86_NOREG) {
        c->r[d->index] = rest >> d->scale;
        return ((rest >> d->scale) << d->scale) + (u64)d->disp + base;
    }
    if (index == d->base) {
        u64 k = 1 + ((u64)1 << d->scale);
        c->r[d->base] = rest / k;
        return rest / k * k + (u64)d->disp + base;
    }
    if (index != X86_NOREG) {
        c->r[d->index] = rng_below(r, 256);
        rest -= c->r[d->index] << d->scale;
    }
    c->r[d->base] =
        d->adsize == 4 ? (u32)rest | (rng_next(r) << 32 & (u64)one_in(r, 2) << 63) : rest;
    return t;
}

static bool is_bit_string(enum x86_id id) {
    return id == X86_BT_EvGv || id == X86_BTS_EvGv || id == X86_BTR_EvGv || id == X86_BTC_EvGv;
}

static bool is_string(const struct x86_row *row) { return row->attr & X86A_REP; }

// The register operands that say where, when there is no ModRM memory operand.
static u64 aim_implicit(struct x86_case *c, const struct x86_insn *d, struct rng *r) {
    const struct x86_row *row = &x86_rows[d->row];
    u64 t = place(r, true), gs = d->seg == SEG_GS ? c->gs : 0;
    if (is_string(row)) {
        c->r[RCX] = rng_below(r, 40);
        c->r[RSI] = place(r, true) - gs;
        c->r[RDI] = t;
        // Overlaps and equal strings.
        if (one_in(r, 3)) c->r[RSI] = t - gs + rng_below(r, 33) - 16;
    }
    if (d->row == X86_MASKMOVDQU || d->row == X86_VMASKMOVDQU || d->row == X86_MASKMOVQ)
        c->r[RDI] = t - gs;
    if (d->row == X86_XLAT) c->r[RBX] = t - gs - (c->r[RAX] & 0xff);
    if (d->row == X86_LEAVE) c->r[RBP] = t;
    if (row->attr & X86A_D64) c->r[RSP] = t;
    if (d->row == X86_ENTER) {
        c->r[RBP] = place(r, true);
        if (one_in(r, 2)) c->r[RSP] = c->r[RBP];
    }
    return t;
}

// ---- what is not compared

static u64 flag_bit(unsigned i) {
    static const u64 bit[6] = {FL_OF, FL_SF, FL_ZF, FL_AF, FL_PF, FL_CF};
    return bit[i];
}

static unsigned shift_count(const struct x86_case *c, const struct x86_insn *d, unsigned size) {
    for (unsigned i = 1; i < 4; i++) {
        enum x86_operand_type t = x86_operand_type(d, i);
        unsigned m = size == 8 ? 63 : 31;
        if (t == X86T_IMM) return d->imm & m;
        if (t == X86T_CL) return c->r[RCX] & m;
        if (t == X86T_ONE) return 1;
    }
    return 0;
}

static u64 undefined_flags(const struct x86_case *c, const struct x86_insn *d) {
    const char *f = x86_rows[d->row].flags;
    unsigned size = x86_operand_size(d, 0), n = 0;
    u64 m = 0;
    bool counted = strchr(f, 'c') != NULL, rotates = f[1] == '-';
    if (counted) {
        n = shift_count(c, d, size);
        if (n == 0) return 0;
    }
    for (unsigned i = 0; i < 6; i++) {
        if (f[i] == 'u') m |= flag_bit(i);
        if (f[i] == 'c' && (i == 0 ? n != 1 : n >= 8 * size)) m |= flag_bit(i);
    }
    if (rotates && counted && n != 1) m |= FL_OF;
    if (d->row == X86_SHLD_Ib || d->row == X86_SHLD_CL || d->row == X86_SHRD_Ib ||
        d->row == X86_SHRD_CL)
        if (n > 8 * size) m = ~(u64)0;
    return m;
}

// ---- an instruction before, on registers that the other does not need for its addresses

static bool reads_hidden_flags(enum x86_id id) {
    switch (id) {
    case X86_LAHF:
    case X86_PUSHF:
    case X86_DAA:
    case X86_DAS:
    case X86_AAA:
    case X86_AAS:
        return true;
    default:
        return false;
    }
}

static void put_before(struct x86_case *c, const u8 *b, unsigned n) {
    memmove(c->code + n, c->code, c->len);
    memcpy(c->code, b, n);
    c->len = (u8)(c->len + n);
    c->lead = (u8)n;
    c->at -= n;
}

// A comparison of floats: of two registers, which may be one.
static void prepend_compare(struct x86_case *c, struct rng *r) {
    unsigned reg = rng_below(r, 4), rm = rng_below(r, 4), single = rng_below(r, 2);
    u8 b[4] = {0x66, 0x0f, (u8)(0x2e | rng_below(r, 2)), (u8)(0xc0 | reg << 3 | rm)};
    c->x[reg][0] = element(r);
    c->x[rm][0] = one_in(r, 4) ? c->x[reg][0] : element(r);
    c->mxcsr = 0x1f80 | (one_in(r, 2) ? rng_below(r, 64) : 0);
    put_before(c, b + single, 4 - single);
}

static void prepend(struct x86_case *c, const struct x86_insn *d, struct rng *r) {
    static const u8 alu[8] = {0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38};
    static const u8 one[4] = {0xf8, 0xf9, 0xf5, 0x9e}; // clc stc cmc sahf
    u8 b[16];
    unsigned n = 0, reg = rng_below(r, 8), dst = rng_below(r, 8);
    bool af = false; // left undefined by it
    if (reads_hidden_flags((enum x86_id)d->row)) return;
    if (x86_rows[d->row].isa < ISA_X87 && one_in(r, 4)) {
        prepend_compare(c, r);
        return;
    }
    unsigned size = rng_below(r, 4), how = rng_below(r, c->bits32 ? 4 : 8);
    if (how == 0) {
        b[n++] = one[rng_below(r, 4)];
    } else {
        if (size == 0) b[n++] = 0x66;
        // A destination that is written is one of r8 to r15.
        bool high = !c->bits32;
        if (high && (d->base == dst + 8 || d->index == dst + 8)) return;
        if (high) b[n++] = (u8)(0x41 | (size == 1 ? 8 : 0));
        unsigned wide = size != 2;
        if (how == 1) {
            b[n++] = (u8)(0x38 | wide); // cmp
        } else if (how == 2) {
            b[n++] = (u8)(0x84 | wide); // test
            af = true;
        } else if (how == 3) {
            b[n++] = 0x0f;
            b[n++] = 0xa3; // bt
            c->undefined_lead = FL_OF | FL_SF | FL_AF | FL_PF;
        } else if (how == 4) {
            b[n++] = (u8)(0xfe | wide); // inc, dec
            reg = rng_below(r, 2);
        } else if (how == 5) {
            b[n++] = (u8)(0xf6 | wide); // neg
            reg = 3;
        } else if (how == 6) {
            b[n++] = (u8)(0xd0 | wide); // shifts and rotations by one
            af = reg > 3;
        } else {
            unsigned k = rng_below(r, 8);
            b[n++] = (u8)(alu[k] | wide);
            af = k == 1 || k == 4 || k == 6;
        }
        b[n++] = (u8)(0xc0 | reg << 3 | dst);
    }
    if (af) c->undefined_lead = FL_AF;
    put_before(c, b, n);
}

// What the instruction defines does not stay undefined.
static void defined_again(struct x86_case *c, enum x86_id row) {
    const char *f = x86_rows[row].flags;
    for (unsigned i = 0; i < 6; i++)
        if (f[i] == 'w') c->undefined &= ~flag_bit(i);
}

// A near jump into itself would not end, or run what is no case.
static bool jumps_into_itself(const struct x86_case *c, const struct x86_insn *d) {
    if (x86_operand_type(d, 0) != X86T_REL) return false;
    u64 to = (u64)c->at + c->len + d->imm;
    return to + 16 > c->at && to < (u64)c->at + c->len;
}

static bool uses_mmx(enum x86_id row) {
    for (unsigned i = 0; i < 4; i++) {
        u8 t = x86_operands[x86_rows[row].op[i]].type;
        if (t == X86T_MREG || t == X86T_MRM) return true;
    }
    return x86_rows[row].isa == ISA_MMX;
}

static bool try_case(struct x86_case *c, enum x86_id row, bool bits32, struct rng *r) {
    enum x86_code_size mode = bits32 ? X86_CODE32 : X86_CODE64;
    struct enc e;
    struct x86_insn d;
    encode(&e, row, bits32, r);
    if (!x86_decode(&d, e.b, 15, mode) || d.row != row) return false;
    memset(c, 0, sizeof *c);
    c->row = (u16)row;
    c->bits32 = bits32;
    c->len = d.len;
    memcpy(c->code, e.b, d.len);
    // Anywhere in the first page, sometimes across its end.
    c->at = X86_CODE_AT + (one_in(r, 16) ? 4096 - rng_below(r, 16) : 256 + rng_below(r, 3072));
    if (jumps_into_itself(c, &d)) return false;
    for (unsigned i = 0; i < 16; i++) c->r[i] = value(r);
    if (d.seg == SEG_FS) return false;
    c->r[RSP] = X86_WINDOW_AT + 4096 + 8 * rng_below(r, 64);
    c->flags = rng_next(r) & FL_STATUS;
    if (one_in(r, 4)) c->flags |= FL_DF;
    c->gs = X86_WINDOW_AT + rng_below(r, 4096);
    u64 t = aim_implicit(c, &d, r);
    bool modrm_mem = x86_rows[row].form & X86F_MODRM && d.mod != 3;
    if (is_bit_string(row)) c->r[d.reg] = rng_below(r, 1024) - 512;
    if (modrm_mem) t = aim(c, &d, place(r, d.adsize == 8 && d.base != X86_RIP), r);
    if (x86_operand_type(&d, 0) == X86T_OFFS || x86_operand_type(&d, 1) == X86T_OFFS) {
        u64 off = (t = place(r, true)) - (d.seg == SEG_GS ? c->gs : 0);
        memcpy(c->code + c->len - d.adsize, &off, d.adsize);
    }
    if (!x86_decode(&d, c->code, c->len, mode)) return false;
    for (unsigned i = 0; bits32 && i < 16; i++) c->r[i] = i < 8 ? (u32)c->r[i] : 0;
    if (bits32) t = (u32)t;
    if (t < X86_WINDOW_AT + X86_SPAN / 2) t = X86_WINDOW_AT + X86_SPAN / 2;
    if (t > X86_WINDOW_AT + X86_WINDOW_RW - X86_SPAN / 2)
        t = X86_WINDOW_AT + X86_WINDOW_RW - X86_SPAN / 2;
    c->mem = (u32)t - X86_SPAN / 2;
    bool vector = x86_rows[row].isa >= ISA_X87;
    memset(&c->fpu, 0, sizeof c->fpu);
    c->fpu.cw = 0x37f;
    if (x86_rows[row].isa == ISA_X87 || uses_mmx(row)) random_fpu(&c->fpu, r);
    // Elsewhere their results are undefined.
    if ((row == X86_F2XM1 || row == X86_FYL2XP1) && (c->fpu.se[0] & 0x7fff) > 0x3ffc)
        c->fpu.se[0] = (u16)((c->fpu.se[0] & 0x8000) | 0x3ffd), c->fpu.sig[0] |= (u64)1 << 63,
        c->fpu.sig[0] &= ~((u64)7 << 60);
    for (unsigned i = 0; i < 64; i++) c->x[i / 4][i % 4] = vector ? element(r) : i;
    if (d.vsib) random_indices(c->x[d.index], d.opcode & 1, r);
    c->mxcsr = vector ? random_mxcsr(r) : 0x1f80;
    for (unsigned i = 0; i < X86_SPAN; i += 8)
        put_le64(c->mem_bytes + i, vector ? element(r) : value(r));
    if (row == X86_LDMXCSR || row == X86_VLDMXCSR)
        put_le32(c->mem_bytes + X86_SPAN / 2, random_mxcsr(r) | (one_in(r, 8) ? 1u << 16 : 0));
    if (is_string(&x86_rows[row]) && one_in(r, 2)) memset(c->mem_bytes, (int)value(r), X86_SPAN);
    if (one_in(r, 2)) prepend(c, &d, r);
    // With flags before it that nobody defines, a jump or a counted shift may do what it likes.
    bool reads = strchr(x86_rows[row].name, 'c') || row == X86_SAHF || row == X86_LOOPE ||
                 row == X86_LOOPNE || row == X86_INTO || row == X86_ADOX;
    if (reads && c->undefined_lead & ~(u64)FL_AF) return false;
    c->undefined = c->undefined_lead;
    // Counts may be zero.
    if (!strchr(x86_rows[row].flags, 'c') && !is_string(&x86_rows[row])) defined_again(c, row);
    c->undefined |= undefined_flags(c, &d);
    return true;
}

bool x86_case_random(struct x86_case *c, enum x86_id row, bool bits32, struct rng *r) {
    for (unsigned i = 0; i < 2000; i++)
        if (try_case(c, row, bits32, r)) return true;
    return false;
}
