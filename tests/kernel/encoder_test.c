/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder_test.c: layer norm, GELU and tanh on every subset of the CPU's features against the plain loops, bit
 * for bit, and these against the formulas in double. --bench times them. */
#include "tests/kernel/table.h"

enum { MOST = 300 };

struct rows {
    struct guard guards[5];
    float *x, *weight, *bias, *y, *alias;
    float want[MOST];
};

static void open_rows(struct rows *s, uint32_t n, uint32_t awkward) {
    float **to[] = {&s->x, &s->weight, &s->bias, &s->y, &s->alias};
    for (int i = 0; i < 5; i++)
        *to[i] = guard_open(&s->guards[i], n * sizeof(float));
    fill(s->x, n, awkward);
    fill(s->weight, n, awkward);
    fill(s->bias, n, awkward);
    memcpy(s->alias, s->x, n * sizeof(float));
}

/* Compares y and alias with the reference, which is the first table; ready for the next. */
static void compare_rows(struct rows *s, uint32_t n, const char *what, uint32_t cpu) {
    if (cpu == 0) memcpy(s->want, s->y, n * sizeof(float));
    check_floats(s->y, s->want, n, what, cpu);
    check_floats(s->alias, s->want, n, what, cpu);
    memcpy(s->alias, s->x, n * sizeof(float));
    memset(s->y, CANARY, n * sizeof(float));
}

static void close_rows(struct rows *s) {
    for (int i = 0; i < 5; i++)
        guard_close(&s->guards[i]);
}

/* Sizes 1 … 2 · the most that is done at a time (eight vectors of sixteen) + 3, plain and awkward. */
static void for_sizes(void (*check)(uint32_t n, uint32_t awkward)) {
    for (uint32_t n = 1; n <= 2 * 8 * 16 + 3; n++) {
        check(n, 0);
        if (n <= 70 || n % 8 == 0) check(n, 20);
    }
}

static double norm_of(const struct rows *s, uint32_t n, uint32_t i, int has_bias) {
    double mean = 0, square = 0;
    for (uint32_t j = 0; j < n; j++)
        mean += (double)s->x[j] / n;
    for (uint32_t j = 0; j < n; j++)
        square += ((double)s->x[j] - mean) * ((double)s->x[j] - mean) / n;
    return ((double)s->x[i] - mean) / sqrt(square + 1e-5) * (double)s->weight[i] +
           (has_bias ? (double)s->bias[i] : 0);
}

static void check_layer_norm(uint32_t n, uint32_t awkward) {
    for (int has_bias = 0; has_bias < 2; has_bias++) {
        struct rows s;
        open_rows(&s, n, awkward);
        for (uint32_t i = 0; i < n && n % 2; i++) /* a mean that stands out */
            s.alias[i] = s.x[i] = s.x[i] + 3;
        const float *bias = has_bias ? s.bias : NULL;
        FOR_EACH_TABLE(table, cpu) {
            each.table.layer_norm(s.x, s.weight, bias, n, 1e-5f, s.y);
            each.table.layer_norm(s.alias, s.weight, bias, n, 1e-5f, s.alias);
            for (uint32_t i = 0; i < n && each.cpu == 0 && !awkward; i++)
                assert_true(fabs((double)s.y[i] - norm_of(&s, n, i, has_bias)) < 1e-4);
            compare_rows(&s, n, "layer_norm", each.cpu);
        }
        close_rows(&s);
    }
}

static void check_gelu(uint32_t n, uint32_t awkward) {
    struct rows s;
    open_rows(&s, n, awkward);
    for (uint32_t i = 0; i < n; i++)
        s.alias[i] = s.x[i] *= 9;
    FOR_EACH_TABLE(table, cpu) {
        each.table.gelu(s.x, n, s.y);
        each.table.gelu(s.alias, n, s.alias);
        for (uint32_t i = 0; i < n && each.cpu == 0; i++) {
            double x = (double)s.x[i];
            assert_true(same_float(s.y[i], mote_base_gelu(s.x[i])));
            if (!awkward) assert_true(fabs(x / 2 * erfc(-x * sqrt(0.5)) - (double)s.y[i]) < 6e-7);
        }
        compare_rows(&s, n, "gelu", each.cpu);
    }
    close_rows(&s);
}

static void check_tanh(uint32_t n, uint32_t awkward) {
    struct rows s;
    open_rows(&s, n, awkward);
    for (uint32_t i = 0; i < n; i++)
        s.alias[i] = s.x[i] *= 10;
    FOR_EACH_TABLE(table, cpu) {
        each.table.tanh(s.x, n, s.y);
        each.table.tanh(s.alias, n, s.alias);
        for (uint32_t i = 0; i < n && each.cpu == 0; i++) {
            assert_true(same_float(s.y[i], mote_base_tanh(s.x[i])));
            if (!awkward) assert_true(fabs(tanh((double)s.x[i]) - (double)s.y[i]) < 4e-7);
        }
        compare_rows(&s, n, "tanh", each.cpu);
    }
    close_rows(&s);
}

static void all_sizes_are_the_same_everywhere(void **state) {
    (void)state;
    for_sizes(check_layer_norm);
    for_sizes(check_gelu);
    for_sizes(check_tanh);
}

/* Bit patterns all over the range, in vectors side by side and in one alone. */
static void all_numbers_are_the_same_everywhere(void **state) {
    (void)state;
    enum { N = 8 * 16 + 16, STEP = 4001 };
    FOR_EACH_TABLE(table, cpu) {
        if (each.cpu == 0) continue;
        for (uint64_t bits = 0; bits + N * STEP <= 0x100000000; bits += N * STEP) {
            float x[N], y[N], want[N];
            for (uint32_t i = 0; i < N; i++) {
                x[i] = mote_base_f32_from_bits((uint32_t)bits + i * STEP);
                want[i] = mote_base_gelu(x[i]);
            }
            each.table.gelu(x, N, y);
            check_floats(y, want, N, "gelu", each.cpu);
            for (uint32_t i = 0; i < N; i++)
                want[i] = mote_base_tanh(x[i]);
            each.table.tanh(x, N, y);
            check_floats(y, want, N, "tanh", each.cpu);
        }
    }
}

static void bench(void) {
    enum { D = 384, F = 1536 };
    static float x[F], y[F], weight[F], bias[F];
    double ghz = measure_ghz(), ns;
    fill(x, F, 0);
    fill(weight, F, 0);
    fill(bias, F, 0);
    printf("%.2f GHz; cycles\n", ghz);
    FOR_EACH_TABLE(table, cpu) {
        const struct mote_kernels *kernels = &each.table;
        printf("CPU bits %x%s:", each.cpu & 0xffff, each.cpu == GENERIC ? " (generic vectors of four)" : "");
        BEST_NS(ns, kernels->layer_norm(x, weight, bias, D, 1e-5f, y));
        printf("  layer_norm 384 %.0f", ns * ghz);
        BEST_NS(ns, kernels->gelu(x, F, y));
        printf("  gelu 1536 %.0f", ns * ghz);
        BEST_NS(ns, kernels->tanh(x, D, y));
        printf("  tanh 384 %.0f\n", ns * ghz);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench();
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sizes_are_the_same_everywhere),
        cmocka_unit_test(all_numbers_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
