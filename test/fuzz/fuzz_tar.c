// Any bytes as a tar archive: fed in pieces whose size the first byte gives. What comes out must
// keep the promises of tar.h.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "oci/tar.h"

size_t LLVMFuzzerMutate(u8 *p, size_t n, size_t max);

// Gives every block that claims to be a header a right checksum, or few mutations would get past it.
size_t LLVMFuzzerCustomMutator(u8 *p, size_t n, size_t max, unsigned seed) {
    (void)seed;
    n = LLVMFuzzerMutate(p, n, max);
    for (size_t at = 1; at + 512 <= n; at += 512) {
        u8 *h = p + at;
        if (memcmp(h + 257, "ustar", 5) != 0) continue;
        unsigned sum = 0;
        memset(h + 148, ' ', 8);
        for (int i = 0; i < 512; i++) sum += h[i];
        snprintf((char *)h + 148, 8, "%06o", sum);
    }
    return n;
}

struct seen {
    u64 size, end;
    bool file;
};

static int on_entry(void *arg, const struct tar_entry *e, struct err *err) {
    struct seen *s = arg;
    (void)err;
    assert(e->path[0] && e->link && e->mode <= 07777 && e->mtime_ns < 1000000000);
    size_t sum = strlen(e->path) + strlen(e->link);
    for (unsigned i = 0; i < e->nxattrs; i++)
        for (size_t k = 0; k < e->xattrs[i].len; k++) sum += e->xattrs[i].value[k];
    assert(sum > 0 && (e->type == TAR_FILE || e->size == 0));
    *s = (struct seen){e->size, 0, e->type == TAR_FILE};
    return 0;
}

static int on_data(void *arg, u64 off, const u8 *p, size_t n, struct err *err) {
    struct seen *s = arg;
    (void)err;
    assert(s->file && off >= s->end && n <= s->size - off);
    s->end = off + n;
    volatile u8 touch = (u8)(p[0] ^ p[n - 1]);
    (void)touch;
    return 0;
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n) {
    if (n == 0) return 0;
    struct seen s = {0};
    struct err err = {0};
    struct tar *t = tar_create(&(struct tar_sink){&s, on_entry, on_data});
    size_t step = p[0] + 1u, r = 0;
    for (size_t at = 1; at < n && !r; at += step)
        r = tar_feed(t, p + at, n - at < step ? n - at : step, &err) < 0;
    if (!r) r = tar_end(t, &err) < 0;
    assert(!r || (err.code && err.msg[0]));
    tar_destroy(t);
    return 0;
}
