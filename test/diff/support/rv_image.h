// A static program of many cases, as an ELF file for qemu-riscv64 and as memory for our CPU.
#ifndef BERTH_TEST_DIFF_RV_IMAGE_H
#define BERTH_TEST_DIFF_RV_IMAGE_H

#include "base/buf.h"
#include "support/rv_case.h"

#define IMAGE_BASE 0x10000000u
enum { IMAGE_CODE = 0x1000 }; // offset of the entry

struct image {
    struct buf file;             // offset = address - IMAGE_BASE
    size_t results, results_len; // states after each case, then the windows
    size_t windows;
    size_t *body; // file offset of each case's first instruction
};

// Results of case i: state at results + i * CASE_STATE * 8; window of 2 * WINDOW_HALF bytes around
// windows + (i + 1) * 4096.
void image_build(struct image *m, const struct rv_case *cases, unsigned n, u64 seed);
void image_free(struct image *m);

#endif
