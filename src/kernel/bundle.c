/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.c: bytes of rows from the order of a file to that of products, and back, by a table of fields. */
#include "kernel/bundle.h"

#include "base/memory.h"
#include "kernel/kernel.h"

enum { ROWS = 8, FIELDS = 4 };

/* Bytes [at, at + n) of a block; halves: in pieces of two bytes, else of four. Fields of no bytes come last. */
struct field {
    uint8_t at, n, halves;
};

struct order {
    uint8_t type, flips; /* flips: whether words are flipped as the machine wants it */
    struct field fields[FIELDS];
};

static const struct order orders[] = {
    {MOTE_TYPE_Q8_0, 1, {{0, 2, 1}, {2, 32, 0}}},
    {MOTE_TYPE_Q4_0, 0, {{0, 2, 1}, {2, 16, 0}}},
};

static const struct order *order_of(uint32_t type) {
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (orders[i].type == type) return &orders[i];
    return NULL;
}

int mote_kernel_bundle_knows(uint32_t type) {
    return order_of(type) != NULL;
}

static void copy_half(uint8_t *to, const uint8_t *from) {
    to[0] = from[0];
    to[1] = from[1];
}

static void copy_word(uint8_t *to, const uint8_t *from, uint32_t flip) {
    uint32_t word;
    memcpy(&word, from, 4);
    word ^= flip;
    memcpy(to, &word, 4);
}

/* One row between its place in a file and row r < 8 of a bundle: into the bundle, or back. */
static void carry(uint32_t type, uint32_t k, uint8_t flip, uint32_t r, int back, uint8_t *row,
                  uint8_t *bundle) {
    const struct order *order = order_of(type);
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    const uint32_t flips = order->flips ? flip * 0x01010101u : 0;
    for (; k; k -= info->elements, row += info->bytes) {
        for (const struct field *field = order->fields; field < order->fields + FIELDS; field++) {
            uint8_t *at = row + field->at;
            for (const uint8_t *end = at + field->n; at < end;) {
                if (field->halves) {
                    uint8_t *half = bundle + r % 4 * 4 + r / 4 * 2;
                    copy_half(back ? at : half, back ? half : at);
                    at += 2;
                    bundle += 2 * ROWS;
                } else {
                    uint8_t *word = bundle + 4 * r;
                    copy_word(back ? at : word, back ? word : at, flips);
                    at += 4;
                    bundle += 4 * ROWS;
                }
            }
        }
    }
}

static uint64_t row_bytes_of(uint32_t type, uint32_t k) {
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    return (uint64_t)k / info->elements * info->bytes;
}

void mote_kernel_bundle_make(uint32_t type, uint32_t k, uint8_t flip, uint8_t *rows, uint8_t *work) {
    const uint64_t row_bytes = row_bytes_of(type, k);
    memcpy(work, rows, MOTE_KERNEL_ROWS * row_bytes);
    for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++)
        carry(type, k, flip, r % ROWS, 0, work + r * row_bytes, rows + r / ROWS * ROWS * row_bytes);
}

void mote_kernel_bundle_row(uint32_t type, uint32_t k, uint8_t flip, const uint8_t *bundles, uint32_t r,
                            uint8_t *row) {
    const uint8_t *bundle = bundles + r / ROWS * ROWS * row_bytes_of(type, k);
    carry(type, k, flip, r % ROWS, 1, row, (uint8_t *)(uintptr_t)bundle);
}
