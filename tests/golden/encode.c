/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.c LIBGGML: the encoders of `mote quantize` beside ggml's own. Prints for each type and kind of numbers
 * the relative error of both, and how many bytes differ:
 *
 *     Q4_K  heavy   0.0712 0.0715  1234 */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/cli/quantize.h"
#include "kernel/kernel.h"

enum { ROWS = 64, K = 2048, N = ROWS * K };

typedef size_t quantize_chunk(int type, const float *src, void *dst, int64_t start, int64_t n_rows, int64_t k,
                              const float *importance);

static float x[N];
static uint8_t ours[4 * N], theirs[4 * N];

static double uniform(void) {
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-53;
}

/* Normal numbers; with heavy tails; all above zero; nearly all zero. */
static void fill(const char *kind) {
    for (int i = 0; i < N; i++) {
        double u = sqrt(-2 * log(uniform() + 1e-300)) * cos(6.283185307179586 * uniform());
        x[i] = (float)(*kind == 'h'   ? u * u * u * 0.02
                       : *kind == 'p' ? fabs(u)
                       : *kind == 's' ? (uniform() < 0.05 ? u : 0)
                                      : u * 0.02);
    }
}

static double error_of(const struct mote_kernels *kernels, const struct cli_encoding *e,
                       const uint8_t *blocks) {
    static float y[K];
    static uint8_t work[1 << 22] __attribute__((aligned(64)));
    double square = 0, error = 0;
    uint64_t row_bytes = (uint64_t)K / e->elements * e->bytes;
    struct mote_kernel_weight w = {blocks, row_bytes, e->number, ROWS, K, NULL, NULL, 0};
    if (mote_kernel_matmul_plan(K) > sizeof work) abort();
    for (uint32_t row = 0; row < ROWS; row++) {
        mote_kernel_row(kernels, &w, row, y, work);
        for (int j = 0; j < K; j++) {
            double was = (double)x[row * K + (uint32_t)j], difference = was - (double)y[j];
            square += was * was;
            error += difference * difference;
        }
    }
    return sqrt(error / square);
}

int main(int argc, char **argv) {
    static const char *const types[] = {"F16", "Q8_0", "Q4_0", "Q4_K", "Q6_K"};
    static const char *const kinds[] = {"normal", "heavy", "positive", "sparse"};
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    quantize_chunk *quantize = NULL;
    if (library) *(void **)&quantize = dlsym(library, "ggml_quantize_chunk");
    if (!quantize) return fprintf(stderr, "%s\n", dlerror()), 1;
    struct mote_kernels kernels;
    mote_kernel_select(&kernels, 0);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            const struct cli_encoding *e = cli_encoding_find(types[t]);
            size_t n_blocks = N / e->elements, n_bytes = n_blocks * e->bytes, n_differ = 0;
            fill(kinds[k]);
            e->encode(x, n_blocks, ours);
            if (quantize((int)e->number, x, theirs, 0, ROWS, K, NULL) != n_bytes) return 1;
            for (size_t i = 0; i < n_bytes; i++)
                n_differ += ours[i] != theirs[i];
            printf("%s %s %.6f %.6f %zu\n", types[t], kinds[k], error_of(&kernels, e, ours),
                   error_of(&kernels, e, theirs), n_differ);
        }
    return 0;
}
