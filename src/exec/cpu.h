// A virtual CPU as the boards see it: created for a guest architecture, run in bounded slices,
// told about interrupts. How it executes (evaluator, interpreter, translated code) is behind this.
#ifndef BERTH_EXEC_CPU_H
#define BERTH_EXEC_CPU_H

#include "base/err.h"
#include "base/log.h"
#include "base/types.h"
#include "exec/switches.h"
#include "mem/bus.h"

struct cpu;
struct guest_arch; // guest/guest.h; `extern const struct guest_arch guest_riscv64;`

enum exec_engine { ENGINE_INTERP, ENGINE_EVAL, ENGINE_JIT };

// What the CPU asks of its board. All callbacks are called from cpu_run.
struct cpu_board {
    void *arg;
    u64 (*time_ns)(void *arg); // guest's monotonic time (rdtime, timers)
    // Firmware console (SBI DBCN and legacy putchar). getchar: -1 when there is no input.
    void (*console_write)(void *arg, const u8 *p, size_t n);
    int (*console_read)(void *arg);
    // SBI SRST and the like: the guest wants to stop. 0 = power off, 1 = reboot; failed: guest's
    // word.
    void (*shutdown)(void *arg, int type, bool failed);

    // x86_64 only; each may be NULL (ports read as ones, no such MSR, no interrupts).
    u32 (*port_read)(void *arg, u16 port, unsigned size); // size 1, 2 or 4
    void (*port_write)(void *arg, u16 port, unsigned size, u32 val);
    // Model-specific registers that are not the CPU's own: the local APIC (also CR8, as MSR 0x808),
    // paravirtual clocks. False: there is none, or not that value (#GP).
    bool (*msr_read)(void *arg, u32 msr, u64 *val);
    bool (*msr_write)(void *arg, u32 msr, u64 val);
    // The local interrupt controller. pending: something is deliverable (timers brought up to
    // date); ack: its vector, now in service, -1 when there is none after all; timer: time_ns of
    // the next timer interrupt, ~0 none. A change outside of these calls is told by cpu_set_irq
    // (any line; line 2 is NMI).
    bool (*irq_pending)(void *arg);
    bool (*irq_ready)(void *arg); // the same without looking at timers; may be NULL
    int (*irq_ack)(void *arg);
    u64 (*irq_timer)(void *arg);
};

enum jit_result { JIT_REFUSED, JIT_DONE, JIT_LATER };

// What a host that can compile WebAssembly at run time provides for ENGINE_JIT.
struct jit_host {
    void *arg;
    // Compiles a module and instantiates it with the imports e.m (the memory) and e.t (the table),
    // which puts its functions into the table. LATER: the host goes on with it and calls
    // cpu_jit_arrived between two calls of cpu_run; only when `later` allows it. REFUSED: the code
    // stays interpreted. The bytes are borrowed for the call; token 0 only tries what the host can
    // do.
    enum jit_result (*install)(void *arg, const u8 *module, size_t len, u32 token, bool later);
    // Adds slots to the table, with the function at index `from` in each; the first new one, 0 on
    // failure.
    u32 (*grow)(void *arg, u32 slots, u32 from);
    void (*set)(void *arg, u32 slot, u32 from); // the function at index `from` into a slot
};

// For tests and for looking in; both slow the CPU down.
struct cpu_trace {
    void *arg;
    // What cpu_settings.dump asked for: `what` is its letter. Text, or a module ('w').
    void (*dump)(void *arg, char what, const void *p, size_t n);
    // Between runs of the engine: interrupts were looked at and taken, all state is in memory.
    void (*commit)(void *arg, struct cpu *c);
};

enum { CPU_ICOUNT_NS = 10 }; // a 100 MIPS machine

