// Self-checking tests of what user-level programs cannot see of an x86_64 CPU: exceptions, paging,
// segments, far transfers, control registers, debugging, interrupts. Bare long mode, started as
// PVH; runs on our machine and on qemu-system-x86_64 -M microvm, and must pass on both. The verdict
// goes to port 0xf4, words about failures to the serial port.
#include "core.h"

void test_main(void);

struct ctx c;
struct gate idt[256];
u64 user_pt[512] __attribute__((aligned(4096)));
u8 page[4][4096] __attribute__((aligned(4096)));
u8 ist_stack[4096] __attribute__((aligned(4096)));
u8 kernel_stack[4096] __attribute__((aligned(4096)));
static u8 user_stack[4096] __attribute__((aligned(4096)));
int on_qemu;
static unsigned checks, failures;

// ---- saying things

static void outb(u16 port, u8 v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
static void put(const char *s) {
    for (; *s; s++) outb(0x3f8, (u8)*s);
}

static void put_number(u64 v, unsigned base) {
    char text[24], *p = text + sizeof text;
    *--p = 0;
    do *--p = "0123456789abcdef"[v % base];
    while (v /= base);
    put(p);
}

void check_equal(u64 got, u64 want, const char *what, const char *file, unsigned line) {
    checks++;
    if (got == want) return;
    failures++;
    for (const char *s = file; *s; s++)
        if (*s == '/') file = s + 1;
    put(file);
    put(":");
    put_number(line, 10);
    put(": ");
    put(what);
    put(" is 0x");
    put_number(got, 16);
    put(", not 0x");
    put_number(want, 16);
    put("\n");
}

// ---- tables

void set_gate(unsigned v, unsigned type, unsigned dpl, unsigned ist) {
    u64 at = (u64)vectors + 16 * v;
    idt[v].lo = (at & 0xffff) | (u64)K64 << 16 | (u64)ist << 32 |
                (u64)(0x80 | dpl << 5 | type) << 40 | (at >> 16 & 0xffff) << 48;
    idt[v].hi = at >> 32;
}

void set_desc(unsigned sel, u64 desc) { gdt[sel >> 3] = desc; }

static void put64(u8 *at, u64 v) { __builtin_memcpy(at, &v, 8); }

static void set_system_desc(unsigned sel, u64 base, u32 limit, unsigned type) {
    set_desc(sel, DESC(base & 0xffffffff, limit, 0x80 | type));
    gdt[(sel >> 3) + 1] = base >> 32;
}

void map(u64 va, u64 entry) {
    user_pt[va >> 12 & 511] = entry;
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

static void set_up(void) {
    for (unsigned v = 0; v < 0x80; v++) set_gate(v, 14, v == BP || v == OF ? 3 : 0, 0);
    set_gate(0x30, 14, 3, 0);
    set_gate(0x31, 14, 3, 0);
    idt[0x31].lo &= ~((u64)0x80 << 40);
    set_gate(0x32, 15, 3, 0);
    set_gate(DF, 14, 0, 1);
    set_gate(NMI, 14, 0, 1);
    put64(tss + 4, (u64)kernel_stack + 4096);
    put64(tss + 36, (u64)ist_stack + 4096);
    tss[0x66] = 0x68;
    set_system_desc(TASK, (u64)tss, 0x67, 9);
    __asm__ volatile("ltr %0" ::"r"((u16)TASK));
    pd_user[0] = (u64)user_pt | P | W | U;
    pd_user[1] = ((u64)page & ~(u64)0x1fffff) | P | W | U | PS | NX;
    for (unsigned i = 0; i < 3; i++) map(UCODE + 4096 * i, ((u64)snippets + 4096 * i) | P | U);
    for (unsigned i = 0; i < 3; i++) map(AREA + 4096 * i, (u64)page[i] | P | W | U | NX);
    map(USTACK, (u64)user_stack | P | W | U | NX);
    wrmsr(0xc0000081, (u64)U32 << 48 | (u64)K64 << 32);
    wrmsr(0xc0000082, (u64)syscall_entry);
    wrmsr(0xc0000083, (u64)syscall_entry);
    wrmsr(0xc0000084, IF | TF | DIR);
}

// ---- contexts

static void go(u64 pc, u64 a, u64 b, u64 cx, u64 flags) {
    c.r[RAX] = a;
    c.r[RBX] = b;
    c.r[RCX] = cx;
    c.rip = pc;
    c.flags = flags | 2;
    run(&c);
}

void in_kernel(u64 pc, u64 a, u64 b, u64 cx, u64 flags) {
    c.cs = K64;
    c.ss = KDATA;
    c.rsp = (u64)stack_top - 8192;
    go(pc, a, b, cx, flags);
}

void in_user(u64 pc, u64 a, u64 b, u64 cx, u64 flags) {
    c.cs = U64;
    c.ss = UDATA;
    c.rsp = USTACK + 4096;
    go(pc, a, b, cx, flags);
}

void in_user32(u64 pc, u64 a, u64 b, u64 cx, u64 flags) {
    u16 ds;
    __asm__ volatile("mov %%ds, %0" : "=r"(ds));
    if (ds == KDATA) __asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"(UDATA));
    c.cs = U32;
    c.ss = UDATA;
    c.rsp = USTACK + 4096;
    go(pc, a, b, cx, flags);
}

// CPUID's hypervisor leaf: QEMU's translator says so, we say KVM.
static int is_qemu(void) {
    u32 a = 0x40000000, b, cx, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(cx), "=d"(d));
    return b == 0x54474354; // TCGT
}

void test_main(void) {
    on_qemu = is_qemu();
    set_up();
    test_exceptions();
    test_paging();
    test_segments();
    test_transfers();
    test_control();
    test_debug();
    test_interrupts();
    put_number(checks - failures, 10);
    put(" passed, ");
    put_number(failures, 10);
    put(" failed\n");
    __asm__ volatile("outl %0, %1" ::"a"(failures ? 1 : 0), "Nd"((u16)0xf4));
    for (;;) __asm__ volatile("cli; hlt");
}
