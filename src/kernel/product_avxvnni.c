/* SPDX-License-Identifier: Apache-2.0
 *
 * product_avxvnni.c: multiply with the 256-bit VPDPBUSD: a panel × four columns. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "base/float.h"
#include "base/memory.h"

#define WIDTH  8
#define NARROW 0
#include "kernel/vector_x86.h"

struct weight {
    ints q;
};

static inline struct weight ready(const uint8_t *q, int as_signed) {
    (void)as_signed;
    return (struct weight){_mm256_loadu_si256((const __m256i *)q)};
}

static inline ints dot(ints sum, struct weight w, ints x, int as_signed) {
    (void)as_signed;
    return _mm256_dpbusd_avx_epi32(sum, w.q, x);
}

#include "kernel/multiply_x86.h"

void mote_kernel_product_overlay__avxvnni(struct mote_kernels *table) {
    table->multiply = multiply;
    table->multiply_packed = multiply_packed;
}

#endif
