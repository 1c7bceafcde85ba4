// The device's side of a split virtqueue (virtio 1.2, 2.7).
#ifndef BERTH_VIRTIO_QUEUE_H
#define BERTH_VIRTIO_QUEUE_H

#include "mem/bus.h"

#define VIRTQ_MAX_SIZE 256
#define VIRTQ_MAX_SEGS 256 // descriptors in one chain, indirect ones included
// Bytes in one chain, each way. No driver comes near; segments may overlap, so without this a small
// guest could keep the host copying for minutes.
#define VIRTQ_MAX_BYTES (16u << 20)

struct virtq_seg {
    gpa addr;
    u32 len;
};

// One buffer of the driver: its descriptors, copied and checked to lie in RAM.
struct virtq_chain {
    u16 head;
    u16 nout, nin;       // device-readable segments come first, then device-writable ones
    u32 out_len, in_len; // their total lengths
    struct virtq_seg seg[VIRTQ_MAX_SEGS];
};

struct virtq {
    struct bus *bus;
    u16 max_size; // the device's limit, a power of two
    u16 size;     // the driver's choice
    bool ready;
    bool event_idx;        // VIRTIO_F_EVENT_IDX was negotiated
    gpa desc, avail, used; // descriptor area, driver area, device area
    u16 next_avail;        // free-running index of the next entry of the available ring
    u16 used_idx;          // free-running index of the next entry of the used ring
    u16 signalled;         // used_idx at the last interrupt decision
};

// Back to the state after device reset; keeps bus and max_size.
void virtq_reset(struct virtq *q);

// The driver set QueueReady. False when size, alignment or addresses are not usable.
bool virtq_start(struct virtq *q);

enum virtq_result { VIRTQ_EMPTY, VIRTQ_OK, VIRTQ_BROKEN };

// Takes the next available buffer. BROKEN: the driver broke the rules; the device must need a
// reset.
enum virtq_result virtq_pop(struct virtq *q, struct virtq_chain *c);

// Returns a buffer with `written` bytes at the front of its writable part.
void virtq_push(struct virtq *q, u16 head, u32 written);

// Whether the driver wants an interrupt for what was pushed since the last time this was asked.
bool virtq_wants_interrupt(struct virtq *q);

// Copy from the readable / to the writable part at `off`; returns the bytes copied, short at the
// end.
u32 virtq_read(struct virtq *q, const struct virtq_chain *c, u32 off, void *dst, u32 n);
u32 virtq_write(struct virtq *q, const struct virtq_chain *c, u32 off, const void *src, u32 n);

#endif
