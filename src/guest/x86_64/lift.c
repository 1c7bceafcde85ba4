// Lifting: the entry, operands, addresses, the stack and ends of blocks. What the instructions mean
// is in xlift_int.c, xlift_flow.c and xlift_sys.c; flags in flags.c. Pure: depends on the bytes and
// the mode.
//
// Order in each lifter: everything that may fault (a destination in memory is opened with a load
// that faults as its store would), then the store, then registers and flags.
#include "guest/x86_64/lift.h"
#include "guest/x86_64/sse.h"
#include "guest/x86_64/x87.h"

// ---- values

static bool is_comparison(const struct lift *l, ir_ref v) {
    u16 op = l->b->ops[v].op;
    return (op >= IR_EQ64 && op <= IR_GEU64) || (op >= IR_EQ32 && op <= IR_GEU32);
}

bool xlift_is_bit(struct lift *l, ir_ref v) {
    const struct ir_insn *o = &l->b->ops[v];
    u64 k;
    if (ir_is_const(l->b, v, &k)) return k <= 1;
    if (o->op == IR_AND64) return ir_is_const(l->b, o->b, &k) && k == 1;
    const struct ir_insn *from = &l->b->ops[o->a];
    if (o->op != IR_ZEXT32) return false;
    if (from->op == IR_OR32) return is_comparison(l, from->a) && is_comparison(l, from->b);
    if (from->op == IR_AND32) return ir_is_const(l->b, from->b, &k) && k == 1;
    return is_comparison(l, o->a);
}

static bool fits_size(struct lift *l, ir_ref v, unsigned size) {
    const struct ir_insn *o = &l->b->ops[v];
    u64 k;
    if (ir_is_const(l->b, v, &k)) return k <= xlift_mask(size);
    switch (o->op) {
    case IR_ZEXT32:
        if (size >= 4 || xlift_is_bit(l, v)) return true;
        o = &l->b->ops[o->a];
        return o->op == IR_AND32 && ir_is_const(l->b, o->b, &k) && k <= xlift_mask(size);
    case IR_LDU8:
    case IR_LDW8:
        return true;
    case IR_LDU16:
    case IR_LDW16:
        return size >= 2;
    case IR_LDU32:
    case IR_LDW32:
        return size >= 4;
    case IR_AND64:
        return ir_is_const(l->b, o->b, &k) && k <= xlift_mask(size);
    case IR_SHRU64:
        return ir_is_const(l->b, o->b, &k) && (k & 63) >= 64 - 8 * size;
    case IR_POPCNT64:
    case IR_CLZ64:
    case IR_CTZ64:
        return true;
    default:
        return size == 8;
    }
}

// The operation when it is one of the last few: an instruction often names a register twice.
static ir_ref again(const struct lift *l, enum ir_op op, ir_ref a, ir_ref b) {
    for (ir_ref i = (ir_ref)(l->b->n - 1), stop = i > 8 ? (ir_ref)(i - 8) : 0; i > stop; i--) {
        const struct ir_insn *o = &l->b->ops[i];
        if (o->op == op && o->a == a && o->b == b) return i;
    }
    return 0;
}

ir_ref xlift_zext(struct lift *l, ir_ref v, unsigned size) {
    if (size == 8 || fits_size(l, v, size)) return v;
    ir_ref by = size == 4 ? again(l, IR_TRUNC32, v, 0) : xlift_k(l, xlift_mask(size));
    ir_ref old =
        by ? again(l, size == 4 ? IR_ZEXT32 : IR_AND64, size == 4 ? by : v, size == 4 ? 0 : by) : 0;
    if (old) return old;
    if (size == 4) return ir_ZEXT32(l->b, by ? by : ir_TRUNC32(l->b, v));
    return ir_AND64(l->b, v, by);
}

ir_ref xlift_sext(struct lift *l, ir_ref v, unsigned size) {
    switch (size) {
    case 1:
        return ir_SEXT8(l->b, v);
    case 2:
        return ir_SEXT16(l->b, v);
    case 4:
        return ir_SEXT32(l->b, ir_TRUNC32(l->b, v));
    default:
        return v;
    }
}

