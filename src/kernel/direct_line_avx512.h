/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_line_avx512.h: the product with one column, a row at a time. Where direct_x86.h takes a little from
 * each of sixteen rows in turn, this reads memory in line, and a machine foresees what it will want. Sixteen
 * groups of a row are multiplied at once, one per lane, and what each of them adds to its row is put by:
 *
 *     vectors of dots, a few lanes to a group   ── turned, added ──►   idot of groups 0 … 15
 *     idot · (scale · d)                        ───────────────────►   added [row][group]
 *
 * When sixteen rows are through, what was put by is turned, and added to their sums in the order of the groups.
 * For weights of six bits and more all this takes fewer instructions than to turn the weights.
 *
 * Memory must not wait meanwhile. So a batch asks for whole lines only, fewer than it reads, and the rest is
 * asked for where sixteen rows are added up. A machine may leave out what it is asked for when it is busy: each
 * batch asks again for the first lines of the next. */

/* BATCH: groups that go together. PUT_BY: most groups of a row that room is kept for. DISTANCE: bytes ahead
 * of the reading that the cache is asked for, at the least. TWICE: lines that are asked for again. */
enum { BATCH = 16, PUT_BY = 1024, DISTANCE = 8192, CACHE_LINE = 64, TWICE = 2 };

/* Bytes of a batch; lines that adding up sixteen of them asks for. */
INLINE uint32_t batch_bytes(const int type) {
    return (uint32_t)(BATCH * shape_of(type).group / 32 * span_bytes(type) / 8);
}
INLINE uint32_t rest_lines(const int type) {
    return (MOTE_KERNEL_ROWS * (batch_bytes(type) % CACHE_LINE) + CACHE_LINE - 1) / CACHE_LINE;
}

INLINE void ask(uintptr_t ahead, const uint32_t lines) {
    UNROLL
    for (uint32_t i = 0; i < lines; i++)
        __builtin_prefetch((const void *)(ahead + CACHE_LINE * i));
}

/* Four vectors → the sums of each four lanes: in the first four lanes of the result those of the first lanes
 * of each vector, and so on. */
INLINE ints sum_fours(const ints v[4]) {
    ints ab = add_ints(pairs_low(v[0], v[1]), pairs_high(v[0], v[1]));
    ints cd = add_ints(pairs_low(v[2], v[3]), pairs_high(v[2], v[3]));
    return add_ints(fours_low(ab, cd), fours_high(ab, cd));
}

/* Eight vectors of the sums of two groups each → the sums of sixteen groups, in order. */
INLINE ints sum_eights(const ints v[8]) {
    const ints order = _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
    ints a = sum_fours(v), b = sum_fours(v + 4);
    ints low = _mm512_shuffle_i32x4(a, b, 0x88), high = _mm512_shuffle_i32x4(a, b, 0xdd);
    return _mm512_permutexvar_epi32(order, add_ints(low, high));
}

/* What n ≤ BATCH blocks of Q8_0 add to the sum of their row; 0 in the other lanes. The f16 of each block
 * comes by a load of 32 bytes of which only its lane counts; none of them leaves the blocks. */
INLINE floats line_q8_0(const uint8_t *p, uint32_t n, const struct mote_kernel_x8 *x) {
    const ints flip = splat_int((int32_t)0x80808080);
    ints sum[BATCH / 2];
    __m256i halves[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    UNROLL
    for (unsigned i = 0; i < BATCH; i += 2) {
        const uint8_t *a = p + 34 * i, *b = a + 34;
        ints w = splat_int(0), value = w;
        if (i + 1 < n) {
            w = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)(a + 2)));
            w = _mm512_inserti64x4(w, _mm256_loadu_si256((const void *)(b + 2)), 1);
            value = _mm512_loadu_si512(x->q + 32 * i);
            halves[i / 8] = _mm256_mask_loadu_epi16(halves[i / 8], (__mmask16)(2u << i), b - 2 * (i + 1));
        } else if (i < n) {
            w = _mm512_zextsi256_si512(_mm256_loadu_si256((const void *)(a + 2)));
            value = _mm512_zextsi256_si512(_mm256_loadu_si256((const void *)(x->q + 32 * i)));
        }
        if (i < n) halves[i / 8] = _mm256_mask_loadu_epi16(halves[i / 8], (__mmask16)(1u << i), a - 2 * i);
        sum[i / 2] = add_dot(splat_int(0), differ(w, flip), value);
    }
    floats scale = _mm512_cvtph_ps(_mm256_or_si256(halves[0], halves[1]));
    ints offset = up(group_sums(x->sum, n, 32), 7);
    return mul(to_float(less(sum_eights(sum), offset)), mul(scale, group_scales(x->scale, n, 32)));
}

/* What a superblock of Q6_K, sixteen groups of sixteen, adds to the sum of its row. */
INLINE floats line_q6_k(const uint8_t *p, const struct mote_kernel_x8 *x) {
    const ints four = splat_int(0x0f0f0f0f), two = splat_int(0x30303030);
    /* words of high bits go up and down by so much, in the first and the second 32 bytes */
    const ints rise = _mm512_inserti64x4(_mm512_set1_epi16(4), _mm256_set1_epi16(2), 1);
    const ints fall = _mm512_inserti64x4(splat_int(0), _mm256_set1_epi16(2), 1);
    ints sum[4];
    UNROLL
    for (int half = 0; half < 2; half++) {
        ints low = _mm512_loadu_si512(p + 64 * half);
        ints high = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)(p + 128 + 32 * half)));
        ints w = either(both(low, four), both(_mm512_sllv_epi16(high, rise), two));
        sum[2 * half] = add_dot(splat_int(0), w, _mm512_loadu_si512(x->q + 128 * half));
        w = either(both(down(low, 4), four), both(_mm512_srlv_epi16(high, fall), two));
        sum[2 * half + 1] = add_dot(splat_int(0), w, _mm512_loadu_si512(x->q + 128 * half + 64));
    }
    const ints order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    ints idot = _mm512_permutexvar_epi32(order, sum_fours(sum));
    ints scale = _mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(p + 192)));
    floats d = splat_float(_mm_cvtss_f32(_mm_cvtph_ps(_mm_loadu_si16(p + 208))));
    idot = less(idot, up(group_sums(x->sum, BATCH, 16), 5));
    return mul(to_float(idot), mul(mul(d, to_float(scale)), group_scales(x->scale, BATCH, 16)));
}

