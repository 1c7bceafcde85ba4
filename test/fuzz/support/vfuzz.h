// A hostile virtio driver played from fuzz data: registers, rings, descriptors and host events in
// any order.
#ifndef BERTH_TEST_VFUZZ_H
#define BERTH_TEST_VFUZZ_H

#include "base/buf.h"
#include "virtio/mmio.h"

#define VF_RAM_BASE 0x80000000ull
#define VF_RAM_SIZE (1u << 20)

struct bus *vf_bus(void); // RAM at VF_RAM_BASE

// Plays `data` against the device behind a transport on `bus`, then destroys device and bus.
// `event` (may be NULL) is something the host does, chosen by one byte of data and fed by what
// follows.
void vf_play(struct bus *bus, struct virtio_device *dev, const u8 *data, size_t size,
             void (*event)(void *arg, u8 what, struct rd *r), void *arg);

#endif
