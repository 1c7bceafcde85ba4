// There is nothing that compiles WebAssembly in a native program.
#include "../lockstep.h"

const struct jit_host *lockstep_jit(void) { return NULL; }

void lockstep_settle(struct cpu *c) { (void)c; }
