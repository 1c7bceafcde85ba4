// Segments (SDM 3A 3.4, 5): descriptors, loading segment registers, the checks of segmented modes,
// and what of it code depends on.
#include "guest/x86_64/decode.h"
#include "guest/x86_64/state.h"
#include "guest/x86_64/view.h"

#define DESC_TYPE(d) ((unsigned)((d) >> 40 & 15))
#define DESC_S(d)    ((d) >> 44 & 1)
#define DESC_DPL(d)  ((unsigned)((d) >> 45 & 3))
#define DESC_P(d)    ((d) >> 47 & 1)
#define TYPE_CODE    8u
#define TYPE_CONFORM 4u // of code; of data: expands down
#define TYPE_RW      2u // code: readable, data: writable
#define TYPE_ACC     1u

static bool fail(struct x86_fault *f, unsigned vector, u16 code) {
    f->cause = CAUSE_WITH(vector, code);
    f->cr2 = 0;
    return false;
}

// Real mode or virtual 8086.
static bool real_like(const struct x86_state *s) { return !(s->cr0 & CR0_PE) || s->eflags & FL_VM; }

void x86_desc_to_seg(u64 d, u16 sel, struct x86_seg *seg, u64 *base) {
    seg->sel = sel;
    seg->attr = (u16)(d >> 40 & 0xf0ff);
    u32 limit = (u32)((d & 0xffff) | (d >> 32 & 0xf0000));
    seg->limit = seg->attr & SEGA_G ? limit << 12 | 0xfff : limit;
    *base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
}

static bool in_table(const struct x86_state *s, u16 sel, u64 *at) {
    u64 base = sel & 4 ? s->ldt_base : s->gdt.base;
    u32 limit = sel & 4 ? s->ldt.limit : s->gdt.limit;
    if (sel & 4 && !(s->ldt.attr & SEGA_P)) return false;
    if ((sel | 7u) > limit) return false;
    *at = base + (sel & ~7u);
    return true;
}

bool x86_read_desc(struct x86_state *s, u16 sel, u64 *desc, struct x86_fault *f, unsigned vector) {
    u64 at;
    if (!in_table(s, sel, &at)) return fail(f, vector, sel & ~3u);
    return x86_sys_read(s, at, 8, desc, f);
}

void x86_mark_accessed(struct x86_state *s, u16 sel, u64 *desc) {
    struct x86_fault f;
    u64 at;
    if (*desc >> 40 & TYPE_ACC || !in_table(s, sel, &at)) return;
    *desc |= (u64)TYPE_ACC << 40;
    (void)x86_sys_write(s, at + 5, 1, *desc >> 40, &f);
}

// ---- what code depends on

static bool flat_data(const struct x86_state *s, unsigned i) {
    const struct x86_seg *g = &s->seg[i];
    return s->seg_base[i] == 0 && g->limit == 0xffffffff && g->attr & SEGA_P &&
           (g->attr & (SEGA_S | TYPE_CODE | TYPE_CONFORM | TYPE_RW)) == (SEGA_S | TYPE_RW);
}

void x86_update_mode(struct x86_state *s) {
    x86_keep_control(s);
    x86_update_code(s);
}

void x86_update_code(struct x86_state *s) {
    u16 cs = s->seg[SEG_CS].attr;
    if (real_like(s))
        s->code = X86_CODE16;
    else if (s->efer & EFER_LMA && cs & SEGA_L)
        s->code = X86_CODE64;
    else
        s->code = cs & SEGA_DB ? X86_CODE32 : X86_CODE16;
    // Nothing asks in 64-bit mode, and every system call comes by here.
    s->flat = s->code != X86_CODE64 && flat_data(s, SEG_DS) && flat_data(s, SEG_ES) &&
              flat_data(s, SEG_SS) && s->seg[SEG_SS].attr & SEGA_DB && s->seg_base[SEG_CS] == 0 &&
              s->seg[SEG_CS].limit == 0xffffffff;
}

u32 x86_code_mode(const struct guest_state *g) {
    return x86_mode_with(x86_const(g), x86_mode_control(x86_const(g)));
}

void x86_set_eip(struct x86_state *s, u64 eip) {
    s->g.pc = s->code == X86_CODE64 ? eip : (u32)(eip + s->seg_base[SEG_CS]);
}

// ---- loading

void x86_set_flat_seg(struct x86_state *s, unsigned seg, u16 sel, u16 attr) {
    s->seg[seg] = (struct x86_seg){sel, attr, 0xffffffff};
    s->seg_base[seg] = 0;
}

