/* SPDX-License-Identifier: Apache-2.0
 *
 * integer_simd128.c: what is around the sums of integers of encoders in WebAssembly, with relaxed SIMD and without:
 * making bytes of floats, and the softmax between attention's two products. */
#include "kernel/level.h"

#if defined(__wasm_simd128__) && !defined(MOTE_NO_ENCODERS)

#include "base/float.h"
#include "kernel/four_wasm.h"
#include "kernel/page.h"
#include "kernel/vector_wasm.h"

enum { PAGE = MOTE_KERNEL_PAGE, LANES = 16, QUERIES = 4, HEAD_MAX = 4096 /* model/config.c */ };

/* Modules for encoders save the bytes of an attention for floats of its own. */
#if defined(MOTE_NO_DECODERS) || defined(MOTE_KERNEL_EVERY_LEVEL)
#define INTEGER_ATTENDS_FLOATS 1
#else
#define INTEGER_ATTENDS_FLOATS 0
#endif

/* ---- bytes of floats ---- */

/* Four of x · inverse, which go to q, plus `more`, as words; 1.5·2^23 leaves the values, rounded to nearest even, in the low bits. 0
 * where the inverse is. */
INLINE vector quanta(const float *x, vector inverse, int32_t more, int8_t *q) {
    static const float constant[] = {0x1.8p23f};
    vector shift = load_splat(opaque(constant));
    vector words = wasm_i32x4_sub(wasm_f32x4_add(wasm_f32x4_mul(load(x), inverse), shift), shift);
    words = wasm_v128_and(words, wasm_f32x4_ne(inverse, splat(0)));
    vector halves = wasm_i32x4_add(words, splat(more));
    halves = wasm_i16x8_narrow_i32x4(halves, halves);
    wasm_v128_store32_lane(q, wasm_i8x16_narrow_i16x8(halves, halves), 0);
    return words;
}

/* The same of sixteen; returns the sums of fours. Where bytes are few the above does it. */
INLINE vector many_quanta(const float *x, vector inverse, int32_t more, int8_t *q) {
    vector shift = wasm_f32x4_const_splat(0x1.8p23f), four[4];
    UNROLL
    for (int j = 0; j < 4; j++)
        four[j] = wasm_i32x4_sub(wasm_f32x4_add(wasm_f32x4_mul(load(x + 4 * j), inverse), shift), shift);
    vector bytes = wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(four[0], four[1]),
                                           wasm_i16x8_narrow_i32x4(four[2], four[3]));
    bytes = wasm_v128_and(bytes, wasm_f32x4_ne(inverse, splat(0)));
    store(q, wasm_i8x16_add(bytes, wasm_i8x16_splat((int8_t)more)));
    return wasm_i32x4_extadd_pairwise_i16x8(wasm_i16x8_extadd_pairwise_i8x16(bytes));
}

/* The greatest lane, as integers. */
INLINE uint32_t greatest(vector v) {
    v = wasm_i32x4_max(v, wasm_i64x2_shuffle(v, v, 1, 0));
    uint32_t a = (uint32_t)wasm_i32x4_extract_lane(v, 0), b = (uint32_t)wasm_i32x4_extract_lane(v, 1);
    return a > b ? a : b;
}

/* What values are divided by, of which this is the greatest magnitude's bits, to be at most `most`; the inverse is 0
 * where all become 0. Magnitudes compare as integers do, and NaN is above all of them. */
PART float scale_of(uint32_t bits, float most, float *inverse) {
    float top = mote_base_f32_from_bits(bits);
    *inverse = 0;
    if (bits >= 0x7f800000) return mote_base_f32_from_bits(0x7fc00000);
    if (top < MOTE_KERNEL_TINY) return 0;
    *inverse = most / top;
    return top / most;
}

/* x [n] becomes q, n up to 4, of which the greatest magnitude is `most`, and the sum of that; what x was divided by. To q
 * comes `more`. */
