// Content of the remote back end's files: held whole, changed in place, written back whole.
//
// Depends on base and remote.h. Bounds: set.max_file a file, set.max_cache all together,
// REMOTE_IDLE_BYTES for files that nobody has open. Only clean content of a file that the host
// still has may be forgotten.
#include <stdlib.h>
#include <string.h>

#include "p9/remote.h"

// --- memory ---

static void lru_remove(struct remote *r, struct fs_node *n) {
    *(n->lru_prev ? &n->lru_prev->lru_next : &r->lru_head) = n->lru_next;
    *(n->lru_next ? &n->lru_next->lru_prev : &r->lru_tail) = n->lru_prev;
    n->lru_next = n->lru_prev = NULL;
}

static void lru_add(struct remote *r, struct fs_node *n) {
    n->lru_next = r->lru_head;
    *(r->lru_head ? &r->lru_head->lru_prev : &r->lru_tail) = n;
    r->lru_head = n;
}

void data_used(struct remote *r, struct fs_node *n) {
    if (r->lru_head == n) return;
    lru_remove(r, n);
    lru_add(r, n);
}

void data_drop(struct remote *r, struct fs_node *n) {
    if (!n->loaded) return;
    lru_remove(r, n);
    r->bytes -= n->cap;
    free(n->data);
    n->data = NULL;
    n->size = n->cap = 0;
    n->loaded = false;
}

static void set_loaded(struct remote *r, struct fs_node *n) {
    if (!n->loaded) {
        n->loaded = true;
        lru_add(r, n);
    }
}

// Forgets the least used content until `want` more bytes keep the total below `bound`.
static void evict(struct remote *r, u64 want, u64 bound, const struct fs_node *but, bool opened) {
    for (struct fs_node *n = r->lru_tail, *prev; n && r->bytes + want > bound; n = prev) {
        prev = n->lru_prev;
        if (n != but && !node_ours(n) && n->data && (opened || !n->opens)) data_drop(r, n);
    }
}

void data_trim(struct remote *r) { evict(r, 0, REMOTE_IDLE_BYTES, NULL, false); }

bool data_resize(struct remote *r, struct fs_node *n, u64 size, int *err) {
    if (size > r->set.max_file) {
        log_write(r->set.log, LOG_WARN,
                  "workspace file %s would have %llu bytes; files above %llu bytes are not served "
                  "(they are held whole in memory): use a directory outside the workspace",
                  n->name, (unsigned long long)size, (unsigned long long)r->set.max_file);
        *err = LX_EFBIG;
        return false;
    }
    if (size > n->cap) {
        u64 cap = n->cap + n->cap / 2; // appending stays linear
        cap = size > cap ? (size + 4095) & ~4095ull : cap;
        u64 extra = cap - n->cap;
        if (r->bytes + extra > r->set.max_cache) evict(r, extra, r->set.max_cache, n, false);
        if (r->bytes + extra > r->set.max_cache) evict(r, extra, r->set.max_cache, n, true);
        u8 *data = r->bytes + extra > r->set.max_cache ? NULL : realloc(n->data, (size_t)cap);
        if (!data) {
            log_write(
                r->set.log, LOG_WARN,
                "no memory for %llu bytes of workspace file %s (%llu bytes held); close files "
                "or write fewer large ones at a time",
                (unsigned long long)size, n->name, (unsigned long long)r->bytes);
            *err = LX_ENOSPC;
            return false;
        }
        r->bytes += extra;
        n->data = data;
        n->cap = cap;
    }
    if (size > n->size) memset(n->data + n->size, 0, (size_t)(size - n->size));
    n->size = size;
    set_loaded(r, n);
    return true;
}

int data_adopt(struct remote *r, struct fs_node *n, const u8 *bytes, size_t len,
               struct token token) {
    int err;
    data_drop(r, n);
    if (!data_resize(r, n, len, &err)) return err == LX_ENOSPC ? LX_ENOMEM : err;
    if (len) memcpy(n->data, bytes, len);
    n->data_token = token;
    data_sniff(n);
    data_trim(r);
    return 0;
}

// --- is it a program? ---

