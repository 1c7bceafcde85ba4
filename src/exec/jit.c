// Handing translations to the host in batches, keeping and evicting them. Depends on emit/wasm and
// the code cache; what is translated is chosen by jit_choose.c.
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
    GROW_SLOTS = 1024, // at a time
    MOST_SLOTS = 1 << 17,
    BATCH_WAIT = 100, // runs until a module is compiled that is not full and that nobody awaits
    BATCH_FULL = 48,  // functions
    // Larger modules are compiled while the guest goes on. Hosts are quick with small ones (V8
    // compiles functions when they are called), but give none before some turns of their event
    // loop.
    MODULE_AT_ONCE = 64 << 10,
    MOST_BYTES = 32 << 20, // of WebAssembly kept
    // Windows pay where so many accesses in a hundred look at the TLB, and in functions of so many
    // bytes: to compile larger ones again takes longer than most programs run.
    WORTH = 10,
    WORTH_BYTES = 8192
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

struct jit_entry *jit_find_entry(struct jit *j, const struct code_page *p, u32 start, u32 mode) {
    for (u32 i = p->entries; i; i = j->entries[i - 1].next) {
        struct jit_entry *e = &j->entries[i - 1];
        if (e->start == start && e->mode == mode) return e;
    }
    return NULL;
}