ir_ref xlift_alu_op(struct lift *l, enum ir_op op64, enum ir_op op32, ir_ref a, ir_ref b,
                    unsigned size) {
    if (size != 4) return xlift_zext(l, ir_emit(l->b, op64, a, b, 0, 0, 0), size);
    ir_ref x = ir_TRUNC32(l->b, a), y = ir_TRUNC32(l->b, b);
    return ir_ZEXT32(l->b, ir_emit(l->b, op32, x, y, 0, 0, 0));
}

bool xlift_high_byte(const struct lift *l, unsigned n, unsigned size) {
    return size == 1 && !l->d.rex && !l->d.vex && n >= 4 && n < 8;
}

ir_ref xlift_reg(struct lift *l, unsigned n, unsigned size) {
    if (xlift_high_byte(l, n, size)) {
        ir_ref v = ir_SHRU64(l->b, ir_get(l->b, X86_R(n - 4)), xlift_k(l, 8));
        return xlift_zext(l, v, 1);
    }
    return xlift_zext(l, ir_get(l->b, X86_R(n)), size);
}

void xlift_set_reg(struct lift *l, unsigned n, unsigned size, ir_ref v) {
    if (size >= 4) {
        ir_set(l->b, X86_R(n), v);
        return;
    }
    bool high = xlift_high_byte(l, n, size);
    if (high) n -= 4;
    u64 mask = high ? 0xff00 : xlift_mask(size);
    ir_ref old = ir_AND64(l->b, ir_get(l->b, X86_R(n)), xlift_k(l, ~mask));
    if (high) v = ir_SHL64(l->b, v, xlift_k(l, 8));
    ir_set(l->b, X86_R(n), ir_OR64(l->b, old, v));
}

// ---- addresses

static ir_ref add_base(struct lift *l, ir_ref a, unsigned seg) {
    return ir_ADD64(l->b, a, ir_get(l->b, X86_BASE(seg)));
}

// From an offset, already cut to the address size, to the place of an access.
static struct ea in_segment(struct lift *l, ir_ref offset, i32 disp, unsigned seg) {
    struct ea ea = {offset, disp, (u8)seg, false};
    if (xlift_64(l)) {
        if (seg == SEG_FS || seg == SEG_GS) ea.addr = add_base(l, offset, seg);
    } else {
        ea.offset =
            xlift_size_mode(l) != MODE_32 || seg == SEG_FS || seg == SEG_GS || seg == SEG_CS;
    }
    return ea;
}

struct ea xlift_ea_at(struct lift *l, ir_ref offset, unsigned seg) {
    return in_segment(l, offset, 0, l->d.seg != SEG_NONE && seg != SEG_ES ? l->d.seg : seg);
}

// Of an address size or for a result of 32 bits: all of it in 32 bits.
static ir_ref offset32(struct lift *l) {
    const struct x86_insn *d = &l->d;
    ir_ref a = 0;
    if (d->base != X86_NOREG) a = ir_TRUNC32(l->b, ir_get(l->b, X86_R(d->base)));
    if (d->index != X86_NOREG) {
        ir_ref i = ir_TRUNC32(l->b, ir_get(l->b, X86_R(d->index)));
        if (d->scale) i = ir_SHL32(l->b, i, ir_const32(l->b, d->scale));
        a = a ? ir_ADD32(l->b, a, i) : i;
    }
    if (a && d->disp == 0) return ir_ZEXT32(l->b, a);
    ir_ref k = ir_const32(l->b, (u32)d->disp);
    return ir_ZEXT32(l->b, a ? ir_ADD32(l->b, a, k) : k);
}

ir_ref xlift_offset(struct lift *l, unsigned size, i32 *out) {
    const struct x86_insn *d = &l->d;
    if (size == 4 && d->base != X86_RIP) {
        *out = 0;
        return offset32(l);
    }
    i64 disp = d->disp;
    ir_ref a = 0;
    if (d->base == X86_RIP) {
        a = ir_pcrel(l->b, (i64)l->next + disp);
        disp = 0;
    } else if (d->base != X86_NOREG) {
        a = ir_get(l->b, X86_R(d->base));
    }
    if (d->index != X86_NOREG) {
        ir_ref i = ir_get(l->b, X86_R(d->index));
        if (d->scale) i = ir_SHL64(l->b, i, xlift_k(l, d->scale));
        a = a ? ir_ADD64(l->b, a, i) : i;
    }
    if (!a) {
        a = xlift_k(l, (u64)disp);
        disp = 0;
    }
    if (d->adsize < 8) {
        if (disp) a = ir_ADD64(l->b, a, xlift_k(l, (u64)disp));
        disp = 0;
        a = xlift_zext(l, a, d->adsize);
    }
    *out = (i32)disp;
    return a;
}

