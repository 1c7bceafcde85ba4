// The only program of the scratch-test image: shows what a container process was given, and does on
// demand what tests want to see. Static, needs no file. `probe COMMAND [ARG...] [, COMMAND ...]`:
// each command runs in turn; the first that fails ends the program with status 1.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static volatile sig_atomic_t got;

static int failed(const char *what) {
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    return 1;
}

static void on_signal(int signo) { got = signo; }

static int show(char **a) {
    (void)a;
    char cwd[4096], host[256] = "";
    gid_t groups[64];
    struct utsname u;
    int n = getgroups(64, groups);
    uname(&u);
    gethostname(host, sizeof host);
    printf("machine=%s\nhostname=%s\ncwd=%s\n", u.machine, host, getcwd(cwd, sizeof cwd));
    printf("pid=%d uid=%u gid=%u groups=", (int)getpid(), getuid(), getgid());
    for (int i = 0; i < n; i++) printf("%s%u", i ? "," : "", groups[i]);
    printf("\ntty=%d%d%d\n", isatty(0), isatty(1), isatty(2));
    for (char **e = environ; *e; e++) printf("env %s\n", *e);
    return 0;
}

static int args(char **a) {
    for (; *a; a++) printf("arg %s\n", *a);
    return 0;
}

static int env(char **a) {
    const char *v = getenv(a[0]);
    printf("%s\n", v ? v : "(unset)");
    return 0;
}

static int size(char **a) {
    (void)a;
    struct winsize w;
    if (ioctl(0, TIOCGWINSZ, &w) < 0) return failed("size");
    printf("size %ux%u\n", w.ws_col, w.ws_row);
    return 0;
}

// Copies stdin to stdout, then says how much it was.
static int cat(char **a) {
    (void)a;
    char buf[65536];
    size_t total = 0;
    ssize_t n;
    while ((n = read(0, buf, sizeof buf)) > 0) {
        for (ssize_t done = 0, w; done < n; done += w)
            if ((w = write(1, buf + done, (size_t)(n - done))) < 0) return failed("cat");
        total += (size_t)n;
    }
    fprintf(stderr, "eof %zu\n", total);
    return n < 0 ? failed("cat") : 0;
}

// N bytes, each a function of its position.
static int out(char **a) {
    unsigned long n = strtoul(a[0], NULL, 10);
    for (unsigned long i = 0; i < n; i++) putchar('a' + (int)(i * 7 % 26));
    return 0;
}

static int err(char **a) {
    fprintf(stderr, "%s\n", a[0]);
    return 0;
}

static int close_fd(char **a) { return close(atoi(a[0])) < 0 ? failed(a[0]) : 0; }

// Says "ready", waits for a signal, a window change included, and names it.
static int await(char **a) {
    (void)a;
    struct sigaction sa = {.sa_handler = on_signal};
    int list[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGWINCH};
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) sigaction(list[i], &sa, NULL);
    printf("ready\n");
    fflush(stdout);
    sigsuspend(&none);
    printf("signal %d\n", (int)got);
    return 0;
}

// Runs the rest of the line as a child with default signals and says how it ended.
static int child(char **a) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execv("/proc/self/exe", a - 1);
        _exit(errno);
    }
    int st = 0;
    waitpid(pid, &st, 0);
    printf("child %s %d\n", WIFSIGNALED(st) ? "signal" : "exit",
           WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st));
    return 0;
}

static int nap(char **a) {
    double s = strtod(a[0], NULL);
    struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
    nanosleep(&t, NULL);
    return 0;
}

static int raw(char **a) {
    (void)a;
    struct termios t;
    if (tcgetattr(0, &t) < 0) return failed("raw");
    cfmakeraw(&t);
    return tcsetattr(0, TCSANOW, &t) < 0 ? failed("raw") : 0;
}