void x86_null_seg(struct x86_state *s, unsigned seg, u16 sel) {
    s->seg[seg] = (struct x86_seg){sel, 0, 0};
    s->seg_base[seg] = 0;
}

void x86_set_cs(struct x86_state *s, u16 sel, u64 desc, unsigned cpl) {
    x86_mark_accessed(s, sel, &desc);
    x86_desc_to_seg(desc, (u16)((sel & ~3u) | cpl), &s->seg[SEG_CS], &s->seg_base[SEG_CS]);
    s->cpl = cpl;
    x86_update_code(s);
}

static bool load_null(struct x86_state *s, unsigned seg, u16 sel, struct x86_fault *f) {
    bool ok = seg != SEG_SS || (s->code == X86_CODE64 && s->cpl < 3 && (sel & 3) == s->cpl);
    if (!ok) return fail(f, EXC_GP, 0);
    x86_null_seg(s, seg, sel);
    if (seg == SEG_SS) s->seg[seg].attr = (u16)(s->cpl << 5);
    return true;
}

static bool load_real(struct x86_state *s, unsigned seg, u16 sel) {
    s->seg[seg].sel = sel;
    s->seg_base[seg] = (u64)sel << 4;
    if (s->eflags & FL_VM) s->seg[seg] = (struct x86_seg){sel, 0xf3, 0xffff};
    return true;
}

static bool check_data(struct x86_state *s, unsigned seg, u16 sel, u64 d, struct x86_fault *f) {
    unsigned type = DESC_TYPE(d), rpl = sel & 3, dpl = DESC_DPL(d);
    bool ok;
    if (seg == SEG_SS)
        ok = DESC_S(d) && !(type & TYPE_CODE) && type & TYPE_RW && rpl == s->cpl && dpl == s->cpl;
    else if (type & TYPE_CODE)
        ok = DESC_S(d) && type & TYPE_RW && (type & TYPE_CONFORM || (dpl >= s->cpl && dpl >= rpl));
    else
        ok = DESC_S(d) && dpl >= s->cpl && dpl >= rpl;
    if (!ok) return fail(f, EXC_GP, sel & ~3u);
    if (!DESC_P(d)) return fail(f, seg == SEG_SS ? EXC_SS : EXC_NP, sel & ~3u);
    return true;
}

bool x86_load_seg(struct x86_state *s, unsigned seg, u16 sel, struct x86_fault *f) {
    u64 d;
    if (real_like(s)) {
        load_real(s, seg, sel);
    } else if ((sel & ~3u) == 0) {
        if (!load_null(s, seg, sel, f)) return false;
    } else {
        if (!x86_read_desc(s, sel, &d, f, EXC_GP) || !check_data(s, seg, sel, d, f)) return false;
        x86_mark_accessed(s, sel, &d);
        x86_desc_to_seg(d, sel, &s->seg[seg], &s->seg_base[seg]);
    }
    x86_update_code(s);
    return true;
}

static u64 load_seg(struct x86_state *s, unsigned seg, u16 sel) {
    struct x86_fault f;
    if (!x86_load_seg(s, seg, sel, &f))
        x86_fault(s, &f);
    else if (seg == SEG_SS) {
        s->shadow_at = guest_icount(&s->g) + 1;
        s->shadow_ss = true;
    }
    return 0;
}

u64 x86_help_load_seg(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b;
    (void)c;
    return load_seg(x86_of(g), (unsigned)imm, (u16)a);
}

u64 x86_help_load_seg64(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b;
    (void)c;
    return load_seg(x86_of(g), (unsigned)imm, (u16)a);
}

u64 x86_help_selector(struct guest_state *g, u64 a, u64 b, u64 c, u64 seg) {
    (void)a;
    (void)b;
    (void)c;
    return x86_of(g)->seg[seg % 6].sel;
}

u64 x86_help_store_sel(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    if (imm < 2 && real_like(s)) {
        guest_raise(g, EXC_UD, 0);
        return 0;
    }
    if (s->cr4 & CR4_UMIP && s->cpl) {
        x86_gp(s, 0);
        return 0;
    }
    return imm == 0 ? s->ldt.sel : imm == 1 ? s->tr.sel : s->cr0;
}

