// Inside of a CPU: shared by the files of exec/, nobody else.
#ifndef BERTH_EXEC_ENGINE_H
#define BERTH_EXEC_ENGINE_H

#include "base/compiler.h"
#include "exec/cpu.h"
#include "exec/tlb.h"
#include "exec/uop.h"
#include "guest/guest.h"
#include "ir/eval.h"

enum {
    DEFAULT_BLOCK_INSNS = 64,
    BLOCK_UOPS = 1536,    // most uops a block is lowered to
    ARENA_UOPS = 1 << 21, // 32 MiB, in a ring of segments (forget.c)
    ARENA_SEGMENTS = 16,
    TINY_SEGMENT_UOPS = 2048, // torture
    ARENA_FIRST = 16,         // index 0 means none
    HASH_BITS = 18,           // chains of blocks by physical address
    JUMPS_BITS = 16,          // entries of the jump cache
    HDR_UOPS = 2,             // a block's header occupies that many uops before its first
    SAMPLE_EXITS = 32,        // exits of translated code that weigh as much as a sample
    LOOSE_BYTES = 16, // key of an instruction that crosses pages: its bytes, zeros after them
};

// Stands before a block's uops in the arena.
struct block {
    u32 hash_next; // arena indices of headers, 0 = none
    u32 ppn;       // physical page relative to RAM; LOOSE: of none
    u16 start;     // offset in the page
    u8 mode;
    u8 heat; // samples that found it running (jit_choose.c)
    u16 uops;
    u8 called : 1; // something calls it: a function starts here
    u8 jumped : 1; // a computed jump that is neither call nor return leads here
    u8 tried : 1;  // is no part of the function before it (jit_choose.c)
    u8 failed : 3; // when it was hot nothing was found to translate
    u8 taken : 1;  // into a translation, now or before
    u8 heated;     // when heat was counted last
    union {
        struct {
            u32 page_next;
            u32 bytes; // guest bytes it was made from, all in the page
        };
        u8 code[LOOSE_BYTES]; // LOOSE: the bytes of the one instruction
    };
};
_Static_assert(sizeof(struct block) == HDR_UOPS * sizeof(struct uop), "header fits its uops");

#define PPN_LOOSE 0xffffffffu

typedef i32 (*region_fn)(u64 page, i32 budget, i32 depth); // emit/wasm/region.h

// A physical page that holds decoded code.
struct code_page {
    u64 bytes[4096 / 64]; // bit set: this byte belongs to a decoded instruction; read by first_next
    u32 blocks;  // arena index of the first header
    u32 regions; // translations with bytes in it, and slots of addresses in it (jit.c)
    u32 entries;
    bool swept;                // forget.c: dead blocks were taken out
    u16 written;               // where code was written last
    u64 called[4096 / 2 / 64]; // bit set: a function starts in these two bytes, or did
};

struct jump_entry {
    u64 tag;      // va ^ context and mode (tlb.h)
    u32 index;    // arena index of the first uop
    u32 function; // table index of its translation, 0 = none (read by emitted code)
};

// Why no block could be found to go on with.
enum no_block {
    NO_BLOCK_RAISED,  // an exception before any instruction
    NO_BLOCK_FAULTED, // one inside of a block
    NO_BLOCK_LEFT,    // an instruction that may have changed anything is done
    NO_BLOCK_SPENT,   // the budget was used up on the way
};

struct cpu {
    const struct guest_arch *arch;
    struct guest_state *s;
    struct bus *bus;
    struct cpu_board board;
    struct cpu_settings set;
    u8 helper_effects[256];
    u8 helper_fast[256]; // enum ir_fast

    struct tlb tlb;
    bool attention; // an interrupt line, a stop or an invalidation: leave the loop at the next exit
    bool stop_requested;

