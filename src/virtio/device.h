// A virtio device without its transport: a device file fills the ops and talks to its queues
// through the functions below; a transport (mmio.h) drives the other half of this interface.
#ifndef BERTH_VIRTIO_DEVICE_H
#define BERTH_VIRTIO_DEVICE_H

#include "base/log.h"
#include "virtio/queue.h"

#define VIRTIO_MAX_QUEUES 8
#define VIRTIO_CONFIG_MAX 272

// Device IDs, virtio 1.2 section 5.
enum { VIRTIO_ID_BLK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4, VIRTIO_ID_9P = 9 };

// Feature bits of every device, section 6.
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

// Device status bits, 2.1.
enum {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 0x40,
    VIRTIO_FAILED = 0x80,
};

// Interrupt causes, 4.2.2 InterruptStatus.
enum { VIRTIO_INT_USED = 1, VIRTIO_INT_CONFIG = 2 };

struct virtio_device;

struct virtio_ops {
    // The driver made buffers available in `queue`. Called only while the device is live.
    void (*notify)(struct virtio_device *d, unsigned queue);
    // Drop every request in flight and all negotiated state. Optional.
    void (*reset)(struct virtio_device *d);
    // The driver wrote config[off, off+n), which is already stored. Optional; without it the
    // configuration is read-only.
    void (*config_written)(struct virtio_device *d, u32 off, u32 n);
    void (*destroy)(struct virtio_device *d);
};

// First member of every device.
struct virtio_device {
    const struct virtio_ops *ops;
    u32 id;
    u64 offered;  // features, the common ones included
    u64 features; // accepted by the driver
    u8 status;
    u8 config[VIRTIO_CONFIG_MAX];
    u32 config_len;
    u32 config_generation;
    unsigned nqueues;
    struct virtq queue[VIRTIO_MAX_QUEUES];
    u16 budget[VIRTIO_MAX_QUEUES]; // buffers still to be taken before control must go back
    struct bus *bus;
    const struct log *log;
    void (*interrupt)(void *arg, u32 causes); // set by the transport
    void *interrupt_arg;
};

// For device files.
void virtio_init(struct virtio_device *d, const struct virtio_ops *ops, u32 id, u64 features,
                 unsigned nqueues, u16 queue_size, struct bus *bus, const struct log *log);
static inline bool virtio_live(const struct virtio_device *d) {
    return (d->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}
// Every entry from outside other than through the transport starts with this: it bounds what is
// done before returning. A guest can lay its rings over each other, or over the buffers it has the
// device write to, so that each buffer served makes another one available.
void virtio_enter(struct virtio_device *d);
// Takes a buffer; false when there is none or the driver misbehaved (then the device has failed).
bool virtio_pop(struct virtio_device *d, unsigned queue, struct virtq_chain *c);
// Interrupts the driver if it wants to know about what was pushed.
void virtio_flush(struct virtio_device *d, unsigned queue);
void virtio_config_changed(struct virtio_device *d);
// The guest broke the protocol: DEVICE_NEEDS_RESET (2.1.2). `why` goes to the log.
void virtio_fail(struct virtio_device *d, const char *why);

// For transports.
void virtio_reset(struct virtio_device *d);
void virtio_set_status(struct virtio_device *d, u8 status);
void virtio_set_features(struct virtio_device *d, u64 features);
void virtio_queue_ready(struct virtio_device *d, unsigned queue, bool ready);
void virtio_notify(struct virtio_device *d, unsigned queue);
u64 virtio_config_read(const struct virtio_device *d, u64 off, unsigned size);
void virtio_config_write(struct virtio_device *d, u64 off, unsigned size, u64 val);

static inline void virtio_destroy(struct virtio_device *d) {
    if (d) d->ops->destroy(d);
}

#endif
