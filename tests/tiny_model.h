/* SPDX-License-Identifier: Apache-2.0
 *
 * tiny_model.h: a whole language model of the Llama family in memory, a few kilobytes large, for tests of
 * what comes after the directory. Its weights are random but the same every time. A test changes one thing
 * about it by naming the key or the tensor. */
#ifndef MOTE_TEST_TINY_MODEL_H
#define MOTE_TEST_TINY_MODEL_H

#include <stdio.h>

#include "tests/gguf_writer.h"

enum {
    TINY_D = 32,
    TINY_H = 4,
    TINY_K = 2,
    TINY_E = 8,
    TINY_F = 64,
    TINY_L = 2,
    TINY_V = 300,
    TINY_CONTEXT = 256
};

struct tiny_change {
    const char *without;  /* key or tensor left out */
    const char *mistyped; /* key written as a string */
    const char *key;      /* u32 or f32 key given another value, or added as u32 */
    double value;
    const char *add_string; /* key added as a string */
    const char *string;
    const char *tensor; /* tensor given other dims and type */
    uint64_t dims[2];
    uint32_t type;      /* 0: F32 */
    int quantized;      /* matrices in Q8_0 */
    uint32_t n_special; /* of the last tokens: control tokens */
    uint32_t n_tokens;  /* 0: TINY_V */
    int no_tokenizer, only_tokenizer;
    float rope_factor; /* not 0: adds rope_freqs.weight with it */
};

struct tiny_writer {
    struct gguf_writer keys, infos, data;
    const struct tiny_change *change;
    uint32_t n_keys, n_tensors, random;
};

static inline int tiny_is(const char *a, const char *b) {
    return a && strcmp(a, b) == 0;
}

static inline double tiny_random(struct tiny_writer *w) { /* uniform in ±1 */
    w->random = w->random * 1664525u + 1013904223u;
    return (w->random >> 8) / 8388608.0 - 1;
}

static inline void tiny_number(struct tiny_writer *w, const char *name, int is_float, double value) {
    if (tiny_is(w->change->without, name)) return;
    w->n_keys++;
    if (tiny_is(w->change->mistyped, name)) {
        gguf_put_key_string(&w->keys, name, "seven");
        return;
    }
    if (tiny_is(w->change->key, name)) value = w->change->value;
    if (is_float) {
        float f = (float)value;
        gguf_put_key(&w->keys, name, 6);
        gguf_put(&w->keys, &f, 4);
    } else {
        gguf_put_key_u32(&w->keys, name, (uint32_t)value);
    }
}

static inline void tiny_values(struct tiny_writer *w, uint32_t type, uint64_t n, double mean, double spread) {
    for (uint64_t i = 0; i < n; i++) {
        if (type == 8) { /* Q8_0: f16 scale 2^-10 (0x1400), 32 × int8 */
            if (i % 32 == 0) gguf_put_le(&w->data, 0x1400, 2);
            gguf_put_le(&w->data, (uint8_t)(int8_t)(tiny_random(w) * 127), 1);
        } else {
            float f = (float)(mean + spread * tiny_random(w));
            gguf_put(&w->data, &f, 4);
        }
    }
}

static inline void tiny_tensor(struct tiny_writer *w, const char *name, uint32_t n_dims, uint64_t columns,
                               uint64_t rows) {
    if (tiny_is(w->change->without, name)) return;
    uint64_t dims[2] = {columns, rows};
    uint32_t type = n_dims == 2 && w->change->quantized ? 8 : 0;
    if (tiny_is(w->change->tensor, name)) {
        dims[0] = w->change->dims[0];
        dims[1] = w->change->dims[1];
        type = w->change->type;
        n_dims = dims[1] > 1 ? 2 : 1;
    }
    gguf_put_padding(&w->data, 32);
    gguf_put_tensor(&w->infos, name, n_dims, dims, type, w->data.n);
    if (type == 1)
        gguf_put_zeros(&w->data, dims[0] * dims[1] * 2);
    else if (strstr(name, "norm"))
        tiny_values(w, type, dims[0] * dims[1], 1, 0.1);
    else
        tiny_values(w, type, dims[0] * dims[1], 0, 0.4);
    w->n_tensors++;
}

