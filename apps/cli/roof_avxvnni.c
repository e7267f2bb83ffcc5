/* SPDX-License-Identifier: Apache-2.0
 *
 * roof_avxvnni.c: the 256-bit VPDPBUSD. */
#include "apps/cli/roof.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BYTES    32
#define REGISTER "x"
enum { MACS = BYTES };
typedef __m256i ints;

static inline ints dot(ints sum, ints w, ints x) {
    return _mm256_dpbusd_avx_epi32(sum, w, x);
}

#include "apps/cli/roof_lanes.h"

const struct cli_roof_loops cli_roof_loops__avxvnni = LOOPS(MOTE_CPU_AVX2 | MOTE_CPU_AVXVNNI);

#endif
