// Transfers between segments and privilege levels (SDM 2, 3A 5.8): far jumps, calls and returns,
// IRET, SYSCALL, SYSENTER. Call gates and task switches are not there and end in #GP with the
// selector.
#include "base/buf.h"
#include "guest/x86_64/decode.h"
#include "guest/x86_64/state.h"

static u64 raise_fault(struct x86_state *s, const struct x86_fault *f) {
    x86_fault(s, f);
    return 0;
}

static bool fail(struct x86_fault *f, unsigned vector, u32 code) {
    f->cause = CAUSE_WITH(vector, code);
    f->cr2 = 0;
    return false;
}

static bool real_like(const struct x86_state *s) { return !(s->cr0 & CR0_PE) || s->eflags & FL_VM; }

static u64 stack_mask(const struct x86_state *s) {
    if (s->code == X86_CODE64) return ~(u64)0;
    return s->seg[SEG_SS].attr & SEGA_DB ? 0xffffffff : 0xffff;
}

static u64 stack_va(const struct x86_state *s, u64 off) {
    u64 sp = (s->r[RSP] + off) & stack_mask(s);
    return s->code == X86_CODE64 ? sp : (u32)(sp + s->seg_base[SEG_SS]);
}

// Item i of `size` bytes from the top of the stack. False: raised.
static bool peek(struct x86_state *s, unsigned i, unsigned size, u64 *v) {
    return guest_load(&s->g, stack_va(s, (u64)i * size), size, v);
}

static void move_stack(struct x86_state *s, u64 sp) {
    u64 m = stack_mask(s);
    s->r[RSP] = m == 0xffff ? (s->r[RSP] & ~m) | (sp & m) : sp & m;
}

static bool target_ok(u64 desc, u64 ip, bool lma) {
    bool is_long = lma && desc >> 53 & 1;
    return !is_long || x86_canonical(ip);
}

// A code segment that may be jumped to or called without a change of privilege.
static bool direct_code(struct x86_state *s, u16 sel, u64 *d, struct x86_fault *f) {
    if ((sel & ~3u) == 0) return fail(f, EXC_GP, 0);
    if (!x86_read_desc(s, sel, d, f, EXC_GP)) return false;
    unsigned type = (unsigned)(*d >> 40 & 31), dpl = (unsigned)(*d >> 45 & 3), rpl = sel & 3;
    bool ok = (type & 0x18) == 0x18 && (type & 4 ? dpl <= s->cpl : rpl <= s->cpl && dpl == s->cpl);
    bool lma = s->efer & EFER_LMA;
    if (!ok || (lma && (*d >> 53 & 3) == 3)) return fail(f, EXC_GP, sel & ~3u);
    if (!(*d >> 47 & 1)) return fail(f, EXC_NP, sel & ~3u);
    return true;
}

static bool push_far(struct x86_state *s, u64 cs, u64 ip, unsigned size) {
    u64 old;
    if (!guest_load_for_write(&s->g, stack_va(s, -(u64)size * 2), size, &old) ||
        !guest_store(&s->g, stack_va(s, -(u64)size), size, cs) ||
        !guest_store(&s->g, stack_va(s, -(u64)size * 2), size, ip))
        return false;
    move_stack(s, s->r[RSP] - 2 * size);
    return true;
}

u64 x86_help_far(struct guest_state *g, u64 ip, u64 sel, u64 back, u64 imm) {
    struct x86_state *s = x86_of(g);
    struct x86_fault f;
    unsigned size = imm & 0xff;
    bool call = imm >> 8 & 1;
    u64 d = 0;
    if (!real_like(s)) {
        if (!direct_code(s, (u16)sel, &d, &f)) return raise_fault(s, &f);
        if (!target_ok(d, ip, s->efer & EFER_LMA)) {
            x86_gp(s, 0);
            return 0;
        }
    }
    if (call && !push_far(s, s->seg[SEG_CS].sel, back, size)) return 0;
    if (real_like(s)) {
        s->seg[SEG_CS].sel = (u16)sel;
        s->seg_base[SEG_CS] = sel << 4;
    } else {
        x86_set_cs(s, (u16)sel, d, s->cpl);
    }
    x86_set_eip(s, size == 2 ? ip & 0xffff : ip);
    return 0;
}

// ---- returns

// A data segment that the less privileged code may not have is taken away.
static void drop_segments(struct x86_state *s) {
    static const u8 segs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < 4; i++) {
        const struct x86_seg *g = &s->seg[segs[i]];
        bool conform = (g->attr & 0x1c) == 0x1c;
        if (!(g->attr & SEGA_P) || conform || SEGA_DPL(g->attr) >= s->cpl) continue;
        x86_null_seg(s, segs[i], 0);
    }
}

