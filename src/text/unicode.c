/* SPDX-License-Identifier: Apache-2.0 */
#include "text/unicode.h"

#include "text/unicode_data.h"

static int is_white(uint32_t code) {
    if (code < 0x1680) return code == ' ' || (code >= '\t' && code <= '\r') || code == 0x85 || code == 0xA0;
    return code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
           code == 0x202F || code == 0x205F || code == 0x3000;
}

/* The last i in [0, n) with starts[i] <= code; starts[0] <= code. */
static uint32_t last_start(const uint32_t *starts, uint32_t n, uint32_t code) {
    uint32_t low = 0, high = n;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (starts[middle] <= code)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint32_t category(uint32_t code) {
    uint32_t i = last_start(class_starts, sizeof class_starts / sizeof *class_starts, code);
    uint32_t start = class_starts[i];
    for (const uint8_t *run = class_runs + class_places[i];;) {
        uint32_t class = *run >> 4, n = (*run & 15) + 1u, extra = n > 13 ? n - 13 : 0;
        run++;
        if (extra) n = 0;
        for (uint32_t k = 0; k < extra; k++)
            n |= (uint32_t)*run++ << 8 * k;
        if (code - start < n) {
            if (class == UNICODE_UPPER_FIRST) return UNICODE_UPPER + (code - start) % 2;
            if (class == UNICODE_LOWER_FIRST) return UNICODE_LOWER - (code - start) % 2;
            return class;
        }
        start += n;
    }
}

uint32_t mote_text_class(uint32_t code) {
    if (code > 0x10FFFF) return MOTE_TEXT_UNASSIGNED;
    return (uint32_t)1 << (code < 128 ? class_ascii[code] : category(code)) |
           (is_white(code) ? MOTE_TEXT_WHITE : 0);
}

uint32_t mote_text_fold(uint32_t code) {
    if (code >= 0x20000) return code;
    uint32_t plane = code & 0x10000, low = plane ? FOLDS_BMP : 0;
    uint32_t high = plane ? sizeof fold_starts / sizeof *fold_starts : FOLDS_BMP;
    code -= plane;
    if (code < fold_starts[low]) return code + plane;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (fold_starts[middle] <= code)
            low = middle;
        else
            high = middle;
    }
    uint32_t shape = fold_shapes[low], stride = shape & 64 ? 2 : 1, distance = code - fold_starts[low];
    if (distance > (shape & 63) * stride || distance % stride) return code + plane;
    return plane + fold_targets[low] + (shape & 128 ? distance : 0);
}
