/* SPDX-License-Identifier: Apache-2.0
 *
 * multiply_test.c: the quantized product on every subset of the CPU's features against the reference, bit for
 * bit; the reference itself against sums in double. --bench [LEVEL [TYPE]] times it. */
#include "tests/kernel/guard.h"

#include <math.h>

static const uint32_t type_numbers[] = {
#define NUMBER(NAME, lower, number, elements, bytes, group, offset, has_min) number,
    MOTE_BASE_TYPE_LIST(NUMBER)
#undef NUMBER
};
enum { N_TYPES = sizeof type_numbers / sizeof *type_numbers };

/* ---- multiply and interleave ---- */

static const struct mote_kernel_ahead nothing;

struct problem {
    struct guard guards[6];
    struct mote_kernel_panel panels[2];
    struct mote_kernel_x8 x;
    uint32_t k, t;
};

enum filling { ORDINARY, EXTREME, AWKWARD, N_FILLINGS };

/* Two panels, one behind the other, each array ending where the memory ends. */
static void fill_problem(struct problem *p, const struct mote_base_type_info *info, uint32_t k, uint32_t t,
                         enum filling filling) {
    uint32_t n_groups = k / info->group, n_scales = 2 * 16 * n_groups;
    uint32_t top = 2u * info->offset;
    if (info->offset >= 64) top = info->offset == 128 ? 255 : 127;
    if (info->has_min) top = info->bytes * 8 <= info->elements * 5 ? 15 : 31;
    p->k = k;
    p->t = t;
    uint8_t *q = guard_open(&p->guards[0], 2 * (size_t)k * 16);
    float *scale = guard_open(&p->guards[1], n_scales * sizeof(float));
    float *min = guard_open(&p->guards[2], info->has_min ? n_scales * sizeof(float) : 0);
    p->panels[0] = (struct mote_kernel_panel){q, scale, min, NULL};
    p->panels[1] = (struct mote_kernel_panel){q + k * 16, scale + n_scales / 2,
                                              info->has_min ? min + n_scales / 2 : min, NULL};
    p->x.q = guard_open(&p->guards[3], (size_t)t * k);
    p->x.scale = guard_open(&p->guards[4], (size_t)t * (k / 32) * sizeof(float));
    p->x.sum = guard_open(&p->guards[5], (size_t)t * (k / 16) * sizeof(int16_t));
    for (uint32_t i = 0; i < 2 * k * 16; i++)
        q[i] = (uint8_t)(filling == EXTREME ? (random_below(4) ? top : 0) : random_below(top + 1));
    for (uint32_t i = 0; i < n_scales; i++) {
        scale[i] = filling == AWKWARD ? random_awkward(200) : random_float();
        if (info->has_min) min[i] = filling == AWKWARD ? random_awkward(200) : random_float();
    }
    for (uint32_t i = 0; i < t * k; i++)
        p->x.q[i] =
            (int8_t)(filling == EXTREME ? (random_below(4) ? 127 : -127) : (int)random_below(255) - 127);
    for (uint32_t i = 0; i < t * (k / 32); i++)
        p->x.scale[i] = filling == AWKWARD ? random_awkward(200) : fabsf(random_float());
    for (uint32_t i = 0; i < t * (k / 16); i++) {
        int total = 0;
        for (uint32_t j = 0; j < 16; j++)
            total += p->x.q[i * 16 + j];
        p->x.sum[i] = (int16_t)total;
    }
}

static void close_problem(struct problem *p) {
    for (int i = 0; i < 6; i++)
        guard_close(&p->guards[i]);
}

/* Both panels together, or the last one alone, so that a look past it is noticed. */
static void check_multiply(const struct mote_base_type_info *info, uint32_t k, uint32_t t, uint32_t n_panels,
                           enum filling filling) {
    struct problem p;
    struct mote_kernels reference, kernels;
    struct guard want_guard, got_guard;
    uint32_t stride = 16 * n_panels + random_below(3), n = (t - 1) * stride + 16 * n_panels;
    fill_problem(&p, info, k, t, filling);
    const struct mote_kernel_panel *panels = p.panels + 2 - n_panels;
    float *want = guard_open(&want_guard, n * sizeof *want);
    mote_kernel_select(&reference, 0);
    reference.multiply(info, panels, n_panels, k, &p.x, t, want, stride, nothing);
    FOR_EACH_CPU(cpu) {
        float *got = guard_open(&got_guard, n * sizeof *got);
        mote_kernel_select(&kernels, cpu);
        kernels.multiply(info, panels, n_panels, k, &p.x, t, got, stride,
                         (struct mote_kernel_ahead){panels[0].q, random_below(1000)});
        check_floats(got, want, n, info->name, cpu); /* what lies between columns is still the canary */
        guard_close(&got_guard);
    }
    guard_close(&want_guard);
    close_problem(&p);
}

