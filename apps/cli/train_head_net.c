/* SPDX-License-Identifier: Apache-2.0
 *
 * train_head_net.c: the net, its losses and its gradient.
 *
 * Samples are cut into pieces, whose number does not depend on the threads; each piece adds up its own
 * gradient in order, and the pieces are added in order. Inside a row, sixteen partial sums and one fixed tree.
 * So the result is the same with any number of threads.
 *
 *     p = softmax(logits)   dlogits = weight (p − one at the label)   dW += dlogits xᵀ   db += dlogits
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/train_head.h"

enum { LANES = CLI_NET_LANES, ROWS = 4, JUDGE_PIECES = 16 };

int cli_net_open(struct cli_net *net, uint32_t n_in, uint32_t n_hidden, uint32_t n_labels) {
    size_t in = cli_net_stride(n_in), hidden = cli_net_stride(n_hidden), out = cli_net_stride(n_labels);
    *net = (struct cli_net){.n_in = n_in, .n_hidden = n_hidden, .n_labels = n_labels};
    net->n_params = n_hidden ? n_hidden * in + hidden + n_labels * hidden + out : n_labels * in + out;
    net->params = calloc(net->n_params, sizeof *net->params);
    return net->params != NULL;
}

void cli_net_close(struct cli_net *net) {
    free(net->params);
    *net = (struct cli_net){0};
}

/* The same cut of any vector laid out as the parameters are, such as a gradient. */
static struct cli_net_layer layer_in(const struct cli_net *net, float *params, uint32_t layer) {
    size_t in = cli_net_stride(net->n_in), hidden = cli_net_stride(net->n_hidden);
    uint32_t n_first = net->n_hidden ? net->n_hidden : net->n_labels;
    if (!layer) return (struct cli_net_layer){params, params + n_first * in, n_first, net->n_in, in};
    float *second = params + n_first * in + hidden;
    return (struct cli_net_layer){second, second + net->n_labels * hidden, net->n_labels, net->n_hidden,
                                  hidden};
}

struct cli_net_layer cli_net_layer(const struct cli_net *net, uint32_t layer) {
    return layer_in(net, net->params, layer);
}

/* ---- rows of floats, n a multiple of LANES ---- */

static float dot(const float *restrict a, const float *restrict b, size_t n) {
    float sum[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES)
        for (int k = 0; k < LANES; k++)
            sum[k] += a[i + k] * b[i + k];
    for (int width = LANES / 2; width; width /= 2)
        for (int k = 0; k < width; k++)
            sum[k] += sum[k + width];
    return sum[0];
}

static void add_scaled(float *restrict y, float a, const float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i += LANES)
        for (int k = 0; k < LANES; k++)
            y[i + k] += a * x[i + k];
}

/* ---- one sample ---- */

static void apply(const struct cli_net_layer *layer, const float *x, float *y) {
    for (uint32_t r = 0; r < layer->n_rows; r++)
        y[r] = dot(layer->weights + r * layer->stride, x, layer->stride) + layer->bias[r];
}

/* hidden [stride of n_hidden], zero behind n_hidden. */
static void forward(const struct cli_net *net, const float *x, float *hidden, float *logits) {
    struct cli_net_layer first = cli_net_layer(net, 0);
    apply(&first, x, net->n_hidden ? hidden : logits);
    if (!net->n_hidden) return;
    for (uint32_t h = 0; h < net->n_hidden; h++)
        hidden[h] = hidden[h] > 0 ? hidden[h] : 0;
    struct cli_net_layer second = cli_net_layer(net, 1);
    apply(&second, hidden, logits);
}

/* logits → probabilities; returns the cross entropy of the label. */
static double softmax(float *logits, uint32_t n, uint32_t label) {
    float most = logits[0];
    for (uint32_t c = 1; c < n; c++)
        most = logits[c] > most ? logits[c] : most;
    double sum = 0, own = (double)logits[label] - (double)most;
    for (uint32_t c = 0; c < n; c++) {
        logits[c] = expf(logits[c] - most);
        sum += (double)logits[c];
    }
    for (uint32_t c = 0; c < n; c++)
        logits[c] = (float)((double)logits[c] / sum);
    return log(sum) - own;
}

