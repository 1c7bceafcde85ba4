// Jumps, calls, the stack and string instructions (SDM 2). In 64-bit mode 66 makes a near branch a
// 16-bit one, as on AMD. Instructions that push or pop more than one item are not there in
// segmented modes (#UD).
#include "guest/x86_64/lift.h"

#define B (l->b)

static ir_ref k(struct lift *l, u64 v) { return ir_const64(l->b, v); }

// ---- jumps

static i64 target(const struct lift *l) { return (i64)l->next + (i64)l->d.imm; }

static bool cut_ip(const struct lift *l) { return l->d.opsize == 2; }

static ir_ref cut_target(struct lift *l) {
    return ir_AND64(B, xlift_ip(l, target(l)), k(l, 0xffff));
}

static void go(struct lift *l) {
    if (cut_ip(l))
        xlift_goto_ind(l, cut_target(l), IR_JUMP_PLAIN);
    else
        xlift_goto(l, target(l));
}

static void go_if(struct lift *l, ir_ref cond) {
    if (cut_ip(l))
        xlift_goto_ind(l, ir_SEL64(B, cond, cut_target(l), xlift_ip(l, l->next)), IR_JUMP_PLAIN);
    else
        xlift_branch(l, cond, target(l));
}

void xlift_jcc(struct lift *l, unsigned arg) {
    (void)arg;
    go_if(l, xlift_cond(l, l->d.opcode & 15));
}

void xlift_jmp_rel(struct lift *l, unsigned arg) {
    (void)arg;
    go(l);
}

void xlift_jmp_ind(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_goto_ind(l, xlift_read(l, 0), IR_JUMP_PLAIN);
}

void xlift_call_rel(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_stack_push(l, xlift_ip(l, l->next), l->d.opsize);
    if (xlift_careful(l) || cut_ip(l))
        go(l);
    else
        ir_jump_call(B, target(l));
}

void xlift_call_ind(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref to = xlift_read(l, 0);
    xlift_stack_push(l, xlift_ip(l, l->next), l->d.opsize);
    xlift_goto_ind(l, to, IR_JUMP_CALL);
}

void xlift_ret(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref to = xlift_stack_peek(l, l->d.opsize);
    xlift_stack_drop(l, l->d.opsize, (unsigned)l->d.imm);
    xlift_goto_ind(l, to, IR_JUMP_RETURN);
}

void xlift_loop(struct lift *l, unsigned how) {
    unsigned n = l->d.adsize;
    ir_ref c = xlift_zext(l, ir_SUB64(B, xlift_reg(l, RCX, n), k(l, 1)), n);
    ir_ref cond = ir_NE64(B, c, k(l, 0));
    if (how != LOOP_ANY) {
        ir_ref z = xlift_cond(l, how == LOOP_E ? COND_Z : COND_Z + 1);
        cond = ir_AND32(B, cond, z);
    }
    xlift_set_reg(l, RCX, n, c);
    go_if(l, cond);
}

void xlift_jcxz(struct lift *l, unsigned arg) {
    (void)arg;
    go_if(l, ir_EQ64(B, xlift_reg(l, RCX, l->d.adsize), k(l, 0)));
}

// ---- far transfers

static void far(struct lift *l, ir_ref offset, ir_ref selector, unsigned call) {
    ir_call(B, HELPER_far, offset, selector, xlift_ip(l, l->next), l->d.opsize | (u64)call << 8);
    ir_leave(B);
}

void xlift_far_imm(struct lift *l, unsigned call) { far(l, k(l, l->d.imm), k(l, l->d.imm2), call); }

void xlift_far_mem(struct lift *l, unsigned call) {
    struct ea ea = xlift_ea(l);
    ir_ref offset = xlift_load(l, ea, l->d.opsize);
    far(l, offset, xlift_load(l, xlift_ea_plus(l, ea, l->d.opsize), 2), call);
}

void xlift_retf(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(B, HELPER_retf, 0, 0, 0, l->d.opsize | l->d.imm << 8);
    ir_leave(B);
}

void xlift_iret(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(B, HELPER_iret, 0, 0, 0, l->d.opsize);
    ir_leave_as(B, IR_JUMP_RETURN);
}

static void software(struct lift *l, ir_ref cond, unsigned vector) {
    ir_trapif(B, cond, vector | CAUSE_SOFT | CAUSE_TRAP, ir_pcrel(B, l->next));
}

void xlift_int(struct lift *l, unsigned arg) {
    (void)arg;
    software(l, ir_const32(B, 1), (unsigned)l->d.imm);
    ir_jump(B, l->next);
}

