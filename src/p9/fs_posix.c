// A directory of the host as a file system.
//
// Depends on base, fs.h and Linux (O_PATH, /proc/self/fd, getdents64): not in the wasm build. Every
// node is an O_PATH descriptor, so it means the same file whatever is renamed; no path is ever
// kept. Names are single components opened with O_NOFOLLOW, so no symlink can lead out of the root;
// ".." is followed only after climbing shows that the directory still lies below the root. What is
// opened is what the descriptor means, through /proc/self/fd. Only regular files and directories
// are opened: a guest opens FIFOs, sockets and devices itself, and the host's must not be touched.
//
// Ownership: identity. A host that is not root cannot give files away: what the guest makes belongs
// to the user who runs us, and chown answers EPERM as the host does. As root the guest's ids are
// set. Descriptors: a guest that knows many files costs one each. The soft limit is raised to the
// hard one; beyond it ENFILE. (Rejected: closing the least used and finding them again by name,
// which is the path-as-identity mistake.) All operations are done before they return.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "p9/fs.h"
#include "p9/linux.h"

struct handle {
    int fd;
    u32 flags;
    struct handle *next; // of its node
    // Directories: entries read ahead. `at` is the cookie of the entry at `pos`.
    u8 *dents;
    size_t pos, len;
    u64 at;
};

struct fs_node {
    int fd; // O_PATH
    unsigned refs;
    u32 type; // S_IFMT bits; an inode never changes them
    struct handle *handles;
};

struct posix {
    struct fs fs;
    struct fs_node *root;
    dev_t dev;
    ino_t ino;
    bool readonly;
    bool gives_files; // may chown
};

enum { DENTS = 32768 };

static struct posix *posix_of(struct fs *fs) { return (struct posix *)fs; }

// "/proc/self/fd/N": the file itself, symlinks not followed any further.
struct fdpath {
    char s[32];
};
static struct fdpath fdpath_of(int fd) {
    struct fdpath p;
    snprintf(p.s, sizeof p.s, "/proc/self/fd/%d", fd);
    return p;
}

// The host's errno as Linux numbers them. (The same on every Linux but MIPS, Alpha, PA-RISC and
// SPARC.)
static int errno_now(void) { return errno == EMFILE ? LX_ENFILE : errno ? errno : LX_EIO; }

static void finish(fs_done done, void *arg, int err) {
    struct fs_result res = {.err = err};
    done(arg, &res);
}
static void finish_call(fs_done done, void *arg, int ret) {
    finish(done, arg, ret < 0 ? errno_now() : 0);
}
static void finish_count(fs_done done, void *arg, ssize_t n) {
    struct fs_result res = {.err = n < 0 ? errno_now() : 0, .count = n < 0 ? 0 : (u32)n};
    done(arg, &res);
}

// --- nodes and attributes ---

// Files of other file systems mounted below the root get numbers that cannot meet the root's.
static u64 ino_of(const struct posix *p, dev_t dev, ino_t ino) {
    return dev == p->dev ? (u64)ino
                         : ((u64)ino ^ (u64)dev * 0x9e3779b97f4a7c15ull) | 0x8000000000000000ull;
}

static void fill_attr(const struct posix *p, const struct stat *st, struct fs_attr *a) {
    u64 v = (u64)st->st_mtim.tv_sec * 1000003u ^ (u64)st->st_mtim.tv_nsec * 31u ^
            (u64)st->st_ctim.tv_nsec * 17u ^ (u64)st->st_size;
    u32 version = (u32)(v ^ v >> 32);
    *a = (struct fs_attr){
        .ino = ino_of(p, st->st_dev, st->st_ino),
        .version = version ? version : 1,
        .mode = st->st_mode,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .nlink = st->st_nlink,
        .rdev = st->st_rdev,
        .size = (u64)st->st_size,
        .blksize = (u64)st->st_blksize,
        .blocks = (u64)st->st_blocks,
        .atime_s = (u64)st->st_atim.tv_sec,
        .mtime_s = (u64)st->st_mtim.tv_sec,
        .ctime_s = (u64)st->st_ctim.tv_sec,
        .atime_ns = (u32)st->st_atim.tv_nsec,
        .mtime_ns = (u32)st->st_mtim.tv_nsec,
        .ctime_ns = (u32)st->st_ctim.tv_nsec,
    };
}

