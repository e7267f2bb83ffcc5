/* SPDX-License-Identifier: Apache-2.0
 *
 * multiply_x86.h: the body of multiply for x86 vectors. A file that is compiled for one instruction set
 * defines
 *
 *     WIDTH            8 or 16: outputs held by one vector (half a panel, or all of it)
 *     NARROW           1 where dot() adds pairs of products in 16 bits, 0 where it adds four in 32
 *     struct weight, ready(), dot()   how four products per lane are added
 *
 * and includes this. A tile is two vectors of rows (a panel on 256 bits, two panels on 512) × n columns,
 * n ∈ {1, 2, 4}: an activation that is broadcast meets two vectors of weights, and a vector of weights four
 * activations, so that there is less than one load to a multiplication. Integer and float sums stay in
 * registers (on 256 bits, the compiler leaves some of the latter in L1) while the panels stream past.
 *
 *     for each group:  idot[c] = −offset·Σx[c]                           one broadcast
 *                      idot[c] += w · x[c], four values of each row      group/4 times
 *                      acc[c] += float(idot[c]) · (scale · d[c])         in this order, not fused
 *                      acc[c] −= min · (d[c] · Σx[c])                    where there is a min
 *
 * What a column contributes to each group besides its values (−offset·Σx or d·Σx) is worked out beforehand, for
 * WIDTH groups at a time, and serves all strips: for as many columns at a time as there is room for, or, of rows
 * so long that this would be few, for each tile anew.
 *
 * Packed panels take the same tile, with a scale of weights for each two or so blocks of 64:
 *
 *     for each block:  part[c] += float(idot[c]) · d[c]                  idot[c] from its start on, as above
 *     for each span:   acc[c] += part[c] · scale
 *
 * NARROW sums: two products of a weight of at most 2·offset are 2 · 2·offset · 127 at most, and 64 / offset
 * of such pairs do not leave 16 bits (32512). So Q4_0, of offset 8, is widened to 32 bits once a group of 32.
 * Types with a min have q of five bits, which is widened twice, or of four, where a block has no more than
 * five bits a value. Weights of offset 128 are taken with their sign. */

#define INLINE static inline __attribute__((always_inline))

