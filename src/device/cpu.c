/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu.c: one function for each operation of a program, and the loop that walks the list. An operation on many
 * rows is cut into pieces for the host's workers; on one row, what is small is done in place, because waking
 * a worker costs more than a norm. Matrix products that stand side by side and read the same value (q, k, v;
 * gate, up) are one piece of work: their input is quantized once and the workers meet once.
 *
 * An encoder's rows are many and all there at once. They are cut into blocks, and a worker takes one through all
 * that lies between two attentions: what it makes stays in its cache, and workers meet once a layer.
 *
 *     embed … k, v | attend … k, v | attend … k, v | attend … norm | pool, head       | all meet
 *
 * Few rows are not worth weights read by each worker: they go operation by operation. */
#include "device/cpu.h"

#include "base/memory.h"
#include "device/rope.h"
#include "kernel/bundle.h"

/* Of one piece of attention. QUERIES: a page is unpacked once for them, and what is kept of each fits a cache
 * of 48 KB. RUN: bytes of neighbouring kv heads that are read before the next page. */
enum { QUERIES = 32, RUN = 1 << 16, TOGETHER = MOTE_KERNEL_TOGETHER };

/* Most rows of a block, of which a worker's cache holds what is made; fewest; what it is a multiple of: columns
 * that products take together, queries. */
enum { BLOCK = 64, LEAST_BLOCK = 8 };

/* One step being computed; the argument of every piece of work. */
struct step {
    struct mote_device_cpu *device;
    const struct mote_device_row *rows;
    uint32_t n_rows;
    int is_block;               /* of some rows of another step: */
    uint32_t first_row, worker; /* its first, and whose all of it is */
    const uint32_t *wanted;
    uint32_t n_wanted;
    float *value[MOTE_PROGRAM_VALUES];
    const struct mote_device_encoding *encoding; /* NULL: the model is no encoder */
    const struct mote_program_op *op;            /* being run; the first of a group of products */
    const struct mote_program_op *end;           /* of a block's */
    uint32_t n_group;
    struct mote_kernel_input input; /* of products */
    struct mote_kernel_x8 x8;       /* room for its columns */
    uint32_t n_columns, n_panels_a_piece;
    uint32_t *groups; /* [T + 1] first rows of those that attend together */
    uint32_t n_groups;
    uint32_t n_together; /* query heads that do */
    uint32_t n_block;    /* rows of a block */
};

/* A module without threads goes without: nobody has to meet. */
#if defined(MOTE_NO_ENCODERS) || (defined(__wasm__) && !defined(__wasm_atomics__))
#define HAS_BLOCKS     0
#define IS_BLOCK(step) 0
#else
#define HAS_BLOCKS     1
#define IS_BLOCK(step) ((step)->is_block)
#endif

static float *row_of(const struct step *s, enum mote_program_value v, uint32_t row) {
    return s->value[v] + (uint64_t)row * s->device->program->width[v];
}

