// Terminal modes and signals. A process has one controlling terminal and one set of signal
// handlers, so this file has file-scope state; it is part of the command, not of a library. The
// settings are restored by atexit, and by the handlers of signals that kill.
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/compiler.h"

static struct termios saved;
static volatile sig_atomic_t changed; // the terminal has other settings than `saved`
static bool raw;
static int pipe_fds[2] = {-1, -1};

void term_restore(void) {
    if (!changed) return;
    changed = 0;
    raw = false;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

static void on_fatal(int signo) {
    if (changed) tcsetattr(STDIN_FILENO, TCSANOW, &saved); // async-signal-safe
    signal(signo, SIG_DFL);
    raise(signo);
}

void term_init(void) {
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
    if (tcgetattr(STDIN_FILENO, &saved) < 0) return;
    atexit(term_restore);
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++) signal(fatal[i], on_fatal);
}

void term_quiet(void) {
    struct termios t = saved;
    t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    changed = 1;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &t);
}

void term_raw(void) {
    struct termios t = saved;
    cfmakeraw(&t);
    changed = 1;
    raw = true;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &t); // what was typed meanwhile is kept
}

bool term_is_raw(void) { return raw; }

bool term_size(unsigned *cols, unsigned *rows) {
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &w) < 0)
        return false;
    *cols = w.ws_col;
    *rows = w.ws_row;
    return true;
}

static void on_signal(int signo) {
    int keep = errno;
    u8 b = (u8)signo;
    // A full pipe has more than enough signals waiting.
    if (write(pipe_fds[1], &b, 1) < 0) errno = keep;
    errno = keep;
}

int signals_init(void) {
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) return -1;
    signal(SIGPIPE, SIG_IGN); // a closed stdout is seen as EPIPE
    for (size_t i = 0; i < ARRAY_LEN(caught); i++) {
        struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        struct sigaction old;
        sigemptyset(&sa.sa_mask);
        // What the parent had ignored (nohup) stays ignored.
        if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN) continue;
        sigaction(caught[i], &sa, NULL);
    }
    return pipe_fds[0];
}

int signals_next(void) {
    u8 b;
    return read(pipe_fds[0], &b, 1) == 1 ? b : 0;
}
