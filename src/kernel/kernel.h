/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel.h: the maths of mote on plain arrays, and the contract that makes every instruction set give the
 * same bits.
 *
 * QUANTIZED PRODUCTS. Each quantized weight type decodes to one canonical form: for each group of `group` (16
 * or 32) consecutive values of a row, int8 q, an f32 scale and, for some types, an f32 min: w = scale·q −
 * min. Activations are quantized to blocks of 32: int8 x in ±127 with an f32 scale d = amax/127. One output
 * is
 *
 *     acc = 0
 *     for each group g of the row, in order:
 *         idot = Σ q·x over the group                        exact, in integers, any order
 *         acc  = acc + (float)idot · (scale[g] · d[block of g])
 *         if the type has a min:
 *         acc  = acc − min[g] · (d[block of g] · (float)Σ x over the group)
 *
 * with every · + − one IEEE f32 operation, rounded to nearest even, never fused. An instruction set may
 * compute any number of outputs side by side, one per lane; it may not change this order within one.
 *
 * PANELS. Sixteen rows at a time are decoded into a panel: u8 (q + offset) interleaved so that one 64-byte
 * vector holds four consecutive values of each of the sixteen rows,
 *
 *     q[K/4][16][4]    scale[K/group][16]    min[K/group][16]
 *
 * and multiplied with all T columns; unsigned × signed dot instructions then start at −offset·Σx instead of
 * 0.
 *
 * PACKED PRODUCTS. The matrices of an encoder are made anew when it is opened, whatever type the file has: int8
 * with an f32 scale for each row and span of 128 values, and its activations go in blocks of 64 (of either, the
 * last of a row may be shorter: K is a multiple of 32). Quantizing is one rule for both, top the greatest
 * magnitude:
 *
 *     scale = top/127      q = v·(127/top) to nearest even      scale = 0, q = 0 where top is below
 *     MOTE_KERNEL_TINY, scale = NaN, q = 0 where there is NaN or infinity
 *
 * A weight is v = scale·q − min as the file has it. One output, of the blocks' scales d and the spans' s:
 *
 *     acc = 0
 *     for each span of the row, in order:
 *         part = 0
 *         for each block of it, in order:      part = part + (float)idot · d
 *         acc = acc + part · s
 *     y = acc, + bias where there is one
 *
 * so that of what an output takes besides integers, three fifths are gone. A panel is q + 128, as above, and
 * scale [⌈K/128⌉][16].
 *
 * FLOAT WORK (float weights, norms, attention) has vectors of sixteen lanes on every machine: element i
 * belongs to lane i % 16, each lane adds its own in order, and the sixteen are added by one fixed tree: for
 * step 8, 4, 2, 1: lane[j] = lane[j] + lane[j + step], j < step.
 *
 * ATTENTION has one output per lane, like the products. What one kv head keeps of 32 consecutive positions,
 * counted from the first of a sequence, is a page: keys lie with the positions side by side, values with the
 * elements side by side (page.h draws the types of them), so that
 *
 *     scores [32] = q [E] × keys [E][32]          and          out [E] = p [32] × values [32][E]
 *
 * are the same loop twice: an element of the left times a row of the right, added in order. Positions of a
 * page that nothing was written to are masked out and never reach a result.
 *
 * Pages of encoders whose matrices are quantized hold int8 alone, with one scale for what a position's key has in
 * a head and one for its value (S8, page.h), and both products are of integers: a query becomes seven bits when it
 * is asked, the weights of a page when they are known. With quantum(x, top, n) = x·(n/top) to nearest even, and of
 * what has no finite top, or one below MOTE_KERNEL_TINY, d = NaN or 0 and all quanta 0:
 *
 *     key, value   d = top/127, q = quantum(x, top, 127)               top: the greatest |x| of the E elements
 *     query        d = (top/63)·scale, q = quantum(x, top, 63) + 64    1 … 127
 *     weights      d = top/127, u = quantum(w, top, 127)               of w = p·d of the value, over the page: 0 … 127
 *
 * so that every machine's dot of four unsigned and four signed bytes is exact.
 *
 * Functions are reached through a table that mote_kernel_select fills: first with the reference, then
 * overlaid by what the CPU can do, weakest first. No globals; a table is constant after it is filled. */
#ifndef MOTE_KERNEL_KERNEL_H
#define MOTE_KERNEL_KERNEL_H

#include <stdint.h>

#include "base/type.h"
#include "mote/mote.h"

