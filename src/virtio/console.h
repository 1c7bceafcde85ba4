// virtio console with two ports: 0 is the guest's console (hvc0), 1 a named byte channel.
#ifndef BERTH_VIRTIO_CONSOLE_H
#define BERTH_VIRTIO_CONSOLE_H

#include "virtio/device.h"

enum { VIRTIO_CONSOLE_PORTS = 2 };

struct virtio_console_settings {
    const char *channel_name; // of port 1, at most 63 bytes; copied
    u16 cols, rows;
    void *arg;
    // Bytes the guest wrote to a port: returns how many are taken now. When it took fewer than
    // offered, virtio_console_ready says that more fit.
    size_t (*output)(void *arg, unsigned port, const u8 *p, size_t n);
};

// NULL when out of memory.
struct virtio_device *virtio_console_create(const struct virtio_console_settings *s,
                                            struct bus *bus, const struct log *log);

// Bytes accepted into the guest's receive buffers: 0 until the guest has opened the port.
size_t virtio_console_input(struct virtio_device *d, unsigned port, const u8 *p, size_t n);
void virtio_console_ready(struct virtio_device *d, unsigned port);
void virtio_console_resize(struct virtio_device *d, u16 cols, u16 rows);

#endif
