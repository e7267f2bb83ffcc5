/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_s8_avxvnni.c: attention in integers (attend_s8_lanes.h) on 256-bit vectors with VNNI. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "kernel/lanes_avx2.h"

static inline ivec dot_four(ivec sum, ivec seven, ivec bytes) {
    return (ivec)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)seven, (__m256i)bytes);
}

#include "kernel/attend_s8_lanes.h"

void mote_kernel_attend_s8_overlay__avxvnni(struct mote_kernels *table) {
    overlay_s8(table);
}

#endif
