/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_convert.c: writes a GGUF file from a Hugging Face folder: config.json, *.safetensors, tokenizer.json.
 *
 *     check everything → keys, directory → weights, a piece at a time: map → f32 → type → file
 *
 * Memory holds the vocabulary and one piece of one tensor. Matrices get the type that is asked for, others what
 * cli_encoding_type says. A weight that is infinite
 * or not a number is an error, as what comes of it would be. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/gguf.h"
#include "apps/cli/hf_convert.h"
#include "apps/cli/hf_tensors.h"
#include "apps/cli/hf_tokenizer.h"
#include "apps/cli/paths.h"
#include "apps/cli/quantize.h"

enum { ALIGNMENT = 32, PIECE = 1 << 16 };

struct job {
    const struct cli_hf_request *request;
    struct cli_hf_config config;
    struct cli_safetensors files;
    struct cli_hf_tensors tensors;
    struct cli_hf_tokenizer tokenizer;
    const char *type;
    struct cli_progress progress;
    float *values;   /* [PIECE] */
    uint8_t *blocks; /* a piece in any type */
};

/* ---- types ---- */

static uint64_t elements(const struct cli_hf_tensor *t) {
    return t->columns * (t->rows ? t->rows : 1);
}

static const struct cli_encoding *encoding_of(const struct job *job, const struct cli_hf_tensor *t) {
    const char *type = cli_encoding_type(t->name, strlen(t->name), t->rows ? 2 : 1, job->type);
    const struct cli_encoding *encoding = cli_encoding_find(type ? type : "F32");
    return t->columns % encoding->elements ? cli_encoding_find("F16") : encoding;
}

static uint64_t bytes_of(const struct cli_encoding *encoding, uint64_t n) {
    return n / encoding->elements * encoding->bytes;
}

/* The smallest type that loses nothing. */
static const char *own_type(const struct cli_hf_tensors *tensors) {
    for (size_t i = 0; i < tensors->n; i++)
        if (tensors->list[i].rows && tensors->list[i].from->type != CLI_SAFE_F16) return "F32";
    return "F16";
}

/* ---- keys ---- */

static void put_number(struct cli_gguf *w, const char *arch, const char *rest, uint64_t value) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", arch, rest);
    cli_gguf_key_u32(w, name, value);
}

static void put_real(struct cli_gguf *w, const char *arch, const char *rest, double value) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", arch, rest);
    cli_gguf_key_f32(w, name, (float)value);
}

static void put_flag(struct cli_gguf *w, const char *name, int value) {
    unsigned char byte = value != 0;
    cli_gguf_key(w, name, CLI_GGUF_BOOL);
    cli_gguf_put(w, &byte, 1);
}

/* The name of the folder, with what "." and "x/.." stand for resolved. */
static void put_name(struct cli_gguf *w, const struct cli_hf_request *request) {
    char *path = request->name ? NULL : realpath(request->folder, NULL);
    const char *base = path ? strrchr(path, '/') : NULL;
    cli_gguf_key_string(w, "general.name", request->name ? request->name : base ? base + 1 : "model");
    free(path);
}

static void put_config(struct cli_gguf *w, const struct job *job) {
    const struct cli_hf_config *c = &job->config;
    char name[64];
    cli_gguf_key_string(w, "general.architecture", c->arch);
    put_name(w, job->request);
    cli_gguf_key_u32(w, "general.file_type",
                     !strcmp(job->type, "F32")   ? 0
                     : !strcmp(job->type, "F16") ? 1
                                                 : 7);
    cli_gguf_key_u32(w, "general.quantization_version", 2);
    put_number(w, c->arch, "vocab_size", c->n_vocab);
    put_number(w, c->arch, "context_length", c->n_context);
    put_number(w, c->arch, "embedding_length", c->width);
    put_number(w, c->arch, "block_count", c->n_layers);
    put_number(w, c->arch, "feed_forward_length", c->hidden);
    put_number(w, c->arch, "attention.head_count", c->n_heads);
    put_real(w, c->arch, "attention.layer_norm_epsilon", c->epsilon);
    if (c->family >= CLI_HF_NOMIC) put_real(w, c->arch, "rope.freq_base", c->rope_base);
    if (c->family == CLI_HF_MODERN) {
        put_real(w, c->arch, "rope.freq_base_swa", c->near_base);
        put_number(w, c->arch, "attention.sliding_window", c->window);
        put_number(w, c->arch, "attention.sliding_window_pattern", c->pattern);
        cli_gguf_key_string(w, "modern-bert.hidden_activation", c->gate);
    }
    snprintf(name, sizeof name, "%s.attention.causal", c->arch);
    put_flag(w, name, 0);
    put_number(w, c->arch, "pooling_type", c->pooling);
}

