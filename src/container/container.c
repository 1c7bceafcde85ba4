// A container: puts a machine together (kernel, init, image root and volumes as 9p devices) and
// speaks the control protocol with the guest's init. Depends on machine/, p9/ and oci/ through
// their headers and on base/; never blocks and knows no OS.
//
// Invariants:
//  - Nothing is sent before the guest's READY; frames queued until then keep their order.
//  - Per session the host never has more than CTL_WINDOW bytes of STDIN unacknowledged, and a guest
//    that exceeds its own window has broken the protocol.
//  - What the host can repeat at will (resize, signals, credit) is kept as state in the session and
//    becomes frames only when the queue is short, so a guest that reads nothing costs bounded
//    memory.
//  - Anything malformed from the guest ends the container with a message; it is never an assert.
#include "container/container.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "container/cpio.h"
#include "container/ctl.h"
#include "container/klog.h"
#include "container/preload.h"
#include "container/process.h"
#include "host/host.h"

#define MIB          (UINT64_C(1) << 20)
#define MAX_SESSIONS 256
#define MAX_VOLUMES  16
#define QUEUE_SHORT  65536 // below it pending state becomes frames
#define POWEROFF_GRACE_NS                                                                          \
    (UINT64_C(4) * 1000000000) // from session 1's EXIT to the machine stopping
#define MIN_MEMORY (48 * MIB)

struct session {
    u16 id;
    u32 stdin_window; // bytes of STDIN the guest still takes
    u32 out_held;     // bytes of output the guest has not been given credit for
    u32 out_done;     // of these, passed on by the host
    bool eof, resize;
    u16 cols, rows;
    u64 signals; // bit n: signal n is to be sent
};

struct container {
    struct machine *machine;
    struct fs *root;
    char *hostname;
    // What further sessions start from: the image's entrypoint and Cmd, session 1's surroundings.
    struct oci_config base;

    struct session *sessions[MAX_SESSIONS];
    unsigned nsessions;
    u16 last_id;
    bool wrapped; // session numbers were used up once; old ones may come again

    struct ctl_reader in;
    struct buf out;
    bool ready;            // READY was seen
    bool main_exited;      // session 1 ended
    u64 poweroff_deadline; // of the guest, once main_exited
    bool shutdown, shutdown_sent;
    struct buf profile; // of the image's programs, until it is translated ahead
    bool preloads;      // PRELOAD was sent and not answered yet
    bool broken, over;
    enum machine_state end;
    char init_error[512]; // last ERROR for the container as a whole
    char failure[640];
    unsigned oom_reported;
    struct klog klog;

    const struct log *log;
    void *arg;
    void (*output)(void *, unsigned, enum container_stream, const u8 *, size_t);
    void (*exited)(void *, unsigned, unsigned);
    void (*message)(void *, unsigned, const char *);
    void (*console)(void *, const u8 *, size_t);
};

// ---- sessions

static struct session *session_find(const struct container *c, unsigned id) {
    for (unsigned i = 0; i < c->nsessions; i++)
        if (c->sessions[i]->id == id) return c->sessions[i];
    return NULL;
}

static void session_remove(struct container *c, const struct session *s) {
    for (unsigned i = 0; i < c->nsessions; i++) {
        if (c->sessions[i] != s) continue;
        free(c->sessions[i]);
        c->sessions[i] = c->sessions[--c->nsessions];
        return;
    }
}

static u16 session_next_id(struct container *c) {
    do {
        if (c->last_id == 0xffff) c->wrapped = true;
        c->last_id = c->last_id == 0xffff ? 2 : (u16)(c->last_id + 1); // 1 stays the main process
    } while (session_find(c, c->last_id));
    return c->last_id;
}

