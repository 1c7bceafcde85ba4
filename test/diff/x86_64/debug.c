// Single steps and debug registers (SDM 3B ch. 17).
#include "core.h"

enum { B0 = 1, BD = 0x2000, BS = 0x4000 };
#define DR6_ONES 0xffff0ff0u

static u64 dr6(void) {
    u64 v = READ_REG(db6);
    WRITE_REG(db6, DR6_ONES);
    return v & (15 | BD | BS);
}

static void single_step(void) {
    WRITE_REG(db6, DR6_ONES);
    in_user(UPC(step), TF | 2, 0, 0, 0);
    ENDS(DB, 0);
    EQ(c.rip, UPC(step_2)); // after the instruction behind POPF
    EQ(c.r[RCX], 1);
    EQ(c.flags & TF, TF);
    EQ(c.handler_flags & TF, 0);
    EQ(dr6(), BS);
    c.flags |= TF;
    run(&c); // goes on
    ENDS(DB, 0);
    EQ(c.r[RCX], 2);
    EQ(c.rip, UPC(step_2) + 2);
    in_user(UPC(nothing), 0, 0, 0, TF); // IRET sets it: one instruction
    EQ(c.vector, BP);
    EQ(c.flags & TF, TF);
    dr6();
    c.r[RDI] = AREA;
    in_user(UPC(step_rep), TF | 2, 0, 3, 0); // a round at a time
    ENDS(DB, 0);
    EQ(c.r[RCX], 2);
    EQ(c.rip, UPC(step_rep_1));
    EQ(dr6(), BS);
    in_user(UPC(syscall), 0, 0, 0, TF); // FMASK clears it
    EQ(c.vector, 256);
    EQ(c.flags & TF, 0);
    EQ(c.r[11] & TF, TF);
    in_user(UPC(int_gate), 0, 0, 0, TF); // so does the gate
    ENDS(0x30, 0);
    EQ(c.flags & TF, TF);
    EQ(c.handler_flags & TF, 0);
    dr6();
    c.r[RDX] = UDATA; // nothing between MOV SS and the next instruction
    in_user(UPC(step_ss), TF | 2, 0, 0, 0);
    ENDS(DB, 0);
    EQ(c.rip, UPC(step_ss_2));
    dr6();
}

static void breakpoints(void) {
    WRITE_REG(db0, UPC(step_1));
    WRITE_REG(db7, 0x402); // global, execution
    in_user(UPC(step), 2, 0, 0, 0);
    ENDS(DB, 0);
    EQ(c.rip, UPC(step_1)); // a fault
    EQ(c.r[RCX], 0);
    NOT_QEMU EQ(c.flags & RF, RF); // not there
    EQ(dr6(), B0);
    run(&c); // RF lets it pass once
    NOT_QEMU FINE;
    NOT_QEMU EQ(c.r[RCX], 2);
    WRITE_REG(db7, 0x400); // off
    in_user(UPC(step), 2, 0, 0, 0);
    FINE;
    // Data: a trap behind the instruction.
    WRITE_REG(db1, AREA + 4);
    WRITE_REG(db7, 0x400 | 8 | 0xdu << 20); // writes of 4 bytes
    in_user(UPC(two_stores), 1, AREA, 0, 0);
    ENDS(DB, 0);
    EQ(c.rip, UPC(two_stores_2));
    EQ(dr6(), 2);
    WRITE_REG(db1, AREA + 0x104);
    in_user(UPC(two_stores), 1, AREA + 0xff, 0, 0); // the second one overlaps it
    ENDS(DB, 0);
    EQ(c.rip, UPC(two_stores_2));
    EQ(dr6(), 2);
    in_user(UPC(load), 0, AREA + 0x104, 0, 0); // reads do not count
    FINE;
    WRITE_REG(db7, 0x400 | 8 | 0xfu << 20); // reads and writes
    in_user(UPC(load), 0, AREA + 0x104, 0, 0);
    ENDS(DB, 0);
    EQ(c.rip, UPC(load) + 3);
    EQ(dr6(), 2);
    in_user(UPC(load), 0, AREA + 0x108, 0, 0);
    FINE;
    WRITE_REG(db7, 0x400);
    WRITE_REG(db6, DR6_ONES);
}

static void registers(void) {
    u64 cr4 = READ_REG(cr4);
    in_user(UPC(icebp), 0, 0, 0, 0);
    NOT_QEMU ENDS(DB, 0); // #UD
    NOT_QEMU EQ(c.rip, UPC(icebp_next));
    NOT_QEMU EQ(c.flags & RF, 0);
    in_user(UPC(from_dr0), 0, 0, 0, 0);
    ENDS(GP, 0);
    WRITE_REG(db7, 0x400 | BD); // GD
    in_kernel(SNIP(from_dr0), 0, 0, 0, 0);
    NOT_QEMU ENDS(DB, 0); // not there
    NOT_QEMU EQ(c.rip, SNIP(from_dr0));
    NOT_QEMU EQ(dr6() & BD, BD);
    NOT_QEMU EQ(READ_REG(db7), 0x400); // the handler may
    WRITE_REG(db7, 0);
    EQ(READ_REG(db7), 0x400);
    WRITE_REG(db6, 0);
    EQ(READ_REG(db6), DR6_ONES);
    in_kernel(SNIP(from_dr4), 0, 0, 0, 0); // DR6
    FINE;
    EQ(c.r[RAX], DR6_ONES);
    WRITE_REG(cr4, cr4 | 8); // DE
    in_kernel(SNIP(from_dr4), 0, 0, 0, 0);
    ENDS(UD, 0);
    WRITE_REG(cr4, cr4);
    in_kernel(SNIP(to_dr6), (u64)1 << 32, 0, 0, 0);
    NOT_QEMU ENDS(GP, 0);
    in_kernel(SNIP(to_dr7), (u64)1 << 32, 0, 0, 0);
    NOT_QEMU ENDS(GP, 0);
    WRITE_REG(db7, 0x400);
    WRITE_REG(db6, DR6_ONES);
}

void test_debug(void) {
    single_step();
    breakpoints();
    registers();
}
