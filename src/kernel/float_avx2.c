/* SPDX-License-Identifier: Apache-2.0
 *
 * float_avx2.c: the float work (float_lanes.h) on 256-bit vectors, with F16C. */
#include "kernel/level.h"

#if defined(__x86_64__)

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

#include "kernel/float_lanes.h"

void mote_kernel_float_overlay__avx2(struct mote_kernels *table) {
    overlay(table);
}

#endif
