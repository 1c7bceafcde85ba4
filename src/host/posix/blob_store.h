// Where a posix host keeps unpacked file contents: an unlinked temporary file, or a file of the
// cache.
#ifndef BERTH_HOST_POSIX_BLOB_STORE_H
#define BERTH_HOST_POSIX_BLOB_STORE_H

#include "base/err.h"
#include "oci/oci.h"

// A fresh store in $TMPDIR (or /tmp); the file has no name and goes with the process.
int posix_store_temp(struct blob_store *out, struct err *err);
// A fresh store written to `path`, which must not exist.
int posix_store_create(struct blob_store *out, const char *path, struct err *err);
// An existing file, read only: append fails.
int posix_store_open(struct blob_store *out, const char *path, struct err *err);
u64 posix_store_size(const struct blob_store *s);
int posix_store_flush(const struct blob_store *s, struct err *err); // buffered bytes to the file
// Releases what the functions above made (or a zeroed struct); after the tree that reads from it.
void posix_store_close(struct blob_store *s);

#endif
