/* SPDX-License-Identifier: Apache-2.0
 *
 * vector_wasm.h: what the WebAssembly kernels share: loads, and work on four rows side by side, one in each
 * lane of 32 bits.
 *
 * Engines translate these vectors almost instruction by instruction, but make a constant anew wherever it is
 * used, at the cost of three. In a loop that counts, constants therefore are loaded before it, through a
 * pointer that neither the compiler nor the optimizer after the linker sees through. */
#ifndef MOTE_KERNEL_VECTOR_WASM_H
#define MOTE_KERNEL_VECTOR_WASM_H

#include <stdint.h>
#include <wasm_simd128.h>

#include "base/memory.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef v128_t vector;

INLINE vector load(const void *p) {
    return wasm_v128_load(p);
}

INLINE void store(void *p, vector v) {
    wasm_v128_store(p, v);
}

INLINE vector splat(int32_t value) {
    return wasm_i32x4_splat(value);
}

/* The four bytes at p, in each lane. */
INLINE vector load_splat(const void *p) {
    return wasm_v128_load32_splat(p);
}

/* The first n < 16 bytes at p and zeros, or all. */
static inline __attribute__((noinline)) vector load_part(const void *p, uint32_t n) {
    uint8_t padded[16] = {0};
    if (n >= sizeof padded) return load(p);
    memcpy(padded, p, n);
    return load(padded);
}

/* The same address; the compiler knows nothing of what is there. */
INLINE const void *opaque(const void *p) {
    __asm__("" : "+r"(p));
    return p;
}

/* Sums of four numbers each: lane i of the result is the sum of the lanes of vector i. */
INLINE vector across(vector a, vector b, vector c, vector d) {
    vector ab = wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
    vector cd = wasm_i32x4_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
    return wasm_i32x4_add(wasm_i64x2_shuffle(ab, cd, 0, 2), wasm_i64x2_shuffle(ab, cd, 1, 3));
}

/* Four rows of four numbers → four columns. */
INLINE void turn(const vector row[4], vector to[4]) {
    vector ab = wasm_i32x4_shuffle(row[0], row[1], 0, 4, 1, 5);
    vector cd = wasm_i32x4_shuffle(row[2], row[3], 0, 4, 1, 5);
    to[0] = wasm_i64x2_shuffle(ab, cd, 0, 2);
    to[1] = wasm_i64x2_shuffle(ab, cd, 1, 3);
    ab = wasm_i32x4_shuffle(row[0], row[1], 2, 6, 3, 7);
    cd = wasm_i32x4_shuffle(row[2], row[3], 2, 6, 3, 7);
    to[2] = wasm_i64x2_shuffle(ab, cd, 0, 2);
    to[3] = wasm_i64x2_shuffle(ab, cd, 1, 3);
}

#endif
