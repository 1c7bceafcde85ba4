// Inside of the translator's part of exec/: shared by its files jit*.c.
#ifndef BERTH_EXEC_JIT_H
#define BERTH_EXEC_JIT_H

#include "emit/wasm/region.h"
#include "exec/engine.h"

// The code at an address of a page as emitted code refers to it: a slot of the function table,
// which holds the translation or a function that goes back to the run loop. Lives as long as the
// page's code.
struct jit_entry {
    u32 slot;
    u32 region; // 1 + index of the translation, 0 = none
    u32 next;   // of the same page, or free; 1 + index
    u16 start;
    u8 mode;
    u8 tries;   // translations made of it
    u8 misses;  // enum region_misses
    bool split; // made anew without the window that was left too often
    bool plain; // windows did not help
};

// The rest of a block of a translation, from an access that missed the TLB, as uops.
struct jit_rest {
    struct jit_rest *next;
    const u8 *code;
    u32 done; // instructions of the block before it
    struct uop uops[];
};

enum { JIT_LOOPS = 8 }; // nested loops that are told apart

// Where a block lies, pcrel.
struct span {
    i16 start, end;
};

struct form_at {
    u32 ppn, mode;
    i32 start;     // offset in the page
    gva page;      // the page's guest address
    unsigned most; // blocks; 0: as many as fit
    unsigned nstops;
    i32 stops[JIT_LOOPS];    // addresses (pcrel) that stay outside: heads of outer loops
    const struct span *only; // not NULL: what is not inlined lies in one of these
    unsigned nonly;
};

// What a region was formed as (jit.c).
enum region_kind { KIND_FUNCTION, KIND_LOOP, KIND_BLOCK };

// Of a region that was translated before its first run.
enum jit_ahead { AHEAD_NOTHING, AHEAD_COMPILE, AHEAD_OPTIMISE };

enum jit_state { REGION_FREE, REGION_PENDING, REGION_LIVE, REGION_DEAD };

struct jit_region {
    u8 state;  // enum jit_state
    u8 npages; // 1 + further pages
    u8 mode;
    u16 start;
    u32 slot;
    u32 batch;
    u32 batch_next;             // 1 + index
    u32 ppn[1 + REGION_PAGES];  // entry's page first
    u32 next[1 + REGION_PAGES]; // in that page's list of memberships
    struct uop original;        // what UOP_REGION replaced
    struct form_at at;          // how it was formed
    u8 kind;                    // enum region_kind
    bool windows;               // as in struct region
    bool plain;                 // is to have none
    bool watched;               // is about to be made anew
    u8 ahead;                   // enum jit_ahead: what the host is still to be made to do
    u32 bytes;                  // of WebAssembly
    u16 seen;                   // runs that ended in it, for a profile
    u16 found;                  // runs that ended in it
    u32 replaces;               // the live region of the same entry that goes when this arrives
    bool superseded;            // its slot is that one's
    struct span *spans;         // its blocks, inlined ones left out
    unsigned nspans;
    u32 misses;             // accesses that the TLB did not know
    u64 missed;             // instruction count at the last that was looked at
    struct uop *shadow;     // the entry block as uops, made when it must be interpreted
    struct jit_rest *rests; // made when they are needed
};

// The functions of one module.
struct jit_batch {
    u32 regions; // first
    u32 live;    // not dead
    u32 bytes;
    u32 next;  // younger one; 1 + index
    bool used; // found running since it was last looked at
    bool done; // the host has compiled it
};

struct jit {
    struct jit_host host;
    struct region_abi abi;
    struct module module; // being filled
    u32 batch;            // its batch, 1 + index, 0 = none
    unsigned waiting;     // runs since it got its first function
    unsigned awaited;     // samples that found its code interpreted
    bool hurry;           // it is compiled after this run
    unsigned in_flight;   // modules the host is compiling
    u32 nlive;
    u32 samples; // that counted for something so far (jit_choose.c)

    struct jit_region *regions;
    u32 nregions, regions_cap, free_region; // free: linked by batch_next, 1 + index
    struct jit_batch *batches;
    u32 nbatches, batches_cap, free_batch;
    u32 oldest, youngest;
    u64 bytes; // of all batches that have live regions
    struct jit_entry *entries;
    u32 nentries, entries_cap, free_entry;
    u32 *slots; // free ones
    u32 nslots, slots_cap, slots_made;
    void **graveyard; // shadows and rests that may still run
    u32 ngraves, graves_cap;

