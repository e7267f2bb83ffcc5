/* SPDX-License-Identifier: Apache-2.0
 *
 * weight.c: tensors -> weight views with the shapes the configuration asks for. One table says it all; a row
 * of it is a tensor's name, its shape, and whether a file may lack it. */
#include "model/model.h"

#include "base/error.h"
#include "base/memory.h"
#include "kernel/decode.h"

/* A dimension of a weight, named by what it counts. */
enum size {
    ONE,
    MODEL,
    HEADS,
    KV_HEADS,
    ALL_HEADS, /* query, key and value in one */
    FFN,
    FFN_TWICE, /* gate and up in one */
    VOCAB,
    ROPE,
    POSITIONS,
    SEGMENTS,
    DENSE,
    HEAD_INPUT,
    LABELS
};

/* Whether a file may be without a weight: no; yes; in the first layer; in all layers, or in none. */
enum { NEEDED, OPTIONAL, FIRST, ALIKE };

struct rule {
    const char *name; /* %u stands for the layer */
    uint8_t slot, rows, columns, optional;
};

struct rules {
    const struct rule *once, *layer;
    size_t n_once, n_layer;
};

#define N_OF(array) (sizeof(array) / sizeof *(array))

static const struct rule llama_once[] = {
    {"token_embd.weight", MOTE_MODEL_EMBED, VOCAB, MODEL, 0},
    {"output_norm.weight", MOTE_MODEL_OUTPUT_NORM, ONE, MODEL, 0},
    {"output.weight", MOTE_MODEL_OUTPUT, VOCAB, MODEL, 1},
    {"rope_freqs.weight", MOTE_MODEL_ROPE_FACTORS, ONE, ROPE, 1},
};

static const struct rule llama_layer[] = {
    {"blk.%u.attn_norm.weight", MOTE_MODEL_ATTENTION_NORM, ONE, MODEL, 0},
    {"blk.%u.attn_q.weight", MOTE_MODEL_Q, HEADS, MODEL, 0},
    {"blk.%u.attn_k.weight", MOTE_MODEL_K, KV_HEADS, MODEL, 0},
    {"blk.%u.attn_v.weight", MOTE_MODEL_V, KV_HEADS, MODEL, 0},
    {"blk.%u.attn_output.weight", MOTE_MODEL_ATTENTION_OUT, MODEL, HEADS, 0},
    {"blk.%u.ffn_norm.weight", MOTE_MODEL_FFN_NORM, ONE, MODEL, 0},
    {"blk.%u.ffn_gate.weight", MOTE_MODEL_GATE, FFN, MODEL, 0},
    {"blk.%u.ffn_up.weight", MOTE_MODEL_UP, FFN, MODEL, 0},
    {"blk.%u.ffn_down.weight", MOTE_MODEL_DOWN, MODEL, FFN, 0},
};

static const struct rules llama = {llama_once, llama_layer, N_OF(llama_once), N_OF(llama_layer)};

#if !defined(MOTE_NO_ENCODERS)

static const struct rule bert_once[] = {
    {"token_embd.weight", MOTE_MODEL_EMBED, VOCAB, MODEL, 0},
    {"position_embd.weight", MOTE_MODEL_POSITIONS, POSITIONS, MODEL, 1},
    {"token_types.weight", MOTE_MODEL_SEGMENTS, SEGMENTS, MODEL, 1},
    {"token_embd_norm.weight", MOTE_MODEL_EMBED_NORM, ONE, MODEL, 0},
    {"token_embd_norm.bias", MOTE_MODEL_EMBED_NORM_BIAS, ONE, MODEL, 1},
};

static const struct rule bert_head[] = {
    {"cls.output.weight", MOTE_MODEL_OUTPUT, LABELS, HEAD_INPUT, 0},
    {"cls.output.bias", MOTE_MODEL_OUTPUT_BIAS, ONE, LABELS, 1},
    {"cls.weight", MOTE_MODEL_DENSE, DENSE, MODEL, 1},
    {"cls.bias", MOTE_MODEL_DENSE_BIAS, ONE, DENSE, 1},
    {"cls.norm.weight", MOTE_MODEL_HEAD_NORM, ONE, DENSE, 1},
    {"cls.norm.bias", MOTE_MODEL_HEAD_NORM_BIAS, ONE, DENSE, 1},
};