static void run(struct step *s, uint32_t n, mote_work *work) {
    const mote_host *host = s->device->host;
    if (n > 1 && s->device->n_workers > 1 && !IS_BLOCK(s)) {
        host->parallel_for(host->user, n, work, s);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        work(s, i, s->worker);
}

/* ---- operations on a row ---- */

static void embed(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    mote_kernel_row(&d->kernels, s->op->weight, (uint32_t)s->rows[i].token, row_of(s, s->op->out, i),
                    d->work + worker * d->work_bytes);
}

#if !defined(MOTE_NO_DECODERS)
static void norm(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    (void)worker;
    d->kernels.rms_norm(row_of(s, s->op->a, i), (const float *)(const void *)s->op->weight->data,
                        d->program->width[s->op->a], d->config->norm_eps, row_of(s, s->op->out, i));
}

#endif

/* Whether the rows of an operation see only what is near. */
static int is_near(const struct mote_program_op *op) {
#if defined(MOTE_NO_ENCODERS)
    (void)op;
    return 0;
#else
    return op->near;
#endif
}

static void rope(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    const struct mote_model_rope *r = &d->config->rope;
    uint64_t at = ((uint64_t)s->first_row + i + (is_near(s->op) ? d->n_rows : 0)) * (r->n_rot / 2);
    (void)worker;
    d->kernels.rope(row_of(s, s->op->out, i), d->program->width[s->op->out] / d->config->n_head_dim,
                    d->config->n_head_dim, r->n_rot, r->style, d->cosine + at, d->sine + at);
}

static void swiglu(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    (void)worker;
    d->kernels.swiglu(row_of(s, s->op->a, i), row_of(s, s->op->b, i), d->program->width[s->op->out],
                      row_of(s, s->op->out, i));
}

static void add(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    (void)worker;
    d->kernels.add(row_of(s, s->op->a, i), row_of(s, s->op->b, i), d->program->width[s->op->out],
                   row_of(s, s->op->out, i));
}

#if !defined(MOTE_NO_DECODERS)

static void select_row(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    (void)worker;
    memcpy(row_of(s, s->op->out, i), row_of(s, s->op->a, s->wanted[i]),
           s->device->program->width[s->op->out] * sizeof(float));
}

#endif

#if !defined(MOTE_NO_ENCODERS)

/* ---- operations of encoders ---- */

static const float *floats(const struct mote_kernel_weight *w) {
    return w ? (const float *)(const void *)w->data : NULL;
}

static void add_row(struct step *s, uint32_t i, uint32_t worker, uint32_t row) {
    struct mote_device_cpu *d = s->device;
    float *added = row_of(s, MOTE_PROGRAM_NORMED, i);
    mote_kernel_row(&d->kernels, s->op->weight, row, added, d->work + worker * d->work_bytes);
    d->kernels.add(row_of(s, s->op->a, i), added, d->program->width[s->op->out], row_of(s, s->op->out, i));
}

static void add_position(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    add_row(s, i, worker, s->rows[i].position);
}

static void add_segment(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    add_row(s, i, worker, s->rows[i].segment);
}

static void layer_norm(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    (void)worker;
    d->kernels.layer_norm(row_of(s, s->op->a, i), floats(s->op->weight), floats(s->op->bias),
                          d->program->width[s->op->a], d->config->norm_eps, row_of(s, s->op->out, i));
}

static void add_norm(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    uint32_t width = d->program->width[s->op->out];
    float *out = row_of(s, s->op->out, i);
    (void)worker;
    d->kernels.add(row_of(s, s->op->a, i), row_of(s, s->op->b, i), width, out);
    d->kernels.layer_norm(out, floats(s->op->weight), floats(s->op->bias), width, d->config->norm_eps, out);
}

static void multiply_rows(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    const float *a = row_of(s, s->op->a, i), *b = row_of(s, s->op->b, i);
    float *out = row_of(s, s->op->out, i);
    (void)worker;
    for (uint32_t j = 0; j < s->device->program->width[s->op->out]; j++)
        out[j] = a[j] * b[j];
}

/* Piece i: a sequence, or a row where there is no pooling. MEAN adds the rows in order. */
static void pool(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    const struct mote_device_encoding *e = s->encoding;
    uint32_t width = d->program->width[s->op->out];
    uint32_t first = i, end = i + 1;
    float *out = row_of(s, s->op->out, i);
    (void)worker;
    if (e->pooling != MOTE_POOLING_NONE) {
        first = i ? e->ends[i - 1] : 0;
        end = e->ends[i];
    }
    if (e->pooling == MOTE_POOLING_LAST) first = end - 1;
    memcpy(out, row_of(s, s->op->a, first), width * sizeof *out);
    if (e->pooling != MOTE_POOLING_MEAN) return;
    for (uint32_t row = first + 1; row < end; row++)
        d->kernels.add(out, row_of(s, s->op->a, row), width, out);
    for (uint32_t j = 0; j < width; j++)
        out[j] = out[j] / (float)(end - first);
}

/* A vector of zeros stays one. */
static void normalize(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    const float *a = row_of(s, s->op->a, i);
    float *out = row_of(s, s->op->out, i), square;
    uint32_t width = s->device->program->width[s->op->out];
    (void)worker;
    s->device->kernels.dot_f32(a, width * sizeof *a, 1, width, a, width, 1, &square, 1);
    float length = __builtin_sqrtf(square);
    for (uint32_t j = 0; j < width; j++)
        out[j] = length > 0 ? a[j] / length : a[j];
}

/* What follows a product on n of its outputs. */
static void finish(const struct mote_kernels *kernels, const struct mote_program_op *op, uint32_t n,
                   float *y) {
    switch (op->activation) {
    case MOTE_MODEL_GELU:
        kernels->gelu(y, n, y);
        break;
    case MOTE_MODEL_TANH:
        kernels->tanh(y, n, y);
        break;
    case MOTE_MODEL_RELU:
        for (uint32_t i = 0; i < n; i++)
            y[i] = y[i] < 0 ? 0 : y[i];
        break;
    case MOTE_MODEL_NO_ACTIVATION:
        break;
    }
}

#endif

/* ---- attention ---- */

static uint8_t *page_of(const struct step *s, const struct mote_device_row *row, uint32_t position,
                        uint32_t kv_head) {
    const struct mote_device_cpu *d = s->device;
    uint64_t head = (uint64_t)s->op->layer * d->config->n_kv_heads + kv_head;
    return d->cache + row->pages[position / MOTE_DEVICE_PAGE] * d->page_bytes + head * d->head_bytes;
}

/* Rows of one page together. */
static void store_s8(struct step *s, uint32_t kv_head) {
    struct mote_device_cpu *d = s->device;
    uint32_t e = d->config->n_head_dim;
    uint64_t from = (uint64_t)kv_head * e;
    for (uint32_t r = 0, n; r < s->n_rows; r += n) {
        const struct mote_device_row *row = &s->rows[r];
        uint32_t at = row->position % MOTE_DEVICE_PAGE;
        for (n = 1; r + n < s->n_rows && row[n].pages == row->pages && at + n < MOTE_DEVICE_PAGE;)
            n++;
        d->kernels.keep_s8(row_of(s, s->op->a, r) + from, row_of(s, s->op->b, r) + from,
                           d->program->width[s->op->a], n, e, at, page_of(s, row, row->position, kv_head));
    }
}

/* Piece i: a kv head of all rows. (Cut by rows, workers would write into the same cache lines.) */
static void store(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    uint32_t e = d->config->n_head_dim;
    uint64_t from = (uint64_t)i * e;
    (void)worker;
    if (mote_kernel_is_s8(d->kv_type)) {
        store_s8(s, i);
        return;
    }
    for (uint32_t r = 0; r < s->n_rows; r++)
        d->kernels.keep[d->kv_type](row_of(s, s->op->a, r) + from, row_of(s, s->op->b, r) + from, e,
                                    s->rows[r].position % MOTE_DEVICE_PAGE,
                                    page_of(s, &s->rows[r], s->rows[r].position, i));
}

static void store_rows(struct step *s) {
    if (s->n_rows > 1) {
        run(s, s->device->config->n_kv_heads, store);
        return;
    }
    for (uint32_t i = 0; i < s->device->config->n_kv_heads; i++)
        store(s, i, s->worker);
}

/* Cuts the rows into groups that read the same pages: neighbours of one sequence, one position further each.
 */
static void group_rows(struct step *s) {
    const struct mote_device_cpu *d = s->device;
    uint32_t most = d->most_queries / (d->config->n_heads / d->config->n_kv_heads), n = 0, length = 0;
    for (uint32_t i = 0; i < s->n_rows; i++, length++) {
        const struct mote_device_row *row = &s->rows[i];
        if (length > 0 && length < most && row->pages == row[-1].pages &&
            row->position == row[-1].position + 1)
            continue;
        s->groups[n++] = i;
        length = 0;
    }
    s->groups[n] = s->n_rows;
    s->n_groups = n;
}

/* Lays out the working memory of one piece of attention in d->work; returns its size. */
static uint64_t attention_work(const struct mote_device_cpu *d, uint8_t *work,
                               struct mote_kernel_attention *a) {
    uint64_t e = d->config->n_head_dim, padded = (e + 15) / 16 * 16, n = d->most_queries;
    float *at = (float *)(void *)work;
    *a = (struct mote_kernel_attention){.head_dim = (uint32_t)e, .scale = 1 / __builtin_sqrtf((float)e)};
    uint64_t sizes[] = {TOGETHER * MOTE_DEVICE_PAGE * (e + padded), n * padded, n * padded, n * 16, n, n};
    float *position = NULL, **const parts[] = {&a->page, &a->query, &a->value, &a->sum, &a->max, &position};
    uint64_t used = 0;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (work) *parts[i] = at + used;
        used += (sizes[i] + 15) / 16 * 16;
    }
    a->position = (uint32_t *)(void *)position;
    return used * sizeof(float);
}

