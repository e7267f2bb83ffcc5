/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_s8_avx512vnni.c: attention in integers (attend_s8_lanes.h) on 512-bit vectors with VNNI. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "kernel/lanes_avx512.h"

static inline ivec dot_four(ivec sum, ivec seven, ivec bytes) {
    return (ivec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)seven, (__m512i)bytes);
}

#include "kernel/attend_s8_lanes.h"

void mote_kernel_attend_s8_overlay__avx512vnni(struct mote_kernels *table) {
    overlay_s8(table);
}

#endif
