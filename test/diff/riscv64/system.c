// Self-checking tests of what user-level programs cannot see: traps, translation, interrupts, code
// that changes. Bare S mode; runs on our machine and on qemu-system-riscv64 -M virt with OpenSBI,
// and must pass on both. The verdict goes to the test device at 0x100000, words about failures to
// the console.
#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint8_t u8;

struct ctx { // layout: start.S
    u64 x[32], pc, cause, tval, sp, status;
};
void run(struct ctx *c, u64 status);
void test_main(void);
extern u64 run_stvec;
extern u8 snippets[];
extern u8 vectors[], trap[];
u64 run_stvec; // what run() puts into stvec

enum { A0 = 10, A1, A2 };
enum { SIE = 2, SPIE = 1 << 5, SPP = 1 << 8, FS = 3 << 13, SUM = 1 << 18, MXR = 1 << 19 };
enum {
    ILLEGAL = 2,
    BREAK = 3,
    LOAD_MIS = 4,
    LOAD_ACC = 5,
    STORE_MIS = 6,
    STORE_ACC = 7,
    ECALL_U = 8
};
enum { INSN_PF = 12, LOAD_PF = 13, STORE_PF = 15 };
enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };
#define INTERRUPT ((u64)1 << 63)
#define NOTHING   0x18000000u // a physical address without memory or device
#define RWAD      (V | R | W | A | D)

