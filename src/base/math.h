/* SPDX-License-Identifier: Apache-2.0
 *
 * math.h: the few functions of real numbers that the core needs, its own so that every target gives the same
 * bits: no libm, no FMA, only IEEE operations in a fixed order. Errors are those measured in tests/unit. */
#ifndef MOTE_BASE_MATH_H
#define MOTE_BASE_MATH_H

/* e^x, relative error < 2e-7; 0 below −104, +infinity above 88.73; NaN gives NaN. */
float mote_base_exp(float x);
/* Natural logarithm of x > 0, relative error < 3e-7; −infinity at 0, NaN below. */
float mote_base_log(float x);
/* sin and cos of x in radians, |x| ≤ 2^40, in double, error < 1e-12 (rope needs angles of thousands of
 * turns). */
void mote_base_sincos(double x, double *sine, double *cosine);
/* base^exponent in double for base > 0, relative error < 1e-12. */
double mote_base_pow(double base, double exponent);

#endif
