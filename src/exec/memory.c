// Guest memory beyond the inline hit: filling the TLB, page crossings, MMIO, stores to pages with
// code; and the services built on it that helpers use. Depends on the bus and the guest's
// translate.
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"

_Static_assert((int)ACCESS_READ == (int)TLB_READ && (int)ACCESS_WRITE == (int)TLB_WRITE &&
                   (int)ACCESS_EXEC == (int)TLB_EXEC,
               "a table an access");

static void fill(struct cpu *c, u64 own, enum guest_access access, u8 *page, u64 ppn,
                 const struct guest_translation *t) {
    uintptr_t addend = (uintptr_t)page - (uintptr_t)own;
    u64 tag = access == ACCESS_WRITE && c->pages[ppn] ? own ^ TLB_SLOW : own;
    tlb_fill(&c->tlb, (enum tlb_table)access, own, ppn, tag, addend, t->global);
    // A page that was written is likely read next; the walk has told whether it may be.
    if (access == ACCESS_WRITE && t->read)
        tlb_fill(&c->tlb, TLB_READ, own, ppn, own, addend, t->global);
}

// A write entry found slow: its page may have lost its code since.
static void refresh(struct cpu *c, struct tlb_entry *e, u64 own) {
    u64 ppn =
        (u64)((u8 *)(e->addend + (uintptr_t)own) - bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1)) >>
        GUEST_PAGE_SHIFT;
    if (!c->pages[ppn]) tlb_fill(&c->tlb, TLB_WRITE, own, ppn, own, e->addend, true);
}

u8 *mem_page(struct cpu *c, gva va, enum guest_access access, gpa *pa, bool *fault, u64 *cause) {
    u64 own = va & ~(u64)(GUEST_PAGE_SIZE - 1);
    struct tlb_context *x = c->tlb.cur;
    struct tlb_entry *table = access == ACCESS_READ ? x->r : access == ACCESS_WRITE ? x->w : x->x;
    struct tlb_entry *e = &table[(va >> GUEST_PAGE_SHIFT) % TLB_SIZE];
    *fault = false;
    if (unlikely(c->tlb.closed) && access != ACCESS_EXEC) watch_note(c, va, access == ACCESS_WRITE);
    if (e->tag == own) return (u8 *)(e->addend + (uintptr_t)own);
    if (e->tag == (own ^ TLB_SLOW)) {
        refresh(c, e, own);
        return (u8 *)(e->addend + (uintptr_t)own);
    }
    c->stats.tlb_misses++;
    struct guest_translation t;
    if (!c->arch->translate(c->s, va, access, &t, cause)) {
        *fault = true;
        return NULL;
    }
    *pa = t.pa;
    gpa base = t.pa & ~(u64)(GUEST_PAGE_SIZE - 1);
    u8 *page = bus_ram_ptr(c->bus, base, GUEST_PAGE_SIZE);
    if (page) {
        bool ok = access == ACCESS_READ ? t.read : access == ACCESS_WRITE ? t.write : t.exec;
        u64 ppn = (base - bus_ram_base(c->bus)) >> GUEST_PAGE_SHIFT;
        if (ok) fill(c, own, access, page, ppn, &t);
    }
    return page;
}

static bool raise(struct cpu *c, u64 cause, gva va) {
    guest_raise(c->s, cause, va);
    return false;
}

// Part of an access, within one page.
struct part {
    u8 *host; // NULL: MMIO at pa
    gpa pa;
    unsigned len;
};

static bool probe(struct cpu *c, gva va, unsigned len, enum guest_access access, struct part *p) {
    bool fault;
    u64 cause = 0;
    u8 *page = mem_page(c, va, access, &p->pa, &fault, &cause);
    if (fault) return raise(c, cause, va);
    p->host = page ? page + va % GUEST_PAGE_SIZE : NULL;
    p->len = len;
    return true;
}

static bool load_part(struct cpu *c, gva va, const struct part *p, u64 *val) {
    *val = 0;
    if (p->host) {
        memcpy(val, p->host, p->len);
        return true;
    }
    if (bus_mmio_read(c->bus, p->pa, p->len, val)) return true;
    if (c->arch->open_bus) {
        *val = ~(u64)0 >> (64 - 8 * p->len);
        return true;
    }
    return raise(c, c->arch->bus_fault(ACCESS_READ), va);
}

static bool store_part(struct cpu *c, gva va, const struct part *p, u64 val) {
    if (p->host) {
        memcpy(p->host, &val, p->len);
        u64 off = (u64)(p->host - bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1));
        if (c->pages[off >> GUEST_PAGE_SHIFT]) code_written(c, bus_ram_base(c->bus) + off, p->len);
        return true;
    }
    if (bus_mmio_write(c->bus, p->pa, p->len, val) || c->arch->open_bus) return true;
    return raise(c, c->arch->bus_fault(ACCESS_WRITE), va);
}

static unsigned first_part(gva va, unsigned size) {
    unsigned room = GUEST_PAGE_SIZE - (unsigned)(va % GUEST_PAGE_SIZE);
    return room < size ? room : size;
}

