/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_test.c: the product with few columns from the bytes of a file, on every subset of the CPU's features
 * against the reference by panel, bit for bit; rows that end where memory ends. --bench [LEVEL] times it on
 * weights far larger than the caches, beside a plain reading of the same bytes in the same moment. */
#include "tests/kernel/guard.h"

#include "kernel/bundle.h"

static const uint32_t type_numbers[] = {
#define NUMBER(NAME, lower, number, elements, bytes, group, offset, has_min) number,
    MOTE_BASE_TYPE_LIST(NUMBER)
#undef NUMBER
};
enum { N_TYPES = sizeof type_numbers / sizeof *type_numbers };

enum filling { ORDINARY, ONES, AWKWARD, N_FILLINGS };

struct problem {
    struct guard guards[4];
    const struct mote_base_type_info *info;
    uint8_t *rows;
    uint64_t row_bytes, size;
    uint32_t type, n, k, t;
    struct mote_kernel_x8 x;
};

/* Any bytes are rows. Their last block ends the memory; between rows lie `gap` bytes that no one asked for.
 */
static void open_problem(struct problem *p, uint32_t type, uint32_t n, uint32_t k, uint32_t t, uint32_t gap,
                         enum filling filling) {
    p->info = mote_base_type_describe(type);
    p->type = type, p->n = n, p->k = k, p->t = t;
    uint64_t used = (uint64_t)k / p->info->elements * p->info->bytes;
    p->row_bytes = used + gap;
    p->size = (n - 1) * p->row_bytes + used;
    p->rows = guard_open(&p->guards[0], p->size);
    p->x.q = guard_open(&p->guards[1], (size_t)t * k);
    p->x.scale = guard_open(&p->guards[2], (size_t)t * (k / 32) * sizeof(float));
    p->x.sum = guard_open(&p->guards[3], (size_t)t * (k / 16) * sizeof(int16_t));
    random_bytes(p->rows, p->size);
    if (filling == ONES) memset(p->rows, random_below(2) ? 0xff : 0x7b, p->size);
    for (uint32_t i = 0; i < t * k; i++)
        p->x.q[i] = (int8_t)(filling == ONES ? (random_below(8) ? 127 : -127) : (int)random_below(255) - 127);
    for (uint32_t i = 0; i < t * (k / 32); i++)
        p->x.scale[i] = filling == AWKWARD ? random_awkward(100) : random_float() * random_float();
    for (uint32_t i = 0; i < t * (k / 16); i++) {
        int total = 0;
        for (uint32_t j = 0; j < 16; j++)
            total += p->x.q[i * 16 + j];
        p->x.sum[i] = (int16_t)total;
    }
}

static void close_problem(struct problem *p) {
    for (int i = 0; i < 4; i++)
        guard_close(&p->guards[i]);
}

static struct mote_kernel_weight weight(const struct problem *p) {
    return (struct mote_kernel_weight){p->rows, p->row_bytes, p->type, p->n, p->k, NULL, NULL, 0};
}

/* The same product by the reference's panels. */
static void by_panel(const struct problem *p, float *y, uint64_t y_stride) {
    struct mote_kernels reference;
    struct mote_kernel_weight w = weight(p);
    struct mote_kernel_input input = {.x8 = p->x};
    mote_kernel_select(&reference, 0);
    void *work = aligned_alloc(64, mote_kernel_matmul_plan(p->k));
    mote_kernel_matmul(&reference, &w, 0, p->n, &input, p->t, y, y_stride, work);
    free(work);
}

/* Whether some machine of this build takes rows of a type as bundles: they have no gaps. */
static int is_bundled(uint32_t type) {
    struct mote_kernels kernels;
    mote_kernel_select(&kernels, mote_posix_cpu());
    return kernels.bundles >> type & 1;
}

/* The rows as a machine wants them, in `copy`, if that is in bundles; else as they are. */
static uint8_t *rows_for(const struct mote_kernels *kernels, const struct problem *p, struct guard *copy) {
    uint8_t *rows = guard_open(copy, p->size), *work = malloc(16 * p->row_bytes);
    memcpy(rows, p->rows, p->size);
    for (uint32_t row = 0; row < p->n && kernels->bundles >> p->type & 1; row += 16)
        mote_kernel_bundle_make(p->type, p->k, kernels->bundle_flip, rows + row * p->row_bytes, work);
    free(work);
    return rows;
}