    // The interpreter's state during a run.
    struct {
        i64 budget;       // instructions left
        i64 start;        // at entry
        i64 more;         // of the budget, beyond the next sample (jit_choose.c)
        i64 sample;       // instructions between samples
        u32 samples;      // until the run ends if it is interpreted
        u32 exits;        // of translated code
        i64 stash;        // set aside so that the run ends at the next exit
        u64 icount;       // state.icount at entry
        u64 page;         // guest address of the page being executed: what pcrel is relative to
        u64 mix;          // what tags of the jump cache are mixed with in this context
        u64 cause, tval;  // of the exception that guest_raise noted (state.exc)
        u64 datum;        // of a slow load
        u64 sink;         // where translated code repeats a store that the slow path did
        u32 raised;       // exceptions, charged like instructions but not counted as such
        u32 no_block;     // enum no_block
        u32 last;         // arena index of the block where the budget ran out, 0 elsewhere
        u32 how;          // enum region_exit, when translated code has unwound
        u32 region;       // the one it was in
        u64 missed;       // of a region with windows: address of the access that left it
        u32 window;       // and 1 + its window, if it is at most TLB_WINDOWS
        bool interp_only; // translations are not used in this run
        // A call of more privileged code (jit_abi.c): with which mix it will have returned.
        u32 inner; // enum region_inner
        u64 inner_mix;
        u64 inner_elsewhere; // as tlb.elsewhere was
        v128 vector;         // of a slow vector access
        v128 operands[3];    // of a helper that takes vectors
    } run;

    // Code cache.
    struct uop *arena;
    u32 arena_used;
    u32 arena_generation;            // changes when blocks were evicted: indices may be another's
    u32 segment_uops, nsegments;     // the ring
    u32 segment;                     // being filled
    u32 segment_end[ARENA_SEGMENTS]; // how far the others are filled, 0 = empty
    u32 *hash;
    struct code_page **pages; // by physical page of RAM
    u64 npages;
    struct jump_entry *jumps;
    struct ir_block ir; // scratch
    u8 *seen;           // how often code was executed from its bytes (first.c); NULL: never
    u32 first_runs;     // when that is enough

    struct jit *jit; // NULL: interpreter only

    struct cpu_stats stats;
};

// ---- dump.c: to cpu_settings.trace, when the settings ask for it (tested by the caller)
void dump_block(struct cpu *c, gva pc, const struct ir_block *b);
void dump_uops(struct cpu *c, u32 index, unsigned n);
void dump_trap(struct cpu *c, const char *what, u64 cause, u64 tval);
void dump_text(struct cpu *c, enum cpu_dump bit, const char *fmt, ...) PRINTF_LIKE(3, 4);
void dump_bytes(struct cpu *c, enum cpu_dump bit, const void *p, size_t n);

// ---- memory.c
// Host address of the page of `va` for `access` through the TLB, filling it. NULL: MMIO (*pa is
// set, *fault false) or a fault (*fault true, *cause set; nothing raised).
u8 *mem_page(struct cpu *c, gva va, enum guest_access access, gpa *pa, bool *fault, u64 *cause);
// The access as a guest makes it, any alignment. False: an exception was raised.
bool mem_load(struct cpu *c, gva va, unsigned size, bool for_write, u64 *val);
bool mem_store(struct cpu *c, gva va, unsigned size, u64 val);
// Would a store there write bytes of decoded code? Also when it would fault, no: nothing is raised.
bool mem_writes_code(struct cpu *c, gva va, unsigned size);

// ---- first.c
// Arena index of the block to go on with at state.pc, having executed code from its bytes as long
// as that is better than decoding it, from pc on, which was reached by `way`. 0: there is none, and
// run.no_block says why.
u32 first_go(struct cpu *c, gva pc, enum first_end way);
bool first_init(struct cpu *c, struct err *err);
void first_free(struct cpu *c);

