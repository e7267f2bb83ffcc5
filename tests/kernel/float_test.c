/* SPDX-License-Identifier: Apache-2.0
 *
 * float_test.c: the float work on every subset of the CPU's features against the plain loops, bit for bit,
 * and float_lanes.h once more (table.h). --bench times it. */
#include "tests/kernel/table.h"

enum { MAX = 300 };

/* ---- dots ---- */

static float value_of(int type, const void *row, uint32_t i) {
    uint16_t h;
    float f;
    if (type == 0) {
        memcpy(&f, (const uint8_t *)row + 4 * i, 4);
        return f;
    }
    memcpy(&h, (const uint8_t *)row + 2 * i, 2);
    return type == 1 ? mote_base_f32_from_f16(h) : mote_base_f32_from_bf16(h);
}

static void check_dot(int type, uint32_t n_rows, uint32_t n_columns, uint32_t k, uint32_t awkward) {
    static const char *const names[] = {"dot_f32", "dot_f16", "dot_bf16"};
    uint32_t size = type == 0 ? 4 : 2, row_bytes = k * size + random_below(3);
    size_t bytes = (size_t)(n_rows - 1) * row_bytes + k * size;
    struct guard w_guard, x_guard, y_guard;
    uint8_t *w = guard_open(&w_guard, bytes);
    uint32_t x_stride = k + random_below(3), y_stride = n_rows + random_below(3);
    uint32_t n_x = (n_columns - 1) * x_stride + k, n_y = (n_columns - 1) * y_stride + n_rows;
    float *x = guard_open(&x_guard, n_x * sizeof *x), *want = malloc(n_y * sizeof *want);
    fill(x, n_x, awkward);
    for (uint32_t r = 0; r < n_rows; r++) {
        for (uint32_t i = 0; i < k; i++) {
            float value = awkward ? random_awkward(awkward) : random_float();
            uint16_t h = type == 1 ? mote_base_f16_from_f32(value) : mote_base_bf16_from_f32(value);
            if (type == 0)
                memcpy(w + r * row_bytes + 4 * i, &value, 4);
            else
                memcpy(w + r * row_bytes + 2 * i, &h, 2);
        }
    }
    FOR_EACH_TABLE(table, cpu) {
        float *y = guard_open(&y_guard, n_y * sizeof *y);
        mote_kernel_dot *dot = type == 0   ? each.table.dot_f32
                               : type == 1 ? each.table.dot_f16
                                           : each.table.dot_bf16;
        dot(w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
        if (each.cpu == 0) {
            memcpy(want, y, n_y * sizeof *y);
            for (uint32_t at = 0; at < n_rows * n_columns && !awkward; at++) {
                uint32_t r = at % n_rows, t = at / n_rows;
                double sum = 0;
                for (uint32_t i = 0; i < k; i++)
                    sum += (double)value_of(type, w + r * row_bytes, i) * (double)x[t * x_stride + i];
                assert_true(fabs(sum - (double)y[t * y_stride + r]) <= 1e-6 * k);
            }
        }
        check_floats(y, want, n_y, names[type], each.cpu);
        guard_close(&y_guard);
    }
    guard_close(&w_guard);
    guard_close(&x_guard);
    free(want);
}

static void dots_are_the_same_everywhere(void **state) {
    (void)state;
    for (int type = 0; type < 3; type++) {
        for (uint32_t k = 1; k <= 67; k++)
            check_dot(type, 1 + random_below(11), 1 + random_below(6), k, k % 3 ? 0 : 50);
        for (uint32_t rows = 1; rows <= 11; rows++)
            for (uint32_t columns = 1; columns <= 9; columns++)
                check_dot(type, rows, columns, 256 + random_below(20), rows % 2 ? 0 : 300);
    }
}

/* Every f16 there is, one at a time: infinities, NaN and subnormals arrive as float.h has them. */
static void every_f16_is_read_alike(void **state) {
    (void)state;
    FOR_EACH_TABLE(table, cpu) {
        for (uint32_t h = 0; h < 0x10000; h += 16) {
            uint16_t w[16];
            float one[16] = {1}, y[16], want[16];
            for (uint32_t i = 0; i < 16; i++) {
                w[i] = (uint16_t)(h + i);
                want[i] = 0.0f + mote_base_f32_from_f16(w[i]);
            }
            each.table.dot_f16(w, 2, 16, 1, one, 0, 1, y, 0);
            check_floats(y, want, 16, "dot_f16 of one value", each.cpu);
        }
    }
}

/* ---- elementwise ---- */

/* Runs check for sizes 1 … 70 and some larger, in plain and in awkward numbers. */
static void for_sizes(void (*check)(uint32_t n, uint32_t awkward)) {
    for (uint32_t n = 1; n <= 70; n++) {
        check(n, 0);
        check(n, 20);
    }
    for (uint32_t n = 250; n < 260; n++)
        check(n, 0);
}

struct arrays {
    struct guard guards[4];
    float *a, *b, *y, *alias;
    float want[MAX];
};

static void open_arrays(struct arrays *s, uint32_t n, uint32_t awkward) {
    s->a = guard_open(&s->guards[0], n * sizeof(float));
    s->b = guard_open(&s->guards[1], n * sizeof(float));
    s->y = guard_open(&s->guards[2], n * sizeof(float));
    s->alias = guard_open(&s->guards[3], n * sizeof(float));
    fill(s->a, n, awkward);
    fill(s->b, n, awkward);
    memcpy(s->alias, s->a, n * sizeof(float));
}

/* Compares y and alias with the reference, which is the first table; ready for the next. */
static void compare_arrays(struct arrays *s, uint32_t n, const char *what, uint32_t cpu) {
    if (cpu == 0) memcpy(s->want, s->y, n * sizeof(float));
    check_floats(s->y, s->want, n, what, cpu);
    check_floats(s->alias, s->want, n, what, cpu);
    memcpy(s->alias, s->a, n * sizeof(float));
    memset(s->y, CANARY, n * sizeof(float));
}

static void close_arrays(struct arrays *s) {
    for (int i = 0; i < 4; i++)
        guard_close(&s->guards[i]);
}

static void check_rms_norm(uint32_t n, uint32_t awkward) {
    struct arrays s;
    open_arrays(&s, n, awkward);
    FOR_EACH_TABLE(table, cpu) {
        each.table.rms_norm(s.a, s.b, n, 1e-5f, s.y);
        each.table.rms_norm(s.alias, s.b, n, 1e-5f, s.alias);
        if (each.cpu == 0 && !awkward) {
            double squares = 0;
            for (uint32_t i = 0; i < n; i++)
                squares += (double)s.a[i] * (double)s.a[i];
            for (uint32_t i = 0; i < n; i++)
                assert_true(
                    fabs((double)s.a[i] / sqrt(squares / n + 1e-5) * (double)s.b[i] - (double)s.y[i]) < 1e-5);
        }
        compare_arrays(&s, n, "rms_norm", each.cpu);
    }
    close_arrays(&s);
}

static void check_swiglu(uint32_t n, uint32_t awkward) {
    struct arrays s;
    open_arrays(&s, n, awkward);
    for (uint32_t i = 0; i < n; i++)
        s.a[i] *= (float)(1u << random_below(8));
    memcpy(s.alias, s.a, n * sizeof(float));
    FOR_EACH_TABLE(table, cpu) {
        each.table.swiglu(s.a, s.b, n, s.y);
        each.table.swiglu(s.alias, s.b, n, s.alias);
        if (each.cpu == 0 && !awkward)
            for (uint32_t i = 0; i < n; i++) {
                double want = (double)s.a[i] / (1 + exp(-(double)s.a[i])) * (double)s.b[i];
                assert_true(fabs(want - (double)s.y[i]) <= 1e-6 * fabs(want) + 1e-36);
            }
        compare_arrays(&s, n, "swiglu", each.cpu);
    }
    close_arrays(&s);
}

static void check_add(uint32_t n, uint32_t awkward) {
    struct arrays s;
    open_arrays(&s, n, awkward);
    FOR_EACH_TABLE(table, cpu) {
        each.table.add(s.a, s.b, n, s.y);
        each.table.add(s.alias, s.b, n, s.alias);
        for (uint32_t i = 0; i < n; i++)
            assert_true(same_float(s.y[i], s.a[i] + s.b[i]));
        compare_arrays(&s, n, "add", each.cpu);
    }
    close_arrays(&s);
}

static void check_to_f16(uint32_t n, uint32_t awkward) {
    struct guard x_guard, y_guard;
    float *x = guard_open(&x_guard, n * sizeof *x);
    fill(x, n, awkward);
    for (uint32_t i = 0; i < n; i++)
        x[i] *= mote_base_f32_from_bits((127 - 26 + random_below(45)) << 23); /* 2^−26 … 2^18 */
    FOR_EACH_TABLE(table, cpu) {
        uint16_t *y = guard_open(&y_guard, n * sizeof *y);
        each.table.to_f16(x, n, y);
        for (uint32_t i = 0; i < n; i++)
            if (x[i] == x[i])
                assert_int_equal(y[i], mote_base_f16_from_f32(x[i]));
            else
                assert_true((y[i] & 0x7fff) > 0x7c00);
        guard_close(&y_guard);
    }
    guard_close(&x_guard);
}

static void check_from_f16(uint32_t n, uint32_t awkward) {
    struct guard x_guard, y_guard;
    uint8_t *x = guard_open(&x_guard, n * sizeof(uint16_t));
    uint16_t bits = (uint16_t)(awkward * 0x2f35);
    for (uint32_t i = 0; i < n; i++, bits = (uint16_t)(bits + 0x101)) /* infinities, NaN and subnormals too */
        memcpy(x + 2 * i, &bits, sizeof bits);
    FOR_EACH_TABLE(table, cpu) {
        float *y = guard_open(&y_guard, n * sizeof *y);
        each.table.from_f16(x, n, y);
        for (uint32_t i = 0; i < n; i++) {
            memcpy(&bits, x + 2 * i, sizeof bits);
            assert_true(same_float(y[i], mote_base_f32_from_f16(bits)));
        }
        guard_close(&y_guard);
    }
    guard_close(&x_guard);
}

static void norm_swiglu_add_and_f16_are_the_same_everywhere(void **state) {
    (void)state;
    for_sizes(check_rms_norm);
    for_sizes(check_swiglu);
    for_sizes(check_add);
    for_sizes(check_to_f16);
    for_sizes(check_from_f16);
}

/* Lanes of exp against mote_base_exp, seen through swiglu with up = 1 on many bit patterns. */
static void exp_is_the_same_in_lanes(void **state) {
    (void)state;
    FOR_EACH_TABLE(table, cpu) {
        if (each.cpu == 0) continue;
        for (uint32_t bits = 0; bits < 0xffff0000; bits += 16 * 4001) {
            float z[16], up[16], y[16], want[16];
            for (uint32_t i = 0; i < 16; i++) {
                z[i] = mote_base_f32_from_bits(bits + i * 4001);
                up[i] = 1;
                want[i] = z[i] / (1.0f + mote_base_exp(-z[i])) * 1.0f;
            }
            each.table.swiglu(z, up, 16, y);
            check_floats(y, want, 16, "swiglu", each.cpu);
        }
    }
}

static void check_rope(uint32_t heads, uint32_t head_dim, uint32_t n_rot, enum mote_kernel_rope_style style) {
    struct guard x_guard, cos_guard, sin_guard;
    uint32_t n = heads * head_dim;
    float from[1024], want[1024];
    float *c = guard_open(&cos_guard, n_rot / 2 * sizeof *c),
          *s = guard_open(&sin_guard, n_rot / 2 * sizeof *s);
    fill(from, n, 0);
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        double angle = 100 * (double)random_float();
        c[i] = (float)cos(angle);
        s[i] = (float)sin(angle);
    }
    FOR_EACH_TABLE(table, cpu) {
        float *x = guard_open(&x_guard, n * sizeof *x);
        memcpy(x, from, n * sizeof *x);
        each.table.rope(x, heads, head_dim, n_rot, style, c, s);
        if (each.cpu == 0) {
            memcpy(want, x, n * sizeof *x);
            for (uint32_t i = 0; i < n; i++) {
                uint32_t j = i % head_dim, half = n_rot / 2,
                         first = style == MOTE_KERNEL_ROPE_PAIR ? j ^ 1 : 0;
                if (style == MOTE_KERNEL_ROPE_HALF) first = j < half ? j + half : j - half;
                uint32_t pair = style == MOTE_KERNEL_ROPE_PAIR ? j / 2 : j % (half ? half : 1);
                int is_real = style == MOTE_KERNEL_ROPE_PAIR ? j % 2 == 0 : j < half;
                double other = j < n_rot ? (double)from[i - j + first] : 0;
                double expected = (double)from[i];
                if (j < n_rot)
                    expected = expected * (double)c[pair] + (is_real ? -other : other) * (double)s[pair];
                assert_true(fabs(expected - (double)x[i]) < 1e-6);
            }
        }
        check_floats(x, want, n, "rope", each.cpu);
        guard_close(&x_guard);
    }
    guard_close(&cos_guard);
    guard_close(&sin_guard);
}