// The code segment of a return.
static bool return_code(struct x86_state *s, u16 sel, u64 *d, struct x86_fault *f) {
    if ((sel & ~3u) == 0) return fail(f, EXC_GP, 0);
    if (!x86_read_desc(s, sel, d, f, EXC_GP)) return false;
    unsigned type = (unsigned)(*d >> 40 & 31), dpl = (unsigned)(*d >> 45 & 3), rpl = sel & 3;
    bool ok = (type & 0x18) == 0x18 && rpl >= s->cpl && (type & 4 ? dpl <= rpl : dpl == rpl);
    if (!ok || (s->efer & EFER_LMA && (*d >> 53 & 3) == 3)) return fail(f, EXC_GP, sel & ~3u);
    if (!(*d >> 47 & 1)) return fail(f, EXC_NP, sel & ~3u);
    return true;
}

// The stack segment of a return to privilege `cpl`, in code that is 64-bit or not.
static bool return_stack(struct x86_state *s, u16 sel, unsigned cpl, bool to64, u64 *d,
                         struct x86_fault *f) {
    *d = 0;
    if ((sel & ~3u) == 0) return (to64 && cpl < 3 && (sel & 3u) == cpl) || fail(f, EXC_GP, 0);
    if (!x86_read_desc(s, sel, d, f, EXC_GP)) return false;
    unsigned type = (unsigned)(*d >> 40 & 31), dpl = (unsigned)(*d >> 45 & 3);
    if ((sel & 3u) != cpl || (type & 0x1a) != 0x12 || dpl != cpl) return fail(f, EXC_GP, sel & ~3u);
    if (!(*d >> 47 & 1)) return fail(f, EXC_SS, sel & ~3u);
    return true;
}

struct ret {
    u64 ip, cs, sp, ss;
    bool outer; // sp and ss count
};

// Goes where a return says. False: raised, nothing changed.
static bool go_back(struct x86_state *s, const struct ret *r) {
    struct x86_fault f;
    u64 cs_desc, ss_desc = 0;
    unsigned rpl = r->cs & 3;
    bool lma = s->efer & EFER_LMA;
    if (!return_code(s, (u16)r->cs, &cs_desc, &f)) goto bad;
    bool to64 = lma && cs_desc >> 53 & 1;
    if (r->outer && !return_stack(s, (u16)r->ss, rpl, to64, &ss_desc, &f)) goto bad;
    if (to64 && !x86_canonical(r->ip)) {
        fail(&f, EXC_GP, 0);
        goto bad;
    }
    bool down = rpl > s->cpl;
    x86_set_cs(s, (u16)r->cs, cs_desc, rpl);
    if (r->outer) {
        if (ss_desc) {
            x86_mark_accessed(s, (u16)r->ss, &ss_desc);
            x86_desc_to_seg(ss_desc, (u16)r->ss, &s->seg[SEG_SS], &s->seg_base[SEG_SS]);
        } else {
            x86_null_seg(s, SEG_SS, (u16)r->ss);
            s->seg[SEG_SS].attr = (u16)(rpl << 5);
        }
        if (to64)
            s->r[RSP] = r->sp;
        else
            move_stack(s, r->sp);
    }
    if (down) drop_segments(s);
    x86_update_code(s);
    x86_set_eip(s, r->ip);
    return true;
bad:
    x86_fault(s, &f);
    return false;
}

u64 x86_help_retf(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    unsigned size = imm & 0xff;
    u64 more = imm >> 8;
    struct ret r = {0};
    (void)a;
    (void)b;
    (void)c;
    if (!peek(s, 0, size, &r.ip) || !peek(s, 1, size, &r.cs)) return 0;
    r.cs &= 0xffff;
    if (real_like(s)) {
        move_stack(s, s->r[RSP] + 2 * size + more);
        s->seg[SEG_CS].sel = (u16)r.cs;
        s->seg_base[SEG_CS] = r.cs << 4;
        x86_set_eip(s, r.ip & 0xffff);
        return 0;
    }
    r.outer = (r.cs & 3) > s->cpl;
    if (r.outer) {
        if (!guest_load(g, stack_va(s, 2 * size + more), size, &r.sp) ||
            !guest_load(g, stack_va(s, 3 * size + more), size, &r.ss))
            return 0;
        r.ss &= 0xffff;
        r.sp += more;
    }
    u64 sp = s->r[RSP] + 2 * size + more, mask = stack_mask(s);
    if (go_back(s, &r) && !r.outer)
        s->r[RSP] = mask == 0xffff ? (s->r[RSP] & ~mask) | (sp & mask) : sp & mask;
    return 0;
}

