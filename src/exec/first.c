// Code that has no block yet: executed from its bytes by the guest (guest_arch.first) until it has
// been seen often enough to be decoded. To lift, lower and file an instruction takes as long as
// executing it a hundred times, and most code of a program that starts runs a few times only.
// Depends on code.c; the interpreter's loop asks it where it finds no block.
//
// Invariants: blocks end where lifted ones do, so a run ends in the same place with and without
// this; nothing is kept of the bytes, so nothing has to be forgotten when they are written.
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"
#include "ir/eval.h"

enum {
    // As often a block is executed from its bytes before it is decoded. Lifting takes as long as
    // some twenty runs, but with more than a few the translator hears too late of what runs: with
    // sixteen runs in 64 bytes starting processes took a fifth longer.
    FIRST_RUNS = 4,
    NEVER = 0xff,
    // What must be lifted for itself in a block's middle counts as so many runs of the block.
    ALONE_RUNS = 2,
};

_Static_assert(offsetof(struct tlb_context, w) == sizeof(struct tlb_entry[TLB_SIZE]) &&
                   offsetof(struct tlb_context, x) == 2 * sizeof(struct tlb_entry[TLB_SIZE]),
               "guest_first.tlb: one table after the other");
_Static_assert(offsetof(struct code_page, bytes) == 0, "guest_first.decoded");

bool first_init(struct cpu *c, struct err *err) {
    if (!c->arch->first || c->set.disabled & PASS_FIRST) return true;
    bool hot = c->set.hot_samples == 1, torture = c->set.torture & TORTURE_FIRST;
    c->first_runs = torture ? (hot ? 2 : NEVER) : FIRST_RUNS;
    if (hot && !torture) return true; // everything is hot at once
    c->seen = calloc(FIRST_COUNTS, 1);
    if (!c->seen) err_set(err, ERR_NOMEM, "out of memory for the code cache");
    return c->seen != NULL;
}

void first_free(struct cpu *c) { free(c->seen); }

static void count(const struct cpu *c, u8 *seen, u32 runs) {
    runs += *seen;
    *seen = (u8)(runs < c->first_runs ? runs : c->first_runs);
}

// It was reached once more: is it to be decoded? A counter begins anew then, so one that is shared
// only decodes too soon.
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
    RAN_ON,      // to the block's end: f->pc is the next one
    RAN_NOT,     // its first instruction is not one for this
    RAN_LEFT,    // to an instruction that may have changed anything
    RAN_FAULTED, // an exception was raised
    RAN_RAISED   // the same, before any instruction
};

// Blocks from their bytes, the first one or what is left of it from f->pc on.
static enum first_end run_bytes(struct cpu *c, struct guest_first *f) {
    i64 budget = c->run.budget;
    u64 icount = c->s->icount;
    f->left = budget;
    f->icount_end = icount + (u64)budget;
    f->done = 0;
    enum first_end end = c->arch->first(c->s, f);
    u32 n = (u32)(budget - f->left) + f->done;
    c->s->icount = icount; // the guest may have moved it on
    charge(c, n);
    c->stats.insns_first += n;
    f->most -= f->done;
    return end;
}

// The instruction at f->pc crosses into the next page: a block of its own, as where it is decoded.
static enum ran run_crossing(struct cpu *c, struct guest_first *f, enum first_end *end) {
    enum { MORE = 16 };
    u8 bytes[2 * MORE];
    const u8 *more = code_fetch(c, f->pc + f->room, f->pc);
    if (!more) return RAN_RAISED;
    assert(f->room < MORE);
    memcpy(bytes, f->code, f->room);
    memcpy(bytes + f->room, more, MORE);
    f->code = bytes;
    f->room += MORE;
    f->most = 1;
    f->enough = 0; // no further
    *end = run_bytes(c, f);
    f->enough = c->first_runs;
    return *end == FIRST_FAULTED ? RAN_FAULTED : *end == FIRST_UNKNOWN ? RAN_NOT : RAN_ON;
}

// Blocks from their bytes until the engine has to look. *end: how the last one ended.
static enum ran run_blocks(struct cpu *c, struct guest_first *f, enum first_end *end) {
    f->most = c->set.max_block_insns;
    for (;;) {
        *end = run_bytes(c, f);
        bool begun = f->most < c->set.max_block_insns;
        if (*end == FIRST_FAULTED) return RAN_FAULTED;
        if (*end == FIRST_SHORT && !begun) return run_crossing(c, f, end);
        if (*end != FIRST_UNKNOWN) return RAN_ON;
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
            count(c, f->seen, ALONE_RUNS);
            if (--f->most == 0 || f->room == 0) return RAN_ON;
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
    const u8 *ram = bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1);
    struct guest_first f = {.tlb = c->tlb.cur->r,
                            .mode = c->arch->code_mode(s),
                            .pc = pc,
                            .attention = &c->attention,
                            .ram = ram,
                            .decoded = (u64 *const *)c->pages,
                            .counts = c->seen,
                            .enough = c->first_runs,
                            .most_insns = c->set.max_block_insns};
    s->icount = c->run.icount + run_count(c);
    s->insn_index = 0;
    for (;;) {
        s->pc = pc = f.pc;
        if (unlikely(c->attention)) end_run(c);
        if (c->run.budget <= 0) return no_block(c, NO_BLOCK_SPENT);
        u32 start = pc % GUEST_PAGE_SIZE;
        f.code = code_fetch(c, pc, pc);
        if (!f.code) return no_block(c, NO_BLOCK_RAISED);
        f.room = GUEST_PAGE_SIZE - start;
        u32 ppn = (u32)((u64)(f.code - ram) >> GUEST_PAGE_SHIFT);
        u32 index = code_find(c, ppn, (u16)start, f.mode);
        f.seen = first_count_at(c->seen, ppn, start);
        enum ran ran = RAN_NOT;
        f.way = way;
        if (!index && !seen_enough(c, f.seen, way)) ran = run_blocks(c, &f, &way);
        if (ran == RAN_RAISED) return no_block(c, NO_BLOCK_RAISED);
        if (ran == RAN_LEFT) return no_block(c, NO_BLOCK_LEFT);
        if (ran == RAN_FAULTED) return no_block(c, NO_BLOCK_FAULTED);
        if (ran == RAN_ON) continue;
        s->pc = f.pc;
        if (!index) index = code_at(c, f.pc);
        if (!index) return no_block(c, NO_BLOCK_RAISED);
        note_way(c, index, f.way);
        return index;
    }
}
