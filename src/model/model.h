/* SPDX-License-Identifier: Apache-2.0
 *
 * model.h: a checked directory -> a configuration and typed weight views.
 *
 * A family of models is a table (weight.c; config.c reads the keys): which keys it reads and, for each tensor, its name and its shape
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

enum mote_model_family {
    MOTE_MODEL_LLAMA,
    MOTE_MODEL_BERT, /* an encoder: a text is read whole */
    MOTE_MODEL_MODERN_BERT,
};

/* What stands between the two products of a head. */
enum mote_model_activation { MOTE_MODEL_NO_ACTIVATION, MOTE_MODEL_TANH, MOTE_MODEL_RELU, MOTE_MODEL_GELU };

/* An encoder's own. The head judges the pooled vector, or each token: dense, activation, output. */
struct mote_model_encoder {
    uint32_t n_segments, n_embedded; /* rows of the learned embeddings of segments and positions; 0: none */
    mote_pooling pooling;
    uint32_t n_labels, n_dense;            /* 0: no head; no dense layer in it */
    enum mote_model_activation activation; /* after the dense layer */
    int normalize, judges_tokens;          /* the vector has length 1 before the head */
    /* Of every n_pattern layers the first sees all, the others what is at most window / 2 positions away, and
     * these turn by a base of their own. window 0: all layers see all. */
    uint32_t window, n_pattern;
    float near_base;
    int gates_by_silu; /* else by GELU; of ModernBERT */
};

struct mote_model_config {
    enum mote_model_family family;
    uint32_t n_model, n_layers, n_heads, n_kv_heads, n_head_dim, n_ffn, n_vocab; /* D L H K E F V */
    uint32_t n_context;
    float norm_eps;
    struct mote_model_rope rope; /* n_rot 0: positions are not rotated */
    struct mote_model_encoder encoder;
};

/* The places a weight can have. The first group is once in a model, the second once in a layer. */
enum mote_model_slot {
    MOTE_MODEL_EMBED,       /* [V, D] */
    MOTE_MODEL_OUTPUT_NORM, /* [D] */
    MOTE_MODEL_OUTPUT, /* [V, D]; EMBED itself where the file ties them; of an encoder's head [labels, D or dense] */
    MOTE_MODEL_ROPE_FACTORS,    /* [n_rot/2], may be absent */
    MOTE_MODEL_POSITIONS,       /* [n_embedded, D], may be absent, as all from here on */
    MOTE_MODEL_SEGMENTS,        /* [n_segments, D] */
    MOTE_MODEL_EMBED_NORM,      /* [D] */
    MOTE_MODEL_EMBED_NORM_BIAS, /* [D] */
    MOTE_MODEL_DENSE,           /* [dense, D] */
    MOTE_MODEL_DENSE_BIAS,      /* [dense] */
    MOTE_MODEL_HEAD_NORM,       /* [dense], behind the activation */
    MOTE_MODEL_HEAD_NORM_BIAS,  /* [dense] */
    MOTE_MODEL_OUTPUT_BIAS,     /* [labels] */
    MOTE_MODEL_SLOTS,

    MOTE_MODEL_ATTENTION_NORM =
        0,                    /* [D] before attention; of BERT after it; of ModernBERT's first layer absent */
    MOTE_MODEL_Q,             /* [H·E, D] */
    MOTE_MODEL_K,             /* [K·E, D] */
    MOTE_MODEL_V,             /* [K·E, D] */
    MOTE_MODEL_ATTENTION_OUT, /* [D, H·E] */
    MOTE_MODEL_FFN_NORM,      /* [D] before the feed-forward; of BERT after it */
    MOTE_MODEL_GATE,          /* [F, D], BERT may be without */
    MOTE_MODEL_UP,            /* [F, D] */
    MOTE_MODEL_DOWN,          /* [D, F] */
    MOTE_MODEL_ATTENTION_NORM_BIAS, /* the biases of BERT: as long as their weights have rows, may be absent */
    MOTE_MODEL_Q_BIAS,              /* as q, k and v, in their order */
    MOTE_MODEL_K_BIAS,
    MOTE_MODEL_V_BIAS,
    MOTE_MODEL_ATTENTION_OUT_BIAS,
    MOTE_MODEL_FFN_NORM_BIAS,
    MOTE_MODEL_UP_BIAS,
    MOTE_MODEL_DOWN_BIAS,
    MOTE_MODEL_LAYER_SLOTS,
};

/* Whether texts are read whole. Builds for one kind of model know it when they are compiled, and keep nothing of what
 * the other kind needs. */
static inline int mote_model_is_encoder(const struct mote_model_config *config) {
#if defined(MOTE_NO_ENCODERS)
    (void)config;
    return 0;
#elif defined(MOTE_NO_DECODERS)
    (void)config;
    return 1;
#else
    return config->family != MOTE_MODEL_LLAMA;
#endif
}

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

/* Whether the file's architecture is one of encoders; 0 where it has none. */
int mote_model_names_encoder(const struct mote_format_file *file);

/* Reads the configuration; only for files with tensors. Errors: FORMAT naming the key, UNSUPPORTED. */
MOTE_MUST_USE mote_status mote_model_configure(const struct mote_format_file *file,
                                               struct mote_model_config *config, mote_error *error);

/* The name of label i of the head, empty where the file gives none. */
mote_text mote_model_label_name(const struct mote_format_file *file, uint32_t i);

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
