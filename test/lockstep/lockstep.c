// The comparison. Exceptions are not instructions, so the place where the dut stands is told by two
// numbers: its count and how many exceptions it has taken. Interrupts are looked at in both at the
// same counts: between runs, by cpu_look, and where an instruction that may change anything is
// complete, by the engines themselves.
//
// The reference executes blocks of one instruction. Its interpreter fetches the next instruction
// before it sees that its budget is used up, and so may take that one's page fault too early; the
// last step is therefore left to the evaluator, which does not.
#include "lockstep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "exec/engine.h"

enum { PATIENCE = 3, WAY = 256, DUMP_KEEP = 1 << 16, TIRED = 10000 };

struct place {
    u64 count;
    gva pc;
    char text[64];
};

struct lockstep {
    const struct lockstep_world *w;
    const struct lockstep_plan *p;
    struct lockstep_side dut, ref;
    struct lockstep_result *r;
    int line;            // level that the dut's interrupt line has; -1: never set
    unsigned ram_unlike; // comparisons of RAM in a row that failed
    u64 ram_good,
        ram_looked; // counts of the last comparison in which RAM was the same, of the last
    bool failed;
    time_t until;   // 0: no limit
    u64 trace_from; // count from which the reference's way is noted
    u32 nway;
    struct place way[WAY];
    struct buf dumped;
};

static u64 exceptions(const struct cpu *c) { return c->stats.traps - c->stats.interrupts; }

// At least one and at most n instructions; `last`: the n-th is the last of the dut's run. There an
// interrupt that becomes possible is not taken at once but by cpu_look, after what happened between
// the runs.
static void step_ref(struct cpu *c, u64 n, bool eval, bool last) {
    c->s->stop = c->attention = false;
    if (n > 1 && !eval) {
        interp_run(c, (u32)(n - 1));
        // Used up exactly where an interrupt would have been taken at once: no block was to be
        // entered then.
        if (!c->run.last && !c->s->idle) take_interrupt(c);
    } else if (n > 1) {
        eval_run(c, (u32)(n - 1));
    } else {
        c->attention = last;
        eval_run(c, 1);
    }
}

// Where the reference is about to execute an instruction.
static void note_place(struct lockstep *l) {
    struct cpu *c = l->ref.cpu;
    struct place *p = &l->way[l->nway++ % WAY];
    gva pc = c->s->pc;
    u32 room = GUEST_PAGE_SIZE - (u32)(pc % GUEST_PAGE_SIZE);
    bool fault;
    u64 cause;
    gpa pa;
    *p = (struct place){c->s->icount, pc, "?"};
    tlb_switch(&c->tlb, c->arch->tlb_key(c->s));
    u8 *page = mem_page(c, pc, ACCESS_EXEC, &pa, &fault, &cause);
    if (page) c->arch->disassemble(page + pc % GUEST_PAGE_SIZE, room, pc, p->text, sizeof p->text);
}

static void way(const struct lockstep *l, struct buf *out) {
    buf_put_str(out, "the reference's way there:\n");
    for (u32 i = l->nway > WAY ? l->nway - WAY : 0; i < l->nway; i++) {
        const struct place *p = &l->way[i % WAY];
        buf_printf(out, "  %8llu %llx  %s\n", (unsigned long long)p->count,
                   (unsigned long long)p->pc, p->text);
    }
}

// It takes longer than it may: is looked at now and then.
static bool late(const struct lockstep *l) { return l->until && time(NULL) > l->until; }