static void check(uint32_t type, uint32_t n, uint32_t k, uint32_t t, enum filling filling) {
    struct problem p;
    struct guard want_guard, got_guard;
    open_problem(&p, type, n, k, t, !is_bundled(type) && random_below(2) ? random_below(67) : 0, filling);
    uint32_t stride = n + random_below(3);
    size_t n_y = (size_t)(t - 1) * stride + n;
    struct mote_kernel_weight w = weight(&p);
    float *want = guard_open(&want_guard, n_y * sizeof *want);
    by_panel(&p, want, stride);
    FOR_EACH_CPU(cpu) {
        struct mote_kernels kernels;
        mote_kernel_select(&kernels, cpu);
        if (!kernels.direct[type]) continue;
        struct guard rows_guard;
        float *got = guard_open(&got_guard, n_y * sizeof *got);
        w.data = rows_for(&kernels, &p, &rows_guard);
        kernels.direct[type](&w, 0, n, &p.x, t, got, stride);
        check_floats(got, want, n_y, p.info->name, cpu); /* what lies between columns is still the canary */
        guard_close(&got_guard);
        guard_close(&rows_guard);
    }
    guard_close(&want_guard);
    close_problem(&p);
}

/* A panel made by fill is that of decode and interleave. */
static void check_fill(uint32_t type, uint32_t k) {
    struct problem p;
    struct mote_kernels reference;
    struct guard q_guard, scale_guard, min_guard;
    mote_kernel_select(&reference, 0);
    open_problem(&p, type, 16, k, 1, !is_bundled(type) && random_below(2) ? random_below(67) : 0, ORDINARY);
    uint32_t group = p.info->group, n_groups = k / group;
    int8_t *rows = malloc(16 * (size_t)k);
    float *scale = malloc(16 * sizeof *scale * n_groups), *min = malloc(16 * sizeof *min * n_groups);
    for (uint32_t r = 0; r < 16; r++)
        reference.decode[type](p.rows + r * p.row_bytes, k / p.info->elements, rows + r * k,
                               scale + r * n_groups, min + r * n_groups);
    FOR_EACH_CPU(cpu) {
        struct mote_kernels kernels;
        mote_kernel_select(&kernels, cpu);
        if (!kernels.fill[type]) continue;
        struct mote_kernel_panel panel = {guard_open(&q_guard, 16 * (size_t)k),
                                          guard_open(&scale_guard, 16 * sizeof *scale * n_groups),
                                          guard_open(&min_guard, 16 * sizeof *min * n_groups), NULL};
        struct guard rows_guard;
        kernels.fill[type](rows_for(&kernels, &p, &rows_guard), p.row_bytes, k, &panel);
        guard_close(&rows_guard);
        for (uint32_t r = 0; r < 16; r++) {
            for (uint32_t i = 0; i < k; i++)
                assert_int_equal(panel.q[i / 4 * 64 + r * 4 + i % 4],
                                 (uint8_t)(rows[r * k + i] + p.info->offset));
            for (uint32_t g = 0; g < n_groups; g++) {
                check_floats(&panel.scale[g * 16 + r], &scale[r * n_groups + g], 1, p.info->name, cpu);
                if (p.info->has_min)
                    check_floats(&panel.min[g * 16 + r], &min[r * n_groups + g], 1, p.info->name, cpu);
            }
        }
        guard_close(&q_guard);
        guard_close(&scale_guard);
        guard_close(&min_guard);
    }
    free(rows);
    free(scale);
    free(min);
    close_problem(&p);
}

static void fill_is_the_same_everywhere(void **state) {
    (void)state;
    struct mote_kernels kernels;
    mote_kernel_select(&kernels, mote_posix_cpu());
    for (int i = 0; i < N_TYPES; i++) {
        uint32_t type = type_numbers[i];
        if (!kernels.fill[type]) continue;
        for (uint32_t k = 256; k <= 1100; k += mote_base_type_describe(type)->elements)
            check_fill(type, k);
    }
}

static void direct_is_the_same_everywhere(void **state) {
    (void)state;
    for (int i = 0; i < N_TYPES; i++) {
        const struct mote_base_type_info *info = mote_base_type_describe(type_numbers[i]);
        struct mote_kernels kernels;
        mote_kernel_select(&kernels, mote_posix_cpu());
        if (!kernels.direct[type_numbers[i]]) continue;
        for (int filling = 0; filling < N_FILLINGS; filling++) {
            uint32_t most = info->bytes > info->elements ? MOTE_KERNEL_WIDE : MOTE_KERNEL_DIRECT;
            for (uint32_t t = 1; t <= most; t++) {
                for (uint32_t k = 256; k <= 1100; k += info->elements)
                    check(type_numbers[i], 16, k, t, filling);
                check(type_numbers[i], 48, 2048, t, filling);
            }
        }
        check(type_numbers[i], 16, 16384, 1, ORDINARY); /* the longest row that is put by, of groups of 16 */
        check(type_numbers[i], 16, 16640, 1, ORDINARY);
        check(type_numbers[i], 16, 33024, 1, ORDINARY);
    }
}

