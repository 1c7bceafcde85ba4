// x86_64 kernel images: whatever the file, a message or a kernel inside RAM above the board's
// tables, which can then be written.
#include <stdlib.h>
#include <string.h>

#include "machine/x86_64.h"

enum { SIZE = 32 << 20 };

static void check_kernel(struct bus *bus, const struct x86_kernel *k) {
    if (k->at.entry >= SIZE || k->at.end > SIZE || k->at.end <= X86_LOWEST) abort();
    if (k->setup_len > sizeof k->setup) abort();
    struct x86_boot b = {.kernel = k, .cmdline = "a b", .initrd = 0x1000000, .nvirtio = 24};
    u64 arg0, arg1;
    if (boot_x86_64(bus, &b, &arg0, &arg1, NULL)) abort();
    if (!bus_ram_ptr(bus, arg1, 64)) abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct bus *bus = bus_create(0, SIZE, NULL);
    struct x86_kernel k;
    struct err err = {0};
    int rc = load_x86_64(bus, data, size, &k, &err);
    if (rc == 0)
        check_kernel(bus, &k);
    else if (err.code != -rc || strlen(err.msg) < 20)
        abort();
    bus_destroy(bus);
    return 0;
}
