/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_legacy_avx2.c: the types of one block of 32, one vector a block. Layouts: decode_legacy.c. */
#if defined(__x86_64__)
#include "kernel/decode.h"
#include "kernel/decode_x86.h"
#include "kernel/decode_scale.h"

static void decode_q4_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 18, q += 32) {
        scale[i] = f16_at(blocks);
        store32(q, _mm256_sub_epi8(nibbles(blocks + 2), _mm256_set1_epi8(8)));
    }
}

static void decode_q4_1(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 20, q += 32) {
        scale[i] = f16_at(blocks);
        min[i] = -f16_at(blocks + 2);
        store32(q, nibbles(blocks + 4));
    }
}

static void decode_q5_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 22, q += 32) {
        __m256i high = mask32(mote_base_u32(blocks + 2));
        scale[i] = f16_at(blocks);
        /* n − 16 is n with the four upper bits set */
        store32(q, _mm256_or_si256(nibbles(blocks + 6), _mm256_andnot_si256(high, _mm256_set1_epi8(-16))));
    }
}

static void decode_q5_1(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 24, q += 32) {
        __m256i high = mask32(mote_base_u32(blocks + 4));
        scale[i] = f16_at(blocks);
        min[i] = -f16_at(blocks + 2);
        store32(q, _mm256_or_si256(nibbles(blocks + 8), _mm256_and_si256(high, _mm256_set1_epi8(16))));
    }
}

static void decode_q8_0(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 34, q += 32) {
        scale[i] = f16_at(blocks);
        store32(q, load32(blocks + 2));
    }
}

static void decode_iq4_nl(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    __m256i table = table16(mote_kernel_nonlinear);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 18, q += 32) {
        scale[i] = f16_at(blocks);
        store32(q, _mm256_shuffle_epi8(table, nibbles(blocks + 2)));
    }
}

static void decode_mxfp4(const uint8_t *blocks, uint32_t n_blocks, int8_t *q, float *scale, float *min) {
    (void)min;
    __m256i table = table16(mote_kernel_e2m1);
    for (uint32_t i = 0; i < n_blocks; i++, blocks += 17, q += 32) {
        scale[i] = mote_kernel_e8m0_half(blocks[0]);
        store32(q, _mm256_shuffle_epi8(table, nibbles(blocks + 1)));
    }
}

void mote_kernel_decode_legacy_overlay__avx2(struct mote_kernels *table) {
    table->decode[MOTE_TYPE_Q4_0] = decode_q4_0;
    table->decode[MOTE_TYPE_Q4_1] = decode_q4_1;
    table->decode[MOTE_TYPE_Q5_0] = decode_q5_0;
    table->decode[MOTE_TYPE_Q5_1] = decode_q5_1;
    table->decode[MOTE_TYPE_Q8_0] = decode_q8_0;
    table->decode[MOTE_TYPE_IQ4_NL] = decode_iq4_nl;
    table->decode[MOTE_TYPE_MXFP4] = decode_mxfp4;
}
#endif
