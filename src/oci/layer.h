// Applies one layer's tar stream to the unpacked tree (OCI image-spec v1.1, layer.md).
#ifndef BERTH_OCI_LAYER_H
#define BERTH_OCI_LAYER_H

#include "base/err.h"
#include "oci/imgtree.h"

// Bounds over all layers of an image, and how much of them is used.
struct layer_limits {
    u64 max_unpacked, max_files;
    u64 unpacked, files; // bytes of tar, files and directories made
};

struct layer;
// `number` counts from 1, lowest layer first. `limits` is borrowed. NULL: out of memory.
struct layer *layer_create(struct imgtree *t, u32 number, struct layer_limits *limits);
void layer_destroy(struct layer *l);
int layer_feed(struct layer *l, const u8 *p, size_t n, struct err *err);
int layer_end(struct layer *l, struct err *err);

#endif
