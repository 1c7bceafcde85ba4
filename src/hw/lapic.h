// The local APIC of one CPU, in xAPIC and x2APIC mode, with its timer; and the CPU's time-stamp
// counter, in whose units the timer's deadlines are. Both count nanoseconds.
#ifndef BERTH_HW_LAPIC_H
#define BERTH_HW_LAPIC_H

#include "mem/bus.h"

#define LAPIC_BASE 0xfee00000u // of the registers, in xAPIC mode
#define LAPIC_SIZE 0x1000u
enum { LAPIC_VERSION = 0x14 };

enum {
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_TSC_ADJUST = 0x3b,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC_FIRST = 0x800,
    MSR_X2APIC_TPR = 0x808,
    MSR_X2APIC_LAST = 0x8ff,
};

// Delivery modes that reach a CPU's APIC; the others are accepted and do nothing.
enum { LAPIC_FIXED = 0, LAPIC_LOWEST = 1, LAPIC_NMI = 4 };

struct lapic_settings {
    void *arg;
    u64 (*now)(void *arg);      // ns
    void (*changed)(void *arg); // there may be something to deliver
    void (*nmi)(void *arg);
    void (*eoi)(void *arg, u8 vector); // the end of a level-triggered interrupt, for I/O APICs
};

struct lapic;
struct lapic *lapic_create(const struct lapic_settings *s); // NULL: out of memory
void lapic_destroy(struct lapic *l);
extern const struct mmio_ops lapic_mmio; // at LAPIC_BASE

// False: no such MSR, not now, or not with that value. MSR_X2APIC_TPR is there in xAPIC mode too:
// it is how the CPU reads and writes CR8.
bool lapic_read_msr(struct lapic *l, u32 msr, u64 *val);
bool lapic_write_msr(struct lapic *l, u32 msr, u64 val);
u64 lapic_tsc(const struct lapic *l);

bool lapic_pending(struct lapic *l);         // also looks at the timer
bool lapic_ready(const struct lapic *l);     // does not
int lapic_ack(struct lapic *l);              // the vector, now in service; -1: none
u64 lapic_next_timer(const struct lapic *l); // in ns of now(); ~0: none
bool lapic_enabled(const struct lapic *l);   // not switched off by IA32_APIC_BASE

// A message from an I/O APIC: is it for this CPU; take it (false: refused).
bool lapic_matches(const struct lapic *l, u32 dest, bool logical);
bool lapic_deliver(struct lapic *l, unsigned mode, u8 vector, bool level);

#endif
