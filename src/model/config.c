/* SPDX-License-Identifier: Apache-2.0
 *
 * config.c: the keys of a GGUF file that say what the model is. A key is named `<architecture>.<rest>`, such
 * as llama.embedding_length. Every number is checked against what the rest of the core relies on: no product
 * of two of them overflows 64 bits and no count is zero. */
#include "model/model.h"

#include "base/error.h"
#include "base/word.h"

/* N_MAX: no dimension of a model is larger; products of two stay far inside 64 bits. RANK: the pooling type of
 * a file whose head reads the first token, of ModernBERT the mean. */
enum { N_MAX = 1 << 24, RANK = 4 };

struct source {
    const struct mote_format_file *file;
    mote_text architecture;
    mote_error *error;
    mote_status status; /* of the first failure; later reads do nothing */
};

/* The key `<architecture>.<rest>`, or NULL. */
static const struct mote_format_key *find(const struct source *s, const char *rest) {
    char name[128];
    size_t n = mote_base_format(name, sizeof name, "%t.%s", s->architecture, rest);
    return mote_format_find_key(s->file, (mote_text){name, n});
}

#if !defined(MOTE_NO_ENCODERS)
/* A key by its whole name, or NULL. */
static const struct mote_format_key *find_named(const struct source *s, const char *name) {
    return mote_format_find_key(s->file, mote_base_word(name));
}

#endif

static const struct mote_format_key *need(struct source *s, const char *rest) {
    const struct mote_format_key *key = find(s, rest);
    if (!key && !s->status)
        s->status = mote_base_fail(s->error, MOTE_E_FORMAT, 0, "key %t.%s is missing", s->architecture, rest);
    return key;
}

/* A whole number in [least, most]; an absent key gives otherwise (0: the key must be there). */
static uint32_t count(struct source *s, const char *rest, uint32_t otherwise, uint32_t least, uint32_t most) {
    const struct mote_format_key *key = otherwise ? find(s, rest) : need(s, rest);
    uint32_t value = otherwise;
    if (s->status || !key) return otherwise ? otherwise : least;
    s->status = mote_format_u32(s->file, key, &value, s->error);
    if (!s->status && value >= least && value <= most) return value;
    if (!s->status)
        s->status = mote_base_fail(s->error, MOTE_E_FORMAT, key->offset, "key %t is %u, must be %u to %u",
                                   key->name, (uint64_t)value, (uint64_t)least, (uint64_t)most);
    return least;
}

/* A number in [least, most]; an absent key gives otherwise (0: the key must be there). */
static float number(struct source *s, const char *rest, float otherwise, float least, float most) {
    const struct mote_format_key *key = otherwise > 0 ? find(s, rest) : need(s, rest);
    float value = otherwise;
    if (s->status || !key) return otherwise > 0 ? otherwise : least;
    s->status = mote_format_f32(s->file, key, &value, s->error);
    if (!s->status && value >= least && value <= most) return value; /* a NaN is neither */
    if (!s->status)
        s->status = mote_base_fail(s->error, MOTE_E_FORMAT, key->offset, "key %t is %f, must be %f to %f",
                                   key->name, (double)value, (double)least, (double)most);
    return least;
}

/* Rows of a matrix of the file; 0 if it is not there. */
static uint32_t rows_of(struct source *s, const char *name) {
    const struct mote_format_tensor *t = mote_format_find_tensor(s->file, mote_base_word(name));
    if (!t || s->status) return 0;
    if (t->dims[1] >= 1 && t->dims[1] <= N_MAX) return (uint32_t)t->dims[1];
    s->status = mote_base_fail(s->error, MOTE_E_FORMAT, t->info_offset,
                               "tensor %s has %u rows, must be 1 to %u", name, t->dims[1], (uint64_t)N_MAX);
    return 0;
}

mote_status mote_model_architecture(const struct mote_format_file *file, mote_text *name, mote_error *error) {
    const struct mote_format_key *key = mote_format_find_key(file, mote_base_word("general.architecture"));
    if (!key) return mote_base_fail(error, MOTE_E_FORMAT, 0, "key general.architecture is missing");
    return mote_format_string(file, key, name, error);
}

