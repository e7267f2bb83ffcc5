/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_lanes.h: attention on vectors, the second half of float_lanes.h.
 *
 * Scores and values are one product: four queries by two vectors in registers, every step one row of the
 * page (loaded once for the four) times an element of each query. Pages of floats of either size are read as
 * they are for a few queries; for many, and where they are quantized, a page is first unpacked to f32, which
 * changes no bit. The softmax between the two products takes half as long as one of them. (Letting two tiles
 * go through it side by side gained nothing: it is its operations that take the time, not their latency.) */
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

typedef int32_t four __attribute__((vector_size(16)));

INLINE quad greater_four(quad a, quad b) {
    four is = b > a;
    return (quad)((is & (four)b) | (~is & (four)a));
}

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

/* Scores of n_rows queries over n positions become p, and sum [16] and max go on; keep: what the sums before
 * are multiplied with. */
INLINE void soften(int n_rows, float (*p)[PAGE], uint32_t n, float *sum, float *max, float *keep) {
    quad greatest[TILE] = {0}, old = {0};
    float top[TILE];
    memcpy(&old, max, (size_t)n_rows * sizeof *max);
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        struct lanes lanes;
        UNROLL
        for (int i = 0; i < PARTS; i++)
            lanes.part[i] = greater(greater(splat(max[r]), load_floats(p[r] + i * WIDTH, WIDTH)),
                                    load_floats(p[r] + LANES + i * WIDTH, WIDTH));
        greatest[r] = fold_greatest(lanes);
    }
    quad tops = fold_four_greatest(greatest[0], greatest[1], greatest[2], greatest[3]), change = old - tops;
    change =
        (quad)((four)change & ~(four)(old == tops)); /* exp(0) = 1 where they are equal, infinite or not */
    vec kept = exp_lanes((vec){change[0], change[1], change[2], change[3]});
    memcpy(keep, &kept, TILE * sizeof *keep);
    memcpy(top, &tops, sizeof top);
    memcpy(max, &tops, (size_t)n_rows * sizeof *max);
    UNROLL
    for (int r = 0; r < n_rows; r++) {
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
    const float(*weights)[PAGE] = (const float(*)[PAGE])p;
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
        add_values(kind, n_rows, VECS, weights, keep, page, at, value, padded);
    if (at < padded) add_values(kind, n_rows, 1, weights, keep, page, at, value, padded);
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

/* Places [i, i + WIDTH) of a row; the q of a quantized one. */
INLINE vec load_row(mote_kv_type type, const uint8_t *row, uint32_t i) {
    typedef uint8_t sixteen __attribute__((vector_size(16)));
    sixteen nibbles;
    uint8_t q[16];
    if (type == MOTE_KV_F16) return load_f16(row + 2 * i);
    if (type == MOTE_KV_Q8_0) return load_i8(row + i);
    memcpy(&nibbles, row + i / 32 * 16, sizeof nibbles);
    nibbles = (i % 32 < 16 ? nibbles & 15 : nibbles >> 4) - 8;
    memcpy(q, &nibbles, sizeof q);
    return load_i8(q + i % 16);
}

/* Keys of all positions (of those never written it makes something), values of the first n; what lies ahead
 * is asked for. */
INLINE void unpack(mote_kv_type type, const uint8_t *page, uint32_t head_dim, uint32_t n, const uint8_t *next,
                   float *to) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(type, head_dim);
    int quantized = type != MOTE_KV_F16;
    for (uint64_t at = 0; at < l.bytes; at += 64)
        __builtin_prefetch(next + at);
    for (uint32_t e = 0; e < head_dim; e++, to += PAGE) {
        const uint8_t *scales = page + l.key_scales + (uint64_t)(e / MOTE_KERNEL_SHARE) * PAGE * 2;
        for (uint32_t t = 0; t < PAGE; t += WIDTH) {
            vec row = load_row(type, page + (uint64_t)e * l.key_bytes, t);
            store_floats(to + t, quantized ? row * load_f16(scales + 2 * t) : row, WIDTH);
        }
    }
    for (uint32_t t = 0; t < n; t++, to += l.padded) {
        const uint8_t *row = page + l.values + (uint64_t)t * l.value_bytes;
        const uint8_t *scales = page + l.value_scales + (uint64_t)t * l.n_scales * 2;
        for (uint32_t first = 0; first < l.padded; first += MOTE_KERNEL_SHARE, scales += quantized * 2) {
            uint32_t end = l.padded - first < MOTE_KERNEL_SHARE ? l.padded : first + MOTE_KERNEL_SHARE;
            uint16_t half = 0x3c00; /* 1 */
            memcpy(&half, scales, quantized ? sizeof half : 0);
            vec scale = splat(mote_base_f32_from_f16(half));
            for (uint32_t e = first; e < end; e += WIDTH)
                store_floats(to + e, load_row(type, row, e) * scale, WIDTH);
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
        unpack(type, page, a->head_dim, n_positions, a->next, a->page);
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
    quad rest = fold(sum);
    vec total = splat((rest[0] + rest[2]) + (rest[1] + rest[3]));
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