static void multiply_is_the_same_everywhere(void **state) {
    (void)state;
    for (int i = 0; i < N_TYPES; i++) {
        const struct mote_base_type_info *info = mote_base_type_describe(type_numbers[i]);
        if (!info->group) continue;
        for (int filling = 0; filling < N_FILLINGS; filling++) {
            for (uint32_t t = 1; t <= 11; t++)
                for (uint32_t n_panels = 1; n_panels <= 2; n_panels++)
                    check_multiply(info, 32 * (1 + random_below(10)), t, n_panels, filling);
            for (uint32_t k = 32; k <= 32 * 35; k += 32)
                check_multiply(info, k, 1 + random_below(4), 1 + random_below(2), filling);
            check_multiply(info, 2048, 8, 2, filling);
        }
        check_multiply(info, 2048, 70, 2, ORDINARY); /* more than are prepared at a time */
        check_multiply(info, 32 * 600, 11, 1, ORDINARY);
    }
}

static void multiply_is_the_sum(void **state) {
    (void)state;
    struct mote_kernels reference;
    mote_kernel_select(&reference, 0);
    for (int i = 0; i < N_TYPES; i++) {
        const struct mote_base_type_info *info = mote_base_type_describe(type_numbers[i]);
        if (!info->group) continue;
        struct problem p;
        uint32_t k = 512, t = 3;
        float y[3 * 32];
        fill_problem(&p, info, k, t, ORDINARY);
        reference.multiply(info, p.panels, 2, k, &p.x, t, y, 32, nothing);
        for (uint32_t c = 0; c < t; c++) {
            for (uint32_t row = 0; row < 32; row++) {
                const struct mote_kernel_panel *panel = &p.panels[row / 16];
                uint32_t r = row % 16;
                double sum = 0, size = 0;
                for (uint32_t j = 0; j < k; j++) {
                    uint32_t g = j / info->group * 16 + r;
                    double w =
                        (double)panel->scale[g] * (panel->q[j / 4 * 64 + r * 4 + j % 4] - info->offset);
                    if (info->has_min) w -= (double)panel->min[g];
                    double term = w * p.x.q[c * k + j] * (double)p.x.scale[c * (k / 32) + j / 32];
                    sum += term;
                    size += fabs(term);
                }
                assert_true(fabs((double)y[c * 32 + row] - sum) <= 1e-6 * size);
            }
        }
        close_problem(&p);
    }
}

static void interleave_is_the_same_everywhere(void **state) {
    (void)state;
    static const uint8_t offsets[] = {0, 1, 16, 64, 128};
    FOR_EACH_CPU(cpu) {
        struct mote_kernels kernels;
        mote_kernel_select(&kernels, cpu);
        for (uint32_t n = 32; n <= 256; n += 32) {
            for (uint32_t o = 0; o < sizeof offsets; o++) {
                struct guard rows_guard, panel_guard;
                uint32_t stride = n + random_below(40);
                int8_t *rows = guard_open(&rows_guard, (size_t)stride * 15 + n);
                uint8_t *panel = guard_open(&panel_guard, (size_t)n * 16);
                random_bytes(rows, (size_t)stride * 15 + n);
                kernels.interleave(rows, stride, n, offsets[o], panel);
                for (uint32_t r = 0; r < 16; r++)
                    for (uint32_t i = 0; i < n; i++)
                        assert_int_equal(panel[i / 4 * 64 + r * 4 + i % 4],
                                         (uint8_t)(rows[r * stride + i] + offsets[o]));
                guard_close(&rows_guard);
                guard_close(&panel_guard);
            }
        }
    }
}

/* ---- whole products, from the bytes of a file ---- */

