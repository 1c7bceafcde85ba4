// Requests to the host: their order, and what their answers change in the tree.
//
// Depends on base and remote.h. Order: jobs begin first come, first served, many at a time; but
// DELETE and RENAME, which change what paths mean, run alone: nothing else is under way and nothing
// overtakes them. Paths are made when a job begins, from where its node is then. So each path the
// host sees means what we think it means, and two WRITEs of one file never meet (a node has one
// write_job).
//
// What an answer says of a file counts only if the guest has not changed that file meanwhile
// (node_ours): our version is the newer one. An answer that differs from what was known is the
// editor's change: version and times move, content is forgotten.
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "p9/remote.h"

// --- the queue ---

static struct job **slot_of(struct fs_node *n, enum remote_op op) {
    return op == REMOTE_STAT      ? &n->stat_job
           : op == REMOTE_READDIR ? &n->list_job
           : op == REMOTE_READ    ? &n->read_job
           : op == REMOTE_WRITE   ? &n->write_job
                                  : NULL;
}

static bool is_exclusive(const struct job *j) {
    return j->op == REMOTE_DELETE || j->op == REMOTE_RENAME;
}

struct job *job_start(struct remote *r, enum remote_op op, struct fs_node *n, struct fs_node *dir,
                      const char *name) {
    struct job **slot = slot_of(n, op);
    if (slot && *slot) return *slot;
    struct job *j = calloc(1, sizeof *j);
    if (!j || (name && !(j->name = strdup(name)))) {
        free(j);
        return NULL;
    }
    j->op = op;
    j->n = n;
    node_get(n);
    j->dir = dir;
    if (dir) node_get(dir);
    j->last_waiter = &j->waiters;
    if (slot) *slot = j;
    *r->queue_end = j;
    r->queue_end = &j->next;
    return j;
}

void job_wait(struct job *j, struct op *o) {
    o->next_waiter = NULL;
    *j->last_waiter = o;
    j->last_waiter = &o->next_waiter;
}

static void job_free(struct remote *r, struct job *j) {
    node_put(r, j->n);
    node_put(r, j->dir);
    free(j->name);
    free(j);
}

void jobs_drop(struct remote *r) {
    struct job *lists[2] = {r->queue, r->flying};
    for (unsigned i = 0; i < 2; i++)
        for (struct job *j = lists[i], *next; j; j = next) {
            next = j->next;
            struct job **slot = slot_of(j->n, j->op);
            if (slot) *slot = NULL;
            job_free(r, j);
        }
    r->queue = r->flying = NULL;
    r->queue_end = &r->queue;
}

// --- answers: one file ---

// A file that the host no longer has. What the guest changed stays and will be written anew.
static void vanished(struct remote *r, struct fs_node *n) {
    if (n == r->root || n->local || n->detached) return;
    if (node_ours(n)) {
        n->not_remote = n->dirty && !n->write_job;
        return;
    }
    for (struct fs_node *d = n->kind == LX_S_IFDIR ? r->dirty : NULL; d; d = d->dirty_next)
        if (node_below(d, n))
            log_write(r->set.log, LOG_WARN,
                      "workspace directory %s was removed outside; what the container changed in "
                      "%s and had not written yet is lost",
                      n->name, d->name);
    node_detach(r, n);
}

static u32 kind_of(u32 type) { return type & REMOTE_DIR ? LX_S_IFDIR : LX_S_IFREG; }

static void changed_outside(struct remote *r, struct fs_node *n) {
    n->version++;
    n->mtime_set = n->atime_set = false;
    node_touch(r, n);
    if (n->kind == LX_S_IFREG && !n->mode_set) data_guess(n);
}

static void learn_token(struct remote *r, struct fs_node *n, struct token t) {
    bool same = n->token.size == t.size && n->token.mtime_ms == t.mtime_ms;
    bool ours = n->own_write && (n->kind != LX_S_IFREG || n->own_size == t.size);
    n->own_write = false;
    if (ours)
        n->data_token = t;
    else if (n->stat_known && !same)
        changed_outside(r, n);
    n->token = t;
    bool content = n->data_token.size == t.size && n->data_token.mtime_ms == t.mtime_ms;
    if (n->loaded && !content) data_drop(r, n);
    if (!n->stat_known && !n->mtime_set) n->ctime_ns = t.mtime_ms * 1000000u;
}

