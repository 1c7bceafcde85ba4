// The event loop of `berth run`. Output waits in buffers until poll() says that a descriptor takes
// it; only then does the guest get credit for more, so a slow reader stops the guest, not this
// process. Descriptors are not made non-blocking, because that flag belongs to everyone who has
// them open (the shell after us): writes are at most PIPE_BUF bytes after POLLOUT, which do not
// block on a pipe.
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli.h"
#include "host/host.h"
#include "term.h"

#define SESSION     1 // the main process
#define SLICE_NS    10000000u
#define STDIN_CHUNK 16384
#define IMPATIENT   3 // that many SIGINT or SIGTERM end the run at once, as docker run does

struct sink {
    int fd;
    struct buf pending;
    bool gone; // the reader went away: drop what comes
};

struct loop {
    struct container *c;
    struct sink out[2]; // stdout, stderr
    u8 in[STDIN_CHUNK];
    size_t in_pos, in_len; // read, not yet taken by the container
    bool in_eof, eof_sent;
    bool tty, verbose, ready, raw_wanted;
    int signal_fd;
    unsigned impatience;
    int forced;      // exit status, not the container's: nobody waits for that any more
    bool at_once;    // nor for its orderly end
    char early[512]; // what init said before it was up
    bool exited;
    unsigned status;
    struct loop_times times;
};

static void force(struct loop *l, int sig) {
    l->forced = 128 + sig;
    l->at_once = true;
}

// ---- output

static void sink_drop(struct loop *l, struct sink *s) {
    container_output_done(l->c, SESSION, s->pending.len);
    s->pending.len = 0;
    if (s->gone) return;
    s->gone = true;
    if (s->fd != STDOUT_FILENO) return;
    // A process writing to this pipe itself would die of SIGPIPE. The container's main process,
    // being number 1 of its namespace, cannot be killed by a signal it has no handler for, but for
    // this one.
    l->forced = 128 + SIGPIPE;
    container_signal(l->c, SESSION, SIGKILL);
}

static void sink_write(struct loop *l, struct sink *s) {
    while (s->pending.len) {
        struct pollfd pfd = {.fd = s->fd, .events = POLLOUT};
        if (poll(&pfd, 1, 0) <= 0) return;
        size_t n = s->pending.len < PIPE_BUF ? s->pending.len : PIPE_BUF;
        ssize_t wrote = write(s->fd, s->pending.data, n);
        if (wrote < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (wrote < 0) {
            if (errno != EPIPE) cli_error("cannot write output: %s", strerror(errno));
            sink_drop(l, s);
            return;
        }
        buf_consume(&s->pending, (size_t)wrote);
        container_output_done(l->c, SESSION, (size_t)wrote);
    }
}

static void on_output(void *arg, unsigned session, enum container_stream stream, const u8 *p,
                      size_t n) {
    struct loop *l = arg;
    (void)session;
    struct sink *s = &l->out[stream == STREAM_STDERR];
    struct sink *other = &l->out[stream != STREAM_STDERR];
    // Where both streams end in one file, they should come in the order they were written.
    sink_write(l, other);
    buf_put(&s->pending, p, n);
    if (s->pending.oom) {
        cli_error("out of memory for output, %zu bytes are lost", n);
        s->pending.oom = false;
        container_output_done(l->c, SESSION, n);
    }
    if (s->gone)
        sink_drop(l, s);
    else
        sink_write(l, s);
}

// After the guest has ended there is nothing to do but wait for the readers.
static void sinks_drain(struct loop *l) {
    for (unsigned i = 0; i < 2; i++) {
        struct sink *s = &l->out[i];
        while (s->pending.len && !s->gone && !l->at_once) {
            struct pollfd pfd[2] = {{.fd = s->fd, .events = POLLOUT},
                                    {.fd = l->signal_fd, .events = POLLIN}};
            if (poll(pfd, 2, -1) < 0 && errno != EINTR) return;
            for (int sig; (sig = signals_next());)
                if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP) force(l, sig);
            sink_write(l, s);
        }
    }
}

static void on_exited(void *arg, unsigned session, unsigned status) {
    struct loop *l = arg;
    if (session != SESSION) return;
    l->exited = true;
    l->status = status;
}

static void on_message(void *arg, unsigned session, const char *text) {
    struct loop *l = arg;
    // Why init gives up is said again, in a sentence, by container_failure.
    if (session == 0 && !container_ready(l->c))
        snprintf(l->early, sizeof l->early, "%s", text);
    else
        cli_error("%s", text);
}

static void on_console(void *arg, const u8 *p, size_t n) {
    struct loop *l = arg;
    if (!l->verbose) return;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\r') continue;
        if (p[i] == '\n' && term_is_raw()) fputc('\r', stderr);
        fputc(p[i], stderr);
    }
}

// ---- input

static void stdin_read(struct loop *l) {
    ssize_t n = read(STDIN_FILENO, l->in, sizeof l->in);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    l->in_pos = 0;
    l->in_len = n > 0 ? (size_t)n : 0;
    if (n <= 0) l->in_eof = true; // an error (EIO of an orphaned terminal) is an end too
}

// True when the container took something and has to run to pass it on.
static bool stdin_offer(struct loop *l) {
    bool took = false;
    if (l->in_pos < l->in_len) {
        size_t n = container_stdin(l->c, SESSION, l->in + l->in_pos, l->in_len - l->in_pos);
        l->in_pos += n;
        took = n > 0;
    }
    if (l->in_eof && l->in_pos == l->in_len && !l->eof_sent) {
        container_stdin_eof(l->c, SESSION);
        l->eof_sent = took = true;
    }
    return took;
}