/* A type has an offset or a min, never both: one of the two corrections of a group is always absent. */
#define ONE_CORRECTION(NAME, lower, number, elements, bytes, group, offset, has_min)                         \
    _Static_assert(!(offset) || !(has_min), "type " #NAME);
MOTE_BASE_TYPE_LIST(ONE_CORRECTION)
#undef ONE_CORRECTION

/* Of a tile: vectors of rows, columns, and columns of packed panels. */
enum { VECTORS = 2, WIDEST = 4, PACKED_WIDEST = WIDTH == 16 && !NARROW ? 6 : WIDEST };
enum { ROOM = 4096 }; /* groups of columns that are prepared at a time */
#define IN_MEMORY(array) __asm__ volatile("" : "+m"(array))
enum { LINE = 64 }; /* bytes of a line of the cache */

INLINE int32_t four_values(const int8_t *x) {
    int32_t value;
    memcpy(&value, x, sizeof value);
    return value;
}

/* What is known about a type when the code is compiled: one copy of the code for each shape, so that nothing
 * is decided inside the loops. */
struct shape {
    uint32_t group; /* of packed panels a block, or what a row ends with */
    uint32_t steps; /* dot() may be called this often before its sum leaves its lane */
    int has_min, as_signed;
};

/* Two vectors of rows. */
struct rows {
    const uint8_t *q[VECTORS];                                  /* [K/4] 64 bytes apart */
    const float *scale[VECTORS], *min[VECTORS], *bias[VECTORS]; /* a bias where panels are packed */
    uintptr_t ahead, end;                                       /* what to fetch meanwhile */
    uint32_t lines;                                             /* of it in each group */
};

/* What columns bring to each of their groups besides values and scales. */
struct beside {
    union {
        float d_sum[ROOM];   /* d · Σx, where there is a min */
        int32_t start[ROOM]; /* −offset · Σx, where there is an offset */
    } of;
    int is_for_all;            /* tiles; else each prepares its own */
    uint32_t column;           /* the first that is prepared */
    uint32_t n_groups, stride; /* of each, and from one to the next */
};

INLINE uint32_t room_of(uint32_t n_groups) {
    return (n_groups + WIDTH - 1) / WIDTH * WIDTH;
}

/* Groups from `first` on, as many as there is room for. */
INLINE void prepare(struct beside *beside, const struct mote_kernel_x8 *x, uint32_t column,
                    uint32_t n_columns, uint32_t k, uint32_t first, struct shape shape, uint8_t offset) {
    uint32_t group = shape.group, most = ROOM / n_columns / WIDTH * WIDTH, n_groups = k / group - first,
             at = 0;
    if (n_groups > most) n_groups = most;
    beside->column = column;
    beside->n_groups = n_groups;
    beside->stride = room_of(n_groups);
    for (uint64_t c = column; c < column + n_columns && !shape.as_signed; c++)
        for (uint32_t g = first; g < first + n_groups; g += WIDTH, at += WIDTH) {
            uint32_t n = first + n_groups - g < WIDTH ? first + n_groups - g : WIDTH;
            ints sum = group_sums(x->sum + c * (k / 16) + g * (group / 16), n, group);
            floats d = group_scales(x->scale + c * (k / 32) + g * group / 32, n, group);
            if (shape.has_min)
                store_floats(beside->of.d_sum + at, mul(d, to_float(sum)));
            else
                store_ints(beside->of.start + at, mul_ints(sum, splat_int(-offset)));
        }
}

/* idot += the products of one group; x [n] of k values apart. Lines are asked for one at a time: a few at
 * once would keep what comes from the level-2 cache waiting. */
INLINE void group_dots(ints idot[][VECTORS], const struct rows *rows, const int8_t *x, uint32_t k,
                       struct shape shape, const int n) {
    const uint8_t *const *q = rows->q;
    const uint32_t lines = rows->ahead < rows->end ? rows->lines : 0;
    UNROLL
    for (uint32_t i = 0; i < shape.group / 4; i += shape.steps) {
        ints sum[PACKED_WIDEST][VECTORS];
        UNROLL
        for (int c = 0; c < n; c++)
            UNROLL
        for (int v = 0; v < VECTORS; v++)
            sum[c][v] = NARROW ? splat_int(0) : idot[c][v];
        UNROLL
        for (uint32_t j = i; j < i + shape.steps; j++) {
            struct weight w[VECTORS];
            UNROLL
            for (int v = 0; v < VECTORS; v++)
                w[v] = ready(q[v] + 64 * j, shape.as_signed);
            if (j < lines) __builtin_prefetch((const void *)(rows->ahead + LINE * j));
            UNROLL
            for (int c = 0; c < n; c++) {
                ints values = splat_int(four_values(x + (uint64_t)c * k + 4 * j));
                UNROLL
                for (int v = 0; v < VECTORS; v++)
                    sum[c][v] = dot(sum[c][v], w[v], values, shape.as_signed);
            }
        }
        UNROLL
        for (int c = 0; c < n; c++)
            UNROLL
        for (int v = 0; v < VECTORS; v++)
            idot[c][v] = NARROW ? sum_ints(idot[c][v], widen(sum[c][v])) : sum[c][v];
    }
}

/* Column `column` of x and the n − 1 that follow; returns what to fetch next. */
INLINE uintptr_t tile(struct rows rows, uint32_t k, struct shape shape, uint8_t offset,
                      const struct mote_kernel_x8 *x, uint32_t column, struct beside *beside, const int n,
                      float *const y[VECTORS], uint64_t y_stride) {
    const int8_t *values = x->q + (uint64_t)column * k;
    const float *d = x->scale + (uint64_t)column * (k / 32);
    const int has_start = !shape.has_min && !shape.as_signed;
    uint32_t n_groups = k / shape.group;
    floats acc[WIDEST][VECTORS];
    UNROLL
    for (int c = 0; c < n; c++)
        UNROLL
    for (int v = 0; v < VECTORS; v++)
        acc[c][v] = splat_float(0);
    for (uint32_t g = 0; g < n_groups;) {
        if (!beside->is_for_all) prepare(beside, x, column, (uint32_t)n, k, g, shape, offset);
        const uint32_t end = g + beside->n_groups, stride = beside->stride;
        const int32_t *start = beside->of.start + (column - beside->column) * stride;
        const float *d_sum = beside->of.d_sum + (column - beside->column) * stride;
        for (; g < end; g++, start++, d_sum++) {
            ints idot[WIDEST][VECTORS];
            UNROLL
            for (int c = 0; c < n; c++)
                UNROLL
            for (int v = 0; v < VECTORS; v++)
                idot[c][v] = splat_int(has_start && !NARROW ? start[(unsigned)c * stride] : 0);
            group_dots(idot, &rows, values, k, shape, n);
            rows.ahead += LINE * rows.lines;
            UNROLL
            for (int v = 0; v < VECTORS; v++) {
                floats s = load_floats(rows.scale[v]);
                floats m = shape.has_min ? load_floats(rows.min[v]) : splat_float(0);
                UNROLL
                for (int c = 0; c < n; c++) {
                    floats scale = splat_float(d[(uint64_t)c * (k / 32) + g * shape.group / 32]);
                    if (has_start && NARROW)
                        idot[c][v] = sum_ints(idot[c][v], splat_int(start[(unsigned)c * stride]));
                    acc[c][v] = plus(acc[c][v], mul(to_float(idot[c][v]), mul(s, scale)));
                    if (shape.has_min)
                        acc[c][v] = minus(acc[c][v], mul(m, splat_float(d_sum[(unsigned)c * stride])));
                }
                rows.q[v] += 16 * shape.group;
                rows.scale[v] += MOTE_KERNEL_ROWS;
                rows.min[v] += MOTE_KERNEL_ROWS;
            }
            values += shape.group;
        }
    }
    UNROLL
    for (int c = 0; c < n; c++)
        UNROLL
    for (int v = 0; v < VECTORS; v++)
        store_floats(y[v] + (column + (uint64_t)c) * y_stride, acc[c][v]);
    return rows.ahead;
}

/* part += a block of columns whose values are k apart, their scales and starts `stride`. */
INLINE void add_block(floats part[][VECTORS], struct rows *rows, const int8_t *values, uint32_t k,
                      const float *d, const int32_t *start, uint64_t stride, struct shape shape,
                      const int n) {
    ints idot[PACKED_WIDEST][VECTORS];
    UNROLL
    for (int c = 0; c < n; c++)
        UNROLL
    for (int v = 0; v < VECTORS; v++)
        idot[c][v] = splat_int(shape.as_signed ? 0 : start[(unsigned)c * stride]);
    group_dots(idot, rows, values, k, shape, n);
    rows->ahead += LINE * rows->lines;
    UNROLL
    for (int c = 0; c < n; c++)
        UNROLL
    for (int v = 0; v < VECTORS; v++)
        part[c][v] = plus(part[c][v], mul(to_float(idot[c][v]), splat_float(d[(unsigned)c * stride])));
    UNROLL
    for (int v = 0; v < VECTORS; v++)
        rows->q[v] += 16 * shape.group;
}

/* tile() of packed panels. */
INLINE uintptr_t packed_tile(struct rows rows, uint32_t k, struct shape shape, const struct mote_kernel_x8 *x,
                             uint32_t column, const int n, float *const y[VECTORS], uint64_t y_stride) {
    enum { BLOCK = MOTE_KERNEL_WIDE_BLOCK, SPAN = MOTE_KERNEL_WIDE_SPAN };
    const struct shape half = {BLOCK / 2, NARROW ? 1 : BLOCK / 8, 0, shape.as_signed};
    uint64_t n_blocks = (k + BLOCK - 1) / BLOCK;
    const int8_t *values = x->q + (uint64_t)column * k;
    const float *d = x->scale + column * n_blocks;
    const int32_t *start = x->start + column * n_blocks;
    floats acc[PACKED_WIDEST][VECTORS], part[PACKED_WIDEST][VECTORS];
    UNROLL
    for (int c = 0; c < n; c++)
        UNROLL
    for (int v = 0; v < VECTORS; v++)
        acc[c][v] = splat_float(0);
    for (uint32_t left = k; left;) {
        uint32_t end = left < SPAN ? 0 : left - SPAN;
        if (n > WIDEST) IN_MEMORY(acc); /* else it takes registers from what each step adds to */
        UNROLL
        for (int c = 0; c < n; c++)
            UNROLL
        for (int v = 0; v < VECTORS; v++)
            part[c][v] = splat_float(0);
        for (; left >= end + BLOCK; left -= BLOCK, values += BLOCK)
            add_block(part, &rows, values, k, d++, start++, n_blocks, shape, n);
        if (left > end) {
            add_block(part, &rows, values, k, d, start, n_blocks, half, n);
            left = end;
        }
        UNROLL
        for (int c = 0; c < n; c++)
            UNROLL
        for (int v = 0; v < VECTORS; v++)
            acc[c][v] = plus(acc[c][v], mul(part[c][v], load_floats(rows.scale[v])));
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            rows.scale[v] += MOTE_KERNEL_ROWS;
    }
    UNROLL
    for (int c = 0; c < n; c++)
        UNROLL
    for (int v = 0; v < VECTORS; v++) {
        if (rows.bias[v]) acc[c][v] = plus(acc[c][v], load_floats(rows.bias[v]));
        store_floats(y[v] + (column + (uint64_t)c) * y_stride, acc[c][v]);
    }
    return rows.ahead;
}

/* Columns [t, end) of two vectors of rows, in tiles as wide as are left. */
INLINE void strip(struct rows *rows, uint32_t k, struct shape shape, uint8_t offset,
                  const struct mote_kernel_x8 *x, uint32_t t, uint32_t end, struct beside *beside,
                  float *const y[VECTORS], uint64_t y_stride) {
#define TILE(n)                                                                                              \
    rows->ahead = shape.group == MOTE_KERNEL_WIDE_BLOCK                                                      \
                      ? packed_tile(*rows, k, shape, x, t, n, y, y_stride)                                   \
                      : tile(*rows, k, shape, offset, x, t, beside, n, y, y_stride)
    if (PACKED_WIDEST > WIDEST && shape.group == MOTE_KERNEL_WIDE_BLOCK)
        for (; end - t >= 6 && end - t != 8; t += 6)
            TILE(6);
    for (; end - t >= 4; t += 4)
        TILE(4);
    if (end - t >= 2) {
        TILE(2);
        t += 2;
    }
    if (end - t >= 1) TILE(1);
#undef TILE
}

/* All of some panels and columns. */
struct job {
    const struct mote_kernel_panel *panels;
    uint32_t n_rows, k, n_columns;
    const struct mote_kernel_x8 *x;
    float *y;
    uint64_t y_stride;
    struct mote_kernel_ahead ahead;
};

/* Two vectors of rows from `row` on. */
INLINE void point(const struct job *job, uint32_t row, struct rows *rows, float *to[VECTORS]) {
    for (uint32_t v = 0; v < VECTORS; v++) {
        /* a panel without a second one is its own neighbour */
        uint32_t at = row + v * WIDTH < job->n_rows ? row + v * WIDTH : row;
        const struct mote_kernel_panel *panel = &job->panels[at / MOTE_KERNEL_ROWS];
        uint32_t within = at % MOTE_KERNEL_ROWS;
        rows->q[v] = panel->q + 4 * within;
        rows->scale[v] = panel->scale + within;
        rows->min[v] = panel->min + within;
        rows->bias[v] = panel->bias ? panel->bias + within : NULL;
        to[v] = job->y + at;
    }
}

/* Some columns after others, with each all strips of two vectors of rows. */
INLINE void strips(const struct job *job, struct shape shape, uint8_t offset) {
    enum { STRIDE = WIDTH * VECTORS, FEW = 2 * WIDEST };
    struct beside beside;
    const int is_packed = shape.group == MOTE_KERNEL_WIDE_BLOCK;
    uint32_t n_groups = (job->k + shape.group - 1) / shape.group,
             most = ROOM / room_of(n_groups) / WIDEST * WIDEST, n;
    uint64_t n_strips = (job->n_rows + STRIDE - 1) / STRIDE;
    uint32_t widest = is_packed ? PACKED_WIDEST : WIDEST;
    uint64_t steps = (uint64_t)(job->n_columns + widest - 1) / widest * n_strips * n_groups;
    uint64_t lines = (job->ahead.n / LINE + steps) / steps;
    uintptr_t ahead = (uintptr_t)job->ahead.bytes;
    struct rows rows = {.ahead = ahead, .end = ahead + job->ahead.n};
    rows.lines = lines < shape.group / 4 ? (uint32_t)lines : shape.group / 4;
    beside.n_groups = 0;
    for (uint32_t t = 0; t < job->n_columns; t += n) {
        n = job->n_columns - t;
        if (n > most && most >= FEW && !is_packed) n = most;
        beside.is_for_all = n <= most;
        if (beside.is_for_all && !is_packed) prepare(&beside, job->x, t, n, job->k, 0, shape, offset);
        for (uint32_t row = 0; row < job->n_rows; row += STRIDE) {
            float *to[VECTORS];
            point(job, row, &rows, to);
            strip(&rows, job->k, shape, offset, job->x, t, t + n, &beside, to, job->y_stride);
        }
    }
}

/* The shapes that occur, and which of them a type has: dot() in 32 bits never overflows in a group. */
static void multiply(const struct mote_base_type_info *info, const struct mote_kernel_panel *panels,
                     uint32_t n_panels, uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns,
                     float *y, uint64_t y_stride, struct mote_kernel_ahead ahead) {
    struct job job = {panels, n_panels * MOTE_KERNEL_ROWS, k, n_columns, x, y, y_stride, ahead};
#define STRIPS(group, steps, has_min, as_signed)                                                             \
    strips(&job, (struct shape){group, steps, has_min, as_signed}, info->offset)
    if (info->group == 32) {
        if (info->has_min && (!NARROW || info->bytes * 8 <= info->elements * 5))
            STRIPS(32, 8, 1, 0);
        else if (info->has_min)
            STRIPS(32, 4, 1, 0);
        else if (!NARROW || info->offset <= 8)
            STRIPS(32, 8, 0, 0);
        else if (info->offset == 128)
            STRIPS(32, 1, 0, 1);
        else if (info->offset <= 16)
            STRIPS(32, 4, 0, 0);
        else
            STRIPS(32, 1, 0, 0);
    } else {
        if (info->has_min)
            STRIPS(16, 4, 1, 0);
        else if (!NARROW || info->offset <= 16)
            STRIPS(16, 4, 0, 0);
        else if (info->offset <= 32)
            STRIPS(16, 2, 0, 0);
        else
            STRIPS(16, 1, 0, 0);
    }
#undef STRIPS
}

static void multiply_packed(const struct mote_kernel_panel *panels, uint32_t n_panels, uint32_t k,
                            const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride,
                            struct mote_kernel_ahead ahead) {
    struct job job = {panels, n_panels * MOTE_KERNEL_ROWS, k, n_columns, x, y, y_stride, ahead};
    strips(&job, (struct shape){MOTE_KERNEL_WIDE_BLOCK, NARROW ? 1 : MOTE_KERNEL_WIDE_BLOCK / 4, 0, NARROW},
           128);
}
