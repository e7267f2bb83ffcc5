/* SPDX-License-Identifier: Apache-2.0
 *
 * gguf.c: walks a GGUF file's directory and checks it, once.
 *
 *     walk      header, keys, tensor entries in file order; every length against what is left of the file
 *     place     data offset, then each tensor's bytes against the file
 *     index     places sorted by offset (overlaps show as neighbours), then by name (so do duplicates)
 *
 * The walk runs twice: mote_format_plan counts without storing, so that the arena it asks for is for entries
 * that are really there and not for a number in the header; mote_format_open stores. Names are found by
 * binary search in a sorted index. A hash table would need a seed that the file's author cannot know, which a
 * library without a source of randomness does not have; heapsort is n·log n for any names.
 *
 * Source: the GGUF specification (ggml, docs/gguf.md). Stricter than it: no arrays of arrays (no file uses
 * them), names are printable ASCII, no alignment above 16 MiB. */
#include "format/gguf.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/reader.h"
#include "base/sort.h"
#include "base/type.h"
#include "format/value.h"

enum {
    KEY_MIN = 8 + 1 + 4 + 1,            /* bytes of the least key: length, one letter, type, u8 */
    TENSOR_MIN = 8 + 1 + 4 + 8 + 4 + 8, /* length, one letter, n_dims, one dim, type, offset */
    KEY_NAME_MAX = 65535,
    TENSOR_NAME_MAX = 64,
    ALIGNMENT_DEFAULT = 32,
    ALIGNMENT_MAX = 1 << 24,
};

struct walk {
    struct mote_base_reader reader;
    struct mote_format_file *file; /* keys and tensors NULL: counting only */
    mote_error *error;
};

static uint64_t left(const struct walk *walk) {
    return walk->reader.size - walk->reader.at;
}

static mote_status truncated(struct walk *walk, const char *field, mote_text owner) {
    return mote_base_fail(walk->error, MOTE_E_FORMAT, walk->reader.at, "the file ends inside %s of '%t'",
                          field, owner);
}

static mote_status read_header(struct walk *walk) {
    struct mote_base_reader *reader = &walk->reader;
    struct mote_format_file *file = walk->file;
    const uint8_t *magic;
    if (!mote_base_read(reader, 4, &magic) || memcmp(magic, "GGUF", 4) != 0)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, 0, "magic: this is not a GGUF file");
    if (!mote_base_read_u32(reader, &file->version))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, reader->at, "the file ends inside version");
    if (file->version && !(file->version & 0xffff))
        return mote_base_fail(walk->error, MOTE_E_UNSUPPORTED, 4, "version: the file is big-endian");
    if (file->version != 2 && file->version != 3)
        return mote_base_fail(walk->error, MOTE_E_UNSUPPORTED, 4, "version %u of GGUF; mote reads 2 and 3",
                              (uint64_t)file->version);
    if (!mote_base_read_u64(reader, &file->n_tensors))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, reader->at, "the file ends inside n_tensors");
    if (!mote_base_read_u64(reader, &file->n_keys))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, reader->at, "the file ends inside n_keys");
    /* Places in the indices are 32 bits wide. */
    if (file->n_tensors > left(walk) / TENSOR_MIN || file->n_tensors >= UINT32_MAX)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, 8, "n_tensors %u cannot fit in the %u bytes left",
                              file->n_tensors, left(walk));
    if (file->n_keys > (left(walk) - file->n_tensors * TENSOR_MIN) / KEY_MIN || file->n_keys >= UINT32_MAX)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, 16, "n_keys %u cannot fit in the %u bytes left",
                              file->n_keys, left(walk));
    return MOTE_OK;
}

