// The unpacked image: a compact read-only inode tree whose file contents lie in a blob store. Built
// by oci/layer.c while layers stream by; then served by p9/fs_image.c and read by the host
// (/etc/passwd).
#ifndef BERTH_OCI_IMGTREE_H
#define BERTH_OCI_IMGTREE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "oci/oci.h"

enum {
    IMGTREE_ROOT = 1, // inode number of the root; 0 is "no inode"
    IMGTREE_NAME_MAX = 255,
    IMGTREE_LINK_MAX = 4095,
    IMGTREE_XATTR_MAX = 65536, // XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux
};

struct imgtree_stat {
    u32 ino;  // stable: the same image unpacked again, or saved and loaded, gives the same number
    u32 mode; // Linux st_mode, type bits included
    u32 uid, gid, nlink;
    u64 size, rdev; // rdev as Linux's dev_t (makedev); size of a symlink is its length
    u64 blocks;     // 512-byte units really stored (sparse files have fewer)
    i64 mtime_s;
    u32 mtime_ns;
};

struct imgtree *imgtree_create(const struct blob_store *store); // store is copied; NULL: no memory
void imgtree_destroy(struct imgtree *t);

// Reading. An inode number that does not exist or has the wrong type gives 0, false, NULL or -1.
u32 imgtree_lookup(const struct imgtree *t, u32 dir, const char *name, size_t len);
u32 imgtree_parent(const struct imgtree *t, u32 dir); // the root's parent is the root
bool imgtree_stat(const struct imgtree *t, u32 ino, struct imgtree_stat *st);
const char *imgtree_readlink(const struct imgtree *t, u32 ino, size_t *len); // NUL-terminated
// Bytes read (short at the end of the file), or -1: not a regular file, or the store failed.
i64 imgtree_read(const struct imgtree *t, u32 ino, u64 off, u8 *dst, size_t len);

struct imgtree_dirent {
    const char *name; // NUL-terminated
    size_t len;
    u32 ino, mode;
    u64 next; // cookie that continues after this entry
};
// The entry that follows `cookie` (0: the first); no "." and "..". False at the end.
bool imgtree_readdir(const struct imgtree *t, u32 dir, u64 cookie, struct imgtree_dirent *de);

struct imgtree_xattr {
    const char *name; // NUL-terminated
    const u8 *value;
    u32 len;
};
// The xattr that follows position *pos (start with 0), advancing it. False at the end.
bool imgtree_xattr_next(const struct imgtree *t, u32 ino, u32 *pos, struct imgtree_xattr *x);
bool imgtree_xattr_get(const struct imgtree *t, u32 ino, const char *name, struct imgtree_xattr *x);

// Walks `path` inside the image as chroot would, following symlinks (the last one if `follow`).
// Returns the inode number, or 0 when it does not exist or loops.
u32 imgtree_resolve(const struct imgtree *t, const char *path, bool follow);
// Appends the contents of the regular file at `path` (symlinks followed) to `out`; at most `max`
// bytes.
int imgtree_read_file(const struct imgtree *t, const char *path, u64 max, struct buf *out,
                      struct err *err);

struct imgtree_usage {
    u32 inodes, names;
    u64 stored; // bytes of file contents reachable
    u64 memory; // bytes of this process's memory the tree takes
};
void imgtree_usage(const struct imgtree *t, struct imgtree_usage *u);

// The tree as bytes (file contents stay in the store, named by offset), and back. Inodes are
// numbered anew in the order of a walk, so saving what was loaded gives the same bytes. Loading
// validates: damaged bytes give an error, never a malformed tree. `store_size`: bytes the store
// holds.
int imgtree_save(const struct imgtree *t, struct buf *out, struct err *err);
struct imgtree *imgtree_load(const void *p, size_t n, const struct blob_store *store,
                             u64 store_size, struct err *err);

// Replaces *t by the tree that saving and loading it gives: numbers in walk order, tables without
// holes. *t stays as it was on error.
int imgtree_compact(struct imgtree **t, struct err *err);

// Building. `layer` numbers from 1 upwards stamp names, so that a whiteout spares what its own
// layer brought. Errors: out of memory and exceeded 32-bit tables only, unless said otherwise.
struct imgtree_meta {
    u32 mode; // permission bits; the type comes from the call
    u32 uid, gid;
    i64 mtime_s;
    u32 mtime_ns;
};
// A new inode with no name yet. `mode` has type bits. It is freed when its last name goes.
u32 imgtree_new(struct imgtree *t, u32 mode, const struct imgtree_meta *m, struct err *err);
void imgtree_set_meta(struct imgtree *t, u32 ino, const struct imgtree_meta *m);
int imgtree_set_link(struct imgtree *t, u32 ino, const char *target, size_t len, struct err *err);
void imgtree_set_rdev(struct imgtree *t, u32 ino, u32 major, u32 minor);
// Replaces all xattrs of the inode.
int imgtree_set_xattrs(struct imgtree *t, u32 ino, const struct imgtree_xattr *x, unsigned n,
                       struct err *err);
// Appends contents to the store as bytes [off, off+n) of the file; `off` never goes back.
int imgtree_append(struct imgtree *t, u32 ino, u64 off, const u8 *p, size_t n, struct err *err);
void imgtree_set_size(struct imgtree *t, u32 ino, u64 size); // holes read as zero
// Gives `ino` the name in `dir` (which must not have it).
int imgtree_link(struct imgtree *t, u32 dir, const char *name, size_t len, u32 ino, u32 layer,
                 struct err *err);
void imgtree_touch(struct imgtree *t, u32 dir, const char *name, size_t len, u32 layer);
// Layer that last brought this name, 0 when it does not exist.
u32 imgtree_layer_of(const struct imgtree *t, u32 dir, const char *name, size_t len);
void imgtree_remove(struct imgtree *t, u32 dir, const char *name, size_t len); // with all below it
// Removes everything below `dir` that no entry of `layer` brought.
void imgtree_prune(struct imgtree *t, u32 dir, u32 layer);

#endif
