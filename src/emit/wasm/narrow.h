// 32-bit arithmetic in a region's IR, made so before it is emitted.
#ifndef BERTH_EMIT_WASM_NARROW_H
#define BERTH_EMIT_WASM_NARROW_H

#include "emit/wasm/flow.h"

// A copy of the region with blocks of its own; NULL: no memory for it.
struct region *region_narrow(const struct region *r, u32 pc_cell);
void region_narrow_free(const struct region *r, struct region *narrowed);

#endif
