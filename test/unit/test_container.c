// A container against a machine that is not there: the machine's functions are defined here, the
// test plays the guest's init on the control channel. Session life, windows, failures.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/container.h"
#include "container/ctl.h"
#include "host/host.h"
#include "oci/imgtree.h"

// ---- the fake machine, and the clock

struct machine {
    struct machine_settings s;
    char cmdline[512];
    struct buf initrd, from_host; // what the host sent on the control port, in all
    size_t accept;                // bytes machine_ctl_input takes from now on
    struct machine_status next;   // what machine_run returns
    void (*during_run)(struct machine *m);
    unsigned runs;
};

static struct machine *vm; // the one created last
static bool stop_requested;
static u64 now_ns = 1000;

struct machine *machine_create(const struct machine_settings *s, struct err *err) {
    (void)err;
    struct machine *m = calloc(1, sizeof *m);
    m->s = *s;
    snprintf(m->cmdline, sizeof m->cmdline, "%s", s->cmdline);
    buf_put(&m->initrd, s->initrd, s->initrd_len);
    m->accept = SIZE_MAX;
    m->next = (struct machine_status){.state = MACHINE_IDLE, .wake_ns = UINT64_MAX};
    vm = m;
    return m;
}

void machine_destroy(struct machine *m) {
    if (!m) return;
    buf_free(&m->initrd);
    buf_free(&m->from_host);
    free(m);
    vm = NULL;
}

struct machine_status machine_run(struct machine *m, u64 budget_ns) {
    (void)budget_ns;
    m->runs++;
    if (m->during_run) m->during_run(m);
    return m->next;
}

size_t machine_ctl_input(struct machine *m, const u8 *p, size_t n) {
    if (n > m->accept) n = m->accept;
    m->accept -= n;
    buf_put(&m->from_host, p, n);
    return n;
}

void machine_ctl_ready(struct machine *m) { (void)m; }
struct cpu *machine_cpu(struct machine *m) {
    return (struct cpu *)m;
}
static bool ahead; // the fake machine has translated what it knows of
static struct buf profiled;
bool machine_is_ahead(const struct machine *m) { return m && ahead; }
void machine_translate_ahead(struct machine *m, const char *profile, size_t len) {
    (void)m;
    buf_put(&profiled, profile, len);
}
void cpu_request_stop(struct cpu *c) {
    (void)c;
    stop_requested = true;
}

static unsigned roots;
static void root_destroy(struct fs *fs) {
    (void)fs;
    roots--;
}
static const struct fs_ops root_ops = {.destroy = root_destroy};
static struct fs root_fs = {&root_ops};
struct fs *fs_image_create(struct imgtree *tree, struct err *err) {
    (void)tree, (void)err;
    roots++;
    return &root_fs;
}

static const char *image_profile; // of the fake image; NULL: it has none
static struct err image_error;    // reading it
u32 imgtree_resolve(const struct imgtree *t, const char *path, bool follow) {
    (void)t, (void)follow;
    return image_profile && strcmp(path, "/usr/lib/berth/profile") == 0;
}
int imgtree_read_file(const struct imgtree *t, const char *path, u64 max, struct buf *out,
                      struct err *err) {
    (void)t, (void)path, (void)max;
    buf_put(out, image_profile, strlen(image_profile));
    if (!image_error.msg[0]) return 0;
    *err = image_error;
    return -ERR_IO;
}

u64 host_monotonic_ns(void) { return now_ns; }
u64 host_realtime_ns(void) { return UINT64_C(1700000000123456789); }

// ---- what the host was told

static struct buf told; // "out 1:text;" and the like

static void on_output(void *arg, unsigned session, enum container_stream st, const u8 *p,
                      size_t n) {
    (void)arg;
    buf_printf(&told, "%s %u:%.*s;", st == STREAM_STDOUT ? "out" : "err", session, (int)n,
               (const char *)p);
}
static void on_exited(void *arg, unsigned session, unsigned status) {
    (void)arg;
    buf_printf(&told, "exit %u:%u;", session, status);
}
static void on_message(void *arg, unsigned session, const char *text) {
    (void)arg;
    buf_printf(&told, "msg %u:%s;", session, text);
}

