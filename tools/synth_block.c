/* SPDX-License-Identifier: Apache-2.0
 *
 * synth_block.c: blocks of random weights of every type, with mean about 0 and a chosen standard deviation.
 *
 * The quants are random bits. The scales are not: they are set so that a block of scale d has deviation
 * d × unit (unit: below, from the ranges of quants and sub-scales), and vary from block to block by ±25 %. A
 * type with a minimum gets one that cancels the mean of its quants; a type whose quants lie unevenly about 0
 * gets a d of random sign. Layouts are those drawn in src/kernel/decode_*.c. */
#include "tools/synth.h"

#include <math.h>
#include <string.h>

/* Nearest f16, ties to even. The scales are far below its largest number. */
static uint16_t to_f16(float value) {
    int exponent;
    uint16_t sign = value < 0 ? 0x8000 : 0;
    float fraction = frexpf(fabsf(value), &exponent); /* [0.5, 1) × 2^exponent */
    if (value == 0 || exponent < -13) return sign | (uint16_t)lrintf(ldexpf(fabsf(value), 24));
    return (uint16_t)(sign + ((exponent + 13) << 10) + (int)lrintf(ldexpf(fraction, 11)));
}

static void put_u16(uint8_t *p, uint16_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void put_f16(uint8_t *p, float value) {
    put_u16(p, to_f16(value));
}

static void put_bits(struct synth_random *r, uint8_t *p, uint32_t n) {
    for (uint32_t i = 0; i < n; i += 8) {
        uint64_t bits = synth_bits(r);
        memcpy(p + i, &bits, n - i < 8 ? n - i : 8);
    }
}

/* Even in [low, high). */
static float even(struct synth_random *r, float low, float high) {
    return low + (high - low) * ((float)(synth_bits(r) >> 40) * 0x1p-24f);
}

/* Even in low … high, whole numbers. */
static int whole(struct synth_random *r, int low, int high) {
    return low + (int)((synth_bits(r) >> 32) * (uint64_t)(high - low + 1) >> 32);
}

static float scale(const struct synth_type *type, struct synth_random *r, float sigma) {
    return sigma / type->unit * even(r, 0.75f, 1.25f);
}

/* Near enough to a normal number of deviation 1: the sum of four even ones. */
static float normal(struct synth_random *r) {
    uint64_t bits = synth_bits(r);
    int sum =
        (int)(bits & 0xffff) + (int)(bits >> 16 & 0xffff) + (int)(bits >> 32 & 0xffff) + (int)(bits >> 48);
    return ((float)sum - 131070.0f) * (1.7320508f / 65536.0f);
}

static void fill_f32(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    (void)type;
    float value = normal(r) * sigma;
    memcpy(p, &value, 4);
}

static void fill_f16(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    (void)type;
    put_f16(p, normal(r) * sigma);
}

static void fill_bf16(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    (void)type;
    float value = normal(r) * sigma;
    uint32_t bits;
    memcpy(&bits, &value, 4);
    put_u16(p, (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
}

/* All random but d. */
static void fill_plain(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    float d = scale(type, r, sigma);
    put_bits(r, p, type->bytes);
    put_f16(p + type->d_at, p[type->d_at] & 1 ? d : -d);
}

/* A quantizer makes no −128. */
static void fill_q8_0(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    put_f16(p, scale(type, r, sigma));
    put_bits(r, p + 2, 32);
    for (int i = 2; i < 34; i++)
        p[i] += p[i] == 0x80;
}

/* d·q + m, the mean of q being `mean`. */
static void fill_minimum(const struct synth_type *type, struct synth_random *r, float sigma, float mean,
                         uint8_t *p) {
    float d = scale(type, r, sigma);
    put_bits(r, p, type->bytes);
    put_f16(p, d);
    put_f16(p + 2, -d * mean * even(r, 0.9f, 1.1f));
}

static void fill_q4_1(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    fill_minimum(type, r, sigma, 7.5f, p);
}

static void fill_q5_1(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    fill_minimum(type, r, sigma, 15.5f, p);
}

static void fill_q2_k(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    float d = scale(type, r, sigma);
    put_bits(r, p, type->bytes);
    for (int g = 0; g < 16; g++) {
        int s = whole(r, 4, 12), m = s + whole(r, -1, 1);
        p[g] = (uint8_t)(s | m << 4);
    }
    put_f16(p + 80, d);
    put_f16(p + 82, d * 1.5f);
}

/* Q4_K and Q5_K: eight scales and eight minima of six bits in twelve bytes. */
static void fill_k(const struct synth_type *type, struct synth_random *r, float sigma, float mean,
                   uint8_t *p) {
    float d = scale(type, r, sigma);
    int s[8], m[8];
    put_bits(r, p, type->bytes);
    put_f16(p, d);
    put_f16(p + 2, d * mean);
    for (int g = 0; g < 8; g++) {
        s[g] = whole(r, 16, 47);
        m[g] = s[g] + whole(r, -3, 3);
    }
    for (int g = 0; g < 4; g++) {
        p[4 + g] = (uint8_t)(s[g] | s[g + 4] >> 4 << 6);
        p[8 + g] = (uint8_t)(m[g] | m[g + 4] >> 4 << 6);
        p[12 + g] = (uint8_t)((s[g + 4] & 15) | (m[g + 4] & 15) << 4);
    }
}

static void fill_q4_k(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    fill_k(type, r, sigma, 7.5f, p);
}

static void fill_q5_k(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    fill_k(type, r, sigma, 15.5f, p);
}

/* d lies in the high nibbles of the four words of scales, its lowest nibble first. */
static void fill_iq1_m(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    uint16_t d = to_f16(scale(type, r, sigma));
    put_bits(r, p, type->bytes);
    for (int i = 0; i < 4; i++)
        p[49 + 2 * i] = (uint8_t)((p[49 + 2 * i] & 15) | (d >> 4 * i & 15) << 4);
}

/* n digits of base 3 as a fraction of 256, rounded up as a quantizer does. */
static uint8_t ternary(struct synth_random *r, int n) {
    unsigned value = (unsigned)whole(r, 0, n == 5 ? 242 : 80) * (n == 5 ? 1 : 3);
    return (uint8_t)((value * 256 + 242) / 243);
}

static void fill_tq1_0(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    for (int i = 0; i < 52; i++)
        p[i] = ternary(r, i < 48 ? 5 : 4);
    put_f16(p + 52, scale(type, r, sigma));
}

/* Two bits a value, never 3. */
static void fill_tq2_0(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    for (int i = 0; i < 64; i++) {
        int n = whole(r, 0, 80);
        p[i] = (uint8_t)(n % 3 | n / 3 % 3 << 2 | n / 9 % 3 << 4 | n / 27 << 6);
    }
    put_f16(p + 64, scale(type, r, sigma));
}

/* The scale is a power of two: the one below the wished or the one above, so that their squares average. */
static void fill_mxfp4(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *p) {
    int exponent;
    float wished = sigma / type->unit,
          fraction = frexpf(wished, &exponent) * 2.0f; /* [1, 2) × 2^(exponent − 1) */
    int up = even(r, 0.0f, 1.0f) < (fraction * fraction - 1.0f) / 3.0f;
    put_bits(r, p, type->bytes);
    p[0] = (uint8_t)(exponent - 1 + up + 128);
}

static const struct synth_type types[] = {
    {"F32", 0, 1, 4, 1, fill_f32, 0},
    {"F16", 1, 1, 2, 1, fill_f16, 0},
    {"BF16", 30, 1, 2, 1, fill_bf16, 0},
    {"Q4_0", 2, 32, 18, 4.64f, fill_plain, 0},
    {"Q4_1", 3, 32, 20, 4.61f, fill_q4_1, 0},
    {"Q5_0", 6, 32, 22, 9.25f, fill_plain, 0},
    {"Q5_1", 7, 32, 24, 9.23f, fill_q5_1, 0},
    {"Q8_0", 8, 32, 34, 73.6f, fill_q8_0, 0},
    {"Q2_K", 10, 256, 84, 9.4f, fill_q2_k, 80},
    {"Q3_K", 11, 256, 110, 43.3f, fill_plain, 108},
    {"Q4_K", 12, 256, 144, 151, fill_q4_k, 0},
    {"Q5_K", 13, 256, 176, 303, fill_q5_k, 0},
    {"Q6_K", 14, 256, 210, 1366, fill_plain, 208},
    {"IQ2_XXS", 16, 256, 66, 53.4f, fill_plain, 0},
    {"IQ2_XS", 17, 256, 74, 55.6f, fill_plain, 0},
    {"IQ3_XXS", 18, 256, 98, 141.9f, fill_plain, 0},
    {"IQ1_S", 19, 256, 50, 7.17f, fill_plain, 0},
    {"IQ4_NL", 20, 32, 18, 67.4f, fill_plain, 0},
    {"IQ3_S", 21, 256, 110, 139.5f, fill_plain, 0},
    {"IQ2_S", 22, 256, 82, 56.3f, fill_plain, 0},
    {"IQ4_XS", 23, 256, 136, 1246, fill_plain, 0},
    {"IQ1_M", 29, 256, 56, 7.18f, fill_iq1_m, 0},
    {"TQ1_0", 34, 256, 54, 0.8165f, fill_tq1_0, 0},
    {"TQ2_0", 35, 256, 66, 0.8165f, fill_tq2_0, 0},
    {"MXFP4", 39, 32, 17, 5.85f, fill_mxfp4, 0},
};

const struct synth_type *synth_type_find(const char *name) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}

const struct synth_type *synth_type_at(size_t i) {
    return i < sizeof types / sizeof *types ? &types[i] : NULL;
}
