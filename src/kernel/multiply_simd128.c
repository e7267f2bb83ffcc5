/* SPDX-License-Identifier: Apache-2.0
 *
 * multiply_simd128.c: products by dots of sixteen-bit words, for engines without relaxed SIMD. */
#include "kernel/level.h"

#if defined(__wasm_simd128__) && !defined(MOTE_NO_DECODERS)

#define RELAXED 0
#include "kernel/multiply_wasm.h"
#include "kernel/direct_wasm.h"

void mote_kernel_multiply_overlay__simd128(struct mote_kernels *table) {
    table->multiply = multiply;
    overlay_direct(table);
}

#endif