static void expect_told(const char *want) {
    assert_string_equal(buf_cstr(&told), want);
    told.len = 0;
}

// ---- helpers

static char arg_sh[] = "sh", env_a[] = "A=1", user_joe[] = "joe", dir_srv[] = "/srv";
static char *cmd_v[] = {arg_sh, NULL}, *env_v[] = {env_a, NULL};
static struct oci_config image = {
    .cmd = {cmd_v, 1}, .env = {env_v, 1}, .user = user_joe, .working_dir = dir_srv};
static const u8 kernel[] = "kernel", initrd[] = "initramfs\n";
static struct container_settings settings;

static int setup(void **state) {
    (void)state;
    settings = (struct container_settings){.arch = "riscv64",
                                           .memory = 64 << 20,
                                           .kernel = kernel,
                                           .kernel_len = sizeof kernel,
                                           .initrd = initrd,
                                           .initrd_len = 9,
                                           .image = &image,
                                           .tree = (struct imgtree *)&image,
                                           .output = on_output,
                                           .exited = on_exited,
                                           .message = on_message};
    told.len = profiled.len = 0;
    ahead = false;
    image_profile = NULL;
    image_error = (struct err){0};
    stop_requested = false;
    now_ns = 1000;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    buf_free(&told);
    buf_free(&profiled);
    assert_int_equal(roots, 0);
    return 0;
}

static struct container *make(void) {
    struct err err = {0};
    struct container *c = container_create(&settings, &err);
    if (!c) fail_msg("container_create: %s", err.msg);
    return c;
}

static void refuse(const char *complaint) {
    struct err err = {0};
    assert_null(container_create(&settings, &err));
    if (!strstr(err.msg, complaint)) fail_msg("message is \"%s\"", err.msg);
    assert_int_equal(roots, 0);
}

static void guest_sends(const struct buf *b) {
    assert_int_equal(vm->s.ctl(vm->s.arg, b->data, b->len), b->len);
}

static void guest_puts(enum ctl_type type, unsigned session, const void *p, size_t n) {
    struct buf b = {0};
    ctl_put(&b, type, session, p, n);
    guest_sends(&b);
    buf_free(&b);
}

static void guest_puts_u32(enum ctl_type type, unsigned session, u32 v) {
    u8 t[4];
    put_le32(t, v);
    guest_puts(type, session, t, 4);
}

static void guest_prints(const char *text) {
    vm->s.console(vm->s.arg, (const u8 *)text, strlen(text));
}

static struct container *make_ready(void) {
    struct container *c = make();
    guest_puts_u32(CTL_READY, 0, CTL_VERSION);
    return c;
}

// Frames the host sent since the last call, as "type:session:payload bytes;"; small ones in hex.
static int list_frame(void *arg, const struct ctl_frame *f, struct err *err) {
    (void)err;
    buf_printf(arg, "%u:%u:", f->type, f->session);
    if (f->type == CTL_STDIN && f->len < 100)
        buf_printf(arg, "%.*s;", (int)f->len, (const char *)f->payload);
    else if (f->len <= 4 && f->len > 0)
        buf_printf(arg, "%x;", f->len == 4 ? get_le32(f->payload) : 0);
    else
        buf_printf(arg, "(%u);", f->len);
    return 0;
}

static void expect_sent(const char *want) {
    struct ctl_reader r = {0};
    struct buf list = {0};
    struct err err = {0};
    assert_int_equal(
        ctl_reader_feed(&r, vm->from_host.data, vm->from_host.len, list_frame, &list, &err), 0);
    assert_int_equal(r.part.len, 0); // nothing is cut
    vm->from_host.len = 0;
    assert_string_equal(buf_cstr(&list), want);
    buf_free(&list);
    ctl_reader_free(&r);
}

