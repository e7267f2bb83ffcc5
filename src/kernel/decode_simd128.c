/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_simd128.c: the decoders for WebAssembly, sixteen values at a time. Here a small module counts as much as
 * speed: types are made of a few common parts, which are functions, and what tells types apart is in tables. The
 * types that are multiplied most have direct products of their own (direct_wasm.h) and need this for prompts only,
 * where a weight is decoded once for a hundred products.
 *
 * Layouts: decode_legacy.c, decode_k.c, decode_iq.c. */
#include "kernel/decode.h"

#if defined(__wasm_simd128__)

#include "kernel/decode_scale.h"
#include "kernel/grid.h"
#include "kernel/vector_wasm.h"

/* ---- parts ---- */

PART float f16(const uint8_t *p) {
    return mote_kernel_f16_at(p);
}

/* scale [n]: d times n signed bytes; four at a time. */
PART void scales(float d, vector bytes, uint32_t n, float *scale) {
    ROLLED
    for (uint32_t i = 0; i < n; i += 4) {
        vector four = wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(bytes));
        store(scale + i, wasm_f32x4_mul(wasm_f32x4_splat(d), wasm_f32x4_convert_i32x4(four)));
        bytes = wasm_i32x4_shuffle(bytes, bytes, 1, 2, 3, 0);
    }
}

/* Sixteen bytes → the entries of a table that their nibbles name. */
PART void nibbles(const uint8_t *p, const int8_t table[16], int8_t *q) {
    vector v = load(p), of = load(table), four = wasm_i8x16_splat(15);
    store(q, wasm_i8x16_swizzle(of, wasm_v128_and(v, four)));
    store(q + 16, wasm_i8x16_swizzle(of, wasm_v128_and(wasm_u16x8_shr(v, 4), four)));
}

/* Of the bits of each number, one for each of 16 values: all ones where it is set. half: the upper 16. */
INLINE vector mask16(uint32_t bits, int half) {
    static const uint8_t one_each[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const vector bit = load(opaque(one_each));
    bits >>= 16 * half;
    const uint64_t eight = 0x0101010101010101;
    vector v = wasm_u64x2_make((bits & 255) * eight, (bits >> 8 & 255) * eight);
    return wasm_i8x16_eq(wasm_v128_and(v, bit), bit);
}

/* ---- blocks of 32 ---- */

/* q less than 0 for all of a row: the tables of plain nibbles overlap. */
static const int8_t plain[32] = {-16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1,
                                 0,   1,   2,   3,   4,   5,   6,   7,  8,  9,  10, 11, 12, 13, 14, 15};

struct block_type {
    uint32_t bytes;
    const int8_t *table;
    int has_min, fifth_bit;
};

PART void blocks_of_32(const struct block_type *type, const uint8_t *p, uint32_t n_blocks, int8_t *q,
                       float *scale, float *min) {
    for (; n_blocks; n_blocks--, p += type->bytes, q += 32) {
        const uint8_t *at = p + 2;
        *scale++ = f16(p);
        if (type->has_min) {
            *min++ = -f16(at);
            at += 2;
        }
        nibbles(at + (type->fifth_bit ? 4 : 0), type->table, q);
        ROLLED
        for (int half = 0; half < 2 && type->fifth_bit; half++)
            store(q + 16 * half,
                  wasm_i8x16_add(load(q + 16 * half),
                                 wasm_v128_and(mask16(mote_base_u32(at), half), wasm_i8x16_splat(16))));
    }
}

#define BLOCK_TYPE(lower, bytes, table, has_min, fifth_bit)                                                  \
    PART void decode_##lower(const uint8_t *p, uint32_t n_blocks, int8_t *q, float *scale, float *min) {     \
        static const struct block_type type = {bytes, table, has_min, fifth_bit};                            \
        blocks_of_32(&type, p, n_blocks, q, scale, min);                                                     \
    }
BLOCK_TYPE(q4_0, 18, plain + 8, 0, 0)
BLOCK_TYPE(q4_1, 20, plain + 16, 1, 0)
BLOCK_TYPE(q5_0, 22, plain, 0, 1)
BLOCK_TYPE(q5_1, 24, plain + 16, 1, 1)
BLOCK_TYPE(iq4_nl, 18, mote_kernel_nonlinear, 0, 0)

