/* SPDX-License-Identifier: Apache-2.0
 *
 * decode.h: the decoders of the quantized weight types, by instruction set. Every set gives the bits of the
 * reference, which is the definition: q, scale and min equal in every bit, NaN excepted, whose payload no
 * target promises. Scales are products of an f16 (11 bits) and a small integer or half-integer (at most 8
 * bits), so they are exact in f32 in any order of multiplication and nothing is left to choose; the one type
 * without an f16, MXFP4, has a power of two.
 *
 * A decoder reads exactly n_blocks blocks and writes exactly their values, at any alignment. Blocks come from
 * outside: any bits decode to something, all table indices are cut to their field's width. */
#ifndef MOTE_KERNEL_DECODE_H
#define MOTE_KERNEL_DECODE_H

#include "kernel/kernel.h"

/* The quantized types, each with a decoder mote_kernel_decode_<lower>__ref. X(NAME, lower). Builds for encoders
 * alone have the few that encoders are stored in. */
#define MOTE_KERNEL_DECODE_FEW(X)                                                                            \
    X(Q4_0, q4_0)                                                                                            \
    X(Q4_1, q4_1)                                                                                            \
    X(Q5_0, q5_0)                                                                                            \
    X(Q5_1, q5_1)                                                                                            \
    X(Q8_0, q8_0)                                                                                            \
    X(Q4_K, q4_k)                                                                                            \
    X(Q5_K, q5_k)                                                                                            \
    X(Q6_K, q6_k)
#if defined(MOTE_NO_DECODERS)
#define MOTE_KERNEL_DECODE_LIST MOTE_KERNEL_DECODE_FEW
#else
#define MOTE_KERNEL_DECODE_LIST(X)                                                                           \
    MOTE_KERNEL_DECODE_FEW(X)                                                                                \
    X(Q2_K, q2_k)                                                                                            \
    X(Q3_K, q3_k)                                                                                            \
    X(IQ1_S, iq1_s)                                                                                          \
    X(IQ1_M, iq1_m)                                                                                          \
    X(IQ2_XXS, iq2_xxs)                                                                                      \
    X(IQ2_XS, iq2_xs)                                                                                        \
    X(IQ2_S, iq2_s)                                                                                          \
    X(IQ3_XXS, iq3_xxs)                                                                                      \
    X(IQ3_S, iq3_s)                                                                                          \
    X(IQ4_NL, iq4_nl)                                                                                        \
    X(IQ4_XS, iq4_xs)                                                                                        \
    X(TQ1_0, tq1_0)                                                                                          \
    X(TQ2_0, tq2_0)                                                                                          \
    X(MXFP4, mxfp4)
#endif

/* Bit n: type number n has a decoder. */
#define MOTE_KERNEL_DECODE_BIT(NAME, lower) | (uint64_t)1 << MOTE_TYPE_##NAME
#define MOTE_KERNEL_DECODED                 (0 MOTE_KERNEL_DECODE_LIST(MOTE_KERNEL_DECODE_BIT))

#define MOTE_KERNEL_DECODE_REF(NAME, lower) mote_kernel_decode mote_kernel_decode_##lower##__ref;
MOTE_KERNEL_DECODE_LIST(MOTE_KERNEL_DECODE_REF)
#undef MOTE_KERNEL_DECODE_REF

/* Each writes table->decode for the types its instruction set has a decoder for, and leaves the others. */
void mote_kernel_decode_overlay__ref(struct mote_kernels *table);
#if defined(__x86_64__)
void mote_kernel_decode_overlay__avx2(struct mote_kernels *table);
void mote_kernel_decode_overlay__avx512(struct mote_kernels *table);

/* The parts of __avx2. */
void mote_kernel_decode_legacy_overlay__avx2(struct mote_kernels *table);
void mote_kernel_decode_k_overlay__avx2(struct mote_kernels *table);
void mote_kernel_decode_iq_overlay__avx2(struct mote_kernels *table);
#elif defined(__aarch64__)
void mote_kernel_decode_overlay__neon(struct mote_kernels *table);
#elif defined(__wasm_simd128__)
void mote_kernel_decode_overlay__simd128(struct mote_kernels *table);
#endif

#endif
