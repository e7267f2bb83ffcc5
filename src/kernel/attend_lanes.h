/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_lanes.h: attention on vectors, the second half of float_lanes.h.
 *
 * Scores and values are one product: up to four queries by VECS vectors in registers, every step one row of a
 * page (loaded and converted once for the four) times an element of each query. A call brings two pages, so
 * that the sums of the values stay in registers over both, and the softmax between the products has twice as
 * much to do at once: it waits for its own results most of the time, as the greatest score of a page must be
 * known before anything is exp'd. For the same reason vectors of sixteen take eight queries through it, two
 * tiles of four, or one of eight where a row is only half as long: a page alone, or heads of 32 elements.
 *
 *     scores    64 positions of both pages, or part of one, are the lanes; a step is an element of the keys
 *     softmax   the greatest of each page, then exp of all
 *     values    64 elements, or fewer, are the lanes; a step is a position
 *
 * Rows are converted as they are met. For many queries the pages are first unpacked to f32, which changes no
 * bit: a quantized element is q · scale, rounded once, wherever that is done. */
#include "kernel/page.h"
#include "kernel/soften_lanes.h"

enum {
    UNPACK_FROM = 9,
    LINES = WIDTH == 16 ? 2 : 1, /* of 64 bytes, asked for in a step */
};

/* The pages of a call; the place of one that there is not is taken by the first. What is asked of memory meanwhile lies in next, in that order. */
struct span {
    const uint8_t *page[TOGETHER], *next[TOGETHER];
    const float *scales; /* [n_pages·32][E/32] of the values, where they are quantized */
    uint32_t n_pages, n_positions;
    struct mote_kernel_page_layout layout;
    uint64_t asked; /* bytes, of next[asking] */
    uint32_t asking;
    uint32_t step; /* bytes to ask for in a step; 0: none */
};

INLINE uint32_t seen(const struct span *s, uint32_t page) {
    return page + 1 < s->n_pages ? PAGE : s->n_positions - page * PAGE;
}

/* Where to go on asking; n steps will be made from there. */
INLINE const uint8_t *ask(struct span *s, uint32_t n) {
    for (; s->asked >= s->layout.bytes && s->asking + 1 < s->n_pages; s->asking++)
        s->asked -= s->layout.bytes;
    const uint8_t *at = s->next[s->asking] + s->asked;
    s->asked += (uint64_t)n * s->step;
    return at;
}

/* Not where pages are of floats, which many queries meet: asking would cost more than it brings. */
INLINE void ask_lines(mote_kv_type type, const uint8_t *at) {
    UNROLL
    for (int i = 0; i < LINES && type != MOTE_KV_F32; i++)
        __builtin_prefetch(at + 64 * i, 0, 2);
}

/* ---- rows ---- */

/* Places [i, i + WIDTH) of a row; the q of a quantized one. */
INLINE vec load_row(mote_kv_type type, const uint8_t *row, uint32_t i) {
    if (type == MOTE_KV_F32) return load(F32, row + 4 * i);
    if (type == MOTE_KV_F16) return load_f16(row + 2 * i);
    if (type == MOTE_KV_Q8_0) return load_i8(row + i);
    return load_i4(row + i / 32 * 16 + i % 16, i % 32 < 16 ? 0 : 4);
}

INLINE int is_quantized(mote_kv_type type) {
    return type == MOTE_KV_Q8_0 || type == MOTE_KV_Q4_0;
}

/* sum[r][j] += element r of the left, which lie stride apart, times vector j of the right */
INLINE void add_row(int n_rows, int n_vecs, const float *left, uint64_t stride, const vec *right,
                    vec (*sum)[VECS]) {
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        vec element = splat(left[(uint64_t)r * stride]);
        UNROLL
        for (int j = 0; j < n_vecs; j++)
            sum[r][j] += element * right[j];
    }
}

/* ---- scores ---- */

