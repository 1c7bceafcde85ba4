// x87 and the instructions that keep its state: operands are loaded here, the rest are helpers
// (x87.c, fpstate.c). Waiting instructions raise #MF first when an exception is pending.
#include "guest/x86_64/lift.h"
#include "guest/x86_64/x87.h"

#define B (l->b)

static void wait_pending(struct lift *l) {
    ir_ref es = ir_AND64(B, ir_get(B, X86_CELL(fpu_sw)), xlift_k(l, SW_ES));
    ir_trapif(B, ir_NE64(B, es, xlift_k(l, 0)), EXC_MF, xlift_k(l, 0));
}

// The helper's imm from the row's.
static u64 full(const struct lift *l, u64 imm) {
    return imm | (u64)((l->d.opcode & 7u) << 8 | l->d.modrm) << 32 | (u64)(l->d.modrm & 7) << 8;
}

// A memory operand's imm has its format where others have the register.
static u64 full_mem(const struct lift *l, u64 imm) {
    return imm | (u64)((l->d.opcode & 7u) << 8 | l->d.modrm) << 32;
}

static ir_ref address(struct lift *l, struct ea ea, unsigned size, bool write) {
    i32 disp;
    ir_ref a = xlift_linear(l, ea, size, write, &disp);
    return disp ? ir_ADD64(B, a, xlift_k(l, (u64)(i64)disp)) : a;
}

static ir_ref load(struct lift *l, unsigned fmt, ir_ref *addr, ir_ref *exp) {
    static const u8 size[] = {2, 4, 8, 4, 8, 8, 8};
    struct ea ea = xlift_ea(l);
    ir_ref v = xlift_load(l, ea, size[fmt]);
    *exp = 0;
    if (fmt >= X87_F80) *exp = xlift_load(l, xlift_ea_plus(l, ea, 8), 2);
    *addr = ea.offset ? ea.addr : ir_ADD64(B, ea.addr, xlift_k(l, (u64)(i64)ea.disp));
    return v;
}

// arg: operation | format << 8
void xlift_x87_mem(struct lift *l, unsigned arg) {
    ir_ref addr, exp;
    wait_pending(l);
    ir_ref v = load(l, arg >> 8, &addr, &exp);
    ir_call(B, HELPER_x87_arith_mem, v, 0, addr, full_mem(l, arg));
}

void xlift_x87_load(struct lift *l, unsigned fmt) {
    ir_ref addr, exp;
    wait_pending(l);
    ir_ref v = load(l, fmt, &addr, &exp);
    ir_call(B, HELPER_x87_load, v, exp ? exp : xlift_k(l, 0), addr, full_mem(l, fmt));
}

void xlift_x87_store(struct lift *l, unsigned arg) {
    static const u8 size[] = {2, 4, 8, 4, 8, 8, 8};
    wait_pending(l);
    ir_ref a = address(l, xlift_ea(l), size[arg & 7], true);
    ir_call(B, HELPER_x87_store, a, 0, 0, full_mem(l, arg));
}

void xlift_x87_arith(struct lift *l, unsigned arg) {
    wait_pending(l);
    ir_call(B, HELPER_x87_arith, 0, 0, 0, full(l, arg));
}

void xlift_x87_reg(struct lift *l, unsigned arg) {
    wait_pending(l);
    ir_call(B, HELPER_x87_reg, 0, 0, 0, full(l, arg));
}

void xlift_fwait(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(B, HELPER_fpu_check, 0, 0, 0, ISA_COUNT);
    wait_pending(l);
}

// ---- control, without waiting

void xlift_x87_control(struct lift *l, unsigned helper) { ir_call(B, helper, 0, 0, 0, 0); }

void xlift_fldcw(struct lift *l, unsigned arg) {
    (void)arg;
    wait_pending(l);
    ir_call(B, HELPER_fldcw, xlift_read(l, 0), 0, 0, 0);
}

void xlift_fnstcw(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_assign(l, 0, ir_get(B, X86_CELL(fpu_cw)));
}

void xlift_fnstsw(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref top = ir_SHL64(B, ir_get(B, X86_CELL(fpu_top)), xlift_k(l, 11));
    xlift_assign(l, 0, ir_OR64(B, ir_get(B, X86_CELL(fpu_sw)), top));
}

// arg: helper | with registers << 16 | waits << 17
void xlift_x87_env(struct lift *l, unsigned arg) {
    if (arg >> 17) wait_pending(l);
    ir_ref a = address(l, xlift_ea(l), 8, !(arg >> 17));
    u64 size = l->d.opsize == 2 ? 2 : 4;
    ir_call(B, arg & 0xffff, a, 0, 0, size | (u64)(arg >> 16 & 1) << 8);
}

void xlift_fpstate(struct lift *l, unsigned helper) {
    bool write = helper != HELPER_fxrstor && helper != HELPER_xrstor && helper != HELPER_xrstors;
    ir_call(B, helper, address(l, xlift_ea(l), 1, write), 0, 0, l->d.w);
    // MXCSR is part of the mode.
    if (!write) xlift_leave_next(l);
}
