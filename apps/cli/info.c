/* SPDX-License-Identifier: Apache-2.0
 *
 * info.c: `mote info`: what a model file holds and what running it takes, as a table or as JSON. Text from
 * the file is hostile: bytes that are not printable, and invalid UTF-8, come out escaped. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/encoder.h"
#include "apps/cli/print.h"

struct request {
    int json, keys, tensors, yes;
    struct cli_runtime runtime;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("json", 0, NULL, CLI_FLAG, AT(json), 0, 0, "print JSON"),
    CLI_OPTION("keys", 0, NULL, CLI_FLAG, AT(keys), 0, 0, "all keys of the file too"),
    CLI_OPTION("tensors", 0, NULL, CLI_FLAG, AT(tensors), 0, 0, "all tensors of the file too"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(yes), 0, 0, "pull the model without asking"),
    {0}};
#undef AT

enum { MOST_TYPES = 40 };
struct mix { /* how much of the weights each type makes */
    const char *type[MOST_TYPES];
    uint64_t bytes[MOST_TYPES];
    uint32_t n_tensors[MOST_TYPES];
    size_t n;
};

/* What running the model takes at a context of n_positions. */
struct need {
    uint32_t n_positions;
    uint64_t context_bytes, model_bytes;
};

static int count_types(const struct cli_model *model, struct mix *mix) {
    *mix = (struct mix){.n = 0};
    for (uint32_t i = 0; i < model->info.n_tensors; i++) {
        mote_tensor_info tensor;
        mote_status status = mote_model_tensor(model->model, i, &tensor);
        if (status)
            return cli_fail(cli_status_code(status), "tensor %u: %s", (unsigned)i, mote_status_text(status));
        size_t k = 0;
        while (k < mix->n && strcmp(mix->type[k], tensor.type) != 0)
            k++;
        if (k == MOST_TYPES) continue;
        if (k == mix->n) mix->type[mix->n++] = tensor.type;
        mix->bytes[k] += tensor.bytes;
        mix->n_tensors[k]++;
    }
    return CLI_OK;
}

static int plan(const struct cli_model *model, const struct cli_runtime *runtime, struct need *need) {
    *need = (struct need){.model_bytes = model->block_bytes};
    if (!model->info.has_weights) return CLI_OK;
    int code = cli_model_positions(model, runtime, &need->n_positions);
    if (code) return code;
    struct mote_posix_host *host = mote_posix_host_open(runtime->threads, runtime->cpu);
    if (!host) return cli_fail(CLI_MEMORY, "cannot start threads");
    mote_context_options options = {
        .n_positions = need->n_positions, .n_sessions = 1, .kv_type = runtime->kv};
    mote_error error = {0};
    if (mote_context_plan(model->model, &options, mote_posix_host_get(host), &need->context_bytes, &error))
        code = cli_model_fail(model, &error);
    mote_posix_host_close(host);
    return code;
}

static void print_row(const char *name, mote_text text) {
    if (!text.n) return;
    printf("%-16s ", name);
    cli_print(stdout, text);
    putchar('\n');
}

static void print_size(const char *name, uint64_t n_bytes) {
    char size[16];
    printf("%-16s %s\n", name, cli_size(n_bytes, size));
}

/* How an encoder makes vectors, and what its head knows. */
static void print_encoder(const struct cli_model *model) {
    enum { MOST_SHOWN = 8 };
    const mote_model_info *info = &model->info;
    printf("%-16s vectors of %u, pooling %s\n", "encoder", (unsigned)info->n_model,
           cli_pooling_name(info->pooling));
    if (!info->n_labels) return;
    printf("%-16s %u for each %s", "labels", (unsigned)info->n_labels,
           info->labels_tokens ? "token" : "text");
    for (uint32_t i = 0; i < info->n_labels && i < MOST_SHOWN; i++) {
        fputs(i ? ", " : ": ", stdout);
        cli_print(stdout, mote_model_label(model->model, i));
    }
    puts(info->n_labels > MOST_SHOWN ? ", …" : "");
}