static void read_rope(struct source *s, const struct mote_model_config *config,
                      struct mote_model_rope *rope) {
    rope->style = MOTE_KERNEL_ROPE_PAIR;
    rope->n_rot = count(s, "rope.dimension_count", config->n_head_dim, 2, config->n_head_dim);
    rope->base = number(s, "rope.freq_base", 10000.0f, 1, 1e12f);
    rope->factor = rope->attention_factor = 1;
    rope->scaling = MOTE_MODEL_ROPE_NONE;
    if (!s->status && rope->n_rot % 2)
        s->status = mote_base_fail(s->error, MOTE_E_FORMAT, 0,
                                   "rope rotates %u values of a head, an odd number", (uint64_t)rope->n_rot);
}

#if !defined(MOTE_NO_ENCODERS)

static int flag(struct source *s, const struct mote_format_key *key) {
    int value = 0;
    if (!s->status && key) s->status = mote_format_bool(s->file, key, &value, s->error);
    return value;
}

/* The place of a key's text among names; 0 where there is no key. */
static unsigned choice(struct source *s, const struct mote_format_key *key, const char *const *names,
                       unsigned n) {
    mote_text text;
    if (s->status || !key || (s->status = mote_format_string(s->file, key, &text, s->error))) return 0;
    for (unsigned i = 0; i < n; i++)
        if (mote_base_is(text, names[i])) return i;
    s->status = mote_base_fail(s->error, MOTE_E_UNSUPPORTED, key->offset, "key %t: '%t' is not supported",
                               key->name, text);
    return 0;
}

static void read_activation(struct source *s, enum mote_model_activation *activation) {
    static const char *const names[] = {"", "tanh", "relu", "gelu"}; /* as enum mote_model_activation */
    unsigned named = choice(s, find_named(s, "mote.head.activation"), names, 4);
    if (named) *activation = (enum mote_model_activation)named;
}

static void read_windows(struct source *s, const struct mote_model_config *c, struct mote_model_encoder *e) {
    static const char *const gates[] = {"gelu", "silu"};
    if (find(s, "attention.sliding_window"))
        e->window = count(s, "attention.sliding_window", 0, 0, INT32_MAX);
    e->n_pattern = count(s, "attention.sliding_window_pattern", 3, 1, 4096);
    e->near_base = number(s, "rope.freq_base_swa", c->rope.base, 1, 1e12f);
    e->gates_by_silu = choice(s, find(s, "hidden_activation"), gates, 2);
}

/* Labels are named in the file, or only counted there. */
static void check_labels(struct source *s, uint32_t n_labels) {
    const struct mote_format_key *key = find(s, "classifier.output_labels");
    if (s->status || !key || (s->status = mote_format_array(s->file, key, MOTE_FORMAT_STRING, s->error)))
        return;
    if (n_labels && key->n != n_labels)
        s->status =
            mote_base_fail(s->error, MOTE_E_FORMAT, key->offset, "key %t names %u labels, the head has %u",
                           key->name, key->n, (uint64_t)n_labels);
}

