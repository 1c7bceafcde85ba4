// Prints the frequency of this machine's time-stamp counter in kHz, to a few parts in a million; 0
// where there is none. Runs on the host: QEMU's translator hands this counter to its guests, and
// tells them nothing about it.
#include "bench.h"

#ifdef __x86_64__
#include <x86intrin.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// The counter and the clock at one moment: of several tries the one that took the shortest time.
static uint64_t both(double *seconds) {
    uint64_t best = UINT64_MAX, tsc = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t before = __rdtsc();
        double t = now();
        uint64_t took = __rdtsc() - before;
        if (took >= best) continue;
        best = took;
        tsc = before + took / 2;
        *seconds = t;
    }
    return tsc;
}

int main(void) {
    const struct timespec pause = {0, 100000000};
    double from, to;
    uint64_t begin = both(&from);
    nanosleep(&pause, NULL);
    uint64_t end = both(&to);
    printf("%.0f\n", (double)(end - begin) / (to - from) / 1000);
    return 0;
}
#else
int main(void) {
    puts("0");
    return 0;
}
#endif
