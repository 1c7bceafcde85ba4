// The virtio entropy device against a hostile driver.
#include "support/vfuzz.h"

#include "virtio/rng.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct bus *bus = vf_bus();
    vf_play(bus, virtio_rng_create(bus, NULL), data, size, NULL, NULL);
    return 0;
}
