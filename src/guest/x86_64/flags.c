// Status flags: setting the lazy cells, conditions from them where the kind of operation is known
// in the block, and as C where it is not. The scheme is in flags.h.
#include "guest/x86_64/lift.h"

// ---- setting

static void set_const(struct lift *l, u32 at, u64 v) {
    ir_ref known = l->b->known[at / 8]; // looking must not emit a get
    u64 old;
    if (known && ir_is_const(l->b, known, &old) && old == v) return;
    ir_set(l->b, at, xlift_k(l, v));
}

static void set_op(struct lift *l, u64 op) { set_const(l, X86_CELL(cc_op), op); }

static bool has_x(enum cc_kind kind) {
    return kind == CC_FLAGS || kind == CC_X || kind == CC_CARRY || kind == CC_TOP;
}

void xlift_cc(struct lift *l, enum cc_kind kind, unsigned size, ir_ref res) {
    set_op(l, CC(kind, size));
    ir_set(l->b, X86_CELL(cc_res), res);
    if (!has_x(kind)) ir_forget(l->b, X86_CELL(cc_x));
}

void xlift_cc_carry(struct lift *l, ir_ref a, ir_ref b) {
    ir_set(l->b, X86_CELL(cc_a), a);
    ir_set(l->b, X86_CELL(cc_b), b);
}

void xlift_cc_carry_bit(struct lift *l, ir_ref carry64) {
    ir_set(l->b, X86_CELL(cc_a), xlift_k(l, 0));
    ir_set(l->b, X86_CELL(cc_b), carry64);
}

void xlift_cc_x(struct lift *l, ir_ref x) { ir_set(l->b, X86_CELL(cc_x), x); }

// CF = 0 needs one cell only: nothing is below 0.
void xlift_cc_logic(struct lift *l, unsigned size, ir_ref res) {
    xlift_cc(l, CC_LOGIC, size, res);
    set_const(l, X86_CELL(cc_b), 0);
    ir_forget(l->b, X86_CELL(cc_a));
}

// CF = not_below < 1
void xlift_cc_float(struct lift *l, ir_ref differ, ir_ref not_below, ir_ref unordered) {
    set_op(l, CC(CC_FLAGS, 8));
    ir_set(l->b, X86_CELL(cc_res), ir_ZEXT32(l->b, differ));
    ir_set(l->b, X86_CELL(cc_a), ir_ZEXT32(l->b, not_below));
    set_const(l, X86_CELL(cc_b), 1);
    xlift_cc_x(l, unordered);
}

bool xlift_cc_known(struct lift *l, u64 *op) {
    ir_ref known = l->b->known[X86_CELL(cc_op) / 8];
    return known && ir_is_const(l->b, known, op);
}

// ---- reading

static ir_ref cell(struct lift *l, u32 at) { return ir_get(l->b, at); }
static ir_ref cc_res(struct lift *l) { return cell(l, X86_CELL(cc_res)); }
static ir_ref cc_a(struct lift *l) { return cell(l, X86_CELL(cc_a)); }
static ir_ref cc_b(struct lift *l) { return cell(l, X86_CELL(cc_b)); }
static ir_ref cc_x(struct lift *l) { return cell(l, X86_CELL(cc_x)); }

// What a canonical value is as an i32, if it is one by what it was made from.
static ir_ref as_i32(struct lift *l, ir_ref v) {
    u64 k;
    if (ir_is_const(l->b, v, &k)) return k >> 32 ? 0 : ir_const32(l->b, (u32)k);
    return l->b->ops[v].op == IR_ZEXT32 ? l->b->ops[v].a : 0;
}

// Canonical values compared, without extending those of 32 bits: IR_EQ64 or IR_LTU64 or IR_GEU64.
static ir_ref compare(struct lift *l, enum ir_op op, ir_ref a, ir_ref b) {
    enum ir_op op32 = op == IR_EQ64 ? IR_EQ32 : op == IR_LTU64 ? IR_LTU32 : IR_GEU32;
    u64 k;
    if (ir_is_const(l->b, a, &k) && ir_is_const(l->b, b, &k))
        return ir_emit(l->b, op, a, b, 0, 0, 0);
    ir_ref x = as_i32(l, a), y = as_i32(l, b);
    return ir_emit(l->b, x && y ? op32 : op, x && y ? x : a, x && y ? y : b, 0, 0, 0);
}

