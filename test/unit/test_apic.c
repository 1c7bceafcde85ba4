// Local and I/O APIC, KVM's clock, the ports that end the machine. Expected values are from the
// Intel SDM and the 82093AA data sheet.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "hw/ioapic.h"
#include "hw/kvmclock.h"
#include "hw/lapic.h"
#include "hw/pcports.h"

struct bench {
    struct lapic *l;
    struct ioapic *io;
    u64 now;
    unsigned changed, nmis, eois;
    int last_eoi;
};

static u64 bench_now(void *b) { return ((struct bench *)b)->now; }
static void bench_changed(void *b) { ((struct bench *)b)->changed++; }
static void bench_nmi(void *b) { ((struct bench *)b)->nmis++; }
static void bench_eoi(void *arg, u8 vector) {
    struct bench *b = arg;
    b->eois++;
    b->last_eoi = vector;
    if (b->io) ioapic_eoi(b->io, vector);
}
static bool bench_send(void *arg, const struct ioapic_message *m) {
    struct bench *b = arg;
    return lapic_matches(b->l, m->dest, m->logical) &&
           lapic_deliver(b->l, m->mode, m->vector, m->level);
}

enum { ENABLE = 1 << 11, X2 = 1 << 10, BSP = 1 << 8 };
enum { TPR = 0x808, PPR = 0x80a, EOI = 0x80b, SVR = 0x80f, ISR = 0x810, TMR = 0x818, IRR = 0x820 };
enum { ESR = 0x828, ICR = 0x830, LVT_TIMER = 0x832, LVT_ERROR = 0x837, INITIAL = 0x838 };
enum { CURRENT = 0x839, DIVIDE = 0x83e, SELF_IPI = 0x83f };
enum { MASKED = 1 << 16, PERIODIC = 1 << 17, DEADLINE = 2 << 17 };

static void wr(struct bench *b, u32 msr, u64 v) { assert_true(lapic_write_msr(b->l, msr, v)); }
static u64 rd(struct bench *b, u32 msr) {
    u64 v = 0xdead;
    assert_true(lapic_read_msr(b->l, msr, &v));
    return v;
}
static void gp(struct bench *b, u32 msr, u64 v) { assert_false(lapic_write_msr(b->l, msr, v)); }
static u32 mr(struct bench *b, u64 off) { return (u32)lapic_mmio.read(b->l, off, 4); }
static void mw(struct bench *b, u64 off, u32 v) { lapic_mmio.write(b->l, off, 4, v); }

static void setup(struct bench *b, bool x2apic) {
    *b = (struct bench){.now = 1000000, .last_eoi = -1};
    b->l =
        lapic_create(&(struct lapic_settings){b, bench_now, bench_changed, bench_nmi, bench_eoi});
    b->io = ioapic_create(&(struct ioapic_settings){b, bench_send});
    assert_non_null(b->l);
    assert_non_null(b->io);
    if (!x2apic) return;
    wr(b, MSR_APIC_BASE, LAPIC_BASE | ENABLE | X2);
    wr(b, SVR, 0x1ff);
}

static void teardown(struct bench *b) {
    lapic_destroy(b->l);
    ioapic_destroy(b->io);
}

static bool vector_in(struct bench *b, u32 set, unsigned v) {
    return rd(b, set + v / 32) >> (v % 32) & 1;
}

// Modes.

