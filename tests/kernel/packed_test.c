/* SPDX-License-Identifier: Apache-2.0
 *
 * packed_test.c: packed products on every subset of the CPU's features against the reference, bit for bit; the
 * reference against sums in double, and against the rows that were packed. --bench [LEVEL] times them. */
#include "tests/kernel/guard.h"

#include <float.h>
#include <math.h>

enum { BLOCK = MOTE_KERNEL_WIDE_BLOCK, SPAN = MOTE_KERNEL_WIDE_SPAN };

static const struct mote_kernel_ahead nothing;

static uint32_t pieces(uint32_t k, uint32_t n) {
    return (k + n - 1) / n;
}

/* ---- quantize_wide ---- */

struct output {
    struct guard q_guard, scale_guard, start_guard;
    int8_t *q;
    float *scale;
    int32_t *start;
};

static void open_output(struct output *o, uint32_t k, uint32_t block) {
    o->q = guard_open(&o->q_guard, k);
    o->scale = guard_open(&o->scale_guard, pieces(k, block) * sizeof(float));
    o->start = guard_open(&o->start_guard, pieces(k, block) * sizeof(int32_t));
}

static void close_output(struct output *o) {
    guard_close(&o->q_guard);
    guard_close(&o->scale_guard);
    guard_close(&o->start_guard);
}

/* What kernel.h promises of one block of n values. */
static void check_block(const float *x, uint32_t n, const int8_t *q, float scale, int32_t start) {
    float amax = 0;
    int ordinary = 1, total = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!(fabsf(x[i]) <= FLT_MAX)) ordinary = 0; /* NaN or infinity */
        amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
        total += q[i];
    }
    assert_int_equal(start, -128 * total);
    int has_scale = ordinary && amax >= MOTE_KERNEL_TINY;
    if (has_scale)
        assert_true(scale == amax / 127.0f);
    else
        assert_true(ordinary ? mote_base_f32_bits(scale) == 0 : scale != scale);
    for (uint32_t i = 0; i < n; i++) {
        double exact = has_scale ? (double)x[i] * 127 / (double)amax : 0;
        assert_true(fabs(q[i] - exact) <= (has_scale ? 0.5 + 1e-4 : 0));
        assert_in_range(q[i] + 127, 0, 254);
    }
}

static void check_quantize(const float *values, uint32_t k, uint32_t block) {
    struct guard x_guard;
    struct output want, got;
    struct mote_kernels kernels;
    float *x = guard_open(&x_guard, k * sizeof *x);
    memcpy(x, values, k * sizeof *x);
    open_output(&want, k, block);
    mote_kernel_select(&kernels, 0);
    kernels.quantize_wide(x, k, block, want.q, want.scale, want.start);
    for (uint32_t i = 0; i < k; i += block)
        check_block(x + i, k - i < block ? k - i : block, want.q + i, want.scale[i / block],
                    want.start[i / block]);
    FOR_EACH_CPU(cpu) {
        open_output(&got, k, block);
        mote_kernel_select(&kernels, cpu);
        kernels.quantize_wide(x, k, block, got.q, got.scale, got.start);
        check_floats(got.scale, want.scale, pieces(k, block), "quantize_wide", cpu);
        assert_memory_equal(got.q, want.q, k);
        assert_memory_equal(got.start, want.start, pieces(k, block) * sizeof *got.start);
        close_output(&got);
    }
    close_output(&want);
    guard_close(&x_guard);
}

static void check_both(const float *x, uint32_t k) {
    check_quantize(x, k, BLOCK);
    check_quantize(x, k, SPAN);
}

enum { MAX = 32 * 24 };

static void random_values(void **state) {
    (void)state;
    float x[MAX];
    for (uint32_t k = 32; k <= MAX; k += 32) {
        float size = mote_base_f32_from_bits((random_below(253) + 1) << 23);
        for (uint32_t i = 0; i < k; i++)
            x[i] = random_float() * size;
        check_both(x, k);
        for (uint32_t i = 0; i < k; i++)
            x[i] = random_awkward(100);
        check_both(x, k);
        random_bytes(x, k * sizeof *x);
        check_both(x, k);
    }
}

