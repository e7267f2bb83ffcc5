/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_k_avx2.c: the superblocks in fields of 32 bytes: a field is one vector, and each shift of it 32
 * values in order. Layouts: decode_k.c. */
#if defined(__x86_64__)
#include "kernel/decode.h"
#include "kernel/decode_x86.h"
#include "kernel/decode_scale.h"

static void decode_q2_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    const __m256i three = _mm256_set1_epi8(3);
    const __m128i nibble = _mm_set1_epi8(15);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 84, scale += 16, min += 16) {
        __m128i packed = load16(blocks);
        scale16(f16_at(blocks + 80), _mm_and_si128(packed, nibble), scale);
        scale16(f16_at(blocks + 82), _mm_and_si128(_mm_srli_epi16(packed, 4), nibble), min);
        for (int half = 0; half < 2; half++, q += 128) {
            __m256i x = load32(blocks + 16 + 32 * half);
            store32(q, _mm256_and_si256(x, three));
            store32(q + 32, _mm256_and_si256(_mm256_srli_epi16(x, 2), three));
            store32(q + 64, _mm256_and_si256(_mm256_srli_epi16(x, 4), three));
            store32(q + 96, _mm256_and_si256(_mm256_srli_epi16(x, 6), three));
        }
    }
}

/* Built in registers: a load of what four narrow stores wrote would wait for them. */
static __m128i words(const uint32_t w[4]) {
    return _mm_setr_epi32((int)w[0], (int)w[1], (int)w[2], (int)w[3]);
}

static void decode_q3_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    const __m256i three = _mm256_set1_epi8(3), one = _mm256_set1_epi8(1);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 110, scale += 16) {
        uint32_t packed[4];
        mote_kernel_scales_k3(blocks + 96, packed);
        scale16(f16_at(blocks + 108), _mm_sub_epi8(words(packed), _mm_set1_epi8(32)), scale);
        /* a clear bit takes 4 off, so the bits are inverted once */
        __m256i lacks = _mm256_andnot_si256(load32(blocks), _mm256_set1_epi8(-1));
        for (int half = 0; half < 2; half++) {
            __m256i x = load32(blocks + 32 + 32 * half);
            for (int k = 0; k < 4; k++, q += 32) {
                __m256i less = _mm256_slli_epi16(_mm256_and_si256(lacks, one), 2);
                store32(q, _mm256_sub_epi8(_mm256_and_si256(x, three), less));
                x = _mm256_srli_epi16(x, 2);
                lacks = _mm256_srli_epi16(lacks, 1);
            }
        }
    }
}

static void scales_k4(const uint8_t *block, float *scale, float *min) {
    uint32_t packed[4];
    mote_kernel_scales_k4(block + 4, packed);
    __m128i x = words(packed);
    scale8(f16_at(block), x, scale);
    scale8(f16_at(block + 2), _mm_unpackhi_epi64(x, x), min);
}

static void decode_q4_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    const __m256i nibble = _mm256_set1_epi8(15);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 144, scale += 8, min += 8) {
        scales_k4(blocks, scale, min);
        for (int k = 0; k < 4; k++, q += 64) {
            __m256i x = load32(blocks + 16 + 32 * k);
            store32(q, _mm256_and_si256(x, nibble));
            store32(q + 32, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble));
        }
    }
}

static void decode_q5_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    const __m256i nibble = _mm256_set1_epi8(15), sixteen = _mm256_set1_epi8(16);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 176, scale += 8, min += 8) {
        scales_k4(blocks, scale, min);
        __m256i high = load32(blocks + 16);
        for (int k = 0; k < 4; k++, q += 64) {
            __m256i x = load32(blocks + 48 + 32 * k), y = _mm256_srli_epi16(x, 4);
            __m256i even = _mm256_and_si256(_mm256_slli_epi16(high, 4), sixteen);
            __m256i odd = _mm256_and_si256(_mm256_slli_epi16(high, 3), sixteen);
            store32(q, _mm256_or_si256(_mm256_and_si256(x, nibble), even));
            store32(q + 32, _mm256_or_si256(_mm256_and_si256(y, nibble), odd));
            high = _mm256_srli_epi16(high, 2);
        }
    }
}

static __m256i six(__m256i low, __m256i high) {
    __m256i x = _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(15)),
                                _mm256_and_si256(high, _mm256_set1_epi8(48)));
    return _mm256_sub_epi8(x, _mm256_set1_epi8(32));
}