/* How many query heads attend in one piece of work. */
#if defined(MOTE_NO_DECODERS) /* modules for encoders save the choice: those of one kv head */
#define ONE_KV_HEAD 1
static uint32_t heads_together(const struct step *s) {
    return s->device->config->n_heads / s->device->config->n_kv_heads;
}
#else
#define ONE_KV_HEAD 0
/* With many rows, those of one kv head; with few, those of as many neighbouring kv heads as lie in one run of memory,
 * while there is a piece for each worker; and where there is none even so, only some of those of one kv head. */
static uint32_t heads_together(const struct step *s) {
    const struct mote_device_cpu *d = s->device;
    const struct mote_model_config *c = d->config;
    uint32_t shared = c->n_heads / c->n_kv_heads, n_kv = 1, heads = shared;
    uint32_t n_queries = 0; /* of a kv head in the largest group */
    for (uint32_t i = 0; i < s->n_groups; i++) {
        uint32_t n = (s->groups[i + 1] - s->groups[i]) * shared;
        n_queries = n > n_queries ? n : n_queries;
    }
    while (c->n_kv_heads % (2 * n_kv) == 0 && 2 * n_kv * n_queries <= d->most_queries &&
           2 * n_kv * d->head_bytes <= RUN && s->n_groups * c->n_kv_heads / (2 * n_kv) >= d->n_workers)
        n_kv *= 2;
    while (s->n_groups * (c->n_heads / heads) < d->n_workers && heads % 2 == 0 && heads > 4)
        heads /= 2;
    return n_kv > 1 ? n_kv * shared : heads;
}
#endif

