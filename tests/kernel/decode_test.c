/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_test.c: the decoders of the quantized types. Every instruction set this machine has against the
 * reference, bit for bit, with the input against the end and the start of a page nobody may touch; the
 * reference against recorded digests; and, where MOTE_PEER_GGML names a libggml-base.so, the reference
 * against ggml's own dequantization, on random blocks and on blocks that ggml quantized. --bench times every
 * decoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/float.h"
#include "host/posix/posix.h"
#include "kernel/decode.h"
#include "mote/host.h"

enum { MAX_BLOCKS = 9, MAX_VALUES = MAX_BLOCKS * 256, MAX_BYTES = MAX_BLOCKS * 210, GUARD = 64 };

/* `finite`: bytes whose bit, cleared, keeps the block's scales finite and below 4 (0xff: no second one). */
struct type {
    uint32_t number;
    const char *ggml; /* ggml's name of it */
    uint8_t finite[2], bit;
    uint64_t digest;
};

static const struct type types[] = {
    {MOTE_TYPE_Q4_0, "q4_0", {1, 255}, 0x40, 0x7a9eb3aefb853ddd},
    {MOTE_TYPE_Q4_1, "q4_1", {1, 3}, 0x40, 0xa54cc425778e2e6f},
    {MOTE_TYPE_Q5_0, "q5_0", {1, 255}, 0x40, 0x3303897d0055a6a8},
    {MOTE_TYPE_Q5_1, "q5_1", {1, 3}, 0x40, 0xe27b9f9a4a173b13},
    {MOTE_TYPE_Q8_0, "q8_0", {1, 255}, 0x40, 0x1bf0d8e01b8a4c11},
    {MOTE_TYPE_Q2_K, "q2_K", {81, 83}, 0x40, 0x4e787b786e6dba4e},
    {MOTE_TYPE_Q3_K, "q3_K", {109, 255}, 0x40, 0xee227ce1b52a7aa5},
    {MOTE_TYPE_Q4_K, "q4_K", {1, 3}, 0x40, 0x7922fb1ae9132f34},
    {MOTE_TYPE_Q5_K, "q5_K", {1, 3}, 0x40, 0xbe8132eac52db476},
    {MOTE_TYPE_Q6_K, "q6_K", {209, 255}, 0x40, 0x0ca472b02614f858},
    {MOTE_TYPE_IQ1_S, "iq1_s", {1, 255}, 0x40, 0xa3b0767416f55907},
    {MOTE_TYPE_IQ1_M, "iq1_m", {55, 255}, 0x40, 0x7929d41bdecc7bd9},
    {MOTE_TYPE_IQ2_XXS, "iq2_xxs", {1, 255}, 0x40, 0x8fa19920ff230abf},
    {MOTE_TYPE_IQ2_XS, "iq2_xs", {1, 255}, 0x40, 0xf8faf24a67bd8f6f},
    {MOTE_TYPE_IQ2_S, "iq2_s", {1, 255}, 0x40, 0xba3b4a9c612d1c6b},
    {MOTE_TYPE_IQ3_XXS, "iq3_xxs", {1, 255}, 0x40, 0x0f21c3469e48c11c},
    {MOTE_TYPE_IQ3_S, "iq3_s", {1, 255}, 0x40, 0x094e320c69652907},
    {MOTE_TYPE_IQ4_NL, "iq4_nl", {1, 255}, 0x40, 0x6c3a24be854e7a9b},
    {MOTE_TYPE_IQ4_XS, "iq4_xs", {1, 255}, 0x40, 0xcd28dd2570db5ded},
    {MOTE_TYPE_TQ1_0, "tq1_0", {53, 255}, 0x40, 0xc4ce65e61cebd1ce},
    {MOTE_TYPE_TQ2_0, "tq2_0", {65, 255}, 0x40, 0xac3d51f7488853ee},
    {MOTE_TYPE_MXFP4, "mxfp4", {0, 255}, 0x80, 0xe5364e0bf6a32b64},
};
enum { N_TYPES = sizeof types / sizeof *types };

/* The instruction sets to test: what each overlays, alone, on nothing. */
struct set {
    const char *name;
    uint32_t cpu;
    void (*overlay)(struct mote_kernels *);
};

static const struct set sets[] = {
    {"ref", 0, mote_kernel_decode_overlay__ref},
#if defined(__x86_64__)
    {"avx2", MOTE_CPU_AVX2, mote_kernel_decode_overlay__avx2},
    {"avx512", MOTE_CPU_AVX2 | MOTE_CPU_AVX512, mote_kernel_decode_overlay__avx512},
#endif
};
enum { N_SETS = sizeof sets / sizeof *sets };

