// Role: virtio console (virtio 1.2, 5.3) with F_SIZE, F_MULTIPORT and F_EMERG_WRITE.
// Depends on mem. A driver without F_MULTIPORT gets port 0 only.
// Back-pressure: the guest's transmit buffer stays with the device until the host has taken all of
// it; host input is accepted only into receive buffers that the guest has posted, so nothing is
// buffered here. Control messages to the guest wait in a short list; the guest's own control
// messages are not read while that list could overflow.
#include "virtio/console.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"

#define F_SIZE        (1ull << 0)
#define F_MULTIPORT   (1ull << 1)
#define F_EMERG_WRITE (1ull << 2)

enum { CONFIG_COLS = 0, CONFIG_ROWS = 2, CONFIG_MAX_PORTS = 4, CONFIG_EMERG = 8, CONFIG_LEN = 12 };

// 5.3.2: port 0 has queues 0 and 1, control 2 and 3, port n from 2n+2 on.
enum { QUEUE_SIZE = 128, CTL_RX = 2, CTL_TX = 3, NQUEUES = 6 };

enum ctl_event {
    DEVICE_READY = 0,
    PORT_ADD = 1,
    PORT_READY = 3,
    CONSOLE_PORT = 4,
    RESIZE = 5,
    PORT_OPEN = 6,
    PORT_NAME = 7,
};

enum {
    CTL_HEADER = 8,
    CTL_PAYLOAD_MAX = 64,
    CTL_LIST = 16,
    CTL_PER_REQUEST = VIRTIO_CONSOLE_PORTS
};

struct ctl_msg {
    u8 len;
    u8 data[CTL_HEADER + CTL_PAYLOAD_MAX];
};

struct port {
    bool guest_open;
    bool sending;  // inside output(): the host called back into us
    bool have_cur; // `cur` is a transmit buffer of which `cur_off` bytes are taken
    u32 cur_off;
    struct virtq_chain cur;
};

struct virtio_console {
    struct virtio_device dev;
    struct virtio_console_settings s;
    char name[CTL_PAYLOAD_MAX];
    struct port port[VIRTIO_CONSOLE_PORTS];
    bool port0_ready;    // the guest knows port 0, so that it can be told its size
    bool resize_pending; // coalesced: only the last size matters
    struct ctl_msg list[CTL_LIST];
    unsigned list_head, list_len;
    struct virtq_chain scratch;
};

static unsigned rx_queue(unsigned port) { return port == 0 ? 0 : 2 * port + 2; }
static unsigned tx_queue(unsigned port) { return rx_queue(port) + 1; }
static bool multiport(const struct virtio_console *c) { return c->dev.features & F_MULTIPORT; }

// Control messages, 5.3.6.2.

static void ctl_make(struct ctl_msg *m, u32 port, enum ctl_event event, u16 value,
                     const void *payload, size_t n) {
    assert(n <= CTL_PAYLOAD_MAX);
    put_le32(m->data, port);
    put_le16(m->data + 4, (u16)event);
    put_le16(m->data + 6, value);
    if (n) memcpy(m->data + CTL_HEADER, payload, n);
    m->len = (u8)(CTL_HEADER + n);
}

static void ctl_queue(struct virtio_console *c, u32 port, enum ctl_event event, u16 value,
                      const void *payload, size_t n) {
    assert(c->list_len < CTL_LIST && "the caller checked for room");
    struct ctl_msg *m = &c->list[(c->list_head + c->list_len++) % CTL_LIST];
    ctl_make(m, port, event, value, payload, n);
}

// The next message for the guest. A size is made only when it can be sent, so that the last one
// counts.
static bool ctl_next(struct virtio_console *c, struct ctl_msg *m) {
    if (c->list_len) {
        *m = c->list[c->list_head];
        c->list_head = (c->list_head + 1) % CTL_LIST;
        c->list_len--;
        return true;
    }
    if (!c->resize_pending || !c->port0_ready) return false;
    c->resize_pending = false;
    u8 size[4]; // columns first, as the specification has it (Linux since 6.12.33 agrees)
    put_le16(size, c->s.cols);
    put_le16(size + 2, c->s.rows);
    ctl_make(m, 0, RESIZE, 0, size, sizeof size);
    return true;
}