/* A piece: some rows of one sequence, and some query heads, which are some of those of one kv head or all
 * those of several. Query q of a kv head is that of row q / n_shared. */
struct attending {
    struct mote_kernel_attention a;
    const struct mote_device_row *rows;
    uint32_t first_row, n_rows, first_head, n_shared, first_kv, n_kv;
};

static float *query_of(const struct step *s, const struct attending *p, enum mote_program_value v,
                       uint32_t kv, uint32_t q) {
    return row_of(s, v, p->first_row + q / p->n_shared) +
           ((uint64_t)p->first_head + kv * p->n_shared + q % p->n_shared) * s->device->config->n_head_dim;
}

/* How far row j of the piece sees, up to the end of pages from `at` on; 0 where it sees nothing of them. */
static uint32_t seen_of(const struct attending *p, uint32_t j, uint32_t at, uint32_t end) {
    const struct mote_device_row *row = &p->rows[j];
    uint32_t reach = p->a.reach;
    if (reach && (row->position + reach <= at || row->position >= end - 1 + reach)) return 0;
    return row->n_seen < end ? row->n_seen : end;
}

/* All queries of the piece over the n pages from the one of position `at` on. While a kv head's are read, an
 * equal share of those that follow is asked for, in the order in which they lie in memory. */
static void attend_pages(const struct step *s, struct attending *p, uint32_t at, uint32_t n) {
    const struct mote_device_cpu *d = s->device;
    uint32_t end = at + n * MOTE_DEVICE_PAGE; /* of the span */
    uint32_t n_queries = p->n_rows * p->n_shared;
    p->a.at = at;
    for (uint32_t kv = 0; kv < p->n_kv; kv++) {
        const void *pages[TOGETHER];
        uint32_t first = kv * n_queries;
        for (uint32_t i = 0; i < n; i++) {
            pages[i] = page_of(s, p->rows, at + i * MOTE_DEVICE_PAGE, p->first_kv + kv);
#if !defined(__wasm__) /* where nothing can be asked for */
            uint32_t chunk = kv * n + i, next = end + chunk / p->n_kv * MOTE_DEVICE_PAGE;
            int is_there = next < p->rows[p->n_rows - 1].n_seen;
            p->a.next[i] = is_there ? page_of(s, p->rows, next, p->first_kv + chunk % p->n_kv) : pages[i];
#endif
        }
        /* rows that see equally many of the span go together: those past it, or of one encoder's text */
        for (uint32_t j = 0, to; j < p->n_rows; j = to) {
            uint32_t seen = seen_of(p, j, at, end);
            for (to = j + 1; to < p->n_rows && seen_of(p, to, at, end) == seen;)
                to++;
            if (seen > at)
                d->kernels.attend[d->kv_type](&p->a, first + j * p->n_shared, (to - j) * p->n_shared, pages,
                                              seen - at);
        }
    }
}

