/* SPDX-License-Identifier: Apache-2.0
 *
 * page.h: where things lie in the page of one kv head: 32 positions of E elements.
 *
 *     keys         [E][32]        row e: that element of all positions
 *     values       [32][E']       row t: that position's elements; E' is E rounded up to 16
 *     key scales   [E/32][32]     f16, only of quantized pages; E/32 is rounded up
 *     value scales [32][E/32]     f16
 *
 *     F32, F16    rows of floats
 *     Q8_0        rows of int8; an element is q · scale of its position and 32 elements, one f32 product
 *     Q4_0        the same with q from −8 to 7, stored as q + 8; 32 values in sixteen bytes, the first sixteen
 *                 in the low halves:   ├ 16 │ 0 ┤├ 17 │ 1 ┤ …  ├ 31 │ 15 ┤
 *
 * Keys lie across because a score is the sum over e: the positions of a page are summed side by side, each in
 * the order of e, whatever the width of the machine's vectors.
 *
 * S8 lies as dots of four bytes read it: E4 is E rounded up to 4.
 *
 *     keys         s8 [E4/4][32][4]    four elements of each position; beyond E they are 0
 *     values       s8 [8][E'][4]       four positions of each element
 *     key scales   f32 [32]
 *     key starts   i32 [32]            −64·Σ q of the key, for queries that are 64 too great
 *     value scales f32 [32] */
#ifndef MOTE_KERNEL_PAGE_H
#define MOTE_KERNEL_PAGE_H

#include "kernel/kernel.h"

enum { MOTE_KERNEL_SHARE = 32 }; /* elements that share a scale */

struct mote_kernel_page_layout {
    uint32_t key_bytes, value_bytes; /* of a row */
    uint32_t padded, n_scales;       /* E', E/32 */
    uint64_t values, key_scales, value_scales, bytes;
};

static inline uint32_t mote_kernel_page_row(mote_kv_type type, uint32_t n) {
    return type == MOTE_KV_F32    ? 4 * n
           : type == MOTE_KV_F16  ? 2 * n
           : type == MOTE_KV_Q8_0 ? n
                                  : (n + 31) / 32 * 16;
}

static inline struct mote_kernel_page_layout mote_kernel_page_describe(mote_kv_type type, uint32_t head_dim) {
    struct mote_kernel_page_layout l = {0};
    int quantized = type == MOTE_KV_Q8_0 || type == MOTE_KV_Q4_0;
    l.padded = (head_dim + 15) / 16 * 16;
    l.n_scales = (head_dim + MOTE_KERNEL_SHARE - 1) / MOTE_KERNEL_SHARE;
    l.key_bytes = mote_kernel_page_row(type, MOTE_KERNEL_PAGE);
    l.value_bytes = mote_kernel_page_row(type, l.padded);
    uint64_t scales = quantized ? (uint64_t)l.n_scales * MOTE_KERNEL_PAGE * sizeof(uint16_t) : 0;
    l.values = (uint64_t)l.key_bytes * head_dim;
    l.key_scales = l.values + (uint64_t)l.value_bytes * MOTE_KERNEL_PAGE;
    l.value_scales = l.key_scales + scales;
    l.bytes = (l.value_scales + scales + 63) / 64 * 64;
    return l;
}

/* Places in a page of S8. */
struct mote_kernel_page_s8 {
    int8_t *keys, *values;
    float *key_scales;
    int32_t *key_starts;
    float *value_scales;
    uint32_t fours, padded; /* E4/4, E' */
};

static inline uint64_t mote_kernel_page_bytes_s8(uint32_t head_dim) {
    uint32_t row = (head_dim + 3) / 4 * 4 + (head_dim + 15) / 16 * 16;
    return ((uint64_t)row + 3 * sizeof(float)) * MOTE_KERNEL_PAGE;
}

static inline struct mote_kernel_page_s8 mote_kernel_page_open_s8(const void *page, uint32_t head_dim) {
    struct mote_kernel_page_s8 s = {.fours = (head_dim + 3) / 4, .padded = (head_dim + 15) / 16 * 16};
    s.keys = (int8_t *)(uintptr_t)page;
    s.values = s.keys + (uint64_t)s.fours * 4 * MOTE_KERNEL_PAGE;
    s.key_scales = (float *)(void *)(s.values + (uint64_t)s.padded * MOTE_KERNEL_PAGE);
    s.key_starts = (int32_t *)(void *)(s.key_scales + MOTE_KERNEL_PAGE);
    s.value_scales = s.key_scales + 2 * MOTE_KERNEL_PAGE;
    return s;
}

/* Query i as ask_s8 leaves it: [E'], and behind them its d. */
static inline uint8_t *mote_kernel_query_s8(const struct mote_kernel_attention *a, uint32_t i) {
    uint32_t padded = (a->head_dim + 15) / 16 * 16;
    return (uint8_t *)(a->query + (uint64_t)i * padded);
}

/* Whether queries see only what is near; language models' do not. */
static inline int mote_kernel_is_near(const struct mote_kernel_attention *a) {
#if defined(MOTE_NO_ENCODERS)
    (void)a;
    return 0;
#else
    return a->reach > 0;
#endif
}

/* Scores [n] of query i, from that of position t of the call's pages on: −infinity for what is out of reach. */
static inline void mote_kernel_hide(const struct mote_kernel_attention *a, uint32_t i, uint32_t t, uint32_t n,
                                    float *scores) {
    uint32_t stands = a->position[i], looks = a->at + t;
    for (uint32_t j = 0; j < n; j++, looks++)
        if ((stands < looks ? looks - stands : stands - looks) >= a->reach) scores[j] = -__builtin_inff();
}

#endif
