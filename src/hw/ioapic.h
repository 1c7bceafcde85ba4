// An I/O APIC: interrupt lines of devices to messages for the local APIC.
#ifndef BERTH_HW_IOAPIC_H
#define BERTH_HW_IOAPIC_H

#include "mem/bus.h"

#define IOAPIC_BASE 0xfec00000u
#define IOAPIC_SIZE 0x1000u
enum { IOAPIC_PINS = 48, IOAPIC_VERSION = 0x20 };

struct ioapic_message {
    u32 dest;
    bool logical; // how to read dest
    u8 mode;      // delivery mode (hw/lapic.h)
    u8 vector;
    bool level;
};

struct ioapic_settings {
    void *arg;
    bool (*send)(void *arg, const struct ioapic_message *m); // false: nobody took it
};

struct ioapic;
struct ioapic *ioapic_create(const struct ioapic_settings *s); // NULL: out of memory
void ioapic_destroy(struct ioapic *a);
extern const struct mmio_ops ioapic_mmio; // at IOAPIC_BASE

// Level of a pin; a `set` for struct irq_line.
void ioapic_set_pin(void *ioapic, unsigned pin, bool level);
// A local APIC's broadcast that the service of a level-triggered interrupt has ended.
void ioapic_eoi(struct ioapic *a, u8 vector);

#endif