static void test_base(void **state) {
    (void)state;
    struct bench b;
    u64 v;
    setup(&b, false);
    assert_int_equal(rd(&b, MSR_APIC_BASE), LAPIC_BASE | ENABLE | BSP);
    assert_false(lapic_read_msr(b.l, 0x802, &v)); // not in xAPIC mode
    assert_false(lapic_write_msr(b.l, SVR, 0x1ff));
    assert_true(lapic_read_msr(b.l, TPR, &v)); // but for CR8
    assert_int_equal(mr(&b, 0x20), 0);
    assert_int_equal(mr(&b, 0x30), 0x00050014);
    gp(&b, MSR_APIC_BASE, LAPIC_BASE | X2);                  // x2APIC without enable
    gp(&b, MSR_APIC_BASE, 0xfed00000 | ENABLE);              // elsewhere
    gp(&b, MSR_APIC_BASE, LAPIC_BASE | ENABLE | 1ull << 52); // reserved
    gp(&b, MSR_APIC_BASE, LAPIC_BASE | ENABLE | 1);
    wr(&b, MSR_APIC_BASE, LAPIC_BASE | ENABLE | BSP | X2);
    assert_int_equal(rd(&b, 0x802), 0);
    assert_int_equal(rd(&b, 0x803), 0x00050014);
    assert_int_equal(rd(&b, 0x80d), 1);
    assert_int_equal(mr(&b, 0x30), 0xffffffff); // no registers in memory any more
    gp(&b, MSR_APIC_BASE, LAPIC_BASE | ENABLE); // back to xAPIC only by way of off
    wr(&b, MSR_APIC_BASE, LAPIC_BASE);
    gp(&b, MSR_APIC_BASE, LAPIC_BASE | ENABLE | X2); // and on only by way of xAPIC
    assert_false(lapic_deliver(b.l, LAPIC_FIXED, 0x40, false));
    wr(&b, MSR_APIC_BASE, LAPIC_BASE | ENABLE);
    assert_int_equal(mr(&b, 0xf0), 0xff);
    teardown(&b);
}

static void test_x2apic_checks(void **state) {
    (void)state;
    struct bench b;
    u64 v;
    setup(&b, true);
    static const u16 absent[] = {0x800, 0x801, 0x804, 0x809, 0x80b, 0x80c, 0x80e,
                                 0x829, 0x831, 0x83a, 0x83f, 0x840, 0x8ff};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) assert_false(lapic_read_msr(b.l, absent[i], &v));
    static const u16 read_only[] = {0x802, 0x803, 0x80a, 0x80d, 0x810, 0x818, 0x820, 0x839, 0x831};
    for (size_t i = 0; i < ARRAY_LEN(read_only); i++) gp(&b, read_only[i], 0);
    gp(&b, TPR, 0x100);
    gp(&b, EOI, 1);
    gp(&b, ESR, 1);
    gp(&b, SVR, 0x1000);
    gp(&b, LVT_TIMER, 1 << 19);
    gp(&b, LVT_TIMER, 1ull << 32);
    gp(&b, DIVIDE, 4);
    gp(&b, INITIAL, 1ull << 32);
    gp(&b, SELF_IPI, 0x100);
    gp(&b, ICR, 1 << 12);
    assert_false(lapic_read_msr(b.l, 0x7ff, &v));
    assert_false(lapic_read_msr(b.l, 0x900, &v));
    teardown(&b);
}

// Priorities.

static void test_priorities(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    assert_false(lapic_pending(b.l));
    assert_int_equal(lapic_ack(b.l), -1);
    assert_true(lapic_deliver(b.l, LAPIC_FIXED, 0x41, false));
    assert_int_equal(b.changed, 1);
    assert_true(vector_in(&b, IRR, 0x41));
    assert_int_equal(lapic_ack(b.l), 0x41);
    assert_true(vector_in(&b, ISR, 0x41));
    assert_false(vector_in(&b, IRR, 0x41));
    assert_int_equal(rd(&b, PPR), 0x40);
    // Of the same class: waits. Of a higher one: nests.
    lapic_deliver(b.l, LAPIC_FIXED, 0x4f, false);
    assert_false(lapic_pending(b.l));
    lapic_deliver(b.l, LAPIC_LOWEST, 0x50, false);
    assert_true(lapic_pending(b.l));
    assert_int_equal(lapic_ack(b.l), 0x50);
    wr(&b, EOI, 0); // ends 0x50
    assert_int_equal(rd(&b, PPR), 0x40);
    assert_false(lapic_pending(b.l));
    b.changed = 0;
    wr(&b, EOI, 0); // ends 0x41: now 0x4f can come
    assert_int_equal(b.changed, 1);
    assert_int_equal(lapic_ack(b.l), 0x4f);
    wr(&b, EOI, 0);
    wr(&b, EOI, 0);              // one too many
    assert_int_equal(b.eois, 0); // all were edges
    // The task priority holds back its class and those below.
    wr(&b, TPR, 0x61);
    assert_int_equal(rd(&b, PPR), 0x61);
    lapic_deliver(b.l, LAPIC_FIXED, 0x6f, false);
    assert_false(lapic_pending(b.l));
    wr(&b, TPR, 0x50);
    assert_true(lapic_pending(b.l));
    assert_int_equal(lapic_ack(b.l), 0x6f);
    assert_int_equal(rd(&b, PPR), 0x60);
    teardown(&b);
}

