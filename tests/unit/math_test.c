/* SPDX-License-Identifier: Apache-2.0
 *
 * math_test.c: base/math.h against libm, with the errors its header states; base/float.h on every f16 and
 * bf16 there is, and against the compiler's _Float16. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/float.h"
#include "base/math.h"

static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static double random_double(void) { /* −1 … 1 */
    return (double)(int64_t)random_u64() * 0x1p-63;
}

/* ---- exp and log ---- */

static void exp_is_near(void **state) {
    (void)state;
    double worst = 0;
    for (uint64_t bits = 0; bits <= 0xffffffff; bits += 251) {
        float x = mote_base_f32_from_bits((uint32_t)bits), got = mote_base_exp(x);
        if (x != x) {
            assert_true(got != got);
            continue;
        }
        double want = exp((double)x);
        if (want > 0x1.fffffep127) {
            /* the last half unit below infinity may go either way */
            assert_true(isinf(got) || want < 0x1.fffffep127 * (1 + 1e-6));
        } else if (want >= 0x1p-126) {
            double error = fabs((double)got - want) / want;
            worst = error > worst ? error : worst;
        } else {
            assert_true(fabs((double)got - want) <= 0x1p-149);
        }
    }
    if (!(worst < 2e-7)) fail_msg("relative error %g", worst);
    assert_true(mote_base_exp(0) == 1 && mote_base_exp(-0.0f) == 1);
    assert_true(isinf(mote_base_exp(88.73f)) && isinf(mote_base_exp(INFINITY)));
    assert_true(!isinf(mote_base_exp(88.72f)));
    assert_true(mote_base_exp(-104.0f) == 0 && mote_base_exp(-INFINITY) == 0 && mote_base_exp(-3e38f) == 0);
}

static void log_is_near(void **state) {
    (void)state;
    double worst = 0;
    for (uint64_t bits = 1; bits < 0x7f800000; bits += 127) {
        float x = mote_base_f32_from_bits((uint32_t)bits);
        double want = log((double)x), got = (double)mote_base_log(x);
        double error = want == 0 ? fabs(got) : fabs((got - want) / want);
        worst = error > worst ? error : worst;
    }
    for (uint32_t bits = 0x3f7ff000; bits < 0x3f801000; bits++) { /* around 1 */
        float x = mote_base_f32_from_bits(bits);
        double want = log((double)x), got = (double)mote_base_log(x);
        double error = want == 0 ? fabs(got) : fabs((got - want) / want);
        worst = error > worst ? error : worst;
    }
    if (!(worst < 3e-7)) fail_msg("relative error %g", worst);
    assert_true(mote_base_log(0) == -INFINITY && mote_base_log(-0.0f) == -INFINITY);
    assert_true(mote_base_log(1) == 0 && mote_base_log(INFINITY) == INFINITY);
    assert_true(isnan(mote_base_log(-1)) && isnan(mote_base_log(NAN)) && isnan(mote_base_log(-INFINITY)));
}

/* ---- gelu and tanh ---- */

static void gelu_is_near(void **state) {
    (void)state;
    double worst = 0, relative = 0;
    for (uint64_t bits = 0; bits <= 0xffffffff; bits += 251) {
        float x = mote_base_f32_from_bits((uint32_t)bits), got = mote_base_gelu(x);
        if (x != x) {
            assert_true(got != got);
            continue;
        }
        double want = (double)x * 0.5 * erfc(-(double)x * 0.70710678118654752);
        if (fabs((double)x) > 8) {
            assert_true(got == (x > 0 ? x : 0));
            continue;
        }
        double error = fabs((double)got - want);
        worst = error > worst ? error : worst;
        if (fabs((double)x) < 0.5 && fabs((double)x) > 0x1p-120) error /= fabs(want);
        relative = error > relative ? error : relative;
    }
    if (!(worst < 3e-7)) fail_msg("absolute error %g", worst);
    if (!(relative < 2e-6)) fail_msg("relative error %g", relative);
    assert_true(mote_base_gelu(0) == 0 && mote_base_gelu(-0.0f) == 0);
    assert_true(mote_base_gelu(INFINITY) == INFINITY && mote_base_gelu(-INFINITY) == 0);
    assert_true(mote_base_gelu(3e38f) == 3e38f && mote_base_gelu(-3e38f) == 0);
}