enum {
    MOTE_KERNEL_ROWS = 16,       /* rows of a panel */
    MOTE_KERNEL_BLOCK = 32,      /* values of an activation block */
    MOTE_KERNEL_WIDE_BLOCK = 64, /* of one of packed products, */
    MOTE_KERNEL_WIDE_SPAN = 128, /* and of a row that share a scale */
    MOTE_KERNEL_PAGE = 32,       /* positions of a page of the KV cache */
    MOTE_KERNEL_TOGETHER = 2,    /* most pages that attend takes at a time */
    MOTE_KERNEL_KV = 4,          /* values of mote_kv_type */
    MOTE_KERNEL_KV_S8 = 4,       /* the one beside them, which is encode.c's choice, not a user's */
    MOTE_KERNEL_DIRECT = 4,      /* most columns of direct, */
    MOTE_KERNEL_WIDE = 8,        /* and where a block has more bytes than values */
    MOTE_KERNEL_SPAN = 256,      /* values that direct takes at a time, and the fewest */
};

/* An activation block below this is taken as zero: 127/amax must stay finite. */
#define MOTE_KERNEL_TINY 0x1p-100f

/* Quantized activations, T columns of K values (K a multiple of 32); those of packed products in brackets. */
struct mote_kernel_x8 {
    int8_t *q;    /* [T][K] */
    float *scale; /* [T][K/32], ([T][⌈K/64⌉]) */
    int16_t *sum; /* [T][K/16]  Σ q over each 16 */
    int32_t *start; /* ([T][⌈K/64⌉]  −128·Σ q over each block: where sums with q + 128 of weights start) */
};

/* Sixteen decoded rows; what packed ones have in brackets. */
struct mote_kernel_panel {
    uint8_t *q;        /* [K/4][16][4] */
    float *scale;      /* [K/group][16], ([⌈K/128⌉][16]) */
    float *min;        /* [K/group][16], or unused */
    const float *bias; /* ([16], added to what each column becomes, or NULL) */
};

/* Bytes of a file. */
struct mote_kernel_ahead {
    const uint8_t *bytes;
    uint64_t n;
};

/* Decodes n_blocks consecutive blocks of one row: q [n·elements] int8 without offset, scale and min
 * [n·elements/group]. Source: each type's layout is drawn in the file that decodes it. */
typedef void mote_kernel_decode(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                float *min);

/* y[t·y_stride + 16·p + r] = row r of panel p · column t, for r < 16, p < n_panels (1 to 8), t < T. info says
 * group, offset, has_min. The greatest q + offset is 2·offset, 127 for offset 64, 255 for 128; where there is
 * a min, 15 if a block has no more than five bits a value and 31 if it has. ahead: what will be wanted next;
 * it may be fetched into the cache meanwhile. */
typedef void mote_kernel_multiply(const struct mote_base_type_info *info,
                                  const struct mote_kernel_panel *panels, uint32_t n_panels, uint32_t k,
                                  const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                                  uint64_t y_stride, struct mote_kernel_ahead ahead);

/* The same of packed panels. */
typedef void mote_kernel_multiply_packed(const struct mote_kernel_panel *panels, uint32_t n_panels,
                                         uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns,
                                         float *y, uint64_t y_stride, struct mote_kernel_ahead ahead);

/* Makes a panel of sixteen rows of K ≥ MOTE_KERNEL_SPAN values as they lie in a file, row_bytes apart. Reads
 * nothing past a row's last block. */
typedef void mote_kernel_fill(const uint8_t *rows, uint64_t row_bytes, uint32_t k,
                              const struct mote_kernel_panel *panel);

/* A weight matrix as the file holds it: N rows of K values. */
struct mote_kernel_weight {
    const uint8_t *data;
    uint64_t row_bytes;
    uint32_t type; /* enum mote_base_type */
    uint32_t n, k;
    const uint8_t *panels; /* NULL, or all rows as mote_kernel_pack makes them, which products then read */
    const float *bias;     /* NULL, or [N] */
    uint32_t n_bundled;    /* rows from the first on that lie in bundles (bundle.h), a multiple of 16 */
};

/* The same for n_rows rows of w (a multiple of 16) from row0 on, without a panel; T at most MOTE_KERNEL_DIRECT
 * (or MOTE_KERNEL_WIDE), K at least MOTE_KERNEL_SPAN. Reads nothing past a row's last block, though it asks the cache for what may
 * follow the last row. */
typedef void mote_kernel_direct(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                                const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                                uint64_t y_stride);

/* Float rows: y[t·y_stride + r] = w row r · x column t, for n_rows rows of k values of the type the function
 * is for and T columns, by sixteen lanes and the tree. Rows may lie at any address. x [T] of x_stride f32 */
typedef void mote_kernel_dot(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                             uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride);

enum mote_kernel_rope_style {
    MOTE_KERNEL_ROPE_PAIR, /* rotates (2i, 2i+1): llama */
    MOTE_KERNEL_ROPE_HALF, /* rotates (i, i + n_rot/2): qwen, gpt-neox */
};

/* Queries that share a kv head, as many as wanted, and what online softmax keeps of each between pages. At
 * the start max = −infinity and sum, value = 0. E' = E rounded up to 16; the last E' − E are of no meaning.
 */
