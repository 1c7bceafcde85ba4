// struct jit_host over the imports of run.mjs.
#include "jit_host.h"

#define IMPORT(n) __attribute__((import_module("jit"), import_name(#n)))
IMPORT(install) int js_install(const u8 *module, size_t len, u32 slot);
IMPORT(grow) u32 js_grow(u32 slots);
IMPORT(remove) void js_remove(u32 slot);

u64 test_jit_modules;

static bool install(void *arg, const u8 *module, size_t len, u32 slot) {
    (void)arg;
    test_jit_modules++;
    return js_install(module, len, slot);
}

static u32 grow(void *arg, u32 slots) {
    (void)arg;
    return js_grow(slots);
}

static void remove_slot(void *arg, u32 slot) {
    (void)arg;
    js_remove(slot);
}

const struct jit_host test_jit_host = {NULL, install, grow, remove_slot};

void test_jit_settle(struct cpu *c) { (void)c; }
