// Role: `berth machine`: boots any kernel image with a serial console on the terminal, for kernel
// work and outside test suites. Depends on the machine library and POSIX. Nothing of the product
// depends on this file; containers go through cli/run.c.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "cli.h"
#include "host/host.h"
#include "machine/machine.h"
#include "p9/fs.h"
#include "term.h"
#include "tracing.h"

enum { MAX_DISKS = 8, MAX_SHARES = 8, INPUT_MAX = 4096 };
#define MAX_IMAGE (4ull << 30)
#define RUN_NS    10000000ull // a slice between looks at the terminal

static const char usage[] =
    "usage: berth machine --kernel FILE [options]\n"
    "  --kernel FILE        a flat Linux Image or an ELF executable\n"
    "  --initrd FILE        initramfs\n"
    "  --append STR         kernel command line\n"
    "  --memory SIZE        RAM, e.g. 512M or 1G (default 256M)\n"
    "  --blk FILE[,ro]      a disk image as /dev/vda, vdb, ... (repeatable)\n"
    "  --9p TAG=DIR[,ro]    a directory for `mount -t 9p -o trans=virtio TAG` (repeatable)\n"
    "  --virtio-console     the terminal is a virtio console (hvc0; hvc1 in a kernel that also "
    "has\n"
    "                       the SBI console) instead of the UART (ttyS0)\n"
    "  --arch NAME          riscv64 (default), x86_64\n"
    "  --engine NAME        interp (default) or eval, the slow reference\n"
    "  --log-commits FILE   a line for each stop of the engine: count, pc, hash of registers\n"
    "  --dump, --no, --torture   look into the engine, see below\n"
    "  --icount             guest time from instructions: reproducible, idle time is skipped\n"
    "  --stats              print what was executed to stderr at the end\n"
    "Ctrl-A x on a terminal ends the machine, Ctrl-A Ctrl-A sends Ctrl-A.\n"
    "Exit status: 0 after power-off, after a reboot request (the machine never restarts) and "
    "after\n"
    "Ctrl-A x; the guest's code (1 to 255) when it fails through the test device; 2 for bad "
    "usage;\n"
    "125 when the machine cannot be made.\n";

struct disk {
    int fd;
    const char *path;
};

struct options {
    const char *kernel, *initrd, *append, *arch;
    u64 memory;
    struct cpu_settings cpu;
    const char *log_commits;
    bool icount, stats, virtio_console;
    const char *disks[MAX_DISKS], *shares[MAX_SHARES];
    unsigned ndisks, nshares;
};

struct session {
    struct machine *m;
    struct disk disk[MAX_DISKS];
    struct machine_blk blk[MAX_DISKS];
    struct machine_9p p9[MAX_SHARES];
    char *tags[MAX_SHARES];
    unsigned ndisks, nshares;
    u8 input[INPUT_MAX]; // read from the terminal, not yet accepted by the guest
    size_t input_len;
    bool input_eof, escape, quit, output_gone;
    int signal_fd, signal; // `signal`: the one that ends us
};

// Terminal.

static void console_out(void *arg, const u8 *p, size_t n) {
    struct session *s = arg;
    while (n && !s->output_gone) {
        ssize_t w = write(STDOUT_FILENO, p, n);
        if (w > 0) {
            p += w;
            n -= (size_t)w;
        } else if (w < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&pfd, 1, 1000);
        } else if (w < 0 && errno != EINTR) {
            s->output_gone = true; // nobody reads any more: end as a filter would
        }
    }
}

static void resize(struct session *s) {
    unsigned cols, rows;
    if (term_size(&cols, &rows)) machine_console_resize(s->m, cols, rows);
}

static void take_signals(struct session *s) {
    for (int sig; (sig = signals_next());) {
        if (sig == SIGWINCH)
            resize(s);
        else
            s->signal = sig;
    }
}

// Ctrl-A is the escape key of a terminal, as QEMU's serial console has it.
static void take_key(struct session *s, u8 c) {
    enum { CTRL_A = 1 };
    if (s->escape) {
        s->escape = false;
        if (c == 'x') s->quit = true;
        if (c != CTRL_A) return;
    } else if (c == CTRL_A && term_is_raw()) {
        s->escape = true;
        return;
    }
    s->input[s->input_len++] = c;
}

