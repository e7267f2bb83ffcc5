/* SPDX-License-Identifier: Apache-2.0
 *
 * roof_i8mm.c: SMMLA. */
#include "apps/cli/roof.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#define BYTES    16
#define REGISTER "w"
enum { MACS = 32 };
typedef int32x4_t ints;

static inline ints dot(ints sum, ints w, ints x) {
    return vmmlaq_s32(sum, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(x));
}

#include "apps/cli/roof_lanes.h"

const struct cli_roof_loops cli_roof_loops__i8mm = LOOPS(MOTE_CPU_NEON | MOTE_CPU_I8MM);

#endif
