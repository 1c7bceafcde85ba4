// Role: virtio-mmio registers (virtio 1.2, 4.2.2) in front of a struct virtio_device.
// Depends on mem and virtio/device.h. Registers are 32 bits wide; other widths below the
// configuration space read 0 and are ignored when written (4.2.2.2 forbids them to drivers).
#include "virtio/mmio.h"

#include <stdlib.h>

#include "base/compiler.h"

enum {
    MAGIC = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    QUEUE_SEL = 0x030,
    QUEUE_NUM_MAX = 0x034,
    QUEUE_NUM = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC_LOW = 0x080,
    QUEUE_DESC_HIGH = 0x084,
    QUEUE_DRIVER_LOW = 0x090,
    QUEUE_DRIVER_HIGH = 0x094,
    QUEUE_DEVICE_LOW = 0x0a0,
    QUEUE_DEVICE_HIGH = 0x0a4,
    SHM_LEN_LOW = 0x0b0,
    SHM_BASE_HIGH = 0x0bc,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100,
};

#define MAGIC_VALUE  0x74726976u // "virt"
#define VENDOR_VALUE 0x74726562u // "bert"

struct virtio_mmio {
    struct virtio_device *dev;
    struct irq_line irq;
    u32 int_status;
    u32 device_features_sel, driver_features_sel, queue_sel;
    u64 driver_features;
};

static void raise(void *arg, u32 causes) {
    struct virtio_mmio *t = arg;
    t->int_status |= causes;
    irq_set(&t->irq, true);
}

static struct virtq *selected(struct virtio_mmio *t) {
    return t->queue_sel < t->dev->nqueues ? &t->dev->queue[t->queue_sel] : NULL;
}

static u32 device_features(const struct virtio_mmio *t) {
    u32 sel = t->device_features_sel;
    return sel < 2 ? (u32)(t->dev->offered >> (32 * sel)) : 0;
}

static u32 register_read(struct virtio_mmio *t, u64 off) {
    struct virtq *q = selected(t);
    switch (off) {
    case MAGIC:
        return MAGIC_VALUE;
    case VERSION:
        return 2;
    case DEVICE_ID:
        return t->dev->id;
    case VENDOR_ID:
        return VENDOR_VALUE;
    case DEVICE_FEATURES:
        return device_features(t);
    case QUEUE_NUM_MAX:
        return q ? q->max_size : 0;
    case QUEUE_READY:
        return q ? q->ready : 0;
    case INTERRUPT_STATUS:
        return t->int_status;
    case STATUS:
        return t->dev->status;
    case CONFIG_GENERATION:
        return t->dev->config_generation;
    default:
        break;
    }
    // 4.2.2: an absent shared memory region has length and base -1.
    return off >= SHM_LEN_LOW && off <= SHM_BASE_HIGH ? 0xffffffff : 0;
}

static void set_low(u64 *v, u32 x) { *v = (*v & ~0xffffffffull) | x; }
static void set_high(u64 *v, u32 x) { *v = (*v & 0xffffffffull) | (u64)x << 32; }

// 4.2.2.2: a driver must not touch these while the queue is ready; such writes are ignored.
static void queue_write(struct virtq *q, u64 off, u32 v) {
    if (!q || q->ready) return;
    switch (off) {
    case QUEUE_NUM:
        q->size = v > q->max_size ? 0 : (u16)v;
        break; // 0 makes virtq_start refuse
    case QUEUE_DESC_LOW:
        set_low(&q->desc, v);
        break;
    case QUEUE_DESC_HIGH:
        set_high(&q->desc, v);
        break;
    case QUEUE_DRIVER_LOW:
        set_low(&q->avail, v);
        break;
    case QUEUE_DRIVER_HIGH:
        set_high(&q->avail, v);
        break;
    case QUEUE_DEVICE_LOW:
        set_low(&q->used, v);
        break;
    case QUEUE_DEVICE_HIGH:
        set_high(&q->used, v);
        break;
    default:
        break;
    }
}

static void write_driver_features(struct virtio_mmio *t, u32 v) {
    if (t->driver_features_sel == 0)
        set_low(&t->driver_features, v);
    else if (t->driver_features_sel == 1)
        set_high(&t->driver_features, v);
    else
        return; // no features up there; a driver that accepts some is caught by nothing being
                // offered
    virtio_set_features(t->dev, t->driver_features);
}

static void acknowledge(struct virtio_mmio *t, u32 causes) {
    t->int_status &= ~causes;
    if (!t->int_status) irq_set(&t->irq, false);
}

static void write_status(struct virtio_mmio *t, u32 v) {
    virtio_set_status(t->dev, (u8)v);
    if ((u8)v != 0) return;
    t->driver_features = 0;
    t->queue_sel = t->device_features_sel = t->driver_features_sel = 0;
    acknowledge(t, ~0u);
}

static void register_write(struct virtio_mmio *t, u64 off, u32 v) {
    switch (off) {
    case DEVICE_FEATURES_SEL:
        t->device_features_sel = v;
        break;
    case DRIVER_FEATURES:
        write_driver_features(t, v);
        break;
    case DRIVER_FEATURES_SEL:
        t->driver_features_sel = v;
        break;
    case QUEUE_SEL:
        t->queue_sel = v;
        break;
    case QUEUE_READY:
        virtio_queue_ready(t->dev, t->queue_sel, v & 1);
        break;
    case QUEUE_NOTIFY:
        virtio_notify(t->dev, v & 0xffff);
        break;
    case INTERRUPT_ACK:
        acknowledge(t, v);
        break;
    case STATUS:
        write_status(t, v);
        break;
    default:
        queue_write(selected(t), off, v);
        break;
    }
}

static u64 mmio_read(void *arg, u64 off, unsigned size) {
    struct virtio_mmio *t = arg;
    if (off >= CONFIG) return virtio_config_read(t->dev, off - CONFIG, size);
    return size == 4 && off % 4 == 0 ? register_read(t, off) : 0;
}

static void mmio_write(void *arg, u64 off, unsigned size, u64 val) {
    struct virtio_mmio *t = arg;
    if (off >= CONFIG)
        virtio_config_write(t->dev, off - CONFIG, size, val);
    else if (size == 4 && off % 4 == 0)
        register_write(t, off, (u32)val);
}

const struct mmio_ops virtio_mmio_ops = {mmio_read, mmio_write};

struct virtio_mmio *virtio_mmio_create(struct virtio_device *dev, struct irq_line irq) {
    struct virtio_mmio *t = calloc(1, sizeof *t);
    if (!t) {
        virtio_destroy(dev);
        return NULL;
    }
    t->dev = dev;
    t->irq = irq;
    dev->interrupt = raise;
    dev->interrupt_arg = t;
    return t;
}

void virtio_mmio_destroy(struct virtio_mmio *t) {
    if (!t) return;
    virtio_destroy(t->dev);
    free(t);
}

struct virtio_device *virtio_mmio_device(struct virtio_mmio *t) {
    return t->dev;
}
