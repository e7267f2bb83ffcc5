/* SPDX-License-Identifier: Apache-2.0
 *
 * roof_ref.c: limits of what compilers make of portable C: vectors of four 32-bit numbers. */
#include "apps/cli/roof.h"

#define BYTES 16
#if defined(__x86_64__)
#define REGISTER "x"
#elif defined(__aarch64__)
#define REGISTER "w"
#else
#define REGISTER "m"
#endif
enum { MACS = 4 };
typedef int32_t ints __attribute__((vector_size(BYTES)));

static inline ints dot(ints sum, ints w, ints x) {
    return sum + w * x;
}

#include "apps/cli/roof_lanes.h"

const struct cli_roof_loops cli_roof_loops__ref = LOOPS(0);
