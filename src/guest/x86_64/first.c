// Instructions executed straight from their bytes, for code that is seen the first times: the most
// frequent general-purpose ones of 64-bit and flat 32-bit code. Everything else is unknown here and
// left as it is (guest/first.h). What they compute is in first_do.c; what they mean is lift_int.c's
// and lift_flow.c's, in the same order, so that the same faults come with the same state.
//
// Invariants: nothing of an instruction has happened when it turns out to be unknown or faults; a
// block ends where a lifted one does.
//
// It is the second place that says what these instructions mean, because the first one costs 400 ns
// an instruction. The tests that hold lifted code against a processor run it, too.
#include "guest/x86_64/first_decode.h"

// Of one instruction: as enum first_end, where FIRST_FULL is to go on.
enum { ON = FIRST_FULL };

// ---- memory

// Where and when execution is, for whoever may raise, count or ask for the time.
static void place(struct first *x) {
    x->s->g.pc = x->shift + (uintptr_t)x->start;
    x->s->g.insn_index = x->done;
    x->s->g.icount = x->f->icount_end - (u64)x->f->left;
}

static NOINLINE bool open_slow(struct first *x, unsigned size, bool write) {
    struct guest_state *g = &x->s->g;
    place(x);
    if (!(write ? guest_load_for_write : guest_load)(g, x->ea, size, &x->datum)) return false;
    x->at = (u8 *)&x->datum;
    x->slow = write;
    return true;
}

static NOINLINE bool store_slow(struct first *x, u64 va, unsigned size, u64 v) {
    place(x);
    x->slow = false;
    return guest_store(&x->s->g, va, size, v);
}

static NOINLINE bool load_slow(struct first *x, u64 va, unsigned size) {
    place(x);
    return guest_load(&x->s->g, va, size, &x->datum);
}

// The host address of an access that hits (exec/tlb.h), or NULL.
static ALWAYS_INLINE u8 *probe(const struct tlb_entry *table, u64 va, unsigned size) {
    const struct tlb_entry *e = &table[va >> 12 & (TLB_SIZE - 1)];
    return likely((va ^ e->tag) <= 4096 - size) ? (u8 *)(e->addend + (uintptr_t)va) : NULL;
}

// The r/m operand; false: an exception was noted.
static ALWAYS_INLINE bool open(struct first *x, unsigned size, bool write) {
    if (!x->mem) {
        x->at = first_place(x, x->rm, size);
        return true;
    }
    u8 *at = probe(write ? x->writes : x->reads, x->ea, size);
    if (unlikely(!at)) return open_slow(x, size, write);
    x->at = at;
    return true;
}

static ALWAYS_INLINE bool store(struct first *x, u64 va, unsigned size, u64 v) {
    u8 *at = probe(x->writes, va, size);
    if (unlikely(!at)) return store_slow(x, va, size, v);
    first_put(at, size, v);
    return true;
}

static ALWAYS_INLINE bool load(struct first *x, u64 va, unsigned size, u64 *v) {
    const u8 *at = probe(x->reads, va, size);
    if (unlikely(!at)) {
        if (!load_slow(x, va, size)) return false;
        *v = x->datum;
        return true;
    }
    *v = first_get(at, size);
    return true;
}

// Of an r/m operand that was opened for writing.
static ALWAYS_INLINE int put(struct first *x, unsigned size, u64 v) {
    if (!x->mem)
        first_set_reg(x, x->rm, size, v);
    else if (unlikely(x->slow))
        return store_slow(x, x->ea, size, v) ? ON : FIRST_FAULTED;
    else
        first_put(x->at, size, v);
    return ON;
}

// ---- instructions

static ALWAYS_INLINE int alu_mr(struct first *x) {
    unsigned how = x->op >> 3 & 7, size = x->size;
    u64 b = first_reg(x, x->reg, size);
    if (!open(x, size, how != ALU_CMP)) return FIRST_FAULTED;
    u64 r = first_alu(x->s, how, size, first_get(x->at, size), b);
    return how == ALU_CMP ? ON : put(x, size, r);
}

