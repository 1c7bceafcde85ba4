// Address translation (SDM 3A ch. 4): none, 32-bit, PAE and 4-level paging; its cache key, flushes,
// and the accesses the CPU makes itself. Page tables are read through the bus; accessed and dirty
// bits are set after the walk. PAE's four top entries are read with each walk, not when CR3 is
// written.
//
// The key of a cached translation is in view.h.
//
// With SMAP a supervisor's access to a user page is never cached by the engine, so EFLAGS.AC is not
// in the key and STAC and CLAC change nothing that translated code depends on; a few such pages are
// remembered here, which saves the walk. (With AC in it they left
// translated code twice for each word copied from or to user space; without SMAP at all the
// kernel's context holds pages of user space, and each switch between address spaces clears it.)
#include "base/buf.h"
#include "guest/x86_64/state.h"
#include "guest/x86_64/view.h"

#define PTE_P  0x1u
#define PTE_W  0x2u
#define PTE_U  0x4u
#define PTE_A  0x20u
#define PTE_D  0x40u
#define PTE_PS 0x80u
#define PTE_G  0x100u
#define PTE_NX ((u64)1 << 63)

#define PF_P    1u
#define PF_W    2u
#define PF_U    4u
#define PF_RSVD 8u
#define PF_I    16u

u64 x86_tlb_key(const struct guest_state *g) {
    return x86_key_with(x86_const(g), x86_key_control(x86_const(g)));
}

// ---- the walk

struct walk {
    bool user; // with user privilege
    enum guest_access access;
    u64 rights;   // W and U of all levels together, NX of any
    unsigned low; // bits of the offset in the page
    bool global;
    // The entries that have an accessed bit, the leaf last.
    unsigned n;
    gpa at[4];
    u64 entry[4];
};

static u64 page_fault(const struct x86_state *s, const struct walk *w, unsigned code) {
    if (w->access == ACCESS_WRITE) code |= PF_W;
    if (w->user) code |= PF_U;
    if (w->access == ACCESS_EXEC && (s->efer & EFER_NXE || s->cr4 & CR4_SMEP)) code |= PF_I;
    return CAUSE_WITH(EXC_PF, code);
}

static u64 read_entry(struct x86_state *s, gpa at, unsigned size) {
    u8 *p = bus_ram_ptr(s->g.bus, at, size);
    if (unlikely(!p)) return ~(u64)0; // nothing there: all ones, whose reserved bits fault
    return size == 8 ? get_le64(p) : get_le32(p);
}

static void note_entry(struct walk *w, gpa at, u64 entry) {
    w->at[w->n] = at;
    w->entry[w->n++] = entry;
}

// Sets the accessed bits and, of the leaf, the dirty bit.
static void mark_entries(struct x86_state *s, struct walk *w) {
    for (unsigned i = 0; i < w->n; i++) {
        bool dirty = i == w->n - 1 && w->access == ACCESS_WRITE;
        u64 bits = PTE_A | (dirty ? PTE_D : 0);
        if ((w->entry[i] & bits) == bits) continue;
        w->entry[i] |= bits;
        u8 *p = bus_ram_ptr(s->g.bus, w->at[i], 1);
        if (!p) continue;
        *p = (u8)w->entry[i]; // A and D are in the first byte
        bus_ram_written(s->g.bus, w->at[i], 1);
    }
}

static u64 reserved_bits(const struct x86_state *s, unsigned level, bool large, bool pae) {
    u64 bad = (((u64)1 << 52) - 1) & ~X86_PAGE_MASK & ~(u64)0xfff;
    if (!(s->efer & EFER_NXE)) bad |= PTE_NX;
    if (pae) bad |= (u64)0x7ff << 52;
    if (large) bad |= (((u64)1 << (12 + 9 * level)) - 1) & ~(u64)0x1fff;
    return bad;
}

// 0, or the error code of a page fault.
static unsigned walk_32(struct x86_state *s, gva va, struct walk *w, gpa *pa) {
    gpa at = (s->cr3 & 0xfffff000u) + (va >> 22 & 1023) * 4;
    u64 pde = read_entry(s, at, 4);
    if (!(pde & PTE_P)) return ~0u;
    note_entry(w, at, pde);
    w->rights = pde & (PTE_W | PTE_U);
    if (pde & PTE_PS && s->cr4 & CR4_PSE) {
        if (pde & 0x3fe000) return PF_RSVD | PF_P;
        w->low = 22;
        w->global = pde & PTE_G;
        *pa = (pde & 0xffc00000u) | (va & 0x3fffff);
        return 0;
    }
    at = (pde & 0xfffff000u) + (va >> 12 & 1023) * 4;
    u64 pte = read_entry(s, at, 4);
    if (!(pte & PTE_P)) return ~0u;
    note_entry(w, at, pte);
    w->rights &= pte;
    w->low = 12;
    w->global = pte & PTE_G;
    *pa = (pte & 0xfffff000u) | (va & 0xfff);
    return 0;
}

