/* SPDX-License-Identifier: Apache-2.0
 *
 * product_ref.c: the quantized product in plain loops. This file is the definition: every other instruction
 * set must find the bits that come out here (kernel.h says in which order they arise). */
#include "kernel/level.h"

#include "base/float.h"

/* A block's scale; inverse: what its values are multiplied by, 0 where there is none such. */
static float scale_of(const float *x, uint32_t n, float *inverse) {
    /* Magnitudes compare as integers do, and NaN is above all of them. */
    uint32_t top = 0;
    for (uint32_t j = 0; j < n; j++) {
        uint32_t bits = mote_base_f32_bits(x[j]) & 0x7fffffff;
        top = bits > top ? bits : top;
    }
    float amax = mote_base_f32_from_bits(top);
    *inverse = 0;
    if (top >= 0x7f800000) return mote_base_f32_from_bits(0x7fc00000);
    if (amax < MOTE_KERNEL_TINY) return 0;
    *inverse = 127.0f / amax;
    return amax / 127.0f;
}

/* n values to q; returns their sum. */
static int round_values(const float *x, uint32_t n, float inverse, int8_t *q) {
    int total = 0;
    for (uint32_t j = 0; j < n; j++) {
        int value = 0;
        if (inverse > 0) {
            /* 1.5·2^23 leaves the value, rounded to nearest even, in the low bits. */
            float shifted = x[j] * inverse + 0x1.8p23f;
            value = (int)(mote_base_f32_bits(shifted) & 0x7fffff) - 0x400000;
        }
        q[j] = (int8_t)value;
        total += value;
    }
    return total;
}

static void quantize(const float *x, uint32_t k, int8_t *q, float *scale, int16_t *sum) {
    for (uint32_t i = 0; i < k; i += MOTE_KERNEL_BLOCK) {
        float inverse;
        *scale++ = scale_of(x + i, MOTE_KERNEL_BLOCK, &inverse);
        *sum++ = (int16_t)round_values(x + i, 16, inverse, q + i);
        *sum++ = (int16_t)round_values(x + i + 16, 16, inverse, q + i + 16);
    }
}

static void quantize_wide(const float *x, uint32_t k, uint32_t block, int8_t *q, float *scale,
                          int32_t *start) {
    for (uint32_t i = 0; i < k; i += block) {
        uint32_t n = k - i < block ? k - i : block;
        float inverse;
        *scale++ = scale_of(x + i, n, &inverse);
        *start++ = -128 * round_values(x + i, n, inverse, q + i);
    }
}

static void interleave(const int8_t *rows, uint64_t row_stride, uint32_t n, uint8_t offset, uint8_t *panel) {
    for (uint32_t i = 0; i < n; i += 4)
        for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++)
            for (uint32_t j = 0; j < 4; j++)
                *panel++ = (uint8_t)(rows[r * row_stride + i + j] + offset);
}

/* idot[r] = Σ q·x over the values [first, first + group) of row r. */
static void group_dots(const uint8_t *panel_q, uint8_t offset, const int8_t *x, uint32_t first,
                       uint32_t group, int idot[MOTE_KERNEL_ROWS]) {
    for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++)
        idot[r] = 0;
    for (uint32_t i = first; i < first + group; i += 4) {
        const uint8_t *w = panel_q + (uint64_t)i * MOTE_KERNEL_ROWS;
        for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++)
            for (uint32_t j = 0; j < 4; j++)
                idot[r] += (w[r * 4 + j] - offset) * x[i + j];
    }
}

static void multiply_panel(const struct mote_base_type_info *info, const struct mote_kernel_panel *panel,
                           uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                           uint64_t y_stride) {
    uint32_t group = info->group;
    for (uint32_t t = 0; t < n_columns; t++) {
        const float *d = x->scale + (uint64_t)t * (k / 32);
        const int16_t *sum = x->sum + (uint64_t)t * (k / 16);
        float acc[MOTE_KERNEL_ROWS] = {0};
        for (uint32_t first = 0; first < k; first += group) {
            int idot[MOTE_KERNEL_ROWS];
            int total = sum[first / 16] + (group == 32 ? sum[first / 16 + 1] : 0);
            group_dots(panel->q, info->offset, x->q + (uint64_t)t * k, first, group, idot);
            for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++) {
                uint32_t at = first / group * MOTE_KERNEL_ROWS + r;
                acc[r] = acc[r] + (float)idot[r] * (panel->scale[at] * d[first / 32]);
                if (info->has_min) acc[r] = acc[r] - panel->min[at] * (d[first / 32] * (float)total);
            }
        }
        for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++)
            y[t * y_stride + r] = acc[r];
    }
}

static void multiply(const struct mote_base_type_info *info, const struct mote_kernel_panel *panels,
                     uint32_t n_panels, uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns,
                     float *y, uint64_t y_stride, struct mote_kernel_ahead ahead) {
    (void)ahead;
    for (uint32_t p = 0; p < n_panels; p++)
        multiply_panel(info, &panels[p], k, x, n_columns, y + p * MOTE_KERNEL_ROWS, y_stride);
}

/* A column times sixteen packed rows. */
static void packed_column(const struct mote_kernel_panel *panel, uint32_t k, const int8_t *x, const float *d,
                          float y[MOTE_KERNEL_ROWS]) {
    float acc[MOTE_KERNEL_ROWS] = {0};
    for (uint32_t span = 0; span < k; span += MOTE_KERNEL_WIDE_SPAN) {
        uint32_t end = k - span < MOTE_KERNEL_WIDE_SPAN ? k : span + MOTE_KERNEL_WIDE_SPAN;
        const float *scale = panel->scale + span / MOTE_KERNEL_WIDE_SPAN * MOTE_KERNEL_ROWS;
        float part[MOTE_KERNEL_ROWS] = {0};
        for (uint32_t i = span; i < end; i += MOTE_KERNEL_WIDE_BLOCK) {
            int idot[MOTE_KERNEL_ROWS];
            uint32_t n = end - i < MOTE_KERNEL_WIDE_BLOCK ? end - i : MOTE_KERNEL_WIDE_BLOCK;
            group_dots(panel->q, 128, x, i, n, idot);
            for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++)
                part[r] = part[r] + (float)idot[r] * d[i / MOTE_KERNEL_WIDE_BLOCK];
        }
        for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++)
            acc[r] = acc[r] + part[r] * scale[r];
    }
    for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++)
        y[r] = panel->bias ? acc[r] + panel->bias[r] : acc[r];
}

static void multiply_packed(const struct mote_kernel_panel *panels, uint32_t n_panels, uint32_t k,
                            const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride,
                            struct mote_kernel_ahead ahead) {
    uint32_t n_blocks = (k + MOTE_KERNEL_WIDE_BLOCK - 1) / MOTE_KERNEL_WIDE_BLOCK;
    (void)ahead;
    for (uint32_t p = 0; p < n_panels; p++)
        for (uint64_t t = 0; t < n_columns; t++)
            packed_column(&panels[p], k, x->q + t * k, x->scale + t * n_blocks,
                          y + t * y_stride + p * MOTE_KERNEL_ROWS);
}

void mote_kernel_packed_overlay__ref(struct mote_kernels *table) {
    table->quantize_wide = quantize_wide;
    table->multiply_packed = multiply_packed;
}

void mote_kernel_product_overlay__ref(struct mote_kernels *table) {
    table->quantize = quantize;
    table->interleave = interleave;
    table->multiply = multiply;
    mote_kernel_packed_overlay__ref(table);
}