// Brings the reference to where the dut is. It may not get there: then the comparison fails. Where
// only exceptions come and no instruction is completed it has left the dut's way.
static void catch_up(struct lockstep *l) {
    struct cpu *d = l->dut.cpu, *c = l->ref.cpu;
    u64 to = d->s->icount;
    if (l->w->enter) l->w->enter(l->w->arg, &l->ref);
    u64 most = exceptions(d) + 1;
    while (c->s->icount < to && !c->s->idle && !c->s->halted && exceptions(c) <= most) {
        u64 left = to - c->s->icount;
        if (c->s->icount >= l->trace_from) {
            note_place(l);
            left = 1;
        } else if (to > l->trace_from) {
            left = l->trace_from - c->s->icount;
        }
        step_ref(c, left < 1 << 20 ? left : 1 << 20, l->p->ref_eval, c->s->icount + 1 == to);
    }
    while (c->s->icount == to && exceptions(c) < exceptions(d) && !c->s->halted)
        step_ref(c, 1, true, true);
    if (l->w->enter) l->w->enter(l->w->arg, &l->dut);
}

// ---- comparing

static const char *name_of(const struct guest_arch *a, u32 off, char *buf, size_t cap) {
    static const char *const x86[] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp",   "rsi",    "rdi",  "r8",   "r9",   "r10",
        "r11", "r12", "r13", "r14", "r15", "cc_op", "cc_res", "cc_a", "cc_b", "cc_x", "df"};
    u32 cell = off / 8;
    if (a == &guest_x86_64 && cell < ARRAY_LEN(x86)) return x86[cell];
    bool rv = a == &guest_riscv64;
    snprintf(buf, cap,
             rv && cell < 32   ? "x%u"
             : rv && cell < 64 ? "f%u"
                               : "cell +%u",
             rv && cell < 32   ? cell
             : rv && cell < 64 ? cell - 32
                               : off);
    return buf;
}

static void registers(struct lockstep *l, struct buf *out) {
    const struct guest_arch *a = l->dut.cpu->arch;
    struct cpu_canonical rooms[2];
    const u8 *d = cpu_canonical(l->dut.cpu, &rooms[0]), *r = cpu_canonical(l->ref.cpu, &rooms[1]);
    for (u32 i = a->compare_from; i < a->compare_to; i += 8) {
        u64 x, y;
        char name[32];
        memcpy(&x, d + i, 8);
        memcpy(&y, r + i, 8);
        if (x != y)
            buf_printf(out, "  %-10s %016llx, expected %016llx\n",
                       name_of(a, i - a->compare_from, name, sizeof name), (unsigned long long)x,
                       (unsigned long long)y);
    }
}

static bool same_state(struct lockstep *l) {
    const struct guest_state *d = l->dut.cpu->s, *r = l->ref.cpu->s;
    const struct guest_arch *a = l->dut.cpu->arch;
    struct cpu_canonical rooms[2];
    const u8 *x = cpu_canonical(l->dut.cpu, &rooms[0]), *y = cpu_canonical(l->ref.cpu, &rooms[1]);
    return d->pc == r->pc && d->icount == r->icount && d->idle == r->idle &&
           d->halted == r->halted && exceptions(l->dut.cpu) == exceptions(l->ref.cpu) &&
           memcmp(x + a->compare_from, y + a->compare_from, a->compare_to - a->compare_from) == 0;
}

static const u8 *ram(const struct lockstep_side *s) {
    return bus_ram_ptr(s->bus, bus_ram_base(s->bus), 1);
}

static void memory(struct lockstep *l, struct buf *out) {
    const u8 *d = ram(&l->dut), *r = ram(&l->ref);
    u64 n = bus_ram_size(l->dut.bus), shown = 0;
    for (u64 i = 0; i < n && shown < 8; i += 8)
        if (memcmp(d + i, r + i, 8)) {
            buf_printf(out, "  memory %llx: %016llx, expected %016llx\n",
                       (unsigned long long)(bus_ram_base(l->dut.bus) + i),
                       (unsigned long long)get_le64(d + i), (unsigned long long)get_le64(r + i));
            shown++;
        }
}

// A page-table walk made early (by a prefetch) marks its entries early: what differs has to differ
// for longer.
static bool same_ram(struct lockstep *l) {
    l->ram_looked = l->dut.cpu->s->icount;
    if (memcmp(ram(&l->dut), ram(&l->ref), bus_ram_size(l->dut.bus)) == 0) {
        l->ram_unlike = 0;
        l->ram_good = l->dut.cpu->s->icount;
        return true;
    }
    return ++l->ram_unlike < PATIENCE;
}

