// The SiFive test finisher: a register by which the guest ends or resets the machine.
#ifndef BERTH_HW_FINISHER_H
#define BERTH_HW_FINISHER_H

#include "mem/bus.h"

#define FINISHER_SIZE  0x1000u
#define FINISHER_PASS  0x5555u // also: power off
#define FINISHER_FAIL  0x3333u // exit code in bits 16..31
#define FINISHER_RESET 0x7777u

// Embedded in the board; no allocation, no state.
struct finisher {
    void *arg;
    // `what` is one of the values above.
    void (*end)(void *arg, unsigned what, unsigned code);
};
extern const struct mmio_ops finisher_mmio;

#endif
