// Code executed straight from its bytes the first times it is seen, before it is worth lifting:
// what the engine (exec/first.c) and a guest that can do that (guest_arch.first) share.
#ifndef BERTH_GUEST_FIRST_H
#define BERTH_GUEST_FIRST_H

#include "base/types.h"

// Cached translations of one kind of access, direct-mapped: the entry for page address p is at
// index (p >> 12) % TLB_SIZE (exec/tlb.h).
enum { TLB_BITS = 13, TLB_SIZE = 1 << TLB_BITS };
struct tlb_entry {
    u64 tag;
    uintptr_t addend; // host address = addend + (uintptr_t)va
};

enum first_end {
    FIRST_FULL,    // `most` instructions are done
    FIRST_WENT,    // the block's last instruction is done, pc is where it goes
    FIRST_CALLED,  // the same: a call
    FIRST_JUMPED,  // the same: a computed jump that is neither call nor return
    FIRST_UNKNOWN, // the instruction at pc is not one for this: nothing of it has happened
    FIRST_SHORT,   // it needs more bytes than there is room: nothing of it has happened
    FIRST_FAULTED, // it raised an exception: state.pc and insn_index are its
};

// Blocks one after the other, the first one from pc on, which may be in its middle.
struct guest_first {
    // Of the current context: one after the other the tables for reads, writes and execution.
    const struct tlb_entry *tlb;
    const u8 *code; // bytes at pc, `room` of them that may be read as code
    u32 room;
    u32 mode; // code_mode
    gva pc;
    u32 done, most;     // instructions of the block that it is in
    enum first_end way; // how that was reached
    // To go on with the next block.
    i64 left;               // of the budget, before this block
    u64 icount_end;         // state.icount will be that when nothing is left
    const bool *attention;  // the run is to end
    const u8 *ram;          // RAM, and by its physical pages
    u64 *const *decoded;    //   which bytes belong to decoded instructions; NULL: none
    u8 *counts, *seen;      // how often blocks were reached, and the counter of this one
    u32 enough, most_insns; // reached so often it is to be decoded; instructions a block
};

// Counters are shared by a hash: pages lie anywhere in the table, bytes of a page side by side.
// A computed jump to a block counts as so many runs of it: the translator wants to know the targets
// of those.
enum { FIRST_COUNTS = 1 << 20, JUMPED_RUNS = 2 };
static inline u8 *first_count_at(u8 *counts, u64 ppn, u32 start) {
    return &counts[((u32)ppn * 0x9e3779c0u + start) % FIRST_COUNTS];
}

// The code of the block at `pc` when the engine need not look at it before it is executed: it is
// counted. NULL: it must.
static inline const u8 *first_next(struct guest_first *f, gva pc, enum first_end way) {
    const struct tlb_entry *e = &f->tlb[2 * TLB_SIZE + (pc >> 12 & (TLB_SIZE - 1))];
    if (f->left <= 0 || *f->attention || e->tag != (pc & ~(u64)4095)) return NULL;
    const u8 *code = (const u8 *)(e->addend + (uintptr_t)pc);
    u32 start = pc & 4095;
    u64 ppn = (u64)(code - f->ram) >> 12;
    const u64 *decoded = f->decoded[ppn];
    u8 *seen = first_count_at(f->counts, ppn, start);
    if (*seen >= f->enough || (decoded && decoded[start / 64] >> start % 64 & 1)) return NULL;
    *seen += way == FIRST_JUMPED ? JUMPED_RUNS : 1;
    f->seen = seen;
    f->way = way;
    return code;
}

#endif
