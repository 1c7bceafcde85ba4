// The tar reader's state machine: blocks in, entries out. Depends on base only.
//
// Formats: ustar and pax (POSIX.1-2017), GNU (long names 'L'/'K', sparse 'S', base-256 numbers),
// star's prefix, v7. A header is believed only with a right checksum. Two zero blocks end the
// archive (or its plain end between entries, as many writers leave it); what follows is ignored.
// Global pax headers are passed over, as container engines do.
#include "oci/tar.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "oci/tar_impl.h"

enum state {
    HEADER,     // collecting a block that is a header
    ZERO,       // one zero block was seen
    META,       // collecting a pax header's or long name's bytes
    SPARSE_EXT, // collecting a continuation block of an old GNU sparse map
    SPARSE_V1,  // collecting the map of a pax 1.0 sparse file, in blocks
    DATA,
    PADDING, // rest of the last block of data or META
    DONE,
};

// Offsets of header fields.
enum {
    H_NAME = 0,
    H_MODE = 100,
    H_UID = 108,
    H_GID = 116,
    H_SIZE = 124,
    H_MTIME = 136,
    H_CHKSUM = 148,
    H_TYPE = 156,
    H_LINK = 157,
    H_MAGIC = 257,
    H_DEVMAJOR = 329,
    H_DEVMINOR = 337,
    H_PREFIX = 345,
    H_SPARSE = 386, // old GNU: four pairs of 12-byte fields
    H_ISEXTENDED = 482,
    H_REALSIZE = 483,
    H_STAR = 508,
    EXT_PAIRS = 21,
    EXT_ISEXTENDED = 504,
};

struct tar {
    struct tar_sink sink;
    enum state state;
    u64 offset; // bytes consumed
    u8 block[TAR_BLOCK_SIZE];
    size_t have; // bytes of `block`
    u64 left;    // bytes of META or DATA still to come
    u32 padding; // then this many to the next block
    char meta_type;
    struct buf meta;
    struct tar_pax pax;
    struct tar_map map; // of the entry at hand; empty: contiguous
    size_t piece;       // DATA: the piece being filled, and bytes of it done
    u64 piece_done;
    bool discard; // DATA nobody wants
    // The entry whose header came, while its sparse map is still being read.
    struct tar_entry e;
    struct buf path, link; // with NUL
    u64 stored;            // bytes that follow
    u64 v1_numbers;        // SPARSE_V1: numbers still expected, ~0: the count itself
    u64 v1_off;
    bool v1_half; // an offset was read, its length comes next
};

struct tar *tar_create(const struct tar_sink *sink) {
    struct tar *t = calloc(1, sizeof *t);
    if (t) t->sink = *sink;
    return t;
}

void tar_destroy(struct tar *t) {
    if (!t) return;
    tar_pax_clear(&t->pax);
    buf_free(&t->meta);
    buf_free(&t->path);
    buf_free(&t->link);
    free(t->map.v);
    free(t);
}

static const char *name_of(struct tar *t) { return t->path.len ? (char *)t->path.data : "?"; }

static int bad_field(struct tar *t, const char *field, struct err *err) {
    return err_set(err, ERR_CORRUPT, "the tar header of %.200s has a bad %s", name_of(t), field);
}

static bool checksum_ok(const u8 *h) {
    u64 want;
    if (!tar_number(h + H_CHKSUM, 8, UINT32_MAX, &want)) return false;
    u32 sum = 0;
    i32 sum_signed = 0; // old writers summed signed chars
    for (int i = 0; i < TAR_BLOCK_SIZE; i++) {
        u8 b = i >= H_CHKSUM && i < H_CHKSUM + 8 ? ' ' : h[i];
        sum += b;
        sum_signed += (signed char)b;
    }
    return want == sum || (i64)want == sum_signed;
}