static void configure_bert(struct source *s, struct mote_model_config *c) {
    struct mote_model_encoder *e = &c->encoder;
    int rotated = !mote_base_is(s->architecture, "bert"),
        modern = mote_base_is(s->architecture, "modern-bert");
    c->family = modern ? MOTE_MODEL_MODERN_BERT : MOTE_MODEL_BERT;
    c->norm_eps = number(s, "attention.layer_norm_epsilon", 0, 1e-12f, 1.0f);
    if (flag(s, find(s, "attention.causal")) && !s->status)
        s->status = mote_base_fail(s->error, MOTE_E_UNSUPPORTED, 0, "a causal encoder is not supported");
    if (rotated) {
        static const char *const none[] = {"none"};
        read_rope(s, c, &c->rope);
        choice(s, find(s, "rope.scaling.type"), none, 1);
        c->rope.style = MOTE_KERNEL_ROPE_HALF;
    }
    if (modern) read_windows(s, c, e);
    e->n_segments = rows_of(s, "token_types.weight");
    e->n_embedded = rows_of(s, "position_embd.weight");
    if (!rotated && !e->n_embedded && !s->status)
        s->status = mote_base_fail(s->error, MOTE_E_FORMAT, 0, "tensor position_embd.weight is missing");
    if (e->n_embedded && c->n_context > e->n_embedded) c->n_context = e->n_embedded;
    uint32_t pooling = count(s, "pooling_type", MOTE_POOLING_MEAN, 0, RANK);
    if (pooling == RANK) pooling = modern ? MOTE_POOLING_MEAN : MOTE_POOLING_CLS;
    e->pooling = (mote_pooling)pooling;
    e->n_labels = rows_of(s, "cls.output.weight");
    if (e->n_labels) e->n_dense = rows_of(s, "cls.weight");
    e->activation = modern ? MOTE_MODEL_GELU : MOTE_MODEL_TANH;
    read_activation(s, &e->activation);
    e->normalize = flag(s, find_named(s, "mote.head.normalize"));
    e->judges_tokens = flag(s, find_named(s, "mote.head.tokens"));
    check_labels(s, e->n_labels);
}

mote_text mote_model_label_name(const struct mote_format_file *file, uint32_t i) {
    struct source s = {file, {NULL, 0}, NULL, MOTE_OK};
    if (mote_model_architecture(file, &s.architecture, NULL)) return (mote_text){NULL, 0};
    const struct mote_format_key *key = find(&s, "classifier.output_labels");
    return key && i < key->n ? mote_format_string_at(key, i) : (mote_text){NULL, 0};
}

#endif

#if !defined(MOTE_NO_DECODERS)

static void read_scaling(struct source *s, const struct mote_model_config *config,
                         struct mote_model_rope *rope) {
    rope->original_context =
        count(s, "rope.scaling.original_context_length", config->n_context, 1, INT32_MAX);
    rope->beta_fast = number(s, "rope.scaling.yarn_beta_fast", 32.0f, 1e-3f, 1e6f);
    rope->beta_slow = number(s, "rope.scaling.yarn_beta_slow", 1.0f, 1e-3f, 1e6f);
    rope->attention_factor = number(s, "rope.scaling.attn_factor", 1.0f, 1e-3f, 1e6f);

    const struct mote_format_key *key = find(s, "rope.scaling.type");
    mote_text type = {"none", 4};
    if (!key && find(s, "rope.scale_linear")) { /* files of 2023 */
        rope->factor = number(s, "rope.scale_linear", 0, 1e-3f, 1e6f);
        rope->scaling = rope->factor == 1.0f ? MOTE_MODEL_ROPE_NONE : MOTE_MODEL_ROPE_LINEAR;
        return;
    }
    if (s->status || !key) return;
    if ((s->status = mote_format_string(s->file, key, &type, s->error))) return;
    if (mote_base_is(type, "none")) return;
    if (mote_base_is(type, "linear"))
        rope->scaling = MOTE_MODEL_ROPE_LINEAR;
    else if (mote_base_is(type, "yarn"))
        rope->scaling = MOTE_MODEL_ROPE_YARN;
    else {
        s->status = mote_base_fail(s->error, MOTE_E_UNSUPPORTED, key->offset,
                                   "rope scaling '%t' is not supported", type);
        return;
    }
    rope->factor = number(s, "rope.scaling.factor", 0, 1e-3f, 1e6f);
}

static void configure_llama(struct source *s, struct mote_model_config *c) {
    c->family = MOTE_MODEL_LLAMA;
    c->norm_eps = number(s, "attention.layer_norm_rms_epsilon", 0, 1e-12f, 1.0f);
    if (!s->status && find(s, "expert_count") && count(s, "expert_count", 0, 0, N_MAX) && !s->status)
        s->status = mote_base_fail(s->error, MOTE_E_UNSUPPORTED, 0, "mixtures of experts are not supported");
    read_rope(s, c, &c->rope);
    read_scaling(s, c, &c->rope);
}

