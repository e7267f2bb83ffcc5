/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_iq_avx2.c: the code-book types, 32 values a vector. Entries are fetched one by one; a gather
 * instruction is no faster, and slow where it was patched for security. Eight bytes of two-bit indices b
 * become 32 bytes for a shuffle to look up in three steps: each b four times, the second pair shifted by a
 * nibble, then 00 in the even and 00·· in the odd bytes masked out. The table answers to both: index i and
 * index 4·i. */
#if defined(__x86_64__)
#include "kernel/decode_iq1_x86.h"

static inline uint64_t four_entries(const uint16_t *book, const uint16_t *index) {
    return book[index[0]] | (uint64_t)book[index[1]] << 16 | (uint64_t)book[index[2]] << 32 |
           (uint64_t)book[index[3]] << 48;
}

static inline void put_iq2(const uint16_t *book, int n, const __m256i index[2], __m256i signs, int8_t *q) {
    (void)n;
    const __m256i table = _mm256_setr_epi8(8, 25, 43, 0, 25, 0, 0, 0, 43, 0, 0, 0, 0, 0, 0, 0, //
                                           8, 25, 43, 0, 25, 0, 0, 0, 43, 0, 0, 0, 0, 0, 0, 0);
    uint16_t indices[32];
    uint32_t bits[8];
    _mm256_storeu_si256((void *)indices, index[0]);
    _mm256_storeu_si256((void *)(indices + 16), index[1]);
    _mm256_storeu_si256((void *)bits, signs);
    for (int g = 0; g < 8; g++) {
        __m256i x = look_up_twos(table, four_entries(book, indices + 4 * g));
        store32(q + 32 * g, negate32(x, mask32(bits[g])));
    }
}

static inline void put_iq3(const uint16_t *book, int n, const int8_t *magnitudes, const __m256i index[4],
                           __m256i signs, int8_t *q) {
    (void)n;
    const __m256i table = table16(magnitudes);
    uint16_t indices[64];
    uint32_t bits[8];
    for (int k = 0; k < 4; k++)
        _mm256_storeu_si256((void *)(indices + 16 * k), index[k]);
    _mm256_storeu_si256((void *)bits, signs);
    for (int g = 0; g < 8; g++) {
        __m128i fours = _mm_set_epi64x((long long)four_entries(book, indices + 8 * g + 4),
                                       (long long)four_entries(book, indices + 8 * g));
        __m256i x = _mm256_cvtepu8_epi16(fours);
        x = _mm256_and_si256(_mm256_or_si256(x, _mm256_slli_epi16(x, 4)), _mm256_set1_epi8(15));
        store32(q + 32 * g, negate32(_mm256_shuffle_epi8(table, x), mask32(bits[g])));
    }
}

static inline void put_iq1(const __m256i index[2], __m256i deltas, int8_t *q) {
    const __m256i table = _mm256_setr_epi8(-8, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, //
                                           -8, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0);
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    uint16_t indices[32];
    int32_t delta[8];
    _mm256_storeu_si256((void *)indices, index[0]);
    _mm256_storeu_si256((void *)(indices + 16), index[1]);
    _mm256_storeu_si256((void *)delta, deltas);
    for (int g = 0; g < 8; g++) {
        __m256i x = look_up_twos(table, four_entries(mote_kernel_grid_iq1, indices + 4 * g));
        store32(q + 32 * g, _mm256_add_epi8(x, _mm256_shuffle_epi8(_mm256_set1_epi32(delta[g]), byte)));
    }
}

void mote_kernel_decode_iq_overlay__avx2(struct mote_kernels *table) {
    overlay_iq(table);
    table->decode[MOTE_TYPE_IQ1_S] = decode_iq1_s;
    table->decode[MOTE_TYPE_IQ1_M] = decode_iq1_m;
}
#endif
