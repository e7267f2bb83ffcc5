/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_json.h: the JSON files of a Hugging Face folder, and typed looks into them. A failure prints which file
 * and which field it is about and returns CLI_MODEL. */
#ifndef MOTE_CLI_HF_JSON_H
#define MOTE_CLI_HF_JSON_H

#include <stdint.h>

#include <jansson.h>

struct cli_hf_json {
    const char *folder, *name;
    json_t *root; /* NULL: an optional file that is not there */
};

/* Reads FOLDER/NAME, an object of at most `most` bytes. */
int cli_hf_json_open(struct cli_hf_json *json, const char *folder, const char *name, uint64_t most,
                     int optional);
/* The same of a file that is a list, and need not be there. */
int cli_hf_json_list(struct cli_hf_json *json, const char *folder, const char *name, uint64_t most);
void cli_hf_json_close(struct cli_hf_json *json);

int cli_hf_json_fail(const struct cli_hf_json *json, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* object[key], where *value is what it is when the key is absent or null. CLI_HF_NEEDED, NAN and NULL there
 * mean that it must not be. NULL object: an empty one. */
#define CLI_HF_NEEDED UINT64_MAX
int cli_hf_json_count(const struct cli_hf_json *json, const json_t *object, const char *key, uint64_t least,
                      uint64_t most, uint64_t *value);
int cli_hf_json_real(const struct cli_hf_json *json, const json_t *object, const char *key, double least,
                     double most, double *value);
int cli_hf_json_flag(const struct cli_hf_json *json, const json_t *object, const char *key, int *value);
int cli_hf_json_text(const struct cli_hf_json *json, const json_t *object, const char *key,
                     const char **value);

/* Whether text is a single component of a path, of plain characters: what a file may say another is called. */
int cli_hf_is_plain(const char *text);

#endif
