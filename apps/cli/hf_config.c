/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_config.c: config.json of the families that are encoders in the way of BERT, and the files that
 * sentence-transformers adds:
 *
 *     config.json              model_type, architectures, sizes; id2label of a classifier
 *     modules.json             [Transformer, Pooling, Normalize]: where the pooling is described
 *     1_Pooling/config.json    pooling_mode_mean_tokens, pooling_mode_cls_token, …
 *
 * Without the latter two an encoder pools by the mean, as sentence-transformers does; the head of a classifier
 * reads the first token. Every size is bounded, so that products of three of them fit in 64 bits with room to
 * spare. Configurations that would compute something else than the model's program does are refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/hf_config.h"
#include "apps/cli/paths.h"

enum {
    MOST_CONFIG = 4 << 20,
    MOST_WIDTH = 1 << 16,
    MOST_LAYERS = 1024,
    MOST_TOKENS = 1 << 24,
    MOST_POSITIONS = 1 << 22,
};

/* Where each family has its sizes. */
struct names {
    const char *model_type;
    enum cli_hf_family family;
    const char *width, *layers, *heads, *hidden, *positions, *epsilon, *activation;
};

static const struct names families[] = {
#define AS_BERT(type, family)                                                                                \
    {                                                                                                        \
        type, family, "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",        \
            "max_position_embeddings", "layer_norm_eps", "hidden_act"                                        \
    }
    AS_BERT("bert", CLI_HF_BERT),
    AS_BERT("roberta", CLI_HF_ROBERTA),
    AS_BERT("xlm-roberta", CLI_HF_ROBERTA),
    AS_BERT("camembert", CLI_HF_ROBERTA),
#undef AS_BERT
    {"distilbert", CLI_HF_DISTILBERT, "dim", "n_layers", "n_heads", "hidden_dim", "max_position_embeddings",
     NULL, "activation"},
    {"nomic_bert", CLI_HF_NOMIC, "n_embd", "n_layer", "n_head", "n_inner", "n_positions",
     "layer_norm_epsilon", "activation_function"},
    {"modernbert", CLI_HF_MODERN, "hidden_size", "num_hidden_layers", "num_attention_heads",
     "intermediate_size", "max_position_embeddings", "norm_eps", "hidden_activation"},
};

static int read_sizes(struct cli_hf_config *c, const struct names *names) {
    const struct {
        const char *name;
        uint64_t *value, most;
    } sizes[] = {
        {names->width, &c->width, MOST_WIDTH},    {names->layers, &c->n_layers, MOST_LAYERS},
        {names->heads, &c->n_heads, MOST_WIDTH},  {names->hidden, &c->hidden, 4 * MOST_WIDTH},
        {"vocab_size", &c->n_vocab, MOST_TOKENS}, {names->positions, &c->n_positions, MOST_POSITIONS},
    };
    int code = CLI_OK;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && !code; i++) {
        *sizes[i].value = CLI_HF_NEEDED;
        code = cli_hf_json_count(&c->json, c->json.root, sizes[i].name, 1, sizes[i].most, sizes[i].value);
    }
    int modern = c->family == CLI_HF_MODERN;
    c->n_types = c->family == CLI_HF_DISTILBERT || modern ? 0 : c->family == CLI_HF_NOMIC ? 1 : 2;
    c->epsilon = modern ? 1e-5 : 1e-12;
    c->rope_base = 10000;
    if (!code && c->n_types)
        code = cli_hf_json_count(&c->json, c->json.root, "type_vocab_size", 0, 256, &c->n_types);
    if (!code && names->epsilon)
        code = cli_hf_json_real(&c->json, c->json.root, names->epsilon, 0, 1, &c->epsilon);
    if (!code && c->width % c->n_heads)
        code = cli_hf_json_fail(&c->json, "\"%s\" %llu is no multiple of \"%s\" %llu", names->width,
                                (unsigned long long)c->width, names->heads, (unsigned long long)c->n_heads);
    return code;
}

/* ---- what would compute something else ---- */

static int expect_text(const struct cli_hf_config *c, const char *key, const char *const *allowed) {
    const char *text = allowed[0];
    int code = cli_hf_json_text(&c->json, c->json.root, key, &text);
    if (code) return code;
    for (; *allowed; allowed++)
        if (!strcmp(text, *allowed)) return CLI_OK;
    return cli_hf_json_fail(&c->json, "\"%s\": '%.40s' is not supported", key, text);
}

