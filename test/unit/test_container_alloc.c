// The nth allocation fails, for every n of a container's life: it is refused or ends with a
// message, and nothing leaks or crashes (the sanitizer run sees to that). The sources are compiled
// here so that their allocations go through this file.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned countdown; // allocations until one fails; 0: none fails
static int live;           // allocations not freed

static int fails(void) { return countdown && --countdown == 0; }

static void *t_realloc(void *p, size_t n) {
    if (fails()) return NULL;
    live += !p;
    return realloc(p, n);
}
static void *t_malloc(size_t n) { return t_realloc(NULL, n); }
static void *t_calloc(size_t n, size_t size) {
    void *p = t_malloc(n * size);
    return p ? memset(p, 0, n * size) : NULL;
}
static char *t_strdup(const char *s) {
    char *p = t_malloc(strlen(s) + 1);
    return p ? strcpy(p, s) : NULL;
}
static void t_free(void *p) {
    live -= p != NULL;
    free(p);
}

#undef strdup
#define malloc            t_malloc
#define calloc            t_calloc
#define realloc           t_realloc
#define strdup            t_strdup
#define free              t_free
#define machine_create    fake_machine_create
#define machine_destroy   fake_machine_destroy
#define machine_run       fake_machine_run
#define machine_ctl_input fake_machine_ctl_input
#define machine_cpu       fake_machine_cpu
#define cpu_request_stop  fake_cpu_request_stop
#define fs_image_create   fake_fs_image_create
#define host_monotonic_ns fake_host_monotonic_ns
#define host_realtime_ns  fake_host_realtime_ns

#include "src/base/buf.c"
#include "src/container/container.c"
#include "src/container/cpio.c"
#include "src/container/ctl.c"
#include "src/container/process.c"

struct machine {
    struct machine_settings s;
};
static struct machine vm;

struct machine *machine_create(const struct machine_settings *s, struct err *err) {
    (void)err;
    vm.s = *s;
    return &vm;
}
void machine_destroy(struct machine *m) { (void)m; }
struct machine_status machine_run(struct machine *m, u64 budget_ns) {
    (void)m, (void)budget_ns;
    return (struct machine_status){.state = MACHINE_IDLE};
}
size_t machine_ctl_input(struct machine *m, const u8 *p, size_t n) {
    (void)m, (void)p;
    return n;
}
struct cpu *machine_cpu(struct machine *m) {
    return (struct cpu *)m;
}
void cpu_request_stop(struct cpu *c) { (void)c; }
static const struct fs_ops root_ops;
static struct fs root_fs = {&root_ops};
struct fs *fs_image_create(struct imgtree *tree, struct err *err) {
    (void)tree, (void)err;
    return &root_fs;
}
u64 host_monotonic_ns(void) { return 0; }
u64 host_realtime_ns(void) { return 0; }

static void ignore_output(void *arg, unsigned s, enum container_stream st, const u8 *p, size_t n) {
    (void)arg, (void)s, (void)st, (void)p, (void)n;
}
static void ignore_exit(void *arg, unsigned s, unsigned status) {
    (void)arg, (void)s, (void)status;
}

static void send(const void *frame, size_t n) {
    for (size_t i = 0; i < n; i++) vm.s.ctl(vm.s.arg, (const u8 *)frame + i, 1);
}

static void live_through(struct container *c) {
    static const u8 typed[70000];
    static const u8 ready[] = {CTL_READY, 0, 0, 0, 4, 0, 0, 0, CTL_VERSION, 0, 0, 0};
    static const u8 text[] = {CTL_STDOUT, 0, 1, 0, 2, 0, 0, 0, 'h', 'i'};
    static const u8 end[] = {CTL_EXIT, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0};
    const char *const env[] = {"X=1", NULL};
    struct err err = {0};
    send(ready, sizeof ready);
    int s = container_spawn(c, &(struct container_process){.env = env, .tty = true}, &err);
    assert_true(s == 2 || err.code != 0);
    container_stdin(c, 1, typed, sizeof typed);
    container_resize(c, 1, 1, 1);
    container_stdin_eof(c, 1);
    container_run(c, 1);
    send(text, sizeof text);
    send(end, sizeof end);
    struct machine_status st = container_run(c, 1);
    assert_true(st.state != MACHINE_FAILED || container_failure(c)[0]);
}

static void test_every_allocation(void **state) {
    (void)state;
    char sh[] = "sh", var[] = "A=1", user[] = "u", dir[] = "/d";
    char *argv[] = {sh, NULL}, *env[] = {var, NULL};
    struct oci_config image = {.entrypoint = {argv, 1},
                               .cmd = {argv, 1},
                               .env = {env, 1},
                               .user = user,
                               .working_dir = dir};
    const char *const more[] = {"B=2", "A=3", "PATH", NULL};
    const struct container_volume volume = {&root_fs, "/w", false};
    struct container_settings s = {.arch = "riscv64",
                                   .image = &image,
                                   .tree = (struct imgtree *)&image,
                                   .initrd = (const u8 *)"i",
                                   .initrd_len = 1,
                                   .extra_cmdline = "x",
                                   .volumes = &volume,
                                   .nvolumes = 1,
                                   .process = {.env = more},
                                   .output = ignore_output,
                                   .exited = ignore_exit};
    unsigned refused = 0, n = 1;
    for (bool reached = true; reached; n++) {
        struct err err = {0};
        countdown = n;
        struct container *c = container_create(&s, &err);
        if (c) {
            live_through(c);
        } else {
            assert_int_equal(err.code, ERR_NOMEM);
            refused++;
        }
        reached = countdown == 0;
        countdown = 0;
        container_destroy(c);
        assert_int_equal(live, 0);
    }
    assert_true(refused > 20 && n > refused + 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
