// Fibonacci by naive recursion: calls, returns and the stack.
#include "bench.h"

static uint64_t fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(void) {
    volatile unsigned n = 36; // or the compiler might know the answer
    struct bench b = bench_begin();
    return bench_end(b, fib(n), 14930352);
}
