// Prints a hash of what each floating-point helper answers to the same random operands: the native
// and the wasm build must print the same, for both use the host's arithmetic where that is exact.
#include <stdio.h>

#include "base/compiler.h"
#include "guest/riscv64/state.h"

enum { TRIES = 100000 };

static const struct {
    const char *name;
    guest_helper_fn fn;
} rows[] = {
#define RV_HELPER(id, effects) {#id, rv64_help_##id},
#include "guest/riscv64/helpers_fp.def"
};

static u64 rng_state = 1;
static u64 rng(void) { // splitmix64
    u64 z = rng_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static u64 operand(void) {
    u64 v = rng(), boxed = 0xffffffff00000000u;
    switch (rng() % 6) {
    case 0:
        return v;
    case 1:
        return (v & 0x800fffffffffffffu) | (1000 + rng() % 50) << 52;
    case 2:
        return (v & 0x800fffffffffffffu) | (rng() % 3 + (rng() & 1 ? 0 : 2044)) << 52;
    case 3:
        return boxed | (u32)v;
    case 4:
        return boxed | ((u32)v & 0x807fffff) | (u32)(110 + rng() % 30) << 23;
    default:
        return v >> rng() % 64;
    }
}

int main(void) {
    static struct rv64_state s;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        u64 hash = 0;
        for (unsigned k = 0; k < TRIES; k++) {
            u64 a = operand(), b = operand(), c = operand();
            u64 rm = rng() % 2 ? 0 : rng() % 5, signs = rng() % 4;
            s.fflags = rng() % 2;
            // Bits 3 and 4 mean something to fma and nothing to the others.
            u64 r = rows[i].fn(&s.g, a, b, c, rm | signs << 3);
            hash = (hash ^ r ^ s.fflags * 0x1234567) * 0x100000001b3u;
            hash ^= hash >> 29;
        }
        printf("%s %016llx\n", rows[i].name, (unsigned long long)hash);
    }
    return 0;
}
