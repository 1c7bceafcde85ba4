// String instructions with REP, INS and OUTS, ENTER with levels (SDM 2, 1 7.3.9). One call does a
// little and leaves the index and count registers exact, so that an interrupt or a fault may come
// between any two rounds; it says whether the instruction is complete.
//
// Whole pages of plain memory are moved and filled at once; everything else element by element
// through the engine's own accesses.
#include "base/buf.h"
#include "guest/x86_64/lift.h"

// A call counts as one instruction of the engine's budget, so it may not take much longer than
// some.
enum { CALL_WORK = 32, BULK_WORK = 16 };
enum { SHORT_COPY = 256 }; // bytes

struct str {
    struct x86_state *s;
    unsigned kind, adsize, seg, rep;
    unsigned size, shift; // 1 << shift bytes an element
    u64 mask;             // of indices and the count
    u64 step;             // of an index
};

static u64 index_of(const struct str *t, unsigned reg) { return t->s->r[reg] & t->mask; }

static void set_index(const struct str *t, unsigned reg, u64 v) {
    u64 *r = &t->s->r[reg];
    *r = t->adsize == 2 ? (*r & ~t->mask) | (v & t->mask) : v & t->mask;
}

// Linear address of an access; false: raised.
static bool address(const struct str *t, bool dst, bool write, u64 *va) {
    struct x86_state *s = t->s;
    unsigned seg = dst ? SEG_ES : t->seg;
    u64 off = index_of(t, dst ? RDI : RSI);
    if (s->code == X86_CODE64) {
        *va = off + (seg == SEG_FS || seg == SEG_GS ? s->seg_base[seg] : 0);
        return true;
    }
    *va = x86_help_linear(&s->g, off, 0, 0, seg | (u64)t->size << 8 | (u64)write << 16);
    return !s->g.exc;
}

static bool reads_src(const struct str *t) {
    return t->kind == STR_MOVS || t->kind == STR_CMPS || t->kind == STR_LODS || t->kind == STR_OUTS;
}
static bool uses_dst(const struct str *t) { return t->kind != STR_LODS && t->kind != STR_OUTS; }

static void compare_flags(struct x86_state *s, unsigned size, u64 a, u64 b) {
    s->cc_op = CC(CC_SUB, size);
    s->cc_a = a;
    s->cc_b = b;
    s->cc_res = (a - b) & xlift_mask(size);
}

static bool port_io(const struct str *t, u64 *v) {
    struct guest_state *g = &t->s->g;
    if (t->kind == STR_INS)
        *v = x86_help_in(g, t->s->r[RDX] & 0xffff, 0, 0, t->size);
    else
        x86_help_out(g, t->s->r[RDX] & 0xffff, *v, 0, t->size);
    return !g->exc;
}

// One element. False: raised, nothing changed.
static bool element(const struct str *t) {
    struct x86_state *s = t->s;
    u64 src = 0, dst = 0, a = s->r[RAX] & xlift_mask(t->size), b = 0;
    bool stores = t->kind == STR_MOVS || t->kind == STR_STOS || t->kind == STR_INS;
    bool compares = t->kind == STR_CMPS || t->kind == STR_SCAS;
    // The destination comes first in comparisons; it shows when both fault.
    if (compares && (!address(t, true, false, &dst) || !guest_load(&s->g, dst, t->size, &b)))
        return false;
    if (reads_src(t) && !address(t, false, false, &src)) return false;
    if (uses_dst(t) && !address(t, true, stores, &dst)) return false;
    if (reads_src(t) && !guest_load(&s->g, src, t->size, &a)) return false;
    if (t->kind == STR_INS && !guest_load_for_write(&s->g, dst, t->size, &b)) return false;
    if ((t->kind == STR_INS || t->kind == STR_OUTS) && !port_io(t, &a)) return false;
    if (compares) compare_flags(s, t->size, a, b);
    if (stores && !guest_store(&s->g, dst, t->size, a)) return false;
    if (t->kind == STR_LODS) s->r[RAX] = t->size == 4 ? a : (s->r[RAX] & ~xlift_mask(t->size)) | a;
    if (reads_src(t)) set_index(t, RSI, index_of(t, RSI) + t->step);
    if (uses_dst(t)) set_index(t, RDI, index_of(t, RDI) + t->step);
    return true;
}

// Elements of [va, ...) that lie wholly in its page.
static u64 in_page(const struct str *t, u64 va) { return (4096 - va % 4096) >> t->shift; }

static void fill(u8 *p, u64 v, unsigned size, u64 n) {
    if (size == 1) {
        memset(p, (int)(v & 0xff), n);
        return;
    }
    for (u64 i = 0; i < n; i++, p += size) { // not memcpy, which is a call out of wasm
        if (size == 8)
            put_le64(p, v);
        else if (size == 4)
            put_le32(p, (u32)v);
        else
            put_le16(p, (u16)v);
    }
}

// As memmove when `to` is not inside of what is copied. In wasm that is a call out, which takes
// longer than the copy of a kernel's saved registers.
static void copy_up(u8 *to, const u8 *from, u64 len) {
    for (; len >= 8; len -= 8, to += 8, from += 8) put_le64(to, get_le64(from));
    for (; len; len--) *to++ = *from++;
}

static void move(u8 *to, const u8 *from, unsigned size, u64 n) {
    u64 len = n * size;
    if (to + len <= from || from + len <= to || to <= from) {
        if (len <= SHORT_COPY)
            copy_up(to, from, len);
        else
            memmove(to, from, len);
        return;
    }
    // Overlapping upwards: what was just written is read again, element by element.
    for (u64 i = 0; i < n; i++) {
        u64 v = 0;
        memcpy(&v, from + i * size, size);
        memcpy(to + i * size, &v, size);
    }
}