static int session_start(struct container *c, const struct process_spec *spec, struct err *err) {
    if (c->nsessions == MAX_SESSIONS)
        return err_set(err, ERR_LIMIT, "the container already has %u sessions: end one first",
                       MAX_SESSIONS);
    struct buf payload = {0};
    int rc = process_put_spawn(&payload, spec, err);
    struct session *s = rc == 0 ? calloc(1, sizeof *s) : NULL;
    if (rc == 0 && (!s || !buf_reserve(&c->out, CTL_HEADER_SIZE + payload.len)))
        rc = err_set(err, ERR_NOMEM, "out of memory for a session");
    if (rc == 0) {
        *s = (struct session){.id = session_next_id(c), .stdin_window = CTL_WINDOW};
        c->sessions[c->nsessions++] = s;
        ctl_put(&c->out, CTL_SPAWN, s->id, payload.data, payload.len);
        rc = s->id;
    } else {
        free(s);
    }
    buf_free(&payload);
    return rc;
}

// ---- what the guest sends

static PRINTF_LIKE(2, 3) void give_up(struct container *c, const char *fmt, ...) {
    if (c->broken) return;
    c->broken = true;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->failure, sizeof c->failure, fmt, ap);
    va_end(ap);
}

static void tell(struct container *c, unsigned session, const char *text) {
    if (c->message) c->message(c->arg, session, text);
}

static int on_output(struct container *c, const struct ctl_frame *f, enum container_stream stream,
                     struct err *err) {
    struct session *s = session_find(c, f->session);
    if (!s) {
        // Late output of a session that has ended is no error; one that never was is.
        if (c->wrapped || f->session <= c->last_id) return 0;
        return err_set(err, ERR_CORRUPT, "output of session %u, which was never started",
                       f->session);
    }
    if (f->len > CTL_WINDOW - s->out_held)
        return err_set(err, ERR_CORRUPT, "session %u sent more output than its window", f->session);
    s->out_held += f->len;
    if (f->len) c->output(c->arg, f->session, stream, f->payload, f->len);
    return 0;
}

static int on_credit(struct container *c, const struct ctl_frame *f, struct err *err) {
    struct session *s = session_find(c, f->session);
    if (!s) return 0; // crossed with its end
    u32 n = get_le32(f->payload);
    if (n > CTL_WINDOW - s->stdin_window)
        return err_set(err, ERR_CORRUPT, "session %u acknowledged more input than it was sent",
                       f->session);
    s->stdin_window += n;
    return 0;
}

static int on_exit_frame(struct container *c, const struct ctl_frame *f, struct err *err) {
    struct session *s = session_find(c, f->session);
    if (!s) return err_set(err, ERR_CORRUPT, "end of session %u, which does not run", f->session);
    u32 status = get_le32(f->payload);
    session_remove(c, s);
    if (f->session == 1) {
        c->main_exited = true;
        c->poweroff_deadline = host_monotonic_ns() + POWEROFF_GRACE_NS;
    }
    c->exited(c->arg, f->session, status & 0xff);
    return 0;
}

static int on_preloaded(struct container *c, struct err *err) {
    if (!c->preloads) return err_set(err, ERR_CORRUPT, "a PRELOADED frame that answers nothing");
    c->preloads = false;
    machine_translate_ahead(c->machine, (const char *)c->profile.data, c->profile.len);
    buf_free(&c->profile);
    return 0;
}

static void on_error_frame(struct container *c, const struct ctl_frame *f) {
    char text[sizeof c->init_error];
    klog_printable(text, sizeof text, f->payload, f->len);
    if (f->session == 0) memcpy(c->init_error, text, sizeof text);
    tell(c, f->session, text);
}

