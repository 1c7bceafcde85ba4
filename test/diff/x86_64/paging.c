// 4-level paging: rights and error codes, reserved bits, accessed and dirty, large pages, what the
// CPU's own accesses may (SDM 3A ch. 4).
#include "core.h"

enum { EP = 1, EW = 2, EU = 4, ERSVD = 8, EI = 16 };
#define FAULTS(error, address) (ENDS(PF, error), EQ(c.cr2, address))

static void rights(void) {
    u64 gone = AREA + 3 * 4096, own = (u64)page[0];
    in_user(UPC(load), 0x77, gone + 8, 0, 0);
    FAULTS(EU, gone + 8);
    EQ(c.r[RAX], 0x77);
    EQ(c.rip, UPC(load));
    in_user(UPC(store), 0, gone, 0, 0);
    FAULTS(EU | EW, gone);
    in_user(UPC(add_to), 0, gone, 0, 0); // a read that will write
    NOT_QEMU FAULTS(EU | EW, gone);      // says read
    in_user(UPC(jump), 0, gone, 0, 0);
    FAULTS(EU | EI, gone);
    EQ(c.rip, gone);
    in_user(UPC(load), 0, own, 0, 0); // the kernel's
    FAULTS(EU | EP, own);
    in_user(UPC(store), 0, own, 0, 0);
    FAULTS(EU | EP | EW, own);
    in_user(UPC(jump), 0, SNIP(nothing), 0, 0);
    FAULTS(EU | EP | EI, SNIP(nothing));
    in_user(UPC(store), 0, UPC(nothing), 0, 0); // read-only
    FAULTS(EU | EP | EW, UPC(nothing));
    in_user(UPC(jump), 0, AREA, 0, 0); // not for instructions
    FAULTS(EU | EP | EI, AREA);
    in_kernel(SNIP(load), 0, gone, 0, 0);
    FAULTS(0, gone);
    in_kernel(SNIP(store), 0, gone, 0, 0);
    FAULTS(EW, gone);
    in_kernel(SNIP(jump), 0, gone, 0, 0);
    FAULTS(EI, gone);
}

static void crossing(void) {
    u64 gone = AREA + 3 * 4096;
    in_user(UPC(load), 0, gone - 3, 0, 0);
    FAULTS(EU, gone);
    page[2][4095] = 0x5a;
    in_user(UPC(store), 0, gone - 1, 0, 0);
    FAULTS(EU | EW, gone);
    EQ(page[2][4095], 0x5a);
    map(AREA + 4096, (u64)page[1] | P | U | NX); // read-only
    in_user(UPC(load), 0, AREA + 4092, 0, 0);
    FINE;
    page[0][4095] = 0x5b;
    in_user(UPC(add_to), 1, AREA + 4095, 0, 0);
    FAULTS(EU | EW | EP, AREA + 4096);
    EQ(page[0][4095], 0x5b);
    map(AREA + 4096, (u64)page[1] | P | W | U | NX);
    // An instruction whose second half is not there.
    map(AREA + 8192, (u64)page[2] | P | U);
    page[2][4094] = 0x48, page[2][4095] = 0x89;
    in_user(AREA + 8192 + 4094, 0, 0, 0, 0);
    FAULTS(EU | EI, gone);
    EQ(c.rip, gone - 2);
    map(AREA + 8192, (u64)page[2] | P | W | U | NX);
}

static void write_protection(void) {
    u64 cr0 = READ_REG(cr0);
    map(AREA, (u64)page[0] | P | U | NX);
    in_kernel(SNIP(store), 1, AREA, 0, 0);
    FAULTS(EP | EW, AREA);
    WRITE_REG(cr0, cr0 & ~(u64)0x10000);
    in_kernel(SNIP(store), 1, AREA, 0, 0);
    FINE;
    in_user(UPC(store), 1, AREA, 0, 0); // only the kernel may
    FAULTS(EU | EP | EW, AREA);
    WRITE_REG(cr0, cr0);
    in_kernel(SNIP(store), 1, AREA, 0, 0);
    FAULTS(EP | EW, AREA);
    map(AREA, (u64)page[0] | P | W | U | NX);
}

