// Which areas of memory hot code accesses: windows. Depends on jit.h and the TLB.
//
// Most loops go to a few areas that lie together on the host too: a stack, a heap, a program's
// data. Of a translation that runs end in again and again, a few thousand instructions are
// interpreted with every access on its slow way, which notes where it goes. Then it is made anew:
// accesses that stayed in one area compare with that area's window (tlb.h), which locals hold,
// instead of looking at the TLB. One that is elsewhere leaves the translation as an access does
// that the TLB does not know, and its window is opened there. Where that happens too often the
// translation is made anew again, first without the window that was left, as of an array of which
// the parts lie apart on the host; then without windows.
//
// A window's number stands for an area of one program; programs that share code share the numbers,
// and find their own areas by missing once. All this decides what is fast only.
#include <stdlib.h>
#include <string.h>

#include "exec/jit.h"

enum {
    FOUND = 80,      // runs that end in a translation until it is watched
    FOUND_TIMES = 4, // at most so many times what makes code hot: for tests that make it hot soon
    WATCH_INSNS = 8192,    // how long
    SITES = 2048,          // instructions noted, at most half of that
    SPLIT_BYTES = 1 << 16, // the guest's kernel hands out memory in such pieces
    PATIENCE = 16          // runs that may end elsewhere before it is made anew
};

enum watching { WATCH_NOTHING, WATCH_SOON, WATCH_NOW, WATCH_DONE };

// Where the loads and the stores of an instruction went to: lowest and highest address.
struct site {
    u64 pc;
    u64 lo[2], hi[2];
    bool any[2];
};

struct watch {
    enum watching state;
    u32 region, n, patience;
    gva page; // of the region's entry
    const struct tlb_context *context;
    u64 key;
    struct site sites[SITES];
    struct tlb_closed closed;
    struct {
        u64 lo, end;
    } split[2]; // areas that get no window
    // By window: what area it is for, and whether the region being made has it.
    struct {
        u64 lo, end;
        bool taken;
    } areas[TLB_WINDOWS];
    unsigned next[2]; // window to be given another area
};

static struct site *site_at(struct watch *w, u64 pc, bool add) {
    u32 i = (u32)((pc >> 1) * 0x9e3779b1u) >> (32 - 11);
    for (;; i = (i + 1) % SITES) {
        struct site *s = &w->sites[i];
        if (s->pc == pc) return s;
        if (s->pc) continue;
        if (!add || w->n == SITES / 2) return NULL;
        w->n++;
        s->pc = pc;
        return s;
    }
}
_Static_assert(SITES == 1 << 11, "the hash of an address has so many bits");

void watch_note(struct cpu *c, u64 va, bool write) {
    struct watch *w = c->jit ? c->jit->watch : NULL;
    struct site *s = w && c->s->pc ? site_at(w, c->s->pc, true) : NULL;
    if (!s) return;
    if (!s->any[write] || va < s->lo[write]) s->lo[write] = va;
    if (!s->any[write] || va > s->hi[write]) s->hi[write] = va;
    s->any[write] = true;
}

// ---- windows

static u32 window_for(struct watch *w, bool write, const struct tlb_window *area) {
    u64 end = area->lo + area->room[0];
    unsigned first = write ? TLB_WRITABLE : 0;
    for (unsigned k = first; k < first + TLB_WRITABLE; k++) {
        if (area->lo >= w->areas[k].end || end <= w->areas[k].lo) continue;
        w->areas[k].lo = area->lo;
        w->areas[k].end = end;
        w->areas[k].taken = true;
        return k + 1;
    }
    for (unsigned tries = 0; tries < TLB_WRITABLE; tries++) {
        unsigned k = first + w->next[write]++ % TLB_WRITABLE;
        if (w->areas[k].taken) continue;
        w->areas[k].lo = area->lo;
        w->areas[k].end = end;
        w->areas[k].taken = true;
        return k + 1;
    }
    return 0;
}

static bool is_split(const struct watch *w, const struct site *s, bool write) {
    for (unsigned k = 0; k < 2; k++)
        if (s->lo[write] < w->split[k].end && s->hi[write] >= w->split[k].lo) return true;
    return false;
}

