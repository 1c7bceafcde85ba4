# 32-bit programs: static and dynamic, x87 arithmetic, int 0x80 and the vDSO, threads (a segment of the LDT or GDT), signals.
cat >t.c <<'C'
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
static __thread int own = 3;
static volatile sig_atomic_t caught;
static void on_signal(int sig) { caught += sig; }
static void *thread(void *arg) { own += *(int *)arg; return (void *)(long)own; }
static long by_int80(long nr) { long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(nr) : "memory"); return r; }
static unsigned carry(unsigned a, unsigned b, unsigned *hi) { unsigned lo, h = 1; __asm__("addl %3,%0; adcl $0,%1" : "=r"(lo), "+r"(h) : "0"(a), "r"(b) : "cc"); *hi = h; return lo; }
static int cmp(const void *a, const void *b) { return *(int *)a - *(int *)b; }
int main(int argc, char **argv)
{
    double s = 0;
    long double l = 1;
    for (int i = 1; i < 200; i++) { s += sin(i) / sqrt(i); l += 1 / (long double)i / i; }
    printf("%zu %zu %.12f %.18Lf %a\n", sizeof(long), sizeof(long double), s, l, (double)(float)(1 / 3.0));
    unsigned hi, lo = carry(0xfffffff0u, 0x20, &hi);
    unsigned long long q = 0x123456789abcdefULL;
    printf("%x %x %llu %llu %lld\n", hi, lo, q / 1234567, q % 1234567, -(long long)q >> 7);
    printf("%d %d\n", by_int80(SYS_getpid) == getpid(), by_int80(SYS_getuid) == (long)getuid());
    signal(SIGFPE, SIG_IGN); signal(SIGUSR1, on_signal); raise(SIGUSR1);
    pthread_t t; void *r; int add = 4;
    pthread_create(&t, NULL, thread, &add); pthread_join(t, &r);
    struct timespec ts; int ok = clock_gettime(CLOCK_MONOTONIC, &ts) == 0 && ts.tv_nsec < 1000000000;
    printf("%d %ld %d %d\n", (int)caught, (long)r, own, ok);
    int a[1000]; unsigned x = 1;
    for (int i = 0; i < 1000; i++) { x = x * 69069 + 1; a[i] = x >> 16; }
    qsort(a, 1000, sizeof a[0], cmp);
    char text[64]; memset(text, 'x', 63); text[63] = 0; strcat(strcpy(text + 10, "end"), argc > 1 ? argv[1] : "");
    printf("%d %d %d %s\n", a[0], a[500], a[999], text);
    return 9;
}
C
for o in "-static -O2" "-O0" "-O2 -msse2 -mfpmath=sse" "-O2 -march=i386"; do
    gcc -m32 $o t.c -o t -lm -lpthread && ./t 1
    echo "status $? ($o)"
done
# Debian's own i386 libraries, through the multiarch loader.
echo '{"a":[1,2.5,1e100,0.1]}' | jq -c '.a | add, map(. * 3), (map(tostring) | join(" "))'
jq -nc '[range(1000)] | map(. * . % 17) | add, (2 | pow(.; 0.5)), (1 / 3)'
