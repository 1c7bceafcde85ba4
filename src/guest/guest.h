// What a guest architecture provides to the engines, and what the engines provide to its helpers.
#ifndef BERTH_GUEST_GUEST_H
#define BERTH_GUEST_GUEST_H

#include "base/types.h"
#include "exec/cpu.h"
#include "guest/first.h"
#include "ir/ir.h"
#include "ir/value.h"
#include "mem/bus.h"

enum { GUEST_TEMPS = 48, GUEST_VTEMPS = 16 };

// Head of every architecture's state, which follows in the same allocation. Cells that IR touches
// are u64 (or v128) and addressed by byte offset from here. 16-byte aligned.
struct guest_state {
    u64 zero;             // always 0
    u64 pc;               // current outside of blocks and for helpers that ask (HELPER_PC)
    u64 tmp[GUEST_TEMPS]; // scratch cells of the engines
    v128 vtmp[GUEST_VTEMPS];
    // The rest is not touched by IR.
    u64 icount;     // instructions retired before the current block
    u32 insn_index; // instructions of the current block done before this one (HELPER_PC)
    bool exc;       // a helper raised an exception (guest_raise), which the engine delivers
    bool stop;      // leave the run loop (cpu_request_stop, idle, halt); checked at block ends
    bool idle;      // WFI: set by a helper, cleared by the engine
    bool halted;
    struct cpu *cpu;
    struct bus *bus;
    const struct cpu_board *board;
    const struct log *log;
};

// Four cells behind the head, of guests with lazy flags: what kind of operation was the last (a
// constant wherever it is set), its result, and two values. The interpreter sets them together.
enum { GUEST_FLAGS = sizeof(struct guest_state), GUEST_FLAG_CELLS = 4 };
enum guest_flag_cell { FLAG_KIND, FLAG_RESULT, FLAG_A, FLAG_B };

typedef u64 (*guest_helper_fn)(struct guest_state *s, u64 a, u64 b, u64 c, u64 imm);

struct guest_helper {
    const char *name;
    guest_helper_fn fn;
    u8 effects; // HELPER_*
    u8 fast;    // enum ir_fast (ir.h)
};

enum guest_access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

struct guest_translation {
    gpa pa; // of the address itself
    // What the TLB may cache for the whole 4 KiB page under the current context. write is false
    // when a first write must come back here (dirty bit), read when each must.
    bool read, write, exec;
    bool global; // the same in every address space of this privilege
};

// What code and translations that are kept depend on now.
struct guest_view {
    u64 key;  // tlb_key
    u32 mode; // code_mode
};

enum { LIFT_SHORT = 0 }; // the instruction needs more bytes than were given

struct guest_arch {
    const char *name; // "riscv64"
    u32 state_size;   // sizeof the architecture's state, head included
    // The part of the state, beside pc, that is the same in engines that agree (cpu_hash).
    u32 compare_from, compare_to;
    // Brings a copy of the state to the form in which equal states are equal bytes. May be NULL.
    void (*canonical)(struct guest_state *copy);
    unsigned max_insn; // longest instruction in bytes
    bool open_bus;     // where nothing is, reads give all ones and writes go nowhere (no bus_fault)
    bool lazy_flags;   // GUEST_FLAGS are flags, whose sets are mostly never seen
    bool hot_kernel;   // samples of the kernel count twice (exec/jit_choose.c)
    struct ir_flags flags; // and how translated code may keep them shorter
    const struct guest_helper *helpers;
    unsigned nhelpers;
    // For helpers with `fast`: where a u32 in the state says that the sticky inexact flag is set,
    // and what it is then under the mask. If that is FAST_RANGE under a mask of ones, and 0
    // otherwise, emitted code asks with one comparison whether results are normal too.
    u32 inexact_cell, inexact_mask, inexact_bit;
    bool boxed;     // singles are NaN-boxed; else they are the lower half, the upper being anything
    bool denormals; // denormal operands raise a flag; what a helper returns is none while the word
                    // above says so

    void (*reset)(struct guest_state *s);
    void (*boot)(struct guest_state *s, gva pc, u64 arg0, u64 arg1);

