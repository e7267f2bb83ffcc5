/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_type_x86.h: the types that direct_x86.h multiplies: where in a turned span (pictures: decode_k.c,
 * decode_legacy.c) the values and scales of each group are, t[i] being bytes 4·i … 4·i + 3 of every row. Each
 * add_<type> adds the groups of a span, in order, to the sums of n columns.
 *
 * Blocks of 18 or 34 bytes do not keep to multiples of four, but pairs of them do. Of a pair, the first block
 * lies two bytes off, and begins and ends with half a vector; the other halves are the f16 of both:
 *
 *     Q4_0    t[0] d d 0 1   t[1] 2 3 4 5   …   t[4] 14 15 d d   t[5] 0 1 2 3   …   t[8] 12 13 14 15
 *
 * Shifting t[0] down and t[4] up brings zeros where the f16 was, and half a vector of zeros meets activations
 * that are another vector's: x[0 … 3] for t[0], x[12 … 15] for t[4]. */

/* X(NAME, lower, the greatest weight, offset added) */
#define DIRECT_LIST(X)                                                                                       \
    X(Q4_0, q4_0, 15)                                                                                        \
    X(Q8_0, q8_0, 255)                                                                                       \
    X(Q4_K, q4_k, 15)

#define FACTS(NAME, lower, number, elements, bytes, group, offset, has_min)                                  \
    BYTES_##NAME = (bytes)*SPAN / (elements), SMALL_##NAME = (elements) < SPAN, GROUP_##NAME = (group),      \
    OFFSET_##NAME = (offset), MIN_##NAME = (has_min),
enum { MOTE_BASE_TYPE_LIST(FACTS) };
#undef FACTS

/* Byte i of each lane. */
INLINE ints byte_of(ints v, int i) {
    return i == 3 ? down(v, 24) : both(down(v, (unsigned)(8 * i)), splat_int(255));
}

/* ---- blocks of 32 ---- */

/* Nibbles, as they are or as indices of a table; where dead is set, the weight is 0. */
INLINE ints nibble(ints v, const int8_t *table, int32_t dead) {
    v = both(v, splat_int(0x0f0f0f0f));
    if (!table) return v;
    return look_up(table, dead ? either(v, splat_int(dead)) : v);
}

INLINE void add_nibbles(struct span *s, floats *acc, const int n, const struct shape *shape,
                        const int8_t *table) {
    static const uint8_t two_off[10] = {0, 2, 6, 10, 12, 16, 18, 22, 26, 28};
    ints turned[4 * BYTES_Q4_0 / 16], *t = turned;
    turn(s->rows, s->row_bytes, 1, t);
    for (int block = 0; block < 8; block += 2, t += 9) {
        turn(s->rows + 16 + 16 * block, s->row_bytes, 2, turned + 4 + 4 * block);
        if (block >= s->first) {
            fetch(s, BYTES_Q4_0);
            ints w[10];
            UNROLL
            for (int i = 0; i < 5; i++) {
                ints v = i == 0 ? down(t[0], 16) : i == 4 ? up(t[4], 16) : t[i];
                int32_t dead = i == 0 ? (int32_t)0x80800000 : i == 4 ? 0x00008080 : 0;
                w[i] = nibble(v, table, dead);
                w[i + 5] = nibble(down(v, 4), table, dead);
            }
            add_group(s, acc, n, block, shape, w, two_off, sizeof two_off, f16_low(t[0]), splat_float(0));
        }
        if (block + 1 >= s->first) {
            fetch(s, BYTES_Q4_0);
            ints w[8];
            UNROLL
            for (int i = 0; i < 4; i++) {
                w[i] = nibble(t[i + 5], table, 0);
                w[i + 4] = nibble(down(t[i + 5], 4), table, 0);
            }
            add_group(s, acc, n, block + 1, shape, w, in_order, 8, f16_high(t[4]), splat_float(0));
        }
    }
}

