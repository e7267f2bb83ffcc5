/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.c: sequences -> vectors and labels, with models that read a text whole.
 *
 * Sequences are taken in their order, as many at a time as rows, pages and ends allow; each lies in pages of its
 * own and no row sees another sequence, so that nothing depends on what goes together:
 *
 *     sequences   [a a a] [b b b b b] [c c]         rows   a0 a1 a2 b0 b1 b2 b3 b4 c0 c1
 *     ends         3       8           10           pages  a → 0, b → 1, c → 2 */
#include "base/error.h"
#include "engine/engine.h"

#if !defined(MOTE_NO_ENCODERS)

enum { ROWS_MAX = 8192, SEQUENCES = 16, SEQUENCES_MAX = 4096 };

static uint32_t pages_for(size_t n_tokens) {
    return (uint32_t)((n_tokens + MOTE_DEVICE_PAGE - 1) / MOTE_DEVICE_PAGE);
}

/* Integers are for models whose keys and values are products of quantized weights: a model in floats stays so. */
static mote_kv_type pages_of(const mote_model *model) {
    for (uint32_t i = 0; i < model->config.n_layers; i++)
        for (int slot = MOTE_MODEL_Q; slot <= MOTE_MODEL_V; slot++)
            if (!mote_base_type_describe(model->weights.layers[i].slot[slot].type)->group) return MOTE_KV_F32;
    return (mote_kv_type)MOTE_KERNEL_KV_S8;
}

mote_status mote_engine_settle_encoder(const mote_context_options *options, mote_context *c,
                                       mote_error *error) {
    const struct mote_model_config *config = &c->model->config;
    uint32_t longest = config->n_context < ROWS_MAX ? config->n_context : ROWS_MAX;
    c->n_positions = options->n_positions ? options->n_positions : longest;
    c->n_rows = options->n_rows > c->n_positions ? options->n_rows : c->n_positions;
    c->n_sessions = options->n_sessions ? options->n_sessions : SEQUENCES;
    if (c->n_positions > longest || c->n_rows > ROWS_MAX || c->n_sessions > SEQUENCES_MAX)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0,
                              "%u positions, %u rows, %u sequences: at most %u, %u and %u are possible",
                              (uint64_t)c->n_positions, (uint64_t)c->n_rows, (uint64_t)c->n_sessions,
                              (uint64_t)longest, (uint64_t)ROWS_MAX, (uint64_t)SEQUENCES_MAX);
    c->n_pages = pages_for(c->n_rows) + c->n_sessions; /* each may leave a page half empty */
    c->device.n_rows = c->device.n_wanted = c->n_rows;
    c->device.n_pages = c->n_pages;
    c->device.kv_type = pages_of(c->model);
    return MOTE_OK;
}

void mote_engine_take_encoder(mote_context *c, struct mote_base_arena *arena) {
    struct mote_engine_encoder *e = &c->encoder;
    c->rows = mote_base_arena_take(arena, c->n_rows, sizeof *c->rows);
    e->pages = mote_base_arena_take(arena, c->n_pages, sizeof *e->pages);
    e->ends = mote_base_arena_take(arena, c->n_sessions, sizeof *e->ends);
    e->vectors =
        mote_base_arena_take(arena, (uint64_t)c->n_rows * c->model->config.n_model, sizeof *e->vectors);
    for (uint32_t i = 0; e->vectors && i < c->n_pages; i++)
        e->pages[i] = i;
}

/* ---- checks ---- */

static mote_status check(const mote_context *c, const mote_sequence *sequences, size_t n,
                         mote_pooling pooling, const float *labels, mote_error *error) {
    const struct mote_model_config *config = &c->model->config;
    if (!mote_model_is_encoder(config))
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0, "the model is not an encoder");
    if ((unsigned)pooling > MOTE_POOLING_LAST)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0, "there is no pooling %u", (uint64_t)pooling);
    if (labels && !config->encoder.n_labels)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0, "the model has no head that gives labels");
    for (size_t i = 0; i < n; i++) {
        if (!sequences[i].n)
            return mote_base_fail(error, MOTE_E_ARGUMENT, i, "sequence %u is empty", (uint64_t)i);
        if (sequences[i].n > c->n_positions)
            return mote_base_fail(error, MOTE_E_CONTEXT, i,
                                  "sequence %u has %u tokens, at most %u are possible", (uint64_t)i,
                                  (uint64_t)sequences[i].n, (uint64_t)c->n_positions);
        for (size_t t = 0; t < sequences[i].n; t++)
            if (sequences[i].tokens[t] < 0 || (uint32_t)sequences[i].tokens[t] >= config->n_vocab)
                return mote_base_fail(error, MOTE_E_TOKEN, i,
                                      "sequence %u has token %d, the vocabulary has %u", (uint64_t)i,
                                      (int64_t)sequences[i].tokens[t], (uint64_t)config->n_vocab);
    }
    return MOTE_OK;
}

/* ---- pieces ---- */

/* Lays out as many of the sequences as fit; returns how many. */
static uint32_t lay_out(mote_context *c, const mote_sequence *sequences, size_t n, uint32_t *n_rows) {
    uint32_t row = 0, page = 0, count = 0;
    for (; count < n && count < c->n_sessions && sequences[count].n <= c->n_rows - row; count++) {
        const mote_sequence *s = &sequences[count];
        int paired = s->n_first && c->model->config.encoder.n_segments > 1;
        for (uint32_t t = 0; t < s->n; t++)
            c->rows[row++] = (struct mote_device_row){.pages = c->encoder.pages + page,
                                                      .position = t,
                                                      .n_seen = (uint32_t)s->n,
                                                      .token = s->tokens[t],
                                                      .segment = paired && t >= s->n_first};
        page += pages_for(s->n);
        c->encoder.ends[count] = row;
    }
    *n_rows = row;
    return count;
}

/* Some sequences, pooled in one way; either result may be NULL. */
static void encode(mote_context *c, const mote_sequence *sequences, size_t n, mote_pooling pooling,
                   float *vectors, float *labels) {
    uint32_t width = c->model->config.n_model, n_labels = c->model->config.encoder.n_labels, n_rows;
    for (size_t at = 0; at < n;) {
        uint32_t count = lay_out(c, sequences + at, n - at, &n_rows);
        uint64_t n_out = pooling == MOTE_POOLING_NONE ? n_rows : count;
        struct mote_device_encoding e = {.ends = c->encoder.ends,
                                         .n = count,
                                         .pooling = pooling,
                                         .vectors = vectors ? vectors : c->encoder.vectors,
                                         .labels = labels};
        mote_device_cpu_encode(&c->device, c->rows, n_rows, &e);
        if (vectors) vectors += n_out * width;
        if (labels) labels += n_out * n_labels;
        at += count;
    }
}

mote_status mote_context_encode(mote_context *context, const mote_sequence *sequences, size_t n,
                                mote_pooling pooling, float *vectors, float *labels, mote_error *error) {
    const struct mote_model_encoder *encoder = &context->model->config.encoder;
    mote_pooling judged = encoder->judges_tokens ? MOTE_POOLING_NONE : encoder->pooling;
    mote_status status = check(context, sequences, n, pooling, labels, error);
    if (status) return status;
    if (!labels || pooling == judged) {
        encode(context, sequences, n, pooling, vectors, labels);
        return MOTE_OK;
    }
    if (vectors) encode(context, sequences, n, pooling, vectors, NULL);
    encode(context, sequences, n, judged, NULL, labels);
    return MOTE_OK;
}

#endif
