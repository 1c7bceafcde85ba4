// Making a profile: which code is translated now, and from where, so that it can be translated
// ahead in another run. The form is jit_profile.c's. Depends on jit.c.
#include <stdlib.h>

#include "exec/jit.h"

// At most: translations that the host's optimising compiler is to take ahead.
enum { HOTTEST = 700 };

u64 profile_hash(const u8 page[GUEST_PAGE_SIZE]) {
    u32 a = 1, b = 2;
    for (u32 i = 0; i < GUEST_PAGE_SIZE; i += 4) {
        u32 w = get_le32(page + i);
        a = (a ^ w) * 0x9e3779b1u;
        b = (b + w) * 0x85ebca77u;
        a = a << 13 | a >> 19;
        b = b << 17 | b >> 15;
    }
    return (u64)a << 32 | b;
}

// ---- what is hot

// Is the code at `va` part of a function that is translated?
static bool in_function(const struct cpu *c, gva va) {
    const struct jit *j = c->jit;
    for (u32 i = 0; i < j->nregions; i++) {
        const struct jit_region *r = &j->regions[i];
        if (r->state != REGION_LIVE || r->kind != KIND_FUNCTION) continue;
        i64 rel = (i64)(va - r->at.page);
        for (unsigned k = 0; k < r->nspans; k++)
            if (r->spans[k].start <= rel && rel < r->spans[k].end) return true;
    }
    return false;
}

// Worth a translation of its own? Not a loop inside of another, which is formed by what is around
// it. In the kernel no place, either, that functions were returned to while what they called had no
// translation; programs have long functions that are gone on with from there.
static bool is_hot(const struct cpu *c, const struct jit_region *r) {
    if (r->state != REGION_LIVE) return false;
    if (r->kind != KIND_BLOCK) return !r->at.nstops;
    return !jit_of_kernel(r->at.page) || !in_function(c, r->at.page + r->start);
}

// How many runs have ended in each of the hottest translations, at least.
static u32 seen_by_hottest(const struct jit *j, bool kernel) {
    enum { MOST = 64 };
    u32 n[MOST] = {0}, sum = 0, k = MOST;
    for (u32 i = 0; i < j->nregions; i++) {
        const struct jit_region *r = &j->regions[i];
        if (r->state == REGION_LIVE && jit_of_kernel(r->at.page) == kernel)
            n[r->seen < MOST ? r->seen : MOST - 1]++;
    }
    while (k > 1 && sum + n[k - 1] <= HOTTEST) sum += n[--k];
    return k;
}

static void put_block(struct cpu *c, const struct block *k, u32 hottest, struct buf *out) {
    const struct jit_entry *e = jit_find_entry(c->jit, c->pages[k->ppn], k->start, k->mode);
    const struct jit_region *r = e && e->region ? &c->jit->regions[e->region - 1] : NULL;
    buf_printf(out, " %03x%s%s", k->start, k->called ? "c" : "", k->jumped ? "j" : "");
    if (!r || !is_hot(c, r)) return;
    buf_put_u8(out, (u8) "FLB"[r->kind]);
    if (r->seen >= hottest) buf_put_u8(out, 'h');
    if (r->seen && !jit_of_kernel(r->at.page)) buf_printf(out, "*%u", r->seen);
}

// The blocks of a physical page that are of that code mode, by their addresses.
static void put_blocks(struct cpu *c, u32 ppn, u32 mode, u32 hottest, struct buf *out) {
    u32 at[GUEST_PAGE_SIZE] = {0};
    for (u32 i = c->pages[ppn]->blocks; i; i = block_of(c, i)->page_next)
        if (block_of(c, i)->mode == mode && block_of(c, i)->taken) at[block_of(c, i)->start] = i;
    for (u32 k = 0; k < GUEST_PAGE_SIZE; k++)
        if (at[k]) put_block(c, block_of(c, at[k]), hottest, out);
    buf_put_u8(out, '\n');
}

// ---- of the kernel

// What page of the kernel lies `linear` below its guest address: that of most translations.
static bool find_linear(const struct cpu *c, u64 *linear) {
    const struct jit *j = c->jit;
    u64 best = 0;
    u32 votes = 0;
    for (u32 i = 0; i < j->nregions; i++) {
        const struct jit_region *r = &j->regions[i];
        if (r->state != REGION_LIVE || !jit_of_kernel(r->at.page)) continue;
        u64 d = r->at.page - ((u64)r->ppn[0] << GUEST_PAGE_SHIFT);
        if (!votes) best = d;
        if (d == best)
            votes++;
        else
            votes--;
    }
    *linear = best;
    return best != 0;
}

bool cpu_profile(struct cpu *c, struct buf *out) {
    u64 linear;
    u32 mode = c->arch->code_mode(c->s), hottest = c->jit ? seen_by_hottest(c->jit, true) : 0;
    if (!c->jit || !jit_of_kernel(c->s->pc) || !find_linear(c, &linear)) return false;
    buf_printf(out, PROFILE_HEADER "%x\n", mode);
    for (u32 ppn = 0; ppn < c->npages; ppn++) {
        u32 there;
        gva va = linear + ((u64)ppn << GUEST_PAGE_SHIFT);
        // Pages without translations have code that ran at the start, or seldom.
        if (!c->pages[ppn] || !c->pages[ppn]->regions) continue;
        if (!profile_fetched(c, va, &there) || there != ppn) continue;
        buf_printf(out, "p%llx", (unsigned long long)va);
        put_blocks(c, ppn, mode, hottest, out);
    }
    return !out->oom;
}

// ---- of programs

// The code mode of most of their translations; false: there are none.
static bool programs_mode(const struct jit *j, u32 *mode) {
    u32 n[1 << JUMP_MODE_BITS] = {0};
    *mode = 0;
    for (u32 i = 0; i < j->nregions; i++) {
        const struct jit_region *r = &j->regions[i];
        if (r->state != REGION_LIVE || jit_of_kernel(r->at.page)) continue;
        if (++n[r->mode] > n[*mode]) *mode = r->mode;
    }
    return n[*mode] != 0;
}

// The physical pages that translations of programs, of that code mode, are of: a byte each. NULL:
// out of memory.
static u8 *programs_pages(const struct cpu *c, u32 mode) {
    const struct jit *j = c->jit;
    u8 *pages = calloc(c->npages, 1);
    for (u32 i = 0; pages && i < j->nregions; i++) {
        const struct jit_region *r = &j->regions[i];
        if (r->state != REGION_LIVE || r->mode != mode || jit_of_kernel(r->at.page)) continue;
        for (unsigned k = 0; k < r->npages; k++) pages[r->ppn[k]] = 1;
    }
    return pages;
}

bool cpu_profile_programs(struct cpu *c, struct buf *out) {
    u32 mode;
    if (!c->jit || !programs_mode(c->jit, &mode)) return false;
    u32 hottest = seen_by_hottest(c->jit, false);
    u8 *pages = programs_pages(c, mode);
    if (!pages) return false;
    buf_printf(out, PROFILE_HEADER "%x\n", mode);
    for (u32 ppn = 0; ppn < c->npages; ppn++) {
        if (!pages[ppn]) continue;
        u64 pa = bus_ram_base(c->bus) + ((u64)ppn << GUEST_PAGE_SHIFT);
        u64 hash = profile_hash(bus_ram_ptr(c->bus, pa, GUEST_PAGE_SIZE));
        buf_printf(out, "q - %016llx", (unsigned long long)hash);
        put_blocks(c, ppn, mode, hottest, out);
    }
    free(pages);
    return !out->oom;
}