/* The tokens that stand around every text, by their names. */
static int print_frame(const struct cli_model *model) {
    mote_token *tokens = NULL;
    size_t n = 0, room = mote_detokenize_max(model->model);
    int code = cli_model_tokenize(model, (mote_text){"", 0}, MOTE_TOKENIZE_ADD_SPECIAL, &tokens, &n);
    char *text = code ? NULL : malloc(room);
    if (!code && !text) code = cli_fail(CLI_MEMORY, "not enough memory");
    if (!code && n) printf("%-16s", "special tokens");
    for (size_t i = 0; !code && i < n; i++) {
        mote_detokenizer state = {.started = 1, .special = 1, .raw = 1};
        size_t n_text = 0;
        if (mote_detokenize(model->model, &state, tokens[i], text, room, &n_text)) n_text = 0;
        fputs(i ? " … " : " ", stdout);
        cli_print(stdout, (mote_text){text, n_text});
    }
    if (!code && n) putchar('\n');
    free(text);
    free(tokens);
    return code;
}

static int print_vocabulary(const struct cli_model *model) {
    const mote_model_info *info = &model->info;
    if (!info->has_tokenizer) return CLI_OK;
    print_row("tokenizer", info->tokenizer);
    print_row("pre-tokenizer", info->tokenizer_pre);
    printf("%-16s %u tokens", "vocabulary", (unsigned)info->n_vocab);
    if (!info->is_encoder)
        printf(", bos %ld%s, eos %ld%s", (long)info->bos, info->add_bos ? " (added)" : "", (long)info->eos,
               info->add_eos ? " (added)" : "");
    putchar('\n');
    return info->is_encoder ? print_frame(model) : CLI_OK;
}

static int print_table(const struct cli_model *model, const struct mix *mix, const struct need *need) {
    const mote_model_info *info = &model->info;
    char size[16];
    printf("%-16s %s\n", "file", model->path);
    print_row("name", info->name);
    print_row("architecture", info->architecture);
    printf("%-16s GGUF v%u, %u keys, %u tensors\n", "format", (unsigned)info->version, (unsigned)info->n_keys,
           (unsigned)info->n_tensors);
    print_size("size", info->file_bytes);
    if (info->has_weights) {
        printf("%-16s %llu\n", "parameters", (unsigned long long)info->n_parameters);
        printf("%-16s %s, %.2f bits each\n", "weights", cli_size(info->weights_bytes, size),
               info->n_parameters ? 8.0 * (double)info->weights_bytes / (double)info->n_parameters : 0);
        for (size_t i = 0; i < mix->n; i++)
            printf("  %-14s %s in %u tensors\n", mix->type[i], cli_size(mix->bytes[i], size),
                   (unsigned)mix->n_tensors[i]);
        printf("%-16s %u layers, model %u, ffn %u\n", "shape", (unsigned)info->n_layers,
               (unsigned)info->n_model, (unsigned)info->n_ffn);
        printf("%-16s %u heads of %u, %u kv heads\n", "attention", (unsigned)info->n_heads,
               (unsigned)info->n_head_dim, (unsigned)info->n_kv_heads);
        if (!info->is_encoder || info->rope_base > 0)
            printf("%-16s base %g, scaling %.*s\n", "rope", (double)info->rope_base,
                   (int)info->rope_scaling.n, info->rope_scaling.n ? info->rope_scaling.data : "");
        printf("%-16s %u\n", "context", (unsigned)info->n_context);
        if (info->is_encoder) print_encoder(model);
    }
    int code = print_vocabulary(model);
    if (!info->is_encoder) printf("%-16s %s\n", "chat template", info->chat_template.n ? "yes" : "no");
    if (code || !info->has_weights) return code;
    printf("%-16s %s for %u tokens of context, and the weights\n", "memory needed",
           cli_size(need->context_bytes + need->model_bytes, size), (unsigned)need->n_positions);
    return CLI_OK;
}

