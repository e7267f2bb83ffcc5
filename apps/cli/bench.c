/* SPDX-License-Identifier: Apache-2.0
 *
 * bench.c: `mote bench`: how fast a model reads prompts and makes tokens, over a matrix of lengths, depths,
 * batches, threads and types of KV cache, and how near that is to the limits of the machine. Interrupted, it
 * reports what was measured until then. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/bench.h"

#define AT(member) offsetof(struct bench_request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("pp", 0, "N,...", CLI_COUNTS, AT(prompts), 0, 1 << 20,
               "tokens of the prompt, or of an encoder's text (default 128; 0: skip)"),
    CLI_OPTION("tg", 0, "N,...", CLI_COUNTS, AT(made), 0, 1 << 20,
               "tokens to generate (default 32; 0: skip)"),
    CLI_OPTION("depth", 'd', "N,...", CLI_COUNTS, AT(depths), 0, 1 << 20,
               "tokens in the context before (default 0)"),
    CLI_OPTION("batch", 'b', "N,...", CLI_COUNTS, AT(batches), 1, 256,
               "conversations that generate side by side, or texts (default 1)"),
    CLI_OPTION("threads", 't', "N,...", CLI_COUNTS, AT(threads), 1, 1024,
               "threads (default: physical cores)"),
    CLI_OPTION("kv", 0, "TYPE,...", CLI_KVS, AT(kvs), 0, 0, "types of the KV cache (default f16)"),
    CLI_OPTION("cpu", 0, "LEVEL", CLI_LEVEL, AT(cpu), 0, 0,
               "limit the instruction set: scalar, avx2, avxvnni, avx512, avx512vnni"),
    CLI_OPTION("repeat", 'r', "N", CLI_COUNT, AT(n_runs), 1, BENCH_MOST_RUNS,
               "runs of each test (default 3)"),
    CLI_OPTION("csv", 0, NULL, CLI_FLAG, AT(csv), 0, 0, "print CSV"),
    CLI_OPTION("json", 0, NULL, CLI_FLAG, AT(json), 0, 0, "print one line of JSON"),
    CLI_OPTION("plot", 0, "FILE", CLI_TEXT, AT(plot), 0, 0, "draw the roofline into FILE, as SVG"),
    CLI_OPTION("no-roof", 0, NULL, CLI_FLAG, AT(no_roof), 0, 0, "do not measure the machine's own limits"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(yes), 0, 0, "pull the model without asking"),
    {0}};
#undef AT

enum { ENCODER_ROWS = 512 }; /* of texts side by side that are computed at once */

struct tests {
    struct bench_test list[BENCH_MOST_TESTS];
    size_t n;
};

static int add_test(struct tests *tests, enum bench_kind kind, uint32_t n, uint32_t depth, uint32_t batch) {
    if (!n) return 1;
    if (tests->n == BENCH_MOST_TESTS) return 0;
    tests->list[tests->n++] = (struct bench_test){kind, n, depth, batch};
    return 1;
}

static int list_tests(const struct bench_request *request, int encoder, struct tests *tests) {
    tests->n = 0;
    int room = 1;
    for (size_t i = 0; i < request->prompts.n && encoder; i++)
        for (size_t b = 0; b < request->batches.n; b++)
            room &= add_test(tests, BENCH_ENCODED, request->prompts.list[i], 0, request->batches.list[b]);
    for (size_t d = 0; d < request->depths.n && !encoder; d++) {
        uint32_t depth = request->depths.list[d];
        for (size_t i = 0; i < request->prompts.n; i++)
            room &= add_test(tests, BENCH_PROMPT, request->prompts.list[i], depth, 1);
        for (size_t i = 0; i < request->made.n; i++)
            for (size_t b = 0; b < request->batches.n; b++)
                room &= add_test(tests, BENCH_MADE, request->made.list[i], depth, request->batches.list[b]);
    }
    if (!tests->n) return cli_fail(CLI_USAGE, "bench: --pp 0 --tg 0 leaves nothing to measure");
    if (!room || tests->n * request->threads.n * request->kvs.n > BENCH_MOST_TESTS)
        return cli_fail(CLI_USAGE, "bench: more than %d tests", BENCH_MOST_TESTS);
    return CLI_OK;
}

