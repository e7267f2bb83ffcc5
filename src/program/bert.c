/* SPDX-License-Identifier: Apache-2.0
 *
 * bert.c: the BERT family: layers of attention in both directions and a feed-forward, each added to the stream
 * and normalised after that. Positions are learned and added (BERT, RoBERTa, MiniLM, GTE) or rotated
 * (nomic-bert); the feed-forward has GELU, or a gate. Then the vectors of a text's tokens are pooled, and a
 * head may judge what comes out.
 *
 *     tokens -> embed + position + segment -> norm -> [ attend, norm, feed-forward, norm ] x L -> pool -> head
 *
 * Source: Devlin et al., BERT (2018), section 3; Nussbaum et al., Nomic Embed (2024), section 3. */
#include "program/program.h"

struct writer {
    struct mote_program_op *ops;
    uint32_t n;
};

static void emit(struct writer *w, struct mote_program_op op) {
    w->ops[w->n++] = op;
}

static const struct mote_kernel_weight *present(const struct mote_kernel_weight *weight) {
    return weight->data ? weight : NULL;
}

/* The keys and values of all layers share one place: a layer's are read before the next layer's are made. */
static void layer(struct writer *w, const struct mote_model_config *c,
                  const struct mote_kernel_weight *slot) {
    const struct mote_kernel_weight *bias[MOTE_MODEL_LAYER_SLOTS];
    for (unsigned i = 0; i < MOTE_MODEL_LAYER_SLOTS; i++)
        bias[i] = present(&slot[i]);
    enum mote_model_activation gelu = bias[MOTE_MODEL_GATE] ? MOTE_MODEL_NO_ACTIVATION : MOTE_MODEL_GELU;
    /* clang-format off */
    enum { x = MOTE_PROGRAM_RESIDUAL, q = MOTE_PROGRAM_QUERY, k = MOTE_PROGRAM_KEY, v = MOTE_PROGRAM_VALUE,
           attended = MOTE_PROGRAM_ATTENDED, gate = MOTE_PROGRAM_GATE, up = MOTE_PROGRAM_UP,
           delta = MOTE_PROGRAM_DELTA };
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, q, x, 0, 0, 0, &slot[MOTE_MODEL_Q], bias[MOTE_MODEL_Q_BIAS], 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, k, x, 0, 0, 0, &slot[MOTE_MODEL_K], bias[MOTE_MODEL_K_BIAS], 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, v, x, 0, 0, 0, &slot[MOTE_MODEL_V], bias[MOTE_MODEL_V_BIAS], 0});
    if (c->rope.n_rot) {
        emit(w, (struct mote_program_op){MOTE_PROGRAM_ROPE, q, q, 0, 0, c->n_heads, NULL, NULL, 0});
        emit(w, (struct mote_program_op){MOTE_PROGRAM_ROPE, k, k, 0, 0, c->n_kv_heads, NULL, NULL, 0});
    }
    emit(w, (struct mote_program_op){MOTE_PROGRAM_STORE,  k, k, v, 0, 0, NULL, NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_ATTEND, attended, q, 0, 0, 0, NULL, NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, delta, attended, 0, 0, 0, &slot[MOTE_MODEL_ATTENTION_OUT], bias[MOTE_MODEL_ATTENTION_OUT_BIAS], 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_ADD_NORM, x, delta, x, 0, 0, &slot[MOTE_MODEL_ATTENTION_NORM], bias[MOTE_MODEL_ATTENTION_NORM_BIAS], 0});
    if (bias[MOTE_MODEL_GATE])
        emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, gate, x, 0, 0, 0, &slot[MOTE_MODEL_GATE], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, up, x, 0, 0, 0, &slot[MOTE_MODEL_UP], bias[MOTE_MODEL_UP_BIAS], gelu});
    if (bias[MOTE_MODEL_GATE])
        emit(w, (struct mote_program_op){MOTE_PROGRAM_SWIGLU, up, gate, up, 0, 0, NULL, NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, delta, up, 0, 0, 0, &slot[MOTE_MODEL_DOWN], bias[MOTE_MODEL_DOWN_BIAS], 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_ADD_NORM, x, delta, x, 0, 0, &slot[MOTE_MODEL_FFN_NORM], bias[MOTE_MODEL_FFN_NORM_BIAS], 0});
    /* clang-format on */
}