static enum machine_state run(struct container *c) { return container_run(c, 1000000).state; }

// ---- tests

static void test_machine_settings(void **state) {
    (void)state;
    struct fs vol = {&root_ops};
    const struct container_volume volumes[] = {{&vol, "/workspace/", false},
                                               {&vol, "/a/../b", true}};
    settings.volumes = volumes;
    settings.nvolumes = 2;
    settings.hostname = "box";
    settings.extra_cmdline = "more=1";
    settings.memory = (64 << 20) + 5;
    struct container *c = make();
    assert_int_equal(vm->s.memory, 66 << 20);
    assert_true(vm->s.virtio_console);
    assert_int_equal(vm->s.np9, 3);
    assert_non_null(strstr(vm->cmdline, "rdinit=/init"));
    assert_non_null(strstr(vm->cmdline, "panic=-1"));
    assert_non_null(strstr(vm->cmdline, " more=1"));
    static const char conf[] = "hostname=box\0root=9p:root\0mount=9p:vol0:rw:/workspace\0"
                               "mount=9p:vol1:ro:/b\0time=1700000000.123456789";
    // initramfs (9 bytes), padded, then the archive
    assert_memory_equal(vm->initrd.data, "initramfs\0\0\000070701", 18);
    assert_non_null(memmem(vm->initrd.data, vm->initrd.len, conf, sizeof conf));
    container_destroy(c);
}

static void test_refusals(void **state) {
    (void)state;
    struct fs vol = {&root_ops};
    struct container_volume v[17] = {{&vol, "relative", false}};
    settings.volumes = v;
    settings.nvolumes = 1;
    refuse("volume destination \"relative\" is invalid");
    v[0].guest = "/x/..";
    refuse("other than /");
    settings.nvolumes = 17;
    refuse("at most 16");
    settings.nvolumes = 0;
    settings.memory = 8 << 20;
    refuse("8 MiB of memory are too little");
    settings.memory = 0;
    settings.process.workdir = "tmp";
    refuse("absolute path");
}

static void test_nothing_before_ready(void **state) {
    (void)state;
    struct container *c = make();
    assert_false(container_ready(c));
    assert_int_equal(container_stdin(c, 1, (const u8 *)"abc", 3), 3);
    container_stdin_eof(c, 1);
    struct err err;
    assert_int_equal(container_spawn(c, &(struct container_process){0}, &err), 2);
    assert_int_equal(run(c), MACHINE_IDLE);
    assert_int_equal(vm->from_host.len, 0);
    guest_puts_u32(CTL_READY, 0, CTL_VERSION);
    assert_true(container_ready(c));
    // What was queued goes out, in order, and the machine has work.
    assert_int_equal(run(c), MACHINE_IDLE);
    struct buf all = vm->from_host;
    assert_int_equal(all.data[0], CTL_SPAWN);
    u32 len = get_le32(all.data + 4);
    assert_non_null(memmem(all.data, 8 + len, "arg=sh\0env=PATH=", 16));
    assert_non_null(memmem(all.data, 8 + len, "env=A=1\0cwd=/srv\0user=joe", 26));
    buf_consume(&vm->from_host, 8 + len);
    char want[64];
    // Session 2 inherits from session 1: same environment, user, directory.
    snprintf(want, sizeof want, "2:1:abc;3:1:(0);1:2:(%u);", len);
    expect_sent(want);
    container_destroy(c);
}

// READY arrives while the machine runs: the reply must not wait for another event.
static void ready_during_run(struct machine *m) {
    if (m->runs == 1) guest_puts_u32(CTL_READY, 0, CTL_VERSION);
}

static void test_ready_during_run(void **state) {
    (void)state;
    struct container *c = make();
    vm->during_run = ready_during_run;
    assert_int_equal(run(c), MACHINE_RUNNING);
    assert_true(vm->from_host.len > 8);
    assert_int_equal(run(c), MACHINE_IDLE);
    container_destroy(c);
}

