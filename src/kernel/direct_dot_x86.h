/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_dot_x86.h: dots() of direct_x86.h with VPDPBUSD, which the file that includes this defines as
 * add_dot(). Two sums side by side: each addition waits four or five cycles for the one before. */

INLINE ints dots(ints sum, const ints *w, const int8_t *x, int n, int most, int as_signed) {
    (void)most, (void)as_signed;
    ints other = splat_int(0);
    UNROLL
    for (int i = 0; i < n; i += 2) {
        sum = add_dot(sum, w[i], splat_int(four_values(x + 4 * i)));
        if (i + 1 < n) other = add_dot(other, w[i + 1], splat_int(four_values(x + 4 * i + 4)));
    }
    return add_ints(sum, other);
}
