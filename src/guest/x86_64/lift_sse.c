// What SSE and AVX instructions mean: moves and simple operations as IR on the cells of registers,
// all else through the helpers of sse.c. Pure, as lift.c. Scalars: lift_sse_scalar.c.
//
// An instruction with VEX makes zero what lies above its result; one without leaves it alone.
#include "guest/x86_64/lift_sse.h"

#define B l->b

// ---- memory

// #GP where operands of 16 bytes must be aligned (those of 32 are checked by aligned moves only).
static void check_aligned(struct lift *l, ir_ref addr, i32 disp, unsigned size) {
    ir_ref a = disp ? ir_ADD64(B, addr, xlift_k(l, (u64)(i64)disp)) : addr;
    ir_ref low = ir_AND64(B, a, xlift_k(l, size - 1));
    ir_trapif(B, ir_NE64(B, low, xlift_k(l, 0)), CAUSE_GP0, xlift_k(l, 0));
}

struct vval xlift_load_vec(struct lift *l, unsigned i, bool aligned) {
    unsigned size = x86_operand_size(&l->d, i);
    if (size < 16) return (struct vval){ir_VZEXT64(B, xlift_load(l, xlift_ea(l), size)), 0};
    i32 disp;
    ir_ref a = xlift_linear(l, xlift_ea(l), size, false, &disp);
    if (aligned) check_aligned(l, a, disp, size);
    struct vval v = {ir_emit(B, IR_LDV, a, 0, 0, 0, (u64)(i64)disp), 0};
    if (size == 32) v.hi = ir_emit(B, IR_LDV, a, 0, 0, 0, (u64)((i64)disp + 16));
    return v;
}

struct vval xlift_vec_read_at(struct lift *l, unsigned i, bool aligned) {
    if (in_memory(l, i)) return xlift_load_vec(l, i, aligned);
    unsigned n = vreg(l, i);
    bool wide = x86_operand_size(&l->d, i) == 32;
    return (struct vval){ir_getv(B, X86_X(n)), wide ? ir_getv(B, X86_YH(n)) : 0};
}

// As a source of arithmetic: aligned unless VEX.
struct vval xlift_vec_read(struct lift *l, unsigned i) {
    return xlift_vec_read_at(l, i, !l->d.vex);
}

void xlift_vec_store(struct lift *l, unsigned i, struct vval v, bool aligned) {
    unsigned size = x86_operand_size(&l->d, i);
    i32 disp;
    ir_ref a = xlift_linear(l, xlift_ea(l), size, true, &disp);
    if (aligned) check_aligned(l, a, disp, size);
    if (v.hi) { // all of it must be writable before the first half is written
        ir_ref end = ir_ADD64(B, a, xlift_k(l, (u64)((i64)disp + 31)));
        ir_ref start = ir_ADD64(B, a, xlift_k(l, (u64)(i64)disp));
        (void)ir_ldw(B, IR_LDW8, start, 0);
        end = ir_AND64(B, end, xlift_k(l, ~(u64)4095));
        (void)ir_ldw(B, IR_LDW8, ir_MAXU64(B, start, end), 0);
    }
    ir_emit(B, IR_STV, a, v.lo, 0, 0, (u64)(i64)disp);
    if (v.hi) ir_emit(B, IR_STV, a, v.hi, 0, 0, (u64)((i64)disp + 16));
}

void xlift_vec_write(struct lift *l, unsigned n, struct vval v) {
    ir_setv(B, X86_X(n), v.lo);
    if (v.hi)
        ir_setv(B, X86_YH(n), v.hi);
    else
        zero_above(l, n);
}

// ---- through helpers

