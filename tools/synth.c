/* SPDX-License-Identifier: Apache-2.0
 *
 * synth.c: mote-synth writes a GGUF file of the Llama family with random weights, in any weight type and in
 * the shape of a real model: to test and to time without the model itself. The same arguments give the same
 * file.
 *
 * The weights are such that a forward pass behaves like one of a trained model: a matrix of K inputs has
 * deviation 1/√K, so that what comes out is as large as what goes in; what is added to the residual is
 * divided by √(2L); logits have a deviation of about 3, so that their distribution has a few favourites; norm
 * weights lie near 1.
 *
 * --type names a weight type for all matrices, or a mix:
 *     Q4_K_M   Q4_K; Q6_K for the output and, in half of the layers, for attn_v and ffn_down, as llama.cpp
 * does Types whose blocks do not divide a row give way to another of 32 values a block, as llama.cpp does.
 *
 * The file is written from front to back; memory holds the directory and a block of rows. */
#include "tools/synth.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    const char *name;
    uint32_t d, l, h, k, f, v, n_context;
    int tied;
    float rope_base;
    const char *rope;
};

static const struct shape shapes[] = {
    {"tiny", 256, 2, 4, 2, 512, 512, 2048, 0, 10000, "none"},
    {"stories", 288, 6, 6, 6, 768, 32000, 256, 1, 10000, "none"},        /* stories15M */
    {"135m", 576, 30, 9, 3, 1536, 49152, 8192, 1, 100000, "none"},       /* SmolLM2-135M */
    {"1b", 2048, 16, 32, 8, 8192, 128256, 131072, 1, 500000, "llama3"},  /* Llama-3.2-1B */
    {"tinyllama", 2048, 22, 32, 4, 5632, 32000, 2048, 0, 10000, "none"}, /* TinyLlama-1.1B */
};

struct options {
    struct shape shape;
    const char *type, *vocab_from, *out;
    uint64_t seed;
};

_Noreturn void synth_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("mote-synth: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void synth_put(struct synth_buffer *b, const void *bytes, size_t n) {
    if (b->n + n > b->size) {
        b->size = (b->n + n) * 2;
        b->bytes = realloc(b->bytes, b->size);
        if (!b->bytes) synth_fail("out of memory");
    }
    memcpy(b->bytes + b->n, bytes, n);
    b->n += n;
}

void synth_put_le(struct synth_buffer *b, uint64_t value, unsigned n_bytes) {
    for (unsigned i = 0; i < n_bytes; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        synth_put(b, &byte, 1);
    }
}

void synth_put_string(struct synth_buffer *b, const char *text) {
    synth_put_le(b, strlen(text), 8);
    synth_put(b, text, strlen(text));
}

void synth_put_key(struct synth_buffer *b, const char *name, uint32_t type) {
    synth_put_string(b, name);
    synth_put_le(b, type, 4);
}

/* ---- keys ---- */

static uint32_t put_u32(struct synth_buffer *b, const char *name, uint32_t value) {
    synth_put_key(b, name, SYNTH_U32);
    synth_put_le(b, value, 4);
    return 1;
}

static uint32_t put_f32(struct synth_buffer *b, const char *name, float value) {
    synth_put_key(b, name, SYNTH_F32);
    synth_put(b, &value, 4);
    return 1;
}

static uint32_t put_string(struct synth_buffer *b, const char *name, const char *value) {
    synth_put_key(b, name, SYNTH_STRING);
    synth_put_string(b, value);
    return 1;
}

/* Linear scaling stretches positions by 4, yarn mixes that with none by wavelength; both as if the model had
 * been trained on a quarter of its context. llama3 is a tensor of factors, not keys. */
