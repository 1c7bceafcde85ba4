// RISC-V platform-level interrupt controller with one context: S mode of hart 0.
#ifndef BERTH_HW_PLIC_H
#define BERTH_HW_PLIC_H

#include "mem/bus.h"
#include "mem/irq.h"

#define PLIC_SIZE    0x600000u
#define PLIC_SOURCES 63 // 1..63; the device tree's riscv,ndev

struct plic;

// `out` is the hart's external interrupt input. NULL when out of memory.
struct plic *plic_create(struct irq_line out);
void plic_destroy(struct plic *p);
extern const struct mmio_ops plic_mmio;

// Level of source 1..PLIC_SOURCES; `arg` is the struct plic, so that it fits struct irq_line.
void plic_set_source(void *arg, unsigned source, bool level);

#endif
