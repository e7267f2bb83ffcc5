/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_x86.h: the product with few columns for x86 vectors, straight from the bytes of the file. Decoding
 * sixteen rows into a panel is worth its price only when many columns share it; here the rows are turned
 * while they are still packed, half or a quarter of the work:
 *
 *     row 0   b0 b1 b2 b3 │ b4 b5 b6 b7 │ …         vector 0   row 0: b0 b1 b2 b3 │ row 1: b0 b1 b2 b3 │ …
 *     row 1   b0 b1 b2 b3 │ b4 b5 b6 b7 │ …    →    vector 1   row 0: b4 b5 b6 b7 │ row 1: b4 b5 b6 b7 │ …
 *     …                                             …
 *
 * after which all that is in a block (values, packed scales, the f16 in front) lies one row per lane: a mask
 * and a shift give four values of each row to multiply with four activations that are the same for all rows,
 * and scales are unpacked for all rows at once. A span is 256 values: one superblock or eight blocks of 32.
 * It is turned piece by piece, each as it is needed. With no column at all, a group goes into a panel instead:
 * for more than a few columns.
 *
 * Sixteen rows are sixteen streams, too many for the hardware to run ahead of. So while a group is
 * multiplied, a few lines of the rows that follow these are asked for, in the order of the file. When and how
 * was measured: docs/KERNELS.md.
 *
 * A file that is compiled for one instruction set includes vector_x86.h and then defines
 *
 *     SIGNED_128       1 where dots() takes int8 weights as they are, 0 where it wants them + 128
 *     dots()           adds n vectors of weights times activations to int32 lanes
 *
 * and includes this and direct_type_x86.h. */
#include "base/memory.h"
#include "kernel/decode_scale.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    SPAN = MOTE_KERNEL_SPAN,
    SPAN_GROUPS = SPAN / 16, /* at most */
    TILE = MOTE_KERNEL_DIRECT,
    WIDE_TILE = MOTE_KERNEL_WIDE,
};

/* Written out in full, a span of small blocks needs nothing from memory twice; eight lanes have too few
 * registers to gain by it. */
#if WIDTH == 16
#define UNROLL_WIDE UNROLL
#else
#define UNROLL_WIDE
#endif

#if WIDTH == 16

INLINE ints both(ints a, ints b) {
    return _mm512_and_si512(a, b);
}
INLINE ints either(ints a, ints b) {
    return _mm512_or_si512(a, b);
}
INLINE ints differ(ints a, ints b) {
    return _mm512_xor_si512(a, b);
}
INLINE ints down(ints v, unsigned n) {
    return _mm512_srli_epi32(v, n);
}
INLINE ints up(ints v, unsigned n) {
    return _mm512_slli_epi32(v, n);
}
INLINE ints down_signed(ints v, unsigned n) {
    return _mm512_srai_epi32(v, n);
}
INLINE ints add_ints(ints a, ints b) {
    return _mm512_add_epi32(a, b);
}
INLINE ints less(ints a, ints b) {
    return _mm512_sub_epi32(a, b);
}
INLINE ints table16(const int8_t table[16]) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)table));
}
INLINE ints look_up(ints table, ints index) {
    return _mm512_shuffle_epi8(table, index);
}
/* The f16 in the low half of each lane. */
INLINE floats f16_low(ints v) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}
INLINE ints pairs_low(ints a, ints b) {
    return _mm512_unpacklo_epi32(a, b);
}
INLINE ints pairs_high(ints a, ints b) {
    return _mm512_unpackhi_epi32(a, b);
}
INLINE ints fours_low(ints a, ints b) {
    return _mm512_unpacklo_epi64(a, b);
}
INLINE ints fours_high(ints a, ints b) {
    return _mm512_unpackhi_epi64(a, b);
}
/* Sixteen bytes of four rows, four apart. */
INLINE ints pieces(const uint8_t *p, uint64_t row_bytes) {
    ints v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)p));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 4 * row_bytes)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 8 * row_bytes)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 12 * row_bytes)), 3);
}
/* Thirty-two bytes of two rows, four apart. */
INLINE ints halves(const uint8_t *p, uint64_t row_bytes) {
    ints v = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)p));
    return _mm512_inserti64x4(v, _mm256_loadu_si256((const void *)(p + 4 * row_bytes)), 1);
}

#else

