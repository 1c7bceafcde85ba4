// Local APIC, I/O APIC and KVM's clock: accesses, lines and time in any order. What is deliverable
// can be acknowledged, and a timer that is due goes off.
#include <stdlib.h>

#include "base/buf.h"
#include "hw/ioapic.h"
#include "hw/kvmclock.h"
#include "hw/lapic.h"

struct pc {
    struct lapic *l;
    struct ioapic *io;
    u64 now;
    bool changed;
};

static u64 now(void *pc) { return ((struct pc *)pc)->now; }
static void changed(void *pc) { ((struct pc *)pc)->changed = true; }
static void nmi(void *pc) { (void)pc; }
static void eoi(void *pc, u8 vector) { ioapic_eoi(((struct pc *)pc)->io, vector); }
static bool send(void *arg, const struct ioapic_message *m) {
    struct pc *pc = arg;
    return lapic_matches(pc->l, m->dest, m->logical) &&
           lapic_deliver(pc->l, m->mode, m->vector, m->level);
}
static u64 tsc(void *pc) { return lapic_tsc(((struct pc *)pc)->l); }

static u32 msr_of(u8 v) {
    static const u32 others[] = {MSR_TSC, MSR_APIC_BASE, MSR_TSC_ADJUST, MSR_TSC_DEADLINE};
    return v < 0x40 ? MSR_X2APIC_FIRST + v : v < 0xf0 ? MSR_APIC_BASE : others[v & 3];
}

static u64 value(struct rd *r, u8 op) {
    return op & 0x80 ? rd_le64(r) : op & 0x40 ? LAPIC_BASE | rd_le16(r) : rd_le32(r);
}

static void check(struct pc *pc) {
    bool pending = lapic_pending(pc->l);
    u64 timer = lapic_next_timer(pc->l);
    if (timer <= pc->now) abort();
    int v = lapic_ack(pc->l);
    if (pending != (v >= 0) || v > 255 || (pending && v < 16)) abort();
    if (lapic_pending(pc->l) && lapic_ack(pc->l) <= v) abort(); // only what is more urgent nests
}

static void step(struct pc *pc, struct kvmclock *k, struct rd *r) {
    u8 op = rd_u8(r);
    u64 v;
    switch (op & 7) {
    case 0:
        lapic_write_msr(pc->l, msr_of(rd_u8(r)), value(r, op));
        break;
    case 1:
        lapic_read_msr(pc->l, msr_of(rd_u8(r)), &v);
        break;
    case 2:
        lapic_mmio.write(pc->l, (u64)rd_u8(r) << 4, 4, rd_le32(r));
        break;
    case 3:
        lapic_mmio.read(pc->l, (u64)rd_u8(r) << 4, op & 8 ? 1 : 4);
        break;
    case 4:
        ioapic_mmio.write(pc->io, rd_u8(r) & 0x70, 4, rd_le32(r));
        ioapic_mmio.read(pc->io, 0x10, 4);
        break;
    case 5:
        ioapic_set_pin(pc->io, rd_u8(r), op & 8);
        break;
    case 6:
        pc->now += op & 8 ? rd_le32(r) : rd_u8(r);
        check(pc);
        break;
    default:
        kvmclock_write_msr(k, MSR_KVM_WALL_CLOCK + (op >> 3 & 1), value(r, op));
        kvmclock_tsc_changed(k);
        break;
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct pc pc = {.now = 1};
    pc.l = lapic_create(&(struct lapic_settings){&pc, now, changed, nmi, eoi});
    pc.io = ioapic_create(&(struct ioapic_settings){&pc, send});
    struct bus *bus = bus_create(0, 1 << 16, NULL);
    struct kvmclock k = {bus, &pc, now, tsc, now, 0, 0};
    struct rd r = rd_of(data, size);
    while (rd_left(&r)) step(&pc, &k, &r);
    check(&pc);
    lapic_destroy(pc.l);
    ioapic_destroy(pc.io);
    bus_destroy(bus);
    return 0;
}
