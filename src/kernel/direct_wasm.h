/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_wasm.h: products with one or a few columns for WebAssembly, straight from weights as they lie. Bundles are most
 * of them (bundle_wasm.h, bundle_k_wasm.h); here are what these share, and IQ2_XXS, whose rows stay as in the file: four
 * at a time, and sixteen neighbouring weights of a row meet the same sixteen activations whatever the row is:
 *
 *     sum of row 0   w0·x0 + … + w3·x3 │ w4·x4 + … │ w8·x8 + … │ w12·x12 + …
 *     sum of row 1   …
 *
 * and when a group is through, the lanes of each row are added and the four rows come side by side, where they meet
 * their scales. All other types go by panel.
 *
 * Nothing here can ask for memory ahead of time, but fetch() reads a byte of each line of the next four rows as
 * these are multiplied, in the order of the file, which a machine follows by itself. What is fetched has to stay in the
 * first cache with what is multiplied; four rows that are too long for that are read before they are multiplied. */
#include "base/reader.h"
#include "kernel/grid.h"
#include "kernel/kernel.h"
#include "kernel/vector_wasm.h"

#if RELAXED && !IS_SMALL /* not where bytes are few */
#define SOME_TOGETHER 1
#else
#define SOME_TOGETHER 0
#endif

struct masks {
    uint32_t nibbles[4], two_high[4], six[4];
};
#define FOUR(word)                                                                                           \
    { word, word, word, word }
static const struct masks mask_constants = {FOUR(0x0f0f0f0f), FOUR(0x30303030), FOUR(0x3f3f3f3f)};
#undef FOUR

#if RELAXED

/* Lane i: sum + Σ w[4i + j] · x[4i + j], j < 4; w 0 … 127. */
INLINE vector dots(vector sum, vector w, vector x) {
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x, w, sum);
}

#else

/* The lanes together: Σ w·x, w −128 … 127. */
INLINE vector dots(vector sum, vector w, vector x) {
    sum = wasm_i32x4_add(
        sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_low_i8x16(w), wasm_i16x8_extend_low_i8x16(x)));
    return wasm_i32x4_add(
        sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_high_i8x16(w), wasm_i16x8_extend_high_i8x16(x)));
}

#endif

/* acc + float(sum) · (scale · d), in this order */
INLINE vector add_scaled(vector acc, vector sum, vector scale, vector d) {
    return wasm_f32x4_add(acc, wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), wasm_f32x4_mul(scale, d)));
}

#include "kernel/bundle_wasm.h"

#include "kernel/bundle_k_wasm.h"

#if !IS_SMALL

/* ---- code books ---- */

enum { NEAR = 13000 /* bytes of four rows up to which the next four can be fetched meanwhile */ };

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

/* Reads a byte of each line of what comes next, so that the machine sees one long stream. A few at a time: many stand
 * in the way of what is multiplied. */
INLINE void fetch(struct rows *rows, uint32_t n_bytes) {
    UNROLL
    for (uint32_t i = 0; i < n_bytes; i += 64)
        (void)*(const volatile uint8_t *)(rows->next + i);
    rows->next += n_bytes;
}

/* The f16 at the same place of four rows. */
SMALL vector load_scales(const uint8_t *p, size_t row_bytes) {
    const struct halves halves = load_halves_constants();
    vector v = wasm_v128_load16_lane(p, splat(0), 1);
    v = wasm_v128_load16_lane(p + row_bytes, v, 3);
    v = wasm_v128_load16_lane(p + 2 * row_bytes, v, 5);
    return float_from_half(wasm_v128_load16_lane(p + 3 * row_bytes, v, 7), &halves);
}

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

/* The products of four rows with a column, a row in each lane. */
PART vector rows_iq2_xxs(struct rows rows, uint32_t k, const struct column *x, const struct book *book) {
    struct column here = *x;
    vector acc = splat(0);
    for (; k; k -= 256, rows.p += 2) {
        fetch(&rows, 4 * 66);
        vector d = wasm_f32x4_mul(load_scales(rows.p, rows.row_bytes), wasm_f32x4_splat(0.125f));
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

SMALL void direct_iq2_xxs(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                          const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    struct book book;
    const uint8_t *rows = w->data + row0 * w->row_bytes;
    open_book(&book);
    for (uint32_t r = 0; r < n_rows; r += 4, rows += 4 * w->row_bytes) {
        int near = 4 * w->row_bytes <= NEAR;
        struct rows four = {rows, near && r + 4 < n_rows ? rows + 4 * w->row_bytes : rows,
                            (size_t)w->row_bytes};
        if (!near) touch(rows, (uint32_t)(4 * w->row_bytes));
        ROLLED
        for (uint64_t c = 0; c < n_columns; c++) {
            struct column column = {x->q + c * w->k, x->scale + c * (w->k / 32), x->sum + c * (w->k / 16)};
            store(y + c * y_stride + r, rows_iq2_xxs(four, w->k, &column, &book));
            four.next = rows;
        }
    }
}

#endif

/* ---- what the table points to ---- */

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
#if !IS_SMALL
    table->direct[MOTE_TYPE_IQ2_XXS] = direct_iq2_xxs;
#endif
    overlay_bundles_k(table);
}