static uint64_t next_random(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static void fill(uint8_t *bytes, size_t n, uint64_t *state) {
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(next_random(state) >> 56);
}

static void make_finite(const struct type *type, uint8_t *blocks, uint32_t n_blocks, uint32_t block_bytes) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += block_bytes)
        for (int k = 0; k < 2; k++)
            if (type->finite[k] != 255) blocks[type->finite[k]] &= (uint8_t)~type->bit;
}

static mote_kernel_decode *decoder(const struct set *set, uint32_t type) {
    struct mote_kernels table;
    memset(&table, 0, sizeof table);
    set->overlay(&table);
    return table.decode[type];
}

/* Output of one decoder, each array amid guard bytes, at an odd alignment. */
struct output {
    uint8_t q[GUARD + 1 + MAX_VALUES + GUARD];
    float scale[GUARD + MAX_VALUES / 16 + GUARD], min[GUARD + MAX_VALUES / 16 + GUARD];
};

static void decode_into(struct output *out, mote_kernel_decode *decode, const uint8_t *blocks, uint32_t n) {
    memset(out, 0xa5, sizeof *out);
    decode(blocks, n, (int8_t *)out->q + GUARD + 1, out->scale + GUARD, out->min + GUARD);
}

/* Whole arrays, so that guards and what lies past the last value are compared too. */
static int same_floats(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && (a[i] == a[i] || b[i] == b[i])) return 0;
    return 1;
}

static int same(const struct output *a, const struct output *b) {
    size_t n = sizeof a->scale / sizeof *a->scale;
    return memcmp(a->q, b->q, sizeof a->q) == 0 && same_floats(a->scale, b->scale, n) &&
           same_floats(a->min, b->min, n);
}

/* A page of input between two that fault. */
struct fenced {
    uint8_t *map, *page;
    size_t page_bytes;
};