INLINE ints both(ints a, ints b) {
    return _mm256_and_si256(a, b);
}
INLINE ints either(ints a, ints b) {
    return _mm256_or_si256(a, b);
}
INLINE ints differ(ints a, ints b) {
    return _mm256_xor_si256(a, b);
}
INLINE ints down(ints v, unsigned n) {
    return _mm256_srli_epi32(v, (int)n);
}
INLINE ints up(ints v, unsigned n) {
    return _mm256_slli_epi32(v, (int)n);
}
INLINE ints down_signed(ints v, unsigned n) {
    return _mm256_srai_epi32(v, (int)n);
}
INLINE ints add_ints(ints a, ints b) {
    return _mm256_add_epi32(a, b);
}
INLINE ints less(ints a, ints b) {
    return _mm256_sub_epi32(a, b);
}
INLINE ints table16(const int8_t table[16]) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table));
}
INLINE ints look_up(ints table, ints index) {
    return _mm256_shuffle_epi8(table, index);
}
/* The f16 in the low half of each lane. */
INLINE floats f16_low(ints v) {
    v = both(v, splat_int(0xffff));
    return _mm256_cvtph_ps(_mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
}
INLINE ints pairs_low(ints a, ints b) {
    return _mm256_unpacklo_epi32(a, b);
}
INLINE ints pairs_high(ints a, ints b) {
    return _mm256_unpackhi_epi32(a, b);
}
INLINE ints fours_low(ints a, ints b) {
    return _mm256_unpacklo_epi64(a, b);
}
INLINE ints fours_high(ints a, ints b) {
    return _mm256_unpackhi_epi64(a, b);
}
/* Sixteen bytes of two rows, four apart. */
INLINE ints pieces(const uint8_t *p, uint64_t row_bytes) {
    return _mm256_loadu2_m128i((const void *)(p + 4 * row_bytes), (const void *)p);
}

#endif

/* The high half of each lane of a, then the low half of b. */
INLINE ints join(ints a, ints b) {
#if WIDTH == 16
    return _mm512_mask_blend_epi16(0xaaaaaaaa, down(a, 16), up(b, 16));
#else
    return _mm256_blend_epi16(down(a, 16), up(b, 16), 0xaa);
#endif
}
INLINE floats f16_high(ints v) {
    return f16_low(down(v, 16));
}

/* Four vectors, transposed within each 128 bits. */
INLINE void turn4(const ints v[4], ints to[4]) {
    ints ab = pairs_low(v[0], v[1]), cd = pairs_low(v[2], v[3]);
    to[0] = fours_low(ab, cd);
    to[1] = fours_high(ab, cd);
    ab = pairs_high(v[0], v[1]), cd = pairs_high(v[2], v[3]);
    to[2] = fours_low(ab, cd);
    to[3] = fours_high(ab, cd);
}

/* Sixteen bytes of each of WIDTH rows → four vectors of four bytes of each row. */
INLINE void turn_one(const uint8_t *rows, uint64_t row_bytes, ints to[4]) {
    ints v[4];
    UNROLL
    for (unsigned r = 0; r < 4; r++)
        v[r] = pieces(rows + r * row_bytes, row_bytes);
    turn4(v, to);
}

#if WIDTH == 16
/* Thirty-two bytes of each row → eight vectors. */
INLINE void turn_two(const uint8_t *rows, uint64_t row_bytes, ints to[8]) {
    ints v[8], a[4], b[4];
    UNROLL
    for (unsigned r = 0; r < 8; r++)
        v[r] = halves(rows + (r + (r & 4)) * row_bytes, row_bytes);
    turn4(v, a);
    turn4(v + 4, b);
    UNROLL
    for (int i = 0; i < 4; i++) {
        to[i] = _mm512_shuffle_i32x4(a[i], b[i], 0x88);
        to[i + 4] = _mm512_shuffle_i32x4(a[i], b[i], 0xdd);
    }
}
#endif

/* n pieces of sixteen bytes, 4·n vectors; n is known at compile time. */
INLINE void turn(const uint8_t *rows, uint64_t row_bytes, const int n, ints *to) {
#if WIDTH == 16
    /* two at a time take fewer loads */
    UNROLL
    for (int i = 0; i < n / 2; i++)
        turn_two(rows + 32 * i, row_bytes, to + 8 * i);
    if (n % 2) turn_one(rows + 16 * (n - 1), row_bytes, to + 4 * (n - 1));
#else
    UNROLL
    for (int i = 0; i < n; i++)
        turn_one(rows + 16 * i, row_bytes, to + 4 * i);
#endif
}

/* A span of WIDTH rows, and what the columns bring to it, or the panel it is put into. */
struct span {
    const uint8_t *rows; /* where it begins in the first row */
    uint64_t row_bytes;
    uintptr_t ahead; /* what to fetch next */
    int first;       /* of the blocks of 32, the first that counts */
    struct mote_kernel_panel to;
    uint32_t done; /* values of the panel before this span */
    struct column {
        const int8_t *q; /* from this span on, as are the others */
        const float *d;
        const int16_t *sum;
        union {
            int32_t start[SPAN_GROUPS]; /* −offset · Σx */
            float d_sum[SPAN_GROUPS];   /* d · Σx, where there is a min */
        } group;
    } column[WIDE_TILE];
};

/* How a type multiplies, known at compile time. */
struct shape {
    int group, offset, has_min;
    int most; /* the greatest weight, offset added */
};

/* sum + the n vectors of w times x; most: the greatest weight. */
INLINE ints dots(ints sum, const ints *w, const int8_t *x, int n, int most, int as_signed);

INLINE int32_t four_values(const int8_t *x) {
    int32_t value;
    memcpy(&value, x, sizeof value);
    return value;
}

/* What a column brings to the groups besides its values, worked out for WIDTH groups at a time. */
INLINE void prepare(struct column *column, const struct shape *shape) {
    const uint32_t group = (uint32_t)shape->group, n = SPAN / group < WIDTH ? SPAN / group : WIDTH;
    for (uint32_t g = 0; g < SPAN / group; g += n) {
        ints total = group_sums(column->sum + g * (group / 16), n, group);
        if (shape->has_min) {
            floats d = group_scales(column->d + g * group / 32, n, group);
            store_floats(column->group.d_sum + g, mul(d, to_float(total)));
        } else {
            store_ints(column->group.start + g, mul_ints(total, splat_int(-shape->offset)));
        }
    }
}

/* Group g of a span goes into a panel. */
INLINE void put_group(const struct span *s, int g, const struct shape *shape, const ints *w, floats scale,
                      floats min) {
    const ints flip = splat_int(SIGNED_128 && shape->offset == 128 ? (int32_t)0x80808080 : 0);
    uint32_t value = s->done + (uint32_t)(g * shape->group);
    uint64_t at = (uint64_t)value / (unsigned)shape->group * MOTE_KERNEL_ROWS;
    uint8_t *q = s->to.q + (uint64_t)value * MOTE_KERNEL_ROWS;
    UNROLL
    for (int i = 0; i < shape->group / 4; i++)
        store_ints((int32_t *)(void *)(q + 64 * i), differ(w[i], flip));
    store_floats(s->to.scale + at, scale);
    if (shape->has_min) store_floats(s->to.min + at, min);
}

/* Group g of a span, vectors of four weights of each row, meets n columns; or with n = 0, goes into a panel.
 */
INLINE void add_group(const struct span *s, floats *acc, const int n, int g, const struct shape *shape,
                      const ints *w, floats scale, floats min) {
    const int as_signed = SIGNED_128 && shape->offset == 128;
    if (n == 0) put_group(s, g, shape, w, scale, min);
    UNROLL
    for (int c = 0; c < n; c++) {
        const struct column *column = &s->column[c];
        ints idot = splat_int(shape->has_min || as_signed ? 0 : column->group.start[g]);
        idot = dots(idot, w, column->q + g * shape->group, shape->group / 4, shape->most, as_signed);
        floats d = splat_float(column->d[g * shape->group / 32]);
        acc[c] = plus(acc[c], mul(to_float(idot), mul(scale, d)));
        if (shape->has_min) acc[c] = minus(acc[c], mul(min, splat_float(column->group.d_sum[g])));
    }
}

/* Asks for as much of what comes next as 32 values of WIDTH rows take, of a type of so many bytes a span;
 * not when panels are made, which have other work between them. */
INLINE void fetch(struct span *s, const int n, int bytes) {
    int lines = n == 0 ? 0 : (bytes * WIDTH / 8 + 63) / 64;
    UNROLL
    for (int i = 0; i < lines; i++)
        __builtin_prefetch((const void *)(s->ahead + 64 * (unsigned)i));
    s->ahead += 64 * (unsigned)lines;
}
