// Exceptions: vectors, error codes, saved addresses, stacks (SDM 3A ch. 6).
#include "core.h"

static void arithmetic(void) {
    c.r[RDX] = 0;
    in_kernel(SNIP(divide), 7, 0, 0, 0);
    ENDS(DE, 0);
    EQ(c.rip, SNIP(divide));
    EQ(c.r[RAX], 7);
    c.r[RDX] = 5; // the quotient does not fit
    in_user(UPC(divide), 0, 0, 5, 0);
    ENDS(DE, 0);
    c.r[RDX] = 0xffffffff;
    in_user(UPC(idivide), 0x80000000, 0, 0xffffffff, 0);
    ENDS(DE, 0);
    c.r[RDX] = 0xffffffff;
    in_user(UPC(idivide), 0x80000000, 0, 1, 0);
    FINE;
}

static void undefined(void) {
    in_user(UPC(ud2), 0, 0, 0, 0);
    ENDS(UD, 0);
    EQ(c.rip, UPC(ud2));
    NOT_QEMU EQ(c.flags & RF, RF); // it would be tried again // not there
    in_user(UPC(lock_mov), 0, 0, 0, 0);
    NOT_QEMU ENDS(UD, 0); // does not look
    in_user(UPC(too_long), 0, 0, 0, 0);
    ENDS(GP, 0);
    EQ(c.rip, UPC(too_long));
    in_user(UPC(swapgs), 0, 0, 0, 0);
    ENDS(GP, 0);
    in_kernel(SNIP(from_cr1), 0, 0, 0, 0);
    ENDS(UD, 0);
    in_user32(UPC(pusha32), 0, 0, 0, 0);
    FINE;
    EQ(c.rsp, USTACK + 4096 - 32);
}

static void frames(void) {
    in_user(UPC(nothing), 0, 0, 0, DIR | CF);
    FINE;
    EQ(c.rip, UPC(nothing) + 1);
    EQ(c.cs, U64);
    EQ(c.ss, UDATA);
    EQ(c.rsp, USTACK + 4096);
    EQ(c.flags & (DIR | CF | IF | RF), DIR | CF);
    EQ(c.frame, (u64)kernel_stack + 4096 - 40);
    EQ(c.handler_ss, 0); // null in the inner ring
    EQ(c.handler_cs, K64);
    // From the kernel: the same stack, aligned.
    c.cs = K64, c.ss = KDATA, c.rsp = (u64)stack_top - 8192 - 5;
    c.rip = SNIP(nothing);
    c.flags = 2;
    run(&c);
    FINE;
    EQ(c.rsp, (u64)stack_top - 8192 - 5);
    EQ(c.frame, (u64)stack_top - 8192 - 16 - 40);
    EQ(c.handler_ss, KDATA);
    // A stack of the table, whatever the ring.
    set_gate(BP, 14, 3, 1);
    in_kernel(SNIP(nothing), 0, 0, 0, 0);
    EQ(c.frame, (u64)ist_stack + 4096 - 40);
    in_user(UPC(nothing), 0, 0, 0, 0);
    EQ(c.frame, (u64)ist_stack + 4096 - 40);
    set_gate(BP, 14, 3, 0);
}

