/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder_test.c: mote_context_encode on small encoders with random weights, against the same mathematics
 * written out once more in double, without pages, groups or kernels; and the promise that nothing a sequence
 * gets depends on threads or on what goes with it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/posix/posix.h"
#include "mote/mote.h"
#include "tests/gguf_writer.h"

enum {
    D = 64,
    H = 4,
    E = D / H,
    F = 96,
    L = 3,
    V = 50,
    CONTEXT = 100,
    LABELS = 3,
    DENSE = 32,
    LONGEST = 100
};

struct kind {
    const char *name;
    int gated, fused, rotated, has_head, has_dense, tokens, normalized, quantized;
    const char *activation;
    uint32_t pooling, n_segments;
    int modern, starts_normed;
    uint32_t window, pattern; /* 0: the file does not say */
    const char *gate;
};

static const struct kind kinds[] = {
    {.name = "BERT", .n_segments = 2, .pooling = MOTE_POOLING_MEAN},
    {.name = "BERT in Q8_0", .n_segments = 2, .pooling = MOTE_POOLING_MEAN, .quantized = 1, .has_head = 1},
    {.name = "DistilBERT", .pooling = MOTE_POOLING_CLS, .has_head = 1, .has_dense = 1, .activation = "relu"},
    {.name = "BERT with a pooler", .n_segments = 2, .pooling = 4, .has_head = 1, .has_dense = 1},
    {.name = "a trained head",
     .n_segments = 1,
     .pooling = MOTE_POOLING_MEAN,
     .has_head = 1,
     .normalized = 1,
     .has_dense = 1,
     .activation = "gelu"},
    {.name = "of tokens", .n_segments = 2, .pooling = MOTE_POOLING_LAST, .has_head = 1, .tokens = 1},
    {.name = "nomic", .gated = 1, .fused = 1, .rotated = 1, .n_segments = 2, .pooling = MOTE_POOLING_MEAN},
    {.name = "fused with biases", .fused = 1, .n_segments = 2, .pooling = MOTE_POOLING_NONE},
    {.name = "ModernBERT", .modern = 1, .fused = 1, .rotated = 1, .window = 20, .pooling = 4, .has_head = 1},
    {.name = "ModernBERT in Q8_0",
     .modern = 1,
     .fused = 1,
     .rotated = 1,
     .window = 70,
     .pooling = MOTE_POOLING_CLS,
     .has_head = 1,
     .has_dense = 1,
     .quantized = 1},
    {.name = "ModernBERT with SiLU",
     .modern = 1,
     .fused = 1,
     .rotated = 1,
     .starts_normed = 1,
     .window = 1,
     .pattern = 2,
     .gate = "silu",
     .pooling = MOTE_POOLING_MEAN},
    {.name = "ModernBERT without windows",
     .modern = 1,
     .fused = 1,
     .rotated = 1,
     .pooling = MOTE_POOLING_MEAN},
};

static const char *architecture(const struct kind *k) {
    return k->modern ? "modern-bert" : k->rotated ? "nomic-bert" : "bert";
}

/* How far the layer sees, or 0: it sees all. */
static uint32_t window(const struct kind *k, int layer) {
    return layer % (int)(k->pattern ? k->pattern : 3) ? k->window : 0;
}

/* ---- the file, and its weights in double ---- */

struct tensor {
    char name[48];
    uint32_t rows, columns;
    double *values;
};

struct file {
    const struct kind *kind;
    struct gguf_writer keys, infos, data, all;
    uint32_t n_keys, n_tensors, random;
    struct tensor tensors[80];
    uint8_t *bytes;
};

static double uniform(struct file *f) {
    f->random = f->random * 1664525u + 1013904223u;
    return (f->random >> 8) / 8388608.0 - 1;
}