static uint32_t put_rope(struct synth_buffer *b, const struct shape *s) {
    uint32_t n = put_f32(b, "llama.rope.freq_base", s->rope_base);
    if (strcmp(s->rope, "linear") != 0 && strcmp(s->rope, "yarn") != 0) return n;
    n += put_string(b, "llama.rope.scaling.type", s->rope);
    n += put_f32(b, "llama.rope.scaling.factor", 4.0f);
    return n + put_u32(b, "llama.rope.scaling.original_context_length", s->n_context / 4);
}

/* Returns the number of keys; sets the shape's V when the vocabulary says it. */
static uint32_t put_keys(struct synth_buffer *b, struct options *options) {
    struct shape *s = &options->shape;
    char name[96];
    snprintf(name, sizeof name, "synthetic %s %s", s->name, options->type);
    uint32_t n = put_string(b, "general.architecture", "llama") + put_string(b, "general.name", name);
    if (options->vocab_from)
        n += synth_vocab_copy(b, options->vocab_from, &s->v);
    else
        n += synth_vocab_make(b, s->v);
    n += put_u32(b, "llama.vocab_size", s->v) + put_u32(b, "llama.context_length", s->n_context);
    n += put_u32(b, "llama.embedding_length", s->d) + put_u32(b, "llama.block_count", s->l);
    n += put_u32(b, "llama.feed_forward_length", s->f);
    n += put_u32(b, "llama.attention.head_count", s->h) + put_u32(b, "llama.attention.head_count_kv", s->k);
    n += put_f32(b, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    n += put_u32(b, "llama.rope.dimension_count", s->d / s->h);
    return n + put_rope(b, s);
}

/* ---- tensors ---- */

struct tensor {
    char name[64];
    const struct synth_type *type;
    uint32_t rows, k; /* rows 0: a vector of k */
    float sigma;      /* 0: the factors of llama3's rope */
    float mean;       /* of a norm, to which sigma is relative */
    int has_signs;    /* of a norm: random ones */
};

struct tensors {
    struct tensor *list;
    uint32_t n;
};

static const struct synth_type *must_find(const char *name) {
    const struct synth_type *type = synth_type_find(name);
    if (!type) synth_fail("unknown weight type '%s'", name);
    return type;
}

/* The type for rows of k values: the wished one where its blocks divide them. */
static const struct synth_type *fit(const struct synth_type *type, uint32_t k) {
    if (k % type->elements == 0) return type;
    if (type->elements == 256 && k % 32 == 0) {
        if (strcmp(type->name, "Q4_K") == 0) return must_find("Q5_0");
        if (strcmp(type->name, "Q5_K") == 0) return must_find("Q5_1");
        if (strcmp(type->name, "Q6_K") == 0) return must_find("Q8_0");
        return must_find(type->name[0] == 'T' ? "Q4_0" : "IQ4_NL");
    }
    return must_find("F16");
}

static void add(struct tensors *t, const char *name, const struct synth_type *type, uint32_t rows, uint32_t k,
                float sigma) {
    t->list = realloc(t->list, (t->n + 1) * sizeof *t->list);
    if (!t->list) synth_fail("out of memory");
    struct tensor *tensor = &t->list[t->n++];
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    tensor->type = fit(type, k);
    tensor->rows = rows;
    tensor->k = k;
    tensor->sigma = sigma;
    tensor->mean = 0;
    tensor->has_signs = 0;
}

static struct tensor *add_norm(struct tensors *t, const char *name, uint32_t d) {
    add(t, name, must_find("F32"), 0, d, 0.1f);
    struct tensor *norm = &t->list[t->n - 1];
    norm->mean = 1;
    return norm;
}

/* The layers whose attn_v and ffn_down the mix Q4_K_M writes in Q6_K: the first and last eighth, and of the
 * others every third. */
static int has_more_bits(uint32_t i, uint32_t n) {
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

static void add_layer(struct tensors *t, const struct shape *s, uint32_t i, const struct synth_type *type,
                      const struct synth_type *more) {
    const struct {
        const char *name;
        const struct synth_type *type;
        uint32_t rows, k;
        float factor;
    } matrices[] = {
        {"attn_q", type, s->d, s->d, 1},
        {"attn_k", type, s->d / s->h * s->k, s->d, 1},
        {"attn_v", has_more_bits(i, s->l) ? more : type, s->d / s->h * s->k, s->d, 1},
        {"attn_output", type, s->d, s->d, 1 / sqrtf(2 * (float)s->l)},
        {"ffn_gate", type, s->f, s->d, 1},
        {"ffn_up", type, s->f, s->d, 1},
        {"ffn_down", has_more_bits(i, s->l) ? more : type, s->d, s->f, 1 / sqrtf(2 * (float)s->l)},
    };
    char name[64];
    snprintf(name, sizeof name, "blk.%u.attn_norm.weight", i);
    add_norm(t, name, s->d);
    snprintf(name, sizeof name, "blk.%u.ffn_norm.weight", i);
    add_norm(t, name, s->d);
    for (size_t m = 0; m < sizeof matrices / sizeof *matrices; m++) {
        snprintf(name, sizeof name, "blk.%u.%s.weight", i, matrices[m].name);
        add(t, name, matrices[m].type, matrices[m].rows, matrices[m].k,
            matrices[m].factor / sqrtf((float)matrices[m].k));
    }
}

/* Where the embedding is also the output, the last norm makes the logits small enough; and its weights have
 * random signs, or each token's logit would be greatest after that token itself. */
static struct tensors list_tensors(const struct options *options) {
    const struct shape *s = &options->shape;
    int mix = strcmp(options->type, "Q4_K_M") == 0;
    const struct synth_type *type = must_find(mix ? "Q4_K" : options->type);
    const struct synth_type *more = mix ? must_find("Q6_K") : type;
    float output = 3.0f / sqrtf((float)s->d);
    struct tensors t = {0};
    add(&t, "token_embd.weight", s->tied ? more : type, s->v, s->d, 1);
    if (strcmp(s->rope, "llama3") == 0) add(&t, "rope_freqs.weight", must_find("F32"), 0, s->d / s->h / 2, 0);
    for (uint32_t i = 0; i < s->l; i++)
        add_layer(&t, s, i, type, more);
    struct tensor *norm = add_norm(&t, "output_norm.weight", s->d);
    if (s->tied) {
        norm->mean = output;
        norm->has_signs = 1;
    } else {
        add(&t, "output.weight", more, s->v, s->d, output);
    }
    return t;
}

static uint64_t tensor_bytes(const struct tensor *t) {
    return (uint64_t)t->k / t->type->elements * t->type->bytes * (t->rows ? t->rows : 1);
}

enum { ALIGNMENT = 32 };

static uint64_t round_up(uint64_t n) {
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void put_directory(struct synth_buffer *b, const struct tensors *t) {
    uint64_t offset = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct tensor *tensor = &t->list[i];
        synth_put_string(b, tensor->name);
        synth_put_le(b, tensor->rows ? 2 : 1, 4);
        synth_put_le(b, tensor->k, 8);
        if (tensor->rows) synth_put_le(b, tensor->rows, 8);
        synth_put_le(b, tensor->type->number, 4);
        synth_put_le(b, offset, 8);
        offset = round_up(offset + tensor_bytes(tensor));
    }
}

/* ---- data ---- */

static void write_all(FILE *file, const char *path, const void *bytes, size_t n) {
    if (fwrite(bytes, 1, n, file) != n) synth_fail("%s: %s", path, strerror(errno));
}

/* What divides each frequency: 1 for short waves, 32 for those longer than the 8192 positions of the first
 * training, between them in proportion. Source: the Llama 3.1 model card, rope_scaling. */
static void fill_rope_factors(float *factors, uint32_t n, float base) {
    const float factor = 32, low = 1, high = 4, trained = 8192;
    for (uint32_t i = 0; i < n; i++) {
        float wave = 6.2831853f * powf(base, (float)i / (float)n);
        float smooth = (trained / wave - low) / (high - low);
        factors[i] = wave < trained / high  ? 1
                     : wave > trained / low ? factor
                                            : 1 / ((1 - smooth) / factor + smooth);
    }
}

/* A vector is small and F32. */
static void write_vector(FILE *file, const char *path, const struct tensor *t, struct synth_random *r,
                         float rope_base) {
    float *values = malloc(t->k * sizeof *values);
    if (!values) synth_fail("out of memory");
    if (t->sigma == 0) fill_rope_factors(values, t->k, rope_base);
    for (uint32_t i = 0; i < t->k && t->sigma > 0; i++) {
        t->type->fill(t->type, r, t->sigma, (uint8_t *)&values[i]);
        values[i] = t->mean * (1 + values[i]);
        if (t->has_signs && synth_bits(r) >> 63) values[i] = -values[i];
    }
    write_all(file, path, values, t->k * sizeof *values);
    free(values);
}

static void write_matrix(FILE *file, const char *path, const struct tensor *t, struct synth_random *r) {
    static uint8_t chunk[1 << 20];
    uint32_t at_once = (uint32_t)sizeof chunk / t->type->bytes;
    for (uint64_t left = tensor_bytes(t) / t->type->bytes; left;) {
        uint32_t n = left < at_once ? (uint32_t)left : at_once;
        for (uint32_t i = 0; i < n; i++)
            t->type->fill(t->type, r, t->sigma, chunk + (size_t)i * t->type->bytes);
        write_all(file, path, chunk, (size_t)n * t->type->bytes);
        left -= n;
    }
}

static void write_padding(FILE *file, const char *path, uint64_t n_bytes) {
    static const uint8_t zeros[ALIGNMENT];
    write_all(file, path, zeros, (size_t)(round_up(n_bytes) - n_bytes));
}

static uint64_t write_file(struct options *options) {
    struct synth_buffer keys = {0}, head = {0};
    uint32_t n_keys = put_keys(&keys, options);
    struct tensors t = list_tensors(options);
    synth_put(&head, "GGUF", 4);
    synth_put_le(&head, 3, 4);
    synth_put_le(&head, t.n, 8);
    synth_put_le(&head, n_keys, 8);
    synth_put(&head, keys.bytes, keys.n);
    put_directory(&head, &t);
    static char together[1 << 21]; /* a large page of the file's cache at once: such models are for timings */
    FILE *file = fopen(options->out, "wb");
    if (!file) synth_fail("%s: %s", options->out, strerror(errno));
    (void)setvbuf(file, together, _IOFBF, sizeof together);
    write_all(file, options->out, head.bytes, head.n);
    write_padding(file, options->out, head.n);
    uint64_t total = round_up(head.n);
    for (uint32_t i = 0; i < t.n; i++) {
        struct synth_random r;
        synth_seed(&r, options->seed * 0x10001 + i);
        if (t.list[i].rows)
            write_matrix(file, options->out, &t.list[i], &r);
        else
            write_vector(file, options->out, &t.list[i], &r, options->shape.rope_base);
        write_padding(file, options->out, tensor_bytes(&t.list[i]));
        total += round_up(tensor_bytes(&t.list[i]));
    }
    if (fclose(file)) synth_fail("%s: %s", options->out, strerror(errno));
    free(keys.bytes);
    free(head.bytes);
    free(t.list);
    return total;
}

/* ---- arguments ---- */

static void usage(FILE *to) {
    fputs("usage: mote-synth [options] -o OUT.gguf\n"
          "  --shape NAME         tiny (default), stories, 135m, 1b, tinyllama\n"
          "  --type TYPE          a weight type or a mix, default F32:",
          to);
    for (size_t i = 0; synth_type_at(i); i++)
        fprintf(to, "%s%s", i % 10 == 0 ? "\n                       " : " ", synth_type_at(i)->name);
    fputs(" Q4_K_M\n"
          "  --vocab N            size of the made-up vocabulary, at least 354\n"
          "  --vocab-from FILE    takes the vocabulary of a GGUF file\n"
          "  --layers N           number of layers\n"
          "  --heads H[/K]        attention heads, and key-value heads if fewer\n"
          "  --context N          context length\n"
          "  --rope KIND          none, linear, llama3, yarn\n"
          "  --tied, --untied     whether the output is the embedding\n"
          "  --seed N             default 1\n",
          to);
}

static uint32_t parse_count(const char *option, const char *text, char end, char **rest) {
    errno = 0;
    unsigned long value = strtoul(text, rest, 10);
    if (errno || *rest == text || (**rest && **rest != end) || value == 0 || value > 1u << 24)
        synth_fail("--%s: '%s' is not a count", option, text);
    return (uint32_t)value;
}

static void parse_heads(struct shape *s, const char *text) {
    char *rest;
    s->h = s->k = parse_count("heads", text, '/', &rest);
    if (*rest) s->k = parse_count("heads", rest + 1, '\0', &rest);
    if (s->d % (2 * s->h) || s->h % s->k) synth_fail("--heads: %s does not divide %u values", text, s->d);
}

static const struct shape *find_shape(const char *name) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0) return &shapes[i];
    synth_fail("unknown shape '%s'", name);
}

