/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_work.c: what a run must read and multiply at the least.
 *
 * A step reads every weight once, however many rows it computes, and the keys and values of every token
 * before its rows once; it multiplies every weight with every row. Left out as small: activations, norms, and
 * (at small depth) the products of attention itself, which are not with weights. The table of embeddings is
 * read one row at a time, so it counts only where it is the output matrix as well. */
#include <math.h>
#include <string.h>

#include "apps/cli/bench.h"

static int is(mote_text name, const char *text) {
    return name.n == strlen(text) && !memcmp(name.data, text, name.n);
}

static int is_float(const char *type) {
    return !strcmp(type, "F32") || !strcmp(type, "F16") || !strcmp(type, "BF16");
}

static void add(const mote_tensor_info *tensor, double *bytes, double *int8, double *f32) {
    *bytes += (double)tensor->bytes;
    if (tensor->n_dims < 2) return;
    double elements = 1;
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        elements *= (double)tensor->dims[i];
    *(is_float(tensor->type) ? f32 : int8) += elements;
}

/* What one more position adds to a context: found by asking, so that it holds for every type of cache. */
static int position_bytes(const struct cli_model *model, const mote_context_options *options,
                          const mote_host *host, double *bytes) {
    enum { SMALL = 1024, LARGE = 1024 + 4096 };
    mote_context_options asked = {
        .n_positions = SMALL, .n_sessions = 1, .n_rows = 1, .kv_type = options->kv_type};
    uint64_t small, large;
    mote_error error = {0};
    if (mote_context_plan(model->model, &asked, host, &small, &error)) return cli_model_fail(model, &error);
    asked.n_positions = LARGE;
    if (mote_context_plan(model->model, &asked, host, &large, &error)) return cli_model_fail(model, &error);
    *bytes = (double)(large - small) / (LARGE - SMALL);
    return CLI_OK;
}

int bench_work_count(const struct cli_model *model, const mote_context_options *options,
                     const mote_host *host, struct bench_work *work) {
    struct bench_work w = {0};
    mote_tensor_info table = {0}, tensor;
    int encoder = model->info.is_encoder;
    for (uint32_t i = 0; i < model->info.n_tensors; i++) {
        if (mote_model_tensor(model->model, i, &tensor)) continue;
        if (is(tensor.name, "token_embd.weight"))
            table = tensor;
        else if (encoder && !(tensor.name.n > 4 && !memcmp(tensor.name.data, "blk.", 4)))
            continue; /* rows of tables, and the head, which is not run */
        else if (is(tensor.name, "output.weight"))
            add(&tensor, &w.output_bytes, &w.output_int8, &w.output_f32);
        else
            add(&tensor, &w.layer_bytes, &w.layer_int8, &w.layer_f32);
    }
    if (encoder) {
        *work = w;
        return CLI_OK;
    }
    if (!(w.output_bytes > 0) && table.n_dims) add(&table, &w.output_bytes, &w.output_int8, &w.output_f32);
    int code = position_bytes(model, options, host, &w.position_bytes);
    if (!code) *work = w;
    return code;
}

void bench_work_of(const struct bench_work *w, struct bench_result *result) {
    const struct bench_test *test = &result->test;
    /* passes over the layers, passes over the output matrix, rows of the latter */
    double n = test->n, steps, passes, outputs, rows = n * test->batch, positions = 0;
    if (test->kind == BENCH_ENCODED) {
        steps = 1;
        passes = outputs = 0;
    } else if (test->kind == BENCH_PROMPT) {
        outputs = passes = 1;
        for (uint32_t at = 0; at < test->n; at += BENCH_STEP)
            positions += (double)test->depth + at;
        steps = ceil(n / BENCH_STEP);
    } else {
        steps = passes = n;
        outputs = rows;
        positions = test->batch * (n * test->depth + n * (n - 1) / 2);
    }
    result->bytes = steps * w->layer_bytes + passes * w->output_bytes + positions * w->position_bytes;
    result->int8_macs = rows * w->layer_int8 + outputs * w->output_int8;
    result->f32_macs = rows * w->layer_f32 + outputs * w->output_f32;
}

void bench_work_share(struct bench_result *result, const struct cli_roof *roof) {
    double seconds = bench_seconds(result);
    result->roof = *roof;
    if (!(roof->int8 > 0 && roof->f32 > 0 && seconds > 0)) return;
    if (roof->memory > 0) result->memory_share = result->bytes / roof->memory / seconds;
    result->multiply_share = (result->int8_macs / roof->int8 + result->f32_macs / roof->f32) / seconds;
}

double bench_seconds(const struct bench_result *result) {
    return result->best > 0 ? (double)result->test.n * result->test.batch / result->best : 0;
}
