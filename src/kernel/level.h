/* SPDX-License-Identifier: Apache-2.0
 *
 * level.h: what each instruction set brings. A file <family>_<isa>.c is compiled with the flags of its isa
 * and has one entry: it overlays the functions it has onto a table. The reference fills the whole table and
 * defines every bit; the others may only be faster. Which overlays are applied is select.c's business. */
#ifndef MOTE_KERNEL_LEVEL_H
#define MOTE_KERNEL_LEVEL_H

#include "kernel/kernel.h"

/* quantize, interleave, multiply; and what is for packed products alone: quantize_wide, multiply_packed */
void mote_kernel_product_overlay__ref(struct mote_kernels *table);
void mote_kernel_packed_overlay__ref(struct mote_kernels *table);
/* dots, norm, rope, swiglu, add, to_f16; attention is overlaid with them elsewhere */
void mote_kernel_float_overlay__ref(struct mote_kernels *table);
/* of those, what takes little time: rope, to_f16, from_f16 */
void mote_kernel_light_overlay__ref(struct mote_kernels *table);
/* keep, attend, attend_end; and keep alone */
void mote_kernel_attend_overlay__ref(struct mote_kernels *table);
void mote_kernel_keep_overlay__ref(struct mote_kernels *table);
/* scores s [n] become p; returns what the sums before are to be multiplied with, and moves max */
float mote_kernel_soften__ref(float *s, uint32_t n, float *max);
/* of pages of S8: keep, ask, attend */
void mote_kernel_attend_s8_overlay__ref(struct mote_kernels *table);
/* layer_norm, gelu, tanh */
void mote_kernel_encoder_overlay__ref(struct mote_kernels *table);

#if defined(__x86_64__)
void mote_kernel_product_overlay__avx2(struct mote_kernels *table);
void mote_kernel_product_overlay__avxvnni(struct mote_kernels *table);
void mote_kernel_product_overlay__avx512(struct mote_kernels *table);
void mote_kernel_product_overlay__avx512vnni(struct mote_kernels *table);
void mote_kernel_float_overlay__avx2(struct mote_kernels *table);
void mote_kernel_float_overlay__avx512(struct mote_kernels *table);
void mote_kernel_attend_s8_overlay__avx2(struct mote_kernels *table);
void mote_kernel_attend_s8_overlay__avxvnni(struct mote_kernels *table);
void mote_kernel_attend_s8_overlay__avx512(struct mote_kernels *table);
void mote_kernel_attend_s8_overlay__avx512vnni(struct mote_kernels *table);

/* direct */
void mote_kernel_direct_overlay__avx2(struct mote_kernels *table);
void mote_kernel_direct_overlay__avxvnni(struct mote_kernels *table);
void mote_kernel_direct_overlay__avx512vnni(struct mote_kernels *table);

/* Parts of it. */
void mote_kernel_direct_book_overlay__avx2(struct mote_kernels *table);
void mote_kernel_direct_q6_overlay__avx2(struct mote_kernels *table);
#elif defined(__aarch64__)
void mote_kernel_product_overlay__neon(struct mote_kernels *table);
void mote_kernel_product_overlay__dotprod(struct mote_kernels *table);
void mote_kernel_product_overlay__i8mm(struct mote_kernels *table);
void mote_kernel_float_overlay__neon(struct mote_kernels *table);
void mote_kernel_attend_s8_overlay__neon(struct mote_kernels *table);
void mote_kernel_attend_s8_overlay__dotprod(struct mote_kernels *table);
#elif defined(__wasm_simd128__)
void mote_kernel_product_overlay__simd128(struct mote_kernels *table);  /* quantize, interleave */
void mote_kernel_multiply_overlay__simd128(struct mote_kernels *table); /* multiply, direct */
void mote_kernel_multiply_overlay__relaxed(struct mote_kernels *table);
void mote_kernel_float_overlay__simd128(struct mote_kernels *table); /* of float work, what takes time */
void mote_kernel_encoder_overlay__simd128(struct mote_kernels *table);
void mote_kernel_integer_overlay__simd128(struct mote_kernels *table); /* quantize_wide, keep_s8, ask_s8 */
void mote_kernel_packed_overlay__simd128(struct mote_kernels *table);  /* multiply_packed, attend of S8 */
void mote_kernel_packed_overlay__relaxed(struct mote_kernels *table);
#endif

#endif