static const char *parse_rope(const char *name) {
    static const char *const kinds[] = {"none", "linear", "llama3", "yarn"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i], name) == 0) return kinds[i];
    synth_fail("unknown rope scaling '%s'", name);
}

static const struct option long_options[] = {
    {"shape", required_argument, NULL, 'S'},
    {"type", required_argument, NULL, 't'},
    {"vocab", required_argument, NULL, 'v'},
    {"vocab-from", required_argument, NULL, 'V'},
    {"layers", required_argument, NULL, 'l'},
    {"heads", required_argument, NULL, 'H'},
    {"context", required_argument, NULL, 'c'},
    {"rope", required_argument, NULL, 'r'},
    {"tied", no_argument, NULL, 'e'},
    {"untied", no_argument, NULL, 'u'},
    {"seed", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* The shape first, whatever its place; then what changes it. */
static void parse(struct options *options, int argc, char **argv) {
    char *rest;
    for (int c; (c = getopt_long(argc, argv, "o:h", long_options, NULL)) != -1;)
        if (c == 'S') options->shape = *find_shape(optarg);
    struct shape *s = &options->shape;
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "o:h", long_options, NULL)) != -1;) {
        switch (c) {
        case 'S':
            break;
        case 't':
            options->type = optarg;
            break;
        case 'v':
            s->v = parse_count("vocab", optarg, '\0', &rest);
            break;
        case 'V':
            options->vocab_from = optarg;
            break;
        case 'l':
            s->l = parse_count("layers", optarg, '\0', &rest);
            break;
        case 'H':
            parse_heads(s, optarg);
            break;
        case 'c':
            s->n_context = parse_count("context", optarg, '\0', &rest);
            break;
        case 'r':
            s->rope = parse_rope(optarg);
            break;
        case 'e':
            s->tied = 1;
            break;
        case 'u':
            s->tied = 0;
            break;
        case 's':
            options->seed = strtoull(optarg, &rest, 10);
            if (rest == optarg || *rest) synth_fail("--seed: '%s' is not a number", optarg);
            break;
        case 'o':
            options->out = optarg;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (!options->out || optind != argc) {
        usage(stderr);
        exit(2);
    }
    if (!options->vocab_from && s->v < 354) synth_fail("--vocab: at least 354");
}

int main(int argc, char **argv) {
    struct options options = {.shape = shapes[0], .type = "F32", .seed = 1};
    parse(&options, argc, argv);
    uint64_t bytes = write_file(&options);
    printf("%s: %s, %s, %llu bytes\n", options.out, options.shape.name, options.type,
           (unsigned long long)bytes);
    return 0;
}
