// Operations of the remote back end that make, move and remove names.
//
// Depends on base and remote.h. What is checked here is checked on fresh knowledge, because the
// host would not refuse: createDirectory on an existing directory succeeds, rename and delete may
// take a directory's content with them. Emptiness is always asked for anew. A new file is written
// when its first content is (or shortly after): creating it and renaming it over another within
// that time reaches the host as one WRITE. A file that the host has already in part is written out
// before it is renamed over another, so that the host never holds half a file under the final name.
// Hard links: EPERM, as on a file system without them.
#include <stdlib.h>
#include <string.h>

#include "p9/remote.h"

// The host does not know of it, and is not about to.
static bool unknown_to_host(const struct fs_node *n) {
    return n->local || (n->not_remote && !n->write_job);
}

static void dir_changed(struct remote *r, struct fs_node *dir) {
    dir->stat_event = ++r->seq;
    dir->version++;
    dir->mtime_set = true;
    dir->mtime_ns = dir->ctime_ns = remote_now(r);
}

// A new node in o->n with the creator's mode and ids.
static struct fs_node *make(struct op *o, u32 kind) {
    struct remote *r = o->r;
    struct fs_node *n = node_new(r, o->n, o->name, kind);
    if (!n) return NULL;
    n->born = ++r->seq;
    n->mode_set = n->uid_set = n->gid_set = n->mtime_set = true;
    n->mode = o->mode & LX_S_PERM;
    n->uid = o->cred.uid;
    n->gid = o->cred.gid;
    n->mtime_ns = n->ctime_ns;
    dir_changed(r, o->n);
    return n;
}

// --- create ---

// A file that the host does not have yet; data_changed will have it written.
static struct fs_node *make_file(struct op *o) {
    int err;
    struct fs_node *n = make(o, LX_S_IFREG);
    if (!n) return NULL;
    n->not_remote = true;
    data_resize(o->r, n, 0, &err); // nothing to allocate
    data_changed(o->r, n);
    return n;
}

static void create_step(struct op *o, int err) {
    struct fs_node *n;
    void *handle;
    if (op_failed(o, err) || !op_need_child(o, o->n, o->name, &n)) return;
    if (n) {
        if (o->flags & LX_O_EXCL)
            op_fail(o, LX_EEXIST);
        else if (n->kind == LX_S_IFDIR)
            op_fail(o, LX_EISDIR);
        else if (op_open(o, n, &handle))
            op_node(o, n, handle);
        return;
    }
    n = make_file(o);
    handle = n ? remote_handle(n) : NULL;
    if (handle)
        op_node(o, n, handle);
    else
        op_fail(o, n ? LX_ENOMEM : LX_ENOSPC);
}

static struct op *make_op(struct fs *fs, struct fs_node *dir, const char *name,
                          void (*step)(struct op *, int), u32 mode, struct fs_cred cred,
                          fs_done done, void *arg) {
    struct op *o = op_new(fs, dir, name, step, done, arg);
    if (!o) return NULL;
    o->mode = mode;
    o->cred = cred;
    if (!o->r->set.readonly) return o;
    op_fail(o, LX_EROFS);
    return NULL;
}

void remote_do_create(struct fs *fs, struct fs_node *dir, const char *name, u32 flags, u32 mode,
                      struct fs_cred cred, fs_done done, void *arg) {
    struct op *o = make_op(fs, dir, name, create_step, mode, cred, done, arg);
    if (!o) return;
    o->flags = flags;
    op_run(o);
}

// --- mkdir ---

static void mkdir_sent(struct op *o, int err) {
    struct remote *r = o->r;
    if (err || o->n->detached) {
        o->n->list_event = ++r->seq;
        op_fail(o, err ? err : LX_ENOENT);
        return;
    }
    struct fs_node *n = node_child(r, o->n, o->name);
    if (n && n->kind != LX_S_IFDIR) { // something took the name here meanwhile
        op_fail(o, LX_EEXIST);
        return;
    }
    if (!n) n = make(o, LX_S_IFDIR);
    if (!n) {
        op_fail(o, LX_ENOSPC);
        return;
    }
    n->list_known = true; // it is new, so empty
    n->list_seq = n->born = ++r->seq;
    n->list_ns = remote_now(r);
    n->stat_known = false;
    n->own_write = true;
    op_node(o, n, NULL);
}