static int put_labels(struct cli_gguf *w, const struct job *job) {
    const struct cli_hf_config *c = &job->config;
    const struct cli_hf_extra_head *extra = &job->request->head;
    uint64_t n = extra->n_labels ? extra->n_labels : job->tensors.n_labels;
    char name[64], usual[32];
    if (!n) return CLI_OK;
    snprintf(name, sizeof name, "%s.classifier.output_labels", c->arch);
    cli_gguf_key_array(w, name, CLI_GGUF_STRING, n);
    for (uint64_t i = 0; i < n; i++) {
        const char *label = extra->n_labels ? extra->labels[i] : NULL;
        int code = label ? CLI_OK : cli_hf_config_label(c, i, n, &label);
        if (code) return code;
        snprintf(usual, sizeof usual, "LABEL_%llu", (unsigned long long)i);
        if (!label) label = usual;
        cli_gguf_put_string(w, label, strlen(label));
    }
    if (c->head == CLI_HF_TOKEN_HEAD) put_flag(w, "mote.head.tokens", 1);
    if (c->head == CLI_HF_TEXT_HEAD && c->family == CLI_HF_DISTILBERT)
        cli_gguf_key_string(w, "mote.head.activation", "relu");
    if (c->many_labels) put_flag(w, "mote.head.many_labels", 1);
    if (extra->n_labels) put_flag(w, "mote.head.normalize", 1);
    return CLI_OK;
}

/* ---- the directory ---- */

