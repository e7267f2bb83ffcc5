/* SPDX-License-Identifier: Apache-2.0
 *
 * multiply_wasm.h: the body of multiply for WebAssembly. A tile is QUADS vectors of four rows × four columns;
 * what the columns bring besides their values is worked out once for all rows, for 512 values at a time.
 *
 *     for each group:  idot = correction[column]            −offset·Σx, so 0 where there is a min
 *                      idot += w · x, four values of each row at a time
 *                      acc += float(idot) · (scale · d)     in this order, not fused
 *                      acc −= min · (d · Σx)                where there is a min
 *
 * A file that is compiled for one level defines RELAXED, 0 or 1.
 *
 * RELAXED. All engines agree on the dot instruction only where one operand is below 128. Weights are, but for
 * those of offset 128: there the activations leave their signs to the weights. Flipping the bits of w makes
 * −w − 1 of it, so that
 *
 *     Σ w·x = Σ (w ^ sign)·|x| + Σ |x| over the negative x          sign: all bits where x < 0
 *
 * for every w, −128 too. The last sum is the column's: that type's correction. Engines on processors that have the
 * instruction take weights up to 255 as they are; whether this one does is asked once for each call.
 *
 * PLAIN. Four weights of two rows, widened to words, times four activations of a column as words, twice: a
 * lane has two products of a row. The two lanes of a row come together after the group.
 *
 * Where less than four columns are left, the last is taken again and again, and stored where it belongs.
 *
 * The loop over a group has one step of four values: eight sums, a vector of a column and two of rows leave engines
 * registers to spare, where two steps at a time made them keep sums in memory. */
#include "kernel/kernel.h"
#include "kernel/vector_wasm.h"

enum {
    COLUMNS = 4,
    QUADS = RELAXED ? 2 : 1,
    BLOCK = 512, /* values of a column prepared at a time */
    GROUPS = BLOCK / 16,
    ROWS = MOTE_KERNEL_ROWS,
    WIDE = 128, /* the offset whose weights pass 127 */
#if defined(MOTE_NO_DECODERS)
    FETCHES = 1, /* panels made when the model was opened: they are more than a cache */
#else
    FETCHES = 0, /* panels made just now */
#endif
};

/* Four columns, up to 512 values of them. */
struct columns {
#if RELAXED
    const int8_t *x[COLUMNS];
#else
    int16_t x[COLUMNS][BLOCK];
#endif
    float d[COLUMNS][GROUPS];
    float d_sum[COLUMNS][GROUPS]; /* d · Σx */
    int32_t correction[COLUMNS][GROUPS];
};

/* idot of rows × columns, begun with what the columns bring. */
struct sums {
    vector low[QUADS][COLUMNS];
#if !RELAXED
    vector high[QUADS][COLUMNS];
#endif
};

struct places {
    const uint8_t *w;
#if RELAXED
    const int8_t *x[COLUMNS];
#else
    const int16_t *x;
#endif
};

#if RELAXED

INLINE void begin(struct sums *sums, const struct columns *x, uint32_t g) {
    UNROLL
    for (int c = 0; c < COLUMNS; c++) {
        vector start = load_splat(&x->correction[c][g]);
        UNROLL
        for (int r = 0; r < QUADS; r++)
            sums->low[r][c] = start;
    }
}

INLINE vector end(const struct sums *sums, int r, int c, const struct columns *x, uint32_t g) {
    (void)x, (void)g;
    return sums->low[r][c];
}

/* Four values. seven: all bits of every byte but the highest. What is equal to its magnitude is not negative; asked
 * otherwise, the compiler shifts by seven bits, which takes engines five instructions. */
INLINE void add_four(struct sums *sums, struct places *at, int wide, vector seven) {
    vector row[QUADS];
    UNROLL
    for (int r = 0; r < QUADS; r++) {
        row[r] = load(at->w + 16 * r);
        if (wide) row[r] = wasm_v128_xor(row[r], seven);
    }
    UNROLL
    for (int c = 0; c < COLUMNS; c++) {
        vector v = load_splat(at->x[c]), magnitude = hidden(wasm_i8x16_abs(v)),
               positive = wasm_i8x16_eq(v, magnitude);
        UNROLL
        for (int r = 0; r < QUADS; r++) {
            vector *sum = &sums->low[r][c];
            *sum = wide ? wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_xor(row[r], positive), magnitude,
                                                                 *sum)
                        : wasm_i32x4_relaxed_dot_i8x16_i7x16_add(v, row[r], *sum);
        }
        at->x[c] += 4;
    }
}

#else