static int on_frame(void *arg, const struct ctl_frame *f, struct err *err) {
    struct container *c = arg;
    int rc = ctl_check_from_guest(f, err);
    if (rc < 0) return rc;
    switch (f->type) {
    case CTL_READY: {
        u32 version = get_le32(f->payload);
        if (version != CTL_VERSION)
            return err_set(
                err, ERR_UNSUPPORTED,
                "its init speaks protocol version %u and this program version %u: rebuild "
                "the initramfs",
                version, CTL_VERSION);
        if (c->ready) return err_set(err, ERR_CORRUPT, "a second READY frame");
        c->ready = true;
        return 0;
    }
    case CTL_STDOUT:
        return on_output(c, f, STREAM_STDOUT, err);
    case CTL_STDERR:
        return on_output(c, f, STREAM_STDERR, err);
    case CTL_EXIT:
        return on_exit_frame(c, f, err);
    case CTL_CREDIT:
        return on_credit(c, f, err);
    case CTL_PRELOADED:
        return on_preloaded(c, err);
    default:
        on_error_frame(c, f);
        return 0;
    }
}

static size_t on_ctl(void *arg, const u8 *p, size_t n) {
    struct container *c = arg;
    struct err err = {0};
    if (!c->broken && ctl_reader_feed(&c->in, p, n, on_frame, c, &err) < 0)
        give_up(c, "the guest broke the control protocol: %s", err.msg);
    if (c->broken) cpu_request_stop(machine_cpu(c->machine));
    return n;
}

static void on_console(void *arg, const u8 *p, size_t n) {
    struct container *c = arg;
    klog_write(&c->klog, p, n);
    if (c->console) c->console(c->arg, p, n);
    if (c->klog.oom_kills == c->oom_reported) return;
    c->oom_reported = c->klog.oom_kills;
    char text[160];
    snprintf(text, sizeof text,
             "the guest ran out of memory and killed \"%s\": give the container more memory",
             c->klog.victim);
    tell(c, 0, text);
}

// ---- creation

static int check_volumes(const struct container_settings *s, struct err *err) {
    if (s->nvolumes > MAX_VOLUMES)
        return err_set(err, ERR_LIMIT, "%u volumes given, at most %d are possible", s->nvolumes,
                       MAX_VOLUMES);
    return 0;
}

// The initramfs followed by an archive with /berth.conf.
static int build_initrd(struct buf *out, const struct container_settings *s, const char *hostname,
                        struct err *err) {
    struct buf conf = {0};
    buf_printf(&conf, "hostname=%s%c", hostname, 0);
    buf_printf(&conf, "root=9p:root%c", 0);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < s->nvolumes; i++) {
        const struct container_volume *v = &s->volumes[i];
        char *path = v->guest[0] == '/' ? process_clean_path(v->guest) : NULL;
        if (v->guest[0] != '/' || (path && path[1] == 0))
            rc = err_set(err, ERR_INVALID,
                         "volume destination \"%s\" is invalid: it needs to be an absolute path "
                         "other than /",
                         v->guest);
        else if (!path)
            rc = err_set(err, ERR_NOMEM, "out of memory for the volumes");
        else
            buf_printf(&conf, "mount=9p:vol%u:%s:%s%c", i, v->readonly ? "ro" : "rw", path, 0);
        free(path);
    }
    u64 now = host_realtime_ns();
    buf_printf(&conf, "time=%llu.%09llu%c", (unsigned long long)(now / 1000000000),
               (unsigned long long)(now % 1000000000), 0);
    if (rc == 0) {
        buf_put(out, s->initrd, s->initrd_len);
        cpio_put_file(out, &CTL_CONF_FILE[1], 0600, conf.data, conf.len);
        cpio_put_end(out);
        if (conf.oom || out->oom) rc = err_set(err, ERR_NOMEM, "out of memory for the initramfs");
    }
    buf_free(&conf);
    return rc;
}

// The kernel's log goes to the UART, which nothing else uses; sessions have the control port.
// Levels below 4 (errors) are what container_failure reads.
static bool build_cmdline(struct buf *out, const struct container_settings *s) {
    buf_put_str(out, "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off rdinit=/init");
    if (s->extra_cmdline && *s->extra_cmdline) buf_printf(out, " %s", s->extra_cmdline);
    buf_put_u8(out, 0);
    return !out->oom;
}

