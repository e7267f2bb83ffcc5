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
 * so that the values of the first are joined of halves. */

/* X(NAME, lower, the greatest weight, offset added). Where bit fields cost more than products, or memory sets
 * the pace, VPDPBUSD on eight rows gains nothing over AVX2: ONLY_DOTS leaves those types to it. Q6_K on eight
 * rows is in direct_q6_avx2.c. */
#define DIRECT_DOT_LIST(X)                                                                                   \
    X(Q4_0, q4_0, 15)                                                                                        \
    X(Q8_0, q8_0, 255)                                                                                       \
    X(IQ4_NL, iq4_nl, 255)                                                                                   \
    X(Q4_K, q4_k, 15)                                                                                        \
    X(IQ4_XS, iq4_xs, 255)
#define DIRECT_FIELD_LIST(X)                                                                                 \
    X(Q2_K, q2_k, 3)                                                                                         \
    X(Q3_K, q3_k, 7)                                                                                         \
    X(Q5_K, q5_k, 31)                                                                                        \
    X(TQ2_0, tq2_0, 3)
#if WIDTH == 16
#define DIRECT_LIST(X)                                                                                       \
    DIRECT_DOT_LIST(X)                                                                                       \
    DIRECT_FIELD_LIST(X)                                                                                     \
    X(Q6_K, q6_k, 63)
#elif defined(ONLY_DOTS)
#define DIRECT_LIST(X) DIRECT_DOT_LIST(X)
#else
#define DIRECT_LIST(X)                                                                                       \
    DIRECT_DOT_LIST(X)                                                                                       \
    DIRECT_FIELD_LIST(X)
#endif

#define FACTS(NAME, lower, number, elements, bytes, group, offset, has_min)                                  \
    BYTES_##NAME = (bytes)*SPAN / (elements), GROUP_##NAME = (group), OFFSET_##NAME = (offset),              \
    MIN_##NAME = (has_min),
enum { MOTE_BASE_TYPE_LIST(FACTS) };
#undef FACTS

/* Bits at…at + n − 1 of each lane. */
INLINE ints field(ints v, unsigned at, unsigned n) {
    if (at) v = down(v, at);
    return at + n == 32 ? v : both(v, splat_int((int32_t)((1u << n) - 1)));
}

/* The low n bits of each byte of v shifted down by at, then up by to. */
INLINE ints bits(ints v, int at, int n, int to) {
    if (at > to) v = down(v, (unsigned)(at - to));
    if (at < to) v = up(v, (unsigned)(to - at));
    return both(v, splat_int(0x01010101 * (((1 << n) - 1) << to)));
}

/* The levels of IQ4 for look_up(), as dots() wants them. */
INLINE ints levels(void) {
    return differ(table16(mote_kernel_nonlinear), splat_int(SIGNED_128 ? 0 : (int32_t)0x80808080));
}

/* ---- blocks of 32 ---- */

/* Eight vectors of four nibbles out of four, as they are or as indices of a table. */
INLINE void nibbles(const ints v[4], const ints *table, ints w[8]) {
    UNROLL
    for (int i = 0; i < 8; i++) {
        w[i] = bits(v[i % 4], i / 4 * 4, 4, 0);
        if (table) w[i] = look_up(*table, w[i]);
    }
}

/* The two blocks from block on; turned: the words of the span, the first sixteen bytes and all before these. */
INLINE void add_nibble_pair(struct span *s, floats *acc, const int n, int block, ints *turned,
                            const struct shape *shape, const ints *table) {
    const ints *t = turned + block / 2 * 9;
    turn(s->rows + 16 + 16 * block, s->row_bytes, 2, turned + 4 + 4 * block);
    ints first[4] = {join(t[0], t[1]), join(t[1], t[2]), join(t[2], t[3]), join(t[3], t[4])}, w[8];
    if (block >= s->first) {
        fetch(s, n, BYTES_Q4_0);
        nibbles(first, table, w);
        add_group(s, acc, n, block, shape, w, f16_low(t[0]), splat_float(0));
    }
    if (block + 1 >= s->first) {
        fetch(s, n, BYTES_Q4_0);
        nibbles(t + 5, table, w);
        add_group(s, acc, n, block + 1, shape, w, f16_high(t[4]), splat_float(0));
    }
}