static const struct rule bert_layer[] = {
    {"blk.%u.attn_qkv.weight", MOTE_MODEL_Q, ALL_HEADS, MODEL, 1},
    {"blk.%u.attn_qkv.bias", MOTE_MODEL_Q_BIAS, ONE, ALL_HEADS, 1},
    {"blk.%u.attn_q.weight", MOTE_MODEL_Q, HEADS, MODEL, 0},
    {"blk.%u.attn_q.bias", MOTE_MODEL_Q_BIAS, ONE, HEADS, 1},
    {"blk.%u.attn_k.weight", MOTE_MODEL_K, KV_HEADS, MODEL, 0},
    {"blk.%u.attn_k.bias", MOTE_MODEL_K_BIAS, ONE, KV_HEADS, 1},
    {"blk.%u.attn_v.weight", MOTE_MODEL_V, KV_HEADS, MODEL, 0},
    {"blk.%u.attn_v.bias", MOTE_MODEL_V_BIAS, ONE, KV_HEADS, 1},
    {"blk.%u.attn_output.weight", MOTE_MODEL_ATTENTION_OUT, MODEL, HEADS, 0},
    {"blk.%u.attn_output.bias", MOTE_MODEL_ATTENTION_OUT_BIAS, ONE, MODEL, 1},
    {"blk.%u.attn_output_norm.weight", MOTE_MODEL_ATTENTION_NORM, ONE, MODEL, 0},
    {"blk.%u.attn_output_norm.bias", MOTE_MODEL_ATTENTION_NORM_BIAS, ONE, MODEL, 1},
    {"blk.%u.ffn_gate.weight", MOTE_MODEL_GATE, FFN, MODEL, ALIKE},
    {"blk.%u.ffn_up.weight", MOTE_MODEL_UP, FFN, MODEL, 0},
    {"blk.%u.ffn_up.bias", MOTE_MODEL_UP_BIAS, ONE, FFN, 1},
    {"blk.%u.ffn_down.weight", MOTE_MODEL_DOWN, MODEL, FFN, 0},
    {"blk.%u.ffn_down.bias", MOTE_MODEL_DOWN_BIAS, ONE, MODEL, 1},
    {"blk.%u.layer_output_norm.weight", MOTE_MODEL_FFN_NORM, ONE, MODEL, 0},
    {"blk.%u.layer_output_norm.bias", MOTE_MODEL_FFN_NORM_BIAS, ONE, MODEL, 1},
};

static const struct rules bert = {bert_once, bert_layer, N_OF(bert_once), N_OF(bert_layer)};

static const struct rule modern_once[] = {
    {"token_embd.weight", MOTE_MODEL_EMBED, VOCAB, MODEL, 0},
    {"token_embd_norm.weight", MOTE_MODEL_EMBED_NORM, ONE, MODEL, 0},
    {"output_norm.weight", MOTE_MODEL_OUTPUT_NORM, ONE, MODEL, 0},
};

static const struct rule modern_layer[] = {
    {"blk.%u.attn_norm.weight", MOTE_MODEL_ATTENTION_NORM, ONE, MODEL, FIRST},
    {"blk.%u.attn_qkv.weight", MOTE_MODEL_Q, ALL_HEADS, MODEL, 0},
    {"blk.%u.attn_output.weight", MOTE_MODEL_ATTENTION_OUT, MODEL, HEADS, 0},
    {"blk.%u.ffn_norm.weight", MOTE_MODEL_FFN_NORM, ONE, MODEL, 0},
    {"blk.%u.ffn_up.weight", MOTE_MODEL_GATE, FFN_TWICE, MODEL, 0},
    {"blk.%u.ffn_down.weight", MOTE_MODEL_DOWN, MODEL, FFN, 0},
};

static const struct rules modern = {modern_once, modern_layer, N_OF(modern_once), N_OF(modern_layer)};

#endif

