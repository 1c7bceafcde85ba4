// Sessions: a process each, its terminal or pipes, and the flow of bytes between those and the
// control channel. Depends on ctl, child, util.
//
// Flow control (berth/ctl.h): a session sends at most `window` bytes of output before the host
// gives credit; input waits in `in`, which holds the whole window the host may use, and credit is
// given as the process's descriptor takes bytes. Nothing here blocks.
//
// The end of a session: its process is reaped, what its descriptors still hold is sent (not what
// background processes go on writing), then EXIT. Session 1 is held until the container is down.
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

// What a terminal can hold for us when its process ends: flip buffers and the line discipline's.
#define TTY_DRAIN_MAX (128 * 1024)

enum { IN, OUT, ERR, NFDS };

struct session {
    unsigned id; // 0: slot free
    bool tty, eof, exited, main_over;
    pid_t pid;
    int fd[NFDS]; // our ends; a terminal's master is fd[OUT] and fd[IN], -1 when closed
    int slave; // kept open while the process lives: a terminal nobody has open reports hang-up for
               // ever
    int report;
    u32 status, window;
    size_t drain_left[NFDS]; // once exited: bytes still to send
    size_t in_len, in_pos;
    u32 uncounted;          // bytes of `in` that are not the host's: they give no credit
    u8 in[CTL_WINDOW + 64]; // the host's window and a few VEOF characters
};

static struct session *sessions[SESSION_MAX];
static bool unshared;

static struct session *session_find(unsigned id) {
    for (unsigned i = 0; i < SESSION_MAX; i++)
        if (sessions[i] && sessions[i]->id == id) return sessions[i];
    return NULL;
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void close_input(struct session *s) {
    if (s->fd[IN] == s->fd[OUT])
        s->fd[IN] = -1;
    else
        close_fd(&s->fd[IN]);
}

static void session_free(struct session *s) {
    close_input(s);
    close_fd(&s->fd[OUT]);
    close_fd(&s->fd[ERR]);
    close_fd(&s->slave);
    close_fd(&s->report);
    for (unsigned i = 0; i < SESSION_MAX; i++)
        if (sessions[i] == s) sessions[i] = NULL;
    free(s);
}

// ---- start ----

static u32 get_u16(const u8 *p) { return (u32)p[0] | (u32)p[1] << 8; }

static u32 get_u32(const u8 *p) { return get_u16(p) | get_u16(p + 2) << 16; }

struct spawn_args {
    struct spawn spawn;
    unsigned cols, rows;
    char *text; // owns the strings
};

static void args_free(struct spawn_args *a) {
    free(a->spawn.argv);
    free(a->spawn.env);
    free(a->text);
}

static bool parse_spawn(struct spawn_args *a, const u8 *p, size_t n) {
    *a = (struct spawn_args){0};
    if (n < 8 || p[n - 1] != 0) return false;
    a->spawn.tty = get_u32(p) & CTL_SPAWN_TTY;
    a->cols = get_u16(p + 4);
    a->rows = get_u16(p + 6);
    size_t len = n - 8, records = 1;
    a->text = malloc(len + 1);
    if (!a->text) return false;
    memcpy(a->text, p + 8, len);
    a->text[len] = 0;
    for (size_t i = 0; i < len; i++) records += a->text[i] == 0;
    a->spawn.argv = calloc(records + 1, sizeof(char *));
    a->spawn.env = calloc(records + 1, sizeof(char *));
    if (!a->spawn.argv || !a->spawn.env) return false;
    size_t argc = 0, envc = 0;
    for (char *r = a->text; r < a->text + len; r += strlen(r) + 1) {
        if (strncmp(r, "arg=", 4) == 0)
            a->spawn.argv[argc++] = r + 4;
        else if (strncmp(r, "env=", 4) == 0)
            a->spawn.env[envc++] = r + 4;
        else if (strncmp(r, "cwd=", 4) == 0)
            a->spawn.cwd = r + 4;
        else if (strncmp(r, "user=", 5) == 0)
            a->spawn.user = r + 5;
        else if (r[0])
            return false;
    }
    return argc > 0;
}

static void set_size(int fd, unsigned cols, unsigned rows) {
    struct winsize w = {.ws_col = (unsigned short)cols, .ws_row = (unsigned short)rows};
    if (cols && rows) ioctl(fd, TIOCSWINSZ, &w);
}

static bool open_tty(struct session *s, const struct spawn_args *a, int child[NFDS]) {
    int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (master < 0) return false;
    s->fd[IN] = s->fd[OUT] = master;
    int unlock = 0;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0) return false;
    // Not by name: the container may have changed /dev/pts.
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) return false;
    struct termios t;
    if (tcgetattr(slave, &t) == 0) {
        t.c_iflag |= IUTF8; // erase whole characters
        tcsetattr(slave, TCSANOW, &t);
    }
    set_size(master, a->cols ? a->cols : 80, a->rows ? a->rows : 24);
    child[IN] = child[OUT] = child[ERR] = s->slave = slave;
    return true;
}

