// An unpacked image as a 9p back end, read-only. Depends on oci/imgtree.h; every operation finishes
// at once, unless the blob store blocks.
//
// The tree never changes while it is served, so a node is its inode number carried in the pointer:
// there is nothing to count or free, and numbers are the stable qid paths. Operations that modify
// are absent: the server answers EROFS for them.
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "oci/imgtree.h"
#include "p9/fs.h"
#include "p9/linux.h"

struct image {
    struct fs fs;
    const struct imgtree *tree;
    struct imgtree_usage usage;
};

// Cookies: 1 follows ".", 2 follows "..", then those of imgtree plus this.
enum { COOKIE_BASE = 2, BLOCK = 4096 };

static const struct image *image_of(struct fs *fs) { return (const struct image *)fs; }
static const struct imgtree *tree_of(struct fs *fs) { return image_of(fs)->tree; }
static u32 ino_of(struct fs_node *n) { return (u32)(uintptr_t)n; }
static struct fs_node *node_of(u32 ino) { return (struct fs_node *)(uintptr_t)ino; }

static void fail(fs_done done, void *arg, int e) { done(arg, &(struct fs_result){.err = e}); }

static void fill_attr(const struct imgtree *t, u32 ino, struct fs_attr *a) {
    struct imgtree_stat st;
    if (!imgtree_stat(t, ino, &st)) return;
    *a = (struct fs_attr){
        .ino = st.ino,
        .mode = st.mode,
        .uid = st.uid,
        .gid = st.gid,
        .nlink = st.nlink,
        .rdev = st.rdev,
        .size = st.size,
        .blksize = BLOCK,
        .blocks = st.blocks,
        // Times before 1970 cannot travel: 9P2000.L has them unsigned.
        .mtime_s = st.mtime_s > 0 ? (u64)st.mtime_s : 0,
        .mtime_ns = st.mtime_s >= 0 ? st.mtime_ns : 0,
    };
    a->atime_s = a->ctime_s = a->mtime_s;
    a->atime_ns = a->ctime_ns = a->mtime_ns;
}

static void give_node(struct fs *fs, u32 ino, fs_done done, void *arg) {
    struct fs_result r = {.node = node_of(ino)};
    fill_attr(tree_of(fs), ino, &r.attr);
    done(arg, &r);
}

static void op_destroy(struct fs *fs) { free(fs); }
static struct fs_node *op_root(struct fs *fs) {
    (void)fs;
    return node_of(IMGTREE_ROOT);
}
static void op_node_ref(struct fs *fs, struct fs_node *n) { (void)fs, (void)n; }

static void op_lookup(struct fs *fs, struct fs_node *dir, const char *name, fs_done done,
                      void *arg) {
    struct imgtree_stat st;
    size_t len = strlen(name);
    u32 ino = imgtree_lookup(tree_of(fs), ino_of(dir), name, len);
    if (ino)
        give_node(fs, ino, done, arg);
    else if (imgtree_stat(tree_of(fs), ino_of(dir), &st) && (st.mode & LX_S_IFMT) != LX_S_IFDIR)
        fail(done, arg, LX_ENOTDIR);
    else
        fail(done, arg, len > LX_NAME_MAX ? LX_ENAMETOOLONG : LX_ENOENT);
}

static void op_parent(struct fs *fs, struct fs_node *dir, fs_done done, void *arg) {
    u32 ino = imgtree_parent(tree_of(fs), ino_of(dir));
    if (ino)
        give_node(fs, ino, done, arg);
    else
        fail(done, arg, LX_ENOTDIR);
}

static void op_getattr(struct fs *fs, struct fs_node *n, fs_done done, void *arg) {
    struct fs_result r = {0};
    fill_attr(tree_of(fs), ino_of(n), &r.attr);
    done(arg, &r);
}

static void op_readlink(struct fs *fs, struct fs_node *n, char *buf, size_t cap, fs_done done,
                        void *arg) {
    size_t len;
    const char *target = imgtree_readlink(tree_of(fs), ino_of(n), &len);
    if (!target) {
        fail(done, arg, LX_EINVAL);
        return;
    }
    if (len > cap) len = cap; // readlink(2) cuts
    memcpy(buf, target, len);
    done(arg, &(struct fs_result){.count = (u32)len});
}

static void op_statfs(struct fs *fs, struct fs_node *n, fs_done done, void *arg) {
    (void)n;
    const struct imgtree_usage *u = &image_of(fs)->usage;
    struct fs_result r = {.statfs = {.type = 0x01021997, // V9FS_MAGIC
                                     .bsize = BLOCK,
                                     .namelen = LX_NAME_MAX,
                                     .blocks = (u->stored + BLOCK - 1) / BLOCK,
                                     .files = u->inodes}};
    done(arg, &r);
}

