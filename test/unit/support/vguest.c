// Role: see vguest.h. Asserts rather than reports: a failure here is a bug of the test.
#include "support/vguest.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

static void line(void *arg, unsigned irq, bool level) {
    struct vg *g = arg;
    assert(irq == 1);
    if (level && !g->irq) g->irq_edges++;
    g->irq = level;
}

void vg_init(struct vg *g) {
    memset(g, 0, sizeof *g);
    g->bus = bus_create(VG_RAM_BASE, VG_RAM_SIZE, NULL);
    assert(g->bus);
    g->free = VG_RAM_BASE + 0x1000;
}

void vg_attach(struct vg *g, struct virtio_device *dev) {
    assert(dev);
    g->t = virtio_mmio_create(dev, (struct irq_line){line, g, 1});
    assert(g->t);
    bus_add_mmio(g->bus, VG_MMIO, VIRTIO_MMIO_SIZE, &virtio_mmio_ops, g->t);
}

void vg_free(struct vg *g) {
    virtio_mmio_destroy(g->t);
    bus_destroy(g->bus);
}

u32 vg_reg(struct vg *g, u32 off) { return (u32)vg_config(g, off - VR_CONFIG, 4); }

u64 vg_config(struct vg *g, u32 off, unsigned size) {
    u64 v = 0;
    bool ok = bus_mmio_read(g->bus, VG_MMIO + (u32)(VR_CONFIG + off), size, &v);
    assert(ok);
    (void)ok;
    return v;
}

void vg_set(struct vg *g, u32 off, u32 val) {
    bool ok = bus_mmio_write(g->bus, VG_MMIO + off, 4, val);
    assert(ok);
    (void)ok;
}

bool vg_start(struct vg *g, u64 features) {
    vg_set(g, VR_STATUS, 0);
    memset(g->q, 0, sizeof g->q);
    vg_set(g, VR_STATUS, VIRTIO_ACKNOWLEDGE);
    vg_set(g, VR_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    features |= VIRTIO_F_VERSION_1;
    for (u32 i = 0; i < 2; i++) {
        vg_set(g, VR_DRIVER_FEATURES_SEL, i);
        vg_set(g, VR_DRIVER_FEATURES, (u32)(features >> (32 * i)));
    }
    vg_set(g, VR_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    return vg_reg(g, VR_STATUS) & VIRTIO_FEATURES_OK;
}

void vg_queue(struct vg *g, unsigned queue, u16 size) {
    struct vg_queue *q = &g->q[queue];
    *q = (struct vg_queue){.size = size};
    q->desc = vg_alloc(g, 16u * size);
    q->avail = vg_alloc(g, 6u + 2u * size);
    q->used = vg_alloc(g, 6u + 8u * size);
    vg_set(g, VR_QUEUE_SEL, queue);
    vg_set(g, VR_QUEUE_NUM, size);
    vg_set(g, VR_DESC, (u32)q->desc);
    vg_set(g, VR_DESC + 4, (u32)(q->desc >> 32));
    vg_set(g, VR_DRIVER, (u32)q->avail);
    vg_set(g, VR_DRIVER + 4, (u32)(q->avail >> 32));
    vg_set(g, VR_DEVICE, (u32)q->used);
    vg_set(g, VR_DEVICE + 4, (u32)(q->used >> 32));
    vg_set(g, VR_QUEUE_READY, 1);
}

void vg_go(struct vg *g) { vg_set(g, VR_STATUS, vg_reg(g, VR_STATUS) | VIRTIO_DRIVER_OK); }

gpa vg_alloc(struct vg *g, u32 len) {
    gpa at = g->free;
    g->free = (at + len + 63) & ~63ull;
    u8 *p = bus_ram_ptr(g->bus, at, len);
    assert(p && "the test wants more RAM than the fixture has");
    memset(p, 0, len);
    return at;
}

gpa vg_put(struct vg *g, const void *p, u32 len) {
    gpa at = vg_alloc(g, len);
    bus_write(g->bus, at, p, len);
    return at;
}

static void write_desc(struct vg *g, gpa at, gpa addr, u32 len, u16 flags, u16 next) {
    u8 d[16];
    put_le64(d, addr);
    put_le32(d + 8, len);
    put_le16(d + 12, flags);
    put_le16(d + 14, next);
    bool ok = bus_write(g->bus, at, d, sizeof d);
    assert(ok);
    (void)ok;
}

void vg_desc(struct vg *g, unsigned queue, u16 index, gpa addr, u32 len, u16 flags, u16 next) {
    write_desc(g, g->q[queue].desc + 16u * index, addr, len, flags, next);
}

u16 vg_add(struct vg *g, unsigned queue, const struct vg_seg *segs, unsigned n) {
    struct vg_queue *q = &g->q[queue];
    u16 head = q->next_desc;
    for (unsigned i = 0; i < n; i++) {
        u16 at = q->next_desc, next = (u16)((at + 1) % q->size);
        u16 flags = (u16)((segs[i].write ? 2 : 0) | (i + 1 < n ? 1 : 0));
        vg_desc(g, queue, at, segs[i].addr, segs[i].len, flags, next);
        q->next_desc = next;
    }
    vg_avail(g, queue, head);
    return head;
}

u16 vg_add_indirect(struct vg *g, unsigned queue, const struct vg_seg *segs, unsigned n) {
    struct vg_queue *q = &g->q[queue];
    gpa table = vg_alloc(g, 16 * n);
    for (unsigned i = 0; i < n; i++)
        write_desc(g, table + 16 * i, segs[i].addr, segs[i].len,
                   (u16)((segs[i].write ? 2 : 0) | (i + 1 < n ? 1 : 0)), (u16)(i + 1));
    u16 head = q->next_desc;
    vg_desc(g, queue, head, table, 16 * n, 4, 0);
    q->next_desc = (u16)((head + 1) % q->size);
    vg_avail(g, queue, head);
    return head;
}

void vg_avail(struct vg *g, unsigned queue, u16 head) {
    struct vg_queue *q = &g->q[queue];
    vg_store16(g, q->avail + 4 + 2u * (q->avail_idx % q->size), head);
    vg_store16(g, q->avail + 2, ++q->avail_idx);
}

void vg_kick(struct vg *g, unsigned queue) { vg_set(g, VR_NOTIFY, queue); }

bool vg_used(struct vg *g, unsigned queue, u16 *head, u32 *len) {
    struct vg_queue *q = &g->q[queue];
    if (vg_load16(g, q->used + 2) == q->last_used) return false;
    u8 e[8];
    bool ok = bus_read(g->bus, q->used + 4 + 8u * (q->last_used++ % q->size), e, sizeof e);
    assert(ok);
    (void)ok;
    *head = (u16)get_le32(e);
    *len = get_le32(e + 4);
    return true;
}

void vg_ack(struct vg *g) { vg_set(g, VR_ACK, vg_reg(g, VR_INT)); }

u16 vg_load16(struct vg *g, gpa pa) {
    u8 b[2] = {0, 0};
    bool ok = bus_read(g->bus, pa, b, 2);
    assert(ok);
    (void)ok;
    return get_le16(b);
}

void vg_store16(struct vg *g, gpa pa, u16 v) {
    u8 b[2];
    put_le16(b, v);
    bool ok = bus_write(g->bus, pa, b, 2);
    assert(ok);
    (void)ok;
}