void data_guess(struct fs_node *n) {
    static const char *const scripts[] = {"sh", "bash", "zsh", "fish", "py", "pl",
                                          "rb", "awk",  "tcl", "run",  "out"};
    const char *dot = strrchr(n->name, '.');
    n->exec = EXEC_UNKNOWN;
    n->sniffed = false;
    for (size_t i = 0; dot && dot != n->name && i < ARRAY_LEN(scripts); i++)
        if (!strcmp(dot + 1, scripts[i])) n->exec = EXEC_YES;
}

void data_sniff(struct fs_node *n) {
    static const u8 elf[4] = {0x7f, 'E', 'L', 'F'};
    bool script = n->size >= 2 && n->data[0] == '#' && n->data[1] == '!';
    bool binary = n->size >= 4 && !memcmp(n->data, elf, 4);
    if (script || binary)
        n->exec = EXEC_YES;
    else if (n->exec == EXEC_UNKNOWN)
        n->exec = EXEC_NO;
}

// A name without an extension says nothing of what the file is (configure, gradlew), so its content
// is looked at before its mode is told. git's many files are known to be data.
bool data_wants_sniff(const struct fs_node *n) {
    if (n->kind != LX_S_IFREG || n->mode_set || n->exec != EXEC_UNKNOWN || node_ours(n) ||
        strchr(n->name, '.') || !n->token.size || n->token.size > REMOTE_SNIFF_MAX)
        return false;
    for (const struct fs_node *d = n->parent; d; d = d->parent)
        if (!strcmp(d->name, ".git")) return false;
    return true;
}

// --- writing back ---

void data_due(struct remote *r, struct fs_node *n, u32 delay_ms) {
    u64 now = remote_now(r), due = now + delay_ms * 1000000ull;
    if (n->due_ns && n->due_ns <= due) return;
    n->due_ns = due;
    if (!r->timer_ns || r->timer_ns > due || r->timer_ns < now) {
        r->timer_ns = due;
        r->set.host.timer(r->set.host.arg, delay_ms);
    }
}

void data_changed(struct remote *r, struct fs_node *n) {
    n->gen++;
    n->version++;
    n->mtime_set = true;
    n->mtime_ns = n->ctime_ns = remote_now(r);
    n->tries = 0;
    if (n->detached) return;
    if (!n->dirty) {
        n->dirty = true;
        n->due_ns = 0;
        n->dirty_next = r->dirty;
        n->dirty_link = &r->dirty;
        if (n->dirty_next) n->dirty_next->dirty_link = &n->dirty_next;
        r->dirty = n;
    }
    data_due(r, n, r->set.write_delay_ms);
}

void data_clean(struct remote *r, struct fs_node *n) {
    (void)r;
    *n->dirty_link = n->dirty_next;
    if (n->dirty_next) n->dirty_next->dirty_link = n->dirty_link;
    n->dirty = false;
    n->dirty_link = NULL;
    n->due_ns = 0;
    n->conflict_told = false;
}

static void write_failed(struct remote *r, struct fs_node *n, int err) {
    n->write_err = err;
    char *path = node_path(n, NULL);
    bool again = err == LX_EIO && ++n->tries < REMOTE_RETRIES;
    log_write(r->set.log, LOG_ERROR,
              "could not write workspace file %s (errno %d); %s. The container still sees its "
              "version",
              path ? path : n->name, err,
              again ? "trying again soon" : "write to the file again or copy it elsewhere");
    free(path);
    n->due_ns = 0;
    if (again) data_due(r, n, 500u << n->tries);
}

void data_written(struct remote *r, struct fs_node *n, int err, u64 gen) {
    if (n->detached) return;
    if (err) {
        if (n->dirty) write_failed(r, n, err);
        return;
    }
    n->write_err = 0;
    n->tries = 0;
    n->not_remote = false;
    n->own_write = true;
    n->born = n->stat_event = ++r->seq;
    n->written_gen = gen;
    n->wrote_ns = remote_now(r);
    if (n->dirty && n->gen == gen) {
        n->own_size = n->size;
        data_clean(r, n);
    } else if (n->dirty) {
        n->due_ns = 0;
        data_due(r, n, r->set.write_delay_ms);
    }
}