static void read_input(struct session *s) {
    u8 b[INPUT_MAX];
    ssize_t n = read(STDIN_FILENO, b, sizeof b - s->input_len);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) s->input_eof = true;
    for (ssize_t i = 0; i < n; i++) take_key(s, b[i]);
}

static void offer_input(struct session *s) {
    size_t n = s->input_len ? machine_console_input(s->m, s->input, s->input_len) : 0;
    memmove(s->input, s->input + n, s->input_len - n);
    s->input_len -= n;
}

// Sleeps until the guest's next timer, a signal, or input that the guest has room for.
static void wait_for_events(struct session *s, const struct machine_status *st) {
    u64 ns = 0, now = host_monotonic_ns();
    const u64 hour = 3600000000000ull;
    if (st->state == MACHINE_IDLE && st->wake_ns > now) ns = st->wake_ns - now;
    if (ns > hour) ns = hour;
    struct timespec ts = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    bool want_input = !s->input_eof && s->input_len < INPUT_MAX / 2;
    struct pollfd pfd[2] = {{.fd = s->signal_fd, .events = POLLIN},
                            {.fd = want_input ? STDIN_FILENO : -1, .events = POLLIN}};
    if (ppoll(pfd, 2, &ts, NULL) <= 0) return;
    take_signals(s);
    if (pfd[1].revents) read_input(s);
}

// Options.

// As QEMU has it, a bare number is MiB.
static int parse_memory(const char *text, u64 *out) {
    if (cli_parse_size(text, out)) return -1;
    if (text[strspn(text, "0123456789")] == 0) {
        if (*out > UINT64_MAX >> 20) return -1;
        *out <<= 20;
    }
    return 0;
}

static int bad_usage(const char *what, const char *value) {
    cli_error("machine: %s%s%s; see \"berth machine --help\"", what, value ? ": " : "",
              value ? value : "");
    return EXIT_USAGE;
}

// Names an option that takes a value; the rest is the value.
enum opt {
    OPT_KERNEL,
    OPT_INITRD,
    OPT_APPEND,
    OPT_ARCH,
    OPT_MEMORY,
    OPT_BLK,
    OPT_9P,
    OPT_LOG_COMMITS,
    OPT_ENGINE, // this and the rest are cpu_set_switch's, by the name without dashes
    OPT_DUMP,
    OPT_NO,
    OPT_TORTURE,
};
static const char *const valued[] = {
    [OPT_KERNEL] = "--kernel", [OPT_INITRD] = "--initrd",
    [OPT_APPEND] = "--append", [OPT_ARCH] = "--arch",
    [OPT_MEMORY] = "--memory", [OPT_BLK] = "--blk",
    [OPT_9P] = "--9p",         [OPT_LOG_COMMITS] = "--log-commits",
    [OPT_ENGINE] = "--engine", [OPT_DUMP] = "--dump",
    [OPT_NO] = "--no",         [OPT_TORTURE] = "--torture",
};

static int set_switch(struct options *o, const char *name, const char *v) {
    struct err err = {0};
    if (cpu_set_switch(&o->cpu, name, v, &err) == 0) return 0;
    cli_error("machine: %s", err.msg);
    return EXIT_USAGE;
}

static int set_valued(struct options *o, enum opt opt, const char *v) {
    switch (opt) {
    case OPT_KERNEL:
        o->kernel = v;
        return 0;
    case OPT_INITRD:
        o->initrd = v;
        return 0;
    case OPT_APPEND:
        o->append = v;
        return 0;
    case OPT_ARCH:
        o->arch = v;
        return 0;
    case OPT_MEMORY:
        return parse_memory(v, &o->memory) ? bad_usage("bad --memory", v) : 0;
    case OPT_BLK:
        if (o->ndisks == MAX_DISKS) return bad_usage("too many --blk", v);
        o->disks[o->ndisks++] = v;
        return 0;
    case OPT_9P:
        if (o->nshares == MAX_SHARES) return bad_usage("too many --9p", v);
        o->shares[o->nshares++] = v;
        return 0;
    case OPT_LOG_COMMITS:
        o->log_commits = v;
        return 0;
    case OPT_ENGINE:
    case OPT_DUMP:
    case OPT_NO:
    case OPT_TORTURE:
        return set_switch(o, valued[opt] + 2, v);
    }
    return bad_usage("unknown option", v);
}