#define csr_read(name)                                                                             \
    ({                                                                                             \
        u64 v_;                                                                                    \
        __asm__ volatile("csrr %0, " #name : "=r"(v_));                                            \
        v_;                                                                                        \
    })
#define csr_write(name, v) __asm__ volatile("csrw " #name ", %0" ::"r"((u64)(v)) : "memory")
#define csr_set(name, v)   __asm__ volatile("csrs " #name ", %0" ::"r"((u64)(v)) : "memory")
#define csr_clear(name, v) __asm__ volatile("csrc " #name ", %0" ::"r"((u64)(v)) : "memory")
static void sfence(void) { __asm__ volatile("sfence.vma" ::: "memory"); }
static void sfence_va(u64 va) { __asm__ volatile("sfence.vma %0" ::"r"(va) : "memory"); }
static void sfence_va_asid(u64 va, u64 asid) {
    __asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory");
}

// ---- saying things

static u64 sbi(u64 ext, u64 fn, u64 x, u64 y, u64 z, u64 *value) {
    register u64 a0 __asm__("a0") = x;
    register u64 a1 __asm__("a1") = y;
    register u64 a2 __asm__("a2") = z;
    register u64 a6 __asm__("a6") = fn;
    register u64 a7 __asm__("a7") = ext;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    if (value) *value = a1;
    return a0;
}

static void put(const char *s) {
    for (; *s; s++) sbi(1, 0, (u8)*s, 0, 0, NULL);
}

static void put_number(u64 v, unsigned base) {
    char text[24], *p = text + sizeof text;
    *--p = 0;
    do *--p = "0123456789abcdef"[v % base];
    while (v /= base);
    put(p);
}

static unsigned failures, checks;
// QEMU 7.2 and OpenSBI 1.1 deviate from the manual in places, which NOT_QEMU names one by one.
static int on_qemu;
#define NOT_QEMU if (!on_qemu)
static const char *current;

static void check_equal(u64 got, u64 want, const char *what, unsigned line) {
    checks++;
    if (got == want) return;
    failures++;
    put(current);
    put(": line ");
    put_number(line, 10);
    put(": ");
    put(what);
    put(" is 0x");
    put_number(got, 16);
    put(", not 0x");
    put_number(want, 16);
    put("\n");
}
#define EQ(got, want) check_equal((u64)(got), (u64)(want), #got, __LINE__)

// ---- running snippets

#define SNIP(name)                                                                                 \
    ({                                                                                             \
        extern u8 snip_##name[];                                                                   \
        (u64) snip_##name;                                                                         \
    })

static struct ctx c;

// Runs a snippet in S mode at its physical address.
static void in_s(u64 pc, u64 a0, u64 a1, u64 a2, u64 status) {
    c.x[A0] = a0;
    c.x[A1] = a1;
    c.x[A2] = a2;
    c.pc = pc;
    run(&c, SPP | status);
}

enum { ROOT_SPAN = 30 };
#define USER_CODE 0x1000000000u // where the snippets' page is mapped for U mode
#define AREA      0x1000010000u // four pages for tests, the last one never mapped
#define SUPER     0x1000200000u // a 2 MiB page
#define STRADDLE  0x1000020000u

static u64 root[512] __attribute__((aligned(4096)));
static u64 mid[512] __attribute__((aligned(4096)));
static u64 leaf[512] __attribute__((aligned(4096)));
static u64 root48[512] __attribute__((aligned(4096)));
static u8 page[4][4096] __attribute__((aligned(4096)));

static u64 pte(const void *p, u64 bits) { return ((u64)p >> 12) << 10 | bits; }
static u64 *area_pte(u64 va) { return &leaf[va >> 12 & 511]; }

static void map_all(void) {
    root[0] = pte(NULL, RWAD); // devices
    root[2] = pte((void *)0x80000000, RWAD | X);
    root[USER_CODE >> 30] = pte(mid, V);
    mid[0] = pte(leaf, V);
    *area_pte(USER_CODE) = pte(snippets, V | R | X | U | A);
    for (unsigned i = 0; i < 3; i++) *area_pte(AREA + i * 4096u) = pte(page[i], RWAD | U);
    *area_pte(AREA + 3 * 4096) = 0;
    root48[0] = pte(root, V);
}

static void paging(u64 mode, const void *table, u64 asid) {
    csr_write(satp, mode << 60 | asid << 44 | (u64)table >> 12);
    sfence();
}

static void in_u(u64 pc, u64 a0, u64 a1, u64 a2, u64 status) {
    c.x[A0] = a0;
    c.x[A1] = a1;
    c.x[A2] = a2;
    c.pc = USER_CODE + (pc - (u64)snippets);
    run(&c, status);
}
#define UPC(name) (USER_CODE + (SNIP(name) - (u64)snippets))

// ---- the tests

static void exceptions(void) {
    u64 word = 5;
    in_s(SNIP(load), 0, (u64)&word, 0, 0);
    EQ(c.cause, BREAK);
    EQ(c.x[A0], 5);
    EQ(c.status & SPP, SPP);
    in_s(SNIP(zero16), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    EQ(c.tval, 0);
    EQ(c.pc, SNIP(zero16));
    in_s(SNIP(ones), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    EQ(c.tval, 0xffffffff);
    in_s(SNIP(bad), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    EQ(c.tval, 0x707b);
    in_s(SNIP(mret), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    in_s(SNIP(csr_unknown), 0x77, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    EQ(c.x[A0], 0x77);
    in_s(SNIP(csr_machine), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    in_s(SNIP(csrw_cycle), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    in_s(SNIP(load), 0x77, NOTHING, 0, 0);
    EQ(c.cause, LOAD_ACC);
    EQ(c.tval, NOTHING);
    EQ(c.x[A0], 0x77);
    in_s(SNIP(store), 0, NOTHING + 8, 0, 0);
    EQ(c.cause, STORE_ACC);
    EQ(c.tval, NOTHING + 8);
}

static void misaligned(void) {
    u8 bytes[32] = {0};
    u64 base = ((u64)bytes + 15) & ~(u64)15;
    for (unsigned i = 0; i < 16; i++) ((u8 *)base)[i] = (u8)i;
    in_s(SNIP(load), 0, base + 3, 0, 0);
    EQ(c.cause, BREAK);
    EQ(c.x[A0], 0x0a09080706050403);
    in_s(SNIP(load4), 0, base + 1, 0, 0);
    EQ(c.x[A0], 0x04030201);
    in_s(SNIP(amo), 0x77, base + 4, 0, 0);
    NOT_QEMU EQ(c.cause, STORE_MIS); // says load
    EQ(c.tval, base + 4);
    EQ(c.x[A0], 0x77);
    in_s(SNIP(amow), 0, base + 2, 0, 0);
    NOT_QEMU EQ(c.cause, STORE_MIS);
    in_s(SNIP(lr), 0, base + 1, 0, 0);
    EQ(c.cause, LOAD_MIS);
    EQ(c.tval, base + 1);
    in_s(SNIP(sc), 0, base + 1, 0, 0);
    NOT_QEMU EQ(c.cause, STORE_MIS); // without a reservation it just fails
}

static void atomics(void) {
    u64 word = 41;
    in_s(SNIP(lrsc), 0, (u64)&word, 9, 0);
    EQ(c.x[A2], 0);
    EQ(word, 42);
    in_s(SNIP(sc), 7, (u64)&word, 9, 0); // no reservation
    EQ(c.x[A2], 1);
    EQ(word, 42);
    in_s(SNIP(amo), 0, (u64)&word, 8, 0);
    EQ(c.x[A0], 42);
    EQ(word, 50);
    u32 half[2] = {0x80000000, 7};
    in_s(SNIP(lrw), 0, (u64)half, 0, 0);
    EQ(c.x[A0], 0xffffffff80000000);
    in_s(SNIP(amow), 0, (u64)half, 3, 0);
    EQ(c.x[A0], 0xffffffff80000000);
    EQ(half[0], 3);
    EQ(half[1], 7);
}

static void floating(void) {
    in_s(SNIP(fadd), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    EQ(c.tval, 0x02a57553 | 0); // the instruction
    in_s(SNIP(flw), 0, (u64)snippets, 0, 0);
    EQ(c.cause, ILLEGAL);
    EQ(c.tval, 0x2188);
    in_s(SNIP(frm), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    EQ(c.pc, SNIP(frm));
    in_s(SNIP(fadd), 0, 0, 0, FS);
    EQ(c.cause, BREAK);
    EQ(c.status & FS, FS);
    EQ(c.status >> 63, 1);
    in_s(SNIP(frm), 5, 0, 0, FS);
    EQ(c.cause, ILLEGAL);
    EQ(c.pc, SNIP(frm) + 4);
    in_s(SNIP(frm_static), 7, 0, 0, FS);
    EQ(c.cause, BREAK);
    in_s(SNIP(frm), 4, 0, 0, FS);
    EQ(c.cause, BREAK);
    in_s(SNIP(frm), 0, 0, 0, FS);
    EQ(c.cause, BREAK);
    in_s(SNIP(bad_rm), 0, 0, 0, FS);
    EQ(c.cause, ILLEGAL);
}

static void user_mode(void) {
    in_u(SNIP(ecall), 0, 0, 0, 0);
    EQ(c.cause, ECALL_U);
    EQ(c.pc, UPC(ecall));
    EQ(c.status & SPP, 0);
    in_u(SNIP(csrr_sstatus), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    in_u(SNIP(sret), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    in_u(SNIP(sfence), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    csr_write(scounteren, 0);
    in_u(SNIP(csrr_time), 0, 0, 0, 0);
    NOT_QEMU EQ(c.cause, ILLEGAL); // the firmware answers instead
    in_u(SNIP(csrr_cycle), 0, 0, 0, 0);
    EQ(c.cause, ILLEGAL);
    csr_write(scounteren, 7);
    in_u(SNIP(csrr_time), 0, 0, 0, 0);
    EQ(c.cause, BREAK);
    in_u(SNIP(csrr_cycle), 0, 0, 0, 0);
    EQ(c.cause, BREAK);
    // Supervisor pages are not for users.
    in_u(SNIP(load), 0, (u64)root, 0, 0);
    EQ(c.cause, LOAD_PF);
    EQ(c.tval, (u64)root);
    in_u(SNIP(call), (u64)snippets, 0, 0, 0);
    EQ(c.cause, INSN_PF);
    EQ(c.tval, (u64)snippets);
    EQ(c.pc, (u64)snippets);
    EQ(c.x[1], UPC(call) + 2); // jalr a0 is compressed
}

static void supervisor_and_user_pages(void) {
    page[0][0] = 9;
    in_s(SNIP(load), 0, AREA, 0, 0);
    EQ(c.cause, LOAD_PF);
    in_s(SNIP(load), 0, AREA, 0, SUM);
    EQ(c.cause, BREAK);
    EQ(c.x[A0] & 255, 9);
    in_s(SNIP(store), 0, AREA, 0, 0);
    EQ(c.cause, STORE_PF);
    in_s(SNIP(call), UPC(ecall), 0, 0, SUM);
    EQ(c.cause, INSN_PF); // S mode never executes user pages
    *area_pte(AREA) = pte(page[0], V | X | U | A);
    sfence_va(AREA);
    in_u(SNIP(load), 0, AREA, 0, 0);
    EQ(c.cause, LOAD_PF);
    in_u(SNIP(load), 0, AREA, 0, MXR);
    EQ(c.cause, BREAK);
    in_u(SNIP(load), 0, AREA, 0, 0);
    EQ(c.cause, LOAD_PF);
    *area_pte(AREA) = pte(page[0], RWAD | U);
    sfence_va(AREA);
}

static void crossing_pages(void) {
    u64 end = AREA + 3 * 4096; // the first unmapped address
    for (unsigned i = 0; i < 8; i++) *(&page[0][0] + 4092 + i) = (u8)(0x10 + i);
    in_u(SNIP(load), 0, AREA + 4092, 0, 0);
    EQ(c.x[A0], 0x1716151413121110);
    in_u(SNIP(store), 0x8877665544332211, AREA + 4093, 0, 0);
    EQ(c.cause, BREAK);
    EQ(page[0][4093], 0x11);
    EQ(page[1][4], 0x88);
    page[2][4095] = 0x5a;
    in_u(SNIP(load), 0x77, end - 3, 0, 0);
    EQ(c.cause, LOAD_PF);
    EQ(c.tval, end);
    EQ(c.x[A0], 0x77);
    in_u(SNIP(store), 0x77, end - 1, 0, 0);
    EQ(c.cause, STORE_PF);
    EQ(c.tval, end);
    EQ(page[2][4095], 0x5a); // nothing was stored
    // Crossing from a writable page into a read-only one.
    *area_pte(AREA + 4096) = pte(page[1], V | R | U | A);
    sfence_va(AREA + 4096);
    page[0][4095] = 0x5b;
    in_u(SNIP(store), 0, AREA + 4095, 0, 0);
    EQ(c.cause, STORE_PF);
    EQ(c.tval, AREA + 4096);
    EQ(page[0][4095], 0x5b);
    *area_pte(AREA + 4096) = pte(page[1], RWAD | U);
    sfence_va(AREA + 4096);
}

static void straddling_instruction(void) {
    // A 4-byte addi a0, a0, 1 whose halves lie in two pages; then ebreak.
    page[0][4094] = 0x05, page[0][4095] = 0x05; // c.addi a0, 1 at first
    *area_pte(STRADDLE) = pte(page[0], V | R | X | U | A);
    *area_pte(STRADDLE + 4096) = pte(page[1], V | R | X | U | A);
    sfence();
    *(u32 *)(void *)&page[1][0] = 0x00100073; // ebreak
    c.x[A0] = 1;
    c.pc = STRADDLE + 4094;
    run(&c, 0);
    EQ(c.cause, BREAK);
    EQ(c.x[A0], 2);
    page[0][4094] = 0x13, page[0][4095] = 0x05; // addi a0, a0, 1: 0x00150513
    page[1][0] = 0x15, page[1][1] = 0x00;
    *(u32 *)(void *)&page[1][2] = 0x00100073;
    __asm__ volatile("fence.i");
    c.pc = STRADDLE + 4094;
    run(&c, 0);
    EQ(c.cause, BREAK);
    EQ(c.x[A0], 3);
    EQ(c.pc, STRADDLE + 4098);
    page[1][0] = 0x25; // the second half alone changes: addi a0, a0, 2
    __asm__ volatile("fence.i");
    c.pc = STRADDLE + 4094;
    run(&c, 0);
    EQ(c.x[A0], 5);
    *area_pte(STRADDLE + 4096) = pte(page[2], V | R | X | U | A); // another second half
    page[2][0] = 0x35, page[2][1] = 0x00;
    *(u32 *)(void *)&page[2][2] = 0x00100073;
    sfence_va(STRADDLE + 4096);
    __asm__ volatile("fence.i");
    c.pc = STRADDLE + 4094;
    run(&c, 0);
    EQ(c.x[A0], 8);
    *area_pte(STRADDLE + 4096) = 0;
    sfence_va(STRADDLE + 4096);
    c.pc = STRADDLE + 4094;
    run(&c, 0);
    EQ(c.cause, INSN_PF);
    EQ(c.tval, STRADDLE + 4096);
    EQ(c.pc, STRADDLE + 4094);
    EQ(c.x[A0], 8);
    *area_pte(STRADDLE) = 0;
    sfence();
}

static void self_modifying(void) {
    *area_pte(STRADDLE) = pte(page[0], RWAD | X | U);
    sfence();
    u32 *code = (u32 *)(void *)page[0];
    for (unsigned i = 0; i < 20; i++) {
        code[1] = 0x00008067;                    // ret
        u32 insn = 0x00000513 | i << 20;         // li a0, i
        in_u(SNIP(patch), insn, STRADDLE, 0, 0); // by the program itself
        EQ(c.cause, BREAK);
        EQ(c.x[A0], i);
        code[0] = 0x00000513 | (i + 100) << 20; // through another mapping
        __asm__ volatile("fence.i");
        c.pc = STRADDLE;
        c.x[1] = UPC(ecall);
        run(&c, 0);
        EQ(c.cause, ECALL_U);
        EQ(c.x[A0], i + 100);
    }
    *area_pte(STRADDLE) = 0;
    sfence();
}

static void entries(void) {
    static const struct {
        u64 bits;
        u8 loads, stores;
    } rows[] = {
        {RWAD | U, 1, 1},
        {V | R | A | U, 1, 0},
        {R | W | A | D | U, 0, 0},
        {V | W | A | D | U, 0, 0},
        {V | W | X | A | D | U, 0, 0},
        {V | X | A | U, 0, 0},
        {RWAD, 0, 0},
        {RWAD | U | G, 1, 1},
        {RWAD | U | 3 << 8, 1, 1},
        {RWAD | U | (u64)1 << 54, 0, 0},
        {RWAD | U | (u64)1 << 63, 0, 0},
        {RWAD | U | (u64)1 << 61, 0, 0},
        {V | U, 0, 0},
        {V, 0, 0},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        *area_pte(AREA) = pte(page[0], rows[i].bits);
        sfence_va(AREA);
        in_u(SNIP(load), 0, AREA, 0, 0);
        check_equal(c.cause, rows[i].loads ? BREAK : LOAD_PF, "cause of a load", 1000 + i);
        in_u(SNIP(store), 0, AREA, 0, 0);
        check_equal(c.cause, rows[i].stores ? BREAK : STORE_PF, "cause of a store", 2000 + i);
        in_u(SNIP(amo), 0, AREA, 0, 0);
        NOT_QEMU // a load fault when reading is not allowed either
            check_equal(c.cause, rows[i].stores ? BREAK : STORE_PF, "cause of an atomic", 3000 + i);
    }
    // Accessed and dirty are set by the hardware.
    *area_pte(AREA) = pte(page[0], V | R | W | U);
    sfence_va(AREA);
    in_u(SNIP(load), 0, AREA, 0, 0);
    EQ(c.cause, BREAK);
    EQ(*area_pte(AREA) & (A | D), A);
    in_u(SNIP(store), 0, AREA, 0, 0);
    EQ(c.cause, BREAK);
    EQ(*area_pte(AREA) & (A | D), A | D);
    *area_pte(AREA) = pte(page[0], RWAD | U);
    sfence_va(AREA);
}

static void superpages(void) {
    mid[1] = pte((void *)((u64)snippets & ~(u64)0x1fffff), RWAD | U);
    sfence();
    page[0][0] = 0x6b;
    u64 at = SUPER + ((u64)page[0] & 0x1fffff);
    in_u(SNIP(load), 0, at, 0, 0);
    EQ(c.cause, BREAK);
    EQ(c.x[A0] & 255, 0x6b);
    in_u(SNIP(load), 0, at + 4096, 0, 0);
    EQ(c.cause, BREAK);
    // One address stands for the whole superpage.
    mid[1] = 0;
    sfence_va(SUPER);
    in_u(SNIP(load), 0, at, 0, 0);
    EQ(c.cause, LOAD_PF);
    in_u(SNIP(load), 0, at + 4096, 0, 0);
    EQ(c.cause, LOAD_PF);
    mid[1] = pte((void *)((u64)page[0] & ~(u64)0xfff), RWAD | U) | 1 << 10; // misaligned
    sfence();
    in_u(SNIP(load), 0, SUPER, 0, 0);
    EQ(c.cause, LOAD_PF);
    mid[1] = 0;
    root[(SUPER >> 30) + 1] = pte((void *)0x80200000, RWAD | U); // misaligned 1 GiB
    sfence();
    in_u(SNIP(load), 0, SUPER + ((u64)1 << 30), 0, 0);
    EQ(c.cause, LOAD_PF);
    root[(SUPER >> 30) + 1] = pte((void *)0x80000000, RWAD | U);
    sfence();
    in_u(SNIP(load), 0, (((SUPER >> 30) + 1) << 30) + ((u64)page[0] & 0x3fffffff), 0, 0);
    EQ(c.x[A0] & 255, 0x6b);
    root[(SUPER >> 30) + 1] = 0;
    sfence();
}

static void address_spaces(void) {
    // The same address under two ASIDs with different tables.
    static u64 root2[512] __attribute__((aligned(4096)));
    static u64 mid2[512] __attribute__((aligned(4096)));
    static u64 leaf2[512] __attribute__((aligned(4096)));
    for (unsigned i = 0; i < 512; i++) root2[i] = root[i], mid2[i] = mid[i], leaf2[i] = leaf[i];
    root2[USER_CODE >> 30] = pte(mid2, V);
    mid2[0] = pte(leaf2, V);
    leaf2[AREA >> 12 & 511] = pte(page[1], RWAD | U);
    page[0][0] = 1, page[1][0] = 2, page[2][0] = 3;
    for (unsigned i = 0; i < 3; i++) {
        csr_write(satp, (u64)8 << 60 | (u64)1 << 44 | (u64)root >> 12);
        in_u(SNIP(load), 0, AREA, 0, 0);
        EQ(c.x[A0] & 255, 1);
        csr_write(satp, (u64)8 << 60 | (u64)2 << 44 | (u64)root2 >> 12);
        in_u(SNIP(load), 0, AREA, 0, 0);
        EQ(c.x[A0] & 255, 2);
    }
    leaf2[AREA >> 12 & 511] = pte(page[2], RWAD | U);
    sfence_va_asid(AREA, 2);
    in_u(SNIP(load), 0, AREA, 0, 0);
    EQ(c.x[A0] & 255, 3);
    paging(8, root, 0);
}

static void virtual_addresses(void) {
    in_u(SNIP(load), 0, (u64)1 << 38 | AREA, 0, 0); // not canonical
    EQ(c.cause, LOAD_PF);
    EQ(c.tval, (u64)1 << 38 | AREA);
    in_u(SNIP(load), 0, (u64)1 << 63 | AREA, 0, 0);
    EQ(c.cause, LOAD_PF);
    in_u(SNIP(call), (u64)1 << 39 | AREA, 0, 0, 0);
    EQ(c.cause, INSN_PF);
    paging(9, root48, 0);
    EQ(csr_read(satp) >> 60, 9);
    page[0][0] = 0x21;
    in_u(SNIP(load), 0, AREA, 0, 0);
    EQ(c.cause, BREAK);
    EQ(c.x[A0] & 255, 0x21);
    in_u(SNIP(load), 0, (u64)1 << 39 | AREA, 0, 0); // an absent top entry
    EQ(c.cause, LOAD_PF);
    in_u(SNIP(load), 0, (u64)1 << 48 | AREA, 0, 0);
    EQ(c.cause, LOAD_PF);
    // A mode that does not exist leaves satp alone.
    u64 before = csr_read(satp);
    csr_write(satp, (u64)5 << 60);
    EQ(csr_read(satp), before);
    paging(8, root, 0);
    // Tables where there is no memory.
    u64 saved = mid[0];
    mid[0] = pte((void *)NOTHING, V);
    sfence();
    in_s(SNIP(load), 0, AREA, 0, SUM);
    NOT_QEMU EQ(c.cause, LOAD_ACC); // says page fault
    in_s(SNIP(store), 0, AREA, 0, SUM);
    NOT_QEMU EQ(c.cause, STORE_ACC);
    mid[0] = saved;
    sfence();
}

static void switching_off(void) {
    paging(0, NULL, 0);
    page[0][0] = 0x31, page[1][0] = 0x32;
    // On and off within one run of instructions.
    u64 on = (u64)8 << 60 | (u64)root >> 12;
    *area_pte(AREA) = pte(page[1], RWAD);
    in_s(SNIP(satp), on, AREA, 0, 0);
    EQ(c.cause, BREAK);
    EQ(c.x[A0] & 255, 0x32);
    *area_pte(AREA) = pte(page[0], RWAD | U);
    paging(8, root, 0);
}

static u64 now(void) { return csr_read(time); }

static void interrupts(void) {
    csr_write(sie, 0xffff);
    EQ(csr_read(sie), 0x222);
    csr_write(sie, 0);
    csr_set(sip, 2);
    EQ(csr_read(sip) & 2, 2);
    // Enabled in sie and in sstatus: taken at once, before the first instruction.
    csr_write(sie, 2);
    in_s(SNIP(loop), 0, 0, 0, SPIE);
    EQ(c.cause, INTERRUPT | 1);
    EQ(c.tval, 0);
    EQ(c.status & (SPIE | SPP | SIE), SPIE | SPP);
    // U mode ignores SIE.
    in_u(SNIP(loop), 0, 0, 0, 0);
    EQ(c.cause, INTERRUPT | 1);
    EQ(c.status & SPP, 0);
    // Not taken in S mode without SIE; wfi goes on all the same.
    in_s(SNIP(wfi), 0, 0, 0, 0);
    EQ(c.cause, BREAK);
    csr_clear(sip, 2);
    EQ(csr_read(sip) & 2, 0);
    // The timer wakes wfi and interrupts a loop.
    csr_write(sie, 0x20);
    sbi(0x54494d45, 0, now() + 1000000, 0, 0, NULL);
    EQ(csr_read(sip) & 0x20, 0);
    in_s(SNIP(wfi), 0, 0, 0, 0);
    EQ(c.cause, BREAK);
    EQ(csr_read(sip) & 0x20, 0x20);
    sbi(0x54494d45, 0, now() + 1000000, 0, 0, NULL);
    EQ(csr_read(sip) & 0x20, 0);
    in_u(SNIP(loop), 0, 0, 0, 0);
    EQ(c.cause, INTERRUPT | 5);
    EQ(c.x[A0] > 100, 1);
    // Software before timer.
    csr_set(sip, 2);
    csr_write(sie, 0x22);
    in_s(SNIP(loop), 0, 0, 0, SPIE);
    EQ(c.cause, INTERRUPT | 1);
    // Vectored: interrupts have an entry each, exceptions the first.
    run_stvec = (u64)vectors | 1;
    in_s(SNIP(loop), 0, 0, 0, SPIE);
    EQ(c.x[5], 1);
    csr_clear(sip, 2);
    in_s(SNIP(loop), 0, 0, 0, SPIE);
    EQ(c.cause, INTERRUPT | 5);
    EQ(c.x[5], 5);
    in_s(SNIP(load), 0, (u64)&c, 0, 0);
    EQ(c.cause, BREAK);
    EQ(c.x[5], 0);
    run_stvec = (u64)trap;
    sbi(0x54494d45, 0, ~(u64)0, 0, 0, NULL);
    EQ(csr_read(sip) & 0x22, 0);
    // An IPI to oneself.
    EQ(sbi(0x735049, 0, 1, 0, 0, NULL), 0);
    EQ(csr_read(sip) & 2, 2);
    csr_clear(sip, 2);
    csr_write(sie, 0);
}

static void firmware(void) {
    u64 v;
    EQ(sbi(0x10, 0, 0, 0, 0, &v), 0);
    EQ(v >> 24 >= 1, 1);
    EQ(sbi(0x10, 3, 0x54494d45, 0, 0, &v), 0);
    EQ(v != 0, 1);
    EQ(sbi(0x10, 3, 0x12345678, 0, 0, &v), 0);
    EQ(v, 0);
    EQ(sbi(0x12345678, 0, 0, 0, 0, NULL), -2);
    EQ(sbi(0x10, 99, 0, 0, 0, NULL), -2);
    EQ(sbi(0x48534d, 2, 0, 0, 0, &v), 0); // this hart is started
    EQ(v, 0);
    EQ(sbi(0x48534d, 0, 0, 0x80200000, 0, NULL), -6);
    EQ((long)sbi(0x48534d, 2, 77, 0, 0, NULL) < 0, 1);
    EQ(sbi(0x52464e43, 1, 1, 0, 0, NULL), 0);
    EQ(sbi(0x52464e43, 0, 1, 0, 0, NULL), 0);
}

static void csrs(void) {
    csr_write(sepc, ~(u64)0);
    NOT_QEMU EQ(csr_read(sepc), ~(u64)1); // keeps bit 0
    csr_write(sscratch, 0x123456789abcdef0);
    EQ(csr_read(sscratch), 0x123456789abcdef0);
    csr_write(stval, 77);
    EQ(csr_read(stval), 77);
    csr_write(scause, INTERRUPT | 5);
    EQ(csr_read(scause), INTERRUPT | 5);
    u64 old = csr_read(stvec);
    csr_write(stvec, (u64)vectors | 1);
    EQ(csr_read(stvec), (u64)vectors | 1);
    csr_write(stvec, old);
    EQ(csr_read(sstatus) >> 32 & 3, 2); // UXL: 64 bits
    csr_set(sstatus, SUM | MXR);
    EQ(csr_read(sstatus) & (SUM | MXR), SUM | MXR);
    csr_clear(sstatus, SUM | MXR);
    EQ(csr_read(sstatus) & (SUM | MXR), 0);
    u64 t = now();
    for (volatile unsigned i = 0; i < 1000; i++) {
    }
    EQ(now() >= t, 1);
    u64 n = csr_read(instret);
    EQ(csr_read(instret) > n, 1);
}

static void test(const char *name, void (*fn)(void)) {
    current = name;
    fn();
}

void test_main(void) {
    u64 implementation;
    run_stvec = (u64)trap;
    sbi(0x10, 1, 0, 0, 0, &implementation);
    on_qemu = implementation == 1; // OpenSBI
    test("csrs", csrs);
    test("firmware", firmware);
    test("exceptions", exceptions);
    test("misaligned", misaligned);
    test("atomics", atomics);
    test("floating", floating);
    map_all();
    paging(8, root, 0);
    test("user_mode", user_mode);
    test("supervisor_and_user_pages", supervisor_and_user_pages);
    test("crossing_pages", crossing_pages);
    test("straddling_instruction", straddling_instruction);
    test("self_modifying", self_modifying);
    test("entries", entries);
    test("superpages", superpages);
    test("address_spaces", address_spaces);
    test("virtual_addresses", virtual_addresses);
    test("switching_off", switching_off);
    test("interrupts", interrupts);
    paging(0, NULL, 0);
    put_number(checks - failures, 10);
    put(" passed, ");
    put_number(failures, 10);
    put(" failed\n");
    *(volatile u32 *)0x100000 = failures ? 1 << 16 | 0x3333 : 0x5555;
    for (;;) {
    }
}
