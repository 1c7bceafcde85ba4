// The cache of unpacked images. Depends on imgtree's saved form and POSIX files.
//
// An entry is made in a directory of its own and renamed into place when it is complete, so a
// reader sees all of it or nothing, and two processes that unpack the same image do not meet. An
// entry that does not load is removed. The name holds the format's version: older entries are
// simply not found.
#include "host/posix/image_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/posix/blob_store.h"

enum {
    PATH_SIZE = 4096,
    LONG_PATH = PATH_SIZE + 96,
    TREE_MAX = 1 << 30,
    KEEP = 8,
    ABANDONED_SECONDS = 24 * 3600
};

struct image_cache_entry {
    char final[PATH_SIZE], temp[PATH_SIZE];
};

// The folder of the cache; false when it is switched off or there is no home.
static bool cache_dir(char *out, size_t cap) {
    const char *off = getenv("BERTH_NO_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (off && *off) return false;
    int n = -1;
    if (xdg && xdg[0] == '/')
        n = snprintf(out, cap, "%s/berth/unpacked", xdg);
    else if (home && home[0] == '/')
        n = snprintf(out, cap, "%s/.cache/berth/unpacked", home);
    return n > 0 && (size_t)n + 128 < cap;
}

static bool entry_path(const char *digest, char *out, size_t cap) {
    char dir[PATH_SIZE];
    if (!cache_dir(dir, sizeof dir)) return false;
    int n = snprintf(out, cap, "%s/v1-%s", dir, digest + strlen("sha256:"));
    return n > 0 && (size_t)n + 32 < cap;
}

static bool make_dirs(char *path) {
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        bool ok = mkdir(path, 0777) == 0 || errno == EEXIST;
        *p = '/';
        if (!ok) return false;
    }
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

static void join(char *out, const char *dir, const char *name) {
    snprintf(out, LONG_PATH, "%s/%s", dir, name);
}

static void remove_entry(const char *dir) {
    char path[LONG_PATH];
    join(path, dir, "tree");
    unlink(path);
    join(path, dir, "data");
    unlink(path);
    rmdir(dir);
}

static bool read_all(const char *path, struct buf *b) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && st.st_size <= TREE_MAX &&
              buf_reserve(b, (size_t)st.st_size);
    while (ok && b->len < (size_t)st.st_size) {
        ssize_t n = read(fd, b->data + b->len, (size_t)st.st_size - b->len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) ok = false;
        if (n > 0) b->len += (size_t)n;
    }
    if (fd >= 0) close(fd);
    return ok;
}

bool image_cache_get(const char *digest, struct blob_store *store, struct imgtree **tree,
                     const struct log *log) {
    char dir[PATH_SIZE], path[LONG_PATH];
    struct err err = {0};
    struct buf b = {0};
    if (!entry_path(digest, dir, sizeof dir)) return false;
    join(path, dir, "tree");
    if (!read_all(path, &b)) {
        buf_free(&b);
        return false;
    }
    join(path, dir, "data");
    if (posix_store_open(store, path, &err) == 0) {
        *tree = imgtree_load(b.data, b.len, store, posix_store_size(store), &err);
        if (!*tree) posix_store_close(store);
    }
    buf_free(&b);
    if (*tree) {
        (void)!utimensat(AT_FDCWD, dir, NULL, 0); // used now
        return true;
    }
    log_write(log, LOG_WARN, "the unpacked image in %s cannot be used (%s); unpacking it again",
              dir, err.msg);
    remove_entry(dir);
    return false;
}

struct image_cache_entry *image_cache_begin(const char *digest, struct blob_store *store,
                                            const struct log *log) {
    struct image_cache_entry *e = calloc(1, sizeof *e);
    char dir[PATH_SIZE], path[LONG_PATH];
    struct err err = {0};
    if (!e || !cache_dir(dir, sizeof dir) || !entry_path(digest, e->final, sizeof e->final) ||
        !make_dirs(dir) || snprintf(e->temp, sizeof e->temp, "%s/new-XXXXXX", dir) < 0 ||
        !mkdtemp(e->temp)) {
        free(e);
        return NULL;
    }
    join(path, e->temp, "data");
    if (posix_store_create(store, path, &err) == 0) return e;
    log_write(log, LOG_WARN, "no cache for unpacked images: %s", err.msg);
    remove_entry(e->temp);
    free(e);
    return NULL;
}

// One pass over the cache: removes what an interrupted unpacking left, and the entry used longest
// ago when there are more than KEEP. True if it removed one of those.
static bool clean_once(const char *cache) {
    char path[LONG_PATH], oldest[LONG_PATH] = "";
    unsigned entries = 0;
    time_t oldest_time = 0, now = time(NULL);
    DIR *d = opendir(cache);
    if (!d) return false;
    for (const struct dirent *e; (e = readdir(d));) {
        bool temp = !strncmp(e->d_name, "new-", 4), entry = !strncmp(e->d_name, "v1-", 3);
        struct stat st;
        if ((!temp && !entry) || strlen(e->d_name) > 80) continue;
        join(path, cache, e->d_name);
        if (stat(path, &st) < 0) continue;
        if (temp && now - st.st_mtime > ABANDONED_SECONDS) remove_entry(path);
        if (!entry) continue;
        entries++;
        if (oldest[0] && st.st_mtime >= oldest_time) continue;
        memcpy(oldest, path, sizeof oldest);
        oldest_time = st.st_mtime;
    }
    closedir(d);
    if (entries <= KEEP) return false;
    remove_entry(oldest);
    return true;
}

static void clean(void) {
    char dir[PATH_SIZE];
    if (!cache_dir(dir, sizeof dir)) return;
    for (int i = 0; i < KEEP && clean_once(dir); i++) {
    }
}

static bool write_all(const char *path, const struct buf *b) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t done = 0;
    while (fd >= 0 && done < b->len) {
        ssize_t n = write(fd, b->data + done, b->len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += (size_t)n;
    }
    return fd >= 0 && close(fd) == 0 && done == b->len;
}

void image_cache_end(struct image_cache_entry *e, const struct imgtree *tree,
                     const struct blob_store *store, const struct log *log) {
    char path[LONG_PATH];
    struct err err = {0};
    struct buf b = {0};
    join(path, e->temp, "tree");
    bool ok = tree && posix_store_flush(store, &err) == 0 && imgtree_save(tree, &b, &err) == 0 &&
              write_all(path, &b);
    // Someone else may have been faster: theirs is as good.
    if (!ok || rename(e->temp, e->final) < 0) {
        if (tree && !ok)
            log_write(log, LOG_WARN, "the unpacked image is not kept in %s: %s", e->final,
                      err.msg[0] ? err.msg : strerror(errno));
        remove_entry(e->temp);
    }
    if (ok) clean();
    buf_free(&b);
    free(e);
}