PART void decode_mxfp4(const uint8_t *p, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (; n_blocks; n_blocks--, p += 17, q += 32) {
        *scale++ = mote_kernel_e8m0_half(*p);
        nibbles(p + 1, mote_kernel_e2m1, q);
    }
}

static void decode_q8_0(const uint8_t *p, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (; n_blocks; n_blocks--, p += 34, q += 32) {
        *scale++ = f16(p);
        store(q, load(p + 2));
        store(q + 16, load(p + 18));
    }
}

/* ---- superblocks of bit fields ---- */

/* A field has n bytes with `bits` for a value, `width` of them in a piece (decode_k.c), which come to stand at bit
 * `up` of the value. */
struct field {
    uint8_t at, n, width, bits, up;
};

struct superblock_type {
    uint8_t bytes;
    int8_t bias;
    uint8_t group16; /* groups of 16 values, else of 32 */
    struct field low, high;
};

/* q [n·8/bits] = the field, added to what is there or to bias. */
PART void add_field(const struct field *field, const uint8_t *block, int fresh, int bias, int8_t *q) {
    const uint8_t *p = block + field->at, *end = p + field->n;
    vector mask = wasm_u8x16_splat((uint8_t)(((1 << field->bits) - 1) << field->up));
    for (; p < end; p += field->width) {
        for (uint32_t shift = 0; shift < 8; shift += field->bits) {
            ROLLED
            for (uint32_t i = 0; i < field->width; i += 16, q += 16) {
                vector v = wasm_i16x8_shl(wasm_u16x8_shr(load(p + i), shift), field->up);
                vector to = fresh ? wasm_i8x16_splat((int8_t)bias) : load(q);
                store(q, wasm_i8x16_add(to, wasm_v128_and(v, mask)));
            }
        }
    }
}

static const struct superblock_type q2_k = {84, 0, 1, {16, 64, 32, 2, 0}, {0}};
static const struct superblock_type q3_k = {110, -4, 1, {32, 64, 32, 2, 0}, {0, 32, 32, 1, 2}};
static const struct superblock_type q4_k = {144, 0, 0, {16, 128, 32, 4, 0}, {0}};
static const struct superblock_type q5_k = {176, 0, 0, {48, 128, 32, 4, 0}, {16, 32, 32, 1, 4}};
static const struct superblock_type q6_k = {210, -32, 1, {0, 128, 64, 4, 0}, {128, 64, 32, 2, 4}};
static const struct superblock_type tq2_0 = {66, -1, 0, {0, 64, 32, 2, 0}, {0}};

PART void values(const struct superblock_type *type, const uint8_t *p, int8_t *q) {
    add_field(&type->low, p, 1, type->bias, q);
    if (type->high.n) add_field(&type->high, p, 0, 0, q);
}

#define SUPERBLOCKS(lower)                                                                                   \
    PART void decode_##lower(const uint8_t *p, uint32_t n_blocks, int8_t *q, float *scale, float *min)
/* One superblock after the other, of a type with so many scales. */
#define EACH(n_bytes, n_scales)                                                                              \
    (void)min;                                                                                               \
    for (; n_blocks; n_blocks--, p += n_bytes, q += 256, scale += n_scales, min += n_scales)

SUPERBLOCKS(q2_k) {
    EACH(84, 16) {
        vector packed = load(p), four = wasm_i8x16_splat(15);
        scales(f16(p + 80), wasm_v128_and(packed, four), 16, scale);
        scales(f16(p + 82), wasm_v128_and(wasm_u16x8_shr(packed, 4), four), 16, min);
        values(&q2_k, p, q);
    }
}

SUPERBLOCKS(q3_k) {
    EACH(110, 16) {
        uint32_t words[4];
        mote_kernel_scales_k3(p + 96, words);
        scales(f16(p + 108), wasm_i8x16_sub(load(words), wasm_i8x16_splat(32)), 16, scale);
        values(&q3_k, p, q);
    }
}

