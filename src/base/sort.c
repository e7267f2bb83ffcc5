/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sort.h"

void mote_base_sort(uint32_t *places, uint32_t n, mote_base_before *before, const void *entries) {
    for (uint32_t built = n / 2, end = n; end > 1;) {
        uint32_t moved;
        if (built > 0) {
            moved = places[--built];
        } else {
            moved = places[--end];
            places[end] = places[0];
        }
        /* down the heap, until no child comes after it */
        uint32_t at = built;
        for (uint64_t child; (child = 2 * (uint64_t)at + 1) < end; at = (uint32_t)child) {
            if (child + 1 < end && before(entries, places[child], places[child + 1])) child++;
            if (!before(entries, moved, places[child])) break;
            places[at] = places[child];
        }
        places[at] = moved;
    }
}