static void test_session_life(void **state) {
    (void)state;
    struct container *c = make_ready();
    run(c);
    vm->from_host.len = 0;
    guest_puts(CTL_STDOUT, 1, "hello", 5);
    guest_puts(CTL_STDERR, 1, "oops", 4);
    guest_puts(CTL_STDOUT, 1, "", 0);
    expect_told("out 1:hello;err 1:oops;");
    container_resize(c, 1, 100, 50);
    container_resize(c, 1, 80, 70000); // only the last one counts, cut to 16 bits
    container_signal(c, 1, 2);
    container_signal(c, 1, 15);
    container_signal(c, 1, 2);
    container_signal(c, 1, 0);
    container_signal(c, 1, 64);
    run(c);
    expect_sent("4:1:ffff0050;5:1:2;5:1:f;");
    guest_puts_u32(CTL_EXIT, 1, 3);
    expect_told("exit 1:3;");
    vm->next.state = MACHINE_POWEROFF;
    assert_int_equal(run(c), MACHINE_POWEROFF);
    assert_string_equal(container_failure(c), "");
    unsigned runs = vm->runs;
    assert_int_equal(run(c), MACHINE_POWEROFF); // and stays so
    assert_int_equal(vm->runs, runs);
    container_destroy(c);
}

static void test_output_window(void **state) {
    (void)state;
    struct container *c = make_ready();
    run(c);
    vm->from_host.len = 0;
    u8 *big = calloc(1, CTL_WINDOW);
    guest_puts(CTL_STDOUT, 1, big, CTL_WINDOW - 10);
    container_output_done(c, 1, 100); // too little to bother the guest
    run(c);
    expect_sent("");
    container_output_done(c, 1, CTL_WINDOW / 4 - 100);
    run(c);
    expect_sent("96:1:4000;");
    guest_puts(CTL_STDERR, 1, big, CTL_WINDOW / 4 + 10); // exactly the window again
    assert_string_equal(container_failure(c), "");
    container_output_done(c, 1, CTL_WINDOW);
    run(c);
    expect_sent("96:1:10000;");
    guest_puts(CTL_STDOUT, 1, big, CTL_WINDOW);
    assert_false(stop_requested);
    guest_puts(CTL_STDOUT, 1, "x", 1); // one too many
    assert_true(stop_requested);
    assert_int_equal(run(c), MACHINE_FAILED);
    assert_string_equal(container_failure(c),
                        "the guest broke the control protocol: session 1 sent "
                        "more output than its window");
    free(big);
    container_destroy(c);
}

static void test_stdin_window(void **state) {
    (void)state;
    struct container *c = make_ready();
    u8 *big = calloc(1, 2 * CTL_WINDOW);
    assert_int_equal(container_stdin(c, 1, big, 2 * CTL_WINDOW), CTL_WINDOW);
    assert_int_equal(container_stdin(c, 1, big, 1), 0);
    run(c);
    guest_puts_u32(CTL_CREDIT, 1, 100);
    assert_int_equal(container_stdin(c, 1, big, 200), 100);
    guest_puts_u32(CTL_CREDIT, 9, 100); // a session that has gone: no harm
    container_stdin_eof(c, 1);
    container_stdin_eof(c, 1);
    assert_int_equal(container_stdin(c, 1, big, 7), 7); // swallowed
    run(c);
    vm->from_host.len = 0;
    run(c);
    expect_sent("");
    guest_puts_u32(CTL_CREDIT, 1, CTL_WINDOW + 1);
    assert_int_equal(run(c), MACHINE_FAILED);
    assert_non_null(strstr(container_failure(c), "acknowledged more input than it was sent"));
    free(big);
    container_destroy(c);
}