// A name field that need not end in NUL, into `dst` with NUL. `prefix` goes before it with a slash.
static void field_name(struct buf *dst, const u8 *prefix, size_t plen, const u8 *p, size_t n) {
    dst->len = 0;
    size_t pl = prefix ? strnlen((const char *)prefix, plen) : 0;
    if (pl) {
        buf_put(dst, prefix, pl);
        buf_put_u8(dst, '/');
    }
    buf_put(dst, p, strnlen((const char *)p, n));
    buf_put_u8(dst, 0);
}

static int read_names(struct tar *t, struct err *err) {
    const u8 *h = t->block;
    const u8 *prefix = NULL;
    size_t plen = 0;
    if (!memcmp(h + H_MAGIC, "ustar\0", 6)) {
        prefix = h + H_PREFIX;
        plen = !memcmp(h + H_STAR, "tar\0", 4) ? 131 : 155;
    }
    if (t->pax.path.len) {
        t->path.len = 0;
        buf_put(&t->path, t->pax.path.data, t->pax.path.len);
    } else {
        field_name(&t->path, prefix, plen, h + H_NAME, 100);
    }
    if (t->pax.link.len) {
        t->link.len = 0;
        buf_put(&t->link, t->pax.link.data, t->pax.link.len);
    } else {
        field_name(&t->link, NULL, 0, h + H_LINK, 100);
    }
    if (t->path.oom || t->link.oom) return err_set(err, ERR_NOMEM, "out of memory reading a tar");
    if (t->path.data[0] == 0) return err_set(err, ERR_CORRUPT, "a tar entry has an empty name");
    return 0;
}

static int read_numbers(struct tar *t, struct err *err) {
    const u8 *h = t->block;
    struct tar_entry *e = &t->e;
    const struct tar_pax *x = &t->pax;
    u64 mode, uid, gid, size, major = 0, minor = 0;
    if (!tar_number(h + H_MODE, 8, UINT32_MAX, &mode)) return bad_field(t, "mode", err);
    if (!tar_number(h + H_UID, 8, UINT32_MAX, &uid) && !x->has_uid) return bad_field(t, "uid", err);
    if (!tar_number(h + H_GID, 8, UINT32_MAX, &gid) && !x->has_gid) return bad_field(t, "gid", err);
    if (!tar_number(h + H_SIZE, 12, INT64_MAX, &size) && !x->has_size)
        return bad_field(t, "size", err);
    if (!tar_number_signed(h + H_MTIME, 12, &e->mtime_s)) return bad_field(t, "time", err);
    e->mtime_ns = 0;
    if (x->has_mtime) e->mtime_s = x->mtime_s, e->mtime_ns = x->mtime_ns;
    e->mode = (u32)mode & 07777;
    e->uid = (u32)(x->has_uid ? x->uid : uid);
    e->gid = (u32)(x->has_gid ? x->gid : gid);
    t->stored = x->has_size ? x->size : size;
    if (e->type == TAR_CHAR || e->type == TAR_BLOCK) {
        if (!tar_number(h + H_DEVMAJOR, 8, UINT32_MAX, &major) ||
            !tar_number(h + H_DEVMINOR, 8, UINT32_MAX, &minor))
            return bad_field(t, "device number", err);
    }
    e->devmajor = (u32)major;
    e->devminor = (u32)minor;
    return 0;
}

static int read_type(struct tar *t, struct err *err) {
    size_t n = t->path.len - 1;
    bool slash = n && t->path.data[n - 1] == '/';
    switch (t->block[H_TYPE]) {
    case 0:
    case '0':
    case '7':
        t->e.type = slash ? TAR_DIR : TAR_FILE;
        return 0;
    case 'S':
        t->e.type = TAR_FILE;
        return 0;
    case '1':
        t->e.type = TAR_HARDLINK;
        return 0;
    case '2':
        t->e.type = TAR_SYMLINK;
        return 0;
    case '3':
        t->e.type = TAR_CHAR;
        return 0;
    case '4':
        t->e.type = TAR_BLOCK;
        return 0;
    case '5':
    case 'D':
        t->e.type = TAR_DIR;
        return 0;
    case '6':
        t->e.type = TAR_FIFO;
        return 0;
    default:
        return err_set(err, ERR_UNSUPPORTED, "tar entry %.200s has type 0x%02x, which is not known",
                       name_of(t), t->block[H_TYPE]);
    }
}

