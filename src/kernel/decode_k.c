/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_k.c: superblocks of 256 made of bit fields, by reference: the k-quants, IQ4_XS and the ternary
 * types. A field of w bytes with b bits for a value serves w·8/b values: bits k·b and up of byte l belong to
 * value k·w + l. n[64] 32×2, say, is two fields of 32 bytes with 2 bits for a value.
 *
 *     Q2_K    sc[16] n[64] d dmin       q = n 32×2                            16: d·(sc & 15)·q − dmin·(sc >> 4)
 *     Q3_K    h[32] n[64] sc[12] d      q = (n 32×2 | h 32×1 << 2) − 4        16: d·(s − 32)·q
 *     Q4_K    d dmin sc[12] n[128]      q = n 32×4                            32: d·s·q − dmin·m
 *     Q5_K    d dmin sc[12] h[32] n[128]   q = n 32×4 | h 32×1 << 4           32: d·s·q − dmin·m
 *     Q6_K    n[128] h[64] sc[16] d     q = (n 64×4 | h 32×2 << 4) − 32       16: d·sc·q, sc int8
 *     IQ4_XS  d sh[2] sl[4] n[128]      q = nonlinear[n 16×4]                 32: d·(s − 32)·q
 *     TQ2_0   n[64] d                   q = n 32×2 − 1                       256: d·q
 *     TQ1_0   n[48] h[4] d              q = digit − 1                        256: d·q
 *
 * Of TQ1_0 a byte is five base-3 digits as a fraction of 256: digit k = (byte·3^k mod 256)·3 >> 8. n[0..31]:
 * digit k of byte l is value 32·k + l; n[32..47]: value 160 + 16·k + l; h, four digits: value 240 + 4·k + l.
 *
 * The number before the colon is how many values share the scale; s and m unpack from sc (decode_scale.h). */
#include "base/memory.h"
#include "kernel/decode.h"
#include "kernel/decode_scale.h"

/* Adds a field of w bytes with n_bits for a value, shifted up, to its values. */
static void add_field(const uint8_t *field, int w, int n_bits, int up, int8_t *q) {
    int mask = (1 << n_bits) - 1;
    for (int k = 0; k < 8 / n_bits; k++, q += w)
        for (int l = 0; l < w; l++)
            q[l] = (int8_t)(q[l] + ((field[l] >> k * n_bits & mask) << up));
}

void mote_kernel_decode_q2_k__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 84, q += 256, scale += 16, min += 16) {
        const uint8_t *n = blocks + 16;
        float d = mote_kernel_f16_at(blocks + 80), dmin = mote_kernel_f16_at(blocks + 82);
        for (int g = 0; g < 16; g++) {
            scale[g] = d * (float)(blocks[g] & 15);
            min[g] = dmin * (float)(blocks[g] >> 4);
        }
        memset(q, 0, 256);
        add_field(n, 32, 2, 0, q);
        add_field(n + 32, 32, 2, 0, q + 128);
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
        memset(q, -4, 256);
        add_field(n, 32, 2, 0, q);
        add_field(n + 32, 32, 2, 0, q + 128);
        add_field(h, 32, 1, 2, q);
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
        scales_k4(blocks, scale, min);
        memset(q, 0, 256);
        for (int k = 0; k < 4; k++)
            add_field(blocks + 16 + 32 * k, 32, 4, 0, q + 64 * k);
    }
}

void mote_kernel_decode_q5_k__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 176, q += 256, scale += 8, min += 8) {
        scales_k4(blocks, scale, min);
        memset(q, 0, 256);
        for (int k = 0; k < 4; k++)
            add_field(blocks + 48 + 32 * k, 32, 4, 0, q + 64 * k);
        add_field(blocks + 16, 32, 1, 4, q);
    }
}

void mote_kernel_decode_q6_k__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                  float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 210, q += 256, scale += 16) {
        float d = mote_kernel_f16_at(blocks + 208);
        for (int g = 0; g < 16; g++)
            scale[g] = d * (float)(int8_t)blocks[192 + g];
        memset(q, -32, 256);
        for (int k = 0; k < 2; k++) {
            add_field(blocks + 64 * k, 64, 4, 0, q + 128 * k);
            add_field(blocks + 128 + 32 * k, 32, 2, 4, q + 128 * k);
        }
    }
}

void mote_kernel_decode_iq4_xs__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                    float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 136, q += 256, scale += 8) {
        float d = mote_kernel_f16_at(blocks);
        uint32_t high = mote_base_u16(blocks + 2);
        for (int g = 0; g < 8; g++)
            scale[g] = d * (float)((int)mote_kernel_scale_iq4_xs(blocks + 4, high, g) - 32);
        memset(q, 0, 256);
        for (int k = 0; k < 8; k++)
            add_field(blocks + 8 + 16 * k, 16, 4, 0, q + 32 * k);
        for (int j = 0; j < 256; j++)
            q[j] = mote_kernel_nonlinear[q[j]];
    }
}

void mote_kernel_decode_tq2_0__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                   float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 66, q += 256, scale += 8) {
        for (int g = 0; g < 8; g++)
            scale[g] = mote_kernel_f16_at(blocks + 64);
        memset(q, -1, 256);
        add_field(blocks, 32, 2, 0, q);
        add_field(blocks + 32, 32, 2, 0, q + 128);
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