static bool set_flag(struct options *o, const char *a) {
    if (strcmp(a, "--icount") == 0)
        o->icount = true;
    else if (strcmp(a, "--stats") == 0)
        o->stats = true;
    else if (strcmp(a, "--virtio-console") == 0)
        o->virtio_console = true;
    else
        return false;
    return true;
}

static int parse_options(int argc, char **argv, struct options *o) {
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (set_flag(o, a)) continue;
        size_t k;
        for (k = 0; k < ARRAY_LEN(valued); k++) {
            size_t n = strlen(valued[k]);
            if (strncmp(a, valued[k], n)) continue;
            if (a[n] == '=' || a[n] == 0) break;
        }
        if (k == ARRAY_LEN(valued)) return bad_usage("unknown argument", a);
        const char *v = strchr(a, '=');
        if (!v && i + 1 == argc) return bad_usage("missing value after", a);
        int rc = set_valued(o, (enum opt)k, v ? v + 1 : argv[++i]);
        if (rc) return rc;
    }
    return o->kernel ? 0 : bad_usage("--kernel is required", NULL);
}

// Files behind the devices.

static int fail(const char *what, const char *name) {
    cli_error("machine: %s %s: %s", what, name, strerror(errno));
    return EXIT_BERTH;
}

static int read_file(const char *path, struct buf *out) {
    struct err err = {0};
    if (cli_read_file(path, MAX_IMAGE, out, &err) == 0) return 0;
    cli_error("machine: %s", err.msg);
    return EXIT_BERTH;
}

static bool disk_read(void *arg, u64 off, u8 *dst, u32 len) {
    struct disk *d = arg;
    return pread(d->fd, dst, len, (off_t)off) == (ssize_t)len;
}

static bool disk_write(void *arg, u64 off, const u8 *src, u32 len) {
    struct disk *d = arg;
    return pwrite(d->fd, src, len, (off_t)off) == (ssize_t)len;
}

static bool disk_flush(void *arg) {
    struct disk *d = arg;
    return fdatasync(d->fd) == 0;
}

// Splits ",ro" off; the result is the caller's to free.
static char *without_ro(const char *text, bool *ro) {
    char *s = strdup(text);
    size_t n = s ? strlen(s) : 0;
    *ro = n > 3 && strcmp(s + n - 3, ",ro") == 0;
    if (*ro) s[n - 3] = 0;
    return s;
}

