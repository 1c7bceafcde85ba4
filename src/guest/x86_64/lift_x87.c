// x87 and the instructions that keep its state: operands are loaded and stored here, the rest are
// helpers.
//
// In the usual mode every exception is masked and none pending, so nothing has to be waited for and
// no result kept back: the helpers are those of x87_fast.c. Otherwise, in segmented modes and when
// careful, those of x87.c, after a look for what is pending.
#include "guest/x86_64/lift.h"
#include "guest/x86_64/x87.h"
#include "ir/ops.h"

#define B (l->b)

static bool usual(const struct lift *l) {
    return !(l->mode & MODE_FPU_CHECK) && !xlift_segmented(l) && !xlift_careful(l);
}

static void wait_pending(struct lift *l) {
    if (l->mode & MODE_FPU_CHECK) ir_call(B, HELPER_x87_wait, 0, 0, 0, 0);
}

// The address that the guest sees, as the modes are flat.
static ir_ref own_address(struct lift *l) { return ir_pcrel(B, l->rel); }

// The helper's imm from the row's.
static u64 full(const struct lift *l, u64 imm) {
    return imm | (u64)((l->d.opcode & 7u) << 8 | l->d.modrm) << 32 | (u64)(l->d.modrm & 7) << 8;
}

// A memory operand's imm has its format where others have the register.
static u64 full_mem(const struct lift *l, u64 imm) {
    return imm | (u64)((l->d.opcode & 7u) << 8 | l->d.modrm) << 32;
}

static ir_ref sum(struct lift *l, ir_ref a, i32 disp) {
    return disp ? ir_ADD64(B, a, xlift_k(l, (u64)(i64)disp)) : a;
}

static ir_ref address(struct lift *l, struct ea ea, unsigned size, bool write) {
    i32 disp;
    ir_ref a = xlift_linear(l, ea, size, write, &disp);
    return sum(l, a, disp);
}

static const u8 format_size[] = {2, 4, 8, 4, 8, 8, 8}; // without the upper 16 of 80 bits

static ir_ref load(struct lift *l, unsigned fmt, ir_ref *addr, ir_ref *exp) {
    struct ea ea = xlift_ea(l);
    ir_ref v = xlift_load(l, ea, format_size[fmt]);
    *exp = 0;
    if (fmt >= X87_F80) *exp = xlift_load(l, xlift_ea_plus(l, ea, 8), 2);
    *addr = ea.offset ? ea.addr : sum(l, ea.addr, ea.disp);
    return v;
}

// arg: operation | format << 8
void xlift_x87_mem(struct lift *l, unsigned arg) {
    static const u16 helper[8] = {HELPER_fadd_m, HELPER_fmul_m,  HELPER_fcom_m, HELPER_fcom_m,
                                  HELPER_fsub_m, HELPER_fsubr_m, HELPER_fdiv_m, HELPER_fdivr_m};
    ir_ref addr, exp;
    wait_pending(l);
    ir_ref v = load(l, arg >> 8, &addr, &exp);
    if (usual(l))
        ir_call(B, helper[arg & 7], v, own_address(l), addr, full_mem(l, arg));
    else
        ir_call(B, HELPER_x87_arith_mem, v, 0, addr, full_mem(l, arg));
}

void xlift_x87_load(struct lift *l, unsigned fmt) {
    static const u16 helper[] = {HELPER_fild,    HELPER_fild,    HELPER_fild,   HELPER_fld_m32,
                                 HELPER_fld_m64, HELPER_fld_m80, HELPER_fld_m80};
    ir_ref addr, exp;
    wait_pending(l);
    ir_ref v = load(l, fmt, &addr, &exp);
    if (!usual(l)) {
        ir_call(B, HELPER_x87_load, v, exp ? exp : xlift_k(l, 0), addr, full_mem(l, fmt));
        return;
    }
    if (exp) ir_call(B, HELPER_x87_upper, exp, 0, 0, 1);
    ir_call(B, helper[fmt], v, own_address(l), addr, full_mem(l, fmt));
}

void xlift_x87_store(struct lift *l, unsigned arg) {
    static const u16 helper[] = {HELPER_fist,    HELPER_fist,    HELPER_fist,   HELPER_fst_m32,
                                 HELPER_fst_m64, HELPER_fst_m80, HELPER_fst_m80};
    unsigned fmt = arg & 7, size = format_size[fmt];
    wait_pending(l);
    if (!usual(l)) {
        ir_call(B, HELPER_x87_store, address(l, xlift_ea(l), size, true), 0, 0, full_mem(l, arg));
        return;
    }
    struct ea ea = xlift_ea(l), upper = ea;
    (void)xlift_load_rmw(l, ea, size);
    if (fmt >= X87_F80) {
        upper = xlift_ea_plus(l, ea, 8);
        (void)xlift_load_rmw(l, upper, 2);
    }
    ir_ref addr = sum(l, ea.addr, ea.disp);
    ir_ref v = ir_call(B, helper[fmt], 0, own_address(l), addr, full_mem(l, arg));
    xlift_store(l, ea, size, v);
    if (fmt >= X87_F80) xlift_store(l, upper, 2, ir_call(B, HELPER_x87_upper, 0, 0, 0, 0));
}

// The call of an x87 helper before this instruction, when nothing is between that may fault or
// calls something; 0: none. Calls of x87 see no cells, so sets between do not matter.
static ir_ref call_before(struct lift *l) {
    for (u32 i = B->n; i-- > 1;) {
        const struct ir_insn *o = &B->ops[i];
        if (o->op == IR_CALL) return (ir_ref)i;
        if (ir_ops[o->op].effects & ~(IR_WRITES | IR_MARK)) return 0;
    }
    return 0;
}

