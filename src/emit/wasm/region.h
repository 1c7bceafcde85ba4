// A region (blocks with one entry, from one or a few adjacent guest pages) as a WebAssembly
// function, and modules of many such functions.
//
// A function has the type (i64 page, i32 budget, i32 depth) -> i32. page: the guest address of the
// entry's page. budget: instructions left. depth: how many more calls may nest. All guest state is
// in memory when it is entered and when it returns. It returns the budget left, more than 0, when
// the guest code returned to where state.pc says; 0 when everything up to the run loop must unwind
// (run.how says why, run.budget is current).
#ifndef BERTH_EMIT_WASM_REGION_H
#define BERTH_EMIT_WASM_REGION_H

#include "base/buf.h"
#include "ir/ir.h"

// Wasm frames that guest calls may nest, and those of a call of more privileged code on top of
// them.
enum { REGION_DEPTH = 100, REGION_INNER_DEPTH = 60 };

// Whether frames of less privileged code lie below those of more privileged code; how that has
// ended.
enum region_inner { INNER_NONE, INNER_CALLED, INNER_RETURNED };

// Sizes of accesses whose room a window (exec/tlb.h) tells; what is larger than 16 bytes are
// several.
enum { WINDOW_ROOMS = 8 };
#define WINDOW_SIZES                                                                               \
    { 1, 2, 4, 8, 16, 64, 128, 512 }

enum { REGION_BLOCKS = 96, REGION_CELLS = 128, REGION_PAGES = 4 };

enum region_end {
    END_OUT,    // JUMP or BRANCH: ways by succ; JUMPIND, LEAVE: none
    END_CALL,   // JUMP, JUMPIND or LEAVE of a call that stays one; succ[0]: where it returns to.
                // LEAVE to the next instruction: that one
    END_SWITCH, // JUMPIND of which targets are known; succ[0]: the first END_TEST
    END_TEST,   // no block: is the target that of succ[0]? yes: there; succ[1]: next test or out
    END_RETURN, // JUMPIND of an inlined callee; succ[0]: where it is expected to return to
};

// What is done where an access has an address that the TLB does not know. Each is larger and slower
// than the one before it as long as there are none.
enum region_misses {
    MISSES_LEAVE, // out, also when accesses looked up together (groups.c) are not in one page
    MISSES_APART, // the latter are each looked up alone then
    MISSES_STAY,  // the engine is called and the region goes on
};

struct region_block {
    i32 start;   // pcrel to the region's page
    i32 end_rel; // of the instruction after it
    u32 ninsns;
    u32 nops;
    const struct ir_insn *ops; // as in struct ir_block, ops[0] unused
    u8 end;                    // enum region_end
    bool inlined;
    u8 cold;     // bit k: succ[k] is out of the region because what is there has never run
    i16 succ[2]; // block index or -1: out of the region. branch: taken, not taken
};

struct region {
    unsigned n; // blocks[0] is the entry
    struct region_block blocks[REGION_BLOCKS];
    u32 id;   // told in run.region when a budget ends in it
    u32 slot; // where the function goes in the table
    enum region_misses misses;
    bool windows; // made of code that was watched: region_abi.window knows its accesses
    bool ahead;   // a call with a depth below 0 does nothing, but that the host compiles it
    // Further pages: at `rel` (a multiple of the page size) from the entry's page must be the page
    // at host address `host`; looked at on entry.
    unsigned npages;
    struct {
        i32 rel;
        u32 host;
    } pages[REGION_PAGES];
    const u8 *helper_effects;
    const u8 *fast; // enum ir_fast by helper
    struct ir_flags flags;
};

