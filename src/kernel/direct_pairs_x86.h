/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_pairs_x86.h: dots() of direct_x86.h where there is no VPDPBUSD. VPMADDUBSW adds two products in 16
 * bits, and as many of its results are added up there as cannot overflow whatever the weights and activations
 * are: eight for nibbles, which is a whole group. Only then are they widened to 32 bits. Weights that may be
 * −128 … 127 go in as |w|, and x with the sign of w (product_avx2.c).
 *
 * The file that includes this defines
 *
 *     signed_pairs()            |w| · (x with the sign of w), two and two
 *     pairs(), add_pairs()      w · x, two and two; sums of such
 *     add_fours()               adds two and two of those to int32 lanes */

INLINE ints dots(ints sum, const ints *w, const int8_t *x, const uint8_t *at, int n, int most,
                 int as_signed) {
    const int run = as_signed ? 1 : 32767 / (2 * 127 * most);
    ints part = splat_int(0);
    UNROLL
    for (int i = 0; i < n; i++) {
        ints values = splat_int(four_values(x + at[i]));
        ints two = as_signed ? signed_pairs(w[i], values) : pairs(w[i], values);
        part = i % run ? add_pairs(part, two) : two;
        if (i % run == run - 1 || i == n - 1) sum = add_fours(sum, part);
    }
    return sum;
}
