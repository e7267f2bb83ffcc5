/* SPDX-License-Identifier: Apache-2.0
 *
 * float_neon.c: the float work (float_lanes.h) on the 128-bit vectors of AArch64. FCVTL and FCVTN convert f16
 * exactly as float.h does, but for the payload of a NaN. */
#include "kernel/level.h"

#if defined(__aarch64__)

#include "kernel/lanes_neon.h"

#include "kernel/float_lanes.h"

void mote_kernel_float_overlay__neon(struct mote_kernels *table) {
    overlay(table);
}

#endif
