/* SPDX-License-Identifier: Apache-2.0
 *
 * float.h: IEEE 754 binary16 and bfloat16 to and from binary32, exactly, with integer operations only, so
 * that every target agrees bit for bit. f32 -> f16 and f32 -> bf16 round to nearest, ties to even. */
#ifndef MOTE_BASE_FLOAT_H
#define MOTE_BASE_FLOAT_H

#include <stdint.h>

static inline float mote_base_f32_from_bits(uint32_t bits) {
    union {
        uint32_t u;
        float f;
    } x = {bits};
    return x.f;
}

static inline uint32_t mote_base_f32_bits(float value) {
    union {
        float f;
        uint32_t u;
    } x = {value};
    return x.u;
}

static inline double mote_base_f64_from_bits(uint64_t bits) {
    union {
        uint64_t u;
        double f;
    } x = {bits};
    return x.f;
}

static inline uint64_t mote_base_f64_bits(double value) {
    union {
        double f;
        uint64_t u;
    } x = {value};
    return x.u;
}

static inline float mote_base_f32_from_bf16(uint16_t h) {
    return mote_base_f32_from_bits((uint32_t)h << 16);
}

static inline float mote_base_f32_from_f16(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
    if (exponent == 31) return mote_base_f32_from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent) return mote_base_f32_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    /* subnormal: fraction × 2^-24, exact in f32 */
    float magnitude = (float)fraction * 0x1p-24f;
    return mote_base_f32_from_bits(sign | mote_base_f32_bits(magnitude));
}

static inline uint16_t mote_base_f16_from_f32(float value) {
    uint32_t bits = mote_base_f32_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff)); /* NaN stays NaN */
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00);    /* rounds to infinity */
    if (magnitude < 0x38800000) {
        /* subnormal: adding 0.5 puts the rounding at 2^-24, done by the addition itself */
        float shifted = mote_base_f32_from_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (mote_base_f32_bits(shifted) - 0x3f000000));
    }
    uint32_t odd = magnitude >> 13 & 1;
    return (uint16_t)(sign | ((magnitude - (112u << 23) + 0xfff + odd) >> 13));
}

static inline uint16_t mote_base_bf16_from_f32(float value) {
    uint32_t bits = mote_base_f32_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
