// Choosing hot code, handing it to the host in batches, keeping and evicting translations. Where
// every 8,192nd interpreted instruction falls is a sample of where the guest spends its time, so
// blocks carry no counters. Depends on jit_form.c, emit/wasm and the code cache.
//
// Invariants: a translation belongs to the physical pages of its blocks and to a code mode, and
// dies with the code of any of those pages; the first uop of a translated block is UOP_REGION, so
// links into it need no change; a slot stays with its address until the page's code is forgotten,
// and while a module that writes to it is being compiled; emitted code looks at the budget before
// it uses a slot, and whoever kills regions ends the run first, so a stale region that still runs
// uses none.
#include "exec/jit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum {
    HOT_SAMPLES = 20,  // 160,000 instructions in a function: flat profiles stay interpreted
    BLOCK_BLOCKS = 16, // of a region that is neither a function nor a loop
    GROW_SLOTS = 1024, // at a time
    MOST_SLOTS = 1 << 17,
    MOST_TRIES = 3,    // translations of the same entry, as more of its code has run
    BATCH_WAIT = 12,   // runs until a module that is not full is compiled
    BATCH_WAITED = 16, // or until its functions have waited for so many together
    BATCH_FULL = 48,   // functions
    // Larger modules are compiled while the guest goes on. Hosts are quick with small ones (V8
    // compiles functions when they are called), but give none before some turns of their event
    // loop.
    MODULE_AT_ONCE = 64 << 10,
    MOST_BYTES = 16 << 20, // of WebAssembly kept
    MOST_SAMPLES = 250,
    SAMPLE_INSNS = 8192,   // between samples: where so many end is where time is spent
    MOST_PAUSES = 8,       // samples in a run: it ends soon while it is interpreted
    SLICE_INSNS = 1 << 20, // of a run in translated code
    // A translation that is left so many times for accesses that miss, on average so many
    // instructions apart at most, is made anew to be left less.
    MISSES = 64,
    MISS_INSNS = 2000,
    APART_INSNS = 16000 // while a cure costs only some code
};

#define EACH_PAGE(r, k) for (unsigned k = 0; (k) < (r)->npages; k++)

// Grows an array of `size`d elements to hold one more.
static bool room(void *array, u32 n, u32 *cap, size_t size) {
    void **p = array;
    if (n < *cap) return true;
    u32 more = *cap ? 2 * *cap : 256;
    void *q = realloc(*p, more * size);
    if (!q) return false;
    *p = q;
    *cap = more;
    return true;
}

// ---- slots and entries

static u32 take_slot(struct jit *j) {
    if (!j->nslots) {
        if (j->slots_made >= MOST_SLOTS) return 0;
        u32 first = j->host.grow(j->host.arg, GROW_SLOTS, jit_absent());
        if (!first) return 0;
        while (j->slots_cap < j->slots_made + GROW_SLOTS)
            if (!room(&j->slots, j->slots_cap, &j->slots_cap, sizeof *j->slots)) return 0;
        for (u32 i = GROW_SLOTS; i-- > 0;) j->slots[j->nslots++] = first + i;
        j->slots_made += GROW_SLOTS;
    }
    return j->slots[--j->nslots];
}

static struct jit_entry *find_entry(struct jit *j, const struct code_page *p, u32 start, u32 mode) {
    for (u32 i = p->entries; i; i = j->entries[i - 1].next) {
        struct jit_entry *e = &j->entries[i - 1];
        if (e->start == start && e->mode == mode) return e;
    }
    return NULL;
}

static struct jit_entry *entry_of(struct jit *j, struct code_page *p, u32 start, u32 mode) {
    struct jit_entry *e = find_entry(j, p, start, mode);
    if (e) return e;
    u32 id = j->free_entry;
    if (id)
        j->free_entry = j->entries[id - 1].next;
    else if (room(&j->entries, j->nentries, &j->entries_cap, sizeof *j->entries))
        id = ++j->nentries;
    else
        return NULL;
    e = &j->entries[id - 1];
    *e = (struct jit_entry){.slot = take_slot(j), .start = (u16)start, .mode = (u8)mode};
    if (!e->slot) {
        e->next = j->free_entry;
        j->free_entry = id;
        return NULL;
    }
    e->next = p->entries;
    p->entries = id;
    return e;
}