PART void k4(const struct superblock_type *type, const uint8_t *p, uint32_t n_blocks, int8_t *q, float *scale,
             float *min) {
    EACH(type->bytes, 8) {
        uint32_t words[4];
        mote_kernel_scales_k4(p + 4, words);
        vector packed = load(words);
        scales(f16(p), packed, 8, scale);
        scales(f16(p + 2), wasm_i64x2_shuffle(packed, packed, 1, 0), 8, min);
        values(type, p, q);
    }
}

SUPERBLOCKS(q4_k) {
    k4(&q4_k, p, n_blocks, q, scale, min);
}

SUPERBLOCKS(q5_k) {
    k4(&q5_k, p, n_blocks, q, scale, min);
}

SUPERBLOCKS(q6_k) {
    EACH(210, 16) {
        scales(f16(p + 208), load(p + 192), 16, scale);
        values(&q6_k, p, q);
    }
}

SUPERBLOCKS(iq4_xs) {
    EACH(136, 8) {
        uint8_t ls[16];
        uint32_t high = mote_base_u16(p + 2);
        ROLLED
        for (int g = 0; g < 8; g++) {
            ls[g] = (uint8_t)(mote_kernel_scale_iq4_xs(p + 4, high, g) - 32);
            nibbles(p + 8 + 16 * g, mote_kernel_nonlinear, q + 32 * g);
        }
        scales(f16(p), wasm_v128_load64_zero(ls), 8, scale);
    }
}

SUPERBLOCKS(tq2_0) {
    EACH(66, 8) {
        scales(f16(p + 64), wasm_i8x16_splat(1), 8, scale);
        values(&tq2_0, p, q);
    }
}

/* Five digits of each of sixteen bytes, `apart` places apart: 3·x reaches 256 at 86 and 512 at 171. */
PART void digits(vector x, uint32_t n, uint32_t apart, int8_t *q) {
    ROLLED
    for (; n; n--, q += apart) {
        vector past =
            wasm_i8x16_add(wasm_u8x16_ge(x, wasm_u8x16_splat(86)), wasm_u8x16_ge(x, wasm_u8x16_splat(171)));
        store(q, wasm_i8x16_sub(wasm_i8x16_splat(-1), past));
        x = wasm_i8x16_add(wasm_i8x16_add(x, x), x);
    }
}

SUPERBLOCKS(tq1_0) {
    EACH(54, 8) {
        int8_t last[4 * 16];
        scales(f16(p + 52), wasm_i8x16_splat(1), 8, scale);
        digits(load(p), 5, 32, q);
        digits(load(p + 16), 5, 32, q + 16);
        digits(load(p + 32), 5, 16, q + 160);
        digits(wasm_v128_load32_zero(p + 48), 4, 16, last);
        ROLLED
        for (int i = 0; i < 4; i++)
            memcpy(q + 240 + 4 * i, last + 16 * i, 4);
    }
}

/* ---- code books ---- */

/* x where the bit of its place in signs is clear, −x where it is set. */
PART vector with_signs(vector x, uint32_t signs, int half) {
    vector negative = mask16(signs, half);
    return wasm_i8x16_sub(wasm_v128_xor(x, negative), negative);
}

/* Four entries of a book, in 64 bits. */
INLINE vector entries(const uint16_t *book, const uint16_t index[4]) {
    vector v = wasm_v128_load16_lane(book + index[0], splat(0), 0);
    v = wasm_v128_load16_lane(book + index[1], v, 1);
    v = wasm_v128_load16_lane(book + index[2], v, 2);
    return wasm_v128_load16_lane(book + index[3], v, 3);
}

/* The sixteen nibbles of 64 bits. */
PART vector nibbles_in_order(vector v) {
    static const uint32_t low_halves = 0x0f0f0f0f;
    vector four = load_splat(opaque(&low_halves)), high = wasm_v128_and(wasm_u16x8_shr(v, 4), four);
    return wasm_i8x16_shuffle(wasm_v128_and(v, four), high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22,
                              7, 23);
}