/* The context that holds all tests: every conversation of the largest batch at the greatest depth. */
static int plan(const struct cli_model *model, const struct tests *tests, mote_context_options *options) {
    uint32_t batch = 1, depth = 0;
    uint64_t most = 0; /* tokens that one test adds */
    for (size_t i = 0; i < tests->n; i++) {
        const struct bench_test *test = &tests->list[i];
        if (test->depth + test->n > model->info.n_context)
            return cli_fail(CLI_CONTEXT, "bench: %u tokens do not fit in the context of %u",
                            (unsigned)(test->depth + test->n), (unsigned)model->info.n_context);
        if (test->batch > batch) batch = test->batch;
        if (test->depth > depth) depth = test->depth;
        if ((uint64_t)test->batch * test->n > most) most = (uint64_t)test->batch * test->n;
    }
    uint64_t n_positions = (uint64_t)batch * depth + most;
    if (n_positions > INT32_MAX)
        return cli_fail(CLI_CONTEXT, "bench: a batch of %u at depth %u is more than a context can hold",
                        (unsigned)batch, (unsigned)depth);
    options->n_sessions = options->n_logits = batch;
    if (model->info.is_encoder)
        options->n_rows = most < ENCODER_ROWS ? (uint32_t)most : ENCODER_ROWS;
    else
        options->n_positions = (uint32_t)n_positions;
    return CLI_OK;
}

static void stop(struct cli_model *model) {
    mote_posix_block_close(model->context_block, model->context_bytes);
    mote_posix_host_close(model->host);
    model->context_block = NULL;
    model->context = NULL;
    model->host = NULL;
}

/* All tests with one number of threads and one type of cache. */
static int run_tests(const struct bench_request *request, struct cli_model *model, const struct tests *tests,
                     const mote_context_options *options, struct cli_progress *progress,
                     struct bench_report *report) {
    const mote_host *host = mote_posix_host_get(model->host);
    struct bench_work work;
    struct bench_stage stage = {0};
    int code = bench_work_count(model, options, host, &work);
    if (!code) code = bench_stage_open(&stage, model, options->n_sessions);
    for (size_t i = 0; i < tests->n && report->n < report->most && !code; i++) {
        struct bench_result *result = &report->results[report->n];
        *result =
            (struct bench_result){.test = tests->list[i], .threads = host->n_workers, .kv = options->kv_type};
        code = bench_run(&stage, request->n_runs, progress, result);
        if (!result->n_runs) break;
        bench_work_of(&work, result);
        report->n++;
    }
    bench_stage_close(&stage);
    return code;
}

/* Holds the results from first on against the machine. Only now, as the buffer it is measured with would
 * stand in the peak of memory. */
static void measure_roof(const struct bench_request *request, uint32_t n_threads, size_t first,
                         struct bench_report *report) {
    struct mote_posix_host *host = mote_posix_host_open(n_threads, request->cpu);
    struct cli_roof roof;
    if (!host) return;
    (void)cli_roof_measure(mote_posix_host_get(host), &roof);
    mote_posix_host_close(host);
    for (size_t i = first; i < report->n && !cli_interrupted; i++)
        bench_work_share(&report->results[i], &roof);
}

