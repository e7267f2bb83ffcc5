/* SPDX-License-Identifier: Apache-2.0
 *
 * grid.h: the code books of the IQ types. An entry stands for 8 (IQ1, IQ2) or 4 (IQ3) neighbouring values
 * that may take few different magnitudes, so a book stores only which one, in 16 bits an entry, value i
 * lowest:
 *
 *     IQ1, IQ2   8 × 2 bits   i7 i6 i5 i4 i3 i2 i1 i0      IQ1: −1 0 1      IQ2: 8 25 43
 *     IQ3        4 × 4 bits   .i3  .i2  .i1  .i0           IQ3_XXS: 4 12 20 28 36 44 52 62   IQ3_S: 1 3 … 15
 *
 * 9 KB in all where bytes would take 34: they must fit the small builds, and the level-1 cache. Signs are not
 * in the book; they come with the block. */
#ifndef MOTE_KERNEL_GRID_H
#define MOTE_KERNEL_GRID_H

#include <stdint.h>

extern const uint16_t mote_kernel_grid_iq2_xxs[256];
extern const uint16_t mote_kernel_grid_iq2_xs[512];
extern const uint16_t mote_kernel_grid_iq2_s[1024];
extern const uint16_t mote_kernel_grid_iq3_xxs[256];
extern const uint16_t mote_kernel_grid_iq3_s[512];
extern const uint16_t mote_kernel_grid_iq1[2048]; /* IQ1_S and IQ1_M */

/* 8 × 2 bits → 8 bytes of 0..3, value 0 lowest. */
static inline uint64_t mote_kernel_grid_spread8(uint16_t entry) {
    uint64_t x = entry;
    x = (x | x << 24) & 0x000000ff000000ff;
    x = (x | x << 12) & 0x000f000f000f000f;
    return (x | x << 6) & 0x0303030303030303;
}

/* 4 × 4 bits → 4 bytes of 0..15. */
static inline uint32_t mote_kernel_grid_spread4(uint16_t entry) {
    uint32_t x = entry;
    x = (x | x << 8) & 0x00ff00ff;
    return (x | x << 4) & 0x0f0f0f0f;
}

/* Seven sign bits → eight: the number of negative values is even, so the eighth is the parity of the seven.
 */
static inline uint32_t mote_kernel_grid_signs(uint32_t seven) {
    uint32_t parity = seven ^ seven >> 4;
    return seven | (0x6996u >> (parity & 15) & 1) << 7;
}

#endif