static void tanh_is_near(void **state) {
    (void)state;
    double worst = 0;
    for (uint64_t bits = 0; bits <= 0xffffffff; bits += 251) {
        float x = mote_base_f32_from_bits((uint32_t)bits), got = mote_base_tanh(x);
        if (x != x) {
            assert_true(got != got);
            continue;
        }
        assert_true(got >= -1 && got <= 1 && got == -mote_base_tanh(-x));
        if (fabs((double)x) > 8.8) assert_true(fabs((double)got) == 1);
        double want = tanh((double)x), error = want == 0 ? fabs((double)got) : fabs((double)got / want - 1);
        worst = error > worst ? error : worst;
    }
    if (!(worst < 4e-7)) fail_msg("relative error %g", worst);
    assert_true(mote_base_tanh(0) == 0 && mote_base_tanh(INFINITY) == 1 && mote_base_tanh(-INFINITY) == -1);
}

/* ---- sincos and pow ---- */

static void check_sincos(double x, double *worst) {
    double s, c;
    mote_base_sincos(x, &s, &c);
    double error = fmax(fabs(s - sin(x)), fabs(c - cos(x)));
    *worst = error > *worst ? error : *worst;
}

static void sincos_is_near(void **state) {
    (void)state;
    double worst = 0, s, c;
    for (int power = -30; power <= 40; power++)
        for (int i = 0; i < 20000; i++)
            check_sincos(ldexp(random_double(), power), &worst);
    for (int64_t n = 0; n < 100000; n++) { /* where one of them is near 0 */
        check_sincos((double)n * 1.5707963267948966, &worst);
        check_sincos(-(double)(n * 1000003) * 1.5707963267948966, &worst);
    }
    check_sincos(0x1p40, &worst);
    check_sincos(-0x1p40, &worst);
    if (!(worst < 1e-12)) fail_msg("error %g", worst);
    mote_base_sincos(0, &s, &c);
    assert_true(s == 0 && c == 1);
    static const double outside[] = {0x1.0000000000001p40, -0x1p41, 1e300, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        mote_base_sincos(outside[i], &s, &c);
        assert_true(isnan(s) && isnan(c));
    }
}

static void pow_is_near(void **state) {
    (void)state;
    double worst = 0;
    int checked = 0;
    for (int power = -40; power <= 40; power++) {
        for (int i = 0; i < 20000; i++) {
            double base = ldexp(fabs(random_double()) + 1e-9, power),
                   exponent = ldexp(random_double(), i % 12 - 2);
            double want = pow(base, exponent);
            if (!(want > 0x1p-1022 && want < 0x1p1023)) continue;
            double error = fabs(mote_base_pow(base, exponent) - want) / want;
            worst = error > worst ? error : worst;
            checked++;
        }
    }
    for (int i = 0; i < 256; i++) { /* what rope asks for */
        double want = pow(10000, -i / 256.0), error = fabs(mote_base_pow(10000, -i / 256.0) - want) / want;
        worst = error > worst ? error : worst;
    }
    assert_true(checked > 100000);
    if (!(worst < 1e-12)) fail_msg("relative error %g", worst);
    assert_true(mote_base_pow(7, 0) == 1 && mote_base_pow(1, 1e300) == 1 && mote_base_pow(1, INFINITY) == 1);
    assert_true(isinf(mote_base_pow(10, 400)) && mote_base_pow(10, -400) == 0);
    assert_true(mote_base_pow(INFINITY, -1) == 0 && isinf(mote_base_pow(INFINITY, 2)));
    assert_true(isinf(mote_base_pow(2, INFINITY)) && mote_base_pow(2, -INFINITY) == 0);
    assert_true(fabs(mote_base_pow(0x1p-1074, 0.5) / 0x1p-537 - 1) < 1e-12);
    assert_true(isnan(mote_base_pow(0, 1)) && isnan(mote_base_pow(-2, 2)) && isnan(mote_base_pow(2, NAN)));
}

/* ---- conversions ---- */

static void every_f16(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float value = mote_base_f32_from_f16((uint16_t)h);
        uint32_t exponent = h >> 10 & 31, fraction = h & 0x3ff;
        double magnitude = exponent ? ldexp(1024 + fraction, (int)exponent - 25) : ldexp(fraction, -24);
        if (exponent == 31 && fraction) {
            uint16_t back = mote_base_f16_from_f32(value);
            assert_true(value != value && (back & 0x7fff) > 0x7c00 && (back & 0x8000) == (h & 0x8000));
            continue;
        }
        assert_true(exponent == 31 ? isinf(value) : fabs((double)value) == magnitude);
        assert_true(!signbit(value) == !(h & 0x8000));
        assert_int_equal(mote_base_f16_from_f32(value), h);
    }
}

