// Role: split virtqueues as a device sees them (virtio 1.2, 2.7). Depends on mem only.
// Everything in the rings is hostile. A descriptor is read once, into the chain handed to the
// device, and every segment is checked to lie in RAM, so that devices need no further checks. Walks
// are bounded by VIRTQ_MAX_SEGS, which also ends loops. Indirect tables may be longer than the
// queue, as Linux makes them although 2.7.5.3.1 forbids it. No memory barriers: the CPU and the
// devices run on one thread.
#include "virtio/queue.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { DESC_SIZE = 16, USED_ELEM_SIZE = 8, AVAIL_NO_INTERRUPT = 1 };

// Offsets in the available (driver) and used (device) areas, 2.7.6 and 2.7.8.
static gpa avail_flags(const struct virtq *q) { return q->avail; }
static gpa avail_idx(const struct virtq *q) { return q->avail + 2; }
static gpa avail_ring(const struct virtq *q, u16 i) { return q->avail + 4 + 2u * (i % q->size); }
static gpa used_event(const struct virtq *q) { return q->avail + 4 + 2u * q->size; }
static gpa used_idx(const struct virtq *q) { return q->used + 2; }
static gpa used_ring(const struct virtq *q, u16 i) {
    return q->used + 4 + USED_ELEM_SIZE * (i % q->size);
}
static gpa avail_event(const struct virtq *q) { return q->used + 4 + USED_ELEM_SIZE * q->size; }

// The areas were checked against RAM by virtq_start, so these cannot fail.
static u16 load16(const struct virtq *q, gpa pa) {
    const u8 *p = bus_ram_ptr(q->bus, pa, 2);
    assert(p && "queue areas lie in RAM");
    return get_le16(p);
}

static void store16(struct virtq *q, gpa pa, u16 v) {
    u8 b[2];
    put_le16(b, v);
    bool ok = bus_write(q->bus, pa, b, 2);
    assert(ok && "queue areas lie in RAM");
    (void)ok;
}

void virtq_reset(struct virtq *q) {
    *q = (struct virtq){.bus = q->bus, .max_size = q->max_size, .size = q->max_size};
}

static bool area_ok(const struct virtq *q, gpa pa, u64 len, u64 align) {
    return pa % align == 0 && bus_ram_ptr(q->bus, pa, len);
}

bool virtq_start(struct virtq *q) {
    u64 n = q->size;
    if (n == 0 || n > q->max_size || (n & (n - 1))) return false;
    if (!area_ok(q, q->desc, DESC_SIZE * n, 16)) return false;
    if (!area_ok(q, q->avail, 6 + 2 * n, 2)) return false;
    if (!area_ok(q, q->used, 6 + USED_ELEM_SIZE * n, 4)) return false;
    q->next_avail = q->used_idx = q->signalled = 0;
    q->ready = true;
    return true;
}

struct desc {
    gpa addr;
    u32 len;
    u16 flags, next;
};

// A table of descriptors: the queue's own or an indirect one.
struct table {
    const u8 *base;
    u32 count;
};

static struct desc load_desc(const struct table *t, u32 i) {
    const u8 *p = t->base + (size_t)DESC_SIZE * i;
    return (struct desc){get_le64(p), get_le32(p + 8), get_le16(p + 12), get_le16(p + 14)};
}

static bool add_segment(struct virtq *q, struct virtq_chain *c, const struct desc *d) {
    unsigned n = c->nout + c->nin;
    if (n == VIRTQ_MAX_SEGS) return false;
    if (!bus_ram_ptr(q->bus, d->addr, d->len)) return false;
    u32 *total = d->flags & DESC_WRITE ? &c->in_len : &c->out_len;
    if (d->len > VIRTQ_MAX_BYTES - *total) return false;
    *total += d->len;
    if (d->flags & DESC_WRITE)
        c->nin++;
    else if (c->nin)
        return false; // 2.7.4.2: readable descriptors must precede writable ones
    else
        c->nout++;
    c->seg[n] = (struct virtq_seg){d->addr, d->len};
    return true;
}

static bool enter_indirect(struct virtq *q, const struct desc *d, struct table *t) {
    if (d->len == 0 || d->len % DESC_SIZE || d->len / DESC_SIZE > VIRTQ_MAX_SEGS) return false;
    t->base = bus_ram_ptr(q->bus, d->addr, d->len);
    t->count = d->len / DESC_SIZE;
    return t->base != NULL;
}

