/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_iq_lanes.h: the code-book types on vectors of sixteen bytes (decode_lanes.h). First the fields of
 * one superblock become arrays: all indices as 16-bit words, a byte of signs for each 8 values, the scales.
 * Then 32 values at a time: four (or eight) entries of the book are fetched one by one, their small fields
 * spread to bytes, looked up as magnitudes and given their signs. Layouts: decode_iq.c. */
#ifndef MOTE_KERNEL_DECODE_IQ_LANES_H
#define MOTE_KERNEL_DECODE_IQ_LANES_H

#include "kernel/decode_lanes.h"
#include "kernel/grid.h"

/* ---- fields of a superblock ---- */

/* Two vectors of words, each within a byte, → 16 bytes in order. */
INLINE bytes words_to_bytes(words a, words b) {
    return __builtin_shufflevector((bytes)a, (bytes)b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28,
                                   30);
}

INLINE void store_words(uint16_t *p, bytes x) {
    memcpy(p, &x, sizeof x);
}

INLINE void store_bytes(uint8_t *p, bytes x) {
    memcpy(p, &x, sizeof x);
}

/* Sixteen indices from their low bytes and what is above. */
INLINE void put_indices(bytes low, bytes high, uint16_t *index) {
    store_words(index, zip_first(low, high));
    store_words(index + 8, zip_last(low, high));
}

/* 8 bytes → their 16 nibbles, low one first. */
INLINE bytes nibbles_in_order(const uint8_t *p) {
    bytes x = {0};
    memcpy(&x, p, 8);
    return zip_first(x & 15, x >> 4);
}

/* scale [8]: d·((add + ls)·unit) from the first eight bytes of ls. */
INLINE void offset_scale8(float d, bytes ls, float add, float unit, float *scale) {
    quad value[2];
    widen8(ls, value);
    UNROLL
    for (int i = 0; i < 2; i++) {
        value[i] = (value[i] + add) * unit * d;
        memcpy(scale + 4 * i, &value[i], sizeof value[i]);
    }
}

/* d·(½ + ls)·unit, the scale of IQ2 and IQ3_XXS; and d·(1 + 2·ls)·unit, of the others. */
INLINE void half_scale8(float d, bytes ls, float unit, float *scale) {
    offset_scale8(d, ls, 0.5f, unit, scale);
}

INLINE void odd_scale8(float d, bytes ls, float unit, float *scale) {
    offset_scale8(d, ls, 0.5f, 2 * unit, scale);
}

INLINE void half_scale16(float d, const uint8_t *nibbles, float unit, float *scale) {
    bytes ls = nibbles_in_order(nibbles);
    half_scale8(d, ls, unit, scale);
    half_scale8(d, last_eight(ls), unit, scale + 8);
}

/* Seven sign bits in each byte → eight, the eighth their parity. */
INLINE bytes eighth_sign(bytes x) {
    const bytes parity = {0, 128, 128, 0, 128, 0, 0, 128, 128, 0, 0, 128, 0, 128, 128, 0};
    return x | look_up(parity, (x ^ x >> 4) & 15);
}

/* Four numbers of 4 × 7 signs and ls → 16 bytes of signs. */
INLINE bytes signs28(longs x) {
    x = (x & 0x3fff) | (x << 2 & 0x3fff0000);
    words y = (words)x;
    return eighth_sign((bytes)((y & 0x007f) | (y << 1 & 0x7f00)));
}

/* The signs of 256 values and, of IQ2_XXS and IQ3_XXS, the scales, from eight numbers of 4 × 7 signs and ls.
 */
