/* SPDX-License-Identifier: Apache-2.0
 *
 * lanes.h: vectors of floats for every instruction set, in the vector extension of GCC and clang: loads and stores,
 * sums of sixteen lanes, exp. What a machine does better than the compiler finds out is in lanes_<isa>.h, which
 * defines
 *
 *     WIDTH                  floats in a machine vector: 4, 8 or 16
 *     HAS_CONVERSIONS        1 where it defines, for a whole vector, load_f16, store_f16, load_bf16, load_i8
 *                            (from two's complement), load_i4 (of bytes, the four bits from `shift` on, less
 *                            8); for comparing, greater (b where b > a, else a), less, greater_four and, of
 *                            integers, most and most_four; and low_bytes, the lowest byte of sixteen integers
 *     HAS_SCALE              1 where it defines scale_lanes, p · 2^n rounded once, NaN where p is
 *
 * A sum over a row has sixteen lanes whatever WIDTH is: 16 / WIDTH vectors side by side. (A single vector of
 * sixteen floats would be simpler to write, but gcc keeps one in memory where the machine's are shorter.)
 * A row that is not a multiple of sixteen is filled up with zeros: a lane starts at +0 and can never become
 * −0 by adding, so adding a product of zeros leaves every bit as it was. */
#ifndef MOTE_KERNEL_LANES_H
#define MOTE_KERNEL_LANES_H

#include "base/float.h"
#include "base/math.h"
#include "base/memory.h"

#define INLINE     static inline __attribute__((always_inline))
#define UNROLL     _Pragma("GCC unroll 8")
#define UNROLL_ALL _Pragma("GCC unroll 16")

enum { LANES = 16, PARTS = LANES / WIDTH };

typedef float vec __attribute__((vector_size(WIDTH * 4)));
typedef int32_t ivec __attribute__((vector_size(WIDTH * 4)));
typedef uint32_t uvec __attribute__((vector_size(WIDTH * 4)));
typedef float quad __attribute__((vector_size(16)));
typedef int32_t iquad __attribute__((vector_size(16)));
typedef int8_t chunk __attribute__((vector_size(16)));

/* ---- loads and stores; n < WIDTH reads and writes n elements, and zeros stand for the others ---- */

enum kind { F32, F16, BF16 };
enum { F32_BYTES = 4, HALF_BYTES = 2 };

#define BYTES(kind) ((kind) == F32 ? F32_BYTES : HALF_BYTES)

INLINE vec splat(float value) {
    return value - (vec){0};
}

#if !HAS_CONVERSIONS
typedef uint16_t hvec __attribute__((vector_size(WIDTH * 2)));

INLINE uvec load_half(const uint8_t *p) {
    hvec h;
    memcpy(&h, p, sizeof h);
    return __builtin_convertvector(h, uvec);
}

INLINE vec load_bf16(const uint8_t *p) {
    return (vec)(load_half(p) << 16);
}

/* The exponent and fraction, moved to their places, are 2^112 too small; infinity and NaN need all ones. */
INLINE vec load_f16(const uint8_t *p) {
    uvec bits = load_half(p), sign = bits >> 15 << 31, magnitude = (bits & 0x7fff) << 13;
    uvec special = (uvec)(magnitude >= 0x0f800000);
    vec value = (vec)magnitude * splat(0x1p112f);
    return (vec)((uvec)value | (special & 0x7f800000) | sign);
}

INLINE vec load_i8(const uint8_t *p) {
    typedef int8_t quarter __attribute__((vector_size(WIDTH)));
    quarter q;
    memcpy(&q, p, sizeof q);
    return __builtin_convertvector(__builtin_convertvector(q, ivec), vec);
}

INLINE vec load_i4(const uint8_t *p, int shift) {
    typedef uint8_t quarter __attribute__((vector_size(WIDTH)));
    quarter q;
    memcpy(&q, p, sizeof q);
    return __builtin_convertvector((__builtin_convertvector(q, ivec) >> shift & 15) - 8, vec);
}

INLINE void store_f16(uint16_t *p, vec v) {
    for (int i = 0; i < WIDTH; i++)
        p[i] = mote_base_f16_from_f32(v[i]);
}

INLINE vec greater(vec a, vec b) {
    ivec is = b > a;
    return (vec)((is & (ivec)b) | (~is & (ivec)a));
}

INLINE vec less(vec a, vec b) {
    ivec is = b < a;
    return (vec)((is & (ivec)b) | (~is & (ivec)a));
}

INLINE quad greater_four(quad a, quad b) {
    typedef int32_t four __attribute__((vector_size(16)));
    four is = b > a;
    return (quad)((is & (four)b) | (~is & (four)a));
}

INLINE ivec most(ivec a, ivec b) {
    ivec is = b > a;
    return (is & b) | (~is & a);
}

INLINE iquad most_four(iquad a, iquad b) {
    iquad is = b > a;
    return (is & b) | (~is & a);
}

INLINE chunk low_bytes(const ivec *x) {
    chunk bytes;
    for (int i = 0; i < LANES; i++)
        bytes[i] = (int8_t)(uint8_t)x[i / WIDTH][i % WIDTH];
    return bytes;
}
#endif