void xlift_int3(struct lift *l, unsigned arg) {
    (void)arg;
    software(l, ir_const32(B, 1), EXC_BP);
    ir_jump(B, l->next);
}

void xlift_int1(struct lift *l, unsigned arg) {
    (void)arg;
    ir_trapif(B, ir_const32(B, 1), EXC_DB | CAUSE_TRAP, ir_pcrel(B, l->next));
    ir_jump(B, l->next);
}

void xlift_into(struct lift *l, unsigned arg) {
    (void)arg;
    software(l, xlift_cond(l, COND_O), EXC_OF);
}

// ---- the stack

void xlift_push(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_stack_push(l, xlift_read(l, 0), l->d.opsize);
}

void xlift_pop(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = xlift_stack_peek(l, l->d.opsize);
    if (l->d.mod != 3) {
        // An address made from the stack pointer is made from the new one.
        if (l->d.base == RSP) l->d.disp += l->d.opsize;
        xlift_assign(l, 0, v);
        xlift_stack_drop(l, l->d.opsize, 0);
        return;
    }
    // The register first, which the load then goes to; RSP's new value is the popped one.
    struct place p = xlift_place(l, 0);
    if (p.reg != RSP) xlift_write(l, &p, v);
    xlift_stack_drop(l, l->d.opsize, 0);
    if (p.reg == RSP) xlift_write(l, &p, v);
}

// Stack memory relative to the stack or frame pointer, in flat modes.
static struct ea stack_at(struct lift *l, unsigned reg, i64 off) {
    ir_ref a = ir_ADD64(B, ir_get(B, X86_R(reg)), k(l, (u64)off));
    return (struct ea){xlift_64(l) ? a : xlift_zext(l, a, 4), 0, SEG_SS, false};
}

void xlift_pusha(struct lift *l, unsigned arg) {
    (void)arg;
    i64 n = l->d.opsize;
    if (xlift_segmented(l)) {
        xlift_undefined(l, 0);
        return;
    }
    // The last one first: if all of it can be written, nothing is left half done.
    for (int i = 7; i >= 0; i--)
        xlift_store(l, stack_at(l, RSP, -n * (i + 1)), (unsigned)n,
                    xlift_reg(l, (unsigned)i, (unsigned)n));
    ir_set(B, X86_R(RSP), stack_at(l, RSP, -n * 8).addr);
}

void xlift_popa(struct lift *l, unsigned arg) {
    (void)arg;
    i64 n = l->d.opsize;
    ir_ref v[8];
    if (xlift_segmented(l)) {
        xlift_undefined(l, 0);
        return;
    }
    for (int i = 0; i < 8; i++)
        if (i != 3) v[i] = xlift_load(l, stack_at(l, RSP, n * i), (unsigned)n);
    for (unsigned i = 0; i < 8; i++)
        if (i != 3) xlift_set_reg(l, 7 - i, (unsigned)n, v[i]);
    ir_set(B, X86_R(RSP), stack_at(l, RSP, n * 8).addr);
}

void xlift_enter(struct lift *l, unsigned arg) {
    (void)arg;
    i64 n = l->d.opsize;
    unsigned level = l->d.imm2 & 31;
    if (xlift_segmented(l)) {
        xlift_undefined(l, 0);
        return;
    }
    if (level) { // as many accesses as levels
        ir_call(B, HELPER_enter, 0, 0, 0, (u64)n | level << 8 | l->d.imm << 16);
        return;
    }
    ir_ref frame = stack_at(l, RSP, -n).addr;
    xlift_store(l, stack_at(l, RSP, -n), (unsigned)n, xlift_reg(l, RBP, (unsigned)n));
    ir_ref sp = stack_at(l, RSP, -n - (i64)l->d.imm).addr;
    // The new stack must be writable (SDM 2A ENTER).
    xlift_load_rmw(l, (struct ea){sp, 0, SEG_SS, false}, (unsigned)n);
    xlift_set_reg(l, RBP, (unsigned)n, xlift_zext(l, frame, (unsigned)n));
    ir_set(B, X86_R(RSP), sp);
}

void xlift_leave(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned n = l->d.opsize;
    if (xlift_segmented(l)) {
        xlift_undefined(l, 0);
        return;
    }
    ir_ref v = xlift_load(l, stack_at(l, RBP, 0), n), sp = stack_at(l, RBP, n).addr;
    xlift_set_reg(l, RBP, n, v);
    ir_set(B, X86_R(RSP), sp);
}

void xlift_push_seg(struct lift *l, unsigned seg) {
    xlift_stack_push(l, ir_call(B, HELPER_selector, 0, 0, 0, seg), l->d.opsize);
}

