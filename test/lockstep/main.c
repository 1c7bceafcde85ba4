// The lock-step tests' program, natively and as a WASI program (test/wasm/lockstep.mjs):
//
//   lockstep random [--seed N] [--count N]    random programs; a difference is shrunk and saved as
//   a
//                                             case
//   lockstep case FILE...                     saved programs, in several ways
//   lockstep show SEED                        the case file of a random program
//   lockstep boot KERNEL [INITRD]             Linux to power-off
//
// --guest riscv64|x86_64   (riscv64; a case says itself which it is)
// --dut interp|eval|jit   the engine under test (interp)
// --ref interp|eval       the reference (eval)
// --torture NAMES --no PASSES    as `berth run` has them; `random` chooses torture by the seed
//                                without it
// --insns N --chunk LO-HI --out DIR --append TEXT --memory MIB
// --limit SECONDS         a program that takes longer has failed (60; boot: none); the seed that
// hung
//                         is the last one named on stderr when it is killed from outside
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "random.h"

struct options {
    const char *what;
    u64 seed, count, insns;
    struct cpu_settings dut;
    bool torture_given, ref_eval;
    const char *torture, *no, *out, *append;
    const struct shape_maker *maker;
    u64 memory;
    int limit; // seconds; -1: not given
    u32 chunk_lo, chunk_hi;
    char **files;
    int nfiles;
};

static void fatal(const char *what, const char *arg) {
    fprintf(stderr, "lockstep: %s %s\n", what, arg);
    exit(2);
}

static void set_switch(struct cpu_settings *set, const char *option, const char *value) {
    struct err err = {0};
    if (cpu_set_switch(set, option, value, &err) < 0) fatal(err.msg, "");
}

static void parse(struct options *o, int argc, char **argv) {
    *o = (struct options){.seed = 1,
                          .count = 50,
                          .ref_eval = true,
                          .out = "build/test",
                          .append = "",
                          .maker = &shape_riscv64,
                          .memory = 64,
                          .limit = -1};
    if (argc < 2) fatal("use: random, case, show or boot", "");
    o->what = argv[1];
    o->files = argv + argc;
    for (int i = 2; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : "";
        if (strncmp(a, "--", 2) != 0) {
            o->files = argv + i;
            o->nfiles = argc - i;
            return;
        }
        i++;
        if (!strcmp(a, "--seed"))
            o->seed = strtoull(v, NULL, 0);
        else if (!strcmp(a, "--count"))
            o->count = strtoull(v, NULL, 0);
        else if (!strcmp(a, "--insns"))
            o->insns = strtoull(v, NULL, 0);
        else if (!strcmp(a, "--out"))
            o->out = v;
        else if (!strcmp(a, "--append"))
            o->append = v;
        else if (!strcmp(a, "--memory"))
            o->memory = strtoull(v, NULL, 0);
        else if (!strcmp(a, "--limit"))
            o->limit = atoi(v);
        else if (!strcmp(a, "--guest") && (!strcmp(v, "riscv64") || !strcmp(v, "x86_64")))
            o->maker = !strcmp(v, "x86_64") ? &shape_x86_64 : &shape_riscv64;
        else if (!strcmp(a, "--dut"))
            set_switch(&o->dut, "engine", v);
        else if (!strcmp(a, "--ref"))
            o->ref_eval = strcmp(v, "interp") != 0;
        else if (!strcmp(a, "--torture"))
            set_switch(&o->dut, "torture", o->torture = v);
        else if (!strcmp(a, "--no"))
            set_switch(&o->dut, "no", v);
        else if (!strcmp(a, "--chunk") && sscanf(v, "%u-%u", &o->chunk_lo, &o->chunk_hi) == 2 &&
                 o->chunk_lo && o->chunk_lo <= o->chunk_hi)
            ;
        else
            fatal("unknown option or value", a);
    }
}

static struct lockstep_plan plan_of(const struct options *o, const struct program *p) {
    struct lockstep_plan plan = {
        .dut = o->dut,
        .ref_eval = o->ref_eval,
        .insns = o->insns ? o->insns : p->insns,
        .chunk_lo = o->chunk_lo ? o->chunk_lo : p->chunk_lo,
        .chunk_hi = o->chunk_hi ? o->chunk_hi : p->chunk_hi,
        .seed = p->chunk_seed,
        .seconds = o->limit < 0 ? 60 : (unsigned)o->limit,
    };
    if (!o->torture) set_switch(&plan.dut, "torture", p->torture);
    plan.dut.jit = lockstep_jit(plan.dut.torture & TORTURE_LATE);
    return plan;
}

