// x87 instructions on the register stack (SDM 1 ch. 8; 2): stack faults, exceptions and condition
// codes; numbers are x87_num.c's business. Loads are done by the lifter, stores here, after
// everything that may keep an instruction from storing.
//
// While every exception is masked and none is pending the helpers are those of x87_fast.c, which
// call what is here for the less common; else the code mode says so (MODE_FPU_CHECK), a pending
// exception is looked for before each waiting instruction, and the helpers at the end are called.
#include "guest/x86_64/x87.h"

#define UNUSED(x) ((void)(x))

static struct fx begin(struct x86_state *s) {
    static const u8 bits[4] = {24, 64, 53, 64};
    s->fpu_sw &= ~(u64)SW_C1;
    return (struct fx){.rc = (u8)(s->fpu_cw >> 10 & 3),
                       .bits = bits[s->fpu_cw >> 8 & 3],
                       .masked = (u8)(s->fpu_cw & 0x3f)};
}

// An exception before the computation, which has no result then.
static bool blocked(const struct fx *x) {
    return x->flags & ~x->masked & (FPU_IE | FPU_DE | FPU_ZE);
}

static void commit(struct x86_state *s, struct fx *x, u64 imm, u64 ip) {
    if (blocked(x)) {
        x->flags &= FPU_IE | FPU_DE | FPU_ZE | SW_SF;
        x->up &= (x->flags & SW_SF) != 0; // C1 of a stack overflow
    }
    if (x->up) s->fpu_sw |= SW_C1;
    s->fpu_sw |= x->flags;
    if (x->flags & 0x3f & ~x->masked) s->fpu_sw |= SW_ES | SW_B;
    s->fpu_ip = ip;
    s->fpu_op = X87_OP(imm) & 0x7ff;
}

static struct f80 stack_underflow(struct fx *x) {
    x->flags |= FPU_IE | SW_SF;
    return f80_indefinite();
}

static struct f80 stack_overflow(struct fx *x) {
    x->up = true;
    return stack_underflow(x);
}

void x87_set_control(struct x86_state *s, u64 cw) {
    s->fpu_cw = (cw & 0x1f7f) | 0x40;
    x87_set_status(s, x87_status(s));
}

void x87_set_status(struct x86_state *s, u64 sw) {
    s->fpu_top = sw >> 11 & 7;
    s->fpu_sw = sw & (0x7f | SW_C0 | SW_C1 | SW_C2 | SW_C3);
    if (s->fpu_sw & ~s->fpu_cw & 0x3f) s->fpu_sw |= SW_ES | SW_B;
}

void x87_init(struct x86_state *s) {
    s->fpu_cw = 0x37f;
    s->fpu_sw = s->fpu_top = s->fpu_tag = 0;
    s->fpu_ip = s->fpu_dp = s->fpu_op = 0;
}

// ---- arithmetic

static struct f80 subtract(struct fx *x, struct f80 a, struct f80 b) {
    struct f80 r;
    if (f80_nan2(x, a, b, &r)) return r;
    b.se ^= 0x8000;
    return f80_add(x, a, b);
}

static struct f80 compute(struct fx *x, unsigned op, struct f80 a, struct f80 b) {
    switch (op) {
    case X87_ADD:
        return f80_add(x, a, b);
    case X87_MUL:
        return f80_mul(x, a, b);
    case X87_SUB:
        return subtract(x, a, b);
    case X87_SUBR:
        return subtract(x, b, a);
    case X87_DIV:
        return f80_div(x, a, b);
    default:
        return f80_div(x, b, a);
    }
}

static void drop(struct x86_state *s, u64 imm) {
    if (imm & (X87_POP | X87_POP2)) x87_pop(s);
    if (imm & X87_POP2) x87_pop(s);
}

