// Segments: loading them, what their descriptors forbid, LAR, LSL, VERR, VERW (SDM 3A ch. 5).
#include "core.h"

// Attributes of descriptors.
enum {
    DATA_RO = 0x91,
    DATA_RW = 0x93,
    DATA_DOWN = 0x97,
    CODE_X = 0x99,
    CODE_R = 0x9b,
    CODE_CONF = 0x9f,
    D3 = 0x60,
    D32 = 0x4000,
    G4K = 0x8000,
    LONG = 0x2000,
};
enum { T1 = 0x60, T2 = 0x68, T3 = 0x70, T4 = 0x78 }; // selectors of tests

static void loading(void) {
    set_desc(T1, DESC(0, 0xfffff, DATA_RW | D3 | D32 | G4K));
    set_desc(T2, DESC(0, 0xfffff, (DATA_RW & ~0x80) | D3 | D32 | G4K)); // not present
    set_desc(T3, DESC(0, 0xfffff, CODE_X | D3 | D32 | G4K));
    set_desc(T4, DESC(0, 0xfffff, CODE_CONF | D32 | G4K));
    in_user(UPC(to_ds), T1 | 3, 0, 0, 0);
    FINE;
    EQ(c.ds, T1 | 3);
    in_user(UPC(to_ds), 0, 0, 0, 0);
    FINE;
    EQ(c.ds, 0);
    in_user(UPC(to_es), 3, 0, 0, 0);
    FINE;
    EQ(c.es, 3);
    in_user(UPC(to_ds), KDATA, 0, 0, 0); // for the kernel only
    ENDS(GP, KDATA);
    EQ(c.rip, UPC(to_ds));
    in_user(UPC(to_ds), T2 | 3, 0, 0, 0);
    ENDS(NP, T2);
    in_user(UPC(to_ds), T3 | 3, 0, 0, 0); // cannot be read
    ENDS(GP, T3);
    in_user(UPC(to_ds), T4 | 3, 0, 0, 0); // conforming: for all
    FINE;
    in_user(UPC(to_ds), TASK | 3, 0, 0, 0);
    ENDS(GP, TASK);
    in_user(UPC(to_ds), 0x1f8 | 3, 0, 0, 0); // beyond the table
    ENDS(GP, 0x1f8);
    in_user(UPC(to_ds), 0xc | 3, 0, 0, 0); // there is no local table
    ENDS(GP, 0xc);
    in_kernel(SNIP(to_ds), UDATA, 0, 0, 0);
    FINE;
    in_kernel(SNIP(to_ds), KDATA | 3, 0, 0, 0); // requested privilege counts
    ENDS(GP, KDATA);
    u64 clear = DESC(0, 0xfffff, (DATA_RW & ~1) | D3 | D32 | G4K);
    set_desc(T1, clear);
    in_user(UPC(to_fs), T1 | 3, 0, 0, 0);
    FINE;
    EQ(gdt[T1 >> 3], clear | (u64)1 << 40); // accessed
}

static void stack_segment(void) {
    set_desc(T1, DESC(0, 0xfffff, DATA_RO | D3 | D32 | G4K));
    set_desc(T2, DESC(0, 0xfffff, (DATA_RW & ~0x80) | D3 | D32 | G4K));
    in_user(UPC(to_ss), UDATA, 0, 0, 0);
    FINE;
    in_user(UPC(to_ss), 3, 0, 0, 0); // null: not for users
    ENDS(GP, 0);
    in_kernel(SNIP(to_ss), 0, 0, 0, 0);
    FINE;
    in_kernel(SNIP(to_ss), 3, 0, 0, 0);
    NOT_QEMU ENDS(GP, 0);
    in_user(UPC(to_ss), UDATA & ~3, 0, 0, 0); // requested privilege
    ENDS(GP, UDATA & ~3);
    in_user(UPC(to_ss), KDATA | 3, 0, 0, 0);
    ENDS(GP, KDATA);
    in_user(UPC(to_ss), T1 | 3, 0, 0, 0); // cannot be written
    ENDS(GP, T1);
    in_user(UPC(to_ss), U64, 0, 0, 0);
    ENDS(GP, U64 & ~3);
    in_user(UPC(to_ss), T2 | 3, 0, 0, 0);
    ENDS(SS, T2);
    in_user32(UPC(pop_ss32), 3, 0, 0, 0);
    ENDS(GP, 0);
    EQ(c.rsp, USTACK + 4092); // the pop did not happen
}

// A snippet with another data segment.
static void with_ds(u64 pc, u64 desc, u64 a, u64 b) {
    u16 sel = T1 | 3;
    set_desc(T1, desc);
    __asm__ volatile("mov %0, %%ds" ::"r"(sel));
    in_user32(pc, a, b, 0, 0);
}