static void rope_is_the_same_everywhere(void **state) {
    (void)state;
    for (int style = 0; style < 2; style++)
        for (uint32_t head_dim = 2; head_dim <= 70; head_dim += 2)
            for (uint32_t n_rot = head_dim % 4; n_rot <= head_dim; n_rot += 6)
                check_rope(1 + random_below(4), head_dim, n_rot, (enum mote_kernel_rope_style)style);
}

/* ---- attention ---- */

/* Some queries over the pages of one kv head. */
struct attention {
    uint32_t n_queries, n_positions, head_dim;
    struct guard guards[6], *pages;
    struct mote_kernel_attention a;
    uint32_t *stands; /* [n_queries] */
    float *k, *v;     /* [n_positions][E] */
    float *q;         /* [n_queries][E] */
};

static uint32_t padded(uint32_t head_dim) {
    return (head_dim + 15) / 16 * 16;
}

static void open_attention(struct attention *s, uint32_t n_queries, uint32_t n_positions, uint32_t head_dim,
                           uint32_t awkward) {
    size_t e = padded(head_dim), cells = (size_t)n_positions * head_dim;
    *s = (struct attention){.n_queries = n_queries, .n_positions = n_positions, .head_dim = head_dim};
    s->a.head_dim = head_dim;
    s->a.scale = 0.125f;
    s->a.query = guard_open(&s->guards[0], n_queries * e * sizeof(float));
    s->a.value = guard_open(&s->guards[1], n_queries * e * sizeof(float));
    s->a.sum = guard_open(&s->guards[2], n_queries * 16 * sizeof(float));
    s->a.max = guard_open(&s->guards[3], n_queries * sizeof(float));
    s->a.page =
        guard_open(&s->guards[4], MOTE_KERNEL_TOGETHER * (head_dim + e) * MOTE_KERNEL_PAGE * sizeof(float));
    s->pages = calloc(n_positions / MOTE_KERNEL_PAGE + 1, sizeof *s->pages);
    s->stands = malloc(n_queries * sizeof *s->stands);
    for (uint32_t i = 0; i < n_queries; i++) /* neighbours, of a text that may end behind them */
        s->stands[i] = i + (n_positions > n_queries ? (n_positions - n_queries) / 2 : 0);
    s->k = malloc(cells * sizeof(float));
    s->v = malloc(cells * sizeof(float));
    s->q = guard_open(&s->guards[5], n_queries * head_dim * sizeof(float));
    fill(s->q, n_queries * head_dim, 0);
    for (uint32_t i = 0; i < n_queries * head_dim; i++)
        s->q[i] *= 20;
    if (awkward > 1000) s->q[random_below(n_queries * head_dim)] = random_awkward(2);
    if (awkward > 1000) memset(s->q + random_below(n_queries) * head_dim, 0, head_dim * sizeof(float));
    fill(s->k, cells, awkward);
    fill(s->v, cells, awkward);
}