static int expect_flag(const struct cli_hf_config *c, const char *key, int expected) {
    int flag = expected, code = cli_hf_json_flag(&c->json, c->json.root, key, &flag);
    if (code || flag == expected) return code;
    return cli_hf_json_fail(&c->json, "\"%s\": %s is not supported", key, flag ? "true" : "false");
}

static int check_modern(struct cli_hf_config *c) {
    static const char *const gates[] = {"gelu", "silu", NULL}, *const gelu[] = {"gelu", NULL};
    static const char *const off[] = {"norm_bias", "attention_bias", "mlp_bias", "classifier_bias"};
    int code = expect_text(c, "hidden_activation", gates);
    c->gate = gates[0];
    if (!code) code = cli_hf_json_text(&c->json, c->json.root, "hidden_activation", &c->gate);
    if (!code) code = expect_text(c, "classifier_activation", gelu);
    for (size_t i = 0; i < sizeof off / sizeof *off && !code; i++)
        code = expect_flag(c, off[i], 0);
    return code;
}

static int check_program(const struct cli_hf_config *c, const struct names *names) {
    static const char *const gelu[] = {"gelu",      "gelu_python",       "gelu_new",
                                       "gelu_fast", "gelu_pytorch_tanh", NULL};
    static const char *const swiglu[] = {"swiglu", NULL}, *const absolute[] = {"absolute", NULL};
    static const char *const off[] = {"prenorm",      "causal",       "qkv_proj_bias",
                                      "mlp_fc1_bias", "mlp_fc2_bias", "rotary_emb_interleaved",
                                      "use_rms_norm", "is_decoder"};
    int is_nomic = c->family == CLI_HF_NOMIC;
    int code = expect_text(c, names->activation, is_nomic ? swiglu : gelu);
    if (!code) code = expect_text(c, "position_embedding_type", absolute);
    for (size_t i = is_nomic ? 0 : 7; i < sizeof off / sizeof *off && !code; i++)
        code = expect_flag(c, off[i], 0);
    if (code || !is_nomic) return code;
    uint64_t experts = 0;
    double fraction = 1, scale_base = 0;
    code = cli_hf_json_count(&c->json, c->json.root, "moe_every_n_layers", 0, 0, &experts);
    if (!code) code = cli_hf_json_real(&c->json, c->json.root, "rotary_emb_fraction", 1, 1, &fraction);
    if (!code) code = cli_hf_json_real(&c->json, c->json.root, "rotary_emb_scale_base", 0, 0, &scale_base);
    return code;
}

/* ---- positions ---- */

static int read_positions(struct cli_hf_config *c) {
    c->n_context = c->n_positions;
    if (c->family == CLI_HF_ROBERTA) { /* counts from behind the id of the padding token */
        uint64_t pad = 1;
        int code = cli_hf_json_count(&c->json, c->json.root, "pad_token_id", 0, MOST_POSITIONS, &pad);
        if (code) return code;
        c->n_skipped = pad + 1;
        if (c->n_positions <= c->n_skipped)
            return cli_hf_json_fail(&c->json,
                                    "\"max_position_embeddings\" leaves no position behind \"pad_token_id\"");
        c->n_context = c->n_positions - c->n_skipped;
    }
    if (c->family ==
        CLI_HF_NOMIC) { /* turned, not looked up; longer texts than it was trained on need scaling */
        uint64_t trained = 2048;
        int code =
            cli_hf_json_count(&c->json, c->json.root, "max_trained_positions", 1, MOST_POSITIONS, &trained);
        if (!code) code = cli_hf_json_real(&c->json, c->json.root, "rotary_emb_base", 1, 1e12, &c->rope_base);
        if (code) return code;
        if (trained < c->n_context) c->n_context = trained;
        c->n_positions = 0;
    }
    return CLI_OK;
}

