/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle_k_wasm.h: products with bundles of Q4_K and Q6_K, and panels of these and of Q5_K, for WebAssembly. A bundle has
 * sixteen rows here (bundle.h), and a line of it four values of each:
 *
 *     Q4_K, Q5_K    d dmin │ three lines of scales and mins │ Q5_K: fifth bits, 8 lines │ nibbles, 32 lines
 *     Q6_K          scales, 4 lines │ d, half a line │ six bits of three words, and two of the fourth, 48 lines
 *
 * One or two columns go by themselves: four values of a column meet a line, sixteen rows at a time, so that activations
 * are loaded once for four vectors, and scales are made floats for a superblock. Three or four share panels of 512 values.
 *
 * A byte of each line is read some way ahead: what comes from memory then is there in time. */
enum {
    LINE = 4 * MOTE_KERNEL_ROWS, /* bytes: a vector of four values of each four rows */
    LINES = LINE / 16,
    AHEAD_BYTES = 1024,        /* less than a superblock of a bundle has */
    PIECES = RELAXED ? 16 : 4, /* of BLOCK values whose columns are prepared at a time */
    FEW = 2,                   /* columns that are faster one after the other */
};

/* ---- scales ---- */

/* Four vectors, a group's from the next group's: d times a signed byte of packed, the lowest first. */
SMALL void unpack_bytes(vector d, vector packed, vector *to) {
    UNROLL
    for (int i = 0; i < 4; i++, to += LINES) {
        vector byte = wasm_i32x4_shr(wasm_i32x4_shl(packed, 24 - 8 * (uint32_t)i), 24);
        *to = wasm_f32x4_mul(d, wasm_f32x4_convert_i32x4(byte));
    }
}

/* Sixteen rows' scales and mins of a superblock of Q4_K or Q5_K, a group after the other. */
PART void scales_k4(const uint8_t *p, vector *scale, vector *min) {
    const struct masks *m = opaque(&mask_constants);
    const struct halves halves = load_halves_constants();
    const vector six = load(m->six), four = load(m->nibbles), two = load(m->two_high);
    ROLLED
    for (int quad = 0; quad < LINES; quad++, p += 16, scale++, min++) {
        vector a = load(p + LINE), b = load(p + 2 * LINE), c = load(p + 3 * LINE), d[2]; /* d, dmin */
        load_eight_scales(p, &halves, d);
        unpack_bytes(d[0], wasm_v128_and(a, six), scale);
        unpack_bytes(d[1], wasm_v128_and(b, six), min);
        a = wasm_v128_and(wasm_u32x4_shr(a, 2), two);
        b = wasm_v128_and(wasm_u32x4_shr(b, 2), two);
        unpack_bytes(d[0], wasm_v128_or(wasm_v128_and(c, four), a), scale + 4 * LINES);
        unpack_bytes(d[1], wasm_v128_or(wasm_v128_and(wasm_u32x4_shr(c, 4), four), b), min + 4 * LINES);
    }
}

/* The same of Q6_K; p: scales. */
PART void scales_k6(const uint8_t *p, vector *scale) {
    const struct halves halves = load_halves_constants();
    vector d[LINES];
    ROLLED
    for (int i = 0; i < LINES; i += 2)
        load_eight_scales(p + 4 * LINE + 8 * i, &halves, d + i);
    ROLLED
    for (int quad = 0; quad < LINES; quad++, scale++) {
        ROLLED
        for (int i = 0; i < 4; i++)
            unpack_bytes(d[quad], load(p + LINE * i + 16 * quad), scale + 4 * LINES * i);
    }
}

/* ---- one column ---- */

#if RELAXED
typedef int8_t activation;

INLINE struct four_x activations(const activation *x) {
    return (struct four_x){load_splat(x), splat(0)};
}
#else
typedef int16_t activation;

INLINE struct four_x activations(const activation *x) {
    return (struct four_x){wasm_v128_load64_splat(x)};
}
#endif

