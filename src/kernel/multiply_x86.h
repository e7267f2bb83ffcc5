/* SPDX-License-Identifier: Apache-2.0
 *
 * multiply_x86.h: the body of multiply for x86 vectors. A file that is compiled for one instruction set
 * defines
 *
 *     WIDTH            8 or 16: outputs held by one vector (half a panel, or all of it)
 *     WIDEST           4 or 8: the most columns of a tile that its registers hold
 *     SIGNED_128       1 where dot() cannot take weights above 127
 *     struct weight, ready(), dot()   how four products per lane are added to an int32 lane
 *
 * and includes this. A tile is WIDTH rows × n columns, n ∈ {1, 2, 4, 8}: n integer and n float accumulators
 * stay in registers while the panel streams past.
 *
 *     for each group:  idot[c] = −offset·Σx[c]                           one broadcast
 *                      idot[c] += w · x[c], four values of each row      group/4 times
 *                      acc[c] += float(idot[c]) · (scale · d[c])         in this order, not fused
 *                      acc[c] −= min · (d[c] · Σx[c])                    where there is a min
 *
 * What a column contributes to each group besides its values (−offset·Σx or d·Σx) is worked out for WIDTH
 * groups at a time, all in one vector, before they are needed. */

#define INLINE static inline __attribute__((always_inline))

/* A type has an offset or a min, never both: one of the two corrections of a group is always absent. */
#define ONE_CORRECTION(NAME, lower, number, elements, bytes, group, offset, has_min)                         \
    _Static_assert(!(offset) || !(has_min), "type " #NAME);
MOTE_BASE_TYPE_LIST(ONE_CORRECTION)
#undef ONE_CORRECTION

INLINE int32_t four_values(const int8_t *x) {
    int32_t value;
    memcpy(&value, x, sizeof value);
    return value;
}

/* What one column brings to each of WIDTH groups besides its values. */
struct column {
    float d[WIDTH], d_sum[WIDTH]; /* d · Σx, where there is a min */
    int32_t start[WIDTH];         /* −offset · Σx, where there is an offset */
};

/* n_groups ≤ WIDTH groups from group first on. */
INLINE void prepare(struct column *to, const struct mote_kernel_x8 *x, uint64_t column, uint32_t k,
                    uint32_t first, uint32_t n_groups, uint32_t group, uint8_t offset, int has_min) {
    floats d = group_scales(x->scale + column * (k / 32) + first * group / 32, n_groups, group);
    ints sum = group_sums(x->sum + column * (k / 16) + first * (group / 16), n_groups, group);
    store_floats(to->d, d);
    if (has_min)
        store_floats(to->d_sum, mul(d, to_float(sum)));
    else
        store_ints(to->start, mul_ints(sum, splat_int(-offset)));
}

INLINE void tile(const struct mote_kernel_panel *panel, uint32_t row, uint32_t k, uint32_t group,
                 uint8_t offset, int has_min, const struct mote_kernel_x8 *x, uint64_t column, const int n,
                 float *y, uint64_t y_stride) {
    const int as_signed = SIGNED_128 && offset == 128;
    const uint8_t *q = panel->q + 4 * row;
    const float *scale = panel->scale + row, *min = panel->min + row;
    const int8_t *values = x->q + column * k;
    uint32_t n_groups = k / group;
    struct column columns[8];
    floats acc[8];
    UNROLL
    for (int c = 0; c < n; c++)
        acc[c] = splat_float(0);
    for (uint32_t first = 0; first < n_groups; first += WIDTH) {
        uint32_t n_here = n_groups - first < WIDTH ? n_groups - first : WIDTH;
        UNROLL
        for (int c = 0; c < n; c++)
            prepare(&columns[c], x, column + (unsigned)c, k, first, n_here, group, as_signed ? 0 : offset,
                    has_min);
        for (uint32_t g = 0; g < n_here; g++) {
            ints idot[8];
            UNROLL
            for (int c = 0; c < n; c++)
                idot[c] = splat_int(has_min || as_signed ? 0 : columns[c].start[g]);
            UNROLL
            for (uint32_t i = 0; i < group / 4; i++, q += 64) {
                struct weight w = ready(q, as_signed);
                UNROLL
                for (int c = 0; c < n; c++)
                    idot[c] = dot(idot[c], w, four_values(values + (uint64_t)c * k + 4 * i), as_signed);
            }
            floats s = load_floats(scale), m = has_min ? load_floats(min) : splat_float(0);
            UNROLL
            for (int c = 0; c < n; c++) {
                acc[c] = plus(acc[c], mul(to_float(idot[c]), mul(s, splat_float(columns[c].d[g]))));
                if (has_min) acc[c] = minus(acc[c], mul(m, splat_float(columns[c].d_sum[g])));
            }
            values += group;
            scale += MOTE_KERNEL_ROWS;
            min += MOTE_KERNEL_ROWS;
        }
    }
    UNROLL
    for (int c = 0; c < n; c++)
        store_floats(y + (column + (unsigned)c) * y_stride + row, acc[c]);
}

/* All columns of one half (or the whole) of a panel, in tiles as wide as are left. */
INLINE void strip(const struct mote_kernel_panel *panel, uint32_t row, uint32_t k, uint32_t group,
                  uint8_t offset, int has_min, const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                  uint64_t y_stride) {
    uint32_t t = 0;
    for (; WIDEST >= 8 && n_columns - t >= 8; t += 8)
        tile(panel, row, k, group, offset, has_min, x, t, 8, y, y_stride);
    for (; n_columns - t >= 4; t += 4)
        tile(panel, row, k, group, offset, has_min, x, t, 4, y, y_stride);
    for (; n_columns - t >= 2; t += 2)
        tile(panel, row, k, group, offset, has_min, x, t, 2, y, y_stride);
    for (; n_columns - t >= 1; t += 1)
        tile(panel, row, k, group, offset, has_min, x, t, 1, y, y_stride);
}

/* One copy of the code for each shape of a group, so that nothing is decided inside the loops. */
static void multiply(const struct mote_base_type_info *info, const struct mote_kernel_panel *panel,
                     uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,
                     uint64_t y_stride) {
    for (uint32_t row = 0; row < MOTE_KERNEL_ROWS; row += WIDTH) {
        if (info->group == 32 && info->has_min)
            strip(panel, row, k, 32, 0, 1, x, n_columns, y, y_stride);
        else if (info->group == 32 && SIGNED_128 && info->offset == 128)
            strip(panel, row, k, 32, 128, 0, x, n_columns, y, y_stride);
        else if (info->group == 32)
            strip(panel, row, k, 32, SIGNED_128 ? info->offset & 127 : info->offset, 0, x, n_columns, y,
                  y_stride);
        else if (info->has_min)
            strip(panel, row, k, 16, 0, 1, x, n_columns, y, y_stride);
        else
            strip(panel, row, k, 16, SIGNED_128 ? info->offset & 127 : info->offset, 0, x, n_columns, y,
                  y_stride);
    }
}