/* p [n_rows][SPAN] = scores of queries [i, i + n_rows), for n_sides pages from `first` on, positions t and the
 * following of each: n_vecs vectors in all. */
INLINE void score(mote_kv_type type, int n_rows, int n_vecs, int n_sides,
                  const struct mote_kernel_attention *a, uint32_t i, struct span *s, uint32_t first,
                  uint32_t t, float (*p)[SPAN]) {
    const int of_one = n_vecs / n_sides;
    uint32_t padded = s->layout.padded, e = 0;
    const float *query = a->query + (uint64_t)i * padded;
    const uint8_t *next = ask(s, a->head_dim);
    vec sum[TILE][VECS] = {0}, row[VECS], scale[VECS];
    while (e < a->head_dim) {
        uint32_t end = a->head_dim;
        if (is_quantized(type)) {
            uint64_t scales = s->layout.key_scales + ((uint64_t)(e / MOTE_KERNEL_SHARE) * PAGE + t) * 2;
            end = end - e < MOTE_KERNEL_SHARE ? end : e + MOTE_KERNEL_SHARE;
            UNROLL
            for (int j = 0; j < n_vecs; j++)
                scale[j] = load_f16(s->page[first + j / of_one] + scales + j % of_one * WIDTH * 2);
        }
        for (; e < end; e++, next += s->step) {
            ask_lines(type, next);
            UNROLL
            for (int j = 0; j < n_vecs; j++) {
                const uint8_t *keys = s->page[first + j / of_one] + (uint64_t)e * s->layout.key_bytes;
                row[j] = load_row(type, keys, t + j % of_one * WIDTH);
                if (is_quantized(type)) row[j] = row[j] * scale[j];
            }
            add_row(n_rows, n_vecs, query + e, padded, row, sum);
        }
    }
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int j = 0; j < n_vecs; j++)
            store_floats(p[r] + (first + j / of_one) * PAGE + t + j % of_one * WIDTH, sum[r][j] * a->scale,
                         WIDTH);
    }
}

/* ---- softmax ---- */

/* Scores of n_rows queries over the span's positions become p; sum [16] and max go on. keep: what is to be
 * multiplied with the values' sums before each page. */
INLINE void soften_tile(int n_rows, const struct span *s, float (*p)[SPAN], float *sum, float *max,
                        float (*keep)[TILE]) {
    struct softening state = {0};
    UNROLL
    for (int r = 0; r < n_rows; r += FOUR)
        soften_tops(n_rows - r < FOUR ? n_rows - r : FOUR, s->n_pages, r / FOUR, p + r, max + r, &state);
    exp_changes(state.change, keep[0]);
    soften_rows(0, n_rows, s->n_pages, s->n_positions, p, &state);
    soften_sums(n_rows, s->n_pages, (const float(*)[SPAN])p, (const float(*)[TILE])keep, sum);
}

/* One copy for all types. */
static __attribute__((noinline)) void soften(int n_rows, const struct span *s, float (*p)[SPAN], float *sum,
                                             float *max, float (*keep)[TILE]) {
    if (n_rows == TILE) soften_tile(TILE, s, p, sum, max, keep);
    if (TILE > FOUR && n_rows == 4) soften_tile(4, s, p, sum, max, keep);
    if (n_rows == 3) soften_tile(3, s, p, sum, max, keep);
    if (n_rows == 2) soften_tile(2, s, p, sum, max, keep);
    if (n_rows == 1) soften_tile(1, s, p, sum, max, keep);
}

/* ---- values ---- */

