// Kernel images into guest RAM.
#ifndef BERTH_MACHINE_LOAD_H
#define BERTH_MACHINE_LOAD_H

#include "base/err.h"
#include "mem/bus.h"

struct kernel_image {
    gpa entry;
    gpa end; // first byte after what the kernel occupies, its zeroed data included
};

// A flat Linux Image or an ELF file for riscv64. Checks everything, then copies.
int load_riscv64(struct bus *bus, const u8 *image, size_t len, struct kernel_image *out,
                 struct err *err);

// ERR_NOMEM "... needs N MiB of memory".
int load_too_small(struct err *err, const char *thing, u64 bytes_needed, u64 ram_size);

#endif
