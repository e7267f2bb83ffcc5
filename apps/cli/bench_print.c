/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_print.c: results as a table, as CSV and as one line of JSON. The shares are of the best run, as the
 * limits are the best of many rounds too; spread is best minus worst, in parts of the median. */
#include <jansson.h>
#include <string.h>

#include "apps/cli/bench.h"
#include "apps/cli/print.h"

const char *bench_model_name(const struct cli_model *model) {
    const char *base = strrchr(model->path, '/');
    return base ? base + 1 : model->path;
}

static const char *kind_name(const struct bench_result *result) {
    static const char *const names[] = {[BENCH_PROMPT] = "pp", [BENCH_MADE] = "tg", [BENCH_ENCODED] = "enc"};
    return names[result->test.kind];
}

static double spread(const struct bench_result *result) {
    return result->median > 0 ? (result->best - result->worst) / result->median : 0;
}

static double per_second(const struct bench_result *result, double amount) {
    double seconds = bench_seconds(result);
    return seconds > 0 ? amount / seconds : 0;
}

static double macs(const struct bench_result *result) {
    return result->int8_macs + result->f32_macs;
}

/* Whether the result is the first with its number of threads: the limits are told once for each. */
static int first_of_threads(const struct bench_report *report, size_t i) {
    return i == 0 || report->results[i].threads != report->results[i - 1].threads;
}

/* ---- table ---- */

static void print_share(double share) {
    if (share > 0)
        printf(" %5.1f %%", 100 * share);
    else
        printf(" %7s", "-");
}

void bench_print_table(const struct bench_report *report) {
    const char *name = bench_model_name(report->model);
    cli_print(stdout, (mote_text){name, strlen(name)});
    printf(", %s\n", report->level);
    for (size_t i = 0; i < report->n; i++) {
        const struct bench_result *r = &report->results[i];
        if (!first_of_threads(report, i) || !(r->roof.int8 > 0)) continue;
        printf("the machine, %u thread%s: memory %.1f GB/s, int8 %.0f GMAC/s, f32 %.0f GMAC/s\n", r->threads,
               r->threads == 1 ? "" : "s", r->roof.memory / 1e9, r->roof.int8 / 1e9, r->roof.f32 / 1e9);
    }
    printf("\n%-10s %7s %5s %7s %5s %10s %10s %7s %7s %7s %7s %7s\n", "test", "depth", "batch", "threads",
           "kv", "median t/s", "best t/s", "spread", "GB/s", "share", "GMAC/s", "share");
    for (size_t i = 0; i < report->n; i++) {
        const struct bench_result *r = &report->results[i];
        char test[24];
        snprintf(test, sizeof test, "%s %u", kind_name(r), r->test.n);
        printf("%-10s %7u %5u %7u %5s %10.2f %10.2f %5.1f %% %7.1f", test, r->test.depth, r->test.batch,
               r->threads, cli_kv_name(r->kv), r->median, r->best, 100 * spread(r),
               per_second(r, r->bytes) / 1e9);
        print_share(r->memory_share);
        printf(" %7.1f", per_second(r, macs(r)) / 1e9);
        print_share(r->multiply_share);
        putchar('\n');
    }
}

/* ---- CSV ---- */

static void print_quoted(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"') putchar('"');
        putchar(*text);
    }
    putchar('"');
}

void bench_print_csv(const struct bench_report *report) {
    puts("model,cpu,test,tokens,depth,batch,threads,kv,runs,median_tokens_per_second,best_tokens_per_second,"
         "worst_tokens_per_second,bytes_per_second,memory_share,macs_per_second,multiply_share,"
         "roof_memory_bytes_per_second,roof_int8_macs_per_second,roof_f32_macs_per_second");
    for (size_t i = 0; i < report->n; i++) {
        const struct bench_result *r = &report->results[i];
        print_quoted(bench_model_name(report->model));
        printf(",%s,%s,%u,%u,%u,%u,%s,%u,%.6g,%.6g,%.6g,%.6g,%.4f,%.6g,%.4f,%.6g,%.6g,%.6g\n", report->level,
               kind_name(r), r->test.n, r->test.depth, r->test.batch, r->threads, cli_kv_name(r->kv),
               r->n_runs, r->median, r->best, r->worst, per_second(r, r->bytes), r->memory_share,
               per_second(r, macs(r)), r->multiply_share, r->roof.memory, r->roof.int8, r->roof.f32);
    }
}

/* ---- JSON ---- */

static json_t *result_json(const struct bench_result *r) {
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "test",
                     kind_name(r), "tokens", (json_int_t)r->test.n, "depth", (json_int_t)r->test.depth,
                     "batch", (json_int_t)r->test.batch, "threads", (json_int_t)r->threads, "kv",
                     cli_kv_name(r->kv), "runs", (json_int_t)r->n_runs, "median_tokens_per_second", r->median,
                     "best_tokens_per_second", r->best, "worst_tokens_per_second", r->worst, "spread",
                     spread(r), "bytes_per_second", per_second(r, r->bytes), "memory_share", r->memory_share,
                     "macs_per_second", per_second(r, macs(r)), "multiply_share", r->multiply_share);
}

static json_t *roof_json(const struct bench_result *r) {
    return json_pack("{s:I, s:f, s:f, s:f}", "threads", (json_int_t)r->threads, "memory_bytes_per_second",
                     r->roof.memory, "int8_macs_per_second", r->roof.int8, "f32_macs_per_second",
                     r->roof.f32);
}

/* The first result of a kind, or one of zeros. */
static struct bench_result first(const struct bench_report *report, enum bench_kind kind) {
    for (size_t i = 0; i < report->n; i++)
        if (report->results[i].test.kind == kind) return report->results[i];
    return (struct bench_result){.test = {.kind = kind}};
}

int bench_print_json(const struct bench_report *report) {
    const struct cli_model *model = report->model;
    struct bench_result pp = first(report, BENCH_PROMPT), tg = first(report, BENCH_MADE);
    json_t *results = json_array(), *roofs = json_array();
    int failed = !results || !roofs;
    for (size_t i = 0; i < report->n && !failed; i++) {
        const struct bench_result *r = &report->results[i];
        failed = json_array_append_new(results, result_json(r));
        if (r->roof.int8 > 0 && first_of_threads(report, i))
            failed |= json_array_append_new(roofs, roof_json(r));
    }
    /* "o" takes the arrays, also when packing fails. */
    json_t *line = json_pack(
        "{s:s, s:s%, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:o, s:o}", "model",
        bench_model_name(model), "architecture", model->info.architecture.data, model->info.architecture.n,
        "cpu", report->level, "threads", (json_int_t)(report->n ? report->results[0].threads : 0), "pp",
        (json_int_t)pp.test.n, "tg", (json_int_t)tg.test.n, "pp_tokens_per_second", pp.best,
        "tg_tokens_per_second", tg.best, "pp_tokens_per_second_median", pp.median,
        "tg_tokens_per_second_median", tg.median, "load_ms", report->load_seconds * 1e3, "peak_bytes",
        (json_int_t)report->peak_bytes, "roof", roofs, "results", results);
    if (!line || failed) {
        json_decref(line);
        return cli_fail(CLI_MEMORY, "cannot make the line of JSON (memory, or a name that is not UTF-8)");
    }
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(line);
    return CLI_OK;
}
