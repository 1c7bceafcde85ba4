// Choosing hot code: which blocks, functions and loops are translated, and when that is done again.
// Where every 8,192nd interpreted instruction falls is a sample of where the guest spends its time,
// so blocks carry no counters. Depends on jit_form.c and jit.c.
#include "exec/jit.h"
#include "ir/ops.h"

enum {
    HOT_SAMPLES = 24,    // 200,000 instructions in a function: flat profiles stay interpreted
    COOL_SAMPLES = 2048, // after so many more of any code half of what a function had is forgotten
    // Samples that would have found translated code had its module been compiled: until it is. A
    // module takes as long as interpreting ten to thirty samples, so it waits for others meanwhile.
    AWAITED = 12,
    BLOCK_BLOCKS = 16, // of a region that is neither a function nor a loop
    MOST_TRIES = 3,    // translations of the same entry, as more of its code has run
    MOST_SAMPLES = 250,
    SAMPLE_INSNS = 8192,   // between samples: where so many end is where time is spent
    MOST_PAUSES = 8,       // samples in a run: it ends soon while it is interpreted
    SLICE_INSNS = 1 << 20, // of a run in translated code
    // A translation that is left so many times for accesses that miss, on average so many
    // instructions apart at most, is made anew to be left less.
    MISSES = 64,
    MISS_INSNS = 2000,
    APART_INSNS = 16000, // while a cure costs only some code
    // The same of one with windows, which is made anew without: it does not need to leave.
    WINDOW_MISSES = 16,
    WINDOW_MISS_INSNS = 30000
};

void jit_init_choice(struct cpu *c) {
    if (!c->set.hot_samples) c->set.hot_samples = HOT_SAMPLES;
    if (c->set.hot_samples > MOST_SAMPLES) c->set.hot_samples = MOST_SAMPLES;
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
    struct jit_entry *e = jit_find_entry(c->jit, c->pages[at->ppn], (u32)at->start, at->mode);
    struct jit_region *r = e && e->region ? &c->jit->regions[e->region - 1] : NULL;
    return r && jit_is_live(r) ? r : NULL;
}

static bool tried_enough(struct cpu *c, const struct form_at *at) {
    struct jit_entry *e = jit_find_entry(c->jit, c->pages[at->ppn], (u32)at->start, at->mode);
    return e && e->tries >= MOST_TRIES;
}

static bool holds(const struct jit_region *r, i32 start) {
    for (unsigned i = 0; i < r->nspans; i++)
        if (r->spans[i].start == start) return true;
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
        if (r) jit_kill(c, (u32)(r - c->jit->regions) + 1);
        ok = jit_emit(c, f, KIND_FUNCTION);
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
            bool ok = jit_emit(c, f, KIND_LOOP);
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
    bool ok = jit_emit(c, f, KIND_BLOCK);
    dump_region(c, f, "block", ok);
    form_free(f);
    return ok;
}

