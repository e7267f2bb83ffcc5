/* SPDX-License-Identifier: Apache-2.0
 *
 * direct_wasm.h: the product with one or a few columns for WebAssembly, straight from the bytes of a file,
 * four rows at a time. Sixteen neighbouring weights of a row meet the same sixteen activations whatever the
 * row is:
 *
 *     sum of row 0   w0·x0 + … + w3·x3 │ w4·x4 + … │ w8·x8 + … │ w12·x12 + …
 *     sum of row 1   …
 *
 * and when a group is through, across() adds the lanes of each row and puts the four rows side by side, where
 * they meet their scales. The types that most models are made of have their values and scales unpacked on the
 * way; of all others four spans of 256 values are decoded to int8 first.
 *
 * Nothing here can ask for memory ahead of time, but fetch() reads a byte of each line of the next four rows as
 * these are multiplied, in the order of the file, which a machine follows by itself.
 *
 * Rows of Q8_0 shorter than SHORT end before the machine has learnt where they go: of those, each line of the
 * next four is touched ahead (1.8 times the speed at 576 values in a row, but 0.7 times at 2048).
 *
 * Where weights have an offset, sums begin with −offset·Σx: the dot of the activations with the offset
 * itself, which is as good in any lane. Q8_0 is signed: see multiply_wasm.h. */
#include "kernel/decode.h"
#include "kernel/kernel.h"
#include "kernel/vector_wasm.h"

enum { SPAN = MOTE_KERNEL_SPAN };

struct column {
    const int8_t *q;
    const float *d;
    const int16_t *sum;
};

/* How a type is decoded that is not unpacked on the way. */
struct type {
    uint32_t number;
    mote_kernel_decode *decode;
};

/* Where four rows are, and what is read next: the same again after the last. */
struct rows {
    const uint8_t *p, *next;
    size_t row_bytes;
};

/* The products of four rows with a column, a row in each lane. */
typedef vector four_rows(const struct type *type, struct rows rows, uint32_t k, const struct column *x);

struct masks {
    uint32_t nibbles[4], two_high[4], eight[4], thirty_two[4];
};
#define FOUR(word)                                                                                           \
    { word, word, word, word }
static const struct masks mask_constants = {FOUR(0x0f0f0f0f), FOUR(0x30303030), FOUR(0x08080808),
                                            FOUR(0x20202020)};
#undef FOUR

/* Reads a little of each line of what comes next, so that the machine sees one long stream. */
INLINE void fetch(struct rows *rows, uint32_t n_bytes) {
    ROLLED
    for (uint32_t i = 0; i < n_bytes; i += 64)
        (void)*(const volatile uint8_t *)(rows->next + i);
    rows->next += n_bytes;
}

/* ---- dots ---- */

#if RELAXED

/* Lane i: sum + Σ w[4i + j] · x[4i + j], j < 4; w 0 … 127. */
INLINE vector dots(vector sum, vector w, vector x) {
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x, w, sum);
}

/* Sixteen activations for weights of any sign. */
struct signless {
    vector magnitude, sign;
};

INLINE struct signless signless(vector x) {
    return (struct signless){wasm_i8x16_abs(x), wasm_i8x16_lt(x, splat(0))};
}

INLINE vector dots_signed(vector sum, vector w, struct signless x) {
    return dots(sum, x.magnitude, wasm_v128_xor(w, x.sign));
}

/* sum less what has to be added to such sums */
INLINE vector negative_sums(vector sum, struct signless x) {
    return dots(sum, x.magnitude, x.sign);
}

#else

/* The lanes together: Σ w·x, w −128 … 127. */
INLINE vector dots(vector sum, vector w, vector x) {
    sum = wasm_i32x4_add(
        sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_low_i8x16(w), wasm_i16x8_extend_low_i8x16(x)));
    return wasm_i32x4_add(
        sum, wasm_i32x4_dot_i16x8(wasm_i16x8_extend_high_i8x16(w), wasm_i16x8_extend_high_i8x16(x)));
}

