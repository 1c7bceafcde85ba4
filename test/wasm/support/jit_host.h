// The compiler that run.mjs gives a WASI test program.
#ifndef BERTH_TEST_WASM_JIT_HOST_H
#define BERTH_TEST_WASM_JIT_HOST_H

#include "exec/cpu.h"

extern const struct jit_host test_jit_host;
extern u64 test_jit_modules; // installed so far
extern bool test_jit_late;   // modules arrive only at test_jit_settle

// Between two runs: delivers what was put off. NULL: forgets it (its CPU is gone).
void test_jit_settle(struct cpu *c);

// Every CPU that was translated for is gone.
void test_jit_reset(void);

#endif