static int check_memory(const struct container_settings *s, u64 *memory, struct err *err) {
    u64 m = s->memory ? s->memory : 512 * MIB;
    m = (m + 2 * MIB - 1) / (2 * MIB) * (2 * MIB);
    u64 need = MIN_MEMORY + s->kernel_len + 2 * (u64)s->initrd_len;
    if (m < need)
        return err_set(err, ERR_INVALID,
                       "%llu MiB of memory are too little for the guest: give it at least %llu MiB",
                       (unsigned long long)(m / MIB), (unsigned long long)((need + MIB - 1) / MIB));
    *memory = m;
    return 0;
}

static int create_machine(struct container *c, const struct container_settings *s,
                          struct err *err) {
    u64 memory = 0;
    int rc = check_volumes(s, err);
    if (rc == 0) rc = check_memory(s, &memory, err);
    if (rc < 0) return rc;
    struct buf initrd = {0}, cmdline = {0};
    struct machine_9p p9[1 + MAX_VOLUMES] = {{"root", c->root}};
    char tags[MAX_VOLUMES][8];
    for (unsigned i = 0; i < s->nvolumes; i++) {
        snprintf(tags[i], sizeof tags[i], "vol%u", i);
        p9[1 + i] = (struct machine_9p){tags[i], s->volumes[i].fs};
    }
    rc = build_initrd(&initrd, s, c->hostname, err);
    if (rc == 0 && !build_cmdline(&cmdline, s))
        rc = err_set(err, ERR_NOMEM, "out of memory for the kernel's command line");
    if (rc == 0) {
        c->machine = machine_create(&(struct machine_settings){.arch = s->arch,
                                                               .memory = memory,
                                                               .kernel = s->kernel,
                                                               .kernel_len = s->kernel_len,
                                                               .initrd = initrd.data,
                                                               .initrd_len = initrd.len,
                                                               .cmdline = (char *)cmdline.data,
                                                               .p9 = p9,
                                                               .np9 = 1 + s->nvolumes,
                                                               .virtio_console = true,
                                                               .cols = s->process.cols,
                                                               .rows = s->process.rows,
                                                               .cpu = s->cpu,
                                                               .log = s->log,
                                                               .arg = c,
                                                               .console = on_console,
                                                               .ctl = on_ctl},
                                    err);
        if (!c->machine) rc = -(int)ERR_INVALID;
    }
    buf_free(&initrd);
    buf_free(&cmdline);
    return rc;
}

// Session 1, and what later sessions inherit from it.
static int start_main(struct container *c, const struct container_settings *s, struct err *err) {
    struct process_spec spec;
    int rc = process_merge(&spec, s->image, &s->process, c->hostname, err);
    if (rc == 0) {
        rc = session_start(c, &spec, err);
        assert((rc < 0 || rc == 1) && "the first session is number 1");
    }
    if (rc > 0) {
        c->base.env = spec.env;
        c->base.working_dir = spec.cwd;
        c->base.user = spec.user;
        spec.env = (struct oci_strings){0};
        spec.cwd = spec.user = NULL;
        if (!strings_copy(&c->base.entrypoint, &s->image->entrypoint) ||
            !strings_copy(&c->base.cmd, &s->image->cmd))
            rc = err_set(err, ERR_NOMEM, "out of memory for the image's configuration");
    }
    process_spec_free(&spec);
    return rc;
}

struct container *container_create(const struct container_settings *s, struct err *err) {
    assert(s->image && s->tree && s->output && s->exited && "required settings");
    struct container *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(err, ERR_NOMEM, "out of memory for the container");
        return NULL;
    }
    c->log = s->log;
    if (s->cpu.engine == ENGINE_JIT) preload_read(s->tree, s->log, &c->profile);
    c->arg = s->arg;
    c->output = s->output;
    c->exited = s->exited;
    c->message = s->message;
    c->console = s->console;
    c->hostname = strdup(s->hostname && *s->hostname ? s->hostname : "berth");
    c->root = c->hostname ? fs_image_create(s->tree, err) : NULL;
    if (!c->hostname) err_set(err, ERR_NOMEM, "out of memory for the container");
    // The process first: its errors are the user's and cost nothing to find.
    if (!c->root || start_main(c, s, err) < 0 || create_machine(c, s, err) < 0) {
        container_destroy(c);
        return NULL;
    }
    return c;
}

