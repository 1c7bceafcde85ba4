// For the image tests: tar blocks made by hand, a blob store in memory, a layout as a list of
// files.
#ifndef BERTH_TEST_OCI_FIXTURE_H
#define BERTH_TEST_OCI_FIXTURE_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "oci/digest.h"
#include "oci/oci.h"

// ---- tar

struct entry {
    char type;
    const char *name, *link;
    unsigned mode, uid, gid;
    unsigned long long size; // of the contents that follow
    long long mtime;
    unsigned major, minor;
};

// `n` octal digits and no NUL.
static inline void tar_octal(u8 *p, int n, unsigned long long v) {
    for (; n > 0; v >>= 3) p[--n] = (u8)('0' + (v & 7));
}

static inline void tar_checksum(u8 *h) {
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++) sum += h[i];
    tar_octal(h + 148, 6, sum);
    h[154] = 0;
}

static inline u8 *tar_header(struct buf *b, struct entry e) {
    buf_reserve(b, 512);
    u8 *h = b->data + b->len;
    memset(h, 0, 512);
    strncpy((char *)h, e.name, 100);
    tar_octal(h + 100, 7, e.mode ? e.mode : 0644);
    tar_octal(h + 108, 7, e.uid);
    tar_octal(h + 116, 7, e.gid);
    tar_octal(h + 124, 11, e.size);
    tar_octal(h + 136, 11, (unsigned long long)e.mtime);
    h[156] = (u8)(e.type ? e.type : '0');
    if (e.link) strncpy((char *)h + 157, e.link, 100);
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    tar_octal(h + 329, 7, e.major);
    tar_octal(h + 337, 7, e.minor);
    tar_checksum(h);
    b->len += 512;
    return h;
}

static inline void tar_data(struct buf *b, const void *p, size_t n) {
    static const u8 zero[512];
    buf_put(b, p, n);
    buf_put(b, zero, -n & 511);
}

static inline void tar_file(struct buf *b, const char *name, const char *text) {
    tar_header(b, (struct entry){.name = name, .size = strlen(text)});
    tar_data(b, text, strlen(text));
}

static inline void tar_dir(struct buf *b, const char *name) {
    tar_header(b, (struct entry){.type = '5', .name = name, .mode = 0755});
}

// A pax record "len key=value\n" of a value that may hold any byte.
static inline void pax_record_bytes(struct buf *b, const char *key, const void *val, size_t n) {
    size_t body = strlen(key) + n + 3, len = body + 1;
    char digits[24];
    while ((size_t)snprintf(digits, sizeof digits, "%zu", len) + body != len) len++;
    buf_printf(b, "%zu %s=", len, key);
    buf_put(b, val, n);
    buf_put_u8(b, '\n');
}

static inline void pax_record(struct buf *b, const char *key, const char *val) {
    pax_record_bytes(b, key, val, strlen(val));
}

static inline void tar_pax(struct buf *b, struct buf *records) {
    tar_header(b, (struct entry){.type = 'x', .name = "pax", .size = records->len});
    tar_data(b, records->data, records->len);
    buf_free(records);
}

static inline void tar_finish(struct buf *b) {
    static const u8 zero[1024];
    buf_put(b, zero, sizeof zero);
}

// ---- store

struct mem_store {
    struct buf b;
    bool fail;
    size_t piece; // gaps this large between appends, so that contents are not contiguous
};

static inline bool mem_append(void *arg, const u8 *p, size_t n, u64 *off) {
    struct mem_store *m = arg;
    for (size_t i = 0; i < m->piece; i++) buf_put_u8(&m->b, 0xee);
    *off = m->b.len;
    buf_put(&m->b, p, n);
    return !m->fail;
}

static inline bool mem_read(void *arg, u64 off, u8 *dst, size_t n) {
    struct mem_store *m = arg;
    if (m->fail || off > m->b.len || n > m->b.len - off) return false;
    memcpy(dst, m->b.data + off, n);
    return true;
}