static void iret_real(struct x86_state *s, unsigned size) {
    u64 ip, cs, fl;
    if (s->eflags & FL_VM && (s->eflags & FL_IOPL) != FL_IOPL) {
        x86_gp(s, 0);
        return;
    }
    if (!peek(s, 0, size, &ip) || !peek(s, 1, size, &cs) || !peek(s, 2, size, &fl)) return;
    move_stack(s, s->r[RSP] + 3 * size);
    s->seg[SEG_CS].sel = (u16)cs;
    s->seg_base[SEG_CS] = (cs & 0xffff) << 4;
    u64 m = FL_IF | FL_TF | FL_IOPL | FL_NT;
    if (size > 2) m |= FL_AC | FL_ID | FL_RF;
    s->eflags = (s->eflags & ~m) | (fl & m) | 2;
    s->df = fl & FL_DF ? ~(u64)0 : 1;
    x86_set_status_flags(s, fl);
    x86_set_eip(s, ip);
}

static void iret_flags(struct x86_state *s, u64 fl, unsigned size, unsigned old_cpl) {
    u64 m = FL_TF | FL_NT;
    if (size > 2) m |= FL_RF | FL_AC | FL_ID;
    if (old_cpl <= (s->eflags & FL_IOPL) >> 12) m |= FL_IF;
    if (old_cpl == 0) m |= FL_IOPL | (size > 2 ? FL_VIF | FL_VIP : 0);
    s->eflags = (s->eflags & ~m) | (fl & m) | 2;
    s->df = fl & FL_DF ? ~(u64)0 : 1;
    x86_set_status_flags(s, fl);
}

// What IRET takes from the stack in 64-bit mode: with one look at the TLB if it lies in a page of
// memory. False: raised.
static bool peek_frame(struct x86_state *s, unsigned size, u64 items[5]) {
    gva at = s->r[RSP];
    bool whole = size == 8 && at % GUEST_PAGE_SIZE <= GUEST_PAGE_SIZE - 5 * 8;
    const u8 *p = whole ? guest_host_page(&s->g, at, ACCESS_READ) : NULL;
    for (unsigned i = 0; i < 5; i++) {
        if (p)
            items[i] = get_le64(p + 8 * i);
        else if (!peek(s, i, size, &items[i]))
            return false;
    }
    return true;
}

u64 x86_help_iret(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    unsigned size = (unsigned)imm, cpl = s->cpl;
    struct ret r = {0};
    u64 fl;
    (void)a;
    (void)b;
    (void)c;
    if (real_like(s)) {
        iret_real(s, size);
        return 0;
    }
    if (s->eflags & FL_NT) { // a task switch in legacy mode, which is not there
        x86_gp(s, 0);
        return 0;
    }
    bool from64 = s->code == X86_CODE64;
    u64 items[5];
    if (from64) {
        if (!peek_frame(s, size, items)) return 0;
        r = (struct ret){.ip = items[0], .cs = items[1], .sp = items[3], .ss = items[4]};
        fl = items[2];
    } else if (!peek(s, 0, size, &r.ip) || !peek(s, 1, size, &r.cs) || !peek(s, 2, size, &fl)) {
        return 0;
    }
    r.cs &= 0xffff;
    if (fl & FL_VM && size == 4 && cpl == 0 && !(s->efer & EFER_LMA)) {
        x86_gp(s, 0); // virtual 8086 mode: not there
        return 0;
    }
    r.outer = from64 || (r.cs & 3) > cpl;
    if (r.outer && !from64 && (!peek(s, 3, size, &r.sp) || !peek(s, 4, size, &r.ss))) return 0;
    r.ss &= 0xffff;
    u64 sp = s->r[RSP] + 3 * size, mask = stack_mask(s);
    if (!go_back(s, &r)) return 0;
    if (!r.outer) s->r[RSP] = mask == 0xffff ? (s->r[RSP] & ~mask) | (sp & mask) : sp & mask;
    iret_flags(s, fl, size, cpl);
    s->nmi_blocked = false;
    return 0;
}

// ---- fast system calls. Segments are fixed, descriptors are not read.

