// Two processes send a number to and fro through pipes: the scheduler and switches of address
// space.
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { TRIPS = 6000 };

static void echo(int in, int out) {
    uint64_t v;
    while (read(in, &v, sizeof v) == sizeof v) {
        v++;
        if (write(out, &v, sizeof v) != sizeof v) _exit(1);
    }
    _exit(0);
}

int main(void) {
    int there[2], back[2], status;
    bench_check(pipe(there) == 0 && pipe(back) == 0, "pipe");
    struct bench b = bench_begin();
    pid_t child = fork();
    bench_check(child >= 0, "fork");
    if (child == 0) {
        close(there[1]);
        close(back[0]);
        echo(there[0], back[1]);
    }
    uint64_t v = 0;
    for (long i = 0; i < TRIPS; i++) {
        bench_check(write(there[1], &v, sizeof v) == sizeof v, "write");
        bench_check(read(back[0], &v, sizeof v) == sizeof v, "read");
    }
    close(there[1]);
    bench_check(waitpid(child, &status, 0) == child, "waitpid");
    return bench_end(b, v, TRIPS);
}
