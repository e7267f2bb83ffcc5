/* SPDX-License-Identifier: Apache-2.0
 *
 * rerank.c: `mote rerank`: texts, one a line, with those first that answer a query best.
 *
 *     {"index":17,"score":0.93,"text":"…"}
 *
 * A model with a head reads the query and a text together, as a pair; its label's sigmoid is the score, or of
 * two labels the share of the second. With a model that has no head the score is the cosine of the vectors of
 * query and text. Texts of equal score stay in their order. All texts are kept until the end, or with --top K
 * at most 2 K and a window of them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/encoder.h"
#include "apps/cli/print.h"

struct request {
    const char *file, *query;
    uint32_t top;
    struct cli_encoding encoding;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("query", 'q', "TEXT", CLI_TEXT, AT(query), 0, 0, "what the texts are to answer"),
    CLI_OPTION("top", 0, "K", CLI_COUNT, AT(top), 1, 1 << 30, "only the K best texts"),
    {0}};
#undef AT

struct hit {
    uint64_t index;
    double rank, score; /* ranked before the sigmoid, which makes large ones equal */
    char *text;
    size_t n;
};

struct work {
    const struct request *request;
    struct cli_encoder encoder;
    float *query; /* [D], of a model without a head */
    struct hit *hits;
    size_t n, room;
};

static int best_first(const void *a, const void *b) {
    const struct hit *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Sorts, and forgets what is not among the best K. */
static void sort(struct work *work) {
    size_t top = work->request->top;
    if (work->n) qsort(work->hits, work->n, sizeof *work->hits, best_first);
    while (top && work->n > top)
        free(work->hits[--work->n].text);
}

static double cosine(const float *x, const float *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * y[i];
    return sum;
}

static void judge(const struct work *work, const struct cli_encoded *encoded, struct hit *hit) {
    const mote_model_info *info = &work->encoder.model.info;
    if (work->query) {
        hit->score = hit->rank = cosine(work->query, encoded->vector, info->n_model);
    } else {
        hit->rank = encoded->labels[0];
        if (info->n_labels == 2) hit->rank = (double)encoded->labels[1] - encoded->labels[0];
        hit->score = 1 / (1 + exp(-hit->rank));
    }
    if (isnan(hit->rank)) hit->rank = -INFINITY;
}

static int take(void *user, const struct cli_encoded *encoded) {
    struct work *work = user;
    if (work->n == work->room) {
        size_t room = 2 * work->room + 256;
        struct hit *hits = room < SIZE_MAX / sizeof *hits ? realloc(work->hits, room * sizeof *hits) : NULL;
        if (!hits) return cli_fail(CLI_MEMORY, "not enough memory to keep the texts (see --top)");
        work->hits = hits;
        work->room = room;
    }
    struct hit hit = {.index = encoded->index, .n = encoded->text.n};
    judge(work, encoded, &hit);
    hit.text = malloc(hit.n + 1);
    if (!hit.text) return cli_fail(CLI_MEMORY, "not enough memory to keep the texts (see --top)");
    if (hit.n) memcpy(hit.text, encoded->text.data, hit.n);
    work->hits[work->n++] = hit;
    if (work->request->top && work->n / 2 >= work->request->top) sort(work);
    return CLI_OK;
}

static int print(struct work *work) {
    sort(work);
    errno = 0;
    for (size_t i = 0; i < work->n && !ferror(stdout); i++) {
        const struct hit *hit = &work->hits[i];
        char number[CLI_MOST_FLOAT];
        cli_float_text((float)hit->score, number);
        printf("{\"index\":%llu,\"score\":%s,\"text\":", (unsigned long long)hit->index, number);
        cli_print_json(stdout, (mote_text){hit->text, hit->n});
        fputs("}\n", stdout);
    }
    return ferror(stdout) ? cli_write_fail("stdout") : CLI_OK;
}

/* A head: pairs. None: the query's vector. */
static int start(struct work *work) {
    const mote_model_info *info = &work->encoder.model.info;
    mote_text query = {work->request->query, strlen(work->request->query)};
    struct cli_encoder_want want = {.texts = 1, .labels = info->n_labels > 0, .pooling = info->pooling};
    if (info->labels_tokens || info->n_labels > 2)
        return cli_fail(CLI_MODEL, "%s: its head does not rank: it judges %s", work->encoder.model.path,
                        info->labels_tokens ? "tokens" : "texts by more than two labels");
    if (!want.labels) {
        want.vectors = want.normalize = 1;
        if (want.pooling == MOTE_POOLING_NONE) want.pooling = MOTE_POOLING_MEAN;
        work->query = calloc(info->n_model, sizeof *work->query);
        if (!work->query) return cli_fail(CLI_MEMORY, "not enough memory");
        if (!work->request->encoding.quiet)
            fprintf(stderr,
                    "mote: the model has no head for pairs: texts are ranked by the cosine of vectors\n");
    }
    int code = cli_encoder_want(&work->encoder, &want, take, work);
    if (code) return code;
    if (want.labels) return cli_encoder_first(&work->encoder, query);
    const char *prefix = work->encoder.prefix;
    work->encoder.prefix = NULL;
    code = cli_encoder_vector(&work->encoder, query, want.pooling, 1, work->query);
    work->encoder.prefix = prefix;
    return code;
}

static int rerank(struct work *work, struct cli_lines *lines) {
    int code = start(work);
    if (!code)
        code = cli_encoder_feed(&work->encoder, lines, work->request->encoding.quiet ? NULL : "rerank");
    if (code && code != CLI_INTERRUPTED) return code;
    int printed = print(work);
    if (code || !printed) cli_encoder_report(&work->encoder, &work->request->encoding);
    return code ? code : printed;
}

int cli_rerank(int argc, char **argv) {
    struct request request = {.encoding = cli_encoding_defaults()};
    const struct cli_grammar grammar = {
        "MODEL -q QUERY [FILE] [OPTIONS]",
        "Texts, one a line from FILE or stdin, with those first that answer the query best.",
        {{own_options, &request}, {cli_encoding_options, &request.encoding}},
        1,
        2};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    if (!request.query) return cli_fail(CLI_USAGE, "rerank: -q QUERY is needed");
    if (n > 1) request.file = arguments[1];
    struct work work = {.request = &request};
    struct cli_lines lines = {.fd = -1};
    code = cli_encoder_open(&work.encoder, arguments[0], &request.encoding);
    if (!code) code = cli_lines_open(&lines, request.file);
    if (!code) code = rerank(&work, &lines);
    while (work.n)
        free(work.hits[--work.n].text);
    free(work.hits);
    free(work.query);
    cli_lines_close(&lines);
    cli_encoder_close(&work.encoder);
    return code;
}
