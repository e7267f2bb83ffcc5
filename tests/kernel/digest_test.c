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

static const uint64_t expected = 0xc38382b8622e5b21;

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
    struct mote_kernel_weight w = {data, row_bytes, type, N, K, NULL, NULL, 0};
    struct mote_kernel_input input = {x, K, {q, scale, sum, NULL}};
    mote_kernel_matmul(kernels, &w, 0, N, &input, T, y, N, work);
    mote_kernel_row(kernels, &w, N / 2, row, work);
    add_floats(y, T * N);
    add_floats(row, K);
    free(data);
    free(work);
}

/* Five queries over 77 positions. */
static void add_attention(const struct mote_kernels *kernels, int type, const float *x, const float *z) {
    enum { E = 50, PADDED = 64, DEPTH = 77, QUERIES = 5, BYTES = 16384 };
    static float query[QUERIES * PADDED], value[QUERIES * PADDED], sum[QUERIES * 16], max[QUERIES];
    static float page[MOTE_KERNEL_TOGETHER * (E + PADDED) * MOTE_KERNEL_PAGE], out[E];
    static uint8_t pages[3][BYTES] __attribute__((aligned(64)));
    struct mote_kernel_attention a = {E, 0.1f, query, value, sum, max, page, .next = {pages, pages}};
    assert_true(mote_kernel_page_bytes((mote_kv_type)type, E) <= BYTES);
    memcpy(query, z, sizeof query);
    for (uint32_t t = 0; t < DEPTH && type != MOTE_KERNEL_KV_S8; t++)
        kernels->keep[type](x + t * E, z + t * E, E, t % MOTE_KERNEL_PAGE, pages[t / MOTE_KERNEL_PAGE]);
    for (uint32_t t = 0; t < DEPTH && type == MOTE_KERNEL_KV_S8; t += MOTE_KERNEL_PAGE)
        kernels->keep_s8(x + t * E, z + t * E, E, DEPTH - t < MOTE_KERNEL_PAGE ? DEPTH - t : MOTE_KERNEL_PAGE,
                         E, 0, pages[t / MOTE_KERNEL_PAGE]);
    for (uint32_t i = 0; i < QUERIES && type == MOTE_KERNEL_KV_S8; i++)
        kernels->ask_s8(&a, i, z + i * PADDED);
    memset(value, 0, sizeof value);
    memset(sum, 0, sizeof sum);
    for (uint32_t i = 0; i < QUERIES; i++)
        max[i] = mote_base_f32_from_bits(0xff800000);
    const void *first[] = {pages[0], pages[1]}, *last[] = {pages[2]};
    kernels->attend[type](&a, 0, QUERIES, first, 2 * MOTE_KERNEL_PAGE);
    kernels->attend[type](&a, 0, QUERIES, last, DEPTH - 2 * MOTE_KERNEL_PAGE);
    for (uint32_t i = 0; i < QUERIES; i++) {
        kernels->attend_end(&a, i, out);
        add_floats(out, E);
    }
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
    kernels->layer_norm(x, z, z + 4000, 3333, 1e-5f, y);
    add_floats(y, 3333);
    kernels->gelu(x, 4000, y);
    add_floats(y, 4000);
    kernels->tanh(x, 4000, y);
    add_floats(y, 4000);
    kernels->rope(x, 10, 100, 96, MOTE_KERNEL_ROPE_HALF, z, z + 500);
    kernels->rope(x, 10, 100, 96, MOTE_KERNEL_ROPE_PAIR, z, z + 500);
    add_floats(x, 1000);
    kernels->to_f16(x, LONG, half);
    for (uint32_t i = 0; i < LONG; i++)
        y[i] = mote_base_f32_from_f16(half[i]);
    add_floats(y, LONG);
    for (int type = 0; type <= MOTE_KERNEL_KV_S8; type++)
        add_attention(kernels, type, x, z);
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
