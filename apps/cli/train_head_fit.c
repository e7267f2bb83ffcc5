/* SPDX-License-Identifier: Apache-2.0
 *
 * train_head_fit.c: learning a net.
 *
 * A linear one is a convex problem and is solved as such: L-BFGS over all samples at once (Nocedal and Wright,
 * "Numerical Optimization", algorithms 7.4 and 7.5), each step halved until it brings the loss down enough.
 * With a hidden layer: Adam (Kingma and Ba, 2015) over batches of shuffled samples. What is minimised is
 *
 *     (Σ weight(label) · loss + l2/2 · |W|²) / Σ weight(label)
 *
 * After each pass the held-out samples are judged; the best parameters are kept, and when some passes in a row
 * have not been better, it is over. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/train_head.h"

enum { MEMORY = 10, HALVINGS = 20, FULL_PIECES = 16, BATCH = 64, BATCH_PIECES = 4 };

struct fit {
    struct cli_net *net;
    const struct cli_samples *samples, *held_out;
    const struct cli_fit_options *options;
    const mote_host *host;
    struct cli_fit_result *result;
    struct cli_gradient *gradient;
    double total; /* Σ weight(label) over the samples */
    float *best;  /* [n_params] */
    uint32_t waited;
};

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* The loss with its penalty, both shared out over share of the samples' weight, and its gradient. */
static double objective(const struct fit *f, const uint32_t *order, size_t n, double weight,
                        float *gradient) {
    double loss = cli_gradient_of(f->gradient, order, n, gradient), penalty = 0;
    double l2 = f->options->l2 / f->total;
    for (size_t i = 0; i < f->net->n_params; i++)
        gradient[i] = (float)((double)gradient[i] / weight);
    for (uint32_t k = 0; k < (f->net->n_hidden ? 2u : 1u); k++) {
        struct cli_net_layer layer = cli_net_layer(f->net, k);
        size_t at = (size_t)(layer.weights - f->net->params), n_weights = layer.n_rows * layer.stride;
        penalty += dot(layer.weights, layer.weights, n_weights);
        for (size_t i = 0; i < n_weights; i++)
            gradient[at + i] += (float)(l2 * (double)layer.weights[i]);
    }
    return loss / weight + l2 / 2 * penalty;
}

/* Judges the net after a pass. Returns 1 to go on, 0 when it is over, else sets *status too. */
static int goes_on(struct fit *f, uint32_t epoch, double loss, enum cli_fit_status *status) {
    struct cli_fit_result *result = f->result;
    double held_out = loss;
    if (f->held_out->n && !cli_net_judge(f->net, f->held_out, f->options->weight, f->host, NULL, &held_out))
        return *status = CLI_FIT_MEMORY, 0;
    result->n_epochs = epoch;
    if (epoch == 1 || held_out < result->held_out_loss) {
        result->best_epoch = epoch;
        result->held_out_loss = held_out;
        result->loss = loss;
        memcpy(f->best, f->net->params, f->net->n_params * sizeof *f->best);
        f->waited = 0;
    } else {
        f->waited++;
    }
    if (f->options->seen && f->options->seen(f->options->user, epoch, loss, held_out))
        return *status = CLI_FIT_STOPPED, 0;
    return f->waited < f->options->patience && epoch < f->options->n_epochs;
}

/* ---- L-BFGS ---- */

struct memory {
    float *s[MEMORY], *y[MEMORY]; /* steps and changes of the gradient; a ring, next is the oldest */
    double rho[MEMORY];
    uint32_t n, next;
};

/* direction = −H gradient, by the two loops over what is remembered. */
static void find_direction(const struct memory *m, const float *gradient, float *direction, size_t n) {
    double alpha[MEMORY], scale = 1;
    for (size_t i = 0; i < n; i++)
        direction[i] = -gradient[i];
    for (uint32_t k = 0; k < m->n; k++) {
        uint32_t at = (m->next + MEMORY - 1 - k) % MEMORY;
        alpha[at] = m->rho[at] * dot(m->s[at], direction, n);
        for (size_t i = 0; i < n; i++)
            direction[i] -= (float)(alpha[at] * (double)m->y[at][i]);
    }
    if (m->n) {
        uint32_t at = (m->next + MEMORY - 1) % MEMORY;
        scale = 1 / (m->rho[at] * dot(m->y[at], m->y[at], n));
    } else {
        double length = sqrt(dot(gradient, gradient, n));
        scale = length > 1 ? 1 / length : 1;
    }
    for (size_t i = 0; i < n; i++)
        direction[i] = (float)(scale * (double)direction[i]);
    for (uint32_t k = m->n; k-- > 0;) {
        uint32_t at = (m->next + MEMORY - 1 - k) % MEMORY;
        double beta = m->rho[at] * dot(m->y[at], direction, n);
        for (size_t i = 0; i < n; i++)
            direction[i] += (float)((alpha[at] - beta) * (double)m->s[at][i]);
    }
}

/* Remembers the step params − before and the change of the gradient, if the curvature along it is sound. */
static void remember(struct memory *m, const float *params, const float *before, const float *gradient,
                     const float *old, size_t n) {
    float *s = m->s[m->next], *y = m->y[m->next];
    for (size_t i = 0; i < n; i++) {
        s[i] = params[i] - before[i];
        y[i] = gradient[i] - old[i];
    }
    double curvature = dot(s, y, n);
    if (!(curvature > 1e-10 * dot(y, y, n))) return;
    m->rho[m->next] = 1 / curvature;
    m->next = (m->next + 1) % MEMORY;
    if (m->n < MEMORY) m->n++;
}

