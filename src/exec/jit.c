// Choosing, translating and keeping regions. Where a slice's budget runs out is a sample of where
// the guest spends its time, so hot blocks need no counters. A region starts at a hot block and
// takes in what it reaches inside its page. Depends on emit/ and the code cache.
//
// Invariants: a translation belongs to the physical page and mode of its blocks and dies with the
// page's code; the first uop of a translated block is UOP_REGION, so links into it need no change;
// slots of the function table are reused, never while their code runs (regions are dropped between
// or inside slow paths; the running one is kept alive by its host until it returns).
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "emit/wasm/region.h"
#include "exec/engine.h"
#include "ir/ops.h"

enum {
    HOT_SAMPLES = 16 /* 130,000 instructions: flat profiles stay interpreted */,
    GROW_SLOTS = 256,
    REGION_OPS = 6000,
    COLD = 255
};

struct jit_region {
    u32 slot;
    u16 start;
    u8 mode;
    u32 next; // of the same page, or of the free ones; 1 + index
};

struct jit {
    struct jit_host host;
    struct region_abi abi;
    struct jit_region *regions;
    u32 nregions, cap, free_regions;
    u32 *slots; // free ones
    u32 nslots, slots_cap;
};

// ---- what emitted code calls

static void place_at(struct guest_state *s, u32 meta) {
    s->pc = s->cpu->run.page + meta % GUEST_PAGE_SIZE;
    s->insn_index = meta >> UOP_META_SHIFT;
}

static void heed(struct cpu *c) {
    if (!c->attention) return;
    c->run.stash += c->run.budget;
    c->run.budget = 0;
}

static void *slow_load(struct guest_state *s, u64 va, u32 info) {
    struct cpu *c = s->cpu;
    place_at(s, info & 0xffffff);
    if (!mem_load(c, va, info >> 24 & 15, info >> 30 & 1, &c->run.datum)) return NULL;
    heed(c);
    return &c->run.datum;
}

static void *slow_store(struct guest_state *s, u64 va, u64 val, u32 info) {
    struct cpu *c = s->cpu;
    place_at(s, info & 0xffffff);
    if (!mem_store(c, va, info >> 24 & 15, val)) return NULL;
    heed(c);
    return &c->run.sink;
}

static void raise_trap(struct guest_state *s, u64 tval, u64 cause, u32 meta) {
    place_at(s, meta);
    guest_raise(s, cause, tval);
}

static void place_call(struct guest_state *s, u32 meta) {
    struct cpu *c = s->cpu;
    place_at(s, meta);
    s->icount = c->run.icount + (u64)(c->run.start - (c->run.budget + c->run.stash));
}

// Integer operations as functions, for those that WebAssembly lacks.
#define CT_I32 u32
#define CT_I64 u64
#define FALLBACK(n, ty, e)                                                                         \
    static u64 op_##n(u64 x, u64 y) {                                                              \
        CT_##ty a = (CT_##ty)x, b = (CT_##ty)y;                                                    \
        (void)b;                                                                                   \
        return (u64)(e);                                                                           \
    }
#define FALLBACKS                                                                                  \
    FALLBACK_ROW(MULHU64, I64, ir_mulhu64(a, b))                                                   \
    FALLBACK_ROW(MULHS64, I64, ir_mulhs64(a, b))                                                   \
    FALLBACK_ROW(MULHSU64, I64, ir_mulhsu64(a, b))                                                 \
    FALLBACK_ROW(BSWAP64, I64, __builtin_bswap64(a))                                               \
    FALLBACK_ROW(BSWAP32, I32, __builtin_bswap32(a))                                               \
    FALLBACK_ROW(ORCB64, I64, ir_orcb64(a))
#define FALLBACK_ROW FALLBACK
FALLBACKS
#undef FALLBACK_ROW

static u32 fallback(enum ir_op op) {
    switch (op) {
#define FALLBACK_ROW(n, ty, e)                                                                     \
    case IR_##n:                                                                                   \
        return (u32)(uintptr_t)op_##n;
        FALLBACKS
#undef FALLBACK_ROW
    default:
        return 0;
    }
}

// ---- slots and regions

static u32 take_slot(struct jit *j) {
    if (!j->nslots) {
        u32 first = j->host.grow(j->host.arg, GROW_SLOTS);
        if (!first) return 0;
        if (j->slots_cap < GROW_SLOTS + j->nregions + 1) {
            u32 cap = 2 * (j->slots_cap + GROW_SLOTS);
            u32 *p = realloc(j->slots, cap * sizeof *p);
            if (!p) return 0;
            j->slots = p;
            j->slots_cap = cap;
        }
        for (u32 i = 0; i < GROW_SLOTS; i++) j->slots[j->nslots++] = first + GROW_SLOTS - 1 - i;
    }
    return j->slots[--j->nslots];
}

