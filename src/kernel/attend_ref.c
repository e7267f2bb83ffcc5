/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_ref.c: attention in plain loops, the definition of its bits, and the writing of pages, which for
 * quantized ones is done here for every machine: it happens once for a position, reading once for each later
 * one. */
#include "kernel/level.h"
#include "kernel/page.h"

#include "base/float.h"
#include "base/math.h"
#include "base/memory.h"

enum { LANES = 16, PAGE = MOTE_KERNEL_PAGE, SHARE = MOTE_KERNEL_SHARE };

/* ---- writing ---- */

static void keep_f32(const float *key, const float *value, uint32_t head_dim, uint32_t at, void *page) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(MOTE_KV_F32, head_dim);
    float *keys = page, *values = keys + l.values / sizeof(float) + (uint64_t)at * l.padded;
    for (uint32_t e = 0; e < head_dim; e++)
        keys[(uint64_t)e * PAGE + at] = key[e];
    memcpy(values, value, head_dim * sizeof *values);
}

#if !defined(MOTE_NO_DECODERS) /* encoders keep floats, or what attend_s8_ref.c makes of them */

static void keep_f16(const float *key, const float *value, uint32_t head_dim, uint32_t at, void *page) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(MOTE_KV_F16, head_dim);
    uint16_t *keys = page, *values = keys + l.values / sizeof(uint16_t) + (uint64_t)at * l.padded;
    for (uint32_t e = 0; e < head_dim; e++) {
        keys[(uint64_t)e * PAGE + at] = mote_base_f16_from_f32(key[e]);
        values[e] = mote_base_f16_from_f32(value[e]);
    }
}

/* The scale of n ≤ 32 values, an f16: the greatest magnitude becomes 127, or, of four bits, −8 (so it takes
 * the sign that makes it so; of two equal ones that of the positive). NaN where one is not finite. */
static uint16_t scale_of(mote_kv_type type, const float *x, uint32_t n) {
    float least = 0, most = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!(x[i] - x[i] == 0)) return 0x7e00;
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    float extreme = most >= -least ? most : least;
    if (type == MOTE_KV_Q4_0) return mote_base_f16_from_f32(extreme / -8.0f);
    return mote_base_f16_from_f32((extreme < 0 ? -extreme : extreme) / 127.0f);
}

/* x / scale to nearest even, within what the type holds; 0 where that is no number. */
static int quantum(mote_kv_type type, float x, float inverse) {
    float least = type == MOTE_KV_Q4_0 ? -8.0f : -127.0f, most = type == MOTE_KV_Q4_0 ? 7.0f : 127.0f;
    float q = x * inverse;
    if (!(q == q)) return 0;
    q = q < least ? least : q > most ? most : q;
    return (int)(q + 0x1.8p23f - 0x1.8p23f);
}

/* Puts q into place i of a row. */
static void put(mote_kv_type type, uint8_t *row, uint32_t i, int q) {
    uint8_t *byte = row + (type == MOTE_KV_Q4_0 ? i / 32 * 16 + i % 16 : i);
    if (type == MOTE_KV_Q8_0)
        *byte = (uint8_t)q;
    else if (i % 32 < 16)
        *byte = (uint8_t)((*byte & 0xf0) | (q + 8));
    else
        *byte = (uint8_t)((*byte & 0x0f) | (q + 8) << 4);
}

static void keep_quantized(mote_kv_type type, const float *key, const float *value, uint32_t head_dim,
                           uint32_t at, uint8_t *page) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(type, head_dim);
    for (uint32_t first = 0, group = 0; first < head_dim; first += SHARE, group++) {
        uint32_t n = head_dim - first < SHARE ? head_dim - first : SHARE;
        uint16_t key_scale = scale_of(type, key + first, n), value_scale = scale_of(type, value + first, n);
        float key_inverse = 1.0f / mote_base_f32_from_f16(key_scale);
        float value_inverse = 1.0f / mote_base_f32_from_f16(value_scale);
        memcpy(page + l.key_scales + ((uint64_t)group * PAGE + at) * 2, &key_scale, 2);
        memcpy(page + l.value_scales + ((uint64_t)at * l.n_scales + group) * 2, &value_scale, 2);
        for (uint32_t e = first; e < first + n; e++) {
            put(type, page + (uint64_t)e * l.key_bytes, at, quantum(type, key[e], key_inverse));
            put(type, page + l.values + (uint64_t)at * l.value_bytes, e,
                quantum(type, value[e], value_inverse));
        }
    }
}

static void keep_q8_0(const float *key, const float *value, uint32_t head_dim, uint32_t at, void *page) {
    keep_quantized(MOTE_KV_Q8_0, key, value, head_dim, at, page);
}

static void keep_q4_0(const float *key, const float *value, uint32_t head_dim, uint32_t at, void *page) {
    keep_quantized(MOTE_KV_Q4_0, key, value, head_dim, at, page);
}

#endif

/* ---- reading ---- */

/* Element i of a row; scale is that of a quantized one. */
static float get(mote_kv_type type, const uint8_t *row, uint32_t i, const uint8_t *scale) {
    float value;
    uint16_t half;
    if (type == MOTE_KV_F32) {
        memcpy(&value, row + (uint64_t)i * sizeof value, sizeof value);
        return value;
    }
    memcpy(&half, type == MOTE_KV_F16 ? row + (uint64_t)i * sizeof half : scale, sizeof half);
    value = mote_base_f32_from_f16(half);
    if (type == MOTE_KV_F16) return value;
    if (type == MOTE_KV_Q8_0) return (float)(int8_t)row[i] * value;
    return (float)((row[i / 32 * 16 + i % 16] >> (i % 32 < 16 ? 0 : 4) & 15) - 8) * value;
}