void container_destroy(struct container *c) {
    if (!c) return;
    machine_destroy(c->machine);
    if (c->root && c->root->ops->destroy) c->root->ops->destroy(c->root);
    for (unsigned i = 0; i < c->nsessions; i++) free(c->sessions[i]);
    strings_free(&c->base.entrypoint);
    strings_free(&c->base.cmd);
    strings_free(&c->base.env);
    free(c->base.working_dir);
    free(c->base.user);
    ctl_reader_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->profile);
    free(c->hostname);
    free(c);
}

// ---- running

// Turns the sessions' pending state into frames.
static void collect(struct container *c) {
    for (unsigned i = 0; i < c->nsessions && c->out.len < QUEUE_SHORT; i++) {
        struct session *s = c->sessions[i];
        // A quarter of the window at a time: enough to keep the guest going, few frames.
        if (s->out_done >= CTL_WINDOW / 4) {
            ctl_put_u32(&c->out, CTL_CREDIT, s->id, s->out_done);
            s->out_held -= s->out_done;
            s->out_done = 0;
        }
        if (s->resize) ctl_put_resize(&c->out, s->id, s->cols, s->rows);
        s->resize = false;
        for (unsigned n = 1; s->signals && n < 64; n++)
            if (s->signals >> n & 1) ctl_put_u32(&c->out, CTL_SIGNAL, s->id, n);
        s->signals = 0;
    }
    if (c->shutdown && !c->shutdown_sent && c->out.len < QUEUE_SHORT) {
        ctl_put(&c->out, CTL_SHUTDOWN, 0, NULL, 0);
        c->shutdown_sent = true;
    }
}

// The kernel is translated ahead, and the guest waits: its programs are next.
static void preload(struct container *c) {
    if (!c->profile.len || c->preloads || !c->ready || c->out.len) return;
    if (!machine_is_ahead(c->machine)) return;
    struct buf payload = {0};
    preload_put((const char *)c->profile.data, c->profile.len, &payload);
    c->preloads = payload.len && !payload.oom;
    if (c->preloads)
        ctl_put(&c->out, CTL_PRELOAD, 0, payload.data, payload.len);
    else
        buf_free(&c->profile);
    buf_free(&payload);
}

// True when the guest took something.
static bool flush(struct container *c) {
    if (!c->ready || c->broken) return false;
    collect(c);
    if (c->out.oom) {
        give_up(c, "out of memory for the control channel");
        return false;
    }
    if (c->out.len == 0) return false;
    size_t n = machine_ctl_input(c->machine, c->out.data, c->out.len);
    buf_consume(&c->out, n);
    return n > 0;
}

static void explain_end(struct container *c, const struct machine_status *st) {
    char why[512];
    if (c->broken) return;
    c->broken = true;
    bool known = klog_explain(&c->klog, why, sizeof why);
    if (known && (c->klog.panic[0] || !c->init_error[0]))
        snprintf(c->failure, sizeof c->failure, "%s", why);
    else if (c->init_error[0])
        snprintf(c->failure, sizeof c->failure, "the guest could not start: %s", c->init_error);
    else if (!c->ready && st->state != MACHINE_FAILED)
        snprintf(c->failure, sizeof c->failure, "the guest stopped before its init was up%s%s",
                 c->klog.last[0] ? "; it last said: " : "", c->klog.last);
    else
        snprintf(c->failure, sizeof c->failure,
                 "the guest %s before the container's process ended%s%s",
                 st->state == MACHINE_REBOOT     ? "rebooted"
                 : st->state == MACHINE_POWEROFF ? "switched itself off"
                                                 : "crashed",
                 c->klog.last[0] ? "; it last said: " : "", c->klog.last);
}

