/* SPDX-License-Identifier: Apache-2.0
 *
 * train_head.c: `mote train-head`: a classifier for one's own texts. Each text goes through the encoder once,
 * its vector of length 1 stays in memory, and what is learned is a small net on these vectors; the encoder
 * itself does not change. The held-out examples choose when learning stops, so the accuracy told for them is a
 * little on the kind side. */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/encoder.h"
#include "apps/cli/print.h"
#include "apps/cli/train_head.h"
#include "apps/cli/train_head_data.h"

struct request {
    struct cli_columns columns;
    const char *out, *dev;
    uint32_t hidden, epochs, patience;
    uint64_t seed;
    float l2, share;
    int balanced, json;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("output", 'o', "FILE", CLI_TEXT, AT(out), 0, 0, "the GGUF file to write"),
    CLI_OPTION("text-column", 0, "C", CLI_TEXT, AT(columns.text), 0, 0,
               "where the texts are, by name or number from 1 (default: found out)"),
    CLI_OPTION("label-column", 0, "C", CLI_TEXT, AT(columns.label), 0, 0, "where the labels are"),
    CLI_OPTION("header", 0, NULL, CLI_FLAG, AT(columns.header), 0, 0,
               "the first row names the columns (default: if its names are usual ones)"),
    CLI_OPTION("dev", 0, "FILE", CLI_TEXT, AT(dev), 0, 0,
               "hold out the examples of this file (default: some of DATA)"),
    CLI_OPTION("held-out", 0, "P", CLI_REAL, AT(share), 1, 90,
               "hold out P percent of each label's examples (default 10)"),
    CLI_OPTION("hidden", 0, "N", CLI_COUNT, AT(hidden), 0, 4096,
               "a hidden layer of N (default 0: none, a linear head)"),
    CLI_OPTION("l2", 0, "X", CLI_REAL, AT(l2), 0, 1e6, "pull of weights towards zero (default 0.1)"),
    CLI_OPTION("balanced", 0, NULL, CLI_FLAG, AT(balanced), 0, 0,
               "rare labels weigh as much in all as frequent ones"),
    CLI_OPTION("epochs", 0, "N", CLI_COUNT, AT(epochs), 1, 100000,
               "most passes over the examples (default 500)"),
    CLI_OPTION("patience", 0, "N", CLI_COUNT, AT(patience), 1, 100000,
               "stop after N passes that were no better on what is held out (default 10)"),
    CLI_OPTION("seed", 0, "N", CLI_SEED, AT(seed), 0, 0,
               "seed of what is held out and of a hidden layer (default 1)"),
    CLI_OPTION("json", 0, NULL, CLI_FLAG, AT(json), 0, 0, "print the result as JSON"),
    {0}};
#undef AT

struct job {
    const struct request *request;
    const struct cli_encoding *encoding;
    const char *out;
    struct cli_encoder encoder;
    struct cli_examples examples;
    struct cli_progress progress;
    float *x; /* [n, stride] */
    size_t stride;
    uint32_t *labels, *predicted;
    double *weight;
};

/* ---- texts to vectors ---- */

static int keep_vector(void *user, const struct cli_encoded *encoded) {
    struct job *job = user;
    float *row = job->x + (size_t)encoded->index * job->stride;
    for (uint32_t i = 0; i < job->encoder.model.info.n_model; i++) {
        row[i] = encoded->vector[i];
        if (!(row[i] >= -2 && row[i] <= 2)) /* not a number, or not of a vector of length 1 */
            return cli_fail(CLI_MODEL, "%s: the vector of text %llu is none", job->encoder.model.path,
                            (unsigned long long)encoded->index + 1);
    }
    cli_progress_move(&job->progress, encoded->index + 1);
    return CLI_OK;
}

static int encode_all(struct job *job) {
    const mote_model_info *info = &job->encoder.model.info;
    const struct cli_examples *examples = &job->examples;
    const struct cli_encoder_want want = {.vectors = 1, .normalize = 1, .pooling = info->pooling};
    if (info->pooling == MOTE_POOLING_NONE)
        return cli_fail(CLI_MODEL, "%s: it makes no vector of a whole text (its pooling is none)",
                        job->encoder.model.path);
    job->stride = cli_net_stride(info->n_model);
    if (examples->n < SIZE_MAX / sizeof *job->x / job->stride)
        job->x = calloc(examples->n * job->stride, sizeof *job->x);
    job->labels = calloc(examples->n, sizeof *job->labels);
    job->predicted = malloc(examples->n * sizeof *job->predicted);
    if (!job->x || !job->labels || !job->predicted)
        return cli_fail(CLI_MEMORY, "not enough memory for the vectors of %zu texts", examples->n);
    int code = cli_encoder_want(&job->encoder, &want, keep_vector, job);
    cli_progress_open(&job->progress, "texts", "texts", examples->n, 0);
    for (size_t i = 0; i < examples->n && !code; i++) {
        job->labels[i] = examples->list[i].label;
        code = cli_encoder_add(&job->encoder, examples->list[i].text);
    }
    if (!code) code = cli_encoder_flush(&job->encoder);
    cli_progress_close(&job->progress, !code);
    return code;
}

