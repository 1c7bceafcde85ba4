// 9P2000.L messages about names: making, linking, renaming and removing them.
//
// Depends on the session (session.h). Tremove and Trename name a fid but no directory: the fid
// remembers where it was found, and that is looked up again before anything is done, so a name that
// meanwhile means another file is left alone (ENOENT). Linux uses Tunlinkat and Trenameat.
#include <string.h>

#include "p9/session.h"

static void plain_done(struct p9_req *r, const struct fs_result *res) {
    (void)res;
    p9_req_done(r);
}

// Rmkdir, Rsymlink and Rmknod are one qid each; the new node is not kept.
static void made(struct p9_req *r, const struct fs_result *res) {
    struct p9_msg m = {.Rmkdir.qid = p9_qid_of(&res->attr)};
    if (r->m.type == P9_Tsymlink)
        m.Rsymlink.qid = p9_qid_of(&res->attr);
    else if (r->m.type == P9_Tmknod)
        m.Rmknod.qid = p9_qid_of(&res->attr);
    if (res->node) r->s->fs->ops->node_release(r->s->fs, res->node);
    p9_req_ok(r, &m);
}

// The directory in which `name` is to be changed; false: failed.
static bool dir_and_name(struct p9_req *r, u32 fid, struct p9_str name, bool supported) {
    if (!p9_req_fid(r, fid)) return false;
    int err = !r->node || r->fid->kind >= FID_XATTR_READ ? LX_EBADF
              : r->fid->mode != LX_S_IFDIR               ? LX_ENOTDIR
              : !supported                               ? LX_EROFS
                                                         : p9_check_name(name);
    if (err) p9_req_fail(r, err);
    return !err;
}

void p9_do_Tmkdir(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Tmkdir *t = &r->m.Tmkdir;
    if (!dir_and_name(r, t->dfid, t->name, fs->ops->mkdir)) return;
    struct fs_cred cred = {r->fid->uid, t->gid};
    p9_req_start(r, made);
    fs->ops->mkdir(fs, r->node, t->name.p, t->mode & LX_S_PERM, cred, p9_fs_done, r);
}

void p9_do_Tsymlink(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Tsymlink *t = &r->m.Tsymlink;
    if (!dir_and_name(r, t->fid, t->name, fs->ops->symlink)) return;
    int err = t->target.len >= LX_PATH_MAX                    ? LX_ENAMETOOLONG
              : !t->target.len                                ? LX_ENOENT
              : memchr(t->target.p, 0, t->target.len) != NULL ? LX_EINVAL
                                                              : 0;
    if (err) {
        p9_req_fail(r, err);
        return;
    }
    struct fs_cred cred = {r->fid->uid, t->gid};
    p9_req_start(r, made);
    fs->ops->symlink(fs, r->node, t->name.p, p9_cstr(t->target), cred, p9_fs_done, r);
}

// Linux's huge dev_t, as st_rdev carries it.
static u64 make_dev(u32 major, u32 minor) {
    return (u64)(minor & 0xff) | (u64)(major & 0xfff) << 8 | (u64)(minor & ~0xffu) << 12 |
           (u64)(major & ~0xfffu) << 32;
}

void p9_do_Tmknod(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Tmknod *t = &r->m.Tmknod;
    if (!dir_and_name(r, t->fid, t->name, fs->ops->mknod)) return;
    u32 type = t->mode & LX_S_IFMT;
    if (type == LX_S_IFDIR || type == LX_S_IFLNK) {
        p9_req_fail(r, type == LX_S_IFDIR ? LX_EPERM : LX_EINVAL);
        return;
    }
    struct fs_cred cred = {r->fid->uid, t->gid};
    p9_req_start(r, made);
    fs->ops->mknod(fs, r->node, t->name.p, t->mode, make_dev(t->major, t->minor), cred, p9_fs_done,
                   r);
}

void p9_do_Tlink(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Tlink *t = &r->m.Tlink;
    if (!dir_and_name(r, t->dfid, t->name, fs->ops->link) || !p9_req_dir2(r, t->fid)) return;
    if (r->fid2->mode == LX_S_IFDIR) {
        p9_req_fail(r, LX_EPERM);
        return;
    }
    p9_req_start(r, plain_done);
    fs->ops->link(fs, r->dir2, r->node, t->name.p, p9_fs_done, r);
}

// --- rename ---

static void renameat_done(struct p9_req *r, const struct fs_result *res) {
    (void)res;
    const struct p9_Trenameat *t = &r->m.Trenameat;
    p9_fids_renamed(r->s, r->fid->qid.path, t->name.p, r->dir2, r->fid2->qid.path, t->newname.p);
    p9_req_done(r);
}

