/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.c: floats to blocks. Layouts are drawn in docs/WEIGHTS.md.
 *
 *     F16, F32   each value, to nearest even
 *     Q8_0       d = amax / 127, q to nearest
 *     Q4_0       d = the value of the greatest magnitude / −8: that value is exact
 *     Q4_K       w = d·s·q − dmin·m for each 32, q of four bits. For each 32 by itself the scale and minimum are
 *                sought that make the weighted square of the error least: a few roundings of x are tried, and for
 *                each the best two numbers are those of a linear regression. Then the eight scales and minima are
 *                rounded to six bits, and x is rounded again with what they have become.
 *     Q6_K       w = d·s·q for each 16, q of six bits with sign; the same with one number instead of two.
 *
 * Large weights matter more: an error is weighted by the size of what it is an error of. */
#include <math.h>
#include <string.h>

#include "apps/cli/quantize.h"

static float clean(float x) {
    return x >= -3e38f && x <= 3e38f ? x : 0; /* NaN too */
}

static uint16_t to_f16(float x) {
    uint32_t bits, sign, rest;
    if (fabsf(x) > 65504) x = copysignf(65504, x);
    memcpy(&bits, &x, 4);
    sign = bits >> 16 & 0x8000;
    rest = bits & 0x7fffffff;
    if (rest < 0x38800000) { /* below the smallest normal: multiples of 2^-24 */
        float magnitude;
        memcpy(&magnitude, &rest, 4);
        return (uint16_t)(sign | (uint32_t)lrintf(magnitude * 0x1p24f));
    }
    return (uint16_t)(sign | ((rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13));
}

static float from_f16(uint16_t h) {
    uint32_t exponent = h >> 10 & 31, mantissa = h & 1023;
    float magnitude =
        exponent ? ldexpf((float)(mantissa + 1024), (int)exponent - 25) : ldexpf((float)mantissa, -24);
    return h & 0x8000 ? -magnitude : magnitude;
}

static void put_u16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static int clamp(long q, int least, int most) {
    return q < least ? least : q > most ? most : (int)q;
}

static int nearest(float x, int least, int most) {
    return clamp(lrintf(fmaxf(-1e6f, fminf(1e6f, x))), least, most);
}

/* ---- single values ---- */

static void encode_f32(const float *x, size_t n_blocks, uint8_t *out) {
    memcpy(out, x, n_blocks * sizeof *x);
}

static void encode_f16(const float *x, size_t n_blocks, uint8_t *out) {
    for (size_t i = 0; i < n_blocks; i++)
        put_u16(out + 2 * i, to_f16(clean(x[i])));
}

/* ---- blocks of 32 ---- */

static void encode_q8_0(const float *x, size_t n_blocks, uint8_t *out) {
    for (size_t i = 0; i < n_blocks; i++, x += 32, out += 34) {
        float most = 0;
        for (int j = 0; j < 32; j++)
            most = fmaxf(most, fabsf(clean(x[j])));
        float d = most / 127, inverse = d > 0 ? 1 / d : 0;
        put_u16(out, to_f16(d));
        for (int j = 0; j < 32; j++)
            out[2 + j] = (uint8_t)clamp(lroundf(clean(x[j]) * inverse), -127, 127);
    }
}

static void encode_q4_0(const float *x, size_t n_blocks, uint8_t *out) {
    for (size_t i = 0; i < n_blocks; i++, x += 32, out += 18) {
        float most = 0;
        for (int j = 0; j < 32; j++)
            if (fabsf(clean(x[j])) > fabsf(most)) most = x[j];
        float d = most / -8, inverse = d != 0 ? 1 / d : 0;
        put_u16(out, to_f16(d));
        for (int j = 0; j < 16; j++) {
            int low = clamp((long)(clean(x[j]) * inverse + 8.5f), 0, 15);
            int high = clamp((long)(clean(x[j + 16]) * inverse + 8.5f), 0, 15);
            out[2 + j] = (uint8_t)(low | high << 4);
        }
    }
}

/* ---- superblocks of 256 ---- */

/* What an error of each of n values weighs. */
static void weigh(const float *x, int n, float *weight) {
    float square = 0;
    for (int j = 0; j < n; j++)
        square += x[j] * x[j];
    float typical = sqrtf(square / (float)n);
    for (int j = 0; j < n; j++)
        weight[j] = typical + fabsf(x[j]);
}

/* The scale and minimum ≥ 0 for 32 values as scale·q − minimum, q in [0, 15]. */
static void fit_line(const float *x, float *scale, float *minimum) {
    enum { N = 32, MOST = 15, TRIES = 20 };
    float weight[N], low = 0, high = -3e38f, best = 3e38f;
    weigh(x, N, weight);
    for (int j = 0; j < N; j++) {
        low = fminf(low, x[j]);
        high = fmaxf(high, x[j]);
    }
    *scale = 0;
    *minimum = -low;
    if (high <= low) return;
    for (int try = 0; try <= TRIES; try++) {
        float step = (MOST - 1.0f + 0.1f * (float)try) / (high - low), w = 0, q1 = 0, q2 = 0, x1 = 0, xq = 0;
        int q[N];
        for (int j = 0; j < N; j++) {
            q[j] = nearest((x[j] - low) * step, 0, MOST);
            float v = weight[j], f = (float)q[j];
            w += v;
            q1 += v * f;
            q2 += v * f * f;
            x1 += v * x[j];
            xq += v * f * x[j];
        }
        float determinant = w * q2 - q1 * q1;
        if (!(determinant > 0)) continue;
        float s = (w * xq - q1 * x1) / determinant, m = (q1 * xq - q2 * x1) / determinant, error = 0;
        if (m < 0) m = 0, s = xq / q2;
        for (int j = 0; j < N; j++) {
            float difference = s * (float)q[j] - m - x[j];
            error += weight[j] * difference * difference;
        }
        if (error >= best || s < 0) continue;
        best = error;
        *scale = s;
        *minimum = m;
    }
}

static void encode_q4_k(const float *x, size_t n_blocks, uint8_t *out) {
    for (size_t i = 0; i < n_blocks; i++, out += 144) {
        float values[256], scale[8], minimum[8], most_scale = 0, most_minimum = 0;
        uint8_t s[8], m[8], *sc = out + 4, *n = out + 16;
        for (int j = 0; j < 256; j++)
            values[j] = clean(*x++);
        for (int g = 0; g < 8; g++) {
            fit_line(values + 32 * g, &scale[g], &minimum[g]);
            most_scale = fmaxf(most_scale, scale[g]);
            most_minimum = fmaxf(most_minimum, minimum[g]);
        }
        put_u16(out, to_f16(most_scale / 63));
        put_u16(out + 2, to_f16(most_minimum / 63));
        float d = from_f16(to_f16(most_scale / 63)), dmin = from_f16(to_f16(most_minimum / 63));
        for (int g = 0; g < 8; g++) {
            s[g] = (uint8_t)(d > 0 ? nearest(scale[g] / d, 0, 63) : 0);
            m[g] = (uint8_t)(dmin > 0 ? nearest(minimum[g] / dmin, 0, 63) : 0);
        }
        for (int g = 0; g < 4; g++) { /* six bits each: the first four whole, the others in two parts */
            sc[g] = (uint8_t)(s[g] | s[g + 4] >> 4 << 6);
            sc[g + 4] = (uint8_t)(m[g] | m[g + 4] >> 4 << 6);
            sc[g + 8] = (uint8_t)((s[g + 4] & 15) | (m[g + 4] & 15) << 4);
        }
        memset(n, 0, 128);
        for (int j = 0; j < 256; j++) {
            int g = j / 32;
            float each = d * (float)s[g], least = dmin * (float)m[g];
            int q = each > 0 ? nearest((values[j] + least) / each, 0, 15) : 0;
            n[j / 64 * 32 + j % 32] |= (uint8_t)(q << j / 32 % 2 * 4);
        }
    }
}

/* The scale for 16 values as scale·q, q in [−32, 31]. */
static float fit_scale(const float *x) {
    enum { N = 16, TRIES = 9 };
    float weight[N], most = 0, best = 0, scale = 0;
    for (int j = 0; j < N; j++) {
        weight[j] = x[j] * x[j];
        if (fabsf(x[j]) > fabsf(most)) most = x[j];
    }
    if (fabsf(most) < 1e-30f) return 0;
    for (int try = -TRIES; try <= TRIES; try++) {
        float step = -(32 + 0.1f * (float)try) / most, xq = 0, q2 = 0;
        for (int j = 0; j < N; j++) {
            float q = (float)nearest(x[j] * step, -32, 31);
            xq += weight[j] * x[j] * q;
            q2 += weight[j] * q * q;
        }
        if (!(q2 > 0) || xq * xq <= best * q2) continue; /* the more of x it explains, the better */
        best = xq * xq / q2;
        scale = xq / q2;
    }
    return scale;
}

static void encode_q6_k(const float *x, size_t n_blocks, uint8_t *out) {
    for (size_t i = 0; i < n_blocks; i++, out += 210) {
        float values[256], scale[16], most = 0;
        uint8_t *n = out, *h = out + 128, *sc = out + 192;
        for (int j = 0; j < 256; j++)
            values[j] = clean(*x++);
        for (int g = 0; g < 16; g++) {
            scale[g] = fit_scale(values + 16 * g);
            if (fabsf(scale[g]) > fabsf(most)) most = scale[g];
        }
        put_u16(out + 208, to_f16(most / -128));
        float d = from_f16(to_f16(most / -128));
        memset(n, 0, 192);
        for (int g = 0; g < 16; g++)
            sc[g] = (uint8_t)(d != 0 ? nearest(scale[g] / d, -128, 127) : 0);
        for (int j = 0; j < 256; j++) {
            int g = j / 16;
            float each = d * (float)(int8_t)sc[g];
            int q = 32 + (each != 0 ? nearest(values[j] / each, -32, 31) : 0);
            n[j / 128 * 64 + j % 64] |= (uint8_t)((q & 15) << j / 64 % 2 * 4);
            h[j / 128 * 32 + j % 32] |= (uint8_t)(q >> 4 << j / 32 % 4 * 2);
        }
    }
}

const struct cli_encoding *cli_encoding_find(const char *name) {
    static const struct cli_encoding all[] = {
        {"F32", 0, 1, 4, encode_f32},        {"F16", 1, 1, 2, encode_f16},
        {"Q4_0", 2, 32, 18, encode_q4_0},    {"Q8_0", 8, 32, 34, encode_q8_0},
        {"Q4_K", 12, 256, 144, encode_q4_k}, {"Q6_K", 14, 256, 210, encode_q6_k},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, all[i].name)) return &all[i];
    return NULL;
}

const char *cli_encoding_type(const char *name, size_t n, uint32_t n_dims, const char *type) {
    if (n_dims < 2 || n <= 7 || memcmp(name + n - 7, ".weight", 7) != 0 || !memcmp(name, "cls.", 4) ||
        memmem(name, n, "_norm.weight", 12) || memmem(name, n, "token_types", 11))
        return NULL;
    return memmem(name, n, "position_embd", 13) && strcmp(type, "F32") != 0 ? "F16" : type;
}