static void attend(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    const struct mote_model_config *c = d->config;
    uint32_t e = c->n_head_dim, padded = (e + 15) / 16 * 16, shared = c->n_heads / c->n_kv_heads;
    uint32_t n_pieces = c->n_heads / s->n_together, group = i / n_pieces;
    struct attending p = {.first_row = s->groups[group],
                          .n_rows = s->groups[group + 1] - s->groups[group],
                          .first_head = i % n_pieces * s->n_together,
                          .n_shared = s->n_together < shared ? s->n_together : shared};
    p.rows = s->rows + p.first_row;
    p.first_kv = p.first_head / shared;
    p.n_kv = ONE_KV_HEAD ? 1 : s->n_together / p.n_shared;
    uint32_t n = p.n_rows * p.n_shared, n_pages = (p.rows[p.n_rows - 1].n_seen - 1) / MOTE_DEVICE_PAGE + 1;
    attention_work(d, d->work + worker * d->work_bytes, &p.a);
    for (uint32_t q = 0; q < p.n_kv * n; q++) {
        const float *query = query_of(s, &p, s->op->a, q / n, q % n);
        if (mote_kernel_is_s8(d->kv_type))
            d->kernels.ask_s8(&p.a, q, query);
        else
            memcpy(p.a.query + (uint64_t)q * padded, query, e * sizeof *query);
        p.a.max[q] = -__builtin_inff();
    }
    memset(p.a.value, 0, (uint64_t)p.n_kv * n * padded * sizeof *p.a.value);
    memset(p.a.sum, 0, (uint64_t)p.n_kv * n * 16 * sizeof *p.a.sum);
    uint32_t page = 0, together = TOGETHER;
    if (is_near(s->op)) { /* pages one by one, as a query has to see something of each of a call */
        uint32_t last = p.rows[p.n_rows - 1].position, reach = c->encoder.window / 2 + 1;
        for (uint32_t q = 0; q < p.n_kv * n; q++)
            p.a.position[q] = p.rows[q % n / p.n_shared].position;
        together = 1;
        p.a.reach = reach;
        if (p.rows->position >= reach) page = (p.rows->position - reach + 1) / MOTE_DEVICE_PAGE;
        if ((last + reach - 1) / MOTE_DEVICE_PAGE < n_pages)
            n_pages = (last + reach - 1) / MOTE_DEVICE_PAGE + 1;
    }
    for (; page < n_pages; page += together)
        attend_pages(s, &p, page * MOTE_DEVICE_PAGE, n_pages - page < together ? n_pages - page : together);
    for (uint32_t q = 0; q < p.n_kv * n; q++)
        d->kernels.attend_end(&p.a, q, query_of(s, &p, s->op->out, q / n, q % n));
}

/* ---- products ---- */

static void quantize(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    const float *x = row_of(s, s->op->a, i);
    uint64_t k = s->op->weight->k;
    (void)worker;
#if !defined(MOTE_NO_ENCODERS)
    if (d->packed) {
        uint64_t n_blocks = (k + MOTE_KERNEL_WIDE_BLOCK - 1) / MOTE_KERNEL_WIDE_BLOCK;
        d->kernels.quantize_wide(x, (uint32_t)k, MOTE_KERNEL_WIDE_BLOCK, s->x8.q + i * k,
                                 s->x8.scale + i * n_blocks, s->x8.start + i * n_blocks);
        return;
    }
#endif
#if !defined(MOTE_NO_DECODERS)
    d->kernels.quantize(x, (uint32_t)k, s->x8.q + i * k, s->x8.scale + i * (k / MOTE_KERNEL_BLOCK),
                        s->x8.sum + i * (k / 16));
#endif
}

static uint32_t pieces_of(const struct step *s, const struct mote_program_op *op) {
    uint32_t rows = s->n_panels_a_piece * MOTE_KERNEL_ROWS;
    return (op->weight->n + rows - 1) / rows;
}

static const struct mote_kernel_weight *weight_of(const struct mote_device_cpu *d,
                                                  const struct mote_program_op *op) {
#if !defined(MOTE_NO_ENCODERS)
    if (d->packed) return &d->packed[op - d->program->ops];
#endif
    (void)d;
    return op->weight;
}

/* Piece i of a group of products: some panels of one of its weights. */
static void multiply(void *argument, uint32_t i, uint32_t worker) {
    struct step *s = argument;
    struct mote_device_cpu *d = s->device;
    const struct mote_program_op *op = s->op;
    while (i >= pieces_of(s, op))
        i -= pieces_of(s, op++);
    uint32_t rows = s->n_panels_a_piece * MOTE_KERNEL_ROWS, first = i * rows;
    uint32_t end = op->weight->n - first < rows ? op->weight->n : first + rows;
    mote_kernel_matmul(&d->kernels, weight_of(d, op), first, end, &s->input, s->n_columns, s->value[op->out],
                       d->program->width[op->out], d->work + worker * d->work_bytes);
#if !defined(MOTE_NO_ENCODERS)
    for (uint32_t t = 0; t < s->n_columns && op->activation; t++)
        finish(&d->kernels, op, end - first, row_of(s, op->out, t) + first);
#endif
}

