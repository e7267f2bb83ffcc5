/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h: the tables of kernels that tests of float work compare with the plain loops: every subset of the
 * CPU's features, and float_lanes.h once more as it is for a machine of four-float vectors without f16
 * conversions. */
#ifndef TESTS_KERNEL_TABLE_H
#define TESTS_KERNEL_TABLE_H

#include "tests/kernel/guard.h"

#include <math.h>

#include "base/math.h"

#define WIDTH           4
#define HAS_CONVERSIONS 0
#define HAS_SCALE       0
#include "kernel/float_lanes.h"

static inline ivec dot_four(ivec sum, ivec seven, ivec bytes) {
    uvec total = (uvec)sum; /* of positions not seen it may be anything */
    for (int shift = 0; shift < 32; shift += 8)
        total += ((uvec)seven >> shift & 255) * (uvec)((ivec)((uvec)bytes << (24 - shift)) >> 24);
    return (ivec)total;
}

#include "kernel/attend_s8_lanes.h"

/* What is compared with the reference: every subset of features, and the generic vectors (cpu GENERIC). */
enum { GENERIC = 0x80000000u };

static int next_table(struct mote_kernels *table, uint32_t *cpu, int *state) {
    uint32_t all = mote_posix_cpu();
    if (*state == 0) {
        *cpu = 0;
        *state = 1;
    } else if (*state == 1 && *cpu != all) {
        *cpu = (*cpu - all) & all;
    } else if (*state == 1) {
        *cpu = GENERIC;
        *state = 2;
    } else {
        return 0;
    }
    mote_kernel_select(table, *cpu == GENERIC ? 0 : *cpu);
    if (*cpu == GENERIC) {
        overlay(table);
        overlay_s8(table);
    }
    return 1;
}
#define FOR_EACH_TABLE(table, cpu)                                                                           \
    for (struct {                                                                                            \
             struct mote_kernels table;                                                                      \
             uint32_t cpu;                                                                                   \
             int state;                                                                                      \
         } each = {0};                                                                                       \
         next_table(&each.table, &each.cpu, &each.state);)

static void fill(float *x, size_t n, uint32_t awkward) {
    for (size_t i = 0; i < n; i++)
        x[i] = awkward ? random_awkward(awkward) : random_float();
}

#endif
