/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder_lanes.h: what only encoders need (encoder_ref.c) on vectors; part of float_lanes.h.
 *
 * Sums have sixteen lanes, and what is missing in a row's last sixteen elements adds zeros: for the mean they
 * are read as such, but their distance from the mean is none, so that one is put aside and cut off. */

/* Σ over the lanes by the tree. */
INLINE float total(struct lanes sum) {
    quad four = fold(sum);
    return fold_four(four, four, four, four)[0];
}

INLINE void add_squares(struct lanes *sum, const float *x, vec mean) {
    UNROLL
    for (int part = 0; part < PARTS; part++) {
        vec distance = load_floats(x + part * WIDTH, WIDTH) - mean;
        sum->part[part] += distance * distance;
    }
}

static float mean_of(const float *x, uint32_t n) {
    struct lanes sum = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        UNROLL
        for (int part = 0; part < PARTS; part++)
            sum.part[part] += load_floats(x + i + part * WIDTH, WIDTH);
    }
    for (int part = 0; part < PARTS && i < n; part++, i += WIDTH)
        sum.part[part] += load_floats(x + i, n - i);
    return total(sum) / (float)n;
}

static float variance_of(const float *x, uint32_t n, float mean) {
    struct lanes sum = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        add_squares(&sum, x + i, splat(mean));
    if (i < n) {
        float distance[LANES] = {0};
        for (uint32_t j = 0; i + j < n; j++)
            distance[j] = x[i + j] - mean;
        add_squares(&sum, distance, splat(0));
    }
    return total(sum) / (float)n;
}

static void layer_norm(const float *x, const float *weight, const float *bias, uint32_t n, float eps,
                       float *y) {
    vec mean = splat(mean_of(x, n));
    vec inverse = splat(1.0f / __builtin_sqrtf(variance_of(x, n, mean[0]) + eps));
    for (uint32_t i = 0; i < n; i += WIDTH) {
        vec v = (load_floats(x + i, n - i) - mean) * inverse * load_floats(weight + i, n - i);
        if (bias) v += load_floats(bias + i, n - i);
        store_floats(y + i, v, n - i);
    }
}

/* mote_base_gelu of n vectors side by side, operation by operation. */
INLINE void gelu_lanes(int n, vec *x) {
    vec a[MANY], p[MANY];
    EACH a[j] = less(greater(x[j], -x[j]), splat(MOTE_BASE_GELU_END));
    EACH p[j] = a[j] * MOTE_BASE_GELU_C7 + MOTE_BASE_GELU_C6;
    EACH p[j] = p[j] * a[j] + MOTE_BASE_GELU_C5;
    EACH p[j] = p[j] * a[j] + MOTE_BASE_GELU_C4;
    EACH p[j] = p[j] * a[j] + MOTE_BASE_GELU_C3;
    EACH p[j] = p[j] * a[j] + MOTE_BASE_GELU_C2;
    EACH p[j] = p[j] * a[j] + MOTE_BASE_GELU_C1;
    EACH p[j] = p[j] * a[j] + MOTE_BASE_GELU_C0;
    EACH p[j] = p[j] * (MOTE_BASE_GELU_END - a[j]);
    EACH p[j] = p[j] * p[j];
    EACH p[j] = p[j] * p[j];
    EACH x[j] = greater(x[j], splat(0)) - a[j] * (p[j] * p[j]);
}

static void gelu(const float *x, uint32_t n, float *y) {
    uint32_t i = 0;
    for (; i + MANY * WIDTH <= n; i += MANY * WIDTH) {
        vec v[MANY];
        UNROLL
        for (int j = 0; j < MANY; j++)
            v[j] = load_floats(x + i + j * WIDTH, WIDTH);
        gelu_lanes(MANY, v);
        UNROLL
        for (int j = 0; j < MANY; j++)
            store_floats(y + i + j * WIDTH, v[j], WIDTH);
    }
    for (; i < n; i += WIDTH) {
        vec v = load_floats(x + i, n - i);
        gelu_lanes(1, &v);
        store_floats(y + i, v, n - i);
    }
}

static void tanh_all(const float *x, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i += WIDTH) {
        vec v =
            less(greater(load_floats(x + i, n - i), splat(-MOTE_BASE_TANH_END)), splat(MOTE_BASE_TANH_END));
        vec z = v * v, p = z * MOTE_BASE_TANH_P4 + MOTE_BASE_TANH_P3,
            q = z * MOTE_BASE_TANH_Q4 + MOTE_BASE_TANH_Q3;
        p = p * z + MOTE_BASE_TANH_P2;
        q = q * z + MOTE_BASE_TANH_Q2;
        p = p * z + MOTE_BASE_TANH_P1;
        q = q * z + MOTE_BASE_TANH_Q1;
        v = v * (p * z + 1.0f) / (q * z + 1.0f);
        store_floats(y + i, less(greater(v, splat(-1)), splat(1)), n - i);
    }
}
