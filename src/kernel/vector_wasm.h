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
#define PART   static __attribute__((noinline, unused)) /* unused: by modules that have not all types */
#define SMALL  __attribute__((minsize)) PART            /* what takes less time than its code is worth */
/* Short loops whose indices have to be known; and loops that are not worth more code than they are. */
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable) vectorize(disable)")

/* A module of which bytes are counted does without what is only for speed, such as loops written out. */
#if defined(MOTE_SMALL)
#define IS_SMALL     1
#define UNROLL_LARGE ROLLED
#else
#define IS_SMALL     0
#define UNROLL_LARGE UNROLL
#endif

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

/* Reads a byte of each line: rows that will be read side by side first come in the order of memory, which a machine
 * follows by itself. */
SMALL void touch(const uint8_t *p, uint32_t n) {
    ROLLED
    for (const uint8_t *end = p + n; p < end; p += 64)
        (void)*(const volatile uint8_t *)p;
}

/* The same address; the compiler knows nothing of what is there. */
INLINE const void *opaque(const void *p) {
    __asm__("" : "+r"(p));
    return p;
}

/* The same; the compiler knows nothing of it. */
INLINE vector hidden(vector v) {
    __asm__("" : "+r"(v));
    return v;
}

/* Sums of four numbers each: lane i of the result is the sum of the lanes of vector i. */
INLINE vector across(vector a, vector b, vector c, vector d) {
    vector ab = wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
    vector cd = wasm_i32x4_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
    return wasm_i32x4_add(wasm_i64x2_shuffle(ab, cd, 0, 2), wasm_i64x2_shuffle(ab, cd, 1, 3));
}

/* Sums of two numbers each. */
INLINE vector across_pairs(vector ab, vector cd) {
    return wasm_i32x4_add(wasm_i32x4_shuffle(ab, cd, 0, 2, 4, 6), wasm_i32x4_shuffle(ab, cd, 1, 3, 5, 7));
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

/* Lanes that hold an f16 in their upper half, as floats. What is subnormal as f16 is never a subnormal float
 * on the way, which would take a hundred cycles. Of the exponent moved and moved once more, less what that
 * added to it, the smaller is right: the second for subnormal numbers alone. */
struct halves {
    vector positive, once, twice, finite;
};

INLINE struct halves load_halves_constants(void) {
    static const uint32_t constants[4] = {0x7fffffff, 112u << 23, 113u << 23, 0x0f7fffff};
    const uint32_t *p = opaque(constants);
    return (struct halves){load_splat(p), load_splat(p + 1), load_splat(p + 2), load_splat(p + 3)};
}

INLINE vector float_from_half(vector v, const struct halves *c) {
    vector top = wasm_v128_and(v, c->positive), magnitude = wasm_u32x4_shr(top, 3);
    vector value = wasm_f32x4_pmin(wasm_i32x4_add(magnitude, c->once),
                                   wasm_f32x4_sub(wasm_i32x4_add(magnitude, c->twice), c->twice));
    /* infinity and NaN: all ones, which are 112 more again */
    vector special = wasm_v128_and(wasm_i32x4_gt(magnitude, c->finite), c->once);
    return wasm_v128_or(wasm_i32x4_add(value, special), wasm_v128_xor(v, top));
}

#endif