/* Written out, this loop takes a third less of what lies in the cache, and a fifth less of what comes from
 * memory: so only where columns, or panels, have work for it. */
INLINE void add_nibbles(struct span *s, floats *acc, const int n, const struct shape *shape,
                        const ints *table) {
    ints turned[4 * BYTES_Q4_0 / 16];
    turn(s->rows, s->row_bytes, 1, turned);
    if (n == 1 || n == 2) {
        for (int block = 0; block < 8; block += 2)
            add_nibble_pair(s, acc, n, block, turned, shape, table);
        return;
    }
    UNROLL_WIDE
    for (int block = 0; block < 8; block += 2)
        add_nibble_pair(s, acc, n, block, turned, shape, table);
}

INLINE void add_q4_0(struct span *s, floats *acc, const int n, const struct shape *shape) {
    add_nibbles(s, acc, n, shape, NULL);
}

INLINE void add_iq4_nl(struct span *s, floats *acc, const int n, const struct shape *shape) {
    const ints table = levels();
    add_nibbles(s, acc, n, shape, &table);
}

INLINE void add_byte_pair(struct span *s, floats *acc, const int n, int block, ints *turned,
                          const struct shape *shape) {
    const ints flip = splat_int(SIGNED_128 ? 0 : (int32_t)0x80808080), *t = turned + block / 2 * 17;
    ints w[8];
    turn(s->rows + 16 + 32 * block, s->row_bytes, 4, turned + 4 + 8 * block);
    if (block >= s->first) {
        fetch(s, n, BYTES_Q8_0);
        UNROLL
        for (int i = 0; i < 8; i++)
            w[i] = differ(join(t[i], t[i + 1]), flip);
        add_group(s, acc, n, block, shape, w, f16_low(t[0]), splat_float(0));
    }
    if (block + 1 >= s->first) {
        fetch(s, n, BYTES_Q8_0);
        UNROLL
        for (int i = 0; i < 8; i++)
            w[i] = differ(t[i + 9], flip);
        add_group(s, acc, n, block + 1, shape, w, f16_high(t[8]), splat_float(0));
    }
}

INLINE void add_q8_0(struct span *s, floats *acc, const int n, const struct shape *shape) {
    ints turned[4 * BYTES_Q8_0 / 16];
    turn(s->rows, s->row_bytes, 1, turned);
    if (n > 0) {
        for (int block = 0; block < 8; block += 2)
            add_byte_pair(s, acc, n, block, turned, shape);
        return;
    }
    UNROLL_WIDE
    for (int block = 0; block < 8; block += 2)
        add_byte_pair(s, acc, n, block, turned, shape);
}

/* ---- superblocks of 256 ---- */

/* Eight vectors are a group of 32 or two of 16. */
INLINE void add_eight(const struct span *s, floats *acc, const int n, int g, const struct shape *shape,
                      const ints *w, const floats *scale, const floats *min) {
    if (shape->group == 32) {
        add_group(s, acc, n, g, shape, w, scale[g], shape->has_min ? min[g] : scale[g]);
        return;
    }
    add_group(s, acc, n, g, shape, w, scale[g], shape->has_min ? min[g] : scale[g]);
    g++;
    add_group(s, acc, n, g, shape, w + 4, scale[g], shape->has_min ? min[g] : scale[g]);
}

INLINE void add_q2_k(struct span *s, floats *acc, const int n, const struct shape *shape) {
    floats scale[16], min[16];
    ints t[8], last[4], w[8];
    turn(s->rows, s->row_bytes, 1, t);
    turn(s->rows + 68, s->row_bytes, 1, last);
    floats d = f16_low(last[3]), dmin = f16_high(last[3]);
    UNROLL
    for (unsigned g = 0; g < 16; g++) {
        scale[g] = mul(d, to_float(field(t[g / 4], g % 4 * 8, 4)));
        min[g] = mul(dmin, to_float(field(t[g / 4], g % 4 * 8 + 4, 4)));
    }
    for (int half = 0; half < 2; half++) {
        turn(s->rows + 16 + 32 * half, s->row_bytes, 2, t);
        UNROLL
        for (int l = 0; l < 4; l++) {
            fetch(s, n, BYTES_Q2_K);
            UNROLL
            for (int i = 0; i < 8; i++)
                w[i] = bits(t[i], 2 * l, 2, 0);
            add_eight(s, acc, n, 8 * half + 2 * l, shape, w, scale, min);
        }
    }
}

