/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_lanes.h: decoders on vectors of sixteen bytes, written once for every instruction set that has them,
 * in the vector extension of GCC and clang. A file that is compiled for one of them defines
 *
 *     look_up(table, index)  byte i of the result is table[index[i]], and 0 where index[i] is 255
 *     f16_at(p)              the f16 at p, as float
 *
 * and includes this. A field of a block that holds b bits for a value is loaded sixteen bytes at a time; each
 * shift of it is sixteen values in a row. Layouts: decode_legacy.c, decode_k.c. */
#ifndef MOTE_KERNEL_DECODE_LANES_H
#define MOTE_KERNEL_DECODE_LANES_H

#include "base/memory.h"
#include "kernel/decode.h"
#include "kernel/decode_scale.h"

#define INLINE static inline __attribute__((always_inline))
/* Shifts and places below are literals of an instruction once their loop is unrolled. */
#define UNROLL _Pragma("GCC unroll 8")

typedef uint8_t bytes __attribute__((vector_size(16)));
typedef uint16_t words __attribute__((vector_size(16)));
typedef uint32_t longs __attribute__((vector_size(16)));
typedef float quad __attribute__((vector_size(16)));

static inline bytes look_up(bytes table, bytes index);
static inline float f16_at(const uint8_t *p);

INLINE bytes load(const void *p) {
    bytes x;
    memcpy(&x, p, sizeof x);
    return x;
}

INLINE void store(int8_t *q, bytes x) {
    memcpy(q, &x, sizeof x);
}

/* The four bytes of a number, over and over. */
INLINE bytes splat32(uint32_t value) {
    return (bytes)(value + (longs){0});
}

/* a0 b0 a1 b1 … of the first eight bytes, and of the last eight. */
INLINE bytes zip_first(bytes a, bytes b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

INLINE bytes zip_last(bytes a, bytes b) {
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/* Bit `from` and those above it, brought to bit `to`; the mask says which of them stay. */
INLINE bytes move_bits(bytes x, int from, int to, uint8_t mask) {
    return (from > to ? x >> (uint8_t)(from - to) : x << (uint8_t)(to - from)) & mask;
}

/* Sixteen bits → sixteen bytes of 0 or 255: those of byte `first` of x and of the next. */
INLINE bytes mask16(bytes x, int first) {
    const bytes which = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    const bytes bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    return (bytes)((look_up(x, which + (uint8_t)first) & bit) == bit);
}

/* ---- scales ---- */

/* The first eight bytes of x, signed, as two vectors of floats: each byte four times, then shifted down. */
INLINE void widen8(bytes x, quad to[2]) {
    typedef int32_t four __attribute__((vector_size(16)));
    words twice = (words)zip_first(x, x);
    four low = (four)__builtin_shufflevector(twice, twice, 0, 0, 1, 1, 2, 2, 3, 3);
    four high = (four)__builtin_shufflevector(twice, twice, 4, 4, 5, 5, 6, 6, 7, 7);
    to[0] = __builtin_convertvector(low >> 24, quad);
    to[1] = __builtin_convertvector(high >> 24, quad);
}

INLINE bytes last_eight(bytes x) {
    return __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
}

/* scale [8]: d times the first eight bytes of x, signed; scale [16] from all sixteen. */
INLINE void scale8(float d, bytes x, float *scale) {
    quad value[2];
    widen8(x, value);
    UNROLL
    for (int i = 0; i < 2; i++) {
        value[i] *= d;
        memcpy(scale + 4 * i, &value[i], sizeof value[i]);
    }
}

INLINE void scale16(float d, bytes x, float *scale) {
    scale8(d, x, scale);
    scale8(d, last_eight(x), scale + 8);
}

/* ---- blocks of 32 ---- */

static void decode_q4_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 18, q += 32) {
        bytes x = load(blocks + 2);
        scale[i] = f16_at(blocks);
        store(q, (x & 15) - 8);
        store(q + 16, (x >> 4) - 8);
    }
}

static void decode_q4_1(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 20, q += 32) {
        bytes x = load(blocks + 4);
        scale[i] = f16_at(blocks);
        min[i] = -f16_at(blocks + 2);
        store(q, x & 15);
        store(q + 16, x >> 4);
    }
}

