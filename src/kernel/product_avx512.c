/* SPDX-License-Identifier: Apache-2.0
 *
 * product_avx512.c: quantize, interleave and, for machines without VNNI, multiply for AVX-512 (F, BW, DQ,
 * VL). The product is that of product_avx2.c on vectors twice as wide. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "base/float.h"
#include "base/memory.h"

#define WIDTH  16
#define NARROW 1
#include "kernel/vector_x86.h"

struct weight {
    ints magnitude;
    __mmask64 negative;
};

static inline struct weight ready(const uint8_t *q, int as_signed) {
    __m512i value = _mm512_loadu_si512(q);
    if (!as_signed) return (struct weight){value, 0};
    value = _mm512_xor_si512(value, _mm512_set1_epi8(-128));
    return (struct weight){_mm512_abs_epi8(value), _mm512_movepi8_mask(value)};
}

static inline ints dot(ints sum, struct weight w, ints x, int as_signed) {
    if (as_signed) x = _mm512_mask_sub_epi8(x, w.negative, _mm512_setzero_si512(), x);
    return in_turn(_mm512_add_epi16(sum, _mm512_maddubs_epi16(w.magnitude, x)));
}

#include "kernel/multiply_x86.h"

static void quantize(const float *x, uint32_t k, int8_t *q, float *scale, int16_t *sum) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    for (uint32_t i = 0; i < k; i += MOTE_KERNEL_BLOCK, q += MOTE_KERNEL_BLOCK, sum += 2) {
        __m512 low = _mm512_loadu_ps(x + i), high = _mm512_loadu_ps(x + i + 16);
        __m512i top = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low), magnitude),
                                       _mm512_and_si512(_mm512_castps_si512(high), magnitude));
        uint32_t bits = _mm512_reduce_max_epu32(top);
        float amax = mote_base_f32_from_bits(bits);
        if (bits >= 0x7f800000 || amax < MOTE_KERNEL_TINY) {
            *scale++ = bits >= 0x7f800000 ? mote_base_f32_from_bits(0x7fc00000) : 0;
            _mm256_storeu_si256((__m256i *)q, _mm256_setzero_si256());
            sum[0] = sum[1] = 0;
            continue;
        }
        *scale++ = amax / 127.0f;
        __m512 inverse = _mm512_set1_ps(127.0f / amax);
        __m512i first = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
        __m512i second = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
        _mm_storeu_si128((__m128i *)q, _mm512_cvtepi32_epi8(first));
        _mm_storeu_si128((__m128i *)(q + 16), _mm512_cvtepi32_epi8(second));
        sum[0] = (int16_t)_mm512_reduce_add_epi32(first);
        sum[1] = (int16_t)_mm512_reduce_add_epi32(second);
    }
}

/* Sixteen rows of 32 bytes: rows r and r + 8 share a vector, whose halves are then transposed as 8 × 8
 * four-byte pieces each. */
static void interleave(const int8_t *rows, uint64_t row_stride, uint32_t n, uint8_t offset, uint8_t *panel) {
    const __m512i add = _mm512_set1_epi8((char)offset);
    const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    const __m512i odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    for (uint32_t i = 0; i < n; i += 32, panel += 512) {
        __m512i a[8], b[8];
        UNROLL
        for (unsigned r = 0; r < 8; r++) {
            const int8_t *from = rows + r * row_stride + i;
            __m256i upper = _mm256_loadu_si256((const __m256i *)from);
            __m256i lower = _mm256_loadu_si256((const __m256i *)(from + 8 * row_stride));
            a[r] = _mm512_add_epi8(_mm512_inserti64x4(_mm512_castsi256_si512(upper), lower, 1), add);
        }
        UNROLL
        for (int r = 0; r < 8; r += 2) {
            b[r] = _mm512_unpacklo_epi32(a[r], a[r + 1]);
            b[r + 1] = _mm512_unpackhi_epi32(a[r], a[r + 1]);
        }
        UNROLL
        for (int r = 0; r < 8; r += 4) {
            a[r] = _mm512_unpacklo_epi64(b[r], b[r + 2]);
            a[r + 1] = _mm512_unpackhi_epi64(b[r], b[r + 2]);
            a[r + 2] = _mm512_unpacklo_epi64(b[r + 1], b[r + 3]);
            a[r + 3] = _mm512_unpackhi_epi64(b[r + 1], b[r + 3]);
        }
        UNROLL
        for (int j = 0; j < 4; j++) {
            _mm512_storeu_si512(panel + 64 * j, _mm512_permutex2var_epi64(a[j], even, a[j + 4]));
            _mm512_storeu_si512(panel + 64 * (j + 4), _mm512_permutex2var_epi64(a[j], odd, a[j + 4]));
        }
    }
}

void mote_kernel_product_overlay__avx512(struct mote_kernels *table) {
    table->quantize = quantize;
    table->interleave = interleave;
    table->multiply = multiply;
}

#endif