// ---- code.c
// Host address of the code at `pc`; NULL: raised, by the instruction at fault_pc.
u8 *code_fetch(struct cpu *c, gva pc, gva fault_pc);
// Decodes the block at `pc`, whose bytes are at `code`, for a code mode; there is none yet. 0:
// raised.
u32 code_make(struct cpu *c, gva pc, u32 mode, const u8 *code);
// Lifts the block at `pc`: 1, or 0 when an exception was raised. *ppn: its page, PPN_LOOSE for an
// instruction that crosses into the next page, whose bytes are then in `bytes`.
int code_lift(struct cpu *c, gva pc, u32 mode, unsigned max_insns, u32 *ppn, u8 bytes[LOOSE_BYTES]);
// Arena index of the block at `pc` in the current context, decoding when new; 0: an exception was
// raised.
u32 code_at(struct cpu *c, gva pc);
// The decoded block there, or 0.
u32 code_find(struct cpu *c, u32 ppn, u16 start, u32 mode);
void code_unhash(struct cpu *c, u32 index);

// ---- forget.c
// Room for one more block; may evict others (arena_generation).
void code_make_room(struct cpu *c);
// RAM was written (by a device or through a slow entry): forgets blocks made from these bytes.
void code_written(struct cpu *c, gpa pa, u64 len);
bool code_is_at(const struct cpu *c, gpa pa, u32 len); // are bytes in one page of RAM code?
void code_flush(struct cpu *c);                        // everything goes; not from inside a run
bool code_init(struct cpu *c, struct err *err);
void code_free(struct cpu *c);
void code_forget_jumps(struct cpu *c); // empties the jump cache

// ---- code.c
// Lifts the block at `rel` of the page at host address `page` into c->ir; false: it crosses the
// end.
bool code_lift_in_page(struct cpu *c, const u8 *page, i32 rel, u32 mode, unsigned max_insns);
u32 code_block_bytes(const struct ir_block *b);           // guest bytes of a lifted block
void code_mark(struct cpu *c, u32 ppn, u32 off, u32 len); // bytes of a page with code are code
// Delivers the exception that was noted: state.pc becomes the handler's. state.icount has all
// instructions that are done.
static inline void deliver(struct cpu *c) {
    c->stats.traps++;
    c->s->exc = false;
    c->s->insn_index = 0;
    if (unlikely(c->set.dump & DUMP_TRAPS)) dump_trap(c, "exception", c->run.cause, c->run.tval);
    c->arch->raise(c->s, c->run.cause, c->run.tval);
}
static inline void count_interrupt(struct cpu *c, gva pc) {
    c->stats.traps++;
    c->stats.interrupts++;
    if (unlikely(c->set.dump & DUMP_TRAPS)) dump_trap(c, "interrupt", 0, pc);
}
// Takes the most urgent interrupt that is enabled and pending, if any. Engines do this where an
// instruction that may have changed anything is complete, and the run loop between runs.
static inline void take_interrupt(struct cpu *c) {
    gva pc = c->s->pc;
    if (c->arch->take_interrupt(c->s)) count_interrupt(c, pc);
}
static inline struct block *block_of(struct cpu *c, u32 index) {
    return (struct block *)(void *)&c->arena[index - HDR_UOPS];
}
// Something calls the block.
static inline void code_called(struct cpu *c, u32 index) {
    struct block *k = block_of(c, index);
    if (k->ppn == PPN_LOOSE) return;
    k->called = true;
    c->pages[k->ppn]->called[k->start / 128] |= (u64)1 << k->start / 2 % 64;
}

// What tags of the jump cache are mixed with now.
static inline u64 mix_for(const struct cpu *c, u32 mode) {
    return (c->tlb.cur->jumps << JUMP_MODE_BITS | mode) << JUMP_TAG_SHIFT;
}
static inline u64 jump_mix(const struct cpu *c) { return mix_for(c, c->arch->code_mode(c->s)); }

