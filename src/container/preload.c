// The image's profile and what of its files has to be read. Depends on oci/imgtree.h.
#include "container/preload.h"

#include <string.h>

#include "berth/ctl.h"

enum {
    MAX_PROFILE = 4 << 20,
    GAP = 4 // pages between two parts that are read with them
};

void preload_read(const struct imgtree *tree, const struct log *log, struct buf *text) {
    struct err err = {0};
    if (!imgtree_resolve(tree, PRELOAD_PROFILE, true)) return;
    if (imgtree_read_file(tree, PRELOAD_PROFILE, MAX_PROFILE, text, &err) == 0) return;
    text->len = 0;
    log_write(log, LOG_WARN, "the image's profile is not used: %s", err.msg);
}

struct part {
    u64 first, n;
};

static bool hex(const char **p, const char *end, u64 *v) {
    const char *from = *p;
    for (*v = 0; *p < end; ++*p) {
        char ch = **p;
        if (ch >= '0' && ch <= '9')
            *v = *v << 4 | (u64)(ch - '0');
        else if (ch >= 'a' && ch <= 'f')
            *v = *v << 4 | (u64)(ch - 'a' + 10);
        else
            break;
    }
    return *p > from && *p - from <= 7;
}

static void put_part(struct buf *out, const struct part *x) {
    buf_put_le32(out, (u32)x->first);
    buf_put_le32(out, (u32)x->n);
}

// The parts of one file, whose lines are from `p` to `end`, their number first.
static void put_parts(const char *p, const char *end, struct buf *out) {
    size_t number = out->len;
    u32 n = 0;
    struct part now = {0};
    buf_put_le32(out, 0);
    while (p < end && *p == 'q') {
        const char *eol = memchr(p, '\n', (size_t)(end - p)), *at = p + 2;
        u64 page;
        if (p + 2 < end && hex(&at, end, &page)) {
            if (now.n && page >= now.first && page <= now.first + now.n + GAP) {
                if (page >= now.first + now.n) now.n = page + 1 - now.first;
            } else {
                if (now.n) put_part(out, &now);
                now = (struct part){page, 1};
                n++;
            }
        }
        p = eol ? eol + 1 : end;
    }
    if (now.n) put_part(out, &now);
    if (!out->oom) put_le32(out->data + number, n);
}

void preload_put(const char *text, size_t len, struct buf *payload) {
    const char *end = text + len;
    for (const char *p = text, *eol; p < end; p = eol + 1) {
        eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol) return;
        if (eol - p < 3 || memcmp(p, "f /", 3) != 0 || memchr(p, 0, (size_t)(eol - p))) continue;
        size_t before = payload->len;
        put_parts(eol + 1, end, payload);
        buf_put(payload, p + 2, (size_t)(eol - p - 2));
        buf_put_u8(payload, 0);
        if (payload->len <= CTL_MAX_PAYLOAD) continue;
        payload->len = before;
        return;
    }
}
