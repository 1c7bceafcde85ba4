// What the parts of the x86_64 system tests share: contexts, checks, tables that tests change.
#ifndef BERTH_TEST_DIFF_X86_64_CORE_H
#define BERTH_TEST_DIFF_X86_64_CORE_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

struct ctx { // layout: start.S
    u64 r[16], rip, cs, flags, rsp, ss;
    u64 vector, code, cr2;
    u64 frame;         // where the handler's stack pointer was
    u64 handler_flags; // there
    u16 ds, es, fs, gs, handler_ss, handler_cs;
};
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

void run(struct ctx *c);
extern struct ctx c;
extern u64 gdt[], pml4[], pdpt[], pd_user[], user_pt[512];
extern u8 vectors[], snippets[], stack_top[], tss[], syscall_entry[], run_iret[];
extern u8 page[4][4096], ist_stack[4096], kernel_stack[4096];
struct gate {
    u64 lo, hi;
};
extern struct gate idt[256];

#define SNIP(name)                                                                                 \
    ({                                                                                             \
        extern u8 snip_##name[];                                                                   \
        (u64) snip_##name;                                                                         \
    })

// ---- where things are mapped for users
#define UCODE     0x40000000u // the snippets
#define AREA      0x40010000u // four pages, the last one never mapped
#define USTACK    0x40020000u // one page, top at +4096
#define LARGE     0x40200000u // a 2 MiB page: `page` and what is around it
#define NONCANON  0x8000000000000000u
#define UPC(name) (UCODE + (SNIP(name) - (u64)snippets))

enum { P = 1, W = 2, U = 4, ACC = 32, DIRTY = 64, PS = 128, G = 256 };
#define NX ((u64)1 << 63)

enum {
    K64 = 0x10,
    KDATA = 0x18,
    U32 = 0x23,
    UDATA = 0x2b,
    U64 = 0x33,
    K32 = 0x38,
    TASK = 0x40,
    LDT = 0x50
};
enum { DE, DB, NMI, BP, OF, BR, UD, NM, DF, TS = 10, NP, SS, GP, PF, MF = 16, AC, XM = 19 };
enum {
    CF = 1,
    ZF = 0x40,
    TF = 0x100,
    IF = 0x200,
    DIR = 0x400,
    IOPL3 = 0x3000,
    NT = 0x4000,
    RF = 0x10000,
    FL_AC = 0x40000
};

// Runs a snippet with rax, rbx, rcx; other registers of `c` as they are.
void in_kernel(u64 pc, u64 a, u64 b, u64 cx, u64 flags);
void in_user(u64 pc, u64 a, u64 b, u64 cx, u64 flags);   // 64-bit; pc of UPC()
void in_user32(u64 pc, u64 a, u64 b, u64 cx, u64 flags); // compatibility mode
void set_gate(unsigned v, unsigned type, unsigned dpl, unsigned ist);
void map(u64 va, u64 entry); // of the users' first 2 MiB; flushes
void set_desc(unsigned sel, u64 desc);
#define DESC(base, limit, attr)                                                                    \
    (((u64)(limit)&0xffff) | ((u64)(base)&0xffffff) << 16 | (u64)(attr) << 40 |                    \
     ((u64)(limit) >> 16 & 15) << 48 | ((u64)(base) >> 24) << 56)
// attr: type, S, DPL, P in bits 0 to 7; AVL, L, D, G in bits 12 to 15

void check_equal(u64 got, u64 want, const char *what, const char *file, unsigned line);
#define EQ(got, want) check_equal((u64)(got), (u64)(want), #got, __FILE__, __LINE__)
// It ended with this exception.
#define ENDS(v, error_code) (EQ(c.vector, v), EQ(c.code, error_code))
#define FINE                EQ(c.vector, BP)

// QEMU 7.2 deviates from the manuals in places, which this names one by one.
extern int on_qemu;
#define NOT_QEMU if (!on_qemu)

static inline void wrmsr(u32 msr, u64 v) {
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}
static inline u64 rdmsr(u32 msr) {
    u32 lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (u64)hi << 32;
}
#define READ_REG(name)                                                                             \
    ({                                                                                             \
        u64 v_;                                                                                    \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(v_));                                        \
        v_;                                                                                        \
    })
#define WRITE_REG(name, v) __asm__ volatile("mov %0, %%" #name ::"r"((u64)(v)) : "memory")

void test_exceptions(void);
void test_paging(void);
void test_segments(void);
void test_transfers(void);
void test_control(void);
void test_debug(void);
void test_interrupts(void);

#endif
