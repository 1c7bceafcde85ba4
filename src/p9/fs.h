// What a 9p server serves: a file system whose files are nodes, not paths. Every operation may finish
// later: the back end keeps `done` and calls it exactly once, at once or from a later event. No
// operation blocks. Errors are Linux errno values (positive), as 9P2000.L's Rlerror carries them.
#ifndef BERTH_P9_FS_H
#define BERTH_P9_FS_H

#include "base/types.h"

// A file object of the back end; stays valid, and keeps meaning the same file after a rename, until
// released. The server holds one reference a fid.
struct fs_node;

struct fs_attr {
    u64 ino;     // unique and stable within the file system (qid.path)
    u32 version; // changes with the content; 0 when the back end cannot tell
    u32 mode;    // Linux st_mode, type bits included
    u32 uid, gid;
    u64 nlink, rdev, size, blksize, blocks;
    u64 atime_s, mtime_s, ctime_s;
    u32 atime_ns, mtime_ns, ctime_ns;
};

struct fs_statfs {
    u32 type, bsize, namelen;
    u64 blocks, bfree, bavail, files, ffree, fsid;
};

// Bits of fs_setattr.valid, as in Tsetattr.
enum {
    FS_SET_MODE = 1,
    FS_SET_UID = 2,
    FS_SET_GID = 4,
    FS_SET_SIZE = 8,
    FS_SET_ATIME = 0x10,
    FS_SET_MTIME = 0x20,
    FS_SET_CTIME = 0x40,
    FS_SET_ATIME_TO = 0x80, // use atime_s/ns; without it FS_SET_ATIME means now
    FS_SET_MTIME_TO = 0x100,
};

struct fs_setattr {
    u32 valid, mode, uid, gid;
    u64 size, atime_s, mtime_s;
    u32 atime_ns, mtime_ns;
};

// What an operation hands back; fields that the operation does not produce stay zero.
struct fs_result {
    int err;              // 0 or a Linux errno
    struct fs_node *node; // lookup, create, ...: a new reference, the receiver releases it
    struct fs_attr attr;  // with node, and of getattr
    void *handle;         // open, create: passed back to read, write, readdir, fsync, close
    u32 count;            // bytes read or written, entries' bytes
    struct fs_statfs statfs;
};

typedef void (*fs_done)(void *arg, const struct fs_result *res);

// Called by the back end for each entry from `cookie` on; false: the buffer is full, stop.
// `next` is the cookie that continues after this entry.
typedef bool (*fs_emit)(void *arg, const char *name, size_t len, u64 ino, u8 dtype, u64 next);

// Who asks, for back ends that set ownership of what is made.
struct fs_cred {
    u32 uid, gid;
};

struct fs;

// Names are NUL-terminated single components, never "", ".", ".." or with '/': the server checks.
// Pointers given to an operation (names, buffers) stay valid until `done`.
// A NULL operation answers EOPNOTSUPP (EROFS for the ones that modify).
struct fs_ops {
    void (*destroy)(struct fs *fs);
    struct fs_node *(*root)(struct fs *fs); // a new reference
    void (*node_ref)(struct fs *fs, struct fs_node *n);
    void (*node_release)(struct fs *fs, struct fs_node *n);

    void (*lookup)(struct fs *fs, struct fs_node *dir, const char *name, fs_done done, void *arg);
    // ".." of the root is the root.
    void (*parent)(struct fs *fs, struct fs_node *dir, fs_done done, void *arg);
    void (*getattr)(struct fs *fs, struct fs_node *n, fs_done done, void *arg);
    void (*setattr)(struct fs *fs, struct fs_node *n, const struct fs_setattr *set, fs_done done,
                    void *arg);
    void (*readlink)(struct fs *fs, struct fs_node *n, char *buf, size_t cap, fs_done done,
                     void *arg); // count = length
    void (*statfs)(struct fs *fs, struct fs_node *n, fs_done done, void *arg);

    // `flags` are Linux O_* (generic values) of Tlopen.
    void (*open)(struct fs *fs, struct fs_node *n, u32 flags, fs_done done, void *arg);
    void (*create)(struct fs *fs, struct fs_node *dir, const char *name, u32 flags, u32 mode,
                   struct fs_cred cred, fs_done done, void *arg); // node + handle
    void (*close)(struct fs *fs, struct fs_node *n, void *handle); // cannot fail; may finish later
    void (*read)(struct fs *fs, struct fs_node *n, void *handle, u64 off, u8 *buf, u32 len,
                 fs_done done, void *arg);
    void (*write)(struct fs *fs, struct fs_node *n, void *handle, u64 off, const u8 *buf, u32 len,
                  fs_done done, void *arg);
    // Emits entries ("." and ".." included) and then calls done once.
    void (*readdir)(struct fs *fs, struct fs_node *n, void *handle, u64 cookie, fs_emit emit,
                    void *emit_arg, fs_done done, void *arg);
    void (*fsync)(struct fs *fs, struct fs_node *n, void *handle, bool datasync, fs_done done,
                  void *arg);

    void (*mkdir)(struct fs *fs, struct fs_node *dir, const char *name, u32 mode,
                  struct fs_cred cred, fs_done done, void *arg);
    void (*symlink)(struct fs *fs, struct fs_node *dir, const char *name, const char *target,
                    struct fs_cred cred, fs_done done, void *arg);
    void (*mknod)(struct fs *fs, struct fs_node *dir, const char *name, u32 mode, u64 rdev,
                  struct fs_cred cred, fs_done done, void *arg);
    void (*link)(struct fs *fs, struct fs_node *n, struct fs_node *dir, const char *name,
                 fs_done done, void *arg);
    // Replaces an existing target as rename(2) does.
    void (*rename)(struct fs *fs, struct fs_node *from_dir, const char *from,
                   struct fs_node *to_dir, const char *to, fs_done done, void *arg);
    void (*unlink)(struct fs *fs, struct fs_node *dir, const char *name, bool dir_wanted,
                   fs_done done, void *arg); // dir_wanted: AT_REMOVEDIR

    // name NULL: the list of names, NUL-separated. cap 0: count = size needed.
    void (*getxattr)(struct fs *fs, struct fs_node *n, const char *name, u8 *buf, u32 cap,
                     fs_done done, void *arg);
    void (*setxattr)(struct fs *fs, struct fs_node *n, const char *name, const u8 *val, u32 len,
                     u32 flags, fs_done done, void *arg); // len 0 with XATTR_REPLACE: remove
};

// A back end embeds this as its first member.
struct fs {
    const struct fs_ops *ops;
};

// Back ends (each in its own file of this folder):
struct err;
struct imgtree;
// A directory of the host (posix). `readonly` answers EROFS to what modifies. src/p9/fs_posix.c
struct fs *fs_posix_create(const char *dir, bool readonly, struct err *err);
// An unpacked image, read-only; does not own the tree. src/p9/fs_image.c
struct fs *fs_image_create(struct imgtree *tree, struct err *err);
// The asynchronous remote back end is in p9/fs_remote.h.

#endif
