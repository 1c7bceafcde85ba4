// Inside of emit/wasm: what the files that write one function share.
#ifndef BERTH_EMIT_WASM_EMIT_H
#define BERTH_EMIT_WASM_EMIT_H

#include "emit/wasm/encode.h"
#include "emit/wasm/flow.h"
#include "emit/wasm/region.h"
#include "ir/ops.h"

// Types of the functions that are called, by number in the module.
enum {
    T_REGION,     // (i64 page, i32 budget, i32 depth) -> i32
    T_HELPER,     // (i32 state, i64, i64, i64, i64) -> i64
    T_SLOW_LOAD,  // (i64 pc, i64 va, i32 info) -> i32
    T_SLOW_STORE, // (i64 pc, i64 va, i64 value, i32 info) -> i32
    T_BINARY,     // (i64, i64) -> i64
    T_RAISE,      // (i64 pc, i64 tval, i64 cause, i32 info)
    T_PLACE,      // (i64 pc, i32 info)
    T_GUARD,      // (i64 va, i32 host) -> i32
};

// Locals by number; the first three are parameters. L_DIRTY (cells.c), L_HOW: which cells
// EXIT_DIRTY stores, and why (enum region_exit; 0 until something else is on its way there).
enum {
    L_PAGE,
    L_BUDGET,
    L_DEPTH,
    L_TLB,
    L_PTR,
    L_ENTRY,
    L_VA,
    L_PC,
    L_HOW,
    L_DIRTY,
    L_CELLS = L_DIRTY + 2
};

// Labels around the body, innermost first. EXIT_MISS goes on to EXIT_DIRTY, which stores what
// L_DIRTY says and goes on to EXIT_CHAIN but where L_HOW says otherwise.
enum { EXIT_MISS, EXIT_DIRTY, EXIT_CHAIN, EXIT_STOP, EXITS };

// The tag of a kept page that no address has: its offset bits are compared only where an aligned
// access has zeros.
enum { PAGE = 4096, NO_PAGE = 0x800 };

// FLOAT: an i64 that lies in a local as the double, or the single in its lower half.
enum place_kind { V_NONE, V_CONST, V_CELL, V_LOCAL, V_TREE, V_FLOAT };

// Accesses of a block off one base (groups.c).
enum { GROUPS = 16 };
struct group {
    ir_ref root;
    i32 lo, hi; // bytes from it that are touched
    unsigned n;
    bool write;
    u8 window; // 1 + its number, 0: none
    u32 local; // the host address of lo, 0 in it: each access for itself; 0: not looked up yet
    bool sure; // the local is never 0: where it would be the region is left
};

// How accesses are emitted: as is best; without groups and kept pages; off their group's local.
enum access_kind { ACCESS_ANY, ACCESS_APART, ACCESS_NEAR };

// What a value is not denormal as while the word for inexact says so (clean.c): its lower half or
// quarter; all of a vector.
enum { CLEAN_DOUBLE = 1, CLEAN_SINGLE = 2, CLEAN_DOUBLES = 4, CLEAN_SINGLES = 8, CLEAN_KINDS = 4 };
struct clean_cells {
    struct cellset as[CLEAN_KINDS]; // the vectors that are
};

enum { WINDOW_LOCALS = 2 + WINDOW_ROOMS };

