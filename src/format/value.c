/* SPDX-License-Identifier: Apache-2.0
 *
 * value.c: finds keys and tensors by name, and reads keys as the types their readers expect. The directory
 * has been checked by gguf.c, so nothing here can run past a value. */
#include "format/value.h"

#include "base/error.h"
#include "base/float.h"
#include "base/memory.h"
#include "base/reader.h"

static const struct {
    const char *name;
    uint8_t bytes;
} types[] = {
    [MOTE_FORMAT_U8] = {"u8", 1},         [MOTE_FORMAT_I8] = {"i8", 1},
    [MOTE_FORMAT_U16] = {"u16", 2},       [MOTE_FORMAT_I16] = {"i16", 2},
    [MOTE_FORMAT_U32] = {"u32", 4},       [MOTE_FORMAT_I32] = {"i32", 4},
    [MOTE_FORMAT_F32] = {"f32", 4},       [MOTE_FORMAT_BOOL] = {"bool", 1},
    [MOTE_FORMAT_STRING] = {"string", 0}, [MOTE_FORMAT_ARRAY] = {"array", 0},
    [MOTE_FORMAT_U64] = {"u64", 8},       [MOTE_FORMAT_I64] = {"i64", 8},
    [MOTE_FORMAT_F64] = {"f64", 8},
};

uint32_t mote_format_type_bytes(enum mote_format_type type) {
    return types[type].bytes;
}

const char *mote_format_type_name(enum mote_format_type type) {
    return types[type].name;
}

int mote_format_compare(mote_text a, mote_text b) {
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.data, b.data, a.n) : 0;
}

mote_text mote_format_text(const char *constant) {
    mote_text text = {constant, 0};
    while (constant[text.n])
        text.n++;
    return text;
}

/* Keys and tensors begin with their names, so that both are found by one search. */
static const void *find(const void *entries, size_t entry_bytes, const uint32_t *index, uint64_t n,
                        mote_text name) {
    uint64_t low = 0, high = n;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const mote_text *entry =
            (const mote_text *)(const void *)((const char *)entries + index[middle] * entry_bytes);
        int order = mote_format_compare(*entry, name);
        if (order == 0) return entry;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct mote_format_key *mote_format_find_key(const struct mote_format_file *file, mote_text name) {
    return find(file->keys, sizeof *file->keys, file->key_index, file->key_index_size, name);
}

const struct mote_format_tensor *mote_format_find_tensor(const struct mote_format_file *file,
                                                         mote_text name) {
    return find(file->tensors, sizeof *file->tensors, file->tensor_index, file->tensor_index_size, name);
}

static mote_status mistyped(const struct mote_format_key *key, const char *wanted, mote_error *error) {
    int array = key->type == MOTE_FORMAT_ARRAY;
    return mote_base_fail(error, MOTE_E_FORMAT, key->offset, "'%t' is %s%s, not %s", key->name,
                          array ? "an array of " : "", mote_format_type_name(key->element), wanted);
}

mote_status mote_format_u32(const struct mote_format_file *file, const struct mote_format_key *key,
                            uint32_t *value, mote_error *error) {
    (void)file;
    uint64_t wide;
    const uint8_t *p = key->value;
    /* A negative number, extended to 64 bits, is too great just as a great one is. */
    switch (key->type) {
    case MOTE_FORMAT_U8:
        wide = p[0];
        break;
    case MOTE_FORMAT_I8:
        wide = (uint64_t)(int64_t)(int8_t)p[0];
        break;
    case MOTE_FORMAT_U16:
        wide = mote_base_u16(p);
        break;
    case MOTE_FORMAT_I16:
        wide = (uint64_t)(int64_t)(int16_t)mote_base_u16(p);
        break;
    case MOTE_FORMAT_U32:
        wide = mote_base_u32(p);
        break;
    case MOTE_FORMAT_I32:
        wide = (uint64_t)(int64_t)(int32_t)mote_base_u32(p);
        break;
    case MOTE_FORMAT_U64:
    case MOTE_FORMAT_I64:
        wide = mote_base_u64(p);
        break;
    default:
        return mistyped(key, "an integer", error);
    }
    if (wide > UINT32_MAX)
        return mote_base_fail(error, MOTE_E_FORMAT, key->offset, "'%t' is not in 0 ... 2^32 - 1", key->name);
    *value = (uint32_t)wide;
    return MOTE_OK;
}

mote_status mote_format_f32(const struct mote_format_file *file, const struct mote_format_key *key,
                            float *value, mote_error *error) {
    (void)file;
    if (key->type != MOTE_FORMAT_F32) return mistyped(key, "f32", error);
    *value = mote_base_f32_from_bits(mote_base_u32(key->value));
    return MOTE_OK;
}

mote_status mote_format_bool(const struct mote_format_file *file, const struct mote_format_key *key,
                             int *value, mote_error *error) {
    (void)file;
    if (key->type != MOTE_FORMAT_BOOL) return mistyped(key, "bool", error);
    *value = key->value[0];
    return MOTE_OK;
}

mote_status mote_format_string(const struct mote_format_file *file, const struct mote_format_key *key,
                               mote_text *value, mote_error *error) {
    (void)file;
    if (key->type != MOTE_FORMAT_STRING) return mistyped(key, "a string", error);
    mote_format_strings(key, value);
    return MOTE_OK;
}

mote_status mote_format_array(const struct mote_format_file *file, const struct mote_format_key *key,
                              enum mote_format_type element, mote_error *error) {
    (void)file;
    if (key->type != MOTE_FORMAT_ARRAY) return mistyped(key, "an array", error);
    if (key->element != element)
        return mote_base_fail(error, MOTE_E_FORMAT, key->offset, "'%t' is an array of %s, not of %s",
                              key->name, mote_format_type_name(key->element), mote_format_type_name(element));
    return MOTE_OK;
}

void mote_format_strings(const struct mote_format_key *key, mote_text *views) {
    const uint8_t *p = key->value;
    for (uint64_t i = 0; i < key->n; i++) {
        uint64_t n = mote_base_u64(p);
        views[i] = (mote_text){(const char *)p + 8, (size_t)n};
        p += 8 + n;
    }
}

mote_text mote_format_string_at(const struct mote_format_key *key, uint64_t i) {
    const uint8_t *p = key->value;
    while (i-- > 0)
        p += 8 + mote_base_u64(p);
    return (mote_text){(const char *)p + 8, (size_t)mote_base_u64(p)};
}