static uint64_t size_of(const struct mote_model_config *c, enum size size) {
    uint64_t heads = (uint64_t)c->n_heads * c->n_head_dim, kv_heads = (uint64_t)c->n_kv_heads * c->n_head_dim;
    switch (size) {
    case MODEL:
        return c->n_model;
    case HEADS:
        return heads;
    case KV_HEADS:
        return kv_heads;
    case ALL_HEADS:
        return heads + 2 * kv_heads;
    case FFN:
        return c->n_ffn;
    case FFN_TWICE:
        return 2 * (uint64_t)c->n_ffn;
    case VOCAB:
        return c->n_vocab;
    case ROPE:
        return c->rope.n_rot / 2;
    case POSITIONS:
        return c->encoder.n_embedded;
    case SEGMENTS:
        return c->encoder.n_segments;
    case DENSE:
        return c->encoder.n_dense;
    case HEAD_INPUT:
        return c->encoder.n_dense ? c->encoder.n_dense : c->n_model;
    case LABELS:
        return c->encoder.n_labels;
    case ONE:
        break;
    }
    return 1;
}

static mote_status load(const struct mote_format_file *file, const struct mote_model_config *config,
                        const struct rule *rule, uint32_t layer, int optional,
                        struct mote_kernel_weight *weight, mote_error *error) {
    char text[64];
    size_t n = mote_base_format(text, sizeof text, rule->name, (uint64_t)layer);
    mote_text name = {text, n};
    *weight = (struct mote_kernel_weight){0};
    const struct mote_format_tensor *t = mote_format_find_tensor(file, name);
    if (!t && optional) return MOTE_OK;
    if (!t) return mote_base_fail(error, MOTE_E_FORMAT, 0, "tensor %t is missing", name);

    uint64_t rows = size_of(config, rule->rows), columns = size_of(config, rule->columns);
    if (t->dims[0] != columns || t->dims[1] != rows || t->dims[2] != 1 || t->dims[3] != 1)
        return mote_base_fail(error, MOTE_E_FORMAT, t->info_offset, "tensor %t is %u x %u, must be %u x %u",
                              name, t->dims[1], t->dims[0], rows, columns);
    if (rows > UINT32_MAX || columns > UINT32_MAX)
        return mote_base_fail(error, MOTE_E_UNSUPPORTED, t->info_offset, "tensor %t is too large", name);
    if (rule->rows == ONE && t->type != MOTE_TYPE_F32)
        return mote_base_fail(error, MOTE_E_UNSUPPORTED, t->info_offset, "tensor %t must be F32", name);

    const struct mote_base_type_info *info = mote_base_type_describe(t->type);
#if defined(MOTE_NO_DECODERS)
    if (info->group && !(MOTE_KERNEL_DECODED >> t->type & 1))
        return mote_base_fail(error, MOTE_E_UNSUPPORTED, t->info_offset,
                              "tensor %t is %s, which this build does not read", name, info->name);
#endif
    unsigned alignment = t->type == MOTE_TYPE_F32                                ? 4
                         : t->type == MOTE_TYPE_F16 || t->type == MOTE_TYPE_BF16 ? 2
                                                                                 : 1;
    if ((uintptr_t)t->data % alignment)
        return mote_base_fail(error, MOTE_E_FORMAT, t->info_offset,
                              "tensor %t is not aligned to its %u-byte values", name, (uint64_t)alignment);
    *weight = (struct mote_kernel_weight){
        .data = t->data,
        .row_bytes = columns / info->elements * info->bytes,
        .type = t->type,
        .n = (uint32_t)rows,
        .k = (uint32_t)columns,
    };
    return MOTE_OK;
}

/* Factors divide angles: anything but ordinary numbers would turn positions into nonsense. */
static mote_status check_factors(const struct mote_kernel_weight *factors, mote_error *error) {
    const float *given = (const float *)(const void *)factors->data;
    for (uint32_t i = 0; given && i < factors->k; i++)
        if (!(given[i] >= 1e-3f && given[i] <= 1e6f))
            return mote_base_fail(error, MOTE_E_FORMAT, 0,
                                  "tensor rope_freqs.weight has %f at %u, must be 0.001 to 1000000",
                                  (double)given[i], (uint64_t)i);
    return MOTE_OK;
}

#if !defined(MOTE_NO_ENCODERS)

/* Fills slot[0, 3), query, key and value, or slot[0, 2), gate and up, with the parts of a weight or a bias that
 * holds all. */
