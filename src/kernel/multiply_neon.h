/* SPDX-License-Identifier: Apache-2.0
 *
 * multiply_neon.h: the body of multiply for AArch64. A vector holds four rows (a quad), so a panel is four
 * quads. A tile is `quads` quads × n columns, as many as the thirty-two registers hold: TILE of them. A file
 * that is compiled for one instruction set defines
 *
 *     TILE             8 or 4: the most quads × columns
 *     SIGNED_128       1 where weights of offset 128 go in as signed bytes, with the offset taken off
 *
 * and either WEIGHT, weights() and DOT(), a vector of them, its load, and four products of each row added to
 * its lane; or struct sums, begin(), end() and add_sixteen() where the machine has no such instruction.
 *
 *     for each group:  idot[c] = −offset·Σx[c]
 *                      idot[c] += w · x[c], sixteen values of each row    group/16 times
 *                      acc[c] += float(idot[c]) · (scale · d[c])          in this order, not fused
 *                      acc[c] −= min · (d[c] · Σx[c])                     where there is a min
 *
 * and for packed panels, where s is a span's:
 *
 *     for each block:  part[c] += float(idot[c]) · d[c]
 *     for each span:   acc[c] += part[c] · s
 *
 * As on x86, what a column contributes to a group besides its values is worked out eight groups at a time. */
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))
/* gcc leaves short loops over arrays of vectors in memory unless it is told to unroll them. */
#define UNROLL _Pragma("GCC unroll 8")
/* Left alone, gcc moves all loads of a group before its products, and then has to spill them. */
#define LOADS_END_HERE() __asm__ volatile("" ::: "memory")

enum { QUADS = MOTE_KERNEL_ROWS / 4, AHEAD = 8 };

