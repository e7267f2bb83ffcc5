/* SPDX-License-Identifier: Apache-2.0
 *
 * together_wasm.h: four columns at once straight from the bytes of a file, four rows at a time, for WebAssembly. Weights
 * are loaded and unpacked once for all of them. Eight neighbouring weights of two rows meet the same eight activations
 * of a column, twice:
 *
 *     w          row 0  w0 … w7   │ row 1  w0 … w7
 *     x          column x0 … x7   │        x0 … x7
 *     sum        row 0: two lanes │ row 1: two lanes
 *
 * so that for each column the lanes of four rows come together by two shuffles and an addition. Activations are laid
 * side by side first, block by block, as many as stay in the first cache with the rows; sums wait in y meanwhile. What
 * comes next is fetched with each block (direct_wasm.h).
 *
 * Q8_0, whose rows are as long as its panels, goes by panel. */

enum {
    TOGETHER = MOTE_KERNEL_DIRECT,
    PREPARED = 2048, /* activations of a column side by side */
};

/* 32 activations of four columns. start: −offset/2 · Σx of each sixteen, or of all in the first: sums have two lanes.
 * d_sum: d · Σx */
struct block {
    int8_t q[TOGETHER][32];
    float d[TOGETHER], d_sum[TOGETHER];
    int32_t start[2][TOGETHER];
};

/* Where four rows are, and what is read for the cache meanwhile, `step` bytes with each block. */
struct strips {
    const uint8_t *p, *next;
    size_t row_bytes;
    uint32_t step;
};

INLINE void fetch_step(struct strips *rows) {
    ROLLED
    for (uint32_t i = 0; i < rows->step; i += 64)
        (void)*(const volatile uint8_t *)(rows->next + i);
    rows->next += rows->step;
}

/* Sixteen bytes of four rows → eight of rows 0, 1, eight of rows 2, 3, the next of 0, 1, of 2, 3. */
INLINE void load_pieces(const uint8_t *p, size_t row_bytes, vector to[4]) {
    vector row[4];
    UNROLL
    for (unsigned r = 0; r < 4; r++)
        row[r] = load(p + r * row_bytes);
    to[0] = wasm_i64x2_shuffle(row[0], row[1], 0, 2);
    to[1] = wasm_i64x2_shuffle(row[2], row[3], 0, 2);
    to[2] = wasm_i64x2_shuffle(row[0], row[1], 1, 3);
    to[3] = wasm_i64x2_shuffle(row[2], row[3], 1, 3);
}

/* The sums of four rows with a column; n times eight values. */
INLINE vector sum_pieces(vector start, const vector *w, const int8_t *q, int n) {
    vector low = start, high = start;
    UNROLL
    for (int i = 0; i < n; i++) {
        vector x = wasm_v128_load64_splat(q + 8 * i);
        low = dots(low, w[2 * i], x);
        high = dots(high, w[2 * i + 1], x);
    }
    return across_pairs(low, high);
}

/* n blocks of 32 of Q4_0 or Q4_K, added to acc. */
PART void add_groups(uint32_t type, struct strips rows, uint32_t n, const struct block *x,
                     vector acc[TOGETHER]) {
    const struct ordinary_halves halves = load_ordinary_constants();
    const struct masks *m = opaque(&mask_constants);
    const vector nibbles = load(m->nibbles);
    vector scales[8], mins[8], both[8];
    ROLLED
    for (uint32_t g = 0; g < n; g++, x++) {
        vector w[8], scale, min = nibbles;
        fetch_step(&rows);
        if (type != MOTE_TYPE_Q4_K) {
            scale = float_from_ordinary_half(load_halves(rows.p, rows.row_bytes, nibbles), &halves);
            load_pieces(rows.p + 2, rows.row_bytes, w);
            UNROLL
            for (int i = 0; i < 4; i++) {
                w[4 + i] = wasm_v128_and(wasm_u16x8_shr(w[i], 4), nibbles);
                w[i] = wasm_v128_and(w[i], nibbles);
            }
            rows.p += 18;
        } else {
            if (g % 8 == 0) {
                unpack_k4(rows.p, rows.row_bytes, scales, mins, 1);
                rows.p += 16;
            }
            if (g % 2 == 0) {
                ROLLED
                for (vector *to = both; to < both + 8; to += 4, rows.p += 16)
                    load_pieces(rows.p, rows.row_bytes, to);
            }
            scale = scales[g % 8];
            min = mins[g % 8];
            UNROLL
            for (int i = 0; i < 8; i++) {
                w[i] = wasm_v128_and(both[i], nibbles);
                both[i] = wasm_u16x8_shr(both[i], 4);
            }
        }
        UNROLL
        for (int c = 0; c < TOGETHER; c++)
            acc[c] = add_scaled(acc[c], sum_pieces(load_splat(&x->start[0][c]), w, x->q[c], 4), scale,
                                load_splat(&x->d[c]));
        if (type != MOTE_TYPE_Q4_K) continue;
        UNROLL
        for (int c = 0; c < TOGETHER; c++)
            acc[c] = wasm_f32x4_sub(acc[c], wasm_f32x4_mul(min, load_splat(&x->d_sum[c])));
    }
}