static void close_pages(struct attention *s) {
    for (uint32_t t = 0; t < s->n_positions; t += MOTE_KERNEL_PAGE)
        guard_close(&s->pages[t / MOTE_KERNEL_PAGE]);
}

/* The pages of a type, written by table; what nothing is written to has any bits at all. */
static void open_pages(struct attention *s, const struct mote_kernels *table, int type) {
    uint32_t e = s->head_dim;
    for (uint32_t t = 0, n; t < s->n_positions; t += n) {
        struct guard *page = &s->pages[t / MOTE_KERNEL_PAGE];
        uint32_t at = t % MOTE_KERNEL_PAGE, left = s->n_positions - t;
        if (at == 0) {
            uint64_t bytes = mote_kernel_page_bytes((mote_kv_type)type, e);
            assert_int_equal(bytes % 64, 0);
            random_bytes(guard_open(page, bytes), bytes);
        }
        n = 1;
        if (type == MOTE_KERNEL_KV_S8) {
            n = 1 + random_below(left < MOTE_KERNEL_PAGE - at ? left : MOTE_KERNEL_PAGE - at);
            table->keep_s8(s->k + t * e, s->v + t * e, e, n, e, at, page->data);
        } else {
            table->keep[type](s->k + t * e, s->v + t * e, e, at, page->data);
        }
    }
}

