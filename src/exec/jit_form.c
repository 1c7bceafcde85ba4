// Forming a region: which blocks, what their ways lead to, which calls are inlined. Depends on the
// guest's lift and the code cache.
//
// A region has the blocks that are reached from its entry inside a few adjacent pages, as far as
// they have been decoded: code that never ran stays out. Blocks are lifted with pcrel counted from
// the entry's page. A block of an inlined callee stands in the region once for each place it is
// inlined at.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "exec/jit.h"

enum {
    LIFTED = 256,        // different blocks looked at
    REGION_OPS = 3000,   // IR operations, inlined ones counted each time
    INLINE_BLOCKS = 8,   // of a callee
    INLINE_INSNS = 40,   // of a callee
    CONTEXTS = 24,       // inlined calls
    SWITCH_TARGETS = 24, // of a computed jump
    SWITCHES = 2,        // such jumps: where there are many, each leads elsewhere
    MOST_PLACES = 40,    // that they lead to, in the pages around
    HOME = REGION_PAGES, // index of the entry's page among the pages
    PAGE = (int)GUEST_PAGE_SIZE
};

struct lifted {
    i32 rel, end;
    u32 nops, ninsns;
    struct ir_insn *ops;
};

// A place of the region being formed: a block in an inlining context.
struct node {
    i32 rel;
    u8 context;
};

struct form {
    struct forming *f;
    struct node nodes[REGION_BLOCKS];
    struct {
        u8 parent;
        i32 to; // where the callee returns to
    } contexts[CONTEXTS];
    unsigned ncontexts, nswitches;
    unsigned places; // that computed jumps lead to, 0: not counted
};

static int page_index(i32 rel) {
    int k = (rel >> GUEST_PAGE_SHIFT) + HOME;
    return rel < -REGION_PAGES * PAGE || k >= 2 * REGION_PAGES + 1 ? -1 : k;
}

static unsigned further_pages(const struct forming *f) {
    unsigned n = 0;
    for (int k = 0; k <= 2 * REGION_PAGES; k++) n += k != HOME && f->host[k] != NULL;
    return n;
}

// The host page of `rel`, taking it into the region when that is allowed.
static u8 *page_at(struct forming *f, i32 rel) {
    int k = page_index(rel);
    if (k < 0) return NULL;
    if (f->host[k]) return f->host[k];
    if (f->c->set.disabled & PASS_MULTIPAGE || further_pages(f) == REGION_PAGES) return NULL;
    // Only what was fetched from lately: a walk would leave its traces in the page table.
    gva va = f->page + (u64)(i64)(rel & -PAGE);
    const struct tlb_entry *e = &f->c->tlb.cur->x[(va >> GUEST_PAGE_SHIFT) % TLB_SIZE];
    if (e->tag != va) return NULL;
    u8 *p = (u8 *)(e->addend + (uintptr_t)va);
    u32 ppn =
        (u32)((u64)(p - bus_ram_ptr(f->c->bus, bus_ram_base(f->c->bus), 1)) >> GUEST_PAGE_SHIFT);
    // A page that holds no code yet has none that ran.
    if (!f->c->pages[ppn]) return NULL;
    f->host[k] = p;
    f->ppn[k] = ppn;
    return p;
}

// Has the code at `rel` run? In a page of the region or one that could be. An instruction that may
// cross into the next page is not filed by its page: it counts as run when there is code in both.
static bool decoded(struct forming *f, i32 rel) {
    u8 *p = page_at(f, rel);
    if (!p) return false;
    u32 off = (u32)rel & (GUEST_PAGE_SIZE - 1);
    if (code_find(f->c, f->ppn[page_index(rel)], (u16)off, f->mode)) return true;
    return off + f->c->arch->max_insn > GUEST_PAGE_SIZE && page_at(f, rel + PAGE);
}

// Does a block start there that has run? One that runs into it ends there: if it went on to its own
// end, a loop whose head it runs into would have a second way in, past the head, and no structure.
static bool starts_block(const struct forming *f, u32 ppn, i32 rel) {
    return code_find(f->c, ppn, (u16)((u32)rel & (GUEST_PAGE_SIZE - 1)), f->mode) != 0;
}

