/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_lanes.h: attention on vectors, the second half of float_lanes.h.
 *
 * Scores and values are one product: four queries by two vectors in registers, every step one row of the
 * page (loaded once for the four) times an element of each query. Pages of floats of either size are read as
 * they are for a few queries; for many, and where they are quantized, a page is first unpacked to f32, which
 * changes no bit. What stands between the two products, the softmax, costs a tenth of them. */
#include "kernel/page.h"

enum { PAGE = MOTE_KERNEL_PAGE, TILE = 4, VECS = 2, UNPACK_FROM = 2 * TILE + 1 };

/* sum[r][j] += left row r · right column vector j, over n steps in order. What lies `ahead` bytes behind the
 * right is asked for. */
INLINE void multiply(enum kind kind, int n_rows, int n_vecs, const float *left, uint64_t left_stride,
                     const uint8_t *right, uint64_t right_bytes, uint32_t n, int64_t ahead,
                     vec (*sum)[VECS]) {
    for (uint32_t k = 0; k < n; k++, right += right_bytes) {
        vec row[VECS];
        __builtin_prefetch((const void *)((uintptr_t)right + (uintptr_t)ahead));
        UNROLL
        for (int j = 0; j < n_vecs; j++)
            row[j] = load(kind, right + j * WIDTH * BYTES(kind));
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int j = 0; j < n_vecs; j++)
                sum[r][j] += left[(uint64_t)r * left_stride + k] * row[j];
        }
    }
}

/* b where it is greater, else a */
INLINE vec greater(vec a, vec b) {
    ivec is = b > a;
    return (vec)((is & (ivec)b) | (~is & (ivec)a));
}

INLINE quad greater_four(quad a, quad b) {
    typedef int32_t four __attribute__((vector_size(16)));
    four is = b > a;
    return (quad)((is & (four)b) | (~is & (four)a));
}

/* The tree of fold and fold_four, for the greatest. */
INLINE float fold_greatest(struct lanes top) {
    quad part[LANES / 4];
    memcpy(part, &top, sizeof part);
    quad four = greater_four(greater_four(part[0], part[2]), greater_four(part[1], part[3]));
    float even = four[2] > four[0] ? four[2] : four[0], odd = four[3] > four[1] ? four[3] : four[1];
    return odd > even ? odd : even;
}

/* Scores of n_rows queries over n positions become p, and sum [16] and max go on; keep: what the sums before
 * are multiplied with. */
INLINE void soften(int n_rows, float (*p)[PAGE], uint32_t n, float *sum, float *max, float *keep) {
    float change[WIDTH] = {0}, top[TILE];
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        struct lanes lanes;
        UNROLL
        for (int i = 0; i < PARTS; i++)
            lanes.part[i] = greater(greater(splat(max[r]), load_floats(p[r] + i * WIDTH, WIDTH)),
                                    load_floats(p[r] + LANES + i * WIDTH, WIDTH));
        top[r] = fold_greatest(lanes);
        change[r] = max[r] == top[r] ? 0.0f : max[r] - top[r];
        max[r] = top[r];
    }
    store_floats(change, exp_lanes(load_floats(change, WIDTH)), WIDTH);
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        keep[r] = change[r];
        UNROLL
        for (int i = 0; i < PAGE; i += WIDTH)
            store_floats(p[r] + i, exp_lanes(load_floats(p[r] + i, WIDTH) - top[r]), WIDTH);
    }
    for (int r = 0; n < PAGE && r < n_rows; r++)
        memset(p[r] + n, 0, (PAGE - n) * sizeof(float));
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int i = 0; i < LANES; i += WIDTH) {
            vec total = load_floats(sum + r * LANES + i, WIDTH) * keep[r];
            total = total + load_floats(p[r] + i, WIDTH) + load_floats(p[r] + LANES + i, WIDTH);
            store_floats(sum + r * LANES + i, total, WIDTH);
        }
    }
}