static void software(void) {
    in_user(UPC(int_gate), 0, 0, 0, IF);
    ENDS(0x30, 0);
    EQ(c.rip, UPC(int_gate) + 2);
    EQ(c.flags & (IF | RF), IF);
    EQ(c.handler_flags & IF, 0);
    in_user(UPC(int_trap), 0, 0, 0, IF);
    ENDS(0x32, 0);
    EQ(c.handler_flags & IF, IF);
    in_user(UPC(int_absent), 0, 0, 0, 0);
    NOT_QEMU ENDS(NP, 0x31 * 8 + 2); // doubles the vector
    EQ(c.rip, UPC(int_absent));
    in_user(UPC(int_beyond), 0, 0, 0, 0);
    NOT_QEMU ENDS(GP, 0x90 * 8 + 2);
    set_gate(0x30, 14, 0, 0); // not for users
    in_user(UPC(int_gate), 0, 0, 0, 0);
    NOT_QEMU ENDS(GP, 0x30 * 8 + 2);
    in_kernel(SNIP(int_gate), 0, 0, 0, 0);
    ENDS(0x30, 0);
    set_gate(0x30, 14, 3, 0);
    idt[0x30].lo ^= (u64)1 << 40 | (u64)2 << 40; // type 13: nothing
    in_user(UPC(int_gate), 0, 0, 0, 0);
    NOT_QEMU ENDS(GP, 0x30 * 8 + 2);
    set_gate(0x30, 14, 3, 0);
    // Gates to other segments than kernel code.
    idt[0x30].lo = (idt[0x30].lo & ~(u64)0xffff0000) | (u64)K32 << 16;
    in_user(UPC(int_gate), 0, 0, 0, 0);
    ENDS(GP, K32);
    idt[0x30].lo = (idt[0x30].lo & ~(u64)0xffff0000) | (u64)KDATA << 16;
    in_user(UPC(int_gate), 0, 0, 0, 0);
    ENDS(GP, KDATA);
    idt[0x30].lo &= ~(u64)0xffff0000;
    in_user(UPC(int_gate), 0, 0, 0, 0);
    ENDS(GP, 0);
    set_desc(0x60, DESC(0, 0xfffff, 0xa01b)); // not present
    idt[0x30].lo |= 0x60u << 16;
    in_user(UPC(int_gate), 0, 0, 0, 0);
    ENDS(NP, 0x60);
    set_gate(0x30, 14, 3, 0);
    in_user32(UPC(into32), 0, 0, 0, 0);
    FINE;
    in_user32(UPC(into32), 0, 0, 0, 0x800);
    ENDS(OF, 0);
    EQ(c.rip, UPC(into32) + 1);
    u32 bounds[2] = {2, 5};
    __builtin_memcpy(page[0] + 64, bounds, 8);
    in_user32(UPC(bound32), 5, AREA + 64, 0, 0);
    FINE;
    in_user32(UPC(bound32), 6, AREA + 64, 0, 0);
    ENDS(BR, 0);
    EQ(c.rip, UPC(bound32));
}

static void not_canonical(void) {
    in_kernel(SNIP(load), 0, NONCANON, 0, 0);
    ENDS(GP, 0);
    in_kernel(SNIP(load), 0, 0x7ffffffffffe, 0, 0); // ends there
    EQ(c.vector, PF);
    c.r[RBP] = NONCANON;
    in_kernel(SNIP(stack_load), 0, 0, 0, 0);
    NOT_QEMU ENDS(SS, 0);
    EQ(c.rip, SNIP(stack_load));
    in_user(UPC(jump), 0, NONCANON, 0, 0);
    ENDS(GP, 0);
}

static void privileged(void) {
    static const u8 ring0[][4] = {{0xf4},
                                  {0x0f, 0x06},
                                  {0x0f, 0x09},
                                  {0x0f, 0x01, 0xf8},
                                  {0x0f, 0x20, 0xc0},
                                  {0x0f, 0x22, 0xc0},
                                  {0x0f, 0x21, 0xc0},
                                  {0x0f, 0x32},
                                  {0x0f, 0x30},
                                  {0x0f, 0x01, 0x3b},
                                  {0x0f, 0x00, 0xd8}};
    for (unsigned i = 0; i < sizeof ring0 / sizeof *ring0; i++) {
        __builtin_memcpy(page[2], ring0[i], 4);
        map(AREA + 8192, (u64)page[2] | P | W | U); // to be executed
        in_user(AREA + 8192, 0, AREA, 0, 0);
        ENDS(GP, 0);
        EQ(c.rip, AREA + 8192);
    }
    map(AREA + 8192, (u64)page[2] | P | W | U | NX);
    in_user(UPC(cli), 0, 0, 0, 0);
    ENDS(GP, 0);
    in_user(UPC(cli), 0, 0, 0, IF | IOPL3);
    FINE;
    EQ(c.flags & IF, 0);
    in_user(UPC(in), 0, 0, 0, 0);
    ENDS(GP, 0);
    in_user(UPC(in), 0, 0, 0, IOPL3);
    FINE;
    in_user(UPC(popf), IF | IOPL3, 0, 0, 0); // changes neither
    FINE;
    EQ(c.flags & (IF | IOPL3), 0);
}

