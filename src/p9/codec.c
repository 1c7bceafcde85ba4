// Packs and unpacks 9P2000.L messages. One cursor type goes in both directions, so each message has
// one function, made from its row in codec.def, and the two directions cannot drift apart.
//
// Depends on base only. Invariants: never reads or writes outside the given bytes; an unpacked
// message points only into them; a message with bytes left over is malformed.
#include "p9/codec.h"

#include <string.h>

#include "base/buf.h"

// `in` or `out` is set, not both. Once `bad`, nothing more is read (fields become 0) or written.
struct io {
    const u8 *in;
    u8 *out;
    size_t left, total;
    bool bad;
};

// The next n bytes as an offset from the start, or bad.
static bool take(struct io *io, size_t n, size_t *at) {
    if (io->bad || n > io->left) {
        io->bad = true;
        return false;
    }
    *at = io->total - io->left;
    io->left -= n;
    return true;
}

static void io_u8(struct io *io, u8 *v) {
    size_t at;
    bool ok = take(io, 1, &at);
    if (io->in)
        *v = ok ? io->in[at] : 0;
    else if (ok)
        io->out[at] = *v;
}

static void io_u16(struct io *io, u16 *v) {
    size_t at;
    bool ok = take(io, 2, &at);
    if (io->in)
        *v = ok ? get_le16(io->in + at) : 0;
    else if (ok)
        put_le16(io->out + at, *v);
}

static void io_u32(struct io *io, u32 *v) {
    size_t at;
    bool ok = take(io, 4, &at);
    if (io->in)
        *v = ok ? get_le32(io->in + at) : 0;
    else if (ok)
        put_le32(io->out + at, *v);
}

static void io_u64(struct io *io, u64 *v) {
    size_t at;
    bool ok = take(io, 8, &at);
    if (io->in)
        *v = ok ? get_le64(io->in + at) : 0;
    else if (ok)
        put_le64(io->out + at, *v);
}

// n bytes at *p. Bytes that already stand where they go are left alone (a read's data).
static void io_bytes(struct io *io, const u8 **p, size_t n) {
    size_t at;
    bool ok = take(io, n, &at);
    if (io->in)
        *p = ok ? io->in + at : NULL;
    else if (ok && n && *p && *p != io->out + at)
        memmove(io->out + at, *p, n);
}

static void io_str(struct io *io, struct p9_str *s) {
    io_u16(io, &s->len);
    io_bytes(io, (const u8 **)&s->p, s->len);
    if (io->bad && io->in) *s = (struct p9_str){"", 0};
}

static void io_data(struct io *io, struct p9_data *d) {
    io_u32(io, &d->count);
    io_bytes(io, &d->p, d->count);
    if (io->bad && io->in) *d = (struct p9_data){NULL, 0};
}

static void io_qid(struct io *io, struct p9_qid *q) {
    io_u8(io, &q->type);
    io_u32(io, &q->version);
    io_u64(io, &q->path);
}

static void io_count(struct io *io, u16 *n) {
    io_u16(io, n);
    if (*n > P9_MAX_NAMES) {
        io->bad = true;
        *n = 0;
    }
}

static void io_names(struct io *io, struct p9_names *v) {
    io_count(io, &v->n);
    for (unsigned i = 0; i < v->n; i++) io_str(io, &v->s[i]);
}

static void io_qids(struct io *io, struct p9_qids *v) {
    io_count(io, &v->n);
    for (unsigned i = 0; i < v->n; i++) io_qid(io, &v->q[i]);
}

#define U8(f)    io_u8(io, &m->f);
#define U16(f)   io_u16(io, &m->f);
#define U32(f)   io_u32(io, &m->f);
#define U64(f)   io_u64(io, &m->f);
#define STR(f)   io_str(io, &m->f);
#define DATA(f)  io_data(io, &m->f);
#define QID(f)   io_qid(io, &m->f);
#define NAMES(f) io_names(io, &m->f);
#define QIDS(f)  io_qids(io, &m->f);
#define MSG(num, name, fields)                                                                     \
    static void io_##name(struct io *io, struct p9_##name *m) {                                    \
        (void)io, (void)m;                                                                         \
        fields                                                                                     \
    }
#include "p9/codec.def"
#undef MSG

static bool io_body(struct io *io, struct p9_msg *m) {
    switch (m->type) {
#define MSG(num, name, fields)                                                                     \
    case num:                                                                                      \
        io_##name(io, &m->name);                                                                   \
        return true;
#include "p9/codec.def"
#undef MSG
    default:
        return false;
    }
}

static void io_header(struct io *io, u32 *size, struct p9_msg *m) {
    io_u32(io, size);
    io_u8(io, &m->type);
    io_u16(io, &m->tag);
}

enum p9_codec_result p9_unpack(struct p9_msg *m, const u8 *bytes, size_t len) {
    struct io io = {.in = bytes, .left = len, .total = len};
    u32 size;
    memset(m, 0, sizeof *m);
    io_header(&io, &size, m);
    if (io.bad || size != len) return P9_BAD_HEADER;
    if (!io_body(&io, m)) return P9_UNKNOWN_TYPE;
    return io.bad || io.left ? P9_BAD_BODY : P9_OK;
}

size_t p9_pack(const struct p9_msg *m, u8 *out, size_t cap) {
    struct io io = {.out = out, .left = cap, .total = cap};
    u32 size = 0;
    // Packing never writes to the message; the cast serves the direction that does.
    struct p9_msg *mut = (struct p9_msg *)(uintptr_t)m;
    io_header(&io, &size, mut);
    if (!io_body(&io, mut) || io.bad) return 0;
    size_t len = cap - io.left;
    put_le32(out, (u32)len);
    return len;
}

const char *p9_type_name(u8 type) {
    switch (type) {
#define MSG(num, name, fields)                                                                     \
    case num:                                                                                      \
        return #name;
#include "p9/codec.def"
#undef MSG
    default:
        return "?";
    }
}

static void io_dirent(struct io *io, struct p9_qid *qid, u64 *offset, u8 *dtype,
                      struct p9_str *name) {
    io_qid(io, qid);
    io_u64(io, offset);
    io_u8(io, dtype);
    io_str(io, name);
}

size_t p9_pack_dirent(u8 *out, size_t cap, struct p9_qid qid, u64 offset, u8 dtype,
                      const char *name, size_t name_len) {
    if (name_len > 0xffff) return 0;
    struct io io = {.out = out, .left = cap, .total = cap};
    struct p9_str s = {name, (u16)name_len};
    io_dirent(&io, &qid, &offset, &dtype, &s);
    return io.bad ? 0 : cap - io.left;
}

size_t p9_unpack_dirent(const u8 *data, size_t len, struct p9_qid *qid, u64 *offset, u8 *dtype,
                        struct p9_str *name) {
    struct io io = {.in = data, .left = len, .total = len};
    io_dirent(&io, qid, offset, dtype, name);
    return io.bad ? 0 : len - io.left;
}
