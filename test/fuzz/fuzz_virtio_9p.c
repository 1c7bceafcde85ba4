// The virtio 9P transport against a hostile driver, with a server that answers when it pleases.
#include "support/vfuzz.h"

#include <stdlib.h>

#include "virtio/9p.h"

enum { KEPT = 128 };

struct kept {
    void (*reply)(void *arg, const u8 *msg, size_t len);
    void *arg;
    size_t max_reply;
};

struct server {
    struct kept kept[KEPT];
    unsigned n;
    bool at_once;
    u8 *bytes;
};

static void submit(void *arg, const u8 *msg, size_t len, size_t max_reply,
                   void (*reply)(void *reply_arg, const u8 *msg, size_t len), void *reply_arg) {
    struct server *s = arg;
    if (len < 7 || get_le32(msg) != len || max_reply < 11 || max_reply > VIRTIO_9P_MSIZE) abort();
    if (s->at_once)
        reply(reply_arg, msg, len < max_reply ? len : max_reply);
    else if (s->n == KEPT)
        abort(); // the device bounds what is in flight
    else
        s->kept[s->n++] = (struct kept){reply, reply_arg, max_reply};
}

static void reset(void *arg) {
    struct server *s = arg;
    s->n = 0;
}

static void event(void *arg, u8 what, struct rd *r) {
    struct server *s = arg;
    if (what & 1) s->at_once = what & 2;
    if (!s->n) return;
    unsigned i = rd_u8(r) % s->n;
    struct kept k = s->kept[i];
    s->kept[i] = s->kept[--s->n];
    size_t len = rd_le16(r);
    k.reply(k.arg, s->bytes, len < k.max_reply ? len : k.max_reply);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    static u8 bytes[65536];
    struct server s = {.bytes = bytes};
    struct bus *bus = vf_bus();
    struct virtio_9p_server ops = {&s, submit, reset};
    vf_play(bus, virtio_9p_create("tag", &ops, bus, NULL), data, size, event, &s);
    return 0;
}