// Lifts one block; instructions that cross into the next page are read from both.
static bool lift(struct forming *f, i32 rel) {
    struct cpu *c = f->c;
    struct ir_block *b = &c->ir;
    ir_begin(b, rel, c->helper_effects, c->arch->nhelpers);
    const u8 *page = page_at(f, rel);
    u32 ppn = f->ppn[page_index(rel)];
    i32 at = rel;
    while (!b->ended) {
        unsigned off = (unsigned)at & (GUEST_PAGE_SIZE - 1), avail = GUEST_PAGE_SIZE - off;
        bool first = b->ninsns == 0;
        if (b->ninsns >= c->set.max_block_insns || b->n > IR_BLOCK_CAP - IR_BLOCK_ROOM ||
            (!first && (off == 0 || starts_block(f, ppn, at)))) {
            ir_jump(b, at);
            break;
        }
        unsigned n = c->arch->lift(b, page + off, avail < 16 ? avail : 16, at, f->mode);
        if (n == LIFT_SHORT) {
            if (!first) {
                ir_jump(b, at);
                break;
            }
            const u8 *more = page_at(f, at + (i32)avail);
            if (!more) return false;
            u8 both[32];
            memcpy(both, page + off, avail);
            memcpy(both + avail, more, 16);
            n = c->arch->lift(b, both, 32, at, f->mode);
            at += (i32)n;
            if (!b->ended) ir_jump(b, at);
            break;
        }
        at += (i32)n;
    }
    // Not only sets: helpers that nothing needs the value of.
    if (c->arch->lazy_flags) ir_drop_dead(b);
    return true;
}

static i32 end_of(const struct ir_block *b) {
    i32 end = b->start;
    for (u32 i = 1; i < b->n; i++)
        if (b->ops[i].op == IR_INSN) end = (i32)b->ops[i].imm + (i32)b->ops[i].aux;
    return end;
}

static const struct lifted *block_at(struct forming *f, i32 rel) {
    for (unsigned i = 0; i < f->nblocks; i++)
        if (f->blocks[i].rel == rel) return &f->blocks[i];
    if (f->nblocks == LIFTED || !lift(f, rel)) return NULL;
    struct lifted *l = &f->blocks[f->nblocks];
    l->ops = malloc(f->c->ir.n * sizeof *l->ops);
    if (!l->ops) return NULL;
    memcpy(l->ops, f->c->ir.ops, f->c->ir.n * sizeof *l->ops);
    *l = (struct lifted){rel, end_of(&f->c->ir), f->c->ir.n, f->c->ir.ninsns, l->ops};
    f->nblocks++;
    return l;
}

static const struct ir_insn *exit_of(const struct lifted *l) { return &l->ops[l->nops - 1]; }

static bool is_call(const struct ir_insn *x) {
    return (x->op == IR_JUMP && x->aux == IR_JUMP_CALL) ||
           (x->op == IR_JUMPIND && x->imm == IR_JUMP_CALL);
}

// Small, without calls, and all its ways out are returns?
static bool can_inline(struct form *m, i32 rel) {
    struct forming *f = m->f;
    if (f->c->set.disabled & PASS_INLINE || m->ncontexts == CONTEXTS) return false;
    i32 seen[INLINE_BLOCKS];
    unsigned n = 0, insns = 0, returns = 0;
    seen[n++] = rel;
    for (unsigned i = 0; i < n; i++) {
        if (!decoded(f, seen[i])) continue; // a way out that is not taken
        const struct lifted *l = block_at(f, seen[i]);
        if (!l || (insns += l->ninsns) > INLINE_INSNS) return false;
        const struct ir_insn *x = exit_of(l);
        if (is_call(x) || x->op == IR_LEAVE) return false;
        if (x->op == IR_JUMPIND) {
            if (x->imm != IR_JUMP_RETURN) return false;
            returns++;
            continue;
        }
        i64 ways[2] = {(i64)x->imm, (i64)(i32)x->aux};
        for (int k = 0; k < (x->op == IR_BRANCH ? 2 : 1); k++) {
            bool known = false;
            for (unsigned q = 0; q < n; q++) known |= seen[q] == (i32)ways[k];
            if (known) continue;
            if (n == INLINE_BLOCKS || ways[k] != (i32)ways[k]) return false;
            seen[n++] = (i32)ways[k];
        }
    }
    return returns && decoded(f, rel);
}

const struct code_page *jit_code_page(struct cpu *c, gva page, u32 *ppn) {
    const struct tlb_entry *e = &c->tlb.cur->x[(page >> GUEST_PAGE_SHIFT) % TLB_SIZE];
    if (e->tag != page) return NULL;
    const u8 *p = (const u8 *)(e->addend + (uintptr_t)page);
    *ppn = (u32)((u64)(p - bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1)) >> GUEST_PAGE_SHIFT);
    return c->pages[*ppn];
}

