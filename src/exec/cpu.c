// A CPU: creation, the run loop around an engine, interrupts and idling. Depends on everything in
// exec/. One thread owns a CPU; callbacks of the board come only from cpu_run.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"
#include "ir/eval.h"

enum {
    SLICE_INSNS = 65536,     // between looks at timers
    OVERSHOOT_INSNS = 16384, // translated code may run longer than its budget by so much
};

static void ram_written(void *arg, gpa pa, u64 len) { code_written(arg, pa, len); }

struct cpu *cpu_create(const struct guest_arch *arch, struct bus *bus,
                       const struct cpu_board *board, const struct cpu_settings *settings,
                       struct err *err) {
    struct cpu *c = calloc(1, sizeof *c);
    void *state = c ? aligned_alloc(64, (arch->state_size + 63) & ~(size_t)63) : NULL;
    if (!state) {
        free(c);
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    memset(state, 0, arch->state_size);
    c->arch = arch;
    c->bus = bus;
    c->board = *board;
    c->set = *settings;
    if (!c->set.max_block_insns) c->set.max_block_insns = DEFAULT_BLOCK_INSNS;
    c->s = state;
    c->s->cpu = c;
    c->s->bus = bus;
    c->s->board = &c->board;
    c->s->log = c->set.log;
    assert(arch->nhelpers <= ARRAY_LEN(c->helper_effects));
    for (unsigned i = 0; i < arch->nhelpers; i++) c->helper_effects[i] = arch->helpers[i].effects;
    u64 pages = bus_ram_size(bus) >> GUEST_PAGE_SHIFT;
    if (!tlb_init(&c->tlb, c->set.tlb_bits ? 1u << c->set.tlb_bits : 0, arch->tlb_space, pages)) {
        err_set(err, ERR_NOMEM, "out of memory");
        cpu_destroy(c);
        return NULL;
    }
    if (!code_init(c, err) || !first_init(c, err) || !jit_init(c, err)) {
        cpu_destroy(c);
        return NULL;
    }
    bus_set_watcher(bus, ram_written, c);
    arch->reset(c->s);
    return c;
}

void cpu_destroy(struct cpu *c) {
    if (!c) return;
    bus_set_watcher(c->bus, NULL, NULL);
    code_free(c);
    first_free(c);
    jit_free(c);
    tlb_free(&c->tlb);
    free(c->s);
    free(c);
}

void cpu_boot(struct cpu *c, gva pc, u64 arg0, u64 arg1) {
    c->s->halted = c->s->idle = c->s->stop = c->s->exc = false;
    c->arch->reset(c->s);
    c->arch->boot(c->s, pc, arg0, arg1);
    tlb_flush_all(&c->tlb);
}

// ---- the evaluator as an engine

static bool eval_load(void *arg, u64 va, unsigned size, bool for_write, u64 *val) {
    return mem_load(arg, va, size, for_write, val);
}

static bool eval_store(void *arg, u64 va, unsigned size, u64 val) {
    return mem_store(arg, va, size, val);
}

static bool eval_call(void *arg, unsigned helper, u64 a, u64 b, u64 x, u64 imm, u64 *result) {
    struct cpu *c = arg;
    *result = c->arch->helpers[helper].fn(c->s, a, b, x, imm);
    return !c->s->exc;
}

static void eval_trap(void *arg, u64 cause, u64 tval) {
    struct cpu *c = arg;
    guest_raise(c->s, cause, tval);
}

static void eval_at(void *arg, u64 pc, u32 done) {
    struct cpu *c = arg;
    c->s->pc = pc;
    c->s->insn_index = done;
}

struct ir_exit eval_block(struct cpu *c, gva pc) {
    struct ir_env env = {c, (u8 *)c->s, pc, eval_load, eval_store, eval_call, eval_trap, eval_at};
    env.page &= ~(u64)(GUEST_PAGE_SIZE - 1);
    return ir_eval(&c->ir, &env);
}

u64 eval_run(struct cpu *c, u32 budget) {
    struct guest_state *s = c->s;
    u64 start = s->icount;
    u32 raised = 0; // charged like instructions, but not counted
    do {
        u32 ppn;
        u8 bytes[LOOSE_BYTES];
        gva pc = s->pc;
        tlb_switch(&c->tlb, c->arch->tlb_key(s));
        if (code_lift(c, pc, c->arch->code_mode(s), c->set.max_block_insns, &ppn, bytes)) {
            struct ir_exit x = eval_block(c, pc);
            s->icount += x.insns;
            if (x.kind == IR_EXIT_FAULT) raised++;
            if (x.kind == IR_EXIT_JUMP) s->pc = x.pc;
            if (x.kind == IR_EXIT_LEAVE && !c->attention) take_interrupt(c);
        } else {
            raised++;
        }
        if (s->exc) deliver(c);
        s->insn_index = 0;
    } while (s->icount - start + raised < budget && !c->attention && !s->stop);
    return s->icount - start + raised;
}

// ---- the run loop

bool cpu_look(struct cpu *c) {
    struct guest_state *s = c->s;
    bool pending = c->arch->interrupt_pending(s);
    if (s->idle && !pending) return false;
    s->idle = false;
    if (pending) take_interrupt(c);
    c->attention = false;
    s->stop = false;
    return true;
}

// When time is made of instructions a run ends at the next timer's deadline. Translated code looks
// at its budget only where it loops or leaves, so the way there is left to the interpreter.
static u64 until_timer(struct cpu *c) {
    if (!c->set.icount_time) return ~(u64)0;
    u64 timer = c->arch->next_timer(c->s), now = c->board.time_ns(c->board.arg);
    if (timer == ~(u64)0) return timer;
    // One that is due already and not taken is masked: any run may notice that it no longer is.
    return timer <= now ? ~(u64)0 : (timer - now + CPU_ICOUNT_NS - 1) / CPU_ICOUNT_NS;
}

static u32 slice_of(struct cpu *c, u64 left) {
    if (c->set.torture & TORTURE_EXITS) return 1;
    u64 timer = until_timer(c), most = c->jit ? jit_slice(c) : SLICE_INSNS;
    c->run.interp_only = c->jit && timer <= OVERSHOOT_INSNS;
    if (c->jit && watch_slice(c, &most)) c->run.interp_only = true;
    if (c->jit && timer > OVERSHOOT_INSNS) timer -= OVERSHOOT_INSNS;
    if (timer < most) most = timer;
    return left < most ? (u32)left : (u32)most;
}

enum cpu_stop cpu_run(struct cpu *c, u64 max_insns) {
    struct guest_state *s = c->s;
    u64 done = 0;
    while (done < max_insns) {
        if (s->halted) return CPU_STOP_HALTED;
        if (!cpu_look(c)) {
            s->stop = false;
            return CPU_STOP_IDLE;
        }
        if (c->set.trace && c->set.trace->commit) c->set.trace->commit(c->set.trace->arg, c);
        u32 slice = slice_of(c, max_insns - done);
        u64 before = s->icount;
        u64 n = c->set.engine == ENGINE_EVAL ? eval_run(c, slice) : interp_run(c, slice);
        done += n;
        c->stats.runs++;
        c->stats.insns += s->icount - before;
        if (c->jit) jit_sample(c);
        if (c->set.torture & TORTURE_FLUSH && c->stats.runs % 3 == 0) code_flush(c);
        if (c->stop_requested) {
            c->stop_requested = false;
            return CPU_STOP_REQUEST;
        }
    }
    return CPU_STOP_BUDGET;
}

void cpu_set_irq(struct cpu *c, unsigned line, bool level) {
    c->arch->set_irq(c->s, line, level);
    c->attention = true;
}

u64 cpu_next_timer(struct cpu *c) { return c->arch->next_timer(c->s); }

bool cpu_has_work(struct cpu *c) {
    if (c->s->halted) return false;
    return !c->s->idle || c->arch->interrupt_pending(c->s);
}

void cpu_request_stop(struct cpu *c) {
    c->stop_requested = true;
    c->attention = true;
    c->s->stop = true;
}

u64 cpu_icount(const struct cpu *c) { return guest_icount(c->s); }

void cpu_get_stats(const struct cpu *c, struct cpu_stats *out) { *out = c->stats; }

const u8 *cpu_canonical(const struct cpu *c, struct cpu_canonical *room) {
    const u8 *s = (const u8 *)c->s;
    if (!c->arch->canonical) return s;
    assert(c->arch->state_size <= sizeof room->bytes && "a guest's state fits");
    memcpy(room->bytes, s, c->arch->state_size);
    c->arch->canonical((struct guest_state *)(void *)room->bytes);
    return room->bytes;
}

u64 cpu_hash(const struct cpu *c) {
    struct cpu_canonical room;
    const u8 *p = cpu_canonical(c, &room);
    u64 h = c->s->pc;
    for (u32 i = c->arch->compare_from; i < c->arch->compare_to; i += 8) {
        u64 v;
        memcpy(&v, p + i, 8);
        h = (h ^ v) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h;
}

size_t cpu_commit_line(const struct cpu *c, char *buf, size_t cap) {
    int n = snprintf(buf, cap, "%llu %llx %016llx", (unsigned long long)cpu_icount(c),
                     (unsigned long long)c->s->pc, (unsigned long long)cpu_hash(c));
    return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}

size_t cpu_describe(struct cpu *c, char *buf, size_t cap) {
    return c->arch->describe(c->s, buf, cap);
}
