/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_book_avx2.c: the product with few columns of the code-book types, eight rows at a time. Entries are
 * fetched one by one, and an entry is values of one row side by side; so rows are not turned, only their
 * sums are (direct_rows_avx2.h):
 *
 *     book      unpacked once for all rows into the bytes that an entry stands for, 2 to 16 KB
 *     fields    of each row of a superblock: indices, signs or deltas, scales; as the decoders find them
 *     32 values of a row = four entries of eight or eight of four, times x with the signs of the weights
 *
 * The sums of 16 bits that VPMADDUBSW makes have room for two pairs: 2 · 2 · 62 · 127 = 31496 at most. */
#include "kernel/level.h"

#if defined(__x86_64__)

#include "kernel/decode_iq1_x86.h"
#include "kernel/direct_rows_avx2.h"

enum { MOST_ENTRIES = 2048 };

/* What the decoders put in the place of 256 values. */
struct fields {
    uint16_t index[64];
    uint32_t signs[8]; /* a bit for each value of 32, or a byte for each eight: the delta */
};

static inline void put_iq2(const uint16_t *book, int n, const __m256i index[2], __m256i signs, int8_t *q) {
    (void)book, (void)n;
    struct fields *to = (void *)q;
    _mm256_storeu_si256((void *)to->index, index[0]);
    _mm256_storeu_si256((void *)(to->index + 16), index[1]);
    _mm256_storeu_si256((void *)to->signs, signs);
}

static inline void put_iq3(const uint16_t *book, int n, const int8_t *magnitudes, const __m256i index[4],
                           __m256i signs, int8_t *q) {
    (void)magnitudes;
    put_iq2(book, n, index, signs, q);
    struct fields *to = (void *)q;
    _mm256_storeu_si256((void *)(to->index + 32), index[2]);
    _mm256_storeu_si256((void *)(to->index + 48), index[3]);
}

static inline void put_iq1(const __m256i index[2], __m256i deltas, int8_t *q) {
    put_iq2(NULL, 0, index, deltas, q);
}

/* How a type looks at its entries and groups. */
struct kind {
    mote_kernel_decode *fields;
    const uint16_t *book;
    uint32_t n_entries;
    uint32_t bytes; /* of a superblock */
    int8_t values[16];
};

/* The bytes of all entries: of two-bit indices, or of nibbles. */
INLINE void open_book(const struct kind *kind, const int by_fours, uint8_t *book) {
    const __m256i table = table16(kind->values);
    for (uint32_t i = 0; i < kind->n_entries; i += 4) {
        uint64_t four;
        memcpy(&four, kind->book + i, sizeof four);
        if (by_fours) {
            __m128i x = _mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)four));
            x = _mm_and_si128(_mm_or_si128(x, _mm_slli_epi16(x, 4)), _mm_set1_epi8(15));
            _mm_storeu_si128((void *)(book + 4 * i), _mm_shuffle_epi8(_mm256_castsi256_si128(table), x));
        } else {
            store32((int8_t *)book + 8 * i, look_up_twos(table, four));
        }
    }
}

INLINE __m128i two_eights(const uint8_t *book, const uint16_t *i) {
    __m128i low = _mm_loadl_epi64((const void *)(book + 8 * (size_t)i[0]));
    return _mm_castpd_si128(_mm_loadh_pd(_mm_castsi128_pd(low), (const void *)(book + 8 * (size_t)i[1])));
}

INLINE __m128i one_four(const uint8_t *book, uint16_t i) {
    return _mm_loadu_si32(book + 4 * (size_t)i);
}

INLINE __m128i four_fours(const uint8_t *book, const uint16_t *i) {
    __m128 v = _mm_castsi128_ps(one_four(book, i[0]));
    v = _mm_insert_ps(v, _mm_castsi128_ps(one_four(book, i[1])), 0x10);
    v = _mm_insert_ps(v, _mm_castsi128_ps(one_four(book, i[2])), 0x20);
    return _mm_castps_si128(_mm_insert_ps(v, _mm_castsi128_ps(one_four(book, i[3])), 0x30));
}

/* Magnitudes of 32 values of a row. */
INLINE __m256i magnitudes(const uint8_t *book, const struct fields *f, int g, const int by_fours) {
    if (by_fours)
        return _mm256_set_m128i(four_fours(book, f->index + 8 * g + 4), four_fours(book, f->index + 8 * g));
    return _mm256_set_m128i(two_eights(book, f->index + 4 * g + 2), two_eights(book, f->index + 4 * g));
}

/* Bytes, each with the sign of its bit and none of them 0. */
INLINE __m256i sign_bytes(uint32_t signs) {
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i x = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)signs), byte), bit);
    return _mm256_add_epi8(x, _mm256_set1_epi8(127));
}

INLINE __m256i four_bytes(uint32_t bytes) {
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    return _mm256_shuffle_epi8(_mm256_set1_epi32((int)bytes), byte);
}

