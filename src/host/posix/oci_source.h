// Loads an image from local files: `oci:DIR[:tag]` (an OCI image layout) and
// `oci-archive:FILE[:tag]` (a tar of one, as `skopeo copy` and `docker save` since v25 write it,
// gzip or zstd over it allowed).
#ifndef BERTH_HOST_POSIX_OCI_SOURCE_H
#define BERTH_HOST_POSIX_OCI_SOURCE_H

#include "base/err.h"
#include "base/log.h"
#include "oci/imgtree.h"
#include "oci/oci.h"

struct oci_progress {
    unsigned layer, layers; // 1-based; 0 while reading manifests
    u64 done, total;        // bytes of the image's compressed layers
    bool cached;            // found unpacked in the cache
};
typedef void (*oci_progress_fn)(void *arg, const struct oci_progress *p);

// Unpacks the image, or takes it from $XDG_CACHE_HOME/berth/unpacked where the same manifest was
// unpacked before (BERTH_NO_CACHE=1 turns that off). Fills *store, *config and *tree, which the
// caller frees: imgtree_destroy, then posix_store_close, and oci_config_free.
// `arch` is a list as oci_pull_settings takes it, NULL: any. `progress` may be NULL. Returns 0 or
// <0 with `err` naming the file.
int posix_load_image(const char *ref, const char *arch, struct blob_store *store,
                     const struct log *log, oci_progress_fn progress, void *progress_arg,
                     struct oci_config **config, struct imgtree **tree, struct err *err);

// A layout's files by name, for those who drive the pull themselves (berth inspect).
struct oci_source;
struct oci_source *oci_source_open(const char *ref, struct err *err);
void oci_source_close(struct oci_source *s);
const char *oci_source_tag(const struct oci_source *s);  // NULL: none given
const char *oci_source_name(const struct oci_source *s); // the directory or file
// Runs the pull up to its end, or until the first layer is wanted if `stop_at_layers`.
int oci_source_run(struct oci_source *s, struct oci_pull *p, bool stop_at_layers,
                   oci_progress_fn progress, void *progress_arg, struct err *err);

#endif
