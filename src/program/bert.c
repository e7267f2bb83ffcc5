/* SPDX-License-Identifier: Apache-2.0
 *
 * bert.c: the BERT family: layers of attention in both directions and a feed-forward, each added to the stream
 * and normalised after that. Positions are learned and added (BERT, RoBERTa, MiniLM, GTE) or rotated
 * (nomic-bert); the feed-forward has GELU, or a gate. Then the vectors of a text's tokens are pooled, and a
 * head may judge what comes out.
 *
 *     tokens -> embed + position + segment -> norm -> [ attend, norm, feed-forward, norm ] x L -> pool -> head
 *
 * ModernBERT normalises before instead, but for the first attention, which reads the normalised embeddings, and
 * once behind the last layer. Of every three layers two see only what is near.
 *
 *     tokens -> embed -> norm -> [ norm, attend, norm, feed-forward ] x L -> norm -> pool -> head
 *
 * Source: Devlin et al., BERT (2018), section 3; Nussbaum et al., Nomic Embed (2024), section 3; Warner et al.,
 * ModernBERT (2024), section 2. */
#include "program/program.h"

/* What a model has. */
enum { ROTATED = 1, GATED = 2, PLAIN = 4, NORMALIZED = 8, SILU = 16, GELU = 32, FEEDS = MOTE_PROGRAM_FEEDS };

/* clang-format off */
enum { stream = MOTE_PROGRAM_RESIDUAL, normed = MOTE_PROGRAM_NORMED, query = MOTE_PROGRAM_QUERY,
       key = MOTE_PROGRAM_KEY, value = MOTE_PROGRAM_VALUE, attended = MOTE_PROGRAM_ATTENDED, gate = MOTE_PROGRAM_GATE,
       up = MOTE_PROGRAM_UP, delta = MOTE_PROGRAM_DELTA, pooled = MOTE_PROGRAM_POOLED, head = MOTE_PROGRAM_HEAD,
       dense = MOTE_PROGRAM_DENSE, logits = MOTE_PROGRAM_LOGITS, fed = MOTE_PROGRAM_FED,
       none = MOTE_PROGRAM_NO_WEIGHT, gelu = MOTE_MODEL_GELU };

static const struct mote_program_line front[] = {
    {MOTE_PROGRAM_EMBED,      stream,   0,        0,      MOTE_MODEL_EMBED,          none, 0, 0},
    {MOTE_PROGRAM_POSITION,   stream,   stream,   0,      MOTE_MODEL_POSITIONS,      none, 0, 0},
    {MOTE_PROGRAM_SEGMENT,    stream,   stream,   0,      MOTE_MODEL_SEGMENTS,       none, 0, 0},
    {MOTE_PROGRAM_LAYER_NORM, stream,   stream,   0,      MOTE_MODEL_EMBED_NORM,     MOTE_MODEL_EMBED_NORM_BIAS, 0, FEEDS},
};

/* Layers take two places for keys and values in turn: while a layer's are read for some rows, the next layer's
 * are made of others. */
static const struct mote_program_line layer[] = {
    {MOTE_PROGRAM_MATMUL,     query,    stream,   0,      MOTE_MODEL_Q,              MOTE_MODEL_Q_BIAS, 0, 0},
    {MOTE_PROGRAM_MATMUL,     key,      stream,   0,      MOTE_MODEL_K,              MOTE_MODEL_K_BIAS, 0, 0},
    {MOTE_PROGRAM_MATMUL,     value,    stream,   0,      MOTE_MODEL_V,              MOTE_MODEL_V_BIAS, 0, 0},
    {MOTE_PROGRAM_ROPE,       query,    query,    0,      none,                      none, 0, ROTATED},
    {MOTE_PROGRAM_ROPE,       key,      key,      0,      none,                      none, 0, ROTATED},
    {MOTE_PROGRAM_STORE,      key,      key,      value,  none,                      none, 0, 0},
    {MOTE_PROGRAM_ATTEND,     attended, query,    0,      none,                      none, 0, 0},
    {MOTE_PROGRAM_MATMUL,     delta,    attended, 0,      MOTE_MODEL_ATTENTION_OUT,  MOTE_MODEL_ATTENTION_OUT_BIAS, 0, 0},
    {MOTE_PROGRAM_ADD_NORM,   stream,   delta,    stream, MOTE_MODEL_ATTENTION_NORM, MOTE_MODEL_ATTENTION_NORM_BIAS, 0, 0},
    {MOTE_PROGRAM_MATMUL,     gate,     stream,   0,      MOTE_MODEL_GATE,           none, 0, GATED},
    {MOTE_PROGRAM_MATMUL,     up,       stream,   0,      MOTE_MODEL_UP,             MOTE_MODEL_UP_BIAS, 0, GATED},
    {MOTE_PROGRAM_MATMUL,     up,       stream,   0,      MOTE_MODEL_UP,             MOTE_MODEL_UP_BIAS, gelu, PLAIN},
    {MOTE_PROGRAM_SWIGLU,     up,       gate,     up,     none,                      none, 0, GATED},
    {MOTE_PROGRAM_MATMUL,     delta,    up,       0,      MOTE_MODEL_DOWN,           MOTE_MODEL_DOWN_BIAS, 0, 0},
    {MOTE_PROGRAM_ADD_NORM,   stream,   delta,    stream, MOTE_MODEL_FFN_NORM,       MOTE_MODEL_FFN_NORM_BIAS, 0, 0},
};

