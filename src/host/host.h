// What every host (posix, web, wasi) provides to the libraries: pages, clock, randomness.
// Time and randomness come only through here, so that a run can be recorded and replayed.
#ifndef BERTH_HOST_HOST_H
#define BERTH_HOST_HOST_H

#include "base/types.h"

// Zeroed memory committed as it is touched; NULL when the host has none. `size` multiple of 4 KiB.
// On a host that cannot give pages back (a wasm memory) freed ranges are kept for reuse.
void *host_pages_alloc(u64 size);
void host_pages_free(void *p, u64 size);

u64 host_monotonic_ns(void); // never goes back; origin arbitrary
u64 host_realtime_ns(void);  // since 1970-01-01 UTC
void host_random(void *dst, size_t len);

#endif