// The rights of all levels count together.
static void levels(void) {
    u64 pde = pd_user[0];
    u64 flush = READ_REG(cr3);
    pd_user[0] = pde & ~(u64)W;
    WRITE_REG(cr3, flush);
    in_user(UPC(push), 0, 0, 0, 0);
    FAULTS(EU | EP | EW, USTACK + 4088);
    pd_user[0] = pde & ~(u64)U;
    WRITE_REG(cr3, flush);
    in_user(UPC(nothing), 0, 0, 0, 0);
    FAULTS(EU | EP | EI, UPC(nothing));
    pd_user[0] = pde | NX;
    WRITE_REG(cr3, flush);
    in_user(UPC(nothing), 0, 0, 0, 0);
    FAULTS(EU | EP | EI, UPC(nothing));
    pd_user[0] = pde;
    WRITE_REG(cr3, flush);
    in_user(UPC(nothing), 0, 0, 0, 0);
    FINE;
}

static void reserved(void) {
    u64 far = (u64)1 << 45; // beyond the physical addresses that there are
    map(AREA, (u64)page[0] | P | W | U | NX | far);
    in_user(UPC(load), 0, AREA, 0, 0);
    NOT_QEMU FAULTS(EU | EP | ERSVD, AREA); // without P
    in_kernel(SNIP(store), 0, AREA, 0, 0);
    NOT_QEMU FAULTS(EP | ERSVD | EW, AREA);
    map(AREA, (u64)page[0] | W | U | NX | far); // not present: not looked at
    in_user(UPC(load), 0, AREA, 0, 0);
    FAULTS(EU, AREA);
    map(AREA, (u64)page[0] | P | W | U | NX);
    u64 pde = pd_user[1];
    pd_user[1] = pde | 0x4000; // a large page is aligned
    WRITE_REG(cr3, READ_REG(cr3));
    in_user(UPC(load), 0, LARGE, 0, 0);
    NOT_QEMU FAULTS(EU | EP | ERSVD, LARGE);
    pd_user[1] = pde;
    WRITE_REG(cr3, READ_REG(cr3));
    in_user(UPC(load), 0, LARGE + ((u64)page & 0x1fffff), 0, 0);
    FINE;
    pml4[1] = pml4[0] | PS; // must be 0 there
    in_kernel(SNIP(load), 0, (u64)1 << 39, 0, 0);
    NOT_QEMU FAULTS(EP | ERSVD, (u64)1 << 39);
    pml4[1] = 0;
    wrmsr(0xc0000080, rdmsr(0xc0000080) & ~(u64)0x800); // without NXE the bit is reserved
    in_user(UPC(load), 0, AREA, 0, 0);
    NOT_QEMU FAULTS(EU | EP | ERSVD, AREA);
    in_user(UPC(jump), 0, AREA + 3 * 4096, 0, 0); // and a fetch is not told from a read
    FAULTS(EU, AREA + 3 * 4096);
    wrmsr(0xc0000080, rdmsr(0xc0000080) | 0x800);
}

static void smep_smap(void) {
    u64 cr4 = READ_REG(cr4);
    in_kernel(SNIP(load), 0, AREA, 0, 0);
    FINE;
    in_kernel(UPC(nothing), 0, 0, 0, 0);
    FINE;
    WRITE_REG(cr4, cr4 | 0x100000);
    in_kernel(UPC(nothing), 0, 0, 0, 0);
    FAULTS(EP | EI, UPC(nothing));
    WRITE_REG(cr4, cr4 | 0x200000);
    in_kernel(UPC(nothing), 0, 0, 0, 0);
    FINE;
    in_kernel(SNIP(load), 0, AREA, 0, 0);
    FAULTS(EP, AREA);
    in_kernel(SNIP(store), 0, AREA, 0, 0);
    FAULTS(EP | EW, AREA);
    in_kernel(SNIP(load), 0, AREA, 0, FL_AC);
    FINE;
    in_kernel(SNIP(stac_load), 0, AREA, 0, 0);
    FINE;
    EQ(c.flags & FL_AC, 0);
    in_user(UPC(load), 0, AREA, 0, 0);
    FINE;
    in_user(UPC(stac_load), 0, AREA, 0, 0);
    ENDS(UD, 0);
    // An access of the CPU's own is an implicit one: AC does not help.
    u64 base = AREA + 256;
    __builtin_memset(page[0] + 256, 0, 256);
    u64 desc = DESC(0, 0xfffff, 0xc0f3);
    __builtin_memcpy(page[0] + 256 + 0x60, &desc, 8);
    set_desc(LDT, DESC(base & 0xffffffff, 0xff, 0x82));
    gdt[(LDT >> 3) + 1] = base >> 32;
    in_kernel(SNIP(lldt), LDT, 0, 0, 0);
    FINE;
    in_kernel(SNIP(to_ds), 0x64, 0, 0, FL_AC);
    NOT_QEMU FAULTS(EP, AREA + 256 + 0x60);
    in_user(UPC(to_ds), 0x67, 0, 0, 0);
    FAULTS(EP, AREA + 256 + 0x60);
    WRITE_REG(cr4, cr4);
    in_user(UPC(to_ds), 0x67, 0, 0, 0);
    FINE;
    in_kernel(SNIP(lldt), 0, 0, 0, 0);
    FINE;
}

