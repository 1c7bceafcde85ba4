// Role: 16550A UART (National PC16550D data sheet) as Linux's 8250 driver probes and uses it.
// Depends on mem. The transmitter is infinitely fast, so THR is always empty; the receiver is a
// 16-byte FIFO refilled from a longer buffer that stands for the bytes still on the line.
// Not modelled: baud rate, character timeouts (data is announced at once), modem lines but DCD, DSR
// and CTS held active, DMA.
#include "hw/uart16550.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum { FIFO_SIZE = 16, LINE_SIZE = 4096 };

enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { IER_RDI = 1, IER_THRI = 2, IER_RLSI = 4, IER_MSI = 8 };
enum { IIR_NONE = 1, IIR_MSI = 0, IIR_THRI = 2, IIR_RDI = 4, IIR_RLSI = 6, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10 };
enum { LSR_DR = 1, LSR_OE = 2, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

struct uart {
    struct uart_settings s;
    u8 ier, fcr, lcr, mcr, scr;
    u8 divisor[2];
    u8 msr_delta;      // changes since the last read of MSR
    bool thre_pending; // the "THR became empty" interrupt has not been seen yet
    bool overrun;
    u8 fifo[FIFO_SIZE];
    unsigned fifo_head, fifo_len;
    u8 line[LINE_SIZE]; // ring of bytes not yet in the FIFO
    unsigned line_head, line_len;
};

static u8 pending_iir(const struct uart *u) {
    if ((u->ier & IER_RLSI) && u->overrun) return IIR_RLSI;
    if ((u->ier & IER_RDI) && u->fifo_len) return IIR_RDI;
    if ((u->ier & IER_THRI) && u->thre_pending) return IIR_THRI;
    if ((u->ier & IER_MSI) && u->msr_delta) return IIR_MSI;
    return IIR_NONE;
}

// On a PC, OUT2 gates the interrupt pin; boards without that gate (this one) connect it directly.
static void update_irq(struct uart *u) { irq_set(&u->s.irq, pending_iir(u) != IIR_NONE); }

static bool fifo_push(struct uart *u, u8 c) {
    unsigned cap = u->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
    if (u->fifo_len >= cap) return false;
    u->fifo[(u->fifo_head + u->fifo_len++) % FIFO_SIZE] = c;
    return true;
}

// In loopback mode the receiver hears only the transmitter.
static void refill(struct uart *u) {
    while (u->line_len && !(u->mcr & MCR_LOOP) && fifo_push(u, u->line[u->line_head])) {
        u->line_head = (u->line_head + 1) % LINE_SIZE;
        u->line_len--;
    }
}

static u8 receive(struct uart *u) {
    u8 c = 0;
    if (u->fifo_len) {
        c = u->fifo[u->fifo_head];
        u->fifo_head = (u->fifo_head + 1) % FIFO_SIZE;
        u->fifo_len--;
    }
    refill(u);
    return c;
}

static void transmit(struct uart *u, u8 c) {
    if (u->mcr & MCR_LOOP) {
        if (!fifo_push(u, c)) u->overrun = true;
    } else {
        u->s.output(u->s.arg, &c, 1);
    }
    u->thre_pending = true;
}

static u8 modem_status(const struct uart *u) {
    if (!(u->mcr & MCR_LOOP)) return MSR_DCD | MSR_DSR | MSR_CTS;
    u8 v = 0;
    if (u->mcr & MCR_RTS) v |= MSR_CTS;
    if (u->mcr & MCR_DTR) v |= MSR_DSR;
    if (u->mcr & MCR_OUT1) v |= MSR_RI;
    if (u->mcr & MCR_OUT2) v |= MSR_DCD;
    return v;
}

static void set_mcr(struct uart *u, u8 v) {
    u8 before = modem_status(u);
    u->mcr = v & 0x1f;
    u8 changed = modem_status(u) ^ before;
    u->msr_delta |= changed >> 4; // delta bits mirror the status bits, four lower
    refill(u);
}

static void set_fcr(struct uart *u, u8 v) {
    // Switching the FIFO on or off empties it, as does the clear bit.
    if (((v ^ u->fcr) & FCR_ENABLE) || (v & FCR_CLEAR_RX)) u->fifo_len = 0;
    u->fcr = v & (FCR_ENABLE | 0xc0);
    refill(u);
}

static void set_ier(struct uart *u, u8 v) {
    // Enabling the transmit interrupt while THR is empty raises it at once.
    if ((v & IER_THRI) && !(u->ier & IER_THRI)) u->thre_pending = true;
    u->ier = v & 0x0f;
}

static u8 read_iir(struct uart *u) {
    u8 iir = pending_iir(u);
    if (iir == IIR_THRI) u->thre_pending = false;
    return iir | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static u8 read_lsr(struct uart *u) {
    u8 v = LSR_THRE | LSR_TEMT;
    if (u->fifo_len) v |= LSR_DR;
    if (u->overrun) v |= LSR_OE;
    u->overrun = false;
    return v;
}

static u8 read_msr(struct uart *u) {
    u8 v = modem_status(u) | u->msr_delta;
    u->msr_delta = 0;
    return v;
}

static u64 uart_read(void *dev, u64 off, unsigned size) {
    struct uart *u = dev;
    (void)size; // wider accesses see the one byte register at that address
    bool dlab = u->lcr & LCR_DLAB;
    u64 v = 0;
    switch (off) {
    case RBR_THR:
        v = dlab ? u->divisor[0] : receive(u);
        break;
    case IER:
        v = dlab ? u->divisor[1] : u->ier;
        break;
    case IIR_FCR:
        v = read_iir(u);
        break;
    case LCR:
        v = u->lcr;
        break;
    case MCR:
        v = u->mcr;
        break;
    case LSR:
        v = read_lsr(u);
        break;
    case MSR:
        v = read_msr(u);
        break;
    case SCR:
        v = u->scr;
        break;
    default:
        return 0;
    }
    update_irq(u);
    return v;
}

static void uart_write(void *dev, u64 off, unsigned size, u64 val) {
    struct uart *u = dev;
    (void)size;
    u8 v = (u8)val;
    bool dlab = u->lcr & LCR_DLAB;
    switch (off) {
    case RBR_THR:
        if (dlab)
            u->divisor[0] = v;
        else
            transmit(u, v);
        break;
    case IER:
        if (dlab)
            u->divisor[1] = v;
        else
            set_ier(u, v);
        break;
    case IIR_FCR:
        set_fcr(u, v);
        break;
    case LCR:
        u->lcr = v;
        break;
    case MCR:
        set_mcr(u, v);
        break;
    case SCR:
        u->scr = v;
        break;
    default:
        return;
    }
    update_irq(u);
}

const struct mmio_ops uart_mmio = {uart_read, uart_write};

size_t uart_input(struct uart *u, const u8 *p, size_t n) {
    size_t taken = 0;
    for (; taken < n && u->line_len < LINE_SIZE; taken++)
        u->line[(u->line_head + u->line_len++) % LINE_SIZE] = p[taken];
    refill(u);
    update_irq(u);
    return taken;
}

int uart_take(struct uart *u) {
    refill(u);
    if (!u->fifo_len) return -1;
    int c = receive(u);
    update_irq(u);
    return c;
}

struct uart *uart_create(const struct uart_settings *s) {
    struct uart *u = calloc(1, sizeof *u);
    if (u) u->s = *s;
    return u;
}

void uart_destroy(struct uart *u) { free(u); }
