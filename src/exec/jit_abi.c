// What emitted code calls, and where it finds the engine's variables. Depends on engine.h and the
// contract in emit/wasm/region.h. The exact types matter: WebAssembly checks them at each call.
#include <stdint.h>

#include "exec/jit.h"
#include "ir/ops.h"

// Where and when execution is: as place() of interp.c.
static void place_at(struct cpu *c, u64 pc, u32 info) {
    c->s->pc = pc;
    c->s->insn_index = info & 0xff;
    c->s->icount = c->run.icount + run_count(c);
}

static void heed(struct cpu *c) {
    if (!c->attention) return;
    end_run(c);
}

// The CPU whose code is running. Emitted code has its addresses in it, so it need not say whose it
// is; these functions must be told apart from those of other CPUs all the same.
static _Thread_local struct cpu *running;

void jit_enter(struct cpu *c) { running = c; }

enum { INFO_BYTES = 8, INFO_WRITE = 16, INFO_LEAVE };

// Would the access, which has changed nothing yet and may be left to the interpreter, write code?
static bool leaves(struct cpu *c, u64 va, unsigned bytes, u32 info) {
    return info >> INFO_LEAVE & 1 && mem_writes_code(c, va, bytes);
}

static u32 slow_load(u64 pc, u64 va, u32 info) {
    struct cpu *c = running;
    unsigned bytes = info >> INFO_BYTES & 15;
    if (leaves(c, va, bytes, info)) return 1;
    place_at(c, pc, info);
    if (!mem_load(c, va, bytes, info >> INFO_WRITE & 1, &c->run.datum)) return 0;
    heed(c);
    return (u32)(uintptr_t)&c->run.datum;
}

static u32 slow_store(u64 pc, u64 va, u64 val, u32 info) {
    struct cpu *c = running;
    unsigned bytes = info >> INFO_BYTES & 15;
    if (leaves(c, va, bytes, info)) return 1;
    place_at(c, pc, info);
    if (!mem_store(c, va, bytes, val)) return 0;
    heed(c);
    return (u32)(uintptr_t)&c->run.sink;
}

static u32 slow_loadv(u64 pc, u64 va, u32 info) {
    struct cpu *c = running;
    u64 lo, hi;
    place_at(c, pc, info);
    if (!mem_load(c, va, 8, false, &lo) || !mem_load(c, va + 8, 8, false, &hi)) return 0;
    heed(c);
    c->run.vector = (v128){lo, hi};
    return (u32)(uintptr_t)&c->run.vector;
}

// The value is in run.vector. Both halves must be writable before one is written.
static u32 slow_storev(u64 pc, u64 va, u32 info) {
    struct cpu *c = running;
    u64 old;
    if (leaves(c, va, 16, info)) return 1;
    place_at(c, pc, info);
    if (!mem_load(c, va, 8, true, &old) || !mem_load(c, va + 8, 8, true, &old)) return 0;
    if (!mem_store(c, va, 8, c->run.vector[0]) || !mem_store(c, va + 8, 8, c->run.vector[1]))
        return 0;
    heed(c);
    return (u32)(uintptr_t)&c->run.vector;
}

static void raise_trap(u64 pc, u64 tval, u64 cause, u32 info) {
    place_at(running, pc, info);
    guest_raise(running->s, cause, tval);
}

static void place_call(u64 pc, u32 info) { place_at(running, pc, info); }

static void heed_call(u64 unused, u32 unused2) {
    (void)unused, (void)unused2;
    heed(running);
}

// Is the page at host address `host` what instructions at va are fetched from?
static u32 guard(u64 va, u32 host) {
    gpa pa;
    bool fault;
    u64 cause;
    u8 *page = mem_page(running, va, ACCESS_EXEC, &pa, &fault, &cause);
    return (u32)(uintptr_t)page == host;
}

