/* SPDX-License-Identifier: Apache-2.0
 *
 * type.h: the weight types of ggml, once. A tensor's rows are cut into blocks of `elements` values that take
 * `bytes` bytes; numbers are those of the file format. The list makes the enum, the sizes and the names;
 * kernels add their own functions to it.
 *
 * Every quantized type decodes to the same canonical form (see kernel/kernel.h): small integers q with, for
 * each group of `group` values, a scale and perhaps a minimum: w = scale × q − min. `offset` is the least
 * number that makes q + offset non-negative (0 where q already is), `wide` is 1 where q + offset passes 127.
 */
#ifndef MOTE_BASE_TYPE_H
#define MOTE_BASE_TYPE_H

#include <stdint.h>

/* X(NAME, lower, number, elements, bytes, group, offset, has_min); group 0: not quantized */
#define MOTE_BASE_TYPE_LIST(X)                                                                               \
    X(F32, f32, 0, 1, 4, 0, 0, 0)                                                                            \
    X(F16, f16, 1, 1, 2, 0, 0, 0)                                                                            \
    X(Q4_0, q4_0, 2, 32, 18, 32, 8, 0)                                                                       \
    X(Q4_1, q4_1, 3, 32, 20, 32, 0, 1)                                                                       \
    X(Q5_0, q5_0, 6, 32, 22, 32, 16, 0)                                                                      \
    X(Q5_1, q5_1, 7, 32, 24, 32, 0, 1)                                                                       \
    X(Q8_0, q8_0, 8, 32, 34, 32, 128, 0)                                                                     \
    X(Q2_K, q2_k, 10, 256, 84, 16, 0, 1)                                                                     \
    X(Q3_K, q3_k, 11, 256, 110, 16, 4, 0)                                                                    \
    X(Q4_K, q4_k, 12, 256, 144, 32, 0, 1)                                                                    \
    X(Q5_K, q5_k, 13, 256, 176, 32, 0, 1)                                                                    \
    X(Q6_K, q6_k, 14, 256, 210, 16, 32, 0)                                                                   \
    X(IQ2_XXS, iq2_xxs, 16, 256, 66, 32, 64, 0)                                                              \
    X(IQ2_XS, iq2_xs, 17, 256, 74, 16, 64, 0)                                                                \
    X(IQ3_XXS, iq3_xxs, 18, 256, 98, 32, 64, 0)                                                              \
    X(IQ1_S, iq1_s, 19, 256, 50, 32, 16, 0)                                                                  \
    X(IQ4_NL, iq4_nl, 20, 32, 18, 32, 128, 0)                                                                \
    X(IQ3_S, iq3_s, 21, 256, 110, 32, 16, 0)                                                                 \
    X(IQ2_S, iq2_s, 22, 256, 82, 16, 64, 0)                                                                  \
    X(IQ4_XS, iq4_xs, 23, 256, 136, 32, 128, 0)                                                              \
    X(IQ1_M, iq1_m, 29, 256, 56, 16, 16, 0)                                                                  \
    X(BF16, bf16, 30, 1, 2, 0, 0, 0)                                                                         \
    X(TQ1_0, tq1_0, 34, 256, 54, 32, 1, 0)                                                                   \
    X(TQ2_0, tq2_0, 35, 256, 66, 32, 1, 0)                                                                   \
    X(MXFP4, mxfp4, 39, 32, 17, 32, 16, 0)

enum mote_base_type {
#define MOTE_BASE_TYPE_ENUM(NAME, lower, number, elements, bytes, group, offset, has_min)                    \
    MOTE_TYPE_##NAME = number,
    MOTE_BASE_TYPE_LIST(MOTE_BASE_TYPE_ENUM)
#undef MOTE_BASE_TYPE_ENUM
        MOTE_BASE_TYPE_END = 40
};

struct mote_base_type_info {
    const char *name; /* "Q4_K"; NULL where the number is not a type mote reads */
    uint16_t elements, bytes;
    uint8_t group, offset, has_min;
};

/* NULL if the number is not a type mote reads. */
const struct mote_base_type_info *mote_base_type_describe(uint32_t number);

#endif
