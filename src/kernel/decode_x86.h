/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_x86.h: what the vector decoders of several families share, 256 bits at a time. Only for files
 * compiled with AVX2 and F16C; the AVX-512 files are. */
#ifndef MOTE_KERNEL_DECODE_X86_H
#define MOTE_KERNEL_DECODE_X86_H

#include <immintrin.h>

#include "base/reader.h"
#include "kernel/kernel.h"

static inline __m256i load32(const uint8_t *p) {
    return _mm256_loadu_si256((const void *)p);
}

static inline __m128i load16(const uint8_t *p) {
    return _mm_loadu_si128((const void *)p);
}

static inline void store32(int8_t *q, __m256i x) {
    _mm256_storeu_si256((void *)q, x);
}

static inline float f16(uint16_t half) {
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
}

static inline float f16_at(const uint8_t *p) {
    return f16(mote_base_u16(p));
}

/* d times the low eight bytes of x, signed. */
static inline __m256 times8(float d, __m128i x) {
    return _mm256_mul_ps(_mm256_set1_ps(d), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)));
}

/* scale [8] from the low eight bytes of x; scale [16] from all sixteen. */
static inline void scale8(float d, __m128i x, float *scale) {
    _mm256_storeu_ps(scale, times8(d, x));
}

static inline void scale16(float d, __m128i x, float *scale) {
    scale8(d, x, scale);
    scale8(d, _mm_unpackhi_epi64(x, x), scale + 8);
}

/* 16 bytes of nibbles → the 16 low ones, then the 16 high ones. */
static inline __m256i nibbles(const uint8_t *p) {
    __m128i x = load16(p);
    return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(x, 4), x), _mm256_set1_epi8(15));
}

/* 16 bytes, the same in both halves: a table for _mm256_shuffle_epi8. */
static inline __m256i table16(const int8_t *table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table));
}

/* 32 bits → 32 bytes of 0 or −1, bit 0 first. */
static inline __m256i mask32(uint32_t bits) {
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i x = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), byte);
    return _mm256_cmpeq_epi8(_mm256_and_si256(x, bit), bit);
}

/* x where negative is 0, −x where it is −1. */
static inline __m256i negate32(__m256i x, __m256i negative) {
    return _mm256_sub_epi8(_mm256_xor_si256(x, negative), negative);
}

#endif