/* Runs the products from s->op on that share its input; returns how many. */
static uint32_t run_products(struct step *s, const struct mote_program_op *end) {
    struct mote_device_cpu *d = s->device;
    const struct mote_program_op *first = s->op;
    uint64_t n_panels = 0;
    int quantized = 0;
    s->n_group = 0;
    for (const struct mote_program_op *op = first;
         op < end && op->kind == MOTE_PROGRAM_MATMUL && op->a == first->a; op++) {
        quantized |= mote_base_type_describe(op->weight->type)->group != 0;
        n_panels += (op->weight->n + MOTE_KERNEL_ROWS - 1) / MOTE_KERNEL_ROWS;
        s->n_group++;
    }
    s->n_columns = mote_program_is_wanted(first->a) ? s->n_wanted : s->n_rows;
    if (!s->n_columns) return s->n_group;
    s->input = (struct mote_kernel_input){s->value[first->a], d->program->width[first->a], s->x8};
    if (quantized) run(s, s->n_columns, quantize);

    /* enough pieces that a worker who is late costs little, few enough that handing them out does too */
    uint64_t n_pieces = d->n_workers > 1 && !IS_BLOCK(s) ? 16 * (uint64_t)d->n_workers : 1;
    s->n_panels_a_piece = (uint32_t)((n_panels + n_pieces - 1) / n_pieces);
    s->n_panels_a_piece += s->n_panels_a_piece % 2; /* they are multiplied two at a time: one costs as much */
    uint32_t n = 0;
    for (uint32_t j = 0; j < s->n_group; j++)
        n += pieces_of(s, &first[j]);
    run(s, n, multiply);
    return s->n_group;
}

/* ---- the walk ---- */

/* Runs operations from s->op to the end. */
static void walk(struct step *s, const struct mote_program_op *end) {
    static mote_work *const of_row[] = {
        [MOTE_PROGRAM_EMBED] = embed,
        [MOTE_PROGRAM_ROPE] = rope,
        [MOTE_PROGRAM_SWIGLU] = swiglu,
        [MOTE_PROGRAM_ADD] = add,
#if !defined(MOTE_NO_DECODERS)
        [MOTE_PROGRAM_NORM] = norm,
        [MOTE_PROGRAM_SELECT] = select_row,
#endif
#if !defined(MOTE_NO_ENCODERS)
        [MOTE_PROGRAM_POSITION] = add_position,
        [MOTE_PROGRAM_SEGMENT] = add_segment,
        [MOTE_PROGRAM_LAYER_NORM] = layer_norm,
        [MOTE_PROGRAM_ADD_NORM] = add_norm,
        [MOTE_PROGRAM_MULTIPLY] = multiply_rows,
        [MOTE_PROGRAM_POOL] = pool,
        [MOTE_PROGRAM_NORMALIZE] = normalize,
#endif
    };
    struct mote_device_cpu *device = s->device;

    group_rows(s);
    s->n_together = heads_together(s);
    while (s->op < end) {
        if (s->op->kind == MOTE_PROGRAM_MATMUL) {
            s->op += run_products(s, end);
            continue;
        }
        if (s->op->kind == MOTE_PROGRAM_ATTEND)
            run(s, s->n_groups * (device->config->n_heads / s->n_together), attend);
        else if (s->op->kind == MOTE_PROGRAM_STORE)
            store_rows(s);
        else
            run(s, mote_program_is_wanted(s->op->out) ? s->n_wanted : s->n_rows, of_row[s->op->kind]);
        s->op++;
    }
}

#if HAS_BLOCKS

/* Whether all rows of a value are kept, or those of a block while a worker needs them. */
static int is_kept(uint32_t v) {
    return v == MOTE_PROGRAM_RESIDUAL || v == MOTE_PROGRAM_QUERY || v >= MOTE_PROGRAM_FINAL;
}

/* Piece i: a block of rows. */
static void walk_block(void *argument, uint32_t i, uint32_t worker) {
    const struct step *all = argument;
    uint32_t groups[BLOCK + 1], k = all->device->widest, first = i * all->n_block;
    struct step s = *all;
    for (uint32_t v = 0; v < MOTE_PROGRAM_FINAL; v++)
        s.value[v] += (uint64_t)(is_kept(v) ? first : worker * BLOCK) * all->device->program->width[v];
    s.is_block = 1;
    s.worker = worker;
    s.first_row = first;
    s.rows += first;
    s.n_rows = all->n_rows - first < all->n_block ? all->n_rows - first : all->n_block;
    s.groups = groups;
    s.x8.q += (uint64_t)worker * BLOCK * k;
    s.x8.scale += (uint64_t)worker * BLOCK * (k / MOTE_KERNEL_BLOCK);
    s.x8.start += (uint64_t)worker * BLOCK * (k / MOTE_KERNEL_BLOCK);
    walk(&s, all->end);
}

/* Runs operations block by block until sequences become vectors. */
static void walk_blocks(struct step *s) {
    uint32_t n_workers = s->device->n_workers, n = (s->n_rows + BLOCK - 1) / BLOCK;
    n = (n + n_workers - 1) / n_workers * n_workers;
    uint32_t rows = (s->n_rows + n - 1) / n;
    if (n_workers > 1 && rows < LEAST_BLOCK) return;
    s->n_block = (rows + LEAST_BLOCK - 1) / LEAST_BLOCK * LEAST_BLOCK;
    while (s->op->kind != MOTE_PROGRAM_POOL) {
        for (s->end = s->op + 1; s->end->kind != MOTE_PROGRAM_ATTEND && s->end->kind != MOTE_PROGRAM_POOL;)
            s->end++;
        run(s, (s->n_rows + s->n_block - 1) / s->n_block, walk_block);
        s->op = s->end;
    }
}

