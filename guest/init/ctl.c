// The guest's end of the control channel (berth/ctl.h): finds the virtio console port by its name,
// collects whole frames, queues frames to send. Depends on util.
//
// The port is never waited for while sessions run: what it does not take stays in `out`, and data
// frames are refused (ctl_reserve) while more than OUT_HIGH bytes wait there. Control frames are
// always queued; their number is bounded by what the host sends and by the sessions that exist.
#define _GNU_SOURCE
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OUT_HIGH (128 * 1024)
#define DATA_MAX (16 * 1024)

static struct {
    int fd;
    u8 *out; // bytes sent..len wait for the port
    size_t sent, len, cap;
    size_t in_len;
    u8 in[CTL_HEADER_SIZE + CTL_MAX_PAYLOAD];
} ctl = {.fd = -1};

int ctl_fd(void) { return ctl.fd; }

static void sleep_ms(unsigned ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

// The port's device node, "/dev/vportNpM", in `path`.
static bool find_port(char *path, size_t len) {
    DIR *d = opendir("/sys/class/virtio-ports");
    if (!d) return false;
    bool found = false;
    for (struct dirent *e; !found && (e = readdir(d));) {
        char file[320];
        snprintf(file, sizeof file, "/sys/class/virtio-ports/%s/name", e->d_name);
        char *name = e->d_name[0] == '.' ? NULL : file_read(file, 256, NULL);
        if (!name) continue;
        name[strcspn(name, "\n")] = 0;
        found = strcmp(name, CTL_PORT_NAME) == 0;
        free(name);
        if (found) snprintf(path, len, "/dev/%.60s", e->d_name);
    }
    closedir(d);
    return found;
}

// Ports appear after the device, when the host has named them; the host may connect later still.
void ctl_open(void) {
    char path[80];
    u64 give_up = clock_ms() + 10000;
    while (!find_port(path, sizeof path) ||
           (ctl.fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0) {
        if (clock_ms() > give_up) init_fatal("no virtio console port named %s", CTL_PORT_NAME);
        sleep_ms(1);
    }
    for (;;) {
        struct pollfd p = {.fd = ctl.fd, .events = POLLOUT};
        if (poll(&p, 1, 1000) > 0 && !(p.revents & POLLHUP)) return;
        sleep_ms(10); // POLLHUP: the host has not opened its end
    }
}

short ctl_events(void) { return (short)(POLLIN | (ctl.sent < ctl.len ? POLLOUT : 0)); }

static u8 *out_room(size_t n) {
    if (ctl.sent == ctl.len) ctl.sent = ctl.len = 0;
    if (ctl.len + n > ctl.cap && ctl.sent) {
        memmove(ctl.out, ctl.out + ctl.sent, ctl.len - ctl.sent);
        ctl.len -= ctl.sent;
        ctl.sent = 0;
    }
    if (ctl.len + n > ctl.cap) {
        size_t cap = ctl.len + n + OUT_HIGH;
        u8 *more = realloc(ctl.out, cap);
        if (!more) // without memory for a frame nothing can be reported either
            abort();
        ctl.out = more;
        ctl.cap = cap;
    }
    return ctl.out + ctl.len;
}

static void put_header(u8 *p, unsigned session, enum ctl_type type, size_t n) {
    p[0] = (u8)type;
    p[1] = 0;
    p[2] = (u8)session;
    p[3] = (u8)(session >> 8);
    for (int i = 0; i < 4; i++) p[4 + i] = (u8)(n >> (8 * i));
}

void ctl_send(unsigned session, enum ctl_type type, const void *data, size_t n) {
    if (n > CTL_MAX_PAYLOAD) n = CTL_MAX_PAYLOAD;
    u8 *p = out_room(CTL_HEADER_SIZE + n);
    put_header(p, session, type, n);
    if (n) memcpy(p + CTL_HEADER_SIZE, data, n);
    ctl.len += CTL_HEADER_SIZE + n;
}

void ctl_send_u32(unsigned session, enum ctl_type type, u32 v) {
    u8 b[4] = {(u8)v, (u8)(v >> 8), (u8)(v >> 16), (u8)(v >> 24)};
    ctl_send(session, type, b, sizeof b);
}

void ctl_send_text(unsigned session, const char *fmt, ...) {
    char text[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ctl_send(session, CTL_ERROR, text, strlen(text));
}

u8 *ctl_reserve(size_t *cap) {
    if (ctl.len - ctl.sent > OUT_HIGH) return NULL;
    *cap = DATA_MAX;
    return out_room(CTL_HEADER_SIZE + DATA_MAX) + CTL_HEADER_SIZE;
}

void ctl_commit(unsigned session, enum ctl_type type, size_t n) {
    put_header(ctl.out + ctl.len, session, type, n);
    ctl.len += CTL_HEADER_SIZE + n;
}

bool ctl_flush(void) {
    while (ctl.sent < ctl.len) {
        ssize_t n = write(ctl.fd, ctl.out + ctl.sent, ctl.len - ctl.sent);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        ctl.sent += (size_t)n;
    }
    return true;
}

void ctl_flush_wait(unsigned ms) {
    u64 end = clock_ms() + ms;
    while (!ctl_flush() && clock_ms() < end) {
        struct pollfd p = {.fd = ctl.fd, .events = POLLOUT};
        if (poll(&p, 1, 100) > 0 && (p.revents & POLLHUP)) return; // the host has gone
    }
}

static u32 get_u32(const u8 *p) {
    return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static void split_frames(ctl_handler handle) {
    size_t pos = 0;
    while (ctl.in_len - pos >= CTL_HEADER_SIZE) {
        const u8 *h = ctl.in + pos;
        u32 n = get_u32(h + 4);
        // There is no way to find the next frame after a wrong length.
        if (n > CTL_MAX_PAYLOAD || h[1] != 0)
            init_fatal("broken control channel: frame of type %u with length %u", h[0], n);
        if (ctl.in_len - pos < CTL_HEADER_SIZE + n) break;
        handle((unsigned)h[2] | (unsigned)h[3] << 8, h[0], h + CTL_HEADER_SIZE, n);
        pos += CTL_HEADER_SIZE + n;
    }
    memmove(ctl.in, ctl.in + pos, ctl.in_len - pos);
    ctl.in_len -= pos;
}

void ctl_input(ctl_handler handle) {
    for (;;) {
        ssize_t n = read(ctl.fd, ctl.in + ctl.in_len, sizeof ctl.in - ctl.in_len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return; // nothing more now, or the host's end is closed
        ctl.in_len += (size_t)n;
        split_frames(handle);
    }
}