/* ---- judging ---- */

struct judging {
    const struct cli_net *net;
    const struct cli_samples *samples;
    const double *weight;
    uint32_t *predicted;
    float *work; /* [JUDGE_PIECES, hidden and logits] */
    double loss[JUDGE_PIECES], total[JUDGE_PIECES];
};

static size_t work_floats(const struct cli_net *net) {
    return cli_net_stride(net->n_hidden) + cli_net_stride(net->n_labels);
}

static void judge_piece(void *argument, uint32_t i, uint32_t worker) {
    struct judging *job = argument;
    const struct cli_net *net = job->net;
    size_t n = job->samples->n, begin = n * i / JUDGE_PIECES, end = n * (i + 1) / JUDGE_PIECES;
    float *hidden = job->work + i * work_floats(net), *logits = hidden + cli_net_stride(net->n_hidden);
    (void)worker;
    for (size_t s = begin; s < end; s++) {
        uint32_t best = 0;
        forward(net, job->samples->x + s * cli_net_stride(net->n_in), hidden, logits);
        for (uint32_t c = 1; c < net->n_labels; c++)
            if (logits[c] > logits[best]) best = c;
        if (job->predicted) job->predicted[s] = best;
        uint32_t label = job->samples->labels[s];
        double weight = job->weight ? job->weight[label] : 1;
        job->loss[i] += weight * softmax(logits, net->n_labels, label);
        job->total[i] += weight;
    }
}

static void spread(const mote_host *host, uint32_t n, mote_work *work, void *argument) {
    if (host && host->parallel_for)
        host->parallel_for(host->user, n, work, argument);
    else
        for (uint32_t i = 0; i < n; i++)
            work(argument, i, 0);
}

int cli_net_judge(const struct cli_net *net, const struct cli_samples *samples, const double *weight,
                  const mote_host *host, uint32_t *predicted, double *loss) {
    struct judging job = {.net = net, .samples = samples, .weight = weight, .predicted = predicted};
    double total = 0;
    job.work = calloc(JUDGE_PIECES * work_floats(net), sizeof *job.work);
    if (!job.work) return 0;
    spread(host, JUDGE_PIECES, judge_piece, &job);
    *loss = 0;
    for (int i = 0; i < JUDGE_PIECES; i++) {
        *loss += job.loss[i];
        total += job.total[i];
    }
    if (total > 0) *loss /= total;
    free(job.work);
    return 1;
}

/* ---- the gradient ---- */

struct cli_gradient {
    const struct cli_net *net;
    const struct cli_samples *samples;
    const double *weight;
    const mote_host *host;
    uint32_t n_pieces;
    float *sums; /* [n_pieces, n_params] */
    float *work; /* [n_pieces, ROWS, hidden, logits, dhidden] */
    double *loss;
    /* of the call */
    const uint32_t *order;
    size_t n;
};

static size_t row_floats(const struct cli_net *net) {
    return work_floats(net) + cli_net_stride(net->n_hidden);
}

struct cli_gradient *cli_gradient_open(const struct cli_net *net, const struct cli_samples *samples,
                                       const double *weight, const mote_host *host, uint32_t n_pieces) {
    struct cli_gradient *g = malloc(sizeof *g);
    if (!g) return NULL;
    *g = (struct cli_gradient){net, samples, weight, host, n_pieces, NULL, NULL, NULL, NULL, 0};
    g->sums = malloc(n_pieces * net->n_params * sizeof *g->sums);
    g->work = calloc(n_pieces * ROWS * row_floats(net), sizeof *g->work);
    g->loss = calloc(n_pieces, sizeof *g->loss);
    if (g->sums && g->work && g->loss) return g;
    cli_gradient_close(g);
    return NULL;
}

void cli_gradient_close(struct cli_gradient *g) {
    if (!g) return;
    free(g->sums);
    free(g->work);
    free(g->loss);
    free(g);
}

