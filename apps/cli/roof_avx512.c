/* SPDX-License-Identifier: Apache-2.0
 *
 * roof_avx512.c: 512-bit vectors; products of bytes are added in pairs to 16 bits, those in pairs to 32. */
#include "apps/cli/roof.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BYTES    64
#define REGISTER "v"
enum { MACS = BYTES };
typedef __m512i ints;

static inline ints dot(ints sum, ints w, ints x) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(w, x), _mm512_set1_epi16(1)));
}

#include "apps/cli/roof_lanes.h"

const struct cli_roof_loops cli_roof_loops__avx512 = LOOPS(MOTE_CPU_AVX2 | MOTE_CPU_AVX512);

#endif
