/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_tensors.c: the names of tensors, as tables: for each family GGUF's name, the folder's, and the shape in
 * letters, rows before columns:
 *
 *     V vocabulary   D width   F hidden   G twice F   P positions   S kinds of segments   T three times D   L labels
 *
 * A row with two letters is a matrix with a ".weight", and with a ".bias" as long as its first letter; one
 * with a single letter a norm. Lower-case "p" is a table of positions: no bias, and the rows that the family
 * does not use are left out; "v" and "s" are tables without a bias, "t", "d", "f" and "g" matrices without one, "n" is
 * a norm without one, "i" a norm that the first layer does not have.
 *
 * Names may have the model's own name in front ("bert."), and old norms say gamma and beta. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/hf_tensors.h"

struct row {
    const char *gguf, *from, *shape;
};

static const struct row bert_front[] = {{"token_embd", "embeddings.word_embeddings", "vD"},
                                        {"position_embd", "embeddings.position_embeddings", "pD"},
                                        {"token_types", "embeddings.token_type_embeddings", "sD"},
                                        {"token_embd_norm", "embeddings.LayerNorm", "D"},
                                        {0}};
static const struct row bert_layer[] = {{"attn_q", "attention.self.query", "DD"},
                                        {"attn_k", "attention.self.key", "DD"},
                                        {"attn_v", "attention.self.value", "DD"},
                                        {"attn_output", "attention.output.dense", "DD"},
                                        {"attn_output_norm", "attention.output.LayerNorm", "D"},
                                        {"ffn_up", "intermediate.dense", "FD"},
                                        {"ffn_down", "output.dense", "DF"},
                                        {"layer_output_norm", "output.LayerNorm", "D"},
                                        {0}};
static const struct row distilbert_front[] = {{"token_embd", "embeddings.word_embeddings", "vD"},
                                              {"position_embd", "embeddings.position_embeddings", "pD"},
                                              {"token_embd_norm", "embeddings.LayerNorm", "D"},
                                              {0}};
static const struct row distilbert_layer[] = {{"attn_q", "attention.q_lin", "DD"},
                                              {"attn_k", "attention.k_lin", "DD"},
                                              {"attn_v", "attention.v_lin", "DD"},
                                              {"attn_output", "attention.out_lin", "DD"},
                                              {"attn_output_norm", "sa_layer_norm", "D"},
                                              {"ffn_up", "ffn.lin1", "FD"},
                                              {"ffn_down", "ffn.lin2", "DF"},
                                              {"layer_output_norm", "output_layer_norm", "D"},
                                              {0}};
static const struct row nomic_front[] = {{"token_embd", "embeddings.word_embeddings", "vD"},
                                         {"token_types", "embeddings.token_type_embeddings", "sD"},
                                         {"token_embd_norm", "emb_ln", "D"},
                                         {0}};
static const struct row nomic_layer[] = {
    {"attn_qkv", "attn.Wqkv", "tD"},     {"attn_output", "attn.out_proj", "dD"},
    {"attn_output_norm", "norm1", "D"},  {"ffn_up", "mlp.fc11", "fD"},
    {"ffn_gate", "mlp.fc12", "fD"},      {"ffn_down", "mlp.fc2", "dF"},
    {"layer_output_norm", "norm2", "D"}, {0}};

static const struct row modern_front[] = {{"token_embd", "embeddings.tok_embeddings", "vD"},
                                          {"token_embd_norm", "embeddings.norm", "n"},
                                          {"output_norm", "final_norm", "n"},
                                          {0}};
static const struct row modern_layer[] = {{"attn_norm", "attn_norm", "i"},
                                          {"attn_qkv", "attn.Wqkv", "tD"},
                                          {"attn_output", "attn.Wo", "dD"},
                                          {"ffn_norm", "mlp_norm", "n"},
                                          {"ffn_up", "mlp.Wi", "gD"},
                                          {"ffn_down", "mlp.Wo", "dF"},
                                          {0}};

/* Heads of a text; one of tokens is {"cls.output", "classifier"} in all families but the last. */
static const struct row bert_head[] = {
    {"cls", "pooler.dense", "DD"}, {"cls.output", "classifier", "LD"}, {0}};
static const struct row distilbert_head[] = {
    {"cls", "pre_classifier", "DD"}, {"cls.output", "classifier", "LD"}, {0}};
static const struct row roberta_head[] = {
    {"cls", "classifier.dense", "DD"}, {"cls.output", "classifier.out_proj", "LD"}, {0}};
