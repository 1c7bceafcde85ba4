// SHA-256 content digests over mbedTLS (OCI image-spec, "Digests"). sha512 and others are refused:
// no registry or tool writes them by default.
#include "oci/digest.h"

#include <string.h>

// The functions' return values can only tell of hardware accelerators failing; mbedTLS 2.28 returns
// void.
void digest_begin(struct digest *d) {
    mbedtls_sha256_init(&d->sha);
    (void)mbedtls_sha256_starts_ret(&d->sha, 0);
}

void digest_add(struct digest *d, const void *p, size_t n) {
    if (n) (void)mbedtls_sha256_update_ret(&d->sha, p, n);
}

void digest_end(struct digest *d, char text[DIGEST_TEXT]) {
    static const char HEX[] = "0123456789abcdef";
    u8 sum[32];
    (void)mbedtls_sha256_finish_ret(&d->sha, sum);
    mbedtls_sha256_free(&d->sha);
    memcpy(text, "sha256:", 7);
    for (int i = 0; i < 32; i++) {
        text[7 + 2 * i] = HEX[sum[i] >> 4];
        text[8 + 2 * i] = HEX[sum[i] & 15];
    }
    text[DIGEST_TEXT - 1] = 0;
}

void digest_abort(struct digest *d) { mbedtls_sha256_free(&d->sha); }

int digest_check_form(const char *text, const char *what, struct err *err) {
    if (strncmp(text, "sha256:", 7) != 0) {
        const char *colon = strchr(text, ':');
        return err_set(err, colon ? ERR_UNSUPPORTED : ERR_CORRUPT,
                       "%s has digest \"%.80s\": only sha256 digests are supported", what, text);
    }
    if (strlen(text) != DIGEST_TEXT - 1 || strspn(text + 7, "0123456789abcdef") != 64)
        return err_set(err, ERR_CORRUPT, "%s has a malformed digest \"%.80s\"", what, text);
    return 0;
}
