// Cached translations: several contexts, one for each recently used address space and privilege
// (the guest's tlb_key), so that switching between them forgets nothing. Direct-mapped, one table
// an access. A context that holds nothing but global translations serves every address space of
// its privilege: a kernel's own.
#ifndef BERTH_EXEC_TLB_H
#define BERTH_EXEC_TLB_H

#include "base/types.h"
#include "emit/wasm/region.h"
#include "guest/first.h"

enum { TLB_CONTEXTS = 8 };

// The entry for page address p is at index (p >> 12) % TLB_SIZE. An access of n bytes at va hits
// when (va ^ tag) <= 4096 - n, i.e. all of it lies in page `tag`. A tag that must not hit has index
// bits other than its slot's: the page's own with bit 12 flipped for a write entry whose page holds
// decoded code (no inline hit, but no page walk either), a fixed one with bit 13 flipped for none
// at all. (struct tlb_entry: guest/first.h)

// An area that lies on the host as it does in the guest, which translated code looks at instead of
// the tables: pages of the read table, from TLB_WRITABLE on of the write table. WINDOW_SIZES[k]
// bytes at address va are at host + (va - lo) when that distance is less than room[k]. All of the
// pages were filled since they were flushed last; entries of theirs may have made way for others.
enum { TLB_WINDOWS = 16, TLB_WRITABLE = 8 };
struct tlb_window {
    u64 lo, room[WINDOW_ROOMS];
    uintptr_t host;
};

#define TLB_SLOW       ((u64)1 << 12)
#define TLB_NONE(slot) ((u64)((slot) ^ 2) << 12)

enum { TLB_FILTER_BITS = 2048 }; // pages; each half of the address space has its own filter

struct tlb_context {
    struct tlb_entry r[TLB_SIZE], w[TLB_SIZE], x[TLB_SIZE];
    struct tlb_window windows[TLB_WINDOWS];
    u32 open; // bit k: windows[k] has room
    u64 key;
    u64 used;  // recency
    u64 jumps; // what jump-cache tags of this context are mixed with; renewed when a cached jump
               // may have become wrong
    bool valid;
    bool local; // a translation that is not global was filled since the last clearing
    u64 filled[TLB_SIZE / 64];          // slots that any of the tables has an entry in
    u64 execs[2][TLB_FILTER_BITS / 64]; // pages that cached jumps may go to, by a hash
    u64 seen[2][TLB_FILTER_BITS / 64];  // pages filled in any table since the last clearing
};

// Where a physical page may be cached for writing: in no slot, in one, or in any.
enum { TLB_WRITERS_NONE = 0, TLB_WRITERS_MANY = 0xffff };

struct tlb {
    u32 live;   // at most so many filled entries a table (torture builds); 0: no limit
    u32 filled; // slots filled since the tables were last cleared for that reason
    u64 space;  // bits of a key that name the address space
    u64 clock;
    u64 elsewhere; // how often something of a context that was not current was flushed
    u64 next_jumps;
    bool closed;        // loads and stores find nothing and leave nothing (tlb_close)
    bool changed;       // something went since
    bool flushed;       // something of the current context was, since the owner looked last
    bool jumps_wrapped; // jump cache must be cleared by its owner
    u16 *writers;       // by physical page: 1 + slot, or one of TLB_WRITERS_*
    struct tlb_context *cur;
    struct tlb_context *last; // the one that was current before
    struct tlb_context ctx[TLB_CONTEXTS];
};

// False: out of memory. `pages`: physical pages that may be filled for writing.
bool tlb_init(struct tlb *t, unsigned live, u64 space, u64 pages);
void tlb_free(struct tlb *t);

enum tlb_table { TLB_READ, TLB_WRITE, TLB_EXEC };
// Fills the slot of `page` (a guest page address, physical page `ppn`) in the current context.
void tlb_fill(struct tlb *t, enum tlb_table table, u64 page, u64 ppn, u64 tag, uintptr_t addend,
              bool global);
// What tlb_switch does when it is neither the current context nor the one before that.
void tlb_find(struct tlb *t, u64 key);
static inline void tlb_make_current(struct tlb *t, struct tlb_context *c) {
    c->used = ++t->clock;
    if (c != t->cur) t->last = t->cur;
    t->cur = c;
}
// Makes the context for `key` current, reusing the least recently used one when there is none.
static inline void tlb_switch(struct tlb *t, u64 key) {
    if (t->cur->valid && t->cur->key == key) return;
    // Back to where it came from: between a program and the kernel.
    if (t->last->valid && t->last->key == key)
        tlb_make_current(t, t->last);
    else
        tlb_find(t, key);
}
void tlb_flush_all(struct tlb *t);
// Contexts whose key equals `key` under `mask`: everything, or one page. Global translations stay
// when mask is not 0 (some may go, too).
void tlb_flush_key(struct tlb *t, u64 key, u64 mask);
void tlb_flush_page(struct tlb *t, u64 va, u64 key, u64 mask);
// Has `page`, an address that no guest can have, fetched from for a moment: nothing is executed until
// it is hidden again, so no filter need know of it.
void tlb_show_exec(struct tlb *t, u64 page, uintptr_t addend);
void tlb_hide_exec(struct tlb *t, u64 page);
// Physical page `ppn` at host address `page` now holds code: its write entries become slow. They
// become fast again when they are filled anew, or found slow without need.
void tlb_set_slow(struct tlb *t, u64 ppn, const u8 *page);
// The area around `va` in the current context as far as it is known; no room: not at all.
struct tlb_window tlb_area(const struct tlb *t, enum tlb_table table, u64 va);
// Window `id` becomes the area around `va`, if there is an entry for it.
void tlb_open_window(struct tlb *t, unsigned id, u64 va);
// From now on every load and store in the current context misses, until it is opened again: then it
// is as it was, or empty when something was flushed or became slow meanwhile.
struct tlb_closed {
    struct tlb_entry r[TLB_SIZE], w[TLB_SIZE];
    struct tlb_context *context;
};
void tlb_close(struct tlb *t, struct tlb_closed *kept);
void tlb_open(struct tlb *t, const struct tlb_closed *kept);
// Every jump cached so far, in any context, is forgotten.
void tlb_forget_jumps(struct tlb *t);

// Jump-cache tags: contexts and code modes differ in bits that addresses do not use.
enum { JUMP_MODE_BITS = 5, JUMP_GENERATIONS = 1 << 10, JUMP_TAG_SHIFT = 48 };

// Only addresses that leave those bits to their sign may be looked up or kept: any other could be
// made to look like another context's.
static inline bool jump_canonical(u64 pc) {
    return (u64)((i64)(pc << (64 - JUMP_TAG_SHIFT)) >> (64 - JUMP_TAG_SHIFT)) == pc;
}

#endif