struct signless {
    vector x;
};

INLINE struct signless signless(vector x) {
    return (struct signless){x};
}

INLINE vector dots_signed(vector sum, vector w, struct signless x) {
    return dots(sum, w, x.x);
}

INLINE vector negative_sums(vector sum, struct signless x) {
    (void)x;
    return sum;
}

#endif

/* ---- scales ---- */

/* The f16 at the same place of four rows. */
INLINE vector load_scales(const uint8_t *p, size_t row_bytes, const struct halves *halves) {
    vector v = wasm_v128_load16_lane(p, splat(0), 1);
    v = wasm_v128_load16_lane(p + row_bytes, v, 3);
    v = wasm_v128_load16_lane(p + 2 * row_bytes, v, 5);
    v = wasm_v128_load16_lane(p + 3 * row_bytes, v, 7);
    return float_from_half(v, halves);
}

/* Sixteen bytes of each of four rows → four vectors, four bytes of each row. */
INLINE void turn_rows(const uint8_t *p, size_t row_bytes, vector to[4]) {
    vector row[4];
    UNROLL
    for (unsigned r = 0; r < 4; r++)
        row[r] = load(p + r * row_bytes);
    turn(row, to);
}

/* ---- a span: all dots first, then what they mean ---- */

/* Up to sixteen groups of four rows. */
struct span {
    vector idot[SPAN / 16][4];               /* of each row; the sum of the lanes counts */
    vector scale[SPAN / 16], min[SPAN / 16]; /* a row in each lane */
};

/* The groups [first, end) of a span, in order; x begins where the span does. */
PART vector add_groups(vector acc, const struct span *span, uint32_t first, uint32_t end, uint32_t group,
                       int has_min, const struct column *x) {
    ROLLED
    for (uint32_t g = first; g < end; g++) {
        const vector *idot = span->idot[g];
        __asm__("" : "+r"(has_min), "+r"(group)); /* one loop for all */
        const float *d = x->d + g * group / 32;
        vector sum = wasm_f32x4_convert_i32x4(across(idot[0], idot[1], idot[2], idot[3]));
        acc = wasm_f32x4_add(acc, wasm_f32x4_mul(sum, wasm_f32x4_mul(span->scale[g], load_splat(d))));
        if (!has_min) continue;
        int total = group == 16 ? x->sum[g] : x->sum[2 * g] + x->sum[2 * g + 1];
        acc = wasm_f32x4_sub(acc, wasm_f32x4_mul(span->min[g], wasm_f32x4_splat(*d * (float)total)));
    }
    return acc;
}

/* ---- blocks of 32 ---- */

PART vector rows_q4_0(const struct type *type, struct rows rows, uint32_t k, const struct column *x) {
    (void)type;
    const struct halves halves = load_halves_constants();
    const struct masks *m = opaque(&mask_constants);
    const vector nibbles = load(m->nibbles), eight = load(m->eight);
    struct column here = *x;
    vector acc = splat(0);
    struct span span;
    for (uint32_t n = k / 32; n; here.d += SPAN / 32) {
        uint32_t n_here = n < SPAN / 32 ? n : SPAN / 32;
        fetch(&rows, 4 * 18 * n_here);
        ROLLED
        for (uint32_t b = 0; b < n_here; b++, rows.p += 18, here.q += 32) {
            vector low = load(here.q), high = load(here.q + 16);
            vector start = wasm_i32x4_neg(dots(dots(splat(0), eight, low), eight, high));
            UNROLL
            for (unsigned r = 0; r < 4; r++) {
                vector w = load(rows.p + r * rows.row_bytes + 2);
                span.idot[b][r] = dots(dots(start, wasm_v128_and(w, nibbles), low),
                                       wasm_v128_and(wasm_u16x8_shr(w, 4), nibbles), high);
            }
            span.scale[b] = load_scales(rows.p, rows.row_bytes, &halves);
        }
        acc = add_groups(acc, &span, 0, n_here, 32, 0, &here);
        n -= n_here;
    }
    return acc;
}

