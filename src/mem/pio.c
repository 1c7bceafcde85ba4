// Role: dispatch of port accesses. Depends on base. Ranges are few, so lookup is a scan.
#include "mem/pio.h"

#include <assert.h>

void pio_add(struct pio *p, u16 first, unsigned count, const struct mmio_ops *ops, void *dev) {
    assert(p->n < PIO_MAX_RANGES && "more ranges of ports than the table holds");
    assert(count && first + count <= 0x10000);
    for (unsigned i = 0; i < p->n; i++) {
        const struct pio_range *r = &p->range[i];
        assert((first + count <= r->first || first >= r->first + r->count) && "ports overlap");
        (void)r;
    }
    p->range[p->n++] = (struct pio_range){first, count, ops, dev};
}

static const struct pio_range *range_at(const struct pio *p, u16 port, unsigned size) {
    for (unsigned i = 0; i < p->n; i++) {
        const struct pio_range *r = &p->range[i];
        if (port >= r->first && port - r->first + size <= r->count) return r;
    }
    return NULL;
}

static u32 mask(unsigned size) { return size == 4 ? ~0u : (1u << 8 * size) - 1; }

u32 pio_read(const struct pio *p, u16 port, unsigned size) {
    const struct pio_range *r = range_at(p, port, size);
    if (r) return (u32)r->ops->read(r->dev, (u64)(port - r->first), size) & mask(size);
    if (size == 1) return 0xff;
    u32 val = 0;
    for (unsigned i = 0; i < size; i++) // the last port is followed by the first
        val |= pio_read(p, (u16)(port + i), 1) << 8 * i;
    return val;
}

void pio_write(const struct pio *p, u16 port, unsigned size, u32 val) {
    const struct pio_range *r = range_at(p, port, size);
    if (r) {
        r->ops->write(r->dev, (u64)(port - r->first), size, val & mask(size));
    } else if (size > 1) {
        for (unsigned i = 0; i < size; i++) pio_write(p, (u16)(port + i), 1, val >> 8 * i);
    }
}