/* A name of 1 … max printable ASCII bytes; kind and i say whose. */
static mote_status read_name(struct walk *walk, const char *kind, uint64_t i, uint64_t max, mote_text *name) {
    uint64_t n, start = walk->reader.at;
    const uint8_t *view;
    *name = (mote_text){NULL, 0};
    if (!mote_base_read_u64(&walk->reader, &n))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start, "the file ends inside the name of %s %u",
                              kind, i);
    if (n == 0 || n > max)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start,
                              "name of %s %u: length %u is not in 1 ... %u", kind, i, n, max);
    if (!mote_base_read(&walk->reader, n, &view))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start, "name of %s %u: length %u but %u bytes left",
                              kind, i, n, left(walk));
    *name = (mote_text){(const char *)view, (size_t)n};
    for (uint64_t at = 0; at < n; at++)
        if (view[at] < 32 || view[at] > 126)
            return mote_base_fail(walk->error, MOTE_E_FORMAT, start + 8 + at,
                                  "name of %s %u, '%t': byte %u is not printable ASCII", kind, i, *name,
                                  (uint64_t)view[at]);
    return MOTE_OK;
}

static mote_status skip_string(struct walk *walk, mote_text key, uint64_t element) {
    uint64_t n, start = walk->reader.at;
    const uint8_t *view;
    if (!mote_base_read_u64(&walk->reader, &n)) return truncated(walk, "a string's length", key);
    if (!mote_base_read(&walk->reader, n, &view))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start,
                              "string %u of '%t': length %u but %u bytes left", element, key, n, left(walk));
    return MOTE_OK;
}

static mote_status check_bools(struct walk *walk, mote_text key, const uint8_t *view, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        if (view[i] > 1)
            return mote_base_fail(walk->error, MOTE_E_FORMAT, walk->reader.at - n + i,
                                  "bool of '%t' is %u, neither 0 nor 1", key, (uint64_t)view[i]);
    return MOTE_OK;
}

/* Moves past n values of a type, checking that they are there. */
static mote_status skip_values(struct walk *walk, mote_text key, enum mote_format_type type, uint64_t n) {
    uint64_t size = mote_format_type_bytes(type), bytes = 0;
    const uint8_t *view;
    if (!mote_base_mul(n, size ? size : 8, &bytes) || bytes > left(walk))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, walk->reader.at,
                              "value of '%t': %u of %s cannot fit in the %u bytes left", key, n,
                              mote_format_type_name(type), left(walk));
    if (type == MOTE_FORMAT_STRING) {
        for (uint64_t i = 0; i < n; i++) {
            mote_status status = skip_string(walk, key, i);
            if (status) return status;
        }
        return MOTE_OK;
    }
    if (!mote_base_read(&walk->reader, bytes, &view)) return truncated(walk, "the value", key);
    return type == MOTE_FORMAT_BOOL ? check_bools(walk, key, view, n) : MOTE_OK;
}

static mote_status read_array_head(struct walk *walk, struct mote_format_key *key) {
    uint32_t element;
    uint64_t start = walk->reader.at;
    if (!mote_base_read_u32(&walk->reader, &element)) return truncated(walk, "the element type", key->name);
    if (element == MOTE_FORMAT_ARRAY)
        return mote_base_fail(walk->error, MOTE_E_UNSUPPORTED, start, "value of '%t' is an array of arrays",
                              key->name);
    if (element > MOTE_FORMAT_F64)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start, "element type %u of '%t' is unknown",
                              (uint64_t)element, key->name);
    if (!mote_base_read_u64(&walk->reader, &key->n)) return truncated(walk, "the array length", key->name);
    key->element = (enum mote_format_type)element;
    return MOTE_OK;
}

static mote_status check_alignment(struct walk *walk, const struct mote_format_key *key) {
    if (key->type != MOTE_FORMAT_U32)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, key->offset, "general.alignment is %s, not u32",
                              mote_format_type_name(key->type));
    uint32_t alignment = mote_base_u32(key->value);
    if (alignment == 0 || alignment & (alignment - 1) || alignment > ALIGNMENT_MAX)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, key->offset,
                              "general.alignment %u is not a power of two in 1 ... %u", (uint64_t)alignment,
                              (uint64_t)ALIGNMENT_MAX);
    walk->file->alignment = alignment;
    return MOTE_OK;
}