/* Four blocks to a turn, as no fetch keeps pace with so many bytes. Where fewer are left, those before them are
 * taken again, and only the new ones count. */
enum { BLOCKS = 4, SHORT = 1024 };

/* The first block of the next four, of n; i are done. */
INLINE uint32_t blocks_from(uint32_t i, uint32_t n) {
    return i + BLOCKS <= n ? i : n - BLOCKS;
}

PART vector rows_q8_0(const struct type *type, struct rows rows, uint32_t k, const struct column *x) {
    (void)type;
    const struct halves halves = load_halves_constants();
    vector acc = splat(0);
    struct span span;
    for (uint32_t i = 0; i < k / 32; i += BLOCKS) {
        uint32_t from = blocks_from(i, k / 32);
        const struct column here = {x->q + from * 32, x->d + from, x->sum};
        if (k < SHORT && i + BLOCKS <= k / 32) fetch(&rows, 4 * BLOCKS * 34);
        const uint8_t *p = rows.p + from * 34;
        UNROLL
        for (unsigned b = 0; b < BLOCKS; b++) {
            struct signless low = signless(load(here.q + 32 * b)),
                            high = signless(load(here.q + 32 * b + 16));
            vector start = wasm_i32x4_neg(negative_sums(negative_sums(splat(0), low), high));
            UNROLL
            for (unsigned r = 0; r < 4; r++) {
                const uint8_t *w = p + r * rows.row_bytes + 34 * b + 2;
                span.idot[b][r] = dots_signed(dots_signed(start, load(w), low), load(w + 16), high);
            }
        }
        ROLLED
        for (unsigned b = 0; b < BLOCKS; b++)
            span.scale[b] = load_scales(p + 34 * b, rows.row_bytes, &halves);
        acc = add_groups(acc, &span, i - from, BLOCKS, 32, 0, &here);
    }
    return acc;
}

/* ---- superblocks ---- */

/* Four groups' scales, d times a byte of packed, the lowest first. */
PART void unpack_bytes(vector d, vector packed, vector *scale) {
    ROLLED
    for (int i = 0; i < 4; i++, packed = wasm_u32x4_shr(packed, 8))
        scale[i] = wasm_f32x4_mul(d, wasm_f32x4_convert_i32x4(wasm_v128_and(packed, splat(255))));
}

/* The first sixteen bytes of Q4_K: d and dmin, and the scales as decode_scale.h draws them. */
static void unpack_k4(const uint8_t *p, size_t row_bytes, const struct halves *halves, struct span *span) {
    const vector six = splat(0x3f3f3f3f), four = splat(0x0f0f0f0f), two = splat(0x30303030);
    vector head[4];
    turn_rows(p, row_bytes, head);
    vector d = float_from_half(wasm_i32x4_shl(head[0], 16), halves);
    vector dmin = float_from_half(wasm_v128_and(head[0], splat((int32_t)0xffff0000)), halves);
    unpack_bytes(d, wasm_v128_and(head[1], six), span->scale);
    unpack_bytes(dmin, wasm_v128_and(head[2], six), span->min);
    vector high = wasm_v128_and(wasm_u32x4_shr(head[1], 2), two);
    unpack_bytes(d, wasm_v128_or(wasm_v128_and(head[3], four), high), span->scale + 4);
    high = wasm_v128_and(wasm_u32x4_shr(head[2], 2), two);
    unpack_bytes(dmin, wasm_v128_or(wasm_v128_and(wasm_u32x4_shr(head[3], 4), four), high), span->min + 4);
}

