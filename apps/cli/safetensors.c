/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors.c: reads the files that Hugging Face keeps weights in:
 *
 *     u64 n | n bytes of JSON                                                     | data, to the end
 *             {"name": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}, …}
 *
 * The tensors must cover the data, one behind the other, without gap or overlap, and each must be as large as
 * its shape and type ask. Everything is checked before the first weight is read; products are taken with
 * overflow caught. A model in several files has an index that says which tensor is in which; the files it
 * names are plain names in the same folder, whatever it says. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/hf_json.h"
#include "apps/cli/paths.h"
#include "apps/cli/print.h"
#include "apps/cli/safetensors.h"

enum { MOST_HEADER = 16 << 20, MOST_INDEX = 32 << 20, MOST_SHARDS = 1024 };

/* ---- a tensor ---- */

struct type {
    const char *name;
    uint64_t n_bytes;
    enum cli_safe_type type;
};

static const struct type types[] = {
    {"F32", 4, CLI_SAFE_F32},    {"F16", 2, CLI_SAFE_F16},       {"BF16", 2, CLI_SAFE_BF16},
    {"F64", 8, CLI_SAFE_OTHER},  {"I64", 8, CLI_SAFE_OTHER},     {"U64", 8, CLI_SAFE_OTHER},
    {"I32", 4, CLI_SAFE_OTHER},  {"U32", 4, CLI_SAFE_OTHER},     {"I16", 2, CLI_SAFE_OTHER},
    {"U16", 2, CLI_SAFE_OTHER},  {"I8", 1, CLI_SAFE_OTHER},      {"U8", 1, CLI_SAFE_OTHER},
    {"BOOL", 1, CLI_SAFE_OTHER}, {"F8_E4M3", 1, CLI_SAFE_OTHER}, {"F8_E5M2", 1, CLI_SAFE_OTHER},
};

static int fault(const struct cli_hf_json *place, const char *tensor, const char *what) {
    return cli_hf_json_fail(place, "tensor \"%.100s\": %s", tensor, what);
}

static int read_shape(const struct cli_hf_json *place, const json_t *shape, struct cli_safe_tensor *t) {
    if (!json_is_array(shape) || json_array_size(shape) > CLI_SAFE_DIMS)
        return fault(place, t->name, "\"shape\" is not a list of at most 8 numbers");
    t->n_dims = (uint32_t)json_array_size(shape);
    t->n = 1;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        const json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return fault(place, t->name, "\"shape\" holds something that is no size");
        t->dims[i] = (uint64_t)json_integer_value(dim);
        if (__builtin_mul_overflow(t->n, t->dims[i], &t->n))
            return fault(place, t->name, "\"shape\" asks for more than 2^64 elements");
    }
    return CLI_OK;
}

static int read_entry(const struct cli_hf_json *place, const json_t *json, uint64_t n_data,
                      struct cli_safe_tensor *t) {
    const json_t *dtype = json_object_get(json, "dtype"), *offsets = json_object_get(json, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    const struct type *type = NULL;
    for (size_t i = 0; json_is_string(dtype) && i < sizeof types / sizeof *types; i++)
        if (!strcmp(json_string_value(dtype), types[i].name)) type = &types[i];
    if (!type) return fault(place, t->name, "\"dtype\" is not one that is known");
    t->type = type->type;
    t->type_name = type->name;
    int code = read_shape(place, json_object_get(json, "shape"), t);
    if (code) return code;
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin) ||
        (uint64_t)json_integer_value(end) > n_data)
        return fault(place, t->name, "\"data_offsets\" are not two places in the file, in order");
    t->begin = (uint64_t)json_integer_value(begin);
    t->end = (uint64_t)json_integer_value(end);
    uint64_t needs;
    if (__builtin_mul_overflow(t->n, type->n_bytes, &needs) || needs != t->end - t->begin)
        return fault(place, t->name, "\"data_offsets\" do not hold what \"shape\" and \"dtype\" ask for");
    return CLI_OK;
}

/* ---- a file ---- */

static int by_place(const void *a, const void *b) {
    const struct cli_safe_tensor *x = a, *y = b;
    return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin)
                                : (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct cli_safe_tensor *)a)->name, ((const struct cli_safe_tensor *)b)->name);
}