static unsigned operand_seg(const struct lift *l) {
    return l->d.seg != SEG_NONE ? l->d.seg : x86_default_seg(&l->d);
}

struct ea xlift_ea(struct lift *l) {
    i32 disp;
    ir_ref a = xlift_offset(l, l->d.adsize, &disp);
    return in_segment(l, a, disp, operand_seg(l));
}

struct ea xlift_ea_indexed(struct lift *l, ir_ref more) {
    i32 disp;
    ir_ref a = ir_ADD64(l->b, xlift_offset(l, l->d.adsize, &disp), more);
    if (l->d.adsize < 8) a = xlift_zext(l, a, l->d.adsize);
    return in_segment(l, a, disp, operand_seg(l));
}

struct ea xlift_ea_plus(struct lift *l, struct ea ea, i32 more) {
    if (l->d.adsize == 8 && (i64)ea.disp + more == (i32)((i64)ea.disp + more)) {
        ea.disp += more;
        return ea;
    }
    i64 k = (i64)ea.disp + more;
    ea.disp = 0;
    ea.addr = ir_ADD64(l->b, ea.addr, xlift_k(l, (u64)k));
    if (ea.offset || !xlift_64(l)) ea.addr = xlift_zext(l, ea.addr, l->d.adsize);
    return ea;
}

ir_ref xlift_linear(struct lift *l, struct ea ea, unsigned size, bool write, i32 *disp) {
    *disp = ea.disp;
    u64 how = (u64)size << 8 | (u64)write << 16;
    if (ea.offset) {
        assert(ea.disp == 0);
        ea.addr = ir_call(l->b, HELPER_linear, ea.addr, 0, 0, how | ea.seg);
    }
    if (xlift_careful(l)) {
        ir_ref a = ea.disp ? ir_ADD64(l->b, ea.addr, xlift_k(l, (u64)(i64)ea.disp)) : ea.addr;
        ir_call(l->b, HELPER_check, a, 0, 0, how);
    }
    return ea.addr;
}

static unsigned log2_size(unsigned size) { return size == 8 ? 3 : size / 2; }

ir_ref xlift_load(struct lift *l, struct ea ea, unsigned size) {
    static const u16 op[4] = {IR_LDU8, IR_LDU16, IR_LDU32, IR_LD64};
    i32 disp;
    ir_ref a = xlift_linear(l, ea, size, false, &disp);
    return ir_emit(l->b, (enum ir_op)op[log2_size(size)], a, 0, 0, 0, (u64)(i64)disp);
}

ir_ref xlift_load_signed(struct lift *l, struct ea ea, unsigned size) {
    static const u16 op[3] = {IR_LDS8, IR_LDS16, IR_LDS32};
    i32 disp;
    ir_ref a = xlift_linear(l, ea, size, false, &disp);
    return ir_emit(l->b, (enum ir_op)op[log2_size(size)], a, 0, 0, 0, (u64)(i64)disp);
}

ir_ref xlift_load_rmw(struct lift *l, struct ea ea, unsigned size) {
    static const u16 op[4] = {IR_LDW8, IR_LDW16, IR_LDW32, IR_LDW64};
    i32 disp;
    ir_ref a = xlift_linear(l, ea, size, true, &disp);
    return ir_ldw(l->b, (enum ir_op)op[log2_size(size)], a, disp);
}

void xlift_store(struct lift *l, struct ea ea, unsigned size, ir_ref v) {
    static const u16 op[4] = {IR_ST8, IR_ST16, IR_ST32, IR_ST64};
    i32 disp;
    ir_ref a = xlift_linear(l, ea, size, true, &disp);
    ir_emit(l->b, (enum ir_op)op[log2_size(size)], a, v, 0, 0, (u64)(i64)disp);
}

// ---- operands

