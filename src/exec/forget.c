// Forgetting decoded code: blocks whose bytes are written, one by one; and the oldest part of the
// arena when it is full. Depends on code.c's hash and on jit_drop_page.
//
// The arena is a ring of segments. A full one is left for the next, whose blocks are evicted first:
// so memory is bounded, nothing else is lost, and what is still hot costs one more decoding each
// time round. (A second chance for hot blocks was left out: a round is 300,000 blocks.) A
// translation belongs to the page, not to the block, and is found again when the block is decoded
// anew (jit_decoded).
//
// Invariants: a dead block is in no page's list, not in the hash, and starts with UOP_STALE; no
// live block links to it. It stays readable until its segment is reused, so the block that is
// running may die. Only decoding evicts, which happens between blocks.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"

static bool is_dead(const struct cpu *c, u32 index) { return c->arena[index].code == UOP_STALE; }

static void kill(struct cpu *c, u32 index) {
    code_unhash(c, index);
    c->arena[index].code = UOP_STALE;
}

// A way out of the block at `self` that leads to a dead block is to be looked up again.
static void unlink_way(struct cpu *c, u32 self, struct uop *u) {
    if (u->code != UOP_JUMP || !is_dead(c, uop_target(c->arena, u))) return;
    if (u->a == LINK_TAKEN) u[-1].target = 0;
    if (u->a == LINK_OTHER) u[-2].other = 0;
    u->code = UOP_LINK;
    u->disp = block_of(c, uop_target(c->arena, u))->start;
    u->meta = self;
}

// A block's ways out are its last uops, two after a branch.
static void unlink_block(struct cpu *c, u32 index) {
    unsigned n = block_of(c, index)->uops;
    unlink_way(c, index, &c->arena[index + n - 1]);
    if (n > 2) unlink_way(c, index, &c->arena[index + n - 2]);
}

// The first uop of a translated block is kept by the translator, where links are not undone: a
// block whose ways out may be in it goes, too.
static bool hides_link(const struct cpu *c, u32 index, const struct block *k) {
    return c->arena[index].code == UOP_REGION && k->uops <= 3;
}

// Bits that may belong to instructions that cross pages (code.c): they are watched there too.
static bool in_edge(u32 off) { return off < 16 || off >= GUEST_PAGE_SIZE - 16; }

static void clear_bits(struct code_page *p, bool keep_edges) {
    enum { LAST = ARRAY_LEN(p->bytes) - 1 };
    u64 low = p->bytes[0] & 0xffff, high = p->bytes[LAST] & (u64)0xffff << 48;
    memset(p->bytes, 0, sizeof p->bytes);
    if (!keep_edges) return;
    p->bytes[0] = low;
    p->bytes[LAST] = high;
}

// After some of its blocks died: the page without them. Without the edges no jump to an instruction
// that crosses may be cached.
static void sweep_page(struct cpu *c, u32 ppn, bool keep_edges) {
    struct code_page *p = c->pages[ppn];
    p->swept = true;
    for (u32 *at = &p->blocks; *at;) {
        struct block *k = block_of(c, *at);
        if (!is_dead(c, *at) && hides_link(c, *at, k)) kill(c, *at);
        if (is_dead(c, *at))
            *at = k->page_next;
        else
            at = &k->page_next;
    }
    if (!p->regions) clear_bits(p, keep_edges); // else what they were made from stays watched
    for (u32 i = p->blocks; i; i = block_of(c, i)->page_next) {
        const struct block *k = block_of(c, i);
        code_mark(c, ppn, k->start, k->bytes);
        unlink_block(c, i);
    }
    if (!p->blocks && !p->regions && !p->entries && !p->bytes[0] &&
        !p->bytes[ARRAY_LEN(p->bytes) - 1]) {
        free(p);
        c->pages[ppn] = NULL;
    }
}

static bool page_has_code(const struct code_page *p, u32 off, u32 len) {
    for (u32 i = off; i < off + len; i++)
        if (p->bytes[i / 64] >> (i % 64) & 1) return true;
    return false;
}

// Code bytes in [off, off + len) of a page were written. Twice in a row nearby: it is being filled
// with something else, so all of it goes.
static void page_written(struct cpu *c, u32 ppn, u32 off, u32 len) {
    enum { NEARBY = 256 };
    struct code_page *p = c->pages[ppn];
    bool translated = p->regions || p->entries, all = off - p->written < NEARBY;
    p->written = (u16)off;
    for (u32 i = p->blocks; i;) {
        struct block *k = block_of(c, i);
        u32 next = k->page_next;
        if (all || (k->start < off + len && off < k->start + k->bytes) ||
            (translated && c->arena[i].code == UOP_REGION))
            kill(c, i);
        i = next;
    }
    // Cached jumps to a dead block find that out. Those to translations and to instructions that
    // cross into this page do not, and a running translation must end.
    if (translated) jit_drop_page(c, p);
    bool jumps = translated || all || in_edge(off) || in_edge(off + len - 1);
    if (jumps) {
        tlb_forget_jumps(&c->tlb);
        c->attention = true;
    }
    sweep_page(c, ppn, !jumps);
    c->stats.code_invalidations++;
    if (unlikely(c->set.dump & DUMP_CODE))
        dump_text(c, DUMP_CODE, "page %x: code at %x, %u bytes, written\n", ppn, off, len);
}

