// Role: see vfuzz.h. The first 64 KiB of RAM hold rings, tables and buffers alike, so that they
// overlap in every way; well-formed set-up and chains are single operations, so that the fuzzer
// gets deep quickly.
#include "support/vfuzz.h"

#include <stdlib.h>

#include "base/compiler.h"

enum { MMIO = 0x10001000, WINDOW = 0x10000, MAX_OPS = 400 };

struct player {
    struct bus *bus;
    struct virtio_device *dev;
    bool irq;
};

static void line(void *arg, unsigned irq, bool level) {
    struct player *p = arg;
    (void)irq;
    p->irq = level;
}

struct bus *vf_bus(void) {
    struct bus *b = bus_create(VF_RAM_BASE, VF_RAM_SIZE, NULL);
    if (!b) abort();
    return b;
}

static void set(struct player *p, u32 off, u32 v) { bus_mmio_write(p->bus, MMIO + off, 4, v); }

// Mostly inside the window, sometimes anywhere.
static gpa address(struct rd *r) {
    u16 v = rd_le16(r);
    return v == 0xffff ? rd_le64(r) : VF_RAM_BASE + v;
}

static void set64(struct player *p, u32 off, u64 v) {
    set(p, off, (u32)v);
    set(p, off + 4, (u32)(v >> 32));
}

// A driver's whole initialisation; the queues lie where the data says.
static void set_up(struct player *p, struct rd *r) {
    u32 features = rd_le32(r);
    set(p, 0x70, 0);
    set(p, 0x70, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    set(p, 0x24, 0);
    set(p, 0x20, features & (u32)p->dev->offered);
    set(p, 0x24, 1);
    set(p, 0x20, 1);
    set(p, 0x70, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    for (u32 q = 0; q < p->dev->nqueues; q++) {
        u8 how = rd_u8(r);
        u32 size = 1u << (how & 7), at = how & 0x80 ? rd_le16(r) & 0xfff0u : 0x1000 * (q + 1);
        set(p, 0x30, q);
        set(p, 0x38, size);
        set64(p, 0x80, VF_RAM_BASE + at);
        set64(p, 0x90, VF_RAM_BASE + (how & 0x40 ? rd_le16(r) & 0xfffeu : at + 16 * size));
        set64(p, 0xa0, VF_RAM_BASE + (how & 0x20 ? rd_le16(r) & 0xfffcu : at + 0x800));
        set(p, 0x44, 1);
    }
    set(p, 0x70, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

static void put_desc(struct player *p, gpa at, gpa addr, u32 len, u16 flags, u16 next) {
    u8 d[16];
    put_le64(d, addr);
    put_le32(d + 8, len);
    put_le16(d + 12, flags);
    put_le16(d + 14, next);
    bus_write(p->bus, at, d, sizeof d);
}

static void make_available(struct player *p, const struct virtq *q, u16 head) {
    u8 b[2];
    if (!q->size || !bus_read(p->bus, q->avail + 2, b, 2)) return;
    u16 idx = get_le16(b);
    put_le16(b, head);
    bus_write(p->bus, q->avail + 4 + 2u * (idx % q->size), b, 2);
    put_le16(b, (u16)(idx + 1));
    bus_write(p->bus, q->avail + 2, b, 2);
}

static void add_chain(struct player *p, struct rd *r) {
    const struct virtq *q = &p->dev->queue[rd_u8(r) % p->dev->nqueues];
    if (!q->size) return;
    u8 how = rd_u8(r), n = how & 15;
    u16 head = (u16)(rd_u8(r) % q->size);
    gpa table = how & 0x80 ? VF_RAM_BASE + (rd_le16(r) & 0xfff0u) : q->desc;
    u16 first = how & 0x80 ? 0 : head, mod = how & 0x80 ? 256 : q->size;
    for (u8 i = 0; i <= n; i++) {
        u16 at = (u16)((first + i) % mod);
        u8 bits = rd_u8(r);
        gpa addr = address(r);
        u32 len = bits & 8 ? rd_le32(r) : rd_le16(r);
        u16 flags = (u16)((i < n ? 1 : 0) | (bits & 2) | (bits & 0x10 ? bits & 4 : 0));
        put_desc(p, table + 16u * at, addr, len, flags, (u16)((first + i + 1) % mod));
    }
    if (how & 0x80) put_desc(p, q->desc + 16u * head, table, 16u * (n + 1u), 4, 0);
    make_available(p, q, head);
    if (!(how & 0x40)) set(p, 0x50, (u32)(q - p->dev->queue));
}

static void step(struct player *p, struct rd *r, void (*event)(void *arg, u8 what, struct rd *r),
                 void *arg) {
    u64 v;
    switch (rd_u8(r) % 9) {
    case 0: {
        u16 off = rd_le16(r) & 0x1ff;
        unsigned size = 1u << (rd_u8(r) & 3);
        bus_mmio_write(p->bus, MMIO + off, size, rd_le32(r));
        break;
    }
    case 1: {
        u16 off = rd_le16(r) & 0x1ff;
        bus_mmio_read(p->bus, MMIO + off, 1u << (rd_u8(r) & 3), &v);
        break;
    }
    case 2: {
        gpa at = VF_RAM_BASE + rd_le16(r);
        size_t n = rd_u8(r);
        if (n > rd_left(r)) n = rd_left(r);
        const u8 *bytes = rd_bytes(r, n);
        if (bytes) bus_write(p->bus, at, bytes, n);
        break;
    }
    case 3:
        set_up(p, r);
        break;
    case 4:
    case 5:
        add_chain(p, r);
        break;
    case 6:
        set(p, 0x50, rd_u8(r));
        break;
    case 7:
        set(p, 0x64, 3);
        break;
    default: {
        u8 what = rd_u8(r);
        if (event) event(arg, what, r);
        break;
    }
    }
}

void vf_play(struct bus *bus, struct virtio_device *dev, const u8 *data, size_t size,
             void (*event)(void *arg, u8 what, struct rd *r), void *arg) {
    struct player p = {.bus = bus, .dev = dev};
    struct virtio_mmio *t = virtio_mmio_create(dev, (struct irq_line){line, &p, 1});
    if (!t) abort();
    bus_add_mmio(bus, MMIO, VIRTIO_MMIO_SIZE, &virtio_mmio_ops, t);
    struct rd r = rd_of(data, size);
    for (unsigned i = 0; i < MAX_OPS && rd_left(&r); i++) step(&p, &r, event, arg);
    // The line is up exactly while there is something to acknowledge.
    u64 status = 0;
    bus_mmio_read(bus, MMIO + 0x60, 4, &status);
    if (p.irq != (status != 0)) abort();
    // Whatever happened, a reset makes it a working device again.
    set(&p, 0x70, 0);
    bus_mmio_read(bus, MMIO + 0x70, 4, &status);
    if (status != 0 || p.irq) abort();
    virtio_mmio_destroy(t);
    bus_destroy(bus);
}
