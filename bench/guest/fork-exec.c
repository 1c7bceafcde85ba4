// fork, exec of the program that is named, wait: what a shell does all day.
//   fork-exec COUNT PROGRAM
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { STATUS = 7 }; // what nothing.c returns

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    uint64_t count = strtoull(argv[1], NULL, 10), good = 0;
    struct bench b = bench_begin();
    for (uint64_t i = 0; i < count; i++) {
        pid_t child = fork();
        bench_check(child >= 0, "fork");
        if (child == 0) {
            execl(argv[2], argv[2], (char *)NULL);
            _exit(127);
        }
        int status;
        bench_check(waitpid(child, &status, 0) == child, "waitpid");
        good += WIFEXITED(status) && WEXITSTATUS(status) == STATUS;
    }
    return bench_end(b, good, count);
}