static void close_attention(struct attention *s) {
    for (int i = 0; i < 6; i++)
        guard_close(&s->guards[i]);
    free(s->pages);
    free(s->stands);
    free(s->k);
    free(s->v);
}

/* Whether the query sees something of a page. */
static int sees(const struct attention *s, uint32_t i, uint32_t page) {
    uint32_t first = page * MOTE_KERNEL_PAGE, last = first + MOTE_KERNEL_PAGE - 1;
    if (!s->a.reach) return 1;
    return s->stands[i] < last + s->a.reach && first < s->stands[i] + s->a.reach;
}

/* Queries [i, end) over n_pages pages: those together that see the same ones. */
static void attend_some(const struct mote_kernels *table, struct attention *s, int type, uint32_t i,
                        uint32_t end, uint32_t page, uint32_t n_pages, const void *const *pages) {
    for (uint32_t to; i < end; i = to) {
        uint32_t first = 0, last = n_pages;
        while (first < last && !sees(s, i, page + first))
            first++;
        while (last > first && !sees(s, i, page + last - 1))
            last--;
        for (to = i + 1; to < end; to++)
            for (uint32_t b = 0; b < n_pages; b++)
                if (sees(s, to, page + b) != (b >= first && b < last)) goto call;
    call:
        if (first == last) continue;
        uint32_t at = (page + first) * MOTE_KERNEL_PAGE, n = (last - first) * MOTE_KERNEL_PAGE;
        s->a.at = at;
        memcpy(s->a.next, pages + first, (last - first) * sizeof *pages);
        table->attend[type](&s->a, i, to - i, pages + first,
                            s->n_positions - at < n ? s->n_positions - at : n);
    }
}