static void alignment(void) {
    in_user(UPC(load), 0, AREA + 1, 0, FL_AC);
    NOT_QEMU ENDS(AC, 0); // never checks
    in_user(UPC(load), 0, AREA + 8, 0, FL_AC);
    FINE;
    in_kernel(SNIP(load), 0, (u64)page + 1, 0, FL_AC);
    FINE;
    in_user(UPC(sse_misaligned), 0, AREA, 0, 0);
    ENDS(GP, 0);
    in_user(UPC(cmpxchg16b), 0, AREA, 0, 0);
    ENDS(GP, 0);
    in_user(UPC(cmpxchg16b), 0, AREA + 8, 0, 0);
    FINE;
}

static void floating(void) {
    u64 cr0 = READ_REG(cr0), cr4 = READ_REG(cr4);
    WRITE_REG(cr0, cr0 | 8); // TS
    in_user(UPC(fpu), 0, 0, 0, 0);
    ENDS(NM, 0);
    in_user(UPC(sse), 0, 0, 0, 0);
    ENDS(NM, 0);
    in_user(UPC(fwait), 0, 0, 0, 0);
    ENDS(NM, 0);
    WRITE_REG(cr0, (cr0 | 8) & ~(u64)2); // without MP
    in_user(UPC(fwait), 0, 0, 0, 0);
    FINE;
    WRITE_REG(cr0, (cr0 & ~(u64)2) | 4); // EM
    in_user(UPC(fpu), 0, 0, 0, 0);
    ENDS(NM, 0);
    in_user(UPC(sse), 0, 0, 0, 0);
    ENDS(UD, 0);
    WRITE_REG(cr0, cr0);
    WRITE_REG(cr4, cr4 & ~(u64)0x200); // OSFXSR
    in_user(UPC(sse), 0, 0, 0, 0);
    ENDS(UD, 0);
    WRITE_REG(cr4, cr4);
    in_user(UPC(x87_error), 0x37b, 0, 0, 0); // unmasked: division by zero
    ENDS(MF, 0);
    in_user(UPC(x87_error), 0x37f, 0, 0, 0);
    FINE;
    c.r[RDX] = 1;
    in_user(UPC(sse_error), 0x1f80 & ~0x200u, 0, 0, 0);
    NOT_QEMU ENDS(XM, 0); // masks everything
    NOT_QEMU EQ(c.rip, UPC(sse_error_at));
    WRITE_REG(cr4, cr4 & ~(u64)0x400); // OSXMMEXCPT
    c.r[RDX] = 1;
    in_user(UPC(sse_error), 0x1f80 & ~0x200u, 0, 0, 0);
    NOT_QEMU ENDS(UD, 0);
    WRITE_REG(cr4, cr4);
    c.r[RDX] = 1;
    in_user(UPC(sse_error), 0x1f80, 0, 0, 0);
    FINE;
    in_user(UPC(sse_error), 0x11f80, 0, 0, 0); // a reserved bit of MXCSR
    NOT_QEMU ENDS(GP, 0);
}

// What goes wrong while an exception is delivered.
static void doubles(void) {
    u64 rsp0;
    __builtin_memcpy(&rsp0, tss + 4, 8);
    u64 bad = AREA + 4 * 4096; // no stack there
    __builtin_memcpy(tss + 4, &bad, 8);
    in_user(UPC(load), 0, AREA + 3 * 4096, 0, 0); // page fault in a page fault
    ENDS(DF, 0);
    EQ(c.rip, UPC(load));
    EQ(c.cr2, bad - 8);
    in_user(UPC(hlt), 0, 0, 0,
            0); // page fault in #GP: handled one after the other, but it fails again
    ENDS(DF, 0);
    __builtin_memcpy(tss + 4, &rsp0, 8);
    struct gate gp = idt[GP];
    idt[GP].lo &= ~((u64)0x80 << 40);
    in_user(UPC(hlt), 0, 0, 0, 0); // #NP in #GP
    ENDS(DF, 0);
    struct gate ud = idt[UD];
    idt[UD].lo &= ~((u64)0x80 << 40);
    in_user(UPC(ud2), 0, 0, 0, 0); // #NP in #UD comes instead of it
    EQ(c.vector, NP);
    NOT_QEMU EQ(c.code, UD * 8 + 3); // without EXT
    idt[UD] = ud;
    idt[GP] = gp;
}

void test_exceptions(void) {
    arithmetic();
    undefined();
    frames();
    software();
    not_canonical();
    privileged();
    alignment();
    floating();
    doubles();
}
