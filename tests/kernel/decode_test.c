/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_test.c: the decoders of the quantized weight types.
 *
 * Every decoder that mote_kernel_select picks on any subset of this machine's features is compared with the
 * reference, bit for bit, its input and outputs ending where the memory ends. The reference is compared with
 * recorded digests and, where MOTE_PEER_GGML names a libggml-base.so, with ggml's own dequantization: on
 * random blocks and on blocks that ggml quantized. --bench times every decoder. */
#include "tests/kernel/guard.h"

#include <dlfcn.h>

#include "kernel/decode.h"

enum { MAX_BLOCKS = 9, MAX_VALUES = MAX_BLOCKS * 256, MAX_BYTES = MAX_BLOCKS * 210 };

/* `half`: offsets of the high bytes of a block's f16 (0: none, or MXFP4's exponent). Clearing `bit` of them
 * keeps scales finite. `digest` is that of reference_gives_recorded_bits. */
struct type {
    uint32_t number;
    const char *ggml; /* ggml's name of it */
    uint8_t half[2], bit;
    uint64_t digest;
};

static const struct type types[] = {
    {MOTE_TYPE_Q4_0, "q4_0", {1, 0}, 0x40, 0x5730f796f29b23b7},
    {MOTE_TYPE_Q4_1, "q4_1", {1, 3}, 0x40, 0x4be72f7d9887e844},
    {MOTE_TYPE_Q5_0, "q5_0", {1, 0}, 0x40, 0x41c47a3c7f393cd6},
    {MOTE_TYPE_Q5_1, "q5_1", {1, 3}, 0x40, 0x12801aca8b653ef8},
    {MOTE_TYPE_Q8_0, "q8_0", {1, 0}, 0x40, 0x308759997b0c359b},
    {MOTE_TYPE_Q2_K, "q2_K", {81, 83}, 0x40, 0x4be72ac1bd701965},
    {MOTE_TYPE_Q3_K, "q3_K", {109, 0}, 0x40, 0x9f1ed4e9edeacd10},
    {MOTE_TYPE_Q4_K, "q4_K", {1, 3}, 0x40, 0x0f969fa7e65527ac},
    {MOTE_TYPE_Q5_K, "q5_K", {1, 3}, 0x40, 0x4c2398785dffa57a},
    {MOTE_TYPE_Q6_K, "q6_K", {209, 0}, 0x40, 0x5d713594dd7cbfd0},
    {MOTE_TYPE_IQ1_S, "iq1_s", {1, 0}, 0x40, 0xfd28770220184396},
    {MOTE_TYPE_IQ1_M, "iq1_m", {55, 0}, 0x40, 0x2f1aeec2616fa48b},
    {MOTE_TYPE_IQ2_XXS, "iq2_xxs", {1, 0}, 0x40, 0x4b3c12e284e1a4af},
    {MOTE_TYPE_IQ2_XS, "iq2_xs", {1, 0}, 0x40, 0xd5cca3d6c1f7cbd3},
    {MOTE_TYPE_IQ2_S, "iq2_s", {1, 0}, 0x40, 0xfa71a4ee8fc15250},
    {MOTE_TYPE_IQ3_XXS, "iq3_xxs", {1, 0}, 0x40, 0xcc011688fe42cc20},
    {MOTE_TYPE_IQ3_S, "iq3_s", {1, 0}, 0x40, 0x1a2ff0d01550524b},
    {MOTE_TYPE_IQ4_NL, "iq4_nl", {1, 0}, 0x40, 0x04654e96da1acf88},
    {MOTE_TYPE_IQ4_XS, "iq4_xs", {1, 0}, 0x40, 0xba4b240e65b411f9},
    {MOTE_TYPE_TQ1_0, "tq1_0", {53, 0}, 0x40, 0x4fad083b99677a92},
    {MOTE_TYPE_TQ2_0, "tq2_0", {65, 0}, 0x40, 0xdb57fb9bc6553482},
    {MOTE_TYPE_MXFP4, "mxfp4", {0, 0}, 0x80, 0x40f7318f9fac5f85},
};
enum { N_TYPES = sizeof types / sizeof *types };

