// The shortest system call there is, again and again.
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

enum { CALLS = 400000 };

int main(void) {
    long parent = getppid();
    uint64_t good = 0;
    struct bench b = bench_begin();
    for (long i = 0; i < CALLS; i++) good += syscall(SYS_getppid) == parent;
    return bench_end(b, good, CALLS);
}
