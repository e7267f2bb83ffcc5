/* SPDX-License-Identifier: Apache-2.0
 *
 * unpack_x86.h: the product with few columns for the types that need more than a mask and a shift. Rows are
 * turned as in direct_x86.h, and a span of them is unpacked into a buffer that stays in the level-1 cache:
 *
 *     w [64][WIDTH] of four u8 (q + offset)      scale, min [SPAN/group][WIDTH]
 *
 * which then meets the columns. So a type costs one function that unpacks, and the products of all of them
 * are few: one for each shape of a group.
 *
 * A type may give the values of each 16 in an order of its own, the same for all rows; the activations are
 * then brought into that order once a span. Code-book types are in unpack_iq_x86.h. */
#include "kernel/grid.h"

struct unpacked {
    ints w[SPAN / 4];
    floats scale[SPAN_GROUPS], min[SPAN_GROUPS];
};

/* How a type is unpacked: values of a span of WIDTH rows. */
typedef void unpack(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to);

struct kind {
    unpack *unpack;
    const int8_t *order; /* of each sixteen values, or NULL */
    int bytes;           /* of a span */
    int offset;
};

#if WIDTH == 16

INLINE ints load_ints(const void *p) {
    return _mm512_loadu_si512(p);
}
INLINE ints splat_byte(int value) {
    return _mm512_set1_epi8((char)value);
}
INLINE ints splat_words4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return _mm512_broadcast_i32x4(_mm_setr_epi32((int)a, (int)b, (int)c, (int)d));
}
INLINE ints add_bytes(ints a, ints b) {
    return _mm512_add_epi8(a, b);
}
/* a − b or 0. */
INLINE ints above(ints a, ints b) {
    return _mm512_subs_epu8(a, b);
}
INLINE ints least_bytes(ints a, ints b) {
    return _mm512_min_epu8(a, b);
}
INLINE ints most_ints(ints a, ints b) {
    return _mm512_max_epi32(a, b);
}
INLINE ints up_by(ints v, ints n) {
    return _mm512_sllv_epi32(v, n);
}
INLINE floats as_floats(ints v) {
    return _mm512_castsi512_ps(v);
}
/* Bytes of v, or a − v where f has any of the four bytes of bits that repeat. */
INLINE ints flip_where(ints v, ints f, uint32_t bits, int a) {
    return _mm512_mask_sub_epi8(v, _mm512_test_epi8_mask(f, splat_int((int32_t)bits)), splat_byte(a), v);
}
INLINE ints plus_where(ints v, ints f, uint32_t bits, int a) {
    return _mm512_mask_add_epi8(v, _mm512_test_epi8_mask(f, splat_int((int32_t)bits)), splat_byte(a), v);
}

#else

INLINE ints load_ints(const void *p) {
    return _mm256_loadu_si256(p);
}
INLINE ints splat_byte(int value) {
    return _mm256_set1_epi8((char)value);
}
INLINE ints splat_words4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return _mm256_broadcastsi128_si256(_mm_setr_epi32((int)a, (int)b, (int)c, (int)d));
}
INLINE ints add_bytes(ints a, ints b) {
    return _mm256_add_epi8(a, b);
}
/* a − b or 0. */
INLINE ints above(ints a, ints b) {
    return _mm256_subs_epu8(a, b);
}
INLINE ints least_bytes(ints a, ints b) {
    return _mm256_min_epu8(a, b);
}
INLINE ints most_ints(ints a, ints b) {
    return _mm256_max_epi32(a, b);
}
INLINE ints up_by(ints v, ints n) {
    return _mm256_sllv_epi32(v, n);
}
INLINE floats as_floats(ints v) {
    return _mm256_castsi256_ps(v);
}
INLINE ints where(ints f, uint32_t bits) {
    ints b = splat_int((int32_t)bits);
    return _mm256_cmpeq_epi8(both(f, b), b);
}
/* Bytes of v, or a − v where f has the one bit in each of the four bytes of bits that repeat. */
INLINE ints flip_where(ints v, ints f, uint32_t bits, int a) {
    return _mm256_blendv_epi8(v, _mm256_sub_epi8(splat_byte(a), v), where(f, bits));
}
INLINE ints plus_where(ints v, ints f, uint32_t bits, int a) {
    return add_bytes(v, both(where(f, bits), splat_byte(a)));
}

