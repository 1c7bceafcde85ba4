// Image indexes and manifests: OCI image-spec v1.1 and Docker's schema 2.
#ifndef BERTH_OCI_MANIFEST_H
#define BERTH_OCI_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "oci/digest.h"

struct oci_desc {
    char *media_type; // "" when absent
    char digest[DIGEST_TEXT];
    u64 size;
    char *os, *architecture, *variant; // "" when absent
    char *ref_name, *image_name;       // annotations; "" when absent
    bool attestation;                  // about an image, not an image
};

// One of the two; which one is told by is_index.
struct oci_doc {
    bool is_index;
    struct oci_desc *v; // index: manifests; manifest: layers
    unsigned n;
    struct oci_desc config; // manifest only
};

// `what` names the document in errors; `media_type` is what its descriptor said ("" unknown): a
// document that claims to be another is refused, as one that could be read as both
// (CVE-2021-41190).
int oci_doc_parse(struct oci_doc *d, const u8 *p, size_t n, const char *media_type,
                  const char *what, struct err *err);
void oci_doc_free(struct oci_doc *d);

bool oci_is_index_type(const char *media_type);

// The entry of an index for `tag` (NULL: any that is unambiguous, `tagged` false: tags don't matter
// at this level) and `arch` (a list, best first; NULL: any).
const struct oci_desc *oci_doc_choose(const struct oci_doc *d, const char *arch, bool tagged,
                                      const char *tag, const char *what, struct err *err);

// "amd64" for "x86_64" and the like; else the same string.
const char *oci_arch_name(const char *arch);
// Where `have` stands in a list of architectures with commas between, by whatever names: 0 first,
// -1 not in it.
int oci_arch_rank(const char *list, const char *have);
// The list for a message: "linux/riscv64 or linux/amd64"; "linux" for NULL.
void oci_arch_text(const char *list, struct buf *out);

// Names out of images end up in messages, and those on terminals: makes control characters
// harmless.
void oci_err_clean(struct err *err);

struct oci_config;
// The image configuration; diff_ids become a list of `n` strings in the order of the layers.
struct oci_config *oci_config_parse(const u8 *p, size_t n, char ***diff_ids, unsigned *ndiff,
                                    struct err *err);

#endif