static void limits(void) {
    u32 base = AREA;
    page[0][0x10] = 0x5a;
    with_ds(UPC(load32), DESC(base, 0xfff, DATA_RW | D3 | D32), 0, 0x10);
    FINE;
    EQ(c.r[RAX] & 0xff, 0x5a);
    with_ds(UPC(load32), DESC(base, 0xfff, DATA_RW | D3 | D32), 0, 0xffc);
    FINE;
    with_ds(UPC(load32), DESC(base, 0xfff, DATA_RW | D3 | D32), 0, 0xffd);
    NOT_QEMU ENDS(GP, 0); // QEMU's translator has no limits
    with_ds(UPC(load32), DESC(base, 0xfff, DATA_RW | D3 | D32), 0, 0xfffffffe); // wraps around
    NOT_QEMU ENDS(GP, 0);
    with_ds(UPC(store32), DESC(base, 0xfff, DATA_RO | D3 | D32), 0, 0);
    NOT_QEMU ENDS(GP, 0);
    with_ds(UPC(store32), DESC(base, 0xfff, CODE_R | D3 | D32), 0, 0);
    NOT_QEMU ENDS(GP, 0);
    with_ds(UPC(load32), DESC(base, 0xfff, CODE_R | D3 | D32), 0, 0x10);
    FINE;
    // Expanding down: all but the limit.
    with_ds(UPC(load32), DESC(base, 0xff, DATA_DOWN | D3 | D32), 0, 0x100);
    FINE;
    with_ds(UPC(load32), DESC(base, 0xff, DATA_DOWN | D3 | D32), 0, 0xff);
    NOT_QEMU ENDS(GP, 0);
    with_ds(UPC(load32), DESC(base, 0, DATA_RW | D3 | D32 | G4K), 0, 0xffc); // one page
    FINE;
    with_ds(UPC(load32), DESC(base, 0, DATA_RW | D3 | D32 | G4K), 0, 0x1000);
    NOT_QEMU ENDS(GP, 0);
    __asm__ volatile("mov %0, %%ds" ::"r"(0));
    in_user32(UPC(load32), 0, AREA, 0, 0); // null
    NOT_QEMU ENDS(GP, 0);
    in_user(UPC(load), 0, AREA, 0, 0); // in 64-bit mode nobody asks
    FINE;
    __asm__ volatile("mov %0, %%ds" ::"r"(KDATA));
    // Code: read where it may be, written never.
    in_user32(UPC(cs_load32), 0, UPC(load32), 0, 0);
    FINE;
    in_user32(UPC(cs_store32), 0, AREA, 0, 0);
    NOT_QEMU ENDS(GP, 0);
}

static void stack_limits(void) {
    set_desc(T1, DESC(USTACK, 0xfff, DATA_RW | D3 | D32));
    c.cs = U32, c.ss = T1 | 3, c.rsp = 0x1000, c.flags = 2;
    c.rip = UPC(push32);
    run(&c);
    FINE;
    EQ(c.rsp, 0xffc);
    c.rsp = 0x1004;
    c.rip = UPC(push32);
    c.flags = 2;
    run(&c);
    NOT_QEMU ENDS(SS, 0);
    NOT_QEMU EQ(c.rsp, 0x1004);
    c.cs = U32, c.ss = T1 | 3, c.rsp = 0x100, c.flags = 2;
    c.r[RBP] = 0xffd;
    c.rip = UPC(stack_load32);
    run(&c);
    NOT_QEMU ENDS(SS, 0);
    // Where code ends.
    set_desc(T2, DESC(0, UPC(nothing32) >> 12, CODE_R | D3 | D32 | G4K));
    c.cs = T2 | 3, c.ss = UDATA, c.rsp = USTACK + 4096, c.flags = 2;
    c.rip = UPC(nothing32);
    run(&c);
    FINE;
    // Its base.
    set_desc(T2, DESC(UCODE, 0xfffff, CODE_R | D3 | D32));
    c.cs = T2 | 3, c.ss = UDATA, c.rsp = USTACK + 4096, c.flags = 2;
    c.rip = UPC(nothing32) - UCODE;
    run(&c);
    FINE;
    EQ(c.rip, UPC(nothing32) - UCODE + 1);
}

static void data_bases(void) {
    page[0][0x20] = 0x66;
    set_desc(T1, DESC(AREA, 0xfffff, DATA_RW | D3 | D32 | G4K));
    in_user(UPC(fs_load), T1 | 3, 0x20, 0, 0);
    FINE;
    EQ(c.r[RAX] & 0xff, 0x66);
    EQ(rdmsr(0xc0000100), AREA);
    in_user(UPC(fs_load), 0, AREA + 0x20, 0, 0); // null: base 0 with Intel, kept with AMD
    FINE;
    EQ(rdmsr(0xc0000100), 0);
}

