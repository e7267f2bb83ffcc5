/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_iq.c: superblocks of 256 whose values come from a code book (grid.h), by reference. An index names 8
 * values (IQ1, IQ2) or 4 (IQ3); eight sign bits belong to 8 values, bit i to value i, set for negative; where
 * only seven are stored their parity is the eighth. ls is a 3- or 4-bit scale. Multi-byte fields
 * little-endian.
 *
 *     IQ2_XXS  d, per 32: i[4] and u32: 4 × 7 signs, ls 4                          32: d·(½ + ls)/4
 *     IQ2_XS   d, per 8: u16: i 9, signs 7; ls[8]: two nibbles a byte              16: d·(½ + ls)/4
 *     IQ2_S    d, i[32], signs[32], h[8], ls[8]; i of 10: h, 2 bits each           16: d·(½ + ls)/4
 *     IQ3_XXS  d, i[64], per 32: u32: 4 × 7 signs, ls 4                            32: d·(½ + ls)/2
 *     IQ3_S    d, i[64], h[8], signs[32], ls[4]; i of 9: h, 1 bit each             32: d·(1 + 2·ls)
 *     IQ1_S    d, i[32], per 32: u16: 4 × 3 high bits of i, ls 3, delta            32: d·(1 + 2·ls)/8
 *     IQ1_M    i[32], per 16: u8: 2 × (3 high bits of i, delta);
 *              4 × u16: 4 × ls 3, a nibble of d                                    16: d·(1 + 2·ls)/8
 *
 * IQ1 has w = d·(1 + 2·ls)·(b + δ) with b in −1, 0, 1 and δ = ±1/8, negative where the delta bit is set; so
 * its q = 8·b ± 1. */
#include "kernel/decode.h"
#include "kernel/decode_scale.h"
#include "kernel/grid.h"

/* Half-integer scale of the IQ2 and IQ3_XXS types: d·(½ + ls)·unit. */
static float half_scale(float d, uint32_t ls, float unit) {
    return d * ((0.5f + (float)ls) * unit);
}

static float odd_scale(float d, uint32_t ls, float unit) {
    return d * ((float)(1 + 2 * ls) * unit);
}

static void put(uint64_t x, int8_t *q) {
    for (int j = 0; j < 8; j++)
        q[j] = (int8_t)(x >> 8 * j);
}

/* Eight magnitudes in the bytes of x, none of them 0, with their signs: no byte carries into the next. */
static void put_signed(uint64_t x, uint32_t signs, int8_t *q) {
    uint64_t bits = (uint64_t)signs * 0x0101010101010101 & 0x8040201008040201; /* byte j has only bit j */
    uint64_t negative = (bits + 0x7f7f7f7f7f7f7f7f) >> 7 & 0x0101010101010101;
    put((x ^ negative * 255) + negative, q);
}

static void put_iq2(uint16_t entry, uint32_t signs, int8_t *q) {
    uint64_t x = mote_kernel_grid_spread8(entry); /* 0 1 2 → 8 25 43; no byte carries */
    put_signed(0x0808080808080808 + x * 17 + (x >> 1 & 0x0101010101010101), signs, q);
}

static void put_iq3_xxs(uint16_t low, uint16_t high, uint32_t signs, int8_t *q) {
    uint64_t x = mote_kernel_grid_spread4(low) | (uint64_t)mote_kernel_grid_spread4(high) << 32;
    uint64_t seven = x & (x >> 1) & (x >> 2) & 0x0101010101010101; /* 4 + 8·i, but 62 for 7 */
    put_signed(0x0404040404040404 + x * 8 + seven * 2, signs, q);
}

static void put_iq3_s(uint16_t low, uint16_t high, uint32_t signs, int8_t *q) {
    uint64_t x = mote_kernel_grid_spread4(low) | (uint64_t)mote_kernel_grid_spread4(high) << 32;
    put_signed(0x0101010101010101 + x * 2, signs, q);
}

static void put_iq1(uint16_t entry, int delta, int8_t *q) {
    uint64_t offset = (uint64_t)(128 - 8 + delta) * 0x0101010101010101; /* 128 keeps the bytes apart */
    put((mote_kernel_grid_spread8(entry) * 8 + offset) ^ 0x8080808080808080, q);
}

void mote_kernel_decode_iq2_xxs__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                     float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 66) {
        float d = mote_kernel_f16_at(blocks);
        for (const uint8_t *p = blocks + 2; p < blocks + 66; p += 8, q += 32) {
            uint32_t packed = mote_base_u32(p + 4);
            *scale++ = half_scale(d, packed >> 28, 0.25f);
            for (int l = 0; l < 4; l++)
                put_iq2(mote_kernel_grid_iq2_xxs[p[l]], mote_kernel_grid_signs(packed >> 7 * l & 127),
                        q + 8 * l);
        }
    }
}

