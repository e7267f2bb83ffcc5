/* SPDX-License-Identifier: Apache-2.0
 *
 * lanes_avx2.h: lanes.h on vectors of eight floats, with F16C. */
#ifndef MOTE_KERNEL_LANES_AVX2_H
#define MOTE_KERNEL_LANES_AVX2_H

#include <immintrin.h>

#define WIDTH           8
#define HAS_CONVERSIONS 1
#define HAS_SCALE       0

static inline __m256 load_f16(const uint8_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

static inline __m256 load_bf16(const uint8_t *p) {
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

static inline __m256 load_i8(const uint8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

static inline __m256 load_i4(const uint8_t *p, int shift) {
    __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
    __m256i q = _mm256_and_si256(_mm256_srli_epi32(bytes, shift), _mm256_set1_epi32(15));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(q, _mm256_set1_epi32(8)));
}

static inline void store_f16(uint16_t *p, __m256 v) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* VMAXPS and VMINPS give the second where neither is greater, or one is no number. */
static inline __m256 greater(__m256 a, __m256 b) {
    return _mm256_max_ps(b, a);
}

static inline __m256 less(__m256 a, __m256 b) {
    return _mm256_min_ps(b, a);
}

static inline __m128 greater_four(__m128 a, __m128 b) {
    return _mm_max_ps(b, a);
}

typedef int32_t ivec __attribute__((vector_size(32)));
typedef int32_t iquad __attribute__((vector_size(16)));
typedef int8_t chunk __attribute__((vector_size(16)));

static inline ivec most(ivec a, ivec b) {
    return (ivec)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

static inline iquad most_four(iquad a, iquad b) {
    return (iquad)_mm_max_epi32((__m128i)a, (__m128i)b);
}

static inline chunk low_bytes(const ivec *x) {
    const __m256i low = _mm256_set1_epi32(255);
    __m256i words =
        _mm256_packus_epi32(_mm256_and_si256((__m256i)x[0], low), _mm256_and_si256((__m256i)x[1], low));
    words = _mm256_permute4x64_epi64(words, 0xd8);
    return (chunk)_mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

#endif
