/* SPDX-License-Identifier: Apache-2.0
 *
 * product_ref.c: the quantized product in plain loops. This file is the definition: every other instruction
 * set must find the bits that come out here (kernel.h says in which order they arise). */
#include "kernel/level.h"

#include "base/float.h"

static void quantize(const float *x, uint32_t k, int8_t *q, float *scale, int16_t *sum) {
    for (uint32_t i = 0; i < k; i += MOTE_KERNEL_BLOCK, x += MOTE_KERNEL_BLOCK, q += MOTE_KERNEL_BLOCK) {
        /* Magnitudes compare as integers do, and NaN is above all of them. */
        uint32_t top = 0;
        for (int j = 0; j < MOTE_KERNEL_BLOCK; j++) {
            uint32_t bits = mote_base_f32_bits(x[j]) & 0x7fffffff;
            top = bits > top ? bits : top;
        }
        float amax = mote_base_f32_from_bits(top), d = 0, inverse = 0;
        int ordinary = top < 0x7f800000 && amax >= MOTE_KERNEL_TINY;
        if (ordinary) {
            d = amax / 127.0f;
            inverse = 127.0f / amax;
        } else if (top >= 0x7f800000) {
            d = mote_base_f32_from_bits(0x7fc00000);
        }
        for (int half = 0; half < 2; half++) {
            int total = 0;
            for (int j = half * 16; j < half * 16 + 16; j++) {
                int value = 0;
                if (ordinary) {
                    /* 1.5·2^23 leaves the value, rounded to nearest even, in the low bits. */
                    float shifted = x[j] * inverse + 0x1.8p23f;
                    value = (int)(mote_base_f32_bits(shifted) & 0x7fffff) - 0x400000;
                }
                q[j] = (int8_t)value;
                total += value;
            }
            *sum++ = (int16_t)total;
        }
        *scale++ = d;
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
            y[t * y_stride + r] = panel->bias ? acc[r] + panel->bias[r] : acc[r];
    }
}

static void multiply(const struct mote_base_type_info *info, const struct mote_kernel_panel *panels,
                     uint32_t n_panels, uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns,
                     float *y, uint64_t y_stride, struct mote_kernel_ahead ahead) {
    (void)ahead;
    for (uint32_t p = 0; p < n_panels; p++)
        multiply_panel(info, &panels[p], k, x, n_columns, y + p * MOTE_KERNEL_ROWS, y_stride);
}

void mote_kernel_product_overlay__ref(struct mote_kernels *table) {
    table->quantize = quantize;
    table->interleave = interleave;
    table->multiply = multiply;
}