static void test_software_disable_and_errors(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    wr(&b, LVT_TIMER, 0x30);
    wr(&b, LVT_ERROR, 0xfe);
    assert_false(lapic_deliver(b.l, LAPIC_FIXED, 15, false)); // illegal vector
    assert_int_equal(lapic_ack(b.l), 0xfe);
    assert_int_equal(rd(&b, ESR), 0);
    wr(&b, ESR, 0);
    assert_int_equal(rd(&b, ESR), 1 << 6);
    wr(&b, ICR, 1 << 18 | 7); // to itself, illegal
    wr(&b, ESR, 0);
    assert_int_equal(rd(&b, ESR), 1 << 5);
    wr(&b, SVR, 0xff);
    assert_int_equal(rd(&b, LVT_TIMER), MASKED | 0x30);
    wr(&b, LVT_TIMER, 0x31);
    assert_int_equal(rd(&b, LVT_TIMER), MASKED | 0x31);
    assert_false(lapic_deliver(b.l, LAPIC_FIXED, 0x40, false));
    assert_true(lapic_deliver(b.l, LAPIC_NMI, 0, false));
    assert_int_equal(b.nmis, 1);
    teardown(&b);
}

static void test_messages_to_itself(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    wr(&b, SELF_IPI, 0x44);
    assert_int_equal(lapic_ack(b.l), 0x44);
    wr(&b, EOI, 0);
    wr(&b, ICR, 0x45); // physical, to 0
    assert_int_equal(lapic_ack(b.l), 0x45);
    wr(&b, EOI, 0);
    wr(&b, ICR, 1ull << 32 | 0x46); // to 1: nobody
    assert_false(lapic_pending(b.l));
    wr(&b, ICR, 1ull << 32 | 1 << 11 | 0x46); // logical: cluster 0, bit 0
    assert_int_equal(lapic_ack(b.l), 0x46);
    wr(&b, EOI, 0);
    wr(&b, ICR, 2 << 18 | 0x47); // all with itself
    assert_int_equal(lapic_ack(b.l), 0x47);
    wr(&b, EOI, 0);
    wr(&b, ICR, 3 << 18 | 0x48); // all but itself
    wr(&b, ICR, 5 << 8);         // INIT: there is nobody else
    assert_false(lapic_pending(b.l));
    wr(&b, ICR, 4 << 8);
    assert_int_equal(b.nmis, 1);
    teardown(&b);
}

