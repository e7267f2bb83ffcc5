/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_s8_lanes.h: attention in integers (kernel.h) on vectors (lanes.h). A file that is compiled for an instruction
 * set includes its lanes_<isa>.h, defines
 *
 *     dot_four    sum + the products of four unsigned bytes, 127 at most, and four signed ones in each place
 *
 * and includes this. The two products are one loop: a step is four bytes of each query, broadcast, times a vector of
 * four bytes for each of its places.
 *
 *     scores    64 positions of both pages, or part of one, are the places; a step is four elements of the keys
 *     softmax   soften_lanes.h
 *     weights   of both pages become bytes
 *     values    64 elements, or fewer, are the places; a step is four positions
 *
 * A tile of queries goes through all four, so that keys and values are read once for four or eight of them. */
#include "kernel/page.h"
#include "kernel/soften_lanes.h"

#define SHIFTED 0x1.8p23f /* leaves what is added to it, to nearest even, in the low bits */

/* The pages of a call. */
struct span_s8 {
    const int8_t *keys[TOGETHER], *values[TOGETHER];
    const float *key_scales[TOGETHER];
    const int32_t *key_starts[TOGETHER];
    float value_scales[SPAN]; /* 0 for positions not seen */
    uint32_t n_pages, n_positions, fours, padded;
};

INLINE ivec load_ints(const void *p) {
    ivec v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE ivec splat_four(const uint8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return four - (ivec){0};
}

/* ---- scales ---- */

INLINE ivec magnitude(vec x) {
    return (ivec)x & 0x7fffffff;
}

struct ints {
    ivec part[PARTS];
};

/* The greatest of sixteen, for four at once. */
INLINE iquad fold_most(struct ints top) {
    iquad part[LANES / 4];
    memcpy(part, &top, sizeof part);
    return most_four(most_four(part[0], part[2]), most_four(part[1], part[3]));
}

INLINE iquad fold_four_most(iquad a, iquad b, iquad c, iquad d) {
    iquad ab =
        most_four(__builtin_shufflevector(a, b, 0, 1, 4, 5), __builtin_shufflevector(a, b, 2, 3, 6, 7));
    iquad cd =
        most_four(__builtin_shufflevector(c, d, 0, 1, 4, 5), __builtin_shufflevector(c, d, 2, 3, 6, 7));
    return most_four(__builtin_shufflevector(ab, cd, 0, 2, 4, 6),
                     __builtin_shufflevector(ab, cd, 1, 3, 5, 7));
}

/* Four d = top/n of magnitudes, and n/top: where that is 0, all quanta are. */
INLINE quad scales_of(iquad top, float n, quad *inverse) {
    quad greatest = (quad)top;
    iquad finite = top < 0x7f800000, ordinary = finite & (iquad)(greatest >= MOTE_KERNEL_TINY);
    *inverse = (quad)(ordinary & (iquad)(n / greatest));
    return (quad)((ordinary & (iquad)(greatest / n)) | (~finite & 0x7fc00000));
}

/* ---- writing and asking ---- */

/* A vector of x [n] from `at` on, zeros behind it. */
INLINE vec load_rest(const float *x, uint32_t at, uint32_t n) {
    return at < n ? load_floats(x + at, n - at) : splat(0);
}

INLINE iquad top_of(const float *x, uint32_t n) {
    struct ints top = {0};
    for (uint32_t e = 0; e < n; e += LANES)
        UNROLL
    for (int i = 0; i < PARTS; i++)
        top.part[i] = most(top.part[i], magnitude(load_rest(x, e + (uint32_t)i * WIDTH, n)));
    return fold_most(top);
}

/* The greatest magnitudes of n_rows rows, 1 or 4. */
INLINE iquad tops_of(int n_rows, const float *x, uint64_t stride, uint32_t n) {
    iquad a = top_of(x, n);
    if (n_rows == 1) return fold_four_most(a, a, a, a);
    return fold_four_most(a, top_of(x + stride, n), top_of(x + 2 * stride, n), top_of(x + 3 * stride, n));
}

/* Sixteen quanta of x [n] from `at` on, which are also added to sum. */
INLINE chunk quanta(const float *x, uint32_t at, uint32_t n, float inverse, uvec *sum) {
    ivec q[PARTS];
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        q[i] = (ivec)(load_rest(x, at + (uint32_t)i * WIDTH, n) * inverse + SHIFTED);
        *sum += (uvec)q[i] - (uvec)splat(SHIFTED);
    }
    return low_bytes(q);
}