static u64 set_codes(struct x86_state *s, u64 imm, int order) {
    static const u16 codes[4] = {SW_C0, SW_C3, 0, SW_C0 | SW_C2 | SW_C3};
    static const u8 flags[4] = {FL_CF, FL_ZF, 0, FL_CF | FL_PF | FL_ZF};
    if (!(imm & X87_EFLAGS))
        s->fpu_sw = (s->fpu_sw & ~(u64)(SW_C0 | SW_C2 | SW_C3)) | codes[order + 1];
    return flags[order + 1];
}

// The status flags, for those that set them.
static u64 compare(struct x86_state *s, struct fx *x, bool missing, struct f80 b, u64 imm) {
    int order = 2;
    if (missing)
        stack_underflow(x);
    else
        order = f80_compare(x, x87_get(s, 0), b, imm & X87_QUIET);
    if (!blocked(x)) drop(s, imm);
    return set_codes(s, imm, order);
}

static struct f80 from_memory(struct fx *x, unsigned fmt, u64 v, u64 exp) {
    switch (fmt) {
    case X87_I16:
        return f80_from_int((i16)v);
    case X87_I32:
        return f80_from_int((i32)v);
    case X87_I64:
        return f80_from_int((i64)v);
    case X87_F32:
        return f80_from_f32(x, (u32)v);
    case X87_F64:
        return f80_from_f64(x, v);
    default:
        return (struct f80){v, (u16)exp};
    }
}

// The operand's DE, IE are found by the operation too; converting it must not quieten a NaN.
static struct f80 operand(unsigned fmt, u64 v, struct fx *x) {
    struct fx own = {.masked = 0x3f, .bits = 64};
    struct f80 r = from_memory(&own, fmt, v, 0);
    if (own.flags & FPU_IE) r.sig &= ~((u64)1 << 62);
    if (own.flags & FPU_DE) x->flags |= FPU_DE;
    return r;
}

void x87_arith_mem(struct x86_state *s, u64 v, u64 addr, u64 imm, u64 ip) {
    struct fx x = begin(s), probe = x;
    unsigned op = imm & 7;
    bool missing = x87_empty(s, 0);
    struct f80 m = operand((unsigned)imm >> 8 & 7, v, &probe);
    if (op == X87_COM || op == X87_COMP) {
        bool nan = f80_is_nan(f80_classify(x87_get(s, 0)));
        if (!missing && !nan) x.flags |= probe.flags;
        compare(s, &x, missing, m, imm | (op == X87_COMP ? X87_POP : 0));
    } else if (missing) {
        struct f80 r = stack_underflow(&x);
        if (!blocked(&x)) x87_put(s, 0, r);
    } else {
        struct f80 r = compute(&x, op, x87_get(s, 0), m);
        // A denormal of a shorter format is a normal number by now.
        if (!(x.flags & (FPU_IE | FPU_ZE)) && !f80_is_nan(f80_classify(r))) x.flags |= probe.flags;
        if (!blocked(&x)) x87_put(s, 0, r);
    }
    s->fpu_dp = addr;
    commit(s, &x, imm, ip);
}

u64 x87_arith(struct x86_state *s, u64 imm, u64 ip) {
    u64 sw = s->fpu_sw, flags = 0;
    struct fx x = begin(s);
    unsigned op = imm & 7, i = X87_REG(imm), to = imm & X87_TO_STI ? i : 0;
    bool missing = x87_empty(s, 0) || x87_empty(s, i);
    if (imm & X87_EFLAGS && !missing) s->fpu_sw = sw; // keeps C1
    if (op == X87_COM || op == X87_COMP) {
        flags = compare(s, &x, missing, x87_get(s, i), imm | (op == X87_COMP ? X87_POP : 0));
    } else {
        struct f80 r =
            missing ? stack_underflow(&x) : compute(&x, op, x87_get(s, 0), x87_get(s, i));
        if (!blocked(&x)) {
            x87_put(s, to, r);
            drop(s, imm);
        }
    }
    commit(s, &x, imm, ip);
    return flags;
}

// ---- loads and stores

