// Small helpers of init: log, files, clock. Depends on libc only.
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int kmsg = -1;

void log_open(void) { kmsg = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC); }

static void log_line(int level, const char *text) {
    char line[700];
    int n = snprintf(line, sizeof line, "<%d>berth-init: %s\n", level, text);
    if (n > (int)sizeof line - 1) n = (int)sizeof line - 1;
    if (write(kmsg >= 0 ? kmsg : STDERR_FILENO, line, (size_t)n) < 0) return; // nobody left to tell
}

bool log_contains(const char *text) {
    // One record a read; EPIPE: the oldest was overwritten meanwhile.
    char record[4096];
    bool found = false;
    lseek(kmsg, 0, SEEK_SET);
    for (ssize_t n;
         !found && ((n = read(kmsg, record, sizeof record - 1)) > 0 || errno == EPIPE);) {
        record[n > 0 ? n : 0] = 0;
        found = strstr(record, text) != NULL;
    }
    return found;
}

void init_log(int level, const char *fmt, ...) {
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_line(level, text);
}

void init_fatal(const char *fmt, ...) {
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_line(2, text);
    if (ctl_fd() >= 0) {
        ctl_send(0, CTL_ERROR, text, strlen(text));
        ctl_flush_wait(1000);
    }
    sync();
    boot_machine_off();
}

char *file_read(const char *path, size_t max, size_t *len) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    size_t n = 0, cap = 4096;
    char *buf = malloc(cap + 1);
    while (buf) {
        ssize_t r = read(fd, buf + n, cap - n);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0 || n > max) {
            free(buf);
            buf = NULL;
            break;
        }
        if (r == 0) break;
        n += (size_t)r;
        if (n == cap) {
            cap *= 2;
            char *more = realloc(buf, cap + 1);
            if (!more) free(buf);
            buf = more;
        }
    }
    close(fd);
    if (buf) buf[n] = 0;
    if (buf && len) *len = n;
    return buf;
}

bool file_write(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return false;
    size_t n = strlen(text);
    bool ok = write(fd, text, n) == (ssize_t)n;
    return close(fd) == 0 && ok;
}

bool make_dirs(const char *path, mode_t mode) {
    char buf[4096];
    size_t n = strlen(path);
    if (n >= sizeof buf) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(buf, path, n + 1);
    for (char *p = buf + 1;; p++) {
        if (*p != '/' && *p != 0) continue;
        char c = *p;
        *p = 0;
        if (mkdir(buf, mode) < 0 && errno != EEXIST) return false;
        *p = c;
        if (c == 0) break;
    }
    struct stat st;
    if (stat(path, &st) < 0) return false;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode);
}

u64 clock_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}
