// What the parts of the random x86_64 programs agree on: where things are in RAM, and how bytes are
// put there.
//
// RAM (from 0, mapped at its own addresses), by pages: 0 not mapped, 1 IDT, 2 GDT and TSS, 3
// handlers, 4 their save area and stacks, 5-7 the program's stack, 8-9 window, a read-only, b not
// mapped, c tables of jumps, 10-19 code, 20-33 where to go on after a fault (16 bits a byte of
// code), 34-35 the window of the second address space, 36-3d page tables. Everything again,
// writable and not executable, in a large page at 0x200000; everything again at 0x40000000 and at
// the top of the address space; the device at PROGRAM_MMIO, and for the handlers 2 MiB higher.
#ifndef BERTH_TEST_LOCKSTEP_X86_H
#define BERTH_TEST_LOCKSTEP_X86_H

#include "random.h"

#define X86_HIGH  0xffffffff80000000u
#define X86_ALIAS 0x200000u
#define X86_LOW   0x40000000u

enum {
    X86_PAGE = 4096,
    X86_IDT = 0x1000,
    X86_GDT = 0x2000,
    X86_TSS = 0x2800,
    X86_HANDLERS = 0x3000,
    X86_SAVE = 0x4000,
    X86_STACK = 0x8000 - 512,
    X86_WINDOW = 0x8000,
    X86_READ_ONLY = 0xa000,
    X86_UNMAPPED = 0xb000,
    X86_TABLES = 0xc000,
    X86_CODE = 0x10000,
    X86_CODE_END = 0x1a000,
    X86_RESUME = 0x20000,
    X86_WINDOW_B = 0x34000,
    X86_ROOT_A = 0x36000,
    X86_ROOT_B = 0x3a000,
    X86_RAM = 0x40000,
};

// In the save area.
enum {
    X86_SUM = X86_SAVE,
    X86_CALLS = X86_SAVE + 8,
    X86_CODE_VA = X86_SAVE + 16,
    X86_MAIN_VA = X86_SAVE + 24,
    X86_TOP = X86_SAVE + 32,
    X86_CR3_A = X86_SAVE + 40,
    X86_CR3_B = X86_SAVE + 48,
};

// Selectors.
enum {
    X86_CODE64_0 = 0x10,
    X86_DATA_0 = 0x18,
    X86_CODE32_3 = 0x23,
    X86_DATA_3 = 0x2b,
    X86_CODE64_3 = 0x33,
    X86_CODE32_0 = 0x38,
    X86_TASK = 0x40,
    X86_DATA_BASED = 0x50, // base 0x10
    X86_DATA_SMALL = 0x58, // limit 0x8fff
    X86_DATA_ABSENT = 0x60,
};

// Registers that no random instruction writes: the stack; in 64-bit code also r13 and r14, which
// count loops, and r15, which points to the window; in 32-bit code ebp, the window. Loops are
// counted there in memory.
enum { X86_COUNTERS = 0x1f00 }; // in the window

struct x86_code {
    u8 *ram;
    u32 at, end;
    bool full;
};
void x86_put(struct x86_code *c, const void *bytes, unsigned n);
void x86_put32(struct x86_code *c, u32 v);
#define CODE(c, ...) x86_put(c, (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

// An instruction from the table that neither jumps nor leaves the program's own world.
void x86_item_random(struct x86_item *it, bool bits32, struct rng *r);
// Descriptors, gates, handlers, page tables, and the registers that go with them.
void x86_system(const struct shape *s, struct program *p, struct rng *r);

#endif
