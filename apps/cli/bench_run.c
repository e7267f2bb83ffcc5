/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_run.c: runs a test. Each of several conversations holds its own keys and values, all of them
 * computed: a context shared between them would stay in a cache and flatter the figure. Before the clock
 * starts a few tokens are computed and forgotten, so that weights and pages are there. */
#include <stdlib.h>

#include "apps/cli/bench.h"

static int fail(mote_status status) {
    return cli_fail(cli_status_code(status), "bench: %s", mote_status_text(status));
}

/* Some token of the vocabulary, always the same at one place. Speed does not depend on which it is. */
static mote_token token_at(const struct bench_stage *stage, uint32_t at) {
    return (mote_token)((uint64_t)(at + 1) * 7919 % stage->model->info.n_vocab);
}

static int open_encoder(struct bench_stage *stage, uint32_t n) {
    const mote_model_info *info = &stage->model->info;
    stage->texts = calloc(n, sizeof *stage->texts);
    stage->tokens = calloc(info->n_context, sizeof *stage->tokens);
    stage->vectors = calloc((size_t)n * info->n_model, sizeof *stage->vectors);
    if (!stage->texts || !stage->tokens || !stage->vectors)
        return cli_fail(CLI_MEMORY, "bench: not enough memory");
    for (uint32_t i = 0; i < info->n_context; i++)
        stage->tokens[i] = token_at(stage, i);
    return CLI_OK;
}

int bench_stage_open(struct bench_stage *stage, struct cli_model *model, uint32_t n) {
    *stage = (struct bench_stage){.model = model};
    if (model->info.is_encoder) return open_encoder(stage, n);
    stage->sessions = calloc(n, sizeof(void *));
    stage->rows = calloc(n > BENCH_STEP ? n : BENCH_STEP, sizeof *stage->rows);
    if (!stage->sessions || !stage->rows) return cli_fail(CLI_MEMORY, "bench: not enough memory");
    for (; stage->n < n; stage->n++) {
        mote_status status = mote_session_open(model->context, &stage->sessions[stage->n]);
        if (status) return fail(status);
    }
    return CLI_OK;
}

void bench_stage_close(struct bench_stage *stage) {
    for (uint32_t i = 0; i < stage->n; i++)
        mote_session_close(stage->sessions[i]);
    free(stage->sessions);
    free(stage->rows);
    free(stage->texts);
    free(stage->tokens);
    free(stage->vectors);
    *stage = (struct bench_stage){0};
}

static int step(struct bench_stage *stage, uint32_t n_rows) {
    mote_error error = {0};
    if (mote_context_step(stage->model->context, stage->rows, n_rows, &error))
        return cli_model_fail(stage->model, &error);
    return cli_interrupted ? CLI_INTERRUPTED : CLI_OK;
}

/* n more tokens of one conversation, the logits of the last if they are wanted. */
static int read_tokens(struct bench_stage *stage, uint32_t session, uint32_t n, int want_logits) {
    uint32_t at = mote_session_length(stage->sessions[session]);
    for (uint32_t done = 0; done < n;) {
        uint32_t n_rows = n - done < BENCH_STEP ? n - done : BENCH_STEP;
        for (uint32_t i = 0; i < n_rows; i++)
            stage->rows[i] = (mote_row){stage->sessions[session], token_at(stage, at + done + i),
                                        want_logits && done + i + 1 == n};
        int code = step(stage, n_rows);
        if (code) return code;
        done += n_rows;
    }
    return CLI_OK;
}

static int make_tokens(struct bench_stage *stage, uint32_t batch, uint32_t n) {
    for (uint32_t done = 0; done < n; done++) {
        for (uint32_t i = 0; i < batch; i++)
            stage->rows[i] = (mote_row){stage->sessions[i],
                                        token_at(stage, mote_session_length(stage->sessions[i]) + i), 1};
        int code = step(stage, batch);
        if (code) return code;
    }
    return CLI_OK;
}

/* Brings the first n conversations to that many tokens. */
static int reach(struct bench_stage *stage, uint32_t n, uint32_t depth) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = mote_session_length(stage->sessions[i]);
        if (length > depth) {
            mote_status status = mote_session_truncate(stage->sessions[i], depth);
            if (status) return fail(status);
        } else {
            int code = read_tokens(stage, i, depth - length, 0);
            if (code) return code;
        }
    }
    return CLI_OK;
}

static int encode(struct bench_stage *stage, uint32_t batch, uint32_t n) {
    mote_error error = {0};
    for (uint32_t i = 0; i < batch; i++)
        stage->texts[i] = (mote_sequence){.tokens = stage->tokens, .n = n};
    if (mote_context_encode(stage->model->context, stage->texts, batch, MOTE_POOLING_MEAN, stage->vectors,
                            NULL, &error))
        return cli_model_fail(stage->model, &error);
    return cli_interrupted ? CLI_INTERRUPTED : CLI_OK;
}

static int run_once(struct bench_stage *stage, const struct bench_test *test, uint32_t n) {
    if (test->kind == BENCH_ENCODED) return encode(stage, test->batch, n);
    if (test->kind == BENCH_PROMPT) return read_tokens(stage, 0, n, 1);
    return make_tokens(stage, test->batch, n);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int bench_run(struct bench_stage *stage, uint32_t n_runs, struct cli_progress *progress,
              struct bench_result *result) {
    const struct bench_test *test = &result->test;
    enum { WARM = 8 };
    double seconds[BENCH_MOST_RUNS], rows = (double)test->n * test->batch;
    int encoder = test->kind == BENCH_ENCODED,
        code = encoder ? CLI_OK : reach(stage, test->batch, test->depth);
    if (!code) code = run_once(stage, test, test->n < WARM ? test->n : WARM);
    uint32_t n = 0;
    while (n < n_runs && !code) {
        if (!encoder) code = reach(stage, test->batch, test->depth);
        double start = cli_clock();
        if (!code) code = run_once(stage, test, test->n);
        double took = cli_clock() - start;
        if (code) break;
        seconds[n++] = took > 1e-9 ? took : 1e-9;
        cli_progress_move(progress, progress->done + 1);
    }
    result->n_runs = n;
    if (!n) return code;
    qsort(seconds, n, sizeof *seconds, compare);
    result->best = rows / seconds[0];
    result->worst = rows / seconds[n - 1];
    result->median = rows / (n % 2 ? seconds[n / 2] : (seconds[n / 2 - 1] + seconds[n / 2]) / 2);
    return code;
}
