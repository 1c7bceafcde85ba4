// The asynchronous remote back end (fs_remote.h): operations on nodes, events, the timer.
//
// Depends on base, fs.h and the host's vtable; no I/O and no clock of its own. Its parts:
//   remote_node.c   the tree of nodes and the attributes kept beside the host
//   remote_job.c    requests to the host, and what their answers change
//   remote_data.c   content, held whole and written back
//   remote_names.c  operations that make, move and remove names
// An operation (struct op) is one step function that is run from its beginning whenever something
// it waited for has come: it asks for what it needs (op_need_*), which either is at hand or starts
// a job and makes it wait. So it always decides on the tree as it is now.
//
// What the guest is told: what was asked of the host within REMOTE_FRESH_NS and not contradicted by
// an event since, else it is asked again. What the guest changed and is not written yet goes before
// what the host says. A file is looked at again before the first change to it, so that appending to
// a file saved in the editor meanwhile keeps what the editor wrote; if both change it within one
// write delay, the guest's version is written, whole, and the log says so. Rejected: asking the
// host before each answer (0.2-1.3 ms each, a compiler stats thousands of files).
#include <stdlib.h>
#include <string.h>

#include "p9/remote.h"

// Of a directory: the entries as they were when reading began, for cookies that stay. A file's is
// empty.
struct dir_handle {
    struct snapshot {
        char *name;
        u64 ino;
        u8 type;
    } * entries;
    size_t count;
    bool taken;
};

// --- operations ---

struct op *op_new(struct fs *fs, struct fs_node *n, const char *name,
                  void (*step)(struct op *, int), fs_done done, void *arg) {
    struct remote *r = remote_of(fs);
    struct op *o = calloc(1, sizeof *o);
    char *copy = name ? strdup(name) : NULL;
    if (!o || (name && !copy)) {
        struct fs_result res = {.err = LX_ENOMEM};
        free(o);
        free(copy);
        done(arg, &res);
        return NULL;
    }
    *o = (struct op){.r = r, .step = step, .done = done, .arg = arg, .seq = r->seq, .n = n};
    o->name = copy;
    if (n) node_get(n);
    o->link = &r->ops;
    o->next = r->ops;
    if (o->next) o->next->link = &o->next;
    r->ops = o;
    return o;
}

void op_run(struct op *o) {
    struct remote *r = o->r;
    o->step(o, 0);
    jobs_pump(r);
}

static void op_end(struct op *o, const struct fs_result *res) {
    struct remote *r = o->r;
    *o->link = o->next;
    if (o->next) o->next->link = o->link;
    if (o->done) o->done(o->arg, res);
    node_put(r, o->n);
    node_put(r, o->n2);
    free(o->name);
    free(o->name2);
    free(o);
}

void op_fail(struct op *o, int err) {
    struct fs_result res = {.err = err};
    op_end(o, &res);
}

void op_ok(struct op *o) { op_fail(o, 0); }

static void op_count(struct op *o, u32 count) {
    struct fs_result res = {.count = count};
    op_end(o, &res);
}

void op_node(struct op *o, struct fs_node *n, void *handle) {
    struct fs_result res = {.node = n, .handle = handle};
    node_get(n);
    node_attr(o->r, n, &res.attr);
    op_end(o, &res);
}

// --- what operations need ---

static bool op_wait(struct op *o, struct job *j) {
    if (!j || ++o->steps > 64) // the same thing over and over: the host contradicts itself
        op_fail(o, j ? LX_EIO : LX_ENOMEM);
    else
        job_wait(j, o);
    return false;
}

bool op_send(struct op *o, enum remote_op op, struct fs_node *n, struct fs_node *dir,
             const char *name) {
    return op_wait(o, job_start(o->r, op, n, dir, name));
}

static bool fresh(const struct op *o, u64 seq, u64 event, u64 at_ns) {
    const struct remote *r = o->r;
    if (seq > o->seq) // asked since the operation began
        return true;
    u64 now = remote_now(r);
    return seq > event && seq > r->invalid_seq && now >= at_ns && now - at_ns < REMOTE_FRESH_NS;
}

static bool stat_fresh(const struct op *o, const struct fs_node *n) {
    return node_ours(n) || (n->stat_known && fresh(o, n->stat_seq, n->stat_event, n->stat_ns));
}