// region_abi.entry: the slot of code in the pages of the region being formed.
static u32 slot_for(void *arg, i32 rel) {
    struct cpu *c = arg;
    struct forming *f = c->jit->forming;
    int k = (rel >> GUEST_PAGE_SHIFT) + REGION_PAGES;
    if (k < 0 || k > 2 * REGION_PAGES || !f->host[k] || c->set.disabled & PASS_CHAIN) return 0;
    struct code_page *p = c->pages[f->ppn[k]];
    struct jit_entry *e = entry_of(c->jit, p, (u32)rel & (GUEST_PAGE_SIZE - 1), f->mode);
    return e ? e->slot : 0;
}

// ---- regions and batches

static u32 new_region(struct jit *j) {
    u32 id = j->free_region;
    if (id) {
        j->free_region = j->regions[id - 1].batch_next;
    } else {
        if (!room(&j->regions, j->nregions, &j->regions_cap, sizeof *j->regions)) return 0;
        id = ++j->nregions;
    }
    memset(&j->regions[id - 1], 0, sizeof *j->regions);
    return id;
}

static void free_region(struct jit *j, u32 id) {
    j->regions[id - 1].state = REGION_FREE;
    j->regions[id - 1].batch_next = j->free_region;
    j->free_region = id;
}

static u32 new_batch(struct jit *j) {
    u32 id = j->free_batch;
    if (id)
        j->free_batch = j->batches[id - 1].next;
    else if (room(&j->batches, j->nbatches, &j->batches_cap, sizeof *j->batches))
        id = ++j->nbatches;
    else
        return 0;
    j->batches[id - 1] = (struct jit_batch){.used = true};
    return id;
}

// Memberships: page lists hold 1 + region * (1 + REGION_PAGES) + k.
static u32 member_id(u32 id, unsigned k) { return 1 + (id - 1) * (1 + REGION_PAGES) + k; }

static void join(struct cpu *c, u32 id, unsigned k, u32 ppn) {
    struct jit_region *r = &c->jit->regions[id - 1];
    r->ppn[k] = ppn;
    r->next[k] = c->pages[ppn]->regions;
    c->pages[ppn]->regions = member_id(id, k);
}

static void leave_page(struct cpu *c, u32 id, unsigned k) {
    struct jit *j = c->jit;
    struct jit_region *r = &j->regions[id - 1];
    struct code_page *p = c->pages[r->ppn[k]];
    if (!p) return; // being dropped
    u32 *at = &p->regions;
    while (*at && *at != member_id(id, k)) {
        u32 m = *at - 1;
        at = &j->regions[m / (1 + REGION_PAGES)].next[m % (1 + REGION_PAGES)];
    }
    if (*at) *at = r->next[k];
}

static void release_batch(struct cpu *c, u32 id) {
    struct jit *j = c->jit;
    u32 *at = &j->oldest, last = 0;
    while (*at != id) {
        last = *at;
        at = &j->batches[*at - 1].next;
    }
    struct jit_batch *b = &j->batches[id - 1];
    *at = b->next;
    if (j->youngest == id) j->youngest = last;
    for (u32 r = b->regions; r;) {
        u32 next = j->regions[r - 1].batch_next;
        free_region(j, r);
        r = next;
    }
    j->bytes -= b->bytes;
    c->stats.region_bytes_live = j->bytes;
    b->next = j->free_batch;
    j->free_batch = id;
}

// The address has no translation now: the region's number may soon be another's.
static void leave_entry(struct cpu *c, u32 id) {
    const struct jit_region *r = &c->jit->regions[id - 1];
    const struct code_page *p = c->pages[r->ppn[0]];
    struct jit_entry *e = p ? find_entry(c->jit, p, r->start, r->mode) : NULL;
    if (e && e->region == id) e->region = 0;
}

