// What SSE's and AVX's instructions on one element mean: moves as IR on the cells' halves,
// arithmetic, comparisons and conversions through helpers that take and give values. Pure, as
// lift.c.
#include "guest/x86_64/lift_sse.h"

#define B l->b

// MOVSS, MOVSD, and MOVQ and MOVD to and from memory and general registers. Into a register from
// elsewhere: the rest becomes zero.
void xlift_vmov_scalar(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned size = x86_operand_size(&l->d, 0);
    if (is_vector(l, 0) && !in_memory(l, 0)) {
        ir_ref v;
        if (!is_vector(l, 1))
            v = xlift_read(l, 1);
        else if (in_memory(l, 1))
            v = xlift_load(l, xlift_ea(l), x86_operand_size(&l->d, 1));
        else
            v = get_lo(l, vreg(l, 1));
        ir_setv(B, X86_X(vreg(l, 0)), ir_VZEXT64(B, v));
        zero_above(l, vreg(l, 0));
        return;
    }
    ir_ref v = xlift_zext(l, get_lo(l, vreg(l, 1)), size);
    if (is_vector(l, 0))
        xlift_store(l, xlift_ea(l), size, v);
    else
        xlift_assign(l, 0, v);
}

// MOVSS and MOVSD between registers: the rest comes from the first source.
void xlift_vmov_merge(struct lift *l, unsigned size) {
    unsigned d = vreg(l, 0), a = l->d.vex ? vreg(l, 1) : d, b = vreg(l, l->d.vex ? 2 : 1);
    ir_ref v = get_lo(l, b);
    if (size == 4)
        v = ir_OR64(B, ir_AND64(B, get_lo(l, a), xlift_k(l, 0xffffffff00000000u)),
                    xlift_zext(l, v, 4));
    ir_ref hi = get_hi(l, a);
    set_lo(l, d, v);
    if (a != d) set_hi(l, d, hi);
    zero_above(l, d);
}

// ---- arithmetic: values in and out, so that no cell has to be in memory
//
// With MXCSR at its usual masks and rounding nothing faults, and the common operations have helpers
// of their own (sse_scalar.c), which translated code does inline. Otherwise, and for the rest,
// there is one helper for all.

static bool usual(const struct lift *l) { return !(l->mode & MODE_MXCSR); }

// Where the operand is in memory, so many bytes of it.
static ir_ref low(struct lift *l, unsigned i) {
    if (in_memory(l, i)) return xlift_load(l, xlift_ea(l), x86_operand_size(&l->d, i));
    return get_lo(l, vreg(l, i));
}

static ir_ref scalar(struct lift *l, unsigned op, ir_ref a, ir_ref b, ir_ref general, u64 more) {
    unsigned helper = usual(l) ? HELPER_scalar : HELPER_scalar_check;
    return ir_call(B, helper, a, b, general, op | more);
}

// Writes the result to operand 0, the rest of which comes from the first source. `single`: v is 32
// bits, zero-extended.
static void result(struct lift *l, ir_ref v, bool single) {
    unsigned d = vreg(l, 0), a = l->d.vex ? vreg(l, 1) : d;
    ir_ref upper = a != d ? get_hi(l, a) : 0;
    if (single) v = ir_OR64(B, ir_AND64(B, get_lo(l, a), xlift_k(l, 0xffffffff00000000u)), v);
    set_lo(l, d, v);
    if (upper) set_hi(l, d, upper);
    zero_above(l, d);
}

static ir_ref first(struct lift *l) { return get_lo(l, vreg(l, l->d.vex ? 1 : 0)); }

// Those of one operand only.
static bool is_unary(unsigned op) {
    return op == VOP_sqrtsd || op == VOP_sqrtss || op == VOP_cvtss2sd || op == VOP_cvtsd2ss;
}

