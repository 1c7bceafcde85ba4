// The compiler of the WASI test programs.
#include "../lockstep.h"
#include "test/wasm/support/jit_host.h"

const struct jit_host *lockstep_jit(bool late) {
    test_jit_late = late;
    return &test_jit_host;
}

void lockstep_settle(struct cpu *c) { test_jit_settle(c); }

void lockstep_gone(void) { test_jit_reset(); }
