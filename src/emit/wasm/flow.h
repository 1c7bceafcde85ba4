// Which state cells a region keeps in locals, and where they must be loaded and stored.
#ifndef BERTH_EMIT_WASM_FLOW_H
#define BERTH_EMIT_WASM_FLOW_H

#include "emit/wasm/region.h"

struct cellset {
    u64 w[REGION_CELLS / 64];
};

static inline bool cell_in(const struct cellset *s, unsigned i) {
    return s->w[i / 64] >> i % 64 & 1;
}
static inline void cell_add(struct cellset *s, unsigned i) { s->w[i / 64] |= (u64)1 << i % 64; }
static inline void cell_remove(struct cellset *s, unsigned i) {
    s->w[i / 64] &= ~((u64)1 << i % 64);
}
static inline struct cellset cells_all(void) {
    struct cellset s;
    for (unsigned k = 0; k < REGION_CELLS / 64; k++) s.w[k] = ~(u64)0;
    return s;
}
static inline bool cells_or(struct cellset *s, const struct cellset *t) {
    bool more = false;
    for (unsigned k = 0; k < REGION_CELLS / 64; k++) {
        more |= (t->w[k] & ~s->w[k]) != 0;
        s->w[k] |= t->w[k];
    }
    return more;
}
// s without t; true when that is less than s.
static inline bool cells_and_not(struct cellset *s, const struct cellset *t) {
    bool less = false;
    for (unsigned k = 0; k < REGION_CELLS / 64; k++) {
        less |= (s->w[k] & t->w[k]) != 0;
        s->w[k] &= ~t->w[k];
    }
    return less;
}

static inline struct cellset cells_both(struct cellset s, const struct cellset *t) {
    for (unsigned k = 0; k < REGION_CELLS / 64; k++) s.w[k] &= t->w[k];
    return s;
}

static inline unsigned cells_count(const struct cellset *s) {
    unsigned n = 0;
    for (unsigned k = 0; k < REGION_CELLS / 64; k++) n += (unsigned)__builtin_popcountll(s->w[k]);
    return n;
}

enum { FLOW_DIRTY = 104 }; // cells that an exit can say are dirty (cells.c)
enum { REGION_KEPT = 10 };

// Where an access of a loop is likely to stay: in the page that is `far` pages, rounded, from where
// a cell points to. A register may be the index of several arrays whose addresses are constants.
struct flow_page {
    u8 cell; // 1 + the cell, 0: none
    bool write;
    i32 far;
};

struct flow {
    // The cells: state offsets; vectors have 16 bytes and both their halves' indices in `index`.
    unsigned n;
    u16 offset[REGION_CELLS];
    bool vector[REGION_CELLS];
    u8 index[IR_KNOWN_CELLS];                      // by offset / 8: 1 + cell, 0 = not touched
    struct cellset dirty_in[REGION_BLOCKS];        // on some way newer than memory
    struct cellset live_in[REGION_BLOCKS];         // its value at the start matters
    struct cellset late_in[REGION_BLOCKS];         // memory has it, and maybe no local
    struct cellset clean_in[REGION_BLOCKS];        // stored on the way there if it is dirty
    u64 at_once[REGION_BLOCKS][IR_BLOCK_CAP / 64]; // sets that are stored where they are
    struct cellset fault; // what may be dirty at any operation that faults or on a cold way out
    // Pages kept: for addresses computed from this cell, so far from it.
    struct flow_page kept[REGION_KEPT];
    unsigned nkept;
    // Cells that only move by constants in the loop around the block, in all of the region where
    // there is none.
    struct cellset steady[REGION_BLOCKS];
    bool memory; // there are loads or stores
};

// keep: look for `kept` too. False: too many cells, or one this cannot hold.
bool flow_analyse(const struct region *r, u32 pc_cell, bool keep, struct flow *f);

// ---- kept.c
void flow_keep(const struct region *r, u32 pc_cell, struct flow *f);

// The cell that an address is computed from by adding constants, 1 + its number; 0: none. bases[]
// has those of the operations before it in the block; this fills in that of operation i.
u8 flow_base(const struct flow *f, const struct ir_insn *ops, u32 i, u8 *bases);

// Which kept page access i of `block` looks at: 1 + its place among them, 0: none.
unsigned flow_kept(const struct flow *f, unsigned block, const struct ir_insn *ops, u32 i,
                   const u8 *bases);

static inline bool flow_at_once(const struct flow *f, unsigned block, u32 i) {
    return f->at_once[block][i / 64] >> i % 64 & 1;
}

// What a helper call means for cells in locals.
static inline bool helper_sees(u8 effects) {
    return effects & (HELPER_FAULTS | HELPER_READS | HELPER_WRITES | HELPER_MODE);
}
static inline bool helper_changes(u8 effects) { return effects & (HELPER_WRITES | HELPER_MODE); }

#endif