PART float round_all(const float *x, uint32_t n, float most, int32_t more, int8_t *q, int32_t *total) {
    uint32_t whole = n & ~3u;
    float rest[4] = {0}, inverse;
    memcpy(rest, x + whole, (n - whole) * sizeof *x);
    vector top = wasm_f32x4_abs(load(rest)), sum = splat(0);
    ROLLED
    for (uint32_t i = 0; i < whole; i += 4)
        top = wasm_i32x4_max(top, wasm_f32x4_abs(load(x + i)));
    float scale = scale_of(greatest(top), most, &inverse);
    uint32_t at = 0;
    ROLLED
    for (; !IS_SMALL && at + 16 <= n; at += 16)
        sum = wasm_i32x4_add(sum, many_quanta(x + at, wasm_f32x4_splat(inverse), more, q + at));
    ROLLED
    for (uint32_t i = at; i < n; i += 4)
        sum = wasm_i32x4_add(sum, quanta(i < whole ? x + i : rest, wasm_f32x4_splat(inverse), more, q + i));
    sum = wasm_i32x4_add(sum, wasm_i64x2_shuffle(sum, sum, 1, 0));
    *total = wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1);
    return scale;
}

static void quantize_wide(const float *x, uint32_t k, uint32_t block, int8_t *q, float *scale,
                          int32_t *start) {
    for (uint32_t i = 0; i < k; i += block) {
        *scale++ = round_all(x + i, k - i < block ? k - i : block, 127, 0, q + i, start);
        *start++ *= -128;
    }
}

static void ask(const struct mote_kernel_attention *a, uint32_t i, const float *query) {
    uint8_t *q = mote_kernel_query_s8(a, i);
    int32_t total;
    float scale = round_all(query, a->head_dim, 63, 64, (int8_t *)q, &total) * a->scale;
    memcpy(q + (a->head_dim + 15) / 16 * 16, &scale, sizeof scale);
}

/* A position's key goes four elements at a time, its value one by one. */
static void keep(const float *keys, const float *values, uint64_t stride, uint32_t n, uint32_t head_dim,
                 uint32_t at, void *page) {
    struct mote_kernel_page_s8 s = mote_kernel_page_open_s8(page, head_dim);
    int8_t q[HEAD_MAX];
    for (const uint32_t end = at + n; at < end; at++, keys += stride, values += stride) {
        int8_t *to = s.keys + 4 * at;
        s.key_scales[at] = round_all(keys, head_dim, 127, 0, q, &s.key_starts[at]);
        s.key_starts[at] *= -64;
        ROLLED
        for (uint32_t e = 0; e < head_dim; e += 4, to += 4 * PAGE)
            memcpy(to, q + e, 4);
        to = s.values + at / 4 * 4 * s.padded + at % 4;
        int32_t total;
        s.value_scales[at] = round_all(values, head_dim, 127, 0, q, &total);
        ROLLED
        for (uint32_t e = 0; e < head_dim; e++, to += 4)
            *to = q[e];
    }
}

/* ---- attention ---- */

/* Four queries over a page. */
struct four {
    float s[QUERIES][PAGE];  /* scores, then p · d of the value */
    int8_t u[QUERIES][PAGE]; /* that as bytes */
    uint32_t unseen[PAGE];   /* all bits, or 0 */
    float value_scale[PAGE]; /* 0: unseen */
    float query_scale[QUERIES];
    float max[QUERIES];
    float change[QUERIES]; /* what value and sum before are multiplied with */
    float scale[QUERIES];  /* d of u */
    const float *query[QUERIES];
    float *value[QUERIES], *sum[QUERIES];
};

INLINE vector times(vector a, const float *b) {
    return wasm_f32x4_mul(a, load_splat(b));
}

/* The greater of a and b, a where they cannot be compared. */
INLINE vector greater(vector a, vector b) {
    return wasm_f32x4_pmax(a, b);
}

