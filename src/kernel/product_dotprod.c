/* SPDX-License-Identifier: Apache-2.0
 *
 * product_dotprod.c: multiply with SDOT, which adds four s8·s8 products to an int32 lane: eight rows × four
 * columns, sixteen rows × two or one. Weights above 127 have their offset taken off first, an EOR. */
#include "kernel/level.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#define TILE                 8
#define SIGNED_128           1
#define WEIGHT               int8x16_t
#define DOT(sum, w, x, lane) vdotq_laneq_s32(sum, w, x, lane)

/* Four weights of each of four rows, as signed bytes. */
static inline int8x16_t weights(const uint8_t *q, int as_signed) {
    uint8x16_t value = vld1q_u8(q);
    return vreinterpretq_s8_u8(as_signed ? veorq_u8(value, vdupq_n_u8(128)) : value);
}

#include "kernel/multiply_neon.h"

void mote_kernel_product_overlay__dotprod(struct mote_kernels *table) {
    table->multiply = multiply;
    table->multiply_packed = multiply_packed;
}

#endif