static int stat_done(struct remote *r, struct job *j, int err, const u8 *p, size_t len) {
    struct fs_node *n = j->n;
    if (err == LX_ENOENT) vanished(r, n);
    if (err) return err;
    if (len < REMOTE_STAT_LEN) return LX_EIO;
    u32 type = get_le32(p);
    n->readonly = get_le32(p + 4) & REMOTE_READONLY;
    if (node_ours(n)) return 0;
    if (kind_of(type) != n->kind) { // another thing of the same name
        if (n == r->root) return LX_ENOTDIR;
        if (n->parent) n->parent->list_event = ++r->seq;
        node_detach(r, n);
        return 0;
    }
    learn_token(r, n, (struct token){get_le64(p + 8), get_le64(p + 16)});
    n->stat_known = true;
    n->stat_seq = j->seq;
    n->stat_ns = remote_now(r);
    return 0;
}

static int read_done(struct remote *r, struct job *j, int err, const u8 *p, size_t len) {
    struct fs_node *n = j->n;
    if (err == LX_ENOENT) vanished(r, n);
    if (err || (n->loaded && node_ours(n))) return err;
    err = data_adopt(r, n, p, len, j->token);
    if (!err && len != j->token.size) // it is changing: look once more before believing it
        n->stat_event = ++r->seq;
    return err;
}

// --- answers: directories ---

struct entry {
    u8 type;
    size_t len;
    const char *name;
};

static bool next_entry(struct rd *in, struct entry *e) {
    e->type = rd_u8(in);
    e->len = rd_le16(in);
    e->name = (const char *)rd_bytes(in, e->len);
    return !in->bad;
}

static bool legal_name(const struct entry *e) {
    bool dots = e->len && e->len <= 2 && e->name[0] == '.' && e->name[e->len - 1] == '.';
    return e->len && e->len <= LX_NAME_MAX && !dots && !memchr(e->name, '/', e->len) &&
           !memchr(e->name, 0, e->len);
}

// Brings one entry of a listing into the tree and marks it as seen.
static bool entry_seen(struct remote *r, struct fs_node *dir, const struct entry *e, u64 seq) {
    char name[LX_NAME_MAX + 1];
    memcpy(name, e->name, e->len);
    name[e->len] = 0;
    struct fs_node *n = node_child(r, dir, name);
    bool other = n && n->kind != kind_of(e->type);
    if (n && (n->born > seq || (!other && !n->local))) {
        n->list_mark = seq;
        return true;
    }
    if (n) { // a file of the workspace takes the place of a link or another kind of file
        log_write(r->set.log, LOG_INFO, "workspace file %s replaces what the container had there",
                  name);
        node_detach(r, n);
    }
    n = node_new(r, dir, name, kind_of(e->type));
    if (!n) return false;
    n->list_mark = seq;
    return true;
}

static int list_done(struct remote *r, struct job *j, int err, const u8 *p, size_t len) {
    struct fs_node *dir = j->n;
    if (err == LX_ENOENT) vanished(r, dir);
    if (err || dir->detached) return err;
    struct rd in = rd_of(p, len);
    struct entry e;
    while (rd_left(&in)) {
        if (!next_entry(&in, &e)) return LX_EIO;
        if (!legal_name(&e))
            log_write(r->set.log, LOG_WARN,
                      "a workspace file in %s has a name that Linux cannot show; it is left out",
                      dir->name);
        else if (!entry_seen(r, dir, &e, j->seq))
            return LX_ENOMEM;
    }
    for (struct fs_node *n = dir->child, *next; n; n = next) {
        next = n->next;
        if (n->list_mark != j->seq && n->born <= j->seq) vanished(r, n);
    }
    dir->list_known = true;
    dir->list_seq = j->seq;
    dir->list_ns = remote_now(r);
    return 0;
}

// --- answers: changes ---

static void write_done(struct remote *r, struct job *j, int err) {
    struct fs_node *n = j->n;
    data_written(r, n, err, j->gen);
    if (err == LX_ENOENT && n->parent) // is the directory gone?
        job_start(r, REMOTE_STAT, n->parent, NULL, NULL);
    if (!err && !n->detached && !n->dirty)
        job_start(r, REMOTE_STAT, n, NULL,
                  NULL); // to know our own change when an event tells of it
}

// DELETE of a name that is gone already has done what was wanted.
static int delete_done(struct remote *r, struct job *j, int err) {
    if (err && err != LX_ENOENT) return err;
    if (!j->n->detached && j->n != r->root) node_detach(r, j->n);
    return 0;
}

static int rename_done(struct remote *r, struct job *j, int err) {
    struct fs_node *n = j->n, *dir = j->dir;
    if (err == LX_ENOENT) n->stat_event = ++r->seq;
    if (err || n->detached || dir->detached) return err;
    struct fs_node *old = node_child(r, dir, j->name);
    if (old && old != n) node_detach(r, old);
    if (!node_move(r, n, dir, j->name)) return LX_ENOMEM;
    n->born = ++r->seq;
    n->own_write = !n->dirty; // some hosts touch what they move
    n->own_size = n->loaded ? n->size : n->token.size;
    n->stat_event = r->seq;
    return 0;
}