static bool walk(struct virtq *q, struct virtq_chain *c) {
    struct table t = {bus_ram_ptr(q->bus, q->desc, (u64)DESC_SIZE * q->size), q->size};
    bool indirect = false;
    u32 i = c->head;
    // One step more than a chain may have, for the descriptor that refers to the indirect table.
    for (unsigned steps = 0; steps <= VIRTQ_MAX_SEGS; steps++) {
        if (i >= t.count) return false;
        struct desc d = load_desc(&t, i);
        if (d.flags & DESC_INDIRECT) {
            // 2.7.5.3.1: not nested, and not both INDIRECT and NEXT. Linux never chains before it.
            if (indirect || (d.flags & DESC_NEXT) || !enter_indirect(q, &d, &t)) return false;
            indirect = true;
            i = 0;
            continue;
        }
        if (!add_segment(q, c, &d)) return false;
        if (!(d.flags & DESC_NEXT)) return true;
        i = d.next;
    }
    return false; // longer than any honest chain: a loop
}

enum virtq_result virtq_pop(struct virtq *q, struct virtq_chain *c) {
    if (!q->ready) return VIRTQ_EMPTY;
    u16 waiting = (u16)(load16(q, avail_idx(q)) - q->next_avail);
    if (waiting == 0) {
        // Ask to be told about the next buffer. Nothing can slip in between: one thread.
        if (q->event_idx) store16(q, avail_event(q), q->next_avail);
        return VIRTQ_EMPTY;
    }
    if (waiting > q->size) return VIRTQ_BROKEN;
    c->head = load16(q, avail_ring(q, q->next_avail));
    c->nout = c->nin = 0;
    c->out_len = c->in_len = 0;
    if (c->head >= q->size || !walk(q, c)) return VIRTQ_BROKEN;
    q->next_avail++;
    return VIRTQ_OK;
}

void virtq_push(struct virtq *q, u16 head, u32 written) {
    if (!q->ready) return; // the driver took the queue away while the request was in flight
    u8 elem[USED_ELEM_SIZE];
    put_le32(elem, head);
    put_le32(elem + 4, written);
    bool ok = bus_write(q->bus, used_ring(q, q->used_idx), elem, sizeof elem);
    assert(ok && "queue areas lie in RAM");
    (void)ok;
    store16(q, used_idx(q), ++q->used_idx);
}

bool virtq_wants_interrupt(struct virtq *q) {
    if (!q->ready) return false;
    u16 old = q->signalled, now = q->used_idx;
    q->signalled = now;
    if (old == now) return false;
    if (!q->event_idx) return !(load16(q, avail_flags(q)) & AVAIL_NO_INTERRUPT);
    // 2.7.10: interrupt when used_event lies in [old, now), all modulo 2^16.
    u16 event = load16(q, used_event(q));
    return (u16)(now - event - 1) < (u16)(now - old);
}

// Copies between the segments [first, first+count) of a chain and host memory.
static u32 copy(struct virtq *q, const struct virtq_seg *seg, unsigned count, u32 off, void *dst,
                const void *src, u32 n) {
    u32 done = 0;
    for (unsigned i = 0; i < count && done < n; i++) {
        if (off >= seg[i].len) {
            off -= seg[i].len;
            continue;
        }
        u32 part = seg[i].len - off;
        if (part > n - done) part = n - done;
        bool ok = dst ? bus_read(q->bus, seg[i].addr + off, (u8 *)dst + done, part)
                      : bus_write(q->bus, seg[i].addr + off, (const u8 *)src + done, part);
        assert(ok && "segments were checked when the chain was taken");
        (void)ok;
        done += part;
        off = 0;
    }
    return done;
}

u32 virtq_read(struct virtq *q, const struct virtq_chain *c, u32 off, void *dst, u32 n) {
    return copy(q, c->seg, c->nout, off, dst, NULL, n);
}

u32 virtq_write(struct virtq *q, const struct virtq_chain *c, u32 off, const void *src, u32 n) {
    return copy(q, c->seg + c->nout, c->nin, off, NULL, src, n);
}
