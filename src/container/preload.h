// An image may say what code of its programs is hot (exec/jit_profile.c has the form): a file in it
// that guest/image/profile.mjs makes. While the guest idles for the first time, init is asked to
// read that code into memory, and the CPU to translate it.
#ifndef BERTH_CONTAINER_PRELOAD_H
#define BERTH_CONTAINER_PRELOAD_H

#include "base/buf.h"
#include "base/log.h"
#include "oci/imgtree.h"

#define PRELOAD_PROFILE "/usr/lib/berth/profile"

// The image's profile, appended to `text`; nothing when it has none. One that is too large or
// cannot be read is warned of.
void preload_read(const struct imgtree *tree, const struct log *log, struct buf *text);
// What to read for it: the payload of PRELOAD, as many of the files as fit a frame.
void preload_put(const char *text, size_t len, struct buf *payload);

#endif