// region_abi.window. What may be written is found in the window for writing, for loads, too.
u32 watch_window(void *arg, i32 rel, bool write) {
    struct cpu *c = arg;
    struct watch *w = c->jit->watch;
    struct site *s = site_at(w, w->page + (u64)(i64)rel, false);
    if (!s || !s->any[write] || is_split(w, s, write)) return 0;
    for (int table = TLB_WRITE; table >= (write ? TLB_WRITE : TLB_READ); table--) {
        struct tlb_window a = tlb_area(&c->tlb, (enum tlb_table)table, s->lo[write]);
        if (s->hi[write] - a.lo < a.room[0]) return window_for(w, table == TLB_WRITE, &a);
    }
    return 0;
}

void watch_missed(struct cpu *c) {
    u32 id = c->run.window - 1;
    gpa pa;
    bool fault;
    u64 cause;
    if (id >= TLB_WINDOWS) return;
    mem_page(c, c->run.missed, id < TLB_WRITABLE ? ACCESS_READ : ACCESS_WRITE, &pa, &fault, &cause);
    tlb_open_window(&c->tlb, id, c->run.missed);
}

// ---- when

bool watch_slice(struct cpu *c, u64 *most) {
    struct watch *w = c->jit->watch;
    if (!w || w->state != WATCH_SOON) return false;
    w->state = WATCH_NOW;
    w->n = 0;
    memset(w->sites, 0, sizeof w->sites);
    tlb_switch(&c->tlb, c->arch->tlb_key(c->s));
    tlb_close(&c->tlb, &w->closed);
    w->context = c->tlb.cur;
    w->key = c->tlb.cur->key;
    if (*most > WATCH_INSNS) *most = WATCH_INSNS;
    return true;
}

// Where programs have a page differs from process to process: the region is about where it runs
// now.
static void locate(struct cpu *c, struct jit_region *r) {
    gva page = c->s->pc & ~(u64)(GUEST_PAGE_SIZE - 1);
    u32 ppn;
    if (jit_code_page(c, page, &ppn) && ppn == r->ppn[0]) r->at.page = page;
}

static void begin(struct watch *w, const struct jit_region *r, u32 id) {
    w->state = WATCH_SOON;
    w->region = id;
    w->page = r->at.page;
    memset(w->split, 0, sizeof w->split);
}

bool watch_busy(const struct cpu *c) {
    return c->jit->watch && c->jit->watch->state != WATCH_NOTHING;
}

bool watch_again(struct cpu *c, u32 id) {
    struct watch *w = c->jit->watch;
    u32 window = c->run.window - 1;
    if (!w || window >= TLB_WINDOWS) return false;
    locate(c, &c->jit->regions[id - 1]);
    begin(w, &c->jit->regions[id - 1], id);
    w->split[0].lo = w->areas[window].lo;
    w->split[0].end = w->areas[window].end;
    w->split[1].lo = c->run.missed & ~(u64)(SPLIT_BYTES - 1);
    w->split[1].end = w->split[1].lo + SPLIT_BYTES;
    return true;
}

void watch_found(struct cpu *c, u32 id) {
    struct jit *j = c->jit;
    struct jit_region *r = &j->regions[id - 1];
    locate(c, r);
    if (r->windows || r->plain || c->set.disabled & PASS_WINDOWS) return;
    u32 most = FOUND_TIMES * c->set.hot_samples;
    if (++r->found < (most < FOUND ? most : FOUND)) return;
    if (!j->watch && !(j->watch = calloc(1, sizeof *j->watch))) return;
    struct watch *w = j->watch;
    if (w->state == WATCH_NOTHING) begin(w, r, id);
}

u32 watch_done(struct cpu *c) {
    struct watch *w = c->jit->watch;
    if (!w || w->state == WATCH_NOTHING) return 0;
    if (w->state == WATCH_NOW) {
        tlb_open(&c->tlb, &w->closed);
        w->state = WATCH_DONE;
        w->patience = PATIENCE;
        return 0;
    }
    if (w->state != WATCH_DONE) return 0;
    // Its areas are known from the TLB, in its own address space.
    tlb_switch(&c->tlb, c->arch->tlb_key(c->s));
    if ((c->tlb.cur != w->context || c->tlb.cur->key != w->key) && --w->patience) return 0;
    w->state = WATCH_NOTHING;
    for (unsigned k = 0; k < TLB_WINDOWS; k++) w->areas[k].taken = false;
    if (w->patience) return w->region;
    c->jit->regions[w->region - 1].watched = false;
    return 0;
}
