/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_tensors.h: which tensor of a Hugging Face folder becomes which of a GGUF file. */
#ifndef MOTE_CLI_HF_TENSORS_H
#define MOTE_CLI_HF_TENSORS_H

#include "apps/cli/hf_config.h"
#include "apps/cli/safetensors.h"

struct cli_hf_tensor {
    char name[48];
    const struct cli_safe_tensor *from;
    uint64_t first, columns, rows; /* elements of `from` that are left out; rows 0: a vector */
};

struct cli_hf_tensors {
    struct cli_hf_tensor *list;
    size_t n;
    uint64_t n_labels; /* of a head; 0: none */
};

/* Finds all tensors of the model, in the order in which they are to be written, and checks their shapes and
 * types. A tensor that has no place in the model is an error, but for heads that pretraining leaves behind.
 * Close it in any case. */
int cli_hf_tensors_open(struct cli_hf_tensors *out, const struct cli_hf_config *config,
                        const struct cli_safetensors *files);
void cli_hf_tensors_close(struct cli_hf_tensors *tensors);

#endif
