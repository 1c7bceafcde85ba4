// virtio transport for 9P: requests out of the guest, replies back into it.
#ifndef BERTH_VIRTIO_9P_H
#define BERTH_VIRTIO_9P_H

#include "virtio/device.h"

// The largest message either way; a server behind the device uses the same bound for its msize.
#define VIRTIO_9P_MSIZE (512u * 1024)

struct virtio_9p_server {
    void *arg;
    // One request; `reply` is called exactly once, now or later, with at most max_reply bytes.
    void (*submit)(void *arg, const u8 *msg, size_t len, size_t max_reply,
                   void (*reply)(void *reply_arg, const u8 *msg, size_t len), void *reply_arg);
    // The guest reset the device: forget all fids and requests; no reply may come any more.
    void (*reset)(void *arg);
};

// `tag` is copied; at most 255 bytes. NULL when out of memory.
struct virtio_device *virtio_9p_create(const char *tag, const struct virtio_9p_server *server,
                                       struct bus *bus, const struct log *log);

#endif
