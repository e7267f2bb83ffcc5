/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_k.c: superblocks of 256 in fields of 32 bytes, by reference: the k-quants, IQ4_XS and the ternary
 * types. "halves" below means that each 32 bytes serve 64 values with low and high nibbles, "quarters" that
 * they serve 128 values with bits 0–1, 2–3, 4–5, 6–7; byte l of the 32 always holds values l, l + 32 … .
 *
 *     Q2_K    sc[16] n[64] d dmin            q = n, quarters          16: d·(sc & 15)·q − dmin·(sc >> 4)
 *     Q3_K    h[32] n[64] sc[12] d           q = (n, quarters | h << 2) − 4           16: d·(s − 32)·q
 *             h: bit i of byte l for value 32·i + l
 *     Q4_K    d dmin sc[12] n[128]           q = n, halves                      32: d·s·q − dmin·m
 *     Q5_K    d dmin sc[12] h[32] n[128]     q = n, halves | h << 4             32: d·s·q − dmin·m
 *     Q6_K    n[128] h[64] sc[16] d          q = (n | h, quarters << 4) − 32          16: d·sc·q, sc int8
 *             per 128 values 64 bytes n: low nibbles the first 64, high nibbles the second
 *     IQ4_XS  d sh[2] sl[4] n[128]           q = nonlinear[n]; per 32 values 16 bytes n, value l low,
 *             l + 16 high                                                       32: d·(s − 32)·q
 *     TQ2_0   n[64] d                        q = n − 1, quarters                256: d·q
 *     TQ1_0   n[48] h[4] d                   q = digit − 1                      256: d·q
 *             a byte is five base-3 digits as a fraction of 256: digit k = (byte·3^k mod 256)·3 >> 8.
 *             n[0..31]: digit k of byte l is value 32·k + l; n[32..47]: value 160 + 16·k + l;
 *             h, four digits: value 240 + 4·k + l
 *
 * The number before the colon is how many values share the scale. */
#include "base/memory.h"
#include "kernel/decode.h"
#include "kernel/decode_scale.h"

void mote_kernel_decode_q2_k__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 84, q += 256, scale += 16, min += 16) {
        const uint8_t *n = blocks + 16;
        float d = mote_kernel_f16_at(blocks + 80), dmin = mote_kernel_f16_at(blocks + 82);
        for (int g = 0; g < 16; g++) {
            scale[g] = d * (float)(blocks[g] & 15);
            min[g] = dmin * (float)(blocks[g] >> 4);
        }
        for (int j = 0; j < 256; j++)
            q[j] = (int8_t)(n[j / 128 * 32 + j % 32] >> j / 32 % 4 * 2 & 3);
    }
}

void mote_kernel_decode_q3_k__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 110, q += 256, scale += 16) {
        const uint8_t *h = blocks, *n = blocks + 32;
        float d = mote_kernel_f16_at(blocks + 108);
        uint32_t words[4];
        mote_kernel_scales_k3(blocks + 96, words);
        for (int g = 0; g < 16; g++)
            scale[g] = d * (float)((int)(words[g / 4] >> g % 4 * 8 & 255) - 32);
        for (int j = 0; j < 256; j++) {
            int low = n[j / 128 * 32 + j % 32] >> j / 32 % 4 * 2 & 3, high = h[j % 32] >> j / 32 & 1;
            q[j] = (int8_t)((low | high << 2) - 4);
        }
    }
}

static void scales_k4(const uint8_t *block, float *scale, float *min) {
    float d = mote_kernel_f16_at(block), dmin = mote_kernel_f16_at(block + 2);
    uint32_t words[4];
    mote_kernel_scales_k4(block + 4, words);
    for (int g = 0; g < 8; g++) {
        scale[g] = d * (float)(words[g / 4] >> g % 4 * 8 & 255);
        min[g] = dmin * (float)(words[2 + g / 4] >> g % 4 * 8 & 255);
    }
}

void mote_kernel_decode_q4_k__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 144, q += 256, scale += 8, min += 8) {
        const uint8_t *n = blocks + 16;
        scales_k4(blocks, scale, min);
        for (int j = 0; j < 256; j++)
            q[j] = (int8_t)(n[j / 64 * 32 + j % 32] >> j / 32 % 2 * 4 & 15);
    }
}

void mote_kernel_decode_q5_k__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 176, q += 256, scale += 8, min += 8) {
        const uint8_t *h = blocks + 16, *n = blocks + 48;
        scales_k4(blocks, scale, min);
        for (int j = 0; j < 256; j++) {
            int low = n[j / 64 * 32 + j % 32] >> j / 32 % 2 * 4 & 15, high = h[j % 32] >> j / 32 & 1;
            q[j] = (int8_t)(low | high << 4);
        }
    }
}

void mote_kernel_decode_q6_k__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 210, q += 256, scale += 16) {
        const uint8_t *n = blocks, *h = blocks + 128;
        float d = mote_kernel_f16_at(blocks + 208);
        for (int g = 0; g < 16; g++)
            scale[g] = d * (float)(int8_t)blocks[192 + g];
        for (int j = 0; j < 256; j++) {
            int low = n[j / 128 * 64 + j % 64] >> j / 64 % 2 * 4 & 15;
            int high = h[j / 128 * 32 + j % 32] >> j / 32 % 4 * 2 & 3;
            q[j] = (int8_t)((low | high << 4) - 32);
        }
    }
}

void mote_kernel_decode_iq4_xs__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                    float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 136, q += 256, scale += 8) {
        const uint8_t *n = blocks + 8;
        float d = mote_kernel_f16_at(blocks);
        uint32_t high = mote_base_u16(blocks + 2);
        for (int g = 0; g < 8; g++)
            scale[g] = d * (float)((int)mote_kernel_scale_iq4_xs(blocks + 4, high, g) - 32);
        for (int j = 0; j < 256; j++)
            q[j] = mote_kernel_nonlinear[n[j / 32 * 16 + j % 16] >> j / 16 % 2 * 4 & 15];
    }
}

void mote_kernel_decode_tq2_0__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                   float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 66, q += 256, scale += 8) {
        for (int g = 0; g < 8; g++)
            scale[g] = mote_kernel_f16_at(blocks + 64);
        for (int j = 0; j < 256; j++)
            q[j] = (int8_t)((blocks[j / 128 * 32 + j % 32] >> j / 32 % 4 * 2 & 3) - 1);
    }
}

/* n bytes of digits → q[k·n + l] for k < n_digits. */
static void ternary(const uint8_t *bytes, int n, int n_digits, int8_t *q) {
    for (int l = 0; l < n; l++) {
        uint32_t fraction = bytes[l];
        for (int k = 0; k < n_digits; k++, fraction = fraction * 3 & 255)
            q[k * n + l] = (int8_t)((int)(fraction * 3 >> 8) - 1);
    }
}

void mote_kernel_decode_tq1_0__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                   float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 54, q += 256, scale += 8) {
        for (int g = 0; g < 8; g++)
            scale[g] = mote_kernel_f16_at(blocks + 52);
        ternary(blocks, 32, 5, q);
        ternary(blocks + 32, 16, 5, q + 160);
        ternary(blocks + 48, 4, 4, q + 240);
    }
}
