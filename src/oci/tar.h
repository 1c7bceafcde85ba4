// Streaming tar reader: bytes pushed in, entries and file contents out through a sink. Never holds
// more than one entry's headers in memory.
#ifndef BERTH_OCI_TAR_H
#define BERTH_OCI_TAR_H

#include "base/err.h"
#include "base/types.h"

enum tar_type { TAR_FILE, TAR_HARDLINK, TAR_SYMLINK, TAR_CHAR, TAR_BLOCK, TAR_DIR, TAR_FIFO };

struct tar_xattr {
    const char *name;
    const u8 *value;
    size_t len;
};

// Valid during the call of `entry` only. Names are as in the archive: not cleaned, may be hostile;
// they hold no NUL byte and are not empty.
struct tar_entry {
    enum tar_type type;
    const char *path, *link; // link: target of a hard link or symlink, else ""
    u32 mode, uid, gid;      // mode: permission bits
    u64 size;                // TAR_FILE: bytes of the file (holes included), else 0
    i64 mtime_s;
    u32 mtime_ns;
    u32 devmajor, devminor;
    const struct tar_xattr *xattrs; // from pax SCHILY.xattr.*
    unsigned nxattrs;
};

// Callbacks return <0 with `err` set to stop. `data` may be NULL: contents are passed over.
struct tar_sink {
    void *arg;
    int (*entry)(void *arg, const struct tar_entry *e, struct err *err);
    // Contents of the last TAR_FILE, in order; bytes between the pieces are holes.
    int (*data)(void *arg, u64 off, const u8 *p, size_t n, struct err *err);
};

struct tar;
struct tar *tar_create(const struct tar_sink *sink); // NULL: out of memory
void tar_destroy(struct tar *t);
int tar_feed(struct tar *t, const u8 *p, size_t n, struct err *err);
int tar_end(struct tar *t, struct err *err); // checks that the archive did not stop in the middle

bool tar_done(const struct tar *t); // the end mark was read; the rest is ignored

// For random access to a plain archive: bytes of the archive consumed so far, and how many of the
// next may be left out by tar_skip because no sink wants them (0: feed on). Valid between feeds.
u64 tar_offset(const struct tar *t);
u64 tar_skippable(const struct tar *t);
void tar_skip(struct tar *t, u64 n);

#endif