/* Elements [at, at + n_vecs vectors) of the values of n_rows queries. */
INLINE void add_values(mote_kv_type type, int n_rows, int n_vecs, struct span *s, const float (*p)[SPAN],
                       const float *keep, uint32_t at, float *value, uint64_t stride) {
    vec sum[TILE][VECS], row[VECS];
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int j = 0; j < n_vecs; j++)
            sum[r][j] = load_floats(value + r * stride + at + j * WIDTH, WIDTH);
    }
    for (uint32_t b = 0; b < s->n_pages; b++) {
        uint32_t n = seen(s, b), n_scales = s->layout.n_scales;
        const uint8_t *values = s->page[b] + s->layout.values, *next = ask(s, n);
        const float *scales = is_quantized(type) ? s->scales + (uint64_t)b * PAGE * n_scales : NULL;
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int j = 0; j < n_vecs; j++)
                sum[r][j] = sum[r][j] * keep[b * TILE + (uint32_t)r];
        }
        for (uint32_t t = 0; t < n; t++, values += s->layout.value_bytes, next += s->step) {
            ask_lines(type, next);
            UNROLL
            for (int j = 0; j < n_vecs; j++) {
                uint32_t e = at + (uint32_t)j * WIDTH;
                row[j] = load_row(type, values, e);
                if (is_quantized(type)) row[j] = row[j] * scales[t * n_scales + e / MOTE_KERNEL_SHARE];
            }
            add_row(n_rows, n_vecs, p[0] + b * PAGE + t, SPAN, row, sum);
        }
    }
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int j = 0; j < n_vecs; j++)
            store_floats(value + r * stride + at + j * WIDTH, sum[r][j], WIDTH);
    }
}

/* ---- a tile ---- */

/* Scores of n_rows queries, in which a page alone takes as many registers as two. */
INLINE void score_tile(mote_kv_type type, int n_rows, const struct mote_kernel_attention *a, uint32_t i,
                       struct span *s, float (*p)[SPAN]) {
    if (SIDE == 2 && s->n_pages == 1) {
        score(type, n_rows, VECS / 2, 1, a, i, s, 0, 0, p);
        return;
    }
    for (uint32_t first = 0; first < s->n_pages; first += SIDE)
        for (uint32_t t = 0; t < PAGE; t += VECS / SIDE * WIDTH)
            UNROLL
    for (int r = 0; r < n_rows; r += FOUR)
        score(type, n_rows < FOUR ? n_rows : FOUR, VECS, SIDE, a, i + (uint32_t)r, s, first, t, p + r);
}

/* Queries [i, i + n_rows) over the pages. */
INLINE void attend_tile(mote_kv_type type, int n_rows, const struct mote_kernel_attention *a, uint32_t i,
                        struct span *s) {
    const int four = n_rows < FOUR ? n_rows : FOUR;
    uint32_t padded = s->layout.padded, at = 0;
    float p[TILE][SPAN], keep[TOGETHER][TILE], *value = a->value + (uint64_t)i * padded;
    const float(*weights)[SPAN] = (const float(*)[SPAN])p;
    score_tile(type, n_rows, a, i, s, p);
    for (int r = 0; r < n_rows; r++)
        for (uint32_t t = s->n_positions; t < s->n_pages * PAGE; t++)
            p[r][t] = -__builtin_inff();
    for (int r = 0; r < n_rows && mote_kernel_is_near(a); r++)
        mote_kernel_hide(a, i + (uint32_t)r, 0, s->n_positions, p[r]);
    soften(n_rows, s, p, a->sum + (uint64_t)i * LANES, a->max + i, keep);
    for (; at + VECS * WIDTH <= padded; at += VECS * WIDTH) {
        UNROLL
        for (int r = 0; r < n_rows; r += FOUR)
            add_values(type, four, VECS, s, weights + r, keep[0] + r, at, value + (uint64_t)r * padded,
                       padded);
    }
    if (VECS > 2 && at + 2 * WIDTH <= padded) {
        add_values(type, n_rows, 2, s, weights, keep[0], at, value, padded);
        at += 2 * WIDTH;
    }
    if (at < padded) add_values(type, n_rows, 1, s, weights, keep[0], at, value, padded);
    s->step = 0;
}

typedef void tiles(const struct mote_kernel_attention *a, uint32_t i, uint32_t end, struct span *s);