/* That the tensors cover the data without gap or overlap. */
static int check_cover(const struct cli_hf_json *place, struct cli_safe_tensor *list, size_t n,
                       uint64_t n_data) {
    uint64_t at = 0;
    qsort(list, n, sizeof *list, by_place);
    for (size_t i = 0; i < n; at = list[i++].end)
        if (list[i].begin != at)
            return fault(place, list[i].name,
                         list[i].begin < at ? "it overlaps the one before it"
                                            : "bytes before it belong to no tensor");
    if (at == n_data) return CLI_OK;
    return cli_hf_json_fail(place, "%llu bytes behind the last tensor belong to none",
                            (unsigned long long)(n_data - at));
}

static int read_header(struct cli_safetensors *all, struct cli_safe_shard *shard,
                       const struct cli_hf_json *place) {
    const unsigned char *bytes = shard->map.bytes;
    uint64_t n_header = 0, n_bytes = shard->map.n_bytes;
    for (int i = 0; n_bytes >= 8 && i < 8; i++)
        n_header |= (uint64_t)bytes[i] << 8 * i;
    if (n_bytes < 8 || n_header > n_bytes - 8)
        return cli_hf_json_fail(place, "not a safetensors file: its header is longer than the file");
    if (n_header > MOST_HEADER)
        return cli_hf_json_fail(place, "its header has %llu bytes, more than 16 MiB",
                                (unsigned long long)n_header);
    json_error_t error;
    shard->header = json_loadb((const char *)bytes + 8, (size_t)n_header, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(shard->header))
        return cli_hf_json_fail(place, "its header is not a JSON object: %s",
                                shard->header ? "it is something else" : error.text);
    size_t n = json_object_size(shard->header), first = all->n;
    struct cli_safe_tensor *grown = realloc(all->list, (all->n + n + 1) * sizeof *grown);
    if (!grown) return cli_fail(CLI_MEMORY, "not enough memory");
    all->list = grown;
    const char *name;
    json_t *entry;
    json_object_foreach(shard->header, name, entry) {
        struct cli_safe_tensor t = {.name = name, .shard = shard->name};
        if (!strcmp(name, "__metadata__")) continue;
        int code = read_entry(place, entry, n_bytes - 8 - n_header, &t);
        if (code) return code;
        t.bytes = bytes + 8 + n_header + t.begin;
        all->list[all->n++] = t;
    }
    return check_cover(place, all->list + first, all->n - first, n_bytes - 8 - n_header);
}

static int open_shard(struct cli_safetensors *all, const char *folder, const char *name) {
    struct cli_safe_shard *grown = realloc(all->shards, (all->n_shards + 1) * sizeof *grown);
    if (!grown) return cli_fail(CLI_MEMORY, "not enough memory");
    all->shards = grown;
    struct cli_safe_shard *shard = &grown[all->n_shards];
    *shard = (struct cli_safe_shard){.name = cli_text("%s", name)};
    char *path = cli_text("%s/%s", folder, name);
    const struct cli_hf_json place = {.folder = folder, .name = name};
    all->n_shards++;
    int code = CLI_OK;
    if (!path || !shard->name)
        code = cli_fail(CLI_MEMORY, "not enough memory");
    else if (!mote_posix_map_open(path, &shard->map))
        code = cli_hf_json_fail(&place, "%s", cli_map_reason(errno));
    free(path);
    return code ? code : read_header(all, shard, &place);
}

/* ---- a folder ---- */

static int is_weights(const char *name) {
    static const char tail[] = ".safetensors";
    size_t n = strlen(name);
    return n > sizeof tail - 1 && !strcmp(name + n - (sizeof tail - 1), tail);
}

static int has_shard(const struct cli_safetensors *all, const char *name) {
    for (size_t i = 0; i < all->n_shards; i++)
        if (!strcmp(all->shards[i].name, name)) return 1;
    return 0;
}

static int open_index(struct cli_safetensors *all, const struct cli_hf_json *index) {
    json_t *map = json_object_get(index->root, "weight_map"), *file;
    const char *tensor;
    if (!json_is_object(map)) return cli_hf_json_fail(index, "\"weight_map\" is not an object");
    json_object_foreach(map, tensor, file) {
        const char *name = json_string_value(file);
        if (!name || !cli_hf_is_plain(name) || !is_weights(name))
            return cli_hf_json_fail(index,
                                    "\"weight_map\": the file of \"%.100s\" is not the plain name of a "
                                    ".safetensors file in this folder",
                                    tensor);
        if (has_shard(all, name)) continue;
        if (all->n_shards == MOST_SHARDS) return cli_hf_json_fail(index, "it names more than 1024 files");
        int code = open_shard(all, index->folder, name);
        if (code) return code;
    }
    return CLI_OK;
}