struct cpu_settings {
    enum exec_engine engine;
    unsigned max_block_insns; // 0: the default; 1 is the torture build's value
    unsigned tlb_bits; // log2 of translations kept at once; 0: as many as fit; 2 for torture runs
    // Guest time = instructions retired (CPU_ICOUNT_NS each), for reproducible runs: a timer
    // interrupt is taken at the same instruction by every engine.
    bool icount_time;
    const struct jit_host *jit; // ENGINE_JIT: borrowed
    unsigned
        hot_samples; // how often a block is found running before it is translated; 0: the default
    u32 dump;        // enum cpu_dump: what trace->dump gets
    u32 disabled;    // enum cpu_pass: passes of the translator that are switched off
    u32 torture;     // enum cpu_torture
    // Code that was hot in other runs (cpu_profile), copied; NULL: none. One that cannot be read is
    // warned of and has no effect.
    const char *profile;
    size_t profile_len;
    const struct cpu_trace *trace; // borrowed; NULL: none
    const struct log *log;
};

enum cpu_stop {
    CPU_STOP_BUDGET,  // the instruction budget is used up
    CPU_STOP_IDLE,    // waiting for an interrupt (WFI)
    CPU_STOP_REQUEST, // cpu_request_stop was called (shutdown, a device wants the event loop)
    CPU_STOP_HALTED,  // stopped for good (SBI HSM stop, or a fault that cannot be delivered)
};

// `bus` and `log` are borrowed. One CPU a VM for now; hart id 0.
struct cpu *cpu_create(const struct guest_arch *arch, struct bus *bus,
                       const struct cpu_board *board, const struct cpu_settings *settings,
                       struct err *err);
void cpu_destroy(struct cpu *c);

// Architectural reset, then pc and the two boot arguments (riscv64: S mode, a0 = hart id, a1 =
// dtb).
void cpu_boot(struct cpu *c, gva pc, u64 arg0, u64 arg1);

// Runs about `max_insns` guest instructions. Returns early as enum cpu_stop says. When idle, the
// caller sleeps until cpu_next_timer() or an event and calls again.
enum cpu_stop cpu_run(struct cpu *c, u64 max_insns);

// The host has instantiated the module that it was given with `token` (ok), or could not.
void cpu_jit_arrived(struct cpu *c, u32 token, bool ok);

// While the CPU waits for an interrupt (CPU_STOP_IDLE): translates the next part of the code that
// the profile names; a part takes a millisecond or less. All that the guest could see of it is that
// pages of its kernel were accessed.
enum cpu_ahead {
    CPU_AHEAD_DONE,  // nothing is left to do
    CPU_AHEAD_MORE,  // there is more
    CPU_AHEAD_LATER, // there is, but not now
};
enum cpu_ahead cpu_translate_ahead(struct cpu *c);
// Takes the place of the profile that was given before: programs' code in pages of files, which are
// looked for in memory now. `text` is copied. One that cannot be read is warned of.
void cpu_use_profile(struct cpu *c, const char *text, size_t len);
// Appends a profile of the guest's kernel as far as it is translated now, while it is what runs.
// False: it is not, nothing is, or memory is out.
bool cpu_profile(struct cpu *c, struct buf *out);
// The same of its programs, pages by the hash of their content only: whose they are has to be
// found (guest/image/profile.mjs). A block that a translation begins at has after its letters, as
// "*" and a decimal number, how many runs ended in that.
bool cpu_profile_programs(struct cpu *c, struct buf *out);

// Level of an interrupt input (riscv64: line 9 = SEIP). Cheap; may be called from MMIO handlers.
void cpu_set_irq(struct cpu *c, unsigned line, bool level);

// The time (board's time_ns) of the next timer interrupt, ~0 when none is armed.
u64 cpu_next_timer(struct cpu *c);

// True when an enabled interrupt is pending, i.e. cpu_run would not return IDLE at once.
bool cpu_has_work(struct cpu *c);

// Makes cpu_run return soon with CPU_STOP_REQUEST. From callbacks inside cpu_run.
void cpu_request_stop(struct cpu *c);

u64 cpu_icount(const struct cpu *c); // guest instructions retired since creation

void cpu_get_stats(const struct cpu *c, struct cpu_stats *out);

// One line of registers for logs and lock-step comparison; returns the length written.
size_t cpu_describe(struct cpu *c, char *buf, size_t cap);
// A hash of the architected state, memory not included: equal in engines that agree.
u64 cpu_hash(const struct cpu *c);
// The line that a commit log has for a stop: count, pc, hash; without a newline.
size_t cpu_commit_line(const struct cpu *c, char *buf, size_t cap);

#endif
