// Guest physical address space. Depends on base and on host_pages (host.h) for lazily committed RAM.
// Invariant: regions are few and sorted by use, so lookup is a short scan; RAM is found first.
#include "mem/bus.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "host/host.h"

enum { MAX_REGIONS = 32 };

struct region {
    gpa base;
    u64 size;
    const struct mmio_ops *ops;
    void *dev;
};

struct bus {
    u8 *ram;
    gpa ram_base;
    u64 ram_size;
    void (*written)(void *arg, gpa pa, u64 len);
    void *written_arg;
    unsigned nregions;
    struct region regions[MAX_REGIONS];
};

struct bus *bus_create(gpa ram_base, u64 ram_size, struct err *err) {
    assert(ram_size % GUEST_PAGE_SIZE == 0 && ram_base % GUEST_PAGE_SIZE == 0);
    struct bus *b = calloc(1, sizeof *b);
    if (!b) {
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    b->ram = host_pages_alloc(ram_size);
    if (!b->ram) {
        err_set(err, ERR_NOMEM,
                "cannot get %llu MiB for the guest's memory: ask for less (--memory)",
                (unsigned long long)(ram_size >> 20));
        free(b);
        return NULL;
    }
    b->ram_base = ram_base;
    b->ram_size = ram_size;
    return b;
}

void bus_destroy(struct bus *b) {
    if (!b) return;
    host_pages_free(b->ram, b->ram_size);
    free(b);
}

void bus_add_mmio(struct bus *b, gpa base, u64 size, const struct mmio_ops *ops, void *dev) {
    assert(b->nregions < MAX_REGIONS && "more MMIO regions than the table holds");
    assert(base + size <= b->ram_base || base >= b->ram_base + b->ram_size);
    for (unsigned i = 0; i < b->nregions; i++) {
        struct region *r = &b->regions[i];
        assert((base + size <= r->base || base >= r->base + r->size) && "MMIO regions overlap");
        (void)r;
    }
    b->regions[b->nregions++] = (struct region){base, size, ops, dev};
}

gpa bus_ram_base(const struct bus *b) { return b->ram_base; }

u64 bus_ram_size(const struct bus *b) { return b->ram_size; }

u8 *bus_ram_ptr(struct bus *b, gpa pa, u64 len) {
    u64 off = pa - b->ram_base;
    if (pa < b->ram_base || off > b->ram_size || len > b->ram_size - off) return NULL;
    return b->ram + off;
}

bool bus_read(struct bus *b, gpa pa, void *dst, u64 len) {
    const u8 *p = bus_ram_ptr(b, pa, len);
    if (!p) return false;
    memcpy(dst, p, (size_t)len);
    return true;
}

bool bus_write(struct bus *b, gpa pa, const void *src, u64 len) {
    u8 *p = bus_ram_ptr(b, pa, len);
    if (!p) return false;
    memcpy(p, src, (size_t)len);
    bus_ram_written(b, pa, len);
    return true;
}

void bus_ram_written(struct bus *b, gpa pa, u64 len) {
    if (b->written && len) b->written(b->written_arg, pa, len);
}

void bus_set_watcher(struct bus *b, void (*written)(void *arg, gpa pa, u64 len), void *arg) {
    b->written = written;
    b->written_arg = arg;
}

static struct region *region_at(struct bus *b, gpa pa, unsigned size) {
    for (unsigned i = 0; i < b->nregions; i++) {
        struct region *r = &b->regions[i];
        if (pa >= r->base && pa - r->base < r->size && size <= r->size - (pa - r->base)) return r;
    }
    return NULL;
}

bool bus_mmio_read(struct bus *b, gpa pa, unsigned size, u64 *val) {
    struct region *r = region_at(b, pa, size);
    if (!r) return false;
    *val = r->ops->read(r->dev, pa - r->base, size);
    if (size < 8) *val &= ((u64)1 << 8 * size) - 1; // a device may have wider registers
    return true;
}

bool bus_mmio_write(struct bus *b, gpa pa, unsigned size, u64 val) {
    struct region *r = region_at(b, pa, size);
    if (!r) return false;
    r->ops->write(r->dev, pa - r->base, size, val);
    return true;
}
