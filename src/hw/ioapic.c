// Role: I/O APIC (Intel 82093AA data sheet; the EOI register of later ones). Depends on mem.
// An edge pin sends when its line rises; while it is masked rises are lost, as the data sheet has
// it. A level pin sends while its line is high and nothing it sent is in service (remote IRR).
// Lines are active high whatever the polarity bit says: devices here know only high and low.
#include "hw/ioapic.h"

#include <stdlib.h>

#include "base/compiler.h"

enum { SELECT = 0x00, WINDOW = 0x10, EOI = 0x40 };
enum { REG_ID = 0, REG_VERSION = 1, REG_ARBITRATION = 2, REG_TABLE = 0x10 };

#define ENTRY_VECTOR     0xffull
#define ENTRY_LOGICAL    (1ull << 11)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL      (1ull << 15)
#define ENTRY_MASKED     (1ull << 16)
#define ENTRY_WRITABLE   0xff0000000001afffull // without delivery status and remote IRR

struct ioapic {
    struct ioapic_settings s;
    u8 id, select;
    u64 lines; // levels, one bit a pin
    u64 entry[IOAPIC_PINS];
};

static bool send(struct ioapic *a, u64 e) {
    struct ioapic_message m = {
        .dest = (u32)(e >> 56),
        .logical = e & ENTRY_LOGICAL,
        .mode = e >> 8 & 7,
        .vector = e & ENTRY_VECTOR,
        .level = e & ENTRY_LEVEL,
    };
    return !(e & ENTRY_MASKED) && a->s.send(a->s.arg, &m);
}

static void service_level(struct ioapic *a, unsigned pin) {
    u64 *e = &a->entry[pin];
    if (!(*e & ENTRY_LEVEL) || !(a->lines >> pin & 1) || (*e & ENTRY_REMOTE_IRR)) return;
    if (send(a, *e)) *e |= ENTRY_REMOTE_IRR;
}

void ioapic_set_pin(void *ioapic, unsigned pin, bool level) {
    struct ioapic *a = ioapic;
    if (pin >= IOAPIC_PINS) return;
    u64 bit = 1ull << pin;
    if (!(a->lines & bit) == !level) return;
    a->lines ^= bit;
    if (!level) return;
    if (a->entry[pin] & ENTRY_LEVEL)
        service_level(a, pin);
    else
        send(a, a->entry[pin]);
}

static void end_of_service(struct ioapic *a, unsigned pin) {
    a->entry[pin] &= ~ENTRY_REMOTE_IRR;
    service_level(a, pin);
}

void ioapic_eoi(struct ioapic *a, u8 vector) {
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        if ((a->entry[pin] & (ENTRY_VECTOR | ENTRY_REMOTE_IRR)) == (vector | ENTRY_REMOTE_IRR))
            end_of_service(a, pin);
}

static u32 read_window(const struct ioapic *a) {
    if (a->select >= REG_TABLE) {
        unsigned i = a->select - REG_TABLE;
        if (i / 2 >= IOAPIC_PINS) return 0;
        return (u32)(a->entry[i / 2] >> (i % 2 * 32));
    }
    switch (a->select) {
    case REG_ID:
    case REG_ARBITRATION:
        return (u32)a->id << 24;
    case REG_VERSION:
        return IOAPIC_VERSION | (IOAPIC_PINS - 1) << 16;
    default:
        return 0;
    }
}

static void write_entry(struct ioapic *a, unsigned pin, unsigned half, u32 val) {
    u64 *e = &a->entry[pin];
    u64 mask = ENTRY_WRITABLE & (half ? 0xffffffff00000000ull : 0xffffffffull);
    *e = (*e & ~mask) | ((half ? (u64)val << 32 : val) & mask);
    // Linux ends a stuck level interrupt of old chips so: making it an edge clears remote IRR.
    if (!(*e & ENTRY_LEVEL)) *e &= ~ENTRY_REMOTE_IRR;
    service_level(a, pin);
}

static void write_window(struct ioapic *a, u32 val) {
    if (a->select == REG_ID) {
        a->id = val >> 24 & 0xf;
    } else if (a->select >= REG_TABLE) {
        unsigned i = a->select - REG_TABLE;
        if (i / 2 < IOAPIC_PINS) write_entry(a, i / 2, i % 2, val);
    }
}

static u64 mmio_read(void *dev, u64 off, unsigned size) {
    struct ioapic *a = dev;
    (void)size;
    return off == SELECT ? a->select : off == WINDOW ? read_window(a) : 0;
}

static void mmio_write(void *dev, u64 off, unsigned size, u64 val) {
    struct ioapic *a = dev;
    (void)size;
    if (off == SELECT)
        a->select = (u8)val;
    else if (off == WINDOW)
        write_window(a, (u32)val);
    else if (off == EOI)
        ioapic_eoi(a, (u8)val);
}

const struct mmio_ops ioapic_mmio = {mmio_read, mmio_write};

struct ioapic *ioapic_create(const struct ioapic_settings *s) {
    struct ioapic *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->s = *s;
    for (unsigned i = 0; i < IOAPIC_PINS; i++) a->entry[i] = ENTRY_MASKED;
    return a;
}

void ioapic_destroy(struct ioapic *a) { free(a); }