/* Four elements of each of four positions, for sixteen elements: [4 elements' four][4 positions] */
INLINE void turn_fours(const chunk *from, iquad *to) {
    iquad a = (iquad)from[0], b = (iquad)from[1], c = (iquad)from[2], d = (iquad)from[3];
    iquad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    to[0] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    to[1] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    ab = __builtin_shufflevector(a, b, 2, 6, 3, 7), cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    to[2] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    to[3] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

/* Four positions of each of sixteen elements: [16][4] */
INLINE void turn_bytes(const chunk *from, chunk *to) {
    typedef int16_t pairs __attribute__((vector_size(16)));
    const chunk a = from[0], b = from[1], c = from[2], d = from[3];
    pairs ab = (pairs)__builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    pairs cd = (pairs)__builtin_shufflevector(c, d, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    to[0] = (chunk)__builtin_shufflevector(ab, cd, 0, 8, 1, 9, 2, 10, 3, 11);
    to[1] = (chunk)__builtin_shufflevector(ab, cd, 4, 12, 5, 13, 6, 14, 7, 15);
    ab = (pairs)__builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    cd = (pairs)__builtin_shufflevector(c, d, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    to[2] = (chunk)__builtin_shufflevector(ab, cd, 0, 8, 1, 9, 2, 10, 3, 11);
    to[3] = (chunk)__builtin_shufflevector(ab, cd, 4, 12, 5, 13, 6, 14, 7, 15);
}

/* Sixteen elements from e on of n_rows positions. Of one position alone no byte of another is written. */
INLINE void place(int n_rows, const chunk *key, const chunk *value, uint32_t e, uint32_t head_dim,
                  uint32_t at, const struct mote_kernel_page_s8 *s) {
    int8_t *keys = s->keys + ((uint64_t)e / 4 * PAGE + at) * 4;
    int8_t *values = s->values + ((uint64_t)at / 4 * s->padded + e) * 4;
    uint32_t n_fours = s->fours - e / 4 < 4 ? s->fours - e / 4 : 4;
    iquad fours[4];
    if (n_rows == 4) {
        chunk bytes[4];
        turn_fours(key, fours);
        turn_bytes(value, bytes);
        memcpy(values, bytes, sizeof bytes);
        for (uint32_t i = 0; i < n_fours; i++)
            memcpy(keys + (uint64_t)i * PAGE * 4, &fours[i], sizeof fours[i]);
        return;
    }
    for (uint32_t i = 0; i < n_fours; i++)
        memcpy(keys + (uint64_t)i * PAGE * 4, (const uint8_t *)key + i * 4, 4);
    for (uint32_t i = 0; i < LANES && e + i < head_dim; i++)
        values[i * 4 + at % 4] = (*value)[i];
}

typedef uint32_t uquad __attribute__((vector_size(16)));

/* Σ of each of four vectors. */
INLINE uquad sums_of(const uvec *sum) {
    uquad part[4], ab, cd;
    UNROLL
    for (int r = 0; r < 4; r++) {
        uquad quarter[WIDTH / 4];
        memcpy(quarter, &sum[r], sizeof quarter);
        part[r] = quarter[0];
        for (int i = 1; i < WIDTH / 4; i++)
            part[r] += quarter[i];
    }
    ab = __builtin_shufflevector(part[0], part[1], 0, 1, 4, 5) +
         __builtin_shufflevector(part[0], part[1], 2, 3, 6, 7);
    cd = __builtin_shufflevector(part[2], part[3], 0, 1, 4, 5) +
         __builtin_shufflevector(part[2], part[3], 2, 3, 6, 7);
    return __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
}

/* Positions [at, at + n_rows), 1 or 4. */
INLINE void keep_tile(int n_rows, const float *key, const float *value, uint64_t stride, uint32_t head_dim,
                      uint32_t at, const struct mote_kernel_page_s8 *s) {
    quad by_key, by_value;
    quad key_scale = scales_of(tops_of(n_rows, key, stride, head_dim), 127, &by_key);
    quad value_scale = scales_of(tops_of(n_rows, value, stride, head_dim), 127, &by_value);
    uvec sum[4] = {0}, unused = {0};
    for (uint32_t e = 0; e < head_dim; e += LANES) {
        chunk keys[4], values[4];
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            uint64_t row = (uint64_t)r * stride;
            keys[r] = quanta(key + row, e, head_dim, by_key[r], &sum[r]);
            values[r] = quanta(value + row, e, head_dim, by_value[r], &unused);
        }
        place(n_rows, keys, values, e, head_dim, at, s);
    }
    iquad starts = (iquad)(0 - 64 * sums_of(sum));
    memcpy(s->key_starts + at, &starts, (size_t)n_rows * sizeof(int32_t));
    memcpy(s->key_scales + at, &key_scale, (size_t)n_rows * sizeof(float));
    memcpy(s->value_scales + at, &value_scale, (size_t)n_rows * sizeof(float));
}

static void keep_s8(const float *keys, const float *values, uint64_t stride, uint32_t n, uint32_t head_dim,
                    uint32_t at, void *page) {
    struct mote_kernel_page_s8 s = mote_kernel_page_open_s8(page, head_dim);
    for (uint32_t i = 0; i < n;) {
        const float *key = keys + i * stride, *value = values + i * stride;
        if ((at + i) % 4 == 0 && n - i >= 4) {
            keep_tile(4, key, value, stride, head_dim, at + i, &s);
            i += 4;
        } else {
            keep_tile(1, key, value, stride, head_dim, at + i, &s);
            i++;
        }
    }
}

static void ask_s8(const struct mote_kernel_attention *a, uint32_t i, const float *query) {
    uint32_t padded = (a->head_dim + LANES - 1) / LANES * LANES;
    uint8_t *to = mote_kernel_query_s8(a, i);
    quad inverse, d = scales_of(tops_of(1, query, 0, a->head_dim), 63, &inverse) * a->scale;
    uvec unused = {0};
    for (uint32_t e = 0; e < padded; e += LANES) {
        chunk q = quanta(query, e, a->head_dim, inverse[0], &unused) + 64;
        memcpy(to + e, &q, sizeof q);
    }
    memcpy(to + padded, &d, sizeof(float));
}

/* ---- scores ---- */

/* p [n_rows][SPAN] = scores of queries [i, i + n_rows), for n_sides pages from `first` on, positions t and the
 * following of each: n_vecs vectors in all. */
INLINE void score_s8(int n_rows, int n_vecs, int n_sides, const struct mote_kernel_attention *a, uint32_t i,
                     const struct span_s8 *s, uint32_t first, uint32_t t, float (*p)[SPAN]) {
    const int of_one = n_vecs / n_sides;
    const uint8_t *query = mote_kernel_query_s8(a, i);
    const uint64_t stride = (uint64_t)s->padded * sizeof(float);
    ivec sum[FOUR][VECS], row[VECS];
    UNROLL
    for (int j = 0; j < n_vecs; j++) {
        row[j] = load_ints(s->key_starts[first + j / of_one] + t + j % of_one * WIDTH);
        UNROLL
        for (int r = 0; r < n_rows; r++)
            sum[r][j] = row[j];
    }
    uint64_t at = (uint64_t)t * 4;
    for (uint32_t e = 0; e < s->fours; e++, at += 4 * PAGE) {
        UNROLL
        for (int j = 0; j < n_vecs; j++)
            row[j] = load_ints(s->keys[first + j / of_one] + at + j % of_one * WIDTH * 4);
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            ivec four = splat_four(query + (uint64_t)r * stride + e * 4);
            UNROLL
            for (int j = 0; j < n_vecs; j++)
                sum[r][j] = dot_four(sum[r][j], four, row[j]);
        }
    }
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        float d;
        memcpy(&d, query + (uint64_t)r * stride + s->padded, sizeof d);
        UNROLL
        for (int j = 0; j < n_vecs; j++) {
            uint32_t place = t + (uint32_t)(j % of_one) * WIDTH, page = first + (uint32_t)(j / of_one);
            store_floats(p[r] + page * PAGE + place,
                         __builtin_convertvector(sum[r][j], vec) *
                             (load_floats(s->key_scales[page] + place, WIDTH) * d),
                         WIDTH);
        }
    }
}

