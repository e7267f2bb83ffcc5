/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_iq_avx512.c: the code-book types, 64 values a vector. Entries are not fetched from memory: a word
 * permutation picks 32 out of 64 at once, so a book of n entries costs n/64 of them and as many blends for
 * 256 values. With 256 entries that is twice as fast as fetching, with 1024 a little faster, with the 2048 of
 * IQ1 slower; so IQ1 stays with AVX2. Indices become bytes as in decode_iq_avx2.c; signs are a mask. */
#if defined(__x86_64__)
#include "kernel/decode_iq_x86.h"

static inline __m512i join(__m256i low, __m256i high) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* book[index] for 32 indices below n, a multiple of 64. */
static inline __m512i look_up(const uint16_t *book, int n, __m512i index) {
    const __m512i one = _mm512_set1_epi16(1);
    __m512i x = _mm512_setzero_si512(), part = _mm512_srli_epi16(index, 6);
    for (int k = 0; k < n; k += 64, part = _mm512_sub_epi16(part, one)) {
        __m512i low = _mm512_loadu_si512(book + k), high = _mm512_loadu_si512(book + k + 32);
        __mmask32 here = _mm512_testn_epi16_mask(part, part);
        x = _mm512_mask_mov_epi16(x, here, _mm512_permutex2var_epi16(low, index, high));
    }
    return x;
}

/* 64 two-bit indices, the same in all four lanes of twos → their bytes in a table of value i at i and 4·i. */
static inline __m512i look_up_twos(__m512i table, __m512i twos) {
    const __m512i byte =
        _mm512_setr_epi64(0x0101010100000000, 0x0303030302020202, 0x0505050504040404, 0x0707070706060606,
                          0x0909090908080808, 0x0b0b0b0b0a0a0a0a, 0x0d0d0d0d0c0c0c0c, 0x0f0f0f0f0e0e0e0e);
    __m512i x = _mm512_shuffle_epi8(twos, byte);
    __m512i low = _mm512_and_si512(x, _mm512_set1_epi32(0x00000c03));
    __m512i high = _mm512_and_si512(_mm512_srli_epi32(x, 4), _mm512_set1_epi32(0x0c030000));
    return _mm512_shuffle_epi8(table, _mm512_or_si512(low, high));
}

static inline void store_signed(int8_t *q, __m512i x, long long negative) {
    __mmask64 mask = _cvtu64_mask64((unsigned long long)negative);
    _mm512_storeu_si512((void *)q, _mm512_mask_sub_epi8(x, mask, _mm512_setzero_si512(), x));
}

static inline void put_iq2(const uint16_t *book, int n, const __m256i index[2], __m256i signs, int8_t *q) {
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(8, 25, 43, 0, 25, 0, 0, 0, 43, 0, 0, 0, 0, 0, 0, 0));
    __m512i x = look_up(book, n, join(index[0], index[1]));
    store_signed(q, look_up_twos(table, _mm512_shuffle_i32x4(x, x, 0x00)), _mm256_extract_epi64(signs, 0));
    store_signed(q + 64, look_up_twos(table, _mm512_shuffle_i32x4(x, x, 0x55)),
                 _mm256_extract_epi64(signs, 1));
    store_signed(q + 128, look_up_twos(table, _mm512_shuffle_i32x4(x, x, 0xaa)),
                 _mm256_extract_epi64(signs, 2));
    store_signed(q + 192, look_up_twos(table, _mm512_shuffle_i32x4(x, x, 0xff)),
                 _mm256_extract_epi64(signs, 3));
}

/* 64 nibbles in order → their bytes in a table. */
static inline __m512i look_up_fours(__m512i table, __m256i fours) {
    __m512i x = _mm512_cvtepu8_epi16(fours);
    x = _mm512_and_si512(_mm512_or_si512(x, _mm512_slli_epi16(x, 4)), _mm512_set1_epi8(15));
    return _mm512_shuffle_epi8(table, x);
}

static inline void put_iq3(const uint16_t *book, int n, const int8_t *magnitudes, const __m256i index[4],
                           __m256i signs, int8_t *q) {
    const __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)magnitudes));
    __m512i x = look_up(book, n, join(index[0], index[1])), y = look_up(book, n, join(index[2], index[3]));
    store_signed(q, look_up_fours(table, _mm512_castsi512_si256(x)), _mm256_extract_epi64(signs, 0));
    store_signed(q + 64, look_up_fours(table, _mm512_extracti64x4_epi64(x, 1)),
                 _mm256_extract_epi64(signs, 1));
    store_signed(q + 128, look_up_fours(table, _mm512_castsi512_si256(y)), _mm256_extract_epi64(signs, 2));
    store_signed(q + 192, look_up_fours(table, _mm512_extracti64x4_epi64(y, 1)),
                 _mm256_extract_epi64(signs, 3));
}

void mote_kernel_decode_overlay__avx512(struct mote_kernels *table) {
    overlay_iq(table);
}
#endif
