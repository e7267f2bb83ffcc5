/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize_test.c: activations to int8 on every subset of the CPU's features against the reference, byte for
 * byte, and the reference against its definition in double. --bench times it. */
#include "tests/kernel/guard.h"

#include <float.h>
#include <math.h>

struct output {
    struct guard q_guard, scale_guard, sum_guard;
    int8_t *q;
    float *scale;
    int16_t *sum;
};

static void open_output(struct output *o, uint32_t k) {
    o->q = guard_open(&o->q_guard, k);
    o->scale = guard_open(&o->scale_guard, k / 32 * sizeof(float));
    o->sum = guard_open(&o->sum_guard, k / 16 * sizeof(int16_t));
}

static void close_output(struct output *o) {
    guard_close(&o->q_guard);
    guard_close(&o->scale_guard);
    guard_close(&o->sum_guard);
}

/* What kernel.h promises of one block. */
static void check_definition(const float *x, const int8_t *q, float scale, const int16_t *sum) {
    float amax = 0;
    int ordinary = 1, total[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
        if (!(fabsf(x[i]) <= FLT_MAX)) ordinary = 0; /* NaN or infinity */
        amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
        total[i / 16] += q[i];
    }
    assert_int_equal(sum[0], total[0]);
    assert_int_equal(sum[1], total[1]);
    if (ordinary && amax >= MOTE_KERNEL_TINY) {
        assert_true(scale == amax / 127.0f);
        for (int i = 0; i < 32; i++) {
            double exact = (double)x[i] * 127 / (double)amax;
            assert_true(fabs(q[i] - exact) <= 0.5 + 1e-4);
            assert_in_range(q[i] + 127, 0, 254);
        }
        return;
    }
    assert_true(ordinary ? mote_base_f32_bits(scale) == 0 : scale != scale);
    for (int i = 0; i < 32; i++)
        assert_int_equal(q[i], 0);
}

static void check_quantize(const float *values, uint32_t k) {
    struct guard x_guard;
    struct output want;
    float *x = guard_open(&x_guard, k * sizeof *x);
    struct mote_kernels kernels;
    memcpy(x, values, k * sizeof *x);
    open_output(&want, k);
    mote_kernel_select(&kernels, 0);
    kernels.quantize(x, k, want.q, want.scale, want.sum);
    for (uint32_t i = 0; i < k / 32; i++)
        check_definition(x + i * 32, want.q + i * 32, want.scale[i], want.sum + i * 2);
    FOR_EACH_CPU(cpu) {
        struct output got;
        open_output(&got, k);
        mote_kernel_select(&kernels, cpu);
        kernels.quantize(x, k, got.q, got.scale, got.sum);
        check_floats(got.scale, want.scale, k / 32, "quantize", cpu);
        assert_memory_equal(got.q, want.q, k);
        assert_memory_equal(got.sum, want.sum, k / 16 * sizeof *got.sum);
        close_output(&got);
    }
    close_output(&want);
    guard_close(&x_guard);
}

enum { MAX = 32 * 40 };

static void random_values(void **state) {
    (void)state;
    float x[MAX];
    for (uint32_t k = 32; k <= MAX; k += 32) {
        float size = mote_base_f32_from_bits((random_below(253) + 1) << 23);
        for (uint32_t i = 0; i < k; i++)
            x[i] = random_float() * size;
        check_quantize(x, k);
        for (uint32_t i = 0; i < k; i++)
            x[i] = random_awkward(100);
        check_quantize(x, k);
        random_bytes(x, k * sizeof *x);
        check_quantize(x, k);
    }
}

/* Halves between two integers go to the even one; the greatest value of either sign is ±127. */
static void rounds_to_even(void **state) {
    (void)state;
    float x[32];
    struct mote_kernels kernels;
    for (int half = -127; half < 127; half++) {
        for (int i = 0; i < 32; i++)
            x[i] = (float)half + 0.5f;
        x[7] = 127;
        check_quantize(x, 32);
        FOR_EACH_CPU(cpu) {
            int8_t q[32];
            float scale;
            int16_t sum[2];
            mote_kernel_select(&kernels, cpu);
            kernels.quantize(x, 32, q, &scale, sum);
            assert_true(scale == 1);
            assert_int_equal(q[7], 127);
            assert_int_equal(q[0], half % 2 ? half + 1 : half);
        }
    }
    x[7] = -127;
    check_quantize(x, 32);
}

static void edges(void **state) {
    (void)state;
    static const uint32_t tops[] = {0x00000000, 0x80000000, 0x00000001, 0x007fffff, 0x00800000, 0x0d7fffff,
                                    0x0d800000, 0x0d800001, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
                                    0x7f800001, 0xffc00000, 0x7fffffff, 0x3f800000};
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        for (int place = 0; place < 96; place++) {
            float x[96];
            float top = mote_base_f32_from_bits(tops[i]);
            for (int j = 0; j < 96; j++)
                x[j] = top == top && top - top == 0 ? top * random_float() : random_float();
            x[place] = top;
            check_quantize(x, 96);
        }
    }
    float zeros[64] = {0};
    check_quantize(zeros, 64);
    zeros[40] = -0.0f;
    check_quantize(zeros, 64);
}

static void bench(void) {
    static float x[2048], scale[64];
    static int8_t q[2048];
    static int16_t sum[128];
    double ghz = measure_ghz(), ns;
    for (int i = 0; i < 2048; i++)
        x[i] = random_float();
    FOR_EACH_CPU(cpu) {
        struct mote_kernels kernels;
        mote_kernel_select(&kernels, cpu);
        BEST_NS(ns, kernels.quantize(x, 2048, q, scale, sum));
        printf("CPU bits %x: quantize 2048  %7.0f cycles  %6.2f GB/s\n", cpu, ns * ghz, 2048 * 4 / ns);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench();
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_values),
        cmocka_unit_test(rounds_to_even),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
