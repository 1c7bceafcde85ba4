// Guest physical memory: one RAM range and a handful of MMIO regions. Everything that is not the
// CPU's inline fast path (devices, page walks, loaders) reaches guest memory through here.
#ifndef BERTH_MEM_BUS_H
#define BERTH_MEM_BUS_H

#include "base/err.h"
#include "base/types.h"

#define GUEST_PAGE_SHIFT 12
#define GUEST_PAGE_SIZE 4096u

struct mmio_ops {
    // `off` is relative to the region; `size` is 1, 2, 4 or 8 and the access lies within the region.
    u64 (*read)(void *dev, u64 off, unsigned size);
    void (*write)(void *dev, u64 off, unsigned size, u64 val);
};

struct bus;

// RAM of `ram_size` bytes (a multiple of 4 KiB) at `ram_base`, zeroed, committed as it is touched.
struct bus *bus_create(gpa ram_base, u64 ram_size, struct err *err);
void bus_destroy(struct bus *b);

// Adds an MMIO region; regions must not overlap RAM or each other (asserted). At most 32.
void bus_add_mmio(struct bus *b, gpa base, u64 size, const struct mmio_ops *ops, void *dev);

gpa bus_ram_base(const struct bus *b);
u64 bus_ram_size(const struct bus *b);

// Host pointer to [pa, pa+len) if it lies wholly in RAM, else NULL. Contiguous across pages. A
// caller that writes through it must call bus_ram_written() for what it wrote.
u8 *bus_ram_ptr(struct bus *b, gpa pa, u64 len);

// Copies; false when any byte is outside RAM (nothing is copied then). bus_write tells the watcher.
bool bus_read(struct bus *b, gpa pa, void *dst, u64 len);
bool bus_write(struct bus *b, gpa pa, const void *src, u64 len);

// Tells the watcher (the code cache) that RAM changed under it.
void bus_ram_written(struct bus *b, gpa pa, u64 len);
void bus_set_watcher(struct bus *b, void (*written)(void *arg, gpa pa, u64 len), void *arg);

// One MMIO access; false when no region holds [pa, pa+size): the caller raises an access fault.
bool bus_mmio_read(struct bus *b, gpa pa, unsigned size, u64 *val);
bool bus_mmio_write(struct bus *b, gpa pa, unsigned size, u64 val);

#endif
