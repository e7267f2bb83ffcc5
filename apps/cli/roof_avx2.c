/* SPDX-License-Identifier: Apache-2.0
 *
 * roof_avx2.c: 256-bit vectors; products of bytes are added in pairs to 16 bits, those in pairs to 32. */
#include "apps/cli/roof.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BYTES    32
#define REGISTER "x"
enum { MACS = BYTES };
typedef __m256i ints;

static inline ints dot(ints sum, ints w, ints x) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1)));
}

#include "apps/cli/roof_lanes.h"

const struct cli_roof_loops cli_roof_loops__avx2 = LOOPS(MOTE_CPU_AVX2);

#endif
