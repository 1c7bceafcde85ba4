// Reads parts of files because the host asks for it (PRELOAD of berth/ctl.h), so that they are in
// the page cache when a program maps them. A process of its own does it, of the lowest priority, so
// that nobody waits for it. Depends on ctl.
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, AT_ONCE = 16 };

static pid_t reader;

static u32 get_u32(const u8 *p) {
    return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static bool read_part(int fd, u32 first, u32 pages) {
    static u8 buf[AT_ONCE * PAGE];
    while (pages) {
        u32 n = pages < AT_ONCE ? pages : AT_ONCE;
        ssize_t got = pread(fd, buf, (size_t)n * PAGE, (off_t)first * PAGE);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0;
        first += n;
        pages -= n;
    }
    return true;
}

// One file of the payload at *p, past which it goes; its number of parts is read. False: the
// payload is wrong.
static bool read_file(const u8 **p, const u8 *end, u32 *could) {
    if (end - *p < 4) return false;
    u32 parts = get_u32(*p);
    const u8 *at = *p + 4;
    if ((size_t)(end - at) / 8 < parts) return false;
    const char *path = (const char *)at + 8 * (size_t)parts;
    const u8 *zero = memchr(path, 0, (size_t)(end - (const u8 *)path));
    if (!zero) return false;
    *p = zero + 1;
    // A device or a pipe of that name is not what the image has.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    bool ok = fd >= 0;
    for (u32 i = 0; ok && i < parts; i++, at += 8) ok = read_part(fd, get_u32(at), get_u32(at + 4));
    if (fd >= 0) close(fd);
    *could += ok;
    return true;
}

void preload_start(const u8 *p, size_t n) {
    if (reader > 0) return; // the host waits for the answer first
    reader = fork();
    if (reader < 0) {
        reader = 0;
        ctl_send_u32(0, CTL_PRELOADED, 0);
    }
    if (reader != 0) return;
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
    const u8 *end = p + n;
    u32 could = 0;
    while (p < end && read_file(&p, end, &could)) continue;
    _exit(could < 255 ? (int)could : 255);
}

bool preload_reaped(pid_t pid, int wstatus) {
    if (reader <= 0 || pid != reader) return false;
    reader = 0;
    ctl_send_u32(0, CTL_PRELOADED, WIFEXITED(wstatus) ? (u32)WEXITSTATUS(wstatus) : 0);
    return true;
}
