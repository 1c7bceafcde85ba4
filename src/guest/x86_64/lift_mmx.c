// MMX, and what SSE and SSE2 added to its registers: IR between helpers that read and write them
// (they are x87's), and the operations of SSE, which x86_help_mmx runs on 64 bits. Pure, as lift.c.
//
// Every MMX instruction but EMMS leaves x87's stack with top 0 and no register empty, and what it
// writes with an exponent of all ones.
#include "guest/x86_64/lift_sse.h"
#include "guest/x86_64/x87.h"

#define B (l->b)

static bool is_mm(const struct lift *l, unsigned i) {
    enum x86_operand_type t = x86_operand_type(&l->d, i);
    return t == X86T_MREG || (t == X86T_MRM && l->d.mod == 3);
}

static unsigned mm_number(const struct lift *l, unsigned i) {
    return (x86_operand_type(&l->d, i) == X86T_MREG ? l->d.reg : l->d.rm) & 7;
}

static ir_ref get_mm(struct lift *l, unsigned n) { return ir_call(B, HELPER_mm_get, 0, 0, 0, n); }

static ir_ref source(struct lift *l, unsigned i) {
    if (is_mm(l, i)) return get_mm(l, mm_number(l, i));
    if (x86_operand_type(&l->d, i) == X86T_MRM)
        return xlift_load(l, xlift_ea(l), x86_operand_size(&l->d, i));
    return xlift_read(l, i);
}

static void pending(struct lift *l) {
    if (l->mode & MODE_FPU_CHECK) ir_call(B, HELPER_x87_wait, 0, 0, 0, 0);
}

static void mmx_mode(struct lift *l) { ir_call(B, HELPER_mm_mode, 0, 0, 0, 0); }

static void set_mm(struct lift *l, unsigned n, ir_ref v) { ir_call(B, HELPER_mm_set, v, 0, 0, n); }

// ---- moves

// MOVD, MOVQ between MMX, memory and general registers.
void xlift_mmx_mov(struct lift *l, unsigned arg) {
    (void)arg;
    pending(l);
    ir_ref v = source(l, 1);
    if (is_mm(l, 0)) {
        set_mm(l, mm_number(l, 0), v);
        return;
    }
    unsigned size = x86_operand_size(&l->d, 0);
    if (x86_operand_type(&l->d, 0) == X86T_MRM)
        xlift_store(l, xlift_ea(l), size, v);
    else
        xlift_assign(l, 0, xlift_zext(l, v, size));
    mmx_mode(l);
}

void xlift_movq2dq(struct lift *l, unsigned arg) {
    (void)arg;
    pending(l);
    ir_setv(B, X86_X(l->d.reg), ir_VZEXT64(B, get_mm(l, l->d.rm & 7)));
    mmx_mode(l);
}

void xlift_movdq2q(struct lift *l, unsigned arg) {
    (void)arg;
    pending(l);
    set_mm(l, l->d.reg & 7, ir_get(B, X86_X(l->d.rm)));
}

void xlift_maskmovq(struct lift *l, unsigned arg) {
    (void)arg;
    pending(l);
    i32 disp;
    ir_ref to = xlift_zext(l, ir_get(B, X86_R(RDI)), l->d.adsize);
    ir_ref a = xlift_linear(l, xlift_ea_at(l, to, SEG_DS), 1, true, &disp);
    ir_call(B, HELPER_mmx_mask_store, a, get_mm(l, l->d.reg & 7), get_mm(l, l->d.rm & 7), 0);
    mmx_mode(l);
}

// ---- arithmetic

// arg: an operation of IR on vectors.
void xlift_mmx_ir(struct lift *l, unsigned op) {
    pending(l);
    unsigned n = mm_number(l, 0);
    ir_ref b = ir_VZEXT64(B, source(l, 1)), a = ir_VZEXT64(B, get_mm(l, n));
    set_mm(l, n, ir_VLO64(B, ir_emit(B, (enum ir_op)op, a, b, 0, 0, 0)));
}

