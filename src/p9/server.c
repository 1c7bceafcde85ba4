// The 9P2000.L server: life of a request, session start, flush, walk and clunk. What single
// messages do to files is in server_file.c, to names in server_name.c, to extended attributes in
// server_xattr.c.
//
// Depends on base and fs.h. No I/O, no clock. Invariants:
// - each submitted message is answered exactly once, unless the server is destroyed first;
// - Rflush comes after the answer of what it flushes. An operation that only reads is answered with
//   EINTR at once and its result dropped when it comes; one that changes something is waited for,
//   as the client must learn what happened;
// - an operation of the back end holds its own references to nodes and fids, so the guest may
// clunk,
//   rename or reset meanwhile.
// After p9_server_destroy the struct lives on, dead, until the back end returned every operation.
// Rejected: answering a flushed request not at all (a virtio buffer must come back to the guest).
#include "p9/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "p9/session.h"

static void (*const handlers[256])(struct p9_req *r) = {
#define H(type) [P9_##type] = p9_do_##type,
    P9_HANDLERS(H)
#undef H
};

// May be answered EINTR when flushed.
static bool only_reads(u8 type) {
    switch (type) {
    case P9_Tattach:
    case P9_Twalk:
    case P9_Tread:
    case P9_Treaddir:
    case P9_Tgetattr:
    case P9_Treadlink:
    case P9_Tstatfs:
    case P9_Txattrwalk:
        return true;
    default:
        return false;
    }
}

struct p9_server *p9_server_create(struct fs *fs, u32 max_msize, const struct log *log) {
    struct p9_server *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->fs = fs;
    s->log = log;
    s->max_msize = max_msize < P9_MIN_MSIZE ? P9_MIN_MSIZE : max_msize;
    s->msize = s->max_msize;
    s->locks = p9_locks_create();
    if (!s->locks) {
        free(s);
        return NULL;
    }
    return s;
}

static void server_free(struct p9_server *s) {
    p9_locks_destroy(s->locks);
    free(s);
}

unsigned p9_server_pending(const struct p9_server *s) { return s->npending; }

// --- requests ---

static void req_free(struct p9_req *r) {
    struct p9_server *s = r->s;
    *r->link = r->next;
    if (r->next) r->next->link = r->link;
    s->nreqs--;
    if (r->node) s->fs->ops->node_release(s->fs, r->node);
    if (r->dir2) s->fs->ops->node_release(s->fs, r->dir2);
    if (r->walk_dir) s->fs->ops->node_release(s->fs, r->walk_dir);
    p9_fid_put(r->fid);
    p9_fid_put(r->fid2);
    free(r->old_name);
    free(r->out);
    free(r);
    if (s->dead && !s->nreqs) server_free(s);
}

void p9_server_destroy(struct p9_server *s) {
    if (!s) return;
    s->dead = true;
    s->npending = 0;
    s->nreqs++; // keeps the struct while requests are freed below
    p9_fids_clear(s);
    for (struct p9_req *r = s->reqs; r; r = r->next) r->flushers = NULL;
    for (struct p9_req *r = s->reqs, *next; r; r = next) {
        next = r->next;
        if (!r->answered && !r->in_fs) // a Tflush or Tversion that waits
            req_free(r);
    }
    if (!--s->nreqs) server_free(s);
}

static void version_finish(struct p9_req *r);

// Sends the answer; the request ends now, or when its operation comes back.
static void respond(struct p9_req *r, const u8 *bytes, size_t len) {
    struct p9_server *s = r->s;
    assert(!r->answered && "a request is answered once");
    r->answered = true;
    if (!s->dead) {
        s->npending--;
        r->reply(r->arg, bytes, len);
    }
    while (r->flushers) {
        struct p9_req *f = r->flushers;
        r->flushers = f->next_flusher;
        p9_req_done(f);
    }
    struct p9_req *v = s->version_req;
    if (v && v != r && s->npending == 1 && !s->dead) version_finish(v);
    if (!r->in_fs) req_free(r);
}

void p9_req_ok(struct p9_req *r, struct p9_msg *m) {
    u8 small[P9_HEADER + 2 + LX_PATH_MAX + 64];
    m->type = (u8)(r->m.type + 1);
    m->tag = r->m.tag;
    u8 *out = r->out ? r->out : small;
    size_t len = p9_pack(m, out, r->out ? r->out_cap : sizeof small);
    if (!len || len > r->max_reply || len > r->s->msize)
        p9_req_fail(r, LX_EMSGSIZE);
    else
        respond(r, out, len);
}