INLINE void add_q4_0(struct span *s, floats *acc, const int n, const struct shape *shape) {
    add_nibbles(s, acc, n, shape, NULL);
}

INLINE void add_q8_0(struct span *s, floats *acc, const int n, const struct shape *shape) {
    static const uint8_t two_off[9] = {0, 2, 6, 10, 14, 18, 22, 26, 28};
    const ints flip = splat_int(SIGNED_128 ? 0 : (int32_t)0x80808080);
    ints turned[4 * BYTES_Q8_0 / 16], *t = turned;
    turn(s->rows, s->row_bytes, 1, t);
    for (int block = 0; block < 8; block += 2, t += 17) {
        turn(s->rows + 16 + 32 * block, s->row_bytes, 4, turned + 4 + 8 * block);
        if (block >= s->first) {
            fetch(s, BYTES_Q8_0);
            ints w[9];
            w[0] = down(differ(t[0], flip), 16);
            w[8] = up(differ(t[8], flip), 16);
            UNROLL
            for (int i = 1; i < 8; i++)
                w[i] = differ(t[i], flip);
            add_group(s, acc, n, block, shape, w, two_off, sizeof two_off, f16_low(t[0]), splat_float(0));
        }
        if (block + 1 >= s->first) {
            fetch(s, BYTES_Q8_0);
            ints w[8];
            UNROLL
            for (int i = 0; i < 8; i++)
                w[i] = differ(t[i + 9], flip);
            add_group(s, acc, n, block + 1, shape, w, in_order, 8, f16_high(t[8]), splat_float(0));
        }
    }
}

/* ---- superblocks of 256 ---- */

/* Scales and mins of Q4_K and Q5_K (decode_scale.h), of all rows at once. */
INLINE void scales_k4(const ints *t, floats scale[8], floats min[8]) {
    const ints six = splat_int(0x3f3f3f3f), four = splat_int(0x0f0f0f0f), two = splat_int(0x30303030);
    floats d = f16_low(t[0]), dmin = f16_high(t[0]);
    ints s[2] = {both(t[1], six), either(both(t[3], four), both(down(t[1], 2), two))};
    ints m[2] = {both(t[2], six), either(both(down(t[3], 4), four), both(down(t[2], 2), two))};
    UNROLL
    for (int g = 0; g < 8; g++) {
        scale[g] = mul(d, to_float(byte_of(s[g / 4], g % 4)));
        min[g] = mul(dmin, to_float(byte_of(m[g / 4], g % 4)));
    }
}

INLINE void add_q4_k(struct span *s, floats *acc, const int n, const struct shape *shape) {
    floats scale[8], min[8];
    ints w[8];
    ints t[8];
    turn(s->rows, s->row_bytes, 1, t);
    scales_k4(t, scale, min);
    for (int g = 0; g < 8; g += 2) {
        turn(s->rows + 16 + 16 * g, s->row_bytes, 2, t);
        fetch(s, BYTES_Q4_K);
        UNROLL
        for (int i = 0; i < 8; i++)
            w[i] = both(t[i], splat_int(0x0f0f0f0f));
        add_group(s, acc, n, g, shape, w, in_order, 8, scale[g], min[g]);
        fetch(s, BYTES_Q4_K);
        UNROLL
        for (int i = 0; i < 8; i++)
            w[i] = both(down(t[i], 4), splat_int(0x0f0f0f0f));
        add_group(s, acc, n, g + 1, shape, w, in_order, 8, scale[g + 1], min[g + 1]);
    }
}

/* ---- the list ---- */

/* Bytes of a span. */
INLINE int span_bytes(const int type) {
    switch (type) {
#define CASE(NAME, lower, most)                                                                              \
    case MOTE_TYPE_##NAME:                                                                                   \
        return BYTES_##NAME;
        DIRECT_LIST(CASE)
#undef CASE
    default:
        return 0;
    }
}

