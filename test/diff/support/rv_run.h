// Runs an image under qemu-riscv64 and on our CPU.
#ifndef BERTH_TEST_DIFF_RV_RUN_H
#define BERTH_TEST_DIFF_RV_RUN_H

#include "exec/cpu.h"
#include "support/rv_image.h"

// Both fill `out` (image.results_len bytes). False with a message on stderr when the program did
// not get to its end.
bool run_qemu(const struct image *m, u8 *out);
bool run_ours(const struct image *m, const struct cpu_settings *set, u8 *out);

#endif
