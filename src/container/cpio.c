// A cpio writer, just enough to append files to an initramfs. Depends on base/.
// Format: "newc" (cpio(5)) as Documentation/driver-api/early-userspace/buffer-format.rst of Linux
// reads it: magic 070701, thirteen 8-digit hex fields, the name with its NUL padded to 4 bytes from
// the header's start, the data padded to 4 bytes.
#include "container/cpio.h"

#include <assert.h>
#include <string.h>

#define S_REGULAR 0100000u

static void pad4(struct buf *out) {
    while (!out->oom && out->len % 4) buf_put_u8(out, 0);
}

static void put_entry(struct buf *out, const char *name, unsigned ino, unsigned mode,
                      unsigned nlink, const void *data, size_t len) {
    assert(len <= UINT32_MAX && "newc has 32-bit sizes");
    pad4(out);
    unsigned namesize = (unsigned)strlen(name) + 1;
    const unsigned fields[13] = {ino, mode,           0, 0, nlink,    0, (unsigned)len,
                                 0,   0 /* device */, 0, 0, namesize, 0 /* no checksum */};
    buf_put_str(out, "070701");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) buf_printf(out, "%08X", fields[i]);
    buf_put(out, name, namesize);
    pad4(out);
    buf_put(out, data, len);
    pad4(out);
}

void cpio_put_file(struct buf *out, const char *name, unsigned mode, const void *data, size_t len) {
    // The inode number must not make the kernel see a hard link; nlink 1 never does.
    put_entry(out, name, 1, S_REGULAR | mode, 1, data, len);
}

void cpio_put_end(struct buf *out) { put_entry(out, "TRAILER!!!", 0, 0, 1, NULL, 0); }