#endif

/* Runs the first n_ops operations. */
static void walk_all(struct step *s, uint32_t n_ops, float *logits) {
    struct mote_device_cpu *device = s->device;
    memcpy(s->value, device->value, sizeof s->value);
    s->value[MOTE_PROGRAM_LOGITS] = logits;
    uint32_t n_angles = device->config->rope.n_rot / 2;
    for (uint32_t r = 0; r < device->n_ropes; r++)
        for (uint32_t i = 0; i < s->n_rows; i++) {
            uint64_t at = ((uint64_t)r * device->n_rows + i) * n_angles;
            mote_device_rope_angles(device->frequency + r * n_angles, n_angles, s->rows[i].position,
                                    device->rope_magnitude, device->cosine + at, device->sine + at);
        }
    s->op = device->program->ops;
    s->groups = device->groups;
    s->x8 = device->x8;
#if !defined(MOTE_NO_ENCODERS)
    if (s->encoding) s->value[MOTE_PROGRAM_POOLED] = s->encoding->vectors;
#endif
#if HAS_BLOCKS
    if (s->encoding) walk_blocks(s);
#endif
    walk(s, device->program->ops + n_ops);
}

void mote_device_cpu_step(struct mote_device_cpu *device, const struct mote_device_row *rows, uint32_t n,
                          const uint32_t *wanted, uint32_t n_wanted, float *logits) {
    struct step s = {.device = device, .rows = rows, .n_rows = n, .wanted = wanted, .n_wanted = n_wanted};
    walk_all(&s, device->program->n_ops, logits);
}

#if !defined(MOTE_NO_ENCODERS)

void mote_device_cpu_encode(struct mote_device_cpu *device, const struct mote_device_row *rows, uint32_t n,
                            const struct mote_device_encoding *encoding) {
    const struct mote_program *program = device->program;
    struct step s = {.device = device,
                     .rows = rows,
                     .n_rows = n,
                     .n_wanted = encoding->pooling == MOTE_POOLING_NONE ? n : encoding->n,
                     .encoding = encoding};
    walk_all(&s, encoding->labels ? program->n_ops : program->n_ops - program->n_head_ops, encoding->labels);
}

#endif

#if !defined(MOTE_NO_DECODERS)

void mote_device_cpu_bundle(struct mote_device_cpu *device, struct mote_kernel_weight *w) {
    uint32_t n_rows = w->n_bundled ? 0 : mote_kernel_bundled_rows(&device->kernels, w);
    for (uint64_t row = 0; row < n_rows; row += MOTE_KERNEL_ROWS)
        mote_kernel_bundle_make(w->type, w->k, device->kernels.bundle_flip,
                                (uint8_t *)(uintptr_t)w->data + row * w->row_bytes, device->work);
    w->n_bundled |= n_rows;
}

#endif

void mote_device_cpu_copy_page(struct mote_device_cpu *device, uint32_t from, uint32_t to) {
    memcpy(device->cache + to * device->page_bytes, device->cache + from * device->page_bytes,
           device->page_bytes);
}

void mote_device_cpu_save_page(const struct mote_device_cpu *device, uint32_t page, uint32_t n_positions,
                               uint8_t *out) {
    memcpy(out, device->cache + page * device->page_bytes, device->page_bytes);
    for (uint64_t at = 0; at < device->page_bytes; at += device->head_bytes)
        mote_kernel_page_clear(device->kv_type, device->config->n_head_dim, n_positions, out + at);
}

void mote_device_cpu_restore_page(struct mote_device_cpu *device, uint32_t page, const uint8_t *bytes) {
    memcpy(device->cache + page * device->page_bytes, bytes, device->page_bytes);
}

#if !defined(MOTE_NO_ENCODERS)

/* An encoder is small and its texts are short: that their weights lie as products read them is worth the memory. */
static void pack(struct mote_device_cpu *d, struct mote_base_arena *arena) {
    const struct mote_program *program = d->program;
    d->packed = mote_base_arena_take(arena, program->n_ops, sizeof *d->packed);
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mote_kernel_weight *w = program->ops[i].weight;
        if (program->ops[i].kind != MOTE_PROGRAM_MATMUL) continue;
        uint64_t bytes = mote_kernel_pack_plan(w);
        uint8_t *panels = bytes ? mote_base_arena_take(arena, bytes, 1) : NULL;
        if (arena->failed || !d->packed) continue;
        d->packed[i] = *w;
        d->packed[i].panels = panels;
        d->packed[i].bias = floats(program->ops[i].bias);
        if (panels) mote_kernel_pack(&d->kernels, w, panels, d->work);
    }
}