/* Adds a group's sums. */
INLINE void add_sums(vector acc[LINES], const struct four_sums *sums, const vector *scale, const vector *min,
                     const struct columns *x, int c, uint32_t g) {
    vector d = load_splat(&x->d[c][g]), d_sum = d;
    if (min) d_sum = load_splat(&x->d_sum[c][g]);
    UNROLL
    for (int quad = 0; quad < LINES; quad++) {
        acc[quad] = add_scaled(acc[quad], end_four(&sums[quad]), load(scale + quad), d);
        if (min) acc[quad] = wasm_f32x4_sub(acc[quad], wasm_f32x4_mul(load(min + quad), d_sum));
    }
}

/* Sixteen rows, n values of a column, added to acc. */
PART void rows_k4(const uint8_t *p, uint32_t n, uint32_t ahead, const struct columns *x, int c, float *y) {
    vector acc[LINES];
    UNROLL
    for (int i = 0; i < LINES; i++)
        acc[i] = load(y + 4 * i);
    const struct masks *m = opaque(&mask_constants);
    const vector nibbles = load(m->nibbles);
    const activation *q = x->x[c];
    vector scales[8 * LINES], mins[8 * LINES];
    uint32_t g = 0;
    for (; n; n -= 256) {
        const vector *scale = scales, *min = mins;
        scales_k4(p, scales, mins);
        p += 4 * LINE;
        ROLLED
        for (; scale < scales + 8 * LINES; scale += 2 * LINES, min += 2 * LINES, q += 32, g += 2) {
            struct four_sums low[LINES], high[LINES];
            UNROLL
            for (int quad = 0; quad < LINES; quad++)
                low[quad] = high[quad] = begin_four(splat(0));
            ROLLED
            for (const activation *end = q + 32; q < end; q += 4, p += LINE) {
                struct four_x a = activations(q), b = activations(q + 32);
                (void)*(const volatile uint8_t *)(p + ahead);
                UNROLL
                for (int quad = 0; quad < LINES; quad++) {
                    vector w = load(p + 16 * quad);
                    add_four_x(&low[quad], wasm_v128_and(w, nibbles), a, 0);
                    add_four_x(&high[quad], wasm_v128_and(wasm_u32x4_shr(w, 4), nibbles), b, 0);
                }
            }
            add_sums(acc, low, scale, min, x, c, g);
            add_sums(acc, high, scale + LINES, min + LINES, x, c, g + 1);
        }
    }
    UNROLL
    for (int i = 0; i < LINES; i++)
        store(y + 4 * i, acc[i]);
}

/* Sixteen values of four rows: three vectors hold six bits and two more of those of the fourth. */
INLINE void unpack_six(const uint8_t *p, vector six, vector w[4]) {
    vector a = load(p), b = load(p + LINE), c = load(p + 2 * LINE);
    w[0] = wasm_v128_and(a, six);
    w[1] = wasm_v128_and(b, six);
    w[2] = wasm_v128_and(c, six);
    a = wasm_v128_xor(wasm_u32x4_shr(a, 2), wasm_u32x4_shr(b, 4));
    w[3] = wasm_v128_and(wasm_v128_xor(a, wasm_u32x4_shr(c, 6)), six);
}

PART void rows_k6(const uint8_t *p, uint32_t n, uint32_t ahead, const struct columns *x, int c, float *y) {
    vector acc[LINES];
    UNROLL
    for (int i = 0; i < LINES; i++)
        acc[i] = load(y + 4 * i);
    const struct masks *m = opaque(&mask_constants);
    const vector six = load(m->six);
    const activation *q = x->x[c];
    vector scales[16 * LINES];
    uint32_t g = 0;
    for (; n; n -= 256) {
        scales_k6(p, scales);
        p += 4 * LINE + LINE / 2;
        ROLLED
        for (const vector *scale = scales; scale < scales + 16 * LINES;
             scale += LINES, p += 3 * LINE, q += 16, g++) {
            struct four_sums sums[LINES];
            vector start = load_splat(&x->correction[c][g]);
            UNROLL
            for (int line = 0; line < 3; line++)
                (void)*(const volatile uint8_t *)(p + ahead + LINE * line);
            UNROLL
            for (int quad = 0; quad < LINES; quad++) {
                vector w[4];
                sums[quad] = begin_four(start);
                unpack_six(p + 16 * quad, six, w);
                UNROLL
                for (int i = 0; i < 4; i++)
                    add_four_x(&sums[quad], w[i], activations(q + 4 * i), 0);
            }
            add_sums(acc, sums, scale, NULL, x, c, g);
        }
    }
    UNROLL
    for (int i = 0; i < LINES; i++)
        store(y + 4 * i, acc[i]);
}