/* All queries over all positions, n_together queries and n_pages pages at a time; out [n_queries][E] */
static void attend_all(const struct mote_kernels *table, struct attention *s, int type, uint32_t n_together,
                       uint32_t n_pages, float *out) {
    memset(s->a.value, 0, s->n_queries * padded(s->head_dim) * sizeof(float));
    memset(s->a.sum, 0, s->n_queries * 16 * sizeof(float));
    for (uint32_t i = 0; i < s->n_queries; i++) {
        const float *query = s->q + i * s->head_dim;
        if (type == MOTE_KERNEL_KV_S8)
            table->ask_s8(&s->a, i, query);
        else
            memcpy(s->a.query + i * padded(s->head_dim), query, s->head_dim * sizeof(float));
        s->a.max[i] = -INFINITY;
    }
    for (uint32_t t = 0; t < s->n_positions; t += n_pages * MOTE_KERNEL_PAGE) {
        const void *pages[MOTE_KERNEL_TOGETHER];
        uint32_t left = (s->n_positions - t + MOTE_KERNEL_PAGE - 1) / MOTE_KERNEL_PAGE;
        uint32_t n = left < n_pages ? left : n_pages;
        for (uint32_t b = 0; b < n; b++)
            pages[b] = s->pages[t / MOTE_KERNEL_PAGE + b].data;
        for (uint32_t i = 0; i < s->n_queries; i += n_together)
            attend_some(table, s, type, i, s->n_queries - i < n_together ? s->n_queries : i + n_together,
                        t / MOTE_KERNEL_PAGE, n, pages);
    }
    for (uint32_t i = 0; i < s->n_queries; i++)
        table->attend_end(&s->a, i, out + i * s->head_dim);
}

