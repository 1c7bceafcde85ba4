// Role: the machine API: slices of execution, time, console and control bytes, virtio devices,
// whatever the architecture. Depends on every library; a board (board_*.c) supplies the memory map.
// Invariants: one thread; nothing blocks; after the guest ended no code of it runs any more.
// Guest time is host time since creation, or (settings.cpu.icount_time) a fixed time an instruction
// plus the idle time skipped, which makes runs independent of the host's speed.
#include "machine/machine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "host/host.h"
#include "machine/internal.h"
#include "p9/server.h"
#include "virtio/9p.h"
#include "virtio/blk.h"
#include "virtio/console.h"
#include "virtio/rng.h"

enum {
    CONSOLE_BATCH = 4096,
    MAX_9P_TAG = 255,
};

// Slices: long enough to be worth entering, short enough to notice a wrong guess of the speed.
// An engine compiled to wasm also tiers up only when its functions return now and then.
#define SLICE_NS           2000000ull
#define MIN_SLICE_INSNS    2000ull
#define MAX_SLICE_INSNS    50000000ull
#define FIRST_INSNS_PER_MS 20000ull

// When nothing has happened for so long (a tick of the kernel is nothing), code is translated ahead
// for so long at a time, or looked for again after so long, and so often.
#define IDLE_INSNS     200000ull
#define AHEAD_AFTER_NS 30000000ull
#define AHEAD_NS       3000000ull
#define AHEAD_LATER_NS 20000000ull
#define MOST_LATER     1000

static const struct board_ops *const boards[] = {&board_riscv64, &board_x86_64};

struct machine_p9 {
    struct p9_server *server;
    struct fs *fs;
    const struct log *log;
};

u64 machine_time(void *arg) {
    struct machine *m = arg;
    if (!m->icount_time) return host_monotonic_ns() - m->origin_ns;
    return (m->cpu ? cpu_icount(m->cpu) * CPU_ICOUNT_NS : 0) + m->skipped_ns;
}

// Console.

static void flush_console(struct machine *m) {
    if (m->out.len == 0) return;
    if (m->console_out) m->console_out(m->arg, m->out.data, m->out.len);
    m->out.len = 0;
}

// A UART writes byte by byte: collected, and handed on at the end of a slice.
void machine_console_output(void *arg, const u8 *p, size_t n) {
    struct machine *m = arg;
    while (n) {
        size_t room = CONSOLE_BATCH - m->out.len;
        size_t part = n < room ? n : room;
        buf_put(&m->out, p, part);
        p += part;
        n -= part;
        if (m->out.len == CONSOLE_BATCH) flush_console(m);
    }
}

static int console_read(void *arg) {
    struct machine *m = arg;
    return m->ops->serial_take(m);
}

static size_t port_output(void *arg, unsigned port, const u8 *p, size_t n) {
    struct machine *m = arg;
    if (port == 1) return m->ctl_out ? m->ctl_out(m->arg, p, n) : n;
    machine_console_output(m, p, n);
    return n;
}

size_t machine_console_input(struct machine *m, const u8 *p, size_t n) {
    if (m->console) return virtio_console_input(m->console, 0, p, n);
    return m->ops->serial_input(m, p, n);
}

size_t machine_ctl_input(struct machine *m, const u8 *p, size_t n) {
    return m->console ? virtio_console_input(m->console, 1, p, n) : 0;
}

void machine_ctl_ready(struct machine *m) {
    if (m->console) virtio_console_ready(m->console, 1);
}

static u16 clamp16(unsigned v) { return v > 0xffff ? 0xffff : (u16)v; }

void machine_console_resize(struct machine *m, unsigned cols, unsigned rows) {
    if (m->console) virtio_console_resize(m->console, clamp16(cols), clamp16(rows));
}

// The end of the guest.

void machine_end(struct machine *m, enum machine_state state, int exit_code) {
    if (m->end.state != MACHINE_RUNNING) return; // the first word counts
    m->end = (struct machine_status){.state = state, .wake_ns = ~0ull, .exit_code = exit_code};
    if (m->cpu) cpu_request_stop(m->cpu);
}