/* WIDTH values of a row, from any address. */
INLINE vec load(enum kind kind, const uint8_t *p) {
    vec v;
    if (kind == F16) return load_f16(p);
    if (kind == BF16) return load_bf16(p);
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE vec load_some(enum kind kind, const uint8_t *p, uint32_t n) {
    uint8_t padded[WIDTH * 4] = {0};
    if (n >= WIDTH) return load(kind, p);
    memcpy(padded, p, (size_t)n * BYTES(kind));
    return load(kind, padded);
}

INLINE vec load_floats(const float *p, uint32_t n) {
    return load_some(F32, (const uint8_t *)p, n);
}

INLINE void store_floats(float *p, vec v, uint32_t n) {
    if (n >= WIDTH)
        memcpy(p, &v, sizeof v);
    else
        memcpy(p, &v, n * sizeof *p);
}

/* ---- sums ---- */

struct lanes {
    vec part[PARTS];
};

/* The first two steps of the tree: lanes 8 apart, then 4. */
INLINE quad fold(struct lanes sum) {
#if WIDTH == 16
    typedef float octet __attribute__((vector_size(32)));
    octet low = __builtin_shufflevector(sum.part[0], sum.part[0], 0, 1, 2, 3, 4, 5, 6, 7);
    octet high = __builtin_shufflevector(sum.part[0], sum.part[0], 8, 9, 10, 11, 12, 13, 14, 15);
    octet eight = low + high;
#elif WIDTH == 8
    vec eight = sum.part[0] + sum.part[1];
#endif
#if WIDTH == 4
    return (sum.part[0] + sum.part[2]) + (sum.part[1] + sum.part[3]);
#else
    return __builtin_shufflevector(eight, eight, 0, 1, 2, 3) +
           __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
#endif
}

/* The last two, for four sums at once: lanes 2 apart, then 1. */
INLINE quad fold_four(quad a, quad b, quad c, quad d) {
    quad ab = __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
    quad cd = __builtin_shufflevector(c, d, 0, 1, 4, 5) + __builtin_shufflevector(c, d, 2, 3, 6, 7);
    return __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
}

/* ---- exp ---- */

/* mote_base_exp on each lane, operation by operation, of n vectors side by side: one after the other they
 * would wait for their own results, and fill the machine's window meanwhile. */
enum { MANY = WIDTH == 8 ? 4 : 8 };

#define EACH                                                                                                 \
    UNROLL                                                                                                   \
    for (int j = 0; j < n; j++)

/* e^x = p · 2^m, of which shifted holds m in its low bits; NaN stays in p. */
INLINE void exp_parts(int n, const vec *x, vec *p, vec *shifted) {
    vec r[MANY];
    EACH shifted[j] = x[j] * MOTE_BASE_EXP_LOG2E + MOTE_BASE_EXP_ROUND;
    EACH p[j] = shifted[j] - MOTE_BASE_EXP_ROUND;
    EACH r[j] = x[j] - p[j] * MOTE_BASE_EXP_LN2_HI;
    EACH r[j] = r[j] - p[j] * MOTE_BASE_EXP_LN2_LO;
    EACH p[j] = splat(MOTE_BASE_EXP_C6) * r[j] + MOTE_BASE_EXP_C5;
    EACH p[j] = p[j] * r[j] + MOTE_BASE_EXP_C4;
    EACH p[j] = p[j] * r[j] + MOTE_BASE_EXP_C3;
    EACH p[j] = p[j] * r[j] + MOTE_BASE_EXP_C2;
    EACH p[j] = p[j] * (r[j] * r[j]) + r[j];
    EACH p[j] = p[j] + 1.0f;
}

INLINE vec exp_lanes(vec x) {
    vec p, shifted;
    x = less(greater(x, splat(MOTE_BASE_EXP_MIN)), splat(MOTE_BASE_EXP_MAX));
    exp_parts(1, &x, &p, &shifted);
#if HAS_SCALE
    return scale_lanes(p, shifted - MOTE_BASE_EXP_ROUND);
#else
    ivec low = (ivec)shifted - (ivec)splat(MOTE_BASE_EXP_ROUND), half = low >> 1, rest = low - half;
    return p * (vec)((uvec)(half + 127) << 23) * (vec)((uvec)(rest + 127) << 23);
#endif
}

/* x ≤ 0 or NaN becomes its exp: m is never above 0, so 2^(m + 64) is a normal number, and the 2^−64 that
 * follows is where it is rounded. What stands above m in shifted is shifted out. */
INLINE void exp_falling(int n, vec *x) {
    vec p[MANY], shifted[MANY];
    EACH x[j] = greater(x[j], splat(MOTE_BASE_EXP_MIN));
    exp_parts(n, x, p, shifted);
#if HAS_SCALE
    EACH x[j] = scale_lanes(p[j], shifted[j] - MOTE_BASE_EXP_ROUND);
#else
    EACH x[j] = p[j] * (vec)(((uvec)shifted[j] << 23) + ((127u + 64) << 23));
    EACH x[j] = x[j] * 0x1p-64f;
#endif
}

#endif
