/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_wasm.h: the product with one or a few columns for WebAssembly, straight from the bytes of a file,
 * four rows at a time. Sixteen neighbouring weights of a row meet the same sixteen activations whatever the
 * row is:
 *
 *     sum of row 0   w0·x0 + … + w3·x3 │ w4·x4 + … │ w8·x8 + … │ w12·x12 + …
 *     sum of row 1   …
 *
 * and when a group is through, the lanes of each row are added and the four rows come side by side, where they
 * meet their scales. Only the types that most models are made of are here; all others go by panel.
 *
 * Nothing here can ask for memory ahead of time, but fetch() reads a byte of each line of the next four rows as
 * these are multiplied, in the order of the file, which a machine follows by itself. What is fetched has to stay in the
 * first cache with what is multiplied; four rows that are too long for that are read before they are multiplied.
 *
 * Where weights have an offset, sums begin with −offset·Σx, in one lane, which is as good as any other; or Σx is
 * taken off at the end. Q8_0 is signed: see multiply_wasm.h. Of a superblock the sums come first, all of them; then
 * they are scaled and added group by group, and the scales of four rows are unpacked on the way. */
#include "base/reader.h"
#include "kernel/grid.h"
#include "kernel/kernel.h"
#include "kernel/unpack_wasm.h"

enum {
    SPAN = MOTE_KERNEL_SPAN,
    NEAR = 13000, /* bytes of four rows up to which the next four can be fetched meanwhile */
};

struct book;

struct column {
    const int8_t *q;
    const float *d;
    const int16_t *sum;
};

/* Where four rows are, and what is read next: the same again after the last. */
struct rows {
    const uint8_t *p, *next;
    size_t row_bytes;
};

/* The products of four rows with a column, a row in each lane. book: what a type brings to look values up in. */
typedef vector four_rows(struct rows rows, uint32_t k, const struct column *x, const struct book *book);

/* Reads a byte of each line of what comes next, so that the machine sees one long stream. A few at a time: many stand
 * in the way of what is multiplied. */
INLINE void fetch(struct rows *rows, uint32_t n_bytes) {
    UNROLL
    for (uint32_t i = 0; i < n_bytes; i += 64)
        (void)*(const volatile uint8_t *)(rows->next + i);
    rows->next += n_bytes;
}

/* ---- dots ---- */

#if RELAXED

/* Lane i: sum + Σ w[4i + j] · x[4i + j], j < 4; w 0 … 127. */
INLINE vector dots(vector sum, vector w, vector x) {
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x, w, sum);
}

/* Sixteen activations for weights of any sign. */
struct signless {
    vector magnitude, sign;
};

INLINE struct signless signless(vector x) {
    return (struct signless){wasm_i8x16_abs(x), wasm_i8x16_lt(x, hidden(splat(0)))};
}

INLINE vector dots_signed(vector sum, vector w, struct signless x) {
    return dots(sum, x.magnitude, wasm_v128_xor(w, x.sign));
}

/* sum less what has to be added to such sums */
INLINE vector negative_sums(vector sum, struct signless x) {
    return dots(sum, x.magnitude, x.sign);
}

#else

/* The lanes together: Σ w·x, w −128 … 127. */
INLINE vector dots(vector sum, vector w, vector x) {
    sum = wasm_i32x4_add(
        sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_low_i8x16(w), wasm_i16x8_extend_low_i8x16(x)));
    return wasm_i32x4_add(
        sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_high_i8x16(w), wasm_i16x8_extend_high_i8x16(x)));
}

struct signless {
    vector x;
};

INLINE struct signless signless(vector x) {
    return (struct signless){x};
}

INLINE vector dots_signed(vector sum, vector w, struct signless x) {
    return dots(sum, w, x.x);
}

INLINE vector negative_sums(vector sum, struct signless x) {
    (void)x;
    return sum;
}

#endif

/* ---- blocks of 32 ---- */

/* acc + float(sum) · (scale · d), in this order */
INLINE vector add_scaled(vector acc, vector sum, vector scale, vector d) {
    return wasm_f32x4_add(acc, wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), wasm_f32x4_mul(scale, d)));
}

/* ---- superblocks ---- */

