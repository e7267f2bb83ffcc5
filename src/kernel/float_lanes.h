/* SPDX-License-Identifier: Apache-2.0
 *
 * float_lanes.h: the float work on vectors, written once for every instruction set in the vector extension of
 * GCC and clang. A file that is compiled for one of them defines
 *
 *     WIDTH                  floats in a machine vector: 4, 8 or 16
 *     HAS_CONVERSIONS        1 where it defines, for a whole vector, load_f16, store_f16, load_bf16, load_i8
 *                            (from two's complement), load_i4 (of bytes, the four bits from `shift` on, less
 *                            8), and for comparing, greater (b where b > a, else a), less and greater_four
 *     HAS_SCALE              1 where it defines scale_lanes, p · 2^n rounded once, NaN where p is
 *
 * includes this, and has all of float_ref.c's and encoder_ref.c's functions as statics, and `overlay` to put
 * them into a table.
 *
 * A sum over a row has sixteen lanes whatever WIDTH is: 16 / WIDTH vectors side by side. (A single vector of
 * sixteen floats would be simpler to write, but gcc keeps one in memory where the machine's are shorter.)
 * A row that is not a multiple of sixteen is filled up with zeros: a lane starts at +0 and can never become
 * −0 by adding, so adding a product of zeros leaves every bit as it was. */
#include "base/float.h"
#include "base/math.h"
#include "base/memory.h"

#define INLINE     static inline __attribute__((always_inline))
#define UNROLL     _Pragma("GCC unroll 8")
#define UNROLL_ALL _Pragma("GCC unroll 16")

enum { LANES = 16, PARTS = LANES / WIDTH };

/* The rows and columns that dots take at a time: as many sums as there are registers for. */
enum { ROWS = 4, TILE_ROWS = WIDTH == 16 ? 4 : 2, COLUMNS = WIDTH == 16 ? 4 : 2 };

typedef float vec __attribute__((vector_size(WIDTH * 4)));
typedef int32_t ivec __attribute__((vector_size(WIDTH * 4)));
typedef uint32_t uvec __attribute__((vector_size(WIDTH * 4)));
typedef float quad __attribute__((vector_size(16)));

/* ---- loads and stores; n < WIDTH reads and writes n elements, and zeros stand for the others ---- */

enum kind { F32, F16, BF16 };
enum { F32_BYTES = 4, HALF_BYTES = 2 };

#define BYTES(kind) ((kind) == F32 ? F32_BYTES : HALF_BYTES)

INLINE vec splat(float value) {
    return value - (vec){0};
}

#if !HAS_CONVERSIONS
typedef uint16_t hvec __attribute__((vector_size(WIDTH * 2)));

INLINE uvec load_half(const uint8_t *p) {
    hvec h;
    memcpy(&h, p, sizeof h);
    return __builtin_convertvector(h, uvec);
}

INLINE vec load_bf16(const uint8_t *p) {
    return (vec)(load_half(p) << 16);
}

/* The exponent and fraction, moved to their places, are 2^112 too small; infinity and NaN need all ones. */
INLINE vec load_f16(const uint8_t *p) {
    uvec bits = load_half(p), sign = bits >> 15 << 31, magnitude = (bits & 0x7fff) << 13;
    uvec special = (uvec)(magnitude >= 0x0f800000);
    vec value = (vec)magnitude * splat(0x1p112f);
    return (vec)((uvec)value | (special & 0x7f800000) | sign);
}

INLINE vec load_i8(const uint8_t *p) {
    typedef int8_t quarter __attribute__((vector_size(WIDTH)));
    quarter q;
    memcpy(&q, p, sizeof q);
    return __builtin_convertvector(__builtin_convertvector(q, ivec), vec);
}

INLINE vec load_i4(const uint8_t *p, int shift) {
    typedef uint8_t quarter __attribute__((vector_size(WIDTH)));
    quarter q;
    memcpy(&q, p, sizeof q);
    return __builtin_convertvector((__builtin_convertvector(q, ivec) >> shift & 15) - 8, vec);
}

INLINE void store_f16(uint16_t *p, vec v) {
    for (int i = 0; i < WIDTH; i++)
        p[i] = mote_base_f16_from_f32(v[i]);
}

INLINE vec greater(vec a, vec b) {
    ivec is = b > a;
    return (vec)((is & (ivec)b) | (~is & (ivec)a));
}

INLINE vec less(vec a, vec b) {
    ivec is = b < a;
    return (vec)((is & (ivec)b) | (~is & (ivec)a));
}

INLINE quad greater_four(quad a, quad b) {
    typedef int32_t four __attribute__((vector_size(16)));
    four is = b > a;
    return (quad)((is & (four)b) | (~is & (four)a));
}
#endif