static const struct row modern_head[] = {
    {"cls", "head.dense", "dD"}, {"cls.norm", "head.norm", "n"}, {"cls.output", "classifier", "LD"}, {0}};

static const struct {
    const char *layer; /* in front of a layer's names */
    const struct row *front, *layers, *head;
} families[] = {
    [CLI_HF_BERT] = {"encoder.layer.", bert_front, bert_layer, bert_head},
    [CLI_HF_DISTILBERT] = {"transformer.layer.", distilbert_front, distilbert_layer, distilbert_head},
    [CLI_HF_ROBERTA] = {"encoder.layer.", bert_front, bert_layer, roberta_head},
    [CLI_HF_NOMIC] = {"encoder.layers.", nomic_front, nomic_layer, NULL},
    [CLI_HF_MODERN] = {"layers.", modern_front, modern_layer, modern_head},
};

static const char *const prefixes[] = {"", "bert.", "roberta.", "distilbert.", "model."};

/* What pretraining leaves in a folder; a pooler may be part of a head, and is then used before this is read. */
static const char *const left_behind[] = {"pooler.",
                                          "head.",
                                          "decoder.",
                                          "cls.predictions.",
                                          "cls.seq_relationship.",
                                          "lm_head.",
                                          "vocab_",
                                          "embeddings.position_ids",
                                          "embeddings.token_type_ids"};

struct finder {
    const struct cli_hf_config *config;
    const struct cli_safetensors *files;
    struct cli_hf_tensors *out;
    const char *prefix;
    unsigned char *used; /* of each tensor of the files */
};

static struct cli_hf_json place_of(const struct finder *f, const char *shard) {
    return (struct cli_hf_json){.folder = f->config->json.folder, .name = shard};
}

static int fault(const struct finder *f, const struct cli_safe_tensor *t, const char *what) {
    struct cli_hf_json place = place_of(f, t->shard);
    return cli_hf_json_fail(&place, "tensor \"%.100s\": %s", t->name, what);
}

/* The tensor <prefix><name>, or NULL. */
static const struct cli_safe_tensor *find_as(const struct finder *f, const char *prefix, const char *name) {
    char full[256];
    int n = snprintf(full, sizeof full, "%s%s", prefix, name);
    return n > 0 && (size_t)n < sizeof full ? cli_safetensors_find(f->files, full) : NULL;
}

/* The same with the model's prefix or, as heads have it, without; old names of norms too. */
static const struct cli_safe_tensor *find(const struct finder *f, const char *stem, const char *tail) {
    char name[224];
    const char *const tails[] = {tail, strcmp(tail, ".weight") ? ".beta" : ".gamma"};
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s", stem, tails[i]);
        const struct cli_safe_tensor *found = find_as(f, f->prefix, name);
        if (!found) found = find_as(f, "", name);
        if (found) return found;
    }
    return NULL;
}

static uint64_t size_of(const struct finder *f, char letter) {
    const struct cli_hf_config *c = f->config;
    switch (toupper((unsigned char)letter)) {
    case 'V':
        return c->n_vocab;
    case 'F':
        return c->hidden;
    case 'G':
        return 2 * c->hidden;
    case 'P':
        return c->n_positions;
    case 'S':
        return c->n_types;
    case 'T':
        return 3 * c->width;
    case 'L':
        return f->out->n_labels;
    default:
        return c->width;
    }
}

static int check(const struct finder *f, const struct cli_safe_tensor *t, uint64_t rows, uint64_t columns) {
    char expected[128];
    int fits = columns ? t->n_dims == 2 && t->dims[0] == rows && t->dims[1] == columns
                       : t->n_dims == 1 && t->dims[0] == rows;
    if (t->type == CLI_SAFE_OTHER) {
        snprintf(expected, sizeof expected, "its type is %s; weights are F32, F16 or BF16", t->type_name);
        return fault(f, t, expected);
    }
    if (fits) return CLI_OK;
    snprintf(expected, sizeof expected,
             columns ? "its shape is not [%llu, %llu], which config.json asks for"
                     : "its shape is not [%llu], which config.json asks for",
             (unsigned long long)rows, (unsigned long long)columns);
    return fault(f, t, expected);
}