PART vector rows_q4_k(struct rows rows, uint32_t k, const struct column *x, const struct book *book) {
    (void)book;
    const struct masks *m = opaque(&mask_constants);
    const vector nibbles = load(m->nibbles), ones = load(m->ones);
    struct column here = *x;
    vector acc = splat(0), sums[8];
    struct head_k4 head;
    for (uint32_t at = 0; at < k; at += SPAN, rows.p += 16) {
        unpack_head_k4(rows.p, rows.row_bytes, &head);
        ROLLED
        for (vector *to = sums; to < sums + 8; to += 2, here.q += 64, rows.p += 32) {
            fetch(&rows, 144);
            vector low[2], high[2];
            const uint8_t *w = rows.p + 16;
            UNROLL
            for (unsigned pair = 0; pair < 2; pair++) {
                vector sum[2][2];
                UNROLL
                for (unsigned r = 0; r < 2; r++, w += rows.row_bytes) {
                    vector a = load(w), b = load(w + 16);
                    sum[0][r] = dots(dots(splat(0), wasm_v128_and(a, nibbles), load(here.q)),
                                     wasm_v128_and(b, nibbles), load(here.q + 16));
                    sum[1][r] =
                        dots(dots(splat(0), wasm_v128_and(wasm_u16x8_shr(a, 4), nibbles), load(here.q + 32)),
                             wasm_v128_and(wasm_u16x8_shr(b, 4), nibbles), load(here.q + 48));
                }
                low[pair] = pairs(sum[0][0], sum[0][1], ones);
                high[pair] = pairs(sum[1][0], sum[1][1], ones);
            }
            to[0] = pairs(low[0], low[1], ones);
            to[1] = pairs(high[0], high[1], ones);
        }
        ROLLED
        for (uint32_t i = 0; i < 4; i += 2, here.d += 4, here.sum += 8) {
            const vector *sum = sums + 2 * i;
            vector four = load(here.d), d[4], d_sum[4];
            each_lane(four, d);
            each_lane(wasm_f32x4_mul(
                          four, wasm_f32x4_convert_i32x4(wasm_i32x4_extadd_pairwise_i16x8(load(here.sum)))),
                      d_sum);
            UNROLL
            for (int g = 0; g < 4; g++) {
                acc = add_scaled(acc, sum[g], scale_of(head.d, head.packed[i], g), d[g]);
                acc =
                    wasm_f32x4_sub(acc, wasm_f32x4_mul(scale_of(head.dmin, head.packed[i + 1], g), d_sum[g]));
            }
        }
    }
    return acc;
}

/* Two rows of sixteen places: groups g, g + 2, g + 4 and g + 6 share the bytes of high bits. sums: of two pairs of
 * lanes of each row. */
INLINE void dots_q6_k(const uint8_t *low, const uint8_t *high, size_t row_bytes, const int8_t *q,
                      const struct masks *m, vector *sums) {
    const vector nibbles = load(m->nibbles), two = load(m->two_high), ones = load(m->ones);
    vector sum[2][4];
    UNROLL
    for (unsigned r = 0; r < 2; r++, low += row_bytes, high += row_bytes) {
        vector a = load(low), b = load(low + 32), h = load(high), w[4];
        w[0] = wasm_v128_or(wasm_v128_and(a, nibbles), wasm_v128_and(wasm_i16x8_shl(h, 4), two));
        w[1] = wasm_v128_or(wasm_v128_and(b, nibbles), wasm_v128_and(wasm_i16x8_shl(h, 2), two));
        w[2] = wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(a, 4), nibbles), wasm_v128_and(h, two));
        w[3] = wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(b, 4), nibbles),
                            wasm_v128_and(wasm_u16x8_shr(h, 2), two));
        UNROLL
        for (int i = 0; i < 4; i++)
            sum[r][i] = dots(splat(0), w[i], load(q + 32 * i));
    }
    UNROLL
    for (int i = 0; i < 4; i++)
        sums[2 * i] = pairs(sum[0][i], sum[1][i], ones);
}

