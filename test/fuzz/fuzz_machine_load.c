// Kernel images: whatever the file, a message or a kernel inside RAM.
#include <stdlib.h>
#include <string.h>

#include "machine/load.h"

enum { BASE = 0x80000000, SIZE = 4 << 20 };

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct bus *bus = bus_create(BASE, SIZE, NULL);
    struct kernel_image k = {0};
    struct err err = {0};
    int rc = load_riscv64(bus, data, size, &k, &err);
    if (rc == 0) {
        if (k.entry < BASE || k.entry >= BASE + SIZE) abort();
        if (k.end < BASE || k.end > BASE + SIZE) abort();
    } else if (err.code != -rc || strlen(err.msg) < 20) {
        abort();
    }
    bus_destroy(bus);
    return 0;
}
