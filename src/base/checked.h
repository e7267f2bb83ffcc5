/* SPDX-License-Identifier: Apache-2.0
 *
 * checked.h: arithmetic on sizes that come from outside. Each returns 1 and writes *out, or returns 0 on
 * overflow and leaves *out as it was. */
#ifndef MOTE_BASE_CHECKED_H
#define MOTE_BASE_CHECKED_H

#include <stdint.h>

static inline int mote_base_add(uint64_t a, uint64_t b, uint64_t *out) {
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return 0;
    *out = sum;
    return 1;
}

static inline int mote_base_mul(uint64_t a, uint64_t b, uint64_t *out) {
    /* by division: __builtin_mul_overflow would call a library for 128 bits on wasm */
    if (b && a > UINT64_MAX / b) return 0;
    *out = a * b;
    return 1;
}

/* Rounds a up to a multiple of unit, a power of two. */
static inline int mote_base_round_up(uint64_t a, uint64_t unit, uint64_t *out) {
    uint64_t sum;
    if (__builtin_add_overflow(a, unit - 1, &sum)) return 0;
    *out = sum & ~(unit - 1);
    return 1;
}

#endif
