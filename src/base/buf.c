// Growable buffers and bounded cursors. Depends on libc only.
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_free(struct buf *b) {
    free(b->data);
    *b = (struct buf){0};
}

bool buf_reserve(struct buf *b, size_t extra) {
    if (b->oom) return false;
    if (extra <= b->cap - b->len) return true;
    size_t want = b->len + extra;
    size_t cap = b->cap ? b->cap : 64;
    while (cap >= b->len && cap < want) cap = cap > SIZE_MAX / 2 ? want : cap * 2;
    u8 *p = want >= b->len ? realloc(b->data, cap) : NULL;
    if (!p) {
        b->oom = true;
        return false;
    }
    b->data = p;
    b->cap = cap;
    return true;
}

void buf_put(struct buf *b, const void *p, size_t n) {
    if (n == 0 || !buf_reserve(b, n)) return;
    memcpy(b->data + b->len, p, n);
    b->len += n;
}

void buf_put_u8(struct buf *b, u8 v) { buf_put(b, &v, 1); }

void buf_put_le16(struct buf *b, u16 v) {
    u8 t[2];
    put_le16(t, v);
    buf_put(b, t, sizeof t);
}

void buf_put_le32(struct buf *b, u32 v) {
    u8 t[4];
    put_le32(t, v);
    buf_put(b, t, sizeof t);
}

void buf_put_le64(struct buf *b, u64 v) {
    u8 t[8];
    put_le64(t, v);
    buf_put(b, t, sizeof t);
}

void buf_put_str(struct buf *b, const char *s) { buf_put(b, s, strlen(s)); }

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && buf_reserve(b, (size_t)n + 1)) {
        vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n) {
    if (n > b->len) n = b->len;
    if (n) memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

const char *buf_cstr(struct buf *b) {
    if (!buf_reserve(b, 1)) return "";
    b->data[b->len] = 0;
    return (const char *)b->data;
}

const u8 *rd_bytes(struct rd *r, size_t n) {
    if (n > rd_left(r)) {
        r->bad = true;
        r->p = r->end;
        return NULL;
    }
    const u8 *p = r->p;
    r->p += n;
    return p;
}

u8 rd_u8(struct rd *r) {
    const u8 *p = rd_bytes(r, 1);
    return p ? *p : 0;
}

u16 rd_le16(struct rd *r) {
    const u8 *p = rd_bytes(r, 2);
    return p ? get_le16(p) : 0;
}

u32 rd_le32(struct rd *r) {
    const u8 *p = rd_bytes(r, 4);
    return p ? get_le32(p) : 0;
}

u64 rd_le64(struct rd *r) {
    const u8 *p = rd_bytes(r, 8);
    return p ? get_le64(p) : 0;
}
