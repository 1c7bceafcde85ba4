// Translation contexts. Depends on base only. Whole flushes of a context touch the slots that were
// filled; finding a context is a scan of 8 keys, most often ending at the first probe.
//
// With 512 slots two pages of a loop shared one every few runs of the same program, depending on
// where the guest put its stack and libraries: millions of misses, a fifth of the time. With 2,048
// a loop of Python missed 140,000 times.
//
// A context without local translations has any key of its class (the key without the address
// space): tlb_switch gives it the key that is asked for. So a kernel whose pages are global keeps
// its translations and its cached jumps through every fork, exec and switch, and costs no context
// an address space.
//
// Cached jumps outlive the table's entries, which are direct-mapped, so what pages they may go to
// is kept apart, in a filter; flushing a page that is not in it leaves them alone. Most flushes are
// of data pages. Another filter has all pages that were ever filled, which translated code may
// still have in locals: what is not in it is not looked for, and translated code that runs in that
// context goes on. So a kernel that has no user pages in its own context flushes them at no cost.
#include "exec/tlb.h"

#include <stdlib.h>
#include <string.h>

#include "mem/bus.h"

// The low 15 bits are left-shifted into bits 48..62 of an address, where a canonical one only
// repeats its sign, so equal tags mean equal address, context generation and mode.
static void renew_jumps(struct tlb *t, struct tlb_context *c) {
    if (++t->next_jumps == JUMP_GENERATIONS) {
        t->jumps_wrapped = true;
        t->next_jumps = 0;
        for (unsigned i = 0; i < TLB_CONTEXTS; i++) t->ctx[i].jumps = t->next_jumps++;
        return;
    }
    c->jumps = t->next_jumps;
}

static void clear_slot(struct tlb_context *c, u32 i) {
    c->r[i].tag = c->w[i].tag = c->x[i].tag = TLB_NONE(i);
}

static void clear_tables(struct tlb_context *c) {
    for (u32 k = 0; k < TLB_SIZE / 64; k++) {
        for (u64 w = c->filled[k]; w; w &= w - 1) clear_slot(c, 64 * k + (u32)__builtin_ctzll(w));
        c->filled[k] = 0;
    }
    memset(c->windows, 0, sizeof c->windows);
    c->open = 0;
}

static void clear(struct tlb *t, struct tlb_context *c) {
    t->changed = true;
    if (c != t->cur) t->elsewhere++;
    clear_tables(c);
    memset(c->execs, 0, sizeof c->execs);
    memset(c->seen, 0, sizeof c->seen);
    c->local = false;
    renew_jumps(t, c);
}

static u32 slot_of(u64 page) { return (u32)(page >> GUEST_PAGE_SHIFT) % TLB_SIZE; }

typedef u64 tlb_filter[2][TLB_FILTER_BITS / 64];

static u64 *filter_word(tlb_filter f, u64 va) {
    return &f[va >> 63][(va >> GUEST_PAGE_SHIFT) % TLB_FILTER_BITS / 64];
}

static u64 filter_bit(u64 va) { return (u64)1 << ((va >> GUEST_PAGE_SHIFT) % 64); }

static bool in_filter(tlb_filter f, u64 va) { return *filter_word(f, va) & filter_bit(va); }

static void put_in_filter(tlb_filter f, u64 va) { *filter_word(f, va) |= filter_bit(va); }

bool tlb_init(struct tlb *t, unsigned live, u64 space, u64 pages) {
    memset(t, 0, sizeof *t);
    t->live = live;
    t->space = space;
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        for (u32 k = 0; k < TLB_SIZE; k++) clear_slot(&t->ctx[i], k);
        clear(t, &t->ctx[i]);
    }
    t->cur = t->last = &t->ctx[0];
    t->cur->valid = true;
    t->writers = calloc((size_t)pages, sizeof *t->writers);
    return t->writers != NULL;
}

void tlb_free(struct tlb *t) { free(t->writers); }

static struct tlb_entry *table_of(struct tlb_context *c, enum tlb_table table) {
    return table == TLB_READ ? c->r : table == TLB_WRITE ? c->w : c->x;
}