// The same of the page of `rel`.
static const struct code_page *code_page_at(const struct forming *f, i64 rel, u32 *ppn) {
    return jit_code_page(f->c, (f->page + (u64)rel) & ~(u64)(GUEST_PAGE_SIZE - 1), ppn);
}

// Has what is there not run? Of a page that nothing was fetched from lately that is assumed: a
// wrong answer makes the way there longer, no more.
static bool never_ran(const struct forming *f, i64 rel) {
    u32 ppn, off = (u32)((u64)rel & (GUEST_PAGE_SIZE - 1));
    if (!code_page_at(f, rel, &ppn)) return true;
    if (off + f->c->arch->max_insn > GUEST_PAGE_SIZE) return false;
    return !code_find(f->c, ppn, (u16)off, f->mode);
}

static bool may_start(const struct form_at *at, i64 rel) {
    for (unsigned i = 0; i < at->nstops; i++)
        if (at->stops[i] == rel) return false;
    for (unsigned i = 0; at->only && i < at->nonly; i++)
        if (at->only[i].start <= rel && rel < at->only[i].end) return true;
    return !at->only;
}

// The node for `rel` in a context, a new one when it may be; -1: out of the region.
static int node_at(struct form *m, i64 rel, unsigned context) {
    struct forming *f = m->f;
    struct region *r = &f->r;
    for (unsigned i = 0; i < r->n; i++)
        if (m->nodes[i].rel == rel && m->nodes[i].context == context) return (int)i;
    if (context == 0 && r->n && !may_start(f->at, rel)) return -1;
    bool one_block = f->c->set.torture & TORTURE_REGIONS && r->n;
    unsigned most = f->at->most ? f->at->most : REGION_BLOCKS;
    if (rel != (i32)rel || one_block || r->n >= most || f->nops > REGION_OPS) return -1;
    if (r->n && !decoded(f, (i32)rel)) return -1;
    const struct lifted *l = block_at(f, (i32)rel);
    if (!l) return -1;
    m->nodes[r->n] = (struct node){(i32)rel, (u8)context};
    r->blocks[r->n] = (struct region_block){.start = l->rel,
                                            .end_rel = l->end,
                                            .ninsns = l->ninsns,
                                            .nops = l->nops,
                                            .ops = l->ops,
                                            .inlined = context != 0,
                                            .succ = {-1, -1}};
    f->nops += l->nops;
    return (int)r->n++;
}

static void call_ways(struct form *m, unsigned i) {
    struct region_block *b = &m->f->r.blocks[i];
    const struct ir_insn *x = &b->ops[b->nops - 1];
    unsigned context = m->nodes[i].context;
    if (x->op == IR_JUMP && x->imm == (u64)(i64)(i32)x->imm && can_inline(m, (i32)x->imm)) {
        unsigned inner = m->ncontexts++;
        m->contexts[inner].parent = (u8)context;
        m->contexts[inner].to = b->end_rel;
        b->succ[0] = (i16)node_at(m, (i64)x->imm, inner);
        if (b->succ[0] >= 0) return;
        m->ncontexts--;
    }
    if (m->f->c->set.disabled & PASS_CALLS) return;
    b->end = END_CALL;
    b->succ[0] = (i16)node_at(m, b->end_rel, context);
}

// Do computed jumps lead to more places around here than could be told apart? Then it is the
// evaluation loop of a big interpreter, of which each handler jumps to the next: tests of a few
// would seldom find it, and put those handlers' code into all others.
static bool threaded(struct form *m) {
    struct forming *f = m->f;
    struct cpu *c = f->c;
    if (m->places) return m->places > MOST_PLACES;
    for (i32 k = -REGION_PAGES; k <= REGION_PAGES; k++) {
        u32 ppn = f->ppn[HOME];
        const struct code_page *p = k ? code_page_at(f, k * PAGE, &ppn) : c->pages[ppn];
        for (u32 i = p ? p->blocks : 0; i; i = block_of(c, i)->page_next)
            m->places += block_of(c, i)->jumped && block_of(c, i)->mode == f->mode;
    }
    return m->places > MOST_PLACES;
}

