// Interpreting what has a translation: its entry block, and the rest of a block that translated
// code left at an access which the TLB did not know. Both are kept as uops with the translation,
// outside of the code cache, and their exits are not linked. Depends on jit.h.
#include <assert.h>
#include <stdlib.h>

#include "exec/jit.h"

static struct jit_rest *find_rest(struct jit_region *r, const u8 *code, u32 done) {
    for (struct jit_rest **at = &r->rests, *x; (x = *at); at = &x->next) {
        if (x->code != code || x->done != done) continue;
        *at = x->next;
        x->next = r->rests;
        return r->rests = x;
    }
    return NULL;
}

static struct jit_rest *make_rest(struct cpu *c, const u8 *code, u32 done) {
    u32 ppn;
    u8 bytes[LOOSE_BYTES];
    struct jit_rest *x = malloc(sizeof *x + BLOCK_UOPS * sizeof *x->uops);
    if (!x) return NULL;
    u32 mode = c->arch->code_mode(c->s);
    bool ok = code_lift(c, c->s->pc, mode, c->set.max_block_insns - done, &ppn, bytes) &&
              ppn != PPN_LOOSE;
    if (ok && c->arch->lazy_flags) ir_drop_dead(&c->ir);
    unsigned n = ok ? lower_block(&c->ir, x->uops, BLOCK_UOPS, 0, c->arch->lazy_flags) : 0;
    if (!n) {
        free(x);
        return NULL;
    }
    struct jit_rest *fit = realloc(x, sizeof *x + n * sizeof *x->uops);
    if (fit) x = fit;
    x->code = code;
    x->done = done;
    return x;
}

const struct uop *jit_missed(struct cpu *c, u32 done, bool *gone) {
    u32 id = c->run.region;
    struct jit_region *r = &c->jit->regions[id - 1];
    const u8 *code = guest_host_page(c->s, c->s->pc, ACCESS_EXEC);
    struct jit_rest *x = code ? find_rest(r, code, done) : NULL;
    if (!x && code && (x = make_rest(c, code, done))) jit_own_rest(c, id, x);
    if (r->windows) watch_missed(c);
    *gone = jit_count_miss(c, id);
    return x ? x->uops : NULL;
}

const struct uop *jit_shadow(struct cpu *c, u32 id) {
    struct jit_region *r = &c->jit->regions[id - 1];
    if (r->shadow) return r->shadow;
    const u8 *page = bus_ram_ptr(
        c->bus, bus_ram_base(c->bus) + ((u64)r->ppn[0] << GUEST_PAGE_SHIFT), GUEST_PAGE_SIZE);
    struct uop *u = malloc(BLOCK_UOPS * sizeof *u);
    unsigned n = 0;
    for (unsigned max = c->set.max_block_insns; u && !n; max = max > 8 ? max / 4 : 1) {
        bool ok = code_lift_in_page(c, page, r->start, r->mode, max);
        assert(ok);
        n = lower_block(&c->ir, u, BLOCK_UOPS, 0, c->arch->lazy_flags);
    }
    assert(n && "a block is lowered as it was before");
    struct uop *fit = realloc(u, n * sizeof *u);
    return r->shadow = fit ? fit : u;
}
