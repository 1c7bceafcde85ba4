// Role: ends of a machine without ACPI: QEMU's isa-debug-exit, the power-off register where QEMU's
// PCs have ACPI's PM1 control (S5 is sleep type 0 there), and a PC's three ways to reset. Depends
// on mem.
#include "hw/pcports.h"

enum { DEBUG_EXIT = 0xf4, KEYBOARD = 0x64, CONTROL_A = 0x92, RESET_CONTROL = 0xcf9, PM1 = 0x604 };
enum { KEYBOARD_RESET = 0xfe, CONTROL_A_RESET = 1, RESET_CPU = 4, PM1_SLEEP = 1 << 13 };

static u64 read_zero(void *dev, u64 off, unsigned size) {
    (void)dev, (void)off, (void)size;
    return 0;
}

static void debug_exit(void *dev, u64 off, unsigned size, u64 val) {
    struct pcports *p = dev;
    (void)size;
    if (off == 0) p->exit(p->arg, (u32)val);
}

static void keyboard(void *dev, u64 off, unsigned size, u64 val) {
    struct pcports *p = dev;
    (void)off, (void)size;
    if ((val & 0xff) == KEYBOARD_RESET) p->reset(p->arg);
}

static void control_a(void *dev, u64 off, unsigned size, u64 val) {
    struct pcports *p = dev;
    (void)off, (void)size;
    if (val & CONTROL_A_RESET) p->reset(p->arg);
}

static void reset_control(void *dev, u64 off, unsigned size, u64 val) {
    struct pcports *p = dev;
    (void)off, (void)size;
    if (val & RESET_CPU) p->reset(p->arg);
}

static void pm1(void *dev, u64 off, unsigned size, u64 val) {
    struct pcports *p = dev;
    if (off == 0 && size >= 2 && (val & PM1_SLEEP)) p->power_off(p->arg);
}

static const struct mmio_ops debug_exit_ops = {read_zero, debug_exit};
static const struct mmio_ops keyboard_ops = {read_zero, keyboard};
static const struct mmio_ops control_a_ops = {read_zero, control_a};
static const struct mmio_ops reset_control_ops = {read_zero, reset_control};
static const struct mmio_ops pm1_ops = {read_zero, pm1};

void pcports_add(struct pcports *p, struct pio *pio) {
    pio_add(pio, DEBUG_EXIT, 4, &debug_exit_ops, p);
    pio_add(pio, KEYBOARD, 1, &keyboard_ops, p);
    pio_add(pio, CONTROL_A, 1, &control_a_ops, p);
    pio_add(pio, RESET_CONTROL, 1, &reset_control_ops, p);
    pio_add(pio, PM1, 4, &pm1_ops, p);
}