// The last block of a page at or before `start` that was called; NULL: none.
static struct block *called_before(struct cpu *c, u32 ppn, u32 mode, u32 start) {
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

// Compilers put a function's code together and its entry first: the nearest block at or before k
// that was called, not farther than a region is large. *page: of k, becomes the function's. NULL:
// none is known.
static struct block *function_of(struct cpu *c, const struct block *k, gva *page) {
    struct block *f = called_before(c, k->ppn, k->mode, k->start);
    if (f) return f;
    u32 ppn;
    gva before = *page - GUEST_PAGE_SIZE;
    if (!jit_code_page(c, before, &ppn)) return NULL;
    f = called_before(c, ppn, k->mode, GUEST_PAGE_SIZE - 1);
    if (!f || f->start < k->start) return NULL;
    *page = before;
    return f;
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
    gva page = at.page;
    const struct block *f = function_of(c, k, &page);
    if (f && !k->tried) {
        struct form_at of = at;
        of.ppn = f->ppn;
        of.start = f->start;
        of.page = page;
        i32 rel = (i32)(at.page - page) + k->start;
        const struct jit_region *r = live_at(c, &of);
        if (!r || !holds(r, rel)) {
            if (translate_function(c, &of, rel)) return true;
            k->tried = true;
        }
    }
    if (translate_loop(c, &at)) return true;
    // In no loop, or in one that is entered here again and again (something it calls comes back
    // without the caller's frame): then up to that loop's head.
    return translate_block(c, &at);
}

bool jit_translate(struct cpu *c, const struct form_at *at, enum region_kind kind,
                   enum jit_ahead ahead) {
    struct form_at own = *at;
    if (kind == KIND_BLOCK) own.most = BLOCK_BLOCKS;
    if (live_at(c, &own) || tried_enough(c, &own)) return false;
    struct forming *f = form_region(c, &own);
    if (!f) return false;
    if (kind == KIND_LOOP) form_keep_loop(f);
    f->ahead = ahead;
    f->r.ahead = true;
    bool ok = jit_emit(c, f, kind);
    dump_region(c, f, "ahead", ok);
    form_free(f);
    return ok;
}

static bool has_windows(struct cpu *c, const struct forming *f) {
    for (unsigned k = 0; k < f->r.n; k++) {
        const struct region_block *b = &f->r.blocks[k];
        i32 rel = b->start;
        for (u32 i = 1; i < b->nops; i++) {
            if (b->ops[i].op == IR_INSN) rel = (i32)b->ops[i].imm;
            if (!ir_access_bytes((enum ir_op)b->ops[i].op)) continue;
            if (watch_window(c, rel, false) || watch_window(c, rel, true)) return true;
        }
    }
    return false;
}

void jit_retranslate(struct cpu *c, u32 id, bool windows) {
    struct jit *j = c->jit;
    struct jit_region *r = &j->regions[id - 1];
    struct jit_entry *e = jit_find_entry(j, c->pages[r->ppn[0]], r->start, r->mode);
    if (r->state != REGION_LIVE || !e || e->region != id) return;
    if (r->windows && windows && !e->split) return;
    struct form_at at = r->at;
    // Nothing that has run since: what is hot is there already, and small loops are the fastest.
    at.only = r->spans;
    at.nonly = r->nspans;
    const enum region_kind kind = r->kind;
    r->plain = true; // this is the only try
    struct forming *f = form_region(c, &at);
    if (f && kind == KIND_LOOP) form_keep_loop(f);
    windows = f && windows && has_windows(c, f);
    if (f && (windows || r->windows)) {
        if (e->tries) e->tries--;
        f->r.windows = windows;
        f->replaces = id;
        bool ok = jit_emit(c, f, kind);
        dump_region(c, f, windows ? "windows" : "no windows", ok);
        j->hurry = true;
    }
    form_free(f);
}

static const struct jit_region *region_at(struct cpu *c, const struct block *k) {
    const struct jit_entry *e = jit_find_entry(c->jit, c->pages[k->ppn], k->start, k->mode);
    return e && e->region ? &c->jit->regions[e->region - 1] : NULL;
}

// Where a sample of block k, which is about to run, counts: in its function while that has no
// translation, because one would take in all of it. Few functions spend their time in one block.
// NULL: one that takes it in is on its way.
static struct block *heated(struct cpu *c, struct block *k) {
    const struct jit_region *r = region_at(c, k);
    if (r && r->state == REGION_PENDING) return NULL;
    gva page = c->s->pc & ~(u64)(GUEST_PAGE_SIZE - 1), own = page;
    struct block *f = k->tried ? NULL : function_of(c, k, &page);
    if (!f) return k;
    r = region_at(c, f);
    if (!r || !jit_is_live(r)) return f;
    bool comes = r->state == REGION_PENDING && holds(r, (i32)(own - page) + k->start);
    return comes ? NULL : k;
}

// A translation is on its way that would have run now.
static void await(struct jit *j) {
    if (++j->awaited >= AWAITED) j->hurry = true;
}

// A kernel serves every program, so its code is worth a translation sooner than theirs.
static unsigned weight(const struct cpu *c) {
    return c->arch->hot_kernel && jit_of_kernel(c->s->pc) ? 2 : 1;
}

// The block at arena index `at` was found running, which counts for k.
static void heat(struct cpu *c, struct block *k, u32 at) {
    // Nothing found to do is looked for again later: more of the code around it may have run then.
    unsigned most = c->set.hot_samples << k->failed;
    u8 now = (u8)(c->jit->samples++ / COOL_SAMPLES), ago = (u8)(now - k->heated);
    k->heat = (u8)((ago < 8 ? k->heat >> ago : 0) + weight(c));
    k->heated = now;
    if (k->heat < (most < MOST_SAMPLES ? most : MOST_SAMPLES)) return;
    k->heat = 0;
    if (!hot(c, at) && k->failed < 7) k->failed++;
}

bool jit_pause(struct cpu *c) {
    u32 at = c->run.last;
    // Code that is executed from its bytes is not hot.
    if (at && c->arena[at].code != UOP_REGION && translatable(c, at)) {
        struct block *k = heated(c, block_of(c, at));
        if (k)
            heat(c, k, at);
        else
            await(c->jit);
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

bool jit_count_miss(struct cpu *c, u32 id) {
    struct jit *j = c->jit;
    struct jit_region *r = &j->regions[id - 1];
    const u32 most = r->windows ? WINDOW_MISSES : MISSES;
    if (r->state != REGION_LIVE || r->watched || ++r->misses % most) return false;
    u64 now = c->run.icount + run_count(c);
    struct jit_entry *e = jit_find_entry(j, c->pages[r->ppn[0]], r->start, r->mode);
    // Nothing runs for long in what is no function or loop: there calls cost little, too.
    bool little = r->kind == KIND_BLOCK || (e && e->misses == MISSES_LEAVE);
    u64 apart = little ? APART_INSNS : MISS_INSNS;
    if (r->windows) apart = WINDOW_MISS_INSNS;
    bool often = r->misses > most && now - r->missed < most * apart;
    r->missed = now;
    if (!often) return false;
    if (r->windows) {
        if (e && !e->split) {
            if (watch_busy(c)) return false;
            e->split = true;
            r->watched = watch_again(c, id);
            if (r->watched) return false;
        }
        if (e) e->plain = true;
        jit_retranslate(c, id, false);
        return false;
    }
    if (e) {
        if (e->misses < MISSES_STAY) e->misses++;
        if (e->tries) e->tries--;
    }
    for (unsigned i = 0; i < r->nspans; i++) { // hot already
        i16 start = r->spans[i].start;
        u32 at = start < 0 ? 0 : code_find(c, r->ppn[0], (u16)start, r->mode);
        if (at) block_of(c, at)->heat = (u8)(c->set.hot_samples - 1);
    }
    jit_kill(c, id);
    return true;
}