static void ctl_send(struct virtio_console *c) {
    bool sent = false;
    while ((c->list_len || (c->resize_pending && c->port0_ready)) &&
           virtio_pop(&c->dev, CTL_RX, &c->scratch)) {
        struct ctl_msg m;
        bool have = ctl_next(c, &m);
        assert(have && "there was a message to send");
        (void)have;
        u32 n = virtq_write(&c->dev.queue[CTL_RX], &c->scratch, 0, m.data, m.len);
        virtq_push(&c->dev.queue[CTL_RX], c->scratch.head, n);
        sent = true;
    }
    if (sent) virtio_flush(&c->dev, CTL_RX);
}

static void port_ready(struct virtio_console *c, u32 id) {
    if (id == 0) {
        ctl_queue(c, 0, CONSOLE_PORT, 1, NULL, 0);
        c->port0_ready = c->resize_pending = true;
    } else {
        // 5.3.6.2.1: the name is not terminated.
        ctl_queue(c, id, PORT_NAME, 1, c->name, strlen(c->name));
    }
    ctl_queue(c, id, PORT_OPEN, 1, NULL, 0);
}

static void ctl_handle(struct virtio_console *c, const u8 *msg) {
    u32 id = get_le32(msg);
    u16 event = get_le16(msg + 4), value = get_le16(msg + 6);
    if (event == DEVICE_READY) {
        for (unsigned i = 0; value == 1 && i < VIRTIO_CONSOLE_PORTS; i++)
            ctl_queue(c, i, PORT_ADD, 0, NULL, 0);
        return;
    }
    if (id >= VIRTIO_CONSOLE_PORTS) return;
    if (event == PORT_READY && value == 1) port_ready(c, id);
    if (event == PORT_OPEN) c->port[id].guest_open = value == 1;
}

static void ctl_receive(struct virtio_console *c) {
    bool done = false;
    while (c->list_len + CTL_PER_REQUEST <= CTL_LIST && virtio_pop(&c->dev, CTL_TX, &c->scratch)) {
        u8 msg[CTL_HEADER];
        u32 n = virtq_read(&c->dev.queue[CTL_TX], &c->scratch, 0, msg, sizeof msg);
        virtq_push(&c->dev.queue[CTL_TX], c->scratch.head, 0);
        if (n == sizeof msg) ctl_handle(c, msg);
        ctl_send(c);
        done = true;
    }
    if (done) virtio_flush(&c->dev, CTL_TX);
}

// Data.

// Offers the rest of the current buffer to the host; true when all of it is taken.
static bool offer(struct virtio_console *c, unsigned id) {
    struct port *p = &c->port[id];
    // A copy, so that what the host parses cannot change while it looks at it.
    u8 piece[4096];
    while (p->have_cur && p->cur_off < p->cur.out_len) {
        u32 n = virtq_read(&c->dev.queue[tx_queue(id)], &p->cur, p->cur_off, piece, sizeof piece);
        size_t taken = c->s.output(c->s.arg, id, piece, n);
        assert(taken <= n && "the host cannot take more than it was offered");
        p->cur_off += (u32)taken;
        if (taken < n) return false;
    }
    return p->have_cur;
}

static void send(struct virtio_console *c, unsigned id) {
    struct port *p = &c->port[id];
    unsigned q = tx_queue(id);
    if (p->sending) return; // the loop below is already running and will see the new state
    p->sending = true;
    bool done = false;
    for (;;) {
        if (!p->have_cur) {
            if (!virtio_pop(&c->dev, q, &p->cur)) break;
            p->have_cur = true;
            p->cur_off = 0;
        }
        if (!offer(c, id)) break;
        virtq_push(&c->dev.queue[q], p->cur.head, 0);
        p->have_cur = false;
        done = true;
    }
    p->sending = false;
    if (done) virtio_flush(&c->dev, q);
}

