/* SPDX-License-Identifier: Apache-2.0
 *
 * gguf.c: the directory of a GGUF file, byte by byte, so that the machine's own order does
 * not matter. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/cli.h"
#include "apps/cli/gguf.h"

void cli_gguf_put(struct cli_gguf *w, const void *bytes, size_t n) {
    if (!w->failed) w->failed = !cli_buffer_append(&w->bytes, bytes, n);
}

void cli_gguf_put_u32(struct cli_gguf *w, uint32_t value) {
    unsigned char p[4] = {value & 255, value >> 8 & 255, value >> 16 & 255, value >> 24};
    cli_gguf_put(w, p, 4);
}

void cli_gguf_put_u64(struct cli_gguf *w, uint64_t value) {
    cli_gguf_put_u32(w, (uint32_t)value);
    cli_gguf_put_u32(w, (uint32_t)(value >> 32));
}

void cli_gguf_put_string(struct cli_gguf *w, const char *text, size_t n) {
    cli_gguf_put_u64(w, n);
    cli_gguf_put(w, text, n);
}

void cli_gguf_key(struct cli_gguf *w, const char *name, uint32_t type) {
    cli_gguf_put_string(w, name, strlen(name));
    cli_gguf_put_u32(w, type);
    w->n_keys++;
}

void cli_gguf_key_u32(struct cli_gguf *w, const char *name, uint64_t value) {
    cli_gguf_key(w, name, CLI_GGUF_U32);
    cli_gguf_put_u32(w, (uint32_t)value);
}

void cli_gguf_key_f32(struct cli_gguf *w, const char *name, float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    cli_gguf_key(w, name, CLI_GGUF_F32);
    cli_gguf_put_u32(w, bits);
}

void cli_gguf_key_string(struct cli_gguf *w, const char *name, const char *text) {
    cli_gguf_key(w, name, CLI_GGUF_STRING);
    cli_gguf_put_string(w, text, strlen(text));
}

void cli_gguf_key_array(struct cli_gguf *w, const char *name, uint32_t element, uint64_t n) {
    cli_gguf_key(w, name, CLI_GGUF_ARRAY);
    cli_gguf_put_u32(w, element);
    cli_gguf_put_u64(w, n);
}

static int write_all(FILE *file, const struct cli_gguf *w, int (*data)(FILE *, void *), void *user) {
    return fwrite(w->bytes.data, 1, w->bytes.n, file) == w->bytes.n && data(file, user) && !fflush(file) &&
           !fsync(fileno(file));
}

/* Bytes that reach the file system together: as many as a large page has, so that it may keep the file in such
 * pages, and the model is faster to read while it is still in memory. */
enum { TOGETHER = 1 << 21 };

int cli_gguf_save(const char *out, const struct cli_gguf *w, int (*data)(FILE *, void *), void *user) {
    char aside[4096];
    int n = snprintf(aside, sizeof aside, "%s.part-XXXXXX", out);
    if (n < 0 || (size_t)n >= sizeof aside) return cli_fail(CLI_FAILED, "%.80s…: the path is too long", out);
    int fd = mkstemp(aside);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file) {
        int error = errno;
        if (fd >= 0) close(fd), unlink(aside);
        return cli_fail(CLI_FAILED, "%s: %s", out, strerror(error));
    }
    char *buffer = malloc(TOGETHER);
    if (buffer) (void)setvbuf(file, buffer, _IOFBF, TOGETHER);
    mode_t mask = umask(0);
    umask(mask);
    int written = write_all(file, w, data, user) && !fchmod(fd, 0666 & ~mask), error = errno;
    if (fclose(file) && written) written = 0, error = errno;
    free(buffer);
    if (written && !rename(aside, out)) return CLI_OK;
    if (written) error = errno;
    unlink(aside);
    if (cli_interrupted) return CLI_INTERRUPTED;
    return error ? cli_fail(CLI_FAILED, "%s: %s", out, strerror(error)) : CLI_MODEL;
}