static struct machine_status finish(struct container *c, struct machine_status st) {
    c->over = true;
    bool good = !c->broken && (c->main_exited || (c->shutdown && st.state == MACHINE_POWEROFF));
    if (!good) explain_end(c, &st);
    c->end = st.state = good ? MACHINE_POWEROFF : MACHINE_FAILED;
    return st;
}

struct machine_status container_run(struct container *c, u64 budget_ns) {
    struct machine_status st = {.state = c->end, .wake_ns = UINT64_MAX};
    if (c->over) return st;
    // Before init is up there is nothing to be polite to.
    if (c->shutdown && !c->ready) {
        st.state = MACHINE_POWEROFF;
        return finish(c, st);
    }
    flush(c);
    if (!c->broken) st = machine_run(c->machine, budget_ns);
    if (c->broken || st.state == MACHINE_POWEROFF || st.state == MACHINE_REBOOT ||
        st.state == MACHINE_FAILED)
        return finish(c, st);
    if (st.state == MACHINE_IDLE) preload(c);
    if (flush(c)) st.state = MACHINE_RUNNING;
    if (c->main_exited) {
        if (host_monotonic_ns() >= c->poweroff_deadline) {
            log_write(c->log, LOG_WARN,
                      "the guest did not switch off after its main process ended");
            return finish(c, st);
        }
        if (st.wake_ns > c->poweroff_deadline) st.wake_ns = c->poweroff_deadline;
    }
    return st;
}

const char *container_failure(const struct container *c) { return c->failure; }

bool container_ready(const struct container *c) { return c->ready; }

struct machine *container_machine(struct container *c) {
    return c->machine;
}

// ---- what the host sends

int container_spawn(struct container *c, const struct container_process *p, struct err *err) {
    if (c->over || c->main_exited)
        return err_set(err, ERR_INVALID, "the container has ended: start it again");
    struct process_spec spec;
    int rc = process_merge(&spec, &c->base, p, c->hostname, err);
    if (rc == 0) rc = session_start(c, &spec, err);
    process_spec_free(&spec);
    return rc;
}

size_t container_stdin(struct container *c, unsigned session, const u8 *p, size_t n) {
    struct session *s = session_find(c, session);
    if (!s || s->eof || c->over) return n; // nobody will ever read it
    if (n > s->stdin_window) n = s->stdin_window;
    static_assert(CTL_WINDOW <= CTL_MAX_PAYLOAD, "a window fits one frame");
    if (n == 0 || !buf_reserve(&c->out, CTL_HEADER_SIZE + n)) return 0;
    ctl_put(&c->out, CTL_STDIN, session, p, n);
    s->stdin_window -= (u32)n;
    return n;
}

void container_stdin_eof(struct container *c, unsigned session) {
    struct session *s = session_find(c, session);
    if (!s || s->eof) return;
    s->eof = true;
    ctl_put(&c->out, CTL_STDIN_EOF, session, NULL, 0);
}

void container_resize(struct container *c, unsigned session, unsigned cols, unsigned rows) {
    struct session *s = session_find(c, session);
    if (!s) return;
    s->resize = true;
    s->cols = (u16)(cols > 0xffff ? 0xffff : cols);
    s->rows = (u16)(rows > 0xffff ? 0xffff : rows);
}

void container_signal(struct container *c, unsigned session, unsigned signo) {
    struct session *s = session_find(c, session);
    if (s && signo > 0 && signo < 64) s->signals |= UINT64_C(1) << signo;
}

void container_output_done(struct container *c, unsigned session, size_t n) {
    struct session *s = session_find(c, session);
    if (!s) return; // it ended while the host was still passing its output on
    assert(n <= s->out_held - s->out_done && "done is said once for each byte of output");
    s->out_done += (u32)n;
}

void container_shutdown(struct container *c) { c->shutdown = true; }
