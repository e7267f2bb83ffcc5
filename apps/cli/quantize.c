/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize.c: `mote quantize`: a GGUF file with smaller weights.
 *
 * Metadata is copied as it stands, but for what says how the weights are kept. Matrices are encoded anew;
 * vectors, norms and heads stay as they are: they are small, and an error in them is everywhere. The words of
 * an encoder, which are half of a small one and are looked up rather than multiplied, are never below Q8_0.
 * Q4_K_M is a mix: Q6_K for the output, and for half of the layers' values and down projections, where an
 * error weighs most; Q4_K for the rest. Rows that are no multiple of a type's block become Q8_0, and where
 * that does not fit either, F16.
 *
 * Rows are encoded by all threads, a batch of them at a time; neither number changes a byte of the result. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/gguf.h"
#include "apps/cli/model.h"
#include "apps/cli/options.h"
#include "apps/cli/quantize.h"
#include "apps/cli/quantize_compare.h"

enum { ALIGNMENT = 32, BATCH = 1 << 24, MOST_NAME = 128 };

struct recipe {
    const char *name, *matrices, *important, *embedding; /* embedding: of an encoder */
    uint32_t file_type;                                  /* GGUF's general.file_type */
};

static const struct recipe recipes[] = {
    {"F16", "F16", "F16", "F16", 1},
    {"Q8_0", "Q8_0", "Q8_0", "Q8_0", 7},
    {"Q4_0", "Q4_0", "Q4_0", "Q8_0", 2},
    {"Q4_K_M", "Q4_K", "Q6_K", "Q8_0", 15},
};
enum { N_RECIPES = sizeof recipes / sizeof *recipes };

/* What becomes of a tensor; encoding NULL: it is copied. */
struct plan {
    mote_tensor_info info;
    const struct cli_encoding *encoding;
    uint64_t n_rows, row_bytes, n_bytes; /* of the result */
    double square, error;                /* Σ x², Σ (x − x')², where they are compared */
};

struct job {
    const struct cli_model *model;
    const struct recipe *recipe;
    struct plan *plans;
    struct cli_progress progress;
    int tied; /* the embedding is the output too */
    /* of the batch that the threads are at */
    uint32_t tensor;
    uint64_t first, n, piece; /* rows, rows a piece */
    uint8_t *out;
    struct worker *workers;
};

struct worker {
    float *row;
    void *work;
    int failed;
};

/* ---- what becomes of each tensor ---- */

static int has(mote_text name, const char *part) {
    return memmem(name.data, name.n, part, strlen(part)) != NULL;
}

/* The number of the layer in "blk.7.attn_v.weight", or -1. */
static long layer_of(mote_text name) {
    char text[16];
    if (name.n < 5 || memcmp(name.data, "blk.", 4) != 0) return -1;
    size_t n = name.n - 4 < sizeof text - 1 ? name.n - 4 : sizeof text - 1;
    memcpy(text, name.data + 4, n);
    text[n] = 0;
    return strtol(text, NULL, 10);
}

/* The first and last eighth of the layers, and every third between. */
static int weighs_more(long layer, long n_layers) {
    return layer < n_layers / 8 || layer >= 7 * n_layers / 8 || (layer - n_layers / 8) % 3 == 2;
}

static const char *type_for(const struct job *job, mote_text name) {
    long layer = layer_of(name);
    if (job->model->info.is_encoder && has(name, "token_embd.weight")) return job->recipe->embedding;
    int important = has(name, "output.weight") && layer < 0;
    if (job->tied && has(name, "token_embd.weight")) important = 1;
    if (layer >= 0 && (has(name, "attn_v.weight") || has(name, "ffn_down.weight")))
        important = weighs_more(layer, (long)job->model->info.n_layers);
    return important ? job->recipe->important : job->recipe->matrices;
}

static int plan_tensor(const struct job *job, uint32_t i, struct plan *plan) {
    if (mote_model_tensor(job->model->model, i, &plan->info))
        return cli_fail(CLI_MODEL, "%s: tensor %u cannot be read", job->model->path, (unsigned)i);
    plan->encoding = NULL;
    plan->n_bytes = plan->info.bytes;
    const char *type = cli_encoding_type(plan->info.name.data, plan->info.name.n, plan->info.n_dims,
                                         type_for(job, plan->info.name));
    if (!type) return CLI_OK;
    const char *types[] = {type, "Q8_0", "F16"};
    for (size_t k = 0; k < sizeof types / sizeof *types && !plan->encoding; k++) {
        const struct cli_encoding *e = cli_encoding_find(types[k]);
        if (e && plan->info.dims[0] % e->elements == 0) plan->encoding = e;
    }
    if (!plan->encoding) return CLI_OK;
    plan->n_rows = plan->info.dims[1] * plan->info.dims[2] * plan->info.dims[3];
    plan->row_bytes = plan->info.dims[0] / plan->encoding->elements * plan->encoding->bytes;
    plan->n_bytes = plan->n_rows * plan->row_bytes; /* less than the rows as f32, which were checked */
    return CLI_OK;
}

