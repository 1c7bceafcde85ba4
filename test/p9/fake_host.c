// The host of fake_host.h.
#include "test/p9/fake_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "p9/linux.h"

#define NEVER(cond)                                                                                \
    do {                                                                                           \
        if (cond) {                                                                                \
            fprintf(stderr, "%s:%d: never: %s\n", __FILE__, __LINE__, #cond);                      \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct fake_request {
    struct fake_request *next;
    u32 id;
    enum remote_op op;
    char *path, *path2;
    u8 *data;
    size_t len;
};

static u32 rnd(struct fake_host *h) { // xorshift
    h->rng ^= h->rng << 13;
    h->rng ^= h->rng >> 17;
    h->rng ^= h->rng << 5;
    return h->rng;
}

static bool is_below(const char *path, const char *dir) {
    size_t n = strlen(dir);
    return !n || (!strncmp(path, dir, n) && (path[n] == '/' || !path[n]));
}

struct fake_file *fake_find(struct fake_host *h, const char *path) {
    for (size_t i = 0; i < h->count; i++)
        if (!strcmp(h->files[i].path, path)) return &h->files[i];
    return NULL;
}

static struct fake_file *add(struct fake_host *h, const char *path, u8 type) {
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->files = realloc(h->files, h->cap * sizeof *h->files);
    }
    h->files[h->count] = (struct fake_file){.path = strdup(path), .type = type};
    h->files[h->count].mtime_ms = h->now_ns / 1000000;
    return &h->files[h->count++];
}

static void drop(struct fake_host *h, struct fake_file *f) {
    free(f->path);
    free(f->data);
    *f = h->files[--h->count];
}

static bool parent_is_dir(struct fake_host *h, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return true;
    char *dir = strndup(path, (size_t)(slash - path));
    struct fake_file *f = fake_find(h, dir);
    free(dir);
    return f && f->type == REMOTE_DIR;
}

// --- requests ---

static void on_request(void *arg, u32 id, enum remote_op op, const char *path, const char *path2,
                       const u8 *data, size_t len) {
    struct fake_host *h = arg;
    bool moves = op == REMOTE_DELETE || op == REMOTE_RENAME;
    NEVER(path[0] == '/' || (*path && path[strlen(path) - 1] == '/') || strstr(path, "//"));
    NEVER((path2 != NULL) != (op == REMOTE_RENAME) || (data != NULL) != (op == REMOTE_WRITE));
    for (struct fake_request *q = h->requests; q; q = q->next) {
        bool other_moves = q->op == REMOTE_DELETE || q->op == REMOTE_RENAME;
        NEVER(q->id == id);
        NEVER((moves || other_moves) && (is_below(q->path, path) || is_below(path, q->path)));
        NEVER(op == REMOTE_WRITE && q->op == REMOTE_WRITE && !strcmp(path, q->path));
    }
    struct fake_request *q = calloc(1, sizeof *q);
    *q = (struct fake_request){h->requests,     id, op, strdup(path), path2 ? strdup(path2) : NULL,
                               malloc(len + 1), len};
    if (len) memcpy(q->data, data, len);
    h->requests = q;
    h->npending++;
    h->nrequests[op]++;
}

static void on_timer(void *arg, u32 delay_ms) {
    struct fake_host *h = arg;
    h->timer_ns = h->now_ns + delay_ms * 1000000ull;
}

static u64 on_now(void *arg) { return ((struct fake_host *)arg)->now_ns; }

static int do_stat(struct fake_host *h, const char *path, struct buf *out) {
    struct fake_file root = {.type = REMOTE_DIR}, *f = *path ? fake_find(h, path) : &root;
    if (!f) return LX_ENOENT;
    buf_put_le32(out, f->type);
    buf_put_le32(out, f->readonly ? REMOTE_READONLY : 0);
    buf_put_le64(out, f->len);
    buf_put_le64(out, f->mtime_ms);
    buf_put_le64(out, 0);
    return 0;
}

static int do_list(struct fake_host *h, const char *path, struct buf *out) {
    struct fake_file *d = *path ? fake_find(h, path) : NULL;
    size_t n = strlen(path);
    if (*path && !d) return LX_ENOENT;
    if (d && d->type != REMOTE_DIR) return LX_ENOTDIR;
    for (size_t i = 0; i < h->count; i++) {
        const char *p = h->files[i].path;
        if (!is_below(p, path) || !p[n]) continue;
        p += n ? n + 1 : 0;
        if (strchr(p, '/')) continue;
        buf_put_u8(out, h->files[i].type);
        buf_put_le16(out, (u16)strlen(p));
        buf_put_str(out, p);
    }
    return 0;
}

static int do_write(struct fake_host *h, const struct fake_request *q) {
    struct fake_file *f = fake_find(h, q->path);
    if (!parent_is_dir(h, q->path)) return LX_ENOENT;
    if (f && f->type == REMOTE_DIR) return LX_EISDIR;
    if (f && f->readonly) return LX_EACCES;
    if (!f) f = add(h, q->path, REMOTE_FILE);
    free(f->data);
    f->data = malloc(q->len + 1);
    memcpy(f->data, q->data, q->len);
    f->len = q->len;
    f->mtime_ms = h->now_ns / 1000000;
    return 0;
}

static bool has_children(struct fake_host *h, const char *path) {
    for (size_t i = 0; i < h->count; i++)
        if (is_below(h->files[i].path, path) && strcmp(h->files[i].path, path) != 0) return true;
    return false;
}

static int do_delete(struct fake_host *h, const char *path) {
    struct fake_file *f = fake_find(h, path);
    if (!f) return LX_ENOENT;
    if (has_children(h, path)) // somebody else made one after we looked
        return LX_EIO;
    drop(h, f);
    return 0;
}

static int do_rename(struct fake_host *h, const char *from, const char *to) {
    struct fake_file *src = fake_find(h, from), *dst = fake_find(h, to);
    NEVER(is_below(to, from));
    if (!src || !parent_is_dir(h, to)) return LX_ENOENT;
    if (dst && dst->type == REMOTE_DIR) { // would take what is in it with it
        NEVER(!h->races);
        return LX_EIO;
    }
    if (dst) drop(h, dst);
    size_t n = strlen(from);
    for (size_t i = 0; i < h->count; i++) {
        char *p = h->files[i].path;
        if (!is_below(p, from)) continue;
        char *moved = malloc(strlen(to) + strlen(p + n) + 1);
        sprintf(moved, "%s%s", to, p + n);
        h->files[i].path = moved;
        free(p);
    }
    return 0;
}

static int carry_out(struct fake_host *h, const struct fake_request *q, struct buf *out) {
    struct fake_file *f;
    switch (q->op) {
    case REMOTE_STAT:
        return do_stat(h, q->path, out);
    case REMOTE_READDIR:
        return do_list(h, q->path, out);
    case REMOTE_READ:
        f = fake_find(h, q->path);
        if (f && f->type == REMOTE_FILE) buf_put(out, f->data ? f->data : (const u8 *)"", f->len);
        return !f ? LX_ENOENT : f->type == REMOTE_DIR ? LX_EISDIR : 0;
    case REMOTE_WRITE:
        return do_write(h, q);
    case REMOTE_MKDIR:
        if (fake_find(h, q->path)) return 0; // as createDirectory does
        if (!parent_is_dir(h, q->path)) return LX_ENOENT;
        add(h, q->path, REMOTE_DIR);
        return 0;
    case REMOTE_DELETE:
        return do_delete(h, q->path);
    case REMOTE_RENAME:
        return do_rename(h, q->path, q->path2);
    }
    abort();
}

static int wanted_failure(struct fake_host *h, enum remote_op op) {
    if (h->fail_op && h->fail_op != (unsigned)op + 1) return 0;
    int err = h->fail_next ? h->fail_next : rnd(h) % 100 < h->fail_percent ? LX_EIO : 0;
    h->fail_next = 0;
    return err;
}

static void answer_one(struct fake_host *h) {
    struct fake_request **at = &h->requests, *q;
    for (unsigned k = rnd(h) % h->npending; k; k--) at = &(*at)->next;
    q = *at;
    *at = q->next;
    h->npending--;
    struct buf out = {0};
    int err = wanted_failure(h, q->op);
    if (!err) err = carry_out(h, q, &out);
    bool changes = !err && q->op >= REMOTE_WRITE;
    fs_remote_complete(h->fs, q->id, err, out.data, err ? 0 : out.len);
    if (changes && rnd(h) % 2) // watchers tell of our own changes too
        fs_remote_changed(h->fs, q->path);
    if (changes && q->path2 && rnd(h) % 2) fs_remote_changed(h->fs, q->path2);
    buf_free(&out);
    free(q->path);
    free(q->path2);
    free(q->data);
    free(q);
}

void fake_sleep(struct fake_host *h, u32 ms) {
    u64 until = h->now_ns + ms * 1000000ull;
    while (h->timer_ns && h->timer_ns <= until) {
        if (h->now_ns < h->timer_ns) h->now_ns = h->timer_ns;
        h->timer_ns = 0;
        fs_remote_tick(h->fs);
    }
    h->now_ns = until;
}

void fake_pump(void *arg) {
    struct fake_host *h = arg;
    if (!h->hold && h->npending)
        answer_one(h);
    else
        fake_sleep(h, 10);
    h->now_ns += rnd(h) % 1000000;
}

void fake_settle(struct fake_host *h) {
    for (unsigned i = 0; h->npending || h->timer_ns || fs_remote_dirty(h->fs); i++) {
        NEVER(i > 100000);
        fake_pump(h);
    }
}

// --- the editor ---

void fake_edit(struct fake_host *h, const char *path, const char *text, bool quiet) {
    h->now_ns += 5000000; // a mtime of its own
    struct fake_request q = {.path = (char *)(uintptr_t)path, .len = strlen(text)};
    q.data = (u8 *)strdup(text);
    NEVER(do_write(h, &q));
    free(q.data);
    if (!quiet) fs_remote_changed(h->fs, path);
}

void fake_edit_dir(struct fake_host *h, const char *path) {
    if (!fake_find(h, path)) add(h, path, REMOTE_DIR);
    fs_remote_changed(h->fs, path);
}

void fake_remove(struct fake_host *h, const char *path) {
    for (size_t i = h->count; i--;)
        if (is_below(h->files[i].path, path)) drop(h, &h->files[i]);
    fs_remote_changed(h->fs, path);
}

void fake_init(struct fake_host *h, u32 seed, const struct log *log) {
    *h = (struct fake_host){.now_ns = 1700000000000000000ull, .rng = seed ? seed : 1};
    struct fs_remote_settings set = {
        .host = {.arg = h, .request = on_request, .timer = on_timer, .now_ns = on_now},
        .max_file = 1 << 20,
        .max_cache = 4 << 20,
        .log = log,
    };
    h->fs = fs_remote_create(&set, NULL);
    NEVER(!h->fs);
}

void fake_end(struct fake_host *h) {
    h->fs->ops->destroy(h->fs);
    while (h->requests) {
        struct fake_request *q = h->requests;
        h->requests = q->next;
        free(q->path);
        free(q->path2);
        free(q->data);
        free(q);
    }
    while (h->count) drop(h, h->files);
    free(h->files);
}
