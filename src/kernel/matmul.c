/* SPDX-License-Identifier: Apache-2.0
 *
 * matmul.c: a weight matrix times T columns, panel by panel.
 *
 *     sixteen rows of the file ── decode, 256 columns at a time ──► int8 [16][256]  in L1
 *                                      interleave, offset added ──► the panel's q   [K/4][16][4]
 *                                  scales, mins turned by 90°   ──► scale, min      [K/group][16]
 *     a few panels × all T columns ── multiply ──► y
 *
 * or, where the machine has it, by fill from the file to the panel at once,
 * so that a weight is decoded once however many columns there are, and is read from the file in order. A few
 * columns do not pay for that: where there is a direct product of the type, they take it. Float
 * weights need no panel: a few rows at a time, held in cache, meet every column. The panels of packed
 * matrices are there already.
 *
 * A worker's memory, in this order: scale, min [2][16][16] f32 · the panels' scale, min [P][2][K/16][16] f32
 * · rows [16][256] int8 · the panels' q [P][K][16] u8. */
#include "kernel/kernel.h"

#include "base/float.h"
#include "base/memory.h"
#include "kernel/bundle.h"

enum {
    CHUNK = 256, /* columns decoded at a time, a multiple of every type's block */
    CHUNK_GROUPS = CHUNK / 16,
#if defined(MOTE_SMALL)
    PACKED = 1,
#else
    PACKED = 8, /* packed panels that meet all columns together */
#endif
    FLOAT_ROWS = 16,  /* float rows that meet all columns before the next */
    TURNED = 8,       /* columns of scales that are turned at a time */
    REST = 4,         /* columns that the rows of an incomplete panel meet at a time */
    DIRECT_ROWS = 64, /* that stay in cache while they meet those columns */
/* up to which few columns at a time, each decoding anew, beat a panel made once,
 * and if that is made by fill, of no fewer bytes than it holds values */
#if defined(__wasm_simd128__)
    PANELS = 4, /* that meet all columns together */
    DIRECT_COLUMNS = 6,
    WIDE_COLUMNS = 2,
    WIDE_AT_ONCE = MOTE_KERNEL_DIRECT,
    AHEAD = 0, /* fill has read what comes next; and to fetch means to read here: it must be there */
#else
    PANELS = 2, /* that meet all columns together */
    DIRECT_COLUMNS = 12,
    WIDE_COLUMNS = MOTE_KERNEL_WIDE,
    WIDE_AT_ONCE = MOTE_KERNEL_WIDE,
    AHEAD = PANELS * MOTE_KERNEL_ROWS,
#endif
};

struct scratch {
    int8_t *rows;       /* [16][CHUNK] */
    float *scale, *min; /* [16][CHUNK_GROUPS] */
    uint8_t *rest;      /* the panels' q: [PANELS][K][16] */
#if !defined(MOTE_NO_DECODERS)
    struct mote_kernel_panel panel[PANELS];
#endif
};

static uint64_t up(uint64_t n) {
    return (n + 63) & ~(uint64_t)63;
}

/* Scales of a panel, with room for a whole last chunk. */
static uint64_t panel_scales(uint32_t k) {
    return ((uint64_t)k + CHUNK - 1) / CHUNK * CHUNK_GROUPS * MOTE_KERNEL_ROWS;
}

uint64_t mote_kernel_matmul_plan(uint32_t k) {
    uint64_t chunk = MOTE_KERNEL_ROWS * (CHUNK + 2 * CHUNK_GROUPS * sizeof(float));
    return up(chunk + PANELS * (2 * panel_scales(k) * sizeof(float) + (uint64_t)k * MOTE_KERNEL_ROWS));
}

static struct scratch lay_out(void *work, uint32_t k) {
    struct scratch scratch;
    scratch.scale = work;
    scratch.min = scratch.scale + MOTE_KERNEL_ROWS * CHUNK_GROUPS;
    float *scales = scratch.min + MOTE_KERNEL_ROWS * CHUNK_GROUPS;
    scratch.rows = (int8_t *)(scales + PANELS * 2 * panel_scales(k));
    scratch.rest = (uint8_t *)(scratch.rows + MOTE_KERNEL_ROWS * CHUNK);
#if !defined(MOTE_NO_DECODERS)
    for (uint32_t p = 0; p < PANELS; p++) {
        float *scale = scales + p * 2 * panel_scales(k);
        scratch.panel[p] = (struct mote_kernel_panel){.q = scratch.rest + (uint64_t)p * k * MOTE_KERNEL_ROWS,
                                                      .scale = scale,
                                                      .min = scale + panel_scales(k)};
    }
#endif
    return scratch;
}