/* ---- weights ---- */

/* The greatest weights, as bits, of up to four queries over page b. */
INLINE iquad find_weights(int n_rows, const struct span_s8 *s, float (*p)[SPAN], uint32_t b) {
    const float *scales = s->value_scales + b * PAGE;
    iquad top[FOUR] = {0};
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        struct ints bits;
        UNROLL
        for (int i = 0; i < PARTS; i++) {
            const float *at = p[r] + b * PAGE + i * WIDTH;
            vec low = load_floats(at, WIDTH) * load_floats(scales + i * WIDTH, WIDTH);
            vec high = load_floats(at + LANES, WIDTH) * load_floats(scales + LANES + i * WIDTH, WIDTH);
            bits.part[i] = most(magnitude(low), magnitude(high));
        }
        top[r] = fold_most(bits);
    }
    if (n_rows == 1) return fold_four_most(top[0], top[0], top[0], top[0]);
    return fold_four_most(top[0], top[1], top[2], top[3]);
}

/* p become u, and d of each page; sum [16] of each query goes on. */
INLINE void weigh(int n_rows, const struct span_s8 *s, float (*p)[SPAN], uint8_t (*u)[SPAN], float (*d)[TILE],
                  const float (*keep)[TILE], float *sum) {
    quad inverse[TOGETHER][TILE / FOUR], scale;
    for (uint32_t b = 0; b < s->n_pages; b++) {
        UNROLL
        for (int r = 0; r < n_rows; r += FOUR) {
            iquad top = find_weights(n_rows - r < FOUR ? n_rows - r : FOUR, s, p + r, b);
            scale = scales_of(top, 127, &inverse[b][r / FOUR]);
            memcpy(d[b] + r, &scale, sizeof scale);
        }
    }
    soften_sums(n_rows, s->n_pages, (const float(*)[SPAN])p, keep, sum);
    for (uint32_t b = 0; b < s->n_pages; b++) {
        const float *inverses = (const float *)inverse[b];
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int half = 0; half < PAGE; half += LANES) {
                ivec q[PARTS];
                UNROLL
                for (int i = 0; i < PARTS; i++) {
                    uint32_t at = b * PAGE + (uint32_t)half + (uint32_t)i * WIDTH;
                    vec w = load_floats(p[r] + at, WIDTH) * load_floats(s->value_scales + at, WIDTH);
                    q[i] = (ivec)(w * inverses[r] + SHIFTED);
                }
                chunk bytes = low_bytes(q);
                memcpy(u[r] + b * PAGE + half, &bytes, sizeof bytes);
            }
        }
    }
}