// FXCH or FLD ST(i) right before: this instruction's helper does it too, and its call goes.
static u64 first(struct lift *l) {
    ir_ref c = call_before(l);
    struct ir_insn *o = &B->ops[c];
    u64 how = !c                      ? 0
              : o->aux == HELPER_fxch ? X87_FXCH_FIRST
              : o->aux == HELPER_fld  ? X87_FLD_FIRST
                                      : 0;
    if (!how) return 0;
    u64 reg = X87_REG(o->imm);
    *o = (struct ir_insn){.op = IR_CONST64};
    return how | reg << X87_FIRST_SHIFT;
}

void xlift_x87_arith(struct lift *l, unsigned arg) {
    static const u16 helper[8] = {HELPER_fadd, HELPER_fmul,  HELPER_fcom, HELPER_fcom,
                                  HELPER_fsub, HELPER_fsubr, HELPER_fdiv, HELPER_fdivr};
    wait_pending(l);
    if (!usual(l)) {
        ir_call(B, HELPER_x87_arith, 0, 0, 0, full(l, arg));
        return;
    }
    u64 imm = full(l, arg) | first(l);
    ir_ref flags = ir_call(B, helper[arg & 7], 0, own_address(l), 0, imm);
    if (arg & X87_EFLAGS) xlift_set_status(l, flags);
}

static unsigned short_way(unsigned op) {
    switch (op) {
    case X87_FLD:
        return HELPER_fld;
    case X87_FST:
        return HELPER_fst;
    case X87_FXCH:
        return HELPER_fxch;
    case X87_FCHS:
        return HELPER_fchs;
    case X87_FABS:
        return HELPER_fabs;
    case X87_FSQRT:
        return HELPER_fsqrt;
    case X87_FLD1:
    case X87_FLDZ:
        return HELPER_fconst;
    default:
        return HELPER_x87_other;
    }
}

// FCMOV's condition: B, E, BE, U and their negations.
static ir_ref condition(struct lift *l, unsigned cc) {
    static const u8 code[4] = {COND_B, COND_Z, COND_BE, COND_P};
    return ir_ZEXT32(B, xlift_cond(l, code[cc & 3] | cc >> 2));
}

// FSTP ST(0) after a comparison for EFLAGS: its helper pops once more.
static bool pop_after(struct lift *l) {
    ir_ref c = call_before(l);
    struct ir_insn *o = &B->ops[c];
    if (!c || o->aux != HELPER_fcom || !(o->imm & X87_EFLAGS) || o->imm & X87_POP_AFTER)
        return false;
    o->imm |= X87_POP_AFTER;
    o->imm = (o->imm & 0xffffffffu) | full(l, 0) >> 32 << 32;
    B->ops[o->b].imm = (u64)(i64)l->rel;
    return true;
}

void xlift_x87_reg(struct lift *l, unsigned arg) {
    wait_pending(l);
    if (!usual(l)) {
        ir_call(B, HELPER_x87_reg, 0, 0, 0, full(l, arg));
        return;
    }
    unsigned op = arg & 0xff;
    if (op == X87_FST && arg & X87_POP && !(l->d.modrm & 7) && pop_after(l)) return;
    ir_ref c = op == X87_FCMOV ? condition(l, arg >> 16) : 0;
    if (op != X87_FNOP) ir_call(B, short_way(op), c, own_address(l), 0, full(l, arg));
}

void xlift_fwait(struct lift *l, unsigned arg) {
    (void)arg;
    if (l->mode & MODE_FPU_CHECK) ir_call(B, HELPER_fpu_check, 0, 0, 0, ISA_COUNT);
    wait_pending(l);
}

// ---- control, without waiting

void xlift_x87_control(struct lift *l, unsigned helper) { ir_call(B, helper, 0, 0, 0, 0); }

// What is masked and pending is part of the mode.
void xlift_fldcw(struct lift *l, unsigned arg) {
    (void)arg;
    wait_pending(l);
    ir_ref other = ir_call(B, HELPER_fldcw, xlift_read(l, 0), 0, 0, 0);
    if (usual(l))
        ir_trapif(B, ir_NE64(B, other, xlift_k(l, 0)), CAUSE_RESUME, ir_pcrel(B, l->next));
    else
        xlift_leave_next(l);
}

void xlift_fnstcw(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_assign(l, 0, ir_call(B, HELPER_fnstcw, 0, 0, 0, 0));
}

void xlift_fnstsw(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_assign(l, 0, ir_call(B, HELPER_fnstsw, 0, 0, 0, 0));
}

// arg: helper | with registers << 16 | waits << 17
void xlift_x87_env(struct lift *l, unsigned arg) {
    bool loads = arg >> 17;
    if (loads) wait_pending(l);
    ir_ref a = address(l, xlift_ea(l), 8, !loads);
    u64 size = l->d.opsize == 2 ? 2 : 4;
    ir_call(B, arg & 0xffff, a, 0, 0, size | (u64)(arg >> 16 & 1) << 8);
    if (loads) xlift_leave_next(l);
}

void xlift_fpstate(struct lift *l, unsigned helper) {
    bool write = helper != HELPER_fxrstor && helper != HELPER_xrstor && helper != HELPER_xrstors;
    ir_call(B, helper, address(l, xlift_ea(l), 1, write), 0, 0, l->d.w);
    // MXCSR is part of the mode.
    if (!write) xlift_leave_next(l);
}