static unsigned walk_64(struct x86_state *s, gva va, bool pae, struct walk *w, gpa *pa) {
    const u64 bad = reserved_bits(s, 0, false, pae);
    unsigned level = pae ? 2 : 3;
    u64 table = pae ? s->cr3 & 0xffffffe0u : s->cr3 & X86_PAGE_MASK, e;
    w->rights = PTE_W | PTE_U;
    for (;; level--) {
        gpa at = table + (va >> (12 + 9 * level) & 511) * 8;
        e = read_entry(s, at, 8);
        if (!(e & PTE_P)) return ~0u;
        bool top = pae && level == 2;
        bool large = level > 0 && e & PTE_PS && !top;
        if (e & (top ? bad | PTE_NX | 0x1e6 : bad)) return PF_RSVD | PF_P;
        if (large && (level == 3 || e & reserved_bits(s, level, true, pae))) return PF_RSVD | PF_P;
        if (!top) {
            u64 nx = (w->rights | e) & PTE_NX;
            w->rights = (w->rights & e & (PTE_W | PTE_U)) | nx;
            note_entry(w, at, e);
        }
        if (level == 0 || large) break;
        table = e & X86_PAGE_MASK;
    }
    w->low = 12 + 9 * level;
    u64 low = ((u64)1 << w->low) - 1;
    w->global = e & PTE_G;
    *pa = (e & X86_PAGE_MASK & ~low) | (va & low);
    return 0;
}

static unsigned walk(struct x86_state *s, gva va, struct walk *w, gpa *pa) {
    unsigned mode = x86_paging(s);
    if (mode == PAGING_32) return walk_32(s, va, w, pa);
    return walk_64(s, va, mode == PAGING_PAE, w, pa);
}

static bool smap_holds(const struct x86_state *s) {
    return s->cr4 & CR4_SMAP && !(s->eflags & FL_AC);
}

static void permissions(const struct x86_state *s, const struct walk *w,
                        struct guest_translation *out) {
    bool u = w->rights & PTE_U, wr = w->rights & PTE_W, nx = w->rights & PTE_NX;
    if (w->user) {
        out->read = u;
        out->write = u && wr;
        out->exec = u && !nx;
        return;
    }
    out->read = !(u && smap_holds(s));
    out->write = out->read && (wr || !(s->cr0 & CR0_WP));
    out->exec = !nx && !(u && s->cr4 & CR4_SMEP);
}

static bool allowed(const struct guest_translation *t, enum guest_access access) {
    return access == ACCESS_READ ? t->read : access == ACCESS_WRITE ? t->write : t->exec;
}

static void note_large(struct x86_state *s, gva first, gva last) {
    unsigned half = (unsigned)(first >> 63);
    if (s->large[half].lo > first) s->large[half].lo = first;
    if (s->large[half].hi < last) s->large[half].hi = last;
}

// What the engine may not keep, because STAC and CLAC would have to tell it, is kept here.
static struct x86_user_page *user_page(struct x86_state *s, gva va) {
    return &s->user_pages[(va >> GUEST_PAGE_SHIFT) % X86_USER_PAGES];
}

static void keep_user_page(struct x86_state *s, gva va, gpa pa, enum guest_access access,
                           bool write) {
    if (access == ACCESS_EXEC) return;
    *user_page(s, va) = (struct x86_user_page){.page = va >> GUEST_PAGE_SHIFT,
                                               .space = x86_key_of_cr3(s, s->cr3),
                                               .stamp = s->user_stamp,
                                               .pa = pa & ~(u64)(GUEST_PAGE_SIZE - 1),
                                               .write = write};
}

static bool find_user_page(struct x86_state *s, gva va, enum guest_access access, gpa *pa) {
    const struct x86_user_page *u = user_page(s, va);
    bool ok = u->stamp == s->user_stamp && u->page == va >> GUEST_PAGE_SHIFT &&
              u->space == x86_key_of_cr3(s, s->cr3) &&
              (access == ACCESS_READ || (access == ACCESS_WRITE && u->write));
    *pa = u->pa | va % GUEST_PAGE_SIZE;
    return ok;
}