bool code_is_at(const struct cpu *c, gpa pa, u32 len) {
    u64 off = pa - bus_ram_base(c->bus);
    const struct code_page *p = c->pages[off >> GUEST_PAGE_SHIFT];
    return p && page_has_code(p, (u32)(off % GUEST_PAGE_SIZE), len);
}

void code_written(struct cpu *c, gpa pa, u64 len) {
    u64 off = pa - bus_ram_base(c->bus);
    while (len) {
        u64 ppn = off >> GUEST_PAGE_SHIFT;
        u32 at = (u32)(off % GUEST_PAGE_SIZE);
        u64 n = GUEST_PAGE_SIZE - at < len ? GUEST_PAGE_SIZE - at : len;
        if (c->pages[ppn] && page_has_code(c->pages[ppn], at, (u32)n))
            page_written(c, (u32)ppn, at, (u32)n);
        off += n;
        len -= n;
    }
}

// ---- the arena

static u32 segment_start(const struct cpu *c, u32 segment) {
    return segment ? segment * c->segment_uops : ARENA_FIRST;
}

static void evict(struct cpu *c, u32 segment) {
    u32 from = segment_start(c, segment) + HDR_UOPS, to = c->segment_end[segment];
    for (u32 i = from; i < to; i += HDR_UOPS + block_of(c, i)->uops) {
        struct block *k = block_of(c, i);
        if (is_dead(c, i)) continue;
        kill(c, i);
        if (k->ppn != PPN_LOOSE) c->pages[k->ppn]->swept = false;
    }
    for (u32 i = from; i < to; i += HDR_UOPS + block_of(c, i)->uops) {
        const struct block *k = block_of(c, i);
        if (k->ppn == PPN_LOOSE || !c->pages[k->ppn] || c->pages[k->ppn]->swept) continue;
        sweep_page(c, k->ppn, false);
    }
    code_forget_jumps(c);
    c->arena_generation++;
    c->stats.code_evictions++;
    dump_text(c, DUMP_CODE, "segment %u evicted\n", segment);
}

void code_make_room(struct cpu *c) {
    u32 limit = (c->segment + 1) * c->segment_uops;
    if (likely(c->arena_used + HDR_UOPS + BLOCK_UOPS <= limit)) return;
    c->segment_end[c->segment] = c->arena_used;
    c->segment = (c->segment + 1) % c->nsegments;
    if (c->segment_end[c->segment]) evict(c, c->segment);
    c->segment_end[c->segment] = 0;
    c->arena_used = segment_start(c, c->segment);
}

static void free_pages(struct cpu *c) {
    for (u64 i = 0; c->pages && i < c->npages; i++) {
        if (c->pages[i]) jit_drop_page(c, c->pages[i]);
        free(c->pages[i]);
        c->pages[i] = NULL;
    }
}

// All ones is the tag of one address, the last (a guest may jump there): not in its own slot.
void code_forget_jumps(struct cpu *c) {
    size_t n = (size_t)1 << JUMPS_BITS;
    memset(c->jumps, 0xff, n * sizeof *c->jumps);
    c->jumps[n - 1].tag = 0;
}

// Write entries marked slow become fast again when they are used.
static void reset(struct cpu *c) {
    memset(c->hash, 0, ((size_t)1 << HASH_BITS) * sizeof *c->hash);
    code_forget_jumps(c);
    memset(c->segment_end, 0, sizeof c->segment_end);
    c->segment = 0;
    c->arena_used = segment_start(c, 0);
}

void code_flush(struct cpu *c) {
    free_pages(c);
    reset(c);
    c->arena_generation++;
    c->stats.code_invalidations++;
}

bool code_init(struct cpu *c, struct err *err) {
    bool tiny = c->set.torture & TORTURE_ARENA;
    c->nsegments = tiny ? 4 : ARENA_SEGMENTS;
    c->segment_uops = tiny ? TINY_SEGMENT_UOPS : ARENA_UOPS / ARENA_SEGMENTS;
    c->npages = bus_ram_size(c->bus) >> GUEST_PAGE_SHIFT;
    c->arena = malloc((size_t)c->nsegments * c->segment_uops * sizeof *c->arena);
    c->hash = malloc(((size_t)1 << HASH_BITS) * sizeof *c->hash);
    c->pages = calloc((size_t)c->npages, sizeof *c->pages);
    c->jumps = malloc(((size_t)1 << JUMPS_BITS) * sizeof *c->jumps);
    if (!c->arena || !c->hash || !c->pages || !c->jumps) {
        err_set(err, ERR_NOMEM, "out of memory for the code cache");
        return false;
    }
    reset(c);
    return true;
}

void code_free(struct cpu *c) {
    free_pages(c);
    free(c->arena);
    free(c->hash);
    free(c->pages);
    free(c->jumps);
}
