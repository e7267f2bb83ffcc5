/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder_ref.c: what only encoders need, in plain loops: layer norm, GELU, tanh. This file is the definition;
 * the same on vectors (encoder_lanes.h) must find the same bits. Sums run in sixteen lanes, element i in lane
 * i % 16, which are added by one tree. */
#include "kernel/level.h"

#include "base/math.h"

enum { LANES = 16 };

/* Adds lanes 8 apart, then 4, 2, 1. */
static float tree(float *lane) {
    for (int step = LANES / 2; step; step /= 2)
        for (int j = 0; j < step; j++)
            lane[j] = lane[j] + lane[j + step];
    return lane[0];
}

static void layer_norm(const float *x, const float *weight, const float *bias, uint32_t n, float eps,
                       float *y) {
    float sum[LANES] = {0}, square[LANES] = {0};
    for (uint32_t i = 0; i < n; i++)
        sum[i % LANES] = sum[i % LANES] + x[i];
    float mean = tree(sum) / (float)n;
    for (uint32_t i = 0; i < n; i++)
        square[i % LANES] = square[i % LANES] + (x[i] - mean) * (x[i] - mean);
    float inverse = 1.0f / __builtin_sqrtf(tree(square) / (float)n + eps);
    for (uint32_t i = 0; i < n; i++) {
        float value = (x[i] - mean) * inverse * weight[i];
        y[i] = bias ? value + bias[i] : value;
    }
}

static void gelu(const float *x, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i++)
        y[i] = mote_base_gelu(x[i]);
}

static void tanh_all(const float *x, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i++)
        y[i] = mote_base_tanh(x[i]);
}

void mote_kernel_encoder_overlay__ref(struct mote_kernels *table) {
    table->layer_norm = layer_norm;
    table->gelu = gelu;
    table->tanh = tanh_all;
}