static const struct mote_program_line modern_layer[] = {
    {MOTE_PROGRAM_LAYER_NORM, normed,   stream,   0,      MOTE_MODEL_ATTENTION_NORM, none, 0, FEEDS},
    {MOTE_PROGRAM_MATMUL,     query,    fed,      0,      MOTE_MODEL_Q,              none, 0, 0},
    {MOTE_PROGRAM_MATMUL,     key,      fed,      0,      MOTE_MODEL_K,              none, 0, 0},
    {MOTE_PROGRAM_MATMUL,     value,    fed,      0,      MOTE_MODEL_V,              none, 0, 0},
    {MOTE_PROGRAM_ROPE,       query,    query,    0,      none,                      none, 0, 0},
    {MOTE_PROGRAM_ROPE,       key,      key,      0,      none,                      none, 0, 0},
    {MOTE_PROGRAM_STORE,      key,      key,      value,  none,                      none, 0, 0},
    {MOTE_PROGRAM_ATTEND,     attended, query,    0,      none,                      none, 0, 0},
    {MOTE_PROGRAM_MATMUL,     delta,    attended, 0,      MOTE_MODEL_ATTENTION_OUT,  none, 0, 0},
    {MOTE_PROGRAM_ADD,        stream,   stream,   delta,  none,                      none, 0, 0},
    {MOTE_PROGRAM_LAYER_NORM, normed,   stream,   0,      MOTE_MODEL_FFN_NORM,       none, 0, 0},
    {MOTE_PROGRAM_MATMUL,     gate,     normed,   0,      MOTE_MODEL_GATE,           none, 0, SILU},
    {MOTE_PROGRAM_MATMUL,     gate,     normed,   0,      MOTE_MODEL_GATE,           none, gelu, GELU},
    {MOTE_PROGRAM_MATMUL,     up,       normed,   0,      MOTE_MODEL_UP,             none, 0, 0},
    {MOTE_PROGRAM_SWIGLU,     up,       gate,     up,     none,                      none, 0, SILU},
    {MOTE_PROGRAM_MULTIPLY,   up,       gate,     up,     none,                      none, 0, GELU},
    {MOTE_PROGRAM_MATMUL,     delta,    up,       0,      MOTE_MODEL_DOWN,           none, 0, 0},
    {MOTE_PROGRAM_ADD,        stream,   stream,   delta,  none,                      none, 0, 0},
};

static const struct mote_program_line back[] = {
    {MOTE_PROGRAM_LAYER_NORM, stream,   stream,   0,      MOTE_MODEL_OUTPUT_NORM,    none, 0, 0},
    {MOTE_PROGRAM_POOL,       pooled,   stream,   0,      none,                      none, 0, FEEDS},
};

static const struct mote_program_line judge[] = {
    {MOTE_PROGRAM_NORMALIZE,  head,     pooled,   0,      none,                      none, 0, NORMALIZED | FEEDS},
    {MOTE_PROGRAM_MATMUL,     dense,    fed,      0,      MOTE_MODEL_DENSE,          MOTE_MODEL_DENSE_BIAS, MOTE_PROGRAM_OF_HEAD, FEEDS},
    {MOTE_PROGRAM_LAYER_NORM, dense,    dense,    0,      MOTE_MODEL_HEAD_NORM,      MOTE_MODEL_HEAD_NORM_BIAS, 0, 0},
    {MOTE_PROGRAM_MATMUL,     logits,   fed,      0,      MOTE_MODEL_OUTPUT,         MOTE_MODEL_OUTPUT_BIAS, 0, 0},
};
/* clang-format on */

void mote_program_bert(const struct mote_model_config *config, const struct mote_model_weights *weights,
                       struct mote_program_writer *w) {
    const struct mote_model_encoder *encoder = &config->encoder;
    int modern = config->family == MOTE_MODEL_MODERN_BERT;
    w->head = encoder->activation;
    w->has = (uint8_t)((config->rope.n_rot ? ROTATED : 0) |
                       (weights->layers[0].slot[MOTE_MODEL_GATE].data ? GATED : PLAIN) |
                       (encoder->normalize ? NORMALIZED : 0) | (encoder->gates_by_silu ? SILU : GELU));
    mote_program_write(w, front, MOTE_PROGRAM_LINES(front), weights->slot);
    for (uint32_t i = 0; i < config->n_layers; i++) {
        w->layer = i % 2;
        w->near = encoder->window && i % encoder->n_pattern;
        mote_program_write(w, modern ? modern_layer : layer,
                           modern ? MOTE_PROGRAM_LINES(modern_layer) : MOTE_PROGRAM_LINES(layer),
                           weights->layers[i].slot);
    }
    mote_program_write(w, back, MOTE_PROGRAM_LINES(back), weights->slot);
    uint32_t n_before = w->program->n_ops;
    if (encoder->n_labels) mote_program_write(w, judge, MOTE_PROGRAM_LINES(judge), weights->slot);
    w->program->n_head_ops = w->program->n_ops - n_before;
}
