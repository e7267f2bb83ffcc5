/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_iq1_x86.h: the fields of IQ1, whose book is too large for any way but that of AVX2. The file that
 * includes this defines what is done with them, as in decode_iq_x86.h:
 *
 *     put_iq1(index[2], deltas, q)   32 indices, 8 values each, and a delta of 1 or −1 for each; 256 values
 *
 * Layouts: decode_iq.c. */
#ifndef MOTE_KERNEL_DECODE_IQ1_X86_H
#define MOTE_KERNEL_DECODE_IQ1_X86_H

#include "kernel/decode_iq_x86.h"

static inline void put_iq1(const __m256i index[2], __m256i deltas, int8_t *q);

/* 32 two-bit indices → their bytes in a table that has value i at i and at 4·i. */
static inline __m256i look_up_twos(__m256i table, uint64_t twos) {
    const __m256i byte =
        _mm256_setr_epi64x(0x0101010100000000, 0x0303030302020202, 0x0505050504040404, 0x0707070706060606);
    __m256i x = _mm256_shuffle_epi8(_mm256_set1_epi64x((long long)twos), byte);
    __m256i low = _mm256_and_si256(x, _mm256_set1_epi32(0x00000c03));
    __m256i high = _mm256_and_si256(_mm256_srli_epi32(x, 4), _mm256_set1_epi32(0x0c030000));
    return _mm256_shuffle_epi8(table, _mm256_or_si256(low, high));
}

/* Four words → each four times. */
static inline __m256i spread_words(uint64_t words) {
    const __m256i which =
        _mm256_setr_epi64x(0x0100010001000100, 0x0302030203020302, 0x0504050405040504, 0x0706070607060706);
    return _mm256_shuffle_epi8(_mm256_set1_epi64x((long long)words), which);
}

/* 32 words, of which bit 15 is the sign of a delta → 32 bytes of −1 or 1. */
static inline __m256i delta_bytes(__m256i a, __m256i b) {
    __m256i negative = _mm256_packs_epi16(_mm256_srai_epi16(a, 15), _mm256_srai_epi16(b, 15));
    return _mm256_or_si256(_mm256_permute4x64_epi64(negative, 0xd8), _mm256_set1_epi8(1));
}

static void decode_iq1_s(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    /* bits 3·(l % 4) of word l / 4 go to bits 8 to 10 of word l; the last of four the other way */
    const __m256i shift = words4(256, 32, 4, 0), mask = _mm256_set1_epi16(0x700);
    const __m256i last = words4(0, 0, 0, 0x700);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 50, q += 256, scale += 8) {
        __m256i index[2], high[2];
        for (int k = 0; k < 2; k++) {
            high[k] = spread_words(mote_base_u64(blocks + 34 + 8 * k));
            __m256i bits = _mm256_and_si256(_mm256_mullo_epi16(high[k], shift), mask);
            bits = _mm256_or_si256(bits, _mm256_and_si256(_mm256_srli_epi16(high[k], 1), last));
            index[k] = _mm256_or_si256(bits, bytes_to_words(blocks + 2 + 16 * k));
        }
        __m128i ls = _mm_and_si128(_mm_srli_epi16(load16(blocks + 34), 12), _mm_set1_epi16(7));
        odd_scale8(f16_at(blocks), _mm256_cvtepu16_epi32(ls), 0.125f, scale);
        put_iq1(index, delta_bytes(high[0], high[1]), q);
    }
}

static void decode_iq1_m(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    /* nibble l % 2 of byte l / 2 goes to bits 8 to 11 of word l */
    const __m256i which = _mm256_setr_epi16(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const __m256i shift = words4(256, 16, 256, 16), mask = _mm256_set1_epi16(0x700);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 56, q += 256, scale += 16) {
        __m256i index[2], delta[2];
        for (int k = 0; k < 2; k++) {
            uint64_t high = mote_base_u64(blocks + 32 + 8 * k);
            __m256i bits = _mm256_mullo_epi16(spread_bytes(high, which), shift);
            index[k] = _mm256_or_si256(_mm256_and_si256(bits, mask), bytes_to_words(blocks + 16 * k));
            delta[k] = _mm256_slli_epi16(bits, 4);
        }
        /* scale g is bits 3·(g % 4) of word g / 4: shifted up to bit 9, then down */
        __m256i ls = _mm256_mullo_epi16(spread_words(mote_base_u64(blocks + 48)), words4(512, 64, 8, 1));
        ls = _mm256_and_si256(_mm256_srli_epi16(ls, 9), _mm256_set1_epi16(7));
        float d = mote_kernel_f16_iq1_m(blocks + 48);
        odd_scale8(d, _mm256_cvtepu16_epi32(_mm256_castsi256_si128(ls)), 0.125f, scale);
        odd_scale8(d, _mm256_cvtepu16_epi32(_mm256_extracti128_si256(ls, 1)), 0.125f, scale + 8);
        put_iq1(index, delta_bytes(delta[0], delta[1]), q);
    }
}

#endif