static mote_status read_key(struct walk *walk, uint64_t i, struct mote_format_key *key) {
    mote_status status = read_name(walk, "key", i, KEY_NAME_MAX, &key->name);
    if (status) return status;
    uint32_t type;
    uint64_t start = walk->reader.at;
    if (!mote_base_read_u32(&walk->reader, &type)) return truncated(walk, "the value type", key->name);
    if (type > MOTE_FORMAT_F64)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start, "value type %u of '%t' is unknown",
                              (uint64_t)type, key->name);
    key->type = key->element = (enum mote_format_type)type;
    key->n = 1;
    if (type == MOTE_FORMAT_ARRAY && (status = read_array_head(walk, key)) != MOTE_OK) return status;
    key->offset = walk->reader.at;
    key->value = walk->reader.bytes + key->offset;
    if ((status = skip_values(walk, key->name, key->element, key->n)) != MOTE_OK) return status;
    key->bytes = walk->reader.at - key->offset;
    if (mote_format_same(key->name, mote_format_text("general.alignment"))) return check_alignment(walk, key);
    return MOTE_OK;
}

/* dims → number of values, with each dim and the product checked. */
static mote_status read_dims(struct walk *walk, struct mote_format_tensor *tensor, uint64_t *n_values) {
    uint64_t product = 1, start = walk->reader.at;
    if (!mote_base_read_u32(&walk->reader, &tensor->n_dims)) return truncated(walk, "n_dims", tensor->name);
    if (tensor->n_dims < 1 || tensor->n_dims > 4)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start, "n_dims %u of '%t' is not in 1 ... 4",
                              (uint64_t)tensor->n_dims, tensor->name);
    for (uint32_t d = 0; d < 4; d++)
        tensor->dims[d] = 1;
    for (uint32_t d = 0; d < tensor->n_dims; d++) {
        start = walk->reader.at;
        if (!mote_base_read_u64(&walk->reader, &tensor->dims[d]))
            return truncated(walk, "dims", tensor->name);
        if (tensor->dims[d] == 0)
            return mote_base_fail(walk->error, MOTE_E_FORMAT, start, "dims[%u] of '%t' is 0", (uint64_t)d,
                                  tensor->name);
        if (!mote_base_mul(product, tensor->dims[d], &product) || product > INT64_MAX)
            return mote_base_fail(walk->error, MOTE_E_FORMAT, start,
                                  "dims of '%t': their product overflows at dims[%u] = %u", tensor->name,
                                  (uint64_t)d, tensor->dims[d]);
    }
    *n_values = product;
    return MOTE_OK;
}

static mote_status read_tensor(struct walk *walk, uint64_t i, struct mote_format_tensor *tensor) {
    uint64_t n_values = 0, start;
    tensor->info_offset = walk->reader.at;
    mote_status status = read_name(walk, "tensor", i, TENSOR_NAME_MAX, &tensor->name);
    if (status) return status;
    if ((status = read_dims(walk, tensor, &n_values)) != MOTE_OK) return status;
    start = walk->reader.at;
    if (!mote_base_read_u32(&walk->reader, &tensor->type)) return truncated(walk, "the type", tensor->name);
    const struct mote_base_type_info *type = mote_base_type_describe(tensor->type);
    if (!type)
        return mote_base_fail(walk->error, MOTE_E_UNSUPPORTED, start, "type %u of '%t' is not one mote reads",
                              (uint64_t)tensor->type, tensor->name);
    if (tensor->dims[0] % type->elements)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start,
                              "dims[0] = %u of '%t' is not a multiple of %s's block of %u", tensor->dims[0],
                              tensor->name, type->name, (uint64_t)type->elements);
    if (!mote_base_mul(n_values / type->elements, type->bytes, &tensor->bytes))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start, "size in bytes of '%t' overflows",
                              tensor->name);
    start = walk->reader.at;
    if (!mote_base_read_u64(&walk->reader, &tensor->offset))
        return truncated(walk, "the offset", tensor->name);
    if (tensor->offset % walk->file->alignment)
        return mote_base_fail(walk->error, MOTE_E_FORMAT, start,
                              "offset %u of '%t' is not a multiple of the alignment %u", tensor->offset,
                              tensor->name, walk->file->alignment);
    struct mote_format_file *file = walk->file;
    if (!mote_base_add(file->weights_bytes, tensor->bytes, &file->weights_bytes) ||
        !mote_base_add(file->n_parameters, n_values, &file->n_parameters))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, tensor->info_offset,
                              "sum of the tensors' sizes overflows at '%t'", tensor->name);
    return MOTE_OK;
}