/* Halves between two integers go to the even one, in every place of a block; ±127 are the greatest. */
static void rounds_to_even(void **state) {
    (void)state;
    float x[2 * SPAN];
    for (int half = -127; half < 127; half += 2) {
        for (int i = 0; i < 2 * SPAN; i++)
            x[i] = (float)(half + i % 2) + 0.5f;
        for (int i = 0; i < 2 * SPAN; i += 32)
            x[i + (half + 127) / 2 % 32] = half % 4 ? 127 : -127;
        for (uint32_t k = 32; k <= 2 * SPAN; k += 32)
            check_both(x, k);
    }
}

static void edges(void **state) {
    (void)state;
    static const uint32_t tops[] = {0x00000000, 0x80000000, 0x00000001, 0x007fffff, 0x00800000, 0x0d7fffff,
                                    0x0d800000, 0x0d800001, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
                                    0x7f800001, 0xffc00000, 0x7fffffff, 0x3f800000};
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        for (int place = 0; place < 288; place += 1 + (int)random_below(3)) {
            float x[288], top = mote_base_f32_from_bits(tops[i]);
            for (int j = 0; j < 288; j++)
                x[j] = top == top && top - top == 0 ? top * random_float() : random_float();
            x[place] = top;
            check_both(x, 288);
        }
    }
}

/* ---- multiply_packed ---- */

struct problem {
    struct guard guards[6];
    struct mote_kernel_panel panels[2];
    struct mote_kernel_x8 x;
    float *bias; /* [32] */
};

enum filling { ORDINARY, EXTREME, AWKWARD, N_FILLINGS };

/* Two panels, one behind the other, each array ending where the memory ends. */
static void fill_problem(struct problem *p, uint32_t k, uint32_t t, enum filling filling) {
    uint32_t n_scales = pieces(k, SPAN) * 16, n_blocks = pieces(k, BLOCK);
    uint8_t *q = guard_open(&p->guards[0], 2 * (size_t)k * 16);
    float *scale = guard_open(&p->guards[1], 2 * n_scales * sizeof(float));
    p->bias = guard_open(&p->guards[2], 32 * sizeof(float));
    p->panels[0] = (struct mote_kernel_panel){.q = q, .scale = scale};
    p->panels[1] = (struct mote_kernel_panel){.q = q + k * 16, .scale = scale + n_scales};
    p->x =
        (struct mote_kernel_x8){.q = guard_open(&p->guards[3], (size_t)t * k),
                                .scale = guard_open(&p->guards[4], (size_t)t * n_blocks * sizeof(float)),
                                .start = guard_open(&p->guards[5], (size_t)t * n_blocks * sizeof(int32_t))};
    for (uint32_t i = 0; i < 2 * k * 16; i++)
        q[i] = (uint8_t)(1 + (filling == EXTREME ? (random_below(4) ? 254 : 0) : random_below(255)));
    for (uint32_t i = 0; i < 2 * n_scales; i++)
        scale[i] = filling == AWKWARD ? random_awkward(200) : fabsf(random_float());
    for (uint32_t i = 0; i < 32; i++)
        p->bias[i] = filling == AWKWARD ? random_awkward(200) : random_float();
    for (uint32_t i = 0; i < t * k; i++)
        p->x.q[i] =
            (int8_t)(filling == EXTREME ? (random_below(4) ? 127 : -127) : (int)random_below(255) - 127);
    for (uint32_t i = 0; i < t * n_blocks; i++) {
        const int8_t *block = p->x.q + (size_t)(i / n_blocks) * k;
        uint32_t from = i % n_blocks * BLOCK, end = k - from < BLOCK ? k : from + BLOCK;
        int total = 0;
        for (uint32_t j = from; j < end; j++)
            total += block[j];
        p->x.scale[i] = filling == AWKWARD ? random_awkward(200) : fabsf(random_float());
        p->x.start[i] = -128 * total;
    }
}

