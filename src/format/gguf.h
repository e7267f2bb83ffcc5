/* SPDX-License-Identifier: Apache-2.0
 *
 * gguf.h: hostile bytes -> a checked directory of keys and tensors.
 *
 * GGUF, little-endian, versions 2 and 3:
 *
 *     "GGUF"  u32 version  u64 n_tensors  u64 n_keys
 *     n_keys ×    { string name, u32 type, value }            string = u64 length, bytes (no NUL)
 *     n_tensors × { string name, u32 n_dims, u64 dims[n_dims], u32 type, u64 offset }
 *     padding to general.alignment (32 if absent)
 *     tensor data, each offset relative to here
 *
 * After mote_format_open every view in the directory lies inside the file, every size has been multiplied and
 * added without overflow, names are unique, tensors lie inside the data, are aligned and do not overlap.
 * Values of keys are checked for structure only; what they mean is the business of model/.
 * Nothing is copied: strings and arrays are views on the file. */
#ifndef MOTE_FORMAT_GGUF_H
#define MOTE_FORMAT_GGUF_H

#include "base/arena.h"
#include "mote/mote.h"

enum mote_format_type {
    MOTE_FORMAT_U8 = 0,
    MOTE_FORMAT_I8,
    MOTE_FORMAT_U16,
    MOTE_FORMAT_I16,
    MOTE_FORMAT_U32,
    MOTE_FORMAT_I32,
    MOTE_FORMAT_F32,
    MOTE_FORMAT_BOOL,
    MOTE_FORMAT_STRING,
    MOTE_FORMAT_ARRAY,
    MOTE_FORMAT_U64,
    MOTE_FORMAT_I64,
    MOTE_FORMAT_F64,
};

struct mote_format_key {
    mote_text name;
    enum mote_format_type type;
    enum mote_format_type element; /* of an array */
    uint64_t n;                    /* elements of an array, else 1 */
    const uint8_t
        *value;     /* the value's first byte (of an array: its first element's; of a string: its length's) */
    uint64_t bytes; /* the value's size in the file from there */
    uint64_t offset; /* of the value in the file, for messages */
};

struct mote_format_tensor {
    mote_text name;
    uint32_t type;    /* enum mote_base_type, known */
    uint32_t n_dims;  /* 1 … 4 */
    uint64_t dims[4]; /* dims[0] contiguous; unused ones are 1 */
    const uint8_t *data;
    uint64_t bytes;
    uint64_t offset;      /* of the data in the file */
    uint64_t info_offset; /* of its entry in the directory, for messages */
};

struct mote_format_file {
    const uint8_t *bytes;
    uint64_t n_bytes;
    uint32_t version;
    uint64_t n_keys, n_tensors, alignment, data_offset, weights_bytes, n_parameters;
    struct mote_format_key *keys;
    struct mote_format_tensor *tensors;
    uint32_t *key_index, *tensor_index; /* places, sorted by name */
    uint64_t key_index_size, tensor_index_size;
};

/* Bytes of arena that mote_format_open will take. Checks the counts against the file's size first, so the
 * answer is bounded by a small multiple of the file. */
MOTE_MUST_USE mote_status mote_format_plan(const void *bytes, uint64_t n_bytes, uint64_t *arena_bytes,
                                           mote_error *error);

/* Finds one key by walking the file, without a directory: for planning. Returns 0, and leaves key as it was,
 * if there is none or the file is broken before it. */
int mote_format_peek(const void *bytes, uint64_t n_bytes, mote_text name, struct mote_format_key *key);

MOTE_MUST_USE mote_status mote_format_open(const void *bytes, uint64_t n_bytes, struct mote_base_arena *arena,
                                           struct mote_format_file *file, mote_error *error);

/* NULL if the file has none of that name. */
const struct mote_format_key *mote_format_find_key(const struct mote_format_file *file, mote_text name);
const struct mote_format_tensor *mote_format_find_tensor(const struct mote_format_file *file, mote_text name);

/* Typed values of a key. An integer of any width is accepted where it fits; a mistyped value fails with
 * MOTE_E_FORMAT, its name and its offset. key must not be NULL. */
MOTE_MUST_USE mote_status mote_format_u32(const struct mote_format_file *file,
                                          const struct mote_format_key *key, uint32_t *value,
                                          mote_error *error);
MOTE_MUST_USE mote_status mote_format_f32(const struct mote_format_file *file,
                                          const struct mote_format_key *key, float *value, mote_error *error);
MOTE_MUST_USE mote_status mote_format_bool(const struct mote_format_file *file,
                                           const struct mote_format_key *key, int *value, mote_error *error);
MOTE_MUST_USE mote_status mote_format_string(const struct mote_format_file *file,
                                             const struct mote_format_key *key, mote_text *value,
                                             mote_error *error);
/* Checks that key is an array of element type; for strings, fills views[n]. */
MOTE_MUST_USE mote_status mote_format_array(const struct mote_format_file *file,
                                            const struct mote_format_key *key, enum mote_format_type element,
                                            mote_error *error);
void mote_format_strings(const struct mote_format_key *key, mote_text *views);
/* The i-th of them, i < key->n. */
mote_text mote_format_string_at(const struct mote_format_key *key, uint64_t i);

/* One key's value as readable text, as mote_model_key promises. */
void mote_format_print(const struct mote_format_key *key, char *out, size_t out_bytes);

#endif