// The operation on its operands in the order of the row: imm of the helpers. A destination that is
// also the first source is so without VEX.
static u64 operation_at(struct lift *l, unsigned op, ir_ref *general, bool aligned) {
    unsigned reg[4] = {0}, n = 0;
    u64 imm = 0;
    *general = 0;
    for (unsigned i = 0; i < 4; i++) {
        enum x86_operand_type t = x86_operand_type(&l->d, i);
        if (t == X86T_NONE) break;
        if (t == X86T_IMM) {
            imm = l->d.imm & 0xff;
        } else if (is_vector(l, i)) {
            if (in_memory(l, i)) {
                struct vval v = xlift_vec_read_at(l, i, aligned);
                ir_setv(B, X86_XS(0), v.lo);
                if (v.hi) ir_setv(B, X86_XS(1), v.hi);
                reg[n++] = VEC_SCRATCH;
            } else {
                reg[n++] = vreg(l, i);
            }
        } else if (i > 0) {
            *general = xlift_read(l, i);
        }
    }
    bool to_vector = is_vector(l, 0);
    unsigned d = to_vector ? reg[0] : 0, a, b, c = d;
    const unsigned *src = to_vector ? reg + 1 : reg;
    if (to_vector) n--;
    if (n == 0) {
        a = b = d;
    } else if (l->d.vex) {
        a = src[0];
        b = n > 1 ? src[1] : src[0];
        if (n > 2) c = src[2];
    } else {
        a = to_vector ? d : src[0];
        b = !to_vector && n > 1 ? src[1] : src[0];
        if (to_vector && n > 1) c = src[1];
    }
    u64 m = VEC_MAKE(op, d, a, b, c) | imm << VEC_IMM_SHIFT;
    if (l->d.vex) m |= VEC_VEX | (l->d.l ? VEC_L : 0);
    return m;
}

u64 xlift_vec_operation(struct lift *l, unsigned op, ir_ref *general) {
    return operation_at(l, op, general, !l->d.vex);
}

// As xlift_vec, with memory of any alignment.
void xlift_vec_any(struct lift *l, unsigned op) {
    ir_ref g;
    u64 m = operation_at(l, op, &g, false);
    ir_call(B, HELPER_vec, g, 0, 0, m);
}

void xlift_vec(struct lift *l, unsigned op) {
    ir_ref g;
    u64 m = xlift_vec_operation(l, op, &g);
    ir_call(B, HELPER_vec, g, 0, 0, m);
}

// A length in a register, cut to 32 bits so that those too long stay too long.
static ir_ref length(struct lift *l, unsigned reg) {
    ir_ref v = ir_get(B, X86_R(reg));
    if (l->d.w && xlift_64(l)) {
        v = ir_MINS64(B, v, xlift_k(l, 100));
        v = ir_MAXS64(B, v, xlift_k(l, (u64)-100));
    }
    return v;
}

// arg: 1 the index to ECX, else the mask to XMM0; 2 lengths from zeros, else from registers.
void xlift_pcmpstr(struct lift *l, unsigned arg) {
    struct vval y = xlift_vec_read_at(l, 1, false);
    ir_setv(B, X86_XS(0), y.lo);
    ir_ref lengths = 0;
    if (!(arg & 2))
        lengths = ir_OR64(B, xlift_zext(l, length(l, RAX), 4),
                          ir_SHL64(B, length(l, RDX), xlift_k(l, 32)));
    u64 m = VEC_MAKE(arg & 2 ? VOP_pcmpistr : VOP_pcmpestr, 0, vreg(l, 0), VEC_SCRATCH, 0);
    m |= (l->d.imm & 0xff) << VEC_IMM_SHIFT;
    ir_ref r = ir_call(B, HELPER_vec_value, lengths, 0, 0, m);
    if (arg & 1) {
        ir_set(B, X86_R(RCX), ir_SHRU64(B, r, xlift_k(l, 16)));
    } else {
        ir_call(B, HELPER_vec, lengths, 0, 0, m | (l->d.vex ? VEC_VEX : 0));
    }
    xlift_set_status(l, ir_AND64(B, r, xlift_k(l, FL_STATUS)));
}

void xlift_movddup(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = in_memory(l, 1) ? xlift_load(l, xlift_ea(l), 8) : get_lo(l, vreg(l, 1));
    xlift_vec_write(l, vreg(l, 0), (struct vval){ir_VSPLAT64(B, v), 0});
}

static void call_float(struct lift *l, unsigned op, u64 clear, u64 more) {
    ir_ref g;
    u64 m = xlift_vec_operation(l, op, &g);
    ir_call(B, HELPER_vec_float, g, 0, 0, (m & ~clear) | more);
}

// ---- floats as values, where MXCSR is at its usual masks and rounding