// An instruction that may have changed anything is complete, and all state in memory. What the run
// loop does then (interp.c, "left" and "relook"), or false, with how translated code is to be left.
static ALWAYS_INLINE bool go_on(struct cpu *c) {
    c->run.how = REGION_LEAVE;
    if (c->attention || c->s->stop || c->run.budget <= 0) return false;
    c->s->icount = c->run.icount + run_count(c);
    c->s->insn_index = 0;
    settle(c);
    c->run.how = REGION_LEFT;
    return true;
}

// May the code go on at `pc` as it is?
static u32 stay(u64 pc, u32 unused) {
    struct cpu *c = running;
    (void)unused;
    const struct tlb_context *cur = c->tlb.cur;
    u64 mix = c->run.mix;
    bool flushed = c->tlb.flushed;
    if (!go_on(c)) return 0;
    return c->s->pc == pc && !flushed && c->tlb.cur == cur && c->run.mix == mix;
}

// The translation of the code at state.pc, if a jump has found it before; 0: none.
static u32 function_at_pc(const struct cpu *c) {
    gva pc = c->s->pc;
    const struct jump_entry *e = &c->jumps[(pc >> 1) & ((1u << JUMPS_BITS) - 1)];
    return e->tag == (pc ^ c->run.mix) && jump_canonical(pc) ? e->function : 0;
}

// More privileged code was called: the function to call, in frames of its own (REGION_INNER_DEPTH),
// or 0 for the run loop. The caller's frames stay below it. They know nothing of another address
// space or privilege, so control comes back to them through go_back only, and only if no
// translation that they may have in locals was flushed meanwhile.
static u32 go_in(u64 unused, u32 unused2) {
    struct cpu *c = running;
    (void)unused, (void)unused2;
    u64 mix = c->run.mix, elsewhere = c->tlb.elsewhere;
    bool flushed = c->tlb.flushed;
    if (!go_on(c)) return 0;
    u32 f = function_at_pc(c);
    if (!f || flushed || c->run.inner) return 0;
    c->run.inner = INNER_CALLED;
    c->run.inner_mix = mix;
    c->run.inner_elsewhere = elsewhere;
    return f;
}

// More privileged code has returned. 1: to the frame that called it, which is right below and looks
// at state.pc; else the function to go on with where there are no frames; 0: to the run loop.
static u32 go_back(u64 unused, u32 depth) {
    struct cpu *c = running;
    (void)unused;
    bool flushed = c->tlb.flushed;
    if (!go_on(c)) return 0;
    if (depth == REGION_DEPTH) return function_at_pc(c);
    bool back = depth == REGION_INNER_DEPTH && c->run.inner == INNER_CALLED && !flushed &&
                c->run.mix == c->run.inner_mix && c->tlb.elsewhere == c->run.inner_elsewhere;
    if (back) c->run.inner = INNER_RETURNED;
    return back;
}

// Translated code leaves as run.how says. For an exception, where no frames would be lost: delivers
// it as the run loop does (interp_loop.def, "faulted"); the handler's function, to go on with
// there. 0: to the run loop.
static u32 go_raised(u64 unused, u32 depth) {
    struct cpu *c = running;
    struct guest_state *s = c->s;
    (void)unused;
    if (c->run.how != REGION_FAULT || depth != REGION_DEPTH || c->attention || s->stop ||
        c->run.budget <= (i64)s->insn_index + 1)
        return 0;
    c->run.budget -= s->insn_index;
    s->icount = c->run.icount + run_count(c);
    c->run.budget--;
    c->run.start--;
    c->run.raised++;
    deliver(c);
    c->run.how = REGION_RAISED;
    if (c->attention || s->stop) return 0;
    look_again(c);
    return function_at_pc(c);
}

// Stands in for what is not translated: state.pc says where to go on.
static i32 absent(u64 page, i32 budget, i32 depth) {
    struct cpu *c = running;
    (void)page, (void)depth;
    c->run.budget = budget;
    c->run.how = REGION_JUMP;
    c->run.region = 0;
    return 0;
}

u32 jit_absent(void) { return (u32)(uintptr_t)absent; }

