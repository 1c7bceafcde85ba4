// The blob store over one file. Appends gather in a buffer; reads of what is still there are served
// from it. Depends on POSIX pread, pwrite.
#include "host/posix/blob_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 20 };

struct store {
    int fd;
    bool writable;
    u64 flushed; // bytes in the file
    size_t n;    // bytes in `buf`, which follow them
    u8 *buf;
};

static bool flush(struct store *s) {
    for (size_t done = 0; done < s->n;) {
        ssize_t k = pwrite(s->fd, s->buf + done, s->n - done, (off_t)(s->flushed + done));
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        done += (size_t)k;
    }
    s->flushed += s->n;
    s->n = 0;
    return true;
}

static bool store_append(void *arg, const u8 *p, size_t n, u64 *off) {
    struct store *s = arg;
    if (!s->writable) return false;
    *off = s->flushed + s->n;
    while (n) {
        size_t k = BUFFER - s->n;
        if (k > n) k = n;
        memcpy(s->buf + s->n, p, k);
        s->n += k;
        p += k;
        n -= k;
        if (s->n == BUFFER && !flush(s)) return false;
    }
    return true;
}

static bool store_read(void *arg, u64 off, u8 *dst, size_t n) {
    struct store *s = arg;
    if (off > s->flushed + s->n || n > s->flushed + s->n - off) return false;
    while (n) {
        if (off >= s->flushed) {
            memcpy(dst, s->buf + (off - s->flushed), n);
            return true;
        }
        size_t want = n < s->flushed - off ? n : (size_t)(s->flushed - off);
        ssize_t k = pread(s->fd, dst, want, (off_t)off);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false; // the file was cut by someone else
        dst += k;
        off += (u64)k;
        n -= (size_t)k;
    }
    return true;
}

static int make(struct blob_store *out, int fd, bool writable, const char *path, struct err *err) {
    struct store *s = calloc(1, sizeof *s);
    struct stat st;
    if (s && writable) s->buf = malloc(BUFFER);
    if (!s || (writable && !s->buf) || fstat(fd, &st) < 0) {
        free(s);
        close(fd);
        return err_set(err, ERR_NOMEM, "%s: out of memory", path);
    }
    s->fd = fd;
    s->writable = writable;
    s->flushed = (u64)st.st_size;
    *out = (struct blob_store){s, store_append, store_read};
    return 0;
}

int posix_store_temp(struct blob_store *out, struct err *err) {
    const char *dir = getenv("TMPDIR");
    if (!dir || !*dir) dir = "/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { // file systems without O_TMPFILE
        char path[4096];
        if ((size_t)snprintf(path, sizeof path, "%s/berth-XXXXXX", dir) < sizeof path)
            fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0) unlink(path);
    }
    if (fd < 0)
        return err_set(err, ERR_IO,
                       "no temporary file in %s: %s; set TMPDIR to a directory with enough room",
                       dir, strerror(errno));
    return make(out, fd, true, dir, err);
}

int posix_store_create(struct blob_store *out, const char *path, struct err *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    return make(out, fd, true, path, err);
}

int posix_store_open(struct blob_store *out, const char *path, struct err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path,
                       strerror(errno));
    return make(out, fd, false, path, err);
}

u64 posix_store_size(const struct blob_store *b) {
    const struct store *s = b->arg;
    return s->flushed + s->n;
}

int posix_store_flush(const struct blob_store *b, struct err *err) {
    return flush(b->arg) ? 0 : err_set(err, ERR_IO, "writing: %s", strerror(errno));
}

void posix_store_close(struct blob_store *b) {
    struct store *s = b->arg;
    if (!s) return;
    close(s->fd);
    free(s->buf);
    free(s);
    *b = (struct blob_store){0};
}
