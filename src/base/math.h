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

/* x · Φ(x), Φ(x) = (1 + erf(x / √2)) / 2. Absolute error < 3e-7 for |x| < 8; where |x| < 0.5, relative
 * error < 2e-6. From 7.5 on x itself, from −7.5 down 0; NaN gives NaN.
 * With a = |x|, x · Φ(x) = max(x, 0) − a · Φ(−a), and the eighth root of Φ(−a) falls so evenly that a short
 * polynomial follows it: (7.5 − a) · P(a), whose own error adds 1e-8 to the result. */
float mote_base_gelu(float x);
#define MOTE_BASE_GELU_END 7.5f
#define MOTE_BASE_GELU_C7  0x1.5688e6p-22f
#define MOTE_BASE_GELU_C6  (-0x1.6aee1ap-18f)
#define MOTE_BASE_GELU_C5  0x1.68ab3cp-16f
#define MOTE_BASE_GELU_C4  0x1.fe548p-14f
#define MOTE_BASE_GELU_C3  (-0x1.31c07ap-11f)
#define MOTE_BASE_GELU_C2  (-0x1.e6422ep-9f)
#define MOTE_BASE_GELU_C1  0x1.0d3a56p-8f
#define MOTE_BASE_GELU_C0  0x1.f4ce72p-4f

/* tanh x = x · P(x²) / Q(x²), relative error < 4e-7; ±1 from 8.8 on; NaN gives NaN. */
float mote_base_tanh(float x);
#define MOTE_BASE_TANH_END 8.8f
#define MOTE_BASE_TANH_P4  0x1.d73c8ep-27f
#define MOTE_BASE_TANH_P3  0x1.5e108ap-16f
#define MOTE_BASE_TANH_P2  0x1.cc3396p-9f
#define MOTE_BASE_TANH_P1  0x1.124f44p-3f
#define MOTE_BASE_TANH_Q4  0x1.a95aa4p-21f
#define MOTE_BASE_TANH_Q3  0x1.5b2f22p-12f
#define MOTE_BASE_TANH_Q2  0x1.a8ee6cp-6f
#define MOTE_BASE_TANH_Q1  0x1.de7ceep-2f

/* Natural logarithm of x > 0, relative error < 3e-7; −infinity at 0, NaN below. */
float mote_base_log(float x);
/* sin and cos of x in radians, |x| ≤ 2^40, in double, error < 1e-12 (rope needs angles of thousands of
 * turns). NaN beyond. */
void mote_base_sincos(double x, double *sine, double *cosine);
/* base^exponent in double for base > 0, relative error < 1e-12. */
double mote_base_pow(double base, double exponent);

#endif