bool op_need_stat(struct op *o, struct fs_node *n) {
    return stat_fresh(o, n) || op_send(o, REMOTE_STAT, n, NULL, NULL);
}

bool op_need_list(struct op *o, struct fs_node *dir, bool now) {
    bool have = dir->detached ||
                (dir->list_known && (now ? dir->list_seq > o->seq
                                         : fresh(o, dir->list_seq, dir->list_event, dir->list_ns)));
    return have || op_send(o, REMOTE_READDIR, dir, NULL, NULL);
}

bool op_need_data(struct op *o, struct fs_node *n) {
    if (n->loaded && stat_fresh(o, n)) {
        data_used(o->r, n);
        return true;
    }
    if (n->detached) {
        op_fail(o, LX_ESTALE);
        return false;
    }
    if (!op_need_stat(o, n)) return false;
    if (n->token.size > o->r->set.max_file) {
        int err = LX_EFBIG;
        data_resize(o->r, n, n->token.size, &err); // says why
        op_fail(o, err);
        return false;
    }
    return op_send(o, REMOTE_READ, n, NULL, NULL);
}

bool op_need_child(struct op *o, struct fs_node *dir, const char *name, struct fs_node **out) {
    *out = NULL;
    if (dir->kind != LX_S_IFDIR || dir->detached) {
        op_fail(o, dir->detached ? LX_ENOENT : LX_ENOTDIR);
        return false;
    }
    struct fs_node *n = node_child(o->r, dir, name);
    if (n && !op_need_stat(o, n)) return false;
    if (!n && !op_need_list(o, dir, false)) return false;
    if (n && data_wants_sniff(n) && !n->sniffed) {
        n->sniffed = o->forgives = true; // once, whatever comes of it
        return op_send(o, REMOTE_READ, n, NULL, NULL);
    }
    *out = n;
    return true;
}

bool op_may_write(struct op *o, const struct fs_node *n) {
    int err = o->r->set.readonly ? LX_EROFS : n->readonly && !n->detached ? LX_EACCES : 0;
    if (err) op_fail(o, err);
    return !err;
}

bool op_failed(struct op *o, int err) {
    bool forgiven =
        o->forgives || err == LX_ENOENT; // that has detached the node, which the step sees
    o->forgives = false;
    if (err && !forgiven) op_fail(o, err);
    return err && !forgiven;
}

// --- lookup, attributes ---

static void lookup_step(struct op *o, int err) {
    struct fs_node *child;
    if (op_failed(o, err) || !op_need_child(o, o->n, o->name, &child)) return;
    if (child)
        op_node(o, child, NULL);
    else
        op_fail(o, LX_ENOENT);
}

static void do_lookup(struct fs *fs, struct fs_node *dir, const char *name, fs_done done,
                      void *arg) {
    struct op *o = op_new(fs, dir, name, lookup_step, done, arg);
    if (o) op_run(o);
}

static void do_parent(struct fs *fs, struct fs_node *dir, fs_done done, void *arg) {
    struct remote *r = remote_of(fs);
    struct fs_result res = {0};
    struct fs_node *up = dir->parent ? dir->parent : dir;
    if (dir->detached)
        res.err = LX_ENOENT;
    else if (dir->kind != LX_S_IFDIR)
        res.err = LX_ENOTDIR;
    else {
        node_get(up);
        res.node = up;
        node_attr(r, up, &res.attr);
    }
    done(arg, &res);
}

static void getattr_step(struct op *o, int err) {
    struct fs_result res = {0};
    if (op_failed(o, err) || !op_need_stat(o, o->n)) return;
    // What vanished at the host while somebody holds it open is still readable if we have it.
    if (o->n->detached && o->n->kind == LX_S_IFREG && !o->n->loaded && !o->n->opens) {
        op_fail(o, LX_ENOENT);
        return;
    }
    node_attr(o->r, o->n, &res.attr);
    op_end(o, &res);
}

static void do_getattr(struct fs *fs, struct fs_node *n, fs_done done, void *arg) {
    struct op *o = op_new(fs, n, NULL, getattr_step, done, arg);
    if (o) op_run(o);
}

static void set_times(const struct remote *r, struct fs_node *n, const struct fs_setattr *s) {
    u64 now = remote_now(r);
    if (s->valid & FS_SET_ATIME) {
        n->atime_set = true;
        n->atime_ns = s->valid & FS_SET_ATIME_TO ? s->atime_s * 1000000000u + s->atime_ns : now;
    }
    if (s->valid & FS_SET_MTIME) {
        n->mtime_set = true;
        n->mtime_ns = s->valid & FS_SET_MTIME_TO ? s->mtime_s * 1000000000u + s->mtime_ns : now;
    }
}

