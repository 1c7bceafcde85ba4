// What integer vector instructions mean as IR: shuffles, shifts, and what takes a few operations.
// What is one operation is in lift_sse.c (xlift_vir), what is many a helper. Pure, as lift.c.
#include "guest/x86_64/lift_sse.h"

#define B l->b

static struct vval none(void) { return (struct vval){0, 0}; }

static ir_ref splat(struct lift *l, u64 v) { return ir_VSPLAT64(B, xlift_k(l, v)); }

// The two sources of an instruction that has two; its destination is the first without VEX.
struct sources {
    struct vval a, b;
};

static struct sources sources(struct lift *l) {
    unsigned at = l->d.vex && is_vector(l, 2) ? 1 : 0;
    struct vval b = xlift_vec_read(l, at + 1);
    return (struct sources){xlift_vec_read(l, at), b};
}

static void write(struct lift *l, struct vval v) { xlift_vec_write(l, vreg(l, 0), v); }

// ---- shuffles

static ir_ref shuffle(struct lift *l, ir_ref a, ir_ref b, u32 words) {
    if (words == 0x76543210u) return a;
    if (words == 0xfedcba98u) return b;
    if ((words & 0x88888888u) == 0x88888888u) { // of b only
        a = b;
        words &= 0x77777777u;
    } else if (!(words & 0x88888888u)) {
        b = a;
    }
    return ir_VSHUF16(B, a, b, words);
}

// Of both lanes of a and b; for dwords as in DW().
static void shuffle_words(struct lift *l, const u32 words[2]) {
    struct sources s = sources(l);
    struct vval r = {shuffle(l, s.a.lo, s.b.lo, words[0]), 0};
    if (s.b.hi) r.hi = shuffle(l, s.a.hi, s.b.hi, words[1]);
    write(l, r);
}

static u32 words_of(unsigned dwords) {
    u32 k = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = dwords >> (4 * i) & 7;
        k |= (2 * n | (2 * n + 1) << 4) << (8 * i);
    }
    return k;
}

void xlift_words(struct lift *l, unsigned words) { shuffle_words(l, (const u32[]){words, words}); }
void xlift_dwords(struct lift *l, unsigned how) { xlift_words(l, words_of(how)); }

// Where dword i of a lane comes from, as in DW().
static unsigned dword_of(unsigned kind, unsigned imm, unsigned lane, unsigned i) {
    unsigned two_bits = imm >> (2 * i) & 3, half = (imm >> (2 * lane + i / 2) & 1) * 2 + i % 2;
    switch (kind) {
    case DW_PSHUFD:
        return 4 + two_bits;
    case DW_SHUFPS:
        return (i > 1 ? 4 : 0) + two_bits;
    case DW_SHUFPD:
        return (i > 1 ? 4 : 0) + half;
    case DW_PERMILPD:
        return 4 + half;
    case DW_BLENDPD:
        return (imm >> (2 * lane + i / 2) & 1 ? 4 : 0) + i;
    default: // DW_BLENDD
        return (imm >> (4 * lane + i) & 1 ? 4 : 0) + i;
    }
}

void xlift_dwords_imm(struct lift *l, unsigned kind) {
    u32 how[2] = {0, 0};
    for (unsigned lane = 0; lane < 2; lane++)
        for (unsigned i = 0; i < 4; i++)
            how[lane] |= dword_of(kind, l->d.imm & 0xff, lane, i) << (4 * i);
    shuffle_words(l, (const u32[]){words_of(how[0]), words_of(how[1])});
}

void xlift_words_imm(struct lift *l, unsigned kind) {
    u32 k = 0, imm = l->d.imm & 0xff;
    for (unsigned i = 0; i < 8; i++) {
        u32 from = 8 + i; // of the second source
        if (kind == W_PSHUFLW && i < 4) from = 8 + (imm >> (2 * i) & 3);
        if (kind == W_PSHUFHW && i >= 4) from = 12 + (imm >> (2 * (i - 4)) & 3);
        if (kind == W_PBLENDW && !(imm >> i & 1)) from = i;
        k |= from << (4 * i);
    }
    xlift_words(l, k);
}

// 16 bytes from `n` on of a with b above it and zeros above that.
static ir_ref align(struct lift *l, ir_ref a, ir_ref b, unsigned n) {
    if (n >= 32) return zero_vector(l);
    if (n == 0) return a;
    if (n == 16) return b;
    return n < 16 ? ir_VALIGN8(B, a, b, n) : ir_VALIGN8(B, b, zero_vector(l), n - 16);
}

