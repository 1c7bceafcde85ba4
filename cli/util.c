// Helpers shared by the subcommands: messages, sizes, files. Depends on base/ and POSIX.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

void cli_error(const char *fmt, ...) {
    char msg[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    // A terminal in raw mode needs the carriage return; elsewhere it would be dirt in a log.
    fprintf(stderr, "berth: %s%s\n", msg, isatty(STDERR_FILENO) ? "\r" : "");
}

static void log_stderr(void *arg, enum log_level level, const char *msg) {
    (void)arg;
    cli_error("%s%s", level == LOG_WARN ? "warning: " : "", msg);
}

struct log cli_log(bool verbose) {
    return (struct log){.write = log_stderr, .max = verbose ? LOG_DEBUG : LOG_WARN};
}

int cli_parse_size(const char *text, u64 *bytes) {
    static const struct {
        const char *suffix;
        unsigned shift;
    } units[] = {{"", 0},    {"b", 0},  {"k", 10},   {"kb", 10}, {"kib", 10}, {"m", 20},
                 {"mb", 20}, {"g", 30}, {"mib", 20}, {"gb", 30}, {"gib", 30}};
    if (text[0] < '0' || text[0] > '9') return -(int)ERR_INVALID;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    for (size_t i = 0; errno == 0 && i < ARRAY_LEN(units); i++) {
        if (strcasecmp(end, units[i].suffix) != 0) continue;
        if (n > UINT64_MAX >> units[i].shift) break;
        *bytes = (u64)n << units[i].shift;
        return 0;
    }
    return -(int)ERR_INVALID;
}

int cli_read_file(const char *path, u64 max, struct buf *out, struct err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot open %s: %s", path,
                       strerror(errno));
    int rc = 0;
    for (;;) {
        if (!buf_reserve(out, 65536)) {
            rc = err_set(err, ERR_NOMEM, "out of memory reading %s", path);
            break;
        }
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) rc = err_set(err, ERR_IO, "cannot read %s: %s", path, strerror(errno));
        if (n <= 0) break;
        out->len += (size_t)n;
        if (out->len > max) {
            rc = err_set(err, ERR_LIMIT, "%s is larger than %llu bytes: not a file for this", path,
                         (unsigned long long)max);
            break;
        }
    }
    close(fd);
    return rc;
}

static bool try_path(char *path, size_t cap, const char *fmt, const char *a, const char *b,
                     const char *c) {
    int n = snprintf(path, cap, fmt, a, b, c);
    return n > 0 && (size_t)n < cap && access(path, R_OK) == 0;
}

int cli_guest_file(const char *arch, const char *name, char *path, size_t cap, struct err *err) {
    const char *dir = getenv("BERTH_GUEST_DIR");
    if (dir && *dir) {
        if (try_path(path, cap, "%s/%s/%s", dir, arch, name) ||
            try_path(path, cap, "%s%.0s/%s", dir, arch, name))
            return 0;
        return err_set(err, ERR_NOTFOUND, "no %s for %s in BERTH_GUEST_DIR (%s)", name, arch, dir);
    }
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n < 0)
        return err_set(err, ERR_IO, "cannot find the program's own path: %s", strerror(errno));
    exe[n] = 0;
    char *slash = strrchr(exe, '/');
    if (slash) *slash = 0;
    if (try_path(path, cap, "%s/../share/berth/%s/%s", exe, arch, name) ||
        try_path(path, cap, "%s/guest/%s/%s", exe, arch, name))
        return 0;
    return err_set(err, ERR_NOTFOUND,
                   "the guest's %s is missing: looked for %s. Run \"make guest\", or set "
                   "BERTH_GUEST_DIR to the directory that has it",
                   name, path);
}
