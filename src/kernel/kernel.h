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
 * FLOAT WORK (float weights, norms, attention) has vectors of sixteen lanes on every machine: element i
 * belongs to lane i % 16, each lane adds its own in order, and the sixteen are added by one fixed tree: for
 * step 8, 4, 2, 1: lane[j] = lane[j] + lane[j + step], j < step.
 *
 * Functions are reached through a table that mote_kernel_select fills: first with the reference, then
 * overlaid by what the CPU can do, weakest first. No globals; a table is constant after it is filled. */
#ifndef MOTE_KERNEL_KERNEL_H
#define MOTE_KERNEL_KERNEL_H

#include <stdint.h>

#include "base/type.h"

enum {
    MOTE_KERNEL_ROWS = 16,  /* rows of a panel */
    MOTE_KERNEL_BLOCK = 32, /* values of an activation block */
    MOTE_KERNEL_TILE = 64,  /* most positions of one call of attend */
    MOTE_KERNEL_DIRECT = 4, /* most columns of direct */
    MOTE_KERNEL_SPAN = 256, /* values that direct takes at a time, and the fewest */
};

/* An activation block below this is taken as zero: 127/amax must stay finite. */
#define MOTE_KERNEL_TINY 0x1p-100f

/* Quantized activations, T columns of K values (K a multiple of 32). */
struct mote_kernel_x8 {
    int8_t *q;    /* [T][K] */
    float *scale; /* [T][K/32] */
    int16_t *sum; /* [T][K/16]  Σ q over each 16 */
};

/* Sixteen decoded rows. */
struct mote_kernel_panel {
    uint8_t *q;   /* [K/4][16][4] */
    float *scale; /* [K/group][16] */
    float *min;   /* [K/group][16], or unused */
};

/* Decodes n_blocks consecutive blocks of one row: q [n·elements] int8 without offset, scale and min
 * [n·elements/group]. Source: each type's layout is drawn in the file that decodes it. */
typedef void mote_kernel_decode(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale,
                                float *min);

/* y[t·y_stride + 16·p + r] = row r of panel p · column t, for r < 16, p < n_panels (1 or 2), t < T. info says
 * group, offset, has_min. The greatest q + offset is 2·offset, 127 for offset 64, 255 for 128; where there is
 * a min, 15 if a block has no more than five bits a value and 31 if it has. */
typedef void mote_kernel_multiply(const struct mote_base_type_info *info,
                                  const struct mote_kernel_panel *panels, uint32_t n_panels, uint32_t k,
                                  const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                                  uint64_t y_stride);

/* The same for n_rows rows (a multiple of 16) as they lie in a file, row_bytes apart, without a panel; T at
 * most MOTE_KERNEL_DIRECT, K at least MOTE_KERNEL_SPAN. Reads nothing past a row's last block, though it asks
 * the cache for what may follow the last row. */
typedef void mote_kernel_direct(const uint8_t *rows, uint64_t row_bytes, uint32_t n_rows, uint32_t k,
                                const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                                uint64_t y_stride);

/* Float rows: y[r] = w row r · x for n_rows rows of k values of the type the function is for, by sixteen
 * lanes and the tree. Rows may lie at any address. x [K] f32 */
typedef void mote_kernel_dot(const void *w, uint64_t row_bytes, uint32_t n_rows, const float *x, uint32_t k,
                             float *y);

enum mote_kernel_rope_style {
    MOTE_KERNEL_ROPE_PAIR, /* rotates (2i, 2i+1): llama */
    MOTE_KERNEL_ROPE_HALF, /* rotates (i, i + n_rot/2): qwen, gpt-neox */
};

struct mote_kernels {
    /* x [K] f32 → one column of x8. d = amax/127, q = x·(127/amax) to nearest even; a block with amax below
     * MOTE_KERNEL_TINY gets d = 0, q = 0; one with NaN or infinity gets d = NaN, q = 0. */
    void (*quantize)(const float *x, uint32_t k, int8_t *q, float *scale, int16_t *sum);
    mote_kernel_decode *decode[MOTE_BASE_TYPE_END]; /* NULL: not a quantized type */
    /* Interleaves: rows q16 [16][n] int8 (n a multiple of 32) with offset added → panel [n/4][16][4]. */
    void (*interleave)(const int8_t *rows, uint64_t row_stride, uint32_t n, uint8_t offset, uint8_t *panel);
    mote_kernel_multiply *multiply;
    mote_kernel_direct *direct[MOTE_BASE_TYPE_END]; /* NULL: by panel */
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
    void (*to_f16)(const float *x, uint32_t n, uint16_t *y);
    /* One query head over one tile of n ≤ 64 cached positions; online softmax over the tiles of a sequence,
     * in order. Start with *max = −infinity, *sum = 0, acc = 0.
     *
     *     s[t]   = (q · k[t]) · scale                  the dot by lanes and tree
     *     m      = the greatest of *max and s, NaN passed over
     *     c      = exp(*max − m), 1 if they are equal
     *     p[t]   = exp(s[t] − m)
     *     *sum   = *sum · c + p[0] + p[1] + …          added in this order
     *     acc[e] = acc[e] · c + p[0]·v[0][e] + …       likewise
     *     *max   = m
     *
     * q, acc [E] f32; k, v [n][E] of f16 or f32. */
    void (*attend_f16)(const float *q, const uint16_t *k, const uint16_t *v, uint32_t n, uint32_t head_dim,
                       float scale, float *acc, float *max, float *sum);
    void (*attend_f32)(const float *q, const float *k, const float *v, uint32_t n, uint32_t head_dim,
                       float scale, float *acc, float *max, float *sum);
};

/* Fills table for a machine with these MOTE_CPU_* bits (host.h). Bits the build does not know are ignored. */
void mote_kernel_select(struct mote_kernels *table, uint32_t cpu);

/* A weight matrix as the file holds it: N rows of K values. */
struct mote_kernel_weight {
    const uint8_t *data;
    uint64_t row_bytes;
    uint32_t type; /* enum mote_base_type */
    uint32_t n, k;
};

/* What a product reads: T columns of K values, as they are and quantized (either may be unused by the type).
 */
struct mote_kernel_input {
    const float *x; /* [T] of x_stride floats */
    uint64_t x_stride;
    struct mote_kernel_x8 x8;
};

/* Bytes of working memory one worker needs to multiply rows of up to k values. Multiple of 64. */
uint64_t mote_kernel_matmul_plan(uint32_t k);

/* y[t·y_stride + r] = w row r · column t for r in [row0, row1), t < T; row0 a multiple of 16.
 * Threads: workers take disjoint ranges of rows, each with its own work. */
void mote_kernel_matmul(const struct mote_kernels *kernels, const struct mote_kernel_weight *w, uint32_t row0,
                        uint32_t row1, const struct mote_kernel_input *input, uint32_t n_columns, float *y,
                        uint64_t y_stride, void *work);

/* One row of a matrix as f32 (an embedding): y[i] = scale·q − min, or the float itself. y [K]. work as for
 * matmul */
void mote_kernel_row(const struct mote_kernels *kernels, const struct mote_kernel_weight *w, uint32_t row,
                     float *y, void *work);

#endif
