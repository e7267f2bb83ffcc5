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

enum { MANY = 4 }; /* blocks quantized side by side */

/* The scale of n values; *inverse is what they are multiplied by, 0 where that is not done. */
INLINE float scale_of(const float *x, uint32_t n, float *inverse) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i top = _mm512_setzero_si512();
    for (uint32_t i = 0; i < n; i += 16)
        top = _mm512_max_epu32(top, _mm512_and_si512(_mm512_loadu_si512(x + i), magnitude));
    uint32_t bits = _mm512_reduce_max_epu32(top);
    float amax = mote_base_f32_from_bits(bits);
    *inverse = 0;
    if (bits >= 0x7f800000) return mote_base_f32_from_bits(0x7fc00000);
    if (amax < MOTE_KERNEL_TINY) return 0;
    *inverse = 127.0f / amax;
    return amax / 127.0f;
}

/* Sixteen values to q, and as they are then. */
INLINE __m512i round_values(const float *x, float inverse, int8_t *q) {
    __m512i value = _mm512_setzero_si512();
    if (inverse > 0) value = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), _mm512_set1_ps(inverse)));
    _mm_storeu_si128((__m128i *)q, _mm512_cvtepi32_epi8(value));
    return value;
}

/* One block, whatever is in it. */
static void quantize_one(const float *x, int8_t *q, float *scale, int16_t *sum) {
    float inverse;
    *scale = scale_of(x, MOTE_KERNEL_BLOCK, &inverse);
    sum[0] = (int16_t)_mm512_reduce_add_epi32(round_values(x, inverse, q));
    sum[1] = (int16_t)_mm512_reduce_add_epi32(round_values(x + 16, inverse, q + 16));
}

static void quantize_wide_one(const float *x, uint32_t n, int8_t *q, float *scale, int32_t *start) {
    __m512i total = _mm512_setzero_si512();
    float inverse;
    *scale = scale_of(x, n, &inverse);
    for (uint32_t i = 0; i < n; i += 16)
        total = _mm512_add_epi32(total, round_values(x + i, inverse, q + i));
    *start = -128 * _mm512_reduce_add_epi32(total);
}

/* Lane i: the greatest lane of vector i. */
static inline __m128i greatest_of_four(const __m512i v[4]) {
    __m512i ab = _mm512_max_epu32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
    __m512i cd = _mm512_max_epu32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
    __m512i all = _mm512_max_epu32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_max_epu32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_max_epu32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Four blocks' scales, and what is multiplied by, of the greatest in each; 0 if one is not finite or too small. */
static inline int scales_of_four(const __m512i top[MANY], float *scale, __m512 inverses[MANY]) {
    __m128 amax = _mm_castsi128_ps(greatest_of_four(top));
    __m128 usual = _mm_and_ps(_mm_cmpge_ps(amax, _mm_set1_ps(MOTE_KERNEL_TINY)),
                              _mm_cmplt_ps(amax, _mm_set1_ps(mote_base_f32_from_bits(0x7f800000))));
    if (_mm_movemask_ps(usual) != 15) return 0;
    __m512 inverse = _mm512_castps128_ps512(_mm_div_ps(_mm_set1_ps(127.0f), amax));
    UNROLL
    for (int i = 0; i < MANY; i++)
        inverses[i] = _mm512_permutexvar_ps(_mm512_set1_epi32(i), inverse);
    _mm_storeu_ps(scale, _mm_div_ps(amax, _mm_set1_ps(127.0f)));
    return 1;
}

/* Two blocks as int8 in their order. */
static inline __m512i pack(const __m512 *x, const __m512 *inverse) {
    __m512i v[4];
    UNROLL
    for (int i = 0; i < 4; i++)
        v[i] = _mm512_cvtps_epi32(_mm512_mul_ps(x[i], inverse[i / 2]));
    __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
                                    bytes);
}

