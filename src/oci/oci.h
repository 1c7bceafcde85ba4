// OCI images: from a layout's bytes to an image configuration and an unpacked tree. No sockets, no
// files: the host fetches what oci_pull_next names and feeds it. Sources: OCI image-spec v1.1
// (image-layout, index, manifest, config, layer), PAX/ustar (POSIX.1-2017 pax).
#ifndef BERTH_OCI_OCI_H
#define BERTH_OCI_OCI_H

#include "base/err.h"
#include "base/log.h"
#include "base/types.h"

// Where file contents are kept while they are not in memory: append-only bytes. Provided by the
// host (posix: an unlinked temporary file; web: an OPFS file or chunks held by JavaScript).
struct blob_store {
    void *arg;
    bool (*append)(void *arg, const u8 *p, size_t n, u64 *off); // `off` of the first byte
    bool (*read)(void *arg, u64 off, u8 *dst, size_t n);
};

struct oci_strings {
    char **v; // owned, v[n] == NULL
    unsigned n;
};

// The image configuration's "config" object, as container engines use it.
struct oci_config {
    char *architecture, *os, *variant; // as in the image; "amd64", "riscv64"
    struct oci_strings entrypoint, cmd, env, shell;
    char *user, *working_dir, *stop_signal;            // "" when absent
    struct oci_strings exposed_ports, volumes, labels; // keys; labels as "key=value"
};

struct imgtree; // oci/imgtree.h

struct oci_request {
    const char *path; // below the layout's root: "oci-layout", "index.json", "blobs/sha256/<hex>"
    u64 size;         // expected bytes, 0 when not known
    bool is_layer;
    unsigned layer, layers; // 1-based number and count, for progress; 0 when not a layer
};

struct oci_pull_settings {
    const char *arch; // wanted architecture, or several, best first: "riscv64,x86_64"; NULL: any
    const char
        *tag; // org.opencontainers.image.ref.name to pick, NULL: the only or the "latest" one
    struct blob_store store;
    u64 max_unpacked; // bound against tar bombs, bytes; 0: 64 GiB
    u64 max_files;    // 0: 4,000,000
    // Leave out hashing what a layer unpacks to (diff_id). The blob's own digest is always checked
    // and proves every byte; only an image put together wrongly by its builder goes unnoticed.
    bool skip_diff_ids;
    const struct log *log;
};

struct oci_pull;

struct oci_pull *oci_pull_create(const struct oci_pull_settings *s, struct err *err);
void oci_pull_destroy(struct oci_pull *p);

// 1: `req` says what to fetch next (valid until the next call). 0: finished. <0: `err`.
int oci_pull_next(struct oci_pull *p, struct oci_request *req, struct err *err);
// Bytes of the requested blob in order; then oci_pull_end, which checks size and digest. Both <0 on
// error.
int oci_pull_feed(struct oci_pull *p, const u8 *data, size_t n, struct err *err);
int oci_pull_end(struct oci_pull *p, struct err *err);

// What the manifest says, known as soon as oci_pull_next asks for the first layer (or returned 0);
// a host that keeps unpacked trees looks the manifest's digest up then. Valid as long as the pull.
struct oci_layer_info {
    const char *digest, *diff_id, *media_type;
    u64 size;
};
const char *oci_pull_manifest_digest(const struct oci_pull *p); // "sha256:..."; NULL: not yet known
const struct oci_layer_info *oci_pull_layers(const struct oci_pull *p, unsigned *n);
const struct oci_config *oci_pull_config(const struct oci_pull *p);

// After oci_pull_next returned 0: the caller owns both (oci_config_free, imgtree_destroy).
struct oci_config *oci_pull_take_config(struct oci_pull *p);
struct imgtree *oci_pull_take_tree(struct oci_pull *p);
void oci_config_free(struct oci_config *c);

#endif
