/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_rows_avx2.h: the product with few columns, eight rows at a time, where rows are not turned, only
 * their sums are: for types whose values cost less where they lie side by side.
 *
 *     row a   sixteen sums of 16 bits      a a a a a a a a │ a a a a a a a a
 *     rows a, b, then a to d               a b a b │ a b a b           a b c d │ a b c d
 *     rows a to h                          a b c d e f g h of the first sixteen values, and of the second
 *
 * The sums of 16 bits that VPMADDUBSW makes must have room for two pairs of them. */
#include "base/memory.h"

#define WIDTH 8
#include "kernel/vector_x86.h"

#define INLINE static inline __attribute__((always_inline))

enum { ROWS = 8, SPAN = 256, TILE = MOTE_KERNEL_DIRECT };

/* Rows a, b → a b a b │ a b a b */
INLINE __m256i join_rows(__m256i a, __m256i b) {
    __m256i sum = _mm256_add_epi16(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    return _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
}

INLINE __m256i join_pairs(__m256i ab, __m256i cd) {
    return _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
}

/* Rows a to d, rows e to h → sums of all eight rows' first sixteen values, and of the second. */
INLINE void join_fours(ints low, ints high, ints halves[2]) {
    halves[0] = _mm256_permute2x128_si256(low, high, 0x20);
    halves[1] = _mm256_permute2x128_si256(low, high, 0x31);
}

/* acc + idot · (scale · d) */
INLINE floats add_scaled(floats acc, ints idot, floats scale, float d) {
    return plus(acc, mul(to_float(idot), mul(scale, splat_float(d))));
}

/* Asks for an eighth of what comes next of eight rows: a superblock of so many bytes of each. */
INLINE void fetch(uintptr_t ahead, uint32_t bytes, uint32_t eighth) {
    uint32_t lines = (bytes * ROWS + 63) / 64;
    for (uint32_t i = eighth * lines / 8; i < (eighth + 1) * lines / 8; i++)
        __builtin_prefetch((const void *)(ahead + (uintptr_t)i * 64));
}