/* WIDTH values of a row, from any address. */
INLINE vec load(enum kind kind, const uint8_t *p) {
    vec v;
    if (kind == F16) return load_f16(p);
    if (kind == BF16) return load_bf16(p);
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE vec load_some(enum kind kind, const uint8_t *p, uint32_t n) {
    uint8_t padded[WIDTH * 4] = {0};
    if (n >= WIDTH) return load(kind, p);
    memcpy(padded, p, (size_t)n * BYTES(kind));
    return load(kind, padded);
}

INLINE vec load_floats(const float *p, uint32_t n) {
    return load_some(F32, (const uint8_t *)p, n);
}

INLINE void store_floats(float *p, vec v, uint32_t n) {
    if (n >= WIDTH)
        memcpy(p, &v, sizeof v);
    else
        memcpy(p, &v, n * sizeof *p);
}

/* ---- sums ---- */

struct lanes {
    vec part[PARTS];
};

/* The first two steps of the tree: lanes 8 apart, then 4. */
INLINE quad fold(struct lanes sum) {
#if WIDTH == 16
    typedef float octet __attribute__((vector_size(32)));
    octet low = __builtin_shufflevector(sum.part[0], sum.part[0], 0, 1, 2, 3, 4, 5, 6, 7);
    octet high = __builtin_shufflevector(sum.part[0], sum.part[0], 8, 9, 10, 11, 12, 13, 14, 15);
    octet eight = low + high;
#elif WIDTH == 8
    vec eight = sum.part[0] + sum.part[1];
#endif
#if WIDTH == 4
    return (sum.part[0] + sum.part[2]) + (sum.part[1] + sum.part[3]);
#else
    return __builtin_shufflevector(eight, eight, 0, 1, 2, 3) +
           __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
#endif
}

/* The last two, for four sums at once: lanes 2 apart, then 1. */
INLINE quad fold_four(quad a, quad b, quad c, quad d) {
    quad ab = __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
    quad cd = __builtin_shufflevector(c, d, 0, 1, 4, 5) + __builtin_shufflevector(c, d, 2, 3, 6, 7);
    return __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
}

/* sum[c·n_rows + r] += w row r · x column c over sixteen elements that all hold. */
INLINE void add_products(enum kind kind, struct lanes *sum, int n_rows, int n_columns, const uint8_t *w,
                         uint64_t row_bytes, const float *x, uint64_t x_stride) {
    UNROLL
    for (int part = 0; part < PARTS; part++) {
        vec row[ROWS];
        UNROLL
        for (int r = 0; r < n_rows; r++)
            row[r] = load(kind, w + (uint64_t)r * row_bytes + part * WIDTH * BYTES(kind));
        UNROLL
        for (int c = 0; c < n_columns; c++) {
            vec values = load(F32, (const uint8_t *)(x + (uint64_t)c * x_stride + part * WIDTH));
            UNROLL
            for (int r = 0; r < n_rows; r++)
                sum[c * n_rows + r].part[part] += row[r] * values;
        }
    }
}

/* The dots of n_rows ≤ ROWS rows with n_columns ≤ COLUMNS columns: four of them or a multiple, or one. */
INLINE void dot_tile(enum kind kind, int n_rows, int n_columns, const uint8_t *w, uint64_t row_bytes,
                     uint32_t k, const float *x, uint64_t x_stride, float *y, uint64_t y_stride) {
    struct lanes sum[ROWS * COLUMNS] = {0};
    uint32_t i = 0;
    for (; i + LANES <= k; i += LANES)
        add_products(kind, sum, n_rows, n_columns, w + (uint64_t)i * BYTES(kind), row_bytes, x + i, x_stride);
    if (i < k) {
        uint8_t rest[ROWS][LANES * 4] = {0};
        float rest_x[COLUMNS][LANES] = {0};
        for (int r = 0; r < n_rows; r++)
            memcpy(rest[r], w + (uint64_t)r * row_bytes + (uint64_t)i * BYTES(kind), (k - i) * BYTES(kind));
        for (int c = 0; c < n_columns; c++)
            memcpy(rest_x[c], x + (uint64_t)c * x_stride + i, (k - i) * sizeof *x);
        add_products(kind, sum, n_rows, n_columns, rest[0], sizeof rest[0], rest_x[0], LANES);
    }
    UNROLL
    for (int j = 0; j < n_rows * n_columns; j += 4) {
        quad four = fold_four(fold(sum[j]), fold(sum[j + 1]), fold(sum[j + 2]), fold(sum[j + 3]));
        int n = n_rows * n_columns < 4 ? n_rows * n_columns : 4;
        UNROLL
        for (int at = 0; at < n; at++)
            y[(uint64_t)((j + at) / n_rows) * y_stride + (uint64_t)((j + at) % n_rows)] = four[at];
    }
}

/* All rows with n_columns columns, n_tile rows at a time. */
INLINE void dot_columns(enum kind kind, int n_tile, int n_columns, const uint8_t *w, uint64_t row_bytes,
                        uint32_t n_rows, uint32_t k, const float *x, uint64_t x_stride, float *y,
                        uint64_t y_stride) {
    uint32_t r = 0;
    for (; r + (uint32_t)n_tile <= n_rows; r += (uint32_t)n_tile)
        dot_tile(kind, n_tile, n_columns, w + r * row_bytes, row_bytes, k, x, x_stride, y + r, y_stride);
    for (; r < n_rows; r++)
        for (int c = 0; c < n_columns; c++)
            dot_tile(kind, 1, 1, w + r * row_bytes, row_bytes, k, x + (uint64_t)c * x_stride, 0,
                     y + (uint64_t)c * y_stride + r, 0);
}

/* Columns outermost: a few of them stay in L1 while all rows, which are few, pass. */
INLINE void dots(enum kind kind, const uint8_t *w, uint64_t row_bytes, uint32_t n_rows, uint32_t k,
                 const float *x, uint64_t x_stride, uint32_t n_columns, float *y, uint64_t y_stride) {
    uint32_t t = 0;
    for (; t + COLUMNS <= n_columns; t += COLUMNS)
        dot_columns(kind, TILE_ROWS, COLUMNS, w, row_bytes, n_rows, k, x + t * x_stride, x_stride,
                    y + t * y_stride, y_stride);
    for (; t < n_columns; t++)
        dot_columns(kind, ROWS, 1, w, row_bytes, n_rows, k, x + t * x_stride, 0, y + t * y_stride, 0);
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

/* mote_base_exp on each lane, operation by operation, of n vectors side by side: one after the other they
 * would wait for their own results, and fill the machine's window meanwhile. */
enum { MANY = WIDTH == 8 ? 4 : 8 };

#define EACH                                                                                                 \
    UNROLL                                                                                                   \
    for (int j = 0; j < n; j++)

/* e^x = p · 2^m, of which shifted holds m in its low bits; NaN stays in p. */
INLINE void exp_parts(int n, const vec *x, vec *p, vec *shifted) {
    vec r[MANY];
    EACH shifted[j] = x[j] * MOTE_BASE_EXP_LOG2E + MOTE_BASE_EXP_ROUND;
    EACH p[j] = shifted[j] - MOTE_BASE_EXP_ROUND;
    EACH r[j] = x[j] - p[j] * MOTE_BASE_EXP_LN2_HI;
    EACH r[j] = r[j] - p[j] * MOTE_BASE_EXP_LN2_LO;
    EACH p[j] = splat(MOTE_BASE_EXP_C6) * r[j] + MOTE_BASE_EXP_C5;
    EACH p[j] = p[j] * r[j] + MOTE_BASE_EXP_C4;
    EACH p[j] = p[j] * r[j] + MOTE_BASE_EXP_C3;
    EACH p[j] = p[j] * r[j] + MOTE_BASE_EXP_C2;
    EACH p[j] = p[j] * (r[j] * r[j]) + r[j];
    EACH p[j] = p[j] + 1.0f;
}

INLINE vec exp_lanes(vec x) {
    vec p, shifted;
    x = less(greater(x, splat(MOTE_BASE_EXP_MIN)), splat(MOTE_BASE_EXP_MAX));
    exp_parts(1, &x, &p, &shifted);
#if HAS_SCALE
    return scale_lanes(p, shifted - MOTE_BASE_EXP_ROUND);
#else
    ivec low = (ivec)shifted - (ivec)splat(MOTE_BASE_EXP_ROUND), half = low >> 1, rest = low - half;
    return p * (vec)((uvec)(half + 127) << 23) * (vec)((uvec)(rest + 127) << 23);
#endif
}

/* x ≤ 0 or NaN becomes its exp: m is never above 0, so 2^(m + 64) is a normal number, and the 2^−64 that
 * follows is where it is rounded. What stands above m in shifted is shifted out. */
INLINE void exp_falling(int n, vec *x) {
    vec p[MANY], shifted[MANY];
    EACH x[j] = greater(x[j], splat(MOTE_BASE_EXP_MIN));
    exp_parts(n, x, p, shifted);
#if HAS_SCALE
    EACH x[j] = scale_lanes(p[j], shifted[j] - MOTE_BASE_EXP_ROUND);
#else
    EACH x[j] = p[j] * (vec)(((uvec)shifted[j] << 23) + ((127u + 64) << 23));
    EACH x[j] = x[j] * 0x1p-64f;
#endif
}

static void rms_norm(const float *x, const float *weight, uint32_t n, float eps, float *y) {
    float sum;
    dot_tile(F32, 1, 1, (const uint8_t *)x, 0, n, x, 0, &sum, 0);
    vec inverse = splat(1.0f / __builtin_sqrtf(sum / (float)n + eps));
    for (uint32_t i = 0; i < n; i += WIDTH)
        store_floats(y + i, load_floats(x + i, n - i) * inverse * load_floats(weight + i, n - i), n - i);
}

static void swiglu(const float *gate, const float *up, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i += WIDTH) {
        vec z = load_floats(gate + i, n - i);
        store_floats(y + i, z / (1.0f + exp_lanes(-z)) * load_floats(up + i, n - i), n - i);
    }
}

static void add(const float *a, const float *b, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i += WIDTH)
        store_floats(y + i, load_floats(a + i, n - i) + load_floats(b + i, n - i), n - i);
}

