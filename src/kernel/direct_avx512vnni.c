/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_avx512vnni.c: few columns, sixteen rows at a time, with the 512-bit VPDPBUSD; one column of Q8_0 and
 * Q6_K, a row at a time. */
#include "kernel/level.h"

#if defined(__x86_64__)

#define WIDTH      16
#define SIGNED_128 0
#include "kernel/vector_x86.h"
#include "kernel/direct_x86.h"

INLINE ints add_dot(ints sum, ints w, ints x) {
    return _mm512_dpbusd_epi32(sum, w, x);
}

#include "kernel/direct_dot_x86.h"
#include "kernel/direct_type_x86.h"
#include "kernel/unpack_x86.h"
#include "kernel/direct_line_avx512.h"

void mote_kernel_direct_overlay__avx512vnni(struct mote_kernels *table) {
    overlay_direct(table);
    overlay_unpack(table);
    overlay_line(table);
}

#endif
