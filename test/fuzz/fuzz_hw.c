// PLIC, UART and test finisher: register accesses and line levels in any order.
#include <stdlib.h>

#include "base/buf.h"
#include "hw/finisher.h"
#include "hw/plic.h"
#include "hw/uart16550.h"

struct lines {
    bool cpu, uart;
    struct plic *plic;
};

static void to_cpu(void *arg, unsigned line, bool level) {
    (void)line;
    ((struct lines *)arg)->cpu = level;
}
static void to_plic(void *arg, unsigned line, bool level) {
    struct lines *l = arg;
    l->uart = level;
    plic_set_source(l->plic, line, level);
}
static void ignore_output(void *arg, const u8 *p, size_t n) { (void)arg, (void)p, (void)n; }
static void check_end(void *arg, unsigned what, unsigned code) {
    (void)arg;
    if (what != FINISHER_FAIL && code) abort();
}

// Offsets near what matters, and anything.
static u64 plic_offset(struct rd *r) {
    static const u32 bases[] = {0, 0x1000, 0x2000, 0x200000};
    u16 v = rd_le16(r);
    u64 off = v & 0x8000 ? rd_le32(r) : bases[v >> 8 & 3] + (v & 0xff) * 4u;
    return off % (PLIC_SIZE - 8);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct lines l = {0};
    l.plic = plic_create((struct irq_line){to_cpu, &l, 9});
    struct uart_settings s = {{to_plic, &l, 10}, NULL, ignore_output};
    struct uart *u = uart_create(&s);
    struct finisher f = {NULL, check_end};
    struct rd r = rd_of(data, size);
    while (rd_left(&r)) {
        u8 op = rd_u8(&r);
        unsigned width = 1u << (op >> 4 & 3);
        switch (op & 7) {
        case 0:
            plic_mmio.write(l.plic, plic_offset(&r), width, rd_le32(&r));
            break;
        case 1:
            plic_mmio.read(l.plic, plic_offset(&r), width);
            break;
        case 2:
            plic_set_source(l.plic, rd_u8(&r), op & 8);
            break;
        case 3:
            uart_mmio.write(u, rd_u8(&r), width, rd_u8(&r));
            break;
        case 4:
            uart_mmio.read(u, rd_u8(&r), width);
            break;
        case 5:
            uart_input(u, r.p, rd_left(&r));
            break;
        case 6:
            if (uart_take(u) > 255) abort();
            break;
        default:
            finisher_mmio.write(&f, rd_u8(&r) & 4, width, rd_le32(&r));
            break;
        }
    }
    // The claim register and the CPU's input agree, and claiming everything silences it.
    for (int i = 0; i <= PLIC_SOURCES; i++) {
        bool high = l.cpu;
        u64 claimed = plic_mmio.read(l.plic, 0x200004, 4);
        if (high != (claimed != 0)) abort();
    }
    if (l.cpu) abort();
    uart_destroy(u);
    plic_destroy(l.plic);
    return 0;
}