// LDT or TSS descriptors have 16 bytes in long mode.
static bool system_desc(struct x86_state *s, u16 sel, u64 *d, u64 *base, struct x86_seg *seg,
                        struct x86_fault *f) {
    u64 high = 0, at;
    if (sel & 4 || !in_table(s, sel, &at)) return fail(f, EXC_GP, sel & ~3u);
    if (!x86_sys_read(s, at, 8, d, f)) return false;
    if (s->efer & EFER_LMA) {
        if ((sel | 15u) > s->gdt.limit) return fail(f, EXC_GP, sel & ~3u);
        if (!x86_sys_read(s, at + 8, 8, &high, f)) return false;
    }
    x86_desc_to_seg(*d, sel, seg, base);
    *base |= high << 32;
    return true;
}

static void load_system(struct x86_state *s, u16 sel, bool task) {
    struct x86_fault f;
    struct x86_seg seg = {sel, 0, 0};
    u64 d, base = 0;
    if (real_like(s)) {
        guest_raise(&s->g, EXC_UD, 0);
        return;
    }
    if ((sel & ~3u) == 0) {
        if (task) {
            x86_gp(s, 0);
            return;
        }
    } else {
        if (!system_desc(s, sel, &d, &base, &seg, &f)) goto bad;
        unsigned type = DESC_TYPE(d);
        bool ok =
            !DESC_S(d) && (task ? type == 9 || (type == 1 && !(s->efer & EFER_LMA)) : type == 2);
        if (!ok || !x86_canonical(base)) fail(&f, EXC_GP, sel & ~3u);
        if (!ok || !x86_canonical(base)) goto bad;
        if (!DESC_P(d)) {
            fail(&f, EXC_NP, sel & ~3u);
            goto bad;
        }
        if (task) { // busy
            seg.attr |= 2;
            if (!x86_sys_write(s, s->gdt.base + (sel & ~7u) + 5, 1, (d | (u64)2 << 40) >> 40, &f))
                goto bad;
        }
    }
    if (task) {
        s->tr = seg;
        s->tr_base = base;
    } else {
        s->ldt = seg;
        s->ldt_base = base;
    }
    return;
bad:
    x86_fault(s, &f);
}

u64 x86_help_lldt(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b;
    (void)c;
    (void)imm;
    load_system(x86_of(g), (u16)a, false);
    return 0;
}

u64 x86_help_ltr(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b;
    (void)c;
    (void)imm;
    load_system(x86_of(g), (u16)a, true);
    return 0;
}

// ---- looking at selectors. 0 on anything wrong but a fault of the access itself.

static bool look(struct x86_state *s, u16 sel, u64 *d) {
    struct x86_fault f = {0, 0};
    u64 at;
    if (real_like(s)) {
        guest_raise(&s->g, EXC_UD, 0);
        return false;
    }
    if ((sel & ~3u) == 0 || !in_table(s, sel, &at)) return false;
    if (x86_sys_read(s, at, 8, d, &f)) return true;
    x86_fault(s, &f);
    return false;
}

static bool visible(const struct x86_state *s, u16 sel, u64 d) {
    unsigned conform = DESC_S(d) && (DESC_TYPE(d) & 12) == 12;
    return conform || (DESC_DPL(d) >= s->cpl && DESC_DPL(d) >= (sel & 3u));
}

u64 x86_help_verify(struct guest_state *g, u64 a, u64 b, u64 c, u64 write) {
    struct x86_state *s = x86_of(g);
    u64 d;
    (void)b;
    (void)c;
    if (!look(s, (u16)a, &d) || !DESC_S(d) || !visible(s, (u16)a, d)) return 0;
    bool code = DESC_TYPE(d) & TYPE_CODE, rw = DESC_TYPE(d) & TYPE_RW;
    return write ? !code && rw : !code || rw;
}

u64 x86_help_lar(struct guest_state *g, u64 a, u64 b, u64 c, u64 limit) {
    struct x86_state *s = x86_of(g);
    u64 d, base;
    (void)b;
    (void)c;
    if (!look(s, (u16)a, &d) || !visible(s, (u16)a, d)) return 0;
    if (!DESC_S(d)) {
        // Valid system types: SDM 2A LAR, table 3-54; LSL knows no gates.
        bool lma = s->efer & EFER_LMA;
        u32 ok =
            lma ? 1u << 2 | 1u << 9 | 1u << 11 : 1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 11;
        if (!limit) ok |= lma ? 1u << 12 : 1u << 4 | 1u << 5 | 1u << 12;
        if (!(ok >> DESC_TYPE(d) & 1)) return 0;
    }
    struct x86_seg seg;
    x86_desc_to_seg(d, (u16)a, &seg, &base);
    return (u64)1 << 32 | (limit ? seg.limit : (u32)(d >> 32) & 0x00ffff00u);
}

