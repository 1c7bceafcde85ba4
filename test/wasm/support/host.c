// host.h for WASI test programs.
#include "host/host.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void *host_pages_alloc(u64 size) { return calloc(1, (size_t)size); }

void host_pages_free(void *p, u64 size) {
    (void)size;
    free(p);
}

u64 host_monotonic_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

__attribute__((weak)) u64 host_realtime_ns(void) { return 0; }

__attribute__((weak)) void host_random(void *dst, size_t len) { getentropy(dst, len); }
