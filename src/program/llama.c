/* SPDX-License-Identifier: Apache-2.0
 *
 * llama.c: the Llama family: pre-norm layers of grouped-query attention with rotary positions and a gated
 * feed-forward, each added to the residual stream.
 * Source: Touvron et al., LLaMA (2023), section 2.2; GQA: Ainslie et al. (2023). */
#include "program/program.h"

/* clang-format off */
enum { stream = MOTE_PROGRAM_RESIDUAL, normed = MOTE_PROGRAM_NORMED, query = MOTE_PROGRAM_QUERY,
       key = MOTE_PROGRAM_KEY, value = MOTE_PROGRAM_VALUE, attended = MOTE_PROGRAM_ATTENDED,
       gate = MOTE_PROGRAM_GATE, up = MOTE_PROGRAM_UP, delta = MOTE_PROGRAM_DELTA, final = MOTE_PROGRAM_FINAL,
       logits = MOTE_PROGRAM_LOGITS, none = MOTE_PROGRAM_NO_WEIGHT };

static const struct mote_program_line front[] = {
    {MOTE_PROGRAM_EMBED,  stream,   0,        0,      MOTE_MODEL_EMBED,          none, 0, 0},
};

static const struct mote_program_line layer[] = {
    {MOTE_PROGRAM_NORM,   normed,   stream,   0,      MOTE_MODEL_ATTENTION_NORM, none, 0, 0},
    {MOTE_PROGRAM_MATMUL, query,    normed,   0,      MOTE_MODEL_Q,              none, 0, 0},
    {MOTE_PROGRAM_MATMUL, key,      normed,   0,      MOTE_MODEL_K,              none, 0, 0},
    {MOTE_PROGRAM_MATMUL, value,    normed,   0,      MOTE_MODEL_V,              none, 0, 0},
    {MOTE_PROGRAM_ROPE,   query,    query,    0,      none,                      none, 0, 0},
    {MOTE_PROGRAM_ROPE,   key,      key,      0,      none,                      none, 0, 0},
    {MOTE_PROGRAM_STORE,  key,      key,      value,  none,                      none, 0, 0},
    {MOTE_PROGRAM_ATTEND, attended, query,    0,      none,                      none, 0, 0},
    {MOTE_PROGRAM_MATMUL, delta,    attended, 0,      MOTE_MODEL_ATTENTION_OUT,  none, 0, 0},
    {MOTE_PROGRAM_ADD,    stream,   stream,   delta,  none,                      none, 0, 0},
    {MOTE_PROGRAM_NORM,   normed,   stream,   0,      MOTE_MODEL_FFN_NORM,       none, 0, 0},
    {MOTE_PROGRAM_MATMUL, gate,     normed,   0,      MOTE_MODEL_GATE,           none, 0, 0},
    {MOTE_PROGRAM_MATMUL, up,       normed,   0,      MOTE_MODEL_UP,             none, 0, 0},
    {MOTE_PROGRAM_SWIGLU, gate,     gate,     up,     none,                      none, 0, 0},
    {MOTE_PROGRAM_MATMUL, delta,    gate,     0,      MOTE_MODEL_DOWN,           none, 0, 0},
    {MOTE_PROGRAM_ADD,    stream,   stream,   delta,  none,                      none, 0, 0},
};

static const struct mote_program_line back[] = {
    {MOTE_PROGRAM_SELECT, final,    stream,   0,      none,                      none, 0, 0},
    {MOTE_PROGRAM_NORM,   final,    final,    0,      MOTE_MODEL_OUTPUT_NORM,    none, 0, 0},
    {MOTE_PROGRAM_MATMUL, logits,   final,    0,      MOTE_MODEL_OUTPUT,         none, 0, 0},
};
/* clang-format on */

void mote_program_llama(const struct mote_model_config *config, const struct mote_model_weights *weights,
                        struct mote_program_writer *w) {
    mote_program_write(w, front, MOTE_PROGRAM_LINES(front), weights->slot);
    for (w->layer = 0; w->layer < config->n_layers; w->layer++)
        mote_program_write(w, layer, MOTE_PROGRAM_LINES(layer), weights->layers[w->layer].slot);
    mote_program_write(w, back, MOTE_PROGRAM_LINES(back), weights->slot);
}