static int print_keys(const struct cli_model *model) {
    for (uint32_t i = 0; i < model->info.n_keys && !cli_interrupted; i++) {
        mote_text key;
        char value[200];
        mote_status status = mote_model_key(model->model, i, &key, value, sizeof value);
        if (status)
            return cli_fail(cli_status_code(status), "key %u: %s", (unsigned)i, mote_status_text(status));
        printf("%s  ", i ? "" : "\nkeys\n");
        cli_print(stdout, key);
        fputs(" = ", stdout);
        cli_print(stdout, (mote_text){value, strlen(value)});
        putchar('\n');
    }
    return cli_interrupted ? CLI_INTERRUPTED : CLI_OK;
}

static int print_tensors(const struct cli_model *model) {
    for (uint32_t i = 0; i < model->info.n_tensors && !cli_interrupted; i++) {
        mote_tensor_info tensor;
        mote_status status = mote_model_tensor(model->model, i, &tensor);
        if (status)
            return cli_fail(cli_status_code(status), "tensor %u: %s", (unsigned)i, mote_status_text(status));
        printf("%s  ", i ? "" : "\ntensors\n");
        cli_print(stdout, tensor.name);
        printf("  %s [", tensor.type);
        for (uint32_t k = 0; k < tensor.n_dims; k++)
            printf("%s%llu", k ? " " : "", (unsigned long long)tensor.dims[k]);
        printf("]  %llu bytes at %llu\n", (unsigned long long)tensor.bytes,
               (unsigned long long)tensor.offset);
    }
    return cli_interrupted ? CLI_INTERRUPTED : CLI_OK;
}

/* A string of the file as JSON; what is not UTF-8 has its bytes above 127 replaced by '?'. */
static json_t *json_of(mote_text text) {
    json_t *value = json_stringn(text.n ? text.data : "", text.n);
    if (value) return value;
    char *copy = malloc(text.n + 1);
    if (!copy) return NULL;
    for (size_t i = 0; i < text.n; i++)
        copy[i] = (unsigned char)text.data[i] < 128 ? text.data[i] : '?';
    value = json_stringn(copy, text.n);
    free(copy);
    return value;
}

static json_t *json_of_id(mote_token token) {
    return token == MOTE_TOKEN_NONE ? json_null() : json_integer(token);
}

static json_t *json_of_mix(const struct mix *mix) {
    json_t *object = json_object();
    for (size_t i = 0; i < mix->n; i++)
        if (json_object_set_new(object, mix->type[i],
                                json_pack("{s:I, s:I}", "tensors", (json_int_t)mix->n_tensors[i], "bytes",
                                          (json_int_t)mix->bytes[i])))
            return json_decref(object), NULL;
    return object;
}

static json_t *json_of_keys(const struct cli_model *model) {
    json_t *array = json_array();
    for (uint32_t i = 0; i < model->info.n_keys; i++) {
        mote_text key;
        char value[200];
        if (mote_model_key(model->model, i, &key, value, sizeof value) ||
            json_array_append_new(array, json_pack("{s:o, s:o}", "key", json_of(key), "value",
                                                   json_of((mote_text){value, strlen(value)}))))
            return json_decref(array), NULL;
    }
    return array;
}

static json_t *json_of_tensors(const struct cli_model *model) {
    json_t *array = json_array();
    for (uint32_t i = 0; i < model->info.n_tensors; i++) {
        mote_tensor_info tensor;
        if (mote_model_tensor(model->model, i, &tensor)) return json_decref(array), NULL;
        json_t *dims = json_array();
        for (uint32_t k = 0; k < tensor.n_dims; k++)
            if (json_array_append_new(dims, json_integer((json_int_t)tensor.dims[k])))
                return json_decref(dims), json_decref(array), NULL;
        if (json_array_append_new(array,
                                  json_pack("{s:o, s:s, s:o, s:I, s:I}", "name", json_of(tensor.name), "type",
                                            tensor.type, "dims", dims, "offset", (json_int_t)tensor.offset,
                                            "bytes", (json_int_t)tensor.bytes)))
            return json_decref(array), NULL;
    }
    return array;
}