// A computed jump: to the blocks of the entry's page that such jumps were seen to lead to, one test
// after the other.
static void switch_ways(struct form *m, unsigned i) {
    static const struct ir_insn nothing[1];
    struct forming *f = m->f;
    struct region *r = &f->r;
    struct cpu *c = f->c;
    int last = (int)i;
    unsigned n = 0;
    if (c->set.disabled & PASS_SWITCH || m->nodes[i].context || m->nswitches == SWITCHES) return;
    if (threaded(m)) return;
    m->nswitches++;
    for (u32 k = c->pages[f->ppn[HOME]]->blocks; k && n < SWITCH_TARGETS;
         k = block_of(c, k)->page_next) {
        const struct block *t = block_of(c, k);
        if (!t->jumped || t->mode != f->mode || r->n + 2 > REGION_BLOCKS) continue;
        int to = node_at(m, t->start, 0);
        if (to < 0 || r->n == REGION_BLOCKS) continue;
        unsigned test = r->n++;
        m->nodes[test] = (struct node){INT32_MIN, 0};
        r->blocks[test] = (struct region_block){
            .start = INT32_MIN, .nops = 1, .ops = nothing, .end = END_TEST, .succ = {(i16)to, -1}};
        r->blocks[last].succ[n ? 1 : 0] = (i16)test;
        last = (int)test;
        n++;
    }
    if (n) r->blocks[i].end = END_SWITCH;
}

// An instruction that may change anything: on after it, if it is not a way elsewhere or that
// returns to there.
static void leave_ways(struct form *m, unsigned i) {
    struct region_block *b = &m->f->r.blocks[i];
    if (m->f->c->set.disabled & PASS_CHAIN) return;
    if (b->ops[b->nops - 1].imm == IR_JUMP_CALL) {
        if (m->f->c->set.disabled & PASS_CALLS) return;
        b->end = END_CALL;
        b->succ[0] = (i16)node_at(m, b->end_rel, m->nodes[i].context);
        return;
    }
    for (u32 k = b->nops - 1; k-- > 1;) {
        const struct ir_insn *o = &b->ops[k];
        if (o->op != IR_SET || o->imm != offsetof(struct guest_state, pc)) continue;
        if (b->ops[o->a].op != IR_PCREL || (i64)b->ops[o->a].imm != b->end_rel) return;
        b->end = END_CALL;
        b->succ[0] = (i16)node_at(m, b->end_rel, m->nodes[i].context);
        return;
    }
}

static void ways(struct form *m, unsigned i) {
    struct region_block *b = &m->f->r.blocks[i];
    const struct ir_insn *x = &b->ops[b->nops - 1];
    unsigned context = m->nodes[i].context;
    if (b->end == END_TEST) return;
    if (is_call(x)) {
        call_ways(m, i);
    } else if (x->op == IR_LEAVE) {
        leave_ways(m, i);
    } else if (x->op == IR_JUMPIND && x->imm == IR_JUMP_PLAIN) {
        switch_ways(m, i);
    } else if (x->op == IR_JUMPIND) {
        if (x->imm != IR_JUMP_RETURN || !context) return;
        int to = node_at(m, m->contexts[context].to, m->contexts[context].parent);
        if (to < 0) return;
        b->end = END_RETURN;
        b->succ[0] = (i16)to;
    } else if (x->op == IR_JUMP || x->op == IR_BRANCH) {
        const i64 to[2] = {(i64)x->imm, (i64)(i32)x->aux};
        for (unsigned k = 0; k < (x->op == IR_BRANCH ? 2 : 1); k++) {
            b->succ[k] = (i16)node_at(m, to[k], context);
            if (b->succ[k] < 0 && never_ran(m->f, to[k])) b->cold |= (u8)(1 << k);
        }
    }
}

// The pages that the region has bytes of, beside the entry's.
static void note_pages(struct forming *f) {
    bool needed[1 + 2 * REGION_PAGES] = {false};
    for (unsigned i = 0; i < f->r.n; i++) {
        const struct region_block *b = &f->r.blocks[i];
        if (b->end == END_TEST) continue;
        needed[page_index(b->start)] = true;
        needed[page_index(b->end_rel - 1)] = true;
    }
    f->r.npages = 0;
    for (int k = 0; k <= 2 * REGION_PAGES; k++) {
        if (k == HOME) continue;
        if (!needed[k]) f->host[k] = NULL;
        if (!f->host[k]) continue;
        f->r.pages[f->r.npages].rel = (k - HOME) * PAGE;
        f->r.pages[f->r.npages++].host = (u32)(uintptr_t)f->host[k];
    }
}