/* That each tensor is where the index has it, and no other is there. */
static int check_index(const struct cli_safetensors *all, const struct cli_hf_json *index) {
    const json_t *map = json_object_get(index->root, "weight_map");
    for (size_t i = 0; i < all->n; i++) {
        const char *file = json_string_value(json_object_get(map, all->list[i].name));
        if (!file || strcmp(file, all->list[i].shard) != 0)
            return cli_hf_json_fail(index, "\"weight_map\": tensor \"%.100s\" is in %.100s, not in %.100s",
                                    all->list[i].name, all->list[i].shard, file ? file : "any file");
    }
    if (json_object_size(map) == all->n) return CLI_OK;
    return cli_hf_json_fail(index, "\"weight_map\" names tensors that its files do not have");
}

/* The only *.safetensors of the folder, malloc'ed into *name. */
static int find_only(const char *folder, char **name) {
    DIR *dir = opendir(folder);
    int n = 0;
    if (!dir) return cli_fail(CLI_MODEL, "%s: %s", folder, strerror(errno));
    for (const struct dirent *entry; (entry = readdir(dir)) && n < 2;)
        if (is_weights(entry->d_name) && cli_hf_is_plain(entry->d_name) && n++ == 0)
            *name = cli_text("%s", entry->d_name);
    closedir(dir);
    if (n == 1) return *name ? CLI_OK : cli_fail(CLI_MEMORY, "not enough memory");
    return cli_fail(CLI_MODEL,
                    n ? "%s: several .safetensors files, and neither model.safetensors nor an index"
                      : "%s: no .safetensors file in it",
                    folder);
}

int cli_safetensors_open(struct cli_safetensors *all, const char *folder) {
    static const char whole[] = "model.safetensors";
    struct cli_hf_json index = {0};
    char *path = cli_text("%s/%s", folder, whole), *only = NULL;
    int code = path ? CLI_OK : cli_fail(CLI_MEMORY, "not enough memory");
    int is_whole = path && cli_file_size(path) >= 0;
    free(path);
    if (!code && !is_whole)
        code = cli_hf_json_open(&index, folder, "model.safetensors.index.json", MOST_INDEX, 1);
    if (!code && !is_whole && !index.root) code = find_only(folder, &only);
    if (!code) code = index.root ? open_index(all, &index) : open_shard(all, folder, only ? only : whole);
    free(only);
    if (!code && all->n) qsort(all->list, all->n, sizeof *all->list, by_name);
    for (size_t i = 1; i < all->n && !code; i++)
        if (!by_name(&all->list[i - 1], &all->list[i]))
            code = fault(&(struct cli_hf_json){.folder = folder, .name = all->list[i - 1].shard},
                         all->list[i].name, "another file has it too");
    if (!code && index.root) code = check_index(all, &index);
    cli_hf_json_close(&index);
    return code;
}

void cli_safetensors_close(struct cli_safetensors *all) {
    for (size_t i = 0; i < all->n_shards; i++) {
        json_decref(all->shards[i].header);
        mote_posix_map_close(&all->shards[i].map);
        free(all->shards[i].name);
    }
    free(all->shards);
    free(all->list);
    *all = (struct cli_safetensors){0};
}

const struct cli_safe_tensor *cli_safetensors_find(const struct cli_safetensors *all, const char *name) {
    const struct cli_safe_tensor key = {.name = name};
    return all->n ? bsearch(&key, all->list, all->n, sizeof *all->list, by_name) : NULL;
}

/* ---- weights ---- */

/* A half as the bits of a float: the exponent moves from bias 15 to 127; what is below the smallest normal is
 * a multiple of 2^-24. */
static uint32_t widen(uint32_t half) {
    uint32_t sign = (half & 0x8000) << 16, rest = half & 0x7fff, bits;
    if (rest >= 0x7c00) return sign | 0x7f800000 | (rest & 0x3ff) << 13;
    if (rest >= 0x400) return sign | ((rest << 13) + ((127 - 15) << 23));
    float small = (float)rest * 0x1p-24f;
    memcpy(&bits, &small, 4);
    return sign | bits;
}

void cli_safe_read(const struct cli_safe_tensor *t, uint64_t first, uint64_t n, float *out) {
    int wide = t->type == CLI_SAFE_F32;
    const unsigned char *p = t->bytes + first * (wide ? 4 : 2);
    for (uint64_t i = 0; i < n; i++, p += wide ? 4 : 2) {
        uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8;
        if (wide)
            bits |= (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        else
            bits = t->type == CLI_SAFE_BF16 ? bits << 16 : widen(bits);
        memcpy(&out[i], &bits, 4);
    }
}
