// The guest's process 1. Boots the container's root (boot.c), then serves the control channel:
// sessions start, run and end (session.c) until session 1 is over or the host shuts the container
// down; then everything is stopped and the machine switched off. Never exits: every way out, errors
// included, ends in a power-off that the host sees.
//
// Runs from the initramfs and needs nothing of the image. x86_64 and riscv64.
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

// How long processes have between TERM and KILL: when the main process has gone by itself, and when
// the host asked for a shutdown.
#define GRACE_AFTER_EXIT_MS 300
#define GRACE_SHUTDOWN_MS   3000

static int child_fd;
static bool shutdown_asked;

static void handle_frame(unsigned session, unsigned type, const u8 *p, size_t n) {
    if (type == CTL_SHUTDOWN)
        shutdown_asked = true;
    else if (type == CTL_PRELOAD)
        preload_start(p, n);
    else
        session_handle(session, type, p, n);
}

static void setup_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    child_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (child_fd < 0) init_fatal("signalfd: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN);
}

static void reap(void) {
    struct signalfd_siginfo info;
    while (read(child_fd, &info, sizeof info) > 0)
        ;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (!preload_reaped(pid, status)) session_reaped(pid, status);
}

// One turn: waits for something to happen, at most `ms` (-1: as long as it takes).
static void turn(int ms) {
    struct pollfd fds[2 + SESSION_FDS];
    fds[0] = (struct pollfd){.fd = ctl_fd(), .events = ctl_events()};
    fds[1] = (struct pollfd){.fd = child_fd, .events = POLLIN};
    unsigned n = session_poll_fill(fds + 2, SESSION_FDS);
    if (poll(fds, 2 + n, ms) < 0) return;
    if (fds[0].revents & POLLHUP) { // the host's end is closed: nothing comes until it is back
        struct pollfd wait = fds[1];
        poll(&wait, 1, 100);
    }
    if (fds[0].revents & POLLIN) ctl_input(handle_frame);
    session_poll_done(fds + 2, n);
    reap();
    session_finish();
    ctl_flush();
}

// Runs turns until no process but this one is left; false: the time is over.
static bool wait_all_gone(unsigned ms) {
    u64 end = clock_ms() + ms;
    for (;;) {
        // Without children of ours there are none in the container: its process 1 was one.
        siginfo_t info;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
            return true;
        u64 now = clock_ms();
        if (now >= end) return false;
        turn((int)(end - now < 50 ? end - now : 50));
    }
}

static void power_off(unsigned grace_ms) __attribute__((noreturn));
static void power_off(unsigned grace_ms) {
    session_close_ttys();
    kill(-1, SIGTERM);
    kill(-1, SIGCONT);
    if (!wait_all_gone(grace_ms)) {
        kill(-1, SIGKILL);
        wait_all_gone(2000);
    }
    // Before EXIT is sent: a host may stop the machine as soon as it has it.
    sync();
    session_finish();
    session_report_killed();
    u32 status;
    ctl_send_u32(1, CTL_EXIT, session_main_over(&status) ? status : 128 + SIGKILL);
    ctl_flush_wait(2000);
    boot_machine_off();
}

int main(void) {
    boot_early();
    ctl_open();
    struct conf conf;
    conf_read(&conf);
    boot_container(&conf);
    setup_signals();
    ctl_send_u32(0, CTL_READY, CTL_VERSION);
    ctl_flush();
    u32 status;
    while (!shutdown_asked && !session_main_over(&status)) turn(-1);
    power_off(shutdown_asked ? GRACE_SHUTDOWN_MS : GRACE_AFTER_EXIT_MS);
}
