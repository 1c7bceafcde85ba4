// Maps memory, touches every page, unmaps it: the fault path and the page allocator.
#include <sys/mman.h>

#include "bench.h"

enum { PAGE = 4096, PAGES = 4096, ROUNDS = 4 };

int main(void) {
    uint64_t zeros = 0;
    struct bench b = bench_begin();
    for (int round = 0; round < ROUNDS; round++) {
        char *p = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bench_check(p != MAP_FAILED, "mmap");
        // One page at a time, also where the kernel would rather give two megabytes at once.
        madvise(p, (size_t)PAGES * PAGE, MADV_NOHUGEPAGE); // refused where there are none
        for (long i = 0; i < PAGES; i++) zeros += p[i * PAGE]++ == 0;
        bench_check(munmap(p, (size_t)PAGES * PAGE) == 0, "munmap");
    }
    return bench_end(b, zeros, (uint64_t)PAGES * ROUNDS);
}