static void head(struct writer *w, const struct mote_model_encoder *encoder,
                 const struct mote_kernel_weight *slot) {
    uint8_t at = MOTE_PROGRAM_POOLED;
    if (encoder->normalize) {
        emit(w, (struct mote_program_op){.kind = MOTE_PROGRAM_NORMALIZE, .out = MOTE_PROGRAM_HEAD, .a = at});
        at = MOTE_PROGRAM_HEAD;
    }
    if (encoder->n_dense) {
        emit(w, (struct mote_program_op){.kind = MOTE_PROGRAM_MATMUL,
                                         .out = MOTE_PROGRAM_DENSE,
                                         .a = at,
                                         .weight = &slot[MOTE_MODEL_DENSE],
                                         .bias = present(&slot[MOTE_MODEL_DENSE_BIAS]),
                                         .activation = encoder->activation});
        at = MOTE_PROGRAM_DENSE;
    }
    emit(w, (struct mote_program_op){.kind = MOTE_PROGRAM_MATMUL,
                                     .out = MOTE_PROGRAM_LOGITS,
                                     .a = at,
                                     .weight = &slot[MOTE_MODEL_OUTPUT],
                                     .bias = present(&slot[MOTE_MODEL_OUTPUT_BIAS])});
}

void mote_program_bert(const struct mote_model_config *config, const struct mote_model_weights *weights,
                       struct mote_program_op *ops, struct mote_program *program) {
    struct writer w = {ops, 0};
    const struct mote_kernel_weight *slot = weights->slot;
    enum { x = MOTE_PROGRAM_RESIDUAL };
    emit(&w,
         (struct mote_program_op){.kind = MOTE_PROGRAM_EMBED, .out = x, .weight = &slot[MOTE_MODEL_EMBED]});
    if (config->encoder.n_embedded)
        emit(&w, (struct mote_program_op){
                     .kind = MOTE_PROGRAM_POSITION, .out = x, .a = x, .weight = &slot[MOTE_MODEL_POSITIONS]});
    if (config->encoder.n_segments)
        emit(&w, (struct mote_program_op){
                     .kind = MOTE_PROGRAM_SEGMENT, .out = x, .a = x, .weight = &slot[MOTE_MODEL_SEGMENTS]});
    emit(&w, (struct mote_program_op){.kind = MOTE_PROGRAM_LAYER_NORM,
                                      .out = x,
                                      .a = x,
                                      .weight = &slot[MOTE_MODEL_EMBED_NORM],
                                      .bias = present(&slot[MOTE_MODEL_EMBED_NORM_BIAS])});
    for (uint32_t i = 0; i < config->n_layers; i++)
        layer(&w, config, weights->layers[i].slot);
    emit(&w, (struct mote_program_op){.kind = MOTE_PROGRAM_POOL, .out = MOTE_PROGRAM_POOLED, .a = x});
    uint32_t n_before = w.n;
    if (config->encoder.n_labels) head(&w, &config->encoder, slot);

    uint32_t d = config->n_model, e = config->n_head_dim;
    int gated = weights->layers[0].slot[MOTE_MODEL_GATE].data != NULL;
    *program = (struct mote_program){
        .n_ops = w.n,
        .n_head_ops = w.n - n_before,
        .ops = w.ops,
        .width =
            {
                [MOTE_PROGRAM_RESIDUAL] = d,
                [MOTE_PROGRAM_NORMED] = d,
                [MOTE_PROGRAM_QUERY] = config->n_heads * e,
                [MOTE_PROGRAM_KEY] = config->n_kv_heads * e,
                [MOTE_PROGRAM_VALUE] = config->n_kv_heads * e,
                [MOTE_PROGRAM_ATTENDED] = config->n_heads * e,
                [MOTE_PROGRAM_GATE] = gated ? config->n_ffn : 0,
                [MOTE_PROGRAM_UP] = config->n_ffn,
                [MOTE_PROGRAM_DELTA] = d,
                [MOTE_PROGRAM_POOLED] = d,
                [MOTE_PROGRAM_HEAD] = d,
                [MOTE_PROGRAM_DENSE] = config->encoder.n_dense,
                [MOTE_PROGRAM_LOGITS] = config->encoder.n_labels,
            },
        .wanted = {[MOTE_PROGRAM_POOLED] = 1,
                   [MOTE_PROGRAM_HEAD] = 1,
                   [MOTE_PROGRAM_DENSE] = 1,
                   [MOTE_PROGRAM_LOGITS] = 1},
    };
}