static void bury(struct jit *j, void *uops) {
    if (!uops) return;
    if (room(&j->graveyard, j->ngraves, &j->graves_cap, sizeof *j->graveyard))
        j->graveyard[j->ngraves++] = uops;
}

// Jumps to the block at arena index `index`, `start` bytes into its page, that are cached go to
// `function` now. (To forget all cached jumps, of all contexts, would make each be looked up
// again.)
static void redirect_jumps(struct cpu *c, u32 index, u32 start, u32 function) {
    enum { PAGES = 1 << (JUMPS_BITS + 1 - GUEST_PAGE_SHIFT) };
    for (u32 k = 0; k < PAGES; k++) {
        struct jump_entry *e = &c->jumps[(k << GUEST_PAGE_SHIFT | start) >> 1];
        if (e->index == index) e->function = function;
    }
}

// The translation is used no more. Its slot goes back to the run loop.
static void kill_region(struct cpu *c, u32 id) {
    struct jit *j = c->jit;
    struct jit_region *r = &j->regions[id - 1];
    struct jit_batch *b = &j->batches[r->batch - 1];
    assert(r->state == REGION_PENDING || r->state == REGION_LIVE);
    EACH_PAGE(r, k) leave_page(c, id, k);
    leave_entry(c, id);
    if (r->state == REGION_LIVE) {
        j->host.set(j->host.arg, r->slot, jit_absent());
        u32 at = code_find(c, r->ppn[0], r->start, r->mode);
        if (at && c->arena[at].code == UOP_REGION) c->arena[at] = r->original;
        if (at) redirect_jumps(c, at, r->start, 0);
        j->nlive--;
        c->stats.regions_live--;
    }
    r->state = REGION_DEAD;
    bury(j, r->shadow);
    r->shadow = NULL;
    while (r->rests) {
        struct jit_rest *rest = r->rests;
        r->rests = rest->next;
        bury(j, rest);
    }
    free(r->starts);
    r->starts = NULL;
    if (--b->live == 0 && b->done) release_batch(c, r->batch);
}

static bool is_live(const struct jit_region *r) {
    return r->state == REGION_LIVE || r->state == REGION_PENDING;
}

void jit_own_rest(struct cpu *c, u32 id, struct jit_rest *rest) {
    struct jit_region *r = &c->jit->regions[id - 1];
    if (!is_live(r)) {
        bury(c->jit, rest);
        return;
    }
    rest->next = r->rests;
    r->rests = rest;
}

// One of these regions, a list of a batch, has a function for the slot.
static bool any_for_slot(const struct jit *j, u32 id, u32 slot) {
    for (; id; id = j->regions[id - 1].batch_next)
        if (j->regions[id - 1].slot == slot) return true;
    return false;
}

// Gives an address's slot back, unless a module still to come will write to it: the last one of
// them does. (One address may have several on the way: its region died with another page of it, was
// formed anew, and then the address's own page went.)
static void give_back(struct jit *j, u32 slot) {
    if (j->batch && any_for_slot(j, j->batches[j->batch - 1].regions, slot)) return;
    for (u32 id = j->oldest; id; id = j->batches[id - 1].next) {
        const struct jit_batch *b = &j->batches[id - 1];
        if (!b->done && any_for_slot(j, b->regions, slot)) return;
    }
    j->slots[j->nslots++] = slot;
}

void jit_drop_page(struct cpu *c, struct code_page *p) {
    struct jit *j = c->jit;
    if (!j) return;
    while (p->regions) {
        u32 m = p->regions - 1, id = m / (1 + REGION_PAGES) + 1;
        p->regions = j->regions[id - 1].next[m % (1 + REGION_PAGES)];
        if (is_live(&j->regions[id - 1])) kill_region(c, id);
    }
    for (u32 i = p->entries; i;) {
        struct jit_entry *e = &j->entries[i - 1];
        u32 next = e->next;
        give_back(j, e->slot);
        e->next = j->free_entry;
        j->free_entry = i;
        i = next;
    }
    p->entries = 0;
}

