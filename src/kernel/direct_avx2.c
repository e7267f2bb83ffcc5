/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_avx2.c: few columns, eight rows at a time, for AVX2 and for AVX-512 without VNNI, which gains
 * nothing by wider vectors where memory sets the pace.
 *
 * VPMADDUBSW adds two products in 16 bits, and as many of its results are added up there as cannot overflow
 * whatever the weights and activations are: eight for nibbles, which is a whole group. Only then are they
 * widened to 32 bits. Weights of offset 128 go in as |w|, and x with the sign of w (product_avx2.c). */
#include "kernel/level.h"

#if defined(__x86_64__)

#define WIDTH      8
#define SIGNED_128 1
#include "kernel/vector_x86.h"
#include "kernel/direct_x86.h"

INLINE ints dots(ints sum, const ints *w, const int8_t *x, int n, int most, int as_signed) {
    const int run = as_signed ? 1 : 32767 / (2 * 127 * most);
    ints part = splat_int(0);
    UNROLL
    for (int i = 0; i < n; i++) {
        ints values = splat_int(four_values(x + 4 * i));
        ints pairs = as_signed ? _mm256_maddubs_epi16(_mm256_abs_epi8(w[i]), _mm256_sign_epi8(values, w[i]))
                               : _mm256_maddubs_epi16(w[i], values);
        part = i % run ? _mm256_add_epi16(part, pairs) : pairs;
        if (i % run == run - 1 || i == n - 1)
            sum = add_ints(sum, _mm256_madd_epi16(part, _mm256_set1_epi16(1)));
    }
    return sum;
}

#include "kernel/direct_type_x86.h"
#include "kernel/unpack_x86.h"

void mote_kernel_direct_overlay__avx2(struct mote_kernels *table) {
    overlay_direct(table);
    overlay_unpack(table);
    mote_kernel_direct_book_overlay__avx2(table);
    mote_kernel_direct_q6_overlay__avx2(table);
}

#endif