// The state may have changed in any way: the context and what tags are mixed with follow it.
static inline void look_with(struct cpu *c, const struct guest_view *v) {
    if (unlikely(c->tlb.jumps_wrapped)) {
        code_forget_jumps(c);
        c->tlb.jumps_wrapped = false;
    }
    tlb_switch(&c->tlb, v->key);
    c->tlb.flushed = false;
    c->run.mix = mix_for(c, v->mode);
}
static inline void look_again(struct cpu *c) {
    struct guest_view v;
    if (c->arch->view)
        c->arch->view(c->s, &v);
    else
        v = (struct guest_view){c->arch->tlb_key(c->s), c->arch->code_mode(c->s)};
    look_with(c, &v);
}
// The same after an interrupt was taken, if there is one.
static inline void settle(struct cpu *c) {
    struct guest_view v;
    gva pc = c->s->pc;
    if (!c->arch->settle) {
        take_interrupt(c);
        look_again(c);
        return;
    }
    if (unlikely(c->arch->settle(c->s, &v))) count_interrupt(c, pc);
    look_with(c, &v);
}

// ---- cpu.c
// Between two runs: wakes an idle CPU when an interrupt is pending and takes it. False: still idle.
bool cpu_look(struct cpu *c);
// The state in the form in which equal states are equal bytes, in `room` or where it is.
struct cpu_canonical {
    _Alignas(16) u8 bytes[1 << 13];
};
const u8 *cpu_canonical(const struct cpu *c, struct cpu_canonical *room);

// ---- jit.c
bool jit_init(struct cpu *c, struct err *err); // when the settings ask for it
void jit_free(struct cpu *c);
// After a run: notes where it ended (run.last, run.region), translates what is hot.
void jit_sample(struct cpu *c);
// Translated code was left. Where it goes on is a sample, too, now and then: what is short (a stub,
// the way back from a system call) is found by no other, and costs the wasm frames of all callers.
static inline void jit_count_exit(struct cpu *c) {
    if (++c->run.exits % SAMPLE_EXITS) return;
    c->run.more += c->run.budget;
    c->run.budget = 0;
    c->run.samples++;
}
// Translated code (run.region) was left at state.pc for an access that the TLB did not know, `done`
// instructions into a block: the rest of that block as uops, valid until the run ends; NULL: like
// any code. gone: the translation is.
const struct uop *jit_missed(struct cpu *c, u32 done, bool *gone);
// The interpreter's budget ended before the block run.last, at state.pc: a sample. True: there is
// more of it, and what is translated may have changed.
bool jit_pause(struct cpu *c);
// The entry block of a translation as uops, for when it must be interpreted; valid until the run
// ends.
const struct uop *jit_shadow(struct cpu *c, u32 region);
u32 jit_slice(const struct cpu *c); // how many instructions to run next at most
// Before a run that may use translations: instructions between samples.
i64 jit_start(struct cpu *c);
// The next run is to be interpreted, and notes its accesses; *most: instructions.
bool watch_slice(struct cpu *c, u64 *most);
// A load or store in a context that is closed (tlb.h), by the instruction at state.pc.
void watch_note(struct cpu *c, u64 va, bool write);
void jit_enter(struct cpu *c); // it is this CPU whose translations run next
void jit_drop_page(struct cpu *c, struct code_page *p);
// The block at arena index `block` was decoded (again): its translation, if it lives, is its first
// uop.
void jit_decoded(struct cpu *c, u32 block);

// The run ends at the next exit: the rest of its budget is set aside.
static inline void end_run(struct cpu *c) {
    c->run.stash += c->run.budget + c->run.more;
    c->run.budget = c->run.more = 0;
}
// Instructions of this run so far, whole blocks only.
static inline u64 run_count(const struct cpu *c) {
    return (u64)(c->run.start - (c->run.budget + c->run.more + c->run.stash));
}
// `rest` instructions are left of the run, `now` of them until the next sample is taken.
static inline void split_budget(struct cpu *c, i64 rest, i64 now) {
    if (now > rest) now = rest;
    c->run.budget = now;
    c->run.more = rest - now;
}

// ---- interp.c, cpu.c
// Runs from state.pc until the budget is used, attention or leave-worthy events; returns
// instructions.
u64 interp_run(struct cpu *c, u32 budget);
u64 eval_run(struct cpu *c, u32 budget);
// Evaluates the lifted block c->ir, which is at pc.
struct ir_exit eval_block(struct cpu *c, gva pc);

#endif