/* ---- --bench ---- */

enum { BENCH_BYTES = 160 << 20, BENCH_ROUNDS = 7, MOST_SAMPLES = 4096 };

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t read_memory(const uint8_t *p, uint64_t n) {
    typedef uint64_t vector __attribute__((vector_size(32), aligned(1)));
    vector a = {0}, b = {0}, c = {0}, d = {0};
    for (uint64_t i = 0; i + 128 <= n; i += 128) {
        const vector *v = (const void *)(p + i);
        a |= v[0], b |= v[1], c |= v[2], d |= v[3];
    }
    a |= b | c | d;
    return a[0] | a[1] | a[2] | a[3];
}

/* Pieces of a matrix are read, or multiplied with one, two or four columns, in turn, so that all meet the
 * same disturbances; the best of each counts. */
static void bench_type(const struct mote_kernels *kernels, uint32_t type, uint32_t k, double ghz) {
    static const uint32_t columns[] = {0, 1, 2, 4};
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    struct problem p;
    uint64_t row_bytes = (uint64_t)k / info->elements * info->bytes;
    uint32_t n = (uint32_t)(BENCH_BYTES / row_bytes / 512 * 512), pieces = n / 512, turn = 0;
    open_problem(&p, type, 16, k, 4, 0, ORDINARY);
    uint8_t *rows = aligned_alloc(4096, (n * row_bytes + 4095) / 4096 * 4096);
    struct mote_kernel_weight w = {rows, row_bytes, type, n, k, NULL, NULL, 0};
    for (uint64_t i = 0; i < n * row_bytes; i++)
        rows[i] = (uint8_t)(i * 2654435761 >> 13);
    float *y = malloc(sizeof *y * n * 4);
    static double samples[4][MOST_SAMPLES];
    double best[4], bytes = 512 * (double)row_bytes;
    uint32_t n_samples[4] = {0};
    uint64_t sink = 0;
    for (uint32_t round = 0; round < BENCH_ROUNDS; round++) {
        for (uint32_t i = 0; i < pieces; i++, turn++) {
            const uint8_t *from = rows + i * 512 * row_bytes;
            uint32_t which = turn % 4;
            uint64_t start = now_ns();
            if (which)
                kernels->direct[type](&w, i * 512, 512, &p.x, columns[which], y, n);
            else
                sink |= read_memory(from, 512 * row_bytes);
            double took = (double)(now_ns() - start);
            if (n_samples[which] < MOST_SAMPLES) samples[which][n_samples[which]++] = took;
        }
        turn++;
    }
    __asm__ volatile("" : : "r"(sink));
    for (int i = 0; i < 4; i++) {
        qsort(samples[i], n_samples[i], sizeof **samples, compare);
        best[i] = samples[i][n_samples[i] / 10];
    }
    double cached;
    BEST_NS(cached, kernels->direct[type](&w, 0, 16, &p.x, 1, y, n));
    printf("  %-7s K=%-5u memory %5.1f GB/s |", info->name, k, bytes / best[0]);
    for (int i = 1; i < 4; i++)
        printf("  T=%u %5.1f GB/s %4.0f %%", columns[i], bytes / best[i], 100 * best[0] / best[i]);
    printf(" | cached %5.2f cycles/32 weights, memory gives %5.2f\n", cached * ghz / (16.0 * k / 32),
           best[0] * ghz / (512.0 * k / 32));
    free(rows);
    free(y);
    close_problem(&p);
}

static void bench(const char *only) {
    double ghz = measure_ghz();
    printf("%.2f GHz\n", ghz);
    for (const char *const *level = mote_posix_cpu_levels; *level; level++) {
        uint32_t cpu;
        struct mote_kernels kernels;
        if (only && strcmp(only, *level) != 0) continue;
        if (!mote_posix_cpu_level(*level, &cpu) || (cpu & mote_posix_cpu()) != cpu) continue;
        mote_kernel_select(&kernels, cpu);
        printf("%s\n", *level);
        for (int i = 0; i < N_TYPES; i++) {
            if (!kernels.direct[type_numbers[i]]) continue;
            bench_type(&kernels, type_numbers[i], 2048, ghz);
            bench_type(&kernels, type_numbers[i], 8192, ghz);
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench(argc > 2 ? argv[2] : NULL);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct_is_the_same_everywhere),
        cmocka_unit_test(fill_is_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
