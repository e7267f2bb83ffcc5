/* SPDX-License-Identifier: Apache-2.0
 *
 * roof_lanes.h: the loops of roof.h for vectors of one width, included by each roof_<isa>.c, which says
 * before:
 *
 *     BYTES     of a vector
 *     REGISTER  the letter of inline assembly for a register that holds one
 *     ints      a vector type
 *     MACS      products that one dot adds
 *     dot       (ints sum, ints w, ints x) -> ints
 *
 * CHAINS sums run side by side, so that no addition waits for the one before: latency times throughput of the
 * instructions meant here is 8 to 10. KEEP makes the compiler believe that a vector has changed; without it
 * the products, always the same, would be made once before the loop. It costs no instruction. */
#include "apps/cli/roof.h"

#define UNROLL  _Pragma("GCC unroll 16")
#define KEEP(v) __asm__ volatile("" : "+" REGISTER(v))

enum { CHAINS = 10 };
typedef uint64_t words __attribute__((vector_size(BYTES)));
typedef float floats __attribute__((vector_size(BYTES)));

static void read_all(const void *bytes, size_t n_bytes) {
    const words *word = bytes;
    words sum[4] = {{0}};
    for (size_t i = 0; i < n_bytes / BYTES; i += 4) {
        UNROLL
        for (int j = 0; j < 4; j++)
            sum[j] += word[i + (size_t)j];
    }
    words all = sum[0] + sum[1] + sum[2] + sum[3];
    KEEP(all);
}

static uint64_t multiply_ints(uint32_t turns) {
    ints sum[CHAINS] = {{0}}, w = {0}, x = {0};
    KEEP(x);
    for (uint32_t turn = 0; turn < turns; turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            KEEP(w);
            sum[i] = dot(sum[i], w, x);
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        KEEP(sum[i]);
    return (uint64_t)turns * CHAINS * MACS;
}

static uint64_t multiply_floats(uint32_t turns) {
    floats sum[CHAINS] = {{0}}, w = {0}, x = {0};
    KEEP(x);
    for (uint32_t turn = 0; turn < turns; turn++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            KEEP(w);
            sum[i] = sum[i] + w * x;
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        KEEP(sum[i]);
    return (uint64_t)turns * CHAINS * (BYTES / 4);
}

#define LOOPS(needs)                                                                                         \
    { needs, read_all, multiply_ints, multiply_floats }
