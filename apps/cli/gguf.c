/* SPDX-License-Identifier: Apache-2.0
 *
 * gguf.c: writes the directory of a GGUF file into memory, byte by byte, so that the machine's own order does
 * not matter. */
#include <string.h>

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