static inline void tiny_tokenizer(struct tiny_writer *w) {
    uint32_t n = w->change->n_tokens ? w->change->n_tokens : TINY_V;
    char text[16];
    gguf_put_key_string(&w->keys, "tokenizer.ggml.model", "llama");
    gguf_put_key_array(&w->keys, "tokenizer.ggml.tokens", 8, n);
    for (uint32_t i = 0; i < n; i++) {
        const char *first[] = {"<unk>", "<s>", "</s>"};
        if (i >= 3 && i < 259)
            snprintf(text, sizeof text, "<0x%02X>", i - 3);
        else
            snprintf(text, sizeof text, "t%u", i);
        gguf_put_string(&w->keys, i < 3 ? first[i] : text);
    }
    gguf_put_key_array(&w->keys, "tokenizer.ggml.scores", 6, n);
    for (uint32_t i = 0; i < n; i++) {
        float score = -(float)i;
        gguf_put(&w->keys, &score, 4);
    }
    gguf_put_key_array(&w->keys, "tokenizer.ggml.token_type", 5, n);
    for (uint32_t i = 0; i < n; i++)
        gguf_put_le(&w->keys, i == 0 ? 2 : i < 3 || i + w->change->n_special >= n ? 3 : i < 259 ? 6 : 1, 4);
    gguf_put_key_u32(&w->keys, "tokenizer.ggml.bos_token_id", 1);
    gguf_put_key_u32(&w->keys, "tokenizer.ggml.eos_token_id", 2);
    w->n_keys += 6;
}

static inline void tiny_tensors(struct tiny_writer *w) {
    static const struct {
        const char *name;
        uint64_t columns, rows;
    } layer[] = {
        {"attn_norm", TINY_D, 1},
        {"attn_q", TINY_D, TINY_H * TINY_E},
        {"attn_k", TINY_D, TINY_K * TINY_E},
        {"attn_v", TINY_D, TINY_K * TINY_E},
        {"attn_output", TINY_H * TINY_E, TINY_D},
        {"ffn_norm", TINY_D, 1},
        {"ffn_gate", TINY_D, TINY_F},
        {"ffn_up", TINY_D, TINY_F},
        {"ffn_down", TINY_F, TINY_D},
    };
    char name[64];
    tiny_tensor(w, "token_embd.weight", 2, TINY_D, TINY_V);
    tiny_tensor(w, "output_norm.weight", 1, TINY_D, 1);
    tiny_tensor(w, "output.weight", 2, TINY_D, TINY_V);
    for (uint32_t i = 0; i < TINY_L; i++)
        for (size_t j = 0; j < sizeof layer / sizeof *layer; j++) {
            snprintf(name, sizeof name, "blk.%u.%s.weight", i, layer[j].name);
            tiny_tensor(w, name, layer[j].rows == 1 ? 1 : 2, layer[j].columns, layer[j].rows);
        }
    if (w->change->rope_factor != 0) {
        uint64_t dims[1] = {TINY_E / 2};
        gguf_put_padding(&w->data, 32);
        gguf_put_tensor(&w->infos, "rope_freqs.weight", 1, dims, 0, w->data.n);
        for (int i = 0; i < TINY_E / 2; i++)
            gguf_put(&w->data, &w->change->rope_factor, 4);
        w->n_tensors++;
    }
}

/* The file; its bytes are aligned as malloc aligns and are the caller's to free with gguf_free. */
static inline struct gguf_writer tiny_build(const struct tiny_change *change) {
    static const struct tiny_change nothing;
    struct tiny_writer w = {.change = change ? change : &nothing, .random = 1};
    struct gguf_writer file = {0};
    if (!tiny_is(w.change->without, "general.architecture")) {
        const char *name = tiny_is(w.change->add_string, "general.architecture") ? w.change->string : "llama";
        gguf_put_key_string(&w.keys, "general.architecture", name);
        w.n_keys++;
    }
    if (w.change->add_string && !tiny_is(w.change->add_string, "general.architecture")) {
        gguf_put_key_string(&w.keys, w.change->add_string, w.change->string);
        w.n_keys++;
    }
    static const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"llama.embedding_length", TINY_D},        {"llama.block_count", TINY_L},
        {"llama.feed_forward_length", TINY_F},     {"llama.attention.head_count", TINY_H},
        {"llama.attention.head_count_kv", TINY_K}, {"llama.context_length", TINY_CONTEXT},
    };
    int known = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        tiny_number(&w, numbers[i].name, 0, numbers[i].value);
        known |= tiny_is(w.change->key, numbers[i].name);
    }
    const char *floats[] = {"llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base",
                            "llama.rope.scaling.factor"};
    const double values[] = {1e-5, 10000, 2};
    for (int i = 0; i < 3; i++) {
        tiny_number(&w, floats[i], 1, values[i]);
        known |= tiny_is(w.change->key, floats[i]);
    }
    if (w.change->key && !known) tiny_number(&w, w.change->key, 0, w.change->value);
    if (!w.change->no_tokenizer) tiny_tokenizer(&w);
    if (!w.change->only_tokenizer) tiny_tensors(&w);
    gguf_put_header(&file, 3, w.n_tensors, w.n_keys);
    gguf_put(&file, w.keys.bytes, w.keys.n);
    gguf_put(&file, w.infos.bytes, w.infos.n);
    gguf_put_padding(&file, 32);
    gguf_put(&file, w.data.bytes, w.data.n);
    gguf_free(&w.keys);
    gguf_free(&w.infos);
    gguf_free(&w.data);
    return file;
}

#endif
