/* SPDX-License-Identifier: Apache-2.0
 *
 * digest_test.c: one number for all that the kernels compute, the same on every machine, with every compiler
 * and at every level of optimization. The other tests compare a CPU's instruction sets with the plain loops
 * as they were built beside them; this one compares with every build there ever was. The number changes only
 * when the definition in kernel.h does, and then the logits of every model change with it.
 *
 * All inputs come from the generator in guard.h and from mote's own arithmetic: nothing of libm is used. */
#include "tests/kernel/guard.h"

#include "base/math.h"

static const uint64_t expected = 0x257419715c132df5;

enum { K = 1024, N = 35, T = 5, LONG = 8192 };

static uint64_t digest;

static void add_floats(const float *x, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits =
            x[i] == x[i] ? mote_base_f32_bits(x[i]) : 0x7fc00000; /* one NaN is as good as another */
        digest = (digest ^ bits) * 0x100000001b3; /* FNV-1a, by words, high bits folded down */
        digest ^= digest >> 29;
    }
}

static void add_product(const struct mote_kernels *kernels, const struct mote_base_type_info *info,
                        uint32_t type) {
    static float x[T * K], y[T * N], row[K], scale[T * K / 32];
    static int8_t q[T * K];
    static int16_t sum[T * K / 16];
    uint64_t row_bytes = (uint64_t)K / info->elements * info->bytes;
    uint8_t *data = malloc(N * row_bytes);
    void *work = aligned_alloc(MOTE_ALIGN, mote_kernel_matmul_plan(K));
    assert_true(data && work);
    random_bytes(data, N * row_bytes);
    for (uint32_t i = 0; i < T * K; i++)
        x[i] = random_float();
    for (uint32_t t = 0; t < T; t++)
        kernels->quantize(x + t * K, K, q + t * K, scale + t * K / 32, sum + t * K / 16);
    struct mote_kernel_weight w = {data, row_bytes, type, N, K};
    struct mote_kernel_input input = {x, K, {q, scale, sum}};
    mote_kernel_matmul(kernels, &w, 0, N, &input, T, y, N, work);
    mote_kernel_row(kernels, &w, N / 2, row, work);
    add_floats(y, T * N);
    add_floats(row, K);
    free(data);
    free(work);
}

static void add_float_work(const struct mote_kernels *kernels) {
    static float x[LONG], z[LONG], y[LONG];
    static uint16_t half[LONG];
    for (uint32_t i = 0; i < LONG; i++) {
        x[i] = random_float() * 8;
        z[i] = random_float();
    }
    kernels->swiglu(x, z, 4000, y);
    add_floats(y, 4000);
    kernels->rms_norm(x, z, 3333, 1e-5f, y);
    add_floats(y, 3333);
    kernels->rope(x, 10, 100, 96, MOTE_KERNEL_ROPE_HALF, z, z + 500);
    kernels->rope(x, 10, 100, 96, MOTE_KERNEL_ROPE_PAIR, z, z + 500);
    add_floats(x, 1000);
    kernels->to_f16(x, LONG, half);
    float acc[128] = {0}, max = mote_base_f32_from_bits(0xff800000), sum = 0;
    for (uint32_t tile = 0; tile < 3; tile++)
        kernels->attend_f16(x, half + tile * 1000, half + 3000 + tile * 1000, tile == 2 ? 13 : 64, 50, 0.1f,
                            acc, &max, &sum);
    kernels->attend_f32(x, x + 100, z, 13, 50, 0.1f, acc, &max, &sum);
    add_floats(acc, 50);
    add_floats(&max, 1);
    add_floats(&sum, 1);
}

static void add_functions(void) {
    for (uint32_t i = 0; i < 4000; i++) {
        double sine, cosine;
        float values[5];
        mote_base_sincos((double)random_float() * 100000, &sine, &cosine);
        values[0] = (float)sine;
        values[1] = (float)cosine;
        values[2] = (float)mote_base_pow(10000, (double)random_float());
        values[3] = mote_base_log(random_float() + 1.5f);
        values[4] = mote_base_exp(random_float() * 100);
        add_floats(values, sizeof values / sizeof *values);
    }
}

static void one_number_everywhere(void **state) {
    (void)state;
    FOR_EACH_CPU(cpu) {
        struct mote_kernels kernels;
        mote_kernel_select(&kernels, cpu);
        digest = 0xcbf29ce484222325;
        random_state = 12345;
        for (uint32_t type = 0; type < MOTE_BASE_TYPE_END; type++) {
            const struct mote_base_type_info *info = mote_base_type_describe(type);
            if (info) add_product(&kernels, info, type);
        }
        add_float_work(&kernels);
        add_functions();
        if (digest != expected)
            fail_msg("CPU bits %x: digest %016llx, should be %016llx", cpu, (unsigned long long)digest,
                     (unsigned long long)expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_number_everywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
