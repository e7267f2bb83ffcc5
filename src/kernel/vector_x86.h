/* SPDX-License-Identifier: Apache-2.0
 *
 * vector_x86.h: the few vector operations multiply_x86.h is written in, for 256 and for 512 bits. WIDTH says
 * which. */
#include <immintrin.h>

/* gcc leaves short loops over arrays of vectors in memory unless it is told to unroll them. */
#define UNROLL _Pragma("GCC unroll 16")

#if WIDTH == 16

typedef __m512i ints;
typedef __m512 floats;

static inline ints splat_int(int32_t value) {
    return _mm512_set1_epi32(value);
}
static inline floats splat_float(float value) {
    return _mm512_set1_ps(value);
}
static inline floats load_floats(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline void store_floats(float *p, floats v) {
    _mm512_storeu_ps(p, v);
}
static inline void store_ints(int32_t *p, ints v) {
    _mm512_storeu_si512(p, v);
}
static inline floats to_float(ints v) {
    return _mm512_cvtepi32_ps(v);
}
static inline floats mul(floats a, floats b) {
    return _mm512_mul_ps(a, b);
}
static inline floats plus(floats a, floats b) {
    return _mm512_add_ps(a, b);
}
static inline floats minus(floats a, floats b) {
    return _mm512_sub_ps(a, b);
}
static inline ints mul_ints(ints a, ints b) {
    return _mm512_mullo_epi32(a, b);
}
static inline ints sum_ints(ints a, ints b) {
    return _mm512_add_epi32(a, b);
}
/* Each two neighbours of 16 bits, added in 32. */
static inline ints widen(ints v) {
    return _mm512_madd_epi16(v, _mm512_set1_epi16(1));
}

/* Σx of n ≤ 16 groups, from the sums of sixteen values each; what is past n is not read. */
static inline ints group_sums(const int16_t *sum, uint32_t n, uint32_t group) {
    if (group == 16) return _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), sum));
    __m512i pairs = _mm512_maskz_loadu_epi16((__mmask32)((1ull << 2 * n) - 1), sum);
    return _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}

/* d of n ≤ 16 groups, from one per block of 32. (A masked load that reaches into a forbidden page is allowed
 * but slow: no load is wider than what may be there.) */
static inline floats group_scales(const float *d, uint32_t n, uint32_t group) {
    if (group == 32) return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), d);
    __m256 blocks = _mm256_maskz_loadu_ps((__mmask8)((1u << (n + 1) / 2) - 1), d);
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7),
                                 _mm512_castps256_ps512(blocks));
}

#else

typedef __m256i ints;
typedef __m256 floats;

static inline ints splat_int(int32_t value) {
    return _mm256_set1_epi32(value);
}
static inline floats splat_float(float value) {
    return _mm256_set1_ps(value);
}
static inline floats load_floats(const float *p) {
    return _mm256_loadu_ps(p);
}
static inline void store_floats(float *p, floats v) {
    _mm256_storeu_ps(p, v);
}
static inline void store_ints(int32_t *p, ints v) {
    _mm256_storeu_si256((__m256i *)p, v);
}
static inline floats to_float(ints v) {
    return _mm256_cvtepi32_ps(v);
}
static inline floats mul(floats a, floats b) {
    return _mm256_mul_ps(a, b);
}
static inline floats plus(floats a, floats b) {
    return _mm256_add_ps(a, b);
}
static inline floats minus(floats a, floats b) {
    return _mm256_sub_ps(a, b);
}
static inline ints mul_ints(ints a, ints b) {
    return _mm256_mullo_epi32(a, b);
}
static inline ints sum_ints(ints a, ints b) {
    return _mm256_add_epi32(a, b);
}
/* Each two neighbours of 16 bits, added in 32. */
static inline ints widen(ints v) {
    return _mm256_madd_epi16(v, _mm256_set1_epi16(1));
}

/* Σx of n ≤ 8 groups, from the sums of sixteen values each; what is past n is not read. */
static inline ints group_sums(const int16_t *sum, uint32_t n, uint32_t group) {
    int16_t tail[16] = {0};
    if (n < WIDTH) {
        for (uint32_t i = 0; i < n * group / 16; i++)
            tail[i] = sum[i];
        sum = tail;
    }
    if (group == 16) return _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)sum));
    return _mm256_madd_epi16(_mm256_loadu_si256((const __m256i *)sum), _mm256_set1_epi16(1));
}

/* d of n ≤ 8 groups, from one per block of 32. */
static inline floats group_scales(const float *d, uint32_t n, uint32_t group) {
    float tail[8] = {0};
    if (n < WIDTH) {
        for (uint32_t i = 0; i < (n * group + 31) / 32; i++)
            tail[i] = d[i];
        d = tail;
    }
    if (group == 32) return _mm256_loadu_ps(d);
    __m256 blocks = _mm256_castps128_ps256(_mm_loadu_ps(d));
    return _mm256_permutevar8x32_ps(blocks, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}

#endif

/* gcc makes a tree of a sum of integers, and with it more values than there are registers: keeps the order.
 */
static inline ints in_turn(ints sum) {
    __asm__("" : "+v"(sum));
    return sum;
}
