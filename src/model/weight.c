/* SPDX-License-Identifier: Apache-2.0
 *
 * weight.c: tensors -> weight views with the shapes the configuration asks for. One table says it all; a row
 * of it is a tensor's name, its shape, and whether a file may lack it. */
#include "model/model.h"

#include "base/error.h"

/* A dimension of a weight, named by what it counts. */
enum size { ONE, MODEL, HEADS, KV_HEADS, FFN, VOCAB, ROPE };

struct rule {
    const char *name; /* %u stands for the layer */
    uint8_t slot, rows, columns, optional;
};

static const struct rule once[] = {
    {"token_embd.weight", MOTE_MODEL_EMBED, VOCAB, MODEL, 0},
    {"output_norm.weight", MOTE_MODEL_OUTPUT_NORM, ONE, MODEL, 0},
    {"output.weight", MOTE_MODEL_OUTPUT, VOCAB, MODEL, 1},
    {"rope_freqs.weight", MOTE_MODEL_ROPE_FACTORS, ONE, ROPE, 1},
};

static const struct rule each_layer[] = {
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

static uint64_t size_of(const struct mote_model_config *c, enum size size) {
    switch (size) {
    case MODEL:
        return c->n_model;
    case HEADS:
        return (uint64_t)c->n_heads * c->n_head_dim;
    case KV_HEADS:
        return (uint64_t)c->n_kv_heads * c->n_head_dim;
    case FFN:
        return c->n_ffn;
    case VOCAB:
        return c->n_vocab;
    case ROPE:
        return c->rope.n_rot / 2;
    case ONE:
        break;
    }
    return 1;
}

static mote_status load(const struct mote_format_file *file, const struct mote_model_config *config,
                        const struct rule *rule, uint32_t layer, struct mote_kernel_weight *weight,
                        mote_error *error) {
    char text[64];
    size_t n = mote_base_format(text, sizeof text, rule->name, (uint64_t)layer);
    mote_text name = {text, n};
    *weight = (struct mote_kernel_weight){0};
    const struct mote_format_tensor *t = mote_format_find_tensor(file, name);
    if (!t && rule->optional) return MOTE_OK;
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

mote_status mote_model_load(const struct mote_format_file *file, const struct mote_model_config *config,
                            struct mote_base_arena *arena, struct mote_model_weights *weights,
                            mote_error *error) {
    weights->layers = mote_base_arena_take(arena, config->n_layers, sizeof *weights->layers);
    if (!weights->layers) return arena->failed ? MOTE_E_MEMORY : MOTE_OK;
    mote_status status;
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        status = load(file, config, &once[i], 0, &weights->slot[once[i].slot], error);
        if (status) return status;
    }
    if ((status = check_factors(&weights->slot[MOTE_MODEL_ROPE_FACTORS], error))) return status;
    if (!weights->slot[MOTE_MODEL_OUTPUT].data)
        weights->slot[MOTE_MODEL_OUTPUT] = weights->slot[MOTE_MODEL_EMBED];
    for (uint32_t layer = 0; layer < config->n_layers; layer++)
        for (size_t i = 0; i < sizeof each_layer / sizeof *each_layer; i++) {
            status = load(file, config, &each_layer[i], layer,
                          &weights->layers[layer].slot[each_layer[i].slot], error);
            if (status) return status;
        }
    return MOTE_OK;
}