/* ---- panels ---- */

/* n values of sixteen rows. five: of Q5_K, whose fifth bits lie side by side for the groups of a superblock. */
PART void fill_k45(int five, const uint8_t *p, uint32_t n, uint8_t *q, vector *scale, vector *min) {
    const struct masks *m = opaque(&mask_constants);
    const vector nibbles = load(m->nibbles);
    for (; n; n -= 256, scale += 8 * LINES, min += 8 * LINES) {
        scales_k4(p, scale, min);
        p += 4 * LINE;
        const uint8_t *high = p;
        if (five) p += 8 * LINE;
        ROLLED
        for (uint32_t group = 0; group < 8; group += 2, q += 8 * LINE) {
            const uint8_t *top = high;
            ROLLED
            for (uint8_t *half = q + 8 * LINE; q < half; q += 16, p += 16, top += 16) {
                vector w = load(p), even = wasm_v128_and(w, nibbles),
                       odd = wasm_v128_and(wasm_u32x4_shr(w, 4), nibbles);
                if (five) {
                    const vector sixteen = wasm_i8x16_splat(16);
                    vector bits = wasm_i32x4_shl(wasm_u32x4_shr(load(top), group), 3);
                    even = wasm_v128_or(even, wasm_v128_and(wasm_i32x4_shl(bits, 1), sixteen));
                    odd = wasm_v128_or(odd, wasm_v128_and(bits, sixteen));
                }
                store(q, even);
                store(q + 8 * LINE, odd);
            }
        }
    }
}

PART void fill_k6(const uint8_t *p, uint32_t n, uint8_t *q, vector *scale) {
    const struct masks *m = opaque(&mask_constants);
    const vector six = load(m->six);
    for (; n; n -= 256, scale += 16 * LINES) {
        scales_k6(p, scale);
        p += 4 * LINE + LINE / 2;
        for (uint8_t *end = q + 64 * LINE; q < end; q += 3 * LINE, p += 2 * LINE) {
            ROLLED
            for (uint8_t *next = q + LINE; q < next; q += 16, p += 16) {
                vector w[4];
                unpack_six(p, six, w);
                UNROLL
                for (int i = 0; i < 4; i++)
                    store(q + LINE * i, w[i]);
            }
        }
    }
}

/* n values of sixteen rows of a bundle, from p on. */
SMALL void fill_values(uint32_t type, const uint8_t *p, uint32_t n, const struct mote_kernel_panel *panel) {
    vector *scale = (vector *)panel->scale, *min = (vector *)panel->min;
    if (type == MOTE_TYPE_Q6_K)
        fill_k6(p, n, panel->q, scale);
    else
        fill_k45(type == MOTE_TYPE_Q5_K, p, n, panel->q, scale, min);
}

#define FILL(TYPE, lower)                                                                                    \
    static void fill_##lower(const uint8_t *rows, uint64_t row_bytes, uint32_t k,                            \
                             const struct mote_kernel_panel *panel) {                                        \
        (void)row_bytes;                                                                                     \
        fill_values(TYPE, rows, k, panel);                                                                   \
    }
FILL(MOTE_TYPE_Q4_K, q4_k)
FILL(MOTE_TYPE_Q5_K, q5_k)
FILL(MOTE_TYPE_Q6_K, q6_k)

