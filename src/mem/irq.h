// One interrupt input as the device that drives it sees it: a level, and where to send it.
#ifndef BERTH_MEM_IRQ_H
#define BERTH_MEM_IRQ_H

#include "base/types.h"

struct irq_line {
    void (*set)(void *arg, unsigned line, bool level); // NULL: not connected
    void *arg;
    unsigned line;
};

static inline void irq_set(const struct irq_line *irq, bool level) {
    if (irq->set) irq->set(irq->arg, irq->line, level);
}

#endif
