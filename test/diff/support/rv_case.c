// Random cases. Do-not-compare list, that is what is never generated: x31 as a destination,
// reserved rounding modes and encodings (they trap; the bare-metal tests have them), counters and
// time, SC of another width than its LR (what it does is not specified).
#include "support/rv_case.h"

#include <string.h>

#include "base/compiler.h"

u64 rng_next(struct rng *r) { // splitmix64
    u64 z = r->s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// ---- encoding

u32 enc_r(enum rv_id row, unsigned rd, unsigned rs1, unsigned rs2) {
    return rv_rows[row].match | rd << 7 | rs1 << 15 | rs2 << 20;
}
u32 enc_i(enum rv_id row, unsigned rd, unsigned rs1, i32 imm) {
    return rv_rows[row].match | rd << 7 | rs1 << 15 | (u32)imm << 20;
}
u32 enc_s(enum rv_id row, unsigned rs2, unsigned rs1, i32 imm) {
    u32 v = (u32)imm;
    return rv_rows[row].match | rs1 << 15 | rs2 << 20 | (v & 31) << 7 | (v >> 5 & 127) << 25;
}
u32 enc_b(u32 word, i32 offset) {
    u32 v = (u32)offset;
    return (word & 0x01fff07fu) | (v >> 12 & 1) << 31 | (v >> 5 & 63) << 25 | (v >> 1 & 15) << 8 |
           (v >> 11 & 1) << 7;
}
u32 enc_j(u32 word, i32 offset) {
    u32 v = (u32)offset;
    return (word & 0xfffu) | (v >> 20 & 1) << 31 | (v >> 1 & 1023) << 21 | (v >> 11 & 1) << 20 |
           (v >> 12 & 255) << 12;
}

// Found by trying, so that it does not repeat the scatter tables it tests.
u32 enc_c(u32 word, i32 offset) {
    bool branch = (word & 0xe003) != 0xa001;
    u32 fixed = branch ? 0xe383u : 0xe003u;
    for (u32 free = 0; free < 2048; free++) {
        u32 w = (word & fixed) | (branch ? (free & 31) << 2 | (free >> 5 & 7) << 10 : free << 2);
        u32 x = rv_expand(w);
        if ((branch ? rv_imm_b(x) : rv_imm_j(x)) == offset) return w;
    }
    return 0;
}

// ---- values

static const u64 ints[] = {
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    63,
    64,
    127,
    128,
    255,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffff80000000,
    0xffffffff7fffffff,
    0xffffffffffffffff,
    0xfffffffffffffffe,
    0xaaaaaaaaaaaaaaaa,
};
static const u64 doubles[] = {
    0,
    0x8000000000000000,
    0x3ff0000000000000,
    0xbff0000000000000,
    0x4000000000000000,
    0x3fe0000000000000,
    0xbfe0000000000000,
    0x3ff8000000000000,
    0x7ff0000000000000,
    0xfff0000000000000,
    0x7ff8000000000000,
    0x7ff0000000000001,
    0xfff8000000000001,
    0x0000000000000001,
    0x800fffffffffffff,
    0x0010000000000000,
    0x0010000000000001,
    0x001fffffffffffff,
    0x0020000000000000,
    0x7fefffffffffffff,
    0xffefffffffffffff,
    0x41dfffffffc00000,
    0xc1e0000000000000,
    0xc1e0000000200000,
    0x41efffffffe00000,
    0x41f0000000000000,
    0x43e0000000000000,
    0xc3e0000000000000,
    0x43f0000000000000,
    0x4330000000000001,
    0x3fefffffffffffff,
    0x3ca0000000000000,
    0x36a0000000000000,
    0x47efffffe0000000,
    0x47effffff0000000,
    0x380fffffffffffff,
    0x3810000000000000,
};
static const u32 singles[] = {
    0,          0x80000000, 0x3f800000, 0xbf800000, 0x40000000, 0x3f000000, 0x3fc00000, 0x7f800000,
    0xff800000, 0x7fc00000, 0x7f800001, 0xffc00001, 0x00000001, 0x807fffff, 0x00800000, 0x00ffffff,
    0x01000000, 0x7f7fffff, 0xff7fffff, 0x4effffff, 0xcf000000, 0x4f000000, 0x4f7fffff, 0x4f800000,
    0x5effffff, 0xdf000000, 0x5f000000, 0x5f800000, 0x4b000001, 0x33800000, 0x3f7fffff,
};

static u64 random_int(struct rng *r) {
    u64 v = rng_next(r);
    switch (rng_below(r, 4)) {
    case 0:
        return ints[rng_below(r, ARRAY_LEN(ints))];
    case 1:
        return v;
    case 2:
        return v >> rng_below(r, 64);
    default:
        return (u64)((i64)v >> rng_below(r, 64));
    }
}

static u64 random_double(struct rng *r) {
    u64 v = rng_next(r);
    switch (rng_below(r, 4)) {
    case 0:
        return doubles[rng_below(r, ARRAY_LEN(doubles))];
    case 1:
        return v;
    case 2:
        return (v & 0x800fffffffffffffu) | (u64)(1023 - 64 + rng_below(r, 128)) << 52;
    default: // few significant bits near an integer or a half
        return (v & 0x800ff00000000000u) | (u64)(1023 - 2 + rng_below(r, 66)) << 52;
    }
}

static u32 random_single(struct rng *r) {
    u32 v = (u32)rng_next(r);
    switch (rng_below(r, 4)) {
    case 0:
        return singles[rng_below(r, ARRAY_LEN(singles))];
    case 1:
        return v;
    case 2:
        return (v & 0x807fffffu) | (127 - 32 + rng_below(r, 64)) << 23;
    default:
        return (v & 0x807f0000u) | (127 - 2 + rng_below(r, 66)) << 23;
    }
}

void state_random(u64 init[CASE_STATE], struct rng *r) {
    for (unsigned i = 0; i < 32; i++) init[i] = i ? random_int(r) : 0;
    for (unsigned i = 0; i < 32; i++) {
        u64 boxed = 0xffffffff00000000u | random_single(r);
        init[STATE_F + i] = rng_below(r, 2) ? boxed : random_double(r);
    }
    // Inexact raised or not decides between fast and slow paths: both often.
    init[STATE_FCSR] =
        (rng_below(r, 2) ? 0 : rng_below(r, 5)) << 5 | (rng_below(r, 2) ? rng_below(r, 32) : 0);
}

// ---- items

static void put(struct item *it, u32 w) { it->w[it->n++] = w; }

static unsigned random_rd(struct rng *r) { return rng_below(r, 31); }

// Lets register `base` (not 0, not 31) point near the middle of the window, so that the
// displacement `disp` added stays inside; returns nothing but emits the addi.
static void put_address(struct item *it, struct rng *r, unsigned base, i32 disp, unsigned align) {
    i32 at = (i32)rng_below(r, 2 * WINDOW_HALF - 16) - WINDOW_HALF;
    if (rng_below(r, 3) == 0) at = (i32)rng_below(r, 16) - 8; // across the page boundary
    at &= -(i32)align;
    put(it, enc_i(RV_ADDI, base, 31, at - disp));
}

static i32 small_disp(struct rng *r) { return (i32)rng_below(r, 256) - 128; }

static void item_memory(struct item *it, struct rng *r, enum rv_id id) {
    unsigned base = 1 + rng_below(r, 30), other = rng_below(r, 32);
    u8 format = rv_rows[id].format;
    i32 disp = small_disp(r);
    unsigned align = 1;
    if (format == RVF_AMO || format == RVF_LR) {
        align = 8;
        disp = 0;
    }
    put_address(it, r, base, disp, align);
    // Words at the odd ones, so that LR.W and SC.D never meet.
    bool word = align == 8 && rv_funct3(rv_rows[id].match) == 2;
    if (word) it->w[0] |= 4u << 20;
    if (format == RVF_STORE || format == RVF_FSTORE)
        put(it, enc_s(id, other, base, disp));
    else if (format == RVF_LOAD)
        put(it, enc_i(id, random_rd(r), base, disp));
    else if (format == RVF_FLOAD)
        put(it, enc_i(id, other, base, disp));
    else
        put(it, enc_r(id, random_rd(r), base, format == RVF_LR ? 0 : other) | rng_below(r, 4)
                                                                                  << 25);
    if (format != RVF_LR) return;
    unsigned rd = rv_rd(it->w[1]);
    if (rd != base && rng_below(r, 4)) // its SC, sometimes with something between
        put(it, enc_r(word ? RV_SC_W : RV_SC_D, random_rd(r), base, other));
}

static void item_jump(struct item *it, struct rng *r, enum rv_id id) {
    it->skip = (u8)rng_below(r, 4);
    u32 w = rv_rows[id].match;
    if (id == RV_JALR) {
        unsigned base = 1 + rng_below(r, 30);
        put(it, enc_r(RV_AUIPC, base, 0, 0));
        put(it, w | random_rd(r) << 7 | base << 15);
        it->patch = PATCH_JALR;
    } else if (id == RV_JAL) {
        put(it, w | random_rd(r) << 7);
        it->patch = PATCH_JAL;
    } else {
        put(it, w | rng_below(r, 32) << 15 | rng_below(r, 32) << 20);
        it->patch = PATCH_BRANCH;
    }
}

static void item_csr(struct item *it, struct rng *r, enum rv_id id) {
    u32 w = rv_rows[id].match | random_rd(r) << 7;
    unsigned field = rng_below(r, 32);
    switch (rng_below(r, 3)) {
    case 0:
        put(it, w | 1 << 20 | field << 15);
        break; // fflags
    case 1:
        put(it, rv_rows[RV_CSRRWI].match | random_rd(r) << 7 | 2 << 20 | (field % 5) << 15);
        break;
    default:
        put(it, rv_rows[RV_CSRRS].match | random_rd(r) << 7 | 3 << 20);
        break; // read fcsr
    }
}

static bool has_rm(u8 format) {
    return format == RVF_F4 || format == RVF_F3 || format == RVF_F2 || format == RVF_XFRM ||
           format == RVF_FXRM;
}

bool rv_writes_x(u8 format) {
    return format != RVF_F4 && format != RVF_F3 && format != RVF_F3N && format != RVF_F2 &&
           format != RVF_FX && format != RVF_FXRM;
}

static void item_plain(struct item *it, struct rng *r, enum rv_id id) {
    const struct rv_row *row = &rv_rows[id];
    u32 w = row->match | ((u32)rng_next(r) & ~row->mask);
    if (rv_writes_x(row->format) && rv_rd(w) == 31) w ^= 1u << 7;
    if (has_rm(row->format)) {
        static const u8 modes[] = {0, 1, 2, 3, 4, 7, 7, 7};
        w = (w & ~0x7000u) | (u32)modes[rng_below(r, 8)] << 12;
    }
    put(it, w);
}

static void item_ctzw(struct item *it, struct rng *r) {
    unsigned rs = 1 + rng_below(r, 30);
    put(it, enc_i(RV_BSETI, rs, rs, (i32)rng_below(r, 32)));
    put(it, enc_r(RV_CTZW, random_rd(r), rs, 0));
}

static bool is_memory(u8 f) {
    return f == RVF_LOAD || f == RVF_FLOAD || f == RVF_STORE || f == RVF_FSTORE || f == RVF_AMO ||
           f == RVF_LR;
}

// A compressed instruction; false when the random one is not usable.
static bool item_compressed(struct item *it, struct rng *r) {
    u32 w = (u32)rng_next(r) & 0xffff;
    if ((w & 3) == 3) return false;
    u32 x = rv_expand(w);
    enum rv_id id = rv_decode(x);
    u8 f = rv_rows[id].format;
    if (id == RV_ILLEGAL || id == RV_JALR || id == RV_EBREAK) return false;
    if (f == RVF_BRANCH || f == RVF_J) {
        put(it, w);
        it->patch = f == RVF_J ? PATCH_JAL : PATCH_BRANCH;
        it->skip = (u8)rng_below(r, 4);
        return true;
    }
    if (is_memory(f)) {
        unsigned base = rv_rs1(x);
        bool store = f == RVF_STORE || f == RVF_FSTORE;
        put_address(it, r, base, store ? rv_imm_s(x) : rv_imm_i(x), 1);
        if (!store && f == RVF_LOAD && rv_rd(x) == 31) return false;
    } else if (rv_rd(x) == 31) {
        return false;
    }
    put(it, w);
    return true;
}

void item_random(struct item *it, struct rng *r) {
    for (;;) {
        memset(it, 0, sizeof *it);
        if (rng_below(r, 4) == 0) {
            if (item_compressed(it, r)) return;
            continue;
        }
        enum rv_id id = 1 + rng_below(r, RV_COUNT - 1);
        const struct rv_row *row = &rv_rows[id];
        if (row->ext == 'S') continue;
        if (row->ext == 'C')
            item_csr(it, r, id);
        else if (is_memory(row->format))
            item_memory(it, r, id);
        else if (row->format == RVF_BRANCH || row->format == RVF_J || row->format == RVF_JALR)
            item_jump(it, r, id);
        else if (id == RV_CTZW)
            item_ctzw(it, r);
        else
            item_plain(it, r, id);
        return;
    }
}

void case_random(struct rv_case *c, struct rng *r) {
    memset(c, 0, sizeof *c);
    state_random(c->init, r);
    c->nitems = CASE_ITEMS;
    for (unsigned i = 0; i < c->nitems; i++) item_random(&c->items[i], r);
}