// ---- compiling

// The block's first uop becomes the translation.
static void place_region(struct cpu *c, u32 id, u32 at) {
    struct jit_region *r = &c->jit->regions[id - 1];
    r->original = c->arena[at];
    c->arena[at].code = UOP_REGION;
    c->arena[at].imm = r->slot | (u64)id << 32;
}

void jit_decoded(struct cpu *c, u32 index) {
    const struct block *k = block_of(c, index);
    struct jit_entry *e = find_entry(c->jit, c->pages[k->ppn], k->start, k->mode);
    if (e && e->region && c->jit->regions[e->region - 1].state == REGION_LIVE)
        place_region(c, e->region, index);
}

// A region that died while it was being compiled. If its own page is gone, so is what held the
// slot, and the last region that comes for it gives it back. If it was another page of it, the
// address still has the slot, and maybe a newer region: of this batch, then that one's function was
// put there after ours, or of another, then ours is there now and neither may be used.
static void buried_arrived(struct cpu *c, u32 id, bool ok) {
    struct jit *j = c->jit;
    struct jit_region *r = &j->regions[id - 1];
    u32 slot = r->slot;
    if (!slot) return;
    r->slot = 0;
    struct code_page *p = c->pages[r->ppn[0]];
    struct jit_entry *e = p ? find_entry(j, p, r->start, r->mode) : NULL;
    if (!e || e->slot != slot) {
        if (ok) j->host.set(j->host.arg, slot, jit_absent());
        if (!any_for_slot(j, r->batch_next, slot)) give_back(j, slot);
        return;
    }
    struct jit_region *newer = e->region && e->region != id ? &j->regions[e->region - 1] : NULL;
    if (newer && newer->slot == slot && newer->batch == r->batch && is_live(newer)) return;
    if (newer && ok && newer->state == REGION_LIVE && newer->slot == slot)
        kill_region(c, e->region);
    else if (ok)
        j->host.set(j->host.arg, slot, jit_absent());
}

// The host has put batch `id` into its slots, or could not.
static void arrived(struct cpu *c, u32 id, bool ok) {
    struct jit *j = c->jit;
    struct jit_batch *b = &j->batches[id - 1];
    b->done = true;
    for (u32 rid = b->regions; rid; rid = j->regions[rid - 1].batch_next) {
        struct jit_region *r = &j->regions[rid - 1];
        if (r->state == REGION_DEAD) {
            buried_arrived(c, rid, ok);
            continue;
        }
        if (!ok) {
            EACH_PAGE(r, k) leave_page(c, rid, k);
            leave_entry(c, rid);
            free(r->starts);
            r->starts = NULL;
            r->state = REGION_DEAD;
            r->slot = 0;
            b->live--;
            continue;
        }
        r->state = REGION_LIVE;
        u32 at = code_find(c, r->ppn[0], r->start, r->mode);
        if (at) {
            place_region(c, rid, at);
            redirect_jumps(c, at, r->start, r->slot);
        }
        j->nlive++;
        c->stats.regions_live++;
    }
    if (!ok) c->stats.modules_refused++;
    if (!b->live) release_batch(c, id);
}

// What is evicted may be translated again.
static void forget_tries(struct cpu *c, const struct jit_region *r) {
    struct jit_entry *e = find_entry(c->jit, c->pages[r->ppn[0]], r->start, r->mode);
    if (e) e->tries = 0;
}

static void evict(struct cpu *c) {
    struct jit *j = c->jit;
    bool few = c->set.torture & TORTURE_EVICT;
    for (u32 looks = 2 * j->nbatches; looks && j->oldest; looks--) {
        if (few ? j->nlive <= 10 : j->bytes <= MOST_BYTES) return;
        u32 id = j->oldest;
        struct jit_batch *b = &j->batches[id - 1];
        if (b->used || !b->done) { // once more around
            b->used = false;
            if (id == j->youngest) continue;
            j->oldest = b->next;
            b->next = 0;
            j->batches[j->youngest - 1].next = id;
            j->youngest = id;
            continue;
        }
        u32 n = b->live;
        c->stats.regions_evicted += n;
        for (u32 r = b->regions; n; r = j->regions[r - 1].batch_next)
            if (is_live(&j->regions[r - 1])) {
                n--;
                forget_tries(c, &j->regions[r - 1]);
                kill_region(c, r);
            }
    }
}