static void add_tensor(struct file *f, const char *name, uint32_t rows, uint32_t columns, double mean,
                       double spread) {
    struct tensor *t = &f->tensors[f->n_tensors++];
    uint64_t dims[2] = {columns, rows};
    int q8 = f->kind->quantized && rows > 2 && strncmp(name, "cls", 3) != 0 && !strstr(name, "position");
    snprintf(t->name, sizeof t->name, "%s", name);
    t->rows = rows;
    t->columns = columns;
    t->values = calloc((size_t)rows * columns, sizeof(double));
    assert_non_null(t->values);
    gguf_put_padding(&f->data, 32);
    gguf_put_tensor(&f->infos, name, rows == 1 && !strstr(name, "types") ? 1 : 2, dims, q8 ? 8 : 0,
                    f->data.n);
    for (uint32_t i = 0; i < rows * columns; i++) {
        if (q8) { /* an f16 scale of 2^-9, 32 int8 */
            int8_t q = (int8_t)(uniform(f) * 127);
            if (i % 32 == 0) gguf_put_le(&f->data, 0x1800, 2);
            gguf_put_le(&f->data, (uint8_t)q, 1);
            t->values[i] = q / 512.0;
        } else {
            float value = (float)(mean + spread * uniform(f));
            gguf_put(&f->data, &value, 4);
            t->values[i] = (double)value;
        }
    }
}

static void add_layer(struct file *f, int i) {
    const struct kind *k = f->kind;
    char name[48];
    struct {
        const char *name;
        uint32_t rows, columns;
        int biased;
    } list[] = {
        {"attn_q", D, D, !k->rotated},      {"attn_k", D, D, !k->rotated}, {"attn_v", D, D, !k->rotated},
        {"attn_output", D, D, !k->rotated}, {"ffn_gate", F, D, 0},         {"ffn_up", F, D, !k->rotated},
        {"ffn_down", D, F, !k->rotated},    {"attn_output_norm", 1, D, 1}, {"layer_output_norm", 1, D, 1}};
    if (k->modern) {
        list[4].name = "ffn_up", list[4].rows = 2 * F;
        list[5].name = "attn_norm", list[5].rows = 1;
        list[7].name = "ffn_norm";
    }
    if (k->fused) {
        snprintf(name, sizeof name, "blk.%d.attn_qkv.weight", i);
        add_tensor(f, name, 3 * D, D, 0, 0.3);
        snprintf(name, sizeof name, "blk.%d.attn_qkv.bias", i);
        if (!k->rotated) add_tensor(f, name, 1, 3 * D, 0, 0.3);
    }
    for (size_t j = 0; j < sizeof list / sizeof *list; j++) {
        if ((k->fused && j < 3) || (j == 4 && !k->gated && !k->modern)) continue;
        if (k->modern && (j == 8 || (j == 5 && i == 0 && !k->starts_normed))) continue;
        int norm = list[j].rows == 1;
        snprintf(name, sizeof name, "blk.%d.%s.weight", i, list[j].name);
        add_tensor(f, name, list[j].rows, list[j].columns, norm, norm ? 0.2 : 0.3);
        snprintf(name, sizeof name, "blk.%d.%s.bias", i, list[j].name);
        if (list[j].biased && !k->modern) add_tensor(f, name, 1, norm ? D : list[j].rows, 0, 0.3);
    }
}

static void put_key(struct file *f, const char *rest, uint32_t value) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", architecture(f->kind), rest);
    gguf_put_key_u32(&f->keys, name, value);
    f->n_keys++;
}

static void put_float(struct file *f, const char *rest, float value) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", architecture(f->kind), rest);
    gguf_put_key(&f->keys, name, 6);
    gguf_put(&f->keys, &value, 4);
    f->n_keys++;
}

static void put_flag(struct file *f, const char *name) {
    gguf_put_key(&f->keys, name, 7);
    gguf_put_le(&f->keys, 1, 1);
    f->n_keys++;
}