static unsigned operand_reg(const struct lift *l, unsigned i) {
    switch (x86_operand_type(&l->d, i)) {
    case X86T_RM:
    case X86T_RMREG:
        return l->d.rm;
    case X86T_REG:
    case X86T_SREG:
    case X86T_CREG:
    case X86T_DREG:
        return l->d.reg;
    case X86T_VVVV:
        return l->d.vvvv;
    case X86T_OPREG:
        return (l->d.opcode & 7u) | l->d.rexb;
    case X86T_AX:
        return RAX;
    case X86T_CL:
        return RCX;
    case X86T_DX:
        return RDX;
    default:
        assert(0 && "an operand that is no general register");
        return 0;
    }
}

struct place xlift_place(struct lift *l, unsigned i) {
    struct place p = {.size = (u8)x86_operand_size(&l->d, i)};
    enum x86_operand_type t = x86_operand_type(&l->d, i);
    p.mem = t == X86T_OFFS || (t == X86T_RM && l->d.mod != 3);
    if (p.mem)
        p.ea = xlift_ea(l);
    else
        p.reg = (u8)operand_reg(l, i);
    return p;
}

ir_ref xlift_read(struct lift *l, unsigned i) {
    unsigned size = x86_operand_size(&l->d, i);
    switch (x86_operand_type(&l->d, i)) {
    case X86T_IMM:
    case X86T_IMMS: {
        // Sign-extended to the operation's size, not beyond.
        unsigned wide = size;
        for (unsigned k = 0; k < i; k++) {
            unsigned n = x86_operand_size(&l->d, k);
            if (n > wide) wide = n;
        }
        if (i == 0) wide = l->d.opsize;
        return xlift_k(l, l->d.imm & xlift_mask(wide));
    }
    case X86T_IMM2:
        return xlift_k(l, l->d.imm2);
    case X86T_ONE:
        return xlift_k(l, 1);
    default: {
        struct place p = xlift_place(l, i);
        return p.mem ? xlift_load(l, p.ea, p.size) : xlift_reg(l, p.reg, p.size);
    }
    }
}

ir_ref xlift_open(struct lift *l, unsigned i, struct place *p) {
    *p = xlift_place(l, i);
    return p->mem ? xlift_load_rmw(l, p->ea, p->size) : xlift_reg(l, p->reg, p->size);
}

void xlift_write(struct lift *l, const struct place *p, ir_ref v) {
    if (p->mem)
        xlift_store(l, p->ea, p->size, v);
    else
        xlift_set_reg(l, p->reg, p->size, v);
}

void xlift_assign(struct lift *l, unsigned i, ir_ref v) {
    struct place p = xlift_place(l, i);
    xlift_write(l, &p, v);
}

// ---- the stack

static ir_ref stack_pointer(struct lift *l, i64 by) {
    ir_ref sp = ir_get(l->b, X86_R(RSP));
    if (by == 0) return xlift_zext(l, sp, xlift_64(l) ? 8 : 4);
    if (xlift_64(l)) return ir_ADD64(l->b, sp, xlift_k(l, (u64)by));
    return ir_ZEXT32(l->b, ir_ADD32(l->b, ir_TRUNC32(l->b, sp), ir_const32(l->b, (u32)by)));
}

void xlift_stack_push(struct lift *l, ir_ref v, unsigned size) {
    if (xlift_segmented(l)) {
        ir_call(l->b, HELPER_push, v, 0, 0, size);
        return;
    }
    if (xlift_64(l)) { // relative to the old one, so that the new one has no other use
        ir_ref old = ir_get(l->b, X86_R(RSP));
        xlift_store(l, (struct ea){old, -(i32)size, SEG_SS, false}, size, v);
        ir_set(l->b, X86_R(RSP), stack_pointer(l, -(i64)size));
        return;
    }
    ir_ref sp = stack_pointer(l, -(i64)size);
    xlift_store(l, (struct ea){sp, 0, SEG_SS, false}, size, v);
    ir_set(l->b, X86_R(RSP), sp);
}

ir_ref xlift_stack_peek(struct lift *l, unsigned size) {
    if (xlift_segmented(l)) return ir_call(l->b, HELPER_peek, 0, 0, 0, size);
    return xlift_load(l, (struct ea){stack_pointer(l, 0), 0, SEG_SS, false}, size);
}

void xlift_stack_drop(struct lift *l, unsigned size, unsigned more) {
    if (xlift_segmented(l)) {
        ir_call(l->b, HELPER_drop, 0, 0, 0, size + more);
        return;
    }
    ir_set(l->b, X86_R(RSP), stack_pointer(l, (i64)size + more));
}