struct page_view {
    const uint8_t *keys, *values;
    uint64_t key_bytes, value_bytes;
    uint32_t n; /* positions */
    int64_t ahead;
};

/* Query i's values [at, at + n_vecs vectors). */
INLINE void add_values(enum kind kind, int n_rows, int n_vecs, const float (*p)[PAGE], const float *keep,
                       const struct page_view *page, uint32_t at, float *value, uint64_t stride) {
    vec sum[TILE][VECS];
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int j = 0; j < n_vecs; j++)
            sum[r][j] = load_floats(value + r * stride + at + j * WIDTH, WIDTH) * keep[r];
    }
    multiply(kind, n_rows, n_vecs, p[0], PAGE, page->values + (uint64_t)at * BYTES(kind), page->value_bytes,
             page->n, page->ahead, sum);
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int j = 0; j < n_vecs; j++)
            store_floats(value + r * stride + at + j * WIDTH, sum[r][j], WIDTH);
    }
}

/* Queries [i, i + n_rows) over a page. */
INLINE void attend_tile(enum kind kind, int n_rows, const struct mote_kernel_attention *a, uint32_t i,
                        const struct page_view *page) {
    uint32_t padded = (a->head_dim + LANES - 1) / LANES * LANES, at = 0;
    float p[TILE][PAGE], keep[TILE], *value = a->value + (uint64_t)i * padded;
    for (int t = 0; t < PAGE; t += VECS * WIDTH) {
        vec sum[TILE][VECS] = {0};
        multiply(kind, n_rows, VECS, a->query + (uint64_t)i * padded, padded, page->keys + t * BYTES(kind),
                 page->key_bytes, a->head_dim, page->ahead, sum);
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int j = 0; j < VECS; j++)
                store_floats(p[r] + t + j * WIDTH, sum[r][j] * a->scale, WIDTH);
        }
    }
    for (int r = 0; r < n_rows; r++)
        for (uint32_t t = page->n; t < PAGE; t++)
            p[r][t] = -__builtin_inff();
    soften(n_rows, p, page->n, a->sum + (uint64_t)i * LANES, a->max + i, keep);
    for (; at + VECS * WIDTH <= padded; at += VECS * WIDTH)
        add_values(kind, n_rows, VECS, (const float(*)[PAGE])p, keep, page, at, value, padded);
    if (at < padded) add_values(kind, n_rows, 1, (const float(*)[PAGE])p, keep, page, at, value, padded);
}

INLINE void attend_page(enum kind kind, const struct mote_kernel_attention *a, uint32_t i, uint32_t end,
                        const struct page_view *page) {
    for (; i + TILE <= end; i += TILE)
        attend_tile(kind, TILE, a, i, page);
    for (; i + 2 <= end; i += 2)
        attend_tile(kind, 2, a, i, page);
    if (i < end) attend_tile(kind, 1, a, i, page);
}

/* ---- unpacking a page ---- */

typedef int8_t quants __attribute__((vector_size(WIDTH)));
typedef uint8_t nibbles __attribute__((vector_size(WIDTH < 8 ? WIDTH : 8)));

/* Places [i, i + WIDTH) of a row; the q of a quantized one. */
INLINE vec load_row(mote_kv_type type, const uint8_t *row, uint32_t i) {
    quants q;
    nibbles n;
    if (type == MOTE_KV_F16) return load_f16(row + 2 * i);
    if (type == MOTE_KV_Q8_0) {
        memcpy(&q, row + i, sizeof q);
        return __builtin_convertvector(q, vec);
    }
    memcpy(&n, row + i / 16 * 8 + i % 8, sizeof n);
#if WIDTH == 16
    typedef uint8_t both __attribute__((vector_size(16)));
    nibbles low = n & 15, high = n >> 4;
    both all = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return __builtin_convertvector(all, vec) - 8.0f;
#else
    return __builtin_convertvector(i % 16 < 8 ? n & 15 : n >> 4, vec) - 8.0f;
#endif
}