static void compile(struct cpu *c) {
    struct jit *j = c->jit;
    u32 id = j->batch;
    struct jit_batch *b = &j->batches[id - 1];
    struct buf bytes = {0};
    j->batch = 0;
    j->abi.memory_pages = jit_memory_pages();
    bool ok = module_finish(&j->module, &j->abi, &bytes);
    b->bytes = (u32)bytes.len;
    j->bytes += b->bytes;
    c->stats.region_bytes_live = j->bytes;
    if (j->youngest)
        j->batches[j->youngest - 1].next = id;
    else
        j->oldest = id;
    j->youngest = id;
    c->stats.modules++;
    c->stats.region_bytes += bytes.len;
    if (unlikely(c->set.dump & DUMP_WASM)) dump_bytes(c, DUMP_WASM, bytes.data, bytes.len);
    bool large = bytes.len > MODULE_AT_ONCE || c->set.torture;
    bool later = large && !(c->set.disabled & PASS_ASYNC);
    enum jit_result how =
        ok ? j->host.install(j->host.arg, bytes.data, bytes.len, id, later) : JIT_REFUSED;
    buf_free(&bytes);
    if (how == JIT_LATER)
        j->in_flight++;
    else
        arrived(c, id, how == JIT_DONE);
}

void cpu_jit_arrived(struct cpu *c, u32 token, bool ok) {
    struct jit *j = c->jit;
    assert(j && token && token <= j->nbatches && j->in_flight);
    j->in_flight--;
    arrived(c, token, ok);
}

// ---- choosing

static bool emit(struct cpu *c, struct forming *f) {
    struct jit *j = c->jit;
    u32 ppn = f->ppn[REGION_PAGES];
    u32 start = (u32)f->r.blocks[0].start;
    j->forming = f;
    struct jit_entry *e = entry_of(j, c->pages[ppn], start, f->mode);
    u32 id = e ? new_region(j) : 0;
    if (!id) return false;
    f->r.id = id;
    f->r.slot = e->slot;
    u32 misses = c->set.torture ? id % (MISSES_STAY + 1) : e->misses;
    f->r.misses = c->set.disabled & PASS_LEAN ? MISSES_STAY : (enum region_misses)misses;
    u32 entry = (u32)(e - j->entries); // emitting may make entries
    if (!region_emit(&f->r, &j->abi, &j->module)) {
        free_region(j, id);
        return false;
    }
    e = &j->entries[entry];
    if (!j->batch) {
        j->batch = new_batch(j);
        j->waiting = j->waited = 0;
        if (!j->batch) {
            module_free(&j->module);
            free_region(j, id);
            return false;
        }
    }
    struct jit_batch *b = &j->batches[j->batch - 1];
    struct jit_region *r = &j->regions[id - 1];
    *r = (struct jit_region){.state = REGION_PENDING,
                             .mode = (u8)f->mode,
                             .start = (u16)start,
                             .slot = e->slot,
                             .batch = j->batch,
                             .batch_next = b->regions,
                             .npages = (u8)(1 + f->r.npages)};
    b->regions = id;
    b->live++;
    e->region = id;
    e->tries++;
    join(c, id, 0, ppn);
    for (unsigned k = 0; k < f->r.npages; k++)
        join(c, id, 1 + k, f->ppn[(f->r.pages[k].rel >> GUEST_PAGE_SHIFT) + REGION_PAGES]);
    r = &j->regions[id - 1];
    r->starts = malloc(f->r.n * sizeof *r->starts);
    for (unsigned k = 0; r->starts && k < f->r.n; k++)
        if (!f->r.blocks[k].inlined && f->r.blocks[k].start >= 0)
            r->starts[r->nstarts++] = (u16)f->r.blocks[k].start;
    form_watch(f);
    c->stats.regions++;
    return true;
}