/* 256 values of four rows of Q6_K: pieces of eight of rows 0, 1 and of rows 2, 3. Groups g, g + 2, g + 4 and g + 6 share
 * the bytes of high bits. */
PART void unpack_k6(const uint8_t *p, size_t row_bytes, vector *to) {
    const struct masks *m = opaque(&mask_constants);
    const vector nibbles = load(m->nibbles), two = load(m->two_high);
    ROLLED
    for (uint32_t i = 0; i < 4; i++) {
        vector from[12], *w = to + 4 * (i + 3 * (i & 2));
        const uint8_t *here = p + 16 * (i + (i & 2));
        ROLLED
        for (vector *at = from; at < from + 12; at += 4) {
            load_pieces(here, row_bytes, at);
            here = at == from ? here + 32 : p + 128 + 16 * i;
        }
        ROLLED
        for (int j = 0; j < 4; j++, w++) {
            vector a = from[j], b = from[4 + j], h = from[8 + j];
            w[0] = wasm_v128_or(wasm_v128_and(a, nibbles), wasm_v128_and(wasm_i16x8_shl(h, 4), two));
            w[8] = wasm_v128_or(wasm_v128_and(b, nibbles), wasm_v128_and(wasm_i16x8_shl(h, 2), two));
            w[16] = wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(a, 4), nibbles), wasm_v128_and(h, two));
            w[24] = wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(b, 4), nibbles),
                                 wasm_v128_and(wasm_u16x8_shr(h, 2), two));
        }
    }
}

PART void add_groups_k6(struct strips rows, uint32_t n, const struct block *x, vector acc[TOGETHER]) {
    vector w[SPAN / 8 * 2], scale[SPAN / 16];
    ROLLED
    for (uint32_t g = 0; g < n; g++, x++) {
        if (g % 8 == 0) {
            unpack_q6(rows.p + 192, rows.row_bytes, scale, 1);
            unpack_k6(rows.p, rows.row_bytes, w);
            rows.p += 210;
        }
        fetch_step(&rows);
        ROLLED
        for (uint32_t half = 0; half < 2; half++) {
            const uint32_t group = g % 8 * 2 + half;
            vector here[4], by = scale[group];
            UNROLL
            for (int i = 0; i < 4; i++)
                here[i] = w[4 * group + (uint32_t)i];
            ROLLED
            for (uint32_t c = 0; c < TOGETHER; c += 2) {
                UNROLL
                for (uint32_t i = c; i < c + 2; i++)
                    acc[i] = add_scaled(
                        acc[i], sum_pieces(load_splat(&x->start[half][i]), here, x->q[i] + 16 * half, 2), by,
                        load_splat(&x->d[i]));
            }
        }
    }
}

/* ---- columns side by side ---- */

/* Where there are less than four, the last is taken again. */
SMALL void lay_blocks(const struct mote_base_type_info *info, const struct mote_kernel_x8 *x, uint32_t k,
                      uint32_t first, uint32_t n, uint32_t n_columns, struct block *to) {
    const int32_t half = -info->offset / 2;
    for (uint32_t i = first; i < first + n; i += 32, to++) {
        ROLLED
        for (uint32_t c = 0; c < TOGETHER; c++) {
            uint64_t at = (c < n_columns ? c : n_columns - 1) * (uint64_t)k + i;
            int32_t s0 = x->sum[at / 16], s1 = x->sum[at / 16 + 1];
            memcpy(to->q[c], x->q + at, 32);
            to->d[c] = x->scale[at / 32];
            to->d_sum[c] = to->d[c] * (float)(s0 + s1);
            to->start[0][c] = half * (info->group == 16 ? s0 : s0 + s1);
            to->start[1][c] = half * s1;
        }
    }
}

SMALL void direct_together(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                           const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    struct block blocks[PREPARED / 32];
    const struct mote_base_type_info *info = mote_base_type_describe(w->type);
    const uint32_t step = (uint32_t)info->bytes * 128 / info->elements;
    for (uint32_t first = 0, n; first < w->k; first += n) {
        n = w->k - first < PREPARED ? w->k - first : PREPARED;
        const uint8_t *p = w->data + row0 * w->row_bytes + (uint64_t)first / info->elements * info->bytes;
        lay_blocks(info, x, w->k, first, n, n_columns, blocks);
        for (uint32_t r = 0; r < n_rows; r += 4, p += 4 * w->row_bytes) {
            vector acc[TOGETHER];
            const uint8_t *next = n == w->k && r + 4 < n_rows ? p + 4 * w->row_bytes : p;
            struct strips rows = {p, next, (size_t)w->row_bytes, n == w->k ? step : 0};
            ROLLED
            for (uint32_t c = 0; c < TOGETHER; c++)
                acc[c] = first && c < n_columns ? load(y + c * y_stride + r) : splat(0);
            if (n < w->k)
                for (uint32_t i = 0; i < 4; i++)
                    touch(p + i * w->row_bytes, n / 128 * step);
            if (w->type == MOTE_TYPE_Q6_K)
                add_groups_k6(rows, n / 32, blocks, acc);
            else
                add_groups(w->type, rows, n / 32, blocks, acc);
            ROLLED
            for (uint32_t c = 0; c < n_columns; c++)
                store(y + c * y_stride + r, acc[c]);
        }
    }
}
