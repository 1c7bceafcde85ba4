// Role: "sifive,test0" as QEMU's virt board has it: one write-only 32-bit register. Depends on mem.
#include "hw/finisher.h"

static u64 finisher_read(void *dev, u64 off, unsigned size) {
    (void)dev, (void)off, (void)size;
    return 0;
}

static void finisher_write(void *dev, u64 off, unsigned size, u64 val) {
    struct finisher *f = dev;
    unsigned what = val & 0xffff;
    if (off != 0 || size < 2) return;
    if (what == FINISHER_PASS || what == FINISHER_RESET)
        f->end(f->arg, what, 0);
    else if (what == FINISHER_FAIL)
        f->end(f->arg, what, size < 4 ? 0 : (unsigned)(val >> 16 & 0xffff));
}

const struct mmio_ops finisher_mmio = {finisher_read, finisher_write};