/* What scores are of sums of integers, [4][PAGE]. */
PART void score(struct four *f, const struct mote_kernel_page_s8 *page, const int32_t *sums) {
    ROLLED
    for (int i = 0; i < QUERIES * PAGE; i += 4) {
        vector sum = wasm_i32x4_add(load(sums + i), load(page->key_starts + i % PAGE));
        vector scale = times(load(page->key_scales + i % PAGE), f->query_scale + i / PAGE);
        store(f->s[0] + i, wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), scale));
    }
}

/* exp(s − max) of query q, which goes into its sum and, times the values' scales, back; the greatest of that. */
INLINE vector weigh(struct four *f, int q) {
    float *s = f->s[q], *sum = f->sum[q];
    vector change = load_splat(f->change + q), max = load_splat(f->max + q), top = splat(0);
    ROLLED
    for (int t = 0; t < LANES; t += 4) {
        vector p = wasm_f32x4_mul(load(sum + t), change);
        ROLLED
        for (int i = t; i < PAGE; i += LANES) {
            vector e = mote_kernel_exp__simd128(wasm_f32x4_sub(load(s + i), max));
            e = wasm_v128_andnot(e, load(f->unseen + i));
            p = wasm_f32x4_add(p, e);
            e = wasm_f32x4_mul(e, load(f->value_scale + i));
            store(s + i, e);
            top = wasm_i32x4_max(top, wasm_f32x4_abs(e));
        }
        store(sum + t, p);
    }
    return top;
}

/* From scores to u, change and scale; moves max and sum. */
PART void soften(struct four *f) {
    vector old = load(f->max), most;
    ROLLED
    for (int q = 0; q < QUERIES; q++) {
        vector top = load_splat(f->max + q);
        ROLLED
        for (int t = 0; t < PAGE; t += 4) /* NaN is passed over */
            top = greater(top, wasm_v128_or(load(f->s[q] + t), load(f->unseen + t)));
        top = greater(top, wasm_i64x2_shuffle(top, top, 1, 0));
        float a = wasm_f32x4_extract_lane(top, 0), b = wasm_f32x4_extract_lane(top, 1);
        f->max[q] = a < b ? b : a;
    }
    most = load(f->max);
    most = wasm_v128_andnot(wasm_f32x4_sub(old, most), wasm_f32x4_eq(old, most));
    store(f->change, mote_kernel_exp__simd128(most));
    ROLLED
    for (int q = 0; q < QUERIES; q++) {
        float inverse;
        f->scale[q] = scale_of(greatest(weigh(f, q)), 127, &inverse);
        ROLLED
        for (int t = 0; t < PAGE; t += IS_SMALL ? 4 : 16)
            (void)(IS_SMALL ? quanta : many_quanta)(f->s[q] + t, wasm_f32x4_splat(inverse), 0, f->u[q] + t);
    }
}

/* value = value · change + …, of sums of integers, [4][E'] */
PART void add_values(const struct four *f, uint32_t padded, const int32_t *sums) {
    for (int q = 0; q < QUERIES; q++) {
        vector change = load_splat(f->change + q), scale = load_splat(f->scale + q);
        ROLLED
        for (float *to = f->value[q], *end = to + padded; to < end; to += 4, sums += 4)
            store(to, wasm_f32x4_add(wasm_f32x4_mul(load(to), change),
                                     wasm_f32x4_mul(wasm_f32x4_convert_i32x4(load(sums)), scale)));
    }
}

/* The two products over a page of floats, of which n positions are seen. */
PART void score_floats(struct four *f, const float *keys, uint32_t head_dim, const float *scale) {
    memset(f->s, 0, sizeof f->s);
    for (int i = 0; i < QUERIES * PAGE; i += LANES)
        mote_kernel_add_rows__simd128(f->s[0] + i, f->query[i / PAGE], 1, keys + i % PAGE, PAGE, head_dim);
    ROLLED
    for (int i = 0; i < QUERIES * PAGE; i += 4)
        store(f->s[0] + i, times(load(f->s[0] + i), scale));
}