static struct f80 from_bcd(u64 lo, u64 hi) {
    u64 v = 0;
    for (unsigned i = 0; i < 18; i++) {
        unsigned shift = 68 - 4 * i;
        u64 digit = (shift >= 64 ? hi >> (shift - 64) : lo >> shift) & 15;
        v = v * 10 + digit;
    }
    struct f80 r = f80_from_int((i64)v);
    r.se |= (u16)(hi & 0x8000);
    return r;
}

void x87_load(struct x86_state *s, u64 v, u64 exp, u64 addr, u64 imm, u64 ip) {
    struct fx x = begin(s);
    unsigned fmt = imm & 7;
    struct f80 r;
    if (!x87_empty(s, 7))
        r = stack_overflow(&x);
    else
        r = fmt == X87_BCD ? from_bcd(v, exp) : from_memory(&x, fmt, v, exp);
    if (!(x.flags & ~x.masked & FPU_IE)) x87_push(s, r); // DE does not keep it from loading
    s->fpu_dp = addr;
    commit(s, &x, imm, ip);
}

static void to_bcd(struct fx *x, struct f80 a, u64 *lo, u64 *hi) {
    struct fx own = *x;
    i64 v = (i64)f80_to_int(&own, a, 8, false);
    u64 m = v < 0 ? -(u64)v : (u64)v;
    if (own.flags & FPU_IE || m > 999999999999999999u) {
        x->flags |= FPU_IE;
        *lo = 0xc000000000000000;
        *hi = 0xffff;
        return;
    }
    *x = own;
    *lo = 0;
    *hi = f80_neg(a) ? 0x8000 : 0;
    for (unsigned i = 0; i < 18; i++, m /= 10) {
        unsigned shift = 4 * i;
        if (shift < 64)
            *lo |= m % 10 << shift;
        else
            *hi |= m % 10 << (shift - 64);
    }
}

static void to_memory(struct fx *x, unsigned fmt, bool trunc, struct f80 a, u64 *lo, u64 *hi) {
    switch (fmt) {
    case X87_I16:
    case X87_I32:
    case X87_I64:
        *lo = f80_to_int(x, a, 2u << fmt, trunc);
        break;
    case X87_F32:
        *lo = f80_to_f32(x, a);
        break;
    case X87_F64:
        *lo = f80_to_f64(x, a);
        break;
    case X87_BCD:
        to_bcd(x, a, lo, hi);
        break;
    default:
        *lo = a.sig;
        *hi = a.se;
        break;
    }
}

static bool may_write(struct guest_state *g, u64 addr, unsigned size) {
    u64 old;
    if (size != 10) return guest_load_for_write(g, addr, size, &old);
    return guest_load_for_write(g, addr, 8, &old) && guest_load_for_write(g, addr + 8, 2, &old);
}

// Everything but storing *lo and *hi; false: nothing is to be stored.
static bool convert(struct x86_state *s, u64 addr, u64 imm, u64 ip, u64 *lo, u64 *hi) {
    struct fx x = begin(s);
    struct f80 v = x87_get(s, 0);
    bool missing = x87_empty(s, 0);
    if (missing) v = f80_indefinite();
    to_memory(&x, imm & 7, imm & X87_TRUNC, v, lo, hi);
    if (missing) {
        x.flags = 0;
        stack_underflow(&x);
    }
    bool ok = !(x.flags & ~x.masked & (FPU_IE | FPU_OE | FPU_UE));
    if (ok)
        drop(s, imm);
    else
        x.up = false;
    s->fpu_dp = addr;
    commit(s, &x, imm, ip);
    return ok;
}

u64 x87_store(struct x86_state *s, u64 addr, u64 imm, u64 ip) {
    u64 v = 0;
    convert(s, addr, imm, ip, &v, &s->fpu_upper);
    return v;
}

// ---- the rest, by operation