/* The header, the keys and the tensor entries; stores them where the file has room for them. */
static mote_status walk_directory(struct walk *walk) {
    struct mote_format_file *file = walk->file;
    struct mote_format_key key;
    struct mote_format_tensor tensor;
    for (uint64_t i = 0; i < file->n_keys; i++) {
        mote_status status = read_key(walk, i, file->keys ? &file->keys[i] : &key);
        if (status) return status;
    }
    for (uint64_t i = 0; i < file->n_tensors; i++) {
        mote_status status = read_tensor(walk, i, file->tensors ? &file->tensors[i] : &tensor);
        if (status) return status;
    }
    return MOTE_OK;
}

/* Turns offsets within the data into places in the file. A file without tensors may end without padding. */
static mote_status place_tensors(struct walk *walk) {
    struct mote_format_file *file = walk->file;
    uint64_t end;
    if (!mote_base_round_up(walk->reader.at, file->alignment, &file->data_offset) ||
        (file->data_offset > file->n_bytes && file->n_tensors))
        return mote_base_fail(walk->error, MOTE_E_FORMAT, walk->reader.at,
                              "the file ends inside the padding before the tensor data");
    for (uint64_t i = 0; i < file->n_tensors; i++) {
        struct mote_format_tensor *tensor = &file->tensors[i];
        if (!mote_base_add(tensor->offset, file->data_offset, &tensor->offset) ||
            !mote_base_add(tensor->offset, tensor->bytes, &end) || end > file->n_bytes)
            return mote_base_fail(walk->error, MOTE_E_FORMAT, tensor->info_offset,
                                  "data of '%t', %u bytes, does not lie inside the file's %u bytes",
                                  tensor->name, tensor->bytes, file->n_bytes);
        tensor->data = file->bytes + tensor->offset;
    }
    return MOTE_OK;
}

static int key_before(const void *file, uint32_t a, uint32_t b) {
    const struct mote_format_key *keys = ((const struct mote_format_file *)file)->keys;
    return mote_format_compare(keys[a].name, keys[b].name) < 0;
}

static int tensor_before(const void *file, uint32_t a, uint32_t b) {
    const struct mote_format_tensor *tensors = ((const struct mote_format_file *)file)->tensors;
    return mote_format_compare(tensors[a].name, tensors[b].name) < 0;
}

static int data_before(const void *file, uint32_t a, uint32_t b) {
    const struct mote_format_tensor *tensors = ((const struct mote_format_file *)file)->tensors;
    return tensors[a].offset < tensors[b].offset;
}

/* Fills places with 0 … n − 1, sorted. read_header has seen to it that n fits. */
static void sort(const struct mote_format_file *file, uint32_t *places, uint64_t n,
                 mote_base_before *before) {
    for (uint64_t i = 0; i < n; i++)
        places[i] = (uint32_t)i;
    mote_base_sort(places, (uint32_t)n, before, file);
}

static mote_status index_keys(struct walk *walk) {
    struct mote_format_file *file = walk->file;
    sort(file, file->key_index, file->n_keys, key_before);
    for (uint64_t i = 1; i < file->n_keys; i++) {
        const struct mote_format_key *a = &file->keys[file->key_index[i - 1]];
        const struct mote_format_key *b = &file->keys[file->key_index[i]];
        if (mote_format_same(a->name, b->name))
            return mote_base_fail(walk->error, MOTE_E_FORMAT, a->offset > b->offset ? a->offset : b->offset,
                                  "key '%t' is there twice", a->name);
    }
    return MOTE_OK;
}