static json_t *json_of_labels(const struct cli_model *model) {
    json_t *array = json_array();
    for (uint32_t i = 0; i < model->info.n_labels; i++)
        if (json_array_append_new(array, json_of(mote_model_label(model->model, i))))
            return json_decref(array), NULL;
    return array;
}

static int print_json(const struct request *request, const struct cli_model *model, const struct mix *mix,
                      const struct need *need) {
    const mote_model_info *info = &model->info;
    json_t *root =
        json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:b, s:b}", "name", json_of(info->name),
                  "architecture", json_of(info->architecture), "gguf_version", (json_int_t)info->version,
                  "file_bytes", (json_int_t)info->file_bytes, "n_keys", (json_int_t)info->n_keys, "n_tensors",
                  (json_int_t)info->n_tensors, "n_vocab", (json_int_t)info->n_vocab, "types",
                  json_of_mix(mix), "has_weights", info->has_weights, "has_tokenizer", info->has_tokenizer);
    int bad = !root;
    if (!bad && info->has_weights)
        bad = json_object_update_new(
            root, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:{s:I, s:I, s:I}}",
                            "n_parameters", (json_int_t)info->n_parameters, "weights_bytes",
                            (json_int_t)info->weights_bytes, "n_layers", (json_int_t)info->n_layers,
                            "n_context", (json_int_t)info->n_context, "n_model", (json_int_t)info->n_model,
                            "n_heads", (json_int_t)info->n_heads, "n_kv_heads", (json_int_t)info->n_kv_heads,
                            "n_head_dim", (json_int_t)info->n_head_dim, "n_ffn", (json_int_t)info->n_ffn,
                            "rope_base", (double)info->rope_base, "rope_scaling", json_of(info->rope_scaling),
                            "memory", "context", (json_int_t)need->n_positions, "context_bytes",
                            (json_int_t)need->context_bytes, "model_bytes", (json_int_t)need->model_bytes));
    if (!bad && info->is_encoder)
        bad = json_object_set_new(root, "encoder",
                                  json_pack("{s:s, s:o, s:b}", "pooling", cli_pooling_name(info->pooling),
                                            "labels", json_of_labels(model), "labels_tokens",
                                            info->labels_tokens));
    if (!bad && info->has_tokenizer)
        bad = json_object_update_new(
            root, json_pack("{s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "tokenizer", json_of(info->tokenizer),
                            "tokenizer_pre", json_of(info->tokenizer_pre), "bos", json_of_id(info->bos),
                            "eos", json_of_id(info->eos), "add_bos", info->add_bos, "add_eos", info->add_eos,
                            "chat_template", json_of(info->chat_template)));
    if (!bad && request->keys) bad = json_object_set_new(root, "keys", json_of_keys(model));
    if (!bad && request->tensors) bad = json_object_set_new(root, "tensors", json_of_tensors(model));
    if (!bad) {
        json_dumpf(root, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(root);
    return bad ? cli_fail(CLI_MEMORY, "not enough memory for the JSON") : CLI_OK;
}

int cli_info(int argc, char **argv) {
    struct request request = {.runtime = cli_runtime_defaults()};
    const struct cli_grammar grammar = {
        "MODEL [OPTIONS]",
        "What a model file holds, and the memory it needs for a context of -c tokens.",
        {{own_options, &request}, {cli_runtime_options, &request.runtime}},
        1,
        1};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    struct cli_model model = {0};
    struct mix mix;
    struct need need;
    code = cli_model_open(&model, arguments[0], request.yes);
    if (!code) code = count_types(&model, &mix);
    if (!code) code = plan(&model, &request.runtime, &need);
    if (!code && request.json) code = print_json(&request, &model, &mix, &need);
    if (!code && !request.json) {
        code = print_table(&model, &mix, &need);
        if (!code && request.keys) code = print_keys(&model);
        if (!code && request.tensors) code = print_tensors(&model);
    }
    cli_model_close(&model);
    return code;
}
