// Random x86_64 instructions on this machine's own CPU and on our engines: registers, flags, memory
// and exceptions with their error codes must be equal. Every row of the table has its turn, in
// 64-bit and in compatibility mode.
//
//   diff_x86_64 [cases a row and mode [first seed [row name]]]      default: a fixed sample of a
//   few seconds
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"
#include "guest/x86_64/sse.h"
#include "support/x86_case.h"

enum { DEFAULT_CASES = 60, MOST_REPORTS = 12, BATCH = 60 };
// So many rows, at least, are executed straight from their bytes when that is asked for, in 64-bit
// and in compatibility mode: else those would not be tested.
enum { FIRST_ROWS_64 = 200, FIRST_ROWS_32 = 200 };

static const struct {
    const char *name;
    struct cpu_settings set;
} engines[] = {
    {"interp", {.engine = ENGINE_INTERP, .disabled = PASS_FIRST}},
    {"eval", {.engine = ENGINE_EVAL}},
    {"first", {.engine = ENGINE_INTERP, .torture = TORTURE_FIRST}},
};

static u64 compared_flags(const struct x86_case *c, u32 vector, u64 f) {
    u64 undefined = vector == EXC_BP ? c->undefined : c->undefined_lead;
    return f & (FL_STATUS | FL_DF | FL_IF | FL_AC | FL_ID) & ~(undefined & FL_STATUS);
}

static bool is_nan(u64 sig, u16 se) { return (se & 0x7fff) == 0x7fff && sig << 1; }

// The last bits of transcendental functions are the processor's own.
static bool close_enough(enum x86_id row, const struct x86_fpu *a, const struct x86_fpu *b,
                         unsigned i) {
    if (a->sig[i] == b->sig[i] && a->se[i] == b->se[i]) return true;
    if (!x86_case_inexact(row) || is_nan(a->sig[i], a->se[i])) return false;
    u64 d = a->sig[i] - b->sig[i];
    return a->se[i] == b->se[i] ? d + 4 <= 8 : (u16)(a->se[i] - b->se[i] + 1) <= 2;
}

static bool same_fpu(const struct x86_case *c, const struct x86_result *a,
                     const struct x86_result *b) {
    enum x86_id row = (enum x86_id)c->row;
    u16 not_sw = x86_case_inexact(row) ? 0x0200 : 0; // C1: rounded up
    // The processor goes over to MMX before the access that faults.
    if (row == X86_MASKMOVQ && a->vector != EXC_BP) return true;
    if (a->fpu.cw != b->fpu.cw || (a->fpu.sw ^ b->fpu.sw) & ~not_sw) return false;
    if (a->fpu.tag != b->fpu.tag) return false;
    for (unsigned i = 0; i < 8; i++)
        if (!close_enough(row, &a->fpu, &b->fpu, i)) return false;
    return true;
}

static void report_fpu(const struct x86_case *c, const struct x86_result *hw,
                       const struct x86_result *us) {
    if (x86_rows[c->row].isa >= ISA_SSE && same_fpu(c, hw, us)) return;
    printf("    cw %x, sw init %x hw %x ours %x, tag init %x hw %x ours %x\n", c->fpu.cw, c->fpu.sw,
           hw->fpu.sw, us->fpu.sw, c->fpu.tag, hw->fpu.tag, us->fpu.tag);
    for (unsigned i = 0; i < 8; i++)
        printf("    st%u init %04x.%016llx hw %04x.%016llx ours %04x.%016llx\n", i, c->fpu.se[i],
               (unsigned long long)c->fpu.sig[i], hw->fpu.se[i], (unsigned long long)hw->fpu.sig[i],
               us->fpu.se[i], (unsigned long long)us->fpu.sig[i]);
}

static bool faulted(u64 vector) { return vector == EXC_PF || vector == EXC_GP || vector == EXC_SS; }

// Which operand of a comparison of strings faults when both do is the processor's own: of bytes
// newer ones, when they repeat, name the source, where all others name the destination, as we do.
static bool of_source(const struct x86_case *c, const struct x86_result *hw,
                      const struct x86_result *us) {
    struct x86_insn d;
    if (c->row != X86_CMPSB || !faulted(hw->vector) || !faulted(us->vector)) return false;
    bool same = hw->vector == us->vector && (hw->vector != EXC_PF || hw->cr2 == us->cr2);
    x86_decode(&d, c->code + c->lead, c->len - c->lead, c->bits32 ? X86_CODE32 : X86_CODE64);
    if (same || !d.rep) return false;
    u64 most = d.adsize == 4 ? ~(u32)0 : d.adsize == 2 ? 0xffff : ~(u64)0;
    u64 base = d.seg == SEG_GS && !c->bits32 ? c->gs : 0;
    bool ours_other = us->vector != EXC_PF || us->cr2 == (us->r[RDI] & most);
    return ours_other && (hw->vector != EXC_PF || hw->cr2 == (us->r[RSI] & most) + base);
}

