/* SPDX-License-Identifier: Apache-2.0
 *
 * attend_s8_ref.c: attention in integers (kernel.h), which encoders with quantized matrices have, in plain loops:
 * the definition of its bits. Sums of products of bytes are exact, so that only the scales and the softmax between
 * the two products have an order. */
#include "kernel/level.h"
#include "kernel/page.h"

#include "base/float.h"
#include "base/memory.h"

#if !defined(MOTE_NO_ENCODERS)

enum { LANES = 16, PAGE = MOTE_KERNEL_PAGE, FOUR = 4 };

/* What x [n] is divided by so that its greatest magnitude becomes `most`; the inverse is 0 where all become 0. */
static float scale_of(const float *x, uint32_t n, float most, float *inverse) {
    uint32_t top = 0; /* magnitudes compare as integers do, and NaN is above all of them */
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits = mote_base_f32_bits(x[i]) & 0x7fffffff;
        top = bits > top ? bits : top;
    }
    float greatest = mote_base_f32_from_bits(top);
    *inverse = 0;
    if (top >= 0x7f800000) return mote_base_f32_from_bits(0x7fc00000);
    if (greatest < MOTE_KERNEL_TINY) return 0;
    *inverse = most / greatest;
    return greatest / most;
}

/* x · inverse to nearest even. 1.5·2^23 leaves that in the low bits. */
static int quantum(float x, float inverse) {
    if (inverse == 0) return 0;
    return (int)(mote_base_f32_bits(x * inverse + 0x1.8p23f) & 0x7fffff) - 0x400000;
}

static void keep_one(const float *key, const float *value, uint32_t head_dim, uint32_t at,
                     const struct mote_kernel_page_s8 *s) {
    float by_key, by_value;
    int32_t sum = 0;
    s->key_scales[at] = scale_of(key, head_dim, 127, &by_key);
    s->value_scales[at] = scale_of(value, head_dim, 127, &by_value);
    for (uint32_t e = 0; e < s->fours * FOUR; e++) {
        int q = e < head_dim ? quantum(key[e], by_key) : 0;
        s->keys[((uint64_t)e / FOUR * PAGE + at) * FOUR + e % FOUR] = (int8_t)q;
        sum += q;
    }
    s->key_starts[at] = -64 * sum;
    for (uint32_t e = 0; e < head_dim; e++)
        s->values[((uint64_t)at / FOUR * s->padded + e) * FOUR + at % FOUR] =
            (int8_t)quantum(value[e], by_value);
}

static void keep(const float *keys, const float *values, uint64_t stride, uint32_t n, uint32_t head_dim,
                 uint32_t at, void *page) {
    struct mote_kernel_page_s8 s = mote_kernel_page_open_s8(page, head_dim);
    for (uint32_t i = 0; i < n; i++)
        keep_one(keys + i * stride, values + i * stride, head_dim, at + i, &s);
}

static void ask(const struct mote_kernel_attention *a, uint32_t i, const float *query) {
    uint32_t padded = (a->head_dim + 15) / 16 * 16;
    uint8_t *q = mote_kernel_query_s8(a, i);
    float inverse, scale = scale_of(query, a->head_dim, 63, &inverse) * a->scale;
    for (uint32_t e = 0; e < padded; e++)
        q[e] = (uint8_t)((e < a->head_dim ? quantum(query[e], inverse) : 0) + 64);
    memcpy(q + padded, &scale, sizeof scale);
}

/* at: where the page begins, counted from that of the call's first; n positions of it are seen */
static void attend_one(const struct mote_kernel_attention *a, uint32_t i, const void *page, uint32_t at,
                       uint32_t n) {
    struct mote_kernel_page_s8 s = mote_kernel_page_open_s8(page, a->head_dim);
    const uint8_t *query = mote_kernel_query_s8(a, i);
    float *value = a->value + (uint64_t)i * s.padded, *sum = a->sum + (uint64_t)i * LANES;
    float p[PAGE] = {0}, w[PAGE], scale, inverse;
    int u[PAGE];
    memcpy(&scale, query + s.padded, sizeof scale);
    for (uint32_t t = 0; t < n; t++) {
        int32_t dot = s.key_starts[t];
        for (uint32_t e = 0; e < s.fours * FOUR; e++)
            dot += query[e] * s.keys[((uint64_t)e / FOUR * PAGE + t) * FOUR + e % FOUR];
        p[t] = (float)dot * (scale * s.key_scales[t]);
    }
    if (mote_kernel_is_near(a)) mote_kernel_hide(a, i, at, n, p);
    float kept = mote_kernel_soften__ref(p, n, &a->max[i]);
    for (uint32_t t = 0; t < LANES; t++)
        sum[t] = sum[t] * kept + p[t] + p[t + LANES];
    for (uint32_t t = 0; t < n; t++)
        w[t] = p[t] * s.value_scales[t];
    scale = scale_of(w, n, 127, &inverse);
    for (uint32_t t = 0; t < n; t++)
        u[t] = quantum(w[t], inverse);
    for (uint32_t e = 0; e < a->head_dim; e++) {
        int32_t dot = 0;
        for (uint32_t t = 0; t < n; t++)
            dot += u[t] * s.values[((uint64_t)t / FOUR * s.padded + e) * FOUR + t % FOUR];
        value[e] = value[e] * kept + (float)dot * scale;
    }
}

static void attend(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                   const void *const *pages, uint32_t n_positions) {
    for (uint32_t n_seen, at = 0; n_positions; pages++, at += PAGE, n_positions -= n_seen) {
        n_seen = n_positions < PAGE ? n_positions : PAGE;
        for (uint32_t i = first; i < first + n; i++)
            attend_one(a, i, *pages, at, n_seen);
    }
}

void mote_kernel_attend_s8_overlay__ref(struct mote_kernels *table) {
    table->keep_s8 = keep;
    table->ask_s8 = ask;
    table->attend[MOTE_KERNEL_KV_S8] = attend;
}

#endif