static void decode_q6_k(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 210, scale += 16) {
        scale16(f16_at(blocks + 208), load16(blocks + 192), scale);
        for (int half = 0; half < 2; half++, q += 128) {
            __m256i x = load32(blocks + 64 * half), y = load32(blocks + 64 * half + 32);
            __m256i high = load32(blocks + 128 + 32 * half);
            store32(q, six(x, _mm256_slli_epi16(high, 4)));
            store32(q + 32, six(y, _mm256_slli_epi16(high, 2)));
            store32(q + 64, six(_mm256_srli_epi16(x, 4), high));
            store32(q + 96, six(_mm256_srli_epi16(y, 4), _mm256_srli_epi16(high, 2)));
        }
    }
}

static void decode_iq4_xs(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    __m256i table = table16(mote_kernel_nonlinear);
    const __m256i by4 = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    const __m256i by2 = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 136, scale += 8) {
        __m256i low = _mm256_srlv_epi32(_mm256_set1_epi32((int)mote_base_u32(blocks + 4)), by4);
        __m256i high = _mm256_srlv_epi32(_mm256_set1_epi32(mote_base_u16(blocks + 2)), by2);
        low = _mm256_and_si256(low, _mm256_set1_epi32(15));
        high = _mm256_slli_epi32(_mm256_and_si256(high, _mm256_set1_epi32(3)), 4);
        __m256i s = _mm256_sub_epi32(_mm256_or_si256(low, high), _mm256_set1_epi32(32));
        __m256 d = _mm256_set1_ps(f16_at(blocks));
        _mm256_storeu_ps(scale, _mm256_mul_ps(d, _mm256_cvtepi32_ps(s)));
        for (int k = 0; k < 8; k++, q += 32)
            store32(q, _mm256_shuffle_epi8(table, nibbles(blocks + 8 + 16 * k)));
    }
}

static void decode_tq2_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    const __m256i three = _mm256_set1_epi8(3), one = _mm256_set1_epi8(1);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 66, scale += 8) {
        _mm256_storeu_ps(scale, _mm256_set1_ps(f16_at(blocks + 64)));
        for (int half = 0; half < 2; half++) {
            __m256i x = load32(blocks + 32 * half);
            for (int k = 0; k < 4; k++, q += 32) {
                store32(q, _mm256_sub_epi8(_mm256_and_si256(x, three), one));
                x = _mm256_srli_epi16(x, 2);
            }
        }
    }
}

/* The first digit of each byte, less 1: 3·x reaches 256 at 86 and 512 at 171. */
static __m256i digit(__m256i x) {
    __m256i one = _mm256_cmpeq_epi8(_mm256_max_epu8(x, _mm256_set1_epi8(86)), x);
    __m256i two = _mm256_cmpeq_epi8(_mm256_max_epu8(x, _mm256_set1_epi8((char)171)), x);
    return _mm256_sub_epi8(_mm256_set1_epi8(-1), _mm256_add_epi8(one, two));
}

static __m256i next_digit(__m256i x) {
    return _mm256_add_epi8(x, _mm256_add_epi8(x, x));
}

static void decode_tq1_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 54, q += 256, scale += 8) {
        _mm256_storeu_ps(scale, _mm256_set1_ps(f16_at(blocks + 52)));
        __m256i x = load32(blocks);
        for (int k = 0; k < 5; k++, x = next_digit(x))
            store32(q + 32 * k, digit(x));
        /* the sixteen and the four bytes after them side by side */
        x = _mm256_set_m128i(_mm_cvtsi32_si128((int)mote_base_u32(blocks + 48)), load16(blocks + 32));
        for (int k = 0; k < 5; k++, x = next_digit(x)) {
            __m256i y = digit(x);
            _mm_storeu_si128((void *)(q + 160 + 16 * k), _mm256_castsi256_si128(y));
            if (k < 4) _mm_storeu_si32(q + 240 + 4 * k, _mm256_extracti128_si256(y, 1));
        }
    }
}

void mote_kernel_decode_k_overlay__avx2(struct mote_kernels *table) {
    table->decode[MOTE_TYPE_Q2_K] = decode_q2_k;
    table->decode[MOTE_TYPE_Q3_K] = decode_q3_k;
    table->decode[MOTE_TYPE_Q4_K] = decode_q4_k;
    table->decode[MOTE_TYPE_Q5_K] = decode_q5_k;
    table->decode[MOTE_TYPE_Q6_K] = decode_q6_k;
    table->decode[MOTE_TYPE_IQ4_XS] = decode_iq4_xs;
    table->decode[MOTE_TYPE_TQ1_0] = decode_tq1_0;
    table->decode[MOTE_TYPE_TQ2_0] = decode_tq2_0;
}
#endif
