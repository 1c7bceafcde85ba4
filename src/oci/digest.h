// Content digests: "sha256:<64 hex digits>".
#ifndef BERTH_OCI_DIGEST_H
#define BERTH_OCI_DIGEST_H

#include <mbedtls/sha256.h>

#include "base/err.h"
#include "base/types.h"

enum { DIGEST_TEXT = 7 + 64 + 1 };

struct digest {
    mbedtls_sha256_context sha;
};

void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *p, size_t n);
void digest_end(struct digest *d, char text[DIGEST_TEXT]); // and releases
void digest_abort(struct digest *d);

// Lower-case hex only and exactly 64 digits, so that it is also safe in a path. `what` names its
// owner.
int digest_check_form(const char *text, const char *what, struct err *err);

#endif