// Where emitted code finds things. Addresses are absolute. Filled by exec/, which owns those
// structures.
struct region_abi {
    u32 state;                // the guest state; cells are relative to it
    u32 pc_cell;              // offset of pc in it
    u32 exc;                  // address of u8: a helper raised an exception
    u32 attention;            // address of u8: the run should end soon (heed sees to it)
    u32 budget;               // i64
    u32 how;                  // u32, enum region_exit
    u32 region;               // u32: id of the region whose budget ended
    u32 mix;                  // u64
    u32 inner;                // u32, enum region_inner
    u32 tlb_cur;              // pointer to the current context
    u32 tlb_r, tlb_w, tlb_x;  // offsets of the tables in a context
    u32 tlb_slots;            // entries a table
    u32 windows, window_size; // offset of the windows in a context; bytes of each
    u32 missed;               // u64: the address that a window did not have
    u32 missed_window;        // u32: 1 + that window; something else for other accesses
    u32 jumps;                // the jump cache itself
    u32 jump_mask;            // entries - 1; an entry is 16 bytes: u64 tag, u32 index, u32 function
    u32 jump_bits;            // bits of an address that tell addresses apart in it
    u32 vector;               // v128: what a slow vector store writes
    u32 operands;             // three v128 of helpers that take vectors
    // Of the guest (guest.h), the word as an address.
    u32 inexact, inexact_mask, inexact_bit;
    bool boxed, denormals;
    // C functions of exec/jit_abi.c, as table indices.
    u32 slow_load, slow_store, slow_loadv, slow_storev, raise, place, heed, guard;
    u32 stay, go_in, go_back, go_raised;
    u32 chain, faulted; // the functions of region_emit_shared; 0: none yet
    // u64 fallback(u64 a, u64 b) of an operation wasm lacks; 0 when there is none (region refused).
    u32 (*fallback)(enum ir_op op);
    u32 (*helper)(const void *arg, unsigned index); // table index of a guest helper
    // Of a region with windows: 1 + the window that the loads or stores of the instruction at pcrel
    // `rel` go to; 0: none.
    u32 (*window)(void *arg, i32 rel, bool write);
    // Slot for the code at pcrel `rel` of the region being emitted; 0: none.
    u32 (*entry)(void *arg, i32 rel);
    void *arg;
    u32 memory_pages; // the memory has at least so many of 64 KiB
    struct {
        bool calls, floats, hints, pages, narrow;
    } passes;        // false: switched off
    bool fused_madd; // relaxed_madd rounds once here
};

// What a region tells the run loop when everything unwinds.
enum region_exit {
    REGION_JUMP,    // go on at state.pc
    REGION_FAULT,   // an exception was raised; state.insn_index instructions of the block were done
    REGION_LEAVE,   // as the uop LEAVE
    REGION_REFUSED, // the pages are not those it was made from; nothing was done
    REGION_MISS,    // an access the TLB does not know: go on at state.pc, but not with a region;
                    // above the low eight bits, how many instructions of the block are done
    REGION_LEFT,    // as LEAVE, and what the run loop does then is done: go on at state.pc
    REGION_RAISED,  // an exception was delivered: look where state.pc is now
};

enum { MODULE_FUNCTIONS = 256 };

// Functions collected for a module.
struct module {
    struct buf code;  // bodies with their sizes
    struct buf hints; // branch hints of them
    u32 n, nhints;
    u32 probed; // of the last function: how many accesses in a hundred look at the TLB
    u32 slots[MODULE_FUNCTIONS];
};

// Appends the region's function. False: it has something this cannot translate; nothing is
// appended.
bool region_emit(const struct region *r, const struct region_abi *abi, struct module *m);

// Two functions (pc, budget, depth) -> budget that all regions share, emitted once. By the first
// they go on where they know no slot: it calls the translation of the code there, in a frame of
// that depth. By the second they leave for an access that faults or misses (run.how): to the
// handler's translation where that takes no frames away.
void region_emit_shared(const struct region_abi *abi, u32 chain, u32 faulted, struct module *m);

// A function of the same type that returns 1 when relaxed_madd of doubles and singles rounds once.
void module_add_madd_probe(struct module *m, u32 slot);

// The module's bytes: imports e.m (memory) and e.t (table); puts its functions into their slots
// when it is instantiated. Empties `m`. False: out of memory.
bool module_finish(struct module *m, const struct region_abi *abi, struct buf *out);
void module_free(struct module *m);

#endif