static void begin_data(struct tar *t, u64 n, bool discard) {
    t->left = n;
    t->padding = (u32)(-n & (TAR_BLOCK_SIZE - 1));
    t->discard = discard || !t->sink.data;
    t->piece = 0;
    t->piece_done = 0;
    t->have = 0;
    t->state = n ? DATA : HEADER;
}

// All is known about the entry: give it out and go on with its contents.
static int emit_entry(struct tar *t, struct err *err) {
    struct tar_entry *e = &t->e;
    struct tar_xattr xattrs[TAR_XATTRS_MAX];
    for (unsigned i = 0; i < t->pax.nxattrs; i++) {
        const u8 *b = t->pax.xattr_bytes.data;
        xattrs[i] = (struct tar_xattr){(const char *)b + t->pax.xattr[i].name,
                                       b + t->pax.xattr[i].value, t->pax.xattr[i].len};
    }
    e->xattrs = xattrs;
    e->nxattrs = t->pax.nxattrs;
    e->path = (const char *)t->path.data;
    e->link = e->type == TAR_HARDLINK || e->type == TAR_SYMLINK ? (const char *)t->link.data : "";
    if (t->map.n && tar_map_check(&t->map, e->size, t->stored, e->path, err) < 0) return -1;
    int r = t->sink.entry(t->sink.arg, e, err);
    tar_pax_clear(&t->pax);
    if (r < 0) return r;
    begin_data(t, t->stored, e->type != TAR_FILE);
    return 0;
}

// Four or 21 pairs of 12-byte fields; an empty length field ends the list.
static int old_sparse_pairs(struct tar *t, const u8 *p, unsigned n, struct err *err) {
    for (unsigned i = 0; i < n; i++, p += 24) {
        u64 off, len;
        if (p[12] == 0) break;
        if (!tar_number(p, 12, INT64_MAX, &off) || !tar_number(p + 12, 12, INT64_MAX, &len))
            return bad_field(t, "sparse map", err);
        if (tar_map_add(&t->map, off, len, err) < 0) return -1;
    }
    return 0;
}

// A sparse file with no pieces at all still needs a map, else it would look contiguous.
static int sparse_ready(struct tar *t, struct err *err) {
    if (t->map.n == 0 && tar_map_add(&t->map, t->e.size, 0, err) < 0) return -1;
    return emit_entry(t, err);
}

static int begin_sparse(struct tar *t, struct err *err) {
    if (t->block[H_TYPE] == 'S') {
        t->map.n = 0;
        if (!tar_number(t->block + H_REALSIZE, 12, INT64_MAX, &t->e.size))
            return bad_field(t, "real size", err);
        if (old_sparse_pairs(t, t->block + H_SPARSE, 4, err) < 0) return -1;
        t->state = SPARSE_EXT;
        return t->block[H_ISEXTENDED] ? 0 : sparse_ready(t, err);
    }
    if (!t->pax.has_realsize) return bad_field(t, "sparse size", err);
    t->e.size = t->pax.realsize;
    if (!t->pax.sparse_v1) return sparse_ready(t, err);
    t->map.n = 0;
    t->v1_numbers = ~(u64)0;
    t->v1_half = false;
    t->meta.len = 0;
    t->state = SPARSE_V1;
    return 0;
}

static int begin_meta(struct tar *t, struct err *err) {
    u64 size;
    t->meta_type = (char)t->block[H_TYPE];
    if (!tar_number(t->block + H_SIZE, 12, INT64_MAX, &size))
        return err_set(err, ERR_CORRUPT, "a tar extension header has a bad size");
    bool wanted = strchr("xLK", t->meta_type) != NULL;
    if (wanted && size > TAR_META_MAX)
        return err_set(err, ERR_LIMIT, "a tar extension header is %llu bytes long; at most 1 MiB",
                       (unsigned long long)size);
    begin_data(t, size, true);
    t->meta.len = 0;
    if (wanted) t->state = META;
    if (wanted && size == 0) t->state = HEADER;
    return 0;
}

