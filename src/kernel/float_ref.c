/* SPDX-License-Identifier: Apache-2.0
 *
 * float_ref.c: the float work in plain loops. This file is the definition: lanes.h does the same on vectors
 * and must find the same bits. Where a sum runs over a row it is kept in sixteen lanes, element i in lane i
 * % 16, and the lanes are added by one tree. */
#include "kernel/level.h"

#include "base/float.h"
#include "base/math.h"
#include "base/memory.h"

enum { LANES = 16 };

/* Called with the type of the elements known: the copy made for each type has no call per element. */
#define INLINE static inline __attribute__((always_inline))

/* Adds lanes 8 apart, then 4, 2, 1. */
static float tree(float *lane) {
    for (int step = LANES / 2; step; step /= 2)
        for (int j = 0; j < step; j++)
            lane[j] = lane[j] + lane[j + step];
    return lane[0];
}

/* Element i of a row of floats of some type, wherever it lies (rows of a file may be unaligned). */
static float element_f32(const void *row, uint32_t i) {
    float value;
    memcpy(&value, (const uint8_t *)row + (uint64_t)i * sizeof value, sizeof value);
    return value;
}

static uint16_t element_u16(const void *row, uint32_t i) {
    uint16_t value;
    memcpy(&value, (const uint8_t *)row + (uint64_t)i * sizeof value, sizeof value);
    return value;
}

static float element_f16(const void *row, uint32_t i) {
    return mote_base_f32_from_f16(element_u16(row, i));
}

static float element_bf16(const void *row, uint32_t i) {
    return mote_base_f32_from_bf16(element_u16(row, i));
}

typedef float element(const void *row, uint32_t i);

INLINE float dot(element *get, const void *row, const float *x, uint32_t n) {
    float lane[LANES] = {0};
    for (uint32_t i = 0; i < n; i++)
        lane[i % LANES] = lane[i % LANES] + get(row, i) * x[i];
    return tree(lane);
}

INLINE void dots(element *get, const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                 uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    for (uint32_t t = 0; t < n_columns; t++)
        for (uint32_t r = 0; r < n_rows; r++)
            y[t * y_stride + r] = dot(get, (const uint8_t *)w + r * row_bytes, x + t * x_stride, k);
}

static void dot_f32(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                    uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    dots(element_f32, w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
}

static void dot_f16(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                    uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    dots(element_f16, w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
}

static void dot_bf16(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                     uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    dots(element_bf16, w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
}

static void rms_norm(const float *x, const float *weight, uint32_t n, float eps, float *y) {
    float inverse = 1.0f / __builtin_sqrtf(dot(element_f32, x, x, n) / (float)n + eps);
    for (uint32_t i = 0; i < n; i++)
        y[i] = x[i] * inverse * weight[i];
}

static void rope(float *x, uint32_t n_heads, uint32_t head_dim, uint32_t n_rot,
                 enum mote_kernel_rope_style style, const float *cos, const float *sin) {
    for (uint32_t h = 0; h < n_heads; h++, x += head_dim) {
        for (uint32_t i = 0; i < n_rot / 2; i++) {
            float *a = style == MOTE_KERNEL_ROPE_PAIR ? &x[2 * i] : &x[i];
            float *b = style == MOTE_KERNEL_ROPE_PAIR ? &x[2 * i + 1] : &x[i + n_rot / 2];
            float real = *a, imaginary = *b;
            *a = real * cos[i] - imaginary * sin[i];
            *b = real * sin[i] + imaginary * cos[i];
        }
    }
}

static void swiglu(const float *gate, const float *up, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i++)
        y[i] = gate[i] / (1.0f + mote_base_exp(-gate[i])) * up[i];
}

static void add(const float *a, const float *b, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

static void from_f16(const void *x, uint32_t n, float *y) {
    const uint8_t *bytes = x;
    for (uint32_t i = 0; i < n; i++, bytes += 2)
        y[i] = mote_base_f32_from_f16((uint16_t)(bytes[0] | bytes[1] << 8));
}

#if !defined(MOTE_NO_DECODERS)
static void to_f16(const float *x, uint32_t n, uint16_t *y) {
    for (uint32_t i = 0; i < n; i++)
        y[i] = mote_base_f16_from_f32(x[i]);
}

#endif

void mote_kernel_light_overlay__ref(struct mote_kernels *table) {
    table->rope = rope;
    table->from_f16 = from_f16;
#if !defined(MOTE_NO_DECODERS)
    table->to_f16 = to_f16;
#endif
}

void mote_kernel_float_overlay__ref(struct mote_kernels *table) {
    mote_kernel_light_overlay__ref(table);
    table->dot_f32 = dot_f32;
    table->dot_f16 = dot_f16;
    table->dot_bf16 = dot_bf16;
    table->rms_norm = rms_norm;
    table->swiglu = swiglu;
    table->add = add;
}
