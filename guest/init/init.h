// The guest's init: what its files share. One process, one thread, one event loop; the child that
// becomes a container process runs child.c between fork and exec.
#ifndef BERTH_GUEST_INIT_H
#define BERTH_GUEST_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "berth/ctl.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

// ---- util.c ----
void log_open(void); // once, while /dev is ours
// Whether a line of the kernel log contains `text`.
bool log_contains(const char *text);
// To the kernel log, and so to the console when `level` (as in <linux/kern_levels.h>) is low
// enough.
void init_log(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Tells the host and the console, then powers off.
void init_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
// All of a small file, NUL-terminated; NULL when it cannot be read or is larger than `max`.
char *file_read(const char *path, size_t max, size_t *len);
bool file_write(const char *path, const char *text); // creates or truncates; false: errno
bool make_dirs(const char *path, mode_t mode);       // mkdir -p; false: errno
u64 clock_ms(void);                                  // monotonic

// ---- conf.c ----
struct conf_mount {
    const char *tag, *guest;
    bool readonly;
};
struct conf {
    const char *hostname, *root_tag;
    struct conf_mount *mounts;
    unsigned nmounts;
    bool has_time;
    u64 time_s;
    u32 time_ns;
};
void conf_read(struct conf *c); // fatal when the file is missing or wrong

// ---- boot.c ----
void boot_early(void);                    // what init itself needs
void boot_container(const struct conf *); // afterwards / is the container's root
void boot_machine_off(void) __attribute__((noreturn));

// ---- ctl.c ----
void ctl_open(void); // waits for the port
int ctl_fd(void);    // -1: fatal before the port was there
short ctl_events(void);
void ctl_send(unsigned session, enum ctl_type type, const void *p, size_t n);
void ctl_send_u32(unsigned session, enum ctl_type type, u32 v);
void ctl_send_text(unsigned session, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Where to put up to *cap bytes of a data frame; ctl_commit sends it. NULL: the port is backed up.
u8 *ctl_reserve(size_t *cap);
void ctl_commit(unsigned session, enum ctl_type type, size_t n);
// Writes what the port takes. true: nothing is left.
bool ctl_flush(void);
void ctl_flush_wait(unsigned ms);
typedef void (*ctl_handler)(unsigned session, unsigned type, const u8 *p, size_t n);
void ctl_input(ctl_handler handle);

// ---- users.c ----
struct user {
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    size_t ngroups;
    const char *home;
};
// `spec` as docker's --user; false: `why` says what is wrong.
bool user_resolve(const char *spec, struct user *u, char *why, size_t why_len);

// ---- child.c ----
struct spawn {
    char **argv, **env; // NULL-terminated
    const char *cwd, *user;
    bool tty;
    bool first;    // session 1: process 1 of the container
    int fds[3];    // stdin, stdout, stderr; of a terminal: all the same
    int report_fd; // close-on-exec: struct child_report when the program could not start
};
struct child_report {
    u32 code; // 126, 127
    char text[508];
};
void child_run(const struct spawn *s) __attribute__((noreturn));

// ---- preload.c ----
void preload_start(const u8 *p, size_t n); // PRELOAD's payload
bool preload_reaped(pid_t pid, int wstatus); // false: another process

// ---- session.c ----
struct pollfd;
void session_handle(unsigned id, unsigned type, const u8 *p, size_t n);
unsigned session_poll_fill(struct pollfd *fds, unsigned cap);
void session_poll_done(const struct pollfd *fds, unsigned n);
void session_reaped(pid_t pid, int wstatus);
void session_finish(void); // sends the EXIT of those that are drained
bool session_main_over(u32 *status);
void session_close_ttys(void);
void session_report_killed(void); // EXIT for those still there; last thing before power-off

#define SESSION_MAX 64
#define SESSION_FDS (3 * SESSION_MAX)

#endif