static void close_problem(struct problem *p) {
    for (int i = 0; i < 6; i++)
        guard_close(&p->guards[i]);
}

/* Both panels together, or the last one alone, so that a look past it is noticed. */
static void check_multiply(uint32_t k, uint32_t t, uint32_t n_panels, enum filling filling) {
    struct problem p;
    struct mote_kernels kernels;
    struct guard want_guard, got_guard;
    uint32_t stride = 16 * n_panels + random_below(3), n = (t - 1) * stride + 16 * n_panels;
    fill_problem(&p, k, t, filling);
    struct mote_kernel_panel *panels = p.panels + 2 - n_panels;
    for (uint32_t i = 0; i < n_panels && random_below(2); i++)
        panels[i].bias = p.bias + 16 * (2 - n_panels + i);
    float *want = guard_open(&want_guard, n * sizeof *want);
    mote_kernel_select(&kernels, 0);
    kernels.multiply_packed(panels, n_panels, k, &p.x, t, want, stride, nothing);
    FOR_EACH_CPU(cpu) {
        float *got = guard_open(&got_guard, n * sizeof *got);
        mote_kernel_select(&kernels, cpu);
        kernels.multiply_packed(panels, n_panels, k, &p.x, t, got, stride,
                                (struct mote_kernel_ahead){panels[0].q, random_below(1000)});
        check_floats(got, want, n, "packed", cpu); /* what lies between columns is still the canary */
        guard_close(&got_guard);
    }
    guard_close(&want_guard);
    close_problem(&p);
}

static void multiply_is_the_same_everywhere(void **state) {
    (void)state;
    for (int filling = 0; filling < N_FILLINGS; filling++) {
        for (uint32_t t = 1; t <= 11; t++)
            for (uint32_t n_panels = 1; n_panels <= 2; n_panels++)
                check_multiply(32 * (1 + random_below(10)), t, n_panels, filling);
        for (uint32_t k = 32; k <= 32 * 35; k += 32)
            check_multiply(k, 1 + random_below(4), 1 + random_below(2), filling);
        check_multiply(2048, 8, 2, filling);
    }
    check_multiply(2048, 70, 2, ORDINARY);
    check_multiply(32 * 601, 11, 1, ORDINARY);
}

static void multiply_is_the_sum(void **state) {
    (void)state;
    struct mote_kernels reference;
    mote_kernel_select(&reference, 0);
    for (uint32_t k = 32; k <= 544; k += 32) {
        enum { T = 3 };
        struct problem p;
        float y[T * 32];
        fill_problem(&p, k, T, ORDINARY);
        p.panels[1].bias = p.bias;
        reference.multiply_packed(p.panels, 2, k, &p.x, T, y, 32, nothing);
        for (uint32_t i = 0; i < T * 32; i++) {
            uint32_t c = i / 32, r = i % 16;
            const struct mote_kernel_panel *panel = &p.panels[i % 32 / 16];
            double sum = panel->bias ? (double)panel->bias[r] : 0, size = fabs(sum);
            for (uint32_t j = 0; j < k; j++) {
                double w =
                    (double)panel->scale[j / SPAN * 16 + r] * (panel->q[j / 4 * 64 + r * 4 + j % 4] - 128);
                double term = w * p.x.q[c * k + j] * (double)p.x.scale[c * pieces(k, BLOCK) + j / BLOCK];
                sum += term;
                size += fabs(term);
            }
            assert_true(fabs((double)y[i] - sum) <= 1e-6 * size);
        }
        close_problem(&p);
    }
}

/* ---- whole matrices, from the bytes of a file ---- */

struct matrix {
    struct guard data_guard, panel_guard, bias_guard, work_guard, q_guard, scale_guard, start_guard;
    struct mote_kernel_weight w;
    struct mote_kernel_input input;
    uint8_t *panels;
    void *work;
};