static unsigned short_way(unsigned op, bool *single) {
    static const struct {
        u16 op, helper;
        bool single;
    } ways[] = {
        {VOP_addsd, HELPER_addsd, false},       {VOP_addss, HELPER_addss, true},
        {VOP_subsd, HELPER_subsd, false},       {VOP_subss, HELPER_subss, true},
        {VOP_mulsd, HELPER_mulsd, false},       {VOP_mulss, HELPER_mulss, true},
        {VOP_divsd, HELPER_divsd, false},       {VOP_divss, HELPER_divss, true},
        {VOP_sqrtsd, HELPER_sqrtsd, false},     {VOP_sqrtss, HELPER_sqrtss, true},
        {VOP_cvtss2sd, HELPER_cvtss2sd, false}, {VOP_cvtsd2ss, HELPER_cvtsd2ss, true},
    };
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++)
        if (ways[i].op == op) {
            *single = ways[i].single;
            return ways[i].helper;
        }
    return 0;
}

// ---- comparisons of doubles and singles, pure: i32

struct pair {
    ir_ref a, b; // f64 or f32
    bool single;
    ir_ref unordered; // i64, FL_PF or 0
};

static ir_ref as_float(struct lift *l, ir_ref v, bool single) {
    return single ? ir_F32BITS(B, ir_TRUNC32(B, v)) : ir_F64BITS(B, v);
}

// Raises what the comparison raises; `signals`: IE for quiet NaNs too.
static struct pair compare(struct lift *l, ir_ref a, ir_ref b, bool single, bool signals) {
    unsigned helper = single ? HELPER_ordered_ss : HELPER_ordered_sd;
    ir_ref un = ir_call(B, helper, a, b, 0, signals);
    ir_ref x = as_float(l, a, single);
    return (struct pair){x, a == b ? x : as_float(l, b, single), single, un};
}

static ir_ref less(struct lift *l, struct pair p, bool swapped) {
    ir_ref a = swapped ? p.b : p.a, b = swapped ? p.a : p.b;
    return p.single ? ir_FLT32(B, a, b) : ir_FLT64(B, a, b);
}
static ir_ref less_equal(struct lift *l, struct pair p, bool swapped) {
    ir_ref a = swapped ? p.b : p.a, b = swapped ? p.a : p.b;
    return p.single ? ir_FLE32(B, a, b) : ir_FLE64(B, a, b);
}
static ir_ref equal(struct lift *l, struct pair p) {
    return p.single ? ir_FEQ32(B, p.a, p.b) : ir_FEQ64(B, p.a, p.b);
}

// The low half's new value: all ones or zeros by predicates 0..7.
static void short_compare(struct lift *l, bool single, unsigned predicate) {
    ir_ref b = low(l, l->d.vex ? 2 : 1);
    unsigned p = predicate & 3;
    struct pair v = compare(l, first(l), b, single, p == 1 || p == 2);
    ir_ref c = p == 0   ? equal(l, v)
               : p == 1 ? less(l, v, false)
               : p == 2 ? less_equal(l, v, false)
                        : ir_NE64(B, v.unordered, xlift_k(l, 0));
    ir_ref bit = ir_ZEXT32(B, c);
    if (predicate & 4)
        bit = ir_SUB64(B, bit, xlift_k(l, 1));
    else
        bit = ir_SUB64(B, xlift_k(l, 0), bit);
    result(l, single ? xlift_zext(l, bit, 4) : bit, single);
}

// The first operand if it is the less (the greater); else, and with a NaN, the second.
static void short_min_max(struct lift *l, bool single, bool max) {
    ir_ref b = low(l, l->d.vex ? 2 : 1), a = first(l);
    struct pair v = compare(l, a, b, single, true);
    ir_ref r = ir_SEL64(B, less(l, v, max), a, b);
    result(l, single ? xlift_zext(l, r, 4) : r, single);
}

static bool is_min_max(unsigned op, bool *single, bool *max) {
    *single = op == VOP_minss || op == VOP_maxss;
    *max = op == VOP_maxss || op == VOP_maxsd;
    return *single || *max || op == VOP_minsd;
}