/* ---- few columns ---- */

#if SOME_TOGETHER
/* Sixteen rows with four columns, by a panel that stays in the first cache. */
SMALL void add_panel(const struct mote_base_type_info *info, uint32_t type, const uint8_t *p,
                     struct piece *piece, const struct columns *x) {
    vector q[BLOCK * ROWS / 16], scale[GROUPS * LINES], min[GROUPS * LINES];
    const struct mote_kernel_panel panel = {.q = (uint8_t *)q, .scale = (float *)scale, .min = (float *)min};
    piece->panel = &panel;
    fill_values(type, p, piece->n, &panel);
    ROLLED
    for (piece->row = 0; piece->row < ROWS; piece->row += 4 * QUADS) {
        tile(piece, x, info->group, info->has_min, 0);
        ROLLED
        for (int c = 0; c < COLUMNS; c++)
            piece->y[c] += 4 * QUADS;
    }
}
#endif

/* At most four columns; three and four share a panel of BLOCK values at a time. What columns bring is prepared once for
 * all rows. */
SMALL void direct_k(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                    const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    struct columns columns[PIECES];
    const struct mote_base_type_info *info = mote_base_type_describe(w->type);
    const uint32_t bytes = (uint32_t)info->bytes * ROWS; /* of a superblock */
    const int by_panel = SOME_TOGETHER && n_columns > FEW;
    const uint32_t k = w->k, some = by_panel ? COLUMNS : n_columns;
    for (uint32_t first = 0, n; first < k; first += n) {
        n = k - first < PIECES * BLOCK ? k - first : PIECES * BLOCK;
        for (uint32_t i = 0; i < n; i += BLOCK) {
            ROLLED
            for (uint32_t c = 0; c < some; c++)
                prepare(info, x, k, c < n_columns ? c : n_columns - 1, first + i,
                        n - i < BLOCK ? n - i : BLOCK, 0, &columns[i / BLOCK], (int)c);
        }
        for (uint32_t row = 0; row < n_rows; row += ROWS) {
            const uint8_t *p = w->data + (row0 + row) * w->row_bytes + first / 256 * bytes;
            struct piece piece = {0};
            for (uint32_t i = 0; i < n; i += BLOCK, p += piece.n / 256 * bytes) {
                const struct columns *here = &columns[i / BLOCK];
                const uint32_t ahead = row0 + row + ROWS < w->n_bundled || i + BLOCK < n ? AHEAD_BYTES : 0;
                piece.n = n - i < BLOCK ? n - i : BLOCK;
                piece.begun = first + i;
                ROLLED
                for (uint32_t c = 0; c < some; c++) {
                    float *to = piece.y[c] = y + (c < n_columns ? c : n_columns - 1) * y_stride + row;
                    if (by_panel) continue;
                    if (!piece.begun) memset(to, 0, ROWS * sizeof *to);
                    (w->type == MOTE_TYPE_Q4_K ? rows_k4 : rows_k6)(p, piece.n, ahead, here, (int)c, to);
                }
#if SOME_TOGETHER
                if (by_panel) add_panel(info, w->type, p, &piece, here);
#endif
            }
        }
    }
}

static void overlay_bundles_k(struct mote_kernels *table) {
    table->bundles |= 1u << MOTE_TYPE_Q4_K | 1u << MOTE_TYPE_Q5_K | 1u << MOTE_TYPE_Q6_K;
    table->direct[MOTE_TYPE_Q4_K] = direct_k;
    table->direct[MOTE_TYPE_Q6_K] = direct_k;
    table->fill[MOTE_TYPE_Q4_K] = fill_q4_k;
    table->fill[MOTE_TYPE_Q5_K] = fill_q5_k;
    table->fill[MOTE_TYPE_Q6_K] = fill_q6_k;
    table->fill_from = SOME_TOGETHER ? MOTE_KERNEL_DIRECT + 1 : FEW + 1;
}