static void fail(struct lockstep *l, const char *what) {
    struct guest_state *d = l->dut.cpu->s, *r = l->ref.cpu->s;
    struct buf *out = &l->r->report;
    l->failed = true;
    l->r->bad = d->icount;
    buf_printf(out, "%s differ at count %llu; the last stop in common was at %llu\n", what,
               (unsigned long long)d->icount, (unsigned long long)l->r->good);
    buf_printf(out, "  pc %llx, expected %llx; count %llu, expected %llu\n",
               (unsigned long long)d->pc, (unsigned long long)r->pc, (unsigned long long)d->icount,
               (unsigned long long)r->icount);
    buf_printf(out, "  exceptions %llu, expected %llu; interrupts %llu, expected %llu%s%s\n",
               (unsigned long long)exceptions(l->dut.cpu),
               (unsigned long long)exceptions(l->ref.cpu),
               (unsigned long long)l->dut.cpu->stats.interrupts,
               (unsigned long long)l->ref.cpu->stats.interrupts,
               d->idle != r->idle ? "; only one waits" : "",
               d->halted != r->halted ? "; only one has halted" : "");
    registers(l, out);
    memory(l, out);
    cpu_request_stop(l->dut.cpu);
}

static void commit(void *arg, struct cpu *c) {
    struct lockstep *l = arg;
    if (l->failed) return;
    catch_up(l);
    *l->ref.skipped_ns = *l->dut.skipped_ns;
    if (l->line >= 0) l->w->set_line(l->w->arg, &l->ref, l->line);
    l->line = -1;
    cpu_look(l->ref.cpu);
    l->r->stops++;
    bool fine = c->s->icount >= l->p->fine_from;
    if (!same_state(l)) {
        fail(l, "registers");
        return;
    }
    bool look_at_ram = fine || l->ram_unlike || c->s->icount >= l->ram_looked + l->p->ram_every;
    if (look_at_ram && !same_ram(l)) {
        l->r->good = l->ram_good;
        fail(l, "memories");
        return;
    }
    if (!l->ram_unlike) l->r->good = c->s->icount;
}

static void keep_dump(void *arg, char what, const void *p, size_t n) {
    struct lockstep *l = arg;
    if (what == 'w') return;
    buf_put(&l->dumped, p, n);
    if (l->dumped.len > DUMP_KEEP) buf_consume(&l->dumped, l->dumped.len - DUMP_KEEP / 2);
}

// ---- running

static u32 chunk(const struct lockstep_plan *p, u64 i) {
    u64 z = (p->seed + i) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return p->chunk_lo + (u32)((z ^ z >> 27) >> 33) % (p->chunk_hi - p->chunk_lo + 1);
}

// The dut waits for an interrupt. False: none can come.
static bool skip_idle(struct lockstep *l) {
    struct cpu *d = l->dut.cpu;
    if (cpu_has_work(d)) return true;
    u64 timer = cpu_next_timer(d), now = d->board.time_ns(d->board.arg);
    if (timer == ~(u64)0) return false;
    if (timer > now) *l->dut.skipped_ns += timer - now;
    return true;
}