/* sum += delta · xᵀ for n samples at once: a row of the sum is read and written once for all of them. */
static void add_outer(const struct cli_net_layer *sum, const float *const *delta, const float *const *x,
                      size_t n) {
    for (uint32_t r = 0; r < sum->n_rows; r++) {
        float *row = sum->weights + r * sum->stride;
        if (n == ROWS) {
            float d0 = delta[0][r], d1 = delta[1][r], d2 = delta[2][r], d3 = delta[3][r];
            const float *restrict x0 = x[0], *restrict x1 = x[1], *restrict x2 = x[2], *restrict x3 = x[3];
            for (size_t i = 0; i < sum->stride; i += LANES)
                for (int k = 0; k < LANES; k++)
                    row[i + k] += d0 * x0[i + k] + d1 * x1[i + k] + d2 * x2[i + k] + d3 * x3[i + k];
        } else {
            for (size_t j = 0; j < n; j++)
                add_scaled(row, delta[j][r], x[j], sum->stride);
        }
        for (size_t j = 0; j < n; j++)
            sum->bias[r] += delta[j][r];
    }
}

/* dhidden = W'ᵀ dlogits where the hidden value was above zero. */
static void go_back(const struct cli_net *net, const float *dlogits, const float *hidden, float *dhidden) {
    struct cli_net_layer second = cli_net_layer(net, 1);
    memset(dhidden, 0, second.stride * sizeof *dhidden);
    for (uint32_t c = 0; c < second.n_rows; c++)
        add_scaled(dhidden, dlogits[c], second.weights + c * second.stride, second.stride);
    for (uint32_t h = 0; h < net->n_hidden; h++)
        if (hidden[h] <= 0) dhidden[h] = 0;
}

static void gradient_piece(void *argument, uint32_t i, uint32_t worker) {
    struct cli_gradient *g = argument;
    const struct cli_net *net = g->net;
    size_t begin = g->n * i / g->n_pieces, end = g->n * (i + 1) / g->n_pieces;
    float *sums = g->sums + i * net->n_params, *work = g->work + i * ROWS * row_floats(net);
    struct cli_net_layer first = layer_in(net, sums, 0), second = layer_in(net, sums, 1);
    (void)worker;
    memset(sums, 0, net->n_params * sizeof *sums);
    g->loss[i] = 0;
    for (size_t s = begin, n; s < end; s += n) {
        const float *x[ROWS], *hidden[ROWS], *dlogits[ROWS], *dhidden[ROWS];
        n = end - s < ROWS ? end - s : ROWS;
        for (size_t j = 0; j < n; j++) {
            uint32_t sample = g->order ? g->order[s + j] : (uint32_t)(s + j);
            uint32_t label = g->samples->labels[sample];
            float *h = work + j * row_floats(net), *logits = h + cli_net_stride(net->n_hidden);
            float *dh = logits + cli_net_stride(net->n_labels);
            double weight = g->weight ? g->weight[label] : 1;
            x[j] = g->samples->x + sample * cli_net_stride(net->n_in);
            forward(net, x[j], h, logits);
            g->loss[i] += weight * softmax(logits, net->n_labels, label);
            logits[label] -= 1;
            for (uint32_t c = 0; c < net->n_labels; c++)
                logits[c] *= (float)weight;
            if (net->n_hidden) go_back(net, logits, h, dh);
            hidden[j] = h, dlogits[j] = logits, dhidden[j] = dh;
        }
        add_outer(&first, net->n_hidden ? dhidden : dlogits, x, n);
        if (net->n_hidden) add_outer(&second, dlogits, hidden, n);
    }
}

double cli_gradient_of(struct cli_gradient *g, const uint32_t *order, size_t n, float *out) {
    size_t n_params = g->net->n_params;
    g->order = order;
    g->n = order ? n : g->samples->n;
    spread(g->host, g->n_pieces, gradient_piece, g);
    double loss = g->loss[0];
    memcpy(out, g->sums, n_params * sizeof *out);
    for (uint32_t i = 1; i < g->n_pieces; i++) {
        loss += g->loss[i];
        for (size_t k = 0; k < n_params; k++)
            out[k] += g->sums[i * n_params + k];
    }
    return loss;
}

/* ---- chance ---- */

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
uint64_t cli_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void cli_shuffle(uint32_t *list, size_t n, uint64_t *state) {
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)(cli_random(state) % i);
        uint32_t kept = list[i - 1];
        list[i - 1] = list[j];
        list[j] = kept;
    }
}