void xlift_palignr(struct lift *l, unsigned arg) {
    (void)arg;
    struct sources s = sources(l);
    unsigned n = l->d.imm & 0xff;
    struct vval r = {align(l, s.b.lo, s.a.lo, n), 0};
    if (s.b.hi) r.hi = align(l, s.b.hi, s.a.hi, n);
    write(l, r);
}

// PSLLDQ, PSRLDQ.
void xlift_shift_bytes(struct lift *l, unsigned left) {
    struct vval v = xlift_vec_read(l, l->d.vex ? 1 : 0), r = none();
    unsigned n = l->d.imm & 0xff;
    if (n > 16) n = 16;
    ir_ref zero = zero_vector(l);
    r.lo = left ? align(l, zero, v.lo, 16 - n) : align(l, v.lo, zero, n);
    if (v.hi) r.hi = left ? align(l, zero, v.hi, 16 - n) : align(l, v.hi, zero, n);
    write(l, r);
}

// Bytes at indices; none where bit 7 is set.
void xlift_pshufb(struct lift *l, unsigned arg) {
    (void)arg;
    struct sources s = sources(l);
    ir_ref used = splat(l, 0x8f8f8f8f8f8f8f8fu);
    struct vval r = {ir_VSWIZ(B, s.a.lo, ir_VAND(B, s.b.lo, used)), 0};
    if (s.b.hi) r.hi = ir_VSWIZ(B, s.a.hi, ir_VAND(B, s.b.hi, used));
    write(l, r);
}

// One that makes nothing zero is a shuffle.
void xlift_insertps(struct lift *l, unsigned op) {
    unsigned imm = l->d.imm & 0xff, from = imm >> 6, to = imm >> 4 & 3;
    if (l->d.mod != 3) from = 0;
    if (imm & 15) {
        ir_ref g;
        u64 m = xlift_vec_operation(l, op, &g);
        if (l->d.mod != 3) m &= ~((u64)0xc0 << VEC_IMM_SHIFT);
        ir_call(B, HELPER_vec, g, 0, 0, m);
        return;
    }
    unsigned how = DW(0, 1, 2, 3) & ~(15u << (4 * to));
    xlift_dwords(l, how | (4 + from) << (4 * to));
}

// ---- shifts

// The element's width in bits of an operation of IR.
static unsigned shift_width(enum ir_op op) {
    switch (op) {
    case IR_VSHL16:
    case IR_VSHRU16:
    case IR_VSHRS16:
        return 16;
    case IR_VSHL32:
    case IR_VSHRU32:
    case IR_VSHRS32:
        return 32;
    default:
        return 64;
    }
}

// By the low 64 bits of an operand that has 128 whatever the vector's length.
void xlift_vshift_by(struct lift *l, unsigned arg) {
    enum ir_op op = (enum ir_op)arg;
    unsigned at = l->d.vex ? 1 : 0, width = shift_width(op);
    struct vval b = xlift_vec_read(l, at + 1), v = xlift_vec_read(l, at), r = none();
    ir_ref n = ir_VLO64(B, b.lo), fits = 0, zero = 0;
    if (op == IR_VSHRS16 || op == IR_VSHRS32) {
        n = ir_MINU64(B, n, xlift_k(l, width - 1));
    } else {
        fits = ir_LTU64(B, n, xlift_k(l, width));
        zero = zero_vector(l);
    }
    ir_ref count = ir_TRUNC32(B, n);
    r.lo = ir_emit(B, op, v.lo, count, 0, 0, 0);
    if (v.hi) r.hi = ir_emit(B, op, v.hi, count, 0, 0, 0);
    if (fits) {
        r.lo = ir_SELV(B, fits, r.lo, zero);
        if (v.hi) r.hi = ir_SELV(B, fits, r.hi, zero);
    }
    write(l, r);
}

// ---- to and from general registers and flags

// arg: the IR's operation, lanes in bits 16 on.
void xlift_movmsk(struct lift *l, unsigned arg) {
    enum ir_op op = (enum ir_op)(arg & 0xffff);
    struct vval x = xlift_vec_read(l, 1);
    ir_ref m = ir_ZEXT32(B, ir_emit(B, op, x.lo, 0, 0, 0, 0));
    if (x.hi) {
        ir_ref hi = ir_ZEXT32(B, ir_emit(B, op, x.hi, 0, 0, 0, 0));
        m = ir_OR64(B, m, ir_SHL64(B, hi, xlift_k(l, arg >> 16)));
    }
    xlift_assign(l, 0, m);
}

