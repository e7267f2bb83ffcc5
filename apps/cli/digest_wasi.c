/* SPDX-License-Identifier: Apache-2.0
 *
 * digest_wasi.c: digest.h by libmd, which needs nothing that a sandbox lacks. Whole files, which only pulling
 * reads, are not among it. */
#if defined(__wasi__)

#include "apps/cli/digest.h"

#include <stdlib.h>

#include <sha2.h>

int cli_digest_open(struct cli_digest *digest, enum cli_digest_kind kind) {
    digest->state = kind == CLI_SHA256 ? malloc(sizeof(SHA2_CTX)) : NULL;
    if (!digest->state) return -1;
    SHA256Init(digest->state);
    return 0;
}

int cli_digest_add(struct cli_digest *digest, const void *bytes, size_t n_bytes) {
    SHA256Update(digest->state, bytes, n_bytes);
    return 0;
}

int cli_digest_close(struct cli_digest *digest, char *hex) {
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[SHA256_DIGEST_LENGTH];
    SHA256Final(raw, digest->state);
    free(digest->state);
    digest->state = NULL;
    if (!hex) return 0;
    for (size_t i = 0; i < sizeof raw; i++) {
        *hex++ = digits[raw[i] >> 4];
        *hex++ = digits[raw[i] & 15];
    }
    *hex = 0;
    return 0;
}

#endif