/* 32 values of two bits. A nibble holds two: it is looked up twice, with one and the other left, in a table that
 * has the magnitudes at 0, 1, 2 and again at 0, 4, 8. */
PART void put_twos(const uint16_t *book, const uint16_t index[4], const int8_t table[16], uint32_t signs,
                   int8_t *q) {
    static const uint32_t one_of_two = 0x0c030c03;
    const vector each = load_splat(opaque(&one_of_two));
    vector pairs = nibbles_in_order(entries(book, index)), of = load(table);
    vector low = wasm_i8x16_shuffle(pairs, pairs, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    vector high =
        wasm_i8x16_shuffle(pairs, pairs, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15);
    store(q, with_signs(wasm_i8x16_swizzle(of, wasm_v128_and(low, each)), signs, 0));
    store(q + 16, with_signs(wasm_i8x16_swizzle(of, wasm_v128_and(high, each)), signs, 1));
}

static const int8_t iq2_levels[16] = {8, 25, 43, 0, 25, 0, 0, 0, 43};
static const int8_t iq1_levels[16] = {-8, 0, 8, 0, 0, 0, 0, 0, 8};

/* 32 values of four bits. */
PART void put_fours(const uint16_t *book, const uint16_t index[8], const int8_t table[16], uint32_t signs,
                    int8_t *q) {
    ROLLED
    for (int half = 0; half < 2; half++)
        store(q + 16 * half,
              with_signs(wasm_i8x16_swizzle(load(table), nibbles_in_order(entries(book, index + 4 * half))),
                         signs, half));
}

/* Seven signs in each byte → eight, the last their parity. */
INLINE uint32_t eighth_signs(uint32_t sevens) {
    uint32_t odd = sevens ^ sevens >> 4;
    odd ^= odd >> 2;
    return sevens | ((odd ^ odd >> 1) & 0x01010101) << 7;
}

/* Four fields of seven bits, one above the other. */
PART uint32_t signs_28(uint32_t packed) {
    return eighth_signs((packed & 0x7f) | (packed << 1 & 0x7f00) | (packed << 2 & 0x7f0000) |
                        (packed << 3 & 0x7f000000));
}

/* d · (1 + 2·ls) */
INLINE float odd_scale(float d, uint32_t ls) {
    return d * (float)(int)(1 + 2 * ls);
}

/* Sixteen scales from nibbles. */
PART void nibble_scales(float d, const uint8_t *p, float *scale) {
    vector ls = nibbles_in_order(wasm_v128_load64_zero(p));
    scales(d, wasm_i8x16_add(wasm_i8x16_add(ls, ls), wasm_i8x16_splat(1)), 16, scale);
}

SUPERBLOCKS(iq2_xxs) {
    EACH(66, 8) {
        float d = f16(p) * 0.125f;
        ROLLED
        for (int g = 0; g < 8; g++) {
            const uint8_t *at = p + 2 + 8 * g;
            uint32_t packed = mote_base_u32(at + 4);
            uint16_t index[4] = {at[0], at[1], at[2], at[3]};
            scale[g] = odd_scale(d, packed >> 28);
            put_twos(mote_kernel_grid_iq2_xxs, index, iq2_levels, signs_28(packed), q + 32 * g);
        }
    }
}

SUPERBLOCKS(iq2_xs) {
    EACH(74, 16) {
        nibble_scales(f16(p) * 0.125f, p + 66, scale);
        ROLLED
        for (int g = 0; g < 8; g++) {
            uint16_t index[4];
            uint32_t signs = 0;
            for (int i = 0; i < 4; i++) {
                uint32_t packed = mote_base_u16(p + 2 + 8 * g + 2 * i);
                index[i] = packed & 511;
                signs |= packed >> 9 << 8 * i;
            }
            put_twos(mote_kernel_grid_iq2_xs, index, iq2_levels, eighth_signs(signs), q + 32 * g);
        }
    }
}

SUPERBLOCKS(iq2_s) {
    EACH(82, 16) {
        nibble_scales(f16(p) * 0.125f, p + 74, scale);
        ROLLED
        for (int g = 0; g < 8; g++) {
            uint16_t index[4];
            for (int i = 0; i < 4; i++)
                index[i] = (uint16_t)(p[2 + 4 * g + i] | (p[66 + g] >> 2 * i & 3) << 8);
            put_twos(mote_kernel_grid_iq2_s, index, iq2_levels, mote_base_u32(p + 34 + 4 * g), q + 32 * g);
        }
    }
}

SUPERBLOCKS(iq3_xxs) {
    static const int8_t levels[16] = {4, 12, 20, 28, 36, 44, 52, 62};
    EACH(98, 8) {
        float d = f16(p) * 0.25f;
        ROLLED
        for (int g = 0; g < 8; g++) {
            uint32_t packed = mote_base_u32(p + 66 + 4 * g);
            uint16_t index[8];
            store(index, wasm_u16x8_load8x8(p + 2 + 8 * g));
            scale[g] = odd_scale(d, packed >> 28);
            put_fours(mote_kernel_grid_iq3_xxs, index, levels, signs_28(packed), q + 32 * g);
        }
    }
}

SUPERBLOCKS(iq3_s) {
    static const int8_t levels[16] = {1, 3, 5, 7, 9, 11, 13, 15};
    EACH(110, 8) {
        float d = f16(p);
        ROLLED
        for (int g = 0; g < 8; g++) {
            uint16_t index[8];
            for (int i = 0; i < 8; i++)
                index[i] = (uint16_t)(p[2 + 8 * g + i] | (p[66 + g] >> i & 1) << 8);
            scale[g] = odd_scale(d, p[106 + g / 2] >> g % 2 * 4 & 15u);
            put_fours(mote_kernel_grid_iq3_s, index, levels, mote_base_u32(p + 74 + 4 * g), q + 32 * g);
        }
    }
}

/* 32 values of IQ1 from four low bytes of indices, and for each a nibble with three bits more and the delta. */
PART void put_iq1(const uint8_t *low, uint32_t nibbles, int8_t *q) {
    uint16_t index[4];
    uint64_t delta[4];
    ROLLED
    for (int i = 0; i < 4; i++) {
        uint32_t nibble = nibbles >> 4 * i;
        index[i] = (uint16_t)(low[i] | (nibble & 7) << 8);
        delta[i] = nibble & 8 ? UINT64_MAX : 0x0101010101010101;
    }
    put_twos(mote_kernel_grid_iq1, index, iq1_levels, 0, q);
    store(q, wasm_i8x16_add(load(q), load(delta)));
    store(q + 16, wasm_i8x16_add(load(q + 16), load(delta + 2)));
}

SUPERBLOCKS(iq1_s) {
    EACH(50, 8) {
        float d = f16(p) * 0.125f;
        ROLLED
        for (int g = 0; g < 8; g++) {
            uint32_t high = mote_base_u16(p + 34 + 2 * g), nibbles = high >> 15 ? 0x8888 : 0;
            for (int i = 0; i < 4; i++)
                nibbles |= (high >> 3 * i & 7) << 4 * i;
            scale[g] = odd_scale(d, high >> 12 & 7);
            put_iq1(p + 2 + 4 * g, nibbles, q + 32 * g);
        }
    }
}

SUPERBLOCKS(iq1_m) {
    EACH(56, 16) {
        float d = mote_kernel_f16_iq1_m(p + 48) * 0.125f;
        ROLLED
        for (int g = 0; g < 16; g++)
            scale[g] = odd_scale(d, mote_base_u16(p + 48 + g / 4 * 2) >> g % 4 * 3 & 7u);
        ROLLED
        for (int g = 0; g < 8; g++)
            put_iq1(p + 4 * g, mote_base_u16(p + 32 + 2 * g), q + 32 * g);
    }
}

void mote_kernel_decode_overlay__simd128(struct mote_kernels *table) {
#define DECODE_SET(NAME, lower) [MOTE_TYPE_##NAME] = decode_##lower,
    static mote_kernel_decode *const all[MOTE_BASE_TYPE_END] = {MOTE_KERNEL_DECODE_LIST(DECODE_SET)};
    memcpy(table->decode, all, sizeof all);
#undef DECODE_SET
}

#endif
