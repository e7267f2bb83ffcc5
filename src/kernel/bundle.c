/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.c: bytes of rows from the order of a file to that of products, and back, by a table of fields. */
#include "kernel/bundle.h"

#include "base/memory.h"
#include "base/reader.h"
#include "kernel/kernel.h"

enum { FIELDS = 3 };

/* Bytes [at, at + n) of a block; halves: in pieces of two bytes, else of four. Fields of no bytes come last. */
struct field {
    uint8_t at, n, halves;
};

struct order {
    uint8_t type, rows, flips; /* flips: whether words are flipped as the machine wants it */
    struct field fields[FIELDS];
};

static const struct order orders[] = {
    {MOTE_TYPE_Q8_0, 8, 1, {{0, 2, 1}, {2, 32, 0}}},
    {MOTE_TYPE_Q4_0, 8, 0, {{0, 2, 1}, {2, 16, 0}}},
    {MOTE_TYPE_Q4_K, 16, 0, {{0, 144, 0}}},
    {MOTE_TYPE_Q5_K, 16, 0, {{0, 176, 0}}},
    {MOTE_TYPE_Q6_K, 16, 0, {{192, 16, 0}, {208, 2, 1}, {0, 192, 0}}},
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

/* One row between its place in a file and row r of a bundle: into the bundle, or back. */
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
                    uint8_t *half = bundle + r / 8 * 16 + r % 4 * 4 + r % 8 / 4 * 2;
                    copy_half(back ? at : half, back ? half : at);
                    at += 2;
                    bundle += 2 * order->rows;
                } else {
                    uint8_t *word = bundle + 4 * r;
                    copy_word(back ? at : word, back ? word : at, flips);
                    at += 4;
                    bundle += 4 * order->rows;
                }
            }
        }
    }
}

static uint64_t row_bytes_of(uint32_t type, uint32_t k) {
    const struct mote_base_type_info *info = mote_base_type_describe(type);
    return (uint64_t)k / info->elements * info->bytes;
}

/* ---- six bits ---- */

enum { SIX_BYTES = 192 };
#define TOPS 0xc0c0c0c0u

/* What the two highest bits of three words of a group add up to, and what is below them. */
static uint32_t fold(const uint32_t w[3]) {
    return w[0] >> 2 ^ w[1] >> 4 ^ w[2] >> 6;
}

/* The 192 bytes of a block of Q6_K between a file's nibbles and pairs of bits and groups of three words (bundle.h). */
static void regroup(int back, uint8_t *block) {
    uint8_t file[SIX_BYTES] = {0};
    uint32_t words[64], *w = words; /* four values each */
    if (!back) memcpy(file, block, SIX_BYTES);
    for (const uint8_t *p = block; back && p < block + SIX_BYTES; p += 12, w += 4) {
        memcpy(w, p, 12);
        w[3] = fold(w);
    }
    for (uint32_t i = 0; i < 64; i++) {
        uint8_t *low = file + i / 32 * 64 + i % 16 * 4, *high = file + 128 + i / 32 * 32 + i % 8 * 4;
        uint32_t at_low = i % 32 / 16 * 4, at_high = i % 32 / 8 * 2, l = mote_base_u32(low),
                 h = mote_base_u32(high);
        if (!back) words[i] = (l >> at_low & 0x0f0f0f0f) | (h >> at_high & 0x03030303) << 4;
        l |= (words[i] & 0x0f0f0f0f) << at_low;
        h |= (words[i] >> 4 & 0x03030303) << at_high;
        memcpy(low, &l, 4);
        memcpy(high, &h, 4);
    }
    if (back) memcpy(block, file, SIX_BYTES);
    for (uint8_t *p = block; !back && p < block + SIX_BYTES; w += 4) {
        uint32_t fourth = w[3] ^ fold(w);
        for (int i = 0; i < 3; i++, p += 4) {
            fourth <<= 2;
            w[i] |= fourth & TOPS;
            memcpy(p, &w[i], 4);
        }
    }
}

/* The blocks of a row, in place. */
static void regroup_row(uint32_t type, uint32_t k, int back, uint8_t *row) {
    for (; type == MOTE_TYPE_Q6_K && k; k -= 256, row += 210)
        regroup(back, row);
}

void mote_kernel_bundle_make(uint32_t type, uint32_t k, uint8_t flip, uint8_t *rows, uint8_t *work) {
    const uint64_t row_bytes = row_bytes_of(type, k);
    const uint32_t n = order_of(type)->rows;
    memcpy(work, rows, MOTE_KERNEL_ROWS * row_bytes);
    for (uint32_t r = 0; r < MOTE_KERNEL_ROWS; r++, work += row_bytes) {
        regroup_row(type, k, 0, work);
        carry(type, k, flip, r % n, 0, work, rows + r / n * n * row_bytes);
    }
}

void mote_kernel_bundle_row(uint32_t type, uint32_t k, uint8_t flip, const uint8_t *bundles, uint32_t r,
                            uint8_t *row) {
    const uint32_t n = order_of(type)->rows;
    const uint8_t *bundle = bundles + r / n * n * row_bytes_of(type, k);
    carry(type, k, flip, r % n, 1, row, (uint8_t *)(uintptr_t)bundle);
    regroup_row(type, k, 1, row);
}
