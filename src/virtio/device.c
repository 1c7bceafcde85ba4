// Role: what all virtio devices share whatever their transport: status and feature negotiation
// (virtio 1.2, 2.1, 2.2, 3.1), failure, configuration space. Depends on mem.
#include "virtio/device.h"

#include <assert.h>
#include <string.h>

#include "base/compiler.h"

void virtio_init(struct virtio_device *d, const struct virtio_ops *ops, u32 id, u64 features,
                 unsigned nqueues, u16 queue_size, struct bus *bus, const struct log *log) {
    assert(nqueues <= VIRTIO_MAX_QUEUES && queue_size <= VIRTQ_MAX_SIZE);
    d->ops = ops;
    d->id = id;
    d->offered = features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
    d->nqueues = nqueues;
    d->bus = bus;
    d->log = log;
    for (unsigned i = 0; i < nqueues; i++) {
        d->queue[i].bus = bus;
        d->queue[i].max_size = queue_size;
        virtq_reset(&d->queue[i]);
    }
}

static void interrupt(struct virtio_device *d, u32 cause) {
    if (d->interrupt) d->interrupt(d->interrupt_arg, cause);
}

// An honest driver cannot have more than a queue's size waiting, and adds nothing meanwhile.
void virtio_enter(struct virtio_device *d) {
    for (unsigned i = 0; i < d->nqueues; i++) d->budget[i] = d->queue[i].size;
}

bool virtio_pop(struct virtio_device *d, unsigned queue, struct virtq_chain *c) {
    if (!virtio_live(d) || d->budget[queue] == 0) return false;
    d->budget[queue]--;
    switch (virtq_pop(&d->queue[queue], c)) {
    case VIRTQ_OK:
        return true;
    case VIRTQ_EMPTY:
        return false;
    case VIRTQ_BROKEN:
        break;
    }
    virtio_fail(d, "malformed descriptor chain or ring index");
    return false;
}

void virtio_flush(struct virtio_device *d, unsigned queue) {
    if (virtio_live(d) && virtq_wants_interrupt(&d->queue[queue])) interrupt(d, VIRTIO_INT_USED);
}

void virtio_config_changed(struct virtio_device *d) {
    d->config_generation++;
    if (d->status & VIRTIO_DRIVER_OK) interrupt(d, VIRTIO_INT_CONFIG);
}

void virtio_fail(struct virtio_device *d, const char *why) {
    if (d->status & VIRTIO_NEEDS_RESET) return;
    d->status |= VIRTIO_NEEDS_RESET;
    log_write(d->log, LOG_WARN, "virtio device %u stopped: the guest's driver sent a %s",
              (unsigned)d->id, why);
    if (d->status & VIRTIO_DRIVER_OK) interrupt(d, VIRTIO_INT_CONFIG);
}

void virtio_reset(struct virtio_device *d) {
    // The status goes first, so that nothing the device does while dropping requests reaches the
    // guest.
    d->status = 0;
    for (unsigned i = 0; i < d->nqueues; i++) virtq_reset(&d->queue[i]);
    if (d->ops->reset) d->ops->reset(d);
    d->features = 0;
}

static bool features_acceptable(const struct virtio_device *d) {
    return !(d->features & ~d->offered) && (d->features & VIRTIO_F_VERSION_1);
}

void virtio_set_status(struct virtio_device *d, u8 status) {
    if (status == 0) {
        virtio_reset(d);
        return;
    }
    u8 before = d->status;
    // 3.1.1 step 5: the device refuses features by not keeping FEATURES_OK.
    if (!features_acceptable(d)) status &= (u8) ~(VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    if (!(status & VIRTIO_FEATURES_OK)) status &= (u8)~VIRTIO_DRIVER_OK;
    d->status = (status & (u8)~VIRTIO_NEEDS_RESET) | (before & VIRTIO_NEEDS_RESET);
    if ((d->status & ~before) & VIRTIO_FEATURES_OK)
        for (unsigned i = 0; i < d->nqueues; i++)
            d->queue[i].event_idx = d->features & VIRTIO_F_EVENT_IDX;
    // Buffers may have been made available before the device went live.
    if ((d->status & ~before) & VIRTIO_DRIVER_OK)
        for (unsigned i = 0; i < d->nqueues; i++) virtio_notify(d, i);
}

void virtio_set_features(struct virtio_device *d, u64 features) {
    if (!(d->status & VIRTIO_FEATURES_OK)) d->features = features;
}

void virtio_queue_ready(struct virtio_device *d, unsigned queue, bool ready) {
    if (queue >= d->nqueues) return;
    struct virtq *q = &d->queue[queue];
    if (!ready) {
        q->ready = false;
    } else if (!q->ready && !virtq_start(q)) {
        virtio_fail(d, "queue whose size or addresses cannot be used");
    }
}

void virtio_notify(struct virtio_device *d, unsigned queue) {
    if (queue >= d->nqueues || !virtio_live(d) || !d->queue[queue].ready) return;
    virtio_enter(d);
    d->ops->notify(d, queue);
}

u64 virtio_config_read(const struct virtio_device *d, u64 off, unsigned size) {
    u64 v = 0;
    for (unsigned i = 0; i < size; i++)
        if (off + i < d->config_len) v |= (u64)d->config[off + i] << (8 * i);
    return v;
}

void virtio_config_write(struct virtio_device *d, u64 off, unsigned size, u64 val) {
    if (!d->ops->config_written || off + size > d->config_len) return;
    for (unsigned i = 0; i < size; i++) d->config[off + i] = (u8)(val >> (8 * i));
    d->ops->config_written(d, (u32)off, size);
}
