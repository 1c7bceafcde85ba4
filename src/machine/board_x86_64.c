// Role: the x86_64 board (docs/x86_64_board.md): RAM at 0, local and I/O APIC, a 16550A,
// virtio-mmio slots, ports that end the machine; one CPU, started where the kernel's boot protocol
// says. No PC chips. Depends on everything below machine/. The CPU reaches the board through the
// x86 hooks of struct cpu_board.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "guest/x86_64.h"
#include "host/host.h"
#include "hw/ioapic.h"
#include "hw/kvmclock.h"
#include "hw/lapic.h"
#include "hw/pcports.h"
#include "hw/uart16550.h"
#include "machine/internal.h"
#include "machine/x86_64.h"
#include "mem/pio.h"

extern const struct guest_arch guest_x86_64;

struct board {
    struct lapic *lapic;
    struct ioapic *ioapic;
    struct uart *uart;
    struct pio pio;
    struct pcports ends;
    struct kvmclock clock;
};

// What the devices ask for.

static void apic_changed(void *m) { cpu_set_irq(((struct machine *)m)->cpu, X86_LINE_INTR, true); }
static void apic_nmi(void *m) { cpu_set_irq(((struct machine *)m)->cpu, X86_LINE_NMI, true); }

static void apic_eoi(void *arg, u8 vector) {
    struct machine *m = arg;
    ioapic_eoi(m->board->ioapic, vector);
}

static bool ioapic_send(void *arg, const struct ioapic_message *msg) {
    struct lapic *l = ((struct machine *)arg)->board->lapic;
    return lapic_matches(l, msg->dest, msg->logical) &&
           lapic_deliver(l, msg->mode, msg->vector, msg->level);
}

static u64 clock_tsc(void *m) { return lapic_tsc(((struct machine *)m)->board->lapic); }

static u64 clock_realtime(void *m) {
    (void)m;
    return host_realtime_ns();
}

// As QEMU's process does, so that test kernels made for it are understood.
static void debug_exit(void *m, u32 value) {
    machine_end(m, MACHINE_FAILED, (int)(u8)(value << 1 | 1));
}
static void power_off(void *m) { machine_end(m, MACHINE_POWEROFF, 0); }
static void reset(void *m) { machine_end(m, MACHINE_REBOOT, 0); }

// What the CPU asks for.

static u32 port_read(void *arg, u16 port, unsigned size) {
    struct machine *m = arg;
    return pio_read(&m->board->pio, port, size);
}

static void port_write(void *arg, u16 port, unsigned size, u32 val) {
    struct machine *m = arg;
    pio_write(&m->board->pio, port, size, val);
}

static bool msr_read(void *arg, u32 msr, u64 *val) {
    struct board *b = ((struct machine *)arg)->board;
    return lapic_read_msr(b->lapic, msr, val) || kvmclock_read_msr(&b->clock, msr, val);
}

static bool msr_write(void *arg, u32 msr, u64 val) {
    struct board *b = ((struct machine *)arg)->board;
    if (kvmclock_write_msr(&b->clock, msr, val)) return true;
    bool ok = lapic_write_msr(b->lapic, msr, val);
    if (msr == MSR_TSC || msr == MSR_TSC_ADJUST) kvmclock_tsc_changed(&b->clock);
    return ok;
}

static bool irq_pending(void *m) { return lapic_pending(((struct machine *)m)->board->lapic); }
static bool irq_ready(void *m) { return lapic_ready(((struct machine *)m)->board->lapic); }
static int irq_ack(void *m) { return lapic_ack(((struct machine *)m)->board->lapic); }
static u64 irq_timer(void *m) { return lapic_next_timer(((struct machine *)m)->board->lapic); }

static void set_hooks(struct cpu_board *c) {
    c->port_read = port_read;
    c->port_write = port_write;
    c->msr_read = msr_read;
    c->msr_write = msr_write;
    c->irq_pending = irq_pending;
    c->irq_ready = irq_ready;
    c->irq_ack = irq_ack;
    c->irq_timer = irq_timer;
}

// Creation. The board comes before the CPU, whose reset may already ask it.

