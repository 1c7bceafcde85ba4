// The frame codec of the control channel. The other end is a guest and hostile: a length is checked
// as soon as its header is whole, before anything is collected, so at most one frame
// (CTL_HEADER_SIZE + CTL_MAX_PAYLOAD bytes) is ever held.
// Depends on base/. Format: include/berth/ctl.h.
#include "container/ctl.h"

#include <assert.h>

void ctl_put(struct buf *out, enum ctl_type type, unsigned session, const void *payload,
             size_t len) {
    assert(len <= CTL_MAX_PAYLOAD && session <= 0xffff && "a frame this side builds is in bounds");
    // All or nothing: half a frame in the queue would desynchronise the stream.
    if (!buf_reserve(out, CTL_HEADER_SIZE + len)) return;
    buf_put_u8(out, (u8)type);
    buf_put_u8(out, 0);
    buf_put_le16(out, (u16)session);
    buf_put_le32(out, (u32)len);
    buf_put(out, payload, len);
}

void ctl_put_u32(struct buf *out, enum ctl_type type, unsigned session, u32 v) {
    u8 t[4];
    put_le32(t, v);
    ctl_put(out, type, session, t, sizeof t);
}

void ctl_put_resize(struct buf *out, unsigned session, unsigned cols, unsigned rows) {
    u8 t[4];
    put_le16(t, (u16)cols);
    put_le16(t + 2, (u16)rows);
    ctl_put(out, CTL_RESIZE, session, t, sizeof t);
}

static int check_header(const u8 *h, struct err *err) {
    u32 len = get_le32(h + 4);
    if (h[1] != 0)
        return err_set(err, ERR_CORRUPT, "frame of type %u has flags 0x%02x, expected 0", h[0],
                       h[1]);
    if (len > CTL_MAX_PAYLOAD)
        return err_set(err, ERR_CORRUPT, "frame of type %u claims %u bytes, the limit is %u", h[0],
                       len, CTL_MAX_PAYLOAD);
    return 0;
}

static int dispatch(const u8 *h, const u8 *payload, ctl_on_frame on, void *arg, struct err *err) {
    struct ctl_frame f = {
        .type = h[0], .session = get_le16(h + 2), .len = get_le32(h + 4), .payload = payload};
    return on(arg, &f, err);
}

static int feed_some(struct ctl_reader *r, const u8 **p, size_t *n, ctl_on_frame on, void *arg,
                     struct err *err) {
    int rc;
    // Whole frames in the input need no copy.
    if (r->part.len == 0 && *n >= CTL_HEADER_SIZE) {
        if ((rc = check_header(*p, err)) < 0) return rc;
        size_t total = CTL_HEADER_SIZE + get_le32(*p + 4);
        if (*n >= total) {
            const u8 *h = *p;
            *p += total;
            *n -= total;
            return dispatch(h, h + CTL_HEADER_SIZE, on, arg, err);
        }
    }
    size_t want = CTL_HEADER_SIZE;
    if (r->part.len >= CTL_HEADER_SIZE) want += get_le32(r->part.data + 4);
    size_t take = want - r->part.len < *n ? want - r->part.len : *n;
    buf_put(&r->part, *p, take);
    if (r->part.oom) return err_set(err, ERR_NOMEM, "out of memory for a frame");
    *p += take;
    *n -= take;
    if (r->part.len < CTL_HEADER_SIZE) return 0;
    if (want == CTL_HEADER_SIZE && (rc = check_header(r->part.data, err)) < 0) return rc;
    if (r->part.len < CTL_HEADER_SIZE + get_le32(r->part.data + 4)) return 0;
    rc = dispatch(r->part.data, r->part.data + CTL_HEADER_SIZE, on, arg, err);
    r->part.len = 0;
    return rc;
}

int ctl_reader_feed(struct ctl_reader *r, const u8 *p, size_t n, ctl_on_frame on, void *arg,
                    struct err *err) {
    if (r->broken) return err_set(err, ERR_CORRUPT, "the control channel is already broken");
    while (n) {
        int rc = feed_some(r, &p, &n, on, arg, err);
        if (rc < 0) {
            r->broken = true;
            return rc;
        }
    }
    return 0;
}

void ctl_reader_free(struct ctl_reader *r) { buf_free(&r->part); }

// What each type the guest may send looks like.
static const struct guest_frame {
    u8 type;
    const char *name;
    bool with_session; // belongs to a session, not to the container
    bool fixed;        // payload of exactly 4 bytes
} guest_frames[] = {
    {CTL_READY, "READY", false, true},   {CTL_STDOUT, "STDOUT", true, false},
    {CTL_STDERR, "STDERR", true, false}, {CTL_EXIT, "EXIT", true, true},
    {CTL_ERROR, "ERROR", false, false},  {CTL_CREDIT, "CREDIT", true, true},
    {CTL_PRELOADED, "PRELOADED", false, true},
};

int ctl_check_from_guest(const struct ctl_frame *f, struct err *err) {
    for (size_t i = 0; i < ARRAY_LEN(guest_frames); i++) {
        const struct guest_frame *g = &guest_frames[i];
        if (g->type != f->type) continue;
        if (g->fixed && f->len != 4)
            return err_set(err, ERR_CORRUPT, "%s frame has %u bytes, expected 4", g->name, f->len);
        if (g->with_session && f->session == 0)
            return err_set(err, ERR_CORRUPT, "%s frame names no session", g->name);
        return 0;
    }
    return err_set(err, ERR_CORRUPT, "unknown frame type %u", f->type);
}
