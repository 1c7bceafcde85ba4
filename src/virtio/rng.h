// virtio entropy device.
#ifndef BERTH_VIRTIO_RNG_H
#define BERTH_VIRTIO_RNG_H

#include "virtio/device.h"

struct virtio_device *virtio_rng_create(struct bus *bus, const struct log *log);

#endif