static ir_ref is_set(struct lift *l, ir_ref v, u64 bit) {
    return ir_NE64(l->b, ir_AND64(l->b, v, xlift_k(l, bit)), xlift_k(l, 0));
}

static ir_ref invert(struct lift *l, ir_ref c) {
    static const u16 pairs[][2] = {{IR_EQ64, IR_NE64}, {IR_LTS64, IR_GES64}, {IR_LTU64, IR_GEU64},
                                   {IR_EQ32, IR_NE32}, {IR_LTS32, IR_GES32}, {IR_LTU32, IR_GEU32}};
    const struct ir_insn o = l->b->ops[c];
    for (unsigned i = 0; i < 6; i++)
        for (unsigned k = 0; k < 2; k++)
            if (o.op == pairs[i][k])
                return ir_emit(l->b, (enum ir_op)pairs[i][!k], o.a, o.b, 0, 0, 0);
    u64 k;
    if (o.op == IR_XOR32 && ir_is_const(l->b, o.b, &k) && k == 1) return o.a;
    return ir_XOR32(l->b, c, ir_const32(l->b, 1));
}

// When the flags are those of a comparison of floats in this block: b <= a, else 0.
static ir_ref float_compare(struct lift *l) {
    ir_ref a = l->b->known[X86_CELL(cc_a) / 8], b = l->b->known[X86_CELL(cc_b) / 8];
    u64 k;
    if (!a || !b || l->b->ops[a].op != IR_ZEXT32 || !ir_is_const(l->b, b, &k) || k != 1) return 0;
    ir_ref c = l->b->ops[a].a;
    return l->b->ops[c].op == IR_FLE64 || l->b->ops[c].op == IR_FLE32 ? c : 0;
}

static ir_ref carry_i32(struct lift *l) {
    ir_ref a, b, c = float_compare(l);
    u64 k;
    if (c) return invert(l, c);
    b = cc_b(l);
    if (ir_is_const(l->b, b, &k) && k == 0) return ir_const32(l->b, 0);
    a = cc_a(l);
    return compare(l, IR_LTU64, a, b);
}

ir_ref xlift_carry(struct lift *l) {
    ir_ref a = l->b->known[X86_CELL(cc_a) / 8], b = cc_b(l);
    u64 k;
    // A carry that was put there as a bit.
    if (a && ir_is_const(l->b, a, &k) && k == 0 && xlift_is_bit(l, b)) return b;
    return ir_ZEXT32(l->b, carry_i32(l));
}

// Signed comparison of canonical operands.
static ir_ref less(struct lift *l, bool or_equal, ir_ref a, ir_ref b, unsigned bits) {
    if (bits == 32) {
        ir_ref x = ir_TRUNC32(l->b, a), y = ir_TRUNC32(l->b, b);
        return or_equal ? ir_GES32(l->b, y, x) : ir_LTS32(l->b, x, y);
    }
    ir_ref x = xlift_sext(l, a, bits / 8), y = xlift_sext(l, b, bits / 8);
    return or_equal ? ir_GES64(l->b, y, x) : ir_LTS64(l->b, x, y);
}

static ir_ref sign(struct lift *l, ir_ref v, unsigned bits) {
    return less(l, false, v, xlift_k(l, 0), bits);
}