static mote_status index_tensors(struct walk *walk) {
    struct mote_format_file *file = walk->file;
    uint32_t *index = file->tensor_index;
    sort(file, index, file->n_tensors, data_before);
    for (uint64_t i = 1; i < file->n_tensors; i++) {
        const struct mote_format_tensor *a = &file->tensors[index[i - 1]], *b = &file->tensors[index[i]];
        if (a->offset + a->bytes > b->offset)
            return mote_base_fail(walk->error, MOTE_E_FORMAT, b->info_offset, "data of '%t' overlaps '%t'",
                                  b->name, a->name);
    }
    sort(file, index, file->n_tensors, tensor_before);
    for (uint64_t i = 1; i < file->n_tensors; i++) {
        const struct mote_format_tensor *a = &file->tensors[index[i - 1]], *b = &file->tensors[index[i]];
        if (mote_format_same(a->name, b->name))
            return mote_base_fail(walk->error, MOTE_E_FORMAT,
                                  a->info_offset > b->info_offset ? a->info_offset : b->info_offset,
                                  "tensor '%t' is there twice", a->name);
    }
    return MOTE_OK;
}

static void take_all(struct mote_base_arena *arena, struct mote_format_file *file) {
    file->keys = mote_base_arena_take(arena, file->n_keys, sizeof *file->keys);
    file->tensors = mote_base_arena_take(arena, file->n_tensors, sizeof *file->tensors);
    file->key_index = mote_base_arena_take(arena, file->n_keys, sizeof *file->key_index);
    file->tensor_index = mote_base_arena_take(arena, file->n_tensors, sizeof *file->tensor_index);
    file->key_index_size = file->n_keys;
    file->tensor_index_size = file->n_tensors;
}

static struct walk begin(const void *bytes, uint64_t n_bytes, struct mote_format_file *file,
                         mote_error *error) {
    *file = (struct mote_format_file){.bytes = bytes, .n_bytes = n_bytes, .alignment = ALIGNMENT_DEFAULT};
    return (struct walk){{bytes, n_bytes, 0}, file, error};
}

mote_status mote_format_plan(const void *bytes, uint64_t n_bytes, uint64_t *arena_bytes, mote_error *error) {
    struct mote_format_file file;
    struct mote_base_arena arena;
    struct walk walk = begin(bytes, n_bytes, &file, error);
    mote_status status = read_header(&walk);
    if (!status) status = walk_directory(&walk);
    if (status) return status;
    mote_base_arena_open(&arena, NULL, 0);
    take_all(&arena, &file);
    *arena_bytes = arena.used;
    return MOTE_OK;
}

int mote_format_peek(const void *bytes, uint64_t n_bytes, mote_text name, struct mote_format_key *key) {
    struct mote_format_file file;
    struct walk walk = begin(bytes, n_bytes, &file, NULL);
    struct mote_format_key next;
    if (read_header(&walk)) return 0;
    for (uint64_t i = 0; i < file.n_keys; i++) {
        if (read_key(&walk, i, &next)) return 0;
        if (!mote_format_same(next.name, name)) continue;
        *key = next;
        return 1;
    }
    return 0;
}

mote_status mote_format_open(const void *bytes, uint64_t n_bytes, struct mote_base_arena *arena,
                             struct mote_format_file *file, mote_error *error) {
    struct mote_format_file draft;
    struct walk walk = begin(bytes, n_bytes, &draft, error);
    mote_status status = read_header(&walk);
    if (status) return status;
    take_all(arena, &draft);
    if (arena->failed || !arena->block)
        return mote_base_fail(error, MOTE_E_MEMORY, 0, "no room for the directory of %u keys and %u tensors",
                              draft.n_keys, draft.n_tensors);
    if ((status = walk_directory(&walk)) != MOTE_OK || (status = place_tensors(&walk)) != MOTE_OK ||
        (status = index_keys(&walk)) != MOTE_OK || (status = index_tensors(&walk)) != MOTE_OK)
        return status;
    *file = draft;
    return MOTE_OK;
}
