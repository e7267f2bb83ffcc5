/* SPDX-License-Identifier: Apache-2.0
 *
 * product_i8mm.c: multiply with USDOT, SDOT's sister for unsigned weights: those above 127 need no EOR, and
 * every offset is dealt with by what a sum starts from.
 *
 * The matrix product of this extension, SMMLA, is left alone. It does 2 rows × 8 values × 2 columns, twice
 * the work of an SDOT, but wants eight consecutive values of a row where a panel has four, and leaves four
 * outputs of 2 × 2. Per eight rows × four columns × 32 values the vector unit's instructions would be
 *
 *     SDOT    64 products                                               + 8 × 5 for start, float, scale, add
 *     SMMLA   32 products, 16 ZIP for weights, 8 for columns            + 8 × 6: also a ZIP to part columns
 *
 * 104 either way. Panels by eights and columns in pairs would save 24 of them, a quarter; the sums of each
 * group in floats, which every machine must add in order, remain. */
#include "kernel/level.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#define TILE                 8
#define SIGNED_128           0
#define WEIGHT               uint8x16_t
#define DOT(sum, w, x, lane) vusdotq_laneq_s32(sum, w, x, lane)

static inline uint8x16_t weights(const uint8_t *q, int as_signed) {
    (void)as_signed;
    return vld1q_u8(q);
}

#include "kernel/multiply_neon.h"

void mote_kernel_product_overlay__i8mm(struct mote_kernels *table) {
    table->multiply = multiply;
    table->multiply_packed = multiply_packed;
}

#endif