INLINE void unpack28(float d, longs a, longs b, float unit, uint8_t signs[32], float *scale) {
    bytes low = (bytes)(a >> 28), high = (bytes)(b >> 28);
    bytes ls = __builtin_shufflevector(low, high, 0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
    half_scale8(d, ls, unit, scale);
    store_bytes(signs, signs28(a));
    store_bytes(signs + 16, signs28(b));
}

/* ---- from entries to values ---- */

INLINE uint64_t four_entries(const uint16_t *book, const uint16_t *index) {
    return book[index[0]] | (uint64_t)book[index[1]] << 16 | (uint64_t)book[index[2]] << 32 |
           (uint64_t)book[index[3]] << 48;
}

INLINE bytes splat64(uint64_t value) {
    typedef uint64_t pair __attribute__((vector_size(16)));
    return (bytes)(value + (pair){0});
}

/* Sixteen of the 32 two-bit fields in the first eight bytes of x, each in a byte. */
INLINE bytes spread_twos(bytes x, int half) {
    const bytes which = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
    const bytes shift = {0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6};
    return look_up(x, which + (uint8_t)(4 * half)) >> shift & 3;
}

/* x where negative is 0, −x where it is 255. */
INLINE bytes negate(bytes x, bytes negative) {
    return (x ^ negative) - negative;
}

INLINE void put_iq2(const uint16_t *book, const uint16_t index[32], const uint8_t signs[32], int8_t *q) {
    const bytes magnitudes = {8, 25, 43};
    for (int g = 0; g < 8; g++, q += 32) {
        bytes x = splat64(four_entries(book, index + 4 * g)), s = splat32(mote_base_u32(signs + 4 * g));
        UNROLL
        for (int half = 0; half < 2; half++)
            store(q + 16 * half, negate(look_up(magnitudes, spread_twos(x, half)), mask16(s, 2 * half)));
    }
}

INLINE void put_iq3(const uint16_t *book, bytes magnitudes, const uint16_t index[64], const uint8_t signs[32],
                    int8_t *q) {
    for (int g = 0; g < 8; g++, q += 32) {
        bytes s = splat32(mote_base_u32(signs + 4 * g));
        UNROLL
        for (int half = 0; half < 2; half++) {
            bytes x = splat64(four_entries(book, index + 8 * g + 4 * half));
            x = look_up(magnitudes, zip_first(x & 15, x >> 4));
            store(q + 16 * half, negate(x, mask16(s, 2 * half)));
        }
    }
}

/* delta: ±1 for each 8 values. */
INLINE void put_iq1(const uint16_t index[32], const uint8_t delta[32], int8_t *q) {
    const bytes values = {248, 0, 8};
    const bytes which = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    for (int g = 0; g < 8; g++, q += 32) {
        bytes x = splat64(four_entries(mote_kernel_grid_iq1, index + 4 * g));
        bytes deltas = splat32(mote_base_u32(delta + 4 * g));
        UNROLL
        for (int half = 0; half < 2; half++)
            store(q + 16 * half,
                  look_up(values, spread_twos(x, half)) + look_up(deltas, which + (uint8_t)(2 * half)));
    }
}

/* ---- the types ---- */

static void decode_iq2_xxs(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 66, q += 256, scale += 8) {
        uint16_t index[32];
        uint8_t signs[32];
        longs packed[2];
        UNROLL
        for (int k = 0; k < 2; k++) {
            longs a = (longs)load(blocks + 2 + 32 * k), b = (longs)load(blocks + 18 + 32 * k);
            put_indices((bytes)__builtin_shufflevector(a, b, 0, 2, 4, 6), (bytes){0}, index + 16 * k);
            packed[k] = __builtin_shufflevector(a, b, 1, 3, 5, 7);
        }
        unpack28(f16_at(blocks), packed[0], packed[1], 0.25f, signs, scale);
        put_iq2(mote_kernel_grid_iq2_xxs, index, signs, q);
    }
}

static void decode_iq2_xs(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 74, q += 256, scale += 16) {
        uint16_t index[32];
        uint8_t signs[32];
        UNROLL
        for (int k = 0; k < 2; k++) {
            words a = (words)load(blocks + 2 + 32 * k), b = (words)load(blocks + 18 + 32 * k);
            store_words(index + 16 * k, (bytes)(a & 511));
            store_words(index + 16 * k + 8, (bytes)(b & 511));
            store_bytes(signs + 16 * k, eighth_sign(words_to_bytes(a >> 9, b >> 9)));
        }
        half_scale16(f16_at(blocks), blocks + 66, 0.25f, scale);
        put_iq2(mote_kernel_grid_iq2_xs, index, signs, q);
    }
}

static void decode_iq2_s(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 82, q += 256, scale += 16) {
        uint16_t index[32];
        bytes high = splat64(mote_base_u64(blocks + 66)); /* two bits for each index */
        UNROLL
        for (int k = 0; k < 2; k++)
            put_indices(load(blocks + 2 + 16 * k), spread_twos(high, k), index + 16 * k);
        half_scale16(f16_at(blocks), blocks + 74, 0.25f, scale);
        put_iq2(mote_kernel_grid_iq2_s, index, blocks + 34, q);
    }
}

