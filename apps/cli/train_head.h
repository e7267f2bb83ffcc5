/* SPDX-License-Identifier: Apache-2.0
 *
 * train_head.h: what the files of `mote train-head` share: a classifier of vectors, and learning one from
 * labelled ones.
 *
 *     linear      logits = W x + b                      W [C, D]
 *     one hidden  logits = W' relu(W x + b) + b'        W [H, D], W' [C, H]
 *
 * D n_in, H n_hidden, C n_labels. Rows of x and of the matrices are padded with zeros to a multiple of
 * CLI_NET_LANES floats, so that loops over them have no remainders. */
#ifndef MOTE_CLI_TRAIN_HEAD_H
#define MOTE_CLI_TRAIN_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "mote/mote.h"

enum { CLI_NET_LANES = 16 };

static inline size_t cli_net_stride(size_t n) {
    return (n + CLI_NET_LANES - 1) / CLI_NET_LANES * CLI_NET_LANES;
}

struct cli_net {
    uint32_t n_in, n_hidden, n_labels; /* n_hidden 0: linear */
    size_t n_params;
    float *params; /* W, b, W', b', each padded; of a linear one W, b */
};

/* A net of zeros. 0 when memory runs out. Zero-initialise before, close in any case. */
int cli_net_open(struct cli_net *net, uint32_t n_in, uint32_t n_hidden, uint32_t n_labels);
void cli_net_close(struct cli_net *net);

/* Where its parts are: layer 0 is the one that reads x. Row r of the layer's matrix is at weights + r·stride. */
struct cli_net_layer {
    float *weights, *bias;
    uint32_t n_rows, n_columns;
    size_t stride;
};
struct cli_net_layer cli_net_layer(const struct cli_net *net, uint32_t layer);

/* Labelled vectors: x [n, cli_net_stride(n_in)], labels [n] below n_labels. */
struct cli_samples {
    const float *x;
    const uint32_t *labels;
    size_t n;
};

/* The label of each sample, argmax of the logits (the first of equals), and the mean cross entropy, weighted by
 * label where weight [n_labels] is given; predicted may be NULL. Neither depends on the number of threads. 0 when memory runs out. */
int cli_net_judge(const struct cli_net *net, const struct cli_samples *samples, const double *weight,
                  const mote_host *host, uint32_t *predicted, double *loss);

struct cli_fit_options {
    double l2;            /* times half the squared weights (biases apart), beside the sum of the losses */
    const double *weight; /* [n_labels] of a sample of each label; NULL: all 1 */
    uint32_t n_epochs;    /* most passes over the samples */
    uint32_t patience;    /* passes without a better loss on the held-out samples before it stops */
    uint64_t seed;        /* of a hidden layer: where it starts, and the order of the samples */
    /* Called after each pass; anything but 0 ends the learning with cli_fit's CLI_FIT_STOPPED. */
    int (*seen)(void *user, uint32_t epoch, double loss, double held_out_loss);
    void *user;
};

struct cli_fit_result {
    uint32_t n_epochs, best_epoch;
    double loss, held_out_loss; /* of the best epoch */
};

enum cli_fit_status { CLI_FIT_DONE, CLI_FIT_STOPPED, CLI_FIT_MEMORY };

/* Learns a net from samples, starting afresh, and keeps what was best on held_out (without samples there: on
 * the training samples). The same samples, options and seed give the same bits with any number of threads. */
enum cli_fit_status cli_fit(struct cli_net *net, const struct cli_samples *samples,
                            const struct cli_samples *held_out, const struct cli_fit_options *options,
                            const mote_host *host, struct cli_fit_result *result);

/* The sum of weighted losses over samples order[0, n) and its gradient, for the two ways of learning. */
struct cli_gradient;
struct cli_gradient *cli_gradient_open(const struct cli_net *net, const struct cli_samples *samples,
                                       const double *weight, const mote_host *host, uint32_t n_pieces);
void cli_gradient_close(struct cli_gradient *gradient);
/* order NULL: all samples in their order. out [n_params]. */
double cli_gradient_of(struct cli_gradient *gradient, const uint32_t *order, size_t n, float *out);

/* Where results are written or printed. */
struct cli_examples;
struct cli_head_report {
    const struct cli_examples *examples;
    const struct cli_net *net;
    const struct cli_fit_result *fit;
    const uint32_t *predicted; /* [n − n_learn] */
    const char *model, *out;
    double l2;
    uint64_t seed;
    int balanced;
};

/* Accuracy, how each label fares, and what is taken for what, to stdout. Returns CLI_OK or an exit code. */
int cli_head_report(const struct cli_head_report *report, int as_json);

/* Writes a model with the net as its head: all of the model's file but the head and labels it may have had.
 * Returns CLI_OK or an exit code with a message printed. */
struct cli_model;
int cli_head_save(const char *out, const struct cli_model *model, const struct cli_net *net,
                  const mote_text *labels);

/* A seeded generator of its own, so that a seed means the same on every machine. */
uint64_t cli_random(uint64_t *state);
void cli_shuffle(uint32_t *list, size_t n, uint64_t *state);

#endif
