/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_avxvnni.c: few columns, eight rows at a time, with the 256-bit VPDPBUSD. */
#include "kernel/level.h"

#if defined(__x86_64__)

#define WIDTH      8
#define SIGNED_128 0
#define ONLY_DOTS  1
#include "kernel/vector_x86.h"
#include "kernel/direct_x86.h"

INLINE ints add_dot(ints sum, ints w, ints x) {
    return _mm256_dpbusd_avx_epi32(sum, w, x);
}

#include "kernel/direct_dot_x86.h"
#include "kernel/direct_type_x86.h"

void mote_kernel_direct_overlay__avxvnni(struct mote_kernels *table) {
    overlay_direct(table);
}

#endif
