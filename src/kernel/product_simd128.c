/* SPDX-License-Identifier: Apache-2.0
 *
 * product_simd128.c: quantize and interleave for WebAssembly. */
#include "kernel/level.h"

#if defined(__wasm_simd128__)

#include "base/float.h"
#include "kernel/vector_wasm.h"

#if !defined(MOTE_NO_DECODERS) /* encoders have blocks of their own */

/* The greatest magnitude of 32 values as bits, which compare as integers do; NaN is above all. */
INLINE uint32_t greatest(const float *x) {
    const vector positive = splat(0x7fffffff);
    vector top = splat(0);
    ROLLED
    for (int i = 0; i < MOTE_KERNEL_BLOCK; i += 4)
        top = wasm_i32x4_max(top, wasm_v128_and(load(x + i), positive));
    top = wasm_i32x4_max(top, wasm_i64x2_shuffle(top, top, 1, 0));
    top = wasm_i32x4_max(top, wasm_i32x4_shuffle(top, top, 1, 0, 3, 2));
    return (uint32_t)wasm_i32x4_extract_lane(top, 0);
}

/* Four values; 1.5·2^23 leaves them, rounded to nearest even, in the low bits. */
INLINE vector rounded(const float *x, vector inverse) {
    const vector shift = wasm_f32x4_const_splat(0x1.8p23f);
    return wasm_i32x4_sub(wasm_f32x4_add(wasm_f32x4_mul(load(x), inverse), shift), shift);
}

static void quantize(const float *x, uint32_t k, int8_t *q, float *scale, int16_t *sum) {
    for (uint32_t i = 0; i < k; i += MOTE_KERNEL_BLOCK) {
        uint32_t top = greatest(x + i);
        float amax = mote_base_f32_from_bits(top), d = 0, inverse = 0;
        int ordinary = top < 0x7f800000 && amax >= MOTE_KERNEL_TINY;
        if (ordinary) {
            d = amax / 127.0f;
            inverse = 127.0f / amax;
        } else if (top >= 0x7f800000) {
            d = mote_base_f32_from_bits(0x7fc00000);
        }
        *scale++ = d;
        ROLLED
        for (uint32_t j = i; j < i + MOTE_KERNEL_BLOCK; j += 16) {
            vector fours[4], bytes = splat(0);
            UNROLL
            for (uint32_t l = 0; l < 4; l++)
                fours[l] = rounded(x + j + 4 * l, wasm_f32x4_splat(inverse));
            if (ordinary)
                bytes = wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(fours[0], fours[1]),
                                                wasm_i16x8_narrow_i32x4(fours[2], fours[3]));
            store(q + j, bytes);
            vector total = wasm_i32x4_extadd_pairwise_i16x8(wasm_i16x8_extadd_pairwise_i8x16(bytes));
            total = wasm_i32x4_add(total, wasm_i64x2_shuffle(total, total, 1, 0));
            *sum++ = (int16_t)(wasm_i32x4_extract_lane(total, 0) + wasm_i32x4_extract_lane(total, 1));
        }
    }
}

/* Sixteen bytes of four rows at a time. */
static void interleave(const int8_t *rows, uint64_t row_stride, uint32_t n, uint8_t offset, uint8_t *panel) {
    const vector add = wasm_u8x16_splat(offset);
    for (uint32_t i = 0; i < n; i += 16, panel += 256) {
        ROLLED
        for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r += 4) {
            vector row[4], turned[4];
            UNROLL
            for (uint32_t j = 0; j < 4; j++)
                row[j] = wasm_i8x16_add(load(rows + (r + j) * row_stride + i), add);
            turn(row, turned);
            UNROLL
            for (uint32_t j = 0; j < 4; j++)
                store(panel + 64 * j + 4 * r, turned[j]);
        }
    }
}

#else

/* Once, when a model is opened; the offset is 128. */
static void interleave(const int8_t *rows, uint64_t row_stride, uint32_t n, uint8_t offset, uint8_t *panel) {
    const uint32_t flip = offset * 0x01010101u;
    for (uint32_t i = 0; i < n; i += 4) {
        ROLLED
        for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++, panel += 4) {
            uint32_t four;
            memcpy(&four, rows + r * (uint32_t)row_stride + i, 4);
            four ^= flip;
            memcpy(panel, &four, 4);
        }
    }
}

#endif

void mote_kernel_product_overlay__simd128(struct mote_kernels *table) {
#if !defined(MOTE_NO_DECODERS)
    table->quantize = quantize;
#endif
    table->interleave = interleave;
}

#endif
