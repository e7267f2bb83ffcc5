/* SPDX-License-Identifier: Apache-2.0
 *
 * multiply_relaxed.c: products by the dot instruction of relaxed SIMD. */
#include "kernel/level.h"

#if defined(__wasm_relaxed_simd__) && !defined(MOTE_NO_DECODERS)

#define RELAXED 1
#include "kernel/multiply_wasm.h"
#include "kernel/direct_wasm.h"

void mote_kernel_multiply_overlay__relaxed(struct mote_kernels *table) {
    table->multiply = multiply;
    overlay_direct(table);
}

#endif