static int list(char **a) {
    struct dirent **names;
    int n = scandir(a[0], &names, NULL, alphasort);
    if (n < 0) return failed(a[0]);
    for (int i = 0; i < n; i++)
        if (names[i]->d_name[0] != '.') printf("%s\n", names[i]->d_name);
    return 0;
}

static int show_file(char **a) {
    char buf[4096];
    int fd = open(a[0], O_RDONLY);
    ssize_t n;
    if (fd < 0) return failed(a[0]);
    while ((n = read(fd, buf, sizeof buf)) > 0) fwrite(buf, 1, (size_t)n, stdout);
    close(fd);
    return n < 0 ? failed(a[0]) : 0;
}

static int put_file(char **a) {
    int fd = open(a[0], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, a[1], strlen(a[1])) < 0 || close(fd) < 0) return failed(a[0]);
    return 0;
}

static int append(char **a) {
    int fd = open(a[0], O_WRONLY | O_APPEND);
    if (fd < 0 || write(fd, a[1], strlen(a[1])) < 0 || close(fd) < 0) return failed(a[0]);
    return 0;
}

static int file_stat(char **a) {
    struct stat st;
    struct statfs fs;
    if (lstat(a[0], &st) < 0 || statfs(a[0], &fs) < 0) return failed(a[0]);
    printf("%s mode=%o uid=%u gid=%u size=%lld fs=%lx\n", a[0], st.st_mode, st.st_uid, st.st_gid,
           (long long)st.st_size, (long)fs.f_type);
    return 0;
}

static int move(char **a) { return rename(a[0], a[1]) < 0 ? failed(a[1]) : 0; }
static int make_dir(char **a) { return mkdir(a[0], 0755) < 0 ? failed(a[0]) : 0; }
static int drop(char **a) { return remove(a[0]) < 0 ? failed(a[0]) : 0; }
static int make_link(char **a) { return symlink(a[0], a[1]) < 0 ? failed(a[1]) : 0; }
static int mode(char **a) {
    return chmod(a[1], (mode_t)strtoul(a[0], NULL, 8)) < 0 ? failed(a[1]) : 0;
}

