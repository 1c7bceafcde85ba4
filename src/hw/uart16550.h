// A 16550A UART.
#ifndef BERTH_HW_UART16550_H
#define BERTH_HW_UART16550_H

#include "mem/bus.h"
#include "mem/irq.h"

#define UART_SIZE     0x100u
#define UART_CLOCK_HZ 3686400u

struct uart;

struct uart_settings {
    struct irq_line irq;
    void *arg;
    void (*output)(void *arg, const u8 *p, size_t n); // takes everything
};

struct uart *uart_create(const struct uart_settings *s); // NULL when out of memory
void uart_destroy(struct uart *u);
extern const struct mmio_ops uart_mmio;

// Bytes put on the receive line: as many as its buffer takes.
size_t uart_input(struct uart *u, const u8 *p, size_t n);

// Takes the next received byte away from the guest's driver (for a firmware console); -1: none.
int uart_take(struct uart *u);

#endif
