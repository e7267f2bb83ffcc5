/* SPDX-License-Identifier: Apache-2.0
 *
 * float_lanes.h: the float work on vectors, written once for every instruction set (lanes.h). A file that is
 * compiled for one of them includes its lanes_<isa>.h and this, and has all of float_ref.c's and encoder_ref.c's
 * functions as statics, and `overlay` to put them into a table. */
#include "kernel/lanes.h"

/* The rows and columns that dots take at a time: as many sums as there are registers for. */
enum { ROWS = 4, TILE_ROWS = WIDTH == 16 ? 4 : 2, COLUMNS = WIDTH == 16 ? 4 : 2 };

/* sum[c·n_rows + r] += w row r · x column c over sixteen elements that all hold. */
INLINE void add_products(enum kind kind, struct lanes *sum, int n_rows, int n_columns, const uint8_t *w,
                         uint64_t row_bytes, const float *x, uint64_t x_stride) {
    UNROLL
    for (int part = 0; part < PARTS; part++) {
        vec row[ROWS];
        UNROLL
        for (int r = 0; r < n_rows; r++)
            row[r] = load(kind, w + (uint64_t)r * row_bytes + part * WIDTH * BYTES(kind));
        UNROLL
        for (int c = 0; c < n_columns; c++) {
            vec values = load(F32, (const uint8_t *)(x + (uint64_t)c * x_stride + part * WIDTH));
            UNROLL
            for (int r = 0; r < n_rows; r++)
                sum[c * n_rows + r].part[part] += row[r] * values;
        }
    }
}

/* The dots of n_rows ≤ ROWS rows with n_columns ≤ COLUMNS columns: four of them or a multiple, or one. */
INLINE void dot_tile(enum kind kind, int n_rows, int n_columns, const uint8_t *w, uint64_t row_bytes,
                     uint32_t k, const float *x, uint64_t x_stride, float *y, uint64_t y_stride) {
    struct lanes sum[ROWS * COLUMNS] = {0};
    uint32_t i = 0;
    for (; i + LANES <= k; i += LANES)
        add_products(kind, sum, n_rows, n_columns, w + (uint64_t)i * BYTES(kind), row_bytes, x + i, x_stride);
    if (i < k) {
        uint8_t rest[ROWS][LANES * 4] = {0};
        float rest_x[COLUMNS][LANES] = {0};
        for (int r = 0; r < n_rows; r++)
            memcpy(rest[r], w + (uint64_t)r * row_bytes + (uint64_t)i * BYTES(kind), (k - i) * BYTES(kind));
        for (int c = 0; c < n_columns; c++)
            memcpy(rest_x[c], x + (uint64_t)c * x_stride + i, (k - i) * sizeof *x);
        add_products(kind, sum, n_rows, n_columns, rest[0], sizeof rest[0], rest_x[0], LANES);
    }
    UNROLL
    for (int j = 0; j < n_rows * n_columns; j += 4) {
        quad four = fold_four(fold(sum[j]), fold(sum[j + 1]), fold(sum[j + 2]), fold(sum[j + 3]));
        int n = n_rows * n_columns < 4 ? n_rows * n_columns : 4;
        UNROLL
        for (int at = 0; at < n; at++)
            y[(uint64_t)((j + at) / n_rows) * y_stride + (uint64_t)((j + at) % n_rows)] = four[at];
    }
}

/* All rows with n_columns columns, n_tile rows at a time. */
INLINE void dot_columns(enum kind kind, int n_tile, int n_columns, const uint8_t *w, uint64_t row_bytes,
                        uint32_t n_rows, uint32_t k, const float *x, uint64_t x_stride, float *y,
                        uint64_t y_stride) {
    uint32_t r = 0;
    for (; r + (uint32_t)n_tile <= n_rows; r += (uint32_t)n_tile)
        dot_tile(kind, n_tile, n_columns, w + r * row_bytes, row_bytes, k, x, x_stride, y + r, y_stride);
    for (; r < n_rows; r++)
        for (int c = 0; c < n_columns; c++)
            dot_tile(kind, 1, 1, w + r * row_bytes, row_bytes, k, x + (uint64_t)c * x_stride, 0,
                     y + (uint64_t)c * y_stride + r, 0);
}

/* Columns outermost: a few of them stay in L1 while all rows, which are few, pass. */
INLINE void dots(enum kind kind, const uint8_t *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k,
                 const float *x, uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    uint32_t t = 0;
    for (; t + COLUMNS <= n_columns; t += COLUMNS)
        dot_columns(kind, TILE_ROWS, COLUMNS, w, row_bytes, n_rows, k, x + t * x_stride, x_stride,
                    y + t * y_stride, y_stride);
    for (; t < n_columns; t++)
        dot_columns(kind, ROWS, 1, w, row_bytes, n_rows, k, x + t * x_stride, 0, y + t * y_stride, 0);
}