static void op_open(struct fs *fs, struct fs_node *n, u32 flags, fs_done done, void *arg) {
    struct imgtree_stat st;
    if (!imgtree_stat(tree_of(fs), ino_of(n), &st)) {
        fail(done, arg, LX_ESTALE);
        return;
    }
    u32 type = st.mode & LX_S_IFMT;
    bool writes = (flags & LX_O_ACCMODE) != LX_O_RDONLY || (flags & LX_O_TRUNC);
    int e = 0;
    if (type == LX_S_IFLNK)
        e = LX_ELOOP;
    else if (type == LX_S_IFDIR && writes)
        e = LX_EISDIR;
    else if (type != LX_S_IFDIR && (flags & LX_O_DIRECTORY))
        e = LX_ENOTDIR;
    else if (writes)
        e = LX_EROFS;
    else if (type != LX_S_IFDIR && type != LX_S_IFREG)
        e = LX_ENXIO; // devices and pipes are the guest's own affair
    fail(done, arg, e);
}

static void op_close(struct fs *fs, struct fs_node *n, void *handle) {
    (void)fs, (void)n, (void)handle;
}

static void op_read(struct fs *fs, struct fs_node *n, void *handle, u64 off, u8 *buf, u32 len,
                    fs_done done, void *arg) {
    (void)handle;
    struct imgtree_stat st;
    i64 got = imgtree_read(tree_of(fs), ino_of(n), off, buf, len);
    if (got >= 0)
        done(arg, &(struct fs_result){.count = (u32)got});
    else if (imgtree_stat(tree_of(fs), ino_of(n), &st) && (st.mode & LX_S_IFMT) == LX_S_IFREG)
        fail(done, arg, LX_EIO);
    else
        fail(done, arg, LX_EISDIR);
}

static void op_readdir(struct fs *fs, struct fs_node *n, void *handle, u64 cookie, fs_emit emit,
                       void *emit_arg, fs_done done, void *arg) {
    (void)handle;
    const struct imgtree *t = tree_of(fs);
    u32 dir = ino_of(n), parent = imgtree_parent(t, dir);
    bool more = parent != 0;
    if (more && cookie == 0) {
        more = emit(emit_arg, ".", 1, dir, LX_DT_DIR, 1);
        cookie = 1;
    }
    if (more && cookie == 1) {
        more = emit(emit_arg, "..", 2, parent, LX_DT_DIR, COOKIE_BASE);
        cookie = COOKIE_BASE;
    }
    struct imgtree_dirent de;
    for (u64 at = cookie - COOKIE_BASE; more && imgtree_readdir(t, dir, at, &de); at = de.next)
        more = emit(emit_arg, de.name, de.len, de.ino, (u8)LX_DT_OF_MODE(de.mode),
                    de.next + COOKIE_BASE);
    fail(done, arg, parent ? 0 : LX_ENOTDIR);
}

static void op_fsync(struct fs *fs, struct fs_node *n, void *handle, bool datasync, fs_done done,
                     void *arg) {
    (void)fs, (void)n, (void)handle, (void)datasync;
    fail(done, arg, 0);
}

static void list_xattrs(const struct imgtree *t, u32 ino, u8 *buf, u32 cap, fs_done done,
                        void *arg) {
    struct imgtree_xattr x;
    u64 need = 0;
    for (u32 pos = 0; imgtree_xattr_next(t, ino, &pos, &x);) {
        size_t n = strlen(x.name) + 1;
        if (cap && need + n > cap) {
            fail(done, arg, LX_ERANGE);
            return;
        }
        if (cap) memcpy(buf + need, x.name, n);
        need += n;
    }
    done(arg, &(struct fs_result){.count = (u32)need});
}

static void op_getxattr(struct fs *fs, struct fs_node *n, const char *name, u8 *buf, u32 cap,
                        fs_done done, void *arg) {
    struct imgtree_xattr x;
    if (!name) {
        list_xattrs(tree_of(fs), ino_of(n), buf, cap, done, arg);
    } else if (!imgtree_xattr_get(tree_of(fs), ino_of(n), name, &x)) {
        fail(done, arg, LX_ENODATA);
    } else if (cap && x.len > cap) {
        fail(done, arg, LX_ERANGE);
    } else {
        if (cap && x.len) memcpy(buf, x.value, x.len);
        done(arg, &(struct fs_result){.count = x.len});
    }
}

static const struct fs_ops image_ops = {
    .destroy = op_destroy,
    .root = op_root,
    .node_ref = op_node_ref,
    .node_release = op_node_ref,
    .lookup = op_lookup,
    .parent = op_parent,
    .getattr = op_getattr,
    .readlink = op_readlink,
    .statfs = op_statfs,
    .open = op_open,
    .close = op_close,
    .read = op_read,
    .readdir = op_readdir,
    .fsync = op_fsync,
    .getxattr = op_getxattr,
};

struct fs *fs_image_create(struct imgtree *tree, struct err *err) {
    struct image *i = calloc(1, sizeof *i);
    if (!i) {
        err_set(err, ERR_NOMEM, "out of memory serving the image");
        return NULL;
    }
    i->fs.ops = &image_ops;
    i->tree = tree;
    imgtree_usage(tree, &i->usage);
    return &i->fs;
}