/* f32 → f16 by comparing with the two neighbours, in double: the definition of rounding to nearest even. */
static uint16_t nearest_f16(float value) {
    uint16_t sign = signbit(value) ? 0x8000 : 0, low = 0, high = 0x7c00;
    double magnitude = fabs((double)value);
    if (value != value) return (uint16_t)(sign | 0x7e00);
    while (high - low > 1) { /* low ≤ magnitude < high */
        uint16_t middle = (uint16_t)((low + high) / 2);
        if ((double)mote_base_f32_from_f16(middle) <= magnitude)
            low = middle;
        else
            high = middle;
    }
    double below = (double)mote_base_f32_from_f16(low);
    double above = high == 0x7c00 ? 65536 : (double)mote_base_f32_from_f16(high);
    if (isinf(value)) return sign | 0x7c00;
    if (magnitude - below == above - magnitude) return sign | (low & 1 ? high : low);
    return sign | (magnitude - below < above - magnitude ? low : high);
}

static void check_to_f16(uint32_t bits) {
    float value = mote_base_f32_from_bits(bits);
    uint16_t got = mote_base_f16_from_f32(value), want = nearest_f16(value);
    if (value != value)
        assert_true((got & 0x7fff) > 0x7c00 && (got & 0x8000) == (want & 0x8000));
    else if (got != want)
        fail_msg("%a becomes %04x, should be %04x", (double)value, got, want);
}

static void f32_to_f16(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x7c00; h++) { /* each f16, the middle to the next, and what lies around both */
        uint32_t here = mote_base_f32_bits(mote_base_f32_from_f16((uint16_t)h));
        float next = h == 0x7bff ? 65536.0f : mote_base_f32_from_f16((uint16_t)(h + 1));
        uint32_t middle = mote_base_f32_bits((mote_base_f32_from_bits(here) + next) / 2);
        for (uint32_t around = 0; around < 5; around++) {
            check_to_f16(here + around - (here >= 2 ? 2 : 0));
            check_to_f16((middle + around - 2) | 0x80000000);
            check_to_f16(middle + around - 2);
        }
    }
    for (int i = 0; i < 1000000; i++)
        check_to_f16((uint32_t)random_u64());
    for (uint32_t bits = 0x7f7ffff0; bits < 0x7f800010; bits++)
        check_to_f16(bits);
}

#if defined(__FLT16_MAX__)
static void f16_as_the_compiler_has_it(void **state) {
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        union {
            _Float16 h;
            uint16_t u;
        } there;
        float value = mote_base_f32_from_bits((uint32_t)random_u64());
        if (i % 2) value = (float)random_double() * 0x1p-13f;
        if (value != value) continue;
        there.h = (_Float16)value;
        assert_int_equal(mote_base_f16_from_f32(value), there.u);
        assert_true(mote_base_f32_from_f16(there.u) == (float)there.h);
    }
}
#endif

static void every_bf16(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float value = mote_base_f32_from_bf16((uint16_t)h);
        if (value != value) {
            uint16_t back = mote_base_bf16_from_f32(value);
            assert_true((back & 0x7fff) > 0x7f80 && (back & 0x8000) == (h & 0x8000));
            continue;
        }
        assert_int_equal(mote_base_bf16_from_f32(value), h);
        if ((h & 0x7fff) >= 0x7f80) continue;
        /* a little more than half way goes up, half way to even, a little less down */
        uint32_t bits = h << 16;
        assert_int_equal(mote_base_bf16_from_f32(mote_base_f32_from_bits(bits + 0x7fff)), h);
        assert_int_equal(mote_base_bf16_from_f32(mote_base_f32_from_bits(bits + 0x8000)), h + (h & 1));
        assert_int_equal(mote_base_bf16_from_f32(mote_base_f32_from_bits(bits + 0x8001)), h + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_near),
        cmocka_unit_test(log_is_near),
        cmocka_unit_test(gelu_is_near),
        cmocka_unit_test(tanh_is_near),
        cmocka_unit_test(sincos_is_near),
        cmocka_unit_test(pow_is_near),
        cmocka_unit_test(every_f16),
        cmocka_unit_test(f32_to_f16),
        cmocka_unit_test(every_bf16),
#if defined(__FLT16_MAX__)
        cmocka_unit_test(f16_as_the_compiler_has_it),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
