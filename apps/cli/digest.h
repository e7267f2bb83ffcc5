/* SPDX-License-Identifier: Apache-2.0
 *
 * digest.h: SHA-256 and SHA-512 of streams and files, as lower-case hexadecimal text. The arithmetic is
 * libcrypto's; this only keeps its handle and its errors in one place. */
#ifndef MOTE_CLI_DIGEST_H
#define MOTE_CLI_DIGEST_H

#include <stddef.h>

#include "apps/cli/cli.h"

enum cli_digest_kind { CLI_SHA256, CLI_SHA512 };

#define CLI_SHA256_HEX (64 + 1) /* bytes of text with its NUL */
#define CLI_SHA512_HEX (128 + 1)

struct cli_digest {
    void *state;
};

/* Each returns 0, or -1 when libcrypto fails (no memory). An opened digest must be closed; hex NULL only
 * frees it. */
int cli_digest_open(struct cli_digest *digest, enum cli_digest_kind kind);
int cli_digest_add(struct cli_digest *digest, const void *bytes, size_t n_bytes);
int cli_digest_close(struct cli_digest *digest, char *hex);

/* The digest of a whole file; progress may be NULL. Returns 0, or -1 with errno set (EINTR after Ctrl-C). */
int cli_digest_file(const char *path, enum cli_digest_kind kind, struct cli_progress *progress, char *hex);

#endif
