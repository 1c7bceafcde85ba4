// There is nothing that compiles WebAssembly in a native program.
#include "../lockstep.h"

const struct jit_host *lockstep_jit(bool late) {
    (void)late;
    return NULL;
}

void lockstep_settle(struct cpu *c) { (void)c; }

void lockstep_gone(void) {}
