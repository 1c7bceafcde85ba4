// Control registers and model-specific ones: reserved bits and what depends on each other (SDM 3A
// 2.5, 4.1), system calls.
#include "core.h"

// Not in QEMU's translator: it takes such values, or never comes back.
#define REFUSED(snippet, v)                                                                        \
    do {                                                                                           \
        if (on_qemu) break;                                                                        \
        in_kernel(SNIP(snippet), v, 0, 0, 0);                                                      \
        ENDS(GP, 0);                                                                               \
    } while (0)
#define TAKEN(snippet, v) (in_kernel(SNIP(snippet), v, 0, 0, 0), FINE)

static void control_registers(void) {
    u64 cr0 = READ_REG(cr0), cr3 = READ_REG(cr3), cr4 = READ_REG(cr4);
    REFUSED(to_cr0, cr0 & ~(u64)1);    // paging without protection
    REFUSED(to_cr0, cr0 | 0x20000000); // NW without CD
    REFUSED(to_cr0, cr0 | (u64)1 << 32);
    TAKEN(to_cr0, cr0 | 0x60000000);
    TAKEN(to_cr0, cr0);
    EQ(READ_REG(cr0), cr0);
    REFUSED(to_cr4, cr4 & ~(u64)0x20); // PAE in long mode
    REFUSED(to_cr4, cr4 | (u64)1 << 32);
    REFUSED(to_cr4, cr4 | (u64)1 << 31);
    REFUSED(to_cr3, cr3 | (u64)1 << 45); // ignores it
    TAKEN(to_cr3, cr3 | 8);              // PWT
    TAKEN(to_cr3, cr3 | 1);
    REFUSED(to_cr4, cr4 | 0x20000); // PCIDE while CR3 names one
    WRITE_REG(cr3, cr3);
    TAKEN(to_cr4, cr4 | 0x20000);
    TAKEN(to_cr3, cr3 | 5);
    EQ(READ_REG(cr3), cr3 | 5);
    if (!on_qemu) TAKEN(to_cr3, cr3 | 5 | (u64)1 << 63); // keeps translations, is not kept
    EQ(READ_REG(cr3), cr3 | 5);
    TAKEN(to_cr3, cr3);
    WRITE_REG(cr4, cr4);
    REFUSED(to_cr8, 16);
    TAKEN(to_cr8, 15);
    in_kernel(SNIP(from_cr8), 0, 0, 0, 0);
    EQ(c.r[RAX], 15);
    TAKEN(to_cr8, 0);
    in_user(UPC(from_cr8), 0, 0, 0, 0);
    ENDS(GP, 0);
}

static void msr(u32 number, u64 v, int fine) {
    c.r[RDX] = v >> 32;
    in_kernel(SNIP(wrmsr), (u32)v, 0, number, 0);
    if (fine)
        FINE;
    else
        ENDS(GP, 0);
    if (fine) EQ(rdmsr(number), v);
}

static void model_specific(void) {
    u64 efer = rdmsr(0xc0000080), lstar = rdmsr(0xc0000082);
    EQ(efer & 0xd01, 0xd01);
    NOT_QEMU msr(0xc0000080, efer | 2, 0); // QEMU takes reserved bits
    NOT_QEMU msr(0xc0000080, efer & ~(u64)0x100, 0);
    msr(0xc0000080, efer & ~(u64)1, 1);
    msr(0xc0000080, efer, 1);
    NOT_QEMU msr(0xc0000082, NONCANON, 0);
    msr(0xc0000082, (u64)-4096, 1);
    msr(0xc0000082, lstar, 1);
    NOT_QEMU msr(0xc0000100, NONCANON, 0);
    msr(0xc0000100, 0xffff800000001000, 1);
    msr(0xc0000100, 0, 1);
    msr(0x277, 0x0007040600070406, 1);
    NOT_QEMU msr(0x277, 2, 0);
    in_kernel(SNIP(rdmsr), 0, 0, 0x12345, 0);
    NOT_QEMU ENDS(GP, 0); // all there are
    c.r[RDX] = 0;
    in_kernel(SNIP(wrmsr), 0, 0, 0x12345, 0);
    NOT_QEMU ENDS(GP, 0);
}

static void system_calls(void) {
    wrmsr(0xc0000084, IF | TF | DIR | ZF);
    in_user(UPC(syscall), 0x77, 0, 0, DIR | CF | ZF | IF);
    EQ(c.vector, 256);
    EQ(c.rip, UPC(syscall) + 2); // RCX
    EQ(c.r[RCX], UPC(syscall) + 2);
    EQ(c.r[11] & (DIR | CF | ZF | IF), DIR | CF | ZF | IF);
    NOT_QEMU EQ(c.flags & (DIR | CF | ZF | IF), CF); // loses the status flags
    EQ(c.rsp, USTACK + 4096);
    EQ(c.handler_cs, K64);
    EQ(c.handler_ss, KDATA);
    in_user32(UPC(syscall32), 0x77, 0, 0, 0);
    EQ(c.vector, 256);
    EQ(c.r[RCX], UPC(syscall32) + 2);
    wrmsr(0xc0000080, rdmsr(0xc0000080) & ~(u64)1);
    in_user(UPC(syscall), 0, 0, 0, 0);
    ENDS(UD, 0);
    in_kernel(SNIP(sysret64), 0, 0, UPC(nothing), 0);
    ENDS(UD, 0);
    wrmsr(0xc0000080, rdmsr(0xc0000080) | 1);
    in_user(UPC(sysret64), 0, 0, 0, 0);
    ENDS(GP, 0);
    // And back.
    c.r[11] = CF | 2;
    in_kernel(SNIP(sysret64), 0, 0, UPC(nothing), 0);
    FINE;
    EQ(c.rip, UPC(nothing) + 1);
    EQ(c.cs, U64);
    EQ(c.ss, UDATA);
    EQ(c.flags & (CF | ZF | IF), CF);
    c.r[11] = ZF | 2;
    in_kernel(SNIP(sysret32), 0, 0, UPC(nothing32), 0);
    FINE;
    EQ(c.rip, UPC(nothing32) + 1);
    EQ(c.cs, U32);
    EQ(c.flags & (CF | ZF), ZF);
    wrmsr(0xc0000084, IF | TF | DIR);
    wrmsr(0x174, 0);
    in_user(UPC(sysenter), 0, 0, 0, 0);
    NOT_QEMU ENDS(GP, 0); // #UD, as AMD's; ours is Intel's
}

static void bases(void) {
    u64 word = 0x1122334455667788;
    __builtin_memcpy(page[0], &word, 8);
    wrmsr(0xc0000101, (u64)page[1]);
    wrmsr(0xc0000102, (u64)page[0]);
    in_kernel(SNIP(swapgs), 0, 0, 0, 0);
    EQ(c.r[RAX], word);
    EQ(rdmsr(0xc0000101), (u64)page[1]);
    EQ(rdmsr(0xc0000102), (u64)page[0]);
    wrmsr(0xc0000101, 0);
    wrmsr(0xc0000102, 0);
}

void test_control(void) {
    control_registers();
    model_specific();
    system_calls();
    bases();
}
