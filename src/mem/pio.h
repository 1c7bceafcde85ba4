// x86's second address space: 65,536 ports of one byte.
#ifndef BERTH_MEM_PIO_H
#define BERTH_MEM_PIO_H

#include "mem/bus.h"

enum { PIO_MAX_RANGES = 8 };

struct pio_range {
    u16 first;
    unsigned count;
    const struct mmio_ops *ops;
    void *dev;
};

// Embedded in the board; zeroed is empty. A device sees offsets from its first port.
struct pio {
    unsigned n;
    struct pio_range range[PIO_MAX_RANGES];
};

// Ranges must not overlap (asserted).
void pio_add(struct pio *p, u16 first, unsigned count, const struct mmio_ops *ops, void *dev);

// An access of 1, 2 or 4 bytes. One that no range holds wholly is done byte by byte; where there is
// no port it reads ones and writes nothing, as on a PC.
u32 pio_read(const struct pio *p, u16 port, unsigned size);
void pio_write(const struct pio *p, u16 port, unsigned size, u32 val);

#endif
