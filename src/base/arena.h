/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.h: hands out aligned pieces of one block given by the caller. An arena opened without a block only
 * counts: every take returns NULL and `used` grows, so that a *_plan function can run the same takes as the
 * *_open function and report the size. */
#ifndef MOTE_BASE_ARENA_H
#define MOTE_BASE_ARENA_H

#include <stdint.h>

struct mote_base_arena {
    uint8_t *block; /* NULL: counting only */
    uint64_t used, size;
    int failed; /* a take did not fit, or a size overflowed; later takes fail too */
};

void mote_base_arena_open(struct mote_base_arena *arena, void *block, uint64_t size);

/* n elements of size bytes, aligned to MOTE_ALIGN, not zeroed. NULL if it does not fit or only counting. */
void *mote_base_arena_take(struct mote_base_arena *arena, uint64_t n, uint64_t size);

#endif
