/* SPDX-License-Identifier: Apache-2.0
 *
 * model_fuzz.c: any bytes as a model, all the way: open, describe, tokenize, render a conversation, compute a
 * few rows, sample. What it checks beside "no crash": the planned blocks are enough, and the logits of a
 * token do not depend on the cut of the prompt, whatever the weights are. Finds what the reader's own fuzzer
 * cannot: shapes and values that are sound as a file and wrong as a model. Start it from the corpus: without
 * a whole tiny model to change, it would look for one forever. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mote/mote.h"

enum { BLOCK_MAX = 64 << 20, N_TOKENS = 40 };

static const mote_host alone;

static void expect(int truth) {
    if (!truth) abort();
}

static void *take(uint64_t n) {
    void *block = aligned_alloc(MOTE_ALIGN, (n + MOTE_ALIGN - 1) / MOTE_ALIGN * MOTE_ALIGN + MOTE_ALIGN);
    if (!block) abort();
    return block;
}

static void use_text(const mote_model *model, const mote_model_info *info) {
    static const char text[] = "Hello <s> w\xf6rld </s>\n\xe2\x96\x81 1234";
    mote_text hello = {text, sizeof text - 1};
    char out[4096];
    uint64_t work_bytes;
    size_t max, n;
    int wrote_bos;
    mote_tokenize_plan(model, hello.n, &work_bytes, &max);
    if (work_bytes > BLOCK_MAX) return;
    void *work = take(work_bytes);
    mote_token *tokens = take(max * sizeof *tokens);
    if (!mote_tokenize(model, hello, 3, work, work_bytes, tokens, max, &n, NULL)) {
        mote_detokenizer state = {0};
        for (size_t i = 0; i < n; i++) {
            size_t n_out, room = mote_detokenize_max(model);
            char *piece = take(room);
            expect(tokens[i] >= 0 && (uint32_t)tokens[i] < info->n_vocab);
            expect(!mote_detokenize(model, &state, tokens[i], piece, room, &n_out) && n_out <= room);
            free(piece);
        }
    }
    free(tokens);
    free(work);
    mote_message messages[] = {{{"system", 6}, {"Be brief.", 9}}, {{"user", 4}, hello}};
    work = take(1 << 20);
    (void)!mote_model_chat(model, messages, 2, 1, (mote_text){NULL, 0}, work, 1 << 20, out, sizeof out, &n,
                           &wrote_bos, NULL);
    free(work);
}

/* The logits of the last of a few tokens, computed n_rows at a time, into logits [V]. */
static int compute(const mote_model *model, const mote_model_info *info, uint32_t n_rows, float *logits) {
    mote_context_options options = {.n_positions = N_TOKENS, .n_rows = n_rows};
    mote_token tokens[N_TOKENS];
    mote_context *context;
    mote_session *session;
    uint64_t n;
    if (mote_context_plan(model, &options, &alone, &n, NULL) || n > BLOCK_MAX) return 0;
    void *block = take(n);
    expect(!mote_context_open(model, &options, &alone, block, n, &context, NULL));
    expect(!mote_session_open(context, &session));
    for (uint32_t i = 0; i < N_TOKENS; i++)
        tokens[i] = (mote_token)(i * 977 % info->n_vocab);
    expect(!mote_session_feed(session, tokens, N_TOKENS, NULL));
    memcpy(logits, mote_context_logits(context, 0), info->n_vocab * sizeof *logits);
    free(block);
    return 1;
}

static void use_weights(const mote_model *model, const mote_model_info *info) {
    if (info->n_vocab > 1 << 16) return;
    float *a = take(info->n_vocab * sizeof *a), *b = take(info->n_vocab * sizeof *b);
    uint64_t n = mote_sample_plan(info->n_vocab);
    void *work = take(n);
    if (compute(model, info, 16, a) && compute(model, info, 7, b)) {
        for (uint32_t i = 0; i < info->n_vocab; i++) /* a NaN may have other bits */
            expect((a[i] != a[i] && b[i] != b[i]) || memcmp(&a[i], &b[i], sizeof *a) == 0);
        mote_sampler sampler;
        mote_sampler_options options = {
            .temperature = 0.8f, .top_k = 20, .top_p = 0.9f, .repeat_penalty = 1.1f};
        mote_token token;
        mote_sampler_open(&sampler, &options);
        expect(!mote_sample(&sampler, a, info->n_vocab, NULL, 0, work, n, &token));
        expect(token >= 0 && (uint32_t)token < info->n_vocab);
    }
    free(work);
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const mote_model *model;
    mote_model_info info;
    mote_error error = {0};
    uint64_t n;
    uint8_t *bytes =
        take(size); /* aligned as a file map is; one byte past the end is found by the sanitizer */
    memcpy(bytes, data, size);
    if (!mote_model_plan(bytes, size, &n, &error) && n <= BLOCK_MAX) {
        void *block = take(n);
        mote_status status = mote_model_open(bytes, size, block, n, &model, &error);
        expect(status != MOTE_E_MEMORY);
        if (!status) {
            mote_model_describe(model, &info);
            if (info.has_tokenizer) use_text(model, &info);
            if (info.has_weights) use_weights(model, &info);
        } else {
            expect(error.status == status && error.text[0]);
        }
        free(block);
    }
    free(bytes);
    return 0;
}