/* The sums of each sixteen of 128 bytes. */
static inline __m128i sums(__m512i a, __m512i b) {
    const __m512i flip = _mm512_set1_epi8(-128), none = _mm512_setzero_si512();
    a = _mm512_sad_epu8(_mm512_xor_si512(a, flip), none); /* Σ (q + 128) of eight */
    b = _mm512_sad_epu8(_mm512_xor_si512(b, flip), none);
    __m512i both = _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    __m128i mixed = _mm_sub_epi16(_mm512_cvtepi64_epi16(both), _mm_set1_epi16(16 * 128));
    return _mm_shuffle_epi8(mixed, _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
}

/* Four blocks of finite values that are not too small; 0 if there are others. */
static inline int quantize_four(const float *x, int8_t *q, float *scale, int16_t *sum) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512 v[2 * MANY], inverses[MANY];
    __m512i top[MANY];
    UNROLL
    for (int i = 0; i < 2 * MANY; i++)
        v[i] = _mm512_loadu_ps(x + 16 * i);
    UNROLL
    for (int i = 0; i < MANY; i++)
        top[i] = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(v[2 * i]), magnitude),
                                  _mm512_and_si512(_mm512_castps_si512(v[2 * i + 1]), magnitude));
    if (!scales_of_four(top, scale, inverses)) return 0;
    __m512i a = pack(v, inverses), b = pack(v + MANY, inverses + MANY / 2);
    _mm512_storeu_si512(q, a);
    _mm512_storeu_si512(q + 64, b);
    _mm_storeu_si128((__m128i *)sum, sums(a, b));
    return 1;
}

static void quantize(const float *x, uint32_t k, int8_t *q, float *scale, int16_t *sum) {
    enum { VALUES = MANY * MOTE_KERNEL_BLOCK };
    while (k) {
        uint32_t n = k >= VALUES ? VALUES : MOTE_KERNEL_BLOCK;
        if (n < VALUES || !quantize_four(x, q, scale, sum))
            for (uint32_t i = 0; i < n / MOTE_KERNEL_BLOCK; i++)
                quantize_one(x + i * MOTE_KERNEL_BLOCK, q + i * MOTE_KERNEL_BLOCK, scale + i, sum + 2 * i);
        x += n;
        q += n;
        scale += n / MOTE_KERNEL_BLOCK;
        sum += n / 16;
        k -= n;
    }
}

/* −128 · Σ of each of four blocks of 64 bytes. */
static inline __m128i starts_of_four(const __m512i bytes[MANY]) {
    __m512i eight[MANY];
    UNROLL
    for (int i = 0; i < MANY; i++) /* Σ (q + 128) of eight */
        eight[i] =
            _mm512_sad_epu8(_mm512_xor_si512(bytes[i], _mm512_set1_epi8(-128)), _mm512_setzero_si512());
    __m512i ab = _mm512_or_si512(eight[0], _mm512_slli_epi64(eight[1], 32));
    __m512i cd = _mm512_or_si512(eight[2], _mm512_slli_epi64(eight[3], 32));
    __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    return _mm_slli_epi32(_mm_sub_epi32(_mm_set1_epi32(64 * 128), sum), 7);
}

/* quantize_four for blocks of 64. */
static inline int quantize_wide_four(const float *x, int8_t *q, float *scale, int32_t *start) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512 v[4 * MANY], inverses[MANY];
    __m512i top[MANY], bytes[MANY];
    UNROLL
    for (int i = 0; i < 4 * MANY; i++) {
        v[i] = _mm512_loadu_ps(x + 16 * i);
        __m512i size = _mm512_and_si512(_mm512_castps_si512(v[i]), magnitude);
        top[i / 4] = i % 4 ? _mm512_max_epu32(top[i / 4], size) : size;
    }
    if (!scales_of_four(top, scale, inverses)) return 0;
    UNROLL
    for (int i = 0; i < MANY; i++) {
        __m512 both[2] = {inverses[i], inverses[i]};
        bytes[i] = pack(v + 4 * i, both);
        _mm512_storeu_si512(q + 64 * i, bytes[i]);
    }
    _mm_storeu_si128((__m128i *)start, starts_of_four(bytes));
    return 1;
}

/* Four blocks together; where less are left, some that were done are done again. */
static void quantize_wide(const float *x, uint32_t k, uint32_t block, int8_t *q, float *scale,
                          int32_t *start) {
    uint32_t whole = block == MOTE_KERNEL_WIDE_BLOCK ? k / block : 0, i = 0;
    while (whole >= MANY && i < whole) {
        uint32_t at = i + MANY <= whole ? i : whole - MANY;
        if (!quantize_wide_four(x + at * block, q + at * block, scale + at, start + at)) break;
        i = at + MANY;
    }
    for (; i * block < k; i++)
        quantize_wide_one(x + i * block, k - i * block < block ? k - i * block : block, q + i * block,
                          scale + i, start + i);
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
    table->quantize_wide = quantize_wide;
    table->multiply_packed = multiply_packed;
}

#endif
