// A running container: a machine with our kernel and init, an image as its root, sessions on its
// control channel. What the `berth` command and the web host both drive. Never blocks.
#ifndef BERTH_CONTAINER_CONTAINER_H
#define BERTH_CONTAINER_CONTAINER_H

#include "base/err.h"
#include "base/log.h"
#include "base/types.h"
#include "machine/machine.h"
#include "oci/oci.h"

struct container;

struct container_volume {
    struct fs *fs;     // borrowed
    const char *guest; // absolute path in the container
    bool readonly;
};

// What `docker run` would call the options of the process; NULL or 0 takes the image's value.
struct container_process {
    const char *const *argv; // NULL-terminated: replaces Cmd
    const char *entrypoint;  // replaces Entrypoint and clears Cmd; "" clears both
    const char *const *env;  // NULL-terminated NAME=VALUE, added to or replacing the image's
    const char *workdir;
    const char *user; // "name", "uid", "name:group", "uid:gid"
    bool tty;
    unsigned cols, rows;
};

enum container_stream { STREAM_STDOUT = 1, STREAM_STDERR = 2 };

struct container_settings {
    const char *arch;
    u64 memory;                // bytes; 0: 512 MiB
    const u8 *kernel, *initrd; // the guest kernel and the initramfs holding our init
    size_t kernel_len, initrd_len;
    const char *extra_cmdline;      // appended to the kernel's command line; may be NULL
    const struct oci_config *image; // borrowed during container_create only
    struct imgtree *tree;           // borrowed for the container's life
    const struct container_volume *volumes;
    unsigned nvolumes;
    const char *hostname;             // NULL: "berth"
    struct container_process process; // session 1
    struct cpu_settings cpu;
    const struct log *log;
    void *arg; // of the callbacks, all called from container_run
    // Output of a session. Takes all n bytes; the window stops the guest until
    // container_output_done(session, n) is called for bytes the host has passed on.
    void (*output)(void *arg, unsigned session, enum container_stream, const u8 *p, size_t n);
    // The session's process ended (exit code, or 128 + signal). Session 1: the machine powers off
    // next.
    void (*exited)(void *arg, unsigned session, unsigned status);
    // A message for the user (could not start, warnings); session 0: the container as a whole.
    void (*message)(void *arg, unsigned session, const char *text);
    // Kernel console: boot log, panics. Never part of a session's output.
    void (*console)(void *arg, const u8 *p, size_t n);
};

struct container *container_create(const struct container_settings *s, struct err *err);
void container_destroy(struct container *c);

// As machine_run. After MACHINE_POWEROFF/FAILED the container is over; FAILED: container_failure()
// says why (kernel panic text, out of memory) in a sentence for the user.
struct machine_status container_run(struct container *c, u64 budget_ns);
const char *container_failure(const struct container *c);
// True once the guest's init is up and processes can start.
bool container_ready(const struct container *c);

// What follows only notes what is wanted: call container_run afterwards, also when it was idle.
// Another process in the same container: its session number, or <0. It inherits the environment,
// user and directory of session 1.
int container_spawn(struct container *c, const struct container_process *p, struct err *err);
// Bytes accepted (window); offer the rest after the next container_run.
size_t container_stdin(struct container *c, unsigned session, const u8 *p, size_t n);
void container_stdin_eof(struct container *c, unsigned session);
void container_resize(struct container *c, unsigned session, unsigned cols, unsigned rows);
void container_signal(struct container *c, unsigned session, unsigned signo);
void container_output_done(struct container *c, unsigned session, size_t n);
void container_shutdown(struct container *c); // polite: TERM, then power off

struct machine *container_machine(struct container *c);

#endif