static bool run(const struct program *p, const struct lockstep_plan *plan, bool show,
                struct cpu_stats *stats) {
    struct lockstep_world w = program_world(p);
    struct lockstep_result r;
    bool same = lockstep_run(&w, plan, &r);
    if (show && !same) printf("%s", buf_cstr(&r.report));
    if (stats) *stats = r.dut;
    buf_free(&r.report);
    return same;
}

// ---- random programs

static void torture_of(u64 seed, struct program *p) {
    static const char *const some[] = {
        "hot",      "hot,insn",           "hot,tlb",        "hot,exits",     "hot,evict",
        "hot,late", "hot,regions",        "hot,flush",      "hot,exits,tlb", "hot,late,evict,tlb",
        "hot",      "hot,exits,insn,tlb", "hot,evict,arena"};
    snprintf(p->torture, sizeof p->torture, "%s", some[seed % ARRAY_LEN(some)]);
    p->chunk_seed = seed;
    p->chunk_hi = seed % 3 == 0 ? 60 : seed % 3 == 1 ? 400 : 2000;
}

static bool build(const struct options *o, const struct shape *s, struct program *p) {
    if (!o->maker->build(s, p)) fatal("out of memory", "");
    torture_of(s->seed, p);
    return true;
}

static bool shape_fails(const struct options *o, const struct shape *s) {
    struct program p;
    build(o, s, &p);
    struct lockstep_plan plan = plan_of(o, &p);
    bool same = run(&p, &plan, false, NULL);
    program_free(&p);
    return !same;
}

static void shrink(const struct options *o, struct shape *s) {
    for (unsigned step = shape_nodes(s) / 2; step; step /= 2)
        for (unsigned at = 0; at < shape_nodes(s);) {
            struct shape t = *s;
            shape_drop(&t, at, step);
            if (shape_fails(o, &t))
                *s = t;
            else
                at += step;
        }
}

static void save(const struct options *o, const struct program *p, u64 seed) {
    char path[512];
    struct buf text = {0};
    program_save(p, &text);
    snprintf(path, sizeof path, "%s/lockstep-%s-%llu.case", o->out, o->maker->guest,
             (unsigned long long)seed);
    FILE *f = fopen(path, "w");
    bool ok = f && fwrite(text.data, 1, text.len, f) == text.len;
    if (f) ok &= fclose(f) == 0;
    printf("%s%s\n", ok ? "saved as " : "cannot write ", path);
    buf_free(&text);
}

static void explain(const struct options *o, u64 seed) {
    static struct shape s;
    struct program p;
    o->maker->random(&s, seed);
    unsigned before = shape_nodes(&s);
    shrink(o, &s);
    build(o, &s, &p);
    struct lockstep_plan plan = plan_of(o, &p);
    printf("%s seed %llu (torture %s), shrunk from %u nodes to %u:\n", o->maker->guest,
           (unsigned long long)seed, p.torture, before, shape_nodes(&s));
    run(&p, &plan, true, NULL);
    save(o, &p, seed);
    program_free(&p);
}

static int random_programs(const struct options *o) {
    static struct shape s;
    u64 bad = 0, insns = 0, traps = 0, interrupts = 0, regions = 0, translated = 0;
    for (u64 seed = o->seed; seed < o->seed + o->count && bad < 3; seed++) {
        struct program p;
        struct cpu_stats st;
        fprintf(stderr, "%s seed %llu\n", o->maker->guest, (unsigned long long)seed);
        o->maker->random(&s, seed);
        build(o, &s, &p);
        struct lockstep_plan plan = plan_of(o, &p);
        bool same = run(&p, &plan, false, &st);
        program_free(&p);
        insns += st.insns, traps += st.traps, interrupts += st.interrupts;
        regions += st.regions, translated += st.insns_translated;
        if (same) continue;
        bad++;
        explain(o, seed);
        fflush(stdout);
    }
    printf(
        "%llu instructions, %llu traps, %llu interrupts, %llu regions, %llu instructions in them\n",
        (unsigned long long)insns, (unsigned long long)traps, (unsigned long long)interrupts,
        (unsigned long long)regions, (unsigned long long)translated);
    bool enough = o->count < 20 ||
                  (insns > 1000 * o->count && traps && (o->dut.engine != ENGINE_JIT || regions));
    if (!enough) printf("that is too little to mean anything\n");
    printf("%llu passed, %llu failed\n", (unsigned long long)(o->count - bad),
           (unsigned long long)bad + !enough);
    return bad || !enough;
}

