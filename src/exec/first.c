// Code that has no block yet: executed from its bytes by the guest (guest_arch.first) until it has
// been seen often enough to be decoded. To lift, lower and file an instruction takes as long as
// executing it a hundred times, and most code of a program that starts runs a few times only.
// Depends on code.c; the interpreter's loop asks it where it finds no block.
//
// Invariants: blocks end where lifted ones do, so a run ends in the same place with and without
// this; nothing is kept of the bytes, so nothing has to be forgotten when they are written.
#include <stdlib.h>

#include "base/compiler.h"
#include "exec/engine.h"
#include "ir/eval.h"

enum {
    // As often a block is executed from its bytes before it is decoded. Lifting takes as long as
    // some twenty runs, but with more than a few the translator hears too late of what runs: with
    // sixteen runs in 64 bytes starting processes took a fifth longer.
    FIRST_RUNS = 4,
    NEVER = 0xff,
    // What must be lifted for itself in a block's middle counts as so many runs of the block, and
    // so does a computed jump to it: the translator wants to know the targets of those.
    ALONE_RUNS = 2,
    JUMPED_RUNS = 2,
    SEEN_BITS = 20,
};

bool first_init(struct cpu *c, struct err *err) {
    if (!c->arch->first || c->set.disabled & PASS_FIRST) return true;
    bool hot = c->set.hot_samples == 1, torture = c->set.torture & TORTURE_FIRST;
    c->first_runs = torture ? (hot ? 2 : NEVER) : FIRST_RUNS;
    if (hot && !torture) return true; // everything is hot at once
    c->seen = calloc((size_t)1 << SEEN_BITS, 1);
    if (!c->seen) err_set(err, ERR_NOMEM, "out of memory for the code cache");
    return c->seen != NULL;
}

void first_free(struct cpu *c) { free(c->seen); }

// Counters are shared by a hash. Each begins anew when it makes a block be decoded, so a shared one
// only decodes too soon.
static u8 *seen_at(struct cpu *c, u32 ppn, u32 start) {
    u64 k = ((u64)ppn << GUEST_PAGE_SHIFT | start) * 0x9e3779b97f4a7c15u;
    return &c->seen[k >> (64 - SEEN_BITS)];
}

static void count(const struct cpu *c, u8 *seen, u32 runs) {
    runs += *seen;
    *seen = (u8)(runs < c->first_runs ? runs : c->first_runs);
}

// It was reached once more: is it to be decoded?
static bool seen_enough(const struct cpu *c, u8 *seen, enum first_end way) {
    if (*seen >= c->first_runs && c->first_runs != NEVER) {
        *seen = 0;
        return true;
    }
    count(c, seen, way == FIRST_JUMPED ? JUMPED_RUNS : 1);
    return false;
}

static u32 no_block(struct cpu *c, enum no_block why) {
    c->run.no_block = why;
    return 0;
}

// `n` instructions are done. The budget is looked at where blocks end.
static void charge(struct cpu *c, u32 n) {
    c->run.budget -= n;
    c->s->icount += n;
    c->s->insn_index = 0;
}

enum alone { ALONE_ON, ALONE_WENT, ALONE_LEFT, ALONE_FAULTED, ALONE_SHORT };

// The instruction at f->pc, lifted and evaluated for itself. SHORT: it crosses into the next page
// and did not happen.
static enum alone alone(struct cpu *c, struct guest_first *f) {
    struct ir_block *b = &c->ir;
    i32 rel = (i32)(f->pc % GUEST_PAGE_SIZE);
    ir_begin(b, rel, c->helper_effects, c->arch->nhelpers);
    unsigned n = c->arch->lift(b, f->code, f->room < 16 ? f->room : 16, rel, f->mode);
    if (n == LIFT_SHORT) return ALONE_SHORT;
    bool open = !b->ended;
    if (open) ir_jump(b, rel + (i32)n);
    c->stats.insns_alone++;
    struct ir_exit x = eval_block(c, f->pc);
    if (x.kind == IR_EXIT_FAULT) return ALONE_FAULTED;
    charge(c, 1);
    if (x.kind == IR_EXIT_LEAVE) return ALONE_LEFT;
    f->pc = x.pc;
    f->code += n;
    f->room -= n;
    return open ? ALONE_ON : ALONE_WENT;
}

