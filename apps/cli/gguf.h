/* SPDX-License-Identifier: Apache-2.0
 *
 * gguf.h: writes GGUF files. The directory is made in memory: every function appends; one that finds no memory
 * sets failed, and all that follow do nothing, so that it is looked at once, at the end. */
#ifndef MOTE_CLI_GGUF_H
#define MOTE_CLI_GGUF_H

#include <stdint.h>

#include "apps/cli/buffer.h"

struct cli_gguf {
    struct cli_buffer bytes;
    uint64_t n_keys;
    int failed;
};

enum {
    CLI_GGUF_U8 = 0,
    CLI_GGUF_U32 = 4,
    CLI_GGUF_I32 = 5,
    CLI_GGUF_F32 = 6,
    CLI_GGUF_BOOL = 7,
    CLI_GGUF_STRING = 8,
    CLI_GGUF_ARRAY = 9,
};

void cli_gguf_put(struct cli_gguf *w, const void *bytes, size_t n);
void cli_gguf_put_u32(struct cli_gguf *w, uint32_t value);
void cli_gguf_put_u64(struct cli_gguf *w, uint64_t value);
void cli_gguf_put_string(struct cli_gguf *w, const char *text, size_t n);

/* A key's name and type; its value is to follow. */
void cli_gguf_key(struct cli_gguf *w, const char *name, uint32_t type);
/* Whole keys; of an array, n elements are to follow. */
void cli_gguf_key_u32(struct cli_gguf *w, const char *name, uint64_t value);
void cli_gguf_key_f32(struct cli_gguf *w, const char *name, float value);
void cli_gguf_key_string(struct cli_gguf *w, const char *name, const char *text);
void cli_gguf_key_array(struct cli_gguf *w, const char *name, uint32_t element, uint64_t n);

/* Writes the directory and then what `data` writes to a file beside `out`, and renames it: whatever happens,
 * there is a whole file or none. data returns 0 when it fails, with errno set, or 0 there when it has said
 * itself that the source is at fault, or when cli_interrupted is set.
 * Returns CLI_OK or an exit code, with a message printed. */
int cli_gguf_save(const char *out, const struct cli_gguf *w, int (*data)(FILE *file, void *user), void *user);

#endif
