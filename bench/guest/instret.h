// Instructions that this thread of execution has seen retired, where user mode may read the
// counter.
#ifndef BERTH_BENCH_INSTRET_H
#define BERTH_BENCH_INSTRET_H

#include <stdint.h>

static inline uint64_t instret(void) {
#ifdef __riscv
    uint64_t n;
    __asm__ volatile("rdinstret %0" : "=r"(n));
    return n;
#else
    return 0;
#endif
}

#endif
