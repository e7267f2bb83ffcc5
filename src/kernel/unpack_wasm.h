/* SPDX-License-Identifier: Apache-2.0
 *
 * unpack_wasm.h: four rows of a file side by side, for WebAssembly: what direct products need of a block besides its
 * values, and fill, which makes panels of the types that most models are made of.
 *
 *     row 0   b0 b1 b2 b3 │ b4 b5 b6 b7 │ …         vector 0   row 0: b0 b1 b2 b3 │ row 1: b0 b1 b2 b3 │ …
 *     row 1   b0 b1 b2 b3 │ b4 b5 b6 b7 │ …    →    vector 1   row 0: b4 b5 b6 b7 │ row 1: b4 b5 b6 b7 │ …
 *     …                                             …
 *
 * Rows are turned while they are packed, which is less to turn, and a mask and a shift then make values of all four.
 * Other types are decoded row by row and interleaved (matmul.c). */
#ifndef MOTE_KERNEL_UNPACK_WASM_H
#define MOTE_KERNEL_UNPACK_WASM_H

#include "kernel/kernel.h"
#include "kernel/fields_wasm.h"
#include "kernel/vector_wasm.h"

struct masks {
    uint32_t nibbles[4], two_high[4], six[4], ones[4], minus_eight[4];
};
#define FOUR(word)                                                                                           \
    { word, word, word, word }
static const struct masks mask_constants = {
    FOUR(0x0f0f0f0f), FOUR(0x30303030), FOUR(0x3f3f3f3f), FOUR(0x00010001), {0xfff8fff8}};
#undef FOUR

/* The f16 at the same place of four rows, above what v has. */
INLINE vector load_halves(const uint8_t *p, size_t row_bytes, vector v) {
    v = wasm_v128_load16_lane(p, v, 1);
    v = wasm_v128_load16_lane(p + row_bytes, v, 3);
    v = wasm_v128_load16_lane(p + 2 * row_bytes, v, 5);
    return wasm_v128_load16_lane(p + 3 * row_bytes, v, 7);
}

INLINE vector load_scales(const uint8_t *p, size_t row_bytes, const struct halves *halves) {
    return float_from_half(load_halves(p, row_bytes, splat(0)), halves);
}

/* The same, where it is not done all the time. */
SMALL vector few_scales(const uint8_t *p, size_t row_bytes) {
    const struct halves halves = load_halves_constants();
    return load_scales(p, row_bytes, &halves);
}

/* Sixteen bytes of each of four rows → four vectors, four bytes of each row. */
INLINE void turn_rows_here(const uint8_t *p, size_t row_bytes, vector to[4]) {
    vector row[4];
    UNROLL
    for (unsigned r = 0; r < 4; r++)
        row[r] = load(p + r * row_bytes);
    turn(row, to);
}

/* The same where a call more is no matter: each turn is eight shuffles of eighteen bytes. */
PART void turn_rows(const uint8_t *p, size_t row_bytes, vector to[4]) {
    turn_rows_here(p, row_bytes, to);
}

/* d times the signed byte i of packed. */
INLINE vector scale_of(vector d, vector packed, int i) {
    return wasm_f32x4_mul(d,
                          wasm_f32x4_convert_i32x4(wasm_i32x4_shr(wasm_i32x4_shl(packed, 24 - 8 * i), 24)));
}

/* Four vectors, `apart` from each other: d times a signed byte of packed, the lowest first. */
SMALL void unpack_bytes(vector d, vector packed, vector *to, size_t apart) {
    UNROLL
    for (int i = 0; i < 4; i++, to += apart)
        *to = scale_of(d, packed, i);
}

/* The first sixteen bytes of Q4_K (decode_scale.h draws them): four scales, four mins, the other scales, the other
 * mins, a byte each, and what they are multiplied with. */
struct head_k4 {
    vector packed[4], d, dmin;
};

SMALL void unpack_head_k4(const uint8_t *p, size_t row_bytes, struct head_k4 *to) {
    const struct masks *m = opaque(&mask_constants);
    const vector six = load(m->six), four = load(m->nibbles), two = load(m->two_high);
    vector head[4];
    turn_rows(p, row_bytes, head);
    to->d = few_scales(p, row_bytes);
    to->dmin = few_scales(p + 2, row_bytes);
    to->packed[0] = wasm_v128_and(head[1], six);
    to->packed[1] = wasm_v128_and(head[2], six);
    vector high = wasm_v128_and(wasm_u32x4_shr(head[1], 2), two);
    to->packed[2] = wasm_v128_or(wasm_v128_and(head[3], four), high);
    high = wasm_v128_and(wasm_u32x4_shr(head[2], 2), two);
    to->packed[3] = wasm_v128_or(wasm_v128_and(wasm_u32x4_shr(head[3], 4), four), high);
}