static ALWAYS_INLINE int alu_rm(struct first *x) {
    unsigned how = x->op >> 3 & 7, size = x->size;
    if (!open(x, size, false)) return FIRST_FAULTED;
    u64 r = first_alu(x->s, how, size, first_reg(x, x->reg, size), first_get(x->at, size));
    if (how != ALU_CMP) first_set_reg(x, x->reg, size, r);
    return ON;
}

static ALWAYS_INLINE int alu_mi(struct first *x) {
    unsigned how = x->reg & 7, size = x->size;
    if (!open(x, size, how != ALU_CMP)) return FIRST_FAULTED;
    u64 r = first_alu(x->s, how, size, first_get(x->at, size), x->imm);
    return how == ALU_CMP ? ON : put(x, size, r);
}

static ALWAYS_INLINE int alu_ai(struct first *x) {
    unsigned how = x->op >> 3 & 7, size = x->size;
    u64 r = first_alu(x->s, how, size, first_reg(x, RAX, size), x->imm);
    if (how != ALU_CMP) first_set_reg(x, RAX, size, r);
    return ON;
}

static ALWAYS_INLINE int test(struct first *x, u64 b) {
    if (!open(x, x->size, false)) return FIRST_FAULTED;
    first_logic_flags(x->s, x->size, first_get(x->at, x->size) & b & first_mask(x->size));
    return ON;
}

static ALWAYS_INLINE int write_only(struct first *x, unsigned size, u64 v) {
    if (!x->mem)
        first_set_reg(x, x->rm, size, v);
    else if (!store(x, x->ea, size, v))
        return FIRST_FAULTED;
    return ON;
}

static ALWAYS_INLINE int mov_rm(struct first *x) {
    if (!open(x, x->size, false)) return FIRST_FAULTED;
    first_set_reg(x, x->reg, x->size, first_get(x->at, x->size));
    return ON;
}

// An immediate as wide as the operand.
static ALWAYS_INLINE int mov_ri(struct first *x) {
    unsigned size = x->size, n = (x->op & 7) | (x->rex & 1) << 3;
    first_set_reg(x, n, size, first_get(x->p, size));
    x->p += size;
    return ON;
}

static ALWAYS_INLINE int movx(struct first *x) {
    unsigned from = x->op & 1 ? 2 : 1;
    if (!open(x, from, false)) return FIRST_FAULTED;
    u64 v = first_get(x->at, from);
    if (x->op & 8) v = first_sext(v, from);
    // REX or not counts for the operand, which may be AH; the destination is no byte.
    first_set_reg(x, x->reg, x->size, v);
    return ON;
}

static ALWAYS_INLINE int movsxd(struct first *x) {
    if (!x->wide || x->size == 2) return FIRST_UNKNOWN;
    if (!open(x, 4, false)) return FIRST_FAULTED;
    first_set_reg(x, x->reg, x->size, first_sext(first_get(x->at, 4), 4));
    return ON;
}

static int xchg(struct first *x) {
    unsigned size = x->size;
    if (!open(x, size, true)) return FIRST_FAULTED;
    u64 a = first_get(x->at, size), b = first_reg(x, x->reg, size);
    int end = put(x, size, b);
    if (end == ON) first_set_reg(x, x->reg, size, a);
    return end;
}

static int xchg_ar(struct first *x) {
    unsigned n = (x->op & 7) | (x->rex & 1) << 3, size = x->size;
    if (n == RAX) return ON; // NOP, PAUSE
    u64 a = first_reg(x, RAX, size), b = first_reg(x, n, size);
    first_set_reg(x, n, size, a);
    first_set_reg(x, RAX, size, b);
    return ON;
}

// ---- the stack

static ALWAYS_INLINE unsigned stack_size(const struct first *x) { return x->wide ? 8 : 4; }
static ALWAYS_INLINE u64 stack_at(const struct first *x, i64 by) {
    u64 sp = x->s->r[RSP] + (u64)by;
    return x->wide ? sp : (u32)sp;
}

