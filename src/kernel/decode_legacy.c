/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_legacy.c: the types of one block of 32, by reference. j counts 0..15 below; a byte of nibbles holds
 * value j low and value j + 16 high. d, m are f16, little-endian.
 *
 *     Q4_0    d  n[16]           q = n − 8                     w = d·q
 *     Q4_1    d  m  n[16]        q = n                         w = d·q + m
 *     Q5_0    d  h[4] n[16]      q = (n | h bit << 4) − 16     w = d·q
 *     Q5_1    d  m  h[4] n[16]   q = n | h bit << 4            w = d·q + m
 *     Q8_0    d  q[32]                                         w = d·q
 *     IQ4_NL  d  n[16]           q = nonlinear[n]              w = d·q
 *     MXFP4   e  n[16]           q = 2 × the E2M1 number n     w = 2^(e−128)·q, e a byte
 *
 * h is one u32, bit i for value i.
 *
 * IQ4_XS, which is IQ4_NL in superblocks, stands with the k-quants. */
#include "base/float.h"
#include "base/reader.h"
#include "kernel/decode.h"
#include "kernel/decode_scale.h"

static void nibbles(const uint8_t *n, int offset, int8_t *q) {
    for (int j = 0; j < 16; j++) {
        q[j] = (int8_t)((n[j] & 15) - offset);
        q[j + 16] = (int8_t)((n[j] >> 4) - offset);
    }
}

static void fives(const uint8_t *h, const uint8_t *n, int offset, int8_t *q) {
    uint32_t high = mote_base_u32(h);
    for (int j = 0; j < 16; j++) {
        q[j] = (int8_t)((int)((n[j] & 15u) | (high >> j & 1) << 4) - offset);
        q[j + 16] = (int8_t)((int)((n[j] >> 4) | (high >> (j + 16) & 1) << 4) - offset);
    }
}

void mote_kernel_decode_q4_0__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 18, q += 32) {
        scale[i] = mote_kernel_f16_at(blocks);
        nibbles(blocks + 2, 8, q);
    }
}

void mote_kernel_decode_q4_1__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 20, q += 32) {
        scale[i] = mote_kernel_f16_at(blocks);
        min[i] = -mote_kernel_f16_at(blocks + 2);
        nibbles(blocks + 4, 0, q);
    }
}

void mote_kernel_decode_q5_0__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 22, q += 32) {
        scale[i] = mote_kernel_f16_at(blocks);
        fives(blocks + 2, blocks + 6, 16, q);
    }
}

void mote_kernel_decode_q5_1__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 24, q += 32) {
        scale[i] = mote_kernel_f16_at(blocks);
        min[i] = -mote_kernel_f16_at(blocks + 2);
        fives(blocks + 4, blocks + 8, 0, q);
    }
}

void mote_kernel_decode_q8_0__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 34, q += 32) {
        scale[i] = mote_kernel_f16_at(blocks);
        for (int j = 0; j < 32; j++)
            q[j] = (int8_t)blocks[2 + j];
    }
}

void mote_kernel_decode_iq4_nl__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                    float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 18, q += 32) {
        scale[i] = mote_kernel_f16_at(blocks);
        for (int j = 0; j < 16; j++) {
            q[j] = mote_kernel_nonlinear[blocks[2 + j] & 15];
            q[j + 16] = mote_kernel_nonlinear[blocks[2 + j] >> 4];
        }
    }
}

void mote_kernel_decode_mxfp4__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                   float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 17, q += 32) {
        scale[i] = mote_kernel_e8m0_half(blocks[0]);
        for (int j = 0; j < 16; j++) {
            q[j] = mote_kernel_e2m1[blocks[1 + j] & 15];
            q[j + 16] = mote_kernel_e2m1[blocks[1 + j] >> 4];
        }
    }
}
