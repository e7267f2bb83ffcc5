/* SPDX-License-Identifier: Apache-2.0
 *
 * lanes_neon.h: lanes.h on the four-float vectors of AArch64. FCVTL and FCVTN convert f16 exactly as float.h does, but for the payload of
 * a NaN. */
#ifndef MOTE_KERNEL_LANES_NEON_H
#define MOTE_KERNEL_LANES_NEON_H

#include <arm_neon.h>

#include "base/memory.h"

#define WIDTH           4
#define HAS_CONVERSIONS 1
#define HAS_SCALE       0

static inline float32x4_t load_f16(const uint8_t *p) {
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

static inline float32x4_t load_bf16(const uint8_t *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}

static inline float32x4_t load_i8(const uint8_t *p) {
    int8x8_t bytes = vcreate_s8(0);
    memcpy(&bytes, p, 4);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
}

static inline float32x4_t load_i4(const uint8_t *p, int shift) {
    uint8x8_t bytes = vcreate_u8(0);
    memcpy(&bytes, p, 4);
    bytes = vand_u8(vshl_u8(bytes, vdup_n_s8((int8_t)-shift)), vdup_n_u8(15));
    int16x4_t q = vget_low_s16(vmovl_s8(vsub_s8(vreinterpret_s8_u8(bytes), vdup_n_s8(8))));
    return vcvtq_f32_s32(vmovl_s16(q));
}

static inline void store_f16(uint16_t *p, float32x4_t v) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v)));
}

/* FMAX would make NaN of one NaN. */
static inline float32x4_t greater(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcgtq_f32(b, a), b, a);
}

static inline float32x4_t less(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcltq_f32(b, a), b, a);
}

static inline float32x4_t greater_four(float32x4_t a, float32x4_t b) {
    return greater(a, b);
}

static inline int32x4_t most(int32x4_t a, int32x4_t b) {
    return vmaxq_s32(a, b);
}

static inline int32x4_t most_four(int32x4_t a, int32x4_t b) {
    return vmaxq_s32(a, b);
}

typedef int32_t ivec __attribute__((vector_size(16)));

static inline int8x16_t low_bytes(const ivec *x) {
    int16x8_t low = vcombine_s16(vmovn_s32(x[0]), vmovn_s32(x[1]));
    int16x8_t high = vcombine_s16(vmovn_s32(x[2]), vmovn_s32(x[3]));
    return vcombine_s8(vmovn_s16(low), vmovn_s16(high));
}

#endif