static ALWAYS_INLINE bool push(struct first *x, u64 v) {
    unsigned n = stack_size(x);
    u64 sp = stack_at(x, -(i64)n);
    if (!store(x, sp, n, v)) return false;
    x->s->r[RSP] = sp;
    return true;
}

static ALWAYS_INLINE int pop_r(struct first *x) {
    unsigned reg = (x->op & 7) | (x->rex & 1) << 3, n = stack_size(x);
    u64 v;
    if (!load(x, stack_at(x, 0), n, &v)) return FIRST_FAULTED;
    x->s->r[RSP] = stack_at(x, n);
    x->s->r[reg] = v;
    return ON;
}

static int leave(struct first *x) {
    unsigned n = stack_size(x);
    u64 v, at = x->s->r[RBP];
    if (!load(x, x->wide ? at : (u32)at, n, &v)) return FIRST_FAULTED;
    x->s->r[RBP] = v;
    x->s->r[RSP] = x->wide ? at + n : (u32)(at + n);
    return ON;
}

// ---- where it goes on

static ALWAYS_INLINE u64 here(const struct first *x) { return x->shift + (uintptr_t)x->p; }
static ALWAYS_INLINE u64 pointer(const struct first *x) { // as the guest sees it
    return x->wide ? here(x) : (u32)here(x);
}

static ALWAYS_INLINE int go(struct first *x, bool taken) {
    x->next = here(x) + (taken ? x->imm : 0);
    return FIRST_WENT;
}

static ALWAYS_INLINE int call(struct first *x) {
    if (!push(x, pointer(x))) return FIRST_FAULTED;
    x->next = here(x) + x->imm;
    return FIRST_CALLED;
}

static ALWAYS_INLINE int ret(struct first *x, unsigned more) {
    unsigned n = stack_size(x);
    if (!load(x, stack_at(x, 0), n, &x->next)) return FIRST_FAULTED;
    x->s->r[RSP] = stack_at(x, (i64)n + more);
    return FIRST_WENT;
}

// ---- groups

static int group3(struct first *x) {
    unsigned size = x->size, how = x->reg & 7;
    if (how >= 6 && !first_div_known(x->s, how == 7, size)) return FIRST_UNKNOWN;
    if (how < 2) return test(x, x->imm);
    if (!open(x, size, how < 4)) return FIRST_FAULTED;
    u64 v = first_get(x->at, size);
    switch (how) {
    case 2:
        return put(x, size, ~v & first_mask(size));
    case 3:
        return put(x, size, first_alu(x->s, ALU_SUB, size, 0, v));
    case 4:
    case 5:
        first_mul(x->s, how == 5, size, v);
        return ON;
    default:
        if (first_div(x->s, how == 7, size, v)) return ON;
        place(x);
        guest_raise(&x->s->g, EXC_DE, 0);
        return FIRST_FAULTED;
    }
}

static int jump_to(struct first *x, bool is_call) {
    unsigned n = stack_size(x);
    if (!open(x, n, false)) return FIRST_FAULTED;
    u64 to = first_get(x->at, n);
    if (is_call && !push(x, pointer(x))) return FIRST_FAULTED;
    x->next = to;
    return is_call ? FIRST_CALLED : FIRST_JUMPED;
}

static int group45(struct first *x) {
    unsigned size = x->size, how = x->reg & 7;
    if (how < 2) {
        if (!open(x, size, true)) return FIRST_FAULTED;
        return put(x, size, first_incdec(x->s, how == 0, size, first_get(x->at, size)));
    }
    if (!(x->op & 1) || size == 2) return FIRST_UNKNOWN;
    if (how == 2 || how == 4) return jump_to(x, how == 2);
    if (how != 6) return FIRST_UNKNOWN;
    if (!open(x, stack_size(x), false)) return FIRST_FAULTED;
    return push(x, first_get(x->at, stack_size(x))) ? ON : FIRST_FAULTED;
}

static int incdec_r(struct first *x) {
    unsigned n = x->op & 7;
    u64 v = first_incdec(x->s, !(x->op & 8), x->size, first_reg(x, n, x->size));
    first_set_reg(x, n, x->size, v);
    return ON;
}

