/* SPDX-License-Identifier: Apache-2.0
 *
 * model.c: opening a file, and what can be asked of it. Planning is opening with an arena that only counts,
 * plus the directory itself, which has to be read to count the rest. */
#include "engine/engine.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/word.h"

static const struct mote_format_key *find(const struct mote_model *model, const char *name) {
    return mote_format_find_key(&model->file, mote_base_word(name));
}

/* Everything after the directory. */
static mote_status open_rest(struct mote_model *model, struct mote_base_arena *arena, mote_error *error) {
    mote_status status;
    if ((status = mote_model_architecture(&model->file, &model->architecture, error))) return status;
    if ((status = mote_model_vocabulary(&model->file, arena, &model->source, &model->has_tokenizer, error)))
        return status;
    if (model->has_tokenizer && (status = mote_text_vocab_open(&model->source, arena, &model->vocab, error)))
        return status;
    model->has_weights = model->file.n_tensors > 0;
    if (!model->has_weights) {
        if (model->has_tokenizer) return MOTE_OK;
        return mote_base_fail(error, MOTE_E_FORMAT, 0, "the file has neither tensors nor a tokenizer");
    }
    if ((status = mote_model_configure(&model->file, &model->config, error)) ||
        (status = mote_model_load(&model->file, &model->config, arena, &model->weights, error)))
        return status;
    if (model->has_tokenizer && model->source.n_tokens > model->config.n_vocab)
        return mote_base_fail(error, MOTE_E_FORMAT, 0,
                              "the tokenizer has %u tokens, the embedding only %u rows",
                              (uint64_t)model->source.n_tokens, (uint64_t)model->config.n_vocab);
    return mote_program_open(&model->config, &model->weights, arena, &model->program);
}

static mote_status out_of_memory(mote_error *error, uint64_t bytes) {
    return mote_base_fail(error, MOTE_E_MEMORY, 0, "the block of %u bytes is too small or not aligned",
                          bytes);
}

mote_status mote_model_plan(const void *bytes, uint64_t n_bytes, uint64_t *block_bytes, mote_error *error) {
    struct mote_base_arena arena;
    struct mote_model_counts counts;
    struct mote_model m = {0};
    uint64_t directory_bytes;
    mote_status status = mote_format_plan(bytes, n_bytes, &directory_bytes, error);
    if (status) return status;
    mote_model_count(bytes, n_bytes, &counts);
    mote_base_arena_open(&arena, NULL, 0);
    mote_base_arena_take(&arena, 1, sizeof m);
    mote_base_arena_take(&arena, 1, directory_bytes);
    mote_base_arena_take(&arena, counts.n_tokens, sizeof(mote_text));
    mote_base_arena_take(&arena, counts.n_merges, sizeof(mote_text));
    m.source.kind = counts.kind;
    m.source.n_tokens = (uint32_t)counts.n_tokens;
    m.source.n_merges = (uint32_t)counts.n_merges;
    m.source.types = counts.types;
    if (counts.kind && counts.n_tokens && (status = mote_text_vocab_open(&m.source, &arena, NULL, error)))
        return status;
    m.config.n_layers = (uint32_t)counts.n_layers;
    mote_base_arena_take(&arena, counts.n_layers, sizeof *m.weights.layers);
    if ((status = mote_program_open(&m.config, &m.weights, &arena, &m.program))) return status;
    *block_bytes = arena.used;
    return MOTE_OK;
}

mote_status mote_model_open(const void *bytes, uint64_t n_bytes, void *block, uint64_t block_bytes,
                            const mote_model **model, mote_error *error) {
    struct mote_base_arena arena;
    mote_base_arena_open(&arena, block, block_bytes);
    struct mote_model *m = mote_base_arena_take(&arena, 1, sizeof *m);
    if (!m) return out_of_memory(error, block_bytes);
    memset(m, 0, sizeof *m);
    mote_status status = mote_format_open(bytes, n_bytes, &arena, &m->file, error);
    if (!status) status = open_rest(m, &arena, error);
    if (status == MOTE_E_MEMORY) return out_of_memory(error, block_bytes);
    if (!status) *model = m;
    return status;
}

/* ---- what can be asked of a model ---- */

static mote_text string_of(const struct mote_model *model, const char *name) {
    const struct mote_format_key *key = find(model, name);
    mote_text text = {NULL, 0};
    return key && !mote_format_string(&model->file, key, &text, NULL) ? text : (mote_text){NULL, 0};
}

static mote_text scaling_name(const struct mote_model *model) {
    if (mote_model_is_encoder(&model->config)) return (mote_text){"none", 4};
    if (model->weights.slot[MOTE_MODEL_ROPE_FACTORS].data) return (mote_text){"llama3", 6};
    switch (model->config.rope.scaling) {
    case MOTE_MODEL_ROPE_LINEAR:
        return (mote_text){"linear", 6};
    case MOTE_MODEL_ROPE_YARN:
        return (mote_text){"yarn", 4};
    case MOTE_MODEL_ROPE_NONE:
        break;
    }
    return (mote_text){"none", 4};
}

