/* SPDX-License-Identifier: Apache-2.0
 *
 * count.c: the few numbers of a file that decide how much memory opening it takes. They are read before the
 * directory exists, and only believed as far as the file itself is large: a token takes at least the eight
 * bytes of its length, a layer at least one tensor. What is wrong with a file is said when it is opened, not
 * here. */
#include "base/error.h"
#include "base/reader.h"
#include "base/word.h"
#include "model/model.h"

static int peek(const void *bytes, uint64_t n_bytes, const char *name, struct mote_format_key *key) {
    return mote_format_peek(bytes, n_bytes, mote_base_word(name), key);
}

static uint64_t n_strings(const void *bytes, uint64_t n_bytes, const char *name) {
    struct mote_format_key key;
    if (!peek(bytes, n_bytes, name, &key) || key.type != MOTE_FORMAT_ARRAY) return 0;
    return key.n <= INT32_MAX ? key.n : 0;
}

void mote_model_count(const void *bytes, uint64_t n_bytes, struct mote_model_counts *counts) {
    struct mote_format_file file = {.bytes = bytes, .n_bytes = n_bytes};
    struct mote_format_key key;
    mote_text text;
    *counts = (struct mote_model_counts){0};
    if (peek(bytes, n_bytes, "tokenizer.ggml.model", &key)) {
        counts->kind = mote_model_vocabulary_kind(&file, &key);
        counts->n_tokens = n_strings(bytes, n_bytes, "tokenizer.ggml.tokens");
        counts->n_merges = n_strings(bytes, n_bytes, "tokenizer.ggml.merges");
        if (peek(bytes, n_bytes, "tokenizer.ggml.token_type", &key) && key.type == MOTE_FORMAT_ARRAY &&
            key.element == MOTE_FORMAT_I32 && key.n == counts->n_tokens)
            counts->types = key.value;
    }
    if (peek(bytes, n_bytes, "general.architecture", &key) && !mote_format_string(&file, &key, &text, NULL)) {
        char name[128];
        uint32_t n_layers;
        mote_base_format(name, sizeof name, "%t.block_count", text);
        if (peek(bytes, n_bytes, name, &key) && !mote_format_u32(&file, &key, &n_layers, NULL) &&
            n_layers <= n_bytes)
            counts->n_layers = n_layers;
    }
}
