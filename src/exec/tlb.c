// Translation contexts. Depends on base only. Whole flushes of a context touch its tables once
// (24 KiB); finding a context is a scan of 16 keys, most often ending at the first probe.
#include "exec/tlb.h"

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

static void clear(struct tlb *t, struct tlb_context *c) {
    for (u32 i = 0; i < TLB_SIZE; i++) c->r[i].tag = c->w[i].tag = c->x[i].tag = TLB_NONE(i);
    renew_jumps(t, c);
}

static u32 slot_of(u64 page) { return (u32)(page >> GUEST_PAGE_SHIFT) % TLB_SIZE; }

void tlb_init(struct tlb *t, unsigned live) {
    memset(t, 0, sizeof *t);
    t->live = live;
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) clear(t, &t->ctx[i]);
    t->cur = &t->ctx[0];
    t->cur->valid = true;
}

void tlb_fill(struct tlb *t, struct tlb_entry *table, u64 page, u64 tag, uintptr_t addend) {
    if (t->live && ++t->filled > t->live) {
        struct tlb_context *c = t->cur;
        for (u32 i = 0; i < TLB_SIZE; i++) c->r[i].tag = c->w[i].tag = c->x[i].tag = TLB_NONE(i);
        t->filled = 1;
    }
    table[slot_of(page)] = (struct tlb_entry){tag, addend};
}

void tlb_switch(struct tlb *t, u64 key) {
    if (t->cur->valid && t->cur->key == key) return;
    struct tlb_context *oldest = &t->ctx[0];
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_context *c = &t->ctx[i];
        if (c->valid && c->key == key) {
            c->used = ++t->clock;
            t->cur = c;
            return;
        }
        if (!c->valid) c->used = 0;
        if (c->used < oldest->used) oldest = c;
    }
    if (oldest->valid) clear(t, oldest);
    oldest->key = key;
    oldest->valid = true;
    oldest->used = ++t->clock;
    t->cur = oldest;
}

void tlb_flush_key(struct tlb *t, u64 key, u64 mask) {
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_context *c = &t->ctx[i];
        if (!c->valid || (c->key & mask) != (key & mask)) continue;
        clear(t, c);
        if (c != t->cur) c->valid = false;
    }
}

void tlb_flush_all(struct tlb *t) { tlb_flush_key(t, 0, 0); }

void tlb_flush_page(struct tlb *t, u64 va, u64 key, u64 mask) {
    u32 at = slot_of(va);
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_context *c = &t->ctx[i];
        if (!c->valid || (c->key & mask) != (key & mask)) continue;
        c->r[at].tag = c->w[at].tag = c->x[at].tag = TLB_NONE(at);
        renew_jumps(t, c);
    }
}

void tlb_set_slow(struct tlb *t, const u8 *page, bool slow) {
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_context *c = &t->ctx[i];
        if (!c->valid) continue;
        for (u32 k = 0; k < TLB_SIZE; k++) {
            struct tlb_entry *e = &c->w[k];
            u64 flipped = e->tag ^ TLB_SLOW;
            bool is_slow = slot_of(flipped) == k;
            if (!is_slow && slot_of(e->tag) != k) continue;
            u64 own = is_slow ? flipped : e->tag;
            if (e->addend + (uintptr_t)own != (uintptr_t)page) continue;
            e->tag = slow ? own ^ TLB_SLOW : own;
        }
    }
}

void tlb_forget_jumps(struct tlb *t) {
    for (unsigned i = 0; i < TLB_CONTEXTS; i++)
        if (t->ctx[i].valid) renew_jumps(t, &t->ctx[i]);
}