/* A base of rotation: as it was written first, or as it is now, in "rope_parameters". */
static int read_base(const struct cli_hf_config *c, const char *key, const char *layers, double *base) {
    const json_t *all = json_object_get(c->json.root, "rope_parameters");
    const json_t *of_layers = json_object_get(all, layers);
    static const char *const plain[] = {"default", NULL};
    const char *type = plain[0];
    int code = cli_hf_json_real(&c->json, c->json.root, key, 1, 1e12, base);
    if (!code) code = cli_hf_json_real(&c->json, of_layers, "rope_theta", 1, 1e12, base);
    if (!code) code = cli_hf_json_text(&c->json, of_layers, "rope_type", &type);
    if (!code && strcmp(type, plain[0]) != 0)
        code = cli_hf_json_fail(&c->json, "\"rope_type\": '%.40s' is not supported", type);
    return code;
}

static int read_windows(struct cli_hf_config *c) {
    const json_t *types = json_object_get(c->json.root, "layer_types");
    c->rope_base = 160000;
    c->window = 128;
    c->pattern = 3;
    int code = cli_hf_json_count(&c->json, c->json.root, "local_attention", 1, MOST_POSITIONS, &c->window);
    if (!code)
        code = cli_hf_json_count(&c->json, c->json.root, "global_attn_every_n_layers", 1, MOST_LAYERS,
                                 &c->pattern);
    if (!code) code = read_base(c, "global_rope_theta", "full_attention", &c->rope_base);
    c->near_base = json_is_null(json_object_get(c->json.root, "local_rope_theta")) ? c->rope_base : 10000;
    if (!code) code = read_base(c, "local_rope_theta", "sliding_attention", &c->near_base);
    for (size_t i = 0; i < json_array_size(types) && !code; i++) {
        const char *type = json_string_value(json_array_get(types, i));
        if (!type || strcmp(type, i % c->pattern ? "sliding_attention" : "full_attention") != 0)
            code = cli_hf_json_fail(
                &c->json, "\"layer_types\": layer %zu is not as \"global_attn_every_n_layers\" says", i);
    }
    c->n_positions = 0; /* turned, not looked up */
    return code;
}

/* ---- the head ---- */

static int ends_with(const char *text, const char *tail) {
    size_t n = strlen(text), n_tail = strlen(tail);
    return n >= n_tail && !strcmp(text + n - n_tail, tail);
}

static int read_head(struct cli_hf_config *c) {
    const json_t *list = json_object_get(c->json.root, "architectures");
    const char *name = json_string_value(json_array_get(list, 0)), *problem = "";
    c->pooling = CLI_HF_MEAN;
    if (!name) return CLI_OK;
    if (ends_with(name, "ForTokenClassification"))
        c->head = CLI_HF_TOKEN_HEAD;
    else if (ends_with(name, "ForSequenceClassification"))
        c->head = CLI_HF_TEXT_HEAD;
    else if (!ends_with(name, "Model") && !ends_with(name, "ForMaskedLM") &&
             !ends_with(name, "ForPreTraining"))
        return cli_hf_json_fail(&c->json, "\"architectures\": '%.60s' is not supported", name);
    if (!c->head) return CLI_OK;
    if (c->family == CLI_HF_NOMIC)
        return cli_hf_json_fail(&c->json, "\"architectures\": '%.60s' is not supported", name);
    static const char *const poolings[] = {"cls", "mean", NULL};
    const char *pooling = poolings[0];
    if (c->family == CLI_HF_MODERN) {
        int code = expect_text(c, "classifier_pooling", poolings);
        if (!code) code = cli_hf_json_text(&c->json, c->json.root, "classifier_pooling", &pooling);
        if (code) return code;
    }
    c->pooling = c->head == CLI_HF_TOKEN_HEAD ? CLI_HF_NONE : *pooling == 'm' ? CLI_HF_MEAN : CLI_HF_CLS;
    c->labels = json_object_get(c->json.root, "id2label");
    if (c->labels && !json_is_object(c->labels))
        return cli_hf_json_fail(&c->json, "\"id2label\" is not an object");
    int code = cli_hf_json_text(&c->json, c->json.root, "problem_type", &problem);
    c->many_labels = !strcmp(problem, "multi_label_classification");
    if (!code && !strcmp(problem, "regression") && c->labels && json_object_size(c->labels) > 1)
        code =
            cli_hf_json_fail(&c->json, "\"problem_type\": 'regression' of several values is not supported");
    return code;
}

int cli_hf_config_label(const struct cli_hf_config *c, uint64_t i, uint64_t n, const char **label) {
    char key[24];
    *label = NULL;
    if (!c->labels) return CLI_OK;
    snprintf(key, sizeof key, "%llu", (unsigned long long)i);
    if (json_object_size(c->labels) == n) *label = json_string_value(json_object_get(c->labels, key));
    if (*label) return CLI_OK;
    return cli_hf_json_fail(&c->json, "\"id2label\" does not name the %llu labels of the head, from \"0\" on",
                            (unsigned long long)n);
}

