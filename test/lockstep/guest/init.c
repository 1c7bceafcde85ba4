// The only process of a guest that is compared instruction by instruction: a bit of everything that
// makes an engine's life hard, the same each time. LOCKSTEP_ROUNDS on the kernel's command line
// repeats the cheap parts.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined __x86_64__
#include <sys/io.h>
#endif

static uint64_t seed = 88172645463325252u;
static uint64_t next(void) {
    seed ^= seed << 13, seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void say(const char *what, uint64_t v) {
    char line[80];
    int n = snprintf(line, sizeof line, "lockstep %s %016llx\n", what, (unsigned long long)v);
    if (write(1, line, (size_t)n) < 0) _exit(1);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void sort(void) {
    enum { N = 3000 };
    static uint64_t v[N];
    for (int i = 0; i < N; i++) v[i] = next();
    qsort(v, N, sizeof *v, compare);
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) sum = sum * 31 + v[i];
    say("sort", sum);
}

static uint64_t fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static void floats(void) {
    double a[4][4], sum = 0;
    float f = 1;
    for (int r = 0; r < 300; r++)
        for (int i = 0; i < 4; i++)
            for (int k = 0; k < 4; k++) {
                a[i][k] = (double)(int64_t)next() / 1e15;
                sum += a[i][k] * a[k][i] / (1 + (double)(r % 7));
                f = f * 1.0001f + (float)sum / 3e9f;
                if (f > 1e6f) f = (float)((long)f % 1000);
            }
    uint64_t bits;
    memcpy(&bits, &sum, 8);
    say("floats", bits ^ (uint64_t)(f * 1000));
}

// ---- memory: page faults by touching, write protection, a handler that mends

static sigjmp_buf back;
static void on_fault(int sig) { siglongjmp(back, sig); }

static void memory(void) {
    enum { PAGES = 64 };
    unsigned char *p =
        mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile uint64_t sum = 0; // volatile: changed between sigsetjmp and siglongjmp
    for (int i = 0; i < PAGES * 4096; i += 509) p[i] = (unsigned char)i;
    for (int i = 4094; i < PAGES * 4096 - 8; i += 4096) {
        uint64_t v = next();
        memcpy(p + i, &v, 8); // across the edge
        memcpy(&v, p + i + 1, 7);
        sum += v;
    }
    signal(SIGSEGV, on_fault);
    for (volatile int i = 0; i < 8; i++) {
        mprotect(p + 4096 * i, 4096, i & 1 ? PROT_READ : PROT_NONE);
        int sig = sigsetjmp(back, 1);
        if (sig == 0) {
            p[4096 * i + 5]++;
            sum = ~sum;
        }
        sum = sum * 7 + (uint64_t)sig;
    }
    munmap(p, PAGES * 4096);
    say("memory", sum);
}

// ---- code that is written at run time

// A function that returns four times the round.
static void write_code(uint32_t *code, uint32_t round) {
#if defined __x86_64__
    unsigned char *p = (unsigned char *)code;
    uint32_t more = round * 3;
    p[0] = 0xb8; // mov eax, round
    memcpy(p + 1, &round, 4);
    p[5] = 0x05; // add eax, more
    memcpy(p + 6, &more, 4);
    p[10] = 0xc3;
#else
    code[0] = 0x00000513u | (round & 0x7ff) << 20; // li a0, round
    code[1] = 0x00050513u | (round * 3 & 0x7ff) << 20;
    code[2] = 0x00008067u; // ret
#endif
}

static void generated(void) {
    enum { LEN = 4096 };
    uint32_t *code =
        mmap(NULL, LEN, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t sum = 0;
    for (uint32_t round = 0; round < 200; round++) {
        write_code(code, round);
        __builtin___clear_cache((char *)code, (char *)(code + 3));
        sum += ((uint64_t(*)(void))code)();
    }
    munmap(code, LEN);
    say("generated", sum);
}

// ---- processes

static void processes(void) {
    int to[2], from[2];
    if (pipe(to) || pipe(from)) return;
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t v;
        while (read(to[0], &v, 8) == 8 && v) {
            v = v * 3 + 1;
            if (write(from[1], &v, 8) != 8) break;
        }
        _exit(7);
    }
    uint64_t sum = 0, v;
    for (uint64_t i = 1; i <= 40; i++) {
        v = i;
        if (write(to[1], &v, 8) != 8 || read(from[0], &v, 8) != 8) break;
        sum += v;
    }
    v = 0;
    if (write(to[1], &v, 8) != 8) sum = 0;
    int status = 0;
    waitpid(pid, &status, 0);
    close(to[0]), close(to[1]), close(from[0]), close(from[1]);
    say("processes", sum * 256 + (uint64_t)WEXITSTATUS(status));
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t shared;
static void *thread(void *arg) {
    for (int i = 0; i < 500; i++) {
        __atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
        if (i % 50 == 0) {
            pthread_mutex_lock(&lock);
            shared += (uint64_t)(uintptr_t)arg;
            pthread_mutex_unlock(&lock);
        }
    }
    return NULL;
}

static void threads(void) {
    pthread_t t[3];
    for (uintptr_t i = 0; i < 3; i++) pthread_create(&t[i], NULL, thread, (void *)(i * 1000));
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    say("threads", shared);
}

static volatile sig_atomic_t ticks;
static void on_tick(int sig) {
    (void)sig;
    ticks++;
}

static void timers(void) {
    struct itimerval it = {{0, 4000}, {0, 4000}};
    signal(SIGALRM, on_tick);
    setitimer(ITIMER_REAL, &it, NULL);
    uint64_t sum = 0;
    while (ticks < 5) sum += fib(5);
    usleep(20000);
    memset(&it, 0, sizeof it);
    setitimer(ITIMER_REAL, &it, NULL);
    say("timers", 5);
    (void)sum;
}

int main(void) {
    mkdir("/proc", 0555);
    mount("proc", "/proc", "proc", 0, NULL);
    char line[1024] = "";
    int fd = open("/proc/cmdline", O_RDONLY);
    if (fd < 0 || read(fd, line, sizeof line - 1) < 0) line[0] = 0;
    const char *s = strstr(line, "LOCKSTEP_ROUNDS=");
    int rounds = s ? atoi(s + 16) : 1;
    for (int i = 0; i < rounds; i++) {
        sort();
        say("fib", fib(17));
        floats();
        memory();
        generated();
        processes();
    }
    threads();
    timers();
    say("end", (uint64_t)rounds);
    sync();
#if defined __x86_64__
    // Linux cannot switch this board off without ACPI.
    if (ioperm(0x604, 2, 1) == 0) outw(1 << 13, 0x604);
#endif
    reboot(RB_POWER_OFF);
    return 0;
}