static void cpu_shutdown(void *arg, int type, bool failed) {
    if (failed)
        machine_end(arg, MACHINE_FAILED, 1);
    else
        machine_end(arg, type == 1 ? MACHINE_REBOOT : MACHINE_POWEROFF, 0);
}

// 9p servers behind the virtio devices.

static void p9_submit(void *arg, const u8 *msg, size_t len, size_t max_reply, p9_reply reply,
                      void *reply_arg) {
    struct machine_p9 *p = arg;
    if (!p->server) p->server = p9_server_create(p->fs, VIRTIO_9P_MSIZE, p->log);
    if (p->server) {
        p9_server_submit(p->server, msg, len, max_reply, reply, reply_arg);
        return;
    }
    enum { RLERROR = 7, LINUX_ENOMEM = 12, LEN = 11 };
    u8 out[LEN] = {LEN, 0, 0, 0, RLERROR, msg[5], msg[6], LINUX_ENOMEM};
    reply(reply_arg, out, LEN);
}

static void p9_reset(void *arg) {
    struct machine_p9 *p = arg;
    if (p->server) p9_server_destroy(p->server);
    p->server = NULL; // made again by the next request
}

// Creation.

static int attach(struct machine *m, struct virtio_device *dev, struct err *err) {
    if (m->nvirtio == MACHINE_MAX_VIRTIO) {
        virtio_destroy(dev);
        return err_set(err, ERR_LIMIT, "too many devices: a machine has at most %d",
                       MACHINE_MAX_VIRTIO);
    }
    if (!dev || !m->ops->attach(m, dev)) return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

static int attach_console(struct machine *m, const struct machine_settings *s, struct err *err) {
    struct virtio_console_settings cs = {
        .channel_name = "berth.ctl", // CTL_PORT_NAME of the layer above
        .cols = clamp16(s->cols),
        .rows = clamp16(s->rows),
        .arg = m,
        .output = port_output,
    };
    struct virtio_device *dev = virtio_console_create(&cs, m->bus, m->log);
    int rc = attach(m, dev, err);
    if (rc == 0) m->console = dev;
    return rc;
}

static int attach_blk(struct machine *m, const struct machine_blk *b, unsigned index,
                      struct err *err) {
    if (b->size == 0 || b->size % 512)
        return err_set(err, ERR_INVALID,
                       "block device %u has %llu bytes: its size must be a multiple of 512", index,
                       (unsigned long long)b->size);
    struct virtio_blk_backend be = {
        .arg = b->arg,
        .size = b->size,
        .readonly = b->readonly,
        .read = b->read,
        .write = b->write,
        .flush = b->flush,
    };
    char serial[16] = "berth0";
    serial[5] = (char)('a' + index % 26);
    return attach(m, virtio_blk_create(&be, serial, m->bus, m->log), err);
}

static int attach_9p(struct machine *m, const struct machine_9p *p, struct machine_p9 *glue,
                     struct err *err) {
    size_t len = strlen(p->tag);
    if (len == 0 || len > MAX_9P_TAG)
        return err_set(err, ERR_INVALID, "9p mount tag '%.40s' must have 1 to %d characters",
                       p->tag, MAX_9P_TAG);
    *glue = (struct machine_p9){.fs = p->fs, .log = m->log};
    struct virtio_9p_server server = {.arg = glue, .submit = p9_submit, .reset = p9_reset};
    return attach(m, virtio_9p_create(p->tag, &server, m->bus, m->log), err);
}

static int attach_all(struct machine *m, const struct machine_settings *s, struct err *err) {
    int rc = attach(m, virtio_rng_create(m->bus, m->log), err);
    if (rc == 0 && s->virtio_console) rc = attach_console(m, s, err);
    for (unsigned i = 0; rc == 0 && i < s->nblk; i++) rc = attach_blk(m, &s->blk[i], i, err);
    if (rc || s->np9 == 0) return rc;
    m->p9 = calloc(s->np9, sizeof *m->p9);
    if (!m->p9) return err_set(err, ERR_NOMEM, "out of memory");
    m->np9 = s->np9;
    for (unsigned i = 0; rc == 0 && i < s->np9; i++) rc = attach_9p(m, &s->p9[i], &m->p9[i], err);
    return rc;
}

static const struct board_ops *find_board(const char *arch) {
    for (size_t i = 0; i < ARRAY_LEN(boards); i++)
        if (strcmp(boards[i]->arch, arch) == 0) return boards[i];
    return NULL;
}

static int unknown_arch(const char *arch, struct err *err) {
    return err_set(err, ERR_UNSUPPORTED, "there is no machine of architecture '%s'; have: %s",
                   arch ? arch : "", MACHINE_ARCHS);
}

static int check_settings(const struct machine_settings *s, struct err *err) {
    if (!s->arch || !find_board(s->arch)) return unknown_arch(s->arch, err);
    if (s->memory == 0 || s->memory % (2u << 20))
        return err_set(err, ERR_INVALID, "the memory size must be a multiple of 2 MiB");
    if (!s->kernel || s->kernel_len == 0)
        return err_set(err, ERR_INVALID, "no kernel image was given");
    return 0;
}

// After the kernel there may be a profile of it (cpu_profile), as guest/kernel/profile.mjs puts it
// there: the text, its length in four bytes, and this.
#define PROFILE_MAGIC "BERTHPRF"

static void split_profile(struct machine_settings *s) {
    enum { MAGIC = sizeof PROFILE_MAGIC - 1, TAIL = 4 + MAGIC };
    if (s->kernel_len <= TAIL) return;
    const u8 *tail = s->kernel + s->kernel_len - TAIL;
    u32 len = get_le32(tail);
    if (memcmp(tail + 4, PROFILE_MAGIC, MAGIC) || len >= s->kernel_len - TAIL) return;
    s->kernel_len -= TAIL + len;
    s->cpu.profile = (const char *)tail - len;
    s->cpu.profile_len = len;
}

struct machine *machine_create(const struct machine_settings *settings, struct err *err) {
    struct machine_settings own = *settings;
    const struct machine_settings *s = &own;
    if (check_settings(s, err)) return NULL;
    split_profile(&own);
    struct machine *m = calloc(1, sizeof *m);
    if (!m || !buf_reserve(&m->out, CONSOLE_BATCH)) {
        free(m);
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    m->ops = find_board(s->arch);
    m->log = s->log;
    m->arg = s->arg;
    m->console_out = s->console;
    m->ctl_out = s->ctl;
    m->icount_time = s->cpu.icount_time;
    m->no_work_ahead = !s->cpu.profile || m->icount_time;
    m->origin_ns = host_monotonic_ns();
    m->insns_per_ms = FIRST_INSNS_PER_MS;
    m->cpu_board = (struct cpu_board){
        .arg = m,
        .time_ns = machine_time,
        .console_write = machine_console_output,
        .console_read = console_read,
        .shutdown = cpu_shutdown,
    };
    if (m->ops->create(m, s, err) || attach_all(m, s, err) || m->ops->boot(m, s, err)) {
        machine_destroy(m);
        return NULL;
    }
    return m;
}

void machine_destroy(struct machine *m) {
    if (!m) return;
    // Devices first: each 9p device takes its server and the requests in flight with it.
    for (unsigned i = 0; i < m->nvirtio; i++) virtio_mmio_destroy(m->virtio[i]);
    m->ops->destroy(m);
    free(m->p9);
    buf_free(&m->out);
    free(m);
}

// Running.

static u64 slice_insns(const struct machine *m, u64 ns) {
    u64 n = ns / 1000 * m->insns_per_ms / 1000;
    return n < MIN_SLICE_INSNS ? MIN_SLICE_INSNS : n > MAX_SLICE_INSNS ? MAX_SLICE_INSNS : n;
}

// Speed changes by an order of magnitude between a tight loop and a storm of traps, so the newest
// slice weighs half; tiny slices measure nothing.
static void measure(struct machine *m, u64 insns, u64 ns) {
    if (insns < MIN_SLICE_INSNS || ns < 1000) return;
    u64 now = insns * 1000 / (ns / 1000 + 1);
    u64 most = m->insns_per_ms * 4; // one lucky slice must not make the next one far too long
    if (now > most) now = most;
    m->insns_per_ms = (m->insns_per_ms + now) / 2 + 1;
}

enum after_slice { GO_ON, SLEEP, LEAVE };

// The CPU waits until `wake` (host time): code is translated that it will need, when it has waited
// for a while. The host time at which to come back.
static u64 work_ahead(struct machine *m, u64 wake) {
    u64 start = host_monotonic_ns(), insns = cpu_icount(m->cpu);
    if (m->no_work_ahead) return wake;
    if (insns - m->idle_insns > IDLE_INSNS) {
        m->idle_insns = insns;
        m->idle_ns = start;
    }
    u64 begin = m->idle_ns + AHEAD_AFTER_NS;
    enum cpu_ahead ahead = CPU_AHEAD_LATER;
    u64 now = start;
    while (start >= begin && now - start < AHEAD_NS) {
        ahead = cpu_translate_ahead(m->cpu);
        now = host_monotonic_ns();
        if (ahead != CPU_AHEAD_MORE) break;
    }
    if (start >= begin && ahead == CPU_AHEAD_LATER) m->nlater++;
    if (ahead == CPU_AHEAD_DONE || m->nlater == MOST_LATER) m->no_work_ahead = true;
    u64 again = start < begin ? begin : ahead == CPU_AHEAD_MORE ? now : now + AHEAD_LATER_NS;
    return !m->no_work_ahead && again < wake ? again : wake;
}

// What to do when the CPU waits for an interrupt: `*timer` gets the guest time of the next one.
static enum after_slice idle(struct machine *m, u64 *timer) {
    if (cpu_has_work(m->cpu)) return GO_ON;
    *timer = cpu_next_timer(m->cpu);
    u64 now = machine_time(m);
    if (*timer <= now) return GO_ON;
    if (!m->icount_time || *timer == ~0ull) return SLEEP;
    m->skipped_ns += *timer - now;
    return GO_ON;
}

static void report_halt(struct machine *m) {
    char regs[512];
    size_t n = cpu_describe(m->cpu, regs, sizeof regs - 1);
    regs[n < sizeof regs ? n : sizeof regs - 1] = 0;
    log_write(m->log, LOG_ERROR, "the virtual CPU stopped for good: %s", regs);
    machine_end(m, MACHINE_FAILED, 1);
}

static enum after_slice run_slice(struct machine *m, u64 ns, u64 *timer) {
    u64 t0 = host_monotonic_ns(), i0 = cpu_icount(m->cpu);
    enum cpu_stop stop = cpu_run(m->cpu, slice_insns(m, ns < SLICE_NS ? ns : SLICE_NS));
    measure(m, cpu_icount(m->cpu) - i0, host_monotonic_ns() - t0);
    if (m->end.state != MACHINE_RUNNING) return LEAVE;
    switch (stop) {
    case CPU_STOP_BUDGET:
        return GO_ON;
    case CPU_STOP_IDLE:
        return idle(m, timer);
    case CPU_STOP_REQUEST:
        return LEAVE;
    case CPU_STOP_HALTED:
        break;
    }
    report_halt(m);
    return LEAVE;
}

struct machine_status machine_run(struct machine *m, u64 budget_ns) {
    struct machine_status st = {.state = MACHINE_RUNNING, .wake_ns = 0};
    u64 start = host_monotonic_ns(), used = 0, timer = ~0ull;
    enum after_slice after = GO_ON;
    while (m->end.state == MACHINE_RUNNING && used < budget_ns && after == GO_ON) {
        after = run_slice(m, budget_ns - used, &timer);
        used = host_monotonic_ns() - start;
    }
    if (after == SLEEP) {
        st.state = MACHINE_IDLE;
        st.wake_ns = work_ahead(m, timer > ~0ull - m->origin_ns ? ~0ull : m->origin_ns + timer);
    }
    flush_console(m);
    return m->end.state == MACHINE_RUNNING ? st : m->end;
}

bool machine_is_ahead(const struct machine *m) { return m->no_work_ahead; }

void machine_translate_ahead(struct machine *m, const char *profile, size_t len) {
    cpu_use_profile(m->cpu, profile, len);
    m->no_work_ahead = m->icount_time;
    m->nlater = 0;
}

struct cpu *machine_cpu(struct machine *m) {
    return m->cpu;
}
