/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_s8_neon.c: attention in integers (attend_s8_lanes.h) on the vectors of AArch64. */
#include "kernel/level.h"

#if defined(__aarch64__)

#include "kernel/lanes_neon.h"

/* Two products of 127 · 127 fit 16 bits. */
static inline int32x4_t dot_four(int32x4_t sum, int32x4_t seven, int32x4_t bytes) {
    int8x16_t a = vreinterpretq_s8_s32(seven), b = vreinterpretq_s8_s32(bytes);
    int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}

#include "kernel/attend_s8_lanes.h"

void mote_kernel_attend_s8_overlay__neon(struct mote_kernels *table) {
    overlay_s8(table);
}

#endif