/* ---- learning ---- */

static int seen(void *user, uint32_t epoch, double loss, double held_out_loss) {
    struct job *job = user;
    (void)loss;
    (void)held_out_loss;
    cli_progress_move(&job->progress, epoch);
    return cli_interrupted;
}

/* What a sample of each label weighs so that all labels weigh the same, and a sample 1 on average. */
static int weigh(struct job *job) {
    const struct cli_examples *examples = &job->examples;
    job->weight = calloc(examples->n_labels, sizeof *job->weight);
    if (!job->weight) return cli_fail(CLI_MEMORY, "not enough memory");
    for (size_t i = 0; i < examples->n_learn; i++)
        job->weight[job->labels[i]]++;
    for (uint32_t c = 0; c < examples->n_labels; c++)
        if (job->weight[c] > 0)
            job->weight[c] = (double)examples->n_learn / examples->n_labels / job->weight[c];
    return CLI_OK;
}

static int learn(struct job *job, struct cli_net *net, struct cli_fit_result *result) {
    const struct request *request = job->request;
    size_t n = job->examples.n_learn;
    struct cli_samples samples = {job->x, job->labels, n},
                       held_out = {job->x + n * job->stride, job->labels + n, job->examples.n - n};
    const mote_host *host = mote_posix_host_get(job->encoder.model.host);
    struct cli_fit_options options = {.l2 = (double)request->l2,
                                      .n_epochs = request->epochs,
                                      .patience = request->patience,
                                      .seed = request->seed,
                                      .seen = seen,
                                      .user = job};
    int code = request->balanced ? weigh(job) : CLI_OK;
    if (code) return code;
    options.weight = job->weight;
    cli_progress_open(&job->progress, "learning", "passes", 0, 0);
    enum cli_fit_status status = cli_fit(net, &samples, &held_out, &options, host, result);
    cli_progress_close(&job->progress, status == CLI_FIT_DONE);
    double loss;
    if (status == CLI_FIT_STOPPED) return CLI_INTERRUPTED;
    if (status == CLI_FIT_MEMORY || !cli_net_judge(net, &held_out, job->weight, host, job->predicted, &loss))
        return cli_fail(CLI_MEMORY, "not enough memory to learn");
    return CLI_OK;
}

static int train(struct job *job, const char *model) {
    struct cli_net net = {0};
    struct cli_fit_result result;
    const struct cli_examples *examples = &job->examples;
    int code = encode_all(job);
    if (!code &&
        !cli_net_open(&net, job->encoder.model.info.n_model, job->request->hidden, examples->n_labels))
        code = cli_fail(CLI_MEMORY, "not enough memory to learn");
    if (!code) code = learn(job, &net, &result);
    if (!code) code = cli_head_save(job->out, &job->encoder.model, &net, examples->labels);
    struct cli_head_report report = {.examples = examples,
                                     .net = &net,
                                     .fit = &result,
                                     .predicted = job->predicted,
                                     .model = model,
                                     .out = job->out,
                                     .l2 = (double)job->request->l2,
                                     .seed = job->request->seed,
                                     .balanced = job->request->balanced};
    if (!code) code = cli_head_report(&report, job->request->json);
    fflush(stdout); /* before what stderr tells */
    if (!code && !job->encoding->quiet && examples->n_skipped)
        fprintf(stderr, "mote: %zu rows without a label were left out\n", examples->n_skipped);
    if (!code) cli_encoder_report(&job->encoder, job->encoding);
    cli_net_close(&net);
    return code;
}

int cli_train_head(int argc, char **argv) {
    struct request request = {.epochs = 500, .patience = 10, .seed = 1, .l2 = 0.1f, .share = 10};
    struct cli_encoding encoding = cli_encoding_defaults();
    const struct cli_grammar grammar = {
        "MODEL DATA -o OUT.gguf [OPTIONS]",
        "A classifier for one's own texts: learns a head on an encoder's vectors from labelled texts, a\n"
        "CSV or TSV file (\"-\": stdin), says how well it does on examples held out, and writes the model\n"
        "with this head, for mote classify.",
        {{own_options, &request}, {cli_encoding_options, &encoding}},
        2,
        2};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    if (!request.out)
        return cli_fail(CLI_USAGE, "train-head: -o OUT.gguf is needed (see mote help train-head)");
    struct job job = {.request = &request, .encoding = &encoding, .out = request.out};
    job.progress.quiet = encoding.quiet;
    code = cli_examples_read(&job.examples, arguments[1], request.dev, &request.columns,
                             (double)request.share / 100, request.seed);
    if (!code) code = cli_encoder_open(&job.encoder, arguments[0], &encoding);
    if (!code) code = train(&job, arguments[0]);
    free(job.x);
    free(job.labels);
    free(job.predicted);
    free(job.weight);
    cli_encoder_close(&job.encoder);
    cli_examples_close(&job.examples);
    return code;
}
