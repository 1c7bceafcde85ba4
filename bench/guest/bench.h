// What the measured programs share. Each does its work between bench_begin and bench_end, checks
// its result and prints one line:
//   RESULT SECONDS INSTRUCTIONS
// SECONDS by the guest's own clock; bench/lib/suite.mjs holds it against the host's.
// INSTRUCTIONS as retired meanwhile, where user mode may read the counter (QEMU's counter shows
// time), or 0.
#ifndef BERTH_BENCH_H
#define BERTH_BENCH_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct bench {
    struct timespec begin;
    uint64_t instructions;
};

static inline uint64_t bench_instret(void) {
#ifdef __riscv
    uint64_t n;
    __asm__ volatile("rdinstret %0" : "=r"(n));
    return n;
#else
    return 0;
#endif
}

static inline struct bench bench_begin(void) {
    struct bench b;
    clock_gettime(CLOCK_MONOTONIC, &b.begin);
    b.instructions = bench_instret();
    return b;
}

// The exit status for main.
static inline int bench_end(struct bench b, uint64_t result, uint64_t expected) {
    struct timespec end;
    uint64_t instructions = bench_instret() - b.instructions;
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - b.begin.tv_sec) + (double)(end.tv_nsec - b.begin.tv_nsec) / 1e9;
    printf("%" PRIx64 " %.6f %" PRIu64 "\n", result, seconds, instructions);
    if (result == expected) return 0;
    printf("wrong: expected %" PRIx64 "\n", expected);
    return 1;
}

// The main of a program whose work can be repeated, as often as its argument says: the one size for
// what runs cold, many times for what runs hot. Each time has the same result.
static inline int bench_repeat(int argc, char **argv, uint64_t (*work)(void), uint64_t expected) {
    long times = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    uint64_t (*volatile call)(void) = work; // or the compiler might call it once for all
    struct bench b = bench_begin();
    uint64_t result = call();
    for (long i = 1; i < times; i++) {
        uint64_t again = call();
        if (again != expected) result = again;
    }
    return bench_end(b, result, expected);
}

// Says which system call failed; ends the program.
static inline void bench_check(int ok, const char *what) {
    if (ok) return;
    perror(what);
    exit(2);
}

// Pseudo-random numbers, the same everywhere (xorshift64).
static inline uint64_t bench_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

#endif