static bool open_pipes(struct session *s, int child[NFDS]) {
    for (int i = 0; i < NFDS; i++) {
        int p[2];
        if (pipe2(p, O_CLOEXEC) < 0) return false;
        int ours = i == IN ? p[1] : p[0];
        child[i] = i == IN ? p[0] : p[1];
        s->fd[i] = ours;
        if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0) return false;
    }
    return true;
}

static bool start_child(struct session *s, struct spawn_args *a) {
    int child[NFDS] = {-1, -1, -1}, report[2] = {-1, -1};
    bool ok = (a->spawn.tty ? open_tty(s, a, child) : open_pipes(s, child)) &&
              pipe2(report, O_CLOEXEC) == 0;
    // From the first process on every child is in the container's own PID namespace, as its 1 ...
    if (ok && !unshared) {
        ok = unshare(CLONE_NEWPID) == 0;
        unshared = a->spawn.first = ok;
    }
    if (ok) {
        memcpy(a->spawn.fds, child, sizeof child);
        a->spawn.report_fd = report[1];
        s->pid = fork();
        if (s->pid == 0) child_run(&a->spawn);
        ok = s->pid > 0;
    }
    int err = errno;
    s->report = report[0];
    close_fd(&report[1]);
    for (int i = 0; i < NFDS && !a->spawn.tty; i++) close_fd(&child[i]);
    errno = err;
    return ok;
}

static void spawn_refused(unsigned id, const char *why) {
    ctl_send_text(id, "cannot start a process: %s", why);
    ctl_send_u32(id, CTL_EXIT, 126);
}

static void session_spawn(unsigned id, const u8 *p, size_t n) {
    if (session_find(id)) {
        ctl_send_text(0, "session %u exists already", id);
        return;
    }
    unsigned slot = 0;
    while (slot < SESSION_MAX && sessions[slot]) slot++;
    // ... so the container's main process has to be the first.
    if (id == 0 || (id != 1 && !unshared) || slot == SESSION_MAX) {
        spawn_refused(id, slot == SESSION_MAX ? "too many sessions"
                                              : "the container's main process is not running");
        return;
    }
    struct spawn_args a;
    struct session *s = calloc(1, sizeof *s);
    bool ok = parse_spawn(&a, p, n) && s;
    if (s) {
        *s = (struct session){.id = id,
                              .tty = a.spawn.tty,
                              .fd = {-1, -1, -1},
                              .slave = -1,
                              .report = -1,
                              .window = CTL_WINDOW};
        sessions[slot] = s;
    }
    if (ok && start_child(s, &a)) {
        args_free(&a);
        return;
    }
    const char *why = !ok ? "the request is malformed or memory is short" : strerror(errno);
    args_free(&a);
    if (id == 1) init_fatal("cannot start the container's main process: %s", why);
    if (s) session_free(s);
    spawn_refused(id, why);
}

// ---- input ----

