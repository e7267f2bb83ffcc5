/* SPDX-License-Identifier: Apache-2.0
 *
 * bench.h: what the files of `mote bench` share. A bench is a matrix of tests, each run several times:
 *
 *     pp   reads a prompt of n tokens, on top of a context of depth tokens
 *     tg   makes n tokens in each of batch conversations, one step for all of them, at that depth
 *     enc  encodes batch texts of n tokens: the one test of an encoder
 *
 * and for each test what the machine must do at the least, counted from the shapes of the model (bench_work):
 * bytes to read from memory, and multiply-adds of 8-bit numbers and of floats with weights. Held against the
 * limits of the machine (roof.h) they say how far from them a figure is. */
#ifndef MOTE_CLI_BENCH_H
#define MOTE_CLI_BENCH_H

#include "apps/cli/model.h"
#include "apps/cli/roof.h"

enum { BENCH_MOST_RUNS = 100, BENCH_MOST_TESTS = 4096, BENCH_STEP = 128 };

struct bench_request {
    struct cli_counts prompts, made, depths, batches, threads;
    struct cli_kvs kvs;
    uint32_t cpu, n_runs;
    int json, csv, no_roof, yes;
    const char *plot;
};

enum bench_kind { BENCH_PROMPT, BENCH_MADE, BENCH_ENCODED };

struct bench_test {
    enum bench_kind kind;
    uint32_t n, depth, batch; /* tokens of each conversation or text; batch is 1 for a prompt */
};

/* What one step costs that computes rows: layers for every row, the output matrix where logits are wanted. */
struct bench_work {
    double layer_bytes, output_bytes, position_bytes;      /* the last: keys and values of one token */
    double layer_int8, layer_f32, output_int8, output_f32; /* multiply-adds a row */
};

struct bench_result {
    struct bench_test test;
    uint32_t threads, n_runs;
    mote_kv_type kv;
    double best, median, worst;          /* tokens a second, all conversations together */
    double bytes, int8_macs, f32_macs;   /* of one run */
    double memory_share, multiply_share; /* of the limits, for the best run; 0: limits not measured */
    struct cli_roof roof;                /* for that many threads */
};

struct bench_report {
    const struct cli_model *model;
    const char *level;
    double load_seconds;
    uint64_t peak_bytes; /* resident, after the tests of the first number of threads */
    struct bench_result *results;
    size_t n, most;
};

/* bench_work.c */
int bench_work_count(const struct cli_model *model, const mote_context_options *options,
                     const mote_host *host, struct bench_work *work);
void bench_work_of(const struct bench_work *work, struct bench_result *result);
void bench_work_share(struct bench_result *result, const struct cli_roof *roof);
double bench_seconds(const struct bench_result *result); /* of the best run */

/* bench_run.c: the sessions of one context, and running tests in them. */
struct bench_stage {
    struct cli_model *model;
    mote_session **sessions; /* [n] */
    mote_row *rows;          /* [max(n, BENCH_STEP)] */
    uint32_t n;
    mote_sequence *texts; /* of an encoder [n], each of the same tokens */
    mote_token *tokens;   /* [n_context] */
    float *vectors;       /* [n, D] */
};
int bench_stage_open(struct bench_stage *stage, struct cli_model *model, uint32_t n);
void bench_stage_close(struct bench_stage *stage);
/* Fills in n_runs, best, median, worst. Interrupted: CLI_INTERRUPTED, with the runs that were finished. */
int bench_run(struct bench_stage *stage, uint32_t n_runs, struct cli_progress *progress,
              struct bench_result *result);

/* bench_print.c */
void bench_print_table(const struct bench_report *report);
void bench_print_csv(const struct bench_report *report);
int bench_print_json(const struct bench_report *report);
/* The file's name without its folders. */
const char *bench_model_name(const struct cli_model *model);

/* bench_plot.c: the roofline as SVG. */
void bench_plot(const struct bench_report *report, FILE *out);

#endif