static void dot_f32(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                    uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    dots(F32, w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
}

static void dot_f16(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                    uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    dots(F16, w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
}

static void dot_bf16(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                     uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    dots(BF16, w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
}

/* ---- elementwise ---- */

static void rms_norm(const float *x, const float *weight, uint32_t n, float eps, float *y) {
    float sum;
    dot_tile(F32, 1, 1, (const uint8_t *)x, 0, n, x, 0, &sum, 0);
    vec inverse = splat(1.0f / __builtin_sqrtf(sum / (float)n + eps));
    for (uint32_t i = 0; i < n; i += WIDTH)
        store_floats(y + i, load_floats(x + i, n - i) * inverse * load_floats(weight + i, n - i), n - i);
}

static void swiglu(const float *gate, const float *up, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i += WIDTH) {
        vec z = load_floats(gate + i, n - i);
        store_floats(y + i, z / (1.0f + exp_lanes(-z)) * load_floats(up + i, n - i), n - i);
    }
}

static void add(const float *a, const float *b, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i += WIDTH)
        store_floats(y + i, load_floats(a + i, n - i) + load_floats(b + i, n - i), n - i);
}

static void to_f16(const float *x, uint32_t n, uint16_t *y) {
    uint32_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        store_f16(y + i, load_floats(x + i, WIDTH));
    if (i < n) {
        uint16_t rest[WIDTH];
        store_f16(rest, load_floats(x + i, n - i));
        memcpy(y + i, rest, (n - i) * sizeof *y);
    }
}

static void from_f16(const void *x, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i += WIDTH)
        store_floats(y + i, load_some(F16, (const uint8_t *)x + (uint64_t)i * HALF_BYTES, n - i), n - i);
}

/* Pairs (i, i + half) of one head. */
INLINE void rotate_halves(float *x, uint32_t half, const float *cos, const float *sin) {
    for (uint32_t i = 0; i < half; i += WIDTH) {
        uint32_t n = half - i;
        vec real = load_floats(x + i, n), imaginary = load_floats(x + half + i, n);
        vec c = load_floats(cos + i, n), s = load_floats(sin + i, n);
        store_floats(x + i, real * c - imaginary * s, n);
        store_floats(x + half + i, real * s + imaginary * c, n);
    }
}

/* Pairs (2i, 2i + 1) of one head, two at a time: (r, i, r', i') · (c, c, c', c') ∓ (i, r, i', r') · (s, s,
 * s', s')
 */
INLINE void rotate_pairs(float *x, uint32_t half, const float *cos, const float *sin) {
    uint32_t i = 0;
    for (; i + 2 <= half; i += 2) {
        quad pair, c = {cos[i], cos[i], cos[i + 1], cos[i + 1]},
                   s = {-sin[i], sin[i], -sin[i + 1], sin[i + 1]};
        memcpy(&pair, x + 2 * i, sizeof pair);
        pair = pair * c + __builtin_shufflevector(pair, pair, 1, 0, 3, 2) * s;
        memcpy(x + 2 * i, &pair, sizeof pair);
    }
    for (; i < half; i++) {
        float real = x[2 * i], imaginary = x[2 * i + 1];
        x[2 * i] = real * cos[i] - imaginary * sin[i];
        x[2 * i + 1] = real * sin[i] + imaginary * cos[i];
    }
}

static void rope(float *x, uint32_t n_heads, uint32_t head_dim, uint32_t n_rot,
                 enum mote_kernel_rope_style style, const float *cos, const float *sin) {
    for (uint32_t h = 0; h < n_heads; h++, x += head_dim) {
        if (style == MOTE_KERNEL_ROPE_PAIR)
            rotate_pairs(x, n_rot / 2, cos, sin);
        else
            rotate_halves(x, n_rot / 2, cos, sin);
    }
}

#include "kernel/attend_lanes.h"
#include "kernel/encoder_lanes.h"

static void overlay(struct mote_kernels *table) {
    table->dot_f32 = dot_f32;
    table->dot_f16 = dot_f16;
    table->dot_bf16 = dot_bf16;
    table->rms_norm = rms_norm;
    table->rope = rope;
    table->swiglu = swiglu;
    table->add = add;
    table->to_f16 = to_f16;
    table->from_f16 = from_f16;
    table->layer_norm = layer_norm;
    table->gelu = gelu;
    table->tanh = tanh_all;
    table->keep[MOTE_KV_F32] = keep_f32;
    table->keep[MOTE_KV_F16] = keep_f16;
    table->attend[MOTE_KV_F16] = attend_f16;
    table->attend[MOTE_KV_F32] = attend_f32;
    table->attend[MOTE_KV_Q8_0] = attend_q8_0;
    table->attend[MOTE_KV_Q4_0] = attend_q4_0;
    table->attend_end = attend_end;
}
