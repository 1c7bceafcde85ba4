// Cached translations: several contexts, one for each recently used address space and privilege
// (the guest's tlb_key), so that switching between them forgets nothing. Direct-mapped, one table
// an access.
#ifndef BERTH_EXEC_TLB_H
#define BERTH_EXEC_TLB_H

#include "base/types.h"

enum { TLB_MAX_BITS = 8, TLB_MAX = 1 << TLB_MAX_BITS, TLB_CONTEXTS = 16 };

// A hit: tag == va >> 12 of the access's last byte, at index (va >> 12) & mask of its first.
struct tlb_entry {
    u64 tag;
    uintptr_t addend; // host address = addend + (uintptr_t)va
};

#define TLB_NONE (~(u64)0)
// Set in a write entry's tag when the page holds decoded code: never an inline hit, but spares the
// walk.
#define TLB_SLOW ((u64)1 << 63)

struct tlb_context {
    struct tlb_entry r[TLB_MAX], w[TLB_MAX], x[TLB_MAX];
    u64 key;
    u64 used;  // recency
    u64 jumps; // what jump-cache tags of this context are mixed with; renewed by every flush
    bool valid;
};

struct tlb {
    u32 mask;
    u64 clock;
    u64 next_jumps;
    bool jumps_wrapped; // jump cache must be cleared by its owner
    struct tlb_context *cur;
    struct tlb_context ctx[TLB_CONTEXTS];
};

void tlb_init(struct tlb *t, unsigned bits);
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
enum { JUMP_MODE_BITS = 2, JUMP_GENERATIONS = 1 << 13, JUMP_TAG_SHIFT = 48 };

#endif