static void make_finite(const struct type *type, uint8_t *blocks, uint32_t n_blocks) {
    uint32_t block_bytes = mote_base_type_describe(type->number)->bytes;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += block_bytes) {
        blocks[type->half[0]] &= (uint8_t)~type->bit;
        if (type->half[1]) blocks[type->half[1]] &= (uint8_t)~type->bit;
    }
}

static mote_kernel_decode *reference(uint32_t number) {
    struct mote_kernels table;
    memset(&table, 0, sizeof table);
    mote_kernel_decode_overlay__ref(&table);
    return table.decode[number];
}

/* The values of n blocks, in arrays of just their size. */
struct output {
    struct guard q_guard, scale_guard, min_guard;
    int8_t *q;
    float *scale, *min;
    size_t n_values, n_groups;
};

static void output_open(struct output *out, const struct mote_base_type_info *info, uint32_t n_blocks) {
    out->n_values = (size_t)n_blocks * info->elements;
    out->n_groups = out->n_values / info->group;
    out->q = guard_open(&out->q_guard, out->n_values);
    out->scale = guard_open(&out->scale_guard, out->n_groups * sizeof(float));
    out->min = guard_open(&out->min_guard, info->has_min ? out->n_groups * sizeof(float) : 0);
}

static void output_close(struct output *out) {
    guard_close(&out->q_guard);
    guard_close(&out->scale_guard);
    guard_close(&out->min_guard);
}

/* Every quantized type has a decoder, and only they; q is in the range the products rely on. */
static void reference_keeps_its_range(void **state) {
    (void)state;
    for (uint32_t number = 0; number < MOTE_BASE_TYPE_END; number++) {
        const struct mote_base_type_info *info = mote_base_type_describe(number);
        mote_kernel_decode *decode = reference(number);
        struct output out;
        if (!info || !info->group) {
            assert_true(!decode);
            continue;
        }
        assert_true(decode);
        output_open(&out, info, 1);
        for (int round = 0; round < 300; round++) {
            uint8_t block[256];
            random_bytes(block, info->bytes);
            decode(block, 1, out.q, out.scale, out.min);
            for (size_t j = 0; j < out.n_values; j++)
                assert_in_range(out.q[j] + info->offset, 0, info->offset == 128 ? 255 : 127);
        }
        output_close(&out);
    }
}

static uint64_t fnv(uint64_t hash, uint32_t value, int n_bytes) {
    for (int i = 0; i < n_bytes; i++)
        hash = (hash ^ (value >> 8 * i & 255)) * 0x100000001b3;
    return hash;
}