PART vector rows_q4_k(const struct type *type, struct rows rows, uint32_t k, const struct column *x) {
    (void)type;
    const struct halves halves = load_halves_constants();
    const struct masks *m = opaque(&mask_constants);
    const vector nibbles = load(m->nibbles);
    struct column here = *x;
    vector acc = splat(0);
    struct span span;
    for (uint32_t at = 0; at < k; at += SPAN, rows.p += 144, here.d += 8, here.sum += 16) {
        fetch(&rows, 4 * 144);
        unpack_k4(rows.p, rows.row_bytes, &halves, &span);
        ROLLED
        for (int g = 0; g < 8; g += 2, here.q += 64) {
            vector value[4];
            UNROLL
            for (int i = 0; i < 4; i++)
                value[i] = load(here.q + 16 * i);
            const uint8_t *w = rows.p + 16 + 16 * g;
            ROLLED
            for (unsigned r = 0; r < 4; r++, w += rows.row_bytes) {
                vector a = load(w), b = load(w + 16);
                span.idot[g][r] = dots(dots(splat(0), wasm_v128_and(a, nibbles), value[0]),
                                       wasm_v128_and(b, nibbles), value[1]);
                span.idot[g + 1][r] =
                    dots(dots(splat(0), wasm_v128_and(wasm_u16x8_shr(a, 4), nibbles), value[2]),
                         wasm_v128_and(wasm_u16x8_shr(b, 4), nibbles), value[3]);
            }
        }
        acc = add_groups(acc, &span, 0, 8, 32, 1, &here);
    }
    return acc;
}

/* Groups g, g + 2, g + 4 and g + 6, which share bytes of high bits; w: low bits of the first, high: their
 * high bits. */
INLINE void dots_q6_k(struct span *span, uint32_t g, const uint8_t *low, const uint8_t *high,
                      size_t row_bytes, const int8_t *q, const struct masks *m) {
    const vector nibbles = load(m->nibbles), two = load(m->two_high), offset = load(m->thirty_two);
    vector value[4], start[4];
    UNROLL
    for (int i = 0; i < 4; i++) {
        value[i] = load(q + 32 * i);
        start[i] = wasm_i32x4_neg(dots(splat(0), offset, value[i]));
    }
    ROLLED
    for (unsigned r = 0; r < 4; r++, low += row_bytes, high += row_bytes) {
        vector a = load(low), b = load(low + 32), h = load(high), w[4];
        w[0] = wasm_v128_or(wasm_v128_and(a, nibbles), wasm_v128_and(wasm_i16x8_shl(h, 4), two));
        w[1] = wasm_v128_or(wasm_v128_and(b, nibbles), wasm_v128_and(wasm_i16x8_shl(h, 2), two));
        w[2] = wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(a, 4), nibbles), wasm_v128_and(h, two));
        w[3] = wasm_v128_or(wasm_v128_and(wasm_u16x8_shr(b, 4), nibbles),
                            wasm_v128_and(wasm_u16x8_shr(h, 2), two));
        UNROLL
        for (uint32_t i = 0; i < 4; i++)
            span->idot[g + 2 * i][r] = dots(start[i], w[i], value[i]);
    }
}

PART vector rows_q6_k(const struct type *type, struct rows rows, uint32_t k, const struct column *x) {
    (void)type;
    const struct halves halves = load_halves_constants();
    const struct masks *m = opaque(&mask_constants);
    struct column here = *x;
    vector acc = splat(0);
    struct span span;
    for (uint32_t at = 0; at < k; at += SPAN, rows.p += 210, here.q += SPAN, here.d += 8) {
        fetch(&rows, 4 * 210);
        vector d = load_scales(rows.p + 208, rows.row_bytes, &halves), packed[4];
        turn_rows(rows.p + 192, rows.row_bytes, packed);
        ROLLED
        for (uint32_t g = 0; g < 16; g++) {
            vector scale = wasm_i32x4_shr(wasm_i32x4_shl(packed[g / 4], 24 - g % 4 * 8), 24);
            span.scale[g] = wasm_f32x4_mul(d, wasm_f32x4_convert_i32x4(scale));
        }
        ROLLED
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t half = i / 2, j = i % 2;
            dots_q6_k(&span, 8 * half + j, rows.p + 64 * half + 16 * j, rows.p + 128 + 32 * half + 16 * j,
                      rows.row_bytes, here.q + 128 * half + 16 * j, m);
        }
        acc = add_groups(acc, &span, 0, 16, 16, 0, &here);
    }
    return acc;
}