static unsigned vector_helper(unsigned op) {
    static const struct {
        u16 op, helper;
    } ways[] = {
        {VOP_addpd, HELPER_v_addpd},    {VOP_addps, HELPER_v_addps},
        {VOP_subpd, HELPER_v_subpd},    {VOP_subps, HELPER_v_subps},
        {VOP_mulpd, HELPER_v_mulpd},    {VOP_mulps, HELPER_v_mulps},
        {VOP_divpd, HELPER_v_divpd},    {VOP_divps, HELPER_v_divps},
        {VOP_sqrtpd, HELPER_v_sqrtpd},  {VOP_sqrtps, HELPER_v_sqrtps},
        {VOP_minpd, HELPER_v_minpd},    {VOP_minps, HELPER_v_minps},
        {VOP_maxpd, HELPER_v_maxpd},    {VOP_maxps, HELPER_v_maxps},
        {VOP_cmppd, HELPER_v_cmppd},    {VOP_cmpps, HELPER_v_cmpps},
        {VOP_fmaddpd, HELPER_v_fmapd},  {VOP_fmaddps, HELPER_v_fmaps},
        {VOP_fmsubpd, HELPER_v_fmapd},  {VOP_fmsubps, HELPER_v_fmaps},
        {VOP_fnmaddpd, HELPER_v_fmapd}, {VOP_fnmaddps, HELPER_v_fmaps},
        {VOP_fnmsubpd, HELPER_v_fmapd}, {VOP_fnmsubps, HELPER_v_fmaps},
    };
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++)
        if (ways[i].op == op) return ways[i].helper;
    return HELPER_v_any;
}

static bool is_unary(unsigned op) {
    switch (op) {
    case VOP_sqrtps:
    case VOP_sqrtpd:
    case VOP_roundps:
    case VOP_roundpd:
    case VOP_cvtps2dq:
    case VOP_cvttps2dq:
    case VOP_cvtpd2dq:
    case VOP_cvttpd2dq:
    case VOP_cvtdq2ps:
    case VOP_cvtdq2pd:
    case VOP_cvtps2pd:
    case VOP_cvtpd2ps:
    case VOP_cvtph2ps:
        return true;
    default:
        return false;
    }
}

// more: immediate << 16, VFN_*
struct vval xlift_vec_values(struct lift *l, unsigned op, u32 more, const struct vval x[3]) {
    unsigned helper = vector_helper(op);
    u32 imm = op | more;
    struct vval r = {ir_vcall(B, helper, x[0].lo, x[1].lo, x[2].lo, imm), 0};
    if (x[0].hi) r.hi = ir_vcall(B, helper, x[0].hi, x[1].hi, x[2].hi, imm);
    return r;
}

static void float_values(struct lift *l, unsigned op, u32 imm) {
    unsigned at = l->d.vex ? 1 : 0;
    struct vval x[3] = {{0, 0}};
    u32 more = imm << 16;
    if (is_unary(op)) {
        x[0] = xlift_vec_read(l, 1);
        more |= VFN_ONE;
    } else {
        x[1] = xlift_vec_read(l, at + 1);
        x[0] = xlift_vec_read(l, at);
    }
    xlift_vec_write(l, vreg(l, 0), xlift_vec_values(l, op, more, x));
}

void xlift_vecf(struct lift *l, unsigned op) {
    if (xlift_mxcsr_usual(l))
        float_values(l, op, l->d.imm & 0xff);
    else
        call_float(l, op, 0, 0);
}

// Without VEX there are 8 predicates.
void xlift_vecf_cmp(struct lift *l, unsigned op) {
    if (xlift_mxcsr_usual(l))
        float_values(l, op, l->d.imm & 7);
    else
        call_float(l, op, (u64)0xf8 << VEC_IMM_SHIFT, 0);
}

// Each half of the result from a half of the source's lower half.
void xlift_vec_widen(struct lift *l, unsigned op) {
    if (!xlift_mxcsr_usual(l)) {
        call_float(l, op, 0, VEC_WIDEN);
        return;
    }
    struct vval x[3] = {{xlift_vec_read(l, 1).lo, 0}};
    if (x86_operand_size(&l->d, 0) == 32) x[0].hi = ir_VZEXT64(B, ir_VHI64(B, x[0].lo));
    xlift_vec_write(l, vreg(l, 0), xlift_vec_values(l, op, VFN_ONE, x));
}

// The reverse.
void xlift_vec_narrow(struct lift *l, unsigned op) {
    if (!xlift_mxcsr_usual(l)) {
        call_float(l, op, 0, VEC_NARROW);
        return;
    }
    struct vval x[3] = {xlift_vec_read(l, 1)}, r = xlift_vec_values(l, op, VFN_ONE, x);
    if (r.hi) r = (struct vval){ir_VSHUF16(B, r.lo, r.hi, 0xba983210u), 0};
    xlift_vec_write(l, vreg(l, 0), r);
}

// ---- as IR

