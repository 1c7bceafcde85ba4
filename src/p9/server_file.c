// 9P2000.L messages about a file itself: open, read, write, readdir, attributes, sync, locks,
// readlink.
//
// Depends on the session (session.h). Each p9_do_T* checks the request and starts at most one
// operation of the back end; the static function before it turns the result into the answer.
// O_APPEND does not reach the back end: the client computes the offset (it holds the inode lock),
// and its page cache writes back through any writable fid, which must then not append.
#include <stdlib.h>

#include "p9/session.h"

// What Tlopen and Tlcreate may pass on.
enum {
    OPEN_FLAGS = LX_O_ACCMODE | LX_O_TRUNC | LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_NOATIME |
                 LX_O_DSYNC | LX_O_SYNC | LX_O_EXCL,
};

// --- open and create ---

static void opened(struct p9_fid *f, void *handle, u32 flags) {
    f->handle = handle;
    f->flags = flags;
    f->kind = FID_OPEN;
}

static void lopen_done(struct p9_req *r, const struct fs_result *res) {
    if (res->err) {
        r->fid->kind = FID_WALKED;
        p9_req_fail(r, res->err);
        return;
    }
    opened(r->fid, res->handle, r->m.Tlopen.flags);
    struct p9_msg m = {.Rlopen = {.qid = r->fid->qid}};
    p9_req_ok(r, &m);
}

void p9_do_Tlopen(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    u32 flags = r->m.Tlopen.flags & (OPEN_FLAGS & ~(u32)LX_O_EXCL);
    if (!p9_req_fid(r, r->m.Tlopen.fid)) return;
    bool reads = (flags & LX_O_ACCMODE) == LX_O_RDONLY && !(flags & LX_O_TRUNC);
    int err = r->fid->kind != FID_WALKED               ? LX_EBADF
              : (flags & LX_O_ACCMODE) == LX_O_ACCMODE ? LX_EINVAL
              : r->fid->mode == LX_S_IFLNK             ? LX_ELOOP
              : r->fid->mode == LX_S_IFDIR && !reads   ? LX_EISDIR
              : !fs->ops->open                         ? LX_EOPNOTSUPP
                                                       : 0;
    if (err) {
        p9_req_fail(r, err);
        return;
    }
    r->fid->kind = FID_OPENING;
    r->sees_errors = true;
    p9_req_start(r, lopen_done);
    fs->ops->open(fs, r->node, flags, p9_fs_done, r);
}

static void lcreate_done(struct p9_req *r, const struct fs_result *res) {
    struct p9_fid *f = r->fid;
    struct fs *fs = r->s->fs;
    if (res->err) {
        f->kind = FID_WALKED;
        p9_req_fail(r, res->err);
        return;
    }
    // The fid moves from the directory to the file in it.
    u64 dir_ino = f->qid.path;
    fs->ops->node_ref(fs, r->node);
    p9_fid_place(f, res->node, p9_qid_of(&res->attr), res->attr.mode, r->node, dir_ino,
                 r->m.Tlcreate.name.p);
    opened(f, res->handle, r->m.Tlcreate.flags);
    struct p9_msg m = {.Rlcreate = {.qid = f->qid}};
    p9_req_ok(r, &m);
}

void p9_do_Tlcreate(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Tlcreate *t = &r->m.Tlcreate;
    if (!p9_req_fid(r, t->fid)) return;
    int err = r->fid->kind != FID_WALKED                  ? LX_EBADF
              : r->fid->mode != LX_S_IFDIR                ? LX_ENOTDIR
              : (t->flags & LX_O_ACCMODE) == LX_O_ACCMODE ? LX_EINVAL
              : !fs->ops->create                          ? LX_EROFS
                                                          : p9_check_name(t->name);
    if (err) {
        p9_req_fail(r, err);
        return;
    }
    r->fid->kind = FID_OPENING;
    r->sees_errors = true;
    p9_req_start(r, lcreate_done);
    struct fs_cred cred = {r->fid->uid, t->gid};
    fs->ops->create(fs, r->node, t->name.p, (t->flags & OPEN_FLAGS) | LX_O_CREAT,
                    t->mode & LX_S_PERM, cred, p9_fs_done, r);
}

