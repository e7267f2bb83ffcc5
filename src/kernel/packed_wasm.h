/* SPDX-License-Identifier: Apache-2.0
 *
 * packed_wasm.h: the body of sums of integers for encoders in WebAssembly: packed products, and the two products of
 * attention over S8 (kernel.h), around which integer_simd128.c is. A tile is rows × four columns, and a step of it four
 * values of each:
 *
 *     rows, eight (PLAIN: four) side by side         columns, wherever they lie
 *     │ row 0 │ row 1 │ … │ row 7 │  step 0          │ step 0 │ step 1 │ …
 *     └ stride bytes further:        step 1 …
 *
 * A file that is compiled for one level defines RELAXED, 0 or 1.
 *
 * RELAXED. All engines agree on the dot instruction only where one operand is below 128. Queries and weights of
 * attention are; the weights of packed products are not. Engines on processors that have the instruction take them up
 * to 255 as they are; whether this one does is asked once for each call. For others the activations leave their signs to
 * the weights: Σ q·x = Σ ±q·|x|, and neither is ever −128.
 *
 * PLAIN. Four bytes of two rows, widened to words, times four of a column, twice: a lane has two products of a row. The
 * two lanes of a row come together at the end.
 *
 * Eight sums, a vector of a column and two of rows leave engines registers to spare; what adds up beyond a block of
 * values lies in memory. Where less than four columns are left, the last is taken again, and stored where it belongs. */
#include "kernel/four_wasm.h"
#include "kernel/vector_wasm.h"

enum {
    COLUMNS = 4,
    QUADS = RELAXED && !IS_SMALL ? 2 : 1,
    TILE = 4 * QUADS, /* rows */
    ROWS = MOTE_KERNEL_ROWS,
    BLOCK = MOTE_KERNEL_WIDE_BLOCK,
    SPAN = MOTE_KERNEL_WIDE_SPAN,
};

/* What rows are: q + 128; the same, where that has to be seven bits; int8, with columns of seven. */
enum rows { WEIGHTS, WIDE_WEIGHTS, SIGNED };

struct sums {
    vector v[2][COLUMNS];
};

#if RELAXED

/* What is equal to its magnitude is not negative; asked otherwise, the compiler shifts by seven bits, which takes
 * engines five instructions. */
INLINE void add_step(struct sums *sums, const uint8_t *rows, const int8_t *const x[COLUMNS], enum rows kind,
                     vector top) {
    vector row[QUADS];
    UNROLL
    for (int r = 0; r < QUADS; r++)
        row[r] = load(rows + 16 * r);
    UNROLL
    for (int r = 0; kind == WIDE_WEIGHTS && r < QUADS; r++)
        row[r] = wasm_v128_xor(row[r], top);
    UNROLL
    for (int c = 0; c < COLUMNS; c++) {
        vector v = load_splat(x[c]), magnitude = hidden(wasm_i8x16_abs(v)),
               negative = wasm_i8x16_ne(v, magnitude);
        UNROLL
        for (int r = 0; r < QUADS; r++) {
            vector *sum = &sums->v[r][c];
            if (kind == SIGNED)
                *sum = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(row[r], v, *sum);
            else if (kind == WEIGHTS)
                *sum = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(v, row[r], *sum);
            else
                *sum = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(
                    wasm_i8x16_sub(wasm_v128_xor(row[r], negative), negative), magnitude, *sum);
        }
    }
}

#else

INLINE void add_step(struct sums *sums, const uint8_t *rows, const int8_t *const x[COLUMNS], enum rows kind,
                     vector top) {
    vector row[2];
    (void)top;
    UNROLL
    for (int r = 0; r < 2; r++)
        row[r] = kind == SIGNED ? wasm_i16x8_load8x8(rows + 8 * r) : wasm_u16x8_load8x8(rows + 8 * r);
    UNROLL
    for (int c = 0; c < COLUMNS; c++) {
        vector v = wasm_i16x8_extend_low_i8x16(load_splat(x[c]));
        UNROLL
        for (int r = 0; r < 2; r++)
            sums->v[r][c] = wasm_i32x4_add(sums->v[r][c], wasm_i32x4_dot_i16x8(row[r], v));
    }
}

#endif

/* n bytes of each row. */
INLINE void add_steps(struct sums *sums, const void *rows, uint32_t stride, const int8_t *const x[COLUMNS],
                      uint32_t n, enum rows kind) {
    static const uint32_t bits = 0x80808080;
    vector top = kind == WIDE_WEIGHTS ? load_splat(opaque(&bits)) : splat(0);
    const int8_t *at[COLUMNS] = {x[0], x[1], x[2], x[3]}, *end = at[0] + n;
    const uint8_t *row = rows;
    ROLLED
    while (at[0] < end) {
        add_step(sums, row, at, kind, top);
        row += stride;
        UNROLL
        for (int c = 0; c < COLUMNS; c++)
            at[c] += 4;
    }
}

/* The sums of four rows with a column. */
INLINE vector sum_of(const struct sums *sums, int r, int c) {
#if RELAXED
    return sums->v[r][c];
#else
    vector low = sums->v[0][c], high = sums->v[1][c];
    (void)r;
    return wasm_i32x4_add(wasm_i32x4_shuffle(low, high, 0, 2, 4, 6),
                          wasm_i32x4_shuffle(low, high, 1, 3, 5, 7));
#endif
}

/* ---- attention ---- */