/* scale [8 rows][n] → [n][8 rows], n 8 or 16. */
INLINE void turn_scales(float rows[ROWS][16], const int n, float to[16][ROWS]) {
    for (int at = 0; at < n; at += 8) {
        __m256 a[8], b[8];
        UNROLL
        for (int r = 0; r < 8; r += 2) {
            __m256 even = _mm256_loadu_ps(rows[r] + at), odd = _mm256_loadu_ps(rows[r + 1] + at);
            a[r] = _mm256_unpacklo_ps(even, odd);
            a[r + 1] = _mm256_unpackhi_ps(even, odd);
        }
        UNROLL
        for (int i = 0; i < 4; i++) {
            __m256d low = _mm256_castps_pd(a[i / 2]), high = _mm256_castps_pd(a[i / 2 + 2]);
            __m256d low4 = _mm256_castps_pd(a[i / 2 + 4]), high4 = _mm256_castps_pd(a[i / 2 + 6]);
            b[i] = _mm256_castpd_ps(i % 2 ? _mm256_unpackhi_pd(low, high) : _mm256_unpacklo_pd(low, high));
            b[i + 4] =
                _mm256_castpd_ps(i % 2 ? _mm256_unpackhi_pd(low4, high4) : _mm256_unpacklo_pd(low4, high4));
        }
        UNROLL
        for (int i = 0; i < 4; i++) {
            _mm256_storeu_ps(to[at + i], _mm256_permute2f128_ps(b[i], b[i + 4], 0x20));
            _mm256_storeu_ps(to[at + i + 4], _mm256_permute2f128_ps(b[i], b[i + 4], 0x31));
        }
    }
}

/* What is known when the code is compiled. */
struct shape {
    int group, by_fours, has_delta;
};

/* Group of 32 g of eight rows meets n columns; q, d, sum: those of the first from this superblock on. */
INLINE void add_group(const struct fields row[ROWS], int g, const uint8_t *book, float scale[16][ROWS],
                      const struct shape *shape, const struct mote_kernel_x8 *x, uint32_t k, const uint32_t n,
                      floats *acc) {
    ints sums[TILE][ROWS / 4];
    UNROLL
    for (int r = 0; r < ROWS; r += 2) {
        ints weight[2], sign[2];
        UNROLL
        for (int i = 0; i < 2; i++) {
            weight[i] = magnitudes(book, &row[r + i], g, shape->by_fours);
            if (shape->has_delta)
                weight[i] = _mm256_add_epi8(weight[i], four_bytes(row[r + i].signs[g]));
            else
                sign[i] = sign_bytes(row[r + i].signs[g]);
        }
        for (uint32_t c = 0; c < n; c++) {
            ints v = load32((const uint8_t *)x->q + (uint64_t)c * k + 32 * (unsigned)g), part[2];
            UNROLL
            for (int i = 0; i < 2; i++)
                part[i] =
                    _mm256_maddubs_epi16(weight[i], shape->has_delta ? v : _mm256_sign_epi8(v, sign[i]));
            part[0] = join_rows(part[0], part[1]);
            sums[c][r / 4] = r % 4 ? join_pairs(sums[c][r / 4], part[0]) : part[0];
        }
    }
    for (uint32_t c = 0; c < n; c++) {
        ints idot[2];
        join_fours(sums[c][0], sums[c][1], idot);
        float d = x->scale[(uint64_t)c * (k / 32) + (unsigned)g];
        const int16_t *sum = x->sum + (uint64_t)c * (k / 16) + 2 * (unsigned)g;
        if (shape->has_delta) {
            idot[0] = _mm256_add_epi32(idot[0], splat_int(-16 * sum[0]));
            idot[1] = _mm256_add_epi32(idot[1], splat_int(-16 * sum[1]));
        }
        if (shape->group == 32) {
            acc[c] = add_scaled(acc[c], _mm256_add_epi32(idot[0], idot[1]), load_floats(scale[g]), d);
        } else {
            acc[c] = add_scaled(acc[c], idot[0], load_floats(scale[2 * g]), d);
            acc[c] = add_scaled(acc[c], idot[1], load_floats(scale[2 * g + 1]), d);
        }
    }
}