/* A type has an offset or a min, never both: one of the two corrections of a group is always absent. */
#define ONE_CORRECTION(NAME, lower, number, elements, bytes, group, offset, has_min)                         \
    _Static_assert(!(offset) || !(has_min), "type " #NAME);
MOTE_BASE_TYPE_LIST(ONE_CORRECTION)
#undef ONE_CORRECTION

#ifdef DOT

struct sums {
    int32x4_t all;
};

INLINE struct sums begin(int32_t start) {
    return (struct sums){vdupq_n_s32(start)};
}

INLINE int32x4_t end(struct sums sums, int32_t start) {
    (void)start;
    return sums.all;
}

/* The lane of an instruction is a literal: each step is written out. */
#define STEP(lane)                                                                                           \
    UNROLL                                                                                                   \
    for (int r = 0; r < quads; r++) {                                                                        \
        WEIGHT w = weights(q + 64 * (lane) + 16 * r, as_signed);                                             \
        UNROLL                                                                                               \
        for (int c = 0; c < n; c++)                                                                          \
            idot[c * quads + r].all = DOT(idot[c * quads + r].all, w, value[c], lane);                       \
    }

INLINE void add_sixteen(struct sums *idot, int quads, int n, const uint8_t *q, const int8_t *x, uint32_t k,
                        int as_signed) {
    int8x16_t value[8];
    UNROLL
    for (int c = 0; c < n; c++)
        value[c] = vld1q_s8(x + (uint64_t)c * k);
    STEP(0)
    STEP(1)
    STEP(2)
    STEP(3)
}

#endif

/* What one column brings to each of eight groups besides its values. */
struct column {
    float d[AHEAD], d_sum[AHEAD]; /* d · Σx, where there is a min */
    int32_t start[AHEAD];         /* −offset · Σx, where there is an offset */
};

/* n_groups ≤ 8 groups from group first on; what is past them is not read. */
INLINE void prepare(struct column *to, const struct mote_kernel_x8 *x, uint64_t column, uint32_t k,
                    uint32_t first, uint32_t n_groups, uint32_t group, uint8_t offset, int has_min) {
    const float *d = x->scale + column * (k / 32) + first * group / 32;
    const int16_t *sum = x->sum + column * (k / 16) + first * (group / 16);
    float rest_d[AHEAD] = {0};
    int16_t rest_sum[2 * AHEAD] = {0};
    if (n_groups < AHEAD) {
        for (uint32_t i = 0; i < (n_groups * group + 31) / 32; i++)
            rest_d[i] = d[i];
        for (uint32_t i = 0; i < n_groups * group / 16; i++)
            rest_sum[i] = sum[i];
        d = rest_d;
        sum = rest_sum;
    }
    float32x4_t low = vld1q_f32(d), high = vld1q_f32(d + (group == 32 ? 4 : 0));
    int16x8_t sixteens = vld1q_s16(sum);
    int32x4_t low_sum = vmovl_s16(vget_low_s16(sixteens)), high_sum = vmovl_high_s16(sixteens);
    if (group == 32) {
        low_sum = vpaddlq_s16(sixteens);
        high_sum = vpaddlq_s16(vld1q_s16(sum + 8));
    } else {
        high = vzip2q_f32(low, low);
        low = vzip1q_f32(low, low);
    }
    vst1q_f32(to->d, low);
    vst1q_f32(to->d + 4, high);
    if (has_min) {
        vst1q_f32(to->d_sum, vmulq_f32(low, vcvtq_f32_s32(low_sum)));
        vst1q_f32(to->d_sum + 4, vmulq_f32(high, vcvtq_f32_s32(high_sum)));
    } else {
        vst1q_s32(to->start, vmulq_n_s32(low_sum, -offset));
        vst1q_s32(to->start + 4, vmulq_n_s32(high_sum, -offset));
    }
}

INLINE void tile(const struct mote_kernel_panel *panel, uint32_t row, const int quads, uint32_t k,
                 uint32_t group, uint8_t offset, int has_min, const struct mote_kernel_x8 *x, uint64_t column,
                 const int n, float *y, uint64_t y_stride) {
    const int as_signed = SIGNED_128 && offset == 128, starts_at_0 = has_min || as_signed;
    const uint8_t *q = panel->q + 4 * row;
    const float *scale = panel->scale + row, *min = panel->min + row;
    const int8_t *values = x->q + column * k;
    uint32_t n_groups = k / group;
    struct column columns[4];
    float32x4_t acc[TILE];
    UNROLL
    for (int i = 0; i < quads * n; i++)
        acc[i] = vdupq_n_f32(0);
    for (uint32_t first = 0; first < n_groups; first += AHEAD) {
        uint32_t n_here = n_groups - first < AHEAD ? n_groups - first : AHEAD;
        UNROLL
        for (int c = 0; c < n; c++)
            prepare(&columns[c], x, column + (unsigned)c, k, first, n_here, group, as_signed ? 0 : offset,
                    has_min);
        for (uint32_t g = 0; g < n_here; g++) {
            struct sums idot[TILE];
            UNROLL
            for (int i = 0; i < quads * n; i++)
                idot[i] = begin(starts_at_0 ? 0 : columns[i / quads].start[g]);
            UNROLL
            for (uint32_t i = 0; i < group; i += 16, q += 256, values += 16) {
                add_sixteen(idot, quads, n, q, values, k, as_signed);
                LOADS_END_HERE();
            }
            UNROLL
            for (int r = 0; r < quads; r++) {
                float32x4_t s = vld1q_f32(scale + 4 * r);
                float32x4_t m = has_min ? vld1q_f32(min + 4 * r) : vdupq_n_f32(0);
                UNROLL
                for (int c = 0; c < n; c++) {
                    float32x4_t *to = &acc[c * quads + r];
                    int32x4_t sum = end(idot[c * quads + r], starts_at_0 ? 0 : columns[c].start[g]);
                    *to = vaddq_f32(*to, vmulq_f32(vcvtq_f32_s32(sum), vmulq_n_f32(s, columns[c].d[g])));
                    if (has_min) *to = vsubq_f32(*to, vmulq_n_f32(m, columns[c].d_sum[g]));
                }
            }
            scale += MOTE_KERNEL_ROWS;
            min += MOTE_KERNEL_ROWS;
        }
    }
    UNROLL
    for (int i = 0; i < quads * n; i++) {
        vst1q_f32(y + (column + (unsigned)(i / quads)) * y_stride + row + i % quads * 4, acc[i]);
    }
}

/* part += n_values of columns k apart, whose scales and starts are n_blocks apart. */
INLINE void add_block(float32x4_t *part, const int quads, const int n, const uint8_t *q, const int8_t *values,
                      uint32_t k, uint32_t n_values, const float *d, const int32_t *start,
                      uint64_t n_blocks) {
    struct sums idot[TILE];
    UNROLL
    for (int i = 0; i < quads * n; i++)
        idot[i] = begin(SIGNED_128 ? 0 : start[(unsigned)(i / quads) * n_blocks]);
    for (uint32_t i = 0; i < n_values; i += 16, q += 256, values += 16) {
        add_sixteen(idot, quads, n, q, values, k, SIGNED_128);
        LOADS_END_HERE();
    }
    UNROLL
    for (int i = 0; i < quads * n; i++) {
        uint64_t at = (unsigned)(i / quads) * n_blocks;
        int32x4_t sum = end(idot[i], SIGNED_128 ? 0 : start[at]);
        part[i] = vaddq_f32(part[i], vmulq_n_f32(vcvtq_f32_s32(sum), d[at]));
    }
}

/* tile() of a packed panel. */
INLINE void packed_tile(const struct mote_kernel_panel *panel, uint32_t row, const int quads, uint32_t k,
                        const struct mote_kernel_x8 *x, uint64_t column, const int n, float *y,
                        uint64_t y_stride) {
    enum { BLOCK = MOTE_KERNEL_WIDE_BLOCK, SPAN = MOTE_KERNEL_WIDE_SPAN };
    uint64_t n_blocks = (k + BLOCK - 1) / BLOCK;
    const int8_t *values = x->q + column * k;
    const float *d = x->scale + column * n_blocks, *scale = panel->scale + row;
    const int32_t *start = x->start + column * n_blocks;
    float32x4_t acc[TILE], part[TILE];
    UNROLL
    for (int i = 0; i < quads * n; i++)
        acc[i] = vdupq_n_f32(0);
    for (uint32_t span = 0; span < k; span += SPAN, scale += MOTE_KERNEL_ROWS) {
        uint32_t end = k - span < SPAN ? k : span + SPAN;
        UNROLL
        for (int i = 0; i < quads * n; i++)
            part[i] = vdupq_n_f32(0);
        for (uint32_t i = span; i < end; i += BLOCK)
            add_block(part, quads, n, panel->q + 4 * row + (uint64_t)i * MOTE_KERNEL_ROWS, values + i, k,
                      end - i < BLOCK ? end - i : BLOCK, d + i / BLOCK, start + i / BLOCK, n_blocks);
        UNROLL
        for (int i = 0; i < quads * n; i++)
            acc[i] = vaddq_f32(acc[i], vmulq_f32(part[i], vld1q_f32(scale + i % quads * 4)));
    }
    UNROLL
    for (int i = 0; i < quads * n; i++) {
        if (panel->bias) acc[i] = vaddq_f32(acc[i], vld1q_f32(panel->bias + row + i % quads * 4));
        vst1q_f32(y + (column + (unsigned)(i / quads)) * y_stride + row + i % quads * 4, acc[i]);
    }
}

/* All rows of the columns from t on, n at a time; returns the first column that is left. */
INLINE uint32_t strip(const struct mote_kernel_panel *panel, uint32_t k, uint32_t group, uint8_t offset,
                      int has_min, const struct mote_kernel_x8 *x, uint32_t t, uint32_t n_columns,
                      const uint32_t n, float *y, uint64_t y_stride) {
    const uint32_t quads = TILE / n < QUADS ? TILE / n : QUADS;
    uint32_t end_column = n_columns - (n_columns - t) % n;
    for (uint32_t row = 0; row < MOTE_KERNEL_ROWS; row += 4 * quads)
        for (uint32_t column = t; column < end_column; column += n)
            tile(panel, row, (int)quads, k, group, offset, has_min, x, column, (int)n, y, y_stride);
    return end_column;
}

INLINE void multiply_shape(const struct mote_kernel_panel *panel, uint32_t k, uint32_t group, uint8_t offset,
                           int has_min, const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                           uint64_t y_stride) {
    uint32_t t = 0;
    if (TILE >= 8) t = strip(panel, k, group, offset, has_min, x, t, n_columns, 4, y, y_stride);
    t = strip(panel, k, group, offset, has_min, x, t, n_columns, 2, y, y_stride);
    strip(panel, k, group, offset, has_min, x, t, n_columns, 1, y, y_stride);
}

/* One copy of the code for each shape of a group, so that nothing is decided inside the loops. */
static void multiply_panel(const struct mote_base_type_info *info, const struct mote_kernel_panel *panel,
                           uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                           uint64_t y_stride) {
    uint8_t small = SIGNED_128 ? info->offset & 127 : info->offset;
    if (info->group == 32 && info->has_min)
        multiply_shape(panel, k, 32, 0, 1, x, n_columns, y, y_stride);
    else if (info->group == 32 && SIGNED_128 && info->offset == 128)
        multiply_shape(panel, k, 32, 128, 0, x, n_columns, y, y_stride);
    else if (info->group == 32)
        multiply_shape(panel, k, 32, small, 0, x, n_columns, y, y_stride);
    else if (info->has_min)
        multiply_shape(panel, k, 16, 0, 1, x, n_columns, y, y_stride);
    else
        multiply_shape(panel, k, 16, small, 0, x, n_columns, y, y_stride);
}

static void multiply(const struct mote_base_type_info *info, const struct mote_kernel_panel *panels,
                     uint32_t n_panels, uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns,
                     float *y, uint64_t y_stride, struct mote_kernel_ahead ahead) {
    (void)ahead;
    for (uint32_t p = 0; p < n_panels; p++)
        multiply_panel(info, &panels[p], k, x, n_columns, y + p * MOTE_KERNEL_ROWS, y_stride);
}

/* All rows of the columns from t on, n at a time; returns the first column that is left. */
INLINE uint32_t packed_strip(const struct mote_kernel_panel *panel, uint32_t k,
                             const struct mote_kernel_x8 *x, uint32_t t, uint32_t n_columns, const uint32_t n,
                             float *y, uint64_t y_stride) {
    const uint32_t quads = TILE / n < QUADS ? TILE / n : QUADS;
    uint32_t end_column = n_columns - (n_columns - t) % n;
    for (uint32_t row = 0; row < MOTE_KERNEL_ROWS; row += 4 * quads)
        for (uint32_t column = t; column < end_column; column += n)
            packed_tile(panel, row, (int)quads, k, x, column, (int)n, y, y_stride);
    return end_column;
}

static void multiply_packed(const struct mote_kernel_panel *panels, uint32_t n_panels, uint32_t k,
                            const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride,
                            struct mote_kernel_ahead ahead) {
    (void)ahead;
    for (uint32_t p = 0; p < n_panels; p++, y += MOTE_KERNEL_ROWS) {
        uint32_t t = 0;
        if (TILE >= 8) t = packed_strip(&panels[p], k, x, t, n_columns, 4, y, y_stride);
        t = packed_strip(&panels[p], k, x, t, n_columns, 2, y, y_stride);
        packed_strip(&panels[p], k, x, t, n_columns, 1, y, y_stride);
    }
}
