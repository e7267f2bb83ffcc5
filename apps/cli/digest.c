/* SPDX-License-Identifier: Apache-2.0
 *
 * digest.c: SHA-256 and SHA-512 through libcrypto's EVP interface, which uses the processor's SHA
 * instructions where it has them (about 2 GB/s), so that checking a model costs little beside reading it. */
#include "apps/cli/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>

int cli_digest_open(struct cli_digest *digest, enum cli_digest_kind kind) {
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    if (!state) return -1;
    if (EVP_DigestInit_ex(state, kind == CLI_SHA256 ? EVP_sha256() : EVP_sha512(), NULL) != 1) {
        EVP_MD_CTX_free(state);
        return -1;
    }
    digest->state = state;
    return 0;
}

int cli_digest_add(struct cli_digest *digest, const void *bytes, size_t n_bytes) {
    return EVP_DigestUpdate(digest->state, bytes, n_bytes) == 1 ? 0 : -1;
}

int cli_digest_close(struct cli_digest *digest, char *hex) {
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n_raw = 0;
    int failed = hex && EVP_DigestFinal_ex(digest->state, raw, &n_raw) != 1;
    EVP_MD_CTX_free(digest->state);
    digest->state = NULL;
    if (failed || !hex) return failed ? -1 : 0;
    for (unsigned i = 0; i < n_raw; i++) {
        hex[2 * i] = digits[raw[i] >> 4];
        hex[2 * i + 1] = digits[raw[i] & 15];
    }
    hex[2 * n_raw] = 0;
    return 0;
}

/* Feeds all of fd. Returns 0 or an errno. */
static int add_file(struct cli_digest *digest, int fd, struct cli_progress *progress) {
    enum { PIECE = 1 << 20 };
    char *piece = malloc(PIECE);
    uint64_t done = 0;
    int error = piece ? 0 : ENOMEM;
    while (!error) {
        ssize_t n = cli_interrupted ? -1 : read(fd, piece, PIECE);
        if (n == 0) break;
        if (n < 0)
            error = cli_interrupted ? EINTR : errno == EINTR ? 0 : errno;
        else if (cli_digest_add(digest, piece, (size_t)n))
            error = ENOMEM;
        else if (progress)
            cli_progress_move(progress, done += (uint64_t)n);
    }
    free(piece);
    return error;
}

int cli_digest_file(const char *path, enum cli_digest_kind kind, struct cli_progress *progress, char *hex) {
    struct cli_digest digest;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int error = cli_digest_open(&digest, kind) ? ENOMEM : 0;
    if (!error) {
        error = add_file(&digest, fd, progress);
        if (cli_digest_close(&digest, error ? NULL : hex)) error = ENOMEM;
    }
    close(fd);
    errno = error;
    return error ? -1 : 0;
}
