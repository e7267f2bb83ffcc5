/* SPDX-License-Identifier: Apache-2.0
 *
 * lanes_avx512.h: lanes.h on vectors of sixteen floats. */
#ifndef MOTE_KERNEL_LANES_AVX512_H
#define MOTE_KERNEL_LANES_AVX512_H

#include <immintrin.h>

#define WIDTH           16
#define HAS_CONVERSIONS 1
#define HAS_SCALE       1

static inline __m512 load_f16(const uint8_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static inline __m512 load_bf16(const uint8_t *p) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline __m512 load_i8(const uint8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

static inline __m512 load_i4(const uint8_t *p, int shift) {
    const __m512 q = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
    __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm512_permutexvar_ps(_mm512_srli_epi32(bytes, (unsigned)shift), q); /* which looks at four bits */
}

static inline void store_f16(uint16_t *p, __m512 v) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* VMAXPS and VMINPS give the second where neither is greater, or one is no number. */
static inline __m512 greater(__m512 a, __m512 b) {
    return _mm512_max_ps(b, a);
}

static inline __m512 less(__m512 a, __m512 b) {
    return _mm512_min_ps(b, a);
}

static inline __m128 greater_four(__m128 a, __m128 b) {
    return _mm_max_ps(b, a);
}

static inline __m512 scale_lanes(__m512 p, __m512 n) {
    return _mm512_scalef_ps(p, n);
}

typedef int32_t ivec __attribute__((vector_size(64)));
typedef int32_t iquad __attribute__((vector_size(16)));
typedef int8_t chunk __attribute__((vector_size(16)));

static inline ivec most(ivec a, ivec b) {
    return (ivec)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

static inline iquad most_four(iquad a, iquad b) {
    return (iquad)_mm_max_epi32((__m128i)a, (__m128i)b);
}

static inline chunk low_bytes(const ivec *x) {
    return (chunk)_mm512_cvtepi32_epi8((__m512i)*x);
}

#endif
