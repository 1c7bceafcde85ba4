// Between fork and exec: makes the process what `docker run` would have made it, then runs the
// program, or reports why not. Depends on users and util. Nothing here returns to the event loop.
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { CODE_CANNOT_RUN = 126, CODE_NOT_FOUND = 127 };

static int report_fd;

static void fail(u32 code, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
static void fail(u32 code, const char *fmt, ...) {
    struct child_report r = {.code = code};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r.text, sizeof r.text, fmt, ap);
    va_end(ap);
    // Smaller than a pipe's atomic write: it arrives whole.
    if (write(report_fd, &r, sizeof r) != (ssize_t)sizeof r) init_log(3, "%s", r.text);
    _exit((int)code);
}

// The PID namespace was unshared by init before the first fork: this process is 1 in it.
static void become_first(bool tty) {
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        fail(CODE_CANNOT_RUN, "cannot mount /proc: %s", strerror(errno));
    char name[64];
    if (tty && ttyname_r(STDIN_FILENO, name, sizeof name) == 0) {
        int fd = open("/dev/console", O_CREAT | O_WRONLY | O_NOCTTY | O_CLOEXEC, 0620);
        if (fd >= 0) close(fd);
        if (mount(name, "/dev/console", NULL, MS_BIND, NULL) < 0)
            init_log(4, "/dev/console: %s", strerror(errno));
    }
}

static void set_stdio(const struct spawn *s) {
    setsid();
    // Descriptors above 2, so that none is overwritten before it was duplicated.
    for (int i = 0; i < 3; i++)
        if (dup2(s->fds[i], i) < 0)
            fail(CODE_CANNOT_RUN, "cannot set up the standard streams: %s", strerror(errno));
    if (s->tty && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
        fail(CODE_CANNOT_RUN, "cannot take the terminal: %s", strerror(errno));
}

static void set_cwd(const char *cwd) {
    if (!make_dirs(cwd, 0755) && errno != EEXIST && errno != EROFS)
        fail(CODE_CANNOT_RUN, "cannot make the working directory %s: %s", cwd, strerror(errno));
    if (chdir(cwd) < 0)
        fail(CODE_CANNOT_RUN, "cannot enter the working directory %s: %s", cwd, strerror(errno));
}

static void set_user(const struct user *u, bool tty) {
    // The standard streams belong to the user: programs reopen them through /dev/stdout and the
    // like.
    for (int fd = 0; u->uid && fd < 3; fd++)
        if (fchown(fd, u->uid, tty ? 5 : u->gid) < 0) // 5: group tty, as devpts has it
            init_log(4, "owner of a standard stream: %s", strerror(errno));
    if (setgroups(u->ngroups, u->groups) < 0 || setgid(u->gid) < 0 || setuid(u->uid) < 0)
        fail(CODE_CANNOT_RUN, "cannot become user %u, group %u: %s", u->uid, u->gid,
             strerror(errno));
}

static const char *env_get(char **env, const char *name) {
    size_t n = strlen(name);
    for (; *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=') return *env + n + 1;
    return NULL;
}

// The environment with HOME, which engines take from passwd unless it is given.
static char **env_with_home(char **env, const char *home) {
    if (env_get(env, "HOME")) return env;
    size_t n = 0;
    while (env[n]) n++;
    char **e = calloc(n + 2, sizeof *e);
    char *var = malloc(strlen(home) + 6);
    if (!e || !var) fail(CODE_CANNOT_RUN, "out of memory");
    memcpy(e, env, n * sizeof *e);
    strcpy(var, "HOME=");
    e[n] = strcat(var, home);
    return e;
}

// execve came back: why, in words for the person who typed the command.
static void exec_failed(const char *path, int err) {
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        fail(CODE_CANNOT_RUN, "cannot run %s: it is a directory", path);
    switch (err) {
    case ENOENT:
        if (exists)
            fail(CODE_NOT_FOUND,
                 "cannot run %s: the interpreter or dynamic loader it names is not in the image",
                 path);
        fail(CODE_NOT_FOUND, "cannot run %s: no such file or directory", path);
    case ENOTDIR:
        fail(CODE_NOT_FOUND, "cannot run %s: not a directory", path);
    case ENOEXEC:
        fail(CODE_CANNOT_RUN,
             "cannot run %s: not a program of this machine's architecture, nor a script with #!",
             path);
    case EACCES:
        fail(CODE_CANNOT_RUN, "cannot run %s: permission denied", path);
    case E2BIG:
        fail(CODE_CANNOT_RUN, "cannot run %s: arguments and environment are too long", path);
    default:
        fail(CODE_CANNOT_RUN, "cannot run %s: %s", path, strerror(err));
    }
}

static void exec_in_path(char **argv, char **env) {
    const char *name = argv[0];
    const char *dirs = env_get(env, "PATH");
    if (strchr(name, '/')) {
        execve(name, argv, env);
        exec_failed(name, errno);
    }
    char denied[4096] = "", path[4096];
    for (const char *p = dirs ? dirs : DEFAULT_PATH;; p++) {
        size_t n = strcspn(p, ":");
        int len = snprintf(path, sizeof path, "%.*s%s%s", (int)n, p, n ? "/" : "./", name);
        if (len > 0 && len < (int)sizeof path) {
            struct stat st;
            execve(path, argv, env);
            int err = errno;
            // Without permission the search goes on; a file that cannot run at all ends it.
            if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
                if (err != EACCES) exec_failed(path, err);
                if (!denied[0]) memcpy(denied, path, (size_t)len + 1);
            }
        }
        p += n;
        if (!*p) break;
    }
    if (denied[0]) exec_failed(denied, EACCES);
    fail(CODE_NOT_FOUND, "cannot run %s: executable file not found in $PATH", name);
}

void child_run(const struct spawn *s) {
    report_fd = s->report_fd;
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int i = 1; i < NSIG; i++) sigaction(i, &dfl, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);

    set_stdio(s);
    if (s->first) become_first(s->tty);
    struct user u;
    char why[400];
    if (!user_resolve(s->user, &u, why, sizeof why)) fail(CODE_CANNOT_RUN, "%s", why);
    set_cwd(s->cwd && s->cwd[0] ? s->cwd : "/");
    set_user(&u, s->tty);
    exec_in_path(s->argv, env_with_home(s->env, u.home));
    _exit(CODE_CANNOT_RUN);
}