u64 x86_help_arpl(struct guest_state *g, u64 a, u64 src, u64 c, u64 memory) {
    u64 v = a;
    (void)c;
    if (real_like(x86_of(g))) {
        guest_raise(g, EXC_UD, 0);
        return 0;
    }
    if (memory && !guest_load(g, a, 2, &v)) return 0;
    if ((v & 3) >= (src & 3)) return v;
    v = (v & ~(u64)3) | (src & 3);
    if (memory) (void)guest_store(g, a, 2, v);
    return v | 1 << 16;
}

// ---- descriptor tables

u64 x86_help_table_limit(struct guest_state *g, u64 a, u64 b, u64 c, u64 idt) {
    struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    if (s->cr4 & CR4_UMIP && s->cpl) x86_gp(s, 0);
    return idt ? s->idt.limit : s->gdt.limit;
}

u64 x86_help_table_base(struct guest_state *g, u64 a, u64 b, u64 c, u64 idt) {
    const struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    return idt ? s->idt.base : s->gdt.base;
}

u64 x86_help_set_table(struct guest_state *g, u64 limit, u64 base, u64 c, u64 idt) {
    struct x86_state *s = x86_of(g);
    (void)c;
    if (s->efer & EFER_LMA && !x86_canonical(base))
        x86_gp(s, 0);
    else
        *(idt ? &s->idt : &s->gdt) = (struct x86_table){base, (u16)limit};
    return 0;
}

// ---- segmented accesses

static bool seg_access_ok(const struct x86_state *s, const struct x86_seg *g, u32 off, u32 last,
                          bool write) {
    bool real = real_like(s), code = g->attr & TYPE_CODE, rw = g->attr & TYPE_RW;
    if (!real) {
        if (!(g->attr & SEGA_P)) return false;
        if (write ? code || !rw : code && !rw) return false;
    }
    if (last < off) return false;
    if (!real && !code && g->attr & TYPE_CONFORM) // expands down
        return off > g->limit && last <= (g->attr & SEGA_DB ? 0xffffffff : 0xffff);
    return last <= g->limit;
}

static bool linear(struct x86_state *s, unsigned seg, u64 off, unsigned size, bool write, u64 *va) {
    if (!seg_access_ok(s, &s->seg[seg], (u32)off, (u32)off + size - 1, write)) {
        guest_raise(&s->g, seg == SEG_SS ? CAUSE_WITH(EXC_SS, 0) : CAUSE_GP0, 0);
        return false;
    }
    *va = (u32)(off + s->seg_base[seg]);
    return true;
}

u64 x86_help_linear(struct guest_state *g, u64 off, u64 b, u64 c, u64 imm) {
    u64 va = 0;
    (void)b;
    (void)c;
    (void)linear(x86_of(g), imm & 7, off, imm >> 8 & 0xff, imm >> 16 & 1, &va);
    return va;
}

static u64 stack_mask(const struct x86_state *s) {
    return s->seg[SEG_SS].attr & SEGA_DB ? 0xffffffff : 0xffff;
}

static void move_stack(struct x86_state *s, u64 sp) {
    u64 m = stack_mask(s);
    s->r[RSP] = m == 0xffff ? (s->r[RSP] & ~m) | (sp & m) : sp & m;
}

u64 x86_help_push(struct guest_state *g, u64 v, u64 b, u64 c, u64 size) {
    struct x86_state *s = x86_of(g);
    u64 sp = (s->r[RSP] - size) & stack_mask(s), va;
    (void)b;
    (void)c;
    if (linear(s, SEG_SS, sp, (unsigned)size, true, &va) && guest_store(g, va, (unsigned)size, v))
        move_stack(s, sp);
    return 0;
}

u64 x86_help_peek(struct guest_state *g, u64 a, u64 b, u64 c, u64 size) {
    struct x86_state *s = x86_of(g);
    u64 va, v = 0;
    (void)a;
    (void)b;
    (void)c;
    if (linear(s, SEG_SS, s->r[RSP] & stack_mask(s), (unsigned)size, false, &va))
        (void)guest_load(g, va, (unsigned)size, &v);
    return v;
}

u64 x86_help_drop(struct guest_state *g, u64 a, u64 b, u64 c, u64 bytes) {
    struct x86_state *s = x86_of(g);
    (void)a;
    (void)b;
    (void)c;
    move_stack(s, s->r[RSP] + bytes);
    return 0;
}
