// struct jit_host over the imports of run.mjs.
#include "jit_host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(n) __attribute__((import_module("jit"), import_name(#n)))
IMPORT(install) int js_install(const u8 *module, size_t len);
IMPORT(grow) u32 js_grow(u32 slots, u32 from);
IMPORT(set) void js_set(u32 slot, u32 from);

u64 test_jit_modules;
bool test_jit_late;

static struct {
    u8 *module;
    size_t len;
    u32 token;
} late[64];
static unsigned nlate;

static enum jit_result install(void *arg, const u8 *module, size_t len, u32 token, bool later) {
    (void)arg;
    test_jit_modules++;
    if (later && test_jit_late && nlate < sizeof late / sizeof *late) {
        late[nlate].module = malloc(len);
        assert(late[nlate].module);
        memcpy(late[nlate].module, module, len);
        late[nlate].len = len;
        late[nlate++].token = token;
        return JIT_LATER;
    }
    return js_install(module, len) ? JIT_DONE : JIT_REFUSED;
}

// A table only grows, and instantiating a module takes the longer the bigger it is: what CPUs that
// are gone had is used again.
static u32 pool, pool_size, pool_used;

static u32 grow(void *arg, u32 slots, u32 from) {
    (void)arg;
    if (slots <= pool_size - pool_used) {
        u32 first = pool + pool_used;
        pool_used += slots;
        for (u32 i = 0; i < slots; i++) js_set(first + i, from);
        return first;
    }
    u32 first = js_grow(slots, from);
    if (!first) return 0;
    if (!pool) pool = first;
    if (first == pool + pool_size) pool_size += slots, pool_used = pool_size;
    return first;
}

void test_jit_reset(void) {
    test_jit_settle(NULL);
    pool_used = 0;
}

static void set(void *arg, u32 slot, u32 from) {
    (void)arg;
    js_set(slot, from);
}

const struct jit_host test_jit_host = {NULL, install, grow, set};

void test_jit_settle(struct cpu *c) {
    for (unsigned i = 0; i < nlate; i++) {
        bool ok = !c || js_install(late[i].module, late[i].len);
        if (c) cpu_jit_arrived(c, late[i].token, ok);
        free(late[i].module);
    }
    nlate = 0;
}