static int shift(struct first *x, unsigned count) {
    unsigned how = x->reg & 7;
    if (how == 2 || how == 3) return FIRST_UNKNOWN;
    if (!open(x, x->size, true)) return FIRST_FAULTED;
    if (how == 6) how = 4;
    return put(x, x->size, first_shift(x->s, how, x->size, first_get(x->at, x->size), count));
}

static int shift_double(struct first *x, unsigned count) {
    unsigned size = x->size;
    if (!open(x, size, true)) return FIRST_FAULTED;
    u64 b = first_reg(x, x->reg, size);
    return put(x, size,
               first_shift_double(x->s, x->op < 0xa8, size, first_get(x->at, size), b, count));
}

static int imul(struct first *x, bool immediate) {
    unsigned size = x->size;
    if (!open(x, size, false)) return FIRST_FAULTED;
    u64 a = first_get(x->at, size), b = immediate ? x->imm : first_reg(x, x->reg, size);
    first_set_reg(x, x->reg, size, first_multiply(x->s, size, a, b));
    return ON;
}

static ALWAYS_INLINE int cmov(struct first *x) {
    unsigned size = x->size;
    if (!open(x, size, false)) return FIRST_FAULTED;
    u64 v = first_get(x->at, size), old = first_reg(x, x->reg, size);
    first_set_reg(x, x->reg, size, first_condition(x->s, x->op & 15) ? v : old);
    return ON;
}

static int widen(struct first *x) { // CBW and so on, or CWD
    unsigned size = x->size;
    u64 a = x->s->r[RAX];
    if (x->op == 0x98)
        first_set_reg(x, RAX, size, first_sext(a, size / 2));
    else
        first_set_reg(x, RDX, size, (u64)((i64)first_sext(a, size) >> 63));
    return ON;
}

// BT, BTS, BTR, BTC: `how` 0..3. A bit's number in a register reaches beyond an operand in memory.
static int bit(struct first *x, unsigned how, u64 n, bool string) {
    unsigned size = x->size;
    if (string && x->mem) {
        i64 unit = (i64)first_sext(n, size) >> (size == 8 ? 6 : size == 4 ? 5 : 4);
        x->ea += (u64)unit * size;
        if (!x->wide) x->ea = (u32)x->ea;
    }
    if (!open(x, size, how != 0)) return FIRST_FAULTED;
    u64 v = first_get(x->at, size), one = (u64)1 << (n & (8 * size - 1));
    if (how) {
        u64 r = how == 1 ? v | one : how == 2 ? v & ~one : v ^ one;
        if (put(x, size, r) != ON) return FIRST_FAULTED;
    }
    first_bit_flags(x->s, v & one);
    return ON;
}

static int scan(struct first *x) {
    unsigned size = x->size;
    bool reverse = x->op & 1;
    if (!open(x, size, false)) return FIRST_FAULTED;
    u64 v = first_get(x->at, size);
    if (x->rep)
        first_set_reg(x, x->reg, size, first_count_zeros(x->s, reverse, size, v));
    else if (v)
        first_set_reg(x, x->reg, size, first_scan(x->s, reverse, size, v));
    else
        first_logic_flags(x->s, size, 0);
    return ON;
}

static int bswap(struct first *x) {
    unsigned n = (x->op & 7) | (x->rex & 1) << 3;
    u64 v = x->s->r[n];
    x->s->r[n] = x->size == 8 ? __builtin_bswap64(v) : __builtin_bswap32((u32)v);
    return ON;
}

static int cmpxchg(struct first *x) {
    unsigned size = x->size;
    if (!open(x, size, true)) return FIRST_FAULTED;
    u64 old = first_get(x->at, size), src = first_reg(x, x->reg, size);
    u64 acc = x->s->r[RAX] & first_mask(size);
    bool same = acc == old;
    if (x->mem && put(x, size, same ? src : old) != ON) return FIRST_FAULTED;
    if (!same) first_set_reg(x, RAX, size, old);
    // A register is not written when the comparison fails, not even extended.
    if (!x->mem && same) first_set_reg(x, x->rm, size, src);
    first_alu(x->s, ALU_CMP, size, acc, old);
    return ON;
}