static void examine(struct x86_state *s) {
    static const u16 code[] = {
        [F80_ZERO] = SW_C3, [F80_FINITE] = SW_C2, [F80_INF] = SW_C2 | SW_C0,
        [F80_QNAN] = SW_C0, [F80_SNAN] = SW_C0,   [F80_BAD] = 0,
    };
    struct f80 a = x87_get(s, 0);
    u64 v = f80_denormal(a) ? SW_C3 | SW_C2 : code[f80_classify(a)];
    if (x87_empty(s, 0)) v = SW_C3 | SW_C0;
    if (f80_neg(a)) v |= SW_C1;
    s->fpu_sw = (s->fpu_sw & ~(u64)(SW_C0 | SW_C1 | SW_C2 | SW_C3)) | v;
}

static void put_unless_blocked(struct x86_state *s, const struct fx *x, struct f80 r) {
    if (!blocked(x)) x87_put(s, 0, r);
}

static struct f80 unary(struct x86_state *s, struct fx *x, unsigned op, struct f80 a) {
    struct f80 r;
    if (f80_nan1(x, a, &r)) return r;
    switch (op) {
    case X87_FSQRT:
        return f80_sqrt(x, a);
    case X87_FRNDINT:
        return f80_rint(x, a);
    case X87_F2XM1:
        return f80_2xm1(x, a);
    default:
        r = a;
        if (!f80_sincos(x, a, op == X87_FSIN ? &r : NULL, op == X87_FCOS ? &r : NULL))
            s->fpu_sw |= SW_C2;
        return r;
    }
}

static void do_unary(struct x86_state *s, struct fx *x, unsigned op) {
    if (op == X87_FSIN || op == X87_FCOS) s->fpu_sw &= ~(u64)SW_C2;
    put_unless_blocked(s, x, x87_empty(s, 0) ? stack_underflow(x) : unary(s, x, op, x87_get(s, 0)));
}

static void remainder_of(struct x86_state *s, struct fx *x, unsigned op) {
    struct f80 r;
    unsigned q = 0;
    bool done = true;
    s->fpu_sw &= ~(u64)SW_C2;
    if (x87_empty(s, 0) || x87_empty(s, 1))
        r = stack_underflow(x);
    else
        done = f80_rem(x, x87_get(s, 0), x87_get(s, 1), op == X87_FPREM1, &r, &q);
    if (blocked(x)) return;
    x87_put(s, 0, r);
    if (f80_is_nan(f80_classify(r))) return;
    s->fpu_sw &= ~(u64)(SW_C0 | SW_C3);
    if (!done)
        s->fpu_sw |= SW_C2;
    else
        s->fpu_sw |= (q & 4 ? SW_C0 : 0) | (q & 2 ? SW_C3 : 0) | (q & 1 ? SW_C1 : 0);
}

// ST(1) op ST(0) to ST(1), and pop.
static void two_to_one(struct x86_state *s, struct fx *x, unsigned op) {
    struct f80 a = x87_get(s, 0), y = x87_get(s, 1), r;
    if (x87_empty(s, 0) || x87_empty(s, 1)) {
        r = stack_underflow(x);
    } else if (!f80_nan2(x, a, y, &r)) {
        r = op == X87_FPATAN ? f80_atan2(x, y, a) : f80_yl2x(x, a, y, op == X87_FYL2XP1);
    }
    if (blocked(x)) return;
    x87_put(s, 1, r);
    x87_pop(s);
}

static void extract(struct fx *x, struct f80 a, struct f80 *exp, struct f80 *sig) {
    if (f80_nan1(x, a, sig)) {
        *exp = *sig;
        return;
    }
    *sig = a;
    switch (f80_classify(a)) {
    case F80_ZERO:
        x->flags |= FPU_ZE;
        *exp = f80_inf(true);
        return;
    case F80_INF:
        *exp = f80_inf(false);
        return;
    default:
        break;
    }
    f80_note_denormals(x, a, a);
    struct wide w = f80_unpack(a);
    *exp = f80_from_int(w.exp - F80_BIAS);
    *sig = f80_make(w.neg, F80_BIAS, w.hi);
}