static void put_keys(struct file *f) {
    const struct kind *k = f->kind;
    gguf_put_key_string(&f->keys, "general.architecture", architecture(k));
    f->n_keys++;
    put_float(f, "attention.layer_norm_epsilon", 1e-5f);
    if (k->modern) {
        put_float(f, "rope.freq_base", 160000);
        put_float(f, "rope.freq_base_swa", 10000);
    }
    if (k->window) put_key(f, "attention.sliding_window", k->window);
    if (k->pattern) put_key(f, "attention.sliding_window_pattern", k->pattern);
    if (k->gate) {
        gguf_put_key_string(&f->keys, "modern-bert.hidden_activation", k->gate);
        f->n_keys++;
    }
    put_key(f, "embedding_length", D);
    put_key(f, "block_count", L);
    put_key(f, "feed_forward_length", F);
    put_key(f, "attention.head_count", H);
    put_key(f, "context_length", CONTEXT);
    put_key(f, "pooling_type", k->pooling);
    if (k->normalized) put_flag(f, "mote.head.normalize");
    if (k->tokens) put_flag(f, "mote.head.tokens");
    if (k->activation) {
        gguf_put_key_string(&f->keys, "mote.head.activation", k->activation);
        f->n_keys++;
    }
    if (!k->has_head) return;
    gguf_put_key_array(&f->keys, "bert.classifier.output_labels", 8, LABELS);
    for (int i = 0; i < LABELS; i++)
        gguf_put_string(&f->keys, (const char *[]){"bad", "", "good"}[i]);
    f->n_keys++;
}

static void build(struct file *f, const struct kind *k) {
    *f = (struct file){.kind = k, .random = 7};
    put_keys(f);
    add_tensor(f, "token_embd.weight", V, D, 0, 1);
    if (!k->rotated) add_tensor(f, "position_embd.weight", CONTEXT, D, 0, 0.5);
    if (k->n_segments) add_tensor(f, "token_types.weight", k->n_segments, D, 0, 0.5);
    add_tensor(f, "token_embd_norm.weight", 1, D, 1, 0.2);
    if (k->modern) add_tensor(f, "output_norm.weight", 1, D, 1, 0.2);
    if (!k->modern) add_tensor(f, "token_embd_norm.bias", 1, D, 0, 0.2);
    for (int i = 0; i < L; i++)
        add_layer(f, i);
    if (k->has_dense) {
        add_tensor(f, "cls.weight", DENSE, D, 0, 0.3);
        add_tensor(f, k->modern ? "cls.norm.weight" : "cls.bias", 1, DENSE, 0, 0.3);
    }
    if (k->has_head) {
        add_tensor(f, "cls.output.weight", LABELS, k->has_dense ? DENSE : D, 0, 0.3);
        add_tensor(f, "cls.output.bias", 1, LABELS, 0, 0.3);
    }
    gguf_put_header(&f->all, 3, f->n_tensors, f->n_keys);
    gguf_put(&f->all, f->keys.bytes, f->keys.n);
    gguf_put(&f->all, f->infos.bytes, f->infos.n);
    gguf_put_padding(&f->all, 32);
    gguf_put(&f->all, f->data.bytes, f->data.n);
}

static void drop(struct file *f) {
    for (uint32_t i = 0; i < f->n_tensors; i++)
        free(f->tensors[i].values);
    free(f->keys.bytes);
    free(f->infos.bytes);
    free(f->data.bytes);
    free(f->all.bytes);
}

static const struct tensor *find(const struct file *f, const char *format, int layer) {
    char name[48];
    snprintf(name, sizeof name, format, layer);
    for (uint32_t i = 0; i < f->n_tensors; i++)
        if (!strcmp(f->tensors[i].name, name)) return &f->tensors[i];
    return NULL;
}

/* ---- the mathematics ---- */

/* y [rows] = weight rows [first, first + rows) · x + bias */
static void product(const struct file *f, const char *what, int layer, uint32_t first, uint32_t rows,
                    const double *x, double *y) {
    char name[48];
    snprintf(name, sizeof name, "%s.weight", what);
    const struct tensor *w = find(f, name, layer);
    snprintf(name, sizeof name, "%s.bias", what);
    const struct tensor *b = find(f, name, layer);
    for (uint32_t r = 0; r < rows; r++) {
        y[r] = b ? b->values[first + r] : 0;
        for (uint32_t i = 0; i < w->columns; i++)
            y[r] += w->values[(first + r) * w->columns + i] * x[i];
    }
}