void p9_do_Trenameat(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Trenameat *t = &r->m.Trenameat;
    if (!dir_and_name(r, t->dfid, t->name, fs->ops->rename) || !p9_req_dir2(r, t->newdfid) ||
        !p9_req_name(r, t->newname))
        return;
    if (r->fid2->mode != LX_S_IFDIR) {
        p9_req_fail(r, LX_ENOTDIR);
        return;
    }
    p9_req_start(r, renameat_done);
    fs->ops->rename(fs, r->node, t->name.p, r->dir2, t->newname.p, p9_fs_done, r);
}

// --- Tremove and Trename: by fid ---

// Looks up what the fid's remembered name means now; `found` sees errors.
static void look_again(struct p9_req *r, void (*found)(struct p9_req *, const struct fs_result *)) {
    struct fs *fs = r->s->fs;
    const struct p9_fid *f = r->fid;
    r->old_name = f->dir && f->name ? strdup(f->name) : NULL;
    if (!r->old_name) {
        p9_req_fail(r, f->dir ? LX_ENOMEM : LX_EBUSY); // the root of an attach has no name
        return;
    }
    fs->ops->node_ref(fs, f->dir);
    r->walk_dir = f->dir;
    r->walk_dir_ino = f->dir_ino;
    r->sees_errors = true;
    p9_req_start(r, found);
    fs->ops->lookup(fs, r->walk_dir, r->old_name, p9_fs_done, r);
}

// Is it still the fid's file? False: failed.
static bool still_there(struct p9_req *r, const struct fs_result *res) {
    r->sees_errors = false;
    if (!res->err) r->s->fs->ops->node_release(r->s->fs, res->node);
    if (!res->err && res->attr.ino == r->fid->qid.path) return true;
    p9_req_fail(r, LX_ENOENT);
    return false;
}

static void rename_done(struct p9_req *r, const struct fs_result *res) {
    (void)res;
    p9_fids_renamed(r->s, r->walk_dir_ino, r->old_name, r->dir2, r->fid2->qid.path,
                    r->m.Trename.name.p);
    p9_req_done(r);
}

static void rename_found(struct p9_req *r, const struct fs_result *res) {
    struct fs *fs = r->s->fs;
    if (!still_there(r, res)) return;
    p9_req_start(r, rename_done);
    fs->ops->rename(fs, r->walk_dir, r->old_name, r->dir2, r->m.Trename.name.p, p9_fs_done, r);
}

void p9_do_Trename(struct p9_req *r) {
    const struct p9_Trename *t = &r->m.Trename;
    if (!p9_req_fid(r, t->fid) || !p9_req_dir2(r, t->dfid) || !p9_req_name(r, t->name)) return;
    int err = r->fid->kind >= FID_XATTR_READ ? LX_EBADF
              : !r->s->fs->ops->rename       ? LX_EROFS
              : r->fid2->mode != LX_S_IFDIR  ? LX_ENOTDIR
                                             : 0;
    if (err)
        p9_req_fail(r, err);
    else
        look_again(r, rename_found);
}

static void remove_found(struct p9_req *r, const struct fs_result *res) {
    struct fs *fs = r->s->fs;
    if (!still_there(r, res)) return;
    p9_req_start(r, plain_done);
    fs->ops->unlink(fs, r->walk_dir, r->old_name, r->fid->mode == LX_S_IFDIR, p9_fs_done, r);
}

void p9_do_Tremove(struct p9_req *r) {
    if (!p9_req_fid(r, r->m.Tremove.fid)) return;
    p9_fid_unlist(r->fid); // gone even when removing fails
    int err = r->fid->kind >= FID_XATTR_READ ? LX_EBADF : !r->s->fs->ops->unlink ? LX_EROFS : 0;
    if (err)
        p9_req_fail(r, err);
    else
        look_again(r, remove_found);
}

void p9_do_Tunlinkat(struct p9_req *r) {
    enum { REMOVEDIR = 0x200 };
    struct fs *fs = r->s->fs;
    const struct p9_Tunlinkat *t = &r->m.Tunlinkat;
    if (!dir_and_name(r, t->dfid, t->name, fs->ops->unlink)) return;
    if (t->flags & ~(u32)REMOVEDIR) {
        p9_req_fail(r, LX_EINVAL);
        return;
    }
    p9_req_start(r, plain_done);
    fs->ops->unlink(fs, r->node, t->name.p, t->flags & REMOVEDIR, p9_fs_done, r);
}
