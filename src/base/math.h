/* SPDX-License-Identifier: Apache-2.0
 *
 * math.h: the few functions of real numbers that the core needs, its own so that every target gives the same
 * bits: no libm, no FMA, only IEEE operations in a fixed order. Errors are those measured in tests/unit. */
#ifndef MOTE_BASE_MATH_H
#define MOTE_BASE_MATH_H

/* e^x, relative error < 2e-7 where the result is a normal number (a subnormal one is right to its last bit
 * or two); 0 below −104, +infinity above 88.73; NaN gives NaN. */
float mote_base_exp(float x);
/* The constants of exp, in the order of their use (math.c); also run on vectors, with the same bits. */
#define MOTE_BASE_EXP_MIN    (-105.0f) /* below it the result is 0 */
#define MOTE_BASE_EXP_MAX    89.0f     /* above it infinity */
#define MOTE_BASE_EXP_LOG2E  0x1.715476p0f
#define MOTE_BASE_EXP_ROUND  0x1.8p23f
#define MOTE_BASE_EXP_LN2_HI 0x1.62e4p-1f /* 14 bits: n · LN2_HI is exact */
#define MOTE_BASE_EXP_LN2_LO 0x1.7f7d1cp-20f
#define MOTE_BASE_EXP_C6     0x1.6d1116p-10f /* near-minimax over |r| ≤ ln 2 / 2, error 2e-9 */
#define MOTE_BASE_EXP_C5     0x1.120b7cp-7f
#define MOTE_BASE_EXP_C4     0x1.55551ap-5f
#define MOTE_BASE_EXP_C3     0x1.5554dcp-3f
#define MOTE_BASE_EXP_C2     0.5f

/* Natural logarithm of x > 0, relative error < 3e-7; −infinity at 0, NaN below. */
float mote_base_log(float x);
/* sin and cos of x in radians, |x| ≤ 2^40, in double, error < 1e-12 (rope needs angles of thousands of
 * turns). NaN beyond. */
void mote_base_sincos(double x, double *sine, double *cosine);
/* base^exponent in double for base > 0, relative error < 1e-12. */
double mote_base_pow(double base, double exponent);

#endif