// --- read, write, readdir ---

// Room for an answer that carries up to `count` bytes; they are written straight to their place.
static bool reply_room(struct p9_req *r, u32 count) {
    size_t room = r->max_reply < r->s->msize ? r->max_reply : r->s->msize;
    if (room < P9_IO_HEADER) {
        p9_req_fail(r, LX_EMSGSIZE);
        return false;
    }
    if (count > room - P9_IO_HEADER) count = (u32)(room - P9_IO_HEADER);
    r->out_cap = P9_IO_HEADER + count;
    r->out = malloc(r->out_cap);
    if (!r->out) p9_req_fail(r, LX_ENOMEM);
    return r->out != NULL;
}

static void read_done(struct p9_req *r, const struct fs_result *res) {
    struct p9_msg m = {.Rread.data = {r->out + P9_IO_HEADER, res->count}};
    p9_req_ok(r, &m);
}

void p9_do_Tread(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Tread *t = &r->m.Tread;
    if (!p9_req_fid(r, t->fid)) return;
    if (r->fid->kind == FID_XATTR_READ) {
        if (reply_room(r, t->count)) p9_xattr_read(r);
        return;
    }
    int err = r->fid->kind != FID_OPEN || (r->fid->flags & LX_O_ACCMODE) == LX_O_WRONLY ? LX_EBADF
              : r->fid->mode == LX_S_IFDIR                                              ? LX_EISDIR
              : t->offset > INT64_MAX                                                   ? LX_EINVAL
              : !fs->ops->read ? LX_EOPNOTSUPP
                               : 0;
    if (err)
        p9_req_fail(r, err);
    else if (reply_room(r, t->count)) {
        p9_req_start(r, read_done);
        fs->ops->read(fs, r->node, r->fid->handle, t->offset, r->out + P9_IO_HEADER,
                      r->out_cap - P9_IO_HEADER, p9_fs_done, r);
    }
}

static void write_done(struct p9_req *r, const struct fs_result *res) {
    struct p9_msg m = {.Rwrite = {.count = res->count}};
    p9_req_ok(r, &m);
}

void p9_do_Twrite(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Twrite *t = &r->m.Twrite;
    if (!p9_req_fid(r, t->fid)) return;
    if (r->fid->kind == FID_XATTR_WRITE) {
        p9_xattr_write(r);
        return;
    }
    int err = r->fid->kind != FID_OPEN || (r->fid->flags & LX_O_ACCMODE) == LX_O_RDONLY ? LX_EBADF
              : t->offset > (u64)INT64_MAX - t->data.count                              ? LX_EFBIG
              : !fs->ops->write                                                         ? LX_EROFS
                                                                                        : 0;
    if (err) {
        p9_req_fail(r, err);
        return;
    }
    p9_req_start(r, write_done);
    fs->ops->write(fs, r->node, r->fid->handle, t->offset, t->data.p, t->data.count, p9_fs_done, r);
}

static bool readdir_emit(void *arg, const char *name, size_t len, u64 ino, u8 dtype, u64 next) {
    struct p9_req *r = arg;
    struct p9_qid qid = {
        .type = dtype == LX_DT_DIR   ? P9_QT_DIR
                : dtype == LX_DT_LNK ? P9_QT_SYMLINK
                                     : P9_QT_FILE,
        .path = ino,
    };
    u32 at = P9_IO_HEADER + r->out_len;
    size_t n = p9_pack_dirent(r->out + at, r->out_cap - at, qid, next, dtype, name, len);
    r->out_full |= !n;
    r->out_len += (u32)n;
    return n != 0;
}

static void readdir_done(struct p9_req *r, const struct fs_result *res) {
    (void)res;
    if (r->out_full && !r->out_len) { // nothing would look like the end
        p9_req_fail(r, LX_EINVAL);
        return;
    }
    struct p9_msg m = {.Rreaddir.data = {r->out + P9_IO_HEADER, r->out_len}};
    p9_req_ok(r, &m);
}