void mote_model_describe(const mote_model *model, mote_model_info *info) {
    const struct mote_model_config *c = &model->config;
    *info = (mote_model_info){
        .architecture = model->architecture,
        .name = string_of(model, "general.name"),
        .tokenizer = string_of(model, "tokenizer.ggml.model"),
        .tokenizer_pre = string_of(model, "tokenizer.ggml.pre"),
        .chat_template =
            mote_model_is_encoder(c) ? (mote_text){NULL, 0} : string_of(model, "tokenizer.chat_template"),
        .version = model->file.version,
        .has_weights = model->has_weights,
        .has_tokenizer = model->has_tokenizer,
        .n_parameters = model->file.n_parameters,
        .weights_bytes = model->file.weights_bytes,
        .file_bytes = model->file.n_bytes,
        .n_tensors = (uint32_t)model->file.n_tensors,
        .n_keys = (uint32_t)model->file.n_keys,
        .n_layers = c->n_layers,
        .n_context = c->n_context,
        .n_model = c->n_model,
        .n_heads = c->n_heads,
        .n_kv_heads = c->n_kv_heads,
        .n_head_dim = c->n_head_dim,
        .n_ffn = c->n_ffn,
        .n_vocab = model->has_weights ? c->n_vocab : model->source.n_tokens,
        .bos = model->has_tokenizer ? model->source.bos : MOTE_TOKEN_NONE,
        .eos = model->has_tokenizer ? model->source.eos : MOTE_TOKEN_NONE,
        .add_bos = model->has_tokenizer && mote_text_adds_bos(model->vocab),
        .add_eos = model->has_tokenizer && mote_text_adds_eos(model->vocab),
        .rope_base = c->rope.base,
        .rope_scaling = scaling_name(model),
        .is_encoder = mote_model_is_encoder(c),
        .pooling = c->encoder.pooling,
        .n_labels = c->encoder.n_labels,
        .labels_tokens = c->encoder.judges_tokens,
    };
}

#if !defined(MOTE_NO_ENCODERS)
mote_text mote_model_label(const mote_model *model, uint32_t i) {
    return mote_model_label_name(&model->file, i);
}
#endif

mote_status mote_model_tensor(const mote_model *model, uint32_t i, mote_tensor_info *info) {
    if (i >= model->file.n_tensors) return MOTE_E_ARGUMENT;
    const struct mote_format_tensor *t = &model->file.tensors[i];
    *info = (mote_tensor_info){.name = t->name,
                               .type = mote_base_type_describe(t->type)->name,
                               .type_number = t->type,
                               .n_dims = t->n_dims,
                               .dims = {t->dims[0], t->dims[1], t->dims[2], t->dims[3]},
                               .offset = t->offset,
                               .bytes = t->bytes};
    return MOTE_OK;
}

/* The longest row that is read. */
static int row_fits(const struct mote_format_tensor *t) {
    return t->dims[0] <= INT32_MAX;
}

uint64_t mote_model_row_plan(const mote_model *model, uint32_t i) {
    const struct mote_format_tensor *t = &model->file.tensors[i];
    return i < model->file.n_tensors && row_fits(t) ? mote_kernel_matmul_plan((uint32_t)t->dims[0]) : 0;
}

mote_status mote_model_row(const mote_model *model, uint32_t i, uint64_t row, float *out, void *work) {
    if (i >= model->file.n_tensors) return MOTE_E_ARGUMENT;
    if (model->is_arranged) return MOTE_E_UNSUPPORTED;
    const struct mote_format_tensor *t = &model->file.tensors[i];
    const struct mote_base_type_info *type = mote_base_type_describe(t->type);
    uint64_t row_bytes = t->dims[0] / type->elements * type->bytes;
    if (!row_fits(t) || !row_bytes || row >= t->bytes / row_bytes) return MOTE_E_ARGUMENT;
    struct mote_kernels kernels;
    struct mote_kernel_weight w = {.data = t->data + row * row_bytes,
                                   .row_bytes = row_bytes,
                                   .type = t->type,
                                   .n = 1,
                                   .k = (uint32_t)t->dims[0]};
    mote_kernel_select(&kernels, 0);
    mote_kernel_row(&kernels, &w, 0, out, work);
    return MOTE_OK;
}

mote_status mote_model_entry(const mote_model *model, uint32_t i, mote_key_info *info) {
    if (i >= model->file.n_keys) return MOTE_E_ARGUMENT;
    const struct mote_format_key *key = &model->file.keys[i];
    uint64_t begin =
        (uint64_t)((const uint8_t *)key->name.data - model->file.bytes) - 8; /* the name's length */
    *info = (mote_key_info){key->name, begin, key->offset + key->bytes - begin};
    return MOTE_OK;
}

mote_status mote_model_key(const mote_model *model, uint32_t i, mote_text *key, char *out, size_t out_bytes) {
    if (i >= model->file.n_keys) return MOTE_E_ARGUMENT;
    *key = model->file.keys[i].name;
    mote_format_print(&model->file.keys[i], out, out_bytes);
    return MOTE_OK;
}