static int run_all(const struct bench_request *request, struct cli_model *model, const struct tests *tests,
                   mote_context_options *options, struct bench_report *report) {
    struct cli_progress progress = {.quiet = 0};
    int code = CLI_OK;
    cli_progress_open(&progress, "bench", "runs",
                      (uint64_t)tests->n * request->threads.n * request->kvs.n * request->n_runs, 0);
    for (size_t t = 0; t < request->threads.n && !code; t++) {
        size_t first = report->n;
        for (size_t k = 0; k < request->kvs.n && !code; k++) {
            struct cli_runtime runtime = {.threads = request->threads.list[t], .cpu = request->cpu};
            options->kv_type = request->kvs.list[k];
            code = cli_model_start(model, &runtime, options);
            if (!t && !k) report->load_seconds = model->load_seconds;
            if (!code) code = run_tests(request, model, tests, options, &progress, report);
            stop(model);
        }
        if (!t) report->peak_bytes = mote_posix_peak_bytes();
        if (!code && !request->no_roof) measure_roof(request, request->threads.list[t], first, report);
        if (!code && cli_interrupted) code = CLI_INTERRUPTED;
    }
    cli_progress_close(&progress, !code);
    return code;
}

static const char *level_name(uint32_t cpu) {
    const char *found = mote_posix_cpu_levels[0];
    for (size_t i = 0; mote_posix_cpu_levels[i]; i++) {
        uint32_t bits;
        if (mote_posix_cpu_level(mote_posix_cpu_levels[i], &bits) && !(bits & ~cpu))
            found = mote_posix_cpu_levels[i];
    }
    return found;
}

static int print(const struct bench_request *request, const struct bench_report *report) {
    if (request->json) return bench_print_json(report);
    if (request->csv)
        bench_print_csv(report);
    else
        bench_print_table(report);
    return CLI_OK;
}

static int bench(const struct bench_request *request, const char *name, FILE *plot, struct tests *tests) {
    struct cli_model model = {0};
    struct bench_report report = {.model = &model, .level = level_name(request->cpu & mote_posix_cpu())};
    mote_context_options options = {.n_positions = 0};
    int code = cli_model_open(&model, name, request->yes);
    if (!code) code = cli_model_needs_weights(&model);
    if (!code) code = list_tests(request, model.info.is_encoder, tests);
    if (!code) code = plan(&model, tests, &options);
    if (!code) {
        report.most = tests->n * request->threads.n * request->kvs.n;
        report.results = report.most ? calloc(report.most, sizeof *report.results) : NULL;
        if (!report.results) code = cli_fail(CLI_MEMORY, "bench: not enough memory");
    }
    if (!code) code = run_all(request, &model, tests, &options, &report);
    if (report.n) {
        int printed = print(request, &report);
        if (!code) code = printed;
        if (plot) bench_plot(&report, plot);
    }
    free(report.results);
    cli_model_close(&model);
    return code;
}

int cli_bench(int argc, char **argv) {
    struct bench_request request = {.prompts = {{128}, 1},
                                    .made = {{32}, 1},
                                    .depths = {{0}, 1},
                                    .batches = {{1}, 1},
                                    .threads = {{mote_posix_cores()}, 1},
                                    .kvs = {{MOTE_KV_F16}, 1},
                                    .cpu = UINT32_MAX,
                                    .n_runs = 3};
    const struct cli_grammar grammar = {
        "[MODEL] [OPTIONS]",
        "Measures tokens per second: reading a prompt (pp) and generating "
        "(tg), or encoding texts (enc), and what share\n"
        "of the machine's own limits that is. Where an option takes several numbers, with "
        "commas, every combination is measured.",
        {{own_options, &request}},
        0,
        1};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    if (request.json && request.csv) return cli_fail(CLI_USAGE, "bench: --json or --csv, not both");
    if (request.plot && request.no_roof)
        return cli_fail(CLI_USAGE, "bench: --plot draws what --no-roof leaves out");
    FILE *plot = request.plot ? fopen(request.plot, "we") : NULL;
    if (request.plot && !plot) return cli_fail(CLI_FAILED, "%s: %s", request.plot, strerror(errno));
    struct tests *tests = malloc(sizeof *tests);
    code = tests ? bench(&request, n ? arguments[0] : NULL, plot, tests)
                 : cli_fail(CLI_MEMORY, "bench: not enough memory");
    free(tests);
    if (plot && (ferror(plot) | fclose(plot)) && !code)
        code = cli_fail(CLI_FAILED, "%s: %s", request.plot, strerror(errno));
    return code;
}
