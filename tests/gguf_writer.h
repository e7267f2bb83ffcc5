/* SPDX-License-Identifier: Apache-2.0
 *
 * gguf_writer.h: builds GGUF files in memory for tests. It writes what it is told, right or wrong: counts,
 * lengths and offsets are the caller's, so that a test can lie about any one of them. */
#ifndef MOTE_TEST_GGUF_WRITER_H
#define MOTE_TEST_GGUF_WRITER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct gguf_writer {
    uint8_t *bytes;
    size_t n, size;
};

static inline void gguf_put(struct gguf_writer *w, const void *bytes, size_t n) {
    if (w->n + n > w->size) {
        w->size = (w->n + n) * 2;
        w->bytes = realloc(w->bytes, w->size);
        if (!w->bytes) abort();
    }
    if (n) memcpy(w->bytes + w->n, bytes, n);
    w->n += n;
}

static inline void gguf_put_le(struct gguf_writer *w, uint64_t value, unsigned n_bytes) {
    for (unsigned i = 0; i < n_bytes; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        gguf_put(w, &byte, 1);
    }
}

static inline void gguf_put_zeros(struct gguf_writer *w, size_t n) {
    while (n--)
        gguf_put(w, "", 1);
}

static inline void gguf_put_string(struct gguf_writer *w, const char *text) {
    gguf_put_le(w, strlen(text), 8);
    gguf_put(w, text, strlen(text));
}

static inline void gguf_put_header(struct gguf_writer *w, uint32_t version, uint64_t n_tensors,
                                   uint64_t n_keys) {
    gguf_put(w, "GGUF", 4);
    gguf_put_le(w, version, 4);
    gguf_put_le(w, n_tensors, 8);
    gguf_put_le(w, n_keys, 8);
}

/* A key up to and with its type; the value is the caller's to write. */
static inline void gguf_put_key(struct gguf_writer *w, const char *name, uint32_t type) {
    gguf_put_string(w, name);
    gguf_put_le(w, type, 4);
}

static inline void gguf_put_key_u32(struct gguf_writer *w, const char *name, uint32_t value) {
    gguf_put_key(w, name, 4);
    gguf_put_le(w, value, 4);
}

static inline void gguf_put_key_string(struct gguf_writer *w, const char *name, const char *value) {
    gguf_put_key(w, name, 8);
    gguf_put_string(w, value);
}

/* An array up to its elements. */
static inline void gguf_put_key_array(struct gguf_writer *w, const char *name, uint32_t element, uint64_t n) {
    gguf_put_key(w, name, 9);
    gguf_put_le(w, element, 4);
    gguf_put_le(w, n, 8);
}

static inline void gguf_put_tensor(struct gguf_writer *w, const char *name, uint32_t n_dims,
                                   const uint64_t *dims, uint32_t type, uint64_t offset) {
    gguf_put_string(w, name);
    gguf_put_le(w, n_dims, 4);
    for (uint32_t d = 0; d < n_dims; d++)
        gguf_put_le(w, dims[d], 8);
    gguf_put_le(w, type, 4);
    gguf_put_le(w, offset, 8);
}

static inline void gguf_put_padding(struct gguf_writer *w, size_t alignment) {
    while (w->n % alignment)
        gguf_put(w, "", 1);
}

static inline void gguf_free(struct gguf_writer *w) {
    free(w->bytes);
    *w = (struct gguf_writer){0};
}

#endif
