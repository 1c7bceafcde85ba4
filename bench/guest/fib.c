// Fibonacci by naive recursion: calls, returns and the stack.
#include "bench.h"

static uint64_t fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static uint64_t work(void) {
    volatile unsigned n = 36; // or the compiler might know the answer
    return fib(n);
}

int main(int argc, char **argv) { return bench_repeat(argc, argv, work, 14930352); }