static int header_block(struct tar *t, struct err *err) {
    static const u8 zero[TAR_BLOCK_SIZE];
    const u8 *h = t->block;
    t->have = 0;
    if (!memcmp(h, zero, sizeof zero)) {
        t->state = t->state == ZERO ? DONE : ZERO;
        return 0;
    }
    if (t->state == ZERO || !checksum_ok(h))
        return err_set(
            err, ERR_CORRUPT,
            "not a tar archive, or a damaged one: wrong header checksum at byte %llu%s%s",
            (unsigned long long)(t->offset - TAR_BLOCK_SIZE), t->path.len ? " after entry " : "",
            t->path.len ? name_of(t) : "");
    t->state = HEADER;
    if (h[H_TYPE] && strchr("xXgLKNV", h[H_TYPE])) return begin_meta(t, err);
    if (!t->pax.sparse) t->map.n = 0;
    t->e = (struct tar_entry){0};
    if (read_names(t, err) < 0 || read_type(t, err) < 0 || read_numbers(t, err) < 0) return -1;
    bool header_only = t->e.type != TAR_FILE && h[H_TYPE] != 'D';
    // Links, devices and directories have no contents whatever the size field says.
    if (header_only) t->stored = 0;
    if (t->e.type != TAR_FILE) {
        t->map.n = 0;
        return emit_entry(t, err);
    }
    if (h[H_TYPE] == 'S' || t->pax.sparse) return begin_sparse(t, err);
    t->e.size = t->stored;
    return emit_entry(t, err);
}

static int sparse_ext_block(struct tar *t, struct err *err) {
    t->have = 0;
    if (old_sparse_pairs(t, t->block, EXT_PAIRS, err) < 0) return -1;
    return t->block[EXT_ISEXTENDED] ? 0 : sparse_ready(t, err);
}

// Numbers in decimal, one a line: how many pieces, then offset and length of each; filled to a
// block.
static int sparse_v1_number(struct tar *t, u64 v, struct err *err) {
    if (t->v1_numbers == ~(u64)0) {
        if (v > TAR_SPARSE_MAX) return bad_field(t, "sparse map", err);
        t->v1_numbers = 2 * v;
        return 0;
    }
    t->v1_numbers--;
    t->v1_half = !t->v1_half;
    if (t->v1_half)
        t->v1_off = v;
    else
        return tar_map_add(&t->map, t->v1_off, v, err);
    return 0;
}

static int sparse_v1_block(struct tar *t, struct err *err) {
    t->have = 0;
    if (t->stored < TAR_BLOCK_SIZE) return bad_field(t, "sparse map", err);
    t->stored -= TAR_BLOCK_SIZE;
    buf_put(&t->meta, t->block, TAR_BLOCK_SIZE);
    if (t->meta.oom) return err_set(err, ERR_NOMEM, "out of memory reading a sparse file's map");
    size_t at = 0;
    while (t->v1_numbers) {
        const u8 *nl = memchr(t->meta.data + at, '\n', t->meta.len - at);
        if (!nl) break;
        size_t n = (size_t)(nl - t->meta.data) - at;
        u64 v;
        if (!tar_decimal((char *)t->meta.data + at, n, &v)) return bad_field(t, "sparse map", err);
        if (sparse_v1_number(t, v, err) < 0) return -1;
        at += n + 1;
    }
    buf_consume(&t->meta, at);
    if (!t->v1_numbers) return sparse_ready(t, err);
    return t->meta.len > 32 ? bad_field(t, "sparse map", err) : 0;
}