void p9_req_done(struct p9_req *r) {
    struct p9_msg m = {0};
    p9_req_ok(r, &m);
}

void p9_req_fail(struct p9_req *r, int err) {
    u8 out[P9_HEADER + 4];
    struct p9_msg m = {.type = P9_Rlerror, .tag = r->m.tag, .Rlerror.ecode = (u32)err};
    size_t len = p9_pack(&m, out, sizeof out);
    // A transport that has no room even for an error gets an empty answer and takes its buffer
    // back.
    respond(r, out, len <= r->max_reply ? len : 0);
}

void p9_req_start(struct p9_req *r, void (*done)(struct p9_req *, const struct fs_result *)) {
    r->in_fs = true;
    r->done = done;
}

static void drop_result(struct p9_req *r, const struct fs_result *res) {
    struct fs *fs = r->s->fs;
    if (res->err) return;
    bool opened = r->m.type == P9_Tlopen || r->m.type == P9_Tlcreate;
    if (opened && fs->ops->close) fs->ops->close(fs, res->node ? res->node : r->node, res->handle);
    if (res->node) fs->ops->node_release(fs, res->node);
}

void p9_fs_done(void *arg, const struct fs_result *res) {
    struct p9_req *r = arg;
    assert(r->in_fs && "the back end reports once");
    r->in_fs = false;
    if (r->answered || r->s->dead) {
        drop_result(r, res);
        req_free(r);
    } else if (res->err && !r->sees_errors) {
        p9_req_fail(r, res->err);
    } else {
        r->done(r, res);
    }
}

static struct p9_req *req_find(struct p9_server *s, u16 tag, const struct p9_req *but) {
    for (struct p9_req *r = s->reqs; r; r = r->next)
        if (r != but && !r->answered && r->m.tag == tag) return r;
    return NULL;
}

// Why a well-formed request cannot even begin, or 0.
static int refusal(struct p9_server *s, const struct p9_req *r, enum p9_codec_result got) {
    if (got == P9_UNKNOWN_TYPE || (got == P9_OK && !handlers[r->m.type])) return LX_EOPNOTSUPP;
    if (got != P9_OK) return LX_EPROTO;
    if (r->m.type != P9_Tversion && (!s->versioned || s->version_req)) return LX_EPROTO;
    if (s->npending > P9_MAX_REQUESTS || s->nreqs > 2 * P9_MAX_REQUESTS) return LX_EAGAIN;
    return req_find(s, r->m.tag, r) ? LX_EPROTO : 0;
}

void p9_server_submit(struct p9_server *s, const u8 *msg, size_t len, size_t max_reply,
                      p9_reply reply, void *arg) {
    bool too_long = len > s->msize;
    size_t keep = too_long ? P9_HEADER : len;
    struct p9_req *r = malloc(sizeof *r + keep + 1);
    if (!r) {
        reply(arg, NULL, 0);
        return;
    }
    *r = (struct p9_req){
        .s = s,
        .max_reply = max_reply,
        .reply = reply,
        .arg = arg,
        .link = &s->reqs,
        .next = s->reqs,
    };
    if (keep) memcpy(r->bytes, msg, keep);
    if (r->next) r->next->link = &r->next;
    s->reqs = r;
    s->nreqs++;
    s->npending++;
    enum p9_codec_result got = p9_unpack(&r->m, r->bytes, keep);
    if (got == P9_BAD_HEADER && !too_long) r->m.tag = P9_NOTAG;
    int err = too_long ? LX_EMSGSIZE : refusal(s, r, got);
    if (err) {
        log_write(s->log, LOG_DEBUG, "9p: refused %s of %zu bytes with errno %d",
                  p9_type_name(r->m.type), len, err);
        p9_req_fail(r, err);
        return;
    }
    handlers[r->m.type](r);
}

// --- what handlers share ---

bool p9_req_fid(struct p9_req *r, u32 id) {
    struct p9_server *s = r->s;
    struct p9_fid *f = p9_fid_find(s, id);
    if (!f) {
        p9_req_fail(r, LX_EBADF);
        return false;
    }
    r->fid = p9_fid_ref(f);
    if (f->node) {
        s->fs->ops->node_ref(s->fs, f->node);
        r->node = f->node;
    }
    return true;
}

bool p9_req_open_fid(struct p9_req *r, u32 id) {
    if (!p9_req_fid(r, id)) return false;
    if (r->fid->kind == FID_OPEN) return true;
    p9_req_fail(r, LX_EBADF);
    return false;
}