#endif

enum { NONE = 0x80 };

/* Four bytes of each lane, by number, or 0 where that is NONE. */
INLINE ints pick(ints v, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    uint32_t p = a | b << 8 | c << 16 | d << 24;
    return look_up(v, splat_words4(p, p + 0x04040404, p + 0x08080808, p + 0x0c0c0c0c));
}

INLINE ints low_nibbles(ints v) {
    return both(v, splat_byte(15));
}

INLINE floats negative(floats v) {
    return minus(splat_float(-0.0f), v);
}

/* ---- blocks of 32 ---- */

/* Four vectors of nibbles → a block, the low ones first. */
INLINE void put_nibbles(const ints t[4], ints w[8]) {
    UNROLL
    for (int i = 0; i < 4; i++) {
        w[i] = low_nibbles(t[i]);
        w[i + 4] = low_nibbles(down(t[i], 4));
    }
}

/* Adds a fifth bit, that of value i in bit i of h. */
INLINE void put_fifths(ints h, ints w[8]) {
    UNROLL
    for (unsigned i = 0; i < 8; i++)
        w[i] = plus_where(w[i], pick(h, i / 2, i / 2, i / 2, i / 2), i % 2 ? 0x80402010 : 0x08040201, 16);
}

static void unpack_q4_1(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    ints t[20];
    for (int half = 0; half < 2; half++, rows += 80) {
        turn(rows, row_bytes, 5, t);
        UNROLL
        for (int i = 0; i < 4; i++) {
            to->scale[4 * half + i] = f16_low(t[5 * i]);
            to->min[4 * half + i] = negative(f16_high(t[5 * i]));
            put_nibbles(t + 5 * i + 1, to->w + 32 * half + 8 * i);
        }
    }
}

static void unpack_q5_1(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    ints t[12];
    for (int g = 0; g < 8; g += 2, rows += 48) {
        turn(rows, row_bytes, 3, t);
        UNROLL
        for (int i = 0; i < 2; i++) {
            to->scale[g + i] = f16_low(t[6 * i]);
            to->min[g + i] = negative(f16_high(t[6 * i]));
            put_nibbles(t + 6 * i + 2, to->w + 8 * (g + i));
            put_fifths(t[6 * i + 1], to->w + 8 * (g + i));
        }
    }
}

/* Of a pair of blocks, the first lies two bytes off: its words are put together from halves. */
static void unpack_q5_0(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    ints turned[44], *t = turned;
    turn(rows, row_bytes, 11, turned);
    for (int g = 0; g < 8; g += 2, t += 11) {
        ints off[5];
        UNROLL
        for (int i = 0; i < 5; i++)
            off[i] = either(down(t[i], 16), up(t[i + 1], 16));
        to->scale[g] = f16_low(t[0]);
        put_nibbles(off + 1, to->w + 8 * g);
        put_fifths(off[0], to->w + 8 * g);
        to->scale[g + 1] = f16_high(t[5]);
        put_nibbles(t + 7, to->w + 8 * g + 8);
        put_fifths(t[6], to->w + 8 * g + 8);
    }
}

static void unpack_mxfp4(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    const ints table = add_bytes(table16(mote_kernel_e2m1), splat_byte(16));
    for (int g = 0; g < 8; g++, rows += 17) {
        ints t[4], w[8];
        turn(rows, row_bytes, 1, t);
        ints e = both(t[0], splat_int(255));
        /* 2^(e−128): in the exponent from e = 2 on, a subnormal before */
        ints tiny = up_by(splat_int(0x00200000), least_bytes(e, splat_int(1)));
        to->scale[g] = as_floats(most_ints(up(less(e, splat_int(1)), 23), tiny));
        turn(rows + 1, row_bytes, 1, t);
        put_nibbles(t, w);
        UNROLL
        for (int i = 0; i < 8; i++)
            to->w[8 * g + i] = look_up(table, w[i]);
    }
}

