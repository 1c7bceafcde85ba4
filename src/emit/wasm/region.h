// A region (blocks of one guest page with an entry) as a WebAssembly module with one function.
#ifndef BERTH_EMIT_WASM_REGION_H
#define BERTH_EMIT_WASM_REGION_H

#include "base/buf.h"
#include "ir/ir.h"

enum { REGION_BLOCKS = 48, REGION_CELLS = 128 };

struct region_block {
    i32 start; // pcrel
    u32 ninsns;
    u32 nops;
    struct ir_insn *ops; // as in struct ir_block, ops[0] unused
};

struct region {
    unsigned n; // blocks[0] is the entry
    struct region_block blocks[REGION_BLOCKS];
    const u8 *helper_effects;
};

// Where emitted code finds things: byte offsets from the state pointer it is called with, and
// indices in the function table. Filled by exec/, which owns those structures.
struct region_abi {
    u32 pc_cell;
    u32 exc;          // u8: a helper raised an exception
    i32 cpu;          // address of what the next offsets are relative to
    u32 budget;       // i64
    u32 page;         // u64
    u32 mix;          // u64
    u32 tlb_cur;      // pointer to the current context
    u32 tlb_r, tlb_w; // offsets of the tables in a context
    u32 tlb_slots;    // entries a table
    u32 jumps;        // pointer to the jump cache
    u32 jump_mask;    // entries - 1; an entry is 16 bytes: u64 tag, u32 index, u32 function
    // C functions of exec/jit.c.
    u32 slow_load, slow_store, raise, place;
    // u64 fallback(u64 a, u64 b) of an operation wasm lacks; 0 when there is none (region refused).
    u32 (*fallback)(enum ir_op op);
    u32 (*helper)(const void *arg, unsigned index); // table index of a guest helper
    const void *arg;
};

// What the function returns.
enum region_exit {
    REGION_JUMP,  // go on at state.pc
    REGION_FAULT, // an exception was raised; state.insn_index instructions of the block were done
    REGION_LEAVE, // as the uop LEAVE
};

// Appends the module to `out`: imports e.m (memory) and e.t (table), exports f: (i32 state) -> i32.
// False: the region has something this cannot translate; `out` is then meaningless.
bool region_emit(const struct region *r, const struct region_abi *abi, struct buf *out);

#endif