/* The first n positions as floats: keys [E][32], values [32][E']. */
static void unpack(mote_kv_type type, const uint8_t *page, uint32_t head_dim, uint32_t n, float *to) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(type, head_dim);
    float *values = to + (uint64_t)head_dim * PAGE;
    for (uint32_t e = 0; e < head_dim; e++) {
        for (uint32_t t = 0; t < n; t++) {
            uint64_t group = e / SHARE;
            to[(uint64_t)e * PAGE + t] =
                get(type, page + (uint64_t)e * l.key_bytes, t, page + l.key_scales + (group * PAGE + t) * 2);
            values[(uint64_t)t * l.padded + e] = get(type, page + l.values + (uint64_t)t * l.value_bytes, e,
                                                     page + l.value_scales + (t * l.n_scales + group) * 2);
        }
    }
}

static float greater(float a, float b) {
    return b > a ? b : a;
}

float mote_kernel_soften__ref(float *s, uint32_t n, float *max) {
    float lane[LANES], change;
    for (int j = 0; j < LANES; j++)
        lane[j] = *max;
    for (uint32_t t = 0; t < n; t++)
        lane[t % LANES] = greater(lane[t % LANES], s[t]);
    for (int step = LANES / 2; step; step /= 2)
        for (int j = 0; j < step; j++)
            lane[j] = greater(lane[j], lane[j + step]);
    for (uint32_t t = 0; t < n; t++)
        s[t] = mote_base_exp(s[t] - lane[0]);
    change = *max == lane[0] ? 0.0f : *max - lane[0];
    *max = lane[0];
    return mote_base_exp(change);
}

/* at: where the page begins, counted from that of the call's first */
static void attend_one(const struct mote_kernel_attention *a, uint32_t i, uint32_t at, uint32_t n) {
    uint32_t e, t, padded = (a->head_dim + 15) / 16 * 16;
    const float *query = a->query + (uint64_t)i * padded, *values = a->page + (uint64_t)a->head_dim * PAGE;
    float *value = a->value + (uint64_t)i * padded, *sum = a->sum + (uint64_t)i * LANES, p[PAGE] = {0};
    for (t = 0; t < n; t++) {
        float score = 0;
        for (e = 0; e < a->head_dim; e++)
            score = score + query[e] * a->page[(uint64_t)e * PAGE + t];
        p[t] = score * a->scale;
    }
    if (mote_kernel_is_near(a)) mote_kernel_hide(a, i, at, n, p);
    float keep = mote_kernel_soften__ref(p, n, &a->max[i]);
    for (t = 0; t < LANES; t++)
        sum[t] = sum[t] * keep + p[t] + p[t + LANES];
    for (e = 0; e < a->head_dim; e++) {
        float total = value[e] * keep;
        for (t = 0; t < n; t++)
            total = total + p[t] * values[(uint64_t)t * padded + e];
        value[e] = total;
    }
}

static void attend(mote_kv_type type, const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                   const void *const *pages, uint32_t n_positions) {
    for (uint32_t n_seen, at = 0; n_positions; pages++, at += PAGE, n_positions -= n_seen) {
        n_seen = n_positions < PAGE ? n_positions : PAGE;
        unpack(type, *pages, a->head_dim, n_seen, a->page);
        for (uint32_t i = first; i < first + n; i++)
            attend_one(a, i, at, n_seen);
    }
}

static void attend_f16(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                       const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_F16, a, first, n, pages, n_positions);
}

static void attend_f32(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                       const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_F32, a, first, n, pages, n_positions);
}

static void attend_q8_0(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                        const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_Q8_0, a, first, n, pages, n_positions);
}

static void attend_q4_0(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                        const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_Q4_0, a, first, n, pages, n_positions);
}

static void attend_end(const struct mote_kernel_attention *a, uint32_t i, float *out) {
    const float *value = a->value + (uint64_t)i * ((a->head_dim + 15) / 16 * 16);
    float lane[LANES];
    memcpy(lane, a->sum + (uint64_t)i * LANES, sizeof lane);
    for (int step = LANES / 2; step; step /= 2)
        for (int j = 0; j < step; j++)
            lane[j] = lane[j] + lane[j + step];
    for (uint32_t e = 0; e < a->head_dim; e++)
        out[e] = value[e] / lane[0];
}

void mote_kernel_keep_overlay__ref(struct mote_kernels *table) {
    table->keep[MOTE_KV_F32] = keep_f32;
#if !defined(MOTE_NO_DECODERS)
    table->keep[MOTE_KV_F16] = keep_f16;
    table->keep[MOTE_KV_Q8_0] = keep_q8_0;
    table->keep[MOTE_KV_Q4_0] = keep_q4_0;
#endif
}

void mote_kernel_attend_overlay__ref(struct mote_kernels *table) {
    mote_kernel_keep_overlay__ref(table);
    table->attend_end = attend_end;
    table->attend[MOTE_KV_F16] = attend_f16;
    table->attend[MOTE_KV_F32] = attend_f32;
    table->attend[MOTE_KV_Q8_0] = attend_q8_0;
    table->attend[MOTE_KV_Q4_0] = attend_q4_0;
}
