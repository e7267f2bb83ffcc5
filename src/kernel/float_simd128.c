/* SPDX-License-Identifier: Apache-2.0
 *
 * float_simd128.c: the float work for WebAssembly that takes time: dots of float weights, norms, SwiGLU and
 * attention. One loop serves all types, small before fast: float weights become f32 some hundred values of a row at
 * a time, which then meet a few columns, and pages of the KV cache become f32 before they are read, which changes no
 * bit. What remains is the reference's.
 *
 * Sixteen lanes (kernel.h) are four vectors. Attention's two products,
 *
 *     scores [32] = q [E] × keys [E][32]          values [E] += p [32] × values [32][E]
 *
 * are sixteen outputs of two queries at a time, four vectors each: add_rows. */
#include "kernel/level.h"

#if defined(__wasm_simd128__)

#include "base/float.h"
#include "base/math.h"
#include "kernel/four_wasm.h"
#include "kernel/page.h"
#include "kernel/vector_wasm.h"

enum { LANES = 16, PAGE = MOTE_KERNEL_PAGE, PIECE = 256, COLUMNS = 8 };

enum kind { F32, F16, BF16 };

struct lanes {
    vector part[4];
};

/* Adds lanes 8 apart, then 4, 2, 1. */
PART float tree(const struct lanes *sum) {
    const vector *part = sum->part;
    vector four = wasm_f32x4_add(wasm_f32x4_add(part[0], part[2]), wasm_f32x4_add(part[1], part[3]));
    four = wasm_f32x4_add(four, wasm_i64x2_shuffle(four, four, 1, 0));
    return wasm_f32x4_extract_lane(four, 0) + wasm_f32x4_extract_lane(four, 1);
}

/* sum += w · x, n values. */
PART void add_products(struct lanes *sum, const float *w, const float *x, uint32_t n) {
    struct lanes s = *sum;
    ROLLED
    for (; n >= LANES; n -= LANES, w += LANES, x += LANES) {
        UNROLL
        for (int i = 0; i < 4; i++)
            s.part[i] = wasm_f32x4_add(s.part[i], wasm_f32x4_mul(load(w + 4 * i), load(x + 4 * i)));
    }
    *sum = s;
    ROLLED
    for (float *lane = (float *)sum; n; n--)
        *lane++ += *w++ * *x++;
}

/* n values of a row, from any address, as f32; room for 3 more. */
PART void widen(enum kind kind, const uint8_t *p, uint32_t n, float *to) {
    const struct halves halves = load_halves_constants();
    ROLLED
    for (uint32_t i = 0; i < n; i += 4) {
        vector v = wasm_i32x4_shl(wasm_u32x4_extend_low_u16x8(load_part(p + 2 * i, (n - i) * 2)), 16);
        store(to + i, kind == F16 ? float_from_half(v, &halves) : v);
    }
}

PART void dots(enum kind kind, const uint8_t *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k,
               const float *x, uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    float wide[PIECE + 4];
    for (uint32_t r = 0; r < n_rows; r++, w += row_bytes) {
        for (uint32_t t = 0; t < n_columns; t += COLUMNS) {
            uint32_t n_here = n_columns - t < COLUMNS ? n_columns - t : COLUMNS;
            struct lanes sum[COLUMNS] = {0};
            for (uint32_t i = 0; i < k; i += PIECE) {
                uint32_t n = k - i < PIECE ? k - i : PIECE;
                const float *row = (const float *)(const void *)(w + (uint64_t)i * 4);
                if (kind != F32) {
                    widen(kind, w + (uint64_t)i * 2, n, wide);
                    row = wide;
                }
                ROLLED
                for (uint32_t c = 0; c < n_here; c++)
                    add_products(&sum[c], row, x + (t + c) * x_stride + i, n);
            }
            ROLLED
            for (uint32_t c = 0; c < n_here; c++)
                y[(t + c) * y_stride + r] = tree(&sum[c]);
        }
    }
}

