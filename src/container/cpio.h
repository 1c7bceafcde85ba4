// Writes "newc" cpio archives, the format of an initramfs.
#ifndef BERTH_CONTAINER_CPIO_H
#define BERTH_CONTAINER_CPIO_H

#include "base/buf.h"

// Pads `out` to 4 bytes and appends a regular file `name` (no leading '/'), owner root.
void cpio_put_file(struct buf *out, const char *name, unsigned mode, const void *data, size_t len);
// Ends an archive. Archives may follow each other in one initramfs; the kernel unpacks them in
// order.
void cpio_put_end(struct buf *out);

#endif