static void test_xapic_registers(void **state) {
    (void)state;
    struct bench b;
    setup(&b, false);
    mw(&b, 0xf0, 0x1ff);
    mw(&b, 0x80, 0x20);
    assert_int_equal(rd(&b, TPR), 0x20);
    mw(&b, 0xd0, 0x03ffffff);
    assert_int_equal(mr(&b, 0xd0), 0x03000000);
    assert_true(lapic_matches(b.l, 2, true));
    assert_false(lapic_matches(b.l, 4, true));
    mw(&b, 0xe0, 0x0fffffff); // cluster model: cluster 0, members 0 and 1
    assert_true(lapic_matches(b.l, 0x02, true));
    assert_false(lapic_matches(b.l, 0x12, true));
    assert_true(lapic_matches(b.l, 0xff, true));
    mw(&b, 0x310, 0x12345678);
    assert_int_equal(mr(&b, 0x310), 0x12000000);
    mw(&b, 0x310, 0);
    mw(&b, 0x300, 0x51);
    assert_int_equal(lapic_ack(b.l), 0x51);
    mw(&b, 0xb0, 0x1234); // any value ends it here
    assert_int_equal(mr(&b, 0x120), 0);
    mw(&b, 0x30, 7); // read-only
    mw(&b, 0x280, 0);
    assert_int_equal(mr(&b, 0x280), 0);
    assert_int_equal(mr(&b, 0x40), 0); // no such register
    mw(&b, 0x280, 0);
    assert_int_equal(mr(&b, 0x280), 1 << 7);
    assert_int_equal(lapic_mmio.read(b.l, 0x82, 4), 0);
    assert_int_equal(lapic_mmio.read(b.l, 0x80, 1), 0);
    teardown(&b);
}

// Timer.

static void test_one_shot(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    assert_int_equal(lapic_next_timer(b.l), ~0ull);
    wr(&b, DIVIDE, 0xb); // by 1
    wr(&b, LVT_TIMER, 0x60);
    wr(&b, INITIAL, 500);
    assert_int_equal(lapic_next_timer(b.l), 1000500);
    b.now += 200;
    assert_int_equal(rd(&b, CURRENT), 300);
    wr(&b, DIVIDE, 1); // by 4, what is left counts on
    assert_int_equal(rd(&b, CURRENT), 300);
    assert_int_equal(lapic_next_timer(b.l), b.now + 1200);
    b.now += 1199;
    assert_false(lapic_pending(b.l));
    assert_int_equal(rd(&b, CURRENT), 1);
    b.now++;
    assert_int_equal(rd(&b, CURRENT), 0);
    assert_true(lapic_pending(b.l));
    assert_int_equal(lapic_ack(b.l), 0x60);
    wr(&b, EOI, 0);
    assert_int_equal(lapic_next_timer(b.l), ~0ull);
    b.now += 1000000;
    assert_false(lapic_pending(b.l));
    wr(&b, INITIAL, 5);
    wr(&b, INITIAL, 0); // stops it
    b.now += 1000;
    assert_false(lapic_pending(b.l));
    wr(&b, LVT_TIMER, MASKED | 0x60);
    wr(&b, INITIAL, 5);
    b.now += 1000;
    assert_false(lapic_pending(b.l));
    teardown(&b);
}

static void test_periodic(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    wr(&b, DIVIDE, 0); // by 2
    wr(&b, LVT_TIMER, PERIODIC | 0x60);
    wr(&b, INITIAL, 50);
    b.now += 100;
    assert_true(lapic_pending(b.l));
    assert_int_equal(lapic_next_timer(b.l), 1000200);
    lapic_ack(b.l);
    wr(&b, EOI, 0);
    b.now = 1000730; // five are missed: they are one
    assert_int_equal(rd(&b, CURRENT), 35);
    assert_true(lapic_pending(b.l));
    assert_int_equal(lapic_next_timer(b.l), 1000800);
    lapic_ack(b.l);
    wr(&b, EOI, 0);
    assert_false(lapic_pending(b.l));
    teardown(&b);
}