static void dot_f32(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                    uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    dots(F32, w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
}

static void dot_f16(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                    uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    dots(F16, w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
}

static void dot_bf16(const void *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k, const float *x,
                     uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    dots(BF16, w, row_bytes, n_rows, k, x, x_stride, n_columns, y, y_stride);
}

/* ---- elementwise ---- */

/* The first n of four floats. */
INLINE void store_part(float *p, vector v, uint32_t n) {
    if (n >= 4)
        store(p, v);
    else
        memcpy(p, &v, n * sizeof *p);
}

#if !defined(MOTE_NO_DECODERS)
static void rms_norm(const float *x, const float *weight, uint32_t n, float eps, float *y) {
    struct lanes sum = {0};
    add_products(&sum, x, x, n);
    vector inverse = wasm_f32x4_splat(1.0f / __builtin_sqrtf(tree(&sum) / (float)n + eps));
    ROLLED
    for (uint32_t i = 0; i < n; i += 4) {
        uint32_t bytes = (n - i) * 4;
        vector v = wasm_f32x4_mul(load_part(x + i, bytes), inverse);
        store_part(y + i, wasm_f32x4_mul(v, load_part(weight + i, bytes)), n - i);
    }
}

#endif

INLINE vector plus(vector a, const float *b) {
    return wasm_f32x4_add(a, load_splat(b));
}

INLINE vector times(vector a, const float *b) {
    return wasm_f32x4_mul(a, load_splat(b));
}

/* Operation by operation. */
vector mote_kernel_exp__simd128(vector x) {
    static const float constants[] = {MOTE_BASE_EXP_MIN,
                                      MOTE_BASE_EXP_MAX,
                                      MOTE_BASE_EXP_LOG2E,
                                      MOTE_BASE_EXP_ROUND,
                                      -MOTE_BASE_EXP_ROUND,
                                      MOTE_BASE_EXP_LN2_HI,
                                      MOTE_BASE_EXP_LN2_LO,
                                      MOTE_BASE_EXP_C6,
                                      MOTE_BASE_EXP_C5,
                                      MOTE_BASE_EXP_C4,
                                      MOTE_BASE_EXP_C3,
                                      MOTE_BASE_EXP_C2,
                                      1};
    const float *c = opaque(constants);
    x = wasm_f32x4_pmin(wasm_f32x4_pmax(x, load_splat(c)), load_splat(c + 1));
    vector shifted = plus(times(x, c + 2), c + 3), n = plus(shifted, c + 4), one = load_splat(c + 12);
    vector r = wasm_f32x4_sub(wasm_f32x4_sub(x, times(n, c + 5)), times(n, c + 6));
    vector p = plus(times(r, c + 7), c + 8);
    UNROLL
    for (int i = 9; i < 12; i++)
        p = plus(wasm_f32x4_mul(p, r), c + i);
    p = wasm_f32x4_add(wasm_f32x4_add(wasm_f32x4_mul(p, wasm_f32x4_mul(r, r)), r), one);
    vector low = wasm_i32x4_sub(shifted, load_splat(c + 3)), half = wasm_i32x4_shr(low, 1);
    p = wasm_f32x4_mul(p, wasm_i32x4_add(wasm_i32x4_shl(half, 23), one));
    return wasm_f32x4_mul(p, wasm_i32x4_add(wasm_i32x4_shl(wasm_i32x4_sub(low, half), 23), one));
}

static void swiglu(const float *gate, const float *up, uint32_t n, float *y) {
    static const float one = 1;
    ROLLED
    for (uint32_t i = 0; i < n; i += 4) {
        uint32_t bytes = (n - i) * 4;
        vector z = load_part(gate + i, bytes),
               silu = wasm_f32x4_div(z, plus(mote_kernel_exp__simd128(wasm_f32x4_neg(z)), &one));
        store_part(y + i, wasm_f32x4_mul(silu, load_part(up + i, bytes)), n - i);
    }
}

static void add(const float *a, const float *b, uint32_t n, float *y) {
    uint32_t i = 0;
    ROLLED
    for (; i + 4 <= n; i += 4)
        store(y + i, wasm_f32x4_add(load(a + i), load(b + i)));
    ROLLED
    for (; i < n; i++)
        y[i] = a[i] + b[i];
}

/* ---- attention ---- */

void mote_kernel_add_rows__simd128(float *to, const float *left, float keep, const float *right,
                                   uint32_t stride, uint32_t n) {
    vector sum[4];
    UNROLL
    for (int j = 0; j < 4; j++)
        sum[j] = times(load(to + 4 * j), &keep);
    ROLLED
    for (const float *end = left + n; left < end; left++, right += stride) {
        vector a = load_splat(left);
        UNROLL
        for (int j = 0; j < 4; j++)
            sum[j] = wasm_f32x4_add(sum[j], wasm_f32x4_mul(a, load(right + 4 * j)));
    }
    UNROLL
    for (int j = 0; j < 4; j++)
        store(to + 4 * j, sum[j]);
}

#if !defined(MOTE_NO_DECODERS) /* encoders: integer_simd128.c */

/* Four places of a row of a page, from place i on; the q of a quantized one. */
INLINE vector load_four(mote_kv_type type, const uint8_t *row, uint32_t i, const struct halves *halves) {
    if (type == MOTE_KV_F16)
        return float_from_half(wasm_i32x4_shl(wasm_u32x4_load16x4(row + 2 * i), 16), halves);
    vector bytes = wasm_v128_load32_zero(row + (type == MOTE_KV_Q8_0 ? i : i / 32 * 16 + i % 16));
    if (type == MOTE_KV_Q4_0) {
        bytes = wasm_v128_and(wasm_u16x8_shr(bytes, i % 32 < 16 ? 0 : 4), wasm_i8x16_splat(15));
        bytes = wasm_i8x16_sub(bytes, wasm_i8x16_splat(8));
    }
    return wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(bytes)));
}