#if !defined(MOTE_NO_DECODERS)

/* from [16][CHUNK_GROUPS] to [n][16]: floats are four-byte pieces to interleave, and it takes eight at a
 * time, so up to seven columns of whatever stands in from follow. */
static void turn(const struct mote_kernels *kernels, const float *from, uint32_t n, float *to) {
    kernels->interleave((const int8_t *)from, CHUNK_GROUPS * sizeof *from, (n + TURNED - 1) / TURNED * 32, 0,
                        (uint8_t *)to);
}

/* Whether direct and fill take the rows of w as they lie. */
static int lies_right(const struct mote_kernels *kernels, const struct mote_kernel_weight *w) {
    return w->k >= MOTE_KERNEL_SPAN && (kernels->bundles >> w->type & 1) == (w->n_bundled > 0);
}

uint32_t mote_kernel_bundled_rows(const struct mote_kernels *kernels, const struct mote_kernel_weight *w) {
    if (!(kernels->bundles >> w->type & 1) || w->k < MOTE_KERNEL_SPAN) return 0;
    return w->n / MOTE_KERNEL_ROWS * MOTE_KERNEL_ROWS;
}

/* Decodes n_rows ≤ 16 rows into a panel; the rows that are missing become zero. */
static void fill_panel(const struct mote_kernels *kernels, const struct mote_base_type_info *info,
                       const struct mote_kernel_weight *w, uint32_t row, uint32_t n_rows,
                       const struct scratch *scratch, const struct mote_kernel_panel *panel) {
    mote_kernel_decode *decode = kernels->decode[w->type];
    const uint8_t *data = w->data + row * w->row_bytes;
    if (kernels->fill[w->type] && n_rows == MOTE_KERNEL_ROWS && lies_right(kernels, w)) {
        kernels->fill[w->type](data, w->row_bytes, w->k, panel);
        return;
    }
    if (n_rows < MOTE_KERNEL_ROWS) {
        memset(scratch->scale, 0, MOTE_KERNEL_ROWS * CHUNK_GROUPS * sizeof *scratch->scale);
        memset(scratch->min, 0, MOTE_KERNEL_ROWS * CHUNK_GROUPS * sizeof *scratch->min);
        memset(scratch->rows, 0, MOTE_KERNEL_ROWS * CHUNK);
    }
    for (uint32_t column = 0; column < w->k; column += CHUNK) {
        uint32_t n = w->k - column < CHUNK ? w->k - column : CHUNK;
        uint64_t at = (uint64_t)column / info->elements * info->bytes;
        for (uint32_t r = 0; r < n_rows; r++)
            decode(data + r * w->row_bytes + at, n / info->elements, scratch->rows + r * CHUNK,
                   scratch->scale + r * CHUNK_GROUPS, scratch->min + r * CHUNK_GROUPS);
        kernels->interleave(scratch->rows, CHUNK, n, info->offset,
                            panel->q + (uint64_t)column * MOTE_KERNEL_ROWS);
        uint64_t to = (uint64_t)column / info->group * MOTE_KERNEL_ROWS;
        turn(kernels, scratch->scale, n / info->group, panel->scale + to);
        if (info->has_min) turn(kernels, scratch->min, n / info->group, panel->min + to);
    }
}

/* n_rows < 16 rows in a panel: whole columns of it are made beside y, and what counts is copied. */
static void multiply_rest(const struct mote_kernels *kernels, const struct mote_base_type_info *info,
                          const struct mote_kernel_panel *panel, uint32_t n_rows, uint32_t k,
                          const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    for (uint64_t t = 0; t < n_columns; t += REST) {
        struct mote_kernel_x8 some = {
            .q = x->q + t * k, .scale = x->scale + t * (k / 32), .sum = x->sum + t * (k / 16)};
        uint32_t n = n_columns - t < REST ? (uint32_t)(n_columns - t) : REST;
        float whole[REST][MOTE_KERNEL_ROWS];
        kernels->multiply(info, panel, 1, k, &some, n, whole[0], MOTE_KERNEL_ROWS,
                          (struct mote_kernel_ahead){0});
        for (uint32_t c = 0; c < n; c++)
            memcpy(y + (t + c) * y_stride, whole[c], n_rows * sizeof *y);
    }
}