// One number becomes two: FXTRACT, FSINCOS, FPTAN.
static void one_to_two(struct x86_state *s, struct fx *x, unsigned op) {
    struct f80 a = x87_get(s, 0), below, top;
    if (op != X87_FXTRACT) s->fpu_sw &= ~(u64)SW_C2;
    if (x87_empty(s, 0)) {
        below = top = stack_underflow(x);
    } else if (!x87_empty(s, 7)) {
        below = top = stack_overflow(x);
    } else if (op == X87_FXTRACT) {
        extract(x, a, &below, &top);
    } else if (f80_nan1(x, a, &below)) {
        top = below;
    } else if (f80_exp(a) >= F80_BIAS + 63 && f80_classify(a) == F80_FINITE) {
        s->fpu_sw |= SW_C2;
        return;
    } else if (op == X87_FSINCOS) {
        f80_sincos(x, a, &below, &top);
    } else {
        below = f80_tan(x, a);
        top = f80_classify(a) == F80_INF ? below : f80_make(false, F80_BIAS, (u64)1 << 63);
    }
    if (blocked(x)) return;
    x87_put(s, 0, below);
    x87_push(s, top);
}

static void push_value(struct x86_state *s, struct fx *x, bool missing, struct f80 v) {
    if (missing)
        v = stack_underflow(x);
    else if (!x87_empty(s, 7))
        v = stack_overflow(x);
    if (!blocked(x)) x87_push(s, v);
}

static void exchange(struct x86_state *s, struct fx *x, unsigned i) {
    struct f80 a = x87_get(s, 0), b = x87_get(s, i);
    if (x87_empty(s, 0)) a = stack_underflow(x);
    if (x87_empty(s, i)) b = stack_underflow(x);
    if (blocked(x)) return;
    x87_put(s, 0, b);
    x87_put(s, i, a);
}

static void conditional_move(struct x86_state *s, struct fx *x, bool taken, unsigned i) {
    if (x87_empty(s, 0) || x87_empty(s, i))
        put_unless_blocked(s, x, stack_underflow(x));
    else if (taken)
        x87_put(s, 0, x87_get(s, i));
}

static void sign(struct x86_state *s, struct fx *x, unsigned op) {
    struct f80 a = x87_get(s, 0);
    a.se = op == X87_FCHS ? a.se ^ 0x8000 : a.se & 0x7fff;
    put_unless_blocked(s, x, x87_empty(s, 0) ? stack_underflow(x) : a);
}

static void store_reg(struct x86_state *s, struct fx *x, u64 imm) {
    struct f80 v = x87_empty(s, 0) ? stack_underflow(x) : x87_get(s, 0);
    if (blocked(x)) return;
    x87_put(s, X87_REG(imm), v);
    drop(s, imm);
}

// As FSTP, but what is empty is not stored, without a fault.
static void move_raw(struct x86_state *s, unsigned i) {
    if (!x87_empty(s, 0)) x87_put(s, i, x87_get(s, 0));
    x87_pop(s);
}

static void by_two(struct x86_state *s, struct fx *x) {
    struct f80 r = x87_empty(s, 0) || x87_empty(s, 1) ? stack_underflow(x)
                                                      : f80_scale(x, x87_get(s, 0), x87_get(s, 1));
    put_unless_blocked(s, x, r);
}