bool p9_req_dir2(struct p9_req *r, u32 id) {
    struct p9_server *s = r->s;
    struct p9_fid *f = p9_fid_find(s, id);
    if (!f || !f->node || f->kind >= FID_XATTR_READ) {
        p9_req_fail(r, LX_EBADF);
        return false;
    }
    r->fid2 = p9_fid_ref(f);
    s->fs->ops->node_ref(s->fs, f->node);
    r->dir2 = f->node;
    return true;
}

char *p9_cstr(struct p9_str s) {
    char *p = (char *)(uintptr_t)s.p; // into p9_req.bytes, which is ours
    p[s.len] = 0;
    return p;
}

int p9_check_name(struct p9_str name) {
    if (name.len > LX_NAME_MAX) return LX_ENAMETOOLONG;
    if (!name.len || memchr(name.p, 0, name.len) || memchr(name.p, '/', name.len)) return LX_EINVAL;
    if (name.p[0] == '.' && (name.len == 1 || (name.len == 2 && name.p[1] == '.')))
        return LX_EINVAL;
    p9_cstr(name);
    return 0;
}

bool p9_req_name(struct p9_req *r, struct p9_str name) {
    int err = p9_check_name(name);
    if (err) p9_req_fail(r, err);
    return !err;
}

struct p9_qid p9_qid_of(const struct fs_attr *a) {
    u32 type = a->mode & LX_S_IFMT;
    return (struct p9_qid){
        .type = type == LX_S_IFDIR   ? P9_QT_DIR
                : type == LX_S_IFLNK ? P9_QT_SYMLINK
                                     : P9_QT_FILE,
        .version = a->version,
        .path = a->ino,
    };
}

// --- the session: version, auth, attach, flush ---

static void version_finish(struct p9_req *r) {
    struct p9_server *s = r->s;
    struct p9_str v = r->m.Tversion.version;
    bool known = v.len == 8 && !memcmp(v.p, "9P2000.L", 8);
    u32 msize = r->m.Tversion.msize;
    s->version_req = NULL;
    p9_fids_clear(s);
    s->versioned = known && msize >= P9_MIN_MSIZE;
    s->msize = msize < s->max_msize ? msize : s->max_msize;
    if (!s->versioned) s->msize = s->max_msize;
    struct p9_msg m = {.Rversion = {.msize = s->msize}};
    m.Rversion.version =
        s->versioned ? (struct p9_str){"9P2000.L", 8} : (struct p9_str){"unknown", 7};
    p9_req_ok(r, &m);
}

void p9_do_Tversion(struct p9_req *r) {
    struct p9_server *s = r->s;
    if (s->version_req) {
        p9_req_fail(r, LX_EPROTO);
        return;
    }
    s->version_req = r;
    for (struct p9_req *o = s->reqs, *next; o; o = next) {
        next = o->next; // failing one that reads ends only that one: it is still in the back end
        if (o != r && !o->answered && o->in_fs && only_reads(o->m.type)) p9_req_fail(o, LX_EINTR);
        if (s->version_req != r) return;
    }
    if (s->npending == 1) version_finish(r);
}

void p9_do_Tauth(struct p9_req *r) { p9_req_fail(r, LX_EOPNOTSUPP); }

static void attach_done(struct p9_req *r, const struct fs_result *res) {
    int err;
    struct p9_fid *f = p9_fid_new(r->s, r->m.Tattach.fid, &err);
    if (!f) {
        p9_req_fail(r, err);
        return;
    }
    f->uid = r->m.Tattach.uid == ~0u ? 0 : r->m.Tattach.uid;
    struct p9_msg m = {.Rattach.qid = p9_qid_of(&res->attr)};
    p9_fid_place(f, r->node, m.Rattach.qid, res->attr.mode, NULL, 0, NULL);
    r->node = NULL;
    p9_fid_put(f);
    p9_req_ok(r, &m);
}

void p9_do_Tattach(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    if (r->m.Tattach.afid != P9_NOFID || p9_fid_find(r->s, r->m.Tattach.fid)) {
        p9_req_fail(r, LX_EBADF);
        return;
    }
    r->node = fs->ops->root(fs);
    if (!r->node) {
        p9_req_fail(r, LX_ENOMEM);
        return;
    }
    p9_req_start(r, attach_done);
    fs->ops->getattr(fs, r->node, p9_fs_done, r);
}

void p9_do_Tflush(struct p9_req *r) {
    struct p9_req *old = req_find(r->s, r->m.Tflush.oldtag, r);
    if (!old) {
        p9_req_done(r);
    } else if (old->in_fs && only_reads(old->m.type)) {
        old->flushers = r;
        p9_req_fail(old, LX_EINTR);
    } else {
        struct p9_req **at = &old->flushers;
        while (*at) at = &(*at)->next_flusher;
        *at = r;
    }
}