/* Few columns, straight from the file's bytes; n_rows a multiple of 16. */
static void multiply_direct(mote_kernel_direct *direct, const struct mote_kernel_weight *w, uint32_t row0,
                            uint32_t n_rows, const struct mote_kernel_x8 *x, uint32_t n_columns,
                            uint32_t at_once, float *y, uint64_t y_stride) {
    uint32_t block = n_columns <= at_once ? n_rows : DIRECT_ROWS;
    for (uint32_t row = row0; row < row0 + n_rows; row += block) {
        uint32_t n = row0 + n_rows - row < block ? row0 + n_rows - row : block;
        for (uint64_t t = 0; t < n_columns; t += at_once) {
            uint32_t columns = n_columns - t < at_once ? (uint32_t)(n_columns - t) : at_once;
            struct mote_kernel_x8 some = {
                .q = x->q + t * w->k, .scale = x->scale + t * (w->k / 32), .sum = x->sum + t * (w->k / 16)};
            direct(w, row, n, &some, columns, y + t * y_stride + row, y_stride);
        }
    }
}

/* From the file's rows. */
static void matmul_quantized(const struct mote_kernels *kernels, const struct mote_base_type_info *info,
                             const struct mote_kernel_weight *w, uint32_t row0, uint32_t row1,
                             const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride,
                             const struct scratch *scratch) {
    mote_kernel_direct *direct = kernels->direct[w->type];
    const int wide = info->bytes > info->elements;
    uint32_t most = !kernels->fill[w->type] ? DIRECT_COLUMNS : wide ? WIDE_COLUMNS : kernels->fill_from - 1;
    if (w->n_bundled && info->elements == MOTE_KERNEL_BLOCK) most = kernels->bundle_fill_from - 1;
    if (direct && n_columns <= most && lies_right(kernels, w)) {
        uint32_t n_rows = (row1 - row0) / MOTE_KERNEL_ROWS * MOTE_KERNEL_ROWS;
        multiply_direct(direct, w, row0, n_rows, x, n_columns, wide ? WIDE_AT_ONCE : MOTE_KERNEL_DIRECT, y,
                        y_stride);
        row0 += n_rows;
    }
    while (row0 < row1) {
        uint32_t n_panels = (row1 - row0) / MOTE_KERNEL_ROWS, n_rows = MOTE_KERNEL_ROWS;
        if (n_panels > PANELS) n_panels = PANELS;
        for (uint32_t p = 0; p < n_panels; p++)
            fill_panel(kernels, info, w, row0 + p * n_rows, n_rows, scratch, &scratch->panel[p]);
        if (n_panels) {
            /* the rows that come next are fetched meanwhile: to make a panel takes a little from each of
             * sixteen, which no prefetcher of a machine foresees */
            uint32_t next = row0 + n_panels * n_rows, n_next = row1 - next;
            if (n_next > AHEAD) n_next = AHEAD;
            kernels->multiply(
                info, scratch->panel, n_panels, w->k, x, n_columns, y + row0, y_stride,
                (struct mote_kernel_ahead){w->data + next * w->row_bytes, n_next * w->row_bytes});
        } else {
            n_panels = 1;
            n_rows = row1 - row0;
            fill_panel(kernels, info, w, row0, n_rows, scratch, scratch->panel);
            multiply_rest(kernels, info, scratch->panel, n_rows, w->k, x, n_columns, y + row0, y_stride);
        }
        row0 += n_panels * n_rows;
    }
}

#endif

/* ---- packed matrices ---- */

#if !defined(MOTE_NO_ENCODERS)

/* Spans of a row of a packed matrix, and bytes of one of its panels: q, scale. */
static uint32_t spans_of(uint32_t k) {
    return (k + MOTE_KERNEL_WIDE_SPAN - 1) / MOTE_KERNEL_WIDE_SPAN;
}

static uint64_t packed_bytes(uint32_t k) {
    return ((uint64_t)k + spans_of(k) * sizeof(float)) * MOTE_KERNEL_ROWS;
}

static struct mote_kernel_panel packed_at(const uint8_t *panels, uint64_t i, uint32_t k) {
    uint8_t *q = (uint8_t *)(uintptr_t)panels + i * packed_bytes(k); /* written while packing only */
    return (struct mote_kernel_panel){.q = q, .scale = (float *)(void *)(q + (uint64_t)k * MOTE_KERNEL_ROWS)};
}

