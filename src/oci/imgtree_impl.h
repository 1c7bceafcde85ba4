// The tables of an unpacked tree, shared by imgtree.c (reading), imgtree_build.c and
// imgtree_save.c.
#ifndef BERTH_OCI_IMGTREE_IMPL_H
#define BERTH_OCI_IMGTREE_IMPL_H

#include "oci/imgtree.h"

enum { NIL = 0 }; // index of no inode, name, extent or pool string

// 72 bytes. What the unions hold depends on the type bits of `mode`.
struct inode {
    u64 size; // REG: bytes
    union {
        u64 data; // REG with extents == 0: store offset of the contents
        u64 rdev; // CHR, BLK
    };
    u64 stored; // REG: bytes in the store
    i64 mtime_s;
    u32 mtime_ns;
    u32 mode; // 0: free, then `first` is the next free inode
    u32 uid, gid, nlink;
    u32 xattrs; // pool offset of the packed set, NIL for none
    union {
        u32 first;  // DIR: first name
        u32 extent; // REG: first of its extents
        u32 target; // LNK: pool offset
    };
    union {
        u32 last;       // DIR: last name
        u32 extents;    // REG: number of extents, 0: contiguous at `data`
        u32 target_len; // LNK
    };
    u32 self; // DIR: its own name; NIL for the root
};

// One name of a directory: 32 bytes and the string. Free ones are chained through `next`.
struct dirent {
    u32 name;   // pool offset, NUL-terminated
    u32 ino;    // NIL: free
    u32 parent; // inode of the directory
    u32 next, prev;
    u32 chain; // next name of the same hash bucket
    u32 layer;
    u8 len;
};

struct extent {
    u64 off, len, data;
};

struct imgtree {
    struct blob_store store;
    struct inode *inodes; // [0] unused, [1] the root
    u32 ninodes, cap_inodes, free_inode;
    struct dirent *dirents; // [0] unused
    u32 ndirents, cap_dirents, free_dirent, live_dirents;
    u32 *buckets; // power of two
    u32 nbuckets;
    struct extent *extents;
    u32 nextents, cap_extents;
    struct buf pool;
};

static inline bool inode_is(const struct inode *i, u32 type) {
    return (i->mode & 0170000u) == type;
}

struct inode *imgtree_inode(const struct imgtree *t, u32 ino); // NULL: no such inode
u32 imgtree_find(const struct imgtree *t, u32 dir, const char *name, size_t len); // dirent or NIL
u32 imgtree_hash(u32 dir, const char *name, size_t len);

// A packed xattr set in the pool: u32 bytes that follow, then per xattr u16 name length (without
// the NUL), u32 value length, name, NUL, value.
enum { XATTR_HEADER = 4, XATTR_ENTRY = 6 };

enum {
    T_DIR = 0040000,
    T_REG = 0100000,
    T_LNK = 0120000,
    T_CHR = 0020000,
    T_BLK = 0060000,
    T_FIFO = 0010000,
    T_SOCK = 0140000,
    T_MASK = 0170000
};

int imgtree_add_extent(struct imgtree *t, struct inode *i, u64 off, u64 data, u64 n,
                       struct err *err);
int imgtree_put_xattrs(struct imgtree *t, u32 ino, const u8 *packed, u32 n, struct err *err);
// Bytes of a well-formed packed set (without its header).
bool imgtree_xattrs_valid(const u8 *p, u32 n);

#endif