/* ---- a superblock of base-3 digits ---- */

/* The first digit of each byte: 3·x reaches 256 at 86 and 512 at 171. */
INLINE ints digit(ints x) {
    ints one = least_bytes(above(x, splat_byte(85)), splat_byte(1));
    return add_bytes(one, least_bytes(above(x, splat_byte(170)), splat_byte(1)));
}

/* n vectors of bytes → the digits of each, step vectors apart. */
INLINE void put_digits(const ints *t, const int n, const int n_digits, const int step, ints *w) {
    for (int i = 0; i < n; i++) {
        ints x = t[i];
        UNROLL
        for (int k = 0; k < n_digits; k++, x = add_bytes(x, add_bytes(x, x)))
            w[k * step + i] = digit(x);
    }
}

static void unpack_tq1_0(const uint8_t *rows, uint64_t row_bytes, struct unpacked *to) {
    ints t[12], last[4];
    turn(rows, row_bytes, 3, t);
    turn(rows + 38, row_bytes, 1, last);
    floats d = f16_high(last[3]);
    for (int g = 0; g < 8; g++)
        to->scale[g] = d;
    last[0] = either(down(last[2], 16), up(last[3], 16));
    put_digits(t, 8, 5, 8, to->w);
    put_digits(t + 8, 4, 5, 4, to->w + 40);
    put_digits(last, 1, 4, 1, to->w + 60);
}

#if WIDTH == 16
#include "kernel/unpack_iq_x86.h"
#endif

/* ---- products ---- */

/* WIDTH rows meet T ≤ n columns, the last of them more than once where T < n. */
INLINE void strip_unpacked(const struct kind *kind, const struct shape *shape, const int n,
                           const uint8_t *rows, uint64_t row_bytes, uint32_t k,
                           const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    struct unpacked u;
    struct span s;
    floats acc[TILE];
    int8_t in_its_order[TILE][SPAN];
    const uintptr_t ahead = (uintptr_t)rows + WIDTH * row_bytes;
    UNROLL
    for (int c = 0; c < n; c++)
        acc[c] = splat_float(0);
    for (uint32_t done = 0; done < k; done += SPAN) {
        /* where less than a span is left, the last one is taken again, for what is left */
        uint32_t value = k - done < SPAN ? k - SPAN : done;
        uint64_t at = (uint64_t)value / 32 * (uint64_t)kind->bytes / 8;
        kind->unpack(rows + at, row_bytes, &u);
        s.ahead = ahead + at * WIDTH;
        for (uint32_t c = 0; c < (unsigned)n; c++) {
            uint64_t i = (uint64_t)(c < n_columns ? c : n_columns - 1) * k + value;
            s.column[c].q = x->q + i;
            s.column[c].d = x->scale + i / 32;
            s.column[c].sum = x->sum + i / 16;
            prepare(&s.column[c], shape);
            if (!kind->order) continue;
            ints order = table16(kind->order);
            for (int j = 0; j < SPAN; j += 4 * WIDTH)
                store_ints((void *)(in_its_order[c] + j), look_up(load_ints(x->q + i + j), order));
            s.column[c].q = in_its_order[c];
        }
        for (int block = (int)(done - value) / 32; block < 8; block++) {
            fetch(&s, n, kind->bytes);
            const int n_w = shape->group / 4, g = block * 8 / n_w;
            add_group(&s, acc, n, g, shape, u.w + g * n_w, u.scale[g], u.min[shape->has_min ? g : 0]);
            if (shape->group == 16)
                add_group(&s, acc, n, g + 1, shape, u.w + g * n_w + n_w, u.scale[g + 1], u.min[0]);
        }
    }
    UNROLL
    for (uint32_t c = 0; c < (unsigned)n; c++)
        if (c < n_columns) store_floats(y + c * y_stride, acc[c]);
}