static void mkdir_step(struct op *o, int err) {
    struct fs_node *n;
    if (o->sent) {
        mkdir_sent(o, err);
        return;
    }
    if (op_failed(o, err) || !op_need_child(o, o->n, o->name, &n)) return;
    if (n) {
        op_fail(o, LX_EEXIST);
        return;
    }
    o->sent = true;
    op_send(o, REMOTE_MKDIR, o->n, o->n, o->name);
}

void remote_do_mkdir(struct fs *fs, struct fs_node *dir, const char *name, u32 mode,
                     struct fs_cred cred, fs_done done, void *arg) {
    struct op *o = make_op(fs, dir, name, mkdir_step, mode, cred, done, arg);
    if (o) op_run(o);
}

// --- what only exists here: symlinks, FIFOs, sockets, devices ---

static void local_step(struct op *o, int err) {
    struct fs_node *n;
    u32 kind = o->mode & LX_S_IFMT;
    if (op_failed(o, err) || !op_need_child(o, o->n, o->name, &n)) return;
    if (n) {
        op_fail(o, LX_EEXIST);
        return;
    }
    n = kind == LX_S_IFREG ? make_file(o) : make(o, kind);
    if (!n) {
        op_fail(o, LX_ENOSPC);
        return;
    }
    n->local = kind != LX_S_IFREG;
    n->target = o->name2;
    o->name2 = NULL;
    n->rdev = o->rdev;
    op_node(o, n, NULL);
}

void remote_do_symlink(struct fs *fs, struct fs_node *dir, const char *name, const char *target,
                       struct fs_cred cred, fs_done done, void *arg) {
    struct op *o = make_op(fs, dir, name, local_step, LX_S_IFLNK | 0777, cred, done, arg);
    if (!o) return;
    o->name2 = strdup(target);
    if (o->name2)
        op_run(o);
    else
        op_fail(o, LX_ENOMEM);
}

void remote_do_mknod(struct fs *fs, struct fs_node *dir, const char *name, u32 mode, u64 rdev,
                     struct fs_cred cred, fs_done done, void *arg) {
    u32 kind = mode & LX_S_IFMT;
    struct op *o =
        make_op(fs, dir, name, local_step, (kind ? 0 : LX_S_IFREG) | mode, cred, done, arg);
    if (!o) return;
    o->rdev = rdev;
    op_run(o);
}

void remote_do_link(struct fs *fs, struct fs_node *n, struct fs_node *dir, const char *name,
                    fs_done done, void *arg) {
    (void)fs, (void)n, (void)dir, (void)name;
    struct fs_result res = {.err = LX_EPERM};
    done(arg, &res);
}

// --- unlink ---

// Somebody has the file open, and its content is about to leave the host: reads it first. A content
// that cannot be had does not keep the file from being removed.
static bool save_for_openers(struct op *o, struct fs_node *n) {
    if (o->saved || n->kind != LX_S_IFREG || !n->opens || n->loaded || unknown_to_host(n) ||
        n->token.size > o->r->set.max_file)
        return true;
    o->saved = true;
    return op_send(o, REMOTE_READ, n, NULL, NULL);
}

// Nothing is in the directory, at the host nor here. False: waits or has failed.
static bool need_empty(struct op *o, struct fs_node *dir) {
    if (!op_need_list(o, dir, true)) return false;
    if (dir->child) op_fail(o, LX_ENOTEMPTY);
    return !dir->child;
}