// A guest that takes nothing: the queue stops growing, whatever the user does to the window.
static void test_guest_takes_nothing(void **state) {
    (void)state;
    struct container *c = make_ready();
    vm->accept = 0;
    u8 *big = calloc(1, CTL_WINDOW);
    container_stdin(c, 1, big, CTL_WINDOW);
    for (unsigned i = 0; i < 100000; i++) {
        container_resize(c, 1, i & 0xff, 1);
        container_signal(c, 1, 2);
        assert_int_equal(run(c), MACHINE_IDLE);
    }
    vm->accept = SIZE_MAX;
    for (unsigned i = 0; i < 3; i++) run(c);
    assert_true(vm->from_host.len < CTL_WINDOW + 4096);
    // in pieces, too
    free(big);
    container_destroy(c);
}

static void test_small_pieces(void **state) {
    (void)state;
    struct container *c = make_ready();
    container_stdin(c, 1, (const u8 *)"hello", 5);
    size_t last = 1;
    for (unsigned i = 0; i < 1000 && last; i++) {
        size_t before = vm->from_host.len;
        vm->accept = 1;
        run(c);
        last = vm->from_host.len - before;
        vm->accept = 0;
    }
    u32 spawn = get_le32(vm->from_host.data + 4);
    buf_consume(&vm->from_host, CTL_HEADER_SIZE + spawn);
    expect_sent("2:1:hello;");
    container_destroy(c);
}

static void test_more_sessions(void **state) {
    (void)state;
    struct container *c = make_ready();
    const char *const argv[] = {"ls", NULL};
    const struct container_process p = {.argv = argv};
    struct err err = {0};
    for (int i = 2; i <= 256; i++) assert_int_equal(container_spawn(c, &p, &err), i);
    assert_int_equal(container_spawn(c, &p, &err), -ERR_LIMIT);
    run(c);
    guest_puts_u32(CTL_EXIT, 5, 0x1ff);
    expect_told("exit 5:255;");
    assert_int_equal(container_spawn(c, &p, &err), 257); // numbers are not reused soon
    guest_puts(CTL_STDOUT, 5, "late", 4);                // of a session that has ended
    expect_told("");
    container_output_done(c, 5, 4);
    assert_int_equal(run(c), MACHINE_IDLE);
    guest_puts(CTL_STDOUT, 999, "never", 5);
    assert_int_equal(run(c), MACHINE_FAILED);
    assert_non_null(strstr(container_failure(c), "session 999, which was never started"));
    assert_int_equal(container_spawn(c, &p, &err), -ERR_INVALID);
    container_destroy(c);
}

static void expect_from_host(const void *want, size_t n) {
    assert_int_equal(vm->from_host.len, n);
    assert_memory_equal(vm->from_host.data, want, n);
    vm->from_host.len = 0;
}

// PRELOAD of two files: pages 3 to 5 (one apart is read with them) and 0x20, and page 0.
static const char programs[] = "berth-profile 1 0\n"
                               "f /bin/a b\nq 3 0123456789abcdef 000cF 010\nq 5 00 001\nq 20 00\n"
                               "f /lib/c\nq 0 ff 123c\n"
                               "f no path\nq 1 00 000\nq";
static const u8 parts[] = "\2\0\0\0\3\0\0\0\3\0\0\0\x20\0\0\0\1\0\0\0/bin/a b\0"
                          "\1\0\0\0\0\0\0\0\1\0\0\0/lib/c";

static void test_preload(void **state) {
    (void)state;
    image_profile = programs;
    settings.cpu.engine = ENGINE_JIT;
    struct container *c = make_ready();
    assert_int_equal(run(c), MACHINE_IDLE);
    assert_int_equal(run(c), MACHINE_IDLE);
    vm->from_host.len = 0; // SPAWN
    assert_int_equal(run(c), MACHINE_IDLE);
    expect_from_host(NULL, 0); // the machine has work of its own
    ahead = true;
    assert_int_equal(run(c), MACHINE_RUNNING); // the guest got something
    u8 frame[CTL_HEADER_SIZE + sizeof parts] = {CTL_PRELOAD, 0, 0, 0, sizeof parts};
    memcpy(frame + CTL_HEADER_SIZE, parts, sizeof parts);
    expect_from_host(frame, sizeof frame);
    assert_int_equal(run(c), MACHINE_IDLE);
    expect_from_host(NULL, 0); // once
    assert_int_equal(profiled.len, 0);
    guest_puts_u32(CTL_PRELOADED, 0, 2);
    assert_int_equal(profiled.len, sizeof programs - 1);
    assert_memory_equal(profiled.data, programs, sizeof programs - 1);
    assert_int_equal(run(c), MACHINE_IDLE);
    expect_from_host(NULL, 0);
    guest_puts_u32(CTL_PRELOADED, 0, 2);
    assert_int_equal(run(c), MACHINE_FAILED);
    assert_non_null(strstr(container_failure(c), "PRELOADED frame that answers nothing"));
    container_destroy(c);
}