/* n places of a row as f32. Of a quantized page their scales lie at `scales`, one for each place or, shared, one for
 * each 32. */
PART void unpack_row(mote_kv_type type, const uint8_t *row, uint32_t n, const uint8_t *scales, int shared,
                     float *to) {
    const struct halves halves = load_halves_constants();
    ROLLED
    for (uint32_t i = 0; i < n; i += 4) {
        vector v = load_four(type, row, i, &halves);
        if (type != MOTE_KV_F16) {
            vector scale = shared ? wasm_v128_load16_splat(scales + i / MOTE_KERNEL_SHARE * 2)
                                  : wasm_v128_load64_zero(scales + 2 * i);
            scale = wasm_i32x4_shl(wasm_u32x4_extend_low_u16x8(scale), 16);
            v = wasm_f32x4_mul(v, float_from_half(scale, &halves));
        }
        store(to + i, v);
    }
}

/* Keys of all positions (of those never written it makes something), values of the first n. */
PART void unpack(mote_kv_type type, const uint8_t *page, uint32_t head_dim, uint32_t n, float *to) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(type, head_dim);
    for (uint32_t e = 0; e < head_dim; e++, to += PAGE)
        unpack_row(type, page + (uint64_t)e * l.key_bytes, PAGE,
                   page + l.key_scales + (uint64_t)(e / MOTE_KERNEL_SHARE) * PAGE * 2, 0, to);
    for (uint32_t t = 0; t < n; t++, to += l.padded)
        unpack_row(type, page + l.values + (uint64_t)t * l.value_bytes, l.padded,
                   page + l.value_scales + (uint64_t)t * l.n_scales * 2, 1, to);
}

/* For two queries, to [16] = to · keep + Σ left[i] · row i of right, in order. Both may be the same. */
struct task {
    float *to;
    const float *left;
    float keep;
};

PART void add_rows(const struct task task[2], const float *right, uint32_t stride, uint32_t n) {
    const float *left0 = task[0].left, *left1 = task[1].left;
    vector sum[2][4];
    UNROLL
    for (int j = 0; j < 8; j++)
        sum[j / 4][j % 4] = times(load(task[j / 4].to + j % 4 * 4), &task[j / 4].keep);
    ROLLED
    for (uint32_t i = 0; i < n; i++, right += stride) {
        vector a = load_splat(left0 + i), b = load_splat(left1 + i);
        UNROLL
        for (int j = 0; j < 4; j++) {
            vector row = load(right + 4 * j);
            sum[0][j] = wasm_f32x4_add(sum[0][j], wasm_f32x4_mul(a, row));
            sum[1][j] = wasm_f32x4_add(sum[1][j], wasm_f32x4_mul(b, row));
        }
    }
    UNROLL
    for (int j = 0; j < 8; j++)
        store(task[j / 4].to + j % 4 * 4, sum[j / 4][j % 4]);
}

/* The greater of a and b, a where they cannot be compared. */
INLINE vector greater(vector a, vector b) {
    return wasm_f32x4_pmax(a, b);
}

/* Products p [32], of which n count, become scores and then weights, which are added to `sum`; what the sums before
 * are to be multiplied with. */
PART float soften(float *p, uint32_t n, const float *scale, float *max, float *sum) {
    vector old = load_splat(max), top[4];
    ROLLED
    for (uint32_t t = 0; t < PAGE; t += 4)
        store(p + t, times(load(p + t), scale));
    ROLLED
    for (uint32_t t = n; t < PAGE; t++)
        p[t] = -__builtin_inff();
    UNROLL
    for (int i = 0; i < 4; i++)
        top[i] = greater(greater(old, load(p + 4 * i)), load(p + LANES + 4 * i));
    vector four = greater(greater(top[0], top[2]), greater(top[1], top[3]));
    four = greater(four, wasm_i64x2_shuffle(four, four, 1, 0));
    four = greater(four, wasm_i32x4_shuffle(four, four, 1, 0, 3, 2));
    float most = wasm_f32x4_extract_lane(four, 0), change = 1;
    ROLLED
    for (int i = 0; i < PAGE; i += 4)
        store(p + i, mote_kernel_exp__simd128(wasm_f32x4_sub(load(p + i), wasm_f32x4_splat(most))));
    ROLLED
    for (uint32_t t = n; t < PAGE; t++)
        p[t] = 0;
    if (*max != most) /* exp(0) is 1 */
        change =
            wasm_f32x4_extract_lane(mote_kernel_exp__simd128(wasm_f32x4_sub(old, wasm_f32x4_splat(most))), 0);
    *max = most;
    ROLLED
    for (int j = 0; j < LANES; j += 4)
        store(sum + j, wasm_f32x4_add(wasm_f32x4_add(times(load(sum + j), &change), load(p + j)),
                                      load(p + LANES + j)));
    return change;
}

