// Unpacked images kept between runs: $XDG_CACHE_HOME/berth/unpacked/<manifest digest>/{data,tree}.
// Everything here is best effort: what fails is logged and the image is unpacked again.
#ifndef BERTH_HOST_POSIX_IMAGE_CACHE_H
#define BERTH_HOST_POSIX_IMAGE_CACHE_H

#include "base/log.h"
#include "oci/imgtree.h"
#include "oci/oci.h"

// True: *store and *tree are open and the caller's.
bool image_cache_get(const char *digest, struct blob_store *store, struct imgtree **tree,
                     const struct log *log);

// A store to unpack into, which becomes the cache's at the end. NULL: no cache; use another store.
struct image_cache_entry;
struct image_cache_entry *image_cache_begin(const char *digest, struct blob_store *store,
                                            const struct log *log);
// Puts the finished tree beside the data and gives both their name; `tree` NULL: throws them away.
// The store stays the caller's and readable. Frees `e`.
void image_cache_end(struct image_cache_entry *e, const struct imgtree *tree,
                     const struct blob_store *store, const struct log *log);

#endif