static bool translatable(struct cpu *c, u32 index) {
    struct block *k = block_of(c, index);
    return k->ppn != PPN_LOOSE && c->arena[index].code != UOP_STALE;
}

static void dump_region(struct cpu *c, const struct forming *f, const char *kind, bool ok) {
    if (likely(!(c->set.dump & DUMP_REGIONS))) return;
    dump_text(c, DUMP_REGIONS, "%s at %llx: %u blocks, %u operations%s\n", kind,
              (unsigned long long)(f->page + (u64)f->at->start), f->r.n, f->nops,
              ok ? "" : ", refused");
}

static struct jit_region *live_at(struct cpu *c, const struct form_at *at) {
    struct jit_entry *e = find_entry(c->jit, c->pages[at->ppn], (u32)at->start, at->mode);
    struct jit_region *r = e && e->region ? &c->jit->regions[e->region - 1] : NULL;
    return r && is_live(r) ? r : NULL;
}

static bool tried_enough(struct cpu *c, const struct form_at *at) {
    struct jit_entry *e = find_entry(c->jit, c->pages[at->ppn], (u32)at->start, at->mode);
    return e && e->tries >= MOST_TRIES;
}

static bool holds(const struct jit_region *r, i32 start) {
    for (unsigned i = 0; i < r->nstarts; i++)
        if (r->starts[i] == start) return true;
    return false;
}

// The function that starts at `at`, anew when it was translated before `block` had run. False: the
// block is not part of it.
static bool translate_function(struct cpu *c, const struct form_at *at, i32 block) {
    struct jit_region *r = live_at(c, at);
    if ((r && r->state == REGION_PENDING) || tried_enough(c, at)) return false;
    struct forming *f = form_region(c, at);
    if (!f) return false;
    bool ok = form_has(f, block);
    if (ok) {
        if (r) kill_region(c, (u32)(r - c->jit->regions) + 1);
        ok = emit(c, f);
        dump_region(c, f, "function", ok);
    }
    form_free(f);
    return ok;
}

// The outermost loop around `around` that has no translation yet; notes the heads of those that
// have one.
static bool translate_loop(struct cpu *c, struct form_at *around) {
    struct form_at at = *around;
    while (around->nstops < JIT_LOOPS) {
        struct forming *f = form_region(c, around);
        i32 head = f ? form_loop_head(f) : -1;
        form_free(f);
        if (head < 0) return false;
        at = *around;
        at.start = head;
        if (!live_at(c, &at) && !tried_enough(c, &at)) {
            f = form_region(c, &at);
            if (!f) return false;
            form_keep_loop(f);
            bool ok = emit(c, f);
            dump_region(c, f, "loop", ok);
            form_free(f);
            return ok;
        }
        if (head == around->start) return false;
        around->stops[around->nstops++] = head;
    }
    return false;
}

static bool translate_block(struct cpu *c, const struct form_at *at) {
    if (live_at(c, at) || tried_enough(c, at)) return false;
    struct form_at few =
        *at; // what follows a place that is not looped to gets its own when it is hot
    few.most = BLOCK_BLOCKS;
    struct forming *f = form_region(c, &few);
    if (!f) return false;
    bool ok = emit(c, f);
    dump_region(c, f, "block", ok);
    form_free(f);
    return ok;
}

// Compilers put a function's code together and its entry first: the nearest block at or before
// `start` that was called. NULL: none in the page.
static struct block *function_of(struct cpu *c, u32 ppn, u32 mode, u32 start) {
    const struct code_page *p = c->pages[ppn];
    u32 bit = start / 2;
    u64 w = p->called[bit / 64] & ~(u64)0 >> (63 - bit % 64);
    for (u32 k = bit / 64;; w = p->called[--k]) {
        for (; w; w &= ~((u64)1 << bit % 64)) {
            bit = 64 * k + 63 - (u32)__builtin_clzll(w);
            for (u32 odd = 2; odd-- > 0;) {
                u32 i = code_find(c, ppn, (u16)(2 * bit + odd), mode);
                if (i && 2 * bit + odd <= start && block_of(c, i)->called) return block_of(c, i);
            }
        }
        if (!k) return NULL;
    }
}