/* Scales of Q3_K (decode_scale.h), of all rows at once; t: the last sixteen bytes of the superblock. */
INLINE void scales_k3(const ints t[4], floats scale[16]) {
    const ints four = splat_int(0x0f0f0f0f), two = splat_int(0x30303030);
    ints word[3], s[4];
    UNROLL
    for (int i = 0; i < 3; i++)
        word[i] = either(down(t[i], 16), up(t[i + 1], 16));
    s[0] = either(both(word[0], four), both(up(word[2], 4), two));
    s[1] = either(both(word[1], four), both(up(word[2], 2), two));
    s[2] = either(both(down(word[0], 4), four), both(word[2], two));
    s[3] = either(both(down(word[1], 4), four), both(down(word[2], 2), two));
    floats d = f16_high(t[3]);
    UNROLL
    for (unsigned g = 0; g < 16; g++)
        scale[g] = mul(d, to_float(less(field(s[g / 4], g % 4 * 8, 8), splat_int(32))));
}

INLINE void add_q3_k(struct span *s, floats *acc, const int n, const struct shape *shape) {
    floats scale[16];
    ints t[8], high[8], w[8];
    turn(s->rows + 94, s->row_bytes, 1, t);
    scales_k3(t, scale);
    turn(s->rows, s->row_bytes, 2, high);
    for (int half = 0; half < 2; half++) {
        turn(s->rows + 32 + 32 * half, s->row_bytes, 2, t);
        UNROLL
        for (int l = 0; l < 4; l++) {
            fetch(s, n, BYTES_Q3_K);
            UNROLL
            for (int i = 0; i < 8; i++)
                w[i] = either(bits(t[i], 2 * l, 2, 0), bits(high[i], l, 1, 2));
            add_eight(s, acc, n, 8 * half + 2 * l, shape, w, scale, scale);
        }
        UNROLL
        for (int i = 0; i < 8; i++)
            high[i] = down(high[i], 4);
    }
}

/* Scales and mins of Q4_K and Q5_K (decode_scale.h), of all rows at once. */
INLINE void scales_k4(const ints t[4], floats scale[8], floats min[8]) {
    const ints six = splat_int(0x3f3f3f3f), four = splat_int(0x0f0f0f0f), two = splat_int(0x30303030);
    floats d = f16_low(t[0]), dmin = f16_high(t[0]);
    ints s[2] = {both(t[1], six), either(both(t[3], four), both(down(t[1], 2), two))};
    ints m[2] = {both(t[2], six), either(both(down(t[3], 4), four), both(down(t[2], 2), two))};
    UNROLL
    for (unsigned g = 0; g < 8; g++) {
        scale[g] = mul(d, to_float(field(s[g / 4], g % 4 * 8, 8)));
        min[g] = mul(dmin, to_float(field(m[g / 4], g % 4 * 8, 8)));
    }
}

INLINE void add_q4_k(struct span *s, floats *acc, const int n, const struct shape *shape) {
    floats scale[8], min[8];
    ints t[8], w[8];
    turn(s->rows, s->row_bytes, 1, t);
    scales_k4(t, scale, min);
    for (int g = 0; g < 8; g += 2) {
        turn(s->rows + 16 + 16 * g, s->row_bytes, 2, t);
        UNROLL
        for (int high = 0; high < 2; high++) {
            fetch(s, n, BYTES_Q4_K);
            UNROLL
            for (int i = 0; i < 8; i++)
                w[i] = bits(t[i], 4 * high, 4, 0);
            add_eight(s, acc, n, g + high, shape, w, scale, min);
        }
    }
}

