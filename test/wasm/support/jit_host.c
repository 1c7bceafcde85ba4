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

static u32 grow(void *arg, u32 slots, u32 from) {
    (void)arg;
    return js_grow(slots, from);
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