bool mem_writes_code(struct cpu *c, gva va, unsigned size) {
    for (unsigned done = 0; done < size;) {
        unsigned n = first_part(va + done, size - done);
        bool fault;
        u64 cause;
        gpa pa;
        u8 *page = mem_page(c, va + done, ACCESS_WRITE, &pa, &fault, &cause);
        if (!page) return false;
        u64 off = (u64)(page + (va + done) % GUEST_PAGE_SIZE -
                        bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1));
        if (code_is_at(c, bus_ram_base(c->bus) + off, n)) return true;
        done += n;
    }
    return false;
}

NOINLINE bool mem_load(struct cpu *c, gva va, unsigned size, bool for_write, u64 *val) {
    enum guest_access access = for_write ? ACCESS_WRITE : ACCESS_READ;
    unsigned n = first_part(va, size);
    struct part lo, hi;
    u64 low, high = 0;
    if (!probe(c, va, n, access, &lo)) return false;
    if (n < size && !probe(c, va + n, size - n, access, &hi)) return false;
    if (!load_part(c, va, &lo, &low)) return false;
    if (n < size && !load_part(c, va + n, &hi, &high)) return false;
    *val = n < size ? low | high << (8 * n) : low;
    return true;
}

NOINLINE bool mem_store(struct cpu *c, gva va, unsigned size, u64 val) {
    unsigned n = first_part(va, size);
    struct part lo, hi;
    if (!probe(c, va, n, ACCESS_WRITE, &lo)) return false;
    if (n < size && !probe(c, va + n, size - n, ACCESS_WRITE, &hi)) return false;
    if (!store_part(c, va, &lo, val)) return false;
    return n == size || store_part(c, va + n, &hi, val >> (8 * n));
}

bool guest_load(struct guest_state *s, gva va, unsigned size, u64 *val) {
    return mem_load(s->cpu, va, size, false, val);
}

bool guest_load_for_write(struct guest_state *s, gva va, unsigned size, u64 *val) {
    return mem_load(s->cpu, va, size, true, val);
}

bool guest_store(struct guest_state *s, gva va, unsigned size, u64 val) {
    return mem_store(s->cpu, va, size, val);
}

u8 *guest_host_page(struct guest_state *s, gva va, enum guest_access access) {
    struct cpu *c = s->cpu;
    bool fault;
    u64 cause;
    gpa pa;
    u8 *page = mem_page(c, va, access, &pa, &fault, &cause);
    if (!page) return NULL;
    return page + va % GUEST_PAGE_SIZE;
}

bool guest_own_page(struct guest_state *s, u64 key, gva va, enum guest_access access, u8 **host,
                    u64 *cause) {
    struct cpu *c = s->cpu;
    struct tlb_context *running = c->tlb.cur;
    gpa pa;
    bool fault;
    tlb_switch(&c->tlb, key);
    u8 *page = mem_page(c, va, access, &pa, &fault, cause);
    // Of many contexts it is one of the two used last, so it is still there. The other one is
    // likely to be asked for next.
    if (c->tlb.cur != running) c->tlb.last = c->tlb.cur;
    c->tlb.cur = running;
    *host = page ? page + va % GUEST_PAGE_SIZE : NULL;
    return !fault;
}

static u8 *hit(const struct tlb_context *x, gva va, enum guest_access access) {
    const struct tlb_entry *table = access == ACCESS_READ    ? x->r
                                    : access == ACCESS_WRITE ? x->w
                                                             : x->x;
    const struct tlb_entry *e = &table[(va >> GUEST_PAGE_SHIFT) % TLB_SIZE];
    if (e->tag != (va & ~(u64)(GUEST_PAGE_SIZE - 1))) return NULL;
    return (u8 *)(e->addend + (uintptr_t)va);
}

u8 *guest_host_hit(struct guest_state *s, gva va, enum guest_access access) {
    const struct tlb *t = &s->cpu->tlb;
    return t->closed ? NULL : hit(t->cur, va, access);
}

u8 *guest_own_hit(struct guest_state *s, u64 key, gva va, enum guest_access access) {
    const struct tlb *t = &s->cpu->tlb;
    const struct tlb_context *x = t->cur->key == key ? t->cur : t->last;
    return x->key == key && x->valid && !t->closed ? hit(x, va, access) : NULL;
}

void guest_host_written(struct guest_state *s, const u8 *p, u64 len) {
    struct cpu *c = s->cpu;
    u64 off = (u64)(p - bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1));
    code_written(c, bus_ram_base(c->bus) + off, len);
}

void guest_raise(struct guest_state *s, u64 cause, u64 tval) {
    s->cpu->run.cause = cause;
    s->cpu->run.tval = tval;
    s->exc = true;
}

void guest_tlb_flush(struct guest_state *s) { tlb_flush_all(&s->cpu->tlb); }

void guest_tlb_flush_page(struct guest_state *s, gva va, u64 key, u64 mask) {
    tlb_flush_page(&s->cpu->tlb, va, key, mask);
}

void guest_tlb_flush_key(struct guest_state *s, u64 key, u64 mask) {
    tlb_flush_key(&s->cpu->tlb, key, mask);
}

void guest_code_barrier(struct guest_state *s) {
    // Stores to decoded bytes are noticed when they happen, so there is nothing to forget.
    (void)s;
}

void guest_timer_changed(struct guest_state *s) {
    // The run ends, so that the next one's length is chosen anew (cpu.c).
    if (s->cpu->set.icount_time) s->cpu->attention = true;
}

u64 guest_icount(const struct guest_state *s) { return s->icount + s->insn_index; }