static bool same(const struct x86_case *c, const struct x86_result *a, const struct x86_result *b) {
    // AMD's mode of unaligned operands, which is not there.
    if ((c->row == X86_LDMXCSR || c->row == X86_VLDMXCSR) && a->mxcsr & 1u << 17) return true;
    if (c->undefined == ~(u64)0) return a->vector == b->vector && a->ip == b->ip;
    // A near branch to an address that is not canonical: #GP of the branch there, of the target
    // here.
    bool odd_target = b->vector == EXC_GP && (i64)(b->ip << 16) >> 16 != (i64)b->ip;
    if (odd_target) return a->vector == EXC_GP && a->ip == c->at + c->lead;
    // Whether an overflow or underflow that is not masked is also inexact: of the result with a
    // larger exponent there, of what would be without the exception here.
    u32 flags = a->vector == EXC_XM && a->mxcsr & (MXC_OE | MXC_UE) ? ~MXC_PE : ~0u;
    bool other = of_source(c, a, b);
    if ((a->vector != b->vector && !other) || a->ip != b->ip || a->gs != b->gs) return false;
    if (a->vector == EXC_PF && a->cr2 != b->cr2 && !other) return false;
    // Linux says of its own addresses always that they are present.
    u32 code = a->vector == EXC_PF && a->cr2 >= 0x7ffffffff000 ? ~1u : ~0u;
    bool has_code = a->vector != EXC_BP && a->vector != EXC_DB;
    if (has_code && !other && (a->code ^ b->code) & code) return false;
    if (compared_flags(c, a->vector, a->flags) != compared_flags(c, b->vector, b->flags))
        return false;
    return memcmp(a->r, b->r, sizeof a->r) == 0 && memcmp(a->x, b->x, sizeof a->x) == 0 &&
           !((a->mxcsr ^ b->mxcsr) & flags) && same_fpu(c, a, b) &&
           memcmp(a->mem_bytes, b->mem_bytes, X86_SPAN) == 0;
}

static void put_ymm(const char *who, const u64 *v) {
    printf("         %s", who);
    for (unsigned k = 4; k-- > 0;) printf(" %016llx", (unsigned long long)v[k]);
    printf("\n");
}

// The registers that differ, and what the operands were.
static void report_vectors(const struct x86_case *c, const struct x86_result *hw,
                           const struct x86_result *us) {
    struct x86_insn d;
    if (x86_rows[c->row].isa < ISA_X87) return;
    x86_decode(&d, c->code + c->lead, c->len - c->lead, c->bits32 ? X86_CODE32 : X86_CODE64);
    printf("    mxcsr init %x hw %x ours %x\n", c->mxcsr, hw->mxcsr, us->mxcsr);
    for (unsigned i = 0; i < 16; i++) {
        bool bad = memcmp(hw->x[i], us->x[i], 32) != 0;
        if (!bad && i != d.reg && (i != d.rm || d.mod != 3) && (i != d.vvvv || !d.vex)) continue;
        printf("    ymm%u%s\n", i, bad ? "  <--" : "");
        put_ymm("init", c->x[i]);
        put_ymm("hw  ", hw->x[i]);
        put_ymm("ours", us->x[i]);
    }
    if (d.mod == 3) return;
    put_ymm("memory at its middle", (const u64 *)(const void *)(c->mem_bytes + X86_SPAN / 2));
}

