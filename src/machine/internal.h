// What machine.c and the boards share. A board is one architecture's memory map: it creates the
// bus, the interrupt controller, the CPU and the fixed devices, and starts the kernel; machine.c
// does the rest.
#ifndef BERTH_MACHINE_INTERNAL_H
#define BERTH_MACHINE_INTERNAL_H

#include "machine/machine.h"
#include "virtio/mmio.h"

enum { MACHINE_MAX_VIRTIO = 24 };

struct board; // private to the board's file

struct board_ops {
    const char *arch;
    // Sets m->bus, m->cpu and m->board. On failure destroy() is called on what there is.
    int (*create)(struct machine *m, const struct machine_settings *s, struct err *err);
    void (*destroy)(struct machine *m); // bus, CPU and board; the virtio devices are already gone
    // Connects a device to the next free slot and owns it; false: out of memory (it is destroyed).
    bool (*attach)(struct machine *m, struct virtio_device *dev);
    // All devices are attached: loads the kernel and points the CPU at it.
    int (*boot)(struct machine *m, const struct machine_settings *s, struct err *err);
    // The serial line of the board.
    size_t (*serial_input)(struct machine *m, const u8 *p, size_t n);
    int (*serial_take)(struct machine *m);
};

extern const struct board_ops board_riscv64, board_x86_64;

struct machine_p9;

struct machine {
    const struct board_ops *ops;
    struct board *board;
    struct bus *bus;
    struct cpu *cpu;
    struct cpu_board cpu_board; // callbacks for cpu_create, already filled
    struct virtio_mmio *virtio[MACHINE_MAX_VIRTIO];
    unsigned nvirtio;
    struct virtio_device *console; // NULL without a virtio console
    struct machine_p9 *p9;
    unsigned np9;

    const struct log *log;
    void *arg;
    void (*console_out)(void *arg, const u8 *p, size_t n);
    size_t (*ctl_out)(void *arg, const u8 *p, size_t n);
    struct buf out; // console bytes not yet handed to console_out

    bool icount_time;
    u64 origin_ns;             // host_monotonic_ns() at guest time 0
    u64 skipped_ns;            // icount time: what was skipped while idle
    u64 insns_per_ms;          // measured speed, for the size of slices
    u64 idle_ns, idle_insns;   // when the CPU began to wait, and what it had done by then
    unsigned nlater;           // times that nothing could be translated then
    bool no_work_ahead;        // nothing is left to translate ahead, or it was given up
    struct machine_status end; // state RUNNING until the guest ended
};

u64 machine_time(void *m); // the guest's monotonic time; `m` is the struct machine
void machine_console_output(void *m, const u8 *p, size_t n);
void machine_end(struct machine *m, enum machine_state state, int exit_code);

#endif
