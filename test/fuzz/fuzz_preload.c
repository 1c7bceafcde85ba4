// An image's profile: any text becomes a list of files' parts that fits a frame, each path within
// it.
#include <assert.h>
#include <string.h>

#include "berth/ctl.h"
#include "container/preload.h"

int LLVMFuzzerTestOneInput(const u8 *p, size_t n) {
    struct buf payload = {0};
    preload_put((const char *)p, n, &payload);
    assert(payload.len <= CTL_MAX_PAYLOAD);
    for (const u8 *at = payload.data, *end = at + payload.len; at < end;) {
        assert(end - at >= 4);
        u32 parts = get_le32(at);
        assert(parts <= (size_t)(end - at) / 8);
        const u8 *path = at + 4 + 8 * (size_t)parts, *zero = memchr(path, 0, (size_t)(end - path));
        assert(zero && path[0] == '/');
        at = zero + 1;
    }
    buf_free(&payload);
    return 0;
}