// ---- cases

static void read_file(const char *path, struct buf *out) {
    u8 part[1 << 16];
    FILE *f = fopen(path, "rb");
    if (!f) fatal("cannot read", path);
    for (size_t n; (n = fread(part, 1, sizeof part, f));) buf_put(out, part, n);
    fclose(f);
    if (out->oom) fatal("out of memory for", path);
}

static bool load(const char *path, struct program *p) {
    struct buf text = {0};
    struct err err = {0};
    read_file(path, &text);
    bool ok = program_load(p, buf_cstr(&text), text.len, &err);
    if (!ok) printf("%s: %s\n", path, err.msg);
    buf_free(&text);
    return ok;
}

static int cases(const struct options *o) {
    static const char *const ways[] = {
        NULL, "hot", "hot,exits", "hot,tlb,insn", "hot,evict,late", "first", "hot,first"};
    unsigned passed = 0, failed = 0;
    for (int i = 0; i < o->nfiles; i++) {
        struct program p;
        bool ok = load(o->files[i], &p);
        for (size_t k = 0; ok && k < ARRAY_LEN(ways); k++) {
            struct lockstep_plan plan = plan_of(o, &p);
            if (ways[k]) {
                plan.dut = o->dut;
                set_switch(&plan.dut, "torture", ways[k]);
                plan.dut.jit = lockstep_jit(plan.dut.torture & TORTURE_LATE);
            }
            ok = run(&p, &plan, true, NULL);
            if (!ok)
                printf("%s differs (torture %s)\n", o->files[i], ways[k] ? ways[k] : "its own");
        }
        program_free(&p);
        passed += ok;
        failed += !ok;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}

static int show(const struct options *o) {
    static struct shape s;
    struct program p;
    struct buf text = {0};
    o->maker->random(&s, o->nfiles ? strtoull(o->files[0], NULL, 0) : o->seed);
    build(o, &s, &p);
    program_save(&p, &text);
    fwrite(text.data, 1, text.len, stdout);
    buf_free(&text);
    program_free(&p);
    return 0;
}

// ---- machines

static int boot(const struct options *o) {
    struct buf kernel = {0}, initrd = {0}, console = {0}, figures = {0};
    if (!o->nfiles) fatal("no kernel", "");
    read_file(o->files[0], &kernel);
    if (o->nfiles > 1) read_file(o->files[1], &initrd);
    struct lockstep_boot b = {o->maker->guest, kernel.data, initrd.data,     kernel.len,
                              initrd.len,      o->append,   o->memory << 20, &console};
    struct lockstep_world w = machine_world(&b);
    struct lockstep_plan plan = {
        .dut = o->dut,
        .ref_eval = o->ref_eval,
        .insns = o->insns ? o->insns : 2000000000,
        .chunk_lo = o->chunk_lo ? o->chunk_lo : 2000,
        .chunk_hi = o->chunk_hi ? o->chunk_hi : 8000,
        .seed = o->seed,
        .ram_every = 2000000,
        .seconds = o->limit < 0 ? 0 : (unsigned)o->limit,
    };
    plan.dut.jit = lockstep_jit(plan.dut.torture & TORTURE_LATE);
    struct lockstep_result r;
    bool same = lockstep_run(&w, &plan, &r);
    cpu_stats_text(&r.dut, 0, &figures);
    fwrite(console.data, 1, console.len, stdout);
    printf("%s", buf_cstr(&figures));
    if (!same) printf("%s", buf_cstr(&r.report));
    printf("%llu instructions, %llu stops\n%d passed, %d failed\n", (unsigned long long)r.insns,
           (unsigned long long)r.stops, same, !same);
    buf_free(&kernel);
    buf_free(&initrd);
    buf_free(&console);
    buf_free(&figures);
    buf_free(&r.report);
    return !same;
}

int main(int argc, char **argv) {
    struct options o;
    parse(&o, argc, argv);
    if (!strcmp(o.what, "random")) return random_programs(&o);
    if (!strcmp(o.what, "case")) return cases(&o);
    if (!strcmp(o.what, "show")) return show(&o);
    if (!strcmp(o.what, "boot")) return boot(&o);
    fatal("unknown:", o.what);
    return 2;
}
