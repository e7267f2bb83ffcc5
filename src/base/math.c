/* SPDX-License-Identifier: Apache-2.0
 *
 * math.c: exp, gelu, tanh, log, sin, cos and pow by range reduction and a polynomial, in IEEE operations of a fixed
 * order.
 *
 *     exp   x = n·ln 2 + r, |r| ≤ ln 2 / 2;  e^x = 2^n · (1 + r + r²·P(r))
 *     gelu  max(x, 0) − a·((7.5 − a)·P(a))^8, a = |x|
 *     tanh  x·P(x²) / Q(x²)
 *     log   x = 2^n · m, m in [√½, √2);  ln x = n·ln 2 + 2·artanh(s), s = (m − 1)/(m + 1)
 *     sin   x = n·π/2 + r, |r| ≤ π/4; Taylor series of both, exchanged and signed by n mod 4
 *     pow   exp(exponent · log(base)), in double
 *
 * exp, gelu and tanh work in float, because the kernels run them on vectors and must find the same bits; their
 * constants stand in math.h for both. The others run in double and are called rarely. Rounding to
 * an integer is done by adding and taking away 1.5·2^23 (or 2^52), which needs the default rounding mode and
 * no conversion that could be undefined. */
#include "base/math.h"

#include "base/float.h"

#define ROUND_DOUBLE 0x1.8p52        /* added to |x| < 2^51, leaves x rounded to an integer in the low bits */
#define LN2_HI       0x1.62e42feep-1 /* 32 bits: n · LN2_HI is exact */
#define LN2_LO       0x1.a39ef35793c76p-33

float mote_base_exp(float x) {
    x = x < MOTE_BASE_EXP_MIN ? MOTE_BASE_EXP_MIN : x;
    x = x > MOTE_BASE_EXP_MAX ? MOTE_BASE_EXP_MAX : x;
    float shifted = x * MOTE_BASE_EXP_LOG2E + MOTE_BASE_EXP_ROUND;
    float n = shifted - MOTE_BASE_EXP_ROUND;
    float r = x - n * MOTE_BASE_EXP_LN2_HI - n * MOTE_BASE_EXP_LN2_LO;
    float p = MOTE_BASE_EXP_C6;
    p = p * r + MOTE_BASE_EXP_C5;
    p = p * r + MOTE_BASE_EXP_C4;
    p = p * r + MOTE_BASE_EXP_C3;
    p = p * r + MOTE_BASE_EXP_C2;
    p = p * (r * r) + r + 1.0f;
    /* 2^n in two steps, so that neither leaves the normal numbers: n is −152 … 129. The integer is read from
     * the low bits of shifted; a NaN gives some integer here and stays NaN in p. */
    uint32_t low = mote_base_f32_bits(shifted) - mote_base_f32_bits(MOTE_BASE_EXP_ROUND) + 1024;
    uint32_t half = (low >> 1) - 512, rest = low - 1024 - half;
    return p * mote_base_f32_from_bits((half + 127) << 23) * mote_base_f32_from_bits((rest + 127) << 23);
}

float mote_base_gelu(float x) {
    float positive = x < 0 ? 0 : x, a = x < 0 ? -x : x;
    a = a > MOTE_BASE_GELU_END ? MOTE_BASE_GELU_END : a;
    float p = MOTE_BASE_GELU_C7;
    p = p * a + MOTE_BASE_GELU_C6;
    p = p * a + MOTE_BASE_GELU_C5;
    p = p * a + MOTE_BASE_GELU_C4;
    p = p * a + MOTE_BASE_GELU_C3;
    p = p * a + MOTE_BASE_GELU_C2;
    p = p * a + MOTE_BASE_GELU_C1;
    p = p * a + MOTE_BASE_GELU_C0;
    p = p * (MOTE_BASE_GELU_END - a);
    p = p * p;
    p = p * p;
    return positive - a * (p * p);
}