// Loads a segment register and goes on; in 64-bit mode nothing that code depends on changes.
static void load_seg(struct lift *l, unsigned seg, ir_ref sel) {
    sel = ir_AND64(B, sel, k(l, 0xffff));
    ir_call(B, xlift_64(l) ? HELPER_load_seg64 : HELPER_load_seg, sel, 0, 0, seg);
}

void xlift_pop_seg(struct lift *l, unsigned seg) {
    ir_ref v = xlift_stack_peek(l, l->d.opsize);
    load_seg(l, seg, v);
    xlift_stack_drop(l, l->d.opsize, 0);
    if (!xlift_64(l)) xlift_leave_next(l);
}

void xlift_mov_to_seg(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned seg = l->d.reg & 7;
    if (seg == SEG_CS || seg > SEG_GS) {
        xlift_undefined(l, 0);
        return;
    }
    load_seg(l, seg, xlift_read(l, 1));
    if (!xlift_64(l)) xlift_leave_next(l);
}

void xlift_mov_from_seg(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned seg = l->d.reg & 7;
    if (seg > SEG_GS) {
        xlift_undefined(l, 0);
        return;
    }
    xlift_assign(l, 0, ir_call(B, HELPER_selector, 0, 0, 0, seg));
}

void xlift_load_far(struct lift *l, unsigned seg) {
    struct ea ea = xlift_ea(l);
    ir_ref offset = xlift_load(l, ea, l->d.opsize);
    ir_ref sel = xlift_load(l, xlift_ea_plus(l, ea, l->d.opsize), 2);
    load_seg(l, seg, sel);
    xlift_set_reg(l, l->d.reg, l->d.opsize, offset);
    if (!xlift_64(l)) xlift_leave_next(l);
}

// ---- strings

static void advance(struct lift *l, unsigned reg, unsigned size) {
    unsigned n = l->d.adsize, sh = size == 8 ? 3 : size / 2;
    ir_ref step = ir_SHL64(B, ir_get(B, X86_CELL(df)), k(l, sh));
    xlift_set_reg(l, reg, n, xlift_zext(l, ir_ADD64(B, ir_get(B, X86_R(reg)), step), n));
}

static void string_once(struct lift *l, unsigned kind, unsigned size) {
    unsigned n = l->d.adsize;
    struct ea src = {0}, dst = {0};
    if (kind == STR_MOVS || kind == STR_CMPS || kind == STR_LODS)
        src = xlift_ea_at(l, xlift_reg(l, RSI, n), SEG_DS);
    if (kind != STR_LODS) dst = xlift_ea_at(l, xlift_reg(l, RDI, n), SEG_ES);
    ir_ref a = 0, b = 0;
    // The destination first, as processors do; it shows when both fault.
    if (kind == STR_CMPS || kind == STR_SCAS) b = xlift_load(l, dst, size);
    if (kind == STR_MOVS || kind == STR_CMPS || kind == STR_LODS)
        a = xlift_load(l, src, size);
    else
        a = xlift_reg(l, RAX, size);
    if (kind == STR_MOVS || kind == STR_STOS) xlift_store(l, dst, size, a);
    if (kind == STR_LODS) xlift_set_reg(l, RAX, size, a);
    if (kind == STR_MOVS || kind == STR_CMPS || kind == STR_LODS) advance(l, RSI, size);
    if (kind != STR_LODS) advance(l, RDI, size);
    if (b) {
        xlift_cc(l, CC_SUB, size, xlift_zext(l, ir_SUB64(B, a, b), size));
        xlift_cc_carry(l, a, b);
    }
}

static unsigned log2_of(unsigned n) { return n == 8 ? 3 : n / 2; }

void xlift_string(struct lift *l, unsigned kind) {
    unsigned size = x86_operand_size(&l->d, 0), other = x86_operand_size(&l->d, 1);
    if (kind == STR_OUTS) size = other;
    bool io = kind == STR_INS || kind == STR_OUTS;
    if (!l->d.rep && !io) {
        string_once(l, kind, size);
        return;
    }
    unsigned rep = l->d.rep == 0 ? 0 : l->d.rep == 0xf3 ? 1 : 2;
    unsigned seg = l->d.seg != SEG_NONE ? l->d.seg : SEG_DS;
    ir_ref done =
        ir_call(B, HELPER_string, 0, 0, 0,
                kind | log2_of(size) << 4 | log2_of(l->d.adsize) << 8 | seg << 12 | rep << 16);
    xlift_branch(l, ir_EQ64(B, done, k(l, 0)), l->rel);
}
