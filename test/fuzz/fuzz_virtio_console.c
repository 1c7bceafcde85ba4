// virtio console against a hostile driver and a host that takes what it likes.
#include "support/vfuzz.h"

#include <stdlib.h>

#include "virtio/console.h"

struct host {
    struct virtio_device *dev;
    u32 room; // bytes the host takes from the control port
    bool call_back;
    unsigned depth;
};

static size_t output(void *arg, unsigned port, const u8 *p, size_t n) {
    struct host *h = arg;
    u8 sum = 0;
    for (size_t i = 0; i < n; i++) sum ^= p[i]; // all of it must be readable
    if (port == 0) return n;
    if (n > h->room) n = h->room;
    h->room -= (u32)n;
    if (h->call_back && h->depth++ < 4) {
        virtio_console_ready(h->dev, 1);
        virtio_console_input(h->dev, 1, &sum, 1);
    }
    return n;
}

static void event(void *arg, u8 what, struct rd *r) {
    static const u8 text[3000] = "input";
    struct host *h = arg;
    u16 n = rd_le16(r);
    h->depth = 0;
    switch (what & 7) {
    case 0:
        virtio_console_ready(h->dev, what >> 3 & 1);
        break;
    case 1:
        virtio_console_resize(h->dev, n, rd_u8(r));
        break;
    case 2:
        h->room = n;
        break;
    case 3:
        h->call_back = n & 1;
        break;
    default:
        n %= sizeof text;
        if (virtio_console_input(h->dev, what >> 3 & 1, text, n) > n) abort();
        break;
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct host h = {0};
    struct bus *bus = vf_bus();
    struct virtio_console_settings s = {"berth.ctl", 80, 24, &h, output};
    h.dev = virtio_console_create(&s, bus, NULL);
    vf_play(bus, h.dev, data, size, event, &h);
    return 0;
}