static inline struct blob_store mem_blob_store(struct mem_store *m) {
    return (struct blob_store){m, mem_append, mem_read};
}

// ---- layouts

struct layout_file {
    char name[96];
    struct buf b;
};

struct layout {
    struct layout_file f[64];
    unsigned n;
};

static inline struct layout_file *layout_find(struct layout *l, const char *name) {
    for (unsigned i = 0; i < l->n; i++)
        if (!strcmp(l->f[i].name, name)) return &l->f[i];
    return NULL;
}

static inline struct layout_file *layout_put(struct layout *l, const char *name, const void *p,
                                             size_t n) {
    struct layout_file *f = layout_find(l, name);
    if (!f) {
        assert(l->n < ARRAY_LEN(l->f));
        f = &l->f[l->n++];
        snprintf(f->name, sizeof f->name, "%s", name);
    }
    f->b.len = 0;
    buf_put(&f->b, p, n);
    return f;
}

static inline void digest_of(const void *p, size_t n, char text[DIGEST_TEXT]) {
    struct digest d;
    digest_begin(&d);
    digest_add(&d, p, n);
    digest_end(&d, text);
}

static inline struct layout_file *layout_blob(struct layout *l, const void *p, size_t n,
                                              char text[DIGEST_TEXT]) {
    char name[96];
    digest_of(p, n, text);
    snprintf(name, sizeof name, "blobs/sha256/%s", text + 7);
    return layout_put(l, name, p, n);
}

// An image of uncompressed layers for riscv64; `config` is the inside of the "config" object.
static inline void layout_image(struct layout *l, const struct buf *layers, unsigned n,
                                const char *config) {
    char digest[DIGEST_TEXT];
    struct buf m = {0}, c = {0}, descs = {0}, diffs = {0}, index = {0};
    for (unsigned i = 0; i < n; i++) {
        layout_blob(l, layers[i].data, layers[i].len, digest);
        buf_printf(&descs,
                   "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\","
                   "\"size\":%zu}",
                   i ? "," : "", digest, layers[i].len);
        buf_printf(&diffs, "%s\"%s\"", i ? "," : "", digest);
    }
    buf_printf(
        &c,
        "{\"architecture\":\"riscv64\",\"os\":\"linux\",\"config\":{%s},\"rootfs\":{\"type\":"
        "\"layers\",\"diff_ids\":[%s]}}",
        config, buf_cstr(&diffs));
    layout_blob(l, c.data, c.len, digest);
    buf_printf(
        &m,
        "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+"
        "json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[%s]}",
        digest, c.len, buf_cstr(&descs));
    layout_blob(l, m.data, m.len, digest);
    buf_printf(&index,
               "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image."
               "manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu}]}",
               digest, m.len);
    layout_put(l, "index.json", index.data, index.len);
    layout_put(l, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
    buf_free(&m);
    buf_free(&c);
    buf_free(&descs);
    buf_free(&diffs);
    buf_free(&index);
}

static inline void layout_free(struct layout *l) {
    for (unsigned i = 0; i < l->n; i++) buf_free(&l->f[i].b);
    l->n = 0;
}

// Runs the whole pull, feeding `step` bytes at a time; 0 or <0.
static inline int layout_pull(struct layout *l, struct oci_pull *p, size_t step, struct err *err) {
    struct oci_request req;
    int r;
    while ((r = oci_pull_next(p, &req, err)) > 0) {
        struct layout_file *f = layout_find(l, req.path);
        if (!f) return err_set(err, ERR_NOTFOUND, "no %s", req.path);
        for (size_t at = 0; at < f->b.len; at += step) {
            size_t n = f->b.len - at < step ? f->b.len - at : step;
            r = oci_pull_feed(p, f->b.data + at, n, err);
            if (r < 0) return r;
        }
        r = oci_pull_end(p, err);
        if (r < 0) return r;
    }
    return r;
}

#endif
