// Decompression of layers. Depends on base, zlib and libzstd's streaming decoder.
//
// eStargz layers are one gzip member a file, zstd:chunked layers one frame a file plus skippable
// frames: so members and frames follow each other without end. The window a zstd frame may demand
// is bounded by libzstd's default (128 MiB), so hostile frames cannot ask for more memory than
// that.
#include "oci/decomp.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

enum { OUT_SIZE = 128 << 10, MAGIC_SIZE = 6 };

struct decomp {
    decomp_out out;
    void *arg;
    enum decomp_kind kind;
    u8 magic[MAGIC_SIZE];
    size_t nmagic;
    z_stream z;
    bool z_open, member_done, trailer; // between gzip members; after the last one (zero padding)
    ZSTD_DCtx *zstd;
    size_t zstd_more; // last result: 0 at the end of a frame
    u8 buf[OUT_SIZE];
};

struct decomp *decomp_create(decomp_out out, void *arg) {
    struct decomp *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->out = out;
    d->arg = arg;
    return d;
}

void decomp_destroy(struct decomp *d) {
    if (!d) return;
    if (d->z_open) inflateEnd(&d->z);
    ZSTD_freeDCtx(d->zstd);
    free(d);
}

enum decomp_kind decomp_kind(const struct decomp *d) { return d->kind; }

const char *decomp_name(enum decomp_kind k) {
    switch (k) {
    case DECOMP_PLAIN:
        return "uncompressed";
    case DECOMP_GZIP:
        return "gzip";
    case DECOMP_ZSTD:
        return "zstd";
    default:
        return "unknown";
    }
}

static int start_gzip(struct decomp *d, struct err *err) {
    if (inflateInit2(&d->z, 16 + MAX_WBITS) != Z_OK)
        return err_set(err, ERR_NOMEM, "out of memory for decompression");
    d->z_open = true;
    d->kind = DECOMP_GZIP;
    return 0;
}

static int start_zstd(struct decomp *d, struct err *err) {
    d->zstd = ZSTD_createDCtx();
    if (!d->zstd) return err_set(err, ERR_NOMEM, "out of memory for decompression");
    d->kind = DECOMP_ZSTD;
    d->zstd_more = 1;
    return 0;
}

static int start(struct decomp *d, struct err *err) {
    const u8 *m = d->magic;
    if (d->nmagic >= 2 && m[0] == 0x1f && m[1] == 0x8b) return start_gzip(d, err);
    if (d->nmagic >= 4) {
        u32 v = (u32)m[0] | (u32)m[1] << 8 | (u32)m[2] << 16 | (u32)m[3] << 24;
        if (v == 0xFD2FB528u || (v & 0xFFFFFFF0u) == 0x184D2A50u) return start_zstd(d, err);
    }
    if (d->nmagic >= MAGIC_SIZE && !memcmp(m,
                                           "\xfd"
                                           "7zXZ\0",
                                           6))
        return err_set(err, ERR_UNSUPPORTED,
                       "compressed with xz; only gzip and zstd are supported");
    if (d->nmagic >= 3 && !memcmp(m, "BZh", 3))
        return err_set(err, ERR_UNSUPPORTED,
                       "compressed with bzip2; only gzip and zstd are supported");
    d->kind = DECOMP_PLAIN;
    return 0;
}

static int feed_gzip(struct decomp *d, const u8 *p, size_t n, struct err *err) {
    while (n || d->z.avail_in) {
        if (d->trailer || (d->member_done && n && *p == 0)) {
            d->trailer = true; // tape blocking: zeros up to the end
            for (; n; p++, n--)
                if (*p) return err_set(err, ERR_CORRUPT, "garbage after the gzip data");
            return 0;
        }
        if (d->member_done) {
            inflateReset(&d->z);
            d->member_done = false;
        }
        uInt k = n > 1u << 30 ? 1u << 30 : (uInt)n;
        d->z.next_in = (Bytef *)(uintptr_t)p; // zlib does not write through it
        d->z.avail_in = k;
        do {
            d->z.next_out = d->buf;
            d->z.avail_out = OUT_SIZE;
            int r = inflate(&d->z, Z_NO_FLUSH);
            if (r == Z_MEM_ERROR) return err_set(err, ERR_NOMEM, "out of memory for decompression");
            if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
                return err_set(err, ERR_CORRUPT, "damaged gzip data (%s)",
                               d->z.msg ? d->z.msg : "not gzip");
            int o = d->out(d->arg, d->buf, OUT_SIZE - d->z.avail_out, err);
            if (o < 0) return o;
            d->member_done = r == Z_STREAM_END;
        } while (!d->member_done && (d->z.avail_in || d->z.avail_out == 0));
        p += k - d->z.avail_in;
        n -= k - d->z.avail_in;
        d->z.avail_in = 0;
    }
    return 0;
}

static int feed_zstd(struct decomp *d, const u8 *p, size_t n, struct err *err) {
    ZSTD_inBuffer in = {p, n, 0};
    bool full = false;
    while (in.pos < in.size || full) {
        ZSTD_outBuffer out = {d->buf, OUT_SIZE, 0};
        size_t r = ZSTD_decompressStream(d->zstd, &out, &in);
        if (ZSTD_isError(r))
            return err_set(err, ERR_CORRUPT, "damaged zstd data (%s)", ZSTD_getErrorName(r));
        d->zstd_more = r;
        int o = d->out(d->arg, d->buf, out.pos, err);
        if (o < 0) return o;
        full = out.pos == out.size && r != 0;
    }
    return 0;
}

static int feed(struct decomp *d, const u8 *p, size_t n, struct err *err) {
    switch (d->kind) {
    case DECOMP_GZIP:
        return feed_gzip(d, p, n, err);
    case DECOMP_ZSTD:
        return feed_zstd(d, p, n, err);
    default:
        return n ? d->out(d->arg, p, n, err) : 0;
    }
}

int decomp_feed(struct decomp *d, const u8 *p, size_t n, struct err *err) {
    if (d->kind == DECOMP_UNKNOWN) {
        while (n && d->nmagic < MAGIC_SIZE) d->magic[d->nmagic++] = *p++, n--;
        if (d->nmagic < MAGIC_SIZE) return 0;
        int r = start(d, err);
        if (r == 0) r = feed(d, d->magic, d->nmagic, err);
        if (r < 0) return r;
    }
    return feed(d, p, n, err);
}

int decomp_end(struct decomp *d, struct err *err) {
    if (d->kind == DECOMP_UNKNOWN) { // shorter than any magic
        int r = start(d, err);
        if (r == 0) r = feed(d, d->magic, d->nmagic, err);
        if (r < 0) return r;
    }
    if (d->kind == DECOMP_GZIP && !d->member_done)
        return err_set(err, ERR_CORRUPT, "the gzip data is cut off");
    if (d->kind == DECOMP_ZSTD && d->zstd_more != 0)
        return err_set(err, ERR_CORRUPT, "the zstd data is cut off");
    return 0;
}