void p9_do_Treaddir(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Treaddir *t = &r->m.Treaddir;
    if (!p9_req_open_fid(r, t->fid)) return;
    if (r->fid->mode != LX_S_IFDIR || !fs->ops->readdir) {
        p9_req_fail(r, LX_ENOTDIR);
        return;
    }
    if (!reply_room(r, t->count)) return;
    p9_req_start(r, readdir_done);
    fs->ops->readdir(fs, r->node, r->fid->handle, t->offset, readdir_emit, r, p9_fs_done, r);
}

// --- attributes ---

enum { GETATTR_BASIC = 0x7ff };

static void getattr_done(struct p9_req *r, const struct fs_result *res) {
    const struct fs_attr *a = &res->attr;
    r->fid->qid.version = a->version;
    struct p9_msg m = {.Rgetattr = {
                           .valid = GETATTR_BASIC,
                           .qid = p9_qid_of(a),
                           .mode = a->mode,
                           .uid = a->uid,
                           .gid = a->gid,
                           .nlink = a->nlink,
                           .rdev = a->rdev,
                           .size = a->size,
                           .blksize = a->blksize,
                           .blocks = a->blocks,
                           .atime_s = a->atime_s,
                           .atime_ns = a->atime_ns,
                           .mtime_s = a->mtime_s,
                           .mtime_ns = a->mtime_ns,
                           .ctime_s = a->ctime_s,
                           .ctime_ns = a->ctime_ns,
                       }};
    p9_req_ok(r, &m);
}

void p9_do_Tgetattr(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    if (!p9_req_fid(r, r->m.Tgetattr.fid)) return;
    if (!r->node) {
        p9_req_fail(r, LX_EBADF);
        return;
    }
    p9_req_start(r, getattr_done);
    fs->ops->getattr(fs, r->node, p9_fs_done, r);
}

static void plain_done(struct p9_req *r, const struct fs_result *res) {
    (void)res;
    p9_req_done(r);
}

void p9_do_Tsetattr(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Tsetattr *t = &r->m.Tsetattr;
    const u32 nsec = 1000000000;
    if (!p9_req_fid(r, t->fid)) return;
    bool bad_time = ((t->valid & FS_SET_ATIME_TO) && t->atime_ns >= nsec) ||
                    ((t->valid & FS_SET_MTIME_TO) && t->mtime_ns >= nsec);
    bool sizes = t->valid & FS_SET_SIZE;
    int err = !r->node                              ? LX_EBADF
              : bad_time                            ? LX_EINVAL
              : sizes && t->size > INT64_MAX        ? LX_EFBIG
              : sizes && r->fid->mode == LX_S_IFDIR ? LX_EISDIR
              : sizes && r->fid->mode != LX_S_IFREG ? LX_EINVAL
              : !fs->ops->setattr                   ? LX_EROFS
                                                    : 0;
    if (err) {
        p9_req_fail(r, err);
        return;
    }
    struct fs_setattr set = {
        .valid = t->valid & 0x1ff,
        .mode = t->mode & LX_S_PERM,
        .uid = t->uid,
        .gid = t->gid,
        .size = t->size,
        .atime_s = t->atime_s,
        .atime_ns = (u32)t->atime_ns,
        .mtime_s = t->mtime_s,
        .mtime_ns = (u32)t->mtime_ns,
    };
    p9_req_start(r, plain_done);
    fs->ops->setattr(fs, r->node, &set, p9_fs_done, r);
}

static void statfs_done(struct p9_req *r, const struct fs_result *res) {
    const struct fs_statfs *f = &res->statfs;
    struct p9_msg m = {.Rstatfs = {
                           .type = f->type,
                           .bsize = f->bsize,
                           .blocks = f->blocks,
                           .bfree = f->bfree,
                           .bavail = f->bavail,
                           .files = f->files,
                           .ffree = f->ffree,
                           .fsid = f->fsid,
                           .namelen = f->namelen,
                       }};
    p9_req_ok(r, &m);
}

