/* SPDX-License-Identifier: Apache-2.0
 *
 * packed_simd128.c: packed products and attention in integers by dots of sixteen-bit words, for engines without
 * relaxed SIMD. */
#include "kernel/level.h"

#if defined(__wasm_simd128__) && !defined(MOTE_NO_ENCODERS)

#define RELAXED 0
#include "kernel/packed_wasm.h"

void mote_kernel_packed_overlay__simd128(struct mote_kernels *table) {
    table->multiply_packed = multiply_packed;
    table->attend[MOTE_KERNEL_KV_S8] = attend;
}

#endif