void tlb_fill(struct tlb *t, enum tlb_table table, u64 page, u64 ppn, u64 tag, uintptr_t addend,
              bool global) {
    struct tlb_context *c = t->cur;
    if (t->live && ++t->filled > t->live) {
        t->changed = true;
        clear_tables(c);
        t->filled = 1;
    }
    u32 slot = slot_of(page);
    if (t->closed && table != TLB_EXEC) return;
    if (!global) c->local = true;
    put_in_filter(c->seen, page);
    if (table == TLB_EXEC) put_in_filter(c->execs, page);
    if (table == TLB_WRITE) {
        u16 *w = &t->writers[ppn], own = (u16)(slot + 1);
        if (*w != own) *w = *w == TLB_WRITERS_NONE ? own : TLB_WRITERS_MANY;
    }
    table_of(c, table)[slot] = (struct tlb_entry){tag, addend};
    c->filled[slot / 64] |= (u64)1 << slot % 64;
}

// How many pages follow `page` in steps of `step` that lie on the host as in the guest.
static u64 run_of(const struct tlb_entry *entries, u64 page, u64 step) {
    const uintptr_t addend = entries[slot_of(page)].addend;
    for (u64 n = 0;; n++) {
        page += step;
        const struct tlb_entry *e = &entries[slot_of(page)];
        if (n == TLB_SIZE || e->tag != page || e->addend != addend) return n;
    }
}

struct tlb_window tlb_area(const struct tlb *t, enum tlb_table table, u64 va) {
    static const u16 sizes[WINDOW_ROOMS] = WINDOW_SIZES;
    const struct tlb_entry *entries = table_of(t->cur, table);
    u64 page = va & ~(u64)(GUEST_PAGE_SIZE - 1), size;
    struct tlb_window w = {0};
    if (entries[slot_of(va)].tag != page) return w;
    w.lo = page - run_of(entries, page, -(u64)GUEST_PAGE_SIZE) * GUEST_PAGE_SIZE;
    size = page - w.lo + (1 + run_of(entries, page, GUEST_PAGE_SIZE)) * GUEST_PAGE_SIZE;
    for (unsigned k = 0; k < WINDOW_ROOMS; k++) w.room[k] = size - sizes[k] + 1;
    w.host = entries[slot_of(va)].addend + (uintptr_t)w.lo;
    return w;
}

void tlb_open_window(struct tlb *t, unsigned id, u64 va) {
    struct tlb_window w = tlb_area(t, id < TLB_WRITABLE ? TLB_READ : TLB_WRITE, va);
    if (!w.room[0]) return;
    t->cur->windows[id] = w;
    t->cur->open |= 1u << id;
}

void tlb_close(struct tlb *t, struct tlb_closed *kept) {
    struct tlb_context *c = kept->context = t->cur;
    memcpy(kept->r, c->r, sizeof kept->r);
    memcpy(kept->w, c->w, sizeof kept->w);
    for (u32 k = 0; k < TLB_SIZE / 64; k++)
        for (u64 w = c->filled[k]; w; w &= w - 1) {
            u32 i = 64 * k + (u32)__builtin_ctzll(w);
            c->r[i].tag = c->w[i].tag = TLB_NONE(i);
        }
    t->closed = true;
    t->changed = false;
}

void tlb_open(struct tlb *t, const struct tlb_closed *kept) {
    t->closed = false;
    if (t->changed) return;
    memcpy(kept->context->r, kept->r, sizeof kept->r);
    memcpy(kept->context->w, kept->w, sizeof kept->w);
}

static void make_current(struct tlb *t, struct tlb_context *c, u64 key) {
    c->key = key;
    c->valid = true;
    tlb_make_current(t, c);
}

