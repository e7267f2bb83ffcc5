/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle_wasm.h: products with bundles of eight rows (bundle.h) for WebAssembly: direct, with one column or four, and
 * fill, which makes panels for more.
 *
 *     Q8_0    scale f16 [8]    u8 or s8 [8 pieces][8 rows][4]         block after block of 32 values
 *     Q4_0    scale f16 [8]    nibbles  [4 pieces][8 rows][4]         the lower ones are the first 16 values
 *
 * Four weights of four rows meet the same four activations of a column, so that a lane has the sum of a row and no lanes
 * are added up. All columns meet what was loaded, and memory is read from one end to the other at the pace of the
 * products, which a machine follows by itself: to read what comes next beforehand made it slower, as did scales that
 * were made floats for a row at once.
 *
 * The dots of RELAXED are of signed bytes with seven bits. Engines take eight bits as they are, too, unsigned (x86 with
 * the instruction) or signed (ARM), and Q8_0 is bundled as its engine likes it (mote_kernels.bundle_flip); but for those
 * that saturate, where the signs of activations go to the weights (multiply_wasm.h).
 *
 * PLAIN. Words instead of bytes; two lanes have the sum of a row. */

enum {
    BUNDLE = 8,                     /* rows */
    BESIDE = SOME_TOGETHER ? 4 : 1, /* columns */
    BESIDE_MOST = 32,               /* up to which these are faster than panels */
    PREPARED_MOST = 8192,           /* activations of a column side by side */
};

/* 32 activations of some columns. start: what their sums begin with, −offset · Σx */
struct beside {
    int8_t q[BESIDE][32];
    float d[BESIDE];
    int32_t start[BESIDE];
};

#if RELAXED

enum engine { UNSIGNED, SIGNED, SATURATING };

/* What the engine does with eight bits: dots with 255 show it. */
static enum engine engine_of(void) {
    const vector most = wasm_i8x16_splat(127), all = hidden(splat(-1));
    int32_t dot = wasm_i32x4_extract_lane(wasm_i32x4_relaxed_dot_i8x16_i7x16_add(most, all, splat(0)), 0);
    return dot == 4 * 127 * 255 ? UNSIGNED : dot == -4 * 127 ? SIGNED : SATURATING;
}

/* Sums of four rows. */
struct four_sums {
    vector all;
};

/* Four activations, magnitudes where signs go to weights of q + 128; sign: what makes weights of those. */
struct four_x {
    vector x, sign;
};

INLINE struct four_x load_four(const int8_t *q, int moved, vector *less) {
    vector x = load_splat(q);
    if (!moved) return (struct four_x){x, x};
    vector magnitude = hidden(wasm_i8x16_abs(x)), negative = wasm_i8x16_ne(x, magnitude);
    *less = dots(*less, magnitude, negative);
    return (struct four_x){magnitude, wasm_v128_xor(negative, wasm_i8x16_splat(-128))};
}

INLINE struct four_sums begin_four(vector start) {
    return (struct four_sums){start};
}

INLINE void add_four_x(struct four_sums *sums, vector w, struct four_x x, int moved) {
    sums->all = moved ? dots(sums->all, x.x, wasm_v128_xor(w, x.sign)) : dots(sums->all, w, x.x);
}

INLINE vector end_four(const struct four_sums *sums) {
    return sums->all;
}

#else

struct four_sums {
    vector start, low, high;
};

struct four_x {
    vector x;
};

INLINE struct four_x load_four(const int8_t *q, int moved, vector *less) {
    (void)moved, (void)less;
    return (struct four_x){wasm_i16x8_extend_low_i8x16(load_splat(q))};
}

INLINE struct four_sums begin_four(vector start) {
    return (struct four_sums){start, splat(0), splat(0)};
}

INLINE void add_four_x(struct four_sums *sums, vector w, struct four_x x, int moved) {
    (void)moved;
    sums->low = wasm_i32x4_add(sums->low, wasm_i32x4_dot_i16x8(wasm_u16x8_extend_low_u8x16(w), x.x));
    sums->high = wasm_i32x4_add(sums->high, wasm_i32x4_dot_i16x8(wasm_u16x8_extend_high_u8x16(w), x.x));
}

INLINE vector end_four(const struct four_sums *sums) {
    return wasm_i32x4_add(sums->start, across_pairs(sums->low, sums->high));
}

#endif

