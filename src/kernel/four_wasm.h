/* SPDX-License-Identifier: Apache-2.0
 *
 * four_wasm.h: what the files share that make attention over S8 (page.h) in WebAssembly. Its products are made for
 * relaxed SIMD and without (packed_wasm.h), what is around them once, without (integer_simd128.c): where relaxed
 * instructions are allowed, compilers take relaxed minima for others. */
#ifndef MOTE_KERNEL_FOUR_WASM_H
#define MOTE_KERNEL_FOUR_WASM_H

#include <wasm_simd128.h>

#include "kernel/kernel.h"

/* out[c][r] = Σ of n values, a multiple of 4, of row r · column c; x below 128. rows [n/4], stride bytes apart,
 * [n_rows][4]; n_rows a multiple of 8 */
typedef void mote_kernel_dots_four(const void *rows, uint32_t n_rows, uint32_t stride,
                                   const int8_t *const x[4], uint32_t n, int32_t *out);

void mote_kernel_attend_s8__simd128(mote_kernel_dots_four *dots, const struct mote_kernel_attention *a,
                                    uint32_t first, uint32_t n, const void *const *pages,
                                    uint32_t n_positions);

/* to [16] = to · keep + Σ left[i] · row i of right, in order: n rows, stride floats apart. */
void mote_kernel_add_rows__simd128(float *to, const float *left, float keep, const float *right,
                                   uint32_t stride, uint32_t n);

/* mote_base_exp on each lane. */
v128_t mote_kernel_exp__simd128(v128_t x);

#endif
