/* SPDX-License-Identifier: Apache-2.0
 *
 * gguf_check.h: opens files that gguf_writer.h built, and checks how they are refused.
 *
 * Every file is copied to the end of an odd-addressed block of exactly its size, and the arena is exactly
 * what mote_format_plan said, so that a sanitizer sees any step outside either. */
#ifndef MOTE_TEST_GGUF_CHECK_H
#define MOTE_TEST_GGUF_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/type.h"
#include "format/gguf.h"
#include "tests/gguf_writer.h"

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };

static const uint64_t dims_4x2[] = {4, 2};

struct opened {
    uint8_t *copy;
    void *block;
    struct mote_format_file file;
    mote_error error;
};

static inline mote_status open_bytes(struct opened *o, const uint8_t *bytes, size_t n) {
    uint64_t arena_bytes = 0;
    struct mote_base_arena arena;
    memset(o, 0, sizeof *o);
    o->copy = malloc(n + 1);
    assert_non_null(o->copy);
    if (n) memcpy(o->copy + 1, bytes, n);
    mote_status planned = mote_format_plan(o->copy + 1, n, &arena_bytes, &o->error);
    if (planned) return planned;
    assert_int_equal(arena_bytes % MOTE_ALIGN, 0);
    assert_true(arena_bytes <= 8 * (uint64_t)n + 4 * MOTE_ALIGN);
    o->block = aligned_alloc(MOTE_ALIGN, arena_bytes ? arena_bytes : MOTE_ALIGN);
    assert_non_null(o->block);
    mote_base_arena_open(&arena, o->block, arena_bytes);
    mote_status status = mote_format_open(o->copy + 1, n, &arena, &o->file, &o->error);
    if (!status) assert_int_equal(arena.used, arena_bytes);
    return status;
}

static inline void close_file(struct opened *o) {
    free(o->copy);
    free(o->block);
}

static inline void refuse_at(struct gguf_writer *w, mote_status status, uint64_t where, const char *words) {
    struct opened o;
    assert_int_equal(open_bytes(&o, w->bytes, w->n), status);
    if (!strstr(o.error.text, words)) fail_msg("\"%s\" does not say \"%s\"", o.error.text, words);
    assert_int_equal(o.error.status, status);
    assert_int_equal(o.error.where, where);
    assert_null(o.file.bytes); /* untouched on failure */
    close_file(&o);
    gguf_free(w);
}

static inline void refuse(struct gguf_writer *w, uint64_t where, const char *words) {
    refuse_at(w, MOTE_E_FORMAT, where, words);
}

/* One key, whose value the test then writes. */
static inline struct gguf_writer one_key(const char *name, uint32_t type) {
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0, 1);
    gguf_put_key(&w, name, type);
    return w;
}

/* One tensor with room for n_data bytes of data. */
static inline struct gguf_writer one_tensor(const char *name, uint32_t n_dims, const uint64_t *dims,
                                            uint32_t type, uint64_t offset, size_t n_data) {
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 1, 0);
    gguf_put_tensor(&w, name, n_dims, dims, type, offset);
    gguf_put_padding(&w, 32);
    gguf_put_zeros(&w, n_data);
    return w;
}

/* Where the fields of one_tensor(name …) with d dims begin. */
static inline uint64_t at_n_dims(const char *name) {
    return 24 + 8 + strlen(name);
}
static inline uint64_t at_dim(const char *name, uint32_t d) {
    return at_n_dims(name) + 4 + 8 * (uint64_t)d;
}
static inline uint64_t at_offset(const char *name, uint32_t n_dims) {
    return at_dim(name, n_dims) + 4;
}

#endif
