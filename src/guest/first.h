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
    FIRST_FAULTED, // it raised an exception: state.pc and insn_index are its
};

// One block, or the part of it from pc on.
struct guest_first {
    const struct tlb_entry *reads, *writes; // of the current context
    const u8 *code;                         // bytes at pc, `room` of them to the end of the page
    u32 room;
    u32 mode; // code_mode
    gva pc;
    u32 done, most; // instructions of the block
};

#endif