/* n_rows < 16 rows in a panel: as multiply_rest. */
static void packed_rest(const struct mote_kernels *kernels, const struct mote_kernel_panel *panel,
                        uint32_t n_rows, uint32_t k, const struct mote_kernel_x8 *x, uint32_t n_columns,
                        float *y, uint64_t y_stride) {
    uint64_t n_blocks = (k + MOTE_KERNEL_WIDE_BLOCK - 1) / MOTE_KERNEL_WIDE_BLOCK;
    for (uint64_t t = 0; t < n_columns; t++) {
        struct mote_kernel_x8 one = {
            .q = x->q + t * k, .scale = x->scale + t * n_blocks, .start = x->start + t * n_blocks};
        float whole[MOTE_KERNEL_ROWS];
        kernels->multiply_packed(panel, 1, k, &one, 1, whole, 0, (struct mote_kernel_ahead){0});
        memcpy(y + t * y_stride, whole, n_rows * sizeof *y);
    }
}

static void matmul_packed(const struct mote_kernels *kernels, const struct mote_kernel_weight *w,
                          uint32_t row0, uint32_t row1, const struct mote_kernel_x8 *x, uint32_t n_columns,
                          float *y, uint64_t y_stride) {
    for (uint32_t n_panels; row0 < row1; row0 += n_panels * MOTE_KERNEL_ROWS) {
        struct mote_kernel_panel panel[PACKED];
        struct mote_kernel_ahead ahead = {0};
        uint64_t first = row0 / MOTE_KERNEL_ROWS;
        n_panels = (row1 - row0) / MOTE_KERNEL_ROWS < PACKED ? (row1 - row0) / MOTE_KERNEL_ROWS : PACKED;
        for (uint32_t p = 0; p < PACKED; p++) {
            panel[p] = packed_at(w->panels, first + p, w->k);
            if (w->bias && p < n_panels) panel[p].bias = w->bias + row0 + p * MOTE_KERNEL_ROWS;
        }
        if (!n_panels) {
            packed_rest(kernels, panel, row1 - row0, w->k, x, n_columns, y + row0, y_stride);
            return;
        }
#if !defined(MOTE_SMALL)
        uint64_t bytes = packed_bytes(w->k), next = w->n / MOTE_KERNEL_ROWS - first - n_panels;
        if (next > PACKED || AHEAD > 0)
            next = PACKED; /* behind the last panel lie those of the next product */
        ahead.bytes = w->panels + (first + n_panels) * bytes;
        ahead.n = next * bytes;
#endif
        kernels->multiply_packed(panel, n_panels, w->k, x, n_columns, y + row0, y_stride, ahead);
    }
}

uint64_t mote_kernel_pack_plan(const struct mote_kernel_weight *w) {
    uint64_t n_panels = ((uint64_t)w->n + MOTE_KERNEL_ROWS - 1) / MOTE_KERNEL_ROWS;
    return mote_base_type_describe(w->type)->group ? n_panels * packed_bytes(w->k) : 0;
}

/* Each row becomes floats and then bytes, which wait in the scratch's rest until there are sixteen to interleave; behind
 * them come a row's floats, scales and starts. Rows that are missing are zero. */
void mote_kernel_pack(const struct mote_kernels *kernels, const struct mote_kernel_weight *w, uint8_t *panels,
                      void *work) {
    const uint32_t k = w->k;
    int8_t *rows = (int8_t *)lay_out(work, k).rest;
    float *values = (float *)(void *)(rows + (uint64_t)k * MOTE_KERNEL_ROWS), *scales = values + k;
    int32_t *starts = (int32_t *)(void *)(scales + spans_of(k));
    for (uint32_t row = 0, i = 0; row < w->n; i++) {
        struct mote_kernel_panel panel = packed_at(panels, i, k);
        memset(rows, 0, (uint64_t)k * MOTE_KERNEL_ROWS);
        memset(panel.scale, 0, spans_of(k) * MOTE_KERNEL_ROWS * sizeof *scales);
        for (uint32_t r = 0; r < MOTE_KERNEL_ROWS && row < w->n; r++, row++) {
            mote_kernel_row(kernels, w, row, values, work);
            kernels->quantize_wide(values, k, MOTE_KERNEL_WIDE_SPAN, rows + (uint64_t)r * k, scales, starts);
            for (uint32_t j = 0; j < spans_of(k); j++)
                panel.scale[j * MOTE_KERNEL_ROWS + r] = scales[j];
        }
        kernels->interleave(rows, k, k, 128, panel.q);
    }
}

#endif

/* ---- whole matrices ---- */