INLINE void attend_tiles(mote_kv_type type, const struct mote_kernel_attention *a, uint32_t i, uint32_t end,
                         struct span *s) {
    if (TILE > FOUR && type == MOTE_KV_F32) /* what many queries meet (attend) */
        for (; i + TILE <= end; i += TILE)
            attend_tile(type, TILE, a, i, s);
    for (; i + FOUR <= end; i += FOUR)
        attend_tile(type, FOUR, a, i, s);
    if (end - i == 3) attend_tile(type, 3, a, i, s);
    if (end - i == 2) attend_tile(type, 2, a, i, s);
    if (end - i == 1) attend_tile(type, 1, a, i, s);
}

static __attribute__((noinline)) void tiles_f32(const struct mote_kernel_attention *a, uint32_t i,
                                                uint32_t end, struct span *s) {
    attend_tiles(MOTE_KV_F32, a, i, end, s);
}

static void tiles_f16(const struct mote_kernel_attention *a, uint32_t i, uint32_t end, struct span *s) {
    attend_tiles(MOTE_KV_F16, a, i, end, s);
}

static void tiles_q8_0(const struct mote_kernel_attention *a, uint32_t i, uint32_t end, struct span *s) {
    attend_tiles(MOTE_KV_Q8_0, a, i, end, s);
}

static void tiles_q4_0(const struct mote_kernel_attention *a, uint32_t i, uint32_t end, struct span *s) {
    attend_tiles(MOTE_KV_Q4_0, a, i, end, s);
}

/* ---- unpacking ---- */

/* A page as f32: keys of all positions (of those never written it makes something), values of the first n. */
INLINE void unpack(mote_kv_type type, const uint8_t *page, const struct mote_kernel_page_layout *l,
                   uint32_t head_dim, uint32_t n, float *to) {
    for (uint32_t e = 0; e < head_dim; e++, to += PAGE) {
        const uint8_t *scales = page + l->key_scales + (uint64_t)(e / MOTE_KERNEL_SHARE) * PAGE * 2;
        for (uint32_t t = 0; t < PAGE; t += WIDTH) {
            vec row = load_row(type, page + (uint64_t)e * l->key_bytes, t);
            store_floats(to + t, is_quantized(type) ? row * load_f16(scales + 2 * t) : row, WIDTH);
        }
    }
    for (uint32_t t = 0; t < n; t++, to += l->padded) {
        const uint8_t *row = page + l->values + (uint64_t)t * l->value_bytes;
        for (uint32_t e = 0; e < l->padded; e += WIDTH) {
            uint16_t half = 0x3c00; /* 1 */
            uint64_t scale = (uint64_t)t * l->n_scales + e / MOTE_KERNEL_SHARE;
            if (is_quantized(type)) memcpy(&half, page + l->value_scales + 2 * scale, sizeof half);
            store_floats(to + e, load_row(type, row, e) * mote_base_f32_from_f16(half), WIDTH);
        }
    }
}

/* ---- what the table points to ---- */