PART vector rows_q6_k(struct rows rows, uint32_t k, const struct column *x, const struct book *book) {
    (void)book;
    const struct masks *m = opaque(&mask_constants);
    struct column here = *x;
    vector acc = splat(0), sums[2][16], packed[4];
    for (uint32_t at = 0; at < k; at += SPAN, rows.p += 210, here.q += SPAN) {
        turn_rows(rows.p + 192, rows.row_bytes, packed);
        vector d = few_scales(rows.p + 208, rows.row_bytes);
        const vector *sum = sums[0];
        ROLLED
        for (uint32_t i = 0; i < 4; i++) {
            fetch(&rows, 210);
            uint32_t g = i + 3 * (i & 2); /* 0, 1, 8, 9 */
            const uint8_t *low = rows.p + 16 * (i + (i & 2)), *high = rows.p + 128 + 16 * i;
            ROLLED
            for (uint32_t r = 0; r < 2; r++, low += 2 * rows.row_bytes, high += 2 * rows.row_bytes)
                dots_q6_k(low, high, rows.row_bytes, here.q + 16 * g, m, sums[r] + g);
        }
        ROLLED
        for (uint32_t i = 0; i < 4; i++, sum += 4, here.d += 2, here.sum += 4) {
            vector less[4];
            each_lane(wasm_i32x4_shl(wasm_i32x4_load16x4(here.sum), 5), less); /* 32 · Σx */
            UNROLL
            for (int g = 0; g < 4; g++)
                acc = add_scaled(acc, wasm_i32x4_sub(across_pairs(sum[g], sum[16 + g]), less[g]),
                                 scale_of(d, packed[i], g), load_splat(here.d + g / 2));
        }
    }
    return acc;
}

/* ---- code books ---- */

/* What IQ2_XXS names: eight magnitudes, and whether eight values are negative (all bits of a byte) of seven bits, the
 * eighth being their parity. */
struct book {
    uint64_t magnitudes[256], signs[128];
};

SMALL void open_book(struct book *book) {
    const uint64_t ones = 0x0101010101010101;
    ROLLED
    for (uint32_t i = 0; i < 256; i++) {
        uint64_t two = mote_kernel_grid_spread8(mote_kernel_grid_iq2_xxs[i]); /* 0, 1, 2 → 8, 25, 43 */
        book->magnitudes[i] = 8 * ones + 17 * two + (two >> 1 & ones);
    }
    ROLLED
    for (uint32_t i = 0; i < 128; i++) {
        uint64_t one = mote_kernel_grid_signs(i);
        one = (one | one << 28) & 0x0000000f0000000f;
        one = (one | one << 14) & 0x0003000300030003;
        one = (one | one << 7) & ones;
        book->signs[i] = 255 * one;
    }
}

INLINE vector load_pair(const uint64_t *a, const uint64_t *b) {
    return wasm_v128_load64_lane(b, wasm_v128_load64_zero(a), 1);
}

PART vector rows_iq2_xxs(struct rows rows, uint32_t k, const struct column *x, const struct book *book) {
    struct column here = *x;
    vector acc = splat(0);
    for (; k; k -= SPAN, rows.p += 2) {
        fetch(&rows, 4 * 66);
        vector d = wasm_f32x4_mul(few_scales(rows.p, rows.row_bytes), wasm_f32x4_splat(0.125f));
        ROLLED
        for (uint32_t g = 0; g < 8; g++, rows.p += 8, here.q += 32, here.d++) {
            const uint8_t *p = rows.p + 2;
            vector sum[4];
            vector words = wasm_v128_load32_zero(p + 4);
            words = wasm_v128_load32_lane(p + 4 + rows.row_bytes, words, 1);
            words = wasm_v128_load32_lane(p + 4 + 2 * rows.row_bytes, words, 2);
            words = wasm_v128_load32_lane(p + 4 + 3 * rows.row_bytes, words, 3);
            UNROLL
            for (unsigned r = 0; r < 4; r++, p += rows.row_bytes) {
                uint32_t packed = mote_base_u32(p + 4);
                sum[r] = splat(0);
                UNROLL
                for (int half = 0; half < 2; half++, packed >>= 14) {
                    vector sign = load_pair(&book->signs[packed & 127], &book->signs[packed >> 7 & 127]);
                    vector magnitude =
                        load_pair(&book->magnitudes[p[2 * half]], &book->magnitudes[p[2 * half + 1]]);
                    sum[r] = dots(sum[r], magnitude,
                                  wasm_i8x16_sub(wasm_v128_xor(load(here.q + 16 * half), sign), sign));
                }
            }
            /* d · (1 + 2 · four bits) */
            vector odd = wasm_v128_or(wasm_i32x4_shl(hidden(wasm_u32x4_shr(words, 28)), 1), splat(1));
            acc = add_scaled(acc, across(sum[0], sum[1], sum[2], sum[3]),
                             wasm_f32x4_mul(d, wasm_f32x4_convert_i32x4(odd)), load_splat(here.d));
        }
    }
    return acc;
}