// arg: log2 of the element's size.
void xlift_pextr(struct lift *l, unsigned log2_size) {
    unsigned size = 1u << log2_size, i = l->d.imm & (16 / size - 1), at = 8 * size * i;
    ir_ref v = ir_get(B, X86_X(vreg(l, 1)) + 8 * (at / 64));
    v = xlift_zext(l, ir_SHRU64(B, v, xlift_k(l, at % 64)), size);
    xlift_assign(l, 0, v);
}

void xlift_pinsr(struct lift *l, unsigned log2_size) {
    unsigned from = l->d.vex ? 2 : 1, d = vreg(l, 0), a = l->d.vex ? vreg(l, 1) : d;
    unsigned size = 1u << log2_size, at = 8 * size * (l->d.imm & (16 / size - 1)), half = at / 64;
    ir_ref v = xlift_zext(l, xlift_read(l, from), size);
    if (size < 8) {
        u64 mask = xlift_mask(size) << (at % 64);
        ir_ref rest = ir_AND64(B, ir_get(B, X86_X(a) + 8 * half), xlift_k(l, ~mask));
        v = ir_OR64(B, rest, ir_SHL64(B, v, xlift_k(l, at % 64)));
    }
    ir_ref other = ir_get(B, X86_X(a) + 8 * !half);
    ir_set(B, X86_X(d) + 8 * half, v);
    if (a != d) ir_set(B, X86_X(d) + 8 * !half, other);
    zero_above(l, d);
}

static ir_ref is_zero(struct lift *l, struct vval v) {
    ir_ref x = v.hi ? ir_VOR(B, v.lo, v.hi) : v.lo;
    return ir_ZEXT32(B, ir_EQ64(B, ir_OR64(B, ir_VLO64(B, x), ir_VHI64(B, x)), xlift_k(l, 0)));
}

// PTEST, VTESTPS, VTESTPD. arg: of all bits 0, else the size of elements whose sign bits count.
void xlift_ptest(struct lift *l, unsigned size) {
    struct vval b = xlift_vec_read(l, 1), a = xlift_vec_read(l, 0), both = none(), only = none();
    if (size) {
        ir_ref signs = splat(l, size == 4 ? 0x8000000080000000u : 0x8000000000000000u);
        b.lo = ir_VAND(B, b.lo, signs);
        if (b.hi) b.hi = ir_VAND(B, b.hi, signs);
    }
    both.lo = ir_VAND(B, a.lo, b.lo);
    only.lo = ir_VANDN(B, b.lo, a.lo);
    if (b.hi) {
        both.hi = ir_VAND(B, a.hi, b.hi);
        only.hi = ir_VANDN(B, b.hi, a.hi);
    }
    ir_ref z = ir_SHL64(B, is_zero(l, both), xlift_k(l, 6)); // FL_ZF, FL_CF
    xlift_set_status(l, ir_OR64(B, z, is_zero(l, only)));
}

// ---- a few operations each

// arg: the IR's operation of one operand.
void xlift_vir1(struct lift *l, unsigned op) {
    struct vval v = xlift_vec_read(l, 1), r = none();
    r.lo = ir_emit(B, (enum ir_op)op, v.lo, 0, 0, 0, 0);
    if (v.hi) r.hi = ir_emit(B, (enum ir_op)op, v.hi, 0, 0, 0, 0);
    write(l, r);
}

// The lower elements, each from `from` to `to` bytes (both log2).
static ir_ref extend(struct lift *l, ir_ref v, unsigned from, unsigned to, bool sign) {
    static const u16 ops[3][2] = {
        {IR_VEXTU8, IR_VEXTS8}, {IR_VEXTU16, IR_VEXTS16}, {IR_VEXTU32, IR_VEXTS32}};
    for (; from < to; from++) v = ir_emit(B, (enum ir_op)ops[from][sign], v, 0, 0, 0, 0);
    return v;
}

// PMOVSX, PMOVZX. arg: EXTEND_TO()
void xlift_pmovx(struct lift *l, unsigned arg) {
    unsigned from = arg & 3, to = arg >> 2 & 3;
    bool sign = arg >> 4;
    ir_ref v = xlift_vec_read(l, 1).lo, upper = 0;
    if (x86_operand_size(&l->d, 0) == 32) {
        upper = to - from == 1 ? ir_VHI64(B, v)
                               : ir_SHRU64(B, ir_VLO64(B, v), xlift_k(l, to - from == 2 ? 32 : 16));
        upper = extend(l, ir_VZEXT64(B, upper), from, to, sign);
    }
    write(l, (struct vval){extend(l, v, from, to, sign), upper});
}

