// `berth run`: an image, a container, and the terminal or pipes of this process connected to its
// main process. One thread: a slice of the machine, then whatever poll() says, and sleep while the
// guest does. Depends on container/, the posix host (image files, host directories) and the
// terminal.
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "container/container.h"
#include "host/host.h"
#include "host/posix/blob_store.h"
#include "host/posix/oci_source.h"
#include "loop.h"
#include "machine/machine.h"
#include "oci/manifest.h"
#include "options.h"
#include "term.h"
#include "tracing.h"

#define MAX_GUEST_FILE (UINT64_C(1) << 28)

// What a run is made of, in the order it is made; run_close takes it apart in reverse.
struct run {
    struct run_options opt;
    const char *arch; // of the machine, once the image is loaded
    struct log log;
    struct tracing tracing;
    char kernel_path[PATH_MAX];
    struct buf kernel, initrd;
    struct blob_store store;
    bool store_open;
    struct oci_config *config;
    struct imgtree *tree;
    struct container_volume volumes[MAX_VOLUME_OPTIONS];
    unsigned nvolumes;
};

// ---- progress

static void clear_line(void) { fputs("\r\033[K", stderr); }

static void show_progress(void *arg, const struct oci_progress *p) {
    u64 *last = arg;
    u64 now = host_monotonic_ns();
    if (now - *last < 100000000u) return;
    *last = now;
    clear_line();
    if (p->layers)
        fprintf(stderr, "Loading layer %u of %u, %llu of %llu MiB", p->layer, p->layers,
                (unsigned long long)(p->done >> 20), (unsigned long long)(p->total >> 20));
    else
        fputs("Reading the image's manifest", stderr);
    fflush(stderr);
}

// The image decides the machine, unless the user has.
static int load_image(struct run *r, struct err *err) {
    static const char *const archs[] = {"riscv64", "x86_64"};
    u64 last = 0;
    bool shown = isatty(STDERR_FILENO);
    int rc =
        posix_load_image(r->opt.image, r->opt.arch ? r->opt.arch : MACHINE_ARCHS, &r->store,
                         &r->log, shown ? show_progress : NULL, &last, &r->config, &r->tree, err);
    if (shown && last) clear_line();
    r->store_open = rc == 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(archs); i++)
        if (oci_arch_rank(archs[i], r->config->architecture) == 0) r->arch = archs[i];
    assert((rc || r->arch) && "an image of no machine is refused");
    return rc;
}

// ---- parts

static int load_guest_file(const struct run *r, const char *given, const char *name,
                           char path[PATH_MAX], struct buf *out, struct err *err) {
    int rc = 0;
    if (given)
        snprintf(path, PATH_MAX, "%s", given);
    else
        rc = cli_guest_file(r->arch, name, path, PATH_MAX, err);
    if (rc == 0) rc = cli_read_file(path, MAX_GUEST_FILE, out, err);
    if (rc == 0 && out->len == 0) rc = err_set(err, ERR_CORRUPT, "%s is empty", path);
    return rc;
}

static int open_volumes(struct run *r, struct err *err) {
    for (unsigned i = 0; i < r->opt.nvolumes; i++) {
        const struct volume_option *v = &r->opt.volumes[i];
        struct stat st;
        if (stat(v->dir, &st) < 0)
            return err_set(err, ERR_NOTFOUND, "volume %s: %s", v->dir, strerror(errno));
        if (!S_ISDIR(st.st_mode))
            return err_set(err, ERR_INVALID, "volume %s is not a directory", v->dir);
        struct fs *fs = fs_posix_create(v->dir, v->readonly, err);
        if (!fs) return err_prefix(err, "volume %s", v->dir);
        r->volumes[r->nvolumes++] =
            (struct container_volume){.fs = fs, .guest = v->guest, .readonly = v->readonly};
    }
    return 0;
}