// As many elements as can be done at once, up to n; 0: none.
static u64 bulk(const struct str *t, u64 n) {
    struct guest_state *g = &t->s->g;
    u64 src, dst;
    if ((t->kind != STR_MOVS && t->kind != STR_STOS) || t->step != t->size) return 0;
    if (t->s->code != X86_CODE64 && !(t->s->flat && t->seg <= SEG_DS && t->adsize == 4)) return 0;
    if (!address(t, true, true, &dst)) return 0;
    if (n > in_page(t, dst)) n = in_page(t, dst);
    if (t->kind == STR_MOVS) {
        if (!address(t, false, false, &src)) return 0;
        if (n > in_page(t, src)) n = in_page(t, src);
    }
    if (n < 2) return 0;
    u8 *to = guest_host_hit(g, dst, ACCESS_WRITE), *from = NULL;
    bool plain = to; // and so needs not be told
    if (!to && !(to = guest_host_page(g, dst, ACCESS_WRITE))) return 0;
    if (t->kind == STR_MOVS && !(from = guest_host_page(g, src, ACCESS_READ))) return 0;
    if (from)
        move(to, from, t->size, n);
    else
        fill(to, t->s->r[RAX], t->size, n);
    if (!plain) guest_host_written(g, to, n << t->shift);
    if (from) set_index(t, RSI, index_of(t, RSI) + (n << t->shift));
    set_index(t, RDI, index_of(t, RDI) + (n << t->shift));
    return n;
}

static bool goes_on(const struct str *t) {
    if (t->kind != STR_CMPS && t->kind != STR_SCAS) return true;
    return (t->s->cc_res == 0) == (t->rep == 1);
}

// What a kernel does several times in each page fault: REP MOVS and REP STOS upwards in 64-bit
// code, in pages that the TLB has. False: nothing was done.
static bool quick(struct x86_state *s, u64 imm) {
    unsigned kind = imm & 15, shift = imm >> 4 & 3, seg = imm >> 12 & 7;
    bool wide = (imm >> 8 & 3) == 3, rep = imm >> 16 & 3, moves = kind == STR_MOVS;
    if (!wide || !rep || (!moves && kind != STR_STOS) || seg == SEG_FS || seg == SEG_GS ||
        s->df != 1 || s->code != X86_CODE64 || s->eflags & FL_TF)
        return false;
    const u64 n = s->r[RCX], dst = s->r[RDI], src = s->r[RSI], len = n << shift;
    if (n - 1 >= GUEST_PAGE_SIZE || dst % GUEST_PAGE_SIZE + len > GUEST_PAGE_SIZE ||
        (moves && src % GUEST_PAGE_SIZE + len > GUEST_PAGE_SIZE))
        return false;
    u8 *to = guest_host_hit(&s->g, dst, ACCESS_WRITE), *from = NULL;
    if (!to || (moves && !(from = guest_host_hit(&s->g, src, ACCESS_READ)))) return false;
    if (moves) {
        move(to, from, 1u << shift, n);
        s->r[RSI] = src + len;
    } else {
        fill(to, s->r[RAX], 1u << shift, n);
    }
    s->r[RDI] = dst + len;
    s->r[RCX] = 0;
    return true;
}

u64 x86_help_string(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    if (quick(s, imm)) return 1;
    struct str t = {.s = s,
                    .kind = imm & 15,
                    .size = 1u << (imm >> 4 & 3),
                    .shift = imm >> 4 & 3,
                    .adsize = 1u << (imm >> 8 & 3),
                    .seg = imm >> 12 & 7,
                    .rep = imm >> 16 & 3};
    t.mask = xlift_mask(t.adsize);
    t.step = s->df * t.size;
    if ((t.kind == STR_INS || t.kind == STR_OUTS) && !x86_port_allowed(s, (u16)s->r[RDX], t.size)) {
        x86_gp(s, 0);
        return 0;
    }
    if (!t.rep) {
        (void)element(&t);
        return 1;
    }
    u64 left = index_of(&t, RCX);
    int work = s->eflags & FL_TF ? 1 : CALL_WORK; // a single step is one round
    while (left && work > 0) {
        u64 n = work > 1 ? bulk(&t, left) : 0;
        work -= n ? BULK_WORK : 1;
        if (!n) {
            if (g->exc || !element(&t)) return 0;
            n = 1;
        }
        left -= n;
        set_index(&t, RCX, left);
        if (left && !goes_on(&t)) return 1;
    }
    if (t.adsize == 4 && s->code == X86_CODE64 && !left) set_index(&t, RCX, 0);
    return left == 0;
}

// ENTER with levels (SDM 2A): the frame pointers of the enclosing procedures are copied.
u64 x86_help_enter(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    unsigned n = imm & 0xff, level = imm >> 8 & 31;
    u64 wide = s->code == X86_CODE64 ? ~(u64)0 : 0xffffffff, sp = s->r[RSP], bp = s->r[RBP], v;
    (void)a;
    (void)b;
    (void)c;
    u64 frame = (sp - n) & wide, bottom = (frame - (u64)level * n - (imm >> 16)) & wide;
    if (!guest_store(g, frame, n, bp)) return 0;
    for (unsigned i = 1; i < level; i++)
        if (!guest_load(g, (bp - i * n) & wide, n, &v) ||
            !guest_store(g, (frame - i * n) & wide, n, v))
            return 0;
    if (!guest_store(g, (frame - (u64)level * n) & wide, n, frame) ||
        !guest_load_for_write(g, bottom, n, &v))
        return 0;
    s->r[RBP] = n == 2 ? (bp & ~(u64)0xffff) | (frame & 0xffff) : frame;
    s->r[RSP] = bottom;
    return 0;
}
