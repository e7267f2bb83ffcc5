/* SPDX-License-Identifier: Apache-2.0
 *
 * product_avx2.c: quantize, interleave and multiply for AVX2.
 *
 * VPMADDUBSW multiplies u8 by s8 and adds pairs into 16 bits, with saturation. Weights up to 127 cannot reach
 * it (2 · 127 · 127 = 32258). Those of offset 128 go in as |q| and x with the sign of q, 2 · 128 · 127 =
 * 32512 at most; they need no offset then. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "base/float.h"
#include "base/memory.h"

#define WIDTH  8
#define NARROW 1
#include "kernel/vector_x86.h"

struct weight {
    ints magnitude, sign;
};

static inline struct weight ready(const uint8_t *q, int as_signed) {
    __m256i value = _mm256_loadu_si256((const __m256i *)q);
    if (!as_signed) return (struct weight){value, value};
    value = _mm256_xor_si256(value, _mm256_set1_epi8(-128));
    return (struct weight){_mm256_abs_epi8(value), value};
}

static inline ints dot(ints sum, struct weight w, ints x, int as_signed) {
    if (as_signed) x = _mm256_sign_epi8(x, w.sign);
    return in_turn(_mm256_add_epi16(sum, _mm256_maddubs_epi16(w.magnitude, x)));
}

#include "kernel/multiply_x86.h"

/* The scale of n values; *inverse is what they are multiplied by, 0 where that is not done. */
INLINE float scale_of(const float *x, uint32_t n, float *inverse) {
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i top = _mm256_setzero_si256();
    for (uint32_t i = 0; i < n; i += 8)
        top =
            _mm256_max_epu32(top, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + i)), magnitude));
    __m128i most = _mm_max_epu32(_mm256_castsi256_si128(top), _mm256_extracti128_si256(top, 1));
    most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0x4e));
    most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0xb1));
    uint32_t bits = (uint32_t)_mm_cvtsi128_si32(most);
    float amax = mote_base_f32_from_bits(bits);
    *inverse = 0;
    if (bits >= 0x7f800000) return mote_base_f32_from_bits(0x7fc00000);
    if (amax < MOTE_KERNEL_TINY) return 0;
    *inverse = 127.0f / amax;
    return amax / 127.0f;
}

/* 32 values to q; the sums of each four. */
INLINE __m256i round_values(const float *x, float inverse, int8_t *q) {
    /* Packing works within 128-bit halves; this puts the 4-byte pieces in order again. */
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i n[4];
    UNROLL
    for (int j = 0; j < 4; j++)
        n[j] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * j), _mm256_set1_ps(inverse)));
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]), _mm256_packs_epi32(n[2], n[3]));
    bytes = inverse > 0 ? _mm256_permutevar8x32_epi32(bytes, order) : _mm256_setzero_si256();
    _mm256_storeu_si256((__m256i *)q, bytes);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
}

static void quantize(const float *x, uint32_t k, int8_t *q, float *scale, int16_t *sum) {
    for (uint32_t i = 0; i < k; i += MOTE_KERNEL_BLOCK, sum += 2) {
        float inverse;
        *scale++ = scale_of(x + i, MOTE_KERNEL_BLOCK, &inverse);
        __m256i fours = round_values(x + i, inverse, q + i);
        fours = _mm256_add_epi32(fours, _mm256_shuffle_epi32(fours, 0x4e));
        fours = _mm256_add_epi32(fours, _mm256_shuffle_epi32(fours, 0xb1));
        sum[0] = (int16_t)_mm256_extract_epi32(fours, 0);
        sum[1] = (int16_t)_mm256_extract_epi32(fours, 4);
    }
}

static void quantize_wide(const float *x, uint32_t k, uint32_t block, int8_t *q, float *scale,
                          int32_t *start) {
    for (uint32_t i = 0; i < k; i += block) {
        uint32_t end = k - i < block ? k : i + block;
        float inverse;
        *scale++ = scale_of(x + i, end - i, &inverse);
        __m256i total = _mm256_setzero_si256();
        for (uint32_t j = i; j < end; j += 32)
            total = _mm256_add_epi32(total, round_values(x + j, inverse, q + j));
        __m128i half = _mm_add_epi32(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
        *start++ = -128 * _mm_cvtsi128_si32(half);
    }
}

/* Eight rows of 32 bytes at a time: an 8 × 8 transpose of four-byte pieces. */
static void interleave(const int8_t *rows, uint64_t row_stride, uint32_t n, uint8_t offset, uint8_t *panel) {
    const __m256i add = _mm256_set1_epi8((char)offset);
    for (uint32_t i = 0; i < n; i += 32, panel += 512) {
        for (uint32_t half = 0; half < 2; half++) {
            const int8_t *from = rows + half * 8 * row_stride + i;
            __m256i a[8], b[8];
            UNROLL
            for (int r = 0; r < 8; r++)
                a[r] = _mm256_add_epi8(_mm256_loadu_si256((const __m256i *)(from + (unsigned)r * row_stride)),
                                       add);
            UNROLL
            for (int r = 0; r < 8; r += 2) {
                b[r] = _mm256_unpacklo_epi32(a[r], a[r + 1]);
                b[r + 1] = _mm256_unpackhi_epi32(a[r], a[r + 1]);
            }
            UNROLL
            for (int r = 0; r < 8; r += 4) {
                a[r] = _mm256_unpacklo_epi64(b[r], b[r + 2]);
                a[r + 1] = _mm256_unpackhi_epi64(b[r], b[r + 2]);
                a[r + 2] = _mm256_unpacklo_epi64(b[r + 1], b[r + 3]);
                a[r + 3] = _mm256_unpackhi_epi64(b[r + 1], b[r + 3]);
            }
            UNROLL
            for (int j = 0; j < 4; j++) {
                uint8_t *to = panel + j * 64 + half * 32;
                _mm256_storeu_si256((__m256i *)to, _mm256_permute2x128_si256(a[j], a[j + 4], 0x20));
                _mm256_storeu_si256((__m256i *)(to + 256), _mm256_permute2x128_si256(a[j], a[j + 4], 0x31));
            }
        }
    }
}

void mote_kernel_product_overlay__avx2(struct mote_kernels *table) {
    table->quantize = quantize;
    table->interleave = interleave;
    table->multiply = multiply;
    table->quantize_wide = quantize_wide;
    table->multiply_packed = multiply_packed;
}

#endif