static void unlink_step(struct op *o, int err) {
    struct fs_node *n;
    if (o->sent) {
        dir_changed(o->r, o->n);
        op_fail(o, err);
        return;
    }
    if (op_failed(o, err) || !op_need_child(o, o->n, o->name, &n)) return;
    bool dir = n && n->kind == LX_S_IFDIR, dir_wanted = o->flags;
    err = !n ? LX_ENOENT : dir && !dir_wanted ? LX_EISDIR : !dir && dir_wanted ? LX_ENOTDIR : 0;
    if (err) {
        op_fail(o, err);
        return;
    }
    if ((dir && !need_empty(o, n)) || !save_for_openers(o, n)) return;
    if (unknown_to_host(n)) {
        node_detach(o->r, n);
        dir_changed(o->r, o->n);
        op_ok(o);
        return;
    }
    o->sent = true;
    op_send(o, REMOTE_DELETE, n, NULL, NULL);
}

void remote_do_unlink(struct fs *fs, struct fs_node *dir, const char *name, bool dir_wanted,
                      fs_done done, void *arg) {
    struct fs_cred nobody = {0, 0};
    struct op *o = make_op(fs, dir, name, unlink_step, 0, nobody, done, arg);
    if (!o) return;
    o->flags = dir_wanted;
    op_run(o);
}

// --- rename ---

// Why `src` may not take the place of `dst` (NULL: free) in o->n2; 0: it may.
static int rename_refusal(const struct op *o, const struct fs_node *src,
                          const struct fs_node *dst) {
    bool dir = src->kind == LX_S_IFDIR;
    if (dir && node_below(o->n2, src)) return LX_EINVAL;
    if (!dst) return 0;
    bool over_dir = dst->kind == LX_S_IFDIR;
    return dir && !over_dir ? LX_ENOTDIR : !dir && over_dir ? LX_EISDIR : 0;
}

// The host does not know of `src`: only the tree changes, and what is written later goes to the new
// name.
static void rename_here(struct op *o, struct fs_node *src, struct fs_node *dst) {
    struct remote *r = o->r;
    if (dst) {
        src->not_remote = src->not_remote && unknown_to_host(dst);
        node_detach(r, dst);
    }
    if (!node_move(r, src, o->n2, o->name2)) {
        op_fail(o, LX_ENOMEM);
        return;
    }
    src->born = ++r->seq;
    if (src->dirty) data_due(r, src, REMOTE_CLOSE_MS);
    dir_changed(r, o->n);
    dir_changed(r, o->n2);
    op_ok(o);
}

static void rename_step(struct op *o, int err) {
    struct fs_node *src, *dst;
    if (o->sent) {
        dir_changed(o->r, o->n);
        dir_changed(o->r, o->n2);
        op_fail(o, err);
        return;
    }
    if (op_failed(o, err) || !op_need_child(o, o->n, o->name, &src)) return;
    if (!src) {
        op_fail(o, LX_ENOENT);
        return;
    }
    if (!op_need_child(o, o->n2, o->name2, &dst)) return;
    err = src == dst ? 0 : rename_refusal(o, src, dst);
    if (src == dst || err) {
        op_fail(o, err);
        return;
    }
    if (dst && ((dst->kind == LX_S_IFDIR && !need_empty(o, dst)) || !save_for_openers(o, dst)))
        return;
    // The host's rename replaces files only; a link of ours replaces nothing there.
    bool in_the_way = dst && !unknown_to_host(dst) && (src->local || dst->kind == LX_S_IFDIR);
    if (in_the_way) {
        op_send(o, REMOTE_DELETE, dst, NULL, NULL);
    } else if (unknown_to_host(src)) {
        rename_here(o, src, dst);
    } else if ((src->dirty || src->write_job) && o->flushes < 4) {
        o->flushes++;
        op_send(o, REMOTE_WRITE, src, NULL, NULL);
    } else {
        o->sent = true;
        op_send(o, REMOTE_RENAME, src, o->n2, o->name2);
    }
}

void remote_do_rename(struct fs *fs, struct fs_node *from_dir, const char *from,
                      struct fs_node *to_dir, const char *to, fs_done done, void *arg) {
    struct fs_cred nobody = {0, 0};
    struct op *o = make_op(fs, from_dir, from, rename_step, 0, nobody, done, arg);
    if (!o) return;
    node_get(to_dir);
    o->n2 = to_dir;
    o->name2 = strdup(to);
    if (o->name2)
        op_run(o);
    else
        op_fail(o, LX_ENOMEM);
}