INLINE void begin(struct sums *sums, const struct columns *x, uint32_t g) {
    (void)x, (void)g;
    *sums = (struct sums){0};
}

INLINE vector end(const struct sums *sums, int r, int c, const struct columns *x, uint32_t g) {
    vector low = sums->low[r][c], high = sums->high[r][c];
    vector sum =
        wasm_i32x4_add(wasm_i32x4_shuffle(low, high, 0, 2, 4, 6), wasm_i32x4_shuffle(low, high, 1, 3, 5, 7));
    return wasm_i32x4_add(sum, load_splat(&x->correction[c][g]));
}

INLINE void add_four(struct sums *sums, struct places *at, int wide, vector seven) {
    (void)wide, (void)seven;
    UNROLL
    for (int r = 0; r < QUADS; r++) {
        const uint8_t *w = at->w + 16 * r;
        vector low = wasm_u16x8_load8x8(w), high = wasm_u16x8_load8x8(w + 8);
        UNROLL
        for (int c = 0; c < COLUMNS; c++) {
            vector v = wasm_v128_load64_splat(at->x + c * BLOCK);
            sums->low[r][c] = wasm_i32x4_add(sums->low[r][c], wasm_i32x4_dot_i16x8(low, v));
            sums->high[r][c] = wasm_i32x4_add(sums->high[r][c], wasm_i32x4_dot_i16x8(high, v));
        }
    }
    at->x += 4;
}

#endif

/* The rows from `row` on of a panel, over the values [first, first + n) of a row. */
struct piece {
    const struct mote_kernel_panel *panel;
    uint32_t row, first, n, begun; /* first: in the panel; begun: whether sums wait in y */
    float *y[COLUMNS];             /* of that row */
};

/* The sums of a group. What tells types apart is decided once for each group. */
INLINE void add_group(struct sums *sums, struct places *at, uint32_t group, int wide, vector seven) {
    ROLLED
    for (const uint8_t *end = at->w + group * ROWS; at->w < end; at->w += 4 * ROWS)
        add_four(sums, at, wide, seven);
}

PART void tile(struct piece *piece, const struct columns *x, uint32_t group, int has_min, int wide) {
    static const uint32_t seven = 0x7f7f7f7f;
    uint64_t at_scale = (uint64_t)piece->first / group * ROWS + piece->row;
    const float *scale = piece->panel->scale + at_scale, *min = piece->panel->min + at_scale;
    struct places at = {.w = piece->panel->q + (uint64_t)piece->first * ROWS + 4 * piece->row};
#if RELAXED
    UNROLL
    for (int c = 0; c < COLUMNS; c++)
        at.x[c] = x->x[c];
#else
    at.x = x->x[0];
#endif
    vector acc[QUADS][COLUMNS];
    UNROLL
    for (int i = 0; i < QUADS * COLUMNS; i++)
        acc[i / COLUMNS][i % COLUMNS] =
            piece->begun ? load(piece->y[i % COLUMNS] + i / COLUMNS * 4) : splat(0);
    for (uint32_t g = 0; g < piece->n / group; g++, scale += ROWS, min += ROWS) {
        struct sums sums;
        begin(&sums, x, g);
        if (RELAXED && wide)
            add_group(&sums, &at, group, 1, load_splat(opaque(&seven)));
        else
            add_group(&sums, &at, group, 0, splat(0));
        UNROLL
        for (int i = 0; i < QUADS * COLUMNS; i++) {
            int r = i / COLUMNS, c = i % COLUMNS;
            vector *to = &acc[r][c], sum = wasm_f32x4_convert_i32x4(end(&sums, r, c, x, g));
            *to = wasm_f32x4_add(
                *to, wasm_f32x4_mul(sum, wasm_f32x4_mul(load(scale + 4 * r), load_splat(&x->d[c][g]))));
        }
        if (!has_min) continue;
        UNROLL
        for (int i = 0; i < QUADS * COLUMNS; i++) {
            int r = i / COLUMNS, c = i % COLUMNS;
            acc[r][c] =
                wasm_f32x4_sub(acc[r][c], wasm_f32x4_mul(load(min + 4 * r), load_splat(&x->d_sum[c][g])));
        }
    }
    UNROLL
    for (int i = 0; i < QUADS * COLUMNS; i++)
        store(piece->y[i % COLUMNS] + i / COLUMNS * 4, acc[i / COLUMNS][i % COLUMNS]);
}

#if RELAXED
/* Whether weights of this offset have to be kept below 128: dots with 255 show it. */
INLINE int is_wide(int32_t offset) {
    vector most = wasm_i8x16_splat(offset - 1), all = wasm_i8x16_splat(2 * offset - 1);
    int32_t dot =
        wasm_i32x4_extract_lane(wasm_i32x4_relaxed_dot_i8x16_i7x16_add(most, all, splat(offset)), 0);
    return offset == WIDE && dot != WIDE + 4 * 127 * 255;
}