u32 jit_memory_pages(void) {
#ifdef __wasm__
    return (u32)__builtin_wasm_memory_size(0);
#else
    return 1;
#endif
}

// Integer operations as functions, for those that WebAssembly lacks.
#define CT_I32 u32
#define CT_I64 u64
#define FALLBACK(n, ty, e)                                                                         \
    static u64 op_##n(u64 x, u64 y) {                                                              \
        CT_##ty a = (CT_##ty)x, b = (CT_##ty)y;                                                    \
        (void)b;                                                                                   \
        return (u64)(e);                                                                           \
    }
#define FALLBACKS                                                                                  \
    FALLBACK_ROW(BSWAP64, I64, __builtin_bswap64(a))                                               \
    FALLBACK_ROW(BSWAP32, I32, __builtin_bswap32(a))                                               \
    FALLBACK_ROW(ORCB64, I64, ir_orcb64(a))
#define FALLBACK_ROW FALLBACK
FALLBACKS
#undef FALLBACK_ROW

static u32 fallback(enum ir_op op) {
    switch (op) {
#define FALLBACK_ROW(n, ty, e)                                                                     \
    case IR_##n:                                                                                   \
        return (u32)(uintptr_t)op_##n;
        FALLBACKS
#undef FALLBACK_ROW
    default:
        return 0;
    }
}

static u32 helper_function(const void *arg, unsigned index) {
    const struct cpu *c = arg;
    return (u32)(uintptr_t)c->arch->helpers[index].fn;
}

#define AT(x) ((u32)(uintptr_t) & (x))
#define FN(f) ((u32)(uintptr_t)(f))

void jit_fill_abi(struct cpu *c, struct region_abi *abi) {
    *abi = (struct region_abi){
        .state = FN(c->s),
        .pc_cell = offsetof(struct guest_state, pc),
        .exc = AT(c->s->exc),
        .attention = AT(c->attention),
        .budget = AT(c->run.budget),
        .how = AT(c->run.how),
        .region = AT(c->run.region),
        .mix = AT(c->run.mix),
        .inner = AT(c->run.inner),
        .tlb_cur = AT(c->tlb.cur),
        .tlb_r = offsetof(struct tlb_context, r),
        .tlb_w = offsetof(struct tlb_context, w),
        .tlb_x = offsetof(struct tlb_context, x),
        .windows = offsetof(struct tlb_context, windows),
        .window_size = sizeof(struct tlb_window),
        .missed = AT(c->run.missed),
        .missed_window = AT(c->run.window),
        .tlb_slots = TLB_SIZE,
        .jumps = FN(c->jumps),
        .jump_mask = (1u << JUMPS_BITS) - 1,
        .jump_bits = JUMP_TAG_SHIFT,
        .vector = AT(c->run.vector),
        .operands = FN(c->run.operands),
        .inexact = FN(c->s) + c->arch->inexact_cell,
        .inexact_mask = c->arch->inexact_mask,
        .inexact_bit = c->arch->inexact_bit,
        .boxed = c->arch->boxed,
        .denormals = c->arch->denormals,
        .slow_load = FN(slow_load),
        .slow_store = FN(slow_store),
        .slow_loadv = FN(slow_loadv),
        .slow_storev = FN(slow_storev),
        .raise = FN(raise_trap),
        .place = FN(place_call),
        .heed = FN(heed_call),
        .guard = FN(guard),
        .stay = FN(stay),
        .go_in = FN(go_in),
        .go_back = FN(go_back),
        .go_raised = FN(go_raised),
        .fallback = fallback,
        .helper = helper_function,
        .arg = c,

        .passes = {.calls = !(c->set.disabled & PASS_CALLS),
                   .floats = !(c->set.disabled & PASS_FLOAT),
                   .hints = !(c->set.disabled & PASS_HINTS),
                   .pages = !(c->set.disabled & PASS_PAGES),
                   .narrow = !(c->set.disabled & PASS_NARROW)},
        .memory_pages = 1,
    };
}