/* space [3 + 2·MEMORY, n_params] */
static enum cli_fit_status descend(struct fit *f, float *space) {
    size_t n = f->net->n_params;
    float *params = f->net->params, *gradient = space, *old = space + n, *direction = space + 2 * n;
    float *before = f->best + n;
    struct memory memory = {.n = 0};
    for (uint32_t k = 0; k < MEMORY; k++) {
        memory.s[k] = space + (3 + k) * n;
        memory.y[k] = space + (3 + MEMORY + k) * n;
    }
    enum cli_fit_status status = CLI_FIT_DONE;
    double loss = objective(f, NULL, 0, f->total, gradient);
    for (uint32_t epoch = 1;; epoch++) {
        find_direction(&memory, gradient, direction, n);
        double slope = dot(gradient, direction, n), step = 1, next = loss;
        memcpy(before, params, n * sizeof *before);
        memcpy(old, gradient, n * sizeof *old);
        for (int tries = 0; tries <= HALVINGS; tries++) {
            for (size_t i = 0; i < n; i++)
                params[i] = before[i] + (float)(step * (double)direction[i]);
            next = objective(f, NULL, 0, f->total, gradient);
            if (next <= loss + 1e-4 * step * slope) break;
            step /= 2;
        }
        if (!(next < loss)) { /* nothing left that a float can show */
            memcpy(params, before, n * sizeof *params);
            if (epoch == 1) goes_on(f, epoch, loss, &status);
            return status;
        }
        remember(&memory, params, before, gradient, old, n);
        double gain = loss - next;
        loss = next;
        if (!goes_on(f, epoch, loss, &status) || gain < 1e-7 * (1 + loss)) return status;
    }
}

/* ---- Adam ---- */

/* A hidden layer starts with uniform weights of variance 2/D, the output with those of 1/H. */
static void start_anywhere(const struct cli_net *net, uint64_t *random) {
    for (uint32_t k = 0; k < 2; k++) {
        struct cli_net_layer layer = cli_net_layer(net, k);
        double reach = sqrt((k ? 3.0 : 6.0) / layer.n_columns);
        for (uint32_t r = 0; r < layer.n_rows; r++)
            for (uint32_t c = 0; c < layer.n_columns; c++) {
                double u = (double)(cli_random(random) >> 11) * 0x1p-52 - 1; /* [−1, 1) */
                layer.weights[r * layer.stride + c] = (float)(reach * u);
            }
    }
}

/* space [3, n_params]; order [samples] */
static enum cli_fit_status wander(struct fit *f, float *space, uint32_t *order) {
    const double rate = 1e-3, keep_mean = 0.9, keep_square = 0.999;
    size_t n = f->net->n_params, n_samples = f->samples->n;
    float *gradient = space, *mean = space + n, *square = space + 2 * n;
    enum cli_fit_status status = CLI_FIT_DONE;
    uint64_t random = f->options->seed;
    double mean_left = 1, square_left = 1; /* what the averages still have of their start at 0 */
    memset(mean, 0, 2 * n * sizeof *mean);
    start_anywhere(f->net, &random);
    for (size_t i = 0; i < n_samples; i++)
        order[i] = (uint32_t)i;
    for (uint32_t epoch = 1;; epoch++) {
        double loss = 0;
        cli_shuffle(order, n_samples, &random);
        for (size_t at = 0, m; at < n_samples; at += m) {
            m = n_samples - at < BATCH ? n_samples - at : BATCH;
            double weight = f->total / (double)n_samples * (double)m;
            loss += objective(f, order + at, m, weight, gradient) * (double)m;
            mean_left *= keep_mean;
            square_left *= keep_square;
            for (size_t i = 0; i < n; i++) {
                double g = (double)gradient[i];
                mean[i] = (float)(keep_mean * (double)mean[i] + (1 - keep_mean) * g);
                square[i] = (float)(keep_square * (double)square[i] + (1 - keep_square) * g * g);
                double length = sqrt((double)square[i] / (1 - square_left)) + 1e-8;
                f->net->params[i] -= (float)(rate * (double)mean[i] / (1 - mean_left) / length);
            }
        }
        if (!goes_on(f, epoch, loss / (double)n_samples, &status)) return status;
    }
}

/* ---- both ---- */

enum cli_fit_status cli_fit(struct cli_net *net, const struct cli_samples *samples,
                            const struct cli_samples *held_out, const struct cli_fit_options *options,
                            const mote_host *host, struct cli_fit_result *result) {
    struct fit f = {net, samples, held_out, options, host, result, NULL, 0, NULL, 0};
    size_t n = net->n_params, n_rows = net->n_hidden ? 3 : 3 + 2 * MEMORY;
    float *space = calloc(n_rows * n, sizeof *space);
    uint32_t *order = calloc(samples->n + 1, sizeof *order);
    enum cli_fit_status status = CLI_FIT_MEMORY;
    f.best = calloc(2 * n, sizeof *f.best); /* the best, and those before a step */
    f.gradient =
        cli_gradient_open(net, samples, options->weight, host, net->n_hidden ? BATCH_PIECES : FULL_PIECES);
    for (size_t i = 0; i < samples->n; i++)
        f.total += options->weight ? options->weight[samples->labels[i]] : 1;
    memset(net->params, 0, n * sizeof *net->params);
    *result = (struct cli_fit_result){0};
    if (space && order && f.best && f.gradient)
        status = net->n_hidden ? wander(&f, space, order) : descend(&f, space);
    if (status == CLI_FIT_DONE) memcpy(net->params, f.best, n * sizeof *net->params);
    cli_gradient_close(f.gradient);
    free(f.best);
    free(order);
    free(space);
    return status;
}