static void setattr_step(struct op *o, int err) {
    struct fs_node *n = o->n;
    const struct fs_setattr *s = &o->set;
    if (op_failed(o, err)) return;
    if (s->valid & FS_SET_SIZE) {
        if (!op_may_write(o, n) || (s->size && !op_need_data(o, n)) || !op_need_stat(o, n)) return;
        if (!data_resize(o->r, n, s->size, &err)) {
            op_fail(o, err);
            return;
        }
        data_changed(o->r, n);
    } else if (!op_need_stat(o, n)) { // what is kept beside belongs to the file as it is now
        return;
    }
    if (s->valid & FS_SET_MODE) n->mode_set = true, n->mode = s->mode & LX_S_PERM;
    if (s->valid & FS_SET_UID) n->uid_set = true, n->uid = s->uid;
    if (s->valid & FS_SET_GID) n->gid_set = true, n->gid = s->gid;
    set_times(o->r, n, s);
    node_touch(o->r, n);
    op_ok(o);
}

static void do_setattr(struct fs *fs, struct fs_node *n, const struct fs_setattr *set, fs_done done,
                       void *arg) {
    struct op *o = op_new(fs, n, NULL, setattr_step, done, arg);
    if (!o) return;
    o->set = *set;
    if (o->r->set.readonly)
        op_fail(o, LX_EROFS);
    else
        op_run(o);
}

static void do_readlink(struct fs *fs, struct fs_node *n, char *buf, size_t cap, fs_done done,
                        void *arg) {
    (void)fs;
    struct fs_result res = {.err = n->target ? 0 : LX_EINVAL};
    if (n->target) {
        size_t len = strlen(n->target);
        res.count = (u32)(len < cap ? len : cap);
        memcpy(buf, n->target, res.count);
    }
    done(arg, &res);
}

// The host does not tell how much room there is; programs only want to see that there is some.
static void do_statfs(struct fs *fs, struct fs_node *n, fs_done done, void *arg) {
    (void)fs, (void)n;
    struct fs_result res = {.statfs = {
                                .type = 0x01021997, // V9FS_MAGIC
                                .bsize = 4096,
                                .namelen = LX_NAME_MAX,
                                .blocks = 1u << 24,
                                .bfree = 1u << 23,
                                .bavail = 1u << 23,
                                .files = REMOTE_MAX_NODES,
                                .ffree = REMOTE_MAX_NODES / 2,
                            }};
    done(arg, &res);
}

// --- open files ---

void *remote_handle(struct fs_node *n) {
    struct dir_handle *h = calloc(1, sizeof *h);
    if (h) n->opens++;
    return h;
}

bool op_open(struct op *o, struct fs_node *n, void **handle) {
    int err;
    bool truncates = o->flags & LX_O_TRUNC;
    bool writes = (o->flags & LX_O_ACCMODE) != LX_O_RDONLY || truncates;
    err = n->detached && !n->loaded && n->kind == LX_S_IFREG     ? LX_ESTALE
          : n->kind == LX_S_IFLNK                                ? LX_ELOOP
          : n->kind != LX_S_IFREG && n->kind != LX_S_IFDIR       ? LX_ENXIO
          : n->kind == LX_S_IFREG && (o->flags & LX_O_DIRECTORY) ? LX_ENOTDIR
          : n->kind == LX_S_IFDIR && writes                      ? LX_EISDIR
                                                                 : 0;
    if (err) op_fail(o, err);
    if (err || (writes && !op_may_write(o, n))) return false;
    if (n->kind == LX_S_IFREG && !truncates && !n->loaded && n->token.size > o->r->set.max_file)
        return op_need_data(o, n); // fails and says why
    if (truncates && data_resize(o->r, n, 0, &err)) data_changed(o->r, n);
    *handle = remote_handle(n);
    if (!*handle) {
        op_fail(o, LX_ENOMEM);
        return false;
    }
    // Read ahead: the content will be wanted, and should outlive the file.
    if (n->kind == LX_S_IFREG && !n->loaded && (o->flags & LX_O_ACCMODE) != LX_O_WRONLY)
        job_start(o->r, REMOTE_READ, n, NULL, NULL);
    return true;
}

