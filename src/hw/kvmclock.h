// KVM's paravirtual clock as a guest sees it: two MSRs that take the addresses of structures in its
// memory.
#ifndef BERTH_HW_KVMCLOCK_H
#define BERTH_HW_KVMCLOCK_H

#include "mem/bus.h"

enum { MSR_KVM_WALL_CLOCK = 0x4b564d00, MSR_KVM_SYSTEM_TIME = 0x4b564d01 };

// Embedded in the board. Counter and guest time both count nanoseconds, so they differ by a
// constant.
struct kvmclock {
    struct bus *bus;
    void *arg;
    u64 (*now)(void *arg);
    u64 (*tsc)(void *arg);
    u64 (*realtime)(void *arg);  // ns since 1970
    u64 wall_clock, system_time; // what was written
};

bool kvmclock_read_msr(const struct kvmclock *k, u32 msr, u64 *val);
bool kvmclock_write_msr(struct kvmclock *k, u32 msr, u64 val);
// The guest wrote the counter: what is published has to follow.
void kvmclock_tsc_changed(struct kvmclock *k);

#endif