// ---- ends

ir_ref xlift_ip(struct lift *l, i64 rel) {
    ir_ref v = ir_pcrel(l->b, rel);
    if (xlift_64(l)) return v;
    if (xlift_segmented(l)) v = ir_SUB64(l->b, v, ir_get(l->b, X86_BASE(SEG_CS)));
    return xlift_zext(l, v, 4);
}

void xlift_fault(struct lift *l, u64 cause) {
    ir_trapif(l->b, ir_const32(l->b, 1), cause, xlift_k(l, 0));
    ir_jump(l->b, l->next);
}

void xlift_undefined(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_fault(l, EXC_UD);
}

static void end_careful(struct lift *l, ir_ref pc) {
    ir_call(l->b, HELPER_after, pc, 0, 0, 0);
    ir_leave(l->b);
}

void xlift_leave_next(struct lift *l) {
    if (xlift_careful(l)) {
        end_careful(l, ir_pcrel(l->b, l->next));
        return;
    }
    ir_set(l->b, X86_PC, ir_pcrel(l->b, l->next));
    ir_leave(l->b);
}

void xlift_goto(struct lift *l, i64 rel) {
    if (xlift_careful(l))
        end_careful(l, ir_pcrel(l->b, rel));
    else
        ir_jump(l->b, rel);
}

void xlift_goto_ind(struct lift *l, ir_ref eip, enum ir_jump_hint hint) {
    ir_ref pc = eip;
    if (xlift_segmented(l)) pc = xlift_zext(l, add_base(l, eip, SEG_CS), 4);
    if (xlift_careful(l))
        end_careful(l, pc);
    else
        ir_jumpind(l->b, pc, hint);
}

void xlift_branch(struct lift *l, ir_ref cond, i64 taken) {
    if (xlift_careful(l))
        end_careful(l, ir_SEL64(l->b, cond, ir_pcrel(l->b, taken), ir_pcrel(l->b, l->next)));
    else if (taken == (i32)taken)
        ir_branch(l->b, cond, taken, l->next);
    else // beyond what a branch holds, by the few bytes that this lies inside its page
        ir_jumpind(l->b, ir_SEL64(l->b, cond, ir_pcrel(l->b, taken), ir_pcrel(l->b, l->next)),
                   IR_JUMP_PLAIN);
}

// ---- the entry

static const struct {
    xlift_fn *fn;
    u32 arg;
} lifters[X86_ROWS] = {
    [X86_ILLEGAL] = {xlift_undefined, 0},
#define X86(id, name, pfx, form, o1, o2, o3, o4, attr, isa, flags, lifter, arg)                    \
    [X86_##id] = {xlift_##lifter, arg},
#include "guest/x86_64/insns.def"
};

static void xlift_row(struct lift *l) {
    const struct x86_row *row = &x86_rows[l->d.row];
    if (xlift_careful(l)) ir_call(l->b, HELPER_before, 0, 0, 0, 0);
    if (l->d.row == X86_TOO_LONG) {
        xlift_fault(l, CAUSE_GP0);
        return;
    }
    if (row->attr & X86A_PRIV) xlift_privileged(l);
    if (row->isa >= ISA_X87 && !(row->attr & X86A_GPR) && l->mode & MODE_FPU_CHECK)
        ir_call(l->b, HELPER_fpu_check, 0, 0, 0, row->isa);
    lifters[l->d.row].fn(l, lifters[l->d.row].arg);
}

unsigned x86_lift(struct ir_block *b, const u8 *code, unsigned avail, i32 rel, u32 mode) {
    static const u8 sizes[4] = {X86_CODE64, X86_CODE32, X86_CODE32, X86_CODE16};
    struct lift l;
    l.b = b;
    l.rel = rel;
    l.mode = mode;
    if (!x86_decode(&l.d, code, avail, (enum x86_code_size)sizes[mode & MODE_SIZE]))
        return LIFT_SHORT;
    l.next = rel + l.d.len;
    ir_insn_start(b, rel, l.d.len);
    xlift_row(&l);
    if (b->ended) return l.d.len;
    if (xlift_careful(&l)) end_careful(&l, ir_pcrel(b, l.next));
    return l.d.len;
}