static void to_f16(const float *x, uint32_t n, uint16_t *y) {
    uint32_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        store_f16(y + i, load_floats(x + i, WIDTH));
    if (i < n) {
        uint16_t rest[WIDTH];
        store_f16(rest, load_floats(x + i, n - i));
        memcpy(y + i, rest, (n - i) * sizeof *y);
    }
}

static void from_f16(const void *x, uint32_t n, float *y) {
    for (uint32_t i = 0; i < n; i += WIDTH)
        store_floats(y + i, load_some(F16, (const uint8_t *)x + (uint64_t)i * HALF_BYTES, n - i), n - i);
}

/* Pairs (i, i + half) of one head. */
INLINE void rotate_halves(float *x, uint32_t half, const float *cos, const float *sin) {
    for (uint32_t i = 0; i < half; i += WIDTH) {
        uint32_t n = half - i;
        vec real = load_floats(x + i, n), imaginary = load_floats(x + half + i, n);
        vec c = load_floats(cos + i, n), s = load_floats(sin + i, n);
        store_floats(x + i, real * c - imaginary * s, n);
        store_floats(x + half + i, real * s + imaginary * c, n);
    }
}

/* Pairs (2i, 2i + 1) of one head, two at a time: (r, i, r', i') · (c, c, c', c') ∓ (i, r, i', r') · (s, s,
 * s', s')
 */
