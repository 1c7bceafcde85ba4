// Tar's number fields, pax records (POSIX.1-2017 "pax Extended Header") and sparse maps (GNU tar
// manual, "Storing Sparse Files"). Depends on base only. All lengths come from hostile bytes and
// are bounded by the caller (TAR_META_MAX) before they reach this file.
#include <stdlib.h>
#include <string.h>

#include "oci/tar_impl.h"

bool tar_decimal(const char *p, size_t n, u64 *v) {
    u64 r = 0;
    if (n == 0) return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9' || r > ((u64)INT64_MAX - 9) / 10) return false;
        r = r * 10 + (u64)(p[i] - '0');
    }
    *v = r;
    return true;
}

// Octal digits between spaces and NULs; an empty field is 0.
static bool octal(const u8 *p, size_t n, u64 *v) {
    u64 r = 0;
    size_t i = 0;
    while (i < n && (p[i] == ' ' || p[i] == 0)) i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (r >> 60) return false;
        r = r << 3 | (u64)(p[i] - '0');
    }
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != 0) return false;
    *v = r;
    return true;
}

bool tar_number_signed(const u8 *p, size_t n, i64 *v) {
    if (!(p[0] & 0x80)) {
        u64 u;
        if (!octal(p, n, &u) || u > INT64_MAX) return false;
        *v = (i64)u;
        return true;
    }
    // Base-256 (GNU, star): two's complement, the top bit of the first byte is the mark.
    bool neg = p[0] & 0x40;
    u64 r = neg ? ~(u64)0 : 0;
    for (size_t i = 0; i < n; i++) {
        u8 b = i ? p[i] : (u8)((p[0] & 0x7f) | (neg ? 0x80 : 0));
        if (r >> 55 != (neg ? 0x1ff : 0)) return false; // would not fit 63 bits after the shift
        r = r << 8 | b;
    }
    *v = (i64)r;
    return true;
}

bool tar_number(const u8 *p, size_t n, u64 max, u64 *v) {
    i64 s;
    if (!tar_number_signed(p, n, &s) || s < 0 || (u64)s > max) return false;
    *v = (u64)s;
    return true;
}

int tar_pax_set_name(struct buf *dst, const u8 *p, size_t n, const char *what, struct err *err) {
    while (n && p[n - 1] == 0) n--; // GNU long names carry their NUL
    if (memchr(p, 0, n))
        return err_set(err, ERR_CORRUPT, "a %s in the tar archive has a NUL byte inside", what);
    dst->len = 0;
    if (n) {
        buf_put(dst, p, n);
        buf_put_u8(dst, 0);
    }
    return dst->oom ? err_set(err, ERR_NOMEM, "out of memory reading a tar header") : 0;
}

void tar_pax_clear(struct tar_pax *x) {
    buf_free(&x->path);
    buf_free(&x->link);
    buf_free(&x->xattr_bytes);
    *x = (struct tar_pax){0};
}

int tar_map_add(struct tar_map *m, u64 off, u64 len, struct err *err) {
    if (m->n >= TAR_SPARSE_MAX)
        return err_set(err, ERR_LIMIT, "a sparse file in the tar archive has more than %d pieces",
                       TAR_SPARSE_MAX);
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 16;
        struct tar_piece *v = realloc(m->v, cap * sizeof *v);
        if (!v) return err_set(err, ERR_NOMEM, "out of memory reading a sparse file's map");
        m->v = v;
        m->cap = cap;
    }
    m->v[m->n++] = (struct tar_piece){off, len};
    return 0;
}

int tar_map_check(const struct tar_map *m, u64 size, u64 stored, const char *name,
                  struct err *err) {
    u64 end = 0, sum = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct tar_piece *p = &m->v[i];
        if (p->off < end || p->off > size || p->len > size - p->off)
            return err_set(err, ERR_CORRUPT, "the map of sparse file %.200s is out of order", name);
        end = p->off + p->len;
        sum += p->len;
    }
    if (sum != stored)
        return err_set(err, ERR_CORRUPT,
                       "the map of sparse file %.200s names %llu bytes, but %llu are stored", name,
                       (unsigned long long)sum, (unsigned long long)stored);
    return 0;
}