/* Takes a tensor; columns 0: a vector. */
static int take(struct finder *f, const char *gguf, const char *stem, const char *tail, uint64_t rows,
                uint64_t columns, uint64_t skipped) {
    const struct cli_safe_tensor *t = find(f, stem, tail);
    struct cli_hf_json place =
        place_of(f, f->files->n_shards == 1 ? f->files->shards[0].name : "*.safetensors");
    if (!t) return cli_hf_json_fail(&place, "tensor \"%s%s%s\" is missing", f->prefix, stem, tail);
    int code = check(f, t, rows, columns);
    if (code) return code;
    struct cli_hf_tensor *out = &f->out->list[f->out->n++];
    snprintf(out->name, sizeof out->name, "%s%s", gguf, tail);
    out->from = t;
    out->first = skipped * columns;
    out->columns = columns ? columns : rows;
    out->rows = columns ? rows - skipped : 0;
    f->used[t - f->files->list] = 1;
    return CLI_OK;
}

static int take_row(struct finder *f, const char *gguf, const char *stem, const char *shape) {
    uint64_t rows = size_of(f, shape[0]), columns = shape[1] ? size_of(f, shape[1]) : 0;
    uint64_t skipped = shape[0] == 'p' ? f->config->n_skipped : 0;
    if (shape[0] == 's' && !rows) return CLI_OK;
    int code = take(f, gguf, stem, ".weight", rows, columns, skipped);
    if (code || islower((unsigned char)shape[0])) return code;
    return take(f, gguf, stem, ".bias", rows, 0, 0);
}

static int take_rows(struct finder *f, const struct row *rows) {
    for (; rows->gguf; rows++) {
        int code = take_row(f, rows->gguf, rows->from, rows->shape);
        if (code) return code;
    }
    return CLI_OK;
}

static int take_layers(struct finder *f, const struct row *rows, const char *layer) {
    for (unsigned i = 0; i < f->config->n_layers; i++)
        for (const struct row *row = rows; row->gguf; row++) {
            char gguf[40], stem[96];
            snprintf(gguf, sizeof gguf, "blk.%u.%s", i, row->gguf);
            snprintf(stem, sizeof stem, "%s%u.%s", layer, i, row->from);
            if (row->shape[0] == 'i' && i == 0) continue;
            int code = take_row(f, gguf, stem, row->shape);
            if (code) return code;
        }
    return CLI_OK;
}

static int take_head(struct finder *f, const struct row *rows) {
    static const struct row of_tokens[] = {{"cls.output", "classifier", "LD"}, {0}};
    if (!f->config->head) return CLI_OK;
    if (f->config->head == CLI_HF_TOKEN_HEAD && rows != modern_head) rows = of_tokens;
    const struct row *last = rows;
    while (last[1].gguf)
        last++;
    const struct cli_safe_tensor *t = find(f, last->from, ".weight"); /* its rows are the labels */
    if (t && (t->n_dims != 2 || t->dims[0] < 1 || t->dims[0] > 65536))
        return fault(f, t, "its shape is not [labels, width]");
    f->out->n_labels = t ? t->dims[0] : 1;
    return take_rows(f, rows);
}

static int check_rest(const struct finder *f) {
    for (size_t i = 0; i < f->files->n; i++) {
        const struct cli_safe_tensor *t = &f->files->list[i];
        const char *name = t->name;
        int known = f->used[i];
        if (!strncmp(name, f->prefix, strlen(f->prefix))) name += strlen(f->prefix);
        for (size_t k = 0; k < sizeof left_behind / sizeof *left_behind && !known; k++)
            known = !strncmp(name, left_behind[k], strlen(left_behind[k]));
        if (!known) return fault(f, t, "it has no place in a model of this kind");
    }
    return CLI_OK;
}

int cli_hf_tensors_open(struct cli_hf_tensors *out, const struct cli_hf_config *config,
                        const struct cli_safetensors *files) {
    struct finder f = {.config = config, .files = files, .out = out, .prefix = ""};
    *out = (struct cli_hf_tensors){.list = calloc(16 * config->n_layers + 16, sizeof *out->list)};
    f.used = calloc(files->n + 1, 1);
    int code = out->list && f.used ? CLI_OK : cli_fail(CLI_MEMORY, "not enough memory");
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && !code; i++)
        if (find_as(&f, prefixes[i], "embeddings.word_embeddings.weight") ||
            find_as(&f, prefixes[i], "embeddings.tok_embeddings.weight"))
            f.prefix = prefixes[i];
    if (!code) code = take_rows(&f, families[config->family].front);
    if (!code) code = take_layers(&f, families[config->family].layers, families[config->family].layer);
    if (!code) code = take_head(&f, families[config->family].head);
    if (!code) code = check_rest(&f);
    free(f.used);
    return code;
}

void cli_hf_tensors_close(struct cli_hf_tensors *tensors) {
    free(tensors->list);
    *tensors = (struct cli_hf_tensors){0};
}