static void test_deadline(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    wr(&b, MSR_TSC_DEADLINE, 5); // not in this mode
    assert_int_equal(rd(&b, MSR_TSC_DEADLINE), 0);
    wr(&b, LVT_TIMER, DEADLINE | 0xec);
    wr(&b, INITIAL, 5); // and counts not in that
    assert_int_equal(rd(&b, CURRENT), 0);
    assert_int_equal(rd(&b, INITIAL), 0);
    wr(&b, MSR_TSC_DEADLINE, b.now + 100);
    assert_int_equal(lapic_next_timer(b.l), b.now + 100);
    b.now += 99;
    assert_false(lapic_pending(b.l));
    b.now++;
    b.changed = 0;
    assert_true(lapic_pending(b.l));
    assert_int_equal(rd(&b, MSR_TSC_DEADLINE), 0);
    assert_int_equal(lapic_ack(b.l), 0xec);
    wr(&b, EOI, 0);
    // One in the past is due at once, and is announced.
    b.changed = 0;
    wr(&b, MSR_TSC_DEADLINE, 1);
    assert_int_equal(b.changed, 1);
    assert_int_equal(lapic_ack(b.l), 0xec);
    wr(&b, EOI, 0);
    wr(&b, MSR_TSC_DEADLINE, ~0ull);
    assert_int_equal(lapic_next_timer(b.l), ~0ull - 1);
    wr(&b, MSR_TSC_DEADLINE, 0); // disarms
    assert_int_equal(lapic_next_timer(b.l), ~0ull);
    wr(&b, MSR_TSC_DEADLINE, b.now + 100);
    wr(&b, LVT_TIMER, 0xec); // so does leaving the mode
    b.now += 1000;
    assert_false(lapic_pending(b.l));
    teardown(&b);
}

static void test_tsc(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    assert_int_equal(rd(&b, MSR_TSC), 1000000);
    wr(&b, MSR_TSC, 5);
    assert_int_equal(lapic_tsc(b.l), 5);
    assert_int_equal(rd(&b, MSR_TSC_ADJUST), (u64)-999995);
    b.now += 10;
    assert_int_equal(rd(&b, MSR_TSC), 15);
    // Deadlines are in the counter's units, and move with it.
    wr(&b, LVT_TIMER, DEADLINE | 0xec);
    wr(&b, MSR_TSC_DEADLINE, 115);
    assert_int_equal(lapic_next_timer(b.l), b.now + 100);
    wr(&b, MSR_TSC, 65);
    assert_int_equal(lapic_next_timer(b.l), b.now + 50);
    wr(&b, MSR_TSC_ADJUST, 0);
    assert_true(lapic_pending(b.l));
    teardown(&b);
}

// I/O APIC.

static u32 ior(struct bench *b, u8 reg) {
    ioapic_mmio.write(b->io, 0, 4, reg);
    return (u32)ioapic_mmio.read(b->io, 0x10, 4);
}
static void iow(struct bench *b, u8 reg, u32 v) {
    ioapic_mmio.write(b->io, 0, 4, reg);
    ioapic_mmio.write(b->io, 0x10, 4, v);
}
static u8 low_half(unsigned pin) { return (u8)(0x10 + 2 * pin); }

enum { IO_REMOTE_IRR = 1 << 14, IO_LEVEL = 1 << 15, IO_MASKED = 1 << 16 };

static void test_ioapic_registers(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    assert_int_equal(ior(&b, 1), 0x20 | 47 << 16);
    iow(&b, 0, 0x01000000);
    assert_int_equal(ior(&b, 0), 0x01000000);
    assert_int_equal(ior(&b, low_half(47)), IO_MASKED);
    assert_int_equal(ior(&b, low_half(48)), 0);
    iow(&b, low_half(48), 0);
    iow(&b, low_half(5), 0xffffffff);
    assert_int_equal(ior(&b, low_half(5)), 0x1afff); // status and remote IRR cannot be written
    iow(&b, (u8)(low_half(5) + 1), 0xffffffff);
    assert_int_equal(ior(&b, (u8)(low_half(5) + 1)), 0xff000000);
    teardown(&b);
}