PART void add_float_values(const struct four *f, uint32_t padded, const float *values, uint32_t n) {
    for (int q = 0; q < QUERIES; q++)
        for (uint32_t e = 0; e < padded; e += LANES)
            mote_kernel_add_rows__simd128(f->value[q] + e, f->s[q], f->change[q], values + e, padded, n);
}

/* Queries i and those that follow, n ≤ 4; for those that are missing the last is gone through for nothing. No dots: the
 * page is one of floats. */
PART void attend_four(mote_kernel_dots_four *dots, const struct mote_kernel_attention *a, uint32_t i,
                      uint32_t n, struct four *f, const float *floats, const struct mote_kernel_page_s8 *page,
                      uint32_t at, uint32_t n_seen) {
    float *waste = a->page;
    int32_t *sums = (int32_t *)(void *)(waste + page->padded + LANES);
    const int8_t *u[QUERIES] = {f->u[0], f->u[1], f->u[2], f->u[3]};
    ROLLED
    for (uint32_t c = 0; c < QUERIES; c++) {
        uint32_t q = c < n ? i + c : i + n - 1;
        f->query[c] = a->query + q * page->padded;
        memcpy(f->query_scale + c, mote_kernel_query_s8(a, q) + page->padded, sizeof *f->query_scale);
        f->max[c] = a->max[q];
        f->value[c] = c < n ? a->value + q * page->padded : waste;
        f->sum[c] = c < n ? a->sum + q * LANES : waste + page->padded;
    }
    if (dots) {
        dots(page->keys, PAGE, 4 * PAGE, (const int8_t *const *)f->query, 4 * page->fours, sums);
        score(f, page, sums);
    } else {
        score_floats(f, floats, a->head_dim, &a->scale);
    }
    for (uint32_t c = 0; mote_kernel_is_near(a) && c < n; c++)
        mote_kernel_hide(a, i + c, at, n_seen, f->s[c]);
    soften(f);
    if (dots) {
        dots(page->values, page->padded, 4 * page->padded, u, PAGE, sums);
        add_values(f, page->padded, sums);
    } else {
        add_float_values(f, page->padded, floats + a->head_dim * PAGE, n_seen);
    }
    memcpy(a->max + i, f->max, n * sizeof *f->max);
}

/* All positions of a page are gone through, seen or not: those that are not have a weight of 0. */
void mote_kernel_attend_s8__simd128(mote_kernel_dots_four *dots, const struct mote_kernel_attention *a,
                                    uint32_t first, uint32_t n, const void *const *pages,
                                    uint32_t n_positions) {
    struct four f;
    for (uint32_t n_seen, at = 0; n_positions; pages++, at += PAGE, n_positions -= n_seen) {
        struct mote_kernel_page_s8 page = mote_kernel_page_open_s8(*pages, a->head_dim);
        n_seen = n_positions < PAGE ? n_positions : PAGE;
        ROLLED
        for (uint32_t t = 0; t < PAGE; t++) {
            f.unseen[t] = t < n_seen ? 0 : ~0u;
            f.value_scale[t] = !dots ? 1 : t < n_seen ? page.value_scales[t] : 0;
        }
        for (uint32_t i = 0; i < n; i += QUERIES)
            attend_four(dots, a, first + i, n - i < QUERIES ? n - i : QUERIES, &f, *pages, &page, at, n_seen);
    }
}

#if INTEGER_ATTENDS_FLOATS
static void attend_f32(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                       const void *const *pages, uint32_t n_positions) {
    mote_kernel_attend_s8__simd128(NULL, a, first, n, pages, n_positions);
}
#endif

void mote_kernel_integer_overlay__simd128(struct mote_kernels *table) {
    table->quantize_wide = quantize_wide;
    table->keep_s8 = keep;
    table->ask_s8 = ask;
#if INTEGER_ATTENDS_FLOATS
    table->attend[MOTE_KV_F32] = attend_f32;
#endif
}

#endif
