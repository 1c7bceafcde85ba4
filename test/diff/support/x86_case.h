// Random x86_64 user-level instructions made from the guest's own table: what the differential test
// runs. A case is one instruction with its registers, flags and some memory around what it
// accesses.
#ifndef BERTH_TEST_DIFF_X86_CASE_H
#define BERTH_TEST_DIFF_X86_CASE_H

#include "guest/x86_64/decode.h"
#include "support/rv_case.h" // struct rng

// The address space that both sides make: nothing else is mapped below 4 GiB.
#define X86_CODE_AT   0x10000000u // two pages, read and execute, filled with int3
#define X86_WINDOW_AT 0x20001000u // two pages to read and write, then one only to read
enum { X86_WINDOW_RW = 2 * 4096, X86_WINDOW_ALL = 3 * 4096, X86_SPAN = 128 };

// x87's state as FXSAVE has it: registers by stack position.
struct x86_fpu {
    u64 sig[8];
    u16 se[8], cw, sw;
    u8 tag; // bit set: not empty
};

struct x86_case {
    u8 code[32]; // `len` bytes of it
    u8 len;
    u8 lead; // of these, an instruction before it that sets flags
    u16 row;
    bool bits32; // compatibility mode
    u32 at;      // where it stands: X86_CODE_AT + ...
    u64 r[16];
    u64 flags;    // status flags and DF
    u64 gs;       // base of GS
    u32 mem;      // address of mem_bytes, in the window
    u64 x[16][4]; // YMM
    u32 mxcsr;
    struct x86_fpu fpu;
    u64 undefined;      // flags that are not compared, when it went through
    u64 undefined_lead; // when it did not
    u8 mem_bytes[X86_SPAN];
};

// What came of it.
struct x86_result {
    u64 r[16], ip, flags, gs, cr2;
    u64 x[16][4]; // YMM
    u32 mxcsr;
    struct x86_fpu fpu;
    u32 vector, code; // exception (3: it went through), error code
    u8 mem_bytes[X86_SPAN];
};

// A row that is not run here, and why; NULL: it is.
const char *x86_case_excluded(enum x86_id row, bool bits32);
// Its result may differ from a processor's in the last bits.
bool x86_case_inexact(enum x86_id row);
// A case of this row; false when no encoding was found.
bool x86_case_random(struct x86_case *c, enum x86_id row, bool bits32, struct rng *r);

// Runs the cases on this machine's own CPU in a child; false with a message on stderr.
bool x86_hw_run(const struct x86_case *cases, struct x86_result *out, unsigned n);

// Our CPU with that address space.
struct x86_ours;
struct cpu_settings;
struct x86_ours *x86_ours_create(const struct cpu_settings *set);
void x86_ours_destroy(struct x86_ours *o);
void x86_ours_run(struct x86_ours *o, const struct x86_case *c, struct x86_result *out);
// How many instructions it has executed straight from their bytes.
u64 x86_ours_first(const struct x86_ours *o);

#endif