struct emit {
    const struct region *r;
    const struct region_abi *abi;
    u32 index; // of the function in its module
    struct buf code;
    struct buf hints;
    u32 nhints;
    bool failed;
    struct flow flow;
    struct cellset dirty; // cells whose local is newer than memory, at the point being emitted
    struct cellset late;  // cells whose local has no value yet, memory has it
    struct cellset out_dirty[REGION_BLOCKS], out_late[REGION_BLOCKS]; // at the end of a block
    // Value locals by type, after the cells: taken in a block, free again in the next.
    u8 types[2048];
    unsigned nlocals, first_value, first_kept; // kept pages: tag and addend of each
    u16 windows[16][WINDOW_LOCALS]; // by number: locals of what is known of it (access.c), 0: none
    u8 busy[2048];
    // A cell's value as a float too, where operations want that: a local that changes with the
    // cell's, so that values that loops carry stay in the processor's floating-point registers. Of
    // one that is no NaN-boxed single, the NaN that operations take it for. 0: none.
    // Of a vector, its lower half or quarter (scalars.c).
    u16 shadow[REGION_CELLS];
    struct cellset stale; // vectors of which the shadow is newer than the local
    struct cellset stale_in[REGION_BLOCKS], out_stale[REGION_BLOCKS];
    // The block being emitted.
    const struct region_block *b;
    u8 kind[IR_BLOCK_CAP];
    u16 local[IR_BLOCK_CAP]; // V_LOCAL, V_FLOAT: its local; V_CELL: the cell's
    u16 uses[IR_BLOCK_CAP];
    u16 floats[IR_BLOCK_CAP];  // of the uses, those that want it as a double
    u16 singles[IR_BLOCK_CAP]; // and those that want its lower half as a single
    u8 clean[IR_BLOCK_CAP];    // CLEAN_...
    bool clean_asked;
    struct clean_cells clean_in[REGION_BLOCKS];
    u8 bases[IR_BLOCK_CAP]; // flow_base
    ir_ref trees[256];      // values not emitted yet, to be used once
    unsigned ntrees;
    ir_ref aliases[256]; // V_CELL values that are still to be used
    unsigned naliases;
    i32 rel;              // of the instruction being emitted
    u32 done;             // instructions of the block before it
    u32 accesses, probes; // so far in the function: accesses, and looks at the TLB
    bool begun;           // it has changed something already, so it cannot be begun anew
    enum access_kind access;
    struct group groups[GROUPS];
    unsigned ngroups;
    u8 group[IR_BLOCK_CAP]; // of accesses: 1 + its group
    i32 off[IR_BLOCK_CAP];  // and how far they are from its root
    unsigned depth;         // labels the structure has opened inside the exits
};

static inline struct buf *out(struct emit *e) { return &e->code; }

// ---- values.c
u8 wasm_type(enum ir_type t);
u32 take_local(struct emit *e, u8 type);
void push(struct emit *e, ir_ref r);                // the value on the stack; one use less
void keep(struct emit *e, ir_ref r);                // the value on the stack becomes r's local
void keep_float(struct emit *e, ir_ref r, u8 type); // the same of a float
void drop_use(struct emit *e, ir_ref r);
void simd(struct emit *e, u32 code);
void simd_lane(struct emit *e, u32 code, u8 lane);
void settle(struct emit *e, ir_ref r); // emits a pure operation into a local
void vacate(struct emit *e,
            u32 local); // cell `local` is about to change: saves what still needs it
void settle_trees(struct emit *e);
void push_pcrel(struct emit *e, i64 rel);
// An address that will be used later, on the stack but for a constant, which is returned.
i64 push_address(struct emit *e, ir_ref r);
void use_unseen(struct emit *e, ir_ref r); // as push, without code

// ---- fast.c
void fast_count_uses(struct emit *e); // of the block: uses, floats, singles
// Operation i sets half of a vector's cell: the single that is all that changes, or 0.
ir_ref fast_merged(const struct emit *e, u32 i);
// What a store takes its value from; of one of 32 bits the upper half is anything.
ir_ref fast_stored(const struct emit *e, const struct ir_insn *o);
void out_unless_inexact(struct emit *e, unsigned label); // the word for inexact has not its value
void emit_fast_call(struct emit *e, u32 i, u8 kind, void (*slow)(struct emit *e, u32 i));
bool fast_boxes(const struct emit *e,
                ir_ref r);         // it puts a single into a NaN box, as loads of one do
void fast_shadows(struct emit *e); // chooses the cells that have one, and their locals

u8 fast_clean(const struct emit *e, const struct ir_insn *o); // what a call's result is clean as
// The single that was put into the lower half of something to make `r`, else 0.
ir_ref fast_inserted(const struct emit *e, ir_ref r);

// ---- clean.c
void clean_find(struct emit *e);  // at the start of blocks
void clean_block(struct emit *e); // values of the block being emitted

