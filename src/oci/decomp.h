// Streaming decompression of a layer: gzip (any number of members), zstd (any number of frames) or
// none, told apart by the first bytes.
#ifndef BERTH_OCI_DECOMP_H
#define BERTH_OCI_DECOMP_H

#include "base/err.h"
#include "base/types.h"

enum decomp_kind { DECOMP_UNKNOWN, DECOMP_PLAIN, DECOMP_GZIP, DECOMP_ZSTD };

// Takes decompressed bytes; <0 with `err` set stops.
typedef int (*decomp_out)(void *arg, const u8 *p, size_t n, struct err *err);

struct decomp;
struct decomp *decomp_create(decomp_out out, void *arg); // NULL: out of memory
void decomp_destroy(struct decomp *d);
int decomp_feed(struct decomp *d, const u8 *p, size_t n, struct err *err);
int decomp_end(struct decomp *d, struct err *err); // checks that the stream is complete
enum decomp_kind decomp_kind(const struct decomp *d);
const char *decomp_name(enum decomp_kind k);

#endif
