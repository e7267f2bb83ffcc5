/* SPDX-License-Identifier: Apache-2.0
 *
 * program.h: a model family as a flat list of operations over named values.
 *
 * A value is a matrix of rows: one row for each token of the step (T), or one for each row whose logits are
 * wanted (W). The list is written once, when a model is opened; a device walks it for each batch of rows. It
 * holds no numbers of its own beyond the config's: shapes were checked by model/.
 *
 *     EMBED      out[t] = row token[t] of weight
 *     NORM       out = rms_norm(a) · weight
 *     MATMUL     out = a × weightᵀ
 *     ROPE       the heads of out are rotated in place by each row's position
 *     STORE      a (keys) and b (values) join the KV cache of layer
 *     ATTEND     out = attention of the queries a over the cache of layer, up to each row's own position
 *     SWIGLU     out = silu(a) · b
 *     ADD        out = a + b
 *     SELECT     out[w] = a[row w of those wanted]
 *
 * Encoders, which read sequences whole, have some more. Their rows W are sequences, or all tokens where no
 * vector is made of a sequence.
 *
 *     MATMUL     out = activation(a × weightᵀ + bias)
 *     POSITION   out[t] = a[t] + row position[t] of weight
 *     SEGMENT    out[t] = a[t] + row segment[t] of weight
 *     LAYER_NORM out = layer_norm(a) · weight + bias
 *     ADD_NORM   out = layer_norm(a + b) · weight + bias
 *     ATTEND     as above, but over all positions of the row's sequence, or those near the row's own
 *     MULTIPLY   out = a · b
 *     POOL       out[w] = the vector of sequence w from the rows a of its tokens
 *     NORMALIZE  out = a / |a| */
#ifndef MOTE_PROGRAM_PROGRAM_H
#define MOTE_PROGRAM_PROGRAM_H

#include "model/model.h"

enum mote_program_kind {
    MOTE_PROGRAM_EMBED,
    MOTE_PROGRAM_NORM,
    MOTE_PROGRAM_MATMUL,
    MOTE_PROGRAM_ROPE,
    MOTE_PROGRAM_STORE,
    MOTE_PROGRAM_ATTEND,
    MOTE_PROGRAM_SWIGLU,
    MOTE_PROGRAM_ADD,
    MOTE_PROGRAM_SELECT,
    MOTE_PROGRAM_POSITION,
    MOTE_PROGRAM_SEGMENT,
    MOTE_PROGRAM_LAYER_NORM,
    MOTE_PROGRAM_ADD_NORM,
    MOTE_PROGRAM_MULTIPLY,
    MOTE_PROGRAM_POOL,
    MOTE_PROGRAM_NORMALIZE,
};

enum mote_program_value {
    MOTE_PROGRAM_RESIDUAL, /* [T, D] the stream that layers add to */
    MOTE_PROGRAM_NORMED,   /* [T, D] */
    MOTE_PROGRAM_QUERY,    /* [T, H·E] */
    MOTE_PROGRAM_KEY,      /* [T, K·E] */
    MOTE_PROGRAM_VALUE,    /* [T, K·E] */
    MOTE_PROGRAM_ATTENDED, /* [T, H·E] */
    MOTE_PROGRAM_GATE,     /* [T, F] */
    MOTE_PROGRAM_UP,       /* [T, F] */
    MOTE_PROGRAM_DELTA,    /* [T, D] what a layer adds */
    MOTE_PROGRAM_FINAL,    /* [W, D]; all from here on have W rows */
    MOTE_PROGRAM_LOGITS,   /* [W, V]; of an encoder [W, labels] */
    MOTE_PROGRAM_POOLED,   /* [W, D] */
    MOTE_PROGRAM_HEAD,     /* [W, D] what the head reads, normalised */
    MOTE_PROGRAM_DENSE,    /* [W, dense] */
    MOTE_PROGRAM_VALUES,
};

struct mote_program_op {
    uint8_t kind, out, a, b; /* enum mote_program_kind, then enum mote_program_value */
    uint32_t layer;
    const struct mote_kernel_weight *weight, *bias; /* NULL: none */
    enum mote_model_activation activation;
    uint8_t near; /* of ROPE and ATTEND: in a layer that sees what is near (struct mote_model_encoder) */
};

struct mote_program {
    uint32_t n_ops, n_head_ops; /* all; those of them, at the end, that make LOGITS from POOLED */
    const struct mote_program_op *ops;
    uint32_t width[MOTE_PROGRAM_VALUES]; /* of a row of each value */
};

/* Whether a value has W rows; else it has T. */
static inline int mote_program_is_wanted(uint32_t value) {
    return value >= MOTE_PROGRAM_FINAL;
}

enum { MOTE_PROGRAM_OPS_PER_LAYER = 16, MOTE_PROGRAM_OPS_AROUND = 10 }; /* most of any family */

/* Writes the program of the configuration's family. With a counting arena, only counts.
 * Owns: ops point into weights. Errors: MEMORY. */
MOTE_MUST_USE mote_status mote_program_open(const struct mote_model_config *config,
                                            const struct mote_model_weights *weights,
                                            struct mote_base_arena *arena, struct mote_program *program);

/* What a family is: tables of lines, from which the list is written. A line is left out where the model lacks
 * something it is for, or its weight. */
struct mote_program_line {
    uint8_t kind, out, a, b; /* as of an operation; a FED: what the last line that feeds made */
    uint8_t weight, bias;    /* places; MOTE_PROGRAM_NO_WEIGHT */
    uint8_t activation;      /* MOTE_PROGRAM_OF_HEAD: the head's */
    uint8_t when;            /* bits of what the model must have, a family's own; MOTE_PROGRAM_FEEDS */
};

enum {
    MOTE_PROGRAM_FED = MOTE_PROGRAM_VALUES,
    MOTE_PROGRAM_NO_WEIGHT = 255,
    MOTE_PROGRAM_OF_HEAD = 255,
    MOTE_PROGRAM_FEEDS = 128,
};

#define MOTE_PROGRAM_LINES(table) (sizeof(table) / sizeof *(table))

struct mote_program_writer {
    struct mote_program *program;
    struct mote_program_op *ops; /* of the program; has room */
    uint32_t layer;
    enum mote_model_activation head;
    uint8_t has, fed, near;
};

/* Appends what lines [0, n) say; slot: the places of the model or of a layer. */
void mote_program_write(struct mote_program_writer *writer, const struct mote_program_line *lines, size_t n,
                        const struct mote_kernel_weight *slot);

/* The families: each writes its program; the writer has the places and is zero otherwise. */
void mote_program_llama(const struct mote_model_config *config, const struct mote_model_weights *weights,
                        struct mote_program_writer *writer);
void mote_program_bert(const struct mote_model_config *config, const struct mote_model_weights *weights,
                       struct mote_program_writer *writer);

#endif