/* ---- sentence-transformers ---- */

static int read_mode(struct cli_hf_config *c, const struct cli_hf_json *json) {
    static const struct {
        const char *key;
        int pooling;
    } modes[] = {{"pooling_mode_mean_tokens", CLI_HF_MEAN}, {"pooling_mode_cls_token", CLI_HF_CLS},
                 {"pooling_mode_lasttoken", CLI_HF_LAST},   {"pooling_mode_max_tokens", -1},
                 {"pooling_mode_mean_sqrt_len_tokens", -1}, {"pooling_mode_weightedmean_tokens", -1}};
    int n = 0;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int on = 0, code = cli_hf_json_flag(json, json->root, modes[i].key, &on);
        if (code) return code;
        if (on && modes[i].pooling < 0)
            return cli_hf_json_fail(json, "\"%s\" is not supported", modes[i].key);
        if (on) c->pooling = (enum cli_hf_pooling)modes[i].pooling;
        n += on;
    }
    return n == 1 ? CLI_OK : cli_hf_json_fail(json, "%d poolings are true, expected is one", n);
}

/* FOLDER/<path>/config.json */
static int read_pooling(struct cli_hf_config *c, const char *path) {
    struct cli_hf_json json;
    char *folder = cli_text("%s/%s", c->json.folder, path);
    if (!folder) return cli_fail(CLI_MEMORY, "not enough memory");
    int code = cli_hf_json_open(&json, folder, "config.json", MOST_CONFIG, 0);
    if (!code) code = read_mode(c, &json);
    cli_hf_json_close(&json);
    free(folder);
    return code;
}

static int read_modules(struct cli_hf_config *c, const char *folder) {
    struct cli_hf_json json;
    int code = cli_hf_json_list(&json, folder, "modules.json", MOST_CONFIG);
    for (size_t i = 0; i < json_array_size(json.root) && !code; i++) {
        const json_t *module = json_array_get(json.root, i);
        const char *type = NULL, *path = "";
        code = cli_hf_json_text(&json, module, "type", &type);
        if (!code) code = cli_hf_json_text(&json, module, "path", &path);
        if (code || ends_with(type, ".Transformer") || ends_with(type, ".Normalize")) continue;
        if (!ends_with(type, ".Pooling"))
            code = cli_hf_json_fail(&json, "module '%.80s' is not supported", type);
        else if (!cli_hf_is_plain(path))
            code = cli_hf_json_fail(&json, "\"path\" of the pooling is not a plain name in this folder");
        else
            code = read_pooling(c, path);
    }
    cli_hf_json_close(&json);
    return code;
}

/* ---- all ---- */

int cli_hf_config_open(struct cli_hf_config *c, const char *folder) {
    const struct names *names = NULL;
    *c = (struct cli_hf_config){0};
    int code = cli_hf_json_open(&c->json, folder, "config.json", MOST_CONFIG, 0);
    if (!code) code = cli_hf_json_text(&c->json, c->json.root, "model_type", &c->model_type);
    for (size_t i = 0; i < sizeof families / sizeof *families && !code; i++)
        if (!strcmp(families[i].model_type, c->model_type)) names = &families[i];
    if (!code && !names)
        return cli_hf_json_fail(&c->json,
                                "\"model_type\": '%.40s' is not one that convert knows: bert, distilbert, "
                                "roberta, xlm-roberta, camembert, nomic_bert, modernbert",
                                c->model_type);
    if (code) return code;
    c->family = names->family;
    int modern = c->family == CLI_HF_MODERN;
    c->arch = modern ? "modern-bert" : c->family == CLI_HF_NOMIC ? "nomic-bert" : "bert";
    code = read_sizes(c, names);
    if (!code) code = modern ? check_modern(c) : check_program(c, names);
    if (!code) code = read_positions(c);
    if (!code && modern) code = read_windows(c);
    if (!code) code = read_head(c);
    if (!code && !c->head) code = read_modules(c, folder);
    return code;
}

void cli_hf_config_close(struct cli_hf_config *c) {
    cli_hf_json_close(&c->json);
}