struct matrix {
    struct guard data_guard, x_guard, q_guard, scale_guard, sum_guard;
    struct mote_kernel_weight w;
    struct mote_kernel_input input;
};

/* Any bytes are a matrix. For float types and for half of the others, what would be NaN is made small. */
static void open_matrix(struct matrix *m, uint32_t type, uint32_t n, uint32_t k, uint32_t t) {
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    struct mote_kernels reference;
    mote_kernel_select(&reference, 0);
    uint64_t row_bytes = (uint64_t)k / info->elements * info->bytes;
    uint8_t *data = guard_open(&m->data_guard, n * row_bytes);
    random_bytes(data, n * row_bytes);
    if (!info->group) {
        for (uint64_t i = (uint64_t)info->bytes - 1; i < n * row_bytes; i += info->bytes)
            if (random_below(500)) data[i] &= 0xbf; /* the exponent's top bit */
    }
    m->w = (struct mote_kernel_weight){data, row_bytes, type, n, k, NULL, NULL, 0};
    float *x = guard_open(&m->x_guard, (size_t)t * k * sizeof *x);
    for (uint32_t i = 0; i < t * k; i++)
        x[i] = random_float();
    m->input = (struct mote_kernel_input){.x = x, .x_stride = k};
    if (!info->group) return;
    m->input.x8.q = guard_open(&m->q_guard, (size_t)t * k);
    m->input.x8.scale = guard_open(&m->scale_guard, (size_t)t * (k / 32) * sizeof(float));
    m->input.x8.sum = guard_open(&m->sum_guard, (size_t)t * (k / 16) * sizeof(int16_t));
    for (uint32_t c = 0; c < t; c++)
        reference.quantize(x + c * k, k, m->input.x8.q + c * k, m->input.x8.scale + c * (k / 32),
                           m->input.x8.sum + c * (k / 16));
}

static void close_matrix(struct matrix *m) {
    guard_close(&m->data_guard);
    guard_close(&m->x_guard);
    if (!mote_base_type_describe(m->w.type)->group) return;
    guard_close(&m->q_guard);
    guard_close(&m->scale_guard);
    guard_close(&m->sum_guard);
}

/* Each output is near the sum in double of what mote_kernel_row gives; y is from the reference. */
static void check_by_rows(const struct mote_kernels *kernels, const struct matrix *m, uint32_t t,
                          const float *y, uint32_t stride, void *work) {
    const struct mote_base_type_info *info = mote_base_type_describe(m->w.type);
    float *row = malloc(m->w.k * sizeof *row);
    for (uint32_t r = 0; r < m->w.n; r++) {
        mote_kernel_row(kernels, &m->w, r, row, work);
        for (uint32_t c = 0; c < t; c++) {
            double sum = 0, size = 0;
            for (uint32_t i = 0; i < m->w.k; i++) {
                uint32_t at = c * m->w.k + i;
                double x = info->group ? (double)m->input.x8.q[at] * (double)m->input.x8.scale[at / 32]
                                       : (double)m->input.x[at];
                sum += (double)row[i] * x;
                size += fabs((double)row[i] * x);
            }
            if (size < 1e37 && !(fabs((double)y[c * stride + r] - sum) <= 1e-5 * size + 1e-36))
                fail_msg("%s: row %u, column %u is %g, should be near %g", info->name, r, c,
                         (double)y[c * stride + r], sum);
        }
    }
    free(row);
}

/* The same with a bias, in two pieces, as two workers would. */
static void check_bias(const struct mote_kernels *kernels, const struct matrix *m, uint32_t t, float *y,
                       uint32_t stride, const float *want, void *work, uint32_t cpu) {
    struct guard bias_guard;
    struct mote_kernel_weight w = m->w;
    uint32_t cut = w.n / 2 / 16 * 16;
    size_t n_y = (size_t)(t - 1) * stride + w.n;
    float *bias = guard_open(&bias_guard, w.n * sizeof *bias), *biased = malloc(n_y * sizeof *biased);
    for (uint32_t r = 0; r < w.n; r++)
        bias[r] = random_float();
    for (size_t i = 0; i < n_y; i++)
        biased[i] = i % stride < w.n ? want[i] + bias[i % stride] : want[i];
    w.bias = bias;
    memset(y, 0xff, n_y * sizeof *y);
    for (uint32_t c = 0; c + 1 < t; c++) /* between the columns nothing is written */
        memcpy(y + c * stride + w.n, want + c * stride + w.n, (stride - w.n) * sizeof *y);
    mote_kernel_matmul(kernels, &w, cut, w.n, &m->input, t, y, stride, work);
    mote_kernel_matmul(kernels, &w, 0, cut, &m->input, t, y, stride, work);
    check_floats(y, biased, n_y, mote_base_type_describe(w.type)->name, cpu);
    guard_close(&bias_guard);
    free(biased);
}