/* ---- what the table points to ---- */

#if RELAXED && !defined(MOTE_SMALL) /* not where bytes are few */
#define SOME_TOGETHER 1
#include "kernel/together_wasm.h"
#else
#define SOME_TOGETHER 0
#endif
#include "kernel/bundle_wasm.h"

SMALL void direct(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                  const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    struct book book;
    const uint8_t *rows = w->data + row0 * w->row_bytes;
    four_rows *products = w->type == MOTE_TYPE_Q4_K   ? rows_q4_k
                          : w->type == MOTE_TYPE_Q6_K ? rows_q6_k
                                                      : rows_iq2_xxs;
#if SOME_TOGETHER
    struct mote_kernel_x8 rest = *x;
    x = &rest;
    while (n_columns > 2 && products != rows_iq2_xxs) {
        uint32_t some = n_columns < MOTE_KERNEL_DIRECT ? n_columns : MOTE_KERNEL_DIRECT;
        direct_together(w, row0, n_rows, &rest, some, y, y_stride);
        rest.q += (uint64_t)some * w->k;
        rest.scale += (uint64_t)some * (w->k / 32);
        rest.sum += (uint64_t)some * (w->k / 16);
        y += some * y_stride;
        n_columns -= some;
    }
#endif
    if (products == rows_iq2_xxs) open_book(&book);
    for (uint32_t r = 0; r < n_rows; r += 4, rows += 4 * w->row_bytes) {
        int near = 4 * w->row_bytes <= NEAR;
        struct rows four = {rows, near && r + 4 < n_rows ? rows + 4 * w->row_bytes : rows,
                            (size_t)w->row_bytes};
        if (!near) touch(rows, (uint32_t)(4 * w->row_bytes));
        ROLLED
        for (uint64_t c = 0; c < n_columns; c++) {
            struct column column = {x->q + c * w->k, x->scale + c * (w->k / 32), x->sum + c * (w->k / 16)};
            store(y + c * y_stride + r, products(four, w->k, &column, &book));
            four.next = rows;
        }
    }
}

static void overlay_direct(struct mote_kernels *table) {
    table->direct[MOTE_TYPE_Q4_0] = direct_bundles;
    table->direct[MOTE_TYPE_Q8_0] = direct_bundles;
    table->fill[MOTE_TYPE_Q4_0] = fill_bundle_q4;
    table->fill[MOTE_TYPE_Q8_0] = fill_bundle_q8;
    table->bundle_flip = 128;
    table->bundle_fill_from = 3;
#if RELAXED
    if (engine_of() == SIGNED) table->bundle_flip = 0;
    if (SOME_TOGETHER && engine_of() != SATURATING) table->bundle_fill_from = BESIDE_MOST + 1;
    if (!SOME_TOGETHER && engine_of() == SATURATING) table->direct[MOTE_TYPE_Q8_0] = NULL;
#endif
    table->bundles = (uint64_t)1 << MOTE_TYPE_Q4_0 | (uint64_t)1 << MOTE_TYPE_Q8_0;
    table->direct[MOTE_TYPE_Q4_K] = direct;
    table->direct[MOTE_TYPE_Q6_K] = direct;
    table->direct[MOTE_TYPE_IQ2_XXS] = direct;
#if SOME_TOGETHER
    table->fill_from = MOTE_KERNEL_DIRECT + 1;
#else
    table->fill_from = 3;
#endif
    overlay_fill(table);
}
