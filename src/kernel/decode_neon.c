/* SPDX-License-Identifier: Apache-2.0
 *
 * decode_neon.c: the decoders of decode_lanes.h and decode_iq_lanes.h for AArch64, where TBL looks up. */
#include "kernel/decode.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include "kernel/decode_iq_lanes.h"

static inline bytes look_up(bytes table, bytes index) {
    return (bytes)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)index);
}

static inline float f16_at(const uint8_t *p) {
    __fp16 half;
    memcpy(&half, p, sizeof half);
    return half;
}

void mote_kernel_decode_overlay__neon(struct mote_kernels *table) {
    overlay_lanes(table);
    overlay_iq_lanes(table);
}

#endif