static void give_slot(struct jit *j, u32 slot) {
    j->host.remove(j->host.arg, slot);
    assert(j->nslots < j->slots_cap);
    j->slots[j->nslots++] = slot;
}

static struct jit_region *new_region(struct jit *j, u32 *id) {
    if (j->free_regions) {
        *id = j->free_regions;
        struct jit_region *r = &j->regions[*id - 1];
        j->free_regions = r->next;
        return r;
    }
    if (j->nregions == j->cap) {
        u32 cap = j->cap ? 2 * j->cap : 256;
        struct jit_region *p = realloc(j->regions, cap * sizeof *p);
        if (!p) return NULL;
        j->regions = p;
        j->cap = cap;
    }
    *id = ++j->nregions;
    return &j->regions[*id - 1];
}

void jit_drop_page(struct cpu *c, struct code_page *p) {
    struct jit *j = c->jit;
    for (u32 id = p->regions; id;) {
        struct jit_region *r = &j->regions[id - 1];
        u32 next = r->next;
        give_slot(j, r->slot);
        r->next = j->free_regions;
        j->free_regions = id;
        id = next;
    }
    p->regions = 0;
}

void jit_decoded(struct cpu *c, u32 index) {
    const struct block *k = block_of(c, index);
    for (u32 id = c->pages[k->ppn]->regions; id; id = c->jit->regions[id - 1].next) {
        const struct jit_region *r = &c->jit->regions[id - 1];
        if (r->start != k->start || r->mode != k->mode) continue;
        c->arena[index].code = UOP_REGION;
        c->arena[index].imm = r->slot;
        break;
    }
}

// ---- forming

static bool known(const struct region *r, i64 rel) {
    for (unsigned i = 0; i < r->n; i++)
        if (r->blocks[i].start == rel) return true;
    return false;
}

static bool add_block(struct cpu *c, struct region *r, const u8 *page, u32 ppn, u32 mode, i32 rel) {
    if (!code_lift_in_page(c, page, rel, mode, c->set.max_block_insns)) return false;
    struct region_block *b = &r->blocks[r->n];
    b->ops = malloc(c->ir.n * sizeof *b->ops);
    if (!b->ops) return false;
    memcpy(b->ops, c->ir.ops, c->ir.n * sizeof *b->ops);
    b->start = rel;
    b->nops = c->ir.n;
    b->ninsns = c->ir.ninsns;
    code_mark(c, ppn, (u32)rel, code_block_bytes(&c->ir));
    r->n++;
    return true;
}

// Breadth first from the entry over exits inside the page.
static void form(struct cpu *c, struct region *r, u32 ppn, u32 mode, i32 start) {
    const u8 *page =
        bus_ram_ptr(c->bus, bus_ram_base(c->bus) + ((u64)ppn << GUEST_PAGE_SHIFT), GUEST_PAGE_SIZE);
    u32 ops = 0;
    if (!add_block(c, r, page, ppn, mode, start)) return;
    for (unsigned i = 0; i < r->n; i++) {
        const struct region_block *b = &r->blocks[i];
        const struct ir_insn *x = &b->ops[b->nops - 1];
        ops += b->nops;
        i64 ways[2] = {-1, -1};
        if (x->op == IR_JUMP || x->op == IR_BRANCH) ways[0] = (i64)x->imm;
        if (x->op == IR_BRANCH) ways[1] = (i64)(i32)x->aux;
        for (int k = 0; k < 2; k++) {
            bool inside = ways[k] >= 0 && ways[k] < GUEST_PAGE_SIZE;
            if (inside && !known(r, ways[k]) && r->n < REGION_BLOCKS && ops < REGION_OPS)
                add_block(c, r, page, ppn, mode, (i32)ways[k]);
        }
    }
}

// The blocks from which the entry can be reached again, as a mask: the loop it is in.
static u64 loop_of(const struct region *r) {
    u64 in = 1, before;
    do {
        before = in;
        for (unsigned i = 0; i < r->n; i++) {
            const struct region_block *b = &r->blocks[i];
            const struct ir_insn *x = &b->ops[b->nops - 1];
            for (unsigned k = 0; k < r->n; k++) {
                bool to =
                    (x->op == IR_JUMP || x->op == IR_BRANCH) && (i64)x->imm == r->blocks[k].start;
                to |= x->op == IR_BRANCH && (i64)(i32)x->aux == r->blocks[k].start;
                if (to && in >> k & 1) in |= (u64)1 << i;
            }
        }
    } while (in != before);
    return in;
}