static void open_step(struct op *o, int err) {
    struct fs_result res = {0};
    if (op_failed(o, err) || !op_need_stat(o, o->n) || !op_open(o, o->n, &res.handle)) return;
    op_end(o, &res);
}

static void do_open(struct fs *fs, struct fs_node *n, u32 flags, fs_done done, void *arg) {
    struct op *o = op_new(fs, n, NULL, open_step, done, arg);
    if (!o) return;
    o->flags = flags;
    op_run(o);
}

static void snapshot_free(struct dir_handle *h) {
    for (size_t i = 0; i < h->count; i++) free(h->entries[i].name);
    free(h->entries);
    h->entries = NULL;
    h->count = 0;
    h->taken = false;
}

static void do_close(struct fs *fs, struct fs_node *n, void *handle) {
    struct remote *r = remote_of(fs);
    struct dir_handle *h = handle;
    n->opens--;
    snapshot_free(h);
    free(h);
    if (r->dying) return;
    if (n->dirty) data_due(r, n, REMOTE_CLOSE_MS);
    if (!n->opens) data_trim(r);
    jobs_pump(r);
}

static void read_step(struct op *o, int err) {
    struct fs_node *n = o->n;
    if (op_failed(o, err) || !op_need_data(o, n)) return;
    u64 left = o->off < n->size ? n->size - o->off : 0;
    u32 len = left < o->len ? (u32)left : o->len;
    if (len) memcpy(o->buf, n->data + o->off, len);
    op_count(o, len);
}

static void do_read(struct fs *fs, struct fs_node *n, void *handle, u64 off, u8 *buf, u32 len,
                    fs_done done, void *arg) {
    (void)handle;
    struct op *o = op_new(fs, n, NULL, read_step, done, arg);
    if (!o) return;
    o->off = off;
    o->buf = buf;
    o->len = len;
    op_run(o);
}

static void write_step(struct op *o, int err) {
    struct fs_node *n = o->n;
    if (op_failed(o, err) || !op_may_write(o, n) || !op_need_data(o, n)) return;
    u64 end = o->off + o->len;
    if (end > n->size && o->len && !data_resize(o->r, n, end, &err)) {
        op_fail(o, err);
        return;
    }
    if (o->len) {
        memcpy(n->data + o->off, o->src, o->len);
        data_changed(o->r, n);
        if (o->off < 4) data_sniff(n);
    }
    op_count(o, o->len);
}

static void do_write(struct fs *fs, struct fs_node *n, void *handle, u64 off, const u8 *buf,
                     u32 len, fs_done done, void *arg) {
    (void)handle;
    struct op *o = op_new(fs, n, NULL, write_step, done, arg);
    if (!o) return;
    o->off = off;
    o->src = buf;
    o->len = len;
    op_run(o);
}

// What was changed before the call is stored when a WRITE that began later has succeeded.
static void fsync_step(struct op *o, int err) {
    struct fs_node *n = o->n;
    if (o->sent && err)
        op_fail(o, err);
    else if (!n->dirty || n->written_gen >= o->off)
        op_ok(o);
    else {
        o->sent = !n->write_job; // one under way may carry older content: look again then
        op_send(o, REMOTE_WRITE, n, NULL, NULL);
    }
}

static void do_fsync(struct fs *fs, struct fs_node *n, void *handle, bool datasync, fs_done done,
                     void *arg) {
    (void)handle, (void)datasync;
    struct op *o = op_new(fs, n, NULL, fsync_step, done, arg);
    if (!o) return;
    o->off = n->gen;
    op_run(o);
}

// --- readdir ---

static bool snapshot_add(struct dir_handle *h, const char *name, u64 ino, u32 kind) {
    char *copy = strdup(name);
    if (!copy) return false;
    h->entries[h->count++] = (struct snapshot){copy, ino, (u8)LX_DT_OF_MODE(kind)};
    return true;
}

static bool snapshot_take(struct dir_handle *h, const struct fs_node *dir) {
    size_t count = 2;
    for (const struct fs_node *n = dir->child; n; n = n->next) count++;
    snapshot_free(h);
    h->entries = calloc(count, sizeof *h->entries);
    if (!h->entries || !snapshot_add(h, ".", dir->ino, LX_S_IFDIR) ||
        !snapshot_add(h, "..", dir->parent ? dir->parent->ino : dir->ino, LX_S_IFDIR))
        return false;
    for (const struct fs_node *n = dir->child; n; n = n->next)
        if (!snapshot_add(h, n->name, n->ino, n->kind)) return false;
    h->taken = true;
    return true;
}

