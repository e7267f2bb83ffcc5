/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_iq_x86.h: the code-book types on x86, whatever the width. Here the fields of one superblock
 * become vectors: all indices as 16-bit words, a byte of signs for each 8 values, the scales. The file that
 * includes this defines what is done with them, at its own width and with its own way of looking up:
 *
 *     put_iq2(book, n, index[2], signs, q)               n entries in the book; 32 indices, 8 values each
 *     put_iq3(book, n, magnitudes, index[4], signs, q)   64 indices, 4 values each
 *
 * each writing 256 values. IQ1 is in decode_iq1_x86.h.
 * Layouts: decode_iq.c. */
#ifndef MOTE_KERNEL_DECODE_IQ_X86_H
#define MOTE_KERNEL_DECODE_IQ_X86_H

#include "kernel/decode.h"
#include "kernel/decode_x86.h"
#include "kernel/decode_scale.h"
#include "kernel/grid.h"

static inline void put_iq2(const uint16_t *book, int n, const __m256i index[2], __m256i signs, int8_t *q);
static inline void put_iq3(const uint16_t *book, int n, const int8_t *magnitudes, const __m256i index[4],
                           __m256i signs, int8_t *q);

/* Magnitudes of IQ3 by index. */
static const int8_t iq3_xxs_magnitudes[16] = {4, 12, 20, 28, 36, 44, 52, 62};
static const int8_t iq3_s_magnitudes[16] = {1, 3, 5, 7, 9, 11, 13, 15};

/* Seven sign bits in each byte → eight, the eighth their parity. */
static inline __m256i eighth_sign(__m256i x) {
    const __m256i parity =
        _mm256_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0, 0, -128,
                         -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0);
    __m256i folded = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi16(x, 4)), _mm256_set1_epi8(15));
    return _mm256_or_si256(x, _mm256_shuffle_epi8(parity, folded));
}

/* 8 × u32 of four 7-bit signs and ls → 32 bytes of signs. */
static inline __m256i signs28(__m256i x) {
    x = _mm256_or_si256(_mm256_and_si256(x, _mm256_set1_epi32(0x3fff)),
                        _mm256_and_si256(_mm256_slli_epi32(x, 2), _mm256_set1_epi32(0x3fff0000)));
    x = _mm256_or_si256(_mm256_and_si256(x, _mm256_set1_epi16(0x007f)),
                        _mm256_and_si256(_mm256_slli_epi16(x, 1), _mm256_set1_epi16(0x7f00)));
    return eighth_sign(x);
}

/* d·(½ + ls)·unit and d·(1 + 2·ls)·unit for eight ls in 32-bit lanes. */
static inline void half_scale8(float d, __m256i ls, float unit, float *scale) {
    __m256 factor = _mm256_add_ps(_mm256_cvtepi32_ps(ls), _mm256_set1_ps(0.5f));
    factor = _mm256_mul_ps(factor, _mm256_set1_ps(unit));
    _mm256_storeu_ps(scale, _mm256_mul_ps(_mm256_set1_ps(d), factor));
}

static inline void odd_scale8(float d, __m256i ls, float unit, float *scale) {
    half_scale8(d, ls, 2 * unit, scale);
}

/* 8 bytes → their 16 nibbles, low one first. */
static inline __m128i nibbles_in_order(uint64_t bytes) {
    __m128i x = _mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)bytes));
    return _mm_and_si128(_mm_or_si128(x, _mm_slli_epi16(x, 4)), _mm_set1_epi8(15));
}

static inline void half_scale16(float d, const uint8_t *ls, float unit, float *scale) {
    __m128i x = nibbles_in_order(mote_base_u64(ls));
    half_scale8(d, _mm256_cvtepu8_epi32(x), unit, scale);
    half_scale8(d, _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(x, x)), unit, scale + 8);
}

static inline __m256i bytes_to_words(const uint8_t *p) {
    return _mm256_cvtepu8_epi16(load16(p));
}

/* Two vectors of 16 words, each within a byte, → 32 bytes in order. */
static inline __m256i words_to_bytes(__m256i a, __m256i b) {
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
}

/* Sixteen words, each a byte of the eight given: which holds its number, 0..7. */
static inline __m256i spread_bytes(uint64_t bytes, __m256i which) {
    __m256i upper_empty = _mm256_set1_epi16((short)0x8000);
    return _mm256_shuffle_epi8(_mm256_set1_epi64x((long long)bytes), _mm256_or_si256(which, upper_empty));
}

/* Words a b c d, repeated: to multiply by powers of two is to shift each word by its own count. */
static inline __m256i words4(int a, int b, int c, int d) {
    return _mm256_setr_epi16((short)a, (short)b, (short)c, (short)d, (short)a, (short)b, (short)c, (short)d,
                             (short)a, (short)b, (short)c, (short)d, (short)a, (short)b, (short)c, (short)d);
}