float mote_base_tanh(float x) {
    x = x < -MOTE_BASE_TANH_END ? -MOTE_BASE_TANH_END : x;
    x = x > MOTE_BASE_TANH_END ? MOTE_BASE_TANH_END : x;
    float z = x * x, p = MOTE_BASE_TANH_P4, q = MOTE_BASE_TANH_Q4;
    p = p * z + MOTE_BASE_TANH_P3;
    q = q * z + MOTE_BASE_TANH_Q3;
    p = p * z + MOTE_BASE_TANH_P2;
    q = q * z + MOTE_BASE_TANH_Q2;
    p = p * z + MOTE_BASE_TANH_P1;
    q = q * z + MOTE_BASE_TANH_Q1;
    p = p * z + 1.0f;
    q = q * z + 1.0f;
    float y = x * p / q;
    y = y < -1 ? -1 : y; /* rounding may carry it past */
    return y > 1 ? 1 : y;
}

/* ln x for normal or subnormal x > 0. */
static double log_double(double x) {
    int shift = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        shift = 54;
    }
    uint64_t bits = mote_base_f64_bits(x);
    int n = (int)(bits >> 52) - 1023 - shift;
    double m = mote_base_f64_from_bits((bits & 0xfffffffffffff) | 0x3ff0000000000000);
    if (m > 0x1.6a09e667f3bcdp0) {
        m *= 0.5;
        n++;
    }
    double s = (m - 1.0) / (m + 1.0), z = s * s, series = 0;
    for (int k = 25; k >= 3; k -= 2) /* s ≤ 0.1716: s^27/27 is below 2^-73 */
        series = series * z + 1.0 / k;
    double log_m = 2.0 * s + 2.0 * s * (series * z);
    return n * LN2_HI + (n * LN2_LO + log_m);
}

float mote_base_log(float x) {
    if (x == 0) return -mote_base_f32_from_bits(0x7f800000);
    if (!(x > 0)) return mote_base_f32_from_bits(0x7fc00000);
    if (mote_base_f32_bits(x) == 0x7f800000) return x;
    return (float)log_double(x);
}

static double exp_double(double x) {
    if (x > 710) return mote_base_f64_from_bits(0x7ff0000000000000);
    if (x < -746) return 0;
    double n = x * 0x1.71547652b82fep0 + ROUND_DOUBLE - ROUND_DOUBLE;
    double r = x - n * LN2_HI - n * LN2_LO, p = 1.0;
    for (int k = 13; k >= 1; k--) /* Taylor: r^14/14! is below 2^-57 */
        p = p * r / k + 1.0;
    int half = (int)n / 2, rest = (int)n - half;
    return p * mote_base_f64_from_bits((uint64_t)(half + 1023) << 52) *
           mote_base_f64_from_bits((uint64_t)(rest + 1023) << 52);
}

double mote_base_pow(double base, double exponent) {
    if (!(base > 0) || exponent != exponent) return mote_base_f64_from_bits(0x7ff8000000000000);
    if (mote_base_f64_bits(base) == 0x7ff0000000000000) return exponent > 0 ? base : exponent < 0 ? 0 : 1;
    double power = exponent * log_double(base);
    return power != power ? 1 : exp_double(power); /* 1^±infinity */
}

void mote_base_sincos(double x, double *sine, double *cosine) {
    /* π/2 in parts of 13 bits: n · part is exact for n < 2^40, and so is each difference while it is large.
     */
    static const double parts[] = {0x1.921p0,   0x1.f6ap-13, 0x1.11p-26, 0x1.68cp-39,
                                   0x1.1a4p-54, 0x1.131p-65, 0x1.314p-78};
    if (!(x >= -0x1p40 && x <= 0x1p40)) {
        *sine = *cosine = mote_base_f64_from_bits(0x7ff8000000000000);
        return;
    }
    double n = x * 0x1.45f306dc9c883p-1 + ROUND_DOUBLE - ROUND_DOUBLE, r = x;
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        r -= n * parts[i];
    double z = r * r, s = 1.0, c = 1.0;
    for (int k = 16; k >= 2; k -= 2) { /* 1 − z/(k−1)k · (1 − …): the first term dropped is below 2^-54 */
        c = 1.0 - c * z / (double)((k - 1) * k);
        s = 1.0 - s * z / (double)(k * (k + 1));
    }
    s = r * s;
    int quadrant = (int)((int64_t)n & 3);
    double swapped = quadrant & 1 ? c : s, other = quadrant & 1 ? s : c;
    *sine = quadrant & 2 ? -swapped : swapped;
    *cosine = (quadrant + 1) & 2 ? -other : other;
}
