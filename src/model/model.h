/* SPDX-License-Identifier: Apache-2.0
 *
 * model.h: a checked directory -> a configuration and typed weight views.
 *
 * A family of models is a table (family.c): which keys it reads and, for each tensor, its name and its shape
 * in terms of the configuration. Everything a program or a device will ever index is checked here, once:
 * after mote_model_load no shape needs to be looked at again. */
#ifndef MOTE_MODEL_MODEL_H
#define MOTE_MODEL_MODEL_H

#include "format/gguf.h"
#include "kernel/kernel.h"
#include "text/tokenizer.h"

enum mote_model_rope_scaling {
    MOTE_MODEL_ROPE_NONE,
    MOTE_MODEL_ROPE_LINEAR,
    MOTE_MODEL_ROPE_YARN,
}; /* llama3 scaling is none of these: the file brings a factor for each frequency, in rope_freqs.weight */

struct mote_model_rope {
    enum mote_kernel_rope_style style;
    enum mote_model_rope_scaling scaling;
    uint32_t n_rot; /* rotated values of a head, even, at most E */
    float base, factor;
    uint32_t original_context; /* yarn: the context before scaling */
    float attention_factor, beta_fast, beta_slow;
};

struct mote_model_config {
    uint32_t n_model, n_layers, n_heads, n_kv_heads, n_head_dim, n_ffn, n_vocab; /* D L H K E F V */
    uint32_t n_context;
    float norm_eps;
    struct mote_model_rope rope;
};

/* The places a weight can have. The first group is once in a model, the second once in a layer. */
enum mote_model_slot {
    MOTE_MODEL_EMBED,        /* [V, D] */
    MOTE_MODEL_OUTPUT_NORM,  /* [D] */
    MOTE_MODEL_OUTPUT,       /* [V, D]; EMBED itself where the file ties them */
    MOTE_MODEL_ROPE_FACTORS, /* [n_rot/2], may be absent */
    MOTE_MODEL_SLOTS,

    MOTE_MODEL_ATTENTION_NORM = 0, /* [D] */
    MOTE_MODEL_Q,                  /* [H·E, D] */
    MOTE_MODEL_K,                  /* [K·E, D] */
    MOTE_MODEL_V,                  /* [K·E, D] */
    MOTE_MODEL_ATTENTION_OUT,      /* [D, H·E] */
    MOTE_MODEL_FFN_NORM,           /* [D] */
    MOTE_MODEL_GATE,               /* [F, D] */
    MOTE_MODEL_UP,                 /* [F, D] */
    MOTE_MODEL_DOWN,               /* [D, F] */
    MOTE_MODEL_LAYER_SLOTS,
};

struct mote_model_layer {
    struct mote_kernel_weight slot[MOTE_MODEL_LAYER_SLOTS];
};

struct mote_model_weights {
    struct mote_kernel_weight slot[MOTE_MODEL_SLOTS]; /* data NULL: absent */
    struct mote_model_layer *layers;                  /* [L] */
};

/* What a file holds, counted without a directory, for planning: all 0 where it has none. */
struct mote_model_counts {
    enum mote_text_kind kind;
    uint64_t n_tokens, n_merges, n_layers;
    const uint8_t *types; /* [n_tokens] i32, of the tokens; NULL where the file has none */
};
void mote_model_count(const void *bytes, uint64_t n_bytes, struct mote_model_counts *counts);

/* The file's general.architecture. */
MOTE_MUST_USE mote_status mote_model_architecture(const struct mote_format_file *file, mote_text *name,
                                                  mote_error *error);

/* Reads the configuration; only for files with tensors. Errors: FORMAT naming the key, UNSUPPORTED. */
MOTE_MUST_USE mote_status mote_model_configure(const struct mote_format_file *file,
                                               struct mote_model_config *config, mote_error *error);

/* Fills the views; layers come from the arena (with a counting arena nothing else happens).
 * Errors: FORMAT naming the tensor, its shape and the shape it should have. */
MOTE_MUST_USE mote_status mote_model_load(const struct mote_format_file *file,
                                          const struct mote_model_config *config,
                                          struct mote_base_arena *arena, struct mote_model_weights *weights,
                                          mote_error *error);

/* The kind that the key tokenizer.ggml.model names; 0 if it is none mote knows. */
enum mote_text_kind mote_model_vocabulary_kind(const struct mote_format_file *file,
                                               const struct mote_format_key *key);

/* Collects the tokenizer's keys; the arrays of views come from the arena. *present is 0, with success, for a
 * file without a tokenizer. */
MOTE_MUST_USE mote_status mote_model_vocabulary(const struct mote_format_file *file,
                                                struct mote_base_arena *arena,
                                                struct mote_text_source *source, int *present,
                                                mote_error *error);

#endif