/* Queries i and, where `more`, i + 1 over a page of f32, which begins `at` positions behind the call's first; one
 * query alone is taken twice. */
PART void attend_two(const struct mote_kernel_attention *a, uint32_t i, uint32_t more, uint32_t at,
                     const float *keys, uint32_t n) {
    uint32_t padded = (a->head_dim + LANES - 1) / LANES * LANES;
    float p[2][PAGE];
    struct task task[2];
    ROLLED
    for (uint32_t t = 0; t < 2 * PAGE; t += 4) /* which needs no call */
        store(p[0] + t, splat(0));
    ROLLED
    for (uint32_t c = 0; c < 2; c++)
        task[c] = (struct task){p[c], a->query + (uint64_t)(i + c * more) * padded, 1};
    for (uint32_t t = 0; t < PAGE; t += LANES, task[0].to += LANES, task[1].to += LANES)
        add_rows(task, keys + t, PAGE, a->head_dim);
    ROLLED
    for (uint32_t c = 0; c < 2; c++) {
        uint32_t q = i + c * more;
        float *weights = p[c * more];
        task[c].to = a->value + (uint64_t)q * padded;
        task[c].left = weights;
        if (mote_kernel_is_near(a) && c <= more) mote_kernel_hide(a, q, at, n, weights);
        task[c].keep =
            c > more ? task[0].keep : soften(weights, n, &a->scale, a->max + q, a->sum + (uint64_t)q * LANES);
    }
    keys += (uint64_t)a->head_dim * PAGE;
    for (uint32_t e = 0; e < padded; e += LANES, task[0].to += LANES, task[1].to += LANES)
        add_rows(task, keys + e, padded, n);
}

PART void attend(mote_kv_type type, const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                 const void *const *pages, uint32_t n_positions) {
    for (uint32_t n_seen, at = 0; n_positions; pages++, at += PAGE, n_positions -= n_seen) {
        const float *page = *pages;
        n_seen = n_positions < PAGE ? n_positions : PAGE;
        if (type != MOTE_KV_F32) {
            unpack(type, *pages, a->head_dim, n_seen, a->page);
            page = a->page;
        }
        for (uint32_t i = 0; i < n; i += 2)
            attend_two(a, first + i, i + 1 < n, at, page, n_seen);
    }
}

#endif

static void attend_end(const struct mote_kernel_attention *a, uint32_t i, float *out) {
    const float *value = a->value + (uint64_t)i * ((a->head_dim + LANES - 1) / LANES * LANES);
    struct lanes sum;
    memcpy(&sum, a->sum + (uint64_t)i * LANES, sizeof sum);
    vector total = wasm_f32x4_splat(tree(&sum));
    ROLLED
    for (uint32_t e = 0; e < a->head_dim; e += 4)
        store_part(out + e, wasm_f32x4_div(load(value + e), total), a->head_dim - e);
}

#if !defined(MOTE_NO_DECODERS)

static void attend_f32(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                       const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_F32, a, first, n, pages, n_positions);
}

static void attend_f16(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                       const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_F16, a, first, n, pages, n_positions);
}

static void attend_q8_0(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                        const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_Q8_0, a, first, n, pages, n_positions);
}

static void attend_q4_0(const struct mote_kernel_attention *a, uint32_t first, uint32_t n,
                        const void *const *pages, uint32_t n_positions) {
    attend(MOTE_KV_Q4_0, a, first, n, pages, n_positions);
}

#endif

void mote_kernel_float_overlay__simd128(struct mote_kernels *table) {
    table->dot_f32 = dot_f32;
    table->dot_f16 = dot_f16;
    table->dot_bf16 = dot_bf16;
    table->swiglu = swiglu;
    table->add = add;
    table->attend_end = attend_end;
#if !defined(MOTE_NO_DECODERS)
    table->attend[MOTE_KV_F32] = attend_f32;
    table->rms_norm = rms_norm;
    table->attend[MOTE_KV_F16] = attend_f16;
    table->attend[MOTE_KV_Q8_0] = attend_q8_0;
    table->attend[MOTE_KV_Q4_0] = attend_q4_0;
#endif
}

#endif
