/* SPDX-License-Identifier: Apache-2.0
 *
 * unpack_iq_x86.h: the code-book types for unpack_x86.h; what is in a superblock: decode_iq.c. Two indices of
 * a row, as the words of a lane, become two entries of the book, of eight two-bit fields each or of four
 * nibbles. A nibble of each byte is looked up in a table of values:
 *
 *     eights   lane  a7…a4 │ a3…a0 │ b7…b4 │ b3…b0     first  a0 a4 b0 b4   then  a1 a5 b1 b5   …
 *     fours    lane  a3 a2 │ a1 a0 │ b3 b2 │ b1 b0     first  a0 a2 b0 b2   then  a1 a3 b1 b3
 *
 * A nibble of two fields goes to two tables, one of which looks at the lower, one at the upper. The order of
 * the values is by_eights and by_fours in unpack_x86.h. A sign is a bit of a byte for eight values; those
 * that a vector needs are the same bit pattern in every lane. */

/* book[index] for words below n, a multiple of 64: a permutation picks out of 64, and the rest of the index
 * chooses among those, by pairs as in a knockout. */
INLINE ints entries(const uint16_t *book, const int n, ints index) {
    __mmask32 bit[4];
    ints winner[5];
    UNROLL
    for (int i = 0; i < 4; i++)
        bit[i] = _mm512_test_epi16_mask(index, _mm512_set1_epi16((short)(64 << i)));
    UNROLL
    for (int k = 0; k < n / 64; k++) {
        ints x = _mm512_permutex2var_epi16(load_ints(book + 64 * k), index, load_ints(book + 64 * k + 32));
        if (k % 2 == 1) x = _mm512_mask_mov_epi16(winner[0], bit[0], x);
        if (k % 4 == 3) x = _mm512_mask_mov_epi16(winner[1], bit[1], x);
        if (k % 8 == 7) x = _mm512_mask_mov_epi16(winner[2], bit[2], x);
        if (k % 16 == 15) x = _mm512_mask_mov_epi16(winner[3], bit[3], x);
        winner[__builtin_ctz(~(unsigned)k)] = x;
    }
    return winner[n == 256 ? 2 : n == 512 ? 3 : 4];
}

/* Tables of three values for the lower and the upper of two fields. */
struct pair {
    ints lower, upper;
};

INLINE struct pair three_values(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t all = a | b << 8 | c << 16;
    return (struct pair){splat_words4(all, all, all, all),
                         splat_words4(a * 0x01010101, b * 0x01010101, c * 0x01010101, 0)};
}

/* Two entries a row of two-bit fields → sixteen values a row, in the order by_eights. */
INLINE void put_eights(ints x, struct pair table, ints w[4]) {
    ints low = low_nibbles(x), high = low_nibbles(down(x, 4));
    w[0] = look_up(table.lower, low);
    w[1] = look_up(table.upper, low);
    w[2] = look_up(table.lower, high);
    w[3] = look_up(table.upper, high);
}

/* Of eight values, bytes 0 and 1 of signs have those of the first eight, 2 and 3 those of the others. */
INLINE void sign_eights(ints signs, ints w[4]) {
    UNROLL
    for (int i = 0; i < 4; i++)
        w[i] = flip_where(w[i], signs, 0x10011001u << i, 2 * 64);
}

/* Seven sign bits in each byte → eight, the eighth their parity. */
INLINE ints eighth_sign(ints x) {
    const ints parity = splat_words4(0x00808000, 0x80000080, 0x80000080, 0x00808000);
    return either(x, look_up(parity, low_nibbles(differ(x, down(x, 4)))));
}

/* Four times seven signs and above them four other bits → four bytes of signs. */
INLINE ints signs28(ints x) {
    x = either(both(x, splat_int(0x3fff)), both(up(x, 2), splat_int(0x3fff0000)));
    x = either(both(x, splat_int(0x007f007f)), both(up(x, 1), splat_int(0x7f007f00)));
    return eighth_sign(x);
}

/* d·(½ + ls)·unit */
INLINE floats half_scale(floats d, ints ls, float unit) {
    return mul(d, mul(plus(to_float(ls), splat_float(0.5f)), splat_float(unit)));
}

static void unpack_iq2_xxs(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    const struct pair table = three_values(64 + 8, 64 + 25, 64 + 43);
    ints t[16];
    turn(rows, row_bytes, 1, t);
    floats d = f16_low(t[0]);
    turn(rows + 2, row_bytes, 4, t);
    for (int g = 0; g < 8; g++) {
        ints index = t[2 * g], packed = t[2 * g + 1], signs = signs28(packed), *w = to->w + 8 * g;
        to->scale[g] = half_scale(d, down(packed, 28), 0.25f);
        put_eights(entries(mote_kernel_grid_iq2_xxs, 256, pick(index, 0, NONE, 1, NONE)), table, w);
        put_eights(entries(mote_kernel_grid_iq2_xxs, 256, pick(index, 2, NONE, 3, NONE)), table, w + 4);
        sign_eights(pick(signs, 0, 0, 1, 1), w);
        sign_eights(pick(signs, 2, 2, 3, 3), w + 4);
    }
}