/* Keys of all positions (of those never written it makes something), values of the first n. */
INLINE void unpack(mote_kv_type type, const uint8_t *page, uint32_t head_dim, uint32_t n, float *to) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(type, head_dim);
    int quantized = type != MOTE_KV_F16;
    for (uint32_t e = 0; e < head_dim; e++, to += PAGE) {
        const uint8_t *scales = page + l.key_scales + (uint64_t)(e / MOTE_KERNEL_SHARE) * PAGE * 2;
        for (uint32_t t = 0; t < PAGE; t += WIDTH) {
            vec row = load_row(type, page + (uint64_t)e * l.key_bytes, t);
            store_floats(to + t, quantized ? row * load_f16(scales + 2 * t) : row, WIDTH);
        }
    }
    for (uint32_t t = 0; t < n; t++, to += l.padded) {
        const uint8_t *scales = page + l.value_scales + (uint64_t)t * l.n_scales * 2;
        for (uint32_t e = 0; e < l.padded; e += WIDTH) {
            vec row = load_row(type, page + l.values + (uint64_t)t * l.value_bytes, e);
            uint16_t scale;
            memcpy(&scale, scales + e / MOTE_KERNEL_SHARE * 2, quantized ? sizeof scale : 0);
            store_floats(to + e, quantized ? row * mote_base_f32_from_f16(scale) : row, WIDTH);
        }
    }
}

/* ---- what the table points to ---- */

INLINE void attend(mote_kv_type type, const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                   const void *page, uint32_t n_positions) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(type, a->head_dim);
    struct page_view view = {page,        (const uint8_t *)page + l.values,
                             l.key_bytes, l.value_bytes,
                             n_positions, (const uint8_t *)a->next - (const uint8_t *)page};
    if (type == MOTE_KV_F16 && n < UNPACK_FROM) {
        attend_page(F16, a, first, first + n, &view);
        return;
    }
    if (type != MOTE_KV_F32) {
        unpack(type, page, a->head_dim, n_positions, a->page);
        l = mote_kernel_page_describe(MOTE_KV_F32, a->head_dim);
        view = (struct page_view){(const uint8_t *)a->page,
                                  (const uint8_t *)a->page + l.values,
                                  l.key_bytes,
                                  l.value_bytes,
                                  n_positions,
                                  0};
    }
    attend_page(F32, a, first, first + n, &view);
}

static void attend_f16(const struct mote_kernel_attention *a, uint32_t first, uint32_t n, const void *page,
                       uint32_t n_positions) {
    attend(MOTE_KV_F16, a, first, n, page, n_positions);
}

static void attend_f32(const struct mote_kernel_attention *a, uint32_t first, uint32_t n, const void *page,
                       uint32_t n_positions) {
    attend(MOTE_KV_F32, a, first, n, page, n_positions);
}

static void attend_q8_0(const struct mote_kernel_attention *a, uint32_t first, uint32_t n, const void *page,
                        uint32_t n_positions) {
    attend(MOTE_KV_Q8_0, a, first, n, page, n_positions);
}

static void attend_q4_0(const struct mote_kernel_attention *a, uint32_t first, uint32_t n, const void *page,
                        uint32_t n_positions) {
    attend(MOTE_KV_Q4_0, a, first, n, page, n_positions);
}

static void attend_end(const struct mote_kernel_attention *a, uint32_t i, float *out) {
    const float *value = a->value + (uint64_t)i * ((a->head_dim + LANES - 1) / LANES * LANES);
    struct lanes sum;
    memcpy(&sum, a->sum + (uint64_t)i * LANES, sizeof sum);
    quad four = fold(sum);
    vec total = splat((four[0] + four[2]) + (four[1] + four[3]));
    for (uint32_t e = 0; e < a->head_dim; e += WIDTH)
        store_floats(out + e, load_floats(value + e, WIDTH) / total, a->head_dim - e);
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