#define PRODUCT_ARGS                                                                                         \
    const struct kind *kind, const uint8_t *rows, uint64_t row_bytes, uint32_t n_rows, uint32_t k,           \
        const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride

/* All rows of a matrix, in a copy of the code for one, two and up to four columns. */
INLINE void product_unpacked(const struct shape *shape, PRODUCT_ARGS) {
    for (uint32_t r = 0; r < n_rows; r += WIDTH, rows += WIDTH * row_bytes, y += WIDTH) {
        if (n_columns == 1)
            strip_unpacked(kind, shape, 1, rows, row_bytes, k, x, 1, y, y_stride);
        else if (n_columns == 2)
            strip_unpacked(kind, shape, 2, rows, row_bytes, k, x, 2, y, y_stride);
        else
            strip_unpacked(kind, shape, TILE, rows, row_bytes, k, x, n_columns, y, y_stride);
    }
}

/* X(name, group, has_min, the greatest weight) */
#if WIDTH == 16
#define SHAPE_BOOK_LIST(X)                                                                                   \
    X(wide, 32, 0, 127)                                                                                      \
    X(halves, 16, 0, 127)
#else
#define SHAPE_BOOK_LIST(X)
#endif
#define SHAPE_LIST(X)                                                                                        \
    X(min, 32, 1, 31)                                                                                        \
    X(small, 32, 0, 31)                                                                                      \
    SHAPE_BOOK_LIST(X)

#define PRODUCT(name, group, has_min, most)                                                                  \
    static void product_##name(PRODUCT_ARGS) {                                                               \
        struct shape shape = {group, kind->offset, has_min, most};                                           \
        product_unpacked(&shape, kind, rows, row_bytes, n_rows, k, x, n_columns, y, y_stride);               \
    }
SHAPE_LIST(PRODUCT)
#undef PRODUCT

/* The values of each sixteen as they come, and as books of eight and of four values give them. */
#define AS_IT_IS NULL
static const int8_t by_eights[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
static const int8_t by_fours[16] = {0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15};

/* X(NAME, lower, shape, order) */
#if WIDTH == 16
#define UNPACK_BOOK_LIST(X)                                                                                  \
    X(IQ2_XXS, iq2_xxs, wide, by_eights)                                                                     \
    X(IQ2_XS, iq2_xs, halves, by_eights)                                                                     \
    X(IQ2_S, iq2_s, halves, by_eights)                                                                       \
    X(IQ3_XXS, iq3_xxs, wide, by_fours)                                                                      \
    X(IQ3_S, iq3_s, small, by_fours)
#else
#define UNPACK_BOOK_LIST(X)
#endif
#define UNPACK_LIST(X)                                                                                       \
    X(Q4_1, q4_1, min, AS_IT_IS)                                                                             \
    X(Q5_0, q5_0, small, AS_IT_IS)                                                                           \
    X(Q5_1, q5_1, min, AS_IT_IS)                                                                             \
    X(MXFP4, mxfp4, small, AS_IT_IS)                                                                         \
    X(TQ1_0, tq1_0, small, AS_IT_IS)                                                                         \
    UNPACK_BOOK_LIST(X)

#define UNPACK(NAME, lower, shape, order)                                                                    \
    static void direct_##lower(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,           \
                               const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,                 \
                               uint64_t y_stride) {                                                          \
        static const struct kind kind = {unpack_##lower, order, BYTES_##NAME, OFFSET_##NAME};                \
        product_##shape(&kind, w->data + row0 * w->row_bytes, w->row_bytes, n_rows, w->k, x, n_columns, y,   \
                        y_stride);                                                                           \
    }
UNPACK_LIST(UNPACK)
#undef UNPACK

static void overlay_unpack(struct mote_kernels *table) {
#define OVERLAY(NAME, lower, shape, order) table->direct[MOTE_TYPE_##NAME] = direct_##lower;
    UNPACK_LIST(OVERLAY)
#undef OVERLAY
}
