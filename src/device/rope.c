/* SPDX-License-Identifier: Apache-2.0
 *
 * rope.c: the angles of rotary positions. Pair i of a head turns by position · frequency[i] radians, where
 *
 *     frequency[i] = base^(−2i / n_rot)                          plain
 *                    ÷ factor                                    linear
 *                    ÷ factors[i]                                llama3 (the file brings them)
 *                    · (ramp/factor + 1 − ramp)                  yarn: turns too slow for the original
 * context are stretched, fast ones kept, a ramp between Angles are computed in double, so that position
 * 100,000 is as exact as position 1. Sources: Su et al., RoFormer (2021); Peng et al., YaRN (2023),
 * section 3. */
#include "device/rope.h"

#include "base/math.h"

/* The pair, as a real number, that turns `turns` times over the original context. */
static float pair_of(const struct mote_model_rope *rope, float turns) {
    const float two_pi = 6.283185307f;
    float ratio = (float)rope->original_context / (turns * two_pi);
    return (float)rope->n_rot * mote_base_log(ratio) / (2 * mote_base_log(rope->base));
}

/* The share of pair i that is stretched: 0 for the fast pairs, 1 for the slow ones, a ramp between. */
static float ramp(const struct mote_model_rope *rope, uint32_t i) {
    float low = 0, high = (float)(rope->n_rot - 1);
    float first = pair_of(rope, rope->beta_fast), last = pair_of(rope, rope->beta_slow);
    while (low + 1 <= first && low < high)
        low += 1; /* first, rounded down, inside the head */
    while (high - 1 >= last && high > 0)
        high -= 1; /* last, rounded up, inside the head */
    float width = high - low < 0.001f ? 0.001f : high - low;
    float share = ((float)i - low) / width;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

/* Encoders are not stretched (model/config.c): their builds leave it out. */
static int is_scaled(const struct mote_model_rope *rope, enum mote_model_rope_scaling scaling) {
#if defined(MOTE_NO_DECODERS)
    (void)rope, (void)scaling;
    return 0;
#else
    return rope->scaling == scaling;
#endif
}

void mote_device_rope_open(const struct mote_model_rope *rope, const struct mote_kernel_weight *factors,
                           double *frequency, float *magnitude) {
    const float *given = (const float *)(const void *)factors->data;
    *magnitude = rope->attention_factor;
    for (uint32_t i = 0; i < rope->n_rot / 2; i++) {
        double f = mote_base_pow(rope->base, -2.0 * i / rope->n_rot);
        if (is_scaled(rope, MOTE_MODEL_ROPE_LINEAR)) f /= rope->factor;
        if (is_scaled(rope, MOTE_MODEL_ROPE_YARN)) {
            double share = ramp(rope, i);
            f *= share / rope->factor + (1 - share);
        }
        if (given) f /= given[i];
        frequency[i] = f;
    }
    if (is_scaled(rope, MOTE_MODEL_ROPE_YARN) && rope->factor > 1)
        *magnitude *= 1 + 0.1f * mote_base_log(rope->factor);
}

void mote_device_rope_angles(const double *frequency, uint32_t n, uint32_t position, float magnitude,
                             float *cosine, float *sine) {
    for (uint32_t i = 0; i < n; i++) {
        double s, c;
        mote_base_sincos(position * frequency[i], &s, &c);
        cosine[i] = (float)c * magnitude;
        sine[i] = (float)s * magnitude;
    }
}
