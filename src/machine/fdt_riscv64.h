// The device tree of the riscv64 board, and the memory map it describes.
#ifndef BERTH_MACHINE_FDT_RISCV64_H
#define BERTH_MACHINE_FDT_RISCV64_H

#include "base/err.h"
#include "base/types.h"

// As QEMU's virt board, so that kernels and test suites made for it run here.
#define RV_RAM_BASE      0x80000000ull
#define RV_FINISHER_BASE 0x00100000ull
#define RV_PLIC_BASE     0x0c000000ull
#define RV_UART_BASE     0x10000000ull
#define RV_VIRTIO_BASE   0x10001000ull
#define RV_VIRTIO_STEP   0x1000u
enum { RV_UART_IRQ = 10, RV_VIRTIO_IRQ = 16 };
enum { RV_TIMEBASE_HZ = 10000000 };
enum { RV_LINE_SEIP = 9 }; // cpu_set_irq's line for supervisor external interrupts

#define RV_FDT_MAX 65536u

struct rv_fdt {
    u64 ram_size;
    unsigned nvirtio;
    const char *cmdline;
    u64 initrd, initrd_end; // equal: none
    u8 seed[64];
};

// Writes the blob into dst[0, RV_FDT_MAX).
int fdt_riscv64(const struct rv_fdt *f, u8 *dst, struct err *err);

#endif
