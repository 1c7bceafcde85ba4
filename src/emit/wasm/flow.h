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
static inline bool cells_or(struct cellset *s, const struct cellset *t) {
    bool more = false;
    for (unsigned k = 0; k < REGION_CELLS / 64; k++) {
        more |= (t->w[k] & ~s->w[k]) != 0;
        s->w[k] |= t->w[k];
    }
    return more;
}

struct flow {
    // The cells: state offsets; vectors have 16 bytes and both their halves' indices in `index`.
    unsigned n;
    u16 offset[REGION_CELLS];
    bool vector[REGION_CELLS];
    u8 index[IR_KNOWN_CELLS];               // by offset / 8: 1 + cell, 0 = not touched
    struct cellset dirty_in[REGION_BLOCKS]; // on some way newer than memory
    struct cellset live_in[REGION_BLOCKS];  // its value at the start matters
    struct cellset
        fault;   // what may be dirty at any operation that faults: the fault exit stores it
    bool memory; // there are loads or stores
};

// False: too many cells, or one this cannot hold.
bool flow_analyse(const struct region *r, u32 pc_cell, struct flow *f);

// What a helper call means for cells in locals.
static inline bool helper_sees(u8 effects) {
    return effects & (HELPER_FAULTS | HELPER_PC | HELPER_READS | HELPER_WRITES | HELPER_MODE);
}
static inline bool helper_changes(u8 effects) { return effects & (HELPER_WRITES | HELPER_MODE); }

#endif