/* Eight rows meet n columns. What follows them is asked for meanwhile. */
INLINE void strip(const struct kind *kind, const struct shape *shape, const uint8_t *book,
                  const uint8_t *rows, uint64_t row_bytes, uint32_t k, const struct mote_kernel_x8 *x,
                  const uint32_t n, float *y, uint64_t y_stride) {
    float by_row[ROWS][16], scale[16][ROWS];
    floats acc[TILE];
    uintptr_t ahead = (uintptr_t)rows + ROWS * row_bytes;
    for (uint32_t c = 0; c < n; c++)
        acc[c] = splat_float(0);
    struct mote_kernel_x8 at = *x;
    for (uint32_t done = 0; done < k; done += SPAN, rows += kind->bytes, ahead += ROWS * kind->bytes) {
        struct fields some[ROWS];
        for (unsigned r = 0; r < ROWS; r++)
            kind->fields(rows + r * row_bytes, 1, (int8_t *)&some[r], by_row[r], NULL);
        turn_scales(by_row, SPAN / shape->group, scale);
        for (int g = 0; g < 8; g++) {
            fetch(ahead, kind->bytes, (unsigned)g);
            add_group(some, g, book, scale, shape, &at, k, n, acc);
        }
        at.q += SPAN, at.scale += SPAN / 32, at.sum += SPAN / 16;
    }
    for (uint32_t c = 0; c < n; c++)
        store_floats(y + c * y_stride, acc[c]);
}

#define PRODUCT_ARGS                                                                                         \
    const struct kind *kind, const uint8_t *rows, uint64_t row_bytes, uint32_t n_rows, uint32_t k,           \
        const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride

INLINE void product(const struct shape *shape, PRODUCT_ARGS) {
    uint8_t book[8 * MOST_ENTRIES];
    open_book(kind, shape->by_fours, book);
    for (uint32_t r = 0; r < n_rows; r += ROWS, rows += ROWS * row_bytes, y += ROWS) {
        if (n_columns == 1)
            strip(kind, shape, book, rows, row_bytes, k, x, 1, y, y_stride);
        else
            strip(kind, shape, book, rows, row_bytes, k, x, n_columns, y, y_stride);
    }
}

/* X(name, group, by_fours, has_delta) */
#define SHAPE_LIST(X)                                                                                        \
    X(eights, 32, 0, 0)                                                                                      \
    X(halves, 16, 0, 0)                                                                                      \
    X(fours, 32, 1, 0)                                                                                       \
    X(deltas, 32, 0, 1)                                                                                      \
    X(half_deltas, 16, 0, 1)

#define PRODUCT(name, group, by_fours, has_delta)                                                            \
    static void product_##name(PRODUCT_ARGS) {                                                               \
        const struct shape shape = {group, by_fours, has_delta};                                             \
        product(&shape, kind, rows, row_bytes, n_rows, k, x, n_columns, y, y_stride);                        \
    }
SHAPE_LIST(PRODUCT)
#undef PRODUCT

/* Tables of three values that answer to index i and to 4·i; of eight for the nibbles of IQ3. */
#define IQ1_VALUES     8, 16, 24, 0, 16, 0, 0, 0, 24
#define IQ2_VALUES     8, 25, 43, 0, 25, 0, 0, 0, 43
#define IQ3_XXS_VALUES 4, 12, 20, 28, 36, 44, 52, 62
#define IQ3_S_VALUES   1, 3, 5, 7, 9, 11, 13, 15

/* X(NAME, lower, shape, book, entries, bytes, values) */
#define BOOK_LIST(X)                                                                                         \
    X(IQ1_S, iq1_s, deltas, iq1, 2048, 50, IQ1_VALUES)                                                       \
    X(IQ1_M, iq1_m, half_deltas, iq1, 2048, 56, IQ1_VALUES)                                                  \
    X(IQ2_XXS, iq2_xxs, eights, iq2_xxs, 256, 66, IQ2_VALUES)                                                \
    X(IQ2_XS, iq2_xs, halves, iq2_xs, 512, 74, IQ2_VALUES)                                                   \
    X(IQ2_S, iq2_s, halves, iq2_s, 1024, 82, IQ2_VALUES)                                                     \
    X(IQ3_XXS, iq3_xxs, fours, iq3_xxs, 256, 98, IQ3_XXS_VALUES)                                             \
    X(IQ3_S, iq3_s, fours, iq3_s, 512, 110, IQ3_S_VALUES)

#define DIRECT(NAME, lower, shape, book, entries, bytes, ...)                                                \
    static void direct_##lower(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,           \
                               const struct mote_kernel_x8 *x, uint32_t n_columns, float *y,                 \
                               uint64_t y_stride) {                                                          \
        static const struct kind kind = {                                                                    \
            decode_##lower, mote_kernel_grid_##book, entries, bytes, {__VA_ARGS__}};                         \
        product_##shape(&kind, w->data + row0 * w->row_bytes, w->row_bytes, n_rows, w->k, x, n_columns, y,   \
                        y_stride);                                                                           \
    }
BOOK_LIST(DIRECT)
#undef DIRECT

void mote_kernel_direct_book_overlay__avx2(struct mote_kernels *table) {
#define OVERLAY(NAME, lower, shape, book, entries, bytes, ...)                                               \
    table->direct[MOTE_TYPE_##NAME] = direct_##lower;
    BOOK_LIST(OVERLAY)
#undef OVERLAY
}

#endif
