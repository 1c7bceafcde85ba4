// virtio block device.
#ifndef BERTH_VIRTIO_BLK_H
#define BERTH_VIRTIO_BLK_H

#include "virtio/device.h"

// Offsets and lengths are multiples of 512 inside `size`. False: an I/O error.
struct virtio_blk_backend {
    void *arg;
    u64 size; // bytes, multiple of 512
    bool readonly;
    bool (*read)(void *arg, u64 off, u8 *dst, u32 len);
    bool (*write)(void *arg, u64 off, const u8 *src, u32 len);
    bool (*flush)(void *arg);
};

// `serial`: at most 20 characters are kept. NULL when out of memory.
struct virtio_device *virtio_blk_create(const struct virtio_blk_backend *backend,
                                        const char *serial, struct bus *bus, const struct log *log);

#endif