static struct fenced fence(void) {
    struct fenced f = {.page_bytes = (size_t)sysconf(_SC_PAGESIZE)};
    f.map = mmap(NULL, 3 * f.page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(f.map != MAP_FAILED);
    f.page = f.map + f.page_bytes;
    assert_int_equal(mprotect(f.page, f.page_bytes, PROT_READ | PROT_WRITE), 0);
    return f;
}

/* What block bytes to try: random, extremes, and random values under extreme scales. */
enum { N_PATTERNS = 40 };
static void make_pattern(int pattern, uint8_t *bytes, size_t n, const struct type *type, uint32_t n_blocks,
                         uint64_t *state) {
    fill(bytes, n, state);
    if (pattern == 0) memset(bytes, 0, n);
    if (pattern == 1) memset(bytes, 0xff, n);
    if (pattern == 2) memset(bytes, 0x80, n);
    if (pattern == 3) memset(bytes, 0x7f, n);
    if (pattern < 4 || pattern >= 12) return;
    static const uint16_t scales[8] = {0x7c00, 0xfc00, 0x7e00, 0xfd55, 0x0001, 0x83ff, 0x8000, 0x7bff};
    for (uint32_t i = 0; i < n_blocks; i++)
        for (int k = 0; k < 2; k++)
            if (type->finite[k] != 255 && type->finite[k] > 0) {
                uint8_t *scale = bytes + n / n_blocks * i + type->finite[k] - 1;
                scale[0] = (uint8_t)scales[pattern - 4], scale[1] = (uint8_t)(scales[pattern - 4] >> 8);
            }
}

static void check_set(const struct set *set, const struct fenced *fenced) {
    static struct output expected, got;
    uint64_t state = 7;
    for (int t = 0; t < N_TYPES; t++) {
        mote_kernel_decode *decode = decoder(set, types[t].number);
        mote_kernel_decode *reference = decoder(&sets[0], types[t].number);
        uint32_t block_bytes = mote_base_type_describe(types[t].number)->bytes;
        if (!decode) continue;
        for (uint32_t n = 1; n <= MAX_BLOCKS; n++)
            for (int pattern = 0; pattern < N_PATTERNS; pattern++) {
                uint8_t bytes[MAX_BYTES];
                make_pattern(pattern, bytes, n * block_bytes, &types[t], n, &state);
                uint8_t *end = fenced->page + fenced->page_bytes - n * block_bytes;
                memcpy(end, bytes, n * block_bytes);
                decode_into(&expected, reference, bytes, n);
                decode_into(&got, decode, end, n);
                if (!same(&expected, &got))
                    fail_msg("%s %s n %u pattern %d", set->name, types[t].ggml, n, pattern);
                memcpy(fenced->page, bytes, n * block_bytes);
                decode_into(&got, decode, fenced->page, n);
                if (!same(&expected, &got))
                    fail_msg("%s %s n %u pattern %d", set->name, types[t].ggml, n, pattern);
            }
    }
}

static void test_sets_agree(void **state) {
    (void)state;
    struct fenced fenced = fence();
    for (int s = 0; s < N_SETS; s++) {
        if ((sets[s].cpu & mote_posix_cpu()) == sets[s].cpu)
            check_set(&sets[s], &fenced);
        else
            print_message("this machine has no %s: not tested\n", sets[s].name);
    }
    munmap(fenced.map, 3 * fenced.page_bytes);
}

/* Every quantized type has a decoder, and only they; it writes as many values as the type says, in the range
 * the multiplication relies on. */
static void test_range(void **state) {
    (void)state;
    static struct output out;
    struct mote_kernels table;
    memset(&table, 0, sizeof table);
    mote_kernel_decode_overlay__ref(&table);
    uint64_t random = 3;
    for (uint32_t number = 0; number < MOTE_BASE_TYPE_END; number++) {
        const struct mote_base_type_info *info = mote_base_type_describe(number);
        assert_int_equal(table.decode[number] != NULL, info && info->group != 0);
        if (!table.decode[number]) continue;
        for (int round = 0; round < 300; round++) {
            uint8_t bytes[256];
            fill(bytes, info->bytes, &random);
            decode_into(&out, table.decode[number], bytes, 1);
            const int8_t *q = (const int8_t *)out.q + GUARD + 1;
            for (int j = 0; j < info->elements; j++) {
                int shifted = q[j] + info->offset;
                assert_in_range(shifted, 0, info->offset == 128 ? 255 : 127);
            }
            static const uint8_t guard[GUARD] = {[0 ... GUARD - 1] = 0xa5};
            size_t groups = info->elements / info->group;
            assert_memory_equal(out.q + 1, guard, GUARD);
            assert_memory_equal(q + info->elements, guard, GUARD);
            assert_memory_equal(out.scale + GUARD + groups, guard, GUARD);
            assert_memory_equal(out.min + GUARD + (info->has_min ? groups : 0), guard, GUARD);
        }
    }
}

static uint64_t fnv(uint64_t hash, uint8_t byte) {
    return (hash ^ byte) * 0x100000001b3;
}

static uint64_t fnv_float(uint64_t hash, float value) {
    uint32_t bits = mote_base_f32_bits(value);
    for (int i = 0; i < 4; i++)
        hash = fnv(hash, (uint8_t)(bits >> 8 * i));
    return hash;
}

/* 200 random blocks of each type decode to the recorded bits; the records are of a version that
 * test_peer_agrees accepted. */
static void test_digests(void **state) {
    (void)state;
    static struct output out;
    int wrong = 0;
    for (int t = 0; t < N_TYPES; t++) {
        const struct mote_base_type_info *info = mote_base_type_describe(types[t].number);
        uint64_t random = 11, hash = 0xcbf29ce484222325;
        for (int round = 0; round < 200; round++) {
            uint8_t bytes[256];
            fill(bytes, info->bytes, &random);
            make_finite(&types[t], bytes, 1, info->bytes);
            decode_into(&out, decoder(&sets[0], types[t].number), bytes, 1);
            for (int j = 0; j < info->elements; j++)
                hash = fnv(hash, out.q[GUARD + 1 + j]);
            for (int g = 0; g < info->elements / info->group; g++) {
                hash = fnv_float(hash, out.scale[GUARD + g]);
                if (info->has_min) hash = fnv_float(hash, out.min[GUARD + g]);
            }
        }
        if (hash != types[t].digest) {
            print_message("%s: digest 0x%016llx\n", types[t].ggml, (unsigned long long)hash);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

typedef void ggml_dequantize(const void *, float *, int64_t);
typedef size_t ggml_quantize(int type, const float *, void *, int64_t start, int64_t rows, int64_t row,
                             const float *importance);

/* The largest difference of n blocks from ggml's values, in units of each block's largest. */
static double peer_difference(const struct type *type, ggml_dequantize *dequantize, const uint8_t *blocks,
                              uint32_t n) {
    static struct output out;
    static float theirs[MAX_VALUES];
    const struct mote_base_type_info *info = mote_base_type_describe(type->number);
    double worst = 0;
    decode_into(&out, decoder(&sets[0], type->number), blocks, n);
    dequantize(blocks, theirs, (int64_t)n * info->elements);
    for (uint32_t i = 0; i < n; i++) {
        double most = 0, difference = 0;
        for (uint32_t j = i * info->elements; j < (i + 1) * info->elements; j++) {
            uint32_t g = GUARD + j / info->group;
            double ours =
                out.scale[g] * (float)(int8_t)out.q[GUARD + 1 + j] - (info->has_min ? out.min[g] : 0);
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

static void check_peer(const struct type *type, void *library) {
    char name[64];
    const struct mote_base_type_info *info = mote_base_type_describe(type->number);
    snprintf(name, sizeof name, "dequantize_row_%s", type->ggml);
    ggml_dequantize *dequantize;
    ggml_quantize *quantize;
    *(void **)&dequantize = dlsym(library, name);
    *(void **)&quantize = dlsym(library, "ggml_quantize_chunk");
    assert_non_null(dequantize);
    assert_non_null(quantize);
    uint64_t state = 5;
    double random_blocks = 0, made_blocks = 0;
    for (int round = 0; round < 500; round++) {
        uint8_t bytes[MAX_BYTES];
        fill(bytes, sizeof bytes, &state);
        make_finite(type, bytes, MAX_BLOCKS, info->bytes);
        double difference = peer_difference(type, dequantize, bytes, MAX_BLOCKS);
        if (difference > random_blocks) random_blocks = difference;
    }
    for (int round = 0; round < 4; round++) {
        static float source[8 * 256], ones[8 * 256];
        uint8_t bytes[MAX_BYTES];
        for (int i = 0; i < 8 * 256; i++) {
            float sum = 0; /* of four: rather like a normal distribution */
            for (int k = 0; k < 4; k++)
                sum += (float)(int32_t)(next_random(&state) >> 32) * 0x1p-31f;
            source[i] = sum * 0.02f;
            ones[i] = 1;
        }
        size_t written = quantize((int)type->number, source, bytes, 0, 1, 8 * info->elements, ones);
        assert_int_equal(written, 8u * info->bytes);
        double difference = peer_difference(type, dequantize, bytes, 8);
        if (difference > made_blocks) made_blocks = difference;
    }
    print_message("%-8s of the largest value: random blocks %.1e, quantized blocks %.1e\n", type->ggml,
                  random_blocks, made_blocks);
    assert_true(random_blocks <= 1e-6 && made_blocks <= 1e-6);
}

static void test_peer_agrees(void **state) {
    (void)state;
    const char *path = getenv("MOTE_PEER_GGML");
    if (!path || !*path) {
        print_message("MOTE_PEER_GGML names no libggml-base.so: ggml not compared\n");
        skip();
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail_msg("%s", dlerror());
    for (int t = 0; t < N_TYPES; t++)
        check_peer(&types[t], library);
    dlclose(library);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Rows of 2048 values out of a matrix that stays in the second-level cache. */
static void bench(const struct set *set) {
    enum { VALUES = 2048, ROWS = 64 };
    static uint8_t blocks[ROWS * VALUES * 34 / 32];
    static int8_t q[VALUES];
    static float scale[VALUES / 16], min[VALUES / 16];
    uint64_t state = 1;
    fill(blocks, sizeof blocks, &state);
    for (int t = 0; t < N_TYPES; t++) {
        const struct mote_base_type_info *info = mote_base_type_describe(types[t].number);
        mote_kernel_decode *decode = decoder(set, types[t].number);
        if (!decode) continue;
        uint32_t n = VALUES / info->elements, row_bytes = n * info->bytes;
        double best = 1e9;
        for (int round = 0; round < 20; round++) {
            double start = seconds();
            for (int row = 0; row < ROWS; row++)
                decode(blocks + (size_t)row * row_bytes, n, q, scale, min);
            double took = seconds() - start;
            if (took < best) best = took;
        }
        printf("%-7s %-8s %6.2f weights/ns  %6.2f GB/s\n", set->name, types[t].ggml,
               (double)VALUES * ROWS / best * 1e-9, (double)row_bytes * ROWS / best * 1e-9);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        for (int s = 0; s < N_SETS; s++)
            if ((sets[s].cpu & mote_posix_cpu()) == sets[s].cpu) bench(&sets[s]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_sets_agree),
        cmocka_unit_test(test_peer_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
