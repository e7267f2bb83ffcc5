/* SPDX-License-Identifier: Apache-2.0
 *
 * sort.h: sorts places of entries that stay where they are. Heapsort, because it needs no memory, does not
 * recurse, and has no bad case that a file could be made of. */
#ifndef MOTE_BASE_SORT_H
#define MOTE_BASE_SORT_H

#include <stdint.h>

/* Whether the entry at place a comes before that at place b; `entries` as given to mote_base_sort. */
typedef int mote_base_before(const void *entries, uint32_t a, uint32_t b);

void mote_base_sort(uint32_t *places, uint32_t n, mote_base_before *before, const void *entries);

#endif