/* 200 random blocks of each type decode to the recorded bits, those of a version that ggml agreed with. */
static void reference_gives_recorded_bits(void **state) {
    (void)state;
    int wrong = 0;
    for (int t = 0; t < N_TYPES; t++) {
        const struct mote_base_type_info *info = mote_base_type_describe(types[t].number);
        struct output out;
        uint64_t hash = 0xcbf29ce484222325;
        random_state = 11;
        output_open(&out, info, 1);
        for (int round = 0; round < 200; round++) {
            uint8_t block[256];
            random_bytes(block, info->bytes);
            make_finite(&types[t], block, 1);
            reference(types[t].number)(block, 1, out.q, out.scale, out.min);
            for (size_t j = 0; j < out.n_values; j++)
                hash = fnv(hash, (uint8_t)out.q[j], 1);
            for (size_t g = 0; g < out.n_groups; g++) {
                hash = fnv(hash, mote_base_f32_bits(out.scale[g]), 4);
                if (info->has_min) hash = fnv(hash, mote_base_f32_bits(out.min[g]), 4);
            }
        }
        output_close(&out);
        if (hash != types[t].digest) {
            print_message("%s: digest 0x%016llx\n", types[t].ggml, (unsigned long long)hash);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* What to decode: the same byte throughout, random values under an awkward f16, all random. */
enum { N_PATTERNS = 40 };
static void make_pattern(int pattern, const struct type *type, uint8_t *blocks, uint32_t n_blocks) {
    static const uint8_t bytes[] = {0x00, 0xff, 0x80, 0x7f};
    static const uint16_t halves[] = {0x7c00, 0xfc00, 0x7e00, 0xfd55, 0x0001, 0x83ff, 0x8000, 0x7bff};
    enum { N_SAME = sizeof bytes, N_AWKWARD = sizeof halves / sizeof *halves };
    uint32_t block_bytes = mote_base_type_describe(type->number)->bytes;
    random_bytes(blocks, (size_t)n_blocks * block_bytes);
    if (pattern < N_SAME) memset(blocks, bytes[pattern], (size_t)n_blocks * block_bytes);
    if (pattern < N_SAME || pattern >= N_SAME + N_AWKWARD) return;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += block_bytes)
        for (int k = 0; k < 2; k++)
            if (type->half[k]) {
                blocks[type->half[k] - 1] = (uint8_t)halves[pattern - N_SAME];
                blocks[type->half[k]] = (uint8_t)(halves[pattern - N_SAME] >> 8);
            }
}

static void check_decoder(const struct type *type, mote_kernel_decode *decode, uint32_t cpu) {
    const struct mote_base_type_info *info = mote_base_type_describe(type->number);
    for (uint32_t n = 1; n <= MAX_BLOCKS; n++) {
        struct output want, got;
        struct guard input;
        uint8_t *blocks = guard_open(&input, (size_t)n * info->bytes);
        output_open(&want, info, n);
        output_open(&got, info, n);
        for (int pattern = 0; pattern < N_PATTERNS; pattern++) {
            make_pattern(pattern, type, blocks, n);
            reference(type->number)(blocks, n, want.q, want.scale, want.min);
            decode(blocks, n, got.q, got.scale, got.min);
            assert_memory_equal(got.q, want.q, want.n_values);
            check_floats(got.scale, want.scale, want.n_groups, info->name, cpu);
            if (info->has_min) check_floats(got.min, want.min, want.n_groups, info->name, cpu);
        }
        output_close(&want);
        output_close(&got);
        guard_close(&input);
    }
}

static void decoders_are_the_same_everywhere(void **state) {
    (void)state;
    int n_checked = 0;
    random_state = 7;
    for (int t = 0; t < N_TYPES; t++) {
        mote_kernel_decode *checked[16];
        int n = 0;
        FOR_EACH_CPU(cpu) {
            struct mote_kernels table;
            int i = 0;
            mote_kernel_select(&table, cpu);
            checked[n] = table.decode[types[t].number];
            while (checked[i] != checked[n])
                i++;
            if (i < n) continue;
            assert_true(n < 15);
            check_decoder(&types[t], checked[n++], cpu);
        }
        n_checked += n;
    }
    print_message("%d decoders of %d types\n", n_checked, N_TYPES);
}

typedef void ggml_dequantize(const void *, float *, int64_t);
typedef size_t ggml_quantize(int type, const float *, void *, int64_t start, int64_t rows, int64_t row,
                             const float *importance);

/* The largest difference of n blocks' values from ggml's, in units of each block's largest. */
static double peer_difference(const struct type *type, ggml_dequantize *dequantize, const uint8_t *blocks,
                              uint32_t n) {
    static int8_t q[MAX_VALUES];
    static float scale[MAX_VALUES / 16], min[MAX_VALUES / 16], theirs[MAX_VALUES];
    const struct mote_base_type_info *info = mote_base_type_describe(type->number);
    double worst = 0;
    reference(type->number)(blocks, n, q, scale, min);
    dequantize(blocks, theirs, (int64_t)n * info->elements);
    for (uint32_t i = 0; i < n; i++) {
        double most = 0, difference = 0;
        for (uint32_t j = i * info->elements; j < (i + 1) * info->elements; j++) {
            double ours = scale[j / info->group] * (float)q[j] - (info->has_min ? min[j / info->group] : 0);
            double d = ours > theirs[j] ? ours - theirs[j] : theirs[j] - ours;
            double size = theirs[j] < 0 ? -theirs[j] : theirs[j];
            assert_true(d == d);
            if (d > difference) difference = d;
            if (size > most) most = size;
        }
        if (difference > most * worst) worst = most > 0 ? difference / most : 1;
    }
    return worst;
}

/* n values, each the sum of four uniform ones: rather like a normal distribution. */
static void random_weights(float *x, int n) {
    for (int i = 0; i < n; i++)
        x[i] = 0.02f * (random_float() + random_float() + random_float() + random_float());
}

static void check_peer(const struct type *type, void *library) {
    enum { ROUNDS = 500, MADE = 8 };
    char name[64];
    const struct mote_base_type_info *info = mote_base_type_describe(type->number);
    snprintf(name, sizeof name, "dequantize_row_%s", type->ggml);
    ggml_dequantize *dequantize;
    ggml_quantize *quantize;
    *(void **)&dequantize = dlsym(library, name);
    *(void **)&quantize = dlsym(library, "ggml_quantize_chunk");
    assert_true(dequantize && quantize);
    double worst[2] = {0, 0};
    uint8_t blocks[MAX_BYTES];
    for (int round = 0; round < ROUNDS; round++) {
        random_bytes(blocks, (size_t)MAX_BLOCKS * info->bytes);
        make_finite(type, blocks, MAX_BLOCKS);
        double difference = peer_difference(type, dequantize, blocks, MAX_BLOCKS);
        if (difference > worst[0]) worst[0] = difference;
    }
    for (int round = 0; round < 4; round++) {
        static float weights[MADE * 256], importance[MADE * 256];
        random_weights(weights, MADE * 256);
        for (int i = 0; i < MADE * 256; i++)
            importance[i] = 1;
        size_t written =
            quantize((int)type->number, weights, blocks, 0, 1, MADE * info->elements, importance);
        assert_int_equal(written, MADE * info->bytes);
        double difference = peer_difference(type, dequantize, blocks, MADE);
        if (difference > worst[1]) worst[1] = difference;
    }
    print_message("%-8s differs by %.1e of the largest value in random blocks, %.1e in quantized ones\n",
                  type->ggml, worst[0], worst[1]);
    assert_true(worst[0] <= 1e-6 && worst[1] <= 1e-6);
}

static void reference_agrees_with_ggml(void **state) {
    (void)state;
    const char *path = getenv("MOTE_PEER_GGML");
    if (!path || !*path) {
        print_message("MOTE_PEER_GGML names no libggml-base.so: not compared with ggml\n");
        skip();
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail_msg("%s", dlerror());
    for (int t = 0; t < N_TYPES; t++)
        check_peer(&types[t], library);
    dlclose(library);
}

/* Rows of 2048 values out of a matrix that stays in the second-level cache. */
static void bench_row(mote_kernel_decode *decode, const struct mote_base_type_info *info, const char *level,
                      double ghz) {
    enum { VALUES = 2048, ROWS = 64 };
    static uint8_t blocks[ROWS * VALUES * 34 / 32];
    static int8_t q[VALUES];
    static float scale[VALUES / 16], min[VALUES / 16];
    uint32_t n = VALUES / info->elements, row_bytes = n * info->bytes, row = 0;
    double ns;
    random_bytes(blocks, sizeof blocks);
    BEST_NS(ns, decode(blocks + (size_t)(row++ % ROWS) * row_bytes, n, q, scale, min));
    printf("%-8s %-8s %7.2f weights/ns %7.2f GB/s %8.2f cycles/32 weights\n", level, info->name, VALUES / ns,
           row_bytes / ns, ns * ghz * 32 / VALUES);
}

static void bench(void) {
    double ghz = measure_ghz();
    mote_kernel_decode *before[N_TYPES] = {NULL};
    printf("%.2f GHz\n", ghz);
    for (const char *const *level = mote_posix_cpu_levels; *level; level++) {
        struct mote_kernels table;
        uint32_t cpu;
        if (!mote_posix_cpu_level(*level, &cpu) || (cpu & mote_posix_cpu()) != cpu) continue;
        mote_kernel_select(&table, cpu);
        for (int t = 0; t < N_TYPES; t++) {
            mote_kernel_decode *decode = table.decode[types[t].number];
            if (decode != before[t]) bench_row(decode, mote_base_type_describe(types[t].number), *level, ghz);
            before[t] = decode;
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench();
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_keeps_its_range),
        cmocka_unit_test(reference_gives_recorded_bits),
        cmocka_unit_test(decoders_are_the_same_everywhere),
        cmocka_unit_test(reference_agrees_with_ggml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
