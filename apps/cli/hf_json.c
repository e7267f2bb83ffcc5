/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_json.c: reads the JSON of a model's folder. Sizes are bounded before anything is parsed (a parsed file
 * takes up to some forty times its bytes), depth is bounded by the parser, keys that are there twice are an
 * error: two readers would disagree about them. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/hf_json.h"
#include "apps/cli/paths.h"
#include "apps/cli/print.h"

int cli_hf_json_fail(const struct cli_hf_json *json, const char *format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (unsigned char *c = (unsigned char *)text; *c;
         c++) /* names come from the file: no commands to terminals */
        if (*c < 32 || *c == 127 || (*c == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0)) *c = '?';
    return cli_fail(CLI_MODEL, "%s/%s: %s", json->folder, json->name, text);
}

static int parse(struct cli_hf_json *json, const struct mote_posix_map *map, uint64_t most, json_type type) {
    json_error_t error;
    if (map->n_bytes > most)
        return cli_hf_json_fail(json, "%llu bytes, more than the %llu a file of this kind may have",
                                (unsigned long long)map->n_bytes, (unsigned long long)most);
    json->root =
        json_loadb(map->bytes, (size_t)map->n_bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!json->root && json_error_code(&error) == json_error_out_of_memory)
        return cli_fail(CLI_MEMORY, "not enough memory for %s/%s", json->folder, json->name);
    if (!json->root) return cli_hf_json_fail(json, "line %d: %s", error.line, error.text);
    if (json_typeof(json->root) == type) return CLI_OK;
    return cli_hf_json_fail(json, "it is not a JSON %s", type == JSON_OBJECT ? "object" : "list");
}

static int read_json(struct cli_hf_json *json, const char *folder, const char *name, uint64_t most,
                     int optional, json_type type) {
    struct mote_posix_map map = {0};
    *json = (struct cli_hf_json){.folder = folder, .name = name};
    char *path = cli_text("%s/%s", folder, name);
    if (!path) return cli_fail(CLI_MEMORY, "not enough memory");
    int mapped = mote_posix_map_open(path, &map), error = errno;
    free(path);
    if (!mapped && optional && error == ENOENT) return CLI_OK;
    if (!mapped) return cli_hf_json_fail(json, "%s", cli_map_reason(error));
    int code = parse(json, &map, most, type);
    mote_posix_map_close(&map);
    if (code) cli_hf_json_close(json);
    return code;
}

int cli_hf_json_open(struct cli_hf_json *json, const char *folder, const char *name, uint64_t most,
                     int optional) {
    return read_json(json, folder, name, most, optional, JSON_OBJECT);
}

int cli_hf_json_list(struct cli_hf_json *json, const char *folder, const char *name, uint64_t most) {
    return read_json(json, folder, name, most, 1, JSON_ARRAY);
}

void cli_hf_json_close(struct cli_hf_json *json) {
    json_decref(json->root);
    json->root = NULL;
}

/* The value of a key that is there and not null. */
static const json_t *get(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static int missing(const struct cli_hf_json *json, const char *key) {
    return cli_hf_json_fail(json, "\"%s\" is missing", key);
}

int cli_hf_json_count(const struct cli_hf_json *json, const json_t *object, const char *key, uint64_t least,
                      uint64_t most, uint64_t *value) {
    const json_t *found = get(object, key);
    if (!found) return *value == CLI_HF_NEEDED ? missing(json, key) : CLI_OK;
    json_int_t n = json_integer_value(found);
    if (!json_is_integer(found) || n < 0 || (uint64_t)n < least || (uint64_t)n > most)
        return cli_hf_json_fail(json, "\"%s\" is not a whole number from %llu to %llu", key,
                                (unsigned long long)least, (unsigned long long)most);
    *value = (uint64_t)n;
    return CLI_OK;
}

int cli_hf_json_real(const struct cli_hf_json *json, const json_t *object, const char *key, double least,
                     double most, double *value) {
    const json_t *found = get(object, key);
    if (!found) return isnan(*value) ? missing(json, key) : CLI_OK;
    double x = json_number_value(found);
    if (!json_is_number(found) || !(x >= least && x <= most))
        return cli_hf_json_fail(json, "\"%s\" is not a number from %g to %g", key, least, most);
    *value = x;
    return CLI_OK;
}

int cli_hf_json_flag(const struct cli_hf_json *json, const json_t *object, const char *key, int *value) {
    const json_t *found = get(object, key);
    if (!found) return CLI_OK;
    if (!json_is_boolean(found)) return cli_hf_json_fail(json, "\"%s\" is neither true nor false", key);
    *value = json_is_true(found);
    return CLI_OK;
}

int cli_hf_json_text(const struct cli_hf_json *json, const json_t *object, const char *key,
                     const char **value) {
    const json_t *found = get(object, key);
    if (!found) return *value ? CLI_OK : missing(json, key);
    if (!json_is_string(found) || strlen(json_string_value(found)) != json_string_length(found))
        return cli_hf_json_fail(json, "\"%s\" is not text", key);
    *value = json_string_value(found);
    return CLI_OK;
}

int cli_hf_is_plain(const char *text) {
    size_t n = strlen(text);
    if (n == 0 || n > 200 || text[0] == '.' || text[0] == '-') return 0;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._-+", text[i])) return 0;
    return 1;
}