static void decode_iq2_xxs(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    const __m256i low4 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 1, -1, 2, -1, 3, -1, 8, -1, 9, -1, 10, -1, 11, -1));
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 66, q += 256, scale += 8) {
        __m256i a = load32(blocks + 2), b = load32(blocks + 34);
        __m256i index[2] = {_mm256_shuffle_epi8(a, low4), _mm256_shuffle_epi8(b, low4)};
        /* the upper half of each eight bytes: groups 0 1 4 5 2 3 6 7, then in order */
        __m256i packed =
            _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0xdd));
        packed = _mm256_permute4x64_epi64(packed, 0xd8);
        half_scale8(f16_at(blocks), _mm256_srli_epi32(packed, 28), 0.25f, scale);
        put_iq2(mote_kernel_grid_iq2_xxs, 256, index, signs28(packed), q);
    }
}

static void decode_iq2_xs(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    const __m256i nine = _mm256_set1_epi16(511);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 74, q += 256, scale += 16) {
        __m256i a = load32(blocks + 2), b = load32(blocks + 34);
        __m256i index[2] = {_mm256_and_si256(a, nine), _mm256_and_si256(b, nine)};
        __m256i signs = words_to_bytes(_mm256_srli_epi16(a, 9), _mm256_srli_epi16(b, 9));
        half_scale16(f16_at(blocks), blocks + 66, 0.25f, scale);
        put_iq2(mote_kernel_grid_iq2_xs, 512, index, eighth_sign(signs), q);
    }
}

static void decode_iq2_s(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    /* bits 2·(l % 4) of byte l / 4 go to bits 8 and 9 of word l */
    const __m256i which = _mm256_setr_epi16(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    const __m256i shift = words4(256, 64, 16, 4), mask = _mm256_set1_epi16(0x300);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 82, q += 256, scale += 16) {
        __m256i index[2];
        uint64_t high = mote_base_u64(blocks + 66);
        for (int k = 0; k < 2; k++, high >>= 32) {
            __m256i bits = _mm256_mullo_epi16(spread_bytes(high, which), shift);
            index[k] = _mm256_or_si256(_mm256_and_si256(bits, mask), bytes_to_words(blocks + 2 + 16 * k));
        }
        half_scale16(f16_at(blocks), blocks + 74, 0.25f, scale);
        put_iq2(mote_kernel_grid_iq2_s, 1024, index, load32(blocks + 34), q);
    }
}

static void decode_iq3_xxs(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 98, q += 256, scale += 8) {
        __m256i index[4], packed = load32(blocks + 66);
        for (int k = 0; k < 4; k++)
            index[k] = bytes_to_words(blocks + 2 + 16 * k);
        half_scale8(f16_at(blocks), _mm256_srli_epi32(packed, 28), 0.5f, scale);
        put_iq3(mote_kernel_grid_iq3_xxs, 256, iq3_xxs_magnitudes, index, signs28(packed), q);
    }
}

static void decode_iq3_s(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    /* bit l % 8 of byte l / 8 goes to bit 8 of word l */
    const __m256i which = _mm256_setr_epi16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const __m256i shift = _mm256_setr_epi16(256, 128, 64, 32, 16, 8, 4, 2, 256, 128, 64, 32, 16, 8, 4, 2);
    const __m256i mask = _mm256_set1_epi16(0x100);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 110, q += 256, scale += 8) {
        __m256i index[4];
        uint64_t high = mote_base_u64(blocks + 66);
        for (int k = 0; k < 4; k++, high >>= 16) {
            __m256i bits = _mm256_mullo_epi16(spread_bytes(high, which), shift);
            index[k] = _mm256_or_si256(_mm256_and_si256(bits, mask), bytes_to_words(blocks + 2 + 16 * k));
        }
        __m128i ls = nibbles_in_order(mote_base_u32(blocks + 106));
        odd_scale8(f16_at(blocks), _mm256_cvtepu8_epi32(ls), 1.0f, scale);
        put_iq3(mote_kernel_grid_iq3_s, 512, iq3_s_magnitudes, index, load32(blocks + 74), q);
    }
}

static inline void overlay_iq(struct mote_kernels *table) {
    table->decode[MOTE_TYPE_IQ2_XXS] = decode_iq2_xxs;
    table->decode[MOTE_TYPE_IQ2_XS] = decode_iq2_xs;
    table->decode[MOTE_TYPE_IQ2_S] = decode_iq2_s;
    table->decode[MOTE_TYPE_IQ3_XXS] = decode_iq3_xxs;
    table->decode[MOTE_TYPE_IQ3_S] = decode_iq3_s;
}

#endif