// `ls -l` and editors' file lists look at every entry next, one at a time: ask for all at once now.
static void prefetch(struct op *o) {
    unsigned count = 0;
    for (struct fs_node *n = o->n->child; n && count < REMOTE_PREFETCH; n = n->next)
        if (!stat_fresh(o, n) && ++count) job_start(o->r, REMOTE_STAT, n, NULL, NULL);
}

static void readdir_step(struct op *o, int err) {
    struct dir_handle *h = o->dir_handle;
    if (op_failed(o, err)) return;
    if (!o->off || !h->taken) {
        if (!op_need_list(o, o->n, false)) return;
        if (o->n->detached)
            snapshot_free(h);
        else if (!snapshot_take(h, o->n)) {
            op_fail(o, LX_ENOMEM);
            return;
        } else
            prefetch(o);
    }
    for (u64 i = o->off; i < h->count; i++) {
        const struct snapshot *e = &h->entries[i];
        if (!o->emit(o->emit_arg, e->name, strlen(e->name), e->ino, e->type, i + 1)) break;
    }
    op_ok(o);
}

static void do_readdir(struct fs *fs, struct fs_node *n, void *handle, u64 cookie, fs_emit emit,
                       void *emit_arg, fs_done done, void *arg) {
    struct op *o = op_new(fs, n, NULL, readdir_step, done, arg);
    if (!o) return;
    o->dir_handle = handle;
    o->off = cookie;
    o->emit = emit;
    o->emit_arg = emit_arg;
    op_run(o);
}

// --- events, timer, flush ---

static void file_event(struct remote *r, struct fs_node *n) {
    n->stat_event = n->list_event = ++r->seq;
    u64 now = remote_now(r);
    // Our own writes come back as events, soon after.
    bool foreign = n->dirty && !n->write_job && !n->not_remote && !n->own_write &&
                   now - n->wrote_ns > REMOTE_FRESH_NS;
    if (foreign && !n->conflict_told) {
        n->conflict_told = true;
        log_write(
            r->set.log, LOG_WARN,
            "workspace file %s was changed outside while the container has changes to it that "
            "are not written yet; the container's version will be written",
            n->name);
    }
}

void fs_remote_changed(struct fs *fs, const char *path) {
    struct remote *r = remote_of(fs);
    struct fs_node *at = r->root;
    char name[LX_NAME_MAX + 1];
    if (!*path) {
        r->invalid_seq = ++r->seq;
        return;
    }
    while (*path) {
        size_t len = strcspn(path, "/");
        if (len > LX_NAME_MAX) return;
        memcpy(name, path, len);
        name[len] = 0;
        path += len + (path[len] == '/');
        struct fs_node *n = node_child(r, at, name);
        if (!n || !*path) { // the directory of what changed, or the nearest that is known
            at->list_event = at->stat_event = ++r->seq;
            if (n) file_event(r, n);
            return;
        }
        at = n;
    }
}

void fs_remote_tick(struct fs *fs) {
    const u64 horizon = 60000000000ull; // due later than any delay: the clock was set back
    struct remote *r = remote_of(fs);
    u64 now = remote_now(r), next = 0;
    r->timer_ns = 0;
    for (struct fs_node *n = r->dirty; n; n = n->dirty_next) {
        if (!n->due_ns || n->write_job) continue;
        if (n->due_ns <= now || n->due_ns > now + horizon)
            job_start(r, REMOTE_WRITE, n, NULL, NULL);
        else if (!next || n->due_ns < next)
            next = n->due_ns;
    }
    jobs_pump(r);
    if (next && (!r->timer_ns || r->timer_ns > next)) {
        r->timer_ns = next;
        r->set.host.timer(r->set.host.arg, (u32)((next - now + 999999) / 1000000));
    }
}

// Waits for each file in turn, having started them all; what fails once is not tried again here.
static void flush_step(struct op *o, int err) {
    struct remote *r = o->r;
    if (err && !o->len) o->len = (u32)err;
    struct job *wait = NULL;
    for (struct fs_node *n = r->dirty; n; n = n->dirty_next) {
        bool tried = n->flush_seq == o->seq && n->write_err && !n->write_job;
        if (tried) continue;
        n->flush_seq = o->seq;
        struct job *j = job_start(r, REMOTE_WRITE, n, NULL, NULL);
        wait = wait ? wait : j;
    }
    if (wait)
        job_wait(wait, o);
    else
        op_fail(o, (int)o->len);
}

