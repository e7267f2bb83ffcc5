/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_s8_avx512.c: attention in integers (attend_s8_lanes.h) on 512-bit vectors. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "kernel/lanes_avx512.h"

/* Two products of 127 · 127 fit 16 bits. */
static inline ivec dot_four(ivec sum, ivec seven, ivec bytes) {
    __m512i pairs = _mm512_maddubs_epi16((__m512i)seven, (__m512i)bytes);
    return (ivec)_mm512_add_epi32((__m512i)sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

#include "kernel/attend_s8_lanes.h"

void mote_kernel_attend_s8_overlay__avx512(struct mote_kernels *table) {
    overlay_s8(table);
}

#endif
