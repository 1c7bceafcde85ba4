// The boards: a whole virtual machine as its host sees it. One thread owns a machine; nothing here
// blocks. The host calls machine_run in slices and sleeps as the result says.
#ifndef BERTH_MACHINE_MACHINE_H
#define BERTH_MACHINE_MACHINE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/types.h"
#include "exec/cpu.h"
#include "p9/fs.h"

struct machine;

enum machine_state {
    MACHINE_RUNNING,
    MACHINE_IDLE,     // nothing to do until machine_run's wake time or an event
    MACHINE_POWEROFF, // the guest switched itself off
    MACHINE_REBOOT,   // the guest asked for a reset
    MACHINE_FAILED,   // kernel panic reported, CPU halted, or the test device said so
};

struct machine_9p {
    const char *tag; // mount tag
    struct fs *fs;   // borrowed
};

// Random-access storage behind virtio-blk. read/write whole sectors; return false on an I/O error.
struct machine_blk {
    void *arg;
    u64 size; // bytes, multiple of 512
    bool readonly;
    bool (*read)(void *arg, u64 off, u8 *dst, u32 len);
    bool (*write)(void *arg, u64 off, const u8 *src, u32 len);
    bool (*flush)(void *arg);
};

// Of what architectures there are machines; the first one is taken of an image for several.
#define MACHINE_ARCHS "riscv64,x86_64"

struct machine_settings {
    const char *arch; // one of MACHINE_ARCHS
    u64 memory;       // bytes of RAM; multiple of 2 MiB
    // Kernel image (riscv64: a flat Image, or an ELF file; x86_64: a bzImage, or an ELF file:
    // vmlinux, PVH, multiboot), initramfs (may be empty), command line. Copied into guest RAM at
    // creation; the host may free them then.
    const u8 *kernel, *initrd;
    size_t kernel_len, initrd_len;
    const char *cmdline;
    const struct machine_9p *p9;
    unsigned np9;
    const struct machine_blk *blk;
    unsigned nblk;
    bool virtio_console; // port 0 = hvc0 (guest console), port 1 "berth.ctl" = the control channel
    unsigned cols, rows; // initial size of the console
    struct cpu_settings cpu;
    const struct log *log;
    void *arg; // of the callbacks
    // Bytes the guest wrote to the UART, the SBI console or virtio console port 0.
    void (*console)(void *arg, const u8 *p, size_t n);
    // Bytes the guest wrote to the control port. Returns how many it takes now; call
    // machine_ctl_ready when more fit (back-pressure).
    size_t (*ctl)(void *arg, const u8 *p, size_t n);
};

// NULL with `err` filled. Everything in `s` except borrowed pointers is copied.
struct machine *machine_create(const struct machine_settings *s, struct err *err);
void machine_destroy(struct machine *m);

struct machine_status {
    enum machine_state state;
    u64 wake_ns;   // MACHINE_IDLE: host_monotonic_ns() of the next timer, ~0 for none
    int exit_code; // test-exit device or 0
};

// Runs for about `budget_ns` of host time at most.
struct machine_status machine_run(struct machine *m, u64 budget_ns);

// Input to the console (UART or virtio port 0) and the control port: bytes accepted (the rest
// later).
size_t machine_console_input(struct machine *m, const u8 *p, size_t n);
size_t machine_ctl_input(struct machine *m, const u8 *p, size_t n);
void machine_ctl_ready(struct machine *m);
void machine_console_resize(struct machine *m, unsigned cols, unsigned rows);

// Whether all that is known to be hot was translated ahead, or that was given up.
bool machine_is_ahead(const struct machine *m);
// Code that was hot in other runs (cpu_use_profile) is translated while the guest idles from now on.
void machine_translate_ahead(struct machine *m, const char *profile, size_t len);

struct cpu *machine_cpu(struct machine *m); // for statistics

#endif