static void decode_q5_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 22, q += 32) {
        bytes x = load(blocks + 6), high = splat32(mote_base_u32(blocks + 2));
        scale[i] = f16_at(blocks);
        /* n − 16 is n with the four upper bits set */
        store(q, (x & 15) | (~mask16(high, 0) & 0xf0));
        store(q + 16, (x >> 4) | (~mask16(high, 2) & 0xf0));
    }
}

static void decode_q5_1(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 24, q += 32) {
        bytes x = load(blocks + 8), high = splat32(mote_base_u32(blocks + 4));
        scale[i] = f16_at(blocks);
        min[i] = -f16_at(blocks + 2);
        store(q, (x & 15) | (mask16(high, 0) & 16));
        store(q + 16, (x >> 4) | (mask16(high, 2) & 16));
    }
}

static void decode_q8_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 34, q += 32) {
        scale[i] = f16_at(blocks);
        memcpy(q, blocks + 2, 32);
    }
}

static void decode_iq4_nl(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    bytes table = load(mote_kernel_nonlinear);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 18, q += 32) {
        bytes x = load(blocks + 2);
        scale[i] = f16_at(blocks);
        store(q, look_up(table, x & 15));
        store(q + 16, look_up(table, x >> 4));
    }
}

static void decode_mxfp4(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    bytes table = load(mote_kernel_e2m1);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 17, q += 32) {
        bytes x = load(blocks + 1);
        scale[i] = mote_kernel_e8m0_half(blocks[0]);
        store(q, look_up(table, x & 15));
        store(q + 16, look_up(table, x >> 4));
    }
}

/* ---- superblocks of 256 ---- */

static void decode_q2_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 84, q += 256, scale += 16, min += 16) {
        bytes packed = load(blocks);
        scale16(f16_at(blocks + 80), packed & 15, scale);
        scale16(f16_at(blocks + 82), packed >> 4, min);
        for (int l = 0; l < 64; l += 16) {
            bytes x = load(blocks + 16 + l);
            UNROLL
            for (int k = 0; k < 4; k++)
                store(q + l / 32 * 128 + 32 * k + l % 32, x >> (uint8_t)(2 * k) & 3);
        }
    }
}

static void decode_q3_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 110, q += 256, scale += 16) {
        uint32_t packed[4];
        mote_kernel_scales_k3(blocks + 96, packed);
        scale16(f16_at(blocks + 108), (bytes)(longs){packed[0], packed[1], packed[2], packed[3]} - 32, scale);
        for (int l = 0; l < 32; l += 16) {
            bytes lacks = ~load(blocks + l); /* a clear bit takes 4 off */
            UNROLL
            for (int k = 0; k < 8; k++) {
                bytes x = load(blocks + 32 + k / 4 * 32 + l);
                store(q + 32 * k + l, (x >> (uint8_t)(k % 4 * 2) & 3) - move_bits(lacks, k, 2, 4));
            }
        }
    }
}

INLINE void scales_k4(const uint8_t *block, float *scale, float *min) {
    uint32_t packed[4];
    mote_kernel_scales_k4(block + 4, packed);
    bytes x = (bytes)(longs){packed[0], packed[1], packed[2], packed[3]};
    scale8(f16_at(block), x, scale);
    scale8(f16_at(block + 2), last_eight(x), min);
}

static void decode_q4_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 144, q += 256, scale += 8, min += 8) {
        scales_k4(blocks, scale, min);
        UNROLL
        for (int l = 0; l < 128; l += 16) {
            bytes x = load(blocks + 16 + l);
            store(q + l / 32 * 64 + l % 32, x & 15);
            store(q + l / 32 * 64 + l % 32 + 32, x >> 4);
        }
    }
}

static void decode_q5_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 176, q += 256, scale += 8, min += 8) {
        scales_k4(blocks, scale, min);
        for (int l = 0; l < 32; l += 16) {
            bytes high = load(blocks + 16 + l);
            UNROLL
            for (int k = 0; k < 4; k++) {
                bytes x = load(blocks + 48 + 32 * k + l);
                store(q + 64 * k + l, (x & 15) | move_bits(high, 2 * k, 4, 16));
                store(q + 64 * k + 32 + l, (x >> 4) | move_bits(high, 2 * k + 1, 4, 16));
            }
        }
    }
}