static int bad_record(struct err *err, const char *key) {
    return err_set(err, ERR_CORRUPT, "a pax header has a malformed %.60s record", key);
}

// "[-]seconds[.fraction]"; digits after the ninth of the fraction are dropped.
static bool pax_time(const char *p, size_t n, i64 *s, u32 *ns) {
    bool neg = n && *p == '-';
    if (neg) p++, n--;
    const char *dot = memchr(p, '.', n);
    size_t whole = dot ? (size_t)(dot - p) : n;
    u64 sec = 0;
    u32 frac = 0;
    if (!tar_decimal(p, whole, &sec)) return false;
    size_t nfrac = dot ? n - whole - 1 : 0;
    for (size_t i = 0; i < nfrac; i++)
        if (dot[1 + i] < '0' || dot[1 + i] > '9') return false;
    for (size_t i = 0; i < 9; i++) frac = frac * 10 + (i < nfrac ? (u32)(dot[1 + i] - '0') : 0);
    *s = neg ? -(i64)sec : (i64)sec;
    *ns = frac;
    if (neg && frac) {
        *s -= 1;
        *ns = 1000000000u - frac;
    }
    return true;
}

static int add_xattr(struct tar_pax *x, const char *name, size_t nlen, const char *val, size_t vlen,
                     struct err *err) {
    if (nlen == 0) return bad_record(err, "SCHILY.xattr");
    if (nlen > 255 || vlen > 65536 || x->nxattrs >= TAR_XATTRS_MAX)
        return err_set(
            err, ERR_LIMIT,
            "extended attribute %.*s is beyond what Linux holds (255 bytes of name, 64 KiB "
            "of value, %d of them)",
            (int)(nlen > 60 ? 60 : nlen), name, TAR_XATTRS_MAX);
    struct buf *b = &x->xattr_bytes;
    x->xattr[x->nxattrs].name = b->len;
    buf_put(b, name, nlen);
    buf_put_u8(b, 0);
    x->xattr[x->nxattrs].value = b->len;
    x->xattr[x->nxattrs].len = vlen;
    buf_put(b, val, vlen);
    x->nxattrs++;
    return b->oom ? err_set(err, ERR_NOMEM, "out of memory reading a tar header") : 0;
}

// "off,len,off,len...": GNU.sparse.map of format 0.1.
static int sparse_map_01(struct tar_map *map, const char *p, size_t n, struct err *err) {
    map->n = 0;
    u64 v[2];
    unsigned k = 0;
    for (size_t at = 0; at < n;) {
        const char *comma = memchr(p + at, ',', n - at);
        size_t len = comma ? (size_t)(comma - p) - at : n - at;
        if (!tar_decimal(p + at, len, &v[k])) return bad_record(err, "GNU.sparse.map");
        if (++k == 2) {
            if (tar_map_add(map, v[0], v[1], err) < 0) return -1;
            k = 0;
        }
        at += len + 1;
    }
    return k ? bad_record(err, "GNU.sparse.map") : 0;
}

