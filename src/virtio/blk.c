// Role: virtio block device (virtio 1.2, 5.2). Depends on mem; the storage is behind a table of
// functions. Requests are served at once and in order, so a flush needs no bookkeeping.
// Framing is free (2.7.4.3): header, data and status are found by offset, never by descriptor. Data
// goes through a bounce buffer of whole sectors, because a guest may cut it at any byte.
#include "virtio/blk.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"

#define F_SEG_MAX      (1ull << 2)
#define F_RO           (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH        (1ull << 9)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)

// 5.2.4
enum {
    CONFIG_CAPACITY = 0,
    CONFIG_SEG_MAX = 12,
    CONFIG_BLK_SIZE = 20,
    CONFIG_MAX_DISCARD_SECTORS = 36,
    CONFIG_MAX_DISCARD_SEG = 40,
    CONFIG_DISCARD_ALIGN = 44,
    CONFIG_MAX_ZERO_SECTORS = 48,
    CONFIG_MAX_ZERO_SEG = 52,
    CONFIG_ZERO_MAY_UNMAP = 56,
    CONFIG_LEN = 60,
};

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

enum {
    QUEUE_SIZE = 128,
    SEG_MAX = 126, // a chain also holds header and status
    SECTOR = 512,
    HEADER = 16,
    BOUNCE = 64 * 1024,
    ID_LEN = 20,
    RANGE_LEN = 16,              // one entry of discard and write-zeroes
    MAX_ZERO_SECTORS = 16 << 11, // 16 MiB a request bound the time one takes
};

struct virtio_blk {
    struct virtio_device dev;
    struct virtio_blk_backend b;
    char id[ID_LEN];
    struct virtq_chain chain;
    u8 bounce[BOUNCE];
};

struct request {
    u32 type;
    u64 sector;
    u32 written; // bytes put into the writable part so far, status excluded
};

static bool in_bounds(const struct virtio_blk *b, u64 sector, u64 bytes) {
    u64 total = b->b.size / SECTOR;
    return bytes % SECTOR == 0 && sector <= total && bytes / SECTOR <= total - sector;
}

static u8 do_read(struct virtio_blk *b, struct request *r) {
    u32 len = b->chain.in_len - 1;
    if (!in_bounds(b, r->sector, len)) return S_IOERR;
    u64 off = r->sector * SECTOR;
    while (r->written < len) {
        u32 n = len - r->written < BOUNCE ? len - r->written : BOUNCE;
        if (!b->b.read(b->b.arg, off + r->written, b->bounce, n)) return S_IOERR;
        r->written += virtq_write(&b->dev.queue[0], &b->chain, r->written, b->bounce, n);
    }
    return S_OK;
}

static u8 do_write(struct virtio_blk *b, const struct request *r) {
    u32 len = b->chain.out_len - HEADER;
    if (b->b.readonly || !in_bounds(b, r->sector, len)) return S_IOERR;
    u64 off = r->sector * SECTOR;
    for (u32 done = 0; done < len;) {
        u32 n = len - done < BOUNCE ? len - done : BOUNCE;
        virtq_read(&b->dev.queue[0], &b->chain, HEADER + done, b->bounce, n);
        if (!b->b.write(b->b.arg, off + done, b->bounce, n)) return S_IOERR;
        done += n;
    }
    return S_OK;
}

static u8 do_flush(struct virtio_blk *b) {
    if (b->b.flush && !b->b.flush(b->b.arg)) return S_IOERR;
    return S_OK;
}

static u8 do_get_id(struct virtio_blk *b, struct request *r) {
    if (b->chain.in_len - 1 < ID_LEN) return S_IOERR;
    r->written = virtq_write(&b->dev.queue[0], &b->chain, 0, b->id, ID_LEN);
    return S_OK;
}

static bool write_zeroes(struct virtio_blk *b, u64 off, u64 len) {
    memset(b->bounce, 0, BOUNCE);
    for (u64 done = 0; done < len;) {
        u32 n = len - done < BOUNCE ? (u32)(len - done) : BOUNCE;
        if (!b->b.write(b->b.arg, off + done, b->bounce, n)) return false;
        done += n;
    }
    return true;
}

