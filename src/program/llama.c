/* SPDX-License-Identifier: Apache-2.0
 *
 * llama.c: the Llama family: pre-norm layers of grouped-query attention with rotary positions and a gated
 * feed-forward, each added to the residual stream.
 * Source: Touvron et al., LLaMA (2023), section 2.2; GQA: Ainslie et al. (2023). */
#include "program/program.h"

struct writer {
    struct mote_program_op *ops;
    uint32_t n;
};

static void emit(struct writer *w, struct mote_program_op op) {
    w->ops[w->n++] = op;
}

static void layer(struct writer *w, const struct mote_model_config *c, const struct mote_kernel_weight *slot,
                  uint32_t i) {
    /* clang-format off */
    enum { x = MOTE_PROGRAM_RESIDUAL, n = MOTE_PROGRAM_NORMED, q = MOTE_PROGRAM_QUERY, k = MOTE_PROGRAM_KEY,
           v = MOTE_PROGRAM_VALUE, attended = MOTE_PROGRAM_ATTENDED, gate = MOTE_PROGRAM_GATE,
           up = MOTE_PROGRAM_UP, delta = MOTE_PROGRAM_DELTA };
    emit(w, (struct mote_program_op){MOTE_PROGRAM_NORM,   n, x, 0, i, 0, &slot[MOTE_MODEL_ATTENTION_NORM], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, q, n, 0, i, 0, &slot[MOTE_MODEL_Q], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, k, n, 0, i, 0, &slot[MOTE_MODEL_K], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, v, n, 0, i, 0, &slot[MOTE_MODEL_V], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_ROPE,   q, q, 0, i, c->n_heads, NULL, NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_ROPE,   k, k, 0, i, c->n_kv_heads, NULL, NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_STORE,  k, k, v, i, 0, NULL, NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_ATTEND, attended, q, 0, i, 0, NULL, NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, delta, attended, 0, i, 0, &slot[MOTE_MODEL_ATTENTION_OUT], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_ADD,    x, x, delta, i, 0, NULL, NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_NORM,   n, x, 0, i, 0, &slot[MOTE_MODEL_FFN_NORM], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, gate, n, 0, i, 0, &slot[MOTE_MODEL_GATE], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, up, n, 0, i, 0, &slot[MOTE_MODEL_UP], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_SWIGLU, gate, gate, up, i, 0, NULL, NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_MATMUL, delta, gate, 0, i, 0, &slot[MOTE_MODEL_DOWN], NULL, 0});
    emit(w, (struct mote_program_op){MOTE_PROGRAM_ADD,    x, x, delta, i, 0, NULL, NULL, 0});
    /* clang-format on */
}

void mote_program_llama(const struct mote_model_config *config, const struct mote_model_weights *weights,
                        struct mote_program_op *ops, struct mote_program *program) {
    struct writer w = {ops, 0};
    const struct mote_kernel_weight *slot = weights->slot;

    emit(&w, (struct mote_program_op){.kind = MOTE_PROGRAM_EMBED,
                                      .out = MOTE_PROGRAM_RESIDUAL,
                                      .weight = &slot[MOTE_MODEL_EMBED]});
    for (uint32_t i = 0; i < config->n_layers; i++)
        layer(&w, config, weights->layers[i].slot, i);
    emit(&w, (struct mote_program_op){
                 .kind = MOTE_PROGRAM_SELECT, .out = MOTE_PROGRAM_FINAL, .a = MOTE_PROGRAM_RESIDUAL});
    emit(&w, (struct mote_program_op){.kind = MOTE_PROGRAM_NORM,
                                      .out = MOTE_PROGRAM_FINAL,
                                      .a = MOTE_PROGRAM_FINAL,
                                      .weight = &slot[MOTE_MODEL_OUTPUT_NORM]});
    emit(&w, (struct mote_program_op){.kind = MOTE_PROGRAM_MATMUL,
                                      .out = MOTE_PROGRAM_LOGITS,
                                      .a = MOTE_PROGRAM_FINAL,
                                      .weight = &slot[MOTE_MODEL_OUTPUT]});

    uint32_t d = config->n_model, e = config->n_head_dim;
    *program = (struct mote_program){
        .n_ops = w.n,
        .ops = w.ops,
        .width =
            {
                [MOTE_PROGRAM_RESIDUAL] = d,
                [MOTE_PROGRAM_NORMED] = d,
                [MOTE_PROGRAM_QUERY] = config->n_heads * e,
                [MOTE_PROGRAM_KEY] = config->n_kv_heads * e,
                [MOTE_PROGRAM_VALUE] = config->n_kv_heads * e,
                [MOTE_PROGRAM_ATTENDED] = config->n_heads * e,
                [MOTE_PROGRAM_GATE] = config->n_ffn,
                [MOTE_PROGRAM_UP] = config->n_ffn,
                [MOTE_PROGRAM_DELTA] = d,
                [MOTE_PROGRAM_FINAL] = d,
                [MOTE_PROGRAM_LOGITS] = config->n_vocab,
            },
        .wanted = {[MOTE_PROGRAM_FINAL] = 1, [MOTE_PROGRAM_LOGITS] = 1},
    };
}
