// What instructions mean that exist only with VEX (SDM 2, AVX, AVX2, FMA, F16C): broadcasts and
// moves of halves as IR on the cells of registers, all else through helpers. Pure, as lift.c.
//
// Every one makes zero what lies above its result.
#include "guest/x86_64/lift_sse.h"

#define B l->b

static ir_ref lane_of(struct lift *l, unsigned n, unsigned lane) {
    return ir_getv(B, lane ? X86_YH(n) : X86_X(n));
}

// arg: of all bits, else of the upper lanes.
void xlift_vzero(struct lift *l, unsigned all) {
    unsigned n = xlift_64(l) ? 16 : 8;
    ir_ref zero = zero_vector(l);
    for (unsigned i = 0; i < n; i++) {
        if (all) ir_setv(B, X86_X(i), zero);
        ir_setv(B, X86_YH(i), zero);
    }
}

// ---- broadcasts, halves, quarters

void xlift_vbroadcast(struct lift *l, unsigned log2_size) {
    static const u64 ones[3] = {0x0101010101010101u, 0x0001000100010001u, 0x0000000100000001u};
    ir_ref v;
    if (log2_size == 4) {
        v = xlift_vec_read(l, 1).lo;
    } else {
        unsigned size = 1u << log2_size;
        v = in_memory(l, 1) ? xlift_load(l, xlift_ea(l), size)
                            : xlift_zext(l, get_lo(l, vreg(l, 1)), size);
        if (log2_size < 3) v = ir_MUL64(B, v, xlift_k(l, ones[log2_size]));
        v = ir_VSPLAT64(B, v);
    }
    xlift_vec_write(l, vreg(l, 0), (struct vval){v, x86_operand_size(&l->d, 0) == 32 ? v : 0});
}

void xlift_vinsert128(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = xlift_vec_read(l, 2).lo;
    struct vval r = xlift_vec_read(l, 1);
    if (l->d.imm & 1)
        r.hi = v;
    else
        r.lo = v;
    xlift_vec_write(l, vreg(l, 0), r);
}

void xlift_vextract128(struct lift *l, unsigned arg) {
    (void)arg;
    struct vval v = {lane_of(l, vreg(l, 1), l->d.imm & 1), 0};
    if (in_memory(l, 0))
        xlift_vec_store(l, 0, v, false);
    else
        xlift_vec_write(l, vreg(l, 0), v);
}

void xlift_vperm2(struct lift *l, unsigned arg) {
    (void)arg;
    struct vval a = xlift_vec_read(l, 1), b = xlift_vec_read(l, 2), r;
    ir_ref from[4] = {a.lo, a.hi, b.lo, b.hi};
    r.lo = l->d.imm & 8 ? zero_vector(l) : from[l->d.imm & 3];
    r.hi = l->d.imm & 0x80 ? zero_vector(l) : from[l->d.imm >> 4 & 3];
    xlift_vec_write(l, vreg(l, 0), r);
}

// Four quarters of 64 bits, each any of the source's.
void xlift_vpermq(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref q[4], r[4];
    if (in_memory(l, 1)) {
        struct vval v = xlift_vec_read(l, 1);
        for (unsigned i = 0; i < 4; i++)
            q[i] = i & 1 ? ir_VHI64(B, i & 2 ? v.hi : v.lo) : ir_VLO64(B, i & 2 ? v.hi : v.lo);
    } else {
        unsigned n = vreg(l, 1);
        for (unsigned i = 0; i < 4; i++)
            q[i] = ir_get(B, (i & 2 ? X86_YH(n) : X86_X(n)) + 8 * (i & 1));
    }
    for (unsigned i = 0; i < 4; i++) r[i] = q[l->d.imm >> (2 * i) & 3];
    unsigned d = vreg(l, 0);
    for (unsigned i = 0; i < 4; i++) ir_set(B, (i & 2 ? X86_YH(d) : X86_X(d)) + 8 * (i & 1), r[i]);
}

// ---- memory by elements

// imm of the helpers but for the registers: sizes and how to make an address of an offset.
static u64 elements(struct lift *l, unsigned size, unsigned index_size) {
    u64 seg = l->d.seg != SEG_NONE ? l->d.seg : x86_default_seg(&l->d);
    return (l->d.l ? VEC_L : 0) | (size == 8 ? ELEM_8 : 0) | (index_size == 8 ? ELEM_INDEX_8 : 0) |
           (xlift_64(l) ? ELEM_CODE64 : 0) | (xlift_careful(l) ? ELEM_CAREFUL : 0) |
           (l->d.adsize == 8 ? ELEM_ADDR_8 : 0) | (l->d.adsize == 2 ? ELEM_ADDR_2 : 0) |
           seg << ELEM_SEG_SHIFT | (u64)l->d.scale << ELEM_SCALE_SHIFT;
}

static ir_ref offset(struct lift *l) {
    i32 disp;
    ir_ref a = xlift_offset(l, l->d.adsize, &disp);
    return ir_ADD64(B, a, xlift_k(l, (u64)(i64)disp));
}

void xlift_vmask_load(struct lift *l, unsigned size) {
    u64 m = VEC_MAKE(0, l->d.reg, l->d.vvvv, 0, 0) | elements(l, size, 0);
    ir_call(B, HELPER_elements_load, offset(l), 0, 0, m);
}

void xlift_vmask_store(struct lift *l, unsigned size) {
    u64 m = VEC_MAKE(0, l->d.reg, l->d.vvvv, 0, 0) | elements(l, size, 0);
    ir_call(B, HELPER_elements_store, offset(l), 0, 0, m);
}