static ir_ref overflow(struct lift *l, u64 op) {
    unsigned bits = CC_BITS(op);
    u64 top = (u64)1 << (bits - 1);
    ir_ref r;
    switch (CC_KIND(op)) {
    case CC_FLAGS:
    case CC_X:
        return is_set(l, cc_x(l), FL_OF);
    case CC_LOGIC:
        return ir_const32(l->b, 0);
    case CC_ADD: {
        r = cc_res(l);
        ir_ref b = cc_b(l), a = ir_SUB64(l->b, r, b);
        return is_set(l, ir_AND64(l->b, ir_XOR64(l->b, a, r), ir_XOR64(l->b, b, r)), top);
    }
    case CC_SUB: {
        ir_ref a = cc_a(l), b = cc_b(l);
        r = cc_res(l);
        return is_set(l, ir_AND64(l->b, ir_XOR64(l->b, a, b), ir_XOR64(l->b, a, r)), top);
    }
    case CC_INC:
        return ir_EQ64(l->b, cc_res(l), xlift_k(l, top));
    case CC_DEC:
        return ir_EQ64(l->b, cc_res(l), xlift_k(l, top - 1));
    case CC_SHL:
        return ir_XOR32(l->b, sign(l, cc_res(l), bits), carry_i32(l));
    case CC_SHR:
        r = cc_res(l);
        return is_set(l, ir_XOR64(l->b, r, ir_SHL64(l->b, r, xlift_k(l, 1))), top);
    case CC_MUL:
        return carry_i32(l);
    case CC_CARRY:
        return ir_XOR32(l->b, is_set(l, cc_x(l), top), carry_i32(l));
    case CC_TOP:
        return is_set(l, cc_x(l), top);
    }
    return 0;
}

static ir_ref parity(struct lift *l) {
    ir_ref n = ir_POPCNT64(l->b, ir_AND64(l->b, cc_res(l), xlift_k(l, 0xff)));
    return ir_EQ64(l->b, ir_AND64(l->b, n, xlift_k(l, 1)), xlift_k(l, 0));
}

static ir_ref zero(struct lift *l, bool known, u64 op) {
    if (known && CC_KIND(op) == CC_SUB) {
        ir_ref a = cc_a(l);
        return compare(l, IR_EQ64, a, cc_b(l));
    }
    if (known && CC_KIND(op) == CC_FLAGS && float_compare(l))
        return ir_XOR32(l->b, l->b->ops[cc_res(l)].a, ir_const32(l->b, 1));
    if (known) return compare(l, IR_EQ64, cc_res(l), xlift_k(l, 0));
    ir_ref bare = is_set(l, cell(l, X86_CELL(cc_op)), CC_BARE << 6);
    ir_ref a = cc_a(l), b = cc_b(l), res = cc_res(l);
    return ir_EQ64(l->b, ir_SEL64(l->b, bare, ir_XOR64(l->b, a, b), res), xlift_k(l, 0));
}

static ir_ref below_equal(struct lift *l, bool known, u64 op) {
    if (known && CC_KIND(op) == CC_SUB) {
        ir_ref a = cc_a(l);
        return compare(l, IR_GEU64, cc_b(l), a);
    }
    u64 k;
    ir_ref f = float_compare(l);
    if (f && known && CC_KIND(op) == CC_FLAGS) { // not b < a
        const struct ir_insn o = l->b->ops[f];
        bool dbl = o.op == IR_FLE64;
        return invert(l, ir_emit(l->b, dbl ? IR_FLT64 : IR_FLT32, o.a, o.b, 0, 0, 0));
    }
    if (known && ir_is_const(l->b, cc_b(l), &k) && k == 0) return zero(l, known, op);
    ir_ref c = carry_i32(l);
    return ir_OR32(l->b, c, zero(l, known, op));
}

// The conditions that need the kind.
static ir_ref by_kind(struct lift *l, unsigned cc, u64 op) {
    unsigned bits = CC_BITS(op);
    enum cc_kind kind = CC_KIND(op);
    switch (cc) {
    case COND_O:
        return overflow(l, op);
    case COND_S:
        return kind == CC_FLAGS ? is_set(l, cc_x(l), FL_SF) : sign(l, cc_res(l), bits);
    case COND_P:
        return kind == CC_FLAGS ? is_set(l, cc_x(l), FL_PF) : parity(l);
    case COND_L:
    case COND_LE:
        if (kind == CC_SUB) {
            ir_ref a = cc_a(l);
            return less(l, cc == COND_LE, a, cc_b(l), bits);
        }
        if (kind == CC_LOGIC) return less(l, cc == COND_LE, cc_res(l), xlift_k(l, 0), bits);
        break;
    default:
        break;
    }
    ir_ref lt = ir_XOR32(l->b, by_kind(l, COND_S, op), overflow(l, op));
    return cc == COND_L ? lt : ir_OR32(l->b, lt, zero(l, true, op));
}