// Writes through a shared mapping of a file, then through write(2), and checks that both agree.
static int map(char **a) {
    int fd = open(a[0], O_RDWR | O_CREAT | O_TRUNC, 0644);
    char page[8192], back[8192];
    memset(page, 'p', sizeof page);
    if (fd < 0 || write(fd, page, sizeof page) != (ssize_t)sizeof page) return failed(a[0]);
    char *m = mmap(NULL, sizeof page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (m == MAP_FAILED) return failed("mmap");
    memcpy(m + 100, "mapped", 6);
    if (msync(m, sizeof page, MS_SYNC) < 0 || pread(fd, back, sizeof back, 0) != sizeof back)
        return failed("map");
    int same = memcmp(back + 100, "mapped", 6) == 0;
    if (pwrite(fd, "written", 7, 5000) != 7) return failed("pwrite");
    same = same && memcmp(m + 5000, "written", 7) == 0;
    printf("map %s\n", same ? "coherent" : "DIFFERS");
    munmap(m, sizeof page);
    return close(fd) < 0;
}

// Random operations on one file, each result compared with a copy in memory: `fsx FILE SEED COUNT`.
// Mixes read, write, append, truncate, shared mappings and reopening, as file system exercisers do.
#define FSX_MAX (192 * 1024)
static struct {
    char *path, *model;
    int fd, step;
    size_t size;
    unsigned long long rng;
} fsx;

static unsigned fsx_random(unsigned below) {
    fsx.rng = fsx.rng * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(fsx.rng >> 33) % below;
}

static int fsx_differs(const char *what, const char *got, size_t off, size_t n) {
    size_t i = 0;
    while (i < n && got[i] == fsx.model[off + i]) i++;
    if (i == n) return 0;
    fprintf(stderr, "fsx: step %d: %s of %zu at %zu differs at %zu: %02x, want %02x, size %zu\n",
            fsx.step, what, n, off, off + i, (unsigned char)got[i],
            (unsigned char)fsx.model[off + i], fsx.size);
    return 1;
}

static int fsx_read(size_t off, size_t n) {
    static char buf[FSX_MAX];
    size_t want = off >= fsx.size ? 0 : n < fsx.size - off ? n : fsx.size - off, got = 0;
    ssize_t r;
    while (got < n && (r = pread(fsx.fd, buf + got, n - got, (off_t)(off + got))) > 0)
        got += (size_t)r;
    if (got != want) {
        fprintf(stderr, "fsx: step %d: read of %zu at %zu gave %zu, want %zu, size %zu\n", fsx.step,
                n, off, got, want, fsx.size);
        return 1;
    }
    return fsx_differs("read", buf, off, got);
}

static int fsx_write(size_t off, size_t n, int append) {
    static char buf[FSX_MAX];
    for (size_t i = 0; i < n; i++) buf[i] = (char)(1 + fsx_random(255));
    if (append) {
        int fd = open(fsx.path, O_WRONLY | O_APPEND);
        off = fsx.size;
        if (fd < 0 || write(fd, buf, n) != (ssize_t)n || close(fd) < 0) return failed("fsx append");
    } else if (pwrite(fsx.fd, buf, n, (off_t)off) != (ssize_t)n) {
        return failed("fsx write");
    }
    memcpy(fsx.model + off, buf, n); // a hole in front is zero in the model
    if (off + n > fsx.size) fsx.size = off + n;
    return 0;
}

static int fsx_truncate(size_t size) {
    if (ftruncate(fsx.fd, (off_t)size) < 0) return failed("fsx truncate");
    if (size < fsx.size) memset(fsx.model + size, 0, fsx.size - size);
    fsx.size = size;
    return 0;
}

static int fsx_map(size_t off, size_t n, int modify) {
    size_t from = off & ~(size_t)4095;
    if (off >= fsx.size) return 0;
    if (n > fsx.size - off) n = fsx.size - off;
    char *m = mmap(NULL, off - from + n, PROT_READ | PROT_WRITE, MAP_SHARED, fsx.fd, (off_t)from);
    if (m == MAP_FAILED) return failed("fsx mmap");
    int bad = fsx_differs("mapping", m + (off - from), off, n);
    for (size_t i = 0; modify && !bad && i < n; i++)
        m[off - from + i] = fsx.model[off + i] = (char)(1 + fsx_random(255));
    munmap(m, off - from + n);
    return bad;
}

static int fsx_step(void) {
    size_t off = fsx_random(FSX_MAX - 32768), n = 1 + fsx_random(fsx_random(4) ? 300 : 32768);
    switch (fsx_random(12)) {
    case 0:
        return fsx_truncate(fsx_random(FSX_MAX - 32768));
    case 1:
        return fsx.size + n > FSX_MAX ? 0 : fsx_write(0, n, 1);
    case 2:
        close(fsx.fd);
        fsx.fd = open(fsx.path, O_RDWR);
        return fsx.fd < 0 ? failed("fsx open") : 0;
    case 3:
        return fsync(fsx.fd) < 0 ? failed("fsx fsync") : 0;
    case 4:
    case 5:
        return fsx_map(off, n, 1);
    case 6:
        return fsx_map(off, n, 0);
    case 7:
    case 8:
        return fsx_write(off, n, 0);
    default:
        return fsx_read(off, n);
    }
}

static int run_fsx(char **a) {
    fsx.path = a[0];
    fsx.rng = strtoull(a[1], NULL, 10);
    fsx.model = calloc(1, FSX_MAX);
    fsx.fd = open(a[0], O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fsx.fd < 0 || !fsx.model) return failed(a[0]);
    for (fsx.step = 0; fsx.step < atoi(a[2]); fsx.step++)
        if (fsx_step()) return 1;
    int bad = fsx_read(0, FSX_MAX);
    if (!bad) printf("fsx ok, %zu bytes\n", fsx.size);
    return close(fsx.fd) < 0 || bad;
}

// Follows a file for up to 5 s until it holds the text; as tail -f does, with the file kept open.
static int follow(char **a) {
    char buf[65536];
    size_t n = 0;
    int fd = open(a[0], O_RDONLY);
    if (fd < 0) return failed(a[0]);
    printf("following\n");
    fflush(stdout);
    for (int i = 0; i < 100; i++) {
        ssize_t r = read(fd, buf + n, sizeof buf - 1 - n);
        if (r > 0) n += (size_t)r;
        buf[n] = 0;
        if (strstr(buf, a[1])) {
            printf("seen\n");
            return 0;
        }
        usleep(50000);
    }
    printf("NOT seen: %s\n", buf);
    return 1;
}

// The same through mappings of a file that is kept open and whose end has been read before.
static int follow_map(char **a) {
    struct stat st;
    int fd = open(a[0], O_RDONLY);
    for (int i = 0; fd >= 0 && i < 100; i++) {
        if (fstat(fd, &st) < 0) break;
        size_t n = (size_t)st.st_size;
        char *m = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
        if (m == MAP_FAILED) break;
        char *seen = memmem(m, n, a[1], strlen(a[1]));
        munmap(m, n);
        if (seen) {
            printf("seen\n");
            return 0;
        }
        if (i == 0) printf("following\n");
        fflush(stdout);
        usleep(50000);
    }
    return failed(a[0]);
}

static int now(char **a) {
    (void)a;
    printf("time %lld\n", (long long)time(NULL));
    return 0;
}

static int leave(char **a) {
    fflush(stdout);
    _exit(atoi(a[0]));
}

// Leaves a process behind that holds the streams, ignores signals and never ends.
static int haunt(char **a) {
    (void)a;
    fflush(stdout);
    if (fork() == 0) {
        for (int i = 1; i < 32; i++) signal(i, SIG_IGN);
        for (;;) pause();
    }
    return 0;
}

// Touches memory until the kernel ends this.
static int hog(char **a) {
    (void)a;
    for (char *p; (p = malloc(1 << 20));) memset(p, 1, 1 << 20);
    return failed("hog");
}

static const struct {
    const char *name;
    int nargs; // -1: all that follow
    int (*run)(char **a);
} commands[] = {
    {"show", 0, show},      {"args", -1, args},
    {"env", 1, env},        {"size", 0, size},
    {"cat", 0, cat},        {"out", 1, out},
    {"err", 1, err},        {"close", 1, close_fd},
    {"await", 0, await},    {"child", -1, child},
    {"sleep", 1, nap},      {"raw", 0, raw},
    {"ls", 1, list},        {"read", 1, show_file},
    {"write", 2, put_file}, {"append", 2, append},
    {"stat", 1, file_stat}, {"mv", 2, move},
    {"mkdir", 1, make_dir}, {"rm", 1, drop},
    {"ln", 2, make_link},   {"chmod", 2, mode},
    {"map", 1, map},        {"fsx", 3, run_fsx},
    {"follow", 2, follow},  {"follow-map", 2, follow_map},
    {"time", 0, now},       {"exit", 1, leave},
    {"haunt", 0, haunt},    {"hog", 0, hog},
};

static int run(char ***at) {
    char **a = *at;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(a[0], commands[i].name) != 0) continue;
        int n = 0;
        while (a[1 + n] && (commands[i].nargs < 0 || n < commands[i].nargs)) n++;
        if (n < commands[i].nargs) break;
        *at = a + 1 + n;
        return commands[i].run(a + 1);
    }
    fprintf(stderr, "probe: unknown command or missing argument: %s\n", a[0]);
    return 2;
}

int main(int argc, char **argv) {
    int status = 0;
    char **a = argv + 1;
    (void)argc;
    while (*a && status == 0) {
        if (strcmp(*a, ",") == 0)
            a++;
        else
            status = run(&a);
    }
    fflush(stdout);
    return status;
}
