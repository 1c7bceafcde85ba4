// First and only process of the device test: exercises every device as an ordinary program would
// and prints TAP on the console. The kernel's command line says how to end: "end=reboot", else
// power off.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20 };
static int tests;

static void ok(int good, const char *what) {
    int e = errno;
    printf("%sok %d - %s", good ? "" : "not ", ++tests, what);
    if (!good) printf(" (last errno: %s)", strerror(e));
    printf("\n");
    fflush(stdout);
}

static int read_text(const char *path, char *buf, size_t cap) {
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, cap - 1);
    if (fd >= 0) close(fd);
    buf[n > 0 ? n : 0] = 0;
    return n < 0 ? -1 : 0;
}

static uint32_t next_random(uint32_t *x) { return *x = *x * 1664525 + 1013904223; }

static void fill(uint32_t *p, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++) p[i] = next_random(&seed);
}

static int check(const uint32_t *p, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != next_random(&seed)) return 0;
    return 1;
}

static void disks(void) {
    uint32_t *p = aligned_alloc(4096, 4 * MIB), *q = aligned_alloc(4096, 4 * MIB);
    uint64_t size = 0;
    char text[64];
    int fd = open("/dev/vda", O_RDWR | O_DIRECT);
    ok(fd >= 0 && ioctl(fd, BLKGETSIZE64, &size) == 0 && size == 8 * MIB, "disk of 8 MiB");
    fill(p, MIB, 1);
    ok(pwrite(fd, p, 4 * MIB, 2 * MIB) == 4 * MIB && fsync(fd) == 0, "write 4 MiB and flush");
    ok(pread(fd, q, 4 * MIB, 2 * MIB) == 4 * MIB && check(q, MIB, 1), "read them back");
    ok(pread(fd, q, 512, 0) == 512 && memcmp(q, "first sector", 12) == 0,
       "what the host put there");
    uint64_t range[2] = {3 * MIB, MIB};
    ok(ioctl(fd, BLKZEROOUT, range) == 0 && pread(fd, q, MIB, 3 * MIB) == MIB && q[0] == 0 &&
           memcmp(q, q + 1, MIB - 4) == 0,
       "write zeroes");
    range[0] = 5 * MIB, range[1] = 4096;
    ok(ioctl(fd, BLKDISCARD, range) == 0, "discard");
    close(fd);
    ok(read_text("/sys/block/vda/serial", text, sizeof text) == 0 && strcmp(text, "bertha") == 0,
       "serial number");
    int readonly = 0;
    fd = open("/dev/vdb", O_RDONLY);
    ok(ioctl(fd, BLKROGET, &readonly) == 0 && readonly, "second disk is read-only");
    ok(fd >= 0 && read(fd, text, 12) == 12 && memcmp(text, "first sector", 12) == 0,
       "and readable");
    close(fd);
    free(p), free(q);
}

static void entropy(void) {
    unsigned char a[64] = {0}, b[64] = {0};
    int fd = open("/dev/hwrng", O_RDONLY);
    ok(fd >= 0 && read(fd, a, 64) == 64 && read(fd, b, 64) == 64 && memcmp(a, b, 64) != 0,
       "entropy device");
    close(fd);
}

static void share(const char *msize) {
    char opt[100], what[100], text[64];
    snprintf(opt, sizeof opt, "trans=virtio,version=9p2000.L,msize=%s", msize);
    snprintf(what, sizeof what, "mount 9p with msize=%s", msize);
    ok(mount("data", "/mnt", "9p", 0, opt) == 0, what);
    ok(read_text("/mnt/hello", text, sizeof text) == 0 && strcmp(text, "from the host\n") == 0,
       "read a file of the host");
    uint32_t *p = malloc(4 * MIB);
    fill(p, MIB, 7);
    int fd = open("/mnt/big", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ok(fd >= 0 && write(fd, p, 4 * MIB) == 4 * MIB && close(fd) == 0, "write 4 MiB");
    memset(p, 0, 4 * MIB);
    fd = open("/mnt/big", O_RDONLY);
    ok(fd >= 0 && read(fd, p, 4 * MIB) == 4 * MIB && check(p, MIB, 7), "read them back");
    close(fd);
    free(p);
    ok(rename("/mnt/big", "/mnt/written") == 0 && access("/mnt/big", F_OK) < 0, "rename");
    ok(umount("/mnt") == 0, "unmount");
}

static void terminal(const char *cmdline) {
    struct winsize ws = {0};
    char line[64] = {0};
    ioctl(0, TIOCGWINSZ, &ws);
    printf("# terminal of %d columns and %d rows\n", ws.ws_col, ws.ws_row);
    if (strstr(cmdline, "console=hvc1")) ok(ws.ws_col == 80 && ws.ws_row == 24, "terminal size");
    struct termios t;
    tcgetattr(0, &t);
    t.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(0, TCSANOW, &t);
    printf("# type a line\n");
    fflush(stdout);
    ok(fgets(line, sizeof line, stdin) && strcmp(line, "a line of input\n") == 0, "line of input");
    printf("# a long output:\n");
    for (int i = 0; i < 3000; i++) printf("# %04d 0123456789abcdefghijklmnopqrstuvwxyz\n", i);
    fflush(stdout);
}

static void time_passes(void) {
    struct timespec a, b, ts = {0, 50000000};
    clock_gettime(CLOCK_MONOTONIC, &a);
    nanosleep(&ts, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    long ms = (long)(b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
    ok(ms >= 50 && ms < 2000, "a sleep of 50 ms");
}

int main(void) {
    char cmdline[1024] = "";
    mkdir("/dev", 0755), mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/mnt", 0755);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sys", "/sys", "sysfs", 0, NULL);
    read_text("/proc/cmdline", cmdline, sizeof cmdline);
    if (strstr(cmdline, "end=reboot")) reboot(RB_AUTOBOOT);
    if (strstr(cmdline, "end=panic")) return 1;
    disks();
    entropy();
    share("8192");
    share("512000");
    time_passes();
    terminal(cmdline);
    printf("1..%d\n", tests);
    fflush(stdout);
    tcdrain(1);
    reboot(RB_POWER_OFF);
    return 1;
}