INLINE void add_q5_k(struct span *s, floats *acc, const int n, const struct shape *shape) {
    floats scale[8], min[8];
    ints t[8], fifth[8], w[8];
    turn(s->rows, s->row_bytes, 1, t);
    scales_k4(t, scale, min);
    turn(s->rows + 16, s->row_bytes, 2, fifth);
    for (int g = 0; g < 8; g += 2) {
        turn(s->rows + 48 + 16 * g, s->row_bytes, 2, t);
        UNROLL
        for (int high = 0; high < 2; high++) {
            fetch(s, n, BYTES_Q5_K);
            UNROLL
            for (int i = 0; i < 8; i++)
                w[i] = either(bits(t[i], 4 * high, 4, 0), bits(fifth[i], high, 1, 4));
            add_eight(s, acc, n, g + high, shape, w, scale, min);
        }
        UNROLL
        for (int i = 0; i < 8; i++)
            fifth[i] = down(fifth[i], 2);
    }
}

INLINE void add_q6_k(struct span *s, floats *acc, const int n, const struct shape *shape) {
    floats scale[16];
    ints t[16], high[8], w[8];
    turn(s->rows + 192, s->row_bytes, 1, t);
    turn(s->rows + 194, s->row_bytes, 1, high);
    floats d = f16_high(high[3]);
    UNROLL
    for (unsigned g = 0; g < 16; g++)
        scale[g] = mul(d, to_float(down_signed(up(t[g / 4], 24 - g % 4 * 8), 24)));
    for (int half = 0; half < 2; half++) {
        turn(s->rows + 64 * half, s->row_bytes, 4, t);
        turn(s->rows + 128 + 32 * half, s->row_bytes, 2, high);
        UNROLL
        for (int l = 0; l < 4; l++) {
            fetch(s, n, BYTES_Q6_K);
            UNROLL
            for (int i = 0; i < 8; i++)
                w[i] = either(bits(t[l % 2 * 8 + i], l / 2 * 4, 4, 0), bits(high[i], 2 * l, 2, 4));
            add_eight(s, acc, n, 8 * half + 2 * l, shape, w, scale, scale);
        }
    }
}

INLINE void add_iq4_xs(struct span *s, floats *acc, const int n, const struct shape *shape) {
    const ints table = levels();
    floats scale[8];
    ints t[8], w[8];
    turn(s->rows, s->row_bytes, 1, t);
    floats d = f16_low(t[0]);
    UNROLL
    for (unsigned g = 0; g < 8; g++) {
        ints bits6 = either(field(t[1], 4 * g, 4), up(field(t[0], 16 + 2 * g, 2), 4));
        scale[g] = mul(d, to_float(less(bits6, splat_int(32))));
    }
    for (int g = 0; g < 8; g += 2) {
        turn(s->rows + 8 + 16 * g, s->row_bytes, 2, t);
        UNROLL
        for (int second = 0; second < 2; second++) {
            fetch(s, n, BYTES_IQ4_XS);
            nibbles(t + 4 * second, &table, w);
            add_eight(s, acc, n, g + second, shape, w, scale, scale);
        }
    }
}

