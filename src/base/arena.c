/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/checked.h"
#include "mote/mote.h"

void mote_base_arena_open(struct mote_base_arena *arena, void *block, uint64_t size) {
    arena->block = block;
    arena->size = block ? size : UINT64_MAX;
    arena->used = 0;
    arena->failed = block && (uintptr_t)block % MOTE_ALIGN != 0;
}

void *mote_base_arena_take(struct mote_base_arena *arena, uint64_t n, uint64_t size) {
    uint64_t bytes, end;
    if (arena->failed) return NULL;
    if (!mote_base_mul(n, size, &bytes) || !mote_base_round_up(bytes, MOTE_ALIGN, &bytes) ||
        !mote_base_add(arena->used, bytes, &end) || end > arena->size) {
        arena->failed = 1;
        return NULL;
    }
    void *piece = arena->block ? arena->block + arena->used : NULL;
    arena->used = end;
    return piece;
}
