/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_avx2.c: few columns, eight rows at a time, for AVX2. */
#include "kernel/level.h"

#if defined(__x86_64__)

#define WIDTH      8
#define SIGNED_128 1
#include "kernel/vector_x86.h"
#include "kernel/direct_x86.h"

INLINE ints pairs(ints w, ints x) {
    return _mm256_maddubs_epi16(w, x);
}

INLINE ints signed_pairs(ints w, ints x) {
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

INLINE ints add_pairs(ints a, ints b) {
    return _mm256_add_epi16(a, b);
}

INLINE ints add_fours(ints sum, ints v) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(v, _mm256_set1_epi16(1)));
}

#include "kernel/direct_pairs_x86.h"
#include "kernel/direct_type_x86.h"

void mote_kernel_direct_overlay__avx2(struct mote_kernels *table) {
    overlay_direct(table);
}

#endif