static void accessed_and_dirty(void) {
    u64 *e = &user_pt[AREA >> 12 & 511];
    map(AREA, (u64)page[0] | P | W | U | NX);
    pd_user[0] &= ~(u64)ACC;
    WRITE_REG(cr3, READ_REG(cr3));
    in_user(UPC(load), 0, AREA, 0, 0);
    EQ(*e & (ACC | DIRTY), ACC);
    EQ(pd_user[0] & ACC, ACC);
    in_user(UPC(store), 0, AREA, 0, 0);
    EQ(*e & (ACC | DIRTY), ACC | DIRTY);
    map(AREA, (u64)page[0] | P | U | NX);
    in_user(UPC(store), 0, AREA, 0, 0); // a write that is refused
    FAULTS(EU | EP | EW, AREA);
    EQ(*e & DIRTY, 0);
    map(AREA, (u64)page[0] | P | W | U | NX);
    in_user(UPC(add_to), 0, AREA, 0, 0);
    EQ(*e & (ACC | DIRTY), ACC | DIRTY);
}

static void translations(void) {
    // What is cached goes with INVLPG, and a page that was not there is not cached.
    u64 gone = AREA + 3 * 4096;
    in_user(UPC(load), 0, gone, 0, 0);
    FAULTS(EU, gone);
    user_pt[gone >> 12 & 511] = (u64)page[1] | P | W | U | NX;
    in_user(UPC(load), 0, gone, 0, 0);
    FINE;
    user_pt[gone >> 12 & 511] = (u64)page[2] | P | W | U | NX;
    page[2][0] = 0x11, page[1][0] = 0x22;
    in_kernel(SNIP(invlpg), 0, gone + 5, 0, 0);
    in_user(UPC(load), 0, gone, 0, 0);
    EQ(c.r[RAX] & 0xff, 0x11);
    map(gone, 0);
    // A global page survives a write to CR3, not a change of PGE.
    map(AREA, (u64)page[0] | P | W | U | NX | G);
    page[0][0] = 0x33;
    in_user(UPC(load), 0, AREA, 0, 0);
    EQ(c.r[RAX] & 0xff, 0x33);
    user_pt[AREA >> 12 & 511] = (u64)page[1] | P | W | U | NX | G;
    u64 cr4 = READ_REG(cr4);
    WRITE_REG(cr4, cr4 & ~(u64)0x80);
    WRITE_REG(cr4, cr4);
    in_user(UPC(load), 0, AREA, 0, 0);
    EQ(c.r[RAX] & 0xff, 0x22);
    map(AREA, (u64)page[0] | P | W | U | NX);
    // Strings stop where the fault is, with the registers so far.
    c.r[RSI] = AREA + 3 * 4096 - 5;
    c.r[RDI] = AREA;
    in_user(UPC(movs), 0, 0, 9, 0);
    FAULTS(EU, gone);
    EQ(c.r[RCX], 4);
    EQ(c.r[RSI], gone);
    EQ(c.r[RDI], AREA + 5);
    EQ(c.rip, UPC(movs));
    // ENTER touches its stack before anything changes.
    c.r[RBP] = 0x1234;
    in_user(UPC(enter), 0, 0, 0, 0);
    FINE;
    EQ(c.rsp, USTACK + 4096 - 8 - 0x20);
    EQ(c.r[RBP], USTACK + 4096 - 8);
}

void test_paging(void) {
    rights();
    crossing();
    write_protection();
    levels();
    reserved();
    smep_smap();
    accessed_and_dirty();
    translations();
}