// ---- scalars.c
void scalars_plan(struct emit *e);
void scalars_edge(struct emit *e, int to);   // on the way to block `to`
void push_cell(struct emit *e, unsigned c);  // its value, whole
void whole_cell(struct emit *e, unsigned c); // its local is about to be read
// Operation i reads cell c or a half of it; sets all of it; sets half of it to v, or to v's lower
// half if that is `single`. False: not by the shadow.
bool scalar_get(struct emit *e, u32 i, unsigned c);
bool scalar_set_all(struct emit *e, u32 i, unsigned c);
bool scalar_set(struct emit *e, u32 i, unsigned c, ir_ref v, bool single);

// ---- vectors.c
void vector_constant(struct emit *e, u64 lo, u64 hi);
bool pure_vector(struct emit *e, const struct ir_insn *o); // false: it is none of this file's

// ---- fast_vector.c
u8 fast_vector_clean(const struct emit *e, const struct ir_insn *o); // what its result is clean as
void emit_vcall(struct emit *e, u32 i);

// ---- access.c
bool emit_access(struct emit *e, u32 i); // false: not a load or store
u32 place_info(const struct emit *e);
// From the address in L_VA: leaves in L_PTR where that is on the host, and pushes whether some of
// `bytes` there is not in the page that the TLB has.
void probe(struct emit *e, u32 table, unsigned bytes);
bool is_write(const struct ir_insn *o);
void windows_plan(struct emit *e);          // which the region has
void windows_load(struct emit *e);          // on entry
u32 window_of(const struct emit *e, u32 i); // of access i, the instruction being e->rel
// The host address of what is at the address on the stack, into L_PTR, its distance from the
// window's begin into L_VA, and on the stack whether so many bytes there are not in the window: of
// an access, or more than 16.
void ask_window(struct emit *e, u32 window, unsigned bytes);
void leave_window(struct emit *e, u32 window); // if that says so
void tell_window(struct emit *e);              // where the region is left so

// ---- groups.c
void groups_plan(struct emit *e); // of the block
// The operations from access i on, as far as they go together: where it goes on; 0: not in a group.
u32 groups_run(struct emit *e, u32 i);

// ---- region.c
void emit_ops(struct emit *e, u32 from, u32 to);
void call_indirect(struct emit *e, u32 type, u32 function);
void br_exit(struct emit *e, u8 op, unsigned exit);
void open_block(struct emit *e);
void br_unlikely(struct emit *e, unsigned label); // if what is on the stack is not 0
void open_if(struct emit *e, u8 type, bool unlikely);
void close_if(struct emit *e);

// ---- cells.c
void mem_at(struct emit *e, u8 op, u32 align, u32 address);
void push_base(struct emit *e); // the address 0, for mem_at
void store_cell(struct emit *e, unsigned i);
void store_cells(struct emit *e, const struct cellset *set);
void need_cell(struct emit *e, unsigned i); // its local is about to be read
void set_cell(struct emit *e, unsigned i, ir_ref r);
void need_cells(struct emit *e, int to); // on the way to block `to`
void forget_cells(struct emit *e);       // memory is newer than locals
void store_budget(struct emit *e);
void load_budget(struct emit *e);
void store_pc(struct emit *e, i64 rel);
void store_lpc(struct emit *e); // pc from L_PC
void unwind(struct emit *e, enum region_exit how);
void br_fault(struct emit *e);                                      // an exception was raised
void br_miss(struct emit *e);                                       // out, before this instruction
void br_cold(struct emit *e, i64 rel, const struct cellset *dirty); // out to `rel`
void store_dirty(struct emit *e);                                   // the cells in L_DIRTY
void place_missed(struct emit *e);                                  // at EXIT_MISS

// ---- edges.c
void charge(struct emit *e); // the block's instructions
void push_budget_gone(struct emit *e);
void go_to(struct emit *e, i64 rel);
void chain(struct emit *e);            // at EXIT_CHAIN
void chain_function(struct emit *e);   // the first body of region_emit_shared's
void faulted_function(struct emit *e); // the one that they leave by when an access faults
void leave_faulted(struct emit *e);    // to it
void guest_call(struct emit *e, bool direct, i64 target);
void return_to_caller(struct emit *e);
void inlined_return(struct emit *e);
void leave(struct emit *e);

#endif