static void matmul_float(const struct mote_kernels *kernels, const struct mote_kernel_weight *w,
                         uint32_t row0, uint32_t row1, const struct mote_kernel_input *input,
                         uint32_t n_columns, float *y, uint64_t y_stride) {
    mote_kernel_dot *dot = w->type == MOTE_TYPE_F32   ? kernels->dot_f32
                           : w->type == MOTE_TYPE_F16 ? kernels->dot_f16
                                                      : kernels->dot_bf16;
    for (uint32_t row = row0; row < row1; row += FLOAT_ROWS) {
        uint32_t n_rows = row1 - row < FLOAT_ROWS ? row1 - row : FLOAT_ROWS;
        dot(w->data + row * w->row_bytes, w->row_bytes, n_rows, w->k, input->x, input->x_stride, n_columns,
            y + row, y_stride);
    }
}

void mote_kernel_matmul(const struct mote_kernels *kernels, const struct mote_kernel_weight *w, uint32_t row0,
                        uint32_t row1, const struct mote_kernel_input *input, uint32_t n_columns, float *y,
                        uint64_t y_stride, void *work) {
    const struct mote_base_type_info *info = mote_base_type_describe(w->type);
    (void)work;
    if (!info->group) {
        matmul_float(kernels, w, row0, row1, input, n_columns, y, y_stride);
#if !defined(MOTE_NO_ENCODERS)
    } else if (w->panels) {
        matmul_packed(kernels, w, row0, row1, &input->x8, n_columns, y, y_stride);
        row0 += (row1 - row0) / MOTE_KERNEL_ROWS * MOTE_KERNEL_ROWS; /* the rest is without its bias */
#endif
#if !defined(MOTE_NO_DECODERS) /* all matrices of encoders are packed */
    } else {
        struct scratch scratch = lay_out(work, w->k);
        matmul_quantized(kernels, info, w, row0, row1, &input->x8, n_columns, y, y_stride, &scratch);
#endif
    }
#if !defined(MOTE_NO_ENCODERS)
    for (uint64_t t = 0; w->bias && row0 < row1 && t < n_columns; t++) {
        float *rest = y + t * y_stride + row0;
        kernels->add(rest, w->bias + row0, row1 - row0, rest);
    }
#endif
}

static void row_float(const struct mote_kernels *kernels, const struct mote_kernel_weight *w,
                      const uint8_t *data, float *y) {
    if (w->type == MOTE_TYPE_F32) {
        memcpy(y, data, w->k * sizeof *y);
        return;
    }
    if (w->type == MOTE_TYPE_F16) {
        kernels->from_f16(data, w->k, y);
        return;
    }
    for (uint32_t i = 0; i < w->k; i++, data += 2)
        y[i] = mote_base_f32_from_bf16((uint16_t)(data[0] | data[1] << 8));
}

/* n ≤ CHUNK values of a row, from the blocks at data, as f32. */
static void values_of(const struct mote_kernels *kernels, uint32_t type, const uint8_t *data, uint32_t n,
                      const struct scratch *scratch, float *y) {
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    kernels->decode[type](data, n / info->elements, scratch->rows, scratch->scale, scratch->min);
    for (uint32_t i = 0; i < n; i += 16) {
        float scale = scratch->scale[i / info->group], *to = y + i;
        for (uint32_t j = 0; j < 16; j++)
            to[j] = scale * (float)scratch->rows[i + j];
        for (uint32_t j = 0; j < 16 && info->has_min; j++)
            to[j] = to[j] - scratch->min[i / info->group];
    }
}

void mote_kernel_row(const struct mote_kernels *kernels, const struct mote_kernel_weight *w, uint32_t row,
                     float *y, void *work) {
    const struct mote_base_type_info *info = mote_base_type_describe(w->type);
    const uint8_t *data = w->data + row * w->row_bytes;
    if (!info->group) {
        row_float(kernels, w, data, y);
        return;
    }
    struct scratch scratch = lay_out(work, w->k);
#if !defined(MOTE_NO_DECODERS)
    if (row < w->n_bundled) {
        uint8_t *whole = scratch.panel[0].q; /* which has more bytes */
        mote_kernel_bundle_row(w->type, w->k, kernels->bundle_flip,
                               data - row % MOTE_KERNEL_ROWS * w->row_bytes, row % MOTE_KERNEL_ROWS, whole);
        data = whole;
    }
#endif
    for (uint32_t column = 0; column < w->k; column += CHUNK) {
        uint32_t n = w->k - column < CHUNK ? w->k - column : CHUNK;
        uint64_t at = (uint64_t)column / info->elements * info->bytes;
        values_of(kernels, w->type, data + at, n, &scratch, y + column);
    }
}
