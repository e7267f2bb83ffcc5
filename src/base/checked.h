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
    /* In halves of 32 bits: __builtin_mul_overflow calls a library for 128 bits on wasm, and a test by
     * division is turned into the same call. */
    uint64_t a_high = a >> 32, a_low = a & 0xffffffff, b_high = b >> 32, b_low = b & 0xffffffff;
    uint64_t cross = a_high * b_low + a_low * b_high; /* one of the two is 0, or it is too much */
    if ((a_high && b_high) || cross >> 32) return 0;
    return mote_base_add(cross << 32, a_low * b_low, out);
}

/* Rounds a up to a multiple of unit, a power of two. */
static inline int mote_base_round_up(uint64_t a, uint64_t unit, uint64_t *out) {
    uint64_t sum;
    if (__builtin_add_overflow(a, unit - 1, &sum)) return 0;
    *out = sum & ~(unit - 1);
    return 1;
}

#endif