static void drive(struct lockstep *l) {
    struct cpu *d = l->dut.cpu;
    const struct lockstep_world *w = l->w;
    unsigned idle = 0, still = 0;
    for (u64 i = 0; !l->failed && cpu_icount(d) < l->p->insns && idle < 100; i++) {
        if (d->s->icount >= l->p->fine_from) d->set.torture |= TORTURE_EXITS;
        int level = w->line ? w->line(w->arg, i) : -1;
        if (level >= 0) w->set_line(w->arg, &l->dut, level), l->line = level;
        u64 before = d->s->icount;
        enum cpu_stop stop = cpu_run(d, chunk(l->p, i));
        // Exceptions in exceptions, for ever, in both: that is an end, too.
        still = d->s->icount == before && stop == CPU_STOP_BUDGET ? still + 1 : 0;
        if (still == TIRED) break;
        if (i % 64 == 0 && late(l)) {
            fail(l, "it takes too long (--limit); states");
            break;
        }
        if (i % 3 == 0) lockstep_settle(d);
        if (w->ended && w->ended(w->arg, &l->dut)) break;
        if (stop == CPU_STOP_HALTED) break;
        // Nothing may be armed: then only the line can wake it.
        if (stop != CPU_STOP_IDLE || !skip_idle(l))
            idle = stop == CPU_STOP_IDLE ? idle + 1 : 0;
        else
            idle = 0;
    }
    if (l->failed) return;
    l->r->insns = cpu_icount(d);
    if (d->s->halted || d->s->idle || (w->ended && w->ended(w->arg, &l->dut))) {
        catch_up(l);
        if (d->s->pc != l->ref.cpu->s->pc ||
            memcmp(ram(&l->dut), ram(&l->ref), bus_ram_size(l->dut.bus)))
            fail(l, "ends");
        return;
    }
    cpu_look(d);
    l->ram_unlike = PATIENCE;
    commit(l, d);
}

static bool run_once(const struct lockstep_world *w, const struct lockstep_plan *p, u64 trace_from,
                     struct lockstep_result *r, struct buf *dumped) {
    struct lockstep l = {.w = w, .p = p, .r = r, .line = -1, .trace_from = trace_from};
    if (p->seconds) l.until = time(NULL) + p->seconds;
    struct cpu_trace trace = {&l, keep_dump, commit};
    struct cpu_settings dut = p->dut, ref = {.engine = ENGINE_INTERP, .disabled = PASS_FIRST};
    dut.trace = &trace;
    if (dumped) dut.dump |= DUMP_REGIONS;
    dut.icount_time = ref.icount_time = true;
    ref.max_block_insns = 1;
    bool made = w->make(w->arg, &dut, &l.dut) && w->make(w->arg, &ref, &l.ref);
    if (made)
        drive(&l);
    else
        buf_put_str(&r->report, "a side could not be made\n"), l.failed = true;
    if (l.dut.cpu) cpu_get_stats(l.dut.cpu, &r->dut);
    if (l.dut.cpu) w->drop(w->arg, &l.dut);
    if (l.ref.cpu) w->drop(w->arg, &l.ref);
    lockstep_gone();
    if (dumped && l.failed) {
        way(&l, &r->report);
        buf_put(dumped, l.dumped.data, l.dumped.len);
    }
    buf_free(&l.dumped);
    return !l.failed;
}

// ---- explaining

bool lockstep_run(const struct lockstep_world *w, const struct lockstep_plan *p,
                  struct lockstep_result *r) {
    *r = (struct lockstep_result){0};
    struct lockstep_plan plan = *p;
    if (!plan.ram_every) plan.ram_every = 500;
    if (!plan.fine_from) plan.fine_from = ~(u64)0;
    r->same = run_once(w, &plan, ~(u64)0, r, NULL);
    if (r->same) return true;
    // Again, with a stop at every exit from the last common one on. It may behave otherwise then,
    // so if that shows nothing, once more as it was.
    struct lockstep_result again = {0};
    struct buf dumped = {0};
    u64 good = r->good;
    plan.fine_from = good;
    if (run_once(w, &plan, good, &again, &dumped)) {
        buf_put_str(&r->report, "with a stop at every exit from there on there is no difference\n");
        plan.fine_from = ~(u64)0;
        again = (struct lockstep_result){0};
        if (run_once(w, &plan, good, &again, &dumped))
            buf_put_str(&r->report, "nor when it is repeated: something is not deterministic\n");
    } else {
        buf_put_str(&r->report, "with a stop at every exit from there on:\n");
    }
    buf_put(&r->report, again.report.data, again.report.len);
    if (dumped.len) buf_put_str(&r->report, "translated last:\n");
    buf_put(&r->report, dumped.data, dumped.len);
    buf_free(&dumped);
    buf_free(&again.report);
    return false;
}
