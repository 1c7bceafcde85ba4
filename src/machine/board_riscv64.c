// Role: the riscv64 board: QEMU virt's memory map with a PLIC, a 16550A, the test finisher and
// virtio-mmio slots; one hart that starts in S mode as after SBI firmware (the CPU is the
// firmware). Physical layout: kernel at the bottom of RAM where its header asks, device tree in the
// last 64 KiB, initramfs right below it.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "hw/finisher.h"
#include "hw/plic.h"
#include "hw/uart16550.h"
#include "machine/fdt_riscv64.h"
#include "machine/internal.h"
#include "machine/load.h"

extern const struct guest_arch guest_riscv64;

enum { COMMAND_LINE_MAX = 1024 }; // COMMAND_LINE_SIZE of riscv Linux, the NUL included

struct board {
    struct plic *plic;
    struct uart *uart;
    struct finisher finisher;
};

static void set_seip(void *arg, unsigned line, bool level) {
    struct machine *m = arg;
    cpu_set_irq(m->cpu, line, level);
}

static void finish(void *arg, unsigned what, unsigned code) {
    struct machine *m = arg;
    switch (what) {
    case FINISHER_PASS:
        machine_end(m, MACHINE_POWEROFF, 0);
        break;
    case FINISHER_RESET:
        machine_end(m, MACHINE_REBOOT, 0);
        break;
    default:
        machine_end(m, MACHINE_FAILED, (int)code);
        break;
    }
}

static int create(struct machine *m, const struct machine_settings *s, struct err *err) {
    m->bus = bus_create(RV_RAM_BASE, s->memory, err);
    if (!m->bus) return -ERR_NOMEM;
    m->cpu = cpu_create(&guest_riscv64, m->bus, &m->cpu_board, &s->cpu, err);
    if (!m->cpu) return -ERR_NOMEM;
    struct board *b = m->board = calloc(1, sizeof *b);
    if (!b) return err_set(err, ERR_NOMEM, "out of memory");
    b->plic = plic_create((struct irq_line){set_seip, m, RV_LINE_SEIP});
    if (!b->plic) return err_set(err, ERR_NOMEM, "out of memory");
    struct uart_settings us = {
        .irq = {plic_set_source, b->plic, RV_UART_IRQ},
        .arg = m,
        .output = machine_console_output,
    };
    b->uart = uart_create(&us);
    if (!b->uart) return err_set(err, ERR_NOMEM, "out of memory");
    b->finisher = (struct finisher){m, finish};
    bus_add_mmio(m->bus, RV_FINISHER_BASE, FINISHER_SIZE, &finisher_mmio, &b->finisher);
    bus_add_mmio(m->bus, RV_PLIC_BASE, PLIC_SIZE, &plic_mmio, b->plic);
    bus_add_mmio(m->bus, RV_UART_BASE, UART_SIZE, &uart_mmio, b->uart);
    return 0;
}

static void destroy(struct machine *m) {
    if (m->board) {
        uart_destroy(m->board->uart);
        plic_destroy(m->board->plic);
        free(m->board);
    }
    if (m->cpu) cpu_destroy(m->cpu);
    bus_destroy(m->bus);
}

static bool attach(struct machine *m, struct virtio_device *dev) {
    unsigned slot = m->nvirtio;
    assert(slot < MACHINE_MAX_VIRTIO);
    struct irq_line irq = {plic_set_source, m->board->plic, RV_VIRTIO_IRQ + slot};
    struct virtio_mmio *t = virtio_mmio_create(dev, irq);
    if (!t) return false;
    bus_add_mmio(m->bus, RV_VIRTIO_BASE + (u64)slot * RV_VIRTIO_STEP, VIRTIO_MMIO_SIZE,
                 &virtio_mmio_ops, t);
    m->virtio[m->nvirtio++] = t;
    return true;
}

static int place_fdt(struct machine *m, const struct machine_settings *s, gpa at, gpa initrd,
                     struct err *err) {
    const char *cmdline = s->cmdline ? s->cmdline : "";
    if (strlen(cmdline) >= COMMAND_LINE_MAX)
        return err_set(err, ERR_LIMIT,
                       "the kernel command line has %zu bytes and Linux takes at most %d: shorten "
                       "it (--append)",
                       strlen(cmdline), COMMAND_LINE_MAX - 1);
    struct rv_fdt f = {
        .ram_size = s->memory,
        .nvirtio = m->nvirtio,
        .cmdline = cmdline,
        .initrd = initrd,
        .initrd_end = initrd + s->initrd_len,
    };
    host_random(f.seed, sizeof f.seed);
    u8 *dst = bus_ram_ptr(m->bus, at, RV_FDT_MAX);
    assert(dst && "boot() placed the tree inside RAM");
    int rc = fdt_riscv64(&f, dst, err);
    bus_ram_written(m->bus, at, RV_FDT_MAX);
    return rc;
}

static int boot(struct machine *m, const struct machine_settings *s, struct err *err) {
    struct kernel_image k;
    int rc = load_riscv64(m->bus, s->kernel, s->kernel_len, &k, err);
    if (rc) return rc;
    u64 initrd_pages = ((u64)s->initrd_len + GUEST_PAGE_SIZE - 1) & ~(u64)(GUEST_PAGE_SIZE - 1);
    u64 needed = k.end - RV_RAM_BASE + initrd_pages + RV_FDT_MAX;
    if (needed > s->memory)
        return load_too_small(err, "the kernel with its initramfs", needed, s->memory);
    gpa fdt = RV_RAM_BASE + s->memory - RV_FDT_MAX;
    gpa initrd = fdt - initrd_pages;
    if (s->initrd_len) bus_write(m->bus, initrd, s->initrd, s->initrd_len);
    rc = place_fdt(m, s, fdt, initrd, err);
    if (rc) return rc;
    cpu_boot(m->cpu, k.entry, 0, fdt);
    return 0;
}

static size_t serial_input(struct machine *m, const u8 *p, size_t n) {
    return uart_input(m->board->uart, p, n);
}

static int serial_take(struct machine *m) { return uart_take(m->board->uart); }

const struct board_ops board_riscv64 = {
    .arch = "riscv64",
    .create = create,
    .destroy = destroy,
    .attach = attach,
    .boot = boot,
    .serial_input = serial_input,
    .serial_take = serial_take,
};