    // Appends the meaning of the instruction at `code` (`avail` bytes readable), which lies at
    // pcrel `rel`. Returns its length or LIFT_SHORT (nothing emitted). Calls ir_insn_start first.
    // Ends the block (ir_jump, ...) when the instruction does. An instruction it does not know
    // raises the guest's illegal-instruction exception. Must not depend on anything but the bytes
    // and `mode`.
    unsigned (*lift)(struct ir_block *b, const u8 *code, unsigned avail, i32 rel, u32 mode);
    // Executes instructions at f->code as lifted code would, to the block's end or the first one
    // that it does not know; what it may not know is anything. Updates pc, code, room and done. May
    // be NULL.
    enum first_end (*first)(struct guest_state *s, struct guest_first *f);
    // What lifted code depends on besides its bytes: a small number (0..31) from the state.
    u32 (*code_mode)(const struct guest_state *s);
    // What cached translations depend on: equal keys, equal translations (until a flush).
    u64 (*tlb_key)(const struct guest_state *s);
    // The key's bits that name the address space: global translations do not depend on them.
    u64 tlb_space;

    // Walks the page tables (setting accessed and dirty bits). False: the access is not allowed and
    // *cause says which exception it is; nothing was raised.
    bool (*translate)(struct guest_state *s, gva va, enum guest_access access,
                      struct guest_translation *out, u64 *cause);
    // The exception for a physical address where there is nothing.
    u64 (*bus_fault)(enum guest_access access);
    // Raises an exception at state.pc: afterwards state.pc is the handler's.
    void (*raise)(struct guest_state *s, u64 cause, u64 tval);

    // Takes the most urgent enabled pending interrupt, if any: true when pc changed.
    bool (*take_interrupt)(struct guest_state *s);
    // What tlb_key and code_mode say, in one call; the same after take_interrupt: every system call
    // does that twice. May be NULL.
    void (*view)(const struct guest_state *s, struct guest_view *view);
    bool (*settle)(struct guest_state *s, struct guest_view *view);
    // An interrupt that ends WFI is pending (updates timers from board time).
    bool (*interrupt_pending)(struct guest_state *s);
    void (*set_irq)(struct guest_state *s, unsigned line, bool level);
    u64 (*next_timer)(const struct guest_state *s); // board time, ~0 none

    size_t (*describe)(const struct guest_state *s, char *buf, size_t cap);
    // One instruction as text for dumps; returns its length, 0 when too short.
    unsigned (*disassemble)(const u8 *code, unsigned avail, gva pc, char *buf, size_t cap);
};

extern const struct guest_arch guest_riscv64;
extern const struct guest_arch guest_x86_64;

// ---- services of the engine, for helpers
// A guest access by a helper. False: an exception was raised (state.exc is set), return at once.
bool guest_load(struct guest_state *s, gva va, unsigned size, u64 *val);
bool guest_store(struct guest_state *s, gva va, unsigned size, u64 val);
// As guest_load, but faults as a write would.
bool guest_load_for_write(struct guest_state *s, gva va, unsigned size, u64 *val);
// Host address of `va` when its page is plain memory that may be accessed so right now, for bulk
// work inside the page; NULL otherwise: raises nothing. What was written is told (it may be code).
// Whether it is NULL is the same in every engine.
u8 *guest_host_page(struct guest_state *s, gva va, enum guest_access access);
void guest_host_written(struct guest_state *s, const u8 *p, u64 len);
// The same where the TLB knows the page and what is written need not be told; else NULL.
u8 *guest_host_hit(struct guest_state *s, gva va, enum guest_access access);
// An access that the CPU makes itself, with the translations of `key` (as tlb_key would say while
// it is made), which need not be those of the code that runs: the host address of `va`, NULL where
// there is no memory. False: *cause says which exception it is; nothing was raised.
bool guest_own_page(struct guest_state *s, u64 key, gva va, enum guest_access access, u8 **host,
                    u64 *cause);
// As guest_host_hit.
u8 *guest_own_hit(struct guest_state *s, u64 key, gva va, enum guest_access access);
// Notes an exception at state.pc: the helper returns, then the engine calls the architecture's
// raise, with all state in memory.
void guest_raise(struct guest_state *s, u64 cause, u64 tval);
// Forget translations: all, those of one address, or those whose key matches under a mask (with a
// mask of 0 all keys; else global ones may stay).
void guest_tlb_flush(struct guest_state *s);
void guest_tlb_flush_page(struct guest_state *s, gva va, u64 key, u64 mask);
void guest_tlb_flush_key(struct guest_state *s, u64 key, u64 mask);
// The guest executed a barrier for instruction fetch (fence.i). Stores to code are already tracked.
void guest_code_barrier(struct guest_state *s);
// When the next timer interrupt is due has changed (next_timer). From helpers with HELPER_MODE.
void guest_timer_changed(struct guest_state *s);
u64 guest_icount(const struct guest_state *s); // exact inside helpers with HELPER_PC

#endif
