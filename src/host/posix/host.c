// The posix host: mmap, clock_gettime, getentropy.
#include "host/host.h"

#include <assert.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void *host_pages_alloc(u64 size) {
    void *p = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void host_pages_free(void *p, u64 size) {
    if (p) munmap(p, (size_t)size);
}

static u64 clock_ns(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

u64 host_monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

u64 host_realtime_ns(void) { return clock_ns(CLOCK_REALTIME); }

void host_random(void *dst, size_t len) {
    u8 *p = dst;
    while (len) {
        size_t n = len < 256 ? len : 256; // getentropy's limit a call
        int rc = getentropy(p, n);
        assert(rc == 0 && "the host has no entropy source");
        (void)rc;
        p += n;
        len -= n;
    }
}
