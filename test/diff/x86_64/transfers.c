// Far jumps, calls and returns, IRET (SDM 3A 5.8, 6.12; 2).
#include "core.h"

enum { T1 = 0x60, T2 = 0x68 };

static u64 *stack_words(void) { return (u64 *)(void *)(stack_top - 8192); }

// IRETQ in the kernel with this frame.
static void iret_to(u64 rip, u64 cs, u64 flags, u64 rsp, u64 ss, u64 own_flags) {
    u64 *w = stack_words();
    w[0] = rip, w[1] = cs, w[2] = flags, w[3] = rsp, w[4] = ss;
    in_kernel(SNIP(iretq), 0, 0, 0, own_flags);
}

static void iret(void) {
    iret_to(UPC(nothing), U64, CF | 2, USTACK + 64, UDATA, 0);
    FINE;
    EQ(c.cs, U64);
    EQ(c.rsp, USTACK + 64);
    EQ(c.flags & (CF | IF), CF);
    iret_to(UPC(nothing32), U32, 2, USTACK + 64, UDATA, 0);
    FINE;
    EQ(c.cs, U32);
    iret_to(SNIP(nothing), K64, 2, (u64)stack_top - 4096, 0, 0); // a null stack segment
    FINE;
    EQ(c.ss, 0);
    EQ(c.rsp, (u64)stack_top - 4096);
    iret_to(SNIP(nothing), K64, 2, 0, KDATA, NT); // returns between tasks are gone
    ENDS(GP, 0);
    EQ(c.rip, SNIP(iretq));
    iret_to(SNIP(nothing), 0, 2, 0, KDATA, 0);
    ENDS(GP, 0);
    iret_to(UPC(nothing), KDATA | 3, 2, 0, UDATA, 0);
    ENDS(GP, KDATA);
    iret_to(UPC(nothing), K64 | 3, 2, 0, UDATA, 0); // privilege of the segment
    ENDS(GP, K64);
    iret_to(UPC(nothing), 0x1f8 | 3, 2, 0, UDATA, 0);
    ENDS(GP, 0x1f8);
    iret_to(UPC(nothing), U64, 2, 0, 0, 0); // users have no null stack segment
    ENDS(GP, 0);
    iret_to(UPC(nothing), U64, 2, 0, KDATA, 0);
    ENDS(GP, KDATA);
    set_desc(T1, DESC(0, 0xfffff, 0xa07b)); // 64-bit user code, not present
    iret_to(UPC(nothing), T1 | 3, 2, 0, UDATA, 0);
    ENDS(NP, T1);
    set_desc(T1, DESC(0, 0xfffff, 0xe0fb)); // L and D
    iret_to(UPC(nothing), T1 | 3, 2, 0, UDATA, 0);
    NOT_QEMU ENDS(GP, T1);
    set_desc(T1, DESC(0, 0xfffff, 0xc073)); // data, not present
    iret_to(UPC(nothing), U64, 2, 0, T1 | 3, 0);
    NOT_QEMU ENDS(SS, T1);
    iret_to(NONCANON, U64, 2, 0, UDATA, 0);
    ENDS(GP, 0);
    NOT_QEMU EQ(c.rip, SNIP(iretq)); // there the user has arrived already
    // Users change neither IOPL nor IF.
    u64 *w = (u64 *)(void *)page[0];
    w[0] = UPC(nothing), w[1] = U64, w[2] = 2 | IF | IOPL3 | DIR, w[3] = USTACK + 64, w[4] = UDATA;
    c.cs = U64, c.ss = UDATA, c.rsp = AREA, c.flags = 2, c.rip = UPC(iretq);
    run(&c);
    FINE;
    EQ(c.flags & (IF | IOPL3 | DIR), DIR);
    EQ(c.rsp, USTACK + 64);
    w[1] = K64;
    c.cs = U64, c.ss = UDATA, c.rsp = AREA, c.flags = 2, c.rip = UPC(iretq);
    run(&c);
    ENDS(GP, K64);
    // Segments that the user may not have go when it is entered.
    __asm__ volatile("mov %0, %%ds" ::"r"(KDATA));
    __asm__ volatile("mov %0, %%es" ::"r"(UDATA));
    in_user(UPC(nothing), 0, 0, 0, 0);
    EQ(c.ds, 0);
    EQ(c.es, UDATA);
}

