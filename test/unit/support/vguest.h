// A guest's virtio driver in miniature: writes rings into RAM and registers through the bus.
#ifndef BERTH_TEST_VGUEST_H
#define BERTH_TEST_VGUEST_H

#include "virtio/mmio.h"

#define VG_RAM_BASE 0x80000000ull
#define VG_RAM_SIZE (32u << 20)
#define VG_MMIO     0x10001000ull

struct vg_queue {
    u16 size, next_desc, avail_idx, last_used;
    gpa desc, avail, used;
};

struct vg {
    struct bus *bus;
    struct virtio_mmio *t;
    bool irq; // level of the interrupt line
    unsigned irq_edges;
    gpa free; // bump allocator over RAM
    struct vg_queue q[VIRTIO_MAX_QUEUES];
};

// The bus comes first, because devices are created on it.
void vg_init(struct vg *g);
void vg_attach(struct vg *g, struct virtio_device *dev); // owned by the fixture
void vg_free(struct vg *g);

u32 vg_reg(struct vg *g, u32 off);
void vg_set(struct vg *g, u32 off, u32 val);
u64 vg_config(struct vg *g, u32 off, unsigned size);

// Reset, ACKNOWLEDGE, DRIVER, features (VERSION_1 is added), FEATURES_OK. Then queues, then vg_go.
bool vg_start(struct vg *g, u64 features);
void vg_queue(struct vg *g, unsigned queue, u16 size);
void vg_go(struct vg *g); // DRIVER_OK

gpa vg_alloc(struct vg *g, u32 len);
gpa vg_put(struct vg *g, const void *p, u32 len); // alloc + write

struct vg_seg {
    gpa addr;
    u32 len;
    bool write;
};
// A descriptor, raw; flags as in the specification.
void vg_desc(struct vg *g, unsigned queue, u16 index, gpa addr, u32 len, u16 flags, u16 next);
// Makes a chain of descriptors available; returns its head. Does not notify.
u16 vg_add(struct vg *g, unsigned queue, const struct vg_seg *segs, unsigned n);
u16 vg_add_indirect(struct vg *g, unsigned queue, const struct vg_seg *segs, unsigned n);
void vg_avail(struct vg *g, unsigned queue, u16 head);
void vg_kick(struct vg *g, unsigned queue);
// The next used element; false when there is none.
bool vg_used(struct vg *g, unsigned queue, u16 *head, u32 *len);
void vg_ack(struct vg *g); // acknowledges all causes

u16 vg_load16(struct vg *g, gpa pa);
void vg_store16(struct vg *g, gpa pa, u16 v);

// Register offsets used by tests.
enum {
    VR_FEATURES_SEL = 0x14,
    VR_FEATURES = 0x10,
    VR_DRIVER_FEATURES = 0x20,
    VR_DRIVER_FEATURES_SEL = 0x24,
    VR_QUEUE_SEL = 0x30,
    VR_QUEUE_NUM_MAX = 0x34,
    VR_QUEUE_NUM = 0x38,
    VR_QUEUE_READY = 0x44,
    VR_NOTIFY = 0x50,
    VR_INT = 0x60,
    VR_ACK = 0x64,
    VR_STATUS = 0x70,
    VR_DESC = 0x80,
    VR_DRIVER = 0x90,
    VR_DEVICE = 0xa0,
    VR_GENERATION = 0xfc,
    VR_CONFIG = 0x100,
};

#endif