struct forming *form_region(struct cpu *c, const struct form_at *at) {
    struct forming *f = calloc(1, sizeof *f);
    struct form *m = calloc(1, sizeof *m);
    if (f) f->blocks = calloc(LIFTED, sizeof *f->blocks);
    if (!f || !m || !f->blocks) {
        form_free(f);
        free(m);
        return NULL;
    }
    m->f = f;
    m->ncontexts = 1; // 0: not inlined
    f->c = c;
    f->at = at;
    f->mode = at->mode;
    f->page = at->page;
    f->ppn[HOME] = at->ppn;
    f->host[HOME] =
        bus_ram_ptr(c->bus, bus_ram_base(c->bus) + ((u64)at->ppn << GUEST_PAGE_SHIFT), 1);
    f->r.helper_effects = c->helper_effects;
    f->r.flags = c->arch->flags;
    f->r.fast = c->helper_fast;
    bool ok = node_at(m, at->start, 0) == 0;
    for (unsigned i = 0; ok && i < f->r.n; i++) ways(m, i);
    free(m);
    if (!ok) {
        form_free(f);
        return NULL;
    }
    note_pages(f);
    return f;
}

// Marks the blocks from which the entry can be reached again; the entry itself only if it can.
static void find_loop(const struct forming *f, bool *in) {
    const struct region *r = &f->r;
    memset(in, 0, r->n * sizeof *in);
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned i = 0; i < r->n; i++)
            for (int k = 0; k < 2 && !in[i]; k++) {
                i16 s = r->blocks[i].succ[k];
                if (s >= 0 && (s == 0 || in[s])) in[i] = changed = true;
            }
    }
}

i32 form_loop_head(const struct forming *f) {
    bool in[REGION_BLOCKS];
    find_loop(f, in);
    if (!in[0]) return -1;
    i32 head = f->r.blocks[0].start;
    for (unsigned i = 0; i < f->r.n; i++) {
        i32 at = f->r.blocks[i].start;
        if (in[i] && !f->r.blocks[i].inlined && at >= 0 && at < head) head = at;
    }
    return head;
}

void form_keep_loop(struct forming *f) {
    bool in[REGION_BLOCKS];
    i16 now[REGION_BLOCKS];
    struct region *r = &f->r;
    find_loop(f, in);
    unsigned n = 0;
    for (unsigned i = 0; i < r->n; i++) {
        now[i] = in[i] || i == 0 ? (i16)n : -1;
        if (now[i] >= 0) r->blocks[n++] = r->blocks[i];
    }
    r->n = n;
    for (unsigned i = 0; i < n; i++) {
        struct region_block *b = &r->blocks[i];
        for (int k = 0; k < 2; k++)
            if (b->succ[k] >= 0) b->succ[k] = now[b->succ[k]];
        if (b->end == END_RETURN && b->succ[0] < 0) b->end = END_OUT;
    }
    for (unsigned i = 0; i < n; i++) {
        struct region_block *b = &r->blocks[i];
        // A test whose target is out of the loop is one no more; what follows it moves up.
        while (b->end == END_SWITCH || b->end == END_TEST) {
            i16 *next = &b->succ[b->end == END_TEST];
            if (*next < 0 || r->blocks[*next].succ[0] >= 0) break;
            *next = r->blocks[*next].succ[1];
        }
        if (b->end == END_SWITCH && b->succ[0] < 0) b->end = END_OUT;
    }
    note_pages(f);
}

void form_watch(struct forming *f) {
    for (unsigned i = 0; i < f->nblocks; i++)
        for (i32 at = f->blocks[i].rel; at < f->blocks[i].end;) {
            int k = page_index(at);
            i32 page_end = (at & -PAGE) + PAGE;
            i32 end = f->blocks[i].end < page_end ? f->blocks[i].end : page_end;
            if (f->host[k])
                code_mark(f->c, f->ppn[k], (u32)at & (GUEST_PAGE_SIZE - 1), (u32)(end - at));
            at = end;
        }
}

void form_take(struct forming *f) {
    for (unsigned i = 0; i < f->r.n; i++) {
        const struct region_block *b = &f->r.blocks[i];
        int k = b->end == END_TEST ? -1 : page_index(b->start);
        if (k < 0 || !f->host[k]) continue;
        u32 at = code_find(f->c, f->ppn[k], (u16)(b->start & (PAGE - 1)), f->mode);
        if (at) block_of(f->c, at)->taken = true;
    }
}

bool form_has(const struct forming *f, i32 rel) {
    for (unsigned i = 0; i < f->r.n; i++)
        if (f->r.blocks[i].start == rel) return true;
    return false;
}

void form_free(struct forming *f) {
    if (!f) return;
    for (unsigned i = 0; f->blocks && i < f->nblocks; i++) free(f->blocks[i].ops);
    free(f->blocks);
    free(f);
}
