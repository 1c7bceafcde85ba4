// virtio block against a hostile driver; the storage fails now and then.
#include "support/vfuzz.h"

#include <stdlib.h>
#include <string.h>

#include "virtio/blk.h"

enum { SIZE = 64 * 512 };

struct storage {
    u8 bytes[SIZE];
    bool broken;
};

static void check(u64 off, u32 len) {
    if (off % 512 || len % 512 || off > SIZE || len > SIZE - off) abort();
}
static bool storage_read(void *arg, u64 off, u8 *dst, u32 len) {
    struct storage *s = arg;
    check(off, len);
    memcpy(dst, s->bytes + off, len);
    return !s->broken;
}
static bool storage_write(void *arg, u64 off, const u8 *src, u32 len) {
    struct storage *s = arg;
    check(off, len);
    memcpy(s->bytes + off, src, len);
    return !s->broken;
}
static bool storage_flush(void *arg) { return !((struct storage *)arg)->broken; }

static void event(void *arg, u8 what, struct rd *r) {
    (void)r;
    ((struct storage *)arg)->broken = what & 1;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    static struct storage s;
    s.broken = false;
    struct bus *bus = vf_bus();
    bool readonly = size && data[0] == 0xff;
    struct virtio_blk_backend b = {&s, SIZE, readonly, storage_read, storage_write, storage_flush};
    vf_play(bus, virtio_blk_create(&b, "fuzz", bus, NULL), data, size, event, &s);
    return 0;
}