static int xadd(struct first *x) {
    unsigned size = x->size;
    if (!open(x, size, true)) return FIRST_FAULTED;
    u64 a = first_get(x->at, size), b = first_reg(x, x->reg, size);
    u64 r = (a + b) & first_mask(size);
    if (x->mem && put(x, size, r) != ON) return FIRST_FAULTED;
    first_set_reg(x, x->reg, size, a);
    if (!x->mem) first_set_reg(x, x->rm, size, r);
    first_alu(x->s, ALU_ADD, size, a, b);
    return ON;
}

static int carry(struct first *x) {
    first_carry(x->s, x->op == 0xf8 ? CARRY_CLC : x->op == 0xf9 ? CARRY_STC : CARRY_CMC);
    return ON;
}

static ALWAYS_INLINE int execute(struct first *x) {
    switch (x->form & ACTION) {
    case A_ALU_MR:
        return alu_mr(x);
    case A_ALU_RM:
        return alu_rm(x);
    case A_ALU_AI:
        return alu_ai(x);
    case A_ALU_MI:
        return alu_mi(x);
    case A_TEST_MR:
        return test(x, first_reg(x, x->reg, x->size));
    case A_TEST_AI:
        first_logic_flags(x->s, x->size, x->s->r[RAX] & x->imm & first_mask(x->size));
        return ON;
    case A_MOV_MR:
        return write_only(x, x->size, first_reg(x, x->reg, x->size));
    case A_MOV_RM:
        return mov_rm(x);
    case A_MOV_MI:
        return x->reg & 7 ? FIRST_UNKNOWN : write_only(x, x->size, x->imm);
    case A_MOV_RI:
        return mov_ri(x);
    case A_LEA:
        if (!x->mem) return FIRST_UNKNOWN;
        first_set_reg(x, x->reg, x->size, x->ea);
        return ON;
    case A_MOVX:
        return movx(x);
    case A_MOVSXD:
        return movsxd(x);
    case A_XCHG_MR:
        return xchg(x);
    case A_XCHG_AR:
        return xchg_ar(x);
    case A_PUSH_R:
        return push(x, x->s->r[(x->op & 7) | (x->rex & 1) << 3]) ? ON : FIRST_FAULTED;
    case A_PUSH_I:
        return push(x, x->imm) ? ON : FIRST_FAULTED;
    case A_POP_R:
        return pop_r(x);
    case A_LEAVE:
        return leave(x);
    case A_JCC:
        return go(x, first_condition(x->s, x->op & 15));
    case A_JMP:
        return go(x, true);
    case A_CALL:
        return call(x);
    case A_RET:
        return ret(x, 0);
    case A_RET_I:
        return ret(x, x->p[0] | (unsigned)x->p[1] << 8);
    case A_SETCC:
        return write_only(x, 1, first_condition(x->s, x->op & 15));
    case A_CMOV:
        return cmov(x);
    case A_SHIFT_I:
        return shift(x, (u8)x->imm);
    case A_SHIFT_1:
        return shift(x, 1);
    case A_SHIFT_C:
        return shift(x, (u8)x->s->r[RCX]);
    case A_SHIFTD_I:
        return shift_double(x, (u8)x->imm);
    case A_SHIFTD_C:
        return shift_double(x, (u8)x->s->r[RCX]);
    case A_IMUL2:
        return imul(x, false);
    case A_IMUL3:
        return imul(x, true);
    case A_GROUP3:
        return group3(x);
    case A_GROUP45:
        return group45(x);
    case A_INCDEC:
        return x->wide ? FIRST_UNKNOWN : incdec_r(x);
    case A_CBW:
    case A_CWD:
        return widen(x);
    case A_NOP: // PREFETCHW is for memory only
        return x->mem || x->op != 0x0d ? ON : FIRST_UNKNOWN;
    case A_BT_R:
        return bit(x, x->op >> 3 & 3, first_reg(x, x->reg, x->size), true);
    case A_BT_I:
        return (x->reg & 7) < 4 ? FIRST_UNKNOWN : bit(x, x->reg & 3, x->imm, false);
    case A_SCAN:
        return scan(x);
    case A_BSWAP:
        return bswap(x);
    case A_CMPXCHG:
        return cmpxchg(x);
    case A_XADD:
        return xadd(x);
    case A_CARRY:
        return carry(x);
    case A_DIRECTION:
        x->s->df = x->op & 1 ? ~(u64)0 : 1;
        return ON;
    default:
        return FIRST_UNKNOWN;
    }
}