static void nobody(void *arg, const struct fs_result *res) { (void)arg, (void)res; }

void fs_remote_flush(struct fs *fs, fs_done done, void *arg) {
    struct remote *r = remote_of(fs);
    struct op *o = op_new(fs, NULL, NULL, flush_step, done ? done : nobody, arg);
    if (!o) return;
    o->seq = ++r->seq; // tells this flush from another
    op_run(o);
}

u64 fs_remote_dirty(const struct fs *fs) {
    const struct remote *r = (const struct remote *)fs;
    u64 sum = 0;
    for (const struct fs_node *n = r->dirty; n; n = n->dirty_next) sum += n->size ? n->size : 1;
    return sum;
}

int fs_remote_errno(const char *code) {
    static const struct {
        const char *code;
        int err;
    } map[] = {
        {"FileNotFound", LX_ENOENT},       {"EntryNotFound", LX_ENOENT},
        {"FileExists", LX_EEXIST},         {"EntryExists", LX_EEXIST},
        {"FileNotADirectory", LX_ENOTDIR}, {"EntryNotADirectory", LX_ENOTDIR},
        {"FileIsADirectory", LX_EISDIR},   {"EntryIsADirectory", LX_EISDIR},
        {"NoPermissions", LX_EACCES},      {"FileTooLarge", LX_EFBIG},
        {"FileWriteLocked", LX_EACCES},    {"FileExceedsStorageQuota", LX_ENOSPC},
        {"EntryTooLarge", LX_EFBIG},       {"Unavailable", LX_EIO},
    };
    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (!strcmp(code, map[i].code)) return map[i].err;
    return LX_EIO;
}

// --- the file system ---

static struct fs_node *do_root(struct fs *fs) {
    struct fs_node *n = remote_of(fs)->root;
    node_get(n);
    return n;
}

static void do_ref(struct fs *fs, struct fs_node *n) {
    (void)fs;
    node_get(n);
}

static void do_release(struct fs *fs, struct fs_node *n) { node_put(remote_of(fs), n); }

static void do_destroy(struct fs *fs) {
    struct remote *r = remote_of(fs);
    r->dying = true;
    while (r->ops) op_fail(r->ops, LX_EIO);
    jobs_drop(r);
    while (r->root && r->root->child) node_detach(r, r->root->child);
    if (r->root) {
        free(r->root->name);
        free(r->root);
    }
    free(r->table);
    free(r);
}

static const struct fs_ops ops = {
    .destroy = do_destroy,
    .root = do_root,
    .node_ref = do_ref,
    .node_release = do_release,
    .lookup = do_lookup,
    .parent = do_parent,
    .getattr = do_getattr,
    .setattr = do_setattr,
    .readlink = do_readlink,
    .statfs = do_statfs,
    .open = do_open,
    .create = remote_do_create,
    .close = do_close,
    .read = do_read,
    .write = do_write,
    .readdir = do_readdir,
    .fsync = do_fsync,
    .mkdir = remote_do_mkdir,
    .symlink = remote_do_symlink,
    .mknod = remote_do_mknod,
    .link = remote_do_link,
    .rename = remote_do_rename,
    .unlink = remote_do_unlink,
};

struct fs *fs_remote_create(const struct fs_remote_settings *set, struct err *err) {
    struct remote *r = calloc(1, sizeof *r);
    if (!r) {
        err_set(err, ERR_NOMEM, "out of memory for the workspace's file system");
        return NULL;
    }
    r->fs.ops = &ops;
    r->set = *set;
    if (!r->set.max_file) r->set.max_file = 256ull << 20;
    if (!r->set.max_cache) r->set.max_cache = 512ull << 20;
    if (!r->set.write_delay_ms) r->set.write_delay_ms = 300;
    r->next_ino = 1;
    r->queue_end = &r->queue;
    r->root = node_new(r, NULL, "", LX_S_IFDIR);
    if (!r->root) {
        do_destroy(&r->fs);
        err_set(err, ERR_NOMEM, "out of memory for the workspace's file system");
        return NULL;
    }
    return &r->fs;
}
