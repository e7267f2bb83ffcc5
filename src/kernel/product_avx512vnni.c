/* SPDX-License-Identifier: Apache-2.0
 *
 * product_avx512vnni.c: multiply with the 512-bit VPDPBUSD: two panels × four columns. The instruction adds
 * four u8·s8 products to an int32 lane; it does not saturate, so weights may be up to 255. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "base/float.h"
#include "base/memory.h"

#define WIDTH  16
#define NARROW 0
#include "kernel/vector_x86.h"

struct weight {
    ints q;
};

static inline struct weight ready(const uint8_t *q, int as_signed) {
    (void)as_signed;
    return (struct weight){_mm512_loadu_si512(q)};
}

static inline ints dot(ints sum, struct weight w, ints x, int as_signed) {
    (void)as_signed;
    return _mm512_dpbusd_epi32(sum, w.q, x);
}

#include "kernel/multiply_x86.h"

void mote_kernel_product_overlay__avx512vnni(struct mote_kernels *table) {
    table->multiply = multiply;
    table->multiply_packed = multiply_packed;
}

#endif
