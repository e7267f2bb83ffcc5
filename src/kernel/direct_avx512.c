/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_avx512.c: few columns, sixteen rows at a time, for AVX-512 (F, BW, DQ, VL) without VNNI. */
#include "kernel/level.h"

#if defined(__x86_64__)

#define WIDTH      16
#define SIGNED_128 1
#include "kernel/vector_x86.h"
#include "kernel/direct_x86.h"

INLINE ints pairs(ints w, ints x) {
    return _mm512_maddubs_epi16(w, x);
}

INLINE ints signed_pairs(ints w, ints x) {
    __m512i minus_x = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x);
    return _mm512_maddubs_epi16(_mm512_abs_epi8(w), minus_x);
}

INLINE ints add_pairs(ints a, ints b) {
    return _mm512_add_epi16(a, b);
}

INLINE ints add_fours(ints sum, ints v) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(v, _mm512_set1_epi16(1)));
}

#include "kernel/direct_pairs_x86.h"
#include "kernel/direct_type_x86.h"

void mote_kernel_direct_overlay__avx512(struct mote_kernels *table) {
    overlay_direct(table);
}

#endif