static void open_matrix(struct matrix *m, uint32_t type, uint32_t n, uint32_t k, uint32_t t) {
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    struct mote_kernels reference;
    uint64_t row_bytes = (uint64_t)k / info->elements * info->bytes;
    uint8_t *data = guard_open(&m->data_guard, n * row_bytes); /* any bytes are a matrix */
    random_bytes(data, n * row_bytes);
    m->w = (struct mote_kernel_weight){.data = data, .row_bytes = row_bytes, .type = type, .n = n, .k = k};
    m->panels = guard_open(&m->panel_guard, mote_kernel_pack_plan(&m->w));
    float *bias = guard_open(&m->bias_guard, n * sizeof *bias), *x = malloc((size_t)t * k * sizeof *x);
    m->w.bias = bias;
    for (uint32_t i = 0; i < n; i++)
        bias[i] = random_float();
    for (uint32_t i = 0; i < t * k; i++)
        x[i] = random_float();
    uint32_t n_blocks = pieces(k, BLOCK);
    m->work = guard_open(&m->work_guard, mote_kernel_matmul_plan(k));
    m->input.x8 =
        (struct mote_kernel_x8){.q = guard_open(&m->q_guard, (size_t)t * k),
                                .scale = guard_open(&m->scale_guard, (size_t)t * n_blocks * sizeof(float)),
                                .start = guard_open(&m->start_guard, (size_t)t * n_blocks * sizeof(int32_t))};
    mote_kernel_select(&reference, 0);
    for (uint32_t c = 0; c < t; c++)
        reference.quantize_wide(x + c * k, k, BLOCK, m->input.x8.q + c * k, m->input.x8.scale + c * n_blocks,
                                m->input.x8.start + c * n_blocks);
    free(x);
}

static void close_matrix(struct matrix *m) {
    struct guard *guards[] = {&m->data_guard, &m->panel_guard, &m->bias_guard, &m->work_guard,
                              &m->q_guard,    &m->scale_guard, &m->start_guard};
    for (size_t i = 0; i < sizeof guards / sizeof *guards; i++)
        guard_close(guards[i]);
}

/* Value i of row r of the panels. */
static double packed_value(const struct matrix *m, uint32_t r, uint32_t i, float *scale) {
    uint32_t k = m->w.k;
    const uint8_t *panel = m->panels + (uint64_t)(r / 16) * 16 * (k + 4 * pieces(k, SPAN));
    memcpy(scale, panel + 16 * k + 4 * (i / SPAN * 16 + r % 16), sizeof *scale);
    return (double)*scale * (panel[i / 4 * 64 + r % 16 * 4 + i % 4] - 128);
}

/* Panels are the rows, to half a step; y is their sums. From the reference. */
static void check_by_rows(const struct mote_kernels *kernels, const struct matrix *m, uint32_t t,
                          const float *y, uint32_t stride) {
    uint32_t k = m->w.k;
    float *row = malloc(k * sizeof *row);
    for (uint32_t r = 0; r < m->w.n; r++) {
        mote_kernel_row(kernels, &m->w, r, row, m->work);
        double sum[16] = {0}, size = 0;
        for (uint32_t i = 0; i < k; i++) {
            float scale;
            double value = packed_value(m, r, i, &scale);
            if (scale > 0 && !(fabs(value - (double)row[i]) <= (double)scale * 0.5001))
                fail_msg("row %u, value %u: %g, packed %g", r, i, (double)row[i], value);
            if (!(scale > 0) && scale == scale) assert_true(fabsf(row[i]) < MOTE_KERNEL_TINY);
            for (uint32_t c = 0; c < t; c++) {
                double term = value * m->input.x8.q[c * k + i] *
                              (double)m->input.x8.scale[c * pieces(k, BLOCK) + i / BLOCK];
                sum[c] += term;
                size += fabs(term);
            }
        }
        for (uint32_t c = 0; c < t; c++)
            if (size < 1e37)
                assert_true(fabs((double)y[c * stride + r] - (sum[c] + (double)m->w.bias[r])) <=
                            1e-5 * (size + 1));
    }
    free(row);
}