u64 x87_reg(struct x86_state *s, bool taken, u64 imm, u64 ip) {
    enum x87_op op = (enum x87_op)(imm & 0xff);
    unsigned i = X87_REG(imm);
    u64 sw = s->fpu_sw;
    if (op == X87_FNOP) return 0;
    struct fx x = begin(s);
    switch (op) {
    case X87_FCHS:
    case X87_FABS:
        sign(s, &x, op);
        break;
    case X87_FTST:
        compare(s, &x, x87_empty(s, 0), f80_zero(false), 0);
        break;
    case X87_FXAM:
        examine(s);
        break;
    case X87_FLD1:
        push_value(s, &x, false, f80_from_int(1));
        break;
    case X87_FLDZ:
        push_value(s, &x, false, f80_zero(false));
        break;
    case X87_FLDL2T:
    case X87_FLDL2E:
    case X87_FLDPI:
    case X87_FLDLG2:
    case X87_FLDLN2:
        push_value(s, &x, false, f80_constant(&x, op - X87_FLDL2T));
        break;
    case X87_FYL2X:
    case X87_FPATAN:
    case X87_FYL2XP1:
        two_to_one(s, &x, op);
        break;
    case X87_FPTAN:
    case X87_FXTRACT:
    case X87_FSINCOS:
        one_to_two(s, &x, op);
        break;
    case X87_FPREM:
    case X87_FPREM1:
        remainder_of(s, &x, op);
        break;
    case X87_FDECSTP:
        s->fpu_top = (s->fpu_top - 1) & 7;
        break;
    case X87_FINCSTP:
        s->fpu_top = (s->fpu_top + 1) & 7;
        break;
    case X87_F2XM1:
    case X87_FSQRT:
    case X87_FRNDINT:
    case X87_FSIN:
    case X87_FCOS:
        do_unary(s, &x, op);
        break;
    case X87_FSCALE:
        by_two(s, &x);
        break;
    case X87_FNOP:
        break;
    case X87_FLD:
        push_value(s, &x, x87_empty(s, i), x87_get(s, i));
        break;
    case X87_FXCH:
        exchange(s, &x, i);
        break;
    case X87_FST:
        store_reg(s, &x, imm);
        break;
    case X87_FSTPNCE:
        move_raw(s, i);
        break;
    case X87_FFREE:
        s->fpu_tag &= ~((u64)1 << x87_phys(s, i));
        drop(s, imm);
        break;
    case X87_FCMOV:
        if (!x87_empty(s, 0) && !x87_empty(s, i)) s->fpu_sw = sw; // keeps C1
        conditional_move(s, &x, taken, i);
        break;
    }
    commit(s, &x, imm, ip);
    return 0;
}

// ---- helpers that may find exceptions unmasked

#define HELPER(id)                                                                                 \
    u64 x86_help_##id(struct guest_state *g, __attribute__((unused)) u64 a,                        \
                      __attribute__((unused)) u64 b, __attribute__((unused)) u64 c, u64 imm)

HELPER(x87_arith_mem) {
    x87_arith_mem(x86_of(g), a, c, imm, x86_eip(x86_of(g)));
    return 0;
}

HELPER(x87_arith) {
    u64 flags = x87_arith(x86_of(g), imm, x86_eip(x86_of(g)));
    if (imm & X87_EFLAGS) x86_set_status_flags(x86_of(g), flags);
    return 0;
}

HELPER(x87_load) {
    x87_load(x86_of(g), a, b, c, imm, x86_eip(x86_of(g)));
    return 0;
}

HELPER(x87_store) {
    static const u8 size[] = {2, 4, 8, 4, 8, 10, 10};
    struct x86_state *s = x86_of(g);
    unsigned n = size[imm & 7];
    u64 lo = 0, hi = 0;
    if (!may_write(g, a, n)) return 0;
    if (!convert(s, a, imm, x86_eip(s), &lo, &hi)) return 0;
    guest_store(g, a, n == 10 ? 8 : n, lo);
    if (n == 10) guest_store(g, a + 8, 2, hi);
    return 0;
}

HELPER(x87_reg) {
    static const u32 mask[4] = {FL_CF, FL_ZF, FL_CF | FL_ZF, FL_PF};
    struct x86_state *s = x86_of(g);
    unsigned cond = (unsigned)imm >> 16 & 7; // FCMOV's
    bool taken = ((x86_status_flags(s) & mask[cond & 3]) != 0) != (cond >> 2);
    return x87_reg(s, taken, imm, x86_eip(s));
}

// A pending exception, before a waiting instruction.
u64 x86_help_x87_wait(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    UNUSED(a), UNUSED(b), UNUSED(c), UNUSED(imm);
    if (x86_of(g)->fpu_sw & SW_ES) guest_raise(g, EXC_MF, 0);
    return 0;
}