static void norm(const struct file *f, const char *what, int layer, int n, double *x) {
    char name[48];
    double mean = 0, square = 0;
    snprintf(name, sizeof name, "%s.weight", what);
    const struct tensor *w = find(f, name, layer);
    snprintf(name, sizeof name, "%s.bias", what);
    const struct tensor *b = find(f, name, layer);
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / n;
    for (int i = 0; i < n; i++)
        x[i] = (x[i] - mean) / sqrt(square + 1e-5) * w->values[i] + (b ? b->values[i] : 0);
}

static void rotate(double *x, uint32_t position, double base) {
    for (int h = 0; h < H; h++)
        for (int i = 0; i < E / 2; i++) {
            double angle = position * pow(base, -2.0 * i / E), a = x[h * E + i], b = x[h * E + i + E / 2];
            x[h * E + i] = a * cos(angle) - b * sin(angle);
            x[h * E + i + E / 2] = a * sin(angle) + b * cos(angle);
        }
}

struct state {
    double x[LONGEST][D], q[LONGEST][D], k[LONGEST][D], v[LONGEST][D];
};

static void project(const struct file *f, int layer, struct state *s, size_t n) {
    double *to[] = {NULL, NULL, NULL};
    double base = f->kind->modern && !window(f->kind, layer) ? 160000 : 10000;
    const char *const names[] = {"blk.%d.attn_q", "blk.%d.attn_k", "blk.%d.attn_v"};
    for (uint32_t t = 0; t < n; t++) {
        double x[D];
        memcpy(x, s->x[t], sizeof x);
        if (f->kind->modern && (layer || f->kind->starts_normed)) norm(f, "blk.%d.attn_norm", layer, D, x);
        to[0] = s->q[t], to[1] = s->k[t], to[2] = s->v[t];
        for (uint32_t i = 0; i < 3; i++)
            product(f, f->kind->fused ? "blk.%d.attn_qkv" : names[i], layer, f->kind->fused ? i * D : 0, D, x,
                    to[i]);
        if (!f->kind->rotated) continue;
        rotate(s->q[t], t, base);
        rotate(s->k[t], t, base);
    }
}

/* window 0: all is seen */
static void attend(const struct state *s, size_t n, uint32_t t, uint32_t window, double *out) {
    memset(out, 0, D * sizeof *out);
    for (int h = 0; h < H; h++) {
        double p[LONGEST], sum = 0;
        for (size_t j = 0; j < n; j++) {
            double score = 0;
            for (int i = h * E; i < (h + 1) * E; i++)
                score += s->q[t][i] * s->k[j][i];
            p[j] = window && labs((long)j - (long)t) > window / 2 ? 0 : exp(score / sqrt(E));
            sum += p[j];
        }
        for (size_t j = 0; j < n; j++)
            for (int i = h * E; i < (h + 1) * E; i++)
                out[i] += p[j] / sum * s->v[j][i];
    }
}

static double silu(double x) {
    return x / (1 + exp(-x));
}

static double gelu(double x) {
    return x * (1 + erf(x / sqrt(2))) / 2;
}

static void feed_forward(const struct file *f, int layer, const double *x, double *delta) {
    const struct kind *k = f->kind;
    double up[F], gate[F];
    product(f, "blk.%d.ffn_up", layer, k->modern ? F : 0, F, x, up);
    if (k->gated || k->modern)
        product(f, k->modern ? "blk.%d.ffn_up" : "blk.%d.ffn_gate", layer, 0, F, x, gate);
    for (int i = 0; i < F; i++)
        up[i] = k->gated || k->gate ? silu(gate[i]) * up[i] : k->modern ? gelu(gate[i]) * up[i] : gelu(up[i]);
    product(f, "blk.%d.ffn_down", layer, 0, D, up, delta);
}