static uint64_t padded(uint64_t n) {
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void put_tensor(struct cli_gguf *w, const char *name, uint64_t columns, uint64_t rows, uint32_t type,
                       uint64_t offset) {
    cli_gguf_put_string(w, name, strlen(name));
    cli_gguf_put_u32(w, rows ? 2 : 1);
    cli_gguf_put_u64(w, columns);
    if (rows) cli_gguf_put_u64(w, rows);
    cli_gguf_put_u32(w, type);
    cli_gguf_put_u64(w, offset);
}

static int put_directory(struct cli_gguf *w, const struct job *job) {
    const struct cli_hf_extra_head *extra = &job->request->head;
    uint64_t offset = 0;
    cli_gguf_put(w, "GGUF", 4);
    cli_gguf_put_u32(w, 3);
    cli_gguf_put_u64(w, job->tensors.n + (extra->n_labels ? 2 : 0));
    cli_gguf_put_u64(w, 0);
    put_config(w, job);
    int code = put_labels(w, job);
    if (code) return code;
    cli_hf_tokenizer_put(w, &job->tokenizer, job->config.n_types,
                         job->config.family == CLI_HF_MODERN ? "modern-bert" : "roberta-bpe");
    for (size_t i = 0; i < job->tensors.n; i++) {
        const struct cli_hf_tensor *t = &job->tensors.list[i];
        const struct cli_encoding *encoding = encoding_of(job, t);
        put_tensor(w, t->name, t->columns, t->rows, encoding->number, offset);
        offset += padded(bytes_of(encoding, elements(t)));
    }
    if (extra->n_labels) {
        put_tensor(w, "cls.output.weight", job->config.width, extra->n_labels, 0, offset);
        offset += padded(4 * job->config.width * extra->n_labels);
        put_tensor(w, "cls.output.bias", extra->n_labels, 0, 0, offset);
    }
    while (!w->failed && w->bytes.n % ALIGNMENT)
        cli_gguf_put(w, "", 1);
    for (int i = 0; i < 8 && !w->failed; i++)
        w->bytes.data[16 + i] = (char)(w->n_keys >> 8 * i & 255);
    return w->failed ? cli_fail(CLI_MEMORY, "not enough memory") : CLI_OK;
}

/* ---- the weights ---- */

static int is_finite(const float *x, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        if (!(x[i] >= -3.4028234e38f && x[i] <= 3.4028234e38f)) return 0;
    return 1;
}

static int blame(const struct job *job, const struct cli_hf_tensor *t) {
    const struct cli_hf_json place = {.folder = job->request->folder, .name = t->from->shard};
    cli_hf_json_fail(&place, "tensor \"%.100s\": it holds a value that is infinite or not a number",
                     t->from->name);
    return errno = 0;
}

static int write_padding(FILE *file, uint64_t n_bytes) {
    static const char zeros[ALIGNMENT];
    size_t n = (size_t)(padded(n_bytes) - n_bytes);
    return fwrite(zeros, 1, n, file) == n;
}

static int write_tensor(FILE *file, struct job *job, const struct cli_hf_tensor *t) {
    const struct cli_encoding *encoding = encoding_of(job, t);
    uint64_t total = elements(t);
    for (uint64_t at = 0, n; at < total; at += n) {
        n = total - at < PIECE ? total - at : PIECE;
        if (cli_interrupted) return 0;
        cli_safe_read(t->from, t->first + at, n, job->values);
        if (!is_finite(job->values, n)) return blame(job, t);
        encoding->encode(job->values, n / encoding->elements, job->blocks);
        size_t n_bytes = (size_t)bytes_of(encoding, n);
        if (fwrite(job->blocks, 1, n_bytes, file) != n_bytes) return 0;
        cli_progress_move(&job->progress, job->progress.done + n_bytes);
    }
    return write_padding(file, bytes_of(encoding, total));
}

/* Row by row, and the bias last, which is a row of its own. */
static int write_extra_head(FILE *file, const struct job *job) {
    const struct cli_hf_extra_head *head = &job->request->head;
    uint64_t width = job->config.width, n_rows = head->n_bytes / 4 / (width + 1);
    for (int bias = 0; bias < 2; bias++) {
        uint64_t n = bias ? 1 : width;
        for (uint64_t label = 0; label < head->n_labels; label++)
            for (uint64_t i = 0; i < n; i++) {
                uint64_t row = n_rows == 1 ? 0 : label;
                float x;
                memcpy(&x, head->bytes + 4 * (bias ? n_rows * width + row : row * width + i), 4);
                if (n_rows == 1) x *= label ? 0.5f : -0.5f;
                if (fwrite(&x, 4, 1, file) != 1) return 0;
            }
        if (!write_padding(file, 4 * n * head->n_labels)) return 0;
    }
    return 1;
}

static int write_tensors(FILE *file, void *user) {
    struct job *job = user;
    for (size_t i = 0; i < job->tensors.n; i++)
        if (!write_tensor(file, job, &job->tensors.list[i])) return 0;
    return !job->request->head.n_labels || write_extra_head(file, job);
}

static int save(struct job *job) {
    struct cli_gguf w = {0};
    uint64_t total = 0;
    int code = put_directory(&w, job);
    for (size_t i = 0; i < job->tensors.n; i++)
        total += bytes_of(encoding_of(job, &job->tensors.list[i]), elements(&job->tensors.list[i]));
    job->values = malloc(PIECE * sizeof *job->values);
    job->blocks = malloc((size_t)PIECE * 4); /* F32, the widest */
    if (!code && (!job->values || !job->blocks)) code = cli_fail(CLI_MEMORY, "not enough memory");
    if (!code) {
        cli_progress_open(&job->progress, "convert", "B", total, 0);
        code = cli_gguf_save(job->request->out, &w, write_tensors, job);
        cli_progress_close(&job->progress, !code);
    }
    free(job->values);
    free(job->blocks);
    cli_buffer_close(&w.bytes);
    return code;
}

/* ---- all ---- */

static int take_pooling(struct job *job) {
    static const char *const names[] = {"none", "mean", "cls", "last"};
    const char *wanted = job->request->pooling;
    if (!wanted) return CLI_OK;
    for (int i = 0; i < 4; i++)
        if (!strcmp(wanted, names[i])) return job->config.pooling = (enum cli_hf_pooling)i, CLI_OK;
    return cli_fail(CLI_USAGE, "convert: '%.40s' is none of mean, cls, last, none", wanted);
}

static int take_type(struct job *job) {
    static const char *const types[] = {"F32", "F16", "Q8_0"};
    const char *wanted = job->request->type;
    if (!wanted) return CLI_OK;
    for (int i = 0; i < 3; i++)
        if (!strcasecmp(wanted, types[i])) return job->type = types[i], CLI_OK;
    return cli_fail(CLI_USAGE, "convert: '%.40s' is none of F32, F16, Q8_0", wanted);
}

static int check_head(const struct job *job) {
    const struct cli_hf_extra_head *head = &job->request->head;
    uint64_t row = 4 * (job->config.width + 1);
    if (!head->n_labels) return CLI_OK;
    if (job->config.head) return cli_fail(CLI_MODEL, "%s: it has a head already", job->request->folder);
    if (head->n_bytes == row * head->n_labels || (head->n_labels == 2 && head->n_bytes == row)) return CLI_OK;
    return cli_fail(CLI_MODEL, "%s: a head of %zu bytes does not fit %zu labels of vectors of %llu",
                    job->request->folder, head->n_bytes, head->n_labels,
                    (unsigned long long)job->config.width);
}

int cli_hf_convert(const struct cli_hf_request *request) {
    struct job job = {.request = request, .progress.quiet = request->quiet};
    int code = take_type(&job);
    if (!code) code = cli_hf_config_open(&job.config, request->folder);
    if (!code) code = take_pooling(&job);
    if (!code) code = check_head(&job);
    if (!code) code = cli_safetensors_open(&job.files, request->folder);
    if (!code) code = cli_hf_tensors_open(&job.tensors, &job.config, &job.files);
    if (!code) code = cli_hf_tokenizer_open(&job.tokenizer, request->folder, job.config.n_vocab);
    if (!code) {
        if (!job.type) job.type = own_type(&job.tensors);
        code = save(&job);
    }
    cli_hf_tokenizer_close(&job.tokenizer);
    cli_hf_tensors_close(&job.tensors);
    cli_safetensors_close(&job.files);
    cli_hf_config_close(&job.config);
    return code;
}
