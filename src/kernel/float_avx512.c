/* SPDX-License-Identifier: Apache-2.0
 *
 * float_avx512.c: the float work (float_lanes.h) on 512-bit vectors. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "kernel/lanes_avx512.h"

#include "kernel/float_lanes.h"

void mote_kernel_float_overlay__avx512(struct mote_kernels *table) {
    overlay(table);
}

#endif