/* ---- the directory ---- */

static int is(mote_text name, const char *text) {
    return name.n == strlen(text) && !memcmp(name.data, text, name.n);
}

static int put_directory(struct cli_gguf *w, const struct job *job, uint64_t n_tensors) {
    const struct cli_model *model = job->model;
    cli_gguf_put(w, "GGUF", 4);
    cli_gguf_put_u32(w, 3);
    cli_gguf_put_u64(w, n_tensors);
    cli_gguf_put_u64(w, 0);
    for (uint32_t i = 0; i < model->info.n_keys; i++) {
        mote_key_info key;
        if (mote_model_entry(model->model, i, &key)) return 0;
        if (is(key.name, "general.file_type") || is(key.name, "general.quantization_version") ||
            is(key.name, "general.alignment"))
            continue;
        cli_gguf_put(w, (const char *)model->map.bytes + key.offset, key.bytes);
        w->n_keys++;
    }
    cli_gguf_key_u32(w, "general.quantization_version", 2);
    cli_gguf_key_u32(w, "general.file_type", job->recipe->file_type);
    uint64_t offset = 0;
    for (uint64_t i = 0; i < n_tensors; i++) {
        const struct plan *plan = &job->plans[i];
        cli_gguf_put_string(w, plan->info.name.data, plan->info.name.n);
        cli_gguf_put_u32(w, plan->info.n_dims);
        for (uint32_t k = 0; k < plan->info.n_dims; k++)
            cli_gguf_put_u64(w, plan->info.dims[k]);
        cli_gguf_put_u32(w, plan->encoding ? plan->encoding->number : plan->info.type_number);
        cli_gguf_put_u64(w, offset);
        offset += (plan->n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    while (!w->failed && w->bytes.n % ALIGNMENT)
        cli_gguf_put(w, "", 1);
    for (int i = 0; i < 8 && !w->failed; i++)
        w->bytes.data[16 + i] = (char)(w->n_keys >> 8 * i & 255);
    return 1;
}

/* ---- the data ---- */

static void encode_piece(void *argument, uint32_t i, uint32_t worker) {
    struct job *job = argument;
    struct worker *w = &job->workers[worker];
    const struct plan *plan = &job->plans[job->tensor];
    const struct cli_encoding *e = plan->encoding;
    uint64_t k = plan->info.dims[0], end = (i + 1) * job->piece < job->n ? (i + 1) * job->piece : job->n;
    for (uint64_t row = i * job->piece; row < end; row++) {
        if (mote_model_row(job->model->model, job->tensor, job->first + row, w->row, w->work)) w->failed = 1;
        e->encode(w->row, k / e->elements, job->out + row * plan->row_bytes);
    }
}

static int write_matrix(FILE *file, struct job *job, uint32_t i) {
    const mote_host *host = mote_posix_host_get(job->model->host);
    struct plan *plan = &job->plans[i];
    uint64_t batch = plan->row_bytes && plan->row_bytes < BATCH ? BATCH / plan->row_bytes : 1;
    job->tensor = i;
    for (job->first = 0; job->first < plan->n_rows && !cli_interrupted; job->first += job->n) {
        job->n = plan->n_rows - job->first < batch ? plan->n_rows - job->first : batch;
        job->piece = job->n / 64 + 1;
        uint32_t n_pieces = (uint32_t)((job->n + job->piece - 1) / job->piece);
        if (host->parallel_for && n_pieces > 1)
            host->parallel_for(host->user, n_pieces, encode_piece, job);
        else
            for (uint32_t p = 0; p < n_pieces; p++)
                encode_piece(job, p, 0);
        if (fwrite(job->out, plan->row_bytes, job->n, file) != job->n) return 0;
        cli_progress_move(&job->progress, job->progress.done + job->n * plan->row_bytes);
    }
    for (uint32_t w = 0; w < host->n_workers; w++)
        if (job->workers[w].failed) return errno = EIO, 0;
    return !cli_interrupted;
}

static int write_tensors(FILE *file, void *user) {
    static const char zeros[ALIGNMENT];
    struct job *job = user;
    for (uint32_t i = 0; i < job->model->info.n_tensors; i++) {
        const struct plan *plan = &job->plans[i];
        size_t padding = (size_t)(-plan->n_bytes % ALIGNMENT);
        if (plan->encoding) {
            if (!write_matrix(file, job, i)) return 0;
        } else {
            const char *bytes = (const char *)job->model->map.bytes + plan->info.offset;
            if (fwrite(bytes, 1, plan->n_bytes, file) != plan->n_bytes) return 0;
            cli_progress_move(&job->progress, job->progress.done + plan->n_bytes);
        }
        if (fwrite(zeros, 1, padding, file) != padding) return 0;
    }
    return 1;
}

/* ---- the command ---- */

static int open_workers(struct job *job, uint32_t n) {
    uint64_t widest = 0, work = 0, batch = 0;
    for (uint32_t i = 0; i < job->model->info.n_tensors; i++) {
        const struct plan *plan = &job->plans[i];
        uint64_t needs = plan->encoding ? mote_model_row_plan(job->model->model, i) : 0;
        if (!plan->encoding) continue;
        if (needs > work) work = needs;
        if (plan->info.dims[0] > widest) widest = plan->info.dims[0];
        uint64_t most = plan->row_bytes > BATCH ? plan->row_bytes
                        : plan->n_bytes < BATCH ? plan->n_bytes
                                                : BATCH;
        if (most > batch) batch = most;
    }
    job->out = malloc(batch + 1);
    job->workers = calloc(n, sizeof *job->workers);
    int failed = !job->out || !job->workers;
    for (uint32_t i = 0; i < n && !failed; i++) {
        struct worker *w = &job->workers[i];
        w->row = malloc(widest * sizeof *w->row + 1);
        w->work = aligned_alloc(MOTE_ALIGN, (work + MOTE_ALIGN) / MOTE_ALIGN * MOTE_ALIGN);
        failed = !w->row || !w->work;
    }
    return failed ? cli_fail(CLI_MEMORY, "not enough memory") : CLI_OK;
}

static void close_workers(struct job *job, uint32_t n) {
    for (uint32_t i = 0; job->workers && i < n; i++) {
        free(job->workers[i].row);
        free(job->workers[i].work);
    }
    free(job->workers);
    free(job->out);
}

/* Sums up how far a tensor is from what it was made of. */
static int compare_tensor(struct job *job, const struct cli_model *made, uint32_t i, float *was, float *now,
                          void *work) {
    struct plan *plan = &job->plans[i];
    for (uint64_t row = 0; row < plan->n_rows; row++) {
        if (cli_interrupted) return CLI_INTERRUPTED;
        if (mote_model_row(job->model->model, i, row, was, work) ||
            mote_model_row(made->model, i, row, now, work))
            return cli_fail(CLI_MODEL, "%s: tensor %u cannot be read", made->path, (unsigned)i);
        for (uint64_t j = 0; j < plan->info.dims[0]; j++) {
            double difference = (double)was[j] - (double)now[j];
            plan->square += (double)was[j] * (double)was[j];
            plan->error += difference * difference;
        }
    }
    return CLI_OK;
}

/* The same of all that were encoded, as they are read back from the file. */
static int compare(struct job *job, const char *out) {
    struct cli_model made = {0};
    int code = cli_model_open(&made, out, 0);
    if (code) return code;
    uint64_t widest = 0, work_bytes = MOTE_ALIGN;
    for (uint32_t i = 0; i < job->model->info.n_tensors; i++) {
        uint64_t before = mote_model_row_plan(job->model->model, i),
                 after = mote_model_row_plan(made.model, i);
        if (job->plans[i].info.dims[0] > widest) widest = job->plans[i].info.dims[0];
        if (before > work_bytes) work_bytes = before;
        if (after > work_bytes) work_bytes = after;
    }
    float *rows = malloc(2 * widest * sizeof *rows + 1);
    void *work = aligned_alloc(MOTE_ALIGN, (work_bytes + MOTE_ALIGN - 1) / MOTE_ALIGN * MOTE_ALIGN);
    if (!rows || !work) code = cli_fail(CLI_MEMORY, "not enough memory to compare");
    for (uint32_t i = 0; i < job->model->info.n_tensors && !code; i++)
        if (job->plans[i].encoding) code = compare_tensor(job, &made, i, rows, rows + widest, work);
    free(rows);
    free(work);
    cli_model_close(&made);
    return code;
}

/* For each type: tensors, bytes before and after, and the error as a share of the weights. */
static void print_comparison(const struct job *job, uint64_t n_tensors) {
    printf("%-8s %8s %10s %10s %9s\n", "type", "tensors", "before", "after", "error");
    for (size_t t = 0; t < 6; t++) {
        static const char *const types[] = {"F16", "Q4_0", "Q8_0", "Q4_K", "Q6_K", "kept"};
        uint64_t n = 0, before = 0, after = 0;
        double square = 0, error = 0;
        char from[16], to[16];
        for (uint64_t i = 0; i < n_tensors; i++) {
            const struct plan *plan = &job->plans[i];
            if (strcmp(plan->encoding ? plan->encoding->name : "kept", types[t]) != 0) continue;
            n++;
            before += plan->info.bytes;
            after += plan->n_bytes;
            square += plan->square;
            error += plan->error;
        }
        if (!n) continue;
        printf("%-8s %8llu %10s %10s", types[t], (unsigned long long)n, cli_size(before, from),
               cli_size(after, to));
        if (t < 5) printf(" %8.3f%%", square > 0 ? 100 * sqrt(error / square) : 0);
        putchar('\n');
    }
}

static int quantize(struct job *job, const char *out, int wants_comparison) {
    const struct cli_model *model = job->model;
    uint32_t n = model->info.n_tensors, n_workers = mote_posix_host_get(model->host)->n_workers;
    struct cli_gguf w = {0};
    int code = CLI_OK;
    job->plans = calloc(n, sizeof *job->plans);
    if (!job->plans) return cli_fail(CLI_MEMORY, "not enough memory");
    job->tied = 1;
    for (uint32_t i = 0; i < n && !code; i++) {
        mote_tensor_info info;
        if (!mote_model_tensor(model->model, i, &info) && is(info.name, "output.weight")) job->tied = 0;
    }
    uint64_t total = 0;
    for (uint32_t i = 0; i < n && !code; i++) {
        code = plan_tensor(job, i, &job->plans[i]);
        total += job->plans[i].n_bytes;
    }
    if (!code) code = open_workers(job, n_workers);
    if (!code && (!put_directory(&w, job, n) || w.failed)) code = cli_fail(CLI_MEMORY, "not enough memory");
    if (!code) {
        cli_progress_open(&job->progress, "quantize", "B", total, 0);
        code = cli_gguf_save(out, &w, write_tensors, job);
        cli_progress_close(&job->progress, !code);
    }
    if (!code && wants_comparison && !(code = compare(job, out))) print_comparison(job, n);
    close_workers(job, n_workers);
    cli_buffer_close(&w.bytes);
    free(job->plans);
    return code;
}

struct request {
    uint32_t threads;
    int compare, quiet;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("compare", 0, NULL, CLI_FLAG, AT(compare), 0, 0,
               "print what it cost: sizes and errors by type"),
    CLI_OPTION("threads", 't', "N", CLI_COUNT, AT(threads), 1, 1024, "threads (default: physical cores)"),
    CLI_OPTION("quiet", 'q', NULL, CLI_FLAG, AT(quiet), 0, 0, "no progress"),
    {0}};
#undef AT

int cli_quantize(int argc, char **argv) {
    struct request request = {0};
    struct cli_model model = {0};
    const struct cli_grammar grammar = {"IN.gguf OUT.gguf TYPE",
                                        "A model with smaller weights: F16, Q8_0, Q4_0 or Q4_K_M.",
                                        {{own_options, &request}},
                                        3,
                                        3};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    struct job job = {.model = &model, .progress.quiet = request.quiet};
    for (size_t i = 0; i < N_RECIPES; i++)
        if (!strcasecmp(arguments[2], recipes[i].name)) job.recipe = &recipes[i];
    if (!job.recipe)
        return cli_fail(CLI_USAGE, "quantize: '%.40s' is none of F16, Q8_0, Q4_0, Q4_K_M", arguments[2]);
    code = cli_model_open(&model, arguments[0], 0);
    if (!code) code = cli_model_needs_weights(&model);
    if (!code && !(model.host = mote_posix_host_open(request.threads, UINT32_MAX)))
        code = cli_fail(CLI_FAILED, "cannot start threads: %s", strerror(errno));
    if (!code) code = quantize(&job, arguments[1], request.compare);
    if (!code && request.compare && model.info.is_encoder)
        code = cli_quantize_compare(model.path, arguments[1], request.threads);
    cli_model_close(&model);
    return code;
}