static void test_edge(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    ioapic_set_pin(b.io, 4, true); // masked: lost
    ioapic_set_pin(b.io, 4, false);
    iow(&b, low_half(4), 0x34);
    assert_false(lapic_pending(b.l));
    ioapic_set_pin(b.io, 4, true);
    assert_int_equal(lapic_ack(b.l), 0x34);
    assert_false(vector_in(&b, TMR, 0x34));
    wr(&b, EOI, 0);
    assert_false(lapic_pending(b.l)); // still high: no new edge
    ioapic_set_pin(b.io, 4, true);
    assert_false(lapic_pending(b.l));
    ioapic_set_pin(b.io, 4, false);
    ioapic_set_pin(b.io, 4, true);
    assert_int_equal(lapic_ack(b.l), 0x34);
    ioapic_set_pin(b.io, 63, true); // no such pin
    ioapic_set_pin(b.io, 64, true);
    teardown(&b);
}

static void test_level(void **state) {
    (void)state;
    struct bench b;
    setup(&b, true);
    ioapic_set_pin(b.io, 16, true);
    iow(&b, low_half(16), 0x52 | IO_LEVEL); // high when it is unmasked
    assert_int_equal(ior(&b, low_half(16)), 0x52 | IO_LEVEL | IO_REMOTE_IRR);
    assert_int_equal(lapic_ack(b.l), 0x52);
    assert_true(vector_in(&b, TMR, 0x52));
    assert_false(lapic_pending(b.l));
    wr(&b, EOI, 0); // still high: once more
    assert_int_equal(b.last_eoi, 0x52);
    assert_int_equal(lapic_ack(b.l), 0x52);
    ioapic_set_pin(b.io, 16, false);
    ioapic_set_pin(b.io, 16, true); // while in service: waits
    assert_false(vector_in(&b, IRR, 0x52));
    ioapic_set_pin(b.io, 16, false);
    wr(&b, EOI, 0);
    assert_false(lapic_pending(b.l));
    assert_int_equal(ior(&b, low_half(16)), 0x52 | IO_LEVEL);
    // The I/O APIC's own EOI register, and the old way: edge and back.
    ioapic_set_pin(b.io, 16, true);
    ioapic_set_pin(b.io, 16, false);
    assert_int_equal(ior(&b, low_half(16)) & IO_REMOTE_IRR, IO_REMOTE_IRR);
    ioapic_mmio.write(b.io, 0x40, 4, 0x52);
    assert_int_equal(ior(&b, low_half(16)) & IO_REMOTE_IRR, 0);
    ioapic_set_pin(b.io, 16, true);
    ioapic_set_pin(b.io, 16, false);
    iow(&b, low_half(16), 0x52 | IO_MASKED);
    iow(&b, low_half(16), 0x52 | IO_LEVEL);
    assert_int_equal(ior(&b, low_half(16)), 0x52 | IO_LEVEL);
    // Nobody takes it: not in service.
    iow(&b, (u8)(low_half(16) + 1), 5u << 24);
    ioapic_set_pin(b.io, 16, true);
    assert_int_equal(ior(&b, low_half(16)), 0x52 | IO_LEVEL);
    iow(&b, (u8)(low_half(16) + 1), 0);
    assert_int_equal(ior(&b, low_half(16)), 0x52 | IO_LEVEL | IO_REMOTE_IRR);
    iow(&b, low_half(17), 0x400); // NMI
    ioapic_set_pin(b.io, 17, true);
    assert_int_equal(b.nmis, 1);
    teardown(&b);
}

// Clock and ports.

static u64 fixed_tsc(void *b) { return ((struct bench *)b)->now + 7; }
static u64 fixed_realtime(void *b) {
    (void)b;
    return 1767225600123456789ull;
}

