/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle_test.c: sixteen rows in the order of products (kernel/bundle.h): every byte of a file is in its bundle once,
 * rows come back as they were, an embedding reads the same numbers; and products with rows that are bundled, of any
 * number of columns, give the bits of those with rows that are not, where this machine bundles rows. */
#include "tests/kernel/guard.h"

#include "kernel/bundle.h"

static const uint32_t type_numbers[] = {
#define NUMBER(NAME, lower, number, elements, bytes, group, offset, has_min) number,
    MOTE_BASE_TYPE_LIST(NUMBER)
#undef NUMBER
};
enum { N_TYPES = sizeof type_numbers / sizeof *type_numbers };

static uint64_t row_bytes_of(uint32_t type, uint32_t k) {
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    return (uint64_t)k / info->elements * info->bytes;
}

static void check_round(uint32_t type, uint32_t k, uint8_t flip) {
    struct guard bundle_guard, work_guard, row_guard;
    uint64_t row_bytes = row_bytes_of(type, k), size = 16 * row_bytes;
    uint8_t *file = malloc(size), *bundle = guard_open(&bundle_guard, size);
    uint8_t *work = guard_open(&work_guard, size), *row = guard_open(&row_guard, row_bytes);
    random_bytes(file, size);
    memcpy(bundle, file, size);
    mote_kernel_bundle_make(type, k, flip, bundle, work);
    assert_true(memcmp(bundle, file, size) != 0);
    for (uint32_t r = 0; r < 16; r++) {
        mote_kernel_bundle_row(type, k, flip, bundle, r, row);
        assert_memory_equal(row, file + r * row_bytes, row_bytes);
    }
    guard_close(&bundle_guard);
    guard_close(&work_guard);
    guard_close(&row_guard);
    free(file);
}

static void rows_come_back(void **state) {
    (void)state;
    int n = 0;
    for (int i = 0; i < N_TYPES; i++) {
        if (!mote_kernel_bundle_knows(type_numbers[i])) continue;
        uint32_t elements = mote_base_type_describe(type_numbers[i])->elements;
        for (uint32_t k = 256; k <= 1100; k += elements)
            check_round(type_numbers[i], k, k & 32 ? 128 : 0);
        check_round(type_numbers[i], 8192, 128);
        n++;
    }
    assert_true(n > 0);
}

/* A matrix, and the same with the rows bundled that can be. */
struct pair {
    struct guard guards[2];
    struct mote_kernel_weight plain, bundled;
};

static void open_pair(struct pair *p, uint32_t type, uint32_t n, uint32_t k, uint8_t flip) {
    uint64_t row_bytes = row_bytes_of(type, k);
    uint8_t *plain = guard_open(&p->guards[0], n * row_bytes),
            *bundled = guard_open(&p->guards[1], n * row_bytes);
    uint8_t *work = malloc(16 * row_bytes);
    random_bytes(plain, n * row_bytes);
    memcpy(bundled, plain, n * row_bytes);
    uint32_t n_bundled = n / 16 * 16;
    for (uint32_t row = 0; row < n_bundled; row += 16)
        mote_kernel_bundle_make(type, k, flip, bundled + row * row_bytes, work);
    p->plain = (struct mote_kernel_weight){plain, row_bytes, type, n, k, NULL, NULL, 0};
    p->bundled = (struct mote_kernel_weight){bundled, row_bytes, type, n, k, NULL, NULL, n_bundled};
    free(work);
}

static void close_pair(struct pair *p) {
    guard_close(&p->guards[0]);
    guard_close(&p->guards[1]);
}

static void embeddings_are_the_same(void **state) {
    (void)state;
    struct mote_kernels kernels;
    mote_kernel_select(&kernels, 0);
    for (int i = 0; i < N_TYPES; i++) {
        struct pair p;
        const uint32_t k = 768, type = type_numbers[i];
        if (!mote_kernel_bundle_knows(type)) continue;
        float *want = malloc(k * sizeof *want), *got = malloc(k * sizeof *got);
        void *work = aligned_alloc(64, mote_kernel_matmul_plan(k));
        open_pair(&p, type, 37, k, kernels.bundle_flip);
        for (uint32_t row = 0; row < 37; row++) {
            mote_kernel_row(&kernels, &p.plain, row, want, work);
            mote_kernel_row(&kernels, &p.bundled, row, got, work);
            check_floats(got, want, k, mote_base_type_describe(type)->name, 0);
        }
        close_pair(&p);
        free(want), free(got), free(work);
    }
}

static void check_product(uint32_t type, uint32_t n, uint32_t k, uint32_t t) {
    struct pair p;
    struct mote_kernels reference;
    struct mote_kernel_input input;
    struct mote_kernels machine;
    mote_kernel_select(&reference, 0);
    mote_kernel_select(&machine, mote_posix_cpu());
    open_pair(&p, type, n, k, machine.bundle_flip);
    float *x = malloc(sizeof *x * t * k), *want = malloc(sizeof *want * t * n),
          *got = malloc(sizeof *got * t * n);
    int8_t *q = malloc((size_t)t * k);
    float *scale = malloc(sizeof *scale * t * (k / 32));
    int16_t *sum = malloc(sizeof *sum * t * (k / 16));
    void *work = aligned_alloc(64, mote_kernel_matmul_plan(k));
    for (uint32_t i = 0; i < t * k; i++)
        x[i] = random_float();
    for (uint64_t c = 0; c < t; c++)
        reference.quantize(x + c * k, k, q + c * k, scale + c * (k / 32), sum + c * (k / 16));
    input = (struct mote_kernel_input){x, k, {.q = q, .scale = scale, .sum = sum}};
    mote_kernel_matmul(&reference, &p.plain, 0, n, &input, t, want, n, work);
    FOR_EACH_CPU(cpu) {
        struct mote_kernels kernels;
        mote_kernel_select(&kernels, cpu);
        const char *name = mote_base_type_describe(type)->name;
        const int bundles = mote_kernel_bundled_rows(&kernels, &p.plain) > 0;
        if (bundles) assert_int_equal(mote_kernel_bundled_rows(&kernels, &p.plain), n / 16 * 16);
        memset(got, 0x55, sizeof *got * t * n);
        mote_kernel_matmul(&kernels, bundles ? &p.bundled : &p.plain, 0, n, &input, t, got, n, work);
        check_floats(got, want, (size_t)t * n, name, cpu);
        /* a worker's part; and rows that nobody bundled */
        uint32_t from = n / 32 * 16;
        memset(got, 0x55, sizeof *got * t * n);
        mote_kernel_matmul(&kernels, bundles ? &p.bundled : &p.plain, from, n, &input, t, got, n, work);
        mote_kernel_matmul(&kernels, &p.plain, 0, from, &input, t, got, n, work);
        check_floats(got, want, (size_t)t * n, name, cpu);
    }
    close_pair(&p);
    free(x), free(want), free(got), free(q), free(scale), free(sum), free(work);
}

static void products_are_the_same(void **state) {
    (void)state;
    for (int i = 0; i < N_TYPES; i++) {
        uint32_t type = type_numbers[i];
        if (!mote_kernel_bundle_knows(type)) continue;
        uint32_t elements = mote_base_type_describe(type)->elements;
        for (uint32_t t = 1; t <= 9; t++) {
            for (uint32_t k = 256; k <= 1100; k += elements)
                check_product(type, 48, k, t);
            check_product(type, 147, 2048, t);
            check_product(type, 33, 8448, t);
        }
        check_product(type, 15, 512, 3);
        check_product(type, 16, 512, 19);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(embeddings_are_the_same),
        cmocka_unit_test(products_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