INLINE void add_tq2_0(struct span *s, floats *acc, const int n, const struct shape *shape) {
    ints t[8], w[8];
    turn(s->rows + 50, s->row_bytes, 1, t);
    floats d = f16_high(t[3]);
    for (int half = 0; half < 2; half++) {
        turn(s->rows + 32 * half, s->row_bytes, 2, t);
        UNROLL
        for (int l = 0; l < 4; l++) {
            fetch(s, n, BYTES_TQ2_0);
            UNROLL
            for (int i = 0; i < 8; i++)
                w[i] = bits(t[i], 2 * l, 2, 0);
            add_group(s, acc, n, 4 * half + l, shape, w, d, d);
        }
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

/* How far ahead of a span the lines are that are asked for: past its rows, and of short rows so far that there
 * is time for them to come. */
INLINE uint64_t distance(uint64_t row_bytes) {
    enum { FURTHER = 8192, LEAST = 14336 };
    return WIDTH * row_bytes + FURTHER > LEAST ? WIDTH * row_bytes + FURTHER : LEAST;
}

/* WIDTH rows meet n columns from t on; meanwhile as many rows that follow are asked for. */
INLINE void strip(const int type, const int n, const uint8_t *rows, uint64_t row_bytes, uint32_t k,
                  const struct mote_kernel_x8 *x, uint64_t t, float *y, uint64_t y_stride) {
    const struct shape shape = shape_of(type);
    struct span s;
    floats acc[WIDE_TILE];
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
        s.ahead = (uintptr_t)rows + distance(row_bytes) + WIDTH * at;
        for (uint32_t c = 0; c < (unsigned)n; c++) {
            uint64_t i = (t + c) * k + value;
            s.column[c].q = x->q + i;
            s.column[c].d = x->scale + i / 32;
            s.column[c].sum = x->sum + i / 16;
            prepare(&s.column[c], &shape);
        }
        add_span(type, &s, acc, n, &shape);
    }
    UNROLL
    for (uint32_t c = 0; c < (unsigned)n; c++)
        store_floats(y + (t + c) * y_stride, acc[c]);
}

/* All rows of a matrix, in a copy of the code for one, two and, where registers suffice, four columns; eight of
 * types of so many bytes that memory gives time for them. */
INLINE void product(const int type, const uint8_t *rows, uint64_t row_bytes, uint32_t n_rows, uint32_t k,
                    const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    for (uint32_t r = 0; r < n_rows; r += WIDTH, rows += WIDTH * row_bytes, y += WIDTH) {
        uint32_t t = 0;
        if (WIDTH == 16 && span_bytes(type) > SPAN && n_columns == WIDE_TILE) {
            strip(type, WIDE_TILE, rows, row_bytes, k, x, 0, y, y_stride);
            continue;
        }
        if (WIDTH == 16 && n_columns >= TILE) {
            strip(type, TILE, rows, row_bytes, k, x, 0, y, y_stride);
            t = TILE;
        }
        for (; n_columns - t >= 2; t += 2)
            strip(type, 2, rows, row_bytes, k, x, t, y, y_stride);
        if (t < n_columns) strip(type, 1, rows, row_bytes, k, x, t, y, y_stride);
    }
}

/* Sixteen rows go into a panel. */
INLINE void fill(const int type, const uint8_t *rows, uint64_t row_bytes, uint32_t k,
                 const struct mote_kernel_panel *panel) {
    const struct shape shape = shape_of(type);
    struct span s;
    s.row_bytes = row_bytes;
    for (uint32_t row = 0; row < MOTE_KERNEL_ROWS; row += WIDTH, rows += WIDTH * row_bytes) {
        s.to = (struct mote_kernel_panel){
            .q = panel->q + 4 * row, .scale = panel->scale + row, .min = panel->min + row};
        for (uint32_t done = 0; done < k; done += SPAN) {
            s.done = k - done < SPAN ? k - SPAN : done;
            s.first = (int)(done - s.done) / 32;
            s.rows = rows + (uint64_t)s.done / 32 * (uint64_t)span_bytes(type) / 8;
            add_span(type, &s, NULL, 0, &shape);
        }
    }
}

#define DIRECT(NAME, lower, most)                                                                            \
    static void direct_##lower(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,           \
                               const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,                 \
                               uint64_t y_stride) {                                                          \
        product(MOTE_TYPE_##NAME, w->data + row0 * w->row_bytes, w->row_bytes, n_rows, w->k, x, n_columns,   \
                y, y_stride);                                                                                \
    }                                                                                                        \
    static void fill_##lower(const uint8_t *rows, uint64_t row_bytes, uint32_t k,                            \
                             const struct mote_kernel_panel *panel) {                                        \
        fill(MOTE_TYPE_##NAME, rows, row_bytes, k, panel);                                                   \
    }
DIRECT_LIST(DIRECT)
#undef DIRECT

static void overlay_direct(struct mote_kernels *table) {
    /* eight lanes meet two columns at a time, and turn the rows twice for four */
    table->fill_from = WIDTH == 16 ? TILE + 1 : TILE;
#define OVERLAY(NAME, lower, most)                                                                           \
    table->direct[MOTE_TYPE_##NAME] = direct_##lower;                                                        \
    table->fill[MOTE_TYPE_##NAME] = fill_##lower;
    DIRECT_LIST(OVERLAY)
#undef OVERLAY
}
