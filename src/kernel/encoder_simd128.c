/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder_simd128.c: what only encoders need (encoder_ref.c) in WebAssembly; sixteen lanes are four vectors. A row's
 * last elements, where they fill no vector, are taken one by one, or for GELU read and written as part of one. */
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

/* Four floats, of which n < 4 are there. */
INLINE vector load_some(const float *p, uint32_t n) {
    return load_part(p, n * 4);
}

INLINE void store_some(float *p, vector v, uint32_t n) {
    if (n >= 4)
        store(p, v);
    else
        memcpy(p, &v, n * sizeof *p);
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

/* mote_base_gelu of each lane, operation by operation. */
INLINE vector gelu_four(vector x, const float *c) {
    vector a = wasm_f32x4_pmin(wasm_f32x4_pmax(x, wasm_f32x4_neg(x)), load_splat(c + 8));
    vector p = load_splat(c);
    UNROLL
    for (int i = 1; i < 8; i++)
        p = add(multiply(p, a), load_splat(c + i));
    p = multiply(p, wasm_f32x4_sub(load_splat(c + 8), a));
    p = multiply(p, p);
    p = multiply(p, p);
    return wasm_f32x4_sub(wasm_f32x4_pmax(x, wasm_f32x4_splat(0)), multiply(a, multiply(p, p)));
}

static void gelu(const float *x, uint32_t n, float *y) {
    static const float constants[] = {MOTE_BASE_GELU_C7, MOTE_BASE_GELU_C6, MOTE_BASE_GELU_C5,
                                      MOTE_BASE_GELU_C4, MOTE_BASE_GELU_C3, MOTE_BASE_GELU_C2,
                                      MOTE_BASE_GELU_C1, MOTE_BASE_GELU_C0, MOTE_BASE_GELU_END};
    const float *c = opaque(constants);
    ROLLED
    for (uint32_t i = 0; i < n; i += 4)
        store_some(y + i, gelu_four(load_some(x + i, n - i), c), n - i);
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