// docker run -it with terminals on both sides, docker run -i otherwise; -i and -t say it outright.
static bool wants_tty(const struct run_options *o) {
    if (o->tty || o->interactive) return o->tty;
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static int prepare(struct run *r, struct err *err) {
    char initrd[PATH_MAX];
    int rc = tracing_start(&r->tracing, r->opt.log_commits, &r->opt.cpu, err);
    if (rc == 0) rc = open_volumes(r, err);
    if (rc == 0) rc = load_image(r, err);
    if (rc == 0) rc = load_guest_file(r, r->opt.kernel, "Image", r->kernel_path, &r->kernel, err);
    if (rc == 0) rc = load_guest_file(r, r->opt.initrd, "initramfs.cpio", initrd, &r->initrd, err);
    return rc;
}

static struct container *create(struct run *r, struct loop *loop, struct err *err) {
    const struct run_options *o = &r->opt;
    unsigned cols = 80, rows = 24;
    bool tty = wants_tty(o);
    if (tty) term_size(&cols, &rows);
    struct container_settings s = {
        .arch = r->arch,
        .memory = o->memory,
        .kernel = r->kernel.data,
        .kernel_len = r->kernel.len,
        .initrd = r->initrd.data,
        .initrd_len = r->initrd.len,
        // Verbose: the kernel says everything, from the first instruction on.
        .extra_cmdline = o->append,
        .image = r->config,
        .tree = r->tree,
        .volumes = r->volumes,
        .nvolumes = r->nvolumes,
        .hostname = o->hostname,
        .process = {.argv = o->command[0] ? (const char *const *)o->command : NULL,
                    .entrypoint = o->entrypoint,
                    .env = o->env,
                    .workdir = o->workdir,
                    .user = o->user,
                    .tty = tty,
                    .cols = cols,
                    .rows = rows},
        .cpu = o->cpu,
        .log = &r->log,
    };
    struct buf cmdline = {0};
    if (o->verbose) {
        bool x86 = strcmp(r->arch, "x86_64") == 0;
        buf_put_str(&cmdline, "loglevel=7 ignore_loglevel earlycon=");
        buf_put_str(&cmdline, x86 ? "uart8250,io,0x3f8 " : "sbi ");
        if (o->append) buf_put_str(&cmdline, o->append);
        s.extra_cmdline = buf_cstr(&cmdline);
    }
    loop_settings(loop, &s, o->verbose);
    struct container *c = container_create(&s, err);
    buf_free(&cmdline);
    if (!c) {
        // Only the kernel can be malformed; the machine does not know its file's name.
        if (err->code == ERR_CORRUPT || strstr(err->msg, "kernel image"))
            err_prefix(err, "%s", r->kernel_path);
        return NULL;
    }
    // Both are in guest memory now.
    buf_free(&r->kernel);
    buf_free(&r->initrd);
    return c;
}

static void print_stats(struct container *c, u64 wall_ns, const struct loop_times *t) {
    struct cpu_stats st;
    struct buf figures = {0};
    cpu_get_stats(machine_cpu(container_machine(c)), &st);
    double run = (double)t->run_ns / 1e9;
    cli_error("%.1f million guest instructions in %.2f s of running (%.0f MIPS), %.2f s in all; "
              "ready after %.2f s",
              (double)st.insns / 1e6, run, run > 0 ? (double)st.insns / 1e6 / run : 0,
              (double)wall_ns / 1e9, (double)t->ready_ns / 1e9);
    cpu_stats_text(&st, t->run_ns, &figures);
    fputs(buf_cstr(&figures), stderr);
    buf_free(&figures);
}

static void run_close(struct run *r) {
    for (unsigned i = 0; i < r->nvolumes; i++)
        if (r->volumes[i].fs->ops->destroy) r->volumes[i].fs->ops->destroy(r->volumes[i].fs);
    if (r->tree) imgtree_destroy(r->tree);
    if (r->store_open) posix_store_close(&r->store);
    if (r->config) oci_config_free(r->config);
    buf_free(&r->kernel);
    buf_free(&r->initrd);
    options_free(&r->opt);
}

static int run_container(struct run *r, struct err *err) {
    u64 start = host_monotonic_ns();
    int rc = prepare(r, err);
    struct loop *loop = rc == 0 ? loop_create(err) : NULL;
    if (!loop) return EXIT_BERTH;
    struct container *c = create(r, loop, err);
    int status = c ? loop_run(loop, c, err) : EXIT_BERTH;
    if (c && r->opt.stats) print_stats(c, host_monotonic_ns() - start, loop_get_times(loop));
    container_destroy(c);
    loop_destroy(loop);
    if (tracing_end(&r->tracing, err) < 0) return EXIT_BERTH;
    return status;
}

int cli_run(int argc, char **argv) {
    struct run r = {0};
    struct err err = {0};
    int status = EXIT_BERTH;
    if (options_parse(&r.opt, argc, argv, &err) == 0) {
        r.log = cli_log(r.opt.verbose);
        if (r.opt.help) {
            fputs(options_help, stdout);
            status = 0;
        } else {
            r.opt.cpu.log = &r.log;
            status = run_container(&r, &err);
        }
    }
    term_restore();
    if (err.code) cli_error("%s", err.msg);
    run_close(&r);
    return status;
}
