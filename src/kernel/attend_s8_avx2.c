/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_s8_avx2.c: attention in integers (attend_s8_lanes.h) on 256-bit vectors. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "kernel/lanes_avx2.h"

/* Two products of 127 · 127 fit 16 bits. */
static inline ivec dot_four(ivec sum, ivec seven, ivec bytes) {
    __m256i pairs = _mm256_maddubs_epi16((__m256i)seven, (__m256i)bytes);
    return (ivec)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#include "kernel/attend_s8_lanes.h"

void mote_kernel_attend_s8_overlay__avx2(struct mote_kernels *table) {
    overlay_s8(table);
}

#endif
