/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder_simd128.c: what only encoders need (encoder_ref.c) in WebAssembly; sixteen lanes are four vectors.
 * A row's last elements are read as zeros, which change no lane of a sum, but for their distance from the mean,
 * which is cut off. */
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
    vector sum[4] = {0};
    ROLLED
    for (uint32_t i = 0; i < n; i += 4) {
        vector distance = wasm_f32x4_sub(load_some(x + i, n - i), wasm_f32x4_splat(from));
        if (n - i < 4) {
            float some[4] = {0};
            store_some(some, distance, n - i);
            distance = load(some);
        }
        if (squared) distance = multiply(distance, distance);
        sum[i / 4 % 4] = add(sum[i / 4 % 4], distance);
    }
    vector four = add(add(sum[0], sum[2]), add(sum[1], sum[3]));
    four = add(four, wasm_i64x2_shuffle(four, four, 1, 0));
    return (wasm_f32x4_extract_lane(four, 0) + wasm_f32x4_extract_lane(four, 1)) / (float)n;
}

static void layer_norm(const float *x, const float *weight, const float *bias, uint32_t n, float eps,
                       float *y) {
    float mean = average(x, n, 0, 0);
    vector inverse = wasm_f32x4_splat(1.0f / __builtin_sqrtf(average(x, n, mean, 1) + eps));
    ROLLED
    for (uint32_t i = 0; i < n; i += 4) {
        vector v = wasm_f32x4_sub(load_some(x + i, n - i), wasm_f32x4_splat(mean));
        v = multiply(multiply(v, inverse), load_some(weight + i, n - i));
        store_some(y + i, bias ? add(v, load_some(bias + i, n - i)) : v, n - i);
    }
}

/* c[0] · x^(n − 1) + … + c[n − 1], from the left. */
INLINE vector polynomial(const float *c, int n, vector x) {
    vector p = load_splat(c);
    UNROLL
    for (int i = 1; i < n; i++)
        p = add(multiply(p, x), load_splat(c + i));
    return p;
}

/* The functions of math.c, operation by operation. */

INLINE vector gelu_four(vector x, const float *c) {
    vector a = wasm_f32x4_pmin(wasm_f32x4_pmax(x, wasm_f32x4_neg(x)), load_splat(c + 8));
    vector p = multiply(polynomial(c, 8, a), wasm_f32x4_sub(load_splat(c + 8), a));
    p = multiply(p, p);
    p = multiply(p, p);
    return wasm_f32x4_sub(wasm_f32x4_pmax(x, wasm_f32x4_splat(0)), multiply(a, multiply(p, p)));
}

INLINE vector tanh_four(vector x, const float *c) {
    vector end = load_splat(c + 10), one = load_splat(c + 4);
    x = wasm_f32x4_pmin(wasm_f32x4_pmax(x, wasm_f32x4_neg(end)), end);
    vector z = multiply(x, x), y = wasm_f32x4_div(multiply(x, polynomial(c, 5, z)), polynomial(c + 5, 5, z));
    return wasm_f32x4_pmin(wasm_f32x4_pmax(y, wasm_f32x4_neg(one)), one);
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

static void tanh_all(const float *x, uint32_t n, float *y) {
    static const float constants[] = {
        MOTE_BASE_TANH_P4, MOTE_BASE_TANH_P3, MOTE_BASE_TANH_P2, MOTE_BASE_TANH_P1, 1,
        MOTE_BASE_TANH_Q4, MOTE_BASE_TANH_Q3, MOTE_BASE_TANH_Q2, MOTE_BASE_TANH_Q1, 1,
        MOTE_BASE_TANH_END};
    const float *c = opaque(constants);
    ROLLED
    for (uint32_t i = 0; i < n; i += 4)
        store_some(y + i, tanh_four(load_some(x + i, n - i), c), n - i);
}

void mote_kernel_encoder_overlay__simd128(struct mote_kernels *table) {
    table->layer_norm = layer_norm;
    table->gelu = gelu;
    table->tanh = tanh_all;
}

#endif