// Of a register with itself nothing but zeros can come.
static bool gives_zero(enum ir_op op) {
    return op == IR_VXOR || op == IR_VANDN || (op >= IR_VSUB8 && op <= IR_VSUB64);
}

static void binary(struct lift *l, enum ir_op op, bool swapped) {
    unsigned at = l->d.vex ? 1 : 0;
    if (gives_zero(op) && !in_memory(l, at + 1) && vreg(l, at) == vreg(l, at + 1)) {
        ir_ref zero = zero_vector(l);
        xlift_vec_write(l, vreg(l, 0), (struct vval){zero, l->d.l ? zero : 0});
        return;
    }
    struct vval y = xlift_vec_read(l, at + 1), x = xlift_vec_read(l, at), r;
    if (swapped) {
        struct vval t = x;
        x = y;
        y = t;
    }
    r.lo = ir_emit(B, op, x.lo, y.lo, 0, 0, 0);
    r.hi = x.hi ? ir_emit(B, op, x.hi, y.hi, 0, 0, 0) : 0;
    xlift_vec_write(l, vreg(l, 0), r);
}

void xlift_vir(struct lift *l, unsigned op) { binary(l, (enum ir_op)op, false); }
void xlift_vir_swap(struct lift *l, unsigned op) { binary(l, (enum ir_op)op, true); }

// Shifts by an immediate: arg is the IR's operation, its width in bits 16 on.
void xlift_vshift(struct lift *l, unsigned arg) {
    enum ir_op op = (enum ir_op)(arg & 0xffff);
    unsigned width = arg >> 16, k = l->d.imm & 0xff;
    bool arithmetic = op == IR_VSHRS16 || op == IR_VSHRS32;
    struct vval x = xlift_vec_read(l, l->d.vex ? 1 : 0), r = {0, 0};
    if (k >= width && arithmetic) k = width - 1;
    ir_ref count = ir_const32(B, k);
    r.lo = k < width ? ir_emit(B, op, x.lo, count, 0, 0, 0) : zero_vector(l);
    if (x.hi) r.hi = k < width ? ir_emit(B, op, x.hi, count, 0, 0, 0) : zero_vector(l);
    xlift_vec_write(l, vreg(l, 0), r);
}

// ---- moves

// arg: must memory be aligned?
void xlift_vmov(struct lift *l, unsigned aligned) {
    struct vval v = xlift_vec_read_at(l, 1, aligned);
    if (in_memory(l, 0))
        xlift_vec_store(l, 0, v, aligned);
    else
        xlift_vec_write(l, vreg(l, 0), v);
}

// MOVLPS, MOVHPS and their like with memory or between registers. arg: half written, and half read
// (2: from memory).
void xlift_vmov_half(struct lift *l, unsigned arg) {
    unsigned to = arg & 1, from = arg >> 1;
    if (in_memory(l, 0)) {
        ir_ref v = to ? get_hi(l, vreg(l, 1)) : get_lo(l, vreg(l, 1));
        xlift_store(l, xlift_ea(l), 8, v);
        return;
    }
    unsigned at = l->d.vex ? 2 : 1, d = vreg(l, 0), a = l->d.vex ? vreg(l, 1) : d;
    ir_ref v = from == HALF_MEM  ? xlift_load(l, xlift_ea(l), 8)
               : from == HALF_HI ? get_hi(l, vreg(l, at))
                                 : get_lo(l, vreg(l, at));
    ir_ref other = to ? get_lo(l, a) : get_hi(l, a);
    if (to)
        set_hi(l, d, v);
    else
        set_lo(l, d, v);
    if (a != d && to) set_lo(l, d, other);
    if (a != d && !to) set_hi(l, d, other);
    zero_above(l, d);
}

// ---- the rest

void xlift_ldmxcsr(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(B, HELPER_ldmxcsr, xlift_read(l, 0), 0, 0, 0);
    xlift_leave_next(l);
}

void xlift_stmxcsr(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_assign(l, 0, ir_call(B, HELPER_stmxcsr, 0, 0, 0, 0));
}

// Stores the bytes whose mask's top bit is set, at DS:RDI.
void xlift_maskmov(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref at = xlift_reg(l, RDI, l->d.adsize);
    i32 disp;
    ir_ref a = xlift_linear(l, xlift_ea_at(l, at, SEG_DS), 16, true, &disp);
    ir_call(B, HELPER_mask_store, a, 0, 0, VEC_MAKE(0, vreg(l, 0), vreg(l, 1), 0, 0));
}