// Bytes are missing. Of some opcodes ModRM could say that it is no instruction at all, so that they
// do not matter: lifting knows.
static int too_short(unsigned form) {
    switch (form & ACTION) {
    case A_UNKNOWN:
    case A_MOV_MI:
    case A_GROUP45:
    case A_BT_I:
    case A_NOP:
        return FIRST_UNKNOWN;
    default:
        return FIRST_SHORT;
    }
}

// The instruction at x->p, whatever it is.
static NOINLINE int step(struct first *x) {
    bool seldom = false;
    x->start = x->p;
    x->op = *x->p++;
    x->rex = x->rep = 0;
    x->size = 4;
    unsigned form = first_opcode(x);
    if (unlikely(form == A_PREFIX)) {
        if (x->rex) return FIRST_UNKNOWN;
        x->p66 = x->lock = false;
        x->seg = 0;
        form = first_prefixed(x, x->op);
        seldom = true;
    }
    x->form = (u16)form;
    if (form & B) x->size = 1;
    operands(x, form);
    if (unlikely(x->p + more_bytes(x, form) > x->end)) return too_short(form);
    if (unlikely(seldom) && !first_settle(x)) return FIRST_UNKNOWN;
    return execute(x);
}

// The same where less than the longest instruction is left: as if zeros followed.
static int step_at_end(struct first *x) {
    u8 bytes[2 * FIRST_LONGEST + 2] = {0};
    const u8 *p = x->p, *end = x->end;
    u64 shift = x->shift;
    memcpy(bytes, p, (size_t)(end - p));
    x->p = bytes;
    x->end = bytes + (end - p);
    x->shift += (u64)(uintptr_t)p - (u64)(uintptr_t)bytes;
    int end_of = step(x);
    x->p = p + (x->p - bytes);
    x->start = p;
    x->end = end;
    x->shift = shift;
    return end_of;
}

static bool is_over(int end) {
    return end == FIRST_WENT || end == FIRST_CALLED || end == FIRST_JUMPED;
}

// Instructions and blocks until somebody else has to look.
static int go_on(struct first *x) {
    for (;;) {
        int end = first_hot(x);
        if (end != FIRST_UNKNOWN) return end;
        end = unlikely(x->p > x->last) ? step_at_end(x) : step(x);
        if (end == ON)
            x->done++;
        else if (!is_over(end)) {
            x->p = x->start;
            return end;
        } else if (!first_over(x, (enum first_end)end))
            return end;
    }
}

enum first_end x86_first(struct guest_state *g, struct guest_first *f) {
    struct first x = {
        .s = x86_of(g), .f = f, .reads = f->tlb, .writes = f->tlb + TLB_SIZE, .p = f->code};
    u32 size_mode = f->mode & (MODE_SIZE | MODE_CAREFUL);
    if (size_mode > MODE_32) return FIRST_UNKNOWN;
    x.wide = size_mode == MODE_64;
    x.mask = x.wide ? ~(u64)0 : 0xffffffffu;
    x.done = f->done;
    first_at(&x, x.p, f->pc, f->room);
    int end = go_on(&x);
    f->done = x.done;
    if (is_over(end)) {
        f->pc = x.next;
    } else {
        f->pc = x.shift + (uintptr_t)x.p;
        f->room = (u32)(x.end - x.p);
        f->code = x.p;
    }
    return (enum first_end)end;
}