/* ---- values ---- */

/* Elements [at, at + n_vecs vectors) of the values of n_rows queries. */
INLINE void add_values_s8(int n_rows, int n_vecs, const struct span_s8 *s, const uint8_t (*u)[SPAN],
                          const float *d, const float *keep, uint32_t at, float *value) {
    for (uint32_t b = 0; b < s->n_pages; b++, d += TILE, keep += TILE) {
        uint32_t n = s->n_positions - b * PAGE < PAGE ? s->n_positions - b * PAGE : PAGE;
        const int8_t *values = s->values[b] + (uint64_t)at * 4;
        ivec sum[TILE][VECS] = {0}, row[VECS];
        for (uint32_t t = 0; t < n; t += 4, values += (uint64_t)s->padded * 4) {
            UNROLL
            for (int j = 0; j < n_vecs; j++)
                row[j] = load_ints(values + j * WIDTH * 4);
            UNROLL
            for (int r = 0; r < n_rows; r++) {
                ivec four = splat_four(u[r] + b * PAGE + t);
                UNROLL
                for (int j = 0; j < n_vecs; j++)
                    sum[r][j] = dot_four(sum[r][j], four, row[j]);
            }
        }
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int j = 0; j < n_vecs; j++) {
                float *to = value + (uint64_t)r * s->padded + at + j * WIDTH;
                vec products = __builtin_convertvector(sum[r][j], vec) * d[r];
                store_floats(to, load_floats(to, WIDTH) * keep[r] + products, WIDTH);
            }
        }
    }
}

