// Two CPUs run one program. The one under test (dut) runs as it likes; wherever it stops between
// runs of its engine, the reference is brought to exactly the same instruction and both are
// compared: registers, counts, and now and then all of RAM. Nothing but the two CPUs may share
// state.
#ifndef BERTH_TEST_LOCKSTEP_H
#define BERTH_TEST_LOCKSTEP_H

#include "base/buf.h"
#include "exec/cpu.h"

struct lockstep_side {
    struct cpu *cpu;
    struct bus *bus;
    u64 *skipped_ns; // what guest time is ahead of the instruction count (idle time)
    void *world;     // of whoever made it
};

// What to run. `make` is called for each side, and again to narrow a difference down, and has to
// give the same each time. The settings' trace is the comparison's.
struct lockstep_world {
    void *arg;
    bool (*make)(void *arg, const struct cpu_settings *set, struct lockstep_side *out);
    void (*drop)(void *arg, struct lockstep_side *s);
    // What is done next belongs to this side (whose random numbers it draws). May be NULL.
    void (*enter)(void *arg, struct lockstep_side *s);
    // Ended by itself (switched off). May be NULL.
    bool (*ended)(void *arg, const struct lockstep_side *s);
    // The level of the external interrupt line from the `chunk`th chunk on, or -1: as it was. May
    // be NULL.
    int (*line)(void *arg, u64 chunk);
    void (*set_line)(void *arg, struct lockstep_side *s, int level); // with `line`
};

struct lockstep_plan {
    struct cpu_settings dut;
    bool ref_eval; // the reference is the evaluator, else the interpreter by single instructions
    u64 insns;     // how far
    u32 chunk_lo, chunk_hi; // instructions the dut is given at once
    u64 seed;               // of the chunks' sizes
    u32 ram_every;          // instructions between comparisons of RAM
    u64 fine_from;          // from this count on: one stop at each exit, RAM compared each time
    unsigned seconds;       // it may take; 0: as long as it likes
};

struct lockstep_result {
    bool same;
    u64 insns, stops;
    struct cpu_stats dut;
    u64 good, bad; // counts of the last stop where both agreed, and of the first where not
    struct buf report;
};

// A whole machine that boots `kernel` (an Image or an ELF file) with instruction time.
struct lockstep_boot {
    const char *arch;
    const u8 *kernel, *initrd;
    size_t kernel_len, initrd_len;
    const char *cmdline;
    u64 memory;
    struct buf *console; // what the dut's guest writes, when not NULL
};
struct lockstep_world machine_world(struct lockstep_boot *b);

// False with a report when they differ. The report ends with the way the reference took from the
// last common state on.
bool lockstep_run(const struct lockstep_world *w, const struct lockstep_plan *p,
                  struct lockstep_result *r);

// The host's compiler for ENGINE_JIT, NULL where there is none (support of the program it is linked
// into); settle delivers what it has finished.
const struct jit_host *lockstep_jit(bool late); // late: modules arrive at settle only
void lockstep_settle(struct cpu *c);
void lockstep_gone(void); // all CPUs are destroyed

#endif
