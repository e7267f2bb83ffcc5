/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_avx512vnni.c: few columns, sixteen rows at a time, with the 512-bit VPDPBUSD. */
#include "kernel/level.h"

#if defined(__x86_64__)

#define WIDTH      16
#define SIGNED_128 0
#include "kernel/vector_x86.h"
#include "kernel/direct_x86.h"

INLINE ints dots(ints sum, const ints *w, const int8_t *x, const uint8_t *at, int n, int most,
                 int as_signed) {
    (void)most, (void)as_signed;
    ints other = splat_int(0);
    UNROLL
    for (int i = 0; i + 1 < n; i += 2) {
        sum = _mm512_dpbusd_epi32(sum, w[i], _mm512_set1_epi32(four_values(x + at[i])));
        other = _mm512_dpbusd_epi32(other, w[i + 1], _mm512_set1_epi32(four_values(x + at[i + 1])));
    }
    if (n % 2) sum = _mm512_dpbusd_epi32(sum, w[n - 1], _mm512_set1_epi32(four_values(x + at[n - 1])));
    return _mm512_add_epi32(sum, other);
}

#include "kernel/direct_type_x86.h"

void mote_kernel_direct_overlay__avx512vnni(struct mote_kernels *table) {
    overlay_direct(table);
}

#endif