/* The eight scales of a block: rows 0 … 3 are the lower halves of the words at p, rows 4 … 7 the upper ones. */
INLINE void load_eight_scales(const uint8_t *p, const struct halves *halves, vector scale[2]) {
    vector both = load(p);
    scale[0] = float_from_half(wasm_i32x4_shl(both, 16), halves);
    scale[1] = float_from_half(wasm_v128_and(both, splat((int32_t)0xffff0000)), halves);
}

/* Eight rows, n values of them, added to y[c] [8] of each of C columns, 1 or 4. moved: signs go to weights. A step is 64
 * bytes: eight values of eight bits, or four and four of four bits, which lie 16 apart. */
INLINE void add_rows(uint32_t bits, int moved, int C, const uint8_t *w, uint32_t n, const struct beside *x,
                     float *const *y) {
    const struct halves halves = load_halves_constants();
    const vector nibbles = load(((const struct masks *)opaque(&mask_constants))->nibbles);
    const int n_sums = C == 1 ? 2 : 1; /* of a row: not one that waits for the one before */
    vector acc[BESIDE][2], scale[2];
    UNROLL
    for (int i = 0; i < 2 * C; i++)
        acc[i / 2][i % 2] = load(y[i / 2] + i % 2 * 4);
    ROLLED
    for (; n; n -= 32, x++) {
        struct four_sums sums[2][BESIDE][2];
        vector less[BESIDE] = {0};
        UNROLL
        for (int i = 0; i < 2 * C; i++) {
            sums[0][i / 2][i % 2] = begin_four(load_splat(&x->start[i / 2]));
            sums[1][i / 2][i % 2] = begin_four(splat(0));
        }
        load_eight_scales(w, &halves, scale);
        const int8_t *q = x->q[0];
        const uint8_t *end = w + 16 + 32 * bits;
        ROLLED
        for (w += 16; w < end; w += bits * 8, q += bits) {
            UNROLL
            for (int half = 0; half < 2; half++) {
                vector v[2] = {load(w), load(w + 16)};
                if (bits == 8 && half) v[0] = load(w + 32), v[1] = load(w + 48);
                UNROLL
                for (int r = 0; r < 2 && bits == 4; r++)
                    v[r] = wasm_v128_and(half ? wasm_u16x8_shr(v[r], 4) : v[r], nibbles);
                UNROLL
                for (int c = 0; c < C; c++) {
                    struct four_x four = load_four(q + 32 * c + half * (bits == 8 ? 4 : 16), moved, &less[c]);
                    UNROLL
                    for (int r = 0; r < 2; r++)
                        add_four_x(&sums[half % n_sums][c][r], v[r], four, moved);
                }
            }
        }
        UNROLL
        for (int i = 0; i < 2 * C; i++) {
            const int c = i / 2, r = i % 2;
            vector sum = end_four(&sums[0][c][r]);
            if (n_sums == 2) sum = wasm_i32x4_add(sum, end_four(&sums[1][c][r]));
            if (moved) sum = wasm_i32x4_sub(sum, less[c]);
            acc[c][r] = add_scaled(acc[c][r], sum, scale[r], load_splat(&x->d[c]));
        }
    }
    UNROLL
    for (int i = 0; i < 2 * C; i++)
        store(y[i / 2] + i % 2 * 4, acc[i / 2][i % 2]);
}

typedef void rows_times(const uint8_t *w, uint32_t n, const struct beside *x, float *const *y);

#define ADD_ROWS(name, bits, moved, C)                                                                       \
    PART void name(const uint8_t *w, uint32_t n, const struct beside *x, float *const *y) {                  \
        add_rows(bits, moved, C, w, n, x, y);                                                                \
    }
ADD_ROWS(add_rows_q8, 8, 0, 1)
ADD_ROWS(add_rows_q4, 4, 0, 1)
#if SOME_TOGETHER
ADD_ROWS(add_rows_moved, 8, 1, 1)
ADD_ROWS(add_rows_q8_beside, 8, 0, BESIDE)
ADD_ROWS(add_rows_q4_beside, 4, 0, BESIDE)
#endif

/* n values from `first` on of some columns; where there are less than `some`, the last again. */
SMALL void lay_beside(const struct mote_kernel_x8 *x, uint32_t k, uint32_t first, uint32_t n,
                      uint32_t n_columns, uint32_t some, int32_t offset, struct beside *to) {
    for (uint32_t i = first; i < first + n; i += 32, to++) {
        ROLLED
        for (uint32_t c = 0; c < some; c++) {
            uint64_t at = (c < n_columns ? c : n_columns - 1) * (uint64_t)k + i;
            memcpy(to->q[c], x->q + at, 32);
            to->d[c] = x->scale[at / 32];
            to->start[c] = -offset * (x->sum[at / 16] + x->sum[at / 16 + 1]);
        }
    }
}

