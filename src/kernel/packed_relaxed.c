/* SPDX-License-Identifier: Apache-2.0
 *
 * packed_relaxed.c: packed products and attention in integers by the dot instruction of relaxed SIMD. */
#include "kernel/level.h"

#if defined(__wasm_relaxed_simd__) && !defined(MOTE_NO_ENCODERS)

#define RELAXED 1
#include "kernel/packed_wasm.h"

void mote_kernel_packed_overlay__relaxed(struct mote_kernels *table) {
    table->multiply_packed = multiply_packed;
    table->attend[MOTE_KERNEL_KV_S8] = attend;
}

#endif