// With a predicate: of all 32.
void xlift_scalar(struct lift *l, unsigned op) {
    bool single = false, max, has_imm = x86_operand_type(&l->d, l->d.vex ? 3 : 2) == X86T_IMM;
    u64 imm = !has_imm ? 0 : l->d.imm & 0xff;
    if (usual(l) && (op == VOP_cmpsd || op == VOP_cmpss) && (imm & 31) < 8) {
        short_compare(l, op == VOP_cmpss, (unsigned)imm & 7);
        return;
    }
    if (usual(l) && is_min_max(op, &single, &max)) {
        short_min_max(l, single, max);
        return;
    }
    unsigned helper = usual(l) ? short_way(op, &single) : 0;
    ir_ref b = low(l, l->d.vex ? 2 : 1);
    if (helper && is_unary(op))
        result(l, ir_call(B, helper, b, 0, 0, 0), single);
    else if (helper)
        result(l, ir_call(B, helper, first(l), b, 0, 0), single);
    else
        result(l, scalar(l, op, first(l), b, 0, imm << VEC_IMM_SHIFT), false);
}

// Without VEX there are 8 predicates.
void xlift_scalar_cmp(struct lift *l, unsigned op) {
    if (usual(l)) {
        short_compare(l, op == VOP_cmpss, l->d.imm & 7);
        return;
    }
    ir_ref b = low(l, 1);
    result(l, scalar(l, op, first(l), b, 0, (l->d.imm & 7) << VEC_IMM_SHIFT), false);
}

// The result is the status flags: what xlift_cond makes direct comparisons of.
void xlift_scalar_flags(struct lift *l, unsigned op) {
    bool single = op == VOP_ucomiss || op == VOP_comiss;
    ir_ref b = low(l, 1), a = get_lo(l, vreg(l, 0));
    if (!usual(l)) {
        xlift_set_status(l, scalar(l, op, a, b, 0, SCALAR_R));
        return;
    }
    struct pair v = compare(l, a, b, single, op == VOP_comiss || op == VOP_comisd);
    xlift_cc_float(l, ir_OR32(B, less(l, v, false), less(l, v, true)), less_equal(l, v, true),
                   v.unordered);
}

// From a general register or memory, of 4 or 8 bytes; and to a general register.
void xlift_cvt_from(struct lift *l, unsigned op) {
    unsigned at = l->d.vex ? 2 : 1;
    bool wide = x86_operand_size(&l->d, at) == 8, single = op == VOP_cvtsi2ss;
    unsigned wider = single ? VOP_cvtsq2ss : VOP_cvtsq2sd;
    ir_ref v = xlift_read(l, at);
    if (!usual(l)) {
        result(l, scalar(l, wide ? wider : op, first(l), 0, v, 0), false);
    } else if (wide || single) {
        if (!wide) v = xlift_sext(l, v, 4);
        unsigned helper = single ? HELPER_cvtsq2ss : HELPER_cvtsq2sd;
        result(l, ir_call(B, helper, v, 0, 0, 0), single);
    } else { // always exact
        result(l, ir_BITSF64(B, ir_F64S32(B, ir_TRUNC32(B, v))), false);
    }
}

void xlift_cvt_to(struct lift *l, unsigned op) {
    bool wide = x86_operand_size(&l->d, 0) == 8;
    bool dbl = op == VOP_cvttsd2si, truncates = dbl || op == VOP_cvttss2si;
    ir_ref b = low(l, 1), r;
    if (usual(l) && truncates) {
        unsigned helper = dbl    ? (wide ? HELPER_cvttsd2sq : HELPER_cvttsd2sl)
                          : wide ? HELPER_cvttss2sq
                                 : HELPER_cvttss2sl;
        r = ir_call(B, helper, b, 0, 0, 1);
        if (!wide) r = xlift_zext(l, r, 4);
    } else {
        r = scalar(l, op, 0, b, 0, (u64)wide << VEC_IMM_SHIFT | SCALAR_R);
    }
    xlift_assign(l, 0, r);
}