static __attribute__((noinline)) void values_four(const struct span_s8 *s, const uint8_t (*u)[SPAN],
                                                  const float *d, const float *keep, uint32_t at,
                                                  float *value) {
    add_values_s8(FOUR, VECS, s, u, d, keep, at, value);
}

/* ---- a tile ---- */

/* Loops that need all registers are functions of their own: among others gcc would not leave them theirs. */
static __attribute__((noinline)) void score_both(const struct mote_kernel_attention *a, uint32_t i,
                                                 const struct span_s8 *s, uint32_t first, uint32_t t,
                                                 float (*p)[SPAN]) {
    score_s8(FOUR, VECS, SIDE, a, i, s, first, t, p);
}

static __attribute__((noinline)) void score_half(const struct mote_kernel_attention *a, uint32_t i,
                                                 const struct span_s8 *s, float (*p)[SPAN]) {
    score_s8(FOUR, VECS / 2, 1, a, i, s, 0, 0, p);
}

/* Scores of four queries, in which a page alone may take half of the registers that two do. */
INLINE void score_four(const struct mote_kernel_attention *a, uint32_t i, const struct span_s8 *s,
                       float (*p)[SPAN]) {
    if (SIDE == 2 && s->n_pages == 1) {
        score_half(a, i, s, p);
        return;
    }
    for (uint32_t first = 0; first < s->n_pages; first += SIDE)
        for (uint32_t t = 0; t < PAGE; t += VECS / SIDE * WIDTH)
            score_both(a, i, s, first, t, p);
}

/* What four queries do not see. */
INLINE void mask_four(const struct mote_kernel_attention *a, uint32_t i, const struct span_s8 *s,
                      float (*p)[SPAN]) {
    for (int r = 0; r < FOUR; r++)
        for (uint32_t t = s->n_positions; t < s->n_pages * PAGE; t++)
            p[r][t] = -__builtin_inff();
    for (int r = 0; r < FOUR && mote_kernel_is_near(a); r++)
        mote_kernel_hide(a, i + (uint32_t)r, 0, s->n_positions, p[r]);
}

/* Queries [i, i + n_rows), 4 or TILE, over the pages. What has to wait for its own results, the greatest scores and
 * the scales, has other work behind it that does not. */
INLINE void attend_tile_s8(int n_rows, const struct mote_kernel_attention *a, uint32_t i,
                           const struct span_s8 *s) {
    float p[TILE][SPAN], keep[TOGETHER][TILE], d[TOGETHER][TILE];
    float *value = a->value + (uint64_t)i * s->padded;
    uint8_t u[TILE][SPAN];
    const uint8_t(*weights)[SPAN] = (const uint8_t(*)[SPAN])u;
    uint32_t at = 0;
    struct softening state = {0};
    UNROLL
    for (int r = 0; r < n_rows; r += FOUR) {
        score_four(a, i + (uint32_t)r, s, p + r);
        mask_four(a, i + (uint32_t)r, s, p + r);
        soften_tops(FOUR, s->n_pages, r / FOUR, p + r, a->max + i + r, &state);
    }
    soften_rows(0, FOUR, s->n_pages, s->n_positions, p, &state);
    exp_changes(state.change, keep[0]);
    if (n_rows > FOUR) soften_rows(FOUR, n_rows - FOUR, s->n_pages, s->n_positions, p, &state);
    weigh(n_rows, s, p, u, d, (const float(*)[TILE])keep, a->sum + (uint64_t)i * LANES);
    for (; at + VECS * WIDTH <= s->padded; at += VECS * WIDTH)
        for (int r = 0; r < n_rows; r += FOUR)
            values_four(s, weights + r, d[0] + r, keep[0] + r, at, value + (uint64_t)r * s->padded);
    if (VECS > 2 && at + 2 * WIDTH <= s->padded) {
        add_values_s8(n_rows, 2, s, weights, d[0], keep[0], at, value);
        at += 2 * WIDTH;
    }
    if (at < s->padded) add_values_s8(n_rows, 1, s, weights, d[0], keep[0], at, value);
}

