/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.c: bytes of sixteen rows from the order of a file to that of products, and back, by a table of fields. */
#include "kernel/bundle.h"

#include "base/memory.h"
#include "kernel/kernel.h"

enum { ROWS = MOTE_KERNEL_ROWS, FIELDS = 4 };

/* Bytes [at, at + n) of a block, in pieces of so many bytes; the last field is followed by one of none. */
struct field {
    uint8_t at, n, piece;
};

struct order {
    uint8_t type, by_block; /* all fields of a block, then the next block; else field after field */
    uint8_t flip;           /* of bytes in pieces of four */
    struct field fields[FIELDS];
};

static const struct order orders[] = {
    {MOTE_TYPE_Q8_0, 0, 0x80, {{0, 2, 2}, {2, 32, 4}}},
    {MOTE_TYPE_Q4_0, 0, 0, {{0, 2, 2}, {2, 16, 4}}},
};

static const struct order *order_of(uint32_t type) {
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (orders[i].type == type) return &orders[i];
    return NULL;
}

int mote_kernel_bundle_knows(uint32_t type) {
    return order_of(type) != NULL;
}

static uint32_t n_blocks(uint32_t type, uint32_t k) {
    return k / mote_base_type_describe(type)->elements;
}

/* Takes row r's bytes from `from` to `to`; one of them is the row, the other the bundle. */
static void carry(uint32_t type, uint32_t k, uint32_t r, int is_bundle, const uint8_t *from, uint8_t *to) {
    const struct order *order = order_of(type);
    const uint32_t blocks = n_blocks(type, k), bytes = mote_base_type_describe(type)->bytes;
    const uint32_t flip = order->flip * 0x01010101u;
    uint64_t start = 0; /* of the field, in the bundle's first block */
    for (const struct field *field = order->fields; field < order->fields + FIELDS && field->n; field++) {
        const uint64_t step = ROWS * (uint64_t)(order->by_block ? bytes : field->n);
        for (uint64_t b = 0; b < blocks; b++) {
            uint64_t in_row = b * bytes + field->at, in_bundle = start + b * step + r * field->piece;
            uint64_t *at_from = is_bundle ? &in_bundle : &in_row, *at_to = is_bundle ? &in_row : &in_bundle;
            for (uint32_t i = 0; i < field->n; i += field->piece) {
                uint32_t word;
                if (field->piece == 4) {
                    memcpy(&word, from + *at_from, 4);
                    word ^= flip;
                    memcpy(to + *at_to, &word, 4);
                } else {
                    memcpy(to + *at_to, from + *at_from, 2);
                }
                in_row += field->piece;
                in_bundle += ROWS * field->piece;
            }
        }
        start += ROWS * (uint64_t)field->n * (order->by_block ? 1 : blocks);
    }
}

void mote_kernel_bundle_make(uint32_t type, uint32_t k, uint8_t *rows, uint8_t *work) {
    uint64_t row_bytes = (uint64_t)n_blocks(type, k) * mote_base_type_describe(type)->bytes;
    memcpy(work, rows, ROWS * row_bytes);
    for (uint32_t r = 0; r < ROWS; r++)
        carry(type, k, r, 0, work + r * row_bytes, rows);
}

void mote_kernel_bundle_row(uint32_t type, uint32_t k, const uint8_t *bundle, uint32_t r, uint8_t *row) {
    carry(type, k, r, 1, bundle, row);
}