static void check_matmul(uint32_t type, uint32_t n, uint32_t k, uint32_t t) {
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    struct matrix m;
    struct mote_kernels kernels;
    struct guard work_guard, y_guard, row_guard;
    uint32_t stride = n + random_below(3);
    size_t n_y = (size_t)(t - 1) * stride + n;
    open_matrix(&m, type, n, k, t);
    float *want = malloc(n_y * sizeof *want), *want_row = malloc(k * sizeof *want_row);
    uint32_t row = random_below(n);
    FOR_EACH_CPU(cpu) {
        mote_kernel_select(&kernels, cpu);
        void *work = guard_open(&work_guard, mote_kernel_matmul_plan(k));
        float *y = guard_open(&y_guard, n_y * sizeof *y);
        float *one = guard_open(&row_guard, k * sizeof *one);
        /* in two pieces, as two workers would */
        uint32_t cut = n / 2 / 16 * 16;
        mote_kernel_matmul(&kernels, &m.w, cut, n, &m.input, t, y, stride, work);
        mote_kernel_matmul(&kernels, &m.w, 0, cut, &m.input, t, y, stride, work);
        mote_kernel_row(&kernels, &m.w, row, one, work);
        if (cpu == 0) {
            memcpy(want, y, n_y * sizeof *y);
            memcpy(want_row, one, k * sizeof *one);
            check_by_rows(&kernels, &m, t, y, stride, work);
        }
        check_floats(y, want, n_y, info->name, cpu);
        check_floats(one, want_row, k, info->name, cpu);
        check_bias(&kernels, &m, t, y, stride, want, work, cpu);
        guard_close(&work_guard);
        guard_close(&y_guard);
        guard_close(&row_guard);
    }
    free(want);
    free(want_row);
    close_matrix(&m);
}

static void matmul_is_the_same_everywhere(void **state) {
    (void)state;
    for (int i = 0; i < N_TYPES; i++) {
        uint32_t type = type_numbers[i];
        const struct mote_base_type_info *info = mote_base_type_describe(type);
        for (uint32_t n = 1; n <= 331; n += n < 35 ? 1 : 74) {
            uint32_t k = info->group ? info->elements * (1 + random_below(info->elements == 32 ? 20 : 4))
                                     : 1 + random_below(100);
            check_matmul(type, n, k, 1 + random_below(10));
        }
    }
}

/* ---- --bench ---- */

/* Multiplications a second of the int8 instruction of a level when nothing else has to be done: the peak that
 * products are measured against. 0: not known for the level. */
static double measure_peak(const char *level) {
#if defined(__x86_64__)
#define TWELVE(OP, SUFFIX)                                                                                   \
    OP " " SUFFIX "0\n" OP " " SUFFIX "1\n" OP " " SUFFIX "2\n" OP " " SUFFIX "3\n" OP " " SUFFIX "4\n" OP   \
       " " SUFFIX "5\n" OP " " SUFFIX "6\n" OP " " SUFFIX "7\n" OP " " SUFFIX "8\n" OP " " SUFFIX "9\n" OP   \
       " " SUFFIX "10\n" OP " " SUFFIX "11"
#define RUN(TEXT, MACS)                                                                                      \
    do {                                                                                                     \
        double took;                                                                                         \
        BEST_NS(took, for (int i = 0; i < 10000; i++) __asm__ volatile(TEXT : : : CLOBBERED));               \
        return 12.0 * 10000 * (MACS) / took;                                                                 \
    } while (0)
#define CLOBBERED                                                                                            \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"
    if (strcmp(level, "avx512vnni") == 0) RUN(TWELVE("vpdpbusd", "%%zmm12,%%zmm13,%%zmm"), 64);
    if (strcmp(level, "avx512") == 0) RUN(TWELVE("vpmaddubsw", "%%zmm12,%%zmm13,%%zmm"), 64);
    if (strcmp(level, "avxvnni") == 0) RUN(TWELVE("%{vex%} vpdpbusd", "%%ymm12,%%ymm13,%%ymm"), 32);
    if (strcmp(level, "avx2") == 0) RUN(TWELVE("vpmaddubsw", "%%ymm12,%%ymm13,%%ymm"), 32);
#endif
    (void)level;
    return 0;
}

