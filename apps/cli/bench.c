/* SPDX-License-Identifier: Apache-2.0
 *
 * bench.c: `mote bench`: how fast a model reads a prompt (pp) and makes an answer (tg), in tokens per second,
 * best and median of several runs. The tokens are made up: speed does not depend on which they are. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "apps/cli/model.h"

enum { MOST_RUNS = 100 };

struct request {
    uint32_t n_prompt, n_made, n_runs;
    int json, yes;
    struct cli_runtime runtime;
};

struct speed {
    double best, median; /* tokens per second */
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("pp", 0, "N", CLI_COUNT, AT(n_prompt), 0, 1 << 20,
               "tokens of the prompt (default 128; 0: skip)"),
    CLI_OPTION("tg", 0, "N", CLI_COUNT, AT(n_made), 0, 1 << 20, "tokens to generate (default 32; 0: skip)"),
    CLI_OPTION("runs", 'r', "N", CLI_COUNT, AT(n_runs), 1, MOST_RUNS, "runs of each (default 3)"),
    CLI_OPTION("json", 0, NULL, CLI_FLAG, AT(json), 0, 0, "print one line of JSON"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(yes), 0, 0, "pull the model without asking"),
    {0}};
#undef AT

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One run: n tokens in steps of at most n_step. Some tokens of the vocabulary, the same each time. */
static int feed(struct cli_model *model, mote_session *session, uint32_t n, uint32_t n_step) {
    mote_token tokens[128];
    mote_error error = {0};
    for (uint32_t at = 0; at < n;) {
        if (cli_interrupted) return CLI_INTERRUPTED;
        uint32_t n_rows = n - at < n_step ? n - at : n_step;
        for (uint32_t i = 0; i < n_rows; i++)
            tokens[i] = (mote_token)((uint64_t)(at + i + 1) * 7919 % model->info.n_vocab);
        if (mote_session_feed(session, tokens, n_rows, &error)) return cli_model_fail(model, &error);
        at += n_rows;
    }
    return CLI_OK;
}

/* n_runs runs after one that warms up caches and page tables. */
static int measure(struct cli_model *model, uint32_t n, uint32_t n_step, uint32_t n_runs,
                   struct speed *speed) {
    double seconds[MOST_RUNS];
    *speed = (struct speed){0, 0};
    if (!n) return CLI_OK;
    mote_session *session;
    mote_status status = mote_session_open(model->context, &session);
    if (status) return cli_fail(cli_status_code(status), "%s", mote_status_text(status));
    int code = feed(model, session, n < 8 ? n : 8, n_step);
    for (uint32_t run = 0; run < n_runs && !code; run++) {
        status = mote_session_truncate(session, 0);
        if (status) code = cli_fail(cli_status_code(status), "%s", mote_status_text(status));
        double start = cli_clock();
        if (!code) code = feed(model, session, n, n_step);
        seconds[run] = cli_clock() - start;
    }
    mote_session_close(session);
    if (code) return code;
    qsort(seconds, n_runs, sizeof *seconds, compare);
    speed->best = n / (seconds[0] > 0 ? seconds[0] : 1e-9);
    speed->median = n / (seconds[n_runs / 2] > 0 ? seconds[n_runs / 2] : 1e-9);
    return CLI_OK;
}

static int print_json(const struct request *request, const struct cli_model *model, struct speed prompt,
                      struct speed made) {
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    const char *base = strrchr(model->path, '/');
    json_t *line = json_pack(
        "{s:s%, s:s%, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I}", "model",
        base ? base + 1 : model->path, strlen(base ? base + 1 : model->path), "architecture",
        model->info.architecture.data, model->info.architecture.n, "threads",
        (json_int_t)mote_posix_host_get(model->host)->n_workers, "cpu",
        (json_int_t)mote_posix_host_get(model->host)->cpu, "pp", (json_int_t)request->n_prompt, "tg",
        (json_int_t)request->n_made, "pp_tokens_per_second", prompt.best, "tg_tokens_per_second", made.best,
        "pp_tokens_per_second_median", prompt.median, "tg_tokens_per_second_median", made.median, "load_ms",
        model->load_seconds * 1e3, "peak_bytes", (json_int_t)usage.ru_maxrss * 1024);
    if (!line)
        return cli_fail(CLI_MEMORY, "cannot make the line of JSON (memory, or a name that is not UTF-8)");
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(line);
    return CLI_OK;
}

static void print_row(const char *name, uint32_t n, struct speed speed) {
    char test[24];
    snprintf(test, sizeof test, "%s %u", name, (unsigned)n);
    if (n) printf("%-12s %12.2f %12.2f\n", test, speed.best, speed.median);
}

int cli_bench(int argc, char **argv) {
    struct request request = {.n_prompt = 128, .n_made = 32, .n_runs = 3, .runtime = cli_runtime_defaults()};
    const struct cli_grammar grammar = {
        "[MODEL] [OPTIONS]",
        "Measures tokens per second: reading a prompt (pp) and generating (tg).",
        {{own_options, &request}, {cli_runtime_options, &request.runtime}},
        0,
        1};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    struct cli_model model = {0};
    struct speed prompt, made;
    mote_context_options options = {.n_sessions = 1, .kv_type = request.runtime.kv};
    uint32_t longest = request.n_prompt > request.n_made ? request.n_prompt : request.n_made;
    code = cli_model_open(&model, n ? arguments[0] : NULL, request.yes);
    if (!code) code = cli_model_needs_weights(&model);
    if (!code) code = cli_model_positions(&model, &request.runtime, &options.n_positions);
    if (!code && longest > options.n_positions)
        code = cli_fail(CLI_CONTEXT, "bench: %u tokens do not fit in the context of %u", (unsigned)longest,
                        (unsigned)options.n_positions);
    if (!code) code = cli_model_start(&model, &request.runtime, &options);
    if (!code) code = measure(&model, request.n_prompt, 128, request.n_runs, &prompt);
    if (!code) code = measure(&model, request.n_made, 1, request.n_runs, &made);
    if (!code && request.json) code = print_json(&request, &model, prompt, made);
    if (!code && !request.json) {
        printf("%-12s %12s %12s   %u threads\n", "test", "best tok/s", "median tok/s",
               (unsigned)mote_posix_host_get(model.host)->n_workers);
        print_row("pp", request.n_prompt, prompt);
        print_row("tg", request.n_made, made);
    }
    cli_model_close(&model);
    return code;
}