// The three registers must differ.
void xlift_vgather(struct lift *l, unsigned index_size) {
    unsigned d = l->d.reg, mask = l->d.vvvv, index = l->d.index;
    if (d == mask || d == index || mask == index) {
        xlift_undefined(l, 0);
        return;
    }
    u64 m = VEC_MAKE(0, d, mask, index, 0) | elements(l, x86_operand_size(&l->d, 1), index_size);
    l->d.index = X86_NOREG; // the address is that without the indices
    ir_call(B, HELPER_gather, offset(l), 0, 0, m);
}

// ---- F16C, FMA

// To memory: it must be writable before MXCSR is touched.
void xlift_vcvtps2ph(struct lift *l, unsigned arg) {
    (void)arg;
    bool mem = in_memory(l, 0);
    u64 m = VEC_MAKE(VOP_cvtps2ph, mem ? VEC_SCRATCH : vreg(l, 0), vreg(l, 1), vreg(l, 1), 0);
    m |= (l->d.imm & 0xff) << VEC_IMM_SHIFT | VEC_VEX | (l->d.l ? VEC_L | VEC_NARROW : 0);
    if (!mem) {
        ir_call(B, HELPER_vec_float, 0, 0, 0, m);
        return;
    }
    unsigned size = x86_operand_size(&l->d, 0);
    i32 disp;
    ir_ref a = xlift_linear(l, xlift_ea(l), size, true, &disp);
    (void)ir_ldw(B, IR_LDW64, a, disp);
    if (size == 16) (void)ir_ldw(B, IR_LDW64, ir_ADD64(B, a, xlift_k(l, 8)), disp);
    ir_call(B, HELPER_vec_float, 0, 0, 0, m);
    ir_emit(B, IR_ST64, a, ir_get(B, X86_XS(0)), 0, 0, (u64)(i64)disp);
    if (size == 16)
        ir_emit(B, IR_ST64, ir_ADD64(B, a, xlift_k(l, 8)), ir_get(B, X86_XS(0) + 8), 0, 0,
                (u64)(i64)disp);
}

// Operands 1 to 3 of the instruction as factor, factor, summand.
static void fma_order(unsigned form, const unsigned in[3], unsigned out[3]) {
    static const u8 order[3][3] = {{0, 2, 1}, {1, 0, 2}, {1, 2, 0}};
    for (unsigned i = 0; i < 3; i++) out[i] = in[order[form][i]];
}

// Which of product and summand an operation negates.
static u32 negated(unsigned op) {
    switch (op) {
    case VOP_fnmaddps:
    case VOP_fnmaddpd:
    case VOP_fnmaddss:
    case VOP_fnmaddsd:
        return VFN_NEG_PRODUCT;
    case VOP_fmsubps:
    case VOP_fmsubpd:
    case VOP_fmsubss:
    case VOP_fmsubsd:
        return VFN_NEG_SUM;
    case VOP_fnmsubps:
    case VOP_fnmsubpd:
    case VOP_fnmsubss:
    case VOP_fnmsubsd:
        return VFN_NEG_PRODUCT | VFN_NEG_SUM;
    default:
        return 0;
    }
}

static void fma_values(struct lift *l, unsigned op, unsigned form) {
    static const unsigned all[3] = {0, 1, 2};
    struct vval b = xlift_vec_read(l, 2), in[3], x[3];
    in[0] = xlift_vec_read(l, 0);
    in[1] = xlift_vec_read(l, 1);
    in[2] = b;
    unsigned r[3];
    fma_order(form, all, r);
    for (unsigned i = 0; i < 3; i++) x[i] = in[r[i]];
    xlift_vec_write(l, vreg(l, 0), xlift_vec_values(l, op, negated(op), x));
}

// arg: operation | form << 16
void xlift_vfma(struct lift *l, unsigned arg) {
    if (xlift_mxcsr_usual(l)) {
        fma_values(l, arg & 0xffff, arg >> 16);
        return;
    }
    unsigned d = vreg(l, 0), in[3] = {d, vreg(l, 1), VEC_SCRATCH}, r[3];
    if (in_memory(l, 2)) {
        struct vval v = xlift_vec_read(l, 2);
        ir_setv(B, X86_XS(0), v.lo);
        if (v.hi) ir_setv(B, X86_XS(1), v.hi);
    } else {
        in[2] = vreg(l, 2);
    }
    fma_order(arg >> 16, in, r);
    u64 m = VEC_MAKE(arg & 0xffff, d, r[0], r[1], r[2]) | VEC_VEX | (l->d.l ? VEC_L : 0);
    ir_call(B, HELPER_vec_float, 0, 0, 0, m);
}

void xlift_vfma_scalar(struct lift *l, unsigned arg) {
    unsigned d = vreg(l, 0), op = arg & 0xffff, r[3];
    bool single = x86_operand_size(&l->d, 2) == 4;
    ir_ref b = in_memory(l, 2) ? xlift_load(l, xlift_ea(l), single ? 4 : 8) : get_lo(l, vreg(l, 2));
    const ir_ref v[3] = {get_lo(l, d), get_lo(l, vreg(l, 1)), b};
    fma_order(arg >> 16, (const unsigned[]){0, 1, 2}, r);
    u64 negate = negated(op) / VFN_NEG_PRODUCT << 3;
    ir_ref x;
    if (xlift_mxcsr_usual(l))
        x = ir_call(B, single ? HELPER_fmass : HELPER_fmasd, v[r[0]], v[r[1]], v[r[2]], negate);
    else
        x = ir_call(B, HELPER_scalar_check, v[r[0]], v[r[1]], v[r[2]], op);
    if (single && !xlift_mxcsr_usual(l)) x = xlift_zext(l, x, 4);
    if (single) x = ir_OR64(B, ir_AND64(B, v[0], xlift_k(l, 0xffffffff00000000u)), x);
    set_lo(l, d, x);
    zero_above(l, d);
}