static void fixed_segments(struct x86_state *s, u16 cs, u16 ss, unsigned cpl, bool is64) {
    u16 dpl = (u16)(cpl << 5);
    u16 cs_attr = is64 ? 0x9b | SEGA_G | SEGA_L : 0x9b | SEGA_G | SEGA_DB;
    s->seg[SEG_CS] = (struct x86_seg){cs, cs_attr | dpl, 0xffffffff};
    s->seg[SEG_SS] = (struct x86_seg){ss, 0x93 | SEGA_G | SEGA_DB | dpl, 0xffffffff};
    s->seg_base[SEG_CS] = s->seg_base[SEG_SS] = 0;
    s->cpl = cpl;
    if (is64 && !(s->eflags & FL_VM)) { // what x86_update_code would find
        s->code = X86_CODE64;
        s->flat = false;
    } else {
        x86_update_code(s);
    }
}

u64 x86_help_syscall(struct guest_state *g, u64 next, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)b;
    (void)c;
    (void)imm;
    if (!(s->efer & EFER_SCE) || !(s->cr0 & CR0_PE)) return 1;
    u16 cs = (u16)(s->star >> 32) & 0xfffc;
    if (!(s->efer & EFER_LMA)) {
        s->r[RCX] = (u32)next;
        s->eflags &= ~(u64)(FL_VM | FL_IF | FL_RF);
        fixed_segments(s, cs, (u16)(cs + 8), 0, false);
        x86_set_eip(s, (u32)s->star);
        return 0;
    }
    bool from64 = s->code == X86_CODE64;
    u64 fl = x86_eflags(s) & ~(u64)FL_RF;
    s->r[RCX] = next;
    s->r[11] = fl;
    fl &= ~s->fmask;
    s->eflags = (fl & ~(u64)(FL_STATUS | FL_DF | FL_RF)) | 2;
    s->df = fl & FL_DF ? ~(u64)0 : 1;
    x86_set_status_flags(s, fl);
    fixed_segments(s, cs, (u16)(cs + 8), 0, true);
    x86_set_eip(s, from64 ? s->lstar : s->cstar);
    return 0;
}

u64 x86_help_sysret(struct guest_state *g, u64 a, u64 b, u64 c, u64 size) {
    struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    if (!(s->efer & EFER_SCE) || !(s->cr0 & CR0_PE)) return 1;
    u16 sel = (u16)(s->star >> 48);
    bool to64 = size == 8 && s->efer & EFER_LMA;
    u64 ip = to64 ? s->r[RCX] : (u32)s->r[RCX];
    if (s->efer & EFER_LMA) {
        u64 fl = s->r[11], keep = FL_VM;
        fl &= FL_STATUS | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_AC | FL_VIF | FL_VIP | FL_ID;
        s->eflags = (s->eflags & keep) | (fl & ~(u64)(FL_STATUS | FL_DF)) | 2;
        s->df = fl & FL_DF ? ~(u64)0 : 1;
        x86_set_status_flags(s, fl);
    } else {
        s->eflags |= FL_IF;
    }
    fixed_segments(s, (u16)((sel + (to64 ? 16 : 0)) | 3), (u16)((sel + 8) | 3), 3, to64);
    x86_set_eip(s, ip);
    return 0;
}

u64 x86_help_sysenter(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    (void)imm;
    if (!(s->cr0 & CR0_PE) || (s->sysenter_cs & 0xfffc) == 0) {
        x86_gp(s, 0);
        return 0;
    }
    bool lma = s->efer & EFER_LMA;
    u16 cs = (u16)(s->sysenter_cs & 0xfffc);
    s->eflags &= ~(u64)(FL_VM | FL_IF | FL_RF);
    fixed_segments(s, cs, (u16)(cs + 8), 0, lma);
    s->r[RSP] = lma ? s->sysenter_esp : (u32)s->sysenter_esp;
    x86_set_eip(s, lma ? s->sysenter_eip : (u32)s->sysenter_eip);
    return 0;
}

u64 x86_help_sysexit(struct guest_state *g, u64 a, u64 b, u64 c, u64 size) {
    struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    bool to64 = size == 8 && s->efer & EFER_LMA;
    u64 ip = s->r[RDX], sp = s->r[RCX];
    if (!(s->cr0 & CR0_PE) || (s->sysenter_cs & 0xfffc) == 0 ||
        (to64 && (!x86_canonical(ip) || !x86_canonical(sp)))) {
        x86_gp(s, 0);
        return 0;
    }
    u16 cs = (u16)(s->sysenter_cs & 0xfffc);
    fixed_segments(s, (u16)((cs + (to64 ? 32 : 16)) | 3), (u16)((cs + (to64 ? 40 : 24)) | 3), 3,
                   to64);
    s->r[RSP] = to64 ? sp : (u32)sp;
    x86_set_eip(s, to64 ? ip : (u32)ip);
    return 0;
}