// arg: an operation of IR on i64.
void xlift_mmx_logic(struct lift *l, unsigned op) {
    pending(l);
    unsigned n = mm_number(l, 0);
    ir_ref b = source(l, 1), a = get_mm(l, n);
    if (op == IR_ANDN64) { // of MMX: the destination is complemented
        a = ir_XOR64(B, a, xlift_k(l, ~(u64)0));
        op = IR_AND64;
    }
    set_mm(l, n, ir_emit(B, (enum ir_op)op, a, b, 0, 0, 0));
}

// arg: operation of sse_ops.def | MMX_*
void xlift_mmx(struct lift *l, unsigned arg) {
    pending(l);
    unsigned n = mm_number(l, 0);
    ir_ref b = x86_operand_type(&l->d, 1) == X86T_IMM ? xlift_k(l, 0) : source(l, 1);
    u64 imm = arg | (l->d.imm & 0xff) << 32;
    set_mm(l, n, ir_call(B, HELPER_mmx, get_mm(l, n), b, 0, imm));
}

// To a general register: PMOVMSKB, PEXTRW.
void xlift_mmx_value(struct lift *l, unsigned arg) {
    pending(l);
    ir_ref v = ir_call(B, HELPER_mmx, xlift_k(l, 0), get_mm(l, l->d.rm & 7), 0,
                       arg | MMX_VALUE | (l->d.imm & 3) << 32);
    xlift_assign(l, 0, v);
    mmx_mode(l);
}

void xlift_mmx_insert(struct lift *l, unsigned arg) {
    (void)arg;
    pending(l);
    unsigned n = l->d.reg & 7;
    u64 at = 16 * (l->d.imm & 3);
    ir_ref w = xlift_zext(l, source(l, 1), 2);
    ir_ref rest = ir_AND64(B, get_mm(l, n), xlift_k(l, ~((u64)0xffff << at)));
    set_mm(l, n, ir_OR64(B, rest, ir_SHL64(B, w, xlift_k(l, at))));
}

// ---- conversions to and from XMM registers. x87's stack is MMX's also when #XM is raised; from
// memory to XMM it is no MMX instruction (as on AMD).

static ir_ref convert(struct lift *l, unsigned op, ir_ref a, ir_ref b) {
    unsigned helper = l->mode & MODE_MXCSR ? HELPER_scalar_check : HELPER_scalar;
    return ir_call(B, helper, a, b, 0, op);
}

static ir_ref convert_source(struct lift *l) {
    bool mm = is_mm(l, 1);
    if (mm) pending(l);
    ir_ref v = source(l, 1);
    if (mm) mmx_mode(l);
    return v;
}

void xlift_cvtpi2ps(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = convert_source(l);
    u32 d = X86_X(l->d.reg);
    ir_set(B, d, convert(l, VOP_cvtpi2ps, ir_get(B, d), v));
}

// Exact.
void xlift_cvtpi2pd(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = convert_source(l), upper = ir_SHRU64(B, v, xlift_k(l, 32));
    ir_set(B, X86_X(l->d.reg), ir_BITSF64(B, ir_F64S32(B, ir_TRUNC32(B, v))));
    ir_set(B, X86_X(l->d.reg) + 8, ir_BITSF64(B, ir_F64S32(B, ir_TRUNC32(B, upper))));
}

// To an MMX register, from half a vector of singles or a whole one of doubles.
void xlift_cvt2pi(struct lift *l, unsigned op) {
    pending(l);
    ir_ref lo = 0, hi;
    if (x86_operand_size(&l->d, 1) == 8) {
        hi = l->d.mod == 3 ? ir_get(B, X86_X(l->d.rm)) : xlift_load(l, xlift_ea(l), 8);
    } else if (l->d.mod == 3) {
        lo = ir_get(B, X86_X(l->d.rm));
        hi = ir_get(B, X86_X(l->d.rm) + 8);
    } else {
        ir_ref v = xlift_load_vec(l, 1, true).lo;
        lo = ir_VLO64(B, v);
        hi = ir_VHI64(B, v);
    }
    mmx_mode(l);
    set_mm(l, l->d.reg & 7, convert(l, op, lo, hi));
}

void xlift_emms(struct lift *l, unsigned arg) {
    (void)arg;
    pending(l);
    ir_call(B, HELPER_emms, 0, 0, 0, 0);
}