/* Sixteen vectors of floats, transposed. */
INLINE void turn16(ints v[16]) {
    ints t[16];
    UNROLL
    for (int i = 0; i < 16; i += 4)
        turn4(v + i, t + i);
    UNROLL
    for (int i = 0; i < 4; i++) {
        ints a = _mm512_shuffle_i32x4(t[i], t[4 + i], 0x88),
             b = _mm512_shuffle_i32x4(t[8 + i], t[12 + i], 0x88);
        ints c = _mm512_shuffle_i32x4(t[i], t[4 + i], 0xdd),
             d = _mm512_shuffle_i32x4(t[8 + i], t[12 + i], 0xdd);
        v[i] = _mm512_shuffle_i32x4(a, b, 0x88);
        v[4 + i] = _mm512_shuffle_i32x4(c, d, 0x88);
        v[8 + i] = _mm512_shuffle_i32x4(a, b, 0xdd);
        v[12 + i] = _mm512_shuffle_i32x4(c, d, 0xdd);
    }
}

/* Sums of what the n groups of sixteen rows add, in their order. A sum is never −0, so adding 0 changes
 * nothing. */
INLINE floats add_up(const int type, const float *added, uint32_t stride, uint32_t n, uintptr_t ahead) {
    floats acc = splat_float(0);
    for (uint32_t g = 0; g < n; g += BATCH, ahead += CACHE_LINE * rest_lines(type)) {
        ints v[16];
        ask(ahead, rest_lines(type));
        UNROLL
        for (uint32_t r = 0; r < 16; r++)
            v[r] = _mm512_load_si512(added + r * stride + g);
        turn16(v);
        UNROLL
        for (int i = 0; i < BATCH; i++)
            acc = plus(acc, _mm512_castsi512_ps(v[i]));
    }
    return acc;
}

/* n groups of a row; x: the column. Returns what to ask for next. */
INLINE uintptr_t line(const int type, const uint8_t *p, uint32_t n, struct mote_kernel_x8 x, float *added,
                      uintptr_t ahead) {
    const uint32_t values = BATCH * (unsigned)shape_of(type).group, lines = batch_bytes(type) / CACHE_LINE;
    for (uint32_t g = 0;; g += BATCH) {
        ask(ahead, lines + TWICE);
        ahead += CACHE_LINE * lines;
        floats v = type == MOTE_TYPE_Q6_K ? line_q6_k(p, &x)
                   : n - g < BATCH        ? line_q8_0(p, n - g, &x)
                                          : line_q8_0(p, BATCH, &x);
        _mm512_store_ps(added + g, v);
        if (n - g <= BATCH) return ahead;
        p += batch_bytes(type), x.q += values, x.scale += values / 32, x.sum += values / 16;
    }
}

/* Rows of at most PUT_BY groups. What is put by of one row does not lie at the same place of a page as that
 * of the next, as the cache has room for twelve lines of the same place only. */
INLINE void lines(const int type, const uint8_t *rows, uint64_t row_bytes, uint32_t n_rows, uint32_t n,
                  const struct mote_kernel_x8 *x, float *y) {
    _Alignas(64) float added[MOTE_KERNEL_ROWS * (PUT_BY + BATCH)];
    const uint32_t n_batches = (n + BATCH - 1) / BATCH, stride = (n_batches + 1) * BATCH;
    for (uint32_t r = 0; r < n_rows; r += MOTE_KERNEL_ROWS) {
        uintptr_t ahead =
            (uintptr_t)rows + r * row_bytes + DISTANCE + CACHE_LINE * n_batches * rest_lines(type);
        for (uint32_t i = 0; i < MOTE_KERNEL_ROWS; i++)
            ahead = line(type, rows + (r + i) * row_bytes, n, *x, added + i * stride, ahead);
        store_floats(y + r, add_up(type, added, stride, n, ahead));
    }
}

#define LINE_LIST(X)                                                                                         \
    X(Q8_0, q8_0)                                                                                            \
    X(Q6_K, q6_k)

#define LINE(NAME, lower)                                                                                    \
    static void line_or_direct_##lower(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,   \
                                       const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,         \
                                       uint64_t y_stride) {                                                  \
        uint32_t n = w->k / GROUP_##NAME;                                                                    \
        if (n_columns == 1 && n <= PUT_BY)                                                                   \
            lines(MOTE_TYPE_##NAME, w->data + row0 * w->row_bytes, w->row_bytes, n_rows, n, x, y);           \
        else                                                                                                 \
            direct_##lower(w, row0, n_rows, x, n_columns, y, y_stride);                                      \
    }
LINE_LIST(LINE)
#undef LINE

static void overlay_line(struct mote_kernels *table) {
#define OVERLAY(NAME, lower) table->direct[MOTE_TYPE_##NAME] = line_or_direct_##lower;
    LINE_LIST(OVERLAY)
#undef OVERLAY
}