static bool translate(struct x86_state *s, gva va, struct walk *w, struct guest_translation *out,
                      u64 *cause) {
    if (x86_paging(s) == PAGING_NONE) {
        *out = (struct guest_translation){.pa = va, .read = true, .write = true, .exec = true};
        return true;
    }
    if (x86_paging(s) == PAGING_LONG && !x86_canonical(va)) {
        *cause = CAUSE_GP0 | CAUSE_NONCANON;
        return false;
    }
    gpa pa = 0;
    unsigned bad = walk(s, va, w, &pa);
    if (bad) {
        *cause = page_fault(s, w, bad == ~0u ? 0 : bad);
        return false;
    }
    permissions(s, w, out);
    if (!allowed(out, w->access)) {
        *cause = page_fault(s, w, PF_P);
        return false;
    }
    mark_entries(s, w);
    if (!(w->entry[w->n - 1] & PTE_D)) out->write = false; // the first write must come back
    if (w->low > 12) {
        u64 low = ((u64)1 << w->low) - 1;
        note_large(s, va & ~low, va | low);
    }
    if (s->cr4 & CR4_SMAP && !w->user && w->rights & PTE_U) {
        keep_user_page(s, va, pa, w->access, out->write);
        out->read = out->write = false; // allowed now, with AC as it is
    }
    out->pa = pa;
    out->global = w->global && s->cr4 & CR4_PGE;
    return true;
}

bool x86_translate(struct guest_state *g, gva va, enum guest_access access,
                   struct guest_translation *out, u64 *cause) {
    struct x86_state *s = x86_of(g);
    struct walk w = {.user = s->cpl == 3, .access = access};
    gpa pa;
    if (s->code != X86_CODE64) va = (u32)va;
    if (s->eflags & FL_AC && !w.user && find_user_page(s, va, access, &pa)) {
        *out = (struct guest_translation){.pa = pa};
        return true;
    }
    return translate(s, va, &w, out, cause);
}

u64 x86_bus_fault(enum guest_access access) {
    (void)access; // there are none but of code outside of memory, which no processor has
    return CAUSE_GP0;
}

// ---- flushes

static void forget_large(struct x86_state *s) {
    for (unsigned half = 0; half < 2; half++) {
        s->large[half].lo = ~(u64)0;
        s->large[half].hi = 0;
    }
}

static void forget_user_pages(struct x86_state *s) { s->user_stamp++; }

void x86_mmu_reset(struct x86_state *s) {
    forget_large(s);
    forget_user_pages(s);
}

void x86_flush_all(struct x86_state *s) {
    guest_tlb_flush(&s->g);
    forget_large(s);
    forget_user_pages(s);
}

// A large page is cached in pieces of 4 KiB but one address stands for all of it.
void x86_flush_address(struct x86_state *s, gva va) {
    forget_user_pages(s);
    if (va < s->large[va >> 63].lo || va > s->large[va >> 63].hi)
        guest_tlb_flush_page(&s->g, va, 0, 0);
    else
        x86_flush_all(s);
}

// Without PCIDs everything but global pages is to be forgotten. What is cached under another CR3 is
// out of reach until that one is written, which forgets it then.
void x86_write_cr3(struct x86_state *s, u64 v) {
    bool pcids = s->cr4 & CR4_PCIDE, keep = pcids && v >> 63;
    s->cr3 = v & ~((u64)1 << 63);
    x86_keep_control(s);
    if (keep) return;
    u64 mask = pcids ? KEY_PCID_MASK : KEY_PCID_MASK | KEY_PAGE_MASK;
    forget_user_pages(s);
    guest_tlb_flush_key(&s->g, x86_key_of_cr3(s, s->cr3), mask);
}

u64 x86_help_invlpg(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    (void)b;
    (void)c;
    (void)imm;
    x86_flush_address(x86_of(g), a);
    return 0;
}

u64 x86_help_invpcid(struct guest_state *g, u64 type, u64 pcid, u64 va, u64 imm) {
    struct x86_state *s = x86_of(g);
    (void)imm;
    bool bad = type > 3 || pcid >> 12 || (type < 2 && !(s->cr4 & CR4_PCIDE) && pcid) ||
               (type == 0 && !x86_canonical(va));
    if (bad)
        x86_gp(s, 0);
    else if (type == 0)
        x86_flush_address(s, va);
    else if (type == 1)
        guest_tlb_flush_key(g, pcid << KEY_PCID_SHIFT, KEY_PCID_MASK);
    else
        x86_flush_all(s);
    forget_user_pages(s);
    return 0;
}