/* Σ|x| over the negative x of each of n blocks of 32, at most four. */
SMALL vector negatives(const int8_t *q, uint32_t n) {
    vector sum[4] = {0};
    ROLLED
    for (uint32_t i = 0; i < 2 * n; i++)
        sum[i / 2] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_i8x16_min(load(q + 16 * i), splat(0)),
                                                            wasm_i8x16_splat(1), sum[i / 2]);
    return wasm_i32x4_neg(across(sum[0], sum[1], sum[2], sum[3]));
}
#endif

/* Four groups of column c. */
SMALL void put_groups(const struct mote_base_type_info *info, struct columns *x, int c, uint32_t g, vector d,
                      vector total) {
    store(&x->d[c][g], d);
    store(&x->d_sum[c][g], wasm_f32x4_mul(d, wasm_f32x4_convert_i32x4(total)));
    store(&x->correction[c][g], wasm_i32x4_mul(total, splat(-info->offset)));
}

/* Column c of four: the values [first, first + n) of a column of x. */
SMALL void prepare(const struct mote_base_type_info *info, const struct mote_kernel_x8 *x, uint64_t k,
                   uint64_t column, uint32_t first, uint32_t n, int wide, struct columns *to, int c) {
    const int8_t *q = x->q + column * k + first;
    const float *d = x->scale + (column * k + first) / 32;
    const int16_t *sum = x->sum + (column * k + first) / 16;
    ROLLED
    for (uint32_t i = 0; i < n; i += 128, d += 4, sum += 8) {
        uint32_t bytes = (n - i) / 8; /* that remain of d, and as many of sum */
        vector four = load_part(d, bytes), eight = load_part(sum, bytes);
        if (info->group == 32) {
            put_groups(info, to, c, i / 32, four, wasm_i32x4_extadd_pairwise_i16x8(eight));
        } else {
            put_groups(info, to, c, i / 16, wasm_i32x4_shuffle(four, four, 0, 0, 1, 1),
                       wasm_i32x4_extend_low_i16x8(eight));
            put_groups(info, to, c, i / 16 + 4, wasm_i32x4_shuffle(four, four, 2, 2, 3, 3),
                       wasm_i32x4_extend_high_i16x8(eight));
        }
        (void)wide;
#if RELAXED
        if (wide) store(&to->correction[c][i / 32], negatives(q + i, n - i < 128 ? (n - i) / 32 : 4));
#endif
    }
#if RELAXED
    to->x[c] = q;
#else
    ROLLED
    for (uint32_t i = 0; i < n; i += 8)
        store(&to->x[c][i], wasm_i16x8_load8x8(q + i));
#endif
}

static void multiply(const struct mote_base_type_info *info, const struct mote_kernel_panel *panels,
                     uint32_t n_panels, uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns,
                     float *y, uint64_t y_stride, struct mote_kernel_ahead ahead) {
    struct columns columns;
#if RELAXED
    int wide = is_wide(info->offset);
#else
    int wide = 0;
#endif
    struct piece piece;
    uint32_t tiles =
        (k + BLOCK - 1) / BLOCK * ((n_columns + COLUMNS - 1) / COLUMNS) * n_panels * (ROWS / (4 * QUADS));
    uint32_t step = FETCHES ? (uint32_t)ahead.n / tiles : 0;
    for (uint32_t first = 0; first < k; first += BLOCK) {
        for (uint32_t t = 0; t < n_columns; t += COLUMNS) {
            piece.first = piece.begun = first;
            piece.n = k - first < BLOCK ? k - first : BLOCK;
            ROLLED
            for (int c = 0; c < COLUMNS; c++) {
                uint32_t column = t + (uint32_t)c < n_columns ? t + (uint32_t)c : n_columns - 1;
                prepare(info, x, k, column, first, piece.n, wide, &columns, c);
                piece.y[c] = y + column * y_stride;
            }
            for (uint32_t row = 0; row < n_panels * ROWS; row += 4 * QUADS) {
                piece.panel = &panels[row / ROWS];
                piece.row = row % ROWS;
                if (step) {
                    touch(ahead.bytes, step);
                    ahead.bytes += step;
                }
                tile(&piece, &columns, info->group, info->has_min, wide);
                ROLLED
                for (int c = 0; c < COLUMNS; c++)
                    piece.y[c] += 4 * QUADS;
            }
        }
    }
}
