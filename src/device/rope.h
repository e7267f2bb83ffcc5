/* SPDX-License-Identifier: Apache-2.0
 *
 * rope.h: the angles of rotary positions. */
#ifndef MOTE_DEVICE_ROPE_H
#define MOTE_DEVICE_ROPE_H

#include "model/model.h"

/* frequency [n_rot/2]: radians a position; *magnitude: what cos and sin are multiplied by. factors->data may
 * be NULL. */
void mote_device_rope_open(const struct mote_model_rope *rope, const struct mote_kernel_weight *factors,
                           double *frequency, float *magnitude);

/* cosine, sine [n] of one position. */
void mote_device_rope_angles(const double *frequency, uint32_t n, uint32_t position, float magnitude,
                             float *cosine, float *sine);

#endif