static void run(const struct file *f, const mote_sequence *sequence, struct state *s) {
    const struct tensor *positions = find(f, "position_embd.weight", 0),
                        *segments = find(f, "token_types.weight", 0);
    size_t n = sequence->n;
    for (uint32_t t = 0; t < n; t++) {
        int second = sequence->n_first && t >= sequence->n_first && f->kind->n_segments > 1;
        for (int i = 0; i < D; i++) {
            s->x[t][i] = find(f, "token_embd.weight", 0)->values[sequence->tokens[t] * D + i];
            if (positions) s->x[t][i] += positions->values[t * D + (uint32_t)i];
            if (segments) s->x[t][i] += segments->values[second * D + i];
        }
        norm(f, "token_embd_norm", 0, D, s->x[t]);
    }
    for (int layer = 0; layer < L; layer++) {
        project(f, layer, s, n);
        for (uint32_t t = 0; t < n; t++) {
            double out[D], delta[D];
            int modern = f->kind->modern;
            attend(s, n, t, window(f->kind, layer), out);
            product(f, "blk.%d.attn_output", layer, 0, D, out, delta);
            for (int i = 0; i < D; i++)
                s->x[t][i] += delta[i];
            memcpy(out, s->x[t], sizeof out);
            norm(f, modern ? "blk.%d.ffn_norm" : "blk.%d.attn_output_norm", layer, D, modern ? out : s->x[t]);
            feed_forward(f, layer, modern ? out : s->x[t], delta);
            for (int i = 0; i < D; i++)
                s->x[t][i] += delta[i];
            if (!modern) norm(f, "blk.%d.layer_output_norm", layer, D, s->x[t]);
        }
    }
    for (uint32_t t = 0; t < n && f->kind->modern; t++)
        norm(f, "output_norm", 0, D, s->x[t]);
}

static void pool(const struct state *s, size_t n, mote_pooling pooling, double *out) {
    size_t from = pooling == MOTE_POOLING_LAST ? n - 1 : 0, to = pooling == MOTE_POOLING_MEAN ? n : from + 1;
    memset(out, 0, D * sizeof *out);
    for (size_t t = from; t < to; t++)
        for (int i = 0; i < D; i++)
            out[i] += s->x[t][i] / (double)(to - from);
}

static void judge(const struct file *f, const double *vector, double *labels) {
    const struct kind *k = f->kind;
    double x[D], dense[DENSE], length = 0;
    for (int i = 0; i < D; i++)
        length += vector[i] * vector[i];
    for (int i = 0; i < D; i++)
        x[i] = k->normalized ? vector[i] / sqrt(length) : vector[i];
    if (k->has_dense) product(f, "cls", 0, 0, DENSE, x, dense);
    for (int i = 0; i < DENSE && k->has_dense; i++)
        dense[i] = !k->activation && !k->modern                      ? tanh(dense[i])
                   : k->activation && !strcmp(k->activation, "relu") ? fmax(dense[i], 0)
                                                                     : gelu(dense[i]);
    if (k->has_dense && k->modern) norm(f, "cls.norm", 0, DENSE, dense);
    product(f, "cls.output", 0, 0, LABELS, k->has_dense ? dense : x, labels);
}

/* ---- the engine ---- */

struct world {
    struct file file;
    void *model_block, *context_block;
    const mote_model *model;
    mote_context *context;
};

static void open_context(struct world *w, const mote_host *host, uint32_t n_rows, uint32_t n_sequences) {
    mote_context_options options = {.n_rows = n_rows, .n_sessions = n_sequences};
    uint64_t n;
    free(w->context_block);
    assert_int_equal(mote_context_plan(w->model, &options, host, &n, NULL), MOTE_OK);
    n = (n + MOTE_ALIGN - 1) / MOTE_ALIGN * MOTE_ALIGN;
    w->context_block = aligned_alloc(MOTE_ALIGN, n);
    memset(w->context_block, 0xa5, n); /* nothing may count on zeros */
    assert_int_equal(mote_context_open(w->model, &options, host, w->context_block, n, &w->context, NULL),
                     MOTE_OK);
}