INLINE void rotate_pairs(float *x, uint32_t half, const float *cos, const float *sin) {
    uint32_t i = 0;
    for (; i + 2 <= half; i += 2) {
        quad pair, c = {cos[i], cos[i], cos[i + 1], cos[i + 1]},
                   s = {-sin[i], sin[i], -sin[i + 1], sin[i + 1]};
        memcpy(&pair, x + 2 * i, sizeof pair);
        pair = pair * c + __builtin_shufflevector(pair, pair, 1, 0, 3, 2) * s;
        memcpy(x + 2 * i, &pair, sizeof pair);
    }
    for (; i < half; i++) {
        float real = x[2 * i], imaginary = x[2 * i + 1];
        x[2 * i] = real * cos[i] - imaginary * sin[i];
        x[2 * i + 1] = real * sin[i] + imaginary * cos[i];
    }
}

static void rope(float *x, uint32_t n_heads, uint32_t head_dim, uint32_t n_rot,
                 enum mote_kernel_rope_style style, const float *cos, const float *sin) {
    for (uint32_t h = 0; h < n_heads; h++, x += head_dim) {
        if (style == MOTE_KERNEL_ROPE_PAIR)
            rotate_pairs(x, n_rot / 2, cos, sin);
        else
            rotate_halves(x, n_rot / 2, cos, sin);
    }
}

#include "kernel/attend_lanes.h"
#include "kernel/encoder_lanes.h"

static void overlay(struct mote_kernels *table) {
    table->dot_f32 = dot_f32;
    table->dot_f16 = dot_f16;
    table->dot_bf16 = dot_bf16;
    table->rms_norm = rms_norm;
    table->rope = rope;
    table->swiglu = swiglu;
    table->add = add;
    table->to_f16 = to_f16;
    table->from_f16 = from_f16;
    table->layer_norm = layer_norm;
    table->gelu = gelu;
    table->tanh = tanh_all;
    table->keep[MOTE_KV_F32] = keep_f32;
    table->keep[MOTE_KV_F16] = keep_f16;
    table->attend[MOTE_KV_F16] = attend_f16;
    table->attend[MOTE_KV_F32] = attend_f32;
    table->attend[MOTE_KV_Q8_0] = attend_q8_0;
    table->attend[MOTE_KV_Q4_0] = attend_q4_0;
    table->attend_end = attend_end;
}