ir_ref xlift_cond(struct lift *l, unsigned cc) {
    u64 op = 0;
    bool known = xlift_cc_known(l, &op);
    ir_ref c;
    switch (cc & 14) {
    case COND_B:
        c = carry_i32(l);
        break;
    case COND_Z:
        c = zero(l, known, op);
        break;
    case COND_BE:
        c = below_equal(l, known, op);
        break;
    default:
        if (known)
            c = by_kind(l, cc & 14, op);
        else
            c = ir_TRUNC32(l->b, ir_call(l->b, HELPER_cond, 0, 0, 0, cc & 14));
        break;
    }
    return cc & 1 ? invert(l, c) : c;
}

// AF where the kind is known, at its place.
static ir_ref auxiliary_ir(struct lift *l, u64 op) {
    ir_ref v;
    switch (CC_KIND(op)) {
    case CC_ADD: {
        ir_ref r = cc_res(l), b = cc_b(l), a = ir_SUB64(l->b, r, b);
        v = ir_XOR64(l->b, ir_XOR64(l->b, a, b), r);
        break;
    }
    case CC_SUB: {
        ir_ref a = cc_a(l), b = cc_b(l);
        v = ir_XOR64(l->b, ir_XOR64(l->b, a, b), cc_res(l));
        break;
    }
    case CC_INC:
    case CC_DEC: {
        ir_ref low = ir_AND64(l->b, cc_res(l), xlift_k(l, 15));
        ir_ref is = ir_EQ64(l->b, low, xlift_k(l, CC_KIND(op) == CC_INC ? 0 : 15));
        return ir_SHL64(l->b, ir_ZEXT32(l->b, is), xlift_k(l, 4));
    }
    case CC_CARRY:
    case CC_TOP:
        v = cc_x(l);
        break;
    default:
        return xlift_k(l, 0);
    }
    return ir_AND64(l->b, v, xlift_k(l, FL_AF));
}

void xlift_cc_patch(struct lift *l, ir_ref cf, ir_ref of) {
    u64 op = 0;
    if (!xlift_cc_known(l, &op)) {
        ir_ref f = xlift_status(l);
        xlift_set_status(l, f);
        op = CC(CC_FLAGS, 8);
    }
    ir_ref x;
    if (CC_KIND(op) == CC_FLAGS || CC_KIND(op) == CC_X) {
        x = cc_x(l);
        if (of) x = ir_OR64(l->b, ir_AND64(l->b, x, xlift_k(l, ~(u64)FL_OF)), of);
    } else {
        if (!of) of = ir_SHL64(l->b, ir_ZEXT32(l->b, overflow(l, op)), xlift_k(l, 11));
        x = ir_OR64(l->b, of, auxiliary_ir(l, op));
        set_op(l, (u64)CC_X << 6 | (op & 63));
    }
    xlift_cc_x(l, x);
    if (cf) xlift_cc_carry_bit(l, cf);
}

void xlift_cc_keep_zero(struct lift *l, ir_ref cf) {
    // As a result of its own, so that the undefined flags do not depend on how the flags before
    // lay.
    u64 op = 0;
    bool known = xlift_cc_known(l, &op);
    ir_ref not_zero = ir_ZEXT32(l->b, invert(l, zero(l, known, op)));
    xlift_cc(l, CC_LOGIC, 8, not_zero);
    xlift_cc_carry_bit(l, cf);
}

ir_ref xlift_status(struct lift *l) { return ir_call(l->b, HELPER_eflags, 0, 0, 0, 0); }

void xlift_set_status(struct lift *l, ir_ref flags) {
    set_op(l, CC(CC_FLAGS, 8));
    ir_ref z = ir_AND64(l->b, flags, xlift_k(l, FL_ZF));
    ir_set(l->b, X86_CELL(cc_res), ir_XOR64(l->b, z, xlift_k(l, FL_ZF)));
    set_const(l, X86_CELL(cc_a), 0);
    ir_set(l->b, X86_CELL(cc_b), ir_AND64(l->b, flags, xlift_k(l, FL_CF)));
    ir_set(l->b, X86_CELL(cc_x), flags);
}

