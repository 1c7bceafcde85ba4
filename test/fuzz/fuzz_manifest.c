// Any bytes as an index, a manifest and an image configuration.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "oci/manifest.h"
#include "oci/oci.h"

static void document(const u8 *p, size_t n, const char *type) {
    static const char *const ARCH[] = {NULL, "riscv64", "riscv64,x86_64"};
    static const char *const TAG[] = {NULL, "latest", "a"};
    struct oci_doc d;
    struct err err = {0};
    if (oci_doc_parse(&d, p, n, type, "document", &err) < 0) {
        assert(err.code && err.msg[0]);
        return;
    }
    for (unsigned i = 0; i < d.n; i++)
        assert(strlen(d.v[i].digest) == DIGEST_TEXT - 1 && !strchr(d.v[i].digest, '/'));
    for (unsigned i = 0; d.is_index && i < 9; i++) {
        err = (struct err){0};
        const struct oci_desc *e =
            oci_doc_choose(&d, ARCH[i % 3], i & 1, TAG[i / 3], "document", &err);
        assert(e ? e >= d.v && e < d.v + d.n && !e->attestation : err.code != 0);
    }
    oci_doc_free(&d);
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n) {
    document(p, n, "");
    document(p, n, "application/vnd.oci.image.index.v1+json");
    document(p, n, "application/vnd.oci.image.manifest.v1+json");
    char **diff;
    unsigned ndiff;
    struct err err = {0};
    struct oci_config *c = oci_config_parse(p, n, &diff, &ndiff, &err);
    assert(c ? c->architecture[0] && c->user && c->cmd.v : err.code != 0);
    for (unsigned i = 0; c && i < ndiff; i++) free(diff[i]);
    if (c) free(diff);
    oci_config_free(c);
    return 0;
}
