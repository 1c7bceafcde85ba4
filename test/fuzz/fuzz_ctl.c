// A hostile guest on the control channel and the console: any bytes in any pieces, with sessions
// started and windows used in between. Only the frame codec, the container and the kernel log run;
// the machine is a stand-in. What must hold: no memory error, windows never exceeded, an end that
// stays.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

// The stand-ins have names of their own and the container is compiled here against them, so that
// they cannot meet the real ones from the library.
#define machine_create    fake_machine_create
#define machine_destroy   fake_machine_destroy
#define machine_run       fake_machine_run
#define machine_ctl_input fake_machine_ctl_input
#define machine_cpu       fake_machine_cpu
#define cpu_request_stop  fake_cpu_request_stop
#define fs_image_create   fake_fs_image_create
#define host_monotonic_ns fake_host_monotonic_ns
#define host_realtime_ns  fake_host_realtime_ns

#include "src/container/container.c"

struct machine {
    struct machine_settings s;
};
static struct machine vm;
static u64 clock_ns;

struct machine *machine_create(const struct machine_settings *s, struct err *err) {
    (void)err;
    vm.s = *s;
    return &vm;
}
void machine_destroy(struct machine *m) { (void)m; }
struct machine_status machine_run(struct machine *m, u64 budget_ns) {
    (void)m;
    clock_ns += budget_ns;
    return (struct machine_status){.state = MACHINE_IDLE, .wake_ns = UINT64_MAX};
}
size_t machine_ctl_input(struct machine *m, const u8 *p, size_t n) {
    (void)m, (void)p;
    return n > 1000 ? 1000 : n;
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
u64 host_monotonic_ns(void) { return clock_ns; }
u64 host_realtime_ns(void) { return 0; }

static size_t held[65536]; // output not yet given back, by session

static void take_output(void *arg, unsigned session, enum container_stream st, const u8 *p,
                        size_t n) {
    (void)arg, (void)st, (void)p;
    assert(session >= 1 && session <= 0xffff);
    held[session] += n;
    assert(held[session] <= CTL_WINDOW);
}
static void take_exit(void *arg, unsigned session, unsigned status) {
    (void)arg;
    assert(status <= 255);
    held[session] = 0;
}
static void take_message(void *arg, unsigned session, const char *text) {
    (void)arg, (void)session;
    assert(strlen(text) < 1024 && !strpbrk(text, "\n\x1b"));
}

static void host_acts(struct container *c, u8 what) {
    static const u8 typed[3000];
    const struct container_process p = {.tty = what & 1};
    unsigned session = 1 + (what >> 6);
    struct err err;
    switch (what & 7) {
    case 0:
        container_spawn(c, &p, &err);
        break;
    case 1:
        container_stdin(c, session, typed, sizeof typed);
        break;
    case 2:
        container_stdin_eof(c, session);
        break;
    case 3:
        container_resize(c, session, what, what);
        break;
    case 4:
        container_signal(c, session, what >> 1);
        break;
    case 5: {
        size_t n = held[session] / 2;
        held[session] -= n;
        container_output_done(c, session, n);
        break;
    }
    default:
        container_run(c, 1000000);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char cmd[] = "sh";
    static char *argv[] = {cmd, NULL};
    static struct oci_config image = {.cmd = {argv, 1}};
    struct container_settings s = {.arch = "riscv64",
                                   .image = &image,
                                   .tree = (struct imgtree *)&image,
                                   .output = take_output,
                                   .exited = take_exit,
                                   .message = take_message};
    memset(held, 0, sizeof held);
    clock_ns = 0;
    struct container *c = container_create(&s, NULL);
    assert(c);
    // Each step: a byte of lengths, a byte of what the host does, then the guest's bytes.
    while (size >= 2) {
        size_t n = data[0] & 0x7f;
        bool console = data[0] & 0x80;
        u8 what = data[1];
        data += 2;
        size -= 2;
        if (n > size) n = size;
        (console ? (void)vm.s.console(vm.s.arg, data, n) : (void)vm.s.ctl(vm.s.arg, data, n));
        data += n;
        size -= n;
        host_acts(c, what);
    }
    enum machine_state end = container_run(c, 1000000).state;
    if (end != MACHINE_RUNNING && end != MACHINE_IDLE)
        assert(container_run(c, 1000000).state == end);
    container_destroy(c);
    return 0;
}