static void test_kvmclock(void **state) {
    (void)state;
    struct bench b = {.now = 456789};
    struct bus *bus = bus_create(0, 0x10000, NULL);
    struct kvmclock k = {bus, &b, bench_now, fixed_tsc, fixed_realtime, 0, 0};
    u64 v = 1;
    assert_false(kvmclock_write_msr(&k, 0x11, 0x1000));
    assert_true(kvmclock_read_msr(&k, MSR_KVM_SYSTEM_TIME, &v));
    assert_int_equal(v, 0);
    assert_true(kvmclock_write_msr(&k, MSR_KVM_SYSTEM_TIME, 0x1000 | 1));
    const u8 *t = bus_ram_ptr(bus, 0x1000, 32);
    assert_int_equal(get_le32(t) & 1, 0);
    assert_int_equal(get_le64(t + 8), 456796);
    assert_int_equal(get_le64(t + 16), 456789);
    // What Linux computes: ((delta << shift) * mul) >> 32, and kHz = 10^6 * 2^32 / mul >> shift.
    assert_int_equal(((1000ull << t[28]) * get_le32(t + 24)) >> 32, 1000);
    assert_int_equal((1000000ull << 32) / get_le32(t + 24) >> t[28], 1000000);
    assert_int_equal(t[29], 1);
    b.now += 11;
    kvmclock_tsc_changed(&k);
    assert_int_equal(get_le64(t + 16), 456800);
    assert_true(kvmclock_write_msr(&k, MSR_KVM_SYSTEM_TIME, 0)); // off
    b.now += 11;
    kvmclock_tsc_changed(&k);
    assert_int_equal(get_le64(t + 16), 456800);
    b.now = 456789;
    assert_true(kvmclock_write_msr(&k, MSR_KVM_WALL_CLOCK, 0x2000));
    const u8 *w = bus_ram_ptr(bus, 0x2000, 12);
    assert_int_equal(get_le32(w + 4), 1767225600);
    assert_int_equal(get_le32(w + 8), 123000000);
    assert_true(kvmclock_write_msr(&k, MSR_KVM_WALL_CLOCK, 0xfff8)); // half outside RAM
    assert_int_equal(get_le64(bus_ram_ptr(bus, 0xfff8, 8)), 0);
    assert_true(kvmclock_write_msr(&k, MSR_KVM_SYSTEM_TIME, ~0ull));
    bus_destroy(bus);
}

struct ends {
    unsigned exits, offs, resets;
    u32 value;
};
static void on_exit_port(void *arg, u32 value) {
    struct ends *e = arg;
    e->exits++, e->value = value;
}
static void on_off(void *e) { ((struct ends *)e)->offs++; }
static void on_reset(void *e) { ((struct ends *)e)->resets++; }

static void test_ports(void **state) {
    (void)state;
    struct ends e = {0};
    struct pcports p = {&e, on_exit_port, on_off, on_reset};
    struct pio pio = {0};
    pcports_add(&p, &pio);
    pio_write(&pio, 0xf4, 1, 0x21);
    assert_int_equal(e.value, 0x21);
    pio_write(&pio, 0xf4, 4, 0x1234);
    assert_int_equal(e.value, 0x1234);
    assert_int_equal(e.exits, 2);
    assert_int_equal(pio_read(&pio, 0x64, 1), 0);
    pio_write(&pio, 0x64, 1, 0xd1);
    pio_write(&pio, 0x92, 1, 2); // A20
    pio_write(&pio, 0xcf9, 1, 2);
    assert_int_equal(e.resets, 0);
    pio_write(&pio, 0x64, 1, 0xfe);
    pio_write(&pio, 0x92, 1, 1);
    pio_write(&pio, 0xcf9, 1, 6);
    assert_int_equal(e.resets, 3);
    pio_write(&pio, 0x604, 2, 0x1c00);
    pio_write(&pio, 0x605, 1, 0x20);
    assert_int_equal(e.offs, 0);
    pio_write(&pio, 0x604, 2, 0x2000);
    assert_int_equal(e.offs, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_x2apic_checks),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_software_disable_and_errors),
        cmocka_unit_test(test_messages_to_itself),
        cmocka_unit_test(test_xapic_registers),
        cmocka_unit_test(test_one_shot),
        cmocka_unit_test(test_periodic),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_tsc),
        cmocka_unit_test(test_ioapic_registers),
        cmocka_unit_test(test_edge),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_kvmclock),
        cmocka_unit_test(test_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