static void far_return(void) {
    u64 *w = stack_words();
    w[0] = SNIP(nothing), w[1] = K64;
    in_kernel(SNIP(lret), 0, 0, 0, 0);
    FINE;
    EQ(c.rsp, (u64)(w + 2));
    w[0] = UPC(nothing), w[1] = U64, w[2] = USTACK + 128, w[3] = UDATA;
    in_kernel(SNIP(lret), 0, 0, 0, 0);
    FINE;
    EQ(c.cs, U64);
    EQ(c.rsp, USTACK + 128);
    w[0] = SNIP(nothing), w[1] = KDATA;
    in_kernel(SNIP(lret), 0, 0, 0, 0);
    ENDS(GP, KDATA);
    EQ(c.rsp, (u64)w);
    // To compatibility mode and back, as a user.
    w = (u64 *)(void *)page[0];
    w[0] = UPC(retf_to_64), w[1] = U32;
    c.cs = U64, c.ss = UDATA, c.rsp = AREA, c.flags = 2, c.rip = UPC(lret);
    c.r[RAX] = U64, c.r[RBX] = UPC(nothing);
    run(&c);
    FINE;
    EQ(c.cs, U64);
    EQ(c.rip, UPC(nothing) + 1);
    EQ(c.rsp, AREA + 16);
    // 32-bit code has no REX prefixes: 0x40 is INC there.
    in_user32(UPC(inc32), 5, 0, 0, 0);
    FINE;
    EQ(c.r[RAX], 6);
    in_user(UPC(inc32), 5, 0, 0, 0);
    EQ(c.r[RAX], 5);
}

static void jump(void) {
    u8 *m = page[0];
    u32 to = (u32)UPC(nothing32);
    u16 sel = U32;
    __builtin_memcpy(m, &to, 4);
    __builtin_memcpy(m + 4, &sel, 2);
    in_user(UPC(ljmp), 0, AREA, 0, 0);
    FINE;
    EQ(c.cs, U32);
    EQ(c.rip, UPC(nothing32) + 1);
    sel = K64;
    __builtin_memcpy(m + 4, &sel, 2);
    in_user(UPC(ljmp), 0, AREA, 0, 0);
    ENDS(GP, K64);
    sel = 0;
    __builtin_memcpy(m + 4, &sel, 2);
    in_user(UPC(ljmp), 0, AREA, 0, 0);
    ENDS(GP, 0);
    sel = UDATA;
    __builtin_memcpy(m + 4, &sel, 2);
    in_user(UPC(ljmp), 0, AREA, 0, 0);
    ENDS(GP, UDATA & ~3);
    set_desc(T2, DESC(0, 0xfffff, 0xa09f)); // conforming kernel code: runs as a user
    sel = T2;
    to = (u32)UPC(nothing);
    __builtin_memcpy(m, &to, 4);
    __builtin_memcpy(m + 4, &sel, 2);
    in_user(UPC(ljmp), 0, AREA, 0, 0);
    FINE;
    EQ(c.cs, T2 | 3);
    sel = U64;
    __builtin_memcpy(m + 4, &sel, 2);
    in_user(UPC(lcall), 0, AREA, 0, 0);
    FINE;
    EQ(c.rsp, USTACK + 4096 - 8); // 32-bit operands
    // The upper halves of registers and instruction pointers are not there in 32-bit code.
    in_user32(UPC(jump32), 0, UPC(nothing32), 0, 0);
    FINE;
    EQ(c.rip, UPC(nothing32) + 1);
}

void test_transfers(void) {
    iret();
    far_return();
    jump();
}
