/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_config.h: what kind of encoder a Hugging Face folder holds. */
#ifndef MOTE_CLI_HF_CONFIG_H
#define MOTE_CLI_HF_CONFIG_H

#include "apps/cli/hf_json.h"

enum cli_hf_family { CLI_HF_BERT, CLI_HF_DISTILBERT, CLI_HF_ROBERTA, CLI_HF_NOMIC, CLI_HF_MODERN };

enum cli_hf_head {
    CLI_HF_NO_HEAD,
    CLI_HF_TEXT_HEAD,  /* judges the text */
    CLI_HF_TOKEN_HEAD, /* judges each token */
};

/* {arch}.pooling_type of GGUF */
enum cli_hf_pooling { CLI_HF_NONE = 0, CLI_HF_MEAN = 1, CLI_HF_CLS = 2, CLI_HF_LAST = 3 };

struct cli_hf_config {
    enum cli_hf_family family;
    enum cli_hf_head head;
    enum cli_hf_pooling pooling;
    const char *model_type, *arch; /* arch: general.architecture */
    uint64_t width, hidden, n_layers, n_heads, n_vocab, n_types;
    uint64_t n_positions, n_skipped; /* rows of the table of positions (0: none), and how many are not used */
    uint64_t n_context;
    double epsilon, rope_base;
    uint64_t window, pattern; /* ModernBERT: layers see this much, all but the first of every `pattern` */
    double near_base;         /* of their rotation */
    const char *gate;         /* its activation */
    int many_labels;          /* of a text: each label is judged by itself */
    const json_t *labels;     /* "id2label", or NULL */
    struct cli_hf_json json;
};

/* Reads config.json and what sentence-transformers adds to it. Close it in any case. */
int cli_hf_config_open(struct cli_hf_config *config, const char *folder);
void cli_hf_config_close(struct cli_hf_config *config);

/* The name of label i of n, NULL: config.json gives none. An error when it gives others than these n. */
int cli_hf_config_label(const struct cli_hf_config *config, uint64_t i, uint64_t n, const char **label);

#endif