static int sparse_record(struct tar_pax *x, struct tar_map *map, const char *key, const char *val,
                         size_t n, struct err *err) {
    u64 v = 0;
    bool num = tar_decimal(val, n, &v);
    x->sparse = true;
    if (!strcmp(key,
                "name")) { // the real one; `path` is a made-up name for readers that know no better
        x->sparse_name = true;
        return tar_pax_set_name(&x->path, (const u8 *)val, n, "name", err);
    }
    if (!strcmp(key, "map")) return sparse_map_01(map, val, n, err);
    if (!num) return bad_record(err, "GNU.sparse");
    if (!strcmp(key, "major")) {
        if (v > 1)
            return err_set(err, ERR_UNSUPPORTED, "GNU sparse format %llu is not known",
                           (unsigned long long)v);
        x->sparse_v1 = v == 1;
    } else if (!strcmp(key, "size") || !strcmp(key, "realsize")) {
        x->has_realsize = true;
        x->realsize = v;
    } else if (!strcmp(key, "offset")) { // 0.0: pairs of records
        x->has_offset = true;
        x->offset = v;
    } else if (!strcmp(key, "numbytes")) {
        if (!x->has_offset) return bad_record(err, "GNU.sparse.numbytes");
        x->has_offset = false;
        return tar_map_add(map, x->offset, v, err);
    }
    return 0; // minor, numblocks: implied by the rest
}

static int pax_record(struct tar_pax *x, struct tar_map *map, const char *key, size_t klen,
                      const char *val, size_t n, struct err *err) {
    static const char XATTR[] = "SCHILY.xattr.", SPARSE[] = "GNU.sparse.";
    if (klen > sizeof XATTR - 1 && !memcmp(key, XATTR, sizeof XATTR - 1))
        return add_xattr(x, key + sizeof XATTR - 1, klen - (sizeof XATTR - 1), val, n, err);
    if (klen > sizeof SPARSE - 1 && !memcmp(key, SPARSE, sizeof SPARSE - 1))
        return sparse_record(x, map, key + sizeof SPARSE - 1, val, n, err);
    bool ok = true, given = n > 0; // an empty value takes an earlier record back
    if (!strcmp(key, "path"))
        return x->sparse_name ? 0 : tar_pax_set_name(&x->path, (const u8 *)val, n, "name", err);
    if (!strcmp(key, "linkpath"))
        return tar_pax_set_name(&x->link, (const u8 *)val, n, "link target", err);
    if (!strcmp(key, "size")) {
        x->has_size = given;
        ok = !given || tar_decimal(val, n, &x->size);
    } else if (!strcmp(key, "uid")) {
        x->has_uid = given;
        ok = !given || (tar_decimal(val, n, &x->uid) && x->uid <= UINT32_MAX);
    } else if (!strcmp(key, "gid")) {
        x->has_gid = given;
        ok = !given || (tar_decimal(val, n, &x->gid) && x->gid <= UINT32_MAX);
    } else if (!strcmp(key, "mtime")) {
        x->has_mtime = given;
        ok = !given || pax_time(val, n, &x->mtime_s, &x->mtime_ns);
    }
    return ok ? 0 : bad_record(err, key);
}

// Records: "length key=value\n", length counts itself and the newline; values may hold any byte.
int tar_pax_parse(struct tar_pax *x, struct tar_map *map, const u8 *data, size_t n,
                  struct err *err) {
    const char *p = (const char *)data;
    while (n > 0 && p[0] != 0) { // some writers pad with NULs
        size_t digits = 0;
        while (digits < n && digits < 8 && p[digits] >= '0' && p[digits] <= '9') digits++;
        u64 len;
        if (digits == n || p[digits] != ' ' || !tar_decimal(p, digits, &len) || len > n ||
            len < digits + 4 || p[len - 1] != '\n')
            return bad_record(err, "length");
        const char *key = p + digits + 1;
        size_t body = (size_t)len - digits - 2;
        const char *eq = memchr(key, '=', body);
        if (!eq || eq == key || eq - key > 512) return bad_record(err, "key");
        char name[513];
        size_t klen = (size_t)(eq - key);
        memcpy(name, key, klen);
        name[klen] = 0;
        if (strlen(name) != klen) return bad_record(err, "key");
        if (pax_record(x, map, name, klen, eq + 1, body - klen - 1, err) < 0) return -1;
        p += len;
        n -= (size_t)len;
    }
    return 0;
}