// ---- the CPU's own accesses

// They are made with a privilege of their own, to 64-bit addresses in all of long mode, and SMAP
// holds for them whatever AC says.
struct view {
    u64 cpl, eflags;
    u8 code;
};

static struct view enter_view(struct x86_state *s, bool user) {
    struct view old = {s->cpl, s->eflags, s->code};
    s->cpl = user ? 3 : 0;
    s->eflags &= ~(u64)FL_AC;
    if (s->efer & EFER_LMA) s->code = X86_CODE64;
    return old;
}

static void leave_view(struct x86_state *s, const struct view *old) {
    s->cpl = old->cpl;
    s->eflags = old->eflags;
    s->code = old->code;
}

enum { OWN_MOST = 64 }; // bytes: two pages at most

// As memcpy, which in wasm is a call out.
static void copy(u8 *to, const u8 *from, unsigned len) {
    for (; len >= 8; len -= 8, to += 8, from += 8) put_le64(to, get_le64(from));
    for (; len; len--) *to++ = *from++;
}

// What nearly all are: in long mode, in a page that the TLB knows.
static bool own_hit(struct x86_state *s, gva va, unsigned size, u8 *data, bool user, bool write) {
    if (!(s->efer & EFER_LMA) || va % GUEST_PAGE_SIZE > GUEST_PAGE_SIZE - size) return false;
    u64 key = s->key_control | (u64)user << KEY_USER_SHIFT;
    u8 *host = guest_own_hit(&s->g, key, va, write ? ACCESS_WRITE : ACCESS_READ);
    if (!host || !data) return host;
    if (write)
        copy(host, data, size);
    else
        copy(data, host, size);
    return true;
}

// All of it or nothing. Where there is no RAM: ones, and writes are lost. Without data only whether
// it can be done.
static bool own_access(struct x86_state *s, gva va, unsigned size, u8 *data, bool user, bool write,
                       struct x86_fault *f) {
    assert(size <= OWN_MOST && "what the CPU reads and writes itself is small");
    if (likely(own_hit(s, va, size, data, user, write))) return true;
    enum guest_access access = write ? ACCESS_WRITE : ACCESS_READ;
    unsigned room = GUEST_PAGE_SIZE - (unsigned)(va % GUEST_PAGE_SIZE);
    unsigned len[2] = {room < size ? room : size, room < size ? size - room : 0};
    u8 *host[2] = {NULL, NULL};
    struct view old = enter_view(s, user);
    u64 key = x86_key_with(s, x86_key_control(s));
    bool ok = true;
    for (unsigned i = 0; ok && i < 2 && len[i]; i++) {
        f->cr2 = va + (i ? len[0] : 0);
        if (s->code != X86_CODE64) f->cr2 = (u32)f->cr2;
        f->cause = 0;
        ok = guest_own_page(&s->g, key, f->cr2, access, &host[i], &f->cause);
    }
    leave_view(s, &old);
    for (unsigned i = 0; ok && data && i < 2 && len[i]; data += len[i++]) {
        if (host[i] && write) {
            copy(host[i], data, len[i]);
            guest_host_written(&s->g, host[i], len[i]);
        } else if (!write && host[i]) {
            copy(data, host[i], len[i]);
        } else if (!write) {
            memset(data, 0xff, len[i]);
        }
    }
    return ok;
}

bool x86_sys_read_bytes(struct x86_state *s, gva va, unsigned size, u8 *data, struct x86_fault *f) {
    return own_access(s, va, size, data, false, false, f);
}

bool x86_sys_read(struct x86_state *s, gva va, unsigned size, u64 *v, struct x86_fault *f) {
    u8 b[8] = {0};
    if (!own_access(s, va, size, b, false, false, f)) return false;
    *v = get_le64(b);
    return true;
}

bool x86_sys_write(struct x86_state *s, gva va, unsigned size, u64 v, struct x86_fault *f) {
    u8 b[8];
    put_le64(b, v);
    return own_access(s, va, size, b, false, true, f);
}

bool x86_stack_write(struct x86_state *s, gva va, unsigned size, u8 *data, bool user,
                     struct x86_fault *f) {
    return own_access(s, va, size, data, user, true, f);
}
