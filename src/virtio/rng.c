// Role: virtio entropy device (virtio 1.2, 5.4), fed by host_random. Depends on mem and host.h.
#include "virtio/rng.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "host/host.h"

// The device may return less than was asked for; a huge buffer must not hold up the machine.
enum { QUEUE_SIZE = 8, PIECE = 256, MAX_PER_BUFFER = 4096 };

struct virtio_rng {
    struct virtio_device dev;
    struct virtq_chain chain;
};

static void rng_notify(struct virtio_device *d, unsigned queue) {
    struct virtio_rng *r = CONTAINER_OF(d, struct virtio_rng, dev);
    while (virtio_pop(d, queue, &r->chain)) {
        if (r->chain.in_len == 0) {
            virtio_fail(d, "entropy request without a buffer to write to");
            return;
        }
        u32 done = 0;
        while (done < r->chain.in_len && done < MAX_PER_BUFFER) {
            u8 bytes[PIECE];
            host_random(bytes, sizeof bytes);
            done += virtq_write(&d->queue[queue], &r->chain, done, bytes, sizeof bytes);
        }
        virtq_push(&d->queue[queue], r->chain.head, done);
    }
    virtio_flush(d, queue);
}

static void rng_destroy(struct virtio_device *d) { free(CONTAINER_OF(d, struct virtio_rng, dev)); }

static const struct virtio_ops rng_ops = {.notify = rng_notify, .destroy = rng_destroy};

struct virtio_device *virtio_rng_create(struct bus *bus, const struct log *log) {
    struct virtio_rng *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    virtio_init(&r->dev, &rng_ops, VIRTIO_ID_RNG, 0, 1, QUEUE_SIZE, bus, log);
    return &r->dev;
}