// Neighbours added or subtracted. arg: the IR's operation, bit 16: of dwords
void xlift_horizontal(struct lift *l, unsigned arg) {
    enum ir_op op = (enum ir_op)(arg & 0xffff);
    u32 even = arg >> 16 ? 0xdc985410u : 0xeca86420u, odd = arg >> 16 ? 0xfeba7632u : 0xfdb97531u;
    struct sources s = sources(l);
    struct vval r = none();
    for (unsigned lane = 0; lane <= (s.b.hi ? 1u : 0u); lane++) {
        ir_ref a = lane ? s.a.hi : s.a.lo, b = lane ? s.b.hi : s.b.lo;
        ir_ref x = ir_VSHUF16(B, a, b, even), y = ir_VSHUF16(B, a, b, odd);
        *(lane ? &r.hi : &r.lo) = ir_emit(B, op, x, y, 0, 0, 0);
    }
    write(l, r);
}

// Products of unsigned and signed bytes, neighbours added with saturation. A product fits 16 bits.
static ir_ref multiply_bytes(struct lift *l, ir_ref a, ir_ref b) {
    ir_ref eight = ir_const32(B, 8);
    ir_ref even_b = ir_VSHRS16(B, ir_VSHL16(B, b, eight), eight);
    ir_ref even = ir_VMUL16(B, ir_VAND(B, a, splat(l, 0x00ff00ff00ff00ffu)), even_b);
    ir_ref odd = ir_VMUL16(B, ir_VSHRU16(B, a, eight), ir_VSHRS16(B, b, eight));
    return ir_VADDSS16(B, even, odd);
}

void xlift_pmaddubsw(struct lift *l, unsigned arg) {
    (void)arg;
    struct sources s = sources(l);
    struct vval r = {multiply_bytes(l, s.a.lo, s.b.lo), 0};
    if (s.b.hi) r.hi = multiply_bytes(l, s.a.hi, s.b.hi);
    write(l, r);
}

// The sum of eight bytes.
static ir_ref sum_bytes(struct lift *l, ir_ref x) {
    ir_ref mask = xlift_k(l, 0x00ff00ff00ff00ffu);
    ir_ref pairs =
        ir_ADD64(B, ir_AND64(B, x, mask), ir_AND64(B, ir_SHRU64(B, x, xlift_k(l, 8)), mask));
    return ir_SHRU64(B, ir_MUL64(B, pairs, xlift_k(l, 0x0001000100010001u)), xlift_k(l, 48));
}

void xlift_psadbw(struct lift *l, unsigned arg) {
    (void)arg;
    struct sources s = sources(l);
    unsigned d = vreg(l, 0), lanes = s.b.hi ? 2 : 1;
    ir_ref r[4];
    for (unsigned lane = 0; lane < lanes; lane++) {
        ir_ref a = lane ? s.a.hi : s.a.lo, b = lane ? s.b.hi : s.b.lo;
        ir_ref v = ir_VOR(B, ir_VSUBUS8(B, a, b), ir_VSUBUS8(B, b, a));
        r[2 * lane] = sum_bytes(l, ir_VLO64(B, v));
        r[2 * lane + 1] = sum_bytes(l, ir_VHI64(B, v));
    }
    for (unsigned i = 0; i < 2 * lanes; i++)
        ir_set(B, (i & 2 ? X86_YH(d) : X86_X(d)) + 8 * (i & 1), r[i]);
    if (lanes == 1) zero_above(l, d);
}

// All ones where the element of `size` bytes has its sign bit.
static ir_ref signs(struct lift *l, ir_ref v, unsigned size) {
    if (size == 4) return ir_VSHRS32(B, v, ir_const32(B, 31));
    return size == 1 ? ir_VGTS8(B, zero_vector(l), v) : ir_VGTS64(B, zero_vector(l), v);
}

static ir_ref blend(struct lift *l, ir_ref a, ir_ref b, ir_ref mask, unsigned size) {
    mask = signs(l, mask, size);
    return ir_VOR(B, ir_VAND(B, b, mask), ir_VANDN(B, a, mask));
}

// By the sign bits of a third vector. arg: bytes of an element
void xlift_blendv(struct lift *l, unsigned size) {
    unsigned at = l->d.vex ? 1 : 0;
    struct vval b = xlift_vec_read(l, at + 1), a = xlift_vec_read(l, at);
    struct vval m = xlift_vec_read(l, at + 2), r = {blend(l, a.lo, b.lo, m.lo, size), 0};
    if (b.hi) r.hi = blend(l, a.hi, b.hi, m.hi, size);
    write(l, r);
}