static void open_world(struct world *w, const struct kind *kind, const mote_host *host) {
    uint64_t n;
    mote_error error = {0};
    *w = (struct world){0};
    build(&w->file, kind);
    w->file.bytes = aligned_alloc(MOTE_ALIGN, (w->file.all.n + MOTE_ALIGN - 1) / MOTE_ALIGN * MOTE_ALIGN);
    memcpy(w->file.bytes, w->file.all.bytes, w->file.all.n);
    assert_int_equal(mote_model_plan(w->file.bytes, w->file.all.n, &n, &error), MOTE_OK);
    n = (n + MOTE_ALIGN - 1) / MOTE_ALIGN * MOTE_ALIGN;
    w->model_block = aligned_alloc(MOTE_ALIGN, n);
    mote_status status = mote_model_open(w->file.bytes, w->file.all.n, w->model_block, n, &w->model, &error);
    if (status) print_error("%s: %s\n", kind->name, error.text);
    assert_int_equal(status, MOTE_OK);
    open_context(w, host, 0, 0);
}

static void close_world(struct world *w) {
    free(w->file.bytes);
    drop(&w->file);
    free(w->model_block);
    free(w->context_block);
}

static mote_token tokens[12][LONGEST];
static mote_sequence sequences[12];

static size_t make_sequences(void) {
    static const size_t lengths[12] = {1, 2, 31, 32, 33, 64, 100, 7, 5, 1, 96, 40};
    size_t total = 0;
    for (size_t i = 0; i < 12; i++) {
        for (size_t t = 0; t < lengths[i]; t++)
            tokens[i][t] = (mote_token)((t * t * 7 + i * 13 + t) % V);
        sequences[i] = (mote_sequence){tokens[i], lengths[i], i % 3 == 2 ? lengths[i] / 2 : 0};
        total += lengths[i];
    }
    return total;
}

static void near(const char *name, const float *got, const double *want, int n, double tolerance) {
    double scale = 0, worst = 0;
    for (int i = 0; i < n; i++) {
        scale = fmax(scale, fabs(want[i]));
        worst = fmax(worst, fabs((double)got[i] - want[i]));
    }
    if (!(worst <= tolerance * fmax(scale, 1))) print_error("%s: off by %g\n", name, worst);
    assert_true(worst <= tolerance * fmax(scale, 1));
}

static const mote_host lonely = {0};

static void agrees_with_the_mathematics(void **state) {
    (void)state;
    static struct state s;
    make_sequences();
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct world w;
        /* int8 throughout: matrices, activations, keys, values, weights, and queries of seven bits; 0.061 at worst */
        double tolerance = kinds[k].quantized ? 0.075 : 2e-5;
        open_world(&w, &kinds[k], &lonely);
        for (size_t i = 0; i < 12; i++) {
            static float got[LONGEST * D], labels[LONGEST * LABELS];
            double want[D], judged[LABELS];
            run(&w.file, &sequences[i], &s);
            for (mote_pooling pooling = MOTE_POOLING_NONE; pooling <= MOTE_POOLING_LAST; pooling++) {
                assert_int_equal(mote_context_encode(w.context, &sequences[i], 1, pooling, got,
                                                     kinds[k].has_head ? labels : NULL, NULL),
                                 MOTE_OK);
                for (size_t t = 0; t < (pooling ? 1 : sequences[i].n); t++) {
                    if (pooling)
                        pool(&s, sequences[i].n, pooling, want);
                    else
                        memcpy(want, s.x[t], sizeof want);
                    near(kinds[k].name, got + t * D, want, D, tolerance);
                }
                if (!kinds[k].has_head) continue;
                for (size_t t = 0; t < (kinds[k].tokens ? sequences[i].n : 1); t++) {
                    uint32_t ranks = kinds[k].modern ? MOTE_POOLING_MEAN : MOTE_POOLING_CLS;
                    uint32_t judged_pooling = kinds[k].pooling == 4 ? ranks : kinds[k].pooling;
                    if (kinds[k].tokens)
                        memcpy(want, s.x[t], sizeof want);
                    else
                        pool(&s, sequences[i].n, (mote_pooling)judged_pooling, want);
                    judge(&w.file, want, judged);
                    near(kinds[k].name, labels + t * LABELS, judged, LABELS, tolerance);
                }
            }
        }
        close_world(&w);
    }
}