#endif

mote_status mote_device_cpu_open(const struct mote_program *program, const struct mote_model_config *config,
                                 const struct mote_model_weights *weights, const mote_host *host,
                                 struct mote_base_arena *arena, struct mote_device_cpu *device) {
    struct mote_device_cpu *d = device;
    struct mote_kernel_attention attention;
    uint32_t shared = config->n_heads / config->n_kv_heads;
    int is_encoder = mote_model_is_encoder(config);
    uint32_t widest = 0; /* of what a product reads */
    d->program = program;
    d->config = config;
    d->host = host;
    d->n_workers = host->parallel_for && host->n_workers ? host->n_workers : 1;
    mote_kernel_select(&d->kernels, host->cpu);

    d->head_bytes = mote_kernel_page_bytes(d->kv_type, config->n_head_dim);
    /* an encoder's layers share two places: program/bert.c */
    d->page_bytes = d->head_bytes * config->n_kv_heads * (is_encoder ? 2 : config->n_layers);
    d->most_queries = shared > QUERIES ? shared : QUERIES;
    d->cache = mote_base_arena_take(arena, d->n_pages, d->page_bytes);
#if HAS_BLOCKS
    uint64_t block_rows = (uint64_t)d->n_workers * BLOCK; /* of all workers */
#endif
    for (uint32_t v = 0; v < MOTE_PROGRAM_VALUES; v++) {
        uint64_t rows = mote_program_is_wanted(v) ? d->n_wanted : d->n_rows;
#if HAS_BLOCKS
        if (is_encoder && !is_kept(v)) rows = block_rows;
#endif
        if (v == MOTE_PROGRAM_LOGITS || v == MOTE_PROGRAM_POOLED) continue; /* the caller's */
        d->value[v] = mote_base_arena_take(arena, rows * program->width[v], sizeof(float));
        if (program->width[v] > widest) widest = program->width[v];
    }
    d->widest = widest;
    uint64_t values = (d->n_rows > d->n_wanted ? d->n_rows : d->n_wanted) * (uint64_t)widest; /* of columns */
#if HAS_BLOCKS
    /* blocks read up to the widest, heads only what was pooled and is dense */
    uint32_t judged = program->width[MOTE_PROGRAM_DENSE] > config->n_model
                          ? program->width[MOTE_PROGRAM_DENSE]
                          : config->n_model;
    if (is_encoder) values = d->n_wanted * (uint64_t)judged;
    if (is_encoder && values < block_rows * widest) values = block_rows * widest;
#endif
    uint32_t n_angles = config->rope.n_rot / 2;
    d->n_ropes = config->encoder.window ? 2 : 1;
    d->x8.q = mote_base_arena_take(arena, values, sizeof *d->x8.q);
    d->x8.scale = mote_base_arena_take(arena, values / MOTE_KERNEL_BLOCK, sizeof *d->x8.scale);
    if (is_encoder)
        d->x8.start = mote_base_arena_take(arena, values / MOTE_KERNEL_BLOCK, sizeof *d->x8.start);
    else
        d->x8.sum = mote_base_arena_take(arena, values / 16, sizeof *d->x8.sum);
    d->frequency = mote_base_arena_take(arena, d->n_ropes * n_angles, sizeof *d->frequency);
    d->cosine = mote_base_arena_take(arena, (uint64_t)d->n_ropes * d->n_rows * n_angles, sizeof *d->cosine);
    d->sine = mote_base_arena_take(arena, (uint64_t)d->n_ropes * d->n_rows * n_angles, sizeof *d->sine);
    d->groups = mote_base_arena_take(arena, (uint64_t)d->n_rows + 1, sizeof *d->groups);
    uint64_t products = mote_kernel_matmul_plan(widest), attends = attention_work(d, NULL, &attention);
    d->work_bytes = products > attends ? products : attends;
    d->work = mote_base_arena_take(arena, d->n_workers, d->work_bytes);
#if !defined(MOTE_NO_ENCODERS)
    if (is_encoder) pack(d, arena);
#endif
    if (arena->failed) return MOTE_E_MEMORY;
    for (uint32_t r = 0; d->frequency && r < d->n_ropes; r++) {
        struct mote_model_rope rope = config->rope;
        if (r) rope.base = config->encoder.near_base;
        mote_device_rope_open(&rope, &weights->slot[MOTE_MODEL_ROPE_FACTORS], d->frequency + r * n_angles,
                              &d->rope_magnitude);
    }
    return MOTE_OK;
}
