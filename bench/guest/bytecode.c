// An interpreter inside the guest: one switch in a loop over a small register machine's code, its
// program the sieve of Eratosthenes. The jump that every interpreter has and no predictor likes.
#include "bench.h"

enum { LIMIT = 60000, PASSES = 10 };
enum op { SET, MOVE, ADD, ADDI, MUL, LESS, LOAD, STORE, JUMP, IF, UNLESS, COUNT, HALT };

struct insn {
    uint8_t op, a, b, c;
    int32_t imm;
};

// r0 i, r1 j, r2 limit, r3 scratch, r4 zero, r5 one, r6 primes
static const struct insn sieve[] = {
    {SET, 2, 0, 0, LIMIT}, {SET, 4, 0, 0, 0},   {SET, 5, 0, 0, 1},     {SET, 6, 0, 0, 0},
    {SET, 0, 0, 0, 2},     {LESS, 3, 0, 2, 0},  {UNLESS, 3, 0, 0, 20}, {LOAD, 3, 0, 0, 0},
    {IF, 3, 0, 0, 18},     {COUNT, 6, 0, 0, 0}, {MUL, 1, 0, 0, 0},     {LESS, 3, 1, 2, 0},
    {UNLESS, 3, 0, 0, 18}, {STORE, 5, 1, 0, 0}, {ADD, 1, 1, 0, 0},     {MOVE, 3, 1, 0, 0},
    {ADDI, 3, 3, 0, 1},    {JUMP, 0, 0, 0, 11}, {ADDI, 0, 0, 0, 1},    {JUMP, 0, 0, 0, 5},
    {HALT, 6, 0, 0, 0},
};

static uint8_t memory[LIMIT];

static int64_t run(const struct insn *code) {
    int64_t r[8] = {0};
    for (const struct insn *i = code;; i++) {
        switch (i->op) {
        case SET:
            r[i->a] = i->imm;
            break;
        case MOVE:
            r[i->a] = r[i->b];
            break;
        case ADD:
            r[i->a] = r[i->b] + r[i->c];
            break;
        case ADDI:
            r[i->a] = r[i->b] + i->imm;
            break;
        case MUL:
            r[i->a] = r[i->b] * r[i->c];
            break;
        case LESS:
            r[i->a] = r[i->b] < r[i->c];
            break;
        case LOAD:
            r[i->a] = memory[r[i->b]];
            break;
        case STORE:
            memory[r[i->b]] = (uint8_t)r[i->a];
            break;
        case JUMP:
            i = code + i->imm - 1;
            break;
        case IF:
            if (r[i->a]) i = code + i->imm - 1;
            break;
        case UNLESS:
            if (!r[i->a]) i = code + i->imm - 1;
            break;
        case COUNT:
            r[i->a]++;
            break;
        default:
            return r[i->a];
        }
    }
}

static uint64_t work(void) {
    uint64_t primes = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        for (long i = 0; i < LIMIT; i++) memory[i] = 0;
        primes += (uint64_t)run(sieve);
    }
    return primes;
}

int main(int argc, char **argv) { return bench_repeat(argc, argv, work, UINT64_C(6057) * PASSES); }
