/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors.h: the weights of a Hugging Face folder, in one file or several. Files are mapped, not read:
 * what is in memory is what is being looked at. */
#ifndef MOTE_CLI_SAFETENSORS_H
#define MOTE_CLI_SAFETENSORS_H

#include <stdint.h>

#include <jansson.h>

#include "host/posix/posix.h"

enum { CLI_SAFE_DIMS = 8 };

enum cli_safe_type { CLI_SAFE_OTHER, CLI_SAFE_F32, CLI_SAFE_F16, CLI_SAFE_BF16 };

struct cli_safe_tensor {
    const char *name, *type_name;
    enum cli_safe_type type;
    uint32_t n_dims;
    uint64_t dims[CLI_SAFE_DIMS], n; /* n: their product */
    uint64_t begin, end;             /* bytes of the shard's data */
    const unsigned char *bytes;
    const char *shard; /* the file's name */
};

struct cli_safe_shard {
    char *name;
    struct mote_posix_map map;
    json_t *header;
};

struct cli_safetensors {
    struct cli_safe_shard *shards;
    struct cli_safe_tensor *list; /* by name */
    size_t n_shards, n;
};

/* Opens model.safetensors, the shards that model.safetensors.index.json names, or the only *.safetensors of
 * the folder. Zero the struct first; close it in any case. */
int cli_safetensors_open(struct cli_safetensors *all, const char *folder);
void cli_safetensors_close(struct cli_safetensors *all);

/* NULL if there is none of that name. */
const struct cli_safe_tensor *cli_safetensors_find(const struct cli_safetensors *all, const char *name);

/* Elements [first, first + n) of a tensor of one of the three types, as f32. */
void cli_safe_read(const struct cli_safe_tensor *t, uint64_t first, uint64_t n, float *out);

#endif
