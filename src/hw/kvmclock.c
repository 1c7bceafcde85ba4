// Role: MSR_KVM_WALL_CLOCK_NEW and MSR_KVM_SYSTEM_TIME_NEW (Linux,
// Documentation/virt/kvm/x86/msr.rst; the structures: asm/pvclock-abi.h). Depends on mem. Both
// structures are written once, when the guest asks; they stay true because the counter's frequency
// never changes. An address outside RAM writes nothing: the guest then reads what it left there.
#include "hw/kvmclock.h"

#include "base/buf.h"

enum { TIME_SIZE = 32, WALL_SIZE = 12, TSC_STABLE = 1 };
#define ENABLED 1ull

// Scales a counter of 1 GHz to nanoseconds: (ticks << 1) * 2^31 / 2^32.
enum { SHIFT = 1 };
#define MULTIPLIER 0x80000000u

static void publish_system_time(struct kvmclock *k) {
    u8 t[TIME_SIZE] = {0};
    put_le32(t, 2); // version: even means consistent
    put_le64(t + 8, k->tsc(k->arg));
    put_le64(t + 16, k->now(k->arg));
    put_le32(t + 24, MULTIPLIER);
    t[28] = SHIFT;
    t[29] = TSC_STABLE;
    bus_write(k->bus, k->system_time & ~ENABLED, t, sizeof t);
}

static void publish_wall_clock(struct kvmclock *k) {
    enum { NS = 1000000000 };
    u64 boot = k->realtime(k->arg) - k->now(k->arg);
    u8 w[WALL_SIZE];
    put_le32(w, 2);
    put_le32(w + 4, (u32)(boot / NS));
    put_le32(w + 8, (u32)(boot % NS));
    bus_write(k->bus, k->wall_clock, w, sizeof w);
}

void kvmclock_tsc_changed(struct kvmclock *k) {
    if (k->system_time & ENABLED) publish_system_time(k);
}

bool kvmclock_read_msr(const struct kvmclock *k, u32 msr, u64 *val) {
    if (msr != MSR_KVM_WALL_CLOCK && msr != MSR_KVM_SYSTEM_TIME) return false;
    *val = msr == MSR_KVM_WALL_CLOCK ? k->wall_clock : k->system_time;
    return true;
}

bool kvmclock_write_msr(struct kvmclock *k, u32 msr, u64 val) {
    switch (msr) {
    case MSR_KVM_WALL_CLOCK:
        k->wall_clock = val;
        publish_wall_clock(k);
        return true;
    case MSR_KVM_SYSTEM_TIME:
        k->system_time = val;
        kvmclock_tsc_changed(k);
        return true;
    default:
        return false;
    }
}