/* Keys and values are 0 ± 1, queries ± 20: how far the results may be from exact ones. Keys of eight bits move a
 * score of 128 elements by 0.04, one standard deviation, those of four by sixteen times that: four of them. Queries of
 * seven bits move it by 0.07. */
static const double tolerance[] = {2e-2, 1e-5, 1.5e-1, 2, 4e-1};

static void check_softmax(const struct attention *s, int type, const float *out) {
    uint32_t n = s->n_positions, dim = s->head_dim;
    double *p = malloc(n * sizeof *p), square = 0;
    for (uint32_t i = 0; i < s->n_queries; i++) {
        const float *q = s->q + i * dim;
        double top = -1e300, total = 0;
        for (uint32_t t = 0; t < n; t++) {
            p[t] = 0;
            for (uint32_t e = 0; e < dim; e++)
                p[t] += (double)q[e] * (double)s->k[t * dim + e] * 0.125;
            int64_t away = (int64_t)t - s->stands[i];
            if (s->a.reach && (away < 0 ? -away : away) >= s->a.reach) p[t] = -INFINITY;
            top = p[t] > top ? p[t] : top;
        }
        for (uint32_t t = 0; t < n; t++)
            total += p[t] = exp(p[t] - top);
        for (uint32_t e = 0; e < dim; e++) {
            double want = 0;
            for (uint32_t t = 0; t < n; t++)
                want += p[t] / total * (double)s->v[t * dim + e];
            double difference = fabs(want - (double)out[i * dim + e]);
            assert_true(difference < tolerance[type]);
            square += difference * difference;
        }
    }
    assert_true(sqrt(square / (s->n_queries * dim)) < tolerance[type] / 4);
    free(p);
}

/* reach 0: all is seen */
static void check_attend(uint32_t n_queries, uint32_t n_positions, uint32_t head_dim, uint32_t awkward,
                         uint32_t reach) {
    struct attention s;
    struct guard out_guard;
    size_t n = (size_t)n_queries * head_dim;
    float *want = malloc(n * sizeof *want);
    open_attention(&s, n_queries, n_positions, head_dim, awkward);
    s.a.position = s.stands;
    s.a.reach = reach;
    for (int type = 0; type <= MOTE_KERNEL_KV_S8; type++) {
        FOR_EACH_TABLE(table, cpu) {
            open_pages(&s, &each.table, type);
            float *out = guard_open(&out_guard, n * sizeof *out);
            attend_all(&each.table, &s, type, each.cpu == 0 ? 1 : 1 + random_below(n_queries),
                       each.cpu == 0 ? 1 : 1 + random_below(MOTE_KERNEL_TOGETHER), out);
            if (each.cpu == 0) {
                memcpy(want, out, n * sizeof *out);
                if (!awkward) check_softmax(&s, type, out);
            }
            check_floats(out, want, n, "attend", each.cpu);
            guard_close(&out_guard);
            close_pages(&s);
        }
    }
    close_attention(&s);
    free(want);
}

static void attention_is_the_same_everywhere(void **state) {
    (void)state;
    for (uint32_t n = 1; n <= 130; n += n < 35 ? 1 : 1 + random_below(9))
        check_attend(1 + n % 5, n, 1 + random_below(140), 0, 0);
    for (uint32_t head_dim = 1; head_dim <= 150; head_dim++)
        check_attend(1 + random_below(4), 1 + random_below(70), head_dim, head_dim % 2 ? 0 : 2000, 0);
    for (uint32_t n_queries = 1; n_queries <= 13; n_queries++)
        check_attend(n_queries, 50, 24, n_queries % 2 ? 0 : 100, 0);
    check_attend(8, 300, 64, 0, 0);
    check_attend(7, 64, 128, 0, 0);
    check_attend(4, 64, 256, 0, 0);
    check_attend(11, 65, 64, 100, 0);
    for (uint32_t reach = 1; reach <= 70; reach += reach < 4 ? 1 : 1 + random_below(12)) {
        check_attend(33, 33, 24, 0, reach);
        check_attend(1 + random_below(40), 100 + random_below(70), 16 + random_below(60),
                     reach % 2 ? 0 : 2000, reach);
    }
}

/* ---- --bench ---- */