/* ---- all others: decoded first ---- */

/* Numbers of the four rows → a row in each lane. */
PART void turn_scales(float rows[4][SPAN / 16], vector *to) {
    ROLLED
    for (uint32_t g = 0; g < SPAN / 16; g += 4) {
        vector row[4];
        UNROLL
        for (int r = 0; r < 4; r++)
            row[r] = load(rows[r] + g);
        turn(row, to + g);
    }
}

PART vector rows_any(const struct type *type, struct rows rows, uint32_t k, const struct column *x) {
    const struct mote_base_type_info *info = mote_base_type_describe(type->number);
    int8_t q[4][SPAN];
    float scale[4][SPAN / 16], min[4][SPAN / 16];
    struct column here = *x;
    vector acc = splat(0);
    struct span span;
    for (uint32_t at = 0; at < k; at += SPAN, here.q += SPAN, here.d += SPAN / 32, here.sum += SPAN / 16) {
        uint32_t n = k - at < SPAN ? k - at : SPAN, n_blocks = n / info->elements;
        fetch(&rows, 4 * n_blocks * info->bytes);
        ROLLED
        for (unsigned r = 0; r < 4; r++)
            type->decode(rows.p + r * rows.row_bytes, n_blocks, q[r], scale[r], min[r]);
        rows.p += n_blocks * info->bytes;
        turn_scales(scale, span.scale);
        if (info->has_min) turn_scales(min, span.min);
        ROLLED
        for (uint32_t i = 0; i < n; i += 16) {
            struct signless value = signless(load(here.q + i));
            vector start = wasm_i32x4_neg(negative_sums(splat(0), value)), *idot = span.idot[i / info->group];
            int more = i % info->group != 0;
            UNROLL
            for (int r = 0; r < 4; r++)
                idot[r] = dots_signed(more ? wasm_i32x4_add(idot[r], start) : start, load(q[r] + i), value);
        }
        acc = add_groups(acc, &span, 0, n / info->group, info->group, info->has_min, &here);
    }
    return acc;
}

/* ---- what the table points to ---- */

static void direct(const struct mote_kernel_weight *w, uint32_t row0, uint32_t n_rows,
                   const struct mote_kernel_x8 *x, uint32_t n_columns, float *y, uint64_t y_stride) {
    const struct type type = {w->type, mote_kernel_decode__simd128[w->type]};
    const uint8_t *rows = w->data + row0 * w->row_bytes;
    four_rows *products = w->type == MOTE_TYPE_Q4_0   ? rows_q4_0
                          : w->type == MOTE_TYPE_Q8_0 ? rows_q8_0
                          : w->type == MOTE_TYPE_Q4_K ? rows_q4_k
                          : w->type == MOTE_TYPE_Q6_K ? rows_q6_k
                                                      : rows_any;
    for (uint32_t r = 0; r < n_rows; r += 4, rows += 4 * w->row_bytes) {
        struct rows four = {rows, r + 4 < n_rows ? rows + 4 * w->row_bytes : rows, (size_t)w->row_bytes};
        ROLLED
        for (uint64_t c = 0; c < n_columns; c++) {
            struct column column = {x->q + c * w->k, x->scale + c * (w->k / 32), x->sum + c * (w->k / 16)};
            store(y + c * y_stride + r, products(&type, four, w->k, &column));
            four.next = rows;
        }
    }
}

static void overlay_direct(struct mote_kernels *table) {
    ROLLED
    for (uint32_t type = 0; type < MOTE_BASE_TYPE_END; type++)
        if (mote_kernel_decode__simd128[type]) table->direct[type] = direct;
}