static int meta_done(struct tar *t, struct err *err) {
    const u8 *p = t->meta.data;
    size_t n = t->meta.len;
    t->state = t->padding ? PADDING : HEADER;
    if (t->meta_type == 'L') return tar_pax_set_name(&t->pax.path, p, n, "name", err);
    if (t->meta_type == 'K') return tar_pax_set_name(&t->pax.link, p, n, "link target", err);
    if (!t->pax.sparse) t->map.n = 0;
    return tar_pax_parse(&t->pax, &t->map, p, n, err);
}

// Gives out contents, cut along the sparse map.
static int data_bytes(struct tar *t, const u8 *p, size_t n, struct err *err) {
    if (t->discard) return 0;
    if (t->map.n == 0) {
        int r = t->sink.data(t->sink.arg, t->piece_done, p, n, err);
        t->piece_done += n;
        return r;
    }
    while (n) {
        assert(t->piece < t->map.n && "the map was checked against the bytes stored");
        const struct tar_piece *m = &t->map.v[t->piece];
        u64 room = m->len - t->piece_done;
        size_t k = n < room ? n : (size_t)room;
        int r = k ? t->sink.data(t->sink.arg, m->off + t->piece_done, p, k, err) : 0;
        if (r < 0) return r;
        p += k;
        n -= k;
        t->piece_done += k;
        if (t->piece_done == m->len) {
            t->piece++;
            t->piece_done = 0;
        }
    }
    return 0;
}

static int whole_block(struct tar *t, struct err *err) {
    switch (t->state) {
    case HEADER:
    case ZERO:
        return header_block(t, err);
    case SPARSE_EXT:
        return sparse_ext_block(t, err);
    case SPARSE_V1:
        return sparse_v1_block(t, err);
    default:
        assert(!"state reads blocks");
        return 0;
    }
}

static void data_done(struct tar *t) { t->state = t->padding ? PADDING : HEADER; }

int tar_feed(struct tar *t, const u8 *p, size_t n, struct err *err) {
    while (n && t->state != DONE) {
        size_t k;
        int r = 0;
        if (t->state == DATA || t->state == META) {
            k = n < t->left ? n : (size_t)t->left;
            t->left -= k;
            t->offset += k;
            if (t->state == DATA) {
                r = data_bytes(t, p, k, err);
                if (!t->left) data_done(t);
            } else {
                buf_put(&t->meta, p, k);
                if (t->meta.oom) r = err_set(err, ERR_NOMEM, "out of memory reading a tar header");
                if (r == 0 && !t->left) r = meta_done(t, err);
            }
        } else if (t->state == PADDING) {
            k = n < t->padding ? n : t->padding;
            t->padding -= (u32)k;
            t->offset += k;
            if (!t->padding) t->state = HEADER;
        } else {
            k = TAR_BLOCK_SIZE - t->have;
            if (k > n) k = n;
            memcpy(t->block + t->have, p, k);
            t->have += k;
            t->offset += k;
            if (t->have == TAR_BLOCK_SIZE) r = whole_block(t, err);
        }
        if (r < 0) return r;
        p += k;
        n -= k;
    }
    return 0;
}

int tar_end(struct tar *t, struct err *err) {
    bool between = (t->state == HEADER || t->state == ZERO) && t->have == 0;
    // Some writers leave out the padding of the last file, or pad the end short of a block with
    // zeros.
    if (t->state == DONE || between || t->state == PADDING) return 0;
    if (t->path.len)
        return err_set(err, ERR_CORRUPT, "the tar archive is cut off in or after entry %.200s",
                       name_of(t));
    return err_set(err, ERR_CORRUPT, "not a tar archive: it ends inside the first header");
}

bool tar_done(const struct tar *t) { return t->state == DONE; }

u64 tar_offset(const struct tar *t) { return t->offset; }

u64 tar_skippable(const struct tar *t) {
    if (t->state == PADDING) return t->padding;
    return t->state == DATA && t->discard ? t->left + t->padding : 0;
}

void tar_skip(struct tar *t, u64 n) {
    assert(n == tar_skippable(t) && "all that may be skipped, or nothing");
    if (n == 0) return;
    t->offset += n;
    t->left = 0;
    t->padding = 0;
    t->state = HEADER;
}
