/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_s8_dotprod.c: attention in integers (attend_s8_lanes.h) on the vectors of AArch64 with SDOT. */
#include "kernel/level.h"

#if defined(__aarch64__)

#include "kernel/lanes_neon.h"

static inline int32x4_t dot_four(int32x4_t sum, int32x4_t seven, int32x4_t bytes) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(seven), vreinterpretq_s8_s32(bytes));
}

#include "kernel/attend_s8_lanes.h"

void mote_kernel_attend_s8_overlay__dotprod(struct mote_kernels *table) {
    overlay_s8(table);
}

#endif