static void unpack_iq2_xs(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    const struct pair table = three_values(64 + 8, 64 + 25, 64 + 43);
    ints t[16], last[4];
    turn(rows, row_bytes, 1, t);
    floats d = f16_low(t[0]);
    turn(rows + 2, row_bytes, 4, t);
    turn(rows + 58, row_bytes, 1, last);
    for (int g = 0; g < 16; g++) {
        ints signs = eighth_sign(both(down(t[g], 9), splat_int(0x007f007f))), *w = to->w + 4 * g;
        to->scale[g] = half_scale(d, field(last[2 + g / 8], (unsigned)g % 8 * 4, 4), 0.25f);
        put_eights(entries(mote_kernel_grid_iq2_xs, 512, both(t[g], splat_int(0x01ff01ff))), table, w);
        sign_eights(pick(signs, 0, 0, 2, 2), w);
    }
}

/* Byte g of the eight in two vectors, in the upper byte of both words. */
INLINE ints high_byte(const ints h[2], int g) {
    return pick(down(h[g / 4], (unsigned)g % 4 * 8), NONE, 0, NONE, 0);
}

static void unpack_iq2_s(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    const struct pair table = three_values(64 + 8, 64 + 25, 64 + 43);
    const ints first = splat_int(0x0300), second = splat_int(0x03000000);
    ints t[20];
    turn(rows, row_bytes, 1, t);
    floats d = f16_low(t[0]);
    turn(rows + 2, row_bytes, 5, t);
    for (int g = 0; g < 8; g++) {
        ints h = high_byte(t + 16, g), index[2], *w = to->w + 8 * g;
        index[0] = either(pick(t[g], 0, NONE, 1, NONE), either(both(h, first), both(down(h, 2), second)));
        h = down(h, 4);
        index[1] = either(pick(t[g], 2, NONE, 3, NONE), either(both(h, first), both(down(h, 2), second)));
        ints ls = down(t[18 + g / 4], (unsigned)g % 4 * 8);
        to->scale[2 * g] = half_scale(d, field(ls, 0, 4), 0.25f);
        to->scale[2 * g + 1] = half_scale(d, field(ls, 4, 4), 0.25f);
        put_eights(entries(mote_kernel_grid_iq2_s, 1024, index[0]), table, w);
        put_eights(entries(mote_kernel_grid_iq2_s, 1024, index[1]), table, w + 4);
        sign_eights(pick(t[8 + g], 0, 0, 1, 1), w);
        sign_eights(pick(t[8 + g], 2, 2, 3, 3), w + 4);
    }
}

/* Two entries a row of nibbles → eight values a row, in the order by_fours; byte i has their signs. */
INLINE void put_fours(ints x, ints table, int offset, ints signs, unsigned i, ints w[2]) {
    signs = pick(signs, i, i, i, i);
    w[0] = flip_where(look_up(table, low_nibbles(x)), signs, 0x40100401, 2 * offset);
    w[1] = flip_where(look_up(table, low_nibbles(down(x, 4))), signs, 0x80200802, 2 * offset);
}

static void unpack_iq3_xxs(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    const ints table = splat_words4(0x5c544c44, 0x7e746c64, 0, 0); /* 64 + 4 12 20 28 36 44 52 62 */
    ints t[24];
    turn(rows, row_bytes, 1, t);
    floats d = f16_low(t[0]);
    turn(rows + 2, row_bytes, 6, t);
    for (int g = 0; g < 8; g++) {
        ints packed = t[16 + g], signs = signs28(packed), *w = to->w + 8 * g;
        to->scale[g] = half_scale(d, down(packed, 28), 0.5f);
        UNROLL
        for (unsigned i = 0; i < 4; i++) {
            ints index = pick(t[2 * g + (int)i / 2], i % 2 * 2, NONE, i % 2 * 2 + 1, NONE);
            put_fours(entries(mote_kernel_grid_iq3_xxs, 256, index), table, 64, signs, i, w + 2 * i);
        }
    }
}

static void unpack_iq3_s(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    const ints table = splat_words4(0x17151311, 0x1f1d1b19, 0, 0); /* 16 + 1 3 5 … 15 */
    ints t[28];
    turn(rows, row_bytes, 1, t);
    floats d = f16_low(t[0]);
    turn(rows + 2, row_bytes, 6, t);
    turn(rows + 94, row_bytes, 1, t + 23); /* 24, 25: the last signs; 26: ls */
    for (int g = 0; g < 8; g++) {
        ints h = high_byte(t + 16, g), *w = to->w + 8 * g;
        ints ls = field(t[26], (unsigned)g * 4, 4);
        to->scale[g] = half_scale(d, ls, 2);
        UNROLL
        for (unsigned i = 0; i < 4; i++) {
            ints nines = either(both(down(h, 2 * i), splat_int(0x0100)),
                                both(down(h, 2 * i + 1), splat_int(0x01000000)));
            ints index = either(pick(t[2 * g + (int)i / 2], i % 2 * 2, NONE, i % 2 * 2 + 1, NONE), nines);
            put_fours(entries(mote_kernel_grid_iq3_s, 512, index), table, 16, t[18 + g], i, w + 2 * i);
        }
    }
}