static void check_matmul(uint32_t type, uint32_t n, uint32_t k, uint32_t t) {
    struct matrix m;
    struct mote_kernels kernels;
    struct guard y_guard;
    uint32_t stride = n + random_below(3), cut = n / 2 / 16 * 16; /* in two pieces, as two workers would */
    size_t n_y = (size_t)(t - 1) * stride + n;
    open_matrix(&m, type, n, k, t);
    uint64_t bytes = mote_kernel_pack_plan(&m.w);
    float *want = malloc(n_y * sizeof *want);
    uint8_t *want_panels = malloc(bytes);
    FOR_EACH_CPU(cpu) {
        mote_kernel_select(&kernels, cpu);
        float *y = guard_open(&y_guard, n_y * sizeof *y);
        m.w.panels = NULL;
        mote_kernel_pack(&kernels, &m.w, m.panels, m.work);
        m.w.panels = m.panels;
        mote_kernel_matmul(&kernels, &m.w, cut, n, &m.input, t, y, stride, m.work);
        mote_kernel_matmul(&kernels, &m.w, 0, cut, &m.input, t, y, stride, m.work);
        if (cpu == 0) {
            memcpy(want, y, n_y * sizeof *y);
            memcpy(want_panels, m.panels, bytes);
            check_by_rows(&kernels, &m, t, y, stride);
        }
        assert_memory_equal(m.panels, want_panels, bytes);
        check_floats(y, want, n_y, mote_base_type_describe(type)->name, cpu);
        guard_close(&y_guard);
    }
    free(want);
    free(want_panels);
    close_matrix(&m);
}

static void matmul_is_the_same_everywhere(void **state) {
    (void)state;
#define CHECK(NAME, lower, number, elements, bytes, group, offset, has_min)                                  \
    for (uint32_t n = 1; (group) && n <= 331; n += n < 35 ? 1 + random_below(4) : 74)                        \
        check_matmul(number, n, (elements) * (1 + random_below((elements) == 32 ? 20 : 4)),                  \
                     1 + random_below(10));
    MOTE_BASE_TYPE_LIST(CHECK)
#undef CHECK
}

/* ---- --bench ---- */

static void bench_level(const char *level, uint32_t cpu) {
    static const uint32_t widths[] = {1, 2, 4, 8, 16, 32, 64};
    enum { K = 1024, MOST = 64 };
    double ghz = measure_ghz(), ns;
    struct mote_kernels kernels;
    struct problem p;
    float y[MOST * 32], x[K];
    mote_kernel_select(&kernels, cpu);
    fill_problem(&p, K, MOST, ORDINARY);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        BEST_NS(ns, kernels.multiply_packed(p.panels, 2, K, &p.x, widths[i], y, 32, nothing));
        printf("%s multiply_packed T=%-3u %6.1f GMAC/s %8.0f cycles\n", level, widths[i],
               32.0 * K * widths[i] / ns, ns * ghz);
    }
    for (uint32_t i = 0; i < K; i++)
        x[i] = random_float();
    BEST_NS(ns, kernels.quantize_wide(x, K, BLOCK, p.x.q, p.x.scale, p.x.start));
    printf("%s quantize_wide %d %8.0f cycles\n", level, K, ns * ghz);
    close_problem(&p);
}

static void bench(const char *only) {
    for (const char *const *level = mote_posix_cpu_levels; *level; level++) {
        uint32_t cpu;
        if (only && strcmp(only, *level) != 0) continue;
        if (!mote_posix_cpu_level(*level, &cpu) || (cpu & mote_posix_cpu()) != cpu) continue;
        bench_level(*level, cpu);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench(argc > 2 ? argv[2] : NULL);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_values),
        cmocka_unit_test(rounds_to_even),
        cmocka_unit_test(edges),
        cmocka_unit_test(multiply_is_the_sum),
        cmocka_unit_test(multiply_is_the_same_everywhere),
        cmocka_unit_test(matmul_is_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
