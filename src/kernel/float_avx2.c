/* SPDX-License-Identifier: Apache-2.0
 *
 * float_avx2.c: the float work (float_lanes.h) on 256-bit vectors, with F16C. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "kernel/lanes_avx2.h"

#include "kernel/float_lanes.h"

void mote_kernel_float_overlay__avx2(struct mote_kernels *table) {
    overlay(table);
}

#endif
