// Frames of the control channel (include/berth/ctl.h): building and taking apart, both directions.
#ifndef BERTH_CONTAINER_CTL_H
#define BERTH_CONTAINER_CTL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "berth/ctl.h"

struct ctl_frame {
    u8 type;
    u16 session;
    u32 len;
    const u8 *payload; // valid during the callback only
};

// Appends one frame; `len` is at most CTL_MAX_PAYLOAD (asserted).
void ctl_put(struct buf *out, enum ctl_type type, unsigned session, const void *payload,
             size_t len);
void ctl_put_u32(struct buf *out, enum ctl_type type, unsigned session, u32 v);
void ctl_put_resize(struct buf *out, unsigned session, unsigned cols, unsigned rows);

// Collects a byte stream into frames. Zero-initialise.
struct ctl_reader {
    struct buf part; // the frame not yet complete
    bool broken;     // after an error nothing more is read
};

// `frame` returns <0 (with `err` filled) to stop the stream for good.
typedef int (*ctl_on_frame)(void *arg, const struct ctl_frame *f, struct err *err);

// Takes all `n` bytes, calling `on` for each whole frame. <0: the stream is malformed, `err` says
// how.
int ctl_reader_feed(struct ctl_reader *r, const u8 *p, size_t n, ctl_on_frame on, void *arg,
                    struct err *err);
void ctl_reader_free(struct ctl_reader *r);

// A frame's type, session and length agree with what the guest may send.
int ctl_check_from_guest(const struct ctl_frame *f, struct err *err);

#endif