// Without a profile, with one that names nothing or cannot be read, and without the translator.
static void test_no_preload(void **state) {
    (void)state;
    static const char *const profiles[] = {NULL, "", "berth-profile 1 0\np1000 000cF\n", programs,
                                           programs};
    ahead = true;
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        image_profile = profiles[i];
        settings.cpu.engine = i == 3 ? ENGINE_INTERP : ENGINE_JIT;
        if (i == 4) err_set(&image_error, ERR_IO, "the disk is gone");
        struct container *c = make_ready();
        assert_int_equal(run(c), MACHINE_IDLE);
        vm->from_host.len = 0; // SPAWN
        assert_int_equal(run(c), MACHINE_IDLE);
        expect_from_host(NULL, 0);
        assert_int_equal(profiled.len, 0);
        container_destroy(c);
    }
}

static void test_broken_protocol(void **state) {
    (void)state;
    static const struct {
        u8 bytes[12];
        size_t n;
        const char *complaint;
    } cases[] = {
        {{CTL_STDOUT, 0, 1, 0, 0xff, 0xff, 0xff, 0xff}, 8, "4294967295 bytes"},
        {{CTL_STDOUT, 9, 1, 0, 0, 0, 0, 0}, 8, "flags 0x09"},
        {{77, 0, 1, 0, 0, 0, 0, 0}, 8, "unknown frame type 77"},
        {{CTL_EXIT, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0}, 12, "session 2, which does not run"},
        {{CTL_READY, 0, 0, 0, 4, 0, 0, 0, CTL_VERSION, 0, 0, 0}, 12, "a second READY"},
        {{CTL_STDOUT, 0, 0, 0, 0, 0, 0, 0}, 8, "names no session"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct container *c = make_ready();
        vm->s.ctl(vm->s.arg, cases[i].bytes, cases[i].n);
        assert_int_equal(run(c), MACHINE_FAILED);
        if (!strstr(container_failure(c), cases[i].complaint))
            fail_msg("failure is \"%s\"", container_failure(c));
        // more of it changes nothing
        vm->s.ctl(vm->s.arg, cases[i].bytes, cases[i].n);
        assert_int_equal(run(c), MACHINE_FAILED);
        container_destroy(c);
    }
    struct container *c = make();
    guest_puts_u32(CTL_READY, 0, 99);
    assert_int_equal(run(c), MACHINE_FAILED);
    assert_non_null(strstr(container_failure(c), "protocol version 99"));
    container_destroy(c);
}

static void test_errors_of_init(void **state) {
    (void)state;
    struct container *c = make_ready();
    guest_puts(CTL_ERROR, 1, "exec \"x\":\n\x1b[31mno such file\n", 27);
    guest_puts_u32(CTL_EXIT, 1, 127);
    expect_told("msg 1:exec \"x\":  [31mno such file;exit 1:127;");
    vm->next.state = MACHINE_POWEROFF;
    assert_int_equal(run(c), MACHINE_POWEROFF);
    container_destroy(c);

    c = make();
    guest_puts(CTL_ERROR, 0, "cannot mount root: I/O error", 28);
    vm->next.state = MACHINE_POWEROFF;
    assert_int_equal(run(c), MACHINE_FAILED);
    assert_string_equal(container_failure(c),
                        "the guest could not start: cannot mount root: I/O error");
    container_destroy(c);
}

static void test_failures(void **state) {
    (void)state;
    static const struct {
        const char *log;
        enum machine_state end;
        bool ready;
        const char *failure;
    } cases[] = {
        {"[    0.5] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\r\n",
         MACHINE_REBOOT, true,
         "the guest kernel panicked: Attempted to kill init! exitcode=0x0000000b"},
        {"Kernel panic - not syncing: System is deadlocked on memory\n"
         "Kernel panic - not syncing: second\n",
         MACHINE_REBOOT, true,
         "the guest ran out of memory (System is deadlocked on memory): give it more"},
        {"Kernel panic - not syncing: No working init found.\n", MACHINE_REBOOT, false,
         "the guest kernel found no /init in its initramfs (No working init found.): the file is "
         "not "
         "Berth's initramfs, or the guest has too little memory to unpack it"},
        {"[ 0.2] berth-init: no virtio console port named berth.ctl\n", MACHINE_POWEROFF, false,
         "the guest could not start: no virtio console port named berth.ctl"},
        {"", MACHINE_POWEROFF, false, "the guest stopped before its init was up"},
        {"[ 1.0] something strange\n", MACHINE_REBOOT, false,
         "the guest stopped before its init was up; it last said: something strange"},
        {"x\n\n", MACHINE_POWEROFF, true,
         "the guest switched itself off before the container's process ended; it last said: x"},
        {"", MACHINE_FAILED, true, "the guest crashed before the container's process ended"},
        {"", MACHINE_REBOOT, true, "the guest rebooted before the container's process ended"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct container *c = cases[i].ready ? make_ready() : make();
        guest_prints(cases[i].log);
        vm->next.state = cases[i].end;
        assert_int_equal(run(c), MACHINE_FAILED);
        assert_string_equal(container_failure(c), cases[i].failure);
        container_destroy(c);
    }
}

static void test_oom_message(void **state) {
    (void)state;
    struct container *c = make_ready();
    guest_prints("[   12.345678] Out of memory: Kil");
    expect_told("");
    guest_prints("led process 77 (cc1 \x1b plus) total-vm:1234kB, anon-rss:1kB\n");
    expect_told(
        "msg 0:the guest ran out of memory and killed \"cc1   plus\": give the container more "
        "memory;");
    container_destroy(c);
}

static void test_power_off_late(void **state) {
    (void)state;
    struct container *c = make_ready();
    guest_puts_u32(CTL_EXIT, 1, 0);
    struct machine_status st = container_run(c, 1000);
    assert_int_equal(st.state, MACHINE_IDLE);
    assert_true(st.wake_ns > now_ns && st.wake_ns < UINT64_MAX); // so that the host comes back
    now_ns = st.wake_ns;
    assert_int_equal(run(c), MACHINE_POWEROFF);
    container_destroy(c);
}

static void test_shutdown(void **state) {
    (void)state;
    struct container *c = make();
    container_shutdown(c);
    assert_int_equal(run(c), MACHINE_POWEROFF); // nothing runs yet
    assert_int_equal(vm->runs, 0);
    container_destroy(c);

    c = make_ready();
    run(c);
    vm->from_host.len = 0;
    container_shutdown(c);
    container_shutdown(c);
    run(c);
    run(c);
    expect_sent("6:0:(0);");
    vm->next.state = MACHINE_POWEROFF;
    assert_int_equal(run(c), MACHINE_POWEROFF);
    assert_string_equal(container_failure(c), "");
    container_destroy(c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_machine_settings),
        T(test_refusals),
        T(test_nothing_before_ready),
        T(test_ready_during_run),
        T(test_session_life),
        T(test_output_window),
        T(test_stdin_window),
        T(test_guest_takes_nothing),
        T(test_small_pieces),
        T(test_more_sessions),
        T(test_preload),
        T(test_no_preload),
        T(test_broken_protocol),
        T(test_errors_of_init),
        T(test_failures),
        T(test_oom_message),
        T(test_power_off_late),
        T(test_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