static void pass_input(struct session *s) {
    size_t gone = 0;
    while (s->in_pos < s->in_len) {
        ssize_t n = s->fd[IN] < 0 ? -1 : write(s->fd[IN], s->in + s->in_pos, s->in_len - s->in_pos);
        if (n < 0 && s->fd[IN] >= 0 && errno == EINTR) continue;
        if (n < 0 && s->fd[IN] >= 0 && errno == EAGAIN) break;
        if (n == 0) break;
        if (n < 0) { // nobody reads any more: swallow it, so that the host is not stuck
            close_input(s);
            n = (ssize_t)(s->in_len - s->in_pos);
        }
        s->in_pos += (size_t)n;
        gone += (size_t)n;
    }
    if (s->in_pos == s->in_len) {
        s->in_pos = s->in_len = 0;
        if (s->eof && !s->tty) close_input(s);
    }
    u32 ours = s->uncounted < gone ? s->uncounted : (u32)gone;
    s->uncounted -= ours;
    if (gone > ours) ctl_send_u32(s->id, CTL_CREDIT, (u32)gone - ours);
}

static void queue_input(struct session *s, const u8 *p, size_t n) {
    if (s->in_pos) {
        memmove(s->in, s->in + s->in_pos, s->in_len - s->in_pos);
        s->in_len -= s->in_pos;
        s->in_pos = 0;
    }
    if (n > sizeof s->in - s->in_len) {
        ctl_send_text(0, "session %u: the host sent more input than the window allows", s->id);
        n = sizeof s->in - s->in_len;
    }
    memcpy(s->in + s->in_len, p, n);
    s->in_len += n;
    pass_input(s);
}

static void input_eof(struct session *s) {
    struct termios t;
    s->eof = true;
    if (!s->tty) {
        pass_input(s);
    } else if (s->fd[OUT] >= 0 && tcgetattr(s->fd[OUT], &t) == 0) {
        u8 veof = t.c_cc[VEOF];
        s->uncounted++;
        queue_input(s, &veof, 1);
    }
}

// ---- control ----

static void session_signal(struct session *s, int signo) {
    pid_t group = 0;
    if (s->exited || signo < 1 || signo >= NSIG) return;
    if (s->tty && ioctl(s->fd[OUT], TIOCGPGRP, &group) == 0 && group > 0)
        kill(-group, signo);
    else
        kill(s->pid, signo);
}

void session_handle(unsigned id, unsigned type, const u8 *p, size_t n) {
    if (type == CTL_SPAWN) {
        session_spawn(id, p, n);
        return;
    }
    struct session *s = session_find(id);
    if (!s) return; // the session ended while this was under way
    if (type == CTL_STDIN)
        queue_input(s, p, n);
    else if (type == CTL_STDIN_EOF)
        input_eof(s);
    else if (type == CTL_RESIZE && n == 4 && s->tty)
        set_size(s->fd[OUT], get_u16(p), get_u16(p + 2));
    else if (type == CTL_SIGNAL && n == 4)
        session_signal(s, (int)get_u32(p));
    else if (type == CTL_CREDIT && n == 4 && get_u32(p) <= CTL_WINDOW - s->window)
        s->window += get_u32(p);
    else
        init_log(4, "frame of type %u, length %zu for session %u ignored", type, n, id);
}

// ---- output ----

// One chunk. false: nothing more to send now.
static bool pass_output(struct session *s, int which) {
    size_t cap;
    int *fd = &s->fd[which];
    u8 *buf = *fd >= 0 && s->window ? ctl_reserve(&cap) : NULL;
    if (!buf) return false;
    if (cap > s->window) cap = s->window;
    if (s->exited && cap > s->drain_left[which]) cap = s->drain_left[which];
    ssize_t n = cap ? read(*fd, buf, cap) : 0;
    if (n < 0 && errno == EINTR) return true;
    if (n < 0 && errno == EAGAIN && !s->exited) return false;
    if (n <= 0) { // end of file, EIO of a terminal nobody has open, or the process's last byte
        if (*fd == s->fd[IN]) s->fd[IN] = -1;
        close_fd(fd);
        return false;
    }
    ctl_commit(s->id, which == ERR ? CTL_STDERR : CTL_STDOUT, (size_t)n);
    s->window -= (u32)n;
    if (s->exited) s->drain_left[which] -= (size_t)n;
    return true;
}