static struct jit_entry *entry_of(struct jit *j, struct code_page *p, u32 start, u32 mode) {
    struct jit_entry *e = jit_find_entry(j, p, start, mode);
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
    struct jit_entry *e = p ? jit_find_entry(c->jit, p, r->start, r->mode) : NULL;
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

// Whoever is on its way to replace region `id` replaces nothing.
static void replaced(struct cpu *c, u32 id) {
    struct jit *j = c->jit;
    const struct jit_region *r = &j->regions[id - 1];
    const struct code_page *p = c->pages[r->ppn[0]];
    const struct jit_entry *e = p ? jit_find_entry(j, p, r->start, r->mode) : NULL;
    if (e && e->region && j->regions[e->region - 1].replaces == id)
        j->regions[e->region - 1].replaces = 0;
}

void jit_kill(struct cpu *c, u32 id) {
    struct jit *j = c->jit;
    struct jit_region *r = &j->regions[id - 1];
    struct jit_batch *b = &j->batches[r->batch - 1];
    assert(r->state == REGION_PENDING || r->state == REGION_LIVE);
    EACH_PAGE(r, k) leave_page(c, id, k);
    leave_entry(c, id);
    replaced(c, id);
    u32 older = r->replaces;
    r->replaces = 0;
    if (older && jit_is_live(&j->regions[older - 1])) jit_kill(c, older);
    if (r->state == REGION_LIVE) {
        if (!r->superseded) j->host.set(j->host.arg, r->slot, jit_absent());
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
    free(r->spans);
    r->spans = NULL;
    if (--b->live == 0 && b->done) release_batch(c, r->batch);
}

void jit_own_rest(struct cpu *c, u32 id, struct jit_rest *rest) {
    struct jit_region *r = &c->jit->regions[id - 1];
    if (!jit_is_live(r)) {
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
        if (jit_is_live(&j->regions[id - 1])) jit_kill(c, id);
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
    struct jit_entry *e = jit_find_entry(c->jit, c->pages[k->ppn], k->start, k->mode);
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
    struct jit_entry *e = p ? jit_find_entry(j, p, r->start, r->mode) : NULL;
    if (!e || e->slot != slot) {
        if (ok) j->host.set(j->host.arg, slot, jit_absent());
        if (!any_for_slot(j, r->batch_next, slot)) give_back(j, slot);
        return;
    }
    struct jit_region *newer = e->region && e->region != id ? &j->regions[e->region - 1] : NULL;
    if (newer && newer->slot == slot && newer->batch == r->batch && jit_is_live(newer)) return;
    if (newer && ok && newer->state == REGION_LIVE && newer->slot == slot)
        jit_kill(c, e->region);
    else if (ok)
        j->host.set(j->host.arg, slot, jit_absent());
}

// Region `id` is there, or the host has refused it: what it was to replace goes or stays.
static void replace(struct cpu *c, u32 id, bool ok) {
    struct jit *j = c->jit;
    struct jit_region *r = &j->regions[id - 1];
    u32 older = r->replaces;
    r->replaces = 0;
    if (!older) return;
    if (ok) {
        j->regions[older - 1].superseded = true;
        jit_kill(c, older);
        return;
    }
    struct jit_entry *e = jit_find_entry(j, c->pages[r->ppn[0]], r->start, r->mode);
    if (e) e->region = older;
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
            replace(c, rid, false);
            free(r->spans);
            r->spans = NULL;
            r->state = REGION_DEAD;
            r->slot = 0;
            b->live--;
            continue;
        }
        replace(c, rid, true);
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
    struct jit_entry *e = jit_find_entry(c->jit, c->pages[r->ppn[0]], r->start, r->mode);
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
            if (jit_is_live(&j->regions[r - 1])) {
                n--;
                forget_tries(c, &j->regions[r - 1]);
                jit_kill(c, r);
            }
    }
}

static void compile(struct cpu *c) {
    struct jit *j = c->jit;
    u32 id = j->batch;
    struct jit_batch *b = &j->batches[id - 1];
    struct buf bytes = {0};
    j->batch = 0;
    j->hurry = false;
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

bool jit_emit(struct cpu *c, struct forming *f, enum region_kind kind) {
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
    size_t before = j->module.code.len;
    if (!region_emit(&f->r, &j->abi, &j->module)) {
        free_region(j, id);
        return false;
    }
    e = &j->entries[entry];
    if (!j->batch) {
        j->batch = new_batch(j);
        j->waiting = j->awaited = 0;
        if (!j->batch) {
            module_free(&j->module);
            free_region(j, id);
            return false;
        }
    }
    struct jit_batch *b = &j->batches[j->batch - 1];
    struct jit_region *r = &j->regions[id - 1];
    struct form_at at = *f->at;
    at.only = NULL;
    bool plain = e->plain || e->misses == MISSES_STAY || j->module.probed < WORTH ||
                 j->module.code.len - before > WORTH_BYTES;
    *r = (struct jit_region){.state = REGION_PENDING,
                             .mode = (u8)f->mode,
                             .start = (u16)start,
                             .slot = e->slot,
                             .batch = j->batch,
                             .batch_next = b->regions,
                             .at = at,
                             .kind = (u8)kind,
                             .windows = f->r.windows,
                             .ahead = (u8)f->ahead,
                             .plain = plain,
                             .bytes = (u32)(j->module.code.len - before),
                             .replaces = f->replaces,
                             .npages = (u8)(1 + f->r.npages)};
    b->regions = id;
    b->live++;
    e->region = id;
    e->tries++;
    join(c, id, 0, ppn);
    for (unsigned k = 0; k < f->r.npages; k++)
        join(c, id, 1 + k, f->ppn[(f->r.pages[k].rel >> GUEST_PAGE_SHIFT) + REGION_PAGES]);
    r = &j->regions[id - 1];
    r->spans = malloc(f->r.n * sizeof *r->spans);
    for (unsigned k = 0; r->spans && k < f->r.n; k++) {
        const struct region_block *block = &f->r.blocks[k];
        if (!block->inlined && block->end != END_TEST)
            r->spans[r->nspans++] = (struct span){(i16)block->start, (i16)block->end_rel};
    }
    form_watch(f);
    form_take(f);
    c->stats.regions++;
    c->stats.regions_windows += f->r.windows;
    return true;
}

static void free_graves(struct jit *j) {
    while (j->ngraves) free(j->graveyard[--j->ngraves]);
}

void jit_sample(struct cpu *c) {
    struct jit *j = c->jit;
    free_graves(j);
    if (c->run.region) {
        struct jit_region *r = &j->regions[c->run.region - 1];
        if (r->state == REGION_LIVE) {
            j->batches[r->batch - 1].used = true;
            if (r->seen < UINT16_MAX) r->seen++;
            watch_found(c, c->run.region);
        }
        c->run.region = 0;
    }
    u32 watched = watch_done(c);
    if (watched) jit_retranslate(c, watched, true);
    if (!j->batch) return;
    bool full = j->module.n >= (c->set.torture ? 1 : BATCH_FULL);
    bool due = j->hurry || ++j->waiting >= BATCH_WAIT;
    if (!full && (!due || j->in_flight)) return;
    compile(c);
    evict(c);
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

static void install_shared(struct cpu *c) {
    struct jit *j = c->jit;
    struct buf bytes = {0};
    u32 chain = take_slot(j), faulted = take_slot(j);
    if (!chain || !faulted) return;
    region_emit_shared(&j->abi, chain, faulted, &j->module);
    if (module_finish(&j->module, &j->abi, &bytes) &&
        j->host.install(j->host.arg, bytes.data, bytes.len, 0, false) == JIT_DONE) {
        j->abi.chain = chain;
        j->abi.faulted = faulted;
    }
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
    jit_init_choice(c);
    assert(c->arch->nhelpers <= ARRAY_LEN(c->helper_fast));
    for (unsigned i = 0; i < c->arch->nhelpers; i++) c->helper_fast[i] = c->arch->helpers[i].fast;
    jit_fill_abi(c, &j->abi);
    j->abi.window = watch_window;
    j->abi.entry = slot_for;
    probe_madd(c);
    install_shared(c);
    profile_init(c);
    return true;
}

void jit_free(struct cpu *c) {
    struct jit *j = c->jit;
    if (!j) return;
    profile_free(c);
    for (u32 i = 0; i < j->nregions; i++)
        if (jit_is_live(&j->regions[i])) {
            free(j->regions[i].shadow);
            while (j->regions[i].rests) {
                struct jit_rest *rest = j->regions[i].rests;
                j->regions[i].rests = rest->next;
                free(rest);
            }
            free(j->regions[i].spans);
        }
    free_graves(j);
    module_free(&j->module);
    free(j->graveyard);
    free(j->regions);
    free(j->batches);
    free(j->entries);
    free(j->slots);
    free(j->watch);
    free(j);
    c->jit = NULL;
}
