/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder_simd128.c: what only encoders need (encoder_ref.c) in WebAssembly; sixteen lanes are four vectors. A row's
 * last elements, where they fill no vector, are taken one by one, or for GELU as part of sixteen. */
#include "kernel/level.h"

#if defined(__wasm_simd128__)

#include "base/math.h"
#include "kernel/vector_wasm.h"

enum { LANES = 16 };

INLINE vector add(vector a, vector b) {
    return wasm_f32x4_add(a, b);
}

INLINE vector multiply(vector a, vector b) {
    return wasm_f32x4_mul(a, b);
}

/* Σ (x − from) / n, or Σ (x − from)² / n, by lanes and the tree. */
PART float average(const float *x, uint32_t n, float from, int squared) {
    float sum[LANES] = {0};
    uint32_t i = 0;
    ROLLED
    for (; i + 4 <= n; i += 4) {
        float *lane = sum + i % LANES;
        vector distance = wasm_f32x4_sub(load(x + i), wasm_f32x4_splat(from));
        if (squared) distance = multiply(distance, distance);
        store(lane, add(load(lane), distance));
    }
    ROLLED
    for (; i < n; i++) {
        float distance = x[i] - from;
        sum[i % LANES] += squared ? distance * distance : distance;
    }
    vector four = add(add(load(sum), load(sum + 8)), add(load(sum + 4), load(sum + 12)));
    four = add(four, wasm_i64x2_shuffle(four, four, 1, 0));
    return (wasm_f32x4_extract_lane(four, 0) + wasm_f32x4_extract_lane(four, 1)) / (float)n;
}

static void layer_norm(const float *x, const float *weight, const float *bias, uint32_t n, float eps,
                       float *y) {
    float mean = average(x, n, 0, 0), inverse = 1.0f / __builtin_sqrtf(average(x, n, mean, 1) + eps);
    uint32_t i = 0;
    ROLLED
    for (; i + 4 <= n; i += 4) {
        vector v = wasm_f32x4_sub(load(x + i), wasm_f32x4_splat(mean));
        v = multiply(multiply(v, wasm_f32x4_splat(inverse)), load(weight + i));
        store(y + i, bias ? add(v, load(bias + i)) : v);
    }
    ROLLED
    for (; i < n; i++) {
        float v = (x[i] - mean) * inverse * weight[i];
        y[i] = bias ? v + bias[i] : v;
    }
}

/* mote_base_gelu of sixteen, operation by operation: four polynomials side by side, which the loop keeps so; one behind
 * the other such chains fill the processor's queues. y may be x. */
PART void gelu_lanes(const float *x, const float *c, float *y) {
    vector a[4], p[4];
    ROLLED
    for (int j = 0; j < 4; j++) {
        vector v = load(x + 4 * j);
        a[j] = wasm_f32x4_pmin(wasm_f32x4_pmax(v, wasm_f32x4_neg(v)), load_splat(c + 8));
    }
    UNROLL
    for (int j = 0; j < 4; j++)
        p[j] = load_splat(c);
    ROLLED
    for (const float *end = c + 7; c < end;) {
        c++;
        UNROLL
        for (int j = 0; j < 4; j++)
            p[j] = add(multiply(p[j], a[j]), load_splat(c));
    }
    ROLLED
    for (int j = 0; j < 4; j++) {
        vector q = multiply(p[j], wasm_f32x4_sub(load_splat(c + 1), a[j]));
        q = multiply(q, q);
        q = multiply(q, q);
        store(y + 4 * j, wasm_f32x4_sub(wasm_f32x4_pmax(load(x + 4 * j), wasm_f32x4_splat(0)),
                                        multiply(a[j], multiply(q, q))));
    }
}

static void gelu(const float *x, uint32_t n, float *y) {
    static const float constants[] = {MOTE_BASE_GELU_C7, MOTE_BASE_GELU_C6, MOTE_BASE_GELU_C5,
                                      MOTE_BASE_GELU_C4, MOTE_BASE_GELU_C3, MOTE_BASE_GELU_C2,
                                      MOTE_BASE_GELU_C1, MOTE_BASE_GELU_C0, MOTE_BASE_GELU_END};
    const float *c = opaque(constants);
    float rest[LANES] = {0};
    ROLLED
    for (; n >= LANES; n -= LANES, x += LANES, y += LANES)
        gelu_lanes(x, c, y);
    memcpy(rest, x, n * sizeof *x);
    gelu_lanes(rest, c, rest);
    memcpy(y, rest, n * sizeof *y);
}

/* Of one vector for each text: not worth more code. */
static void tanh_all(const float *x, uint32_t n, float *y) {
    ROLLED
    for (uint32_t i = 0; i < n; i++)
        y[i] = mote_base_tanh(x[i]);
}

void mote_kernel_encoder_overlay__simd128(struct mote_kernels *table) {
    table->layer_norm = layer_norm;
    table->gelu = gelu;
    table->tanh = tanh_all;
}

#endif