static void alone_or_together_the_same_bits(void **state) {
    (void)state;
    size_t total = make_sequences();
    float *alone = calloc(total * D, sizeof *alone), *together = calloc(total * D, sizeof *together);
    float alone_labels[12 * LABELS], labels[12 * LABELS];
    struct mote_posix_host *host = mote_posix_host_open(3, UINT32_MAX);
    assert_non_null(host);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct world w;
        float *judged = kinds[k].has_head && !kinds[k].tokens ? labels : NULL;
        open_world(&w, &kinds[k], &lonely);
        for (size_t i = 0, at = 0; i < 12; at += sequences[i++].n)
            assert_int_equal(mote_context_encode(w.context, &sequences[i], 1, MOTE_POOLING_NONE,
                                                 alone + at * D, judged ? alone_labels + i * LABELS : NULL,
                                                 NULL),
                             MOTE_OK);
        for (uint32_t rows = 100; rows <= 412; rows += 104)
            for (uint32_t n = 1; n <= 12; n += 5) {
                open_context(&w, mote_posix_host_get(host), rows, n);
                assert_int_equal(
                    mote_context_encode(w.context, sequences, 12, MOTE_POOLING_NONE, together, judged, NULL),
                    MOTE_OK);
                assert_memory_equal(alone, together, total * D * sizeof *alone);
                if (judged) assert_memory_equal(alone_labels, labels, sizeof labels);
            }
        close_world(&w);
    }
    mote_posix_host_close(host);
    free(alone);
    free(together);
}

static void bad_calls_are_refused(void **state) {
    (void)state;
    struct world w;
    float out[D], labels[LABELS];
    mote_token t[CONTEXT + 1] = {0};
    mote_error error;
    mote_session *session;
    open_world(&w, &kinds[0], &lonely);
    const struct {
        mote_sequence sequence;
        mote_pooling pooling;
        float *labels;
        mote_status status;
        const char *text;
    } cases[] = {
        {{t, 0, 0}, MOTE_POOLING_MEAN, NULL, MOTE_E_ARGUMENT, "is empty"},
        {{t, CONTEXT + 1, 0}, MOTE_POOLING_MEAN, NULL, MOTE_E_CONTEXT, "has 101 tokens, at most 100"},
        {{(mote_token[]){V}, 1, 0}, MOTE_POOLING_MEAN, NULL, MOTE_E_TOKEN, "has token 50"},
        {{(mote_token[]){-1}, 1, 0}, MOTE_POOLING_MEAN, NULL, MOTE_E_TOKEN, "has token -1"},
        {{t, 1, 0}, (mote_pooling)9, NULL, MOTE_E_ARGUMENT, "no pooling 9"},
        {{t, 1, 0}, MOTE_POOLING_MEAN, labels, MOTE_E_ARGUMENT, "no head"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(mote_context_encode(w.context, &cases[i].sequence, 1, cases[i].pooling, out,
                                             cases[i].labels, &error),
                         cases[i].status);
        assert_non_null(strstr(error.text, cases[i].text));
    }
    assert_int_equal(mote_session_open(w.context, &session), MOTE_E_UNSUPPORTED);
    close_world(&w);
}

static void tells_what_it_is(void **state) {
    (void)state;
    struct world w;
    mote_model_info info;
    open_world(&w, &kinds[2], &lonely);
    mote_model_describe(w.model, &info);
    assert_true(info.is_encoder);
    assert_int_equal(info.pooling, MOTE_POOLING_CLS);
    assert_int_equal(info.n_labels, LABELS);
    assert_int_equal(mote_model_label(w.model, 2).n, 4);
    assert_memory_equal(mote_model_label(w.model, 2).data, "good", 4);
    assert_int_equal(mote_model_label(w.model, 1).n, 0);
    assert_int_equal(mote_model_label(w.model, 3).n, 0);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_mathematics),
        cmocka_unit_test(alone_or_together_the_same_bits),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(tells_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