    struct jit_profile *profile; // what of one is still to be translated, NULL: nothing
    struct forming *forming;     // what region_abi.entry is about
    struct watch *watch;         // NULL: nothing was watched yet
};

// ---- jit.c
struct forming;
static inline bool jit_is_live(const struct jit_region *r) {
    return r->state == REGION_LIVE || r->state == REGION_PENDING;
}
// The address `start` of a page; NULL: it has no slot yet.
struct jit_entry *jit_find_entry(struct jit *j, const struct code_page *p, u32 start, u32 mode);
// Translates what was formed, to be handed to the host with others. False: it cannot be.
bool jit_emit(struct cpu *c, struct forming *f, enum region_kind kind);
// The region is used no more. Its slot goes back to the run loop, unless another translation has it
// already; so does that of the one it was to replace.
void jit_kill(struct cpu *c, u32 id);

// The rest belongs to region `id` and goes with it; if that one is gone already (it wrote to its
// own page), after this run.
void jit_own_rest(struct cpu *c, u32 id, struct jit_rest *rest);

// ---- jit_choose.c
static inline bool jit_of_kernel(gva va) { return va >> 63; } // the upper half of addresses
void jit_init_choice(struct cpu *c);                          // settings that were left out
// Translates the code at `at` before it was found hot. False: it has been, or cannot be.
bool jit_translate(struct cpu *c, const struct form_at *at, enum region_kind kind,
                   enum jit_ahead ahead);
// An access of region `id` missed the TLB. True: that happens so often that it was dropped, to be
// made anew so that it leaves less.
bool jit_count_miss(struct cpu *c, u32 id);
// Makes region `id` anew, with windows or without; it stays until that has arrived.
void jit_retranslate(struct cpu *c, u32 id, bool windows);

// ---- jit_form.c
// A region from its entry, ready to be emitted; NULL when there is none. Release with form_free.
struct forming {
    struct region r;
    struct cpu *c;
    u32 mode;
    u32 ppn[1 + 2 * REGION_PAGES]; // by page of pcrel + REGION_PAGES; ~0 = not in the region
    u8 *host[1 + 2 * REGION_PAGES];
    gva page;
    const struct form_at *at;
    u32 replaces;          // as in struct jit_region
    enum jit_ahead ahead;  // the same
    struct lifted *blocks; // by pcrel
    unsigned nblocks;
    u32 nops;
};
// The physical page of the guest's `page` if instructions were fetched from it lately and there is
// code in it, else NULL.
const struct code_page *jit_code_page(struct cpu *c, gva page, u32 *ppn);
struct forming *form_region(struct cpu *c, const struct form_at *at);
// Leaves only the blocks of loops that the entry is in.
void form_keep_loop(struct forming *f);
// The lowest address of the outermost loop that the entry is in; -1: none. Compilers put heads
// first.
i32 form_loop_head(const struct forming *f);
// Everything it was made from is watched: a write kills it.
void form_watch(struct forming *f);
// Its blocks are noted as such, for a profile.
void form_take(struct forming *f);
bool form_has(const struct forming *f, i32 rel);
void form_free(struct forming *f);

// ---- jit_watch.c
// A run ended in region `id`.
void watch_found(struct cpu *c, u32 id);
// After a run: the region whose accesses are known now, 0: none.
u32 watch_done(struct cpu *c);
// Region `id` leaves the window of its last miss again and again: it is watched again, to be made
// without windows where accesses go to the areas of either side. False: that miss was of none.
bool watch_again(struct cpu *c, u32 id);
bool watch_busy(const struct cpu *c);             // another one is watched
u32 watch_window(void *arg, i32 rel, bool write); // region_abi.window
// Translated code was left because of a window (run.window, run.missed): it is opened there.
void watch_missed(struct cpu *c);

// ---- jit_profile.c
#define PROFILE_HEADER "berth-profile 1 "
void profile_init(struct cpu *c); // from the settings
void profile_free(struct cpu *c);
// The physical page that instructions at `va` are fetched from, and its host address. NULL: none.
u8 *profile_fetched(struct cpu *c, gva va, u32 *ppn);
// Names a page by its content: so many bytes of a file that it came from can be found in memory.
u64 profile_hash(const u8 page[GUEST_PAGE_SIZE]);

// ---- jit_abi.c
void jit_fill_abi(struct cpu *c, struct region_abi *abi);
u32 jit_memory_pages(void); // size of the memory now, in pages of 64 KiB
u32 jit_absent(void);       // table index of the function for what is not translated

#endif