static void looks(void) {
    static const struct {
        u16 sel;
        u8 lar, lsl, verr, verw; // from the kernel with requested privilege 0
    } list[] = {{KDATA, 1, 1, 1, 1},     {UDATA & ~3, 1, 1, 1, 1}, {K64, 1, 1, 1, 0},
                {TASK, 1, 1, 0, 0},      {T1, 1, 1, 1, 0},         {T3, 1, 1, 0, 0},
                {0, 0, 0, 0, 0},         {0x1f8, 0, 0, 0, 0},      {TASK + 8, 0, 0, 0, 0},
                {KDATA | 3, 0, 0, 0, 0}, {T2, 1, 1, 1, 1},         {T4, 1, 1, 1, 0},
                {T4 | 3, 1, 1, 1, 0}};
    set_desc(T1, DESC(0, 0x12345, DATA_RO | D3 | D32 | G4K));
    set_desc(T2, DESC(0, 0x12345, (DATA_RW & ~0x80) | D3 | D32)); // not present
    set_desc(T3, DESC(0, 0xfffff, CODE_X | D3 | D32 | G4K));
    set_desc(T4, DESC(0, 0xfffff, CODE_CONF | D32 | G4K));
    for (unsigned i = 0; i < sizeof list / sizeof *list; i++) {
        u64 s = list[i].sel;
        in_kernel(SNIP(lar), 0x77, 0, s, 0);
        EQ(s << 16 | (c.r[RDX] & 0xff), s << 16 | list[i].lar);
        in_kernel(SNIP(lsl), 0x77, 0, s, 0);
        EQ(s << 16 | (c.r[RDX] & 0xff), s << 16 | list[i].lsl);
        in_kernel(SNIP(verr), 0x77, 0, s, 0);
        EQ(s << 16 | (c.r[RDX] & 0xff), s << 16 | list[i].verr);
        in_kernel(SNIP(verw), 0x77, 0, s, 0);
        EQ(s << 16 | (c.r[RDX] & 0xff), s << 16 | list[i].verw);
    }
    in_kernel(SNIP(lar), 0x77, 0, T1, 0);
    EQ(c.r[RAX] & 0x00f0ff00, gdt[T1 >> 3] >> 32 & 0x00f0ff00);
    in_kernel(SNIP(lsl), 0x77, 0, T1, 0);
    EQ(c.r[RAX], 0x12345fff);
    in_kernel(SNIP(lsl), 0x77, 0, T2, 0);
    EQ(c.r[RAX], 0x12345);
    in_user(UPC(lar), 0x77, 0, KDATA, 0); // not for users
    EQ(c.r[RDX] & 0xff, 0);
    EQ(c.r[RAX], 0x77);
    in_user(UPC(lsl), 0x77, 0, UDATA, 0);
    EQ(c.r[RAX], 0xffffffff);
    in_user(UPC(verw), 0, 0, UDATA, 0);
    EQ(c.r[RDX] & 0xff, 1);
}

static void tables(void) {
    u64 ldt[4] = {0, DESC(0, 0xfffff, DATA_RW | D3 | D32 | G4K), 0, 0}, at = (u64)page[1];
    __builtin_memcpy(page[1], ldt, sizeof ldt);
    set_desc(LDT, DESC(at & 0xffffffff, sizeof ldt - 1, 0x82));
    gdt[(LDT >> 3) + 1] = at >> 32;
    in_kernel(SNIP(lldt), LDT, 0, 0, 0);
    FINE;
    in_user(UPC(to_ds), 0xf, 0, 0, 0);
    FINE;
    EQ(c.ds, 0xf);
    in_user(UPC(to_ds), 0x17, 0, 0, 0); // a null descriptor
    ENDS(GP, 0x14);
    in_user(UPC(to_ds), 0x27, 0, 0, 0); // beyond
    ENDS(GP, 0x24);
    in_kernel(SNIP(lldt), 0, 0, 0, 0);
    FINE;
    in_kernel(SNIP(lldt), KDATA, 0, 0, 0);
    ENDS(GP, KDATA);
    in_kernel(SNIP(lldt), LDT | 4, 0, 0, 0); // from the local table
    ENDS(GP, LDT | 4);
    gdt[LDT >> 3] &= ~((u64)0x80 << 40);
    in_kernel(SNIP(lldt), LDT, 0, 0, 0);
    ENDS(NP, LDT);
    in_kernel(SNIP(ltr), TASK, 0, 0, 0); // busy
    ENDS(GP, TASK);
    in_kernel(SNIP(ltr), 0, 0, 0, 0);
    NOT_QEMU ENDS(GP, 0);
    gdt[TASK >> 3] &= ~((u64)2 << 40);
    in_kernel(SNIP(ltr), TASK, 0, 0, 0);
    FINE;
    EQ(gdt[TASK >> 3] >> 40 & 0xff, 0x8b); // busy again
    in_user(UPC(ltr), TASK, 0, 0, 0);
    ENDS(GP, 0);
}

void test_segments(void) {
    loading();
    stack_segment();
    limits();
    stack_limits();
    data_bases();
    looks();
    tables();
}