/* Some columns at a time: up to four, or one. */
SMALL void direct_some(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                       const struct mote_kernel_x8 *x, uint32_t n_columns, uint32_t some, int32_t offset,
                       rows_times *times, float *y, uint64_t y_stride) {
    struct beside beside[PREPARED_MOST / 32];
    const uint32_t block = BUNDLE * mote_base_type_describe(w->type)->bytes;
    for (uint32_t first = 0, n; first < w->k; first += n) {
        n = w->k - first < PREPARED_MOST ? w->k - first : PREPARED_MOST;
        lay_beside(x, w->k, first, n, n_columns, some, offset, beside);
        for (uint32_t r = 0; r < n_rows; r += BUNDLE) {
            float *to[BESIDE];
            ROLLED
            for (uint32_t c = 0; c < some; c++) {
                to[c] = y + (c < n_columns ? c : n_columns - 1) * y_stride + r;
                if (!first) memset(to[c], 0, BUNDLE * sizeof *y);
            }
            times(w->data + (row0 + r) * w->row_bytes + first / 32 * block, n, beside, to);
        }
    }
}

SMALL void direct_bundles(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                          const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    const int is_q8 = w->type == MOTE_TYPE_Q8_0;
    int32_t offset = is_q8 ? 128 : 8;
    rows_times *times = is_q8 ? add_rows_q8 : add_rows_q4;
    uint32_t some = 1;
#if RELAXED
    const enum engine engine = is_q8 ? engine_of() : UNSIGNED;
    if (engine != UNSIGNED) offset = 0;
#endif
#if SOME_TOGETHER
    if (engine == SATURATING) {
        times = add_rows_moved;
    } else if (n_columns > 1) {
        times = is_q8 ? add_rows_q8_beside : add_rows_q4_beside;
        some = BESIDE;
    }
#endif
    for (uint32_t c = 0; c < n_columns; c += some) {
        struct mote_kernel_x8 rest = *x;
        rest.q += (uint64_t)c * w->k;
        rest.scale += (uint64_t)c * (w->k / 32);
        rest.sum += (uint64_t)c * (w->k / 16);
        direct_some(w, row0, n_rows, &rest, n_columns - c, some, offset, times, y + c * y_stride, y_stride);
    }
}

/* ---- fill ---- */

/* Sixteen rows. flip: of bytes of eight bits, so that they become q + 128. */
SMALL void fill_bundles(uint32_t bits, vector flip, const uint8_t *rows, uint64_t row_bytes,
                        const struct mote_kernel_panel *panel) {
    const struct halves halves = load_halves_constants();
    for (uint32_t row = 0; row < MOTE_KERNEL_ROWS; row += BUNDLE) {
        float *scale = panel->scale + row;
        uint8_t *to = panel->q + 4 * row;
        const uint8_t *p = rows + row * row_bytes;
        for (const uint8_t *last = p + BUNDLE * row_bytes; p < last; scale += MOTE_KERNEL_ROWS) {
            load_eight_scales(p, &halves, (vector *)scale);
            p += 16;
            ROLLED
            for (const uint8_t *end = p + 32 * bits; p < end; to += 64) {
                UNROLL
                for (int r = 0; r < 2; r++, p += 16) {
                    vector v = load(p);
                    if (bits == 4) {
                        store(to + 256 + 16 * r, wasm_v128_and(wasm_u16x8_shr(v, 4), flip));
                        v = wasm_v128_and(v, flip);
                    } else {
                        v = wasm_v128_xor(v, flip);
                    }
                    store(to + 16 * r, v);
                }
            }
            if (bits == 4) to += 256;
        }
    }
}

static void fill_bundle_q8(const uint8_t *rows, uint64_t row_bytes, uint32_t k,
                           const struct mote_kernel_panel *panel) {
    (void)k;
    vector flip = splat(0);
#if RELAXED
    if (engine_of() == SIGNED) flip = wasm_i8x16_splat(-128);
#endif
    fill_bundles(8, flip, rows, row_bytes, panel);
}

static void fill_bundle_q4(const uint8_t *rows, uint64_t row_bytes, uint32_t k,
                           const struct mote_kernel_panel *panel) {
    (void)k;
    fill_bundles(4, wasm_i8x16_splat(15), rows, row_bytes, panel);
}