static int node_attr(const struct posix *p, int fd, struct fs_attr *a) {
    struct stat st;
    if (fstatat(fd, "", &st, AT_EMPTY_PATH) < 0) return errno_now();
    fill_attr(p, &st, a);
    return 0;
}

// Makes a node of an O_PATH descriptor, which it owns (and closes on failure).
static int node_make(const struct posix *p, int fd, struct fs_result *res) {
    int err = node_attr(p, fd, &res->attr);
    struct fs_node *n = err ? NULL : calloc(1, sizeof *n);
    if (!n) {
        close(fd);
        return err ? err : LX_ENOMEM;
    }
    *n = (struct fs_node){.fd = fd, .refs = 1, .type = res->attr.mode & S_IFMT};
    res->node = n;
    return 0;
}

static void node_ref(struct fs *fs, struct fs_node *n) {
    (void)fs;
    n->refs++;
}

static void node_release(struct fs *fs, struct fs_node *n) {
    (void)fs;
    if (--n->refs) return;
    close(n->fd);
    free(n);
}

static struct fs_node *op_root(struct fs *fs) {
    struct fs_node *n = posix_of(fs)->root;
    n->refs++;
    return n;
}

static int find(const struct posix *p, struct fs_node *dir, const char *name,
                struct fs_result *res) {
    if (dir->type != S_IFDIR) return LX_ENOTDIR;
    int fd = openat(dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? errno_now() : node_make(p, fd, res);
}

static void op_lookup(struct fs *fs, struct fs_node *dir, const char *name, fs_done done,
                      void *arg) {
    struct fs_result res = {0};
    res.err = find(posix_of(fs), dir, name, &res);
    done(arg, &res);
}

static bool same_dir(int a, int b) {
    struct stat x, y;
    return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

// Does the directory lie below the root? (It may have been moved out of it on the host.)
static bool below_root(const struct posix *p, int fd) {
    int at = dup(fd);
    bool found = false;
    while (at >= 0 && !(found = same_dir(at, p->root->fd))) {
        int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        bool top = up >= 0 && same_dir(at, up);
        close(at);
        at = up;
        if (top) break;
    }
    if (at >= 0) close(at);
    return found;
}

static void op_parent(struct fs *fs, struct fs_node *dir, fs_done done, void *arg) {
    struct posix *p = posix_of(fs);
    struct fs_result res = {0};
    if (dir->type != S_IFDIR) {
        res.err = LX_ENOTDIR;
    } else if (same_dir(dir->fd, p->root->fd)) {
        res.node = op_root(fs);
        res.err = node_attr(p, p->root->fd, &res.attr);
    } else if (!below_root(p, dir->fd)) {
        res.err = LX_ESTALE;
    } else {
        int fd = openat(dir->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        res.err = fd < 0 ? errno_now() : node_make(p, fd, &res);
    }
    if (res.err && res.node) {
        node_release(fs, res.node);
        res.node = NULL;
    }
    done(arg, &res);
}

static void op_getattr(struct fs *fs, struct fs_node *n, fs_done done, void *arg) {
    struct fs_result res = {0};
    res.err = node_attr(posix_of(fs), n->fd, &res.attr);
    done(arg, &res);
}

// --- setattr ---

// Truncates through a descriptor that may write, if there is one: a file may be open for writing
// without its mode allowing to open it so again.
static int set_size(struct fs_node *n, u64 size) {
    for (struct handle *h = n->handles; h; h = h->next)
        if ((h->flags & LX_O_ACCMODE) != LX_O_RDONLY) return ftruncate(h->fd, (off_t)size);
    return truncate(fdpath_of(n->fd).s, (off_t)size);
}

static struct timespec set_time(u32 valid, u32 now, u32 to, u64 s, u32 ns) {
    if (!(valid & now)) return (struct timespec){.tv_nsec = UTIME_OMIT};
    if (!(valid & to)) return (struct timespec){.tv_nsec = UTIME_NOW};
    return (struct timespec){(time_t)s, (long)ns};
}

static int set_times(struct fs_node *n, const struct fs_setattr *set) {
    struct timespec t[2] = {
        set_time(set->valid, FS_SET_ATIME, FS_SET_ATIME_TO, set->atime_s, set->atime_ns),
        set_time(set->valid, FS_SET_MTIME, FS_SET_MTIME_TO, set->mtime_s, set->mtime_ns),
    };
    return n->type == S_IFLNK ? utimensat(n->fd, "", t, AT_EMPTY_PATH)
                              : utimensat(AT_FDCWD, fdpath_of(n->fd).s, t, 0);
}

static void op_setattr(struct fs *fs, struct fs_node *n, const struct fs_setattr *set, fs_done done,
                       void *arg) {
    (void)fs;
    u32 valid = set->valid;
    int ret = 0;
    errno = 0;
    if (valid & (FS_SET_UID | FS_SET_GID))
        ret = fchownat(n->fd, "", valid & FS_SET_UID ? set->uid : (uid_t)-1,
                       valid & FS_SET_GID ? set->gid : (gid_t)-1, AT_EMPTY_PATH);
    if (!ret && (valid & FS_SET_MODE)) { // after chown, which clears set-id bits
        ret = n->type == S_IFLNK ? -1 : chmod(fdpath_of(n->fd).s, set->mode & LX_S_PERM);
        if (n->type == S_IFLNK) errno = EOPNOTSUPP;
    }
    if (!ret && (valid & FS_SET_SIZE)) ret = set_size(n, set->size);
    if (!ret && (valid & (FS_SET_ATIME | FS_SET_MTIME))) ret = set_times(n, set);
    finish_call(done, arg, ret);
}

static void op_readlink(struct fs *fs, struct fs_node *n, char *buf, size_t cap, fs_done done,
                        void *arg) {
    (void)fs;
    ssize_t got = readlinkat(n->fd, "", buf, cap);
    finish_count(done, arg, got);
}

static void op_statfs(struct fs *fs, struct fs_node *n, fs_done done, void *arg) {
    (void)fs;
    struct statfs f;
    struct fs_result res = {0};
    if (fstatfs(n->fd, &f) < 0)
        res.err = errno_now();
    else
        res.statfs = (struct fs_statfs){
            .type = (u32)f.f_type,
            .bsize = (u32)f.f_bsize,
            .namelen = (u32)f.f_namelen,
            .blocks = f.f_blocks,
            .bfree = f.f_bfree,
            .bavail = f.f_bavail,
            .files = f.f_files,
            .ffree = f.f_ffree,
        };
    done(arg, &res);
}

// --- open files ---

// The host's flags for Linux's generic ones (they differ on arm64, powerpc, ...).
static int host_flags(u32 flags) {
    static const struct {
        u32 generic;
        int host;
    } map[] = {
        {LX_O_TRUNC, O_TRUNC},     {LX_O_DIRECTORY, O_DIRECTORY}, {LX_O_NOFOLLOW, O_NOFOLLOW},
        {LX_O_NOATIME, O_NOATIME}, {LX_O_DSYNC, O_DSYNC},         {LX_O_SYNC, O_SYNC},
    };
    u32 acc = flags & LX_O_ACCMODE;
    int host = acc == LX_O_RDWR ? O_RDWR : acc == LX_O_WRONLY ? O_WRONLY : O_RDONLY;
    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if ((flags & map[i].generic) == map[i].generic) host |= map[i].host;
    return host | O_CLOEXEC | O_NONBLOCK;
}

static struct handle *handle_make(struct fs_node *n, int fd, u32 flags) {
    struct handle *h = calloc(1, sizeof *h);
    if (!h) {
        close(fd);
        return NULL;
    }
    h->fd = fd;
    h->flags = flags;
    h->next = n->handles;
    n->handles = h;
    return h;
}

// Opens the file the node means.
static int node_open(const struct posix *p, struct fs_node *n, u32 flags, struct handle **out) {
    bool writes = (flags & LX_O_ACCMODE) != LX_O_RDONLY || (flags & LX_O_TRUNC);
    if (writes && p->readonly) return LX_EROFS;
    if (n->type != S_IFREG && n->type != S_IFDIR) return n->type == S_IFLNK ? LX_ELOOP : LX_ENXIO;
    if ((flags & LX_O_DIRECTORY) && n->type != S_IFDIR) return LX_ENOTDIR;
    int host = host_flags(flags & ~(u32)(LX_O_NOFOLLOW | LX_O_CREAT | LX_O_EXCL));
    int fd = open(fdpath_of(n->fd).s, host);
    if (fd < 0 && errno == EPERM && (host & O_NOATIME)) // only the owner may
        fd = open(fdpath_of(n->fd).s, host & ~O_NOATIME);
    if (fd < 0) return errno_now();
    *out = handle_make(n, fd, flags);
    return *out ? 0 : LX_ENOMEM;
}

static void op_open(struct fs *fs, struct fs_node *n, u32 flags, fs_done done, void *arg) {
    struct fs_result res = {0};
    struct handle *h = NULL;
    res.err = node_open(posix_of(fs), n, flags, &h);
    res.handle = h;
    done(arg, &res);
}

static void op_close(struct fs *fs, struct fs_node *n, void *handle) {
    (void)fs;
    struct handle *h = handle, **at = &n->handles;
    while (*at != h) at = &(*at)->next;
    *at = h->next;
    close(h->fd);
    free(h->dents);
    free(h);
}

static void op_read(struct fs *fs, struct fs_node *n, void *handle, u64 off, u8 *buf, u32 len,
                    fs_done done, void *arg) {
    (void)fs, (void)n;
    ssize_t got = pread(((struct handle *)handle)->fd, buf, len, (off_t)off);
    finish_count(done, arg, got);
}

static void op_write(struct fs *fs, struct fs_node *n, void *handle, u64 off, const u8 *buf,
                     u32 len, fs_done done, void *arg) {
    (void)fs, (void)n;
    ssize_t put = pwrite(((struct handle *)handle)->fd, buf, len, (off_t)off);
    finish_count(done, arg, put);
}

static void op_fsync(struct fs *fs, struct fs_node *n, void *handle, bool datasync, fs_done done,
                     void *arg) {
    (void)fs, (void)n;
    int fd = ((struct handle *)handle)->fd;
    int ret = datasync ? fdatasync(fd) : fsync(fd);
    if (ret < 0 && errno == EINVAL) // a file system without it
        ret = 0;
    finish_call(done, arg, ret);
}

// --- directories ---

// linux_dirent64, getdents64(2).
struct dent {
    u64 ino, off;
    u16 reclen;
    u8 type;
    char name[];
};

static int dents_fill(struct handle *h) {
    if (!h->dents && !(h->dents = malloc(DENTS))) return LX_ENOMEM;
    long n = syscall(SYS_getdents64, h->fd, h->dents, DENTS);
    h->pos = 0;
    h->len = n < 0 ? 0 : (size_t)n;
    return n < 0 ? errno_now() : 0;
}

static int dents_emit(const struct posix *p, const struct fs_node *n, struct handle *h,
                      fs_emit emit, void *emit_arg) {
    struct stat st;
    if (fstat(n->fd, &st) < 0) return errno_now();
    bool at_root = st.st_dev == p->dev && st.st_ino == p->ino;
    for (;;) {
        if (h->pos >= h->len) {
            int err = dents_fill(h);
            if (err || !h->len) return err;
        }
        const struct dent *d = (const struct dent *)(h->dents + h->pos);
        bool up = !strcmp(d->name, "..");
        u64 ino = at_root && up ? p->ino : ino_of(p, st.st_dev, d->ino);
        if (!emit(emit_arg, d->name, strlen(d->name), ino, d->type, d->off)) return 0;
        h->pos += d->reclen;
        h->at = d->off;
    }
}

static void op_readdir(struct fs *fs, struct fs_node *n, void *handle, u64 cookie, fs_emit emit,
                       void *emit_arg, fs_done done, void *arg) {
    struct handle *h = handle;
    int err = 0;
    if (!cookie || cookie != h->at) { // 0 begins anew, to see what changed
        h->pos = h->len = 0;
        h->at = cookie;
        if (lseek(h->fd, (off_t)cookie, SEEK_SET) < 0) err = errno_now();
    }
    if (!err) err = dents_emit(posix_of(fs), n, h, emit, emit_arg);
    finish(done, arg, err);
}

// --- making and removing names ---

// Gives a new file its owner and the exact mode (the process's umask has taken bits from it); a
// set-group-id bit inherited from the directory stays.
static void adopt(const struct posix *p, int fd, u32 type, u32 mode, struct fs_cred cred) {
    struct stat st;
    if (fstatat(fd, "", &st, AT_EMPTY_PATH) < 0) return;
    // In a set-group-id directory the group is the directory's.
    gid_t gid = st.st_gid == getegid() ? cred.gid : st.st_gid;
    // Failing leaves the file with us, as for a host that is not root.
    bool given = p->gives_files && (st.st_uid != cred.uid || st.st_gid != gid) &&
                 !fchownat(fd, "", cred.uid, gid, AT_EMPTY_PATH);
    u32 want = (mode & LX_S_PERM) | (st.st_mode & S_ISGID);
    if (type != S_IFLNK && (given || (st.st_mode & LX_S_PERM) != want))
        (void)!chmod(fdpath_of(fd).s, want);
}

// The node of what was just made, its owner and mode set.
static void made(struct posix *p, struct fs_node *dir, const char *name, int ret, u32 mode,
                 struct fs_cred cred, fs_done done, void *arg) {
    struct fs_result res = {.err = ret < 0 ? errno_now() : 0};
    if (!res.err) res.err = find(p, dir, name, &res);
    if (!res.err) {
        adopt(p, res.node->fd, res.node->type, mode, cred);
        res.err = node_attr(p, res.node->fd, &res.attr);
        if (res.err) {
            node_release(&p->fs, res.node);
            res.node = NULL;
        }
    }
    done(arg, &res);
}

static int create_new(struct posix *p, struct fs_node *dir, const char *name, u32 flags, u32 mode,
                      struct fs_cred cred, struct fs_result *res) {
    int host = host_flags(flags & ~(u32)(LX_O_TRUNC | LX_O_DIRECTORY));
    int fd = openat(dir->fd, name, host | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0777);
    if (fd < 0) return errno_now();
    adopt(p, fd, S_IFREG, mode, cred);
    int path = open(fdpath_of(fd).s, O_PATH | O_CLOEXEC);
    int err = path < 0 ? errno_now() : node_make(p, path, res);
    if (err) {
        close(fd);
        return err;
    }
    res->handle = handle_make(res->node, fd, flags);
    return res->handle ? 0 : LX_ENOMEM;
}

static int create_existing(struct posix *p, struct fs_node *dir, const char *name, u32 flags,
                           struct fs_result *res) {
    struct handle *h = NULL;
    int err = find(p, dir, name, res);
    if (err) return err;
    if (res->node->type == S_IFDIR) return LX_EISDIR;
    err = node_open(p, res->node, flags, &h);
    res->handle = h;
    return err ? err : node_attr(p, res->node->fd, &res->attr);
}

static void op_create(struct fs *fs, struct fs_node *dir, const char *name, u32 flags, u32 mode,
                      struct fs_cred cred, fs_done done, void *arg) {
    struct posix *p = posix_of(fs);
    struct fs_result res = {0};
    res.err = create_new(p, dir, name, flags, mode, cred, &res);
    if (res.err == LX_EEXIST && !(flags & LX_O_EXCL))
        res.err = create_existing(p, dir, name, flags, &res);
    if (res.err && res.node) {
        if (res.handle) op_close(fs, res.node, res.handle);
        node_release(fs, res.node);
        res.node = NULL;
        res.handle = NULL;
    }
    done(arg, &res);
}

static void op_mkdir(struct fs *fs, struct fs_node *dir, const char *name, u32 mode,
                     struct fs_cred cred, fs_done done, void *arg) {
    int ret = mkdirat(dir->fd, name, mode & 0777);
    made(posix_of(fs), dir, name, ret, mode, cred, done, arg);
}

static void op_symlink(struct fs *fs, struct fs_node *dir, const char *name, const char *target,
                       struct fs_cred cred, fs_done done, void *arg) {
    int ret = symlinkat(target, dir->fd, name);
    made(posix_of(fs), dir, name, ret, 0777, cred, done, arg);
}

static void op_mknod(struct fs *fs, struct fs_node *dir, const char *name, u32 mode, u64 rdev,
                     struct fs_cred cred, fs_done done, void *arg) {
    int ret = mknodat(dir->fd, name, (mode & S_IFMT) | (mode & 0777), (dev_t)rdev);
    made(posix_of(fs), dir, name, ret, mode, cred, done, arg);
}

static void op_link(struct fs *fs, struct fs_node *n, struct fs_node *dir, const char *name,
                    fs_done done, void *arg) {
    (void)fs;
    int ret = linkat(AT_FDCWD, fdpath_of(n->fd).s, dir->fd, name, AT_SYMLINK_FOLLOW);
    finish_call(done, arg, ret);
}

static void op_rename(struct fs *fs, struct fs_node *from_dir, const char *from,
                      struct fs_node *to_dir, const char *to, fs_done done, void *arg) {
    (void)fs;
    finish_call(done, arg, renameat(from_dir->fd, from, to_dir->fd, to));
}

static void op_unlink(struct fs *fs, struct fs_node *dir, const char *name, bool dir_wanted,
                      fs_done done, void *arg) {
    (void)fs;
    finish_call(done, arg, unlinkat(dir->fd, name, dir_wanted ? AT_REMOVEDIR : 0));
}

// --- extended attributes ---

static void op_getxattr(struct fs *fs, struct fs_node *n, const char *name, u8 *buf, u32 cap,
                        fs_done done, void *arg) {
    (void)fs;
    if (n->type == S_IFLNK) { // a link has none that a guest may see; no call reaches them by fd
        finish(done, arg, name ? LX_ENODATA : 0);
        return;
    }
    struct fdpath path = fdpath_of(n->fd);
    ssize_t got = name ? getxattr(path.s, name, buf, cap) : listxattr(path.s, (char *)buf, cap);
    finish_count(done, arg, got);
}

static void op_setxattr(struct fs *fs, struct fs_node *n, const char *name, const u8 *val, u32 len,
                        u32 flags, fs_done done, void *arg) {
    (void)fs;
    struct fdpath path = fdpath_of(n->fd);
    if (n->type == S_IFLNK)
        finish(done, arg, LX_EPERM);
    else if (!len && flags == LX_XATTR_REPLACE)
        finish_call(done, arg, removexattr(path.s, name));
    else
        finish_call(done, arg, setxattr(path.s, name, val, len, (int)flags));
}

// --- the file system ---

static void op_destroy(struct fs *fs) {
    struct posix *p = posix_of(fs);
    node_release(fs, p->root);
    free(p);
}

#define READING_OPS                                                                                \
    .destroy = op_destroy, .root = op_root, .node_ref = node_ref, .node_release = node_release,    \
    .lookup = op_lookup, .parent = op_parent, .getattr = op_getattr, .readlink = op_readlink,      \
    .statfs = op_statfs, .open = op_open, .close = op_close, .read = op_read,                      \
    .readdir = op_readdir, .fsync = op_fsync, .getxattr = op_getxattr

static const struct fs_ops readonly_ops = {READING_OPS};
static const struct fs_ops ops = {
    READING_OPS,         .setattr = op_setattr, .create = op_create,     .write = op_write,
    .mkdir = op_mkdir,   .symlink = op_symlink, .mknod = op_mknod,       .link = op_link,
    .rename = op_rename, .unlink = op_unlink,   .setxattr = op_setxattr,
};

// Every file the guest knows is a descriptor here.
static void raise_descriptor_limit(void) {
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur == lim.rlim_max) return;
    lim.rlim_cur = lim.rlim_max;
    (void)!setrlimit(RLIMIT_NOFILE, &lim);
}

struct fs *fs_posix_create(const char *dir, bool readonly, struct err *err) {
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
                "cannot open directory %s: %s; give an existing directory that you may read", dir,
                strerror(errno));
        return NULL;
    }
    struct posix *p = calloc(1, sizeof *p);
    struct stat st;
    if (!p || fstat(fd, &st) < 0) {
        err_set(err, p ? ERR_IO : ERR_NOMEM, "cannot serve directory %s: %s", dir, strerror(errno));
        close(fd);
        free(p);
        return NULL;
    }
    p->fs.ops = readonly ? &readonly_ops : &ops;
    p->readonly = readonly;
    p->dev = st.st_dev;
    p->ino = st.st_ino;
    p->gives_files = geteuid() == 0;
    struct fs_result res = {0};
    if (node_make(p, fd, &res)) {
        err_set(err, ERR_NOMEM, "out of memory serving directory %s", dir);
        free(p);
        return NULL;
    }
    p->root = res.node;
    raise_descriptor_limit();
    return &p->fs;
}