INLINE struct shape shape_of(const int type) {
    switch (type) {
#define CASE(NAME, lower, most)                                                                              \
    case MOTE_TYPE_##NAME:                                                                                   \
        return (struct shape){GROUP_##NAME, OFFSET_##NAME, MIN_##NAME, most};
        DIRECT_LIST(CASE)
#undef CASE
    default:
        return (struct shape){0};
    }
}

INLINE void add_span(const int type, struct span *s, floats *acc, const int n, const struct shape *shape) {
    switch (type) {
#define CASE(NAME, lower, most)                                                                              \
    case MOTE_TYPE_##NAME:                                                                                   \
        add_##lower(s, acc, n, shape);                                                                       \
        break;
        DIRECT_LIST(CASE)
#undef CASE
    default:
        break;
    }
}

/* ---- rows ---- */

/* WIDTH rows meet T ≤ n columns, the last of them more than once where T < n. ahead: what to fetch meanwhile,
 * as many bytes as the rows have. */
INLINE void strip(const int type, const int n, const uint8_t *rows, uint64_t row_bytes, uint32_t k,
                  uintptr_t ahead, const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                  uint64_t y_stride) {
    const struct shape shape = shape_of(type);
    struct span s;
    floats acc[TILE];
    s.row_bytes = row_bytes;
    UNROLL
    for (int c = 0; c < n; c++)
        acc[c] = splat_float(0);
    for (uint32_t done = 0; done < k; done += SPAN) {
        /* where less than a span is left, the last one is taken again, for what is left */
        uint32_t value = k - done < SPAN ? k - SPAN : done;
        uint64_t at = (uint64_t)value / 32 * (uint64_t)span_bytes(type) / 8;
        s.first = (int)(done - value) / 32;
        s.rows = rows + at;
        s.ahead = ahead + at * WIDTH;
        for (uint32_t c = 0; c < (unsigned)n; c++) {
            uint64_t i = (uint64_t)(c < n_columns ? c : n_columns - 1) * k + value;
            s.column[c].q = x->q + i;
            s.column[c].d = x->scale + i / 32;
            s.column[c].sum = x->sum + i / 16;
            prepare(&s.column[c], &shape);
        }
        add_span(type, &s, acc, n, &shape);
    }
    UNROLL
    for (uint32_t c = 0; c < (unsigned)n; c++)
        if (c < n_columns) store_floats(y + c * y_stride, acc[c]);
}

/* All rows of a matrix, in a copy of the code for one, two and up to four columns. */
INLINE void product(const int type, const uint8_t *rows, uint64_t row_bytes, uint32_t n_rows, uint32_t k,
                    const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    for (uint32_t r = 0; r < n_rows; r += WIDTH, rows += WIDTH * row_bytes, y += WIDTH) {
        uintptr_t ahead = (uintptr_t)rows + WIDTH * row_bytes;
        if (n_columns == 1)
            strip(type, 1, rows, row_bytes, k, ahead, x, 1, y, y_stride);
        else if (n_columns == 2)
            strip(type, 2, rows, row_bytes, k, ahead, x, 2, y, y_stride);
        else
            strip(type, TILE, rows, row_bytes, k, ahead, x, n_columns, y, y_stride);
    }
}

#define DIRECT(NAME, lower, most)                                                                            \
    static void direct_##lower(const uint8_t *rows, uint64_t row_bytes, uint32_t n_rows, uint32_t k,         \
                               const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,                 \
                               uint64_t y_stride) {                                                          \
        product(MOTE_TYPE_##NAME, rows, row_bytes, n_rows, k, x, n_columns, y, y_stride);                    \
    }
DIRECT_LIST(DIRECT)
#undef DIRECT

static void overlay_direct(struct mote_kernels *table) {
#define OVERLAY(NAME, lower, most) table->direct[MOTE_TYPE_##NAME] = direct_##lower;
    DIRECT_LIST(OVERLAY)
#undef OVERLAY
}