static void line(const char *what, double ns, double ghz, double bytes, double macs) {
    printf("  %-24s %9.0f cycles  %7.2f GB/s", what, ns * ghz, bytes / ns);
    if (macs > 0) printf("  %7.2f GMAC/s", macs / ns);
    printf("\n");
}

/* Pages as they pass by at a depth of 512: 16 of them, eight kv heads' worth of cache. */
static void bench_attention(const struct mote_kernels *kernels, double ghz) {
    static const char *const names[] = {"f16", "f32", "q8_0", "q4_0", "s8"};
    enum { E = 64, PAGES = 16, DEPTH = PAGES * MOTE_KERNEL_PAGE };
    for (uint32_t n = 1; n <= 32; n *= n < 4 ? 4 : 8) {
        struct attention s;
        float out[32 * E];
        open_attention(&s, n, DEPTH, E, 0);
        for (int type = 0; type <= MOTE_KERNEL_KV_S8; type++) {
            char what[64];
            double ns, bytes = (double)PAGES * (double)mote_kernel_page_bytes((mote_kv_type)type, E);
            open_pages(&s, kernels, type);
            BEST_NS(ns, attend_all(kernels, &s, type, n, MOTE_KERNEL_TOGETHER, out));
            snprintf(what, sizeof what, "attend %s, %u queries", names[type], n);
            line(what, ns / PAGES, ghz, bytes / PAGES, 2.0 * n * E * MOTE_KERNEL_PAGE);
            close_pages(&s);
        }
        close_attention(&s);
    }
}

static void bench(void) {
    enum { K = 2048, N = 64, E = 64 };
    static float x[K], y[K], up[K], w[N * K], cosine[E], sine[E];
    static uint16_t half[N * K];
    double ghz = measure_ghz(), ns;
    fill(x, K, 0);
    fill(up, K, 0);
    fill(w, (size_t)N * K, 0);
    for (int i = 0; i < N * K; i++)
        half[i] = mote_base_f16_from_f32(w[i]);
    printf("%.2f GHz\n", ghz);
    FOR_EACH_TABLE(table, cpu) {
        const struct mote_kernels *kernels = &each.table;
        printf("CPU bits %x%s\n", each.cpu & 0xffff, each.cpu == GENERIC ? " (generic vectors of four)" : "");
        BEST_NS(ns, kernels->dot_f32(w, K * 4, N, K, x, K, 1, y, N));
        line("dot_f32 64 x 2048", ns, ghz, (double)N * K * 4, (double)N * K);
        BEST_NS(ns, kernels->dot_f16(half, K * 2, N, K, x, K, 1, y, N));
        line("dot_f16 64 x 2048", ns, ghz, (double)N * K * 2, (double)N * K);
        BEST_NS(ns, kernels->dot_bf16(half, K * 2, N, K, x, K, 1, y, N));
        line("dot_bf16 64 x 2048", ns, ghz, (double)N * K * 2, (double)N * K);
        BEST_NS(ns, kernels->rms_norm(x, up, K, 1e-5f, y));
        line("rms_norm 2048", ns, ghz, K * 4.0, 0);
        BEST_NS(ns, kernels->swiglu(x, up, K, y));
        line("swiglu 2048", ns, ghz, K * 4.0, 0);
        BEST_NS(ns, kernels->add(x, up, K, y));
        line("add 2048", ns, ghz, K * 4.0, 0);
        BEST_NS(ns, kernels->to_f16(x, K, half));
        line("to_f16 2048", ns, ghz, K * 4.0, 0);
        BEST_NS(ns, kernels->rope(y, K / E, E, E, MOTE_KERNEL_ROPE_PAIR, cosine, sine));
        line("rope pairs 2048", ns, ghz, K * 4.0, 0);
        BEST_NS(ns, kernels->rope(y, K / E, E, E, MOTE_KERNEL_ROPE_HALF, cosine, sine));
        line("rope halves 2048", ns, ghz, K * 4.0, 0);
        bench_attention(kernels, ghz);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench();
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dots_are_the_same_everywhere),
        cmocka_unit_test(every_f16_is_read_alike),
        cmocka_unit_test(norm_swiglu_add_and_f16_are_the_same_everywhere),
        cmocka_unit_test(exp_is_the_same_in_lanes),
        cmocka_unit_test(rope_is_the_same_everywhere),
        cmocka_unit_test(attention_is_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
