/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_scale.h: the small parts of a block that all instruction sets read alike: its f16, its packed scales
 * and the two tables of sixteen. */
#ifndef MOTE_KERNEL_DECODE_SCALE_H
#define MOTE_KERNEL_DECODE_SCALE_H

#include <stdint.h>

#include "base/float.h"
#include "base/reader.h"

/* IQ4_NL and IQ4_XS: the sixteen levels of a nibble (numbers from ggml, MIT licence). */
static const int8_t mote_kernel_nonlinear[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                 1,    13,   25,  38,  53,  69,  89,  113};

/* MXFP4: twice the E2M1 number of a nibble: sign, two bits of exponent, one of fraction. */
static const int8_t mote_kernel_e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static inline float mote_kernel_f16_at(const uint8_t *p) {
    return mote_base_f32_from_f16(mote_base_u16(p));
}

/* 2^(e−128): half of E8M0's 2^(e−127), as E2M1 is kept doubled. Subnormal for e < 2. */
static inline float mote_kernel_e8m0_half(uint8_t e) {
    return mote_base_f32_from_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

/* Q4_K and Q5_K: 8 scales and 8 mins of 6 bits in 12 bytes,
 *
 *     byte 0..3   s0..s3, and above them the two high bits of s4..s7
 *     byte 4..7   m0..m3, and above them the two high bits of m4..m7
 *     byte 8..11  the low nibbles of s4..s7, and above them those of m4..m7
 *
 * to four words of four bytes each: word 0, 1 scales, 2, 3 mins. */
static inline void mote_kernel_scales_k4(const uint8_t *p, uint32_t words[4]) {
    uint32_t a = mote_base_u32(p), b = mote_base_u32(p + 4), c = mote_base_u32(p + 8);
    words[0] = a & 0x3f3f3f3f;
    words[1] = (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030);
    words[2] = b & 0x3f3f3f3f;
    words[3] = (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030);
}

/* Q3_K: 16 scales of 6 bits in 12 bytes: byte i of the first eight has the low nibbles of s[i] and s[i + 8],
 * byte 8 + i the two high bits of s[i], s[i + 4], s[i + 8], s[i + 12]; to four words of four bytes 0..63. */
static inline void mote_kernel_scales_k3(const uint8_t *p, uint32_t words[4]) {
    uint32_t a = mote_base_u32(p), b = mote_base_u32(p + 4), c = mote_base_u32(p + 8);
    words[0] = (a & 0x0f0f0f0f) | (c << 4 & 0x30303030);
    words[1] = (b & 0x0f0f0f0f) | (c << 2 & 0x30303030);
    words[2] = (a >> 4 & 0x0f0f0f0f) | (c & 0x30303030);
    words[3] = (b >> 4 & 0x0f0f0f0f) | (c >> 2 & 0x30303030);
}

/* IQ4_XS: 8 scales of 6 bits: low nibbles in 4 bytes, two at a time, high bits in one u16. */
static inline uint32_t mote_kernel_scale_iq4_xs(const uint8_t *low, uint32_t high, int i) {
    return (low[i / 2] >> 4 * (i % 2) & 15u) | (high >> 2 * i & 3) << 4;
}

/* IQ1_M: the f16 of a block lies in the top nibbles of its four u16 of scales. */
static inline float mote_kernel_f16_iq1_m(const uint8_t *scales) {
    return mote_base_f32_from_f16(
        (uint16_t)(scales[1] >> 4 | (scales[3] & 0xf0) | (scales[5] & 0xf0) << 4 | (scales[7] & 0xf0) << 8));
}

#endif