static bool create_devices(struct machine *m, struct board *b) {
    b->lapic = lapic_create(&(struct lapic_settings){
        .arg = m,
        .now = machine_time,
        .changed = apic_changed,
        .nmi = apic_nmi,
        .eoi = apic_eoi,
    });
    b->ioapic = ioapic_create(&(struct ioapic_settings){m, ioapic_send});
    b->uart = uart_create(&(struct uart_settings){
        .irq = {ioapic_set_pin, b->ioapic, X86_UART_IRQ},
        .arg = m,
        .output = machine_console_output,
    });
    b->ends = (struct pcports){m, debug_exit, power_off, reset};
    b->clock = (struct kvmclock){
        .bus = m->bus,
        .arg = m,
        .now = machine_time,
        .tsc = clock_tsc,
        .realtime = clock_realtime,
    };
    return b->lapic && b->ioapic && b->uart;
}

static int create(struct machine *m, const struct machine_settings *s, struct err *err) {
    if (s->memory > X86_MAX_MEMORY)
        return err_set(err, ERR_LIMIT,
                       "an x86_64 machine has at most %llu MiB of memory: ask for less (--memory)",
                       X86_MAX_MEMORY >> 20);
    m->bus = bus_create(0, s->memory, err);
    if (!m->bus) return -ERR_NOMEM;
    struct board *b = m->board = calloc(1, sizeof *b);
    if (!b || !create_devices(m, b)) return err_set(err, ERR_NOMEM, "out of memory");
    pio_add(&b->pio, X86_UART_PORT, X86_UART_PORTS, &uart_mmio, b->uart);
    pcports_add(&b->ends, &b->pio);
    bus_add_mmio(m->bus, LAPIC_BASE, LAPIC_SIZE, &lapic_mmio, b->lapic);
    bus_add_mmio(m->bus, IOAPIC_BASE, IOAPIC_SIZE, &ioapic_mmio, b->ioapic);
    set_hooks(&m->cpu_board);
    m->cpu = cpu_create(&guest_x86_64, m->bus, &m->cpu_board, &s->cpu, err);
    return m->cpu ? 0 : -ERR_NOMEM;
}

static void destroy(struct machine *m) {
    if (m->cpu) cpu_destroy(m->cpu);
    if (m->board) {
        uart_destroy(m->board->uart);
        ioapic_destroy(m->board->ioapic);
        lapic_destroy(m->board->lapic);
        free(m->board);
    }
    bus_destroy(m->bus);
}

static bool attach(struct machine *m, struct virtio_device *dev) {
    unsigned slot = m->nvirtio;
    assert(slot < MACHINE_MAX_VIRTIO && X86_VIRTIO_IRQ + slot < IOAPIC_PINS);
    struct irq_line irq = {ioapic_set_pin, m->board->ioapic, X86_VIRTIO_IRQ + slot};
    struct virtio_mmio *t = virtio_mmio_create(dev, irq);
    if (!t) return false;
    bus_add_mmio(m->bus, X86_VIRTIO_BASE + (u64)slot * X86_VIRTIO_STEP, VIRTIO_MMIO_SIZE,
                 &virtio_mmio_ops, t);
    m->virtio[m->nvirtio++] = t;
    return true;
}

static int boot(struct machine *m, const struct machine_settings *s, struct err *err) {
    struct x86_kernel k;
    int rc = load_x86_64(m->bus, s->kernel, s->kernel_len, &k, err);
    if (rc) return rc;
    u64 mask = GUEST_PAGE_SIZE - 1, pages = ((u64)s->initrd_len + mask) & ~mask;
    u64 top = s->memory < k.initrd_end ? s->memory : k.initrd_end & ~mask;
    gpa kernel_end = (k.at.end + mask) & ~mask;
    if (kernel_end + pages > top)
        return load_too_small(err, "the kernel with its initramfs", kernel_end + pages, top);
    struct x86_boot b = {
        .kernel = &k,
        .cmdline = s->cmdline ? s->cmdline : "",
        .initrd = top - pages,
        .initrd_len = s->initrd_len,
        .nvirtio = m->nvirtio,
    };
    host_random(b.seed, sizeof b.seed);
    if (s->initrd_len) bus_write(m->bus, b.initrd, s->initrd, s->initrd_len);
    u64 arg0, arg1;
    rc = boot_x86_64(m->bus, &b, &arg0, &arg1, err);
    if (rc) return rc;
    cpu_boot(m->cpu, k.at.entry, arg0, arg1);
    return 0;
}

static size_t serial_input(struct machine *m, const u8 *p, size_t n) {
    return uart_input(m->board->uart, p, n);
}

static int serial_take(struct machine *m) { return uart_take(m->board->uart); }

const struct board_ops board_x86_64 = {
    .arch = "x86_64",
    .create = create,
    .destroy = destroy,
    .attach = attach,
    .boot = boot,
    .serial_input = serial_input,
    .serial_take = serial_take,
};