enum ran {
    RAN_ON,     // to the block's end: f->pc is the next one
    RAN_NOT,    // its first instruction is not one for this
    RAN_LEFT,   // to an instruction that may have changed anything
    RAN_FAULTED // an exception was raised
};

// One block from its bytes. *end: how the block ended; *seen: its counter.
static enum ran run_block(struct cpu *c, struct guest_first *f, enum first_end *end, u8 *seen) {
    u32 left = c->set.max_block_insns;
    for (;;) {
        f->done = 0;
        f->most = left;
        *end = c->arch->first(c->s, f);
        charge(c, f->done);
        c->stats.insns_first += f->done;
        left -= f->done;
        if (*end == FIRST_FAULTED) return RAN_FAULTED;
        if (*end != FIRST_UNKNOWN || f->room == 0) return RAN_ON;
        bool begun = left < c->set.max_block_insns;
        if (!begun && f->room >= c->arch->max_insn) return RAN_NOT;
        switch (alone(c, f)) {
        case ALONE_SHORT:
            return begun ? RAN_ON : RAN_NOT;
        case ALONE_LEFT:
            return RAN_LEFT;
        case ALONE_FAULTED:
            return RAN_FAULTED;
        case ALONE_WENT:
            return RAN_ON;
        case ALONE_ON:
            count(c, seen, ALONE_RUNS);
            if (--left == 0 || f->room == 0) return RAN_ON;
        }
    }
}

// How a block came to be executed is kept with it.
static void note_way(struct cpu *c, u32 index, enum first_end way) {
    if (way == FIRST_CALLED) code_called(c, index);
    if (way == FIRST_JUMPED) block_of(c, index)->jumped = true;
}

u32 first_go(struct cpu *c, gva pc, enum first_end way) {
    struct guest_state *s = c->s;
    struct guest_first f = {
        .reads = c->tlb.cur->r, .writes = c->tlb.cur->w, .mode = c->arch->code_mode(s), .pc = pc};
    const u8 *ram = bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1), *page = NULL;
    gva page_at = 0;
    s->icount = c->run.icount + run_count(c);
    s->insn_index = 0;
    for (;;) {
        s->pc = pc = f.pc;
        if (unlikely(c->attention)) end_run(c);
        if (c->run.budget <= 0) return no_block(c, NO_BLOCK_SPENT);
        u32 start = pc % GUEST_PAGE_SIZE;
        if (!page || pc - start != page_at) {
            page = code_fetch(c, pc, pc);
            if (!page) return no_block(c, NO_BLOCK_RAISED);
            page -= start;
            page_at = pc - start;
        }
        u32 ppn = (u32)((u64)(page - ram) >> GUEST_PAGE_SHIFT);
        u32 index = code_find(c, ppn, (u16)start, f.mode);
        u8 *seen = seen_at(c, ppn, start);
        enum ran ran = RAN_NOT;
        f.code = page + start;
        f.room = GUEST_PAGE_SIZE - start;
        if (!index && !seen_enough(c, seen, way)) ran = run_block(c, &f, &way, seen);
        if (ran == RAN_LEFT) return no_block(c, NO_BLOCK_LEFT);
        if (ran == RAN_FAULTED) return no_block(c, NO_BLOCK_FAULTED);
        if (ran == RAN_ON) continue;
        if (!index) index = code_make(c, pc, f.mode, page + start);
        if (!index) return no_block(c, NO_BLOCK_RAISED);
        note_way(c, index, way);
        return index;
    }
}