// ---- signals

static void on_one_signal(struct loop *l, int sig) {
    unsigned cols, rows;
    switch (sig) {
    case SIGWINCH:
        if (l->tty && term_size(&cols, &rows)) container_resize(l->c, SESSION, cols, rows);
        return;
    case SIGHUP: // the terminal is gone
        container_signal(l->c, SESSION, SIGHUP);
        container_shutdown(l->c);
        return;
    case SIGINT:
    case SIGTERM:
        if (!l->ready || ++l->impatience >= IMPATIENT) {
            force(l, sig);
            return;
        }
        // A shell at its prompt ignores TERM; whoever kills this process wants the container gone.
        if (sig == SIGTERM && l->tty) container_shutdown(l->c);
        break;
    default:
        break;
    }
    container_signal(l->c, SESSION, (unsigned)sig);
}

// ---- the loop

static void wait_for_events(struct loop *l, const struct machine_status *st) {
    struct pollfd pfd[4];
    unsigned n = 0;
    pfd[n++] = (struct pollfd){.fd = l->signal_fd, .events = POLLIN};
    bool read_stdin = l->ready && !l->in_eof && l->in_pos == l->in_len;
    if (read_stdin) pfd[n++] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (unsigned i = 0; i < 2; i++)
        if (l->out[i].pending.len)
            pfd[n++] = (struct pollfd){.fd = l->out[i].fd, .events = POLLOUT};

    struct timespec wait = {0}, *timeout = &wait;
    if (st->state == MACHINE_IDLE) {
        u64 now = host_monotonic_ns();
        if (st->wake_ns == UINT64_MAX) {
            timeout = NULL;
        } else if (st->wake_ns > now) {
            wait.tv_sec = (time_t)((st->wake_ns - now) / 1000000000u);
            wait.tv_nsec = (long)((st->wake_ns - now) % 1000000000u);
        }
    }
    if (ppoll(pfd, n, timeout, NULL) <= 0) return;
    for (int sig; (sig = signals_next());) on_one_signal(l, sig);
    if (read_stdin && pfd[1].revents) stdin_read(l);
    for (unsigned i = 0; i < 2; i++) sink_write(l, &l->out[i]);
}

static void check_ready(struct loop *l, u64 start) {
    if (l->ready || !container_ready(l->c)) return;
    if (l->raw_wanted) term_raw();
    // A Ctrl-C up to here was a signal to us and ends the run; the container's main process, which
    // it would be passed on to once we are ready, may be one that cannot be interrupted. From here
    // on it is input.
    for (int sig; (sig = signals_next());) on_one_signal(l, sig);
    l->ready = true;
    l->times.ready_ns = host_monotonic_ns() - start;
}

static int loop_end(struct loop *l, struct err *err) {
    term_restore();
    if (!l->at_once) sinks_drain(l);
    if (l->early[0] && !strstr(container_failure(l->c), l->early)) cli_error("%s", l->early);
    if (l->forced) return l->forced;
    if (l->exited) return (int)l->status;
    if (container_failure(l->c)[0]) {
        err_set(err, ERR_IO, "%s%s", container_failure(l->c),
                l->verbose ? "" : " (--verbose shows the guest kernel's messages)");
        return EXIT_BERTH;
    }
    return 128 + SIGTERM; // shut down on request
}

int loop_run(struct loop *l, struct container *c, struct err *err) {
    l->c = c;
    l->signal_fd = signals_init();
    if (l->signal_fd < 0) {
        err_set(err, ERR_IO, "cannot make a pipe for signals: %s", strerror(errno));
        return EXIT_BERTH;
    }
    l->raw_wanted = l->tty && isatty(STDIN_FILENO);
    if (l->raw_wanted) {
        term_init();
        term_quiet();
    }
    u64 start = host_monotonic_ns();
    for (;;) {
        u64 before = host_monotonic_ns();
        struct machine_status st = container_run(c, SLICE_NS);
        l->times.run_ns += host_monotonic_ns() - before;
        if (st.state != MACHINE_RUNNING && st.state != MACHINE_IDLE) break;
        check_ready(l, start);
        // There is more room than before the guest ran; it must not be slept on.
        if (l->ready && stdin_offer(l)) st.state = MACHINE_RUNNING;
        wait_for_events(l, &st);
        if (l->ready) stdin_offer(l);
        if (l->at_once) break;
    }
    return loop_end(l, err);
}

struct loop *loop_create(struct err *err) {
    struct loop *l = calloc(1, sizeof *l);
    if (!l) {
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    l->out[0].fd = STDOUT_FILENO;
    l->out[1].fd = STDERR_FILENO;
    return l;
}

void loop_destroy(struct loop *l) {
    if (!l) return;
    buf_free(&l->out[0].pending);
    buf_free(&l->out[1].pending);
    free(l);
}

void loop_settings(struct loop *l, struct container_settings *s, bool verbose) {
    l->tty = s->process.tty;
    l->verbose = verbose;
    s->arg = l;
    s->output = on_output;
    s->exited = on_exited;
    s->message = on_message;
    s->console = on_console;
}

const struct loop_times *loop_get_times(const struct loop *l) { return &l->times; }