struct mote_kernel_attention {
    uint32_t head_dim; /* E */
    float scale;
    float *query; /* [n][E']; over S8 what `ask` makes of each: u8 [E'], then d */
    float *value; /* [n][E'] Σ p·v so far */
    float *sum;   /* [n][16] Σ p so far; position t is in lane t % 16 */
    float *max;   /* [n] */
    float *page;  /* working memory, [32·(E + E')] for each page of a call: a page as f32 */
    /* 0: all is seen; else a query sees what is less than `reach` positions away from where it stands, one position
     * of each page of a call at least. */
    uint32_t reach, at; /* at: the position with which the first page of the call begins */
    uint32_t *position; /* [n] where queries stand */
    /* As many pages as the call has, which are fetched into the cache meanwhile: what comes next. */
    const void *next[MOTE_KERNEL_TOGETHER];
};

/* Queries [first, first + n) over some pages of a sequence, in order, of which they see n_positions: all of
 * each but the last. At most MOTE_KERNEL_TOGETHER pages; page for page, this is done:
 *
 *     s[t]     = (0 + q[0]·k[0][t] + q[1]·k[1][t] + …) · scale          added in this order;
 *                −infinity where t is out of reach
 *     m        = the greatest of max and s, by sixteen lanes that start with max (lane t % 16 becomes
 *                s[t] where s[t] is greater) and the tree (the first becomes the second where that is
 *                greater): NaN is passed over
 *     c        = exp(max − m), exp(0) if they are equal
 *     p[t]     = exp(s[t] − m)
 *     sum[j]   = sum[j]·c + p[j] + p[j + 16], 0 for p of positions not seen
 *     value[e] = value[e]·c + p[0]·v[0][e] + p[1]·v[1][e] + …             added in this order
 *     max      = m
 *
 * Over S8, with exact sums of integers, and d of the query, the key, the value and the weights,
 *
 *     s[t]     = (float)(start[t] + Σ q·k) · (d · d of key t)           start[t] = −64·Σ k
 *     u[t], d  = what p[t] · (d of value t) become, 0 for p of positions not seen
 *     value[e] = value[e]·c + (float)(Σ u[t]·v[t][e]) · d
 *
 * Nothing depends on which queries or pages go together. */
typedef void mote_kernel_attend(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                                const void *const *pages, uint32_t n_positions);
typedef void mote_kernel_keep(const float *key, const float *value, uint32_t head_dim, uint32_t at,
                              void *page);

/* Of S8: n positions from `at` on, at + n ≤ 32; what belongs to each lies stride floats behind the one before. Writes
 * bytes of no other position. */
typedef void mote_kernel_keep_rows(const float *keys, const float *values, uint64_t stride, uint32_t n,
                                   uint32_t head_dim, uint32_t at, void *page);

/* Whether pages are of integers; language models' are not. */
static inline int mote_kernel_is_s8(mote_kv_type type) {
#if defined(MOTE_NO_ENCODERS)
    (void)type;
    return 0;
#else
    return type == (mote_kv_type)MOTE_KERNEL_KV_S8;
#endif
}

/* Bytes of the page of one kv head, a multiple of 64. */
uint64_t mote_kernel_page_bytes(mote_kv_type type, uint32_t head_dim);
/* Clears what a page holds of positions [from, 32), and what pads its rows; not of S8. */
void mote_kernel_page_clear(mote_kv_type type, uint32_t head_dim, uint32_t from, void *page);

