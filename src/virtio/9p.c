// Role: the virtio 9P transport (virtio 1.2 reserves ID 9; layout as in Linux's
// net/9p/trans_virtio.c): one queue, a buffer is one request and room for its reply.
// Depends on mem; the server is behind a table of functions.
// Replies may come late and in any order. A request in flight keeps only the reply's segments. The
// server must be reset before the device is freed, so that no reply finds it gone.
#include "virtio/9p.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"

#define F_MOUNT_TAG (1ull << 0)

// Linux puts one page in a descriptor, so a message of MSIZE needs 128 and some.
enum { QUEUE_SIZE = 128, MIN_MESSAGE = 7, MIN_REPLY = 11 /* Rlerror */, TAG_MAX = 255 };

struct virtio_9p {
    struct virtio_device dev;
    struct virtio_9p_server server;
    struct request *flying; // doubly linked
    unsigned nflying;
    u8 *msg; // scratch for one request of VIRTIO_9P_MSIZE
    struct virtq_chain chain;
};

struct request {
    struct virtio_9p *p9;
    struct request *next, **link;
    u16 head, nin;
    u32 in_len;
    struct virtq_seg in[];
};

static void unlink_request(struct request *r) {
    *r->link = r->next;
    if (r->next) r->next->link = r->link;
    r->p9->nflying--;
}

static struct request *keep(struct virtio_9p *p, const struct virtq_chain *c) {
    struct request *r = malloc(sizeof *r + c->nin * sizeof r->in[0]);
    if (!r) return NULL;
    *r = (struct request){.p9 = p, .next = p->flying, .link = &p->flying};
    r->head = c->head;
    r->nin = c->nin;
    r->in_len = c->in_len;
    memcpy(r->in, c->seg + c->nout, c->nin * sizeof r->in[0]);
    if (r->next) r->next->link = &r->next;
    p->flying = r;
    p->nflying++;
    return r;
}

static void reply(void *arg, const u8 *msg, size_t len) {
    struct request *r = arg;
    struct virtio_9p *p = r->p9;
    assert(len <= r->in_len && "the server was told how much fits");
    struct virtq_chain *c = &p->chain;
    c->head = r->head;
    c->nout = 0;
    c->nin = r->nin;
    memcpy(c->seg, r->in, r->nin * sizeof r->in[0]);
    unlink_request(r);
    free(r);
    if (!virtio_live(&p->dev)) return;
    u32 n = virtq_write(&p->dev.queue[0], c, 0, msg, (u32)len);
    virtq_push(&p->dev.queue[0], c->head, n);
    virtio_flush(&p->dev, 0);
}

// NULL, or why the buffer cannot be served.
static const char *submit(struct virtio_9p *p) {
    struct virtq_chain *c = &p->chain;
    if (c->out_len < MIN_MESSAGE || c->out_len > VIRTIO_9P_MSIZE || c->in_len < MIN_REPLY)
        return "9p request of an impossible size";
    // A driver has each head once in flight; one that repeats heads could otherwise queue for ever.
    if (p->nflying >= QUEUE_SIZE) return "9p request too many";
    u32 n = virtq_read(&p->dev.queue[0], c, 0, p->msg, VIRTIO_9P_MSIZE);
    // size[4] at the front of every message says how much of the buffer is message.
    u32 len = get_le32(p->msg);
    if (len < MIN_MESSAGE || len > n) return "9p message longer than its buffer";
    struct request *r = keep(p, c);
    if (!r) return "9p request for which the host has no memory";
    u32 room = r->in_len < VIRTIO_9P_MSIZE ? r->in_len : VIRTIO_9P_MSIZE;
    p->server.submit(p->server.arg, p->msg, len, room, reply, r);
    return NULL;
}

static void p9_notify(struct virtio_device *d, unsigned queue) {
    struct virtio_9p *p = CONTAINER_OF(d, struct virtio_9p, dev);
    while (virtio_pop(d, queue, &p->chain)) {
        const char *why = submit(p);
        if (why) {
            virtio_fail(d, why);
            return;
        }
    }
}

static void p9_reset(struct virtio_device *d) {
    struct virtio_9p *p = CONTAINER_OF(d, struct virtio_9p, dev);
    p->server.reset(p->server.arg);
    while (p->flying) {
        struct request *r = p->flying;
        unlink_request(r);
        free(r);
    }
}

static void p9_destroy(struct virtio_device *d) {
    struct virtio_9p *p = CONTAINER_OF(d, struct virtio_9p, dev);
    p9_reset(d);
    free(p->msg);
    free(p);
}

static const struct virtio_ops p9_ops = {
    .notify = p9_notify,
    .reset = p9_reset,
    .destroy = p9_destroy,
};

struct virtio_device *virtio_9p_create(const char *tag, const struct virtio_9p_server *server,
                                       struct bus *bus, const struct log *log) {
    size_t len = strlen(tag);
    assert(len <= TAG_MAX);
    struct virtio_9p *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->msg = malloc(VIRTIO_9P_MSIZE);
    if (!p->msg) {
        free(p);
        return NULL;
    }
    p->server = *server;
    virtio_init(&p->dev, &p9_ops, VIRTIO_ID_9P, F_MOUNT_TAG, 1, QUEUE_SIZE, bus, log);
    put_le16(p->dev.config, (u16)len);
    memcpy(p->dev.config + 2, tag, len);
    p->dev.config_len = (u32)(2 + len);
    return &p->dev;
}
