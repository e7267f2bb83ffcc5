/* SPDX-License-Identifier: Apache-2.0
 *
 * roof_neon.c: SMULL and SMLAL add two products into 16 bits, SADALP adds pairs of those into 32. */
#include "apps/cli/roof.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#define BYTES    16
#define REGISTER "w"
enum { MACS = 16 };
typedef int32x4_t ints;

static inline ints dot(ints sum, ints w, ints x) {
    int8x16_t a = vreinterpretq_s8_s32(w), b = vreinterpretq_s8_s32(x);
    int16x8_t pairs = vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b);
    return vpadalq_s16(sum, pairs);
}

#include "apps/cli/roof_lanes.h"

const struct cli_roof_loops cli_roof_loops__neon = LOOPS(MOTE_CPU_NEON);

#endif