struct mote_kernels {
    /* x [K] f32 → one column of x8. d = amax/127, q = x·(127/amax) to nearest even; a block with amax below
     * MOTE_KERNEL_TINY gets d = 0, q = 0; one with NaN or infinity gets d = NaN, q = 0. */
    void (*quantize)(const float *x, uint32_t k, int8_t *q, float *scale, int16_t *sum);
    /* The same in blocks of `block` values, MOTE_KERNEL_WIDE_BLOCK or _SPAN: scale, start [⌈K/block⌉], start =
     * −128 · Σ q. */
    void (*quantize_wide)(const float *x, uint32_t k, uint32_t block, int8_t *q, float *scale,
                          int32_t *start);
    mote_kernel_decode *decode[MOTE_BASE_TYPE_END]; /* NULL: not a quantized type */
    /* Interleaves: rows q16 [16][n] int8 (n a multiple of 32) with offset added → panel [n/4][16][4]. */
    void (*interleave)(const int8_t *rows, uint64_t row_stride, uint32_t n, uint8_t offset, uint8_t *panel);
    mote_kernel_fill *fill[MOTE_BASE_TYPE_END]; /* NULL: by decode and interleave */
    uint32_t fill_from; /* so many columns a panel that is made by fill beats direct */
    mote_kernel_multiply *multiply;
    mote_kernel_multiply_packed *multiply_packed;
    mote_kernel_direct *direct[MOTE_BASE_TYPE_END]; /* NULL: by panel */
    /* BUNDLES (bundle.h): a bit for each type of which direct and fill take rows so, and only so; so many columns a panel
     * beats direct then; and what flips the bytes of Q8_0: 128 where they are taken as q + 128, else 0. */
    uint64_t bundles;
    uint32_t bundle_fill_from;
    uint8_t bundle_flip;
    mote_kernel_dot *dot_f32, *dot_f16, *dot_bf16;
    /* y [D] = x · r · weight, r = 1 / sqrt(Σx² / n + eps), Σx² by lanes and tree; / and sqrt are IEEE. y may
     * alias x. */
    void (*rms_norm)(const float *x, const float *weight, uint32_t n, float eps, float *y);
    /* In place on x [n_heads][head_dim]; cos, sin [n_rot/2] for this row's position. */
    void (*rope)(float *x, uint32_t n_heads, uint32_t head_dim, uint32_t n_rot,
                 enum mote_kernel_rope_style style, const float *cos, const float *sin);
    /* y = silu(gate) · up, silu(z) = z / (1 + exp(−z)); y may alias either. */
    void (*swiglu)(const float *gate, const float *up, uint32_t n, float *y);
    void (*add)(const float *a, const float *b, uint32_t n, float *y); /* y may alias */
    /* y [D] = (x − m) · r · weight + bias, m = Σx / n, r = 1 / sqrt(Σ(x − m)² / n + eps), each Σ by lanes and
     * tree; / and sqrt are IEEE. bias may be NULL; y may alias x. */
    void (*layer_norm)(const float *x, const float *weight, const float *bias, uint32_t n, float eps,
                       float *y);
    void (*gelu)(const float *x, uint32_t n, float *y); /* y = x · (1 + erf(x / √2)) / 2; y may alias */
    void (*tanh)(const float *x, uint32_t n, float *y); /* y may alias */
    void (*to_f16)(const float *x, uint32_t n, uint16_t *y);
    void (*from_f16)(const void *x, uint32_t n, float *y); /* x at any address */
    /* Writes one position's key and value [E] into place `at` < 32 of a page, by mote_kv_type. */
    mote_kernel_keep *keep[MOTE_KERNEL_KV];
    mote_kernel_keep_rows *keep_s8;
    /* query [E] becomes query i of those that attend to pages of S8. */
    void (*ask_s8)(const struct mote_kernel_attention *a, uint32_t i, const float *query);
    mote_kernel_attend *attend[MOTE_KERNEL_KV_S8 + 1];
    /* out [E] = values of query i divided by the sum of its sixteen lanes by the tree; / is IEEE. */
    void (*attend_end)(const struct mote_kernel_attention *a, uint32_t i, float *out);
};

/* Fills table for a machine with these MOTE_CPU_* bits (host.h). Bits the build does not know are ignored. */
void mote_kernel_select(struct mote_kernels *table, uint32_t cpu);

/* What a product reads: T columns of K values, as they are and quantized, by the weight's way (either may be
 * unused by the type). */
struct mote_kernel_input {
    const float *x; /* [T] of x_stride floats */
    uint64_t x_stride;
    struct mote_kernel_x8 x8;
};

/* Bytes of working memory one worker needs to multiply rows of up to k values. Multiple of 64. */
uint64_t mote_kernel_matmul_plan(uint32_t k);

/* y[t·y_stride + r] = w row r · column t, + bias[r] where there is one, for r in [row0, row1), t < T; row0 a
 * multiple of 16. Threads: workers take disjoint ranges of rows, each with its own work. */
void mote_kernel_matmul(const struct mote_kernels *kernels, const struct mote_kernel_weight *w, uint32_t row0,
                        uint32_t row1, const struct mote_kernel_input *input, uint32_t n_columns, float *y,
                        uint64_t y_stride, void *work);

/* Packs a quantized matrix: its panels, made once for all products. plan: bytes of them, 0 for a float type.
 * panels aligned to 64; work as for matmul. */
uint64_t mote_kernel_pack_plan(const struct mote_kernel_weight *w);
void mote_kernel_pack(const struct mote_kernels *kernels, const struct mote_kernel_weight *w, uint8_t *panels,
                      void *work);

/* How many rows of a matrix can be bundled: none where products of this machine do not want that. */
uint32_t mote_kernel_bundled_rows(const struct mote_kernels *kernels, const struct mote_kernel_weight *w);

/* One row of a matrix as f32 (an embedding): y[i] = scale·q − min, or the float itself. y [K]. work as for
 * matmul */
void mote_kernel_row(const struct mote_kernels *kernels, const struct mote_kernel_weight *w, uint32_t row,
                     float *y, void *work);

#endif