size_t virtio_console_input(struct virtio_device *d, unsigned port, const u8 *p, size_t n) {
    struct virtio_console *c = CONTAINER_OF(d, struct virtio_console, dev);
    assert(port < VIRTIO_CONSOLE_PORTS);
    unsigned q = rx_queue(port);
    if (multiport(c) ? !c->port[port].guest_open : port != 0) return 0;
    size_t done = 0;
    virtio_enter(d);
    while (done < n && virtio_pop(d, q, &c->scratch)) {
        u32 part = n - done > UINT32_MAX ? UINT32_MAX : (u32)(n - done);
        u32 written = virtq_write(&d->queue[q], &c->scratch, 0, p + done, part);
        virtq_push(&d->queue[q], c->scratch.head, written);
        done += written;
    }
    virtio_flush(d, q);
    return done;
}

void virtio_console_ready(struct virtio_device *d, unsigned port) {
    struct virtio_console *c = CONTAINER_OF(d, struct virtio_console, dev);
    assert(port < VIRTIO_CONSOLE_PORTS);
    virtio_enter(d);
    if (virtio_live(d)) send(c, port);
}

static void store_size(struct virtio_console *c) {
    put_le16(c->dev.config + CONFIG_COLS, c->s.cols);
    put_le16(c->dev.config + CONFIG_ROWS, c->s.rows);
}

void virtio_console_resize(struct virtio_device *d, u16 cols, u16 rows) {
    struct virtio_console *c = CONTAINER_OF(d, struct virtio_console, dev);
    if (c->s.cols == cols && c->s.rows == rows) return;
    c->s.cols = cols;
    c->s.rows = rows;
    store_size(c);
    virtio_config_changed(d);
    c->resize_pending = true;
    virtio_enter(d);
    if (multiport(c)) ctl_send(c);
}

// Device operations.

static void console_notify(struct virtio_device *d, unsigned queue) {
    struct virtio_console *c = CONTAINER_OF(d, struct virtio_console, dev);
    if (queue == CTL_RX || queue == CTL_TX) {
        if (!multiport(c)) return;
        ctl_send(c);
        ctl_receive(c);
        return;
    }
    for (unsigned i = 0; i < (multiport(c) ? VIRTIO_CONSOLE_PORTS : 1u); i++)
        if (queue == tx_queue(i)) send(c, i);
    // Receive buffers: the host offers its input again by itself.
}

static void console_reset(struct virtio_device *d) {
    struct virtio_console *c = CONTAINER_OF(d, struct virtio_console, dev);
    for (unsigned i = 0; i < VIRTIO_CONSOLE_PORTS; i++)
        c->port[i].have_cur = c->port[i].guest_open = false;
    c->list_len = 0;
    c->port0_ready = c->resize_pending = false;
}

static void console_config_written(struct virtio_device *d, u32 off, u32 n) {
    struct virtio_console *c = CONTAINER_OF(d, struct virtio_console, dev);
    if (off == CONFIG_EMERG && n <= 4) c->s.output(c->s.arg, 0, d->config + CONFIG_EMERG, 1);
    // Everything else is the device's to say.
    store_size(c);
    put_le32(d->config + CONFIG_MAX_PORTS, VIRTIO_CONSOLE_PORTS);
    put_le32(d->config + CONFIG_EMERG, 0);
}

static void console_destroy(struct virtio_device *d) {
    free(CONTAINER_OF(d, struct virtio_console, dev));
}

static const struct virtio_ops console_ops = {
    .notify = console_notify,
    .reset = console_reset,
    .config_written = console_config_written,
    .destroy = console_destroy,
};

struct virtio_device *virtio_console_create(const struct virtio_console_settings *s,
                                            struct bus *bus, const struct log *log) {
    struct virtio_console *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    assert(strlen(s->channel_name) < sizeof c->name);
    c->s = *s;
    memcpy(c->name, s->channel_name, strlen(s->channel_name) + 1);
    virtio_init(&c->dev, &console_ops, VIRTIO_ID_CONSOLE, F_SIZE | F_MULTIPORT | F_EMERG_WRITE,
                NQUEUES, QUEUE_SIZE, bus, log);
    c->dev.config_len = CONFIG_LEN;
    store_size(c);
    put_le32(c->dev.config + CONFIG_MAX_PORTS, VIRTIO_CONSOLE_PORTS);
    return &c->dev;
}
