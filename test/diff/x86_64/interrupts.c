// The local APIC's timer and interrupts to itself, NMI, and what holds interrupts off (SDM 3A 6.8,
// ch. 10).
#include "core.h"

enum {
    ID = 0x20,
    TPR = 0x80,
    EOI = 0xb0,
    SVR = 0xf0,
    IRR = 0x200,
    ICR = 0x300,
    ICR2 = 0x310,
    LVT_TIMER = 0x320,
    COUNT = 0x380,
    NOW = 0x390,
    DIVIDE = 0x3e0
};
#define APIC(off) (*(volatile u32 *)(0xfee00000u + (off)))
enum { SELF = 0x40000, NMI_MODE = 0x400 };

static void end(void) { APIC(EOI) = 0; }

static void to_itself(void) {
    APIC(SVR) = 0x1ff;
    APIC(ICR) = SELF | 0x41; // IF is off here
    EQ(APIC(IRR + 0x20) & 2, 2);
    in_user(UPC(wait), 0, 0, 100, 0); // no STI for users
    ENDS(GP, 0);
    in_user(UPC(nothing), 0, 0, 0, IF); // at once
    ENDS(0x41, 0);
    EQ(c.rip, UPC(nothing));
    EQ(c.handler_flags & IF, 0);
    EQ(c.flags & RF, 0);
    end();
    in_user(UPC(nothing), 0, 0, 0, IF);
    FINE;
}

static void shadows(void) {
    APIC(ICR) = SELF | 0x42;
    in_kernel(SNIP(sti_window), 0, 0, 0, 0);
    ENDS(0x42, 0);
    EQ(c.rip, SNIP(sti_window_1));
    EQ(c.r[RCX], 1);
    end();
    in_kernel(SNIP(store_wait), SELF | 0x42, 0xfee00000u + ICR, 0, IF);
    ENDS(0x42, 0);
    end();
}

static void priorities(void) {
    APIC(TPR) = 0x50;
    APIC(ICR) = SELF | 0x45;
    in_user(UPC(nothing), 0, 0, 0, IF);
    FINE;
    APIC(ICR) = SELF | 0x61;
    in_user(UPC(nothing), 0, 0, 0, IF);
    ENDS(0x61, 0);
    APIC(TPR) = 0;
    in_user(UPC(nothing), 0, 0, 0, IF); // a higher one is in service
    FINE;
    end();
    in_user(UPC(nothing), 0, 0, 0, IF);
    ENDS(0x45, 0);
    end();
    WRITE_REG(cr8, 5);
    EQ(APIC(TPR), 0x50);
    WRITE_REG(cr8, 0);
    APIC(ICR) = SELF | 0x43;
    APIC(ICR) = SELF | 0x62;
    in_user(UPC(nothing), 0, 0, 0, IF);
    ENDS(0x62, 0);
    end();
    in_user(UPC(nothing), 0, 0, 0, IF);
    ENDS(0x43, 0);
    end();
}

static void timer(void) {
    APIC(DIVIDE) = 0xb; // by 1
    APIC(LVT_TIMER) = 0x51;
    APIC(COUNT) = 20000;
    in_kernel(SNIP(wait), 0, 0, 100000000, 0);
    ENDS(0x51, 0);
    EQ(APIC(NOW), 0);
    end();
    APIC(LVT_TIMER) = 0x10051; // masked
    APIC(COUNT) = 100;
    in_kernel(SNIP(wait), 0, 0, 10000, 0);
    FINE;
    APIC(COUNT) = 0;
    // By a deadline: QEMU's translator has none.
    u32 a = 1, b, cx = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(cx), "=d"(d));
    if (!(cx >> 24 & 1)) return;
    APIC(LVT_TIMER) = 0x40052;
    u64 now = rdmsr(0x10), far = now + ((u64)1 << 40);
    wrmsr(0x6e0, far);
    EQ(rdmsr(0x6e0), far);
    wrmsr(0x6e0, now + 100000);
    in_kernel(SNIP(wait), 0, 0, 100000000, 0);
    ENDS(0x52, 0);
    EQ(rdmsr(0x10) >= now + 100000, 1);
    EQ(rdmsr(0x6e0), 0);
    end();
    wrmsr(0x6e0, 1); // long past
    in_user(UPC(nothing), 0, 0, 0, IF);
    ENDS(0x52, 0);
    end();
}

static void not_maskable(void) {
    in_kernel(SNIP(store_wait), SELF | NMI_MODE, 0xfee00000u + ICR, 0, 0); // IF is off
    ENDS(NMI, 0);
    EQ(c.frame, (u64)ist_stack + 4096 - 40);
    APIC(ICR) = SELF | NMI_MODE; // blocked until the next IRET
    in_user(UPC(nothing), 0, 0, 0, 0);
    ENDS(NMI, 0);
    EQ(c.rip, UPC(nothing));
    in_user(UPC(nothing), 0, 0, 0, 0);
    FINE;
}

void test_interrupts(void) {
    to_itself();
    shadows();
    priorities();
    timer();
    not_maskable();
}