unsigned session_poll_fill(struct pollfd *fds, unsigned cap) {
    unsigned n = 0;
    size_t room;
    bool port = ctl_reserve(&room) != NULL;
    for (unsigned i = 0; i < SESSION_MAX; i++) {
        struct session *s = sessions[i];
        for (int k = 0; s && k < NFDS && n < cap; k++) {
            short ev = 0;
            if (k == IN && s->in_pos < s->in_len)
                ev = POLLOUT;
            else if (k != IN && port && s->window)
                ev = POLLIN;
            // An fd without wanted events is left out: POLLHUP would wake us for ever.
            if (ev && s->fd[k] >= 0) fds[n++] = (struct pollfd){.fd = s->fd[k], .events = ev};
        }
    }
    return n;
}

void session_poll_done(const struct pollfd *fds, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        if (!fds[i].revents) continue;
        for (unsigned j = 0; j < SESSION_MAX; j++) {
            struct session *s = sessions[j];
            if (!s || fds[i].fd < 0) continue;
            if ((fds[i].events & POLLOUT) && s->fd[IN] == fds[i].fd)
                pass_input(s);
            else if ((fds[i].events & POLLIN) && s->fd[OUT] == fds[i].fd)
                pass_output(s, OUT);
            else if ((fds[i].events & POLLIN) && s->fd[ERR] == fds[i].fd)
                pass_output(s, ERR);
        }
    }
}

// ---- end ----

// The kernel names whom it killed, by the numbers of our PID namespace.
static void explain_kill(struct session *s) {
    char text[64];
    snprintf(text, sizeof text, "Killed process %d (", (int)s->pid);
    if (log_contains(text))
        ctl_send_text(s->id, "killed: the container's memory is used up; files written outside the "
                             "volumes count too. Give the container more memory");
}

void session_reaped(pid_t pid, int wstatus) {
    struct session *s = NULL;
    for (unsigned i = 0; i < SESSION_MAX && !s; i++)
        if (sessions[i] && sessions[i]->pid == pid && !sessions[i]->exited) s = sessions[i];
    if (!s) return;
    struct child_report r;
    s->exited = true;
    s->status = (u32)(WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus));
    if (WIFSIGNALED(wstatus) && WTERMSIG(wstatus) == SIGKILL) explain_kill(s);
    if (read(s->report, &r, sizeof r) == (ssize_t)sizeof r) {
        r.text[sizeof r.text - 1] = 0;
        ctl_send(s->id, CTL_ERROR, r.text, strlen(r.text));
        s->status = r.code;
    }
    for (int k = OUT; k < NFDS; k++) {
        int held = 0;
        s->drain_left[k] = TTY_DRAIN_MAX;
        if (!s->tty && s->fd[k] >= 0 && ioctl(s->fd[k], FIONREAD, &held) == 0)
            s->drain_left[k] = (size_t)held;
    }
    close_fd(&s->slave);
    s->eof = true;
    s->in_pos = s->in_len = 0;
}

void session_finish(void) {
    for (unsigned i = 0; i < SESSION_MAX; i++) {
        struct session *s = sessions[i];
        if (!s || !s->exited || s->main_over) continue;
        while (pass_output(s, OUT) || pass_output(s, ERR))
            ;
        if (s->fd[OUT] >= 0 || s->fd[ERR] >= 0) continue; // no window, or the port is backed up
        if (s->id == 1) {
            s->main_over = true;
            continue;
        }
        ctl_send_u32(s->id, CTL_EXIT, s->status);
        session_free(s);
    }
}

bool session_main_over(u32 *status) {
    struct session *s = session_find(1);
    if (!s || !s->main_over) return false;
    *status = s->status;
    return true;
}

// As the kernel does when a terminal hangs up: its session's leader and what runs in the
// foreground.
void session_close_ttys(void) {
    for (unsigned i = 0; i < SESSION_MAX; i++) {
        struct session *s = sessions[i];
        if (!s || !s->tty || s->exited) continue;
        kill(s->pid, SIGHUP);
        session_signal(s, SIGHUP);
    }
}

void session_report_killed(void) {
    for (unsigned i = 0; i < SESSION_MAX; i++)
        if (sessions[i] && sessions[i]->id != 1)
            ctl_send_u32(sessions[i]->id, CTL_EXIT,
                         sessions[i]->exited ? sessions[i]->status : 128 + SIGKILL);
}