// A block is found interpreted again and again: the function it is in; when that is translated, it
// is in a loop that runs on, which gets an entry of its own; else from its own place. False:
// nothing is left to do.
static bool hot(struct cpu *c, u32 index) {
    struct block *k = block_of(c, index);
    struct form_at at = {.ppn = k->ppn,
                         .mode = k->mode,
                         .start = k->start,
                         .page = c->s->pc & ~(u64)(GUEST_PAGE_SIZE - 1)};
    i32 start = k->start;
    const struct block *f = function_of(c, at.ppn, at.mode, start);
    if (f && !k->tried) {
        at.start = f->start;
        const struct jit_region *r = live_at(c, &at);
        if (!r || !holds(r, start)) {
            if (translate_function(c, &at, start)) return true;
            k->tried = true;
        }
        at.start = start;
    }
    if (translate_loop(c, &at)) return true;
    // In no loop, or in one that is entered here again and again (something it calls comes back
    // without the caller's frame): then up to that loop's head.
    return translate_block(c, &at);
}

static void free_graves(struct jit *j) {
    while (j->ngraves) free(j->graveyard[--j->ngraves]);
}

// Where a sample of block k counts: in its function while that has no translation, because one
// would take in all of it. Few functions spend their time in one block.
static struct block *heated(struct cpu *c, struct block *k) {
    if (k->tried) return k;
    struct block *f = function_of(c, k->ppn, k->mode, k->start);
    if (!f) return k;
    const struct jit_entry *e = find_entry(c->jit, c->pages[k->ppn], f->start, k->mode);
    return e && e->region && is_live(&c->jit->regions[e->region - 1]) ? k : f;
}

// A kernel serves every program, so its code is worth a translation sooner than theirs.
static unsigned weight(const struct cpu *c) {
    bool kernel = c->s->pc >> 63; // the upper half of addresses
    return c->arch->hot_kernel && kernel ? 2 : 1;
}

bool jit_pause(struct cpu *c) {
    u32 at = c->run.last;
    if (c->arena[at].code != UOP_REGION && translatable(c, at)) {
        struct block *k = heated(c, block_of(c, at));
        // Nothing found to do is looked for again later: more of the code around it may have run
        // then.
        unsigned most = c->set.hot_samples << k->failed;
        k->heat = (u8)(k->heat + weight(c));
        if (k->heat >= (most < MOST_SAMPLES ? most : MOST_SAMPLES)) {
            k->heat = 0;
            if (!hot(c, at) && k->failed < 7) k->failed++;
        }
    }
    if (c->attention || c->run.more <= 0 || --c->run.samples == 0) return false;
    split_budget(c, c->run.budget + c->run.more, c->run.sample);
    c->run.last = 0;
    return true;
}

i64 jit_start(struct cpu *c) {
    jit_enter(c);
    c->run.samples = MOST_PAUSES;
    return SAMPLE_INSNS;
}

u32 jit_slice(const struct cpu *c) {
    (void)c;
    return SLICE_INSNS;
}

void jit_sample(struct cpu *c) {
    struct jit *j = c->jit;
    free_graves(j);
    if (c->run.region) {
        struct jit_region *r = &j->regions[c->run.region - 1];
        if (r->state == REGION_LIVE) j->batches[r->batch - 1].used = true;
        c->run.region = 0;
    }
    if (!j->batch) return;
    bool full = j->module.n >= (c->set.torture ? 1 : BATCH_FULL);
    j->waited += j->module.n;
    bool due = ++j->waiting >= BATCH_WAIT || j->waited >= BATCH_WAITED;
    if (!full && (!due || j->in_flight)) return;
    compile(c);
    evict(c);
}