static mote_status load_fused(const struct mote_format_file *file, const struct mote_model_config *config,
                              const struct rule *rule, uint32_t layer, struct mote_kernel_weight *slot,
                              mote_error *error) {
    struct mote_kernel_weight whole;
    mote_status status = load(file, config, rule, layer, rule->optional, &whole, error);
    if (status || !whole.data) return status;
    for (int i = 0; i < (rule->rows == FFN_TWICE ? 2 : 3); i++) {
        uint32_t n = (uint32_t)size_of(config, rule->rows == FFN_TWICE ? FFN : i ? KV_HEADS : HEADS);
        slot[i] = whole;
        if (rule->rows != ONE) {
            slot[i].n = n;
            whole.data += n * whole.row_bytes;
        } else {
            slot[i].k = n;
            whole.data += n * sizeof(float);
        }
    }
    return MOTE_OK;
}

/* The head judges what the pooled vector, or its dense layer, makes of a text. */
static mote_status load_head(const struct mote_format_file *file, const struct mote_model_config *config,
                             struct mote_kernel_weight *slot, mote_error *error) {
    mote_status status = MOTE_OK;
    for (size_t i = 0; i < N_OF(bert_head) && config->encoder.n_labels && !status; i++)
        status = load(file, config, &bert_head[i], 0, bert_head[i].optional, &slot[bert_head[i].slot], error);
    return status;
}

#endif

static const struct rules *rules_of(const struct mote_model_config *config) {
#if !defined(MOTE_NO_ENCODERS)
    if (config->family == MOTE_MODEL_MODERN_BERT) return &modern;
    if (mote_model_is_encoder(config)) return &bert;
#endif
    (void)config;
    return &llama;
}

/* first: the places of the first layer, which is this one or loaded */
static mote_status load_layer(const struct mote_format_file *file, const struct mote_model_config *config,
                              uint32_t layer, const struct mote_kernel_weight *first,
                              struct mote_kernel_weight *slot, mote_error *error) {
    const struct rules *rules = rules_of(config);
    mote_status status = MOTE_OK;
    memset(slot, 0, MOTE_MODEL_LAYER_SLOTS * sizeof *slot);
    for (const struct rule *rule = rules->layer; rule < rules->layer + rules->n_layer && !status; rule++) {
        int absent = rule->optional == ALIKE && layer > 0 && !first[rule->slot].data;
        int optional = rule->optional == OPTIONAL || (rule->optional != NEEDED && layer == 0);
        if (slot[rule->slot].data || absent) continue; /* part of a fused one */
#if !defined(MOTE_NO_ENCODERS)
        if (rule->rows == ALL_HEADS || rule->columns == ALL_HEADS || rule->rows == FFN_TWICE) {
            status = load_fused(file, config, rule, layer, &slot[rule->slot], error);
            continue;
        }
#endif
        status = load(file, config, rule, layer, optional, &slot[rule->slot], error);
    }
    return status;
}

mote_status mote_model_load(const struct mote_format_file *file, const struct mote_model_config *config,
                            struct mote_base_arena *arena, struct mote_model_weights *weights,
                            mote_error *error) {
    const struct rules *rules = rules_of(config);
    struct mote_kernel_weight *slot = weights->slot;
    weights->layers = mote_base_arena_take(arena, config->n_layers, sizeof *weights->layers);
    if (!weights->layers) return arena->failed ? MOTE_E_MEMORY : MOTE_OK;
    mote_status status;
    for (size_t i = 0; i < rules->n_once; i++) {
        status = load(file, config, &rules->once[i], 0, rules->once[i].optional, &slot[rules->once[i].slot],
                      error);
        if (status) return status;
    }
    if (!mote_model_is_encoder(config) && (status = check_factors(&slot[MOTE_MODEL_ROPE_FACTORS], error)))
        return status;
    if (!mote_model_is_encoder(config) && !slot[MOTE_MODEL_OUTPUT].data)
        slot[MOTE_MODEL_OUTPUT] = slot[MOTE_MODEL_EMBED];
#if !defined(MOTE_NO_ENCODERS)
    if (mote_model_is_encoder(config) && (status = load_head(file, config, slot, error))) return status;
#endif
    for (uint32_t layer = 0; layer < config->n_layers && !status; layer++)
        status = load_layer(file, config, layer, weights->layers[0].slot, weights->layers[layer].slot, error);
    return status;
}