// ---- the same as C

static enum cc_kind kind_of(const struct x86_state *s) {
    unsigned kind = (unsigned)(s->cc_op >> 6);
    return kind == CC_CMP ? CC_SUB : (enum cc_kind)kind;
}

static u64 result_of(const struct x86_state *s) {
    if (!(s->cc_op & CC_BARE << 6)) return s->cc_res;
    return (s->cc_a - s->cc_b) & ~(u64)0 >> (64 - CC_BITS(s->cc_op));
}

// AF and OF.
static u64 by_operation(const struct x86_state *s, enum cc_kind kind, u64 r) {
    u64 a = s->cc_a, b = s->cc_b, x = s->cc_x, top = (u64)1 << (CC_BITS(s->cc_op) - 1), af;
    bool of;
    switch (kind) {
    case CC_FLAGS:
    case CC_X:
        return x & (FL_AF | FL_OF);
    case CC_ADD:
        af = (r - b) ^ b ^ r;
        of = ((r - b) ^ r) & (b ^ r) & top;
        break;
    case CC_SUB:
        af = a ^ b ^ r;
        of = (a ^ b) & (a ^ r) & top;
        break;
    case CC_INC:
        af = (r & 15) == 0 ? FL_AF : 0;
        of = r == top;
        break;
    case CC_DEC:
        af = (r & 15) == 15 ? FL_AF : 0;
        of = r == top - 1;
        break;
    case CC_SHL:
        return !!(r & top) != (a < b) ? FL_OF : 0;
    case CC_SHR:
        return (r ^ r << 1) & top ? FL_OF : 0;
    case CC_MUL:
        return a < b ? FL_OF : 0;
    case CC_CARRY:
        af = x;
        of = !!(x & top) != (a < b);
        break;
    case CC_TOP:
        af = x;
        of = x & top;
        break;
    default:
        return 0;
    }
    return (af & FL_AF) | (of ? FL_OF : 0);
}

u64 x86_status_flags(const struct x86_state *s) {
    enum cc_kind kind = kind_of(s);
    u64 f = s->cc_a < s->cc_b ? FL_CF : 0, r = result_of(s);
    if (r == 0) f |= FL_ZF;
    if (kind == CC_FLAGS) return f | (s->cc_x & (FL_SF | FL_PF | FL_AF | FL_OF));
    if (r >> (CC_BITS(s->cc_op) - 1) & 1) f |= FL_SF;
    if (!__builtin_parity((u32)r & 0xff)) f |= FL_PF;
    return f | by_operation(s, kind, r);
}

void x86_set_status_flags(struct x86_state *s, u64 flags) {
    s->cc_op = CC(CC_FLAGS, 8);
    s->cc_res = flags & FL_ZF ? 0 : 1;
    s->cc_a = 0;
    s->cc_b = flags & FL_CF;
    s->cc_x = flags & FL_STATUS;
}

u64 x86_eflags(const struct x86_state *s) {
    return s->eflags | x86_status_flags(s) | (s->df == 1 ? 0 : FL_DF);
}

u64 x86_help_eflags(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)a;
    (void)b;
    (void)c;
    (void)imm;
    return x86_status_flags(x86_of(g));
}

u64 x86_help_cond(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)a;
    (void)b;
    (void)c;
    u64 f = x86_status_flags(x86_of(g));
    bool less_than = !(f & FL_SF) != !(f & FL_OF);
    switch (imm) {
    case COND_O:
        return !!(f & FL_OF);
    case COND_B:
        return !!(f & FL_CF);
    case COND_Z:
        return !!(f & FL_ZF);
    case COND_BE:
        return !!(f & (FL_CF | FL_ZF));
    case COND_S:
        return !!(f & FL_SF);
    case COND_P:
        return !!(f & FL_PF);
    case COND_L:
        return less_than;
    default:
        return less_than || f & FL_ZF;
    }
}