bool jit_count_miss(struct cpu *c, u32 id) {
    struct jit *j = c->jit;
    struct jit_region *r = &j->regions[id - 1];
    if (r->state != REGION_LIVE || ++r->misses % MISSES) return false;
    u64 now = c->run.icount + run_count(c);
    struct jit_entry *e = find_entry(j, c->pages[r->ppn[0]], r->start, r->mode);
    u64 apart = e && e->misses == MISSES_LEAVE ? APART_INSNS : MISS_INSNS;
    bool often = r->misses > MISSES && now - r->missed < MISSES * apart;
    r->missed = now;
    if (!often) return false;
    if (e) {
        if (e->misses < MISSES_STAY) e->misses++;
        if (e->tries) e->tries--;
    }
    for (unsigned i = 0; i < r->nstarts; i++) { // hot already
        u32 at = code_find(c, r->ppn[0], r->starts[i], r->mode);
        if (at) block_of(c, at)->heat = (u8)(c->set.hot_samples - 1);
    }
    kill_region(c, id);
    return true;
}

// ---- life

// Whether this host multiplies and adds with one rounding, found by trying.
static void probe_madd(struct cpu *c) {
    struct jit *j = c->jit;
    struct buf bytes = {0};
    u32 slot = take_slot(j);
    if (!slot) return;
    module_add_madd_probe(&j->module, slot);
    if (module_finish(&j->module, &j->abi, &bytes) &&
        j->host.install(j->host.arg, bytes.data, bytes.len, 0, false) == JIT_DONE)
        j->abi.fused_madd = ((i32(*)(u64, i32, i32))(uintptr_t)slot)(0, 0, 0) == 1;
    buf_free(&bytes);
    j->host.set(j->host.arg, slot, jit_absent());
    j->slots[j->nslots++] = slot;
}

static void install_chain(struct cpu *c) {
    struct jit *j = c->jit;
    struct buf bytes = {0};
    u32 slot = take_slot(j);
    if (!slot) return;
    region_emit_chain(&j->abi, slot, &j->module);
    if (module_finish(&j->module, &j->abi, &bytes) &&
        j->host.install(j->host.arg, bytes.data, bytes.len, 0, false) == JIT_DONE)
        j->abi.chain = slot;
    buf_free(&bytes);
}

bool jit_init(struct cpu *c, struct err *err) {
    if (c->set.engine != ENGINE_JIT) return true;
    if (!c->set.jit) {
        err_set(err, ERR_UNSUPPORTED,
                "this host cannot compile WebAssembly at run time: "
                "use the engine interp");
        return false;
    }
    struct jit *j = c->jit = calloc(1, sizeof *j);
    if (!j) {
        err_set(err, ERR_NOMEM, "out of memory");
        return false;
    }
    j->host = *c->set.jit;
    if (!c->set.hot_samples) c->set.hot_samples = HOT_SAMPLES;
    if (c->set.hot_samples > MOST_SAMPLES) c->set.hot_samples = MOST_SAMPLES;
    assert(c->arch->nhelpers <= ARRAY_LEN(c->helper_fast));
    for (unsigned i = 0; i < c->arch->nhelpers; i++) c->helper_fast[i] = c->arch->helpers[i].fast;
    jit_fill_abi(c, &j->abi);
    j->abi.entry = slot_for;
    probe_madd(c);
    install_chain(c);
    return true;
}

void jit_free(struct cpu *c) {
    struct jit *j = c->jit;
    if (!j) return;
    for (u32 i = 0; i < j->nregions; i++)
        if (is_live(&j->regions[i])) {
            free(j->regions[i].shadow);
            while (j->regions[i].rests) {
                struct jit_rest *rest = j->regions[i].rests;
                j->regions[i].rests = rest->next;
                free(rest);
            }
            free(j->regions[i].starts);
        }
    free_graves(j);
    module_free(&j->module);
    free(j->graveyard);
    free(j->regions);
    free(j->batches);
    free(j->entries);
    free(j->slots);
    free(j);
    c->jit = NULL;
}
