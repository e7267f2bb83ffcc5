/* SPDX-License-Identifier: Apache-2.0
 *
 * roof_avx512vnni.c: the 512-bit VPDPBUSD. */
#include "apps/cli/roof.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BYTES    64
#define REGISTER "v"
enum { MACS = BYTES };
typedef __m512i ints;

static inline ints dot(ints sum, ints w, ints x) {
    return _mm512_dpbusd_epi32(sum, w, x);
}

#include "apps/cli/roof_lanes.h"

const struct cli_roof_loops cli_roof_loops__avx512vnni =
    LOOPS(MOTE_CPU_AVX2 | MOTE_CPU_AVX512 | MOTE_CPU_AVX512VNNI);

#endif