static void decode_q6_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 210, scale += 16) {
        scale16(f16_at(blocks + 208), load(blocks + 192), scale);
        for (int half = 0; half < 2; half++, q += 128) {
            UNROLL
            for (int l = 0; l < 32; l += 16) {
                bytes x = load(blocks + 64 * half + l), y = load(blocks + 64 * half + 32 + l);
                bytes high = load(blocks + 128 + 32 * half + l);
                store(q + l, ((x & 15) | move_bits(high, 0, 4, 48)) - 32);
                store(q + 32 + l, ((y & 15) | move_bits(high, 2, 4, 48)) - 32);
                store(q + 64 + l, ((x >> 4) | move_bits(high, 4, 4, 48)) - 32);
                store(q + 96 + l, ((y >> 4) | move_bits(high, 6, 4, 48)) - 32);
            }
        }
    }
}

static void decode_iq4_xs(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    const bytes table = load(mote_kernel_nonlinear);
    const bytes which = {0, 0, 0, 0, 1, 1, 1, 1}, shift = {0, 2, 4, 6, 0, 2, 4, 6};
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 136, scale += 8) {
        bytes low = splat32(mote_base_u32(blocks + 4)), high = splat32(mote_base_u16(blocks + 2));
        low = zip_first(low & 15, low >> 4);
        high = (look_up(high, which) >> shift & 3) << 4;
        scale8(f16_at(blocks), (low | high) - 32, scale);
        UNROLL
        for (int k = 0; k < 8; k++, q += 32) {
            bytes x = load(blocks + 8 + 16 * k);
            store(q, look_up(table, x & 15));
            store(q + 16, look_up(table, x >> 4));
        }
    }
}

INLINE void same_scales(float d, float scale[8]) {
    for (int g = 0; g < 8; g++)
        scale[g] = d;
}

static void decode_tq2_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 66, q += 256, scale += 8) {
        same_scales(f16_at(blocks + 64), scale);
        for (int l = 0; l < 64; l += 16) {
            bytes x = load(blocks + l);
            UNROLL
            for (int k = 0; k < 4; k++)
                store(q + l / 32 * 128 + 32 * k + l % 32, (x >> (uint8_t)(2 * k) & 3) - 1);
        }
    }
}

/* The first digit of each byte, less 1: 3·x reaches 256 at 86 and 512 at 171. What is true is −1. */
INLINE bytes digit(bytes x) {
    return (bytes){0} - 1 - (bytes)(x >= 86) - (bytes)(x >= 171);
}

static void decode_tq1_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 54, q += 256, scale += 8) {
        bytes a = load(blocks), b = load(blocks + 16), c = load(blocks + 32);
        bytes d = splat32(mote_base_u32(blocks + 48));
        same_scales(f16_at(blocks + 52), scale);
        for (int k = 0; k < 5; k++, a *= 3, b *= 3, c *= 3, d *= 3) {
            bytes last = digit(d);
            store(q + 32 * k, digit(a));
            store(q + 32 * k + 16, digit(b));
            store(q + 160 + 16 * k, digit(c));
            if (k < 4) memcpy(q + 240 + 4 * k, &last, 4);
        }
    }
}

INLINE void overlay_lanes(struct mote_kernels *table) {
    table->decode[MOTE_TYPE_Q4_0] = decode_q4_0;
    table->decode[MOTE_TYPE_Q4_1] = decode_q4_1;
    table->decode[MOTE_TYPE_Q5_0] = decode_q5_0;
    table->decode[MOTE_TYPE_Q5_1] = decode_q5_1;
    table->decode[MOTE_TYPE_Q8_0] = decode_q8_0;
    table->decode[MOTE_TYPE_IQ4_NL] = decode_iq4_nl;
    table->decode[MOTE_TYPE_MXFP4] = decode_mxfp4;
    table->decode[MOTE_TYPE_Q2_K] = decode_q2_k;
    table->decode[MOTE_TYPE_Q3_K] = decode_q3_k;
    table->decode[MOTE_TYPE_Q4_K] = decode_q4_k;
    table->decode[MOTE_TYPE_Q5_K] = decode_q5_k;
    table->decode[MOTE_TYPE_Q6_K] = decode_q6_k;
    table->decode[MOTE_TYPE_IQ4_XS] = decode_iq4_xs;
    table->decode[MOTE_TYPE_TQ1_0] = decode_tq1_0;
    table->decode[MOTE_TYPE_TQ2_0] = decode_tq2_0;
}

#endif
