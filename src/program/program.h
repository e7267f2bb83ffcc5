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
 *     ROPE       out is rotated in place by each row's position; n_heads heads
 *     STORE      a (keys) and b (values) join the KV cache of layer
 *     ATTEND     out = attention of the queries a over the cache of layer, up to each row's own position
 *     SWIGLU     out = silu(a) · b
 *     ADD        out = a + b
 *     SELECT     out[w] = a[row w of those wanted] */
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
    MOTE_PROGRAM_FINAL,    /* [W, D] */
    MOTE_PROGRAM_LOGITS,   /* [W, V] */
    MOTE_PROGRAM_VALUES,
};

struct mote_program_op {
    uint8_t kind, out, a, b; /* enum mote_program_kind, then enum mote_program_value */
    uint32_t layer, n_heads;
    const struct mote_kernel_weight *weight;
};

struct mote_program {
    uint32_t n_ops;
    const struct mote_program_op *ops;
    uint32_t width[MOTE_PROGRAM_VALUES]; /* of a row of each value */
    uint8_t wanted[MOTE_PROGRAM_VALUES]; /* 1: W rows, 0: T rows */
};

/* Writes the program of the Llama family. With a counting arena, only counts.
 * Owns: ops point into weights. Errors: MEMORY. */
MOTE_MUST_USE mote_status mote_program_llama(const struct mote_model_config *config,
                                             const struct mote_model_weights *weights,
                                             struct mote_base_arena *arena, struct mote_program *program);

#endif