// --- walk and clunk ---

// The new fid stands where the walk ended: at r->node, found in r->walk_dir as the last name.
static int walk_place(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    struct p9_fid *from = r->fid, *to;
    u16 n = r->m.Twalk.names.n;
    int err = 0;
    if (r->m.Twalk.newfid == r->m.Twalk.fid) {
        if (!n) return 0;
        if (from->kind != FID_WALKED || !from->listed) return LX_EBADF;
        to = p9_fid_ref(from);
    } else {
        to = p9_fid_new(r->s, r->m.Twalk.newfid, &err);
        if (!to) return err;
        to->uid = from->uid;
    }
    struct fs_node *dir = n ? r->walk_dir : from->dir;
    u64 dir_ino = n ? r->walk_dir_ino : from->dir_ino;
    const char *name = !n ? from->name : dir ? r->m.Twalk.names.s[n - 1].p : NULL;
    if (dir) fs->ops->node_ref(fs, dir);
    fs->ops->node_ref(fs, r->node);
    p9_fid_place(to, r->node, n ? r->qids.q[n - 1] : from->qid, n ? r->mode : from->mode, dir,
                 dir_ino, name);
    p9_fid_put(to);
    return 0;
}

static void walk_next(struct p9_req *r);

static void walk_reply(struct p9_req *r) {
    struct p9_msg m = {.Rwalk.qids = r->qids};
    p9_req_ok(r, &m);
}

static void walk_done(struct p9_req *r, const struct fs_result *res) {
    struct fs *fs = r->s->fs;
    if (res->err) {
        // Only a failure of the first step is an error; a later one is a shorter answer.
        if (r->qids.n)
            walk_reply(r);
        else
            p9_req_fail(r, res->err);
        return;
    }
    u64 here = r->qids.n ? r->qids.q[r->qids.n - 1].path : r->fid->qid.path;
    bool up =
        r->m.Twalk.names.s[r->qids.n].p[0] == '.' && !strcmp(r->m.Twalk.names.s[r->qids.n].p, "..");
    if (r->walk_dir) fs->ops->node_release(fs, r->walk_dir);
    r->walk_dir = r->node;
    r->walk_dir_ino = here;
    r->node = res->node;
    if (up) {
        fs->ops->node_release(fs, r->walk_dir);
        r->walk_dir = NULL;
    }
    r->mode = res->attr.mode;
    r->qids.q[r->qids.n++] = p9_qid_of(&res->attr);
    walk_next(r);
}

static void walk_next(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_names *names = &r->m.Twalk.names;
    if (r->qids.n == names->n) {
        int err = walk_place(r);
        if (err)
            p9_req_fail(r, err);
        else
            walk_reply(r);
        return;
    }
    const char *name = names->s[r->qids.n].p;
    r->sees_errors = true;
    p9_req_start(r, walk_done);
    if (!strcmp(name, ".."))
        fs->ops->parent(fs, r->node, p9_fs_done, r);
    else
        fs->ops->lookup(fs, r->node, name, p9_fs_done, r);
}

void p9_do_Twalk(struct p9_req *r) {
    const struct p9_names *names = &r->m.Twalk.names;
    if (!p9_req_fid(r, r->m.Twalk.fid)) return;
    bool taken = r->m.Twalk.newfid != r->m.Twalk.fid && p9_fid_find(r->s, r->m.Twalk.newfid);
    if (taken || r->fid->kind >= FID_XATTR_READ) {
        p9_req_fail(r, LX_EBADF);
        return;
    }
    for (unsigned i = 0; i < names->n; i++) {
        bool up = names->s[i].len == 2 && !memcmp(names->s[i].p, "..", 2);
        int err = up ? 0 : p9_check_name(names->s[i]);
        if (err) {
            p9_req_fail(r, err == LX_EINVAL ? LX_ENOENT : err);
            return;
        }
        p9_cstr(names->s[i]);
    }
    walk_next(r);
}

void p9_do_Tclunk(struct p9_req *r) {
    if (!p9_req_fid(r, r->m.Tclunk.fid)) return;
    p9_fid_unlist(r->fid);
    if (r->fid->kind == FID_XATTR_WRITE) {
        p9_xattr_clunk(r);
        return;
    }
    // Closed before the answer, so that what the guest does next finds it closed.
    p9_fid_put(r->fid);
    r->fid = NULL;
    p9_req_done(r);
}