#endif

/* Fills in what the family alone knows; NULL: the architecture is not supported. */
typedef void configure_family(struct source *s, struct mote_model_config *c);

static configure_family *family_of(mote_text architecture) {
#if !defined(MOTE_NO_DECODERS)
    if (mote_base_is(architecture, "llama")) return configure_llama;
#endif
#if !defined(MOTE_NO_ENCODERS)
    if (mote_base_is(architecture, "bert") || mote_base_is(architecture, "nomic-bert") ||
        mote_base_is(architecture, "modern-bert"))
        return configure_bert;
#endif
    return NULL;
}

int mote_model_names_encoder(const struct mote_format_file *file) {
#if defined(MOTE_NO_ENCODERS)
    (void)file;
    return 0;
#else
    mote_text architecture = {NULL, 0};
    return !mote_model_architecture(file, &architecture, NULL) && family_of(architecture) == configure_bert;
#endif
}

static const char supported[] =
#if defined(MOTE_NO_ENCODERS)
    "llama is, in this build";
#elif defined(MOTE_NO_DECODERS)
    "bert, nomic-bert and modern-bert are, in this build";
#else
    "llama, bert, nomic-bert and modern-bert are";
#endif

mote_status mote_model_configure(const struct mote_format_file *file, struct mote_model_config *config,
                                 mote_error *error) {
    struct source s = {file, {NULL, 0}, error, MOTE_OK};
    mote_status status = mote_model_architecture(file, &s.architecture, error);
    if (status) return status;
    configure_family *configure = family_of(s.architecture);
    if (!configure)
        return mote_base_fail(error, MOTE_E_UNSUPPORTED, 0, "architecture '%t' is not supported (%s)",
                              s.architecture, supported);
    struct mote_model_config c = {0};
    c.n_model = count(&s, "embedding_length", 0, 1, N_MAX);
    c.n_layers = count(&s, "block_count", 0, 1, 4096);
    if (!s.status && c.n_layers > file->n_tensors)
        s.status =
            mote_base_fail(error, MOTE_E_FORMAT, 0, "key %t.block_count is %u, but there are only %u tensors",
                           s.architecture, (uint64_t)c.n_layers, file->n_tensors);
    c.n_ffn = count(&s, "feed_forward_length", 0, 1, N_MAX);
    c.n_heads = count(&s, "attention.head_count", 0, 1, 65536);
    c.n_kv_heads = count(&s, "attention.head_count_kv", c.n_heads, 1, c.n_heads);
    c.n_context = count(&s, "context_length", 0, 1, INT32_MAX);
    if (!s.status && c.n_heads % c.n_kv_heads)
        s.status = mote_base_fail(error, MOTE_E_FORMAT, 0, "%u attention heads cannot share %u kv heads",
                                  (uint64_t)c.n_heads, (uint64_t)c.n_kv_heads);
    if (!s.status && !find(&s, "attention.key_length") && c.n_model % c.n_heads)
        s.status =
            mote_base_fail(error, MOTE_E_FORMAT, 0, "embedding_length %u is not a multiple of %u heads",
                           (uint64_t)c.n_model, (uint64_t)c.n_heads);
    if (s.status) return s.status;
    uint32_t per_head = c.n_model / c.n_heads;
    c.n_head_dim = count(&s, "attention.key_length", per_head ? per_head : 1, 2, 4096);
    uint32_t value_dim = count(&s, "attention.value_length", c.n_head_dim, 1, N_MAX);
    if (!s.status && (value_dim != c.n_head_dim || c.n_head_dim < 2))
        s.status =
            mote_base_fail(error, MOTE_E_UNSUPPORTED, 0, "heads of %u keys and %u values are not supported",
                           (uint64_t)c.n_head_dim, (uint64_t)value_dim);
    configure(&s, &c);
    if (s.status) return s.status;

    /* The vocabulary's size is what the embedding has; tokens are checked against it in the engine. */
    c.n_vocab = rows_of(&s, "token_embd.weight");
    if (s.status) return s.status;
    *config = c;
    return MOTE_OK;
}
