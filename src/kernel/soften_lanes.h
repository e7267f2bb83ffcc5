/* SPDX-License-Identifier: Apache-2.0
 *
 * soften_lanes.h: the online softmax of attention on vectors (lanes.h), for up to TILE queries over two pages: it waits
 * for its own results most of the time, as the greatest score of a page must be known before anything is exp'd, and so
 * has as much to do at once as there is. */
#ifndef MOTE_KERNEL_SOFTEN_LANES_H
#define MOTE_KERNEL_SOFTEN_LANES_H

#include "kernel/kernel.h"
#include "kernel/lanes.h"

/* Where there are 32 registers a tile has sixteen sums. */
#ifndef VECS
#define VECS (WIDTH == 8 ? 2 : 4)
#endif

enum {
    PAGE = MOTE_KERNEL_PAGE,
    TOGETHER = MOTE_KERNEL_TOGETHER,
    SPAN = TOGETHER * PAGE,
    FOUR = 4,                           /* queries by VECS vectors */
    TILE = WIDTH == 16 ? 8 : 4,         /* queries of a softmax, at most */
    SIDE = VECS * WIDTH > PAGE ? 2 : 1, /* pages that scores are made of at a time */
};

/* The trees of fold and fold_four, for the greatest. */
INLINE quad fold_greatest(struct lanes top) {
    quad part[LANES / 4];
    memcpy(part, &top, sizeof part);
    return greater_four(greater_four(part[0], part[2]), greater_four(part[1], part[3]));
}

INLINE quad fold_four_greatest(quad a, quad b, quad c, quad d) {
    quad ab =
        greater_four(__builtin_shufflevector(a, b, 0, 1, 4, 5), __builtin_shufflevector(a, b, 2, 3, 6, 7));
    quad cd =
        greater_four(__builtin_shufflevector(c, d, 0, 1, 4, 5), __builtin_shufflevector(c, d, 2, 3, 6, 7));
    return greater_four(__builtin_shufflevector(ab, cd, 0, 2, 4, 6),
                        __builtin_shufflevector(ab, cd, 1, 3, 5, 7));
}

/* Quads side by side, as many as fill a vector. */
INLINE vec join(const quad *q) {
#if WIDTH == 4
    return *q;
#else
    typedef float octet __attribute__((vector_size(32)));
    octet low = __builtin_shufflevector(q[0], q[1], 0, 1, 2, 3, 4, 5, 6, 7);
#if WIDTH == 16
    octet high = __builtin_shufflevector(q[2], q[3], 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    return low;
#endif
#endif
}

enum { ROWS_OF_MANY = MANY * WIDTH / PAGE };

/* The scores of one page, from `at` on, become exp(score − top). */
INLINE void exp_rows(int n_rows, float (*p)[SPAN], uint32_t at, const float *top) {
    enum { VECS_OF_ROW = PAGE / WIDTH };
    vec x[MANY];
    UNROLL
    for (int j = 0; j < n_rows * VECS_OF_ROW; j++)
        x[j] = load_floats(p[j / VECS_OF_ROW] + at + j % VECS_OF_ROW * WIDTH, WIDTH) - top[j / VECS_OF_ROW];
    exp_falling(n_rows * VECS_OF_ROW, x);
    UNROLL
    for (int j = 0; j < n_rows * VECS_OF_ROW; j++)
        store_floats(p[j / VECS_OF_ROW] + at + j % VECS_OF_ROW * WIDTH, x[j], WIDTH);
}

/* tops of n_rows ≤ 4 go on to the greatest of page b; returns what they change by. */
INLINE quad find_tops(int n_rows, float (*p)[SPAN], uint32_t b, const float *max, quad *tops) {
    typedef int32_t four __attribute__((vector_size(16)));
    quad greatest[FOUR] = {0}, old = *tops;
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        const float *scores = p[r] + b * PAGE;
        struct lanes lanes;
        UNROLL
        for (int i = 0; i < PARTS; i++)
            lanes.part[i] = greater(greater(splat(max[r]), load_floats(scores + i * WIDTH, WIDTH)),
                                    load_floats(scores + LANES + i * WIDTH, WIDTH));
        greatest[r] = fold_greatest(lanes);
    }
    *tops = greater_four(old, n_rows == 1
                                  ? fold_four_greatest(greatest[0], greatest[0], greatest[0], greatest[0])
                                  : fold_four_greatest(greatest[0], greatest[1], greatest[2], greatest[3]));
    /* exp(0) = 1 where they are equal, infinite or not */
    return (quad)((four)(old - *tops) & ~(four)(old == *tops));
}

/* The exp of what all tops change by. (Through memory they would wait for each other: a load that several
 * stores make up is slow.) */
INLINE void exp_changes(const quad *change, float *keep) {
    enum { N = TOGETHER * TILE / WIDTH };
    vec kept[N];
    UNROLL
    for (int i = 0; i < N; i++)
        kept[i] = join(change + i * WIDTH / 4);
    exp_falling(N, kept);
    UNROLL
    for (int i = 0; i < N; i++)
        store_floats(keep + i * WIDTH, kept[i], WIDTH);
}

/* What is known of a tile before its scores are exp'd: the greatest score up to each page, and what it changes by. */
struct softening {
    quad top[TOGETHER][TILE / FOUR], change[TOGETHER * TILE / FOUR];
};

/* Of n_rows ≤ 4 queries, the i-th four; max goes on. That the greatest of a page is looked for from the max before the
 * span, not before the page, changes at most the sign of a zero, and that nothing. */
INLINE void soften_tops(int n_rows, uint32_t n_pages, int i, float (*p)[SPAN], float *max,
                        struct softening *s) {
    quad top = {0};
    memcpy(&top, max, (size_t)n_rows * sizeof *max);
    UNROLL
    for (uint32_t b = 0; b < TOGETHER; b++) {
        quad change = {0};
        if (b < n_pages) change = find_tops(n_rows, p, b, max, &top);
        s->change[b * (TILE / FOUR) + (uint32_t)i] = change;
        s->top[b][i] = top;
    }
    memcpy(max, &top, (size_t)n_rows * sizeof *max);
}

/* Scores of queries [first, first + n_rows) of the tile become p. */
INLINE void soften_rows(int first, int n_rows, uint32_t n_pages, uint32_t n_positions, float (*p)[SPAN],
                        const struct softening *s) {
    for (uint32_t b = 0; b < n_pages; b++) {
        UNROLL
        for (int r = first; r < first + n_rows; r += ROWS_OF_MANY)
            exp_rows(first + n_rows - r < ROWS_OF_MANY ? first + n_rows - r : ROWS_OF_MANY, p + r, b * PAGE,
                     (const float *)s->top[b] + r);
    }
    for (int r = first; n_positions < n_pages * PAGE && r < first + n_rows; r++)
        memset(p[r] + n_positions, 0, (n_pages * PAGE - n_positions) * sizeof(float));
}

/* sum [16] of each query goes on. */
INLINE void soften_sums(int n_rows, uint32_t n_pages, const float (*p)[SPAN], const float (*keep)[TILE],
                        float *sum) {
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int i = 0; i < LANES; i += WIDTH) {
            vec total = load_floats(sum + r * LANES + i, WIDTH);
            for (uint32_t b = 0; b < n_pages; b++)
                total = total * keep[b][r] + load_floats(p[r] + b * PAGE + i, WIDTH) +
                        load_floats(p[r] + b * PAGE + LANES + i, WIDTH);
            store_floats(sum + r * LANES + i, total, WIDTH);
        }
    }
}

#endif