// Compilers put a loop's head first, and code entered at heads is reducible: where the hot block's
// outermost loop starts.
static i32 loop_head(const struct region *r) {
    u64 in = loop_of(r);
    i32 head = r->blocks[0].start;
    for (unsigned i = 0; i < r->n; i++)
        if (in >> i & 1 && r->blocks[i].start < head) head = r->blocks[i].start;
    return head;
}

static void free_blocks(struct region *r) {
    for (unsigned i = 0; i < r->n; i++) free(r->blocks[i].ops);
    r->n = 0;
}

static bool install(struct cpu *c, const struct region *r, u32 index) {
    struct jit *j = c->jit;
    struct buf module = {0};
    u32 slot = 0, id;
    bool ok = r->n && region_emit(r, &j->abi, &module) && (slot = take_slot(j)) != 0;
    if (ok && !j->host.install(j->host.arg, module.data, module.len, slot)) {
        give_slot(j, slot);
        ok = false;
    }
    struct jit_region *e = ok ? new_region(j, &id) : NULL;
    if (e) {
        struct code_page *p = c->pages[block_of(c, index)->ppn];
        *e = (struct jit_region){slot, (u16)r->blocks[0].start, block_of(c, index)->mode,
                                 p->regions};
        p->regions = id;
        c->arena[index].code = UOP_REGION;
        c->arena[index].imm = slot;
        c->stats.regions++;
        c->stats.region_bytes += module.len;
    }
    buf_free(&module);
    return e != NULL;
}

static bool translatable(struct cpu *c, u32 index) {
    u16 code = c->arena[index].code;
    struct block *k = block_of(c, index);
    return k->ppn != PPN_LOOSE && code != UOP_REGION && code != UOP_STALE && k->heat != COLD;
}

// Translates the loop around the block at `index`, or what is reached from it. The arena index of
// the translation's entry, 0 when it failed.
static u32 translate(struct cpu *c, u32 index) {
    struct block *k = block_of(c, index);
    struct region *r = calloc(1, sizeof *r);
    if (!r) return 0;
    r->helper_effects = c->helper_effects;
    form(c, r, k->ppn, k->mode, k->start);
    if (r->n) {
        i32 head = loop_head(r);
        u32 at = head != k->start ? code_find(c, k->ppn, (u16)head, k->mode) : 0;
        if (at && translatable(c, at)) {
            free_blocks(r);
            form(c, r, k->ppn, k->mode, head);
            index = at;
        }
    }
    bool ok = install(c, r, index);
    if (!ok) block_of(c, index)->heat = COLD;
    free_blocks(r);
    free(r);
    return ok ? index : 0;
}

void jit_sample(struct cpu *c, u32 index) {
    struct block *k = block_of(c, index);
    if (!translatable(c, index) || ++k->heat < c->set.hot_samples) return;
    k->heat = 0;
    u32 at = translate(c, index);
    if (!at) return;
    // Jumps that were cached before go through the interpreter to the region; let them find it
    // directly.
    gva pc = (c->s->pc & ~(u64)(GUEST_PAGE_SIZE - 1)) + block_of(c, at)->start;
    struct jump_entry *e = &c->jumps[(pc >> 1) & ((1u << JUMPS_BITS) - 1)];
    if (e->index == at) e->function = (u32)c->arena[at].imm;
}

static u32 helper_function(const void *arg, unsigned index) {
    const struct cpu *c = arg;
    return (u32)(uintptr_t)c->arch->helpers[index].fn;
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
    assert(c->set.hot_samples < COLD);
    j->abi = (struct region_abi){
        .pc_cell = offsetof(struct guest_state, pc),
        .exc = offsetof(struct guest_state, exc),
        .cpu = (i32)(uintptr_t)c,
        .budget = offsetof(struct cpu, run.budget),
        .page = offsetof(struct cpu, run.page),
        .mix = offsetof(struct cpu, run.mix),
        .tlb_cur = offsetof(struct cpu, tlb.cur),
        .tlb_r = offsetof(struct tlb_context, r),
        .tlb_w = offsetof(struct tlb_context, w),
        .tlb_slots = TLB_SIZE,
        .jumps = offsetof(struct cpu, jumps),
        .jump_mask = (1u << JUMPS_BITS) - 1,
        .slow_load = (u32)(uintptr_t)slow_load,
        .slow_store = (u32)(uintptr_t)slow_store,
        .raise = (u32)(uintptr_t)raise_trap,
        .place = (u32)(uintptr_t)place_call,
        .fallback = fallback,
        .helper = helper_function,
        .arg = c,
    };
    return true;
}

void jit_free(struct cpu *c) {
    if (!c->jit) return;
    free(c->jit->regions);
    free(c->jit->slots);
    free(c->jit);
}