static void bench_matmul(const struct mote_kernels *kernels, uint32_t type, double ghz, double peak) {
    static const uint32_t widths[] = {1, 2, 4, 8, 16, 128};
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    uint32_t n = 256, k = 2048, most = 128;
    struct matrix m;
    open_matrix(&m, type, n, k, most);
    /* floats of ordinary size: subnormal products take hundreds of cycles */
    for (uint64_t i = info->bytes - 1u; !info->group && i < n * m.w.row_bytes; i += info->bytes)
        m.data_guard.data[i] = 0x3c;
    void *work = aligned_alloc(64, mote_kernel_matmul_plan(k));
    float *y = malloc((size_t)n * most * sizeof *y);
    for (uint32_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        double ns, t = widths[i];
        BEST_NS(ns, mote_kernel_matmul(kernels, &m.w, 0, n, &m.input, widths[i], y, n, work));
        printf(
            "  matmul %-8s T=%-3.0f %6.1f GMAC/s %3.0f %%  %6.2f GB/s of weights %8.2f cycles/256 weights\n",
            info->name, t, n * k * t / ns, peak ? 100 * n * k * t / ns / peak : 0,
            n * (double)m.w.row_bytes / ns, ns * ghz / ((double)n * k / 256));
    }
    free(work);
    free(y);
    close_matrix(&m);
}

static void bench_multiply(const struct mote_kernels *kernels, uint32_t type, double ghz, double peak) {
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    uint32_t k = 2048;
    for (uint32_t t = 1; t <= 64; t *= 2) {
        struct problem p;
        float y[64 * 32];
        double ns;
        fill_problem(&p, info, k, t, ORDINARY);
        BEST_NS(ns, kernels->multiply(info, p.panels, 2, k, &p.x, t, y, 32, nothing));
        printf("  multiply %-5s group %u T=%-3u %6.1f GMAC/s %3.0f %% %8.0f cycles\n", info->name,
               info->group, t, 32.0 * k * t / ns, peak ? 3200.0 * k * t / ns / peak : 0, ns * ghz);
        close_problem(&p);
    }
}

static void bench_level(const char *level, uint32_t cpu, const char *type) {
    double ghz = measure_ghz(), peak = measure_peak(level), ns;
    struct mote_kernels kernels;
    struct guard rows, panel;
    mote_kernel_select(&kernels, cpu);
    printf("%s at %.2f GHz, int8 peak %.1f GMAC/s\n", level, ghz, peak);
    for (int i = 0; i < N_TYPES; i++) {
        const struct mote_base_type_info *info = mote_base_type_describe(type_numbers[i]);
        if (type && strcmp(info->name, type) != 0) continue;
        if (info->group) bench_multiply(&kernels, type_numbers[i], ghz, peak);
        bench_matmul(&kernels, type_numbers[i], ghz, peak);
    }
    void *from = guard_open(&rows, 16 * 256), *to = guard_open(&panel, 16 * 256);
    BEST_NS(ns, kernels.interleave(from, 256, 256, 8, to));
    printf("  interleave %7.2f GB/s  %6.0f cycles for [16][256]\n", 4096 / ns, ns * ghz);
    guard_close(&rows);
    guard_close(&panel);
}

static void bench(const char *only, const char *type) {
    for (const char *const *level = mote_posix_cpu_levels; *level; level++) {
        uint32_t cpu;
        if (only && strcmp(only, *level) != 0) continue;
        if (!mote_posix_cpu_level(*level, &cpu) || (cpu & mote_posix_cpu()) != cpu) continue;
        bench_level(*level, cpu, type);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench(argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiply_is_the_sum),
        cmocka_unit_test(multiply_is_the_same_everywhere),
        cmocka_unit_test(interleave_is_the_same_everywhere),
        cmocka_unit_test(matmul_is_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