void p9_do_Tstatfs(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    if (!p9_req_fid(r, r->m.Tstatfs.fid)) return;
    if (!r->node || !fs->ops->statfs) {
        p9_req_fail(r, r->node ? LX_EOPNOTSUPP : LX_EBADF);
        return;
    }
    p9_req_start(r, statfs_done);
    fs->ops->statfs(fs, r->node, p9_fs_done, r);
}

void p9_do_Tfsync(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    if (!p9_req_open_fid(r, r->m.Tfsync.fid)) return;
    if (!fs->ops->fsync) { // nothing is ever unwritten there
        p9_req_done(r);
        return;
    }
    p9_req_start(r, plain_done);
    fs->ops->fsync(fs, r->node, r->fid->handle, r->m.Tfsync.datasync != 0, p9_fs_done, r);
}

static void readlink_done(struct p9_req *r, const struct fs_result *res) {
    struct p9_msg m = {.Rreadlink.target = {(const char *)r->out, (u16)res->count}};
    u8 *target = r->out; // p9_req_ok would build the answer there
    r->out = NULL;
    p9_req_ok(r, &m);
    free(target);
}

void p9_do_Treadlink(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    if (!p9_req_fid(r, r->m.Treadlink.fid)) return;
    if (r->fid->mode != LX_S_IFLNK || !r->node || !fs->ops->readlink) {
        p9_req_fail(r, LX_EINVAL);
        return;
    }
    r->out = malloc(LX_PATH_MAX);
    if (!r->out) {
        p9_req_fail(r, LX_ENOMEM);
        return;
    }
    p9_req_start(r, readlink_done);
    fs->ops->readlink(fs, r->node, (char *)r->out, LX_PATH_MAX, p9_fs_done, r);
}

// --- locks ---

// The range and owner of Tlock and Tgetlock; an errno when they make no sense.
static int lock_args(const struct p9_req *r, u8 type, u64 start, u64 length, u32 proc,
                     struct p9_str client, struct p9_lock_range *range, struct p9_lock_owner *who) {
    bool to_end = !length || length - 1 > ~0ull - start;
    *range = (struct p9_lock_range){type, start, to_end ? ~0ull : start + length - 1};
    *who = (struct p9_lock_owner){client.p, client.len, proc, r->fid};
    return type > P9_LOCK_UN || client.len > P9_LOCK_MAX_CLIENT ? LX_EINVAL : 0;
}

void p9_do_Tlock(struct p9_req *r) {
    const struct p9_Tlock *t = &r->m.Tlock;
    struct p9_lock_range range;
    struct p9_lock_owner who;
    if (!p9_req_open_fid(r, t->fid)) return;
    int err = lock_args(r, t->type, t->start, t->length, t->proc_id, t->client_id, &range, &who);
    if (err) {
        p9_req_fail(r, err);
        return;
    }
    struct p9_msg m = {
        .Rlock.status = p9_locks_set(r->s->locks, r->fid->qid.path, range, who),
    };
    p9_req_ok(r, &m);
}

void p9_do_Tgetlock(struct p9_req *r) {
    const struct p9_Tgetlock *t = &r->m.Tgetlock;
    struct p9_lock_range range, held;
    struct p9_lock_owner who, holder;
    if (!p9_req_open_fid(r, t->fid)) return;
    int err = lock_args(r, t->type, t->start, t->length, t->proc_id, t->client_id, &range, &who);
    if (err) {
        p9_req_fail(r, err);
        return;
    }
    struct p9_msg m = {.Rgetlock = {P9_LOCK_UN, t->start, t->length, t->proc_id, t->client_id, 0}};
    if (p9_locks_test(r->s->locks, r->fid->qid.path, range, who, &held, &holder)) {
        m.Rgetlock.type = held.type;
        m.Rgetlock.start = held.start;
        m.Rgetlock.length = held.end == ~0ull ? 0 : held.end - held.start + 1;
        m.Rgetlock.proc_id = holder.proc;
        m.Rgetlock.client_id = (struct p9_str){holder.client, holder.client_len};
    }
    p9_req_ok(r, &m);
}