void tlb_find(struct tlb *t, u64 key) {
    struct tlb_context *oldest = &t->ctx[0];
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_context *c = &t->ctx[i];
        if (c->valid && (c->key == key || (!c->local && !((c->key ^ key) & ~t->space)))) {
            make_current(t, c, key);
            return;
        }
        if (!c->valid) c->used = 0;
        if (c->used < oldest->used) oldest = c;
    }
    if (oldest->valid) clear(t, oldest);
    make_current(t, oldest, key);
}

static bool to_flush(const struct tlb_context *c, u64 key, u64 mask) {
    return c->valid && !((c->key ^ key) & mask) && (c->local || !mask);
}

void tlb_flush_key(struct tlb *t, u64 key, u64 mask) {
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_context *c = &t->ctx[i];
        if (!to_flush(c, key, mask)) continue;
        clear(t, c);
        if (c == t->cur)
            t->flushed = true;
        else
            c->valid = false;
    }
}

void tlb_flush_all(struct tlb *t) { tlb_flush_key(t, 0, 0); }

static void forget_entry(struct tlb_entry *table, u32 slot, u64 page) {
    u64 tag = table[slot].tag;
    if (tag == page || tag == (page ^ TLB_SLOW)) table[slot].tag = TLB_NONE(slot);
}

// Page `at`, a host address when `host` says so, is in none of the windows from `from` on any more.
static void shut_windows(struct tlb_context *c, unsigned from, u64 at, bool host) {
    for (u32 left = c->open >> from << from; left; left &= left - 1) {
        unsigned k = (unsigned)__builtin_ctz(left);
        struct tlb_window *w = &c->windows[k];
        u64 off = host ? (uintptr_t)((uintptr_t)at - w->host) : at - w->lo;
        if (off >= w->room[0]) continue;
        memset(w, 0, sizeof *w);
        c->open &= ~(1u << k);
    }
}

void tlb_flush_page(struct tlb *t, u64 va, u64 key, u64 mask) {
    u32 at = slot_of(va);
    u64 page = va & ~(u64)(GUEST_PAGE_SIZE - 1);
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_context *c = &t->ctx[i];
        if (!to_flush(c, key, mask) || !in_filter(c->seen, va)) continue;
        t->changed = true;
        if (c == t->cur)
            t->flushed = true;
        else
            t->elsewhere++;
        shut_windows(c, 0, page, false);
        forget_entry(c->r, at, page);
        forget_entry(c->w, at, page);
        forget_entry(c->x, at, page);
        if (in_filter(c->execs, va)) renew_jumps(t, c);
    }
}

void tlb_show_exec(struct tlb *t, u64 page, uintptr_t addend) {
    t->cur->x[slot_of(page)] = (struct tlb_entry){page, addend};
}

void tlb_hide_exec(struct tlb *t, u64 page) { forget_entry(t->cur->x, slot_of(page), page); }

// Whether slot k is one of the page at host address `page`, and fast.
static bool is_fast(const struct tlb_entry *e, u32 k, const u8 *page) {
    return slot_of(e->tag) == k && e->addend + (uintptr_t)e->tag == (uintptr_t)page;
}

void tlb_set_slow(struct tlb *t, u64 ppn, const u8 *page) {
    u32 first = 0, last = TLB_SIZE - 1, w = t->writers[ppn];
    if (w == TLB_WRITERS_NONE) return;
    t->changed = true;
    if (w != TLB_WRITERS_MANY) first = last = w - 1;
    t->writers[ppn] = TLB_WRITERS_NONE; // slow entries need not be found
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_context *c = &t->ctx[i];
        if (!c->valid) continue;
        shut_windows(c, TLB_WRITABLE, (uintptr_t)page, true);
        for (u32 word = first / 64; word <= last / 64; word++)
            for (u64 bits = c->filled[word]; bits; bits &= bits - 1) {
                u32 k = 64 * word + (u32)__builtin_ctzll(bits);
                if (is_fast(&c->w[k], k, page)) c->w[k].tag ^= TLB_SLOW;
            }
    }
}

void tlb_forget_jumps(struct tlb *t) {
    for (unsigned i = 0; i < TLB_CONTEXTS; i++)
        if (t->ctx[i].valid) renew_jumps(t, &t->ctx[i]);
}
