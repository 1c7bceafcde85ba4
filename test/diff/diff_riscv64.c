// Random user-level RISC-V programs on our engines and on qemu-riscv64: registers, fcsr and memory
// must be equal after each. A difference is shrunk to the fewest instructions that still show it.
//
//   diff_riscv64 [batches [first seed]]      default: a fixed sample of a few seconds
//   diff_riscv64 system ELF ENGINE           a bare-metal program, for riscv64_system.sh
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/guest.h"
#include "support/rv_machine.h"
#include "support/rv_run.h"

enum { CASES = 200, DEFAULT_BATCHES = 6 };

static const struct {
    const char *name;
    struct cpu_settings set;
} engines[] = {
    {"interp", {.engine = ENGINE_INTERP}},
    {"eval", {.engine = ENGINE_EVAL}},
    {"interp, one instruction a block, tiny TLB",
     {.engine = ENGINE_INTERP, .max_block_insns = 1, .tlb_bits = 2}},
};

static const u8 *state_of(const struct image *m, const u8 *res, unsigned i) {
    (void)m;
    return res + (size_t)i * CASE_STATE * 8;
}

static const u8 *window_of(const struct image *m, const u8 *res, unsigned i) {
    return res + (m->windows - m->results) + ((size_t)i + 1) * 4096 - WINDOW_HALF;
}

static bool same(const struct image *m, const u8 *a, const u8 *b, unsigned i) {
    return memcmp(state_of(m, a, i), state_of(m, b, i), CASE_STATE * 8) == 0 &&
           memcmp(window_of(m, a, i), window_of(m, b, i), 2 * WINDOW_HALF) == 0;
}

// True when `c` alone gives different results. Fills res[0] (QEMU) and res[1].
static bool differs(const struct rv_case *c, const struct cpu_settings *set, u64 seed, u8 *res[2]) {
    struct image m;
    image_build(&m, c, 1, seed);
    bool ok = run_qemu(&m, res[0]);
    if (ok && !run_ours(&m, set, res[1])) {
        image_free(&m);
        return true;
    }
    bool different = ok && !same(&m, res[0], res[1], 0);
    image_free(&m);
    return different;
}

static void shrink(struct rv_case *c, const struct cpu_settings *set, u64 seed, u8 *res[2]) {
    for (unsigned step = CASE_ITEMS / 2; step; step /= 2) {
        for (unsigned i = 0; i < c->nitems;) {
            struct rv_case t = *c;
            unsigned n = i + step <= t.nitems ? step : t.nitems - i;
            memmove(&t.items[i], &t.items[i + n], (t.nitems - i - n) * sizeof t.items[0]);
            t.nitems -= n;
            if (differs(&t, set, seed, res))
                *c = t;
            else
                i += step;
        }
    }
}

static void print_case(const struct rv_case *c, u64 seed, u8 *res[2]) {
    struct image m;
    image_build(&m, c, 1, seed);
    for (unsigned i = 0; i < c->nitems; i++) {
        for (unsigned k = 0; k < c->items[i].n; k++) {
            u8 code[4];
            char text[96];
            put_le32(code, c->items[i].w[k]);
            guest_riscv64.disassemble(code, 4, 0, text, sizeof text);
            printf("    %s%s\n", text,
                   k + 1u == c->items[i].n && c->items[i].patch ? " (jump)" : "");
        }
    }
    for (unsigned i = 0; i < CASE_STATE - 1; i++) {
        u64 q = get_le64(state_of(&m, res[0], 0) + 8 * i),
            o = get_le64(state_of(&m, res[1], 0) + 8 * i);
        bool used = q != o;
        for (unsigned k = 0; k < c->nitems && !used; k++)
            for (unsigned j = 0; j < c->items[k].n; j++) {
                u32 w = c->items[k].w[j], x = (w & 3) == 3 ? w : rv_expand(w);
                used |= rv_rs1(x) == i % 32 || rv_rs2(x) == i % 32 || rv_rs3(x) == i % 32;
            }
        if (used || i == STATE_FCSR)
            printf("    %c%-2u init %016llx qemu %016llx ours %016llx%s\n",
                   i < STATE_F      ? 'x'
                   : i < STATE_FCSR ? 'f'
                                    : 'c',
                   i % 32, (unsigned long long)c->init[i], (unsigned long long)q,
                   (unsigned long long)o, q != o ? "  <--" : "");
    }
    for (int i = 0; i < 2 * WINDOW_HALF; i++)
        if (window_of(&m, res[0], 0)[i] != window_of(&m, res[1], 0)[i])
            printf("    memory %+d: qemu %02x ours %02x\n", i - WINDOW_HALF,
                   window_of(&m, res[0], 0)[i], window_of(&m, res[1], 0)[i]);
    image_free(&m);
}

static void report(const struct rv_case *found, size_t engine, u64 seed, unsigned i) {
    struct rv_case c = *found;
    u8 *res[2] = {calloc(1, 1 << 20), calloc(1, 1 << 20)};
    printf("seed %llu case %u: %s differs from qemu\n", (unsigned long long)seed, i,
           engines[engine].name);
    if (differs(&c, &engines[engine].set, seed, res)) {
        shrink(&c, &engines[engine].set, seed, res);
        differs(&c, &engines[engine].set, seed, res);
        print_case(&c, seed, res);
    } else {
        printf("    but not when it runs alone\n");
    }
    free(res[0]);
    free(res[1]);
}

// Number of cases that differ.
static unsigned batch(u64 seed) {
    static struct rv_case cases[CASES];
    struct rng r = {seed};
    struct image m;
    unsigned bad = 0;
    for (unsigned i = 0; i < CASES; i++) case_random(&cases[i], &r);
    image_build(&m, cases, CASES, seed);
    u8 *qemu = malloc(m.results_len), *ours = malloc(m.results_len);
    if (!run_qemu(&m, qemu)) exit(1);
    for (size_t e = 0; e < ARRAY_LEN(engines); e++) {
        if (!run_ours(&m, &engines[e].set, ours)) bad++;
        for (unsigned i = 0; i < CASES; i++) {
            if (same(&m, qemu, ours, i)) continue;
            if (bad++ < 3) report(&cases[i], e, seed, i);
        }
    }
    free(qemu);
    free(ours);
    image_free(&m);
    return bad;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "system") == 0) {
        size_t e = strtoul(argv[3], NULL, 0) % ARRAY_LEN(engines);
        return machine_program(argv[2], &engines[e].set);
    }
    u64 batches = argc > 1 ? strtoull(argv[1], NULL, 0) : DEFAULT_BATCHES;
    u64 first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    unsigned bad = 0;
    for (u64 i = 0; i < batches && bad < 10; i++) bad += batch(first + i);
    printf("%llu passed, %u failed\n", (unsigned long long)batches * CASES - bad, bad);
    return bad != 0;
}