static void report(const struct x86_case *c, const struct x86_result *hw,
                   const struct x86_result *us, const char *engine) {
    char text[96];
    x86_disassemble_as(c->code + c->lead, c->len - c->lead, c->at + c->lead,
                       c->bits32 ? X86_CODE32 : X86_CODE64, text, sizeof text);
    printf("%s%s differs from the hardware: %s  [", engine, c->bits32 ? ", 32 bits," : "", text);
    for (unsigned i = 0; i < c->len; i++) printf("%s%02x", i ? " " : "", c->code[i]);
    printf("] at %x, flags %llx, undefined %llx\n", c->at, (unsigned long long)c->flags,
           (unsigned long long)c->undefined);
    printf("    hw   vector %u code %x ip %llx flags %llx cr2 %llx\n", hw->vector, hw->code,
           (unsigned long long)hw->ip, (unsigned long long)hw->flags, (unsigned long long)hw->cr2);
    printf("    ours vector %u code %x ip %llx flags %llx cr2 %llx\n", us->vector, us->code,
           (unsigned long long)us->ip, (unsigned long long)us->flags, (unsigned long long)us->cr2);
    for (unsigned i = 0; i < 16; i++)
        printf("    r%-2u init %016llx hw %016llx ours %016llx%s\n", i, (unsigned long long)c->r[i],
               (unsigned long long)hw->r[i], (unsigned long long)us->r[i],
               hw->r[i] != us->r[i] ? "  <--" : "");
    report_vectors(c, hw, us);
    report_fpu(c, hw, us);
    for (unsigned i = 0; i < X86_SPAN; i++)
        if (hw->mem_bytes[i] != us->mem_bytes[i])
            printf("    memory %x: init %02x hw %02x ours %02x\n", c->mem + i, c->mem_bytes[i],
                   hw->mem_bytes[i], us->mem_bytes[i]);
}

// Cases of all rows (or of those of one name), `per` each.
static unsigned make(struct x86_case *cases, bool bits32, unsigned per, u64 seed, const char *only,
                     unsigned *missing) {
    unsigned n = 0;
    for (unsigned row = 0; row < X86_ROWS; row++) {
        if (x86_case_excluded((enum x86_id)row, bits32)) continue;
        if (only && strcmp(only, x86_rows[row].name) != 0) continue;
        struct rng r = {seed * 1000003 + row};
        for (unsigned i = 0; i < per; i++) {
            if (x86_case_random(&cases[n], (enum x86_id)row, bits32, &r)) {
                n++;
            } else {
                printf("no encoding found for row %u, %s\n", row, x86_rows[row].name);
                ++*missing;
                break;
            }
        }
    }
    return n;
}

static bool from_bytes[2][X86_ROWS]; // by mode: seen

// Enough rows were executed from their bytes?
static bool enough_from_bytes(void) {
    unsigned n[2] = {0, 0};
    for (unsigned m = 0; m < 2; m++)
        for (unsigned i = 0; i < X86_ROWS; i++) n[m] += from_bytes[m][i];
    if (n[0] >= FIRST_ROWS_64 && n[1] >= FIRST_ROWS_32) return true;
    printf("only %u and %u rows were executed from their bytes\n", n[0], n[1]);
    return false;
}

// Runs the cases everywhere and reports; the number that differ.
static unsigned run_all(const struct x86_case *cases, unsigned n, struct x86_result *hw) {
    static unsigned reports;
    struct x86_result us;
    unsigned bad = 0;
    for (size_t e = 0; e < ARRAY_LEN(engines); e++) {
        struct x86_ours *o = x86_ours_create(&engines[e].set);
        unsigned last = 0;
        for (unsigned i = 0; i < n; i++) {
            u64 first = x86_ours_first(o);
            x86_ours_run(o, &cases[i], &us);
            // It went through, and all of it from the bytes.
            first = x86_ours_first(o) - first;
            if (us.vector == EXC_BP && first == 1 + (cases[i].lead != 0))
                from_bytes[cases[i].bits32][cases[i].row] = true;
            if (same(&cases[i], &hw[i], &us)) continue;
            bad++;
            if (last != cases[i].row && reports++ < MOST_REPORTS)
                report(&cases[i], &hw[i], &us, engines[e].name);
            last = cases[i].row;
        }
        x86_ours_destroy(o);
    }
    return bad;
}

int main(int argc, char **argv) {
    unsigned per = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : DEFAULT_CASES, bad = 0;
    u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    const char *only = argc > 3 ? argv[3] : NULL;
    size_t most = (size_t)BATCH * X86_ROWS * 2;
    struct x86_case *cases = calloc(most, sizeof *cases);
    struct x86_result *hw = calloc(most, sizeof *hw);
    u64 total = 0;
    for (unsigned done = 0; done < per; done += BATCH) {
        unsigned now = per - done < BATCH ? per - done : BATCH;
        unsigned n = make(cases, false, now, seed + done, only, &bad);
        n += make(cases + n, true, now, seed + done, only, &bad);
        if (!x86_hw_run(cases, hw, n)) return 1;
        bad += run_all(cases, n, hw);
        total += n * ARRAY_LEN(engines);
    }
    if (!only && !enough_from_bytes()) bad++;
    printf("%llu passed, %u failed\n", (unsigned long long)(total - (bad < total ? bad : total)),
           bad);
    free(hw);
    free(cases);
    return bad != 0;
}