INLINE void attend(mote_kv_type type, tiles *as_they_are, const struct mote_kernel_attention *a,
                   uint32_t first, uint32_t n, const void *const *pages, uint32_t n_positions) {
    struct span s = {.scales = a->page,
                     .n_pages = (n_positions + PAGE - 1) / PAGE,
                     .n_positions = n_positions,
                     .layout = mote_kernel_page_describe(type, a->head_dim)};
    const struct mote_kernel_page_layout *l = &s.layout;
    uint32_t n_steps = PAGE / (VECS * WIDTH / SIDE) * a->head_dim / SIDE + /* for a page */
                       (l->padded + VECS * WIDTH - 1) / (VECS * WIDTH) * PAGE;
    s.step = (uint32_t)((l->bytes + n_steps - 1) / n_steps);
    for (uint32_t b = 0; b < TOGETHER; b++) {
        s.page[b] = pages[b < s.n_pages ? b : 0];
        s.next[b] = a->next[b < s.n_pages ? b : 0];
    }
    for (uint32_t b = 0; b < s.n_pages && (n < UNPACK_FROM) == (type == MOTE_KV_F32); b++)
        for (uint64_t at = 0; at < l->bytes && s.next[b] != s.page[b]; at += 64)
            __builtin_prefetch(s.next[b] + at, 0, 2);
    if (type == MOTE_KV_F32 || n < UNPACK_FROM) {
        for (uint32_t b = 0, at = 0; is_quantized(type) && b < s.n_pages; b++)
            for (uint32_t i = 0; i < l->n_scales * PAGE; i += WIDTH, at += WIDTH)
                store_floats(a->page + at, load_f16(s.page[b] + l->value_scales + 2 * i), WIDTH);
        as_they_are(a, first, first + n, &s);
        return;
    }
    struct mote_kernel_page_layout floats = mote_kernel_page_describe(MOTE_KV_F32, a->head_dim);
    for (uint32_t b = 0; b < s.n_pages; b++) {
        float *to = a->page + (uint64_t)b * PAGE * (a->head_dim + l->padded);
        unpack(type, pages[b], l, a->head_dim, seen(&s, b), to);
        s.page[b] = (const uint8_t *)to;
    }
    for (uint32_t b = s.n_pages; b < TOGETHER; b++)
        s.page[b] = s.page[0];
    s.layout = floats;
    s.step = 0;
    tiles_f32(a, first, first + n, &s);
}

static void attend_f16(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                       const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_F16, tiles_f16, a, first, n, pages, n_positions);
}

static void attend_f32(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                       const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_F32, tiles_f32, a, first, n, pages, n_positions);
}

static void attend_q8_0(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                        const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_Q8_0, tiles_q8_0, a, first, n, pages, n_positions);
}

static void attend_q4_0(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                        const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_Q4_0, tiles_q4_0, a, first, n, pages, n_positions);
}

static void attend_end(const struct mote_kernel_attention *a, uint32_t i, float *out) {
    const float *value = a->value + (uint64_t)i * ((a->head_dim + LANES - 1) / LANES * LANES);
    struct lanes sum;
    memcpy(&sum, a->sum + (uint64_t)i * LANES, sizeof sum);
    quad rest = fold(sum);
    vec total = splat((rest[0] + rest[2]) + (rest[1] + rest[3]));
    for (uint32_t e = 0; e < a->head_dim; e += WIDTH)
        store_floats(out + e, load_floats(value + e, WIDTH) / total, a->head_dim - e);
}

/* Written out, as stores a row apart are all there is to it. */
static void keep_f32(const float *key, const float *value, uint32_t head_dim, uint32_t at, void *page) {
    float *keys = (float *)page + at;
    float *values =
        (float *)page + (uint64_t)head_dim * PAGE + (uint64_t)at * ((head_dim + LANES - 1) / LANES * LANES);
    const float *end = key + head_dim;
    for (; end - key >= LANES; keys += LANES * PAGE, key += LANES, value += LANES, values += LANES) {
        UNROLL_ALL
        for (int i = 0; i < LANES; i++)
            keys[i * PAGE] = key[i];
        UNROLL
        for (int i = 0; i < LANES; i += WIDTH)
            store_floats(values + i, load_floats(value + i, WIDTH), WIDTH);
    }
    for (; key < end; keys += PAGE) {
        *keys = *key++;
        *values++ = *value++;
    }
}

static void keep_f16(const float *key, const float *value, uint32_t head_dim, uint32_t at, void *page) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(MOTE_KV_F16, head_dim);
    uint16_t *keys = page, row[WIDTH];
    for (uint32_t e = 0; e < head_dim; e += WIDTH) {
        store_f16(row, load_floats(key + e, head_dim - e));
        for (uint32_t i = 0; i < WIDTH && e + i < head_dim; i++)
            keys[(uint64_t)(e + i) * PAGE + at] = row[i];
    }
    to_f16(value, head_dim, keys + l.values / sizeof *keys + (uint64_t)at * l.padded);
}
