/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_avx512vnni.c: few columns, sixteen rows at a time, with the 512-bit VPDPBUSD. */
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

/* One column of Q8_0 waits for memory, which brings eight streams of long rows sooner than sixteen. */
static void q8_0(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                 const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    mote_kernel_direct *direct = n_columns == 1 ? mote_kernel_direct_q8_0__avx2 : direct_q8_0;
    direct(w, row0, n_rows, x, n_columns, y, y_stride);
}

void mote_kernel_direct_overlay__avx512vnni(struct mote_kernels *table) {
    overlay_direct(table);
    table->direct[MOTE_TYPE_Q8_0] = q8_0;
    overlay_unpack(table);
}

#endif