static int open_disk(struct session *s, const char *text) {
    bool ro;
    char *path = without_ro(text, &ro);
    if (!path) return fail("cannot open", text);
    struct disk *d = &s->disk[s->ndisks];
    struct stat st;
    d->fd = open(path, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    free(path);
    if (d->fd < 0) return fail("cannot open", text);
    off_t size = fstat(d->fd, &st) == 0 ? lseek(d->fd, 0, SEEK_END) : -1;
    if (size < 512) {
        close(d->fd);
        cli_error("machine: %s is too small for a disk: it must have at least 512 bytes", text);
        return EXIT_BERTH;
    }
    s->blk[s->ndisks++] = (struct machine_blk){
        .arg = d,
        .size = (u64)size & ~511ull,
        .readonly = ro,
        .read = disk_read,
        .write = disk_write,
        .flush = disk_flush,
    };
    return 0;
}

static int open_share(struct session *s, const char *text) {
    bool ro;
    char *tag = without_ro(text, &ro);
    char *dir = tag ? strchr(tag, '=') : NULL;
    if (!dir || dir == tag || !dir[1]) {
        free(tag);
        return bad_usage("--9p wants TAG=DIR", text);
    }
    *dir++ = 0;
    struct err err = {0};
    struct fs *fs = fs_posix_create(dir, ro, &err);
    if (!fs) {
        cli_error("machine: --9p %s: %s", text, err.msg);
        free(tag);
        return EXIT_BERTH;
    }
    s->tags[s->nshares] = tag;
    s->p9[s->nshares++] = (struct machine_9p){tag, fs};
    return 0;
}

static void close_all(struct session *s) {
    for (unsigned i = 0; i < s->ndisks; i++) close(s->disk[i].fd);
    for (unsigned i = 0; i < s->nshares; i++) {
        s->p9[i].fs->ops->destroy(s->p9[i].fs);
        free(s->tags[i]);
    }
}

// Running.

static void print_stats(struct machine *m, u64 ns) {
    struct cpu_stats st;
    cpu_get_stats(machine_cpu(m), &st);
    struct buf figures = {0};
    cpu_stats_text(&st, ns, &figures);
    fputs(buf_cstr(&figures), stderr);
    buf_free(&figures);
}

static int exit_status(const struct session *s, const struct machine_status *st) {
    if (s->signal) return 128 + s->signal;
    if (s->quit) return 0;
    if (st->state == MACHINE_REBOOT)
        cli_error("machine: the guest asked for a reboot; ended instead");
    if (st->state == MACHINE_FAILED) return st->exit_code & 0xff ? st->exit_code & 0xff : 1;
    return s->output_gone ? 1 : 0;
}

static int run(struct session *s, const struct options *o) {
    struct machine_status st = {.state = MACHINE_RUNNING};
    u64 start = host_monotonic_ns();
    s->signal_fd = signals_init();
    if (isatty(STDIN_FILENO)) {
        term_init();
        term_raw();
    }
    while (!s->quit && !s->signal && !s->output_gone) {
        st = machine_run(s->m, RUN_NS);
        if (st.state != MACHINE_RUNNING && st.state != MACHINE_IDLE) break;
        wait_for_events(s, &st);
        offer_input(s);
    }
    u64 ns = host_monotonic_ns() - start;
    term_restore();
    if (o->stats) print_stats(s->m, ns ? ns : 1);
    return exit_status(s, &st);
}

static struct machine *create(struct session *s, const struct options *o, const struct log *log,
                              const struct buf *kernel, const struct buf *initrd) {
    struct machine_settings ms = {
        .arch = o->arch,
        .memory = o->memory,
        .kernel = kernel->data,
        .kernel_len = kernel->len,
        .initrd = initrd->data,
        .initrd_len = initrd->len,
        .cmdline = o->append,
        .p9 = s->p9,
        .np9 = s->nshares,
        .blk = s->blk,
        .nblk = s->ndisks,
        .virtio_console = o->virtio_console,
        .cpu = o->cpu,
        .log = log,
        .arg = s,
        .console = console_out,
    };
    if (!term_size(&ms.cols, &ms.rows)) ms.cols = 80, ms.rows = 24;
    struct err err = {0};
    struct machine *m = machine_create(&ms, &err);
    if (!m) cli_error("machine: %s", err.msg);
    return m;
}

static void help(void) {
    struct buf switches = {0};
    cpu_list_switches(&switches);
    printf("%s\n%s", usage, buf_cstr(&switches));
    buf_free(&switches);
}

int cli_machine(int argc, char **argv) {
    struct options o = {.arch = "riscv64", .memory = 256u << 20, .append = ""};
    struct log log = cli_log(false);
    struct session s = {.signal_fd = -1};
    struct buf kernel = {0}, initrd = {0};
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        help();
        return 0;
    }
    int rc = parse_options(argc, argv, &o);
    for (unsigned i = 0; rc == 0 && i < o.ndisks; i++) rc = open_disk(&s, o.disks[i]);
    for (unsigned i = 0; rc == 0 && i < o.nshares; i++) rc = open_share(&s, o.shares[i]);
    if (rc == 0) rc = read_file(o.kernel, &kernel);
    if (rc == 0 && o.initrd) rc = read_file(o.initrd, &initrd);
    o.cpu.icount_time = o.icount;
    o.cpu.log = &log;
    struct err err = {0};
    struct tracing tracing = {0};
    if (rc == 0 && tracing_start(&tracing, o.log_commits, &o.cpu, &err) < 0) {
        cli_error("machine: %s", err.msg);
        rc = EXIT_BERTH;
    }
    if (rc == 0) s.m = create(&s, &o, &log, &kernel, &initrd);
    buf_free(&kernel);
    buf_free(&initrd);
    if (rc == 0) rc = s.m ? run(&s, &o) : EXIT_BERTH;
    machine_destroy(s.m);
    if (tracing_end(&tracing, &err) < 0) {
        cli_error("machine: %s", err.msg);
        rc = EXIT_BERTH;
    }
    close_all(&s);
    return rc;
}