static __attribute__((noinline)) void attend_four(const struct mote_kernel_attention *a, uint32_t i,
                                                  const struct span_s8 *s) {
    attend_tile_s8(FOUR, a, i, s);
}

/* Fewer than four queries are four, of which the others are the first once more: what they have lies in the working
 * memory meanwhile. */
static void attend_rest(const struct mote_kernel_attention *a, uint32_t i, uint32_t n,
                        const struct span_s8 *s) {
    struct mote_kernel_attention four = *a;
    uint32_t position[FOUR] = {0};
    float max[FOUR];
    four.query = a->page;
    four.value = four.query + (uint64_t)FOUR * s->padded;
    four.sum = four.value + (uint64_t)FOUR * s->padded;
    four.max = max;
    four.position = position;
    for (uint32_t r = 0; r < FOUR; r++) {
        uint64_t from = r < n ? i + r : i;
        memcpy(four.query + r * s->padded, a->query + from * s->padded, s->padded * sizeof(float));
        memcpy(four.value + r * s->padded, a->value + from * s->padded, s->padded * sizeof(float));
        memcpy(four.sum + r * LANES, a->sum + from * LANES, LANES * sizeof(float));
        max[r] = a->max[from];
        if (mote_kernel_is_near(a)) position[r] = a->position[from];
    }
    attend_four(&four, 0, s);
    memcpy(a->value + (uint64_t)i * s->padded, four.value, (uint64_t)n * s->padded * sizeof(float));
    memcpy(a->sum + (uint64_t)i * LANES, four.sum, (uint64_t)n * LANES * sizeof(float));
    memcpy(a->max + i, max, n * sizeof(float));
}

static void attend_s8(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                      const void *const *pages, uint32_t n_positions) {
    struct span_s8 s;
    s.n_pages = (n_positions + PAGE - 1) / PAGE;
    s.n_positions = n_positions;
    uint32_t i = first, end = first + n;
    for (uint32_t b = 0; b < s.n_pages; b++) {
        struct mote_kernel_page_s8 page = mote_kernel_page_open_s8(pages[b], a->head_dim);
        uint32_t n_seen = n_positions - b * PAGE < PAGE ? n_positions - b * PAGE : PAGE;
        s.keys[b] = page.keys;
        s.values[b] = page.values;
        s.key_scales[b] = page.key_scales;
        s.key_starts[b] = page.key_starts;
        memcpy(s.value_scales + b * PAGE, page.value_scales, PAGE * sizeof(float));
        for (uint32_t j = n_seen; j < PAGE; j++)
            s.value_scales[b * PAGE + j] = 0;
        s.fours = page.fours;
        s.padded = page.padded;
    }
    for (; TILE > FOUR && i + TILE <= end; i += TILE)
        attend_tile_s8(TILE, a, i, &s);
    for (; i + FOUR <= end; i += FOUR)
        attend_four(a, i, &s);
    if (i < end) attend_rest(a, i, end - i, &s);
}

static void overlay_s8(struct mote_kernels *table) {
    table->keep_s8 = keep_s8;
    table->ask_s8 = ask_s8;
    table->attend[MOTE_KERNEL_KV_S8] = attend_s8;
}