static int apply(struct remote *r, struct job *j, int err, const u8 *p, size_t len) {
    switch (j->op) {
    case REMOTE_STAT:
        return stat_done(r, j, err, p, len);
    case REMOTE_READDIR:
        return list_done(r, j, err, p, len);
    case REMOTE_READ:
        return read_done(r, j, err, p, len);
    case REMOTE_WRITE:
        write_done(r, j, err);
        return err;
    case REMOTE_DELETE:
        return delete_done(r, j, err);
    case REMOTE_RENAME:
        return rename_done(r, j, err);
    default:
        return err;
    }
}

// The job is over: its answer is worked in, then whoever waited looks again.
static void job_end(struct remote *r, struct job *j, int err, const u8 *p, size_t len) {
    struct job **slot = slot_of(j->n, j->op);
    if (slot) *slot = NULL;
    if (is_exclusive(j)) r->exclusive = false;
    if (j->flying || err) err = apply(r, j, err, p, len);
    while (j->waiters) {
        struct op *o = j->waiters;
        j->waiters = o->next_waiter;
        o->step(o, err);
    }
    job_free(r, j);
}

// --- to the host ---

static struct job *queue_take(struct remote *r) {
    struct job *j = r->queue;
    if (!j || r->exclusive || r->nflying >= REMOTE_MAX_FLYING || (is_exclusive(j) && r->nflying))
        return NULL;
    r->queue = j->next;
    if (!r->queue) r->queue_end = &r->queue;
    return j;
}

// Other requests were carried out since this one was checked: does it still mean what it did? 0, an
// errno, or -1 for nothing left to do.
static int outdated(const struct remote *r, const struct job *j) {
    if (j->op == REMOTE_WRITE && !j->n->dirty) // removed, or written already
        return -1;
    if (j->op == REMOTE_DELETE && j->n->child) return LX_ENOTEMPTY;
    if (j->op != REMOTE_RENAME) return 0;
    const struct fs_node *old = node_child(r, j->dir, j->name);
    if (old == j->n) return -1;
    return node_below(j->dir, j->n) ? LX_EINVAL : old && old->kind == LX_S_IFDIR ? LX_EEXIST : 0;
}

static void job_send(struct remote *r, struct job *j) {
    bool target_in_dir = j->op == REMOTE_MKDIR;
    char *path = target_in_dir ? node_path(j->dir, j->name) : node_path(j->n, NULL);
    char *path2 = j->op == REMOTE_RENAME ? node_path(j->dir, j->name) : NULL;
    if (!path || (j->op == REMOTE_RENAME && !path2)) {
        bool gone = j->n->detached || (j->dir && j->dir->detached);
        free(path);
        free(path2);
        job_end(r, j, gone ? LX_ENOENT : LX_ENAMETOOLONG, NULL, 0);
        return;
    }
    do j->id = ++r->next_id;
    while (!j->id);
    j->seq = ++r->seq;
    j->gen = j->n->gen;
    j->token = j->n->token;
    j->flying = true;
    j->next = r->flying;
    r->flying = j;
    r->nflying++;
    r->exclusive = is_exclusive(j);
    bool data = j->op == REMOTE_WRITE;
    static const u8 none[1];
    const u8 *bytes = !data ? NULL : j->n->data ? j->n->data : none;
    r->set.host.request(r->set.host.arg, j->id, j->op, path, path2, bytes,
                        data ? (size_t)j->n->size : 0);
    free(path);
    free(path2);
}

void jobs_pump(struct remote *r) {
    if (r->pumping || r->dying) return;
    r->pumping = true;
    for (struct job *j; (j = queue_take(r));) {
        j->next = NULL;
        int old = outdated(r, j);
        if (old)
            job_end(r, j, old < 0 ? 0 : old, NULL, 0);
        else
            job_send(r, j);
    }
    r->pumping = false;
}

void fs_remote_complete(struct fs *fs, u32 id, int err, const u8 *payload, size_t len) {
    struct remote *r = remote_of(fs);
    for (struct job **at = &r->flying; *at; at = &(*at)->next) {
        struct job *j = *at;
        if (j->id != id) continue;
        *at = j->next;
        j->next = NULL;
        r->nflying--;
        job_end(r, j, err, payload, len);
        jobs_pump(r);
        return;
    }
}
