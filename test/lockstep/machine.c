// Whole machines in lock step: each side has its own devices and its own stream of the same random
// numbers. Guest time is the instruction count plus the idle time skipped, which the comparison
// keeps equal.
#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "lockstep.h"
#include "machine/internal.h"

struct side_state {
    struct machine *m;
    u64 random;
};

// In the place of the host's. What makes a machine or runs one says whose stream it is first.
static struct side_state *current;

void host_random(void *dst, size_t len) {
    u8 *p = dst;
    for (size_t i = 0; i < len; i++) {
        u64 z = current ? current->random++ : i;
        z *= 0x9e3779b97f4a7c15u;
        p[i] = (u8)(z >> 56);
    }
}

// The same for both: it is asked when the guest wants to know when it started.
u64 host_realtime_ns(void) { return 1700000000000000000u; }

static void console(void *arg, const u8 *p, size_t n) {
    struct lockstep_boot *b = arg;
    if (b->console) buf_put(b->console, p, n);
}

static bool make(void *arg, const struct cpu_settings *set, struct lockstep_side *out) {
    struct lockstep_boot *b = arg;
    struct side_state *s = calloc(1, sizeof *s);
    struct err err = {0};
    struct machine_settings ms = {
        .arch = b->arch,
        .memory = b->memory,
        .kernel = b->kernel,
        .kernel_len = b->kernel_len,
        .initrd = b->initrd,
        .initrd_len = b->initrd_len,
        .cmdline = b->cmdline,
        .cpu = *set,
        .arg = b,
        // Only the one under test has a trace.
        .console = set->trace ? console : NULL,
    };
    *out = (struct lockstep_side){.world = s};
    current = s;
    s->m = machine_create(&ms, &err);
    if (!s->m) {
        buf_printf(b->console, "%s\n", err.msg);
        free(s);
        return false;
    }
    out->cpu = s->m->cpu;
    out->bus = s->m->bus;
    out->skipped_ns = &s->m->skipped_ns;
    return true;
}

static void drop(void *arg, struct lockstep_side *side) {
    struct lockstep_boot *b = arg;
    struct side_state *s = side->world;
    // What machine_run would have handed on.
    if (s->m->console_out && b->console) buf_put(b->console, s->m->out.data, s->m->out.len);
    machine_destroy(s->m);
    if (current == s) current = NULL;
    free(s);
}

static void enter(void *arg, struct lockstep_side *side) {
    (void)arg;
    current = side->world;
}

static bool ended(void *arg, const struct lockstep_side *side) {
    const struct side_state *s = side->world;
    (void)arg;
    return s->m->end.state != MACHINE_RUNNING;
}

struct lockstep_world machine_world(struct lockstep_boot *b) {
    return (struct lockstep_world){
        .arg = b, .make = make, .drop = drop, .enter = enter, .ended = ended};
}
