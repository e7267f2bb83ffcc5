/* SPDX-License-Identifier: Apache-2.0
 *
 * product_neon.c: quantize, interleave and multiply for the vectors that every AArch64 has.
 *
 * Without dot products, SMULL and SMLAL add two products into 16 bits, 2 · 128 · 127 = 32512 at most, and
 * SADALP adds pairs of those into 32: a quad of rows has two vectors of sums, two lanes a row, until the
 * group ends. */
#include "kernel/level.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include "base/float.h"

#define TILE       4
#define SIGNED_128 1

struct sums {
    int32x4_t low, high;
};

static inline struct sums begin(int32_t start) {
    (void)start;
    return (struct sums){vdupq_n_s32(0), vdupq_n_s32(0)};
}

static inline int32x4_t end(struct sums sums, int32_t start) {
    return vaddq_s32(vpaddq_s32(sums.low, sums.high), vdupq_n_s32(start));
}

static inline void add_sixteen(struct sums *idot, int quads, int n, const uint8_t *q, const int8_t *x,
                               uint32_t k, int as_signed);

#include "kernel/multiply_neon.h"

INLINE int8x16_t weights(const uint8_t *q, int as_signed) {
    uint8x16_t value = vld1q_u8(q);
    return vreinterpretq_s8_u8(as_signed ? veorq_u8(value, vdupq_n_u8(128)) : value);
}

/* w0 · x0 + w1 · x1, four values of a row each. */
INLINE void add_eight(struct sums *sum, int8x16_t w0, int8x16_t x0, int8x16_t w1, int8x16_t x1) {
    int16x8_t low = vmull_s8(vget_low_s8(w0), vget_low_s8(x0)), high = vmull_high_s8(w0, x0);
    low = vmlal_s8(low, vget_low_s8(w1), vget_low_s8(x1));
    high = vmlal_high_s8(high, w1, x1);
    sum->low = vpadalq_s16(sum->low, low);
    sum->high = vpadalq_s16(sum->high, high);
}

INLINE void add_sixteen(struct sums *idot, int quads, int n, const uint8_t *q, const int8_t *x, uint32_t k,
                        int as_signed) {
    int8x16_t value[2][4];
    UNROLL
    for (int c = 0; c < n; c++) {
        int32x4_t fours = vreinterpretq_s32_s8(vld1q_s8(x + (uint64_t)c * k));
        value[c][0] = vreinterpretq_s8_s32(vdupq_laneq_s32(fours, 0));
        value[c][1] = vreinterpretq_s8_s32(vdupq_laneq_s32(fours, 1));
        value[c][2] = vreinterpretq_s8_s32(vdupq_laneq_s32(fours, 2));
        value[c][3] = vreinterpretq_s8_s32(vdupq_laneq_s32(fours, 3));
    }
    UNROLL
    for (int step = 0; step < 4; step += 2, q += 128) {
        UNROLL
        for (int r = 0; r < quads; r++) {
            int8x16_t w0 = weights(q + 16 * r, as_signed), w1 = weights(q + 64 + 16 * r, as_signed);
            UNROLL
            for (int c = 0; c < n; c++)
                add_eight(&idot[c * quads + r], w0, value[c][step], w1, value[c][step + 1]);
        }
        LOADS_END_HERE();
    }
}

/* The scale of n values; *inverse is what they are multiplied by, 0 where that is not done. */
INLINE float scale_of(const float *x, uint32_t n, float *inverse) {
    uint32x4_t top = vdupq_n_u32(0);
    for (uint32_t i = 0; i < n; i += 4)
        top = vmaxq_u32(top, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)), vdupq_n_u32(0x7fffffff)));
    uint32_t bits = vmaxvq_u32(top);
    float amax = mote_base_f32_from_bits(bits);
    *inverse = 0;
    if (bits >= 0x7f800000) return mote_base_f32_from_bits(0x7fc00000);
    if (amax < MOTE_KERNEL_TINY) return 0;
    *inverse = 127.0f / amax;
    return amax / 127.0f;
}

/* Sixteen values to q; their sum. */
INLINE int16_t round_values(const float *x, float inverse, int8_t *q) {
    int16x8_t words[2];
    UNROLL
    for (int j = 0; j < 2; j++) {
        int32x4_t low = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 8 * j), inverse));
        int32x4_t high = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 8 * j + 4), inverse));
        words[j] = vuzp1q_s16(vreinterpretq_s16_s32(low), vreinterpretq_s16_s32(high));
    }
    int8x16_t bytes = vuzp1q_s8(vreinterpretq_s8_s16(words[0]), vreinterpretq_s8_s16(words[1]));
    if (!(inverse > 0)) bytes = vdupq_n_s8(0);
    vst1q_s8(q, bytes);
    return vaddlvq_s8(bytes);
}

static void quantize(const float *x, uint32_t k, int8_t *q, float *scale, int16_t *sum) {
    for (uint32_t i = 0; i < k; i += MOTE_KERNEL_BLOCK, sum += 2) {
        float inverse;
        *scale++ = scale_of(x + i, MOTE_KERNEL_BLOCK, &inverse);
        sum[0] = round_values(x + i, inverse, q + i);
        sum[1] = round_values(x + i + 16, inverse, q + i + 16);
    }
}

static void quantize_wide(const float *x, uint32_t k, uint32_t block, int8_t *q, float *scale,
                          int32_t *start) {
    for (uint32_t i = 0; i < k; i += block) {
        uint32_t end = k - i < block ? k : i + block;
        int32_t total = 0;
        float inverse;
        *scale++ = scale_of(x + i, end - i, &inverse);
        for (uint32_t j = i; j < end; j += 16)
            total += round_values(x + j, inverse, q + j);
        *start++ = -128 * total;
    }
}

/* Four rows of 16 bytes at a time: a 4 × 4 transpose of four-byte pieces. */
static void interleave(const int8_t *rows, uint64_t row_stride, uint32_t n, uint8_t offset, uint8_t *panel) {
    const int8x16_t add = vreinterpretq_s8_u8(vdupq_n_u8(offset));
    for (uint32_t i = 0; i < n; i += 16, panel += 256) {
        for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r += 4) {
            int32x4_t row[4];
            UNROLL
            for (uint32_t j = 0; j < 4; j++)
                row[j] = vreinterpretq_s32_s8(vaddq_s8(vld1q_s8(rows + (r + j) * row_stride + i), add));
            int64x2_t even01 = vreinterpretq_s64_s32(vtrn1q_s32(row[0], row[1]));
            int64x2_t odd01 = vreinterpretq_s64_s32(vtrn2q_s32(row[0], row[1]));
            int64x2_t even23 = vreinterpretq_s64_s32(vtrn1q_s32(row[2], row[3]));
            int64x2_t odd23 = vreinterpretq_s64_s32(vtrn2q_s32(row[2], row[3]));
            uint8_t *to = panel + 4 * r;
            vst1q_u8(to, vreinterpretq_u8_s64(vtrn1q_s64(even01, even23)));
            vst1q_u8(to + 64, vreinterpretq_u8_s64(vtrn1q_s64(odd01, odd23)));
            vst1q_u8(to + 128, vreinterpretq_u8_s64(vtrn2q_s64(even01, even23)));
            vst1q_u8(to + 192, vreinterpretq_u8_s64(vtrn2q_s64(odd01, odd23)));
        }
    }
}

void mote_kernel_product_overlay__neon(struct mote_kernels *table) {
    table->quantize = quantize;
    table->interleave = interleave;
    table->multiply = multiply;
    table->quantize_wide = quantize_wide;
    table->multiply_packed = multiply_packed;
}

#endif