SMALL void unpack_k4(const uint8_t *p, size_t row_bytes, vector *scale, vector *min, size_t apart) {
    struct head_k4 head;
    unpack_head_k4(p, row_bytes, &head);
    ROLLED
    for (int i = 0; i < 4; i += 2, scale += 4 * apart, min += 4 * apart) {
        unpack_bytes(head.d, head.packed[i], scale, apart);
        unpack_bytes(head.dmin, head.packed[i + 1], min, apart);
    }
}

/* The sixteen scales of Q6_K and the d behind them. */
SMALL void unpack_q6(const uint8_t *p, size_t row_bytes, vector *scale, size_t apart) {
    vector d = few_scales(p + 16, row_bytes), packed[4];
    turn_rows(p, row_bytes, packed);
    ROLLED
    for (int i = 0; i < 4; i++)
        unpack_bytes(d, packed[i], scale + (size_t)i * 4 * apart, apart);
}

/* ---- fill ---- */

/* Four rows of a panel, from the first value on. */
struct strip {
    const uint8_t *p;
    size_t row_bytes;
    uint8_t *q;
    vector *scale, *min;
};

enum { APART = MOTE_KERNEL_ROWS / 4 }; /* vectors from a group's four scales to the next group's */

/* A field of a superblock (fields_wasm.h), put above what is there. */
SMALL void fill_field(const struct field *field, const uint8_t *p, size_t row_bytes, uint8_t *q) {
    const vector mask = wasm_u8x16_splat((uint8_t)((1 << field->bits) - 1)),
                 up = wasm_i16x8_splat((int16_t)(1 << field->up)),
                 below = wasm_i8x16_splat(field->up ? -1 : 0);
    const uint32_t bits = field->bits, width = field->width;
    const uint8_t *end = p + field->at + field->n;
    for (p += field->at; p < end;) {
        uint8_t *next = q + 8 * 16 / bits * width;
        ROLLED
        for (uint8_t *from = q; from < q + 16 * width; from += 256, p += 16) {
            vector v[4];
            turn_rows(p, row_bytes, v);
            ROLLED
            for (uint8_t *to = from; to < next; to += 16 * width) {
                UNROLL
                for (int i = 0; i < 4; i++) {
                    vector value = wasm_i16x8_mul(wasm_v128_and(v[i], mask), up);
                    store(to + 64 * i, wasm_v128_or(wasm_v128_and(load(to + 64 * i), below), value));
                    v[i] = wasm_u16x8_shr(v[i], bits);
                }
            }
        }
        q = next;
    }
}

SMALL void fill_four_k(const struct superblock_type *type, struct strip s, uint32_t k) {
    uint32_t groups = type->group16 ? 16 : 8;
    for (; k; k -= 256, s.scale += groups * APART, s.min += groups * APART, s.p += type->bytes, s.q += 4096) {
        if (type->group16)
            unpack_q6(s.p + 192, s.row_bytes, s.scale, APART);
        else
            unpack_k4(s.p, s.row_bytes, s.scale, s.min, APART);
        fill_field(&type->low, s.p, s.row_bytes, s.q);
        if (type->high.n) fill_field(&type->high, s.p, s.row_bytes, s.q);
    }
}

SMALL void fill(const struct superblock_type *type, const uint8_t *rows, uint64_t row_bytes, uint32_t k,
                const struct mote_kernel_panel *panel) {
    struct strip s = {rows, (size_t)row_bytes, panel->q, (vector *)panel->scale, (vector *)panel->min};
    touch(rows, (uint32_t)(MOTE_KERNEL_ROWS * row_bytes));
    ROLLED
    for (int i = 0; i < APART; i++, s.p += 4 * row_bytes, s.q += 16, s.scale++, s.min++) {
        fill_four_k(type, s, k);
    }
}

#define FILL_LIST(X)                                                                                         \
    X(Q4_K, q4_k, mote_kernel_fields_q4_k)                                                                   \
    X(Q5_K, q5_k, mote_kernel_fields_q5_k)                                                                   \
    X(Q6_K, q6_k, mote_kernel_fields_q6_k)
#define FILL(NAME, lower, fields)                                                                            \
    static void fill_##lower(const uint8_t *rows, uint64_t row_bytes, uint32_t k,                            \
                             const struct mote_kernel_panel *panel) {                                        \
        fill(&fields, rows, row_bytes, k, panel);                                                            \
    }
FILL_LIST(FILL)

static void overlay_fill(struct mote_kernels *table) {
#define SET(NAME, lower, fields) table->fill[MOTE_TYPE_##NAME] = fill_##lower;
    FILL_LIST(SET)
#undef SET
}

#endif
