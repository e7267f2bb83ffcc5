/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_tokenizer.h: tokenizer.json as the keys tokenizer.ggml.* of GGUF. */
#ifndef MOTE_CLI_HF_TOKENIZER_H
#define MOTE_CLI_HF_TOKENIZER_H

#include "apps/cli/gguf.h"
#include "apps/cli/hf_json.h"

enum cli_hf_kind { CLI_HF_WORDPIECE, CLI_HF_BYTES, CLI_HF_UNIGRAM };

/* tokenizer.ggml.token_type */
enum cli_hf_type {
    CLI_HF_NORMAL = 1,
    CLI_HF_UNKNOWN = 2,
    CLI_HF_CONTROL = 3,
    CLI_HF_USER_DEFINED = 4,
    CLI_HF_UNUSED = 5,
    CLI_HF_BYTE = 6,
};

struct cli_hf_token {
    const char *text; /* NULL: no token has this id */
    size_t n;
    enum cli_hf_type type;
    float score;
};

/* Special tokens by what they are for. */
enum cli_hf_role {
    CLI_HF_BOS,
    CLI_HF_EOS,
    CLI_HF_UNK,
    CLI_HF_SEP,
    CLI_HF_PAD,
    CLI_HF_TOP,
    CLI_HF_MASK,
    CLI_HF_ROLES
};
enum { CLI_HF_NO_ID = -1 };

struct cli_hf_tokenizer {
    enum cli_hf_kind kind;
    struct cli_hf_token *tokens;
    uint64_t n_tokens, n_types;
    int64_t ids[CLI_HF_ROLES]; /* CLI_HF_TOP: what stands before a text, [CLS] */
    int adds_bos, adds_eos;
    int lowercase, strip_accents;               /* WordPiece */
    int space_prefix, remove_extra_whitespaces; /* Unigram; the first of byte-level BPE too */
    const json_t *merges;                       /* byte-level BPE */
    struct cli_buffer charsmap;                 /* Unigram; may be empty */
    struct cli_hf_json json;
};

/* Reads tokenizer.json for a model with n_tokens rows of embeddings, and the roles of special tokens from the
 * files beside it. Close it in any case. */
int cli_hf_tokenizer_open(struct cli_hf_tokenizer *tokenizer, const char *folder, uint64_t n_tokens);
void cli_hf_tokenizer_close(struct cli_hf_tokenizer *tokenizer);
/* n_types: kinds of segments, for tokenizer.ggml.token_type_count. split: tokenizer.ggml.pre of byte-level BPE. */
void cli_hf_tokenizer_put(struct cli_gguf *w, const struct cli_hf_tokenizer *tokenizer, uint64_t n_types,
                          const char *split);

/* hf_steps.c: the normalizer, the cut into words and the special tokens around a text. */
int cli_hf_steps_read(struct cli_hf_tokenizer *tokenizer);
/* hf_tokenizer.c: the id of a token, or CLI_HF_NO_ID. */
int64_t cli_hf_tokenizer_find(const struct cli_hf_tokenizer *tokenizer, const char *text);

#endif
