/* SPDX-License-Identifier: Apache-2.0
 *
 * multiply_relaxed.c: products by the dot instruction of relaxed SIMD. */
#include "kernel/level.h"

#if defined(__wasm_relaxed_simd__)

#define RELAXED 1
#include "kernel/multiply_wasm.h"
#if !defined(MOTE_NO_DECODERS) /* encoders read panels, which they have made when they are opened */
#include "kernel/direct_wasm.h"
#endif

void mote_kernel_multiply_overlay__relaxed(struct mote_kernels *table) {
    table->multiply = multiply;
#if !defined(MOTE_NO_DECODERS)
    overlay_direct(table);
#endif
}

#endif