void mote_kernel_decode_iq2_xs__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                    float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 74, q += 256, scale += 16) {
        float d = mote_kernel_f16_at(blocks);
        for (int g = 0; g < 16; g++)
            scale[g] = half_scale(d, blocks[66 + g / 2] >> g % 2 * 4 & 15u, 0.25f);
        for (int l = 0; l < 32; l++) {
            uint32_t packed = mote_base_u16(blocks + 2 + 2 * l);
            put_iq2(mote_kernel_grid_iq2_xs[packed & 511], mote_kernel_grid_signs(packed >> 9), q + 8 * l);
        }
    }
}

void mote_kernel_decode_iq2_s__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                   float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 82, q += 256, scale += 16) {
        const uint8_t *low = blocks + 2, *signs = blocks + 34, *high = blocks + 66, *ls = blocks + 74;
        float d = mote_kernel_f16_at(blocks);
        for (int g = 0; g < 16; g++)
            scale[g] = half_scale(d, ls[g / 2] >> g % 2 * 4 & 15u, 0.25f);
        for (int l = 0; l < 32; l++) {
            uint32_t index = low[l] | (high[l / 4] >> l % 4 * 2 & 3u) << 8;
            put_iq2(mote_kernel_grid_iq2_s[index], signs[l], q + 8 * l);
        }
    }
}

void mote_kernel_decode_iq3_xxs__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                     float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 98, q += 256, scale += 8) {
        const uint8_t *index = blocks + 2;
        float d = mote_kernel_f16_at(blocks);
        for (int l = 0; l < 32; l++) {
            uint32_t packed = mote_base_u32(blocks + 66 + l / 4 * 4);
            if (l % 4 == 0) scale[l / 4] = half_scale(d, packed >> 28, 0.5f);
            put_iq3_xxs(mote_kernel_grid_iq3_xxs[index[2 * l]], mote_kernel_grid_iq3_xxs[index[2 * l + 1]],
                        mote_kernel_grid_signs(packed >> l % 4 * 7 & 127), q + 8 * l);
        }
    }
}

void mote_kernel_decode_iq3_s__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                   float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 110, q += 256, scale += 8) {
        const uint8_t *low = blocks + 2, *high = blocks + 66, *signs = blocks + 74, *ls = blocks + 106;
        float d = mote_kernel_f16_at(blocks);
        for (int g = 0; g < 8; g++)
            scale[g] = odd_scale(d, ls[g / 2] >> g % 2 * 4 & 15u, 1.0f);
        for (int l = 0; l < 32; l++) {
            uint32_t nines = high[l / 4] >> l % 4 * 2;
            put_iq3_s(mote_kernel_grid_iq3_s[low[2 * l] | (nines & 1) << 8],
                      mote_kernel_grid_iq3_s[low[2 * l + 1] | (nines & 2) << 7], signs[l], q + 8 * l);
        }
    }
}

void mote_kernel_decode_iq1_s__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                   float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 50, q += 256, scale += 8) {
        const uint8_t *low = blocks + 2;
        float d = mote_kernel_f16_at(blocks);
        for (int l = 0; l < 32; l++) {
            uint32_t high = mote_base_u16(blocks + 34 + l / 4 * 2);
            if (l % 4 == 0) scale[l / 4] = odd_scale(d, high >> 12 & 7, 0.125f);
            put_iq1(mote_kernel_grid_iq1[low[l] | (high >> l % 4 * 3 & 7) << 8], high >> 15 ? -1 : 1,
                    q + 8 * l);
        }
    }
}

void mote_kernel_decode_iq1_m__ref(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                   float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 56, q += 256, scale += 16) {
        const uint8_t *low = blocks, *high = blocks + 32, *ls = blocks + 48;
        float d = mote_kernel_f16_iq1_m(ls);
        for (int g = 0; g < 16; g++)
            scale[g] = odd_scale(d, mote_base_u16(ls + g / 4 * 2) >> g % 4 * 3 & 7u, 0.125f);
        for (int l = 0; l < 32; l++) {
            uint32_t nibble = high[l / 2] >> l % 2 * 4;
            put_iq1(mote_kernel_grid_iq1[low[l] | (nibble & 7) << 8], nibble & 8 ? -1 : 1, q + 8 * l);
        }
    }
}