static void dots(const void *rows, uint32_t n_rows, uint32_t stride, const int8_t *const x[COLUMNS],
                 uint32_t n, int32_t *out) {
    const uint8_t *row = rows;
    for (const uint8_t *end = row + 4 * n_rows; row < end; row += 4 * TILE, out += TILE) {
        struct sums sums = {0};
        add_steps(&sums, row, stride, x, n, SIGNED);
        UNROLL
        for (int i = 0; i < QUADS * COLUMNS; i++)
            store(out + (uint32_t)i % COLUMNS * n_rows + i / COLUMNS * 4,
                  sum_of(&sums, i / COLUMNS, i % COLUMNS));
    }
}

static void attend(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                   const void *const *pages, uint32_t n_positions) {
    mote_kernel_attend_s8__simd128(dots, a, first, n, pages, n_positions);
}

/* ---- packed products ---- */

struct tile {
    vector part[QUADS * COLUMNS], acc[QUADS * COLUMNS]; /* of a span, of all */
    vector starts;                                      /* all bits: where sums start counts */
    const int8_t *x[COLUMNS];
    const float *d[COLUMNS]; /* of blocks */
    const int32_t *start[COLUMNS];
    float *y[COLUMNS];
    uint32_t k;
};

/* Sums of a block go where its scales take them. */
INLINE void add_block(struct tile *tile, const struct sums *sums, uint32_t b) {
    UNROLL
    for (int c = 0; c < COLUMNS; c++) {
        vector d = load_splat(tile->d[c] + b);
        UNROLL
        for (int r = 0; r < QUADS; r++) {
            vector sum = sum_of(sums, r, c), *part = &tile->part[r * COLUMNS + c];
            if (!RELAXED) sum = wasm_i32x4_add(sum, load_splat(tile->start[c] + b));
            *part = wasm_f32x4_add(*part, wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), d));
        }
    }
}

/* A span is done. */
INLINE void add_span(struct tile *tile, const float *scale) {
    UNROLL_LARGE
    for (int i = 0; i < QUADS * COLUMNS; i++) {
        tile->acc[i] =
            wasm_f32x4_add(tile->acc[i], wasm_f32x4_mul(tile->part[i], load(scale + i / COLUMNS * 4)));
        tile->part[i] = splat(0);
    }
}

PART void multiply_tile(struct tile *tile, const uint8_t *w, const float *scale, const float *bias) {
    int wide = RELAXED && !wasm_v128_any_true(tile->starts);
    ROLLED
    for (int i = 0; i < QUADS * COLUMNS; i++)
        tile->part[i] = tile->acc[i] = splat(0);
    for (uint32_t done = 0, n; done < tile->k; done += n) {
        const int8_t *x[COLUMNS];
        struct sums sums = {0};
        n = tile->k - done < BLOCK ? tile->k - done : BLOCK;
        UNROLL
        for (int c = 0; c < COLUMNS; c++) {
            x[c] = tile->x[c] + done;
#if RELAXED
            for (int r = 0; r < QUADS; r++)
                sums.v[r][c] = wasm_v128_and(load_splat(tile->start[c] + done / BLOCK), tile->starts);
#endif
        }
        if (wide)
            add_steps(&sums, w, 4 * ROWS, x, n, WIDE_WEIGHTS);
        else
            add_steps(&sums, w, 4 * ROWS, x, n, WEIGHTS);
        add_block(tile, &sums, done / BLOCK);
        w += n * ROWS;
        if ((done + n) % SPAN && done + n < tile->k) continue;
        add_span(tile, scale);
        scale += ROWS;
    }
    ROLLED
    for (int i = 0; i < QUADS * COLUMNS; i++) {
        vector y = tile->acc[i];
        if (bias) y = wasm_f32x4_add(y, load(bias + i / COLUMNS * 4));
        store(tile->y[i % COLUMNS], y);
        tile->y[i % COLUMNS] += 4;
    }
}

static void multiply_packed(const struct mote_kernel_panel *panels, uint32_t n_panels, uint32_t k,
                            const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride,
                            struct mote_kernel_ahead ahead) {
    struct tile tile = {.k = k, .starts = splat(-1)};
    uint32_t n_blocks = (k + BLOCK - 1) / BLOCK;
    uint32_t step = IS_SMALL ? 0 : (uint32_t)ahead.n / ((n_columns + COLUMNS - 1) / COLUMNS * n_panels);
#if RELAXED
    /* whether dots take eight bits */
    tile.starts = wasm_i32x4_eq(
        wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_i8x16_splat(127), hidden(wasm_i8x16_splat(-1)), splat(0)),
        splat(4 * 127 * 255));
#endif
    for (uint32_t t = 0; t < n_columns; t += COLUMNS) {
        ROLLED
        for (uint32_t c = 0; c < COLUMNS; c++) {
            uint32_t column = t + c < n_columns ? t + c : n_columns - 1;
            tile.x[c] = x->q + column * k;
            tile.d[c] = x->scale + column * n_blocks;
            tile.start[c] = x->start + column * n_blocks;
            tile.y[c] = y + column * (uint32_t)y_stride;
        }
        for (uint32_t p = 0; p < n_panels; p++) {
            const struct mote_kernel_panel *panel = &panels[p];
            if (!IS_SMALL) {
                touch(ahead.bytes, step);
                ahead.bytes += step;
            }
            ROLLED
            for (uint32_t r = 0; r < ROWS; r += TILE)
                multiply_tile(&tile, panel->q + 4 * r, panel->scale + r,
                              panel->bias ? panel->bias + r : NULL);
        }
    }
}