// Discard and write-zeroes name one range (max_*_seg is 1). What a discarded sector reads as is
// undefined, so leaving it alone is a valid discard.
static u8 do_range(struct virtio_blk *b, const struct request *r) {
    u8 range[RANGE_LEN];
    if (b->b.readonly || b->chain.out_len != HEADER + RANGE_LEN) return S_IOERR;
    virtq_read(&b->dev.queue[0], &b->chain, HEADER, range, RANGE_LEN);
    u64 sector = get_le64(range), count = get_le32(range + 8);
    u32 flags = get_le32(range + 12);
    // 5.2.6.2: unknown flags, and unmap in a discard, are unsupported.
    if (flags & ~1u || (r->type == T_DISCARD && flags)) return S_UNSUPP;
    if (!in_bounds(b, sector, count * SECTOR)) return S_IOERR;
    if (r->type == T_DISCARD) return S_OK;
    if (count > MAX_ZERO_SECTORS) return S_IOERR;
    return write_zeroes(b, sector * SECTOR, count * SECTOR) ? S_OK : S_IOERR;
}

static u8 serve(struct virtio_blk *b, struct request *r) {
    switch (r->type) {
    case T_IN:
        return do_read(b, r);
    case T_OUT:
        return do_write(b, r);
    case T_FLUSH:
        return do_flush(b);
    case T_GET_ID:
        return do_get_id(b, r);
    case T_DISCARD:
    case T_WRITE_ZEROES:
        return do_range(b, r);
    default:
        return S_UNSUPP;
    }
}

static void blk_notify(struct virtio_device *d, unsigned queue) {
    struct virtio_blk *b = CONTAINER_OF(d, struct virtio_blk, dev);
    while (virtio_pop(d, queue, &b->chain)) {
        u8 header[HEADER];
        if (b->chain.in_len == 0 ||
            virtq_read(&d->queue[queue], &b->chain, 0, header, HEADER) != HEADER) {
            virtio_fail(d, "block request without header or status");
            return;
        }
        struct request r = {.type = get_le32(header), .sector = get_le64(header + 8)};
        u8 status = serve(b, &r);
        // The status is the last byte of the buffer, even when less data than asked for precedes
        // it.
        virtq_write(&d->queue[queue], &b->chain, b->chain.in_len - 1, &status, 1);
        bool full = r.written == b->chain.in_len - 1;
        virtq_push(&d->queue[queue], b->chain.head, full ? b->chain.in_len : r.written);
    }
    virtio_flush(d, queue);
}

static void blk_destroy(struct virtio_device *d) { free(CONTAINER_OF(d, struct virtio_blk, dev)); }

static const struct virtio_ops blk_ops = {.notify = blk_notify, .destroy = blk_destroy};

static void fill_config(struct virtio_blk *b) {
    u8 *c = b->dev.config;
    put_le64(c + CONFIG_CAPACITY, b->b.size / SECTOR);
    put_le32(c + CONFIG_SEG_MAX, SEG_MAX);
    put_le32(c + CONFIG_BLK_SIZE, SECTOR);
    put_le32(c + CONFIG_MAX_DISCARD_SECTORS, UINT32_MAX);
    put_le32(c + CONFIG_MAX_DISCARD_SEG, 1);
    put_le32(c + CONFIG_DISCARD_ALIGN, 1);
    put_le32(c + CONFIG_MAX_ZERO_SECTORS, MAX_ZERO_SECTORS);
    put_le32(c + CONFIG_MAX_ZERO_SEG, 1);
    c[CONFIG_ZERO_MAY_UNMAP] = 0;
    b->dev.config_len = CONFIG_LEN;
}

struct virtio_device *virtio_blk_create(const struct virtio_blk_backend *backend,
                                        const char *serial, struct bus *bus,
                                        const struct log *log) {
    struct virtio_blk *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->b = *backend;
    for (size_t i = 0; i < ID_LEN && serial[i]; i++) b->id[i] = serial[i];
    u64 features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH;
    features |= backend->readonly ? F_RO : F_DISCARD | F_WRITE_ZEROES;
    virtio_init(&b->dev, &blk_ops, VIRTIO_ID_BLK, features, 1, QUEUE_SIZE, bus, log);
    fill_config(b);
    return &b->dev;
}