static void decode_iq3_xxs(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    const bytes magnitudes = {4, 12, 20, 28, 36, 44, 52, 62};
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 98, q += 256, scale += 8) {
        uint16_t index[64];
        uint8_t signs[32];
        UNROLL
        for (int k = 0; k < 4; k++)
            put_indices(load(blocks + 2 + 16 * k), (bytes){0}, index + 16 * k);
        unpack28(f16_at(blocks), (longs)load(blocks + 66), (longs)load(blocks + 82), 0.5f, signs, scale);
        put_iq3(mote_kernel_grid_iq3_xxs, magnitudes, index, signs, q);
    }
}

static void decode_iq3_s(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    const bytes magnitudes = {1, 3, 5, 7, 9, 11, 13, 15};
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 110, q += 256, scale += 8) {
        uint16_t index[64];
        bytes high = splat64(mote_base_u64(blocks + 66)); /* a bit for each index */
        UNROLL
        for (int k = 0; k < 4; k++)
            put_indices(load(blocks + 2 + 16 * k), mask16(high, 2 * k) & 1, index + 16 * k);
        bytes ls = splat32(mote_base_u32(blocks + 106));
        odd_scale8(f16_at(blocks), zip_first(ls & 15, ls >> 4), 1.0f, scale);
        put_iq3(mote_kernel_grid_iq3_s, magnitudes, index, blocks + 74, q);
    }
}

/* Four words → each four times, its bits 3·i and up at the bottom of copy i, three of them. */
INLINE void spread_threes(const uint8_t *p, words to[2]) {
    const bytes which = {0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3};
    const words shift = {0, 3, 6, 9, 0, 3, 6, 9};
    bytes x = splat64(mote_base_u64(p));
    to[0] = (words)look_up(x, which) >> shift & 7;
    to[1] = (words)look_up(x, which + 4) >> shift & 7;
}

static void decode_iq1_s(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 50, q += 256, scale += 8) {
        uint16_t index[32];
        uint8_t delta[32];
        UNROLL
        for (int k = 0; k < 2; k++) {
            words high[2];
            spread_threes(blocks + 34 + 8 * k, high);
            put_indices(load(blocks + 2 + 16 * k), words_to_bytes(high[0], high[1]), index + 16 * k);
        }
        words packed = (words)load(blocks + 34);
        bytes deltas = (bytes)((words)(packed > 0x7fff) | 0x0101); /* −1, −1 or 1, 1 */
        store_bytes(delta, zip_first(deltas, deltas));
        store_bytes(delta + 16, zip_last(deltas, deltas));
        packed = packed >> 12 & 7;
        odd_scale8(f16_at(blocks), words_to_bytes(packed, packed), 0.125f, scale);
        put_iq1(index, delta, q);
    }
}

static void decode_iq1_m(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 56, q += 256, scale += 16) {
        uint16_t index[32];
        uint8_t delta[32];
        words ls[2];
        UNROLL
        for (int k = 0; k < 2; k++) {
            bytes nibbles = nibbles_in_order(blocks + 32 + 8 * k);
            put_indices(load(blocks + 16 * k), nibbles & 7, index + 16 * k);
            store_bytes(delta + 16 * k, 1 - (nibbles >> 2 & 2));
        }
        spread_threes(blocks + 48, ls);
        float d = mote_kernel_f16_iq1_m(blocks + 48);
        bytes eighths = words_to_bytes(ls[0], ls[1]);
        odd_scale8(d, eighths, 0.125f, scale);
        odd_scale8(d, last_eight(eighths), 0.125f, scale + 8);
        put_iq1(index, delta, q);
    }
}

INLINE void overlay_iq_lanes(struct mote_kernels *table) {
    table->decode[MOTE_TYPE_IQ1_S] = decode_iq1_s;
    table->decode[MOTE_TYPE_IQ1_M] = decode_iq1_m;
    table->decode[MOTE_TYPE_IQ2_XXS] = decode_iq2_xxs;
    table->decode[MOTE_TYPE_IQ2_XS] = decode_iq2_xs;
    table->decode[MOTE_TYPE_IQ2_S] = decode_iq2_s;
    table->decode[MOTE_TYPE_IQ3_XXS] = decode_iq3_xxs;
    table->decode[MOTE_TYPE_IQ3_S] = decode_iq3_s;
}

#endif
