// The virtio-mmio transport, version 2 (virtio 1.2, 4.2).
#ifndef BERTH_VIRTIO_MMIO_H
#define BERTH_VIRTIO_MMIO_H

#include "mem/irq.h"
#include "virtio/device.h"

#define VIRTIO_MMIO_SIZE 0x1000u

struct virtio_mmio;

// Owns `dev` from now on (also when it returns NULL: out of memory, the device is destroyed).
struct virtio_mmio *virtio_mmio_create(struct virtio_device *dev, struct irq_line irq);
void virtio_mmio_destroy(struct virtio_mmio *t);
struct virtio_device *virtio_mmio_device(struct virtio_mmio *t);
extern const struct mmio_ops virtio_mmio_ops;

#endif
