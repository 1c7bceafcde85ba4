// The ports by which a guest ends or resets the machine.
#ifndef BERTH_HW_PCPORTS_H
#define BERTH_HW_PCPORTS_H

#include "mem/pio.h"

// Embedded in the board; no allocation, no state.
struct pcports {
    void *arg;
    void (*exit)(void *arg, u32 value); // isa-debug-exit
    void (*power_off)(void *arg);
    void (*reset)(void *arg);
};

void pcports_add(struct pcports *p, struct pio *pio);

#endif
