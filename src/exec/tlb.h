// Cached translations: several contexts, one for each recently used address space and privilege
// (the guest's tlb_key), so that switching between them forgets nothing. Direct-mapped, one table
// an access.
#ifndef BERTH_EXEC_TLB_H
#define BERTH_EXEC_TLB_H

#include "base/types.h"

enum { TLB_BITS = 9, TLB_SIZE = 1 << TLB_BITS, TLB_CONTEXTS = 16 };

// The entry for page address p is at index (p >> 12) % TLB_SIZE. An access of n bytes at va hits
// when (va ^ tag) <= 4096 - n, i.e. all of it lies in page `tag`. A tag that must not hit has index
// bits other than its slot's: the page's own with bit 12 flipped for a write entry whose page holds
// decoded code (no inline hit, but no page walk either), a fixed one with bit 13 flipped for none
// at all.
struct tlb_entry {
    u64 tag;
    uintptr_t addend; // host address = addend + (uintptr_t)va
};

#define TLB_SLOW       ((u64)1 << 12)
#define TLB_NONE(slot) ((u64)((slot) ^ 2) << 12)

struct tlb_context {
    struct tlb_entry r[TLB_SIZE], w[TLB_SIZE], x[TLB_SIZE];
    u64 key;
    u64 used;  // recency
    u64 jumps; // what jump-cache tags of this context are mixed with; renewed by every flush
    bool valid;
};

struct tlb {
    u32 live;   // at most so many filled entries a table (torture builds); 0: no limit
    u32 filled; // slots filled since the tables were last cleared for that reason
    u64 clock;
    u64 next_jumps;
    bool jumps_wrapped; // jump cache must be cleared by its owner
    struct tlb_context *cur;
    struct tlb_context ctx[TLB_CONTEXTS];
};

void tlb_init(struct tlb *t, unsigned live);
// Fills the slot of `page` (a guest page address) in `table`, one of the current context's.
void tlb_fill(struct tlb *t, struct tlb_entry *table, u64 page, u64 tag, uintptr_t addend);
// Makes the context for `key` current, reusing the least recently used one when there is none.
void tlb_switch(struct tlb *t, u64 key);
void tlb_flush_all(struct tlb *t);
// Contexts whose key equals `key` under `mask`: everything, or one page.
void tlb_flush_key(struct tlb *t, u64 key, u64 mask);
void tlb_flush_page(struct tlb *t, u64 va, u64 key, u64 mask);
// The page at host address `page` now holds code (or no longer): its write entries become slow
// (fast).
void tlb_set_slow(struct tlb *t, const u8 *page, bool slow);
// Every jump cached so far, in any context, is forgotten.
void tlb_forget_jumps(struct tlb *t);

// Jump-cache tags: contexts and code modes differ in bits that addresses do not use.
enum { JUMP_MODE_BITS = 5, JUMP_GENERATIONS = 1 << 10, JUMP_TAG_SHIFT = 48 };

#endif
