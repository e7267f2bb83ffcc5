/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_q6_avx2.c: the product with few columns of Q6_K, eight rows at a time. Turned, the nibbles and high
 * bits of half a superblock are 24 vectors, more than there are registers; so rows are not turned, only their
 * sums are (direct_rows_avx2.h). That half, 128 values, is 64 bytes of nibbles and 32 of high bits:
 *
 *     group of 32   0                  1                  2                  3
 *     nibbles       0…31, low          32…63, low         0…31, high         32…63, high
 *     high bits     0, 1 of 0…31       2, 3               4, 5               6, 7
 *
 * Two pairs of products make 2 · 2 · 63 · 127 = 32004 at most. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "kernel/decode_x86.h"
#include "kernel/direct_rows_avx2.h"

enum { BLOCK = 210, HIGH = 128, SCALES = 192, D = 208 };

/* 128 values of a row, + 32: low 64 bytes, high 32. */
INLINE void unpack(const uint8_t *low, const uint8_t *high, ints w[4]) {
    const ints four = _mm256_set1_epi8(15), two = _mm256_set1_epi8(0x30);
    ints a = load32(low), b = load32(low + 32), h = load32(high);
    w[0] = _mm256_or_si256(_mm256_and_si256(a, four), _mm256_and_si256(_mm256_slli_epi16(h, 4), two));
    w[1] = _mm256_or_si256(_mm256_and_si256(b, four), _mm256_and_si256(_mm256_slli_epi16(h, 2), two));
    a = _mm256_srli_epi16(a, 4), b = _mm256_srli_epi16(b, 4);
    w[2] = _mm256_or_si256(_mm256_and_si256(a, four), _mm256_and_si256(h, two));
    w[3] = _mm256_or_si256(_mm256_and_si256(b, four), _mm256_and_si256(_mm256_srli_epi16(h, 2), two));
}

/* What a column brings to a superblock. */
struct column {
    const uint8_t *q;
    const float *d;
    int32_t start[16]; /* −32 · Σx */
    floats acc;
};

/* Scales of eight rows, turned while they are bytes; d. */
struct scales {
    int8_t byte[16][ROWS];
    floats d;
};

INLINE void turn_bytes(const uint8_t *rows, uint64_t row_bytes, struct scales *to) {
    __m128i v[8], pair[8], four[8];
    uint16_t d[ROWS];
    UNROLL
    for (unsigned r = 0; r < ROWS; r++) {
        v[r] = load16(rows + r * row_bytes + SCALES);
        d[r] = mote_base_u16(rows + r * row_bytes + D);
    }
    UNROLL
    for (int r = 0; r < 8;
         r += 2) { /* pair, four: two and four rows of half and of a quarter of the groups */
        pair[r] = _mm_unpacklo_epi8(v[r], v[r + 1]);
        pair[r + 1] = _mm_unpackhi_epi8(v[r], v[r + 1]);
    }
    UNROLL
    for (int i = 0; i < 8; i++) {
        __m128i a = pair[i / 4 * 4 + i / 2 % 2], b = pair[i / 4 * 4 + i / 2 % 2 + 2];
        four[i] = i % 2 ? _mm_unpackhi_epi16(a, b) : _mm_unpacklo_epi16(a, b);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        _mm_storeu_si128((void *)to->byte[4 * i], _mm_unpacklo_epi32(four[i], four[i + 4]));
        _mm_storeu_si128((void *)to->byte[4 * i + 2], _mm_unpackhi_epi32(four[i], four[i + 4]));
    }
    to->d = _mm256_cvtph_ps(_mm_loadu_si128((const void *)d));
}

/* Half a superblock of eight rows meets n columns. */
INLINE void add_half(const uint8_t *rows, uint64_t row_bytes, unsigned half, const struct scales *scales,
                     struct column *column, const uint32_t n) {
    ints sums[TILE][4][ROWS / 4];
    UNROLL
    for (unsigned r = 0; r < ROWS; r += 2) {
        ints w[2][4];
        UNROLL
        for (unsigned i = 0; i < 2; i++) {
            const uint8_t *block = rows + (r + i) * row_bytes;
            unpack(block + 64 * half, block + HIGH + 32 * half, w[i]);
        }
        for (uint32_t c = 0; c < n; c++) {
            UNROLL
            for (unsigned g = 0; g < 4; g++) {
                ints x = load32(column[c].q + 128 * half + 32 * g);
                ints pair = join_rows(_mm256_maddubs_epi16(w[0][g], x), _mm256_maddubs_epi16(w[1][g], x));
                sums[c][g][r / 4] = r % 4 ? join_pairs(sums[c][g][r / 4], pair) : pair;
            }
        }
    }
    for (uint32_t c = 0; c < n; c++) {
        UNROLL
        for (unsigned g = 0; g < 4; g++) {
            unsigned at = 8 * half + 2 * g;
            ints idot[2];
            join_fours(sums[c][g][0], sums[c][g][1], idot);
            UNROLL
            for (unsigned i = 0; i < 2; i++) {
                ints scale = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)scales->byte[at + i]));
                idot[i] = _mm256_add_epi32(idot[i], splat_int(column[c].start[at + i]));
                column[c].acc =
                    add_scaled(column[c].acc, idot[i], mul(scales->d, to_float(scale)), column[c].d[at / 2]);
            }
        }
    }
}

/* Eight rows meet n columns. What follows them is asked for meanwhile. */
INLINE void strip(const uint8_t *rows, uint64_t row_bytes, uint32_t k, const struct mote_kernel_x8 *x,
                  const uint32_t n, float *y, uint64_t y_stride) {
    struct scales scales;
    struct column column[TILE];
    uintptr_t ahead = (uintptr_t)rows + ROWS * row_bytes;
    for (uint32_t c = 0; c < n; c++)
        column[c].acc = splat_float(0);
    for (uint32_t done = 0; done < k; done += SPAN, rows += BLOCK, ahead += ROWS * BLOCK) {
        for (uint32_t c = 0; c < n; c++) {
            uint64_t at = (uint64_t)c * k + done;
            column[c].q = (const uint8_t *)x->q + at;
            column[c].d = x->scale + at / 32;
            for (unsigned g = 0; g < 16; g += 8) {
                ints sum = _mm256_cvtepi16_epi32(load16((const uint8_t *)(x->sum + at / 16 + g)));
                store_ints(column[c].start + g, mul_ints(sum, splat_int(-32)));
            }
        }
        turn_bytes(rows, row_bytes, &scales);
        UNROLL
        for (unsigned i = 0; i < 8; i++)
            fetch(ahead, BLOCK, i);
        add_half(rows, row_bytes, 0, &scales, column, n);
        add_half(rows, row_bytes, 1, &scales, column, n);
    }
    for (uint32_t c = 0; c < n; c++)
        store_floats(y + c * y_stride, column[c].acc);
}

static void direct(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                   const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    const uint8_t *rows = w->data + row0 * w->row_bytes;
    for (uint32_t r = 0; r < n_rows; r += ROWS, rows += ROWS * w->row_bytes, y += ROWS) {
        if (n_columns == 1)
            strip(rows, w->row_bytes, w->k, x, 1, y, y_stride);
        else
            strip(rows, w->row_bytes, w->k, x, n_columns, y, y_stride);
    }
}

void mote_kernel_direct_q6_overlay__avx2(struct mote_kernels *table) {
    table->direct[MOTE_TYPE_Q6_K] = direct;
}

#endif
